"""`guardrails test`: a constitution's examples are its tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from guardrails.authoring._found import constitutions_in
from guardrails.authoring._junit import junit
from guardrails.authoring._run import Plan, Suite, Tested
from guardrails.cli._data import print_json
from guardrails.cli._options import Json
from guardrails.cli._print import console
from guardrails.cli._tested import tell, tested_data
from guardrails.errors import ConfigurationError, ModelError

Paths = Annotated[
    list[Path] | None, typer.Argument(help="Constitutions: names, folders, files. Default: what is in this folder.")
]
Runs = Annotated[int, typer.Option("--runs", min=1, max=100, help="Judge each so often, to see what changes.")]


def run_tests(
    paths: Paths = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Judges, too: provider:model-id.")] = None,
    runs: Runs = 1,
    data: Annotated[
        Path | None, typer.Option("--data", help="Labelled replies of your own, JSON Lines: reply, violates, complies.")
    ] = None,
    principle: Annotated[list[str] | None, typer.Option("--principle", help="Only this one; may be repeated.")] = None,
    jurisdiction: Annotated[str | None, typer.Option("--jurisdiction", "-j", help="Only its principles.")] = None,
    language: Annotated[str, typer.Option("--language", "-l", help="Of the rules that a model is given.")] = "en",
    junit_file: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML to this file, too.")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Run again whenever a file is saved; show what changed.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the examples of constitutions as tests: rules alone, or with a model.

    Exit code: 0 all as it should be, 1 an example or an expected share is not, 2 could not run.
    """
    if runs > 1 and model is None:
        raise ConfigurationError("--runs repeats a model's judgement: add --model. Rules always say the same.")
    plan = Plan(model, runs, tuple(principle or ()), data, language, jurisdiction)
    if watch:
        from guardrails.cli._watch import watched

        watched(paths or [Path()], plan)
        return
    found = [_run(one, plan, as_json=as_json) for one in constitutions_in(paths or [Path()])]
    if as_json:
        print_json({"constitutions": [tested_data(tested) for tested in found]})
    else:
        for tested in found:
            tell(console(), tested, model)
    if junit_file is not None:
        _write_junit(junit_file, found)
    if any(tested.is_unable for tested in found):
        raise ModelError(f"{model} answered nothing: {_why(found)}")
    raise typer.Exit(int(any(tested.failures for tested in found)))


def _run(source: str | Path, plan: Plan, *, as_json: bool) -> Tested:
    with counting(str(source), as_json=as_json) as told:
        return Suite(source, plan).run(told)


def _write_junit(file: Path, found: list[Tested]) -> None:
    try:
        file.write_bytes(junit(found))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from None


def _why(found: list[Tested]) -> str:
    failed = (run for tested in found for result in tested.results for run in result.runs if run.failed)
    return next(run.critique for run in failed)


@contextmanager
def counting(name: str, *, as_json: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Says how many replies are done, where somebody looks."""
    if as_json or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status(name) as status:
        yield lambda done, of: status.update(f"{name}: {done:,} of {of:,}")
