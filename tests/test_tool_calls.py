"""Tool calls: judged as text where a principle says so, blocked where they break it, never rewritten."""

import json

import pytest
from support import constitution, principle

from guardrails import AuditTrail, FunctionJudge, Guard, Status, outcome_of
from guardrails.dialects import CHAT
from guardrails.errors import Blocked, ConstitutionError
from guardrails.exchange import Exchange
from guardrails.outcome import Cause
from guardrails.verdict import Decision, Verdict

NO_WIRES = principle("no-wires", applies_to=["tool_calls"], checks=[{"pattern": [r"wire_money\b.*99"]}])
BOTH = principle("no-secrets", applies_to=["reply", "tool_calls"], checks=[{"pattern": ["secret"]}])
RULES = constitution(NO_WIRES, BOTH)


def call(name, **arguments):
    return {"id": "t1", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def completion(content, *calls):
    message = {"role": "assistant", "content": content, "tool_calls": list(calls)}
    choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def chunks(content, name, arguments):
    """The same as a stream: text in two chunks, then a tool call in three."""
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def chunk(delta, reason=None):
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in (content[:5], content[5:]):
        yield chunk({"content": piece})
    yield chunk({"tool_calls": [{"index": 0, "id": "t1", "type": "function", "function": {"name": name}}]})
    for piece in (arguments[:4], arguments[4:]):
        yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield chunk({}, "tool_calls")


@pytest.fixture
def guard(tmp_path):
    return Guard(RULES, judge="rules", allow_unjudged=True, audit=tmp_path / "audit.db")


@pytest.mark.parametrize("content", [None, "I look it up."])
def test_a_call_that_breaks_a_principle_is_blocked(guard, content):
    """Beside a text or alone; the record says which call, and why."""
    outcome = guard.review("q", completion(content, call("wire_money", amount=99)))
    assert (outcome.status, outcome.cause, outcome.at_fault) == (Status.BLOCKED, Cause.VIOLATION, ("no-wires",))
    assert outcome.attempts[-1].calls
    assert outcome.attempts[-1].draft == 'wire_money({"amount": 99})'
    assert "wire_money" not in repr(outcome.reply)
    run = AuditTrail.open(guard.audit.url).run(outcome.run_id).run
    assert run.outcome.attempts == outcome.attempts


def test_a_call_that_passes_is_the_one_that_was_made(guard):
    """Byte for byte, and beside a text that was judged."""
    reply = completion("I look it up.", call("balance", account=7))
    outcome = guard.review("q", reply)
    assert outcome.status is Status.PASSED
    assert outcome.reply is reply


def test_a_principle_judges_what_it_applies_to():
    """One of tool calls alone says nothing of the text, and one of replies alone nothing of calls."""
    rules = constitution(NO_WIRES, principle("reply-only", checks=[{"pattern": ["risk"]}]))
    guard = Guard(rules, judge="rules", allow_unjudged=True, audit=None)
    assert not guard.review("q", "Let wire_money take 99.").blocked
    assert not guard.review("q", completion("Fine.", call("f", risk=1))).blocked
    assert guard.review("q", completion("Fine.", call("wire_money", a=99))).blocked
    assert guard.review("q", "Fine.").unjudged == ("reply-only",)


def test_judges_see_the_calls_beside_the_conversation():
    """A judge of one's own is given the calls as the reply, once, with the messages."""
    seen = []

    def judge(exchange, one):
        seen.append((one.id, exchange.messages[0].content, exchange.reply))
        return Verdict(one.id, Decision.COMPLIES, "own")

    rules = constitution(principle("calls", applies_to="tool_calls"), "reply")
    guard = Guard(rules, judge=FunctionJudge(judge, covers={"calls", "reply"}), audit=None)
    outcome = guard.review("Pay Ann.", completion("I pay.", call("pay", to="Ann"), call("tell", to="Ann")))
    assert seen == [("reply", "Pay Ann.", "I pay."), ("calls", "Pay Ann.", 'pay({"to": "Ann"})\n\ntell({"to": "Ann"})')]
    assert outcome.unjudged == ()


def test_streamed_calls_wait_for_their_judgement(guard):
    """A call that passes comes out as it came; of one that does not, no piece does."""
    passing = list(chunks("I look it up.", "balance", '{"account": 7}'))
    assert list(guard.streamed(Exchange("q"), passing, CHAT.events())) == passing
    out = []
    with pytest.raises(Blocked):
        out.extend(guard.streamed(Exchange("q"), chunks("I pay it.", "wire_money", '{"amount": 99}'), CHAT.events()))
    assert "wire_money" not in repr(out)
    assert "99" not in repr(out)


def test_a_stream_of_nothing_but_calls(guard):
    """There is no text to judge, and the calls are judged all the same."""
    passing = list(chunks("", "balance", '{"account": 7}'))
    assert list(guard.streamed(Exchange("q"), passing, CHAT.events())) == passing
    with pytest.raises(Blocked):
        list(guard.streamed(Exchange("q"), chunks("", "wire_money", '{"amount": 99}'), CHAT.events()))


@pytest.mark.parametrize("space", ["\u3000", "\ufeff", "\x85", " \n"])
def test_a_text_that_begins_with_space_is_no_silence(space, tmp_path):
    """Of any kind of white space, beside a call, whole and streamed: the text is judged."""
    rules = constitution(NO_WIRES, principle("a-one", on_violation="block", checks=[{"pattern": ["bad"]}]))
    guard = Guard(rules, judge="rules", allow_unjudged=True, audit=None)
    assert guard.review("q", completion(f"{space}It is bad.", call("balance"))).blocked
    with pytest.raises(Blocked):
        list(guard.streamed(Exchange("q"), chunks(f"{space}     It is bad.", "balance", "{}"), CHAT.events()))


def test_calls_pass_unjudged_where_no_principle_is_about_them():
    """As they did before: a reply of calls alone is released, and the record says that nothing judged it."""
    guard = Guard(constitution("any-rule"), judge="rules", allow_unjudged=True, audit=None)
    assert guard.review("q", completion(None, call("wire_money", amount=99))).unjudged == ("any-rule",)


def test_applies_to_is_checked():
    """What it may say is said where it is wrong."""
    with pytest.raises(ConstitutionError, match="reply, tool_calls"):
        constitution(principle("a-one", applies_to=["emails"]))


def test_one_blocked_choice_blocks_the_reply(guard):
    """Of several choices each has its outcome, and all have to be released."""
    reply = completion("Fine.")
    reply["choices"] += [
        {"index": 1, "finish_reason": "stop", "message": {"role": "assistant", "content": "A secret."}}
    ]
    answer = guard(lambda question: reply)
    with pytest.raises(Blocked):
        answer("q")
    outcomes = answer.outcome("q")
    assert [outcome.status for outcome in outcomes] == [Status.PASSED, Status.BLOCKED]
    assert len({outcome.run_id for outcome in outcomes}) == 2
    with pytest.raises(TypeError):
        outcome_of(reply)
