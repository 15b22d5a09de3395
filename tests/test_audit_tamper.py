"""What is left of a text: tampering is found, and what was masked or erased cannot be read or guessed any more."""

import contextlib
import hashlib
import json
import os
import random
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support import constitution, principle
from trails import CONTENT, a_run

from guardrails import Guard, labels
from guardrails.audit import AuditTrail, Run
from guardrails.audit._sqlite import SqliteStore
from guardrails.errors import AuditError
from guardrails.exchange import Exchange
from guardrails.testing import ScriptedModel, clean, edits, finding

ROOT = Path(__file__).parents[1]
MEMORY = Path("/dev/shm")
WHO = {"by": "M. Sato", "reason": "a request by the customer"}
EMAIL, CARD, KEY = "jane.doe@example.com", "4111 1111 1111 1111", "sk-ant-api03-Zk9vQ2xhdWRlLXNlY3JldC1rZXktMTIz"
HIDDEN = (EMAIL, "jane.doe", CARD, CARD.replace(" ", ""), CARD[5:], KEY, KEY[-12:])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.db"


@pytest.fixture
def trail(path):
    with AuditTrail.open(path) as trail:
        yield trail


def left(folder, *markers):
    """Which of these stand in some file of a folder, as bytes, whatever kind of file it is."""
    content = b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())
    return [marker for marker in markers if marker.encode() in content]


# Tampering


def test_every_kind_of_tampering_is_found_and_nothing_lawful_is_taken_for_it():
    env = {**os.environ, **({"TMPDIR": str(MEMORY)} if MEMORY.is_dir() else {})}
    script = ROOT / "benchmarks" / "tamper.py"
    done = subprocess.run([sys.executable, script, "10"], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_erased_while_a_trail_is_verified_is_no_false_alarm(trail, path):
    runs = [a_run() for _ in range(260)]
    for run in runs:
        trail.record(run, CONTENT)

    def erase(done):
        # In the page that was read already, in the next one, and one whose erasure comes to light before its texts.
        if done in {100, 200}:
            with AuditTrail.open(path) as other:
                for number in (done + 2, done + 30, done + 55):
                    other.erase(runs[number].outcome.run_id, **WHO)

    assert trail.verify(erase)
    assert trail.verify().records == 266


# Guessing


def guessed(folder, texts, commitments):
    """Which of these texts somebody finds who has every byte: any sixteen in a row may be the salt of any of them."""
    content = b"".join(file.read_bytes() for file in folder.iterdir())
    salts = {content[at : at + 16] for at in range(len(content) - 15)}
    return {text for text in texts for salt in salts if hashlib.sha256(salt + text.encode()).hexdigest() in commitments}


def test_a_short_text_that_was_erased_cannot_be_guessed_from_what_is_left(trail, path):
    said = {"yes": "Yes.", "no": "No.", "card": "4111 1111 1111 1111"}
    runs = {name: a_run(text) for name, text in said.items()}
    for run in runs.values():
        trail.record(run, CONTENT)

    def commitments(name):
        seq = trail.run(runs[name].outcome.run_id).seq
        with contextlib.closing(sqlite3.connect(path)) as db:
            (body,) = db.execute("SELECT body FROM records WHERE seq = ?", (seq,)).fetchone()
        return set(json.loads(body)["texts"].values())

    wanted = {name: commitments(name) for name in said}
    assert all(guessed(path.parent, said.values(), wanted[name]) == {text} for name, text in said.items())
    trail.erase(runs["yes"].outcome.run_id, runs["card"].outcome.run_id, **WHO)
    assert [guessed(path.parent, said.values(), wanted[name]) for name in said] == [set(), {"No."}, set()]
    trail.prune(datetime.now(UTC), **WHO)
    assert [guessed(path.parent, said.values(), wanted[name]) for name in said] == [set(), set(), set()]
    assert trail.verify()


# What stands in the files


def quoting():
    """A model that quotes what it is not to quote, in its critique and in its revision."""
    wrong = finding("privacy", sentences=[1], critique=f"It names {EMAIL}, {CARD} and {KEY}.")
    revised = edits({1: f"We know {EMAIL}, {CARD} and {KEY}, they say."})

    def judge(request):
        return clean() if "they say" in request.messages[-1].content else wrong

    return ScriptedModel(judge=judge, revise=lambda _: revised)


def guarded_runs(folder, redaction):
    """A reply and a stream that hold all of it, in prompt, context, reply, critique, revision and label."""
    told = f"I am {EMAIL}, my card is {CARD}, my key is {KEY}."
    with Guard(
        constitution(principle("privacy")), model=quoting(), audit=folder / "audit.db", redaction=redaction
    ) as g:
        with labels(user=EMAIL):
            outcome = g.review(told, f"You are {EMAIL} with {CARD} and {KEY}. {'Much more. ' * 3000}", context=[told])
            words = f"You are {EMAIL} with {CARD} and {KEY}. It is fine. ".split(" ")
            streamed = "".join(g.stream(told, [f"{word} " for word in words]))
        assert EMAIL in outcome.text
        assert CARD in streamed
        yield from (folder, g.audit)


def test_nothing_that_was_to_be_masked_stands_in_any_file(tmp_path):
    runs = guarded_runs(tmp_path, "redacted")
    next(runs)
    assert left(tmp_path, *HIDDEN) == [], "with the log of writes still there"
    assert (tmp_path / "audit.db-wal").stat().st_size
    assert left(tmp_path, "they say") == ["they say"]
    assert len(list(runs)) == 1
    assert left(tmp_path, *HIDDEN) == [], "after closing"


def test_nothing_of_an_erased_run_stands_in_any_file(tmp_path):
    runs = guarded_runs(tmp_path, "full")
    next(runs)
    trail = next(runs)
    assert left(tmp_path, *HIDDEN) == [EMAIL, "jane.doe", CARD, CARD[5:]], "a credential never goes in"
    trail.erase(*(run.run_id for run in trail.runs()), **WHO)
    assert left(tmp_path, *HIDDEN, "they say", "Much more") == []
    assert trail.verify()
    assert list(runs) == []
    assert left(tmp_path, *HIDDEN, "they say", "Much more") == []


def marked(rng):
    """A run with a marker of its own in every text, from a few bytes to many pages."""
    marker = f"{rng.getrandbits(96):024x}"
    filler = "".join(rng.choices("abcdefghij ", k=rng.choice([10, 300, 3000, 30_000])))
    run = a_run(f"It cannot fall, {marker}. {filler}. {marker}.")
    return marker, Run(Exchange(f"{marker}?", run.outcome.original, [f"{filler} {marker}"]), run.outcome)


@pytest.mark.parametrize("prunes", [False, True])
def test_nothing_of_the_erased_is_left_between_three_hundred_runs(prunes, trail, tmp_path):
    rng = random.Random(7 + prunes)
    runs = dict(marked(rng) for _ in range(300))
    for run in runs.values():
        trail.record(run, CONTENT)
        if rng.random() < 0.03:  # the log goes into the file in between
            trail.close()
    gone = rng.sample(sorted(runs), 100)
    assert left(tmp_path, *runs) == list(runs)
    if prunes:
        gone = list(runs)
        trail.prune(datetime.now(UTC), **WHO)
    else:
        trail.erase(*(runs[marker].outcome.run_id for marker in gone), **WHO)
    assert left(tmp_path, *runs) == [marker for marker in runs if marker not in gone]
    assert trail.verify()
    trail.close()
    assert left(tmp_path, *gone) == []


def test_erasing_says_so_where_a_reader_keeps_the_texts_and_works_when_it_is_gone(trail, path):
    marker, run = marked(random.Random(1))
    trail.record(run, CONTENT)
    hurried = AuditTrail(SqliteStore(path, timeout=0.1))
    with contextlib.closing(sqlite3.connect(path)) as reader, hurried:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM texts").fetchone()
        with pytest.raises(AuditError, match=r"may still stand in its files.* erase the same run once more"):
            hurried.erase(run.outcome.run_id, **WHO)
        assert left(path.parent, marker) == [marker]
        assert trail.run(run.outcome.run_id).run.outcome.original == ""
    trail.erase(run.outcome.run_id, **WHO)
    assert left(path.parent, marker) == []
    assert [act.kind for act in trail.acts()] == ["erase"]
