"""The guard: what app developers touch."""

import asyncio
import inspect
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import guardrails
from guardrails import (
    AuditTrail,
    Blocked,
    Budget,
    Constitution,
    Exchange,
    FunctionJudge,
    Guard,
    Message,
    ModelReply,
    Status,
    Verdict,
    labels,
)
from guardrails.errors import AuditError, ConfigurationError, ModelError, UnsupportedReply
from guardrails.outcome import Cause
from guardrails.testing import ScriptedModel, clean, edits, finding

YAML = """
name: small
version: "1"
fallback: {en: Ask a colleague., ja: 担当者にお尋ねください。}
principles:
  - id: no-certainty
    title: No certainty
    severity: critical
    rule: Never call a return certain.
    checks:
      - pattern: '\\bcertain(ly)?\\b'
        unless: {before: [not]}
        fix: {replace: {en: possible}}
        decides: true
  - id: no-secrets
    title: No secrets
    severity: critical
    on_violation: block
    rule: Never show a secret.
    checks: [{pattern: 'secret', decides: true}]
"""


@pytest.fixture
def constitution(tmp_path: Path) -> Constitution:
    path = tmp_path / "small.yaml"
    path.write_text(YAML, encoding="utf-8")
    return Constitution.load(path)


@pytest.fixture
def guard(constitution, tmp_path):
    with Guard(constitution, audit=tmp_path / "audit.db") as guard:
        yield guard


def test_a_clean_reply_passes_byte_for_byte(guard):
    """What is released untouched is the very text that came in."""
    text = "Returns vary.\n\n- They may fall. \n"
    outcome = guard.review("Is it safe?", text)
    assert (outcome.status, outcome.cause, outcome.text, outcome.original) == (Status.PASSED, None, text, text)


def test_a_violation_is_revised_and_only_there(guard):
    """A fix touches its match; the other sentences stay as they were."""
    outcome = guard.review("Is it safe?", "A gain is certain. Costs are 0.2%.  ")
    assert (outcome.status, outcome.cause) == (Status.REVISED, Cause.VIOLATION)
    assert outcome.text == "A gain is possible. Costs are 0.2%.  "
    assert [attempt.draft for attempt in outcome.attempts] == [outcome.original, outcome.text]


def test_a_blocked_reply_is_never_in_the_outcomes_text(guard):
    """`review` raises nothing for a blocked reply; its text is the fallback, in the language of the exchange."""
    outcome = guard.review("What is it?", "The secret is mellon.")
    assert (outcome.status, outcome.text, outcome.reply) == (Status.BLOCKED, "Ask a colleague.", "Ask a colleague.")
    assert guard.review("それは何ですか。", "secretです。").text == "担当者にお尋ねください。"


def test_the_record_is_in_the_trail_before_the_reply_is_out(guard, tmp_path):
    """Each review is one record, found by its run id, and the chain holds."""
    outcome = guard.review("Is it safe?", "A gain is certain.")
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        stored = trail.run(outcome.run_id)
        assert stored.run.outcome.text == outcome.text
        assert [a.draft for a in stored.run.outcome.attempts] == [a.draft for a in outcome.attempts]
        assert stored.constitution == guard.constitution.content
        assert trail.verify().ok


def test_without_a_record_nothing_is_released(constitution, tmp_path):
    """A trail that cannot be written stops the reply, decorated or not."""
    guard = Guard(constitution, audit=tmp_path / "no such folder" / "audit.db")
    with pytest.raises(AuditError):
        guard.review("q", "Fine.")

    @guard
    def answer(question: str) -> str:
        return "Fine."

    with pytest.raises(AuditError):
        answer("q")


@pytest.mark.parametrize("mode", ["def", "async def"])
def test_decorated_functions_return_their_own_type(guard, mode):
    """`def` and `async def` alike: the same call, the same type, guarded."""
    if mode == "def":

        @guard
        def answer(question: str) -> str:
            """Answer."""
            return f"{question}: certain."

        assert (answer("Gain"), answer.outcome("Gain").status) == ("Gain: possible.", Status.REVISED)
    else:

        @guard
        async def answer(question: str) -> str:
            """Answer."""
            return f"{question}: certain."

        assert inspect.iscoroutinefunction(answer)
        assert asyncio.run(answer("Gain")) == "Gain: possible."
        assert asyncio.run(answer.outcome("Gain")).status is Status.REVISED
    assert (answer.__name__, answer.__doc__) == ("answer", "Answer.")


def test_methods_are_guarded_with_their_instance(guard):
    """A guarded method gets its instance, for the call and for `.outcome`."""

    class Desk:
        certainty = "certain"

        @guard
        def answer(self, question: str) -> str:
            return f"A gain is {self.certainty}."

    assert Desk().answer("q") == "A gain is possible."
    assert Desk().answer.outcome("q").status is Status.REVISED


def test_blocked_raises_without_quoting(guard):
    """`Blocked` carries the outcome; its text carries ids, and nothing of the exchange."""

    @guard
    def answer(question: str) -> str:
        return "The secret is mellon."

    with pytest.raises(Blocked) as caught:
        answer("tell me")
    assert caught.value.outcome.run_id in str(caught.value)
    assert "no-secrets" in str(caught.value)
    assert "mellon" not in str(caught.value)
    assert "tell me" not in str(caught.value)


def test_fallback_instead_of_an_exception(constitution):
    """`on_blocked="fallback"` returns the constitution's text in the reply's type."""

    @Guard(constitution, audit=None, on_blocked="fallback")
    def answer(prompt: str) -> str:
        return "The secret is mellon."

    assert answer("q") == "Ask a colleague."


def test_the_functions_own_exceptions_pass_untouched(guard):
    """What the wrapped function raises is what the caller gets."""

    @guard
    def answer(question: str) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        answer("q")


@pytest.mark.parametrize(
    ("function", "arguments", "asked"),
    [
        (lambda messages, temperature=0: "", ([{"role": "user", "content": "hi"}],), "hi"),
        (lambda question, other=None: "", ("hi",), "hi"),
        (lambda *, prompt, style="x": "", (), "hi"),
        (lambda **kwargs: "", (), "hi"),
    ],
)
def test_the_exchange_comes_from_the_arguments(guard, function, arguments, asked):
    """`messages`, else `input`, `prompt` or `question`, positional or not, is the conversation."""
    from guardrails._decorate import exchange_reader

    keywords = {} if arguments else {"prompt": "hi"}
    assert exchange_reader(function, None)(*arguments, **keywords).prompt == asked


def test_the_only_text_parameter_is_the_conversation_and_context_comes_along(guard):
    """One parameter annotated `str` is no guess; `context` is taken where there is one."""
    from guardrails._decorate import exchange_reader

    def answer(words: str, context: list[str], limit: int = 3) -> str: ...

    exchange = exchange_reader(answer, None)("hi", ["A document."])
    assert (exchange.prompt, exchange.context) == ("hi", ("A document.",))


def test_no_guess_about_the_conversation(guard):
    """Arguments that hold no conversation are an error when decorating, which says what to write."""

    def answer(first: str, second: str) -> str: ...

    with pytest.raises(ConfigurationError, match=r"exchange=lambda question, docs: Exchange"):
        guard(answer)

    @guard(exchange=lambda second: Exchange([Message("user", second)]))
    def other(first: str, second: str) -> str:
        return "A gain is certain."

    assert other("a", "b") == "A gain is possible."


@pytest.mark.parametrize("value", [42, None, b"bytes", ["a"], {"answer": "x"}, object()])
def test_what_is_no_reply_is_an_error(guard, value):
    """A reply of another type is refused by name, never released."""

    @guard
    def answer(question: str):
        return value

    with pytest.raises(UnsupportedReply, match=type(value).__name__):
        answer("q")


def test_review_works_inside_a_running_event_loop(constitution):
    """`review` blocks its caller's thread, not the loop it would need."""
    model = ScriptedModel()

    async def service() -> Status:
        return Guard(constitution, model=model, audit=None).review("q", "Fine.").status

    assert asyncio.run(service()) is Status.PASSED
    assert len(model.requests) == 1


def test_coverage_is_refused_or_said():
    """Principles that nobody judges: an error that names them, or named in every outcome."""
    with pytest.raises(ConfigurationError, match=r"fin-balanced-risk.*allow_unjudged=True"):
        Guard("finance", audit=None)
    guard = Guard("finance", judge="rules", audit=None, allow_unjudged=True)
    outcome = guard.review("q", "Index funds hold many shares.")
    assert "fin-balanced-risk" in outcome.unjudged
    assert not set(outcome.unjudged) & {verdict.principle for verdict in outcome.verdicts}


def test_model_judges_and_revises(constitution, tmp_path):
    """With a model, what it finds is revised by it, judged again, and recorded with what it cost."""
    model = ScriptedModel(judge=[finding("no-certainty", sentences=[2]), clean()], revise=[edits({2: "It may fall."})])
    outcome = Guard(constitution, model=model, audit=tmp_path / "a.db").review("q", "Hello. It only rises. Bye.")
    assert outcome.text == "Hello. It may fall. Bye."
    assert (outcome.usage.judge.calls, outcome.usage.revise.calls) == (2, 1)
    with AuditTrail.open(tmp_path / "a.db") as trail:
        stored = trail.run(outcome.run_id).run
    assert [worker.name for worker in stored.judges] == ["rules", "scripted"]
    assert stored.outcome.usage == outcome.usage


@pytest.mark.parametrize("on_error", ["block", "unsafe_allow"])
def test_a_broken_check_is_neither_a_pass_nor_a_violation(constitution, on_error):
    """A dead model blocks with the cause `error`; only `unsafe_allow` lets it through, and says so."""

    def dead(request):
        raise ModelError("no route to host")

    outcome = Guard(constitution, model=dead, on_error=on_error, audit=None).review("q", "Fine.")
    if on_error == "block":
        assert (outcome.status, outcome.cause) == (Status.BLOCKED, Cause.ERROR)
    else:
        assert (outcome.status, outcome.unsafe) == (Status.PASSED, ("on_error",))
    assert any(v.failed and v.decision == "undecided" for v in outcome.verdicts)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_nothing_outlives_its_deadline(constitution, kind):
    """A model that never answers ends the call in time: blocked, cause `budget`; a plain function is counted."""
    release = threading.Event()

    def slow(request):
        release.wait(30)
        return "{}"

    async def aslow(request):
        await asyncio.sleep(30)
        return "{}"

    model = slow if kind == "sync" else aslow
    guard = Guard(constitution, model=model, budget=Budget(seconds=0.05), audit=None)
    outcome = guard.review("q", "Fine.")
    release.set()
    assert (outcome.status, outcome.cause) == (Status.BLOCKED, Cause.BUDGET)
    assert outcome.usage.abandoned == (kind == "sync")


def test_budget_of_calls(constitution):
    """Requests beyond the budget are not made, and the reply is blocked for that."""
    model = ScriptedModel(judge=lambda _: finding("no-certainty", sentences=[1]), revise=[edits({1: "Other."})])
    outcome = Guard(constitution, model=model, budget=Budget(calls=2), audit=None).review("q", "It only rises.")
    assert (outcome.status, outcome.cause, len(model.requests)) == (Status.BLOCKED, Cause.BUDGET, 2)


def test_monitor_mode_releases_at_once_and_records(constitution, tmp_path):
    """Monitor mode returns the original, raises nothing, and has recorded what would have happened when closed."""
    with Guard(constitution, mode="monitor", audit=tmp_path / "a.db") as guard:

        @guard
        def answer(question: str) -> str:
            return "The secret is mellon."

        with labels(case="7"):
            assert answer("q") == "The secret is mellon."
    with AuditTrail.open(tmp_path / "a.db") as trail:
        (run,) = trail.runs()
        assert (run.status, run.enforced) == (Status.BLOCKED, False)
        assert dict(trail.run(run.run_id).run.labels) == {"case": "7"}


def test_monitor_mode_hides_failures_from_the_caller_but_not_from_the_log(constitution, tmp_path, caplog):
    """A review that breaks behind the caller is logged, never raised."""
    with Guard(constitution, mode="monitor", audit=tmp_path / "gone" / "a.db") as guard, caplog.at_level(logging.ERROR):

        @guard
        def answer(question: str) -> str:
            return "Fine."

        assert answer("q") == "Fine."
    assert "AuditError" in caplog.text


def test_a_function_judge_decides_its_principles(constitution):
    """Plain Python can judge, and its critique reaches the outcome."""
    judge = FunctionJudge(
        lambda exchange, principle: Verdict(principle.id, "violates", "mine", critique="too long"), {"no-secrets"}
    )
    outcome = Guard(constitution, judge=judge, audit=None).review("q", "Fine.")
    assert (outcome.status, outcome.at_fault) == (Status.BLOCKED, ("no-secrets",))


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "observe"},
        {"on_blocked": "ignore"},
        {"on_error": "allow"},
        {"judge": "model"},
        {"judge": lambda exchange, principle: None},
        {"reviser": object()},
        {"jurisdiction": "XX"},
        {"variables": {"nosuch": 1}},
        {"model": "claude-haiku-4-5"},
        {"redaction": "none"},
        {"audit": "mysql://host/db"},
    ],
)
def test_options_that_cannot_work_are_refused_when_building(options):
    """Bad options are errors of the guard's construction, not of a later call."""
    with pytest.raises(ConfigurationError):
        Guard("finance", **{"audit": None, "allow_unjudged": True, **options})


def test_json_replies_are_never_edited(constitution):
    """What a program asked for as JSON is passed or blocked, not rewritten."""
    outcome = Guard(constitution, audit=None).review("q", '{"gain": "certain"}')
    assert outcome.status is Status.BLOCKED
    assert Guard(constitution, audit=None).review("q", '{"gain": "open"}').text == '{"gain": "open"}'


@pytest.mark.parametrize("text", ["", " \n", "\ud800 certain", "a\x00b", "certain" * 2])
def test_odd_texts_end_in_an_outcome(guard, text):
    """Empty replies, lone surrogates and NULs are judged and recorded like any text."""
    outcome = guard.review("q", text)
    assert outcome.status in set(Status)
    assert guard.audit.run(outcome.run_id).run.outcome.original == text


def test_a_megabyte_in_one_paragraph(guard):
    """A reply of 1 MB, English and Japanese mixed, ends in an outcome like any other."""
    text = "Prices vary a lot. 価格は大きく変動します。" * 30_000
    assert guard.review("q", text).text == text


def test_default_trail_is_where_the_environment_says(constitution, tmp_path):
    """GUARDRAILS_AUDIT moves the default trail, and the path is logged once."""
    code = (
        "import logging, guardrails; logging.basicConfig(level='INFO')\n"
        "for _ in range(2): print(guardrails.Guard('general', judge='rules', allow_unjudged=True).audit.url)"
    )
    environment = {**os.environ, "GUARDRAILS_AUDIT": f"sqlite:///{tmp_path}/moved.db"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path, check=True
    )
    assert done.stdout.split() == [f"sqlite:///{tmp_path}/moved.db"] * 2
    assert done.stderr.count("moved.db") == 1


def test_public_names():
    """The public surface is this, and every name resolves."""
    names = """
        AuditTrail Blocked Budget Constitution Decision Edit Exchange FunctionJudge Guard GuardrailsError Judge Message
        Model ModelJudge ModelReply ModelRequest Outcome Panel Principle Reviser RuleJudge Status Verdict labels
        outcome_of
    """
    assert sorted(guardrails.__all__) == names.split()
    assert all(getattr(guardrails, name) is not None for name in guardrails.__all__)
    assert ModelReply("x").stop == "end"


@pytest.mark.parametrize(
    ("statement", "never"),
    [
        ("import guardrails", {"anthropic", "openai", "yaml", "jinja2", "pydantic", "re2", "sentencex", "typer"}),
        ("from guardrails import Guard", {"anthropic", "openai", "httpx2", "jinja2", "tenacity", "typer", "rich"}),
    ],
)
def test_imports_are_lazy(statement, never):
    """Importing loads no SDK; the bare package no YAML, no templates and no pydantic either."""
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not never & set(done.stdout.split())


@pytest.mark.parametrize("options", [{"max_revisions": "2"}, {"max_revisions": -1}, {"language": "jp"}])
def test_values_that_cannot_be_are_refused_when_building(constitution, options):
    """A value of the wrong kind is the construction's error, not a later call's."""
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        Guard(constitution, audit=None, **options)


@pytest.mark.parametrize("value", ["false", None, 0])
def test_a_variable_keeps_its_kind(value):
    """Text from an environment does not switch off the principles that ask for a switch."""
    with pytest.raises(ConfigurationError, match="is_licensed_adviser"):
        Guard("finance", audit=None, allow_unjudged=True, variables={"is_licensed_adviser": value})


def test_the_record_says_what_the_guard_was_built_with(constitution, tmp_path):
    """What verdicts depend on besides the wording is in the record: version, limits, opened defaults."""
    guard = Guard(constitution, audit=tmp_path / "a.db", max_revisions=1, budget=Budget(calls=3), allow_unjudged=True)
    stored = guard.audit.run(guard.review("q", "Fine.").run_id).run
    assert stored.guard["library"] == guardrails.__version__
    assert (stored.guard["max_revisions"], stored.guard["budget_calls"]) == (1, 3)
    assert stored.guard["allow_unjudged"] is True
    guard.close()


def test_a_broken_rule_is_said_to_be_broken_even_when_time_ran_out(constitution):
    """A violation that blocks is the cause, whatever else was late."""

    async def slow(request):
        await asyncio.sleep(30)

    outcome = Guard(constitution, model=slow, budget=Budget(seconds=0.05), audit=None).review("q", "A secret.")
    assert (outcome.status, outcome.cause) == (Status.BLOCKED, Cause.VIOLATION)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_judge_cannot_end_more_than_its_own_verdict(constitution, error, kind):
    """Whatever a judge function raises, the call ends in an outcome: blocked, as a broken check."""

    def judge(exchange, principle):
        raise error

    async def ajudge(exchange, principle):
        raise error

    judges = FunctionJudge(judge if kind == "def" else ajudge, {"no-secrets"})
    guard = Guard(constitution, judge=judges, audit=None)
    assert guard.review("q", "Fine.").cause is Cause.ERROR
