"""Google's client wrapped: the real SDK on Gemini's wire format over loopback, sync and async, Vertex AI too."""

import asyncio
import gc
import inspect
import io
import json
import logging
import threading
import warnings
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import httpx
import pydantic
import pytest
from google import genai
from google.genai import types
from google.oauth2.credentials import Credentials
from support import constitution, principle

from guardrails import Guard, Status, outcome_of
from guardrails.audit import AuditTrail
from guardrails.errors import Blocked, ConfigurationError, UnguardedCall, UnsupportedReply
from guardrails.integrations.google import wrap

RULES = constitution(
    principle("no-certainty", checks=[{"pattern": "certain", "decides": True, "fix": {"replace": "possible"}}]),
    principle("no-leaks", on_violation="block", checks=[{"pattern": "secret", "decides": True}]),
    fallback={"en": "Ask us."},
)
SAID, RELEASED = "A gain is certain. It costs 2%.", "A gain is possible. It costs 2%."
SECRET = "It costs 2%. Here is the secret. Bye."
TOP = {"usageMetadata": {"totalTokenCount": 9}, "modelVersion": "m-1", "responseId": "r1"}
CALL = {"functionCall": {"name": "price", "args": {"fund": "A"}}}
GROUNDING = {"webSearchQueries": ["gain"], "groundingSupports": [{"segment": {"endIndex": 18, "text": SAID[:18]}}]}


def chunk(*parts, **fields):
    made = [{"text": part} if isinstance(part, str) else part for part in parts]
    return {"candidates": [{"content": {"role": "model", "parts": made}, "index": 0, **fields}], **TOP}


def reply(*parts, **fields):
    return chunk(*parts, **{"finishReason": "STOP", **fields})


def cut(text, size=7, **last):
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [*map(chunk, pieces[:-1]), reply(pieces[-1], **last)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        server = self.server
        server.seen.append(SimpleNamespace(method=self.command, path=self.path, raw=raw))
        held = server.script.pop(0) if len(server.script) > 1 else server.script[0]
        status, held = held if isinstance(held, tuple) else (200, held)
        is_stream = isinstance(held, list)
        sent = b"".join(b"data: %s\r\n\r\n" % json.dumps(one).encode() for one in held) if is_stream else b""
        content = sent if is_stream else json.dumps(held).encode()
        self.send_response(status)
        self.send_header("content-type", "text/event-stream" if is_stream else "application/json")
        self.send_header("content-length", str(len(content)))
        for name, value in server.headers.items():
            self.send_header(name, value)
        self.send_header("connection", "close")  # each test has loops of its own, and a connection belongs to one
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - the names that the server calls

    def log_message(self, *args):
        pass


@contextmanager
def serving():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.001})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def running():
    with serving() as server:
        yield server


@pytest.fixture
def server(running):
    running.seen, running.script, running.headers = [], [reply(SAID)], {}
    return running


def options_of(server):
    """Loopback needs no certificates, and reading them takes longer than most tests."""
    return {"base_url": server.url, "client_args": {"verify": False}, "async_client_args": {"verify": False}}


@pytest.fixture(scope="module", params=["gemini", "vertex", "vertex-key"])
def bare(request, running):
    """A client of each kind that google-genai makes."""
    given = {
        "gemini": {"api_key": "x"},
        "vertex": {"vertexai": True, "project": "p", "location": "l", "credentials": Credentials("token")},
        "vertex-key": {"vertexai": True, "api_key": "x"},
    }
    retry = types.HttpRetryOptions(attempts=3, initial_delay=0.01, jitter=0.0)
    options = {**options_of(running), "retry_options": retry}
    return genai.Client(**given[request.param], http_options=options)


def made(**options):
    return Guard(RULES, judge="rules", audit=None, **options)


@pytest.fixture
def client(bare, server):
    return wrap(made(), bare)


def ask(client, how, **options):
    """One question, in each way that a client has; a stream as the list of its chunks."""
    asked = {"model": "m", "contents": "Is it safe?", "config": options or None}

    async def stream():
        return [one async for one in await client.aio.models.generate_content_stream(**asked)]

    async def chat():
        return [one async for one in await client.aio.chats.create(model="m").send_message_stream("Is it safe?")]

    ways = {
        "sync": lambda: client.models.generate_content(**asked),
        "async": lambda: asyncio.run(client.aio.models.generate_content(**asked)),
        "chat": lambda: client.chats.create(model="m").send_message("Is it safe?"),
        "async chat": lambda: asyncio.run(client.aio.chats.create(model="m").send_message("Is it safe?")),
        "stream": lambda: list(client.models.generate_content_stream(**asked)),
        "async stream": lambda: asyncio.run(stream()),
        "chat stream": lambda: list(client.chats.create(model="m").send_message_stream("Is it safe?")),
        "async chat stream": lambda: asyncio.run(chat()),
    }
    return ways[how]()


WHOLE = ("sync", "async", "chat", "async chat")
STREAMED = ("stream", "async stream", "chat stream", "async chat stream")


def joined(chunks):
    return "".join(one.text or "" for one in chunks)


def data(response):
    return response.model_dump(mode="json", exclude={"sdk_http_response": {"headers": {"date", "Date"}}})


@pytest.mark.parametrize("how", WHOLE)
def test_a_reply_is_revised(bare, client, server, how):
    """The same class with all as it was but the text, and what described it."""
    server.script = [reply({"text": "Hm.", "thought": True}, SAID, CALL, groundingMetadata=GROUNDING, avgLogprobs=-1.0)]
    raw, guarded = ask(bare, how), ask(client, how)
    assert (guarded.text, outcome_of(guarded).status) == (RELEASED, Status.REVISED)
    expected = data(raw)
    expected["candidates"][0]["content"]["parts"][1]["text"] = RELEASED
    expected["candidates"][0].update(grounding_metadata=None, avg_logprobs=None)
    assert data(guarded) == expected
    assert server.seen[0].path == server.seen[1].path
    assert server.seen[0].raw == server.seen[1].raw


@pytest.mark.parametrize("how", STREAMED)
def test_a_stream_is_revised(bare, client, server, how):
    """What comes out joins to the revised text, and the last chunk knows the outcome."""
    server.script = [cut(SAID, groundingMetadata=GROUNDING)]
    raw, guarded = ask(bare, how), ask(client, how)
    assert (joined(raw), joined(guarded)) == (SAID, RELEASED)
    assert [one.candidates[0].finish_reason for one in guarded][-1] == "STOP"
    assert not any(one.candidates[0].grounding_metadata for one in guarded)
    assert guarded[-1].usage_metadata == raw[-1].usage_metadata
    assert outcome_of(guarded[-1]).text == RELEASED


@pytest.mark.parametrize("how", STREAMED + WHOLE)
def test_what_passes_is_as_it_was(bare, client, server, how):
    """A reply that nothing is wrong with comes as it would have without a guard, chunk by chunk."""
    chunks = [chunk("A gain "), chunk("is possible. "), chunk(CALL), reply("It costs 2%.", groundingMetadata=GROUNDING)]
    server.script = [chunks if how in STREAMED else reply(RELEASED, CALL)]
    raw, guarded = ask(bare, how), ask(client, how)
    if how in WHOLE:
        raw, guarded = [raw], [guarded]
    assert [*map(data, raw)] == [*map(data, guarded)]
    assert outcome_of(guarded[-1]).status is Status.PASSED


@pytest.mark.parametrize("how", STREAMED + WHOLE)
def test_a_blocked_reply_is_asked_for_once(bare, server, how):
    """The SDK's retries and continuations take a block for no fault of the connection."""
    token = {"continuationToken": "dG9r"}
    chunks = [chunk("It costs 2%. ", **token), *cut("Here is the secret. Bye.", **token)]
    server.script = [chunks if how in STREAMED else reply(SECRET)]
    for on_blocked in ("raise", "fallback"):
        server.seen.clear()
        client = wrap(made(on_blocked=on_blocked), bare)
        if on_blocked == "raise":
            with pytest.raises(Blocked) as blocked:
                ask(client, how)
            assert "secret" not in str(blocked.value)
        elif how in WHOLE:
            assert ask(client, how).text == "Ask us."
        else:
            assert joined(ask(client, how)) in {"Ask us.", "It costs 2%. \n\nAsk us."}
        assert len(server.seen) == 1


def test_errors_of_the_server_are_the_sdks_own(client, server):
    """They are retried and raised as they were."""
    server.script = [(503, {"error": {"code": 503, "message": "busy"}}), reply(SAID)]
    assert ask(client, "sync").text == RELEASED
    server.script = [(400, {"error": {"code": 400, "message": "no"}})]
    with pytest.raises(genai.errors.ClientError):
        ask(client, "sync")
    with pytest.raises(genai.errors.ClientError):
        ask(client, "stream")


class Fund(pydantic.BaseModel):
    name: str
    note: str = ""


@pytest.mark.parametrize("how", ["sync", "async"])
def test_data_is_parsed_or_blocked(client, server, how):
    """What is parsed is what was released, and no fallback text stands in for data."""
    options = {"response_mime_type": "application/json", "response_schema": Fund}
    server.script = [reply('{"name": "A"}')]
    assert ask(client, how, **options).parsed == Fund(name="A")
    server.script = [reply('{"name": "secret"}')]
    fallen = wrap(made(on_blocked="fallback"), client._api_client._client)
    with pytest.raises(Blocked):
        ask(fallen, how, **options)


def test_a_raw_response_is_guarded_too(client):
    """The body that `should_return_http_response` gives holds the released text."""
    body = ask(client, "sync", should_return_http_response=True).sdk_http_response.body
    assert json.loads(body)["candidates"][0]["content"]["parts"][0]["text"] == RELEASED


def test_functions_are_called_and_the_last_reply_is_guarded(client, server):
    """Automatic function calling goes on through the guard, and the judge sees the function's result."""
    called = []

    def price(fund: str) -> str:
        """The price of a fund."""
        called.append(fund)
        return "2%"

    asked = {"model": "m", "contents": "Is it safe?", "config": {"tools": [price]}}
    server.script = [reply(CALL), reply(SAID)]
    assert client.models.generate_content(**asked).text == RELEASED
    server.script = [[reply("A gain is certain.", CALL)], [reply(SAID)]]
    assert joined(client.models.generate_content_stream(**asked)) == "A gain is possible." + RELEASED
    server.script = [reply(CALL), reply(SAID)]
    chat = client.chats.create(model="m", config={"tools": [price]})
    assert chat.send_message("Is it safe?").text == RELEASED
    assert called == ["A"] * 3


def test_a_chat_remembers_what_was_released(client, server):
    """Its history holds the revised turn, and the next question is sent with it."""
    server.script = [cut(SAID), reply("Yes.")]
    chat = client.chats.create(model="m")
    assert joined(chat.send_message_stream("Is it safe?")) == RELEASED
    chat.send_message("Sure?")
    turns = json.loads(server.seen[1].raw)["contents"]
    assert [turn["role"] for turn in turns].count("user") == 2
    assert "".join(part["text"] for turn in turns for part in turn["parts"] if turn["role"] == "model") == RELEASED


def test_the_conversation_that_was_sent_is_judged(server, bare):
    """System instruction, history and what the options add to the body."""
    found = []
    guard = Guard(RULES, model=lambda request: found.append(str(request)) or '{"findings": []}', audit=None)
    options = {"system_instruction": "Be brief.", "http_options": {"extra_body": {"cachedContent": "cachedContents/7"}}}
    ask(wrap(guard, bare), "sync", **options)
    assert all(any(part in one for one in found) for part in ("Be brief.", "Is it safe?", "cachedContents/7"))


def test_a_blocked_prompt_passes(client, server):
    """Google said nothing, so there is nothing to judge."""
    server.script = [{"promptFeedback": {"blockReason": "SAFETY"}, **TOP}]
    assert ask(client, "sync").prompt_feedback.block_reason == "SAFETY"
    server.script = [server.script]
    assert ask(client, "stream")[0].prompt_feedback.block_reason == "SAFETY"


def test_several_candidates_have_an_outcome_each(client, server):
    """One of them is revised, the other stays as it was."""
    server.script = [{"candidates": [*reply("Fine.")["candidates"], *reply(SAID, index=1)["candidates"]], **TOP}]
    guarded = ask(client, "sync", candidate_count=2)
    assert [one.content.parts[0].text for one in guarded.candidates] == ["Fine.", RELEASED]
    assert [one.status for one in outcome_of(guarded)] == [Status.PASSED, Status.REVISED]


def test_outcomes_are_not_mixed_up(client, server):
    """Each of many replies at once has its own, and a call that is only allowed has none."""
    server.script = [reply(f"A gain of {number}% is certain.") for number in range(12)]

    async def ask_all():
        asked = (client.aio.models.generate_content(model="m", contents="Is it safe?") for _ in range(12))
        return await asyncio.gather(*asked)

    replies = asyncio.run(ask_all())
    assert [outcome_of(one).text for one in replies] == [one.text for one in replies]
    assert len({one.text for one in replies}) == 12
    server.script = [{"totalTokens": 1}]
    with pytest.raises(LookupError):
        outcome_of(client.models.count_tokens(model="m", contents="q"))


@pytest.mark.parametrize("how", ["sync", "async", "stream", "async stream"])
def test_a_reply_that_goes_on_in_another_call_is_refused(client, server, how):
    """Its sentences would be judged in halves."""
    half = reply("It cannot", finishReason="CONTINUATION", continuationToken="dG9r")
    server.script = [[half] if "stream" in how else half]
    with pytest.raises(UnsupportedReply):
        ask(client, how)
    with pytest.raises(UnguardedCall):
        ask(client, how, continuation_token=b"tok")
    assert len(server.seen) == 1


@pytest.mark.parametrize("how", ["stream", "async stream"])
def test_a_stream_that_is_cut_off_is_blocked(client, server, how):
    """Without a stop reason nobody knows what was to come."""
    server.script = [[chunk("It is "), chunk("certain")]]
    with pytest.raises(Blocked):
        ask(client, how)


def test_a_consumer_may_leave_a_stream(client, server):
    """The stream is closed, and the client goes on."""
    server.script = [cut(RELEASED * 20)]
    stream = client.models.generate_content_stream(model="m", contents="Is it safe?")
    assert next(stream).text
    stream.close()

    async def leave():
        async for one in await client.aio.models.generate_content_stream(model="m", contents="Is it safe?"):
            return one.text
        return None

    assert asyncio.run(leave())
    server.script = [reply(SAID)]
    assert ask(client, "sync").text == RELEASED


@pytest.mark.parametrize("aio", [False, True])
@pytest.mark.parametrize("is_left", [False, True])
def test_a_stream_that_is_watched_is_recorded_however_it_ends(bare, server, tmp_path, aio, is_left):
    """A caller may stop before its end: monitor mode has heard what came."""
    server.script = [cut(SAID)]
    asked = {"model": "m", "contents": "Is it safe?"}

    async def read(client):
        stream = await client.aio.models.generate_content_stream(**asked)
        async for _ in stream:
            if is_left:
                break
        await stream.aclose()

    with AuditTrail.open(tmp_path / "audit.db") as trail:
        with Guard(RULES, judge="rules", audit=trail, mode="monitor") as guard:
            if aio:
                asyncio.run(read(wrap(guard, bare)))
            else:
                stream = wrap(guard, bare).models.generate_content_stream(**asked)
                next(stream) if is_left else [*stream]
                stream.close()
        assert len([*trail.runs()]) == 1


def test_a_stream_that_is_dropped_is_no_error_of_the_loops(server, client):
    """Left in mid-stream, by a cycle of the caller's too, and collected some time: it is closed once."""
    reported = []
    server.script = [cut(RELEASED * 50)]

    async def leave():
        held = {"stream": await client.aio.models.generate_content_stream(model="m", contents="Is it safe?")}
        held["itself"] = held
        await anext(held["stream"])

    async def leave_all():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        for _ in range(3):
            await leave()
        for _ in range(6):
            gc.collect()
            await asyncio.sleep(0.03)

    asyncio.run(leave_all())
    assert reported == []


def test_a_part_of_a_client_cannot_be_wrapped(bare):
    """The error says what can."""
    for part in (bare.models, bare.aio.models, bare.chats.create(model="m")):
        with pytest.raises(ConfigurationError, match="whole"):
            made().wrap(part)


def test_a_version_that_makes_a_query_of_the_path_is_refused(server, client):
    """The path that was checked would not be the one that is asked."""
    version = "v1beta/models/m:generateContent?a="
    with pytest.raises(UnguardedCall):
        client.models.count_tokens(model="m", contents="q", config={"http_options": {"api_version": version}})
    assert not server.seen


def test_monitor_mode_changes_nothing(bare, server):
    """The reply comes as it was."""
    with made(mode="monitor") as guard:
        assert ask(wrap(guard, bare), "sync").text == SAID
        server.script = [cut(SAID)]
        assert joined(ask(wrap(guard, bare), "stream")) == SAID


def test_the_given_client_stays_as_it_is(server):
    """It answers unguarded, sends for the wrapped one, and outlives it; the settings are the caller's."""
    http = httpx.Client(headers={"x-own": "1"})
    options = types.HttpOptions(base_url=server.url, httpx_client=http, api_version="v9")
    bare = genai.Client(api_key="x", http_options=options)
    guarded = wrap(made(), bare)
    assert isinstance(guarded, genai.Client)
    assert (type(guarded).__name__, guarded.vertexai) == ("Client", False)
    assert (ask(guarded, "sync").text, ask(bare, "sync").text) == (RELEASED, SAID)
    assert server.seen[0].path == "/v9/models/m:generateContent"
    alone = wrap(made(), genai.Client(api_key="x", http_options={"base_url": server.url}))
    assert ask(alone, "sync").text == RELEASED  # nobody else holds the client that sends for it
    del guarded, alone
    assert ask(bare, "sync").text == SAID
    http.close()


def test_an_async_client_may_be_given_alone(server, bare):
    """`client.aio` is a client too."""
    answer = wrap(made(), bare.aio).models.generate_content(model="m", contents="Is it safe?")
    assert asyncio.run(answer).text == RELEASED
    assert asyncio.run(bare.aio.models.generate_content(model="m", contents="Is it safe?")).text == SAID


def test_a_guarded_client_is_not_guarded_again(client):
    """Each reply would be judged twice."""
    with pytest.raises(ConfigurationError):
        wrap(made(), client)


# No way around.

GUARDED = {"models.generate_content", "models.generate_content_stream"}
LOCAL = {"chats.create"}  # makes a chat, which sends with models
ALLOWED = {
    *("models.count_tokens", "models.compute_tokens", "models.embed_content"),
    *("models.get", "models.list", "models.update", "models.delete"),
    *("files.upload", "files.get", "files.list", "files.delete", "files.register_files"),
    *("caches.create", "caches.get", "caches.list", "caches.update", "caches.delete"),
    *("batches.create", "batches.create_embeddings", "batches.get", "batches.list", "batches.cancel", "batches.delete"),
    *("tunings.tune", "tunings.get", "tunings.list", "tunings.cancel"),
    *("file_search_stores.create", "file_search_stores.get", "file_search_stores.list", "file_search_stores.delete"),
    *("file_search_stores.import_file", "file_search_stores.upload_to_file_search_store"),
    *("file_search_stores.documents.get", "file_search_stores.documents.list", "file_search_stores.documents.delete"),
}
REFUSED = {
    *("models.generate_images", "models.edit_image", "models.upscale_image", "models.recontext_image"),
    *("models.segment_image", "models.generate_videos", "operations.get", "tunings.validate_reward"),
    *("files.download", "file_search_stores.download_media", "auth_tokens.create"),
    *("live.connect", "live.music.connect"),
}
# Built on a transport of their own: not even the resource can be had.
REFUSED_RESOURCES = {
    *("interactions", "agents", "triggers", "environments", "credentials", "voices", "decisions", "webhooks"),
}


def methods_of(resource, name):
    """Every public method of a resource and of what hangs on it, by its path."""
    for public in dir(resource):
        held = None if public.startswith("_") else getattr(resource, public)
        if inspect.ismethod(held):
            yield f"{name}.{public}"
        elif hasattr(held, "_api_client"):
            yield from methods_of(held, f"{name}.{public}")


@pytest.mark.parametrize("aio", [False, True])
def test_every_method_is_guarded_allowed_or_refused(aio):
    """A method that a new SDK brings is in none of the lists, and fails this test."""
    client = wrap(made(), genai.Client(api_key="x"))
    held, refused, found = client.aio if aio else client, set(), set()
    for public in (name for name in dir(type(held)) if not name.startswith("_")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that an API is experimental
            try:
                resource = getattr(held, public)
            except UnguardedCall:
                refused.add(public)
                continue
        if public not in {"aio", "vertexai", "close", "aclose"}:
            found.update(methods_of(resource, public))
    listed = GUARDED | LOCAL | ALLOWED | REFUSED
    assert refused == REFUSED_RESOURCES
    assert found == {name for name in listed if aio or not name.startswith("live.")}
    assert isinstance(client.aio.models._api_client, type(client.models._api_client))


NAME = "projects/p/locations/l/"
FILE = types.File(name="files/f", uri="u", mime_type="text/plain", download_uri="d")
SOURCE = types.Image(image_bytes=b"a", mime_type="image/png")
CALLS = {
    "models.count_tokens": {"model": "m", "contents": "q"},
    "models.compute_tokens": {"model": "m", "contents": "q"},
    "models.embed_content": {"model": "text-embedding-005", "contents": "q"},
    "models.get": {"model": "m"},
    "models.list": {},
    "models.update": {"model": "m", "config": {"display_name": "d"}},
    "models.delete": {"model": "m"},
    "files.get": {"name": "files/f"},
    "files.list": {},
    "files.delete": {"name": "files/f"},
    "files.register_files": {"auth": Credentials("token"), "uris": ["gs://b/o"]},
    "caches.create": {"model": "m", "config": {"contents": "q"}},
    "caches.get": {"name": "cachedContents/c"},
    "caches.list": {},
    "caches.update": {"name": "cachedContents/c", "config": {"ttl": "1s"}},
    "caches.delete": {"name": "cachedContents/c"},
    "batches.create": {"model": "m", "src": "gs://b/o.jsonl"},
    "batches.create_embeddings": {"model": "m", "src": {"file_name": "files/f"}},
    "batches.get": {"name": "batches/7"},
    "batches.list": {},
    "batches.cancel": {"name": "batches/7"},
    "batches.delete": {"name": "batches/7"},
    "tunings.tune": {"base_model": "m", "training_dataset": {"gcs_uri": "gs://b/o"}},
    "tunings.get": {"name": "tunedModels/t"},
    "tunings.list": {},
    "tunings.cancel": {"name": "tunedModels/t"},
    "file_search_stores.create": {},
    "file_search_stores.get": {"name": "fileSearchStores/s"},
    "file_search_stores.list": {},
    "file_search_stores.delete": {"name": "fileSearchStores/s"},
    "file_search_stores.import_file": {"file_search_store_name": "fileSearchStores/s", "file_name": "files/f"},
    "file_search_stores.documents.get": {"name": "fileSearchStores/s/documents/d"},
    "file_search_stores.documents.list": {"parent": "fileSearchStores/s"},
    "file_search_stores.documents.delete": {"name": "fileSearchStores/s/documents/d"},
    "models.generate_images": {"model": "m", "prompt": "q"},
    "models.edit_image": {
        "model": "m",
        "prompt": "q",
        "reference_images": [types.RawReferenceImage(reference_id=1, reference_image=SOURCE)],
    },
    "models.upscale_image": {"model": "m", "image": SOURCE, "upscale_factor": "x2"},
    "models.recontext_image": {"model": "m", "source": {"prompt": "q"}},
    "models.segment_image": {"model": "m", "source": {"prompt": "q", "image": SOURCE}},
    "models.generate_videos": {"model": "m", "prompt": "q"},
    "operations.get": {"operation": types.GenerateVideosOperation(name=f"{NAME}models/m/operations/o")},
    "tunings.validate_reward": {"parent": "projects/p/locations/l", "sample_response": {}, "example": {}},
    "files.download": {"file": FILE},
    "file_search_stores.download_media": {"media_id": "fileSearchStores/s/media/b"},
    "auth_tokens.create": {},
    "live.connect": {"model": "m"},
    "live.music.connect": {"model": "m"},
}
VERTEX_NAMES = {
    "batches/7": f"{NAME}batchPredictionJobs/7",
    "tunedModels/t": f"{NAME}tuningJobs/t",
}


async def call(client, name, *, aio):
    """Call a method with what it takes; where one of Google's two services does not offer it, say so."""
    method = client.aio if aio else client
    for step in name.split("."):
        method = getattr(method, step)
    given = dict(CALLS[name])
    if client.vertexai and given.get("name") in VERTEX_NAMES:
        given["name"] = VERTEX_NAMES[given["name"]]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = method(**given)
            if hasattr(result, "__aenter__") and name.startswith("live."):
                async with result:
                    return "sent"
            if inspect.isawaitable(result):
                await result
    except UnguardedCall:
        return "refused"
    except ValueError as error:
        return "not offered" if "supported in" in str(error) else repr(error)
    return "sent"


@pytest.mark.parametrize("aio", [False, True])
def test_methods_do_as_the_lists_say(server, aio):
    """The allowed ones reach the server as they are, the refused ones never do, on Gemini's API and on Vertex AI."""
    logging.getLogger("google_genai").setLevel(logging.ERROR)
    options = options_of(server)
    gemini = genai.Client(api_key="x", http_options=options)
    vertex = genai.Client(
        vertexai=True, project="p", location="l", credentials=Credentials("token"), http_options=options
    )
    server.script = [{"name": "n", "totalTokens": 1, "metadata": {"tunedModel": "tunedModels/t"}}]
    found = {}
    for bare in (gemini, vertex):
        client = wrap(made(), bare)
        for name in CALLS:
            if aio or not name.startswith("live."):
                server.seen.clear()
                did = asyncio.run(call(client, name, aio=aio))
                assert bool(server.seen) is (did == "sent"), name
                found.setdefault(name, set()).add(did)
    uploads = {"files.upload", "file_search_stores.upload_to_file_search_store"}
    assert {name for name, did in found.items() if "sent" in did} == ALLOWED - uploads
    assert {name for name, did in found.items() if "refused" in did} == {name for name in REFUSED if name in found}


def test_an_upload_passes(server):
    """The bytes are the caller's own, and Google keeps them."""
    client = wrap(made(), genai.Client(api_key="x", http_options=options_of(server)))
    server.headers = {"x-goog-upload-url": server.url + "/upload/7", "x-goog-upload-status": "final"}
    server.script = [{"file": {"name": "files/f"}, "name": "fileSearchStores/s/upload/operations/o"}]
    options, store = {"config": {"mime_type": "text/plain"}}, "fileSearchStores/s"
    for aio in (False, True):
        held = client.aio if aio else client
        for upload, where in (
            (held.files.upload, {}),
            (held.file_search_stores.upload_to_file_search_store, {"file_search_store_name": store}),
        ):
            sent = upload(file=io.BytesIO(b"Fees: 2%."), **where, **options)
            assert (asyncio.run(sent) if aio else sent).name
    assert [one.raw for one in server.seen if one.path == "/upload/7"] == [b"Fees: 2%."] * 4


def test_a_finished_batch_with_replies_is_refused(server, client):
    """A batch may bring its replies along; nobody judged them."""
    name = f"{NAME}batchPredictionJobs/7" if client.vertexai else "batches/7"
    server.script = [{"name": name, "metadata": {"output": {"inlinedResponses": {"inlinedResponses": [{}]}}}}]
    with pytest.raises(UnguardedCall):
        client.batches.get(name=name)
    server.script = [{"name": name, "metadata": {"output": {"inlinedEmbedContentResponses": {"inlinedResponses": []}}}}]
    client.batches.get(name=name)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "models/m:generateContent?x=:countTokens"),
        ("post", "models/m:streamGenerateContent"),
        ("post", "models/m%3AgenerateContent"),
        ("post", "models/m:generateAnswer"),
        ("post", "publishers/anthropic/models/m:rawPredict"),
        ("post", "endpoints/5:predict"),
        ("post", "endpoints/5/chat/completions"),
        ("get", "batches/7/../../models/m:generateContent"),
        ("put", "models/m:generateContent"),
        ("get", "files/f:download"),
        ("get", "corpora"),
        ("get", "files/a%2Fb"),
        ("get", "files/abc%3Adownload"),
        ("get", "files/.."),
        ("get", "batches/.."),
        ("get", "models/x%2F..%2F..%2Ffiles"),
        ("post", "models/..:countTokens"),
        ("post", "models/x%3AgenerateContent%3Fa=:countTokens"),
        ("post", "batches/b%2Fc:cancel"),
    ],
)
def test_paths_are_judged_by_their_end(server, client, method, path):
    """Neither a query nor an encoding makes an unknown path an allowed one, nor a guarded one."""
    api = client._api_client
    if "generateContent?" in path:
        assert RELEASED in api.request(method, path, {}).body
        return
    with pytest.raises(UnguardedCall):
        api.request(method, path, {})
    with pytest.raises(UnguardedCall):
        api.request_streamed("post", "models/m:countTokens", {})
    assert not server.seen


@pytest.mark.parametrize(
    "name", ["_httpx_client", "_request", "_request_once", "_access_token", "download_file", "new"]
)
def test_the_stand_in_gives_nothing_to_send_with(client, name):
    """What the SDK may ask of an API client some day is refused until somebody has looked at it."""
    with pytest.raises(UnguardedCall):
        getattr(client._api_client, name)
