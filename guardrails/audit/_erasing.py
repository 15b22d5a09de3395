"""Erasing texts: one run's, when somebody may demand it, or old ones, when their time is up.

What is erased is text and salt. The bodies stay, and the chain over them; the erasure is a record of its own, in
the same transaction. The law behind it: GDPR article 17 (erasure) and 5(1)(e) (storage limitation).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardrails.audit._acts import check_texts, erasure, holds, ranges
from guardrails.audit._runs import has_label
from guardrails.audit._store import RefusedError, as_written
from guardrails.audit._texts import timestamp
from guardrails.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from guardrails.audit._store import Entry, Record, Store

LEGAL_HOLD = "legal_hold"
"""The label that holds a run whatever its value."""

_ERASED = frozenset({"outcome", "window", "decision"})  # acts that erase or hold are evidence themselves
_BATCH = 1000  # records whose texts go in one transaction


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many were erased, records by age or runs by what they are, and how many runs a legal hold kept from it."""

    erased: int
    held: int


class Eraser:
    """Erases texts of a store. `append` writes the record of it."""

    def __init__(self, store: Store, append: Callable[[Entry], int], *, by: str, reason: str) -> None:
        self._store = store
        self._append = append
        self._by = by
        self._reason = reason
        self._holds, self._known = holds(store)

    def runs(self, run_ids: Iterable[str]) -> int:
        """Erase runs, or none of them where one is held; returns how many had texts.

        Raises:
            AuditError: a run is under a legal hold or was altered, or something keeps the texts in the store's files.
        """
        found = {run_id: self._store.of_run(run_id) for run_id in run_ids}
        for run_id, records in found.items():
            self._refuse_held(run_id, records, "nothing was erased")
        count = 0
        for run_id, records in found.items():
            count += self._erase(run_id, records)
            self._refuse_held(run_id, self._store.of_run(run_id), "was not erased")  # somebody was quicker
        self._store.scrub()
        return count

    def all_but_held(self, run_ids: Iterable[str]) -> Pruned:
        """Erase runs, but those that are held."""
        erased = held = 0
        for run_id in run_ids:
            records = self._store.of_run(run_id)
            if self._hold(records):
                held += 1
            else:
                erased += self._erase(run_id, records)
        self._store.scrub()
        return Pruned(erased, held)

    def again(self, run_id: str) -> None:
        """Erase what was recorded of a run after it was erased. The files are cleaned with the next erasure."""
        self._erase(run_id, self._store.of_run(run_id))

    def before(self, end: datetime, records: Iterable[Record]) -> Pruned:
        """Erase what was recorded before a time, but what is held. `records` are all there are, in order."""
        held: set[str] = set()
        kept: set[str] = set()
        due: list[Record] = []
        erased, limit = 0, timestamp(end)
        for record in records:
            with as_written(record):
                body = json.loads(record.body)
                kind, time, run = body["kind"], body["time"], body.get("run")
            if kind not in _ERASED or not record.texts:
                continue
            # Clocks differ: what belongs to a run that is held stays, however old it says that it is.
            if run in held or self._held(record):
                held.add(run)
            if time >= limit:
                continue
            if run in held:
                kept.add(run)
                continue
            due.append(record)
            if len(due) == _BATCH:
                erased += self._write(None, due, limit)
                due = []
        erased += self._write(None, due, limit)
        self._store.scrub()
        return Pruned(erased, len(kept))

    def _refuse_held(self, run_id: str, records: Iterable[Record], so: str) -> None:
        if held := self._hold(records):
            raise AuditError(f"run {run_id} is under a legal hold ({held}), and {so}.")

    def _hold(self, records: Iterable[Record]) -> str:
        return next(filter(None, map(self._held, records)), "")

    def _erase(self, run_id: str, records: Iterable[Record]) -> bool:
        due = [record for record in records if record.texts and _kind(record) in _ERASED]
        return self._write(run_id, due) == len(due) > 0

    def _write(self, run: str | None, due: Sequence[Record], before: str | None = None) -> int:
        """Erase records, but those that somebody held since they were looked at; returns how many."""
        while due:
            made = erasure(
                run,
                ranges(record.seq for record in due),
                by=self._by,
                reason=self._reason,
                before=before,
                knows=self._known,
            )
            try:
                self._known = self._append(made)
            except RefusedError:
                known = self._known
                self._holds, self._known = holds(self._store)
                if self._known == known:
                    raise
                held = {_run(record) for record in due if self._held(record)}
                due = [record for record in due if _run(record) not in held]
            else:
                return len(due)
        return 0

    def _held(self, record: Record) -> str:
        """By what a record is held; empty where by nothing."""
        if not record.texts or _kind(record) not in _ERASED:
            return ""
        check_texts(record)  # a label that was taken away would let go of what is held
        body = json.loads(record.body)
        if LEGAL_HOLD in body.get("labels", ()):
            return f"its label {LEGAL_HOLD}"
        for act in self._holds:
            if has_label(body, record.texts, act.label or "", act.value):
                return f"record {act.seq}, by {act.by}: `guardrails audit hold --lift {act.seq}` ends it"
        return ""


def _kind(record: Record) -> str:
    with as_written(record):
        return str(json.loads(record.body)["kind"])


def _run(record: Record) -> str:
    with as_written(record):
        return str(json.loads(record.body)["run"])
