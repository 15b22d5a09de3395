"""Streams: nothing unjudged comes out, nothing that came out is taken back, and everything is recorded first."""

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st
from support import constitution, hostile_text, principle

from guardrails._lane import Lane
from guardrails._setup import Setup
from guardrails._streaming import Drop, Emit, Ended, Heard, Judge, Judged, Keep, Next, Stream
from guardrails.dialects import ANTHROPIC, TEXT
from guardrails.errors import Blocked
from guardrails.exchange import Exchange
from guardrails.models import Ask, Done, Failure, ModelReply, ModelRequest, advance
from guardrails.outcome import Outcome, Status
from guardrails.revisers import Revision, editable
from guardrails.sentences import Edit
from guardrails.verdict import Decision, Verdict

SENTENCES = st.sampled_from([
    "It costs 0.2%. ", "It fell (see p. 4. It says so). ", 'She said "It is safe. Really." and left. ',
    "Really? ",
    "価格は変動します。", "「大丈夫です。安全です。」と言った。", "- An item\n", "```\ncode. Code.\n```\n",
    "No end ", "\n\n",
    "In 15 F. Supp. 3d 100 it did. ", "| a | b |\n",
])  # fmt: skip
TEXTS = st.one_of(hostile_text, st.lists(SENTENCES, max_size=12).map("".join))


class Slow:
    """A model that nobody asks for real: the test answers in its place, when it likes."""

    name = "slow"


@dataclass
class Fickle:
    """A judge that takes its time and decides anything; it remembers which replies it let through."""

    draw: object
    name: str = "fickle"
    clean: list = field(default_factory=list)

    def covers(self, _):
        return True

    def judge(self, exchange, principles):
        (answer,) = yield [Ask(Slow(), ModelRequest("judge", "", ()))]
        if isinstance(answer, Failure):
            return [Verdict(p.id, Decision.UNDECIDED, self.name, failed=True, reason="down") for p in principles]
        count = len(exchange.sentences)
        found = []
        for one in principles:
            if self.draw(st.integers(0, 4)) == 0:
                cited = self.draw(st.lists(st.integers(max(count - 2, 1), count), max_size=2)) if count else []
                found.append(Verdict(one.id, Decision.VIOLATES, self.name, sentences=tuple(sorted(set(cited)))))
        if not found:
            self.clean.append(exchange.reply)
        named = {verdict.principle for verdict in found}
        return found + [Verdict(p.id, Decision.COMPLIES, self.name) for p in principles if p.id not in named]


@dataclass
class Mender:
    """A reviser that replaces, deletes and appends."""

    draw: object
    name: str = "mender"

    def revise(self, task):
        (answer,) = yield [Ask(Slow(), ModelRequest("revise", "", ()))]
        if isinstance(answer, Failure):
            return Revision(reviser=self.name, problem="down", failed=True)
        texts = st.sampled_from(["It may fall.", "", "Ask us. Or do not.", "価格は下がります。"])
        edits = tuple(Edit(number, self.draw(texts)) for number in sorted(editable(task)))
        append = self.draw(st.sampled_from([None, None, "Ask a doctor."]))
        return Revision(edits, append, self.name)


@dataclass
class Told:
    """What came of conducting a stream: what came out, in which pieces, and what was recorded before each."""

    out: list = field(default_factory=list)
    kept: list = field(default_factory=list)
    blocked: bool = False

    @property
    def text(self):
        return "".join(self.out)


class Schedule:
    """Any order in which chunks and the answers to a judgement's requests may come."""

    def __init__(self, chunks, draw):
        self.left, self.draw, self.flying = list(chunks), draw, None

    def judge(self, step):
        self.flying = (step, advance(step))

    def next(self):
        """At each wait, the next chunk or the judgement's next answer."""
        while self.flying and not isinstance(self.flying[1], Done) and (not self.left or self.draw(st.booleans())):
            step, requests = self.flying
            self.flying = (step, advance(step, [_answer(self.draw) for _ in requests]))
        if self.flying and isinstance(self.flying[1], Done):
            (_, done), self.flying = self.flying, None
            return Judged(done.value)
        return Heard(self.left.pop(0)) if self.left else Ended()


def conduct(stream, chunks, draw, seen=lambda told: None):
    """Conduct a stream with an arbitrary schedule."""
    told, schedule = Told(), Schedule(chunks, draw)
    steps, happened = stream.conduct(), None
    with suppress(StopIteration):
        while True:
            try:
                command = steps.send(happened)
            except Blocked:
                told.blocked = True
                return told
            happened = schedule.next() if isinstance(command, Next) else None
            if isinstance(command, Emit):
                for event in command.events:
                    told.out.append(event)
                    seen(told)
            elif isinstance(command, Keep):
                told.kept.append(command.what)
            elif isinstance(command, Judge):
                schedule.judge(command.step)
            elif isinstance(command, Drop):
                schedule.flying = None
    return told


def _answer(draw):
    return Failure("error", "down") if draw(st.integers(0, 11)) == 0 else ModelReply("")


def cut(draw, text):
    """Any chunking of a text."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def dense(text):
    """A text without its white space: a revision may set what follows it apart in another way."""
    return "".join(text.split())


def made(*principles, **fields):
    return constitution(*principles, **fields)


def opened(setup, prompt="Well?", *, raises=False):
    clock = count().__next__  # a judgement takes as long as it takes steps
    return Stream(lambda: Lane(Exchange(prompt), setup, "run-1"), TEXT.events(), raises=raises, clock=clock)


@settings(max_examples=300)
@given(st.data(), TEXTS)
def test_nothing_unjudged_comes_out(data, text):
    """Any chunking of any text, any schedule of slow, failing and violating judgements."""
    rules = made(principle("a-one"), principle("a-two", scope="reply"), settings={"exhausted": ["append", "block"]})
    judge = Fickle(data.draw)
    setup = Setup(rules, judges=(judge,), reviser=Mender(data.draw), max_revisions=data.draw(st.integers(0, 2)))
    stream = opened(setup, raises=data.draw(st.booleans()))

    def seen(told):
        released = [w.released for w in told.kept if not isinstance(w, Outcome)]
        outcome = next((w for w in told.kept if isinstance(w, Outcome)), None)
        if outcome is None:
            assert told.text.startswith("".join(released)[: len(told.text)])
            assert len(told.text) <= len("".join(released))
        if outcome is None or not outcome.blocked:
            assert any(dense(reply).startswith(dense(told.text)) for reply in judge.clean) or not dense(told.text)

    told = conduct(stream, cut(data.draw, text), data.draw, seen)
    (outcome,) = stream.outcomes
    assert told.kept[-1] is outcome
    assert text.startswith(outcome.original) if outcome.blocked else outcome.original == text
    if not outcome.blocked:
        assert told.text == outcome.text == outcome.released
        assert (outcome.status is Status.PASSED) == (told.text == text)
    elif told.blocked:
        assert told.text == outcome.released
    else:
        assert told.text == outcome.released + (("\n\n" if outcome.released.strip() else "") + outcome.text)
    windows = [w for w in told.kept if not isinstance(w, Outcome)]
    assert outcome.released.startswith("".join(w.released for w in windows).rstrip())
    assert [w.number for w in windows] == list(range(1, len(windows) + 1))


@settings(max_examples=100)
@given(st.data(), TEXTS)
def test_what_passes_comes_out_as_it_came(data, text):
    """Where nothing is wrong, the text is the same, whatever the chunks and the schedule."""
    judge = Fickle(lambda strategy: 1)
    setup = Setup(made(principle("a-one")), judges=(judge,))
    chunks = cut(data.draw, text)
    stream = opened(setup)
    schedule = st.booleans()
    told = conduct(stream, chunks, lambda strategy: data.draw(schedule) if strategy is not None else 1)
    (outcome,) = stream.outcomes
    if not outcome.blocked:
        assert told.text == text == outcome.text
        assert outcome.status is Status.PASSED


def anthropic_events(draw, text):
    """A message in content blocks: prose cut anywhere, with thinking and tool calls between some of them."""
    yield {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}}
    index = 0
    for part in cut(draw, text):
        if draw(st.integers(0, 3)) == 0:
            other = draw(st.sampled_from([{"type": "thinking", "thinking": ""}, {"type": "tool_use", "name": "f"}]))
            yield {"type": "content_block_start", "index": index, "content_block": other}
            yield {"type": "content_block_stop", "index": index}
            index += 1
        yield {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}
        for piece in cut(draw, part):
            delta = {"type": "text_delta", "text": piece}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
        index += 1
    if draw(st.integers(0, 9)):
        yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}
        yield {"type": "message_stop"}


def told_by(events):
    """The text that a reader of these events gets, if they are in order."""
    text, opened = "", set()
    for event in events:
        if event["type"] == "content_block_start":
            opened.add(event["index"])
            text += event["content_block"].get("text", "")
        elif event["type"] == "content_block_delta":
            assert event["index"] in opened
            text += event["delta"]["text"]
        elif event["type"] == "content_block_stop":
            opened.remove(event["index"])
        elif event["type"] == "message_delta":
            assert not opened
    return text


@settings(max_examples=150)
@given(st.data(), TEXTS)
def test_events_come_out_in_order_and_say_what_the_outcome_says(data, text):
    """The same of a provider's events: what comes out is well-formed, judged in full, and what the outcome says."""
    judge = Fickle(data.draw)
    rules = made(principle("a-one"), principle("a-two", scope="reply"), settings={"exhausted": ["append", "block"]})
    setup = Setup(rules, judges=(judge,), reviser=Mender(data.draw), max_revisions=data.draw(st.integers(0, 2)))
    raises = data.draw(st.booleans())
    stream = Stream(
        lambda: Lane(Exchange("Well?"), setup, "run-1"),
        ANTHROPIC.events(),
        raises=raises,
        clock=count().__next__,
    )
    events = list(anthropic_events(data.draw, text))
    told = conduct(stream, events, data.draw)
    (outcome,) = stream.outcomes
    said = told_by(told.out)
    if outcome.blocked:
        assert dense(said).startswith(dense(outcome.released))
        assert dense(said) == dense(outcome.released) + ("" if raises else dense(outcome.text))
    else:
        assert dense(said) == dense(outcome.text)
        assert any(dense(reply) == dense(said) for reply in judge.clean) or not text.strip()
        assert told.out[-1]["type"] == "message_stop"
    if outcome.status is Status.PASSED:
        assert said == text
