"""Exporting a trail: every record once, with what it takes to verify it, and nothing that a spreadsheet would run."""

import contextlib
import csv
import hashlib
import io
import itertools
import json
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import runs
from support import hostile_text
from trails import CONTENT, WORDING, a_run

from guardrails.audit import AuditTrail, Record, Text
from guardrails.audit._chain import GENESIS
from guardrails.audit._export import LAYOUTS, export
from guardrails.audit._lines import Line
from guardrails.audit._spreadsheet import shown
from guardrails.exchange import Exchange
from guardrails.outcome import Outcome, Status

layouts = pytest.mark.parametrize("layout", ["jsonl", "csv"])
WHO = {"by": "M. Sato", "reason": "asked for"}


@pytest.fixture
def trail(tmp_path):
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        yield trail


def rows(trail, **how):
    """What a program reads of a CSV, by the names of the columns."""
    text = "".join(export(trail, "csv", **how)).removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def verified(lines, layout, folder):
    """What `verify` says of these lines in a file."""
    file = folder / f"lines.{layout}"
    file.write_bytes("".join(lines).encode())
    with AuditTrail.open(file) as exported:
        return exported.verify()


# What stands in a line


def test_a_line_of_json_holds_a_record_and_what_tools_sort_by(trail):
    run = a_run()
    trail.record(run, CONTENT)
    (record,) = trail.records()
    wording, line = map(json.loads, export(trail))
    assert wording == {"kind": "constitution", "digest": WORDING.digest, "content": CONTENT.decode()}
    texts = line.pop("texts")
    assert line == {
        "seq": 1,
        "time": "2026-11-23T09:30:00.123456Z",
        "kind": "outcome",
        "run": run.outcome.run_id,
        "status": "revised",
        "hash": record.hash,
        "body": record.body.decode(),
    }
    assert {"path": "original", "salt": texts[-1]["salt"], "text": run.outcome.original} in texts
    assert [(text["path"], bytes.fromhex(text["salt"])) for text in texts] == [text[:2] for text in record.texts]


@layouts
def test_the_chain_can_be_followed_in_an_export_without_this_library(layout, trail):
    for _ in range(3):
        trail.record(a_run(), CONTENT)
    told = rows(trail) if layout == "csv" else map(json.loads, export(trail))
    before = GENESIS
    for record in told:
        if record["kind"] == "constitution":
            continue
        assert hashlib.sha256((before + record["body"]).encode()).hexdigest() == record["hash"]
        before = record["hash"]
        promised, texts = json.loads(record["body"])["texts"], record["texts"]
        for text in json.loads(texts) if layout == "csv" else texts:
            salted = bytes.fromhex(text["salt"]) + text["text"].encode()
            assert hashlib.sha256(salted).hexdigest() == promised[text["path"]]
    assert before == trail.verify().head


@layouts
def test_every_record_is_one_line_in_any_encoding_and_comes_back(layout, trail):
    @settings(deadline=None, max_examples=100)
    @given(runs())
    def comes_back(run):
        seq = trail.record(run)
        (record,) = trail.records(after=seq - 1)
        line = LAYOUTS[layout].record(record)
        data = line.encode("ascii" if layout == "jsonl" else "utf-8")
        assert data.count(b"\n") == 1
        assert data.endswith(b"\n")
        assert LAYOUTS[layout].read(data) == Line(record)

    comes_back()


@pytest.mark.parametrize("text", ["\ud800", "\ud83d\ude00", "a\udfffb"])
def test_a_text_that_is_no_unicode_stands_as_bytes(text, trail):
    data = text.encode("utf-8", "surrogatepass")
    record = Record(1, b'{"seq":1,"texts":{}}', "ab", (Text("original", b"salt", data), Text("text", b"salt", None)))
    assert json.loads(LAYOUTS["jsonl"].record(record))["texts"] == [
        {"path": "original", "salt": b"salt".hex(), "bytes": data.hex()},
        {"path": "text", "salt": b"salt".hex(), "text": None},
    ]


@layouts
def test_a_constitution_stands_once_before_the_first_record_judged_under_it(layout, trail):
    trail.record(a_run())
    for _ in range(3):
        trail.record(a_run(), CONTENT)
    form = LAYOUTS[layout]
    kinds = [form.read(line.encode()) for line in export(trail, layout)]
    told = [line.record.seq if line.record else line.content for line in kinds if line != Line()]
    assert told == [1, CONTENT, 2, 3, 4]


@layouts
def test_what_was_erased_or_not_kept_is_in_no_line(layout, trail):
    trail.record(a_run("A secret that was erased."))
    trail.record(replace(a_run("A secret that was not kept."), redaction="commitments"))
    trail.record(a_run("Plain."))
    trail.erase([*trail.runs()][-1].run_id, **WHO)
    text = "".join(export(trail, layout))
    assert "secret" not in text
    assert "Plain." in text


# Going on


@layouts
def test_an_export_goes_on_after_a_number(layout, trail, tmp_path):
    for _ in range(5):
        trail.record(a_run(), CONTENT)
    form = LAYOUTS[layout]
    part = [form.read(line.encode()).record for line in export(trail, layout, after=3)]
    assert [record.seq for record in part if record] == [4, 5]
    assert list(export(trail, layout, after=5)) == ([form.head] if form.head else [])
    joined = [*list(export(trail, layout))[:-2], *export(trail, layout, after=3)]
    assert verified(joined, layout, tmp_path) == trail.verify()


@layouts
def test_following_gives_every_record_once_as_they_come(layout, trail, tmp_path):
    rounds = iter([0, 3, 0, 1, 120])

    def idle():
        more = next(rounds, None)
        if more is None:
            raise KeyboardInterrupt
        for _ in range(more):
            trail.record(a_run(), CONTENT)

    trail.record(a_run(), CONTENT)
    lines, following = [], export(trail, layout, idle=idle)
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            lines.append(next(following))
    records = [LAYOUTS[layout].read(line.encode()).record for line in lines]
    assert [record.seq for record in records if record] == list(range(1, 126))
    assert verified(lines, layout, tmp_path) == trail.verify()


def test_lines_are_read_as_they_are_asked_for(trail):
    for _ in range(3):
        trail.record(a_run())
    asked = export(trail)
    first = next(asked)
    for _ in range(200):
        trail.record(a_run())
    assert [json.loads(line)["seq"] for line in (first, *asked)] == list(range(1, 204))


# Spreadsheets


def test_a_row_tells_a_run_to_people(trail):
    run = a_run()
    trail.record(run, CONTENT)
    trail.decide(run.outcome.run_id, agrees=False, by="M. Sato", note="too strict")
    trail.hold("case", "42", **WHO)
    wording, row, decision, hold = rows(trail)
    assert (wording["kind"], wording["constitution"], wording["hash"], wording["body"]) == (
        "constitution",
        "",
        WORDING.digest,
        CONTENT.decode(),
    )
    assert list(row.items())[:17] == [
        ("time_utc", "2026-11-23 09:30:00"),
        ("run", run.outcome.run_id),
        ("kind", "outcome"),
        ("status", "revised"),
        ("cause", "violation"),
        ("constitution", "acme-bank"),
        ("version", "2.1.0"),
        ("principles", "no-promises; balance"),
        ("labels", "case=42; user=u7"),
        ("prompt", "Is it safe?"),
        ("original", "It cannot fall. It costs 0.2%."),
        ("released", "It can fall. It costs 0.2%. Risks apply."),
        ("critiques", "no-promises: It promises.; balance: The endpoint timed out."),
        ("judges", "rules; anthropic:claude-haiku-4-5"),
        ("seconds", "0.0125"),
        ("by", ""),
        ("reason", ""),
    ]
    assert (decision["kind"], decision["status"], decision["run"]) == ("decision", "overruled", run.outcome.run_id)
    assert (decision["by"], decision["reason"], hold["labels"]) == ("M. Sato", "too strict", "case=42")


@pytest.mark.parametrize(
    ("status", "enforced", "released", "told"),
    [
        (Status.PASSED, True, "", "The text."),
        (Status.REVISED, False, "", "The original."),
        (Status.BLOCKED, True, "", "The text."),
        (Status.BLOCKED, True, "It went out.", "It went out. ↵ The text."),
        (Status.REVISED, True, "It went out.", "The text."),
    ],
)
def test_a_row_says_what_the_reader_got(status, enforced, released, told, trail):
    outcome = Outcome(status, "The text.", "r1", WORDING, "The original.", released=released, enforced=enforced)
    trail.record(replace(a_run(), outcome=outcome))
    assert rows(trail)[0]["released"] == told


def begins(cell):
    """What a spreadsheet sees first, whatever it passes over and however wide it is."""
    kept = [c for c in cell if not c.isspace() and unicodedata.category(c) not in {"Cf", "Cc"}]
    return unicodedata.normalize("NFKC", kept[0])[:1] if kept else ""


@pytest.mark.parametrize("before", ["", " ", "\t", "\r\n", "\u3000", "\ufeff", "\u200b", "\x00", "\xa0 "])
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "﹦", "−"])
def test_a_cell_that_a_spreadsheet_would_run_begins_with_an_apostrophe(before, sign):
    assert shown(f'{before}{sign}HYPERLINK("http://x")').startswith("'")


def test_no_cell_is_run_whatever_a_run_says(trail):
    signs = st.sampled_from(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " ＝1", "\r=1", "\n-1", "'=1"])
    texts = st.one_of(hostile_text, st.builds("{}{}".format, signs, hostile_text))

    @settings(deadline=None, max_examples=80)
    @given(texts, texts, texts)
    def runs_nothing(one, two, three):
        run = a_run(one)
        seq = trail.record(replace(run, exchange=Exchange(two, one, [three]), labels={two: three}))
        (row,) = rows(trail, after=seq - 1)
        assert not any(begins(cell) in set("=+-@−") for cell in row.values())
        assert not any(cell.startswith(("\t", "\r", "\n")) for cell in row.values())
        assert "\n" not in "".join(row.values())

    runs_nothing()


@pytest.mark.parametrize("cell", ["=cmd()", "'=cmd()", "'", "@x", "{}"])
def test_what_verifies_comes_back_byte_for_byte_even_where_somebody_put_a_formula_there(cell):
    line = LAYOUTS["csv"].record(Record(7, b"", cell)).encode()
    assert LAYOUTS["csv"].read(line).record == Record(7, b"", cell)
    ((*_, link, _, _),) = csv.reader([line.decode()])
    assert begins(link) in {"'", "{"}


def test_a_table_is_told_from_others_by_its_mark_and_its_head(trail):
    trail.record(a_run("価格は変動します。"))
    data = "".join(export(trail, "csv")).encode()
    assert data.startswith(b"\xef\xbb\xbftime_utc,run,kind,")
    assert "価格は変動します。".encode() in data
    assert data.count(b"\r\n") == data.count(b"\n") == 2


def test_rows_longer_than_the_reader_of_this_python_takes_come_back(trail, tmp_path):
    run = a_run()
    trail.record(replace(run, exchange=Exchange("x" * 300_000, run.outcome.original), time=datetime.now(UTC)))
    assert verified(export(trail, "csv"), "csv", tmp_path) == trail.verify()


def test_both_layouts_export_the_same_records(trail):
    for _ in range(3):
        trail.record(a_run(), CONTENT)
    read = [[LAYOUTS[one].read(line.encode()) for line in export(trail, one)] for one in ("jsonl", "csv")]
    assert all(a == b for a, b in itertools.zip_longest(read[0], read[1][1:]))
