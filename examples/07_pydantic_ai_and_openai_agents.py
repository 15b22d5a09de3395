"""Frameworks that take a client take a guarded one: one wrapped client serves pydantic-ai and openai-agents.

Runs as it stands, without a key: the provider is played by a transport, and the rules of the finance constitution
judge. Yours is `finance.wrap(AsyncOpenAI())`, and everything below `client` stays as it is.
"""

import asyncio

import agents
import httpx2
import pydantic_ai
from openai import AsyncOpenAI
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from guardrails import Blocked, Guard

MODEL = "gpt-5-mini"
DRAFT = "This ETF is guaranteed to return 8% a year, so you can't lose. It charges 0.2% a year."
finance = Guard("finance", judge="rules", allow_unjudged=True, audit=None)


def provider(_: httpx2.Request) -> httpx2.Response:
    """Answer as OpenAI would."""
    message = {"role": "assistant", "content": DRAFT}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    said = {"id": "c-1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice]}
    return httpx2.Response(200, json=said)


async def main() -> None:
    """Ask both."""
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(provider))
    client = finance.wrap(AsyncOpenAI(api_key="none", http_client=http))
    question = "Is the Everest fund any good?"

    adviser = pydantic_ai.Agent(OpenAIChatModel(MODEL, provider=OpenAIProvider(openai_client=client)))
    desk = agents.Agent("desk", model=agents.OpenAIChatCompletionsModel(MODEL, client))
    agents.set_tracing_disabled(disabled=True)  # its traces would go to OpenAI
    try:
        print(f"pydantic-ai:   {(await adviser.run(question)).output}")
        print(f"openai-agents: {(await agents.Runner.run(desk, question)).final_output}")
    except Blocked as blocked:  # it comes through both frameworks as it is
        print(f"not released: {blocked}")
    await client.close()


if __name__ == "__main__":
    asyncio.run(main())
