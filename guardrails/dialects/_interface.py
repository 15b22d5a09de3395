"""What the library has to know of a provider's wire format: requests, whole replies and streams of events.

A dialect works on an SDK's objects and on plain dictionaries alike, and imports no SDK. Kinds are told
apart by their own `type` fields, never by class: SDKs parse what they do not know into the wrong one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from guardrails.dialects._shares import shared_out
from guardrails.exchange import Exchange

APART = "\n\n"
"""What judges read between parts of a reply that stand apart."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One alternative of a reply. `texts` are its text parts in order; `calls` its tool calls, each as one text.

    `holds_other` says that there is something known to be no prose: tool calls, thinking. `apart` are the indexes
    of the parts that such a thing, or the end of a message, parts from the text before: a reader sees two
    paragraphs there, and so do judges. Other parts go on where the one before stopped, in mid-sentence even.
    """

    texts: tuple[str, ...]
    calls: tuple[str, ...] = ()
    holds_other: bool = False
    apart: frozenset[int] = frozenset()

    @property
    def text(self) -> str:
        """The alternative as one text: what is judged."""
        return "".join(self._parts)

    def shares(self, text: str) -> list[str]:
        """A revised text, given back to the parts; what sets parts apart is taken out again."""
        shares = shared_out(self._parts, text)
        for index in sorted(self.apart):
            before = next((n for n in range(index - 1, -1, -1) if shares[n]), None)
            if shares[index].startswith(APART):
                shares[index] = shares[index].removeprefix(APART)
            elif before is not None:  # a revised sentence keeps the space after it
                shares[before] = shares[before].removesuffix(APART)
        return shares

    @property
    def _parts(self) -> list[str]:
        spoken = False
        parts = []
        for index, text in enumerate(self.texts):
            parts.append(APART + text if index in self.apart and spoken and text else text)
            spoken = spoken or bool(text)
        return parts

    @property
    def is_silent(self) -> bool:
        """Whether it is no text at all: tool calls, say. One that holds nothing is an empty text."""
        return self.holds_other and not self.text.strip()


@dataclass(frozen=True, slots=True)
class Said:
    """What one event of a stream adds to the reply.

    `text` is prose for the reader, of the alternative `choice`. `call` marks a piece of a tool call. `describes`
    marks what hangs on a text and goes with it (citations, annotations), `ends_part` the end of a text part:
    what is appended has to come before it. `last` marks the stop reason of the alternative: what comes with no
    such event was cut off. `failed` marks an error that the provider reports in mid-stream. `whole` marks a text
    event that must not be cut in two, because it holds more than its text: a role, a stop reason, log-probabilities.
    `apart` marks a text that something parts from the text before, as in `Choice`. `closes` marks the end of the
    transport, which waits for everything.
    """

    text: str = ""
    choice: int = 0
    call: bool = False
    describes: bool = False
    ends_part: bool = False
    last: bool = False
    failed: bool = False
    whole: bool = False
    apart: bool = False
    closes: bool = False


class Events(Protocol):
    """Reads one stream of events, and writes what is released of it.

    `read` is called once for every event, in the order of arrival; `out` once for every event that is
    released, in that order: by then its text is final. Both may keep what they need to know.
    """

    has_stop: bool
    """Whether a complete stream carries a stop reason for every alternative."""

    def read(self, event: Any) -> Said:
        """What the event adds.

        Raises:
            UnsupportedReply: it may hold text that cannot be judged: an unknown type, audio.
        """
        ...

    def with_text(self, event: Any, text: str) -> Any | None:
        """The same event with another text; None where an empty text leaves nothing of it.

        With a new text, whatever described the old one (log-probabilities) goes.
        """
        ...

    def out(self, event: Any) -> Any:
        """The event as it goes out: where it repeats text, it repeats what was released.

        The very same object where nothing is to be changed.
        """
        ...

    def fallback(self, text: str) -> Sequence[Any]:
        """The events that end the stream with this text, after those that went out already."""
        ...

    def calls(self, choice: int) -> tuple[str, ...]:
        """The tool calls that were read so far, each as one text: `name({…})`."""
        ...


class Dialect(Protocol):
    """One provider's wire format."""

    name: str

    def speaks(self, value: Any) -> bool:
        """Whether a value is a whole reply in this format."""
        ...

    def choices(self, reply: Any) -> tuple[Choice, ...]:
        """A reply's alternatives; one, but for formats that have several.

        Raises:
            UnsupportedReply: it may hold text that cannot be judged.
        """
        ...

    def with_texts(self, reply: Any, texts: Sequence[str]) -> Any:
        """The same reply with one text an alternative.

        The reply itself where no text differs. Everything that does not repeat or describe a text that is
        gone stays as it was.
        """
        ...

    def fallback(self, reply: Any, text: str) -> Any:
        """The reply with a fallback in place of all that it held, tool calls and thinking included."""
        ...

    def exchange(self, body: Mapping[str, Any]) -> Exchange:
        """The conversation that a request's JSON body sends, without a reply: system prompt, tools' results, all."""
        ...

    def asks_for_data(self, body: Mapping[str, Any]) -> bool:
        """Whether a request asks for JSON: a fallback text would be no such reply."""
        ...

    def events(self) -> Events:
        """A reader of one stream of events."""
        ...
