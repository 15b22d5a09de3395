"""`guardrails init`: what it writes is clean from the first minute, and nothing that was there is touched."""

import json
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from guardrails import Constitution, Guard
from guardrails.authoring._json_schema import schema_of
from guardrails.authoring._starter import possible_id, start
from guardrails.authoring.lint import lint
from guardrails.cli import app
from guardrails.constitution import shipped
from guardrails.constitution._yaml import parse
from guardrails.errors import ConfigurationError, ConstitutionError

FILES = {
    ".gitignore",
    "constitution.yaml",
    "principles/no-promised-outcomes.yaml",
    "principles/refer-for-opening-hours.yaml",
    "principles/no-posing-as-a-person.yaml",
    "schema/constitution.json",
    "schema/principle.json",
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, ["init", *arguments])


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_it_writes_has_no_finding_of_any_rule(tmp_path):
    started = start(tmp_path / "acme-bank")
    assert files(tmp_path / "acme-bank") == FILES == {file.as_posix() for file in started.files}
    assert lint(tmp_path / "acme-bank") == []


@pytest.mark.parametrize("parent", shipped())
def test_what_extends_a_shipped_constitution_has_no_finding_either(parent, tmp_path):
    start(tmp_path / "mine", parent)
    constitution = Constitution.load(tmp_path / "mine")
    assert len(constitution.principles) == len(Constitution.load(parent).principles) + 1
    assert lint(tmp_path / "mine") == []


def test_its_rules_mend_every_example_that_says_what_it_becomes(tmp_path):
    start(tmp_path / "acme-bank")
    guard = Guard(tmp_path / "acme-bank", judge="rules", allow_unjudged=True, audit=None)
    checked = [principle for principle in guard.constitution.principles if principle.checks]
    assert len(checked) == 2
    for principle in checked:
        for example in principle.examples:
            outcome = guard.review(example.prompt or (), example.reply)
            assert outcome.status == ("revised" if example.violates else "passed"), example.reply
            assert outcome.text == (example.revised or outcome.text)


def test_every_principle_has_four_examples_a_side_near_misses_and_revisions_for_half(tmp_path):
    start(tmp_path / "acme-bank")
    for principle in Constitution.load(tmp_path / "acme-bank").principles:
        violating = [example for example in principle.examples if example.violates]
        complying = [example for example in principle.examples if example.complies]
        assert len(violating) >= 4
        assert len(complying) >= 4
        assert any(example.is_near_miss for example in complying)
        assert sum(bool(example.revised) for example in violating) * 2 >= len(violating)


def test_the_three_kinds_of_principles_are_shown(tmp_path):
    start(tmp_path / "acme-bank")
    by_id = Constitution.load(tmp_path / "acme-bank").by_id
    [pattern] = by_id["no-promised-outcomes"].checks
    [require] = by_id["refer-for-opening-hours"].checks
    assert pattern.fix
    assert pattern.unless.before
    assert require.append
    assert require.decides
    assert not by_id["no-posing-as-a-person"].checks


@pytest.mark.parametrize("parent", [None, "finance"])
def test_every_file_names_its_schema_which_stands_beside_it_and_takes_it(parent, tmp_path):
    started = start(tmp_path / "acme-bank", parent)
    for name in (file for file in started.files if file.suffix == ".yaml"):
        file = tmp_path / "acme-bank" / name
        text = file.read_text(encoding="utf-8")
        head, _, named = text.partition("\n")[0].partition("$schema=")
        assert head == "# yaml-language-server: "
        schema = json.loads((file.parent / named).read_text(encoding="utf-8"))
        assert schema == schema_of("constitution" if name.name == "constitution.yaml" else "principle")
        assert Draft7Validator(schema).is_valid(parse(text.encode(), str(file)).data)


def test_it_says_of_no_authority_that_somebody_read_it_and_how_to_say_so(tmp_path):
    start(tmp_path / "acme-bank")
    principles = Constitution.load(tmp_path / "acme-bank").principles
    found = {(authority.verified, authority.checked_on) for one in principles for authority in one.authority}
    assert found == {("unverified", None)}
    file = tmp_path / "acme-bank" / "principles" / "no-promised-outcomes.yaml"
    told = file.read_text(encoding="utf-8").replace("\n#    ", "\n    ").replace("YYYY-MM-DD", "2026-11-24")
    file.write_text(told, encoding="utf-8")
    [authority] = Constitution.load(tmp_path / "acme-bank").by_id["no-promised-outcomes"].authority
    assert (authority.verified, str(authority.checked_on)) == ("primary", "2026-11-24")


def test_the_default_trail_is_kept_out_of_version_control(run, tmp_path, monkeypatch):
    monkeypatch.delenv("GUARDRAILS_AUDIT", raising=False)
    assert "guardrails.db" in run("acme-bank").output
    monkeypatch.chdir(tmp_path / "acme-bank")
    assert CliRunner().invoke(app, ["review", "--constitution", ".", "Hello."]).exit_code == 0
    subprocess.run(["git", "init", "-q"], check=True)
    listed = subprocess.run(["git", "status", "--short", "-uall"], capture_output=True, text=True, check=True).stdout
    assert {line.removeprefix("?? ") for line in listed.splitlines()} == FILES
    assert (tmp_path / "acme-bank" / "guardrails.db").exists()


def test_what_stands_in_comments_works_once_the_hashes_are_gone(tmp_path):
    """Every principle of the parent can be disabled, and every variable has the parent's value."""
    start(tmp_path / "mine", "finance")
    file = tmp_path / "mine" / "constitution.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    kept = ("#disable:", "#  - ", "#variables:", "#  is_", "#fallback:")
    file.write_text(
        "\n".join(line.removeprefix("#") if line.startswith(kept) else line for line in lines), encoding="utf-8"
    )
    constitution = Constitution.load(tmp_path / "mine")
    assert [one.id for one in constitution.principles] == ["refer-for-opening-hours"]
    assert constitution.source.file.variables == Constitution.load("finance").variables
    assert constitution.source.file.fallback


def test_what_a_parents_variable_holds_cannot_break_the_comments(tmp_path):
    start(tmp_path / "acme-bank")
    main = tmp_path / "acme-bank" / "constitution.yaml"
    text = main.read_text(encoding="utf-8")
    main.write_text(text.replace("company: acme-bank", r'company: "A\x7f\u0085\u2028B"'), encoding="utf-8")
    start(tmp_path / "mine", str(tmp_path / "acme-bank"))
    file = tmp_path / "mine" / "constitution.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("#variables:", "variables:").replace("#  company", "  company"), encoding="utf-8")
    assert Constitution.load(tmp_path / "mine").source.file.variables == {"company": "A\x7f\x85\u2028B"}


def test_the_commented_facts_work_once_the_hashes_are_gone(tmp_path):
    start(tmp_path / "acme-bank")
    file = tmp_path / "acme-bank" / "constitution.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("#facts:", "facts:").replace("#  - ", "  - "), encoding="utf-8")
    assert Constitution.load(tmp_path / "acme-bank").facts == ({"en": "acme-bank is open from Monday to Friday."},)


def test_a_parent_given_by_its_path_is_found_from_the_new_folder(run, tmp_path):
    start(tmp_path / "acme-bank")
    assert run("teams/kiosk", "--from", "acme-bank").exit_code == 0
    kiosk = Constitution.load(tmp_path / "teams" / "kiosk")
    assert set(kiosk.by_id) == set(Constitution.load(tmp_path / "acme-bank").by_id)
    assert dict(kiosk.variables) == {"company": "acme-bank"}


@pytest.mark.parametrize("name", ["null", "true", "1", "1e5", "0x1f", "no", "a" * 80])
def test_a_name_that_yaml_would_read_as_something_else_stays_a_name(name, tmp_path):
    start(tmp_path / name)
    assert Constitution.load(tmp_path / name).name == name


def test_the_folder_that_one_stands_in_will_do_where_it_is_empty(run, tmp_path, monkeypatch):
    (tmp_path / "acme-bank").mkdir()
    monkeypatch.chdir(tmp_path / "acme-bank")
    assert run(".").exit_code == 0
    assert Constitution.load(tmp_path / "acme-bank").name == "acme-bank"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("Acme Bank", "Try 'acme-bank'."),
        ("acme_bank!", "Try 'acme-bank'."),
        ("日本", "Try 'acme-bank'."),
        ("a" * 81, f"Try '{'a' * 80}'."),
        ("finance", "my-finance"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_one_that_can(name, advice, run, tmp_path):
    done = run(name)
    assert isinstance(done.exception, ConfigurationError)
    assert advice in str(done.exception)
    assert files(tmp_path) == set()


@given(st.text(max_size=100))
@settings(max_examples=200)
def test_a_suggested_name_is_a_name(text):
    assert possible_id(text) == possible_id(possible_id(text))
    assert len(possible_id(text)) <= 80


def test_a_folder_with_something_in_it_and_a_file_stay_as_they_are(run, tmp_path):
    (tmp_path / "acme-bank").mkdir()
    (tmp_path / "acme-bank" / "notes.txt").write_text("mine")
    (tmp_path / "kiosk").write_text("mine")
    for name in ("acme-bank", "kiosk"):
        assert "stays as it is" in str(run(name).exception)
    assert files(tmp_path) == {"acme-bank/notes.txt", "kiosk"}


def test_a_parent_that_is_not_there_or_has_mistakes_is_named_and_nothing_is_written(run, tmp_path):
    assert "Did you mean 'finance'?" in str(run("mine", "--from", "finanse").exception)
    (tmp_path / "broken.yaml").write_text("name: broken\n")
    assert isinstance(run("mine", "--from", "./broken.yaml").exception, ConstitutionError)
    assert not (tmp_path / "mine").exists()


def test_a_parent_folder_that_is_a_file_is_named(run, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be" in str(run("file/acme-bank").exception)


def test_it_ends_with_what_to_do_next_and_those_commands_run(run, tmp_path):
    done = run("acme-bank")
    assert done.exit_code == 0
    for line in (
        "guardrails lint acme-bank",
        "guardrails test acme-bank",
        "guardrails show acme-bank",
        "--constitution",
    ):
        assert line in done.output
    for command in ("lint", "test", "show"):
        assert CliRunner().invoke(app, [command, "acme-bank"]).exit_code == 0
    assert CliRunner().invoke(app, ["lint", "--strict", "acme-bank"]).exit_code == 0


def test_json_is_one_document(run):
    said = json.loads(run("acme-bank", "--json").output)
    assert said["folder"] == "acme-bank"
    assert set(said["files"]) == FILES
    assert said["next"][0] == "guardrails lint acme-bank"
