"""The drivers: concurrency, deadlines, cancellation, and what a failure becomes."""

import asyncio
import threading

import pytest

from guardrails import ModelReply, ModelRequest
from guardrails._drive import arun, run
from guardrails.errors import ModelError
from guardrails.models import Ask, Call, CallableModel, CallResult, Failure

REQUEST = ModelRequest("judge", system="", messages=())


def step(*requests):
    results = yield list(requests)
    return list(results)


@pytest.fixture(params=["sync", "async"])
def drive(request):
    if request.param == "sync":
        return run
    return lambda one, seconds=None: asyncio.run(arun(one, seconds))


def test_results_come_in_the_order_of_the_requests(drive):
    """Whatever finishes first, each request gets its own result."""
    both = threading.Barrier(2)

    def first():
        both.wait(30)
        return "first"

    async def second():
        return await asyncio.to_thread(lambda: (both.wait(30), "second")[1])

    assert drive(step(Call(first), Call(second))) == [CallResult("first"), CallResult("second")]


def test_failures_are_values(drive):
    """What a model or a function raises is sent in, by the name of its type, without its text."""

    def breaks(*_):
        raise ValueError("text of the exchange")

    def refuses(_):
        raise ModelError("the endpoint is gone")

    results = drive(step(Call(breaks), Ask(CallableModel(breaks), REQUEST), Ask(CallableModel(refuses), REQUEST)))
    assert [(type(r), r.kind) for r in results] == [(Failure, "error")] * 3
    assert not any("text of the exchange" in r.reason for r in results)
    assert "the endpoint is gone" in results[2].reason


def test_one_late_request_does_not_take_the_others_along(drive):
    """At the deadline the late request fails; what was done in time counts."""
    never = threading.Event()

    async def late():
        await asyncio.Event().wait()

    results = drive(step(Call(lambda: "done"), Call(late), Call(never.wait, (30,))), 0.2)
    never.set()
    assert results[0] == CallResult("done")
    assert [(r.kind, r.abandoned) for r in results[1:]] == [("deadline", False), ("deadline", True)]


def test_after_the_deadline_nothing_is_begun(drive):
    """A step that asks on when its time is up gets failures, and nothing runs."""
    ran = []

    def rounds():
        (first,) = yield [Call(threading.Event().wait, (0.05,))]
        (second,) = yield [Call(ran.append, (1,))]
        return first, second

    first, second = drive(rounds(), 0.01)
    assert (first.kind, second.kind, ran) == ("deadline", "deadline", [])


def test_a_model_sees_how_much_time_is_left(drive):
    """The request carries the seconds that are left, so that a client can give up in time."""
    seen = []

    def model(request):
        seen.append(request.timeout)
        return ModelReply("ok")

    drive(step(Ask(CallableModel(model), REQUEST)), 5)
    assert 0 < seen[0] <= 5


def test_a_cancelled_caller_cancels_what_it_waits_for():
    """Cancelling the task that reviews ends its requests; nothing is left running."""
    ended = []

    async def endless():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def caller():
        started = asyncio.create_task(arun(step(Call(endless))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        started.cancel()
        with pytest.raises(asyncio.CancelledError):
            await started
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(caller()) == set()
    assert ended == [True]
