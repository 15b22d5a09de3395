"""`guardrails lint`: what it prints for people, programs and pull requests, and how it ends."""

import json
import re
import sys
from pathlib import Path

import pytest
from lint_cases import files_of
from support import write

from guardrails.authoring.lint import RULES, Finding
from guardrails.cli import main
from guardrails.cli._lint import _annotation
from guardrails.errors import Problem

ROOT = Path(__file__).parent.parent
FINE = {"id": "fine", "authority": [{"cite": "Acme Bank, Policy 4"}]}  # nothing that a later year would find
WRONG = {**FINE, "id": "wrong", "rule": "Give good advice."}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """The command in this process: its exit code, and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["guardrails", "lint", *arguments])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def place(tmp_path):
    """Write a constitution of these principles as a folder."""

    def place(name, *principles):
        whole = files_of(*principles)["test.yaml"]
        for one in whole.pop("principles"):
            write(tmp_path / name / "principles" / f"{one['id']}.yaml", one)
        write(tmp_path / name / "constitution.yaml", whole)

    return place


def test_each_finding_is_a_line_with_its_place_and_a_last_line_counts(run, place):
    place("acme", WRONG)
    code, out, _ = run("acme")
    *lines, last = out.splitlines()
    assert code == 1
    where = r"acme/principles/wrong\.yaml:1:\d+: "
    vague = r"error WD02 vague: “good advice” leaves open what is asked for\. Say what .+"
    few = r"advice EX06 few-examples: wrong has few examples: .+"
    assert all(map(re.fullmatch, [where + few, where + vague], sorted(lines, key=lambda line: "error" in line)))
    assert last == "1 error and 1 of advice in 1 constitution. What a rule means: guardrails lint --explain " + (
        "EX06" if "EX06" in lines[0] else "WD02"
    )
    assert "\x1b" not in out


def test_advice_alone_is_no_failure_unless_asked_for(run, place):
    place("acme", FINE)
    assert run("acme")[0] == 0
    assert run("acme", "--strict")[0] == 1
    assert run("acme", "--strict", "--ignore", "few-examples")[:2] == (0, "Nothing found in 1 constitution.\n")


def test_without_a_path_it_is_the_folder_one_is_in_and_a_file_means_its_constitution(run, place):
    place("acme", WRONG, FINE)
    place("other", WRONG)
    assert "in 2 constitutions." in run()[1]
    whole = run("acme")[1]
    assert run("acme/principles/fine.yaml", "acme/principles/wrong.yaml", "acme/constitution.yaml")[1] == whole
    assert run("general")[0] == 0


def test_json_is_one_document_with_every_finding(run, place):
    place("acme", WRONG)
    code, out, _ = run("acme", "--json")
    data = json.loads(out)
    assert code == 1
    assert (data["constitutions"], data["errors"], data["advice"]) == (1, 1, 1)
    error = next(finding for finding in data["findings"] if finding["level"] == "error")
    assert error["column"] > 1
    assert {key: error[key] for key in ("code", "name", "file", "line")} == {
        "code": "WD02",
        "name": "vague",
        "file": "acme/principles/wrong.yaml",
        "line": 1,
    }
    assert json.loads(run("acme", "--json", "--select", "AP")[1])["findings"] == []
    assert "error" in json.loads(run("acme", "--json", "--select", "nothing")[1])


def test_githubs_annotations_are_escaped(run, place):
    """As the runner reads them: % and line ends in messages; and `,` and `:` in properties, too."""
    safe = {"pattern": "100% safe, as: said|is safe"}
    examples = [{"violates": "It is safe.", "revised": "100% safe, as: said."}, {"complies": "Ask.", "note": "near"}]
    place("a,b", {**FINE, "checks": [safe], "examples": examples})
    code, out, _ = run("a,b", "--format", "github", "--select", "EX05", "--select", "EX06")
    flagged, few = sorted(out.splitlines())
    assert code == 1
    assert re.match(r"::error file=a%2Cb/principles/fine\.yaml,line=1,col=\d+,title=EX05 flagged-revision::", flagged)
    assert "“100%25 safe, as: said”" in flagged
    assert few.startswith("::warning file=a%2Cb/principles/fine.yaml,line=1,col=")
    problem = Problem("a:b.yaml", 0, 0, "100%\nsafe", "Ask.")
    assert (
        _annotation(Finding("IN01", "invalid", problem))
        == "::error file=a%3Ab.yaml,title=IN01 invalid::100%25 safe Ask."
    )


def test_a_constitution_that_cannot_be_loaded_is_a_finding_and_a_path_where_nothing_is_an_error(run, place):
    place("acme", {**FINE, "severity": "grave"})
    code, out, _ = run("acme", "--ignore", "IN01")
    assert code == 1
    assert "error IN01 invalid: 'grave' is not one of" in out
    code, out, err = run("acne")
    assert (code, out) == (2, "")
    assert "nothing stands here" in err
    assert run("acme", "--select", "XY")[0] == 2


def test_what_files_hold_is_shown_harmlessly_and_in_one_line(run, place):
    evil = "Ask \x1b[31m your\nbranch."
    place("theirs", {**FINE, "examples": [{"violates": "It is safe."}, {"complies": evil, "note": "near"}]})
    place("mine", {**WRONG, "checks": [{"pattern": "ask"}]})
    main_file = json.loads(Path("mine/constitution.yaml").read_text())
    write(Path("mine/constitution.yaml"), {**main_file, "extends": ["../theirs"]})
    code, out, _ = run("mine", "--select", "CK02")
    assert code == 1
    assert "Ask <U+001B>[31m your branch." in out
    assert len(out.splitlines()) == 3  # the parent's example, its own, and the count


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_is_explained_by_code_and_by_name(run, rule):
    page = (ROOT / "docs" / "lint" / f"{rule.code}-{rule.name}.md").read_text(encoding="utf-8")
    assert run("--explain", rule.code)[:2] == run("--explain", rule.name)[:2] == (0, page)


def test_the_hook_of_pre_commit_is_this_command_and_takes_the_files_of_constitutions():
    import yaml

    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert (hook["id"], hook["entry"], hook["language"]) == ("guardrails-lint", "guardrails lint", "python")
    for path in ("constitution.yaml", "a/constitution.yaml", "a/principles/b.yaml", "principles/c/d.yaml"):
        assert re.search(hook["files"], path), path
    for path in ("a/my-constitution.yaml", "principles.yaml", "a/principles/b.md", "approvals.yaml"):
        assert not re.search(hook["files"], path), path
