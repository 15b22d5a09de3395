"""What a report counts. It grows with the principles and wordings of a trail, and not with its runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from guardrails.outcome import Cause, ConstitutionRef, Status, Tokens
from guardrails.reports._timeline import Latencies, Timeline
from guardrails.verdict import Decision

if TYPE_CHECKING:
    from guardrails.audit import RunSummary, StoredRun, Wording

SEVERITIES = ("critical", "high", "medium", "low", "")
"""From the gravest on; the empty one is of what has none, or where the trail was not given the wording."""

MOST_REVISIONS = 5
"""More than so many revisions are counted as so many."""

Why = Literal["failed", "unsure"]


@dataclass(slots=True)
class Tally:
    """Runs in which something was at fault: released as they were, revised, blocked, and left undecided at the end."""

    passed: int = 0
    revised: int = 0
    blocked: int = 0
    undecided: int = 0

    @property
    def runs(self) -> int:
        """All of them, whatever came of it."""
        return self.passed + self.revised + self.blocked

    def add(self, status: Status, *, undecided: bool) -> None:
        """Count a run."""
        setattr(self, status.value, getattr(self, status.value) + 1)
        self.undecided += undecided


@dataclass(slots=True)
class AtFault:
    """A principle that was at fault, with its title and severity in the newest wording that was read first."""

    title: str
    severity: str
    tally: Tally = field(default_factory=Tally)


@dataclass(slots=True)
class InForce:
    """A wording under which runs were judged: how many, and when the first and the last of them ended."""

    reference: ConstitutionRef
    first: datetime
    last: datetime
    runs: int = 0


@dataclass(slots=True)
class Doubt:
    """Runs in which a principle stayed undecided for the same kind of cause; `reason` and `run` are of the newest.

    `failed`: the check broke; `unsure`: the judge could not tell.
    """

    why: Why
    reason: str
    run: str
    runs: int = 0


class Figures:
    """The figures of a report. Runs are added newest first, those that are told one by one as `told`, too."""

    def __init__(self, language: str) -> None:
        self._language = language
        self.timeline = Timeline()
        self.statuses: Counter[Status] = Counter()
        self.causes: Counter[Cause] = Counter()
        self.notes: Counter[str] = Counter()
        self.revisions: Counter[tuple[Status, int]] = Counter()
        self.severities = {severity: Tally() for severity in SEVERITIES}
        self.principles: dict[str, AtFault] = {}
        self.wordings: dict[str, InForce] = {}
        self.doubts: dict[tuple[str, Why], Doubt] = {}
        self.latencies = {status: Latencies() for status in Status}
        self.judge = Tokens()
        self.revise = Tokens()
        self.asking: Counter[str] = Counter()

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return self.statuses.total()

    def add(self, run: RunSummary, wording: Wording | None) -> None:
        """Count a run, judged under a wording that the trail may not have."""
        self.timeline.add(run.time, run.status)
        self.statuses[run.status] += 1
        if run.cause and run.status is Status.BLOCKED:
            self.causes[run.cause] += 1
        self.revisions[run.status, min(run.revisions, MOST_REVISIONS)] += 1
        self._note(run)
        self._principles(run, wording)
        in_force = self.wordings.setdefault(run.constitution.digest, InForce(run.constitution, run.time, run.time))
        in_force.runs += 1
        in_force.first, in_force.last = min(in_force.first, run.time), max(in_force.last, run.time)
        # A stream that came to no outcome has no time of its own.
        if run.elapsed:
            self.latencies[run.status].add(run.elapsed)
        self.judge += run.usage.judge
        self.revise += run.usage.revise
        self.asking.update(judge=bool(run.usage.judge.calls), revise=bool(run.usage.revise.calls))

    def told(self, stored: StoredRun) -> None:
        """Count what only a whole run says: why something was undecided, and what people decided about it."""
        outcome = stored.run.outcome
        found: dict[tuple[str, Why], str] = {}
        for verdict in outcome.verdicts:
            if verdict.decision is Decision.UNDECIDED:
                why: Why = "failed" if verdict.failed else "unsure"
                found.setdefault((verdict.principle, why), verdict.critique or verdict.reason)
        for key, reason in found.items():
            self.doubts.setdefault(key, Doubt(key[1], reason, outcome.run_id)).runs += 1
        if stored.decisions:
            self.notes["agreed" if stored.decisions[-1].agrees else "overruled"] += 1
        self.notes["erased"] += stored.erased is not None

    def alike(self) -> list[tuple[Doubt, list[str]]]:
        """The doubts, those with the most runs first, each with the principles that share it: a judge fails for all."""
        groups: dict[tuple[object, ...], tuple[Doubt, list[str]]] = {}
        for (principle, _), doubt in self.doubts.items():
            key = (doubt.why, doubt.reason, doubt.run, doubt.runs)
            groups.setdefault(key, (doubt, []))[1].append(principle)
        return sorted(groups.values(), key=lambda group: -group[0].runs)

    def _note(self, run: RunSummary) -> None:
        released = run.status is not Status.BLOCKED
        self.notes["monitored"] += run.status is not Status.PASSED and not run.enforced
        self.notes["undecided"] += released and bool(run.undecided)
        self.notes["flagged"] += released and bool(run.flags)
        self.notes["unjudged"] += bool(run.unjudged)

    def _principles(self, run: RunSummary, wording: Wording | None) -> None:
        severities = set()
        for name in run.at_fault:
            severity = wording.severity(name) if wording else ""
            severity = severity if severity in self.severities else ""
            severities.add(severity)
            title = wording.said(name, "title", self._language) if wording else ""
            at_fault = self.principles.setdefault(name, AtFault(title, severity))
            at_fault.tally.add(run.status, undecided=name in run.undecided)
        for severity in severities:
            undecided = any((wording.severity(name) if wording else "") == severity for name in run.undecided)
            self.severities[severity].add(run.status, undecided=undecided)
