"""One run, read back from its records and checked against them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from guardrails.audit._acts import Act, Erased, act_of
from guardrails.audit._chain import GENESIS, Chain, MisfitError, digests
from guardrails.audit._record import Run, restore
from guardrails.audit._runs import check_version
from guardrails.audit._store import as_written
from guardrails.audit._window import restore_interrupted
from guardrails.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from guardrails.audit._record import Fields
    from guardrails.audit._store import Record, Store
    from guardrails.audit._wording import Wording


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as the trail has it, checked against its record.

    `run` is the run that was recorded, with every draft, edit, verdict and text, but for the reply in
    its native type. `seq` and `hash` are its record's. `wording` is what it was judged under, None where
    the trail was not given it. `decisions` are people's, in order. `erased` is the act that erased its texts, which
    are empty then, as they are where the trail was to keep none (`run.redaction`). `masked` are the paths of
    texts that are not as they were said, `original` say: credentials are never kept, personal data not always.
    """

    run: Run
    seq: int
    hash: str
    wording: Wording | None
    decisions: tuple[Act, ...] = ()
    erased: Act | None = None
    masked: tuple[str, ...] = ()

    @property
    def constitution(self) -> bytes | None:
        """The content of the wording, None where the trail was not given it."""
        return self.wording.content if self.wording else None

    @property
    def has_texts(self) -> bool:
        """Whether the trail still has, and was to keep, what was said."""
        return self.erased is None and self.run.redaction != "commitments"


class Reader:
    """Reads runs of one store; it keeps what many of them need."""

    def __init__(self, store: Store, wording: Callable[[str], Wording | None]) -> None:
        self._store = store
        self._wording = wording
        self._kept = digests(store.constitution)
        self._erased = Erased(())

    def read(self, run_id: str, seq: int) -> StoredRun:
        """The run whose record has the number `seq`.

        Raises:
            AuditError: a record of it was altered.
        """
        of_run = self._store.of_run(run_id)
        found = next((record for record in of_run if record.seq == seq), None)
        if found is None:
            raise AuditError(f"record {seq} (run {run_id}) cannot be read: the trail's index is damaged.")
        with as_written(found):
            return self._read(run_id, found, [record for record in of_run if record.seq > seq])

    def _read(self, run_id: str, first: Record, later: Sequence[Record]) -> StoredRun:
        fields = self._checked(first, run_id)
        windows = [(fields, first)]
        decisions = []
        for record in later:
            if b'"kind":"decision"' in record.body:
                self._checked(record, run_id)
                decisions.append(act_of(record))
            elif fields["kind"] == "window" and b'"kind":"window"' in record.body:
                windows.append((self._checked(record, run_id), record))
        if fields["kind"] == "window":
            run = restore_interrupted([(body, window.texts) for body, window in windows])
        else:
            run = restore(cast("Fields", fields), first.texts)
        last, wording = windows[-1][1], fields["constitution"]
        return StoredRun(
            run,
            last.seq,
            last.hash,
            self._wording(wording["digest"]) if wording["stored"] else None,
            tuple(decisions),
            None if first.texts or not fields["texts"] else self._erased.by(first.seq),
            tuple(dict.fromkeys(path for body, _ in windows for path in body.get("masked", ()))),
        )

    def _hash(self, seq: int, of: int) -> str:
        page = self._store.page(seq, 1)
        if not page or page[0].seq != seq:
            raise AuditError(f"record {of} cannot be trusted: the one before it is missing.")
        return page[0].hash

    def _checked(self, record: Record, run_id: str) -> dict[str, Any]:
        """The body of a record, once it was seen to follow the one before it."""
        seq = record.seq
        before = GENESIS if seq == 1 else self._hash(seq - 1, seq)
        self._erased = self._erased.since(self._store)
        try:
            fields = Chain(self._kept, self._erased, seq - 1, before).explain(record)
        except MisfitError as misfit:
            raise AuditError(
                f"record {seq} (run {run_id}) cannot be trusted: {misfit}."
                " `guardrails audit verify` checks the whole trail."
            ) from misfit
        check_version(seq, fields)
        return fields
