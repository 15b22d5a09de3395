"""Sign-off: who approved which wording, what a guard demands, and what becomes of an approval that is out of date."""

import json
import stat
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import folder, principle

from guardrails import Constitution, Guard
from guardrails.authoring._approve import approve
from guardrails.authoring._found import constitutions_in
from guardrails.cli import main
from guardrails.constitution import approvals, is_approved, outdated
from guardrails.errors import ConfigurationError, ConstitutionError

JANE = "Jane Doe, Compliance"
PRINCIPLES = """
principles:
  - {id: acme-a, title: A, severity: high, rule: "{{ bank }} never says A.", checks: [{pattern: aaa}]}
  - {id: acme-b, title: B, severity: high, rule: Never say B., jurisdictions: [JP]}
  - {id: acme-c, title: C, severity: high, rule: Never say C., jurisdictions: [US], only_if: {licensed: true}}
  - {id: acme-d, title: D, severity: high, rule: Never say D., jurisdictions: [UK]}
"""
HEAD = 'name: acme-bank\nversion: "{version}"\nvariables: {{bank: Acme, licensed: false}}\n'


def written(path, version="1.0.0", principles=PRINCIPLES):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD.format(version=version) + principles, encoding="utf-8")
    return path


@pytest.fixture
def acme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return written(tmp_path / "acme-bank" / "constitution.yaml").parent


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["guardrails", *arguments])
        try:
            main()
        except SystemExit as ended:
            return ended.code or 0, *capsys.readouterr()
        return 0, *capsys.readouterr()

    return run


def guard(source, **options):
    return Guard(source, require_approved=True, allow_unjudged=True, audit=None, **options)


def test_an_approval_says_who_when_and_what_and_is_read_back(acme):
    at = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    made, file = approve(acme, by=JANE, note='Read the "tests", too: # all', at=at)
    assert file == acme / "approvals.yaml"
    constitution = Constitution.load(acme)
    assert (made.by, made.at, made.name, made.version) == (JANE, at, "acme-bank", "1.0.0")
    assert made.digest == constitution.digest
    assert approvals(acme) == approvals(constitution) == (made,)
    assert is_approved(constitution)
    assert outdated(constitution) == []


def test_an_approval_changes_no_digest_and_is_no_principle(acme):
    before = Constitution.load(acme)
    approve(acme, by=JANE)
    (acme / "principles").mkdir()
    after = Constitution.load(acme)
    assert (after.digest, after.principles) == (before.digest, before.principles)
    assert constitutions_in([acme.parent]) == (acme,)
    assert constitutions_in([acme / "approvals.yaml"]) == (acme,)


def test_what_stands_in_the_file_stays_byte_for_byte(acme):
    """Comments, older entries in another style, a missing line end, Windows line ends, the file's mode."""
    approve(acme, by=JANE)
    file = acme / "approvals.yaml"
    digest = Constitution.load(acme).digest
    old = f"# ours\r\n-   {{by: A, at: 2025-01-01, name: other, version: '1', digest: '{digest}'}} # why\r\n# end"
    file.write_bytes(old.encode())
    file.chmod(0o640)
    approve(acme, by="Second")
    raw = file.read_bytes()
    assert raw.startswith(old.encode() + b"\r\n- by: ")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [one.by for one in approvals(acme)] == ["Second"]
    assert not list(acme.glob(".*"))


@pytest.mark.parametrize(
    "broken",
    [
        "- by: [",
        "by: somebody",
        "- {by: A, at: yesterday, name: acme-bank, version: '1', digest: abc}",
        "- {by: A}",
        "- just a word",
        b"\xff\xfe\x00",
    ],
)
def test_a_broken_file_is_named_with_its_place_and_never_written_over(acme, broken):
    file = acme / "approvals.yaml"
    raw = broken if isinstance(broken, bytes) else broken.encode()
    file.write_bytes(raw)
    for use in (lambda: approve(acme, by=JANE), lambda: approvals(acme), lambda: guard(acme)):
        with pytest.raises(ConstitutionError, match=r"approvals\.yaml"):
            use()
    assert file.read_bytes() == raw
    assert not list(acme.glob(".*"))


def test_a_list_that_cannot_be_added_to_stays_as_it_is(acme):
    file = acme / "approvals.yaml"
    for text in ("[]\n", "  - {by: A, at: 2025-01-01, name: n, version: '1', digest: '" + "0" * 64 + "'}\n"):
        file.write_text(text)
        with pytest.raises(ConfigurationError, match="hyphen at the margin"):
            approve(acme, by=JANE)
        assert file.read_text() == text


def test_two_who_approve_at_once_do_not_lose_one(acme):
    """The second is told to wait; what is half written is never read."""
    part = acme / ".approvals.yaml.part"
    part.write_text("- by: half")
    with pytest.raises(ConfigurationError, match="somebody else is approving"):
        approve(acme, by=JANE)
    assert approvals(acme) == ()
    part.unlink()
    approve(acme, by=JANE)
    assert len(approvals(acme)) == 1


def test_a_guard_demands_the_content_that_is_in_force(acme):
    """A jurisdiction or a variable makes other content, and needs its own approval."""
    approve(acme, by=JANE)
    assert guard(acme).constitution.name == "acme-bank"
    japan = {"jurisdiction": "JP", "variables": {"bank": "Other Bank"}}
    with pytest.raises(ConfigurationError) as refused:
        guard(acme, **japan)
    digest = Constitution.load(acme, **japan).digest
    said = str(refused.value)
    assert digest in said
    assert f"by {JANE}" in said
    assert "guardrails approve " in said
    assert "--jurisdiction JP --variable 'bank=Other Bank'" in said
    approve(acme, by=JANE, **japan)
    assert guard(acme, **japan).constitution.digest == digest


def test_the_command_in_the_message_approves(acme, run):
    """Whatever was selected, what the message says to type is what is missing."""
    options = {"jurisdiction": "US", "variables": {"licensed": True}}
    with pytest.raises(ConfigurationError, match="Nothing was approved") as refused:
        guard("acme-bank", **options)
    command = str(refused.value).partition("To approve it: guardrails ")[2].split()
    assert " ".join(command) == "approve acme-bank --by NAME --jurisdiction US --variable licensed=true"
    assert run(*command)[0] == 0
    assert guard("acme-bank", **options)


def test_a_constitution_that_is_given_is_looked_up_where_it_was_loaded_from(acme):
    loaded = Constitution.load(acme, jurisdiction="JP")
    with pytest.raises(ConfigurationError, match="--jurisdiction JP"):
        guard(loaded)
    approve(acme, by=JANE, jurisdiction="JP")
    assert guard(loaded)
    with pytest.raises(ConfigurationError, match="not approved"):
        guard(Constitution.load(acme))


def test_what_comes_with_the_library_is_not_approved_but_extended(tmp_path):
    for use in (lambda: approve("finance", by=JANE), lambda: guard("finance")):
        with pytest.raises(ConfigurationError, match="guardrails init NAME --from finance"):
            use()
    assert approvals("finance") == ()
    own = written(tmp_path / "constitution.yaml", principles="extends: [finance]\n").parent
    approve(own, by=JANE)
    assert guard(own)


def test_an_approval_of_another_wording_is_found_at_its_line_and_history_is_kept(acme):
    """The newest approval of a selection has to be today's; the ones before it are history."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    approve(acme, by=JANE, at=start)
    approve(acme, by="Taro, Legal", jurisdiction="JP", at=start + timedelta(days=1))
    written(acme / "constitution.yaml", "1.1.0")
    approve(acme, by=JANE, at=start + timedelta(days=2))
    (problem,) = outdated(Constitution.load(acme))
    lines = (acme / "approvals.yaml").read_text().splitlines()
    assert problem.file.endswith("approvals.yaml")
    assert lines[problem.line - 1].strip().startswith("digest:")
    assert "Taro, Legal" in problem.message
    assert "the version is 1.1.0 now" in problem.message
    assert problem.advice.endswith("--by NAME --jurisdiction JP")
    approve(acme, by="Taro, Legal", jurisdiction="JP", at=start + timedelta(days=3))
    assert outdated(Constitution.load(acme)) == []
    assert len(approvals(acme)) == 4


def test_a_change_without_a_new_version_says_so(acme):
    approve(acme, by=JANE)
    written(acme / "constitution.yaml", principles=PRINCIPLES.replace("never says A", "never utters A"))
    (problem,) = outdated(Constitution.load(acme))
    assert "the version is the same, its content is not" in problem.message


def test_a_selection_that_is_gone_is_a_problem_too(acme):
    approve(acme, by=JANE, jurisdiction="JP")
    written(acme / "constitution.yaml", principles=PRINCIPLES.replace("[JP]", "[EU]"))
    (problem,) = outdated(Constitution.load(acme))
    assert "cannot be selected any more" in problem.message
    assert "'JP'" in problem.message


def test_single_files_share_a_file_by_name(tmp_path):
    one = written(tmp_path / "one.yaml")
    other = tmp_path / "other.yaml"
    other.write_text(one.read_text().replace("acme-bank", "other"))
    approve(one, by=JANE)
    approve(other, by="Somebody")
    assert [approval.by for approval in approvals(one)] == [JANE]
    assert [approval.by for approval in approvals(other)] == ["Somebody"]
    assert is_approved(Constitution.load(other))


@given(st.text(min_size=1, max_size=40), st.text(max_size=60))
def test_any_name_and_note_is_read_back_as_it_was_given_or_refused(by, note):
    """White space becomes one space; what nobody sees is refused."""
    with folder({"c.yaml": {"name": "c", "version": "1", "principles": [principle("p")]}}) as path:
        lines = " ".join(by.split()), " ".join(note.split())
        if not lines[0] or not "".join(lines).isprintable():
            with pytest.raises(ConfigurationError, match=r"nobody"):
                approve(path / "c.yaml", by=by, note=note)
            assert not (path / "approvals.yaml").exists()
            return
        made, _ = approve(path / "c.yaml", by=by, note=note)
        assert approvals(path / "c.yaml") == (made,)
        assert (made.by, made.note) == lines


def test_the_command_prints_what_was_approved_and_where(acme, run):
    code, out, _ = run("approve", "acme-bank", "--by", JANE)
    digest = Constitution.load(acme).digest
    assert code == 0
    assert digest in out
    assert f"approved by {JANE}" in out
    assert "acme-bank/approvals.yaml" in out
    code, out, _ = run("approve", "acme-bank", "--by", "Taro", "-j", "JP", "--variable", "bank=7", "--json")
    said = json.loads(out)
    assert (code, said["file"]) == (0, "acme-bank/approvals.yaml")
    assert said["approval"]["variables"] == {"bank": "7"}  # it is declared as text
    assert said["approval"]["jurisdiction"] == "JP"


def test_one_principles_file_means_its_constitution(acme, run):
    principles = acme / "principles"
    principles.mkdir()
    (principles / "acme-e.yaml").write_text("{id: acme-e, title: E, severity: low, rule: Never say E.}")
    code, out, _ = run("approve", "acme-bank/principles/acme-e.yaml", "--by", JANE, "--variable", "bank=7", "--json")
    assert (code, json.loads(out)["file"]) == (0, "acme-bank/approvals.yaml")
    assert json.loads(out)["approval"]["digest"] == Constitution.load(acme, variables={"bank": "7"}).digest


def test_what_lint_and_test_refuse_is_approved_and_told(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("init", "clean")[0] == 0
    _, out, _ = run("approve", "clean", "--by", JANE)
    assert "lint" not in out
    file = tmp_path / "clean" / "principles" / "no-promised-outcomes.yaml"
    broken = file.read_text().replace("complies: Most parcels arrive", "complies: All will surely arrive")
    file.write_text(broken)
    code, out, _ = run("approve", "clean", "--by", JANE)
    assert code == 0
    assert "lint finds 1 error: guardrails lint clean; 1 test fails: guardrails test clean\n" in out
    said = json.loads(run("approve", "clean", "--by", JANE, "--json")[1])
    assert (said["lint_errors"], said["test_failures"]) == (1, 1)


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_any_value_of_a_variable_is_read_back_and_nothing_in_the_file_is_invisible(value):
    data = {"name": "c", "version": "1", "variables": {"bank": "Acme"}, "principles": [principle("p")]}
    with folder({"c.yaml": data}) as path:
        made, file = approve(path / "c.yaml", by=JANE, variables={"bank": value})
        assert approvals(path / "c.yaml") == (made,)
        assert made.variables == {"bank": value}
        assert file.read_text(encoding="utf-8").replace("\n", "").replace("\u3000", "").isprintable()


def test_half_a_character_in_a_variable_is_refused(acme):
    with pytest.raises(ConfigurationError, match=r"variable bank=<U\+DCFF>: half a character"):
        approve(acme, by=JANE, variables={"bank": "\udcff"})


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["finance", "--by", "x"], "guardrails init NAME --from finance"),
        (["acme-bank", "--by", " "], "say who approves"),
        (["acme-bank", "--by", "x\u202ey"], "<U+202E>"),
        (["acme-bank", "--by", "x", "-j", "ZZ"], "no jurisdiction 'ZZ'"),
        (["acme-bank", "--by", "x", "--variable", "bnk=1"], "Did you mean 'bank'?"),
        (["acme-bank", "--by", "x", "--variable", "licensed=yes"], "is a bool"),
        (
            ["acme-bank", "--by", "x", "--variable", "bank"],
            "--variable bank: write NAME=VALUE, as in bank='North Bank'",
        ),
        (["acme-bank", "--by", "x", "--variable", "=1"], "write NAME=VALUE"),
        (["acme-bank", "--by", "x", "--variable", "bank=\udcff"], "--variable bank=<U+DCFF>: not UTF-8"),
        (["nowhere", "--by", "x"], "no such constitution"),
    ],
)
def test_what_cannot_be_approved_says_what_to_do(acme, run, arguments, advice):
    code, out, err = run("approve", *arguments)
    assert (code, out) == (2, "")
    assert advice in err
    assert not (acme / "approvals.yaml").exists()
