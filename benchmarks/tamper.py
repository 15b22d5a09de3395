"""Is every way to alter a trail found? Done at random places of a trail that has all kinds of records in it.

Printed for each kind of tampering: at how many places it was done, how often `verify` found it, and how often with
the checkpoint that was kept elsewhere. What is cut off, replaced, put back or computed anew passes without one, unless
whoever did it overlooked an erasure: a chain alone cannot show it. Then: how often `verify` raised a false alarm
after what is lawful. Ends with 1 where something was not found, or a false alarm was raised.

    python benchmarks/tamper.py [PLACES]
"""

import dataclasses
import hashlib
import itertools
import json
import random
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from trails import CONTENT, WORDING, a_run, sql, unguarded

from guardrails.audit import AuditTrail, StreamWindow, make_key, uuid7
from guardrails.audit._chain import GENESIS, link
from guardrails.audit._record import build
from guardrails.audit._sqlite_tables import _FIRST as FIRST
from guardrails.audit._store import canonical
from guardrails.errors import AuditError

WHO = {"by": "M. Sato", "reason": "a request by the customer"}


def a_stream(windows):
    run_id, asked = uuid7(), a_run()
    return [
        StreamWindow(run_id, number, WORDING, asked.exchange, f"Part {number}. ", asked.outcome.attempts, asked.labels)
        for number in range(1, windows + 1)
    ]


def an_outcome_of(stream):
    run = a_run(run_id=stream[0].run_id)
    return dataclasses.replace(run, outcome=dataclasses.replace(run.outcome, released="Part 1. Part 2. "))


def fill(trail, rng):
    """Some forty records: runs kept in full and masked, streams, and everything that people do about them.

    Returns the rows of the texts that were erased, as a backup would have them.
    """
    runs = [a_run(case=str(n)) for n in range(20)]
    for number, run in enumerate(runs):
        trail.record(dataclasses.replace(run, redaction="redacted") if number in {3, 10, 17} else run, CONTENT)
    ended, interrupted = a_stream(2), a_stream(3)
    for window in (*ended, *interrupted):
        trail.record(window, CONTENT)
    trail.record(an_outcome_of(ended), CONTENT)
    ids = [run.outcome.run_id for run in runs]
    rng.shuffle(ids)
    for run_id in ids[:4]:
        trail.decide(run_id, agrees=rng.choice([True, False]), note="It reads well.", by=WHO["by"])
    lifted = trail.hold("case", "3", **WHO)
    trail.hold("case", "4", **WHO)
    trail.lift(lifted, **WHO)
    held = {runs[4].outcome.run_id}
    backup = list(trail.records())
    trail.erase(next(run_id for run_id in ids if run_id not in held), **WHO)
    trail.erase(interrupted[0].run_id, **WHO)
    for _ in range(6):
        trail.record(a_run(), CONTENT)
    erased = {seq for act in trail.acts() for first, last in act.erases for seq in range(first, last + 1)}
    return [(record.seq, *text) for record in backup if record.seq in erased for text in record.texts]


class Copy:
    """A trail in the hands of somebody who can write anything, at one random place."""

    def __init__(self, db, rng, backup):
        self.db, self.rng, self.backup = db, rng, backup
        self.db.execute("PRAGMA synchronous = OFF")
        self.count = self.one("SELECT max(seq) FROM records")[0]

    def all(self, query, *values):
        return self.db.execute(query, values).fetchall()

    def one(self, query, *values):
        return self.db.execute(query, values).fetchone()

    def any(self, query, *values):
        return self.rng.choice(self.all(query, *values))

    def flip(self, table, column, where, *values):
        (data,) = self.one(f"SELECT CAST({column} AS BLOB) FROM {table} WHERE {where}", *values)  # noqa: S608 - our own
        place = self.rng.randrange(len(data))
        flipped = data[:place] + bytes([data[place] ^ self.rng.choice([1, 2, 4, 8, 16, 32])]) + data[place + 1 :]
        kind = "BLOB" if column in {"salt", "text", "content"} else "TEXT"
        self.db.execute(f"UPDATE OR REPLACE {table} SET {column} = CAST(? AS {kind}) WHERE {where}", (flipped, *values))  # noqa: S608 - our own

    def text(self):
        return self.any("SELECT seq, path FROM texts")

    def record(self, where="true"):
        return self.any(f"SELECT seq FROM records WHERE {where}")[0]  # noqa: S608 - our own

    def renumber(self, old, new):
        for table in ("records", "texts"):
            self.db.execute(f"UPDATE {table} SET seq = ? WHERE seq = ?", (new, old))  # noqa: S608 - our own

    def delete(self, where, *values):
        for table in ("texts", "records"):
            self.db.execute(f"DELETE FROM {table} WHERE {where}", values)  # noqa: S608 - our own

    def link(self):
        """Compute every hash anew, as somebody can who knows how."""
        before = GENESIS
        for number, body in self.all("SELECT seq, body FROM records ORDER BY seq"):
            written = canonical(json.loads(body) | {"seq": number})
            before = link(before, written)
            self.db.execute("UPDATE records SET body = ?, hash = ? WHERE seq = ?", (written.decode(), before, number))

    def edit(self, seq, **fields):
        (body,) = self.one("SELECT body FROM records WHERE seq = ?", seq)
        said = canonical(json.loads(body) | fields).decode()
        self.db.execute("UPDATE records SET body = ? WHERE seq = ?", (said, seq))


def flip_a_body(copy):
    copy.flip("records", "body", "seq = ?", copy.record())


def flip_a_hash(copy):
    copy.flip("records", "hash", "seq = ?", copy.record())


def flip_a_text(copy):
    copy.flip("texts", "text", "seq = ? AND path = ?", *copy.text())


def flip_a_salt(copy):
    copy.flip("texts", "salt", "seq = ? AND path = ?", *copy.text())


def flip_a_path(copy):
    copy.flip("texts", "path", "seq = ? AND path = ?", *copy.text())


def flip_the_constitution(copy):
    copy.flip("constitutions", "content", "true")


def delete_a_record(copy):
    copy.delete("seq = ?", copy.rng.randrange(1, copy.count))


def delete_a_record_and_leave_its_texts(copy):
    copy.db.execute("DELETE FROM records WHERE seq = ?", copy.text()[:1])


def delete_a_record_and_close_the_gap(copy):
    gone = copy.rng.randrange(1, copy.count)
    copy.delete("seq = ?", gone)
    for number in range(gone + 1, copy.count + 1):
        copy.renumber(number, number - 1)


def insert_a_record(copy):
    at, source = copy.record(), copy.record()
    copied = copy.one("SELECT body, hash FROM records WHERE seq = ?", source)
    for number in range(copy.count, at - 1, -1):
        copy.renumber(number, number + 1)
    copy.db.execute("INSERT INTO records (seq, body, hash) VALUES (?, ?, ?)", (at, *copied))


def insert_before_the_first(copy):
    copied = "INSERT INTO records (seq, body, hash) SELECT ?, body, hash FROM records WHERE seq = ?"
    copy.db.execute(copied, (copy.rng.choice([0, -1, -(2**63)]), copy.record()))


def swap_two_records(copy):
    one, other = copy.rng.sample(range(1, copy.count + 1), 2)
    for old, new in ((one, 10**6), (other, one), (10**6, other)):
        copy.renumber(old, new)


def swap_two_texts(copy):
    ours = copy.any("SELECT seq, path, salt, text FROM texts")
    other = copy.any("SELECT seq, path, salt, text FROM texts WHERE text != ?", ours[3])
    put = "UPDATE texts SET salt = ?, text = ? WHERE seq = ? AND path = ?"
    copy.db.execute(put, (*other[2:], *ours[:2]))
    copy.db.execute(put, (*ours[2:], *other[:2]))


def remove_a_text(copy):
    copy.db.execute("DELETE FROM texts WHERE seq = ? AND path = ?", copy.text())


def remove_all_texts_of_a_record(copy):
    """As erasing does, and as if one of the erasures that there are had been this one."""
    copy.db.execute("DELETE FROM texts WHERE seq = ?", copy.text()[:1])


def remove_texts_under_a_forged_erasure(copy):
    act, gone = copy.record('body LIKE \'%"kind":"erase"%\''), copy.text()[0]
    copy.db.execute("DELETE FROM texts WHERE seq = ?", (gone,))
    copy.edit(act, erases=[[gone, gone]])


def hide_a_text_in_the_path_of_another(copy):
    """Two texts become one, whose path spells the other's commitment."""
    seq = copy.any("SELECT seq FROM texts GROUP BY seq HAVING count(*) > 1")[0]
    rows = copy.all("SELECT path, salt, text FROM texts WHERE seq = ? ORDER BY path", seq)
    at = copy.rng.randrange(len(rows) - 1)
    (path, salt, text), (other, *_) = rows[at], rows[at + 1]
    spelt = f'{path}":"{hashlib.sha256(salt + text).hexdigest()}","{other}'
    copy.db.execute("DELETE FROM texts WHERE seq = ? AND path = ?", (seq, path))
    copy.db.execute("UPDATE texts SET path = ? WHERE seq = ? AND path = ?", (spelt, seq, other))


def move_the_beginning_of_a_text_into_its_salt(copy):
    seq, path = copy.text()
    salt, text = copy.one("SELECT salt, text FROM texts WHERE seq = ? AND path = ?", seq, path)
    place = copy.rng.randint(1, len(text))
    copy.db.execute(
        "UPDATE texts SET salt = ?, text = ? WHERE seq = ? AND path = ?", (salt + text[:place], text[place:], seq, path)
    )


def move_the_end_of_a_salt_into_its_text(copy):
    seq, path = copy.text()
    salt, text = copy.one("SELECT salt, text FROM texts WHERE seq = ? AND path = ?", seq, path)
    place = copy.rng.randrange(16)
    copy.db.execute(
        "UPDATE texts SET salt = ?, text = ? WHERE seq = ? AND path = ?", (salt[:place], salt[place:] + text, seq, path)
    )


def add_a_text(copy):
    row = copy.any("SELECT salt, text FROM texts")
    copy.db.execute("INSERT INTO texts VALUES (?, 'drafts/9', ?, ?)", (copy.record(), *row))


def bring_erased_texts_back(copy):
    """From a backup, salts and all."""
    seq = copy.rng.choice(copy.backup)[0]
    copy.db.executemany("INSERT INTO texts VALUES (?, ?, ?, ?)", [row for row in copy.backup if row[0] == seq])


def give_an_erased_record_other_texts(copy):
    seq, path, *_ = copy.rng.choice(copy.backup)
    copy.db.execute("INSERT INTO texts VALUES (?, ?, ?, ?)", (seq, path, b"s" * 16, b"We warned of every risk."))


def turn_a_decision_around(copy):
    act = copy.record('body LIKE \'%"kind":"decision"%\'')
    copy.edit(act, agrees=not json.loads(copy.one("SELECT body FROM records WHERE seq = ?", act)[0])["agrees"])


def move_a_decision_to_another_run(copy):
    act = copy.record('body LIKE \'%"kind":"decision"%\'')
    copy.edit(act, run=copy.any("SELECT json_extract(body, '$.run') FROM records WHERE body LIKE '%outcome%'")[0] + "x")  # noqa: S608 - our own


def lift_another_hold(copy):
    copy.edit(copy.record('body LIKE \'%"kind":"lift"%\''), hold=copy.count)


def hold_another_label(copy):
    copy.edit(copy.record('body LIKE \'%"kind":"hold"%\''), label="nobody")


def edit_one_and_its_own_hash(copy):
    seq = copy.rng.randrange(1, copy.count)
    copy.edit(seq, time="2026-01-01T00:00:00.000000Z")
    (before,) = copy.one("SELECT hash FROM records WHERE seq = ?", seq - 1) if seq > 1 else (GENESIS,)
    (body,) = copy.one("SELECT body FROM records WHERE seq = ?", seq)
    copy.db.execute("UPDATE records SET hash = ? WHERE seq = ?", (link(before, body.encode()), seq))


def truncate(copy):
    copy.delete("seq > ?", copy.rng.randrange(1, copy.count))


def recompute_after_an_edit(copy):
    copy.edit(copy.record(), time="2026-01-01T00:00:00.000000Z", guard={"mode": "lenient"})
    copy.link()


def recompute_after_another_text(copy):
    seq, path = copy.text()
    said = json.loads(copy.one("SELECT body FROM records WHERE seq = ?", seq)[0])["texts"]
    told = b"We warned of every risk."
    copy.db.execute("UPDATE texts SET salt = ?, text = ? WHERE seq = ? AND path = ?", (b"s" * 16, told, seq, path))
    copy.edit(seq, texts=said | {path: hashlib.sha256(b"s" * 16 + told).hexdigest()})
    copy.link()


def recompute_after_a_removed_text(copy):
    seq, path = copy.text()
    said = json.loads(copy.one("SELECT body FROM records WHERE seq = ?", seq)[0])["texts"]
    copy.db.execute("DELETE FROM texts WHERE seq = ? AND path = ?", (seq, path))
    copy.edit(seq, texts={key: value for key, value in said.items() if key != path})
    copy.link()


def recompute_after_a_forged_erasure(copy):
    """An erasure that there is gets one record more."""
    act = copy.record('body LIKE \'%"kind":"erase"%\'')
    gone = copy.any("SELECT seq FROM texts WHERE seq < ?", act)[0]
    (body,) = copy.one("SELECT body FROM records WHERE seq = ?", act)
    copy.db.execute("DELETE FROM texts WHERE seq = ?", (gone,))
    copy.edit(act, erases=[*json.loads(body)["erases"], [gone, gone]])
    copy.link()


def recompute_after_a_removed_decision(copy):
    gone = copy.record('body LIKE \'%"kind":"decision"%\'')
    copy.delete("seq = ?", gone)
    for number in range(gone + 1, copy.count + 1):
        copy.renumber(number, number - 1)
    copy.link()


PLAIN = [
    flip_a_body,
    flip_a_hash,
    flip_a_text,
    flip_a_salt,
    flip_a_path,
    flip_the_constitution,
    delete_a_record,
    delete_a_record_and_leave_its_texts,
    delete_a_record_and_close_the_gap,
    insert_a_record,
    insert_before_the_first,
    swap_two_records,
    swap_two_texts,
    remove_a_text,
    remove_all_texts_of_a_record,
    remove_texts_under_a_forged_erasure,
    hide_a_text_in_the_path_of_another,
    move_the_beginning_of_a_text_into_its_salt,
    move_the_end_of_a_salt_into_its_text,
    add_a_text,
    bring_erased_texts_back,
    give_an_erased_record_other_texts,
    turn_a_decision_around,
    move_a_decision_to_another_run,
    lift_another_hold,
    hold_another_label,
    edit_one_and_its_own_hash,
]
ANCHORED = [
    truncate,
    recompute_after_an_edit,
    recompute_after_another_text,
    recompute_after_a_removed_text,
    recompute_after_a_forged_erasure,
    recompute_after_a_removed_decision,
]


class Bench:
    """A sound trail in a folder, its checkpoint, an older copy of it, and what was done to copies."""

    def __init__(self, folder, seed):
        self.folder, self.rng = folder, random.Random(seed)  # noqa: S311 - no secret
        self.sound, self.old, self.copy = (folder / f"{name}.db" for name in ("sound", "old", "copy"))
        self.key = folder / "key.pem"
        make_key(self.key)
        with AuditTrail.open(self.sound) as trail:
            trail.record(a_run(), CONTENT)
        shutil.copy(self.sound, self.old)
        with AuditTrail.open(self.sound) as trail:
            self.backup = fill(trail, self.rng)
            self.checkpoint = trail.checkpoint(self.key)
            self.seen = seen(trail)

    def tamper(self, kind):
        """Do it to a copy; whether it is found without the checkpoint, and with it."""
        shutil.copy(self.sound, self.copy)
        with unguarded(self.copy) as db:
            kind(Copy(db, self.rng, self.backup))
        return self.verified(self.copy)

    def verified(self, path):
        with AuditTrail.open(path) as trail:
            return not trail.verify(), not trail.verify(checkpoints=[self.checkpoint])

    def replaced(self):
        """Another trail, of as many records."""
        path = self.folder / f"{uuid7()}.db"
        with AuditTrail.open(path) as trail:
            for _ in range(self.checkpoint.count + self.rng.randrange(3)):
                trail.record(a_run(), CONTENT)
        return self.verified(path)

    def replayed(self):
        """An older copy, as it was, or gone on from."""
        shutil.copy(self.old, self.copy)
        with AuditTrail.open(self.copy) as trail:
            for _ in range(self.rng.choice([0, 3, self.checkpoint.count])):
                trail.record(a_run(), CONTENT)
        return self.verified(self.copy)

    def flip_the_file(self):
        """One bit of the file itself, wherever it is: found, or nothing that can be read is another."""
        data = bytearray(self.sound.read_bytes())
        place = self.rng.randrange(len(data))
        data[place] ^= 1 << self.rng.randrange(8)
        self.copy.write_bytes(data)
        try:
            with AuditTrail.open(self.copy) as trail:
                shows = not trail.verify() or seen(trail) == self.seen
        except AuditError:
            shows = True
        return shows, shows

    def lawful(self, kind):
        """Do something lawful to a copy, in steps that are each verified; whether there was a false alarm."""
        shutil.copy(self.sound, self.copy)
        with AuditTrail.open(self.copy) as trail:
            kind(trail, self.rng)
            return not trail.verify() or not trail.verify(checkpoints=[self.checkpoint, trail.checkpoint(self.key)])


def seen(trail):
    """Everything that an auditor reads from a trail."""
    return list(trail.records()), list(trail.runs()), list(trail.queue()), list(trail.acts())


def some_runs(trail, rng):
    held = {
        run.run_id for run in trail.runs() if "case" in run.labels and trail.run(run.run_id).run.labels["case"] == "4"
    }
    ids = [run.run_id for run in trail.runs() if run.run_id not in held]
    return rng.sample(ids, rng.randint(1, len(ids)))


def erase(trail, rng):
    trail.erase(*some_runs(trail, rng), **WHO)
    trail.erase(*some_runs(trail, rng), **WHO)


def prune(trail, rng):
    times = sorted(run.time for run in trail.runs())
    trail.prune(rng.choice(times) + timedelta(seconds=rng.choice([0, 1])), **WHO)
    trail.record(a_run(), CONTENT)
    trail.prune(datetime.now(UTC), **WHO)


def decide(trail, rng):
    for run_id in some_runs(trail, rng):
        trail.decide(run_id, agrees=rng.choice([True, False]), by=WHO["by"], note=rng.choice(["", "Fine."]))


def hold_and_lift(trail, rng):
    numbers = [trail.hold(label, rng.choice(["", "7"]), **WHO) for label in ("case", "user", "nobody")]
    for number in rng.sample(numbers, 2):
        trail.lift(number, **WHO)
    trail.prune(datetime.now(UTC), **WHO)


def everything(trail, rng):
    for step in rng.sample([erase, prune, decide], 3):
        step(trail, rng)
        trail.record(a_run(), CONTENT)
    hold_and_lift(trail, rng)


LAWFUL = [erase, prune, decide, hold_and_lift, everything]


def a_trail_of_schema_1(path, count):
    """As the first version of the library wrote it: other tables, and bodies that say less."""
    with sql(path) as db:
        db.execute("PRAGMA journal_mode = WAL")
        for statement in FIRST:
            db.execute(statement)
        before = GENESIS
        for number in range(1, count + 1):
            entry = build(a_run(), CONTENT)
            fields = {key: value for key, value in entry.fields.items() if key != "redaction"}
            body = canonical(fields | {"schema": 1, "seq": number})
            before = link(before, body)
            db.execute("INSERT INTO records (seq, body, hash) VALUES (?, ?, ?)", (number, body.decode(), before))
            db.executemany("INSERT INTO texts VALUES (?, ?, ?, ?)", [(number, *text) for text in entry.texts])
            if number == 1:
                db.execute("INSERT INTO constitutions VALUES (?, ?)", (WORDING.digest, CONTENT))
        return before


def migrate(bench):
    """Read as it is, then written to by this version, erased and pruned; whether there was a false alarm."""
    path = bench.folder / f"{uuid7()}.db"
    head = a_trail_of_schema_1(path, count := bench.rng.randint(1, 12))
    with AuditTrail.open(path) as trail:
        verified = trail.verify()
        alarm = (verified.ok, verified.records, verified.head) != (True, count, head)
        checkpoint = trail.checkpoint(bench.key)
        trail.record(a_run(), CONTENT)
        trail.decide(next(trail.runs()).run_id, agrees=True, by=WHO["by"])
        erase(trail, bench.rng)
        return alarm or not trail.verify(checkpoints=[checkpoint])


def main():
    places = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = random.SystemRandom().randrange(2**32)
    print(f"{places} places of each kind; seed {seed}")
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), seed)
        print(f"{'tampering':42} {'places':>7} {'found':>7} {'with checkpoint':>16}")
        kinds = [*((kind.__name__, lambda kind=kind: bench.tamper(kind), True) for kind in PLAIN)]
        kinds += [("flip a bit of the file (or nothing changed)", bench.flip_the_file, True)]
        kinds += [*((kind.__name__, lambda kind=kind: bench.tamper(kind), False) for kind in ANCHORED)]
        kinds += [("replace the trail", bench.replaced, False), ("replay an old copy", bench.replayed, False)]
        for name, once, alone in kinds:
            plain, anchored = map(sum, zip(*(once() for _ in range(places)), strict=True))
            is_wrong = anchored < places or (plain == places) != alone
            wrong += is_wrong
            print(f"{name.replace('_', ' '):42} {places:7} {plain:7} {anchored:16}{'  WRONG' * is_wrong}", flush=True)
        print(f"\n{'lawful':42} {'places':>7} {'alarms':>7}")
        lawful = [(kind.__name__, lambda kind=kind: bench.lawful(kind)) for kind in LAWFUL]
        for name, once in (*lawful, ("migrate", lambda: migrate(bench))):
            alarms = sum(once() for _ in itertools.repeat(None, places))
            wrong += alarms
            print(f"{name.replace('_', ' '):42} {places:7} {alarms:7}", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
