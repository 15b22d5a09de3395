"""A stream of events whose format its first event tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from guardrails.dialects._interface import Events, Said
from guardrails.errors import UnsupportedReply


class DetectedEvents:
    """Reads a stream with the first reader whose format an event is in."""

    has_stop = False  # until an event tells the format: a stream of nothing says nothing

    def __init__(self, readers: Sequence[tuple[Callable[[Any], bool], Callable[[], Events]]]) -> None:
        self._readers = readers
        self._events: Events | None = None

    def read(self, event: Any) -> Said:
        """What the event adds."""
        if self._events is None:
            made = next((reader for speaks, reader in self._readers if speaks(event)), None)
            if made is None:
                raise UnsupportedReply(
                    f"a guarded stream yields {type(event).__name__}. Yield str, or the events of the Anthropic, "
                    "OpenAI or Gemini SDK."
                )
            self._events = made()
            self.has_stop = self._events.has_stop
        return self._events.read(event)

    def with_text(self, event: Any, text: str) -> Any | None:
        """The event with another text."""
        return self._found.with_text(event, text)

    def out(self, event: Any) -> Any:
        """The event as it goes out."""
        return self._found.out(event)

    def fallback(self, text: str) -> Sequence[Any]:
        """The events that end the stream; of one that held nothing, none is known."""
        return () if self._events is None else self._events.fallback(text)

    def calls(self, choice: int) -> tuple[str, ...]:
        """The tool calls that were read so far."""
        return () if self._events is None else self._events.calls(choice)

    @property
    def _found(self) -> Events:
        assert self._events is not None
        return self._events
