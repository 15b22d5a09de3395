"""A trail in one SQLite file: the default store, with nothing to run beside it.

A record is one transaction, in the write-ahead log and on the disk (`synchronous=FULL`) when `append`
returns. `BEGIN IMMEDIATE` makes the writers of all processes queue, so that each sees the head of the
chain that it continues. The rules of the trail stand in the database, as triggers: whoever opens it
with other tools has to remove them first, and the chain shows what is done then.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from guardrails.audit._chain import GENESIS, link
from guardrails.audit._connection import Connection
from guardrails.audit._store import Record, Text
from guardrails.errors import AuditError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from guardrails.audit._store import Entry

SCHEMA = 1
"""The version of `_TABLES`."""


def _refusal(event: str, why: str, when: str = "true") -> str:
    name = "_".join(event.lower().split()[::2])
    return f"CREATE TRIGGER no_{name} BEFORE {event} WHEN {when} BEGIN SELECT RAISE(ABORT, '{why}'); END"


# The indexed columns are computed from the body, so that an index can say nothing else than it does.
# Replacing inserts are refused before they insert: SQLite runs no delete trigger for what they replace.
# Tables without row ids have none by which a row could be replaced past that.
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE records (
         seq INTEGER PRIMARY KEY,
         body TEXT NOT NULL,
         hash TEXT NOT NULL,
         run TEXT AS (json_extract(body, '$.run')) VIRTUAL,
         time TEXT AS (json_extract(body, '$.time')) VIRTUAL,
         status TEXT AS (json_extract(body, '$.status')) VIRTUAL
       ) STRICT""",
    "CREATE INDEX records_run ON records (run)",
    "CREATE INDEX records_time ON records (time)",
    "CREATE INDEX records_status ON records (status)",
    """CREATE TABLE texts (
         seq INTEGER NOT NULL REFERENCES records (seq),
         path TEXT NOT NULL,
         salt BLOB NOT NULL,
         text BLOB NOT NULL,
         PRIMARY KEY (seq, path)
       ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE constitutions (digest TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT, WITHOUT ROWID",
    _refusal(
        "INSERT ON records",
        "records are appended in order, and an outcome once a run",
        """NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM records) OR NEW.status IS NOT NULL
           AND EXISTS (SELECT 1 FROM records WHERE run = NEW.run AND status IS NOT NULL)""",
    ),
    _refusal("UPDATE ON records", "records are never changed"),
    _refusal("DELETE ON records", "records are never deleted"),
    _refusal(
        "INSERT ON texts",
        "texts are added with their record",
        """NEW.seq IS NOT (SELECT max(seq) FROM records)
           OR EXISTS (SELECT 1 FROM texts WHERE seq = NEW.seq AND path = NEW.path)""",
    ),
    _refusal("UPDATE ON texts", "texts are never changed"),
    _refusal("DELETE ON texts", "texts are never deleted"),
    _refusal(
        "INSERT ON constitutions",
        "a constitution is stored once",
        "EXISTS (SELECT 1 FROM constitutions WHERE digest = NEW.digest)",
    ),
    _refusal("UPDATE ON constitutions", "constitutions are never changed"),
    _refusal("DELETE ON constitutions", "constitutions are never deleted"),
    f"INSERT INTO meta VALUES ('schema', '{SCHEMA}')",  # noqa: S608 - a constant
)

_SELECT = "SELECT seq, CAST(body AS BLOB), hash FROM records "
# A run's record: its outcome, or the first window of a stream that came to none.
_IS_RUN = """(status IS NOT NULL OR json_extract(body, '$.number') = 1 AND NOT EXISTS
  (SELECT 1 FROM records AS later WHERE later.run = records.run AND later.status IS NOT NULL))"""
_FIRST, _LAST = -(2**63), 2**63 - 1
_BYTES = 8_000_000  # a page of records is cut where its texts exceed this


class SqliteStore:
    """Records in the SQLite file at `path`, which the first one creates, for this user's eyes only.

    `timeout` is how many seconds to wait while another process writes, before giving up.
    """

    def __init__(self, path: Path, *, timeout: float = 10.0) -> None:
        self.url = f"sqlite:///{path}"
        self._connection = Connection(path, partial(_prepare, path), timeout)

    def append(self, entry: Entry) -> int:
        """Store a record whole or not at all; it is durable when its number is returned."""
        with self._connection.transaction(write=True) as db:
            last = db.execute("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1").fetchone()
            seq, before = (last[0] + 1, last[1]) if last else (1, GENESIS)
            body = entry.body(seq)
            row = (seq, body.decode("ascii"), link(before, body))
            db.execute("INSERT INTO records (seq, body, hash) VALUES (?, ?, ?)", row)
            texts = [(seq, text.path, text.salt, text.text) for text in entry.texts]
            db.executemany("INSERT INTO texts VALUES (?, ?, ?, ?)", texts)
            if entry.constitution:
                db.execute(
                    "INSERT INTO constitutions SELECT :digest, :content"
                    " WHERE NOT EXISTS (SELECT 1 FROM constitutions WHERE digest = :digest)",
                    {"digest": entry.digest, "content": entry.constitution},
                )
        return int(seq)

    def page(self, first: int | None, limit: int) -> Sequence[Record]:
        """Up to `limit` records with their texts, from number `first` on; fewer where they are large."""
        start = _FIRST if first is None else first
        with self._connection.transaction() as db:
            rows = db.execute(_SELECT + "WHERE seq >= ? ORDER BY seq LIMIT ?", (start, limit)).fetchall()
            end = rows[-1][0] if len(rows) == limit else _LAST
            texts, cut = _by_record(
                db.execute("SELECT * FROM texts WHERE seq BETWEEN ? AND ? ORDER BY seq, path", (start, end))
            )
        links = {seq: (body, digest) for seq, body, digest in rows}
        # Texts whose record is gone come out as a record without a body, for `verify` to name.
        numbers = sorted(seq for seq in links.keys() | texts.keys() if seq <= cut)
        return [Record(seq, *links.get(seq, (b"", "")), tuple(texts.get(seq, ()))) for seq in numbers]

    def newest(self, before: int | None, limit: int) -> Sequence[Record]:
        """The newest runs' records numbered below `before`, newest first, without their texts."""
        query = _SELECT + f"WHERE {_IS_RUN} AND seq < ? ORDER BY seq DESC LIMIT ?"
        with self._connection.transaction() as db:
            rows = db.execute(query, (_LAST if before is None else before, limit)).fetchall()
        return [Record(*row) for row in rows]

    def find(self, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Up to `limit` runs whose id begins with `prefix`, in order, with the number of their record."""
        query = f"SELECT run, seq FROM records WHERE run >= ? AND run < ? AND {_IS_RUN} ORDER BY run LIMIT ?"  # noqa: S608 - a constant
        prefix = prefix.encode("utf-8", "replace").decode()  # SQLite takes no lone surrogate
        with self._connection.transaction() as db:
            return db.execute(query, (prefix, prefix + "\U0010ffff", limit)).fetchall()

    def of_run(self, run: str) -> Sequence[Record]:
        """All records of a run with their texts, in order."""
        with self._connection.transaction() as db:
            numbers = [seq for (seq,) in db.execute("SELECT seq FROM records WHERE run = ? ORDER BY seq", (run,))]
        return [record for seq in numbers for record in self.page(seq, 1)]

    def constitution(self, digest: str) -> bytes | None:
        """The content that is kept under a digest."""
        with self._connection.transaction() as db:
            row = db.execute("SELECT content FROM constitutions WHERE digest = ?", (digest,)).fetchone()
        return bytes(row[0]) if row else None

    def close(self) -> None:
        """Let go of the file. A later call opens it again."""
        self._connection.close()


def _prepare(path: Path, db: sqlite3.Connection, write: bool) -> None:  # noqa: FBT001 - a Connection calls it
    version = _version(path, db)
    if version is None and not write:
        raise AuditError(f"{path} is empty: there is no audit trail in it yet.")
    if version is None:
        db.execute("BEGIN IMMEDIATE")
        if _version(path, db) is None:  # and no other process was faster
            for statement in _TABLES:
                db.execute(statement)
        db.execute("COMMIT")


def _version(path: Path, db: sqlite3.Connection) -> int | None:
    """The schema of the trail that is there, None for an empty file."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return None
    known = tables >= {"meta", "records", "texts", "constitutions"}
    row = db.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone() if known else None
    if row is None or not row[0].isdecimal():
        raise AuditError(f"{path} is an SQLite database, but not an audit trail. Name another file.")
    if int(row[0]) > SCHEMA:
        raise AuditError(
            f"the audit trail {path} has schema {row[0]}, and this version of the library knows"
            f" {SCHEMA}. Upgrade constitutional-guardrails."
        )
    return int(row[0])


def _by_record(rows: Iterator[tuple[int, str, bytes, bytes]]) -> tuple[dict[int, list[Text]], int]:
    """Texts by the number of their record, some `_BYTES` of them, and the last number they are complete for."""
    texts: dict[int, list[Text]] = {}
    size = 0
    for seq, path, salt, text in rows:
        if size > _BYTES and seq not in texts:
            return texts, max(texts)
        texts.setdefault(seq, []).append(Text(path, salt, text))
        size += len(text)
    return texts, _LAST
