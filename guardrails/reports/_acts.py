"""What people did about a trail in the period of a report."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from guardrails.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guardrails.audit import Act, AuditTrail, Where


class Acts:
    """The acts of a trail: `counts` of each kind in the period, and the runs that were ever `decided` on.

    Iterating gives those of the period, in order, read from the trail once more: no list of them is made. Where one
    cannot be read, those before it are there, and `problem` says why there are no more.
    """

    def __init__(self, trail: AuditTrail, where: Where) -> None:
        self._trail = trail
        self._where = where
        self._read = 0
        self.counts: Counter[str] = Counter()
        self.decided: set[str] = set()
        self.problem = ""
        try:
            for act in trail.acts():
                self._count(act)
        except AuditError as error:
            self.problem = str(error)

    def __iter__(self) -> Iterator[Act]:
        return filter(self._in_period, islice(self._trail.acts(), self._read))

    @staticmethod
    def erased(act: Act) -> int:
        """How many records an erasure names."""
        return sum(last - first + 1 for first, last in act.erases)

    def _count(self, act: Act) -> None:
        self._read += 1
        self.counts[act.kind] += self._in_period(act)
        if act.kind == "decision" and act.run:
            self.decided.add(act.run)

    def _in_period(self, act: Act) -> bool:
        since, until = self._where.since, self._where.until
        return (since is None or act.time >= since) and (until is None or act.time < until)
