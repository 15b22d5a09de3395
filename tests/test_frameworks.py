"""Frameworks that take a client take a guarded one: pydantic-ai and openai-agents, over their wire formats."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import agents
import anthropic
import openai
import pydantic_ai
import pytest
from agents.models.openai_responses import OpenAIResponsesModel as ResponsesModelOfAgents
from openai.types.responses import ResponseTextDeltaEvent
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from support import constitution, principle
from wire import Answer, serve

from guardrails import FunctionJudge, Guard
from guardrails.errors import Blocked

SMALL = constitution(
    principle("no-certainty", checks=[{"pattern": r"\bcertain\b", "decides": True, "fix": {"replace": "possible"}}]),
    principle("no-secrets", on_violation="block", checks=[{"pattern": "secret", "decides": True}]),
)
DRAFT = "A gain is certain. Costs are low."
RIGHT = "A gain is possible. Costs are low."
FINE = "It may fall. It may rise."
SECRET = "It may fall. The secret is out."
CALL = {"fund": "A"}
USAGE = {"input_tokens": 3, "output_tokens": 5}


# The three wire formats: a text, or a call of the tool `price`; whole, or as a stream.


def in_messages(text, streamed):
    block = {"type": "text", "text": text, "citations": None}
    delta = [{"type": "text_delta", "text": word} for word in words(text)]
    if text == "":
        block = {"type": "tool_use", "id": "t1", "name": "price", "input": CALL}
        delta = [{"type": "input_json_delta", "partial_json": json.dumps(CALL)}]
    whole = {"id": "m1", "type": "message", "role": "assistant", "model": "m-1", "content": [block], "usage": USAGE}
    stop = {"stop_reason": "end_turn" if text else "tool_use", "stop_sequence": None}
    if not streamed:
        return Answer({**whole, **stop})
    empty = {**block, **({"text": ""} if text else {"input": {}})}
    return events(
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        *({"type": "content_block_delta", "index": 0, "delta": one} for one in delta),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    )


def in_chat(text, streamed):
    call = {"id": "t1", "type": "function", "function": {"name": "price", "arguments": json.dumps(CALL)}}
    said = {"content": text} if text else {"content": None, "tool_calls": [{"index": 0, **call}]}
    finish = "stop" if text else "tool_calls"
    whole = {"id": "c1", "created": 1, "model": "m-1"}
    if not streamed:
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", **said}}
        usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
        return Answer({**whole, "object": "chat.completion", "choices": [choice], "usage": usage})
    deltas = [{"content": word} for word in words(text)] if text else [said]
    deltas = [({"role": "assistant", "content": ""}, None), *((one, None) for one in deltas), ({}, finish)]
    chunks = [{"index": 0, "delta": delta, "finish_reason": reason} for delta, reason in deltas]
    return events(*({**whole, "object": "chat.completion.chunk", "choices": [one]} for one in chunks), end="[DONE]")


def in_responses(text, streamed):
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item = {"id": "i1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    if not text:
        item = {"id": "i1", "type": "function_call", "call_id": "t1", "name": "price", "arguments": json.dumps(CALL)}
    usage = {**USAGE, "total_tokens": 8, "input_tokens_details": {"cached_tokens": 0}}
    told = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "status": "completed", "output": [item]}
    whole = {"id": "r1", "object": "response", "created_at": 1, "model": "m-1", **told}
    whole["usage"] = {**usage, "output_tokens_details": {"reasoning_tokens": 0}}
    if not streamed:
        return Answer(whole)
    at = {"item_id": "i1", "output_index": 0, "content_index": 0}
    empty = {**item, **({"content": []} if text else {"arguments": ""})}
    grown = [
        ("content_part.added", {**at, "part": {**part, "text": ""}}),
        *(("output_text.delta", {**at, "delta": word, "logprobs": []}) for word in words(text)),
        ("output_text.done", {**at, "text": text, "logprobs": []}),
        ("content_part.done", {**at, "part": part}),
    ]
    if not text:
        call = {"item_id": "i1", "output_index": 0, "name": "price", "arguments": json.dumps(CALL)}
        grown = [("function_call_arguments.done", call)]
    kinds = [
        ("created", {"response": {**whole, "output": [], "status": "in_progress"}}),
        ("output_item.added", {"output_index": 0, "item": empty}),
        *grown,
        ("output_item.done", {"output_index": 0, "item": item}),
        ("completed", {"response": whole}),
    ]
    return events(*({"type": f"response.{kind}", "sequence_number": n, **more} for n, (kind, more) in enumerate(kinds)))


def words(text):
    first, *others = text.split(" ")
    return [first, *(f" {word}" for word in others)]


def events(*data, end=None):
    lines = [f"event: {one.get('type', 'message')}\ndata: {json.dumps(one)}\n\n" for one in data]
    body = "".join([*lines, *([f"data: {end}\n\n"] if end else [])])
    return Answer(body.encode(), headers={"content-type": "text/event-stream"})


# The frameworks' models, each with a guarded client.


@dataclass(frozen=True)
class Setting:
    """A guarded model of a framework, and the provider that it asks."""

    model: Any
    wire: Any

    def plays(self, *texts):
        """Answer each request in its turn, whole or streamed as it asks; an empty text is a tool call."""
        left = list(texts)
        said = {"/v1/messages": in_messages, "/chat/completions": in_chat, "/responses": in_responses}

        def answer():
            asked = self.wire.seen[-1]
            text = left.pop(0) if len(left) > 1 else left[0]
            return said[asked.path.partition("?")[0]](text, asked.json.get("stream", False))

        self.wire.next = answer
        return self


def of_pydantic_ai_anthropic(client):
    return AnthropicModel("claude-haiku-4-5", provider=AnthropicProvider(anthropic_client=client))


def of_pydantic_ai_chat(client):
    return OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))


def of_pydantic_ai_responses(client):
    return OpenAIResponsesModel("gpt-4o", provider=OpenAIProvider(openai_client=client))


def of_agents_chat(client):
    return agents.OpenAIChatCompletionsModel("gpt-4o", client)


def of_agents_responses(client):
    return ResponsesModelOfAgents("gpt-4o", client)


SEEN: list[Any] = []


@pytest.fixture
def guard():
    """A guard whose judge notes what it saw."""
    SEEN.clear()
    return Guard(
        SMALL, judge=FunctionJudge(lambda exchange, _: SEEN.append(exchange), covers={"no-certainty"}), audit=None
    )


@pytest.fixture
def wire():
    with serve() as wire:
        yield wire


def setting(request, guard, wire):
    kind = anthropic.AsyncAnthropic if request.param is of_pydantic_ai_anthropic else openai.AsyncOpenAI
    return Setting(request.param(guard.wrap(kind(api_key="k", base_url=wire.url))), wire)


@pytest.fixture(params=[of_pydantic_ai_anthropic, of_pydantic_ai_chat, of_pydantic_ai_responses])
def pydantic_model(request, guard, wire):
    return setting(request, guard, wire)


@pytest.fixture(params=[of_agents_chat, of_agents_responses])
def agents_model(request, guard, wire):
    agents.set_tracing_disabled(True)
    return setting(request, guard, wire)


def price(fund: str) -> str:
    """The price of a fund."""
    return f"{fund} costs 7 yen."


# pydantic-ai.


def pydantic_agent(setting, *texts):
    return pydantic_ai.Agent(setting.plays(*texts).model, instructions="Be brief.", tools=[price])


async def ran(agent):
    return await agent.run("Is it safe?")


async def ran_in_a_thread(agent):
    return await asyncio.to_thread(agent.run_sync, "Is it safe?")


@pytest.mark.parametrize("run", [ran, ran_in_a_thread], ids=["run", "run_sync"])
@pytest.mark.parametrize(("text", "released"), [(FINE, FINE), (DRAFT, RIGHT)])
async def test_pydantic_ai_gives_what_was_released(pydantic_model, run, text, released):
    """Output and history hold the released text, and one request was sent."""
    result = await run(pydantic_agent(pydantic_model, text))
    assert result.output == released
    assert replies_of(result) == [released]
    assert "certain" not in repr(result.all_messages())
    assert len(pydantic_model.wire.seen) == 1


@pytest.mark.parametrize(("text", "released"), [(FINE, FINE), (DRAFT, RIGHT)])
async def test_pydantic_ai_streams_what_was_released(pydantic_model, text, released):
    """The deltas join to the released text, and so do the output and the history."""
    agent = pydantic_agent(pydantic_model, text)
    async with agent.run_stream("Is it safe?") as stream:
        deltas = [delta async for delta in stream.stream_text(delta=True, debounce_by=None)]
        assert await stream.get_output() == "".join(deltas) == released
    assert len(deltas) > 1
    assert replies_of(stream) == [released]
    heard = [event async for event in events_of(agent)]
    assert "certain" not in repr((deltas, heard, stream.all_messages()))
    assert released.split(" ")[-1] in repr(heard)


async def events_of(agent):
    async with agent.run_stream_events("Is it safe?") as stream:
        async for event in stream:
            yield event


def replies_of(result):
    messages = [message for message in result.all_messages() if isinstance(message, ModelResponse)]
    return ["".join(part.content for part in message.parts if part.part_kind == "text") for message in messages]


@pytest.mark.parametrize("run", [ran, ran_in_a_thread], ids=["run", "run_sync"])
async def test_pydantic_ai_is_blocked(pydantic_model, run):
    """`Blocked` comes through as it is, after one request."""
    with pytest.raises(Blocked) as caught:
        await run(pydantic_agent(pydantic_model, SECRET))
    assert caught.value.outcome.at_fault == ("no-secrets",)
    assert len(pydantic_model.wire.seen) == 1


async def test_a_stream_of_pydantic_ai_is_blocked(pydantic_model):
    """`Blocked` comes through as it is, after one request, and what came before it was judged."""
    deltas = []
    with pytest.raises(Blocked):
        await read_deltas(pydantic_agent(pydantic_model, SECRET), deltas)
    assert "".join(deltas).strip() == "It may fall."
    assert len(pydantic_model.wire.seen) == 1


async def read_deltas(agent, into):
    async with agent.run_stream("Is it safe?") as stream:
        async for delta in stream.stream_text(delta=True, debounce_by=None):
            into += [delta]


async def test_tools_of_pydantic_ai(pydantic_model):
    """The call passes untouched, and the judge sees its result."""
    result = await pydantic_agent(pydantic_model, "", DRAFT).run("Is it safe?")
    assert result.output == RIGHT
    (call,) = (part for message in result.all_messages() for part in message.parts if isinstance(part, ToolCallPart))
    assert (call.tool_name, call.args_as_dict()) == ("price", CALL)
    saw_the_result()
    assert len(pydantic_model.wire.seen) == 2


def saw_the_result():
    last = SEEN[-1]
    assert [message.role for message in last.messages] == ["system", "user", "assistant", "tool"]
    assert (last.messages[0].content, last.prompt) == ("Be brief.", "Is it safe?")
    assert "price" in last.messages[2].content
    assert last.messages[3].content == "A costs 7 yen."


# openai-agents.


def agent_of(setting, *texts):
    tools = [agents.function_tool(price)]
    return agents.Agent("desk", instructions="Be brief.", model=setting.plays(*texts).model, tools=tools)


async def runner_ran(agent):
    return await agents.Runner.run(agent, "Is it safe?")


async def runner_ran_in_a_thread(agent):
    return await asyncio.to_thread(run_sync, agent)


def run_sync(agent):
    """In a loop that is closed afterwards: the runner leaves its own open for the thread's next call."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return agents.Runner.run_sync(agent, "Is it safe?")
    finally:
        asyncio.set_event_loop(None)
        loop.close()


RUNS = pytest.mark.parametrize("run", [runner_ran, runner_ran_in_a_thread], ids=["run", "run_sync"])


@RUNS
@pytest.mark.parametrize(("text", "released"), [(FINE, FINE), (DRAFT, RIGHT)])
async def test_openai_agents_give_what_was_released(agents_model, run, text, released):
    """Output and history hold the released text, and one request was sent."""
    result = await run(agent_of(agents_model, text))
    assert result.final_output == released
    history = repr((result.to_input_list(), result.raw_responses))
    assert released in history
    assert "certain" not in history
    assert len(agents_model.wire.seen) == 1


@pytest.mark.parametrize(("text", "released"), [(FINE, FINE), (DRAFT, RIGHT)])
async def test_openai_agents_stream_what_was_released(agents_model, text, released):
    """The deltas join to the released text; no event, output or history holds another."""
    result = agents.Runner.run_streamed(agent_of(agents_model, text), "Is it safe?")
    heard = [event async for event in result.stream_events()]
    raw = [event.data for event in heard if event.type == "raw_response_event"]
    deltas = [one.delta for one in raw if isinstance(one, ResponseTextDeltaEvent)]
    assert "".join(deltas) == result.final_output == released
    assert len(deltas) > 1
    assert "certain" not in repr((heard, result.to_input_list(), result.raw_responses))
    assert len(agents_model.wire.seen) == 1


@RUNS
async def test_openai_agents_are_blocked(agents_model, run):
    """`Blocked` comes through as it is, after one request."""
    with pytest.raises(Blocked):
        await run(agent_of(agents_model, SECRET))
    assert len(agents_model.wire.seen) == 1


async def test_a_stream_of_openai_agents_is_blocked(agents_model):
    """`Blocked` comes through as it is, after one request, and what came before it was judged."""
    result, heard = agents.Runner.run_streamed(agent_of(agents_model, SECRET), "Is it safe?"), []
    with pytest.raises(Blocked):
        await read_events(result, heard)
    assert "secret" not in repr(heard)
    assert len(agents_model.wire.seen) == 1


async def read_events(result, into):
    async for event in result.stream_events():
        into += [event]


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_of_openai_agents(agents_model, streamed):
    """The call passes untouched, and the judge sees its result."""
    agent = agent_of(agents_model, "", DRAFT)
    if streamed:
        result = agents.Runner.run_streamed(agent, "Is it safe?")
        assert "certain" not in repr([event async for event in result.stream_events()])
    else:
        result = await agents.Runner.run(agent, "Is it safe?")
    assert result.final_output == RIGHT
    assert [item.type for item in result.new_items] == [
        "tool_call_item",
        "tool_call_output_item",
        "message_output_item",
    ]
    saw_the_result()
    assert len(agents_model.wire.seen) == 2
