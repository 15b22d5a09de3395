"""Drives steps: does the I/O they ask for, all of a round at once, and nothing beyond the deadline.

One implementation, asynchronous. The sync driver runs it on the library's private event loop, so that
it works inside a running event loop too, and a request that outlives its deadline is cancelled there
as well. A step that asks for nothing (rules alone) never leaves the caller's thread.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import replace
from time import monotonic
from typing import Any, TypeVar

from guardrails import _observe
from guardrails.errors import ModelError
from guardrails.models import (
    Ask,
    Call,
    CallResult,
    Done,
    Failure,
    ModelReply,
    Request,
    Result,
    Step,
    advance,
    in_thread,
    is_async,
    submit_and_wait,
)
from guardrails.models import run as run_here

T = TypeVar("T")
F = TypeVar("F", Future[Any], asyncio.Future[Any])


def run(step: Step[T], seconds: float | None = None) -> T:
    """Drive a step from sync code; `seconds` is the time it may take, None for no limit.

    >>> def nothing():
    ...     return 42
    ...     yield
    >>> run(nothing())
    42
    """
    begun = _begin(step, seconds)
    return begun.value if isinstance(begun, Done) else run_here(begun)


async def arun(step: Step[T], seconds: float | None = None) -> T:
    """Drive a step on the running event loop."""
    begun = _begin(step, seconds)
    return begun.value if isinstance(begun, Done) else await begun


def start(step: Step[T], seconds: float | None = None) -> Future[T]:
    """Begin to drive a step, on the library's own event loop, and let the caller go on."""
    begun = _begin(step, seconds)
    return _done(Future(), begun.value) if isinstance(begun, Done) else submit_and_wait(begun)


def astart(step: Step[T], seconds: float | None = None) -> asyncio.Future[T]:
    """Begin to drive a step, as a task of the running event loop."""
    begun = _begin(step, seconds)
    if isinstance(begun, Done):
        return _done(asyncio.get_running_loop().create_future(), begun.value)
    return asyncio.ensure_future(begun)


def _begin(step: Step[T], seconds: float | None) -> Done[T] | Coroutine[Any, Any, T]:
    """A step that asks for nothing is done here and now."""
    deadline = _deadline(seconds)
    requests = advance(step)
    return requests if isinstance(requests, Done) else _rest(step, requests, deadline)


async def _rest(step: Step[T], requests: Sequence[Request], deadline: float | None) -> T:
    state: Sequence[Request] | Done[T] = requests
    while not isinstance(state, Done):
        state = advance(step, await _perform(state, deadline))
    return state.value


def _done(future: F, value: Any) -> F:
    future.set_result(value)
    return future


def _deadline(seconds: float | None) -> float | None:
    return None if seconds is None else monotonic() + seconds


async def _perform(requests: Sequence[Request], deadline: float | None) -> Sequence[Result]:
    if len(requests) == 1:
        return [await _one(requests[0], deadline)]
    return await asyncio.gather(*(_one(request, deadline) for request in requests))


async def _one(request: Request, deadline: float | None) -> Result:
    left = None if deadline is None else deadline - monotonic()
    late = Failure("deadline", "the call's time is up")
    if left is not None and left <= 0:
        return late
    limit = asyncio.timeout(left)
    try:
        with _observe.asking(request) as told:  # around the limit, to tell what is late from what was given up
            async with limit:
                result = await (_asked(request, left) if isinstance(request, Ask) else _called(request))
            told(result)
            return result
    except ModelError as error:
        return late if limit.expired() else Failure("error", str(error))
    except Exception as error:  # noqa: BLE001 - somebody's model or function may raise anything
        return replace(late, abandoned=_in_thread(request)) if limit.expired() else _raised(request, error)
    except (asyncio.CancelledError, SystemExit, KeyboardInterrupt) as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():  # the caller gave up
            raise
        return _raised(request, error)  # the function said so itself, which ends nobody else's review


async def _asked(ask: Ask, left: float | None) -> ModelReply:
    reply = await ask.model.acomplete(replace(ask.request, timeout=left))
    if not isinstance(reply, ModelReply):
        raise ModelError(f"{ask.model.name} returned {type(reply).__name__} instead of a ModelReply")
    return reply


async def _called(call: Call) -> CallResult:
    if is_async(call.function):
        return CallResult(await call.function(*call.args))
    value = await in_thread(call.function, *call.args)
    return CallResult(await value if inspect.isawaitable(value) else value)


def _raised(request: Request, error: BaseException) -> Failure:
    # The exception's text may quote the exchange, and failures are logged: its type is enough.
    who = request.model.name if isinstance(request, Ask) else getattr(request.function, "__name__", "the function")
    return Failure("error", f"{who} raised {type(error).__name__}")


def _in_thread(request: Request) -> bool:
    """Whether a request that outlived its deadline still runs: Python cannot end a thread."""
    if isinstance(request, Ask):
        return bool(getattr(request.model, "in_thread", False))
    return not is_async(request.function)
