"""Hostile constitutions: whatever is read, it loads, or a ConstitutionError says what is wrong and where.

`benchmarks/fuzz.py` does the same with a million inputs and measures the time of each.
"""

import importlib.util
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import folder

from guardrails import patterns
from guardrails.constitution import Constitution
from guardrails.errors import ConstitutionError, Problem

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
HEAD = 'name: a\nversion: "1"\n'
RULE = "principles:\n- id: a-one\n  title: t\n  severity: high\n  rule: r\n"


def script(name):
    """A script of the benchmarks, as a module."""
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


INPUTS = script("fuzz_inputs")
script("fuzz_amplified")
FUZZ = script("fuzz")
SEEDS = [seed for seed in INPUTS.seeds() if len(seed[1]) < 4_000]


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """Where inputs are loaded, with hostile neighbours."""
    handler = signal.getsignal(signal.SIGALRM)
    yield FUZZ.Trial(tmp_path_factory.mktemp("fuzz"), tmp_path_factory.mktemp("kept"))
    signal.signal(signal.SIGALRM, handler)


def survives(trial, raw, place):
    trial.failures.clear()
    trial.run("a test", raw, place)
    # How long it took is for the benchmark, which has the machine's processor to itself.
    assert [failure for failure in trial.failures if " took " not in failure] == []


@settings(max_examples=150)
@given(seed=st.sampled_from(SEEDS), rng=st.randoms(use_true_random=False))
def test_a_mutated_file_loads_or_is_refused(trial, seed, rng):
    """Bytes, tokens and lines may be anything: only a ConstitutionError comes out."""
    place, raw = seed
    survives(trial, INPUTS.mutated(raw, rng), place)


@settings(max_examples=150)
@given(one=INPUTS.shaped())
def test_data_of_a_wrong_kind_loads_or_is_refused(trial, one):
    """Any part of a file may be of a wrong kind: only a ConstitutionError comes out."""
    survives(trial, *one)


@pytest.mark.parametrize("place", range(3))
def test_the_seeds_of_the_fuzzing_load(trial, place):
    """What is mutated is in order, or the fuzzing would only look at the first mistake."""
    trial.outcomes.clear()
    for raw in {raw for at, raw in SEEDS if at == place}:
        survives(trial, raw, place)
    assert set(trial.outcomes) == {"loaded"}


def refused(text, **files):
    """The problems of a constitution in one file."""
    with folder({"c.yaml": text, **files}) as path, pytest.raises(ConstitutionError) as caught:
        Constitution.load(path / "c.yaml")
    return caught.value.problems


TEMPLATES = {
    "nested beyond what Python takes": ("{% if a %}" * 101 + "x" + "{% endif %}" * 101 + " " * 2000, "fails"),
    "an operator over and over": ("{{ " + "not " * 300 + "a }}", "301 parts"),
    "a filter over and over": ("{{ a" + "|trim" * 300 + " }}", "301 parts"),
    "an assignment, which can double": ("{% set b = a ~ a %}{% set b = b ~ b %}", "no loops"),
    "an assignment in a block": ("{% with b = a %}{{ b ~ b }}{% endwith %}", "no loops"),
    "another template": ("{% extends 'a' %}", "no loops"),
    "a filter that multiplies": ("{{ a|join(a)|join(a) }}", "No filter named 'join'"),
    "half of a character": (r"{{ '\ud800' }}", "half of a character"),
}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_template_that_grows_or_nests_is_refused(kind):
    """A template cannot take long, grow without end, or leave text that no file can hold."""
    template, message = TEMPLATES[kind]
    (problem,) = refused(f"{HEAD}{RULE}variables: {{a: xyz}}\nfacts: [{json.dumps(template)}]\n")
    assert message in problem.message


MANY = {
    "unknown keys": "".join(f"k{n}: 1\n" for n in range(2_000)),
    "values of a wrong kind": f"disable: {list(range(2_000))}\n",
    "unknown ids": f"disable: [{', '.join(f'd{n}' for n in range(2_000))}]\n",
    "languages that are none": f"title: {{{', '.join(f'l{n}: 1' for n in range(2_000))}}}\n",
    "parents that are not there": f"disable: {list(range(499))}\nextends: [a, b, c]\n",
}


@pytest.mark.parametrize("kind", MANY)
def test_after_500_mistakes_no_more_are_looked_for(kind):
    """Each mistake takes time, and the time must not grow with the square of their number."""
    assert len(refused(HEAD + RULE + MANY[kind])) <= 500


def test_unknown_words_beside_many_known_ones_are_refused():
    """What stands nearby is looked for among the likely ones only, and a word of any length is no trouble."""
    known = ", ".join(f"v{n}: 1" for n in range(3_000))
    unknown = ", ".join(f"w{n}: 1" for n in range(400))
    problems = refused(f"{HEAD}variables: {{{known}}}\n{RULE}  only_if: {{{unknown}, v2999x: 1, {'x' * 900}: 1}}\n")
    assert len(problems) == 402
    assert "Did you mean 'v2999'?" in {problem.advice for problem in problems}


def test_what_aliases_repeat_is_counted_in_characters():
    """A long text behind an alias is as long each time: 1,000 of them make a gigabyte of a small file."""
    (problem,) = refused(f"{HEAD}title: &a {'x' * 19_000}\nfacts: [{', '.join(['*a '] * 1_000)}]\n{RULE}")
    assert "characters, aliases counted" in problem.message


def test_more_templates_than_a_file_needs_are_refused():
    """Compiling a template takes half a millisecond; a file of nothing else would take seconds."""
    (problem,) = refused(
        f"{HEAD}variables: {{a: 1}}\nfacts: [{', '.join(['{{a}}'.join(2 * chr(39))] * 2_000)}]\n{RULE}"
    )
    assert "templates, aliases counted" in problem.message


def test_a_number_beyond_all_numbers_is_refused():
    """JSON has no infinity: the content that the digest is taken over could not be read again."""
    (problem,) = refused(f"{HEAD}{RULE}variables: {{limit: 1e999}}\n")
    assert (problem.line, problem.column) == (8, 20)
    assert problem.message == "the number is too large."


def test_a_long_text_is_no_variable():
    """Each use of a variable repeats it."""
    (problem,) = refused(f"{HEAD}{RULE}variables: {{a: {'x' * 2_001}}}\n")
    assert problem.message == "the variable has 2,001 characters; 2,000 at most."


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "title: !<tag:%0Aq> x\n" + RULE,
        HEAD + RULE + '  checks:\n  - pattern: "(\\n"\n',
        HEAD + RULE + 'extends: ["a\\nb"]\n',
        HEAD + RULE + '"a\\nb": 1\n',
    ],
)
def test_a_message_is_one_line(text):
    """A report has a line for each mistake, whatever the file's own texts hold."""
    for problem in refused(text):
        assert len(str(problem).splitlines()) == 1


def test_the_parts_of_a_problem_keep_their_spaces():
    """Only line ends go."""
    assert Problem("f", 1, 2, "a  b\n\tc", "d\r\ne") == Problem("f", 1, 2, "a  b \tc", "d e")


def test_a_tag_that_is_no_text_is_refused():
    """The %-escapes of a tag may be bytes that no text has."""
    (problem,) = refused(HEAD + "title: !<%ED%A0%80> x\n" + RULE)
    assert problem.message == "not YAML: a tag that is no text."


def test_a_control_character_is_found_behind_other_letters():
    """The column counts characters, not bytes."""
    (problem,) = refused(f"{HEAD}title: 日本語\x01\n{RULE}")
    assert (problem.line, problem.column) == (3, 11)


LARGE = {
    "one that is too large": ([r"\pL{999}"], "the pattern is too large."),
    "many that are large": ([f".{{999}}a{n}" for n in range(500)], "too large together"),
    "many Unicode classes": ([rf"[{chr(92)}PL{chr(92)}PN{chr(92)}PS]{n}" for n in range(1_500)], "too large together"),
}


@pytest.mark.parametrize("kind", LARGE)
def test_patterns_that_are_too_large_are_refused(kind):
    """A few characters can make a program of a million instructions."""
    expressions, message = LARGE[kind]
    problems = refused(f"{HEAD}{RULE}  checks:\n  - pattern: {json.dumps(expressions)}\n")
    assert message in problems[-1].message


def test_a_cached_pattern_counts_like_a_new_one():
    """Whether a constitution loads does not depend on what the process did before."""
    first, again = patterns.Effort(), patterns.Effort()
    for effort in (first, again):
        effort.compile("only here, .{40} and once")
        effort.compile("only here, .{40} and once")
    assert first.spent == again.spent > 300


def test_a_large_constitution_may_have_many_patterns():
    """What patterns may cost grows with the files: 300 principles are no attack."""
    effort = patterns.Effort()
    effort.spent = patterns.MAX_EFFORT + 1
    with pytest.raises(patterns.PatternError, match="too many or too large together"):
        effort.compile("guarantee")
    effort.read(1_000)
    effort.compile("guarantee")


def test_a_parent_that_is_no_file_is_refused(tmp_path):
    """A pipe would be waited for, and a device never ends."""
    os.mkfifo(tmp_path / "pipe.yaml")
    main = tmp_path / "c.yaml"
    main.write_text(f"{HEAD}extends: [pipe.yaml, /dev/zero, /proc/self/mem]\n{RULE}")
    with pytest.raises(ConstitutionError) as caught:
        Constitution.load(main)
    assert [problem.message for problem in caught.value.problems[:2]] == ["cannot be read: it is no file."] * 2


def test_a_principle_that_is_no_file_is_refused(tmp_path):
    """Nor is a pipe among the principles waited for."""
    (tmp_path / "principles").mkdir()
    os.mkfifo(tmp_path / "principles" / "a-one.yaml")
    (tmp_path / "constitution.yaml").write_text(HEAD)
    with pytest.raises(ConstitutionError, match=r"a-one\.yaml: cannot be read: it is no file\."):
        Constitution.load(tmp_path)


@pytest.mark.parametrize("closed", ["acme", "acme/principles"])
def test_a_folder_that_may_not_be_read_is_refused(closed):
    """What is in it is not passed over: its principles would be missing, and nobody would know."""
    with folder({"acme/constitution.yaml": HEAD + RULE, "acme/principles/b.yaml": "id: b"}) as path:
        path.chmod(0o755)
        (path / closed).chmod(0)
        user = os.geteuid()
        os.seteuid(user or 65_534)  # nobody: root may read everything
        try:
            with pytest.raises(ConstitutionError, match="cannot be read: Permission denied"):
                Constitution.load(path / "acme")
        finally:
            os.seteuid(user)
            (path / closed).chmod(0o755)


def test_a_folder_at_the_end_of_a_long_path_is_read(tmp_path):
    """What is reached by a path of thousands of characters has files that no path of that length can name."""
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "constitution.yaml").write_text(HEAD + RULE)
    around = "../" + tmp_path.name + "/"
    length = (4_090 - len(str(tmp_path))) // len(around)
    (tmp_path / "c.yaml").write_text(f"{HEAD}extends: ['{around * length}b']\n")
    assert set(Constitution.load(tmp_path / "c.yaml").by_id) == {"a-one"}


def test_a_parent_is_read_once(tmp_path):
    """Each level names the next one twice: read anew each time, twenty levels would be a million files."""
    for level in range(19):
        (tmp_path / f"{level}.yaml").write_text(f"{HEAD}extends: [{level + 1}.yaml, ./{level + 1}.yaml]\n")
    (tmp_path / "19.yaml").write_text(HEAD + RULE.replace("severity", "severty"))
    with pytest.raises(ConstitutionError) as caught:
        Constitution.load(tmp_path / "0.yaml")
    assert len({str(problem) for problem in caught.value.problems}) == len(caught.value.problems)


def test_parents_stand_at_most_20_deep(tmp_path):
    """A chain of a thousand would end the process's stack."""
    for level in range(1_000):
        (tmp_path / f"{level}.yaml").write_text(f"{HEAD}extends: {level + 1}.yaml\n")
    with pytest.raises(ConstitutionError, match="extends more than 20 deep"):
        Constitution.load(tmp_path / "0.yaml")


def test_parents_are_a_hundred_at_most():
    """Looking for each takes time, the same one again too."""
    assert refused(f"{HEAD}{RULE}extends: [{', '.join(['d.yaml'] * 101)}]\n", **{"d.yaml": HEAD + RULE})[0].message == (
        "extends 101 constitutions; 100 at most."
    )
