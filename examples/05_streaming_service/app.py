"""A chat page whose replies are guarded while they stream. Runs offline as it is.

`finance.wrap(client)` is the one line that guards. Each sentence reaches the page once it has been judged, and
revised if need be; the last event tells what came of the whole.

    pip install 'constitutional-guardrails[openai]' starlette uvicorn
    uvicorn app:app --app-dir examples/05_streaming_service
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from guardrails import Guard, labels, outcome_of

PAGE = Path(__file__).with_name("page.html")
MODEL = "the-banks-model"
PACE = 0.05  # seconds a word

# The rules alone judge here. Of a real service a model judges, too: Guard("finance", model="anthropic:…", …).
finance = Guard("finance", judge="rules", allow_unjudged=True, on_blocked="fallback")


async def chat(request: Request) -> StreamingResponse:
    """Answer a question, event by event."""
    question = str((await request.json())["question"])
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}  # no proxy may gather the events
    return StreamingResponse(answer(question), media_type="text/event-stream", headers=headers)


async def answer(question: str) -> AsyncIterator[str]:
    """The events: `text` for each piece of the reply that was released, then `done`."""
    messages = [{"role": "user", "content": question}]
    async with await client.chat.completions.create(model=MODEL, messages=messages, stream=True) as stream:
        async for chunk in stream:
            if chunk.choices and (text := chunk.choices[0].delta.content):
                yield event("text", text)
        # Blocked by a late finding, the stream has ended with the fallback text, behind what was out already.
        outcome = outcome_of(stream)
        yield event("done", {"status": outcome.status, "run": outcome.run_id})


def event(kind: str, data: object) -> str:
    """One server-sent event."""
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def labelled(serve: ASGIApp) -> ASGIApp:
    """Label the records of a request with its user: take it from where your sessions keep it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with labels(user="u-1042"):
            await serve(scope, receive, send)

    return app


REPLIES = {
    "bond": "A bond ETF holds many bonds in one fund, and trades like a share. This ETF is guaranteed to return 8% a "
    "year, so you can't lose. It charges 0.2% a year. You can sell it on any trading day.",
    "annuity": "With an annuity you save for your retirement. Our variable annuity is free of charge. It pays you an "
    "income each month, for life. You can open one in any branch.",
    "債券": "債券ETFは、多くの債券をまとめて保有し、株式のように取引できる商品です。"
    "このETFなら必ず年5%の利益が出ますので、損をすることはありません。信託報酬は年0.2%です。取引日に売却できます。",
    "年金": "年金保険は、老後の資金を準備する商品です。当行の変額年金は手数料が無料です。"
    "年金は毎月、終身でお受け取りいただけます。全国の支店でお申し込みいただけます。",
}


async def stand_in(request: httpx2.Request) -> httpx2.Response:
    """The bank's model, as far as this example needs one: types a canned reply on the wire of chat completions."""
    question = json.loads(request.content)["messages"][-1]["content"]
    reply = next((reply for word, reply in REPLIES.items() if word in question), REPLIES["bond"])
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=typed(reply))


async def typed(reply: str) -> AsyncIterator[bytes]:
    """A reply, word by word."""
    for word in re.findall(r"[ -~]+? |.", reply):
        await asyncio.sleep(PACE)
        yield chunk_of({"content": word})
    yield chunk_of({}, "stop") + b"data: [DONE]\n\n"


def chunk_of(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    """One chunk of it."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": MODEL, "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


# For a real model, this is the line to change: AsyncOpenAI(), with its key in OPENAI_API_KEY, and its name in MODEL.
bank = AsyncOpenAI(api_key="none", http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(stand_in)))
client = finance.wrap(bank)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Close the trail and the connections with the service."""
    async with finance, bank:
        yield


routes = [Route("/", lambda _: FileResponse(PAGE)), Route("/chat", chat, methods=["POST"])]
app = Starlette(routes=routes, middleware=[Middleware(labelled)], lifespan=lifespan)
