"""Replies in the SDKs' own types: text out, revised text back in, everything else untouched."""

import gc
import json
import pickle
import time
from types import SimpleNamespace

import anthropic
import openai
import pytest
from anthropic.types import Message, TextBlock
from anthropic.types.beta import BetaMessage
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from pydantic import BaseModel
from wire import Answer, serve

from guardrails import Constitution, Guard, _outcomes, outcome_of
from guardrails.dialects import _anthropic, _shares, read
from guardrails.errors import Blocked, UnsupportedReply

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [
        {"type": "thinking", "thinking": "Hm, certain.", "signature": "c2ln"},
        {"type": "text", "text": "A gain is certain. Costs are low. ", "citations": None},
        {"type": "text", "text": "Ask us.", "citations": None},
        {"type": "tool_use", "id": "t1", "name": "quote", "input": {"certain": True}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 5},
}
COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-6-luna",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": {"content": [], "refusal": None},
            "message": {"role": "assistant", "content": "A gain is certain. Costs are low.", "refusal": None},
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
}
YAML = """
name: small
version: "1"
principles:
  - id: no-certainty
    title: No certainty
    severity: high
    rule: Never call a return certain.
    checks:
      - {pattern: '\\bcertain\\b', decides: true, fix: {replace: possible}}
  - id: no-secrets
    title: No secrets
    severity: high
    on_violation: block
    rule: Never show a secret.
    checks: [{pattern: 'secret', decides: true}]
"""


@pytest.fixture
def guard(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(YAML, encoding="utf-8")
    return Guard(Constitution.load(path), audit=None)


@pytest.fixture(params=["object", "dict"])
def shape(request):
    return request.param


def anthropic_reply(shape, **changes):
    data = {**MESSAGE, **changes}
    return data if shape == "dict" else Message.model_validate(data)


def openai_reply(shape, **changes):
    data = {**COMPLETION, **changes}
    return data if shape == "dict" else ChatCompletion.model_validate(data)


def as_dict(reply):
    return reply if isinstance(reply, dict) else reply.to_dict()


def test_an_anthropic_message_is_revised_in_its_text_alone(guard, shape):
    """Ids, usage, thinking with its signature and tool calls come out as they went in."""
    reply = anthropic_reply(shape)
    outcome = guard.review("q", reply)
    before, after = as_dict(reply), as_dict(outcome.reply)
    assert type(outcome.reply) is type(reply)
    assert after["content"][1]["text"] == "A gain is possible. Costs are low. "
    after["content"][1]["text"] = before["content"][1]["text"]
    assert after == before


def test_a_chat_completion_is_revised_in_its_text_alone(guard, shape):
    """Everything but the content stays, and the log-probabilities of words that are gone go."""
    reply = openai_reply(shape)
    outcome = guard.review("q", reply)
    before, after = as_dict(reply), as_dict(outcome.reply)
    assert after["choices"][0]["message"]["content"] == "A gain is possible. Costs are low."
    assert after["choices"][0]["logprobs"] is None
    after["choices"][0]["message"]["content"] = before["choices"][0]["message"]["content"]
    after["choices"][0]["logprobs"] = before["choices"][0]["logprobs"]
    assert after == before


@pytest.mark.parametrize("make", [anthropic_reply, openai_reply])
def test_a_passing_reply_is_the_very_object(guard, shape, make):
    """Nothing is copied where nothing is changed."""
    if make is anthropic_reply:
        reply = make(shape, content=[{"type": "text", "text": "Fine.", "citations": None}])
    else:
        reply = make(shape)
        reply = guard.review("q", reply).reply  # revised: it passes now
    assert guard.review("q", reply).reply is reply


def test_a_revised_block_loses_its_citations(guard):
    """Citations point into a text that is gone; those of untouched blocks stay."""
    cited = [
        {
            "type": "char_location",
            "cited_text": "x",
            "document_index": 0,
            "document_title": None,
            "start_char_index": 0,
            "end_char_index": 1,
        }
    ]
    content = [
        {"type": "text", "text": "A gain is certain. ", "citations": cited},
        {"type": "text", "text": "Costs are low.", "citations": cited},
    ]
    after = as_dict(guard.review("q", anthropic_reply("object", content=content)).reply)
    assert [block["citations"] for block in after["content"]] == [None, cited]


def test_a_blocked_reply_releases_nothing_of_it(guard, shape):
    """The fallback stands alone: no thinking, no tool call of the blocked reply goes out with it."""
    for reply in (
        anthropic_reply(shape, content=[*MESSAGE["content"], {"type": "text", "text": "A secret.", "citations": None}]),
        openai_reply(
            shape,
            choices=[
                {
                    "index": 0,
                    "finish_reason": "tool_calls",
                    "logprobs": None,
                    "message": {
                        "role": "assistant",
                        "content": "A secret.",
                        "refusal": None,
                        "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                    },
                }
            ],
        ),
    ):
        outcome = guard.review("q", reply)
        assert outcome.blocked
        text = str(as_dict(outcome.reply))
        assert outcome.text in text
        assert not [word for word in ("secret", "t1", "'f'", "Hm") if word in text]
        assert type(outcome.reply) is type(reply)


def test_tool_calls_alone_pass_and_every_principle_is_unjudged(guard, shape):
    """A reply without text holds nothing to judge, and the outcome does not pretend otherwise."""
    reply = anthropic_reply(shape, content=MESSAGE["content"][3:])
    outcome = guard.review("q", reply)
    assert (outcome.status.value, outcome.verdicts, outcome.unjudged) == ("passed", (), ("no-certainty", "no-secrets"))
    assert outcome.reply is reply


@pytest.mark.parametrize("choices", [[], COMPLETION["choices"] * 2])
def test_no_choice_and_several_choices_are_refused(guard, shape, choices):
    """A guard releases one reply: anything else is an error that says so, never an unjudged text."""
    with pytest.raises(UnsupportedReply, match="2 choices" if choices else "no list of choices"):
        guard.review("q", openai_reply(shape, choices=choices))


def test_outcome_of_finds_what_a_guarded_function_returned(guard):
    """SDK objects lead to their outcome for as long as they live; text and dictionaries cannot."""

    @guard
    def answer(question: str):
        return openai_reply("object")

    reply = answer("q")
    assert outcome_of(reply).text == reply.choices[0].message.content
    with pytest.raises(TypeError, match=r"\.outcome"):
        outcome_of("text")
    with pytest.raises(LookupError):
        outcome_of(openai_reply("object"))
    count = len(_outcomes._outcomes)
    del reply
    gc.collect()
    assert len(_outcomes._outcomes) == count - 1


def test_a_blocked_message_raises(guard):
    """SDK replies are blocked like any other."""

    @guard
    def answer(messages):
        return Message.model_validate({**MESSAGE, "content": [TextBlock(type="text", text="A secret.")]})

    with pytest.raises(Blocked):
        answer([{"role": "user", "content": "q"}])


class Advice(BaseModel):
    """What the structured replies below are parsed into."""

    advice: str


def anthropic_parsed(wire, text):
    """The SDK's own ParsedMessage, with thinking, citations and unknown fields beside the text."""
    content = [
        {"type": "thinking", "thinking": f"So I say: {text}", "signature": "c2ln"},
        {"type": "text", "text": json.dumps({"advice": text}), "note": text},
    ]
    wire.play(Answer({**MESSAGE, "content": content, "stop_reason": "end_turn", "summary": text}))
    client = anthropic.Anthropic(api_key="k", base_url=wire.url)
    return client.messages.parse(
        model="claude-haiku-4-5", max_tokens=9, messages=[{"role": "user", "content": "q"}], output_format=Advice
    )


def openai_parsed(wire, text):
    """The SDK's own ParsedChatCompletion, with reasoning, annotations, calls and unknown fields beside the text."""
    cited = {"end_index": 1, "start_index": 0, "title": text, "url": "https://example.org"}
    message = {
        "role": "assistant",
        "content": json.dumps({"advice": text}),
        "refusal": None,
        "annotations": [{"type": "url_citation", "url_citation": cited}],
        "reasoning_content": text,
        "thinking_blocks": [{"thinking": text}],
    }
    token = {"token": text, "bytes": None, "logprob": 0.0, "top_logprobs": []}
    choice = {"index": 0, "finish_reason": "stop", "message": message, "logprobs": {"content": [token]}, "raw": text}
    wire.play(Answer({**COMPLETION, "choices": [choice], "echo": text}))
    client = openai.OpenAI(api_key="k", base_url=wire.url)
    return client.chat.completions.parse(
        model="gpt-6-luna", messages=[{"role": "user", "content": "q"}], response_format=Advice
    )


def everything_in(reply):
    """All that can be reached from a reply object: printed, dumped, and the state that a pickle would hold."""
    dumped = [reply.to_dict(warnings=False), reply.model_dump(warnings=False)]
    return "\n".join(map(repr, (reply, *dumped, reply.model_extra, state_of(reply))))


def state_of(value):
    """The state of an object and of all in it; the SDKs' generic classes cannot be pickled by name."""
    if isinstance(value, BaseModel):
        return state_of(value.__getstate__())
    if isinstance(value, dict):
        return {name: state_of(held) for name, held in value.items()}
    return [state_of(held) for held in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("parsed", [anthropic_parsed, openai_parsed])
def test_nothing_of_a_blocked_reply_is_reachable_in_the_fallback(guard, parsed):
    """No parsed output, thinking, reasoning, annotation, log-probability or unknown field brings it back."""
    with serve() as wire:
        reply = parsed(wire, "A secret.")
    assert "secret" in everything_in(reply)
    outcome = guard.review("q", reply)
    assert outcome.blocked
    assert "secret" not in everything_in(outcome.reply)
    assert outcome.text in everything_in(outcome.reply)
    assert type(outcome.reply) is type(reply)
    assert (outcome.reply.id, outcome.reply.usage, outcome.reply.model) == (reply.id, reply.usage, reply.model)
    assert getattr(outcome.reply, "parsed_output", None) is None


@pytest.mark.parametrize("parsed", [anthropic_parsed, openai_parsed])
def test_what_repeats_the_old_text_is_not_reachable_in_a_revised_reply(parsed):
    """Parsed output and reasoning were of the text that is gone; signed thinking alone stays, as it must."""
    with serve() as wire:
        reply = parsed(wire, "A gain is certain.")
    native = read(reply)
    released = native.with_texts([native.only.text.replace("certain", "possible")])
    if parsed is anthropic_parsed:
        assert released.content[0] is reply.content[0]
        assert released.parsed_output is None
        released = released.model_copy(update={"content": released.content[1:]})
    else:
        assert released.choices[0].message.parsed is None
    assert "certain" not in everything_in(released)
    assert "A gain is possible." in everything_in(released)
    assert type(released) is type(reply)
    assert (released.id, released.usage, released.model) == (reply.id, reply.usage, reply.model)


def test_an_unchanged_text_block_of_a_revised_message_loses_its_parsed_output():
    """What was parsed from one block may stand in no block of the revised message."""
    with serve() as wire:
        block = anthropic_parsed(wire, "Costs are low.").content[1]
    message = anthropic_reply("object", content=[]).model_copy(
        update={"content": [block, TextBlock(type="text", text="\n- A gain is certain.")]}
    )
    revised = read(message).with_texts([block.text + "\n- A gain is possible."])
    assert [part.text for part in revised.content] == [block.text, "\n- A gain is possible."]
    assert revised.content[0].parsed_output is None


def test_a_pickled_fallback_holds_nothing_of_the_reply(guard):
    """Replies outlive the process that blocked them: in caches, queues and test fixtures."""
    message = {"role": "assistant", "content": "A secret.", "reasoning_content": "A secret."}
    reply = openai_reply(
        "object", choices=[{"index": 0, "finish_reason": "stop", "message": message}], echo="A secret."
    )
    reply._request_id = "req_1"
    outcome = guard.review("q", reply)
    pickled = pickle.dumps(outcome.reply)
    assert b"secret" in pickle.dumps(reply)
    assert b"secret" not in pickled
    assert pickle.loads(pickled) == outcome.reply
    assert outcome.reply._request_id == "req_1"


def test_a_fallback_in_a_dictionary_keeps_names_and_no_values(guard):
    """Code that looks up a key still finds it; what it held is gone, unknown fields included."""
    message = {**COMPLETION["choices"][0]["message"], "content": "A secret.", "reasoning": "A secret.", "parsed": {}}
    reply = openai_reply("dict", choices=[{**COMPLETION["choices"][0], "message": message}])
    released = guard.review("q", reply).reply
    assert "secret" not in repr(released)
    assert released.keys() == reply.keys()
    assert released["choices"][0]["message"].keys() == message.keys()
    assert released["usage"] == reply["usage"]


ITEM = {"id": "m", "type": "message", "role": "assistant", "status": "completed"}
RESPONSE = {
    "id": "r",
    "object": "response",
    "created_at": 1,
    "model": "gpt-6-luna",
    "output": [{**ITEM, "content": [{"type": "output_text", "text": "A secret.", "annotations": []}]}],
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "tools": [],
}


def blocks(*content, **changes):
    return {**MESSAGE, "content": list(content), **changes}


def chat(message, **changes):
    return {**COMPLETION, "choices": [{"index": 0, "finish_reason": "stop", "message": message}], **changes}


FINE = {"type": "text", "text": "Fine."}
UNKNOWN = {
    "a Response's item": Response.construct(**RESPONSE).output[0],
    "a Response's item as a dict": RESPONSE["output"][0],
    "a block of a new type": blocks(FINE, {"type": "brand_new", "text": "A secret."}),
    "a block of a new type in the SDK's class": Message.construct(**blocks({"type": "brand_new", "text": "A secret."})),
    "a block of a new type that looks empty": blocks({"type": "brand_new"}, FINE),
    "a block of prose that may not be altered": blocks({"type": "compaction", "content": "A secret."}),
    "a block without a type": blocks({"text": "A secret."}),
    "a block with a type that is no name": blocks({"type": ["text"], "text": "A secret."}),
    "a block that is a string": blocks("A secret."),
    "a block that is nothing": blocks(None),
    "a text block without text": blocks({"type": "text"}),
    "a text block with a list": blocks({"type": "text", "text": ["A secret."]}),
    "a message of the user": blocks(FINE, role="user"),
    "a message of nobody": {"type": "message", "content": [FINE]},
    "a message with a string": {**MESSAGE, "content": "A secret."},
    "a message without content": {**MESSAGE, "content": None},
    "an object of no SDK": SimpleNamespace(type="message", role="assistant", content=[SimpleNamespace(**FINE)]),
    "an object of no SDK in a dict": blocks(SimpleNamespace(**FINE)),
    "an empty choice": {**COMPLETION, "choices": [{}]},
    "a choice that is nothing": {**COMPLETION, "choices": [None]},
    "a choice that is a string": {**COMPLETION, "choices": ["A secret."]},
    "choices that are no list": {**COMPLETION, "choices": {"message": "A secret."}},
    "no choices": {"object": "chat.completion"},
    "a message that is a string": chat("A secret."),
    "a message that is nothing": chat(None),
    "a message without a role": chat({"content": "A secret."}),
    "a message of a tool": chat({"role": "tool", "content": "A secret."}),
    "content in parts": chat({"role": "assistant", "content": [{"type": "text", "text": "A secret."}]}),
    "a refusal in parts": chat({"role": "assistant", "content": None, "refusal": ["A secret."]}),
    "audio": chat({"role": "assistant", "content": None, "audio": {"id": "a", "data": "", "transcript": "A secret."}}),
    "a legacy completion": {**COMPLETION, "object": "text_completion", "choices": [{"text": "A secret."}]},
    "nothing": None,
    "bytes": b"A secret.",
    "an empty dict": {},
    "a class": Message,
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_shape_that_is_not_known_is_refused(guard, name):
    """Text may hide where nobody looks, so only known shapes are read; the error advises and quotes nothing."""
    with pytest.raises(UnsupportedReply, match=r"Return the reply as str|leave out n=") as caught:
        guard.review("q", UNKNOWN[name])
    assert "secret" not in str(caught.value)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["text", "assistant", "message", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "role", "content", "message", "refusal"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.sampled_from([MESSAGE, COMPLETION]), st.dictionaries(st.sampled_from(["content", "choices"]), json_like))
def test_a_malformed_reply_is_read_or_refused(shape, changes):
    """No dictionary whatever makes reading it end in another error."""
    try:
        native = read({**shape, **changes})
    except UnsupportedReply:
        return
    assert native.with_texts(["New."] * len(native.choices)) != native.value
    assert "New." in repr(native.fallback("New."))


CALL = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("reply", "silent"),
    [
        (blocks(), False),
        (blocks({"type": "text", "text": ""}), False),
        (blocks({"type": "thinking", "thinking": "Hm.", "signature": "s"}), True),
        (blocks(MESSAGE["content"][3], {"type": "text", "text": " "}), True),
        (blocks(MESSAGE["content"][3], FINE), False),
        *((blocks({"type": kind}), True) for kind in sorted(_anthropic.NOT_PROSE)),
        (chat({"role": "assistant", "content": None}), False),
        (chat({"role": "assistant", "content": None, "tool_calls": []}), False),
        (chat({"role": "assistant", "content": None, "tool_calls": [CALL]}), True),
        (chat({"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": ""}}), True),
        (chat({"role": "assistant", "content": None, "reasoning_content": "Hm."}), True),
        (chat({"role": "assistant", "content": None, "refusal": "No.", "tool_calls": [CALL]}), False),
        ("", False),
    ],
)
def test_a_reply_is_silent_only_by_what_is_known_to_be_no_prose(reply, silent):
    """A reply that holds nothing at all is an empty text, and judged as one."""
    assert read(reply).only.is_silent is silent


def test_every_block_type_of_the_sdk_is_known():
    """A new release of the SDK with a new block shows here; `compaction` is refused by decision."""
    union = BetaMessage.model_fields["content"].annotation.__args__[0]
    kinds = {kind.model_fields["type"].annotation.__args__[0] for kind in union.__origin__.__args__}
    assert kinds - _anthropic.NOT_PROSE == {"text", "compaction"}


def test_an_empty_reply_can_be_revised(shape):
    """A text put into a reply that held none stands in a block of the SDK's own class, or in content."""
    message = read(anthropic_reply(shape, content=[])).with_texts(["Ask us."])
    assert as_dict(message)["content"] == [{"type": "text", "text": "Ask us.", "citations": None}]
    if shape == "object":
        assert isinstance(message.content[0], TextBlock)
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": None}}
    completion = read(openai_reply(shape, choices=[choice])).with_texts(["Ask us."])
    assert as_dict(completion)["choices"][0]["message"] == {"role": "assistant", "content": "Ask us."}


@pytest.mark.parametrize("content", [None, "Costs are low. "])
def test_a_refusal_is_judged_and_revised_where_it_stands(guard, shape, content):
    """A refusal is text too, beside content or alone, and stays a refusal."""
    message = {"role": "assistant", "content": content, "refusal": "A gain is certain. I cannot say more."}
    reply = openai_reply(shape, choices=[{"index": 0, "finish_reason": "stop", "message": message}])
    outcome = guard.review("q", reply)
    assert outcome.original == (f"{content}\n\n" if content else "") + message["refusal"]
    after = as_dict(outcome.reply)["choices"][0]["message"]
    assert after["content"] == content
    assert after["refusal"] == "A gain is possible. I cannot say more."


def test_reasoning_passes_with_a_passing_reply_and_not_with_a_revised_one(guard, shape):
    """Reasoning is no prose for the reader, but it repeats what a revision took out; tool calls stay."""
    message = {"role": "assistant", "content": "Fine.", "reasoning_content": "certain", "tool_calls": [CALL]}
    choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
    reply = openai_reply(shape, choices=[choice])
    assert guard.review("q", reply).reply is reply
    reply = openai_reply(shape, choices=[{**choice, "message": {**message, "content": "It is certain."}}])
    released = as_dict(guard.review("q", reply).reply)
    assert "certain" not in repr(released)
    assert released["choices"][0]["message"]["tool_calls"] == [CALL]
    assert released["choices"][0]["finish_reason"] == "tool_calls"


words = st.text(
    st.sampled_from(
        "aBz .!?\n\t-*#|`>1279.)(\"'。！？、」「・か日本語٠١مرحبا؟हिन्दी।Привет한국어\u3000\u00a0\u200b\r😀e\u0301"
    ),
    max_size=30,
)
texts = words | st.text(max_size=20)


@given(st.lists(texts, min_size=1, max_size=6), texts)
def test_a_revised_text_is_shared_out_without_loss(parts, text):
    """However the text was cut into blocks, the blocks of the revised one join to exactly that."""
    shared = _shares.shared_out(parts, text)
    assert len(shared) == len(parts)
    assert "".join(shared) == text


@given(st.lists(texts, min_size=1, max_size=6))
def test_an_unchanged_text_leaves_every_block_as_it_was(parts):
    """Sharing out the old text gives the old blocks."""
    assert _shares.shared_out(parts, "".join(parts)) == list(parts)


SENTENCES = [
    "Yes. ",
    "Costs are low. ",
    "価格は変動します。",
    "Ask us. ",
    "It may fall.\n",
    "Цены растут. ",
    "لا تشتر الآن. ",
]
sentences = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=9)
cuts = st.sets(st.integers(1, 90))


def cut(text, places):
    """The text in blocks; a block may begin or end anywhere in a sentence, and may be empty."""
    places = sorted(places)
    return [text[a:b] for a, b in zip([0, *places], [*places, None], strict=True)]


@given(sentences, cuts, st.data(), words)
def test_a_text_of_the_old_sentences_is_shared_out_without_loss(old, places, data, added):
    """So too where sentences across blocks were left out, doubled, moved or edited, and where some were added."""
    parts = cut("".join(old), places)
    mixed = data.draw(st.lists(st.sampled_from([*old, added, "New 2% cap. "]), max_size=12))
    for new in (mixed, [*old, *mixed], [*mixed, *old], [*old, added]):
        assert "".join(_shares.shared_out(parts, "".join(new))) == "".join(new)


@given(sentences, st.sets(st.integers(0, 8)), cuts, st.booleans())
def test_unchanged_sentences_stay_in_their_own_blocks(old, edited, places, appends):
    """Whatever was edited or appended, a block that holds no piece of an edited sentence is as it was."""
    text = "".join(old)
    parts = cut(text, places)
    new = [f"Edit {i} stands. " if i in edited else sentence for i, sentence in enumerate(old)]
    shared = _shares.shared_out(parts, "".join(new) + "Added at last." * appends)
    touched, start = set(), 0
    for i, sentence in enumerate(old):
        touched |= set(range(start, start + len(sentence))) if i in edited else set()
        start += len(sentence)
    start = 0
    for index, part in enumerate(parts):
        own = range(start, start + len(part))
        start += len(part)
        if part and not touched & set(own) and not (appends and start == len(text)):
            assert shared[index] == part


def test_a_sentence_across_blocks_keeps_its_pieces_when_one_is_appended():
    """An appended sentence stands after the last one, and takes none of it along."""
    assert _shares.shared_out(["A gain is ", "possible."], "A gain is possible. Ask us.") == [
        "A gain is ",
        "possible. Ask us.",
    ]


@pytest.mark.parametrize(
    "change", [("", "Yes. "), ("Nope. ", ""), ("Nope. ", "Yes. "), ("Nope. Nope. ", "Yes. Nope. Yes. ")]
)
def test_sharing_out_a_long_monotonous_text_takes_no_time(change):
    """Twenty thousand sentences of one kind, edited at both ends: not quadratic, and still without loss."""
    middle, (old, new) = "Nope. " * 20_000, change
    text = new + middle + new
    began = time.process_time()
    shared = _shares.shared_out([old + middle[:40_000], middle[40_000:] + old], text)
    assert time.process_time() - began < 5
    assert "".join(shared) == text
