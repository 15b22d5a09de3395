"""Drives streams: reads events, runs judgements beside them, records, and lets out what may go out.

The sync driver reads in its caller's thread, when its caller asks for more, and the judgement in flight
runs on the library's own event loop; so it lets a judged sentence out with the next event. The async
driver reads in one task of its own, because what a generator opens in a task it has to close there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Generator, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from guardrails import _drive, _observe
from guardrails._reader import AsyncReader, Reader
from guardrails._streaming import Drop, Emit, Happened, Judge, Judged, Keep, Next, Stream
from guardrails.errors import AuditError
from guardrails.models import in_thread
from guardrails.outcome import Outcome

_log = logging.getLogger("guardrails")


@dataclass(frozen=True, slots=True)
class Release:
    """How a stream is driven: `seconds` for each judgement, `keep` makes durable, `done` is told the outcomes.

    `call` is the guarded call that judgements belong to, where somebody observes it.
    """

    stream: Stream
    seconds: float | None
    keep: Callable[[Keep], None]
    done: Callable[[tuple[Outcome, ...]], None]
    call: _observe.Call | None

    def run(self, source: Iterable[Any]) -> Generator[Any, None, None]:
        """Release the events of a sync stream, and close it."""
        steps = self.stream.conduct()
        happened: Happened = None
        flying: Future[Any] | None = None
        reader = Reader(source)
        try:
            while (command := _next(steps, happened)) is not None:
                happened = None
                match command:
                    case Emit(out):
                        yield from out
                    case Judge(step):
                        flying = _observe.within(self.call, _drive.start, step, self.seconds)
                    case Next():
                        happened = reader.next(flying)
                    case Drop():
                        happened, flying = _dropped(flying), None
                    case Keep():
                        self._keep(command)
                flying = None if isinstance(happened, Judged) else flying
        except BaseException as error:
            _dropped(flying)
            self._keep_left(error)
            raise
        finally:
            try:
                reader.close()
            finally:
                self._end()

    async def arun(self, source: AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
        """Release the events of an async stream, and close it."""
        steps = self.stream.conduct()
        happened: Happened = None
        flying: asyncio.Future[Any] | None = None
        reader = AsyncReader(source)
        try:
            while (command := _next(steps, happened)) is not None:
                happened = None
                match command:
                    case Emit(out):
                        for event in out:
                            yield event
                    case Judge(step):
                        flying = _observe.within(self.call, _drive.astart, step, self.seconds)
                    case Next():
                        happened = await reader.next(flying)
                    case Drop():
                        happened, flying = await _adropped(flying), None
                    case Keep():
                        await _to_its_end(in_thread(self._keep, command))
                flying = None if isinstance(happened, Judged) else flying
        except BaseException as error:
            await _to_its_end(self._interrupted(flying, error))
            raise
        finally:
            try:
                await _to_its_end(reader.close())
            finally:
                self._end()

    async def _interrupted(self, flying: asyncio.Future[Any] | None, error: BaseException) -> None:
        await _adropped(flying)
        await in_thread(self._keep_left, error)

    def _keep(self, command: Keep) -> None:
        self.keep(command)
        self.stream.kept(command)

    def _end(self) -> None:
        outcomes = self.stream.outcomes
        if self.call is not None:
            self.call.ended(outcomes)
        self.done(outcomes)

    def _keep_left(self, error: BaseException) -> None:
        """Record what is not recorded yet. Its caller is told of the own error of the stream, not of a second one."""
        if self.call is not None:
            self.call.failed(error)
        for left in self.stream.interrupted():
            try:
                self._keep(left)
            except AuditError as lost:
                error.add_note(f"The record of run {left.lane.run_id} is lost: {lost}")
                _log.error("the record of run %s is lost: %s", left.lane.run_id, lost)


def _next(steps: Generator[Any, Happened, None], happened: Happened) -> Any | None:
    try:
        return steps.send(happened)
    except StopIteration:
        return None


def _dropped(future: Future[Any] | None) -> Judged | None:
    """Give up a judgement; what came of it, where it was there already."""
    if future is None or future.cancel():
        return None
    return Judged(future.result())


async def _adropped(task: asyncio.Future[Any] | None) -> Judged | None:
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task])
    return None if task is None or task.cancelled() else Judged(task.result())


async def _to_its_end(step: Coroutine[Any, Any, object]) -> None:
    """Do what has to be done, however often the caller is cancelled meanwhile: cancel scopes do it at every await."""
    task, cancelled = asyncio.ensure_future(step), None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled  # itself: a cancel scope knows its own by what it says, and lets others pass
