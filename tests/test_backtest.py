"""A backtest says what a draft would say of recorded replies: no more than was judged, and of all of it."""

import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from support import constitution, folder, hostile_text, principle, write
from trails import unguarded

from guardrails import AuditTrail, Guard, labels
from guardrails._budget import Budget
from guardrails.audit import Run, StreamWindow, Where, uuid7
from guardrails.authoring._backtest import backtest
from guardrails.authoring._backtest_changes import Change, Kind, changes, ruled
from guardrails.authoring._backtest_judgement import Judgement, found_now
from guardrails.authoring._backtest_tally import Instance
from guardrails.cli import main
from guardrails.cli._backtested import tell
from guardrails.errors import AuditError, ConfigurationError, ModelError
from guardrails.exchange import Exchange
from guardrails.models import ModelReply
from guardrails.outcome import Attempt, Cause, Outcome, Status
from guardrails.reports._backtest import write_backtest
from guardrails.reports._backtest_english import ENGLISH
from guardrails.reports._backtest_japanese import JAPANESE
from guardrails.testing import ScriptedModel, clean, finding
from guardrails.verdict import Decision, Verdict

PROMISES = principle("no-promises", checks=[{"pattern": ["guaranteed", "cannot fall"]}])
HURRY = principle("no-hurry", checks=[{"pattern": "act now"}])
TONE = principle("tone", checks=[])
OLD = constitution(PROMISES, TONE, name="bank")
GOOD, BAD, FALL, NOW = "It costs 0.2%.", "It is guaranteed. It costs 0.2%.", "It cannot fall.", "Please act now."


def draft(*principles, **top):
    return constitution(*principles, **{"name": "bank", "version": "2", **top})


@pytest.fixture
def trail(tmp_path):
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        yield trail


def say(trail, *replies, old=OLD, **options):
    """Replies to a guard, recorded; their runs' ids."""
    options = {"judge": "rules", "allow_unjudged": True, **options}
    with Guard(old, audit=trail, **options) as guard:
        return [guard.review("Is it safe?", reply).run_id for reply in replies]


def by_model(*answers, **fields):
    """Options of a guard whose model gives these answers, as a judge; it mends nothing."""
    return {"judge": None, "model": ScriptedModel(judge=list(answers), revise=lambda _: {"edits": []}), **fields}


def row(found, name):
    (one,) = [one for one in found.principles if one.principle == name]
    return one


def counts(found, name):
    one = row(found, name)
    return one.then, one.now, one.newly, one.no_longer, one.not_comparable, one.undecided


# What is different


@settings(max_examples=15)
@given(st.lists(st.sampled_from([GOOD, BAD, FALL, NOW, BAD + " " + NOW]), min_size=1, max_size=8))
def test_the_constitution_that_was_in_force_makes_no_difference(replies):
    with folder({}) as path, AuditTrail.open(path / "audit.db") as trail:
        say(trail, *replies)
        found = backtest(trail, OLD)
    assert (found.judged, found.newly, found.no_longer) == (len(replies), 0, 0)
    assert not any(one.differs or one.absent or one.removed for one in found.principles)
    assert row(found, "no-promises").still == sum("guaranteed" in reply or "fall" in reply for reply in replies)
    assert found.newly_stopped == found.newly_revised == found.newly_released == found.unknown == 0


def test_a_new_principle_flags_and_a_removed_one_does_no_longer(trail):
    _, bad, now = say(trail, GOOD, BAD, NOW)
    found = backtest(trail, draft(HURRY, TONE))
    assert counts(found, "no-hurry") == (0, 1, 1, 0, 0, 0)
    assert counts(found, "no-promises") == (1, 0, 0, 1, 0, 0)
    assert (row(found, "no-hurry").absent, row(found, "tone").absent, row(found, "no-promises").removed) == (3, 0, True)
    (new,), (gone,) = row(found, "no-hurry").instances[Kind.NEWLY], row(found, "no-promises").instances[Kind.NO_LONGER]
    assert (new.run_id, new.change.mark, new.then, new.now) == (now, "new", "release", "revise")
    assert (gone.run_id, gone.change.mark, gone.prompt, gone.reply) == (bad, "removed", "Is it safe?", BAD)
    assert gone.change.verdicts[0].sentences == (1,)
    assert row(found, "no-promises").title == "no-promises"


def test_a_pattern_that_is_gone_flags_no_longer_and_the_others_still_do(trail):
    say(trail, BAD, FALL, GOOD)
    found = backtest(trail, draft(principle("no-promises", checks=[{"pattern": "guaranteed"}]), TONE))
    assert counts(found, "no-promises") == (2, 1, 0, 1, 0, 0)
    assert row(found, "no-promises").instances[Kind.NO_LONGER][0].reply == FALL


def test_where_nothing_looks_any_more_silence_decides_nothing(trail):
    """The principle is left to a model, and none is asked."""
    say(trail, BAD)
    found = backtest(trail, draft(principle("no-promises", checks=[]), HURRY))
    assert counts(found, "no-promises") == (1, 0, 0, 0, 1, 0)
    assert row(found, "no-promises").instances[Kind.NOT_COMPARABLE][0].change.why == "unjudged"


def test_what_a_model_found_is_not_comparable_with_the_silence_of_rules(trail):
    say(trail, GOOD, FALL, **by_model(finding("tone", critique="Curt."), clean()))
    found = backtest(trail, OLD)
    assert counts(found, "tone") == (1, 0, 0, 0, 1, 0)
    assert (found.no_longer, found.newly_released, found.unknown) == (0, 0, 1)
    (one,) = row(found, "tone").instances[Kind.NOT_COMPARABLE]
    assert (one.now, one.change.verdicts[0].critique) == ("unknown", "Curt.")


def test_what_a_model_could_not_decide_then_is_not_released_by_the_silence_of_rules(trail):
    say(trail, GOOD, **by_model(finding("tone", decision="undecided")))
    found = backtest(trail, OLD)
    assert (found.newly_released, found.unknown) == (0, 1)


def test_a_model_that_is_asked_clears_what_a_model_found(trail):
    say(trail, GOOD, **by_model(finding("tone")))
    found = backtest(trail, OLD, model=ScriptedModel())
    assert counts(found, "tone") == (1, 0, 0, 1, 0, 0)
    assert found.newly_released == 1


def test_a_threshold_that_is_raised_clears_and_says_why(trail):
    say(trail, GOOD, **by_model(finding("tone", confidence=60)))
    strict = draft(PROMISES, {**TONE, "threshold": 90})
    found = backtest(trail, strict, model=ScriptedModel(judge=[finding("tone", confidence=60)]))
    assert counts(found, "tone") == (1, 0, 0, 1, 0, 0)
    (one,) = row(found, "tone").instances[Kind.NO_LONGER]
    assert one.change.reason == "confidence 60 is below the threshold of 90"


def test_what_a_check_failed_on_is_neither_flagged_nor_cleared(trail):
    say(trail, BAD, GOOD)
    found = backtest(trail, OLD, model=ScriptedModel(judge=[ModelError("no such key"), ModelError("no such key")]))
    assert counts(found, "tone") == (0, 0, 0, 0, 0, 2)
    assert (found.failed, found.failures) == (2, {"no such key": 2})
    assert found.newly_stopped == 0
    assert found.unknown == 1  # the other is revised, whatever the model would have said


def test_a_judge_that_cannot_tell_stops_the_reply(trail):
    say(trail, GOOD)
    found = backtest(trail, OLD, model=ScriptedModel(judge=[finding("tone", decision="undecided")]))
    assert counts(found, "tone") == (0, 0, 0, 0, 0, 1)
    assert found.newly_stopped == 1


def test_the_bottom_line_is_what_the_policy_makes_of_the_reply(trail):
    say(trail, GOOD, NOW, BAD, BAD)
    stops = backtest(trail, draft(PROMISES, TONE, {**HURRY, "on_violation": "block"}))
    assert (stops.newly_stopped, stops.newly_revised, stops.newly_released) == (1, 0, 0)
    flags = backtest(trail, draft({**PROMISES, "on_violation": "flag"}, TONE, HURRY))
    assert (flags.newly_stopped, flags.newly_revised, flags.newly_released) == (0, 1, 2)
    assert flags.rulings == {("release", "release"): 1, ("release", "revise"): 1, ("block", "release"): 2}


def test_a_baseline_takes_a_models_other_mind_out_of_the_comparison(trail):
    """The model found nothing when the reply was recorded, and finds the same under both wordings now."""
    say(trail, GOOD, **by_model(clean()))
    moody = ScriptedModel(judge=lambda _: finding("tone"))
    alone, against = (backtest(trail, OLD, model=moody, baseline=one) for one in (None, OLD))
    assert (counts(alone, "tone"), counts(against, "tone")) == ((0, 1, 1, 0, 0, 0), (1, 1, 0, 0, 0, 0))
    assert against.rulings == {("revise", "revise"): 1}
    assert (against.baseline, len(moody.requests)) == (OLD.ref, 3)


def test_people_who_decided_on_a_run_are_heard(trail):
    (run,) = say(trail, BAD)
    trail.decide(run, agrees=False, by="M. Sato", note="A quotation.")
    found = backtest(trail, draft(HURRY))
    (one,) = row(found, "no-promises").instances[Kind.NO_LONGER]
    assert [(act.agrees, act.by, act.reason) for act in one.decisions] == [(False, "M. Sato", "A quotation.")]


def test_replies_that_say_the_same_are_shown_once(trail):
    say(trail, *[BAD] * 5, FALL, "It is guaranteed.")
    found = backtest(trail, draft(HURRY), examples=2)
    shown = row(found, "no-promises").instances[Kind.NO_LONGER]
    assert [(one.reply, one.repeats) for one in shown] == [("It is guaranteed.", 0), (FALL, 0)]
    assert row(found, "no-promises").no_longer == 7
    whole = row(backtest(trail, draft(HURRY)), "no-promises").instances[Kind.NO_LONGER]
    assert [one.repeats for one in whole] == [0, 0, 4]


# Streams


def test_of_a_stream_the_reply_is_judged_as_it_was_before_anything_was_revised(trail):
    fixed = principle("no-promises", checks=[{"pattern": "guaranteed", "fix": {"replace": {"en": "hoped for"}}}])
    with Guard(draft(fixed), audit=trail, judge="rules", allow_unjudged=True) as guard:
        chunks = ["It costs 0.2%. ", "A gain is guaranteed. ", "Another one is guaranteed, too. ", "Ask us."]
        text = "".join(guard.stream("Is it safe?", chunks))
    assert "guaranteed" not in text
    found = backtest(trail, draft(fixed))
    assert counts(found, "no-promises") == (1, 1, 0, 0, 0, 0)
    gone = backtest(trail, draft(HURRY))
    (one,) = row(gone, "no-promises").instances[Kind.NO_LONGER]
    assert one.reply == "".join(chunks)
    assert sorted({n for verdict in one.change.verdicts for n in verdict.sentences}) == [2, 3]


def test_a_stream_that_was_cut_is_not_asked_for_what_only_a_whole_reply_can_have(trail):
    check = {"require": "values can fall", "append": {"en": "Values can fall."}, "decides": True}
    risk = principle("risk", scope="reply", checks=[check])
    first, heard = "A gain is guaranteed. ", "A gain is guaranteed. It costs"
    wrong = (Verdict("no-promises", Decision.VIOLATES, "rules", "It promises.", (1,)),)
    outcome = Outcome(
        Status.BLOCKED, "", uuid7(), OLD.ref, heard, cause=Cause.VIOLATION, attempts=(Attempt(first, wrong),)
    )
    trail.record(Run(Exchange("Is it safe?", heard), outcome), OLD.content)
    found = backtest(trail, draft(PROMISES, risk))
    assert (counts(found, "risk"), counts(found, "no-promises")) == ((0,) * 6, (1, 1, 0, 0, 0, 0))
    whole = replace(outcome, run_id=uuid7(), attempts=(Attempt(heard, wrong),))
    trail.record(Run(Exchange("Is it safe?", heard), whole), OLD.content)
    assert counts(backtest(trail, draft(PROMISES, risk)), "risk") == (0, 1, 1, 0, 0, 0)


# What is left out


def test_what_cannot_be_judged_is_left_out_and_counted(trail):
    erased, altered, _ = say(trail, BAD, "It is guaranteed to rise.", GOOD)
    say(trail, BAD, redaction="commitments")
    window = StreamWindow(uuid7(), 1, OLD.ref, Exchange("Is it safe?"), "It costs ", (Attempt("It costs "),))
    trail.record(window, OLD.content)
    calls = Outcome(Status.PASSED, "", uuid7(), OLD.ref, "", attempts=(Attempt("buy()", calls=True),))
    trail.record(Run(Exchange("Buy it."), calls), OLD.content)
    trail.erase(erased, by="DPO", reason="Article 17")
    with unguarded(trail.url) as db:
        db.execute("UPDATE texts SET text = CAST('It is safe.' AS BLOB) WHERE seq = 2 AND path = 'original'")
    found = backtest(trail, OLD)
    assert dict(found.left_out) == dict.fromkeys(["erased", "untrusted", "commitments", "interrupted", "no_reply"], 1)
    assert (found.fits, found.usable, found.judged, found.is_partial) == (6, 1, 1, False)
    assert altered not in json.dumps([one.principle for one in found.principles])


def test_masked_texts_are_judged_as_stored_and_clear_nothing(trail):
    card = principle("no-cards", checks=[{"personal_data": ["card"], "decides": True}])
    say(trail, "Your card is 4111 1111 1111 1111. Act now.", old=draft(card), redaction="redacted")
    found = backtest(trail, draft(card, HURRY))
    assert found.masked == 1
    assert counts(found, "no-cards") == (1, 0, 0, 0, 1, 0)
    assert row(found, "no-cards").instances[Kind.NOT_COMPARABLE][0].change.why == "masked"
    assert row(found, "no-hurry").instances[Kind.NEWLY][0].masked


def test_a_trail_is_read_and_not_written(trail):
    say(trail, BAD, GOOD)
    before = [record.hash for record in trail.records()]
    backtest(trail, draft(HURRY))
    assert [record.hash for record in trail.records()] == before
    assert trail.verify()


def test_there_is_no_backtest_without_a_trail_or_a_judge(tmp_path, trail):
    with pytest.raises(AuditError, match="no audit trail"), AuditTrail.open(tmp_path / "none.db") as none:
        backtest(none, OLD)
    say(trail, GOOD)
    with pytest.raises(ConfigurationError, match="bank has no checks"):
        backtest(trail, draft(TONE))


# Which runs


def test_filters_and_a_limit_choose_runs(trail):
    with labels(case="7"):
        say(trail, BAD)
    say(trail, FALL, GOOD)
    assert backtest(trail, OLD, where=Where(labels=(("case", "7"),))).judged == 1
    assert backtest(trail, OLD, where=Where(status=Status.PASSED)).judged == 1
    newest = backtest(trail, draft(HURRY), limit=2)
    assert (newest.fits, newest.judged, newest.is_partial, newest.no_longer) == (2, 2, False, 1)


def test_a_sample_is_the_same_for_the_same_seed_and_another_for_another(trail):
    replies = [f"It is guaranteed in year {year}." for year in range(2000, 2040)]
    say(trail, *replies)

    def drawn(seed):
        found = backtest(trail, draft(HURRY), sample=10, seed=seed)
        assert (found.judged, found.usable, found.is_partial) == (10, 40, True)
        return [one.reply for one in row(found, "no-promises").instances[Kind.NO_LONGER]]

    assert drawn(1) == drawn(1)
    seen = {reply for seed in range(12) for reply in drawn(seed)}
    assert len(seen) > 30  # 12 samples of 10 from 40 leave out one reply in about 30
    assert drawn(1) != drawn(2)
    low, high = backtest(trail, draft(HURRY), sample=10).share(10).interval
    assert 0.7 < low < 0.75
    assert 0.999 < high <= 1
    assert not backtest(trail, draft(HURRY), sample=40).is_partial


@pytest.mark.parametrize(
    ("budget", "asked", "used_up"),
    [
        (Budget(seconds=None, calls=3), 3, "calls"),
        (Budget(seconds=None, tokens=0), 0, "tokens"),
        (Budget(seconds=0), 0, "seconds"),
        (Budget(seconds=None, calls=6), 6, ""),
    ],
)
def test_a_budget_is_for_all_of_it_and_the_rest_is_counted(trail, budget, asked, used_up):
    say(trail, *[GOOD] * 6)
    model = ScriptedModel()
    found = backtest(trail, OLD, model=model, budget=budget)
    assert (len(model.requests), found.usage.calls, found.judged) == (asked, asked, asked)
    assert (found.left_out.get("budget", 0), found.used_up) == (6 - asked, used_up)
    assert (found.usable, found.is_partial) == (6, asked < 6)


def test_a_reply_that_the_budget_cut_short_is_left_out(trail):
    """Both wordings have to be asked; the budget is enough for one."""
    say(trail, GOOD)
    found = backtest(trail, OLD, baseline=OLD, model=ScriptedModel(), budget=Budget(seconds=None, calls=1))
    assert (found.judged, found.left_out, found.usage.calls) == (0, {"budget": 1}, 1)


def test_tokens_of_answers_count(trail):
    say(trail, *[GOOD] * 30)
    model = ScriptedModel(judge=lambda _: ModelReply('{"findings": []}', input_tokens=90, output_tokens=10))
    found = backtest(trail, OLD, model=model, budget=Budget(seconds=None, tokens=300))
    assert found.used_up == "tokens"
    assert 3 <= found.judged < 3 + 8  # what is under way is waited for
    assert found.usage.input + found.usage.output == 100 * found.judged


# Comparing

names = st.sampled_from(["a", "b", "c"])
verdicts = st.lists(st.builds(Verdict, names, st.sampled_from(Decision), st.sampled_from(["rules", "model"])))
rulings = st.sampled_from(["release", "revise", "block"])


def judgement(found, principles, ruling):
    grouped = {}
    for verdict in found:
        grouped.setdefault(verdict.principle, []).append(verdict)
    return Judgement({name: tuple(said) for name, said in grouped.items()}, {*principles, *grouped}, ruling)


judgements = st.builds(judgement, verdicts, st.sets(names), rulings)


@given(judgements, judgements, st.sets(names), st.booleans())
def test_each_principle_changes_in_one_way_and_everything_flagged_is_accounted_for(then, now, looked_at, masked):
    found = list(changes(then, now, looked_at, masked=masked))
    assert len({change.principle for change in found}) == len(found)
    flagged = {name for name in "abc" if then.decision(name) is Decision.VIOLATES}
    assert {change.principle for change in found if change.then} == flagged
    by_kind = {kind: {change.principle for change in found if change.kind is kind} for kind in Kind}
    assert by_kind[Kind.NEWLY] | by_kind[Kind.STILL] == {n for n in "abc" if now.decision(n) is Decision.VIOLATES}
    assert not by_kind[Kind.NEWLY] & flagged
    assert by_kind[Kind.STILL] | by_kind[Kind.NO_LONGER] | by_kind[Kind.NOT_COMPARABLE] <= flagged
    for name in by_kind[Kind.NO_LONGER] & now.principles:
        assert now.decision(name) is Decision.COMPLIES or (name in looked_at and then.by_rules(name))
    assert ruled(then, now, found) in {now.ruling, "unknown"}


@given(judgements, st.sets(names))
def test_a_judgement_has_no_difference_to_itself(one, looked_at):
    kinds = {change.kind for change in changes(one, one, looked_at)}
    assert kinds <= {Kind.STILL, Kind.UNDECIDED}


def test_a_principle_that_nobody_judges_stops_nothing():
    assert found_now(OLD, ()).ruling == "release"
    failed = Verdict("tone", Decision.UNDECIDED, "model", reason="down", failed=True)
    assert found_now(OLD, [failed]).ruling == "unknown"


# The command


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDRAILS_AUDIT", f"sqlite:///{tmp_path}/audit.db")
    (tmp_path / "new.yaml").write_text(json.dumps({"name": "bank", "version": "2", "principles": [HURRY, TONE]}))

    def command(*arguments, code=0):
        monkeypatch.setattr(sys, "argv", ["guardrails", "backtest", *arguments])
        ended = 0
        try:
            main()
        except SystemExit as stop:
            ended = stop.code or 0
        out, err = capsys.readouterr()
        assert ended == code, err
        return out + err

    return command


def test_the_command_tells_what_is_different(command, trail):
    say(trail, GOOD, BAD, NOW, "It rose. It cannot\x1b[2J fall, it is guaranteed.")
    printed = command("new.yaml")
    assert printed.startswith("bank 2  4 recorded replies judged by the rules alone, against the record\n")
    assert re.search(r"no-promises \(removed\) +2 +0 +0 +2 +0 +0\n", printed)
    assert re.search(r"no-hurry \(new\) +0 +1 +1 +0 +0 +0\n", printed)
    assert "1  25.0%  with something newly flagged" in printed
    assert "    1 Please act now.\n      rules: says “act now”\n" in printed
    assert "    2 It cannot<U+001B>[2J fall, it is guaranteed.\n" in printed
    assert "\x1b" not in printed
    assert "1 more principle: nothing flagged, then or now\n" in printed
    assert "rules: says" not in command("new.yaml", "--examples", "0")


def test_a_draft_is_compared_with_a_git_revision_of_it(command, trail, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    for arguments in (["init", "-q"], ["add", "new.yaml"], ["commit", "-q", "-m", "one"]):
        who = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *who, *arguments], check=True)
    write(tmp_path / "new.yaml", {"name": "bank", "version": "2", "principles": [PROMISES]})
    say(trail, BAD)
    printed = command("new.yaml", "--baseline", "HEAD:new.yaml")
    began = re.match(
        r"bank 2 (\w{8})  1 recorded reply judged by the rules alone, against bank 2 (\w{8}), judged", printed
    )
    assert began
    assert began[1] != began[2]
    assert "newly flagged (1)" in printed
    assert command("HEAD:new.yaml", "--baseline", "HEAD:new.yaml").startswith("bank 2  1 recorded reply judged")
    assert "cannot be judged under by its digest" in command("new.yaml", "--baseline", "0" * 8, code=2)


def test_wordings_of_one_name_and_version_are_told_apart(trail):
    wordings = [OLD, constitution(PROMISES, name="bank")]
    for wording in wordings:
        say(trail, GOOD, old=wording)
    found = backtest(trail, draft(HURRY))
    assert {found.called(one) for one in found.wordings} == {f"bank 1 {one.digest[:8]}" for one in wordings}
    assert found.called(found.constitution) == "bank 2"


def test_nothing_that_a_constitution_is_called_steers_a_terminal(trail, tmp_path):
    say(trail, GOOD)
    found = backtest(trail, draft(HURRY, TONE), baseline=OLD)
    name = "ba\x1b[2Jnk\u202e"
    called = {ref: replace(getattr(found, ref), name=name, version=name) for ref in ("constitution", "baseline")}
    wordings = {replace(one, name=name, version=name): count for one, count in found.wordings.items()}
    out = Console(file=io.StringIO(), width=200)
    tell(out, replace(found, **called, wordings=wordings), 3)
    printed = out.file.getvalue()
    assert printed.count("ba<U+001B>[2Jnk<U+202E>") == 6
    assert not {"\x1b", "\u202e"} & set(printed)
    write_backtest(replace(found, **called, wordings=wordings), tmp_path / "report.html")
    assert not {"\x1b", "\u202e"} & set((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_the_command_says_the_seed_and_gives_intervals_for_a_sample(command, trail):
    say(trail, *[NOW] * 5)
    printed = command("new.yaml", "--sample", "4")
    assert "a sample of 4 from 5, seed 1\n" in printed
    assert "4  100.0% (51.0-100.0)  with something newly flagged" in printed
    assert "and 2 more that say the same" not in printed
    assert "and 3 more that say the same" in printed


def test_the_command_prints_one_json_document(command, trail):
    say(trail, BAD, NOW)
    told = json.loads(command("new.yaml", "--json"))
    assert (told["judged"], told["newly"], told["no_longer"], told["seed"]) == (2, 1, 1, 1)
    (hurry,) = [one for one in told["principles"] if one["principle"] == "no-hurry"]
    assert hurry["newly_share"] == {"count": 1, "share": 0.5, "low": None, "high": None}
    assert hurry["instances"]["newly_flagged"][0]["change"]["verdicts"][0]["critique"] == "says “act now”"
    assert told["rulings"] == {"release": {"revise": 1}, "block": {"release": 1}}
    assert told["shares"]["newly_revised"]["count"] == 1
    sampled = json.loads(command("new.yaml", "--json", "--sample", "1"))
    assert 0 <= sampled["shares"]["newly"]["low"] <= sampled["shares"]["newly"]["high"] <= 1


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        (["new.yaml", "--budget", "calls=many"], "'calls=many' is no part of it. Write calls=200,"),
        (["new.yaml", "--budget", "money=3"], "'money=3' is no part of it"),
        (["new.yaml", "--budget", "calls=1,calls=2"], "'calls=2' is no part of it"),
        (["new.yaml", "--out", "audit.db"], "a report is an HTML file"),
        (["new.yaml", "--out", "nowhere/report.html"], "there is no folder nowhere"),
        (["new.yaml", "--language", "fr"], "language='fr' is not one of"),
        (["nosuch"], "nosuch"),
        (["new.yaml", "--baseline", "nosuch"], "nosuch"),
        (["new.yaml", "--sample", "0"], "--sample"),
        (["new.yaml", "--audit", "none.db"], "none.db"),
        (["new.yaml", "--model", "gpt-5"], "did you mean 'openai:gpt-5'"),
    ],
)
def test_what_cannot_run_says_why(command, trail, options, advice):
    say(trail, GOOD)
    assert advice in " ".join(command(*options, code=2).split())


# The report


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


def report(found, path, **options):
    write_backtest(found, path / "report.html", **options)
    return (path / "report.html").read_text(encoding="utf-8")


def test_the_report_shows_the_texts_with_the_sentences_at_fault(trail, tmp_path):
    (run, _) = say(trail, BAD, NOW)
    trail.decide(run, agrees=False, by="M. Sato", note="A quotation.")
    html = report(backtest(trail, draft(HURRY, TONE)), tmp_path)
    cited = re.findall(r'<li class="cited">.*?<span class="sentence" dir="auto">(.*?)</span></li>', html)
    assert cited == ["Please act now.", "It is guaranteed."]
    text = " ".join(" ".join(Page(html).words).split())
    for said in ("Then released, now to be revised", "Then stopped, now released", run, "M. Sato overruled", "says “"):
        assert said in text
    assert "Not in the constitution tried" in text


def test_of_a_long_reply_what_is_at_fault_is_shown_with_what_stands_around_it(trail, tmp_path):
    say(trail, "It rose. " * 30 + "Act now. " + "It fell. " * 30)
    html = report(backtest(trail, draft(HURRY)), tmp_path)
    shown, whole = re.findall(r'<ol class="sentences">(.*?)</ol>', html, re.DOTALL)
    assert re.findall(r'<span class="n">(\d+)</span>', shown) == ["30", "31", "32"]
    assert len(re.findall(r"<li", whole)) == 61


@settings(max_examples=6)
@given(hostile_text, hostile_text)
def test_nothing_in_a_report_acts_whatever_stands_in_the_trail(prompt, reply):
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'</style>{{ 7*7 }}\u202e" + reply
    with folder({}) as path, AuditTrail.open(path / "audit.db") as trail:
        with Guard(OLD, audit=trail, judge="rules", allow_unjudged=True) as guard:
            guard.review(prompt + hostile, hostile + " act now ")
            guard.review(hostile, hostile + " guaranteed ")
        for language in ("en", "ja"):
            html = report(backtest(trail, draft(HURRY), language=language), path, language=language)
            page = Page(html)
            assert not {"script", "img", "iframe", "link", "object", "base", "form"} & {*page.tags}
            assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
            assert [value for name, value in page.attributes if name in {"href", "src"} and value[0] != "#"] == []
            assert "\u202e" not in html
            assert "default-src 'none'" in html


def test_a_report_of_everything_there_is_to_say_can_be_written(trail, tmp_path):
    """Failures, a budget, a baseline, a removed principle, masked and long texts, in both languages."""
    say(trail, BAD, *[NOW] * 3, redaction="redacted")
    model = ScriptedModel(judge=lambda _: ModelError("down"))
    found = backtest(
        trail,
        draft(HURRY, TONE),
        model=model,
        baseline=OLD,
        budget=Budget(seconds=None, calls=6),
        where=Where(since=None),
    )
    change = Change("gone", Kind.NOT_COMPARABLE, (), then=True, why="masked")
    one = Instance(uuid7(), found.first, "block", "unknown", "p" * 500, "Long. " * 40, change, masked=True, repeats=3)
    extra = replace(found.principles[0], removed=True, not_comparable=1, instances={**found.principles[0].instances})
    extra.instances[Kind.NOT_COMPARABLE] = (one,)
    found = replace(found, principles=(extra, *found.principles[1:]), problem="damaged", left_out={"untrusted": 1})
    for language in ("en", "ja"):
        html = report(found, tmp_path, language=language)
        assert "down" in html
        assert "damaged" in html
    with pytest.raises(ConfigurationError, match="language='fr'"):
        write_backtest(found, tmp_path / "x.html", "fr")


def test_both_languages_say_the_same_things():
    assert ENGLISH.keys() == JAPANESE.keys()
    for word, said in ENGLISH.items():
        names = re.findall(r"\{\w+\}", said)
        assert sorted(names) == sorted(re.findall(r"\{\w+\}", JAPANESE[word])), word
        assert "<" not in said + JAPANESE[word]
