"""Findings that an author has seen and allows, by a comment on their own line."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from guardrails.authoring.lint._rule import Finding

_COMMENT = re.compile(r"(?:^|\s)#\s*lint:\s*allow\s+([\w-]+(?:\s*,\s*[\w-]+)*)")

_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # those of YAML 1.1, by which the parser counts


class Allowed:
    """What the comments `# lint: allow NAME, CODE` in files allow; each file is read once."""

    def __init__(self) -> None:
        self._lines = cache(_lines)

    def hides(self, finding: Finding) -> bool:
        """Whether the finding's own line allows it."""
        line = self._lines(finding.problem.file).get(finding.problem.line, frozenset())
        return bool({finding.code.lower(), finding.name} & line)


def _lines(file: str) -> dict[int, frozenset[str]]:
    """The codes and names that the lines of a file allow."""
    try:
        with Path(file).open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            text = stream.read()
    except OSError:  # the constitution was loaded before, and the file is gone
        return {}
    found = {}
    for number, line in enumerate(_LINE_END.split(text), 1):
        match = _COMMENT.search(line)
        if match:
            found[number] = frozenset(word.strip().lower() for word in match[1].split(","))
    return found
