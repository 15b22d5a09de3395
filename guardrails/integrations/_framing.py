"""How events stand in a stream of bytes: server-sent events, and Amazon's event stream."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from guardrails.dialects import Events, Said
from guardrails.errors import UnsupportedReply

_LINE_END = re.compile(r"\r\n|\n|\r")
# A carriage return at the end of a chunk may be half of a line end, so the next chunk decides.
_BLANK = re.compile(rb"(?:\r\n|\n|\r(?!\n|\Z))(?:\r\n|\n|\r(?!\n|\Z))")


@dataclass(frozen=True, slots=True)
class Frame:
    """One event: its bytes as they came, its name where it has one, and its JSON; None where it holds none."""

    raw: bytes
    name: str | None = None
    data: Any = None


class Decoder(Protocol):
    """Cuts a stream of bytes into frames."""

    def feed(self, chunk: bytes) -> Sequence[Frame]:
        """The frames that are complete with this chunk. Joined, their bytes are the stream's."""
        ...

    def end(self) -> Sequence[Frame]:
        """What is left when the stream ends: an event that was not closed, or was cut off."""
        ...


class Framing(Protocol):
    """One way to put events into bytes."""

    def decoder(self) -> Decoder:
        """A decoder for one stream."""
        ...

    def frame(self, data: Any, name: str | None = None) -> Frame:
        """An event as this framing writes it."""
        ...


class FramedEvents:
    """A dialect's events inside frames: frames in, frames out."""

    def __init__(self, events: Events, framing: Framing) -> None:
        self._events = events
        self._framing = framing
        self.has_stop = events.has_stop
        self._last: Frame | None = None

    def read(self, event: Frame) -> Said:
        """What the frame's event adds; a frame without JSON (a comment, `[DONE]`) adds nothing."""
        return Said() if event.data is None else self._events.read(event.data)

    def with_text(self, event: Frame, text: str) -> Frame | None:
        """The frame with another text."""
        made = self._events.with_text(event.data, text)
        return None if made is None else self._framing.frame(made, _name_of(made) or event.name)

    def out(self, event: Frame) -> Frame:
        """The frame as it goes out; byte for byte as it came where its event is not changed."""
        if event.data is None:
            return event
        made = self._events.out(event.data)
        return event if made is event.data else self._framing.frame(made, _name_of(made) or event.name)

    def fallback(self, text: str) -> Sequence[Frame]:
        """The frames that end the stream with this text."""
        return [self._framing.frame(data, _name_of(data)) for data in self._events.fallback(text)]

    def calls(self, choice: int) -> tuple[str, ...]:
        """The tool calls that were read so far."""
        return self._events.calls(choice)


def _name_of(data: Any) -> str | None:
    kind = data.get("type") if isinstance(data, dict) else None
    return kind if isinstance(kind, str) else None


class ServerSentEvents:
    """The `text/event-stream` of the HTML standard, as chat APIs send it."""

    def decoder(self) -> SseDecoder:
        """A decoder for one stream."""
        return SseDecoder()

    def frame(self, data: Any, name: str | None = None) -> Frame:
        """`event:` and `data:` lines."""
        text = json.dumps(data)  # a lone surrogate has no bytes, but an escape
        head = f"event: {name}\n" if name else ""
        return Frame(f"{head}data: {text}\n\n".encode(), name, data)


class SseDecoder:
    """Cuts at blank lines, with any of the three line ends."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Sequence[Frame]:
        """The events that are complete with this chunk."""
        self._rest += chunk
        frames, start = [], 0
        for blank in _BLANK.finditer(self._rest):
            frames.append(_frame(self._rest[start : blank.end()]))
            start = blank.end()
        self._rest = self._rest[start:]
        return frames

    def end(self) -> Sequence[Frame]:
        """The event that no blank line closed: SDKs read it all the same. One that was cut off is dropped."""
        rest, self._rest = self._rest, b""
        try:
            return [_frame(rest)] if rest.strip() else []
        except UnsupportedReply:
            return []


def _frame(raw: bytes) -> Frame:
    name, lines = None, []
    for line in _LINE_END.split(raw.decode("utf-8", "replace")):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            lines.append(value)
    said = "\n".join(lines)
    return Frame(raw, name, None if not said or said == "[DONE]" else _json(said))


def _json(said: str) -> Any:
    try:
        return json.loads(said)
    except ValueError:
        raise UnsupportedReply("an event of the stream is no JSON, and what it says cannot be judged.") from None


SSE: Framing = ServerSentEvents()
