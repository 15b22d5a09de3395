"""A candidate of a Gemini reply: what its parts are, and a copy of it that says something else."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from guardrails.dialects._interface import Choice
from guardrails.dialects._paragraphs import apart
from guardrails.dialects._shape import bare, get, with_fields
from guardrails.errors import UnsupportedReply


@cache
def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name)


def both(*names: str) -> frozenset[str]:
    """Names in both spellings."""
    return frozenset({*names, *map(_snake, names)})


# Kinds of parts that are no prose for the reader, and what may stand beside any kind. A part of another kind is
# refused: a new one may hold prose. So are a transcription, and media other than images: they may speak.
_CALLS, MEDIA = ("functionCall", "toolCall", "executableCode"), ("inlineData", "fileData")
_NOT_PROSE = both(*_CALLS, *MEDIA, "functionResponse", "toolResponse", "codeExecutionResult")
_BESIDE = both(
    *("thought", "thoughtSignature", "partMetadata", "mediaResolution", "mediaProcessing", "videoMetadata"),
    *("speechMetadata", "documentMetadata", "spreadsheetMetadata", "audioMetadata"),
)
DESCRIBES = ("citationMetadata", "groundingMetadata", "logprobsResult", "avgLogprobs")
# What a copy keeps. Everything else may repeat or describe the text that is gone.
IDS = both("usageMetadata", "modelVersion", "responseId", "createTime", "sdkHttpResponse")
KEPT = IDS | both("promptFeedback", "modelStatus", "automaticFunctionCallingHistory")
_KEPT_OF_CANDIDATE = both("index", "finishReason", "safetyRatings", "tokenCount", "urlContextMetadata")


def at(value: Any, *path: str) -> Any:
    """What stands under a path of names of the wire, in either spelling."""
    for name in path:
        found = get(value, name)
        value = get(value, _snake(name)) if found is None else found
    return value


def candidates_of(reply: Any) -> Sequence[Any]:
    """The candidates of a reply, or of a chunk of one."""
    found = at(reply, "candidates") or []
    if not isinstance(found, list):
        raise UnsupportedReply("the reply's candidates are no list.")
    return found


def index_of(candidate: Any) -> int:
    """Which alternative the candidate is; the wire leaves out that it is the first."""
    index = at(candidate, "index")
    if not isinstance(index, int | None) or isinstance(index, bool) or (index or 0) < 0:
        raise UnsupportedReply("the index of a candidate must be a whole number from 0.")
    return index or 0


def stop_of(candidate: Any) -> str | None:
    """Why the candidate ended; None where it did not."""
    reason = at(candidate, "finishReason")
    return None if reason is None or reason == "FINISH_REASON_UNSPECIFIED" else str(reason)


def choice_of(candidate: Any, *, goes_on: bool = False) -> Choice:
    """The candidate. `goes_on` says that the SDK could fetch more of it where it has no stop reason."""
    if at(candidate, "finishReason") == "CONTINUATION" or (goes_on and stop_of(candidate) is None):
        raise UnsupportedReply(
            "the reply goes on in another call (a continuation token), and its sentences cannot be judged as one. "
            "Set max_output_tokens to what one call gives."
        )
    if at(candidate, "content", "role") not in {None, "", "model"}:
        raise UnsupportedReply("a candidate of the reply is not the model's.")
    parts = parts_of(at(candidate, "content"))
    read = [prose_of(part) for part in parts]
    texts = tuple(text for text in read if text is not None)
    calls = tuple(call_text(*call) for call in map(call_of, parts) if call is not None)
    shown = [text for part, text in zip(parts, read, strict=True) if text is not None or stands_between(part)]
    parted = apart(None if text is None else (text, None) for text in shown)
    return Choice(texts, calls, holds_other=len(texts) < len(parts), apart=parted)


def parts_of(content: Any) -> list[Any]:
    """The parts of a content."""
    if isinstance(content, str):
        return [{"text": content}]
    parts = at(content, "parts") or []
    if not isinstance(parts, list) or any(isinstance(part, str | list | float | int | None) for part in parts):
        raise UnsupportedReply("the parts of a content are no list of parts.")
    return parts


def stands_between(part: Any) -> bool:
    """Whether a part that is no prose parts the texts around it: a reader sees nothing of a signature or a thought."""
    held = {name for name, value in dict(part).items() if value is not None} - _BESIDE
    return bool(held) and not get(part, "thought")


def prose_of(part: Any) -> str | None:
    """The part's text for the reader; None where it is known to be something else."""
    held = {name for name, value in dict(part).items() if value is not None} - _BESIDE
    text, thought = get(part, "text"), get(part, "thought")
    if held == {"text"} and isinstance(text, str) and (thought is None or isinstance(thought, bool)):
        return None if thought else text
    kinds = [str(at(part, kind, "mimeType")).lower() for kind in MEDIA if at(part, kind) is not None]
    if len(held) > 1 or not held <= _NOT_PROSE or not all(kind.startswith("image/") for kind in kinds):
        raise UnsupportedReply("a part of the reply (an unknown kind, audio, video, a document) cannot be judged.")
    return None


def call_of(part: Any) -> tuple[str, Collection[Any]] | None:
    """A call's name, and its arguments or the pieces of them that the part holds."""
    for kind in _CALLS:
        if (call := at(part, kind)) is not None:
            name = get(call, "name") or at(call, "toolType") or ("" if kind == "functionCall" else kind)
            whole = get(call, "code") if kind == "executableCode" else get(call, "args")
            return str(name), [*([] if whole is None else [whole]), *(at(call, "partialArgs") or ())]
    return None


def call_text(name: str, args: Collection[Any]) -> str:
    """A call as one text, with its arguments as JSON."""
    said = next(iter(args)) if len(args) == 1 else list(args) or {}
    dumped = json.dumps(said, ensure_ascii=False, default=lambda held: held.model_dump(mode="json", exclude_none=True))
    return f"{name}({dumped})"


def saying(reply: Any, text: str, index: int | None = None) -> list[Any]:
    """Candidates that say one text, of the reply's own classes."""
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": index}
    made = [{name: value for name, value in candidate.items() if value is not None}]
    return made if isinstance(reply, Mapping) else type(reply).model_validate({"candidates": made}).candidates


def revised(reply: Any, held: Any, choice: Choice, text: str) -> Any:
    """The candidate with its text parts revised."""
    shares, made = iter(choice.shares(text)), []
    for part in parts_of(get(held, "content")):
        old = prose_of(part)
        new = None if old is None else next(shares)
        if new or new == old:  # one that did not change keeps its signature
            made.append(part if new == old else bare(part, (), {"text": new}))
    said = get(saying(reply, text)[0], "content")
    if not choice.texts or not made:  # chats take a content without parts for an invalid one
        made.extend(parts_of(said))
    return bare(held, _KEPT_OF_CANDIDATE, {"content": with_fields(get(held, "content") or said, {"parts": made})})
