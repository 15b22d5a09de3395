"""Group commit: callers share transactions, each is told its own number or error, and none is left waiting."""

import itertools
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.audit._group import Group
from guardrails.audit._store import Entry, RefusedError
from guardrails.errors import AuditError


class Slow:
    """A place that takes entries in transactions, the first of which lasts until it is let go."""

    def __init__(self, first=None):
        self.batches = []
        self.begun, self.go = threading.Event(), threading.Event()
        self._first = first

    def append(self, entries):
        if not self.begun.is_set():
            self.begun.set()
            assert self.go.wait(10)
            if self._first:
                raise self._first
        self.batches.append([entry.fields["id"] for entry in entries])
        if any(entry.fields.get("bad") for entry in entries):
            self.batches.pop()
            raise RefusedError("it has a record already")
        return range(len(self.batches) * 1000, len(self.batches) * 1000 + len(entries))


def queued(group, entries, place):
    """The entries, appended by a thread each while the first transaction is under way."""
    pool = ThreadPoolExecutor(len(entries) + 1)
    first = pool.submit(group.append, Entry({"id": "first"}))
    assert place.begun.wait(10)
    rest = [pool.submit(group.append, entry) for entry in entries]
    while len(group._queue) < len(entries):
        threading.Event().wait(0.001)
    place.go.set()
    pool.shutdown()
    return first, rest


def test_who_comes_alone_writes_at_once():
    place = Slow()
    place.begun.set()
    assert Group(place.append).append(Entry({"id": 1})) == 1000
    assert place.batches == [[1]]


def test_who_comes_while_a_transaction_is_under_way_shares_the_next_one():
    place = Slow()
    first, rest = queued(Group(place.append), [Entry({"id": n}) for n in range(40)], place)
    assert [len(batch) for batch in place.batches] == [1, 40]
    assert first.result() == 1000
    assert sorted(one.result() for one in rest) == list(range(2000, 2040))


def test_a_transaction_holds_no_more_than_a_bounded_number():
    place = Slow()
    _, rest = queued(Group(place.append), [Entry({"id": n}) for n in range(300)], place)
    assert [len(batch) for batch in place.batches] == [1, 256, 44]
    assert len({one.result() for one in rest}) == 300


@settings(deadline=None, max_examples=30)
@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_an_entry_that_is_refused_fails_alone(bad):
    place = Slow()
    _, rest = queued(Group(place.append), [Entry({"id": n, "bad": is_bad}) for n, is_bad in enumerate(bad)], place)
    for is_bad, one in zip(bad, rest, strict=True):
        assert isinstance(one.exception(), RefusedError) == is_bad
    written = [number for batch in place.batches for number in batch]
    assert sorted(map(str, written)) == sorted(map(str, ["first", *(n for n, is_bad in enumerate(bad) if not is_bad)]))


def test_a_place_that_cannot_be_used_tells_everybody_of_the_transaction_and_nobody_else():
    place = Slow(AuditError("the disk is full"))
    first, rest = queued(Group(place.append), [Entry({"id": n}) for n in range(5)], place)
    assert str(first.exception()) == "the disk is full"
    assert [one.exception() for one in rest] == [None] * 5


def test_a_writer_that_is_interrupted_leaves_nobody_waiting():
    place = Slow(KeyboardInterrupt())
    first, rest = queued(Group(place.append), [Entry({"id": n}) for n in range(5)], place)
    with pytest.raises(KeyboardInterrupt):
        first.result()
    assert [one.exception() for one in rest] == [None] * 5


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs interval timers")
def test_interrupts_anywhere_leave_a_group_that_works():
    """As Ctrl-C in a notebook, or a worker's soft time limit: an exception between any two instructions."""

    def interrupt(*_):
        raise InterruptedError

    numbers, stop = itertools.count(1), threading.Event()
    group = Group(lambda entries: [next(numbers) for _ in entries])

    def others():
        while not stop.is_set():
            group.append(Entry({"id": 0}))

    threads = [threading.Thread(target=others) for _ in range(2)]
    for thread in threads:
        thread.start()
    before, count = signal.signal(signal.SIGALRM, interrupt), 0
    try:
        while count < 300:
            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 2e-4))
                for _ in range(50):
                    group.append(Entry({"id": 1}))
                signal.setitimer(signal.ITIMER_REAL, 0)
            except InterruptedError:
                count += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        stop.set()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert group.append(Entry({"id": 2}))


def test_everybody_gets_an_own_number_under_load():
    count, lock = [0], threading.Lock()

    def append(entries):
        with lock:
            start = count[0]
            count[0] += len(entries)
        return range(start, count[0])

    group = Group(append)
    with ThreadPoolExecutor(32) as pool:
        numbers = list(pool.map(lambda n: group.append(Entry({"id": n})), range(5000)))
    assert sorted(numbers) == list(range(5000))
    assert not group._queue
    assert not group._lock.locked()
