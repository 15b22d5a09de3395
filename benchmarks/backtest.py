"""A backtest over many recorded runs: how long a compliance officer waits, in how much memory, and whether it is right.

The replies are made of the examples of the four shipped constitutions, two a reply with a number of its own, and were
judged by a guard for finance; the trail is filled through its store, 256 records a transaction. The draft extends
finance: a principle is added whose words stand in one reply of ten, a check is taken out of another one, and a
threshold is raised. The command runs as it is typed, in a process of its own, and what it counts is compared with what
guards for both constitutions find in the same replies.

With `model`, a scripted model judges, too, when recording and when backtesting; there it is asked over HTTP on this
machine, and answers at once.

    python benchmarks/backtest.py [RUNS] [model]
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import perf_counter

from guardrails import Constitution, Exchange, Guard
from guardrails.audit import Run, Worker, stored
from guardrails.audit._record import build
from guardrails.audit._store import open_store
from guardrails.constitution import CheckSet
from guardrails.exchange import Message
from guardrails.models import ModelReply
from guardrails.testing import ScriptedModel, clean, finding

BATCH = 256
START = datetime(2026, 1, 1, tzinfo=UTC)
FINANCE = Constitution.load("finance")
ADDED, PHRASE = "acme-no-hotline", "Please call our hotline."
CHANGED, DOUBTED = "fin-no-pressure-selling", "fin-balanced-risk"


def replies(count):
    """Conversations with replies, each with a number that no other has."""
    rng = random.Random(5)  # noqa: S311 - no secret
    names = ("finance", "medical", "legal", "general")
    examples = [e for name in names for p in Constitution.load(name).principles for e in p.examples]
    for number in range(count):
        one, other = rng.choice(examples), rng.choice(examples)
        hotline = f" {PHRASE}" if number % 10 == 3 else ""  # noqa: PLR2004 - one in ten
        yield Exchange(
            one.prompt or "Please tell me.", f"{one.reply} {other.reply}{hotline} Case {number}.", one.context
        )


def changed(folder):
    """The draft, as a file."""
    principles = {placed.principle.id: placed.principle for placed in FINANCE.source.principles}
    looser, surer = (principles[name].model_dump(mode="json", exclude_unset=True) for name in (CHANGED, DOUBTED))
    # The check whose examples most hang on.
    texts = [Exchange(example.prompt, example.reply) for example in principles[CHANGED].examples]
    left = {n: flagged_of(principles[CHANGED], texts, n) for n in range(len(looser["checks"]))}
    del looser["checks"][min(left, key=left.get)]
    added = {
        "id": ADDED,
        "title": "No hotline",
        "severity": "medium",
        "rule": "Never send anybody to the hotline.",
        "checks": [{"pattern": "our hotline"}],
    }
    data = {
        "name": "acme",
        "version": "2.0.0",
        "extends": ["finance"],
        "principles": [added, looser, {**surer, "threshold": 90}],
    }
    file = folder / "draft.yaml"
    file.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    return file


def flagged_of(principle, texts, without):
    checks = tuple(check for n, check in enumerate(principle.checks) if n != without)
    alone = CheckSet([principle.model_copy(update={"checks": checks})])
    return sum(bool(alone.run(text).hits) for text in texts)


def said_of(request):
    """What the scripted model says: of one reply in five that it lacks balance, of half of those with some doubt."""
    found = re.search(r"Case (\d+)\.", request)
    number = int(found[1]) if found else 1
    if number % 5:
        return clean()
    return finding(DOUBTED, confidence=95 if number % 2 else 60, critique="It names no risk.")


def scripted():
    return ScriptedModel(judge=lambda request: said_of(request.messages[-1].content), revise=lambda _: {"edits": []})


def guard_for(constitution, *, with_model):
    options = {"model": scripted()} if with_model else {"judge": "rules", "allow_unjudged": True}
    return Guard(constitution, audit=None, **options)


def fill(url, count, draft, *, with_model):
    """Make the trail; what is known of its replies: how many changed in which way, by principle."""
    old, new = (guard_for(one, with_model=with_model) for one in (FINANCE, Constitution.load(draft)))
    workers = (Worker("rules"), *([Worker("scripted", "scripted")] if with_model else []))
    known = {"newly": Counter(), "no_longer": Counter(), "not_comparable": Counter()}
    store, batch = open_store(url), []
    for number, exchange in enumerate(replies(count)):
        kept = as_stored(exchange)
        outcome = old.review(exchange.messages, exchange.reply, context=exchange.context)
        before, after = flagged(outcome), flagged(new.review(kept.messages, kept.reply, context=kept.context))
        masked = kept != exchange
        known["newly"].update(after - before)
        known["not_comparable" if masked else "no_longer"].update(before - after)
        time = START + timedelta(minutes=number)
        batch.append(build(Run(exchange, outcome, workers, labels={"case": str(number)}, time=time), FINANCE.content))
        if len(batch) == BATCH or number == count - 1:
            store.append(batch)
            batch = []
    store.close()
    return known


def as_stored(exchange):
    """What a trail keeps of an exchange: no credentials."""
    messages = [Message(message.role, stored(message.content, "full")) for message in exchange.messages]
    return Exchange(messages, stored(exchange.reply, "full"), [stored(text, "full") for text in exchange.context])


def flagged(outcome):
    return {verdict.principle for verdict in outcome.attempts[0].verdicts if verdict.violates}


class Completions(BaseHTTPRequestHandler):
    """The scripted model, as OpenAI's API."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = json.dumps(said_of(asked["messages"][-1]["content"]))
        reply = ModelReply(said, input_tokens=3000, output_tokens=20)
        choice = {"index": 0, "message": {"role": "assistant", "content": reply.text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": reply.input_tokens, "completion_tokens": reply.output_tokens, "total_tokens": 3020}
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "scripted", "usage": usage}
        body = json.dumps({**answer, "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


# In a process of its own: what a process starts with counts as much memory as the one that started it.
MEASURE = """
import json, resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]), file=sys.stderr)
sys.exit(code)
"""


def run(command, environment):
    """What the command prints, its seconds, those of them that a processor worked, and its peak memory in MB."""
    began = perf_counter()
    measured, environment = [sys.executable, "-c", MEASURE, *command], {**os.environ, **environment}
    done = subprocess.run(measured, capture_output=True, text=True, check=False, env=environment)  # noqa: S603 - ours
    took = perf_counter() - began
    if done.returncode:
        sys.exit(done.stderr or done.stdout)
    return json.loads(done.stdout), took, *json.loads(done.stderr.splitlines()[-1])


def compare(told, known):
    """Whether each principle counts what is known; prints those that changed."""
    right = True
    for row in told["principles"]:
        wanted = {way: counts[row["principle"]] for way, counts in known.items()}
        right = right and all(row[way] == count for way, count in wanted.items())
        if any(wanted.values()):
            shown = "  ".join(f"{way} {row[way]:5} (known {count:5})" for way, count in wanted.items())
            print(f"{row['principle']:26} {shown}")
    return right


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with_model = "model" in sys.argv[2:]
    with tempfile.TemporaryDirectory() as name, ThreadingHTTPServer(("127.0.0.1", 0), Completions) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        folder = Path(name)
        draft, url, report = changed(folder), f"sqlite:///{folder}/audit.db", folder / "report.html"
        began = perf_counter()
        known = fill(url, count, draft, with_model=with_model)
        print(f"{count:,} runs recorded in {perf_counter() - began:.0f} s")
        command = [sys.executable, "-m", "guardrails", "backtest", str(draft), "--audit", url, "--json"]
        command += ["--out", str(report), *(["--model", "openai:scripted"] if with_model else [])]
        environment = {"OPENAI_BASE_URL": f"http://127.0.0.1:{server.server_port}/v1", "OPENAI_API_KEY": "none"}
        told, took, worked, rss = run(command, environment)
        size = report.stat().st_size / 1000
        server.shutdown()
    right = compare(told, known)
    print(f"{told['judged']:,} replies judged in {took:.1f} s ({worked:.1f} s of processor), {rss:.0f} MB at most")
    print(f"{told['usage']['calls']:,} requests to a model; a report of {size:.0f} KB")
    right = right and told["judged"] == count and known["newly"][ADDED] == sum(1 for n in range(count) if n % 10 == 3)  # noqa: PLR2004 - as above
    print("as known" if right else "NOT as known")
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    main()
