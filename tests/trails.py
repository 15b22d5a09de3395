"""What several test files know of trails: a run, another process, and the tables as anybody with their tools sees them.

Other processes import this file: what takes long to import is imported where it is needed.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path

from guardrails.audit import Run, Worker, uuid7
from guardrails.audit._chain import GENESIS, link
from guardrails.audit._store import Entry, Text, canonical
from guardrails.exchange import Exchange, Message
from guardrails.outcome import Attempt, Cause, ConstitutionRef, Outcome, Status, Tokens, Usage
from guardrails.sentences import Edit
from guardrails.verdict import Decision, Verdict

CONTENT = canonical({"name": "acme-bank", "principles": ["no-promises", "balance"]})
WORDING = ConstitutionRef("acme-bank", "2.1.0", hashlib.sha256(CONTENT).hexdigest())
ROOT = Path(__file__).parents[1]


def a_run(reply: str = "It cannot fall. It costs 0.2%.", run_id: str = "", **labels: str) -> Run:
    """A reply that was revised once, with something in every field."""
    revised = reply.replace("cannot", "can")
    wrong = (
        Verdict("no-promises", Decision.VIOLATES, "rules", "It promises.", (1,), 90),
        Verdict("balance", Decision.UNDECIDED, "model", reason="The endpoint timed out.", failed=True),
    )
    right = (Verdict("no-promises", Decision.COMPLIES, "rules"), Verdict("balance", Decision.COMPLIES, "model"))
    outcome = Outcome(
        Status.REVISED,
        revised + " Risks apply.",
        run_id or uuid7(),
        WORDING,
        reply,
        cause=Cause.VIOLATION,
        verdicts=right,
        attempts=(
            Attempt(reply, wrong),
            Attempt(revised + " Risks apply.", right, (Edit(1, "It can fall."),), "Risks apply.", "model", 0),
        ),
        unjudged=("fees",),
        flags=("tone",),
        usage=Usage(Tokens(2, 900, 12, 800), Tokens(1, 500, 40), 1),
        elapsed=0.0125,
        unsafe=("allow_unjudged",),
    )
    return Run(
        Exchange([Message("system", "Be kind."), Message("user", "Is it safe?")], reply, ["Fact sheet"]),
        outcome,
        (Worker("rules"), Worker("model", "anthropic:claude-haiku-4-5", "ab" * 32)),
        (Worker("model", "anthropic:claude-haiku-4-5", "cd" * 32),),
        labels or {"case": "42", "user": "u7"},
        datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=UTC),
    )


def an_entry(run="r1", *texts, kind="outcome", time="2026-11-23T09:30:00.000000Z", **fields):
    """A record with these texts; an outcome has a status."""
    kept = tuple(Text(f"messages/{n}", os.urandom(16), text) for n, text in enumerate(texts or (b"Is it safe?",)))
    fields |= {"status": "released"} if kind == "outcome" else {}
    promised = {text.path: text.commitment for text in kept}
    return Entry({"schema": 2, "kind": kind, "run": run, "time": time, "texts": promised, "same": {}, **fields}, kept)


def is_chain(store):
    """All records, which must be numbered from 1 on and each continue the one before."""
    before, count, page = GENESIS, 0, store.page(None, 100)
    while page:
        for record in page:
            count += 1
            assert (record.seq, record.hash) == (count, link(before, record.body))
            assert {t.path: t.commitment for t in record.texts} == json.loads(record.body)["texts"]
            before = record.hash
        page = store.page(count + 1, 100)
    return count


# Other processes


def python(script: str, *args: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Another process, which knows what this file knows and what a trail takes."""
    head = f"""
import os, sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from trails import *
from guardrails.audit import AuditTrail, Run, uuid7
from guardrails.errors import AuditError
"""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [sys.executable, "-c", head + textwrap.dedent(script), *map(str, args)]
    return subprocess.Popen(command, text=True, env={**os.environ, **(env or {})}, **pipes)


def output(process: subprocess.Popen[str], code: int = 0) -> str:
    """What it printed, when it has ended with this exit code."""
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    return out


# The tables


@contextlib.contextmanager
def sql(path):
    """The file as anybody with SQLite sees it."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


class Psycopg:
    """A connection to PostgreSQL which takes statements as SQLite takes them."""

    def __init__(self, db):
        self._db = db

    def execute(self, query, values=()):
        return self._db.execute(query.replace("?", "%s"), values or None)


@contextlib.contextmanager
def tables(url):
    """The tables of either kind of store as anybody with the right tools sees them; `?` stands for a value."""
    if url.startswith("sqlite:///"):
        with sql(url.removeprefix("sqlite:///")) as db:
            yield db
        return
    import psycopg

    with psycopg.connect(url, autocommit=True) as db:
        db.execute("SET search_path = guardrails, pg_catalog")
        yield Psycopg(db)


@contextlib.contextmanager
def unguarded(place):
    """The tables at a URL or a path in the hands of somebody who can write anything: nothing refuses it."""
    url = place if str(place).startswith("postgresql:") else f"sqlite:///{str(place).removeprefix('sqlite:///')}"
    with tables(url) as db, _no_rules_of_sqlite(db) if url.startswith("sqlite") else _no_rules_of_postgres(db):
        yield db


@contextlib.contextmanager
def _no_rules_of_sqlite(db):
    """No triggers, no indexes, no computed columns."""
    plain = "CREATE TABLE records (seq INTEGER PRIMARY KEY, body TEXT, hash TEXT)"
    schema = "UPDATE sqlite_schema SET sql = ? WHERE name = 'records'"
    db.execute("PRAGMA synchronous = OFF")
    for kind, name in db.execute("SELECT type, name FROM sqlite_schema WHERE sql IS NOT NULL").fetchall():
        if kind in {"trigger", "index"}:
            db.execute(f"DROP {kind} {name}")
    (strict,) = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'records'").fetchone()
    db.execute("PRAGMA writable_schema = ON")
    db.execute(schema, (plain,))
    db.execute("PRAGMA writable_schema = RESET")
    yield
    db.execute("PRAGMA writable_schema = ON")
    db.execute(schema, (strict,))


@contextlib.contextmanager
def _no_rules_of_postgres(db):
    """No triggers, and no index that keeps a run's outcome the only one."""
    db.execute("SET session_replication_role = replica")
    db.execute("DROP INDEX IF EXISTS records_outcome_once_a_run")
    yield
