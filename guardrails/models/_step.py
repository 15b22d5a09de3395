"""What judges, revisers and the loop ask their driver to do. They do no I/O themselves.

A `Step` is a generator: it yields the requests that it needs done, is sent one result for each, in
order, and returns its value. The requests of one yield run concurrently. Failures are sent in as
values, never thrown. (httpx's authentication flow works this way: one generator, driven by a sync
client and by an async one.)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from guardrails.models._interface import Model, ModelReply, ModelRequest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to a model."""

    model: Model
    request: ModelRequest


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody's Python function, sync (run in a worker thread) or async (run on a loop)."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class CallResult:
    """What a called function returned."""

    value: Any


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that has no result. It decides nothing: neither a pass nor a violation.

    `kind` is `error` (it raised), `deadline` (time ran out), `budget` (calls or tokens ran out) or
    `unreadable` (a model answered, but not with an answer); `reason` says more, without any text of the
    exchange. `abandoned` marks a plain function that outlived its deadline and still runs.
    """

    kind: Literal["error", "deadline", "budget", "unreadable"]
    reason: str
    abandoned: bool = False


Request: TypeAlias = Ask | Call
Result: TypeAlias = ModelReply | CallResult | Failure
Step: TypeAlias = Generator[Sequence[Request], Sequence[Result], T]


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """A step that has come to its end, with what it returned."""

    value: T


def advance(step: Step[T], results: Sequence[Result] | None = None) -> Sequence[Request] | Done[T]:
    """Send a step its results (None to begin with); what it needs next, or `Done`.

    >>> advance(together([]))
    Done(value=[])
    """
    try:
        return step.send(results)  # type: ignore[arg-type]
    except StopIteration as stop:
        return Done(stop.value)


def checked(step: Step[T]) -> Step[T]:
    """The same step, made by somebody else: anything but lists of requests is a TypeError here, not later."""
    if not isinstance(step, Generator):
        raise TypeError(f"a step is a generator, not {type(step).__name__}")
    requests = advance(step)
    while not isinstance(requests, Done):
        if not isinstance(requests, list | tuple) or not all(isinstance(r, Ask | Call) for r in requests):
            raise TypeError("a step yields lists of Ask and Call")
        requests = advance(step, (yield requests))
    return requests.value


def together(steps: Sequence[Step[T]]) -> Step[list[T]]:
    """Run several steps at once: each round yields what all of them need, as one batch.

    >>> list(together([]))
    []
    """
    states = [advance(step) for step in steps]
    while waiting := {i: state for i, state in enumerate(states) if not isinstance(state, Done)}:
        results = yield [request for requests in waiting.values() for request in requests]
        start = 0
        for index, requests in waiting.items():
            states[index] = advance(steps[index], results[start : start + len(requests)])
            start += len(requests)
    return [state.value for state in states if isinstance(state, Done)]
