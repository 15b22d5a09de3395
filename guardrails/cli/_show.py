"""`guardrails show`: a constitution as its authors and readers see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from guardrails._visible import visible
from guardrails.cli._data import print_json
from guardrails.cli._print import console
from guardrails.constitution import Constitution, Principle, text_in

_SHORT = 100
_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "dim"}


def show(
    name: Annotated[str, typer.Argument(help="A shipped name, a folder or a YAML file.")],
    principle: Annotated[str | None, typer.Argument(help="One principle, whole.")] = None,
    language: Annotated[str, typer.Option("--language", "-l", help="en or ja.")] = "en",
    jurisdiction: Annotated[str | None, typer.Option("--jurisdiction", "-j", help="Only its principles.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Show a constitution, or one of its principles: rules, authority, checks, examples, digest."""
    constitution = Constitution.load(name, jurisdiction=jurisdiction)
    principles = constitution.principles if principle is None else (_one(constitution, principle),)
    if as_json:
        data = json.loads(constitution.content)
        data["principles"] = [one.model_dump(mode="json") for one in principles]
        print_json({**data, "digest": constitution.digest})
        return
    out = console()
    out.print(f"{constitution.name} {constitution.version}", style="bold", end="  ")
    count = len(constitution.principles)
    out.print(f"{count} principle{'s' * (count != 1)}, sha256 {constitution.digest}", style="dim")
    for one in principles:
        out.print()
        _print(one, language, whole=principle is not None)


def _one(constitution: Constitution, name: str) -> Principle:
    from guardrails.constitution import did_you_mean
    from guardrails.errors import ConfigurationError

    if name not in constitution.by_id:
        raise ConfigurationError(
            f"{constitution.name} has no principle {name!r}. {did_you_mean(name, constitution.by_id)}"
        )
    return constitution.by_id[name]


def _print(principle: Principle, language: str, *, whole: bool) -> None:
    out = console()
    out.print(principle.id, style="bold", end="  ")
    out.print(principle.severity, style=_COLOURS[principle.severity], end="  ")
    where = ", ".join(principle.jurisdictions) or "everywhere"
    out.print(f"{principle.on_violation} on violation; {where}; {_checks(principle)}", style="dim")
    out.print(f"  {visible(text_in(principle.title, language))}: {visible(text_in(principle.rule, language))}")
    if whole:
        _print_whole(principle, language)


def _print_whole(principle: Principle, language: str) -> None:
    out = console()
    for name, value in _particulars(principle, language):
        out.print(f"  {name}: {visible(value)}")
    for authority in principle.authority:
        checked = f", {authority.checked_on}" if authority.checked_on else ""
        out.print(f"  {visible(authority.cite)} ({authority.verified}{checked})", style="dim")
    for check in principle.checks:
        out.print("  check", style="bold")
        for name, value in check.model_dump(mode="json", exclude_defaults=True).items():
            for line in _lines(value):
                out.print(f"    {name}: {visible(line)}")
    for example in principle.examples:
        side, colour = ("violates", "red") if example.violates else ("complies", "green")
        note = f"  ({example.note})" if example.note else ""
        out.print(f"  {side} ", style=colour, end="")
        out.print(visible(example.reply) + note)
        if example.revised:
            out.print(f"    revised {visible(example.revised)}", style="dim")


def _lines(value: Any) -> Iterator[str]:
    """A part of a check, a line each: patterns as they are, what excuses them and mends them in short."""
    if isinstance(value, list):
        yield from map(str, value)
    elif isinstance(value, dict):
        yield "; ".join(f"{name} {_short(part)}" for name, part in value.items() if part not in (None, False, []))
    else:
        yield str(value)


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return " / ".join(map(str, value.values()))
    if isinstance(value, list):
        text = ", ".join(map(str, value))
        return text if len(text) <= _SHORT else f"({len(value)} of them)"
    return "" if value is True else str(value)


def _particulars(principle: Principle, language: str) -> Iterator[tuple[str, str]]:
    if principle.revision:
        yield "how to mend it", text_in(principle.revision, language)
    if principle.only_if:
        yield "only if", ", ".join(f"{name} is {value}" for name, value in principle.only_if.items())
    yield "scope", principle.scope
    yield "findings count from a confidence of", str(principle.threshold)
    if principle.preserve:
        yield "a revision may not drop", ", ".join(principle.preserve)


def _checks(principle: Principle) -> str:
    kinds = [type(check).__name__.removesuffix("Check").lower() for check in principle.checks]
    if not kinds:
        return "judged by a model"
    named = ", ".join(dict.fromkeys(kind.replace("personaldata", "personal data") for kind in kinds))
    decided = any(check.decides for check in principle.checks)
    return f"checked by {named}" + ("" if decided else " (signals; a model decides)")
