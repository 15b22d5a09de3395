"""What went out of a Responses stream: every place that repeats a text agrees with it, and a fallback ends it well."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, get_args

from guardrails.dialects._responses_items import (
    TEXT_FIELDS,
    Places,
    item_texts,
    kind_of,
    message,
    message_id,
    part_text,
    revised_part,
    with_output,
    with_parts,
)
from guardrails.dialects._shape import bare, get, with_fields

_WHERE = ("item_id", "output_index", "content_index")
KEPT = frozenset({"type", "sequence_number", *_WHERE})
_STEMS = {"output_text": "response.output_text", "refusal": "response.refusal"}
KINDS = {f"{stem}.{end}": kind for kind, stem in _STEMS.items() for end in ("delta", "done")}
_UNKNOWN_RESPONSE = {
    "id": "resp_guardrails", "object": "response", "created_at": 0, "model": "unknown", "output": [],
    "parallel_tool_calls": False, "tool_choice": "auto", "tools": [],
}  # fmt: skip


def without_logprobs(event: Any) -> dict[str, Any]:
    """What takes the log-probabilities out of an event: SDKs read them as a list."""
    return {} if get(event, "logprobs") is None else {"logprobs": []}


@dataclass(slots=True)
class _Part:
    """A text part as it went out. `done` once its text was repeated; `made` is the part that closed it."""

    kind: str
    where: Mapping[str, Any]
    pieces: list[str] = field(default_factory=list)
    done: bool = False
    made: Any = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)


class Release:
    """Follows one stream as it goes out, and makes the events that end it."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._classes: dict[str, type] = {}  # of an SDK's events, by their types
        self._response: Any = _UNKNOWN_RESPONSE  # the last one that arrived
        self._number: int | None = None  # that the next event has; None in streams without numbers
        self._has_snapshots = False
        self._parts: dict[tuple[Any, int], _Part] = {}
        self._open: dict[Any, Any] = {}  # items that began, by their places
        self._items: dict[Any, Any] = {}  # items that ended
        self._halves: set[Any] = set()  # those among them that a fallback cut off
        self._created = False
        self._ended = False

    def saw(self, event: Any) -> None:
        """Learn from an event as it arrives what the stream's events are made of."""
        number = get(event, "sequence_number")
        if self._number is None and isinstance(number, int):
            self._number = number
        if not isinstance(event, Mapping):
            self._classes.setdefault(kind_of(event), type(event))
        self._response = get(event, "response") or self._response
        self._has_snapshots = self._has_snapshots or isinstance(get(event, "snapshot"), str)

    def out(self, event: Any) -> Any:
        """The event as it goes out; those that end the stream were made to go out as they are."""
        if self._ended:
            return event
        writer = self._writers.get(kind_of(event))
        made = event if writer is None else writer(self, event)
        number = get(made, "sequence_number")
        if self._number is None or not isinstance(number, int):
            return made
        if number != self._number:
            made = with_fields(made, {"sequence_number": self._number})
        self._number += 1
        return made

    def ending(self, text: str) -> Iterator[Any]:
        """The events that end the stream with a text; the last response holds exactly what went out."""
        if not (self._created or self._parts or self._open or self._items):
            yield self._new("response.created", response=self._as_response("in_progress"))
        place = next((at for at in reversed(self._open) if kind_of(self._open[at]) == "message"), None)
        for other in [at for at in self._open if at != place]:
            yield from self._item_ends(other, "incomplete")
        if not self._open:
            place, item = self._new_item()
            yield self._new("response.output_item.added", **_index(place), item=item)
        where = None
        for key, part in self._unclosed(place):
            if part.kind == "output_text" and not part.done:
                where = part.where
            else:
                yield from self._part_ends(key, part)
        if where is None:
            where = self._new_where(place)
            yield self._new("response.content_part.added", **where, part=self._as_part("output_text", ""))
        apart = "\n\n" if any(part.text.strip() for part in self._parts.values()) else ""
        yield self._new_delta("output_text", where, apart + text)
        yield from self._item_ends(place, "completed")
        yield self._new("response.completed", response=self._as_response("completed"))
        self._ended = True

    def _text(self, key: tuple[Any, int]) -> str:
        part = self._parts.get(key)
        return "" if part is None else part.text

    def _write_delta(self, event: Any) -> Any:
        self._add(event, KINDS[kind_of(event)], get(event, "delta"))
        if not isinstance(get(event, "snapshot"), str):
            return event
        text = self._text(self._places.part(event))  # a helper of OpenAI's SDK repeats the text so far
        return event if get(event, "snapshot") == text else with_fields(event, {"snapshot": text})

    def _write_part_added(self, event: Any) -> Any:
        key, part = self._places.part(event), get(event, "part")
        if kind_of(part) not in TEXT_FIELDS:
            return event
        text = part_text(part, "an event")
        if key in self._parts:  # the rest of an event that was cut in two: a part is opened once
            return self._write_delta(self._made_delta(kind_of(part), self._parts[key].where, text))
        self._add(event, kind_of(part), text)
        return event

    def _add(self, event: Any, kind: str, text: str) -> None:
        key = self._places.part(event)
        if key not in self._parts:
            where = {name: held for name in _WHERE if (held := get(event, name)) is not None}
            self._parts[key] = _Part(kind, where)
            if key[0] not in self._open and key[0] not in self._items:  # some servers do not say that an item begins
                item_id = get(event, "item_id") or message_id(self._response)
                self._open[key[0]] = message(self._response, item_id, "in_progress", ())
        self._parts[key].pieces.append(text)

    def _write_text_done(self, event: Any) -> Any:
        key, name = self._places.part(event), TEXT_FIELDS[KINDS[kind_of(event)]]
        if key in self._parts:
            self._parts[key].done = True
        text = self._text(key)
        return event if get(event, name) == text else bare(event, KEPT, {name: text, **without_logprobs(event)})

    def _write_part_done(self, event: Any) -> Any:
        key, part = self._places.part(event), get(event, "part")
        if kind_of(part) not in TEXT_FIELDS:
            return event
        text = self._text(key)
        made = part if part_text(part, "an event") == text else revised_part(part, text)
        if key in self._parts:
            self._parts[key].made = made
        return event if made is part else bare(event, KEPT, {"part": made})

    def _write_item(self, event: Any) -> Any:
        item, place = get(event, "item"), self._places.item(event)
        if item is None:
            return event
        made = item if self._agrees(place, item) else self._released(place, item)
        if kind_of(event) == "response.output_item.added":
            self._open[place] = made
        else:
            self._open.pop(place, None)
            self._items[place] = made
        return event if made is item else bare(event, KEPT, {"item": made})

    def _write_response(self, event: Any) -> Any:
        self._created = self._created or kind_of(event) == "response.created"
        response = get(event, "response")
        listed = self._places.output(response)
        items = [pair for pair in listed if kind_of(event) != "response.failed" or self._is_out(*pair)]
        if len(items) == len(listed) and all(self._agrees(place, item) for place, item in items):
            return event
        made = with_output(response, [self._released(place, item) for place, item in items])
        return bare(event, KEPT, {"response": made})

    def _is_out(self, place: Any, item: Any) -> bool:
        """Whether a response that failed may hold the item: one that was held back is judged by nobody any more."""
        return place in self._items or (place in self._open and kind_of(item) == "message")

    def _agrees(self, place: Any, item: Any) -> bool:
        texts = enumerate(item_texts(item, "an item"))
        return all(text == self._text((place, index)) for index, text in texts)

    def _released(self, place: Any, item: Any) -> Any:
        if kind_of(item) != "message":
            return item
        parts = enumerate(get(item, "content"))
        return with_parts(item, [revised_part(part, self._text((place, index))) for index, part in parts])

    def _unclosed(self, place: Any) -> list[tuple[tuple[Any, int], _Part]]:
        return [(key, part) for key, part in self._parts.items() if key[0] == place and part.made is None]

    def _part_ends(self, key: tuple[Any, int], part: _Part) -> Iterator[Any]:
        text, extra = self._text(key), _logprobs(part.kind)
        if not part.done:
            yield self._new(f"{_STEMS[part.kind]}.done", **part.where, **{TEXT_FIELDS[part.kind]: text}, **extra)
        yield self._new("response.content_part.done", **part.where, part=self._as_part(part.kind, text))

    def _item_ends(self, place: Any, status: str) -> Iterator[Any]:
        for key, part in self._unclosed(place):
            yield from self._part_ends(key, part)
        item = self._open[place]
        spoken = kind_of(item) == "message"
        changes: dict[str, Any] = {} if get(item, "status") is None else {"status": status}
        if spoken:
            changes["content"] = [part.made for key, part in self._parts.items() if key[0] == place]
        yield self._new("response.output_item.done", **_index(place), item=with_fields(item, changes))
        if not spoken:
            self._halves.add(place)

    def _new_item(self) -> tuple[Any, Any]:
        item_id = message_id(self._response)
        known = list(self._items)
        place = max(known, default=-1) + 1 if all(isinstance(at, int) for at in known) else item_id
        return place, message(self._response, item_id, "in_progress", ())

    def _new_where(self, place: Any) -> dict[str, Any]:
        count = sum(1 for key in self._parts if key[0] == place)
        index = {**_index(place), "content_index": count} if isinstance(place, int) else {}
        return {"item_id": get(self._open[place], "id"), **index}

    def _as_part(self, kind: str, text: str) -> Any:
        return get(message(self._response, "", "", [(kind, text)]), "content", 0)

    def _as_response(self, status: str) -> Any:
        order = sorted(self._items, key=lambda place: place if isinstance(place, int) else 0)
        items = [self._items[place] for place in order if place not in self._halves]  # half a tool call is none
        return with_output(self._response, items, status=status, error=None, incomplete_details=None)

    def _new(self, kind: str, **fields: Any) -> Any:
        return self.out(self._made(kind, **fields))

    def _new_delta(self, kind: str, where: Mapping[str, Any], text: str) -> Any:
        return self.out(self._made_delta(kind, where, text))

    def _made_delta(self, kind: str, where: Mapping[str, Any], text: str) -> Any:
        snapshot = {"snapshot": ""} if self._has_snapshots and kind == "output_text" else {}
        return self._made(f"{_STEMS[kind]}.delta", **where, delta=text, **_logprobs(kind), **snapshot)

    def _made(self, kind: str, **fields: Any) -> Any:
        numbered = {} if self._number is None else {"sequence_number": self._number}
        event = {"type": kind, **fields, **numbered}
        made = self._class(kind)
        return event if made is None else made.model_construct(**event)

    def _class(self, kind: str) -> Any:
        """The SDK's class of a kind of event: one that was seen, or else that stands beside one that was."""
        if kind in self._classes:
            return self._classes[kind]
        for seen in self._classes.values():
            package = sys.modules.get(seen.__module__.rpartition(".")[0])
            for one in getattr(package, "__dict__", {}).values():
                fields = one.model_fields if isinstance(one, type) and hasattr(one, "model_fields") else {}
                if "type" in fields and get_args(fields["type"].annotation) == (kind,):
                    return one
        return next(iter(self._classes.values()), None)

    _writers: ClassVar[Mapping[str, Callable[[Release, Any], Any]]] = {
        "response.created": _write_response,
        "response.queued": _write_response,
        "response.in_progress": _write_response,
        "response.output_item.added": _write_item,
        "response.content_part.added": _write_part_added,
        "response.output_text.delta": _write_delta,
        "response.refusal.delta": _write_delta,
        "response.output_text.done": _write_text_done,
        "response.refusal.done": _write_text_done,
        "response.content_part.done": _write_part_done,
        "response.output_item.done": _write_item,
        "response.completed": _write_response,
        "response.incomplete": _write_response,
        "response.failed": _write_response,
    }


def _index(place: Any) -> dict[str, int]:
    return {"output_index": place} if isinstance(place, int) else {}


def _logprobs(kind: str) -> dict[str, list[Any]]:
    return {"logprobs": []} if kind == "output_text" else {}
