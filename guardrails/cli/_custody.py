"""`guardrails audit`: what people do to a trail: decide, hold, erase, prune, sign."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from guardrails._assemble import DEFAULT_AUDIT
from guardrails._visible import visible
from guardrails.audit import AuditTrail, Pruned, Where, make_key, public_key_file
from guardrails.cli._audit import progress
from guardrails.cli._data import new_file, print_json
from guardrails.cli._options import Audit, By, Json, Reason, name_and_value, open_trail, time_of
from guardrails.cli._print import console
from guardrails.errors import ConfigurationError

Runs = Annotated[list[str] | None, typer.Argument(help="The runs' ids, or how they begin.")]


def decide(
    run: Annotated[str, typer.Argument(help="The run's id, or how it begins.")],
    agree: Annotated[bool, typer.Option("--agree/--overrule", help="Whether the outcome was right.")],
    by: By,
    note: Annotated[str, typer.Option("--note", help="Why.")] = "",
    audit: Audit = DEFAULT_AUDIT,
    as_json: Json = False,
) -> None:
    """Record a person's decision about a run: that its outcome was right, or that it was not."""
    with open_trail(audit) as trail:
        number = trail.decide(run, agrees=agree, by=by, note=note)
    line = f"record {number}: {'agreed' if agree else 'overruled'} by {by}"
    _say({"record": number, "agrees": agree}, line, as_json=as_json)


def erase(
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="Why. It stays: do not name who wants to be forgotten.")],
    run: Runs = None,
    label: Annotated[str, typer.Option("--label", help="All runs with this label but those that are held.")] = "",
    audit: Audit = DEFAULT_AUDIT,
    as_json: Json = False,
) -> None:
    """Remove what was said in runs: texts and their salts, for good. The chain stays, and says that it was done."""
    if bool(run) == bool(label):
        raise ConfigurationError("say which runs: by their ids, or by --label NAME=VALUE.")
    with open_trail(audit) as trail:
        if run:
            erased = Pruned(trail.erase(*run, by=by, reason=reason), 0)
        else:
            erased = trail.erase_where(Where(labels=(name_and_value(label),)), by=by, reason=reason)
    _say_erased("run", "", erased, as_json=as_json)


def prune(
    before: Annotated[datetime, typer.Option("--before", parser=time_of, metavar="TIME", help="Erase what is older.")],
    by: Annotated[str, typer.Option("--by", help="Who does it. Default: this system's user.")] = "",
    reason: Reason = "retention",
    audit: Audit = DEFAULT_AUDIT,
    as_json: Json = False,
) -> None:
    """Remove the texts of old runs, but of those under a legal hold."""
    if before > datetime.now(UTC) and sys.stdin.isatty():
        typer.confirm(f"{before:%Y-%m-%d %H:%M} UTC is not past: erase everything that was said?", abort=True)
    with open_trail(audit) as trail:
        pruned = trail.prune(before, by=by or getpass.getuser(), reason=reason)
    _say_erased("record", f" from before {before:%Y-%m-%d %H:%M} UTC", pruned, as_json=as_json)


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
        if (by or reason) and not label and lift is None:
            raise ConfigurationError("say what to hold, --label NAME=VALUE, or which hold to end, --lift NUMBER.")
        if label and lift is not None:
            raise ConfigurationError("--label begins a hold and --lift ends one: say one of them.")
        if label:
            number = trail.hold(*name_and_value(label), by=by, reason=reason)
            count = sum(1 for run in trail.runs(where=Where(labels=(name_and_value(label),))) if not run.erased)
            line = f"record {number}: runs with the label {label} are held, {count} so far"
            _say({"record": number, "runs": count}, line, as_json=as_json)
        elif lift is not None:
            number = trail.lift(lift, by=by, reason=reason)
            line = f"record {number}: the hold of record {lift} is lifted"
            _say({"record": number, "lifted": lift}, line, as_json=as_json)
        else:
            _list_holds(trail, as_json=as_json)


def checkpoint(
    file: Annotated[Path | None, typer.Argument(help="Where to write it. Default: trail-COUNT.checkpoint.")] = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="The Ed25519 key (PEM) to sign with, made if it is not there. Default: your own."),
    ] = None,
    audit: Audit = DEFAULT_AUDIT,
    as_json: Json = False,
) -> None:
    """Verify the trail, and write a small signed file that says where it ends: to be kept elsewhere."""
    signs = key or Path(typer.get_app_dir("guardrails")) / "checkpoint-key.pem"
    if not signs.exists():
        make_key(signs)
        print(f"made a key: {signs}; whoever verifies needs {public_key_file(signs)}", file=sys.stderr)
    with open_trail(audit) as trail, progress("verifying", as_json=as_json) as told:
        made = trail.checkpoint(signs, told)
    file = file or Path(f"trail-{made.count}.checkpoint")
    with new_file(file) as out:
        out.write(made.text.encode())
    signed = f"{file}: signed that record {made.count} is the last one, at {made.time:%Y-%m-%d %H:%M:%S} UTC"
    aside = "Keep it where whoever can write the trail cannot."
    _say({"file": file, "checkpoint": made}, signed, aside, as_json=as_json)


def _say(data: object, line: str, aside: str = "", *, as_json: bool) -> None:
    """Say what was done: as a document, or as a line, and what there is to know besides."""
    if as_json:
        print_json(data)
        return
    console().print(visible(line))
    if aside:
        console().print(aside, style="dim")


def _say_erased(what: str, which: str, erased: Pruned, *, as_json: bool) -> None:
    count, held = erased.erased, erased.held
    kept = f"; {held} run{'s' if held != 1 else ''} under a legal hold kept theirs" if held else ""
    line = f"erased: the texts of {count} {what}{'s' if count != 1 else ''}{which}{kept}"
    _say(erased, line, "Backups, replicas and exports are out of the trail's reach.", as_json=as_json)


def _list_holds(trail: AuditTrail, *, as_json: bool) -> None:
    holds = trail.holds()
    if as_json:
        print_json(holds)
        return
    for act in holds:
        what = f"{act.label}={act.value}" if act.value else f"{act.label}"
        console().print(f"{act.seq}  {act.time:%Y-%m-%d}  {visible(what)}  by {visible(act.by)}: {visible(act.reason)}")
