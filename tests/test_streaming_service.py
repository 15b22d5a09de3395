"""The streaming service of the examples: real uvicorn, a real client, and a real browser where there is one."""

import asyncio
import importlib.util
import json
import os
import re
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import uvicorn

from guardrails import AuditTrail

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "05_streaming_service"
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
# A question, the sentence of the model's reply that may not come out, and how the reply ends.
REVISED = [
    ("What is a bond ETF?", "is guaranteed to return", "can sell it on any trading day."),
    ("債券ETFとは何ですか?", "必ず年5%の利益", "取引日に売却できます。"),
]
BLOCKED = [
    ("What does your annuity cost?", "You can open one", "ask a licensed financial professional."),
    ("年金保険の費用は?", "全国の支店", "専門の担当者にご相談ください。"),
]


class Service:
    """The app, served; `trail` reads what it recorded, `closed` counts the model's streams that ended."""

    def __init__(self, module, trail, loop, url):
        self.module, self.trail, self.loop, self.url = module, trail, loop, url
        self.closed = 0

    def ask(self, question):
        """The whole response, as text."""
        response = httpx2.post(f"{self.url}/chat", json={"question": question})
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        return response.text

    def pumps(self):
        """How many tasks of the library read a stream."""
        told = asyncio.run_coroutine_threadsafe(_names(), self.loop).result()
        return [name for name in told if "_read" in name]


async def _names():
    return [task.get_coro().__qualname__ for task in asyncio.all_tasks()]


def counted(service, typed):
    """The stand-in's stream, whose end is noted."""

    async def stream(reply):
        try:
            async for piece in typed(reply):
                yield piece
        finally:
            service.closed += 1

    return stream


@contextmanager
def served(app):
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    loops = []

    async def serve():
        loops.append(asyncio.get_running_loop())
        await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        until(lambda: server.started)
        yield loops[0], f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def service(tmp_path, monkeypatch):
    path = f"sqlite:///{tmp_path / 'audit.db'}"
    monkeypatch.setenv("GUARDRAILS_AUDIT", path)
    spec = importlib.util.spec_from_file_location("streaming_service", FOLDER / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.PACE = 0.001
    with served(module.app) as (loop, url), AuditTrail.open(path) as trail:
        made = Service(module, trail, loop, url)
        module.typed = counted(made, module.typed)
        yield made


def until(happened, seconds=5):
    end = time.monotonic() + seconds
    while not (found := happened()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return found


def events(body):
    found = [(kind, json.loads(data)) for kind, data in re.findall(r"event: (\w+)\ndata: (.*)\n\n", body)]
    assert body == "".join(f"event: {kind}\ndata: {json.dumps(data)}\n\n" for kind, data in found)
    return found


def unescaped(body):
    """A body in which a text would be found however JSON wrote it, and wherever it was cut."""
    return body + "".join(data for kind, data in events(body) if kind == "text")


@pytest.mark.parametrize(("question", "raw", "end"), REVISED)
def test_a_reply_is_revised_before_any_byte_of_the_sentence_comes_out(service, question, raw, end):
    """Pieces of text in order, then `done`; the trail holds what was said and what was released."""
    body = service.ask(question)
    *pieces, (kind, done) = events(body)
    assert {kind for kind, _ in pieces} == {"text"}
    text = "".join(data for _, data in pieces)
    assert text.endswith(end)
    assert raw not in unescaped(body)
    assert (kind, done["status"]) == ("done", "revised")
    run = service.trail.run(done["run"]).run
    assert (run.outcome.text, run.labels) == (text, {"user": "u-1042"})
    assert raw in run.outcome.original


@pytest.mark.parametrize(("question", "unsaid", "end"), BLOCKED)
def test_a_late_finding_ends_the_stream_with_the_fallback(service, question, unsaid, end):
    """What was out stays out, what was not never comes, and the page has its ending."""
    body = service.ask(question)
    *pieces, (_, done) = events(body)
    assert done["status"] == "blocked"
    assert pieces[-1][1].endswith(end)
    assert unsaid not in unescaped(body)
    outcome = service.trail.run(done["run"]).run.outcome
    assert outcome.released == "".join(data for _, data in pieces[:-1])
    assert outcome.released
    assert pieces[-1][1].strip() == outcome.text


def test_sentences_arrive_while_the_model_still_types(service):
    """The first text is there before the model has ended."""
    with httpx2.stream("POST", f"{service.url}/chat", json={"question": "What is a bond ETF?"}) as response:
        pieces = response.iter_text()
        assert next(pieces).startswith("event: text")
        assert service.closed == 0
        assert "event: done" in "".join(pieces)


def leave(service):
    """Ask, read the first sentence, and hang up while the model types the next one."""
    service.module.PACE = 0.05
    with httpx2.stream("POST", f"{service.url}/chat", json={"question": "What is a bond ETF?"}) as response:
        pieces = response.iter_text()
        while "share. " not in next(pieces):
            pass


def test_a_reader_who_leaves_is_in_the_trail(service):
    """The run is recorded as interrupted, with what was out."""
    leave(service)
    run = until(lambda: next(service.trail.runs(), None))
    told = until(lambda: [r for r in [service.trail.run(run.run_id).run] if r.outcome.original != r.outcome.released])
    assert (told[0].outcome.status, told[0].outcome.cause) == ("blocked", "interrupted")
    assert told[0].outcome.released.startswith("A bond ETF holds many bonds")
    assert told[0].labels == {"user": "u-1042"}


def test_a_reader_who_leaves_leaves_nothing_running(service):
    """The model's stream is closed, and no task waits for it."""
    leave(service)
    until(lambda: service.closed, seconds=1)
    assert service.pumps() == []


def test_the_page_asks_nobody_else_and_inserts_no_markup():
    """No address but its own, and text goes in as text."""
    page = (FOLDER / "page.html").read_text(encoding="utf-8")
    assert re.findall(r"https?:|//\w|src=|@import|url\(", page) == []
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", page) == []


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Chromium")
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_browser_shows_the_reply_and_what_came_of_it(service, language, tmp_path):
    """In real Chromium, in both languages: a revised reply, and one that a late finding ended."""
    playwright = pytest.importorskip("playwright.sync_api")
    asked, problems = [], []
    with playwright.sync_playwright() as started:
        context = started.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=CHROMIUM, args=FLAGS, env={**os.environ, "HOME": str(tmp_path)}
        )
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: problems.append(error))  # noqa: PLW0108 - playwright marks the function
        page.goto(f"{service.url}/?lang={language}")
        shown = []
        for sample in page.locator("#samples button").all():
            sample.click()
            page.wait_for_selector("article:first-child:not(.waits)")
            shown.append(page.locator("article").first.inner_text())
        crossed_out = page.locator(".blocked .reply span").first.evaluate(
            "span => getComputedStyle(span).textDecoration"
        )
        context.close()
    revised, blocked = (table[language == "ja"] for table in (REVISED, BLOCKED))
    assert revised[2].strip() in shown[0]
    assert revised[1] not in shown[0]
    assert blocked[2] in shown[1]
    assert "line-through" in crossed_out
    newest = next(service.trail.runs()).run_id
    assert newest[:13] in shown[1]
    assert problems == []
    assert all(url.startswith(service.url) for url in asked)
