"""The judge protocol: decides principles for an exchange, and does no I/O itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from guardrails.constitution import Principle
from guardrails.exchange import Exchange
from guardrails.models import Step
from guardrails.verdict import Verdict


@runtime_checkable
class Judge(Protocol):
    """Decides, for principles, whether an exchange's reply complies.

    `name` stands in verdicts and in the audit trail. `judge` is a step: it yields the requests it needs
    done and returns its verdicts; where it gives several on a principle, the gravest counts. A covered
    principle without a verdict is undecided.
    """

    name: str

    def covers(self, principle: Principle) -> bool:
        """Whether this judge decides the principle whatever the reply says."""
        ...

    def judge(self, exchange: Exchange, principles: Sequence[Principle]) -> Step[list[Verdict]]:
        """Judge the exchange's reply by these principles."""
        ...
