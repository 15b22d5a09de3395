"""Calibration: the threshold that keeps false alarms down and finds most, chosen on one part, tried on the other."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.authoring._calibrate import Scored, best, calibrate, curve, parts, rates
from guardrails.cli._calibrate import _notes
from guardrails.errors import ConfigurationError, ModelError
from guardrails.reports._curves import check_plot, write_curves
from guardrails.testing import ScriptedModel, clean, finding

replies = st.lists(
    st.builds(Scored, st.uuids().map(str), st.booleans(), st.integers(-1, 100)), max_size=60, unique_by=lambda s: s.text
)
share = st.floats(0, 0.5)


@given(replies, share)
def test_no_threshold_finds_more_with_as_few_false_alarms(scored, wanted):
    points = curve(scored)
    chosen = best(points, wanted)
    fit = [p for p in points if p.false_alarms.value is not None and p.false_alarms.value <= wanted]
    if chosen is None:
        assert not any(point.recall.count for point in fit)
        return
    at = rates(scored, chosen)
    assert at.false_alarms.value <= wanted
    assert at.recall.count == max(point.recall.count for point in fit)


@given(replies)
def test_a_higher_threshold_finds_no_more(scored):
    points = curve(scored)
    for name in ("recall", "false_alarms"):
        counts = [getattr(point, name).count for point in points]
        assert counts == sorted(counts, reverse=True)


@given(replies, st.floats(0, 0.9), st.text(max_size=3))
def test_what_is_held_out_has_no_say_and_is_the_same_each_time(scored, held_out, seed):
    fitting, kept = parts(scored, held_out, seed)
    assert sorted(fitting + kept, key=repr) == sorted(scored, key=repr)
    assert parts(list(reversed(scored)), held_out, seed)[1].sort(key=repr) == kept.sort(key=repr)
    for violates in (True, False):
        side = [one for one in scored if one.violates is violates]
        held = sum(one.violates is violates for one in kept)
        assert held >= min(len(side) - 1, len(side) * held_out)
        assert held < len(side) or not side


def test_the_threshold_is_far_from_the_replies_on_either_side():
    scored = [Scored("a", violates=True, confidence=90), Scored("b", violates=False, confidence=50)]
    assert best(curve(scored), 0) == 71


@pytest.fixture
def fees(tmp_path):
    """A principle that is all but clear to the judge: how sure it is stands in the reply."""
    rows = [{"reply": f"It is {sure} % a promise. {n}", "violates": ["fees"]} for n in range(8) for sure in (70, 90)]
    rows += [{"reply": f"It is {sure} % a promise! {n}", "complies": ["fees"]} for n in range(8) for sure in (0, 60)]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "bank.yaml").write_text(
        "name: bank\nversion: '1'\nprinciples:\n"
        "  - id: fees\n    title: Fees\n    severity: high\n    rule: Never promise to waive a fee.\n"
        "    checks: [{pattern: promise}]\n    examples: [{complies: 'It is 0 % a promise.'}]\n",
        encoding="utf-8",
    )
    return tmp_path


def rates_at(points, threshold):
    return next(point for point in points if point.threshold == threshold)


def judge(request):
    sure = int(re.search(r"is (\d+) %", request.messages[-1].content)[1])
    return finding("fees", confidence=sure) if sure else clean()


def test_a_threshold_between_what_complies_and_what_violates_is_chosen(fees):
    """The rules, which object to every reply here, have no say."""
    found = calibrate(fees / "bank.yaml", ScriptedModel(judge=judge), data=fees / "own.jsonl")
    (one,) = found.principles
    assert (one.now, one.chosen) == (50, 66)
    assert one.before.recall.value == 1
    assert rates_at(one.curve, 50).false_alarms.count > 0
    assert rates_at(one.curve, 66).false_alarms.count == 0
    assert one.held_out.false_alarms.count == 0
    assert one.held_out.recall.value == 1
    assert found.usage.calls == 33
    assert "too few complying replies held out to be sure of 5%" in next(iter(_notes(found, 0.05)))


def test_where_no_threshold_will_do_none_is_chosen_and_why_is_said(fees):
    def unsure(_):
        return finding("fees", confidence=100)

    found = calibrate(fees / "bank.yaml", ScriptedModel(judge=unsure), data=fees / "own.jsonl")
    assert found.principles[0].chosen is None
    assert "the rule is unclear" in next(iter(_notes(found, 0.05)))
    one_sided = calibrate(fees / "bank.yaml", ScriptedModel(judge=judge))
    assert one_sided.principles[0].chosen is None
    assert "it takes violating and complying replies" in next(iter(_notes(one_sided, 0.05)))


def test_what_nobody_could_tell_is_left_out_and_counted(fees):
    def undecided(request):
        if "60 %" in request.messages[-1].content:
            return finding("fees", decision="undecided")
        return judge(request)

    (one,) = calibrate(fees / "bank.yaml", ScriptedModel(judge=undecided), data=fees / "own.jsonl").principles
    assert one.undecided == 8
    assert one.held_out.false_alarms.of + one.curve[0].false_alarms.of == 9


def test_a_share_that_is_none_is_refused(fees):
    with pytest.raises(ConfigurationError, match=r"write 0\.05 for 5 %"):
        calibrate(fees / "bank.yaml", ScriptedModel(), false_alarms=5)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_curves_are_drawn(fees, suffix):
    found = calibrate(fees / "bank.yaml", ScriptedModel(judge=judge), data=fees / "own.jsonl")
    file = fees / f"curves{suffix}"
    check_plot(file)
    write_curves(found.principles, file, 0.05)
    assert file.read_bytes().startswith((b"\x89PNG", b"<?xml"))
    with pytest.raises(ConfigurationError, match="ends in one of"):
        check_plot(fees / "curves.txt")


def test_the_same_reply_twice_stands_in_one_part():
    twice = [Scored("same", violates=False, confidence=n) for n in (10, 90)]
    fitting, kept = parts([*twice, Scored("other", violates=False, confidence=5)], 0.5, "1")
    assert {one.text for one in fitting}.isdisjoint(one.text for one in kept)


def test_what_is_not_found_at_all_is_found_at_no_threshold():
    assert rates([Scored("a", violates=False, confidence=-1)], 0).false_alarms.count == 0


def test_a_model_that_never_answers_is_an_error_and_no_result(fees):
    def dead(_):
        raise ModelError("connection refused")

    with pytest.raises(ModelError, match="connection refused"):
        calibrate(fees / "bank.yaml", ScriptedModel(judge=dead), data=fees / "own.jsonl")
