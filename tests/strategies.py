"""What hypothesis draws of trails: runs with anything in them, and a byte that is not as it was."""

from datetime import UTC

from hypothesis import strategies as st
from trails import WORDING

from guardrails.audit import Run, uuid7
from guardrails.exchange import Exchange, Message
from guardrails.outcome import Attempt, Cause, Outcome, Status
from guardrails.sentences import Edit
from guardrails.verdict import Decision, Verdict

anything = st.text(st.characters(), max_size=30)  # lone surrogates and NUL included
ids = st.sampled_from(["no-promises", "balance", "fees"])
verdicts = st.lists(
    st.builds(
        Verdict, ids, st.sampled_from(Decision), ids, anything, st.just((1, 2)), st.none() | st.just(7), anything
    ),
    max_size=3,
).map(tuple)
attempts = st.lists(
    st.builds(
        Attempt,
        anything,
        verdicts,
        st.lists(st.builds(Edit, st.integers(1, 9), anything), max_size=2).map(tuple),
        st.none() | anything,
        ids,
        st.none() | st.just(0),
    ),
    max_size=3,
).map(tuple)


@st.composite
def runs(draw):
    outcome = Outcome(
        draw(st.sampled_from(Status)),
        draw(anything),
        uuid7(),
        WORDING,
        draw(anything),
        cause=draw(st.none() | st.sampled_from(Cause)),
        released=draw(anything),
        verdicts=draw(verdicts),
        attempts=draw(attempts),
        elapsed=draw(st.integers(0, 10**6)) / 10**6,
        enforced=draw(st.booleans()),
    )
    messages = draw(st.lists(st.builds(Message, st.sampled_from(["system", "user", "tool"]), anything), max_size=3))
    exchange = Exchange(messages, outcome.original, draw(st.lists(anything, max_size=2)))
    labels = draw(st.dictionaries(anything, anything, max_size=2))
    return Run(exchange, outcome, labels=labels, time=draw(st.datetimes(timezones=st.just(UTC))))


def flip(data, draw):
    """The same bytes but for one bit, which leaves ASCII ASCII."""
    place = draw(st.integers(0, len(data) - 1))
    return data[:place] + bytes([data[place] ^ draw(st.sampled_from([1, 2, 4, 8, 16]))]) + data[place + 1 :]
