"""Texts of a reply that something parts are judged as paragraphs, whole and streamed alike, in every format."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import hostile_text

from guardrails import Constitution, Guard
from guardrails.dialects import ANTHROPIC, CHAT, GOOGLE, RESPONSES, Choice, read
from guardrails.dialects._langchain import LangChainDialect
from guardrails.errors import UnsupportedReply
from guardrails.sentences import split

LANGCHAIN = LangChainDialect()
OTHER = None  # stands for a part that is no prose, in the lists of parts below
CALL = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
TEXT = {"type": "text", "text": "It is so"}
TOOL = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}


def apart_from(parts):
    """The texts of parts, and the indexes of those that something parts from the text before."""
    texts, apart, parted, spoken = [], set(), False, False
    for part in parts:
        if part is OTHER:
            parted = True
            continue
        if part:
            apart |= {len(texts)} if parted and spoken else set()
            parted, spoken = False, spoken or bool(part.strip())  # white space says nothing
        texts.append(part)
    return Choice(tuple(texts), apart=frozenset(apart))


# A whole reply and a stream of each format, of a list of texts and of what is no prose.


def anthropic(parts):
    content = [TOOL if part is OTHER else {"type": "text", "text": part} for part in parts]
    return {"id": "m1", "type": "message", "role": "assistant", "model": "m", "content": content, "stop_reason": "x"}


def anthropic_stream(parts):
    for index, block in enumerate(anthropic(parts)["content"]):
        started = {**block, "text": ""} if block["type"] == "text" else block
        yield {"type": "content_block_start", "index": index, "content_block": started}
        for letter in block.get("text", ""):
            yield {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": letter}}
        yield {"type": "content_block_stop", "index": index}


def google(parts):
    made = [{"functionCall": {"name": "f"}} if part is OTHER else {"text": part} for part in parts]
    return {"candidates": [{"content": {"role": "model", "parts": made}, "index": 0, "finishReason": "STOP"}]}


def google_stream(parts):
    for at in range(0, len(parts), 2):
        (candidate,) = google(parts[at : at + 2])["candidates"]
        yield {"candidates": [{**candidate, "finishReason": None}]}


def responses(parts):
    output = []
    for part in parts:
        if part is OTHER:
            output.append({**CALL, "id": f"fc_{len(output)}"})
            continue
        if not output or output[-1]["type"] != "message":
            name = {"id": f"msg_{len(output)}", "role": "assistant"}
            output.append({**name, "type": "message", "status": "completed", "content": []})
        output[-1]["content"].append({"type": "output_text", "text": part, "annotations": []})
    return {"id": "resp_1", "object": "response", "status": "completed", "output": output}


def responses_stream(parts):
    for index, item in enumerate(responses(parts)["output"]):
        for number, part in enumerate(item.get("content", ())):
            at = {"item_id": item["id"], "output_index": index, "content_index": number}
            for letter in part["text"]:
                yield {"type": "response.output_text.delta", **at, "delta": letter}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}


def langchain(parts):
    content = [{**TOOL} if part is OTHER else {"type": "text", "text": part} for part in parts]
    return {"type": "ai", "content": content, "additional_kwargs": {}, "response_metadata": {}}


WHOLE = {"anthropic": (ANTHROPIC, anthropic), "google": (GOOGLE, google), "responses": (RESPONSES, responses)}
WHOLE["langchain"] = (LANGCHAIN, langchain)
STREAMS = {"anthropic": anthropic_stream, "google": google_stream, "responses": responses_stream}
names = st.sampled_from(sorted(WHOLE))
random_parts = st.lists(hostile_text | st.just(OTHER), min_size=1, max_size=6)


def heard(reader, events):
    """What judges read of a stream."""
    return "".join(f"\n\n{one.text}" if one.apart else one.text for one in map(reader.read, events))


@given(names, random_parts)
def test_what_stands_between_texts_sets_them_apart(name, parts):
    """Texts that touch go on in mid-sentence; those that something parts are paragraphs; nothing is changed by it."""
    dialect, make = WHOLE[name]
    (choice,) = dialect.choices(make(parts))
    assert (choice.texts, choice.apart) == (apart_from(parts).texts, apart_from(parts).apart)
    assert dialect.with_texts(make(parts), [choice.text]) == make(parts)


@given(st.sampled_from(sorted(STREAMS)), random_parts)
def test_a_stream_is_judged_as_the_whole_reply_is(name, parts):
    """Whatever is between the texts, and however they are cut."""
    dialect, make = WHOLE[name]
    assert heard(dialect.events(), STREAMS[name](parts)) == dialect.choices(make(parts))[0].text


@st.composite
def prose(draw):
    """Parts of whole sentences, each of which says its number."""
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=5))
    parts, number = [], 0
    for length in lengths:
        said = [f"Fund {number + n} may fall." for n in range(length)]
        number += length
        parts += [" ".join(said) + " " * (length > 0)] if length else [OTHER]
    return parts


@given(names, prose().filter(any), st.data())
def test_a_revised_sentence_changes_the_part_that_it_stands_in(name, parts, data):
    """Edited, merged or deleted: no other part changes, and none holds what sets paragraphs apart."""
    dialect, make = WHOLE[name]
    (choice,) = dialect.choices(make(parts))
    old = split(choice.text)
    number = data.draw(st.integers(0, len(old) - 1))
    space = old[number][len(old[number].rstrip()) :]
    change = data.draw(st.sampled_from(["edit", "merge", "delete"]))
    new = {"edit": ["It is so." + space], "merge": ["It is so." + space], "delete": []}[change]
    text = "".join([*old[:number], *new, *old[number + 1 + (change == "merge") :]])
    made = dialect.choices(dialect.with_texts(make(parts), [text]))[0].texts
    assert not [one for one in made if "\n" in one]
    assert "".join("".join(made).split()) == "".join(text.split())
    gone = {old[at].strip() for at in range(number, min(number + 1 + (change == "merge"), len(old)))}
    kept = [one for one in choice.texts if one.strip() and not any(sentence in one for sentence in gone)]
    assert [one.strip() for one in made if one.strip() in {old.strip() for old in kept}] == [
        one.strip() for one in kept
    ]


# Other things that part a text from the one before.


def chat(**message):
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
    return {"id": "c1", "object": "chat.completion", "choices": [choice]}


def delta(index=0, **fields):
    return {"object": "chat.completion.chunk", "choices": [{"index": index, "delta": fields, "finish_reason": None}]}


def part(kind, text):
    return {"type": kind, {"output_text": "text", "refusal": "refusal"}[kind]: text}


def item(name, *parts):
    return {"id": name, "type": "message", "role": "assistant", "status": "completed", "content": list(parts)}


def response(*output, **fields):
    return {"id": "resp_1", "object": "response", "status": "completed", "output": list(output), **fields}


@pytest.mark.parametrize(
    "reply",
    [
        chat(content="It is so", refusal="I may not say."),
        response(item("msg_a", part("output_text", "It is so")), item("msg_b", part("output_text", "I may not say."))),
        response(item("msg_a", part("output_text", "It is so"), part("refusal", "I may not say."))),
        {**langchain(["It is so"]), "additional_kwargs": {"refusal": "I may not say."}},
        langchain(["It is so", OTHER, "", "I may not say."]),
        {**langchain([]), "content": [part("refusal", "It is so"), "I may not say."]},
        {**langchain([]), "content": [{**TEXT, "id": "msg_a"}, {**TEXT, "text": "I may not say.", "id": "msg_b"}]},
    ],
)
def test_other_fields_kinds_and_messages_are_paragraphs(reply):
    """A refusal beside a content, a message after another; a revision stays in its own."""
    native = read(reply)
    assert native.only.text == "It is so\n\nI may not say."
    revised = native.dialect.with_texts(reply, ["It may be so\n\nI may not say."])
    texts = [text for text in read(revised).only.texts if text]
    assert texts == ["It may be so", "I may not say."]


def test_texts_that_langchain_named_itself_go_on():
    """Its own ids name blocks, and no message of a provider."""
    blocks = [{"type": "text", "text": text, "id": f"lc_{text}"} for text in ("It is ", "so.")]
    assert LANGCHAIN.choices({**langchain([]), "content": blocks})[0].text == "It is so."


def test_a_refusal_after_content_is_a_paragraph_in_a_stream_too():
    """And its pieces go on where they stopped."""
    events = [
        delta(content="It "),
        delta(content="is"),
        delta(refusal="I may "),
        delta(refusal="not."),
        delta(1, refusal="No."),
    ]
    reader = CHAT.events()
    said = [reader.read(event) for event in events]
    assert [one.apart for one in said] == [False, False, True, False, False]
    with pytest.raises(UnsupportedReply, match="after a refusal"):
        reader.read(delta(content="Well."))


def place(index, number, kind="output_text", **fields):
    return {"type": f"response.{kind}.delta", "output_index": index, "content_index": number, "delta": "A.", **fields}


@pytest.mark.parametrize(
    "events",
    [
        [place(1, 0), place(0, 0)],
        [place(0, 1), place(0, 0)],
        [place(0, 0), place(1, 0), place(0, 1)],
        [place(None, 0, item_id="a"), place(None, 0, item_id="b"), place(None, 0, item_id="a")],
        [place(None, 0, item_id="a"), place(None, 0, item_id="b"), place(None, 1, item_id="a")],
        [place(0, 0, item_id="a"), place(None, 0, item_id="b")],
        [place(0, 0), place(0, 0, "refusal")],
    ],
)
def test_a_response_that_goes_back_to_an_earlier_part_is_refused(events):
    """What is judged is the text in the order of arrival; what is read is the parts in order."""
    reader = RESPONSES.events()
    for event in events[:-1]:
        assert reader.read(event).text
    with pytest.raises(UnsupportedReply):
        reader.read(events[-1])


def test_a_response_that_lists_its_messages_in_another_order_is_refused():
    """Where there are no indexes, only the end tells in which order they are read."""
    items = [item(name, part("output_text", "A.")) for name in ("a", "b")]
    for order, refused in ((items, False), (items[::-1], True), ([*items, items[1]], True)):
        reader = RESPONSES.events()
        assert [reader.read(place(None, 0, item_id=name)).apart for name in ("a", "b")] == [False, True]
        end = {"type": "response.completed", "response": response(*order)}
        if refused:
            with pytest.raises(UnsupportedReply):
                reader.read(end)
        else:
            assert reader.read(end).last


# Text that stands beside the text that is judged.


@pytest.mark.parametrize(
    "reply",
    [
        {**chat(), "choices": [{**chat(content="Hi.")["choices"][0], "text": "A secret."}]},
        {**chat(), "choices": [{**chat(content="Hi.")["choices"][0], "delta": {"content": "A secret."}}]},
        response(item("a", part("output_text", "Hi.")), output_text="A secret."),
        response(output_text="A secret."),
        response(item("a", part("output_text", "Hi.")), output_text=["A secret."]),
    ],
)
def test_a_text_beside_the_text_is_refused(reply):
    """A reader may take it for the reply."""
    with pytest.raises(UnsupportedReply) as raised:
        read(reply)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("held", [response(output_text="A secret."), "A secret.", ["A secret."]])
def test_a_text_beside_the_text_is_refused_at_the_end_of_a_stream_too(held):
    """The last event repeats the whole response."""
    with pytest.raises(UnsupportedReply):
        RESPONSES.events().read({"type": "response.completed", "response": held})


@pytest.mark.parametrize("index", [-1, True, "0", 0.0])
def test_a_candidate_has_a_whole_number(index):
    """With any other, nobody knows which text it goes on with."""
    with pytest.raises(UnsupportedReply):
        GOOGLE.events().read({"candidates": [{"content": {"parts": [{"text": "Hi."}]}, "index": index}]})


# With a guard.


@pytest.fixture(scope="module")
def finance():
    return Guard(Constitution.load("finance"), judge="rules", audit=None, allow_unjudged=True)


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_number_is_seen_where_a_call_ends_it(finance, name):
    """The text behind the call does not grow onto it, which would hide it."""
    reply = WHOLE[name][1](["My SSN is 123-45-6789", OTHER, "2024 was good."])
    outcome = finance.review("q", reply)
    assert outcome.original == "My SSN is 123-45-6789\n\n2024 was good."
    assert "123-45" not in json.dumps(outcome.reply)


def test_a_number_is_seen_where_a_call_ends_it_in_a_stream(finance):
    """The same, where the text behind the call comes later."""
    head = {**anthropic([]), "usage": {"input_tokens": 1, "output_tokens": 1}}
    delta, usage = {"stop_reason": "end_turn", "stop_sequence": None}, {"output_tokens": 2}

    @finance
    def answer(question):
        yield {"type": "message_start", "message": head}
        yield from anthropic_stream(["My SSN is 123-45-6789", OTHER, "2024 was good."])
        yield {"type": "message_delta", "delta": delta, "usage": usage}
        yield {"type": "message_stop"}

    out = [event.get("delta", {}).get("text", "") for event in answer("q")]
    assert "".join("".join(out).split()) == "MySSNis***-**-67892024wasgood."


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_revised_paragraph_stays_in_its_block(finance, name):
    """A disclosure or an edit before a call leaves the text behind it as it was."""
    dialect, make = WHOLE[name]
    outcome = finance.review("q", make(["It is guaranteed to return 8%", OTHER, "That is all."]))
    first, last = dialect.choices(outcome.reply)[0].texts
    assert first.startswith("It aims to return 8%")
    assert first == first.rstrip()
    assert last == "That is all."
