"""`guardrails audit`, as auditors, reviewers and operators use it."""

import json
import re
import sys

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
        (("--since", "2026-01-01T09:00:00+0900", "--constitution", "finance"), [passed, revised]),
    ]:
        assert [run["run_id"] for run in json.loads(audit("list", "--json", *options))] == found, options
    assert "not one of" in audit("list", "--severity", "grave", code=2)


def test_a_person_decides_and_the_queue_gets_shorter(audit, said):
    """Rules mend what they find here; what waits is what somebody may say so about."""
    (run,) = said("An unmendable reply: insider tip, buy before the announcement.")
    audit("queue")
    printed = audit("decide", run[:18], "--overrule", "--by", "M. Sato", "--note", "A quotation.\x1b[2J")
    assert printed == "record 2: overruled by M. Sato\n"
    assert audit("queue") == ""
    shown = audit("show", run)
    assert re.search(r"overruled by M. Sato, .* UTC \(record 2\)\n  A quotation.<U\+001B>\[2J\n", shown)
    assert json.loads(audit("show", "--json"))["decisions"][0]["agrees"] is False
    assert "Missing option" in audit("decide", run, "--by", "x", code=2)


def test_erasing_says_what_it_did_and_show_says_so_too(audit, said, tmp_path):
    first, second = said(BAD, BAD.replace("ETF", "bond"))
    assert audit("erase", first, "--by", "DPO", "--reason", "Article 17").startswith(f"erased: the texts of {first}\n")
    shown = audit("show", first)
    assert re.search(r"its texts were erased by DPO, .* UTC \(record 3\)\n  Article 17\n", shown)
    assert "fin-no-guaranteed-returns" in shown
    assert "ETF is guaranteed" not in shown
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"This ETF is guaranteed to return 8% a year. It charges" not in files
    assert b"This bond is guaranteed to return 8% a year. It charges" in files
    assert audit("verify") == "internally consistent; not anchored: 3 records\n"
    assert audit("prune", "--before", "2099-01-01").startswith("erased: the texts of 1 records from before 2099-01-01")
    assert json.loads(audit("show", second, "--json"))["erased"]["reason"] == "retention"
    assert audit("verify") == "internally consistent; not anchored: 4 records\n"


def test_a_hold_is_set_listed_and_lifted(audit, said):
    run, _ = said(BAD, BAD)
    assert audit("hold") == ""
    assert audit("hold", "--label", "case=1", "--by", "Legal", "--reason", "Case 17") == (
        "record 3: runs with the label case=1 are held\n"
    )
    assert re.fullmatch(r"3  \d{4}-\d\d-\d\d  case=1  by Legal: Case 17\n", audit("hold"))
    assert json.loads(audit("hold", "--json"))[0]["value"] == "1"
    refused = audit("erase", run, "--by", "DPO", "--reason", "Article 17", code=2)
    assert "`guardrails audit hold --lift 3` ends it" in refused
    assert audit("prune", "--before", "2099-01-01").endswith("; 1 under a legal hold kept theirs\n")
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
