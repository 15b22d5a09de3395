"""The tables of a trail in PostgreSQL, with its rules as triggers; how those of an earlier version become these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.audit._store import TABLES, known_tables
from guardrails.errors import AuditError

if TYPE_CHECKING:
    from psycopg import Connection

REFUSED = "GR001"
"""The SQLSTATE of what the trail's rules refuse."""

_TABLES = {"meta", "records", "texts", "constitutions"}


def _field(key: str) -> str:
    # The key of a canonical body: no string holds a quote that is not escaped. PostgreSQL's own JSON types
    # take neither \u0000 nor half a surrogate pair, and a label's name may be anything.
    return rf"""substring(split_part(body, '"{key}":"', 2) FROM '^(?:[^"\\]|\\.)+')"""


COLUMNS = {key: _field(key) for key in ("run", "time", "status", "kind")}
"""What is computed from a body."""


def _computed(key: str) -> str:
    return f"""{key} text COLLATE "C" GENERATED ALWAYS AS ({COLUMNS[key]}) STORED"""


def _function(name: str, body: str, declare: str = "") -> str:
    # With a search path of the caller's, the operators below could be the caller's own.
    return (
        f"CREATE FUNCTION guardrails.{name}() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS"
        f" $${declare} BEGIN {body} END $$"
    )


def _refusal(events: str, table: str, why: str) -> str:
    return (
        f"CREATE TRIGGER no_change BEFORE {events} ON guardrails.{table} FOR EACH STATEMENT"
        f" EXECUTE FUNCTION guardrails.refuse('{why}')"
    )


_SECOND = (
    "CREATE TABLE guardrails.meta (name text PRIMARY KEY, value text NOT NULL)",
    # The indexed columns are computed from the body, so that an index can say nothing else than it does.
    f"""CREATE TABLE guardrails.records (
           seq bigint PRIMARY KEY,
           body text COLLATE "C" NOT NULL,
           hash text COLLATE "C" NOT NULL,
           {", ".join(map(_computed, COLUMNS))}
         )""",
    "CREATE INDEX records_run ON guardrails.records (run)",
    "CREATE UNIQUE INDEX records_outcome_once_a_run ON guardrails.records (run) WHERE status IS NOT NULL",
    "CREATE INDEX records_time ON guardrails.records (time)",
    "CREATE INDEX records_acts ON guardrails.records (seq) WHERE kind NOT IN ('outcome', 'window')",
    """CREATE TABLE guardrails.texts (
         seq bigint NOT NULL,
         path text COLLATE "C" NOT NULL,
         salt bytea NOT NULL,
         text bytea NOT NULL,
         PRIMARY KEY (seq, path)
       )""",
    # Statistics hold copies of frequent values, and nothing would erase those.
    "ALTER TABLE guardrails.texts ALTER text SET STATISTICS 0, ALTER salt SET STATISTICS 0",
    """CREATE TABLE guardrails.constitutions (digest text COLLATE "C" PRIMARY KEY, content bytea NOT NULL)""",
    "INSERT INTO guardrails.meta VALUES ('schema', '2')",
    _function("refuse", "RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'GR001';"),
    _refusal("INSERT OR UPDATE OR DELETE OR TRUNCATE", "meta", "a trail is what it was made as"),
    _refusal("UPDATE OR DELETE OR TRUNCATE", "records", "records are never changed or deleted"),
    _refusal("UPDATE OR DELETE OR TRUNCATE", "constitutions", "constitutions are never changed or deleted"),
    _refusal("UPDATE OR TRUNCATE", "texts", "texts are never changed"),
    _function(
        "records_come_in_order",
        """IF NEW.seq IS DISTINCT FROM (SELECT coalesce(max(seq), 0) + 1 FROM guardrails.records) THEN
              RAISE EXCEPTION 'records are appended in order' USING ERRCODE = 'GR001';
            END IF;
            RETURN NEW;""",
    ),
    """CREATE TRIGGER in_order BEFORE INSERT ON guardrails.records FOR EACH ROW
         EXECUTE FUNCTION guardrails.records_come_in_order()""",
    _function(
        "texts_come_with_their_record",
        """IF EXISTS (SELECT FROM (SELECT DISTINCT seq FROM added) AS come WHERE pg_current_xact_id()::xid
              IS DISTINCT FROM (SELECT own.xmin FROM guardrails.records AS own WHERE own.seq = come.seq)) THEN
              RAISE EXCEPTION 'texts are added with their record' USING ERRCODE = 'GR001';
            END IF;
            RETURN NULL;""",
    ),
    """CREATE TRIGGER with_record AFTER INSERT ON guardrails.texts REFERENCING NEW TABLE AS added
         FOR EACH STATEMENT EXECUTE FUNCTION guardrails.texts_come_with_their_record()""",
    _function(
        "texts_go_with_an_erasure",
        r"""SELECT range_agg(int8range((pair ->> 0)::bigint, (pair ->> 1)::bigint, '[]')) INTO erased
             FROM guardrails.records AS act,
               jsonb_array_elements(substring(act.body FROM '"erases":(\[[][0-9,]*\])')::jsonb) AS pair
             WHERE act.seq = (SELECT max(seq) FROM guardrails.records) AND act.kind = 'erase';
             IF EXISTS (SELECT FROM gone WHERE (gone.seq <@ erased) IS NOT TRUE) THEN
               RAISE EXCEPTION 'texts go only with the record that erases them' USING ERRCODE = 'GR001';
             END IF;
             RETURN NULL;""",
        "DECLARE erased int8multirange;",
    ),
    """CREATE TRIGGER with_erasure AFTER DELETE ON guardrails.texts REFERENCING OLD TABLE AS gone
         FOR EACH STATEMENT EXECUTE FUNCTION guardrails.texts_go_with_an_erasure()""",
)

_STEPS = {2: _SECOND}
"""What makes each version of the one before it."""

STATEMENTS = tuple(statement for step in _STEPS.values() for statement in step)
"""All of them."""


def prepare(url: str, db: Connection[Any], *, write: bool) -> None:
    """See to it, in a transaction of the connection, that the tables are there and current; reading takes them as is.

    Raises:
        AuditError: it is no trail, or one of a later version.
    """
    version = _version(url, db)
    if version is None and not write:
        raise AuditError(
            f"there is no audit trail in {url} yet. The first record makes one; look at the database's name."
        )
    if version == TABLES or not write:
        return
    # Where somebody made the schema for this role, it needs no right to make one.
    if db.execute("SELECT to_regnamespace('guardrails') IS NULL").fetchone() == (True,):
        db.execute("CREATE SCHEMA guardrails")
    for number, statements in _STEPS.items():
        for statement in statements if number > (version or 0) else ():
            db.execute(statement)


def _version(url: str, db: Connection[Any]) -> int | None:
    """The schema of the trail that is there, None where there is none."""
    query = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('guardrails') AND relkind IN ('r', 'p')"
    tables = {name for (name,) in db.execute(query)}
    if not tables:
        return None
    known = tables >= _TABLES
    row = db.execute("SELECT value FROM guardrails.meta WHERE name = 'schema'").fetchone() if known else None
    return known_tables(url, row and row[0], f"the schema guardrails in {url} is not an audit trail.")
