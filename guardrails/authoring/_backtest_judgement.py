"""What was found of one reply: then, by the record of it, and now, by judging it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from guardrails._policy import Block, Revise, decide
from guardrails.audit import StoredRun
from guardrails.constitution import Constitution
from guardrails.judges import RuleJudge
from guardrails.outcome import Attempt, Cause, Outcome, Status
from guardrails.sentences import split
from guardrails.verdict import Decision, Verdict

Ruling: TypeAlias = Literal["release", "revise", "block", "unknown"]
"""What becomes of a reply as the application gave it: it goes out, has to be revised first, or is stopped; unknown
where what would have to say so failed, or was not asked."""

_OF_STATUS: Mapping[Status, Ruling] = {Status.PASSED: "release", Status.REVISED: "revise", Status.BLOCKED: "block"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found of a reply: its verdicts by principle, the principles that there were, and what follows.

    `is_open` says that something besides the reply's text weighed in: its tool calls.
    """

    found: Mapping[str, tuple[Verdict, ...]]
    principles: AbstractSet[str]
    ruling: Ruling
    is_open: bool = False

    def decision(self, principle: str) -> Decision | None:
        """What all judges together came to: any violation counts; None where nobody decided."""
        decisions = {verdict.decision for verdict in self.found.get(principle, ())}
        order = (Decision.VIOLATES, Decision.UNDECIDED, Decision.COMPLIES)
        return next((decision for decision in order if decision in decisions), None)

    def said(self, principle: str, decision: Decision) -> tuple[Verdict, ...]:
        """The verdicts on a principle that came to this."""
        return tuple(verdict for verdict in self.found.get(principle, ()) if verdict.decision is decision)

    def by_rules(self, principle: str) -> bool:
        """Whether rules alone found the principle broken, so that rules alone can say that it no longer is."""
        return all(v.judge == RuleJudge.name for v in self.said(principle, Decision.VIOLATES))


def found_now(constitution: Constitution, verdicts: Sequence[Verdict]) -> Judgement:
    """The judgement under a constitution. Principles that no judge covers stop nothing, as in `allow_unjudged`."""
    return Judgement(_grouped(verdicts), constitution.by_id.keys(), _ruling(constitution, verdicts))


def found_then(stored: StoredRun) -> Judgement:
    """The judgement that the record has of the reply as the application gave it.

    Of a stream these are the verdicts on what each window held before anything was revised in it.
    """
    outcome = stored.run.outcome
    verdicts = [verdict for attempt in _first_drafts(outcome) for verdict in _renumbered(attempt, outcome.original)]
    kept = frozenset(stored.wording.principles) if stored.wording else frozenset[str]()
    known = kept or {verdict.principle for verdict in verdicts} | {*outcome.unjudged}
    of_calls = (verdict for attempt in outcome.attempts if attempt.calls for verdict in attempt.verdicts)
    is_open = any(verdict.decision is not Decision.COMPLIES for verdict in of_calls)
    return Judgement(_grouped(verdicts), known, _OF_STATUS[outcome.status], is_open)


def is_cut(outcome: Outcome) -> bool:
    """Whether a stream was stopped before its reply was judged as a whole: the record holds what was heard of it."""
    is_whole = (
        attempt.draft == outcome.original or (number > 0 and attempt.first == 1)
        for number, attempt in enumerate(outcome.attempts)
        if attempt.base is None and not attempt.calls
    )
    return outcome.blocked and not any(is_whole)


def _ruling(constitution: Constitution, verdicts: Sequence[Verdict]) -> Ruling:
    match decide(constitution, verdicts, allow_unjudged=True):
        case Block(Cause.ERROR):  # our own check failed now, which says nothing of the reply
            return "unknown"
        case Block():
            return "block"
        case Revise():
            return "revise"
    return "release"


def _first_drafts(outcome: Outcome) -> Iterator[Attempt]:
    return (attempt for attempt in outcome.attempts if attempt.base is None and not attempt.calls)


def _grouped(verdicts: Iterable[Verdict]) -> Mapping[str, tuple[Verdict, ...]]:
    found: dict[str, tuple[Verdict, ...]] = {}
    for verdict in verdicts:
        found[verdict.principle] = (*found.get(verdict.principle, ()), verdict)
    return found


def _renumbered(attempt: Attempt, original: str) -> Iterable[Verdict]:
    """The verdicts on a draft, with the numbers that its sentences have in the original.

    In a stream, a draft is some of the sentences, and those before it may have been revised by then.
    """
    if attempt.draft == original or not any(verdict.sentences for verdict in attempt.verdicts):
        return attempt.verdicts
    places: dict[str, int] = {}
    for number, sentence in enumerate(split(original), 1):
        places.setdefault(sentence.strip(), number)
    draft = dict(enumerate(split(attempt.draft), attempt.first))
    texts = {number: places.get(sentence.strip()) for number, sentence in draft.items()}
    return [replace(v, sentences=tuple(filter(None, map(texts.get, v.sentences)))) for v in attempt.verdicts]
