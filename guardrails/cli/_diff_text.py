"""A comparison as people read it: what it comes to, then principle by principle, wording side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from guardrails._differences import Line, differences
from guardrails._visible import visible
from guardrails.authoring._compare import ChangedPrinciple, Comparison, Kind
from guardrails.authoring._compare_change import Change
from guardrails.cli._counted import counted
from guardrails.cli._diff_words import is_text, label, told
from guardrails.constitution import Principle, text_in

_WIDE = 100
"""Columns from which on two texts stand side by side."""
_INDENT = 2
_DIRECTION = 10
_GAP = 3
_COLOURS = {"looser": "bold yellow", "stricter": "cyan", "changed": "dim"}
_KINDS: dict[Kind, str] = {
    "added": "green",
    "removed": "red",
    "stricter": "cyan",
    "looser": "bold yellow",
    "mixed": "bold yellow",
    "reworded": "magenta",
    "renamed": "dim",
    "changed": "dim",
}
_SAID: dict[Kind, str] = {"mixed": "stricter and looser", "changed": "otherwise changed"}
_MARKS = {"same": ("  ", "dim"), "gone": ("- ", "red"), "come": ("+ ", "green")}


def tell(out: Console, found: Comparison) -> None:
    """Print a comparison."""
    out.print(_headline(found))
    for mark, version, style in (("-", found.old, "red"), ("+", found.new, "green")):
        line = Text().append(visible(f"{mark} {version.name} {version.version}"), style=style)
        out.print(line.append(f"  {visible(version.label)}, sha256 {version.digest}", style="dim"))
    if found.is_uncounted:
        out.print(Text(visible(f"both say version {found.new.version}: count it up"), style="bold yellow"))
    if found.changes:
        out.print(Text("\nthe constitution", style="bold"))
        _changes(out, found.changes)
    for principle in found.principles:
        out.print()
        _principle(out, principle)


def _headline(found: Comparison) -> Text:
    if not found:
        return Text("no difference in meaning", style="bold green")
    parts = []
    for number, (kind, count) in enumerate(found.counts.items()):
        said = str(count) if number else counted(count, "principle")
        parts.append(f"{said} {_SAID.get(kind, kind)}")
    if found.changes:
        parts.append(f"{counted(len(found.changes), 'change')} of the constitution itself")
    return Text(", ".join(parts), style="bold")


def _principle(out: Console, one: ChangedPrinciple) -> None:
    said = _SAID.get(one.kind, one.kind)
    if one.is_reworded and one.kind != "reworded":
        said += ", reworded"
    line = Text().append(visible(one.id), style="bold").append(f"  {said}", style=_KINDS[one.kind])
    if one.was:
        line.append(visible(f"  (was {one.was})"), style="dim")
    out.print(line)
    if one.before and one.after:
        _changes(out, [change for change in one.changes if change.key != "id"])
        return
    whole = one.before or one.after
    assert whole is not None
    for text in _whole(whole):
        _put(out, text)


def _whole(principle: Principle) -> Iterator[Text]:
    """A principle that came or went, in a few lines."""
    where = ", ".join(principle.jurisdictions) or "everywhere"
    counts = f"{counted(len(principle.checks), 'check')}, {counted(len(principle.examples), 'example')}"
    particulars = f"{principle.severity}; {principle.on_violation} on violation; {visible(where)}; {counts}"
    yield Text(particulars, style="dim")
    for language in principle.rule:
        title = text_in(principle.title, language)
        yield Text(visible(f"{title}: {principle.rule[language]}"))


def _changes(out: Console, changes: Sequence[Change]) -> None:
    """Print the changes, those to look at first: looser, stricter, then the rest."""
    for change in sorted(changes, key=lambda one: list(_COLOURS).index(one.direction)):
        direction = "" if change.direction == "changed" else change.direction
        line = Text().append(f"{direction:<{_DIRECTION}}", style=_COLOURS[change.direction])
        line.append(visible(label(change)), style="" if direction else "dim")
        if is_text(change):
            _put(out, line, _DIRECTION)
            _both(out, change.before or "", change.after or "")
        else:
            _put(out, line.append(": ", style="" if direction else "dim").append(visible(told(change))), _DIRECTION)


def _put(out: Console, text: Text, hang: int = 0) -> None:
    """Print below the margin; what is folded goes on below its own beginning."""
    margin, body = text[:hang], text[hang:]
    width = max(out.width - _INDENT - hang, _DIRECTION)
    lines = body.wrap(out, width) if out.is_terminal else body.split("\n", allow_blank=True)
    out.print(Text(" " * _INDENT) + margin + Text("\n" + " " * (_INDENT + hang)).join(lines))


def _both(out: Console, before: str, after: str) -> None:
    """Two texts: side by side where there is room, else one above the other."""
    lines = list(differences(before, after))
    if all(line.mark == "same" for line in lines):
        _put(out, Text(" " * _DIRECTION + "only white space differs", style="dim"), _DIRECTION)
    elif out.is_terminal and out.width >= _WIDE and before and after:
        _beside(out, lines)
    else:
        for line in lines:
            _put(out, Text(" " * _DIRECTION) + _marked(line), _DIRECTION + len(_MARKS["same"][0]))


def _beside(out: Console, lines: Iterable[Line]) -> None:
    width = (out.width - _INDENT - _DIRECTION - _GAP) // 2
    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_column(width=width, overflow="fold")
    table.add_column(width=width, overflow="fold")
    for is_same, block in groupby(lines, key=lambda line: line.mark == "same"):
        found = list(block)
        gone, come = ([line for line in found if is_same or line.mark == mark] for mark in ("gone", "come"))
        for left, right in zip_longest(gone, come):
            table.add_row(*(Text() if line is None else _marked(line) for line in (left, right)))
    out.print(Padding(table, (0, 0, 0, _INDENT + _DIRECTION), expand=False))


def _marked(line: Line) -> Text:
    mark, colour = _MARKS[line.mark]
    text = Text(mark, style=colour)
    for piece, is_changed in line.pieces:
        text.append(visible(piece), style="bold reverse" if is_changed and len(line.pieces) > 1 else None)
    return text
