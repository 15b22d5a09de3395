"""Wrapped clients with a real model at the other end: whatever it says, what comes out is what was judged."""

import contextlib
import re

import anthropic
import openai
import pytest
from pydantic import BaseModel
from support import collected, done, opened

from guardrails import Constitution, Guard, outcome_of

pytestmark = pytest.mark.model

# A word that any reply of some length holds, so that revising is what these tests mostly see.
YAML = """
name: small
version: "1"
principles:
  - id: no-the
    title: No articles
    severity: high
    rule: Never say "the".
    checks: [{pattern: '\\bthe\\b', decides: true, fix: {replace: that}}]
"""
WORD = re.compile(r"\bthe\b", re.IGNORECASE)
MESSAGES = [{"role": "user", "content": "Describe the sea and the sky."}]
CHAT = {"model": "smollm2", "messages": MESSAGES, "max_tokens": 48, "temperature": 0, "seed": 1}
RESPONSES = {"model": "smollm2", "input": MESSAGES, "max_output_tokens": 48, "temperature": 0}
CLAUDE = {"model": "smollm2", "messages": MESSAGES, "max_tokens": 48, "extra_body": {"temperature": 0}}
# They differ from call to call: ids, times, what the server had cached.
OF_THE_CALL = ("id", "created", "created_at", "completed_at", "timings", "usage")


class Weather(BaseModel):
    """What a caller asks for: no word in it that could be revised."""

    wet: bool


@pytest.fixture
def guard(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(YAML, encoding="utf-8")
    with Guard(Constitution.load(path), judge="rules", audit=tmp_path / "audit.db") as made:
        yield made
        assert made.audit.verify()


@pytest.fixture(params=["sync", "async"])
async def openai_client(request, small_model):
    kind = openai.OpenAI if request.param == "sync" else openai.AsyncOpenAI
    made = kind(base_url=f"{small_model.listening_address}/v1", api_key="none")
    yield made
    await done(made.close())


@pytest.fixture(params=["sync", "async"])
async def anthropic_client(request, small_model):
    kind = anthropic.Anthropic if request.param == "sync" else anthropic.AsyncAnthropic
    made = kind(base_url=small_model.listening_address, api_key="none")
    yield made
    await done(made.close())


def bare(value):
    """What a reply holds but for what differs from call to call."""
    if isinstance(value, list):
        return [bare(one) for one in value]
    if isinstance(value, dict):
        return {name: bare(one) for name, one in value.items() if name not in OF_THE_CALL}
    return value


def is_guarded(text, outcome):
    """What came out is what the outcome says, and no rule finds anything in it."""
    return text == outcome.text and not WORD.search(text) and outcome.status.value in {"passed", "revised"}


def written(said, old, new):
    """The same data with another text."""
    if isinstance(said, list):
        return [written(one, old, new) for one in said]
    if isinstance(said, dict):
        return {name: written(one, old, new) for name, one in said.items()}
    return new if said == old else said


async def test_completions(guard, openai_client):
    """Guarded and not: equal in everything but the text that was revised."""
    guarded = guard.wrap(openai_client)
    await done(openai_client.chat.completions.create(**CHAT))  # from now on the server has the prompt
    raw = await done(openai_client.chat.completions.create(**CHAT))
    made = await done(guarded.chat.completions.create(**CHAT))
    outcome, text = outcome_of(made), made.choices[0].message.content
    assert is_guarded(text, outcome)
    assert outcome.original == raw.choices[0].message.content
    assert bare(made.to_dict()) == written(bare(raw.to_dict()), outcome.original, text)


async def test_log_probabilities(guard, openai_client):
    """They go with a text that was revised, and stay with one that was not."""
    asked = {**CHAT, "max_tokens": 8, "logprobs": True, "top_logprobs": 2}
    made = await done(guard.wrap(openai_client).chat.completions.create(**asked))
    outcome = outcome_of(made)
    assert is_guarded(made.choices[0].message.content, outcome)
    assert (made.choices[0].logprobs is None) == (outcome.status.value == "revised")


async def test_streams_of_chunks(guard, openai_client):
    """What came out in pieces is what the outcome says, of the plain stream and of the helper."""
    guarded = guard.wrap(openai_client).chat.completions
    stream = await done(guarded.create(**CHAT, stream=True))
    chunks = await collected(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert is_guarded(text, outcome_of(stream))
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] in {"stop", "length"}
    events = []
    async with opened(guarded.stream(**CHAT)) as held:
        with contextlib.suppress(openai.LengthFinishReasonError):  # the SDK's own, for a reply cut off at max_tokens
            await collected(held, events)
        final = held.current_completion_snapshot.choices[0].message.content
    assert "".join(event.delta for event in events if event.type == "content.delta") == final
    assert not WORD.search(final)


async def test_parsed_completions(guard, openai_client):
    """The server keeps to the schema, and the object is made of the judged text."""
    asked = {name: value for name, value in CHAT.items() if name != "seed"}
    made = await done(guard.wrap(openai_client).chat.completions.parse(**asked, response_format=Weather))
    message = made.choices[0].message
    assert is_guarded(message.content, outcome_of(made))
    assert message.parsed == Weather.model_validate_json(message.content)


async def test_responses(guard, openai_client):
    """Guarded and not: equal in everything but the text that was revised."""
    guarded = guard.wrap(openai_client)
    await done(openai_client.responses.create(**RESPONSES))
    raw = await done(openai_client.responses.create(**RESPONSES))
    made = await done(guarded.responses.create(**RESPONSES))
    outcome = outcome_of(made)
    assert is_guarded(made.output_text, outcome)
    assert outcome.original == raw.output_text
    expected = written(bare(raw.to_dict()), outcome.original, made.output_text)
    if outcome.status.value == "revised":  # an empty list of them, here
        expected["output"][0]["content"][0]["logprobs"] = None
    assert bare(made.to_dict()) == expected


async def test_streams_of_responses(guard, openai_client):
    """The deltas and every place that repeats the text agree.

    The SDK's helper is left out: it needs an `output_index`, which this server's events have not.
    """
    stream = await done(guard.wrap(openai_client).responses.create(**RESPONSES, stream=True))
    events = await collected(stream)
    by_type = {event.type: event for event in events}
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert is_guarded(text, outcome_of(stream))
    assert by_type["response.output_text.done"].text == text
    assert by_type["response.content_part.done"].part.text == text
    assert by_type["response.output_item.done"].item.content[0].text == text
    assert by_type["response.completed"].response.output_text == text


async def test_messages(guard, anthropic_client):
    """Guarded and not: equal in everything but the text that was revised; counting tokens passes."""
    guarded = guard.wrap(anthropic_client)
    await done(anthropic_client.messages.create(**CLAUDE))
    raw = await done(anthropic_client.messages.create(**CLAUDE))
    made = await done(guarded.messages.create(**CLAUDE))
    outcome, text = outcome_of(made), made.content[0].text
    assert is_guarded(text, outcome)
    assert outcome.original == raw.content[0].text
    assert bare(made.to_dict()) == written(bare(raw.to_dict()), outcome.original, text)
    count = await done(guarded.messages.count_tokens(model="smollm2", messages=MESSAGES))
    assert count == await done(anthropic_client.messages.count_tokens(model="smollm2", messages=MESSAGES))


async def test_streams_of_messages(guard, anthropic_client):
    """What came out in pieces is what the outcome says, of the plain stream and of the helper."""
    guarded = guard.wrap(anthropic_client).messages
    stream = await done(guarded.create(**CLAUDE, stream=True))
    events = await collected(stream)
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    assert is_guarded("".join(delta.text for delta in deltas if delta.type == "text_delta"), outcome_of(stream))
    assert events[-1].type == "message_stop"
    async with opened(guarded.stream(**CLAUDE)) as held:
        pieces = await collected(held.text_stream)
        final = await done(held.get_final_message())
    assert "".join(pieces) == final.content[0].text
    assert not WORD.search(final.content[0].text)


async def test_text_streams(guard, openai_client):
    """`guard.stream` and `guard.astream` over the model's words: as the reply reviewed as a whole."""
    stream = await done(openai_client.chat.completions.create(**CHAT, stream=True))
    chunks = [chunk.choices[0].delta.content or "" for chunk in await collected(stream) if chunk.choices]
    out = "".join(guard.stream(MESSAGES, chunks))

    async def again():
        for chunk in chunks:
            yield chunk

    assert "".join(await collected(guard.astream(MESSAGES, again()))) == out
    assert is_guarded(out, guard.review(MESSAGES, "".join(chunks)))
