"""Who is told of guarded calls, and of the requests to models that they make: nobody, unless an application says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar

from guardrails.constitution import Constitution
from guardrails.models import Ask, Request
from guardrails.outcome import Outcome

T = TypeVar("T")
P = ParamSpec("P")
Told: TypeAlias = Callable[[Any], object]


class Call(Protocol):
    """A guarded call under way."""

    def current(self) -> AbstractContextManager[object]:
        """A block whose requests belong to the call. It holds no yield: a generator's next step runs anywhere."""
        ...

    def failed(self, error: BaseException) -> None:
        """The call raises this; `ended` follows."""
        ...

    def ended(self, outcomes: Sequence[Outcome]) -> None:
        """It is over, with these outcomes: one for each choice, none where it failed."""
        ...


class Observer(Protocol):
    """What an application's telemetry is told. Called from any thread; it raises nothing of its own."""

    def call(self, constitution: Constitution, *, streams: bool) -> Call:
        """A guarded call begins: of a whole reply, or of a stream."""
        ...

    def request(self, ask: Ask) -> AbstractContextManager[Told]:
        """The block that makes a request, retries included; what it enters with is told the `ModelReply`."""
        ...


observer: Observer | None = None
"""The one of this process."""


def reviewing(constitution: Constitution) -> AbstractContextManager[Told]:
    """The block that reviews a whole reply; what it enters with is told the outcomes."""
    return _UNSEEN if observer is None else _reviewing(observer.call(constitution, streams=False))


def streaming(constitution: Constitution) -> Call | None:
    """A stream that is opened now."""
    return None if observer is None else observer.call(constitution, streams=True)


def asking(request: Request) -> AbstractContextManager[Told]:
    """The block that makes a request; somebody's Python function is theirs to observe."""
    return _UNSEEN if observer is None or not isinstance(request, Ask) else observer.request(request)


def within(call: Call | None, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function whose requests belong to a call."""
    if call is None:
        return function(*args, **kwargs)
    with call.current():
        return function(*args, **kwargs)


@contextmanager
def _reviewing(call: Call) -> Iterator[Told]:
    found: list[Sequence[Outcome]] = [()]
    try:
        with call.current():
            yield found.append
    except BaseException as error:
        call.failed(error)
        raise
    finally:
        call.ended(found[-1])


def _nobody(_: object) -> None:
    """Nobody is told anything."""


_UNSEEN = nullcontext(_nobody)
