"""The report: its figures are right, nothing in it acts or loads, and what was altered is not shown as genuine."""

import contextlib
import math
import os
import re
import string
from collections import Counter
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import constitution, hostile_text, principle
from trails import unguarded

from guardrails import AuditTrail, Guard, labels, reports
from guardrails._differences import differences, numbered
from guardrails._visible import as_html, visible
from guardrails.audit import Run, RunSummary, StreamWindow, Verification, Where, Wording, uuid7
from guardrails.errors import AuditError, ConfigurationError, ModelError
from guardrails.exchange import Exchange, Message
from guardrails.outcome import Attempt, Cause, ConstitutionRef, Outcome, Status, Tokens, Usage
from guardrails.reports._charts import nice, stacked
from guardrails.reports._figures import MOST_REVISIONS, Figures
from guardrails.reports._phrases import PHRASES, meaning
from guardrails.reports._result import ENFORCED, Result, result_of
from guardrails.reports._timeline import UNITS, Latencies, Timeline
from guardrails.reports._words import WORDS
from guardrails.sentences import split
from guardrails.testing import ScriptedModel, edits, finding
from guardrails.verdict import Decision, Verdict

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
START = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
BANK = constitution(
    principle("no-promises", title={"en": "No promises", "ja": "約束の禁止"}, severity="critical"),
    principle("balance", title={"en": "Balance", "ja": "均衡"}, severity="low"),
)
WORDING = ConstitutionRef(BANK.name, BANK.version, BANK.digest)
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><svg onload=alert(1)>"
    "<link rel=stylesheet href=//evil.example/x.css><base href=//evil.example>{{ 7*7 }}{% raw %}</style>&lt;"
    "\u202edetnaraug\u2066\u200b\u00ad\x00\x1b[2K\ud800\U000e0041"
)


def a_run(before="It cannot fall. It costs 0.2%.", after="It can fall. It costs 0.2%.", **fields):
    """A reply that was revised once; `fields` go to the outcome, `labels`, `time` and `redaction` to the run."""
    of_run = {name: fields.pop(name) for name in ("labels", "time", "redaction") if name in fields}
    wrong = (Verdict("no-promises", Decision.VIOLATES, "rules", "It promises.", (1,)),)
    right = (Verdict("no-promises", Decision.COMPLIES, "rules"),)
    made = {
        "cause": Cause.VIOLATION,
        "verdicts": right,
        "attempts": (Attempt(before, wrong), Attempt(after, right, (), None, "rules", 0)),
        "usage": Usage(Tokens(2, 900, 12, 800), Tokens(1, 500, 40)),
        "elapsed": 0.25,
        **fields,
    }
    status, text = made.pop("status", Status.REVISED), made.pop("text", after)
    outcome = Outcome(status, text, made.pop("run_id", uuid7()), WORDING, before, **made)
    return Run(Exchange([Message("user", "Is it safe?")], before), outcome, **{"time": START, **of_run})


def passed(**fields):
    right = (Verdict("no-promises", Decision.COMPLIES, "rules"),)
    text = "It costs 0.2%."
    return a_run(text, text, **{"status": Status.PASSED, "cause": None, "attempts": (Attempt(text, right),), **fields})


@pytest.fixture
def trail(tmp_path):
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        yield trail


def kept(trail, *runs):
    """The runs, recorded; their ids."""
    for run in runs:
        trail.record(run, BANK.content)
    return [run.outcome.run_id for run in runs]


def page(trail, **options):
    """The report on a trail, as text."""
    path = Path(trail.url.removeprefix("sqlite:///")).parent / "report.html"
    reports.write(trail, path, **options)
    return path.read_text(encoding="utf-8")


class Reader(HTMLParser):
    """What a page is made of: its elements with their attributes, and its text without style sheets."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.words, self._open = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = [tag]

    def handle_endtag(self, tag):
        self._open = []

    def handle_data(self, data):
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.words))

    def all(self, tag, **wanted):
        return [attrs for name, attrs in self.elements if name == tag and wanted.items() <= attrs.items()]

    @property
    def told(self):
        """The ids of the runs that are told."""
        return [attrs["id"].removeprefix("run-") for attrs in self.all("article")]


def rows(html, section):
    """The table of a section, by the text of its rows' heads."""
    body = html.split(f'<section id="{section}">', 1)[1].split("</section>", 1)[0]
    found = {}
    for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL):
        head, *cells = re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
        found[Reader(head).text.strip()] = [Reader(cell).text.strip() for cell in cells]
    return found


# Figures

_names = st.lists(st.sampled_from(["no-promises", "balance", "unknown"]), unique=True, max_size=3).map(tuple)
summaries = st.builds(
    RunSummary,
    run_id=st.uuids().map(str),
    seq=st.integers(1, 99),
    time=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is given
    status=st.sampled_from(Status),
    cause=st.none() | st.sampled_from(Cause),
    constitution=st.just(WORDING),
    enforced=st.booleans(),
    at_fault=_names,
    unjudged=_names,
    flags=_names,
    labels=st.just(()),
    revisions=st.integers(0, 8),
    elapsed=st.floats(0, 1000),
    undecided=_names,
    erased=st.booleans(),
    usage=st.builds(Usage, *[st.builds(Tokens, *[st.integers(0, 10**6)] * 4)] * 2),
)


@given(st.lists(summaries, max_size=30))
def test_figures_are_those_of_a_plain_count(runs):
    """One pass counts what looking at all runs at once does."""
    figures, wording = Figures("en"), the_wording()
    for run in runs:
        figures.add(run, wording)
    assert figures.runs == len(runs)
    assert figures.results == Counter(map(result_of, runs))
    for result, enforced in ((Result.BLOCKED, True), (Result.WOULD_BLOCK, False)):
        blocked = (run for run in runs if run.status == "blocked" and run.enforced == enforced)
        assert figures.causes[result] == Counter(run.cause for run in blocked if run.cause)
    for name, at_fault in figures.principles.items():
        of = [run for run in runs if name in run.at_fault]
        assert at_fault.tally.runs == len(of)
        assert at_fault.tally.results == Counter(map(result_of, of))
        assert at_fault.tally.undecided == Counter(result_of(run) for run in of if name in run.undecided)
    assert figures.principles.keys() == {name for run in runs for name in run.at_fault}
    for severity, names in {"critical": {"no-promises"}, "low": {"balance"}, "": {"unknown"}, "high": set()}.items():
        of = [run for run in runs if names & {*run.at_fault}]
        assert figures.severities[severity].runs == len(of)
        assert figures.severities[severity].results == Counter(map(result_of, of))
    assert figures.revisions == Counter((result_of(run), min(run.revisions, MOST_REVISIONS)) for run in runs)
    assert figures.judge == sum((run.usage.judge for run in runs), Tokens())
    assert figures.revise == sum((run.usage.revise for run in runs), Tokens())
    assert figures.notes["undecided"] == sum(result_of(run) in ENFORCED[:2] and bool(run.undecided) for run in runs)
    assert figures.notes["erased"] == sum(run.erased for run in runs)
    assert set(figures.kinds) == {*ENFORCED, *map(result_of, runs)}
    assert sum(latency.count for latency in figures.latencies.values()) == sum(bool(run.elapsed) for run in runs)


def the_wording():
    return Wording.read(BANK.content, BANK.digest)


@given(st.lists(st.floats(1e-6, 1e5), min_size=1), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_latency_is_never_stated_too_short_and_at_most_a_bucket_too_long(seconds, share):
    latencies = Latencies()
    for one in seconds:
        latencies.add(one)
    exact = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    assert exact * (1 - 1e-9) <= latencies.quantile(share) <= min(exact * 2 ** (1 / 16) * (1 + 1e-9), max(seconds))
    assert latencies.longest == max(seconds)


@given(st.lists(st.tuples(st.datetimes(timezones=st.just(UTC)), st.sampled_from(Result)), max_size=30))
def test_every_run_is_in_one_period_and_periods_stay_few(runs):
    """Whatever the times: nothing is lost when periods become coarser, and their order has no gap."""
    timeline = Timeline()
    for time, result in runs:
        timeline.add(time, result)
    periods = list(timeline.periods())
    assert sum(sum(period.results.values()) for period in periods) == len(runs)
    assert not timeline.unit.most or len(periods) <= timeline.unit.most
    indexes = [timeline.unit.index(period.start) for period in periods]
    assert indexes == list(range(indexes[0], indexes[-1] + 1)) if indexes else not runs
    for period in periods:
        of = [result for time, result in runs if timeline.unit.index(time) == timeline.unit.index(period.start)]
        assert period.results == Counter(of)


def test_periods_are_as_fine_as_the_time_allows():
    """Hours within two days, days within a season, then months, then years."""
    for span, unit in ((1, "hour"), (47, "hour"), (48, "day"), (24 * 120, "day"), (24 * 130, "month"), (10**5, "year")):
        timeline = Timeline()
        timeline.add(START, Result.PASSED)
        timeline.add(START - timedelta(hours=span), Result.PASSED)
        assert timeline.unit.name == unit
    assert UNITS[-1].most is None


@given(st.integers(0, 10**12))
def test_a_scale_holds_the_highest_bar_and_can_be_halved(most):
    assert nice(most) >= max(most, 2)
    assert nice(most) % 2 == 0
    assert nice(most) <= max(2 * most, 2)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), max_size=40))
def test_bars_stand_inside_their_drawing(counts):
    """What is there is seen, what is not is not drawn."""
    chart = stacked(counts, ["revised", "blocked"])
    for parts, bars in zip(counts, chart.bars, strict=True):
        assert [bar.count for bar in bars] == [count for count in parts if count]
        for bar in bars:
            assert bar.height > 0
            assert 0 <= bar.y <= 100
            assert bar.x >= 0
            assert bar.x + bar.width <= 1000.01


def test_the_page_states_the_figures(trail):
    """By status, cause, principle, severity, revisions, role, and per day."""
    blocked = a_run(status=Status.BLOCKED, text="", verdicts=(Verdict("no-promises", Decision.VIOLATES, "rules"),))
    kept(trail, *(passed() for _ in range(7)), a_run(), a_run(enforced=False), blocked)
    html = page(trail)
    summary = rows(html, "summary")
    assert summary["Released as written"] == ["7", "70.0%"]
    assert summary["Revised"] == ["1", "10.0%"]
    assert summary["Blocked"] == ["1", "10.0%"]
    assert summary["a principle was broken"] == ["1", "10.0%"]
    assert summary["Would have been revised (monitor mode; the original was released)"] == ["1", "10.0%"]
    assert rows(html, "by_principle")["No promisesno-promises · Critical"][1:] == ["3", "0", "1", "1", "1"]
    assert rows(html, "by_severity")["Critical"][1:] == ["3", "0", "1", "1", "1"]
    assert rows(html, "revisions")["1"] == ["1", "1", "1"]
    assert rows(html, "tokens")["Judging"] == ["10", "20", "9,000", "8,000", "120"]
    assert rows(html, "latency")["Revised"] == ["1", *["250 ms"] * 4]
    assert rows(html, "over_time")["2026-11-23 09:00"] == ["7", "1", "1", "1"]


def test_what_is_undecided_is_told_with_its_cause(trail, tmp_path):
    """A judge that could not be reached, and one that could not tell, for real."""
    unsure = finding("no-promises", decision="undecided", critique="It may be a promise.", sentences=[1])
    for script in ([ModelError("the endpoint is away")], [unsure]):
        Guard(BANK, model=ScriptedModel(judge=script), audit=trail).review("Is it safe?", "It is fine.")
    html = page(trail)
    told = rows(html, "undecided_why")
    assert any("The check failed" in head and "the endpoint is away" in head for head in told)
    assert any("The judge could not tell" in head and "It may be a promise." in head for head in told)
    reader = Reader(html)
    links = {attrs["href"] for attrs in reader.all("a") if attrs["href"].startswith("#run-")}
    assert links == {f"#run-{run}" for run in reader.told}
    assert len(reader.told) == 2


# Interventions


def test_every_intervention_is_told_with_its_differences_newest_first(trail):
    """A passed run is counted alone; a revised one has its drafts, critique, release, record and hash."""
    first, _, second = kept(trail, a_run(labels={"case": "42"}), passed(), a_run(time=START + timedelta(hours=1)))
    html = page(trail)
    reader = Reader(html)
    assert reader.told == [second, first]
    stored = trail.run(first)
    for shown in (
        "Is it safe?",
        "It promises.",
        "Draft 1, word for word.",
        "42",
        stored.hash,
        "2026-11-23 09:30:00 UTC",
    ):
        assert shown in reader.text
    assert "<del>cannot</del>" in html
    assert "<ins>can</ins>" in html
    assert {"datetime": "2026-11-23T09:30:00Z"} in reader.all("time")


def test_monitor_mode_is_marked_and_tells_that_the_original_was_released(trail):
    Guard(BANK, model=scripted(), mode="monitor", audit=trail).review("Safe?", "It cannot fall.")
    text = Reader(page(trail)).text
    assert "Would have been revised (monitor mode; the original was released)" in text.split("Interventions")[-1]
    assert "Monitor mode: nothing was enforced." in text
    assert "The reply as the model wrote it, unchanged." in text


def test_nothing_of_monitor_mode_is_counted_as_enforced(trail):
    """Neither by status nor by principle, over time, in revisions or in latencies."""
    blocked = a_run(status=Status.BLOCKED, enforced=False)
    kept(trail, a_run(enforced=False), blocked, passed(enforced=False))
    html = page(trail)
    summary = rows(html, "summary")
    assert [summary[name][0] for name in ("Released as written", "Revised", "Blocked")] == ["1", "0", "0"]
    assert summary["Would have been blocked (monitor mode; the original was released)"][0] == "1"
    assert rows(html, "by_severity")["Critical"][1:] == ["2", "0", "0", "0", "1", "1"]
    assert rows(html, "revisions")["1"] == ["0", "0", "1", "1"]
    classes = [attrs["class"] for attrs in Reader(html).all("article")]
    assert classes == ["run would_block", "run would_revise"]


def test_what_stayed_undecided_is_a_part_of_the_row_above_it(trail):
    """By what came of the runs, so that nobody adds it to them."""
    unsure = (Verdict("no-promises", Decision.UNDECIDED, "model", "Perhaps."),)
    drafts = (Attempt("It cannot fall.", unsure),)
    kept(trail, a_run(), a_run(status=Status.BLOCKED, attempts=drafts, verdicts=unsure))
    tallies = rows(page(trail), "by_principle")
    assert tallies["No promisesno-promises · Critical"][1:] == ["2", "0", "1", "1"]
    assert tallies["Of these, undecided at the end"] == ["1", "0", "0", "1"]


def test_an_opened_default_is_told_in_plain_words(trail):
    """A guard that releases although a check failed, for real; and what else an outcome may name."""
    model = ScriptedModel(judge=[ModelError("the endpoint is away")])
    Guard(BANK, model=model, audit=trail, on_error="unsafe_allow").review("Is it safe?", "It is fine.")
    kept(trail, a_run(unsafe=("allow_unjudged",)), a_run(unsafe=("another",)))
    kept(trail, a_run(unsafe=("on_error",), status=Status.BLOCKED))
    html = page(trail)
    summary, text = rows(html, "summary"), Reader(html).text
    assert summary["Released although a check failed (on_error=unsafe_allow)"][0] == "1"
    assert summary["Principles without a judge were allowed (allow_unjudged)"][0] == "1"
    assert summary["Released under another opened default"][0] == "1"
    assert text.count("Released although a check failed: on_error=unsafe_allow") == 1
    assert "Principles without a judge were allowed: allow_unjudged" in text
    assert "Released under an opened default: another" in text
    assert "A failed check was passed over before the reply was blocked: on_error=unsafe_allow" in text


def test_what_was_masked_before_it_was_stored_is_never_called_word_for_word(trail):
    """Where it was released as it was, as a revision, or in monitor mode; the secret itself is nowhere."""
    secret = "password=hunter2-Kita!"
    kept(
        trail,
        a_run(f"It cannot fall. {secret}", f"It can fall. {secret}"),
        a_run(f"It cannot fall. {secret}", f"It can fall. {secret}", enforced=False),
    )
    html = page(trail)
    text = Reader(html).text
    assert secret not in html
    assert "word for word" not in text
    assert "as the model wrote it, unchanged" not in text
    assert text.count("what was said and released held them. Masked in: the reply as the model wrote it, drafts.") == 2
    assert "Draft 1. What is masked in it here was not masked when it was released." in text
    assert "The reply as the model wrote it. What is masked in it here was not masked" in text


def test_sentences_that_masking_may_have_moved_are_not_marked(trail):
    """A password that ends a sentence: what is masked has one sentence less."""
    kept(trail, a_run("My password=hunter2-Kita! It cannot fall.", "It can fall."))
    html = page(trail)
    assert not [attrs for attrs in Reader(html).all("li") if "cited" in attrs.get("class", "")]
    assert "Sentence 1, as numbered before masking" in html
    assert "cited" in str(Reader(page_of_redacted(trail)).elements)


def test_a_revision_is_word_for_word_where_only_what_it_revised_was_masked(trail):
    kept(trail, a_run("It cannot fall. password=hunter2-Kita!", "It can fall."))
    text = Reader(page(trail)).text
    assert "Masked in: the reply as the model wrote it." in text
    assert "Draft 1, word for word." in text


def test_what_people_did_in_the_period_is_listed_after_its_counts(trail):
    """Decisions, erasures, holds and their ends: record, time, what, by whom, why."""
    first, second, _ = kept(trail, a_run(), a_run(), a_run(time=datetime(2020, 1, 1, tzinfo=UTC)))
    trail.decide(first, agrees=False, by="J. Okafor", note="No promise.")
    held = trail.hold("case", "42", by="Legal", reason="Complaint 118")
    trail.lift(held, by="Legal", reason="Settled")
    trail.erase(second, by="The officer", reason="Article 17")
    trail.prune(datetime(2021, 1, 1, tzinfo=UTC), by="The archive", reason="Six months")
    html = page(trail)
    acts = rows(html, "acts")
    counts = [acts[name] for name in ("Decisions on runs", "Legal holds", "Legal holds lifted", "Erasures")]
    assert counts == [["1"], ["1"], ["1"], ["2"]]
    assert acts["4"][1:] == [f"Overruled the outcome of the run{first}", "J. Okafor", "No promise."]
    assert acts["5"][1:] == ["Placed a legal hold on runs with the labelcase: 42", "Legal", "Complaint 118"]
    assert acts["6"][1:] == ["Lifted the legal hold of record 5", "Legal", "Settled"]
    assert acts["7"][1:] == [f"Erased the texts of the run{second}", "The officer", "Article 17"]
    assert acts["8"][1] == "Erased the texts recorded before 2021-01-01 00:00:00 UTC (records: 1)"
    assert rows(html, "summary")["Texts erased"][0] == "2"
    assert "There are none." in page(trail, where=Where(until=datetime(2021, 1, 1, tzinfo=UTC))).split('id="acts"')[1]


def test_every_erased_run_is_counted_even_one_that_passed(trail):
    clean, _ = kept(trail, passed(), passed())
    trail.erase(clean, by="The officer", reason="Article 17")
    html = page(trail)
    assert Reader(html).told == []
    assert rows(html, "summary")["Texts erased"][0] == "1"


@pytest.mark.parametrize("limit", [0, 2, 5, None])
def test_a_limit_leaves_out_the_older_interventions_and_no_figure(trail, tmp_path, limit):
    """The page says how many there are besides, and how to read them; an altered run is named all the same."""
    ids = kept(trail, *(a_run() for _ in range(5)))
    trail.close()
    with unguarded(tmp_path / "audit.db") as db:
        db.execute("UPDATE texts SET text = CAST('Forged.' AS BLOB) WHERE seq = 1 AND path = 'original'")
    report = reports.write(trail, tmp_path / "report.html", limit=limit)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    told = 4 if limit is None else min(limit, 4)
    assert (report.runs, report.interventions, report.told, report.untrusted) == (5, 5, told, 1)
    reader = Reader(html)
    assert reader.told == [*reversed(ids[5 - told :]), ids[0]]
    assert rows(html, "summary")["Revised"][0] == "5"
    left = 4 - told
    assert (f"that are not set out here: {left}." in reader.text) == bool(left)


def test_a_reason_links_to_no_run_that_is_left_out(trail):
    model = ScriptedModel(judge=[ModelError("the endpoint is away")])
    Guard(BANK, model=model, audit=trail).review("Is it safe?", "It is fine.")
    html = page(trail, limit=0)
    assert "the endpoint is away" in html
    assert not [attrs for attrs in Reader(html).all("a") if attrs["href"].startswith("#run-")]


def test_a_record_that_cannot_be_read_leaves_a_report_that_says_it_is_incomplete(trail, tmp_path):
    """Of runs and of acts: what was read is there, and the first thing on the page is that there is more."""
    first, second, third = kept(trail, a_run(), a_run(), a_run())
    trail.decide(third, agrees=True, by="M. Sato", note="Right.")
    trail.decide(second, agrees=True, by="M. Sato", note="Right.")
    trail.close()
    with unguarded(tmp_path / "audit.db") as db:
        db.execute("UPDATE records SET body = replace(body, '\"enforced\"', '\"forced\"') WHERE seq = 2")
        db.execute("UPDATE records SET body = replace(body, '\"same\"', '\"some\"') WHERE seq = 5")
    report = reports.write(trail, tmp_path / "report.html", verification=trail.verify())
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    reader = Reader(html)
    assert (report.runs, len(report.problems)) == (1, 2)
    assert reader.told == [third]
    assert first not in html
    head = reader.text.split("Trail sqlite")[0]
    assert (
        "This report is incomplete. Part of the trail could not be read: the report covers only the newest runs" in head
    )
    assert "The list of decisions, erasures and legal holds breaks off" in head
    assert all(problem in head for problem in report.problems)
    assert rows(html, "acts")["Decisions on runs"] == ["1"]
    harmless(html)


def test_the_newest_record_that_cannot_be_read_leaves_a_report_without_runs(trail, tmp_path):
    kept(trail, a_run())
    trail.close()
    with unguarded(tmp_path / "audit.db") as db:
        db.execute("UPDATE records SET body = replace(body, '\"enforced\"', '\"forced\"') WHERE seq = 1")
    report = reports.write(trail, tmp_path / "report.html")
    assert (report.runs, len(report.problems)) == (0, 1)
    assert "This report is incomplete." in (tmp_path / "report.html").read_text(encoding="utf-8")


def scripted():
    """A judge that finds fault once, and a reviser that mends it."""
    wrong = finding("no-promises", sentences=[1], critique="It promises.")
    return ScriptedModel(judge=[wrong, {"findings": []}], revise=[edits({1: "It can fall."})])


def test_a_blocked_run_shows_what_was_released_instead(trail):
    model = ScriptedModel(
        judge=lambda _: finding("no-promises", sentences=[1]), revise=lambda _: edits({1: "It never falls."})
    )
    bank = constitution(principle("no-promises"), fallback={"en": "Please call us."})
    Guard(bank, model=model, audit=trail, on_blocked="fallback").review("Is it safe?", "It cannot fall.")
    text = Reader(page(trail)).text
    assert "Released instead of it Please call us." in text


def test_what_people_decided_stands_with_the_run_even_one_that_passed(trail):
    revised, clean, _ = kept(trail, a_run(), passed(), passed())
    trail.decide(revised, agrees=True, by="M. Sato", note="The edit is right.")
    trail.decide(clean, agrees=False, by="J. Okafor", note="It should have been caught.")
    html = page(trail)
    reader = Reader(html)
    assert sorted(reader.told) == sorted([revised, clean])
    assert "M. Sato agreed with the outcome" in reader.text
    assert "J. Okafor overruled the outcome" in reader.text
    assert "It should have been caught." in reader.text
    assert rows(html, "summary")["A person overruled the outcome"][0] == "1"


def test_an_erased_run_says_by_whom_and_why_and_shows_what_is_left(trail):
    erased, other = kept(trail, a_run("The secret cannot fall.", "The secret can fall."), a_run())
    trail.erase(erased, by="The officer", reason="Article 17")
    html = page(trail)
    text = Reader(html).text
    assert "secret" not in html
    assert "by The officer: Article 17 (record 3)" in text
    assert trail.run(erased).hash in text
    assert trail.run(other).hash in text
    assert "It promises." in text  # the other one's
    assert text.count("No promises Critical no-promises") == 2


def test_a_run_that_was_pruned_says_with_which_others(trail):
    kept(trail, a_run())
    trail.prune(datetime(2027, 1, 1, tzinfo=UTC), by="The archive", reason="Six months are over")
    assert "with everything recorded before 2027-01-01 00:00:00 UTC: Six months are over" in Reader(page(trail)).text


def test_a_run_without_texts_says_that_none_were_to_be_kept(trail):
    kept(trail, a_run("The secret cannot fall.", redaction="commitments"))
    text = Reader(page(trail)).text
    assert "This trail was to keep no texts of the run." in text
    assert "secret" not in text
    assert "This trail was to mask personal data" in Reader(page_of_redacted(trail)).text


def page_of_redacted(trail):
    kept(trail, a_run(redaction="redacted"))
    return page(trail)


def test_an_altered_run_is_not_shown_and_the_others_are(trail, tmp_path):
    """Neither its texts nor what its body says; the message of the trail stands in its place."""
    first, altered, last = kept(trail, a_run(), a_run("A forged sentence.", "A forged sentence, mended."), a_run())
    trail.close()
    with unguarded(tmp_path / "audit.db") as db:
        db.execute(
            "UPDATE texts SET text = CAST('Another forged sentence.' AS BLOB) WHERE seq = 2 AND path = 'original'"
        )
    report = reports.write(trail, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (report.runs, report.interventions, report.untrusted) == (3, 3, 1)
    assert "forged" not in html
    reader = Reader(html)
    assert reader.told == [last, altered, first]
    assert f"record 2 (run {altered}) cannot be trusted" in reader.text
    assert rows(html, "summary")["Records that cannot be trusted, among the interventions"][0] == "1"


def test_a_stream_that_came_to_no_outcome_tells_what_was_heard(trail):
    """Its windows are all there is of it, as after a crash."""
    run, right = uuid7(), (Verdict("no-promises", Decision.COMPLIES, "rules"),)
    exchange = Exchange([Message("user", "Bonds?")])
    for number, sentence in enumerate(("It pays. ", "It falls. "), 1):
        window = StreamWindow(run, number, WORDING, exchange, sentence, (Attempt(sentence, right, first=number),))
        trail.record(window, BANK.content)
    text = Reader(page(trail)).text
    assert "the stream was interrupted" in text
    assert "Heard until it was interrupted It pays. It falls." in text
    assert "Draft 1: the stream from sentence 2 on" in text
    assert text.count("Bonds?") == 1


def test_the_whole_conversation_and_its_context_are_there(trail):
    messages = [Message("system", "Be brief."), Message("user", "I have 40,000."), Message("user", "What now?")]
    model = scripted()
    Guard(BANK, model=model, audit=trail).review(messages, "It cannot fall.", context=["The fact sheet"])
    text = Reader(page(trail)).text
    assert "Prompt What now?" in text
    for said in ("SystemBe brief.", "UserI have 40,000.", "ContextThe fact sheet"):
        assert said in text


# Differences


def test_a_sentence_that_only_gained_white_space_did_not_change():
    found = list(differences("It fell.", "It fell. It can fall."))
    assert [(line.mark, line.before, line.after) for line in found] == [("same", 1, 1), ("come", None, 2)]


def test_words_of_a_japanese_sentence_are_marked_by_their_script():
    gone, come = differences("必ず年5%の利益が出ます。", "年5%の利益を目指します。")
    assert ("必ず", True) in gone.pieces
    assert any("年5%" in words and not changed for words, changed in come.pieces)


@given(hostile_text, hostile_text, st.integers(1, 9))
def test_differences_tell_both_drafts_in_order(before, after, first):
    """Whatever the drafts: their sentences are there, each with its number, and so are all their words."""
    found = list(differences(before, after, first))
    for draft, marks, number in ((before, {"same", "gone"}, "before"), (after, {"same", "come"}, "after")):
        lines = [line for line in found if line.mark in marks]
        told = [sentence.strip("\n").rstrip() for sentence in split(draft)]
        assert ["".join(words for words, _ in line.pieces) for line in lines] == told
        assert [getattr(line, number) for line in lines] == list(range(first, first + len(told)))
    assert [line.after for line in numbered(after)] == list(range(1, len(split(after)) + 1))


# Hostile texts


@given(hostile_text)
def test_what_is_not_seen_is_shown_as_its_code_point(text):
    shown = visible(text)
    shown.encode("utf-8")
    assert all(character.isprintable() or character in "\n\t\u3000" or character.isspace() for character in shown)
    assert "<" not in as_html("safe") + as_html("a\u0301が")
    assert re.sub(r'<span class="code">(U\+[0-9A-F]+)</span>', r"<\1>", as_html(text)) == shown


def test_a_text_hidden_in_selectors_is_seen():
    """The first selector belongs to its character, as in ☎️; what follows it spells out a message."""
    assert visible("☎\ufe0f") == "☎\ufe0f"
    assert visible("☎\ufe0f\U000e0130\U000e0131") == "☎\ufe0f<U+E0130><U+E0131>"


def hostile_run(text):
    """A run with this text wherever somebody or a model writes one."""
    wrong = (
        Verdict("no-promises", Decision.VIOLATES, text, text, (1,), 90),
        Verdict("balance", Decision.UNDECIDED, text, reason=text, failed=True),
    )
    drafts = (Attempt(text, wrong), Attempt(text + "!", wrong, (), text, text, 0, text))
    outcome = Outcome(
        Status.BLOCKED, text, uuid7(), WORDING, text, Cause.VIOLATION,
        released=text, verdicts=wrong, attempts=drafts, unjudged=(text,), unsafe=(text,),
    )  # fmt: skip
    return Run(
        Exchange([Message("system", text), Message("user", text)], text, [text]), outcome, (), (), {text: text}, START
    )


@settings(max_examples=15, deadline=None)
@given(st.one_of(st.just(HOSTILE), hostile_text))
def test_no_text_of_a_trail_becomes_markup(tmp_path_factory, text):
    """The elements and attributes of a page are the same whatever was said; only the numbers of them differ."""
    shapes = []
    for said in (text or "x", "x"):
        with AuditTrail.open(tmp_path_factory.mktemp("trail") / "audit.db") as trail:
            (run,) = kept(trail, hostile_run(said))
            trail.decide(run, agrees=False, by="x" + said, note=said)
            html = page(trail, verification=Verification(ok=False, records=0, head="", problem=said, seq=1, run=said))
            harmless(html)
            shapes.append({(tag, *sorted(attrs)) for tag, attrs in Reader(html).elements})
    assert shapes[0] - shapes[1] <= {("span", "class"), ("details", "class"), ("br",), ("ins",), ("del",)}


def harmless(html):
    """Nothing in a page loads, runs or leads elsewhere."""
    assert not any(character in html for character in "\x00\u202e\u2066\u200b\x1b")
    reader = Reader(html)
    allowed = {
        *(
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "header",
            "main",
            "section",
            "article",
            "nav",
            "div",
            "span",
        ),
        *("h1", "h2", "h3", "h4", "h5", "p", "dl", "dt", "dd", "ul", "ol", "li", "a", "code", "strong", "time", "del"),
        *("ins", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "details", "summary"),
        *("svg", "desc", "path", "rect"),
    }
    assert {tag for tag, _ in reader.elements} <= allowed
    for tag, attrs in reader.elements:
        assert not attrs.keys() & {"src", "style", "srcset", "action", "data", "xlink:href"}, tag
        assert not any(name.startswith("on") for name in attrs), tag
        assert attrs.get("href", "#").startswith("#")
    style = html.split("<style>", 1)[1].split("</style>", 1)[0]
    assert not re.search(r"url\(|@import|@font-face|expression", style)
    (policy,) = [a["content"] for a in reader.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    assert "script" not in policy


def test_a_sentence_of_a_megabyte_is_told_whole(trail):
    text = "a" * 1_000_000
    kept(trail, a_run(text, text + "b"))
    html = page(trail)
    assert html.count("a" * 1000) >= 1000
    harmless(html)


# The head


def test_the_head_tells_what_the_report_is_about(trail):
    kept(trail, a_run(labels={"case": "42"}), passed(labels={"case": "43"}))
    where = Where(
        Status.REVISED, "no-promises", "critical", START, START + timedelta(days=1), (("case", "42"),), BANK.digest[:8]
    )
    reader = Reader(page(trail, where=where))
    head = reader.text.split("Summary")[0]
    for shown in (trail.url, BANK.digest, f"{BANK.name} {BANK.version}", "constitutional-guardrails 0."):
        assert shown in head
    for shown in ("Status Revised", "Principle no-promises", "Severity Critical", "From 2026-11-23 09:30:00 UTC"):
        assert shown in head
    for shown in ("Before 2026-11-24 09:30:00 UTC", "Label case=42", f"Constitution {BANK.digest[:8]}"):
        assert shown in head
    assert len(reader.told) == 1


def test_only_the_runs_that_are_wanted_are_counted_and_told(trail):
    first, second = kept(trail, a_run(labels={"case": "42"}), a_run(labels={"case": "43"}))
    html = page(trail, where=Where(labels=(("case", "43"),)))
    assert Reader(html).told == [second]
    assert first not in html
    assert rows(html, "summary")["All runs"][0] == "1"


def test_the_head_says_what_came_of_verifying(trail):
    kept(trail, a_run())
    alone = trail.verify()
    for verification, said in (
        (None, "Not verified for this report."),
        (alone, "The chain is consistent: all 1 records"),
        (alone, "Not anchored"),
        (alone, alone.head),
        (Verification(ok=True, records=9, head="ab", anchored=8), "vouches for the trail up to record 8"),
        (Verification(ok=True, records=9, head="ab", anchored=8), "that are not anchored: 1."),
        (Verification(ok=True, records=9, head="ab", note="a trigger was removed"), "rules by which the database"),
        (Verification(ok=True, records=9, head="ab", note="a trigger was removed"), "a trigger was removed"),
        (Verification(ok=False, records=6, head="ab", problem="it is missing", seq=7), "Record 7 does not fit."),
        (Verification(ok=False, records=6, head="ab", problem="it is missing", seq=7), "it is missing"),
        (Verification(ok=False, records=6, head="ab", problem="it is missing", seq=7, anchored=5), "up to record 5"),
    ):
        assert said in Reader(page(trail, verification=verification)).text


def test_a_trail_without_runs_has_a_report(trail):
    kept(trail, passed())
    html = page(trail, where=Where(constitution="another"))
    assert "No runs" in html
    assert Reader(html).told == []
    harmless(html)


# Languages


def test_both_languages_have_the_same_words_with_the_same_gaps():
    english, japanese = WORDS["en"], WORDS["ja"]
    assert english.keys() == japanese.keys()
    for name, words in english.items():
        gaps = [{gap for _, gap, _, _ in string.Formatter().parse(text) if gap} for text in (words, japanese[name])]
        assert gaps[0] == gaps[1], name
        assert words.strip()
        assert japanese[name].strip()


def test_every_word_has_its_place():
    """Templates say it by its name, or by the kind of a value; what nobody says is not kept."""
    templates = Path(reports.__file__).parent.joinpath("templates").glob("*.j2")
    source = "".join(template.read_text(encoding="utf-8") for template in templates)
    kinds = tuple(re.findall(r'say\("(\w+_)" ~', source)) + tuple(
        f"{one}_" for one in re.findall(r'named\("(\w+)"', source)
    )
    said = {f"{result}_short" for result in Result} | {"incomplete_runs", "incomplete_acts"}
    unsaid = {
        word
        for word in WORDS["en"].keys() - said
        if not word.startswith((*kinds, "worker_")) and f'"{word}"' not in source
    }
    assert unsaid == set()


def test_every_value_that_the_library_knows_has_a_word():
    kinds = {
        "status": Status,
        "result": Result,
        "cause": Cause,
        "decision": Decision,
        "severity": ("critical", "high", "medium", "low", ""),
    }
    kinds |= {"unit": [unit.name for unit in UNITS], "speaker": ("system", "user", "assistant", "tool")}
    for kind, values in kinds.items():
        assert all(f"{kind}_{value}" in WORDS["en"] for value in values)


def test_the_japanese_page_is_japanese(trail):
    """The library's words and the principles' titles; what was said stays as it was."""
    kept(trail, a_run())
    html = page(trail, language="ja")
    reader = Reader(html)
    assert reader.all("html", lang="ja")
    assert "監査報告書" in reader.text
    assert "約束の禁止" in reader.text
    assert "It promises." in reader.text
    assert "Released" not in reader.text


def test_what_the_library_wrote_in_english_is_explained_and_quoted(trail):
    """Its phrases, as a guard makes them: a rule's critique, a rule's own reason, a reply that is data."""
    guard = Guard("finance", judge="rules", allow_unjudged=True, audit=trail)
    guard.review("Is it safe?", "This ETF is guaranteed to return 8% a year, so you can't lose.")
    guard.review("As JSON?", '{"advice": "This ETF is guaranteed to return 8% a year."}')
    html = page(trail, language="ja")
    text = Reader(html).text
    assert "判定者：ルール" in text
    assert "との記載がある" in text
    assert "データ形式の回答であり" in text
    assert "記録上の表記：it is data, which is judged and never edited" in text
    assert '<span lang="en" dir="auto">it is data' in html
    assert not re.search(r"\(\d+%\)|[ぁ-ん一-龥]\(", "".join(WORDS["ja"].values()))


def test_a_phrase_that_is_not_known_whole_is_not_explained():
    assert meaning("revisions ran out", PHRASES["ja"])
    assert not meaning("revisions ran out of the door", PHRASES["ja"])
    assert not meaning("says “a”; states what nobody knows", PHRASES["ja"])
    assert meaning("says “a; b”; and more", PHRASES["ja"]) == "「a; b」との記載がある；ほか"
    assert meaning("says “card”", PHRASES["ja"]) == "「card」との記載がある"
    assert meaning("shows personal data (my number)", PHRASES["ja"]) == "個人情報（個人番号）の記載がある"
    drops = "sentence 2 drops “5%” (percentages); the appended text adds “3%” (percentages)"
    assert meaning(drops, PHRASES["ja"]) == "第2文から「5%」（割合）を除いている；追記に「3%」（割合）を加えている"
    assert not meaning("revisions ran out", PHRASES["en"])


# The file


def test_a_report_that_fails_leaves_nothing_and_keeps_what_was_there(trail, tmp_path):
    """Neither a part of it nor the loss of an older one, whatever goes wrong on the way."""
    kept(trail, *(a_run() for _ in range(100)))
    path = tmp_path / "report.html"
    path.write_text("the older one")
    before = sorted(tmp_path.iterdir())

    def interrupt(_count):
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        reports.write(trail, path, progress=interrupt)
    assert path.read_text() == "the older one"
    assert sorted(tmp_path.iterdir()) == before


def test_only_its_owner_may_read_a_report(trail, tmp_path):
    kept(trail, a_run())
    reports.write(trail, tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o600


def test_a_report_never_takes_the_place_of_a_trail(trail, tmp_path):
    kept(trail, a_run())
    with pytest.raises(ConfigurationError, match=r"ends in \.html"):
        reports.write(trail, tmp_path / "audit.db")
    assert len(list(trail.runs())) == 1


def test_what_cannot_be_written_or_read_says_so(trail, tmp_path):
    kept(trail, a_run())
    with pytest.raises(ConfigurationError, match="cannot be written"):
        reports.write(trail, tmp_path / "missing" / "report.html")
    with pytest.raises(ConfigurationError, match="'fr' is not one of 'en', 'ja'"):
        reports.write(trail, tmp_path / "report.html", language="fr")
    with pytest.raises(ConfigurationError, match="limit=-1"):
        reports.write(trail, tmp_path / "report.html", limit=-1)
    with AuditTrail.open(tmp_path / "none.db") as none, pytest.raises(AuditError, match="there is no audit trail"):
        reports.write(none, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_runs_are_read_once_and_told_as_they_come(trail, tmp_path):
    """No list of them is made: each is told before the next one is read."""

    class Watched(AuditTrail):
        def runs(self, limit=None, where=None):
            for run in super().runs(limit, where):
                asked.append(run.run_id)
                yield run

        def run(self, run_id):
            told.append((run_id, len(asked)))
            return super().run(run_id)

    asked, told = [], []
    ids = kept(trail, *(a_run() for _ in range(250)))
    with Watched.open(tmp_path / "audit.db") as watched:
        reports.write(watched, tmp_path / "report.html")
    assert told == list(zip(reversed(ids), range(1, 251), strict=True))


def test_progress_is_told(trail, tmp_path):
    kept(trail, *(passed() for _ in range(250)))
    counts = []
    reports.write(trail, tmp_path / "report.html", progress=counts.append)
    assert counts == [100, 200, 250]


# The browser


@pytest.fixture
def told(tmp_path):
    """A real trail: rules, texts in two languages, a hostile one, monitor mode, a decision, a hold, an erasure."""
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        guard = Guard("finance", judge="rules", allow_unjudged=True, audit=trail)
        with labels(case="C-1"):
            guard.review(
                "Is it safe? " * 80, "It costs 0.2%. This ETF is guaranteed to return 8% a year, so you can't lose."
            )
        decided = guard.review(
            "安全ですか。", "この投資信託なら必ず年5%の利益が出ますので、損をすることはありません。"
        ).run_id
        erased = guard.review("My card?", "Your card 4111 1111 1111 1111, CVV 123, was charged twice.").run_id
        guard.review(HOSTILE, f"This is risk-free. {HOSTILE}")
        guard.review("What is an ISIN?", "It is the number of a security.")
        kept(trail, hostile_run("x" * 3000), a_run(enforced=False), a_run(status=Status.BLOCKED, enforced=False))
        trail.hold("case", "C-1", by="Legal", reason="Complaint 118")
        trail.decide(decided, agrees=True, by="佐藤", note="問題ありません。")
        trail.erase(erased, by="The officer", reason="Article 17")
        yield trail


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium")
@pytest.mark.parametrize("language", reports.LANGUAGES)
def test_a_browser_shows_it_without_asking_anybody_for_anything(told, language, tmp_path):
    """In real Chromium, from the disk: one request, nothing runs, and a phone needs no scrolling sideways."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = tmp_path / "report.html"
    reports.write(told, path, language=language, verification=told.verify())
    asked, problems = [], []
    with playwright.sync_playwright() as started:
        context = started.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=CHROMIUM, args=FLAGS, env={**os.environ, "HOME": str(tmp_path)}
        )
        browser = context.new_page()
        browser.on("request", lambda request: asked.append(request.url))
        browser.on("console", lambda message: problems.append(message.text))
        browser.on("dialog", lambda dialog: problems.append(dialog.message))
        widths = {}
        for width in (375, 1280):
            browser.set_viewport_size({"width": width, "height": 812})
            browser.goto(path.as_uri())
            browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            widths[width] = browser.evaluate("document.documentElement.scrollWidth")
        gone = browser.locator("del").first.evaluate("one => getComputedStyle(one).textDecorationLine")
        come = browser.locator("ins").first.evaluate("one => getComputedStyle(one).textDecorationLine")
        interventions = browser.locator("article").count()
        browser.goto(path.as_uri())
        browser.emulate_media(media="print")
        closed = browser.locator("details:not([open]) .rule").first.bounding_box()
        context.close()
    assert set(asked) == {path.as_uri()}
    assert problems == []
    assert widths == {375: 375, 1280: 1280}
    assert (gone, come) == ("line-through", "underline")
    assert interventions == 7
    assert closed["height"] > 0  # paper has no triangle to click
