"""A guarded function: called as the function was, it returns what may be released."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from guardrails import _native
from guardrails._decorate import ExchangeFrom, exchange_reader
from guardrails.errors import Blocked, ConfigurationError

if TYPE_CHECKING:
    from guardrails._guard import Guard
    from guardrails.exchange import Exchange
    from guardrails.outcome import Outcome

P = ParamSpec("P")
R = TypeVar("R")


class Guarded(Generic[P, R]):
    """What decorating with a guard gives.

    It takes the function's arguments and returns the function's type. A coroutine function stays one,
    for frameworks that ask, and a method stays a method. The function's own exceptions pass untouched.

    >>> from guardrails import Guard
    >>> @Guard("finance", judge="rules", allow_unjudged=True, audit=None)
    ... def answer(question: str) -> str:
    ...     return "This fund is risk-free."
    >>> answer.outcome("Is it safe?").status.value
    'revised'
    """

    def __init__(self, guard: Guard, function: Callable[P, R], exchange: ExchangeFrom | None = None) -> None:
        if not callable(function):
            raise ConfigurationError(f"a guard decorates a function; {type(function).__name__} is not callable.")
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigurationError(
                f"{function.__name__}() is a generator, and this version guards whole replies. "
                "Join its text and return it as one str."
            )
        functools.update_wrapper(self, function)
        # inspect takes an object with these for a function, coroutine flag included: frameworks ask.
        for name in ("__code__", "__defaults__", "__kwdefaults__"):
            if hasattr(function, name):
                setattr(self, name, getattr(function, name))
        self._guard = guard
        self._function = function
        self._read = exchange_reader(function, exchange)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function and release its reply, guarded.

        Raises:
            Blocked: the reply may not be released, and the guard's `on_blocked` is `"raise"`.
            AuditError: the record could not be written; nothing is released.
            UnsupportedReply: the function returned something that is not a reply.
        """
        reply = self._function(*args, **kwargs)
        if inspect.isawaitable(reply):
            return cast("R", self._areleased(reply, args, kwargs))
        exchange, native = self._exchange(reply, args, kwargs)
        if not self._guard.enforces:
            self._guard.watch(exchange, native)
            return reply
        return cast("R", self._released(self._guard.reviewed(exchange, native)))

    def outcome(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Make the same call and return its `Outcome`; for a coroutine function, an awaitable of it."""
        reply = self._function(*args, **kwargs)
        if inspect.isawaitable(reply):
            return self._aoutcome(reply, args, kwargs)
        return self._guard.reviewed(*self._exchange(reply, args, kwargs))

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        return _Bound(self, instance)

    async def _areleased(self, reply: Awaitable[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        awaited = await reply
        exchange, native = self._exchange(awaited, args, kwargs)
        if not self._guard.enforces:
            self._guard.watch(exchange, native)
            return awaited
        return self._released(await self._guard.areviewed(exchange, native))

    async def _aoutcome(self, reply: Awaitable[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
        return await self._guard.areviewed(*self._exchange(await reply, args, kwargs))

    def _exchange(self, reply: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Exchange, _native.Native]:
        native = _native.read(reply)
        return self._read(*args, **kwargs).with_reply(native.text), native

    def _released(self, outcome: Outcome) -> Any:
        if outcome.blocked and self._guard.on_blocked == "raise":
            raise Blocked(outcome)
        _native.remember(outcome.reply, outcome)
        return outcome.reply


class _Bound:
    """A guarded method of an instance."""

    def __init__(self, guarded: Guarded[Any, Any], instance: object) -> None:
        self.__func__ = guarded
        self.__self__ = instance
        functools.update_wrapper(self, guarded, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__func__(self.__self__, *args, **kwargs)

    def outcome(self, *args: Any, **kwargs: Any) -> Any:
        return self.__func__.outcome(self.__self__, *args, **kwargs)
