"""The reviser protocol: mends a draft by edits, and does no I/O itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from guardrails.constitution import CheckSet, Constitution
from guardrails.exchange import Exchange
from guardrails.models import Step
from guardrails.sentences import Edit
from guardrails.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Revision:
    """Edits to a draft, and a text to append; nothing of either where there is no way to mend it.

    `problem` says why an empty revision is empty; `failed` that a request broke.
    """

    edits: tuple[Edit, ...] = ()
    append: str | None = None
    reviser: str = ""
    problem: str = ""
    failed: bool = False

    def __bool__(self) -> bool:
        return bool(self.edits or self.append)


@dataclass(frozen=True, slots=True)
class Task:
    """What a reviser is asked: the draft (`exchange.reply`), what is wrong with it, and what was tried.

    `edits` maps sentence numbers to what an earlier reviser of the same round made of them; `append` is
    what it adds. `feedback` says what was wrong with the last revision of this draft.
    """

    exchange: Exchange
    constitution: Constitution
    violations: tuple[Verdict, ...]
    edits: Mapping[int, str] = field(default_factory=dict)
    append: str | None = None
    feedback: str = ""
    first: int = 1
    checks: CheckSet | None = None


@runtime_checkable
class Reviser(Protocol):
    """Turns a draft and its critiques into edits.

    `name` stands in the audit trail. Edits may name only sentences that a violation cites, or any where
    a violation cites none.
    """

    name: str

    def revise(self, task: Task) -> Step[Revision]:
        """Make a revision."""
        ...


def editable(task: Task) -> frozenset[int]:
    """The numbers of the sentences that may be edited."""
    if any(not verdict.sentences for verdict in task.violations):
        return frozenset(range(task.first, len(task.exchange.sentences) + 1))
    return frozenset(number for verdict in task.violations for number in verdict.sentences if number >= task.first)
