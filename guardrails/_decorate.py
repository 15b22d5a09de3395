"""Where a decorated function's exchange comes from: from its bound arguments, never from a guess."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

from guardrails.errors import ConfigurationError
from guardrails.exchange import Exchange

ExchangeFrom: TypeAlias = Callable[..., Exchange]
_CONVERSATION = ("messages", "input", "prompt", "question")
_SYSTEM = ("system", "instructions")


def exchange_reader(function: Callable[..., Any], given: ExchangeFrom | None) -> Callable[..., Exchange]:
    """A function from the call's arguments to its exchange, without a reply.

    The conversation is the argument `messages`, else `input`, `prompt` or `question`, else the only
    parameter annotated as `str`; `context` and a `system` or `instructions` prompt are taken along where
    there are any. `given` is called instead, with those of the call's arguments that it names.

    Raises:
        ConfigurationError: the parameters hold no conversation.
    """
    signature = _signature(function)
    if given is not None:
        return _asking(given, signature)
    named = _conversation(function, signature)

    def exchange(*args: Any, **kwargs: Any) -> Exchange:
        arguments = _flat(signature, args, kwargs)
        conversation = named or next((name for name in _CONVERSATION if name in arguments), None)
        if conversation is None:
            raise ConfigurationError(
                f"this call passes none of {', '.join(_CONVERSATION)}; there is nothing to judge by."
            )
        system = next((arguments[name] for name in _SYSTEM if isinstance(arguments.get(name), str)), None)
        said = Exchange(arguments[conversation], context=arguments.get("context") or ())
        return (
            Exchange([{"role": "system", "content": system}, *said.messages], context=said.context) if system else said
        )

    return exchange


def _conversation(function: Callable[..., Any], signature: inspect.Signature) -> str | None:
    """The parameter that holds the conversation; None where each call's keywords are to be looked at."""
    parameters = {
        name: parameter
        for name, parameter in signature.parameters.items()
        if not (name in {"self", "cls"} and "." in getattr(function, "__qualname__", ""))
    }
    for name in _CONVERSATION:
        if name in parameters:
            return name
    texts = [name for name, parameter in parameters.items() if parameter.annotation in {str, "str"}]
    if len(texts) == 1:
        return texts[0]
    keywords = [p for p in parameters.values() if p.kind is p.VAR_KEYWORD]
    if keywords and not texts:
        return None
    name = getattr(function, "__name__", "the function")
    listed = ", ".join(parameters) or "none"
    raise ConfigurationError(
        f"cannot tell which argument of {name}() is the conversation (parameters: {listed}). Call it `messages`, "
        "`prompt` or `question`, or say it: @guard(exchange=lambda question, docs: Exchange(question, context=docs))."
    )


def _asking(given: ExchangeFrom, signature: inspect.Signature) -> Callable[..., Exchange]:
    wanted = _signature(given).parameters
    takes_all = any(p.kind is p.VAR_KEYWORD for p in wanted.values())

    def exchange(*args: Any, **kwargs: Any) -> Exchange:
        arguments = _flat(signature, args, kwargs)
        made = given(**(arguments if takes_all else {n: arguments[n] for n in wanted if n in arguments}))
        if not isinstance(made, Exchange):
            raise ConfigurationError(f"exchange= returned {type(made).__name__}; it must return an Exchange.")
        return made

    return exchange


def _flat(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """All arguments by name, defaults and extra keywords included."""
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    arguments: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            arguments.update(value)
        else:
            arguments[name] = value
    return arguments


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        name = getattr(function, "__name__", type(function).__name__)
        raise ConfigurationError(f"{name} has no signature to read; wrap it in a def of your own.") from None
