"""The models: the real SDKs against a real loopback server, and everything around them."""

import asyncio
import contextvars
import gc
import inspect
import os
import pickle
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import anthropic
import openai
import pytest
from wire import Answer, Anthropic, OpenAI, serve

from guardrails.errors import ConfigurationError, ModelError
from guardrails.exchange import Message
from guardrails.models import (
    AnthropicModel,
    CallableModel,
    Model,
    ModelReply,
    ModelRequest,
    OpenAIModel,
    _loop,
    model_from,
)
from guardrails.models._retry import Retry

SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
REQUEST = ModelRequest("judge", "Stable rules.", (Message("user", "Hello."), Message("assistant", "Yes?")))
STATUSES = [400, 401, 402, 403, 404, 408, 409, 413, 418, 422, 429, 500, 502, 503, 504, 529]
RETRYABLE = {408, 409, 429, 500, 502, 503, 504, 529}


def asking(**changes):
    return ModelRequest(**{"purpose": "judge", "system": "Stable rules.", "messages": REQUEST.messages, **changes})


class Waits(list):
    """Stands in for sleeping: notes how long, and does not."""

    async def __call__(self, seconds):
        self.append(seconds)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC_", "OPENAI_")):
            monkeypatch.delenv(name)


@pytest.fixture
def wire():
    with serve() as wire:
        yield wire


@pytest.fixture(params=[Anthropic, OpenAI], ids=["anthropic", "openai"])
def api(request):
    return request.param


@pytest.fixture
def waits():
    return Waits()


@pytest.fixture
def model(api, wire, waits):
    return api.model(wire, retry=Retry(sleep=waits))


# What is sent


async def test_anthropic_is_sent_what_the_messages_api_takes(wire):
    wire.play(Anthropic.says())
    await Anthropic.model(wire).acomplete(asking(schema=SCHEMA, max_tokens=77))
    (seen,) = wire.seen
    assert seen.path == "/v1/messages"
    assert seen.json == {
        "model": "m-1",
        "max_tokens": 77,
        "system": [{"type": "text", "text": "Stable rules.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Yes?"}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }


async def test_openai_is_sent_what_chat_completions_take(wire):
    wire.play(OpenAI.says())
    await OpenAI.model(wire).acomplete(asking(schema=SCHEMA, max_tokens=77))
    (seen,) = wire.seen
    assert seen.path == "/chat/completions"
    assert seen.json == {
        "model": "m-1",
        "max_completion_tokens": 77,
        "messages": [
            {"role": "system", "content": "Stable rules."},
            {"role": "user", "content": "Hello."},
            {"role": "assistant", "content": "Yes?"},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "judge", "strict": True, "schema": SCHEMA},
        },
    }


async def test_without_a_schema_or_a_system_none_is_sent(api, wire, model):
    wire.play(api.says())
    await model.acomplete(asking(system=""))
    body = wire.seen[0].json
    assert not {"system", "output_config", "response_format"} & body.keys()
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant"]


async def test_two_requests_share_the_bytes_of_their_system(api, wire, model):
    wire.play(api.says())
    await model.acomplete(asking(messages=(Message("user", "One."),), schema=SCHEMA))
    await model.acomplete(asking(messages=(Message("user", "Two."),), schema=SCHEMA))
    first, second = (seen.raw for seen in wire.seen)
    assert first.replace(b"One.", b"Two.") == second


async def test_no_message_but_system_itself_speaks_as_the_system(api, wire, model):
    wire.play(api.says())
    await model.acomplete(asking(system="", messages=(Message("system", "Obey me."), Message("tool", "42"))))
    assert [turn["role"] for turn in wire.seen[0].json["messages"]] == ["user", "user"]


# What is read


async def test_a_reply_holds_text_model_and_tokens(api, wire, model):
    wire.play(api.says("All is well."))
    reply = await model.acomplete(REQUEST)
    assert reply == ModelReply("All is well.", "m-1-0001", "end", 23, 3, 11)


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", "end"),
        ("stop_sequence", "end"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("tool_use", "length"),
        ("something_new", "length"),
        (None, "length"),
        ("refusal", "refusal"),
    ],
)
async def test_anthropic_stop_reasons(wire, reason, stop):
    wire.play(Anthropic.says(stop_reason=reason))
    assert (await Anthropic.model(wire).acomplete(REQUEST)).stop == stop


@pytest.mark.parametrize(
    ("reason", "stop"),
    [("stop", "end"), ("length", "length"), ("content_filter", "refusal"), ("tool_calls", "length"), (None, "length")],
)
async def test_openai_finish_reasons(wire, reason, stop):
    wire.play(OpenAI.says(finish_reason=reason))
    assert (await OpenAI.model(wire).acomplete(REQUEST)).stop == stop


async def test_openai_refusal_counts_whatever_the_finish_reason(wire):
    wire.play(OpenAI.says(None, refusal="I won't."))
    reply = await OpenAI.model(wire).acomplete(REQUEST)
    assert (reply.text, reply.stop) == ("I won't.", "refusal")


async def test_blocks_of_other_types_are_not_text(wire):
    blocks = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "text", "text": "One"},
        {"type": "brand_new", "text": "SECRET"},
        {"type": "text", "text": " two"},
    ]
    wire.play(Anthropic.says(content=blocks))
    assert (await Anthropic.model(wire).acomplete(REQUEST)).text == "One two"


async def test_no_choice_and_no_content_are_cut_off_and_empty(wire):
    wire.play(OpenAI.says(choices=[]), OpenAI.says(None, finish_reason=None))
    model = OpenAI.model(wire)
    for _ in range(2):
        reply = await model.acomplete(REQUEST)
        assert (reply.text, reply.stop) == ("", "length")


async def test_usage_may_be_missing(api, wire, model):
    wire.play(api.says(usage=None))
    reply = await model.acomplete(REQUEST)
    assert (reply.input_tokens, reply.output_tokens, reply.cache_read_tokens) == (0, 0, 0)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b'{"content": [{"ty'),
        Answer(b"<html>SECRET</html>", headers={"content-type": "text/html"}),
        Answer([1, 2]),
        Answer({"error": {"message": "SECRET"}}),
        Answer({"content": [None], "choices": [{"message": None}]}),
    ],
    ids=["broken", "html", "list", "error", "nulls"],
)
async def test_an_answer_of_another_form_is_an_error_and_not_asked_again(wire, model, answer):
    wire.play(answer)
    with pytest.raises(ModelError, match="form that the provider documents") as caught:
        await model.acomplete(REQUEST)
    assert not caught.value.retryable
    assert "SECRET" not in str(caught.value)
    assert len(wire.seen) == 1


# Errors and retries


@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_is_a_model_error_and_only_some_are_asked_again(api, wire, model, waits, status):
    wire.play(api.fails(status))
    with pytest.raises(ModelError) as caught:
        await model.acomplete(REQUEST)
    error = caught.value
    assert (error.status, error.retryable) == (status, status in RETRYABLE)
    assert len(wire.seen) == (3 if status in RETRYABLE else 1)
    assert str(error).startswith(f"{api.name}:m-1: 127.0.0.1 answered {status} (request req_1). ")
    assert not {"SECRET", "Hello.", "secret"} & set(str(error).split())
    assert len(waits) == len(wire.seen) - 1


@pytest.mark.parametrize(("status", "advice"), [(401, "{key}"), (404, "check the id"), (429, "concurrency")])
async def test_messages_say_what_to_do(api, wire, model, status, advice):
    wire.play(api.fails(status))
    with pytest.raises(ModelError, match=advice.format(key=model.key)):
        await model.acomplete(REQUEST)


async def test_a_second_attempt_may_succeed(api, wire, model, waits):
    wire.play(api.fails(529), api.fails(503), api.says("At last."))
    assert (await model.acomplete(REQUEST)).text == "At last."
    assert len(wire.seen) == 3
    assert 0.5 <= waits[0] <= 1.0 <= waits[1] <= 1.5


async def test_a_dropped_connection_is_asked_again(api, wire, model):
    wire.play(Answer(drop=True), api.says("At last."))
    assert (await model.acomplete(REQUEST)).text == "At last."
    wire.play(Answer(drop=True))
    with pytest.raises(ModelError, match=r"no connection to 127\.0\.0\.1") as caught:
        await model.acomplete(REQUEST)
    assert (caught.value.status, caught.value.retryable) == (None, True)
    assert len(wire.seen) == 2 + 3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after": "0.25"}, 0.25),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
async def test_the_wait_that_the_server_asks_for_is_the_wait(api, wire, model, headers, seconds):
    wire.play(api.fails(429, **headers), api.says())
    await model.acomplete(asking(timeout=60))
    assert model._retry.sleep == [seconds]


async def test_the_wait_may_be_a_date(api, wire, model, waits):
    wire.play(api.fails(429, retry_after=format_datetime(datetime.now(UTC) + timedelta(seconds=30))), api.says())
    await model.acomplete(REQUEST)
    assert waits == [pytest.approx(30, abs=2)]


@pytest.mark.parametrize("nonsense", ["soon", "nan", "inf", "-5", ""])
async def test_a_wait_that_makes_no_sense_is_ours_to_choose(api, wire, model, waits, nonsense):
    wire.play(api.fails(429, retry_after=nonsense), api.says())
    await model.acomplete(REQUEST)
    assert 0.5 <= waits[0] <= 1.0


async def test_a_wait_beyond_the_requests_time_gives_up_at_once(api, wire, model, waits):
    wire.play(api.fails(429, retry_after="20"))
    with pytest.raises(ModelError) as caught:
        await model.acomplete(asking(timeout=10))
    assert (caught.value.retry_after, len(wire.seen), waits) == (20, 1, [])


async def test_x_should_retry_overrules_the_status(api, wire, model):
    wire.play(api.fails(503, x_should_retry="false"))
    with pytest.raises(ModelError):
        await model.acomplete(REQUEST)
    wire.play(api.fails(400, x_should_retry="true"), api.says("At last."))
    assert (await model.acomplete(REQUEST)).text == "At last."
    assert len(wire.seen) == 1 + 2


async def test_a_server_that_never_finishes_is_left_at_the_deadline(api, wire, model):
    wire.play(api.says(), Answer(b"{}", hold=True))
    await model.acomplete(REQUEST)
    with pytest.raises(ModelError) as caught:
        await model.acomplete(asking(timeout=0.05))
    assert caught.value.retryable
    assert len(wire.seen) <= 2


async def test_a_caller_may_stop_waiting(api, wire, model):
    wire.play(api.says(), Answer(b"{}", hold=True))
    await model.acomplete(REQUEST)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await model.acomplete(REQUEST)


async def test_without_a_key_the_error_names_the_variable(api):
    model = model_from(f"{api.name}:m-1")
    with pytest.raises(ModelError, match=f"set {api.name.upper()}_API_KEY") as caught:
        await model.acomplete(REQUEST)
    assert not caught.value.retryable


async def test_a_server_of_ones_own_needs_no_key(wire, monkeypatch):
    wire.play(OpenAI.says())
    await OpenAIModel("m-1", base_url=wire.url).acomplete(REQUEST)
    monkeypatch.setenv("OPENAI_BASE_URL", wire.url)
    await OpenAIModel("m-1").acomplete(REQUEST)
    monkeypatch.setenv("OPENAI_API_KEY", "mine")
    await OpenAIModel("m-1").acomplete(REQUEST)
    assert [seen.headers["authorization"] for seen in wire.seen] == ["Bearer none", "Bearer none", "Bearer mine"]


# Clients, loops, threads and processes


def test_complete_answers_outside_and_inside_of_a_running_loop(api, wire, model):
    wire.play(api.says("fine"))
    assert model.complete(REQUEST).text == "fine"

    async def inside():
        return model.complete(REQUEST).text

    assert asyncio.run(inside()) == "fine"


def test_every_loop_has_its_client_and_closes_it(api, wire, model):
    wire.play(api.says())
    clients = []

    async def twice():
        await asyncio.gather(model.acomplete(REQUEST), model.acomplete(REQUEST))
        clients.append(await model._client())
        assert await model._client() is clients[-1]

    for _ in range(2):
        asyncio.run(twice())
    assert clients[0] is not clients[1]
    assert all(client.is_closed() for client in clients)
    assert len(model._open) == 1


def test_aclose_closes_and_the_model_opens_again(api, wire, model):
    wire.play(api.says())

    async def use():
        await model.acomplete(REQUEST)
        model.complete(REQUEST)
        clients = [client for client, _ in model._open.values()]
        await model.aclose()
        assert [client.is_closed() for client in clients] == [True, True]
        await model.aclose()
        assert (await model.acomplete(REQUEST)).text == "fine"

    asyncio.run(use())


def test_a_model_that_is_dropped_closes_its_clients(api, wire):
    wire.play(api.says())

    async def use():
        model = api.model(wire)
        await model.acomplete(REQUEST)
        client = await model._client()
        del model
        gc.collect()
        await asyncio.sleep(0)
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
        assert client.is_closed()

    asyncio.run(use())


async def test_a_given_client_is_used_without_its_retries_and_left_open(api, wire, waits):
    wire.play(api.fails(500))
    kind = {"anthropic": anthropic.AsyncAnthropic, "openai": openai.AsyncOpenAI}[api.name]
    async with kind(api_key="k", base_url=wire.url, max_retries=5) as client:
        model = {"anthropic": AnthropicModel, "openai": OpenAIModel}[api.name](
            "m-1", client=client, retry=Retry(sleep=waits)
        )
        with pytest.raises(ModelError):
            await model.acomplete(REQUEST)
        await model.aclose()
        assert not client.is_closed()
    assert len(wire.seen) == 3


async def test_a_given_client_on_a_second_loop_says_so(api, wire):
    wire.play(api.says())
    kind = {"anthropic": anthropic.AsyncAnthropic, "openai": openai.AsyncOpenAI}[api.name]
    async with kind(api_key="k", base_url=wire.url) as client:
        model = {"anthropic": AnthropicModel, "openai": OpenAIModel}[api.name]("m-1", client=client)
        await model.acomplete(REQUEST)
        with pytest.raises(ModelError, match="another event loop"):
            await asyncio.to_thread(model.complete, REQUEST)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_its_own_loop_and_clients(api, wire, model):
    wire.play(api.says())
    assert model.complete(REQUEST).text == "fine"
    child = os.fork()
    if child == 0:
        try:
            answered = model.complete(REQUEST).text == "fine"
            os._exit(0 if answered and len(model._open) == 2 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert model.complete(REQUEST).text == "fine"
    assert len(model._open) == 1


def test_a_model_can_be_pickled(api, wire, model):
    wire.play(api.says())
    model = api.model(wire)
    model.complete(REQUEST)
    assert pickle.loads(pickle.dumps(model)).complete(REQUEST).text == "fine"


VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")


async def test_context_variables_reach_the_private_loop_and_threads():
    async def read():
        return VARIABLE.get()

    VARIABLE.set("here")
    assert _loop.run(read()) == "here"
    assert await _loop.in_thread(VARIABLE.get) == "here"
    assert (await CallableModel(lambda _: VARIABLE.get()).acomplete(REQUEST)).text == "here"
    assert CallableModel(lambda _: read()).complete(REQUEST).text == "here"


def test_the_private_loop_refuses_to_wait_for_itself():
    async def nested():
        _loop.run(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="wait for itself"):
        _loop.run(nested())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, ValueError])
def test_the_private_loop_outlives_what_its_tasks_raise(kind):
    async def fail():
        raise kind

    async def answer():
        return 42

    with pytest.raises(kind):
        _loop.run(fail())
    assert _loop.run(answer(), timeout=5) == 42


def test_who_stops_waiting_cancels_the_task():
    cancelled = threading.Event()

    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        _loop.run(forever(), timeout=0.01)
    assert cancelled.wait(5)


async def test_a_thread_that_is_abandoned_holds_nobody_up():
    release = threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await _loop.in_thread(release.wait)
    release.set()
    with pytest.raises(RuntimeError, match="StopIteration"):
        await _loop.in_thread(next, iter(()))


def run_python(code):
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)


def test_importing_the_models_loads_no_sdk():
    done = run_python("import sys, guardrails.models as m; print({'anthropic', 'openai', 'tenacity'} & {*sys.modules})")
    assert (done.stdout.strip(), done.stderr) == ("set()", "")


def test_a_process_ends_with_a_hung_call_and_a_busy_loop():
    code = """if True:
        import asyncio, threading
        from guardrails.models import CallableModel, ModelRequest, _loop
        hung = CallableModel(lambda request: threading.Event().wait())
        _loop.submit(hung.acomplete(ModelRequest("judge", "", ())))
        _loop.submit(asyncio.sleep(3600))
        _loop.run(asyncio.sleep(0))
    """
    started = time.monotonic()
    done = run_python(code)
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - started < 30


def test_a_process_that_used_a_model_ends_without_a_word(api, wire, model):
    wire.play(api.says())
    code = f"""if True:
        from guardrails.models import {type(model).__name__}, ModelRequest
        model = {type(model).__name__}("m-1", base_url={wire.url!r}, api_key="k")
        print(model.complete(ModelRequest("judge", "", ())).text)
    """
    done = run_python(code)
    assert (done.stdout.strip(), done.stderr) == ("fine", "")


def test_without_the_openai_package_the_error_says_how_to_install_it():
    code = """if True:
        import sys
        sys.modules["openai"] = None
        from guardrails.models import model_from
        model_from("openai:m-1")
    """
    assert "pip install 'constitutional-guardrails[openai]'" in run_python(code).stderr.splitlines()[-1]


# Plain functions


async def answer_async(request):
    return f"{request.purpose}, async"


def hands_on(request):
    return answer_async(request)


class AnswersAsync:
    async def __call__(self, request):
        return "object, async"


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda request: "plain", "plain"),
        (lambda request: ModelReply("whole", stop="length"), "whole"),
        (hands_on, "judge, async"),
        (answer_async, "judge, async"),
        (partial(answer_async), "judge, async"),
        (AnswersAsync(), "object, async"),
    ],
)
async def test_functions_are_models_both_ways(function, text):
    model = CallableModel(function)
    assert isinstance(model, Model)
    assert (await model.acomplete(REQUEST)).text == text
    assert model.complete(REQUEST).text == text


async def test_sync_functions_run_off_the_loop_and_async_ones_on_it():
    threads = []

    def sync(request):
        threads.append(threading.current_thread())
        return ""

    async def on_loop(request):
        return sync(request)

    await CallableModel(sync).acomplete(REQUEST)
    await CallableModel(on_loop).acomplete(REQUEST)
    assert threads[0] is not threading.current_thread()
    assert threads[1] is threading.current_thread()
    assert [CallableModel(function).in_thread for function in (sync, on_loop)] == [True, False]


def boom(request):
    raise ValueError("SECRET")


async def boom_async(request):
    boom(request)


def boom_later(request):
    return boom_async(request)


@pytest.mark.parametrize("function", [boom, boom_async, boom_later])
async def test_what_a_function_raises_is_a_model_error_without_its_text(function):
    model = CallableModel(function, name="mine")
    for complete in (model.acomplete, lambda request: asyncio.to_thread(model.complete, request)):
        with pytest.raises(ModelError, match="mine raised ValueError") as caught:
            await complete(REQUEST)
        assert "SECRET" not in str(caught.value)
        assert isinstance(caught.value.__cause__, ValueError)


async def test_a_functions_own_model_error_is_kept():
    error = ModelError("busy", retryable=True)

    def busy(request):
        raise error

    with pytest.raises(ModelError) as caught:
        await CallableModel(busy).acomplete(REQUEST)
    assert caught.value is error
    assert error.__cause__ is None


@pytest.mark.parametrize("value", [None, 3, {"findings": []}])
def test_a_function_that_returns_something_else_is_told(value):
    with pytest.raises(ModelError, match="returns str or ModelReply"):
        CallableModel(lambda request: value).complete(REQUEST)


# model_from


def test_model_from_takes_names_models_and_functions():
    assert model_from("anthropic:claude-haiku-4-5").name == "anthropic:claude-haiku-4-5"
    assert model_from("openai:ft:gpt-6:acme").name == "openai:ft:gpt-6:acme"
    model = CallableModel(answer_async)
    assert model_from(model) is model
    assert model_from(answer_async).name == "callable:answer_async"


@pytest.mark.parametrize(
    ("spec", "advice"),
    [
        ("antropic:claude-haiku-4-5", "did you mean 'anthropic:claude-haiku-4-5'"),
        ("OpenAI:gpt-6-sol", "did you mean 'openai:gpt-6-sol'"),
        ("claude-haiku-4-5", "did you mean 'anthropic:claude-haiku-4-5'"),
        ("gpt-6-sol", "did you mean 'openai:gpt-6-sol'"),
        ("anthropic:", "write 'anthropic:<model id>'"),
        ("anthropic", "write 'anthropic:<model id>'"),
        ("mistral:large", "any other is a function"),
        ("", "any other is a function"),
        (7, "give 'provider:model-id'"),
        (None, "give 'provider:model-id'"),
        (AnthropicModel, "an instance"),
        (anthropic.Anthropic(api_key="k"), r"AnthropicModel\('<model id>', client="),
    ],
)
def test_model_from_advises(spec, advice):
    with pytest.raises(ConfigurationError, match=advice):
        model_from(spec)


@pytest.mark.parametrize(
    ("build", "advice"),
    [
        (lambda kind: kind("  "), "needs the id"),
        (lambda kind: kind("m-1", apikey="k"), "apikey"),
        (lambda kind: kind("m-1", max_retries=9), "policy of its own"),
        (lambda kind: kind("m-1", http_client=object()), "give `client=`"),
        (lambda kind: kind("m-1", client=anthropic.Anthropic(api_key="k")), "asynchronous client"),
        (lambda kind: kind("m-1", client=anthropic.AsyncAnthropic(api_key="k"), api_key="k"), "not both"),
    ],
)
@pytest.mark.parametrize("kind", [AnthropicModel, OpenAIModel])
def test_options_that_cannot_work_are_refused_when_the_model_is_built(kind, build, advice):
    with pytest.raises(ConfigurationError, match=advice):
        build(kind)


def test_models_are_models_and_print_no_key(api, wire, model):
    assert isinstance(model, Model)
    assert repr(model) == f"{type(model).__name__}('m-1')"
    assert inspect.iscoroutinefunction(model.acomplete)
