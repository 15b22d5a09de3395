"""Google's Gemini API, through Vertex AI too: `GenerateContentResponse`, as the JSON of the wire and as SDK objects.

The wire writes camelCase and the SDK's objects snake_case, which requests may hold too: names stand here as on
the wire, and are read in both spellings.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guardrails.dialects._google_parts import (
    DESCRIBES,
    IDS,
    KEPT,
    MEDIA,
    at,
    both,
    call_of,
    call_text,
    candidates_of,
    choice_of,
    index_of,
    parts_of,
    prose_of,
    revised,
    saying,
    stands_between,
    stop_of,
)
from guardrails.dialects._interface import Choice, Said
from guardrails.dialects._paragraphs import Paragraphs
from guardrails.dialects._shape import bare, get, put, with_fields
from guardrails.errors import UnsupportedReply
from guardrails.exchange import Exchange, Message


class GoogleDialect:
    """Replies of Gemini's `generateContent`."""

    name = "google"

    def speaks(self, value: Any) -> bool:
        """Whether it is a `GenerateContentResponse`."""
        if isinstance(value, Mapping):
            return not value.keys().isdisjoint({"candidates", "promptFeedback", "usageMetadata"})
        return {"candidates", "prompt_feedback"} <= set(getattr(type(value), "model_fields", ()))

    def choices(self, reply: Any) -> tuple[Choice, ...]:
        """The candidates. Where Google blocked the prompt there are none: a reply that says nothing."""
        if at(reply, "sdkHttpResponse", "body") is not None:
            raise UnsupportedReply("the reply is a raw response. Leave out should_return_http_response.")
        candidates = candidates_of(reply)
        if not candidates:
            return (Choice((), holds_other=at(reply, "promptFeedback") is not None),)
        return tuple(choice_of(held, goes_on=at(held, "continuationToken") is not None) for held in candidates)

    def with_texts(self, reply: Any, texts: Sequence[str]) -> Any:
        """The reply with its candidates' text parts revised; candidates that did not change stay as they are."""
        if not (candidates := candidates_of(reply)):
            return bare(reply, KEPT, {"candidates": saying(reply, texts[0])})
        pairs = zip(candidates, self.choices(reply), texts, strict=True)
        made = [held if text == choice.text else revised(reply, held, choice, text) for held, choice, text in pairs]
        return bare(reply, KEPT, {"candidates": made})

    def fallback(self, reply: Any, text: str) -> Any:
        """The reply with one candidate."""
        return bare(reply, IDS, {"candidates": saying(reply, text, get(reply, "candidates", 0, "index"))})

    def exchange(self, body: Mapping[str, Any]) -> Exchange:
        """System instruction, contents and functions' results; a cached content is named, the server alone has it."""
        system = {"role": "system", "parts": parts_of(at(body, "systemInstruction"))}
        cached = [Message("system", f"[cachedContent: {name}]")] if (name := at(body, "cachedContent")) else []
        contents = at(body, "contents") or ()
        said = [contents] if isinstance(contents, str | Mapping) else contents
        return Exchange([*cached, *(message for content in (system, *said) for message in _messages(content))])

    def asks_for_data(self, body: Mapping[str, Any]) -> bool:
        """Whether the request names a schema, or a type that is not plain text."""
        config = at(body, "generationConfig")
        schemas = ("responseSchema", "responseJsonSchema", "_responseJsonSchema")
        kind = at(config, "responseMimeType")
        return kind not in {None, "", "text/plain"} or any(at(config, name) is not None for name in schemas)

    def events(self) -> GoogleEvents:
        """A reader of a stream's chunks, each a reply itself."""
        return GoogleEvents()


class GoogleEvents:
    """Chunks of a reply. One may hold text, its stop reason and what describes the text at once."""

    has_stop = True

    def __init__(self) -> None:
        self._latest: Any = {}
        self._paragraphs: dict[int, Paragraphs] = {}
        self._read: dict[int, str] = {}
        self._released: dict[int, int] = {}  # how much of what was read went out unrevised
        self._revised: set[int] = set()
        self._described: dict[int, tuple[Any, int]] = {}  # chunks that describe text, and how much was read by then
        self._calls: dict[int, list[tuple[str, list[Any]]]] = {}
        self._unsent: dict[int, Any] = {}  # chunks that hold more than text, until they went out

    def read(self, event: Any) -> Said:
        """What the chunk adds. The prompt's being blocked is the stop reason of a stream that says nothing."""
        if at(event, "error") is not None:
            return Said(failed=True)
        self._latest, candidates = event, candidates_of(event)
        if len(candidates) > 1:
            raise UnsupportedReply("a chunk of the stream holds several candidates. Ask for one, or do not stream.")
        if not candidates:
            return Said(last=at(event, "promptFeedback", "blockReason") is not None)
        choice, index = choice_of(candidates[0]), index_of(candidates[0])
        self._read[index] = self._read.get(index, "") + choice.text
        describes = any(at(candidates[0], name) is not None for name in DESCRIBES)
        if describes:
            self._described[id(event)] = (event, len(self._read[index]))
        if choice.holds_other:
            self._unsent[id(event)] = event
        made = self._calls.setdefault(index, [])
        parts = parts_of(at(candidates[0], "content"))
        for name, args in filter(None, map(call_of, parts)):
            if name or not made:
                made.append((name, []))
            made[-1][1].extend(args)
        last = stop_of(candidates[0]) is not None
        whole = choice.holds_other or describes or last
        read = [(prose_of(part), part) for part in parts]
        is_apart = self._is_apart(index, [text for text, part in read if text is not None or stands_between(part)])
        return Said(choice.text, index, call=bool(choice.calls), last=last, whole=whole, apart=is_apart)

    def _is_apart(self, index: int, texts: Sequence[str | None]) -> bool:
        """Whether the chunk's first text is apart from the chunks before; that of the others the chunk knows."""
        paragraphs, found = self._paragraphs.setdefault(index, Paragraphs()), []
        for text in texts:
            if text is None:
                paragraphs.part()
            elif text:
                found.append(paragraphs.begins(text))
        return any(found[:1])

    def with_text(self, event: Any, text: str) -> Any | None:
        """The chunk with another text. Its calls are in one copy alone: what is appended repeats none."""
        (candidate,) = candidates_of(event)
        choice, is_unsent = choice_of(candidate), self._unsent.pop(id(event), None) is not None
        if not text and stop_of(candidate) is None and not is_unsent:
            return None
        if not is_unsent:
            parts = [part for part in parts_of(get(candidate, "content")) if prose_of(part) is not None]
            candidate = put(candidate, ("content", "parts"), parts)
        return bare(event, KEPT, {"candidates": [revised(event, candidate, choice, text)]})

    def out(self, event: Any) -> Any:
        """The chunk, without what describes a text that was revised.

        Nor does it hold a token to go on with: with one, the SDK takes a block for a broken connection, and goes on.
        """
        if not (candidates := candidates_of(event)):
            return event
        self._unsent.pop(id(event), None)
        candidate, text, index = candidates[0], choice_of(candidates[0]).text, index_of(candidates[0])
        start = self._released.get(index, 0)
        self._released[index] = start + len(text)
        if not self._read.get(index, "").startswith(text, start):
            self._revised.add(index)
        _, until = self._described.pop(id(event), (None, None))
        stale = until is not None and (index in self._revised or self._released[index] != until)
        gone = [*(DESCRIBES if stale else ()), "continuationToken"]
        dropped = {name: None for name in both(*gone) if get(candidate, name) is not None}
        return put(event, ("candidates", 0), with_fields(candidate, dropped)) if dropped else event

    def fallback(self, text: str) -> Sequence[Any]:
        """A chunk for each alternative, apart from what was said."""
        return [
            bare(self._latest, IDS, {"candidates": saying(self._latest, said, index)})
            for index in sorted(self._read) or [0]
            for said in [f"\n\n{text}" if self._released.get(index) else text]
        ]

    def calls(self, choice: int) -> tuple[str, ...]:
        """The calls so far; Vertex AI may send the arguments of one in pieces."""
        return tuple(call_text(name, args) for name, args in self._calls.get(choice, ()))


def _messages(content: Any) -> Iterator[Message]:
    """A content's messages: functions' results are the tool's, the rest is whose role it is."""
    speaker = {"model": "assistant", "system": "system"}.get(str(get(content, "role")), "user")
    results = [(part, at(part, "functionResponse")) for part in parts_of(content)]
    if said := [text for part, result in results if result is None and (text := _part_text(part))]:
        yield Message(speaker, "\n".join(said))  # type: ignore[arg-type]
    for _, result in results:
        if result is not None:
            yield Message("tool", f"[{get(result, 'name')}] {json.dumps(get(result, 'response'), ensure_ascii=False)}")


def _part_text(part: Mapping[str, Any]) -> str:
    """What a request's part says: its text, a document's, a call's; of anything else, its kind."""
    if part.get("thought"):
        return "[thought]"
    if isinstance(text := part.get("text"), str):
        return text
    if (call := call_of(part)) is not None:
        return f"[{call_text(*call)}]"
    media = next((held for kind in MEDIA if (held := at(part, kind))), None)
    kind = str(at(media, "mimeType") or "")
    if kind.startswith("text/") and get(media, "data"):
        return base64.urlsafe_b64decode(str(get(media, "data"))).decode("utf-8", "replace")
    return f"[{kind or next(iter(part), 'empty')}]"
