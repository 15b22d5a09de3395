"""Records of what people did about a trail: a decision on a run, an erasure, a legal hold.

`by`, `note`, `reason` and a held label's value are what the caller says, free texts like any other: the
trail proves that it was said then, and not that it is true.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from guardrails.audit._store import Entry, as_written, went_on
from guardrails.audit._texts import SCHEMA, Texts, timestamp
from guardrails.audit._vouch import text_problem
from guardrails.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from guardrails.audit._store import Ranges, Record, Store

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did. `kind` is `decision`, `erase`, `hold` or `lift`.

    `run` is the run it is about, None where it is about many. `by` is who did it and `reason` why, or the
    note to a decision: both as the caller said. `agrees` is a decision's; `erases` are an erasure's
    records, `before` the date that it went by; `label` and `value` are a hold's, and `hold` is the number of the
    hold that was lifted. `seq` is the act's own number.

    >>> Act(9, "decision", datetime(2026, 11, 23, tzinfo=UTC), by="M. Sato", run="0198…", agrees=False).agrees
    False
    """

    seq: int
    kind: str
    time: datetime
    by: str = ""
    reason: str = ""
    run: str | None = None
    agrees: bool | None = None
    erases: Ranges = ()
    before: str | None = None
    label: str | None = None
    value: str = ""
    hold: int | None = None


def decision(run: str, *, agrees: bool, by: str, note: str) -> Entry:
    """The record of a person's decision about a run."""
    return _entry("decision", {"run": run, "agrees": agrees}, by=by, reason=note)


def erasure(
    run: str | None, erases: Ranges, *, by: str, reason: str, before: str | None = None, knows: int | None = None
) -> Entry:
    """The record that erases the texts of others, unless somebody acted after the act number `knows`."""
    pairs = [list(pair) for pair in erases]
    made = _entry("erase", {"run": run, "erases": pairs, "before": before}, by=by, reason=reason)
    return replace(made, erases=erases, knows=knows)


def hold(label: str, value: str, *, by: str, reason: str) -> Entry:
    """The record that keeps the texts of the runs with this label from being erased."""
    return _entry("hold", {"label": label}, by=by, reason=reason, value=value)


def lift(number: int, *, by: str, reason: str) -> Entry:
    """The record that ends a hold."""
    return _entry("lift", {"hold": number}, by=by, reason=reason)


def _entry(kind: str, fields: dict[str, Any], **said: str) -> Entry:
    texts = Texts()
    for path, text in said.items():
        texts.add(path, text)
    common = {"schema": SCHEMA, "kind": kind, "time": timestamp(datetime.now(UTC))}
    return Entry({**common, **fields, **texts.fields}, texts.kept)


def act_of(record: Record) -> Act:
    """What a record says that somebody did.

    Raises:
        AuditError: its body is not as this library wrote it.
    """
    with as_written(record):
        return _act_of(record)


def _act_of(record: Record) -> Act:
    body = json.loads(record.body)
    found = {text.path: (text.text or b"").decode("utf-8", "surrogatepass") for text in record.texts}
    found |= {path: found.get(first, "") for path, first in body["same"].items()}
    return Act(
        record.seq,
        body["kind"],
        datetime.fromisoformat(body["time"]),
        found.get("by", ""),
        found.get("reason", ""),
        body.get("run"),
        body.get("agrees"),
        tuple((int(first), int(last)) for first, last in body.get("erases", ())),
        body.get("before"),
        body.get("label"),
        found.get("value", ""),
        body.get("hold"),
    )


def acts(store: Store) -> Iterator[Act]:
    """Everything that people did, in order.

    Raises:
        AuditError: a record of it is not as this library wrote it.
    """
    return map(act_of, _records(store))


def holds(store: Store) -> tuple[tuple[Act, ...], int]:
    """The holds in force, and the number of the last act of all.

    Raises:
        AuditError: what a hold or the end of one says was altered.
    """
    found, last = [], 0
    for record in _records(store):
        act, last = act_of(record), record.seq
        if act.kind in {"hold", "lift"}:
            check_texts(record)
            found.append(act)
    lifted = {act.hold for act in found if act.kind == "lift"}
    return tuple(act for act in found if act.kind == "hold" and act.seq not in lifted), last


def check_texts(record: Record) -> None:
    """Refuse a record whose texts are not those that its body vouches for.

    Raises:
        AuditError: they are not.
    """
    with as_written(record):
        problem = text_problem(json.loads(record.body), record.texts)
    if problem:
        raise AuditError(
            f"record {record.seq} cannot be trusted: {problem}. `guardrails audit verify` checks the whole trail."
        )


def _erasures(records: Iterable[Record]) -> Iterator[Act]:
    """The erasures that can be read. A record that cannot be read erases nothing, and no verification passes it."""
    for record in records:
        with suppress(AuditError):
            act = act_of(record)
            if act.kind == "erase":
                yield act


def _records(store: Store, after: int = 0) -> Iterator[Record]:
    while page := store.acts(after, _PAGE):
        yield from page
        after = went_on(after, page[-1].seq)


class Erased:
    """The records whose texts were erased by these acts.

    >>> erased = Erased([Act(9, "erase", datetime(2026, 11, 23, tzinfo=UTC), erases=((2, 4), (7, 7)))])
    >>> [seq for seq in range(1, 10) if seq in erased]
    [2, 3, 4, 7]
    """

    def __init__(self, done: Iterable[Act], seen: int = 0) -> None:
        self.acts = tuple(done)
        self._seen = seen
        # An act erases what was there before it; whatever else it says is no excuse for a missing text.
        pairs = sorted(pair for act in self.acts for pair in act.erases if pair[1] < act.seq)
        self._first: list[int] = []
        self._last: list[int] = []
        for first, last in pairs:
            if self._last and first <= self._last[-1] + 1:
                self._last[-1] = max(self._last[-1], last)
            else:
                self._first.append(first)
                self._last.append(last)

    def __contains__(self, seq: object) -> bool:
        if not isinstance(seq, int):
            return False
        at = bisect_right(self._first, seq) - 1
        return at >= 0 and seq <= self._last[at]

    def by(self, seq: int) -> Act | None:
        """The act that erased a record's texts."""
        return next((act for act in self.acts if any(first <= seq <= last for first, last in act.erases)), None)

    def since(self, store: Store) -> Erased:
        """These, and what was erased since."""
        later = tuple(_records(store, self._seen))
        return Erased(self.acts + tuple(_erasures(later)), later[-1].seq) if later else self


def ranges(numbers: Iterable[int]) -> Ranges:
    """Numbers in order, as pairs of the first and the last of each run of them.

    >>> ranges([2, 3, 4, 7])
    ((2, 4), (7, 7))
    """
    pairs: list[tuple[int, int]] = []
    for number in numbers:
        if pairs and number == pairs[-1][1] + 1:
            pairs[-1] = (pairs[-1][0], number)
        else:
            pairs.append((number, number))
    return tuple(pairs)


def said(name: str, text: str) -> str:
    """What a person has to say for the record.

    Raises:
        AuditError: nothing was said.
    """
    if not text.strip():
        raise AuditError(f"{name} is empty: the trail keeps who did this, and why.")
    return text
