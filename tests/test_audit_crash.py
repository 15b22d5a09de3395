"""The trail under force: processes that are killed, disks that are full or read-only, many writers at once."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import collected, constitution, principle
from trails import python

from guardrails import Guard
from guardrails.audit import AuditTrail
from guardrails.errors import AuditError

pytest_plugins = ["stores"]

ROOT = Path(__file__).parents[1]
FIX = {"replace": {"en": "has risks"}}
RULES = constitution(principle("no-promises", checks=[{"pattern": ["is risk-free"], "fix": FIX}]))
WORDS = [f"{word} " for word in ("It pays a fee. This ETF is risk-free. " * 4).split(" ")]


def guarding(trail):
    return Guard(RULES, judge="rules", allow_unjudged=True, audit=trail)


# A process that is killed


def test_every_reply_that_came_out_has_its_record_when_the_process_is_killed(url):
    script = ROOT / "benchmarks" / "crash.py"
    done = subprocess.run([sys.executable, script, "3", url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# A disk without room


@pytest.fixture
def disk(tmp_path):
    """A disk of sixteen megabytes."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", tmp_path], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("needs the right to mount a file system")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def leave(disk, room):
    """Fill the disk, but for so many bytes; None empties it again."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    if room is not None:
        system = os.statvfs(disk)
        ballast.write_bytes(bytes(max(system.f_bavail * system.f_frsize - room, 0)))


async def released(guard, way, long):
    """What comes out of a guard, and the error that it ended with."""
    words = WORDS + ["Ballast. "] * long
    out = []

    async def asaid():
        for word in words:
            yield word

    @guard
    def answer(question):
        return "".join(words)

    try:
        if way == "function":
            out.append(answer("Is it safe?"))
        elif way == "areview":
            out.append((await guard.areview("Is it safe?", "".join(words))).text)
        elif way == "stream":
            out.extend(guard.stream("Is it safe?", words))
        else:
            await collected(guard.astream("Is it safe?", asaid()), out)
    except AuditError as error:
        return "".join(out), str(error)
    return "".join(out), ""


def recorded(trail):
    """What the trail says came out, run by run."""
    return [run.outcome.released or run.outcome.text for run in (trail.run(one.run_id).run for one in trail.runs())]


@pytest.mark.parametrize("way", ["function", "areview", "stream", "astream"])
def test_a_full_disk_lets_nothing_out_and_is_gone_on_from(way, disk):
    failures = set()
    with AuditTrail.open(disk / "audit.db") as trail:
        guard = guarding(trail)
        for room in range(0, 120_000, 12_000):
            leave(disk, room)
            out, failure = asyncio.run(released(guard, way, long=80))
            leave(disk, None)
            if failure:
                failures.add(failure.partition(": ")[2])
                # Of a stream, what came out before has its records.
                assert not out or any(kept.startswith(out) for kept in recorded(trail))
            else:
                assert out in recorded(trail)
            whole, failure = asyncio.run(released(guard, way, long=0))
            assert not failure
            assert whole == recorded(trail)[0]
            assert trail.verify()
    assert failures
    assert all("disk is full" in failure or "disk failed or is full" in failure for failure in failures), failures


def test_a_disk_that_is_full_from_the_beginning(disk):
    leave(disk, 0)
    with AuditTrail.open(disk / "audit.db") as trail:
        guard = guarding(trail)
        assert asyncio.run(released(guard, "function", long=0))[0] == ""
        leave(disk, None)
        out, failure = asyncio.run(released(guard, "function", long=0))
        assert (out, failure) == (recorded(trail)[0], "")
        assert trail.verify().records == 1


def test_texts_that_a_full_disk_kept_from_being_erased_can_be_erased_later(disk):
    with AuditTrail.open(disk / "audit.db") as trail:
        guard = guarding(trail)
        runs = [guard.review("Is it safe?", f"Marker {n}. " + "It costs money. " * 2000) for n in range(10)]
        leave(disk, 100_000)
        with pytest.raises(AuditError, match=r"erase the same run once more|The disk"):
            trail.erase(runs[3].run_id, by="M. Sato", reason="a request")
        assert trail.verify()
        leave(disk, None)
        trail.erase(runs[3].run_id, by="M. Sato", reason="a request")
        assert trail.verify()
        assert [act.kind for act in trail.acts()] == ["erase"]
    assert not any(b"Marker 3" in file.read_bytes() for file in disk.iterdir())


@pytest.mark.parametrize("way", ["function", "stream"])
def test_a_read_only_disk_lets_nothing_out_and_is_gone_on_from(way, disk):
    with AuditTrail.open(disk / "audit.db") as trail:
        guard = guarding(trail)
        asyncio.run(released(guard, way, long=0))
        count = trail.verify().records
        trail.close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        out, failure = asyncio.run(released(guard, way, long=0))
        assert trail.verify().records == count
        assert out == ""
        assert "cannot be written" in failure
        assert "on a disk that is not read-only" in failure or "Give this user the right" in failure
        trail.close()
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        out, failure = asyncio.run(released(guard, way, long=0))
        assert (out, failure) == (recorded(trail)[0], "")
        assert trail.verify()


# Many writers

WRITER = textwrap.dedent("""
    sys.path.insert(0, str(ROOT / "tests"))
    import random
    from test_audit_crash import WORDS, guarding
    from guardrails import labels

    with AuditTrail.open(sys.argv[1]) as trail:
        guard = guarding(trail)

        def work(number):
            name = f"{sys.argv[2]}-{number}"
            with labels(case=name):
                if number % 3 == 0:
                    text = "".join(guard.stream("Is it safe?", WORDS))
                else:
                    text = guard.review("Is it safe?", f"This is {name}. It is risk-free.").text
            if number % 9 == 4:
                run = next(run.run_id for run in trail.runs(where=Where(labels=(("case", name),))))
                trail.decide(run, agrees=True, by="M. Sato")
                try:
                    trail.erase(run, by="M. Sato", reason="a request")
                except AuditError as error:  # the others read and write
                    assert "still stand in its files" in str(error) or "erased texts are kept" in str(error), error
                name = f"erased {run}"
            return name, text

        with ThreadPoolExecutor(8) as pool:
            print(json.dumps(list(pool.map(work, range(18)))))
""")


def test_four_processes_write_one_chain_and_lose_no_record(url):
    script = "from guardrails.audit import Where\n" + WRITER
    with ThreadPoolExecutor(4) as pool, AuditTrail.open(url) as trail:
        writers = [pool.submit(finished, python(script, url, name)) for name in "abcd"]
        while not all(writer.done() for writer in writers):
            audited(trail)
        told = dict(pair for writer in writers for pair in writer.result())
        runs = {run.run_id: trail.run(run.run_id) for run in trail.runs()}
        assert trail.verify()
        kinds = [json.loads(record.body)["kind"] for record in trail.records()]
    kept = {run.run.labels["case"]: run.run.outcome.released or run.run.outcome.text for run in runs.values()}
    erased = {f"erased {run_id}" for run_id, run in runs.items() if run.erased}
    assert len(runs) == 4 * 18
    assert {case: text for case, text in told.items() if not case.startswith("erased")} == {
        case: text for case, text in kept.items() if case
    }
    assert erased == {case for case in told if case.startswith("erased")}
    assert (kinds.count("outcome"), kinds.count("decision"), kinds.count("erase")) == (72, 8, 8)


def audited(trail):
    """What an auditor sees meanwhile: a trail that verifies, or none yet."""
    with contextlib.suppress(AuditError):
        assert trail.verify()


def finished(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)
