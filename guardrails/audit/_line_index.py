"""Where the records of an export stand in its file."""

from __future__ import annotations

import weakref
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from guardrails.audit._lines import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guardrails.audit._lines import Line

Place = tuple[int, int]
"""Where a line begins, and the number of the record in it."""

_TABLES = """
  CREATE TABLE lines (start INTEGER PRIMARY KEY, seq INTEGER, kind TEXT, run BLOB);
  CREATE TABLE wordings (digest BLOB PRIMARY KEY, start INTEGER) WITHOUT ROWID;
"""
_INDEXES = """
  CREATE INDEX by_seq ON lines (seq);
  CREATE INDEX by_run ON lines (run, kind, seq);
  CREATE INDEX acts ON lines (seq) WHERE kind NOT IN ('outcome', 'window', '');
"""
# A run's record: its outcome, or the first window of a stream that came to none. A damaged line may be one.
_IS_RUN = """(kind IN ('outcome', '') OR kind = 'window' AND NOT EXISTS
  (SELECT 1 FROM lines AS other WHERE other.run = lines.run
     AND (other.kind = 'outcome' OR other.kind = 'window' AND other.seq < lines.seq)))"""


class LineIndex:
    """What stands where in an export, in a temporary SQLite database: its memory has a bound, its file goes with it.

    It is made of the lines in order: where each begins, the number of its record, and what it holds. A line that is
    damaged counts as a record of no kind. `is_export` is false where not one line could be read.
    """

    def __init__(self, lines: Iterable[tuple[int, int | None, Line]]) -> None:
        import sqlite3

        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self._db.close)
        self.is_export = False
        self._db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _TABLES)
        self._db.execute("BEGIN")
        for start, seq, line in lines:
            self._add(start, seq, line)
        self._db.execute("COMMIT")
        self._db.executescript(_INDEXES)

    def place(self, first: int) -> Place | None:
        """Where the first record stands that is numbered `first` or above."""
        found = self._places("seq >= ? ORDER BY seq, start LIMIT 1", first)
        return found[0] if found else None

    def last(self) -> int:
        """The largest number of a record, 0 where there is none."""
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM lines").fetchone()[0])

    def newest(self, before: int | None, limit: int) -> Sequence[Place]:
        """Where the newest runs' records stand, newest first, of those numbered below `before`."""
        below = "true" if before is None else "seq < ?"
        return self._places(f"{_IS_RUN} AND {below} ORDER BY seq DESC LIMIT ?", *_given(before), limit)

    def acts(self, after: int, limit: int) -> Sequence[Place]:
        """Where the records of what people did stand, in order, of those numbered above `after`."""
        return self._places("kind NOT IN ('outcome', 'window', '') AND seq > ? ORDER BY seq LIMIT ?", after, limit)

    def of_run(self, run: str) -> Sequence[Place]:
        """Where the records of a run stand, in order."""
        return self._places("run = ? ORDER BY seq", _bytes(run))

    def find(self, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Up to `limit` runs whose id begins with `prefix`, in order, with the number of their record."""
        query = f"SELECT run, seq FROM lines WHERE run >= ? AND run < ? AND {_IS_RUN} ORDER BY run LIMIT ?"  # noqa: S608 - a constant
        first = _bytes(prefix)
        found = self._db.execute(query, (first, first + b"\xff", limit))  # no byte of UTF-8 is 255
        return [(run.decode("utf-8", "surrogatepass"), seq) for run, seq in found]

    def wording(self, digest: str) -> int | None:
        """Where the line of a constitution begins."""
        row = self._db.execute("SELECT start FROM wordings WHERE digest = ?", (_bytes(digest),)).fetchone()
        return int(row[0]) if row else None

    def _places(self, where: str, *values: Any) -> Sequence[Place]:
        query = f"SELECT start, seq FROM lines WHERE {where}"  # noqa: S608 - conditions of this class
        return self._db.execute(query, values).fetchall()

    def _add(self, start: int, seq: int | None, line: Line) -> None:
        self.is_export |= not line.problem
        if seq is None:
            # One that is not what its digest says is not put right by another that is.
            fits = sha256(line.content).hexdigest() == line.digest
            verb = "INSERT OR IGNORE" if fits else "INSERT OR REPLACE"
            self._db.execute(f"{verb} INTO wordings VALUES (?, ?)", (_bytes(line.digest), start))
            return
        fields = told(line.record.body) if line.record else {}
        kind, run = fields.get("kind"), fields.get("run")
        known = (kind if isinstance(kind, str) else "", _bytes(run) if isinstance(run, str) else None)
        self._db.execute("INSERT INTO lines VALUES (?, ?, ?, ?)", (start, seq, *known))


def _given(value: int | None) -> tuple[int, ...]:
    return () if value is None else (value,)


def _bytes(text: str) -> bytes:
    """A string as SQLite takes it, lone surrogates and all."""
    return text.encode("utf-8", "surrogatepass")
