"""The audit trail as the rest of the library, and an auditor, use it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Self, cast

from guardrails.audit._chain import GENESIS, MisfitError, Verification, check, digests, verify
from guardrails.audit._record import SCHEMA, Fields, Run, build, reference, restore
from guardrails.audit._store import open_store
from guardrails.audit._window import StreamWindow, build_window, restore_interrupted
from guardrails.errors import AuditError
from guardrails.outcome import Cause, ConstitutionRef, Status

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from guardrails.audit._store import Record, Store

# What a run is of which there is no outcome, only windows.
_INTERRUPTED = {
    "status": Status.BLOCKED.value,
    "cause": Cause.INTERRUPTED.value,
    "enforced": True,
    "verdicts": None,
    "unjudged": [],
    "flags": [],
    "elapsed_ms": 0.0,
}
_NAMED = 3  # runs named where a prefix fits several
_PAGE = 100  # records read at a time: few enough that a writer in the same process need not wait


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run in a list: what its record's body says, without any text.

    `at_fault` are the principles that some draft was found to break or that could not be decided, `labels` the
    names of the labels, `revisions` how many drafts were made by a reviser. `elapsed` is in seconds.
    The rest is as in `Outcome`.
    """

    run_id: str
    seq: int
    time: datetime
    status: Status
    cause: Cause | None
    constitution: ConstitutionRef
    enforced: bool
    at_fault: tuple[str, ...]
    unjudged: tuple[str, ...]
    flags: tuple[str, ...]
    labels: tuple[str, ...]
    revisions: int
    elapsed: float


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as the trail has it, checked against its record.

    `run` is the run that was recorded, with every draft, edit, verdict and text, but for the reply in
    its native type. `seq` and `hash` are its record's. `constitution` is the content of the wording
    it was judged under, None where the trail was not given it.
    """

    run: Run
    seq: int
    hash: str
    constitution: bytes | None


class AuditTrail:
    """A trail of records, in a store: written before a reply is released, then only read.

    Safe to use from any thread, and before and after a fork. The file is opened when it is first
    needed; only recording makes one that is not there. Every method raises `AuditError` where the
    trail cannot be used, and says what to do about it.

    >>> AuditTrail.open("/var/lib/bank/audit.db").url
    'sqlite:////var/lib/bank/audit.db'
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._checked: set[str] = set()

    @classmethod
    def open(cls, url: str | os.PathLike[str]) -> Self:
        """The trail at `sqlite:///relative.db`, `sqlite:////absolute/path.db` or a plain path.

        Raises:
            ConfigurationError: a URL of another kind, or one without a file.
        """
        return cls(open_store(str(url)))

    @property
    def url(self) -> str:
        """Where the trail is, in the form that opens it from any folder."""
        return self._store.url

    def record(self, run: Run | StreamWindow, constitution: bytes | None = None) -> int:
        """Record a run or a stream's window, and return the number of its record.

        It is durable then, and readable by others. `constitution` is the content that the outcome's
        constitution is the digest of; the trail keeps it once, so that the wording in force can be had from
        the trail alone.

        Raises:
            AuditError: it could not be recorded, and nothing of it was. Nothing may be released.
        """
        wording, run_id = (
            (run.constitution, run.run_id)
            if isinstance(run, StreamWindow)
            else (run.outcome.constitution, run.outcome.run_id)
        )
        if constitution is not None and wording.digest not in self._checked:
            if sha256(constitution).hexdigest() != wording.digest:
                raise AuditError(
                    f"the content given for the constitution {wording.name!r} has another digest than the outcome"
                    f" of run {run_id} names. Give the content that it was judged under."
                )
            self._checked.add(wording.digest)
        made = build_window(run, constitution) if isinstance(run, StreamWindow) else build(run, constitution)
        return self._store.append(made)

    def runs(self, limit: int | None = None) -> Iterator[RunSummary]:
        """The runs, newest first; all of them if there is no limit. They are read as they are asked for."""
        left, before = limit, None
        while left is None or left > 0:
            page = self._store.newest(before, _PAGE if left is None else min(left, _PAGE))
            if not page:
                return
            for record in page:
                yield _listed(record)
            before = page[-1].seq
            left = None if left is None else left - len(page)

    def run(self, run_id: str) -> StoredRun:
        """The run with this id, or whose id alone begins so, as it was recorded.

        Raises:
            AuditError: there is none, or there are several, or its record was altered.
        """
        run_id, seq = self._find(run_id)
        record, fields = self._checked_record(run_id, seq)
        kept = fields["constitution"]
        content = self._store.constitution(kept["digest"]) if kept["stored"] else None
        if fields["kind"] == "window":
            found = [self._checked_record(run_id, record.seq) for record in self._store.of_run(run_id)]
            run = restore_interrupted([(body, window.texts) for window, body in found])
            return StoredRun(run, found[-1][0].seq, found[-1][0].hash, content)
        return StoredRun(restore(fields, record.texts), seq, record.hash, content)

    def _checked_record(self, run_id: str, seq: int) -> tuple[Record, Fields]:
        before = GENESIS if seq == 1 else self._store.page(seq - 1, 1)[0].hash
        record = self._store.page(seq, 1)[0]
        try:
            fields = cast("Fields", check(record, before, seq, digests(self._store.constitution)))
        except MisfitError as misfit:
            raise AuditError(
                f"record {seq} (run {run_id}) cannot be trusted: {misfit}."
                " `guardrails audit verify` checks the whole trail."
            ) from misfit
        _check_version(seq, fields)
        return record, fields

    def verify(self, progress: Callable[[int], None] | None = None) -> Verification:
        """Check that every record continues the one before it, and that every text is the one recorded.

        It stops at the first record that does not fit. `progress` is called with the number of records
        checked so far. Memory does not grow with the trail, and others may write meanwhile.
        """
        return verify(self._records(), self._store.constitution, progress)

    def close(self) -> None:
        """Let go of the file. Using the trail again opens it again."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}.open({self.url!r})"

    def _records(self) -> Iterator[Record]:
        first = None
        while page := self._store.page(first, _PAGE):
            yield from page
            first = page[-1].seq + 1

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


def _check_version(seq: int, fields: Fields) -> None:
    if fields["schema"] > SCHEMA:
        raise AuditError(f"record {seq} was written by a later version. Upgrade constitutional-guardrails.")


def _listed(record: Record) -> RunSummary:
    try:
        fields = cast("Fields", json.loads(record.body))
        _check_version(record.seq, fields)
        return _summary(record.seq, fields)
    # Lists do not check the chain, so anything may stand in a body that somebody altered.
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise AuditError(
            f"record {record.seq} is not as this library wrote it. `guardrails audit verify` says more."
        ) from error


def _summary(seq: int, fields: Fields) -> RunSummary:
    if fields["kind"] == "window":
        fields = cast("Fields", {**_INTERRUPTED, **fields})
    attempts = fields["attempts"]
    every = [verdict for attempt in attempts for verdict in attempt["verdicts"]] + (fields["verdicts"] or [])
    at_fault = dict.fromkeys(verdict["principle"] for verdict in every if verdict["decision"] != "complies")
    return RunSummary(
        run_id=fields["run"],
        seq=seq,
        time=datetime.fromisoformat(fields["time"]),
        status=Status(fields["status"]),
        cause=Cause(fields["cause"]) if fields["cause"] else None,
        constitution=reference(fields),
        enforced=fields["enforced"],
        at_fault=tuple(at_fault),
        unjudged=tuple(fields["unjudged"]),
        flags=tuple(fields["flags"]),
        labels=tuple(fields["labels"]),
        revisions=sum(1 for attempt in attempts if attempt["reviser"]),
        elapsed=round(fields["elapsed_ms"] / 1000, 6),
    )
