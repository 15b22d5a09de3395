"""The events of a stream that are held back, and which of them may go out. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from guardrails._lane import Lane
from guardrails.dialects import APART, Events, Said


@dataclass(slots=True)
class _Part:
    """A part of the reply's text: a content block, say. `end` is None while it is open."""

    start: int = 0
    end: int | None = None


@dataclass(slots=True)
class _Item:
    """An event that is held back, and the span of its lane's text that it holds."""

    event: Any
    said: Said
    lane: Lane
    start: int
    end: int
    part: _Part
    tail: str = ""


class Held:
    """A queue of events, each with the span of text that it holds; `lanes` are the alternatives by their index."""

    def __init__(self, lane: Callable[[], Lane], events: Events) -> None:
        self.lanes: dict[int, Lane] = {}
        self._new_lane = lane
        self._events = events
        self._queue: deque[_Item] = deque()
        self._parts: dict[int, _Part] = {}
        self._last_text: dict[int, Any] = {}
        self._is_closed = False
        self._lane(0)

    def hear(self, event: Any) -> Said:
        """Take in an event, and say what it adds.

        Raises:
            UnsupportedReply: it may hold text that cannot be judged.
        """
        said = self._events.read(event)
        lane = self._lane(said.choice)
        if said.apart and said.text and lane.passage.length:
            lane.passage.part()
            lane.hear(APART)
        start = lane.passage.length
        if said.text:
            lane.hear(said.text)
            self._last_text[said.choice] = event
        part = self._parts[said.choice]
        if said.ends_part:
            part.end = lane.passage.length
            self._parts[said.choice] = _Part(lane.passage.length)
        lane.is_complete = lane.is_complete or said.last
        if not said.failed:
            self._queue.append(_Item(event, said, lane, start, lane.passage.length, part))
        return said

    def released(self) -> Iterator[Any]:
        """The events that may go out now, in order, as they go out."""
        while self._queue:
            item = self._queue[0]
            if self._is_ready(item):
                self._queue.popleft()
                event = self._revised(item)
            elif not (event := self._cut(item)):
                return
            if event is not None:
                yield self._events.out(event)

    def _lane(self, choice: int) -> Lane:
        if choice not in self.lanes:
            self.lanes[choice] = self._new_lane()
            self._parts[choice] = _Part()
        return self.lanes[choice]

    def _is_ready(self, item: _Item) -> bool:
        said, lane = item.said, item.lane
        if self._is_closed:
            return True
        if said.last or said.closes or (said.call and lane.holds_calls):
            return False
        if said.text:
            return item.end <= lane.passage.settled
        if said.describes:
            return item.part.end is not None and item.part.end <= lane.passage.settled
        if said.ends_part:  # something may be appended before it, as long as no more text is judged
            return item.start < lane.passage.settled
        return item.start <= lane.passage.settled

    def _revised(self, item: _Item) -> Any | None:
        said, lane, part = item.said, item.lane, item.part
        if said.text:
            text = lane.passage.revised(item.start, item.end, said.text) + item.tail
            lane.passage.emitted.append(text)
            return item.event if text == said.text else self._events.with_text(item.event, text)
        end = lane.passage.length if part.end is None else part.end
        return None if said.describes and lane.passage.is_revised(part.start, end) else item.event

    def _cut(self, item: _Item) -> Any | None:
        """The first half of an event whose text is only judged in part; the other half stays."""
        said, settled = item.said, item.lane.passage.settled
        if said.whole or not item.start < settled < item.end:
            return None
        head, rest = said.text[: settled - item.start], said.text[settled - item.start :]
        text = item.lane.passage.revised(item.start, settled, head)
        if not text.strip():
            return None
        item.lane.passage.emitted.append(text)
        event = self._events.with_text(item.event, text)
        item.event, item.start = self._events.with_text(item.event, rest), settled
        item.said = replace(said, text=rest)
        return event

    def ending(self) -> Sequence[Any]:
        """The rest of the events, once all lanes are judged, with what was appended to their texts."""
        self._is_closed = True
        for choice, lane in self.lanes.items():
            if self.cannot_append(choice):  # the only choice, so this is all that the reply says
                return self._events.fallback(lane.passage.appended)
            self._append(choice, lane)
        return list(self.released())

    def cannot_append(self, choice: int) -> bool:
        """Whether something was appended to a choice that has no text to append it to."""
        return bool(self.lanes[choice].passage.appended) and choice not in self._last_text

    def _append(self, choice: int, lane: Lane) -> None:
        """Put what was appended behind the last text."""
        text = lane.passage.appended
        waiting = [n for n, item in enumerate(self._queue) if item.lane is lane and item.said.text]
        if waiting and self._queue[waiting[-1]].said.whole:
            self._queue[waiting[-1]].tail = text
        elif text:
            event, at = self._events.with_text(self._last_text[choice], text), lane.passage.length
            item = _Item(event, Said(choice=choice), lane, at, at, self._parts[choice])
            self._queue.insert(waiting[-1] + 1 if waiting else 0, item)
