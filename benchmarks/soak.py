"""A service under load: 256 guarded streams at a time, some of whose readers leave early. What is left behind?

Half of the streams are `guard.astream`, half those of a wrapped AsyncOpenAI client, against a server of events in a
process of its own. A judgement takes 20 to 50 ms, and the audit trail is on. Of each five readers one leaves: by
`break` and `aclose`, or because its task is cancelled. Ends with 1 where a task, a thread or a connection is left, or
where memory grows by more than a fifth after the first ten seconds.

    python benchmarks/soak.py [SECONDS]
"""

import asyncio
import contextlib
import gc
import json
import multiprocessing
import os
import random
import sys
import tempfile
import threading
from collections import Counter
from contextlib import aclosing
from pathlib import Path
from time import monotonic

import openai

from guardrails import Guard
from guardrails.testing import clean

STREAMS, EVERY, GROWTH = 256, 10, 1.2
SENTENCES = "The fund holds bonds of many countries, and it pays a fee of 0.2% on them. This ETF is risk-free."
WORDS = [f"{word} " for word in SENTENCES.split(" ")]
PAUSE = 0.15  # between two words
LASTS = 3 * len(WORDS) * PAUSE
ASKED = {"model": "m-1", "messages": [{"role": "user", "content": "Is it safe?"}]}
WRONG = "is risk-free"


async def judge(_request):
    await asyncio.sleep(random.uniform(0.02, 0.05))  # noqa: S311 - a delay, no secret
    return json.dumps(clean())


async def said():
    for _ in range(3):
        for word in WORDS:
            await asyncio.sleep(PAUSE)
            yield word


def event(finish=None, **delta):
    one = {"index": 0, "delta": delta, "finish_reason": finish}
    data = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1", "choices": [one]}
    return f"data: {json.dumps(data)}\n\n".encode()


async def answer(reader, writer):
    """One connection of the server: requests, each answered by a stream of events, until the client hangs up."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.partition(b":")[2]))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            async for word in said():
                await send(writer, event(content=word))
            await send(writer, event("stop") + b"data: [DONE]\n\n")
            await send(writer, b"")
    writer.close()


async def send(writer, data):
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    await writer.drain()


def serve(port):
    async def run():
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=STREAMS)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


class Readers:
    """The readers of guarded streams, each of which reads one after another until the time is up."""

    def __init__(self, guard, client, until):
        self.guard, self.client, self.until = guard, client, until
        self.counts, self.begun = Counter(), 0

    async def run(self):
        await asyncio.gather(*(self.read_on(n % 2 == 0) for n in range(STREAMS)))

    async def read_on(self, is_text):
        while monotonic() < self.until:
            self.begun += 1
            read = self.read_text if is_text else self.read_events
            if self.begun % 5:
                self.count("finished" if await read(None) else "left")
            elif self.begun % 2:
                self.count("finished" if await read(random.randint(1, 20)) else "left")  # noqa: S311 - no secret
            else:
                task = asyncio.create_task(read(None))
                await asyncio.wait([task], timeout=random.uniform(0, LASTS))  # noqa: S311 - the same
                task.cancel()
                await asyncio.wait([task])
                self.count("cancelled" if task.cancelled() else "finished")

    def count(self, what):
        self.counts[what] += 1

    async def read_text(self, chunks):
        async with aclosing(self.guard.astream("Is it safe?", said())) as stream:
            return await self.read(stream, chunks)

    async def read_events(self, chunks):
        async with await self.client.chat.completions.create(**ASKED, stream=True) as stream:
            return await self.read((chunk.choices[0].delta.content or "" async for chunk in stream), chunks)

    async def read(self, texts, chunks):
        """Read to the end, or so many chunks; whether it was the end."""
        out = ""
        async for text in texts:
            out += text
            chunks = None if chunks is None else chunks - 1
            if chunks == 0:
                break
        else:
            self.counts["wrong"] += WRONG in out
            return True
        return False


class Gauge:
    """What the process holds: tasks, threads, sockets, memory."""

    def __init__(self):
        self.began = monotonic()
        self.rss = []

    def read(self, when, counts):
        links = []
        for file in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                links.append(str(file.readlink()))
        sockets = sum(link.startswith("socket:") for link in links)
        # An event loop keeps a pool of threads, in which the SDK looks up addresses; the library uses none of it.
        threads = sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate())
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        mib = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
        held = (len(asyncio.all_tasks()), threads, sockets)
        figures = " ".join(f"{figure:>8}" for figure in (*held, len(links)))
        seen = " ".join(f"{counts[name]:>9}" for name in ("finished", "left", "cancelled"))
        print(f"{monotonic() - self.began:6.1f} s {when:7} {figures} {mib:8.1f} {seen}", flush=True)
        self.rss.append(mib)
        return held

    async def watch(self, counts):
        while True:
            await asyncio.sleep(EVERY)
            self.read("during", counts)


async def soak(seconds, port, folder):
    """The things that were held before and after, memory meanwhile, and whether something went wrong."""
    client = openai.AsyncOpenAI(api_key="k", base_url=f"http://127.0.0.1:{port}", max_retries=0)
    guard = Guard("finance", model=judge, audit=folder / "audit.db")
    warm = Readers(guard, guard.wrap(client), 0)
    await asyncio.gather(warm.read_text(1), warm.read_events(1))  # what a process does once is not measured
    await asyncio.sleep(0.5)
    errors = Counter()
    asyncio.get_running_loop().set_exception_handler(lambda _, said: errors.update([repr(said.get("exception"))]))
    gauge = Gauge()
    print(f"{'':16} {'tasks':>8} {'threads':>8} {'sockets':>8} {'files':>8} {'RSS MiB':>8} "
          f"{'finished':>9} {'left':>9} {'cancelled':>9}")  # fmt: skip
    before = gauge.read("before", warm.counts)
    readers = Readers(guard, guard.wrap(client), monotonic() + seconds)
    watch = asyncio.create_task(gauge.watch(readers.counts))
    await readers.run()
    watch.cancel()
    await client.close()
    await guard.aclose()
    await asyncio.sleep(0.5)  # what was cancelled says so
    gc.collect()
    after = gauge.read("after", readers.counts)
    print(f"replies with a wrong sentence: {readers.counts['wrong']}; errors of tasks: {dict(errors) or 'none'}")
    return before, after, gauge.rss, bool(errors or readers.counts["wrong"])


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            before, after, rss, wrong = asyncio.run(soak(seconds, ours.recv(), Path(folder)))
    finally:
        server.terminate()
    left = [name for name, was, now in zip(("tasks", "threads", "sockets"), before, after, strict=True) if now > was]
    grown = max(rss[2:], default=0) > GROWTH * rss[1]
    print(f"left behind: {', '.join(left) or 'nothing'}; memory: {'grown' if grown else 'flat'}")
    sys.exit(1 if left or grown or wrong else 0)


if __name__ == "__main__":
    main()
