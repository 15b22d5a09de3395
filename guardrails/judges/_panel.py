"""Several judges as one."""

from __future__ import annotations

from collections.abc import Sequence

from guardrails.constitution import Principle
from guardrails.errors import ConfigurationError
from guardrails.exchange import Exchange
from guardrails.judges._interface import Judge
from guardrails.models import Step, checked, together
from guardrails.verdict import Decision, Verdict


class Panel:
    """Several judges side by side: their requests run at the same time, and any violation counts.

    Raises:
        ConfigurationError: the panel is empty, so that it would decide nothing.

    >>> from guardrails.judges import RuleJudge
    >>> Panel([RuleJudge()]).name
    'rules'
    """

    def __init__(self, judges: Sequence[Judge]) -> None:
        if not judges:
            raise ConfigurationError("a Panel needs at least one judge: Panel([ModelJudge(…), FunctionJudge(…)])")
        self.judges = tuple(judges)
        self.name = "+".join(dict.fromkeys(judge.name for judge in judges))

    def covers(self, principle: Principle) -> bool:
        """Whether one of the judges does."""
        return any(judge.covers(principle) for judge in self.judges)

    def judge(self, exchange: Exchange, principles: Sequence[Principle]) -> Step[list[Verdict]]:
        """Judge by all of them, one after the other in the list of verdicts."""
        verdicts = yield from together([_safely(judge, exchange, principles) for judge in self.judges])
        return [verdict for one in verdicts for verdict in one]


def _safely(judge: Judge, exchange: Exchange, principles: Sequence[Principle]) -> Step[list[Verdict]]:
    """Judge, and leave undecided what a judge covers that raises, or answers what it was not asked.

    Its failure is no verdict, and does not hide the judges that work.
    """
    try:
        verdicts = list((yield from checked(judge.judge(exchange, principles))))
        reason = _unusable(verdicts, principles, len(exchange.sentences))
    except Exception as error:  # noqa: BLE001 - somebody's judge may raise anything
        verdicts, reason = [], f"raised {type(error).__name__}"
    if not reason:
        return verdicts
    # What a broken judge would have looked at is undecided, though its silence would have decided nothing.
    looks_at = getattr(judge, "looks_at", judge.covers)
    covered = [p for p in principles if looks_at(p)]
    return [Verdict(p.id, Decision.UNDECIDED, judge.name, reason=reason, failed=True) for p in covered]


def _unusable(verdicts: Sequence[object], principles: Sequence[Principle], count: int) -> str:
    ids = {p.id for p in principles}
    for verdict in verdicts:
        if not isinstance(verdict, Verdict):
            return f"returned {type(verdict).__name__} instead of a Verdict"
        if verdict.principle not in ids:
            return f"answered for {verdict.principle!r}, which it was not asked"
        if not all(1 <= number <= count for number in verdict.sentences):
            return "cited a sentence that does not exist"
    return ""
