"""Anthropic's wire format: requests, tool calls and streams, as dictionaries and as the SDK's objects."""

import json

import anthropic
import httpx2
import pytest
from anthropic.types import Message, RawMessageStreamEvent, ToolUseBlock
from anthropic.types.beta import BetaRawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from guardrails.dialects import ANTHROPIC
from guardrails.errors import UnsupportedReply

OBJECTS = TypeAdapter(RawMessageStreamEvent)
BETA = TypeAdapter(BetaRawMessageStreamEvent)
FORMS = {"dict": lambda event: event, "object": OBJECTS.validate_python, "beta": BETA.validate_python}
CITATION = {
    "type": "char_location",
    "cited_text": "It costs 0.2%.",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 14,
    "file_id": None,
}


@pytest.fixture(params=FORMS)
def form(request):
    return FORMS[request.param]


def start(**changes):
    usage = {"input_tokens": 5, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": [], "usage": usage}
    return {"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None, **changes}}


def opens(index, **block):
    return {"type": "content_block_start", "index": index, "content_block": block}


def grows(index, kind, **delta):
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def closes(index):
    return {"type": "content_block_stop", "index": index}


def ends(reason="end_turn"):
    delta = {"stop_reason": reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}}


def text_block(index, chunks, *, first="", cites=False):
    cited = [grows(index, "citations_delta", citation=CITATION)] if cites else []
    deltas = [grows(index, "text_delta", text=chunk) for chunk in chunks]
    return [opens(index, type="text", text=first), *deltas, *cited, closes(index)]


def thinking_block(index):
    signed = [grows(index, "thinking_delta", thinking="Hm."), grows(index, "signature_delta", signature="c2ln")]
    return [opens(index, type="thinking", thinking="", signature=""), *signed, closes(index)]


def tool_block(index, arguments):
    written = json.dumps(arguments)
    half = len(written) // 2
    pieces = [grows(index, "input_json_delta", partial_json=piece) for piece in ("", written[:half], written[half:])]
    return [opens(index, type="tool_use", id=f"t{index}", name="quote", input={}), *pieces, closes(index)]


def stream(*blocks):
    made = [event for index, block in enumerate(blocks) for event in block(index)]
    return [start(), *made, ends(), {"type": "message_stop"}]


word = st.text(st.characters(codec="utf-8"), max_size=8)
blocks = st.lists(
    st.one_of(
        st.builds(
            lambda chunks, first, cites: lambda index: text_block(index, chunks, first=first, cites=cites),
            st.lists(word, max_size=4),
            st.sampled_from(["", "So: "]),
            st.booleans(),
        ),
        st.just(thinking_block),
        st.dictionaries(word, word, max_size=2).map(lambda given: lambda index: tool_block(index, given)),
    ),
    max_size=4,
)
streams = blocks.map(lambda made: stream(*made))


def accumulated(events):
    """The message that the SDK's own `messages.stream` makes of the events."""
    dicts = [event if isinstance(event, dict) else event.to_dict() for event in events]
    lines = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in dicts)
    answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=lines.encode())
    with (
        httpx2.Client(transport=httpx2.MockTransport(lambda _: answer)) as http,
        anthropic.Anthropic(api_key="secret", http_client=http).messages.stream(
            model="m-1", max_tokens=5, messages=[{"role": "user", "content": "q"}]
        ) as made,
    ):
        return made.get_final_message()


def test_a_request_is_read_with_its_system_prompt_and_its_tools_results():
    """System prompts, first and in between, are system messages, and what a tool returned is no user's."""
    told = {"type": "text", "text": "Here it is."}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "0.2%"}]}
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Fees: 0.2%."}}
    exchange = ANTHROPIC.exchange(
        {
            "system": [{"type": "text", "text": "Be brief."}],
            "messages": [
                {"role": "user", "content": [document, {"type": "text", "text": "What does it cost?"}]},
                {"role": "assistant", "content": [ToolUseBlock(type="tool_use", id="t1", name="fee", input={"a": 1})]},
                {"role": "user", "content": [result, told]},
                {"role": "system", "content": "Answer now."},
            ],
        }
    )
    assert [(message.role, message.content) for message in exchange.messages] == [
        ("system", "Be brief."),
        ("user", "Fees: 0.2%.\nWhat does it cost?"),
        ("assistant", "[fee({'a': 1})]"),
        ("tool", "0.2%"),
        ("user", "Here it is."),
        ("system", "Answer now."),
    ]
    assert exchange.prompt == "Here it is."


def test_a_plain_request_is_read_too():
    """A system prompt and contents may be strings, and both may be missing."""
    exchange = ANTHROPIC.exchange({"system": "Be brief.", "messages": [{"role": "user", "content": "q"}]})
    assert [message.content for message in exchange.messages] == ["Be brief.", "q"]
    assert ANTHROPIC.exchange({}).messages == ()


def test_a_request_for_json_is_told_by_its_format():
    """An output format asks for data; an effort alone, or none, for prose."""
    wanted = {"type": "json_schema", "schema": {}}
    assert ANTHROPIC.asks_for_data({"output_config": {"format": wanted}})
    assert ANTHROPIC.asks_for_data({"output_format": wanted})
    assert not any(map(ANTHROPIC.asks_for_data, ({"output_config": {"effort": "low"}}, {"output_format": None}, {})))


@pytest.mark.parametrize("kind", ["tool_use", "server_tool_use", "mcp_tool_use"])
def test_tool_calls_of_a_message_are_texts(kind):
    """A call is its name and its arguments as JSON, in the letters that they were meant in."""
    block = {"type": kind, "id": "t1", "name": "mail", "input": {"body": "損はない"}}
    (choice,) = ANTHROPIC.choices({"type": "message", "role": "assistant", "content": [block]})
    assert choice.calls == ('mail({"body": "損はない"})',)
    assert choice.is_silent


@given(streams, st.sampled_from(sorted(FORMS)))
def test_reading_and_releasing_a_stream_changes_nothing(events, name):
    """Every event goes out as the very object that came in; the texts and calls are those of the whole message."""
    events = [FORMS[name](event) for event in events]
    reader = ANTHROPIC.events()
    said = [reader.read(event) for event in events]
    assert all(reader.out(event) is event for event in events)
    (choice,) = ANTHROPIC.choices(accumulated(events).to_dict())
    assert "".join(f"\n\n{one.text}" if one.apart else one.text for one in said) == choice.text
    assert reader.calls(0) == choice.calls
    assert [one.last for one in said].count(True) == 1
    assert not any(one.failed for one in said)


@given(streams.filter(lambda events: any(ANTHROPIC.events().read(event).text for event in events)))
def test_a_revised_stream_accumulates_to_the_revised_message(events):
    """A new text in the first text event, none in the others and an appended one behind the last make one message."""
    reader, out, texts = ANTHROPIC.events(), [], []
    said = [reader.read(event) for event in events]
    spoken = [number for number, one in enumerate(said) if one.text]
    for number, event in enumerate(events):
        if said[number].describes:
            continue
        kept = reader.with_text(event, "New." if number == spoken[0] else "") if number in spoken else event
        out += [] if kept is None else [reader.out(kept)]
        if number == spoken[-1]:
            out.append(reader.out(reader.with_text(event, " More.")))
            texts = ["New.", " More."]
    (choice,) = ANTHROPIC.choices(accumulated(out).to_dict())
    assert "".join(choice.texts) == "".join(texts)


@given(streams, st.data(), st.sampled_from(sorted(FORMS)))
def test_a_fallback_ends_the_stream_wherever_it_stops(events, data, name):
    """After any beginning of a stream the fallback closes what is open, and the SDK makes a whole message of it."""
    events = [FORMS[name](event) for event in events]
    cut = data.draw(st.integers(0, len(events) - 2))
    seen = data.draw(st.integers(cut, len(events) - 2))
    reader = ANTHROPIC.events()
    said = [reader.read(event).text for event in events[:seen]]
    released = [reader.out(event) for event in events[:cut]]
    made = reader.fallback("We cannot answer that.")
    assert {type(event) for event in made} <= {dict} or name != "dict"
    message = accumulated([*released, *made])
    text = "".join(block.text for block in message.content if block.type == "text")
    before = "".join(said[:cut])
    assert text == before + ("\n\n" if before.strip() else "") + "We cannot answer that."
    assert message.stop_reason == "end_turn"
    kinds = [event["type"] if isinstance(event, dict) else event.type for event in [*released, *made]]
    assert kinds.count("content_block_start") == kinds.count("content_block_stop")
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]


def test_a_fallback_keeps_the_message_and_the_usage_that_were_read(form):
    """Its events are of the stream's own kind, begin with the message's own start and carry the usage read last."""
    reader, first = ANTHROPIC.events(), form(start())
    for event in (first, *map(form, text_block(0, ["A."])), form(ends())):
        reader.read(event)
    made = reader.fallback("No.")
    assert made[0] is first
    assert {type(event).__module__.rpartition(".")[0] for event in made} == {type(first).__module__.rpartition(".")[0]}
    assert accumulated(made).usage.output_tokens == 7
    assert accumulated(made).id == "msg_1"


def test_a_fallback_of_an_empty_stream_is_a_message_all_the_same():
    """Where nothing was read, the message is made up, and says nothing but the fallback."""
    message = accumulated(ANTHROPIC.events().fallback("No."))
    assert isinstance(message, Message)
    assert message.content[0].text == "No."


def test_blocks_may_overlap_and_the_fallback_closes_each(form):
    """Servers that close their blocks at the end are read too (llama.cpp does)."""
    reader = ANTHROPIC.events()
    events = [start(), opens(0, type="thinking", thinking="", signature=""), opens(1, type="text", text="")]
    for event in map(form, [*events, grows(1, "text_delta", text="A.")]):
        reader.read(event)
        reader.out(event)
    made = [event if isinstance(event, dict) else event.to_dict() for event in reader.fallback("No.")]
    assert [(event["type"], event.get("index")) for event in made[:3]] == [
        ("content_block_stop", 0),
        ("content_block_delta", 1),
        ("content_block_stop", 1),
    ]


def test_what_is_appended_to_a_block_that_began_with_all_its_text_goes_on_with_it(form):
    """Where the start of a block held the last text, what comes behind it is a delta and no second start."""
    reader, event = ANTHROPIC.events(), form(opens(0, type="text", text="A."))
    assert reader.read(event).whole
    reader.out(event)
    added = reader.out(reader.with_text(event, " B."))
    added = added if isinstance(added, dict) else added.to_dict()
    assert added == grows(0, "text_delta", text=" B.")


def test_each_event_says_what_it_adds(form):
    """Citations describe, a text block's end ends its part, a tool's block is a call, a stop reason is the last."""
    reader = ANTHROPIC.events()
    told = {
        name: [reader.read(form(event)) for event in events]
        for name, events in {
            "text": text_block(0, ["A."], cites=True),
            "tool": tool_block(1, {"a": 1}),
            "thinking": thinking_block(2),
            "open": [ends(None)],
            "end": [ends()],
        }.items()
    }
    assert [one.text for one in told["text"]] == ["", "A.", "", ""]
    assert [one.describes for one in told["text"]] == [False, False, True, False]
    assert [one.ends_part for one in told["text"]] == [False, False, False, True]
    assert all(one.call for one in told["tool"])
    assert not any(one.call or one.text or one.ends_part for one in told["thinking"])
    assert [told["open"][0].last, told["end"][0].last] == [False, True]


def test_an_error_in_mid_stream_has_failed_and_a_ping_has_not():
    """What the provider reports is told apart from what says nothing."""
    reader = ANTHROPIC.events()
    assert reader.read({"type": "error", "error": {"type": "overloaded_error"}}).failed
    assert reader.read({"type": "ping"}) == reader.read({"type": "message_stop"})


def test_a_call_that_was_cut_off_is_a_text_as_far_as_it_came():
    """Arguments that are no JSON yet stand as they came."""
    reader = ANTHROPIC.events()
    for event in tool_block(0, {"a": "b"})[:3]:
        reader.read(event)
    assert reader.calls(0) == ('quote({"a":)',)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "brand_new"},
        {"type": None},
        "data",
        {},
        opens(0, type="compaction", content="SECRET"),
        opens(0, type="brand_new_block", text="SECRET"),
        opens(0, type="text", text=None),
        opens(0, type="text", text="SECRET", citations=[CITATION]),
        opens(None, type="text", text="SECRET"),
        grows(0, "compaction_delta", content="SECRET"),
        grows(0, "brand_new_delta", text="SECRET"),
        grows(0, "text_delta", text=["SECRET"]),
        start(content=[{"type": "text", "text": "SECRET"}]),
    ],
)
def test_what_may_hold_text_that_cannot_be_judged_is_refused(event):
    """An unknown event, block or growth is an error that names no text."""
    with pytest.raises(UnsupportedReply) as caught:
        ANTHROPIC.events().read(event)
    assert "SECRET" not in str(caught.value)


def test_text_that_goes_on_in_an_earlier_block_is_refused():
    """What is judged is the text in the order of arrival, so that has to be the order in which it is read."""
    reader = ANTHROPIC.events()
    reader.read(opens(0, type="text", text="A."))
    reader.read(opens(1, type="text", text="B."))
    with pytest.raises(UnsupportedReply):
        reader.read(grows(0, "text_delta", text="C."))


@pytest.mark.parametrize(
    "event",
    [
        opens(1, type="thinking", thinking="", signature=""),
        opens(2, type="tool_use", id="t", name="f", input={}),
        {**opens(2, type="text", text="C."), "index": True},
        opens(-1, type="tool_use", id="t", name="f", input={}),
    ],
)
def test_a_block_that_would_part_what_was_judged_as_one_text_is_refused(event):
    """What comes late between two texts would stand there in the message that a reader sees."""
    reader = ANTHROPIC.events()
    reader.read(opens(0, type="text", text="A."))
    reader.read(opens(2, type="text", text="B."))
    with pytest.raises(UnsupportedReply):
        reader.read(event)


def test_a_text_in_a_block_that_is_none_is_refused():
    """A reader would see it nowhere, or beside a call."""
    reader = ANTHROPIC.events()
    reader.read(opens(0, type="tool_use", id="t", name="f", input={}))
    with pytest.raises(UnsupportedReply):
        reader.read(grows(0, "text_delta", text="A."))
