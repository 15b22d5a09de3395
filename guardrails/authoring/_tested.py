"""What the examples of a constitution say of it: shares by principle, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from guardrails._setup import Setup
from guardrails.authoring._scores import Share
from guardrails.authoring._trial import Result
from guardrails.constitution import Constitution, Expect, Principle
from guardrails.verdict import Decision


@dataclass(frozen=True, slots=True)
class Confusion:
    """How many replies were found to violate, to comply, could not be told, and were not judged."""

    violates: int = 0
    complies: int = 0
    undecided: int = 0
    silent: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.violates + self.complies + self.undecided + self.silent


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that is not as it should be: with a result, one example; without, an expected share."""

    principle: str
    what: str
    result: Result | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """How one principle did.

    `breaking` and `keeping` are what was said of violating and of complying replies. Silence of the rules finds
    nothing, and so counts against `recall`; it is no mistake by itself.
    """

    principle: str
    breaking: Confusion
    keeping: Confusion
    near_misses: Confusion
    disagreeing: int
    revised: int
    """Violating replies that came out mended."""
    is_judged: bool
    """Whether anything looked at it: a check, or a judge."""
    failures: tuple[Failure, ...] = ()

    @property
    def recall(self) -> Share:
        """Of what violates, what was found."""
        return Share(self.breaking.violates, self.breaking.total)

    @property
    def precision(self) -> Share:
        """Of what was found, what violates."""
        return Share(self.breaking.violates, self.breaking.violates + self.keeping.violates)

    @property
    def over_refusal(self) -> Share:
        """Of the near misses, what was found."""
        return Share(self.near_misses.violates, self.near_misses.total)

    @property
    def disagreement(self) -> Share:
        """Of all replies, those of which not every run said the same."""
        return Share(self.disagreeing, self.breaking.total + self.keeping.total)

    @property
    def silent(self) -> int:
        """Replies of which nothing was said."""
        return self.breaking.silent + self.keeping.silent


def scores(results: Iterable[Result], setup: Setup) -> tuple[Scores, ...]:
    """The scores of each principle that has results, in the constitution's order."""
    by_principle: dict[str, list[Result]] = {}
    for result in results:
        by_principle.setdefault(result.label.principle, []).append(result)
    principles = [p for p in setup.constitution.principles if p.id in by_principle]
    return tuple(_scores(principle, by_principle[principle.id], setup) for principle in principles)


def expected(constitution: Constitution, principle: Principle) -> Expect:
    """What is asked of a principle: its own, and for what it does not say the constitution's."""
    return constitution.expect.model_copy(update=principle.expect.model_dump(exclude_none=True))


def _scores(principle: Principle, results: Sequence[Result], setup: Setup) -> Scores:
    panel = setup.whole.panel if "reply" in principle.applies_to else setup.calls.panel
    own = Scores(
        principle.id,
        _confusion(r for r in results if r.label.violates),
        _confusion(r for r in results if not r.label.violates),
        _confusion(r for r in results if r.label.near_miss),
        sum(r.disagrees for r in results),
        sum(r.revised is not None for r in results),
        bool(principle.checks) or panel.covers(principle),
    )
    failures = [failure for result in results for failure in failures_of(result, setup.constitution)]
    return replace(own, failures=(*failures, *_missed(own, expected(setup.constitution, principle))))


def _confusion(results: Iterable[Result]) -> Confusion:
    said = [result.said.decision for result in results]
    return Confusion(
        said.count(Decision.VIOLATES), said.count(Decision.COMPLIES), said.count(Decision.UNDECIDED), said.count(None)
    )


def failures_of(result: Result, constitution: Constitution) -> Iterator[Failure]:
    """What is wrong with one result, but for what an expected share answers for."""
    label, decision = result.label, result.said.decision
    asked = expected(constitution, constitution.by_id[label.principle])
    counted = asked.precision is not None or (label.near_miss and asked.over_refusal is not None)
    if label.violates and decision is Decision.COMPLIES and asked.recall is None:
        yield Failure(label.principle, "violates, and was found to comply", result)
    if not label.violates and decision is Decision.VIOLATES and not counted:
        kind = "a near miss: it complies" if label.near_miss else "complies"
        yield Failure(label.principle, f"{kind}, and was found to violate", result)
    if decision is Decision.UNDECIDED and (result.said.failed or not label.violates or asked.recall is None):
        yield Failure(label.principle, "could not be judged" if result.said.failed else "nobody could tell", result)
    yield from (Failure(label.principle, fault, result) for fault in result.faults)


def _missed(own: Scores, asked: Expect) -> Iterator[Failure]:
    """The expected shares that were not reached, of a principle that something looked at."""
    if not own.is_judged:
        return
    for name in ("recall", "precision"):
        share, least = getattr(own, name), getattr(asked, name)
        if least is not None and share.value is not None and share.value < least:
            yield Failure(own.principle, f"{name} is {share}, at least {least:.0%} is expected")
    for name in ("over_refusal", "disagreement"):
        share, most = getattr(own, name), getattr(asked, name)
        if most is not None and share.value is not None and share.value > most:
            yield Failure(own.principle, f"{name.replace('_', '-')} is {share}, at most {most:.0%} is expected")
