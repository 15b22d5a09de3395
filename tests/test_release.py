"""The drivers of streams: sync and async consumers, errors, early leaves; nothing unjudged, nothing left open."""

import asyncio
import json
import subprocess
import sys
from contextlib import aclosing, closing

import pytest
from support import constitution, principle

from guardrails import AuditTrail, Guard, Status, labels, outcome_of
from guardrails.errors import AuditError, Blocked, UnsupportedReply
from guardrails.outcome import Cause
from guardrails.testing import ScriptedModel, clean, edits, finding, findings

CERTAIN = principle(
    "no-certainty",
    checks=[{"pattern": ["certain"], "fix": {"replace": "possible"}}],
    on_violation="revise",
)
RULES = constitution(CERTAIN)
CHUNKS = ["It costs", " 0.2%. A gain", " is certain. Ask", " us."]
RELEASED = "It costs 0.2%. A gain is possible. Ask us."


def guard_of(path, rules=RULES, **options):
    return Guard(rules, **{"judge": "rules", "allow_unjudged": True, "audit": path, **options})


@pytest.fixture
def trail(tmp_path):
    return AuditTrail.open(tmp_path / "audit.db")


@pytest.fixture
def guard(trail):
    return guard_of(trail)


class Source:
    """A stream that says whether it was closed."""

    def __init__(self, chunks=CHUNKS, error=None):
        self.chunks, self.error, self.closed = list(chunks), error, 0

    def __iter__(self):
        yield from self.chunks
        if self.error:
            raise self.error

    def close(self):
        self.closed += 1


class AsyncSource(Source):
    """The same, async."""

    __iter__ = None

    async def __aiter__(self):
        for chunk in self.chunks:
            await asyncio.sleep(0)
            yield chunk
        if self.error:
            raise self.error

    async def aclose(self):
        self.closed += 1


async def read(stream):
    return [chunk async for chunk in stream]


def both(guard, source=CHUNKS, error=None):
    """The chunks that come out, of the sync stream and of the async one, which are the same."""
    sync, unsync = Source(source, error), AsyncSource(source, error)
    out = []
    with pytest.raises(type(error)) if error else closing(sync):
        out.extend(guard.stream("q", sync))

    async def run():
        with pytest.raises(type(error)) if error else closing(sync):
            return await read(guard.astream("q", unsync))

    got = asyncio.run(run())
    assert error or got == out
    assert sync.closed
    assert unsync.closed
    return out


def test_a_stream_is_revised_and_the_rest_comes_as_it_came(guard, trail):
    """Sentences that pass keep their chunks, a revised one comes as one chunk, and the trail has it all."""
    out = both(guard)
    assert "".join(out) == RELEASED
    assert out[0] == "It costs"
    for summary in trail.runs():
        run = trail.run(summary.run_id).run
        assert run.outcome.status is Status.REVISED
        assert run.outcome.original == "".join(CHUNKS)
        assert run.outcome.text == run.outcome.released == RELEASED
        assert run.outcome.attempts[0].draft in "".join(CHUNKS)
    assert trail.verify()


def recorded(trail):
    """What the records say was released: of the windows so far, or by the outcome."""
    told = []
    for record in trail._store.page(None, 100):
        fields = json.loads(record.body)
        texts = {text.path: text.text.decode() for text in record.texts}
        released = texts[fields["same"].get("released", "released")]
        told = [released] if fields["kind"] == "outcome" else [*told, released]
    return "".join(told)


def test_each_window_is_in_the_trail_before_it_comes_out(guard, trail):
    """Another process could read it there: what has come out is what records say was released."""
    out = ""
    for chunk in guard.stream("q", ["One is fine. ", "Two is fine. ", "Three is fine. ", "Four."]):
        out += chunk
        assert recorded(AuditTrail.open(trail.url)).startswith(out)


def test_a_record_that_cannot_be_written_ends_the_stream(tmp_path):
    """No record, no release: not even of the first window."""
    (tmp_path / "audit.db").mkdir()
    out = []
    with pytest.raises(AuditError):
        out.extend(guard_of(tmp_path / "audit.db").stream("q", ["Fine here. ", "And fine there too. ", "Yes."]))
    assert out == []


def test_a_stream_that_breaks_off(guard, trail):
    """The stream's own error passes; what was not judged never comes out; the record says `interrupted`."""
    out = both(guard, ["It costs 0.2%. A gain is", " certain"], error=ConnectionError("gone"))
    assert "".join(out).rstrip() in {"", "It costs 0.2%."}
    found = [trail.run(summary.run_id).run.outcome for summary in trail.runs()]
    assert {(outcome.status, outcome.cause) for outcome in found} == {(Status.BLOCKED, Cause.INTERRUPTED)}
    assert all("certain" not in outcome.released for outcome in found)


def test_a_consumer_that_leaves(guard, trail):
    """Leaving early closes the source, and the record says what had come out."""
    source = Source(["One is fine. ", "Two is fine. ", "Three is fine. ", "Four is fine."])
    stream = guard.stream("q", source)
    first = next(stream)
    stream.close()
    assert source.closed

    async def leave():
        source = AsyncSource(["One is fine. ", "Two is fine. ", "Three is fine. ", "Four is fine."])
        async with aclosing(guard.astream("q", source)) as stream:
            async for chunk in stream:
                assert chunk == first
                break
        assert source.closed
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(leave()) == set()
    for summary in trail.runs():
        outcome = trail.run(summary.run_id).run.outcome
        assert (outcome.cause, outcome.released) == (Cause.INTERRUPTED, first)


def test_a_cancelled_task_leaves_a_record_and_no_task(trail):
    """Cancelling while a judgement is in flight ends the judgement, and nothing that it judged comes out."""

    async def run():
        asked = asyncio.Event()

        async def hang(request):
            asked.set()
            await asyncio.sleep(60)

        guard = guard_of(trail, model=hang, judge=None)
        task = asyncio.create_task(read(guard.astream("q", AsyncSource(["One is fine. ", "Two is fine. ", "Three."]))))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(run()) == set()
    (summary,) = trail.runs()
    outcome = trail.run(summary.run_id).run.outcome
    assert (outcome.cause, outcome.released) == (Cause.INTERRUPTED, "")


@pytest.mark.parametrize("on_blocked", ["raise", "fallback"])
def test_a_late_finding_ends_the_stream(trail, on_blocked):
    """What only the whole reply breaks: what is out stays out, and Blocked or the fallback follows."""
    rules = constitution(CERTAIN, principle("whole", scope="reply"), fallback="Ask a person.")
    model = ScriptedModel(judge=[clean(), findings(finding("whole", sentences=[1]))])
    guard = guard_of(trail, rules, model=model, judge=None, on_blocked=on_blocked)
    out = []

    def chunks():
        yield from ["One is fine. ", "Two is fine as well. "]
        while not out:  # the reply goes on until its first window is out
            yield ""
        yield "Three."

    stream = guard.stream("q", chunks())
    out.append(next(stream))
    if on_blocked == "raise":
        with pytest.raises(Blocked) as info:
            next(stream)
        assert info.value.outcome.released == "One is fine. "
    else:
        assert next(stream) == "\n\nAsk a person."
    (summary,) = trail.runs()
    outcome = trail.run(summary.run_id).run.outcome
    assert (outcome.status, outcome.cause, outcome.released) == (Status.BLOCKED, Cause.VIOLATION, "One is fine. ")


def test_a_stream_is_held_where_a_critical_principle_judges_the_whole(trail):
    """One judgement, and nothing before it."""
    rules = constitution(CERTAIN, principle("whole", scope="reply", severity="critical"))
    model = ScriptedModel(judge=[clean()])
    out = list(guard_of(trail, rules, model=model, judge=None).stream("q", ["It costs", " 0.2%. Fine. Ask us."]))
    assert "".join(out) == "It costs 0.2%. Fine. Ask us."
    assert len(model.requests) == 1


def test_data_is_never_cut_or_edited(guard):
    """JSON is judged as a whole; what breaks a principle is blocked, not edited."""
    data = ['{"gain": "It is fine. ', 'It is so.", ', '"n": 1}']
    assert list(guard.stream("q", data)) == data
    with pytest.raises(Blocked):
        list(guard.stream("q", ['{"gain": "It is fine. ', 'It is certain."}']))


def test_a_required_statement_is_appended_to_a_stream(trail):
    """What only the whole reply can lack is added at its end, after all that came out as it came."""
    rules = constitution(
        CERTAIN,
        principle("says-so", scope="reply", checks=[{"require": ["not advice"], "append": "This is not advice.",
                                                     "decides": True}]),
    )  # fmt: skip
    out = list(guard_of(trail, rules).stream("q", ["It costs 0.2%. ", "Ask us, please."]))
    assert out == ["It costs 0.2%. ", "Ask us, please.", " This is not advice."]


def test_labels_and_outcome_of_decorated_streams(guard, trail):
    """Labels are those in force when the stream was opened; `outcome` reads the stream to its end."""

    @guard
    def answer(question: str):
        yield from CHUNKS

    @guard
    async def aanswer(question: str):
        for chunk in CHUNKS:
            yield chunk

    with labels(case="42"):
        stream = answer("q")
    assert "".join(stream) == RELEASED
    (summary,) = trail.runs()
    assert summary.labels == ("case",)
    assert answer.outcome("q").text == RELEASED

    async def run():
        assert "".join(await read(aanswer("q"))) == RELEASED
        return await aanswer.outcome("q")

    assert asyncio.run(run()).text == RELEASED


def test_other_iterators_are_guarded_too_and_know_their_outcome(guard):
    """A function that returns an iterator of its own kind: closing it works, and so does outcome_of."""

    class Own:
        def __init__(self):
            self.chunks = iter(CHUNKS)

        def __iter__(self):
            return self

        def __next__(self):
            return next(self.chunks)

    with guard(lambda question: Own())("q") as stream:
        assert "".join(stream) == RELEASED
    assert outcome_of(stream).text == RELEASED
    plain = guard.stream("q", CHUNKS)
    with pytest.raises(LookupError):
        outcome_of(plain)
    assert "".join(plain) == RELEASED
    assert outcome_of(plain).text == RELEASED
    with pytest.raises(UnsupportedReply, match="int"):
        list(guard(lambda question: iter([1]))("q"))


def test_a_revision_under_way_at_the_end_is_waited_for(trail):
    """The window that found something is mended, and what came of it is judged before it comes out."""
    model = ScriptedModel(
        judge=[findings(finding("no-certainty", sentences=[1])), clean(), clean()],
        revise=[edits({1: "A gain may come."})],
    )
    guard = guard_of(trail, constitution(principle("no-certainty")), model=model, judge=None)

    def chunks():
        yield "A gain will come for sure. "
        yield "So it will, "
        while len(model.requests) < 2:
            yield ""
        yield "they say."

    assert "".join(guard.stream("q", chunks())) == "A gain may come. So it will, they say."
    purposes = [request.purpose for request in model.requests]
    assert purposes[:2] == ["judge", "revise"]
    assert set(purposes[2:]) == {"judge"}


def test_monitor_mode_lets_a_stream_through_and_records_it(trail):
    """Chunks come as they come, and the review behind them tells what would have been."""
    with guard_of(trail, mode="monitor") as guard:
        assert list(guard.stream("q", iter(CHUNKS))) == CHUNKS
    (summary,) = trail.runs()
    assert (summary.status, summary.enforced) == (Status.REVISED, False)


def test_a_process_that_ends_in_mid_stream_leaves_an_interrupted_run(trail, tmp_path):
    """Its windows are in the trail, and tell what had come out."""
    code = f"""
import os
from guardrails import Guard
chunks = ["It costs 0.2%. ", "A gain is fine. ", "Ask us, please."]
guard = Guard("finance", judge="rules", allow_unjudged=True, audit={str(tmp_path / "audit.db")!r})
for out in guard.stream("q", chunks):
    if "gain" in out:
        os._exit(1)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    (summary,) = trail.runs()
    assert (summary.status, summary.cause) == (Status.BLOCKED, Cause.INTERRUPTED)
    run = trail.run(summary.run_id[:30]).run
    assert run.exchange.messages[0].content == "q"
    assert run.outcome.released == "It costs 0.2%. A gain is fine. "
    assert trail.verify()
