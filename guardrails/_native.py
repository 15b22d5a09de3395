"""Replies in the types that SDKs return them: their text out, a revised text back in.

No SDK is imported: replies are told apart by their own type fields, as objects and as dictionaries
alike. Tool calls, thinking and whatever else is not text stay as they are. Called by the guard.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any

from guardrails.errors import UnsupportedReply
from guardrails.outcome import Outcome
from guardrails.sentences import split

_outcomes: dict[int, tuple[weakref.ref[Any], Outcome]] = {}


@dataclass(frozen=True, slots=True)
class Native:
    """A reply in the type it came in. `texts` are its text parts, in order; `text` is what is judged."""

    value: Any
    kind: str
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        """The reply as one text."""
        return "".join(self.texts)

    @property
    def is_silent(self) -> bool:
        """Whether the reply is no text at all: tool calls, say."""
        return self.kind != "str" and not self.text.strip()

    def with_text(self, text: str) -> Any:
        """The same reply with another text; parts whose text did not change stay as they were."""
        if text == self.text:
            return self.value
        if self.kind == "str":
            return text
        if self.kind == "anthropic":
            return _with_blocks(self.value, _shared_out(self.texts, text))
        return _with_choice(self.value, {"content": text, "refusal": None})

    def fallback(self, text: str) -> Any:
        """The reply with a fallback in place of all that it held, tool calls included."""
        if self.kind == "str":
            return text
        if self.kind == "anthropic":
            changes = {"content": [{"type": "text", "text": text, "citations": None}], "stop_reason": "end_turn"}
            return _rebuilt(self.value, changes)
        message = {"content": text, "refusal": None, "tool_calls": None, "function_call": None, "audio": None}
        return _with_choice(self.value, message, finish_reason="stop")


def read(value: Any) -> Native:
    """Read a reply: text, an Anthropic `Message`, an OpenAI `ChatCompletion`, or a dict of those shapes.

    Raises:
        UnsupportedReply: anything else.
    """
    if isinstance(value, str):
        return Native(value, "str", (value,))
    if _get(value, "type") == "message" and isinstance(_get(value, "content"), list):
        blocks = [block for block in _get(value, "content") if _get(block, "type") == "text"]
        return Native(value, "anthropic", tuple(_get(block, "text") or "" for block in blocks))
    if _get(value, "object") == "chat.completion":
        choices = _get(value, "choices") or []
        if len(choices) != 1:
            raise UnsupportedReply(
                f"the reply has {len(choices)} choices, and a guard releases one. Ask for one: leave out n=."
            )
        message = _get(choices[0], "message")
        return Native(value, "openai", (_get(message, "content") or _get(message, "refusal") or "",))
    raise UnsupportedReply(
        f"a guarded function returned {type(value).__name__}. Return the reply as str, as an Anthropic Message, "
        "as an OpenAI ChatCompletion, or as a dict of those shapes."
    )


def outcome_of(reply: Any) -> Outcome:
    """The outcome that a guarded call's reply came from.

    For SDK objects; a `str` or a `dict` cannot carry one.

    Raises:
        TypeError: a `str` or a `dict`. Call the guarded function's `.outcome(…)` instead.
        LookupError: no guard returned this object.
    """
    if isinstance(reply, str | dict):
        raise TypeError(
            f"a {type(reply).__name__} cannot carry its outcome; call the guarded function as function.outcome(…)"
        )
    found = _outcomes.get(id(reply))
    if found is None or found[0]() is not reply:
        raise LookupError(f"this {type(reply).__name__} did not come from a guarded call")
    return replace(found[1], reply=reply)


def remember(reply: Any, outcome: Outcome) -> None:
    """Let `outcome_of` find the outcome for as long as the reply lives, and no longer."""
    if isinstance(reply, str | dict):
        return
    key = id(reply)
    forget = _outcomes.pop  # bound now: at the end of the process the module's names are gone
    _outcomes[key] = (weakref.ref(reply, lambda _: forget(key, None)), replace(outcome, reply=None))


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _with(value: Any, changes: Mapping[str, Any]) -> Any:
    """A copy with some fields changed; the value itself stays as it was."""
    return {**value, **changes} if isinstance(value, Mapping) else value.model_copy(update=changes)


def _rebuilt(value: Any, changes: Mapping[str, Any]) -> Any:
    """As `_with`, where the changes are plain data that an SDK's class has yet to make objects of."""
    if isinstance(value, Mapping):
        return {**value, **changes}
    made = type(value).model_validate({**value.model_dump(), **changes})
    return value.model_copy(update={name: getattr(made, name) for name in changes})


def _with_blocks(message: Any, texts: Sequence[str]) -> Any:
    blocks, remaining = [], iter(texts)
    for block in _get(message, "content"):
        if _get(block, "type") != "text":
            blocks.append(block)
            continue
        text = next(remaining)
        if text == _get(block, "text"):
            blocks.append(block)
        elif text:  # the APIs refuse empty text blocks; citations point into the text that is gone
            cited = {"citations": None} if _get(block, "citations") is not None else {}
            blocks.append(_with(block, {"text": text, **cited}))
    return _with(message, {"content": blocks})


def _with_choice(completion: Any, message: Mapping[str, Any], **choice: Any) -> Any:
    first = _get(completion, "choices")[0]
    old = _get(first, "message")
    held = {name: value for name, value in message.items() if _get(old, name) is not None or name == "content"}
    logprobs = {"logprobs": None} if _get(first, "logprobs") is not None else {}
    return _with(completion, {"choices": [_with(first, {"message": _with(old, held), **logprobs, **choice})]})


def _shared_out(parts: Sequence[str], text: str) -> list[str]:
    """A revised text, given back to the parts that the old one was made of, sentence by sentence."""
    if len(parts) == 1:
        return [text]
    old, new = split("".join(parts)), split(text)
    owners = _owners(parts, old)
    out = [""] * len(parts)
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            for index in range(i1, i2):
                for part, piece in owners[index]:
                    out[part] += piece
        else:
            target = owners[min(i1, len(owners) - 1)][0][0] if owners else 0
            out[target] += "".join(new[j1:j2])
    return out


def _owners(parts: Sequence[str], sentences: Sequence[str]) -> list[list[tuple[int, str]]]:
    """For each sentence, the pieces of it that stand in each part."""
    owners: list[list[tuple[int, str]]] = []
    part, used = 0, 0
    for sentence in sentences:
        pieces, rest = [], sentence
        while rest:
            while used == len(parts[part]):
                part, used = part + 1, 0
            piece = rest[: len(parts[part]) - used]
            pieces.append((part, piece))
            used += len(piece)
            rest = rest[len(piece) :]
        owners.append(pieces)
    return owners
