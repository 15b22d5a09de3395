"""Where a decorated function's exchange comes from: from its bound arguments, never from a guess."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import WrapperDescriptorType
from typing import Any, TypeAlias

from guardrails.errors import ConfigurationError
from guardrails.exchange import Exchange, Message, text_of

ExchangeFrom: TypeAlias = Callable[..., Exchange]
_CONVERSATION = ("messages", "input", "prompt", "question")
_SYSTEM = ("system", "instructions")
_RECEIVER = frozenset({"self", "cls"})
_LEFT_OUT = frozenset({"NoneType", "Omit", "NotGiven"})  # what SDKs take for an argument that is not given


class MisfitError(TypeError):
    """Arguments that the function's signature does not take."""


def exchange_reader(function: Callable[..., Any], given: ExchangeFrom | None) -> Callable[..., Exchange]:
    """A function from the call's arguments to its exchange, without a reply.

    The conversation is the argument `messages`, else `input`, `prompt` or `question`, else the only
    parameter annotated as `str`; `context` and a `system` or `instructions` prompt are taken along where
    there are any. `given` is called instead, with those of the call's arguments that it names.

    Raises:
        ConfigurationError: the parameters hold no conversation.
    """
    if isinstance(function, classmethod | staticmethod):
        function = function.__func__
    inner, args, kwargs = _unbound(function)
    signature = _signature(inner)
    if given is not None:
        reader = _asking(given, signature)
    else:
        reader = _reading(_conversation(function, _signature(function)), signature)
    return functools.partial(reader, *args, **kwargs)


def _unbound(function: Callable[..., Any]) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """The function of a method or a partial, and the arguments it brings along: they belong to each call."""
    if inspect.ismethod(function):
        inner, args, kwargs = _unbound(function.__func__)
        return inner, (*args, function.__self__), kwargs
    if isinstance(function, functools.partial):
        inner, args, kwargs = _unbound(function.func)
        return inner, (*args, *function.args), {**kwargs, **function.keywords}
    return function, (), {}


def _reading(conversation: tuple[str, ...], signature: inspect.Signature) -> Callable[..., Exchange]:
    def exchange(*args: Any, **kwargs: Any) -> Exchange:
        arguments = _flat(signature, args, kwargs)
        passed = {name: value for name, value in arguments.items() if type(value).__name__ not in _LEFT_OUT}
        name = next((name for name in conversation if name in passed), None)
        if name is None:
            raise ConfigurationError(f"this call passes none of {', '.join(conversation)}: nothing to judge by.")
        _keep({name: passed[name] for name in (name, "context", *_SYSTEM) if name in passed})
        system = [Message("system", text) for name in _SYSTEM if (text := _text(name, passed.get(name)))]
        said = Exchange(passed[name], context=passed.get("context") or ())
        return Exchange([*system, *said.messages], context=said.context) if system else said

    return exchange


def _conversation(function: Callable[..., Any], signature: inspect.Signature) -> tuple[str, ...]:
    """The arguments that may hold the conversation, the first that is passed first."""
    parameters = {
        name: parameter
        for name, parameter in signature.parameters.items()
        if not (name in _RECEIVER and "." in getattr(function, "__qualname__", ""))
    }
    named = tuple(name for name in _CONVERSATION if name in parameters)
    if named:
        return named
    texts = [name for name, parameter in parameters.items() if parameter.annotation in (str, "str")]
    if len(texts) == 1:
        return (texts[0],)
    keywords = [p for p in parameters.values() if p.kind is p.VAR_KEYWORD]
    if keywords and not texts:
        return _CONVERSATION  # each call's keywords are looked at
    listed = ", ".join(parameters) or "none"
    raise ConfigurationError(
        f"cannot tell which argument of {name_of(function)}() is the conversation (parameters: {listed}). Call it "
        "`messages`, `prompt` or `question`, or say it: "
        "@guard(exchange=lambda question, docs: Exchange(question, context=docs))."
    )


def _asking(given: ExchangeFrom, signature: inspect.Signature) -> Callable[..., Exchange]:
    wanted = _signature(given).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in wanted.values())

    def exchange(*args: Any, **kwargs: Any) -> Exchange:
        arguments = _flat(signature, args, kwargs)
        named = {name: value for name, value in arguments.items() if name in wanted}
        _keep({name: value for name, value in named.items() if name not in _RECEIVER})
        rest = {name: value for name, value in arguments.items() if takes_all and name not in _RECEIVER}
        made = given(**{**rest, **named})
        if not isinstance(made, Exchange):
            raise ConfigurationError(f"exchange= returned {type(made).__name__}; it must return an Exchange.")
        return made

    return exchange


def _flat(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """All arguments by name, defaults and extra keywords included."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        raise MisfitError(str(error)) from None
    bound.apply_defaults()
    arguments: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            arguments.update(value)
        else:
            arguments[name] = value
    return arguments


def _keep(arguments: Mapping[str, Any]) -> None:
    """Refuse what can be read only once: the function would find nothing left of it."""
    for name, value in arguments.items():
        if _is_one_shot(value):
            raise ConfigurationError(
                f"`{name}` can be read only once, and the guard and the function both read it. Pass a list: "
                f"{name}=list({name})."
            )


def _is_one_shot(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_one_shot, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_is_one_shot, value))
    return isinstance(value, Iterator)


def _text(name: str, value: Any) -> str:
    try:
        return text_of(value)
    except TypeError:
        raise ConfigurationError(
            f"`{name}` is {type(value).__name__}, which judges cannot read. Pass text or a list of blocks, or say what "
            "the conversation is: @guard(exchange=lambda question, docs: Exchange(question, context=docs))."
        ) from None


def body_of(function: Any) -> Any:
    """The function whose code runs when this is called: of a partial, a class method, an object with `__call__`.

    Raises:
        ConfigurationError: it cannot be called.
    """
    if isinstance(function, functools.partial):
        return body_of(function.func)
    if isinstance(function, classmethod | staticmethod):
        return body_of(function.__func__)
    if not callable(function):
        raise ConfigurationError(f"a guard decorates a function; {type(function).__name__} is not callable.")
    call = type(function).__call__
    if inspect.iscoroutinefunction(function) or isinstance(call, WrapperDescriptorType):
        return function
    return body_of(call)


def name_of(function: Any) -> str:
    """What to call it in an error."""
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"{name_of(function)} has no signature to read; wrap it in a def of your own."
        ) from None
