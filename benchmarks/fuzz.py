"""Throws mutated YAML at `Constitution.load`: whatever it reads, it loads, or it says what is wrong.

Nothing but a ConstitutionError may come out, its problems have a file, a place and a message of one line, what loads
has content, digest and checks, and no input of up to 100 KB takes a second of processor time. Three engines:

- `mutate`: the shipped files and small ones with every key; bytes, tokens and lines are flipped, cut, doubled and
  swapped for hostile ones, a few are stretched to 100 KB. Each input is made from its number alone.
- `hypothesis`: data of the schema's shape with values of the wrong kinds in it.
- `atheris`: guided by coverage of `guardrails.constitution` and `yaml`, with the mutations of `mutate` as well. It is
  no dependency of the project: `pip install atheris` (CPython on Linux or macOS).

Each input is a file of its own, in memory where the system has such files, beside a pipe, a loop and other neighbours
that `extends` may name. What fails and what is slowest is kept in FOLDER.

    python benchmarks/fuzz.py N [--engine hypothesis|mutate|atheris] [--first NUMBER] [--seconds S] [--keep FOLDER]
    python benchmarks/fuzz.py --replay FILE...
"""

import argparse
import heapq
import json
import os
import random
import re
import signal
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from time import perf_counter, process_time

from fuzz_amplified import amplified
from fuzz_inputs import NEIGHBOURS, hypothesis_inputs, mutated, seeds, stretched

LIMIT, HANGS = 100_000, 30
MAIN = """\
name: acme
version: "1"
variables: {bank: Acme, is_licensed: true, limit: 250, is_licensed_adviser: false, is_law_firm: false,
  reviewer_is_lawyer: false, clinic_promotion: true}
"""
GOOD = "id: a-rule\ntitle: t\nseverity: high\nrule: Promise nothing.\n"
PLACES = ("c.yaml", "folder/constitution.yaml", "principles/principles/a-rule.yaml")


class HangError(BaseException):
    """No answer for half a minute."""


class Trial:
    """Loads inputs, one after another, and counts what came of them."""

    def __init__(self, folder, keep):
        self.folder, self.keep = folder, keep
        self.outcomes, self.failures, self.slowest = Counter(), [], []
        self.count, self.bytes, self.began = 0, 0, perf_counter()
        (folder / "principles/principles").mkdir(parents=True)
        (folder / "principles/constitution.yaml").write_text(MAIN)
        (folder / "folder/principles").mkdir(parents=True)
        (folder / "folder/principles/a-rule.yaml").write_text(GOOD)
        for beside in (folder, folder / "folder"):
            os.mkfifo(beside / "pipe.yaml")
            (beside / "link.yaml").symlink_to("link.yaml")
            (beside / "empty").mkdir()
            for name, content in NEIGHBOURS.items():
                (beside / name).write_text(content)
        signal.signal(signal.SIGALRM, self._hangs)

    @staticmethod
    def _hangs(*_):
        raise HangError

    def run(self, name, raw, place):
        """Load one input at one of the places; a failure is noted and kept."""
        path = self.folder / PLACES[place]
        path.write_bytes(raw)
        source = path if place == 0 else self.folder / PLACES[place].split("/")[0]
        signal.setitimer(signal.ITIMER_REAL, HANGS)
        began = process_time()
        try:
            outcome = loaded(source)
        except (Exception, HangError) as error:  # noqa: BLE001 - that is what is looked for
            outcome = "failed"
            self._failed(f"{name} {type(error).__name__}", raw, place, traceback.format_exc(limit=-6))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        took = process_time() - began
        self.count, self.bytes = self.count + 1, self.bytes + len(raw)
        self.outcomes[outcome] += 1
        if took > 1 and len(raw) <= LIMIT:
            self._failed(f"{name} took {took:.2f} s", raw, place, "")
        if len(self.slowest) < 5 or took > self.slowest[0][0]:  # noqa: PLR2004 - five are shown
            heapq.heappush(self.slowest, (took, len(raw), name, place, raw))
            del self.slowest[:-5]
            self.slowest = heapq.nlargest(5, self.slowest)[::-1]
        if self.count % 1000 == 0:
            forget_patterns()

    def _failed(self, what, raw, place, trace):
        self.failures.append(what)
        file = self._kept(f"failed-{len(self.failures)}", raw, place)
        print(f"FAILED {what}: {file}\n{trace}", flush=True)

    def _kept(self, name, raw, place):
        self.keep.mkdir(parents=True, exist_ok=True)
        file = self.keep / f"{name}.at{place}"
        file.write_bytes(raw)
        return file

    def report(self):
        """Print what came out; the exit code."""
        took = perf_counter() - self.began
        outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(self.outcomes.items()))
        print(f"{self.count:,} inputs, {self.bytes:,} bytes, {took:.0f} s: {outcomes}; {len(self.failures)} failures")
        for seconds, size, name, place, raw in reversed(self.slowest):
            file = self._kept(f"slow-{re.sub(r'[^a-z0-9]+', '-', name)}", raw, place)
            print(f"  {seconds:.3f} s of processor time, {size:,} bytes: {name}, kept as {file}")
        return 1 if self.failures else 0


def loaded(source):
    """`loaded` or `refused`; anything else that happens is a failure."""
    from guardrails.constitution import Constitution
    from guardrails.errors import ConstitutionError

    try:
        constitution = Constitution.load(source)
        content, digest, checks = constitution.content, constitution.digest, constitution.checks
    except ConstitutionError as error:
        problems = error.problems
    else:
        problems = None
    if problems is not None:
        assert problems
        for problem in problems:
            assert problem.file, problem
            assert problem.line >= 0, problem
            assert problem.column >= 0, problem
            assert len(problem.message.splitlines()) == 1, problem
            assert len(problem.advice.splitlines()) <= 1, problem
        return "refused"
    json.loads(content, parse_constant=lambda constant: sys.exit(f"{constant} is no JSON"))
    assert len(bytes.fromhex(digest)) == 32, digest  # noqa: PLR2004 - SHA-256
    assert checks is not None
    return "loaded"


def forget_patterns():
    """A process loads few constitutions and keeps their patterns; this one would keep a million."""
    from guardrails import patterns

    patterns._CACHE.clear()  # noqa: SLF001 - nothing else needs to


def mutate(trial, count, first, seconds):
    files = seeds()
    for number in range(first, first + count):
        if perf_counter() - trial.began > seconds:
            return
        trial.run(f"mutate {number}", *made(number, files))


def made(number, files):
    """An input, and where it is put, by its number."""
    rng = random.Random(number)  # noqa: S311 - no secret
    place, raw = rng.choice(files)
    share = rng.random()
    if share < 0.001:  # noqa: PLR2004 - few: each takes hundreds of times as long
        return amplified(rng, LIMIT)[:LIMIT], 0
    raw = stretched(raw, rng, LIMIT) if share < 0.004 else mutated(raw, rng)  # noqa: PLR2004 - few, too
    return raw[:LIMIT], place


def hypothesis(trial, count, first, seconds):
    for number, (raw, place) in enumerate(hypothesis_inputs(count, first, seconds)):
        trial.run(f"hypothesis {first} {number}", raw, place)


def atheris(trial, count, first, seconds):
    import atheris

    with atheris.instrument_imports(include=["guardrails.constitution", "yaml"]):
        import guardrails.constitution  # noqa: F401 - so that it is instrumented
    corpus = trial.folder / "corpus"
    corpus.mkdir()
    for number, (place, raw) in enumerate(seeds()):
        if len(raw) <= 4096:  # noqa: PLR2004 - the longest input, below
            (corpus / str(number)).write_bytes(bytes([place]) + raw)

    def one(data):
        trial.run(f"atheris {first} {trial.count}", data[1:], data[0] % 3 if data else 0)
        if trial.count >= count or perf_counter() - trial.began > seconds:
            code = trial.report()
            sys.stdout.flush()
            remove(trial.folder)
            os._exit(code)  # libFuzzer has no other way to end after so many

    def mutator(data, max_size, seed):
        rng = random.Random(seed)  # noqa: S311 - no secret
        changed = data[:1] + mutated(data[1:], rng) if rng.random() < 0.5 else atheris.Mutate(data, max_size)  # noqa: PLR2004 - half
        return changed[:max_size]

    options = [f"-seed={first + 1}", "-max_len=4096", "-timeout=60", "-rss_limit_mb=4096", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one, custom_mutator=mutator)
    atheris.Fuzz()


def remove(folder):
    import shutil

    shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("count", nargs="?", type=int, default=1)
    parser.add_argument("--engine", choices=("mutate", "hypothesis", "atheris"), default="mutate")
    parser.add_argument("--first", type=int, default=0, help="the first input's number; a seed for the other engines")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "guardrails-fuzz")
    parser.add_argument("--replay", type=Path, nargs="+", default=())
    options = parser.parse_args()
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a folder of its own is made in it
    folder = Path(tempfile.mkdtemp(dir=memory))
    trial = Trial(folder, options.keep)
    if options.replay:
        for file in options.replay:
            trial.run(file.stem, file.read_bytes(), int(file.suffix[-1]))
    else:
        engine = {"mutate": mutate, "hypothesis": hypothesis, "atheris": atheris}[options.engine]
        engine(trial, options.count, options.first, options.seconds)
    code = trial.report()
    remove(folder)
    return code


if __name__ == "__main__":
    sys.exit(main())
