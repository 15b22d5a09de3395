"""The tables of a trail in SQLite, with its rules as triggers; how those of an earlier version become these."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from guardrails.audit._store import TABLES, known_tables
from guardrails.errors import AuditError

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path


def _refusal(event: str, why: str, when: str = "true") -> str:
    name = "_".join(event.lower().split()[::2])
    return f"CREATE TRIGGER no_{name} BEFORE {event} WHEN {when} BEGIN SELECT RAISE(ABORT, '{why}'); END"


# The indexed columns are computed from the body, so that an index can say nothing else than it does.
# Replacing inserts are refused before they insert: SQLite runs no delete trigger for what they replace.
# Tables without row ids have none by which a row could be replaced past that.
_FIRST = (
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
    "INSERT INTO meta VALUES ('schema', '1')",
)

ACTS = """instr(body, '"kind":"outcome"') = 0 AND instr(body, '"kind":"window"') = 0"""
"""What tells the records of what people did: a query that says so can use its index. Asked of any body, JSON or not."""

_SECOND = (
    f"CREATE INDEX records_acts ON records (seq) WHERE {ACTS}",
    "DROP TRIGGER no_delete_texts",
    _refusal(
        "DELETE ON texts",
        "texts go only with the record that erases them",
        """NOT EXISTS (
             SELECT 1 FROM records AS act, json_each(act.body, '$.erases') AS pair
             WHERE act.seq = (SELECT max(seq) FROM records) AND json_extract(act.body, '$.kind') = 'erase'
               AND OLD.seq BETWEEN json_extract(pair.value, '$[0]') AND json_extract(pair.value, '$[1]'))""",
    ),
    "UPDATE meta SET value = '2' WHERE name = 'schema'",
    *(_refusal(f"{event} ON meta", "a trail is what it was made as") for event in ("INSERT", "UPDATE", "DELETE")),
)

_STEPS = (_FIRST, _SECOND)


def prepare(path: Path, db: sqlite3.Connection, *, write: bool) -> None:
    """See to it that the tables are there and current; reading takes them as they are.

    Raises:
        AuditError: it is no trail, or one of a later version.
    """
    version = _version(path, db)
    if version is None and not write:
        raise AuditError(f"{path} is empty: there is no audit trail in it yet.")
    if version == TABLES or not write:
        return
    db.execute("BEGIN IMMEDIATE")
    for step in _STEPS[_version(path, db) or 0 :]:  # asked once more: another process may have been faster
        for statement in step:
            db.execute(statement)
    db.execute("COMMIT")


def altered(db: sqlite3.Connection) -> str:
    """What is not as this library makes it: a table, an index or a rule; empty where all are."""
    import sqlite3

    query = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"
    ((version,),) = db.execute("SELECT value FROM meta WHERE name = 'schema'")
    with closing(sqlite3.connect(":memory:")) as model:
        for statement in (statement for step in _STEPS[: int(version)] for statement in step):
            model.execute(statement)
        made = dict(model.execute(query).fetchall())
    found = dict(db.execute(query).fetchall())
    for name in sorted(made.keys() | found.keys()):
        if made.get(name) != found.get(name):
            what = "was removed" if name not in found else "was altered" if name in made else "was added"
            return f"the database's own {name!r} {what}: what it forbids may have been done. {_ASK}"
    return ""


_ASK = "The records fit each other; ask who may change the database, and compare with an export or a checkpoint."


def _version(path: Path, db: sqlite3.Connection) -> int | None:
    """The schema of the trail that is there, None for an empty file."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return None
    known = tables >= {"meta", "records", "texts", "constitutions"}
    row = db.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone() if known else None
    return known_tables(str(path), row and row[0], f"{path} is an SQLite database, but not an audit trail.")
