"""`guardrails audit`, as auditors, reviewers and operators use it."""

import json
import re
import sys
from datetime import UTC, datetime

import pytest

from guardrails import Guard, labels
from guardrails.cli import main

BAD = "This ETF is guaranteed to return 8% a year. It charges 0.2% a year."


@pytest.fixture
def audit(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDRAILS_AUDIT", f"sqlite:///{tmp_path}/audit.db")

    def audit(*arguments, code=0):
        monkeypatch.setattr(sys, "argv", ["guardrails", "audit", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert (ended.value.code or 0) == code, printed
        return printed.out + printed.err

    return audit


@pytest.fixture
def said(tmp_path):
    """Runs in the trail: one reply each, under a label each."""

    def said(*replies, **options):
        options = {"judge": "rules", "allow_unjudged": True, "audit": tmp_path / "audit.db", **options}
        with Guard("finance", **options) as guard:
            runs = []
            for number, reply in enumerate(replies, 1):
                with labels(case=str(number)):
                    runs.append(guard.review("Is it safe?", reply).run_id)
            return runs

    return said


def test_runs_are_listed_by_what_they_were(audit, said):
    revised, passed = said(BAD, "It charges 0.2% a year.")
    assert [line.split()[0] for line in audit("list").splitlines()] == [passed, revised]
    for options, found in [
        (("--status", "revised"), [revised]),
        (("--principle", "fin-no-guaranteed-returns"), [revised]),
        (("--severity", "critical"), [revised]),
        (("--severity", "low"), []),
        (("--label", "case=2"), [passed]),
        (("--label", "case", "--limit", "1"), [passed]),
        (("--since", "2026-01-01"), [passed, revised]),
        (("--until", "2026-01-01"), []),
        (("--since", "2026-01-01T09:00+09:00", "--constitution", "finance"), [passed, revised]),
    ]:
        assert [run["run_id"] for run in json.loads(audit("list", "--json", *options))] == found, options
    assert "not one of" in audit("list", "--severity", "grave", code=2)
    assert "'24.11.2026' is no date. Write 2026-11-24" in audit("list", "--since", "24.11.2026", code=2)
    assert audit("list", "--limit", "1").endswith("the newest 1; --limit shows more\n")
    assert audit("list", "--label", "nosuch") == "no run fits\n"


def test_a_person_decides_and_the_queue_gets_shorter(audit, said):
    """Rules mend what they find here; what waits is what somebody may say so about."""
    (run,) = said("An unmendable reply: insider tip, buy before the announcement.")
    audit("queue")
    printed = audit("decide", run[:18], "--overrule", "--by", "M. Sato", "--note", "A quotation.\x1b[2J")
    assert printed == "record 2: overruled by M. Sato\n"
    assert audit("queue") == "no run waits\n"
    shown = audit("show", run)
    assert re.search(r"overruled by M. Sato, .* UTC \(record 2\)\n  A quotation.<U\+001B>\[2J\n", shown)
    assert json.loads(audit("show", "--json"))["decisions"][0]["agrees"] is False
    assert "Missing option" in audit("decide", run, "--by", "x", code=2)


def test_erasing_says_what_it_did_and_show_says_so_too(audit, said, tmp_path):
    first, second = said(BAD, BAD.replace("ETF", "bond"))
    assert audit("erase", first, "--by", "DPO", "--reason", "Article 17").startswith("erased: the texts of 1 run\n")
    shown = audit("show", first)
    assert re.search(r"its texts were erased by DPO, .* UTC \(record 3\)\n  Article 17\n", shown)
    assert "fin-no-guaranteed-returns" in shown
    assert "ETF is guaranteed" not in shown
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"This ETF is guaranteed to return 8% a year. It charges" not in files
    assert b"This bond is guaranteed to return 8% a year. It charges" in files
    assert audit("verify") == "internally consistent; not anchored: 3 records\n"
    now = datetime.now(UTC).isoformat()
    assert audit("prune", "--before", now).startswith("erased: the texts of 1 record from before 20")
    assert json.loads(audit("show", second, "--json"))["erased"]["reason"] == "retention"
    assert audit("verify") == "internally consistent; not anchored: 4 records\n"


def test_a_hold_is_set_listed_and_lifted(audit, said):
    run, _ = said(BAD, BAD)
    assert audit("hold") == ""
    assert audit("hold", "--label", "case=1", "--by", "Legal", "--reason", "Case 17") == (
        "record 3: runs with the label case=1 are held, 1 so far\n"
    )
    assert re.fullmatch(r"3  \d{4}-\d\d-\d\d  case=1  by Legal: Case 17\n", audit("hold"))
    assert json.loads(audit("hold", "--json"))[0]["value"] == "1"
    refused = audit("erase", run, "--by", "DPO", "--reason", "Article 17", code=2)
    assert "`guardrails audit hold --lift 3` ends it" in refused
    now = datetime.now(UTC).isoformat()
    assert "; 1 run under a legal hold kept theirs\n" in audit("prune", "--before", now)
    audit("hold", "--lift", "3", "--by", "Legal", "--reason", "Closed")
    audit("erase", run, "--by", "DPO", "--reason", "Article 17")
    assert audit("verify")


def test_a_checkpoint_is_written_kept_and_asked(audit, said, tmp_path):
    said(BAD, BAD)
    printed = audit("checkpoint", "end.checkpoint", "--key", "keys/signing.pem")
    assert "made a key: keys/signing.pem; whoever verifies needs keys/signing.pem.pub" in printed
    assert "end.checkpoint: signed that record 2 is the last one" in printed
    assert (tmp_path / "keys/signing.pem").stat().st_mode & 0o777 == 0o600
    options = ("--checkpoint", "end.checkpoint", "--key", "keys/signing.pem.pub")
    assert audit("verify", *options) == "consistent, and anchored up to record 2: 2 records\n"
    assert json.loads(audit("verify", "--json", *options))["anchored"] == 2
    (tmp_path / "audit.db").unlink()
    said(BAD)
    assert audit("verify") == "internally consistent; not anchored: 1 record\n"
    assert re.match(
        r"record 2: it is missing, and the checkpoint of .* vouches for it", audit("verify", *options, code=1)
    )
    assert "made a key" not in audit("checkpoint", "--key", "keys/signing.pem")
    assert (tmp_path / "trail-1.checkpoint").exists()


def test_what_a_trail_without_texts_cannot_show_it_says(audit, said):
    said(BAD, redaction="commitments")
    shown = audit("show", code=2)
    assert "fin-no-guaranteed-returns; sentence 1, by rules" in shown
    assert "the drafts of this run cannot be shown or compared: its guard keeps no texts" in shown
    assert "guaranteed to return" not in shown
    assert json.loads(audit("show", "--json"))["redaction"] == "commitments"
    assert audit("verify")


def test_the_wording_of_a_principle_then_is_told_from_the_trail_alone(audit, said):
    said(BAD)
    assert "the wording of fin-no-guaranteed-returns then\n  Never present an uncertain investment" in audit("show")
    assert json.loads(audit("show", "--json"))["wording"]["fin-no-guaranteed-returns"]["severity"] == "critical"


def test_all_runs_of_somebody_are_erased_but_those_that_are_held(audit, said, tmp_path):
    said(BAD, BAD)
    with Guard("finance", judge="rules", allow_unjudged=True, audit=tmp_path / "audit.db") as guard:
        for case in ("1", "2", "3"):
            with labels(user="u7", case=case):
                guard.review("Is it safe?", BAD)
    audit("hold", "--label", "case=1", "--by", "Legal", "--reason", "Case 17")
    printed = audit("erase", "--label", "user=u7", "--by", "DPO", "--reason", "Article 17")
    assert printed.startswith("erased: the texts of 2 runs; 1 run under a legal hold kept theirs\n")
    marked = ["(erased)" in line for line in audit("list").splitlines()]
    assert marked == [True, True, False, False, False]
    acts = audit("acts").splitlines()
    assert [line.split("  ")[2].split(" ")[0] for line in acts] == ["held", "erased", "erased"]
    assert acts[1].endswith("by DPO: Article 17")
    assert "say which runs" in audit("erase", "--by", "x", "--reason", "y", code=2)
    assert "say what to hold" in audit("hold", "--by", "x", "--reason", "y", code=2)


def test_every_command_prints_one_document(audit, said):
    (run,) = said(BAD)
    for command in (
        ["list"], ["queue"], ["acts"], ["show"], ["verify"], ["hold"],
        ["decide", run, "--agree", "--by", "x"],
        ["hold", "--label", "desk", "--by", "x", "--reason", "y"],
        ["hold", "--lift", "3", "--by", "x", "--reason", "y"],
        ["report", "r.html"],
        ["export", "--out", "t.jsonl"],
        ["checkpoint", "c.checkpoint", "--key", "signing.pem"],
        ["erase", run, "--by", "x", "--reason", "y"],
        ["prune", "--before", "2099-01-01"],
    ):  # fmt: skip
        printed = audit(*command, "--json")
        json.loads(printed.replace("made a key: signing.pem; whoever verifies needs signing.pem.pub\n", ""))


def test_nothing_that_is_there_is_written_over(audit, said, tmp_path):
    said(BAD)
    before = (tmp_path / "audit.db").read_bytes()
    for command in (["export", "--out"], ["export", "--format", "preference", "--out"], ["checkpoint"]):
        assert "audit.db is there already, and stays as it is" in audit(*command, "audit.db", code=2)
    assert "name one that ends in .html" in audit("report", "audit.db", code=2)
    assert (tmp_path / "audit.db").read_bytes() == before
    assert audit("verify").startswith("internally consistent")


def test_an_export_is_a_trail(audit, said):
    said(BAD, "It charges 0.2% a year.")
    for name in ("trail.jsonl", "trail.csv"):
        audit("export", "--format", name.split(".")[1], "--out", name)
        assert audit("verify", "--audit", name) == "internally consistent; not anchored: 2 records\n"
        assert audit("list", "--audit", name) == audit("list")
        assert audit("show", "--audit", name).splitlines()[3:] == audit("show").splitlines()[3:]
    assert '"chosen"' in audit("export", "--format", "preference")
    assert "leave --after and --follow out" in audit("export", "--format", "preference", "--after", "1", code=2)


def test_a_trail_without_texts_has_nothing_to_train_with(audit, said):
    said(BAD, redaction="commitments")
    assert "no revised run of this trail has texts" in audit("export", "--format", "preference", code=2)


def test_what_was_masked_and_what_was_not_enforced_is_said(audit, said):
    said("This fund is risk-free. Use sk-ant-api03-" + "Zx9" * 30 + "AA for it.", mode="monitor")
    assert "(monitor: the original was released)" in audit("list")
    shown = audit("show")
    assert "masked before it was stored, and not as it was said: original, " in shown
    assert "[api key]" in shown


def test_the_whole_wording_then_is_told_in_both_languages(audit, said):
    said(BAD)
    assert "fin-no-guaranteed-returns (critical)\n  No guaranteed or certain returns\n" in audit("show", "--wording")
    assert "断定的判断の提供の禁止" in audit("show", "--wording", "--language", "ja")


def test_a_report_is_anchored_too(audit, said):
    said(BAD)
    audit("checkpoint", "end.checkpoint", "--key", "signing.pem")
    printed = audit("report", "r.html", "--checkpoint", "end.checkpoint", "--key", "signing.pem.pub", "--limit", "5")
    assert printed == "r.html: 1 runs, 1 interventions; consistent, and anchored up to record 1: 1 record\n"
    assert "signed by the key " in audit("verify", "--checkpoint", "end.checkpoint")
