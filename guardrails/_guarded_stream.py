"""What a guarded function gives where the function gives a stream: a generator, or an SDK's stream of events."""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from guardrails._outcomes import remember
from guardrails.dialects import events_of_any
from guardrails.exchange import Exchange

if TYPE_CHECKING:
    from guardrails._guard import Guard
    from guardrails.outcome import Outcome


class GuardedStream:
    """A stream of which only what is released comes out; `close` and `with` end it early."""

    def __init__(self, guard: Guard, exchange: Exchange, source: Any) -> None:
        self._released: Generator[Any, None, None] = guard.streamed(
            exchange, source, events_of_any(), done=partial(_told, weakref.ref(self))
        )

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._released)

    def close(self) -> None:
        """End the stream: nothing more comes out, and the record says so."""
        self._released.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncGuardedStream:
    """As `GuardedStream`, on an event loop."""

    def __init__(self, guard: Guard, exchange: Exchange, source: Any) -> None:
        self._released: AsyncGenerator[Any, None] = guard.astreamed(
            exchange, source, events_of_any(), done=partial(_told, weakref.ref(self))
        )

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return await anext(self._released)

    async def aclose(self) -> None:
        """End the stream: nothing more comes out, and the record says so."""
        await self._released.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _told(stream: weakref.ref[Any], outcomes: tuple[Outcome, ...]) -> None:
    """Let `outcome_of` find a stream's outcomes. Not through the stream itself: it would never be dropped then."""
    if (alive := stream()) is not None:
        remember(alive, outcomes)


def is_stream(reply: Any) -> bool:
    """Whether a function returned a stream: an iterator, sync or async."""
    return isinstance(reply, Iterator | AsyncIterator)


def guarded_stream(guard: Guard, exchange: Exchange, source: Any) -> Any:
    """The stream, guarded; of a generator, a generator."""
    if isinstance(source, Generator):
        return guard.streamed(exchange, source, events_of_any())
    if isinstance(source, AsyncGenerator):
        return guard.astreamed(exchange, source, events_of_any())
    made = AsyncGuardedStream if isinstance(source, AsyncIterator) else GuardedStream
    return made(guard, exchange, source)


def outcome_of_stream(guard: Guard, exchange: Exchange, source: Any) -> Any:
    """Read a stream to its end, and give its outcome; for an async one, an awaitable of it."""
    found: list[tuple[Outcome, ...]] = []
    if isinstance(source, AsyncIterator):

        async def read() -> Any:
            async for _ in guard.astreamed(exchange, source, events_of_any(), raises=False, done=found.append):
                pass
            return found[0][0] if len(found[0]) == 1 else found[0]

        return read()
    for _ in guard.streamed(exchange, source, events_of_any(), raises=False, done=found.append):
        pass
    return found[0][0] if len(found[0]) == 1 else found[0]
