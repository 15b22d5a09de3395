"""Many callers, one transaction: each waits until its own record is durable, and nobody waits for a timer.

The first caller to come writes at once. Whoever comes while it writes is written together with all others
who came meanwhile, by the first of them. So a lone caller is as quick as it ever was, and under load the cost
of making a transaction durable is shared.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guardrails.audit._store import RefusedError
from guardrails.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from guardrails.audit._store import Entry

_MOST = 256  # entries in one transaction


@dataclass(eq=False, slots=True)
class _Waiting:
    entry: Entry
    woken: threading.Lock = field(default_factory=threading.Lock)
    leads: bool = False
    number: int | None = None
    error: AuditError | None = None


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
        self._is_led = False

    def append(self, entry: Entry) -> int:
        """Write an entry, and return its number: it is durable then.

        Raises:
            AuditError: it was not written.
        """
        own = _Waiting(entry)
        with self._lock:
            self._queue.append(own)
            own.leads, self._is_led = not self._is_led, True
        if not own.leads:
            self._wait(own)
        if own.leads:
            self._lead(own)
        if own.error is not None:
            raise own.error
        assert own.number is not None
        return own.number

    def _wait(self, own: _Waiting) -> None:
        """Wait until it is written, or until it is this caller's turn to write."""
        own.woken.acquire()
        try:
            own.woken.acquire()
        except BaseException:  # an interrupt
            with self._lock:
                if own in self._queue:
                    self._queue.remove(own)
                if own.leads:
                    self._hand_on()
            raise

    def _lead(self, own: _Waiting) -> None:
        """Write what waits, the own entry first, and leave what came meanwhile to the next one."""
        with self._lock:
            batch = [self._queue.popleft() for _ in range(min(_MOST, len(self._queue)))]
        try:
            self._settle(batch)
        finally:
            with self._lock:
                self._hand_on()
            for one in batch:
                if one is not own:
                    one.woken.release()

    def _hand_on(self) -> None:
        self._is_led = bool(self._queue)
        if self._is_led:
            self._queue[0].leads = True
            self._queue[0].woken.release()

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
        except BaseException:  # the writer was interrupted, and says so itself
            for one in batch:
                one.error = AuditError("the record may not be written: the thread that wrote it was stopped.")
            raise


_groups: weakref.WeakSet[Group] = weakref.WeakSet()


def _after_fork() -> None:
    for group in _groups:
        group.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
