"""What is different between two judgements of one reply, principle by principle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from guardrails.authoring._backtest_judgement import Judgement, Ruling
from guardrails.verdict import Decision, Verdict

Mark: TypeAlias = Literal["", "new", "removed"]
"""Whether the principle was there then and is now, is new, or is there no more."""


class Kind(StrEnum):
    """What became of a principle for one reply. What neither judgement found broken is no change."""

    NEWLY = "newly_flagged"
    """It is broken now, and was not then."""
    NO_LONGER = "no_longer_flagged"
    """It was broken then; it was looked at now, and is not."""
    STILL = "still_flagged"
    NOT_COMPARABLE = "not_comparable"
    """It was broken then, and what found it was not asked now: silence decides nothing."""
    UNDECIDED = "undecided"
    """Now nobody could tell, or the check failed: neither flagged nor cleared."""


@dataclass(frozen=True, slots=True)
class Change:
    """One principle for one reply. `verdicts` are those that say why: of now, or of then where it was flagged then.

    `then` is whether it was broken then. `why` is said of what is not comparable: `unjudged`, or `masked`, because the
    trail does not have the text as it was. `reason` is why a finding of now does not count: its confidence.
    """

    principle: str
    kind: Kind
    verdicts: tuple[Verdict, ...]
    then: bool
    mark: Mark = ""
    why: Literal["", "unjudged", "masked"] = ""
    reason: str = ""


def changes(then: Judgement, now: Judgement, looked_at: AbstractSet[str], *, masked: bool = False) -> Iterator[Change]:
    """Compare. `looked_at` are the principles that some judge or check of now looks at.

    With `masked`, the text that was judged now is not the one that was judged then, and what is not found in it any
    more may have been masked.
    """
    for name in (*now.found, *(name for name in then.found if name not in now.found)):
        before, after = then.decision(name), now.decision(name)
        was = before is Decision.VIOLATES
        if after is Decision.VIOLATES:
            kind, mark = Kind.STILL if was else Kind.NEWLY, "" if name in then.principles else "new"
            yield Change(name, kind, now.said(name, after), was, mark)  # type: ignore[arg-type]
        elif after is Decision.UNDECIDED:
            yield Change(name, Kind.UNDECIDED, now.said(name, after), was)
        elif was:
            yield _gone(name, then, now, looked_at, masked=masked)


def ruled(then: Judgement, now: Judgement, found: Sequence[Change]) -> Ruling:
    """What becomes of the reply now; unknown, too, where it would go out, and what kept it back was not asked again."""
    if now.ruling != "release" or then.ruling in {"release", "unknown"}:
        return now.ruling
    silent = (name for name in then.found if name in now.principles and now.decision(name) is None)
    unasked = any(then.decision(name) is Decision.UNDECIDED for name in silent)
    is_open = then.is_open or unasked or any(change.kind is Kind.NOT_COMPARABLE for change in found)
    return "unknown" if is_open else now.ruling


def _gone(name: str, then: Judgement, now: Judgement, looked_at: AbstractSet[str], *, masked: bool) -> Change:
    """A principle that was flagged and is not: cleared, or not asked about."""
    said = then.said(name, Decision.VIOLATES)
    if name not in now.principles:
        return Change(name, Kind.NO_LONGER, said, then=True, mark="removed")
    is_judged = now.decision(name) is not None or (name in looked_at and then.by_rules(name))
    if not is_judged:
        return Change(name, Kind.NOT_COMPARABLE, said, then=True, why="unjudged")
    if masked:
        return Change(name, Kind.NOT_COMPARABLE, said, then=True, why="masked")
    reasons = (verdict.reason for verdict in now.found.get(name, ()))
    return Change(name, Kind.NO_LONGER, said, then=True, reason="; ".join(filter(None, reasons)))
