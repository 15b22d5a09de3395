"""Anthropic's raw stream of message events: the SDK's objects, and dictionaries as they come over the wire."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from guardrails.dialects._interface import Said
from guardrails.dialects._shape import get, put
from guardrails.errors import UnsupportedReply

CALLS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})

# Content blocks that are no prose for the reader. A type that is in no list is refused: a new one may hold
# prose. So is `compaction`: its summary is prose that can be neither judged nor altered.
NOT_PROSE = CALLS | {
    "thinking", "redacted_thinking", "web_search_tool_result", "web_fetch_tool_result", "code_execution_tool_result",
    "bash_code_execution_tool_result", "text_editor_code_execution_tool_result", "tool_search_tool_result",
    "mcp_tool_result", "advisor_tool_result", "mcp_tool_listing", "container_upload", "fallback",
}  # fmt: skip

_NAME = re.compile(r"[a-z\d_.]{1,50}")  # a name may be shown in an error, a text may not
_START, _DELTA, _STOP = "content_block_start", "content_block_delta", "content_block_stop"


def named(kind: Any) -> str:
    """A type's name, where it is one that may be shown."""
    return kind if isinstance(kind, str) and _NAME.fullmatch(kind) else "unknown"


def call_text(name: Any, arguments: Any) -> str:
    """A tool call as one text, with its arguments as JSON."""
    return f"{name}({json.dumps(arguments, ensure_ascii=False, default=str)})"


class AnthropicEvents:
    """Message stream events; blocks may overlap, but the text of one may not go on after that of a later one."""

    has_stop = True

    def __init__(self) -> None:
        self._first: Any = None
        self._start: Any = None
        self._usage: Any = {"output_tokens": 0}
        self._kinds: dict[int, str] = {}
        self._calls: dict[int, tuple[Any, Any, list[str]]] = {}
        self._text_at = 0
        self._spoken_at: int | None = None  # the block of the last text that was not empty
        # What went out.
        self._has_start = False
        self._has_text = False
        self._blocks: set[int] = set()
        self._open: dict[int, bool] = {}  # by index, whether it is a block of text

    def read(self, event: Any) -> Said:
        """What the event adds."""
        kind = get(event, "type")
        self._first = self._first or event
        match kind:
            case "content_block_start":
                return self._read_start(event)
            case "content_block_delta":
                return self._read_delta(event)
            case "content_block_stop":
                block = self._kinds.get(get(event, "index"))
                return Said(ends_part=block == "text", call=block in CALLS)
            case "message_start":
                return self._read_message(event)
            case "message_delta":
                self._usage = get(event, "usage") or self._usage
                return Said(last=get(event, "delta", "stop_reason") is not None)
            case "error" | "message_stop" | "ping":
                return Said(failed=kind == "error")
        raise UnsupportedReply(f"the stream holds an event (type: {named(kind)}) that cannot be judged.")

    def _read_message(self, event: Any) -> Said:
        if get(event, "message", "content"):
            raise UnsupportedReply("the stream's message_start holds content, which only blocks of their own may.")
        self._start = event
        self._usage = {"output_tokens": get(event, "message", "usage", "output_tokens") or 0}
        return Said()

    def _read_start(self, event: Any) -> Said:
        block, index = get(event, "content_block"), self._index(event)
        kind = get(block, "type")
        if kind == "text" and not get(block, "citations"):
            self._kinds[index] = kind
            return replace(self._read_text(index, get(block, "text")), whole=True)
        if isinstance(kind, str) and kind in NOT_PROSE and (self._spoken_at is None or index > self._spoken_at):
            self._kinds[index] = kind
            if kind in CALLS:
                self._calls[index] = (get(block, "name"), get(block, "input"), [])
            return Said(call=kind in CALLS)
        raise UnsupportedReply(f"content block {index + 1} of the stream (type: {named(kind)}) cannot be judged.")

    def _read_delta(self, event: Any) -> Said:
        delta, index = get(event, "delta"), self._index(event)
        match get(delta, "type"):
            case "text_delta":
                return self._read_text(index, get(delta, "text"))
            case "input_json_delta":
                if index in self._calls:
                    self._calls[index][2].append(str(get(delta, "partial_json") or ""))
                return Said(call=True)
            case "citations_delta":
                return Said(describes=True)
            case "thinking_delta" | "signature_delta":
                return Said()
        kind = named(get(delta, "type"))
        raise UnsupportedReply(f"content block {index + 1} of the stream grows by a {kind}, which cannot be judged.")

    def _index(self, event: Any) -> int:
        index = get(event, "index")
        if not isinstance(index, int) or isinstance(index, bool) or index < 0:
            raise UnsupportedReply("an event of the stream names no content block.")
        return index

    def _read_text(self, index: int, text: Any) -> Said:
        # What is judged is the text in the order of arrival; what is read is the blocks in order.
        if not isinstance(text, str) or index < self._text_at or self._kinds.get(index) in NOT_PROSE:
            raise UnsupportedReply(f"content block {index + 1} of the stream holds no text, or text out of order.")
        self._text_at, before = index, self._spoken_at
        if not text:
            return Said()
        self._spoken_at = index
        between = () if before is None else range(before + 1, index)
        return Said(text, apart=any(kind in NOT_PROSE for at, kind in self._kinds.items() if at in between))

    def with_text(self, event: Any, text: str) -> Any | None:
        """The event with another text; a block's start stays without any."""
        if get(event, "type") == _START:
            return put(event, ("content_block", "text"), text)
        return put(event, ("delta", "text"), text) if text else None

    def out(self, event: Any) -> Any:
        """The event itself; a block that has started goes on with what was appended to its start."""
        kind, index = get(event, "type"), get(event, "index")
        if kind == _START and index in self._blocks:
            event = self._like({"type": _DELTA, "index": index, "delta": _text_delta(_said(event))})
        elif kind == _START:
            self._blocks.add(index)
            self._open[index] = self._kinds.get(index) == "text"
        elif kind == _STOP:
            self._open.pop(index, None)
        elif kind == "message_start":
            self._has_start = True
        self._has_text = self._has_text or bool(_said(event).strip())
        return event

    def fallback(self, text: str) -> Sequence[Any]:
        """The text, in the block of text that is open or in one of its own, and the end of all that is open."""
        ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
        unused = max(self._blocks, default=-1) + 1
        index = next((index for index, is_text in self._open.items() if is_text), unused)
        starts = [] if index != unused else [{"type": _START, "index": index, "content_block": _text_block("")}]
        made = [
            *({"type": _STOP, "index": other} for other in self._open if other != index),
            *starts,
            {"type": _DELTA, "index": index, "delta": _text_delta(f"\n\n{text}" if self._has_text else text)},
            {"type": _STOP, "index": index},
            {**ended, "usage": _plain(self._usage)},
            {"type": "message_stop"},
        ]
        first = [] if self._has_start else [self._start or self._like(_message_start())]
        return [*first, *map(self._like, made)]

    def calls(self, choice: int) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's signature
        """The tool calls, with as much of their arguments as was read."""
        return tuple(_call(*held) for held in self._calls.values())

    def _like(self, data: Mapping[str, Any]) -> Any:
        """An event in the form that the stream's own have: dictionaries, or objects of the SDK's classes."""
        if self._first is None or isinstance(self._first, Mapping):
            return data
        kind = type(self._first)
        # The SDK keeps the classes of one API in one package: `anthropic.types`, or `anthropic.types.beta`.
        classes = sys.modules[kind.__module__.rpartition(".")[0]]
        prefix = "BetaRaw" if kind.__name__.startswith("Beta") else "Raw"
        name = "".join(word.title() for word in data["type"].split("_"))
        return getattr(classes, f"{prefix}{name}Event").construct(**data)


def _said(event: Any) -> str:
    path = ("content_block", "text") if get(event, "type") == _START else ("delta", "text")
    return get(event, *path) or ""


def _text_delta(text: str) -> dict[str, Any]:
    return {"type": "text_delta", "text": text}


def _text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _message_start() -> dict[str, Any]:
    usage = {"input_tokens": 0, "output_tokens": 0}
    message = {"id": "", "type": "message", "role": "assistant", "model": "", "content": [], "usage": usage}
    return {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}}


def _plain(value: Any) -> Any:
    return value if isinstance(value, Mapping) else value.to_dict()


def _call(name: Any, given: Any, pieces: Sequence[str]) -> str:
    written = "".join(pieces)
    if not written:
        return call_text(name, given)
    try:
        return call_text(name, json.loads(written))
    except ValueError:  # cut off
        return f"{name}({written})"
