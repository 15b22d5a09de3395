"""What people see in a terminal: texts made harmless, drafts as sentence diffs, outcomes in a few lines.

Used by the commands. Texts of an exchange are hostile: control and invisible characters are shown as
their code points, and nothing in them is read as markup.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from guardrails.outcome import Attempt, Outcome, Status
from guardrails.sentences import changes, split
from guardrails.verdict import Decision, Verdict

COLOURS = {Status.PASSED: "green", Status.REVISED: "yellow", Status.BLOCKED: "red"}
_DECISIONS = {Decision.VIOLATES: "red", Decision.UNDECIDED: "magenta", Decision.COMPLIES: "green"}
_WORDS = re.compile(r"\s+|[A-Za-z0-9'’%.,$€£¥-]+|.", re.DOTALL)
_MARGIN = 6
_PIPED = 200


def console() -> Console:
    """Standard output; lines are folded only where somebody looks at them."""
    seen = sys.stdout.isatty()
    return Console(
        file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=not seen, width=None if seen else _PIPED
    )


def visible(text: str) -> str:
    r"""A text with its control, invisible and unpaired characters shown as code points.

    >>> visible("safe\x1b[2K\u202e")
    'safe<U+001B>[2K<U+202E>'
    """
    return "".join(c if _is_plain(c) else f"<U+{ord(c):04X}>" for c in text)


def put(out: Console, lines: Iterable[Text]) -> None:
    """Print lines; what is folded goes on below its own beginning, not below the margin."""
    for line in lines:
        if not out.is_terminal:
            out.print(line)
            continue
        margin, text = line[:_MARGIN], line[_MARGIN:]
        folded = text.wrap(out, max(out.width - _MARGIN, _MARGIN))
        out.print(margin + Text("\n" + " " * _MARGIN).join(folded))


def diff(before: str, after: str, first: int = 1) -> Iterator[Text]:
    """Two drafts, sentence by sentence: what stayed, what went (-), what came (+).

    The numbers are those of the draft before, which begins with sentence `first`.
    """
    old, new = split(before), split(after)
    shown = 0
    for i1, i2, j1, j2 in [*changes(old, new), (len(old), len(old), len(new), len(new))]:
        for number in range(shown, i1):
            yield _line(number + first, " ", Text(_shown(old[number])), "")
        shown = i2
        gone, come = "".join(old[i1:i2]), "".join(new[j1:j2])
        left, right = _word_diff(_shown(gone), _shown(come))
        if gone:
            yield _line(i1 + first, "-", left, "red")
        if come:
            yield _line(None, "+", right, "green")


def headline(outcome: Outcome) -> Text:
    """An outcome in one line: `revised (13 of 16 unjudged)  finance 1.0.0`."""
    line = Text(outcome.status.value, style=f"bold {COLOURS[outcome.status]}")
    if outcome.blocked and outcome.cause:
        line.append(f" ({outcome.cause.value})")
    if outcome.unjudged:
        judged = {verdict.principle for verdict in outcome.verdicts}
        line.append(f" ({len(outcome.unjudged)} of {len(judged | set(outcome.unjudged))} unjudged)")
    if not outcome.enforced:
        line.append(" (monitor mode: the original was released)")
    constitution = outcome.constitution
    return line.append(f"  {constitution.name} {constitution.version}", style="dim")


def findings(attempt: Attempt) -> Iterator[Text]:
    """What is wrong with a draft, one line a finding; what is said of several principles alike, once."""
    alike: dict[tuple[Any, ...], list[Verdict]] = {}
    for verdict in attempt.verdicts:
        if verdict.decision is not Decision.COMPLIES or verdict.critique:
            key = (verdict.decision, verdict.judge, verdict.critique, verdict.reason, verdict.sentences)
            alike.setdefault(key, []).append(verdict)
    for verdicts in alike.values():
        yield _finding(verdicts)
    if attempt.problem:
        yield Text(" " * _MARGIN).append(f"not revised: {visible(attempt.problem)}", style="dim")


def _finding(verdicts: Sequence[Verdict]) -> Text:
    verdict = verdicts[0]
    where = f"sentence {', '.join(map(str, verdict.sentences))}" if verdict.sentences else "reply"
    line = Text(" " * _MARGIN).append(verdict.decision.value, style=_DECISIONS[verdict.decision])
    line.append(f" {', '.join(v.principle for v in verdicts)}", style="bold").append(f"; {where}, by {verdict.judge}")
    if verdict.confidence is not None and verdict.judge != "rules":
        line.append(f" ({verdict.confidence}%)")
    reason = verdict.reason.removeprefix(f"{verdict.judge}: ")  # the line names the judge already
    said = "; ".join(filter(None, (verdict.critique, reason)))
    return line.append(f": {visible(said)}" if said else "")


def _is_plain(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def _shown(sentence: str) -> str:
    return visible(sentence.strip("\n")).rstrip()


def _line(number: int | None, mark: str, text: Text, colour: str) -> Text:
    shown = "" if number is None else str(number)
    prefix = Text(f"{shown:>3} {mark} ", style=colour or "dim")
    lines = text.split("\n", allow_blank=True)
    return prefix + Text("\n" + " " * _MARGIN).join(lines)


def _word_diff(before: str, after: str) -> tuple[Text, Text]:
    left, right = Text(style="red"), Text(style="green")
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    i, j = 0, 0
    for i1, i2, j1, j2 in changes(old, new):
        left.append("".join(old[i:i1])).append("".join(old[i1:i2]), style="bold reverse")
        right.append("".join(new[j:j1])).append("".join(new[j1:j2]), style="bold reverse")
        i, j = i2, j2
    return left.append("".join(old[i:])), right.append("".join(new[j:]))


def not_judged(outcome: Outcome) -> str:
    """The principles that nobody decided in the end; a rule that was mended is silent and decides nothing."""
    spoken = {verdict.principle for attempt in outcome.attempts for verdict in attempt.verdicts}
    mended = [f"{name} (its rule has no further objection)" for name in outcome.unjudged if name in spoken]
    return ", ".join([*mended, *(name for name in outcome.unjudged if name not in spoken)])
