"""What people see in a terminal: texts made harmless, drafts as sentence diffs, outcomes in a few lines.

Used by the commands. Texts of an exchange are hostile: control and invisible characters are shown as
their code points, and nothing in them is read as markup.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from guardrails._differences import differences
from guardrails._visible import visible
from guardrails.outcome import Attempt, Outcome, Status
from guardrails.verdict import Decision, Verdict, alike

COLOURS = {Status.PASSED: "green", Status.REVISED: "yellow", Status.BLOCKED: "red"}
_DECISIONS = {Decision.VIOLATES: "red", Decision.UNDECIDED: "magenta", Decision.COMPLIES: "green"}
_MARKS = {"same": (" ", ""), "gone": ("-", "red"), "come": ("+", "green")}
_MARGIN = 6
_PIPED = 200


def console() -> Console:
    """Standard output; lines are folded only where somebody looks at them."""
    seen = sys.stdout.isatty()
    return Console(
        file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=not seen, width=None if seen else _PIPED
    )


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
    for line in differences(before, after, first):
        mark, colour = _MARKS[line.mark]
        text = Text(style=colour)
        for piece, is_changed in line.pieces:
            text.append(visible(piece), style="bold reverse" if is_changed and len(line.pieces) > 1 else None)
        yield _line(line.before, mark, text, colour)


def headline(outcome: Outcome) -> Text:
    """An outcome in one line: `revised (13 of 16 unjudged)  finance 1.1.0`."""
    line = Text(outcome.status.value, style=f"bold {COLOURS[outcome.status]}")
    if outcome.blocked and outcome.cause:
        line.append(f" ({outcome.cause.value})")
    if outcome.unjudged:
        judged = {verdict.principle for verdict in outcome.verdicts}
        line.append(f" ({len(outcome.unjudged)} of {len(judged | set(outcome.unjudged))} unjudged)")
    if not outcome.enforced:
        line.append(" (monitor mode: the original was released)")
    constitution = outcome.constitution
    return line.append(f"  {visible(constitution.name)} {visible(constitution.version)}", style="dim")


def findings(attempt: Attempt) -> Iterator[Text]:
    """What is wrong with a draft, one line a finding; what is said of several principles alike, once."""
    for verdicts in alike(attempt.verdicts):
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


def _line(number: int | None, mark: str, text: Text, colour: str) -> Text:
    shown = "" if number is None else str(number)
    prefix = Text(f"{shown:>3} {mark} ", style=colour or "dim")
    lines = text.split("\n", allow_blank=True)
    return prefix + Text("\n" + " " * _MARGIN).join(lines)


def not_judged(outcome: Outcome) -> str:
    """The principles that nobody decided in the end; a rule that was mended is silent and decides nothing."""
    spoken = {verdict.principle for attempt in outcome.attempts for verdict in attempt.verdicts}
    mended = [f"{name} (its rule has no further objection)" for name in outcome.unjudged if name in spoken]
    return ", ".join([*mended, *(name for name in outcome.unjudged if name not in spoken)])
