"""One run as a report tells it: its drafts with what was found in them, and what was released."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from guardrails._differences import Line, differences, numbered
from guardrails.outcome import Attempt, Cause, Outcome
from guardrails.reports._result import Result, result_of
from guardrails.verdict import Verdict, alike

if TYPE_CHECKING:
    from guardrails.audit import StoredRun, Wording

Kind = Literal["reply", "calls", "window", "whole", "revision"]

_OURS = {"rules", "fidelity"}  # judges whose critiques are phrases of the library


@dataclass(frozen=True, slots=True)
class Principle:
    """A principle as it was worded for a run; title, severity and rule are empty where the trail was not given it."""

    name: str
    title: str
    severity: str
    rule: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a judge said of some principles alike. `critique` are its words, and `reason` the library's.

    `is_ours` says that the critique is the library's, too: a rule's.
    """

    principles: tuple[Principle, ...]
    verdict: Verdict
    reason: str
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft: what it is, its sentences beside those of the draft it revises, and what was found in it.

    `masked` says that the trail does not have it as it was.
    """

    number: int
    kind: Kind
    attempt: Attempt
    lines: tuple[Line, ...]
    findings: tuple[Finding, ...]
    masked: bool

    @property
    def cited(self) -> frozenset[int]:
        """The sentences that some finding is about; none where masking may have moved them."""
        if self.masked:
            return frozenset()
        return frozenset(number for finding in self.findings for number in finding.verdict.sentences)


@dataclass(frozen=True, slots=True)
class Story:
    """A run: its drafts, and the number of the draft that was released, None where none was.

    `unjudged` are the principles that no judge covered. `masked` are the kinds of texts that the trail does not have
    as they were, and `masked_release` says that what was released is one of them.
    """

    stored: StoredRun
    result: Result
    drafts: tuple[Draft, ...]
    released: int | None
    unjudged: tuple[Principle, ...]
    masked: tuple[str, ...]
    masked_release: bool


def story(stored: StoredRun, language: str) -> Story:
    """A run, with its principles in a language."""
    outcome, wording = stored.run.outcome, stored.wording
    made = tuple(_draft(number, stored, language) for number in range(len(outcome.attempts)))
    unjudged = tuple(_principle(name, wording, language) for name in outcome.unjudged)
    released = _released(outcome) if stored.has_texts else None
    return Story(
        stored,
        result_of(outcome),
        made,
        released,
        unjudged,
        tuple(dict.fromkeys(map(_kind_of_text, stored.masked))),
        _is_release_masked(stored, made, released),
    )


def _is_release_masked(stored: StoredRun, made: Sequence[Draft], released: int | None) -> bool:
    if not stored.run.outcome.enforced:
        return _repeats_masked(stored.run.outcome.original, stored)
    return "text" in stored.masked or (released is not None and made[released].masked)


def _kind_of_text(path: str) -> str:
    """What a text is, by its path in a record: verdicts stand below their draft."""
    kind, _, _ = path.partition("/")
    return "verdicts" if "/verdicts/" in path or "/problem" in path else kind


def _is_masked(number: int, stored: StoredRun) -> bool:
    """Whether a draft is not as it was. One that repeats a text has no path of its own in the list."""
    if f"drafts/{number}" in stored.masked:
        return True
    attempt = stored.run.outcome.attempts[number]
    return attempt.base is None and _repeats_masked(attempt.draft, stored)


def _repeats_masked(text: str, stored: StoredRun) -> bool:
    """Whether a text that nobody edited is one that a record has masked in the place where it comes first."""
    exchange = stored.run.exchange
    earlier = {f"messages/{n}": message.content for n, message in enumerate(exchange.messages)}
    earlier |= {f"context/{n}": source for n, source in enumerate(exchange.context)}
    earlier["original"] = stored.run.outcome.original
    return any(earlier.get(path) == text for path in stored.masked)


def _draft(number: int, stored: StoredRun, language: str) -> Draft:
    outcome, wording = stored.run.outcome, stored.wording
    attempt = outcome.attempts[number]
    if attempt.base is None:
        lines = numbered(attempt.draft, attempt.first)
    else:
        lines = differences(outcome.attempts[attempt.base].draft, attempt.draft, attempt.first)
    found = tuple(_findings(attempt.verdicts, wording, language))
    return Draft(number, _kind(number, attempt, outcome), attempt, tuple(lines), found, _is_masked(number, stored))


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
    for found in alike(verdicts):
        verdict = found[0]
        principles = tuple(_principle(one.principle, wording, language) for one in found)
        yield Finding(principles, verdict, verdict.reason.removeprefix(f"{verdict.judge}: "), verdict.judge in _OURS)


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
