"""Somebody who can write the database alters what erasing, holding and listing rest on: nothing follows from it."""

import contextlib
import sqlite3

import pytest
from trails import CONTENT, a_run

from guardrails import AuditTrail
from guardrails.errors import AuditError

WHY = {"by": "DPO", "reason": "Article 17"}
GONE = "DROP TRIGGER no_update_texts; DROP TRIGGER no_delete_texts; DROP TRIGGER no_insert_texts;"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.db"


@pytest.fixture
def trail(path):
    with AuditTrail.open(path) as trail:
        yield trail


def tampered(path, script):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(GONE + script)


def recorded(trail, count=1, **labels):
    runs = [a_run(**labels) for _ in range(count)]
    for run in runs:
        trail.record(run, CONTENT)
    return [run.outcome.run_id for run in runs]


@pytest.mark.parametrize(
    "script",
    [
        "UPDATE texts SET text = CAST('43' AS BLOB) WHERE path = 'labels/0'",
        "DELETE FROM texts WHERE path = 'labels/0'",
        "DELETE FROM texts WHERE path = 'original'",
    ],
)
def test_what_was_altered_is_not_erased_as_if_it_were_nothing(script, trail, path):
    """Erasing would do away with the evidence; and a label that is gone would let go of what is held."""
    (run_id,) = recorded(trail, case="42")
    trail.hold("case", "42", by="Legal", reason="Case 17")
    tampered(path, script)
    with pytest.raises(AuditError, match=r"record 1 cannot be trusted: the text '.*' (was altered|is missing)"):
        trail.erase(run_id, **WHY)
    assert trail.verify().seq == 1


def test_a_hold_that_was_altered_holds_up_every_erasure(trail, path):
    (run_id,) = recorded(trail, case="42")
    trail.hold("case", "42", by="Legal", reason="Case 17")
    tampered(path, "UPDATE texts SET text = CAST('43' AS BLOB) WHERE path = 'value'")
    with pytest.raises(AuditError, match="record 2 cannot be trusted: the text 'value' was altered"):
        trail.erase(run_id, **WHY)


def test_erased_texts_that_are_put_back_are_not_shown_as_genuine(trail, path):
    (run_id,) = recorded(trail)
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT * FROM texts").fetchall()
    trail.erase(run_id, **WHY)
    trail.close()
    tampered(path, "")
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executemany("INSERT INTO texts VALUES (?, ?, ?, ?)", [row for row in rows if row[0] == 1])
        db.commit()
    assert trail.verify().problem == "its texts were erased, and are there again"
    with pytest.raises(AuditError, match="its texts were erased, and are there again"):
        trail.run(run_id)


def test_a_salt_of_a_text_that_was_not_kept_is_vouched_for(path):
    from dataclasses import replace

    with AuditTrail.open(path) as trail:
        trail.record(replace(a_run(), redaction="commitments"))
        assert trail.verify()
        tampered(path, "UPDATE texts SET salt = randomblob(16) WHERE path = 'original'")
        assert trail.verify().problem == "a salt of it was altered"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("DROP TRIGGER no_update_records", "'no_update_records' was removed"),
        ("DROP INDEX records_time", "'records_time' was removed"),
        ("CREATE TRIGGER extra AFTER INSERT ON records BEGIN SELECT 1; END", "'extra' was added"),
        (
            (
                "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, '$.status', '$.other')"
                " WHERE name = 'records'"
            ),
            "'records' was altered",
        ),
    ],
)
def test_rules_that_are_not_the_librarys_are_named(script, says, trail, path):
    """The records may fit each other all the same: that is another question, and has another answer."""
    recorded(trail)
    assert trail.verify().note == ""
    trail.close()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(script)
    verified = trail.verify()
    assert verified
    assert says in verified.note


def test_a_file_that_was_brought_to_this_version_has_its_rules(path):
    from guardrails.audit._sqlite_tables import _FIRST

    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(";\n".join(_FIRST))
    with AuditTrail.open(path) as trail:
        assert trail.verify().note == ""
        recorded(trail)
        assert trail.verify().note == ""


def test_a_damaged_index_does_not_keep_a_reader_for_ever():
    from guardrails.audit._store import went_on

    assert went_on(None, 7) == went_on(6, 7) == 7
    with pytest.raises(AuditError, match="cannot be read past record 7: its index is damaged"):
        went_on(7, 7)
