"""`guardrails calibrate`: which confidence of a model counts, from labelled replies."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from guardrails._visible import visible
from guardrails.authoring._calibrate import Calibrated, Calibration, Rates, calibrate
from guardrails.cli._data import print_json
from guardrails.cli._options import Json
from guardrails.cli._print import console
from guardrails.cli._tested import share_data
from guardrails.cli._testing import counting
from guardrails.reports._curves import check_plot, write_curves


def run_calibrate(
    source: Annotated[str, typer.Argument(metavar="CONSTITUTION", help="A shipped name, a folder or a YAML file.")],
    model: Annotated[str, typer.Option("--model", "-m", help="The model to calibrate for: provider:model-id.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Labelled replies of your own, JSON Lines: reply, violates, complies.")
    ] = None,
    false_alarms: Annotated[
        float, typer.Option("--false-alarms", min=0, max=0.99, help="The share of complying replies to be found.")
    ] = 0.05,
    held_out: Annotated[
        float, typer.Option("--held-out", min=0, max=0.9, help="The share that is kept back for the report.")
    ] = 0.3,
    seed: Annotated[str, typer.Option("--seed", help="Keeps back others.")] = "1",
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the curves: .png, .svg or .pdf.")] = None,
    language: Annotated[str, typer.Option("--language", "-l", help="Of the rules that the model is given.")] = "en",
    as_json: Json = False,
) -> None:
    """Choose each principle's threshold: the confidence from which a model's finding counts.

    Judges the constitution's examples, and replies of your own, chooses the threshold that finds most of what
    violates with at most so many false alarms, and reports on replies that had no say in it.

    Exit code: 1 where no threshold of a principle is good enough.
    """
    if plot is not None:
        check_plot(plot)
    with counting(source, as_json=as_json) as told:
        found = calibrate(
            source,
            model,
            data=data,
            false_alarms=false_alarms,
            held_out=held_out,
            seed=seed,
            language=language,
            progress=told,
        )
    if as_json:
        print_json({"principles": [_data(one) for one in found.principles], "usage": found.usage})
    else:
        _tell(found, false_alarms)
    if plot is not None and found.principles:
        write_curves(found.principles, plot, false_alarms)
        print(f"{plot}: the curves", file=sys.stderr)
    raise typer.Exit(int(any(one.chosen is None for one in found.principles)))


def _tell(found: Calibrated, wanted: float) -> None:
    out = console()
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("principle", no_wrap=True)
    for name in ("threshold now", "chosen", "violating found", "false alarms", "found before", "alarms before"):
        table.add_column(name, justify="right")
    for one in found.principles:
        table.add_row(*_row(one))
    out.print(table)
    out.print("found, and false alarms: on the replies held out, with 95 % intervals", style="dim")
    for note in _notes(found, wanted):
        out.print(note, style="yellow")
    changed = [one for one in found.principles if one.chosen not in {None, one.now}]
    if changed:
        out.print("\nTo paste:", style="bold")
    for one in changed:
        out.print(f"# {visible(one.file or one.principle)}\nthreshold: {one.chosen}")
    used = found.usage
    out.print(f"{used.calls} requests, {used.input:,} tokens in, {used.output:,} out", style="dim")


def _row(one: Calibration) -> Iterator[Text]:
    yield Text(one.principle)
    yield Text(str(one.now))
    yield Text("none" if one.chosen is None else str(one.chosen), style="bold red" if one.chosen is None else "bold")
    for rates in (one.held_out, one.before):
        yield Text(str(rates.recall))
        yield Text(str(rates.false_alarms))


def _notes(found: Calibrated, wanted: float) -> Iterator[str]:
    for one in found.principles:
        if one.chosen is None:
            yield f"{one.principle}: {_why_none(one, wanted)}"
        if one.undecided:
            yield f"{one.principle}: {one.undecided} replies left out: nobody could tell"
    unsure = [one for one in found.principles if one.chosen is not None and _is_unsure(one, wanted)]
    if unsure:
        names = ", ".join(f"{one.principle} ({one.held_out.false_alarms.of})" for one in unsure)
        yield f"too few complying replies held out to be sure of {wanted:.0%}; add your own with --data: {names}"


def _is_unsure(one: Calibration, wanted: float) -> bool:
    """Whether the true share may well be more than what was wanted."""
    return one.held_out.false_alarms.interval[1] > wanted


def _why_none(one: Calibration, wanted: float) -> str:
    last = one.curve[-1]
    if not last.recall.of or not last.false_alarms.of:
        return "no threshold chosen: it takes violating and complying replies, some of each to choose by."
    if last.false_alarms.value is not None and last.false_alarms.value > wanted:
        return f"even at {last.threshold} {last.false_alarms} of the complying replies are found: the rule is unclear."
    return (
        f"no violating reply is found with at most {wanted:.0%} false alarms: the rule is unclear, or the model weak."
    )


def _data(one: Calibration) -> dict[str, Any]:
    return {
        "principle": one.principle,
        "file": one.file,
        "now": one.now,
        "chosen": one.chosen,
        "held_out": _rates(one.held_out),
        "before": _rates(one.before),
        "curve": [_rates(point) for point in one.curve],
        "held_out_curve": [_rates(point) for point in one.held_out_curve],
        "undecided": one.undecided,
    }


def _rates(rates: Rates) -> dict[str, Any]:
    return {
        "threshold": rates.threshold,
        "recall": share_data(rates.recall),
        "false_alarms": share_data(rates.false_alarms),
    }
