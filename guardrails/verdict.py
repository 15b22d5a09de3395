"""A judge's decision on one principle, for one draft."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Decision(StrEnum):
    """What a judge can decide. A check that failed is `UNDECIDED`, never a pass or a violation."""

    COMPLIES = "complies"
    VIOLATES = "violates"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judge's decision on one principle for one draft.

    `sentences` are the numbers (from 1) of the sentences at fault, empty where the reply as a whole
    is. `confidence` runs from 0 to 100, None where the judge gives none. `critique` says what is
    wrong, for the reviser and the auditor; `reason` says why a verdict is undecided, or why a
    finding does not count. `failed` marks an undecided verdict whose check broke (a time-out, a
    dead endpoint), as opposed to a judge that could not tell.

    >>> Verdict("fin-no-guaranteed-returns", Decision.VIOLATES, "rules", sentences=(1,)).sentences
    (1,)
    """

    principle: str
    decision: Decision
    judge: str
    critique: str = ""
    sentences: tuple[int, ...] = ()
    confidence: int | None = None
    reason: str = ""
    failed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "decision", Decision(self.decision))
        object.__setattr__(self, "sentences", tuple(self.sentences))
        for text in (self.principle, self.judge, self.critique, self.reason):
            if not isinstance(text, str):
                raise TypeError(f"a verdict's texts are str, not {type(text).__name__}")
        if self.failed and self.decision is not Decision.UNDECIDED:
            raise ValueError(f"a failed check is undecided, not {self.decision.value!r} ({self.principle})")
        if self.confidence is not None and not 0 <= self.confidence <= 100:  # noqa: PLR2004 - per cent
            raise ValueError(f"confidence runs from 0 to 100, not {self.confidence} ({self.principle})")

    @property
    def violates(self) -> bool:
        """Whether the judge found the principle broken."""
        return self.decision is Decision.VIOLATES


def alike(verdicts: Iterable[Verdict]) -> list[list[Verdict]]:
    """The verdicts that find something, those that say the same of several principles together.

    >>> said = {"decision": Decision.UNDECIDED, "judge": "model", "reason": "no answer"}
    >>> [[one.principle for one in group] for group in alike([Verdict("fees", **said), Verdict("tone", **said)])]
    [['fees', 'tone']]
    """
    found: dict[tuple[object, ...], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.decision is not Decision.COMPLIES or verdict.critique:
            key = (verdict.decision, verdict.judge, verdict.critique, verdict.reason, verdict.sentences)
            found.setdefault(key, []).append(verdict)
    return list(found.values())
