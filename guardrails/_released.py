"""What callers hold of a guarded stream: an iterator that can be closed, and that knows its outcome at the end."""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from guardrails._outcomes import remember
from guardrails._reader import AsyncReader, Reader
from guardrails.errors import ConfigurationError
from guardrails.outcome import Outcome

E = TypeVar("E")
Done = Callable[[tuple[Outcome, ...]], None]


class Released(Generic[E]):
    """A stream of which only what is released comes out. `close` and `with` end it early."""

    def __init__(self, source: Iterable[Any], opened: Callable[[Done], Generator[E, None, None]], done: Done) -> None:
        self._source = source
        self._events = opened(partial(_told, weakref.ref(self), done))
        self._is_begun = False

    def __iter__(self) -> Iterator[E]:
        return self

    def __next__(self) -> E:
        self._is_begun = True
        return next(self._events)

    def close(self) -> None:
        """End the stream: nothing more comes out, its source is closed, and the record says so."""
        self._events.close()
        if not self._is_begun:  # a generator that did not begin has nothing to close
            self._is_begun = True
            Reader(self._source).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncReleased(Generic[E]):
    """As `Released`, on an event loop: `aclose` and `async with` end it early."""

    def __init__(
        self, source: AsyncIterable[Any], opened: Callable[[Done], AsyncGenerator[E, None]], done: Done
    ) -> None:
        self._source = source
        self._events = opened(partial(_told, weakref.ref(self), done))
        self._is_begun = False

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        self._is_begun = True
        return await anext(self._events)

    async def aclose(self) -> None:
        """End the stream: nothing more comes out, its source is closed, and the record says so."""
        await self._events.aclose()
        if not self._is_begun:
            self._is_begun = True
            await AsyncReader(self._source).close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def readable(method: str, chunks: object, kind: type) -> None:
    """Refuse chunks that a stream of this kind cannot read.

    Raises:
        ConfigurationError: it names the method that can.
    """
    if not isinstance(chunks, kind):
        other = "an async iterable: use astream" if method == "stream" else "an iterable that is not async: use stream"
        said = other if isinstance(chunks, Iterable | AsyncIterable) else "which cannot be iterated over"
        raise ConfigurationError(f"{method} was given {type(chunks).__name__}, {said}.")


def _told(stream: weakref.ref[Any], done: Done, outcomes: tuple[Outcome, ...]) -> None:
    """Let `outcome_of` find a stream's outcomes. Not through the stream itself: it would never be dropped then."""
    done(outcomes)
    if (alive := stream()) is not None:
        remember(alive, outcomes)
