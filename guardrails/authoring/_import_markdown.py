"""Lists of rules in Markdown: an item is a rule, what is indented below it belongs to it, headings are groups."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from guardrails.authoring._import_rule import Foreign, Reading, first_words, is_japanese, shown

_ITEM = re.compile(r"([ \t]*)(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?(.*)")
_EMPTY_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]*")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")
_UNDERLINE = re.compile(r"(=+|-{2,})[ \t]*")
_LINE = re.compile(r" {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})")
_FENCE = re.compile(r"[ \t]*(```+|~~~+)")
_LEAD = re.compile(r"(?:\*\*|__)(.+?)(?:\*\*|__)[ \t]*[:.。:]?[ \t]*(.*)", re.DOTALL)
_BELOW = " / "
_TAB = 4
_MARKER = 2


@dataclass(slots=True)
class _Heading:
    line: int
    level: int
    text: str
    has_rules: bool = False


@dataclass(slots=True)
class _Outline:
    """What has been read so far: the item that is open, the headings above it, lines that belong to nothing."""

    reading: Reading
    above: list[_Heading] = field(default_factory=list)
    headings: list[_Heading] = field(default_factory=list)
    indent: int = 0
    begun: int = 0
    paragraphs: list[list[str]] = field(default_factory=list)
    strays: list[tuple[int, str]] = field(default_factory=list)
    fence: str = ""
    is_apart: bool = False

    def read(self, number: int, line: str) -> None:
        """Take in one line."""
        fence = _FENCE.match(line)
        if self.fence:
            self._go_on(number, line)
            self.fence = "" if fence and fence[1].startswith(self.fence) else self.fence
        elif fence:
            self.fence = fence[1]
            if not self._is_below(line):
                self.close()
            self._go_on(number, line)
        elif not line.strip():
            self.is_apart = True
        elif not (self._heads(number, line) or self._begins(number, line)):
            self._continue(number, line)

    def close(self) -> None:
        """End the item, and name the lines before this one that belong to none."""
        text = "\n".join(map(_joined, self.paragraphs)).strip()
        if text:
            for heading in self.above:
                heading.has_rules = True
            group = _BELOW.join(heading.text for heading in self.above)
            self.reading.rules.append(Foreign(f"line {self.begun}", self.begun, rule=text, group=group))
        elif self.begun:
            self.reading.miss(self.begun, "an empty item.", "Write the rule after the hyphen, or remove it.")
        self.paragraphs, self.begun = [], 0
        if self.strays:
            text = shown(" ".join(line for _, line in self.strays))
            advice = "An item of a list is a rule: put a hyphen before it if it is one."
            self.reading.miss(self.strays[0][0], f"not in a list, and not read: “{text}”", advice)
        self.strays = []

    def _heads(self, number: int, line: str) -> bool:
        heading, underline = _HEADING.fullmatch(line), _UNDERLINE.fullmatch(line)
        if heading:
            self.close()
            self._name(number, _unclosed(heading[2].strip()), len(heading[1]))
        elif underline and len(self.strays) == 1 and not self.is_apart:
            text = self.strays.pop()[1]
            self.close()
            self._name(number - 1, text, 1 if underline[1][0] == "=" else 2)
        elif _LINE.fullmatch(line):
            self.close()
        else:
            return False
        return True

    def _name(self, number: int, text: str, level: int) -> None:
        self.above = [heading for heading in self.above if heading.level < level]
        if level == 1 and not self.reading.title and not self.headings:
            self.reading.title = text
            return
        heading = _Heading(number, level, text)
        self.headings.append(heading)
        self.above.append(heading)

    def _begins(self, number: int, line: str) -> bool:
        item = _ITEM.fullmatch(line) or (_EMPTY_ITEM.fullmatch(line) and re.fullmatch(r"([ \t]*).*?()", line))
        if not item:
            return False
        indent = len(item[1].expandtabs(_TAB))
        if self.begun and indent > self.indent + 1:
            self.paragraphs.append([f"- {item[2].strip()}"])
        else:
            self.close()
            self.begun, self.indent, self.paragraphs = number, indent, [[item[2].strip()]]
        self.is_apart = False
        return True

    def _continue(self, number: int, line: str) -> None:
        if self._is_below(line):
            if self.is_apart:
                self.paragraphs.append([])
            self.paragraphs[-1].append(line.strip())
        else:
            self._stray(number, line.strip())
        self.is_apart = False

    def _is_below(self, line: str) -> bool:
        """Whether a line belongs to the open item: it is indented, or follows at once."""
        return bool(self.begun) and (line[:1] in " \t" or not self.is_apart)

    def _go_on(self, number: int, line: str) -> None:
        """A line of code, as it is but for the item's own indentation."""
        if self.begun:
            margin = self.indent + _MARKER
            self.paragraphs.append([line.rstrip() if line[:margin].strip() else line[margin:].rstrip()])
        else:
            self._stray(number, line.strip())

    def _stray(self, number: int, line: str) -> None:
        if self.begun or self.is_apart:
            self.close()
        self.is_apart = False
        self.strays.append((number, line))


def read_markdown(text: str, reading: Reading) -> None:
    """Read the items of a Markdown file's lists, each as a rule."""
    outline = _Outline(reading)
    for number, line in enumerate(text.split("\n"), 1):
        outline.read(number, line.rstrip("\r"))
    outline.close()
    for heading in outline.headings:
        if not heading.has_rules:
            reading.miss(heading.line, f"no rule stands under the heading “{shown(heading.text)}”.")
    reading.rules[:] = [_titled(rule, PurePath(reading.file).name) for rule in reading.rules]


def _titled(rule: Foreign, file: str) -> Foreign:
    """With a title: what stands in bold before the rule, else its first words, after the heading it stands under."""
    lead = _LEAD.fullmatch(rule.rule)
    text = (lead[2].strip() or lead[1]) if lead else rule.rule
    title = re.sub(r"[\s.:。:]+$", "", lead[1]) if lead else first_words(text)
    under = f"under “{rule.group}”" if rule.group else ""
    group = rule.group.rpartition(_BELOW)[2]
    named = f"{group}: {title}" if group else title
    return replace(rule, title=named, rule=text, cite=f"{file}, line {rule.line}", note=under)


def _joined(lines: Sequence[str]) -> str:
    """The lines of a paragraph as one; Japanese is not parted by spaces."""
    pieces: list[str] = []
    for line in filter(None, lines):
        if pieces and not (is_japanese(pieces[-1][-1]) and not line[0].isascii()):
            pieces.append(" ")
        pieces.append(line)
    return "".join(pieces)


def _unclosed(heading: str) -> str:
    """Without the number signs that may close a heading."""
    bare = heading.rstrip("#")
    return bare.rstrip() if bare[-1:] in {" ", "\t", ""} else heading
