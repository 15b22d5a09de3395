"""One run as a report tells it: its drafts with what was found in them, and what was released."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from guardrails._differences import Line, differences, numbered
from guardrails.outcome import Attempt, Cause, Outcome
from guardrails.verdict import Decision, Verdict

if TYPE_CHECKING:
    from guardrails.audit import StoredRun, Wording

Kind = Literal["reply", "calls", "window", "whole", "revision"]


@dataclass(frozen=True, slots=True)
class Principle:
    """A principle as it was worded for a run; title, severity and rule are empty where the trail was not given it."""

    name: str
    title: str
    severity: str
    rule: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a judge said of some principles alike. `said` is in the judge's words."""

    principles: tuple[Principle, ...]
    verdict: Verdict
    said: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft: what it is, its sentences beside those of the draft it revises, and what was found in it."""

    number: int
    kind: Kind
    attempt: Attempt
    lines: tuple[Line, ...]
    findings: tuple[Finding, ...]

    @property
    def cited(self) -> frozenset[int]:
        """The sentences that some finding is about."""
        return frozenset(number for finding in self.findings for number in finding.verdict.sentences)


@dataclass(frozen=True, slots=True)
class Story:
    """A run: its drafts, and the number of the draft that was released, None where none was.

    `unjudged` are the principles that no judge covered.
    """

    stored: StoredRun
    drafts: tuple[Draft, ...]
    released: int | None
    unjudged: tuple[Principle, ...]


def story(stored: StoredRun, language: str) -> Story:
    """A run, with its principles in a language."""
    outcome, wording = stored.run.outcome, stored.wording
    made = tuple(_draft(number, outcome, wording, language) for number in range(len(outcome.attempts)))
    unjudged = tuple(_principle(name, wording, language) for name in outcome.unjudged)
    return Story(stored, made, _released(outcome) if stored.has_texts else None, unjudged)


def _draft(number: int, outcome: Outcome, wording: Wording | None, language: str) -> Draft:
    attempt = outcome.attempts[number]
    if attempt.base is None:
        lines = numbered(attempt.draft, attempt.first)
    else:
        lines = differences(outcome.attempts[attempt.base].draft, attempt.draft, attempt.first)
    found = tuple(_findings(attempt.verdicts, wording, language))
    return Draft(number, _kind(number, attempt, outcome), attempt, tuple(lines), found)


def _kind(number: int, attempt: Attempt, outcome: Outcome) -> Kind:
    if attempt.base is not None:
        return "revision"
    if attempt.calls:
        return "calls"
    if number and attempt.first == 1:  # a stream's end, where the whole of it is judged once more
        return "whole"
    return "window" if attempt.first > 1 or len(attempt.draft) < len(outcome.original) else "reply"


def _findings(verdicts: Sequence[Verdict], wording: Wording | None, language: str) -> Iterator[Finding]:
    """What is wrong with a draft; what is said of several principles alike, once."""
    alike: dict[tuple[Any, ...], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.decision is not Decision.COMPLIES or verdict.critique:
            key = (verdict.decision, verdict.judge, verdict.critique, verdict.reason, verdict.sentences)
            alike.setdefault(key, []).append(verdict)
    for found in alike.values():
        verdict = found[0]
        said = filter(None, (verdict.critique, verdict.reason.removeprefix(f"{verdict.judge}: ")))
        yield Finding(tuple(_principle(one.principle, wording, language) for one in found), verdict, "\n".join(said))


def _principle(name: str, wording: Wording | None, language: str) -> Principle:
    if wording is None:
        return Principle(name, "", "", "")
    return Principle(
        name, wording.said(name, "title", language), wording.severity(name), wording.said(name, "rule", language)
    )


def _released(outcome: Outcome) -> int | None:
    """The last draft whose text is what was released."""
    if outcome.blocked or outcome.cause is Cause.INTERRUPTED:
        return None
    drafts = range(len(outcome.attempts) - 1, -1, -1)
    return next((number for number in drafts if outcome.attempts[number].draft == outcome.text), None)
