"""The record of a run: ids, numbers, enums and digests in its body, every free text beside it.

`Fields` is the schema of the body. Whatever somebody or some model wrote (messages, context, drafts,
edits, critiques, reasons, label values) is a `Text`, and the body holds its salted commitment. So
the chain over the bodies vouches for the texts too, and still stands when a text is erased.

`build` goes from a run to its record, `restore` comes back.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

from guardrails.audit._redact import REDACTIONS, Redaction
from guardrails.audit._store import Entry, Text
from guardrails.audit._texts import SCHEMA, Texts, timestamp
from guardrails.exchange import Exchange, Message, Role
from guardrails.outcome import Attempt, Cause, ConstitutionRef, Outcome, Status, Tokens, Usage
from guardrails.sentences import Edit, split
from guardrails.verdict import Decision, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Worker:
    """Who judged or revised: a name, and for a model its id and the digest of its prompt.

    >>> Worker("model", model="anthropic:claude-haiku-4-5").prompt
    ''
    """

    name: str
    model: str = ""
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A guarded call that came to its end: what is recorded, and what a trail gives back.

    `exchange` is the conversation as it was judged first: its reply is the outcome's `original`.
    `judges` and `revisers` are those that could be asked. `labels` are the caller's, by name.
    `time` is when the call ended, now if not given; without a time zone it is a `ValueError`. `guard`
    holds what the guard was built with, as names, numbers and switches: no free text. `redaction` is what
    the trail keeps of texts. A run that was `streamed` may have windows already; that is not recorded.
    """

    exchange: Exchange
    outcome: Outcome
    judges: tuple[Worker, ...] = ()
    revisers: tuple[Worker, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    guard: Mapping[str, str | float | bool | None] = field(default_factory=dict)
    redaction: Redaction = "full"
    streamed: bool = False

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise ValueError("the time of a run needs a time zone, as in datetime.now(UTC)")
        if self.redaction not in REDACTIONS:
            raise ValueError(f"redaction={self.redaction!r} is not one of {', '.join(REDACTIONS)}")


class VerdictFields(TypedDict):
    """A verdict in a body, without its texts. JSON makes plain strings and lists; `Verdict` takes them back."""

    principle: str
    decision: Decision
    judge: str
    sentences: tuple[int, ...]
    confidence: int | None
    failed: bool


class AttemptFields(TypedDict):
    """A draft in a body: `sentences` counts them, `edits` are the numbers of those edited.

    `first` is the number of the first one; `calls` says that the text are tool calls.
    """

    base: int | None
    reviser: str
    first: int
    calls: bool
    sentences: int
    edits: list[int]
    append: bool
    verdicts: list[VerdictFields]


class ConstitutionFields(TypedDict):
    """Which wording was in force, and whether the trail keeps its content."""

    name: str
    version: str
    digest: str
    stored: bool


class Fields(TypedDict):
    """The body of an outcome's record, but for `seq`, its number.

    `redaction` says what is kept of texts; bodies of schema 1 do not have it, and are `full`. `messages` are
    roles, `context` is a count, `labels` are names. `verdicts` is null where those of the last attempt stand.
    `texts` maps the path of each text to its commitment; `same` maps the path of a text that the record holds
    already to where it stands. An empty text is in neither. `masked` are the paths of texts that are not kept as
    they were.
    """

    schema: int
    kind: str
    run: str
    time: str
    redaction: Redaction
    constitution: ConstitutionFields
    enforced: bool
    guard: dict[str, str | float | bool | None]
    status: str
    cause: str | None
    judges: list[dict[str, str]]
    revisers: list[dict[str, str]]
    messages: list[Role]
    context: int
    attempts: list[AttemptFields]
    verdicts: list[VerdictFields] | None
    unjudged: list[str]
    flags: list[str]
    unsafe: list[str]
    usage: dict[str, dict[str, int]]
    abandoned: int
    elapsed_ms: float
    labels: list[str]
    texts: dict[str, str]
    same: dict[str, str]


def build(run: Run, content: bytes | None = None) -> Entry:
    """The record of a run; `content` is the constitution's, for the trail to keep."""
    outcome, texts = run.outcome, Texts(run.redaction)
    labels = sorted(run.labels)
    texts.add_all("messages", [message.content for message in run.exchange.messages])
    texts.add_all("context", run.exchange.context)
    texts.add_all("labels", [run.labels[name] for name in labels])
    texts.add("original", outcome.original)
    attempts = [
        attempt_fields(f"drafts/{n}", attempt, run.exchange, texts) for n, attempt in enumerate(outcome.attempts)
    ]
    last = outcome.attempts[-1].verdicts if outcome.attempts else None
    verdicts = None if outcome.verdicts == last else _verdicts("verdicts", outcome.verdicts, texts)
    texts.add("text", outcome.text)
    texts.add("released", outcome.released)
    fields: Fields = {
        "schema": SCHEMA,
        "kind": "outcome",
        "run": outcome.run_id,
        "time": timestamp(run.time),
        "redaction": run.redaction,
        "constitution": wording_fields(outcome.constitution, content),
        "enforced": outcome.enforced,
        "guard": dict(run.guard),
        "status": outcome.status.value,
        "cause": outcome.cause.value if outcome.cause else None,
        "judges": [_worker_fields(worker) for worker in run.judges],
        "revisers": [_worker_fields(worker) for worker in run.revisers],
        "messages": [message.role for message in run.exchange.messages],
        "context": len(run.exchange.context),
        "attempts": attempts,
        "verdicts": verdicts,
        "unjudged": list(outcome.unjudged),
        "flags": list(outcome.flags),
        "unsafe": list(outcome.unsafe),
        "usage": {"judge": asdict(outcome.usage.judge), "revise": asdict(outcome.usage.revise)},
        "abandoned": outcome.usage.abandoned,
        "elapsed_ms": round(outcome.elapsed * 1000, 3),
        "labels": labels,
        **texts.fields,  # type: ignore[typeddict-item]
    }
    return Entry(fields, texts.kept, outcome.constitution.digest if content else "", content or b"")


def _worker_fields(worker: Worker) -> dict[str, str]:
    return {"name": worker.name, "model": worker.model, "prompt": worker.prompt}


def wording_fields(wording: ConstitutionRef, content: bytes | None) -> ConstitutionFields:
    kept = content is not None
    return {"name": wording.name, "version": wording.version, "digest": wording.digest, "stored": kept}


def attempt_fields(path: str, attempt: Attempt, exchange: Exchange, texts: Texts) -> AttemptFields:
    texts.add(path, attempt.draft)
    texts.add_all(f"{path}/edits", [edit.text for edit in attempt.edits])
    texts.add(f"{path}/append", attempt.append)
    texts.add(f"{path}/problem", attempt.problem)
    # The exchange still has the original's sentences from when it was judged.
    sentences = exchange.sentences if attempt.draft == exchange.reply else split(attempt.draft)
    return {
        "base": attempt.base,
        "reviser": attempt.reviser,
        "first": attempt.first,
        "calls": attempt.calls,
        "sentences": len(sentences),
        "edits": [edit.sentence for edit in attempt.edits],
        "append": attempt.append is not None,
        "verdicts": _verdicts(f"{path}/verdicts", attempt.verdicts, texts),
    }


def _verdicts(path: str, verdicts: Sequence[Verdict], texts: Texts) -> list[VerdictFields]:
    texts.add_all(f"{path}/critiques", [verdict.critique for verdict in verdicts])
    texts.add_all(f"{path}/reasons", [verdict.reason for verdict in verdicts])
    return [
        {
            "principle": verdict.principle,
            "decision": verdict.decision,
            "judge": verdict.judge,
            "sentences": verdict.sentences,
            "confidence": verdict.confidence,
            "failed": verdict.failed,
        }
        for verdict in verdicts
    ]


def restore(fields: Fields, texts: Iterable[Text]) -> Run:
    """The run of a record, from its body and its texts. The native reply is never recorded."""
    found = strings(fields["same"], texts)
    attempts = tuple(attempt_of(f"drafts/{n}", attempt, found) for n, attempt in enumerate(fields["attempts"]))
    own = fields["verdicts"]
    usage = Usage(Tokens(**fields["usage"]["judge"]), Tokens(**fields["usage"]["revise"]), fields["abandoned"])
    outcome = Outcome(
        Status(fields["status"]),
        found.get("text", ""),
        fields["run"],
        reference(fields),
        found.get("original", ""),
        cause=Cause(fields["cause"]) if fields["cause"] else None,
        released=found.get("released", ""),
        verdicts=attempts[-1].verdicts if own is None else _verdicts_of("verdicts", own, found),
        attempts=attempts,
        unjudged=tuple(fields["unjudged"]),
        flags=tuple(fields["flags"]),
        usage=usage,
        elapsed=round(fields["elapsed_ms"] / 1000, 6),
        enforced=fields["enforced"],
        unsafe=tuple(fields["unsafe"]),
    )
    messages = tuple(map(Message, fields["messages"], texts_of("messages", len(fields["messages"]), found)))
    context = tuple(texts_of("context", fields["context"], found))
    return Run(
        Exchange(messages, outcome.original, context),
        outcome,
        tuple(Worker(**worker) for worker in fields["judges"]),
        tuple(Worker(**worker) for worker in fields["revisers"]),
        dict(zip(fields["labels"], texts_of("labels", len(fields["labels"]), found), strict=True)),
        datetime.fromisoformat(fields["time"]),
        fields["guard"],
        fields.get("redaction", "full"),
    )


def strings(same: Mapping[str, str], texts: Iterable[Text]) -> dict[str, str]:
    """The texts of a record by their paths; those that were erased or never kept are not among them."""
    found = {text.path: text.text.decode("utf-8", "surrogatepass") for text in texts if text.text is not None}
    return found | {path: found[first] for path, first in same.items() if first in found}


def reference(fields: Fields) -> ConstitutionRef:
    """Which wording a record was judged under."""
    constitution = fields["constitution"]
    return ConstitutionRef(constitution["name"], constitution["version"], constitution["digest"])


def texts_of(path: str, count: int, found: Mapping[str, str]) -> list[str]:
    return [found.get(f"{path}/{number}", "") for number in range(count)]


def attempt_of(path: str, attempt: AttemptFields, found: Mapping[str, str]) -> Attempt:
    verdicts = _verdicts_of(f"{path}/verdicts", attempt["verdicts"], found)
    edits = tuple(map(Edit, attempt["edits"], texts_of(f"{path}/edits", len(attempt["edits"]), found)))
    append = found.get(f"{path}/append", "") if attempt["append"] else None
    problem, first, calls = found.get(f"{path}/problem", ""), attempt["first"], attempt["calls"]
    return Attempt(
        found.get(path, ""), verdicts, edits, append, attempt["reviser"], attempt["base"], problem, first, calls
    )


def _verdicts_of(path: str, verdicts: Sequence[VerdictFields], found: Mapping[str, str]) -> tuple[Verdict, ...]:
    critiques = texts_of(f"{path}/critiques", len(verdicts), found)
    reasons = texts_of(f"{path}/reasons", len(verdicts), found)
    texts = zip(verdicts, critiques, reasons, strict=True)
    return tuple(Verdict(**fields, critique=critique, reason=reason) for fields, critique, reason in texts)
