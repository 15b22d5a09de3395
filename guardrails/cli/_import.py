"""`guardrails import`: other people's rules as a constitution."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from guardrails._visible import visible
from guardrails.authoring._import import Format, import_file
from guardrails.cli._data import print_json
from guardrails.cli._options import Json
from guardrails.cli._print import console

As = Annotated[
    Format | None, typer.Option("--format", help="What the file holds. Default: what its name and form tell.")
]


def import_rules(
    file: Annotated[Path, typer.Argument(help="Rules as JSON, Python, Markdown or CSV.", show_default=False)],
    name: Annotated[str, typer.Option("--name", help="The new constitution's name.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder to write. Default: named as the constitution.")
    ] = None,
    form: As = None,
    as_json: Json = False,
) -> None:
    """Make a constitution of somebody else's rules: the Constitutional AI paper's, LangChain's, a list or a table."""
    imported = import_file(file, name, out, form)
    if as_json:
        print_json(imported)
        raise typer.Exit(1 if imported.unread else 0)
    out_console = console()
    count = len(imported.principles)
    out_console.print(f"{visible(str(imported.folder))}/", style="bold", end="  ")
    out_console.print(
        f"{count} principle{'s' * (count != 1)} from {visible(str(file))} ({imported.format.value})", style="dim"
    )
    for problem in imported.unread:
        out_console.print(visible(str(problem)), style="yellow")
    if imported.unread:
        out_console.print(
            f"{len(imported.unread)} not read: put them in by hand, or mend the file and import it again."
        )
    folder = shlex.quote(str(imported.folder))
    out_console.print("\nWhat to do next: choose each severity, look up each authority, and write examples.")
    out_console.print(f"  guardrails lint {visible(folder)}", style="bold")
    raise typer.Exit(1 if imported.unread else 0)
