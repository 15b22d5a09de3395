"""How long a guarded stream takes beside a bare one, and beside one that is judged when it has ended.

A stream of 100 tokens, 10 ms apart, and a judge that takes 300 ms. Printed for a reply that passes, and for
ones whose third sentence has to be revised, by a rule's own wording or by a model that takes 300 ms as well,
all from one run: time to the first text, total time, judgements. Medians of five.

    python benchmarks/streams.py
"""

import asyncio
import json
import re
import statistics
from time import perf_counter

from guardrails import Guard, ModelReply
from guardrails.testing import clean, edits, finding

TOKENS, EVERY, JUDGE = 100, 0.010, 0.300
PASSES = " ".join(f"The fund holds bonds of country {n} and it pays a fee of 0.2% on them." for n in range(1, 7))
THIRD = "The fund holds bonds of country 3 and"
REPLIES = {
    "passes": PASSES,
    "a rule revises": PASSES.replace(THIRD, "You cannot lose money here, for it holds bonds and"),
    "a model revises": PASSES.replace(THIRD, "The whole town talks of it: it holds bonds and"),
}
WRONG = "cannot lose|whole town"


class Judge:
    """A model with a delay: finds the wrong sentence, and mends it when it is asked to."""

    name = "timed"

    def __init__(self):
        self.judged = self.revised = 0

    async def acomplete(self, request):
        await asyncio.sleep(JUDGE)
        text = request.messages[-1].content
        wrong = [int(number) for number in re.findall(rf"^(\d+): .*(?:{WRONG})", text, re.MULTILINE)]
        if request.purpose == "revise":
            self.revised += 1
            return ModelReply(
                json.dumps(edits(dict.fromkeys(wrong, "It holds bonds and it pays a fee of 0.2% on them.")))
            )
        self.judged += 1
        found = finding("fin-no-guaranteed-returns", sentences=wrong) if wrong else clean()
        return ModelReply(json.dumps(found))

    def complete(self, request):
        raise NotImplementedError


async def tokens(text):
    for n in range(TOKENS):
        await asyncio.sleep(EVERY)
        yield text[len(text) * n // TOKENS : len(text) * (n + 1) // TOKENS]


async def at_the_end(guard, prompt, chunks):
    text = "".join([chunk async for chunk in chunks])
    yield (await guard.areview(prompt, text)).text


async def timed(stream):
    began, first, out = perf_counter(), None, ""
    async for chunk in stream:
        if first is None and chunk.strip():
            first = perf_counter() - began
        out += chunk
    return first, perf_counter() - began, out


async def main():
    print(f"{'reply':16} {'stream':18} {'first text':>11} {'total':>8} {'vs bare':>9} {'judged':>7} {'revised':>8}")
    for label, text in REPLIES.items():
        rows = []
        for kind in ("bare", "judged at the end", "guarded"):
            runs, judge = [], Judge()
            guard = Guard("finance", model=judge, audit=None)
            await timed(guard.astream("Is it safe?", tokens(text)))  # what a process does once is not timed
            for _ in range(5):
                judge.judged = judge.revised = 0
                stream = {
                    "bare": lambda: tokens(text),
                    "judged at the end": lambda: at_the_end(guard, "Is it safe?", tokens(text)),
                    "guarded": lambda: guard.astream("Is it safe?", tokens(text)),
                }[kind]()
                runs.append(await timed(stream))
            first, total = (statistics.median(run[n] for run in runs) for n in (0, 1))
            rows.append((kind, first, total, judge.judged, judge.revised))
        bare = rows[0][2]
        for kind, first, total, judged, revised in rows:
            over = (total - bare) / JUDGE
            print(f"{label:16} {kind:18} {first:9.2f} s {total:6.2f} s {over:+6.2f} j. {judged:7} {revised:8}")
    print("j. = judgements of 0.3 s")


if __name__ == "__main__":
    asyncio.run(main())
