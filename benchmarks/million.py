"""A trail of a million records: how long an auditor waits for an answer, and how much memory it takes.

The trail is filled through its store, 256 records a transaction, with runs as `benchmarks/trail.py` makes them: half
of them revised, one in twenty blocked, one in fifty undecided, a decision on one in a thousand. Each question is then
asked by a process of its own, as the command line would: its time from start to end, and its peak resident memory.
The export and the report go to files, which are measured and deleted, and so is the trail. Ends with 1 where a
question that has to be answered in bounded memory took more than 500 MB.

    python benchmarks/million.py [RECORDS] [URL]
"""

import dataclasses
import json
import random
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from trail import PRINCIPLES, RULES, again, typical

from guardrails.audit import AuditTrail
from guardrails.audit._acts import decision
from guardrails.audit._record import build
from guardrails.audit._store import open_store
from guardrails.outcome import Cause, Status
from guardrails.verdict import Decision

BATCH, BOUND = 256, 500
START = datetime(2026, 1, 1, tzinfo=UTC)


def another(runs, number, count):
    """A run at its time: the trail covers half a year."""
    run = again(runs[number % len(runs)])
    outcome = run.outcome
    if number % 20 == 7:  # noqa: PLR2004 - one in twenty
        outcome = dataclasses.replace(outcome, status=Status.BLOCKED, cause=Cause.VIOLATION)
    if number % 50 == 9:  # noqa: PLR2004 - one in fifty
        left = dataclasses.replace(outcome.verdicts[1], decision=Decision.UNDECIDED)
        outcome = dataclasses.replace(outcome, verdicts=(left, *outcome.verdicts[1:]))
    labels = {"case": str(number), "user": f"u{number % 1000}"}
    return dataclasses.replace(run, outcome=outcome, labels=labels, time=START + timedelta(days=180) * number / count)


def fill(url, count):
    """Make the trail; returns the ids of some runs."""
    runs, batch, ids = [typical() for _ in range(64)], [], []
    store = open_store(url)
    for number in range(count):
        run = another(runs, number, count)
        batch.append(build(run, RULES.content))
        if number % 1000 == 0:
            ids.append(run.outcome.run_id)
            batch.append(decision(run.outcome.run_id, agrees=True, by="M. Sato", note=""))
        if len(batch) >= BATCH or number == count - 1:
            store.append(batch)
            batch = []
    store.close()
    return ids


def asked(url, question, *args):
    """The answer's size, its seconds and its peak memory in MB, in a process of its own."""
    command = [sys.executable, __file__, "ask", url, question, *args]
    began = perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this file
    took = perf_counter() - began
    if done.returncode:
        return f"failed: {done.stderr.strip().splitlines()[-1]}", took, 0.0
    said = json.loads(done.stdout)
    return said["answer"], took, said["rss"] / 1024


def ask(url, question, *args):
    """Answer one question, and say what it took."""
    import resource

    with AuditTrail.open(url) as trail:
        answer = QUESTIONS[question](trail, *args)
    # The peak of this process and of those that it waited for.
    rss = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"answer": answer, "rss": rss}))


def where(**fields):
    from guardrails.audit import Where

    return Where(**fields)


def written(file, trail, *command):
    """What a command writes to a file, as it is typed; the file's size."""
    typed = [sys.executable, "-m", "guardrails", "audit", *command, "--audit", trail.url]
    subprocess.run(typed, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    return f"{Path(file).stat().st_size / 1e6:.0f} MB"


QUESTIONS = {
    "nothing": lambda _: "",
    "list, 20 newest": lambda trail: len(list(trail.runs(20))),
    "list, all": lambda trail: sum(1 for _ in trail.runs()),
    "list, 20 blocked": lambda trail: len(list(trail.runs(20, where(status=Status.BLOCKED)))),
    "list, one principle": lambda trail: sum(1 for _ in trail.runs(None, where(principle=PRINCIPLES[1]))),
    "list, a severity, 20": lambda trail: len(list(trail.runs(20, where(severity="critical")))),
    "list, one day": lambda trail: sum(
        1 for _ in trail.runs(None, where(since=START + timedelta(days=30), until=START + timedelta(days=31)))
    ),
    "list, one case": lambda trail: sum(1 for _ in trail.runs(None, where(labels=(("case", "500"),)))),
    "show, by id": lambda trail, run: trail.run(run).seq,
    "show, by prefix": lambda trail, run: trail.run(run[:-1]).seq,
    "show, latest": lambda trail: trail.run(next(trail.runs(1)).run_id).seq,
    "queue, 20": lambda trail: len(list(trail.queue(20))),
    "queue, all": lambda trail: sum(1 for _ in trail.queue()),
    "verify": lambda trail: str(trail.verify()),
    "verify, 2 processes": lambda trail: str(trail.verify(processes=2)),
    "report": lambda trail, file: written(file, trail, "report", file),
    "export, JSON Lines": lambda trail, file: written(file, trail, "export", "--out", file),
    "export, CSV": lambda trail, file: written(file, trail, "export", "--format", "csv", "--out", file),
}
FILES = {"report": "html", "export, JSON Lines": "jsonl", "export, CSV": "csv"}
BOUNDED = ("verify", "verify, 2 processes", *FILES)


def main():
    if sys.argv[1:2] == ["ask"]:
        ask(*sys.argv[2:])
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    over = []
    with tempfile.TemporaryDirectory() as folder:
        url = sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{folder}/audit.db"  # noqa: PLR2004 - there is one
        began = perf_counter()
        ids = fill(url, count)
        took = perf_counter() - began
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
        print(f"{count:,} runs recorded in {took:.0f} s; {size / 1e6:,.0f} MB on the disk")
        print(f"{'question':24} {'seconds':>9} {'peak MB':>9}  answer")
        for question in QUESTIONS:
            file = str(Path(folder) / f"out.{FILES.get(question, '')}")
            named = [random.choice(ids)] if "by" in question else [file] * (question in FILES)  # noqa: S311 - no secret
            answer, seconds, rss = asked(url, question, *named)
            over += [question] * (question in BOUNDED and rss > BOUND)
            print(f"{question:24} {seconds:9.2f} {rss:9.0f}  {answer}", flush=True)
            Path(file).unlink(missing_ok=True)
    print(f"more than {BOUND} MB: {', '.join(over) or 'none'}")
    sys.exit(1 if over else 0)


if __name__ == "__main__":
    main()
