"""One run, read back from its records and checked against them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from guardrails.audit._acts import Act, Erased, act_of, erasures
from guardrails.audit._chain import GENESIS, Chain, MisfitError, digests
from guardrails.audit._record import Run, restore
from guardrails.audit._runs import check_version
from guardrails.audit._window import restore_interrupted
from guardrails.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.audit._record import Fields
    from guardrails.audit._store import Record, Store
    from guardrails.audit._wording import Wording


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as the trail has it, checked against its record.

    `run` is the run that was recorded, with every draft, edit, verdict and text, but for the reply in
    its native type. `seq` and `hash` are its record's. `wording` is what it was judged under, None where
    the trail was not given it. `decisions` are people's, in order. `erased` is the act that erased its texts, which
    are empty then, as they are where the trail was to keep none (`run.redaction`).
    """

    run: Run
    seq: int
    hash: str
    wording: Wording | None
    decisions: tuple[Act, ...] = ()
    erased: Act | None = None

    @property
    def constitution(self) -> bytes | None:
        """The content of the wording, None where the trail was not given it."""
        return self.wording.content if self.wording else None

    @property
    def has_texts(self) -> bool:
        """Whether the trail still has, and was to keep, what was said."""
        return self.erased is None and self.run.redaction != "commitments"


def read(store: Store, run_id: str, seq: int, wording: Callable[[str], Wording | None]) -> StoredRun:
    """The run whose record has the number `seq`.

    Raises:
        AuditError: a record of it was altered.
    """
    of_run = store.of_run(run_id)
    windows = [record for record in of_run if record.seq == seq]
    fields = _checked(store, windows[0], run_id)
    decisions, kept = [], fields["constitution"]
    for record in of_run:
        if b'"kind":"decision"' in record.body:
            _checked(store, record, run_id)
            decisions.append(act_of(record))
        elif fields["kind"] == "window" and record.seq > seq and b'"kind":"window"' in record.body:
            windows.append(record)
    if fields["kind"] == "window":
        run = restore_interrupted([(_checked(store, window, run_id), window.texts) for window in windows])
    else:
        run = restore(cast("Fields", fields), windows[0].texts)
    erased = None if windows[0].texts or not fields["texts"] else _erasure(store, seq)
    content = wording(kept["digest"]) if kept["stored"] else None
    return StoredRun(run, windows[-1].seq, windows[-1].hash, content, tuple(decisions), erased)


def _checked(store: Store, record: Record, run_id: str) -> dict[str, Any]:
    """The body of a record, once it was seen to follow the one before it."""
    seq = record.seq
    before = GENESIS if seq == 1 else store.page(seq - 1, 1)[0].hash
    erased = Erased(()) if record.texts else Erased(erasures(store))
    try:
        fields = Chain(digests(store.constitution), erased, seq - 1, before).explain(record)
    except MisfitError as misfit:
        raise AuditError(
            f"record {seq} (run {run_id}) cannot be trusted: {misfit}."
            " `guardrails audit verify` checks the whole trail."
        ) from misfit
    check_version(seq, fields)
    return fields


def _erasure(store: Store, seq: int) -> Act | None:
    for act in erasures(store):
        if any(first <= seq <= last for first, last in act.erases):
            return act
    return None
