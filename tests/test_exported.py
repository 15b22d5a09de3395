"""An export read as a trail: it says what the trail says, and what was done to it is found."""

import contextlib
import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import flip, runs
from trails import CONTENT, a_run

from guardrails.audit import REDACTIONS, AuditTrail, Checkpoint, Record, StreamWindow, Where, uuid7
from guardrails.audit._chain import GENESIS, link
from guardrails.audit._export import LAYOUTS, export
from guardrails.audit._store import Text, canonical
from guardrails.errors import AuditError
from guardrails.exchange import Exchange
from guardrails.outcome import Status

WHO = {"by": "M. Sato", "reason": "asked for"}
layouts = pytest.mark.parametrize("layout", ["jsonl", "csv"])


def written(trail, file, **how):
    """The trail's export in a file."""
    file.write_bytes("".join(export(trail, file.suffix[1:], **how)).encode())
    return file


@contextlib.contextmanager
def reopened(trail, layout, **how):
    """The trail's export, as a trail."""
    with tempfile.TemporaryDirectory() as folder:
        file = written(trail, Path(folder) / f"audit.{layout}", **how)
        with AuditTrail.open(file) as exported:
            yield exported


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A trail of twelve records of every kind; nothing in it is erased."""
    with AuditTrail.open(tmp_path_factory.mktemp("sound") / "audit.db") as trail:
        for number in range(8):
            trail.record(a_run(f"It cannot fall. 価格は{number}円です。\nReally."), CONTENT)
        run = next(trail.runs()).run_id
        trail.decide(run, agrees=False, by="M. Sato", note="too strict")
        trail.hold("case", "42", **WHO)
        trail.lift(10, **WHO)
        trail.record(replace(a_run(), redaction="commitments"), CONTENT)
        yield trail


@pytest.fixture(params=["jsonl", "csv"])
def lines(request, sound):
    """The layout and the lines of the sound trail's export; the last twelve are its records."""
    return request.param, [line.encode() for line in export(sound, request.param)]


@contextlib.contextmanager
def opened(layout, lines):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"audit.{layout}"
        file.write_bytes(b"".join(lines))
        with AuditTrail.open(file) as trail:
            yield trail


def verified(layout, lines, **how):
    with opened(layout, lines) as trail:
        return trail.verify(**how)


# What is read


@layouts
def test_an_export_says_what_its_trail_says_whatever_its_texts(layout, tmp_path):
    numbers = iter(range(10_000))

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.tuples(runs(), st.sampled_from(REDACTIONS), st.booleans()), max_size=4), st.data())
    def says_the_same(recorded, data):
        with AuditTrail.open(tmp_path / f"{next(numbers)}.db") as trail:
            trail.record(a_run(), CONTENT)
            for run, redaction, keeps in recorded:
                trail.record(replace(run, redaction=redaction), CONTENT if keeps else None)
            ids = st.sampled_from([run.run_id for run in trail.runs()])
            for act in data.draw(st.lists(st.sampled_from(["decide", "hold", "erase"]), max_size=3)):
                if act == "decide":
                    trail.decide(data.draw(ids), agrees=data.draw(st.booleans()), by="=1+1", note="+\n、")
                elif act == "hold":
                    trail.hold("held", "x", **WHO)
                else:
                    trail.erase(data.draw(ids), **WHO)
            with reopened(trail, layout) as exported:
                assert list(exported.records()) == list(trail.records())
                assert list(exported.runs()) == list(trail.runs())
                assert list(exported.acts()) == list(trail.acts())
                assert list(exported.queue()) == list(trail.queue())
                for run in trail.runs():
                    assert exported.run(run.run_id) == trail.run(run.run_id)
                assert exported.verify() == trail.verify()
                assert exported.verify()

    says_the_same()


@layouts
def test_streams_that_came_to_no_end_are_runs_of_an_export_too(layout, tmp_path):
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        run = a_run(run_id="b-finished")
        for run_id in ("a-left", run.outcome.run_id):
            for number in (1, 2):
                exchange = Exchange("Is it safe?", "It can fall.")
                trail.record(StreamWindow(run_id, number, run.outcome.constitution, exchange, f"Out {number}. "))
        trail.record(run)
        with reopened(trail, layout) as exported:
            assert list(exported.runs()) == list(trail.runs())
            assert [one.run_id for one in exported.runs()] == ["b-finished", "a-left"]
            assert exported.run("a-").run.outcome.released == "Out 1. Out 2. "
            assert exported.run("a-") == trail.run("a-")


@layouts
def test_filters_find_the_same_runs_in_an_export(layout, tmp_path):
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        for number in range(6):
            one = replace(a_run(case=str(number % 2)), time=datetime(2026, 11, 20 + number, tzinfo=UTC))
            trail.record(replace(one, redaction=REDACTIONS[number % 3]), CONTENT if number % 2 else None)
        wanted = [
            Where(),
            Where(since=datetime(2026, 11, 22, tzinfo=UTC), until=datetime(2026, 11, 24, tzinfo=UTC)),
            Where(status=Status.BLOCKED),
            Where(principle="no-promises", labels=(("case", "1"),)),
            Where(principle="no-such"),
            Where(labels=(("case", "7"),)),
            Where(constitution="acme-bank"),
        ]
        with reopened(trail, layout) as exported:
            for where in wanted:
                assert list(exported.runs(where=where)) == list(trail.runs(where=where)), where
            assert [len(list(exported.runs(where=where))) for where in wanted] == [6, 2, 0, 3, 0, 0, 6]
            assert [run.seq for run in exported.runs(limit=2)] == [6, 5]


@layouts
def test_pages_begin_anywhere(layout, sound, tmp_path):
    whole = list(sound.records())
    with reopened(sound, layout) as exported:
        assert list(exported.records(after=5)) == whole[5:]
        assert list(exported.records(after=12)) == []
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda after: list(exported.records(after)) == whole[after:], [0, 3, 7, 1] * 5))
        assert exported.wording("ab" * 32) is None
        assert exported._store.last() == 12


@layouts
def test_large_records_come_in_small_pages(layout, tmp_path):
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        for _ in range(4):
            run = a_run()
            trail.record(replace(run, exchange=Exchange("Hi", run.outcome.original, ["x" * 5_000_000])))
        with reopened(trail, layout) as exported:
            assert len(exported._store.page(None, 100)) < 4
            assert exported.verify() == trail.verify()


@layouts
def test_nothing_is_added_to_an_export(layout, sound):
    with reopened(sound, layout) as exported:
        run = next(exported.runs()).run_id
        for change in (
            lambda: exported.record(a_run()),
            lambda: exported.decide(run, agrees=True, by="M. Sato"),
            lambda: exported.erase(run, **WHO),
            lambda: exported.prune(datetime.now(UTC), **WHO),
        ):
            with pytest.raises(AuditError, match="an export is read-only"):
                change()


@layouts
def test_texts_erased_after_their_line_was_written_are_not_read_from_it(layout, tmp_path):
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        trail.record(a_run(), CONTENT)
        run = next(trail.runs()).run_id
        before = "".join(export(trail, layout))
        trail.erase(run, **WHO)
        after = list(export(trail, layout, after=1))
        with opened(layout, [before.encode(), *(line.encode() for line in after)]) as exported:
            assert list(exported.records()) == list(trail.records())
            assert exported.run(run) == trail.run(run)
            assert exported.verify()


def test_an_export_of_an_export_is_the_same(sound):
    lines = list(export(sound, "jsonl"))
    with reopened(sound, "csv") as exported:
        assert list(export(exported, "jsonl")) == lines


def test_lines_that_a_log_shipper_wrote_anew_still_verify(sound):
    @settings(deadline=None, max_examples=20)
    @given(st.booleans(), st.booleans(), st.randoms(use_true_random=False))
    def verifies(spaced, ascii_only, random):
        shipped = []
        for line in export(sound, "jsonl"):
            fields = list({**json.loads(line), "@timestamp": "2026-11-23", "host": {"name": "web-1"}}.items())
            random.shuffle(fields)
            separators = (", ", " : ") if spaced else None
            shipped.append(
                json.dumps(dict(fields), ensure_ascii=ascii_only, separators=separators).encode() + b"\r\n\n"
            )
        with opened("jsonl", shipped) as exported:
            assert exported.verify() == sound.verify()
            assert list(exported.records()) == list(sound.records())

    verifies()


@layouts
def test_what_is_not_there_or_no_export_says_so(layout, tmp_path):
    file = tmp_path / f"audit.{layout}"
    with AuditTrail.open(file) as trail:
        with pytest.raises(AuditError, match=r"there is no audit trail at .*audit"):
            trail.verify()
        for content in (b"", b"\n", b'{"a": 1}\n[]\n', b"a,b\n1,2\n", b"\x00\xff\xfe" * 50):
            trail.close()
            file.write_bytes(content)
            for read in (trail.verify, lambda: list(trail.runs()), lambda: trail.run("x")):
                with pytest.raises(AuditError, match=r"is no export of an audit trail.*`guardrails audit export`"):
                    read()
    with AuditTrail.open(tmp_path) as folder, pytest.raises(AuditError):
        folder.verify()


# What is found


def altered(record, kind, draw):
    """A record with one thing in it altered, by somebody who writes exports with this very library."""
    texts = list(record.texts)
    place = draw(st.integers(0, len(texts) - 1))
    path, salt, text = texts[place]
    match kind:
        case "body":
            return Record(record.seq, flip(record.body, draw), record.hash, record.texts)
        case "hash":
            return Record(record.seq, record.body, link(record.hash, b""), record.texts)
        case "text":
            texts[place] = Text(path, salt, flip(text, draw) if text else b"added")
        case "salt":
            texts[place] = Text(path, flip(salt, draw), text)
        case "a text less":
            del texts[place]
        case "a text more":
            texts.append(Text("drafts/9", salt, b"text"))
        case "a path":
            texts[place] = Text("drafts/9", salt, text)
        case "a text not kept":
            texts[place] = Text(path, salt, None if text else b"x")
    return Record(record.seq, record.body, record.hash, tuple(texts))


@pytest.mark.parametrize(
    "kind", ["body", "hash", "text", "salt", "a text less", "a text more", "a path", "a text not kept"]
)
def test_an_altered_record_is_named(kind, lines):
    layout, whole = lines

    @settings(deadline=None, max_examples=25)
    @given(st.integers(1, 12), st.data())
    def named(seq, data):
        # Where a text is not kept, its salt vouches for nothing.
        seq = 11 if kind == "salt" and seq == 12 else seq
        tampered = whole.copy()
        record = LAYOUTS[layout].read(whole[seq - 13]).record
        tampered[seq - 13] = LAYOUTS[layout].record(altered(record, kind, data.draw)).encode("utf-8", "replace")
        verification = verified(layout, tampered)
        assert (verification.ok, verification.seq, verification.records) == (False, seq, seq - 1)
        assert verification.problem

    named()


@pytest.mark.parametrize("kind", ["flip", "delete", "insert", "swap", "truncate", "drop the rest of a line"])
def test_tampering_with_lines_is_found_and_the_first_record_that_shows_it_is_named(kind, lines):
    layout, whole = lines
    first = len(whole) - 12  # what stands before the records: a head, a constitution

    @settings(deadline=None, max_examples=50)
    @given(st.data())
    def found(data):
        tampered = whole.copy()
        at = data.draw(st.integers(0 if kind == "flip" else first, len(whole) - 1))
        other = data.draw(st.integers(first, len(whole) - 1).filter(lambda place: place != at))
        shows = max(at - first, 0) + 1
        match kind:
            case "flip":
                tampered[at] = flip(whole[at], data.draw)
            case "delete":
                shows, at = (11, at - 1) if shows == 12 else (shows, at)  # the last one is for an anchor to miss
                del tampered[at]
            case "insert":
                tampered.insert(other, whole[at])
                shows = min(shows, other - first + 1)
                if other == at + 1:
                    shows = at - first + 1
            case "swap":
                tampered[at], tampered[other] = whole[other], whole[at]
                shows = min(at, other) - first + 1
            case "truncate":
                cut = data.draw(st.integers(1, len(whole[at]) - 3))
                tampered[at:] = [whole[at][:cut]]
            case "drop the rest of a line":
                cut = data.draw(st.integers(1, len(whole[at]) - 3))
                tampered[at] = whole[at][:cut] + b"\n"
        verification = verified(layout, tampered)
        assert not verification, (at, other)
        assert verification.seq == shows
        assert verification.problem
        assert str(verification).startswith(f"record {shows}")

    found()


@layouts
@pytest.mark.parametrize("kind", ["removed", "altered", "altered beside a sound one"])
def test_a_constitution_is_vouched_for(layout, kind, sound):
    lines = [line.encode() for line in export(sound, layout)]
    at = len(lines) - 13
    sound_one = lines[at]
    digest = json.loads(next(sound.records()).body)["constitution"]["digest"]
    other = LAYOUTS[layout].wording(digest, CONTENT.replace(b"balance", b"balanced")).encode()
    lines[at : at + 1] = {"removed": [], "altered": [other]}.get(kind, [sound_one, other])
    verification = verified(layout, lines)
    assert (verification.ok, verification.seq) == (False, 1)
    assert "constitution" in verification.problem


@layouts
@pytest.mark.parametrize(
    ("column", "shown"), [("status", "passed"), ("time_utc", "2026-11-24 00:00:00"), ("original", "x")]
)
def test_what_people_read_is_vouched_for_too(layout, column, shown, lines):
    layout, whole = lines
    name = {"time_utc": "time", "original": "run"}.get(column, column)
    old = LAYOUTS[layout].read(whole[-10]).record
    if layout == "jsonl":
        value = {**json.loads(whole[-10]), name: shown}
        whole[-10] = json.dumps(value).encode() + b"\n"
    else:
        said = {"status": "revised", "time_utc": "2026-11-23 09:30:00", "original": "It cannot fall."}[column]
        whole[-10] = whole[-10].replace(said.encode(), shown.encode(), 1)
    assert LAYOUTS[layout].read(whole[-10]).record == old, "the record itself is as it was"
    assert verified(layout, whole).seq == 3


def test_a_key_that_stands_twice_in_a_line_is_found(sound):
    lines = [line.encode() for line in export(sound, "jsonl")]
    lines[4] = lines[4].replace(b'{"seq":', b'{"status":"passed","seq":', 1)
    assert verified("jsonl", lines).seq == 4


def test_what_only_a_checkpoint_kept_elsewhere_can_find(lines, sound):
    layout, whole = lines
    form, now = LAYOUTS[layout], datetime.now(UTC)
    anchor = Checkpoint(12, sound.verify().head, now, "", "")
    assert verified(layout, whole, checkpoints=[anchor]).anchored == 12
    cut_off = whole[:-2]
    anew, before = whole[:-12], GENESIS
    for line in whole[-12:]:
        record = form.read(line).record
        body = canonical(json.loads(record.body) | ({"status": "passed"} if record.seq == 5 else {}))
        before = link(before, body)
        anew.append(form.record(Record(record.seq, body, before, record.texts)).encode())
    for tampered, shows in ((cut_off, 11), (anew, 12)):
        assert verified(layout, tampered).ok
        assert verified(layout, tampered, checkpoints=[anchor]).seq == shows


@layouts
def test_an_export_that_begins_in_the_middle_does_not_verify_as_a_whole(layout, sound):
    with reopened(sound, layout, after=5) as part:
        verification = part.verify()
        assert (verification.ok, verification.records, verification.seq) == (False, 0, 1)
        assert "missing" in verification.problem
        assert [record.seq for record in part.records()] == list(range(6, 13))


@layouts
def test_an_altered_trail_is_exported_as_it_stands(layout, sound):
    """An export vouches for nothing that its trail did not."""
    with reopened(sound, layout) as exported:
        whole = list(exported.records())
    seven = whole[6]
    tampered = Record(7, seven.body.replace(b":", b": ", 1), seven.hash, seven.texts)
    form = LAYOUTS[layout]
    wording = form.wording(json.loads(whole[0].body)["constitution"]["digest"], CONTENT)
    lines = [form.head, wording, *map(form.record, [*whole[:6], tampered, *whole[7:]])]
    verification = verified(layout, [line.encode() for line in lines])
    assert (verification.seq, verification.records) == (7, 6)
    assert "hash" in verification.problem


def test_an_act_whose_row_is_in_two_pieces_is_told_once(sound):
    """Its second piece is still a row, and takes the number after its own."""
    lines = [line.encode() for line in export(sound, "csv")]
    lines[-4] = b"xx\n" + lines[-4][3:]
    with opened("csv", lines) as trail:
        assert trail.verify().seq == 9
        assert [(act.kind, act.seq) for act in trail.acts()] == [("decision", 10), ("hold", 10), ("lift", 11)]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["path", "salt", "text"]), inner),
    max_leaves=5,
)


def test_no_line_whatever_it_holds_breaks_a_reader(lines):
    layout, whole = lines

    @settings(deadline=None, max_examples=60)
    @given(st.data())
    def reads(data):
        tampered = whole.copy()
        at = data.draw(st.integers(1, len(whole) - 1))
        if layout == "jsonl" and data.draw(st.booleans()):
            value = json.loads(whole[at])
            value[data.draw(st.sampled_from(sorted(value)))] = data.draw(junk)
            tampered[at] = json.dumps(value).encode() + b"\n"
        else:
            start = data.draw(st.integers(0, len(whole[at])))
            tampered[at] = whole[at][:start] + data.draw(st.binary(max_size=9)) + whole[at][start + 3 :]
        with opened(layout, tampered) as trail:
            trail.verify()
            for read in (
                lambda: list(trail.acts()),
                lambda: list(trail.runs()),
                lambda: list(trail.queue()),
                lambda: trail.run(uuid7()[:3]),
            ):
                with contextlib.suppress(AuditError):
                    read()

    reads()
