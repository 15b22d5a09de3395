"""Runs in a list: what their records' bodies say, and which of them are wanted."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from guardrails.audit._record import Fields, VerdictFields, reference
from guardrails.audit._redact import stored
from guardrails.audit._store import Filter, as_written, commitment
from guardrails.audit._texts import SCHEMA, timestamp
from guardrails.errors import AuditError
from guardrails.outcome import Cause, ConstitutionRef, Status, Tokens, Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from guardrails.audit._redact import Redaction
    from guardrails.audit._store import Record, Text

# What a run is of which there is no outcome, only windows.
_INTERRUPTED = {
    "status": Status.BLOCKED.value,
    "cause": Cause.INTERRUPTED.value,
    "enforced": True,
    "verdicts": None,
    "unjudged": [],
    "flags": [],
    "usage": {},
    "abandoned": 0,
    "elapsed_ms": 0.0,
}


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run in a list: what its record's body says, without any text.

    `at_fault` are the principles that some draft was found to break or that could not be decided, `undecided`
    those that the last round could not decide, `labels` the names of the labels, `revisions` how many drafts were
    made by a reviser. `elapsed` is in seconds. `redaction` says what the trail keeps of its texts, and `erased`
    whether they were erased since. The rest is as in `Outcome`.
    """

    run_id: str
    seq: int
    time: datetime
    status: Status
    cause: Cause | None
    constitution: ConstitutionRef
    enforced: bool
    at_fault: tuple[str, ...]
    unjudged: tuple[str, ...]
    flags: tuple[str, ...]
    labels: tuple[str, ...]
    revisions: int
    elapsed: float
    undecided: tuple[str, ...] = ()
    unsafe: tuple[str, ...] = ()
    erased: bool = False
    usage: Usage = field(default_factory=Usage)
    redaction: Redaction = "full"


@dataclass(frozen=True, slots=True)
class Where:
    """Which runs are wanted; everything that is given has to fit.

    `principle` is one that was at fault, and `severity` that of one that was, in the wording that was in force.
    `since` and `until` are times with a zone, the second one excluded. `labels` are pairs of a name and a value; an
    empty value fits any, and one that was masked fits all that look like it. `constitution` is a name, or the
    beginning of a digest.

    >>> Where(status=Status.BLOCKED, labels=(("case", "42"),)).filter().holds
    (('"status":"blocked"', '"number":1'), ('"case"',))
    """

    status: Status | None = None
    principle: str = ""
    severity: str = ""
    since: datetime | None = None
    until: datetime | None = None
    labels: tuple[tuple[str, str], ...] = ()
    constitution: str = ""

    def __post_init__(self) -> None:
        if any(time is not None and time.tzinfo is None for time in (self.since, self.until)):
            raise ValueError("since and until need a time zone, as in datetime.now(UTC)")

    def is_masked(self) -> bool:
        """Whether a label's value looks otherwise in a trail that keeps no personal data."""
        return any(stored(value, "redacted") != value for _, value in self.labels)

    def filter(self) -> Filter:
        """What a store can look for: no run that is wanted is without it."""
        holds = []
        if self.status is not None:
            # A stream that came to no outcome has no status in its body; it is blocked.
            first_window = ('"number":1',) if self.status is Status.BLOCKED else ()
            holds.append((f'"status":"{self.status.value}"', *first_window))
        if self.principle:
            # Of a stream that came to no outcome, any window may hold it.
            holds.append((f'"principle":{json.dumps(self.principle)}', '"kind":"window"'))
        if self.principle or self.severity:
            holds.append(('"decision":"violates"', '"decision":"undecided"', '"kind":"window"'))
        holds += [(json.dumps(name),) for name, _ in self.labels]
        if self.constitution:
            named = json.dumps(self.constitution)
            holds.append((f'"digest":{named[:-1]}', f'"name":{named}'))
        return Filter(
            timestamp(self.since) if self.since else "",
            timestamp(self.until) if self.until else "",
            tuple(holds),
            tuple(_kept(value) for _, value in self.labels if value),
        )

    def fits(self, run: RunSummary) -> bool:
        """Whether a run is wanted, as far as its body tells: severities and values of labels stand elsewhere."""
        wording = run.constitution
        return (
            (self.status is None or run.status is self.status)
            and (not self.principle or self.principle in run.at_fault)
            and (self.since is None or run.time >= self.since)
            and (self.until is None or run.time < self.until)
            and all(name in run.labels for name, _ in self.labels)
            and (
                not self.constitution
                or self.constitution == wording.name
                or wording.digest.startswith(self.constitution)
            )
        )


WAITING = Filter(holds=(('"status":"blocked"', '"decision":"undecided"', '"number":1'),))
"""What a store can look for where runs wait for a person's decision."""


def is_waiting(run: RunSummary) -> bool:
    """Whether a run waits for a person's decision: blocked, or released with something undecided.

    Of a run that was erased there is nothing to decide on; nor is there of a stream that its reader left, unless a
    judge found something.
    """
    was_left = run.cause is Cause.INTERRUPTED and not run.at_fault
    return not run.erased and ((run.status is Status.BLOCKED and not was_left) or bool(run.undecided))


def has_label(fields: Mapping[str, Any], texts: Sequence[Text], name: str, value: str) -> bool:
    """Whether a run's record has a label, whatever the trail keeps of its value; an empty value fits any."""
    if name not in fields.get("labels", ()) or not value:
        return name in fields.get("labels", ())
    path = f"labels/{fields['labels'].index(name)}"
    path = fields["same"].get(path, path)
    for text in texts:
        if text.path == path:
            data = value.encode("utf-8", "surrogatepass")
            return text.text in _kept(value) if text.text else commitment(text.salt, data) == fields["texts"][path]
    return False


def _kept(text: str) -> tuple[bytes, ...]:
    """What a trail may hold in a text's place."""
    kept = dict.fromkeys((text, stored(text, "full") or "", stored(text, "redacted") or ""))
    return tuple(one.encode("utf-8", "surrogatepass") for one in kept)


def summary(*records: Record, is_erased: bool = False) -> RunSummary:
    """The run of a record, or of all records of a stream that came to no outcome.

    Raises:
        AuditError: its body is not as this library wrote it.
    """
    found: list[tuple[Record, Fields]] = []
    for record in records:
        with as_written(record):  # lists do not check the chain
            fields = cast("Fields", json.loads(record.body))
            check_version(record.seq, fields)
            if not found or fields["kind"] == "window":
                found.append((record, fields))
    record, fields = found[-1]
    with as_written(record):
        if len(found) > 1:  # labels stand in the first window, verdicts in each
            attempts = [attempt for _, window in found for attempt in window["attempts"]]
            fields = cast("Fields", {**fields, "attempts": attempts, "labels": found[0][1]["labels"]})
        return _summary(record.seq, fields, is_erased=is_erased)


def check_version(seq: int, fields: Mapping[str, object]) -> None:
    """Refuse the body of a later version.

    Raises:
        AuditError: it was written by one.
    """
    if cast("int", fields["schema"]) > SCHEMA:
        raise AuditError(f"record {seq} was written by a later version. Upgrade constitutional-guardrails.")


def _summary(seq: int, fields: Fields, *, is_erased: bool) -> RunSummary:
    if fields["kind"] == "window":
        fields = cast("Fields", {**_INTERRUPTED, **fields})
    attempts = fields["attempts"]
    own = fields["verdicts"]
    last = own if own is not None else attempts[-1]["verdicts"] if attempts else []
    every = [verdict for attempt in attempts for verdict in attempt["verdicts"]] + (own or [])
    usage = fields["usage"]
    return RunSummary(
        run_id=fields["run"],
        seq=seq,
        time=datetime.fromisoformat(fields["time"]),
        status=Status(fields["status"]),
        cause=Cause(fields["cause"]) if fields["cause"] else None,
        constitution=reference(fields),
        enforced=fields["enforced"],
        at_fault=_principles(every, "violates", "undecided"),
        unjudged=tuple(fields["unjudged"]),
        flags=tuple(fields["flags"]),
        labels=tuple(fields["labels"]),
        revisions=sum(1 for attempt in attempts if attempt["reviser"]),
        elapsed=round(fields["elapsed_ms"] / 1000, 6),
        undecided=_principles(last, "undecided"),
        unsafe=tuple(fields.get("unsafe", ())),
        erased=is_erased,
        usage=Usage(Tokens(**usage.get("judge", {})), Tokens(**usage.get("revise", {})), fields["abandoned"]),
        redaction=fields.get("redaction", "full"),
    )


def _principles(verdicts: Iterable[VerdictFields], *decisions: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(verdict["principle"] for verdict in verdicts if verdict["decision"] in decisions))
