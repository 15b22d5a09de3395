"""The JSON Schema: it takes what the loader takes, refuses what a hand mistypes, and says what every key means."""

import copy
import json

import pytest
import yaml_language_server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from support import principle, write
from typer.testing import CliRunner

from guardrails.authoring._json_schema import KINDS, schema_of
from guardrails.authoring._starter import start
from guardrails.cli import app
from guardrails.constitution._load import load, shipped
from guardrails.constitution._yaml import parse
from guardrails.errors import ConstitutionError

VALIDATORS = {kind: Draft7Validator(schema_of(kind), format_checker=Draft7Validator.FORMAT_CHECKER) for kind in KINDS}
FILES = [file for folder in shipped().values() for file in sorted(folder.rglob("*.yaml"))]
MAIN = {"name": "test", "version": "1", "variables": {"licensed": True}}
# Values of every type, none of which pydantic would read as another: "yes" or 1 for a truth value, say.
STRANGE = st.sampled_from(
    ["", "x", "high", "reply", "2026-11-23", 2, 0.5, None, [], ["x"], {}, {"en": "x"}, [None], [{}]]
)
MISTYPED = [
    {"severty": "high"},
    {"severity": "hgh"},
    {"severity": None},
    {"rule": ""},
    {"rule": {}},
    {"rule": 5},
    {"rule": {"english": "x"}},
    {"id": "Not An Id"},
    {"threshold": 101},
    {"effective": "soon"},
    {"applies_to": []},
    {"applies_to": "replies"},
    {"preserve": ["money"]},
    {"authority": [{"verified": "primary"}]},
    {"authority": "a law"},
    {"examples": [{"violates": "x", "complies": "y"}]},
    {"examples": [{"note": "neither"}]},
    {"examples": [{"complies": "x", "revised": "y"}]},
    {"examples": [{"violate": "x"}]},
    {"checks": [{}]},
    {"checks": ["pattern"]},
    {"checks": [["pattern"]]},
    {"checks": [{"pattern": "x", "require": "y"}]},
    {"checks": [{"pattern": []}]},
    {"checks": [{"patterns": "x"}]},
    {"checks": [{"pattern": "x", "fix": {}}]},
    {"checks": [{"pattern": "x", "fix": {"delete": True, "mask": True}}]},
    {"checks": [{"pattern": "x", "fix": {"delete": False}}]},
    {"checks": [{"require": "x", "append": "a", "prepend": "b"}]},
    {"checks": [{"grounded": ["figures"]}]},
    {"checks": [{"personal_data": []}]},
    {"expect": {"recall": 95}},
]
ACCEPTED = [
    {"rule": "plain text"},
    {"rule": {"en": "x", "pt-BR": "y"}},
    {"jurisdictions": "US"},
    {"jurisdictions": ["US", "JP"]},
    {"effective": "2026-11-23", "expires": None},
    {"only_if": {"licensed": True}},
    {"examples": [{"violates": "x", "revised": "y", "context": "a document", "complies": None}]},
    {"checks": [{"pattern": "x", "unless": {"before": "not"}, "fix": {"replace": "y", "delete": False}}]},
    {"checks": [{"require": ["x", "y"], "when": "z", "append": {"en": "a"}, "prepend": None, "decides": True}]},
    {"checks": [{"grounded": ["amounts"]}, {"personal_data": ["card"], "fix": {"mask": True, "replace": None}}]},
    {"expect": {"recall": 0.9, "over_refusal": 0}, "critique": "Look.", "revision": {"ja": "…"}},
]


def data_of(file):
    return parse(file.read_bytes(), str(file)).data


def loads(folder, data):
    """Whether the loader takes a principle."""
    return reads(folder, {**MAIN, "principles": [data]})


def reads(folder, data):
    """Whether the loader takes a constitution."""
    write(folder / "one.yaml", data)
    found = []
    try:
        load(folder / "one.yaml", found)
    except ConstitutionError:
        return False
    return not found


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_one_of_draft_7_and_describes_every_key(kind):
    schema = schema_of(kind)
    Draft7Validator.check_schema(schema)
    for part in (schema, *schema["definitions"].values()):
        assert part["title"]
        assert part["description"]
        assert part["additionalProperties"] is False
        for key, value in part["properties"].items():
            meant = schema["definitions"].get(value.get("$ref", "").rpartition("/")[2], {})
            assert value.get("description") or meant.get("description"), f"{part['title']}.{key}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_every_shipped_file_is_valid(file):
    kind = "constitution" if file.name == "constitution.yaml" else "principle"
    assert [error.message for error in VALIDATORS[kind].iter_errors(data_of(file))] == []


@pytest.mark.parametrize("change", MISTYPED, ids=str)
def test_what_is_mistyped_is_refused_by_the_schema_and_by_the_loader(change, tmp_path):
    data = {**principle("one"), **change}
    assert not VALIDATORS["principle"].is_valid(data)
    assert not VALIDATORS["constitution"].is_valid({**MAIN, "principles": [data]})
    assert not loads(tmp_path, data)


@pytest.mark.parametrize("change", ACCEPTED, ids=str)
def test_what_the_loader_also_takes_is_valid(change, tmp_path):
    data = {**principle("one"), **change}
    assert loads(tmp_path, data)
    assert VALIDATORS["principle"].is_valid(data)


@pytest.mark.parametrize(
    "change",
    [
        {"nam": "test"},
        {"version": 1.0},
        {"settings": {"max_revisions": 11}},
        {"settings": {"exhausted": ["apend"]}},
        {"variables": {"names": ["a"]}},
        {"principles": {}},
        {"fallback": {"en": ""}},
    ],
    ids=str,
)
def test_a_constitutions_mistakes_are_refused_by_both(change, tmp_path):
    data = {**MAIN, "principles": [principle("one")], **change}
    assert not reads(tmp_path, data)
    assert not VALIDATORS["constitution"].is_valid(data)


def places(data, path=()):
    """The path of every value in a file."""
    yield path
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in pairs:
        yield from places(value, (*path, key))


def changed(draw, data):
    """The data with one value replaced, taken away, doubled, or under another key."""
    data = copy.deepcopy(data)
    *parents, last = draw(st.sampled_from([path for path in places(data) if path]))
    parent = data
    for key in parents:
        parent = parent[key]
    act = draw(st.sampled_from(["replace", "remove", "double", "rename"]))
    if act == "replace":
        parent[last] = draw(STRANGE)
    elif act == "remove":
        del parent[last]
    elif act == "double":
        parent[last] = [parent[last], parent[last]]
    elif isinstance(parent, dict):
        parent[draw(st.sampled_from(["note", "en", "pattern", "replace", "complies", "x"]))] = parent.pop(last)
    return data


PRINCIPLES = [data_of(file) for file in FILES if file.name != "constitution.yaml"]
FULL = {key: value for change in ACCEPTED for key, value in change.items()}


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_loader_takes_is_valid(tmp_path, data):
    """Files with one or two values changed: what the schema refuses, the loader refuses."""
    small = [one for one in PRINCIPLES if len(json.dumps(one)) < 6_000]
    one = data.draw(st.sampled_from([*small, {**principle("one"), **FULL}]))
    for _ in range(data.draw(st.integers(1, 2))):
        one = changed(data.draw, one)
        if not one:
            return
    if loads(tmp_path, one):
        assert [error.message for error in VALIDATORS["principle"].iter_errors(one)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_prints_the_schema_and_nothing_else(kind):
    done = CliRunner().invoke(app, ["schema", kind])
    assert done.exit_code == 0
    assert json.loads(done.output) == schema_of(kind)


def test_the_command_knows_two_kinds_of_files():
    done = CliRunner().invoke(app, ["schema", "principles"])
    assert done.exit_code == 2
    assert "principle" in done.output


@pytest.fixture
def editor(tmp_path):
    if yaml_language_server.server() is None:
        pytest.skip(yaml_language_server.INSTALL)
    start(tmp_path / "acme-bank")
    with yaml_language_server.opened(tmp_path) as editor:
        yield editor


@pytest.fixture
def file(tmp_path):
    return tmp_path / "acme-bank" / "principles" / "acme-new.yaml"


WARNING = 2  # of the protocol's four: error, warning, information, hint
HEAD = "# yaml-language-server: $schema=../schema/principle.json\nid: acme-new\ntitle: New\nrule: Say something new.\n"


def test_an_editor_marks_a_mistake_and_offers_what_may_stand_there(editor, file):
    """The language server of the editors, with a folder that `guardrails init` wrote, and no network."""
    file.write_text(f"{HEAD}severity: hgh\n", encoding="utf-8")
    [found] = editor.diagnostics(file)
    assert found["range"]["start"] == {"line": 4, "character": 10}
    assert "critical" in found["message"]
    offered = editor.completions(file, 4, 10)
    assert {"critical", "high", "medium", "low"} <= set(offered)


def test_an_editor_completes_a_key_and_says_what_it_means(editor, file):
    file.write_text(f"{HEAD}severity: high\non_und", encoding="utf-8")
    assert editor.diagnostics(file)
    offered = editor.completions(file, 5, 6)
    assert "could tell" in offered["on_undecided"]["documentation"]


def test_an_editor_offers_the_four_kinds_of_checks(editor, file):
    file.write_text(f"{HEAD}severity: high\nchecks:\n  - ", encoding="utf-8")
    editor.diagnostics(file)
    offered = editor.completions(file, 6, 4)
    assert {"pattern", "require", "grounded", "personal_data"} <= set(offered)


def test_an_editor_finds_nothing_wrong_with_what_init_wrote_and_with_the_shipped_files(editor, tmp_path):
    for written in sorted((tmp_path / "acme-bank").rglob("*.yaml")):
        assert editor.diagnostics(written) == [], written
    for shipped_file in FILES[::6]:
        kind = "constitution" if shipped_file.name == "constitution.yaml" else "principle"
        copy = tmp_path / f"{shipped_file.stem}.yaml"
        head = f"# yaml-language-server: $schema=acme-bank/schema/{kind}.json\n"
        copy.write_text(head + shipped_file.read_text("utf-8"), encoding="utf-8")
        assert [found for found in editor.diagnostics(copy) if found["severity"] <= WARNING] == [], shipped_file
