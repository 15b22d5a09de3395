"""`guardrails test`: a constitution's examples are its tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from guardrails.authoring._found import constitutions_in
from guardrails.authoring._junit import junit
from guardrails.authoring._run import Plan, Suite, Tested, suites
from guardrails.cli._data import print_json
from guardrails.cli._options import Json
from guardrails.cli._print import console
from guardrails.cli._tested import tell, tested_data
from guardrails.errors import ConfigurationError, ModelError

Paths = Annotated[
    list[str] | None, typer.Argument(help="Constitutions: names, folders, files. Default: what is in this folder.")
]
HERE = "."
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

        watched(paths or [HERE], plan)
        return
    found = list(_tested(suites(constitutions_in(paths or [HERE]), plan), model, as_json=as_json))
    if junit_file is not None:
        _write_junit(junit_file, found)
    unable = next((tested.unable for tested in found if tested.unable), "")
    if unable:
        raise ModelError(f"{model} answered nothing: {unable}")
    if as_json:
        print_json({"constitutions": [tested_data(tested) for tested in found]})
    raise typer.Exit(int(any(tested.failures for tested in found)))


def _tested(found: Iterable[Suite], model: str | None, *, as_json: bool) -> Iterator[Tested]:
    """Each constitution's results, told as they come: what was paid for is not lost to what follows."""
    for suite in found:
        with counting(suite.constitution.name, as_json=as_json) as told:
            tested = suite.run(told)
        if not as_json:
            tell(console(), tested, model)
        yield tested


def _write_junit(file: Path, found: list[Tested]) -> None:
    try:
        file.write_bytes(junit(found))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}.") from None


@contextmanager
def counting(name: str, *, as_json: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Says how many replies are done, where somebody looks."""
    if as_json or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(name)) as status:
        yield lambda done, of: status.update(Text(f"{name}: {done:,} of {of:,}"))
