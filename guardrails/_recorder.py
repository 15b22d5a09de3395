"""What a guard records: each outcome and each window of a stream, with who judged and under which settings."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import asdict

from guardrails import __version__
from guardrails._assemble import judge_workers, reviser_workers
from guardrails._lane import Window
from guardrails._setup import Setup
from guardrails.audit import AuditTrail, Redaction, Run, StreamWindow, Worker
from guardrails.exchange import Exchange
from guardrails.outcome import Outcome


class Recorder:
    """Writes a guard's records; without a trail it does nothing."""

    def __init__(
        self, trail: AuditTrail | None, setup: Setup, redaction: Redaction, language: str, on_blocked: str
    ) -> None:
        self._trail = trail
        self._setup = setup
        self._redaction = redaction
        self._own = {"library": __version__, "language": language, "on_blocked": on_blocked}

    def outcome(
        self, exchange: Exchange, outcome: Outcome, labels: Mapping[str, str], *, streamed: bool = False
    ) -> None:
        """Make an outcome durable; nothing of it may be released before. `exchange` holds the original reply.

        Raises:
            AuditError: it could not be recorded.
        """
        if self._trail is not None:
            run = Run(
                exchange,
                outcome,
                *self._workers,
                labels=labels,
                guard=self._settings,
                redaction=self._redaction,
                streamed=streamed,
            )
            self._trail.record(run, self._setup.constitution.content)

    def window(self, exchange: Exchange, run_id: str, window: Window, labels: Mapping[str, str]) -> None:
        """Make a window durable; nothing of it may be released before.

        Raises:
            AuditError: it could not be recorded.
        """
        if self._trail is not None:
            constitution = self._setup.constitution
            made = StreamWindow(
                run_id,
                window.number,
                constitution.ref,
                exchange,
                window.released,
                window.attempts,
                labels,
                redaction=self._redaction,
            )
            self._trail.record(made, constitution.content)

    @functools.cached_property
    def _settings(self) -> Mapping[str, str | float | bool | None]:
        """What verdicts and their consequences depend on besides the constitution."""
        setup = self._setup
        return {
            **self._own,
            "max_revisions": setup.max_revisions,
            "on_error": setup.on_error,
            "allow_unjudged": setup.allow_unjudged,
            **{f"budget_{name}": value for name, value in asdict(setup.budget).items()},
        }

    @functools.cached_property
    def _workers(self) -> tuple[tuple[Worker, ...], tuple[Worker, ...]]:
        return judge_workers(self._setup), reviser_workers(self._setup)
