"""How many records a second are durable, beside the disk's own rate, and how quickly a trail verifies.

Runs as a guard for finance records them: 16 principles, a reply of 1,000 characters; once more with 10 KB of context.
Recorded by 1, 8, 64 and 256 threads at a time, through the public API, in each store. Beside it, in the same round:
writing as many bytes as one record has to a file and making them durable with one fsync each. Then verifying, beside
bare SHA-256 of the same bytes. Rounds are interleaved; medians of five, with the lowest and the highest, and ratios:
the machine's speed varies, and a disk's more than that.

    python benchmarks/trail.py [SECONDS] [sqlite|postgres]
"""

import contextlib
import dataclasses
import hashlib
import os
import random
import statistics
import sys
import tempfile
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from stores import Postgres

from guardrails import Constitution
from guardrails.audit import AuditTrail, Run, Worker, uuid7
from guardrails.audit._record import build
from guardrails.exchange import Exchange
from guardrails.outcome import Attempt, Cause, ConstitutionRef, Outcome, Status, Tokens, Usage
from guardrails.sentences import Edit
from guardrails.verdict import Decision, Verdict

ROUNDS = 5
CALLERS = (1, 8, 64, 256)
RULES = Constitution.load("finance")
WORDING = ConstitutionRef(RULES.name, RULES.version, RULES.digest)
PRINCIPLES = [principle.id for principle in RULES.principles][:16]
SENTENCE = "The fund holds bonds of many countries, and it pays a fee of 0.2% on them, which may change. "


def said(length):
    """So many characters that no other record has."""
    return (f"{random.getrandbits(64):016x} " + SENTENCE * (length // len(SENTENCE) + 1))[:length]


def typical(context=0):
    """A reply that was revised once; one in two passes as it is."""
    reply = said(1000)
    right = tuple(Verdict(name, Decision.COMPLIES, "model") for name in PRINCIPLES)
    wrong = Verdict(
        PRINCIPLES[0], Decision.VIOLATES, "model", "It promises a return that nobody can promise.", (2,), 90
    )
    revised = Attempt(said(1000), right, (Edit(2, "It may fall."),), None, "model", 0)
    attempts = (Attempt(reply, (wrong, *right[1:])), revised) if random.random() < 0.5 else (Attempt(reply, right),)  # noqa: PLR2004, S311 - no secret
    passed = len(attempts) == 1
    outcome = Outcome(
        Status.PASSED if passed else Status.REVISED,
        attempts[-1].draft,
        uuid7(),
        WORDING,
        reply,
        cause=None if passed else Cause.VIOLATION,
        verdicts=right,
        attempts=attempts,
        usage=Usage(Tokens(2, 9000, 40, 8000), Tokens(1, 900, 60)),
        elapsed=1.25,
    )
    exchange = Exchange("Is this fund safe for my pension?", reply, [said(context)] if context else [])
    worker = (Worker("rules"), Worker("model", "anthropic:claude-haiku-4-5", "ab" * 32))
    return Run(exchange, outcome, worker, worker[1:], {"case": uuid7(), "user": "u7"})


def size(run):
    entry = build(run, RULES.content)
    return len(entry.body(1)) + 64 + sum(len(text.path) + len(text.salt) + len(text.text) for text in entry.texts)


def again(run):
    """The same run once more: a trail records each only once."""
    return dataclasses.replace(run, outcome=dataclasses.replace(run.outcome, run_id=uuid7()))


def recorded(trail, runs, callers, seconds):
    """Records a second, by so many threads for so many seconds."""
    end, ready = perf_counter() + seconds, threading.Barrier(callers)

    def record(number):
        ready.wait()
        done = 0
        while perf_counter() < end:
            trail.record(again(runs[(number + done) % len(runs)]), RULES.content)
            done += 1
        return done

    with ThreadPoolExecutor(callers) as pool:
        began = perf_counter()
        return sum(pool.map(record, range(callers))) / (perf_counter() - began)


def synced(folder, length, seconds):
    """Writes of so many bytes a second, each made durable."""
    data, done = os.urandom(length), 0
    with (folder / "bare").open("wb", buffering=0) as file:
        began = perf_counter()
        while perf_counter() < began + seconds:
            file.write(data)
            os.fsync(file.fileno())
            done += 1
        return done / (perf_counter() - began)


def verified(trail, processes=1):
    """Bytes a second, and how many bytes there are, of checking every record."""
    total = sum(len(record.body) + sum(len(t.text) + len(t.salt) for t in record.texts) for record in trail.records())
    began = perf_counter()
    assert trail.verify(processes=processes)
    return total / (perf_counter() - began), total


def hashed(trail):
    """Bytes a second, of the same bytes in memory, one SHA-256 for each body and each text."""
    took, total = 0.0, 0
    for record in trail.records():
        chunks = [record.body, *(text.salt + text.text for text in record.texts)]
        began = perf_counter()
        for chunk in chunks:
            hashlib.sha256(chunk).digest()
        took += perf_counter() - began
        total += sum(map(len, chunks))
    return total / took


def shown(values, unit="", scale=1):
    middle = statistics.median(values) / scale
    return f"{middle:9.1f}{unit} ({min(values) / scale:.1f} to {max(values) / scale:.1f})"


def measure(store, url, folder, seconds):
    for context in (0, 10_000):
        runs = [typical(context) for _ in range(64)]
        length = round(statistics.mean(map(size, runs)))
        rates = defaultdict(list)
        with AuditTrail.open(url(context)) as trail:
            trail.record(typical(context), RULES.content)
            for _ in range(ROUNDS):
                rates["fsync"].append(synced(folder, length, seconds))
                for callers in CALLERS:
                    rates[callers].append(recorded(trail, runs, callers, seconds))
            for _ in range(ROUNDS):
                rate, total = verified(trail)
                rates["verify"].append(rate)
                rates["verify, 2 processes"].append(verified(trail, 2)[0])
                rates["bare SHA-256"].append(hashed(trail))
        print(f"\n{store}, records of {length:,} bytes:")
        print(f"  {'bare fsync, one a record':28} {shown(rates['fsync'], '/s')}")
        for callers in CALLERS:
            by_one = statistics.median(map(float.__truediv__, rates[callers], rates[1]))
            by_disk = statistics.median(map(float.__truediv__, rates[callers], rates["fsync"]))
            print(
                f"  {callers:4} callers {'':15} {shown(rates[callers], '/s'):35}"
                f" {by_one:6.2f} of one caller, {by_disk:5.2f} of bare fsync"
            )
        for way in ("verify", "verify, 2 processes", "bare SHA-256"):
            part = statistics.median(map(float.__truediv__, rates[way], rates["bare SHA-256"]))
            print(f"  {way:28} {shown(rates[way], ' MB/s', 1e6):35} {part:6.2f} of bare SHA-256, {total / 1e6:.0f} MB")


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    stores = sys.argv[2:] or ["sqlite", "postgres"]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for store in stores:
            if store == "postgres":
                server = Postgres(tempfile.mkdtemp(prefix="pg"))
                stack.callback(server.delete)
                with server.sql() as db:
                    db.execute("CREATE DATABASE large")
                measure(store, lambda context: server.url("large" if context else "postgres"), folder, seconds)
            else:
                measure(store, lambda context: f"sqlite:///{folder}/{context}.db", folder, seconds)


if __name__ == "__main__":
    main()
