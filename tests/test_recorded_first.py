"""Nothing comes out before its record can be read back by another process."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from guardrails import AuditTrail, Guard
from guardrails.audit._store import open_store
from guardrails.errors import AuditError
from guardrails.models import ModelReply

pytest_plugins = ["stores"]

ROOT = Path(__file__).parents[1]
FINE = ["It costs 0.2% a year. ", "It holds bonds of many countries, and more. ", "It is paid out in May."]
READER = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from guardrails.audit import AuditTrail
for line in sys.stdin:
    with AuditTrail.open(sys.argv[1]) as trail:
        print(any(line.strip() in (text.text or b"").decode() for record in trail.records() for text in record.texts))
        sys.stdout.flush()
"""


class Reader:
    """Another process, asked whether the trail holds a text."""

    def __init__(self, address):
        self._process = subprocess.Popen(
            [sys.executable, "-c", READER, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def sees(self, text):
        self._process.stdin.write(text.strip() + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip() == "True"

    def close(self):
        self._process.communicate(timeout=10)


class Watched:
    """A store that is asked, when it has written, whether something came out already."""

    def __init__(self, store, released):
        self._store, self._released = store, released
        self.url, self.before = store.url, []

    def __getattr__(self, name):
        return getattr(self._store, name)

    def append(self, entries):
        self.before.append("".join(self._released))
        return self._store.append(entries)


@pytest.fixture
def reader(url):
    reader = Reader(url)
    yield reader
    reader.close()


def test_a_reply_comes_out_after_its_record(url, reader):
    released = []
    store = Watched(open_store(url), released)
    guard = Guard("finance", judge="rules", allow_unjudged=True, audit=AuditTrail(store))

    @guard
    def answer(question: str) -> str:
        return f"{question} {FINE[0]}"

    for number in range(3):
        released.append(answer(f"Is fund {number} cheap?"))
        assert reader.sees(released[-1])
    assert store.before == ["".join(released[:number]) for number in range(3)]


def test_every_sentence_of_a_stream_comes_out_after_its_record(url, reader):
    released = []
    store = Watched(open_store(url), released)
    guard = Guard("finance", judge="rules", allow_unjudged=True, audit=AuditTrail(store))
    for chunk in guard.stream("Is it cheap?", FINE):
        assert reader.sees(chunk)
        released.append(chunk)
    assert "".join(released) == "".join(FINE)
    assert len(store.before) > 2
    assert "".join(FINE).startswith(store.before[-1])


async def test_of_many_at_a_time_each_comes_out_after_its_own_record(url, reader):
    async def model(request):
        await asyncio.sleep(0)
        return ModelReply('{"findings": []}')

    guard = Guard("finance", model=model, audit=url)

    @guard
    async def answer(question: str) -> str:
        return f"{question} {FINE[0]}"

    for coming in asyncio.as_completed([answer(f"Is fund {number} cheap?") for number in range(20)]):
        assert reader.sees(await coming)
    await guard.aclose()


def test_what_cannot_be_recorded_does_not_come_out(tmp_path):
    guard = Guard("finance", judge="rules", allow_unjudged=True, audit=tmp_path / "no" / "audit.db")

    @guard
    def answer(question: str) -> str:
        return FINE[0]

    released = []
    with pytest.raises(AuditError, match="its folder does not exist"):
        released.append(answer("Is it cheap?"))
    with pytest.raises(AuditError, match="its folder does not exist"):
        released.extend(guard.stream("Is it cheap?", FINE))
    assert released == []
