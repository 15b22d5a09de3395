"""The one connection that a process has to a trail's file: opened when needed, safe across forks.

SQLite's locks belong to a process, and its notes about them would be copied by a fork; a child that
wrote with them could lose records. So the connection is closed before a fork, and opened again on
either side. What goes wrong with the file comes out as an `AuditError` that says what to do.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from guardrails.audit._store import RefusedError
from guardrails.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SETTINGS = (
    "PRAGMA secure_delete = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",  # on macOS, fsync alone leaves a commit in the drive's cache
    "PRAGMA foreign_keys = ON",
)

_ADVICE = {
    sqlite3.SQLITE_ERROR: "It is not as this library wrote it; `guardrails audit verify` names the record.",
    sqlite3.SQLITE_BUSY: "Another process holds it locked; end that one's transaction, or wait.",
    sqlite3.SQLITE_READONLY: "It is read-only; give this user the right to write the file and its folder.",
    sqlite3.SQLITE_FULL: "The disk is full; free space on it, then go on.",
    sqlite3.SQLITE_IOERR: "The disk failed or is full, or a limit was reached; look at its space and health.",
    sqlite3.SQLITE_CANTOPEN: "Name a file, in a folder that this user may use, on a disk that is not read-only.",
    sqlite3.SQLITE_NOTADB: "It is some other file; name another one.",
    sqlite3.SQLITE_CORRUPT: "It is damaged; put it aside as it is, and restore the last good copy.",
    sqlite3.SQLITE_CONSTRAINT: "The trail refuses it; each run is recorded once.",
    sqlite3.SQLITE_TOOBIG: "A text of it is larger than SQLite takes (a gigabyte); give the guard less context.",
    sqlite3.SQLITE_LOCKED: "Another statement of this process uses it; wait for that one.",
}

_KEPT = (
    "What was erased cannot be read any more, but may still stand in its files. When nobody else uses the"
    " trail, erase the same run once more: that adds no record, and cleans the files."
)


class Prepare(Protocol):
    """Looks at the tables of a database that was just opened."""

    def __call__(self, db: sqlite3.Connection, *, write: bool) -> None: ...


class Connection:
    """One transaction at a time on the SQLite file at `path`, from any thread.

    `prepare(db, write=…)` is called with each new connection: it looks at the tables, and where `write` is true
    makes them if need be. `timeout` is how many seconds to wait while another process writes.
    """

    def __init__(self, path: Path, prepare: Prepare, timeout: float) -> None:
        self._path = path
        self._prepare = prepare
        self._timeout = timeout
        self._lock = threading.Lock()
        self._held = _Held()
        weakref.finalize(self, self._held.close)
        with _opening:
            _connections.add(self)

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """A transaction: committed, and durable, at the end of the block; gone without a trace on any error.

        Only one that writes makes the file.
        """
        with self._lock:
            try:
                db = self._connected(write=write)
                db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                yield db
                db.execute("COMMIT")
            except BaseException as error:
                # Closing rolls back, and whatever state the error left the connection in goes with it.
                self._held.close()
                if isinstance(error, sqlite3.Error | OSError | UnicodeDecodeError):
                    raise self._failure(error, "written" if write else "read") from error
                raise

    def rewrite(self) -> None:
        """Write the file anew, without anything that was deleted, and empty its log.

        SQLite overwrites what it deletes, but copies of it may stand in the gaps of other pages.

        Raises:
            AuditError: it cannot be done now, as somebody reads or writes; what was deleted may still be there.
        """
        with self._lock:
            try:
                db = self._connected(write=True)
                db.execute("VACUUM")
                is_busy = _is_log_kept(db, self._timeout)
            except (sqlite3.Error, UnicodeDecodeError) as error:
                self._held.close()
                raise AuditError(f"{self._failure(error, 'rewritten')} {_KEPT}") from error
        if is_busy:
            raise AuditError(f"somebody reads the audit trail {self._path}, and its log holds old pages. {_KEPT}")

    def close(self) -> None:
        """Let go of the file. A later transaction opens it again."""
        with self._lock:
            self._held.close()

    def before_fork(self) -> None:
        """Wait for the transaction that is under way, and keep others from beginning."""
        self._lock.acquire()
        self._held.close()

    def after_fork(self) -> None:
        """Go on, in the parent and in the child."""
        self._lock.release()

    def _connected(self, *, write: bool) -> sqlite3.Connection:
        held = self._held
        if held.db is None or held.pid != os.getpid() or (write and not held.writes) or held.file != _file(self._path):
            held.close()
            held.db, held.pid, held.writes = self._open(write=write), os.getpid(), write
            held.file = _file(self._path)
        return held.db

    def _open(self, *, write: bool) -> sqlite3.Connection:
        if write:
            self._create()
        elif not self._path.exists():
            raise AuditError(
                f"there is no audit trail at {self._path}. The first record makes one; look whether the path is right."
            )
        try:
            return self._connect("mode=rw" if write else "mode=ro", write=write)
        except sqlite3.OperationalError:
            # Beside a log, SQLite makes a file of shared memory. Where it cannot (a folder that is read-only,
            # a disk that is full), and no log says that somebody writes, it can do without.
            log = self._path.with_name(self._path.name + "-wal")
            if write or (log.exists() and log.stat().st_size):
                raise
            return self._connect("mode=ro&immutable=1", write=write)

    def _connect(self, mode: str, *, write: bool) -> sqlite3.Connection:
        db = sqlite3.connect(
            f"{self._path.as_uri()}?{mode}",
            uri=True,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,  # the lock sees to it
        )
        try:
            db.text_factory = lambda raw: raw.decode("utf-8", "replace")  # what was tampered with has to be read, too
            for setting in _SETTINGS:
                db.execute(setting)
            self._prepare(db, write=write)
            if write:
                _log_ahead(db, self._timeout)
        except BaseException:
            db.close()
            raise
        return db

    def _create(self) -> None:
        # SQLite would make the file as readable as the umask says; its log files copy the mode of this one.
        # The lock: closing a file lets go of all locks that this process has on it, other connections' too.
        with _opening:
            if not self._path.exists():
                os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))

    def _failure(self, error: sqlite3.Error | OSError | UnicodeDecodeError, done: str) -> AuditError:
        if self._path.is_dir():
            what, advice = "it is a folder", "Name a file in it."
        elif isinstance(error, FileNotFoundError):
            what, advice = "its folder does not exist", f"Make it (mkdir -p {self._path.parent}), or name another path."
        elif isinstance(error, UnicodeDecodeError):  # Python cannot read what SQLite says of a damaged schema
            what, advice = "its tables are damaged", _ADVICE[sqlite3.SQLITE_CORRUPT]
        elif isinstance(error, OSError):
            what, advice = error.strerror or str(error), "Give this user the right to it, or name another path."
        else:
            # The low byte is the kind of error, the rest its circumstances.
            what, advice = str(error), _ADVICE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "")
        refused = getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG}
        kind = RefusedError if refused else AuditError
        return kind(f"the audit trail {self._path} cannot be {done}: {what}. {advice}".rstrip())


class _Held:
    """A connection, and for whom and what it was opened."""

    def __init__(self) -> None:
        self.db: sqlite3.Connection | None = None
        self.pid = 0
        self.writes = False
        self.file: tuple[int, int] | None = None

    def close(self) -> None:
        db, self.db = self.db, None
        if db is None:
            return
        if self.pid == os.getpid():
            db.close()
        else:  # a fork that Python did not see: closing it here would take the parent's log away
            _leaked.append(db)


def _file(path: Path) -> tuple[int, int] | None:
    """Which file stands there, so that a trail moved or deleted is not written to any more."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _log_ahead(db: sqlite3.Connection, timeout: float) -> None:
    """Switch to a write-ahead log. SQLite does not wait for other processes that do the same, so we do."""
    end = time.monotonic() + timeout
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.005)
        else:
            return


def _is_log_kept(db: sqlite3.Connection, timeout: float) -> bool:
    """Empty the write-ahead log. SQLite waits for readers, but not for others that do the same, so we do."""
    end = time.monotonic() + timeout
    while is_busy := bool(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]):
        if time.monotonic() > end:
            break
        time.sleep(0.005)
    return is_busy


_connections: weakref.WeakSet[Connection] = weakref.WeakSet()
_opening = threading.Lock()
_leaked: list[sqlite3.Connection] = []
_fork = threading.Lock()
_forking: list[Connection] = []


def _before_fork() -> None:
    _fork.acquire()
    with _opening:
        _forking.extend(_connections)
    for connection in _forking:
        connection.before_fork()
    _opening.acquire()  # last: a transaction under way may need it to come to its end


def _after_fork() -> None:
    _opening.release()
    while _forking:
        _forking.pop().after_fork()
    _fork.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
