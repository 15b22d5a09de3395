"""A trail, whatever store it is in: what it keeps, what it refuses, what it finds, and who may write at a time."""

import hashlib
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import flip, runs
from trails import CONTENT, WORDING, a_run, an_entry, output, python, tables, unguarded

from guardrails.audit import AuditTrail, Run, RunSummary, Verification, Worker, uuid7
from guardrails.audit._acts import erasure
from guardrails.audit._chain import GENESIS, link
from guardrails.audit._group import Group
from guardrails.audit._record import build
from guardrails.audit._store import Entry, Filter, RefusedError, Text, canonical, open_store
from guardrails.errors import AuditError
from guardrails.exchange import Exchange
from guardrails.outcome import Attempt, Cause, Outcome, Status
from guardrails.sentences import Edit
from guardrails.verdict import Decision, Verdict

pytest_plugins = ["stores"]


@pytest.fixture
def trail(url):
    with AuditTrail.open(url) as trail:
        yield trail


@pytest.fixture
def store(url):
    with closing(open_store(url)) as store:
        yield store


def fill(url, runs):
    """Record runs, all in one transaction."""
    with closing(open_store(url)) as store:
        store.append([build(run, CONTENT) for run in runs])


def examples(url, number):
    """So many examples in a file, and fewer where each is asked of a server."""
    return settings(deadline=None, max_examples=number if url.startswith("sqlite") else max(2, number // 6))


# What is kept


def test_a_run_comes_back_whole(trail):
    run = a_run()
    seq = trail.record(run, CONTENT)
    stored = trail.run(run.outcome.run_id)
    assert stored.run == run
    assert (stored.seq, stored.constitution) == (seq, CONTENT)


def test_another_process_reads_a_record_whoever_made_it_was_killed(url):
    killed = """
        run = a_run(run_id="r1")
        AuditTrail.open(sys.argv[1]).record(run, CONTENT)
        os.kill(os.getpid(), 9)
    """
    output(python(killed, url), code=-9)
    with AuditTrail.open(url) as trail:
        assert trail.run("r1").run == a_run(run_id="r1")
        assert trail.record(a_run()) == 2
        assert trail.verify()


def test_every_run_comes_back_whole_whatever_its_texts(trail, url):
    @examples(url, 150)
    @given(runs())
    def comes_back(run):
        trail.record(run, CONTENT)
        assert trail.run(run.outcome.run_id).run == run

    comes_back()
    assert trail.verify()


def strings(value):
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from strings(item)


def test_bodies_hold_ids_numbers_enums_and_digests_only(trail):
    free = {}

    def text(name):
        return free.setdefault(name, f"free text {name}")

    verdict = Verdict("balance", Decision.UNDECIDED, "model", text("critique"), (), None, text("reason"))
    other = Verdict("balance", Decision.UNDECIDED, "model", text("last critique"), (), None, text("last reason"))
    attempt = Attempt(text("draft"), (verdict,), (Edit(1, text("edit")),), text("append"), "model", 0)
    outcome = Outcome(
        Status.BLOCKED,
        text("fallback"),
        uuid7(),
        WORDING,
        text("original"),
        cause=Cause.UNDECIDED,
        reply={"native": text("native")},
        released=text("released"),
        verdicts=(other,),
        attempts=(attempt,),
    )
    exchange = Exchange(text("message"), outcome.original, [text("context")])
    trail.record(Run(exchange, outcome, (Worker("model", "m", "ab" * 32),), (), {"case": text("label")}), CONTENT)
    (record,) = trail.records()
    body, kept = record.body.decode(), {text.text.decode() for text in record.texts}
    assert "free text" not in body
    assert kept == set(free.values()) - {free["native"]}
    allowed = {"outcome", "blocked", "undecided", "balance", "model", "m", "acme-bank", "2.1.0", "user", "case"}
    paths = r"[a-z]+(/\d+)?(/[a-z]+(/[a-z]+)?(/\d+)?)?"
    digests_and_ids = re.compile(rf"[0-9a-f]{{64}}|{outcome.run_id}|\d{{4}}-\d\d-\d\dT[\d:.]{{15}}Z|{paths}|")
    assert [s for s in strings(json.loads(body)) if s not in allowed and not digests_and_ids.fullmatch(s)] == []


def test_a_text_is_kept_once_a_record_and_salted_anew_in_the_next(trail):
    trail.record(a_run())
    trail.record(a_run())
    one, two = trail.records()
    for record in (one, two):
        texts = [text.text for text in record.texts]
        assert len(texts) == len(set(texts))
    salts = [text.salt for record in (one, two) for text in record.texts]
    assert len(salts) == len(set(salts))
    assert {len(salt) for salt in salts} == {16}
    promised, again = (set(json.loads(record.body)["texts"].values()) for record in (one, two))
    assert not promised & again


def test_a_constitution_is_kept_once(trail, url):
    for _ in range(3):
        trail.record(a_run(), CONTENT)
    with tables(url) as db:
        assert db.execute("SELECT digest, content FROM constitutions").fetchall() == [(WORDING.digest, CONTENT)]


def test_a_constitution_has_the_digest_of_its_content(trail):
    with pytest.raises(AuditError, match="has another digest"):
        trail.record(a_run(), CONTENT + b" ")
    with pytest.raises(AuditError, match="there is no audit trail"):
        trail.verify()


def test_index_columns_say_what_the_body_says(trail, url):
    run = a_run()
    trail.record(run)
    with tables(url) as db:
        row = db.execute("SELECT run, time, status FROM records").fetchone()
    assert row == (run.outcome.run_id, "2026-11-23T09:30:00.123456Z", "revised")


def test_the_time_of_a_run_has_a_zone():
    with pytest.raises(ValueError, match="time zone"):
        Run(Exchange("Hi", "Hello."), a_run().outcome, time=datetime(2026, 11, 23))  # noqa: DTZ001 - the point


def test_ids_are_uuids_of_version_7_in_order():
    made = [uuid7() for _ in range(1000)]
    assert sorted(set(made)) == made
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", i) for i in made)


def test_a_batch_is_stored_whole_or_not_at_all(store):
    store.append([an_entry("r1")])
    with pytest.raises(RefusedError, match="each run is recorded once"):
        store.append([an_entry("r2"), an_entry("r1"), an_entry("r3")])
    assert list(store.append([an_entry("r2"), an_entry("r3", kind="window")])) == [2, 3]
    assert AuditTrail(store).verify().records == 3


def test_of_callers_whose_records_go_together_only_the_refused_one_fails(store):
    store.append([an_entry("r0")])
    group = Group(store.append)

    def record(number):
        try:
            return group.append(an_entry(f"r{number % 30}"))
        except RefusedError:
            return None

    with ThreadPoolExecutor(16) as pool:
        numbers = list(pool.map(record, range(60)))
    assert sorted(n for n in numbers if n) == list(range(2, 31))
    assert AuditTrail(store).verify().records == 30


def test_an_error_names_no_text(store):
    entry = an_entry("r1", b"The card is 4111 1111 1111 1111, she said.")
    store.append([entry])
    with pytest.raises(AuditError) as caught:
        store.append([Entry({**entry.fields, "run": "r2"}, entry.texts * 2)])
    assert "4111" not in str(caught.value)
    assert AuditTrail(store).verify().records == 1


def test_erasing_and_recording_go_together_in_one_batch(store):
    store.append([an_entry("r1"), an_entry("r2")])
    store.append([an_entry("r3"), erasure(None, ((1, 1),), by="a", reason="b"), an_entry("r4")])
    assert [record.seq for record in store.page(None, 10) if record.texts] == [2, 3, 4, 5]


# What is read


def test_runs_are_listed_newest_first(trail, url):
    recorded = [f"run-{number:03}" for number in reversed(range(230))]  # more than two pages
    fill(url, [a_run(run_id=run_id) for run_id in reversed(recorded)])
    assert [run.run_id for run in trail.runs()] == recorded
    assert [run.run_id for run in trail.runs(limit=105)] == recorded[:105]
    assert list(trail.runs(limit=0)) == []


def test_a_summary_says_what_the_outcome_says(trail):
    run = a_run()
    trail.record(run)
    (summary,) = trail.runs()
    assert summary == RunSummary(
        run_id=run.outcome.run_id,
        seq=1,
        time=run.time,
        status=Status.REVISED,
        cause=Cause.VIOLATION,
        constitution=WORDING,
        enforced=True,
        at_fault=("no-promises", "balance"),
        unjudged=("fees",),
        flags=("tone",),
        labels=("case", "user"),
        revisions=1,
        elapsed=0.0125,
        undecided=(),
        usage=run.outcome.usage,
        redaction="full",
        unsafe=("allow_unjudged",),
    )


def test_a_run_is_found_by_the_beginning_of_its_id(trail):
    for run_id in ("0198-aa", "0198-ab", "0199", "0199-longer", "é", "é%_*"):
        trail.record(a_run(run_id=run_id))
    assert trail.run("0198-aa").seq == 1
    assert trail.run("0198-ab").seq == 2
    assert trail.run("0199").seq == 3, "the whole id wins over a longer one"
    assert trail.run("0199-").seq == 4
    assert trail.run("é%").seq == 6
    with pytest.raises(AuditError, match=r"several runs begin with '0198': 0198-aa, 0198-ab\. Give more"):
        trail.run("0198")
    for unknown in ("0200", "%", "", "0198-aaa", "\ud800", "\0"):
        with pytest.raises(AuditError, match="no run of this trail has an id that begins with"):
            trail.run(unknown)


def test_verify_tells_how_far_it_is(trail, url):
    fill(url, [a_run() for _ in range(230)])
    told = []
    assert str(trail.verify(told.append)) == "internally consistent; not anchored: 230 records"
    assert told == [100, 200, 230]


def test_pages_are_cut_where_texts_are_large_but_always_hold_a_record(store):
    store.append([an_entry(f"r{number}", b"x" * 3_000_000) for number in range(5)])
    store.append([an_entry(f"r{number}", b"y" * 9_000_000) for number in (5, 6)])
    pages, first = [], None
    while page := store.page(first, 100):
        pages.append(page)
        first = page[-1].seq + 1
    assert [record.seq for page in pages for record in page] == list(range(1, 8))
    assert max(sum(len(text.text) for record in page for text in record.texts) for page in pages) < 18_000_000
    assert AuditTrail(store).verify().records == 7
    assert store.of_run("r6")[0].texts[0].text == b"y" * 9_000_000


def test_a_runs_record_is_its_outcome_or_the_first_window_of_a_stream_that_came_to_none(store):
    windows = [an_entry(run, kind="window", number=n) for run in ("r1", "r2") for n in (1, 2, 11)]
    store.append([*windows, an_entry("r2"), an_entry("r3"), an_entry("r1", kind="decision", agrees=True)])
    assert [record.seq for record in store.newest(None, 10)] == [8, 7, 1]
    assert [record.seq for record in store.newest(8, 1)] == [7]
    assert store.find("r", 10) == [("r1", 1), ("r2", 7), ("r3", 8)]
    assert [record.seq for record in store.of_run("r1")] == [1, 2, 3, 9]
    assert [(record.seq, len(record.texts)) for record in store.acts(0, 10)] == [(9, 1)]
    assert store.acts(9, 10) == []


def test_filters_keep_what_fits_all_of_them(store):
    unkept = an_entry("r4")
    store.append(
        [
            an_entry("r1", b"u7", time="2026-01-01T00:00:00.000000Z", flags=["tone"]),
            an_entry("r2", b"u8", b"u7", time="2026-02-01T00:00:00.000000Z"),
            an_entry("r3", b"u8", time="2026-03-01T00:00:00.000000Z", flags=["tone"]),
            Entry(unkept.fields, (Text("messages/0", b"salt", None),)),
        ]
    )

    def found(**only):
        return [record.seq for record in store.newest(None, 10, Filter(**only))]

    assert found(since="2026-02", until="2026-03-02") == [3, 2]
    assert found(holds=(('"flags":["tone"]', '"x":1'),)) == [3, 1]
    assert found(holds=(('"flags":["tone"]',), ('"run":"r3"',))) == [3]
    assert found(holds=((),)) == []
    assert found(texts=((b"u7",),)) == [4, 2, 1]
    assert found(texts=((b"u7", b"u9"), (b"u8",))) == [4, 2]


# What is refused


def test_a_run_is_recorded_once(trail):
    run = a_run()
    trail.record(run)
    with pytest.raises(AuditError, match="each run is recorded once"):
        trail.record(run)
    trail.record(a_run())
    assert trail.verify().records == 2


def test_a_trail_of_a_later_version(trail, url):
    trail.record(a_run())
    trail.close()
    with unguarded(url) as db:
        db.execute("UPDATE meta SET value = '3'")
    for use in (lambda: trail.record(a_run()), trail.verify):
        with pytest.raises(AuditError, match=r"has schema 3, and this version of the library knows 2\. Upgrade"):
            use()


def test_a_record_that_fails_half_way_leaves_nothing(trail):
    trail.record(a_run())
    run = a_run()
    object.__setattr__(run.outcome, "unjudged", ({"not", "JSON"},))
    with pytest.raises(TypeError):
        trail.record(run)
    assert trail.record(a_run()) == 2
    assert trail.verify().records == 2


# What is found


class SqliteSound:
    """A trail of thirty records, and copies of it."""

    def __init__(self, folder):
        self._sound, self._copy = folder / "sound.db", folder / "copy.db"
        fill(f"sqlite:///{self._sound}", [a_run() for _ in range(30)])

    def copy(self):
        return f"sqlite:///{shutil.copy(self._sound, self._copy)}"


class PostgresSound:
    """The same; a copy of the tables is quicker than one of the database."""

    TABLES = ("meta", "records (seq, body, hash)", "texts (seq, path, salt, text)", "constitutions")

    def __init__(self, url):
        self._url = url
        fill(url, [a_run() for _ in range(30)])
        with tables(url) as db:
            db.execute("CREATE SCHEMA sound")
            for name in ("meta", "records", "texts", "constitutions"):
                db.execute(f"CREATE TABLE sound.{name} AS TABLE guardrails.{name}")

    def copy(self):
        with unguarded(self._url) as db:
            for table in self.TABLES:
                name, _, columns = table.partition(" ")
                db.execute(f"TRUNCATE {name}")
                db.execute(f"INSERT INTO {table} SELECT {columns.strip('()') or '*'} FROM sound.{name}")
        return self._url


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def sound(request, tmp_path_factory):
    if request.param == "sqlite":
        return SqliteSound(tmp_path_factory.mktemp("sound"))
    return PostgresSound(request.getfixturevalue("postgres").create())


def tamper(db, kind, seq, draw) -> int:  # noqa: C901, PLR0912 - one case a kind
    """Do one thing to the trail; returns the number of the record that it shows at."""
    path = draw(st.sampled_from([row[0] for row in db.execute("SELECT path FROM texts WHERE seq = ?", (seq,))]))
    one = "WHERE seq = ? AND path = ?"
    match kind:
        case "flip a body" | "flip a hash":
            column = kind.split()[-1]
            (text,) = db.execute(f"SELECT {column} FROM records WHERE seq = ?", (seq,)).fetchone()
            flipped = flip(text.encode(), draw).decode()
            db.execute(f"UPDATE records SET {column} = ? WHERE seq = ?", (flipped, seq))
        case "delete a record":
            seq = min(seq, 29)  # the last one is for an anchor to miss
            db.execute("DELETE FROM records WHERE seq = ?", (seq,))
            if draw(st.booleans()):
                db.execute("DELETE FROM texts WHERE seq = ?", (seq,))
        case "delete the last record, not its texts":
            seq = 30
            db.execute("DELETE FROM records WHERE seq = 30")
        case "insert a record":
            for number in range(30, seq - 1, -1):
                db.execute("UPDATE records SET seq = seq + 1 WHERE seq = ?", (number,))
            copied = "INSERT INTO records (seq, body, hash) SELECT ?, body, hash FROM records WHERE seq = ?"
            db.execute(copied, (seq, 1 if seq > 1 else 31))
        case "insert one before the first":
            number = draw(st.sampled_from([0, -1, -(2**63)]))
            db.execute(
                "INSERT INTO records (seq, body, hash) SELECT ?, body, hash FROM records WHERE seq = 1", (number,)
            )
            return number
        case "swap two records":
            other = draw(st.integers(1, 30).filter(lambda number: number != seq))
            for table in ("records", "texts"):
                for old, new in ((seq, 99), (other, seq), (99, other)):
                    db.execute(f"UPDATE {table} SET seq = ? WHERE seq = ?", (new, old))
            return min(seq, other)
        case "alter a text" | "alter a salt":
            column = kind.split()[-1]
            (data,) = db.execute(f"SELECT {column} FROM texts {one}", (seq, path)).fetchone()
            db.execute(f"UPDATE texts SET {column} = ? {one}", (flip(data, draw), seq, path))
        case "remove a text":
            db.execute(f"DELETE FROM texts {one}", (seq, path))
        case "add a text":
            db.execute("INSERT INTO texts VALUES (?, 'drafts/9', ?, ?)", (seq, b"\0", b"\0"))
        case "move a text":
            db.execute(f"UPDATE texts SET path = 'drafts/9' {one}", (seq, path))
        case "alter the constitution":
            (data,) = db.execute("SELECT content FROM constitutions").fetchone()
            db.execute("UPDATE constitutions SET content = ?", (flip(data, draw),))
            return 1
        case "remove the constitution":
            db.execute("DELETE FROM constitutions")
            return 1
    return seq


TAMPERINGS = [
    "flip a body",
    "flip a hash",
    "delete a record",
    "delete the last record, not its texts",
    "insert a record",
    "insert one before the first",
    "swap two records",
    "alter a text",
    "alter a salt",
    "remove a text",
    "add a text",
    "move a text",
    "alter the constitution",
    "remove the constitution",
]


@pytest.mark.parametrize("kind", TAMPERINGS)
def test_tampering_is_found_and_the_first_record_that_shows_it_is_named(kind, sound):
    @examples(sound.copy(), 24)
    @given(st.data())
    def found(data):
        copy = sound.copy()
        with unguarded(copy) as db:
            shows = tamper(db, kind, data.draw(st.integers(1, 30)), data.draw)
        with AuditTrail.open(copy) as trail:
            verification = trail.verify()
        assert not verification
        assert verification.seq == shows
        assert verification.problem
        assert str(verification).startswith(f"record {shows}")

    found()


def test_an_altered_record_is_not_shown_as_if_it_were_genuine(sound):
    copy = sound.copy()
    with unguarded(copy) as db:
        db.execute("UPDATE texts SET text = ? WHERE seq = 7 AND path = 'original'", (b"A",))
    with AuditTrail.open(copy) as trail:
        runs = list(trail.runs())
        with pytest.raises(AuditError, match=r"record 7 \(run .*\) cannot be trusted: the text 'original' was altered"):
            trail.run(runs[-7].run_id)
        assert trail.run(runs[0].run_id).seq == 30
        assert str(trail.verify()) == f"record 7 (run {runs[-7].run_id}): the text 'original' was altered"


@pytest.mark.parametrize("old", ['"principle"', '"attempts":[{', '"schema":2', "T09:30", '{"abandoned"'])
def test_a_list_with_an_altered_record_names_it_or_says_where_to_look(old, sound):
    copy = sound.copy()
    with unguarded(copy) as db:
        db.execute("UPDATE records SET body = replace(body, ?, ?) WHERE seq = 7", (old, old.swapcase()[:-1] + "#"))
    with AuditTrail.open(copy) as trail:
        with pytest.raises(AuditError, match=r"not as this library wrote it.* `guardrails audit verify`"):
            list(trail.runs())
        assert trail.verify().seq == 7


def test_what_only_an_anchor_kept_elsewhere_can_find(sound):
    """Cut off at the end, or every later hash computed anew: the module's docstring says so."""
    copy = sound.copy()
    with unguarded(copy) as db:
        db.execute("DELETE FROM texts WHERE seq > 20")
        db.execute("DELETE FROM records WHERE seq > 20")
        before = GENESIS
        for seq, text in db.execute("SELECT seq, body FROM records ORDER BY seq").fetchall():
            body = canonical(json.loads(text) | {"status": "passed"})
            before = link(before, body)
            db.execute("UPDATE records SET body = ?, hash = ? WHERE seq = ?", (body.decode(), before, seq))
    with AuditTrail.open(copy) as trail:
        verification = trail.verify()
    assert (verification.ok, verification.records) == (True, 20)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"run":"r", "seq":1,"texts":{}}', "canonical"),
        (b'{"run":"r","run":"r","seq":1,"texts":{}}', "canonical"),
        (b'{"run":"r","seq":2,"texts":{}}', "says that it is record 2"),
        (b'{"run":"r","seq":1}', "no commitments"),
        (b"[" * 100_000, "canonical"),
        (b"[1]", "canonical"),
    ],
)
def test_a_body_that_fits_its_hash_has_to_make_sense_too(body, problem, sound):
    copy = sound.copy()
    with unguarded(copy) as db:
        db.execute("UPDATE records SET body = ?, hash = ? WHERE seq = 1", (body.decode(), link(GENESIS, body)))
    with AuditTrail.open(copy) as trail:
        verification = trail.verify()
    assert (bool(verification), verification.seq, verification.records) == (False, 1, 0)
    assert problem in verification.problem


def test_a_shell_can_follow_the_chain(sound):
    with tables(sound.copy()) as db:
        (before,), (body, after) = (
            db.execute("SELECT hash FROM records WHERE seq = 3").fetchone(),
            db.execute("SELECT body, hash FROM records WHERE seq = 4").fetchone(),
        )
    assert hashlib.sha256((before + body).encode()).hexdigest() == after


def test_an_empty_verification_reads_well():
    assert str(Verification(ok=True, records=1, head="")) == "internally consistent; not anchored: 1 record"


# Many writers


def test_threads_write_one_chain(trail):
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: trail.record(a_run(), CONTENT), range(100)))
        assert trail.verify()
    assert sorted(numbers) == list(range(1, 101))
    assert trail.verify().records == 100


def test_processes_that_begin_at_once_write_one_chain_from_the_first_record_on(trail, url):
    script = """
        trail = AuditTrail.open(sys.argv[1])
        print(flush=True); sys.stdin.readline()
        print(*(trail.record(a_run(), CONTENT) for _ in range(25)))
    """
    processes = [python(script, url) for _ in range(3)]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    numbers = [int(number) for process in processes for number in output(process).split()]
    assert sorted(numbers) == list(range(1, 76))
    assert trail.verify().records == 75


def test_a_fork_after_use_writes_on_both_sides(url):
    """Even while other threads write: a lock or a connection that the child inherited would hang or lose records."""
    script = """
        trail = AuditTrail.open(sys.argv[1])
        trail.record(a_run())
        stop = []
        def write():
            while not stop:
                trail.record(a_run())
        with ThreadPoolExecutor(3) as pool:
            writers = [pool.submit(write) for _ in range(3)]
            for _ in range(5):
                child = os.fork()
                if not child:
                    for _ in range(10):
                        trail.record(a_run(run_id="child-" + uuid7()))
                    os._exit(0)
                trail.record(a_run())
                assert os.waitpid(child, 0)[1] == 0
            stop.append(True)
            for writer in writers:
                writer.result()
        verification = trail.verify()
        assert verification, verification
        print(sum(run.run_id.startswith("child-") for run in trail.runs()))
    """
    assert output(python(script, url)).strip() == "50"
