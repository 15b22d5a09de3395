"""The port to any language model: requests out, replies in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from guardrails.exchange import Message

Purpose = Literal["judge", "revise"]
Stop = Literal["end", "length", "refusal"]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request to a model.

    `system` is stable for a constitution, so that providers can cache it as a prefix. `schema` is
    the JSON Schema that the answer must follow, or None for free text. `timeout` is in seconds, None
    where nothing limits it.
    """

    purpose: Purpose
    system: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    max_tokens: int = 1024
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A model's answer, with what it cost.

    `stop` is `end`, `length` where the answer was cut off, or `refusal`. `input_tokens` counts all
    tokens read, those from a cache included.

    >>> ModelReply('{"findings": []}').stop
    'end'
    """

    text: str
    model: str = ""
    stop: Stop = "end"
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0


@runtime_checkable
class Model(Protocol):
    """Any language model.

    Both methods raise `ModelError` where no answer is to be had; its `retryable` says whether
    asking again may help. `name` identifies the model in the audit trail, as `provider:model-id`.
    """

    name: str

    def complete(self, request: ModelRequest) -> ModelReply:
        """Answer the request, blocking the calling thread."""
        ...

    async def acomplete(self, request: ModelRequest) -> ModelReply:
        """Answer the request on the running event loop."""
        ...
