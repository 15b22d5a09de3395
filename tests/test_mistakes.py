"""Mistakes in constitutions: each at its place, with what is wrong and what to write, and all of them at once."""

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support import folder, principle, write

from guardrails.constitution import Constitution
from guardrails.errors import ConstitutionError

MAIN = 'name: acme\nversion: "1"\n'
RULE = "id: a-one\ntitle: No promises\nseverity: high\nrule: Promise nothing.\n"
LISTED = MAIN + "principles:\n- id: a-one\n  title: t\n  severity: high\n  rule: r\n"


def mistakes(files, source="."):
    """The problems of a folder's files, their paths relative to it."""
    with folder(files) as path:
        with pytest.raises(ConstitutionError) as caught:
            Constitution.load(path / source)
        for problem in caught.value.problems:
            assert str(problem) in str(caught.value)
        return [str(problem).replace(f"{path}/", "").replace(str(path), ".") for problem in caught.value.problems]


def mistake(text, *, main=MAIN):
    """The only problem of a constitution with this one principle file."""
    (problem,) = mistakes({"constitution.yaml": main, "principles/a-one.yaml": text})
    return problem


FILE = "principles/a-one.yaml"
IN_A_PRINCIPLE = {
    "duplicate key": (
        RULE + "owner: x\nowner: y\n",
        rf"{FILE}:6:1: duplicate key 'owner'; it already stands in line 5\. Keep one of them\.",
    ),
    "duplicate language": (
        RULE.replace("Promise nothing.", "{en: a, ja: b, en: c}"),
        rf"{FILE}:4:22: duplicate key 'en'; it already stands in line 4\. Keep one of them\.",
    ),
    "unknown key, near": (
        RULE + "on_violaton: block\n",
        rf"{FILE}:5:1: unknown key 'on_violaton'\. Did you mean 'on_violation'\?",
    ),
    "unknown key, far": (RULE + "zzz: block\n", rf"{FILE}:5:1: unknown key 'zzz'\. There is: .*severity.*"),
    "unknown key in a check": (
        RULE + "checks:\n- pattern: safe\n  unles: {}\n",
        rf"{FILE}:7:3: unknown key 'unles'\. Did you mean 'unless'\?",
    ),
    "unknown key in unless": (
        RULE + "checks:\n- pattern: safe\n  unless:\n    befor: no\n",
        rf"{FILE}:8:5: unknown key 'befor'\. Did you mean 'before'\?",
    ),
    "yes in place of true": (
        RULE + "checks:\n- {pattern: safe, decides: yes}\n",
        rf"{FILE}:6:28: this must be true or false, not text\. Write true or false, without quotes\.",
    ),
    "a share for a number": (
        RULE + "threshold: 0.5\n",
        rf"{FILE}:5:12: this must be a whole number, not 0\.5\. Write 50, say: .*",
    ),
    "a comma in braces": (
        RULE + "examples:\n- {complies: Yes, the fee is $30.}\n",
        rf"{FILE}:6:19: unknown key 'the fee is \$30\.'\. A comma in .* ends a text.*",
    ),
    "several words before": (
        RULE + "checks:\n- pattern: safe\n  unless: {before: [decides whether]}\n",
        rf"{FILE}:7:11: `before` holds one word each, not 'decides whether'\. For several words write a `clause:`",
    ),
    "a group that is not there": (
        RULE + "checks:\n- pattern: (safe)\n  fix: {replace: 'not \\2'}\n",
        rf"{FILE}:6:3: the fix names \\2, and the pattern has 1 group\. Put \( \) around it",
    ),
    "a backspace": (
        RULE + 'checks:\n- pattern: "\\bsafe"\n',
        rf"{FILE}:6:12: the pattern holds a backspace.*single quotes.*",
    ),
    "a number in quotes": (
        RULE + 'threshold: "50"\n',
        rf"{FILE}:5:12: this must be a whole number, not '50'\. Write 50, say: without a point.*",
    ),
    "unknown key in a fix": (
        RULE + "checks:\n- pattern: safe\n  fix: {replac: x, delete: true}\n",
        rf"{FILE}:7:9: unknown key 'replac'\. Did you mean 'replace'\?",
    ),
    "unknown key in an authority": (
        RULE + "authority:\n- {cite: x, verifed: primary}\n",
        rf"{FILE}:6:13: unknown key 'verifed'\. Did you mean 'verified'\?",
    ),
    "unknown key in an example": (
        RULE + "examples:\n- {violates: x, promt: y}\n",
        rf"{FILE}:6:17: unknown key 'promt'\. Did you mean 'prompt'\?",
    ),
    "missing key": (
        RULE.replace("severity: high\n", ""),
        rf"{FILE}:1:1: the key 'severity' is missing\. Write `severity:` .*critical.*",
    ),
    "unknown severity": (
        RULE.replace("high", "hihg"),
        rf"{FILE}:3:11: 'hihg' is not one of critical, high, medium, low\. Did you mean 'high'\?",
    ),
    "lookahead": (
        RULE + "checks:\n- pattern: ['safe', '(?!un)safe']\n",
        rf"{FILE}:6:21: the pattern uses a lookaround .* under `unless:`\.",
    ),
    "empty pattern": (
        RULE + "checks:\n- pattern: 'a*'\n",
        rf"{FILE}:6:12: the pattern matches the empty string.*mandatory\.",
    ),
    "bad pattern in unless": (
        RULE + "checks:\n- pattern: a\n  unless: {sentence: ['(']}\n",
        rf"{FILE}:7:23: the pattern is not RE2: .*",
    ),
    "two kinds of check": (
        RULE + "checks:\n- pattern: a\n  require: b\n",
        rf"{FILE}:6:3: a check says one of `pattern`, `require`, `grounded` or `personal_data`\.",
    ),
    "no kind of check": (RULE + "checks:\n- patern: a\n", rf"{FILE}:6:3: a check says one of `pattern`, .*"),
    "two fixes": (
        RULE + "checks:\n- pattern: a\n  fix: {delete: true, mask: true}\n",
        rf"{FILE}:7:8: a fix says one of `replace: .*`, `delete: true` or `mask: true`\.",
    ),
    "an example of both sides": (
        RULE + "examples:\n- {violates: a, complies: b}\n",
        rf"{FILE}:6:3: an example says either `violates:` or `complies:`\.",
    ),
    "bad date": (
        RULE + "authority:\n- {cite: x, checked_on: 2026-13-45}\n",
        rf"{FILE}:6:25: this must be a date, not text\. Write it as 2026-11-23\.",
    ),
    "a date as a number": (
        RULE + "effective: 20261123\n",
        rf"{FILE}:5:12: this must be a date, not a number\. Write it as 2026-11-23\.",
    ),
    "text for a list": (
        RULE + "examples: none\n",
        rf"{FILE}:5:11: this must be a list, not text\. Begin each item with a hyphen\.",
    ),
    "text for a mapping": (
        RULE + "only_if: licensed\n",
        rf"{FILE}:5:10: this must be a mapping, not text\. Write `key: value` lines\.",
    ),
    "a list for text": (RULE + "owner: [me]\n", rf"{FILE}:5:8: this must be text, not a list\. Write text here\."),
    "a number for text": (
        RULE + "owner: 42\n",
        rf'{FILE}:5:8: this must be text, not a number\. Put it in quotes: "42"\.',
    ),
    "nothing for text": (RULE.replace("No promises", ""), rf"{FILE}:2:7: 'title' is empty\. Write its value.*"),
    "threshold too high": (RULE + "threshold: 150\n", rf"{FILE}:5:12: this should be less than or equal to 100\."),
    "bad language": (
        RULE.replace("Promise nothing.", "{english: x}"),
        rf"{FILE}:4:8: 'english' is no language\. Write en, ja or another two letters\.",
    ),
    "bad id": (
        RULE.replace("a-one", "A_One"),
        rf"{FILE}:1:5: 'A_One' is not of the form .* Use small letters, digits and hyphens\.",
    ),
    "id and file name": (
        RULE.replace("a-one", "b-two"),
        rf"{FILE}:1:5: the id 'b-two' is not the file's name\. Write `id: a-one`, or rename the file\.",
    ),
    "not a mapping": (
        "- just a list\n",
        rf"{FILE}:1:1: this must be a mapping, not a list\. Write `key: value` lines\.",
    ),
    "unknown only_if variable": (
        RULE + "only_if:\n  licenced: true\n",
        rf"{FILE}:6:3: no variable 'licenced'\. Declare it: `variables: {{licenced: …}}`\.",
    ),
    "undefined template variable": (
        RULE.replace("Promise nothing.", "{en: 'Name {{ compny }}.'}"),
        rf"{FILE}:4:12: 'compny' is undefined\. The variables are: none; declare them under `variables:`\.",
    ),
    "loop in a template": (
        RULE.replace("Promise nothing.", "'{% for x in y %}a{% endfor %}'"),
        rf"{FILE}:4:7: a template holds {{{{ variables }}}} and {{% if %}}, no loops, calls, macros or includes\. .*",
    ),
    "include in a template": (
        RULE.replace("Promise nothing.", "\"{% include 'x' %}\""),
        rf"{FILE}:4:7: a template holds {{{{ variables }}}} and {{% if %}}, no loops, calls, macros or includes\. .*",
    ),
    "broken template": (RULE.replace("Promise nothing.", "'{% if %}'"), rf"{FILE}:4:7: Expected an expression.*"),
    "template out of the sandbox": (
        RULE.replace("Promise nothing.", "\"{{ ''.__class__ }}\""),
        rf"{FILE}:4:7: .*__class__.*",
    ),
    "template that grows": (
        RULE.replace("Promise nothing.", "\"{{ 'a' * 10 ** 9 }}\""),
        rf"{FILE}:4:7: the operator .* is not allowed.*",
    ),
    "template nested too deep": (
        RULE.replace("Promise nothing.", f"'{{{{ {'(' * 5000}1{')' * 5000} }}}}'"),
        rf"{FILE}:4:7: .+",
    ),
    "python object": (
        RULE + "owner: !!python/object/apply:os.system [echo]\n",
        rf"{FILE}:5:8: the tag !!python/object/apply:os.system is not allowed: .* plain data\. Remove the tag\.",
    ),
    "other tag": (RULE + "owner: !env HOME\n", rf"{FILE}:5:8: the tag !env is not allowed.*"),
    "empty file": ("", rf"{FILE}:1:1: the file is empty\. See docs/constitutions\.md for its form\."),
    "only a comment": ("# later\n", rf"{FILE}:1:1: the file is empty\..*"),
    "not UTF-8": (RULE.encode() + b"owner: caf\xe9\n", rf"{FILE}: not UTF-8 \(byte \d+\)\. Save the file as UTF-8\."),
    "UTF-16": (RULE.encode("utf-16"), rf"{FILE}: not UTF-8 \(byte 0\)\. Save the file as UTF-8\."),
    "control character": (RULE + "owner: a\x07b\n", rf"{FILE}:5:9: not YAML: .*"),
    "second document": (
        RULE + "---\nid: b\n",
        rf"{FILE}:5:1: a second document begins here\. Put it in a file of its own\.",
    ),
    "tab indentation": (RULE + "authority:\n\t- cite: x\n", rf"{FILE}:6:1: not YAML: .*cannot start any token.*\..*"),
    "colon in text": (
        RULE + "owner: me: myself\n",
        rf"{FILE}:5:10: not YAML: mapping values are not allowed.*'single quotes'\.",
    ),
    "open bracket": (
        RULE + "jurisdictions: [US, JP\n",
        rf"{FILE}:\d+:\d+: not YAML: .*brackets and quotes are closed\.",
    ),
    "100,000 brackets": ("[" * 100_000, rf"{FILE}:1:\d+: .+"),
    "nested too deep": ("owner: " + "[" * 40 + "]" * 40, rf"{FILE}:1:\d+: nested more than 30 deep\..*"),
    "alias without an anchor": (
        RULE + "owner: *nobody\n",
        rf"{FILE}:5:8: the alias \*nobody has no anchor before it\. Write the value out\.",
    ),
    "a list as a key": ("[a, b]: c\n", rf"{FILE}:1:1: a key is a word, not a list, a mapping or an alias\..*"),
    "alias bomb": (
        "x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n"
        + "".join(f"x{n + 1}: &x{n + 1} [{', '.join([f'*x{n}'] * 10)}]\n" for n in range(9)),
        rf"{FILE}:\d+:\d+: more than 100,000 values, aliases counted\. Write it without the aliases\.",
    ),
}


@pytest.mark.parametrize("kind", IN_A_PRINCIPLE)
def test_a_mistake_in_a_principle(kind):
    """A mistake in a principle's file has its place, says what is wrong and, where that is known, what to write."""
    text, expected = IN_A_PRINCIPLE[kind]
    files = {"constitution.yaml": MAIN, FILE: text}
    first = mistakes(files)[0]
    assert re.fullmatch(expected, first), first


ONCE = [kind for kind in IN_A_PRINCIPLE if kind not in {"python object", "alias without an anchor", "a list as a key"}]


@pytest.mark.parametrize("kind", ONCE)
def test_a_mistake_is_told_once(kind):
    """One mistake gives one message."""
    assert len(mistakes({"constitution.yaml": MAIN, FILE: IN_A_PRINCIPLE[kind][0]})) == 1


IN_THE_MAIN_FILE = {
    "unknown principle in disable": (
        LISTED + "disable:\n- a-onne\n",
        r"c\.yaml:9:3: no principle 'a-onne' to disable\. Did you mean 'a-one'\?",
    ),
    "missing parent, near": (
        LISTED + "extends: ./nowhere\n",
        r"c\.yaml:8:10: './nowhere': no such constitution\.(?!.*\./\./).*",
    ),
    "extends itself": (
        LISTED + "extends: ./c.yaml\n",
        r"c\.yaml:8:10: extends itself: c\.yaml -> c\.yaml\. Remove one of the `extends`\.",
    ),
    "duplicate ids": (
        LISTED + "- id: a-one\n  title: t\n  severity: low\n  rule: r\n",
        r"c\.yaml:8:7: the id 'a-one' already stands in c\.yaml:4\. Give one of them another id\.",
    ),
    "no principles": (MAIN, r"c\.yaml:1:1: the constitution has no principles\. Put principles in .*"),
    "unknown setting": (
        LISTED + "settings:\n  max_revision: 1\n",
        r"c\.yaml:9:3: unknown key 'max_revision'\. Did you mean 'max_revisions'\?",
    ),
    "a loop that ends open": (
        LISTED + "settings: {exhausted: [append]}\n",
        r"c\.yaml:8:11: `exhausted` names each rung once and ends with `block`\.",
    ),
    "undefined variable in the fallback": (
        LISTED + "variables: {company: x}\nfallback: Ask {{ compny }}.\n",
        r"c\.yaml:9:11: 'compny' is undefined\. The variables are: company\.",
    ),
    "only_if, near": (
        LISTED + "  only_if: {licenced: true}\nvariables: {licensed: true}\n",
        r"c\.yaml:8:13: no variable 'licenced'\. Did you mean 'licensed'\?",
    ),
    "a variable that is no scalar": (LISTED + "variables: {company: [a]}\n", r"c\.yaml:8:22: .+"),
    "a version without quotes": (
        LISTED.replace('"1"', "1.10"),
        r'c\.yaml:2:10: this must be text, not a number\. Put it in quotes: "1\.10"\.',
    ),
}


@pytest.mark.parametrize("kind", IN_THE_MAIN_FILE)
def test_a_mistake_in_the_main_file(kind):
    """A mistake in the main file has its place, says what is wrong and what to write, once."""
    text, expected = IN_THE_MAIN_FILE[kind]
    (only,) = mistakes({"c.yaml": text}, "c.yaml")
    assert re.fullmatch(expected, only), only


def test_a_circle():
    """Constitutions that extend each other are told where, and by which way."""
    files = {
        "a/constitution.yaml": f"{MAIN}extends: ../b\n",
        "b/constitution.yaml": f"{MAIN}extends: [../c]\n",
        "c/constitution.yaml": f"{MAIN}extends: ../a\n",
    }
    (only,) = mistakes(files, "a")
    assert re.fullmatch(
        r".*c/constitution\.yaml:3:10: extends itself: a -> b -> c -> a\. Remove one of the `extends`\.", only
    ), only


def test_the_same_id_in_two_files():
    """An id that stands in two files is told, with the other place."""
    files = {"constitution.yaml": f"{MAIN}principles:\n- {{id: a-one, title: t, severity: low, rule: r}}\n", FILE: RULE}
    assert mistakes(files) == [
        f"{FILE}:1:5: the id 'a-one' already stands in constitution.yaml:4. Give one of them another id."
    ]


def test_an_empty_folder():
    """A folder without constitution.yaml is told what belongs into it."""
    (only,) = mistakes({"notes.txt": ""})
    assert re.fullmatch(r"\.: there is no constitution\.yaml in this folder\. A constitution is a folder with .*", only)


def test_a_file_that_would_not_be_read():
    """A principle in a .yml file is told apart, instead of being left out in silence."""
    files = {"constitution.yaml": MAIN, FILE: RULE, "principles/b-two.yml": RULE}
    assert mistakes(files) == ["principles/b-two.yml: this file would not be read. Name it .yaml."]


@pytest.mark.parametrize(
    "name",
    ["fiance", "./nowhere", "nowhere/at/all.yaml", "", "x" * 5000, "a\0b", "\ud800", "~", "http://example.com/c.yaml"],
)
def test_no_such_constitution(name, tmp_path, monkeypatch):
    """Whatever is no constitution is a ConstitutionError, that says how a path is given."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConstitutionError, match=r"no such constitution\. .*path|there is no constitution\.yaml"):
        Constitution.load(name)


def test_a_misspelt_shipped_name():
    """A name near a shipped one is told which."""
    with pytest.raises(ConstitutionError, match=r"^finnance: no such constitution\. Did you mean 'finance'\?"):
        Constitution.load("finnance")


def test_a_file_of_50_megabytes(tmp_path):
    """A file beyond the limit is refused without being read whole."""
    import tracemalloc

    path = write(tmp_path / "big.yaml", LISTED)
    with path.open("r+b") as file:
        file.truncate(50 << 20)
    tracemalloc.start()
    try:
        with pytest.raises(
            ConstitutionError, match=r"big\.yaml: the file is larger than 1,000,000 bytes\. Put each principle"
        ):
            Constitution.load(path)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_a_tag_runs_nothing(tmp_path):
    """A tag that would run Python is refused, and nothing runs."""
    ran = tmp_path / "ran"
    text = f"{RULE}owner: !!python/object/apply:os.mkdir ['{ran}']\n"
    assert "!!python/object/apply:os.mkdir is not allowed" in mistake_text({"constitution.yaml": MAIN, FILE: text})
    assert not ran.exists()


def mistake_text(files):
    return "\n".join(mistakes(files))


def test_all_mistakes_of_all_files_at_once():
    """Every mistake of every file stands in one error, once; those of one file stand together, dead references last."""
    files = {
        "constitution.yaml": MAIN + "extends: ./parent\nsettingz: {}\nversions: 1\n",
        "principles/a-one.yaml": RULE.replace("high", "hi") + "zzz: 1\nowner: 42\nowner: x\n",
        "principles/b-two.yaml": "id: b-two\ntitle: [\n",
        "principles/c-three.yaml": RULE,
        "principles/d-four.yaml": "",
    }
    places = [re.match(r"([\w/.-]+:\d+):\d+: ", problem)[1] for problem in mistakes(files)]
    assert places == [
        "constitution.yaml:4",
        "constitution.yaml:5",
        "principles/a-one.yaml:7",
        "principles/a-one.yaml:3",
        "principles/a-one.yaml:5",
        "principles/a-one.yaml:6",
        "principles/b-two.yaml:3",
        "principles/c-three.yaml:1",
        "principles/d-four.yaml:1",
        "constitution.yaml:3",
    ]


def test_mistakes_of_form_and_of_meaning_at_once():
    """A dead reference, an unknown variable and an unknown key are told in one go, not one a run."""
    main = LISTED + "  rulee: x\n"
    main += "- {id: b-two, title: t, severity: low, rule: r, only_if: {nobody: true}}\n"
    main += "- {id: c-three, title: t, severity: low, rule: '{{ who }}'}\n" * 2
    main += "disable: [d-four]\n"
    told = "\n".join(mistakes({"c.yaml": main}, "c.yaml"))
    assert "unknown key 'rulee'" in told
    assert "already stands in" in told
    assert "no principle 'd-four' to disable" in told
    assert "no variable 'nobody'" in told
    assert "'who' is undefined" in told


def test_mistakes_of_a_parent_are_told_too():
    """A parent's mistakes stand beside the child's own, each in its file."""
    files = {
        "constitution.yaml": f"{MAIN}extends: ./parent.yaml\n",
        FILE: RULE + "zzz: 1\n",
        "parent.yaml": LISTED + "yyy: 1\n",
    }
    assert [problem.partition(":")[0] for problem in mistakes(files)] == [FILE, "parent.yaml"]


def test_an_error_survives_its_pickle():
    """The error can be sent to another process, problems and all."""
    import pickle

    with folder({"c.yaml": MAIN}) as path, pytest.raises(ConstitutionError) as caught:
        Constitution.load(path / "c.yaml")
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.problems) == (str(caught.value), caught.value.problems)


# Whatever the bytes


SEEDS = [
    LISTED.encode(),
    yaml.safe_dump(
        {
            "name": "acme",
            "version": "2",
            "variables": {"company": "Acme"},
            "fallback": {"en": "Ask {{ company }}."},
            "settings": {"exhausted": ["append", "block"]},
            "principles": [
                principle("a-one", only_if={"company": "Acme"}, examples=[{"violates": "x"}], effective="2026-11-23"),
                principle("b-two", checks=[{"pattern": "a|b", "unless": {"before": ["no"]}, "fix": {"delete": True}}]),
            ],
        }
    ).encode(),
]
SNIPPETS = [
    b"\t",
    b"- ",
    b": ",
    b"\n",
    b"&a ",
    b"*a",
    b"!!python/name:x ",
    b"{",
    b"]",
    b"'",
    b'"',
    b"|",
    b">",
    b"---\n",
    b"%YAML 9\n",
    b"\x00",
    b"\xff",
]
SNIPPETS += [
    b"{{ x }}",
    b"{% for %}",
    b"(?=",
    b"extends: .\n",
    b"<<: ",
    b"? ",
    b"~",
    b"1e999",
    b"[" * 50,
    b"0o9",
    b"\xe3\x81",
    b"\xef\xbb\xbf",
    b"#",
    b"true",
]


@st.composite
def mutated(draw):
    """A good file's bytes with some of them cut out, doubled or replaced."""
    raw = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.integers(0, 12)))
        new = draw(
            st.one_of(st.sampled_from(SNIPPETS), st.binary(max_size=4), st.just(raw[start:end] * 2), st.just(b""))
        )
        raw = raw[:start] + new + raw[end:]
    return raw


@given(st.one_of(mutated(), st.binary(max_size=40)))
def test_no_bytes_raise_anything_else(raw):
    """Whatever a file holds, loading it gives a constitution or a ConstitutionError with places in that file."""
    with folder({"c.yaml": raw}) as path:
        try:
            made, told = Constitution.load(path / "c.yaml"), ()
        except ConstitutionError as error:
            made, told = None, error.problems
        assert bool(told) != bool(made and made.principles and made.digest)
        lines = sum(map(raw.count, (b"\n", b"\r", b"\xe2\x80", b"\xc2\x85"))) + 2
        for problem in told:
            assert problem.file.startswith(str(path))
            assert 0 <= problem.line <= lines
            assert problem.message
