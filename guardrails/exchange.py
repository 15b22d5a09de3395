"""The conversation, its context and the reply: what judges see, all of it, never the reply alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from guardrails.sentences import split

Role = Literal["system", "user", "assistant", "tool"]
_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "model": "assistant",
    "human": "user",
    "ai": "assistant",  # LangChain's
}
_HOLDERS = ("text", "content", "output", "page_content", "refusal")  # the keys that a block's text may stand under
_SOURCES = frozenset({"document", "search_result"})
_CALLS = ("tool_use", "function_call")  # `server_tool_use` and `mcp_tool_use` end so too
_JAPANESE = re.compile(r"[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9d]")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation. `role` is `system`, `user`, `assistant` or `tool`."""

    role: Role
    content: str


@dataclass(frozen=True, init=False)
class Exchange:
    """A conversation, the context it was given, and the reply to be judged.

    `messages` may be given as one string (a user message), as `Message` values, or as the
    dictionaries that chat APIs take; `context` holds retrieved documents and tool results as text.

    >>> exchange = Exchange("Is this fund safe?", "It cannot lose money.", context=["Fact sheet: ..."])
    >>> exchange.messages[0].role, exchange.sentences
    ('user', ('It cannot lose money.',))
    """

    messages: tuple[Message, ...]
    reply: str
    context: tuple[str, ...]
    out: str = field(default="", init=False, repr=False, compare=False)
    settled: tuple[str, ...] = field(default=(), init=False, repr=False, compare=False)
    """Of a streamed reply, what is out, and its sentences: their boundaries stay, whatever follows them."""

    def __init__(
        self, messages: str | Message | Iterable[Any] = (), reply: str = "", context: str | Iterable[Any] = ()
    ) -> None:
        if not isinstance(reply, str):
            raise TypeError(f"a reply is text, not {type(reply).__name__}")
        object.__setattr__(self, "messages", tuple(_messages(messages)))
        object.__setattr__(self, "reply", reply)
        object.__setattr__(self, "context", tuple(_context(context)))

    def with_reply(self, reply: str) -> Exchange:
        """The same conversation with another reply."""
        made = copy(self)
        made.__dict__.pop("sentences", None)
        object.__setattr__(made, "reply", reply)
        return made

    def streaming(self, out: str, settled: tuple[str, ...], text: str) -> Exchange:
        """The same conversation with a reply that goes on after sentences that were judged, and are out."""
        made = self.with_reply(out + text)
        for name, value in (("out", out), ("settled", settled)):
            object.__setattr__(made, name, value)
        return made

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """The reply's sentences, in order; sentence 1 is the first."""
        if not self.settled or not self.reply.startswith(self.out):
            return split(self.reply)
        return (*self.settled, *split(self.reply[len(self.out) :]))

    @property
    def judged(self) -> int:
        """How many of the sentences were judged before, and are context only."""
        return len(self.settled)

    @property
    def has_sources(self) -> bool:
        """Whether the reply was given something that its facts can stand in: context, or results of tools."""
        return bool(self.context) or any(message.role == "tool" for message in self.messages)

    @property
    def prompt(self) -> str:
        """The last user message, or an empty string."""
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def language(self) -> str:
        """`ja` where the last user message, or without one the reply, holds kana; else `en`."""
        return language_of(self.prompt or self.reply)


def language_of(text: str) -> str:
    """`ja` for a text that holds kana, else `en`: the two languages that the library ships."""
    return "ja" if _JAPANESE.search(text) else "en"


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or a list of blocks as the chat APIs take them.

    Blocks that hold no text (images, audio) leave a marker, so that a judge knows of them.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        return _block_text(content)
    if hasattr(content, "page_content"):  # a retriever's document
        return str(content.page_content)
    if hasattr(content, "to_dict"):  # an SDK's object, which would iterate over its fields
        return text_of(content.to_dict())
    if isinstance(content, Iterable):
        return "\n".join(text_of(item) for item in content)
    raise TypeError(f"a message's content is text or a list of blocks, not {type(content).__name__}")


def _block_text(block: Mapping[str, Any]) -> str:
    """A block's text, after what a document or a search result says of itself; else a marker of its kind."""
    kind = str(block.get("type", "data"))
    if kind.endswith(_CALLS) and "name" in block:
        return f"[{block['name']}({block.get('input', block.get('arguments'))})]"
    about, held = [], [block.get(key) for key in _HOLDERS]
    if kind in _SOURCES:
        about = [block[key] for key in ("title", "context") if block.get(key) and isinstance(block[key], str)]
        held.append(_source_content(block.get("source")))
    text = next((text_of(value) for value in held if isinstance(value, str | list | tuple | Mapping)), f"[{kind}]")
    return "\n".join([*about, text])


def _source_content(source: Any) -> Any:
    """What a document's source holds; None for a file, an address or encoded data."""
    if not isinstance(source, Mapping):
        return None
    return source.get("data" if source.get("type") == "text" else "content")


def _context(context: str | Iterable[Any]) -> Iterable[str]:
    yield from map(text_of, (context,) if isinstance(context, str | Mapping) else context or ())


def _messages(messages: Any) -> Iterable[Message]:
    if isinstance(messages, str):
        yield Message("user", messages)
        return
    if isinstance(messages, Message | Mapping) or not isinstance(messages, Iterable):
        messages = [messages]
    for message in messages:
        yield message if isinstance(message, Message) else _message(message)


def _message(message: Any) -> Message:
    if hasattr(message, "to_dict"):
        message = message.to_dict()
    if hasattr(message, "content") and isinstance(kind := getattr(message, "type", None), str):  # LangChain's
        message = {"role": kind, "content": message.content, "tool_calls": getattr(message, "tool_calls", ())}
    if not isinstance(message, Mapping):
        raise TypeError(
            "messages are given as a string, as Message values or as {'role': …, 'content': …}, "
            f"not {type(message).__name__}"
        )
    role = str(message.get("role") or "tool")
    content = text_of(message.get("content", message if "role" not in message else None))
    calls = message.get("tool_calls") or ()
    spoken = [content] if content else []
    return Message(_ROLES.get(role, "tool"), "\n".join([*spoken, *map(_call_text, calls)]))  # type: ignore[arg-type]


def _call_text(call: Any) -> str:
    named = call.get("function") or call if isinstance(call, Mapping) else {}
    function = named if isinstance(named, Mapping) else {"name": named}
    return f"[{function.get('name')}({function.get('arguments', function.get('args'))})]"
