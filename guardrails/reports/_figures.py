"""What a report counts. It grows with the principles and wordings of a trail, and not with its runs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from guardrails.outcome import Cause, ConstitutionRef, Status, Tokens
from guardrails.reports._result import ENFORCED, MONITORED, Result, result_of
from guardrails.reports._timeline import Latencies, Timeline
from guardrails.verdict import Decision

if TYPE_CHECKING:
    from guardrails.audit import RunSummary, StoredRun, Wording

SEVERITIES = ("critical", "high", "medium", "low", "")
"""From the gravest on; the empty one is of what has none, or where the trail was not given the wording."""

MOST_REVISIONS = 5
"""More than so many revisions are counted as so many."""

OPENED = ("on_error", "allow_unjudged")
"""The opened defaults that an outcome may name, and that a report explains."""

Why = Literal["failed", "unsure"]


@dataclass(slots=True)
class Tally:
    """Runs in which something was at fault, by what came of them; and those of them where it stayed undecided."""

    results: Counter[Result] = field(default_factory=Counter)
    undecided: Counter[Result] = field(default_factory=Counter)

    @property
    def runs(self) -> int:
        """All of them, whatever came of it."""
        return self.results.total()

    def add(self, result: Result, *, undecided: bool) -> None:
        """Count a run."""
        self.results[result] += 1
        self.undecided[result] += undecided


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
    """Runs in which a principle stayed undecided for the same kind of cause; what is told is of the newest.

    `failed`: the check broke; `unsure`: the judge could not tell. `quoted` are a judge's own words, empty where
    there is only the library's `reason`; `linked` is whether the run is told in full.
    """

    why: Why
    quoted: str
    reason: str
    run: str
    linked: bool
    runs: int = 0


class Figures:
    """The figures of a report. Runs are added newest first, interventions as `told`, too.

    `results`, and what is counted by them, keep what monitor mode would have done apart from what was done.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self.timeline = Timeline()
        self.results: Counter[Result] = Counter()
        self.causes: dict[Result, Counter[Cause]] = {Result.BLOCKED: Counter(), Result.WOULD_BLOCK: Counter()}
        self.notes: Counter[str] = Counter()
        self.revisions: Counter[tuple[Result, int]] = Counter()
        self.severities = {severity: Tally() for severity in SEVERITIES}
        self.principles: dict[str, AtFault] = {}
        self.wordings: dict[str, InForce] = {}
        self.doubts: dict[tuple[str, Why], Doubt] = {}
        self.latencies = {result: Latencies() for result in Result}
        self.judge = Tokens()
        self.revise = Tokens()
        self.asking: Counter[str] = Counter()

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return self.results.total()

    @property
    def kinds(self) -> tuple[Result, ...]:
        """The results that a table shows: one of monitor mode where there is any."""
        return ENFORCED + tuple(result for result in MONITORED if self.results[result])

    def add(self, run: RunSummary, wording: Wording | None) -> None:
        """Count a run, judged under a wording that the trail may not have."""
        result = result_of(run)
        self.timeline.add(run.time, result)
        self.results[result] += 1
        if run.cause and result in self.causes:
            self.causes[result][run.cause] += 1
        self.revisions[result, min(run.revisions, MOST_REVISIONS)] += 1
        self._note(run, released=result in {Result.PASSED, Result.REVISED})
        self._principles(run, result, wording)
        in_force = self.wordings.setdefault(run.constitution.digest, InForce(run.constitution, run.time, run.time))
        in_force.runs += 1
        in_force.first, in_force.last = min(in_force.first, run.time), max(in_force.last, run.time)
        # A stream that came to no outcome has no time of its own.
        if run.elapsed:
            self.latencies[result].add(run.elapsed)
        self.judge += run.usage.judge
        self.revise += run.usage.revise
        self.asking.update(judge=bool(run.usage.judge.calls), revise=bool(run.usage.revise.calls))

    def told(self, stored: StoredRun, *, linked: bool) -> None:
        """Count what only a whole run says: why something was undecided, and what people decided about it."""
        outcome = stored.run.outcome
        found: dict[tuple[str, Why], tuple[str, str]] = {}
        for verdict in outcome.verdicts:
            if verdict.decision is Decision.UNDECIDED:
                why: Why = "failed" if verdict.failed else "unsure"
                found.setdefault((verdict.principle, why), (verdict.critique, verdict.reason))
        for key, said in found.items():
            self.doubts.setdefault(key, Doubt(key[1], *said, outcome.run_id, linked)).runs += 1
        if stored.decisions:
            self.notes["agreed" if stored.decisions[-1].agrees else "overruled"] += 1

    def alike(self) -> list[tuple[Doubt, list[str]]]:
        """The doubts, those with the most runs first, each with the principles that share it: a judge fails for all."""
        groups: dict[tuple[object, ...], tuple[Doubt, list[str]]] = {}
        for (principle, _), doubt in self.doubts.items():
            key = (doubt.why, doubt.quoted, doubt.reason, doubt.run, doubt.runs)
            groups.setdefault(key, (doubt, []))[1].append(principle)
        return sorted(groups.values(), key=lambda group: -group[0].runs)

    def _note(self, run: RunSummary, *, released: bool) -> None:
        self.notes["undecided"] += released and bool(run.undecided)
        self.notes["flagged"] += released and bool(run.flags)
        self.notes["unjudged"] += bool(run.unjudged)
        self.notes["erased"] += run.erased
        for name in dict.fromkeys(name if name in OPENED else "other" for name in run.unsafe):
            self.notes[f"opened_{name}"] += run.status is not Status.BLOCKED or name != "on_error"

    def _principles(self, run: RunSummary, result: Result, wording: Wording | None) -> None:
        graded = {name: self._severity(name, wording) for name in run.at_fault}
        for name, severity in graded.items():
            title = wording.said(name, "title", self._language) if wording else ""
            at_fault = self.principles.setdefault(name, AtFault(title, severity))
            at_fault.tally.add(result, undecided=name in run.undecided)
        for severity in set(graded.values()):
            undecided = any(graded.get(name) == severity for name in run.undecided)
            self.severities[severity].add(result, undecided=undecided)

    def _severity(self, principle: str, wording: Wording | None) -> str:
        severity = wording.severity(principle) if wording else ""
        return severity if severity in self.severities else ""
