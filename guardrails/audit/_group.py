"""Many callers, one transaction: each waits until its own record is durable, and nobody waits for a timer.

The first caller to come writes at once. Whoever comes while it writes queues, and the next one to write takes
all that queue along. So a lone caller is as quick as it ever was, and under load the cost of making a transaction
durable is shared.

An interrupt may come anywhere, and leave a caller that was to be woken asleep. So being woken is a hint, which is
waited for that long and no longer: whoever finds its own entry not written writes it.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from guardrails.audit._store import RefusedError
from guardrails.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from guardrails.audit._store import Entry

_MOST = 256  # entries in one transaction
_PATIENCE = 1.0  # seconds until a caller looks for itself, where whoever was to wake it was interrupted


@dataclass(eq=False, slots=True)
class _Waiting:
    entry: Entry
    hints: SimpleQueue[None] = field(default_factory=SimpleQueue)
    number: int | None = None
    error: AuditError | None = None

    @property
    def is_done(self) -> bool:
        return self.number is not None or self.error is not None


class Group:
    """Writes the entries of concurrent callers together. `write` is a store's `append`."""

    def __init__(self, write: Callable[[Sequence[Entry]], Sequence[int]]) -> None:
        self._write = write
        self.begin()
        _groups.add(self)

    def begin(self) -> None:
        """Begin with nobody waiting: so does a forked child, which has none of its parent's threads."""
        self._lock = threading.Lock()
        self._queue: deque[_Waiting] = deque()

    def append(self, entry: Entry) -> int:
        """Write an entry, and return its number: it is durable then.

        Raises:
            AuditError: it was not written.
        """
        own = _Waiting(entry)
        self._queue.append(own)
        try:
            if self._lock.locked():
                with suppress(Empty):
                    own.hints.get(timeout=_PATIENCE)  # that it is written, or that it is this caller's turn
            if not own.is_done:
                self._lead(own)
        except BaseException:  # what nobody waits for is not written
            with suppress(ValueError):
                self._queue.remove(own)
            self._hint_next()
            raise
        if own.error is not None:
            raise own.error
        assert own.number is not None
        return own.number

    def _lead(self, own: _Waiting) -> None:
        """Write the own entry, unless somebody did, and what waits."""
        batch = [own]
        with self._lock:
            if own.is_done:
                return
            while self._queue and len(batch) < _MOST:
                one = self._queue.popleft()
                if one is not own:
                    batch.append(one)
            try:
                self._settle(batch)
            finally:
                for one in batch:
                    one.hints.put(None)
        self._hint_next()

    def _hint_next(self) -> None:
        with suppress(IndexError):
            self._queue[0].hints.put(None)

    def _settle(self, batch: Sequence[_Waiting]) -> None:
        try:
            for one, number in zip(batch, self._write([one.entry for one in batch]), strict=True):
                one.number = number
        except RefusedError as refused:
            if len(batch) == 1:
                batch[0].error = refused
                return
            for one in batch:  # whose fault it is shows when each is written alone
                self._settle([one])
        except AuditError as error:
            for one in batch:
                one.error = AuditError(*error.args)
                one.error.__cause__ = error.__cause__


_groups: weakref.WeakSet[Group] = weakref.WeakSet()


def _after_fork() -> None:
    for group in _groups:
        group.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
