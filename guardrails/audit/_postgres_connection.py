"""The one connection that a process has to a trail's database: opened when needed, and again when it was lost.

A forked child leaves its parent's connection alone, and opens one of its own. What goes wrong with the
database comes out as an `AuditError` that says what to do, and repeats nothing of what was to be stored.
"""

from __future__ import annotations

import os
import re
import threading
import weakref
from contextlib import contextmanager
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from guardrails.audit._postgres_errors import failure, line
from guardrails.errors import AuditError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

_T = TypeVar("_T")

_LOCK = 0x67756172_64726C73
"""The advisory lock of whoever writes. Unlike a lock on a table it asks for no right but to connect."""

_KEPT = (
    "What was erased cannot be read any more, but may still stand in its files. When that is over, erase the same"
    " run once more: that adds no record, and cleans the files."
)

# Who may keep a row that was deleted: https://www.postgresql.org/docs/current/routine-vacuuming.html
_KEEPERS = """
  SELECT 'session ' || pid || coalesce(' of ' || usename, '') FROM pg_stat_activity
    WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> pg_backend_pid()
  UNION ALL SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts
  UNION ALL SELECT 'replication slot ' || slot_name FROM pg_replication_slots WHERE xmin IS NOT NULL
  LIMIT 5"""


class Prepare(Protocol):
    """Looks at the tables of a database that was just connected to."""

    def __call__(self, db: psycopg.Connection[Any], *, write: bool) -> None: ...


class _StaleError(Exception):
    """The connection that was open had been lost before anything was asked to be kept."""


class Connection:
    """One transaction at a time on a database, from any thread.

    `url` is for libpq, `name` is what errors call it by, without secrets. `prepare(db, write=…)` is called once in a
    transaction of each new connection. `timeout` is how many seconds to wait for the server, and for locks.
    """

    def __init__(self, url: str, name: str, prepare: Prepare, timeout: float) -> None:
        self._url = url
        self._name = name
        self._prepare = prepare
        self._timeout = timeout
        self._held = _Held()
        weakref.finalize(self, self._held.close)
        self.begin()
        _connections.add(self)

    def begin(self) -> None:
        """Begin without a connection: so does a forked child, whose parent goes on using its own."""
        self._lock = threading.Lock()
        self._is_committing = False
        self._held.leave()

    def run(self, work: Callable[[psycopg.Connection[Any]], _T], *, write: bool = False) -> _T:
        """What `work` returns, done in a transaction: durable afterwards, or gone without a trace on any error.

        It is called a second time where the first connection turns out to be lost. Only one that
        writes waits for other writers, and makes the tables.
        """
        return self._use(partial(self._transact, work, write=write), write=write)

    def rewrite(self, table: str) -> None:
        """Write a table's files anew, without anything that was deleted.

        Raises:
            AuditError: it cannot be done now, or somebody may still see what was deleted.
        """
        try:
            self._use(partial(self._vacuum, table), write=True)
        except AuditError as error:
            raise AuditError(f"{error} {_KEPT}") from error.__cause__

    def close(self) -> None:
        """Let go of the connection. A later transaction opens another."""
        with self._lock:
            self._held.close()

    def _use(self, action: Callable[[psycopg.Connection[Any]], _T], *, write: bool) -> _T:
        with self._lock:
            try:
                return self._attempt(action, write=write)
            except _StaleError:  # the server was restarted, say
                return self._attempt(action, write=write)

    def _attempt(self, action: Callable[[psycopg.Connection[Any]], _T], *, write: bool) -> _T:
        Error = self._driver().Error  # noqa: N806 - a class
        was_open, self._is_committing = self._held.db is not None, False
        try:
            return action(self._connected(write=write))
        except BaseException as error:
            is_lost = self._held.db is not None and self._held.db.broken
            # Closing rolls back, and whatever state the error left the connection in goes with it.
            self._held.close()
            if not isinstance(error, Error):
                raise
            if is_lost and self._is_committing:
                raise AuditError(
                    f"the connection to the audit trail {self._name} broke at the end of a transaction: it is not known"
                    " whether the record stands. When the server is up again, `guardrails audit list` shows it."
                ) from error
            if is_lost and was_open:
                raise _StaleError from error
            raise failure(self._name, error, "written" if write else "read") from error

    def _transact(
        self, work: Callable[[psycopg.Connection[Any]], _T], db: psycopg.Connection[Any], *, write: bool
    ) -> _T:
        with _pipeline(db):
            # Who waited for the lock has to see what was committed meanwhile; who reads, all tables at one moment.
            db.execute(
                "BEGIN ISOLATION LEVEL READ COMMITTED" if write else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            )
            db.execute(self._settings(write=write))
            done = work(db)
            self._is_committing = write
            db.execute("COMMIT")
        return done

    def _settings(self, *, write: bool) -> str:
        # Set in each transaction: a pooler may give every one of them another session.
        limits = ["lock_timeout"] + ["statement_timeout"] * write
        settings = [f"set_config('{limit}', '{ceil(self._timeout * 1000)}', true)" for limit in limits]
        if write:
            durable = "replace(current_setting('synchronous_commit'), 'off', 'on')"
            settings += [f"set_config('synchronous_commit', {durable}, true)", f"pg_advisory_xact_lock({_LOCK})"]
        return "SELECT " + ", ".join(settings)

    def _vacuum(self, table: str, db: psycopg.Connection[Any]) -> None:
        told: list[tuple[str, str]] = []
        db.add_notice_handler(lambda notice: told.append((notice.message_primary or "", notice.message_detail or "")))
        # Who comes after us waits behind us, and has as much patience as we.
        db.execute(f"SET lock_timeout = {ceil(self._timeout * 500)}")
        db.execute("SET statement_timeout = 0")
        db.execute(f"VACUUM (FULL, VERBOSE) {table}")
        # The one place where PostgreSQL says that it had to keep dead rows; the number is the first in any language.
        counts = [re.search(r"\d+", detail) for _, detail in told]
        found = [int(count.group()) for count in counts if count]
        if not found:
            said = " ".join(message for message, _ in told)
            raise AuditError(
                f"the audit trail {self._name} cannot be rewritten: {said}. That takes the tables' owner, or from"
                " PostgreSQL 17 on the right to MAINTAIN guardrails.texts."
            )
        if any(found):
            keepers = ", ".join(keeper for (keeper,) in db.execute(_KEEPERS)) or "somebody whom this role cannot see"
            raise AuditError(
                f"in the audit trail {self._name}, {sum(found)} erased texts are kept for whoever began before they"
                f" were erased: {keepers}. End that, or wait for it."
            )

    def _connected(self, *, write: bool) -> psycopg.Connection[Any]:
        held = self._held
        if held.db is None:
            held.db, held.writes = self._open(), False
            self._transact(partial(self._prepare, write=write), held.db, write=write)
            held.writes = write
        elif write and not held.writes:
            self._transact(partial(self._prepare, write=True), held.db, write=True)
            held.writes = True
        self._is_committing = False
        return held.db

    def _open(self) -> psycopg.Connection[Any]:
        driver, seconds = self._driver(), max(1, ceil(self._timeout))
        try:
            given = driver.conninfo.conninfo_to_dict(self._url)
        except driver.ProgrammingError:
            try:
                driver.conninfo.conninfo_to_dict(self._name)
            except driver.ProgrammingError as plain:
                raise ConfigurationError(
                    f"{self._name} is no URL of a database: {line(plain)}. Write"
                    " postgresql://user@host:5432/database, and after that ?sslmode=verify-full, say."
                ) from None
            raise ConfigurationError(f"the password in the URL of {self._name} cannot be read.") from None
        limits = {
            "connect_timeout": seconds,
            "keepalives_idle": seconds,
            "keepalives_interval": 1,
            "keepalives_count": 3,
            "tcp_user_timeout": seconds * 1000,
            "fallback_application_name": "guardrails",
        }
        given |= {"client_encoding": "UTF8"}  # whatever the database's is; all that it holds as text is ASCII
        db: psycopg.Connection[Any] = driver.connect(**{**limits, **given}, autocommit=True, prepare_threshold=None)
        return db

    def _driver(self) -> Any:
        try:
            import psycopg
        except ImportError as error:
            raise AuditError(
                f"the audit trail {self._name} needs psycopg. Install it: pip install"
                " 'constitutional-guardrails[postgres]'"
            ) from error
        return psycopg


class _Held:
    """A connection, and whether the tables were made ready for writing through it."""

    def __init__(self) -> None:
        self.db: psycopg.Connection[Any] | None = None
        self.writes = False

    def close(self) -> None:
        db, self.db = self.db, None
        if db is not None:
            db.close()

    def leave(self) -> None:
        """Forget the connection without a word to the server, which would take it for the parent's."""
        if self.db is not None:
            _left.append(self.db)
        self.db = None


@contextmanager
def _pipeline(db: psycopg.Connection[Any]) -> Iterator[None]:
    """Statements sent together. Of several errors the first one is raised; psycopg would log the others."""
    first: BaseException | None = None
    try:
        with db.pipeline():
            try:
                yield
            except BaseException as error:  # noqa: BLE001 - raised below
                first = error
    except Exception:
        if first is None:
            raise
    if first is not None:
        raise first


_connections: weakref.WeakSet[Connection] = weakref.WeakSet()
_left: list[psycopg.Connection[Any]] = []


def _after_fork() -> None:
    for connection in _connections:
        connection.begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
