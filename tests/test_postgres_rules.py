"""Whether the rules of a trail in PostgreSQL are still those that the library made."""

import pytest
from trails import CONTENT, a_run

from guardrails import AuditTrail

pytest_plugins = ["stores"]


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("ALTER TABLE guardrails.records DISABLE TRIGGER no_change", "trigger 'records.no_change' was removed"),
        ("DROP TRIGGER with_erasure ON guardrails.texts", "trigger 'texts.with_erasure' was removed"),
        (
            (
                "CREATE TRIGGER extra AFTER INSERT ON guardrails.records FOR EACH STATEMENT"
                " EXECUTE FUNCTION guardrails.refuse('x')"
            ),
            "trigger 'records.extra' was added",
        ),
        (
            (
                "CREATE OR REPLACE FUNCTION guardrails.refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RETURN NULL; END $$"
            ),
            "function 'refuse' was altered",
        ),
        (
            "ALTER TABLE guardrails.records DROP COLUMN status, ADD COLUMN status text",
            "computed columns were altered: record 1",
        ),
    ],
    ids=["disabled", "dropped", "added", "function", "column"],
)
def test_rules_that_are_not_the_librarys_are_named(statement, says, database):
    import psycopg

    with AuditTrail.open(database) as trail:
        trail.record(a_run(), CONTENT)
        assert (bool(trail.verify()), trail.verify().note) == (True, "")
        with psycopg.connect(database, autocommit=True) as db:
            db.execute(statement)
        verified = trail.verify()
    assert verified
    assert says in verified.note
