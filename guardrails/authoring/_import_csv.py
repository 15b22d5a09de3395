"""Tables of rules in CSV, a rule a row; the header says which column is what, in English or Japanese."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from guardrails.authoring._import_rule import Foreign, Reading, first_words, shown
from guardrails.errors import ConfigurationError

COLUMNS: Mapping[str, frozenset[str]] = {
    "rule": frozenset(
        {"rule", "text", "principle", "requirement", "policy", "statement", "要件", "規則", "ルール", "原則", "内容"}
    ),
    "key": frozenset({"id", "key", "code", "no", "number", "ref", "番号", "項番", "管理番号"}),
    "title": frozenset({"title", "name", "heading", "subject", "件名", "見出し", "タイトル", "題名", "名称", "項目"}),
    "severity": frozenset({"severity", "priority", "risk", "level", "重要度", "深刻度", "優先度"}),
    "cite": frozenset(
        {"authority", "source", "law", "citation", "cite", "reference", "basis", "根拠", "出典", "法令", "根拠法令"}
    ),
    "critique": frozenset({"critique", "critiquerequest", "howtojudge", "判定方法", "着眼点"}),
    "revision": frozenset({"revision", "revisionrequest", "fix", "howtomend", "修正方法", "対応"}),
    "owner": frozenset({"owner", "responsible", "team", "department", "担当", "担当部署", "所管"}),
    "jurisdictions": frozenset({"jurisdiction", "jurisdictions", "country", "region", "法域", "国", "地域"}),
    "note": frozenset({"note", "notes", "comment", "comments", "remarks", "備考", "注記"}),
}
_READ = "rule, id, title, severity, authority, critique, revision, owner, jurisdiction, note"
_SEVERITIES = {
    "critical": "critical",
    "high": "high",
    "medium": "medium",
    "low": "low",
    "重大": "critical",
    "高": "high",
    "中": "medium",
    "低": "low",
}


def read_csv(text: str, reading: Reading) -> None:
    """Read a table with a header; commas, semicolons or tabs part its columns.

    Raises:
        ConfigurationError: no column is called rule, text, principle, 要件 or the like.
    """
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    end = 0
    fields: list[str] | None = None
    try:
        for row in rows:
            line, end = end + 1, rows.line_num
            if not any(cell.strip() for cell in row):
                continue
            if fields is None:
                fields = _fields(row, line, reading)
            else:
                _read_row(row, fields, line, reading)
    except csv.Error as error:
        advice = "Quotation marks are not closed, or a quotation mark inside a text is not doubled."
        reading.miss(end + 1, f"not CSV from here on: {error}.", advice)
    if fields is None:
        raise ConfigurationError(f"{reading.file}: the table is empty.")


def _delimiter(text: str) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)


def _fields(header: Sequence[str], line: int, reading: Reading) -> list[str]:
    """What each column is; empty for one that is not read."""
    fields: list[str] = []
    for cell in header:
        word = re.sub(r"[\s_-]", "", unicodedata.normalize("NFKC", cell).casefold())
        field = next((name for name, words in COLUMNS.items() if word in words), "")
        if field in fields:
            field = ""
        if not field:
            reading.miss(line, f"the column “{shown(cell)}” is not read.", f"Columns that are: {_READ}.")
        fields.append(field)
    if "rule" not in fields and "critique" not in fields:
        names = ", ".join(f"“{shown(cell, 30)}”" for cell in header)
        words = ", ".join(sorted(COLUMNS["rule"]))
        raise ConfigurationError(
            f"{reading.file}:{line}: no column holds the rules: there is {names}. Call one of them {words}."
        )
    return fields


def _read_row(row: Sequence[str], fields: Sequence[str], line: int, reading: Reading) -> None:
    cells = {field: cell.strip() for field, cell in zip(fields, row, strict=False) if field}
    if len(row) > len(fields):
        reading.miss(line, f"{len(row)} cells under {len(fields)} columns; the last are not read.")
    text = cells.get("rule") or cells.get("critique", "")
    if not text:
        reading.miss(line, "a row without a rule.", "Fill in the rule, or remove the row.")
        return
    severity = unicodedata.normalize("NFKC", cells.get("severity", "")).casefold()
    if severity and severity not in _SEVERITIES:
        advice = f"One of {', '.join(_SEVERITIES)} is."
        reading.miss(line, f"the severity “{shown(cells['severity'])}” is not known.", advice)
    jurisdictions = re.split(r"[,;/、\n]", cells.get("jurisdictions", ""))
    reading.rules.append(
        Foreign(
            cells.get("key") or f"line {line}",
            line,
            cells.get("title") or first_words(text),
            rule=cells.get("rule", ""),
            critique=cells.get("critique", ""),
            revision=cells.get("revision", ""),
            severity=_SEVERITIES.get(severity, ""),
            cite=cells.get("cite") or f"{PurePath(reading.file).name}, line {line}",
            note=cells.get("note", ""),
            owner=cells.get("owner", ""),
            jurisdictions=tuple(one.strip() for one in jurisdictions if one.strip()),
        )
    )
