"""Wrapped Anthropic clients, over loopback: the SDK's own, Bedrock's and Vertex's, sync and async."""

import asyncio
import gc
import gzip
import inspect
import json
import struct
from base64 import b64encode
from contextlib import suppress
from zlib import crc32

import anthropic
import httpx2
import pytest
from anthropic import beta_async_tool, beta_tool
from anthropic._models import FinalRequestOptions
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from wire import Answer, Anthropic, serve

from guardrails import Constitution, FunctionJudge, Guard, outcome_of
from guardrails.audit import AuditTrail
from guardrails.dialects import ANTHROPIC
from guardrails.errors import (
    AuditError,
    Blocked,
    ConfigurationError,
    GuardrailsError,
    UnguardedCall,
    UnsupportedReply,
)
from guardrails.integrations._event_stream import AMAZON
from guardrails.integrations.anthropic import _unretried, wrap

YAML = """
name: small
version: "1"
fallback: {en: We cannot answer that.}
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
FALLBACK = "We cannot answer that."
CONTENT = [
    {"type": "thinking", "thinking": "Hm, certain.", "signature": "c2ln"},
    {"type": "text", "text": "A gain is certain. Costs are low. "},
    {"type": "text", "text": "Ask us."},
    {"type": "tool_use", "id": "t1", "name": "quote", "input": {"certain": True}},
]
PLAIN = {"model": "m-1", "max_tokens": 100, "messages": [{"role": "user", "content": "Is it safe?"}]}
BEDROCK = {"aws_access_key": "a", "aws_secret_key": "b", "aws_region": "us-east-1"}
VERTEX = {"region": "us-east5", "project_id": "p", "access_token": "t"}
CLIENTS = {
    "anthropic": lambda **options: anthropic.Anthropic(api_key="k", **options),
    "anthropic-async": lambda **options: anthropic.AsyncAnthropic(api_key="k", **options),
    "bedrock": lambda **options: anthropic.AnthropicBedrock(**BEDROCK, **options),
    "bedrock-async": lambda **options: anthropic.AsyncAnthropicBedrock(**BEDROCK, **options),
    "vertex": lambda **options: anthropic.AnthropicVertex(**VERTEX, **options),
    "vertex-async": lambda **options: anthropic.AsyncAnthropicVertex(**VERTEX, **options),
}


class Fee(BaseModel):
    text: str


@pytest.fixture(scope="module")
def wire():
    with serve() as wire:
        yield wire


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(YAML, encoding="utf-8")
    return Constitution.load(path)


@pytest.fixture
def guard(small):
    return Guard(small, audit=None)


@pytest.fixture(params=CLIENTS)
async def client(request, wire):
    """A client of each kind, not wrapped, with nothing on the server's record."""
    wire.seen.clear()
    made = CLIENTS[request.param](base_url=wire.url, http_client=http_client(request.param))
    yield made
    await got(made.close())


@pytest.fixture(params=["anthropic", "anthropic-async"])
async def plain(request, wire):
    """As `client`, of the SDK's own kinds alone."""
    wire.seen.clear()
    made = CLIENTS[request.param](base_url=wire.url, http_client=http_client(request.param))
    yield made
    await got(made.close())


def http_client(name, **options):
    # The certificates of the world take longer to load than any of these tests takes, and none is needed.
    return (httpx2.AsyncClient if "async" in name else httpx2.Client)(verify=False, **options)


async def got(value):
    """What a call returns, sync or async."""
    return await value if inspect.isawaitable(value) else value


async def items(stream):
    """All that a stream gives, sync or async."""
    return [item async for item in stream] if hasattr(stream, "__aiter__") else list(stream)


class Opened:
    """A context manager, sync or async."""

    def __init__(self, manager):
        self._manager = manager

    async def __aenter__(self):
        asks = hasattr(self._manager, "__aenter__")
        return await self._manager.__aenter__() if asks else self._manager.__enter__()

    async def __aexit__(self, *error):
        asks = hasattr(self._manager, "__aexit__")
        return await self._manager.__aexit__(*error) if asks else self._manager.__exit__(*error)


def says(*content, **changes):
    """A whole message of these blocks; a string is a block of text."""
    made = [{"type": "text", "text": block} if isinstance(block, str) else block for block in content]
    return Anthropic.says(content=made, **changes)


def events(*content, stop="end_turn"):
    """The events of such a message, a word of its texts and calls at a time."""
    whole = json.loads(says(*content).content)
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
    for index, block in enumerate(whole["content"]):
        empty, deltas = _growth(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": stop, "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 3}}
    yield {"type": "message_stop"}


def _growth(block):
    if block["type"] == "text":
        words = [word + " " for word in block["text"].split(" ")]
        words[-1] = words[-1][:-1]
        return {"type": "text", "text": ""}, [{"type": "text_delta", "text": word} for word in words]
    if block["type"] == "thinking":
        grown = {"type": "thinking_delta", "thinking": block["thinking"]}
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return {"type": "thinking", "thinking": "", "signature": ""}, [grown, signed]
    written = json.dumps(block["input"])
    pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in (written[:4], written[4:])]
    return {**block, "input": {}}, pieces


def streams(client, *content, **options):
    """An answer of the server's that streams to this client: Bedrock's are frames of Amazon's."""
    made = list(events(*content, **options))
    if "Bedrock" in type(client).__name__:
        headers = {"content-type": "application/vnd.amazon.eventstream"}
        return Answer(b"".join(AMAZON.frame(event).raw for event in made), headers=headers)
    lines = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in made)
    return Answer(lines.encode(), headers={"content-type": "text/event-stream; charset=utf-8"})


def texts(message):
    return [block.text for block in message.content if block.type == "text"]


def revised(data):
    """What a message's dictionary is when its text is revised and nothing else."""
    return json.loads(json.dumps(data).replace("A gain is certain.", "A gain is possible."))


async def test_a_created_message_differs_in_its_revised_text_alone(wire, guard, client):
    """Ids, usage, thinking, signatures and tool calls come out as they do without a guard; its type too."""
    wire.play(says(*CONTENT, stop_reason="tool_use"))
    guarded = wrap(guard, client)
    assert type(guarded) is type(client)
    bare, message = await got(client.messages.create(**PLAIN)), await got(guarded.messages.create(**PLAIN))
    assert message.to_dict() == revised(bare.to_dict()) != bare.to_dict()
    assert type(message) is type(bare)
    assert message._request_id == bare._request_id
    assert outcome_of(message).status == "revised"
    assert wire.seen[0].json == wire.seen[1].json


async def test_a_message_that_passes_comes_byte_for_byte(wire, guard, client):
    """What was not revised is the server's own answer."""
    answer = says("Costs are low.")
    wire.play(answer)
    raw = await got(wrap(guard, client).messages.with_raw_response.create(**PLAIN))
    assert raw.http_response.content == answer.content
    assert outcome_of(await got(raw.parse())).status == "passed"


async def test_a_parsed_message_is_the_sdks_own_or_blocked(wire, guard, client):
    """Data is judged and never edited: what passes is parsed as ever, what does not is blocked, after one request."""
    asked = {**PLAIN, "output_format": Fee}
    guarded = wrap(guard, client)
    for bare_api, api in ((client.messages, guarded.messages), (client.beta.messages, guarded.beta.messages)):
        if not hasattr(api, "parse"):  # the beta API of Bedrock and of Vertex has none
            continue
        wire.play(says('{"text": "Costs are low."}'))
        bare, message = await got(bare_api.parse(**asked)), await got(api.parse(**asked))
        assert message.parsed_output == Fee(text="Costs are low.")
        assert message.to_dict() == bare.to_dict()
        assert type(message) is type(bare)
        assert outcome_of(message).status == "passed"
        wire.play(says('{"text": "A gain is certain."}'))
        wire.seen.clear()
        with pytest.raises(Blocked):
            await got(api.parse(**asked))
        assert len(wire.seen) == 1


async def test_a_text_that_does_not_parse_raises_what_the_sdk_raises(wire, guard, plain):
    """A revised text that is not the data asked for is the SDK's own ValidationError, after one request."""
    wire.play(says("A gain is certain."))
    with pytest.raises(ValidationError):
        await got(wrap(guard, plain).messages.parse(**PLAIN, output_format=Fee))
    assert len(wire.seen) == 1


async def test_raw_and_streaming_responses_hold_the_revised_bytes(wire, guard, client):
    """Headers, status and parsed message are those of the bare call; text, JSON and bytes are the guarded ones."""
    wire.play(says(*CONTENT))
    guarded = wrap(guard, client)
    bare, raw = [await got(one.messages.with_raw_response.create(**PLAIN)) for one in (client, guarded)]
    assert (await got(raw.parse())).to_dict() == revised((await got(bare.parse())).to_dict())
    assert "certain." not in raw.http_response.text.replace("Hm, certain.", "")
    assert {*raw.headers} == {*bare.headers}
    assert raw.elapsed.total_seconds() > 0
    assert (raw.status_code, raw.retries_taken, raw.http_request.url) == (200, 0, bare.http_request.url)
    assert outcome_of(raw).status == outcome_of(await got(raw.parse())).status == "revised"
    async with Opened(guarded.messages.with_streaming_response.create(**PLAIN)) as response:
        read = b"".join(await items(response.iter_bytes()))
        assert json.loads(read) == revised(json.loads(says(*CONTENT).content))
        assert (await got(response.parse())).to_dict() == revised((await got(bare.parse())).to_dict())


async def test_a_stream_of_events_differs_in_its_revised_text_alone(wire, guard, client):
    """All events but those of the revised sentence are as they came, and the message they make is the revised one."""
    wire.play(streams(client, *CONTENT, stop="tool_use"))
    guarded = wrap(guard, client)
    bare = await items(await got(client.messages.create(**PLAIN, stream=True)))
    stream = await got(guarded.messages.create(**PLAIN, stream=True))
    made = await items(stream)
    assert type(made[0]) is type(bare[0])
    assert said(made) == said(bare).replace("A gain is certain.", "A gain is possible.")
    assert [event.to_dict() for event in made if not has_text(event)] == [
        event.to_dict() for event in bare if not has_text(event)
    ]
    assert outcome_of(stream).status == "revised"


def has_text(event):
    return event.type == "content_block_delta" and event.delta.type == "text_delta"


def said(made):
    return "".join(event.delta.text for event in made if has_text(event))


async def test_the_stream_helper_accumulates_the_revised_message(wire, guard, client):
    """`messages.stream` gives the final message of the bare call, but for the revised text; beta's too."""
    wire.play(streams(client, *CONTENT))
    guarded = wrap(guard, client)
    for bare_api, api in ((client.messages, guarded.messages), (client.beta.messages, guarded.beta.messages)):
        async with Opened(bare_api.stream(**PLAIN)) as stream:
            bare = await got(stream.get_final_message())
        async with Opened(api.stream(**PLAIN)) as stream:
            text = "".join(await items(stream.text_stream))
            message = await got(stream.get_final_message())
        assert message.to_dict() == revised(bare.to_dict())
        assert text == "A gain is possible. Costs are low. Ask us."
        assert outcome_of(stream).status == "revised"


async def test_beta_messages_are_guarded_like_the_others(wire, guard, client):
    """The beta API has its own query and its own types."""
    wire.play(says(*CONTENT))
    guarded = wrap(guard, client)
    bare, message = [await got(one.beta.messages.create(**PLAIN)) for one in (client, guarded)]
    assert message.to_dict() == revised(bare.to_dict())
    assert type(message) is type(bare)


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_the_tool_runner_runs_over_guarded_messages(wire, guard, plain, is_streamed):
    """Each turn is guarded, the tool gets its arguments as they were called, and the next turn has the revised text."""
    calls = []

    def fee(fund: str) -> str:
        """The fee of a fund.

        Args:
            fund: Its name.
        """
        calls.append(fund)
        return "0.2%"

    async def afee(fund: str) -> str:
        """The fee of a fund.

        Args:
            fund: Its name.
        """
        return fee(fund)

    turns = (
        ["It is certain.", {"type": "tool_use", "id": "t1", "name": "fee", "input": {"fund": "certain"}}],
        "tool_use",
    )
    answer = streams if is_streamed else (lambda _, *content, stop: says(*content, stop_reason=stop))
    wire.play(answer(plain, *turns[0], stop=turns[1]), answer(plain, "A gain is certain.", stop="end_turn"))
    is_async = isinstance(plain, anthropic.AsyncAnthropic)
    tool = beta_async_tool(afee, name="fee") if is_async else beta_tool(fee)
    runner = wrap(guard, plain).beta.messages.tool_runner(**PLAIN, tools=[tool], stream=is_streamed)
    turns = [await got(turn.get_final_message()) if is_streamed else turn async for turn in each(runner)]
    assert calls == ["certain"]
    assert [texts(message) for message in turns] == [["It is possible."], ["A gain is possible."]]
    assert wire.seen[1].json["messages"][1]["content"][0]["text"] == "It is possible."


async def each(runner):
    if hasattr(runner, "__aiter__"):
        async for one in runner:
            yield one
    else:
        for one in runner:
            yield one


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_blocked_reply_raises_after_one_request(wire, guard, client, is_streamed):
    """Blocked says why; nothing is retried, and nothing of the reply is in it."""
    wire.play(streams(client, "The secret is 7.") if is_streamed else says("The secret is 7."))

    async def ask():
        for event in await items(await got(wrap(guard, client).messages.create(**PLAIN, stream=is_streamed))):
            assert not has_text(event)

    with pytest.raises(Blocked) as caught:
        await ask()
    assert caught.value.outcome.at_fault == ("no-secrets",)
    assert len(wire.seen) == 1


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_blocked_reply_is_the_fallback_where_that_is_asked_for(wire, small, client, is_streamed):
    """The message ends with the fallback and a plain stop reason; a call for data raises all the same."""
    guard = Guard(small, audit=None, on_blocked="fallback")
    wire.play(streams(client, "The secret is 7.") if is_streamed else says("The secret is 7."))
    guarded = wrap(guard, client)
    if is_streamed:
        async with Opened(guarded.messages.stream(**PLAIN)) as stream:
            message = await got(stream.get_final_message())
    else:
        message = await got(guarded.messages.create(**PLAIN))
        with pytest.raises(Blocked):
            await got(guarded.messages.parse(**PLAIN, output_format=Fee))
    assert texts(message) == [FALLBACK]
    assert (message.id, message.stop_reason) == ("msg_1", "end_turn")


async def test_an_error_of_the_servers_is_retried_as_ever_and_the_reply_judged_once(wire, small, client):
    """A 500 goes to the SDK, which sends again; the guard judges what comes in the end, once."""
    judged = []
    judge = FunctionJudge(lambda exchange, _: judged.append(exchange.reply), covers={"no-secrets"})
    wire.play(Anthropic.fails(500, retry_after_ms="1"), says("Costs are low."))
    message = await got(wrap(Guard(small, judge=judge, audit=None), client).messages.create(**PLAIN))
    assert texts(message) == judged == ["Costs are low."]
    assert len(wire.seen) == 2


async def test_an_error_response_is_the_sdks_own(wire, guard, plain):
    """A 400 raises BadRequestError, as without a guard."""
    wire.play(Anthropic.fails(400))
    with pytest.raises(anthropic.BadRequestError):
        await got(wrap(guard, plain).messages.create(**PLAIN))


async def test_a_judge_that_fails_with_the_sdks_own_error_sends_nothing_again(wire, small, plain):
    """A guard's model may be an Anthropic client too, and its errors are not the call's."""

    def fails(exchange, principle):
        raise anthropic.APIConnectionError(request=httpx2.Request("POST", "http://127.0.0.1"))

    wire.play(says("Costs are low."))
    judge = FunctionJudge(fails, covers={"no-secrets"})
    with pytest.raises(Blocked):
        await got(wrap(Guard(small, judge=judge, audit=None), plain).messages.create(**PLAIN))
    assert len(wire.seen) == 1


def test_no_error_of_the_sdks_stands_behind_ours():
    """Neither as the cause nor as the context, however deep; what else stands there stays."""
    theirs = anthropic.APIConnectionError(request=httpx2.Request("POST", "http://127.0.0.1"))
    with pytest.raises(GuardrailsError) as direct, _unretried():
        raise theirs
    between = OSError("disk")
    between.__cause__ = between.__context__ = theirs
    with pytest.raises(AuditError) as caught, _unretried():
        raise AuditError("no record") from between
    assert caught.value.__cause__ is between
    assert between.__cause__ is between.__context__ is direct.value.__cause__ is None


async def test_a_reply_that_cannot_be_recorded_is_not_released_and_not_asked_for_again(wire, small, tmp_path, plain):
    """A trail that fails is an AuditError, after one request."""
    guard = Guard(small, audit=f"sqlite:///{tmp_path}/audit.db")
    guard.audit.close()
    wire.play(says("Costs are low."))
    (tmp_path / "audit.db").unlink(missing_ok=True)
    (tmp_path / "audit.db").mkdir()
    with pytest.raises(AuditError):
        await got(wrap(guard, plain).messages.create(**PLAIN))
    assert len(wire.seen) == 1


async def test_the_reply_is_judged_with_the_conversation_that_was_sent(wire, small, client):
    """System prompt, tools' results, and what a middleware of the user's adds on the way."""
    seen = []
    judge = FunctionJudge(lambda exchange, _: seen.append(exchange), covers={"no-secrets"})
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "0.2%"}
    messages = [{"role": "user", "content": (block for block in [result])}]

    def add(request, call_next):
        return call_next(request.copy(body={**request.json, "system": "Be brief."}))

    async def aadd(request, call_next):
        return await call_next(request.copy(body={**request.json, "system": "Be brief."}))

    added = client.with_middleware(aadd if "Async" in type(client).__name__ else add)
    wire.play(says("Costs are low."))
    await got(wrap(Guard(small, judge=judge, audit=None), added).messages.create(**{**PLAIN, "messages": messages}))
    assert [(message.role, message.content) for message in seen[0].messages] == [
        ("system", "Be brief."),
        ("tool", "0.2%"),
    ]


def meddling(is_async, meddle):
    """A middleware that changes the response."""

    def handle(request, call_next):
        response = call_next(request)
        meddle(response)
        return response

    async def ahandle(request, call_next):
        response = await call_next(request)
        await got(meddle(response))
        return response

    return ahandle if is_async else handle


def rewrites(response):
    content = says("The secret is 7.").content
    response.http_response = httpx2.Response(200, headers={"content-type": "application/json"}, content=content)


def mutates(response):
    async def change():
        (await response.parse()).content[0].text = "The secret is 7."

    if isinstance(response, anthropic.AsyncAPIResponse):
        return change()
    response.parse().content[0].text = "The secret is 7."
    return None


@pytest.mark.parametrize("derive", ["before", "with_middleware", "with_options", "copy"])
async def test_no_middleware_of_the_users_changes_a_reply_after_the_guard(wire, guard, plain, derive):
    """Whenever and however it is added, what it makes of the reply is what the guard judges."""
    wire.play(says("Costs are low."))
    entry = meddling(isinstance(plain, anthropic.AsyncAnthropic), rewrites)
    if derive == "before":
        guarded = wrap(guard, plain.with_middleware(entry))
    elif derive == "with_middleware":
        guarded = wrap(guard, plain).with_middleware(entry)
    else:
        guarded = wrap(guard, plain)
        guarded = getattr(guarded, derive)(middleware=[entry, *guarded.middleware])
    with pytest.raises(Blocked):
        await got(guarded.messages.create(**PLAIN))
    assert len(wire.seen) == 1


async def test_a_reply_that_a_middleware_made_is_revised_like_any(wire, small, plain):
    """It may have no request of its own, and was not timed."""
    wire.play(says("Costs are low."))
    guard = Guard(small, audit=None, on_blocked="fallback")
    entry = meddling(isinstance(plain, anthropic.AsyncAnthropic), rewrites)
    assert texts(await got(wrap(guard, plain.with_middleware(entry)).messages.create(**PLAIN))) == [FALLBACK]


async def test_a_message_that_a_middleware_parsed_and_changed_is_not_what_comes_out(wire, guard, plain):
    """The caller gets the message of the bytes that were judged."""
    wire.play(says("Costs are low."))
    entry = meddling(isinstance(plain, anthropic.AsyncAnthropic), mutates)
    assert texts(await got(wrap(guard, plain.with_middleware(entry)).messages.create(**PLAIN))) == ["Costs are low."]


async def test_what_a_middleware_gives_in_place_of_a_response_is_refused(wire, guard, plain):
    """A message from a cache has no bytes that could be judged."""
    held = anthropic.types.Message.model_validate(json.loads(says("The secret is 7.").content))

    async def ahandle(request, call_next):
        return held

    entry = ahandle if isinstance(plain, anthropic.AsyncAnthropic) else (lambda request, call_next: held)
    with pytest.raises(UnsupportedReply):
        await got(wrap(guard, plain.with_middleware(entry)).messages.create(**PLAIN))


@pytest.mark.parametrize("derive", ["with_options", "copy"])
async def test_a_derived_client_cannot_lose_its_guard(wire, guard, client, derive):
    """No options take the guard away, it judges once, and the client that was wrapped stays as it was."""
    wire.play(says("The secret is 7."))
    guarded = getattr(wrap(guard, client), derive)(middleware=[], timeout=5).with_options(max_retries=1)
    assert (guarded.timeout, guarded.max_retries, len(guarded.middleware)) == (5, 1, 1)
    with pytest.raises(Blocked):
        await got(guarded.messages.create(**PLAIN))
    assert texts(await got(client.messages.create(**PLAIN))) == ["The secret is 7."]
    assert client.middleware == ()


async def test_monitor_mode_releases_everything_as_it_came(wire, small, client):
    """Nothing is changed, and there is no outcome to be found."""
    with Guard(small, audit=None, mode="monitor") as guard:
        wire.play(says("A gain is certain."))
        message = await got(wrap(guard, client).messages.create(**PLAIN))
        assert texts(message) == ["A gain is certain."]
        with pytest.raises(LookupError):
            outcome_of(message)


async def test_an_encoded_reply_is_revised_and_comes_plain(wire, guard, plain):
    """The new body is not compressed, and no header says so."""
    answer = says("A gain is certain.")
    wire.play(Answer(gzip.compress(answer.content), headers={"content-encoding": "gzip"}))
    raw = await got(wrap(guard, plain).messages.with_raw_response.create(**PLAIN))
    assert texts(await got(raw.parse())) == ["A gain is possible."]
    assert "content-encoding" not in raw.headers
    assert int(raw.headers["content-length"]) == len(raw.http_response.content)


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_an_answer_that_is_not_of_the_kind_asked_for_is_judged_or_refused(wire, guard, client, is_streamed):
    """JSON for a stream is judged as JSON; events for a message, or nonsense, are refused; raw bytes included."""
    api = wrap(guard, client).messages.with_streaming_response
    wire.play(says("The secret is 7.") if is_streamed else streams(client, "The secret is 7."))
    with pytest.raises((Blocked, UnsupportedReply)):
        async with Opened(api.create(**PLAIN, stream=is_streamed)) as response:
            await items(response.iter_bytes())
    assert len(wire.seen) == 1


def cut_off(client):
    """A stream without its end, and one that reports an error there."""
    if "Bedrock" in type(client).__name__:
        frames = [AMAZON.frame(event).raw for event in events("Costs are low. A gain is certain.")]
        return b"".join(frames[:-3]), b"".join([*frames[:-3], amazons_exception()])
    lines = streams(client, "Costs are low. A gain is certain.").content.split(b"\n\n")
    error = b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}'
    return b"\n\n".join([*lines[:-4], b""]), b"\n\n".join([*lines[:-4], error, b""])


def amazons_exception():
    """A frame that botocore, too, takes for an exception."""
    headers = {":exception-type": "throttlingException", ":message-type": "exception"}
    block = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    payload = b'{"message": "busy"}'
    made = struct.pack(">II", 16 + len(block) + len(payload), len(block))
    made += struct.pack(">I", crc32(made)) + block + payload
    return made + struct.pack(">I", crc32(made))


async def test_a_stream_that_is_cut_off_is_blocked_and_an_error_in_it_is_the_sdks_own(wire, guard, client):
    """Nothing unjudged comes out, and the SDK raises what it raises for the provider's error."""
    short, failed = cut_off(client)
    headers = dict(streams(client, "A.").headers)
    guarded = wrap(guard, client)
    for content, raised in ((short, Blocked), (failed, anthropic.APIStatusError)):
        wire.play(Answer(content, headers=headers))
        stream, out = await got(guarded.messages.create(**PLAIN, stream=True)), []

        async def read(stream=stream, out=out):
            async for event in each(stream):
                out.append(event)

        with pytest.raises(raised):
            await read()
        assert "certain" not in said(out)


async def test_the_sdks_own_fallback_middleware_works_inside_the_guard(wire, guard, plain):
    """What another model answers after a refusal is judged like any reply, streamed or not."""
    state = anthropic.BetaFallbackState()
    entry = anthropic.BetaRefusalFallbackMiddleware([{"model": "m-2"}])
    guarded = wrap(guard, plain.with_middleware(entry))
    with state:
        wire.play(says(stop_reason="refusal"), says("A gain is certain."))
        assert texts(await got(guarded.beta.messages.create(**PLAIN))) == ["A gain is possible."]
    assert [seen.json["model"] for seen in wire.seen] == ["m-1", "m-2"]


async def test_a_stream_that_is_left_early_is_closed(wire, guard, client):
    """The connection goes back, and what was not read is not judged behind the caller's back."""
    wire.play(streams(client, "Costs are low. ", "A gain is certain."))
    stream = await got(wrap(guard, client).messages.create(**PLAIN, stream=True))
    if hasattr(stream, "__aiter__"):
        await anext(stream)
    else:
        next(stream)
    await got(stream.close())
    assert stream.response.is_closed


async def test_a_stream_that_is_dropped_is_no_error_of_the_loops(wire, guard):
    """Left in mid-stream, by a cycle of the caller's too, and collected some time: it is closed once."""
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    client = CLIENTS["anthropic-async"](base_url=wire.url, http_client=http_client("async"))
    wire.play(streams(client, "Costs are low. " * 200))
    guarded = wrap(guard, client)

    async def leave():
        held = {"stream": await guarded.messages.create(**PLAIN, stream=True)}
        held["itself"] = held
        async for event in held["stream"]:
            if has_text(event):
                return

    for _ in range(3):
        await leave()
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0.02)
    await client.close()
    assert reported == []


@pytest.mark.parametrize("how", ["read", "left", "helper"])
async def test_a_stream_that_is_watched_is_recorded_however_it_ends(wire, small, client, tmp_path, how):
    """A caller may stop before its end: monitor mode has heard what came."""
    wire.play(streams(client, "A gain is certain. ", "Ask us."))
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        with Guard(small, audit=trail, mode="monitor") as guard:
            api = wrap(guard, client).messages
            if how == "helper":
                async with Opened(api.stream(**PLAIN)) as stream:
                    await items(stream)
            else:
                stream = await got(api.create(**PLAIN, stream=True))
                if how == "read":
                    await items(stream)
                else:
                    await got(anext(stream) if hasattr(stream, "__anext__") else next(stream))
                await got(stream.close())
        assert len([*trail.runs()]) == 1


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_request_that_cannot_be_read_is_not_sent(wire, guard, client, is_streamed):
    """Its reply could not be judged, and would be paid for."""
    with pytest.raises(TypeError):
        await got(wrap(guard, client).messages.create(**{**PLAIN, "messages": [5]}, stream=is_streamed))
    assert not wire.seen


def spoils(request):
    return request.copy(body={**request.json, "messages": [{"role": "user", "content": 5}]})


async def test_a_reply_whose_request_cannot_be_read_is_closed(wire, guard, plain):
    """A middleware further in may make such a request of any: the connection goes back all the same."""
    seen = []

    def entry(request, call_next):
        seen.append(call_next(spoils(request)))
        return seen[0]

    async def aentry(request, call_next):
        seen.append(await call_next(spoils(request)))
        return seen[0]

    wire.play(streams(plain, "Costs are low."))
    is_async = isinstance(plain, anthropic.AsyncAnthropic)
    with pytest.raises(TypeError):
        await got(
            wrap(guard, plain.with_middleware(aentry if is_async else entry)).messages.create(**PLAIN, stream=True)
        )
    assert seen[0].http_response.is_closed


async def test_a_part_of_a_client_cannot_be_wrapped(guard, plain):
    """The error says what can; nor can a client whose base URL would swallow the paths that are checked."""
    for part in (plain.messages, plain.beta, plain.with_raw_response):
        with pytest.raises(ConfigurationError, match="whole"):
            guard.wrap(part)
    with pytest.raises(ConfigurationError, match="query"):
        wrap(guard, plain).with_options(base_url="http://127.0.0.1:9/v1/messages/batches/b1/results?x=")


async def test_calls_that_return_no_text_pass(wire, guard, plain):
    """Counting tokens and handing in a batch are no replies; whatever could hold one is refused, and not sent."""
    guarded = wrap(guard, plain)
    wire.play(Answer({"input_tokens": 7}))
    counted = await got(guarded.messages.count_tokens(model="m-1", messages=PLAIN["messages"]))
    assert counted.input_tokens == 7
    await got(guarded.messages.batches.create(requests=[{"custom_id": "1", "params": PLAIN}]))
    for refused in (
        lambda: guarded.files.download("f1"),
        lambda: guarded.files.retrieve_metadata("f1/content"),
        lambda: guarded.messages.batches.retrieve("b1/results"),
        lambda: guarded.models.retrieve("b1/../../messages/batches/b1/results"),
        lambda: guarded.get("/v1/models/..", cast_to=object),
        lambda: guarded.get("/v1/models/m%3Fx", cast_to=object),
        lambda: guarded.post("/v1/messages/batches/..%2Fb1/cancel", cast_to=object),
        lambda: guarded.post("/v1/messages/", body=PLAIN, cast_to=object),
        lambda: guarded.post("/v1/messages", content=b"{}", cast_to=object),
        lambda: guarded.post("/v1/messages/batches/../../messages", body=PLAIN, cast_to=object),
        lambda: guarded.beta.messages.create(**PLAIN, thread={"type": "create"}),
    ):
        with pytest.raises(UnguardedCall):
            await got(refused())
    assert len(wire.seen) == 2


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20)), max_size=4), st.integers(1, 40))
def test_amazons_frames_are_those_that_its_own_decoder_reads(values, size):
    """botocore reads what we write, and we read it back, byte for byte, from chunks of any size."""
    written = [AMAZON.frame({"type": "t", **value}) for value in values]
    content = b"".join(frame.raw for frame in written)
    buffer = EventStreamBuffer()
    buffer.add_data(content)
    assert [json.loads(event.payload)["bytes"] for event in buffer] == [
        b64encode(json.dumps(frame.data, ensure_ascii=False).encode()).decode() for frame in written
    ]
    decoder = AMAZON.decoder()
    read = [frame for at in range(0, len(content), size) for frame in decoder.feed(content[at : at + size])]
    assert [(frame.raw, frame.data) for frame in read] == [(frame.raw, frame.data) for frame in written]
    assert not decoder.end()


# How a method is called in the walk below: what is not here is given the text "x", wherever it has no default.
MADE_UP = {
    **PLAIN,
    "archive": ("a.zip", b"x"),
    "body": PLAIN,
    "cast_to": object,
    "file": ("a.txt", b"x"),
    "files": [("a.txt", b"x")],
    "options": FinalRequestOptions.construct(method="get", url="/v1/made-up"),
    "path": "/v1/made-up",
    "requests": [{"custom_id": "1", "params": PLAIN}],
    "tools": [],
}
# What each method of the SDK's clients is, by the resource that it is in. A method that is new in an SDK is in none.
GUARDED = {"messages": "create parse stream", "beta.messages": "create parse stream tool_runner"}
ALLOWED = {  # they return no text of a model's
    "messages": "count_tokens",
    "messages.batches": "cancel create delete list retrieve",
    "models": "list retrieve",
    "files": "delete list retrieve_metadata upload",
    "beta.messages": "count_tokens",
    "beta.messages.batches": "cancel create delete list retrieve",
    "beta.models": "list retrieve",
    "beta.files": "delete list retrieve_metadata upload",
}
LOCAL = {  # they send nothing, or the SDK refuses them for this client
    "": "is_closed platform_headers",
    "beta.messages": "thread",
    "beta.webhooks": "parse_unverified unwrap",
}
# What the workers of the async client alone send is refused like the rest.
LOCAL_ASYNC = {**LOCAL, "beta.environments.work": "worker", "beta.sessions.events": "tool_runner"}
LOCAL_PLATFORM = {
    "": "is_closed platform_headers",
    "beta.messages": "thread",
    "messages.batches": "cancel create delete list results retrieve",
}
# The raw verbs are refused for paths that no list names.
RAW = {"": "delete get get_api_list patch post put request"}
REFUSED = {  # none of these is a message; many could hold text of a model's
    "beta.agents": "archive create list retrieve update",
    "beta.agents.versions": "list",
    "beta.deployment_runs": "list retrieve",
    "beta.deployments": "archive create list pause retrieve run unpause update",
    "beta.dreams": "archive cancel create list retrieve",
    "beta.environments": "archive create delete list retrieve update",
    "beta.environments.work": "ack heartbeat list poll retrieve stats stop update",
    "beta.files": "download",
    "beta.memory_stores": "archive create delete list retrieve update",
    "beta.memory_stores.memories": "create delete list retrieve update",
    "beta.memory_stores.memory_versions": "list redact retrieve",
    "beta.messages.batches": "results",
    "beta.organization.analytics.apps.chat.projects": "list",
    "beta.organization.analytics.artifacts": "list",
    "beta.organization.analytics.connectors": "list",
    "beta.organization.analytics.cost": "list",
    "beta.organization.analytics.cost_report": "list",
    "beta.organization.analytics.plugins": "list",
    "beta.organization.analytics.skills": "list",
    "beta.organization.analytics.summaries": "list",
    "beta.organization.analytics.usage": "list",
    "beta.organization.analytics.usage_report": "list",
    "beta.organization.analytics.user_cost_report": "list",
    "beta.organization.analytics.user_usage_report": "list",
    "beta.organization.analytics.users": "list",
    "beta.organization.api_keys": "list retrieve update",
    "beta.organization.claude_code.managed_settings.configuration": "retrieve update",
    "beta.organization.claude_code.managed_settings.rbac_group_default": "retrieve update",
    "beta.organization.claude_code.managed_settings.rbac_groups": "delete list retrieve set",
    "beta.organization.claude_tag.bundles": "list retrieve update",
    "beta.organization.claude_tag.bundles.targets": "create delete list retrieve",
    "beta.organization.claude_tag.slack_channels": "create delete list retrieve update",
    "beta.organization.claude_tag.slack_workspaces": "list retrieve update",
    "beta.organization.compliance_settings": "retrieve update",
    "beta.organization.external_keys": "create delete list retrieve update validate",
    "beta.organization.federation.issuers": "archive create list retrieve update",
    "beta.organization.federation.rules": "archive create list retrieve update",
    "beta.organization.federation.rules.workspaces": "add list remove",
    "beta.organization.invites": "create delete list retrieve",
    "beta.organization.plugin_marketplaces": "list retrieve update validate_archive validate_repository",
    "beta.organization.plugins": "create delete list retrieve update",
    "beta.organization.plugins.installation_settings": "list remove set",
    "beta.organization.plugins.shares": "list",
    "beta.organization.plugins.versions": "create download list retrieve",
    "beta.organization.rate_limits": "list",
    "beta.organization.rbac_groups": "create delete list retrieve update",
    "beta.organization.rbac_groups.members": "add list remove",
    "beta.organization.rbac_roles": "list retrieve",
    "beta.organization.rbac_roles.permissions": "list",
    "beta.organization": "retrieve",
    "beta.organization.service_accounts": "archive create list retrieve update",
    "beta.organization.service_accounts.workspaces": "add list remove",
    "beta.organization.spend_limits": "delete list retrieve set",
    "beta.organization.spend_limits.effective": "list",
    "beta.organization.spend_limits.increase_requests": "approve deny list retrieve",
    "beta.organization.telemetry_destinations": "create delete list retrieve test update",
    "beta.organization.telemetry_destinations.workspaces": "add list remove",
    "beta.organization.users": "list remove retrieve sign_out update",
    "beta.organization.webhooks": "create delete list regenerate_signing_secret retrieve update",
    "beta.organization.workspaces": "archive create list retrieve update",
    "beta.organization.workspaces.members": "add list remove retrieve update",
    "beta.organization.workspaces.rate_limits": "list update",
    "beta.organization.workspaces.service_accounts": "add list remove retrieve update",
    "beta.sessions": "archive create delete list retrieve update",
    "beta.sessions.events": "list send stream",
    "beta.sessions.resources": "add delete list retrieve update",
    "beta.sessions.threads": "archive list retrieve",
    "beta.sessions.threads.events": "list stream",
    "beta.skills": "create delete list retrieve",
    "beta.skills.versions": "create delete download list retrieve",
    "beta.tunnels": "archive create list retrieve reveal_token rotate_token",
    "beta.tunnels.certificates": "archive create list retrieve",
    "beta.user_profiles.action_urls": "create",
    "beta.user_profiles": "create create_enrollment_url delete list retrieve update",
    "beta.vaults": "archive create delete list retrieve update",
    "beta.vaults.credentials": "archive create delete list mcp_oauth_validate retrieve update",
    "": "delete get get_api_list patch post put request",
    "files": "download",
    "messages.batches": "results",
    "organization.analytics.apps.chat.projects": "list",
    "organization.analytics.artifacts": "list",
    "organization.analytics.connectors": "list",
    "organization.analytics.plugins": "list",
    "organization.analytics.skills": "list",
    "organization.analytics.summaries": "list",
    "organization.analytics.users": "list",
    "organization.api_keys": "list retrieve update",
    "organization.compliance_settings": "retrieve update",
    "organization.external_keys": "create delete list retrieve update validate",
    "organization.federation.issuers": "archive create list retrieve update",
    "organization.federation.rules": "archive create list retrieve update",
    "organization.federation.rules.workspaces": "add list remove",
    "organization.invites": "create delete list retrieve",
    "organization.rate_limits": "list",
    "organization.rbac_groups": "create delete list retrieve update",
    "organization.rbac_groups.members": "add list remove",
    "organization.rbac_roles": "list retrieve",
    "organization.rbac_roles.permissions": "list",
    "organization": "retrieve",
    "organization.service_accounts": "archive create list retrieve update",
    "organization.service_accounts.workspaces": "add list remove",
    "organization.spend_limits.effective": "list",
    "organization.spend_limits.increase_requests": "approve deny list retrieve",
    "organization.users": "list remove retrieve update",
    "organization.workspaces": "archive create list retrieve update",
    "organization.workspaces.members": "add list remove retrieve update",
    "organization.workspaces.rate_limits": "list update",
    "organization.workspaces.service_accounts": "add list remove retrieve update",
    "skills": "create delete list retrieve",
    "skills.versions": "create delete list retrieve",
    "user_profiles.action_urls": "create",
    "user_profiles": "create delete list retrieve update",
}
POLLED = {"beta.environments.work": "ack heartbeat list poll poller retrieve stats stop update"}
LISTS = {
    "anthropic": {"guarded": GUARDED, "allowed": ALLOWED, "silent": LOCAL, "refused": REFUSED},
    "anthropic-async": {
        "guarded": GUARDED,
        "allowed": ALLOWED,
        "silent": LOCAL_ASYNC,
        "refused": {**REFUSED, **POLLED},
    },
    "bedrock": {"guarded": GUARDED, "silent": {**LOCAL_PLATFORM, "messages": "count_tokens"}, "refused": RAW},
    "vertex": {
        "guarded": GUARDED,
        "allowed": {"messages": "count_tokens", "beta.messages": "count_tokens"},
        "silent": LOCAL_PLATFORM,
        "refused": RAW,
    },
}
DERIVING = {"close", "copy"}


def methods(resource, path=""):
    """Every public method of a client and of the resources in it, by its path."""
    for name in sorted({*dir(type(resource)), *vars(resource)}):
        if name.startswith(("_", "with_")) or name in DERIVING:
            continue
        member = getattr(resource, name)
        if hasattr(member, "_client") and hasattr(member, "_post"):
            yield from methods(member, f"{path}.{name}".lstrip("."))
        elif inspect.isroutine(member):
            yield path, name, member


def made_up(method):
    """Arguments for what a method requires."""
    asked = inspect.signature(method).parameters.values()
    return {
        one.name: MADE_UP.get(one.name, "x")
        for one in asked
        if one.default is one.empty and one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}
    }


MESSAGES = ("/v1/messages", "/invoke", "/invoke-with-response-stream", ":rawPredict", ":streamRawPredict")


class Recorder:
    """A transport that answers each message with what is to be blocked, anything else with nothing, and keeps count."""

    def __init__(self):
        self.sent = 0

    def __call__(self, request):
        self.sent += 1
        if request.url.path.endswith(MESSAGES):
            content = says("The secret is 7.").content
            return httpx2.Response(200, headers={"content-type": "application/json"}, content=content)
        results = "http://127.0.0.1/v1/messages/batches/x/results"
        return httpx2.Response(200, json={"data": [], "id": "x", "results_url": results})

    async def arequest(self, request):
        return self(request)


async def fate(method, recorder):
    """What becomes of a call: guarded, refused, allowed, or silent when it sends nothing."""
    recorder.sent = 0
    try:
        made = await got(method(**made_up(method)))
        if hasattr(made, "__enter__") or hasattr(made, "__aenter__"):
            async with Opened(made) as opened:
                await items(opened)
        elif hasattr(made, "__next__") or hasattr(made, "__anext__"):
            await items(made)
    except Blocked:
        return "guarded"
    except UnguardedCall:
        return "refused"
    except Exception as error:  # noqa: BLE001 - made-up arguments lead to anything
        return repr(error) if recorder.sent else "silent"
    return "allowed" if recorder.sent else "silent"


@pytest.mark.parametrize("name", CLIENTS)
async def test_every_method_of_the_sdk_is_guarded_allowed_or_refused(guard, name):
    """Each one was looked at, and called here: a new one is in no list, and this test tells of it."""
    recorder = Recorder()
    lists = LISTS.get(name) or LISTS[name.partition("-")[0]]
    transport = httpx2.MockTransport(recorder.arequest if "async" in name else recorder)
    bare = CLIENTS[name](http_client=http_client(name, transport=transport), max_retries=0)
    found = {}
    for path, method, called in methods(wrap(guard, bare)):
        found.setdefault(await fate(called, recorder), {}).setdefault(path, []).append(method)
    await got(bare.close())
    for what, held in found.items():
        shown = "".join(f"\n  {path or 'client'}: {' '.join(held[path])}" for path in held)
        print(f"{name}, {what}:{shown}")  # noqa: T201 - for pytest -s
    assert {what: {path: " ".join(held[path]) for path in held} for what, held in found.items()} == lists


@given(st.binary(max_size=60), st.integers(0, 200), st.integers(1, 255))
def test_what_is_no_stream_of_amazons_is_refused(garbage, at, flip):
    """A byte that was changed on the way, or nonsense, is an error or waits for more: it is never passed on."""
    whole = AMAZON.frame({"type": "ping"}).raw
    damaged = bytearray(whole)
    damaged[at % len(whole)] ^= flip
    for content in (bytes(damaged), garbage):
        decoder, read = AMAZON.decoder(), []
        with suppress(UnsupportedReply):
            read = list(decoder.feed(content))
        assert [frame for frame in read if frame.raw != whole] == []
        assert not decoder.end()


def amazons_chunk(content):
    """A chunk of Bedrock's that holds these bytes."""
    frame = AMAZON.frame({}).raw
    headers = frame[12 : 12 + struct.unpack_from(">I", frame, 4)[0]]
    payload = json.dumps({"bytes": b64encode(content).decode()}).encode()
    made = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    made += struct.pack(">I", crc32(made)) + headers + payload
    return made + struct.pack(">I", crc32(made))


@pytest.mark.parametrize(
    ("content", "data"), [(b"[]", []), (b'"text"', "text"), (b'{"amazon-bedrock-invocationMetrics": {}}', None)]
)
def test_a_chunk_that_holds_no_event_is_left_to_the_dialect(content, data):
    """It refuses what is no event of the model's; Amazon's own figures alone are none of its business."""
    (read,) = AMAZON.decoder().feed(amazons_chunk(content))
    assert read.data == data
    if data is not None:
        with pytest.raises(UnsupportedReply):
            ANTHROPIC.events().read(read.data)


def test_a_chunk_that_holds_no_json_is_refused():
    """Nobody could say what it holds."""
    with pytest.raises(UnsupportedReply):
        AMAZON.decoder().feed(amazons_chunk(b"A gain is certain."))
