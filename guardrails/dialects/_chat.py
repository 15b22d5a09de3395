"""OpenAI's chat completions, which most other servers speak too: objects, and dictionaries of that shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from guardrails.dialects._chat_events import CALLS, KEPT, REASONING, ChatEvents, named_call
from guardrails.dialects._interface import Choice, Events
from guardrails.dialects._paragraphs import apart
from guardrails.dialects._shape import bare, get
from guardrails.errors import UnsupportedReply
from guardrails.exchange import Exchange


class ChatDialect:
    """Chat completions."""

    name = "chat"

    def speaks(self, value: Any) -> bool:
        """Whether it is a `ChatCompletion`."""
        return bool(get(value, "object") == "chat.completion")

    def choices(self, reply: Any) -> tuple[Choice, ...]:
        """The alternatives, one for each of n."""
        choices = get(reply, "choices")
        if not isinstance(choices, list) or not choices:
            raise UnsupportedReply("the completion holds no list of choices.")
        return tuple(map(_choice, choices))

    def with_texts(self, reply: Any, texts: Sequence[str]) -> Any:
        """The completion with the messages of its choices revised; choices that did not change stay as they are."""
        pairs = zip(get(reply, "choices"), self.choices(reply), texts, strict=True)
        made = [held if text == choice.text else _revised(held, choice, text) for held, choice, text in pairs]
        return bare(reply, KEPT, {"choices": made})

    def fallback(self, reply: Any, text: str) -> Any:
        """The completion with one choice."""
        first = get(reply, "choices", 0)
        made = _with_message(first, {"role"}, {"content": text}, finish_reason="stop")
        return bare(reply, KEPT, {"choices": [made]})

    def exchange(self, body: Mapping[str, Any]) -> Exchange:
        """The messages."""
        return Exchange([_asked(message) for message in body.get("messages") or ()])

    def asks_for_data(self, body: Mapping[str, Any]) -> bool:
        """Whether the request names a response format other than text."""
        return get(body, "response_format", "type") not in {None, "text"}

    def events(self) -> Events:
        """A reader of chunks."""
        return ChatEvents()


def _asked(message: Any) -> Any:
    """A message whose calls are all written as calls of functions, as an `Exchange` reads them."""
    calls = _calls_of(message)
    if not calls or not isinstance(message, Mapping):
        return message
    return {**message, "tool_calls": [{"name": name, "arguments": arguments} for name, arguments in calls]}


def _calls_of(message: Any) -> list[tuple[str, str]]:
    old = get(message, "function_call")
    calls = [*(get(message, "tool_calls") or ()), *([{"function": old}] if old else ())]
    return [named_call(call) for call in calls]


def _choice(choice: Any) -> Choice:
    message = get(choice, "message")
    if get(message, "role") != "assistant":
        raise UnsupportedReply("a choice of the completion holds no message of an assistant.")
    if get(message, "audio") is not None:
        raise UnsupportedReply("the completion holds audio, and what is spoken can be neither judged nor revised.")
    if get(choice, "text") is not None or get(choice, "delta") is not None:
        raise UnsupportedReply("a choice of the completion holds more than a message.")
    texts = (get(message, "content"), get(message, "refusal"))
    if not all(text is None or isinstance(text, str) for text in texts):
        raise UnsupportedReply("content and refusal of the completion's message must be str or None.")
    calls = tuple(f"{name}({arguments})" for name, arguments in _calls_of(message))
    other = bool(calls) or any(get(message, name) for name in REASONING)
    content, refusal = [text or "" for text in texts]
    return Choice((content, refusal), calls, other, apart([(content, "content"), (refusal, "refusal")]))


def _revised(held: Any, choice: Choice, text: str) -> Any:
    content, refusal = choice.shares(text)
    revised = {"content": content or None, "refusal": refusal} if refusal else {"content": content}
    return _with_message(held, {"role", *CALLS}, revised)


def _with_message(choice: Any, kept: Collection[str], message: Mapping[str, Any], **changes: Any) -> Any:
    """A choice with another message; log-probabilities and all that described the old one go."""
    made = {"message": bare(get(choice, "message"), kept, message), **changes}
    return bare(choice, {"index", "finish_reason"}, made)
