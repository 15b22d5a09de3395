"""`guardrails audit export` and `audit report`: a trail for other programs, and for people."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import IO, Annotated

import typer

from guardrails import reports
from guardrails._assemble import DEFAULT_AUDIT
from guardrails._visible import visible
from guardrails.audit import AuditTrail, Checkpoint, Preferences, export
from guardrails.cli._audit import Checkpoints, PublicKey, progress, say_key
from guardrails.cli._data import new_file, print_json
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
from guardrails.cli._print import console
from guardrails.errors import AuditError, ConfigurationError

_PAUSE = 1.0  # seconds between two looks for new records


class Format(StrEnum):
    """What a trail is exported as."""

    JSONL = "jsonl"
    CSV = "csv"
    PREFERENCE = "preference"


def export_trail(
    layout: Annotated[
        Format, typer.Option("--format", help="JSON Lines or CSV, to verify elsewhere; or pairs to train a model with.")
    ] = Format.JSONL,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file. Default: standard output.")] = None,
    after: Annotated[int, typer.Option("--after", min=0, help="Begin after the record with this number.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is recorded from now on.")] = False,
    audit: Audit = DEFAULT_AUDIT,
    as_json: Json = False,
) -> None:
    """Export a trail: every record with what is needed to verify it, for log shippers, spreadsheets, archives.

    `guardrails audit verify --audit FILE` verifies what was exported as .jsonl or .csv.
    """
    if as_json and out is None:
        raise ConfigurationError("--json tells of a file that was written: name one with --out.")
    with open_trail(audit) as trail:
        if layout is Format.PREFERENCE:
            if after or follow:
                raise ConfigurationError("preferences are of the whole trail: leave --after and --follow out.")
            _export_preferences(trail, out)
        else:
            idle = partial(time.sleep, _PAUSE) if follow else None
            with suppress(KeyboardInterrupt):
                _write(export(trail, "csv" if layout is Format.CSV else "jsonl", after, idle), out)
    if as_json and out is not None:
        print_json({"file": str(out), "bytes": out.stat().st_size})


def report(
    file: Annotated[Path, typer.Argument(help="The HTML file to write.")] = Path("audit-report.html"),
    language: Annotated[str, typer.Option("--language", help="Of the report: en or ja.")] = "en",
    status: OfStatus = None,
    principle: OfPrinciple = "",
    severity: OfSeverity = None,
    since: Since = None,
    until: Until = None,
    label: OfLabel = None,
    constitution: OfConstitution = "",
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help="Tell only so many interventions, the newest. Default: all.")
    ] = None,
    checkpoint: Checkpoints = None,
    key: PublicKey = None,
    audit: Audit = DEFAULT_AUDIT,
    as_json: Json = False,
) -> None:
    """Verify the trail and write a report: figures, then every intervention with what was changed. One HTML file.

    Exit code: 1 where the trail does not verify; the report says so, too.
    """
    wanted = where(status, principle, severity, since, until, label, constitution)
    anchors = [Checkpoint.read(one, key) for one in checkpoint or ()]
    with open_trail(audit) as trail:
        with progress("verifying") as told:
            verified = trail.verify(told, anchors, processes=os.cpu_count() or 1)
        with progress("reading") as told:
            made = reports.write(
                trail,
                file,
                where=wanted,
                language=language,
                verification=verified,
                progress=told,
                limit=limit,
            )
    if as_json:
        print_json({"report": made, "verification": verified})
    else:
        console().print(f"{made.path}: {made.runs} runs, {made.interventions} interventions; {verified}")
        for problem in made.problems:
            console().print(visible(problem), style="bold red")
        say_key(anchors, key)
    raise typer.Exit(int(not verified))


def _export_preferences(trail: AuditTrail, out: Path | None) -> None:
    pairs = Preferences(trail)
    _write(pairs, out)
    skipped = ", ".join(f"{count} {why}" for why, count in sorted(pairs.skipped.items()))
    print(f"{pairs.kept} pairs; {f'left out: {skipped}' if skipped else 'none left out'}", file=sys.stderr)
    if not pairs.kept and pairs.skipped["not kept"] + pairs.skipped["erased"]:
        raise AuditError("no revised run of this trail has texts: they were erased, or its guard keeps none.")


def _write(lines: Iterable[str], out: Path | None) -> None:
    try:
        with _opened(out) as file:
            for line in lines:
                file.write(line.encode("utf-8", "surrogatepass"))
                file.flush()
    except BrokenPipeError:  # the reader has enough; the interpreter would complain of it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise AuditError(f"standard output cannot be written: {error.strerror}.") from error


@contextmanager
def _opened(out: Path | None) -> Iterator[IO[bytes]]:
    if out is None:
        yield sys.stdout.buffer
        return
    with new_file(out) as file:
        yield file
