"""The wrapped OpenAI client: the real SDK against a loopback server, and no way around the guard."""

import asyncio
import contextlib
import gc
import gzip
import inspect
import json
import warnings
from collections import defaultdict
from itertools import zip_longest
from operator import attrgetter

import httpx
import httpx2
import openai
import pytest
from pydantic import BaseModel, ValidationError
from support import collected, done, opened
from wire import Answer, serve

from guardrails import Constitution, FunctionJudge, Guard, outcome_of
from guardrails.audit import AuditTrail
from guardrails.errors import Blocked, ConfigurationError, UnguardedCall, UnsupportedReply
from guardrails.integrations.openai import wrap

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
ASKED = {"model": "m-1", "messages": [{"role": "user", "content": "Is it safe?"}]}
DRAFT = "A gain is certain. Costs are low."
RIGHT = "A gain is possible. Costs are low."
USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
CALL = {"id": "t1", "type": "function", "function": {"name": "quote", "arguments": '{"certain": true}'}}
LOGPROBS = {"content": [{"token": "certain", "bytes": None, "logprob": -0.1, "top_logprobs": []}], "refusal": None}


@pytest.fixture
def constitution(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(YAML, encoding="utf-8")
    return Constitution.load(path)


@pytest.fixture
def guard(constitution):
    return Guard(constitution, judge="rules", audit=None)


@pytest.fixture
def wire():
    with serve() as wire:
        yield wire


def openai_client(wire, **options):
    return openai.OpenAI(**{"api_key": "k", "base_url": wire.url, **options})


def async_client(wire, **options):
    return openai.AsyncOpenAI(**{"api_key": "k", "base_url": wire.url, **options})


def azure(kind):
    def made(wire, **options):
        return kind(**{"api_key": "k", "azure_endpoint": wire.url, "api_version": "2026-01-01", **options})

    return made


class OwnClient(openai.OpenAI):
    """A user's subclass."""


MAKERS = {
    "sync": openai_client,
    "async": async_client,
    "azure": azure(openai.AzureOpenAI),
    "async-azure": azure(openai.AsyncAzureOpenAI),
    "own": lambda wire, **options: OwnClient(**{"api_key": "k", "base_url": wire.url, **options}),
    "legacy": lambda wire, **options: openai_client(wire, http_client=httpx.Client(), **options),
    "async-legacy": lambda wire, **options: async_client(wire, http_client=httpx.AsyncClient(), **options),
}


@pytest.fixture(params=MAKERS)
async def any_client(request, wire):
    """Each kind of client, bare."""
    made = MAKERS[request.param](wire)
    yield made
    await done(made.close())


@pytest.fixture(params=["sync", "async"])
async def client(request, wire):
    """A client, bare."""
    made = MAKERS[request.param](wire)
    yield made
    await done(made.close())


def choice(text, index=0, **changes):
    message = {"role": "assistant", "content": text, "refusal": None, "reasoning_content": "Hm."}
    return {"index": index, "finish_reason": "stop", "logprobs": LOGPROBS, "message": message, **changes}


def completion(*choices, **changes):
    whole = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m-1", "system_fingerprint": "fp"}
    return Answer({**whole, "choices": list(choices or [choice(DRAFT)]), "usage": USAGE, **changes})


def chunk(finish=None, index=0, **delta):
    one = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [one]}


def events(*chunks, end=True, **headers):
    lines = [f"data: {json.dumps(one)}\n\n" for one in chunks]
    head = {"content-type": "text/event-stream", "x-request-id": "req_1", **headers}
    return Answer("".join([*lines, *(["data: [DONE]\n\n"] if end else [])]).encode(), headers=head)


def spoken(text=DRAFT, index=0):
    words = text.split(" ")
    pieces = [" ".join(words[:1]), *(f" {word}" for word in words[1:])]
    said = [chunk(index=index, content=piece) for piece in pieces]
    return [chunk(index=index, role="assistant", content=""), *said, chunk("stop", index)]


def text_of(chunks, index=0):
    deltas = [one.choices[0].delta for one in chunks if one.choices and one.choices[0].index == index]
    return "".join(delta.content or "" for delta in deltas)


# Whole replies.


async def test_a_completion_is_revised_in_its_text_alone(guard, wire, any_client):
    """Guarded and not: the same request, and the same completion but for the text and what described it."""
    wire.play(completion(choice(DRAFT, finish_reason="stop"), service_tier="default"))
    bare = await done(any_client.chat.completions.create(**ASKED))
    guarded = wrap(guard, any_client)
    assert isinstance(guarded, type(any_client))
    made = await done(guarded.chat.completions.create(**ASKED))
    assert type(made) is type(bare)
    assert made._request_id == bare._request_id
    assert made.choices[0].message.content == RIGHT
    expected = bare.to_dict()
    expected["choices"][0]["logprobs"] = None
    expected["choices"][0]["message"].update(content=RIGHT, reasoning_content=None)
    assert made.to_dict() == expected
    assert [seen.json for seen in wire.seen] == [ASKED, ASKED]
    assert wire.seen[0].path == wire.seen[1].path
    outcome = outcome_of(made)
    assert (outcome.status.value, outcome.text, outcome.reply is made) == ("revised", RIGHT, True)
    assert outcome.original == DRAFT


async def test_a_passing_reply_is_untouched_byte_for_byte(guard, wire, client):
    """Also where it was compressed, and where it holds nothing but tool calls."""
    body = json.dumps(completion(choice("It may fall.")).body, indent=1).encode()
    wire.play(Answer(gzip.compress(body), headers={"content-encoding": "gzip"}))
    raw = await done(wrap(guard, client).chat.completions.with_raw_response.create(**ASKED))
    assert raw.content == body
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    wire.play(completion(choice(None, message=message, finish_reason="tool_calls")))
    made = await done(wrap(guard, client).chat.completions.create(**ASKED))
    assert made.to_dict() == (await done(client.chat.completions.create(**ASKED))).to_dict()


async def test_raw_and_streaming_responses_are_guarded(guard, wire, any_client):
    """What can be read of them is the guarded reply; status, headers and request are the server's."""
    wire.play(Answer(completion().body, headers={"x-request-id": "req_1"}))
    guarded = wrap(guard, any_client).chat.completions
    raw = await done(guarded.with_raw_response.create(**ASKED))
    is_legacy = isinstance(any_client._client, httpx.Client | httpx.AsyncClient)
    assert isinstance(raw.http_response, httpx.Response if is_legacy else httpx2.Response)
    assert (raw.status_code, raw.request_id, raw.headers["content-type"]) == (200, "req_1", "application/json")
    assert int(raw.headers["content-length"]) == len(raw.content)
    assert raw.elapsed.total_seconds() > 0
    assert b"certain" not in raw.content
    assert raw.parse().choices[0].message.content == RIGHT
    assert raw.parse() is raw.parse()
    assert outcome_of(raw).text == outcome_of(raw.parse()).text == RIGHT
    async with opened(guarded.with_streaming_response.create(**ASKED)) as response:
        lines = (
            [line async for line in response.iter_lines()]
            if hasattr(response.iter_lines(), "__aiter__")
            else [*response.iter_lines()]
        )
        assert json.loads("".join(lines))["choices"][0]["message"]["content"] == RIGHT
        assert (await done(response.parse())).choices[0].message.content == RIGHT
        assert outcome_of(response).text == RIGHT


async def test_several_choices_are_revised_each(guard, wire, client):
    """One outcome each; a choice that passed keeps its log-probabilities."""
    wire.play(completion(choice("It may fall.", 0), choice(DRAFT, 1)))
    made = await done(wrap(guard, client).chat.completions.create(**ASKED, n=2))
    assert [one.message.content for one in made.choices] == ["It may fall.", RIGHT]
    assert [one.logprobs is None for one in made.choices] == [False, True]
    assert [outcome.status.value for outcome in outcome_of(made)] == ["passed", "revised"]


class Fund(BaseModel):
    """What a caller asks for."""

    name: str
    note: str


async def test_a_parsed_object_is_parsed_from_the_revised_text(guard, wire, client):
    """`parse` with a class; the SDK's own errors stay its own."""
    guarded = wrap(guard, client)
    wire.play(completion(choice('{"name": "A", "note": "A gain is possible."}')))
    made = await done(guarded.chat.completions.parse(**ASKED, response_format=Fund))
    assert made.choices[0].message.parsed == Fund(name="A", note="A gain is possible.")
    assert outcome_of(made).status.value == "passed"
    wire.play(completion(choice("It may fall.")))
    with pytest.raises(ValidationError):
        await done(guarded.chat.completions.parse(**ASKED, response_format=Fund))
    wire.play(completion(choice("It may", finish_reason="length")))
    with pytest.raises(openai.LengthFinishReasonError):
        await done(guarded.chat.completions.parse(**ASKED, response_format=Fund))


async def test_a_blocked_reply_raises_after_one_request(guard, wire, client):
    """No retry, no chained SDK exception, nothing of the reply in the error."""
    wire.play(completion(choice("A secret.")))
    with pytest.raises(Blocked) as caught:
        await done(wrap(guard, client).chat.completions.create(**ASKED))
    assert len(wire.seen) == 1
    assert caught.value.__cause__ is None
    assert "A secret" not in str(caught.value)
    assert caught.value.outcome.original == "A secret."


async def test_a_fallback_stands_for_a_blocked_reply(constitution, wire, client):
    """In the same class; but where data was asked for, no text would be any."""
    guarded = wrap(Guard(constitution, judge="rules", audit=None, on_blocked="fallback"), client)
    wire.play(completion(choice("A secret.")))
    made = await done(guarded.chat.completions.create(**ASKED))
    assert made.choices[0].message.content == outcome_of(made).text
    assert "secret" not in str(made.to_dict())
    with pytest.raises(Blocked):
        await done(guarded.chat.completions.create(**ASKED, response_format={"type": "json_object"}))


async def test_errors_and_retries_are_the_sdks(guard, wire, client):
    """A server that fails once is asked again, and its errors pass."""
    wire.play(Answer({}, 500, {"retry-after-ms": "1"}), completion())
    made = await done(wrap(guard, client).chat.completions.create(**ASKED))
    assert made.choices[0].message.content == RIGHT
    assert len(wire.seen) == 2
    wire.play(Answer({"error": {"message": "no"}}, 400))
    with pytest.raises(openai.BadRequestError):
        await done(wrap(guard, client).chat.completions.create(**ASKED))


async def test_what_is_no_completion_is_refused(guard, wire, client):
    """Closed by default: what cannot be read cannot be judged."""
    for answer in (Answer({"text": "Hi."}), Answer(b"Hi.", headers={"content-type": "text/plain"})):
        wire.play(answer)
        for stream in (False, True):
            with pytest.raises(UnsupportedReply):
                await done(wrap(guard, client).chat.completions.create(**ASKED, stream=stream))


@pytest.mark.parametrize("deployment", [None, "d-1"])
async def test_azure_deployments_are_guarded(guard, wire, deployment):
    """Whether the deployment stands in the client, in the request or in a path of the caller's own."""
    wire.play(completion())
    guarded = wrap(guard, azure(openai.AzureOpenAI)(wire, azure_deployment=deployment))
    assert guarded.chat.completions.create(**ASKED).choices[0].message.content == RIGHT
    assert wire.seen[0].path == f"/openai/deployments/{deployment or 'm-1'}/chat/completions?api-version=2026-01-01"
    made = guarded.post("/deployments/d-2/chat/completions", cast_to=dict, body=ASKED)
    assert made["choices"][0]["message"]["content"] == RIGHT
    with pytest.raises(UnguardedCall):
        guarded.post("/deployments/d-2/completions", cast_to=dict, body=ASKED)


async def test_copies_of_a_wrapped_client_are_guarded(guard, wire, client):
    """`with_options` and `copy` keep the guard, and the original stays as it was."""
    wire.play(completion())
    guarded = wrap(guard, client).with_options(timeout=7, max_retries=0, default_headers={"x-own": "1"})
    assert (guarded.timeout, guarded.max_retries, guarded._client is client._client) == (7, 0, True)
    made = await done(guarded.copy().chat.completions.create(**ASKED))
    assert made.choices[0].message.content == RIGHT
    assert wire.seen[0].headers["x-own"] == "1"
    bare = await done(client.chat.completions.create(**ASKED))
    assert bare.choices[0].message.content == DRAFT
    with pytest.raises(ConfigurationError):
        wrap(guard, guarded)


async def test_the_exchange_is_the_one_that_was_sent(constitution, wire, tmp_path):
    """With what `extra_body` changes, and without what the caller changes while the reply is on its way."""
    wire.play(completion())
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        guarded = wrap(Guard(constitution, judge="rules", audit=trail), openai_client(wire))
        other = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Sent?"}]
        made = guarded.chat.completions.create(**ASKED, extra_body={"messages": other})
        run = trail.run(outcome_of(made).run_id)
    assert wire.seen[0].json["messages"] == other
    assert "Sent?" in str(run)
    assert "Is it safe?" not in str(run)


# Streams.


async def test_a_stream_is_revised_as_it_is_released(guard, wire, any_client):
    """Its chunks stay the SDK's; the revised sentence comes in one, and the outcome stands at the end."""
    wire.play(events(*spoken(), {**chunk(), "choices": [], "usage": USAGE}))
    guarded = wrap(guard, any_client)
    stream = await done(guarded.chat.completions.create(**ASKED, stream=True))
    assert type(stream) is type(await done(any_client.chat.completions.create(**ASKED, stream=True)))
    chunks = await collected(stream)
    assert text_of(chunks) == RIGHT
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [one.choices[0].finish_reason for one in chunks if one.choices][-1] == "stop"
    assert chunks[-1].usage.to_dict() == USAGE
    assert {one.id for one in chunks} == {"c1"}
    assert outcome_of(stream).text == RIGHT


async def test_a_passing_stream_is_untouched(guard, wire, client):
    """Every chunk equals the bare client's, tool calls and unknown fields among them."""
    call = {"index": 0, **CALL}
    said = [*spoken("It may fall. It may rise.")[:-1], {**chunk(tool_calls=[call]), "x": 1}, chunk("tool_calls")]
    wire.play(events(*said))
    bare = await collected(await done(client.chat.completions.create(**ASKED, stream=True)))
    made = await collected(await done(wrap(guard, client).chat.completions.create(**ASKED, stream=True)))
    assert [one.to_dict() for one in made] == [one.to_dict() for one in bare]


async def test_the_stream_helper_gathers_the_guarded_reply(guard, wire, client):
    """`chat.completions.stream`: its events, its snapshot and its final completion."""
    wire.play(events(*spoken()))
    async with opened(wrap(guard, client).chat.completions.stream(**ASKED)) as stream:
        told = await collected(stream)
        final = await done(stream.get_final_completion())
    assert final.choices[0].message.content == RIGHT
    assert final.choices[0].message.role == "assistant"
    assert "".join(one.delta for one in told if one.type == "content.delta") == RIGHT
    assert outcome_of(stream).text == RIGHT


async def test_raw_and_streaming_responses_of_streams_are_guarded(guard, wire, any_client):
    """The bytes themselves are the guarded ones."""
    wire.play(events(*spoken()))
    guarded = wrap(guard, any_client).chat.completions
    raw = await done(guarded.with_raw_response.create(**ASKED, stream=True))
    assert text_of(await collected(raw.parse())) == RIGHT
    assert outcome_of(raw).text == RIGHT
    assert raw.elapsed.total_seconds() > 0
    async with opened(guarded.with_streaming_response.create(**ASKED, stream=True)) as response:
        content = b"".join(await collected(response.iter_bytes()))
    assert b"certain" not in content
    assert content.endswith(b"data: [DONE]\n\n")
    assert response.headers["x-request-id"] == "req_1"
    assert "content-length" not in response.headers


@pytest.mark.parametrize("on_blocked", ["raise", "fallback"])
async def test_a_blocked_stream_releases_nothing_of_the_sentence(constitution, wire, client, on_blocked):
    """It raises, or ends properly with the fallback, after what was released; one request in all."""
    wire.play(events(*spoken("It may fall. A secret is out. More.")))
    guarded = wrap(Guard(constitution, judge="rules", audit=None, on_blocked=on_blocked), client)
    stream, chunks = await done(guarded.chat.completions.create(**ASKED, stream=True)), []
    with pytest.raises(Blocked) if on_blocked == "raise" else contextlib.nullcontext():
        await collected(stream, chunks)
    assert "secret" not in str(chunks)
    assert text_of(chunks).startswith("It may fall.")
    assert len(wire.seen) == 1
    assert outcome_of(stream).blocked
    if on_blocked == "fallback":
        assert text_of(chunks).endswith(f"\n\n{outcome_of(stream).text}")
        assert chunks[-1].choices[0].finish_reason == "stop"


async def test_a_stream_that_is_cut_off_is_blocked(guard, wire, client):
    """What came with no stop reason is not let out to the end."""
    wire.play(events(*spoken("It may fall. It may rise. It may")[:-1], end=False))
    stream = await done(wrap(guard, client).chat.completions.create(**ASKED, stream=True))
    with pytest.raises(Blocked):
        await collected(stream)


async def test_an_error_in_mid_stream_is_the_sdks(guard, wire, client):
    """The provider's error comes out as the SDK raises it."""
    wire.play(events(*spoken()[:3], {"error": {"message": "overloaded"}}, end=False))
    stream = await done(wrap(guard, client).chat.completions.create(**ASKED, stream=True))
    with pytest.raises(openai.APIError, match="overloaded"):
        await collected(stream)


async def test_a_consumer_that_leaves_closes_the_connection(constitution, wire, client, tmp_path):
    """The record says that the stream was interrupted, and the response is closed."""
    wire.play(events(*spoken("It may fall. It may rise. It may stay.")))
    with AuditTrail.open(tmp_path / "audit.db") as trail:
        guarded = wrap(Guard(constitution, judge="rules", audit=trail), client)
        stream = await done(guarded.chat.completions.create(**ASKED, stream=True))
        assert await done(anext(stream) if hasattr(stream, "__anext__") else next(stream))
        await done(stream.close())
        assert stream.response.is_closed
        (run,) = trail.runs()
    assert run.status != "passed"


async def test_choices_of_a_stream_are_guarded_each(guard, wire, client):
    """n=2, interleaved: each sentence under its own index."""
    pairs = zip_longest(spoken(DRAFT), spoken("It may fall. It may rise.", 1))
    wire.play(events(*(one for pair in pairs for one in pair if one)))
    stream = await done(wrap(guard, client).chat.completions.create(**ASKED, stream=True, n=2))
    chunks = await collected(stream)
    assert (text_of(chunks), text_of(chunks, 1)) == (RIGHT, "It may fall. It may rise.")
    assert [outcome.status.value for outcome in outcome_of(stream)] == ["revised", "passed"]


async def test_a_whole_reply_to_a_request_for_a_stream_is_guarded(guard, wire, client):
    """A server that does not stream: its JSON is a reply all the same."""
    wire.play(completion())
    guarded = wrap(guard, client).chat.completions
    async with opened(guarded.with_streaming_response.create(**ASKED, stream=True)) as response:
        assert b"certain" not in b"".join(await collected(response.iter_bytes()))
    wire.play(events(*spoken()))
    raw = await done(guarded.with_raw_response.create(**ASKED, extra_body={"stream": True}))
    assert b"certain" not in raw.content
    assert outcome_of(raw).text == RIGHT


# Responses, and a guard that only watches.


def response(text, status="completed"):
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item = {"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    own = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "metadata": {}, "error": None}
    head = {"id": "r1", "object": "response", "created_at": 1, "model": "m-1", "status": status, **own}
    return {**head, "output": [item] if text else []}


async def test_responses_are_guarded(guard, wire, client):
    """`create` and `parse` of the Responses API, through the same two hooks."""
    guarded = wrap(guard, client)
    wire.play(Answer(response(DRAFT)))
    made = await done(guarded.responses.create(model="m-1", input="Is it safe?"))
    assert (made.output_text, outcome_of(made).text) == (RIGHT, RIGHT)
    wire.play(Answer(response('{"name": "A", "note": "Fine."}')))
    parsed = await done(guarded.responses.parse(model="m-1", input="x", text_format=Fund))
    assert parsed.output_parsed == Fund(name="A", note="Fine.")


def told(kind, number, **fields):
    return {"type": f"response.{kind}", "sequence_number": number, **fields}


def responded(text):
    (item,) = response(text)["output"]
    (part,) = item["content"]
    at = {"item_id": "m1", "output_index": 0, "content_index": 0}
    *words, last = text.split(" ")
    said = [told("output_text.delta", 4, **at, delta=f"{word} ", logprobs=[]) for word in words]
    return events(
        told("created", 0, response=response("", "in_progress")),
        told("in_progress", 1, response=response("", "in_progress")),
        told("output_item.added", 2, output_index=0, item={**item, "content": [], "status": "in_progress"}),
        told("content_part.added", 3, **at, part={**part, "text": ""}),
        *said,
        told("output_text.delta", 5, **at, delta=last, logprobs=[]),
        told("output_text.done", 6, **at, text=text, logprobs=[]),
        told("content_part.done", 7, **at, part=part),
        told("output_item.done", 8, output_index=0, item=item),
        told("completed", 9, response=response(text)),
        end=False,
    )


async def test_streams_of_responses_are_guarded(guard, wire, client):
    """Every place that repeats the text at the end agrees with what was released."""
    wire.play(responded(DRAFT))
    guarded = wrap(guard, client)
    stream = await done(guarded.responses.create(model="m-1", input="x", stream=True))
    heard = await collected(stream)
    assert "certain" not in str(heard)
    assert "".join(one.delta for one in heard if one.type == "response.output_text.delta") == RIGHT
    assert heard[-1].response.output_text == outcome_of(stream).text == RIGHT
    async with opened(guarded.responses.stream(model="m-1", input="x")) as helper:
        final = await done(helper.get_final_response())
    assert final.output_text == outcome_of(helper).text == RIGHT


@pytest.mark.parametrize("how", ["read", "left", "helper"])
@pytest.mark.parametrize("api", ["chat.completions", "responses"])
async def test_a_watched_stream_is_recorded_however_it_ends(constitution, wire, client, api, how):
    """The SDK stops at its last event, and a caller may stop before: monitor mode has heard what came."""
    is_chat = api.startswith("chat")
    wire.play(events(*spoken()) if is_chat else responded(DRAFT))
    asked = ASKED if is_chat else {"model": "m-1", "input": "x"}
    heard = []
    judge = FunctionJudge(lambda exchange, _: heard.append(exchange.reply), covers={"no-secrets", "no-certainty"})
    with Guard(constitution, judge=judge, audit=None, mode="monitor") as guard:
        held = attrgetter(api)(wrap(guard, client))
        if how == "helper":
            async with opened(held.stream(**asked)) as stream:
                await collected(stream)
        else:
            stream = await done(held.create(**asked, stream=True))
            await (collected(stream) if how == "read" else done(first(stream)))
            await done(stream.close())
    assert heard
    assert how == "left" or heard[0] == DRAFT


def first(stream):
    return anext(stream) if hasattr(stream, "__anext__") else next(stream)


async def test_a_stream_that_is_dropped_is_no_error_of_the_loops(guard, wire):
    """Left in mid-stream by a loop or by a task that is cancelled, and collected some time: it is closed once."""
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    wire.play(events(*spoken("It may fall. " * 200)))
    client = async_client(wire)
    guarded = wrap(guard, client)

    async def leave(rest=0):
        async for one in await guarded.chat.completions.create(**ASKED, stream=True):
            if text_of([one]):
                await asyncio.sleep(rest)
                return

    for _ in range(3):
        await leave()
    task = asyncio.create_task(leave(rest=9))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0.02)
    await client.close()
    assert reported == []


async def test_a_fallback_ends_the_bytes_as_the_server_would(constitution, wire, client):
    """Who reads the bytes of a chat waits for `[DONE]`: it comes once, and not after a stream of responses."""
    guarded = wrap(Guard(constitution, judge="rules", audit=None, on_blocked="fallback"), client)
    for text in ("A secret is out. More.", "It may fall. A secret", "It may fall."):
        wire.play(events(*spoken(text)))
        chat = guarded.chat.completions.with_streaming_response.create(**ASKED, stream=True)
        async with opened(chat) as raw:
            content = b"".join(await collected(raw.iter_bytes()))
        assert content.count(b"data: [DONE]\n\n") == 1
        assert content.endswith(b"data: [DONE]\n\n")
    wire.play(responded("A secret."))
    answer = guarded.responses.with_streaming_response.create(model="m-1", input="x", stream=True)
    async with opened(answer) as raw:
        assert b"[DONE]" not in b"".join(await collected(raw.iter_bytes()))


async def test_a_guard_that_watches_changes_nothing(constitution, wire, client):
    """In monitor mode replies and streams come out as they came, with no outcome yet."""
    with Guard(constitution, judge="rules", audit=None, mode="monitor") as guard:
        guarded = wrap(guard, client)
        wire.play(completion())
        made = await done(guarded.chat.completions.create(**ASKED))
        assert made.to_dict() == (await done(client.chat.completions.create(**ASKED))).to_dict()
        with pytest.raises(LookupError):
            outcome_of(made)
        wire.play(events(*spoken()))
        stream = await done(guarded.chat.completions.create(**ASKED, stream=True))
        assert text_of(await collected(stream)) == DRAFT


# No way around.


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.responses.create(model="m-1", input="x", background=True),
        lambda client: client.responses.retrieve("r1"),
        lambda client: client.completions.create(model="m-1", prompt="x"),
        lambda client: client.files.content("f1"),
        lambda client: client.files.retrieve("f1/content"),
        lambda client: client.models.retrieve("a/../../responses/r1"),
        lambda client: client.models.retrieve("../responses"),
        lambda client: client.get("/models/..", cast_to=object),
        lambda client: client.get("/models/f1%3Fx", cast_to=object),
        lambda client: client.post("/conversations/c1%2Fitems", cast_to=object, body={}),
        lambda client: client.post("/batches/..%2Fresponses/cancel", cast_to=object, body={}),
        lambda client: client.get("/deployments/x%2F..%2F..%2Fresponses/models", cast_to=object),
        lambda client: client.with_options(base_url="http://127.0.0.1:9/responses/r1?x=").models.list(),
        lambda client: client.with_options(base_url="http://127.0.0.1:9/x?y=").chat.completions.create(**ASKED),
        lambda client: client.post("https://elsewhere.test/chat/completions", cast_to=dict, body=ASKED),
        lambda client: client.post("/chat/completions", cast_to=dict, content=json.dumps(ASKED).encode()),
    ],
    ids=[
        *("background", "stored", "legacy", "file", "encoded file", "walks back", "walks back once", "dots"),
        *(
            "encoded query",
            "encoded post",
            "encoded cancel",
            "deployment",
            "base",
            "guarded base",
            "elsewhere",
            "bytes",
        ),
    ],
)
async def test_a_call_that_no_guard_would_see_is_not_sent(guard, wire, call):
    """The error says so, before anything is sent."""
    for made in (openai_client(wire), async_client(wire)):
        with pytest.raises(UnguardedCall, match="not"):
            await done(call(wrap(guard, made)))
    assert not wire.seen


def test_the_name_of_a_model_may_hold_a_slash(guard):
    """Servers of many vendors' models name them so; nothing but a model can stand there."""
    sent = []

    def answer(request):
        sent.append(request.url.raw_path)
        return httpx2.Response(200, json={"id": "x", "object": "model"})

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    wrap(guard, openai.OpenAI(api_key="k", http_client=http)).models.retrieve("org/model-1.5")
    assert sent == [b"/v1/models/org%2Fmodel-1.5"]


def test_a_part_of_a_client_cannot_be_wrapped(guard, wire):
    """The error says what can."""
    client = openai_client(wire)
    for part in (client.chat.completions, client.responses, client.with_raw_response):
        with pytest.raises(ConfigurationError, match="whole"):
            guard.wrap(part)


async def test_the_low_level_request_is_guarded(guard, wire, client):
    """`client.post` is the same call: with or without a slash, with a query, into any type."""
    wire.play(completion())
    for path in ("/chat/completions", "chat/completions", "/chat/completions?beta=true"):
        made = await done(wrap(guard, client).post(path, cast_to=dict, body=ASKED))
        assert made["choices"][0]["message"]["content"] == RIGHT


# Every method of the SDK, by what became of it when it was called with made-up arguments. A method that a new SDK
# adds is in none of the lists: it fails this test until somebody has looked at what it returns.

GUARDED = """
chat.completions: create parse stream
beta.chat.completions: create parse stream
responses: create parse stream
beta.responses: create
"""
# Sent, because what they return is no text that a model wrote for a reader.
PASSING = """
batches: cancel create list retrieve
beta.chat.completions: delete
beta.responses.input_tokens: count
beta.responses: delete
chat.completions: delete
conversations: create delete retrieve update
embeddings: create
files: create delete list retrieve wait_for_processing
models: delete list retrieve
moderations: create
responses.input_tokens: count
responses: delete
uploads.parts: create
uploads: cancel complete create upload_file_chunked
"""
# Nothing is sent: they read or check what the caller has already.
LOCAL = """
beta.agents.environments.files: prepare prepare_directory upload
beta.agents.sessions.artifacts: for_result
webhooks: unwrap verify_signature
"""
# They raise `UnguardedCall`: stored replies, other APIs' replies, web sockets, and what no chat needs.
REFUSED = """
admin.organization.admin_api_keys: create delete list retrieve
admin.organization.audit_logs: list
admin.organization.certificates: activate create deactivate delete list retrieve update
admin.organization.data_retention: retrieve update
admin.organization.external_keys: create delete list retrieve validate
admin.organization.external_storage: create delete list retrieve validate
admin.organization.groups.roles: create delete list retrieve
admin.organization.groups.users: create delete list retrieve
admin.organization.groups: create delete list retrieve update
admin.organization.invites: create delete list retrieve
admin.organization.projects.api_keys: delete list retrieve update
admin.organization.projects.certificates: activate deactivate list
admin.organization.projects.data_retention: retrieve update
admin.organization.projects.groups.roles: create delete list retrieve
admin.organization.projects.groups: create delete list retrieve
admin.organization.projects.hosted_tool_permissions: retrieve update
admin.organization.projects.model_permissions: delete retrieve update
admin.organization.projects.rate_limits: list_rate_limits update_rate_limit
admin.organization.projects.roles: create delete list retrieve update
admin.organization.projects.service_accounts.api_keys: create
admin.organization.projects.service_accounts: create delete list retrieve update
admin.organization.projects.service_tier_settings: retrieve update
admin.organization.projects.spend_alerts: create delete list retrieve update
admin.organization.projects.spend_limit: delete retrieve update
admin.organization.projects.users.roles: create delete list retrieve
admin.organization.projects.users: create delete list retrieve update
admin.organization.projects: archive create list retrieve update
admin.organization.roles: create delete list retrieve update
admin.organization.spend_alerts: create delete list retrieve update
admin.organization.spend_limit: delete retrieve update
admin.organization.usage: audio_speeches audio_transcriptions code_interpreter_sessions completions costs decisions
admin.organization.usage: embeddings file_search_calls images moderations vector_stores web_search_calls
admin.organization.users.roles: create delete list retrieve
admin.organization.users: delete list retrieve update
admin.organization.workload_identity_providers.federation_rules: create delete list retrieve update
admin.organization.workload_identity_providers: create delete list retrieve update
audio.speech: create
audio.transcriptions: create
audio.translations: create
audio.voice_consents: create delete list retrieve update
audio.voices: create delete
beta.agents.automations.invocations: create list retrieve
beta.agents.automations: create delete list pause resume retrieve update
beta.agents.environments.files: create list
beta.agents.environments.templates: create delete list retrieve update
beta.agents.environments: create list retrieve
beta.agents.sessions.artifacts: content delete list retrieve
beta.agents.sessions.events: create stream
beta.agents.sessions.items: list
beta.agents.sessions.subagents.items: list
beta.agents.sessions.subagents.turns.items: list
beta.agents.sessions.subagents.turns: list retrieve
beta.agents.sessions.subagents: list retrieve
beta.agents.sessions.traces: list
beta.agents.sessions.turns.items: list
beta.agents.sessions.turns: list retrieve
beta.agents.sessions: create delete list retrieve stream update
beta.agents.vaults.credentials: create delete list retrieve update
beta.agents.vaults: create delete list retrieve update
beta.agents: create delete list retrieve update
beta.assistants: create delete list retrieve update
beta.chat.completions.messages: list
beta.chat.completions: list retrieve update
beta.chatkit.sessions: cancel create
beta.chatkit.threads: delete list list_items retrieve
beta.realtime.sessions: create
beta.realtime.transcription_sessions: create
beta.realtime: connect
beta.responses.input_items: list
beta.responses: cancel compact connect retrieve
beta.threads.messages: create delete list retrieve update
beta.threads.runs.steps: list retrieve
beta.threads.runs: cancel create create_and_poll create_and_stream list poll retrieve stream submit_tool_outputs
beta.threads.runs: submit_tool_outputs_and_poll submit_tool_outputs_stream update
beta.threads: create create_and_run create_and_run_poll create_and_run_stream delete retrieve update
chat.completions.messages: list
chat.completions: list retrieve update
completions: create
containers.files.content: retrieve
containers.files: create delete list retrieve
containers: create delete list retrieve
content_provenance_checks: create
conversations.items: create delete list retrieve
decisions: create
evals.runs.output_items: list retrieve
evals.runs: cancel create delete list retrieve
evals: create delete list retrieve update
files: content retrieve_content
fine_tuning.alpha.graders: run validate
fine_tuning.checkpoints.permissions: create delete list retrieve
fine_tuning.jobs.checkpoints: list
fine_tuning.jobs: cancel create list list_events pause resume retrieve
images: create_variation edit generate
live.forks: connect
live.sessions: accept download_recording fork hangup refer reject
live.sideband: connect
live: connect create
realtime.calls: accept create hangup refer reject
realtime.client_secrets: create
realtime.translations.client_secrets: create
realtime.translations: connect
realtime: connect
responses.input_items: list
responses: cancel compact connect retrieve
safety.alerts: retrieve
safety.cases: retrieve
skills.content: retrieve
skills.versions.content: retrieve
skills.versions: create delete list retrieve
skills: create delete list retrieve update
vector_stores.file_batches: cancel create create_and_poll list_files poll retrieve upload_and_poll
vector_stores.files: content create create_and_poll delete list poll retrieve update upload upload_and_poll
vector_stores: create delete list retrieve search update
videos: create create_and_poll create_character delete download_content edit extend get_character list poll remix
videos: retrieve
webhooks.event_types: list
webhooks: create delete list retrieve rotate_secret test update
"""

MADE_UP = {
    "messages": ASKED["messages"],
    "files": [b"x"],
    **dict.fromkeys(("file", "image", "video", "data", "recording", "content"), b"x"),
}
MADE_UP_FOR = {
    "admin.organization.external_keys.create": ("external_id", "kms_arn", "name", "role_arn", "type"),
    "audio.voices.create": ("name", "prompt", "type"),
    "beta.agents.automations.create": ("expression", "name", "target", "timezone", "type"),
    "beta.agents.environments.files.create": ("file_id", "path", "type"),
    "realtime.connect": ("model",),
    "responses.stream": ("model", "input"),
    "uploads.upload_file_chunked": ("filename", "bytes"),
}


def methods(holder, path=""):
    """Every public method of every resource, by its dotted name."""
    for name in dir(type(holder)):
        if name.startswith(("_", "with_")):
            continue
        if type(inspect.getattr_static(type(holder), name)).__name__ in {"property", "cached_property"}:
            held = getattr(holder, name)
            if hasattr(held, "_client"):
                yield from methods(held, f"{path}{name}.")
        elif path and callable(getattr(holder, name)):
            yield path + name, getattr(holder, name)


async def called(name, method):
    """Call it with what it requires, and open what it returns."""
    required = [
        one
        for one in inspect.signature(method).parameters.values()
        if one.default is one.empty and one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}
    ]
    named = {one.name: MADE_UP.get(one.name, "x") for one in required}
    positional = [named.pop(one.name) for one in required if one.kind is one.POSITIONAL_ONLY]
    made = method(*positional, **{**named, **dict.fromkeys(MADE_UP_FOR.get(name, ()), "x")})
    if hasattr(made, "__aenter__") or hasattr(made, "__enter__"):
        async with opened(made):
            return
    await done(made)


async def became_of(name, method, sent):
    sent.clear()
    try:
        await called(name, method)
    except UnguardedCall:
        return "refused"
    except UnsupportedReply:  # what the server said is no reply: the guard has read it
        return "guarded"
    except Exception as error:
        if isinstance(error, OSError):
            raise
    return "passing" if sent else "local"


def named(listed):
    """The dotted names of a list, and as a list again."""
    lines = (line.split(": ") for line in listed.strip().splitlines())
    return {f"{resource}.{name}" for resource, names in lines for name in names.split()}


def as_list(names):
    held = defaultdict(list)
    for name in sorted(names):
        resource, _, method = name.rpartition(".")
        held[resource].append(method)
    return "\n".join(f"{resource}: {' '.join(held[resource])}" for resource in held)


@pytest.mark.parametrize("kind", ["sync", "async", "azure", "async-azure"])
async def test_there_is_no_way_around(guard, kind):
    """Each method of each resource is guarded, on the allow-list, or raises `UnguardedCall`."""
    sent = []

    def answer(request):
        sent.append(request)
        return httpx2.Response(200, json={"status": "processed"})

    http = (httpx2.AsyncClient if "async" in kind else httpx2.Client)(transport=httpx2.MockTransport(answer))
    address = type("Address", (), {"url": "http://127.0.0.1:9"})
    client = wrap(guard, MAKERS[kind](address, http_client=http, max_retries=0))
    found = defaultdict(set)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # much of the SDK is deprecated, and is called all the same
        for name, method in methods(client):
            found[await became_of(name, method, sent)].add(name)
    await done(http.aclose() if "async" in kind else http.close())
    for what, names in found.items():
        print(f"{what}, {len(names)}:\n{as_list(names)}\n")  # noqa: T201 - the lists, for who runs this with -s
    lists = {"guarded": GUARDED, "passing": PASSING, "local": LOCAL, "refused": REFUSED}
    assert found == {what: named(listed) for what, listed in lists.items()}
