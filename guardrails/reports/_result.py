"""What came of a run's reply, with monitor mode told apart from enforcement."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from guardrails.outcome import Status

if TYPE_CHECKING:
    from guardrails.audit import RunSummary
    from guardrails.outcome import Outcome


class Result(StrEnum):
    """As `Status`, where it was enforced; in monitor mode, where the original was released, what would have been."""

    PASSED = "passed"
    REVISED = "revised"
    BLOCKED = "blocked"
    WOULD_REVISE = "would_revise"
    WOULD_BLOCK = "would_block"


ENFORCED = (Result.PASSED, Result.REVISED, Result.BLOCKED)
MONITORED = (Result.WOULD_REVISE, Result.WOULD_BLOCK)

_MONITORED = {Status.REVISED: Result.WOULD_REVISE, Status.BLOCKED: Result.WOULD_BLOCK}


def result_of(run: RunSummary | Outcome) -> Result:
    """What came of a run. One that passed was released as it was, whatever the mode."""
    return Result(run.status.value) if run.enforced else _MONITORED.get(run.status, Result.PASSED)
