"""Providers' wire formats: requests, whole replies and streams, as objects and as dictionaries. No SDK is imported."""

from __future__ import annotations

from typing import Any

from guardrails.dialects._anthropic import AnthropicDialect
from guardrails.dialects._chat import ChatDialect
from guardrails.dialects._detected import DetectedEvents
from guardrails.dialects._google import GoogleDialect
from guardrails.dialects._interface import APART, Choice, Dialect, Events, Said
from guardrails.dialects._langchain import LangChainDialect
from guardrails.dialects._reply import Reply
from guardrails.dialects._responses import ResponsesDialect
from guardrails.dialects._shape import get
from guardrails.dialects._text import TextDialect
from guardrails.errors import UnsupportedReply

TEXT, ANTHROPIC, CHAT, RESPONSES, GOOGLE, LANGCHAIN = (
    TextDialect(), AnthropicDialect(), ChatDialect(), ResponsesDialect(), GoogleDialect(), LangChainDialect(),
)  # fmt: skip
_ALL: tuple[Dialect, ...] = (TEXT, ANTHROPIC, CHAT, RESPONSES, GOOGLE, LANGCHAIN)

_RETURNED = (
    "Return the reply as str, as an Anthropic Message, an OpenAI ChatCompletion or Response, a Gemini response, a "
    "LangChain message, or as a dict of those shapes; of any other reply, return its text as str."
)
_ASKED = "It may hold text that cannot be judged, so it is not released. The unwrapped client returns it."

__all__ = [
    "ANTHROPIC",
    "APART",
    "CHAT",
    "GOOGLE",
    "RESPONSES",
    "TEXT",
    "Choice",
    "Dialect",
    "Events",
    "Reply",
    "Said",
    "events_of_any",
    "read",
]


def read(value: Any, dialect: Dialect | None = None) -> Reply:
    """Read a whole reply, of a dialect or of whichever it is written in.

    Raises:
        UnsupportedReply: it is of none, or may hold text that cannot be judged.
    """
    for one in _ALL if dialect is None else (dialect,):
        if one.speaks(value):
            return Reply(value, one, _choices(one, value, _ASKED if dialect else _RETURNED))
    if dialect is not None:
        raise UnsupportedReply(f"the answer is not of the form that the API documents ({dialect.name}). {_ASKED}")
    raise UnsupportedReply(f"a guarded function returned {type(value).__name__}. {_RETURNED}")


def _choices(dialect: Dialect, value: Any, advice: str) -> tuple[Choice, ...]:
    try:
        return dialect.choices(value)
    except UnsupportedReply as error:
        problem = str(error)
    raise UnsupportedReply(f"{problem} {advice}")


def events_of_any() -> Events:
    """A reader of a stream in whichever format its first event is."""
    return DetectedEvents(
        [
            (lambda event: isinstance(event, str), TEXT.events),
            (lambda event: get(event, "object") == "chat.completion.chunk", CHAT.events),
            (lambda event: get(event, "type") == "message_start", ANTHROPIC.events),
            (lambda event: str(get(event, "type")).startswith("response."), RESPONSES.events),
            (GOOGLE.speaks, GOOGLE.events),
        ]
    )
