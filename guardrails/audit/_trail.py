"""The audit trail as the rest of the library, and an auditor, use it."""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Self

from guardrails.audit import _acts
from guardrails.audit._acts import Act, Erased, said
from guardrails.audit._chain import Verification
from guardrails.audit._checkpoint import Checkpoint
from guardrails.audit._erasing import Eraser, Pruned
from guardrails.audit._group import Group
from guardrails.audit._record import Run, build
from guardrails.audit._runs import WAITING, RunSummary, Where, has_label, is_waiting, summary
from guardrails.audit._store import as_written, open_store, went_on
from guardrails.audit._stored import Reader, StoredRun
from guardrails.audit._verify import records_of, verify_store
from guardrails.audit._window import StreamWindow, build_window
from guardrails.audit._wording import Wording
from guardrails.errors import AuditError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from types import TracebackType

    from guardrails.audit._store import Filter, Record, Store

_NAMED = 3  # runs named where a prefix fits several
_PAGE = 100  # runs listed at a time


class AuditTrail:
    """A trail of records, in a store: written before a reply is released, then only read.

    Safe to use from any thread, and before and after a fork. The store is opened when it is first
    needed; only recording makes one that is not there. Every method raises `AuditError` where the
    trail cannot be used, and says what to do about it.

    >>> AuditTrail.open("/var/lib/bank/audit.db").url
    'sqlite:////var/lib/bank/audit.db'
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._group = Group(store.append)
        self._reader = Reader(store, self.wording)
        self._checked: set[str] = set()
        self._wordings: dict[str, Wording | None] = {}
        self._erased = Erased(())

    @classmethod
    def open(cls, url: str | os.PathLike[str]) -> Self:
        """The trail at `sqlite:///relative.db`, `sqlite:////absolute/path.db`, `postgresql://user@host/name` or a path.

        A path that ends in `.jsonl` or `.csv` is an export, which can be read like any other trail.

        Raises:
            ConfigurationError: a URL of another kind, or one without a file.
        """
        return cls(open_store(str(url)))

    @property
    def url(self) -> str:
        """Where the trail is, in the form that opens it from any folder, without a password."""
        return self._store.url

    def record(self, run: Run | StreamWindow, constitution: bytes | None = None) -> int:
        """Record a run or a stream's window, and return the number of its record.

        It is durable then, and readable by others. Callers in other threads share its transaction.
        `constitution` is the content that the outcome's constitution is the digest of; the trail keeps it once,
        so that the wording in force can be had from the trail alone.

        Raises:
            AuditError: it could not be recorded, and nothing of it was. Nothing may be released.
        """
        told = run if isinstance(run, StreamWindow) else run.outcome
        wording = told.constitution
        if constitution is not None and wording.digest not in self._checked:
            if sha256(constitution).hexdigest() != wording.digest:
                raise AuditError(
                    f"the content given for the constitution {wording.name!r} has another digest than the outcome"
                    f" of run {told.run_id} names. Give the content that it was judged under."
                )
            self._checked.add(wording.digest)
        entry = build_window(run, constitution) if isinstance(run, StreamWindow) else build(run, constitution)
        number = self._group.append(entry)
        if run.number > 1 if isinstance(run, StreamWindow) else run.streamed:
            self._erase_again(told.run_id)
        return number

    def runs(self, limit: int | None = None, where: Where | None = None) -> Iterator[RunSummary]:
        """The runs, newest first; all of them if there is no limit. They are read as they are asked for."""
        where, erased = where or Where(), Erased(()).since(self._store)
        found = (self._wanted(record, where, erased) for record in self._newest(where.filter()))
        return islice(filter(None, found), limit)

    def queue(self, limit: int | None = None) -> Iterator[RunSummary]:
        """The runs that wait for a person's decision, newest first: blocked, or with something undecided."""
        decided = {act.run for act in self.acts() if act.kind == "decision"}
        erased = Erased(()).since(self._store)
        found = (self._wanted(record, Where(), erased) for record in self._newest(WAITING))
        return islice((run for run in found if run and is_waiting(run) and run.run_id not in decided), limit)

    def run(self, run_id: str) -> StoredRun:
        """The run with this id, or whose id alone begins so, as it was recorded.

        Raises:
            AuditError: there is none, or there are several, or its record was altered.
        """
        return self._reader.read(*self._find(run_id))

    def acts(self) -> Iterator[Act]:
        """What people did, in order: decisions, erasures, legal holds."""
        return _acts.acts(self._store)

    def holds(self) -> tuple[Act, ...]:
        """The legal holds in force.

        Raises:
            AuditError: what a hold says was altered.
        """
        return _acts.holds(self._store)[0]

    def wording(self, digest: str) -> Wording | None:
        """The constitution with this digest, as it was in force; None where the trail was not given it."""
        if digest not in self._wordings:
            content = self._store.constitution(digest)
            self._wordings[digest] = None if content is None else Wording.read(content, digest)
        return self._wordings[digest]

    def records(self, after: int = 0) -> Iterator[Record]:
        """The records as they are stored, with their texts, in order: from the one after number `after` on."""
        return records_of(self._store, after)

    def verify(
        self,
        progress: Callable[[int], None] | None = None,
        checkpoints: Iterable[Checkpoint] = (),
        *,
        processes: int = 1,
    ) -> Verification:
        """Check that every record continues the one before it, and that every text is the one recorded.

        It stops at the first record that does not fit. `checkpoints` that were kept elsewhere anchor it.
        `progress` is called with the number of records checked so far. Memory does not grow with the trail, and
        others may write meanwhile. A long trail in SQLite can be checked by several `processes`: a script that does
        so needs the usual `if __name__ == "__main__":`.
        """
        return verify_store(self._store, tuple(checkpoints), progress, processes)

    def checkpoint(self, key: str | os.PathLike[str], progress: Callable[[int], None] | None = None) -> Checkpoint:
        """Verify the trail, and sign what its head is now with the Ed25519 key in a PEM file.

        Raises:
            AuditError: the trail is empty or does not verify, or there is no such key.
        """
        verified = self.verify(progress)
        if not verified:
            raise AuditError(f"what does not verify is not signed. {verified}.")
        if not verified.records:
            raise AuditError("the trail is empty: there is nothing to sign.")
        return Checkpoint.sign(verified.records, verified.head, Path(key))

    def decide(self, run_id: str, *, agrees: bool, by: str, note: str = "") -> int:
        """Record a person's decision about a run: whether they agree with its outcome. Returns the record's number.

        A later decision stands beside the earlier one, and counts instead.
        """
        run_id, _ = self._find(run_id)
        return self._group.append(_acts.decision(run_id, agrees=agrees, by=said("by", by), note=note))

    def hold(self, label: str, value: str = "", *, by: str, reason: str) -> int:
        """Keep the runs that have this label, now or later, from being erased; returns the hold's number.

        Without a value, the label alone holds. Runs with a label named `legal_hold` are held without any record.
        """
        return self._group.append(
            _acts.hold(said("label", label), value, by=said("by", by), reason=said("reason", reason))
        )

    def lift(self, hold: int, *, by: str, reason: str) -> int:
        """End the hold with this number.

        Raises:
            AuditError: there is no such hold in force.
        """
        if hold not in {act.seq for act in self.holds()}:
            raise AuditError(f"record {hold} is no legal hold in force.")
        return self._group.append(_acts.lift(hold, by=said("by", by), reason=said("reason", reason)))

    def erase(self, *run_ids: str, by: str, reason: str) -> int:
        """Remove the texts of runs, and their salts: what was said cannot be read or guessed any more.

        The bodies and the chain stay, and the erasure is a record itself. A run that was erased before gets no
        second record, but the store's files are cleaned again. Returns how many runs had texts to remove. `by` and
        `reason` stay: they are no place for the name of who wants to be forgotten.

        Raises:
            AuditError: a run is under a legal hold, and then none is erased; a run was altered; or something keeps
                the texts in the store's files.
        """
        return self._eraser(by, reason).runs([self._find(run_id)[0] for run_id in run_ids])

    def erase_where(self, where: Where, *, by: str, reason: str) -> Pruned:
        """As `erase`, for all runs that fit but those under a legal hold, which keep theirs.

        Raises:
            AuditError: a run was altered, its labels were masked so that another's may look the same, or something
                keeps the texts in the store's files.
        """
        found = [run for run in self.runs(where=where) if not run.erased]
        masked = next((run for run in found if run.redaction == "redacted" and where.is_masked()), None)
        if masked:
            raise AuditError(
                f"of run {masked.run_id} the label's value was masked, and another one may look the same. Erase by ids."
            )
        return self._eraser(by, reason).all_but_held([run.run_id for run in found])

    def prune(self, before: datetime, *, by: str, reason: str) -> Pruned:
        """Remove the texts of everything that was recorded before a time, but for runs under a legal hold.

        Raises:
            AuditError: something keeps the texts in the store's files.
            ValueError: the time has no time zone.
        """
        if before.tzinfo is None:
            raise ValueError("the time before which texts go needs a time zone, as in datetime.now(UTC)")
        return self._eraser(by, reason).before(before, self.records())

    def close(self) -> None:
        """Let go of the store. Using the trail again opens it again."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}.open({self.url!r})"

    def _erase_again(self, run_id: str) -> None:
        """Erase what came of a stream after it was erased: its reader may have read on."""
        self._erased = self._erased.since(self._store)
        for act in self._erased.acts:
            if act.run == run_id:
                self._eraser(act.by or "the guard", f"recorded after record {act.seq} erased the run").again(run_id)
                return

    def _eraser(self, by: str, reason: str) -> Eraser:
        return Eraser(self._store, self._group.append, by=said("by", by), reason=said("reason", reason))

    def _newest(self, only: Filter) -> Iterator[Record]:
        before = None
        while page := self._store.newest(before, _PAGE, only):
            yield from page
            before = -went_on(None if before is None else -before, -page[-1].seq)

    def _wanted(self, record: Record, where: Where, erased: Erased) -> RunSummary | None:
        is_erased = record.seq in erased
        if b'"kind":"window"' in record.body:  # of a stream that came to no outcome: what every window says
            with as_written(record):
                of_run = self._store.of_run(str(json.loads(record.body)["run"]))
            run = summary(*of_run or (record,), is_erased=is_erased)
        else:
            run = summary(record, is_erased=is_erased)
        if not where.fits(run):
            return None
        if where.severity:
            wording = self.wording(run.constitution.digest)
            if wording is None or where.severity not in map(wording.severity, run.at_fault):
                return None
        if any(value for _, value in where.labels):
            body, (stored, *_) = json.loads(record.body), self._store.page(record.seq, 1)
            if not all(has_label(body, stored.texts, name, value) for name, value in where.labels):
                return None
        return run

    def _find(self, prefix: str) -> tuple[str, int]:
        found = self._store.find(prefix, _NAMED + 1) if prefix else []
        if found and (len(found) == 1 or found[0][0] == prefix):
            return found[0]
        if not found:
            raise AuditError(
                f"no run of this trail has an id that begins with {prefix!r}. See `guardrails audit list`."
            )
        names = ", ".join(run for run, _ in found[:_NAMED]) + (", …" if len(found) > _NAMED else "")
        raise AuditError(f"several runs begin with {prefix!r}: {names}. Give more of the id.")
