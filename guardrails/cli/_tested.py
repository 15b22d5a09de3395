"""What a run of examples comes to, for a terminal and as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from guardrails._visible import visible
from guardrails.authoring._run import Tested
from guardrails.authoring._scores import Share
from guardrails.authoring._tested import Confusion, Failure, Scores
from guardrails.authoring._trial import Result
from guardrails.cli._counted import counted
from guardrails.cli._data import plain
from guardrails.cli._print import diff, put

_MOST = 50
"""Failures that are told in full; the others are counted."""


def tell(out: Console, tested: Tested, model: str | None) -> None:
    """A table of the principles, what went wrong, and one line at the end."""
    constitution, runs = tested.constitution, len(tested.results[0].runs) if tested.results else 1
    out.print(visible(f"{constitution.name} {constitution.version}"), style="bold", end="  ")
    by = "the rules alone" if model is None else f"the rules and {model}{f', {runs} times' if runs > 1 else ''}"
    of = f"{counted(len(tested.scores), 'principle')}, {counted(len(tested.results), 'example')}"
    out.print(f"{of}, judged by {visible(by)}", style="dim")
    out.print(_table(tested.scores, repeated=runs > 1))
    tell_failures(out, tested.failures)
    out.print(summary(tested))
    if tested.usage.calls:
        used = tested.usage
        out.print(f"{used.calls} requests, {used.input:,} tokens in, {used.output:,} out", style="dim")


def tell_failures(out: Console, failures: Iterable[Failure]) -> None:
    """Each with its place, so that an editor opens it there."""
    told = list(failures)
    for failure in told[:_MOST]:
        _tell_failure(out, failure)
    if len(told) > _MOST:
        out.print(f"and {len(told) - _MOST} more; --json tells all of them\n")


def summary(tested: Tested) -> Text:
    """One line: what is right, what failed, what nobody judged."""
    failed = len(tested.failures)
    right = sum(result.right is True for result in tested.results)
    line = Text(f"{right} as labelled", style="green" if right and not failed else "")
    line.append(", ").append(f"{failed} failed", style="bold red" if failed else "dim")
    line.append(f", {tested.silent} not judged", style="dim")
    others = sum(bool(result.others) for result in tested.results)
    return line.append(f", {others} complying examples break another principle", style="yellow") if others else line


def tested_data(tested: Tested) -> dict[str, Any]:
    """All of it as plain data."""
    return {
        "constitution": tested.constitution,
        "principles": [_scores_data(own) for own in tested.scores],
        "results": [_result_data(result) for result in tested.results],
        "failures": [
            {"principle": one.principle, "what": one.what, "example": one.result.case.name if one.result else None}
            for one in tested.failures
        ],
        "usage": tested.usage,
    }


def _table(scores: Iterable[Scores], *, repeated: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("principle", no_wrap=True)
    for name in ("violating found", "complying flagged", "near misses flagged", "precision", "not judged", "mended"):
        table.add_column(name, justify="right")
    if repeated:
        table.add_column("runs disagree", justify="right")
    for own in scores:
        table.add_row(*_row(own, repeated=repeated))
    return table


def _row(own: Scores, *, repeated: bool) -> Iterator[Text]:
    yield Text(own.principle, style="red" if own.failures else "")
    found = f"{own.breaking.violates}/{own.breaking.total}  {own.recall}"
    yield Text(found if own.is_judged else "nothing looked at it", style="" if own.is_judged else "dim")
    yield _flagged(own.keeping)
    yield _flagged(own.near_misses)
    yield Text(str(own.precision))
    yield Text(str(own.silent), style="dim" if not own.silent else "")
    yield Text(f"{own.revised}/{own.breaking.violates}")
    if repeated:
        yield Text(str(own.disagreement), style="yellow" if own.disagreeing else "")


def _flagged(said: Confusion) -> Text:
    return Text(f"{said.violates}/{said.total}", style="bold red" if said.violates else "")


def _tell_failure(out: Console, failure: Failure) -> None:
    out.print("FAILED", style="bold red", end=" ")
    out.print(failure.principle, style="bold", end="")
    result = failure.result
    if result is None:
        out.print(f": {failure.what}\n")
        return
    out.print(f"  {visible(result.case.where)}", style="dim")
    out.print(f"  {visible(failure.what)}")
    said = result.said
    if said.critique:
        confidence = "" if said.confidence is None or said.judge == "rules" else f" ({said.confidence}%)"
        out.print(f"  {visible(said.judge)}{confidence}: {visible(said.critique)}", style="dim")
    if failure.what in result.faults and result.revised is not None:
        _tell_revision(out, result)
    else:
        put(out, (Text("      ").append(visible(line)) for line in result.case.exchange.reply.splitlines()))
    out.print()


def _tell_revision(out: Console, result: Result) -> None:
    """What the reply became against what it should have become, or else against what it was."""
    before = result.case.revised or result.case.exchange.reply
    out.print("  - expected, + made" if result.case.revised else "  - the reply, + made of it", style="dim")
    put(out, diff(before, result.revised or ""))


def _scores_data(own: Scores) -> dict[str, Any]:
    shares = {name: share_data(getattr(own, name)) for name in ("recall", "precision", "over_refusal", "disagreement")}
    told: Mapping[str, Any] = plain(own)
    return {**{key: value for key, value in told.items() if key not in {"failures", "disagreeing"}}, **shares}


def share_data(share: Share) -> dict[str, Any]:
    """A share with its interval as plain data."""
    low, high = share.interval
    return {"value": share.value, "count": share.count, "of": share.of, "low": low, "high": high}


def _result_data(result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "name": case.name,
        "file": case.file,
        "line": case.line,
        "principle": result.label.principle,
        "violates": result.label.violates,
        "near_miss": result.label.near_miss,
        "reply": case.exchange.reply,
        "said": [plain(run) for run in result.runs],
        "right": result.right,
        "revised": result.revised,
        "faults": result.faults,
        "others": result.others,
    }
