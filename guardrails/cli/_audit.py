"""`guardrails audit`: what an auditor reads."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from guardrails._assemble import DEFAULT_AUDIT, one_of
from guardrails._visible import visible
from guardrails.audit import Act, AuditTrail, Checkpoint, RunSummary
from guardrails.cli._data import print_json
from guardrails.cli._options import (
    Audit,
    Json,
    OfConstitution,
    OfLabel,
    OfPrinciple,
    OfSeverity,
    OfStatus,
    Since,
    Until,
    open_trail,
    where,
)
from guardrails.cli._print import COLOURS, console
from guardrails.cli._story import story_data, tell, tell_wording
from guardrails.errors import AuditError
from guardrails.outcome import Status

_ENOUGH = 18
"""Characters of a run's id that tell it from others: its time, to a quarter of a microsecond."""

app = typer.Typer(help="Read an audit trail: what was said, what was changed, why, under which wording.")

Checkpoints = Annotated[list[Path] | None, typer.Option("--checkpoint", help="A checkpoint that was kept elsewhere.")]
PublicKey = Annotated[Path | None, typer.Option("--key", help="The public key (PEM) that signed the checkpoints.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many runs, newest first.")]


@app.command("list")
def list_runs(
    audit: Audit = DEFAULT_AUDIT,
    limit: Limit = 20,
    status: OfStatus = None,
    principle: OfPrinciple = "",
    severity: OfSeverity = None,
    since: Since = None,
    until: Until = None,
    label: OfLabel = None,
    constitution: OfConstitution = "",
    as_json: Json = False,
) -> None:
    """List the newest runs."""
    wanted = where(status, principle, severity, since, until, label, constitution)
    with open_trail(audit) as trail:
        _list(trail.runs(limit + 1, wanted), limit, as_json=as_json)


@app.command()
def queue(audit: Audit = DEFAULT_AUDIT, limit: Limit = 20, as_json: Json = False) -> None:
    """List the runs that wait for a person's decision: blocked ones, and those with something undecided."""
    with open_trail(audit) as trail:
        _list(trail.queue(limit + 1), limit, nothing="no run waits", as_json=as_json)


@app.command("acts")
def list_acts(audit: Audit = DEFAULT_AUDIT, as_json: Json = False) -> None:
    """List what people did to the trail, oldest first: decisions, erasures, legal holds and their ends."""
    with open_trail(audit) as trail:
        acts = list(trail.acts())
    if as_json:
        print_json(acts)
        return
    for act in acts:
        line = f"{act.seq}  {act.time:%Y-%m-%d %H:%M:%S}  {_told(act)}  by {act.by or '(erased)'}"
        console().print(visible(line + (f": {act.reason}" if act.reason else "")))


@app.command()
def show(
    run: Annotated[str | None, typer.Argument(help="The run's id, or how it begins. Default: the newest run.")] = None,
    wording: Annotated[
        bool, typer.Option("--wording", help="Tell the whole wording that was in force instead, from the trail alone.")
    ] = False,
    language: Annotated[str | None, typer.Option("--language", help="Of the wording: en or ja.")] = None,
    audit: Audit = DEFAULT_AUDIT,
    as_json: Json = False,
) -> None:
    """Tell the story of one run: what was said, what was found, what was changed, what was released.

    Exit code: 2 where the trail was to keep no texts, and there are no drafts to show.
    """
    one_of("language", language, (None, "en", "ja"))
    with open_trail(audit) as trail:
        stored = trail.run(run or _newest(trail))
    language = language or stored.run.exchange.language
    if wording:
        tell_wording(console(), stored, language)
        return
    if as_json:
        print_json(story_data(stored, language))
        return
    tell(console(), stored, trail.url, language)
    if stored.run.redaction == "commitments":
        raise AuditError(
            "the drafts of this run cannot be shown or compared: its guard keeps no texts (redaction='commitments')."
        )


@app.command()
def verify(
    audit: Audit = DEFAULT_AUDIT,
    checkpoint: Checkpoints = None,
    key: PublicKey = None,
    as_json: Json = False,
) -> None:
    """Check the chain: every record continues the one before it, every text is the one recorded.

    Works on exports, too (--audit trail.jsonl). Exit code: 0 consistent, 1 not: the first record that does not fit
    is named.
    """
    anchors = [Checkpoint.read(file, key) for file in checkpoint or ()]
    with open_trail(audit) as trail, progress("verifying", as_json=as_json) as told:
        result = trail.verify(told, anchors, processes=os.cpu_count() or 1)
    if as_json:
        print_json(result)
    else:
        console().print(str(result), style="green" if result.ok else "bold red")
        if result.note:
            console().print(visible(result.note), style="yellow")
        say_key(anchors, key)
    raise typer.Exit(int(not result.ok))


def say_key(anchors: Sequence[Checkpoint], key: Path | None) -> None:
    """Say who signed, where nobody said who should have: anybody can sign with a key of their own."""
    if key is None:
        for name in dict.fromkeys(anchor.key for anchor in anchors):
            console().print(f"signed by the key {name}; give --key to be told when it is another one", style="dim")


@contextmanager
def progress(doing: str, *, as_json: bool = False) -> Iterator[Callable[[int], None] | None]:
    """Says how many records are done, where somebody looks."""
    if as_json or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status(doing) as status:
        yield lambda count: status.update(f"{doing}: {count:,} records")


def _told(act: Act) -> str:
    if act.kind == "decision":
        return f"{'agreed with' if act.agrees else 'overruled'} run {act.run}"
    if act.kind == "erase":
        count = sum(last - first + 1 for first, last in act.erases)
        return f"erased {f'run {act.run}' if act.run else f'{count} records from before {act.before}'}"
    label = f"{act.label}={act.value}" if act.value else act.label
    return f"held runs with the label {label}" if act.kind == "hold" else f"lifted the hold of record {act.hold}"


def _marks(run: RunSummary) -> str:
    marks = [] if run.enforced else ["monitor: the original was released"]
    marks += [f"opened: {', '.join(run.unsafe)}"] if run.unsafe and run.unsafe != ("allow_unjudged",) else []
    marks += ["erased"] if run.erased else []
    return f" ({'; '.join(marks)})" if marks else ""


def _list(found: Iterable[RunSummary], limit: int, *, as_json: bool, nothing: str = "no run fits") -> None:
    runs = list(found)
    more, runs = len(runs) > limit, runs[:limit]
    if as_json:
        print_json(runs)
        return
    out = console()
    for run in runs:
        # A terminal has no room for whole ids, and `audit show` takes their beginning; a pipe gets them whole.
        run_id = run.run_id[:_ENOUGH] if out.is_terminal else run.run_id
        line = Text(f"{run_id}  {run.time:%Y-%m-%d %H:%M:%S}  ")
        line.append(run.status.value, style=COLOURS[run.status])
        line.append(f" ({run.cause.value})" if run.status is Status.BLOCKED and run.cause else "")
        line.append(_marks(run), style="magenta")
        line.append(f"  {run.constitution.name} {run.constitution.version}", style="dim")
        if run.at_fault:
            line.append(f"\n    {', '.join(run.at_fault)}" if out.is_terminal else f"  {', '.join(run.at_fault)}")
        out.print(line)
    if more or not runs:
        # Not among the runs, where another program reads them.
        print(f"the newest {limit}; --limit shows more" if more else nothing, file=sys.stderr)


def _newest(trail: AuditTrail) -> str:
    for run in trail.runs(1):
        return run.run_id
    raise AuditError("the trail holds no runs.")
