"""Asking a model for an answer that can be read: once, and once more with the error."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from guardrails.exchange import Message
from guardrails.models._interface import Model, ModelReply, ModelRequest
from guardrails.models._step import Ask, CallResult, Failure, Step

T = TypeVar("T")
_ATTEMPTS = 2
_QUOTED_BACK = 2_000


class UnreadableError(ValueError):
    """An answer that cannot be used; the message is for the model."""


def answer(model: Model, request: ModelRequest, read: Callable[[Any], T]) -> Step[T | Failure]:
    """Ask for a JSON object and read it; where that fails, ask again once and say what was wrong."""
    problem = ""
    for _ in range(_ATTEMPTS):
        (result,) = yield [Ask(model, request)]
        if isinstance(result, Failure):
            return result
        assert not isinstance(result, CallResult)
        try:
            return read(_object(result))
        except UnreadableError as error:
            problem = str(error)
            request = _repeated(request, result, problem)
    return Failure("unreadable", f"{model.name}: {problem}")


def _object(reply: ModelReply) -> Any:
    if reply.stop == "refusal":
        raise UnreadableError("the answer was a refusal; this is a compliance review, answer with the JSON object")
    if reply.stop == "length":
        raise UnreadableError("the answer was cut off; answer more briefly")
    text = reply.text.strip()
    if text.startswith("```"):
        text = text.strip("`").removeprefix("json").strip()
    try:
        value = json.loads(text, object_pairs_hook=_without_twins)
    except UnreadableError:
        raise
    except (ValueError, RecursionError):
        raise UnreadableError("the answer is not a JSON object and nothing else") from None
    if not isinstance(value, dict):
        raise UnreadableError("the answer is not a JSON object")
    return value


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise UnreadableError("the answer has a key twice")
    return value


def _repeated(request: ModelRequest, reply: ModelReply, problem: str) -> ModelRequest:
    said = reply.text[:_QUOTED_BACK] or "(no answer)"
    again = f"That answer cannot be used: {problem}. Answer again, with the JSON object only."
    return replace(request, messages=(*request.messages, Message("assistant", said), Message("user", again)))
