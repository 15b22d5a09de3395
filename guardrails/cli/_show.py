"""`guardrails show`: a constitution as its authors and readers see it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from guardrails._visible import visible
from guardrails.cli._counted import counted
from guardrails.cli._data import new_file, print_json
from guardrails.cli._print import console
from guardrails.constitution import Constitution, Principle, did_you_mean, text_in
from guardrails.errors import ConfigurationError

_SHORT = 100
_FLAGS = {
    "quoted": "in quotation marks",
    "sentence": "the whole sentence",
    "delete": "deleted",
    "mask": "masked",
}
_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "dim"}


class Format(StrEnum):
    """What a constitution is shown as."""

    TEXT = "text"
    HTML = "html"
    MARKDOWN = "markdown"


def show(
    name: Annotated[str, typer.Argument(help="A shipped name, a folder or a YAML file.")],
    principle: Annotated[str | None, typer.Argument(help="One principle, whole.")] = None,
    language: Annotated[str, typer.Option("--language", "-l", help="en or ja.")] = "en",
    jurisdiction: Annotated[str | None, typer.Option("--jurisdiction", "-j", help="Only its principles.")] = None,
    layout: Annotated[
        Format, typer.Option("--format", help="Text for a terminal, or a rule book: HTML or Markdown.")
    ] = Format.TEXT,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The rule book's file. Default: standard output.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Show a constitution, or one of its principles: rules, authority, checks, examples, digest."""
    constitution = Constitution.load(name, jurisdiction=jurisdiction)
    if layout is Format.TEXT:
        _check_language(constitution, language)
    principles = constitution.principles if principle is None else (_one(constitution, principle),)
    if layout is not Format.TEXT:
        _rule_book(constitution, layout, language, principle, jurisdiction, out, as_json=as_json)
        return
    if out is not None:
        raise ConfigurationError("--out is for rule books: say --format html or --format markdown.")
    if as_json:
        data = json.loads(constitution.content)
        data["principles"] = [one.model_dump(mode="json") for one in principles]
        print_json({**data, "digest": constitution.digest})
        return
    shown = console()
    shown.print(f"{visible(constitution.name)} {visible(constitution.version)}", style="bold", end="  ")
    shown.print(f"{counted(len(constitution.principles), 'principle')}, sha256 {constitution.digest}", style="dim")
    for one in principles:
        shown.print()
        _print(one, language, whole=principle is not None)


def _rule_book(
    constitution: Constitution,
    layout: Format,
    language: str,
    principle: str | None,
    jurisdiction: str | None,
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    from guardrails.reports import rulebook

    if as_json and out is None:
        raise ConfigurationError("--json tells of a file that was written: name one with --out.")
    made = datetime.now(UTC).date()
    document = rulebook(
        constitution,
        "html" if layout is Format.HTML else "markdown",
        language=language,
        principle=principle,
        jurisdiction=jurisdiction,
        made=made,
    ).encode()
    if out is None:
        sys.stdout.buffer.write(document)
        return
    with new_file(out) as file:
        file.write(document)
    if as_json:
        print_json({"file": out, "constitution": constitution.ref})
    else:
        console().print(
            f"{visible(str(out))}: the rule book of {visible(constitution.name)} {visible(constitution.version)}"
        )


def _check_language(constitution: Constitution, language: str) -> None:
    """A text that is missing is shown in English; where all of them are, that is not what was asked for."""
    title = [constitution.source.file.title or {}]
    named = (one for text in constitution.principles for one in (text.title, text.rule, text.critique, text.revision))
    languages = {name for text in (*title, *named) for name in text or {}}
    if language not in {"en", *languages}:
        there = ", ".join(sorted(languages))
        raise ConfigurationError(f"--language {language}: {constitution.name} has no text in it. There is: {there}.")


def _one(constitution: Constitution, name: str) -> Principle:
    if name not in constitution.by_id:
        raise ConfigurationError(
            f"{constitution.name} has no principle {name!r}. {did_you_mean(name, constitution.by_id)}"
        )
    return constitution.by_id[name]


def _print(principle: Principle, language: str, *, whole: bool) -> None:
    out = console()
    out.print(visible(principle.id), style="bold", end="  ")
    out.print(principle.severity, style=_COLOURS[principle.severity], end="  ")
    where = visible(", ".join(principle.jurisdictions)) or "everywhere"
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
        note = f"  ({visible(example.note)})" if example.note else ""
        out.print(f"  {side} ", style=colour, end="")
        out.print(visible(example.reply) + note)
        if example.revised:
            out.print(f"    revised {visible(example.revised)}", style="dim")


def _lines(value: Any) -> Iterator[str]:
    """A part of a check, a line each: patterns as they are, what excuses them and mends them in short."""
    if isinstance(value, list):
        yield from map(str, value)
    elif isinstance(value, dict):
        yield "; ".join(_part(name, part) for name, part in value.items() if part not in (None, False, []))
    else:
        yield "yes" if value is True else str(value)


def _part(name: str, value: Any) -> str:
    return _FLAGS[name] if value is True else f"{name} {_short(value)}"


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return " / ".join(map(str, value.values()))
    if isinstance(value, list):
        text = ", ".join(map(str, value))
        return text if len(text) <= _SHORT else f"({len(value)} of them)"
    return str(value)


def _particulars(principle: Principle, language: str) -> Iterator[tuple[str, str]]:
    if principle.critique:
        yield "how to look for it", text_in(principle.critique, language)
    if principle.revision:
        yield "how to mend it", text_in(principle.revision, language)
    if principle.only_if:
        yield "only if", ", ".join(f"{name} is {value}" for name, value in principle.only_if.items())
    yield "scope", principle.scope
    yield "findings count from a confidence of", str(principle.threshold)
    if principle.preserve:
        yield "a revision may not drop", ", ".join(principle.preserve)
    for name in ("effective", "expires", "owner", "escalate"):
        if value := getattr(principle, name):
            yield name, str(value)


def _checks(principle: Principle) -> str:
    kinds = [type(check).__name__.removesuffix("Check").lower() for check in principle.checks]
    if not kinds:
        return "judged by a model"
    named = ", ".join(dict.fromkeys(kind.replace("personaldata", "personal data") for kind in kinds))
    decided = any(check.decides for check in principle.checks)
    return f"checked by {named}" + ("" if decided else " (signals; a model decides)")
