"""`guardrails review`: judge, revise and record replies."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from guardrails._assemble import DEFAULT_AUDIT
from guardrails._guard import Guard
from guardrails._visible import visible
from guardrails.cli._data import outcome_data, print_json
from guardrails.cli._print import console, diff, findings, headline, not_judged, put
from guardrails.errors import ConfigurationError
from guardrails.exchange import Exchange
from guardrails.outcome import Outcome, Status

Constitution = Annotated[str, typer.Option("--constitution", "-c", help="A shipped name, a folder or a YAML file.")]
Model = Annotated[str | None, typer.Option("--model", "-m", help="Judges and revises: provider:model-id.")]
Audit = Annotated[str, typer.Option("--audit", help="Where records go.", envvar="GUARDRAILS_AUDIT")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]

_ONCE = "give the reply once: as text, with --file, or many with --jsonl."
_MAX_PATH = 255


def review(
    text: Annotated[
        str | None, typer.Argument(help="The reply to review, or a file that holds it; - reads standard input.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Read the reply from a file.")] = None,
    jsonl: Annotated[
        Path | None,
        typer.Option("--jsonl", help="Review many: a line each, with reply, and prompt or messages, context."),
    ] = None,
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="The question that the reply answers.")] = "",
    context: Annotated[list[Path] | None, typer.Option("--context", help="A document the reply was given.")] = None,
    constitution: Constitution = "finance",
    model: Model = None,
    jurisdiction: Annotated[str | None, typer.Option("--jurisdiction", "-j", help="Judge only its principles.")] = None,
    audit: Audit = DEFAULT_AUDIT,
    as_json: Json = False,
) -> None:
    """Review a reply against a constitution: judge it, revise it, judge it again, record it.

    Without --model only the constitution's own rules judge, and the principles they cannot decide are named.

    Exit code: 0 passed or revised, 1 blocked, 2 could not run.
    """
    text, file, jsonl = _sources(text, file, jsonl)
    exchanges = _exchanges(text, file, jsonl, prompt, context or [])
    with Guard(
        constitution, model=model, jurisdiction=jurisdiction, audit=audit, allow_unjudged=model is None
    ) as guard:
        if jsonl is None:
            exchange = next(iter(exchanges))
            assert isinstance(exchange, Exchange)
            outcome = guard.review(exchange.messages, exchange.reply, context=exchange.context)
            _print_one(outcome, model, guard, as_json=as_json)
            raise typer.Exit(int(outcome.blocked))
        raise typer.Exit(_many(list(exchanges), guard, model, as_json=as_json))


def _sources(text: str | None, file: Path | None, jsonl: Path | None) -> tuple[str | None, Path | None, Path | None]:
    """The text that names a file is that file: reviewing its name would pass whatever it holds."""
    if text is None or text == "-" or " " in text or len(text) > _MAX_PATH or not Path(text).is_file():
        return text, file, jsonl
    if file or jsonl:
        raise ConfigurationError(_ONCE)
    path = Path(text)
    return (None, None, path) if path.suffix == ".jsonl" else (None, path, None)


def _exchanges(
    text: str | None, file: Path | None, jsonl: Path | None, prompt: str, context: list[Path]
) -> Iterable[Exchange | str]:
    if sum(source is not None for source in (text, file, jsonl)) > 1:
        raise ConfigurationError(_ONCE)
    if jsonl is not None:
        return _rows(_read(jsonl))
    if text is None and file is None and sys.stdin.isatty():
        raise ConfigurationError("there is no reply to review: give it as text, with --file, or on standard input.")
    reply = _read(file) if file is not None else sys.stdin.read() if text in {None, "-"} else str(text)
    if not reply.strip():
        raise ConfigurationError("the reply is empty: there is nothing to review.")
    return [Exchange(prompt or (), reply, [_read(path) for path in context])]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 (byte {error.start}). Save it as UTF-8.") from None


def _rows(text: str) -> Iterator[Exchange | str]:
    """The exchanges of a JSON Lines file; what is wrong with a line takes its place."""
    for number, line in enumerate(text.split("\n"), 1):  # not splitlines: JSON strings may hold U+2028
        if not line.strip():
            continue
        try:
            yield _row(json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            what = f"no {error.args[0]!r}" if isinstance(error, KeyError) else str(error)
            yield f'line {number}: {what}. Write {{"prompt": …, "reply": …}} or {{"messages": […], "reply": …}}.'


def _row(row: Any) -> Exchange:
    if not isinstance(row, dict):
        raise TypeError("not a JSON object")
    return Exchange(row.get("messages") or row.get("prompt") or (), row["reply"], row.get("context") or ())


def _many(exchanges: list[Exchange | str], guard: Guard, model: str | None, *, as_json: bool) -> int:
    outcomes, rejects = [], []
    errors = Console(stderr=True)
    for exchange in track(exchanges, "Reviewing", console=errors, disable=as_json or not errors.is_terminal):
        if isinstance(exchange, str):
            rejects.append(exchange)
            continue
        outcome = guard.review(exchange.messages, exchange.reply, context=exchange.context)
        outcomes.append(outcome)
        if not as_json and outcome.status is not Status.PASSED:
            _tell(outcome, guard)
            console().print()
    if not exchanges:
        raise ConfigurationError("the file holds no exchanges; write one JSON object a line.")
    if as_json:
        print_json({"outcomes": [outcome_data(outcome) for outcome in outcomes], "rejects": rejects})
    else:
        out = console()
        out.print(", ".join(_counted(outcomes, status, model) for status in Status))
        for reject in rejects:
            out.print(f"not reviewed: {visible(reject)}", style="red")
    if rejects:
        return 2
    return int(any(outcome.blocked for outcome in outcomes))


def _counted(outcomes: list[Outcome], status: Status, model: str | None) -> str:
    """How many ended so. Those that passed are not told one by one, and so it is said here what nobody judged."""
    ended = [outcome for outcome in outcomes if outcome.status is status]
    counted = f"{len(ended)} {status.value}"
    unjudged = sum(bool(outcome.unjudged) for outcome in ended)
    if status is not Status.PASSED or not unjudged:
        return counted
    advice = "; add --model …" if model is None else ""
    return f"{counted} ({unjudged} with principles that nobody judged{advice})"


def _tell(outcome: Outcome, guard: Guard) -> None:
    out = console()
    out.print(headline(outcome))
    out.print()
    final = outcome.attempts[-1].draft if outcome.attempts else outcome.original
    if outcome.blocked and final != outcome.original:
        out.print("the last draft, refused", style="dim")
    put(out, diff(outcome.original, final))
    out.print()
    for number, attempt in enumerate(outcome.attempts):
        lines = list(findings(attempt))
        if lines:
            out.print(f"draft {number}" + (f", revised by {attempt.reviser}" if attempt.reviser else ""), style="dim")
        put(out, lines)
    if outcome.blocked:
        out.print(f"released instead: {visible(outcome.text)}")
    trail = f" in {guard.audit.url}" if guard.audit else ""
    out.print(f"run {outcome.run_id}{trail}", style="dim")


def _print_one(outcome: Outcome, model: str | None, guard: Guard, *, as_json: bool) -> None:
    if as_json:
        print_json(outcome_data(outcome))
        return
    _tell(outcome, guard)
    out = console()
    if outcome.blocked and not outcome.verdicts:
        out.print("Nothing was judged: this constitution has no checks that could look at the reply; give a model.")
    if outcome.unjudged:
        hint = "no model was given; add --model anthropic:claude-haiku-4-5" if model is None else "no judge covers them"
        out.print(f"not judged ({hint}): {not_judged(outcome)}", style="dim")
