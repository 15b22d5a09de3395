"""Whether a trail's rules in PostgreSQL are still those that this library made."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from guardrails.audit._postgres_tables import COLUMNS, STATEMENTS

if TYPE_CHECKING:
    from psycopg import Connection

_TRIGGERS = """SELECT relname || '.' || tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
  WHERE relnamespace = 'guardrails'::regnamespace AND NOT tgisinternal AND tgenabled IN ('O', 'A')"""
_FUNCTIONS = "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'guardrails'::regnamespace"
_TRIGGER = re.compile(r"TRIGGER (\w+) .*? ON guardrails\.(\w+)", re.DOTALL)
_FUNCTION = re.compile(r"FUNCTION guardrails\.(\w+)\(\) RETURNS trigger .*? AS \$\$(.*?) \$\$", re.DOTALL)
_ASK = "The records fit each other; ask who may change the database, and compare with an export or a checkpoint."


def altered(db: Connection[Any]) -> str:
    """Which trigger, function or computed column is not as this library makes it; empty where all are."""
    made = "\n".join(STATEMENTS)
    triggers = {
        f"{table}.{name}" for name, table in re.findall(r"TRIGGER (\w+) .*? ON guardrails\.(\w+)", made, re.DOTALL)
    }
    functions = dict(
        re.findall(r"FUNCTION guardrails\.(\w+)\(\) RETURNS trigger .*? AS \$\$(.*?) \$\$", made, re.DOTALL)
    )
    for name in sorted(triggers ^ {name for (name,) in db.execute(_TRIGGERS)}):
        return _said(f"trigger {name!r}", "was added" if name not in triggers else "was removed")
    found = dict(db.execute(_FUNCTIONS).fetchall())
    for name in sorted(functions.keys() | found.keys()):
        if functions.get(name, "").strip() != found.get(name, "").strip():
            return _said(f"function {name!r}", "was altered")
    wrong = " OR ".join(f"{name} IS DISTINCT FROM {value}" for name, value in COLUMNS.items())
    for (seq,) in db.execute(f"SELECT seq FROM guardrails.records WHERE {wrong} LIMIT 1"):  # noqa: S608 - constants
        return _said("computed columns", f"were altered: record {seq} is listed as what it is not")
    return ""


def _said(what: str, how: str) -> str:
    return f"the database's own {what} {how}: what it forbids may have been done. {_ASK}"
