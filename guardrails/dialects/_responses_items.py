"""What a Responses reply is made of: output items, and the parts of the messages among them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from guardrails.dialects._shape import bare, get
from guardrails.errors import UnsupportedReply

CALLS = frozenset({
    "function_call", "custom_tool_call", "mcp_call", "mcp_approval_request", "tool_search_call", "computer_call",
    "shell_call", "local_shell_call", "apply_patch_call", "code_interpreter_call", "web_search_call",
    "file_search_call", "image_generation_call", "program",
})  # fmt: skip
# Output items that are no prose for the reader. A type that is in no list is refused: a new one may hold
# prose. A `compaction` is encrypted here; summaries of reasoning are thinking.
NOT_PROSE = CALLS | {
    "reasoning", "compaction", "additional_tools", "mcp_list_tools", "mcp_approval_response", "program_output",
    "function_call_output", "custom_tool_call_output", "tool_search_output", "computer_call_output",
    "shell_call_output", "local_shell_call_output", "apply_patch_call_output",
}  # fmt: skip
TEXT_FIELDS: Mapping[str, str] = {"output_text": "text", "refusal": "refusal"}

# What a copy keeps of the response it stands for: its ids, and what it repeats of the request. Everything else may
# repeat or describe the text that is gone (`moderation` does).
_KEPT = frozenset({
    "id", "object", "created_at", "completed_at", "model", "usage", "tool_usage", "status", "error",
    "incomplete_details", "access_programs", "background", "billing", "conversation", "frequency_penalty", "image",
    "input_transformations", "instructions", "max_output_tokens", "max_tool_calls", "metadata",
    "parallel_tool_calls", "presence_penalty", "previous_response_id", "prompt", "prompt_cache_diagnostics",
    "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier",
    "service_tier", "store", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation",
    "user",
})  # fmt: skip
_MESSAGE = frozenset({"id", "type", "role", "status", "phase"})
_SENT = ("arguments", "input", "operation", "code", "queries", "revised_prompt", "action", "actions")
_NAME = re.compile(r"[a-z\d_.]{1,60}")  # a name may be shown in an error, a text may not


def kind_of(value: Any) -> str:
    """The type that a value gives itself; empty where it gives none."""
    kind = get(value, "type")
    return kind if isinstance(kind, str) else ""


def named(kind: str) -> str:
    """A type as an error may show it."""
    return kind if _NAME.fullmatch(kind) else "unknown"


def call_text(item: Any, more: str = "") -> str | None:
    """A tool call as one text, with what has been streamed of its arguments; None for any other item."""
    kind = kind_of(item)
    if kind not in CALLS:
        return None
    sent = next((held for name in _SENT if (held := get(item, name)) is not None), "")
    return f"{get(item, 'name') or kind}({as_text(sent)}{more})"


def as_text(held: Any) -> str:
    """A text as it is, anything else as JSON."""
    return held if isinstance(held, str) else json.dumps(held, ensure_ascii=False, default=_fields)


def _fields(held: Any) -> dict[str, Any]:
    """What an SDK's object holds; its fields that hold nothing are in no dictionary that came over the wire."""
    return {name: value for name, value in dict(held).items() if value is not None}


def part_text(part: Any, where: str) -> str:
    """The text of a message's part.

    Raises:
        UnsupportedReply: the part is not one that is known to hold its text in one field.
    """
    kind = kind_of(part)
    text = get(part, TEXT_FIELDS[kind]) if kind in TEXT_FIELDS else None
    if isinstance(text, str):
        return text
    raise UnsupportedReply(f"a content part in {where} of the response (type: {named(kind)}) cannot be judged.")


def item_texts(item: Any, where: str) -> tuple[str, ...]:
    """The texts of a message's parts; none for an item that is no prose.

    Raises:
        UnsupportedReply: the item may hold text that cannot be judged.
    """
    kind, parts = kind_of(item), get(item, "content")
    if kind in NOT_PROSE:
        return ()
    if kind == "message" and get(item, "role") == "assistant" and isinstance(parts, list):
        return tuple(part_text(part, where) for part in parts)
    raise UnsupportedReply(f"{where} of the response (type: {named(kind)}) is not one that can be judged.")


def revised_part(part: Any, text: str) -> Any:
    """The part with another text, without what described the old one; the part itself where nothing differs."""
    kind = kind_of(part)
    field = TEXT_FIELDS[kind]
    if text != get(part, field):
        return bare(part, {"type"}, {field: text, **({"annotations": []} if kind == "output_text" else {})})
    # What was parsed from one part may stand in no part of the revised reply.
    return part if get(part, "parsed") is None else bare(part, {"type", "text", "annotations", "logprobs"}, {})


def with_parts(item: Any, parts: list[Any]) -> Any:
    """The message with other parts; itself where they are the ones that it has."""
    old = get(item, "content")
    same = len(old) == len(parts) and all(a is b for a, b in zip(old, parts, strict=True))
    return item if same else bare(item, _MESSAGE, {"content": parts})


def with_output(response: Any, output: Sequence[Any], **changes: Any) -> Any:
    """The response with other output items; `output_text`, where a server sends it, says what they say."""
    if isinstance(dict(response).get("output_text"), str):
        changes["output_text"] = _output_text(output)
    return bare(response, _KEPT, {"output": list(output), **changes})


def check_output_text(response: Any) -> None:
    """Make sure that a server's `output_text` says what the parts say: they are what is judged.

    Raises:
        UnsupportedReply: it says something else.
    """
    if response is None:
        return
    if not isinstance(response, Mapping) and not hasattr(type(response), "model_copy"):
        raise UnsupportedReply("a response of the stream is no object.")
    said = dict(response).get("output_text")
    if said is not None and said != _output_text(get(response, "output") or ()):
        raise UnsupportedReply("the output_text of the response is not the text of its output items.")


def _output_text(output: Sequence[Any]) -> str:
    parts = [part for item in output if kind_of(item) == "message" for part in get(item, "content")]
    return "".join(get(part, "text") for part in parts if kind_of(part) == "output_text")


def message(response: Any, item_id: str, status: str, parts: Sequence[tuple[str, str]]) -> Any:
    """A new message item, of these types of parts and their texts."""
    content = [
        {"type": kind, TEXT_FIELDS[kind]: text, **({"annotations": []} if kind == "output_text" else {})}
        for kind, text in parts
    ]
    item = {"id": item_id, "type": "message", "role": "assistant", "status": status, "content": content}
    # An SDK's class makes its output items of the classes that belong to it.
    plain = response is None or isinstance(response, Mapping)
    return item if plain else type(response).model_construct(output=[item]).output[0]


def message_id(response: Any) -> str:
    """An id for a message that the provider did not write."""
    return "msg_" + str(get(response, "id") or "").removeprefix("resp_")


class Places:
    """Where output items stand: by their indexes, or by their ids in streams without indexes (llama.cpp's)."""

    def __init__(self) -> None:
        self._by_id: dict[str, Any] = {}

    def item(self, event: Any) -> Any:
        """Where the item of an event stands."""
        item_id, index = get(event, "item_id") or get(event, "item", "id"), get(event, "output_index")
        if not isinstance(item_id, str):
            return index if isinstance(index, int) else None
        place = index if isinstance(index, int) else self._by_id.get(item_id, item_id)
        self._by_id[item_id] = place
        return place

    def part(self, event: Any) -> tuple[Any, int]:
        """Where the content part of an event stands."""
        index = get(event, "content_index")
        return self.item(event), index if isinstance(index, int) else 0

    def output(self, response: Any) -> list[tuple[Any, Any]]:
        """The items of a response, each with where it stands; one that no event named stands where it is listed."""
        items = get(response, "output") or ()
        return [(self._by_id.get(str(get(item, "id")), position), item) for position, item in enumerate(items)]
