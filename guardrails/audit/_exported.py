"""An export, read as the trail that it was made from: offline, with a file and nothing else."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, NoReturn

from guardrails.audit._acts import Erased
from guardrails.audit._export import LAYOUTS
from guardrails.audit._line_index import LineIndex
from guardrails.audit._store import Filter, Record
from guardrails.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from guardrails.audit._line_index import Place
    from guardrails.audit._lines import Line
    from guardrails.audit._store import Entry

_BYTES = 8_000_000  # a page of records is cut where its lines exceed this
_PAGE = 500


class ExportedStore:
    """The records in an exported file, `.jsonl` or `.csv`, as the trail was when the last of its lines was written.

    It can only be read. The file is read once to find what stands where, and that is kept in a temporary file;
    memory does not grow with it. A line that was damaged comes out as a record that does not fit, for `verify`
    to name. Texts that the file's own records say were erased are not read from it, though they may stand in it.
    """

    def __init__(self, file: Path) -> None:
        self.url = str(file)
        self._file = file
        self._lines = LAYOUTS[file.suffix[1:]]
        self._lock = threading.Lock()
        self._found: tuple[int, LineIndex] | None = None
        self._erased: Erased | None = None
        self._at = (1, 0)  # the number that comes next, and where: pages are mostly asked for in order

    def append(self, entries: Sequence[Entry]) -> NoReturn:  # noqa: ARG002 - what a store takes
        """Raise `AuditError`: nothing is added to an export."""
        raise AuditError(f"an export is read-only: name the trail that {self._file} was made from, not the export.")

    def page(self, first: int | None, limit: int) -> Sequence[Record]:
        """Up to `limit` records with their texts, in the order of their lines, from number `first` on."""
        index = self._index()
        number, start = (1, 0) if first is None else self._at
        if first not in {None, number}:
            place = index.place(first or 0)
            if place is None:
                return []
            start, number = place
        records: list[Record] = []
        end = start
        for _, _, record, end in self._records(start, number):
            records.append(self._without(record))
            if len(records) == limit or end - start > _BYTES:
                break
        if records:
            self._at = (records[-1].seq + 1, end)
        return records

    def last(self) -> int:
        """The number of the newest record, 0 where there is none."""
        return self._index().last()

    def newest(self, before: int | None, limit: int, only: Filter | None = None) -> Sequence[Record]:
        """The newest runs' records numbered below `before`, newest first, without their texts."""
        index = self._index()
        found: list[Record] = []
        while len(found) < limit and (places := index.newest(before, _PAGE)):
            wanted = (record for _, record in self._at_places(places) if _has(record, only or Filter()))
            found += [Record(record.seq, record.body, record.hash) for record in wanted]
            before = places[-1][1]
        return found[:limit]

    def acts(self, after: int, limit: int) -> Sequence[Record]:
        """Up to `limit` records of what people did, with texts, in order."""
        return [_told(line, record) for line, record in self._at_places(self._index().acts(after, limit))]

    def find(self, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Up to `limit` runs whose id begins with `prefix`, in order, with the number of their record."""
        return self._index().find(prefix, limit)

    def of_run(self, run: str) -> Sequence[Record]:
        """All records of a run with their texts, in order."""
        return [self._without(record) for _, record in self._at_places(self._index().of_run(run))]

    def constitution(self, digest: str) -> bytes | None:
        """The content that stands under a digest."""
        start = self._index().wording(digest)
        return None if start is None else next(line.content for _, line, _, _ in self._parsed(start, 0))

    def altered(self) -> str:
        """Nothing: a file has no rules of its own."""
        return ""

    def scrub(self) -> None:
        """Raise `AuditError`: nothing is removed from an export."""
        self.append(())

    def close(self) -> None:
        """Let go of what was found out about the file. A later call reads it again."""
        with self._lock:
            self._found, self._erased, self._at = None, None, (1, 0)

    def _index(self) -> LineIndex:
        with self._lock:
            # A forked child makes its own: it may not use the database of its parent.
            if self._found is None or self._found[0] != os.getpid():
                lines = ((start, record and record.seq, line) for start, line, record, _ in self._parsed(0, 1))
                index = LineIndex(lines)
                if not index.is_export:
                    raise AuditError(
                        f"{self._file} is no export of an audit trail, or nothing in it can be read."
                        " `guardrails audit export` makes one."
                    )
                self._found = (os.getpid(), index)
            return self._found[1]

    def _without(self, record: Record) -> Record:
        """A record as the trail has it: its line may have been written before its texts were erased."""
        if self._erased is None:
            self._erased = Erased(()).since(self)
        return Record(record.seq, record.body, record.hash) if record.seq in self._erased else record

    def _at_places(self, places: Iterable[Place]) -> Iterator[tuple[Line, Record]]:
        for start, seq in places:
            yield next((line, record) for _, line, record, _ in self._records(start, seq))

    def _records(self, start: int, number: int) -> Iterator[tuple[int, Line, Record, int]]:
        """The lines that hold a record, or hold nothing any more: those take the next number."""
        for begin, line, record, end in self._parsed(start, number):
            if record is not None:
                yield begin, line, record, end

    def _parsed(self, start: int, number: int) -> Iterator[tuple[int, Line, Record | None, int]]:
        """Where each line begins, what it holds, as what record it counts, and where it ends."""
        for begin, raw, end in self._raw(start):
            line = self._lines.read(raw)
            if not (line.record or line.digest or line.problem):
                continue
            record = line.record
            if line.problem:
                # Its own bytes stand in the place of a body, and fit no hash. Its number is the next one.
                record = Record(number, raw, "", (), line.problem)
            if record is not None:
                number = record.seq + 1
            yield begin, line, record, end

    def _raw(self, start: int) -> Iterator[tuple[int, bytes, int]]:
        try:
            with self._file.open("rb") as file:
                file.seek(start)
                for raw in file:
                    end = start + len(raw)
                    if raw.strip():
                        yield start, raw, end
                    start = end
        except FileNotFoundError as error:
            raise AuditError(f"there is no audit trail at {self._file}, and no export.") from error
        except OSError as error:
            raise AuditError(f"the export {self._file} cannot be read: {error.strerror}.") from error


def _told(line: Line, record: Record) -> Record:
    """What a line tells of an act, even where something beside its body was altered."""
    return Record(record.seq, line.record.body, record.hash, line.record.texts) if line.record else record


def _has(record: Record, only: Filter) -> bool:
    """Whether a record may be one that is wanted, as far as that can be told without reading its body."""
    body, texts = record.body, {text.text for text in record.texts}
    time = body.partition(b'"time":"')[2][: len("2026-11-23T09:30:00.123456Z")].decode("ascii", "replace")
    return (
        (not only.since or time >= only.since)
        and (not only.until or time < only.until)
        and all(any(one.encode("utf-8", "surrogatepass") in body for one in group) for group in only.holds)
        and all(None in texts or not texts.isdisjoint(group) for group in only.texts)
    )
