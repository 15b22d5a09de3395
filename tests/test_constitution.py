"""Constitutions: what YAML becomes, and the digest that says which wording was in force."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import constitution, folder, principle, write

from guardrails import Guard
from guardrails.constitution import Constitution, shipped, text_in
from guardrails.errors import ConfigurationError, ConstitutionError

BASE = {"name": "base", "version": "1.0", "variables": {"company": "Acme", "licensed": False}}
TEXT = st.sampled_from(["Returns vary.", "価格は変動します。", "Ask us.", "no", "1.10", "{ }"])
LOCALISED = st.dictionaries(st.sampled_from(["en", "ja", "pt-BR"]), TEXT, min_size=1)
PATTERN = st.sampled_from(["guarantee", "必ず", r"\d%", "risk-free", "safe"])
PATTERNS = st.lists(PATTERN, min_size=1, max_size=3)
UNLESS = st.fixed_dictionaries(
    {},
    optional={
        "before": st.lists(st.sampled_from(["no", "not"]), max_size=2),
        "sentence": st.lists(PATTERN, max_size=2),
        "quoted": st.booleans(),
    },
)
FIX = st.one_of(
    st.fixed_dictionaries({"replace": LOCALISED}, optional={"sentence": st.booleans()}),
    st.just({"delete": True}),
    st.just({"mask": True}),
)
PERSONAL = st.lists(st.sampled_from(["card", "iban", "email", "phone"]), min_size=1, max_size=3)
GROUNDED = st.lists(st.sampled_from(["amounts", "percentages", "dates"]), min_size=1, max_size=3)
CHECK = st.one_of(
    st.fixed_dictionaries({"pattern": PATTERNS}, optional={"unless": UNLESS, "fix": FIX, "decides": st.booleans()}),
    st.fixed_dictionaries(
        {"require": PATTERNS}, optional={"when": PATTERNS, "when_prompt": PATTERNS, "append": LOCALISED}
    ),
    st.fixed_dictionaries({"grounded": GROUNDED}, optional={"decides": st.booleans()}),
    st.fixed_dictionaries({"personal_data": PERSONAL}, optional={"fix": FIX}),
)
EXAMPLE = st.one_of(
    st.fixed_dictionaries({"violates": TEXT}, optional={"revised": TEXT, "note": TEXT}),
    st.fixed_dictionaries({"complies": TEXT}, optional={"prompt": TEXT, "context": st.lists(TEXT, max_size=2)}),
)
DATE = st.dates().map(str)
AUTHORITY = st.fixed_dictionaries(
    {"cite": TEXT},
    optional={"verified": st.sampled_from(["primary", "secondary", "unverified"]), "checked_on": DATE, "note": TEXT},
)
FIELDS = {
    "title": LOCALISED,
    "severity": st.sampled_from(["critical", "high", "medium", "low"]),
    "rule": LOCALISED,
    "on_violation": st.sampled_from(["revise", "block", "flag"]),
    "on_undecided": st.sampled_from(["block", "allow"]),
    "jurisdictions": st.lists(st.sampled_from(["US", "JP", "EU"]), max_size=3),
    "scope": st.sampled_from(["sentence", "reply"]),
    "authority": st.lists(AUTHORITY, max_size=2),
    "checks": st.lists(CHECK, max_size=3),
    "revision": LOCALISED,
    "preserve": GROUNDED,
    "threshold": st.integers(0, 100),
    "escalate": TEXT,
    "effective": DATE,
    "owner": TEXT,
    "examples": st.lists(EXAMPLE, max_size=2),
}
PRINCIPLE = st.fixed_dictionaries(FIELDS)


def load(files, source=".", **options):
    with folder(files) as path:
        return Constitution.load(path / source, **options)


def digest(data, **top):
    return constitution(principle("a-rule", **data), **top).digest


# Where it comes from


def test_a_folder_and_a_file_say_the_same():
    """A folder and a single file with the same content are one constitution, with one digest."""
    rules = [principle("a-one"), principle("b-two", checks=[{"pattern": "risk-free"}])]
    parts = load({"constitution.yaml": BASE, **{f"principles/{p['id']}.yaml": p for p in rules}})
    whole = load({"bank.yaml": {**BASE, "principles": rules}}, "bank.yaml")
    assert parts == whole
    assert parts.digest == whole.digest
    assert [p.id for p in parts.principles] == ["a-one", "b-two"]


def test_the_main_file_is_its_folder():
    """A folder's constitution.yaml stands for the folder; nested principle files belong to it."""
    files = {
        "constitution.yaml": BASE,
        "principles/a-one.yaml": principle("a-one"),
        "principles/more/b-two.yaml": principle("b-two"),
    }
    assert load(files, "constitution.yaml") == load(files)
    assert len(load(files).principles) == 2


def test_paths_of_every_kind(tmp_path):
    """A path may be a string or a Path."""
    path = write(tmp_path / "bank.yaml", {**BASE, "principles": [principle("a-one")]})
    assert Constitution.load(str(path)) == Constitution.load(path)


@pytest.mark.parametrize("name", ["finance", "medical", "legal", "general"])
def test_a_shipped_name_wins_over_a_path(name, tmp_path, monkeypatch):
    """A shipped name is the shipped constitution even where a path has that name; ./name is the path."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / name / "constitution.yaml", {**BASE, "principles": [principle("a-one")]})
    assert Constitution.load(name).name == name
    assert Constitution.load(f"./{name}").name == "base"
    assert Constitution.load(Path(name)).name == "base"


def test_what_is_shipped():
    """Four constitutions are shipped, under their own names."""
    assert sorted(shipped()) == ["finance", "general", "legal", "medical"]
    assert all(Constitution.load(name).name == name for name in shipped())


# What it is made of


def test_extending_overriding_disabling():
    """A constitution has its parents' principles, overrides those of the same id, and leaves out the disabled ones."""
    files = {
        "base.yaml": {**BASE, "principles": [principle("a-one"), principle("b-two"), principle("c-three")]},
        "bank.yaml": {
            "name": "bank",
            "version": "2",
            "extends": ["./base.yaml"],
            "disable": ["b-two"],
            "principles": [principle("c-three", severity="critical"), principle("d-four")],
        },
    }
    bank = load(files, "bank.yaml")
    assert [(p.id, p.severity) for p in bank.principles] == [
        ("a-one", "high"),
        ("c-three", "critical"),
        ("d-four", "high"),
    ]
    assert (bank.name, bank.version, bank.variables) == ("bank", "2", BASE["variables"])


def test_extends_is_relative_to_its_file():
    """A path in `extends` is read from the file it stands in, wherever the process runs."""
    files = {
        "a/base/constitution.yaml": {**BASE, "principles": [principle("a-one")]},
        "b/bank/constitution.yaml": {"name": "bank", "version": "1", "extends": "../../a/base"},
    }
    assert [p.id for p in load(files, "b/bank").principles] == ["a-one"]


def test_what_a_child_inherits():
    """Settings, variables and texts come from the nearest that says them; facts add up."""
    files = {
        "base.yaml": {
            **BASE,
            "principles": [principle("a-one")],
            "fallback": {"en": "Base."},
            "warning": {"en": "Careful."},
            "facts": ["Fact 1."],
            "settings": {"max_revisions": 5, "exhausted": ["append", "block"]},
        },
        "bank.yaml": {
            "name": "bank",
            "version": "1",
            "extends": "base.yaml",
            "fallback": "Bank.",
            "facts": ["Fact 2."],
            "settings": {"max_revisions": 1},
            "variables": {"licensed": True},
        },
    }
    bank = load(files, "bank.yaml")
    assert bank.variables == {"company": "Acme", "licensed": True}
    assert (bank.settings.max_revisions, bank.settings.exhausted) == (1, ("append", "block"))
    assert (bank.fallback_in("en"), bank.fallback_in("ja"), bank.warning_in("en")) == ("Bank.", "Bank.", "Careful.")
    assert [fact["en"] for fact in bank.facts] == ["Fact 1.", "Fact 2."]


def test_a_shared_grandparent_undoes_nothing():
    """What one parent changed of a grandparent stays changed where another parent extends the same one."""
    files = {
        "root.yaml": {**BASE, "principles": [principle("a-one"), principle("b-two")]},
        "strict.yaml": {
            "name": "strict",
            "version": "1",
            "extends": "root.yaml",
            "disable": ["b-two"],
            "variables": {"company": "Strict"},
            "principles": [principle("a-one", severity="critical")],
        },
        "other.yaml": {"name": "other", "version": "1", "extends": "root.yaml", "principles": [principle("c-three")]},
        "bank.yaml": {"name": "bank", "version": "1", "extends": ["strict.yaml", "other.yaml"]},
    }
    bank = load(files, "bank.yaml")
    assert {p.id: p.severity for p in bank.principles} == {"a-one": "critical", "c-three": "high"}
    assert bank.variables["company"] == "Strict"


def test_jurisdictions():
    """A jurisdiction keeps its own principles and those that name none; without one, all apply."""
    rules = [principle("a-us", jurisdictions=["US", "UK"]), principle("b-jp", jurisdictions="JP"), principle("c-all")]
    everywhere = constitution(*rules)
    assert [p.id for p in everywhere.principles] == ["a-us", "b-jp", "c-all"]
    japan = constitution(*rules, jurisdiction="JP")
    assert [p.id for p in japan.principles] == ["b-jp", "c-all"]
    assert everywhere.select(jurisdiction="JP").digest == japan.digest != everywhere.digest
    with pytest.raises(ConfigurationError, match=r"test names no jurisdiction 'JPN'\. Did you mean 'JP'\?"):
        constitution(*rules, jurisdiction="JPN")


def test_variables_and_only_if():
    """A principle applies where its variables have its values; whoever loads may set declared ones, and no others."""
    rules = [principle("a-not", only_if={"licensed": False}), principle("b-is", only_if={"licensed": True})]
    given = {"variables": {"licensed": False}}
    with folder({"test.yaml": {"name": "test", "version": "1", "principles": rules, **given}}) as path:
        plain = Constitution.load(path / "test.yaml")
        licensed = Constitution.load(path / "test.yaml", variables={"licensed": True})
        with pytest.raises(ConfigurationError, match=r"no variable 'licenced'\. Did you mean 'licensed'\?"):
            Constitution.load(path / "test.yaml", variables={"licenced": True})
    assert [p.id for p in plain.principles] == ["a-not"]
    assert [p.id for p in licensed.principles] == ["b-is"]
    assert plain.select(variables={"licensed": True}) == licensed


def test_templates_are_rendered_once():
    """Texts are rendered with the constitution's variables; ids, patterns and examples are not templates."""
    rule = principle(
        "a-one",
        title="{{ company }}",
        rule={
            "en": "{% if licensed %}Say so.{% else %}{{ company }} has no licence.{% endif %}",
            "ja": "{{ company }}。",
        },
        revision="Name {{ company }}.",
        checks=[
            {"pattern": "safe{{2}", "fix": {"replace": "{{ company }} may fall"}},
            {"require": "x", "append": "{{ company }}!"},
        ],
        examples=[{"violates": "{{ company }}"}],
    )
    made = constitution(rule, **{**BASE, "fallback": "Ask {{ company }}.", "facts": ["{{ company }} is a bank."]})
    (one,) = made.principles
    assert (one.title["en"], one.rule["ja"], one.rule["en"]) == ("Acme", "Acme。", "Acme has no licence.")
    assert (one.revision["en"], one.checks[0].fix.replace["en"], one.checks[1].append["en"]) == (
        "Name Acme.",
        "Acme may fall",
        "Acme!",
    )
    assert (one.checks[0].pattern, one.examples[0].reply) == (("safe{{2}",), "{{ company }}")
    assert (made.fallback_in("en"), made.facts[0]["en"]) == ("Ask Acme.", "Acme is a bank.")


def test_a_variable_is_never_a_template():
    """A variable's value is put in as it is, braces and all."""
    made = constitution(principle("a-one", rule="{{ x }}"), variables={"x": "{{ y }}{% for %}"})
    assert made.principles[0].rule["en"] == "{{ y }}{% for %}"


def test_languages():
    """A text has the language asked for, else English, else what there is; a plain string is English."""
    made = constitution("a-one", fallback={"en": "Ask.", "ja": "ご相談を。"}, warning={"ja": "注意。"})
    assert [made.fallback_in(language) for language in ("en", "ja", "fr")] == ["Ask.", "ご相談を。", "Ask."]
    assert [made.warning_in(language) for language in ("en", "ja")] == ["注意。", "注意。"]
    assert made.principles[0].rule == {"en": "The rule of a-one."}


def test_there_is_always_a_fallback():
    """A constitution that writes no fallback has one in both languages."""
    made = constitution("a-one")
    assert made.fallback_in("en").isascii()
    assert not made.fallback_in("ja").isascii()


@pytest.mark.parametrize("severity", ["critical", "high", "medium", "low"])
def test_what_a_severity_means(severity):
    """Low principles flag unless they say otherwise; the others revise, and an undecided one blocks."""
    (one,) = constitution(principle("a-one", severity=severity)).principles
    assert one.on_violation == ("flag" if severity == "low" else "revise")
    assert (one.on_undecided, one.threshold) == ("block", 50)
    (said,) = constitution(principle("a-one", severity=severity, on_violation="block")).principles
    assert said.on_violation == "block"


# YAML 1.2


@pytest.mark.parametrize(
    "text",
    [
        "no",
        "on",
        "off",
        "yes",
        "y",
        "n",
        "No",
        "1:20",
        "12:30:45",
        "2026-11-23",
        "1_000",
        "0b1",
        "0777x",
        ".inf",
        "=",
        "<<",
    ],
)
def test_text_stays_text(text):
    """What YAML 1.1 turns into something else is text in YAML 1.2's core schema."""
    yaml = f"name: test\nversion: {text}\nprinciples: [{{id: a, title: {text}, severity: high, rule: {text}}}]\n"
    made = load({"test.yaml": yaml}, "test.yaml")
    assert (made.version, made.principles[0].rule["en"]) == (text, text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("12", 12),
        ("-3", -3),
        ("0o17", 15),
        ("0x1F", 31),
        ("007", 7),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        ("'12'", "12"),
        ('"no"', "no"),
    ],
)
def test_what_is_no_text(text, value):
    """Numbers and true and false are those of the core schema; quotes make text of anything."""
    rule = "principles: [{id: a, title: t, severity: low, rule: r}]"
    made = load({"test.yaml": f"name: t\nversion: '1'\nvariables: {{x: {text}}}\n{rule}"}, "test.yaml")
    assert made.variables["x"] == value
    assert type(made.variables["x"]) is type(value)


@pytest.mark.parametrize("text", ["1.10", "2", "1.0", "true"])
def test_a_version_wants_quotes(text):
    """A version that YAML reads as a number is refused, with the very text that the author has to write."""
    with pytest.raises(ConstitutionError) as caught:
        load(
            {"test.yaml": f"name: test\nversion: {text}\nprinciples: [{{id: a, title: t, severity: low, rule: r}}]\n"},
            "test.yaml",
        )
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, 10)
    assert f'Put it in quotes: "{text}".' in problem.advice


# The digest


def test_the_digest_is_the_hash_of_the_content():
    """The digest is SHA-256 over canonical JSON, and the reference carries it with name and version."""
    made = constitution("a-one")
    assert made.digest == hashlib.sha256(made.content).hexdigest()
    assert (made.ref.name, made.ref.version, made.ref.digest) == ("test", "1", made.digest)
    assert json.loads(made.content)["principles"][0]["id"] == "a-one"


@settings(max_examples=60)
@given(PRINCIPLE, st.sampled_from(sorted(FIELDS)), st.data())
def test_the_digest_changes_with_any_field(data, field, draw):
    """Changing any one field of any principle changes the digest."""
    changed = {**data, field: draw.draw(FIELDS[field])}
    before, after = (constitution(principle("a-rule", **fields)) for fields in (data, changed))
    assume(before.principles != after.principles)
    assert before.digest != after.digest


@pytest.mark.parametrize(
    "top",
    [
        {"version": "2"},
        {"name": "other"},
        {"facts": ["Deposits are insured."]},
        {"fallback": "Ask."},
        {"warning": "Careful."},
        {"settings": {"max_revisions": 3}},
        {"settings": {"exhausted": ["append", "block"]}},
        {"variables": {"company": "Other"}},
    ],
)
def test_the_digest_changes_with_the_constitution(top):
    """Changing what stands beside the principles changes the digest too."""
    rule = principle("a-one", rule="{{ company }} is no bank.")
    given = {"variables": {"company": "Acme"}}
    with folder(
        {
            "a.yaml": {"name": "t", "version": "1", "principles": [rule], **given},
            "b.yaml": {"name": "t", "version": "1", "principles": [rule], **given, **top},
        }
    ) as path:
        assert Constitution.load(path / "a.yaml").digest != Constitution.load(path / "b.yaml").digest


@given(PRINCIPLE)
@settings(max_examples=40)
def test_the_digest_does_not_change_with_the_layout(data):
    """Key order, indentation, comments, flow or block style and a blank line change nothing."""
    import yaml

    data = principle("a-rule", **data)
    text = yaml.safe_dump({"name": "test", "version": "1", "principles": [data]}, allow_unicode=True, sort_keys=False)
    swapped = yaml.safe_dump(
        {"principles": [dict(reversed(data.items()))], "version": "1", "name": "test"}, allow_unicode=True, width=20
    )
    first = constitution(data).digest
    for layout in (text, swapped, f"# a comment\n---\n{text}...\n", "\ufeff" + text, text.replace("\n", "\r\n")):
        assert load({"test.yaml": layout}, "test.yaml").digest == first


def test_the_digest_does_not_change_with_comments():
    """A comment anywhere changes nothing."""
    plain = "name: test\nversion: '1'\nprinciples:\n- id: a-one\n  title: t\n  severity: low\n  rule: r # no comment\n"
    commented = plain.replace("\n", " # a comment\n#\n")
    assert load({"t.yaml": plain}, "t.yaml").digest == load({"t.yaml": commented}, "t.yaml").digest


@pytest.mark.parametrize("stray", ["approvals.yaml", "README.md", "notes.txt", "cases.yaml", ".draft.yaml"])
def test_the_digest_does_not_change_with_an_approval(stray):
    """What stands beside the constitution, approvals above all, is not part of it: it is not even read."""
    files = {"constitution.yaml": BASE, "principles/a-one.yaml": principle("a-one")}
    assert load({**files, stray: "approved: {by: [nobody\n"}).digest == load(files).digest


def test_ways_to_say_the_same_have_one_digest():
    """A plain string and its English form, a word and a list of it, a default said and unsaid are one content."""
    short = {"rule": "r", "checks": [{"pattern": "safe"}], "jurisdictions": "JP", "effective": "2026-11-23"}
    long = {
        "rule": {"en": "r"},
        "jurisdictions": ["JP"],
        "effective": "2026-11-23",
        "on_undecided": "block",
        "checks": [{"pattern": ["safe"], "unless": {"quoted": False}, "decides": False}],
    }
    assert digest(short) == digest(long)


def test_the_order_of_languages_says_nothing():
    """What the digest does not show must not decide what a guard says."""
    first, second = ({"fr": "Rien.", "de": "Nichts."}, {"de": "Nichts.", "fr": "Rien."})
    made = [constitution(principle("a-one", rule=rule), fallback=rule) for rule in (first, second)]
    assert made[0].digest == made[1].digest
    assert made[0].fallback_in("en") == made[1].fallback_in("en") == "Nichts."
    assert text_in(first, "ja") == text_in(second, "ja")


def test_variables_that_it_was_loaded_with_stay_when_a_guard_selects_a_jurisdiction():
    main = {"name": "bank", "version": "1", "variables": {"adviser": True}}
    adviser = principle("a-one", only_if={"adviser": False}, jurisdictions=["US"])
    with folder({"constitution.yaml": main, "principles/a-one.yaml": adviser}) as path:
        loaded = Constitution.load(path, variables={"adviser": False})
        guard = Guard(loaded, judge="rules", jurisdiction="US", allow_unjudged=True, audit=None)
        assert [one.id for one in guard.constitution.principles] == ["a-one"]
