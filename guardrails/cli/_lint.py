"""`guardrails lint`: what is wrong with a constitution that can be used."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from guardrails._visible import visible
from guardrails.authoring._found import constitutions_in
from guardrails.authoring.lint import Finding, lint, page_of, rules_of
from guardrails.cli._data import print_json
from guardrails.cli._options import Json
from guardrails.cli._print import console

_COLOURS = {"error": "red", "advice": "yellow"}


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    GITHUB = "github"


Paths = Annotated[
    list[str] | None, typer.Argument(help="Constitutions: names, folders, files. Default: what is in this folder.")
]
Select = Annotated[list[str] | None, typer.Option("--select", help="Only this rule: CK01, CK or unexercised.")]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", help="Without this rule. May be repeated.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 on advice, too.")]
Explain = Annotated[str | None, typer.Option("--explain", help="Print a rule's page: what, why, avoid, prefer.")]
As = Annotated[Format, typer.Option("--format", help="github prints annotations for GitHub Actions.")]


def lint_constitutions(
    paths: Paths = None,
    select: Select = None,
    ignore: Ignore = None,
    strict: Strict = False,
    explain: Explain = None,
    form: As = Format.TEXT,
    as_json: Json = False,
) -> None:
    """Find what is wrong with constitutions: examples, wording, checks, authority, translations.

    Exit code: 0 nothing, or advice alone; 1 findings; 2 could not run.
    """
    if explain is not None:
        print(page_of(explain), end="")
        return
    rules = rules_of(select or (), ignore or ())
    sources = constitutions_in(paths or ["."])
    findings = [finding for source in sources for finding in lint(source, rules=rules)]
    if as_json:
        print_json(_data(findings, len(sources)))
    elif form is Format.GITHUB:
        for finding in findings:
            print(_annotation(finding))
    else:
        _print(findings, len(sources))
    raise typer.Exit(int(any(strict or finding.level == "error" for finding in findings)))


def _print(findings: Sequence[Finding], constitutions: int) -> None:
    out = console()
    for finding in findings:
        problem = finding.problem
        colour = _COLOURS[finding.level]
        line = Text(f"{visible(_place(finding))}: ", style="bold")
        line.append(f"{finding.level} ", style=colour).append(f"{finding.code} {finding.name}", style=f"bold {colour}")
        line.append(f": {_line(problem.message)}", style="not bold")
        out.print(line.append(f" {_line(problem.advice)}" if problem.advice else "", style="not bold dim"))
    errors = sum(finding.level == "error" for finding in findings)
    of = f"in {constitutions} constitution{'s' * (constitutions != 1)}"
    if not findings:
        out.print(f"Nothing found {of}.", style="green")
        return
    counted = f"{errors} error{'s' * (errors != 1)} and {len(findings) - errors} of advice {of}."
    out.print(f"{counted} What a rule means: guardrails lint --explain {findings[0].code}", style="bold")


def _data(findings: Sequence[Finding], constitutions: int) -> dict[str, Any]:
    errors = sum(finding.level == "error" for finding in findings)
    listed = [
        {
            "code": finding.code,
            "name": finding.name,
            "level": finding.level,
            "file": _file(finding),
            "line": finding.problem.line,
            "column": finding.problem.column,
            "message": finding.problem.message,
            "advice": finding.problem.advice,
        }
        for finding in findings
    ]
    counts = {"constitutions": constitutions, "errors": errors, "advice": len(findings) - errors}
    return {**counts, "findings": listed}


def _annotation(finding: Finding) -> str:
    """A workflow command of GitHub Actions, which shows it at its line in a pull request.

    See https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands.
    """
    problem = finding.problem
    kind = "error" if finding.level == "error" else "warning"
    where = {"file": _file(finding), "line": problem.line, "col": problem.column}
    properties = {**{key: value for key, value in where.items() if value}, "title": f"{finding.code} {finding.name}"}
    listed = ",".join(f"{key}={_property(visible(str(value)))}" for key, value in properties.items())
    return f"::{kind} {listed}::{_value(visible(f'{problem.message} {problem.advice}'.rstrip()))}"


def _value(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _value(text).replace(":", "%3A").replace(",", "%2C")


def _line(text: str) -> str:
    """A text that may quote a reply, as one line."""
    return visible(" ".join(text.split()))


def _place(finding: Finding) -> str:
    problem = finding.problem
    return f"{_file(finding)}:{problem.line}:{problem.column}" if problem.line else _file(finding)


def _file(finding: Finding) -> str:
    """The file as seen from here, where it stands below: what editors, terminals and GitHub open."""
    path, here = Path(finding.problem.file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
