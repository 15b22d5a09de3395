"""`guardrails approve`: a constitution signed off."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from typing import Annotated

import typer

from guardrails._visible import visible
from guardrails.authoring._approve import approve as record
from guardrails.authoring._approve import approved_at
from guardrails.authoring._run import Suite
from guardrails.authoring.lint import lint
from guardrails.cli._counted import counted
from guardrails.cli._data import print_json
from guardrails.cli._options import Json
from guardrails.cli._print import console
from guardrails.constitution import Constitution
from guardrails.constitution._yaml import parse
from guardrails.errors import ConfigurationError


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
    source = approved_at(path)
    variables = dict(map(_override, variable or ()))
    approval, file = record(
        source, by=by, note=note, jurisdiction=jurisdiction, variables=_typed(variables, source) if variables else None
    )
    errors = sum(finding.level == "error" for finding in lint(source))
    failures = len(Suite(source).run().failures)
    if as_json:
        data = approval.model_dump(mode="json")
        print_json({"file": file, "approval": data, "lint_errors": errors, "test_failures": failures})
        return
    out = console()
    out.print(f"{visible(approval.name)} {visible(approval.version)}", style="bold", end="  ")
    out.print(f"sha256 {approval.digest}", style="dim")
    out.print(
        f"approved by {visible(approval.by)}, {approval.at:%Y-%m-%d %H:%M:%S} UTC; written to {visible(str(file))}"
    )
    if errors or failures:
        out.print(visible("; ".join(_refused(errors, failures, source))), style="yellow")
    out.print("Commit that file with the constitution: whoever can change it can approve.", style="dim")


def _refused(errors: int, failures: int, source: str | os.PathLike[str]) -> Iterator[str]:
    """What was approved, and lint and test refuse; whoever approves may have reasons, and should know."""
    path = shlex.quote(os.fspath(source))
    if errors:
        yield f"lint finds {counted(errors, 'error')}: guardrails lint {path}"
    if failures:
        yield f"{counted(failures, 'test fails', 'tests fail')}: guardrails test {path}"


def _override(text: str) -> tuple[str, str]:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"--variable {visible(text)}: not UTF-8. Set the terminal to it.") from None
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigurationError(f"--variable {text}: write NAME=VALUE, as in {name or 'company'}='North Bank'")
    return name, value


def _typed(variables: dict[str, str], path: str | os.PathLike[str]) -> dict[str, bool | int | float | str]:
    """Variables as they are typed: those that are declared as text are text, the others what they are in YAML."""
    declared = Constitution.load(path).variables
    typed: dict[str, bool | int | float | str] = {}
    for name, text in variables.items():
        value = parse(text.encode(), "--variable").data
        is_value = isinstance(value, bool | int | float) and not isinstance(declared.get(name), str)
        typed[name] = value if is_value else text
    return typed
