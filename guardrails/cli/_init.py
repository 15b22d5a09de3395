"""`guardrails init`: a first constitution, ready to be changed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from guardrails._visible import visible
from guardrails.authoring._starter import Started, start
from guardrails.cli._data import print_json
from guardrails.cli._options import Json
from guardrails.cli._print import console


def init(
    name: Annotated[Path, typer.Argument(help="The new folder; its name is the constitution's.", show_default=False)],
    parent: Annotated[
        str | None, typer.Option("--from", help="Extend this one: a shipped name, a folder or a file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Begin a constitution: a folder with a few commented principles, to be changed in an editor."""
    started = start(name, parent)
    steps = _next(started, parent)
    if as_json:
        print_json({"folder": started.folder, "files": started.files, "next": [command for command, _ in steps]})
        return
    out = console()
    out.print(f"{visible(str(started.folder))}/", style="bold")
    for file in started.files:
        out.print(f"  {file.as_posix()}")
    out.print("\nWhat to do next: open it in an editor, change a principle, and see what comes of it.")
    width = max(len(command) for command, _ in steps)
    for command, meaning in steps:
        out.print(f"  {visible(command):<{width}}", style="bold", end="  ")
        out.print(meaning, style="dim")
    out.print(
        "\nReviews are recorded in guardrails.db, where you run them. It holds customers' texts: keep it out of git."
    )


def _next(started: Started, parent: str | None) -> list[tuple[str, str]]:
    folder = shlex.quote(str(started.folder))
    reply = "Your application is guaranteed to succeed." if parent is None else "We are open from 9 to 5."
    return [
        (f"guardrails lint {folder}", "finds what is missing or unclear"),
        (f"guardrails test {folder}", "runs the examples"),
        (f"guardrails show {folder}", "prints the rules"),
        (f"guardrails review --constitution {folder} {shlex.quote(reply)}", "judges a reply"),
    ]
