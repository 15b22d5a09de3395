"""The command `guardrails`, for people who write no Python.

Exit codes: 0 fine (a revised reply is fine), 1 findings, 2 could not run.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

from guardrails import __version__
from guardrails._visible import visible
from guardrails.cli import _audit, _custody, _export
from guardrails.cli._approve import approve
from guardrails.cli._backtest import run_backtest
from guardrails.cli._calibrate import run_calibrate
from guardrails.cli._data import print_json
from guardrails.cli._diff import diff
from guardrails.cli._import import import_rules
from guardrails.cli._init import init
from guardrails.cli._lint import lint_constitutions
from guardrails.cli._review import review
from guardrails.cli._schema import schema
from guardrails.cli._show import show
from guardrails.cli._testing import run_tests
from guardrails.errors import GuardrailsError

app = typer.Typer(
    help="Judge replies against a constitution, revise them, and keep evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(review)
app.command()(show)
app.command("backtest")(run_backtest)
app.command("lint")(lint_constitutions)
app.command()(diff)
app.command()(init)
app.command("import")(import_rules)
app.command()(schema)
app.command()(approve)
app.command("test")(run_tests)
app.command("calibrate")(run_calibrate)
for command in (_custody.decide, _custody.erase, _custody.prune, _custody.hold, _custody.checkpoint):
    _audit.app.command()(command)
_audit.app.command("export")(_export.export_trail)
_audit.app.command()(_export.report)
app.add_typer(_audit.app, name="audit", no_args_is_help=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"guardrails {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Judge replies against a constitution, revise them, and keep evidence."""


def main() -> None:
    """Run the command line; our own errors become one message and exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that knows no Japanese is no reason to fail
    try:
        app()
    except GuardrailsError as error:
        if "--json" in sys.argv:
            print_json({"error": str(error)})
        else:
            # Several mistakes come as a line each, which editors and terminals open at the place it names.
            text = visible(str(error))
            print(text if "\n" in text else f"guardrails: {text}", file=sys.stderr)
        sys.exit(2)
