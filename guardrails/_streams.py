"""A guard's streams: opened here for chunks of text, for decorated generators and for wrapped clients."""

from __future__ import annotations

import logging
import weakref
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from guardrails import _labels
from guardrails._lane import Lane, Window
from guardrails._outcomes import remember
from guardrails._recorder import Recorder
from guardrails._release import AsyncReader, Reader, Release
from guardrails._setup import Setup
from guardrails._streaming import Heard, Keep, Stream
from guardrails.audit import uuid7
from guardrails.dialects import TEXT, Events, Reply, read
from guardrails.exchange import Exchange
from guardrails.outcome import Outcome

Done = Callable[[tuple[Outcome, ...]], None]
_log = logging.getLogger("guardrails")


@dataclass(frozen=True, slots=True)
class Streams:
    """Opens streams: `watch` reviews behind the caller's back, where the guard does not enforce."""

    setup: Setup
    recorder: Recorder
    watch: Callable[[Exchange, Reply], None] | None

    def open(
        self, exchange: Exchange, source: Iterable[Any], events: Events, *, raises: bool, done: Done
    ) -> Generator[Any, None, None]:
        """The events of a stream, guarded. `done` is told the outcomes, however it ends."""
        if self.watch is not None:
            return self._observed(exchange, source, Overheard(events, self.watch))
        told = _Told(done)
        released = self._release(exchange, events, raises, told).run(source)
        told.stream = weakref.ref(released)
        return released

    def aopen(
        self, exchange: Exchange, source: AsyncIterable[Any], events: Events, *, raises: bool, done: Done
    ) -> AsyncGenerator[Any, None]:
        """The events of an async stream, guarded."""
        if self.watch is not None:
            return self._aobserved(exchange, source, Overheard(events, self.watch))
        told = _Told(done)
        released = self._release(exchange, events, raises, told).arun(source)
        told.stream = weakref.ref(released)
        return released

    def _release(self, exchange: Exchange, events: Events, raises: bool, done: Done) -> Release:  # noqa: FBT001
        # Now, not when the first event is asked for: that may be in another context.
        labels = _labels.current()
        stream = Stream(lambda: Lane(exchange, self.setup, uuid7()), events, raises=raises)
        return Release(stream, self.setup.budget.seconds, lambda keep: self._keep(keep, labels), done)

    def _keep(self, keep: Keep, labels: Mapping[str, str]) -> None:
        lane, what = keep.lane, keep.what
        if isinstance(what, Window):
            self.recorder.window(lane.exchange, lane.run_id, what, labels)
        else:
            self.recorder.outcome(lane.exchange.with_reply(what.original), what, labels)

    def _observed(self, exchange: Exchange, source: Iterable[Any], heard: Overheard) -> Generator[Any, None, None]:
        reader = Reader(source)
        try:
            while isinstance(happened := reader.next(), Heard):
                heard.hear(partial(_just, happened.event))
                yield happened.event
        finally:
            reader.close()
        heard.end(exchange)

    async def _aobserved(
        self, exchange: Exchange, source: AsyncIterable[Any], heard: Overheard
    ) -> AsyncGenerator[Any, None]:
        reader = AsyncReader(source)
        try:
            while isinstance(happened := await reader.next(), Heard):
                heard.hear(partial(_just, happened.event))
                yield happened.event
        finally:
            await reader.close()
        heard.end(exchange)


class _Told:
    """Passes outcomes on, and lets `outcome_of` find those of a generator that `Guard.stream` gave."""

    stream: weakref.ref[Any]

    def __init__(self, done: Done) -> None:
        self._done = done

    def __call__(self, outcomes: tuple[Outcome, ...]) -> None:
        self._done(outcomes)
        if (alive := self.stream()) is not None:
            remember(alive, outcomes)


def _just(event: Any) -> tuple[Any]:
    return (event,)


class Overheard:
    """A stream that nobody holds back: its texts, to be reviewed when it has ended."""

    def __init__(self, events: Events, watch: Callable[[Exchange, Reply], None]) -> None:
        self._events = events
        self._watch = watch
        self._texts: dict[int, list[str]] = {0: []}
        self._is_readable = True

    def hear(self, events: Callable[[], Iterable[Any]]) -> None:
        """Read what came, if it can be read."""
        if not self._is_readable:
            return
        try:
            for said in map(self._events.read, events()):
                self._texts.setdefault(said.choice, []).append(said.text)
        except Exception as error:  # noqa: BLE001 - whatever is wrong is the log's, not the caller's
            self._is_readable = False
            _log.error("monitor mode cannot read a stream: %s", type(error).__name__, exc_info=error)

    def end(self, exchange: Exchange) -> None:
        """Review what was heard."""
        try:
            for texts in self._texts.values() if self._is_readable else ():
                self._watch(exchange, read("".join(texts), TEXT))
        except Exception as error:  # noqa: BLE001 - whatever is wrong is the log's, not the caller's
            _log.error("monitor mode cannot review a stream: %s", type(error).__name__, exc_info=error)
