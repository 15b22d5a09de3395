"""OpenAI's Responses API: `Response` objects, and dictionaries of that shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardrails.dialects._interface import Choice, Events
from guardrails.dialects._paragraphs import apart
from guardrails.dialects._responses_events import ResponsesEvents
from guardrails.dialects._responses_items import (
    as_text,
    call_text,
    check_output_text,
    item_texts,
    kind_of,
    message,
    message_id,
    revised_part,
    with_output,
    with_parts,
)
from guardrails.dialects._shape import get
from guardrails.errors import UnsupportedReply
from guardrails.exchange import Exchange, Message, text_of

# The states of a response that may hold a reply. In any other, no text means that there is none yet, or none at all.
_REPLIED = (None, "completed", "incomplete")
_KEPT_BY_PROVIDER = ("previous_response_id", "conversation", "prompt")
_RESULTS = ("output", "outputs", "results", "result", "tools")
# Results that are lists of content blocks: their text is read, and an image leaves a marker instead of its bytes.
_BLOCKS = frozenset({"function_call_output", "custom_tool_call_output", "computer_call_output"})
_OPAQUE = frozenset({"reasoning", "compaction", "image_generation_call"})


class ResponsesDialect:
    """Responses."""

    name = "responses"

    def speaks(self, value: Any) -> bool:
        """Whether it is a `Response`."""
        return bool(get(value, "object") == "response")

    def choices(self, reply: Any) -> tuple[Choice, ...]:
        """The one alternative: the text parts of all messages, in order."""
        output = get(reply, "output")
        if not isinstance(output, list):
            raise UnsupportedReply("the response holds no list of output items.")
        texts = [text for found in _item_texts(output) for text in found]
        check_output_text(reply)
        parts = [(n, kind_of(part)) for n, item in enumerate(output) for part in _parts(item)]
        calls = [call for item in output if (call := call_text(item)) is not None]
        other = any(kind_of(item) != "message" for item in output) or get(reply, "status") not in _REPLIED
        return (Choice(tuple(texts), tuple(calls), other, apart(zip(texts, parts, strict=True))),)

    def with_texts(self, reply: Any, texts: Sequence[str]) -> Any:
        """The response with its text parts revised; those that did not change keep their annotations."""
        (choice,) = self.choices(reply)
        if texts[0] == choice.text:
            return reply
        output = get(reply, "output")
        shares = iter(choice.shares(texts[0]))
        made = [
            _revised(item, [(text, next(shares)) for text in found])
            for item, found in zip(output, _item_texts(output), strict=True)
        ]
        if not choice.texts:
            made.append(message(reply, message_id(reply), "completed", [("output_text", texts[0])]))
        return with_output(reply, [item for item in made if item is not None])

    def fallback(self, reply: Any, text: str) -> Any:
        """The response with one message of one text part."""
        item = message(reply, message_id(reply), "completed", [("output_text", text)])
        return with_output(reply, [item], status="completed", error=None, incomplete_details=None)

    def exchange(self, body: Mapping[str, Any]) -> Exchange:
        """Instructions and input; what the provider keeps of the conversation is named, for judges to know of it."""
        messages: list[Any] = []
        if body.get("instructions"):
            messages.append(Message("system", text_of(body["instructions"])))
        kept = [name for name in _KEPT_BY_PROVIDER if body.get(name)]
        if kept:
            messages.append(Message("system", f"[earlier turns are kept by the provider: {', '.join(kept)}]"))
        given = body.get("input") or ()
        return Exchange([*messages, *([Message("user", given)] if isinstance(given, str) else _messages(given))])

    def asks_for_data(self, body: Mapping[str, Any]) -> bool:
        """Whether the request names a text format of JSON."""
        return get(body, "text", "format", "type") in ("json_schema", "json_object")

    def events(self) -> Events:
        """A reader of response stream events."""
        return ResponsesEvents()


def _item_texts(output: Sequence[Any]) -> list[tuple[str, ...]]:
    return [item_texts(item, f"output item {number}") for number, item in enumerate(output, 1)]


def _parts(item: Any) -> Sequence[Any]:
    parts: Sequence[Any] = get(item, "content") if kind_of(item) == "message" else ()
    return parts


def _revised(item: Any, pairs: Sequence[tuple[str, str]]) -> Any:
    """An item with (old, new) texts in its parts; None for a message of which every part is gone."""
    if kind_of(item) != "message":
        return item
    parts = zip(get(item, "content"), pairs, strict=True)
    made = [revised_part(part, new) for part, (old, new) in parts if new or not old]
    return with_parts(item, made) if made or not pairs else None


def _messages(items: Sequence[Any]) -> Iterator[Any]:
    """Messages as they are; a call as the assistant's, and what came of it as the tool's."""
    for item in items:
        kind = kind_of(item) or "message"
        call = call_text(item)
        result = None if kind in _OPAQUE else next((held for name in _RESULTS if (held := get(item, name))), None)
        if kind == "message":
            yield item
        elif call is not None:
            yield Message("assistant", f"[{call}]")
        elif result is None:
            yield Message("assistant", f"[{kind}]")
        if kind != "message" and result is not None:
            yield Message("tool", text_of(result) if kind in _BLOCKS else as_text(result))
