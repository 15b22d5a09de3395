"""The chain over the stored bytes, and the check that nothing in it was altered.

The hash of a record is SHA-256 over the hash of the one before it (64 hexadecimal characters, zeros
before the first) and the exact bytes of its body. Anybody can follow it with a shell alone::

    printf %s "$hash_before$body" | sha256sum

What this finds: a record altered, removed, inserted or moved, and a text or a constitution altered,
removed or added. What it cannot find without an anchor kept elsewhere: records cut off at the end,
a trail replaced as a whole, and a hand that computes every later hash anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from guardrails.audit._store import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from guardrails.audit._store import Record

GENESIS = "0" * 64
"""What stands before the first record."""

_STEP = 100  # records between two calls of a progress callback


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of checking a trail; true where everything fits.

    `records` counts those that fit, from the first one on, and `head` is the hash of the last of
    them. Where one does not, `problem` says what is wrong with it, `seq` is its number and `run` its
    run, None where that cannot be read.

    >>> print(Verification(ok=True, records=12, head="ab…"))
    internally consistent; not anchored: 12 records
    >>> print(Verification(ok=False, records=6, head="ab…", problem="a text is missing", seq=7, run="0198…"))
    record 7 (run 0198…): a text is missing
    """

    ok: bool
    records: int
    head: str
    problem: str = ""
    seq: int | None = None
    run: str | None = None

    # So that `if trail.verify():` does not wave a broken trail through.
    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if not self.ok:
            return f"record {self.seq}{f' (run {self.run})' if self.run else ''}: {self.problem}"
        return f"internally consistent; not anchored: {self.records} record{'' if self.records == 1 else 's'}"


class MisfitError(Exception):
    """A record that does not fit; the message says what is wrong with it."""

    def __init__(self, problem: str, run: str | None = None) -> None:
        self.run = run
        super().__init__(problem)


def link(before: str, body: bytes) -> str:
    """The hash of a record, given the hash of the one before it.

    >>> link(GENESIS, b'{"seq":1}')[:8]
    '0a008985'
    """
    return sha256(before.encode() + body).hexdigest()


def verify(
    records: Iterable[Record],
    constitution: Callable[[str], bytes | None],
    progress: Callable[[int], None] | None = None,
) -> Verification:
    """Check records one by one, from the first, and stop at the first one that does not fit.

    `constitution` gives the content that the trail keeps for a digest. `progress` is called now and
    then, and at the end, with the number of records checked. Memory does not grow with their number.
    """
    head, count = GENESIS, 0
    kept = digests(constitution)
    for record in records:
        try:
            check(record, head, count + 1, kept)
        except MisfitError as misfit:
            # Of a gap, what is missing is named, not what comes after it.
            seq = min(record.seq, count + 1)
            return Verification(ok=False, records=count, head=head, problem=str(misfit), seq=seq, run=misfit.run)
        head, count = record.hash, count + 1
        if progress and count % _STEP == 0:
            progress(count)
    if progress:
        progress(count)
    return Verification(ok=True, records=count, head=head)


def digests(constitution: Callable[[str], bytes | None]) -> Callable[[str], str | None]:
    """What the content kept under a digest really hashes to, None where there is none. Computed once each."""

    @cache
    def kept(digest: str) -> str | None:
        content = constitution(digest)
        return None if content is None else sha256(content).hexdigest()

    return kept


def check(record: Record, before: str, seq: int, kept: Callable[[str], str | None]) -> dict[str, object]:
    """The body of a record that follows the hash `before` as number `seq`; `kept` is as `digests` makes it.

    Raises:
        MisfitError: it does not, or a text or the constitution is not what the body vouches for.
    """
    if record.seq > seq or not record.body:
        raise MisfitError("it is missing" + (", though texts of it are there" if record.seq == seq else ""))
    if record.seq < seq:
        raise MisfitError("its number is out of order")
    body = _parsed(record.body)
    run = _string(body, "run")
    if link(before, record.body) != record.hash:
        raise MisfitError("its hash does not fit: its body or its hash was altered, or it was moved here", run)
    if body is None:
        raise MisfitError("its body cannot be read as canonical JSON", run)
    if body.get("seq") != seq:
        raise MisfitError(f"its body says that it is record {body.get('seq')!r}", run)
    _check_texts(record, body, run)
    _check_constitution(body, kept, run)
    return body


def _parsed(body: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(body)
        # One spelling only: a doubled key, say, would read differently to different readers.
        return value if isinstance(value, dict) and canonical(value) == body else None
    except (ValueError, RecursionError):
        return None


def _string(fields: Mapping[str, object] | None, key: str) -> str | None:
    value = fields.get(key) if fields else None
    return value if isinstance(value, str) else None


def _check_texts(record: Record, body: Mapping[str, object], run: str | None) -> None:
    promised = body.get("texts")
    if not isinstance(promised, dict):
        raise MisfitError("its body holds no commitments", run)
    for text in record.texts:
        if text.path not in promised:
            raise MisfitError(f"the text {text.path!r} was added to it", run)
        if text.commitment != promised[text.path]:
            raise MisfitError(f"the text {text.path!r} was altered", run)
    missing = promised.keys() - {text.path for text in record.texts}
    if missing:
        raise MisfitError(f"the text {min(missing)!r} is missing", run)


def _check_constitution(body: Mapping[str, object], kept: Callable[[str], str | None], run: str | None) -> None:
    cited = body.get("constitution")
    if not isinstance(cited, dict) or cited.get("stored") is not True:
        return
    digest = str(cited.get("digest"))
    found = kept(digest)
    if found != digest:
        what = "was altered" if found else "is missing"
        raise MisfitError(f"the constitution that it was judged under ({digest}) {what}", run)
