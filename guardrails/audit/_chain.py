"""The chain over the stored bytes, and the check that nothing in it was altered.

The hash of a record is SHA-256 over the hash of the one before it (64 hexadecimal characters, zeros
before the first) and the exact bytes of its body. Anybody can follow it with a shell alone::

    printf %s "$hash_before$body" | sha256sum

What this finds by itself: a record altered, removed, inserted or moved, and a text or a constitution altered,
removed without a record that says so, or added. With a checkpoint that was kept elsewhere it finds the rest, too:
records cut off at the end, a trail replaced as a whole or by an older copy, and a hand that computed every
later hash anew.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

from guardrails.audit._store import canonical
from guardrails.audit._vouch import plainly_vouched, text_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from guardrails.audit._checkpoint import Checkpoint
    from guardrails.audit._store import Record

GENESIS = "0" * 64
"""What stands before the first record."""

_STEP = 100  # records between two calls of a progress callback
_WORDING = re.compile(rb'"constitution":\{"digest":"([0-9a-f]{64})","name":"[^"\\]*","stored":(true|false),')


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of checking a trail; true where everything fits.

    `records` counts those that fit, from the first one on, and `head` is the hash of the last of
    them. Where one does not, `problem` says what is wrong with it, `seq` is its number and `run` its
    run, None where that cannot be read. `anchored` is up to which record checkpoints vouch for the trail. `note` says
    where the store's own rules, its triggers say, are not as this library makes them: no record shows by itself
    what they let happen.

    >>> print(Verification(ok=True, records=12, head="ab…"))
    internally consistent; not anchored: 12 records
    >>> print(Verification(ok=True, records=12, head="ab…", anchored=10))
    consistent, and anchored up to record 10: 12 records
    >>> print(Verification(ok=False, records=6, head="ab…", problem="a text is missing", seq=7, run="0198…"))
    record 7 (run 0198…): a text is missing
    """

    ok: bool
    records: int
    head: str
    problem: str = ""
    seq: int | None = None
    run: str | None = None
    anchored: int = 0
    note: str = ""

    # So that `if trail.verify():` does not wave a broken trail through.
    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if not self.ok:
            return f"record {self.seq}{f' (run {self.run})' if self.run else ''}: {self.problem}"
        held = f"consistent, and anchored up to record {self.anchored}" if self.anchored else _ALONE
        return f"{held}: {self.records} record{'' if self.records == 1 else 's'}"


_ALONE = "internally consistent; not anchored"


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


class Chain:
    """Follows a chain record by record. `kept` is as `digests` makes it; `erased` are the records without texts.

    `seq` is the number of the last record that fits, and `head` its hash.
    """

    def __init__(
        self, kept: Callable[[str], str | None], erased: Container[int], seq: int = 0, head: str = GENESIS
    ) -> None:
        self.seq = seq
        self.head = head
        self.erased = erased
        self._kept = kept
        self._wording = b"\0"  # in no body

    def follow(self, record: Record) -> None:
        """Go on to the next record.

        Raises:
            MisfitError: it is not the one that follows, or a text or the constitution is not what it vouches for.
        """
        if not self._plainly_fits(record):
            self.explain(record)
        self.seq, self.head = record.seq, record.hash

    def _plainly_fits(self, record: Record) -> bool:
        """Whether a record fits, decided on its bytes alone: what is not plain is looked at once more.

        The body is canonical, so that what it has to hold has one spelling, which no string in it can imitate:
        quotation marks inside a string are escaped.
        """
        body, seq = record.body, self.seq + 1
        if record.seq != seq or record.problem or link(self.head, body) != record.hash:
            return False
        if b'"seq":%d,' % seq not in body:
            return False
        if seq in self.erased:
            return not record.texts and self._is_wording_kept(body)
        return plainly_vouched(body, record.texts) and self._is_wording_kept(body)

    def _is_wording_kept(self, body: bytes) -> bool:
        if self._wording in body:  # as a rule, it is that of the record before
            return True
        cited = _WORDING.search(body)
        if cited is None or (cited[2] == b"true" and self._kept(cited[1].decode()) != cited[1].decode()):
            return False
        self._wording = cited[0]
        return True

    def explain(self, record: Record) -> dict[str, object]:
        """The body of the record that follows.

        Raises:
            MisfitError: it does not follow; the message says why.
        """
        seq = self.seq + 1
        if record.seq > seq or not record.body:
            begins = f": this begins with record {record.seq}" if record.seq > seq == 1 else ""
            raise MisfitError("it is missing" + (", though texts of it are there" if record.seq == seq else begins))
        if record.seq < seq:
            raise MisfitError("its number is out of order")
        if record.problem:
            raise MisfitError(record.problem)
        body = _parsed(record.body)
        run = _string(body, "run")
        if link(self.head, record.body) != record.hash:
            raise MisfitError("its hash does not fit: its body or its hash was altered, or it was moved here", run)
        if body is None:
            raise MisfitError("its body cannot be read as canonical JSON", run)
        if body.get("seq") != seq:
            raise MisfitError(f"its body says that it is record {body.get('seq')!r}", run)
        self._check_texts(record, body, run)
        self._check_constitution(body, run)
        return body

    def _check_texts(self, record: Record, body: Mapping[str, object], run: str | None) -> None:
        if record.seq in self.erased:
            if record.texts:
                raise MisfitError("its texts were erased, and are there again", run)
        elif problem := text_problem(body, record.texts):
            raise MisfitError(problem, run)

    def _check_constitution(self, body: Mapping[str, object], run: str | None) -> None:
        cited = body.get("constitution")
        if not isinstance(cited, dict) or cited.get("stored") is not True:
            return
        digest = str(cited.get("digest"))
        found = self._kept(digest)
        if found != digest:
            what = "was altered" if found else "is missing"
            raise MisfitError(f"the constitution that it was judged under ({digest}) {what}", run)


def verify(
    records: Iterable[Record],
    chain: Chain,
    checkpoints: Sequence[Checkpoint] = (),
    progress: Callable[[int], None] | None = None,
    again: Callable[[Record], tuple[Record, Container[int]]] | None = None,
) -> Verification:
    """Check records one by one, from the first, and stop at the first one that does not fit.

    `progress` is called now and then, and at the end, with the number of records checked. Memory does not
    grow with their number. `again` gives a record as it is now, and what was erased by then: where somebody erases
    meanwhile, what was read before and what was read after do not fit each other.
    """
    anchors = sorted(checkpoints, key=lambda checkpoint: checkpoint.count)
    passed = 0
    for record in records:
        try:
            _follow(chain, record, again)
        except MisfitError as misfit:
            # Of a gap, what is missing is named, not what comes after it.
            return _broken(chain, str(misfit), min(record.seq, chain.seq + 1), misfit.run)
        while passed < len(anchors) and anchors[passed].count == chain.seq:
            if anchors[passed].head != chain.head:
                return _broken(chain, f"its hash is not the one that {anchors[passed]} vouches for: {_ANEW}", chain.seq)
            passed += 1
        if progress and chain.seq % _STEP == 0:
            progress(chain.seq)
    if passed < len(anchors):
        return _broken(chain, f"it is missing, and {anchors[passed]} vouches for it: {_CUT}", chain.seq + 1)
    if progress:
        progress(chain.seq)
    return Verification(ok=True, records=chain.seq, head=chain.head, anchored=anchors[-1].count if anchors else 0)


def _follow(chain: Chain, record: Record, again: Callable[[Record], tuple[Record, Container[int]]] | None) -> None:
    try:
        chain.follow(record)
    except MisfitError:
        if again is None:
            raise
        # Read in this order: texts that are gone by then were erased by then.
        record, chain.erased = again(record)
        chain.follow(record)


_ANEW = "this is another trail, or one whose hashes were computed anew after something was altered"
_CUT = "records were cut off at the end, or this is another or an older trail"


def _broken(chain: Chain, problem: str, seq: int, run: str | None = None) -> Verification:
    return Verification(ok=False, records=min(chain.seq, seq), head=chain.head, problem=problem, seq=seq, run=run)


def digests(constitution: Callable[[str], bytes | None]) -> Callable[[str], str | None]:
    """What the content kept under a digest really hashes to, None where there is none. Computed once each."""

    @cache
    def kept(digest: str) -> str | None:
        content = constitution(digest)
        return None if content is None else sha256(content).hexdigest()

    return kept


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
