"""The story of one run, in a terminal: what was said, found, changed and released, and what people did about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from guardrails._visible import visible
from guardrails.audit import Act, StoredRun, Worker
from guardrails.cli._data import outcome_data
from guardrails.cli._print import diff, findings, headline, not_judged, put
from guardrails.errors import AuditError
from guardrails.outcome import Attempt, Cause, Outcome


def story_data(stored: StoredRun, language: str) -> dict[str, Any]:
    """The story as plain data."""
    told = stored.run
    return {
        "seq": stored.seq,
        "hash": stored.hash,
        "time": told.time,
        "redaction": told.redaction,
        "labels": dict(told.labels),
        "judges": told.judges,
        "revisers": told.revisers,
        "exchange": {"messages": told.exchange.messages, "context": told.exchange.context},
        "outcome": outcome_data(told.outcome),
        "wording": dict(_wordings(stored, language)),
        "masked": stored.masked,
        "decisions": stored.decisions,
        "erased": stored.erased,
    }


def tell_wording(out: Console, stored: StoredRun, language: str) -> None:
    """Print every principle as it was in force.

    Raises:
        AuditError: the trail was not given the wording.
    """
    if stored.wording is None:
        raise AuditError("the trail was not given the wording that this run was judged under, only its digest.")
    out.print(f"{stored.wording.name} {stored.wording.version}", style="bold")
    out.print(f"sha256 {stored.wording.digest}", style="dim")
    for principle in stored.wording.principles:
        out.print(f"\n{visible(principle)} ({stored.wording.severity(principle)})", style="bold")
        out.print(f"  {visible(stored.wording.said(principle, 'title', language))}")
        out.print(f"  {visible(stored.wording.said(principle, 'rule', language))}")


def tell(out: Console, stored: StoredRun, url: str, language: str) -> None:
    """Print the story."""
    run, outcome = stored.run, stored.run.outcome
    out.print(headline(outcome).append(f"  {run.time:%Y-%m-%d %H:%M:%S} UTC", style="dim"))
    out.print(f"run {outcome.run_id}, record {stored.seq} of {url}", style="dim")
    out.print(f"wording sha256 {outcome.constitution.digest}", style="dim")
    if outcome.unsafe:
        out.print(f"opened defaults: {', '.join(outcome.unsafe)}", style="dim")
    if stored.has_texts:
        _tell_exchange(out, stored)
    for number, attempt in enumerate(outcome.attempts):
        out.print(f"\ndraft {number}, {_origin(number, attempt, outcome)}", style="bold")
        if stored.has_texts:
            before = attempt.draft if attempt.base is None else outcome.attempts[attempt.base].draft
            put(out, diff(before, attempt.draft, attempt.first))
        put(out, findings(attempt))
    if stored.has_texts:
        _tell_released(out, outcome)
    if outcome.unjudged:
        out.print(f"not judged: {not_judged(outcome)}", style="dim")
    for principle, wording in _wordings(stored, language):
        out.print(f"\nthe wording of {principle} then", style="bold")
        out.print(f"  {visible(wording['rule'])}")
    _tell_acts(out, stored)
    workers = "; ".join(map(_worker, (*run.judges, *(w for w in run.revisers if w not in run.judges))))
    usage = outcome.usage
    cost = (
        f"{usage.calls} model calls, {usage.input} tokens in, {usage.output} out" if usage.calls else "no model calls"
    )
    out.print(f"\n{workers}; {cost}; {1000 * outcome.elapsed:.1f} ms", style="dim")
    out.print(f"record hash {stored.hash}", style="dim")


def _tell_exchange(out: Console, stored: StoredRun) -> None:
    run = stored.run
    if stored.masked:
        out.print(f"masked before it was stored, and not as it was said: {', '.join(stored.masked)}", style="yellow")
    for name, value in run.labels.items():
        out.print(f"label {name}: {visible(value)}", style="dim")
    for message in run.exchange.messages:
        out.print(f"\n{message.role}", style="bold")
        out.print(f"  {visible(message.content)}")
    for text in run.exchange.context:
        out.print("\ncontext", style="bold")
        out.print(f"  {visible(text)}")


def _tell_released(out: Console, outcome: Outcome) -> None:
    if outcome.blocked and outcome.released:
        out.print("\nreleased before that", style="bold")
        out.print(f"  {visible(outcome.released)}")
    if outcome.cause is Cause.INTERRUPTED:
        out.print("\nheard until it was interrupted", style="bold")
        out.print(f"  {visible(outcome.original)}")
    else:
        out.print(f"\n{'released instead' if outcome.blocked else 'released'}", style="bold")
        out.print(f"  {visible(outcome.text)}")


def _tell_acts(out: Console, stored: StoredRun) -> None:
    for act in stored.decisions:
        out.print(f"\n{'agreed' if act.agrees else 'overruled'}{_signed(act)}", style="bold")
        if act.reason:
            out.print(f"  {visible(act.reason)}")
    if stored.erased:
        out.print(f"\nits texts were erased{_signed(stored.erased)}", style="bold")
        out.print(f"  {visible(stored.erased.reason)}")


def _signed(act: Act) -> str:
    by = visible(act.by) or "somebody whose name was erased"
    return f" by {by}, {act.time:%Y-%m-%d %H:%M:%S} UTC (record {act.seq})"


def _wordings(stored: StoredRun, language: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Of each principle that was at fault: its rule as it stood then, from the trail alone."""
    if stored.wording is None:
        return
    verdicts = (verdict for attempt in stored.run.outcome.attempts for verdict in attempt.verdicts)
    for principle in dict.fromkeys(v.principle for v in verdicts if v.decision != "complies"):
        if principle in stored.wording.principles:
            severity, said = stored.wording.severity(principle), stored.wording.said
            texts = {key: said(principle, key, language) for key in ("title", "rule")}
            yield principle, {"severity": severity, **texts}


def _origin(number: int, attempt: Attempt, outcome: Outcome) -> str:
    """Where a draft comes from. A stream's windows are drafts of some sentences."""
    if attempt.calls:
        return "the tool calls"
    if attempt.base is not None:
        return f"revised by {attempt.reviser} from draft {attempt.base}"
    is_window = attempt.first > 1 or (number == 0 and len(attempt.draft) < len(outcome.original))
    return f"the stream from sentence {attempt.first} on" if is_window else "the reply"


def _worker(worker: Worker) -> str:
    digest = f" (prompt {worker.prompt[:12]})" if worker.prompt else ""
    return f"{worker.name}{digest}"
