"""A trail as lines, with everything that is needed to verify it elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from guardrails.audit._lines import JsonLines, told
from guardrails.audit._spreadsheet import Csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from guardrails.audit._lines import Line
    from guardrails.audit._store import Record
    from guardrails.audit._trail import AuditTrail

Layout = Literal["jsonl", "csv"]


class Lines(Protocol):
    """A way to write records as lines and to read them back. Every line ends as it has to."""

    head: str
    """What stands before the first line."""

    def record(self, record: Record) -> str: ...

    def wording(self, digest: str, content: bytes) -> str: ...

    def read(self, line: bytes) -> Line: ...


LAYOUTS: Mapping[str, Lines] = {"jsonl": JsonLines(), "csv": Csv()}
"""The layouts that can be verified; a file's name ends in a dot and one of these."""


def export(
    trail: AuditTrail, layout: Layout = "jsonl", after: int = 0, idle: Callable[[], object] | None = None
) -> Iterator[str]:
    """The lines of a trail, in order, from the record after number `after` on, read as they are asked for.

    Each line ends in its line break; in UTF-8 they make a file that `AuditTrail.open` reads and verifies. A
    constitution stands before the first record that was judged under it. Nothing is filtered: a part of a chain would
    not verify. With `after`, lines continue a file that ends with that record.

    Without `idle` they end with the trail. Otherwise it is called where nothing is left, `partial(time.sleep, 1)` say,
    and then what was recorded meanwhile follows: no record is skipped, and none comes twice.

    Texts that were erased are not among the lines. Those that were erased later stay in what was exported before:
    nobody but whoever keeps that file can remove them. Read as a trail, it shows them no more once it holds the
    record of the erasure.

    Raises:
        AuditError: the trail cannot be read.
    """
    lines, given = LAYOUTS[layout], set[str]()
    if lines.head:
        yield lines.head
    while True:
        for record in trail.records(after):
            digest = _cited(record)
            wording = trail.wording(digest) if digest and digest not in given else None
            if wording is not None:
                given.add(digest)
                yield lines.wording(digest, wording.content)
            yield lines.record(record)
            after = record.seq
        if idle is None:
            return
        idle()


def _cited(record: Record) -> str:
    """The digest of the constitution that a record was judged under; empty where the trail was to keep none."""
    cited = told(record.body).get("constitution")
    return str(cited.get("digest", "")) if isinstance(cited, dict) and cited.get("stored") is True else ""
