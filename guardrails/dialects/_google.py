"""Google's Gemini API, through Vertex AI too: `GenerateContentResponse`, as the JSON of the wire and as SDK objects.

The wire writes camelCase and the SDK's objects snake_case, which requests may hold too: names stand here as on
the wire, and are read in both spellings.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from guardrails.dialects._interface import Choice, Said
from guardrails.dialects._shape import bare, get, put, with_fields
from guardrails.dialects._shares import shared_out
from guardrails.errors import UnsupportedReply
from guardrails.exchange import Exchange, Message


@cache
def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name)


def _both(*names: str) -> frozenset[str]:
    return frozenset({*names, *map(_snake, names)})


# Kinds of parts that are no prose for the reader, and what may stand beside any kind. A part of another kind is
# refused: a new one may hold prose. So are a transcription, and media other than images: they may speak.
_CALLS, _MEDIA = ("functionCall", "toolCall", "executableCode"), ("inlineData", "fileData")
_NOT_PROSE = _both(*_CALLS, *_MEDIA, "functionResponse", "toolResponse", "codeExecutionResult")
_BESIDE = _both(
    *("thought", "thoughtSignature", "partMetadata", "mediaResolution", "mediaProcessing", "videoMetadata"),
    *("speechMetadata", "documentMetadata", "spreadsheetMetadata", "audioMetadata"),
)
_DESCRIBES = ("citationMetadata", "groundingMetadata", "logprobsResult", "avgLogprobs")
# What a copy keeps. Everything else may repeat or describe the text that is gone.
_IDS = _both("usageMetadata", "modelVersion", "responseId", "createTime", "sdkHttpResponse")
_KEPT = _IDS | _both("promptFeedback", "modelStatus", "automaticFunctionCallingHistory")
_KEPT_OF_CANDIDATE = _both("index", "finishReason", "safetyRatings", "tokenCount", "urlContextMetadata")


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
        if _at(reply, "sdkHttpResponse", "body") is not None:
            raise UnsupportedReply("the reply is a raw response. Leave out should_return_http_response.")
        candidates = _candidates(reply)
        if not candidates:
            return (Choice((), holds_other=_at(reply, "promptFeedback") is not None),)
        return tuple(_choice(held, goes_on=_at(held, "continuationToken") is not None) for held in candidates)

    def with_texts(self, reply: Any, texts: Sequence[str]) -> Any:
        """The reply with its candidates' text parts revised; candidates that did not change stay as they are."""
        if not (candidates := _candidates(reply)):
            return bare(reply, _KEPT, {"candidates": _saying(reply, texts[0])})
        pairs = zip(candidates, self.choices(reply), texts, strict=True)
        made = [held if text == choice.text else _revised(reply, held, choice, text) for held, choice, text in pairs]
        return bare(reply, _KEPT, {"candidates": made})

    def fallback(self, reply: Any, text: str) -> Any:
        """The reply with one candidate."""
        return bare(reply, _IDS, {"candidates": _saying(reply, text, get(reply, "candidates", 0, "index"))})

    def exchange(self, body: Mapping[str, Any]) -> Exchange:
        """System instruction, contents and functions' results; a cached content is named, the server alone has it."""
        system = {"role": "system", "parts": _parts_of(_at(body, "systemInstruction"))}
        cached = [Message("system", f"[cachedContent: {name}]")] if (name := _at(body, "cachedContent")) else []
        contents = _at(body, "contents") or ()
        said = [contents] if isinstance(contents, str | Mapping) else contents
        return Exchange([*cached, *(message for content in (system, *said) for message in _messages(content))])

    def asks_for_data(self, body: Mapping[str, Any]) -> bool:
        """Whether the request names a schema, or a type that is not plain text."""
        config = _at(body, "generationConfig")
        schemas = ("responseSchema", "responseJsonSchema", "_responseJsonSchema")
        kind = _at(config, "responseMimeType")
        return kind not in {None, "", "text/plain"} or any(_at(config, name) is not None for name in schemas)

    def events(self) -> GoogleEvents:
        """A reader of a stream's chunks, each a reply itself."""
        return GoogleEvents()


class GoogleEvents:
    """Chunks of a reply. One may hold text, its stop reason and what describes the text at once."""

    has_stop = True

    def __init__(self) -> None:
        self._latest: Any = {}
        self._read: dict[int, str] = {}
        self._released: dict[int, int] = {}  # how much of what was read went out unrevised
        self._revised: set[int] = set()
        self._described: dict[int, tuple[Any, int]] = {}  # chunks that describe text, and how much was read by then
        self._calls: dict[int, list[tuple[str, list[Any]]]] = {}
        self._unsent: dict[int, Any] = {}  # chunks that hold more than text, until they went out

    def read(self, event: Any) -> Said:
        """What the chunk adds. The prompt's being blocked is the stop reason of a stream that says nothing."""
        if _at(event, "error") is not None:
            return Said(failed=True)
        self._latest, candidates = event, _candidates(event)
        if len(candidates) > 1:
            raise UnsupportedReply("a chunk of the stream holds several candidates. Ask for one, or do not stream.")
        if not candidates:
            return Said(last=_at(event, "promptFeedback", "blockReason") is not None)
        choice, index = _choice(candidates[0]), _at(candidates[0], "index") or 0
        self._read[index] = self._read.get(index, "") + choice.text
        describes = any(_at(candidates[0], name) is not None for name in _DESCRIBES)
        if describes:
            self._described[id(event)] = (event, len(self._read[index]))
        if choice.holds_other:
            self._unsent[id(event)] = event
        made = self._calls.setdefault(index, [])
        for name, args in filter(None, map(_call, _parts_of(_at(candidates[0], "content")))):
            if name or not made:
                made.append((name, []))
            made[-1][1].extend(args)
        last = _stop(candidates[0]) is not None
        whole = choice.holds_other or describes or last
        return Said(choice.text, index, call=bool(choice.calls), last=last, whole=whole)

    def with_text(self, event: Any, text: str) -> Any | None:
        """The chunk with another text. Its calls are in one copy alone: what is appended repeats none."""
        (candidate,) = _candidates(event)
        choice, is_unsent = _choice(candidate), self._unsent.pop(id(event), None) is not None
        if not text and _stop(candidate) is None and not is_unsent:
            return None
        if not is_unsent:
            parts = [part for part in _parts_of(get(candidate, "content")) if _prose(part) is not None]
            candidate = put(candidate, ("content", "parts"), parts)
        return bare(event, _KEPT, {"candidates": [_revised(event, candidate, choice, text)]})

    def out(self, event: Any) -> Any:
        """The chunk, without what describes a text that was revised.

        Nor does it hold a token to go on with: with one, the SDK takes a block for a broken connection, and goes on.
        """
        if not (candidates := _candidates(event)):
            return event
        self._unsent.pop(id(event), None)
        candidate, text, index = candidates[0], _choice(candidates[0]).text, _at(candidates[0], "index") or 0
        start = self._released.get(index, 0)
        self._released[index] = start + len(text)
        if not self._read.get(index, "").startswith(text, start):
            self._revised.add(index)
        _, until = self._described.pop(id(event), (None, None))
        stale = until is not None and (index in self._revised or self._released[index] != until)
        gone = [*(_DESCRIBES if stale else ()), "continuationToken"]
        dropped = {name: None for name in _both(*gone) if get(candidate, name) is not None}
        return put(event, ("candidates", 0), with_fields(candidate, dropped)) if dropped else event

    def fallback(self, text: str) -> Sequence[Any]:
        """A chunk for each alternative, apart from what was said."""
        return [
            bare(self._latest, _IDS, {"candidates": _saying(self._latest, said, index)})
            for index in sorted(self._read) or [0]
            for said in [f"\n\n{text}" if self._released.get(index) else text]
        ]

    def calls(self, choice: int) -> tuple[str, ...]:
        """The calls so far; Vertex AI may send the arguments of one in pieces."""
        return tuple(_call_text(name, args) for name, args in self._calls.get(choice, ()))


def _at(value: Any, *path: str) -> Any:
    for name in path:
        found = get(value, name)
        value = get(value, _snake(name)) if found is None else found
    return value


def _candidates(reply: Any) -> Sequence[Any]:
    candidates = _at(reply, "candidates") or []
    if not isinstance(candidates, list):
        raise UnsupportedReply("the reply's candidates are no list.")
    return candidates


def _stop(candidate: Any) -> str | None:
    """Why the candidate ended; None where it did not."""
    reason = _at(candidate, "finishReason")
    return None if reason is None or reason == "FINISH_REASON_UNSPECIFIED" else str(reason)


def _choice(candidate: Any, *, goes_on: bool = False) -> Choice:
    """The candidate. `goes_on` says that the SDK could fetch more of it where it has no stop reason."""
    if _at(candidate, "finishReason") == "CONTINUATION" or (goes_on and _stop(candidate) is None):
        raise UnsupportedReply(
            "the reply goes on in another call (a continuation token), and its sentences cannot be judged as one. "
            "Set max_output_tokens to what one call gives."
        )
    if _at(candidate, "content", "role") not in {None, "", "model"}:
        raise UnsupportedReply("a candidate of the reply is not the model's.")
    parts = _parts_of(_at(candidate, "content"))
    texts = tuple(text for text in map(_prose, parts) if text is not None)
    calls = tuple(_call_text(*call) for call in map(_call, parts) if call is not None)
    return Choice(texts, calls, holds_other=len(texts) < len(parts))


def _parts_of(content: Any) -> list[Any]:
    if isinstance(content, str):
        return [{"text": content}]
    parts = _at(content, "parts") or []
    if not isinstance(parts, list) or any(isinstance(part, str | list | float | int | None) for part in parts):
        raise UnsupportedReply("the parts of a content are no list of parts.")
    return parts


def _prose(part: Any) -> str | None:
    """The part's text for the reader; None where it is known to be something else."""
    held = {name for name, value in dict(part).items() if value is not None} - _BESIDE
    text, thought = get(part, "text"), get(part, "thought")
    if held == {"text"} and isinstance(text, str) and (thought is None or isinstance(thought, bool)):
        return None if thought else text
    kinds = [str(_at(part, kind, "mimeType")).lower() for kind in _MEDIA if _at(part, kind) is not None]
    if len(held) > 1 or not held <= _NOT_PROSE or not all(kind.startswith("image/") for kind in kinds):
        raise UnsupportedReply("a part of the reply (an unknown kind, audio, video, a document) cannot be judged.")
    return None


def _call(part: Any) -> tuple[str, Collection[Any]] | None:
    """A call's name, and its arguments or the pieces of them that the part holds."""
    for kind in _CALLS:
        if (call := _at(part, kind)) is not None:
            name = get(call, "name") or _at(call, "toolType") or ("" if kind == "functionCall" else kind)
            whole = get(call, "code") if kind == "executableCode" else get(call, "args")
            return str(name), [*([] if whole is None else [whole]), *(_at(call, "partialArgs") or ())]
    return None


def _call_text(name: str, args: Collection[Any]) -> str:
    said = next(iter(args)) if len(args) == 1 else list(args) or {}
    dumped = json.dumps(said, ensure_ascii=False, default=lambda held: held.model_dump(mode="json", exclude_none=True))
    return f"{name}({dumped})"


def _saying(reply: Any, text: str, index: int | None = None) -> list[Any]:
    """Candidates that say one text, of the reply's own classes."""
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": index}
    made = [{name: value for name, value in candidate.items() if value is not None}]
    return made if isinstance(reply, Mapping) else type(reply).model_validate({"candidates": made}).candidates


def _revised(reply: Any, held: Any, choice: Choice, text: str) -> Any:
    shares, made = iter(shared_out(choice.texts, text)), []
    for part in _parts_of(get(held, "content")):
        old = _prose(part)
        new = None if old is None else next(shares)
        if new or new == old:  # one that did not change keeps its signature
            made.append(part if new == old else bare(part, (), {"text": new}))
    said = get(_saying(reply, text)[0], "content")
    if not choice.texts or not made:  # chats take a content without parts for an invalid one
        made.extend(_parts_of(said))
    return bare(held, _KEPT_OF_CANDIDATE, {"content": with_fields(get(held, "content") or said, {"parts": made})})


def _messages(content: Any) -> Iterator[Message]:
    """A content's messages: functions' results are the tool's, the rest is whose role it is."""
    speaker = {"model": "assistant", "system": "system"}.get(str(get(content, "role")), "user")
    results = [(part, _at(part, "functionResponse")) for part in _parts_of(content)]
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
    if (call := _call(part)) is not None:
        return f"[{_call_text(*call)}]"
    media = next((held for kind in _MEDIA if (held := _at(part, kind))), None)
    kind = str(_at(media, "mimeType") or "")
    if kind.startswith("text/") and get(media, "data"):
        return base64.urlsafe_b64decode(str(get(media, "data"))).decode("utf-8", "replace")
    return f"[{kind or next(iter(part), 'empty')}]"
