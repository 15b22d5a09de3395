"""One test case, tried: what was said of it, how often it was said otherwise, and what it was revised to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from guardrails import facts
from guardrails._review import Review, review
from guardrails._setup import Setup
from guardrails.authoring._cases import Case, Label
from guardrails.authoring._many import AT_ONCE, in_order
from guardrails.judges import RuleJudge
from guardrails.models import Step
from guardrails.outcome import Outcome, Usage
from guardrails.revisers import RuleReviser, Task, mend
from guardrails.sentences import body, split
from guardrails.verdict import Decision, Verdict

_LADDER = "constitution"  # who appends the warning when revisions have run out
_GRAVEST = (Decision.VIOLATES, Decision.UNDECIDED, Decision.COMPLIES, None)


@dataclass(frozen=True, slots=True)
class Said:
    """What one run said of one label: None where no judge decided, and the checks were silent."""

    decision: Decision | None
    critique: str = ""
    judge: str = ""
    confidence: int | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A label of a case, and what each run said of it."""

    case: Case
    label: Label
    runs: tuple[Said, ...]
    revised: str | None = None
    """What a violating reply became, None where it was not revised."""
    faults: tuple[str, ...] = ()
    """What is wrong with the revision."""
    others: tuple[str, ...] = ()
    """Other principles that a complying example was found to break."""

    @property
    def said(self) -> Said:
        """What most runs said; of several that are as common, the gravest."""
        common = Counter(run.decision for run in self.runs)
        decision = max(common, key=lambda d: (common[d], -_GRAVEST.index(d)))
        return next(run for run in self.runs if run.decision is decision)

    @property
    def disagrees(self) -> bool:
        """Whether not all runs said the same."""
        return len({run.decision for run in self.runs}) > 1

    @property
    def right(self) -> bool | None:
        """Whether what was said is the label; None where nothing was said."""
        decision = self.said.decision
        if decision is None:
            return None
        return decision is (Decision.VIOLATES if self.label.violates else Decision.COMPLIES)


@dataclass(frozen=True, slots=True)
class Tried:
    """The results of one case, and what judging and revising it cost."""

    results: tuple[Result, ...]
    usage: tuple[Usage, ...]
    unable: str | None = None
    """Of the judges beside the rules: why all of them failed; empty where one answered, None where there are none."""


def try_all(cases: Iterable[Case], setup: Setup, runs: int = 1) -> Iterator[Tried]:
    """Try the cases, in their order; with a model, several at a time.

    Violating ones are revised where somebody can; the runs after the first only judge. Each run has the time of
    the setup's budget.
    """
    at_once = AT_ONCE if setup.judges or setup.reviser else 1
    seconds = None if setup.budget.seconds is None else setup.budget.seconds * runs
    yield from in_order((_tried(case, setup, runs) for case in cases), at_once, seconds)


def _tried(case: Case, setup: Setup, runs: int) -> Step[Tried]:
    outcome: Outcome | None = None
    rounds: list[tuple[Verdict, ...]] = []
    usage: list[Usage] = []
    if any(label.violates for label in case.labels) and not only_calls(case, setup):
        outcome = yield from review(case.exchange, setup, "")
        rounds.append(outcome.attempts[0].verdicts if outcome.attempts else outcome.verdicts)
        usage.append(outcome.usage)
    while len(rounds) < runs:
        reviewed = Review(case.exchange, setup, "", scope=setup.calls if only_calls(case, setup) else None)
        verdicts = yield from reviewed.judge()
        rounds.append(verdicts)
        usage.append(reviewed.spent.usage)
    results = tuple(_result(case, label, rounds, outcome, setup) for label in case.labels)
    return Tried(results, tuple(usage), unable(verdict for verdicts in rounds for verdict in verdicts))


def unable(verdicts: Iterable[Verdict]) -> str | None:
    """Why every judge beside the rules failed: empty where one answered, None where there are none."""
    others = [verdict for verdict in verdicts if verdict.judge != RuleJudge.name]
    if not others:
        return None
    return others[0].reason or "no reason given" if all(verdict.failed for verdict in others) else ""


def only_calls(case: Case, setup: Setup) -> bool:
    """Whether the case is about the arguments of tool calls, which are judged apart and never revised."""
    principles = (setup.constitution.by_id[label.principle] for label in case.labels)
    return all("reply" not in principle.applies_to for principle in principles)


def _result(
    case: Case, label: Label, rounds: Sequence[tuple[Verdict, ...]], outcome: Outcome | None, setup: Setup
) -> Result:
    runs = tuple(_said(verdicts, label.principle) for verdicts in rounds)
    result = Result(case, label, runs)
    if not label.violates:
        known = {one.principle for one in case.labels if one.violates} | {label.principle}
        broken = {v.principle for v in rounds[0] if v.violates} - known
        return Result(case, label, runs, others=tuple(sorted(broken)))
    if outcome is None or outcome.status == "passed" or result.runs[0].decision is not Decision.VIOLATES:
        return result
    revised = outcome.text if outcome.status == "revised" else None
    return Result(case, label, runs, revised, tuple(_faults(case, outcome, setup)))


def _said(verdicts: Sequence[Verdict], principle: str) -> Said:
    own = [verdict for verdict in verdicts if verdict.principle == principle]
    if not own:
        return Said(None)
    gravest = min(own, key=lambda v: _GRAVEST.index(v.decision))
    said = "; ".join(filter(None, (gravest.critique, gravest.reason)))
    return Said(gravest.decision, said, gravest.judge, gravest.confidence, gravest.failed)


def _faults(case: Case, outcome: Outcome, setup: Setup) -> Iterator[str]:
    last = outcome.attempts[-1]
    if outcome.blocked:
        if len(outcome.attempts) > 1 and (setup.reviser is not None or _mends_badly(case, outcome, setup)):
            broken = sorted({v.principle for v in last.verdicts if v.violates})
            yield f"what it was revised to does not pass: it breaks {', '.join(broken) or 'nothing, and is undecided'}"
        elif setup.reviser is not None and last.problem:
            yield f"it was not revised: {last.problem}"
        return
    broken = sorted({v.principle for v in outcome.verdicts if v.violates})
    if broken:  # flags, which stop nothing
        yield f"what it was revised to does not pass: it breaks {', '.join(broken)}"
    yield from (f"the revision lost a sentence that was not at fault: {s}" for s in _lost(case, outcome))
    if case.revised and not _meets(case.revised, outcome):
        yield "the revision is not the expected one"


def _lost(case: Case, outcome: Outcome) -> Iterator[str]:
    """The sentences that no verdict on any draft cited, and that are gone."""
    cited = [(a.draft, v.sentences) for a in outcome.attempts for v in a.verdicts if v.violates]
    if not all(numbers for _, numbers in cited):
        return  # what concerns the reply as a whole may be mended anywhere
    at_fault = {body(split(draft)[number - 1]) for draft, numbers in cited for number in numbers}
    for sentence in map(body, case.exchange.sentences):
        if sentence not in at_fault and sentence not in outcome.text:
            yield sentence


def _mends_badly(case: Case, outcome: Outcome, setup: Setup) -> bool:
    """Whether fixes broke what was whole, or left what they are for; what no fix is for is left to a model."""
    first, last = outcome.attempts[0], outcome.attempts[-1]
    violations = tuple(verdict for verdict in last.verdicts if verdict.violates)
    if {verdict.principle for verdict in violations} - {v.principle for v in first.verdicts if v.violates}:
        return True
    left = mend(Task(case.exchange.with_reply(last.draft), setup.constitution, violations))[1]
    return len(left) < len(violations)


def _meets(expected: str, outcome: Outcome) -> bool:
    """By rules a revision is exactly what was expected; a model's has other words, and states the same facts."""
    by = {name for attempt in outcome.attempts for name in attempt.reviser.split("+")}
    if by <= {"", RuleReviser.name, _LADDER}:
        return outcome.text.strip() == expected.strip()
    return not facts.missing(expected, [outcome.text])
