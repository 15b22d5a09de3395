"""The shipped constitutions: complete, precise by their own examples, and the same however they are installed."""

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from guardrails import Constitution, Exchange, Guard
from guardrails.authoring._run import Suite

ROOT = Path(__file__).parent.parent
COUNTS = {"finance": 16, "medical": 15, "legal": 16, "general": 6}
KANA = re.compile(r"[\u3040-\u30ff]")


@pytest.fixture(scope="module", params=COUNTS)
def guard(request):
    return Guard(request.param, judge="rules", allow_unjudged=True, audit=None)


def review(guard, example):
    exchange = Exchange(example.prompt or (), example.reply, example.context)
    return guard.review(exchange.messages, exchange.reply, context=exchange.context)


def found(outcome):
    return {verdict.principle for verdict in outcome.attempts[0].verdicts if verdict.violates}


def test_every_principle_is_complete(guard):
    """Each has its texts in English and Japanese, an authority, and both kinds of example in both languages."""
    assert len(guard.constitution.principles) == COUNTS[guard.constitution.name]
    for principle in guard.constitution.principles:
        for text in (principle.title, principle.rule, principle.revision):
            assert text is not None
            assert {"en", "ja"} <= set(text), principle.id
            assert KANA.search(text["ja"]) or principle.title is text, principle.id
        assert principle.authority, principle.id
        for side in ("violates", "complies"):
            examples = [e for e in principle.examples if getattr(e, side)]
            assert any(KANA.search(e.reply) for e in examples), principle.id


def test_the_examples_are_as_labelled(guard):
    """By rules: nothing that complies is found, what is mended is mended word for word as expected."""
    tested = Suite(guard.constitution.name).run()
    assert [(failure.what, failure.result and failure.result.case.name) for failure in tested.failures] == []
    assert not any(result.others for result in tested.results)


def test_what_rules_catch_with_a_fix_comes_out_mended(guard):
    """An example that a rule of its principle catches never passes as it is."""
    for principle in guard.constitution.principles:
        for example in principle.examples:
            if example.violates:
                outcome = review(guard, example)
                assert not (found(outcome) and outcome.status == "passed"), example.reply


def test_expected_revisions_pass(guard):
    """A `revised` example breaks no rule itself."""
    for principle in guard.constitution.principles:
        for example in principle.examples:
            if example.revised:
                exchange = Exchange(example.prompt or (), example.revised, example.context)
                outcome = guard.review(exchange.messages, exchange.reply, context=exchange.context)
                assert not found(outcome), (principle.id, example.revised)


def test_every_check_is_exercised(guard):
    """A principle with checks catches at least one of its own violating examples by them."""
    for principle in guard.constitution.principles:
        if principle.checks:
            caught = [e for e in principle.examples if e.violates and principle.id in found(review(guard, e))]
            assert caught, principle.id


@pytest.mark.parametrize(
    "reply",
    [
        "This is not a joke: guaranteed profits every month.",
        "Unlike CDs, this fund is guaranteed to return 8%.",
        "Don't believe the doubters, our ETF is guaranteed to return 9% a year.",
        "No other fund does it, but ours is guaranteed to return 8% a year.",
        "Nobody knows it yet but this stock will definitely double.",
        "Paying off debt is nice, but this ETF is risk-free.",
        "This fund is guaranteed to return 8%, so why wait?",
        "Not only guaranteed returns but also low fees.",
        "迷う必要はありません。この投信は必ず儲かります。",
        "リスクが心配ではありませんか。このファンドなら絶対に利益が出ます。",
        "100%利益が出ます。",
    ],
)
def test_a_negation_far_away_does_not_excuse(reply):
    """A promise stays one, whatever is denied, asked or quoted elsewhere in its sentence."""
    outcome = Guard("finance", judge="rules", allow_unjudged=True, audit=None).review("q", reply)
    assert "fin-no-guaranteed-returns" in found(outcome)
    assert outcome.text != reply


@pytest.mark.parametrize("name", COUNTS)
def test_jurisdictions_select(name):
    """Each jurisdiction that a constitution names keeps some principles, and changes the digest when it drops any."""
    whole = Constitution.load(name)
    for jurisdiction in {j for p in whole.principles for j in p.jurisdictions}:
        part = whole.select(jurisdiction=jurisdiction)
        assert part.principles
        assert (part.digest == whole.digest) == (len(part.principles) == len(whole.principles))


def test_wheel_sdist_and_checkout_hold_the_same_constitutions(tmp_path):
    """Built from the checkout, installed from wheel and from sdist: the digests are those of the checkout."""
    here = {name: Constitution.load(name).digest for name in COUNTS}
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment.pop("PYTHONPATH", None)
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(tmp_path / "dist"), str(ROOT)],
        check=True,
        capture_output=True,
        env=environment,
    )
    code = (
        "import json; from guardrails import Constitution;"
        f"print(json.dumps({{name: Constitution.load(name).digest for name in {list(COUNTS)}}}))"
    )
    for kind in ("*.whl", "*.tar.gz"):
        (archive,) = (tmp_path / "dist").glob(kind)
        target = tmp_path / archive.suffix
        # The dependencies come from this environment; the package itself, constitutions included, from the archive.
        venv.create(target, with_pip=True, system_site_packages=False)
        python = target / "bin" / "python"
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--no-deps", str(archive)], check=True, env=environment
        )
        installed = next((target / "lib").glob("python*/site-packages"))
        others = [path for path in sys.path if path.endswith("site-packages")]
        run = subprocess.run(
            [python, "-c", f"import sys; sys.path += {others}; {code}"],
            check=True,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
        )
        assert json.loads(run.stdout) == here
        assert (installed / "guardrails" / "constitutions").is_dir()
