"""Which recorded runs a backtest judges: those that fit, without what cannot be judged, or a sample of them."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Literal, TypeAlias

from guardrails.audit import AuditTrail, RunSummary, StoredRun, Where
from guardrails.errors import AuditError
from guardrails.outcome import Cause

Reason: TypeAlias = Literal["erased", "commitments", "interrupted", "no_reply", "untrusted", "budget"]
"""Why a run is left out: its texts were erased, or never kept; its stream was cut off; it has no text but tool calls,
say; its record was altered; the budget was used up before its turn."""


class Choice:
    """The runs of a trail to be judged, newest first. They are read as they are asked for.

    `fits` counts those that fit, `usable` those of them that may have a reply to judge, and `left_out` the others, by
    reason; all three are known once the runs were gone through. A sample is uniform over what is usable: the runs
    whose ids, hashed with the seed, come first. So it is the same for the same seed, whoever draws it, and memory grows
    with the sample alone. `problem` says why not all of the trail could be read.
    """

    def __init__(self, trail: AuditTrail, where: Where, limit: int | None, sample: int | None, seed: int) -> None:
        self._trail = trail
        self._where = where
        self._limit = limit
        self._sample = sample
        self._seed = seed
        self.fits = 0
        self.usable = 0
        self.left_out: Counter[Reason] = Counter()
        self.problem = ""

    def __iter__(self) -> Iterator[RunSummary]:
        if self._sample is None:
            yield from self._usable()
            return
        chosen = heapq.nsmallest(self._sample, self._usable(), key=self._place)
        yield from sorted(chosen, key=lambda run: -run.seq)

    def read(self, run: RunSummary) -> StoredRun | None:
        """The whole run; None where it has no reply to judge, which is counted."""
        reason: Reason = "no_reply"
        try:
            stored = self._trail.run(run.run_id)
            if stored.has_texts and stored.run.outcome.original.strip():
                return stored
            if not stored.has_texts:  # somebody erased them meanwhile
                reason = "erased"
        except AuditError:
            reason = "untrusted"
        self.usable -= 1
        self.left_out[reason] += 1
        return None

    def _usable(self) -> Iterator[RunSummary]:
        try:
            for run in self._trail.runs(self._limit, self._where):
                self.fits += 1
                reason = _unusable(run)
                if reason is None:
                    self.usable += 1
                    yield run
                else:
                    self.left_out[reason] += 1
        except AuditError as error:
            self.problem = str(error)

    def _place(self, run: RunSummary) -> bytes:
        return sha256(f"{self._seed}:{run.run_id}".encode()).digest()


def _unusable(run: RunSummary) -> Reason | None:
    if run.erased:
        return "erased"
    if run.redaction == "commitments":
        return "commitments"
    return "interrupted" if run.cause is Cause.INTERRUPTED else None
