"""How events stand in a stream of bytes: server-sent events, and Amazon's event stream."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from guardrails.dialects import Events, Said
from guardrails.errors import UnsupportedReply

_LINES = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z")
_SHORT = re.compile(rb" ?[\w.:/+=-]{0,200}")
_DONE = b"data: [DONE]"
_MARK = b"\xef\xbb\xbf"
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
        """What the frame's event adds; `[DONE]` and comments add nothing."""
        return Said(closes=event.raw.strip() == _DONE) if event.data is None else self._events.read(event.data)

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
        self._rest = bytearray()
        self._searched = 0
        self._has_begun = False

    def feed(self, chunk: bytes) -> Sequence[Frame]:
        """The events that are complete with this chunk."""
        self._rest += chunk
        frames, start = [], 0
        # A blank line may begin in what was searched already, up to its last three bytes.
        for blank in _BLANK.finditer(self._rest, max(self._searched - 3, 0)):
            frames.append(self._frame(bytes(self._rest[start : blank.end()])))
            start = blank.end()
        del self._rest[:start]
        self._searched = len(self._rest)
        return frames

    def end(self) -> Sequence[Frame]:
        """The event that no blank line closed: SDKs read it all the same. One that was cut off is dropped."""
        rest = bytes(self._rest)
        self._rest.clear()
        try:
            return [self._frame(rest)] if rest.strip() else []
        except UnsupportedReply:
            return []

    def _frame(self, raw: bytes) -> Frame:
        if not self._has_begun:
            raw, self._has_begun = raw.removeprefix(_MARK), True
        return _frame(raw)


def _frame(raw: bytes) -> Frame:
    """An event; what is no field of one is left out of its bytes, because nobody judges it."""
    name, said, kept, is_whole = None, [], [], True
    for line in _LINES.findall(raw):
        field, _, value = line.strip(b"\r\n").partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        if field == b"event":
            name = text
        elif field == b"data":
            said.append(text)
        elif field not in {b"", b"id", b"retry"} or (value and not field):
            is_whole = False
            continue
        if field in {b"event", b"id", b"retry"} and not _SHORT.fullmatch(value):  # no place for prose
            is_whole = False
            continue
        kept.append(line)
    data = "\n".join(said)
    return Frame(raw if is_whole else b"".join(kept), name, None if data in {"", "[DONE]"} else _json(data))


def _json(said: str) -> Any:
    try:
        return json.loads(said)
    except (ValueError, RecursionError):
        raise UnsupportedReply("an event of the stream is no JSON, and what it says cannot be judged.") from None


SSE: Framing = ServerSentEvents()
