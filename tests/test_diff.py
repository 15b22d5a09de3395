"""Two versions of a constitution, compared by meaning; where versions come from; what a reader sees."""

import hashlib
import io
import json
import os
import random
import subprocess
import sys
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console
from support import constitution, hostile_text, principle, write
from trails import a_run

from guardrails import Guard
from guardrails.audit import AuditTrail, uuid7
from guardrails.authoring._compare import compare
from guardrails.authoring._compare_change import opposite, written
from guardrails.authoring._versions import Version, constitution_of_version, version_of
from guardrails.cli import main
from guardrails.cli._diff_text import tell
from guardrails.constitution import (
    Authority,
    Constitution,
    Example,
    Expect,
    GroundedCheck,
    PatternCheck,
    PersonalDataCheck,
    Principle,
    RequireCheck,
    Settings,
)
from guardrails.errors import ConfigurationError, ConstitutionError
from guardrails.outcome import ConstitutionRef

few = settings(max_examples=40)

# Constitutions of every shape


def some(*values, least=0):
    return st.lists(st.sampled_from(values), min_size=least, max_size=3)


def also(**fields):
    return st.fixed_dictionaries({}, optional=fields)


WORDS = st.sampled_from(["Never promise.", "Never promise a fee.", "Name the risk. It can fall.", "損失。", "x"])
TEXT = st.dictionaries(st.sampled_from(["en", "ja"]), WORDS, min_size=1)
PATTERNS = some("a", "ab", r"\bfees?\b", "絶対", least=1)
UNLESS = also(before=some("not", "if"), clause=some("c", "d"), sentence=some(r"\?$"), quoted=st.booleans())
FIX = st.one_of(
    st.builds(lambda text, whole: {"replace": text, "sentence": whole}, TEXT, st.booleans()),
    st.sampled_from([{"delete": True}, {"mask": True}, {"delete": True, "sentence": True}]),
)
CHECKS = {
    PatternCheck: {"pattern": PATTERNS, "unless": UNLESS, "fix": FIX, "decides": st.booleans()},
    RequireCheck: {
        "require": PATTERNS,
        "when": some("w", "v"),
        "when_prompt": some("p", "q"),
        "unless": UNLESS,
        "append": TEXT,
        "prepend": TEXT,
        "decides": st.booleans(),
    },
    GroundedCheck: {"grounded": some("amounts", "dates", "urls", least=1), "decides": st.booleans()},
    PersonalDataCheck: {"personal_data": some("card", "iban", least=1), "fix": FIX, "decides": st.booleans()},
}
REPLY = st.sampled_from(["It cannot fall.", "It cannot fall!", "It may fall.", "必ず上がる。"])
EXAMPLE = {
    "violates": REPLY,
    "complies": REPLY,
    "revised": WORDS,
    "note": st.sampled_from(["", "a denial"]),
    "prompt": st.sampled_from(["", "Is it safe?"]),
    "context": some("Fact sheet"),
    "lang": st.sampled_from(["", "en", "ja"]),
}
AUTHORITY = {
    "cite": st.sampled_from(["Rule 2210(d)", "Rule 2210(e)", "第38条"]),
    "verified": st.sampled_from(["primary", "secondary", "unverified"]),
    "checked_on": st.dates(),
    "note": st.sampled_from(["", "read in full"]),
}
EXPECT = dict.fromkeys(Expect.model_fields, st.sampled_from([0.5, 0.9, 1.0]))


@st.composite
def parts(draw, model, fields):
    """A part that its model takes, from some of its fields."""
    data = draw(also(**fields))
    try:
        return model.model_validate(data)
    except ValidationError:
        reject()


def any_check():
    return st.one_of([parts(model, fields) for model, fields in CHECKS.items()])


PRINCIPLE = {
    "id": st.sampled_from(["fees", "risk", "names", "jokes"]),
    "title": TEXT,
    "severity": st.sampled_from(["low", "medium", "high", "critical"]),
    "rule": TEXT,
    "on_violation": st.sampled_from(["revise", "block", "flag"]),
    "on_undecided": st.sampled_from(["block", "allow"]),
    "jurisdictions": some("US", "JP", "EU"),
    "only_if": st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from([True, 1, 1.0, "", "x"])),
    "scope": st.sampled_from(["sentence", "reply"]),
    "applies_to": some("reply", "tool_calls", least=1),
    "authority": st.lists(parts(Authority, AUTHORITY), max_size=2),
    "checks": st.lists(any_check(), max_size=2),
    "critique": st.none() | TEXT,
    "revision": st.none() | TEXT,
    "preserve": some("amounts", "doses"),
    "threshold": st.integers(0, 100),
    "escalate": st.sampled_from(["", "the desk"]),
    "effective": st.none() | st.dates(),
    "expires": st.none() | st.dates(),
    "owner": st.sampled_from(["", "M. Sato"]),
    "expect": parts(Expect, EXPECT),
    "examples": st.lists(parts(Example, EXAMPLE), max_size=3),
}
PLAIN = {key: PRINCIPLE[key] for key in ("id", "title", "severity", "rule")}
principles = st.builds(
    lambda base, more: Principle.model_validate(base | more),
    st.fixed_dictionaries(PLAIN),
    also(**{key: value for key, value in PRINCIPLE.items() if key not in PLAIN}),
)
TOP = {
    "name": st.sampled_from(["acme", "bank"]),
    "version": st.sampled_from(["1", "2"]),
    "principles": st.lists(principles, max_size=3, unique_by=lambda one: one.id).map(tuple),
    "settings": st.builds(
        lambda most, rungs: Settings(max_revisions=most, exhausted=rungs),
        st.integers(0, 3),
        st.sampled_from([("block",), ("append", "block")]),
    ),
    "variables": PRINCIPLE["only_if"],
    "facts": st.lists(TEXT, max_size=3).map(tuple),
    "fallback": TEXT,
    "warning": TEXT,
    "expect": PRINCIPLE["expect"],
}
constitutions = st.builds(lambda top: Constitution(**top, source=None), st.fixed_dictionaries(TOP))


def version(constitution, label="draft"):
    return Version.of(constitution, label)


def of(*some_principles, **top):
    return version(constitution(*some_principles, **top))


def between(old, new):
    """What differs between two principles."""
    (only,) = compare(of(old), of(new)).principles or [None]
    return only


def directions(old, new):
    return {change.key: change.direction for change in between(old, new).changes}


# Properties


def test_the_strategies_know_every_key_there_is():
    """A key that the schema gains has to be drawn here, and so to be compared."""
    for model, fields in [(Principle, PRINCIPLE), (Example, EXAMPLE), (Authority, AUTHORITY), *CHECKS.items()]:
        assert set(fields) == set(model.model_fields)
    assert set(TOP) == {*Constitution.__dataclass_fields__} - {"source"}


@few
@given(constitutions)
def test_nothing_differs_from_itself(one):
    assert not compare(version(one), version(one, "again"))


@few
@given(constitutions, constitutions)
def test_the_way_back_is_the_mirror_of_the_way_there(old, new):
    def told(changes):
        return sorted((c.key, c.direction, written(c.before), written(c.after), *map(str, c.numbers)) for c in changes)

    def mirrored(changes):
        return told(
            replace(c, direction=opposite(c.direction), before=c.after, after=c.before, numbers=c.numbers[::-1])
            for c in changes
        )

    there, back = compare(version(old), version(new)), compare(version(new), version(old))
    assert told(there.changes) == mirrored(back.changes)
    ways = [{(str(p.before), str(p.after)): p for p in way.principles} for way in (there, back)]
    assert ways[0].keys() == {(after, before) for before, after in ways[1]}
    other = {"added": "removed", "removed": "added", "stricter": "looser", "looser": "stricter"}
    for (before, after), one in ways[0].items():
        assert told(one.changes) == mirrored(ways[1][after, before].changes)
        assert ways[1][after, before].kind == other.get(one.kind, one.kind)


@few
@given(constitutions, constitutions, st.sets(st.sampled_from(sorted(TOP))))
def test_what_differs_is_what_the_digest_says(old, other, keys):
    """But for what tests ask for, which no digest holds."""
    old, other = (
        replace(
            one, expect=Expect(), principles=tuple(p.model_copy(update={"expect": Expect()}) for p in one.principles)
        )
        for one in (old, other)
    )
    new = replace(old, **{key: getattr(other, key) for key in keys})
    assert bool(compare(version(old), version(new))) == (old.digest != new.digest)


@few
@given(principles, st.sampled_from(sorted(PRINCIPLE)), st.data())
def test_a_change_of_any_key_of_a_principle_is_named(old, key, data):
    new = Principle.model_validate({**old.model_dump(), key: data.draw(PRINCIPLE[key])})
    assume(written(old.model_dump(mode="json")) != written(new.model_dump(mode="json")))
    base = constitution("other")
    (changed,) = compare(*(version(replace(base, principles=(one,))) for one in (old, new))).principles
    assert {change.field for change in changed.changes} == {
        name
        for name, value in old.model_dump(mode="json").items()
        if written(value) != written(new.model_dump(mode="json")[name])
    }


@few
@given(constitutions, st.sampled_from(sorted({*TOP} - {"principles"})), st.data())
def test_a_change_of_anything_else_is_named(old, key, data):
    new = replace(old, **{key: data.draw(TOP[key])})
    found = compare(version(old), version(new))
    assert found.principles == ()
    is_same = all(written(one) == written(other) for one, other in [_plain(old, new, key)])
    assert {change.field for change in found.changes} == (set() if is_same else {key})


def _plain(old, new, key):
    values = (getattr(one, key) for one in (old, new))
    return tuple(value.model_dump() if hasattr(value, "model_dump") else value for value in values)


@few
@given(st.sampled_from(sorted(CHECKS, key=str)), st.data())
def test_a_change_of_any_key_of_a_check_is_named(model, data):
    main = next(iter(CHECKS[model]))
    key = data.draw(st.sampled_from(sorted({*CHECKS[model]} - {main})))
    try:
        old, new = (
            model.model_validate({main: ["amounts"] if main == "grounded" else ["card"], key: value})
            for value in (data.draw(CHECKS[model][key]), data.draw(CHECKS[model][key]))
        )
    except ValidationError:
        reject()
    assume(old != new)
    changed = between(
        *(principle("fees", checks=[one.model_dump(mode="json", exclude_defaults=True)]) for one in (old, new))
    )
    assert {change.key.split(".")[1] for change in changed.changes} == {key}
    assert {change.numbers for change in changed.changes} == {(1, 1)}


# What it means


@pytest.mark.parametrize(
    ("key", "looser", "stricter"),
    [
        ("severity", "low", "medium"),
        ("severity", "high", "critical"),
        ("on_violation", "flag", "revise"),
        ("on_violation", "revise", "block"),
        ("on_undecided", "allow", "block"),
        ("threshold", 60, 40),
        ("jurisdictions", ["US"], ["US", "JP"]),
        ("jurisdictions", ["US"], []),
        ("applies_to", ["reply"], ["reply", "tool_calls"]),
        ("preserve", [], ["amounts"]),
        ("checks", [], [{"pattern": "a"}]),
        ("checks", [{"pattern": "a"}], [{"pattern": ["a", "b"]}]),
        ("checks", [{"grounded": ["dates"]}], [{"grounded": ["dates", "amounts"]}]),
        ("checks", [{"personal_data": ["card"]}], [{"personal_data": ["card", "iban"]}]),
        ("checks", [{"require": ["a", "b"]}], [{"require": ["a"]}]),
        ("checks", [{"require": "a", "when": "b"}], [{"require": "a", "when": ["b", "c"]}]),
        ("checks", [{"require": "a", "when": "b"}], [{"require": "a"}]),
        ("checks", [{"require": "a", "when": "b"}], [{"require": "a", "when": "b", "when_prompt": "c"}]),
        ("checks", [{"pattern": "a", "unless": {"before": "not"}}], [{"pattern": "a"}]),
        ("checks", [{"pattern": "a", "unless": {"quoted": True}}], [{"pattern": "a"}]),
        ("examples", [{"complies": "It may fall."}], [{"violates": "It may fall."}]),
    ],
)
def test_stricter_one_way_is_looser_the_other(key, looser, stricter):
    old, new = (principle("fees", on_violation="revise") | {key: value} for value in (looser, stricter))
    assert between(old, new).kind == "stricter"
    assert between(new, old).kind == "looser"


def test_a_condition_more_is_looser_and_another_value_is_neither():
    top = {"variables": {"a": True, "b": 1}}
    plain, asks = principle("fees"), principle("fees", only_if={"a": True})
    (one,) = compare(of(plain, **top), of(asks, **top)).principles
    assert [(change.key, change.direction) for change in one.changes] == [("only_if.a", "looser")]
    other = of(asks | {"only_if": {"a": False}}, variables={"a": False, "b": 1})
    (one,) = compare(of(asks, **top), other).principles
    assert [(change.key, change.direction) for change in one.changes] == [("only_if.a", "changed")]


@pytest.mark.parametrize(
    "change",
    [
        {"scope": "reply"},
        {"owner": "M. Sato"},
        {"effective": "2027-01-01"},
        {"examples": [{"violates": "It cannot fall."}]},
        {"authority": [{"cite": "Rule 2210"}]},
        {"expect": {"recall": 0.9}},
    ],
)
def test_what_has_no_direction_is_otherwise_changed(change):
    assert between(principle("fees"), principle("fees", **change)).kind == "changed"


@pytest.mark.parametrize("key", ["title", "rule", "critique", "revision"])
def test_wording_is_reworded_language_by_language(key):
    old = principle("fees", **{key: {"en": "One."}})
    new = principle("fees", **{key: {"en": "One.", "ja": "一。"}})
    changed = between(old, new)
    assert changed.kind == "reworded"
    assert [(c.key, c.before, c.after) for c in changed.changes] == [(f"{key}.ja", None, "一。")]


def test_an_example_that_moved_is_told_from_one_to_another_question():
    reply = "It may fall."
    old = principle("fees", examples=[{"complies": reply, "note": "hedged"}, {"complies": "Yes.", "prompt": "Safe?"}])
    new = principle("fees", examples=[{"violates": "Yes.", "prompt": "A joke?"}, {"violates": reply, "note": "hedged"}])
    keys = [(change.key, change.numbers) for change in between(old, new).changes]
    assert keys == [("examples", (None, 1)), ("examples.moved", (1, 2)), ("examples", (2, None))]


def test_examples_and_citations_are_followed_through_small_changes():
    old = principle(
        "fees",
        examples=[{"violates": "We will waive that overdraft fee."}],
        authority=[{"cite": "FINRA Rule 2210(d)(1)"}, {"cite": "第38条", "verified": "unverified"}],
    )
    new = principle(
        "fees",
        examples=[{"violates": "We will waive that overdraft fee!", "revised": "A branch decides."}],
        authority=[
            {"cite": "第38条", "verified": "primary", "checked_on": "2026-11-23"},
            {"cite": "FINRA Rule 2210(d)"},
        ],
    )
    keys = [change.key for change in between(old, new).changes]
    assert sorted(keys) == [
        "authority.checked_on",
        "authority.cite",
        "authority.verified",
        "examples.revised",
        "examples.violates",
    ]


def test_more_than_can_be_compared_letter_by_letter_is_removed_and_added():
    """Long texts in long lists, all of them reworded: what is the same is still found."""
    told = ["".join(random.Random(n).choices("abcdefgh .", k=2_000)) for n in range(80)]
    old = [{"violates": f"It is {text}"} for text in told]
    new = [{"violates": f"It was {text}"} for text in told]
    kept = {"complies": "It may fall."}

    def keys(count):
        changes = between(principle("a", examples=[*old[:count], kept]), principle("a", examples=[kept, *new[:count]]))
        return [change.key for change in changes.changes]

    assert keys(20) == ["examples.violates"] * 20
    assert keys(80) == ["examples"] * 160


def test_the_order_of_languages_is_no_difference():
    def told(*languages):
        text = {language: f"In {language}." for language in languages}
        fix = {"replace": text, "sentence": True}
        fees = principle("fees", title=text, rule=text, checks=[{"pattern": "fee", "fix": fix}])
        return version(constitution(fees, fallback=text, facts=[text]))

    one, other = told("fr", "de", "en"), told("de", "en", "fr")
    assert list(one.principles[0].rule) != list(other.principles[0].rule)
    assert not compare(one, other)
    assert one.digest == other.digest


def test_checks_are_followed_when_they_change_places():
    first, second = {"pattern": ["a", "b"]}, {"pattern": ["c", "d"], "decides": True}
    changed = between(
        principle("fees", checks=[first, second]), principle("fees", checks=[second | {"pattern": ["c"]}, first])
    )
    assert [(c.key, c.before, c.after, c.numbers) for c in changed.changes] == [("checks.pattern", "d", None, (2, 1))]


def test_another_id_for_the_same_rule_and_checks_is_a_rename():
    old, new = principle("fees", checks=[{"pattern": "a"}]), principle("fees", checks=[{"pattern": "a"}])
    (one,) = compare(of(old, "other"), of("other", new | {"id": "no-fees"})).principles
    assert (one.kind, one.was, one.id) == ("renamed", "fees", "no-fees")
    (one,) = compare(of(old), of(new | {"id": "no-fees", "severity": "critical"})).principles
    assert (one.kind, one.was) == ("stricter", "fees")
    found = compare(of(old), of(new | {"id": "no-fees", "rule": "Another rule."}))
    assert [one.kind for one in found.principles] == ["removed", "added"]


def test_another_order_is_told_where_nothing_else_is():
    found = compare(of("fees", "risk"), of("risk", "fees"))
    assert [(c.key, c.before, c.after) for c in found.changes] == [
        ("principles.order", ["fees", "risk"], ["risk", "fees"])
    ]
    found = between(principle("fees", jurisdictions=["US", "JP"]), principle("fees", jurisdictions=["JP", "US"]))
    assert [c.key for c in found.changes] == ["jurisdictions.order"]


def test_layout_is_no_difference(tmp_path):
    plain = """name: acme
version: "1"
principles:
  - id: fees
    title: No fees
    severity: high
    rule: Never promise a fee.
    jurisdictions: US
    checks: [{pattern: fee}]
"""
    other = """# The same.
version: '1'
name: "acme"
principles:
  - checks:
      - pattern: ["fee"]
        unless: {}   # nothing excuses it
    rule: {en: Never promise a fee.}
    severity: "high"
    title:
      en: >-
        No
        fees
    jurisdictions: [US]
    on_violation: revise
    id: fees
"""
    old, new = (version_of(str(write(tmp_path / name, text))) for name, text in [("a.yaml", plain), ("b.yaml", other)])
    assert old.digest == new.digest
    assert not compare(old, new)


# Where versions come from


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of two commits, and what commits one more: a bank that extends a base beside it."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.chdir(tmp_path)
    git("init", "-q")

    def commit(files):
        for path, content in files.items():
            write(tmp_path / path, content)
        git("add", "-A")
        return committed(git("write-tree"))

    base = {"name": "base", "version": "1", "principles": [principle("risk")]}
    bank = {"name": "bank", "version": "1", "extends": ["../base"]}
    commit({"rules/base/constitution.yaml": base, "rules/bank/constitution.yaml": bank})
    commit({"rules/base/constitution.yaml": base | {"principles": [principle("risk", severity="critical")]}})
    return commit


def git(*arguments, stdin=b""):
    who = {
        "GIT_AUTHOR_NAME": "T",
        "GIT_AUTHOR_EMAIL": "t@example.com",
        "GIT_COMMITTER_NAME": "T",
        "GIT_COMMITTER_EMAIL": "t@example.com",
    }
    done = subprocess.run(["git", *arguments], input=stdin, capture_output=True, env={**os.environ, **who}, check=True)
    return done.stdout.decode().strip()


def committed(tree):
    parent = subprocess.run(["git", "rev-parse", "-q", "--verify", "HEAD"], capture_output=True, text=True, check=False)
    before = ["-p", parent.stdout.strip()] if parent.stdout else []
    commit = git("commit-tree", tree, "-m", "fees: a change", *before)
    git("update-ref", "HEAD", commit)
    return commit


def test_a_revision_is_read_with_what_it_extended_then(repository, tmp_path, monkeypatch):
    then, now = version_of("HEAD~1:rules/bank"), version_of("HEAD:rules/bank")
    assert [(c.key, c.before, c.after) for c in compare(then, now).principles[0].changes] == [
        ("severity", "high", "critical")
    ]
    assert now.digest == version_of("rules/bank").digest == version_of("HEAD:rules/bank/constitution.yaml").digest
    assert now.digest == version_of("HEAD^{/fees: a}:rules/bank").digest
    monkeypatch.chdir(tmp_path / "rules" / "base")
    assert version_of("HEAD:rules/bank").digest == version_of("HEAD:./../bank").digest == now.digest
    assert version_of("HEAD:./").name == "base"


def test_a_principles_file_means_its_constitution_at_any_revision(repository):
    main = {"name": "clinic", "version": "1"}
    repository({"clinic/constitution.yaml": main, "clinic/principles/doses.yaml": principle("doses")})
    for source in ("clinic/principles/doses.yaml", "HEAD:clinic/principles/doses.yaml"):
        assert version_of(source).name == "clinic"
    with pytest.raises(ConfigurationError, match=r"^HEAD: holds 3 constitutions: HEAD:clinic, .* Name one of them\.$"):
        version_of("HEAD:")


def test_what_is_there_as_a_path_is_a_path(repository, tmp_path):
    write(
        tmp_path / "HEAD:rules" / "constitution.yaml", {"name": "odd", "version": "1", "principles": [principle("x")]}
    )
    write(tmp_path / "deadbeef", {"name": "even", "version": "1", "principles": [principle("x")]})
    assert version_of("HEAD:rules").name == "odd"
    assert version_of("deadbeef").name == "even"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("HEAD~9:rules/bank", "git knows no revision 'HEAD~9' here"),
        ("^HEAD:rules/bank", "git knows no revision"),
        ("HEAD~1..HEAD:rules/bank", "git knows no revision"),
        ("--output=x:rules/bank", "a revision does not begin with a hyphen"),
        ("HEAD:rules/bnak", "HEAD has no YAML file at rules/bnak. Paths count from the repository's root"),
        ("HEAD:./../../x", "is outside of the repository"),
        ("HEAD:../rules/bank", "is outside of the repository"),
        ("HEAD:/etc", "is outside of the repository"),
        ("finanse", "Did you mean 'finance'?"),
        ("rules/nosuch", "nothing stands at this path"),
        ("\0", "is no version of a constitution"),
        ("", "is no version of a constitution"),
        ("a" * 300, "is no version of a constitution"),
    ],
)
def test_what_is_no_version_says_what_was_tried(repository, tmp_path, source, message):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigurationError) as raised:
        version_of(source)
    assert message in str(raised.value)
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before] == []


def test_without_git_or_a_repository_a_revision_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(ConfigurationError, match="not a git repository"):
        version_of("HEAD:finance")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigurationError, match="needs git, which is not installed"):
        version_of("HEAD:finance")


def test_mistakes_of_a_revision_are_placed_in_it(repository):
    repository({"rules/bank/constitution.yaml": "name: bank\nversion: 1.0\nextends: [../base, ../nosuch]\n"})
    with pytest.raises(ConstitutionError) as raised:
        version_of("HEAD:rules/bank")
    assert str(raised.value).startswith("HEAD:rules/bank/constitution.yaml:2:10: this must be text")


def test_links_and_paths_that_lead_elsewhere_are_refused(repository, tmp_path):
    outside = write(tmp_path.parent / f"{tmp_path.name}-outside.yaml", principle("outside"))
    clinic = {"name": "clinic", "version": "1", "principles": [principle("doses")]}
    write(tmp_path / "clinic" / "principles" / "kept.yaml", principle("kept"))
    (tmp_path / "clinic" / "principles" / "outside.yaml").symlink_to(outside)
    repository({"clinic/constitution.yaml": clinic})
    with pytest.raises(ConfigurationError, match=r"clinic/principles/outside\.yaml is a symbolic link"):
        version_of("HEAD:clinic")
    with pytest.raises(ConfigurationError, match="is a symbolic link"):
        version_of("HEAD:clinic/principles/outside.yaml")
    assert version_of("HEAD:rules/bank").name == "bank"
    parent = write(tmp_path.parent / f"{tmp_path.name}-base.yaml", clinic)
    repository({"rules/bank/constitution.yaml": {"name": "bank", "version": "1", "extends": [str(parent)]}})
    with pytest.raises(ConfigurationError, match="which is no file of the repository"):
        version_of("HEAD:rules/bank")


@pytest.mark.parametrize("place", ["clinic/principles", "clinic/principles/more", "clinic"])
def test_a_submodule_among_the_principles_is_refused(repository, place):
    """Its files are in no tree of this repository: without them a constitution would have fewer principles."""
    clinic = {"name": "clinic", "version": "1", "principles": [principle("doses")]}
    main = {} if place == "clinic" else {"clinic/constitution.yaml": clinic}
    repository(main | {"elsewhere.yaml": clinic})
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},{place}")
    committed(git("write-tree"))
    with pytest.raises(ConfigurationError, match=f"^HEAD:clinic: {place} is a git submodule"):
        version_of("HEAD:clinic")
    assert version_of("HEAD:elsewhere.yaml").name == "clinic"


def test_a_constitution_to_judge_under_is_loaded_from_a_revision(repository):
    then, now = (constitution_of_version(f"{revision}:rules/bank") for revision in ("HEAD~1", "HEAD"))
    assert now.digest == constitution_of_version("rules/bank").digest != then.digest
    assert constitution_of_version("finance", "JP").digest == Constitution.load("finance", jurisdiction="JP").digest
    for source, message in [
        ("0" * 8, "cannot be judged under by its digest: name the git revision"),
        ("x", "REV:path"),
    ]:
        with pytest.raises(ConfigurationError, match=message):
            constitution_of_version(source)


def test_a_tree_that_somebody_forged_writes_nowhere_else(repository, tmp_path, monkeypatch):
    """A tree whose folder is called `..`, as git itself would never write it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary" / "below"))
    (tmp_path / "temporary" / "below").mkdir(parents=True)
    blob = git("hash-object", "-w", "--stdin", stdin=b"name: evil\n")
    inner = git("mktree", stdin=f"100644 blob {blob}\tevil.yaml\n".encode())
    real = git("rev-parse", "HEAD:rules")
    raw = b"40000 ..\0" + bytes.fromhex(inner) + b"40000 rules\0" + bytes.fromhex(real)
    committed(git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=raw))
    assert version_of("HEAD:rules/bank").name == "bank"
    assert list(tmp_path.rglob("evil.yaml")) == []


def test_a_digest_finds_the_wording_in_the_trail(tmp_path):
    url = f"sqlite:///{tmp_path}/audit.db"
    with Guard("general", judge="rules", allow_unjudged=True, audit=url) as guard:
        guard.review("Is it safe?", "It is.")
    general = Constitution.load("general")
    for source in (general.digest, general.digest[:8], general.digest[:20].upper()):
        found = version_of(source, url)
        assert (found.label, found.digest) == (source, general.digest)
        assert not compare(found, version_of("general"))
    for source, message in [
        ("0" * 64, "holds no wording with the digest"),
        ("0" * 8, "no wording in .* has a digest that begins so"),
        (general.digest[:7], "is no version of a constitution"),
    ]:
        with pytest.raises(ConfigurationError, match=message):
            version_of(source, url)
    with pytest.raises(ConfigurationError, match="is no shipped name, no path, and no digest"):
        version_of(general.digest, f"sqlite:///{tmp_path}/nosuch.db")


def recorded(trail, content, digest=""):
    """A run that was judged under this content, or under one that the trail was not given."""
    digest = digest or hashlib.sha256(content).hexdigest()
    run = a_run(run_id=uuid7())
    trail.record(replace(run, outcome=replace(run.outcome, constitution=ConstitutionRef("acme", "1", digest))), content)
    return digest


def test_older_and_unreadable_wordings(tmp_path):
    """What an older version of the library did not know has its default; every key that it wrote is read."""
    now = constitution(principle("fees", checks=[{"pattern": "a"}], examples=[{"violates": "A fee."}]))
    told = json.loads(now.content)
    whole = {key: value for key, value in now.principles[0].model_dump(mode="json").items() if key != "expect"}
    older = {key: value for key, value in whole.items() if key not in {"critique", "expires"}}
    url = f"sqlite:///{tmp_path}/audit.db"
    with AuditTrail.open(url) as trail:
        known = recorded(trail, json.dumps(told | {"principles": [older]}).encode())
        later = recorded(trail, json.dumps(told | {"principles": [whole | {"mood": "kind"}]}).encode())
        broken = recorded(trail, b'{"name": "acme"}')
    found = version_of(known, url)
    assert found.digest != now.digest
    assert not compare(found, version(now))
    for digest, message in [(later, "mood: Extra inputs"), (broken, "KeyError")]:
        with pytest.raises(ConfigurationError, match=f"cannot be read \\({message}.*upgrade"):
            version_of(digest[:12], url)


def test_a_beginning_that_fits_two_digests_is_refused_with_both(tmp_path):
    url = f"sqlite:///{tmp_path}/audit.db"
    digests = [f"{'ab' * 4}{end * 56}" for end in "01"]
    with AuditTrail.open(url) as trail:
        for digest in digests:
            recorded(trail, None, digest)
    with pytest.raises(ConfigurationError, match=f"several digests .* begin with 'abababab': {', '.join(digests)}"):
        version_of("abababab", url)
    with pytest.raises(ConfigurationError, match="holds no wording with the digest"):
        version_of("abababab1", url)


# What a reader sees


@pytest.fixture
def diff(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARDRAILS_AUDIT", f"sqlite:///{tmp_path}/audit.db")

    def diff(*arguments, code=0):
        monkeypatch.setattr(sys, "argv", ["guardrails", "diff", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert (ended.value.code or 0) == code, printed
        return printed.out + printed.err

    return diff


OLD = principle(
    "fees",
    severity="medium",
    rule={"en": "Never waive a fee. Be kind.", "ja": "手数料を免除しない。"},
    checks=[{"pattern": ["waive", "refund"]}],
    examples=[{"complies": "A fee is a fee."}],
)
NEW = principle(
    "fees",
    severity="high",
    rule={"en": "Never waive any fee. Be kind.", "ja": "手数料を減免しない。"},
    checks=[{"pattern": ["waive"]}],
    examples=[{"violates": "A fee is a fee."}],
    owner="M. Sato\x1b[2J",
)


def file(tmp_path, name, *some_principles):
    write(tmp_path / f"{name}.yaml", {"name": "acme", "version": name, "principles": list(some_principles)})
    return f"{name}.yaml"


def test_a_pipe_gets_the_summary_first_and_texts_below_each_other(diff, tmp_path):
    old, new = file(tmp_path, "1", OLD, principle("gone")), file(tmp_path, "2", NEW, principle("new"))
    lines = diff(old, new).splitlines()
    assert lines[0] == "1 principle added, 1 removed, 1 stricter and looser, 1 change of the constitution itself"
    assert [line[:12] for line in lines[1:3]] == ["- acme 1  1.", "+ acme 2  2."]
    assert lines[lines.index("fees  stricter and looser, reworded") + 1 :][:14] == [
        "  looser    check 1, pattern removed: refund",
        "  stricter  severity: medium -> high",
        "  stricter  example 1 moved: from complies to violates: A fee is a fee.",
        "            rule (en)",
        "            - Never waive a fee.",
        "            + Never waive any fee.",
        "              Be kind.",
        "            rule (ja)",
        "            - 手数料を免除しない。",
        "            + 手数料を減免しない。",
        "            owner: none -> M. Sato<U+001B>[2J",
        "",
        "new  added",
        "  high; revise on violation; everywhere; 0 checks, 0 examples",
    ]


def test_a_wide_terminal_gets_texts_side_by_side_in_columns(tmp_path):
    found = compare(of(OLD), of(NEW))
    wide, narrow = (
        Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, emoji=False, markup=False)
        for width in (120, 60)
    )
    for out in (wide, narrow):
        tell(out, found)
    lines = wide.file.getvalue().splitlines()
    left = [line for line in lines if "- Never waive a fee." in line or "- 手数料を免除しない。" in line]
    assert [line.split("+ ")[1].strip() for line in left] == ["Never waive any fee.", "手数料を減免しない。"]
    cells = [len(line.split("+ ")[0].encode("utf-16-be")) // 2 for line in left]
    assert cells[0] - cells[1] == len("手数料を免除しない。")  # each of these is two columns wide
    below = narrow.file.getvalue().splitlines()
    assert [line.strip() for line in below if "any fee" in line] == ["+ Never waive any fee."]
    assert max(map(len, below)) <= 60 or "sha256" in max(below, key=len)


def test_json_says_the_same_and_the_exit_code_tells_of_a_difference(diff, tmp_path):
    old, new = file(tmp_path, "1", OLD, principle("gone")), file(tmp_path, "2", NEW)
    told = json.loads(diff(old, new, "--json", "--exit-code", code=1))
    assert told["differ"] is True
    assert told["counts"] == {"removed": 1, "mixed": 1}
    assert [one["key"] for one in told["changes"]] == ["version"]
    gone, fees = told["principles"]
    assert (gone["id"], gone["kind"], gone["principle"]["severity"]) == ("gone", "removed", "high")
    assert {
        "key": "severity",
        "direction": "stricter",
        "before": "medium",
        "after": "high",
        "numbers": [None, None],
    } in fees["changes"]
    same = json.loads(diff(old, old, "--json", "--exit-code"))
    assert (same["differ"], same["changes"], same["principles"]) == (False, [], [])
    assert diff(old, old).splitlines()[0] == "no difference in meaning"
    assert "Did you mean 'finance'?" in json.loads(diff(old, "finanse", "--json", code=2))["error"]


def test_white_space_alone_is_said_to_be_all(diff, tmp_path):
    old = file(tmp_path, "1", principle("fees", rule="Never waive a fee."))
    new = file(tmp_path, "2", principle("fees", rule="Never waive a fee.\n"))
    assert "            rule (en)\n            only white space differs\n" in diff(old, new)


def test_two_wordings_of_one_version_are_told_to_be_counted(diff, tmp_path):
    text = {"name": "acme", "version": "0.1.0"}
    for name, severity in (("old", "low"), ("new", "high")):
        write(tmp_path / f"{name}.yaml", text | {"principles": [principle("fees", severity=severity)]})
    assert "\nboth say version 0.1.0: count it up\n" in diff("old.yaml", "new.yaml")
    assert "count it up" not in diff("old.yaml", "old.yaml")
    assert "count it up" not in diff("old.yaml", file(tmp_path, "2", principle("fees")))


def test_what_a_flag_means_is_said_in_words(diff, tmp_path):
    def fees(**check):
        return principle("fees", checks=[{"pattern": "fee", **check}])

    old, new = file(tmp_path, "1", fees()), file(tmp_path, "2", fees(fix={"delete": True, "sentence": True}))
    printed = diff(old, new)
    assert "fix added: delete: what is found goes\n" in printed
    assert " sentence: the whole sentence\n" in printed
    part = file(tmp_path, "3", fees(fix={"delete": True}, decides=True))
    printed = diff(new, part)
    assert "check 1, fix.sentence: the whole sentence -> what is found alone\n" in printed
    assert "check 1, decides: silence decides nothing -> silence means that the reply complies\n" in printed
    assert " fix.sentence: the whole sentence\n" in diff(new, file(tmp_path, "4", principle("fees", checks=[])))


@few
@given(constitutions, constitutions, hostile_text, st.sampled_from([40, 120]))
def test_whatever_changed_is_printed_and_nothing_in_it_steers_a_terminal(old, new, said, width):
    """Every principle that differs is named, whatever its texts hold."""
    said = said.encode("utf-8", "replace").decode()  # no file holds half a character
    rule = {"en": said or "x"}
    new = replace(new, principles=tuple(p.model_copy(update={"owner": said, "rule": rule}) for p in new.principles))
    found = compare(version(old), replace(version(new, said), name=said, version=said))
    out = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, emoji=False, markup=False)
    tell(out, found)
    printed = out.file.getvalue()
    assert {one.id for one in found.principles} <= set(printed.split())
    assert [c for c in printed if c not in "\n\t" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}] == []
