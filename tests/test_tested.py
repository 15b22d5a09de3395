"""A constitution's examples are its tests: what is counted, what fails, and how it is told."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from guardrails.authoring._run import Plan, suites
from guardrails.authoring._scores import Share, wilson
from guardrails.cli import app
from guardrails.errors import ConfigurationError, ModelError
from guardrails.testing import ScriptedModel, clean, edits, finding

FEES = """\
name: bank
version: "1"
{top}
principles:
  - id: fees
    title: Fees
    severity: high
    rule: Never promise to waive a fee.
    {more}
    checks:
      - pattern: '\\bwill waive the fee'
        unless: {{before: [nobody]}}
        fix: {{replace: {{en: may waive the fee}}}}
        {check}
    examples:
{examples}
"""
GOOD = """\
      - {violates: "We will waive the fee. Ask anytime.", revised: "We may waive the fee. Ask anytime."}
      - {complies: "Nobody will waive the fee.", note: denial}
      - {complies: "Fees stand in the price list."}
"""


@pytest.fixture
def bank(tmp_path):
    def write(examples=GOOD, *, top="", more="", check=""):
        path = tmp_path / "bank.yaml"
        text = FEES.format(examples=examples, top=top, more=more, check=check)
        path.write_text("\n".join(line for line in text.splitlines() if line.strip()), encoding="utf-8")
        return path

    return write


def tried(path, **plan):
    return suites([path], Plan(**plan))[0].run()


def whats(found):
    return [failure.what for failure in found.failures]


def guardrails(*args, cwd=None):
    return CliRunner().invoke(app, [str(arg) for arg in args])


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilsons_interval_holds_the_share_and_stays_between_0_and_1(count, more):
    low, high = wilson(count, count + more)
    assert 0 <= low <= count / (count + more) <= high <= 1


@given(st.integers(0, 50), st.integers(1, 50))
def test_more_replies_of_the_same_share_narrow_the_interval(count, more):
    low, high = wilson(count, count + more)
    lower, higher = wilson(4 * count, 4 * (count + more))
    assert higher - lower < high - low


def test_of_nothing_nothing_is_known():
    assert Share(0, 0).value is None
    assert wilson(0, 0) == (0.0, 1.0)


def test_a_signals_silence_is_neither_right_nor_wrong(bank):
    """A breach in other words is not found, which counts against recall, and fails nothing by itself."""
    found = tried(bank(GOOD + '      - {violates: "Forget about that fee."}\n'))
    (own,) = found.scores
    assert found.failures == ()
    assert (own.breaking.violates, own.breaking.silent) == (1, 1)
    assert own.recall == Share(1, 2)
    assert own.over_refusal == Share(0, 1)
    assert own.precision == Share(1, 1)
    assert own.revised == 1


def test_where_silence_decides_an_example_that_is_missed_fails(bank):
    found = tried(bank(GOOD + '      - {violates: "Forget about that fee."}\n', check="decides: true"))
    assert whats(found) == ["violates, and was found to comply"]
    (failure,) = found.failures
    assert failure.result.case.where.endswith("bank.yaml:17")


def test_a_near_miss_that_is_flagged_fails_and_is_over_refused(bank):
    found = tried(bank(GOOD + '      - {complies: "They said: we will waive the fee.", note: quotation}\n'))
    assert whats(found) == ["a near miss: it complies, and was found to violate"]
    assert found.scores[0].over_refusal == Share(1, 2)
    assert found.scores[0].precision == Share(1, 2)


def test_another_revision_than_the_expected_one_fails(bank):
    found = tried(bank('      - {violates: "We will waive the fee.", revised: "We cannot say."}\n'))
    assert whats(found) == ["the revision is not the expected one"]
    assert found.failures[0].result.revised == "We may waive the fee."


def test_expected_shares_decide_in_place_of_single_examples(bank):
    examples = GOOD + '      - {violates: "Forget about that fee."}\n'
    passes = tried(bank(examples, more="expect: {recall: 0.5}", check="decides: true"))
    assert passes.failures == ()
    fails = tried(bank(examples, more="expect: {recall: 0.95}"))
    assert whats(fails) == ["recall is 50% (9-91), at least 95% is expected"]


def test_what_the_constitution_expects_holds_for_all_and_a_principle_overrides_it(bank):
    examples = GOOD + '      - {violates: "Forget about that fee."}\n'
    assert len(tried(bank(examples, top="expect: {recall: 0.95, precision: 0.9}")).failures) == 1
    found = tried(bank(examples, top="expect: {recall: 0.95, precision: 0.9}", more="expect: {recall: 0.5}"))
    assert found.failures == ()


def test_shares_are_not_expected_of_what_nothing_looks_at(tmp_path):
    """Rules alone have nothing to say of a principle without checks."""
    path = tmp_path / "tone.yaml"
    path.write_text(
        "name: tone\nversion: '1'\nexpect: {recall: 1}\nprinciples:\n"
        "  - {id: tone, title: Tone, severity: low, rule: Never shout., examples: [{violates: 'NO!'}]}\n",
        encoding="utf-8",
    )
    assert tried(path).failures == ()
    assert tried(path).silent == 1
    assert whats(tried(path, model=ScriptedModel())) == ["recall is 0% (0-79), at least 100% is expected"]


def test_a_model_judges_what_the_rules_are_silent_about(bank):
    def judge(request):
        return finding("fees", sentences=[1]) if "Forget about" in request.messages[-1].content else clean()

    path = bank(GOOD + '      - {violates: "Forget about that fee.", revised: "Ask a branch."}\n')
    model = ScriptedModel(judge=judge, revise=lambda _: edits({1: "Ask a branch."}))
    found = tried(path, model=model)
    assert found.failures == ()
    assert found.scores[0].recall == Share(2, 2)
    assert found.silent == 0
    assert found.usage.calls == len(model.requests)


def test_a_revision_that_breaks_a_principle_again_fails(bank):
    path = bank('      - {violates: "Forget about that fee."}\n')
    found = tried(
        path, model=ScriptedModel(judge=lambda _: finding("fees"), revise=lambda _: edits({1: "Forget the fee."}))
    )
    assert whats(found) == ["what it was revised to does not pass: it breaks fees"]


def test_runs_that_say_different_things_disagree(bank):
    answers = iter([clean(), finding("fees"), finding("fees")])
    path = bank('      - {complies: "Fees stand in the price list."}\n')
    found = tried(path, model=ScriptedModel(judge=answers), runs=3)
    (result,) = found.results
    assert result.disagrees
    assert [run.decision for run in result.runs] == ["complies", "violates", "violates"]
    assert result.said.decision == "violates"
    assert found.scores[0].disagreement == Share(1, 1)


def test_a_judge_that_breaks_is_no_finding(bank):
    def broken(_):
        raise ModelError("down")

    found = tried(bank('      - {complies: "Fees stand in the price list."}\n'), model=ScriptedModel(judge=broken))
    assert found.unable == "down"
    assert whats(found) == ["could not be judged"]


def test_labelled_replies_of_a_teams_own_are_tried_too(bank, tmp_path):
    data = tmp_path / "own.jsonl"
    rows = [
        {"prompt": "And the fee?", "reply": "We will waive the fee.", "violates": ["fees"]},
        {"reply": "A branch decides.", "complies": "*", "note": "near"},
        {"reply": "Not about this.", "violates": ["another-principle"]},
    ]
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (own,) = tried(bank(), data=data).scores
    assert own.recall == Share(2, 2)
    assert own.near_misses.total == 2


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "own.jsonl:1:1: "),
        ('{"reply": "x"}', 'neither "violates" nor "complies"'),
        ('{"reply": "x", "violates": "fees", "complies": "fees"}', "both sides"),
        ('{"reply": "", "violates": "fees"}', '"reply" is missing'),
        ('{"reply": "x", "violates": 3}', "list of ids"),
        ('{"reply": "x", "violate": "fees"}', "Did you mean 'violates'"),
        ('{"reply": "x", "violates": "else"}', "no line is about a principle of bank"),
    ],
)
def test_lines_that_cannot_be_used_are_named(bank, tmp_path, line, says):
    data = tmp_path / "own.jsonl"
    data.write_text(line, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        tried(bank(), data=data)
    assert says in str(caught.value)


def test_one_principle_can_be_chosen_and_a_misspelt_one_is_named(bank):
    assert len(tried("finance", principles=("fin-tax-scope",)).scores) == 1
    with pytest.raises(ConfigurationError, match="Did you mean 'fees'"):
        tried(bank(), principles=("feees",))


def test_a_folder_named_like_a_shipped_constitution_is_given_by_its_path(bank, tmp_path, monkeypatch):
    bank('      - {complies: "We will waive the fee."}\n').rename(tmp_path / "finance")
    (tmp_path / "finance").rename(tmp_path / "f.yaml")
    (tmp_path / "finance").mkdir()
    (tmp_path / "f.yaml").rename(tmp_path / "finance" / "constitution.yaml")
    monkeypatch.chdir(tmp_path)
    assert "bank 1" in guardrails("test", "./finance").output
    assert guardrails("test", "./finance").exit_code == 1
    assert guardrails("test", "finance", "--principle", "fin-tax-scope").exit_code == 0


def test_of_several_constitutions_each_takes_the_rows_and_principles_that_it_knows(bank, tmp_path):
    bank()
    other = (
        (tmp_path / "bank.yaml").read_text(encoding="utf-8").replace("fees", "tone").replace("name: bank", "name: b2")
    )
    (tmp_path / "other.yaml").write_text(other, encoding="utf-8")
    (tmp_path / "own.jsonl").write_text('{"reply": "We will waive the fee.", "violates": "tone"}', encoding="utf-8")
    both = guardrails("test", tmp_path, "--data", tmp_path / "own.jsonl", "--json")
    counts = {one["constitution"]["name"]: len(one["results"]) for one in json.loads(both.stdout)["constitutions"]}
    assert counts == {"bank": 3, "b2": 4}
    one = guardrails("test", tmp_path, "--principle", "tone", "--json")
    assert [c["constitution"]["name"] for c in json.loads(one.stdout)["constitutions"]] == ["b2"]
    (tmp_path / "broken.yaml").write_text(other.replace("severity: high", "severity: hi"), encoding="utf-8")
    assert guardrails("test", tmp_path).exit_code != 0


def test_what_is_installed_or_hidden_is_not_tested(bank, tmp_path):
    bank()
    for place in (".venv/lib", "env/lib", "node_modules"):
        folder = tmp_path / place / "constitution"
        folder.mkdir(parents=True)
        (folder / "constitution.yaml").write_text("name: [", encoding="utf-8")
    (tmp_path / "env" / "pyvenv.cfg").write_text("", encoding="utf-8")
    assert guardrails("test", tmp_path).exit_code == 0


def test_a_template_in_a_principle_leaves_what_the_constitution_expects(bank):
    examples = GOOD + '      - {violates: "Forget about that fee."}\n'
    path = bank(
        examples, top="expect: {recall: 0.95}\nvariables: {co: Acme}", more='owner: "x"\n    critique: "{{ co }}"'
    )
    assert whats(tried(path)) == ["recall is 50% (9-91), at least 95% is expected"]


def test_a_revision_that_breaks_a_principle_that_only_flags_fails_too(tmp_path):
    path = tmp_path / "flag.yaml"
    path.write_text(
        "name: flag\nversion: '1'\nprinciples:\n"
        "  - id: p\n    title: P\n    severity: high\n    rule: Never say good.\n"
        "    checks: [{pattern: good, fix: {replace: awesome}}]\n    examples: [{violates: It is good.}]\n"
        "  - id: q\n    title: Q\n    severity: low\n    rule: Never say awesome.\n    checks: [{pattern: awesome}]\n",
        encoding="utf-8",
    )
    assert whats(tried(path)) == ["what it was revised to does not pass: it breaks q"]


def test_a_sentence_that_a_later_round_found_at_fault_is_not_lost(bank):
    def judge(request):
        text = request.messages[-1].content
        if "Forget" in text:
            return finding("fees", sentences=[1])
        return finding("fees", sentences=[2]) if "Ask nobody" in text else clean()

    def revise(request):
        return edits({1: "A branch decides."} if "Forget" in request.messages[-1].content else {2: "Ask a branch."})

    path = bank('      - {violates: "Forget about that fee. Ask nobody."}\n')
    assert tried(path, model=ScriptedModel(judge=judge, revise=revise)).failures == ()


def test_the_exit_code_says_whether_an_example_failed(bank):
    assert guardrails("test", bank()).exit_code == 0
    bad = guardrails("test", bank('      - {complies: "We will waive the fee."}\n'))
    assert bad.exit_code == 1
    assert "FAILED fees" in bad.output
    assert "bank.yaml:13" in bad.output
    assert guardrails("test", "no-such-thing").exit_code != 0


def test_json_is_one_document_with_every_share(bank):
    told = json.loads(guardrails("test", bank(), "--json").stdout)
    (one,) = told["constitutions"]
    (principle,) = one["principles"]
    assert principle["recall"]["count"] == 1
    assert {"low", "high", "value", "of"} <= set(principle["recall"])
    assert [result["right"] for result in one["results"]] == [True, None, None]
    assert one["failures"] == []


def test_junit_has_a_case_for_each_example(bank, tmp_path):
    path = bank(GOOD + '      - {complies: "We will waive the fee: \\x0c\\u202e"}\n      - {violates: "Forget it."}\n')
    out = tmp_path / "junit.xml"
    assert guardrails("test", path, "--junit", out).exit_code == 1
    suite = ET.parse(out).getroot().find("testsuite")
    assert suite.attrib == {"name": "bank", "tests": "5", "failures": "1", "skipped": "1"}
    assert [case.get("line") for case in suite.findall("testcase")] == ["13", "14", "15", "16", "17"]


def test_watching_tells_what_changed(bank):
    """A real process, a real file that is saved: a mistake is told, and ends nothing."""
    path = bank()
    watching = subprocess.Popen(
        [sys.executable, "-u", "-m", "guardrails", "test", str(path), "--watch"],
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )

    gives_up = threading.Timer(60, watching.kill)
    gives_up.start()

    def until_waiting():
        lines = []
        for line in watching.stdout:
            lines.append(line)
            if line.startswith("waiting"):
                return "".join(lines)
        raise AssertionError("".join(lines))

    try:
        assert "1 as labelled, 0 failed" in until_waiting()
        told = ""
        bank(GOOD + '      - {complies: "We will waive the fee!"}\n')
        while "FAILED fees" not in told:  # a watcher may see one saving as two
            told += until_waiting()
        path.write_text("name: [", encoding="utf-8")
        while "bank.yaml:" not in told.rpartition("FAILED fees")[2].partition("waiting")[2]:
            told += until_waiting()
        bank()
        while "mended  fees" not in told:
            told += until_waiting()
    finally:
        gives_up.cancel()
        watching.kill()
        watching.wait()
        watching.stdout.close()


def pytest_in(folder, *args):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio", *args],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_pytest_collects_each_example_with_an_id_that_people_can_read(tmp_path):
    folder = tmp_path / "constitutions" / "bank"
    (folder / "principles").mkdir(parents=True)
    (folder / "constitution.yaml").write_text("name: bank\nversion: '1'\nexpect: {recall: 0.9}\n", encoding="utf-8")
    (folder / "principles" / "fees.yaml").write_text(
        "id: fees\ntitle: Fees\nseverity: high\nrule: Never promise to waive a fee.\n"
        "checks: [{pattern: will waive}]\nexamples:\n"
        '  - violates: "We will waive it."\n  - violates: "Forget it."\n'
        '  - {complies: "Nobody will waive it.", note: denial}\n',
        encoding="utf-8",
    )
    (tmp_path / "constitutions" / "compose.yaml").write_text("services: {}\n", encoding="utf-8")
    listed = pytest_in(tmp_path, "constitutions", "--collect-only", "-q").stdout
    assert "constitutions/bank/principles/fees.yaml::violates 1: We will waive it." in listed
    assert "constitutions/bank/constitution.yaml::expect: fees" in listed
    assert "compose" not in listed
    run = pytest_in(tmp_path, "constitutions", "-q")
    assert "2 failed, 1 passed, 1 skipped" in run.stdout
    assert "a near miss: it complies, and was found to violate" in run.stdout
    assert "recall is 50% (9-91), at least 90% is expected" in run.stdout
    assert "Traceback" not in run.stdout


def test_pytest_leaves_other_peoples_yaml_alone(tmp_path):
    """`constitution.yaml` is a name that others use, and `principles` a key."""
    (tmp_path / "constitution.yaml").write_text("country: Atlantis\narticles: []\n", encoding="utf-8")
    (tmp_path / "design.yaml").write_text("name: our design\nprinciples: [be kind]\n", encoding="utf-8")
    assert "no tests ran" in pytest_in(tmp_path, "-q").stdout


def test_pytest_tries_what_a_constitution_takes_over_as_it_is_there(bank, tmp_path):
    """A child's variable changes what its parent's example comes to."""
    bank()
    child = tmp_path / "child"
    child.mkdir()
    (child / "constitution.yaml").write_text("name: child\nversion: '1'\nextends: [../bank.yaml]\n", encoding="utf-8")
    run = pytest_in(tmp_path, "child", "-v")
    assert "fees violates 1: We will waive the fee. Ask anytime. PASSED" in run.stdout
    assert "3 passed" in run.stdout


def test_pytest_tells_the_mistakes_of_a_constitution_that_cannot_be_loaded(tmp_path):
    (tmp_path / "bank.yaml").write_text(
        "name: bank\nversion: 1\nprinciples:\n- {id: a, title: a}\n- id: b\n  rule: b\n", encoding="utf-8"
    )
    run = pytest_in(tmp_path, "-q", "bank.yaml")
    assert "bank.yaml:2:10: this must be text" in run.stdout
    assert run.returncode != 0
