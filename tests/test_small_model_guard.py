"""A guard with a real model at the other end, one that rambles: whatever it says, every call ends cleanly."""

import asyncio
import inspect

import pytest

from guardrails import AuditTrail, Budget, Constitution, Guard, ModelJudge, Status
from guardrails.models import AnthropicModel, OpenAIModel
from guardrails.revisers import ModelReviser
from guardrails.testing import ScriptedModel, clean, edits, finding

REPLIES = [
    "This ETF is guaranteed to return 8% a year.",
    "Put 70% of your savings into VTI today.",
    "Index funds hold many shares, and their price can fall.",
    "この投資信託なら必ず年5%の利益が出ます。",
    "We will cover your losses.",
]
YAML = """
name: small
version: "1"
settings: {max_revisions: 1}
principles:
  - {id: no-certainty, title: No certainty, severity: high, rule: Never present an uncertain return as certain.}
  - {id: no-advice, title: No advice, severity: high, rule: Never tell a user what to buy or sell.}
"""


@pytest.fixture
def constitution(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(YAML, encoding="utf-8")
    return Constitution.load(path)


def run_ten(constitution, model, audit):
    """Five calls in turn and five at once, sync and async: their outcomes."""
    judge, reviser = ModelJudge(model, max_tokens=40), ModelReviser(model, max_tokens=40)
    guard = Guard(constitution, judge=judge, reviser=reviser, audit=audit, budget=Budget(seconds=60))
    outcomes = [guard.review("What should I do with my savings?", reply) for reply in REPLIES]

    async def concurrently():
        calls = [guard.areview("What should I do with my savings?", reply) for reply in REPLIES]
        return await asyncio.gather(*calls)

    outcomes += asyncio.run(concurrently())
    guard.close()
    return outcomes


@pytest.mark.model
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_calls_judged_by_a_small_model_end_in_clean_outcomes(constitution, small_model, tmp_path, kind):
    """Rambling, invalid or cut-off answers leave principles undecided: an outcome and a record each, no traceback."""
    base = small_model.listening_address
    model = (
        OpenAIModel("smollm2", base_url=f"{base}/v1", api_key="none")
        if kind == "openai"
        else AnthropicModel("smollm2", base_url=base, api_key="none")
    )
    outcomes = run_ten(constitution, model, tmp_path / "audit.db")
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        assert {run.run_id: run.status for run in trail.runs()} == {o.run_id: o.status for o in outcomes}
        assert trail.verify().records == len(outcomes) == 10
    for outcome in outcomes:
        assert outcome.usage.judge.calls >= 1
        released = outcome.status is not Status.BLOCKED
        assert released == all(v.decision == "complies" for v in outcome.verdicts)
        assert released == (outcome.text in {attempt.draft for attempt in outcome.attempts})
    closing = model.aclose()
    if inspect.isawaitable(closing):
        asyncio.run(closing)


def test_the_same_with_a_model_that_answers_well(constitution, tmp_path):
    """Beside it, a scripted model: clean replies pass untouched, the others come out revised."""
    wrong = {
        "guaranteed to return": ("no-certainty", "This ETF aims to return 8% a year."),
        "Put 70%": ("no-advice", "How much to hold in shares depends on your plans."),
        "必ず": ("no-certainty", "この投資信託は年5%の利益を目指します。"),
        "We will cover": ("no-certainty", "Losses are yours to bear."),
    }

    def fault(request):
        shown = request.messages[0].content.split("reply to judge:")[1]
        return next((known for words, known in wrong.items() if words in shown), None)

    model = ScriptedModel(
        judge=lambda request: finding(fault(request)[0], sentences=[1]) if fault(request) else clean(),
        revise=lambda request: edits({1: fault(request)[1]}),
    )
    outcomes = run_ten(constitution, model, tmp_path / "audit.db")
    by_status = [(o.status, o.original == o.text) for o in outcomes]
    assert by_status.count((Status.PASSED, True)) == 2
    assert by_status.count((Status.REVISED, False)) == 8
