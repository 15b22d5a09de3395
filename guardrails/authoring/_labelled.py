"""Labelled replies of a team's own: a JSON Lines file, a reply a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from guardrails.authoring._cases import Case, Label
from guardrails.constitution import Constitution, did_you_mean
from guardrails.errors import ConstitutionError, Problem
from guardrails.exchange import Exchange

_FORM = 'Write {"prompt": …, "reply": …, "violates": ["principle-id"], "complies": ["another-id"]}.'
_KEYS = frozenset({"reply", "prompt", "messages", "context", "violates", "complies", "note", "revised"})
_EVERY = "*"


def labelled(file: str | PathLike[str], constitution: Constitution) -> tuple[Case, ...]:
    """The cases of a file that are about principles of a constitution; the others are left out.

    A team has one file for several constitutions. `complies: "*"` says that a reply keeps every principle that it
    is not said to break. A row's `note` marks a complying reply as a near miss, as in a constitution.

    Raises:
        ConstitutionError: every line that cannot be used, with its number.
    """
    path, problems, cases = Path(file), [], []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConstitutionError([Problem(str(path), 0, 0, f"cannot be read: {error.strerror}.")]) from None
    except UnicodeDecodeError as error:
        raise ConstitutionError(
            [Problem(str(path), 0, 0, f"not UTF-8 (byte {error.start}).", "Save it as UTF-8.")]
        ) from None
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: JSON strings may hold U+2028
        if not line.strip():
            continue
        try:
            case = _case(json.loads(line), constitution, str(path), number)
        except (ValueError, TypeError, RecursionError) as error:
            problems.append(Problem(str(path), number, 1, f"{error}.", _FORM))
        else:
            cases.extend([case] if case.labels else [])
    if problems:
        raise ConstitutionError(problems)
    return tuple(cases)


def _case(row: Any, constitution: Constitution, file: str, line: int) -> Case:
    if not isinstance(row, dict):
        raise TypeError("not a JSON object")
    unknown = next((key for key in row if key not in _KEYS), None)
    if unknown is not None:
        raise ValueError(f"unknown key {unknown!r}; {did_you_mean(unknown, _KEYS).rstrip('.')}")
    reply, note, revised = row.get("reply"), row.get("note", ""), row.get("revised", "")
    if not isinstance(reply, str) or not reply.strip():
        raise TypeError('"reply" is missing')
    if not isinstance(note, str) or not isinstance(revised, str):
        raise TypeError('"note" and "revised" are texts')
    exchange = Exchange(row.get("messages") or row.get("prompt") or (), reply, row.get("context") or ())
    labels = tuple(_labels(row, constitution, near_miss=bool(note)))
    return Case(f"{Path(file).name} line {line}", exchange, labels, revised, note, file, line)


def _labels(row: dict[str, Any], constitution: Constitution, *, near_miss: bool) -> Iterator[Label]:
    violates, complies = _ids(row, "violates"), _ids(row, "complies")
    if not violates and not complies:
        raise ValueError('neither "violates" nor "complies" names a principle')
    both = sorted(set(violates) & set(complies))
    if both:
        raise ValueError(f"{both[0]!r} stands on both sides")
    if _EVERY in violates:
        raise ValueError('"violates" names principles: no reply breaks all of them')
    if _EVERY in complies:
        complies = [name for name in constitution.by_id if name not in violates]
    for name in violates:
        if name in constitution.by_id:
            yield Label(name, violates=True)
    for name in complies:
        if name in constitution.by_id:
            yield Label(name, violates=False, near_miss=near_miss)


def _ids(row: dict[str, Any], side: str) -> list[str]:
    value = row.get(side, [])
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise TypeError(f'"{side}" is a list of ids of principles')
    return list(dict.fromkeys(listed))
