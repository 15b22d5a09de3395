"""The loop: whatever judges and revisers answer, nothing is released that its verdicts do not permit."""

import asyncio
import json
import threading
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import constitution, hostile_text, principle, said

from guardrails._budget import Budget
from guardrails._drive import arun, run
from guardrails._policy import Block, Release, Revise, decide, flagged, settled
from guardrails._review import review
from guardrails._setup import Setup
from guardrails.errors import ModelError
from guardrails.exchange import Exchange
from guardrails.judges import FunctionJudge, ModelJudge
from guardrails.models import Ask, Call, CallResult, Failure, ModelReply
from guardrails.outcome import Cause
from guardrails.revisers import FIDELITY, ModelReviser, Revision
from guardrails.sentences import Edit, apply, split
from guardrails.testing import ScriptedModel, clean, edits, finding, findings
from guardrails.verdict import Decision, Verdict

PRINCIPLES = (
    principle("revise-one"),
    principle("revise-sure", threshold=80),
    principle("block-one", on_violation="block"),
    principle("flag-one", severity="low"),
    principle("open-one", on_undecided="allow"),
    principle("fixed-one", checks=[{"pattern": "zzrisk", "fix": {"replace": "calm"}}]),
    principle("gone-one", checks=[{"pattern": "zzgone", "fix": {"delete": True, "sentence": True}}]),
    principle("signal-one", checks=[{"pattern": "zzbad"}]),
    principle("decides-one", checks=[{"require": "ask us", "when": "zzbuy", "append": "Ask us.", "decides": True}]),
)
IDS = tuple(p["id"] for p in PRINCIPLES)
ENDS = {rungs: constitution(*PRINCIPLES, settings={"exhausted": rungs}) for rungs in (("block",), ("append", "block"))}
MADE = ENDS["block",]
RULES = MADE.by_id
PIECES = (
    "It pays 8%. ",
    "It is safe. ",
    "It is zzrisk. ",
    "zzbad. ",
    "zzgone! ",
    "Now zzbuy. ",
    "- zzrisk\n",
    "安全です。",
    "Why? ",
    "\n\n",
)
REPLIES = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=5).map("".join), st.just('{"price": "zzrisk"}'), hostile_text
)
TEXTS = st.sampled_from(
    [
        "It can fall.",
        "It is safe.",
        "It pays 8%.",
        "It pays 9%.",
        "It is zzrisk.",
        "zzbad",
        "",
        "Ask us.",
        "No zzgone.",
        "- It can fall.",
    ]
)
# Those that a driver sends; what the budget refuses comes of the budgets below.
FAILURES = st.builds(Failure, st.sampled_from(["error", "deadline"]), st.just("No answer."), st.booleans())


# The policy


@dataclass
class Case:
    """Verdicts, and whether they permit a release: an independent reading of the design's section 7."""

    verdicts: tuple
    made: object = MADE
    unsafe_allow: bool = False
    hindered: list = field(default_factory=list)

    def permits(self):
        if not self.verdicts:
            return False
        broken = {v.principle for v in self.verdicts if v.decision == "violates"}
        if any(name not in RULES or RULES[name].on_violation != "flag" for name in broken):
            return False
        undecided = [v for v in self.verdicts if v.decision == "undecided" and v.principle not in broken]
        held = [v for v in undecided if RULES[v.principle].on_undecided == "block"]
        self.hindered = [v for v in held if v.failed]
        return not held or (self.unsafe_allow and len(held) == len(self.hindered))


DECISIONS = [
    {"decision": "complies"},
    {"decision": "violates"},
    {"decision": "violates", "sentences": (1,)},
    {"decision": "undecided"},
    {"decision": "undecided", "failed": True},
]
VERDICTS = st.builds(
    lambda name, fields: Verdict(name, judge="x", **fields), st.sampled_from(IDS), st.sampled_from(DECISIONS)
)


@given(st.lists(VERDICTS, max_size=6), st.booleans())
def test_the_policy(verdicts, unsafe_allow):
    """The policy releases just what the verdicts permit, and revises where nothing blocks and something is to mend."""
    ruling = decide(MADE, verdicts, "unsafe_allow" if unsafe_allow else "block")
    case = Case(tuple(verdicts), unsafe_allow=unsafe_allow)
    broken = {RULES[v.principle].on_violation for v in verdicts if v.decision == "violates"}
    assert isinstance(ruling, Release) == case.permits()
    assert isinstance(ruling, Revise) == ("revise" in broken and "block" not in broken)
    if isinstance(ruling, Release):
        assert ruling.unsafe == (("on_error",) if case.hindered else ())
    if isinstance(ruling, Revise):
        assert all(v.violates and RULES[v.principle].on_violation == "revise" for v in ruling.violations)
    assert set(flagged(MADE, verdicts)) == {
        v.principle for v in verdicts if v.violates and RULES[v.principle].on_violation == "flag"
    }


@pytest.mark.parametrize(
    ("verdicts", "cause"),
    [
        ([], Cause.UNDECIDED),
        ([Verdict("block-one", "violates", "x"), Verdict("revise-one", "violates", "x")], Cause.VIOLATION),
        ([Verdict("revise-one", "undecided", "x")], Cause.UNDECIDED),
        ([Verdict("revise-one", "undecided", "x", failed=True)], Cause.ERROR),
        (
            [Verdict("revise-one", "undecided", "x", failed=True), Verdict("revise-sure", "undecided", "x")],
            Cause.UNDECIDED,
        ),
    ],
)
def test_why_it_blocks(verdicts, cause):
    """A block says why: a violation, nothing decided, or a check that broke."""
    assert decide(MADE, verdicts) == Block(cause)


@pytest.mark.parametrize(("confidence", "counts"), [(None, True), (100, True), (80, True), (79, False), (0, False)])
def test_the_threshold(confidence, counts):
    """A finding below its principle's threshold complies, keeps its confidence and says why; one at it counts."""
    found = Verdict("revise-sure", "violates", "x", confidence=confidence)
    after = settled(MADE, found)
    assert after.violates == counts
    assert after.confidence == confidence
    assert counts or "below the threshold of 80" in after.reason


def test_an_undecided_verdict_has_no_threshold():
    """A judge that cannot tell is not overruled for being unsure."""
    found = Verdict("revise-sure", "undecided", "x", confidence=1)
    assert settled(MADE, found) == found


# Any sequence of answers


@st.composite
def model_findings(draw):
    """A judge's readable answer, with findings of every weight; and what it means."""
    found = draw(
        st.lists(
            st.tuples(st.sampled_from(IDS), st.sampled_from(["violates", "undecided"]), st.sampled_from([30, 60, 90])),
            max_size=3,
        )
    )
    sentences = draw(st.sampled_from([(), (1,)]))
    return findings(
        *(finding(name, decision=what, confidence=sure, sentences=sentences) for name, what, sure in found)
    ), found


@st.composite
def revisions(draw):
    """A reviser's answer: edits of sentences it may and may not edit, known texts, invented facts, deletions."""
    texts = draw(st.dictionaries(st.integers(1, 4), TEXTS, max_size=3))
    return edits(texts, draw(st.sampled_from([None, None, "Ask us.", "It pays 77%."])))


READABLE = st.one_of(st.just((clean(), [])), model_findings())
TOKENS = st.sampled_from([{}, {"input_tokens": 10, "output_tokens": 3, "cache_read_tokens": 4}])


class World:
    """Answers what a review asks, in any way at all, and notes what was asked and said."""

    def __init__(self, data, kind):
        self.data = data
        self.kind = kind  # how rough it is
        self.asked = []
        self.said = []
        self.judged = []  # the drafts that the function judge was shown
        self.last = None  # what the model judge's last answer means

    def draw(self, strategy):
        return self.data.draw(strategy)

    def result(self, request):
        if isinstance(request, Call):
            self.judged.append(request.args[0].reply)
            self.last = None
            own = request.args[1].id
            good = st.sampled_from([None, Verdict(own, "complies", "f"), Verdict(own, "undecided", "f")]).map(
                CallResult
            )
            return self.draw(st.one_of(good, FAILURES, st.just(CallResult(42))) if self.kind == "rough" else good)
        assert isinstance(request, Ask)
        self.asked.append(request.request.purpose)
        rough = self.kind == "rough" and self.draw(st.integers(0, 3)) == 0
        if rough:
            result = self.draw(
                st.one_of(
                    FAILURES,
                    st.just(said("?")),
                    st.just(said(clean(), stop="refusal")),
                    st.just(said("{}", stop="length")),
                )
            )
            self.last = "failed" if isinstance(result, Failure) and request.request.purpose == "judge" else self.last
        elif request.request.purpose == "judge":
            value, self.last = self.draw(READABLE)
            result = said(value, **self.draw(TOKENS))
            if split(self.judged[-1]) == () and any(item["sentences"] for item in value["findings"]):
                self.last = None  # it cites what is not there, and is unreadable
        else:
            result = said(self.draw(revisions()), **self.draw(TOKENS))
        self.said.append(result)
        return result


def no_opinion(exchange, principle):
    raise AssertionError("driven by hand, nobody calls this")


SETUPS = st.fixed_dictionaries(
    {
        "constitution": st.sampled_from(list(ENDS.values())),
        "judges": st.just((FunctionJudge(no_opinion, covers={"open-one"}), ModelJudge(ScriptedModel()))),
        "reviser": st.sampled_from([None, ModelReviser(ScriptedModel())]),
        "budget": st.builds(
            Budget, calls=st.sampled_from([None, 0, 1, 2, 3, 5]), tokens=st.sampled_from([None, 0, 13, 30])
        ),
        "max_revisions": st.integers(0, 3),
        "on_error": st.sampled_from(["block", "unsafe_allow"]),
    }
)


@settings(max_examples=400)
@given(st.data(), REPLIES, SETUPS, st.sampled_from(["smooth", "rough"]))
def test_nothing_is_released_that_may_not_be(data, reply, options, kind):
    """For any sequence of judge and reviser answers, failures included, the outcome keeps every promise of the loop."""
    setup, world = Setup(**options), World(data, kind)
    exchange = Exchange("Will it pay 8%?", reply, ["It paid 8% in 2024."])
    outcome = hand_driven(review(exchange, setup, "run-1"), world, setup)
    check_text(outcome, setup, world)
    check_attempts(outcome, setup)
    check_spent(outcome, setup, world)


def hand_driven(step, world, setup):
    """Drive a review to its outcome, refusing to go on for longer than it may take."""
    results, rounds = None, 0
    # Judging takes two rounds, revising two; each revision and each rung is followed by judging.
    most = 2 + (setup.max_revisions + len(setup.constitution.settings.exhausted)) * 4
    while True:
        try:
            requests = step.send(results)
        except StopIteration as stop:
            return stop.value
        rounds += 1
        assert rounds <= most
        assert requests
        check_budget(requests, setup, world)
        results = [world.result(request) for request in requests]


def check_budget(requests, setup, world):
    """No request goes out beyond the budget of calls, and none once the tokens are used up."""
    asks = sum(isinstance(request, Ask) for request in requests)
    spent = sum(r.input_tokens + r.output_tokens for r in world.said if isinstance(r, ModelReply))
    assert setup.budget.calls is None or len(world.asked) + asks <= setup.budget.calls
    assert setup.budget.tokens is None or not asks or spent < setup.budget.tokens


def check_text(outcome, setup, world):
    """What is released is the last draft, judged whole and permitted; what is blocked is the fallback."""
    assert outcome.original == outcome.attempts[0].draft
    if outcome.status == "blocked":
        assert outcome.cause
        assert outcome.text == setup.constitution.fallback_in("en")
        return
    last = outcome.attempts[-1]
    assert outcome.text == last.draft == world.judged[-1]
    assert outcome.verdicts == last.verdicts
    assert {v.principle for v in outcome.verdicts} == set(IDS)
    case = Case(outcome.verdicts, unsafe_allow=setup.on_error == "unsafe_allow")
    assert case.permits()
    assert outcome.unsafe == (("on_error",) if case.hindered else ())
    assert (outcome.status == "passed") == (outcome.text == outcome.original) == (outcome.cause is None)
    # What the model judge really said of this draft, not what became of it.
    if world.last is None or world.last == "failed":
        assert setup.on_error == "unsafe_allow"
        return
    for name, what, sure in world.last:
        rule = RULES[name]
        assert what != "violates" or sure < rule.threshold or rule.on_violation == "flag"
        broken = any(n == name and w == "violates" for n, w, _ in world.last)
        assert what != "undecided" or rule.on_undecided == "allow" or broken
    assert not any(signal in outcome.text for signal in ("zzbad", "zzrisk", "zzgone"))


def check_attempts(outcome, setup):
    """Each draft comes of a judged one by edits of sentences at fault, none is judged twice, and they are few."""
    attempts = outcome.attempts
    judged = [a for a in attempts if {v.principle for v in a.verdicts} != {FIDELITY}]
    assert len({a.draft for a in judged}) == len(judged)
    assert len(attempts) <= 1 + setup.max_revisions + len(setup.constitution.settings.exhausted)
    for attempt in judged:
        assert {v.principle for v in attempt.verdicts} == set(IDS)
    for index, attempt in enumerate(attempts[1:], 1):
        base = attempts[attempt.base]
        assert attempt.base < index
        assert base in judged
        assert attempt.draft == apply(base.draft, attempt.edits, attempt.append)
        cited = [v.sentences for v in base.verdicts if v.violates]
        assert all(any(not s or edit.sentence in s for s in cited) for edit in attempt.edits)
        assert attempt.reviser
    assert "77%" not in outcome.text
    assert "pays 9%" not in outcome.text


def check_spent(outcome, setup, world):
    """Usage is what was asked and what it cost, by role."""
    replies = [(purpose, r) for purpose, r in zip(world.asked, world.said, strict=True)]
    for purpose, tokens in (("judge", outcome.usage.judge), ("revise", outcome.usage.revise)):
        own = [r for p, r in replies if p == purpose]
        read = [r for r in own if isinstance(r, ModelReply)]
        assert tokens.calls == len(own)
        assert (tokens.input, tokens.output, tokens.cache_read) == tuple(
            sum(getattr(r, name) for r in read) for name in ("input_tokens", "output_tokens", "cache_read_tokens")
        )
    assert outcome.run_id == "run-1"
    assert outcome.constitution == setup.constitution.ref
    assert outcome.unjudged == ()
    assert outcome.flags == flagged(setup.constitution, outcome.verdicts)


# Single ways


def reviewed(reply, *, judge=None, revise=None, made=MADE, prompt="Safe?", context=(), judges=(), **options):
    """A review with a scripted model as judge and reviser; returns its outcome and the model."""
    model = ScriptedModel(judge=judge, revise=revise)
    setup = Setup(
        made, judges=(ModelJudge(model), *judges), reviser=options.pop("reviser", ModelReviser(model)), **options
    )
    return run(review(Exchange(prompt, reply, context), setup, "run-1")), model


def purposes(model):
    return [request.purpose for request in model.requests]


@given(hostile_text)
def test_a_clean_reply_passes_as_it_is(reply):
    """A reply that no judge objects to passes byte for byte, after one request."""
    outcome, model = reviewed(reply)
    assert (outcome.status, outcome.text, outcome.cause) == ("passed", reply, None)
    assert purposes(model) == ["judge"]


def test_a_fix_needs_no_model():
    """What fixes mend is revised without asking the reviser, judged again, and the rest is byte for byte."""
    outcome, model = reviewed("It is zzrisk.  It costs 0.2%.\n")
    assert (outcome.status, outcome.text) == ("revised", "It is calm.  It costs 0.2%.\n")
    assert purposes(model) == ["judge", "judge"]
    assert [(a.draft, a.reviser, a.base) for a in outcome.attempts] == [
        ("It is zzrisk.  It costs 0.2%.\n", "", None),
        (outcome.text, "rules", 0),
    ]


def test_fixes_and_a_model_in_one_round():
    """Fixes go first, the reviser is shown what they made, and both are one revision."""
    outcome, model = reviewed(
        "It is zzrisk. It soars. Fine.",
        judge=[finding("revise-one", sentences=[2]), clean()],
        revise=[edits({2: "It can fall."})],
    )
    assert outcome.text == "It is calm. It can fall. Fine."
    assert "1: It is calm." in model.requests[1].messages[0].content
    assert outcome.attempts[-1].reviser == "rules+scripted"


def test_a_fix_that_breaks_another_principle():
    """After a revision every principle is judged again, those that complied included."""
    outcome, _ = reviewed(
        "It is safe.", judge=[finding("revise-one"), finding("block-one")], revise=[edits({1: "It soars."})]
    )
    assert (outcome.status, outcome.cause, outcome.text) == ("blocked", "violation", MADE.fallback_in("en"))
    assert outcome.at_fault == ("block-one",)


def test_a_blocking_principle_asks_nobody():
    """A violation of a `block` principle blocks without a revision."""
    outcome, model = reviewed("It is safe.", judge=[findings(finding("block-one"), finding("revise-one"))])
    assert (outcome.status, outcome.cause, purposes(model)) == ("blocked", "violation", ["judge"])


def test_a_flag_stops_nothing():
    """A violation that is only flagged passes, and stands in the flags."""
    outcome, _ = reviewed("It is safe.", judge=[finding("flag-one")])
    assert (outcome.status, outcome.flags) == ("passed", ("flag-one",))


def test_a_draft_seen_before_ends_the_loop():
    """A revision that leads back to a draft already judged is not judged again: the reply blocks."""
    there, back = edits({1: "It can fall."}), edits({1: "It is safe."})
    outcome, model = reviewed(
        "It is safe.", judge=lambda _: finding("revise-one"), revise=[there, back, there], max_revisions=5
    )
    assert (outcome.status, outcome.cause) == ("blocked", "violation")
    assert purposes(model) == ["judge", "revise", "judge", "revise"]


def test_revisions_run_out():
    """After `max_revisions` the reply blocks, however willing the reviser."""
    texts = (edits({1: f"It can fall{'!' * n}"}) for n in range(1, 9))
    outcome, model = reviewed("It is safe.", judge=lambda _: finding("revise-one"), revise=texts, max_revisions=3)
    assert (outcome.status, outcome.cause, len(outcome.attempts)) == ("blocked", "violation", 4)
    assert purposes(model).count("revise") == 3


def test_an_unfaithful_revision_starts_again():
    """An invented figure is refused unjudged, the reviser is told, and starts from the draft before."""
    outcome, model = reviewed(
        "It is safe. Fine.",
        judge=[finding("revise-one", sentences=[1]), clean()],
        revise=[edits({1: "It pays 9%."}), edits({1: "It can fall."})],
    )
    assert outcome.text == "It can fall. Fine."
    assert purposes(model) == ["judge", "revise", "revise", "judge"]
    assert "9%" in model.requests[2].messages[0].content.split("What is wrong:")[1]
    assert "1: It is safe." in model.requests[2].messages[0].content
    assert [(a.draft, a.base, [v.principle for v in a.verdicts if v.violates]) for a in outcome.attempts] == [
        ("It is safe. Fine.", None, ["revise-one"]),
        ("It pays 9%. Fine.", 0, [FIDELITY]),
        ("It can fall. Fine.", 0, []),
    ]


def test_an_invented_figure_is_no_source_for_the_next():
    """A figure that was refused once is refused again: it cannot become its own source."""
    outcome, _ = reviewed(
        "It is safe.",
        judge=lambda _: finding("revise-one", sentences=[1]),
        revise=lambda _: edits({1: "It pays 9%."}),
        max_revisions=3,
    )
    assert (outcome.status, len(outcome.attempts)) == ("blocked", 4)


def test_deleting_everything_blocks():
    """A revision that deletes the whole reply is refused, and is never released."""
    outcome, _ = reviewed(
        "It is safe. Really.", judge=lambda _: finding("revise-one"), revise=lambda _: edits({1: "", 2: ""}, "Ask us.")
    )
    assert (outcome.status, outcome.cause) == ("blocked", "violation")
    outcome, _ = reviewed("zzgone!")
    assert outcome.status == "blocked"


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (clean(), "revised"),
        (finding("revise-one"), "blocked"),
        (finding("revise-one", decision="undecided"), "blocked"),
    ],
)
def test_the_warning_is_judged_too(verdict, status):
    """When revisions have run out, `append` adds the warning; the result is released if its verdicts permit it."""
    outcome, model = reviewed(
        "It is safe.", judge=[finding("revise-one"), verdict], made=ENDS["append", "block"], max_revisions=0
    )
    warned = f"It is safe. {MADE.warning_in('en')}"
    assert (outcome.status, outcome.attempts[-1].draft, outcome.attempts[-1].reviser) == (
        status,
        warned,
        "constitution",
    )
    assert outcome.text == (warned if status == "revised" else MADE.fallback_in("en"))
    assert purposes(model) == ["judge", "judge"]


@pytest.mark.parametrize("reply", ['{"safe": "zzrisk"}', '[{"a": "zzrisk"}]', ' {"a": "zzrisk"}\n'])
def test_data_is_never_edited(reply):
    """A reply that is JSON passes or is blocked, and is never revised: no fix, no model, no warning."""
    outcome, model = reviewed(reply, made=ENDS["append", "block"])
    assert (outcome.status, outcome.cause, len(outcome.attempts), purposes(model)) == (
        "blocked",
        "violation",
        1,
        ["judge"],
    )


def test_without_a_reviser():
    """Without a reviser, what fixes mend is mended, and what they leave blocks."""
    outcome, model = reviewed("zzbad. zzrisk.", reviser=None)
    assert (outcome.status, outcome.cause, purposes(model)) == ("blocked", "violation", ["judge", "judge"])
    assert outcome.attempts[-1].draft == "zzbad. calm."


class Reviser:
    """A reviser of somebody's own making."""

    name = "own"

    def __init__(self, revise):
        self.revise = revise


def of(revision):
    def revise(task):
        yield from ()
        if isinstance(revision, Exception):
            raise revision
        return revision

    return revise


@pytest.mark.parametrize(
    "revise",
    [
        of(RuntimeError("It is safe.")),
        of(None),
        of("It can fall."),
        of(Revision((Edit(2, "x"),), reviser="own")),
        of(Revision((Edit(9, "x"),), reviser="own")),
        of(Revision((Edit(1, "a"), Edit(1, "b")), reviser="own")),
        of(Revision((Edit(1, None),), reviser="own")),
        of(Revision(append=42, reviser="own")),
        of(Revision()),
        lambda task: Revision((Edit(1, "It can fall."),)),
        lambda task: 42,
    ],
    ids=[
        "raises",
        "none",
        "text",
        "another sentence",
        "no such sentence",
        "twice",
        "no text",
        "odd append",
        "empty",
        "no step",
        "number",
    ],
)
def test_a_broken_reviser_blocks(revise):
    """A reviser that raises, returns something else, or edits what it may not, makes no revision: the reply blocks."""
    outcome, _ = reviewed(
        "It is safe. Fine.", judge=lambda _: finding("revise-one", sentences=[1]), reviser=Reviser(revise)
    )
    assert (outcome.status, len(outcome.attempts)) == ("blocked", 1)


def test_nothing_judged_is_nothing_released():
    """A constitution that leaves no principle to judge releases nothing."""
    made = constitution(principle("a-one", only_if={"x": True}), variables={"x": False})
    outcome, _ = reviewed("It is safe.", made=made)
    assert (outcome.status, outcome.cause, outcome.verdicts) == ("blocked", "undecided", ())


def test_a_covered_principle_without_a_verdict_is_undecided():
    """A judge that covers a principle and says nothing leaves it undecided."""
    judge = FunctionJudge(lambda exchange, principle: None, covers={"a-one"})
    setup = Setup(constitution("a-one"), judges=(judge,))
    outcome = run(review(Exchange("", "It is safe."), setup, "run-1"))
    assert (outcome.status, outcome.cause) == ("blocked", "undecided")
    assert [v.reason for v in outcome.verdicts] == ["its judge gave no verdict"]


def test_uncovered_principles_are_named():
    """Principles that no judge covers are known before a review, and named unjudged in its outcome."""
    setup = Setup(MADE)
    assert [p.id for p in setup.uncovered()] == [name for name in IDS if name != "decides-one"]
    outcome = run(review(Exchange("", "It is safe."), setup, "run-1"))
    assert (outcome.status, outcome.unjudged) == ("passed", tuple(name for name in IDS if name != "decides-one"))
    caught = run(review(Exchange("", "It is zzbad."), setup, "run-1"))
    assert (caught.status, "signal-one" in caught.unjudged) == ("blocked", False)


@pytest.mark.parametrize(
    "reply", ["\ud800 zzbad", "zzbad \udfff", "a\x00zzbad", "zz\u200bbad", "ｚｚｂａｄ", "x" * 3000 + "zzbad"]
)
def test_no_reply_hides_from_the_rules(reply):
    """No character that a model can write switches the rules off: the signal counts, whatever the model judge says."""
    outcome, _ = reviewed(
        reply, reviser=None, made=constitution(principle("signal-one", checks=[{"pattern": "zzbad"}]))
    )
    assert outcome.status == "blocked"
    assert "signal-one" in {v.principle for v in outcome.verdicts if v.violates}


@given(hostile_text)
def test_every_reply_ends_in_an_outcome(reply):
    """Whatever stands around it, a fixable match ends in a revised or a blocked outcome, never in an exception."""
    outcome, _ = reviewed(f"{reply} zzrisk", context=["Up 5%."])
    assert outcome.status in {"revised", "blocked"}
    assert "zzrisk" not in outcome.text


def test_rules_that_break_are_no_pass():
    """Where the rules cannot run, the model judge's approval does not release what they would have caught."""
    heavy = [principle(f"a-{n}", checks=[{"pattern": rf"[a-z]{{0,400}}x.{{0,400}}y{n}|zzbad"}]) for n in range(9)]
    outcome, _ = reviewed("It is zzbad.", made=constitution(*heavy), reviser=None)
    assert outcome.status == "blocked"


def test_a_fallback_in_the_users_language():
    """What is blocked gives the fallback in the language of the exchange."""
    outcome, _ = reviewed("It is safe.", judge=[finding("block-one")], prompt="安全ですか")
    assert outcome.text == MADE.fallback_in("ja") != MADE.fallback_in("en")


# Budgets


@pytest.mark.parametrize("budget", [Budget(calls=0), Budget(tokens=0)])
def test_no_budget_at_all(budget):
    """Without a budget for calls nothing is asked and nothing is released; the cause says why."""
    outcome, model = reviewed("It is safe.", budget=budget)
    assert (outcome.status, outcome.cause, outcome.usage.calls, model.requests) == ("blocked", "budget", 0, [])


def test_a_budget_used_up_half_way():
    """A review that runs out of calls before its revision is judged is blocked: nothing unjudged goes out."""
    outcome, model = reviewed(
        "It is safe.",
        judge=lambda _: finding("revise-one"),
        revise=lambda _: edits({1: "It can fall."}),
        budget=Budget(calls=2),
    )
    assert (outcome.status, outcome.cause, purposes(model)) == ("blocked", "budget", ["judge", "revise"])
    assert outcome.attempts[-1].draft == "It can fall."
    assert all(v.decision != "complies" or v.judge == "rules" for v in outcome.verdicts)


def test_a_budget_that_suffices():
    """A review within its budget is not touched by it."""
    outcome, _ = reviewed(
        "It is safe.",
        judge=[finding("revise-one"), clean()],
        revise=[edits({1: "It can fall."})],
        budget=Budget(calls=3, tokens=10**9),
    )
    assert (outcome.status, outcome.usage.calls) == ("revised", 3)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_no_time_left(asynchronous):
    """A review without time left asks nobody and releases nothing, with either driver."""
    model = ScriptedModel()
    step = review(Exchange("", "It is safe."), Setup(MADE, judges=(ModelJudge(model),)), "run-1")
    outcome = asyncio.run(arun(step, 0)) if asynchronous else run(step, 0)
    assert (outcome.status, outcome.cause, model.requests) == ("blocked", "budget", [])


def test_a_model_that_hangs_is_given_up():
    """A function that outlives the deadline is abandoned and counted, and the reply is blocked."""
    hanging = threading.Event()
    setup = Setup(MADE, judges=(ModelJudge(lambda request: hanging.wait() and ""),))
    outcome = run(review(Exchange("", "It is safe."), setup, "run-1"), 0.05)
    hanging.set()
    assert (outcome.status, outcome.cause, outcome.usage.abandoned) == ("blocked", "budget", 1)


# Drivers


ANSWERS = st.lists(
    st.one_of(
        READABLE.map(lambda pair: pair[0]),
        st.sampled_from(["?", clean(), ModelError("down"), RuntimeError("boom"), ModelReply("", stop="refusal")]),
    ),
    max_size=8,
)
EDITS = st.lists(
    st.one_of(revisions(), st.sampled_from(["?", ModelError("down"), ModelReply("{}", stop="length")])), max_size=5
)


@settings(max_examples=40)
@given(REPLIES, ANSWERS, EDITS)
def test_both_drivers_come_to_the_same(reply, judge, revise):
    """The sync and the async driver give the same outcome for the same answers, errors included."""

    def step():
        model = ScriptedModel(judge=judge, revise=revise)
        setup = Setup(MADE, judges=(ModelJudge(model),), reviser=ModelReviser(model))
        return review(Exchange("Safe?", reply), setup, "run-1")

    assert run(step()) == asyncio.run(arun(step()))


async def test_inside_a_running_loop():
    """The sync driver works inside a running event loop, in the loop's own thread."""
    assert reviewed("It is safe.")[0].status == "passed"


async def test_requests_of_one_round_run_together():
    """The requests of all judges are under way at the same time: each waits for the other here."""
    first, second = asyncio.Event(), asyncio.Event()

    def model(mine, other):
        async def answer(request):
            mine.set()
            await other.wait()
            return json.dumps(clean())

        return answer

    judges = (ModelJudge(model(first, second)), ModelJudge(model(second, first)))
    outcome = await arun(review(Exchange("", "It is safe."), Setup(MADE, judges=judges), "run-1"), 30)
    assert (outcome.status, outcome.usage.judge.calls) == ("passed", 2)


async def test_a_function_runs_off_the_loop():
    """A plain function judge runs in a thread of its own, never on the caller's event loop."""
    threads = []

    def judge(exchange, principle):
        threads.append(threading.current_thread())
        return Verdict(principle.id, Decision.COMPLIES, "f")

    setup = Setup(constitution("a-one"), judges=(FunctionJudge(judge, covers={"a-one"}),))
    assert (await arun(review(Exchange("", "It is safe."), setup, "run-1"))).status == "passed"
    assert run(review(Exchange("", "It is safe."), setup, "run-1")).status == "passed"
    assert len(threads) == 2
    assert threading.current_thread() not in threads
