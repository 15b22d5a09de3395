"""Plain text: a reply is a `str`, a stream is an iterable of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardrails.dialects._interface import Choice, Said
from guardrails.errors import UnsupportedReply
from guardrails.exchange import Exchange


class TextDialect:
    """Replies that are nothing but their text."""

    name = "text"

    def speaks(self, value: Any) -> bool:
        """Whether it is a string."""
        return isinstance(value, str)

    def choices(self, reply: str) -> tuple[Choice, ...]:
        """The text."""
        return (Choice((reply,)),)

    def with_texts(self, reply: str, texts: Sequence[str]) -> str:
        """The new text."""
        return reply if texts[0] == reply else texts[0]

    def fallback(self, reply: str, text: str) -> str:  # noqa: ARG002 - the protocol's signature
        """The fallback."""
        return text

    def exchange(self, body: Mapping[str, Any]) -> Exchange:
        """The conversation of a request."""
        return Exchange(body.get("messages") or ())

    def asks_for_data(self, body: Mapping[str, Any]) -> bool:  # noqa: ARG002 - the protocol's signature
        """Never: text is text."""
        return False

    def events(self) -> TextEvents:
        """A reader of chunks of text."""
        return TextEvents()


class TextEvents:
    """Chunks of text; the stream is complete when there are no more."""

    has_stop = False

    def __init__(self) -> None:
        self._has_text = False

    def read(self, event: Any) -> Said:
        """The chunk."""
        if not isinstance(event, str):
            raise UnsupportedReply(f"a stream of text holds a {type(event).__name__}. Yield str.")
        return Said(event)

    def with_text(self, event: str, text: str) -> str | None:  # noqa: ARG002 - the protocol's signature
        """The new text."""
        return text or None

    def out(self, event: str) -> str:
        """The chunk itself."""
        self._has_text = self._has_text or bool(event.strip())
        return event

    def fallback(self, text: str) -> Sequence[str]:
        """The fallback, apart from what was said."""
        return (f"\n\n{text}" if self._has_text else text,)

    def calls(self, choice: int) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's signature
        """None: text calls no tool."""
        return ()
