"""What a guarded function gives where the function gives a stream: a generator, or an SDK's stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from guardrails._outcomes import one_or_all
from guardrails.dialects import events_of_any
from guardrails.exchange import Exchange

if TYPE_CHECKING:
    from guardrails._guard import Guard
    from guardrails.outcome import Outcome


def is_stream(reply: Any) -> bool:
    """Whether a function returned a stream: an iterator, sync or async."""
    return isinstance(reply, Iterator | AsyncIterator)


def guarded_stream(guard: Guard, exchange: Exchange, source: Any, *, awaited: bool) -> Any:
    """The stream, guarded. One that can be read in both ways is read in the way that its function was called."""
    if _is_async(source, awaited):
        return guard.astreamed(exchange, source, events_of_any())
    return guard.streamed(exchange, source, events_of_any())


def outcome_of_stream(guard: Guard, exchange: Exchange, source: Any, *, awaited: bool) -> Any:
    """Read a stream to its end, and give its outcome; for an async one, an awaitable of it."""
    found: list[tuple[Outcome, ...]] = []
    if _is_async(source, awaited):
        return _aoutcome(guard.astreamed(exchange, source, events_of_any(), raises=False, done=found.append), found)
    for _ in guard.streamed(exchange, source, events_of_any(), raises=False, done=found.append):
        pass
    return one_or_all(found[0])


async def _aoutcome(released: AsyncIterator[Any], found: list[tuple[Outcome, ...]]) -> Any:
    async for _ in released:
        pass
    return one_or_all(found[0])


def _is_async(source: Any, awaited: bool) -> bool:  # noqa: FBT001 - named where it is given
    return isinstance(source, AsyncIterator) and (awaited or not isinstance(source, Iterator))
