"""A record as a row of a spreadsheet, and back: columns for people, and at the end what `verify` checks."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from guardrails._visible import visible
from guardrails.audit._lines import WORDING, Line, made, packed, told
from guardrails.audit._record import strings
from guardrails.audit._wording import Wording

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from guardrails.audit._store import Record

_SHOWN = (
    *("time_utc", "run", "kind", "status", "cause", "constitution", "version", "principles", "labels", "prompt"),
    *("original", "released", "critiques", "judges", "seconds", "by", "reason"),
)
_COLUMNS = (*_SHOWN, "seq", "hash", "body", "texts")

_BREAK = re.compile("\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
_AT_FAULT = {"violates", "undecided"}


class Csv:
    r"""CSV (RFC 4180), a line a record, in UTF-8 with a byte order mark, without which Excel would not read Japanese.

    The last four columns, `seq`, `hash`, `body` and `texts` (JSON), are the record, byte for byte. Those before them
    are for people, read from it: line breaks are shown as ↵, and a cell that a spreadsheet would run, because it
    begins with = + - @ or a look-alike, gets an apostrophe first (OWASP, CSV injection). `verify` finds a difference
    between the two, so a file that a spreadsheet saved again no longer verifies. A constitution has a row of the kind
    `constitution`, with its digest as `hash` and its content as `body`.

    >>> shown("=SUM(A1)"), shown("two\nlines")
    ("'=SUM(A1)", 'two ↵ lines')
    """

    head = "\ufeff" + ",".join(_COLUMNS) + "\r\n"

    def record(self, record: Record) -> str:
        """The row of a record."""
        return _row(_cells(record))

    def wording(self, digest: str, content: bytes) -> str:
        """The row of a constitution."""
        return _row(_wording_cells(digest, content.decode("utf-8", "replace")))

    def read(self, line: bytes) -> Line:
        """What a row holds; nothing for the head. Nothing is raised: a row that was damaged has a `problem`."""
        try:
            text = line.decode("utf-8-sig")
            if len(text) > csv.field_size_limit():  # one for the whole process, and 128 KiB unless somebody says more
                csv.field_size_limit(len(text))
            (cells,) = csv.reader([text], strict=True)
            if tuple(cells) == _COLUMNS:
                return Line()
            row = dict(zip(_COLUMNS, cells, strict=True))
            seq, link, body, texts = (_plain(row[column]) for column in _COLUMNS[len(_SHOWN) :])
            if row["kind"] == WORDING:
                wrong = cells != _wording_cells(link, body)
                return Line(digest=link, content=body.encode(), problem=_DIFFERS if wrong else "")
            record = made(int(seq), body.encode(), link, json.loads(texts))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, csv.Error):
            return Line(problem="its row cannot be read: it was altered, or cut off")
        return Line(record, problem=_DIFFERS if cells != _cells(record) else "")


_DIFFERS = "its row shows something else than its body and texts say"


def shown(text: str) -> str:
    """A text as a cell that a spreadsheet shows on one line, and does not run."""
    line = visible(_BREAK.sub(" ↵ ", text).replace("\t", " "))
    return "'" + line if _would_run(text) else line


def _exact(text: str) -> str:
    """A cell that comes back byte for byte; what this library wrote needs nothing before it."""
    return "'" + text if text.startswith("'") or _would_run(text) else text


def _plain(cell: str) -> str:
    return cell.removeprefix("'")


def _would_run(text: str) -> bool:
    """Whether a cell begins with = + - @, in any width, after whatever a spreadsheet passes over."""
    first = next((char for char in text if not char.isspace() and unicodedata.category(char) not in {"Cc", "Cf"}), "")
    return unicodedata.normalize("NFKC", first) in {"=", "+", "-", "@", "−"} or text.startswith(("\t", "\r", "\n"))


def _row(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()


def _cells(record: Record) -> list[str]:
    fields = told(record.body)
    try:
        cells = _shown_cells(fields, strings(fields["same"], record.texts))
    # Anything may stand in a body that somebody altered; it is exported all the same.
    except (ValueError, LookupError, TypeError, AttributeError):
        cells = {}
    body, texts = record.body.decode("utf-8", "replace"), json.dumps(packed(record.texts), separators=(",", ":"))
    parts = [str(record.seq), record.hash, body]
    return [*(shown(str(cells.get(column, ""))) for column in _SHOWN), *map(_exact, parts), texts]


def _wording_cells(digest: str, content: str) -> list[str]:
    wording = Wording.read(content.encode(), digest)
    cells = {"kind": WORDING, "constitution": wording.name, "version": wording.version}
    return [*(shown(cells.get(column, "")) for column in _SHOWN), "", _exact(digest), _exact(content), ""]


def _shown_cells(fields: Mapping[str, Any], said: Mapping[str, str]) -> dict[str, str]:
    wording, labels = fields.get("constitution") or {}, fields.get("labels", ())
    messages = fields.get("messages", ())
    asked = [said.get(f"messages/{n}", "") for n, role in enumerate(messages) if role == "user"]
    verdicts = list(_verdicts(fields, said))
    held = {fields["label"]: said.get("value", "")} if "label" in fields else {}
    values = {name: said.get(f"labels/{n}", "") for n, name in enumerate(labels)} | held
    return {
        "time_utc": fields["time"][:19].replace("T", " "),
        "run": fields.get("run") or "",
        "kind": fields["kind"],
        "status": fields.get("status") or _DECIDED.get(str(fields.get("agrees")), ""),
        "cause": fields.get("cause") or "",
        "constitution": wording.get("name", ""),
        "version": wording.get("version", ""),
        "principles": "; ".join(dict.fromkeys(found["principle"] for found, _ in verdicts)),
        "labels": "; ".join(f"{name}={value}" if value else name for name, value in values.items()),
        "prompt": asked[-1] if asked else "",
        "original": said.get("original", ""),
        "released": _released(fields, said),
        "critiques": "; ".join(dict.fromkeys(f"{found['principle']}: {text}" for found, text in verdicts if text)),
        "judges": "; ".join(worker["model"] or worker["name"] for worker in fields.get("judges", ())),
        "seconds": str(fields["elapsed_ms"] / 1000) if "elapsed_ms" in fields else "",
        "by": said.get("by", ""),
        "reason": said.get("reason", ""),
    }


_DECIDED = {"True": "agreed", "False": "overruled"}


def _verdicts(fields: Mapping[str, Any], said: Mapping[str, str]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """What was found wrong in any draft, and why."""
    drafts = [(f"drafts/{n}/verdicts", attempt["verdicts"]) for n, attempt in enumerate(fields.get("attempts", ()))]
    for path, verdicts in (*drafts, ("verdicts", fields.get("verdicts") or ())):
        for number, verdict in enumerate(verdicts):
            if verdict["decision"] in _AT_FAULT:
                why = said.get(f"{path}/critiques/{number}") or said.get(f"{path}/reasons/{number}", "")
                yield verdict, why


def _released(fields: Mapping[str, Any], said: Mapping[str, str]) -> str:
    """What the reader got: a stream that was blocked let something out before its fallback."""
    if not fields.get("enforced", True):
        return said.get("original", "")
    out = said.get("released", "")
    if fields["kind"] == "window":
        return out
    text = said.get("text", "")
    return "\n".join(filter(None, (out, text))) if fields.get("status") == "blocked" else text
