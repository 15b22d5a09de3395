"""`guardrails audit`: what people do to a trail: decide, hold, erase, prune, sign."""

from __future__ import annotations

import getpass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from guardrails._assemble import DEFAULT_AUDIT
from guardrails._visible import visible
from guardrails.audit import AuditTrail, make_key, public_key_file
from guardrails.cli._audit import progress
from guardrails.cli._data import print_json
from guardrails.cli._options import TIMES, Audit, By, Json, Reason, in_utc, name_and_value, open_trail
from guardrails.cli._print import console
from guardrails.errors import AuditError

Runs = Annotated[list[str], typer.Argument(help="The runs' ids, or how they begin.")]


def decide(
    run: Annotated[str, typer.Argument(help="The run's id, or how it begins.")],
    agree: Annotated[bool, typer.Option("--agree/--overrule", help="Whether the outcome was right.")],
    by: By,
    note: Annotated[str, typer.Option("--note", help="Why.")] = "",
    audit: Audit = DEFAULT_AUDIT,
) -> None:
    """Record a person's decision about a run: that its outcome was right, or that it was not."""
    with open_trail(audit) as trail:
        number = trail.decide(run, agrees=agree, by=by, note=note)
    console().print(f"record {number}: {'agreed' if agree else 'overruled'} by {visible(by)}")


def erase(run: Runs, by: By, reason: Reason, audit: Audit = DEFAULT_AUDIT) -> None:
    """Remove what was said in runs: texts and their salts, for good. The chain stays, and says that it was done."""
    with open_trail(audit) as trail:
        trail.erase(*run, by=by, reason=reason)
    console().print(f"erased: the texts of {', '.join(map(visible, run))}")
    console().print("Backups, replicas and exports are out of the trail's reach.", style="dim")


def prune(
    before: Annotated[datetime, typer.Option("--before", formats=TIMES, help="Erase what is older (UTC).")],
    by: By = "",
    reason: Reason = "retention",
    audit: Audit = DEFAULT_AUDIT,
) -> None:
    """Remove the texts of old runs, but of those under a legal hold."""
    with open_trail(audit) as trail:
        pruned = trail.prune(in_utc(before), by=by or getpass.getuser(), reason=reason)
    kept = f"; {pruned.held} under a legal hold kept theirs" if pruned.held else ""
    console().print(f"erased: the texts of {pruned.records} records from before {in_utc(before):%Y-%m-%d %H:%M}{kept}")


def hold(
    label: Annotated[str, typer.Option("--label", help="Hold runs with this label: NAME or NAME=VALUE.")] = "",
    lift: Annotated[int | None, typer.Option("--lift", help="End the hold with this record number.")] = None,
    by: By = "",
    reason: Reason = "",
    audit: Audit = DEFAULT_AUDIT,
    as_json: Json = False,
) -> None:
    """Keep runs from being erased while a legal hold is on them; without options, list the holds in force."""
    with open_trail(audit) as trail:
        if label:
            number = trail.hold(*name_and_value(label), by=by, reason=reason)
            console().print(f"record {number}: runs with the label {visible(label)} are held")
        elif lift is not None:
            number = trail.lift(lift, by=by, reason=reason)
            console().print(f"record {number}: the hold of record {lift} is lifted")
        else:
            _list_holds(trail, as_json=as_json)


def checkpoint(
    file: Annotated[Path | None, typer.Argument(help="Where to write it. Default: trail-COUNT.checkpoint.")] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="The Ed25519 key (PEM) to sign with, made if it is not there. Default: your own."),
    ] = None,
    audit: Audit = DEFAULT_AUDIT,
) -> None:
    """Verify the trail, and write a small signed file that says where it ends: to be kept elsewhere."""
    signs = key or Path(typer.get_app_dir("guardrails")) / "checkpoint-key.pem"
    if not signs.exists():
        make_key(signs)
        console().print(f"made a key: {signs}; whoever verifies needs {public_key_file(signs)}")
    with open_trail(audit) as trail, progress("verifying") as told:
        made = trail.checkpoint(signs, told)
    file = file or Path(f"trail-{made.count}.checkpoint")
    try:
        file.write_text(made.text, encoding="utf-8")
    except OSError as error:
        raise AuditError(f"the checkpoint {file} cannot be written: {error.strerror}.") from error
    console().print(f"{file}: signed that record {made.count} is the last one, at {made.time:%Y-%m-%d %H:%M:%S} UTC")
    console().print("Keep it where whoever can write the trail cannot.", style="dim")


def _list_holds(trail: AuditTrail, *, as_json: bool) -> None:
    holds = trail.holds()
    if as_json:
        print_json(holds)
        return
    for act in holds:
        what = f"{act.label}={act.value}" if act.value else f"{act.label}"
        console().print(f"{act.seq}  {act.time:%Y-%m-%d}  {visible(what)}  by {visible(act.by)}: {visible(act.reason)}")
