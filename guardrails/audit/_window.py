"""The record of a stream's window: what was judged and may go out, made durable before it does.

A run that streams is one or more of these, then the record of its outcome, which holds every draft once
more. A run without that record was interrupted: the process ended before the stream did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from guardrails.audit._record import (
    Fields,
    Run,
    attempt_fields,
    attempt_of,
    reference,
    strings,
    texts_of,
    wording_fields,
)
from guardrails.audit._redact import Redaction
from guardrails.audit._store import Entry, Text
from guardrails.audit._texts import SCHEMA, Texts, timestamp
from guardrails.exchange import Exchange, Message
from guardrails.outcome import Attempt, Cause, ConstitutionRef, Outcome, Status


@dataclass(frozen=True, slots=True)
class StreamWindow:
    """Some sentences of a stream that were judged: `released` is what went out of them.

    `number` counts the windows of a run from 1. The first one holds the conversation and the labels.
    """

    run_id: str
    number: int
    constitution: ConstitutionRef
    exchange: Exchange
    released: str
    attempts: tuple[Attempt, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    redaction: Redaction = "full"


def build_window(window: StreamWindow, content: bytes | None = None) -> Entry:
    """The record of a window; `content` is the constitution's, for the trail to keep."""
    texts, exchange = Texts(window.redaction), window.exchange if window.number == 1 else Exchange()
    labels = sorted(window.labels) if window.number == 1 else []
    texts.add_all("messages", [message.content for message in exchange.messages])
    texts.add_all("context", exchange.context)
    texts.add_all("labels", [window.labels[name] for name in labels])
    attempts = [attempt_fields(f"drafts/{n}", a, exchange, texts) for n, a in enumerate(window.attempts)]
    texts.add("released", window.released)
    wording = window.constitution
    fields = {
        "schema": SCHEMA,
        "kind": "window",
        "run": window.run_id,
        "number": window.number,
        "time": timestamp(window.time),
        "redaction": window.redaction,
        "constitution": wording_fields(wording, content),
        "messages": [message.role for message in exchange.messages],
        "context": len(exchange.context),
        "labels": labels,
        "attempts": attempts,
        **texts.fields,
    }
    return Entry(fields, texts.kept, wording.digest if content else "", content or b"")


def restore_interrupted(windows: Sequence[tuple[Mapping[str, Any], Sequence[Text]]]) -> Run:
    """The run of a stream that has windows and no outcome: blocked, as far as anybody knows."""
    fields, attempts, released = windows[0][0], [], []
    for body, texts in windows:
        found = strings(body["same"], texts)
        attempts += [attempt_of(f"drafts/{n}", attempt, found) for n, attempt in enumerate(body["attempts"])]
        released.append(found.get("released", ""))
    first = strings(windows[0][0]["same"], windows[0][1])
    outcome = Outcome(
        Status.BLOCKED,
        "",
        fields["run"],
        reference(cast("Fields", fields)),
        "".join(released),
        cause=Cause.INTERRUPTED,
        released="".join(released),
        verdicts=attempts[-1].verdicts if attempts else (),
        attempts=tuple(attempts),
    )
    messages = tuple(map(Message, fields["messages"], texts_of("messages", len(fields["messages"]), first)))
    return Run(
        Exchange(messages, outcome.original, tuple(texts_of("context", fields["context"], first))),
        outcome,
        labels=dict(zip(fields["labels"], texts_of("labels", len(fields["labels"]), first), strict=True)),
        time=datetime.fromisoformat(windows[-1][0]["time"]),
        redaction=fields.get("redaction", "full"),
    )
