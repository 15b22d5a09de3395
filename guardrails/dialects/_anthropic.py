"""Anthropic's Messages API: `Message` objects, and dictionaries of that shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from guardrails.dialects._anthropic_events import CALLS, NOT_PROSE, AnthropicEvents, call_text, named
from guardrails.dialects._interface import Choice, Events
from guardrails.dialects._paragraphs import apart
from guardrails.dialects._shape import bare, get
from guardrails.errors import UnsupportedReply
from guardrails.exchange import Exchange

# What a copy keeps of the message it stands for. Everything else may repeat or describe the text that is gone.
_IDS = frozenset({"id", "type", "role", "model", "usage", "container"})
_KEPT = _IDS | {"stop_reason", "stop_sequence", "stop_details", "diagnostics", "context_management"}


class AnthropicDialect:
    """Messages of Anthropic's API, through Bedrock and Vertex too."""

    name = "anthropic"

    def speaks(self, value: Any) -> bool:
        """Whether it is a `Message`."""
        return bool(get(value, "type") == "message")

    def choices(self, reply: Any) -> tuple[Choice, ...]:
        """The one alternative."""
        blocks = get(reply, "content")
        if get(reply, "role") != "assistant" or not isinstance(blocks, list):
            raise UnsupportedReply("the message is not an assistant's with a list of content blocks.")
        read = [None if _is_other(block) else _block_text(number, block) for number, block in enumerate(blocks, 1)]
        texts = tuple(text for text in read if text is not None)
        calls = tuple(call_text(get(block, "name"), get(block, "input")) for block in blocks if _is_call(block))
        parted = apart(None if text is None else (text, None) for text in read)
        return (Choice(texts, calls, holds_other=len(texts) < len(blocks), apart=parted),)

    def with_texts(self, reply: Any, texts: Sequence[str]) -> Any:
        """The message with its text blocks revised; those that did not change keep their citations."""
        (choice,) = self.choices(reply)
        if texts[0] == choice.text:
            return reply
        return bare(reply, _KEPT, {"content": _revised_blocks(reply, choice.shares(texts[0]), texts[0])})

    def fallback(self, reply: Any, text: str) -> Any:
        """The message with one text block."""
        return bare(reply, _IDS, {"content": [_text_block(reply, text)], "stop_reason": "end_turn"})

    def exchange(self, body: Mapping[str, Any]) -> Exchange:
        """System prompt and messages; tools' results are messages of their own, since no user wrote them."""
        system = [{"role": "system", "content": body["system"]}] if body.get("system") else []
        return Exchange([*system, *(part for message in body.get("messages") or () for part in _parts(message))])

    def asks_for_data(self, body: Mapping[str, Any]) -> bool:
        """Whether the request names an output format."""
        return bool(get(body, "output_config", "format") or body.get("output_format"))

    def events(self) -> Events:
        """A reader of raw message stream events."""
        return AnthropicEvents()


def _parts(message: Any) -> Iterator[Any]:
    content = get(message, "content")
    if not isinstance(content, list):
        yield message
        return
    for is_result, blocks in groupby(content, _is_result):
        yield {"role": "tool" if is_result else get(message, "role"), "content": list(blocks)}


def _is_result(block: Any) -> bool:
    return str(get(block, "type")).endswith("tool_result")


def _is_call(block: Any) -> bool:
    kind = get(block, "type")
    return isinstance(kind, str) and kind in CALLS


def _is_other(block: Any) -> bool:
    kind = get(block, "type")
    return isinstance(kind, str) and kind in NOT_PROSE


def _block_text(number: int, block: Any) -> str:
    kind, text = get(block, "type"), get(block, "text")
    if kind == "text" and isinstance(text, str):
        return text
    raise UnsupportedReply(
        f"content block {number} of the message (type: {named(kind)}) is not one that can be judged."
    )


def _text_block(message: Any, text: str) -> Any:
    block = {"type": "text", "text": text, "citations": None}
    # An SDK's class makes its content blocks of the classes that belong to it.
    return block if isinstance(message, Mapping) else type(message).model_construct(content=[block]).content[0]


def _revised_blocks(message: Any, shares: Sequence[str], text: str) -> list[Any]:
    blocks, remaining = get(message, "content"), iter(shares)
    made = [block if _is_other(block) else _revised_block(block, next(remaining)) for block in blocks]
    return [block for block in made if block is not None] if shares else [*made, _text_block(message, text)]


def _revised_block(block: Any, share: str) -> Any:
    if not share:  # the APIs refuse empty text blocks
        return None
    if share != get(block, "text"):  # citations and parsed output are those of the text that is gone
        return bare(block, {"type"}, {"text": share})
    return block if get(block, "parsed_output") is None else bare(block, {"type", "text", "citations"}, {})
