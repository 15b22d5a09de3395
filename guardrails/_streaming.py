"""Streams held back, judged, revised and released: what to do when, without doing it.

`conduct` is a generator like the loop's: it yields commands, and is sent what happened. The sync driver
and the async one (`_release.py`) do the I/O. Rules of the house that hold here: nothing unjudged is
released, nothing is released before its record, nothing released is taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from time import monotonic
from typing import Any, TypeAlias

from guardrails._held import Held
from guardrails._lane import Lane, Window
from guardrails.dialects import Events
from guardrails.errors import Blocked
from guardrails.models import Step
from guardrails.outcome import Cause, Outcome


@dataclass(frozen=True, slots=True)
class Emit:
    """Let these events go out."""

    events: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Next:
    """Wait for what comes first: the next event, the end, or the judgement in flight."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Begin a judgement."""

    step: Step[Outcome | None]


@dataclass(frozen=True, slots=True)
class Drop:
    """Give up the judgement in flight; if it is there already, be told what came of it."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Make a window or an outcome durable."""

    lane: Lane
    what: Window | Outcome


Command: TypeAlias = Emit | Next | Judge | Drop | Keep


@dataclass(frozen=True, slots=True)
class Heard:
    """The next event."""

    event: Any


@dataclass(frozen=True, slots=True)
class Ended:
    """There are no more events."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of the judgement in flight."""

    result: Outcome | None


Happened: TypeAlias = Heard | Ended | Judged | None


class Stream:
    """One stream under way."""

    def __init__(
        self, lane: Callable[[], Lane], events: Events, *, raises: bool, clock: Callable[[], float] = monotonic
    ) -> None:
        self._events = events
        self._held = Held(lane, events)
        self._raises = raises
        self._judged: Lane | None = None
        self._clock = clock
        self._began = 0.0
        self._quickest = inf
        self._kept: set[Lane] = set()

    def conduct(self) -> Generator[Command, Happened, None]:
        """Hold the stream back, and release it window by window.

        Raises:
            Blocked: the reply may not be released, and the guard raises.
            UnsupportedReply: an event may hold text that cannot be judged.
        """
        while not isinstance(happened := (yield Next()), Ended):
            if isinstance(happened, Judged):
                if (yield from self._settled(happened.result)):
                    return
            elif isinstance(happened, Heard) and self._held.hear(happened.event).failed:
                yield from self._failed(happened.event)
                return
            yield Emit(list(self._held.released()))
            if self._judged is None and (due := self._due()):
                self._judged, self._began = due, self._clock()
                yield Judge(due.begin_window())
        if self._judged is not None and (yield from self._landed(self._judged)):
            return
        yield from self._close()

    def interrupted(self) -> Iterator[Keep]:
        """What to record where the stream came to no end of its own: what is not recorded yet."""
        for lane in self._held.lanes.values():
            if lane not in self._kept:
                yield Keep(lane, lane.interrupted())

    def kept(self, keep: Keep) -> None:
        """Take note of what is durable. Called where it is written: its driver may be cancelled right after."""
        if isinstance(keep.what, Outcome):
            self._kept.add(keep.lane)

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """One for each alternative, once they are there."""
        found = [lane.outcome for _, lane in sorted(self._held.lanes.items())]
        return tuple(outcome for outcome in found if outcome is not None)

    def _due(self) -> Lane | None:
        return next((lane for lane in self._held.lanes.values() if lane.is_due), None)

    def _settled(self, result: Outcome | None) -> Generator[Command, Happened, bool]:
        """Record what a window came to; whether the stream ends here."""
        lane, self._judged = self._judged, None
        assert lane is not None
        self._quickest = min(self._quickest, self._clock() - self._began)
        came = lane.end_window(result)
        if isinstance(came, Outcome):
            yield from self._blocked(lane, came)
            return True
        if came is not None:
            yield Keep(lane, came)
        return False

    def _landed(self, lane: Lane) -> Generator[Command, Happened, bool]:
        """See to the window that is still being judged at the end; whether the stream ends with it.

        The closing judgement is that of the last window, too, so this one is given up, unless it is half done: what
        it finds is then known earlier. A revision is waited for, and what it makes is judged with the whole.
        """
        if lane.is_revising or self._clock() - self._began >= self._quickest / 2:
            lane.hand_over()
            happened = yield Next()
        else:
            happened = yield Drop()
        if isinstance(happened, Judged):
            return (yield from self._settled(happened.result))
        self._judged = None
        lane.drop()
        return False

    def _close(self) -> Generator[Command, Happened, None]:
        """Judge the reply as a whole, and release what is left of it."""
        yield Emit(list(self._held.released()))
        judged: list[tuple[Lane, Outcome]] = []
        for choice, lane in sorted(self._held.lanes.items()):
            outcome = yield from self._closing(choice, lane)
            if outcome.blocked:
                yield from self._blocked(lane, outcome)
                return
            judged.append((lane, outcome))
        for lane, outcome in judged:
            yield from self._keep(lane, outcome)
        yield Emit(self._held.ending())

    def _closing(self, choice: int, lane: Lane) -> Generator[Command, Happened, Outcome]:
        if self._events.has_stop and not lane.is_complete:
            return lane.interrupted()
        lane.calls = self._events.calls(choice)
        yield Judge(lane.begin_closing())
        happened = yield Next()
        assert isinstance(happened, Judged)
        outcome = lane.end_closing(happened.result)
        if len(self._held.lanes) > 1 and self._held.cannot_append(choice):
            return replace(lane.interrupted(), cause=Cause.ERROR)
        return outcome

    def _keep(self, lane: Lane, outcome: Outcome) -> Generator[Command, Happened, None]:
        lane.outcome = outcome
        yield Keep(lane, outcome)

    def _blocked(self, lane: Lane, outcome: Outcome) -> Generator[Command, Happened, None]:
        yield from self._keep(lane, outcome)
        for other in self._held.lanes.values():  # one blocked alternative blocks them all
            if other is not lane:
                yield from self._keep(other, other.interrupted())
        if self._raises:
            raise Blocked(outcome)
        yield Emit(self._events.fallback(outcome.text))

    def _failed(self, event: Any) -> Generator[Command, Happened, None]:
        """The provider reports an error: it is passed on, and nothing that waited is."""
        yield Drop()
        for lane in self._held.lanes.values():
            yield from self._keep(lane, lane.interrupted())
        yield Emit([self._events.out(event)])
