"""A guard for LangChain's agents: a middleware, after which nothing that the agent's model drafts comes out unguarded.

The guard stands inside the model, below the callbacks, so that whatever LangChain makes of a reply (streams, events,
traces, parsed objects, the agent's state) it makes of the guarded one. The price is that a reply comes in one piece:
the agent still streams its steps, but not the words of a reply.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from langchain.agents.middleware.types import (
    AgentMiddleware,
    ExtendedModelResponse,
    ModelCallResult,
    ModelRequest,
    ModelResponse,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import RunnableBinding
from langchain_core.runnables.config import ensure_config, var_child_runnable_config

from guardrails._outcomes import remember
from guardrails.dialects import Choice, Reply, read
from guardrails.dialects._langchain import LangChainDialect, kept_beside
from guardrails.dialects._shape import get
from guardrails.errors import Blocked, ConfigurationError
from guardrails.exchange import Exchange

if TYPE_CHECKING:
    from guardrails._guard import Guard
    from guardrails.outcome import Outcome

_log = logging.getLogger("guardrails")
_DIALECT = LangChainDialect()
_CALLS = "_guardrails"


class GuardMiddleware(AgentMiddleware[Any, Any, Any]):
    """Guards every reply of an agent's model: `create_agent(model, tools, middleware=[GuardMiddleware(guard)])`.

    A reply is judged with the whole conversation that was sent, system prompt and tools' results included. It is
    still the model's `AIMessage`, with its id, usage and tool calls; only text is revised. `outcome_of(message)` gives
    the outcome of the message object that the agent returns; one that a checkpointer has loaded again is another
    object, whose outcome stands in the audit trail. Structured output is judged, never revised.

    Nothing of a draft is in `stream`, in any mode, in `astream_events`, in callbacks or in tracers: they are given what
    was released. A blocked reply raises `Blocked` out of the agent, or is the fallback text where the guard's
    `on_blocked` says so; where structured output was asked for it always raises, because a fallback text is none.

    Put it first in the list: models that another middleware puts in the place of the agent's, and replies that one
    makes up, are then guarded as well. `Blocked` is raised inside the model call, which LangChain's retries would take
    for an error and ask again: `ModelRetryMiddleware(retry_on=lambda error: not isinstance(error, Blocked))`.
    LangChain's cache of replies is passed by: it knows of no guard.

    In monitor mode the call goes on as it is, streams included, and is judged behind it.
    """

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    @property
    def name(self) -> str:
        """One for each constitution: LangChain takes no two middlewares of one name."""
        return f"GuardMiddleware[{self._guard.constitution.name}]"

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelCallResult[Any]:
        """Call the model, guarded.

        Raises:
            Blocked: the reply may not be released.
            AuditError: the record could not be written; nothing is released.
            UnsupportedReply: the reply may hold what cannot be judged.
            ConfigurationError: the model is none that can be guarded.
        """
        call = _Call(self._guard, request)
        if not self._guard.enforces:
            return call.watched(handler(request))
        response = handler(_guarded_request(call, request))
        return _with_messages(response, {id(made): call.released(made, sent) for made, sent in call.new(response)})

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelCallResult[Any]:
        """As `wrap_model_call`, on the running event loop."""
        call = _Call(self._guard, request)
        if not self._guard.enforces:
            return call.watched(await handler(request))
        response = await handler(_guarded_request(call, request))
        return _with_messages(
            response, {id(made): await call.areleased(made, sent) for made, sent in call.new(response)}
        )


class _Call:
    """One step of an agent. Its model is called once, or more often where another middleware sees to that."""

    def __init__(self, guard: Guard, request: ModelRequest[Any]) -> None:
        self._guard = guard
        system = [request.system_message] if request.system_message else []
        self._sent: Sequence[BaseMessage] = [*system, *request.messages]
        self._tools = {_tool_name(tool) for tool in request.tools}
        self._asks_for_data = request.response_format is not None
        # By what the messages say, because LangChain goes on with copies.
        self._outcomes: dict[Choice, tuple[Outcome, ...]] = {}

    def released(self, message: Any, sent: Sequence[BaseMessage]) -> Any:
        """The message as it may be released."""
        reply = self._read(message)
        return self._released(self._guard.reviewed(_exchange(sent), reply))

    async def areleased(self, message: Any, sent: Sequence[BaseMessage]) -> Any:
        """As `released`, on the running event loop."""
        reply = self._read(message)
        return self._released(await self._guard.areviewed(_exchange(sent), reply))

    def new(self, response: ModelCallResult[Any]) -> list[tuple[AIMessage, Sequence[BaseMessage]]]:
        """The messages of a response that did not come from the guarded model; the outcomes of the others are noted."""
        found = []
        for message in _messages(response):
            outcomes = self._outcomes.get(_said(message))
            if outcomes is None:
                found.append((message, self._sent))
            else:
                remember(message, outcomes)
        return found

    def watched(self, response: ModelCallResult[Any]) -> ModelCallResult[Any]:
        """In monitor mode whatever is wrong is the log's, not the caller's."""
        try:
            for message in _messages(response):
                self._guard.watch(_exchange(self._sent), self._read(message))
        except Exception as error:  # noqa: BLE001 - a reply may be of any form
            _log.error("monitor mode cannot review a reply: %s", type(error).__name__, exc_info=error)
        return response

    def _read(self, message: Any) -> Reply:
        """The reply, with its data as a text where a call of no tool is the structured output that was asked for."""
        reply = read(message, _DIALECT)
        asked = self._asks_for_data
        data = [one["args"] for one in message.tool_calls if asked and one["name"] not in self._tools]
        data += [one["args"] for one in message.invalid_tool_calls if asked and one["name"] not in self._tools]
        if not data:
            return reply
        texts = [Choice((one if isinstance(one, str) else json.dumps(one, ensure_ascii=False),)) for one in data]
        first = [] if reply.only.is_silent else [replace(reply.only, calls=())]
        return replace(reply, choices=(*first, *texts[:-1], replace(texts[-1], calls=reply.only.calls)))

    def _released(self, outcomes: tuple[Outcome, ...]) -> Any:
        for outcome in outcomes:
            if outcome.blocked and (self._guard.on_blocked == "raise" or self._asks_for_data):
                raise Blocked(outcome)
        message = outcomes[0].reply
        self._outcomes[_said(message)] = outcomes
        remember(message, outcomes)
        return message


class _Guarded:
    """What a guarded model's class has before its own: the two methods that LangChain has every reply made by."""

    def _generate(self, messages: list[BaseMessage], stop: list[str] | None = None, **options: Any) -> ChatResult:
        with _silence():
            result: ChatResult = _plain(self)._generate(messages, stop=stop, **options)  # noqa: SLF001 - what it overrides
        for call in self.__dict__[_CALLS]:
            made = [call.released(generation.message, messages) for generation in result.generations]
            result = _with_replies(result, made)
        return result

    async def _agenerate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, **options: Any
    ) -> ChatResult:
        with _silence():
            result: ChatResult = await _plain(self)._agenerate(messages, stop=stop, **options)  # noqa: SLF001 - what it overrides
        for call in self.__dict__[_CALLS]:
            made = [await call.areleased(generation.message, messages) for generation in result.generations]
            result = _with_replies(result, made)
        return result


@contextmanager
def _silence() -> Iterator[None]:
    """No callbacks for what a model calls in its turn: a model made of other models would show their drafts."""
    token = var_child_runnable_config.set({**ensure_config(), "callbacks": None})
    try:
        yield
    finally:
        var_child_runnable_config.reset(token)


@dataclass(init=False, kw_only=True)
class _Request(ModelRequest[Any]):
    """A request whose model stays guarded, whichever another middleware puts in its place."""

    call: _Call

    def __init__(self, *, call: _Call, model: Any, **others: Any) -> None:
        super().__init__(model=_guarded(call, model), **others)
        object.__setattr__(self, "call", call)  # past the base's warning


def _guarded_request(call: _Call, request: ModelRequest[Any]) -> _Request:
    return _Request(call=call, **{field.name: getattr(request, field.name) for field in fields(ModelRequest)})


def _guarded(call: _Call, model: Any) -> Any:
    """The model, every reply of which is guarded before a callback, a stream or another middleware has it.

    Raises:
        ConfigurationError: it is no chat model.
    """
    if isinstance(model, RunnableBinding):  # what `bind` and `with_config` give
        return model.model_copy(update={"bound": _guarded(call, model.bound)})
    if not isinstance(model, BaseChatModel):
        raise ConfigurationError(
            f"GuardMiddleware cannot guard a {type(model).__name__} in the place of a chat model. Give the agent the "
            "chat model itself, and for fallbacks and retries one of LangChain's middlewares."
        )
    calls = model.__dict__.get(_CALLS, ())
    if call in calls:
        return model
    # In a stream the draft would be out before it is judged, and what a cache holds is a draft.
    changes = {"disable_streaming": True, "cache": False}
    made = model.model_copy(
        update={**changes, **({"streaming": False} if "streaming" in type(model).model_fields else {})}
    )
    made.__dict__[_CALLS] = (*calls, call)
    if not calls:
        object.__setattr__(made, "__class__", _guarded_class(type(model)))
    return made


@cache
def _guarded_class(kind: Any) -> Any:
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind)(kind.__name__, (_Guarded, kind), names)


def _plain(model: Any) -> Any:
    """The model as it is without the guard."""
    made = model.model_copy()
    object.__setattr__(made, "__class__", type(model).__mro__[2])
    return made


def _with_replies(result: ChatResult, messages: list[Any]) -> ChatResult:
    """The result with the messages that are released; what else it says of a text that is gone goes."""
    pairs = list(zip(result.generations, messages, strict=True))
    if all(held.message is made for held, made in pairs):
        return result
    generations = [
        held if held.message is made else type(held)(message=made, generation_info=kept_beside(held.generation_info))
        for held, made in pairs
    ]
    return ChatResult(generations=generations, llm_output=kept_beside(result.llm_output))


def _exchange(sent: Sequence[BaseMessage]) -> Exchange:
    return _DIALECT.exchange({"messages": sent})


def _said(message: Any) -> Choice:
    (choice,) = _DIALECT.choices(message)
    return Choice((choice.text,), choice.calls)


def _tool_name(tool: Any) -> Any:
    """A tool's name, where it has one: of a provider's own it may stand below `function`, or be its type."""
    if not isinstance(tool, Mapping):
        return getattr(tool, "name", None)
    return tool.get("name") or get(tool, "function", "name") or tool.get("type")


def _messages(response: ModelCallResult[Any]) -> list[AIMessage]:
    if isinstance(response, ExtendedModelResponse):
        return _messages(response.model_response)
    return [one for one in getattr(response, "result", [response]) if isinstance(one, AIMessage)]


def _with_messages(response: ModelCallResult[Any], made: Mapping[int, Any]) -> ModelCallResult[Any]:
    """The response with messages in the place of others, which are given by their `id()`."""
    if not made:
        return response
    if isinstance(response, ExtendedModelResponse):
        return replace(response, model_response=cast("Any", _with_messages(response.model_response, made)))
    if isinstance(response, AIMessage):
        return cast("AIMessage", made[id(response)])
    return replace(response, result=[made.get(id(message), message) for message in response.result])
