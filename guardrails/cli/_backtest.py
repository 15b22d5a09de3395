"""`guardrails backtest`: what a draft of a constitution would have said of recorded replies."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from guardrails._assemble import DEFAULT_AUDIT, one_of
from guardrails._budget import Budget
from guardrails._visible import visible
from guardrails.authoring._backtest import EXAMPLES, SEED, Backtest, backtest
from guardrails.authoring._versions import constitution_of_version
from guardrails.cli._audit import progress
from guardrails.cli._backtested import tell
from guardrails.cli._data import print_json
from guardrails.cli._options import (
    Audit,
    Json,
    OfConstitution,
    OfLabel,
    OfPrinciple,
    OfSeverity,
    OfStatus,
    Since,
    Until,
    open_trail,
    where,
)
from guardrails.cli._print import console
from guardrails.errors import ConfigurationError, ModelError
from guardrails.reports import LANGUAGES
from guardrails.reports._backtest import check_file, write_backtest

_IN_TERMINAL = 3
_BUDGET = "calls=200,tokens=1000000,seconds=600"

New = Annotated[str, typer.Argument(help="The draft: a shipped name, a folder or file, or a git revision REV:path.")]
Baseline = Annotated[
    str | None,
    typer.Option("--baseline", help="Judge under this one, too (as HEAD:path), and compare with that, not the record."),
]
Model = Annotated[str | None, typer.Option("--model", "-m", help="Judges, too: provider:model-id.")]
Examples = Annotated[
    int | None,
    typer.Option(
        "--examples",
        min=0,
        help=f"Replies shown of each principle and kind. Default: {_IN_TERMINAL}; {EXAMPLES} in a file and as JSON.",
    ),
]


def run_backtest(
    new: New,
    baseline: Baseline = None,
    model: Model = None,
    sample: Annotated[int | None, typer.Option("--sample", min=1, help="Judge so many, drawn at random.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Draws another sample.")] = SEED,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, help="Only so many runs, the newest.")] = None,
    budget: Annotated[str, typer.Option("--budget", help=f"What all of it may spend: {_BUDGET}, or some of it.")] = "",
    examples: Examples = None,
    jurisdiction: Annotated[str | None, typer.Option("--jurisdiction", "-j", help="Judge only its principles.")] = None,
    status: OfStatus = None,
    principle: OfPrinciple = "",
    severity: OfSeverity = None,
    since: Since = None,
    until: Until = None,
    label: OfLabel = None,
    constitution: OfConstitution = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write a report to this HTML file, too.")] = None,
    language: Annotated[str, typer.Option("--language", "-l", help="Of titles and the report: en or ja.")] = "en",
    audit: Audit = DEFAULT_AUDIT,
    as_json: Json = False,
) -> None:
    """Judge recorded replies under a draft of a constitution: what would newly be flagged, and what no longer.

    Each reply is judged as the application gave it. Without --model only the constitution's own rules judge, and
    what a model had found is not comparable. Nothing is revised, and nothing is written to the trail.

    Exit code: 0 it was done, whatever the difference; 2 could not run.
    """
    one_of("language", language, LANGUAGES)
    if out is not None:
        check_file(out)
    kept = _IN_TERMINAL if out is None and not as_json else EXAMPLES
    wanted, allowed = where(status, principle, severity, since, until, label, constitution), _budget(budget)
    draft = constitution_of_version(new, jurisdiction)
    old = constitution_of_version(baseline, jurisdiction) if baseline is not None else None
    with open_trail(audit) as trail, progress("judging", as_json=as_json) as told:
        found = backtest(
            trail,
            draft,
            where=wanted,
            limit=limit,
            sample=sample,
            seed=seed,
            model=model,
            baseline=old,
            budget=allowed,
            examples=kept if examples is None else examples,
            language=language,
            progress=told,
        )
    if out is not None:
        write_backtest(found, out, language)
    if as_json:
        print_json(_data(found))
    else:
        tell(console(), found, _IN_TERMINAL if examples is None else examples)
        if out is not None:
            console().print(visible(f"\n{out}"), style="bold")
    if model is not None and found.failed == found.judged > 0:
        raise ModelError(f"{model} judged nothing: {next(iter(found.failures))}")


def _budget(text: str) -> Budget:
    """What is typed as `calls=200,seconds=600`; what is not named is not limited."""
    names, given = {field.name: None for field in fields(Budget)}, {}
    for part in filter(None, text.split(",")):
        name, _, value = part.strip().partition("=")
        if name not in names or not value.isdecimal() or name in given:
            raise ConfigurationError(f"--budget {text!r}: {part.strip()!r} is no part of it. Write {_BUDGET}.")
        given[name] = int(value)
    return Budget(**{**names, **given})


def _data(found: Backtest) -> dict[str, Any]:
    """All of it as plain data, with the shares and their intervals."""
    own = {field.name: getattr(found, field.name) for field in fields(found)}
    rulings: dict[str, dict[str, int]] = {}
    for (then, now), count in found.rulings.items():
        rulings.setdefault(then, {})[now] = count
    shares = {name: getattr(found, name) for name in ("newly", "newly_stopped", "newly_revised", "newly_released")}
    return {
        **own,
        "rulings": rulings,
        "wordings": [{"constitution": one, "replies": count} for one, count in found.wordings.items()],
        "shares": {name: _share(found, count) for name, count in shares.items()},
        "principles": [
            {**{field.name: getattr(row, field.name) for field in fields(row)}, "newly_share": _share(found, row.newly)}
            for row in found.principles
        ],
    }


def _share(found: Backtest, count: int) -> dict[str, Any]:
    share = found.share(count)
    low, high = share.interval if found.is_partial else (None, None)
    return {"count": count, "share": share.value, "low": low, "high": high}
