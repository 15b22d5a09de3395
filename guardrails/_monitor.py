"""Reviews behind their callers' backs, in monitor mode. Called by the guard."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import TypeAlias

from guardrails.models import submit

_Job: TypeAlias = tuple[Future[None], Context, Callable[[], object]]

_AT_ONCE = 32  # reviews in monitor mode, in the whole process
_WAITING = 10_000  # those that may wait for their turn: an app that outruns its judges must not run out of memory
_log = logging.getLogger("guardrails")


class Behind:
    """What monitor mode reviews behind its callers' backs, on a few threads for the whole process.

    The threads are daemons, because no review may keep a process from ending: `end` waits for `patience` seconds.
    """

    def __init__(self, patience: float = 5.0) -> None:
        self._patience = patience
        self._is_registered = self._has_ended = False
        self.forget()

    def forget(self) -> None:
        """Start afresh in a forked child: its parent has the threads, and finishes what they review."""
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._open: dict[Future[None], object] = {}
        self._threads = 0

    def put(self, owner: object, review: Callable[[], object]) -> None:
        """Have a review done, in the caller's context.

        Raises:
            RuntimeError: it cannot be: too many wait, or the process ends.
        """
        done: Future[None] = Future()
        with self._lock:
            if self._has_ended or len(self._open) >= _WAITING:
                raise RuntimeError("the process ends" if self._has_ended else f"{_WAITING} reviews wait already")
            if not self._is_registered:  # now, to come before what was registered earlier: the loop, the trail
                self._is_registered = atexit.register(self.end) is not None
            if self._threads <= len(self._open) and self._threads < _AT_ONCE:
                self._start()
            self._open[done] = owner
            self._jobs.put((done, copy_context(), review))

    def join(self, owner: object = None, seconds: float | None = None) -> int:
        """Wait for an owner's reviews, by default for all, and return how many are not done."""
        with self._lock:
            mine = [done for done, whose in self._open.items() if owner is None or whose is owner]
        return len(wait(mine, seconds).not_done)

    def end(self) -> None:
        """Let the reviews under way finish, but not for long, and say how many did not."""
        lost = self.join(seconds=self._patience)
        with self._lock:
            self._has_ended = True
            self._open.clear()
        if lost:
            _log.error("monitor mode lost %d reviews: the process ends. A guard's close() waits for them.", lost)

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work, args=(self._jobs,), name="guardrails-monitor", daemon=True).start()
            if not self._threads:  # reviews need the loop, too, and from Python 3.12 on no thread starts at the end
                submit(asyncio.sleep(0))
        except RuntimeError:  # there is no thread to be had: those that run have to do
            if not self._threads:
                raise
        else:
            self._threads += 1

    def _work(self, jobs: SimpleQueue[_Job]) -> None:
        while True:
            self._do(*jobs.get())

    def _do(self, done: Future[None], context: Context, review: Callable[[], object]) -> None:
        if done not in self._open:  # `end` has counted it among the lost
            return
        try:
            context.run(review)
        except BaseException as error:  # noqa: BLE001 - a judge's SystemExit, too, must not end this thread
            if done in self._open:
                _log.error("a review in monitor mode failed: %s", type(error).__name__, exc_info=error)
        with self._lock:
            self._open.pop(done, None)
        done.set_result(None)


behind = Behind()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=behind.forget)
