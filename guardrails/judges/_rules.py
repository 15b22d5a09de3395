"""The rule judge: the constitution's own checks. No model, no network; it runs in every guard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrails.constitution import CheckSet, Findings, GroundedCheck, Hit, Principle
from guardrails.exchange import Exchange
from guardrails.models import Step
from guardrails.verdict import Decision, Verdict

_MOST_SAID = 10
_EDGES = " ,.;:、。"


class RuleJudge:
    """Judges by the checks that principles carry: patterns, disclosures, personal data, grounded facts.

    A check is a signal: a hit violates, silence decides nothing, unless the check says `decides: true`.

    >>> RuleJudge().name
    'rules'
    """

    name = "rules"

    def __init__(self) -> None:
        self._compiled: tuple[Sequence[Principle], CheckSet] | None = None

    def with_checks(self, principles: Sequence[Principle], checks: CheckSet) -> RuleJudge:
        """The same judge, with checks that are compiled already."""
        judge = RuleJudge()
        judge._compiled = (tuple(principles), checks)
        return judge

    def covers(self, principle: Principle) -> bool:
        """Whether one of the principle's checks decides when it is silent."""
        return any(check.decides for check in principle.checks)

    def looks_at(self, principle: Principle) -> bool:
        """Whether the principle has checks, be they signals only."""
        return bool(principle.checks)

    def judge(self, exchange: Exchange, principles: Sequence[Principle]) -> Step[list[Verdict]]:
        """Run the checks over the reply."""
        findings = self._checks(principles).run(exchange)
        yield from ()  # a step that needs nothing done
        return _verdicts(findings, principles)

    def _checks(self, principles: Sequence[Principle]) -> CheckSet:
        kept = self._compiled
        if kept is None or kept[0] != tuple(principles):
            self._compiled = kept = (tuple(principles), CheckSet(principles))
        return kept[1]


def _verdicts(findings: Findings, principles: Sequence[Principle]) -> list[Verdict]:
    hits: dict[str, list[Hit]] = {}
    for hit in findings.hits:
        hits.setdefault(hit.principle, []).append(hit)
    verdicts = []
    for principle in principles:
        name = principle.id
        if name in hits:
            verdicts.append(_violation(name, hits[name]))
        elif name in findings.complied:
            verdicts.append(Verdict(name, Decision.COMPLIES, RuleJudge.name))
    return verdicts


def _violation(name: str, hits: Sequence[Hit]) -> Verdict:
    sentences = tuple(sorted({hit.sentence for hit in hits if hit.sentence}))
    said = list(dict.fromkeys(map(_critique, _outermost(hits))))
    critique = "; ".join([*said[:_MOST_SAID], *(["and more"] if len(said) > _MOST_SAID else [])])
    return Verdict(name, Decision.VIOLATES, RuleJudge.name, critique=critique, sentences=sentences, confidence=100)


def _outermost(hits: Sequence[Hit]) -> Iterator[Hit]:
    """The hits in order, without those that lie within another one: it says the same already."""
    sentence, end = -1, 0
    for hit in sorted(hits, key=lambda h: (h.sentence, h.start, -h.end)):
        if hit.sentence != sentence or hit.end > end:
            yield hit
            sentence, end = hit.sentence, hit.end


def _critique(hit: Hit) -> str:
    if hit.match is not None:
        return f"says “{hit.match.group().strip(_EDGES)}”"
    if not hit.sentence:
        return "a required statement is missing"
    kind = hit.what.replace("_", " ")
    if isinstance(hit.check, GroundedCheck):
        return f"states {kind} that the conversation and its context do not hold"
    return f"shows personal data ({kind})"
