"""Replies in the SDKs' own types: text out, revised text back in, everything else untouched."""

import gc

import pytest
from anthropic.types import Message, TextBlock
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from guardrails import Constitution, Guard, _native, outcome_of
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
    with pytest.raises(UnsupportedReply, match=f"{len(choices)} choices"):
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
    count = len(_native._outcomes)
    del reply
    gc.collect()
    assert len(_native._outcomes) == count - 1


def test_a_blocked_message_raises(guard):
    """SDK replies are blocked like any other."""

    @guard
    def answer(messages):
        return Message.model_validate({**MESSAGE, "content": [TextBlock(type="text", text="A secret.")]})

    with pytest.raises(Blocked):
        answer([{"role": "user", "content": "q"}])


@given(
    st.lists(st.text(alphabet="aB .。\n", max_size=12), min_size=1, max_size=5),
    st.text(alphabet="aB .。\n", max_size=40),
)
def test_a_revised_text_is_shared_out_without_loss(parts, text):
    """However the text was cut into blocks, the blocks of the revised one join to exactly that."""
    shared = _native._shared_out(parts, text)
    assert len(shared) == len(parts)
    assert "".join(shared) == text


@given(st.lists(st.text(alphabet="aB .。\n", max_size=12), min_size=1, max_size=5))
def test_an_unchanged_text_leaves_every_block_as_it_was(parts):
    """Sharing out the old text gives the old blocks."""
    assert _native._shared_out(parts, "".join(parts)) == list(parts)
