"""OpenAI's Responses API: whole responses and streams of events, as dictionaries and as the SDK's own objects."""

import json
from typing import get_args

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseOutputItem, ResponseStreamEvent
from pydantic import BaseModel
from support import hostile_text

from guardrails.dialects import RESPONSES
from guardrails.dialects._responses_events import CALLS, SILENT, ResponsesEvents
from guardrails.dialects._responses_items import NOT_PROSE
from guardrails.errors import UnsupportedReply
from guardrails.exchange import Message

CITED = {"type": "url_citation", "start_index": 0, "end_index": 1, "title": "t", "url": "https://example.org"}
LOGPROB = {"token": "A", "bytes": [65], "logprob": -0.1, "top_logprobs": []}
THINKING = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "A gain is certain."}]}
CALL = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "quote", "arguments": '{"at": 1}'}
HEAD = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-6-luna",
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "tools": [],
    "instructions": "Be kind.",
    "usage": None,
    "error": None,
    "incomplete_details": None,
}


def text_part(text, **changes):
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **changes}


def message(*parts, **changes):
    return {
        "id": "msg_a",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": list(parts),
        **changes,
    }


def response(*output, **changes):
    return {**HEAD, "status": "completed", "output": list(output), **changes}


REPLY = response(
    THINKING,
    message(
        text_part("A gain is certain. ", annotations=[CITED], logprobs=[LOGPROB]),
        text_part("Costs are low. ", annotations=[CITED]),
        phase="commentary",
    ),
    CALL,
    message({"type": "refusal", "refusal": "I may not say more."}, id="msg_b"),
)


@pytest.fixture(params=["object", "dict"])
def shape(request):
    return (lambda data: data) if request.param == "dict" else (lambda data: Response.construct(**data))


def as_dict(reply):
    return reply if isinstance(reply, dict) else reply.to_dict()


class Server:
    """One client of the SDK whose calls are answered with what stands in `content`."""

    def __init__(self):
        self.content, kind = b"", {"content-type": "text/event-stream"}
        transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=kind, content=self.content))
        self.client = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport))

    def play(self, events):
        lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in map(as_dict, events)]
        self.content = "".join(lines).encode()

    def objects(self, events):
        """The events as `create(stream=True)` gives them."""
        self.play(events)
        return list(self.client.responses.create(model="m", input="q", stream=True))

    def helped(self, events):
        """The events as `stream()` gives them: with snapshots."""
        self.play(events)
        with self.client.responses.stream(model="m", input="q") as stream:
            return list(stream)

    def final(self, events):
        """What the SDK's own accumulator makes of the events."""
        self.play(events)
        with self.client.responses.stream(model="m", input="q") as stream:
            return stream.get_final_response()


SERVER = Server()


def test_every_item_and_event_that_the_sdk_knows_is_in_a_list():
    """A new type in a new release shows up here; only speech is left to be refused."""
    items = {get_args(one.model_fields["type"].annotation)[0] for one in get_args(get_args(ResponseOutputItem)[0])}
    assert items == NOT_PROSE | {"message"}
    events = {get_args(one.model_fields["type"].annotation)[0] for one in get_args(get_args(ResponseStreamEvent)[0])}
    known = CALLS | SILENT | set(ResponsesEvents._readers) | {"error"}
    assert {kind for kind in events - known if not kind.startswith("response.audio.")} == set()


def test_texts_calls_and_what_is_neither(shape):
    """Text and refusals of all messages in order; calls as text; thinking is neither."""
    (choice,) = RESPONSES.choices(shape(REPLY))
    assert choice.texts == ("A gain is certain. ", "Costs are low. ", "I may not say more.")
    assert choice.calls == ('quote({"at": 1})',)
    assert choice.holds_other
    assert not choice.is_silent


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"type": "custom_tool_call", "name": "sql", "input": "drop"}, "sql(drop)"),
        ({"type": "mcp_call", "name": "find", "arguments": "{}"}, "find({})"),
        ({"type": "shell_call", "action": {"commands": ["rm x"]}}, 'shell_call({"commands": ["rm x"]})'),
        ({"type": "code_interpreter_call", "code": "1 + 1"}, "code_interpreter_call(1 + 1)"),
        ({"type": "web_search_call"}, "web_search_call()"),
    ],
)
def test_what_is_sent_to_a_tool_is_one_text(shape, item, text):
    """Whatever the field is called that a kind of call keeps it in."""
    (choice,) = RESPONSES.choices(shape(response({"id": "x", **item})))
    assert choice.calls == (text,)
    assert choice.is_silent


@pytest.mark.parametrize("status", ["queued", "in_progress", "failed", "cancelled"])
def test_a_response_without_a_reply_yet_holds_nothing_to_judge(shape, status):
    """What a background response will say can only be had by other calls; text that is there is judged."""
    assert RESPONSES.choices(shape(response(status=status)))[0].is_silent
    assert not RESPONSES.choices(shape(response(message(text_part("Hi.")), status=status)))[0].is_silent
    assert not RESPONSES.choices(shape(response()))[0].is_silent


def test_a_response_is_revised_in_its_text_alone(shape):
    """The revised part loses what described it; every other item and part stays as it was."""
    reply = shape(REPLY)
    made = RESPONSES.with_texts(reply, ["A gain is possible. Costs are low. I may not say more."])
    after = as_dict(made)
    assert type(made) is type(reply)
    part = after["output"][1]["content"][0]
    assert (part["text"], part["annotations"], part.get("logprobs")) == ("A gain is possible. ", [], None)
    after["output"][1]["content"][0] = as_dict(reply)["output"][1]["content"][0]
    assert after == as_dict(reply)
    assert RESPONSES.with_texts(reply, [RESPONSES.choices(reply)[0].text]) is reply


def test_a_part_or_message_that_is_left_empty_goes(shape):
    """APIs refuse empty parts when the conversation is sent back."""
    made = as_dict(RESPONSES.with_texts(shape(REPLY), ["Costs are low. "]))
    assert [item["id"] for item in made["output"]] == ["rs_1", "msg_a", "fc_1"]
    assert [part["text"] for part in made["output"][1]["content"]] == ["Costs are low. "]


def test_a_text_for_a_response_without_one_is_a_new_message(shape):
    """An appended disclosure needs a place to stand."""
    made = RESPONSES.with_texts(shape(response(CALL)), ["Past performance is no promise."])
    assert RESPONSES.choices(made)[0].text == "Past performance is no promise."
    assert as_dict(made)["output"][0] == as_dict(shape(response(CALL)))["output"][0]


def test_a_fallback_is_all_that_is_left(shape):
    """Thinking, calls, errors and unknown fields of a blocked response are gone; its ids stay."""
    reply = shape({**REPLY, "echo": "A gain is certain.", "output_text": "A gain is certain.", "status": "incomplete"})
    made = RESPONSES.fallback(reply, "Ask us.")
    assert "certain" not in repr(made)
    assert RESPONSES.choices(made)[0].texts == ("Ask us.",)
    assert (as_dict(made)["id"], as_dict(made)["status"]) == ("resp_1", "completed")
    assert type(made) is type(reply)


def test_the_output_text_of_other_servers_agrees():
    """A key that repeats the text at the top repeats what was released."""
    reply = {**REPLY, "output_text": "A gain is certain. Costs are low. "}
    made = RESPONSES.with_texts(reply, ["No. I may not say more."])
    assert made["output_text"] == "".join(
        part["text"] for item in made["output"] for part in item.get("content", ()) if part["type"] == "output_text"
    )
    assert RESPONSES.fallback({**REPLY, "output_text": "x"}, "Ask us.")["output_text"] == "Ask us."


class Advice(BaseModel):
    """What structured replies are parsed into."""

    advice: str


def test_what_was_parsed_from_a_text_that_is_gone_is_gone():
    """In the revised part, and in the others of a revised response; in the fallback too."""
    SERVER.content = json.dumps(response(message(text_part('{"advice": "certain"}')))).encode()
    kind = {"content-type": "application/json"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=kind, content=SERVER.content))
    client = openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=transport))
    reply = client.responses.parse(model="m", input="q", text_format=Advice)
    assert reply.output_parsed.advice == "certain"
    for made in (RESPONSES.with_texts(reply, ["possible"]), RESPONSES.fallback(reply, "Ask us.")):
        assert made.output_parsed is None
        assert "certain" not in repr(made)
        assert type(made) is type(reply)


@pytest.mark.parametrize(
    "output",
    [
        [{"id": "x", "type": "brand_new", "text": "A secret."}],
        [{"id": "x", "text": "A secret."}],
        ["A secret."],
        [None],
        "A secret.",
        None,
        [message(text_part(["A secret."]))],
        [message({"type": "output_audio", "transcript": "A secret."})],
        [message({"type": ["output_text"], "text": "A secret."})],
        [message(text_part("A secret."), role="user")],
        [message(text_part("A secret."), content="A secret.")],
    ],
    ids=str,
)
def test_what_may_hold_unjudged_text_is_refused(shape, output):
    """Closed by default, and the error shows nothing of the text."""
    with pytest.raises(UnsupportedReply) as raised:
        RESPONSES.choices(shape(response(output=output)))
    assert "secret" not in str(raised.value)


def test_the_exchange_holds_all_that_was_sent():
    """Instructions, what the provider keeps, messages, calls and their results."""
    body = {
        "instructions": "Be kind.",
        "previous_response_id": "resp_0",
        "input": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "input_text", "text": "Safe?"}, {"type": "input_image"}]},
            {**THINKING},
            message(text_part("Let me see.")),
            {**CALL},
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "3%"}]},
            {"type": "shell_call_output", "call_id": "c2", "output": [{"stdout": "ok"}]},
            {"type": "item_reference", "id": "x"},
        ],
    }
    assert RESPONSES.exchange(body).messages == (
        Message("system", "Be kind."),
        Message("system", "[earlier turns are kept by the provider: previous_response_id]"),
        Message("system", "Be brief."),
        Message("user", "Safe?\n[input_image]"),
        Message("assistant", "[reasoning]"),
        Message("assistant", "Let me see."),
        Message("assistant", '[quote({"at": 1})]'),
        Message("tool", "3%"),
        Message("tool", '[{"stdout": "ok"}]'),
        Message("assistant", "[item_reference]"),
    )
    assert RESPONSES.exchange({"input": "Safe?"}).messages == (Message("user", "Safe?"),)
    assert RESPONSES.exchange({"prompt": {"id": "p"}}).messages[0].role == "system"


def test_a_request_for_json_is_known():
    """A fallback text would be no such reply."""
    assert RESPONSES.asks_for_data({"text": {"format": {"type": "json_schema"}}})
    assert not RESPONSES.asks_for_data({"text": {"format": {"type": "text"}}})
    assert not RESPONSES.asks_for_data({"input": "q"})


def part_events(at, kind, chunks, annotated):
    """The events of one text part."""
    name, field = ("output_text", "text") if kind == "output_text" else ("refusal", "refusal")
    whole = {"type": kind, field: "".join(chunks), **({"annotations": []} if field == "text" else {})}
    logprobs = {"logprobs": [LOGPROB]} if field == "text" else {}
    yield {"type": "response.content_part.added", **at, "part": {**whole, field: ""}}
    for chunk in chunks:
        yield {"type": f"response.{name}.delta", **at, "delta": chunk, **logprobs}
    if annotated and field == "text":
        whole["annotations"] = [CITED]
        yield {
            "type": "response.output_text.annotation.added",
            **at,
            "annotation_index": 0,
            "annotation": CITED,
        }
    yield {"type": f"response.{name}.done", **at, field: whole[field], **logprobs}
    yield {"type": "response.content_part.done", **at, "part": whole}


def item_events(index, item):
    """The events of one output item, which is a dictionary, or a list of (kind, chunks, annotated) of a message."""
    if isinstance(item, list):
        item_id, content = f"msg_{index}x", []
        yield {"type": "response.output_item.added", "item": message(id=item_id, status="in_progress")}
        for number, part in enumerate(item):
            for event in part_events({"item_id": item_id, "content_index": number}, *part):
                content += [event["part"]] if event["type"].endswith("part.done") else []
                yield event
        yield {"type": "response.output_item.done", "item": message(*content, id=item_id)}
    elif item["type"] == "function_call":
        yield {"type": "response.output_item.added", "item": {**item, "arguments": "", "status": "in_progress"}}
        at = {"item_id": item["id"]}
        for piece in item["arguments"]:
            yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
        yield {"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"], "name": "quote"}
        yield {"type": "response.output_item.done", "item": {**item, "status": "completed"}}
    else:
        yield {"type": "response.output_item.added", "item": {**item, "summary": []}}
        at = {"item_id": item["id"], "summary_index": 0}
        yield {"type": "response.reasoning_summary_text.delta", **at, "delta": "A gain is certain."}
        yield {"type": "response.output_item.done", "item": item}


def stream(items, first=0, last="completed"):
    """A well-formed stream: numbered from `first`, not at all with None."""
    events = [
        {"type": f"response.{kind}", "response": response(status="in_progress")} for kind in ("created", "in_progress")
    ]
    for index, item in enumerate(items):
        made = [{**event, "output_index": index} for event in item_events(index, item)]
        events += made
    output = [event["item"] for event in events if event["type"].endswith("item.done")]
    events.append({"type": f"response.{last}", "response": response(*output, status=last)})
    return events if first is None else [{**e, "sequence_number": n} for n, e in enumerate(events, first)]


chunks = st.lists(hostile_text.map(lambda text: text.encode("utf-8", "replace").decode()), max_size=4)
parts = st.tuples(st.sampled_from(["output_text", "output_text", "refusal"]), chunks, st.booleans())
items = st.lists(st.one_of(st.lists(parts, max_size=3), st.sampled_from([THINKING, CALL])), max_size=3, unique_by=id)
streams = st.builds(stream, items, st.sampled_from([0, 1, None])).filter(
    lambda events: (
        len({e["item"]["id"] for e in events if e["type"].endswith("item.added")})
        == sum(e["type"].endswith("item.added") for e in events)
    )
)


def released(reader, events, plan, count=None):
    """What goes out of the first events as the engine lets it: `plan` has the texts that stand for those of some."""
    said = [reader.read(event) for event in events]
    events = events[:count]
    revised = {spot(event) for number, event in enumerate(events) if number in plan}
    out = []
    for number, (event, adds) in enumerate(zip(events, said, strict=False)):
        if number in plan:
            made = [reader.with_text(event, text) for text in plan[number]]
            out += [reader.out(one) for one in made if one is not None]
        elif not (adds.describes and spot(event) in revised):
            out.append(reader.out(event))
    return out


def spot(event):
    event = as_dict(event)
    return event.get("output_index"), event.get("content_index")


def texts_of(events):
    """The text of each part as its deltas say, and as each of the other four places says."""
    deltas, places = {}, {name: {} for name in ("text", "part", "item", "response")}
    for event in map(as_dict, events):
        at, kind = spot(event), event["type"]
        if kind.endswith("content_part.added"):
            assert at not in deltas
            deltas[at] = said_by(event["part"])
        elif kind in {"response.output_text.delta", "response.refusal.delta"}:
            deltas[at] += event["delta"]
        elif kind in {"response.output_text.done", "response.refusal.done"}:
            places["text"][at] = event.get("text", event.get("refusal"))
        elif kind.endswith("part.done"):
            places["part"][at] = said_by(event["part"])
        elif kind.endswith("item.done"):
            places["item"].update(said_in(event["output_index"], event["item"]))
        elif kind == "response.completed":
            for index, item in enumerate(event["response"]["output"]):
                places["response"].update(said_in(index, item))
    return deltas, places


def said_by(part):
    return part["text"] if part["type"] == "output_text" else part["refusal"]


def said_in(index, item):
    parts = item["content"] if item["type"] == "message" else ()
    return {(index, number): said_by(part) for number, part in enumerate(parts)}


def heard(said):
    """What judges read of a stream."""
    return "".join(f"\n\n{one.text}" if one.apart else one.text for one in said)


@given(streams)
def test_a_stream_that_is_not_revised_goes_out_as_it_came(events):
    """Every event is the very same object, and its text adds up to the reply's."""
    reader = RESPONSES.events()
    assert all(a is b for a, b in zip(released(reader, events, {}), events, strict=True))
    reader = RESPONSES.events()
    said = [reader.read(event) for event in events]
    (choice,) = RESPONSES.choices(events[-1]["response"])
    assert heard(said) == choice.text
    assert reader.calls(0) == choice.calls
    assert [number for number, one in enumerate(said) if one.last] == [len(events) - 1]


@st.composite
def revisions(draw):
    """A stream, and for some of its text events the texts that stand for theirs: none, one, or two halves."""
    events = draw(streams)
    spoken = [
        number for number, event in enumerate(events) if "content_part.added" in event["type"] or "delta" in event
    ]
    spoken = [number for number in spoken if "arguments" not in events[number]["type"]]
    spoken = [number for number in spoken if "reasoning" not in events[number]["type"]]
    words = st.sampled_from(["", "A gain is possible. ", "Ask us.", "価格は変動します。"])
    return events, {
        number: draw(st.lists(st.one_of(words, st.just(events[number].get("delta", ""))), min_size=1, max_size=2))
        for number in spoken
        if draw(st.booleans())
    }


@given(revisions(), st.booleans())
@settings(max_examples=60)
def test_all_places_agree_with_what_was_released(revision, as_objects):
    """Deltas, the four places that repeat them, the SDK's accumulator, and the numbering."""
    events, plan = revision
    given_events = SERVER.objects(events) if as_objects else events
    out = released(RESPONSES.events(), given_events, plan)
    deltas, places = texts_of(out)
    assert all(place == deltas for place in places.values())
    if "sequence_number" in events[0]:
        first = events[0]["sequence_number"]
        assert [as_dict(event)["sequence_number"] for event in out] == list(range(first, first + len(out)))
    final = SERVER.final(out)
    spoken = {at: e["part"]["type"] for e in map(as_dict, out) if (at := spot(e)) in deltas and "part" in e}
    assert final.output_text == "".join(text for at, text in deltas.items() if spoken[at] == "output_text")


@given(revisions(), st.data())
@settings(max_examples=60)
def test_a_fallback_ends_any_prefix_of_a_stream(revision, data):
    """The SDK's accumulator gets a completed response with all that went out, and the fallback last."""
    (events, plan), as_objects = revision, data.draw(st.booleans())
    given_events = SERVER.objects(events) if as_objects else events
    count = data.draw(st.integers(0, len(events) - 1))
    read = data.draw(st.integers(max(count, 1), len(events)))
    reader = RESPONSES.events()
    before = released(reader, given_events[:read], plan, count)
    ending = reader.fallback("Ask us.")
    assert all(reader.out(event) is event for event in ending)
    out = [*before, *ending]
    assert as_objects == all(isinstance(event, BaseModel) for event in out)
    if as_objects:
        kinds = {get_args(type(event).model_fields["type"].annotation)[0] for event in out}
        assert kinds == {event.type for event in out}
    deltas, places = texts_of(out)
    assert places["text"].items() <= deltas.items()
    assert places["part"] == places["item"] == deltas
    final = SERVER.final(out)
    assert final.status == "completed"
    (choice,) = RESPONSES.choices(as_dict(final))
    assert "".join(choice.texts) == "".join(text for _, text in sorted(deltas.items()))
    went = "".join(texts_of(before)[0].values())
    assert choice.texts[-1].endswith("\n\nAsk us." if went.strip() else "Ask us.")
    if "sequence_number" in events[0]:
        first = events[0]["sequence_number"]
        assert [as_dict(event)["sequence_number"] for event in out] == list(range(first, first + len(out)))


def test_the_helpers_own_events_agree_too():
    """OpenAI's `stream()` repeats the text so far on each delta, and what it parsed on the last events."""
    events = SERVER.helped(stream([[("output_text", ["A gain ", "is certain. ", "Ask us."], False)]]))
    reader = RESPONSES.events()
    spoken = [number for number, event in enumerate(events) if event.type.endswith("text.delta")]
    out = released(reader, events, {spoken[0]: ["A gain is possible. "], spoken[1]: [""]})
    deltas = [event for event in out if event.type.endswith("text.delta")]
    assert [event.snapshot for event in deltas] == ["A gain is possible. ", "A gain is possible. Ask us."]
    assert "certain" not in repr(out)
    assert out[-1].response.output_text == "A gain is possible. Ask us."
    reader = RESPONSES.events()
    for event in events:
        reader.read(event)
    out = [reader.out(event) for event in events[:5]]
    assert [event.snapshot for event in reader.fallback("No.") if hasattr(event, "snapshot")] == ["A gain \n\nNo."]


def without_indexes(event):
    """An event as llama.cpp's server sends it: item ids alone, bare responses."""
    kept = {name: held for name, held in event.items() if name not in {"output_index", "content_index"}}
    bare = {"id": "resp_1", "object": "response", "status": "in_progress"}
    return {**kept, "response": bare} if event["type"] in {"response.created", "response.in_progress"} else kept


TWO = [[("output_text", ["A gain ", "is certain. "], True)], CALL, [("output_text", ["Ask us."], False)]]


def test_a_stream_without_indexes_and_numbers_works():
    """Items are known by their ids."""
    events = list(map(without_indexes, stream(TWO, None)))
    assert all(a is b for a, b in zip(released(RESPONSES.events(), events, {}), events, strict=True))
    spoken = [number for number, event in enumerate(events) if event["type"].endswith("text.delta")]
    out = released(RESPONSES.events(), events, {spoken[0]: ["A gain is possible. "], spoken[1]: [""]})
    assert "certain" not in json.dumps(out)
    assert RESPONSES.choices(out[-1]["response"])[0].texts == ("A gain is possible. ", "Ask us.")
    for count in range(len(events) - 1):
        reader = RESPONSES.events()
        for event in events:
            reader.read(event)
        out = [reader.out(event) for event in events[:count]]
        out += reader.fallback("No.")
        assert out[-1]["type"] == "response.completed"
        texts = "".join(event["delta"] for event in out if event["type"].endswith("text.delta"))
        assert "".join(RESPONSES.choices(out[-1]["response"])[0].texts) == texts
        assert not [event for event in out[count:] if "sequence_number" in event]


def test_a_stream_that_begins_with_deltas_is_ended_too():
    """Some gateways leave out that an item and its part begin."""
    at = {"item_id": "msg_x", "output_index": 0, "content_index": 0}
    event = {"type": "response.output_text.delta", **at, "delta": "Hi."}
    reader = RESPONSES.events()
    assert reader.read(event).text == "Hi."
    out = [reader.out(event), *reader.fallback("No.")]
    assert RESPONSES.choices(out[-1]["response"])[0].texts == ("Hi.\n\nNo.",)
    assert [one["type"] for one in out[1:]] == [
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_annotations_and_logprobs_of_a_revised_part_are_gone_in_every_place():
    """And those of the others are not."""
    items = [[("output_text", ["A gain is certain. "], True), ("output_text", ["Ask us."], True)]]
    events = stream(items)
    spoken = [number for number, event in enumerate(events) if event["type"].endswith("text.delta")]
    out = released(RESPONSES.events(), events, {spoken[0]: ["A gain is possible. "]})
    first = [e for e in out if e.get("content_index") == 0]
    assert not [e for e in first if e.get("logprobs") or e.get("annotation") or e.get("part", {}).get("annotations")]
    for part, kept in zip(out[-1]["response"]["output"][0]["content"], ([], [CITED]), strict=True):
        assert part["annotations"] == kept


def test_calls_are_told_as_far_as_they_were_read():
    """With their arguments as they come."""
    reader, seen = RESPONSES.events(), []
    for event in stream([CALL]):
        said = reader.read(event)
        assert said.call == ("output_index" in event)
        seen.append(reader.calls(0))
    assert ("quote()",) in seen
    assert ('quote({"a)',) in seen
    assert seen[-1] == ('quote({"at": 1})',)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.failed", "response": response(status="failed", error={"code": "x", "message": "y"})},
        {"type": "error", "code": "x", "message": "y"},
        {"error": {"code": "x", "message": "y"}},
    ],
    ids=lambda event: event.get("type", "bare"),
)
def test_an_error_in_mid_stream_is_known(event):
    """The event goes out as it came: there is nothing of a reply in it."""
    reader = RESPONSES.events()
    said = reader.read(event)
    assert (said.failed, said.last, said.text) == (True, False, "")
    assert reader.out(event) is event


def test_a_failed_response_repeats_what_was_released():
    """Of a text and of a call that were held back, nothing comes out at its end."""
    events = stream([[("output_text", ["A gain ", "is certain."], False)], CALL], last="failed")
    reader = RESPONSES.events()
    assert [reader.read(event).failed for event in events][-1]
    out = [reader.out(event) for event in (*events[:5], events[-1])]
    (choice,) = RESPONSES.choices(out[-1]["response"])
    assert (choice.text, choice.calls) == ("A gain ", ())


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.audio.transcript.delta", "delta": "A secret."},
        {"type": "response.brand_new.delta", "delta": "A secret."},
        {"type": "A secret."},
        {"delta": "A secret."},
        {"type": "response.output_text.delta", "delta": None},
        {"type": "response.output_text.done", "text": "A secret."},
        {"type": "response.refusal.done", "refusal": "A secret."},
        {"type": "response.content_part.added", "part": {"type": "output_audio", "transcript": "A secret."}},
        {"type": "response.content_part.done", "part": text_part("A secret.")},
        {"type": "response.output_item.added", "item": message(text_part("A secret."))},
        {"type": "response.output_item.done", "item": {"type": "brand_new"}},
        {"type": "response.in_progress", "response": response(message(text_part("A secret.")))},
        {"type": "response.completed", "response": response(message(text_part("A secret.")))},
    ],
    ids=str,
)
def test_events_that_may_hold_unjudged_text_are_refused(event):
    """New types, speech, and texts that came in no delta."""
    with pytest.raises(UnsupportedReply) as raised:
        RESPONSES.events().read(event)
    assert "secret" not in str(raised.value)
