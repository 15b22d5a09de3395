"""A trail in a PostgreSQL database, version 14 or newer: for services that run on several machines.

It lives in the schema `guardrails`, which the first record makes. Writers queue for an advisory lock, so that
each sees the head of the chain that it continues, and `synchronous_commit` is never off: a record is on the
server's disk when `append` returns, unless the server itself runs without `fsync`. The rules of the trail stand
in the database, as triggers. Only the tables' owner and superusers can remove them, so let the service be neither::

    CREATE ROLE trail_owner LOGIN; CREATE ROLE service LOGIN; CREATE ROLE eraser LOGIN; CREATE ROLE auditor LOGIN;
    GRANT CREATE ON DATABASE bank TO trail_owner;           -- who makes the first record
    GRANT USAGE ON SCHEMA guardrails TO service, eraser, auditor;
    GRANT SELECT ON ALL TABLES IN SCHEMA guardrails TO service, eraser, auditor;
    GRANT INSERT ON guardrails.records, guardrails.texts, guardrails.constitutions TO service, eraser;
    GRANT DELETE, MAINTAIN ON guardrails.texts TO eraser;   -- before PostgreSQL 17 only the owner can scrub

A password in the URL works, but stands in configuration files then; `PGPASSWORD` and `~/.pgpass` serve as well.
What erasing cannot reach: the write-ahead log and its archives, replicas, and backups.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from guardrails.audit._chain import GENESIS, link
from guardrails.audit._postgres_connection import Connection
from guardrails.audit._postgres_rules import altered
from guardrails.audit._postgres_tables import prepare
from guardrails.audit._postgres_url import without_secrets
from guardrails.audit._store import Filter, Record, RefusedError, Text, canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

    from guardrails.audit._store import Entry

# What somebody with all rights may have put there has to come out: empty values for none, bytes of any kind.
_RECORDS = "SELECT seq, coalesce(convert_to(body, 'UTF8'), ''), coalesce(hash, '') FROM guardrails.records "
_TEXTS = "SELECT seq, path, coalesce(salt, ''), coalesce(text, '') FROM guardrails.texts "
# A run's record: its outcome, or the first window of a stream that came to none.
_IS_RUN = """(status IS NOT NULL OR kind = 'window' AND body ~ '"number":1[,}]' AND NOT EXISTS
  (SELECT FROM guardrails.records AS later WHERE later.run = records.run AND later.status IS NOT NULL))"""
_FIRST, _LAST = -(2**63), 2**63 - 1
_BYTES = 8_000_000  # a page of records is cut where its texts exceed this, and so is what is sent at once


class PostgresStore:
    """Records in the PostgreSQL database that a URL of libpq names.

    `timeout` is how many seconds to wait for the server to answer and for others to end what they write.

    >>> PostgresStore("postgresql://bank:s3cret@db.example/audit").url
    'postgresql://bank@db.example/audit'

    Raises:
        ConfigurationError: the URL cannot be read.
    """

    def __init__(self, url: str, *, timeout: float = 10.0) -> None:
        self.url = without_secrets(url)
        self._connection = Connection(url, self.url, partial(prepare, self.url), timeout)

    def append(self, entries: Sequence[Entry]) -> Sequence[int]:
        """Store records, all or none of them; they are durable when their numbers are returned."""
        return self._connection.run(partial(_append, entries), write=True)

    def page(self, first: int | None, limit: int) -> Sequence[Record]:
        """Up to `limit` records with their texts, from number `first` on; fewer where they are large."""
        return self._connection.run(partial(_page, _FIRST if first is None else first, limit))

    def last(self) -> int:
        """The number of the newest record, 0 where there is none."""
        return int(self._rows("SELECT coalesce(max(seq), 0) FROM guardrails.records", ())[0][0])

    def newest(self, before: int | None, limit: int, only: Filter | None = None) -> Sequence[Record]:
        """The newest runs' records numbered below `before`, newest first, without their texts."""
        where, values = _where(only or Filter())
        query = _RECORDS + f"WHERE seq < %s AND {where} ORDER BY seq DESC LIMIT %s"
        rows = self._rows(query, (_LAST if before is None else before, *values, limit))
        return [Record(*row) for row in rows]

    def acts(self, after: int, limit: int) -> Sequence[Record]:
        """Up to `limit` records of what people did, with texts, in order."""
        where = "kind NOT IN ('outcome', 'window') AND seq > %s ORDER BY seq LIMIT %s"
        return self._connection.run(partial(_with_texts, where, (after, limit)))

    def find(self, prefix: str, limit: int) -> Sequence[tuple[str, int]]:
        """Up to `limit` runs whose id begins with `prefix`, in order, with the number of their record."""
        query = f"SELECT run, seq FROM guardrails.records WHERE run ^@ %s AND {_IS_RUN} ORDER BY run LIMIT %s"  # noqa: S608 - a constant
        return [(_plain(run), seq) for run, seq in self._rows(query, (_escaped(prefix), limit))]

    def of_run(self, run: str) -> Sequence[Record]:
        """All records of a run with their texts, in order."""
        return self._connection.run(partial(_with_texts, "run = %s ORDER BY seq", (_escaped(run),)))

    def constitution(self, digest: str) -> bytes | None:
        """The content that is kept under a digest."""
        rows = self._rows("SELECT content FROM guardrails.constitutions WHERE digest = %s", (_escaped(digest),))
        return rows[0][0] if rows else None

    def altered(self) -> str:
        """Which trigger, function or computed column is not as this library makes it; empty where all are."""
        return self._connection.run(altered)

    def scrub(self) -> None:
        """See to it that nothing of what was erased is left in the table's files.

        Everybody else waits meanwhile. The write-ahead log, its archives, replicas and backups are out of reach.
        """
        self._connection.rewrite("guardrails.texts")

    def close(self) -> None:
        """Let go of the connection. A later call opens another."""
        self._connection.close()

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        return self._connection.run(lambda db: db.execute(query, values).fetchall())


def _append(entries: Sequence[Entry], db: psycopg.Connection[Any]) -> Sequence[int]:
    contents = {entry.digest: entry.constitution for entry in entries if entry.constitution}
    head = db.execute("SELECT seq, hash FROM guardrails.records ORDER BY seq DESC LIMIT 1")
    kept = db.execute("SELECT digest FROM guardrails.constitutions WHERE digest = ANY(%s)", (list(contents),))
    seq, before = head.fetchone() or (0, GENESIS)
    for (digest,) in kept:
        del contents[digest]
    _insert(db, "constitutions", "text, bytea", contents.items())
    records: list[tuple[int, str, str]] = []
    texts: list[tuple[int, str, bytes, bytes]] = []
    size = 0
    for number, entry in enumerate(entries, seq + 1):
        _check_known(db, entry)
        body = entry.body(number)
        before = link(before, body)
        records.append((number, body.decode("ascii"), before))
        # No text is empty; an empty one stands for a text that was not to be kept.
        texts += [(number, text.path, text.salt, text.text or b"") for text in entry.texts]
        size += sum(len(text.text or b"") for text in entry.texts)
        if entry.erases or size > _BYTES or number == seq + len(entries):
            _insert(db, "records (seq, body, hash)", "bigint, text, text", records)
            _insert(db, "texts", "bigint, text, bytea, bytea", texts)
            _erase(db, entry)
            records, texts, size = [], [], 0
    return range(seq + 1, seq + 1 + len(entries))


def _insert(db: psycopg.Connection[Any], table: str, types: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert rows in one statement: however many they are, the server plans it once."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        arrays = ", ".join(f"%b::{kind}[]" for kind in types.split(", "))
        db.execute(f"INSERT INTO guardrails.{table} SELECT * FROM unnest({arrays})", columns)  # noqa: S608 - constants


def _check_known(db: psycopg.Connection[Any], entry: Entry) -> None:
    if entry.knows is None:
        return
    acts = "SELECT coalesce(max(seq), 0) FROM guardrails.records WHERE kind NOT IN ('outcome', 'window')"
    for (last,) in db.execute(acts):
        if last > entry.knows:
            raise RefusedError(f"record {last} came meanwhile, and may be a legal hold: look again.")


def _erase(db: psycopg.Connection[Any], entry: Entry) -> None:
    if entry.erases:
        pairs = "unnest(%s::bigint[], %s::bigint[]) AS pair (first, last)"
        db.execute(
            f"DELETE FROM guardrails.texts USING {pairs} WHERE seq BETWEEN first AND last",  # noqa: S608 - a constant
            [list(ends) for ends in zip(*entry.erases, strict=True)],
        )


def _page(first: int, limit: int, db: psycopg.Connection[Any]) -> Sequence[Record]:
    # With ties: of two records of one number, which the rules do not let happen, both come out.
    rows = db.execute(
        _RECORDS + "WHERE seq >= %s ORDER BY seq FETCH FIRST %s ROWS WITH TIES", (first, limit)
    ).fetchall()
    end = rows[-1][0] if len(rows) >= limit else _LAST
    sizes = db.execute(
        "SELECT seq, sum(octet_length(text)) FROM guardrails.texts WHERE seq BETWEEN %s AND %s"
        " GROUP BY seq ORDER BY seq LIMIT %s",
        (first, end, limit + 1),
    ).fetchall()
    cut = _cut(sizes, limit)
    texts = _by_record(db.execute(_TEXTS + "WHERE seq BETWEEN %s AND %s ORDER BY seq, path", (first, min(end, cut))))
    # Texts whose record is gone come out as a record without a body, for `verify` to name.
    alone = [(seq, b"", "") for seq in texts.keys() - {row[0] for row in rows}]
    links = sorted((row for row in [*rows, *alone] if row[0] <= cut), key=lambda row: row[0])
    return [Record(seq, body, digest, tuple(texts.get(seq, ()))) for seq, body, digest in links]


def _cut(sizes: Sequence[tuple[int, int | None]], limit: int) -> int:
    """The last number that a page of `limit` records goes to, given how many bytes of texts each has."""
    total, last = 0, _LAST
    for count, (seq, size) in enumerate(sizes):
        if total > _BYTES or count == limit:
            return last
        total, last = total + int(size or 0), seq
    return _LAST


def _with_texts(where: str, values: tuple[object, ...], db: psycopg.Connection[Any]) -> Sequence[Record]:
    rows = db.execute(_RECORDS + "WHERE " + where, values).fetchall()
    numbers = [row[0] for row in rows]
    texts = _by_record(db.execute(_TEXTS + "WHERE seq = ANY(%s::bigint[]) ORDER BY seq, path", (numbers,)))
    return [Record(seq, body, digest, tuple(texts.get(seq, ()))) for seq, body, digest in rows]


def _by_record(rows: Iterable[tuple[int, str, bytes, bytes]]) -> dict[int, list[Text]]:
    texts: dict[int, list[Text]] = {}
    for seq, path, salt, text in rows:
        texts.setdefault(seq, []).append(Text(path, salt, text or None))
    return texts


def _where(only: Filter) -> tuple[str, list[object]]:
    """A filter as a condition, and its values."""
    terms: list[tuple[str, Sequence[object]]] = [(_IS_RUN, ())]
    if only.since:
        terms.append(("time >= %s", [only.since]))
    if only.until:
        terms.append(("time < %s", [only.until]))
    terms += [(f"({' OR '.join(['strpos(body, %s) > 0'] * len(group)) or 'false'})", group) for group in only.holds]
    one = "(texts.text = ANY(%b::bytea[]) OR texts.text = '')"
    has_text = f"EXISTS (SELECT FROM guardrails.texts WHERE texts.seq = records.seq AND {one})"
    terms += [(has_text, [list(group)]) for group in only.texts]
    return " AND ".join(term for term, _ in terms), [value for _, values in terms for value in values]


def _escaped(text: str) -> str:
    """A string as it stands between the quotes of a canonical body."""
    return canonical(text)[1:-1].decode("ascii")


def _plain(escaped: str) -> str:
    """The string that stands so in a body."""
    try:
        return str(json.loads(f'"{escaped}"', strict=False))
    except ValueError:  # not as this library writes it
        return escaped
