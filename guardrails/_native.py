"""Replies in the types that SDKs return them: their text out, a revised text back in.

No SDK is imported: replies are told apart by their own type fields, as objects and as dictionaries
alike. A shape that is not known may hold text that nobody judged, so it is refused. Tool calls and
thinking are not text: they pass as they are. Called by the guard.
"""

from __future__ import annotations

import re
import weakref
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile
from operator import itemgetter
from typing import Any

from guardrails.errors import UnsupportedReply
from guardrails.outcome import Outcome
from guardrails.sentences import split

# Anthropic's content blocks that are no prose for the reader. A type that is in no list is refused: a new
# one may hold prose. So is `compaction`: its summary is prose that can be neither judged nor altered.
_NOT_PROSE = frozenset({
    "thinking", "redacted_thinking", "tool_use", "server_tool_use", "mcp_tool_use", "web_search_tool_result",
    "web_fetch_tool_result", "code_execution_tool_result", "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result", "tool_search_tool_result", "mcp_tool_result", "advisor_tool_result",
    "mcp_tool_listing", "container_upload", "fallback",
})  # fmt: skip

# What a copy keeps of the reply it stands for. Everything else may repeat or describe the text that is gone.
_MESSAGE_IDS = frozenset({"id", "type", "role", "model", "usage", "container"})
_MESSAGE = _MESSAGE_IDS | {"stop_reason", "stop_sequence", "stop_details", "diagnostics", "context_management"}
_COMPLETION = frozenset({"id", "object", "created", "model", "usage", "service_tier", "system_fingerprint", "metadata"})
_CALLS = ("tool_calls", "function_call")
_REASONING = ("reasoning_content", "reasoning")
_NAME = re.compile(r"[a-z\d_.]{1,50}")  # a name may be shown in an error, a text may not

_outcomes: dict[int, tuple[weakref.ref[Any], Outcome]] = {}


@dataclass(frozen=True, slots=True)
class Native:
    """A reply in the type it came in.

    `texts` are its text parts, in order (of a chat completion: content and refusal); `text` is what is
    judged. `holds_other` says that there is something known to be no prose: tool calls, thinking.
    """

    value: Any
    kind: str
    texts: tuple[str, ...]
    holds_other: bool = False

    @property
    def text(self) -> str:
        """The reply as one text."""
        return "".join(self.texts)

    @property
    def is_silent(self) -> bool:
        """Whether the reply is no text at all: tool calls, say. A reply that holds nothing is an empty text."""
        return self.holds_other and not self.text.strip()

    def with_text(self, text: str) -> Any:
        """The same reply with another text; parts whose text did not change stay as they were."""
        if text == self.text:
            return self.value
        if self.kind == "str":
            return text
        shares = _shared_out(self.texts, text)
        if self.kind == "anthropic":
            return _bare(self.value, _MESSAGE, {"content": _revised_blocks(self.value, shares, text)})
        content, refusal = shares
        revised = {"content": content or None, "refusal": refusal} if refusal else {"content": content}
        return _with_message(self.value, {"role", *_CALLS}, revised)

    def fallback(self, text: str) -> Any:
        """The reply with a fallback in place of all that it held, tool calls and thinking included."""
        if self.kind == "str":
            return text
        if self.kind == "anthropic":
            changes = {"content": [_text_block(self.value, text)], "stop_reason": "end_turn"}
            return _bare(self.value, _MESSAGE_IDS, changes)
        return _with_message(self.value, {"role"}, {"content": text}, finish_reason="stop")


def read(value: Any) -> Native:
    """Read a reply: text, an Anthropic `Message`, an OpenAI `ChatCompletion`, or a dict of those shapes.

    Raises:
        UnsupportedReply: anything else, and whatever in those shapes may hold text that cannot be judged.
    """
    if isinstance(value, str):
        return Native(value, "str", (value,))
    if _get(value, "type") == "message":
        return _read_message(value)
    if _get(value, "object") == "chat.completion":
        return _read_completion(value)
    raise _unsupported(f"a guarded function returned {type(value).__name__}.")


def outcome_of(reply: Any) -> Outcome:
    """The outcome that a guarded call's reply came from.

    For SDK objects; a `str` or a `dict` cannot carry one.

    Raises:
        TypeError: a `str` or a `dict`. Call the guarded function's `.outcome(…)` instead.
        LookupError: no guard returned this object.
    """
    if isinstance(reply, str | dict):
        raise TypeError(
            f"a {type(reply).__name__} cannot carry its outcome; call the guarded function as function.outcome(…)"
        )
    found = _outcomes.get(id(reply))
    if found is None or found[0]() is not reply:
        raise LookupError(f"this {type(reply).__name__} did not come from a guarded call")
    return replace(found[1], reply=reply)


def remember(reply: Any, outcome: Outcome) -> None:
    """Let `outcome_of` find the outcome for as long as the reply lives, and no longer."""
    if isinstance(reply, str | dict):
        return
    key = id(reply)
    forget = _outcomes.pop  # bound now: at the end of the process the module's names are gone
    _outcomes[key] = (weakref.ref(reply, lambda _: forget(key, None)), replace(outcome, reply=None))


def _unsupported(problem: str) -> UnsupportedReply:
    return UnsupportedReply(
        f"{problem} Return the reply as str, as an Anthropic Message, as an OpenAI ChatCompletion, or as a dict of "
        "those shapes; of any other reply, return its text as str (of an OpenAI Response: its output_text)."
    )


def _read_message(message: Any) -> Native:
    blocks = _get(message, "content")
    if _get(message, "role") != "assistant" or not isinstance(blocks, list):
        raise _unsupported("the message is not an assistant's with a list of content blocks.")
    texts = tuple(_block_text(number, block) for number, block in enumerate(blocks, 1) if not _is_other(block))
    return Native(message, "anthropic", texts, len(texts) < len(blocks))


def _is_other(block: Any) -> bool:
    kind = _get(block, "type")
    return isinstance(kind, str) and kind in _NOT_PROSE


def _block_text(number: int, block: Any) -> str:
    kind, text = _get(block, "type"), _get(block, "text")
    if kind == "text" and isinstance(text, str):
        return text
    named = kind if isinstance(kind, str) and _NAME.fullmatch(kind) else "unknown"
    raise _unsupported(f"content block {number} of the message (type: {named}) is not one that can be judged.")


def _read_completion(completion: Any) -> Native:
    choices = _get(completion, "choices")
    if not isinstance(choices, list) or len(choices) != 1:
        count = len(choices) if isinstance(choices, list) else "no list of"
        raise UnsupportedReply(f"the reply has {count} choices, and a guard releases one. Ask for one: leave out n=.")
    message = _get(choices[0], "message")
    if _get(message, "role") != "assistant":
        raise _unsupported("the choice of the completion holds no message of an assistant.")
    if _get(message, "audio") is not None:
        raise _unsupported("the completion holds audio, and what is spoken can be neither judged nor revised.")
    texts = (_get(message, "content"), _get(message, "refusal"))
    if not all(text is None or isinstance(text, str) for text in texts):
        raise _unsupported("content and refusal of the completion's message must be str or None.")
    other = any(_get(message, name) for name in (*_CALLS, *_REASONING))
    return Native(completion, "openai", tuple(text or "" for text in texts), other)


def _get(value: Any, name: str) -> Any:
    """A field of a dictionary or of an SDK's object; None where there is none, and of anything else."""
    if isinstance(value, Mapping):
        return value.get(name)
    return getattr(value, name, None) if hasattr(type(value), "model_copy") else None


def _bare(value: Any, kept: Collection[str], changes: Mapping[str, Any]) -> Any:
    """A copy with some fields changed, and None in every other one that is not kept, the unknown ones included."""
    gone = {name: None for name, held in dict(value).items() if held is not None and name not in kept}
    update = {**gone, **changes}
    return {**value, **update} if isinstance(value, Mapping) else value.model_copy(update=update)


def _with_message(completion: Any, kept: Collection[str], message: Mapping[str, Any], **choice: Any) -> Any:
    """A chat completion with another message; log-probabilities and all that described the old one go."""
    first = _get(completion, "choices")[0]
    made = {"message": _bare(_get(first, "message"), kept, message), **choice}
    return _bare(completion, _COMPLETION, {"choices": [_bare(first, {"index", "finish_reason"}, made)]})


def _text_block(message: Any, text: str) -> Any:
    block = {"type": "text", "text": text, "citations": None}
    # An SDK's class makes its content blocks of the classes that belong to it.
    return block if isinstance(message, Mapping) else type(message).model_construct(content=[block]).content[0]


def _revised_blocks(message: Any, shares: Sequence[str], text: str) -> list[Any]:
    blocks, remaining = _get(message, "content"), iter(shares)
    made = [block if _is_other(block) else _revised_block(block, next(remaining)) for block in blocks]
    return [block for block in made if block is not None] if shares else [*made, _text_block(message, text)]


def _revised_block(block: Any, share: str) -> Any:
    if not share:  # the APIs refuse empty text blocks
        return None
    if share != _get(block, "text"):  # citations and parsed output are those of the text that is gone
        return _bare(block, {"type"}, {"text": share})
    return block if _get(block, "parsed_output") is None else _bare(block, {"type", "text", "citations"}, {})


def _shared_out(parts: Sequence[str], text: str) -> list[str]:
    """A revised text, given back to the parts that the old one was made of, sentence by sentence.

    A sentence that did not change stays in its parts, an edited one goes where the old one began, and an added
    one where the sentence before it ended. That never goes back to an earlier part, so the shares join to the text.
    """
    if len(parts) <= 1:
        return [text] * len(parts)
    old, new = split("".join(parts)), split(text)
    spans = _spans(parts, old)
    shares: list[list[str]] = [[] for _ in parts]
    part = spans[0][0][0] if spans else 0
    for sentence, match in zip(new, _matches(old, new), strict=True):
        done = 0
        if match is not None:
            part = spans[match][0][0]
            if sentence.rstrip() == old[match].rstrip():
                for part, start, done in spans[match]:
                    shares[part].append(sentence[start:done])
        shares[part].append(sentence[done:])
    joined = ["".join(share) for share in shares]
    return joined if "".join(joined) == text else [text, *[""] * (len(parts) - 1)]


def _spans(parts: Sequence[str], sentences: Sequence[str]) -> list[list[tuple[int, int, int]]]:
    """For each sentence, the parts that it stands in, each with where in the sentence that is."""
    spans: list[list[tuple[int, int, int]]] = []
    part, room = -1, 0
    for sentence in sentences:
        span, start = [], 0
        while start < len(sentence):
            while not room:
                part, room = part + 1, len(parts[part + 1])
            stop = min(start + room, len(sentence))
            span.append((part, start, stop))
            room -= stop - start
            start = stop
        spans.append(span)
    return spans


def _matches(old: Sequence[str], new: Sequence[str]) -> list[int | None]:
    """For each new sentence the old one that it is, or stands for, in rising order; None for an added one.

    Sentences that both texts hold once are fixed points; between them, what is equal at the start and at the end
    is matched first, then the rest in order. Linear but for finding the fixed points' order (n log n).
    """
    was, now = [sentence.rstrip() for sentence in old], [sentence.rstrip() for sentence in new]
    found: list[int | None] = [None] * len(new)
    for (i, j), (i_end, j_end) in pairwise([(0, 0), *_fixed_points(was, now), (len(was), len(now))]):
        old_gap, new_gap = was[i:i_end], now[j:j_end]
        paired = min(len(old_gap), len(new_gap))
        head = _agreeing(old_gap, new_gap)
        tail = min(paired - head, _agreeing(old_gap[::-1], new_gap[::-1]))
        found[j : j + paired - tail] = range(i, i + paired - tail)
        found[j_end - tail : j_end] = range(i_end - tail, i_end)
    return found


def _agreeing(old: Sequence[str], new: Sequence[str]) -> int:
    """How many sentences are the same before the first that differs."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _fixed_points(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Where the sentences stand that both texts hold exactly once: the longest run of them that rises in both."""
    in_old, in_new, place = Counter(old), Counter(new), {sentence: j for j, sentence in enumerate(new)}
    ends: list[tuple[int, int]] = []  # of the runs of each length, the end that leaves most room
    before: dict[tuple[int, int], tuple[int, int]] = {}
    for i, sentence in enumerate(old):
        if in_old[sentence] == in_new[sentence] == 1:
            point = (i, place[sentence])
            length = bisect_left(ends, point[1], key=itemgetter(1))
            if length:
                before[point] = ends[length - 1]
            ends[length : length + 1] = [point]
    run = ends[-1:]
    while run and run[-1] in before:
        run.append(before[run[-1]])
    return run[::-1]
