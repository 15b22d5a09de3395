"""Streams whose source, judge, trail and reader end in every order: nothing is lost, and nothing comes out early."""

import asyncio
import json
import threading
import time

import anyio
import pytest
from support import constitution, principle

from guardrails import AuditTrail, Budget, FunctionJudge, Guard, Status, labels
from guardrails.dialects import ANTHROPIC, CHAT
from guardrails.errors import AuditError, Blocked, ConfigurationError
from guardrails.exchange import Exchange
from guardrails.models import ModelReply
from guardrails.outcome import Cause
from guardrails.testing import clean, edits, finding

RULES = constitution(principle("a-one"))
FINE = ["One is fine. ", "Two is fine, too. ", "Three is fine and more."]


def model(judge=None, revise=None, delay=0.01):
    """A model that takes its time; `judge` makes its answer of what it is shown."""

    async def answer(request):
        await asyncio.sleep(delay)
        text = request.messages[-1].content
        if request.purpose == "revise":
            return ModelReply(json.dumps(revise(text)))
        return ModelReply(json.dumps(judge(text) if judge else clean()))

    return answer


def slow(*chunks, pause=0.04, error=None):
    for chunk in chunks:
        yield chunk
        time.sleep(pause)
    if error:
        raise error


async def aslow(*chunks, pause=0.04, error=None):
    for chunk in chunks:
        yield chunk
        await asyncio.sleep(pause)
    if error:
        raise error


async def read(stream):
    return [chunk async for chunk in stream]


@pytest.fixture
def trail(tmp_path):
    return AuditTrail.open(tmp_path / "audit.db")


def outcomes(trail):
    return [trail.run(summary.run_id).run.outcome for summary in trail.runs()]


@pytest.mark.parametrize("pause", [0.0, 0.04])
def test_a_window_that_is_judged_while_the_source_is_read_is_recorded_first(tmp_path, pause):
    """The judgement ends in another thread; nothing of it comes out before its record is written here."""
    (tmp_path / "audit.db").mkdir()
    out = []
    with pytest.raises(AuditError):
        out.extend(Guard(RULES, model=model(), audit=tmp_path / "audit.db").stream("q", slow(*FINE, pause=pause)))
    assert out == []


@pytest.mark.parametrize("pause", [0.0, 0.005, 0.01, 0.04])
def test_a_source_may_end_before_while_and_after_a_judgement_does(trail, pause):
    """The reply is the same, and so is the outcome, in both drivers."""
    guard = Guard(RULES, model=model(), audit=trail)
    for _ in range(5):
        assert "".join(guard.stream("q", slow(*FINE, pause=pause))) == "".join(FINE)
        assert "".join(asyncio.run(read(guard.astream("q", aslow(*FINE, pause=pause))))) == "".join(FINE)
    assert {(outcome.status, outcome.text) for outcome in outcomes(trail)} == {(Status.PASSED, "".join(FINE))}


@pytest.mark.parametrize("error", [ConnectionError("gone"), KeyboardInterrupt()])
def test_what_a_judge_found_is_recorded_though_the_source_fails(trail, error):
    """One record, with the verdict, and the source's own error."""
    rules = constitution(principle("a-one", on_violation="block"))
    guard = Guard(rules, model=model(lambda _: finding("a-one", sentences=[1])), audit=trail)
    with pytest.raises(type(error)):
        list(guard.stream("q", slow("One is bad. Two is fine and more. ", error=error)))
    (outcome,) = outcomes(trail)
    assert outcome.cause is Cause.INTERRUPTED
    assert outcome.attempts[0].verdicts[0].violates


def chunk(choice, text="", reason=None):
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**head, "choices": [{"index": choice, "delta": {"content": text}, "finish_reason": reason}]}


def test_a_blocked_choice_is_the_outcome_of_the_others_too(trail):
    """Each has a record, and none says that something was released which was not."""
    rules = constitution(principle("a-one", on_violation="block", checks=[{"pattern": ["bad"]}]))
    guard = Guard(rules, judge="rules", allow_unjudged=True, audit=trail)
    events = [chunk(0, "All is fine."), chunk(1, "It is bad."), chunk(0, reason="stop"), chunk(1, reason="stop")]
    out = []
    with pytest.raises(Blocked):
        out.extend(guard.streamed(Exchange("q"), events, CHAT.events()))
    assert out == []
    found = outcomes(trail)
    assert [(outcome.status, outcome.released) for outcome in found] == [(Status.BLOCKED, "")] * 2


def test_what_a_window_appends_comes_out_once(trail):
    """What was judged, what is recorded and what comes out are one text."""
    guard = Guard(
        RULES,
        model=model(
            lambda text: finding("a-one", sentences=[1]) if "Ask a doctor" not in text else clean(),
            lambda _: edits({}, append="Ask a doctor."),
        ),
        audit=trail,
    )
    chunks = ["One is fine. ", "Two is fine and more so. ", "Three.", ""]
    for out in (list(guard.stream("q", slow(*chunks))), asyncio.run(read(guard.astream("q", aslow(*chunks))))):
        assert "".join(out) == "One is fine. Ask a doctor. Two is fine and more so. Three."
    assert {outcome.text for outcome in outcomes(trail)} == {"".join(out)}


@pytest.mark.parametrize("error", [asyncio.CancelledError("inner"), GeneratorExit()])
async def test_an_async_source_may_raise_anything(error):
    """It comes out where it is read, and nothing waits for ever."""
    guard = Guard(RULES, model=model(), audit=None)

    class Source:
        def __aiter__(self):
            return self

        async def __anext__(self):
            raise error

    async with asyncio.timeout(5):
        with pytest.raises(type(error)):
            await anext(guard.astream("q", Source()))


def test_a_sync_stream_in_an_async_judge_is_refused_and_blocks_nobody():
    """It would wait for the loop that it runs on."""
    inner = Guard(RULES, model=model(), audit=None)

    async def judge(exchange, one):
        list(inner.stream("q", FINE))

    outer = Guard(RULES, judge=FunctionJudge(judge, covers={"a-one"}), audit=None)
    assert outer.review("q", "Hello.").cause is Cause.ERROR


def test_a_source_that_nobody_read_is_closed():
    """Leaving before the first chunk leaves no connection open."""
    guard, closed = Guard(RULES, model=model(), audit=None), []

    class Source:
        def __iter__(self):
            return iter(())

        def close(self):
            closed.append(self)

    class AsyncSource:
        def __aiter__(self):
            return self

        async def __anext__(self):
            raise StopAsyncIteration

        async def aclose(self):
            closed.append(self)

    guard.stream("q", Source()).close()
    asyncio.run(guard.astream("q", AsyncSource()).aclose())
    assert len(closed) == 2


def test_a_record_is_whole_though_its_caller_is_cancelled(trail):
    """Cancelled while a window is written: that is finished, and the outcome's record comes after it."""
    begun = threading.Event()
    store, append = trail._store, trail._store.append

    class Slow:
        """The store, as slow as a disk may be."""

        def __getattr__(self, name):
            return getattr(store, name)

        def append(self, entry):
            begun.set()
            time.sleep(0.03)
            return append(entry)

    guard = Guard(RULES, model=model(), audit=AuditTrail(Slow()))

    async def run():
        task = asyncio.create_task(read(guard.astream("q", aslow(*FINE))))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    kinds = [json.loads(record.body)["kind"] for record in trail._store.page(None, 10)]
    assert kinds == ["window", "outcome"]
    assert trail.verify()


def test_the_streams_own_error_is_what_its_caller_is_told(tmp_path):
    """A trail that cannot be written besides is a note on it."""
    (tmp_path / "audit.db").mkdir()
    guard = Guard(RULES, model=model(delay=5), audit=tmp_path / "audit.db")
    with pytest.raises(ConnectionError) as info:
        list(guard.stream("q", slow("One is fine. ", error=ConnectionError("gone"))))
    assert "is lost" in info.value.__notes__[0]


def test_an_interrupted_stream_says_what_nobody_judged(trail):
    """The principles of the whole reply were not asked, and stand as unjudged."""
    rules = constitution(principle("a-one"), principle("b-two", scope="reply"))
    with pytest.raises(ConnectionError):
        list(Guard(rules, model=model(), audit=trail).stream("q", slow(*FINE, error=ConnectionError("gone"))))
    assert "b-two" in outcomes(trail)[0].unjudged  # a-one too, where the judge was slower than the source


def test_what_is_given_up_is_paid_for(trail):
    """A judgement that nobody waits for any more was asked all the same."""
    guard = Guard(RULES, model=model(), audit=trail, budget=Budget(calls=1))
    with pytest.raises(Blocked) as info:
        list(guard.stream("q", slow(*FINE, pause=0)))
    assert info.value.outcome.cause is Cause.BUDGET
    assert info.value.outcome.usage.calls == 1


def test_monitor_mode_records_streams_as_it_does_whole_replies(trail):
    """With the labels in force when they were opened, what was heard of those that were left, and the outcome."""
    rules = constitution(principle("a-one", checks=[{"pattern": ["bad"]}]))
    with Guard(rules, judge="rules", allow_unjudged=True, audit=trail, mode="monitor") as guard:
        answer = guard(lambda question: iter(["One is bad. ", "Two."]))
        with labels(case="42"):
            stream = answer("q")
        next(stream)
        stream.close()
    (summary,) = trail.runs()
    assert summary.labels == ("case",)
    assert outcomes(trail)[0].original == "One is bad. "
    assert answer.outcome("q").blocked


def test_an_empty_stream_of_a_decorated_function_is_an_empty_reply():
    """There is no format to be told, and no stop reason to be missed."""
    guard = Guard(RULES, model=model(), audit=None)
    assert list(guard(lambda question: iter(()))("q")) == []


def blocks(*texts):
    """A message's events: these texts, with a tool call between each two."""
    yield {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}}
    for index, text in enumerate(texts):
        start = {"type": "text", "text": ""} if text else {"type": "tool_use", "id": "t", "name": "f", "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": start}
        if text:
            yield {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}


@pytest.mark.parametrize("mode", ["enforce", "monitor"])
def test_what_stands_apart_is_judged_apart(trail, mode):
    """A tool call between two texts: neither hides the other, and what parts them in judging does not come out."""
    events = list(blocks("My SSN is 123-45-6789", "", "2024 was good."))
    with Guard("finance", judge="rules", allow_unjudged=True, audit=trail, mode=mode) as guard:
        out = list(guard.streamed(Exchange("q"), events, ANTHROPIC.events()))
    (outcome,) = outcomes(trail)
    assert outcome.status is Status.REVISED
    said = [event["delta"]["text"] for event in out if event["type"] == "content_block_delta"]
    assert said == (["My SSN is ***-**-6789", "2024 was good."] if mode == "enforce" else [
        "My SSN is 123-45-6789", "2024 was good."
    ])  # fmt: skip


async def test_a_cancel_scope_that_cancels_again_and_again_leaves_a_record(trail):
    """As servers do when a client hangs up: every await is cancelled, and the record is written all the same."""
    guard, reading = Guard(RULES, model=model(delay=1), audit=trail), asyncio.Event()

    async def source():
        yield "One is fine. Two is fine and more. "
        reading.set()
        await asyncio.sleep(1)

    async with anyio.create_task_group() as group:
        group.start_soon(read, guard.astream("q", source()))
        await reading.wait()
        await asyncio.sleep(0.02)
        group.cancel_scope.cancel()
    assert [outcome.cause for outcome in outcomes(trail)] == [Cause.INTERRUPTED]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_scope_that_is_cancelled_while_a_stream_closes_ends_there(trail):
    """It tells its own cancellation from others by the exception itself: the scope that drains a response is one."""
    guard, scope = Guard(RULES, model=model(), audit=trail), anyio.CancelScope()

    class Source:
        chunks = iter(FINE)

        def __aiter__(self):
            return self

        async def __anext__(self):
            for chunk in self.chunks:
                return chunk
            raise StopAsyncIteration

        async def aclose(self):
            try:
                await asyncio.Event().wait()
            finally:  # everything was judged, and the stream waits for this alone
                scope.cancel()
                await asyncio.sleep(0.02)

    with scope:
        await read(guard.astream("q", Source()))
    assert scope.cancelled_caught
    assert [outcome.status for outcome in outcomes(trail)] == [Status.PASSED]


@pytest.mark.parametrize("second", ["It is fine.", "\n\nIt is fine."])
def test_what_parts_two_texts_is_nobodys_text(trail, second):
    """A sentence that is revised before a tool call does not bring the judges' blank line along."""
    rules = constitution(principle("a-one", checks=[{"pattern": ["certain"], "fix": {"replace": "possible"}}]))
    guard = Guard(rules, judge="rules", allow_unjudged=True, audit=trail)
    out = list(guard.streamed(Exchange("q"), blocks("It is certain", "", second), ANTHROPIC.events()))
    said = [event["delta"]["text"] for event in out if event["type"] == "content_block_delta"]
    assert "".join(said) == f"It is possible{second}"


def test_chunks_of_the_other_kind_are_refused_at_once():
    """Neither method waits for what never comes; the error names the method to use."""
    guard = Guard(RULES, model=model(), audit=None)
    with pytest.raises(ConfigurationError, match="use stream"):
        guard.astream("q", FINE)
    with pytest.raises(ConfigurationError, match="use astream"):
        guard.stream("q", aslow(*FINE))
    with pytest.raises(ConfigurationError, match="iterated"):
        guard.stream("q", 7)


async def test_a_source_that_cannot_be_begun_is_an_error():
    """What its `__aiter__` raises comes out."""

    class Source:
        def __aiter__(self):
            raise ConnectionError("gone")

    async with asyncio.timeout(5):
        with pytest.raises(ConnectionError):
            await anext(Guard(RULES, model=model(), audit=None).astream("q", Source()))


def test_an_outcome_that_is_written_when_its_caller_is_cancelled_stands(trail):
    """One record of it, and nothing is said to be lost."""
    written = threading.Event()
    store, append = trail._store, trail._store.append

    class Slow:
        """The store, as slow as a disk may be after it has written."""

        def __getattr__(self, name):
            return getattr(store, name)

        def append(self, entry):
            number = append(entry)
            written.set()
            time.sleep(0.03)
            return number

    guard = Guard(RULES, model=model(), audit=AuditTrail(Slow()))

    async def run():
        task = asyncio.create_task(read(guard.astream("q", aslow("Fine."))))
        await asyncio.to_thread(written.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as info:
            await task
        assert not getattr(info.value, "__notes__", [])

    asyncio.run(run())
    assert [outcome.status for outcome in outcomes(trail)] == [Status.PASSED]
