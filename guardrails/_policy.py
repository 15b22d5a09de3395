"""The policy: what becomes of a draft, given its verdicts. One function; docs/policy.md is made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from guardrails.constitution import Constitution, Principle
from guardrails.outcome import Cause
from guardrails.verdict import Decision, Verdict

OnError = Literal["block", "unsafe_allow"]


@dataclass(frozen=True, slots=True)
class Release:
    """The draft may go out."""

    unsafe: tuple[str, ...] = ()
    """The opened defaults without which it could not."""


@dataclass(frozen=True, slots=True)
class Revise:
    """These violations have to be mended first."""

    violations: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """The draft may not go out, and no revision is tried."""

    cause: Cause


Ruling: TypeAlias = Release | Revise | Block


def decide(
    constitution: Constitution,
    verdicts: Sequence[Verdict],
    on_error: OnError = "block",
    *,
    allow_unjudged: bool = False,
) -> Ruling:
    """Rule on a draft.

    1. No verdict at all blocks, unless the guard says `allow_unjudged=True` and there are checks that looked
       at the draft and found nothing: then every principle stands as unjudged.
    2. A violation of a `block` principle blocks.
    3. Violations of `revise` principles are revised; the loop knows for how long.
    4. Violations of `flag` principles stop nothing.
    5. Undecided, without a violation left to revise, blocks, unless the principle says
       `on_undecided: allow`, or a check failed and the guard says `on_error="unsafe_allow"`.
    """
    if not verdicts:
        looked_at = allow_unjudged and any(principle.checks for principle in constitution.principles)
        return Release() if looked_at else Block(Cause.UNDECIDED)
    violations = [v for v in verdicts if v.violates]
    if any(_on_violation(constitution, v) == "block" for v in violations):
        return Block(Cause.VIOLATION)
    to_revise = tuple(v for v in violations if _on_violation(constitution, v) == "revise")
    if to_revise:
        return Revise(to_revise)
    broken = {v.principle for v in violations}
    open_questions = [
        v
        for v in verdicts
        if v.decision is Decision.UNDECIDED and v.principle not in broken and not _may_stay_open(constitution, v)
    ]
    if any(not v.failed for v in open_questions):
        return Block(Cause.UNDECIDED)
    if open_questions and on_error == "block":
        return Block(Cause.ERROR)
    return Release(("on_error",) if open_questions else ())


def settled(constitution: Constitution, verdict: Verdict) -> Verdict:
    """A finding with less confidence than its principle's threshold counts as complying, and says so."""
    principle = constitution.by_id.get(verdict.principle)
    if not verdict.violates or verdict.confidence is None or principle is None:
        return verdict
    if verdict.confidence >= principle.threshold:
        return verdict
    reason = f"confidence {verdict.confidence} is below the threshold of {principle.threshold}"
    return replace(verdict, decision=Decision.COMPLIES, reason=reason)


def flagged(constitution: Constitution, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """The principles whose violations are only flagged."""
    ids = (v.principle for v in verdicts if v.violates and _on_violation(constitution, v) == "flag")
    return tuple(dict.fromkeys(ids))


def _on_violation(constitution: Constitution, verdict: Verdict) -> str:
    principle: Principle | None = constitution.by_id.get(verdict.principle)
    return principle.on_violation if principle else "revise"  # revision-fidelity is no principle of a constitution


def _may_stay_open(constitution: Constitution, verdict: Verdict) -> bool:
    principle = constitution.by_id.get(verdict.principle)
    return principle is not None and principle.on_undecided == "allow"
