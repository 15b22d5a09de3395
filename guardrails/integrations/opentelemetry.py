"""OpenTelemetry for guarded calls: a span for each, below it one for each request to a model, and metrics of both.

The names follow the conventions for generative AI (https://github.com/open-telemetry/semantic-conventions-genai);
what they have no name for stands below `guardrails.`. Verdicts are events of the guarded call's span, which the
conventions call `gen_ai.evaluation.result`: of the three signals, Python's API for logs is the one not stable yet.
"""

from __future__ import annotations

import json
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import Any, TypeAlias

from guardrails import __version__, _labels, _observe
from guardrails.audit import stored
from guardrails.constitution import Constitution
from guardrails.errors import Blocked, ConfigurationError, ModelError
from guardrails.models import Ask, ModelReply, ModelRequest
from guardrails.outcome import Outcome, Status
from guardrails.verdict import Decision, Verdict

try:
    from opentelemetry import metrics, trace
except ImportError as missing:
    raise ConfigurationError(
        "OpenTelemetry's API is not installed: pip install 'constitutional-guardrails[otel]'"
    ) from missing

_Attributes: TypeAlias = dict[str, Any]

_FINISHED = {"end": "stop", "length": "length", "refusal": "content_filter"}
_GRAVITY = list(Status)
# The boundaries that the conventions recommend.
_SECONDS = [0.01 * 2**power for power in range(14)]
_TOKENS = [4**power for power in range(14)]


def instrument(
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
    content: bool = False,
) -> Callable[[], None]:
    """Observe every guard of this process, and return a function that ends it.

    Call it once, where the application sets its telemetry up. A process has one such observer: the last call is in
    force. The providers are the global ones unless given.

    `content` adds what was said, with credentials and personal data masked, whatever a guard's own `redaction`: the
    reply and its revision, prompts, answers, critiques and the values of labels.
    Without it no span, event or metric holds any of that; ids of principles and names of models and judges they do.

    Raises:
        ConfigurationError: `opentelemetry-api` is not installed; raised by the import of this module.

    >>> uninstrument = instrument()
    >>> uninstrument()
    """
    telemetry = _Telemetry(tracer_provider, meter_provider, content=content)
    _observe.observer = telemetry

    def uninstrument() -> None:
        if _observe.observer is telemetry:
            _observe.observer = None

    return uninstrument


class _Telemetry:
    """The observer: it starts spans, and holds the instruments."""

    def __init__(
        self, tracers: trace.TracerProvider | None, meters: metrics.MeterProvider | None, *, content: bool
    ) -> None:
        self.content = content
        self.tracer = trace.get_tracer("guardrails", __version__, tracers)
        meter = metrics.get_meter("guardrails", __version__, meters)
        self.outcomes = meter.create_counter(
            "guardrails.outcomes", unit="{outcome}", description="Outcomes of guarded calls, one for each choice."
        )
        self.calls = meter.create_histogram(
            "guardrails.call.duration",
            unit="s",
            description="Judging, revising and recording a reply; of a stream, all the time that it was open.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.requests = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self.tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=_TOKENS,
        )

    def call(self, constitution: Constitution, *, streams: bool) -> _Call:
        """A guarded call begins, below the span that is current."""
        return _Call(self, constitution, streams=streams)

    @contextmanager
    def request(self, ask: Ask) -> Iterator[Callable[[ModelReply], None]]:
        """A request to a model, which is the current span of what the model itself does."""
        request, replies = ask.request, list[ModelReply]()
        provider, _, name = ask.model.name.partition(":")
        common: _Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": name or provider,
            "guardrails.purpose": request.purpose,
        }
        own = {"gen_ai.request.max_tokens": request.max_tokens, **(_said(request) if self.content else {})}
        span = self.tracer.start_span(f"chat {name or provider}", kind=trace.SpanKind.CLIENT, attributes=common | own)
        began, failure = monotonic(), _Attributes()
        try:
            with _current(span):
                yield replies.append
        except BaseException as error:
            failure = _failed(span, error)
            raise
        finally:
            for reply in replies:
                span.set_attributes(_answered(reply, content=self.content))
                self._spent(reply, common)
            self.requests.record(monotonic() - began, common | failure)
            span.end()

    def _spent(self, reply: ModelReply, common: _Attributes) -> None:
        for kind, count in (("input", reply.input_tokens), ("output", reply.output_tokens)):
            if count:  # none is said where none are known
                self.tokens.record(count, common | {"gen_ai.token.type": kind})


class _Call:
    """A guarded call: its span, from when it begins or is opened until its record is durable."""

    def __init__(self, telemetry: _Telemetry, constitution: Constitution, *, streams: bool) -> None:
        self._telemetry = telemetry
        ref = constitution.ref
        self._common: _Attributes = {
            "guardrails.constitution.name": ref.name,
            "guardrails.constitution.version": ref.version,
            "guardrails.streaming": streams,
        }
        own = {"guardrails.constitution.digest": ref.digest}
        if telemetry.content:
            own |= {f"guardrails.label.{name}": _shown(value) for name, value in _labels.current().items()}
        self._span = telemetry.tracer.start_span(f"guard {ref.name}", attributes=self._common | own)
        self._began = monotonic()
        self._failure: _Attributes = {}

    def current(self) -> AbstractContextManager[object]:
        return _current(self._span)

    def failed(self, error: BaseException) -> None:
        if not isinstance(error, Blocked):  # the guard did its work
            self._failure = _failed(self._span, error)

    def ended(self, outcomes: Sequence[Outcome]) -> None:
        telemetry, came = self._telemetry, dict(self._failure)
        for outcome in outcomes:
            telemetry.outcomes.add(1, self._common | _came(outcome))
        if outcomes:  # of several choices, the gravest says what is released
            gravest = max(outcomes, key=lambda outcome: _GRAVITY.index(outcome.status))
            came |= _came(gravest)
            if self._span.is_recording():
                self._span.set_attributes(_told(gravest, len(outcomes), content=telemetry.content))
        for outcome in outcomes if self._span.is_recording() else ():
            for attributes in _evaluated(outcome, content=telemetry.content):
                self._span.add_event("gen_ai.evaluation.result", attributes)
        telemetry.calls.record(monotonic() - self._began, self._common | came)
        self._span.end()


def _current(span: trace.Span) -> AbstractContextManager[object]:
    # An exception's message, which would be recorded, may quote the exchange.
    return trace.use_span(span, record_exception=False, set_status_on_exception=False)


def _failed(span: trace.Span, error: BaseException) -> _Attributes:
    """Note on the span that it failed, and return how. What was given up, by a caller who left, is no error."""
    given_up = isinstance(error, CancelledError | GeneratorExit)
    failure: _Attributes = {"guardrails.cancelled": True} if given_up else {"error.type": _kind(error)}
    span.set_attributes(failure)
    if not given_up:
        span.set_status(trace.StatusCode.ERROR)
    return failure


def _kind(error: BaseException) -> str:
    if isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError):
        return "timeout"
    if isinstance(error, ModelError):
        if error.status is not None:
            return str(error.status)
        error = error.__cause__ or error
    module = type(error).__module__
    return type(error).__qualname__ if module == "builtins" else f"{module}.{type(error).__qualname__}"


def _came(outcome: Outcome) -> _Attributes:
    """What outcomes are counted by."""
    cause = {} if outcome.cause is None else {"guardrails.cause": outcome.cause.value}
    return {"guardrails.status": outcome.status.value, "guardrails.enforced": outcome.enforced, **cause}


def _told(outcome: Outcome, choices: int, *, content: bool) -> _Attributes:
    said = {"guardrails.original": outcome.original, "guardrails.text": outcome.text} if content else {}
    return {
        **_came(outcome),
        "guardrails.run_id": outcome.run_id,
        "guardrails.choices": choices,
        "guardrails.revisions": sum(bool(attempt.reviser) for attempt in outcome.attempts),
        "guardrails.at_fault": outcome.at_fault,
        "guardrails.flags": outcome.flags,
        "guardrails.unjudged": outcome.unjudged,
        "guardrails.unsafe": outcome.unsafe,
        **{name: _shown(text) for name, text in said.items()},
    }


def _evaluated(outcome: Outcome, *, content: bool) -> Iterator[_Attributes]:
    """What the last draft complies with, then what was found in each; SDKs that keep so many events drop the first."""
    last = max(len(outcome.attempts) - 1, 0)
    found = [(last, verdict) for verdict in outcome.verdicts if verdict.decision is Decision.COMPLIES]
    for number, attempt in enumerate(outcome.attempts):
        found += [(number, verdict) for verdict in attempt.verdicts if verdict.decision is not Decision.COMPLIES]
    for number, verdict in found:
        own = {"guardrails.run_id": outcome.run_id, "guardrails.attempt": number, "guardrails.judge": verdict.judge}
        yield {**_scored(verdict, content=content), **own}


def _scored(verdict: Verdict, *, content: bool) -> _Attributes:
    scored: _Attributes = {
        "gen_ai.evaluation.name": verdict.principle,
        "gen_ai.evaluation.score.label": verdict.decision.value,
    }
    if verdict.confidence is not None:
        scored["gen_ai.evaluation.score.value"] = float(verdict.confidence)
    if content and (verdict.critique or verdict.reason):
        scored["gen_ai.evaluation.explanation"] = _shown(verdict.critique or verdict.reason)
    return scored


def _answered(reply: ModelReply, *, content: bool) -> _Attributes:
    finished = _FINISHED[reply.stop]
    counts = {
        "gen_ai.usage.input_tokens": reply.input_tokens,
        "gen_ai.usage.output_tokens": reply.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": reply.cache_read_tokens,
    }
    answered: _Attributes = {"gen_ai.response.finish_reasons": [finished]}
    answered |= {name: count for name, count in counts.items() if count}
    if reply.model:
        answered["gen_ai.response.model"] = reply.model
    if content:
        answered["gen_ai.output.messages"] = _json([{**_message("assistant", reply.text), "finish_reason": finished}])
    return answered


def _said(request: ModelRequest) -> _Attributes:
    return {
        "gen_ai.system_instructions": _json([_part(request.system)]),
        "gen_ai.input.messages": _json([_message(one.role, one.content) for one in request.messages]),
    }


def _message(role: str, text: str) -> Mapping[str, Any]:
    return {"role": role, "parts": [_part(text)]}


def _part(text: str) -> Mapping[str, str]:
    return {"type": "text", "content": _shown(text)}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _shown(text: str) -> str:
    """The text less credentials and personal data, and without halves of characters, which no exporter can send."""
    return (stored(text, "redacted") or "").encode("utf-8", "replace").decode()


__all__ = ["instrument"]
