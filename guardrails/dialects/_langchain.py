"""LangChain's messages: `AIMessage` objects, and dictionaries of that shape."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from guardrails.dialects._anthropic_events import NOT_PROSE as _OF_ANTHROPIC
from guardrails.dialects._anthropic_events import call_text, named
from guardrails.dialects._interface import Choice, Events
from guardrails.dialects._paragraphs import apart
from guardrails.dialects._responses_items import NOT_PROSE as _OF_OPENAI
from guardrails.dialects._responses_items import as_text
from guardrails.dialects._shape import get, with_fields
from guardrails.errors import UnsupportedReply
from guardrails.exchange import Exchange

_CALL_BLOCKS = frozenset({"tool_use", "function_call", "tool_call", "invalid_tool_call"})  # repeated in `tool_calls`
_NOT_PROSE = _OF_ANTHROPIC | _OF_OPENAI | _CALL_BLOCKS | {
    "reasoning_content", "server_tool_call", "server_tool_result",
}  # fmt: skip
_TEXT_FIELDS: Mapping[str, str] = {"text": "text", "refusal": "refusal"}
# What is kept beside a text that is gone; anything else may repeat or describe it, as log-probabilities do.
_IDS = frozenset({
    "id", "object", "created", "created_at", "model", "model_id", "model_name", "model_provider", "system_fingerprint",
    "service_tier", "token_usage", "usage", "output_version", "headers",
})  # fmt: skip
_STOPS = frozenset({"finish_reason", "stop_reason", "stop_sequence", "done_reason", "status", "incomplete_details"})
_BLOCK = frozenset({"type", "id", "index", "phase"})
_ROLES = {"human": "user", "ai": "assistant", "function": "tool"}


class LangChainDialect:
    """Messages of LangChain's chat models, with their content as a string or as a list of blocks."""

    name = "langchain"

    def speaks(self, value: Any) -> bool:
        """Whether it is an `AIMessage`, or the chunk that chunks add up to."""
        return get(value, "type") in {"ai", "AIMessageChunk"}

    def choices(self, reply: Any) -> tuple[Choice, ...]:
        """The one alternative."""
        if get(reply, "additional_kwargs", "audio") is not None:
            raise UnsupportedReply("the message holds audio, and what is spoken can be neither judged nor revised.")
        parts = _parts(reply)
        said = [None if _is_other(part) else (_part_text(n, part), _place(part)) for n, part in enumerate(parts, 1)]
        refusal = get(reply, "additional_kwargs", "refusal")
        if refusal is not None and not isinstance(refusal, str):
            raise UnsupportedReply("the refusal of the message must be str or None.")
        calls = tuple(call_text(get(call, "name"), get(call, "args")) for call in _calls(reply))
        other = bool(calls) or None in said
        said += [None, (refusal, (True, None))] if refusal else []
        return (Choice(tuple(one[0] for one in said if one is not None), calls, other, apart(said)),)

    def with_texts(self, reply: Any, texts: Sequence[str]) -> Any:
        """The message with its texts revised; blocks that did not change keep their citations."""
        (choice,) = self.choices(reply)
        if texts[0] == choice.text:
            return reply
        shares = choice.shares(texts[0]) or [texts[0]]
        beside = {name: held for name, held in _held(reply, "additional_kwargs").items() if name in _CALL_BLOCKS}
        if get(reply, "additional_kwargs", "refusal") and (refusal := shares.pop()):
            beside["refusal"] = refusal
        content = get(reply, "content")
        made = shares[0] if isinstance(content, str) else list(_revised(content, iter(shares)))
        return _with_content(reply, made, beside, _IDS | _STOPS)

    def fallback(self, reply: Any, text: str) -> Any:
        """The message with nothing but a text."""
        gone = [name for name in ("tool_calls", "invalid_tool_calls", "tool_call_chunks") if get(reply, name)]
        return with_fields(_with_content(reply, text, {}, _IDS), {name: [] for name in gone})

    def exchange(self, body: Mapping[str, Any]) -> Exchange:
        """The messages, which may be of other shapes as well: system prompt, tools' results, all."""
        return Exchange([_asked(message) for message in body.get("messages") or ()])

    def asks_for_data(self, body: Mapping[str, Any]) -> bool:
        """Whether a response format is asked for."""
        return body.get("response_format") is not None

    def events(self) -> Events:
        """None: what a stream of chunks has said is known to LangChain alone.

        Raises:
            UnsupportedReply: always.
        """
        raise UnsupportedReply(
            "a stream of LangChain's chunks cannot be judged as it comes. Yield the chunks' text, or guard the agent "
            "with guardrails.integrations.langchain.GuardMiddleware."
        )


def kept_beside(held: Mapping[str, Any] | None, *, stops: bool = True) -> dict[str, Any]:
    """What may stand beside a text that is another now: ids and usage, and the stop reasons where they still hold."""
    kept = _IDS | _STOPS if stops else _IDS
    return {name: value for name, value in (held or {}).items() if name in kept}


def _parts(message: Any) -> list[Any]:
    content = get(message, "content")
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        raise UnsupportedReply("the message's content is neither str nor a list of blocks.")
    return content


def _kind(part: Any) -> str:
    kind = get(part, "type")
    return kind if isinstance(kind, str) else ""


def _is_other(part: Any) -> bool:
    return _kind(part) in _NOT_PROSE


def _place(part: Any) -> tuple[bool, Any]:
    """The field of a text, and the message of OpenAI's Responses that it is of; LangChain's own ids name no message."""
    message = get(part, "id")
    own = isinstance(message, str) and not message.startswith("lc_")
    return _kind(part) == "refusal", message if own else None


def _part_text(number: int, part: Any) -> str:
    text = part if isinstance(part, str) else get(part, _TEXT_FIELDS.get(_kind(part), ""))
    if isinstance(text, str):
        return text
    raise UnsupportedReply(
        f"content block {number} of the message (type: {named(_kind(part))}) is not one that can be judged."
    )


def _calls(message: Any) -> list[Any]:
    return [*(get(message, "tool_calls") or ()), *(get(message, "invalid_tool_calls") or ())]


def _held(message: Any, name: str) -> Mapping[str, Any]:
    held = get(message, name)
    return held if isinstance(held, Mapping) else {}


def _revised(parts: Sequence[Any], shares: Iterator[str]) -> Iterator[Any]:
    for part in parts:
        if _is_other(part):
            yield part
        elif share := next(shares):  # the APIs refuse empty text blocks
            yield _revised_part(part, share)
    yield from ({"type": "text", "text": share} for share in shares)


def _revised_part(part: Any, share: str) -> Any:
    if isinstance(part, str):
        return share
    field = _TEXT_FIELDS[_kind(part)]
    if part[field] == share:
        return part
    return {**{name: held for name, held in part.items() if name in _BLOCK}, field: share}


def _with_content(message: Any, content: Any, beside: Mapping[str, Any], kept: Collection[str]) -> Any:
    told = {name: held for name, held in _held(message, "response_metadata").items() if name in kept}
    return with_fields(message, {"content": content, "additional_kwargs": dict(beside), "response_metadata": told})


def _asked(message: Any) -> Any:
    """A message as an `Exchange` takes it; one that is not LangChain's stays as it is."""
    kind = _kind(message).removesuffix("Chunk").removesuffix("Message").lower()
    if not kind or (isinstance(message, Mapping) and "role" in message):
        return message
    content, calls = get(message, "content"), _calls(message)
    if calls and isinstance(content, list):
        content = [part for part in content if _kind(part) not in _CALL_BLOCKS]
    return {
        "role": get(message, "role") if kind == "chat" else _ROLES.get(kind, kind),
        "content": content,
        "tool_calls": [{"name": get(call, "name"), "arguments": as_text(get(call, "args"))} for call in calls],
    }
