"""Does every reply that came out have its record, when the process is killed? `kill -9` under load, again and again.

The process runs 64 guarded calls at a time: threads and tasks, whole replies and streams. What comes out of a guard
it writes to a file, and makes durable, before it goes on. It is killed at a random moment, from before its first
record on. Then this process reads the trail: the chain has to verify, every reply in the file has to have its record,
and of each stream at least what came out has to be recorded. All rounds go on with one trail, in SQLite first and
then in PostgreSQL, where only the client is killed. Ends with 1 where something is missing.

    python benchmarks/crash.py [ROUNDS] [sqlite|postgres|URL]
"""

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from stores import Postgres
from support import constitution, principle

from guardrails import Guard, labels
from guardrails.audit import AuditTrail
from guardrails.testing import clean

THREADS, TASKS = 32, 32  # half of each stream
FIX = {"replace": {"en": "has risks"}}
RULES = principle("no-promises", checks=[{"pattern": ["is risk-free"], "fix": FIX}])
CLAIM = "It pays a fee of 0.2%. This ETF is risk-free. "  # the rule rewrites the second sentence
LONGEST = 0.7  # seconds from the first reply to the end


async def judge(_request):
    await asyncio.sleep(random.uniform(0, 0.01))  # noqa: S311 - a delay, no secret
    return json.dumps(clean())


class Log:
    """What came out of the guard, on the disk before anything else happens."""

    def __init__(self, path):
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def write(self, case, text):
        os.write(self._file, json.dumps([case, text]).encode() + b"\n")
        os.fsync(self._file)


def load(url, path):  # noqa: C901 - four ways to guard
    """Run guarded calls until somebody kills this process."""
    log, guard = Log(path), Guard(constitution(RULES), model=judge, audit=url)
    numbers = iter(range(10**9))

    def case(kind):
        return f"{kind}-{os.getpid()}-{next(numbers)}"

    def said(name):
        return [f"{word} " for word in f"{CLAIM * 3}This is {name}.".split(" ")]

    async def asaid(name):
        for word in said(name):
            yield word

    def replies():
        while True:
            with labels(case=(name := case("reply"))):
                log.write(name, guard.review("Is it safe?", f"{CLAIM}This is {name}.").text)

    def streams():
        while True:
            with labels(case=(name := case("stream"))):
                for text in guard.stream("Is it safe?", said(name)):
                    log.write(name, text)

    async def areplies():
        while True:
            with labels(case=(name := case("reply"))):
                log.write(name, (await guard.areview("Is it safe?", f"{CLAIM}This is {name}.")).text)

    async def astreams():
        while True:
            with labels(case=(name := case("stream"))):
                async for text in guard.astream("Is it safe?", asaid(name)):
                    log.write(name, text)

    async def tasks():
        await asyncio.gather(*((astreams if number % 2 else areplies)() for number in range(TASKS)))

    for number in range(THREADS):
        threading.Thread(target=streams if number % 2 else replies, daemon=True).start()
    asyncio.run(tasks())


def kill(url, path):
    """One round: start, kill at a random moment; whether anything had come out."""
    command = [sys.executable, __file__, "load", url, str(path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 - this file
    end = time.monotonic() + random.uniform(0, 1.5)  # noqa: S311 - a delay, no secret
    if random.random() < 0.9:  # noqa: PLR2004, S311 - one in ten may be killed before its first record
        while not (path.exists() and path.stat().st_size) and process.poll() is None:
            time.sleep(0.005)
        end = time.monotonic() + random.uniform(0, LONGEST)  # noqa: S311 - a delay, no secret
    while time.monotonic() < end and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    _, said = process.communicate()
    if process.returncode != -9:  # noqa: PLR2004 - it was killed
        raise SystemExit(f"the process ended by itself:\n{said}")


def released(path):
    """What came out, by case. A last line that was cut off had not come out."""
    out = {}
    with contextlib.suppress(FileNotFoundError):
        for line in path.read_bytes().split(b"\n")[:-1]:
            case, text = json.loads(line)
            out[case] = out.get(case, "") + text
    return out


class Reader:
    """What the trail has, by case. Reads each record once, as later rounds only add to them."""

    def __init__(self, trail):
        self.trail, self.after, self.cases, self.texts = trail, 0, {}, {}

    def read(self):
        for record in self.trail.records(self.after):
            body = json.loads(record.body)
            found = {text.path: text.text.decode() for text in record.texts}
            found |= {path: found[first] for path, first in body["same"].items()}
            if body["kind"] == "outcome" or body["number"] == 1:
                self.cases[body["run"]] = found["labels/0"]
            case = self.cases[body["run"]]
            if body["kind"] == "window":
                self.texts[case] = self.texts.get(case, "") + found.get("released", "")
            else:
                self.texts[case] = found["released" if case.startswith("stream") else "text"]
            self.after = record.seq
        return self.texts


def rounds(url, folder, count):
    """How many replies and streams came out in so many rounds, how many records there are, and what is wrong."""
    came_out, wrong = 0, []
    with AuditTrail.open(url) as trail:
        reader = Reader(trail)
        for number in range(count):
            path = folder / f"released-{number}"
            kill(url, path)
            out = released(path)
            came_out += len(out)
            if not out and not reader.after:
                continue  # killed before there was a trail
            verification = trail.verify()
            if not verification:
                wrong.append(f"round {number}: {verification}")
            recorded = reader.read()
            for case, text in out.items():
                kept = recorded.get(case, "")
                if kept != text if case.startswith("reply") else not kept.startswith(text):
                    wrong.append(f"round {number}: {case} came out as {text!r}, and is recorded as {kept!r}")
            print(f"round {number}: {len(out)} came out, {reader.after} records{', WRONG' * bool(wrong)}", flush=True)
    return came_out, reader.after, wrong


def main():
    if sys.argv[1:2] == ["load"]:
        load(*sys.argv[2:])
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    stores = sys.argv[2:] or ["sqlite", "postgres"]
    failed = False
    for store in stores:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = store if "://" in store else f"sqlite:///{folder}/audit.db"
            if store == "postgres":
                server = Postgres(tempfile.mkdtemp(prefix="pg"))
                stack.callback(server.delete)
                url = server.url()
            came_out, records, wrong = rounds(url, folder, count)
        print(f"{store}: killed {count} times; {came_out} came out, {records} records, {len(wrong)} wrong")
        print(*wrong[:20], sep="\n")
        failed = failed or bool(wrong) or not came_out
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
