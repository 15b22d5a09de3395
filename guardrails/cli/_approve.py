"""`guardrails approve`: a constitution signed off."""

from __future__ import annotations

from typing import Annotated

import typer

from guardrails._visible import visible
from guardrails.authoring._approve import approve as record
from guardrails.cli._data import print_json
from guardrails.cli._options import Json, name_and_value
from guardrails.cli._print import console
from guardrails.constitution import Constitution
from guardrails.constitution._yaml import parse


def approve(
    path: Annotated[str, typer.Argument(help="A folder or a YAML file of your own.")],
    by: Annotated[str, typer.Option("--by", help="Who approves: a name, and better a role, too.")],
    note: Annotated[str, typer.Option("--note", help="Why, or what was looked at.")] = "",
    jurisdiction: Annotated[
        str | None, typer.Option("--jurisdiction", "-j", help="Approve what is in force there. Default: everywhere.")
    ] = None,
    variable: Annotated[
        list[str] | None, typer.Option("--variable", help="Approve what is in force with NAME=VALUE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Approve a constitution as it is now: who, when and which digest go to approvals.yaml beside it."""
    variables = dict(map(name_and_value, variable or ()))
    approval, file = record(
        path, by=by, note=note, jurisdiction=jurisdiction, variables=_typed(variables, path) if variables else None
    )
    if as_json:
        print_json({"file": file, "approval": approval.model_dump(mode="json")})
        return
    out = console()
    out.print(f"{visible(approval.name)} {visible(approval.version)}", style="bold", end="  ")
    out.print(f"sha256 {approval.digest}", style="dim")
    out.print(
        f"approved by {visible(approval.by)}, {approval.at:%Y-%m-%d %H:%M:%S} UTC; written to {visible(str(file))}"
    )
    out.print("Commit that file with the constitution: whoever can change it can approve.", style="dim")


def _typed(variables: dict[str, str], path: str) -> dict[str, bool | int | float | str]:
    """Variables as they are typed: those that are declared as text are text, the others what they are in YAML."""
    declared = Constitution.load(path).variables
    typed: dict[str, bool | int | float | str] = {}
    for name, text in variables.items():
        value = parse(text.encode("utf-8", "surrogateescape"), "--variable").data
        is_value = isinstance(value, bool | int | float) and not isinstance(declared.get(name), str)
        typed[name] = value if is_value else text
    return typed
