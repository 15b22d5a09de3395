"""Chat completions in isolation: requests, whole replies and streams of chunks, as objects and as dictionaries."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from support import hostile_text

from guardrails.dialects import CHAT
from guardrails.dialects._shape import get
from guardrails.errors import UnsupportedReply
from guardrails.exchange import Message

ENVELOPE = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "system_fingerprint": "fp"}
FUNCTION = {"id": "t1", "type": "function", "function": {"name": "quote", "arguments": '{"fund": 1}'}}
CUSTOM = {"id": "t2", "type": "custom", "custom": {"name": "run", "input": "a b"}}


@pytest.fixture(params=["dict", "object"])
def made(request):
    """Makes chunks of both shapes."""
    return dict if request.param == "dict" else as_object


def as_object(data):
    """As the SDK makes it of what a server sent, valid or not."""
    return ChatCompletionChunk.model_construct(**data)


def chunk(finish=None, index=0, choice=None, top=None, **delta):
    one = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish, **(choice or {})}
    return {**ENVELOPE, "choices": [one], **(top or {})}


def usage():
    return {**ENVELOPE, "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}


def plain(event):
    return event if isinstance(event, dict) else event.to_dict()


def delta_of(event):
    return {name: held for name, held in plain(event)["choices"][0]["delta"].items() if held is not None}


def said(event):
    return CHAT.events().read(event)


# Requests.


def test_the_exchange_holds_every_message():
    """Instructions, parts, tools' results, calls of every kind and refusals: all that was sent is judged."""
    calls = [FUNCTION, CUSTOM]
    body = {
        "model": "m-1",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {}}]},
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": "t1", "content": "Fee 0.2%."},
            {"role": "assistant", "content": "Hm.", "function_call": {"name": "old", "arguments": "{}"}},
            {"role": "function", "name": "old", "content": "7"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        ],
    }
    before = json.dumps(body)
    exchange = CHAT.exchange(body)
    assert exchange.messages == (
        Message("system", "Be brief."),
        Message("system", "Be kind."),
        Message("user", "Look:\n[image_url]"),
        Message("assistant", '[quote({"fund": 1})]\n[run(a b)]'),
        Message("tool", "Fee 0.2%."),
        Message("assistant", "Hm.\n[old({})]"),
        Message("tool", "7"),
        Message("assistant", "No."),
    )
    assert json.dumps(body) == before
    assert CHAT.exchange({}).messages == ()


@pytest.mark.parametrize(
    ("asked", "data"),
    [
        (None, False),
        ({"type": "text"}, False),
        ({"type": "json_object"}, True),
        ({"type": "json_schema", "json_schema": {}}, True),
        ({"type": "grammar"}, True),
    ],
)
def test_a_response_format_asks_for_data(asked, data):
    """Anything but text: a fallback would be no such reply."""
    assert CHAT.asks_for_data({"messages": [], "response_format": asked}) is data
    assert CHAT.asks_for_data({"messages": []}) is False


# Whole replies.


def completion(**message):
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": None, **message}}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "m-1", "choices": [choice]}


@pytest.mark.parametrize("shape", [dict, ChatCompletion.model_validate])
def test_tool_calls_are_read_as_text(shape):
    """Functions, custom tools and the old function call; a choice of nothing else is silent."""
    (choice,) = CHAT.choices(shape(completion(tool_calls=[FUNCTION, CUSTOM])))
    assert choice.calls == ('quote({"fund": 1})', "run(a b)")
    assert choice.is_silent
    (choice,) = CHAT.choices(shape(completion(content="Hm.", function_call={"name": "old", "arguments": "{}"})))
    assert (choice.text, choice.calls, choice.is_silent) == ("Hm.", ("old({})",), False)


def test_a_tool_call_of_an_unknown_kind_is_refused():
    """It may hold prose."""
    with pytest.raises(UnsupportedReply, match="tool call"):
        CHAT.choices(completion(tool_calls=[{"id": "t", "type": "speech", "speech": {"text": "Hello."}}]))
    with pytest.raises(UnsupportedReply, match="tool call"):
        said(chunk(tool_calls=[{"index": 0, "type": "speech"}]))


# Streams, event by event.


def test_what_a_chunk_says(made):
    """Text, refusals, calls, the end, and what is none of these."""

    def read(event):
        found = said(made(event))
        return found.text, found.choice, found.call, found.last, found.whole

    assert read(chunk(role="assistant", content="")) == ("", 0, False, False, False)
    assert read(chunk(content="Hi.")) == ("Hi.", 0, False, False, False)
    assert read(chunk(index=2, refusal="No.")) == ("No.", 2, False, False, False)
    assert read(chunk(role="assistant", content="Hi.")) == ("Hi.", 0, False, False, True)
    assert read(chunk(tool_calls=[{"index": 0, **FUNCTION}])) == ("", 0, True, False, False)
    assert read(chunk(function_call={"name": "f", "arguments": "{}"})) == ("", 0, True, False, False)
    assert read(chunk("stop")) == ("", 0, False, True, False)
    assert read(chunk("stop", content="Hi.")) == ("Hi.", 0, False, True, True)
    assert read(chunk(reasoning_content="Hm, certain.")) == ("", 0, False, False, False)
    assert read(usage()) == ("", 0, False, False, False)
    assert read(chunk(content="Hi.", choice={"logprobs": {"content": [], "refusal": None}}))[4]
    assert said(made(chunk(annotations=[{"type": "url_citation"}]))).describes
    assert said(made(chunk("stop"))).ends_part


def test_providers_own_fields_pass(made):
    """A content filter's report before and after the text, moderation, timings."""
    report = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": []}
    assert said(made(report)).text == ""
    late = {**report, "choices": [{"index": 0, "finish_reason": None, "content_filter_results": {}}]}
    assert said(late).text == ""
    assert said(made(chunk(content="Hi.", top={"timings": {"n": 1}, "moderation": None}))).text == "Hi."


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_text.delta", "delta": "Hi."},
        {"object": "text_completion", "choices": [{"index": 0, "text": "Hi."}]},
        {"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi."}}]},
        {"object": "error", "message": "Hi."},
        {**ENVELOPE, "choices": None},
        {**ENVELOPE, "choices": [*chunk(content="a")["choices"], *chunk(index=1, content="b")["choices"]]},
        chunk(content=[{"type": "text", "text": "Hi."}]),
        chunk(content="Hi.", refusal="No."),
        chunk(audio={"data": "…", "transcript": "Hi."}),
        chunk(index="0", content="Hi."),
        chunk(index=-1, content="Hi."),
        chunk(index=True, content="Hi."),
        chunk(choice={"message": {"content": "Hi."}}),
        chunk(choice={"text": "Hi."}),
        "Hi.",
        None,
    ],
)
def test_what_cannot_be_judged_is_refused(event):
    """Unknown events, several choices in one chunk, audio: closed by default, and the error quotes nothing."""
    with pytest.raises(UnsupportedReply) as caught:
        said(event)
    assert "Hi." not in str(caught.value)


def test_an_error_in_mid_stream_is_a_failure():
    """The provider's error is no text; a chunk that holds text as well is read as what it says."""
    error = {"error": {"message": "overloaded", "code": 500}}
    assert said(error).failed
    assert said({**chunk("error", content="", top=error)}).failed
    told = said({**chunk("error", content="Hi.", top=error)})
    assert (told.failed, told.text) == (False, "Hi.")


def test_calls_are_gathered_from_their_pieces(made):
    """By choice and by index, however they are cut."""
    events = CHAT.events()
    pieces = [
        {"index": 0, "id": "t1", "type": "function", "function": {"name": "quote", "arguments": ""}},
        {"index": 1, "id": "t2", "type": "function", "function": {"name": "sell", "arguments": '{"a'}},
        {"index": 0, "function": {"arguments": '{"x": '}},
        {"index": 0, "function": {"arguments": "1}"}},
        {"index": 1, "function": {"arguments": '": 2}'}},
    ]
    for piece in pieces:
        assert events.read(made(chunk(tool_calls=[piece]))).call
    events.read(made(chunk(index=1, function_call={"name": "old", "arguments": "{"})))
    events.read(made(chunk(index=1, function_call={"arguments": "}"})))
    events.read({**chunk(index=2), "choices": [{"index": 2, "delta": {"tool_calls": [{"index": 0, **CUSTOM}]}}]})
    assert events.calls(0) == ('quote({"x": 1})', 'sell({"a": 2})')
    assert events.calls(1) == ("old({})",)
    assert events.calls(2) == ("run(a b)",)
    assert events.calls(3) == ()


def test_another_text_drops_what_described_the_old_one(made):
    """Log-probabilities, annotations and a provider's own fields go; ids, role and stop reason stay."""
    logprobs = {"content": [{"token": "cert", "logprob": -0.1, "top_logprobs": []}], "refusal": None}
    extra = {"verbose": {"content": "It is certain."}}
    event = made(chunk("stop", choice={"logprobs": logprobs}, top=extra, role="assistant", content="It is certain."))
    changed = CHAT.events().with_text(event, "It is possible.")
    assert type(changed) is type(event)
    data = plain(changed)
    assert "certain" not in json.dumps(data)
    assert data["choices"][0]["delta"] == {"role": "assistant", "content": "It is possible."}
    assert (data["id"], data["choices"][0]["finish_reason"]) == ("c1", "stop")
    assert "It is certain." in json.dumps(plain(event))


def test_no_text_leaves_what_else_a_chunk_holds(made):
    """A chunk of text alone goes; a role, calls, the usage and the stop reason stay."""
    events = CHAT.events()
    assert events.with_text(made(chunk(content="Hi.")), "") is None
    logprobs = {"content": [{"token": "Hi", "logprob": -0.1, "top_logprobs": []}], "refusal": None}
    assert events.with_text(made(chunk(content="Hi.", choice={"logprobs": logprobs})), "") is None
    ended = plain(events.with_text(made(chunk("stop", content="Hi.")), ""))
    assert ended["choices"][0]["finish_reason"] == "stop"
    assert plain(events.with_text(made(chunk(role="assistant", content="Hi.")), ""))["choices"][0]["delta"] == {
        "role": "assistant",
        "content": "",
    }
    assert "usage" in plain(events.with_text(made({**chunk(content="Hi."), "usage": usage()["usage"]}), ""))
    assert events.with_text(made(chunk(content="Hi.", tool_calls=[{"index": 0, **FUNCTION}])), "") is not None


def test_a_refusal_stays_one(made):
    """A revised refusal is not turned into content."""
    delta = plain(CHAT.events().with_text(made(chunk(refusal="No, certain.")), "No."))["choices"][0]["delta"]
    assert delta["refusal"] == "No."
    assert not delta.get("content")


@pytest.mark.parametrize("revised", [False, True])
def test_what_is_appended_repeats_neither_role_nor_call(made, revised):
    """The last text once more, with other words and nothing else: SDKs would add the roles up."""
    events = CHAT.events()
    event = made(chunk(role="assistant", content="It fell.", tool_calls=[{"index": 0, **FUNCTION}]))
    events.read(event)
    events.out(events.with_text(event, "It rose.") if revised else event)
    other = made(chunk(index=1, role="assistant", content="It fell."))
    events.read(other)
    assert delta_of(events.with_text(event, " Ask us.")) == {"content": " Ask us."}
    assert delta_of(events.with_text(other, "No.")) == {"role": "assistant", "content": "No."}


# The end of a blocked stream.


def ended(events, text="We cannot say."):
    return [(get(one, "choices", 0, "index"), delta_of(one)) for one in map(plain, events.fallback(text))]


def test_a_fallback_begins_the_reply_where_nothing_went_out(made):
    """A role, the text and a stop reason, in chunks of the same class, id and model."""
    events = CHAT.events()
    event = made(chunk(role="assistant", content=""))
    events.read(event)
    events.read(made(chunk(content="A secret.")))
    events.read(made(usage()))
    events.out(event)
    first, last = events.fallback("We cannot say.")
    assert type(first) is type(event)
    assert delta_of(first) == {"role": "assistant", "content": "We cannot say."}
    assert (delta_of(last), plain(last)["choices"][0]["finish_reason"]) == ({}, "stop")
    assert all(plain(one)[name] == value for one in (first, last) for name, value in ENVELOPE.items())
    if not isinstance(first, dict):
        assert first.choices[0].delta.content == "We cannot say."
        assert last.choices[0].finish_reason == "stop"


def test_a_fallback_follows_what_went_out(made):
    """On a line of its own, with no second role."""
    events = CHAT.events()
    event = made(chunk(role="assistant", content="Fine."))
    events.read(event)
    events.out(event)
    assert ended(events) == [(0, {"content": "\n\nWe cannot say."}), (0, {})]


def test_a_fallback_is_the_first_choices(made):
    """Whatever the other choices said."""
    events = CHAT.events()
    event = made(chunk(index=1, content="Fine."))
    events.read(event)
    events.out(event)
    assert ended(events) == [(0, {"role": "assistant", "content": "We cannot say."}), (0, {}), (1, {})]


def test_a_fallback_ends_every_choice_that_has_begun(made):
    """Each with a stop reason, and none that nothing was seen of."""
    events = CHAT.events()
    for event in (made(chunk(index=index, role="assistant", content="")) for index in (2, 0)):
        events.read(event)
        events.out(event)
    events.read(made(chunk(index=1, content="A secret.")))
    made_last = [plain(event)["choices"][0] for event in events.fallback("We cannot say.")]
    assert [(one["index"], one.get("finish_reason")) for one in made_last] == [(0, None), (0, "stop"), (2, "stop")]


def test_a_fallback_needs_no_chunk_before_it():
    """A stream that broke before it began ends properly all the same."""
    assert ended(CHAT.events()) == [(0, {"role": "assistant", "content": "We cannot say."}), (0, {})]


# Any stream.

deltas = st.one_of(
    hostile_text.map(lambda text: {"content": text}),
    hostile_text.map(lambda text: {"refusal": text}),
    hostile_text.map(lambda text: {"reasoning_content": text}),
    st.just({"role": "assistant", "content": ""}),
    st.just({"tool_calls": [{"index": 0, **FUNCTION}]}),
    st.just({}),
)
chunks = st.builds(
    lambda delta, index, finish, top: chunk(finish, index, top=top, **delta),
    deltas,
    st.integers(0, 2),
    st.sampled_from([None, None, "stop", "length", "tool_calls"]),
    st.sampled_from([{}, {"usage": None}, {"extra": {"a": [1]}}]),
)


def goes_back(stream):
    """Whether a choice says content after a refusal."""
    refused = set()
    for one in (held for event in stream for held in event["choices"]):
        refused.update({one["index"]} if one["delta"].get("refusal") else ())
        if one["delta"].get("content") and one["index"] in refused:
            return True
    return False


@given(
    st.lists(st.one_of(chunks, st.builds(usage)), max_size=12).filter(lambda stream: not goes_back(stream)),
    st.booleans(),
)
def test_reading_and_letting_out_changes_nothing(stream, objects):
    """Every event goes out as the very object it came as, with the same content; its text is read in full."""
    given_events = [as_object(one) if objects else one for one in stream]
    before = [repr(event) for event in given_events]
    events = CHAT.events()
    texts = [events.read(event).text for event in given_events]
    assert all(events.out(event) is event for event in given_events)
    assert [repr(event) for event in given_events] == before
    deltas = [one["choices"][0]["delta"] if one["choices"] else {} for one in stream]
    assert texts == [delta.get("content") or delta.get("refusal") or "" for delta in deltas]


@given(chunks.filter(lambda one: said(one).text), hostile_text.filter(bool), st.booleans())
def test_another_text_is_read_back(one, text, objects):
    """A revised chunk says the new text, in the same choice, and ends what the old one ended."""
    event = as_object(one) if objects else one
    old, new = said(event), said(CHAT.events().with_text(event, text))
    assert (new.text, new.choice, new.last, new.call) == (text, old.choice, old.last, old.call)
