"""Options that several `guardrails audit` commands share, and what is made of them."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from guardrails._assemble import trail_from
from guardrails.audit import AuditTrail, Where
from guardrails.outcome import Status


def time_of(text: str) -> datetime:
    """A time as it is typed, in UTC where it says nothing else."""
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no date. Write 2026-11-24, or with a time and a zone 2026-11-24T09:00+09:00."
        ) from None


class Severity(StrEnum):
    """How grave a principle is."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


_FROM = "Only from this time on: 2026-11-24, or 2026-11-24T09:00+09:00. Without a zone it is UTC."
_TO = "Only before this time."

Audit = Annotated[str, typer.Option("--audit", help="The trail.", envvar="GUARDRAILS_AUDIT")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
By = Annotated[str, typer.Option("--by", help="Who does it. The trail keeps what you say.")]
Reason = Annotated[str, typer.Option("--reason", help="Why. The trail keeps what you say.")]

OfStatus = Annotated[Status | None, typer.Option("--status", help="Only runs that ended so.")]
OfPrinciple = Annotated[str, typer.Option("--principle", help="Only runs in which this principle was at fault.")]
OfSeverity = Annotated[
    Severity | None, typer.Option("--severity", help="Only where a principle so grave was at fault.")
]
Since = Annotated[datetime | None, typer.Option("--since", parser=time_of, metavar="TIME", help=_FROM)]
Until = Annotated[datetime | None, typer.Option("--until", parser=time_of, metavar="TIME", help=_TO)]
OfLabel = Annotated[list[str] | None, typer.Option("--label", help="Only with this label: NAME or NAME=VALUE.")]
OfConstitution = Annotated[
    str, typer.Option("--constitution", help="Only under this constitution: its name, or how its digest begins.")
]


def where(
    status: Status | None,
    principle: str,
    severity: Severity | None,
    since: datetime | None,
    until: datetime | None,
    label: list[str] | None,
    constitution: str,
) -> Where:
    """Which runs a command is about."""
    return Where(
        status=status,
        principle=principle,
        severity=severity or "",
        since=since,
        until=until,
        labels=tuple(map(name_and_value, label or ())),
        constitution=constitution,
    )


def name_and_value(label: str) -> tuple[str, str]:
    """A label as it is typed: NAME or NAME=VALUE."""
    name, _, value = label.partition("=")
    return name, value


def open_trail(audit: str) -> AuditTrail:
    """The trail that `--audit` names."""
    trail = trail_from(audit)
    assert trail is not None
    return trail
