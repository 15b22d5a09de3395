"""Gemini's replies in isolation: requests, whole replies and streams of chunks, as JSON and as SDK objects."""

import base64
import json

import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from support import hostile_text

from guardrails.dialects import GOOGLE
from guardrails.errors import UnsupportedReply
from guardrails.exchange import Message

TOP = {"usageMetadata": {"totalTokenCount": 9}, "modelVersion": "m-1", "responseId": "r1"}
CALL = {"functionCall": {"name": "quote", "args": {"fund": 1}}, "thoughtSignature": "c2ln"}
CODE = {"executableCode": {"code": "1 + 1", "language": "PYTHON"}}
RAN = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}}
IMAGE = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
THOUGHT = {"text": "Let me lie.", "thought": True, "thoughtSignature": "c2ln"}
OTHERS = [CALL, CODE, RAN, IMAGE, THOUGHT]
ABOUT = {
    "citationMetadata": {"citations": [{"startIndex": 0, "endIndex": 4, "uri": "https://a.example"}]},
    "groundingMetadata": {"groundingSupports": [{"segment": {"endIndex": 5, "text": "It is"}}]},
    "logprobsResult": {"chosenCandidates": [{"token": "It", "logProbability": -0.1}]},
    "avgLogprobs": -0.1,
}


@pytest.fixture(params=["json", "object"])
def made(request):
    """Makes replies and chunks of both shapes."""
    return dict if request.param == "json" else types.GenerateContentResponse.model_validate


def text(said, **beside):
    return {"text": said, **beside}


def candidate(*parts, **fields):
    return {"content": {"role": "model", "parts": list(parts)}, "index": 0, **fields}


def reply(*parts, **fields):
    return {"candidates": [candidate(*parts, **{"finishReason": "STOP", **fields})], **TOP}


def chunk(*parts, **fields):
    return {"candidates": [candidate(*parts, **fields)], **TOP}


def plain(value):
    """JSON, without what is None."""
    if not isinstance(value, dict | list):
        value = value.model_dump(mode="json", by_alias=True)
    if isinstance(value, list):
        return [plain(held) if isinstance(held, dict | list) else held for held in value]
    return {
        name: plain(held) if isinstance(held, dict | list) else held for name, held in value.items() if held is not None
    }


def as_read(shape):
    """The JSON as the SDK's class writes it, for an equal comparison of both shapes."""
    return plain(types.GenerateContentResponse.model_validate(plain(shape)))


def parts_of(value, index=0):
    return plain(value)["candidates"][index]["content"]["parts"]


# Requests.


def test_the_exchange_holds_all_that_was_sent():
    """Instruction, texts, documents, calls, functions' results and a cached content's name: all that was sent."""
    document = base64.urlsafe_b64encode(b"Fees: 2%. \xff").decode()
    body = {
        "cachedContent": "cachedContents/c1",
        "systemInstruction": {"role": "user", "parts": [text("Be brief.")]},
        "contents": [
            {
                "role": "user",
                "parts": [text("Is it safe?"), {"inlineData": {"mime_type": "text/plain", "data": document}}],
            },
            {"role": "model", "parts": [THOUGHT, text("I look."), CALL]},
            {"role": "user", "parts": [{"functionResponse": {"name": "quote", "response": {"price": 3}}}, IMAGE]},
            {"parts": [{"file_data": {"file_uri": "gs://b/o", "mime_type": "application/pdf"}}]},
        ],
    }
    assert GOOGLE.exchange(body).messages == (
        Message("system", "[cachedContent: cachedContents/c1]"),
        Message("system", "Be brief."),
        Message("user", "Is it safe?\nFees: 2%. \ufffd"),
        Message("assistant", '[thought]\nI look.\n[quote({"fund": 1})]'),
        Message("user", "[image/png]"),
        Message("tool", '[quote] {"price": 3}'),
        Message("user", "[application/pdf]"),
    )


@pytest.mark.parametrize(
    ("config", "data"),
    [
        (None, False),
        ({"temperature": 1}, False),
        ({"responseMimeType": "text/plain"}, False),
        ({"responseMimeType": "application/json"}, True),
        ({"response_mime_type": "text/x.enum"}, True),
        ({"responseSchema": {"type": "OBJECT"}}, True),
        ({"responseJsonSchema": {"type": "object"}}, True),
    ],
)
def test_a_schema_asks_for_data(config, data):
    """A schema, or a type that is no plain text: a fallback would be no such reply."""
    assert GOOGLE.asks_for_data({"contents": [], "generationConfig": config}) is data


# Whole replies.


def test_what_a_reply_says(made):
    """Texts but for thoughts are prose, one candidate an alternative; calls are texts of their own."""
    value = made(
        {"candidates": [candidate(THOUGHT, text("A. "), CALL, CODE, RAN, IMAGE, text("B.")), candidate()], **TOP}
    )
    assert GOOGLE.speaks(value)
    first, second = GOOGLE.choices(value)
    assert (first.texts, first.holds_other) == (("A. ", "B."), True)
    assert first.calls == ('quote({"fund": 1})', 'executableCode("1 + 1")')
    assert (second.texts, second.holds_other) == ((), False)


def test_a_prompt_that_google_blocked_is_silent(made):
    """There is no candidate, so there is nothing to judge or to revise."""
    value = made({"promptFeedback": {"blockReason": "SAFETY"}, **TOP})
    (choice,) = GOOGLE.choices(value)
    assert choice.is_silent
    assert GOOGLE.events().read(value).last


@pytest.mark.parametrize(
    "part",
    [
        {"audioTranscription": {"text": "Buy."}},
        {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        {"inline_data": {"mime_type": "audio/wav", "data": "AAAA"}},
        {"inlineData": {"data": "AAAA"}},
        {"fileData": {"mimeType": "video/mp4", "fileUri": "f"}},
        {"somethingNew": {"text": "Buy."}},
        {"text": "Buy.", "functionCall": {"name": "f"}},
        {"text": ["Buy."]},
        {"text": "Buy.", "thought": "false"},
        "Buy.",
        None,
    ],
)
def test_parts_that_may_speak_are_refused(part):
    """Transcriptions, sound, video, documents, unknown kinds and mixtures."""
    for read in (GOOGLE.choices, GOOGLE.events().read):
        with pytest.raises(UnsupportedReply) as refused:
            read(reply(part))
        assert "Buy" not in str(refused.value)


@pytest.mark.parametrize(
    "value",
    [
        reply(text("It"), finishReason="CONTINUATION"),
        {"candidates": [{"content": {"parts": []}, "continuationToken": "dG9r"}]},
        {"candidates": [{"content": {"role": "user", "parts": []}}]},
        {"candidates": {"content": {}}},
        {"candidates": [{"content": {"parts": {"text": "It"}}}]},
        types.GenerateContentResponse(sdk_http_response=types.HttpResponse(body="{}")),
    ],
)
def test_replies_that_are_not_whole_are_refused(value):
    """One that goes on in another call, one that is another's, a raw one, and shapes that nobody knows."""
    with pytest.raises(UnsupportedReply):
        GOOGLE.choices(value)


def test_a_revised_reply_loses_what_described_it(made):
    """What stays is byte for byte as it was: other parts, their signatures, usage, the other candidates."""
    first = candidate(THOUGHT, text("It is safe. ", thoughtSignature="c2ln"), CALL, text("It pays."), **ABOUT)
    value = made({"candidates": [{**first, "finishReason": "STOP"}, candidate(text("No."), **ABOUT)], **TOP})
    revised = GOOGLE.with_texts(value, ["It is safe. It may pay.", "No."])
    assert GOOGLE.choices(revised)[0].texts == ("It is safe. ", "It may pay.")
    now, was = plain(revised)["candidates"], plain(value)["candidates"]
    assert now[1] == was[1]
    assert now[0]["content"]["parts"][:3] == was[0]["content"]["parts"][:3]
    assert not ABOUT.keys() & now[0].keys()
    assert {**plain(revised), "candidates": 0} == {**plain(value), "candidates": 0}


def test_text_can_be_added_to_a_reply_of_none(made):
    """A required sentence gets a part of its own, also where Google gave no content."""
    for value in (reply(CALL), {"candidates": [{"finishReason": "SAFETY"}]}, {"promptFeedback": {}, **TOP}):
        added = GOOGLE.with_texts(made(value), ["Prices vary."])
        assert GOOGLE.choices(added)[0].text == "Prices vary."


def test_an_objects_parsed_data_goes_with_its_text():
    """What was parsed of the old text is not found in the revised reply."""
    value = types.GenerateContentResponse.model_validate({**reply(text('{"a": 1}')), "parsed": {"a": 1}})
    assert GOOGLE.with_texts(value, ['{"a": 2}']).parsed is None


def test_a_fallback_replaces_all(made):
    """Calls, thoughts and other candidates go; ids and usage stay, and the shape is the same."""
    value = made({"candidates": [candidate(THOUGHT, CALL, finishReason="MAX_TOKENS", **ABOUT), candidate()], **TOP})
    fallen = GOOGLE.fallback(value, "Ask us.")
    assert type(fallen) is type(value)
    assert as_read(fallen) == as_read(reply(text("Ask us.")))


@given(st.lists(st.one_of(hostile_text.map(text), st.sampled_from(OTHERS)), max_size=6), hostile_text)
def test_a_revised_reply_reads_as_its_text(parts, new):
    """Whatever the parts are, the revised reply says the new text, and holds the same other parts."""
    value = reply(*parts)
    revised = GOOGLE.with_texts(value, [new])
    (choice,) = GOOGLE.choices(revised)
    assert "".join("".join(choice.texts).split()) == "".join(new.split())  # a call parts paragraphs
    kept = [part for part in parts_of(revised) if part in OTHERS]
    assert kept == [part for part in parts if part in OTHERS]


# Streams.


def test_what_a_chunk_says(made):
    """Text, stop reason and what describes it may come at once; such a chunk is whole."""
    events = GOOGLE.events()
    last = chunk(text("pays."), finishReason="STOP", **ABOUT)
    said = [events.read(made(one)) for one in (chunk(text("It ")), chunk(THOUGHT), last, chunk(text("No."), index=1))]
    assert [one.text for one in said] == ["It ", "", "pays.", "No."]
    assert [one.last for one in said] == [False, False, True, False]
    assert [one.whole for one in said] == [False, True, True, False]
    assert [one.choice for one in said] == [0, 0, 0, 1]


def test_several_candidates_in_one_chunk_are_refused(made):
    """They cannot be released apart."""
    with pytest.raises(UnsupportedReply):
        GOOGLE.events().read(made({"candidates": [candidate(text("A")), candidate(text("B"), index=1)]}))


def test_an_error_in_mid_stream_is_a_failure():
    """It is no reply, and is passed on."""
    assert GOOGLE.events().read({"error": {"code": 503}}).failed


def test_calls_are_gathered_from_their_pieces(made):
    """Vertex AI sends the arguments of one call in several chunks."""
    events = GOOGLE.events()
    pieces = [
        {"name": "quote", "willContinue": True},
        {"partialArgs": [{"jsonPath": "$.fund", "stringValue": "a"}], "willContinue": True},
        {"partialArgs": [{"jsonPath": "$.fund", "stringValue": "b"}]},
    ]
    assert all(events.read(made(chunk({"functionCall": piece}))).call for piece in pieces)
    events.read(made(chunk(CALL)))
    first, second = events.calls(0)
    assert first.startswith("quote([")
    assert '"a"' in first
    assert '"b"' in first
    assert second == 'quote({"fund": 1})'
    assert events.calls(1) == ()


def test_no_text_leaves_what_else_a_chunk_holds(made):
    """A chunk of text alone goes; one that holds more, or the stop reason, stays."""
    events = GOOGLE.events()
    alone, call, last = (
        made(chunk(text("A"))),
        made(chunk(text("B"), CALL)),
        made(chunk(text("C"), finishReason="STOP")),
    )
    for one in (alone, call, last):
        events.read(one)
    assert events.with_text(alone, "") is None
    assert parts_of(events.with_text(call, "")) == [plain(CALL)]
    # A chat takes a chunk without parts for an invalid turn, and forgets it.
    assert parts_of(events.with_text(last, "")) == [{"text": ""}]


@pytest.mark.parametrize("revised", [True, False])
def test_what_is_appended_repeats_no_call(made, revised):
    """The chunk that the appended text is made of may hold a call, which went out already."""
    events, held = GOOGLE.events(), made(chunk(text("A. "), CALL))
    events.read(held)
    events.out(events.with_text(held, "B. ") if revised else held)
    assert parts_of(events.with_text(held, "C.")) == [{"text": "C."}]


def test_what_describes_a_revised_text_does_not_go_out(made):
    """Grounding comes with the last chunk and repeats all the text; it stays where all is as it was said."""
    for new, stays in (("It is safe. ", True), ("It may be. ", False), ("", False)):
        events = GOOGLE.events()
        first, last = made(chunk(text("It is safe. "))), made(chunk(text("Yes."), finishReason="STOP", **ABOUT))
        events.read(first)
        events.read(last)
        changed = events.with_text(first, new) if not stays else first
        if changed is not None:
            events.out(changed)
        gone = events.out(last)
        assert (gone is last) is stays
        assert bool(ABOUT.keys() & plain(gone)["candidates"][0].keys()) is stays
        assert parts_of(gone) == [{"text": "Yes."}]


def test_no_chunk_brings_a_continuation_token(made):
    """With one, the SDK would take a block for a broken connection, and have the model go on."""
    events, one = GOOGLE.events(), made(chunk(text("A"), continuationToken="dG9r"))
    assert events.read(one).text == "A"
    assert "continuationToken" not in plain(events.out(one))["candidates"][0]


def test_a_fallback_ends_the_stream(made):
    """It is a chunk of its own with a stop reason, set off from what went out."""
    events, one = GOOGLE.events(), made(chunk(text("A. ")))
    assert parts_of(GOOGLE.events().fallback("Ask us.")[0]) == [{"text": "Ask us."}]
    events.read(one)
    (alone,) = events.fallback("Ask us.")
    assert as_read(alone) == as_read(reply(text("Ask us.")))
    events.out(one)
    (after,) = events.fallback("Ask us.")
    assert type(after) is type(one)
    assert parts_of(after) == [{"text": "\n\nAsk us."}]


PARTS = st.lists(st.one_of(hostile_text.map(text), st.sampled_from(OTHERS)), min_size=1, max_size=3)
STREAMS = st.lists(st.tuples(PARTS, st.booleans()).map(lambda one: chunk(*one[0], **(ABOUT if one[1] else {}))))


@given(STREAMS)
def test_reading_and_letting_out_changes_nothing(stream):
    """What is not revised goes out as the very objects that came."""
    events = GOOGLE.events()
    said = [events.read(one) for one in stream]
    assert all(events.out(one) is one for one in stream)
    assert "".join(one.text for one in said) == "".join(GOOGLE.choices(one)[0].text for one in stream)


@given(PARTS, hostile_text)
def test_another_text_is_read_back(parts, new):
    """A chunk with another text says that text, and holds what else it held, once."""
    events, one = GOOGLE.events(), chunk(*parts, finishReason="STOP")
    events.read(one)
    changed = events.with_text(one, new)
    (choice,) = GOOGLE.choices(json.loads(json.dumps(changed)))
    said = json.loads(json.dumps(new))
    assert "".join("".join(choice.texts).split()) == "".join(said.split())  # a call parts paragraphs
    assert [part for part in parts_of(changed) if part in OTHERS] == [part for part in parts if part in OTHERS]
