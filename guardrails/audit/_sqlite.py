"""A trail in one SQLite file: the default store, with nothing to run beside it.

A record is one transaction, in the write-ahead log and on the disk (`synchronous=FULL`) when `append`
returns. `BEGIN IMMEDIATE` makes the writers of all processes queue, so that each sees the head of the
chain that it continues. The rules of the trail stand in the database, as triggers: whoever opens it
with other tools has to remove them first, and the chain shows what is done then.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from guardrails.audit._chain import GENESIS, link
from guardrails.audit._connection import Connection
from guardrails.audit._sqlite_tables import ACTS, altered, prepare
from guardrails.audit._store import Filter, Record, RefusedError, Text

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from guardrails.audit._store import Entry

# Cast, for a damaged file may say that a value is of another type.
_TEXTS = """SELECT seq, CAST(path AS BLOB), CAST(coalesce(salt, '') AS BLOB), CAST(coalesce(text, '') AS BLOB)
  FROM texts WHERE seq BETWEEN ? AND ? ORDER BY seq, path"""
_SELECT = "SELECT seq, CAST(coalesce(body, '') AS BLOB), coalesce(hash, '') FROM records "
# A run's record: its outcome, or the first window of a stream that came to none.
_IS_RUN = """(status IS NOT NULL OR json_extract(body, '$.number') = 1 AND NOT EXISTS
  (SELECT 1 FROM records AS later WHERE later.run = records.run AND later.status IS NOT NULL))"""
_ROWS = 200  # texts in one statement
_FIRST, _LAST = -(2**63), 2**63 - 1
_BYTES = 8_000_000  # a page of records is cut where its texts exceed this


class SqliteStore:
    """Records in the SQLite file at `path`, which the first one creates, for this user's eyes only.

    `timeout` is how many seconds to wait while another process writes, before giving up.
    """

    def __init__(self, path: Path, *, timeout: float = 10.0) -> None:
        self.url = f"sqlite:///{path}"
        self._connection = Connection(path, partial(prepare, path), timeout)

    def append(self, entries: Sequence[Entry]) -> Sequence[int]:
        """Store records, all or none of them; they are durable when their numbers are returned."""
        with self._connection.transaction(write=True) as db:
            last = db.execute("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1").fetchone()
            seq, before = last or (0, GENESIS)
            _keep_constitutions(db, {entry.digest: entry.constitution for entry in entries if entry.constitution})
            for number, entry in enumerate(entries, seq + 1):
                before = _insert(db, number, before, entry)
        return range(seq + 1, seq + 1 + len(entries))

    def page(self, first: int | None, limit: int) -> Sequence[Record]:
        """Up to `limit` records with their texts, from number `first` on; fewer where they are large."""
        start = _FIRST if first is None else first
        with self._connection.transaction() as db:
            rows = db.execute(_SELECT + "WHERE seq >= ? ORDER BY seq LIMIT ?", (start, limit)).fetchall()
            end = rows[-1][0] if len(rows) == limit else _LAST
            texts, cut = _by_record(db.execute(_TEXTS, (start, end)))
        links = {seq: (body, digest) for seq, body, digest in rows}
        # Texts whose record is gone come out as a record without a body, for `verify` to name.
        numbers = sorted(seq for seq in links.keys() | texts.keys() if seq <= cut)
        return [Record(seq, *links.get(seq, (b"", "")), tuple(texts.get(seq, ()))) for seq in numbers]

    def last(self) -> int:
        """The number of the newest record, 0 where there is none."""
        with self._connection.transaction() as db:
            return int(db.execute("SELECT coalesce(max(seq), 0) FROM records").fetchone()[0])

    def newest(self, before: int | None, limit: int, only: Filter | None = None) -> Sequence[Record]:
        """The newest runs' records numbered below `before`, newest first, without their texts."""
        where, values = _where(only or Filter())
        query = _SELECT + f"WHERE seq < ? AND {where} ORDER BY seq DESC LIMIT ?"
        with self._connection.transaction() as db:
            rows = db.execute(query, (_LAST if before is None else before, *values, limit)).fetchall()
        return [Record(*row) for row in rows]

    def acts(self, after: int, limit: int) -> Sequence[Record]:
        """Up to `limit` records of what people did, with texts, in order."""
        query = f"SELECT seq FROM records WHERE {ACTS} AND seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - a constant
        return self._records(query, (after, limit))

    def find(self, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Up to `limit` runs whose id begins with `prefix`, in order, with the number of their record."""
        query = f"SELECT run, seq FROM records WHERE run >= ? AND run < ? AND {_IS_RUN} ORDER BY run LIMIT ?"  # noqa: S608 - a constant
        prefix = prefix.encode("utf-8", "replace").decode()  # SQLite takes no lone surrogate
        with self._connection.transaction() as db:
            return db.execute(query, (prefix, prefix + "\U0010ffff", limit)).fetchall()

    def of_run(self, run: str) -> Sequence[Record]:
        """All records of a run with their texts, in order."""
        return self._records("SELECT seq FROM records WHERE run = ? ORDER BY seq", (run,))

    def _records(self, query: str, values: tuple[object, ...]) -> Sequence[Record]:
        with self._connection.transaction() as db:
            numbers = [seq for (seq,) in db.execute(query, values)]
        return [record for seq in numbers for record in self.page(seq, 1)]

    def constitution(self, digest: str) -> bytes | None:
        """The content that is kept under a digest."""
        with self._connection.transaction() as db:
            row = db.execute("SELECT CAST(content AS BLOB) FROM constitutions WHERE digest = ?", (digest,)).fetchone()
        return bytes(row[0]) if row else None

    def altered(self) -> str:
        """Which table, index or rule is not as this library makes it; empty where all are."""
        with self._connection.transaction() as db:
            return altered(db)

    def scrub(self) -> None:
        """See to it that nothing of what was erased is left in the database's pages and its log."""
        self._connection.rewrite()

    def close(self) -> None:
        """Let go of the file. A later call opens it again."""
        self._connection.close()


def _insert(db: sqlite3.Connection, seq: int, before: str, entry: Entry) -> str:
    """Write one record that follows the hash `before`, and return its own."""
    if entry.knows is not None:
        (last,) = db.execute(f"SELECT coalesce(max(seq), 0) FROM records WHERE {ACTS}").fetchone()  # noqa: S608
        if last > entry.knows:
            raise RefusedError(f"record {last} came meanwhile, and may be a legal hold: look again.")
    body = entry.body(seq)
    digest = link(before, body)
    db.execute("INSERT INTO records (seq, body, hash) VALUES (?, ?, ?)", (seq, body.decode("ascii"), digest))
    for start in range(0, len(entry.texts), _ROWS):
        # No text is empty; an empty one stands for a text that was not to be kept.
        rows = [(seq, path, salt, text or b"") for path, salt, text in entry.texts[start : start + _ROWS]]
        db.execute(f"INSERT INTO texts VALUES {_places(len(rows))}", [value for row in rows for value in row])  # noqa: S608
    if entry.erases:
        db.executemany("DELETE FROM texts WHERE seq BETWEEN ? AND ?", entry.erases)
    return digest


def _keep_constitutions(db: sqlite3.Connection, contents: Mapping[str, bytes]) -> None:
    for digest, content in contents.items():
        if db.execute("SELECT 1 FROM constitutions WHERE digest = ?", (digest,)).fetchone() is None:
            db.execute("INSERT INTO constitutions VALUES (?, ?)", (digest, content))


@cache
def _places(rows: int) -> str:
    return ", ".join(["(?, ?, ?, ?)"] * rows)


def _where(only: Filter) -> tuple[str, list[object]]:
    """A filter as a condition, and its values."""
    terms: list[tuple[str, Sequence[object]]] = [(_IS_RUN, ())]
    if only.since:
        terms.append(("time >= ?", [only.since]))
    if only.until:
        terms.append(("time < ?", [only.until]))
    terms += [(f"({' OR '.join(['instr(body, ?)'] * len(group)) or 'false'})", group) for group in only.holds]
    for texts in only.texts:
        one = f"text IN ({', '.join('?' * len(texts))}, x'')"
        terms.append((f"EXISTS (SELECT 1 FROM texts WHERE texts.seq = records.seq AND {one})", texts))  # noqa: S608
    return " AND ".join(term for term, _ in terms), [value for _, values in terms for value in values]


def _by_record(rows: Iterator[tuple[int, bytes, bytes, bytes]]) -> tuple[dict[int, list[Text]], int]:
    """Texts by the number of their record, some `_BYTES` of them, and the last number they are complete for."""
    texts: dict[int, list[Text]] = {}
    size = 0
    for seq, path, salt, text in rows:
        if size > _BYTES and seq not in texts:
            return texts, max(texts)
        texts.setdefault(seq, []).append(Text(path.decode("utf-8", "replace"), salt, text or None))
        size += len(text)
    return texts, _LAST
