"""One private event loop a process, on a daemon thread, for callers that block.

What is asynchronous has one implementation; its synchronous form is `run` of it. That holds for
callers inside a running event loop too, where `asyncio.run` is not to be had.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import contextvars
import inspect
import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")
P = ParamSpec("P")

# How long the end of the process waits for the private loop to cancel its tasks and close its clients.
_FAREWELL = 2.0


class _Private:
    """The event loop and its thread, both made when they are first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._inherited: list[object] = []
        self._ending = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        return self._loop

    def start(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._work, args=(self._loop,), name="guardrails-loop", daemon=True
                )
                self._thread.start()
            return self._loop

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._ending:
            # asyncio lets these two through a task and out of the loop; later callers still need the loop.
            with contextlib.suppress(KeyboardInterrupt, SystemExit):
                loop.run_forever()
        loop.run_until_complete(_wind_up())
        loop.close()

    def end(self) -> None:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._ending = True
        with contextlib.suppress(RuntimeError):  # it has ended already
            loop.call_soon_threadsafe(loop.stop)
        thread.join(_FAREWELL)

    def forget(self) -> None:
        """Start afresh in a forked child, which inherits the loop but not the thread that ran it.

        The parent's loop is kept, and untouched: both processes share its selector and its sockets,
        and closing or collecting it here would take readers away from the parent.
        """
        self._inherited.append(self._loop)
        self._lock = threading.Lock()
        self._loop = self._thread = None


async def _wind_up() -> None:
    """Cancel what still runs, and close asynchronous generators, which hold the SDK clients.

    `asyncio.Runner` would wait for its pool of threads too, which takes a new thread: from Python
    3.12 on there is none to be had while the process ends.
    """
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.sleep(0)  # transports that were closed say so in the loop's next round


_private = _Private()
atexit.register(_private.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_private.forget)


def private() -> asyncio.AbstractEventLoop | None:
    """The private loop, or None where nothing has needed it yet."""
    return _private.loop


def submit(coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Start a coroutine on the private loop, in the caller's context, and return its future.

    Cancelling the future cancels the coroutine's task.
    """
    # asyncio copies the context of the thread that schedules, so context variables need nothing more.
    return asyncio.run_coroutine_threadsafe(coroutine, _private.start())


def submit_and_wait(coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """As `submit`, for a caller that will block until it is done.

    Raises:
        RuntimeError: called on the private loop itself, which would wait for itself forever.
    """
    if _on_private_loop():
        coroutine.close()
        raise RuntimeError(
            "a blocking call inside a coroutine that guardrails runs would wait for itself; "
            "await the asynchronous form there (acomplete, areview, astream)"
        )
    return submit(coroutine)


def run(coroutine: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
    """Run a coroutine on the private loop, and block until it is done.

    `timeout` is in seconds, None for no limit. A caller that stops waiting, because of it or of an
    interrupt, cancels the task.

    Raises:
        RuntimeError: called on the private loop itself, which would wait for itself forever.
        TimeoutError: the time is up.

    >>> async def double(number):
    ...     return 2 * number
    >>> run(double(21))
    42
    """
    future = submit_and_wait(coroutine)
    try:
        return future.result(timeout)
    except BaseException:
        future.cancel()
        raise


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a thread of its own, in the caller's context, and await what it returns.

    Python cannot end a thread: a cancelled caller abandons it. Hence a daemon thread a call, where
    `asyncio.to_thread` has a pool: abandoned calls would fill it, and keep the process from ending.

    >>> run(in_thread(sum, [40, 2]))
    42
    """
    future: concurrent.futures.Future[T] = concurrent.futures.Future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            future.set_result(context.run(function, *args, **kwargs))
        except StopIteration as stop:  # no asyncio future takes one, and its waiter would never wake
            error = RuntimeError(f"{getattr(function, '__qualname__', function)} raised StopIteration")
            error.__cause__ = stop
            future.set_exception(error)
        except BaseException as error:  # noqa: BLE001  # whatever it is, it belongs to the waiter
            future.set_exception(error)

    future.set_running_or_notify_cancel()
    try:
        threading.Thread(target=work, name="guardrails-call", daemon=True).start()
    except RuntimeError:  # from Python 3.12 on no thread starts while the process ends: this one has to do
        if threading.main_thread().is_alive():
            raise
        work()
    return await asyncio.wrap_future(future)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling this makes a coroutine: a coroutine function, a partial or an object that is one.

    >>> is_async(in_thread), is_async(len)
    (True, False)
    """
    function = function.func if isinstance(function, partial) else function
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _on_private_loop() -> bool:
    try:
        return asyncio.get_running_loop() is _private.loop
    except RuntimeError:
        return False
