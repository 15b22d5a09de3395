"""Frameworks with a real model at the other end of a guarded client: whatever it says, what comes out is guarded."""

import re

import agents
import openai
import pytest
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from guardrails import Guard, Status
from guardrails.integrations.langchain import GuardMiddleware

pytestmark = pytest.mark.model
WORD = re.compile(r"\bthe\b", re.IGNORECASE)
QUESTION = "Describe the sea and the sky."
YAML = r"""
name: small
version: "1"
principles:
  - id: no-the
    title: No articles
    severity: high
    rule: Never say "the".
    checks: [{pattern: '\bthe\b', decides: true, fix: {replace: that}}]
"""


@pytest.fixture
def guard(tmp_path):
    """A guard that mends a word which any reply holds; at the end, the trail has what it mended."""
    path = tmp_path / "small.yaml"
    path.write_text(YAML, encoding="utf-8")
    with Guard(path, judge="rules", audit=tmp_path / "audit.db") as made:
        yield made
        runs = list(made.audit.runs())
        assert runs
        assert {run.status for run in runs} <= {Status.PASSED, Status.REVISED}
        assert made.audit.verify()


@pytest.fixture
async def client(small_model):
    async with openai.AsyncOpenAI(base_url=f"{small_model.listening_address}/v1", api_key="none") as made:
        yield made


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_a_langchain_agent(guard, small_model, provider):
    """Invoked and streamed: no piece holds what the guard mends."""
    if provider == "openai":
        model = ChatOpenAI(
            base_url=f"{small_model.listening_address}/v1", api_key="none", model="smollm2", max_tokens=48
        )
    else:
        model = ChatAnthropic(
            base_url=small_model.listening_address, api_key="none", model_name="smollm2", max_tokens=48
        )
    agent = create_agent(model, [], middleware=[GuardMiddleware(guard)])
    asked = {"messages": [{"role": "user", "content": QUESTION}]}
    answer = (await agent.ainvoke(asked))["messages"][-1]
    assert isinstance(answer, AIMessage)
    assert answer.text
    assert not WORD.search(answer.text)
    streamed = [message.text async for message, _ in agent.astream(asked, stream_mode="messages")]
    assert not WORD.search("".join(streamed))


async def test_a_pydantic_ai_agent(guard, client):
    """Run and streamed, on a wrapped client: what it yields and what it remembers is guarded."""
    model = OpenAIChatModel("smollm2", provider=OpenAIProvider(openai_client=guard.wrap(client)))
    agent = Agent(model, model_settings={"max_tokens": 48})
    assert not WORD.search((await agent.run(QUESTION)).output)
    async with agent.run_stream(QUESTION) as streamed:
        said = "".join([piece async for piece in streamed.stream_text(delta=True)])
    assert said
    assert not WORD.search(said)


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_an_openai_agent(guard, client, api):
    """Run and streamed, on a wrapped client, over both of the SDK's APIs."""
    agents.set_tracing_disabled(True)
    kind = agents.OpenAIChatCompletionsModel if api == "chat" else agents.OpenAIResponsesModel
    model = kind("smollm2", guard.wrap(client))
    agent = agents.Agent("sailor", model=model, model_settings=agents.ModelSettings(max_tokens=48))
    assert not WORD.search((await agents.Runner.run(agent, QUESTION)).final_output)
    running = agents.Runner.run_streamed(agent, QUESTION)
    async for _ in running.stream_events():
        pass
    assert not WORD.search(running.final_output)
