"""Streams of chat completions: `chat.completion.chunk` objects, and dictionaries of that shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from guardrails.dialects._interface import Said
from guardrails.dialects._paragraphs import Paragraphs
from guardrails.dialects._shape import bare, get
from guardrails.errors import UnsupportedReply

# What a copy keeps of the completion or chunk it stands for. Everything else may repeat or describe the text that is
# gone.
KEPT = frozenset({"id", "object", "created", "model", "usage", "service_tier", "system_fingerprint", "metadata"})
CALLS = ("tool_calls", "function_call")
REASONING = ("reasoning_content", "reasoning")

_BESIDES = frozenset({"role", *CALLS, *REASONING})  # what a delta may hold besides text
_CHUNK = "chat.completion.chunk"
_ENVELOPE = KEPT - {"usage", "metadata"}


class ChatEvents:
    """One stream of chunks. Each holds at most one choice; those of usage alone hold none."""

    has_stop = True

    def __init__(self) -> None:
        # The chunk that a fallback is made after: the last one with a delta, so that its classes are the stream's.
        self._model: Any = {"object": _CHUNK, "id": "", "created": 0, "model": "", "choices": [{"delta": {}}]}
        self._paragraphs: dict[int, Paragraphs] = {}
        self._refused: set[int] = set()  # choices that a refusal was read of
        self._begun: set[int] = set()  # choices that something went out of
        self._spoken: set[int] = set()
        self._calls: dict[int, dict[Any, tuple[str, str]]] = {}
        self._last: dict[int, Any] = {}  # the last chunk with text of each choice
        self._out: set[int] = set()  # choices whose last one went out

    def read(self, event: Any) -> Said:
        """What the chunk's choice adds."""
        choices, failed = get(event, "choices"), get(event, "error") is not None
        if failed and not choices:
            return Said(failed=True)
        # Azure's chunks that report its content filter have an empty `object`.
        if not isinstance(choices, list) or get(event, "object") not in {_CHUNK, "", None}:
            raise UnsupportedReply("an event of the stream is no chat.completion.chunk with a list of choices.")
        if len(choices) > 1:
            raise UnsupportedReply("a chunk of the stream holds several choices, which cannot be judged one by one.")
        if not choices:
            return Said()
        if get(choices[0], "delta") is not None:
            self._model = event
        said = self._read(choices[0])
        if said.text:
            self._last[said.choice] = event
            self._out.discard(said.choice)
        whole = bool(said.text and (_holds_more(event) or get(choices[0], "logprobs")))
        return replace(said, whole=whole, failed=failed and not said.text)

    def with_text(self, event: Any, text: str) -> Any | None:
        """The chunk with another text; None where it held no more than its text."""
        choice = get(event, "choices", 0)
        delta = get(choice, "delta")
        if not text and not _holds_more(event):
            return None
        # What is appended comes as the last text once more, without the role that went out with it.
        kept = () if self._is_out(event) else _BESIDES
        self._went_out(event)
        said = bare(delta, kept, {"content" if get(delta, "content") else "refusal": text})
        return bare(event, KEPT, {"choices": [bare(choice, {"index", "finish_reason"}, {"delta": said})]})

    def out(self, event: Any) -> Any:
        """The chunk itself: no chunk repeats the text of another."""
        self._went_out(event)
        delta = get(event, "choices", 0, "delta")
        if delta is not None:
            self._begun.add(_choice_of(event))
        if get(delta, "content") or get(delta, "refusal"):
            self._spoken.add(_choice_of(event))
        return event

    def fallback(self, text: str) -> Sequence[Any]:
        """A chunk with the text, after what the first choice said, and one for each choice that ends it."""
        said = {"content": f"\n\n{text}"} if 0 in self._spoken else {"role": "assistant", "content": text}
        return (self._chunk(said), *(self._chunk({}, index, "stop") for index in sorted(self._begun | {0})))

    def calls(self, choice: int) -> tuple[str, ...]:
        """The choice's tool calls so far."""
        return tuple(f"{name}({arguments})" for name, arguments in self._calls.get(choice, {}).values())

    def _read(self, choice: Any) -> Said:
        index, delta = get(choice, "index"), get(choice, "delta")
        texts = [get(delta, "content"), get(delta, "refusal")]
        if not all(text is None or isinstance(text, str) for text in texts):
            raise UnsupportedReply("content and refusal of a chunk must be str or None.")
        if not isinstance(index, int | None) or isinstance(index, bool) or (index or 0) < 0:
            raise UnsupportedReply("the index of a choice of the stream must be a whole number from 0.")
        if get(delta, "audio") is not None:
            raise UnsupportedReply("the stream holds audio, and what is spoken can be neither judged nor revised.")
        if get(choice, "message") is not None or get(choice, "text") is not None:
            raise UnsupportedReply("a choice of the stream holds more than a delta.")
        if all(texts):
            raise UnsupportedReply("a chunk of the stream holds content and a refusal at once.")
        text, apart = "".join(text or "" for text in texts), self._is_apart(index or 0, *texts)
        call, last = self._read_calls(index or 0, delta), get(choice, "finish_reason") is not None
        describes = bool(get(delta, "annotations")) and not (text or call or last)
        return Said(text, index or 0, call=call, describes=describes, ends_part=last, last=last, apart=apart)

    def _is_apart(self, choice: int, content: str | None, refusal: str | None) -> bool:
        # What is read is a message's content, then its refusal, in whatever order their pieces come.
        if content and choice in self._refused:
            raise UnsupportedReply("content comes after a refusal in the stream, and cannot be judged in its place.")
        self._refused.update({choice} if refusal else ())
        paragraphs = self._paragraphs.setdefault(choice, Paragraphs())
        return paragraphs.begins(content or refusal or "", bool(refusal))

    def _is_out(self, event: Any) -> bool:
        choice = _choice_of(event)
        return choice in self._out and event is self._last[choice]

    def _went_out(self, event: Any) -> None:
        choice = _choice_of(event)
        if event is self._last.get(choice):
            self._out.add(choice)

    def _read_calls(self, choice: int, delta: Any) -> bool:
        """Gather the pieces of tool calls; whether there were any."""
        old = get(delta, "function_call")
        pieces = [*(get(delta, "tool_calls") or ()), *([{"index": "function_call", "function": old}] if old else ())]
        for piece in pieces:
            held = self._calls.setdefault(choice, {})
            before = held.get(get(piece, "index"), ("", ""))
            name, arguments = named_call(piece)
            held[get(piece, "index")] = (before[0] + name, before[1] + arguments)
        return bool(pieces)

    def _chunk(self, delta: Mapping[str, Any], index: int = 0, finish_reason: str | None = None) -> Any:
        choice = get(self._model, "choices", 0)
        said = bare(get(choice, "delta"), (), delta)
        made = bare(choice, (), {"index": index, "delta": said, "finish_reason": finish_reason})
        return bare(self._model, _ENVELOPE, {"choices": [made]})


def _choice_of(event: Any) -> int:
    return int(get(event, "choices", 0, "index") or 0)


def _holds_more(event: Any) -> bool:
    """Whether a chunk holds more than its text and what describes that."""
    choice = get(event, "choices", 0)
    besides = [get(choice, "delta", name) for name in _BESIDES]
    return any((*besides, get(choice, "finish_reason"), get(event, "usage")))


def named_call(call: Any) -> tuple[str, str]:
    """The name and the arguments of a tool call, or of a piece of one.

    Raises:
        UnsupportedReply: it is neither a function's nor a custom tool's.
    """
    if get(call, "type") not in {None, "function", "custom"}:
        raise UnsupportedReply("a tool call is neither a function's nor a custom tool's.")
    name = get(call, "function", "name") or get(call, "custom", "name") or ""
    arguments = get(call, "function", "arguments") or get(call, "custom", "input") or ""
    return str(name), str(arguments)
