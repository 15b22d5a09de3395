"""A judge made of plain Python."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

from guardrails.constitution import Principle
from guardrails.errors import ConfigurationError
from guardrails.exchange import Exchange
from guardrails.models import Call, CallResult, Failure, Result, Step
from guardrails.verdict import Decision, Verdict

Judgement = Verdict | None


class FunctionJudge:
    """Judges some principles by a function `(exchange, principle) -> Verdict | None`, sync or async.

    `covers` are the ids of the principles it decides; None from the function means that it has no
    opinion, which leaves a principle undecided unless another judge decides it. A function that raises
    leaves its principle undecided too.

    Raises:
        ConfigurationError: `covers` is empty.

    >>> def mentions_fees(exchange, principle):
    ...     return Verdict(principle.id, "complies" if "fee" in exchange.reply else "violates", "fees")
    >>> FunctionJudge(mentions_fees, covers={"fin-disclose-costs-conflicts"}).name
    'mentions_fees'
    """

    def __init__(
        self,
        function: Callable[[Exchange, Principle], Judgement | Awaitable[Judgement]],
        covers: Collection[str],
        *,
        name: str | None = None,
    ) -> None:
        if isinstance(covers, str) or not covers:
            raise ConfigurationError("FunctionJudge needs the ids it decides, as a set: covers={'fin-…'}.")
        self.name = str(name or getattr(function, "__name__", type(function).__name__))
        self.ids = frozenset(covers)
        self._function = function

    def covers(self, principle: Principle) -> bool:
        """Whether the function decides this principle."""
        return principle.id in self.ids

    def judge(self, exchange: Exchange, principles: Sequence[Principle]) -> Step[list[Verdict]]:
        """Call the function once for each principle it covers."""
        mine = [p for p in principles if self.covers(p)]
        if not mine:
            return []
        results = yield [Call(self._function, (exchange, principle)) for principle in mine]
        verdicts = (self._verdict(p, result) for p, result in zip(mine, results, strict=True))
        return [verdict for verdict in verdicts if verdict is not None]

    def _verdict(self, principle: Principle, result: Result) -> Verdict | None:
        if isinstance(result, CallResult) and (result.value is None or isinstance(result.value, Verdict)):
            verdict: Verdict | None = result.value
            if verdict is None or verdict.principle == principle.id:
                return verdict
            reason = f"{self.name} answered for {verdict.principle!r}"
        elif isinstance(result, Failure):
            reason = result.reason
        else:
            reason = f"{self.name} returned neither a Verdict nor None"
        return Verdict(principle.id, Decision.UNDECIDED, self.name, reason=reason, failed=True)
