"""A guard's streams: opened here for chunks of text, for decorated generators and for wrapped clients."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any

from guardrails import _labels, _observe
from guardrails._lane import Lane, Window
from guardrails._overheard import Overheard
from guardrails._reader import AsyncReader, Reader
from guardrails._recorder import Recorder
from guardrails._release import Release
from guardrails._released import AsyncReleased, Done, Released
from guardrails._setup import Setup
from guardrails._streaming import Heard, Keep, Stream
from guardrails.audit import uuid7
from guardrails.dialects import Events, Reply
from guardrails.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Streams:
    """Opens streams: `watch` reviews behind the caller's back, where the guard does not enforce."""

    setup: Setup
    recorder: Recorder
    watch: Callable[[Exchange, Reply], None] | None

    def open(
        self, exchange: Exchange, source: Iterable[Any], events: Events, *, raises: bool, done: Done
    ) -> Released[Any]:
        """The events of a stream, guarded. `done` is told the outcomes, however it ends."""
        return Released(source, lambda told: self._release(exchange, events, raises, told).run(source), done)

    def aopen(
        self, exchange: Exchange, source: AsyncIterable[Any], events: Events, *, raises: bool, done: Done
    ) -> AsyncReleased[Any]:
        """The events of an async stream, guarded."""
        return AsyncReleased(source, lambda told: self._release(exchange, events, raises, told).arun(source), done)

    def observe(self, exchange: Exchange, source: Iterable[Any], events: Events) -> Released[Any]:
        """The events of a stream as they come, which is reviewed behind them when it has ended."""
        heard = self.overhear(exchange, events)
        return Released(source, lambda _: _observed(source, heard), _nothing)

    def aobserve(self, exchange: Exchange, source: AsyncIterable[Any], events: Events) -> AsyncReleased[Any]:
        """As `observe`, for an async stream."""
        heard = self.overhear(exchange, events)
        return AsyncReleased(source, lambda _: _aobserved(source, heard), _nothing)

    def overhear(self, exchange: Exchange, events: Events) -> Overheard:
        """What is told of a stream that nobody holds back, to review it when it has ended."""
        watch, context = self.watch, copy_context()  # of now, not of the end: the caller's labels are in force now
        assert watch is not None
        return Overheard(events, lambda reply: context.run(watch, exchange, reply))

    def _release(self, exchange: Exchange, events: Events, raises: bool, done: Done) -> Release:  # noqa: FBT001
        labels = _labels.current()
        stream = Stream(lambda: Lane(exchange, self.setup, uuid7()), events, raises=raises)
        call = _observe.streaming(self.setup.constitution)
        return Release(stream, self.setup.budget.seconds, lambda keep: self._keep(keep, labels), done, call)

    def _keep(self, keep: Keep, labels: Mapping[str, str]) -> None:
        lane, what = keep.lane, keep.what
        if isinstance(what, Window):
            self.recorder.window(lane.exchange, lane.run_id, what, labels)
        else:
            self.recorder.outcome(lane.exchange.with_reply(what.original), what, labels, streamed=True)


def _observed(source: Iterable[Any], heard: Overheard) -> Generator[Any, None, None]:
    reader = Reader(source)
    try:
        while isinstance(happened := reader.next(), Heard):
            heard.hear(partial(_just, happened.event))
            yield happened.event
    finally:
        reader.close()
        heard.end()


async def _aobserved(source: AsyncIterable[Any], heard: Overheard) -> AsyncGenerator[Any, None]:
    reader = AsyncReader(source)
    try:
        while isinstance(happened := await reader.next(), Heard):
            heard.hear(partial(_just, happened.event))
            yield happened.event
    finally:
        await reader.close()
        heard.end()


def _just(event: Any) -> tuple[Any]:
    return (event,)


def _nothing(_: object) -> None:
    """Nobody is told anything."""
