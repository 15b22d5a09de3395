"""The one retry policy. The SDKs' own retries are off: two policies stacked would multiply."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential,
    wait_random,
)

from guardrails.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_ATTEMPTS = 3
_backoff = wait_exponential(multiplier=0.5, max=8) + wait_random(0, 0.5)


@dataclass(frozen=True, slots=True)
class Retry:
    """At most three attempts at a request, within the request's time.

    Only a `ModelError` that is `retryable` is tried again: after as long as the server asked for,
    else after half a second that doubles, with jitter, up to 8 s. Where that wait would end beyond
    the request's time the error is raised at once. `sleep` does the waiting, so that tests need not.
    """

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def __call__(self, attempt: Callable[[float | None], Awaitable[T]], within: float | None) -> T:
        """Await `attempt(seconds left)` until it succeeds, and raise its last `ModelError` if it does not.

        `within` is in seconds and spans all attempts and the waits between them; None for no limit.
        """
        deadline = None if within is None else monotonic() + within

        async def once() -> T:
            return await attempt(None if deadline is None else max(deadline - monotonic(), 0))

        stop = stop_after_attempt(_ATTEMPTS)
        retrying = AsyncRetrying(
            sleep=self.sleep,
            stop=stop if within is None else stop | stop_before_delay(within),
            wait=_wait,
            retry=retry_if_exception(lambda error: isinstance(error, ModelError) and error.retryable),
            reraise=True,
        )
        return await retrying(once)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ModelError) else None
    return _backoff(state) if asked is None else asked
