"""Checks a store's whole chain: record by record, or a long one in pieces, by several processes at once.

Each piece begins with the hash that is stored before it, and that hash is checked by the piece it ends. So pieces
that fit are a chain that fits.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from guardrails.audit._acts import Erased
from guardrails.audit._chain import GENESIS, Chain, Verification, digests, verify
from guardrails.audit._store import went_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from guardrails.audit._checkpoint import Checkpoint
    from guardrails.audit._store import Record, Store

_PAGE = 100  # records read at a time: few enough that a writer in the same process need not wait
_PIECE = 5000  # records


def records_of(store: Store, after: int = 0) -> Iterator[Record]:
    """The records after number `after`, in order; from the very beginning where that is 0."""
    first = after + 1 if after else None
    while page := store.page(first, _PAGE):
        yield from page
        first = went_on(first, page[-1].seq + 1)


def verify_store(
    store: Store,
    checkpoints: Sequence[Checkpoint] = (),
    progress: Callable[[int], None] | None = None,
    processes: int = 1,
) -> Verification:
    """Check a store from the first record on, and stop at the first one that does not fit."""
    done = Verification(ok=True, records=0, head=GENESIS)
    if processes > 1 and store.url.startswith("sqlite:"):
        done = _in_pieces(store, checkpoints, progress, processes)
    if not done:
        return done
    left = [checkpoint for checkpoint in checkpoints if checkpoint.count > done.records]
    rest = _verify(store, records_of(store, done.records), (done.records, done.head), left, progress)
    return replace(rest, anchored=max(rest.anchored, done.anchored), note=store.altered()) if rest else rest


def _in_pieces(
    store: Store, checkpoints: Sequence[Checkpoint], progress: Callable[[int], None] | None, processes: int
) -> Verification:
    """Check as many whole pieces as there are."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    done = Verification(ok=True, records=0, head=GENESIS)
    ends = range(_PIECE, store.last() + 1, _PIECE)
    if len(ends) < processes:
        return done
    pieces = [(store.url, end, [c for c in checkpoints if end - _PIECE < c.count <= end]) for end in ends]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        for before, piece in pool.map(_piece, pieces):
            if before != done.head or not piece:
                pool.shutdown(cancel_futures=True)
                # What one process saw alone is seen once more, from the last piece that fits on.
                return done
            done = replace(piece, anchored=max(piece.anchored, done.anchored))
            if progress:
                progress(done.records)
    return done


def _piece(piece: tuple[str, int, Sequence[Checkpoint]]) -> tuple[str, Verification]:
    """The hash before a piece, and what came of checking it; in a process of its own."""
    from guardrails.audit._store import open_store

    url, end, checkpoints = piece
    store = open_store(url)
    before = store.page(end - _PIECE, 1)[0].hash if end > _PIECE else GENESIS
    records = takewhile(lambda record: record.seq <= end, records_of(store, end - _PIECE))
    return before, _verify(store, records, (end - _PIECE, before), checkpoints)


def _verify(
    store: Store,
    records: Iterable[Record],
    after: tuple[int, str],
    checkpoints: Sequence[Checkpoint],
    progress: Callable[[int], None] | None = None,
) -> Verification:
    """Check records that follow the number and the hash `after`."""

    def again(record: Record) -> tuple[Record, Erased]:
        # In this order: texts that are gone when the record is read were erased by a record that is there by then.
        found = store.page(record.seq, 1)
        return found[0] if found else record, Erased(()).since(store)

    chain = Chain(digests(store.constitution), Erased(()).since(store), *after)
    return verify(records, chain, checkpoints, progress, again)
