"""Revisers: compliance's own wording first, then a model's edits of cited sentences, and no new facts from either."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import any_text, constitution, drive, hostile_text, principle, said

from guardrails.exchange import Exchange
from guardrails.judges import RuleJudge
from guardrails.models import Failure, ModelReply
from guardrails.revisers import FIDELITY, ModelReviser, Revision, RuleReviser, Task, editable, empties, mend, unfaithful
from guardrails.sentences import Edit, apply, split
from guardrails.testing import ScriptedModel, edits
from guardrails.verdict import Verdict

CALM = {"en": "calm", "ja": "穏やか"}


def ruled(reply, *checks, prompt="", context=()):
    """The task that the rules give, where they find anything wrong."""
    made = constitution(principle("a-one", checks=list(checks)))
    exchange = Exchange(prompt, reply, context)
    verdicts = drive(RuleJudge().judge(exchange, made.principles))
    return Task(exchange, made, tuple(v for v in verdicts if v.violates))


def mended(reply, *checks, **exchange):
    """A reply after the rule reviser."""
    revision = drive(RuleReviser().revise(ruled(reply, *checks, **exchange)))
    return apply(reply, revision.edits, revision.append)


def check(pattern, **fix):
    return {"pattern": pattern, "fix": fix}


# Rules


@pytest.mark.parametrize(
    ("reply", "rule", "result"),
    [
        ("It is risk-free. Fees apply.", check("risk-free", replace="lower-risk"), "It is lower-risk. Fees apply."),
        # A sentence that began with a capital letter still does; within it the wording stays as it was written.
        ("- Safe, SAFE and safe.\n- Ask.", check("safe", replace="calm"), "- Calm, calm and calm.\n- Ask."),
        ('1. "Safe" is a word.', check("safe", replace="calm"), '1. "Calm" is a word.'),
        ("safe as houses", check("safe", replace="calm"), "calm as houses"),
        (
            "It is risk-free. Fees apply.",
            check("risk-free", replace="It can fall.", sentence=True),
            "It can fall. Fees apply.",
        ),
        (
            "1. It is risk-free.\n2. Fees apply.",
            check("risk-free", replace="It can fall.", sentence=True),
            "1. It can fall.\n2. Fees apply.",
        ),
        ("It is absolutely safe.", check("absolutely ", delete=True), "It is safe."),
        ("It is risk-free. Fees apply.", check("risk-free", delete=True, sentence=True), "Fees apply."),
        (
            "Fees apply.\n- Risk-free.\n- Cheap.",
            check("risk-free", delete=True, sentence=True),
            "Fees apply.\n- Cheap.",
        ),
        ("Risk-free.", check("risk-free", delete=True), "."),
        ("Call Bob now.", check("bob", mask=True), "Call *** now."),
        ("Guaranteed 8% a year.", check(r"guaranteed (\d+%)", replace=r"possibly \1"), "Possibly 8% a year."),
        ("Sure 8% or 9%.", check(r"sure (\d+%)(?: or (\d+%))?", replace=r"\2 to \1"), "9% to 8%."),
        ("Sure 8%.", check(r"sure (\d+%)(?: or (\d+%))?", replace=r"\1\2"), "8%."),
        (
            "必ず儲かります。手数料があります。",
            check("必ず", replace={"en": "maybe", "ja": "おそらく"}),
            "おそらく儲かります。手数料があります。",
        ),
        ("It is safe. これはsafeです。", check("safe", replace=CALM), "It is calm. これは穏やかです。"),
        ("ｒｉｓｋ－ｆｒｅｅな商品です。", check("risk-free", replace=CALM), "穏やかな商品です。"),
        (
            "Pay 4111 1111 1111 1111 now.",
            {"personal_data": ["card"], "fix": {"mask": True}},
            "Pay **** **** **** 1111 now.",
        ),
        (
            "Write to jane@example.com.",
            {"personal_data": ["email"], "fix": {"replace": "us", "sentence": False}},
            "Write to us.",
        ),
        ("It rose 8%.", {"require": "can fall", "when": r"\d%", "append": "It can fall."}, "It rose 8%. It can fall."),
        (
            "8%上がりました。",
            {"require": "下落", "when": r"\d%", "append": {"en": "x", "ja": "下落もあります。"}},
            "8%上がりました。下落もあります。",
        ),
        ("- Up 8%.", {"require": "an ad", "prepend": "This is an ad."}, "- This is an ad. Up 8%."),
        ("", {"require": "an ad", "prepend": "This is an ad."}, "This is an ad."),
    ],
)
def test_a_fix(reply, rule, result):
    """A fix replaces, deletes or masks the match or its sentence, or adds a statement, in the sentence's language."""
    assert mended(reply, rule) == result


@pytest.mark.parametrize(
    ("reply", "rule", "result"),
    [
        ("```\nif x:\n    pay('zzrisk')\n```\n", check("zzrisk", replace="calm"), "```\nif x:\n    pay('calm')\n```\n"),
        ("| a  |  zzrisk |\n", check("zzrisk", mask=True), "| a  |  *** |\n"),
        ("It is  zzrisk\tnow .", check("zzrisk", replace="calm"), "It is  calm\tnow ."),
    ],
)
def test_a_fix_of_the_match_leaves_the_sentence(reply, rule, result):
    """A replaced or masked match changes nothing else in its sentence: code keeps its indentation."""
    assert mended(reply, rule) == result


@pytest.mark.parametrize(
    ("reply", "kind", "result"),
    [
        ("Your card is 4111 1111 1111 1112.", "card", "Your card is **** **** **** 1112."),
        ("SSN 536904399 is hers.", "ssn", "SSN ***-**-4399 is hers."),
        ("マイナンバー123456789012です。", "my_number", "マイナンバー**** **** 9012です。"),
    ],
)
def test_what_is_masked_is_what_was_found(reply, kind, result):
    """A number that was found by its name alone is masked as what it is, to its last four digits."""
    assert mended(reply, {"personal_data": [kind], "fix": {"mask": True}}) == result


def test_one_statement_is_added_once():
    """Two disclosures with one text add it once; different ones follow each other."""
    one = {"require": "can fall", "append": "It can fall."}
    assert mended("It rose.", one, {**one, "require": "may fall"}) == "It rose. It can fall."
    assert mended("It rose.", one, {"require": "ask", "append": "Ask us."}) == "It rose. It can fall. Ask us."


def test_only_the_broken_principle_is_mended():
    """The fixes of principles that nobody found broken are not applied."""
    made = constitution(
        principle("a-one", checks=[check("safe", replace="calm")]),
        principle("b-two", checks=[check("sure", replace="possible")]),
    )
    task = Task(Exchange("", "It is safe and sure."), made, (Verdict("b-two", "violates", "rules", sentences=[1]),))
    assert mend(task)[0].edits == (Edit(1, "It is safe and possible."),)


def test_what_fixes_leave():
    """A violation is left to somebody else, unless fixes mended every sentence that it cites."""
    made = constitution(principle("a-one", checks=[check("safe", replace="calm"), {"pattern": "sure"}]), "b-two")

    def left(*verdicts):
        return [v.sentences for v in mend(Task(Exchange("", "Safe. Sure. Calm."), made, verdicts))[1]]

    assert left(Verdict("a-one", "violates", "x", sentences=[1])) == []
    assert left(Verdict("a-one", "violates", "x", sentences=[1, 2])) == [(1, 2)]
    assert left(Verdict("a-one", "violates", "x")) == [()]
    assert left(Verdict("a-one", "violates", "x", sentences=[1]), Verdict("b-two", "violates", "x", sentences=[3])) == [
        (3,)
    ]


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["It is zzrisk. ", "zzriskです。", "- zzrisk and zzrisk\n", "# zzrisk\n"]), hostile_text
        ),
        max_size=6,
    ).map("".join)
)
@example("\ud800 zzrisk")
@example("zz\u200brisk")
def test_fixes_touch_only_what_was_hit(reply):
    """On any text fixes edit only sentences with a hit, and leave no hit behind."""
    task = ruled(reply, check("zzrisk", replace="calm"))
    revision = drive(RuleReviser().revise(task))
    assert {edit.sentence for edit in revision.edits} == editable(task) if task.violations else not revision
    assert not ruled(apply(reply, revision.edits), check("zzrisk", replace="calm")).violations


# Models


RULES = constitution(principle("a-one", revision={"en": "Swap the word."}), "b-two")
EXCHANGE = Exchange("Is it safe?", "It is safe. It costs 0.2%. Buy now.", ["Fees: 0.2%."])
TASK = Task(
    EXCHANGE,
    RULES,
    (
        Verdict("a-one", "violates", "x", critique="Too sure.", sentences=[1]),
        Verdict("b-two", "violates", "x", sentences=[3]),
    ),
)


def revised(*answers, task=TASK):
    """The model reviser's revision, and what it asked."""
    asked, left = [], list(answers)

    def answer(request):
        asked.append(request.request)
        return left.pop(0)

    revision = drive(ModelReviser(ScriptedModel(name="reviser")).revise(task), answer)
    assert not left
    return revision, asked


def test_what_a_reviser_is_told():
    """It is told the exchange, what is wrong, the rule, and how to mend it; its instructions hold nothing of these."""
    revision, (request,) = revised(said(edits({1: "It can fall."}, "Ask us.")))
    assert revision == Revision((Edit(1, "It can fall."),), "Ask us.", "reviser")
    (message,) = request.messages
    told = (
        "1: It is safe.",
        "  Fees: 0.2%.",
        "sentence 1 breaks a-one: Too sure.",
        "The rule of a-one.",
        "Swap the word.",
        "sentence 3 breaks b-two",
    )
    assert all(part in message.content for part in told)
    assert request.purpose == "revise"
    assert not any(part in request.system for part in ("safe", "0.2%", "Too sure", "rule of"))


def test_what_a_reviser_is_told_again():
    """It is shown what fixes made of a sentence, and why its last edits were refused."""
    task = Task(EXCHANGE, RULES, TASK.violations, edits={1: "It can fall.", 2: ""}, feedback="sentence 1 adds “9%”")
    _, (request,) = revised(said(edits({3: "Ask us."})), task=task)
    content = request.messages[0].content
    assert "1: It can fall.\n3: Buy now." in content
    assert "Your last edits were refused: sentence 1 adds “9%”" in content
    assert "It is safe" not in content


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("Sure, here you go.", "not a JSON object"),
        (edits({2: "It costs nothing."}), "sentence 2 may not be edited; these may: 1, 3"),
        (edits({9: "x"}), "sentence 9 may not be edited; these may: 1, 3"),
        (edits({}), "there is no edit, and nothing to append"),
        (edits({}, " "), "there is no edit, and nothing to append"),
        (
            {"edits": [{"sentence": 1, "text": "a"}, {"sentence": 1, "text": "b"}], "append": None},
            "sentence 1 is edited twice",
        ),
        ({"edits": [{"sentence": "1", "text": "a"}]}, 'an edit is not {"sentence": 1'),
        ({"edits": [{"sentence": True, "text": "a"}]}, 'an edit is not {"sentence": 1'),
        ({"edits": ["a"]}, 'an edit is not {"sentence": 1'),
        ({"edits": [{"sentence": 1, "text": None}]}, 'an edit is not {"sentence": 1'),
        ({"edits": [{"sentence": 1, "text": "a" * 5000}]}, 'an edit is not {"sentence": 1'),
        ({"edits": "none", "append": None}, 'the object is not {"edits"'),
        ({"edits": [], "append": 1}, 'the object is not {"edits"'),
        (edits({}, "a" * 5000), '"append" is too long'),
    ],
)
def test_a_reviser_is_told_its_error_once(answer, error):
    """Edits that cannot be applied are told to the model once; then there is no revision, and nothing has failed."""
    revision, (_, again) = revised(said(answer), said(edits({1: "It can fall."})))
    assert revision.edits == (Edit(1, "It can fall."),)
    assert error in again.messages[-1].content
    revision, asked = revised(said(answer), said(answer))
    assert len(asked) == 2
    assert (bool(revision), revision.failed) == (False, False)
    assert error in revision.problem


@pytest.mark.parametrize("kind", ["error", "deadline", "budget"])
def test_a_reviser_that_fails(kind):
    """A request that fails is not repeated; there is no revision, and it says that it failed."""
    revision, _ = revised(Failure(kind, "No answer."))
    assert (bool(revision), revision.failed, revision.problem) == (False, True, "No answer.")


def test_what_may_be_edited():
    """The sentences that a violation cites may be edited; where one cites none, any."""
    assert editable(TASK) == {1, 3}
    assert editable(Task(EXCHANGE, RULES, (*TASK.violations, Verdict("b-two", "violates", "x")))) == {1, 2, 3}


near_edits = st.lists(st.fixed_dictionaries({"sentence": st.integers(-1, 5), "text": any_text}), max_size=4)
answers = st.one_of(
    any_text, st.builds(lambda e, a: json.dumps({"edits": e, "append": a}), near_edits, st.one_of(st.none(), any_text))
)


@given(answers, answers)
def test_any_answer_edits_what_it_may(first, second):
    """Whatever a model says, its revision edits only cited sentences, and applies."""
    revision = drive(ModelReviser(ScriptedModel()).revise(TASK), [ModelReply(first), ModelReply(second)])
    assert {edit.sentence for edit in revision.edits} <= {1, 3}
    result = apply(EXCHANGE.reply, revision.edits, revision.append)
    assert split(EXCHANGE.reply)[1] in result or not revision.edits or revision.append


# Fidelity


def judged(reply, new, *, append=None, prompt="", context=(), facts=(), sentence=1, **fields):
    made = constitution(principle("a-one", **fields), facts=list(facts))
    task = Task(Exchange(prompt, reply, context), made, (Verdict("a-one", "violates", "x", sentences=[sentence]),))
    return unfaithful(task, Revision((Edit(sentence, new),) if new is not None else (), append))


@pytest.mark.parametrize(
    ("reply", "new", "given"),
    [
        ("It pays 8%.", "It may pay 8%.", {}),
        ("It pays 8%.", "It may pay.", {}),
        ("It pays 8%.", "８パーセントかもしれません。", {}),
        ("It pays a lot.", "It may pay 8%.", {"prompt": "Will it pay 8%?"}),
        ("It pays a lot.", "It paid 8% in 2024.", {"context": ["Paid on 1 March 2024: 8 percent."]}),
        ("It pays a lot.", "Insured up to $250,000.", {"facts": ["Deposits are insured up to $250,000."]}),
        ("It pays.", "Call 0570-016-811.", {"checks": [{"require": "call", "append": "Call 0570-016-811."}]}),
        ("It pays.", "About 3%.", {"checks": [{"pattern": "zz", "fix": {"replace": "About 3%."}}]}),
        ("It pays 8%.", "", {}),
        ("It pays.", None, {"append": "Fees are 0.2%.", "context": ["Fees: 0.2%"]}),
    ],
)
def test_a_faithful_revision(reply, new, given):
    """An edit may state facts of its sentence, the conversation, its context, and the constitution."""
    assert judged(reply, new, **given) is None


@pytest.mark.parametrize(
    ("reply", "new", "given", "cited", "named"),
    [
        ("It pays 8%.", "It pays 9%.", {}, (1,), "adds “9%”"),
        ("It pays 8%.", "It pays $8.", {}, (1,), "adds “$8”"),
        ("Take 5 mg.", "Take 5 g.", {}, (1,), "adds “5 g”"),
        ("It pays.", "It paid in 2019.", {}, (1,), "adds “2019”"),
        ("It pays. It costs 2%.", "It pays 2%.", {}, (1,), "adds “2%”"),
        ("It pays 8%.", None, {"append": "It costs 9%."}, (), "the appended text adds “9%”"),
        ("It pays 8%.", None, {"append": "It may pay 8%."}, (), "the appended text adds “8%”"),
        ("It costs 2% and is sure.", "It is likely.", {"preserve": ["percentages"]}, (1,), "drops “2%”"),
        ("It pays 8%.", "It pays 9%.", {"rule": "Never say 9%."}, (1,), "adds “9%”"),
    ],
)
def test_an_unfaithful_revision(reply, new, given, cited, named):
    """A new figure, another unit, a figure of another sentence, a dropped one that is preserved: a breach each."""
    verdict = judged(reply, new, **given)
    assert (verdict.principle, verdict.decision, verdict.sentences) == (FIDELITY, "violates", cited)
    assert named in verdict.critique


@given(hostile_text, st.integers(1, 9))
def test_no_text_makes_fidelity_stumble(reply, sentence):
    """On any text, keeping a sentence is faithful, and a new percentage is not."""
    numbers = len(split(reply))
    if numbers:
        sentence = min(sentence, numbers)
        assert judged(reply, split(reply)[sentence - 1], sentence=sentence) is None
        assert judged(reply, "It pays 87.65%.", sentence=sentence)


def test_deleting_everything_empties():
    """Edits that leave no word of the reply empty it; what is appended is no excuse."""
    every = tuple(Edit(number, "") for number in (1, 2, 3))
    assert empties(TASK, Revision(every))
    assert empties(TASK, Revision(every, append="Ask us."))
    assert not empties(TASK, Revision(every[:2]))
    assert empties(TASK, Revision((Edit(1, " \n"), *every[1:])))
