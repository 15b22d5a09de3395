"""What a backtest counts: by principle, with some of the texts, in a memory that does not grow with the runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from guardrails.audit import Act, StoredRun, Wording
from guardrails.authoring._backtest_changes import Change, Kind, ruled
from guardrails.authoring._backtest_judgement import Judgement, Ruling
from guardrails.constitution import Constitution, text_in
from guardrails.outcome import ConstitutionRef

SHOWN = (Kind.NEWLY, Kind.NO_LONGER, Kind.NOT_COMPARABLE, Kind.UNDECIDED)
"""The kinds of changes that are shown with their texts."""

_MOST_REASONS = 20


@dataclass(frozen=True, slots=True)
class Instance:
    """One reply as an example of a change. `then` and `now` are what becomes of it.

    `prompt` is the user's last message. `masked` says that the trail does not have its texts as they were.
    `decisions` are people's, on the outcome of then, in order. `repeats` counts the replies that say the same, word
    for word, and are not shown for that.
    """

    run_id: str
    time: datetime
    then: Ruling
    now: Ruling
    prompt: str
    reply: str
    change: Change
    masked: bool = False
    decisions: tuple[Act, ...] = ()
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """One principle over all replies: how many were flagged `then` and are `now`, and what the difference is.

    `then` is `still`, `no_longer`, `not_comparable` and what is undecided now together, `now` is `still` and `newly`.
    `removed` says that the principle is not in the new constitution, and `absent` counts the replies that were judged
    without it. `instances` hold some of the replies, by kind.
    """

    principle: str
    title: str
    severity: str
    removed: bool
    absent: int
    then: int
    now: int
    newly: int
    no_longer: int
    still: int
    not_comparable: int
    undecided: int
    instances: Mapping[Kind, tuple[Instance, ...]]

    @property
    def differs(self) -> bool:
        """Whether there is anything besides what is flagged as it was."""
        return any(map(self.count, SHOWN))

    def count(self, kind: Kind) -> int:
        """How many replies changed so."""
        counts = {
            Kind.NEWLY: self.newly,
            Kind.NO_LONGER: self.no_longer,
            Kind.STILL: self.still,
            Kind.NOT_COMPARABLE: self.not_comparable,
            Kind.UNDECIDED: self.undecided,
        }
        return counts[kind]


@dataclass(frozen=True, slots=True)
class Judged:
    """A recorded reply with what was found of it, and what is different. `usage` is not counted here."""

    stored: StoredRun
    then: Judgement
    now: Judgement
    changes: tuple[Change, ...]
    masked: bool


@dataclass(slots=True)
class _Row:
    title: str
    severity: str
    removed: bool
    then: int = 0
    counts: Counter[Kind] = field(default_factory=Counter)
    instances: dict[Kind, dict[str, Instance]] = field(default_factory=dict)


class Tally:
    """Counts judged replies. `titles` are in `language`; of each principle and kind, so many `examples` are kept."""

    def __init__(self, constitution: Constitution, baseline: Constitution | None, examples: int, language: str) -> None:
        self._examples = examples
        self._language = language
        self._absent: Counter[str] = Counter()
        self._rows = {
            p.id: _Row(text_in(p.title, language), p.severity, removed=False) for p in constitution.principles
        }
        old = baseline.principles if baseline else ()
        self._old = {p.id: (text_in(p.title, language), str(p.severity)) for p in old}
        self.judged = 0
        self.masked = 0
        self.cut = 0
        self.newly = 0
        self.no_longer = 0
        self.rulings: Counter[tuple[Ruling, Ruling]] = Counter()
        self.wordings: Counter[ConstitutionRef] = Counter()
        self.failed = 0
        self.failures: Counter[str] = Counter()
        self.first: datetime | None = None
        self.last: datetime | None = None

    def add(self, judged: Judged) -> None:
        """Count one reply."""
        run, found = judged.stored.run, judged.changes
        kinds = {change.kind for change in found}
        now = ruled(judged.then, judged.now, found)
        self.judged += 1
        self.masked += judged.masked
        self.newly += Kind.NEWLY in kinds
        self.no_longer += Kind.NO_LONGER in kinds
        self.rulings[judged.then.ruling, now] += 1
        self.wordings[run.outcome.constitution] += 1
        self.first, self.last = min(self.first or run.time, run.time), max(self.last or run.time, run.time)
        self._absent.update(judged.now.principles - judged.then.principles)
        self._fail(judged.now)
        for change in found:
            row = self._row(change.principle, judged.stored.wording)
            row.counts[change.kind] += 1
            row.then += change.then
            if change.kind in SHOWN:
                self._keep(row.instances.setdefault(change.kind, {}), judged, change, now)

    def compared(self) -> tuple[Compared, ...]:
        """The principles, those with the most newly flagged replies first, then those with the most cleared ones."""
        rows = [_compared(name, row, self._absent[name]) for name, row in self._rows.items()]
        return tuple(sorted(rows, key=lambda row: (-row.newly, -row.no_longer, not row.differs)))

    def _row(self, name: str, wording: Wording | None) -> _Row:
        if name not in self._rows:
            told = (wording.said(name, "title", self._language), wording.severity(name)) if wording else ("", "")
            self._rows[name] = _Row(*self._old.get(name, told), removed=True)
        return self._rows[name]

    def _keep(self, kept: dict[str, Instance], judged: Judged, change: Change, now: Ruling) -> None:
        run = judged.stored.run
        reply = run.outcome.original
        if reply in kept:
            kept[reply] = replace(kept[reply], repeats=kept[reply].repeats + 1)
        elif len(kept) < self._examples:
            kept[reply] = Instance(
                run.outcome.run_id,
                run.time,
                judged.then.ruling,
                now,
                run.exchange.prompt,
                reply,
                change,
                judged.masked,
                judged.stored.decisions,
            )

    def _fail(self, now: Judgement) -> None:
        reasons = {verdict.reason for said in now.found.values() for verdict in said if verdict.failed}
        self.failed += bool(reasons)
        for reason in reasons:
            if reason in self.failures or len(self.failures) < _MOST_REASONS:
                self.failures[reason] += 1


def _compared(name: str, row: _Row, absent: int) -> Compared:
    counts = row.counts
    kept: Mapping[Kind, Sequence[Instance]] = {kind: tuple(row.instances.get(kind, {}).values()) for kind in SHOWN}
    return Compared(
        name,
        row.title,
        row.severity,
        row.removed,
        absent,
        row.then,
        counts[Kind.STILL] + counts[Kind.NEWLY],
        counts[Kind.NEWLY],
        counts[Kind.NO_LONGER],
        counts[Kind.STILL],
        counts[Kind.NOT_COMPARABLE],
        counts[Kind.UNDECIDED],
        {kind: tuple(instances) for kind, instances in kept.items()},
    )
