"""A guarded function: called as the function was, it returns what may be released."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeAlias, TypeVar, cast

from guardrails._decorate import ExchangeFrom, MisfitError, body_of, exchange_reader, name_of
from guardrails._guarded_stream import guarded_stream, is_stream, outcome_of_stream
from guardrails._outcomes import one_or_all, remember
from guardrails.dialects import Reply, read
from guardrails.errors import Blocked, ConfigurationError
from guardrails.exchange import Exchange

if TYPE_CHECKING:
    from guardrails._guard import Guard
    from guardrails.outcome import Outcome

P = ParamSpec("P")
R = TypeVar("R")
# A call's conversation, or in monitor mode the reason that there is none.
Asked: TypeAlias = Exchange | Exception
_Ask: TypeAlias = Callable[[tuple[Any, ...], dict[str, Any]], Asked]

_log = logging.getLogger("guardrails")


class Guarded(Generic[P, R]):
    """What decorating with a guard gives.

    It takes the function's arguments and returns the function's type. A coroutine function stays one,
    for frameworks that ask, and a method stays a method: accessed on an instance or a class, it is the
    guarded form of what the function itself would be there. The function's own exceptions pass untouched.

    >>> from guardrails import Guard
    >>> @Guard("finance", judge="rules", allow_unjudged=True, audit=None)
    ... def answer(question: str) -> str:
    ...     return "This fund is risk-free."
    >>> answer.outcome("Is it safe?").status.value
    'revised'
    """

    def __init__(self, guard: Guard, function: Callable[P, R], exchange: ExchangeFrom | None = None) -> None:
        body = body_of(function)
        self._guard = guard
        self._function = function
        self._exchange = exchange
        self._read = exchange_reader(function, exchange)
        self._is_async = inspect.iscoroutinefunction(body)
        self._disguise(body)

    def _disguise(self, body: Callable[..., Any]) -> None:
        """Look like the function to those who ask, and keep the guard's own names whatever it has."""
        functools.update_wrapper(self, self._function, updated=())
        # inspect takes an object with these for a function, coroutine flag included: frameworks ask.
        self.__name__ = name_of(self._function)
        for name in ("__code__", "__defaults__", "__kwdefaults__"):
            if hasattr(body, name):
                setattr(self, name, getattr(body, name))
        if self._is_async and sys.version_info >= (3, 12):
            inspect.markcoroutinefunction(self)
        if inspect.isroutine(self._function):  # what other decorators noted on it; an object's state is its own
            for name, value in getattr(self._function, "__dict__", {}).items():
                if not hasattr(self, name):
                    setattr(self, name, value)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function and release its reply, guarded.

        Raises:
            Blocked: the reply may not be released, and the guard's `on_blocked` is `"raise"`.
            AuditError: the record could not be written; nothing is released.
            ConfigurationError: this call's arguments hold no conversation; the function was not called.
            UnsupportedReply: the function returned something that is not a reply.
        """
        asked, reply = self._called(self._asked if self._guard.enforces else self._noted, args, kwargs)
        if inspect.isawaitable(reply):
            return cast("R", self._areleased(asked, reply))
        if is_stream(reply):
            return cast("R", self._streamed(asked(), reply, awaited=False))
        if not self._guard.enforces:
            self._watched(asked(), reply)
            return cast("R", reply)
        return cast("R", self._released(self._guard.reviewed(*_judged(asked(), reply))))

    def outcome(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Make the same call and return its `Outcome`; for a coroutine function, an awaitable of it."""
        if self._misses_its_class(args):
            raise ConfigurationError(
                f"{name_of(self._function)}.outcome() is not told its class where the guard stands below @classmethod "
                "(Python 3.13 and later). Put the guard above @classmethod."
            )
        asked, reply = self._called(self._asked, args, kwargs)
        if inspect.isawaitable(reply):
            return self._aoutcome(asked, reply)
        if is_stream(reply):
            return outcome_of_stream(self._guard, _known(asked()), reply, awaited=False)
        return one_or_all(self._guard.reviewed(*_judged(asked(), reply)))

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        bind = getattr(type(self._function), "__get__", None)
        bound = self._function if bind is None else bind(self._function, instance, owner)
        return self if bound is self._function else Guarded(self._guard, bound, self._exchange)

    async def _areleased(self, asked: Callable[[], Asked], reply: Awaitable[Any]) -> Any:
        exchange, awaited = await _awaited(asked, reply)
        if is_stream(awaited):
            return self._streamed(exchange, awaited, awaited=True)
        if not self._guard.enforces:
            self._watched(exchange, awaited)
            return awaited
        return self._released(await self._guard.areviewed(*_judged(exchange, awaited)))

    async def _aoutcome(self, asked: Callable[[], Asked], reply: Awaitable[Any]) -> Any:
        exchange, awaited = await _awaited(asked, reply)
        if is_stream(awaited):
            return await outcome_of_stream(self._guard, _known(exchange), awaited, awaited=True)
        return one_or_all(await self._guard.areviewed(*_judged(exchange, awaited)))

    def _called(self, ask: _Ask, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Callable[[], Asked], Any]:
        """The conversation and what the function returned.

        The conversation is read first: the function may add its own answer to it. A coroutine function
        does nothing before it is awaited, so there it is read then.
        """
        function = cast("Callable[..., Any]", self._function)
        if self._is_async:
            return functools.partial(ask, args, kwargs), function(*args, **kwargs)
        asked = ask(args, kwargs)
        return lambda: asked, function(*args, **kwargs)

    def _asked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exchange:
        try:
            return self._read(*args, **kwargs)
        except MisfitError as misfit:
            problem = str(misfit)
        reply = cast("Callable[..., Any]", self._function)(*args, **kwargs)  # its own TypeError says it best
        if inspect.iscoroutine(reply):
            reply.close()
        raise ConfigurationError(
            f"{name_of(self._function)}() takes what its signature does not ({problem}); wrap it in a def of your own."
        )

    def _noted(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Asked:
        """As `_asked`; in monitor mode an error is noted, and the call goes on."""
        try:
            return self._read(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - somebody's exchange= may raise anything
            return error

    def _watched(self, asked: Asked, reply: Any) -> None:
        """Review behind the caller's back: whatever is wrong is the log's, not the caller's."""
        try:
            self._guard.watch(*_judged(asked, reply))
        except Exception as error:  # noqa: BLE001 - a reply may be of any type
            _log.exception("monitor mode cannot review %s(): %s", name_of(self._function), type(error).__name__)

    def _streamed(self, asked: Asked, reply: Any, *, awaited: bool) -> Any:
        if isinstance(asked, Exception):  # monitor mode: nothing to judge by, and the call goes on
            _log.error("monitor mode cannot review %s()", name_of(self._function), exc_info=asked)
            return reply
        return guarded_stream(self._guard, asked, reply, awaited=awaited)

    def _released(self, outcomes: tuple[Outcome, ...]) -> Any:
        for outcome in outcomes:
            if outcome.blocked and self._guard.on_blocked == "raise":
                raise Blocked(outcome)
        reply = outcomes[0].reply
        remember(reply, outcomes)
        return reply

    def _misses_its_class(self, args: tuple[Any, ...]) -> bool:
        """Whether this is a class method's function, and no class comes with the call.

        From Python 3.13 on, a class method binds what it wraps without asking it, and `.outcome` is then
        taken from the unbound function.
        """
        if not inspect.isfunction(self._function) or self._function.__code__.co_varnames[:1] != ("cls",):
            return False
        return "." in self._function.__qualname__ and not (args and isinstance(args[0], type))


async def _awaited(asked: Callable[[], Asked], reply: Awaitable[Any]) -> tuple[Asked, Any]:
    try:
        exchange = asked()
    except BaseException:
        if inspect.iscoroutine(reply):
            reply.close()
        raise
    return exchange, await reply


def _judged(asked: Asked, reply: Any) -> tuple[Exchange, Reply]:
    return _known(asked), read(reply)


def _known(asked: Asked) -> Exchange:
    if isinstance(asked, Exception):
        raise asked
    return asked
