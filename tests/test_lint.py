"""Lint: each rule finds its own bad example and lets its good one pass, says where, and does not cry wolf."""

import ast
import importlib.util
import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lint_cases import SAFE, TODAY, WHOLE, codes, files_of, linted, said
from support import constitution, folder, hostile_text, principle

from guardrails.authoring.lint import RULES, lint, page_of, rules_of
from guardrails.authoring.lint import __file__ as package
from guardrails.constitution import Constitution, shipped
from guardrails.constitution._yaml import parse
from guardrails.errors import ConfigurationError

ROOT = Path(__file__).parent.parent
SNIPPET = re.compile(r"^## (Avoid|Prefer)\n\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADVICE = {rule.code for rule in RULES if rule.level == "advice"}
DIGEST = "0" * 64


def snippet(rule, which):
    """What lint finds in a rule's bad or good example: keys of a principle, or principles, or approvals."""
    data = parse(dict(SNIPPET.findall(rule.doc))[which].encode(), "snippet").data
    if isinstance(data, list):  # approvals; one of today's version is of today's content
        with folder(files_of({})) as path:
            digest = Constitution.load(path / "test.yaml").digest
        approved = [{**one, "digest": digest} if one["version"] == "2" else one for one in data]
        return linted({}, files={"approvals.yaml": approved})
    return linted(*data.get("principles", [data]))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_finds_what_its_page_says_to_avoid_and_passes_what_it_prefers(rule):
    avoided, preferred = snippet(rule, "Avoid"), snippet(rule, "Prefer")
    assert codes(avoided) - (ADVICE - {rule.code}) == {rule.code}
    assert rule.code not in codes(preferred)
    assert codes(preferred) <= ADVICE


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_finding_stands_at_a_place_and_says_what_to_do(rule):
    for finding in snippet(rule, "Avoid"):
        assert finding.problem.line >= 1
        assert finding.problem.column >= 1
        assert finding.problem.message.endswith((".", "”", ")"))
        assert finding.problem.advice


def test_codes_and_names_are_each_of_one_rule_and_every_rule_is_listed():
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
    assert all(re.fullmatch(r"[A-Z]{2}\d\d", rule.code) for rule in RULES)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name) for rule in RULES)
    decorated = [
        node.name
        for file in Path(package).parent.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        if any(isinstance(d, ast.Call) and getattr(d.func, "id", "") == "rule" for d in node.decorator_list)
    ]
    assert sorted(decorated) == sorted(rule.find.__name__ for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_page_says_what_why_what_to_avoid_and_what_to_prefer(rule):
    page = page_of(rule.name)
    assert page == page_of(rule.code.lower())
    assert page.startswith(f"# {rule.code} {rule.name}\n")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["What", "Why", "Avoid", "Prefer", "Allow it"]


def test_the_pages_in_the_documentation_are_what_the_rules_say():
    spec = importlib.util.spec_from_file_location("make_lint", ROOT / "docs" / "make_lint.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    written = {path.name: path.read_text(encoding="utf-8") for path in script.FOLDER.glob("*.md")}
    assert script.pages() == written, "python docs/make_lint.py"
    for name, text in written.items():
        assert set(re.findall(r"\]\(([\w-]+\.md)\)", text)) <= set(written), name
    assert set(re.findall(r"^\| \[(\w+)\]", written["README.md"], re.MULTILINE)) == {rule.code for rule in RULES}


@pytest.mark.parametrize("name", shipped())
def test_the_shipped_constitutions_are_clean(name):
    assert lint(name, today=TODAY) == []


# Choosing and allowing


def test_rules_are_chosen_by_code_name_and_beginning():
    assert [rule.code for rule in rules_of(["wd", "expired"], ["WD03", "vague"])] == ["WD01", "WD04", "FO01"]
    assert rules_of() == RULES
    assert rules_of([], [rule.code for rule in RULES]) == ()
    with pytest.raises(ConfigurationError, match=r"'no-nearmiss'.*'no-near-miss'"):
        rules_of(["no-nearmiss"])
    with pytest.raises(ConfigurationError):
        rules_of([""])


VAGUE = """\
name: test
version: "1"
principles:
  - id: one
    title: One
    severity: low
    rule: {en: Give appropriate warnings.} # lint: allow COMMENT
"""


@pytest.mark.parametrize(
    ("comment", "hidden"),
    [
        ("vague", True),
        ("WD02", True),
        ("wd02 - the term of the statute", True),
        ("no-near-miss, Vague", True),
        ("no-near-miss,vague: said so by counsel", True),
        ("vagueness", False),
        ("WD01", False),
        ("", False),
    ],
)
def test_a_comment_allows_findings_on_its_own_line_alone(comment, hidden):
    text = VAGUE.replace("COMMENT", comment)
    for ends in ("\n", "\r\n"):
        with folder({"test.yaml": text.replace("\n", ends)}) as path:
            assert ("WD02" not in codes(lint(path / "test.yaml", today=TODAY))) is hidden
    moved = f"# lint: allow {comment}\n" + VAGUE
    with folder({"test.yaml": moved}) as path:
        assert "WD02" in codes(lint(path / "test.yaml", today=TODAY))


def test_what_cannot_be_loaded_gives_all_its_mistakes_whatever_is_chosen():
    broken = files_of({"severity": "grave", "checks": [{"pattern": "a*"}]}, {"id": "Not An Id"})
    with folder(broken) as path:
        found = lint(path / "test.yaml", rules=rules_of(["FO01"]), today=TODAY)
    assert [finding.code for finding in found] == ["IN01", "CK04", "IN01"]
    assert len({finding.problem.line for finding in found}) == 1  # one line of JSON, three columns
    assert len({finding.problem.column for finding in found}) == 3


def test_a_constitution_that_is_loaded_already_is_linted_whole_though_its_files_are_gone():
    loaded = constitution(
        principle("one", jurisdictions=["US"]), principle("two", jurisdictions=["JP"]), jurisdiction="US"
    )
    assert len(said(lint(loaded, today=TODAY), "AU01")) == 2


# Which principles are looked at


def test_of_a_child_only_its_own_principles_are_judged_and_against_its_parents():
    parent = files_of({"id": "theirs", "examples": [], "rule": "Never state the balance."}, name="parent")["test.yaml"]
    mine = {"id": "mine", "rule": "The reply must state the balance."}
    found = linted(mine, extends=["parent.yaml"], files={"parent.yaml": parent})
    assert codes(found) - ADVICE == {"WD04"}
    assert said(found, "WD04") == ["mine asks for what theirs forbids."]
    assert {Path(finding.problem.file).name for finding in found} == {"test.yaml"}
    again = linted(
        {"id": "mine", "rule": "never state the balance"}, extends=["parent.yaml"], files={"parent.yaml": parent}
    )
    assert said(again, "WD03") == ["mine has the same rule as theirs."]
    replaced = linted({**mine, "id": "theirs"}, extends=["parent.yaml"], files={"parent.yaml": parent})
    assert codes(replaced) <= ADVICE


def test_a_check_that_breaks_a_parents_near_miss_is_named_and_so_is_a_parents_check_that_breaks_an_own_one():
    parent = files_of({"id": "theirs", "checks": [{"pattern": "whatever happens"}]}, name="parent")["test.yaml"]
    mine = {
        "id": "mine",
        "checks": [{"pattern": "ask your branch"}],
        "examples": [
            {"violates": "Ask your branch."},
            {"complies": "It stays open whatever happens.", "note": "about a branch"},
        ],
    }
    parent["principles"][0]["examples"].append({"violates": "It is yours whatever happens."})
    found = linted(mine, extends=["parent.yaml"], files={"parent.yaml": parent})
    assert sorted(said(found, "CK02"), reverse=True) == [
        "this check finds “Ask your branch” in a complying example of theirs: Is my deposit safe? Ask your branch.",
        "check 1 of theirs finds “whatever happens” here.",
    ]


def test_a_principle_that_the_variables_switch_off_is_judged_as_if_they_did_not():
    off = {"id": "off", "only_if": {"licensed": True}, "checks": [SAFE], "rule": "State the balance."}
    on = {"id": "on", "only_if": {"licensed": False}, "rule": "Never state the balance."}
    found = linted(off, on, variables={"licensed": False})
    assert codes(found) <= ADVICE  # they are never in force together
    off["examples"] = [*WHOLE["examples"], {"complies": "A deposit is safe.", "note": "says so"}]
    assert said(linted(off, on, variables={"licensed": False}), "CK02") == ["check 1 finds “is safe” here."]


def test_a_principle_that_can_never_be_in_force_is_found_and_still_judged():
    found = linted(
        {"only_if": {"licensed": "false"}, "checks": [SAFE]}, {"rule": "Name a branch."}, variables={"licensed": False}
    )
    assert "p-0 never applies" in said(found, "IN01")[0]
    assert codes(found) - ADVICE == {"IN01"}


def test_principles_of_other_jurisdictions_may_say_the_opposite():
    one, two = {"rule": "Never state the balance."}, {"rule": "Always state the balance."}
    assert "WD04" in codes(linted(one, two))
    assert "WD04" in codes(linted({**one, "jurisdictions": ["US", "JP"]}, {**two, "jurisdictions": ["JP"]}))
    assert "WD04" not in codes(linted({**one, "jurisdictions": ["US"]}, {**two, "jurisdictions": ["JP"]}))


# Examples and checks


def test_one_reply_may_stand_on_both_sides_where_the_prompt_tells_them_apart():
    yes, no = {"violates": "It is safe."}, {"complies": "it is  SAFE.", "note": "of a lock"}
    assert "EX03" in codes(linted({"examples": [yes, no]}))
    assert "EX03" not in codes(linted({"examples": [yes, {**no, "prompt": "Is the lock safe?"}]}))
    revised = {"violates": "It is quite safe.", "revised": "It is safe."}
    assert "EX03" in codes(linted({"examples": [yes, revised, WHOLE["examples"][1]]}))


CHECKS = {
    "pattern": (SAFE, {"violates": "It is safe."}, {"violates": "It is lost."}),
    "require": (
        {"require": "up to a limit", "when": "insured", "append": "Up to a limit."},
        {"violates": "It is insured."},
        {"violates": "It is insured up to a limit."},
    ),
    "grounded": (
        {"grounded": ["amounts"]},
        {"violates": "It costs $5.", "context": "It costs $4."},
        {"violates": "It costs $5."},
    ),
    "personal_data": (
        {"personal_data": ["email"]},
        {"violates": "Write to ann@example.com."},
        {"violates": "Write to Ann."},
    ),
}


@pytest.mark.parametrize("kind", CHECKS)
def test_a_check_of_any_kind_has_to_find_something(kind):
    check, found, missed = CHECKS[kind]
    near_miss = {"complies": "Ask your branch.", "note": "near"}
    assert "CK01" not in codes(linted({"checks": [check], "examples": [found, near_miss]}))
    assert "CK01" in codes(linted({"checks": [check], "examples": [missed, near_miss]}))
    twins = linted({"checks": [check, {"pattern": "is lost"}], "examples": [found, near_miss]})
    assert len(said(twins, "CK01")) == 1, "a hit of one check does not exercise the other"


def test_a_check_of_a_prompt_is_exercised_by_an_example_with_that_prompt():
    check = {"require": "limit", "when_prompt": "insured", "append": "There is a limit."}
    asked = {"violates": "Yes.", "prompt": "Is it insured?"}
    assert "CK01" not in codes(linted({"checks": [check], "examples": [asked, WHOLE["examples"][1]]}))
    assert "CK01" in codes(linted({"checks": [check], "examples": [{"violates": "Yes."}, WHOLE["examples"][1]]}))


def test_what_a_check_finds_is_said_with_whose_check_it_is_and_where():
    personal = {"personal_data": ["email"]}
    figures = {"grounded": ["amounts"]}
    mine = {"checks": [SAFE, personal, figures], "rule": "Name no branch."}
    mine["examples"] = [
        {"violates": "It is safe.", "revised": "It is safe, is safe."},
        {"complies": "Write to ann@example.com, it costs $5.", "note": "near", "context": "It costs $4."},
    ]
    other = {"checks": [{"pattern": "costs"}], "examples": [{"violates": "It costs."}, WHOLE["examples"][1]]}
    found = linted(mine, other)
    assert said(found, "EX05") == ["a check finds “is safe” in this revision."]
    assert sorted(said(found, "CK02")) == [
        "check 1 of p-1 finds “costs” here.",
        "check 2 finds personal data (email) here.",
        "check 3 finds amounts of no source here.",
    ]
    mine["examples"][0]["revised"] = "It costs."
    assert said(linted(mine, other), "EX05") == ["a check of p-1 finds “costs” in this revision."]
    with folder(files_of(mine, other)) as path:
        text = (path / "test.yaml").read_text(encoding="utf-8")
        (flagged,) = (f for f in lint(path / "test.yaml", today=TODAY) if f.code == "EX05")
    assert text[flagged.problem.column - 1 :].startswith('"It costs."')


def test_what_is_never_revised_needs_no_revisions():
    bare = [{"violates": "It is safe."}, WHOLE["examples"][1]]
    assert said(linted({"examples": bare}), "EX08") == ["0 of 1 violating examples of p-0 say what they become."]
    assert "EX08" in codes(linted({"examples": bare, "applies_to": ["reply", "tool_calls"]}))
    for other in ({"on_violation": "block"}, {"on_violation": "flag"}, {"applies_to": "tool_calls"}):
        assert "EX08" not in codes(linted({"examples": bare, **other}))
    half = [*bare, {"violates": "Quite safe.", "revised": "Insured."}]
    assert "EX08" not in codes(linted({"examples": half}))
    assert "EX08" in codes(linted({"examples": [*half, {"violates": "Very safe."}]}))


def test_another_principles_check_does_not_exercise_an_equal_one_of_ones_own():
    other = {"checks": [SAFE]}
    silent = {"rule": "Never say so.", "checks": [SAFE], "examples": [{"violates": "No."}, WHOLE["examples"][1]]}
    assert said(linted(other, silent), "CK01") == ["no violating example of p-1 exercises this check."]


def test_the_arguments_of_tool_calls_are_no_replies():
    calls = {"applies_to": "tool_calls", "checks": [{"pattern": "ask your branch"}], "rule": "No such call."}
    calls["examples"] = [{"violates": "Ask your branch."}, {"complies": "It is safe.", "note": "about a lock"}]
    assert codes(linted({"checks": [SAFE]}, calls)) <= ADVICE


def test_wording_is_tried_as_it_turns_out_in_the_examples():
    def wording(replace):
        check = {"pattern": r"\b(\w+) is safe\b", "fix": {"replace": replace}}
        other = {"rule": "Never name a limit.", "checks": [{"pattern": "deposit has a limit"}]}
        other["examples"] = [{"violates": "A deposit has a limit."}, WHOLE["examples"][1]]
        return linted({"checks": [check]}, other)

    assert said(wording(r"\1 has a limit"), "CK05") == [
        "check 1 of p-1 finds “deposit has a limit” in what is added here."
    ]
    assert codes(wording(r"\1 has its limits")) <= ADVICE
    one = {"pattern": r"\b(your) deposit", "fix": {"replace": r"\1 money"}}
    two = {"pattern": r"(deposit) is safe", "fix": {"replace": r"insured \1"}}
    three = {"pattern": "insured your"}
    found = linted({"checks": [one, two, three], "examples": [*WHOLE["examples"], {"violates": "Insured your way."}]})
    assert said(found, "CK05") == [], "each wording is filled with what its own check found"


@pytest.mark.parametrize(
    ("check", "broad"),
    [
        ({"pattern": "."}, True),
        ({"pattern": r"\b\w+\b"}, True),
        ({"pattern": "ます"}, True),
        ({"pattern": "safe", "unless": {"sentence": r"\w$"}}, True),
        ({"require": r"\w+", "append": "x"}, True),
        ({"require": "limit", "when": "[a-z]", "append": "a limit"}, True),
        ({"pattern": r"\?$"}, False),
        (
            {"pattern": "safe", "unless": {"sentence": ["か$", r"\?$", "ではありません$"], "clause": r"\bno one\b"}},
            False,
        ),
        ({"require": "limit", "append": "a limit"}, False),
    ],
)
def test_a_pattern_that_ordinary_sentences_match_is_too_broad(check, broad):
    assert ("CK03" in codes(linted({"checks": [check]}))) is broad


@pytest.mark.parametrize(
    "check",
    [
        {"pattern": r"^a*\b"},
        {"pattern": "is safe", "unless": {"clause": r"\b\pL*^"}},
        {"pattern": "is safe", "unless": {"sentence": r"\A\b(?:you )?"}},
        {"require": r"\b^a{0,2}", "append": "a"},
        {"require": "limit", "when": r"(?m:^)a*\b", "append": "a limit"},
        {"require": "limit", "when_prompt": r"^\ba*", "append": "a limit"},
    ],
)
def test_a_pattern_that_matches_nothing_in_some_texts_is_found_though_it_can_be_loaded(check):
    assert "CK04" in codes(linted({"checks": [check]}))
    assert "CK04" not in codes(linted({"checks": [{"pattern": "q"}]}))


def test_a_warning_or_a_fallback_that_a_check_finds_is_a_contradiction():
    found = linted(
        {"checks": [SAFE]}, warning="Nothing is safe.", fallback={"en": "{{ what }} is safe."}, variables={"what": "It"}
    )
    assert said(found, "CK05") == ["a check of p-0 finds “is safe” here."] * 2
    assert len({finding.problem.column for finding in found if finding.code == "CK05"}) == 2
    built_in = {"rule": "Never ask for patience.", "checks": [{"pattern": "please note|reliable answer"}]}
    built_in["examples"] = [{"violates": "Please note."}, WHOLE["examples"][1]]
    assert codes(linted(built_in)) <= ADVICE


def test_a_finding_stands_at_the_very_text():
    with folder({"test.yaml": VAGUE}) as path:
        places = {f.code: (f.problem.line, f.problem.column) for f in lint(path / "test.yaml", today=TODAY)}
    assert places["WD02"] == (7, 16)
    assert places["EX01"] == (4, 5)


# Dates


@pytest.mark.parametrize(("days", "code"), [(0, None), (365, None), (366, "AU03"), (-1, "AU02")])
def test_an_authority_is_read_again_once_a_year(days, code):
    checked = {"cite": "Act", "verified": "secondary", "checked_on": (TODAY - timedelta(days)).isoformat()}
    assert codes(linted({"authority": [checked]})) - ADVICE == ({code} if code else set())
    unread = {"cite": "Act", "checked_on": checked["checked_on"]}
    assert codes(linted({"authority": [unread]})) - ADVICE == ({code} if code else set())


def test_the_first_and_the_last_day_are_days_in_force():
    today = {"effective": TODAY.isoformat(), "expires": TODAY.isoformat()}
    assert codes(linted(today)) <= ADVICE
    assert codes(linted(today, today=TODAY + timedelta(1))) - ADVICE == {"FO01"}
    assert codes(linted(today, today=TODAY - timedelta(1))) - ADVICE == {"FO02"}


# Languages


def test_each_text_has_every_language_and_a_checks_wording_those_of_its_patterns():
    both = {"title": {"en": "T", "ja": "題"}, "rule": {"en": "Never say so.", "ja": "そう述べてはならない。"}}
    english = {"pattern": r"\bis safe\b", "fix": {"replace": {"en": "is insured"}}}
    japanese = {"pattern": ["安全です", "ETFは安全"], "fix": {"replace": {"ja": "保険の対象です"}}}
    disclosure = {"require": "limit|上限", "when": "insured", "append": {"en": "There is a limit."}}
    assert "TR01" not in codes(linted({**both, "checks": [english, japanese, disclosure]}))
    always = {**disclosure, "when": []}
    either = {**english, "pattern": [r"\bis safe\b", "安全です"]}
    found = linted({**both, "revision": "Say it.", "checks": [always, either]}, fallback={"ja": "お待ちください。"})
    assert sorted(said(found, "TR01")) == [
        "`append` is not there in Japanese.",
        "`fallback` is not there in English.",
        "`replace` is not there in Japanese.",
        "`revision` is not there in Japanese.",
    ]


def test_examples_are_counted_by_language():
    texts = {"title": {"en": "T", "ja": "題"}, "rule": {"en": "Never say so.", "ja": "そう述べてはならない。"}}
    found = linted({**texts, "examples": [*WHOLE["examples"], {"violates": "全額補償", "lang": "ja"}]})
    few = "1 violating in English, 1 complying in English, 1 violating in Japanese, 0 complying in Japanese"
    assert said(found, "EX06") == [f"p-0 has few examples: {few}."]
    assert said(found, "EX07") == ["p-0 has no near miss in Japanese."]


# Approvals


def test_approvals_that_cannot_be_read_are_a_finding():
    found = linted({}, files={"approvals.yaml": [{"by": "Ann", "name": "test", "version": "2", "digest": DIGEST}]})
    assert said(found, "AP01") == ["the key 'at' is missing."]


# Anything


@given(st.lists(hostile_text.map(lambda text: text.encode("utf-8", "replace").decode() or "x"), min_size=4, max_size=4))
def test_no_text_breaks_a_rule(texts):
    """Whatever is written, what can be loaded is linted, and every finding stands in the file."""
    rule, violates, complies, note = texts
    examples = [{"violates": violates, "revised": complies}, {"complies": note, "note": rule}]
    found = linted({"rule": {"en": rule, "ja": complies}, "critique": note, "checks": [SAFE], "examples": examples})
    assert all(finding.problem.file.endswith("test.yaml") for finding in found)
