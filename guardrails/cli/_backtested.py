"""What came of a backtest, in a terminal: the bottom line, a table of the principles, some of the texts."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from guardrails._visible import visible
from guardrails.audit import Act
from guardrails.authoring._backtest import Backtest
from guardrails.authoring._backtest_changes import Change, Kind
from guardrails.authoring._backtest_tally import SHOWN, Compared, Instance
from guardrails.cli._counted import counted
from guardrails.cli._print import put
from guardrails.sentences import split

_LEFT_OUT = {
    "erased": "erased",
    "commitments": "without texts (redaction=commitments)",
    "interrupted": "of an interrupted stream",
    "no_reply": "without text in the reply (tool calls alone)",
    "untrusted": "altered since they were recorded",
    "budget": "not reached: the budget was used up",
}
_KINDS = {
    Kind.NEWLY: ("newly flagged", "red"),
    Kind.NO_LONGER: ("no longer flagged", "green"),
    Kind.NOT_COMPARABLE: ("not comparable", "yellow"),
    Kind.UNDECIDED: ("undecided", "magenta"),
}
_WHY = {
    "unjudged": "what found it was not asked; rules alone are silent, which decides nothing",
    "masked": "the text was masked before it was stored",
    "": "",
}
_THEN = {"release": "released", "revise": "revised", "block": "stopped", "unknown": "unknown"}
_NOW = {**_THEN, "revise": "to be revised"}
_MOST = 6  # sentences of a reply that is at fault as a whole


def tell(out: Console, found: Backtest, examples: int) -> None:
    """Print it, with so many replies of each principle and kind."""
    _tell_what(out, found)
    _tell_bottom_line(out, found)
    rows = [row for row in found.principles if row.differs or row.then or row.removed]
    if rows:
        out.print()
        out.print(_table(rows, found))
    if len(rows) < len(found.principles):
        others = counted(len(found.principles) - len(rows), "more principle")
        out.print(f"{others}: nothing flagged, then or now", style="dim")
    for row in found.principles:
        for kind in SHOWN if row.differs else ():
            _tell_instances(out, row, kind, examples)


def _tell_what(out: Console, found: Backtest) -> None:
    by = f"the rules and {found.model}" if found.model else "the rules alone"
    out.print(visible(found.called(found.constitution)), style="bold", end="  ")
    against = f"{found.called(found.baseline)}, judged likewise" if found.baseline else "the record"
    judged = f"{counted(found.judged, 'recorded reply', 'recorded replies')} judged by {by}, against {against}"
    out.print(visible(judged), style="dim")
    if found.first and found.last:
        recorded = ", ".join(f"{found.called(one)} ({count:,})" for one, count in found.wordings.items())
        out.print(
            visible(f"{found.first:%Y-%m-%d %H:%M:%S} to {found.last:%Y-%m-%d %H:%M:%S}, under {recorded}"), style="dim"
        )
    if found.sample is not None:
        out.print(f"a sample of {found.judged:,} from {found.usable:,}, seed {found.seed}", style="dim")
    for why, count in found.left_out.items():
        out.print(f"left out: {count:,} {_LEFT_OUT[why]}", style="bold red" if why == "untrusted" else "yellow")
    if found.used_up:
        out.print(f"the budget's {found.used_up} were used up; what follows is of the replies before", style="yellow")
    if found.masked:
        out.print(f"masked before they were stored, and judged as stored: {found.masked:,}", style="yellow")
    for reason, count in found.failures.items():
        out.print(f"not judged to the end: {count:,}: {visible(reason)}", style="bold magenta")
    if found.problem:
        out.print(f"incomplete: {visible(found.problem)}", style="bold red")
    if found.usage.calls:
        calls, tokens = counted(found.usage.calls, "request"), counted(found.usage.input, "token")
        used = f"{calls}, {tokens} in, {found.usage.output:,} out"
        out.print(f"{used}, {found.seconds:.0f} s", style="dim")


def _tell_bottom_line(out: Console, found: Backtest) -> None:
    out.print()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column()
    for count, said, style in (
        (found.newly, "with something newly flagged", "red"),
        (found.no_longer, "with something no longer flagged", "green"),
        (found.newly_stopped, "would newly be stopped", "red"),
        (found.newly_revised, "would newly have to be revised", "red"),
        (found.newly_released, "would now go out as they are", "green"),
        (found.unknown, "cannot be told: what kept them back was not asked again or was masked, or failed", "yellow"),
    ):
        if count or said.startswith(("with", "would newly")):
            table.add_row(Text(f"{count:,}", style=f"bold {style}" if count else ""), _share(found, count), said)
    out.print(table)


def _share(found: Backtest, count: int) -> str:
    """Per cent; with an interval where not everything was judged."""
    share = found.share(count)
    if share.value is None:
        return "-"
    low, high = share.interval
    return f"{share.value:.1%}" + (f" ({100 * low:.1f}-{100 * high:.1f})" if found.is_partial else "")


def _table(rows: list[Compared], found: Backtest) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    table.add_column("principle", overflow="fold")
    for name in ("then", "now", "newly", "no\nlonger", "not\ncomparable", "undecided"):
        table.add_column(name, justify="right")
    for row in rows:
        named = Text(visible(row.principle)).append(_mark(row, found), style="dim")
        table.add_row(named, f"{row.then:,}", f"{row.now:,}", *_counts(row))
    return table


def _counts(row: Compared) -> Iterator[Text]:
    counts = (row.newly, row.no_longer, row.not_comparable, row.undecided)
    for count, (_, style) in zip(counts, _KINDS.values(), strict=True):
        yield Text(f"{count:,}", style=f"bold {style}" if count else "dim")


def _mark(row: Compared, found: Backtest) -> str:
    if row.removed:
        return " (removed)"
    if row.absent == found.judged:
        return " (new)"
    return f" (new for {row.absent:,})" if row.absent else ""


def _tell_instances(out: Console, row: Compared, kind: Kind, examples: int) -> None:
    instances, (said, style) = row.instances[kind][:examples], _KINDS[kind]
    if not instances:
        return
    out.print()
    out.print(Text(visible(row.principle), style="bold").append(f"  {said} ({row.count(kind):,})", style=style))
    if row.title:
        out.print(visible(row.title), style="dim")
    for instance in instances:
        _tell_instance(out, instance)


def _tell_instance(out: Console, one: Instance) -> None:
    head = Text().append(f"  {visible(one.run_id)}  {one.time:%Y-%m-%d %H:%M:%S}  ", style="dim")
    head.append(_THEN[one.then] if one.then == one.now else f"{_THEN[one.then]} -> {_NOW[one.now]}")
    head.append("  (masked)" if one.masked else "", style="yellow")
    head.append(f"  and {one.repeats:,} more that say the same" if one.repeats else "", style="dim")
    out.print(head)
    put(out, _sentences(one))
    put(out, _said(one.change))
    for act in one.decisions:
        out.print(visible(_decision(act)), style="cyan")


def _sentences(one: Instance) -> Iterator[Text]:
    """The sentences at fault; where none is, the beginning of the reply."""
    sentences = split(one.reply)
    cited = {number for verdict in one.change.verdicts for number in verdict.sentences}
    if one.masked and one.change.then:
        cited = set()  # they are numbered as before masking
    shown = [(n, text) for n, text in enumerate(sentences, 1) if n in cited] or list(enumerate(sentences, 1))[:_MOST]
    for number, text in shown:
        yield Text().append(f"{number:>5} ", style="dim").append(visible(text.strip()))
    if not cited and len(sentences) > _MOST:
        yield Text("      …")


def _said(change: Change) -> Iterator[Text]:
    for verdict in change.verdicts:
        confidence = f" ({verdict.confidence}%)" if verdict.confidence is not None and verdict.judge != "rules" else ""
        said = "; ".join(filter(None, (verdict.critique, verdict.reason)))
        yield Text("      ").append(visible(f"{verdict.judge}{confidence}: {said}"), style="dim")
    for reason in filter(None, (change.reason, _WHY[change.why])):
        yield Text("      ").append(visible(f"now: {reason}"), style="dim")


def _decision(act: Act) -> str:
    """What a person said about the outcome of then."""
    said = f"      {'agreed' if act.agrees else 'overruled'} by {act.by or '(erased)'}"
    return f"{said}: {act.reason}" if act.reason else said
