"""OpenTelemetry: spans that hang together, metrics that add up, and nothing of what was said unless asked for."""

import asyncio
import json
import queue
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, aclosing, closing, suppress
from contextvars import copy_context

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from support import constitution, principle

from guardrails import Blocked, Budget, Guard, ModelReply, Status, labels
from guardrails.errors import AuditError, ModelError
from guardrails.integrations.opentelemetry import instrument
from guardrails.models import CallableModel
from guardrails.testing import ScriptedModel, clean, edits, finding

RULES = constitution("calm", principle("costs", on_violation="block"))
SURE = constitution(principle("sure", checks=[{"pattern": "certain", "decides": True}]))
CHUNKS = ("It rises. ", "It falls. ", "It costs 2%.")
REVISED = {"judge": [finding("calm", sentences=[1]), clean()], "revise": [edits({1: "It may fall."})]}


class Ended(SpanProcessor):
    """Counts spans as they end, for tests that have to wait for one."""

    def __init__(self):
        self.spans = queue.Queue()

    def on_end(self, span):
        self.spans.put(span)


class Telemetry:
    """Everything that was exported."""

    def __init__(self):
        self.exporter, self.reader, self.ended = InMemorySpanExporter(), InMemoryMetricReader(), Ended()
        self.tracers, self.meters = TracerProvider(), MeterProvider([self.reader])
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracers.add_span_processor(self.ended)
        self.providers = {"tracer_provider": self.tracers, "meter_provider": self.meters}
        self.caller = self.tracers.get_tracer("the application").start_as_current_span

    def instrument(self, **options):
        """Observe from now on; `undo` ends what is in force."""
        self.undo = instrument(**self.providers | options)
        return self.undo

    @property
    def spans(self):
        return self.exporter.get_finished_spans()

    def named(self, start):
        return [span for span in self.spans if span.name.startswith(start)]

    @property
    def guard(self):
        (span,) = self.named("guard ")
        return span

    @property
    def requests(self):
        return self.named("chat ")

    def points(self, name):
        """A metric's data points."""
        data = self.reader.get_metrics_data()
        for metric in data.resource_metrics[0].scope_metrics[0].metrics if data else ():
            if metric.name == name:
                return metric.data.data_points
        return []

    @property
    def text(self):
        """All that was exported, as one text."""
        spans = [json.dumps(json.loads(span.to_json()), ensure_ascii=False) for span in self.spans]
        return "\n".join([*spans, json.dumps(json.loads(self.reader.get_metrics_data().to_json()), ensure_ascii=False)])


@pytest.fixture
def telemetry(caplog):
    told = Telemetry()
    told.instrument()
    yield told
    told.undo()
    # Where a context is left in another one than it was entered in, OpenTelemetry logs it and goes on.
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []


class Stuck:
    """A model that never answers."""

    name = "acme:stuck"

    def __init__(self):
        self.asked = threading.Event()
        self.aasked = asyncio.Event()

    def complete(self, request):
        raise NotImplementedError

    async def acomplete(self, request):
        self.asked.set()
        self.aasked.set()
        await asyncio.Event().wait()


def guarding(model=None, **options):
    return Guard(RULES, model=model, **{"audit": None, **options})


def ruling():
    """A guard that judges where it stands, so that what is out when is no matter of time."""
    return Guard(SURE, judge="rules", audit=None)


def purposes(spans):
    return [span.attributes["guardrails.purpose"] for span in spans]


def parents(spans):
    return {span.parent.span_id for span in spans}


def attributes(points):
    return [dict(point.attributes) for point in points]


async def arrive(chunks):
    for chunk in chunks:
        yield chunk


def test_a_review_is_a_span_with_one_below_it_for_each_request(telemetry):
    """Below the caller's span stands the guarded call's, and below that, judge and revise in their order."""
    with telemetry.caller("caller") as caller:
        outcome = guarding(ScriptedModel(name="acme:small-1", **REVISED)).review("Safe?", "It rises.")
        assert trace.get_current_span() is caller
    guard = telemetry.guard
    assert guard.parent.span_id == caller.get_span_context().span_id
    assert parents(telemetry.requests) == {guard.context.span_id}
    assert purposes(telemetry.requests) == ["judge", "revise", "judge"]
    assert {(span.name, span.kind) for span in telemetry.requests} == {("chat small-1", trace.SpanKind.CLIENT)}
    assert (guard.name, guard.status.status_code) == ("guard test", trace.StatusCode.UNSET)
    assert dict(guard.attributes) == {
        "guardrails.constitution.name": "test",
        "guardrails.constitution.version": "1",
        "guardrails.constitution.digest": RULES.digest,
        "guardrails.streaming": False,
        "guardrails.status": "revised",
        "guardrails.cause": "violation",
        "guardrails.enforced": True,
        "guardrails.run_id": outcome.run_id,
        "guardrails.choices": 1,
        "guardrails.revisions": 1,
        "guardrails.at_fault": (),
        "guardrails.flags": (),
        "guardrails.unjudged": (),
        "guardrails.unsafe": (),
    }


def test_a_request_says_what_the_conventions_ask_for(telemetry):
    """Provider, model, limits, why the answer ended and what it cost."""
    reply = ModelReply(
        '{"findings": []}', "small-1-0613", "end", input_tokens=900, output_tokens=7, cache_read_tokens=800
    )
    guarding(ScriptedModel([reply], name="acme:small-1")).review("Safe?", "It rises.")
    (request,) = telemetry.requests
    assert dict(request.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "acme",
        "gen_ai.request.model": "small-1",
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.response.model": "small-1-0613",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 900,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 800,
        "guardrails.purpose": "judge",
    }


def test_verdicts_are_events(telemetry):
    """What was found in any draft, and what the last draft complies with; each with its judge and its attempt."""
    outcome = guarding(ScriptedModel(**REVISED)).review("Safe?", "It rises.")
    shared = {"guardrails.run_id": outcome.run_id, "guardrails.judge": "scripted"}
    name, label = "gen_ai.evaluation.name", "gen_ai.evaluation.score.label"
    assert {event.name for event in telemetry.guard.events} == {"gen_ai.evaluation.result"}
    assert [dict(event.attributes) for event in telemetry.guard.events] == [
        {name: "calm", label: "complies", "guardrails.attempt": 1, **shared},
        {name: "costs", label: "complies", "guardrails.attempt": 1, **shared},
        {name: "calm", label: "violates", "gen_ai.evaluation.score.value": 95.0, "guardrails.attempt": 0, **shared},
    ]


async def test_an_async_review_has_the_same_spans(telemetry):
    """The caller's span is current again when the review is done."""
    with telemetry.caller("caller") as caller:
        await guarding(ScriptedModel(**REVISED)).areview("Safe?", "It rises.")
        assert trace.get_current_span() is caller
    assert telemetry.guard.parent.span_id == caller.get_span_context().span_id
    assert parents(telemetry.requests) == {telemetry.guard.context.span_id}
    assert purposes(telemetry.requests) == ["judge", "revise", "judge"]


@pytest.fixture
def together():
    """A model whose first answers come when twenty have asked, and which revises once."""
    barrier, seen = threading.Barrier(20), set()

    def answer(request):
        number = next(word for word in request.messages[-1].content.split() if word.startswith("#"))
        if request.purpose == "revise":
            return json.dumps(edits({1: f"It may fall {number}."}))
        if number in seen:
            return json.dumps(clean())
        barrier.wait(30)
        seen.add(number)
        return json.dumps(finding("calm", sentences=[1]))

    return CallableModel(answer)


def hang_together(telemetry):
    """Each trace holds one caller, one guarded call and its own three requests, which say so."""
    traces = {}
    for span in telemetry.spans:
        traces.setdefault(span.context.trace_id, []).append(span)
    assert len(traces) == 20
    for spans in traces.values():
        (caller,) = (span for span in spans if span.name.startswith("caller"))
        (guard,) = (span for span in spans if span.name.startswith("guard"))
        requests = [span for span in spans if span.name.startswith("chat")]
        number = caller.name.removeprefix("caller ")
        assert guard.parent.span_id == caller.context.span_id
        assert parents(requests) == {guard.context.span_id}
        assert purposes(requests) == ["judge", "revise", "judge"]
        assert guard.attributes["guardrails.original"] == f"It rises {number} always."
        assert all(f" {number} " in span.attributes["gen_ai.input.messages"] for span in requests)


async def test_twenty_async_reviews_at_once_keep_apart(telemetry, together):
    """No request hangs below another call."""
    telemetry.instrument(content=True)
    guard = guarding(together)

    async def one(number):
        with telemetry.caller(f"caller #{number}"):
            await guard.areview(f"Safe? #{number} then", f"It rises #{number} always.")

    await asyncio.gather(*map(one, range(20)))
    hang_together(telemetry)


def test_twenty_threads_at_once_keep_apart(telemetry, together):
    """The requests of all run on one loop of the library's own, each below its call."""
    telemetry.instrument(content=True)
    guard = guarding(together)

    def one(number):
        with telemetry.caller(f"caller #{number}"):
            guard.review(f"Safe? #{number} then", f"It rises #{number} always.")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(one, range(20)))
    hang_together(telemetry)


def test_a_stream_is_one_span_from_its_opening_to_its_end(telemetry):
    """Wherever its consumer stands when it asks for more, judgements hang below the stream, and the stream below
    the span that was current when it was opened.
    """
    with telemetry.caller("opener") as opener:
        stream = guarding(ScriptedModel()).stream("Safe?", CHUNKS)
    out = []
    with suppress(StopIteration):
        while True:
            with telemetry.caller("reader") as reader:
                out.append(copy_context().run(next, stream))
                assert trace.get_current_span() is reader
    assert "".join(out) == "".join(CHUNKS)
    guard = telemetry.guard
    assert guard.parent.span_id == opener.get_span_context().span_id
    assert parents(telemetry.requests) == {guard.context.span_id}
    assert (guard.attributes["guardrails.streaming"], guard.attributes["guardrails.status"]) == (True, "passed")
    assert guard.end_time > telemetry.requests[-1].end_time


async def test_an_async_stream_is_one_span_whoever_reads_it(telemetry):
    """Each event may be read by another task, in another context."""
    with telemetry.caller("opener") as opener:
        stream = guarding(ScriptedModel()).astream("Safe?", arrive(CHUNKS))

    async def read():
        with telemetry.caller("reader") as reader:
            chunk = await anext(stream, None)
            assert trace.get_current_span() is reader
        return chunk

    while await asyncio.create_task(read()) is not None:
        pass
    assert telemetry.guard.parent.span_id == opener.get_span_context().span_id
    assert parents(telemetry.requests) == {telemetry.guard.context.span_id}
    assert telemetry.guard.attributes["guardrails.status"] == "passed"


def test_a_stream_that_is_left_early_ends_its_span(telemetry):
    """It says so, and it is no error."""
    with closing(ruling().stream("Safe?", CHUNKS)) as stream:
        next(stream)
    came = telemetry.guard.attributes
    assert (came["guardrails.status"], came["guardrails.cause"]) == ("blocked", "interrupted")
    assert came["guardrails.cancelled"] is True
    assert telemetry.guard.status.status_code is trace.StatusCode.UNSET


async def test_an_async_stream_that_is_left_early_ends_its_span(telemetry):
    """As a sync one does."""
    async with aclosing(ruling().astream("Safe?", arrive(CHUNKS))) as stream:
        await anext(stream)
    assert telemetry.guard.attributes["guardrails.cause"] == "interrupted"
    assert telemetry.guard.status.status_code is trace.StatusCode.UNSET


def test_a_stream_that_is_dropped_ends_its_span(telemetry):
    """Nobody has to close it."""
    stream = ruling().stream("Safe?", CHUNKS)
    next(stream)
    del stream
    assert telemetry.guard.attributes["guardrails.cause"] == "interrupted"


async def test_a_cancelled_reader_ends_the_spans_of_stream_and_judgement(telemetry):
    """The judgement in flight is given up, which is no error of the model's."""
    model = Stuck()

    async def read():
        return [chunk async for chunk in guarding(model).astream("Safe?", arrive(CHUNKS))]

    reader = asyncio.create_task(read())
    await model.aasked.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    (request,) = telemetry.requests
    assert request.parent.span_id == telemetry.guard.context.span_id
    for span in (request, telemetry.guard):
        assert span.attributes["guardrails.cancelled"] is True
        assert span.status.status_code is trace.StatusCode.UNSET
    assert telemetry.guard.attributes["guardrails.cause"] == "interrupted"


async def test_a_cancelled_review_ends_its_spans(telemetry):
    """It has no outcome, so none is counted."""
    model = Stuck()
    review = asyncio.create_task(guarding(model).areview("Safe?", "It rises."))
    await model.aasked.wait()
    review.cancel()
    with pytest.raises(asyncio.CancelledError):
        await review
    assert telemetry.guard.attributes["guardrails.cancelled"] is True
    assert "guardrails.status" not in telemetry.guard.attributes
    assert telemetry.points("guardrails.outcomes") == []


def test_a_stream_whose_source_breaks_ends_with_its_error(telemetry):
    """The kind of the error is told, its message is not; the judgement in flight is given up."""
    model = Stuck()

    def source():
        yield from CHUNKS
        assert model.asked.wait(30)
        raise ConnectionError("my secret")

    with pytest.raises(ConnectionError):
        list(guarding(model).stream("Safe?", source()))
    ended = {span.name: span for span in (telemetry.ended.spans.get(timeout=30) for _ in range(2))}
    guard, request = ended["guard test"], ended["chat stuck"]
    assert (guard.attributes["error.type"], guard.status.status_code) == ("ConnectionError", trace.StatusCode.ERROR)
    assert guard.attributes["guardrails.cause"] == "interrupted"
    assert request.attributes["guardrails.cancelled"] is True
    assert "secret" not in telemetry.text


def test_a_blocked_reply_is_no_error(telemetry):
    """The guard did its work; why stands in the attributes, and the finding is an event."""
    model = ScriptedModel([finding("costs")])
    assert guarding(model).review("Safe?", "It rises.").blocked
    came = telemetry.guard.attributes
    assert (came["guardrails.status"], came["guardrails.cause"]) == ("blocked", "violation")
    assert came["guardrails.at_fault"] == ("costs",)
    assert telemetry.guard.status.status_code is trace.StatusCode.UNSET
    assert telemetry.guard.events[-1].attributes["gen_ai.evaluation.score.label"] == "violates"


@pytest.mark.parametrize("on_blocked", ["raise", "fallback"])
def test_a_blocked_stream_is_no_error(telemetry, on_blocked):
    """Nor is it one where `Blocked` is raised."""
    guard = guarding(ScriptedModel(judge=lambda _: finding("costs")), on_blocked=on_blocked)
    with pytest.raises(Blocked) if on_blocked == "raise" else ExitStack():
        list(guard.stream("Safe?", CHUNKS))
    assert telemetry.guard.attributes["guardrails.status"] == "blocked"
    assert "error.type" not in telemetry.guard.attributes
    assert telemetry.guard.status.status_code is trace.StatusCode.UNSET


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelError("my secret", status=529), "529"),
        (ModelError("my secret"), "guardrails.errors.ModelError"),
        (ValueError("my secret"), "ValueError"),
        (json.JSONDecodeError("my secret", "", 0), "json.decoder.JSONDecodeError"),
    ],
    ids=["status", "no status", "built in", "of a module"],
)
def test_a_judge_that_fails_is_an_error_of_its_request_alone(telemetry, error, kind):
    """Its kind is told and not its message; the call blocks, which is what it should do."""
    assert guarding(ScriptedModel([error])).review("Safe?", "It rises.").blocked
    (request,) = telemetry.requests
    assert (request.attributes["error.type"], request.status.status_code) == (kind, trace.StatusCode.ERROR)
    assert (request.status.description, request.events) == (None, ())
    assert telemetry.guard.status.status_code is trace.StatusCode.UNSET
    assert telemetry.guard.attributes["guardrails.cause"] == "error"
    (duration,) = attributes(telemetry.points("gen_ai.client.operation.duration"))
    assert duration["error.type"] == kind
    assert "secret" not in telemetry.text


def test_a_wrapped_error_is_told_by_its_cause(telemetry):
    """A function that raises is a `ModelError` to the loop; what it raised says more."""

    def broken(request):
        raise LookupError("my secret")

    assert guarding(broken).review("Safe?", "It rises.").blocked
    assert telemetry.requests[0].attributes["error.type"] == "LookupError"
    assert "secret" not in telemetry.text


async def test_a_judge_that_is_late_is_told_as_a_timeout(telemetry):
    """Sync or async, its request ends at the deadline."""
    guard = guarding(Stuck(), budget=Budget(seconds=0.05))
    assert (await guard.areview("Safe?", "It rises.")).blocked
    assert guard.review("Safe?", "It rises.").blocked
    assert [span.attributes["error.type"] for span in telemetry.requests] == ["timeout"] * 2
    assert {span.status.status_code for span in telemetry.requests} == {trace.StatusCode.ERROR}
    assert {span.attributes["guardrails.cause"] for span in telemetry.named("guard")} == {"budget"}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_a_record_that_cannot_be_written_is_the_calls_error(telemetry, tmp_path, streams):
    """Nothing was released, and no reply is counted as released."""
    guard, kind = (
        guarding(ScriptedModel(), audit=tmp_path / "no such folder" / "audit.db"),
        "guardrails.errors.AuditError",
    )
    with pytest.raises(AuditError):
        list(guard.stream("Safe?", CHUNKS)) if streams else guard.review("Safe?", "It rises.")
    assert telemetry.guard.attributes["error.type"] == kind
    assert telemetry.guard.status.status_code is trace.StatusCode.ERROR
    assert attributes(telemetry.points("guardrails.call.duration"))[0]["error.type"] == kind
    counted = attributes(telemetry.points("guardrails.outcomes"))
    assert [came["guardrails.cause"] for came in counted] == (["interrupted"] if streams else [])


def test_in_monitor_mode_the_review_behind_is_below_its_callers_span(telemetry):
    """The caller has gone on when it is reviewed; what the function itself did is not observed here."""
    with guarding(ScriptedModel(), mode="monitor") as guard, telemetry.caller("caller") as caller:
        assert guard(lambda question: "It rises.")("Safe?") == "It rises."
    assert telemetry.guard.parent.span_id == caller.get_span_context().span_id
    assert telemetry.guard.attributes["guardrails.enforced"] is False
    assert parents(telemetry.requests) == {telemetry.guard.context.span_id}
    assert attributes(telemetry.points("guardrails.outcomes"))[0]["guardrails.enforced"] is False


async def test_in_monitor_mode_a_stream_is_reviewed_below_the_span_that_opened_it(telemetry):
    """Wherever it is read to its end."""
    with guarding(ScriptedModel(), mode="monitor") as guard:
        with telemetry.caller("opener") as opener:
            stream = guard.stream("Safe?", CHUNKS)
            astream = guard.astream("Safe?", arrive(CHUNKS))
        with telemetry.caller("reader"):
            assert list(stream) == [chunk async for chunk in astream] == list(CHUNKS)
    assert parents(telemetry.named("guard")) == {opener.get_span_context().span_id}
    assert parents(telemetry.requests) == {span.context.span_id for span in telemetry.named("guard")}


def test_a_model_stands_in_the_span_of_its_request(telemetry):
    """What other instrumentation adds, an HTTP client's spans say, hangs below the request that made it."""

    def model(request):
        with telemetry.caller("POST"):
            return json.dumps(clean())

    guarding(model).review("Safe?", "It rises.")
    (request,) = telemetry.requests
    assert parents(telemetry.named("POST")) == {request.context.span_id}


def test_of_several_choices_the_gravest_is_the_calls(telemetry):
    """One span, one count for each choice; the events tell them apart."""
    completion = {
        "object": "chat.completion",
        "choices": [{"message": {"role": "assistant", "content": text}} for text in ("It rises.", "It fell.")],
    }
    found = {"It rises.": finding("costs"), "It fell.": clean()}
    model = ScriptedModel(lambda request: next(found[text] for text in found if text in request.messages[-1].content))
    outcomes = guarding(model)(lambda question: completion).outcome("Safe?")
    came = telemetry.guard.attributes
    assert (came["guardrails.status"], came["guardrails.choices"]) == ("blocked", 2)
    assert came["guardrails.run_id"] == outcomes[0].run_id
    assert {event.attributes["guardrails.run_id"] for event in telemetry.guard.events} == {
        outcome.run_id for outcome in outcomes
    }
    counted = {point.attributes["guardrails.status"]: point.value for point in telemetry.points("guardrails.outcomes")}
    assert counted == {"blocked": 1, "passed": 1}


async def test_metrics_add_up(telemetry):
    """Outcomes by what came of them, durations of calls and requests, tokens as the outcomes count them."""
    outcomes = [guarding(ScriptedModel()).review("Safe?", "It rises.") for _ in range(3)]
    outcomes.append(await guarding(ScriptedModel(**REVISED)).areview("Safe?", "It rises."))
    outcomes.append(guarding(ScriptedModel([finding("costs")])).review("Safe?", "It rises."))
    list(guarding(ScriptedModel()).stream("Safe?", CHUNKS[:1]))
    shared = {
        "guardrails.constitution.name": "test",
        "guardrails.constitution.version": "1",
        "guardrails.enforced": True,
    }
    counted = [
        (3, {"guardrails.status": "passed", "guardrails.streaming": False}),
        (1, {"guardrails.status": "revised", "guardrails.cause": "violation", "guardrails.streaming": False}),
        (1, {"guardrails.status": "blocked", "guardrails.cause": "violation", "guardrails.streaming": False}),
        (1, {"guardrails.status": "passed", "guardrails.streaming": True}),
    ]
    expected = Counter({frozenset((shared | came).items()): count for count, came in counted})
    points = telemetry.points("guardrails.outcomes")
    assert Counter({frozenset(point.attributes.items()): point.value for point in points}) == expected
    durations = telemetry.points("guardrails.call.duration")
    assert Counter({frozenset(point.attributes.items()): point.count for point in durations}) == expected
    assert sum(point.sum for point in durations if not point.attributes["guardrails.streaming"]) >= sum(
        outcome.elapsed for outcome in outcomes
    )
    requests = telemetry.points("gen_ai.client.operation.duration")
    assert sum(point.count for point in requests) == len(telemetry.requests)
    assert {point.attributes["guardrails.purpose"]: point.count for point in requests} == Counter(
        purposes(telemetry.requests)
    )


def test_tokens_are_those_of_the_outcomes(telemetry):
    """By type and by purpose; where a model tells none, none are counted."""
    outcome = guarding(ScriptedModel(**REVISED)).review("Safe?", "It rises.")
    guarding(lambda request: json.dumps(clean())).review("Safe?", "It rises.")
    points = telemetry.points("gen_ai.client.token.usage")
    spent = {(p.attributes["guardrails.purpose"], p.attributes["gen_ai.token.type"]): p.sum for p in points}
    assert spent == {
        ("judge", "input"): outcome.usage.judge.input,
        ("judge", "output"): outcome.usage.judge.output,
        ("revise", "input"): outcome.usage.revise.input,
        ("revise", "output"): outcome.usage.revise.output,
    }
    assert {point.attributes["gen_ai.request.model"] for point in points} == {"scripted"}


SAID = {
    "prompt": "zebra-prompt",
    "context": "zebra-context",
    "reply": "zebra-reply",
    "critique": "zebra-critique",
    "edit": "zebra-edit",
    "label": "zebra-label",
    "rule": "The rule of calm.",
}


async def say_all(**options):
    """Guarded calls of every kind, in which all of it is said."""
    reply, wrong = f"It {SAID['reply']}. It rises.", finding("calm", sentences=[1], critique=SAID["critique"])
    edit = edits({1: f"It may {SAID['edit']}."})
    asked = {"messages": SAID["prompt"], "context": SAID["context"]}

    def model():
        return ScriptedModel(judge=[wrong, *[clean()] * 9], revise=[edit] * 9)

    with labels(case=SAID["label"]):
        guarding(model(), **options).review(reply=reply, **asked)
        await guarding(model(), **options).areview(reply=reply, **asked)
        list(guarding(model(), **options).stream(chunks=[reply], **asked))
        _ = [chunk async for chunk in guarding(model(), **options).astream(chunks=arrive([reply]), **asked)]
        guarding(ScriptedModel([ModelError(reply)]), **options).review(reply=reply, **asked)
        guarding(ScriptedModel([{**wrong, "more": reply}, "no JSON: " + reply]), **options).review(reply=reply, **asked)
        with guarding(model(), mode="monitor", **options) as guard:
            guard(lambda prompt: reply)(SAID["prompt"])
        with closing(guarding(model(), **options).stream(chunks=iter([reply, " More. "]), **asked)) as stream:
            next(stream)


async def test_nothing_that_was_said_is_exported(telemetry):
    """No attribute of any span, event or metric holds a text of the exchange, a critique, a rule or a label's value."""
    await say_all()
    assert len(telemetry.named("guard")) == 8
    assert [what for what, text in SAID.items() if text in telemetry.text] == []


async def test_with_content_all_of_it_is(telemetry):
    """It is looked for in the same way."""
    telemetry.instrument(content=True)
    await say_all()
    assert [what for what, text in SAID.items() if text not in telemetry.text] == []


def test_content_stands_where_the_conventions_put_it(telemetry):
    """Texts with half a character in them can be sent, too."""
    telemetry.instrument(content=True)
    with labels(case="42"):
        guarding(ScriptedModel([finding("costs", critique="価\ud800格")])).review("Safe?", "It rises \ud800.")
    (request,) = telemetry.requests
    (message,) = json.loads(request.attributes["gen_ai.input.messages"])
    (answer,) = json.loads(request.attributes["gen_ai.output.messages"])
    assert (message["role"], message["parts"][0]["type"]) == ("user", "text")
    assert "It rises ?." in message["parts"][0]["content"]
    assert (answer["role"], answer["finish_reason"]) == ("assistant", "stop")
    assert json.loads(request.attributes["gen_ai.system_instructions"])[0]["type"] == "text"
    said = telemetry.guard.attributes
    assert (said["guardrails.original"], said["guardrails.label.case"]) == ("It rises ?.", "42")
    assert said["guardrails.text"] == RULES.fallback_in("en")
    assert telemetry.guard.events[-1].attributes["gen_ai.evaluation.explanation"] == "価?格"


def test_instrumenting_twice_doubles_nothing(telemetry):
    """The last call is in force."""
    telemetry.instrument()
    guarding(ScriptedModel()).review("Safe?", "It rises.")
    assert [span.name for span in telemetry.spans] == ["chat scripted", "guard test"]
    assert [point.value for point in telemetry.points("guardrails.outcomes")] == [1]


def test_what_was_instrumented_can_be_undone(telemetry):
    """Undoing what is not in force any more leaves alone what is."""
    first, second = telemetry.instrument(), telemetry.instrument()
    first()
    guarding(ScriptedModel()).review("Safe?", "It rises.")
    assert len(telemetry.named("guard")) == 1
    second()
    assert guarding(ScriptedModel()).review("Safe?", "It rises.").status is Status.PASSED
    assert len(telemetry.spans) == 2


def test_what_is_not_sampled_is_still_counted(telemetry):
    """Spans may be dropped; metrics are of all calls."""
    tracers = TracerProvider(sampler=ALWAYS_OFF)
    tracers.add_span_processor(SimpleSpanProcessor(telemetry.exporter))
    telemetry.instrument(tracer_provider=tracers)
    guarding(ScriptedModel(**REVISED)).review("Safe?", "It rises.")
    assert telemetry.spans == ()
    assert [point.value for point in telemetry.points("guardrails.outcomes")] == [1]


PROGRAM = """
import sys
from guardrails import Guard
from guardrails.testing import ScriptedModel
Guard("finance", model=ScriptedModel(), audit=None).review("Safe?", "It rises.")
"""


def printed(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def test_nothing_is_imported_before_it_is_asked_for():
    """A process that does not observe never loads OpenTelemetry."""
    assert printed(PROGRAM + "print(*{name.split('.')[0] for name in sys.modules} & {'opentelemetry'})") == []


def test_the_global_providers_are_the_default():
    """Whether they are set before or after."""
    code = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from guardrails.integrations.opentelemetry import instrument
instrument()
exporter = InMemorySpanExporter()
trace.set_tracer_provider(TracerProvider())
trace.get_tracer_provider().add_span_processor(SimpleSpanProcessor(exporter))
"""
    end = "print(*(span.name.replace(' ', '-') for span in exporter.get_finished_spans()))"
    assert printed(code + PROGRAM + end) == ["chat-scripted", "guard-finance"]
