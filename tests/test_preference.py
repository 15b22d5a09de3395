"""Pairs of a draft and its revision: from which runs, in which columns, and what is left out."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import runs
from trails import WORDING, a_run

from guardrails.audit import AuditTrail
from guardrails.audit._export import export
from guardrails.audit._preference import Preferences
from guardrails.errors import AuditError
from guardrails.exchange import Exchange
from guardrails.outcome import Attempt, Status


@pytest.fixture
def trail(tmp_path):
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        yield trail


def with_outcome(run, **changes):
    return replace(run, outcome=replace(run.outcome, **changes))


def pairs(trail):
    """The pairs, how many were kept, and why others were not."""
    found = Preferences(trail)
    told = [json.loads(line) for line in found]
    return told, found.kept, dict(found.skipped)


def test_a_revised_run_is_a_pair(trail):
    run = a_run()
    trail.record(run)
    (pair,), kept, skipped = pairs(trail)
    assert (kept, skipped) == (1, {})
    chosen = [{"role": "assistant", "content": "It can fall. It costs 0.2%. Risks apply."}]
    assert pair == {
        "prompt": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Is it safe?"}],
        "chosen": chosen,
        "rejected": [{"role": "assistant", "content": "It cannot fall. It costs 0.2%."}],
        "completion": chosen,
        "principles": ["no-promises", "balance"],
        "context": "Fact sheet",
        "constitution": WORDING.digest,
        "run": run.outcome.run_id,
    }


def test_only_what_was_revised_counts_in_monitor_mode_too(trail):
    trail.record(with_outcome(a_run(), status=Status.PASSED))
    trail.record(with_outcome(a_run(), status=Status.BLOCKED))
    trail.record(with_outcome(a_run(run_id="monitored"), enforced=False))
    (pair,), kept, skipped = pairs(trail)
    assert (pair["run"], kept, skipped) == ("monitored", 1, {})


def test_a_run_that_a_person_overruled_is_left_out_unless_a_later_decision_agrees(trail):
    for run_id in ("agreed", "overruled", "agreed after all", "overruled after all", "undecided"):
        trail.record(a_run(run_id=run_id))
    for run_id, agrees in (
        ("agreed", True),
        ("overruled", False),
        ("agreed after all", False),
        ("agreed after all", True),
        ("overruled after all", True),
        ("overruled after all", False),
    ):
        trail.decide(run_id, agrees=agrees, by="M. Sato")
    told, kept, skipped = pairs(trail)
    assert [pair["run"] for pair in told] == ["agreed", "agreed after all", "undecided"]
    assert (kept, skipped) == (3, {"overruled": 2})


def test_runs_without_two_texts_and_a_prompt_are_counted(trail):
    trail.record(a_run(run_id="erased"))
    trail.erase("erased", by="M. Sato", reason="asked for")
    trail.record(replace(a_run(), redaction="commitments"))
    trail.record(replace(a_run(), exchange=Exchange((), "It cannot fall. It costs 0.2%.")))
    trail.record(with_outcome(a_run(), attempts=(*a_run().outcome.attempts, Attempt("[pay(1)]", calls=True))))
    trail.record(with_outcome(a_run(), text=""))
    trail.record(with_outcome(a_run(), text=a_run().outcome.original))
    masked = with_outcome(a_run("Write to a1@example.com."), text="Write to a2@example.com.", attempts=())
    trail.record(replace(masked, redaction="redacted"))
    told, kept, skipped = pairs(trail)
    assert (told, kept) == ([], 0)
    assert skipped == {"erased": 1, "not kept": 1, "no prompt": 1, "tool calls": 1, "unchanged": 3}


def test_counting_begins_anew_with_each_reading(trail):
    trail.record(a_run())
    trail.record(with_outcome(a_run(), text=""))
    found = Preferences(trail)
    for _ in range(2):
        assert len(list(found)) == 1
        assert (found.kept, found.skipped.total()) == (1, 1)


def test_lines_are_plain_json_whatever_was_said(trail):
    @settings(deadline=None, max_examples=80)
    @given(runs(), st.booleans())
    def are_plain(run, redacted):
        trail.record(replace(run, redaction="redacted" if redacted else "full"))
        for line in Preferences(trail):
            assert line.isascii()
            pair = json.loads(line)
            assert json.dumps(pair, ensure_ascii=False).encode(), "no lone surrogates"
            assert pair["prompt"]
            assert pair["chosen"] != pair["rejected"]

    are_plain()


@pytest.mark.parametrize("layout", ["jsonl", "csv"])
def test_an_export_gives_the_same_pairs(layout, trail, tmp_path):
    for number in range(4):
        trail.record(a_run(run_id=f"run-{number}"))
    trail.decide("run-1", agrees=False, by="M. Sato")
    trail.erase("run-2", by="M. Sato", reason="asked for")
    file = tmp_path / f"audit.{layout}"
    file.write_bytes("".join(export(trail, layout)).encode())
    with AuditTrail.open(file) as exported:
        assert pairs(exported) == pairs(trail)
        assert pairs(exported)[1:] == (2, {"overruled": 1, "erased": 1})


def test_a_record_that_was_altered_is_named(trail, tmp_path):
    trail.record(a_run())
    file = tmp_path / "audit.jsonl"
    file.write_text("".join(export(trail)).replace('\\"attempts\\":[{', '\\"attempts\\":[7,{'))
    with (
        AuditTrail.open(file) as exported,
        pytest.raises(AuditError, match=r"record 1 is not as this library wrote it"),
    ):
        list(Preferences(exported))
