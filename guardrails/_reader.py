"""Reads the streams that are guarded, while judgements are in flight. Used by their drivers."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, Iterable
from concurrent.futures import Future
from typing import Any

from guardrails._streaming import Ended, Happened, Heard, Judged

_pumps: set[asyncio.Task[None]] = set()  # a loop holds its tasks weakly, and these have to be closed, not collected


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
        try:
            _close(self._events)
        finally:
            if self._source is not self._events:
                _close(self._source)


class AsyncReader:
    """Reads an async stream in a task of its own, one event ahead of who asks."""

    def __init__(self, source: AsyncIterable[Any]) -> None:
        self._source = source
        self._queue: asyncio.Queue[Heard | Ended | BaseException] = asyncio.Queue(1)
        self._pump: asyncio.Task[None] | None = None
        self._next: asyncio.Task[Heard | Ended | BaseException] | None = None
        self._has_ended = False

    async def next(self, flying: asyncio.Future[Any] | None = None) -> Happened:
        """The next event, the end, or what came of the judgement in flight: whichever is there first."""
        if flying is not None and (flying.done() or self._has_ended):
            return Judged(await flying)
        if self._pump is None:
            self._pump = asyncio.create_task(self._read())
            _pumps.add(self._pump)
            self._pump.add_done_callback(_pumps.discard)
        if self._next is None:
            self._next = asyncio.create_task(self._queue.get())
        waited: set[asyncio.Future[Any]] = {self._next} if flying is None else {self._next, flying}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if flying is not None and flying.done():
            return Judged(flying.result())
        found, self._next = self._next.result(), None
        if isinstance(found, BaseException):
            raise found
        self._has_ended = isinstance(found, Ended)
        return found

    async def close(self) -> None:
        """Let go of the stream."""
        for task in (self._next, self._pump):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait([task])
        if self._pump is None:  # nothing was read
            await _aclose(self._source)

    async def _read(self) -> None:
        events: object = None
        try:
            events = reading = aiter(self._source)
            async for event in reading:
                await self._queue.put(Heard(event))
            await self._queue.put(Ended())
        except BaseException as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # this reader was closed
                raise
            await self._queue.put(error)  # the stream's own, raised where it is read
        finally:
            try:
                await _aclose(events)
            finally:
                if self._source is not events:
                    await _aclose(self._source)


def _close(events: object) -> None:
    close = getattr(events, "close", None)
    if close is not None:
        close()


async def _aclose(events: object) -> None:
    close = getattr(events, "aclose", None) or getattr(events, "close", None)
    if close is not None and inspect.isawaitable(closing := close()):
        await closing
