"""`guardrails import`: other people's rules become ours word for word, and nothing of a file is lost in silence."""

import ast
import csv
import hashlib
import inspect
import io
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_classic.chains.constitutional_ai import principles as langchain
from support import hostile_text
from typer.testing import CliRunner

from guardrails import Constitution, Guard, Status
from guardrails.authoring._import import Format, import_file
from guardrails.authoring._import_rule import Foreign
from guardrails.authoring._import_yaml import CannotBeKeptError, principle_text, scalar
from guardrails.authoring.lint import lint
from guardrails.cli import app
from guardrails.constitution._yaml import parse
from guardrails.errors import ConfigurationError
from guardrails.testing import ScriptedModel, clean, edits, finding

PRINCIPLES_PY = Path(inspect.getfile(langchain))
THEIRS = langchain.PRINCIPLES
SIXTEEN = dict(list(THEIRS.items())[:16])


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(name, content):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


def papers_file():
    """A file of the form that the paper's has: the same sixteen, in LangChain's wording, framed as prompts."""
    entries = {
        f"harmful{number}": {
            "prompt": [f"\n\nCritiqueRequest: {one.critique_request}\n\nCritique:"],
            "edit_request": f"\n\nRevisionRequest: {one.revision_request}\n\nRevision:",
        }
        for number, one in enumerate(SIXTEEN.values())
    }
    return json.dumps(entries, indent=4)


def run(*arguments):
    return CliRunner().invoke(app, ["import", *map(str, arguments)])


def test_all_sixteen_of_the_papers_form_keep_their_words_without_the_frame(write):
    imported = import_file(write("CritiqueRevisionInstructions.json", papers_file()), "paper")
    assert imported.format is Format.PAPER
    assert imported.unread == ()
    assert imported.principles == tuple(f"harmful{number}" for number in range(16))
    by_id = Constitution.load("./paper").by_id
    for number, theirs in enumerate(SIXTEEN.values()):
        ours = by_id[f"harmful{number}"]
        assert ours.critique == {"en": theirs.critique_request}
        assert ours.revision == {"en": theirs.revision_request}


def test_all_fifty_four_of_langchains_keep_their_words(write):
    imported = import_file(PRINCIPLES_PY, "langchain")
    assert imported.format is Format.LANGCHAIN
    assert imported.unread == ()
    assert imported.principles == tuple(THEIRS)
    assert len(THEIRS) == 54
    for name, ours in Constitution.load("./langchain").by_id.items():
        assert ours.title == {"en": name}
        assert ours.critique == {"en": THEIRS[name].critique_request}
        assert ours.revision == {"en": THEIRS[name].revision_request}
        assert THEIRS[name].critique_request in ours.rule["en"]


def test_lint_only_misses_the_examples(write):
    import_file(PRINCIPLES_PY, "langchain")
    import_file(write("CritiqueRevisionInstructions.json", papers_file()), "paper")
    for name, count in (("langchain", 54), ("paper", 16)):
        found = lint(f"./{name}")
        assert {finding.name for finding in found} == {"one-sided"}
        assert len(found) == count


@pytest.mark.parametrize("source", ["paper", "langchain"])
def test_every_principle_reaches_the_judge_with_its_critique_and_the_reviser_with_its_revision(source, write):
    papers = write("CritiqueRevisionInstructions.json", papers_file())
    import_file(papers if source == "paper" else PRINCIPLES_PY, source)
    constitution = Constitution.load(f"./{source}")
    for principle in constitution.principles:
        model = ScriptedModel(
            judge=[finding(principle.id, sentences=[1]), clean()], revise=[edits({1: "I would rather not say that."})]
        )
        outcome = Guard(constitution, model=model, audit=None).review("Say it.", "Something that should not be said.")
        assert outcome.status is Status.REVISED
        judge, revise, _ = model.requests
        for one in constitution.principles:
            assert one.critique["en"] in judge.system
        assert principle.revision["en"] in "".join([revise.system, *(message.content for message in revise.messages)])


def test_where_it_comes_from_is_noted_and_is_not_said_to_be_verified(write):
    file = write("CritiqueRevisionInstructions.json", papers_file())
    import_file(file, "paper")
    import_file(PRINCIPLES_PY, "langchain")
    [authority] = Constitution.load("./paper").by_id["harmful0"].authority
    assert authority.cite == (
        "Bai et al. 2022, Constitutional AI (arXiv:2212.08073), CritiqueRevisionInstructions.json, harmful0"
    )
    assert (authority.verified, authority.checked_on) == ("unverified", None)
    assert "harmful0" in authority.note
    assert hashlib.sha256(file.read_bytes()).hexdigest() in authority.note
    by_id = Constitution.load("./langchain").by_id
    for name, source in (("harmful1", "Bai et al. 2022"), ("uo-ethics-1", "UnifiedObjectives v0.2")):
        [authority] = by_id[name].authority
        assert source in authority.cite
        assert "langchain_classic.chains.constitutional_ai.principles, MIT" in authority.cite
        assert name in authority.cite


def test_a_file_of_somebody_elses_is_not_said_to_be_the_papers_or_langchains(write):
    import_file(write("ours.json", papers_file()), "ours")
    made = 'ConstitutionalPrinciple(critique_request="a b", revision_request="c")'
    import_file(write("ours.py", f"from x import ConstitutionalPrinciple\nPRINCIPLES = {made}"), "more")
    for name in ("ours", "more"):
        for principle in Constitution.load(f"./{name}").principles:
            assert principle.authority[0].cite.startswith("ours.")


def test_a_severity_that_nobody_chose_is_medium_and_says_that_a_person_has_to_decide(write, tmp_path):
    import_file(PRINCIPLES_PY, "langchain")
    for file in (tmp_path / "langchain" / "principles").iterdir():
        before, _, after = file.read_text(encoding="utf-8").partition("severity: ")
        assert "A person has to decide" in before
        assert after.startswith("medium\n")


@pytest.mark.parametrize("form", ["list", "object"])
def test_langchains_principles_may_stand_in_json(form, write):
    entries = [
        {"name": name, "critique_request": one.critique_request, "revision_request": one.revision_request}
        for name, one in THEIRS.items()
    ]
    data = entries if form == "list" else {entry["name"]: entry for entry in entries}
    imported = import_file(write("rules.json", json.dumps(data)), "rules")
    assert imported.principles == tuple(THEIRS)
    assert imported.format is Format.LANGCHAIN
    by_id = Constitution.load("./rules").by_id
    assert {name: one.critique["en"] for name, one in by_id.items()} == {
        name: one.critique_request for name, one in THEIRS.items()
    }


def test_a_python_file_is_never_run(write, tmp_path):
    ran = tmp_path / "ran"
    text = (
        f"open({str(ran)!r}, 'w')\n"
        "ConstitutionalPrinciple(name='a', critique_request='Is it ' + 'rude?', revision_request='Be kind.')\n"
        "ConstitutionalPrinciple(name='b', critique_request=make(), revision_request='x')\n"
        "ConstitutionalPrinciple(name='c', critique_request=f'{1}', revision_request='x')\n"
    )
    imported = import_file(write("rules.py", text), "rules")
    assert not ran.exists()
    assert imported.principles == ("a",)
    assert [(problem.line, problem.message.partition(":")[0]) for problem in imported.unread] == [(3, "b"), (4, "c")]
    assert Constitution.load("./rules").by_id["a"].critique == {"en": "Is it rude?"}


MARKDOWN = """\
# House rules

Please read these first.
They are short.

## Money

### Fees

- Never promise that a fee is waived, not
  even as a favour.
- **Name the price list.** Where a price is named, say where the list is:
  - on the website
  - in the branch

* [x] Give no {{ discount }}.
-

手続き
------
1. 手数料は必ず税込で
   示すこと。

```
not a rule
```

## Contacts
"""


def test_the_items_of_a_markdown_list_are_rules_and_headings_their_groups(write):
    imported = import_file(write("house.md", MARKDOWN), "house")
    principles = Constitution.load("./house").principles
    assert [one.rule for one in sorted(principles, key=lambda one: imported.principles.index(one.id))] == [
        {"en": "Never promise that a fee is waived, not even as a favour."},
        {"en": "Where a price is named, say where the list is:\n- on the website\n- in the branch"},
        {"en": "Give no {{ discount }}."},
        {"ja": "手数料は必ず税込で示すこと。"},
    ]
    by_id = Constitution.load("./house").by_id
    assert by_id["fees-name-the-price-list"].title == {"en": "Fees: Name the price list"}
    assert by_id["rule-004"].title == {"ja": "手続き: 手数料は必ず税込で示すこと。"}
    assert by_id["fees-name-the-price-list"].authority[0].cite == "house.md, line 12"
    assert by_id["fees-name-the-price-list"].authority[0].note.startswith("under “Money / Fees”; ")
    assert Constitution.load("./house").source.file.title == {"en": "House rules"}
    assert [problem.line for problem in imported.unread] == [3, 17, 24, 28]


def test_what_could_not_be_read_is_listed_with_its_line_and_the_exit_code_is_1(write):
    file = write("house.md", MARKDOWN)
    done = run(file, "--name", "house")
    assert done.exit_code == 1
    assert f"{file}:3:1: not in a list, and not read: “Please read these first. They are short.”" in done.output
    assert "4 not read" in done.output


CSV = """\
要件,重要度,根拠,担当,状態
手数料の免除を約束しない,高,社内規程 第4条,法務部,済
,,,,済
"Say the price,
with tax",P1,,,
Say ""x"",low,,,,more
"""


def test_the_columns_of_a_table_are_known_by_their_names_in_both_languages(write):
    imported = import_file(write("rules.csv", b"\xef\xbb\xbf" + CSV.encode()), "rules")
    by_id = Constitution.load("./rules").by_id
    assert imported.principles == ("rule-001", "say-the-price-with-tax", "say-x")
    first = by_id["rule-001"]
    assert (first.rule, first.severity, first.owner) == ({"ja": "手数料の免除を約束しない"}, "high", "法務部")
    assert first.authority[0].cite == "社内規程 第4条"
    assert by_id["say-the-price-with-tax"].rule == {"en": "Say the price,\nwith tax"}
    assert by_id["say-x"].severity == "low"
    assert [(problem.line, problem.message[:12]) for problem in imported.unread] == [
        (1, "the column “"),
        (3, "a row withou"),
        (4, "the severity"),
        (6, "6 cells unde"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_may_be_parted_by_commas_semicolons_or_tabs(delimiter, write):
    table = io.StringIO()
    rows = [["ID", "Title", "Rule Text", "Authority"], ["7", "No haste", "Set no deadline; none, ever.", "Act 1, s. 2"]]
    rows[0][2] = "Rule"
    csv.writer(table, delimiter=delimiter).writerows(rows)
    imported = import_file(write("rules.csv", table.getvalue()), "rules")
    assert imported.unread == ()
    [one] = Constitution.load("./rules").principles
    assert (one.id, one.title, one.rule) == ("rule-7", {"en": "No haste"}, {"en": "Set no deadline; none, ever."})


def test_ids_are_unique_and_of_bounded_length(write):
    rows = ["id,rule", "a b,one", "A-B,two", "a_b,three", f"{'long ' * 40},four", "日本,五", "con,six"]
    imported = import_file(write("rules.csv", "\n".join(rows)), "rules")
    assert imported.principles[:3] == ("a-b", "a-b-2", "a-b-3")
    assert imported.principles[4:] == ("rule-005", "rule-con")
    assert max(map(len, imported.principles)) <= 80
    assert len(Constitution.load("./rules").principles) == 6


def test_keys_and_entries_that_stand_twice_or_are_of_another_form_are_not_lost(write):
    entry = '{"prompt": ["a"], "edit_request": "b"}'
    text = f'{{"x": {entry},\n "x": {entry},\n "y": {{"prompt": ["a", "b"], "edit_request": "c"}},\n "z": 5,\n "w": '
    text += '{"prompt": ["a"], "edit_request": "b", "prompt": ["c"]}}'
    imported = import_file(write("rules.json", text), "rules")
    assert imported.principles == ("x", "x-2", "w")
    assert [problem.line for problem in imported.unread] == [3, 4, 5]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "{", "a.json:1:2: not JSON"),
        ("a.json", "5", "not an object or a list"),
        ("a.json", "[" * 100_000, "not JSON that can be read"),
        ("a.json", '{"a": 1}', "no rule in it can be read as langchain"),
        ("a.py", "def", "a.py:1: not Python"),
        ("a.py", "\0", "not Python"),
        ("a.py", f"ConstitutionalPrinciple(critique_request={'+'.join(['a'] * 3000)}, revision_request='x')", "a.py"),
        ("a.json", json.dumps([1] * 100), "\nand 80 more."),
        ("a.py", "x = 1", "no rule in it"),
        ("a.md", "No list here.", "no rule in it can be read as markdown.\n"),
        ("a.csv", "", "the table is empty"),
        ("a.csv", "colour,size\nred,5\n", "no column holds the rules: there is “colour”, “size”."),
        ("a.csv", 'rule\n"open', "no rule in it"),
        ("a.csv", "要件\n税込".encode("cp932"), "CSV UTF-8"),
        ("a.yaml", "rule: x", "Say --format"),
        ("a.md", "- x\n" * 2_001, "2,001 rules; a constitution holds 2,000 at most."),
        ("a.md", b"- " + b"x" * 2_000_001, "larger than 2,000,000 bytes"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value)[:30],
)
def test_a_file_without_any_rule_is_an_error_that_says_why(name, content, said, write, tmp_path):
    file = write(name, content)
    with pytest.raises(ConfigurationError) as raised:
        import_file(file, "rules")
    assert said in str(raised.value)
    assert not (tmp_path / "rules").exists()


def test_nothing_is_overwritten(write, tmp_path):
    file = write("rules.csv", "rule\nSay so.\n")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.txt").write_text("mine")
    for arguments in (["--name", "rules"], ["--name", "other", "--out", "rules"]):
        assert "stays as it is" in str(run(file, *arguments).exception)
    assert [path.name for path in (tmp_path / "rules").iterdir()] == ["mine.txt"]
    assert "comes with the library" in str(run(file, "--name", "finance").exception)
    assert "cannot be read" in str(run("nowhere.csv", "--name", "rules").exception)


def test_the_command_says_what_it_wrote_and_what_comes_next(write):
    done = run(write("rules.csv", "rule\nSay so.\n"), "--name", "rules", "--out", "teams/rules", "--json")
    assert done.exit_code == 0
    said = json.loads(done.output)
    assert said == {"folder": "teams/rules", "format": "csv", "principles": ["say-so"], "unread": []}
    done = run(write("more.txt", "- Say so.\n"), "--name", "more")
    assert done.exit_code == 0
    assert "1 principle from" in done.output
    assert "guardrails lint more" in done.output


words = st.one_of(st.text(max_size=300), hostile_text, st.text("ab {}%#\"':\n\\-~日本", max_size=300))


@given(words)
@settings(max_examples=300)
def test_a_text_comes_back_as_it_went_into_yaml(text):
    if not text.strip():
        return
    rule = Foreign("k", 1, "Title", critique=text, revision=text, cite=text, note=text, owner=text)
    try:
        document = parse(principle_text(rule, "one", "here").encode(), "one.yaml")
    except CannotBeKeptError:
        assert any("\ud800" <= letter <= "\udfff" for letter in text) or "{" in text
        return
    assert document.problems == []
    assert document.data["owner"] == document.data["authority"][0]["cite"] == text


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.integers(0, 4))
def test_a_scalar_is_read_as_the_text_it_was(text, indent):
    margin = " " * indent
    lines = [*(" " * level + "a:" for level in range(indent)), f"{margin}key: {scalar(text, indent, 'a comment')}"]
    data = parse("\n".join(lines).encode(), "x.yaml").data
    for _ in range(indent):
        data = data["a"]
    assert data == {"key": text}


@given(
    st.lists(st.tuples(hostile_text, hostile_text), min_size=1, max_size=5),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_holds_is_either_imported_or_listed(tmp_path_factory, pairs):
    """What is imported loads, with the very words; as many entries are listed as are not imported."""
    folder = tmp_path_factory.mktemp("import")
    data = [{"name": f"n{i}", "critique_request": c, "revision_request": r} for i, (c, r) in enumerate(pairs)]
    file = folder / "rules.json"
    file.write_text(json.dumps(data))
    done = run(file, "--name", "rules", "--out", folder / "rules", "--json")
    if not done.stdout:
        assert isinstance(done.exception, ConfigurationError)
        assert str(done.exception).count("not imported") == len(pairs)
        return
    imported = json.loads(done.stdout)
    assert done.exit_code == bool(imported["unread"])
    assert len(imported["principles"]) + len(imported["unread"]) == len(pairs)
    for name, one in Constitution.load(folder / "rules").by_id.items():
        critique, revision = pairs[int(name[1:])]
        assert [*one.critique.values()] == [critique]
        assert [*(one.revision or {"": ""}).values()] == [revision]


@given(st.text(max_size=400), st.sampled_from([".md", ".csv", ".py", ".json"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_gives_anything_but_a_constitution_or_our_error(tmp_path_factory, text, ending):
    folder = tmp_path_factory.mktemp("import")
    file = folder / f"rules{ending}"
    file.write_bytes(text.encode("utf-8", "replace"))
    try:
        import_file(file, "rules", folder / "rules")
    except ConfigurationError:
        assert not (folder / "rules").exists()
    else:
        assert Constitution.load(folder / "rules").principles


def test_the_source_in_python_is_what_the_module_says():
    """The reader of Python agrees with Python itself, for the file that it was made for."""
    assert ast.get_docstring(ast.parse(PRINCIPLES_PY.read_text(encoding="utf-8"))) == langchain.__doc__.strip()
