"""What PostgreSQL's errors mean for a trail, and what to do about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardrails.audit._postgres_tables import REFUSED
from guardrails.audit._store import RefusedError
from guardrails.errors import AuditError

if TYPE_CHECKING:
    import psycopg

# By SQLSTATE, by its class, or for what has none, as when there is no connection
# (PostgreSQL's documentation, appendix A).
_ADVICE = {
    "22": "It is not as this library wrote it; `guardrails audit verify` names the record.",
    "23": "The trail refuses it; each run is recorded once.",
    "25006": "It can only be read: a standby, perhaps. Name the primary, as with target_session_attrs=read-write.",
    "40": "It collided with another transaction; try again.",
    "42501": "Its owner has to grant the role its rights: see the head of guardrails/audit/_postgres.py.",
    "42": "It is not as this library wrote it; `guardrails audit verify` names the record.",
    "53100": "The server's disk is full; free space on it, then go on.",
    "53300": "The server has too many connections; end some, raise max_connections, or put a pooler before it.",
    "53": "The server lacks memory or space; look at its log.",
    "54": "It is larger than PostgreSQL takes; shorten the run's id, say.",
    "55P03": "Another session holds it locked; find it in pg_locks, and end its transaction, or wait.",
    "57014": "The server was too slow, or somebody cancelled it; look at its load and its locks.",
    "57P": "The server went down, or ended the connection; when it is up again, go on.",
    "58": "The server's disk failed; look at its health, and at the server's log.",
    "XX": "It is damaged, or the server has a fault; look at the server's log, and restore the last good copy.",
    "": "Look whether the server runs, and whether host, port, database, user and password (PGPASSWORD, or"
    " ~/.pgpass) are right.",
}


def failure(name: str, error: psycopg.Error, done: str) -> AuditError:
    """An error as the callers of a trail see it: without details, which would quote rows."""
    state = error.sqlstate or ""
    advice = next(_ADVICE[start] for start in (state, state[:3], state[:2], "") if start in _ADVICE)
    kind = RefusedError if state[:2] in {"23", "54"} or state == REFUSED else AuditError
    return kind(f"the audit trail {name} cannot be {done}: {error.diag.message_primary or line(error)}. {advice}")


def line(error: Exception) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()).rstrip(".")
