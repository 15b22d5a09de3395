"""A rule as somebody else wrote it, read from their file."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from guardrails.errors import Problem

_TITLE = 60
_TITLE_JA = 30
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Foreign:
    """A rule, or a pair of instructions to criticise and to revise a reply; in their own words.

    `key` is what the file calls it, `line` where it begins. `severity` is empty where the file says none.
    `group` is the heading it stands under. `cite` is what it rests on, `note` what a reader should know of that.
    """

    key: str
    line: int
    title: str = ""
    rule: str = ""
    critique: str = ""
    revision: str = ""
    severity: str = ""
    cite: str = ""
    note: str = ""
    group: str = ""
    owner: str = ""
    jurisdictions: tuple[str, ...] = ()


@dataclass(slots=True)
class Reading:
    """What is found in a file as it is read: rules, what could not be read, and what the file is called."""

    file: str
    rules: list[Foreign] = field(default_factory=list)
    unread: list[Problem] = field(default_factory=list)
    title: str = ""

    def miss(self, line: int, message: str, advice: str = "") -> None:
        """Note that something at a line could not be read."""
        self.unread.append(Problem(self.file, line, 1, message, advice))


Reader = Callable[[str, Reading], None]
"""Reads a file's text into a reading.

Raises:
    ConfigurationError: the file as a whole is not of the format.
"""


def is_japanese(text: str) -> bool:
    """Whether a text holds kana or ideographs. A short title may well have no kana."""
    return bool(_IDEOGRAPH.search(text))


def shown(text: str, length: int = 60) -> str:
    """The beginning of a text, on one line.

    >>> shown("Never promise  that a fee is waived.", 20)
    'Never promise that…'
    """
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    return line[:length].rpartition(" ")[0].rstrip(" ,;:.") + "…" if " " in line[:length] else line[:length] + "…"


def first_words(rule: str) -> str:
    """A title for a rule that has none: its first words."""
    return shown(rule, _TITLE_JA if is_japanese(rule) else _TITLE)
