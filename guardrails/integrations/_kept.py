"""Async streams under way: kept until they are closed, whoever drops what is read of them."""

from __future__ import annotations

from typing import Any

_kept: set[Any] = set()


class Kept:
    """Closes a stream at the end of the block, and lets nobody collect it before.

    A loop closes every generator that is collected, each in a task of its own. Where one generator closes the next,
    two such tasks would meet in one, and the loop would report it; so only the outermost is ever collected.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aenter__(self) -> None:
        _kept.add(self._stream)

    async def __aexit__(self, *_: object) -> None:
        try:
            await close(self._stream)
        finally:
            _kept.discard(self._stream)


async def close(stream: Any) -> None:
    """Close a stream that nobody reads or closes just now: who does will find its source closed."""
    if not stream.ag_running:
        await stream.aclose()
