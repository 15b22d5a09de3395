"""The events of a Responses stream: text in deltas, repeated four times when its part, item and response end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from guardrails.dialects._interface import Said
from guardrails.dialects._paragraphs import Paragraphs
from guardrails.dialects._responses_items import (
    TEXT_FIELDS,
    Places,
    call_text,
    check_output_text,
    item_texts,
    kind_of,
    named,
    part_text,
    revised_part,
)  # fmt: skip
from guardrails.dialects._responses_release import KEPT, KINDS, Release, without_logprobs
from guardrails.dialects._shape import bare, get, put
from guardrails.errors import UnsupportedReply

# Events that carry a piece of a tool call, or tell how far one has got.
CALLS = frozenset({
    "response.function_call_arguments.delta", "response.function_call_arguments.done",
    "response.custom_tool_call_input.delta", "response.custom_tool_call_input.done",
    "response.mcp_call_arguments.delta", "response.mcp_call_arguments.done", "response.mcp_call.in_progress",
    "response.mcp_call.completed", "response.mcp_call.failed", "response.shell_call_command.added",
    "response.shell_call_command.delta", "response.shell_call_command.done",
    "response.shell_call_output_content.delta", "response.shell_call_output_content.done",
    "response.code_interpreter_call_code.delta", "response.code_interpreter_call_code.done",
    "response.code_interpreter_call.in_progress", "response.code_interpreter_call.interpreting",
    "response.code_interpreter_call.completed", "response.file_search_call.in_progress",
    "response.file_search_call.searching", "response.file_search_call.completed",
    "response.web_search_call.in_progress", "response.web_search_call.searching",
    "response.web_search_call.completed", "response.image_generation_call.in_progress",
    "response.image_generation_call.generating", "response.image_generation_call.partial_image",
    "response.image_generation_call.completed",
})  # fmt: skip
# Events that are no prose for the reader. OpenAI sends `keepalive` without naming it anywhere.
SILENT = frozenset({
    "response.reasoning_text.delta", "response.reasoning_text.done", "response.reasoning_part.added",
    "response.reasoning_part.done", "response.reasoning_summary_part.added", "response.reasoning_summary_part.done",
    "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done",
    "response.compaction.compacting", "response.mcp_list_tools.in_progress", "response.mcp_list_tools.completed",
    "response.mcp_list_tools.failed", "keepalive",
})  # fmt: skip


class ResponsesEvents:
    """Response stream events, numbered or not, with indexes or with item ids alone."""

    has_stop = True

    def __init__(self) -> None:
        self._places = Places()
        self._release = Release(self._places)
        self._paragraphs = Paragraphs()
        self._spoken: dict[tuple[Any, int], str] = {}  # the kinds of the parts that text was read of, in order
        self._latest: tuple[Any, int] | None = None  # the last one of them
        self._calls: dict[Any, Any] = {}
        self._arguments: dict[Any, list[str]] = {}  # of the calls that are not done

    def read(self, event: Any) -> Said:
        """What the event adds."""
        self._release.saw(event)
        kind = kind_of(event)
        reader = self._readers.get(kind)
        if reader is not None:
            return reader(self, event)
        if kind in CALLS:
            return self._call(event)
        if kind == "error" or (not kind and get(event, "error")):
            return Said(failed=True)
        if kind in SILENT:
            return Said()
        raise UnsupportedReply(
            f"the stream holds an event that may hold text that cannot be judged (type: {named(kind)}). Ask for text "
            "alone, or call without stream=True."
        )

    def with_text(self, event: Any, text: str) -> Any | None:
        """The same event with another text; one that opens a part stays where no text is left in it."""
        if kind_of(event) == "response.content_part.added":
            part = revised_part(get(event, "part"), text)
            return event if part is get(event, "part") else put(event, ("part",), part)
        if text == get(event, "delta"):
            return event
        changes = {"delta": text, **without_logprobs(event)}
        return bare(event, KEPT | {"snapshot"}, changes) if text else None

    def out(self, event: Any) -> Any:
        """The event with all that it repeats as it went out, and numbered on."""
        return self._release.out(event)

    def fallback(self, text: str) -> Sequence[Any]:
        """The text in the message that is open, or in a new one, then every event that is due until the end."""
        return list(self._release.ending(text))

    def calls(self, choice: int) -> tuple[str, ...]:  # noqa: ARG002 - a response has one alternative
        """The tool calls."""
        read = [call_text(item, "".join(self._arguments.get(place, ()))) for place, item in self._calls.items()]
        return tuple(text for text in read if text is not None)

    def _call(self, event: Any) -> Said:
        piece = get(event, "delta")
        if isinstance(piece, str):
            self._arguments.setdefault(self._places.item(event), []).append(piece)
        return Said(call=True)

    def _delta(self, event: Any) -> Said:
        text = get(event, "delta")
        if not isinstance(text, str):
            raise UnsupportedReply("a text delta of the stream holds no str.")
        return self._said(event, KINDS[kind_of(event)], text)

    def _said(self, event: Any, kind: str, text: str) -> Said:
        if not text:
            return Said()
        key = self._places.part(event)
        if self._is_out_of_order(key) or self._spoken.get(key, kind) != kind:
            raise UnsupportedReply("the stream goes on with an earlier part after a later one, which cannot be judged.")
        self._spoken[key], self._latest = kind, key
        return Said(text, apart=self._paragraphs.begins(text, (key[0], kind)))

    def _is_out_of_order(self, key: tuple[Any, int]) -> bool:
        """Whether a part stands before the last one that spoke, or may; of ids alone the order is that of arrival."""
        if self._latest is None:
            return False
        (item, index), (last, last_index) = key, self._latest
        if item == last:
            return index < last_index
        if isinstance(item, int) and isinstance(last, int):
            return item < last
        return type(item) is not type(last) or any(item == place for place, _ in self._spoken)

    def _text_done(self, event: Any) -> Said:
        for name in TEXT_FIELDS.values():
            self._check(self._places.part(event), get(event, name))
        return Said(ends_part=True)

    def _part_added(self, event: Any) -> Said:
        part = get(event, "part")
        return (
            Said()
            if kind_of(part) == "reasoning_text"
            else self._said(event, kind_of(part), part_text(part, "an event"))
        )

    def _part_done(self, event: Any) -> Said:
        part = get(event, "part")
        if kind_of(part) != "reasoning_text":
            self._check(self._places.part(event), part_text(part, "an event"))
        return Said()

    def _item(self, event: Any) -> Said:
        item = get(event, "item")
        return Said() if item is None else self._output_item(self._places.item(event), item)

    def _output_item(self, place: Any, item: Any) -> Said:
        for index, text in enumerate(item_texts(item, "an item")):
            self._check((place, index), text)
        if call_text(item) is None:
            return Said()
        self._calls[place] = item
        self._arguments.pop(place, None)
        return Said(call=True)

    def _response(self, event: Any) -> Said:
        response = get(event, "response")
        listed = self._places.output(response)
        for place, item in listed:
            self._output_item(place, item)
        check_output_text(response)
        spoken, places = dict.fromkeys(place for place, _ in self._spoken), [place for place, _ in listed]
        if [at for at in places if at in spoken] != [at for at in spoken if at in places]:
            raise UnsupportedReply("the stream's response lists its messages in another order than they came in.")
        return Said()

    def _end(self, event: Any) -> Said:
        self._response(event)
        failed = kind_of(event) == "response.failed"
        return Said(last=not failed, failed=failed)

    def _check(self, key: tuple[Any, int], text: Any) -> None:
        if text and key not in self._spoken:
            raise UnsupportedReply(
                "the stream ends with a text that came in no delta and was not judged. Call without stream=True."
            )

    def _annotation(self, event: Any) -> Said:  # noqa: ARG002 - called as the other readers are
        return Said(describes=True)

    _readers: ClassVar[Mapping[str, Callable[[ResponsesEvents, Any], Said]]] = {
        "response.created": _response,
        "response.queued": _response,
        "response.in_progress": _response,
        "response.output_item.added": _item,
        "response.content_part.added": _part_added,
        "response.output_text.delta": _delta,
        "response.refusal.delta": _delta,
        "response.output_text.annotation.added": _annotation,
        "response.output_text.done": _text_done,
        "response.refusal.done": _text_done,
        "response.content_part.done": _part_done,
        "response.output_item.done": _item,
        "response.completed": _end,
        "response.incomplete": _end,
        "response.failed": _end,
    }
