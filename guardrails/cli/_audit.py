"""`guardrails audit`: what an auditor reads."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.text import Text

from guardrails._assemble import DEFAULT_AUDIT, trail_from
from guardrails.audit import AuditTrail, StoredRun, Worker
from guardrails.cli._data import outcome_data, print_json
from guardrails.cli._print import COLOURS, console, diff, findings, headline, not_judged, put, visible
from guardrails.errors import AuditError
from guardrails.outcome import Attempt, Cause, Outcome, Status

_ENOUGH = 18
"""Characters of a run's id that tell it from others: its time, to a quarter of a microsecond."""

app = typer.Typer(help="Read an audit trail: what was said, what was changed, why, under which wording.")

Audit = Annotated[str, typer.Option("--audit", help="The trail to read.", envvar="GUARDRAILS_AUDIT")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@app.command("list")
def list_runs(
    audit: Audit = DEFAULT_AUDIT,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many runs, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List the newest runs."""
    with _open(audit) as trail:
        runs = list(trail.runs(limit))
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
        line.append(f"  {run.constitution.name} {run.constitution.version}", style="dim")
        if run.at_fault:
            line.append(f"\n    {', '.join(run.at_fault)}" if out.is_terminal else f"  {', '.join(run.at_fault)}")
        out.print(line)


@app.command()
def show(
    run: Annotated[str | None, typer.Argument(help="The run's id, or how it begins. Default: the newest run.")] = None,
    audit: Audit = DEFAULT_AUDIT,
    as_json: Json = False,
) -> None:
    """Tell the story of one run: what was said, what was found, what was changed, what was released."""
    with _open(audit) as trail:
        stored = trail.run(run or _newest(trail))
    if as_json:
        told = stored.run
        print_json(
            {
                "seq": stored.seq,
                "hash": stored.hash,
                "time": told.time,
                "labels": dict(told.labels),
                "judges": told.judges,
                "revisers": told.revisers,
                "exchange": {"messages": told.exchange.messages, "context": told.exchange.context},
                "outcome": outcome_data(told.outcome),
            }
        )
        return
    _tell(stored, trail.url)


@app.command()
def verify(audit: Audit = DEFAULT_AUDIT, as_json: Json = False) -> None:
    """Check the chain: every record continues the one before it, every text is the one recorded.

    Exit code: 0 consistent, 1 not: the first record that does not fit is named.
    """
    with _open(audit) as trail:
        if sys.stderr.isatty() and not as_json:
            from rich.console import Console

            with Console(stderr=True).status("verifying") as status:
                result = trail.verify(lambda count: status.update(f"verifying: {count:,} records"))
        else:
            result = trail.verify()
    if as_json:
        print_json(result)
    else:
        console().print(str(result), style="green" if result.ok else "bold red")
    raise typer.Exit(int(not result.ok))


def _open(audit: str) -> AuditTrail:
    trail = trail_from(audit)
    assert trail is not None
    return trail


def _newest(trail: AuditTrail) -> str:
    for run in trail.runs(1):
        return run.run_id
    raise AuditError("the trail holds no runs.")


def _tell(stored: StoredRun, url: str) -> None:
    out, run = console(), stored.run
    outcome = run.outcome
    out.print(headline(outcome).append(f"  {run.time:%Y-%m-%d %H:%M:%S} UTC", style="dim"))
    out.print(f"run {outcome.run_id}, record {stored.seq} of {url}", style="dim")
    out.print(f"wording sha256 {outcome.constitution.digest}", style="dim")
    for name, value in run.labels.items():
        out.print(f"label {name}: {visible(value)}", style="dim")
    for message in run.exchange.messages:
        out.print(f"\n{message.role}", style="bold")
        out.print(f"  {visible(message.content)}")
    for text in run.exchange.context:
        out.print("\ncontext", style="bold")
        out.print(f"  {visible(text)}")
    for number, attempt in enumerate(outcome.attempts):
        out.print(f"\ndraft {number}, {_origin(number, attempt, outcome)}", style="bold")
        before = attempt.draft if attempt.base is None else outcome.attempts[attempt.base].draft
        put(out, diff(before, attempt.draft, attempt.first))
        put(out, findings(attempt))
    if outcome.blocked and outcome.released:
        out.print("\nreleased before that", style="bold")
        out.print(f"  {visible(outcome.released)}")
    if outcome.cause is Cause.INTERRUPTED:
        out.print("\nheard until it was interrupted", style="bold")
        out.print(f"  {visible(outcome.original)}")
    else:
        out.print(f"\n{'released instead' if outcome.blocked else 'released'}", style="bold")
        out.print(f"  {visible(outcome.text)}")
    if outcome.unjudged:
        out.print(f"not judged: {not_judged(outcome)}", style="dim")
    workers = "; ".join(map(_worker, (*run.judges, *(w for w in run.revisers if w not in run.judges))))
    usage = outcome.usage
    cost = (
        f"{usage.calls} model calls, {usage.input} tokens in, {usage.output} out" if usage.calls else "no model calls"
    )
    out.print(f"\n{workers}; {cost}; {1000 * outcome.elapsed:.1f} ms", style="dim")
    out.print(f"record hash {stored.hash}", style="dim")


def _origin(number: int, attempt: Attempt, outcome: Outcome) -> str:
    """Where a draft comes from. A stream's windows are drafts of some sentences."""
    if attempt.calls:
        return "the tool calls"
    if attempt.base is not None:
        return f"revised by {attempt.reviser} from draft {attempt.base}"
    is_window = attempt.first > 1 or (number == 0 and len(attempt.draft) < len(outcome.original))
    return f"the stream from sentence {attempt.first} on" if is_window else "the reply"


def _worker(worker: Worker) -> str:
    digest = f" (prompt {worker.prompt[:12]})" if worker.prompt else ""
    return f"{worker.name}{digest}"
