"""Drives streams: reads events, runs judgements beside them, records, and lets out what may go out.

The sync driver reads in its caller's thread, when its caller asks for more, and the judgement in flight
runs on the library's own event loop; so it lets a judged sentence out with the next event. The async
driver reads in one task of its own, because what a generator opens in a task it has to close there.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Generator, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from guardrails import _drive
from guardrails._streaming import Drop, Emit, Ended, Happened, Heard, Judge, Judged, Keep, Next, Stream
from guardrails.models import in_thread
from guardrails.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Release:
    """How a stream is driven: `seconds` for each judgement, `keep` makes durable, `done` is told the outcomes."""

    stream: Stream
    seconds: float | None
    keep: Callable[[Keep], None]
    done: Callable[[tuple[Outcome, ...]], None]

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
                        flying = _drive.start(step, self.seconds)
                    case Next():
                        happened = reader.next(flying)
                    case Keep():
                        self.keep(command)
                if isinstance(command, Drop) or isinstance(happened, Judged):
                    _stopped(flying)
                    flying = None
        except BaseException:
            for left in self.stream.interrupted():
                self.keep(left)
            raise
        finally:
            _stopped(flying)
            reader.close()
            self.done(self.stream.outcomes)

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
                        flying = _drive.astart(step, self.seconds)
                    case Next():
                        happened = await reader.next(flying)
                    case Keep():
                        await in_thread(self.keep, command)
                if isinstance(command, Drop) or isinstance(happened, Judged):
                    await _astopped(flying)
                    flying = None
        except BaseException:
            await _to_its_end(self._keep_left())
            raise
        finally:
            await _to_its_end(_let_go(flying, reader))
            self.done(self.stream.outcomes)

    async def _keep_left(self) -> None:
        for left in self.stream.interrupted():
            await in_thread(self.keep, left)


def _next(steps: Generator[Any, Happened, None], happened: Happened) -> Any | None:
    try:
        return steps.send(happened)
    except StopIteration:
        return None


class Reader:
    """Reads a sync stream, where there is no judgement to be had."""

    def __init__(self, source: Iterable[Any]) -> None:
        self._source = source
        self._events = iter(source)
        self._has_ended = False

    def next(self, flying: Future[Any] | None = None) -> Happened:
        """What came of the judgement in flight, once it is there; else the next event, or the end."""
        if flying is not None and (flying.done() or self._has_ended):
            return Judged(flying.result())
        for event in self._events:
            return Heard(event)
        self._has_ended = True
        return Ended()

    def close(self) -> None:
        """Let go of the stream."""
        for opened in (self._events, self._source):
            close = getattr(opened, "close", None)
            if close is not None:
                close()


class AsyncReader:
    """Reads an async stream in a task of its own, one event ahead of who asks."""

    def __init__(self, source: AsyncIterable[Any]) -> None:
        self._source = source
        self._queue: asyncio.Queue[Heard | Ended | Exception] = asyncio.Queue(1)
        self._pump: asyncio.Task[None] | None = None
        self._next: asyncio.Task[Heard | Ended | Exception] | None = None
        self._has_ended = False

    async def next(self, flying: asyncio.Future[Any] | None = None) -> Happened:
        """The next event, the end, or what came of the judgement in flight: whichever is there first."""
        if flying is not None and (flying.done() or self._has_ended):
            return Judged(await flying)
        if self._pump is None:
            self._pump = asyncio.create_task(self._read())
        if self._next is None:
            self._next = asyncio.create_task(self._queue.get())
        waited: set[asyncio.Future[Any]] = {self._next} if flying is None else {self._next, flying}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if flying is not None and flying.done():
            return Judged(flying.result())
        found, self._next = self._next.result(), None
        if isinstance(found, Exception):
            raise found
        self._has_ended = isinstance(found, Ended)
        return found

    async def close(self) -> None:
        """Let go of the stream."""
        await _astopped(self._next)
        if self._pump is None:  # nothing was read
            await _closed(self._source)
        await _astopped(self._pump)

    async def _read(self) -> None:
        events = aiter(self._source)
        try:
            async for event in events:
                await self._queue.put(Heard(event))
            await self._queue.put(Ended())
        except Exception as error:  # noqa: BLE001 - the stream's own, raised where it is read
            await self._queue.put(error)
        finally:
            await _closed(events)
            await _closed(self._source)


async def _closed(events: AsyncIterable[Any]) -> None:
    close = getattr(events, "aclose", None) or getattr(events, "close", None)
    if close is not None and inspect.isawaitable(closing := close()):
        await closing


def _stopped(future: Future[Any] | None) -> None:
    if future is not None:
        future.cancel()


async def _let_go(flying: asyncio.Future[Any] | None, reader: AsyncReader) -> None:
    await _astopped(flying)
    await reader.close()


async def _to_its_end(step: Coroutine[Any, Any, None]) -> None:
    """Do what has to be done, however often the caller is cancelled meanwhile: cancel scopes do it at every await."""
    task, is_cancelled = asyncio.ensure_future(step), False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            is_cancelled = True
    task.result()
    if is_cancelled:
        raise asyncio.CancelledError


async def _astopped(task: asyncio.Future[Any] | None) -> None:
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task])
