"""A guard's whole replies: reviewed, each choice for itself, and recorded before they are released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from guardrails import _drive, _labels, _observe
from guardrails._recorder import Recorder
from guardrails._review import review
from guardrails._setup import Setup
from guardrails.audit import uuid7
from guardrails.dialects import Reply, read
from guardrails.exchange import Exchange
from guardrails.models import Step, in_thread, together
from guardrails.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Replies:
    """Reviews whole replies."""

    setup: Setup
    recorder: Recorder
    enforces: bool

    def review(self, exchange: Exchange, reply: Reply) -> tuple[Outcome, ...]:
        """One outcome for each of the reply's choices, recorded."""
        began, labels = monotonic(), _labels.current()
        with _observe.reviewing(self.setup.constitution) as told:
            found = _drive.run(together(self._steps(exchange, reply)), self.setup.budget.seconds)
            outcomes = self._finished(found, reply, began)
            for choice, outcome in zip(reply.choices, outcomes, strict=True):
                self.recorder.outcome(exchange.with_reply(choice.text), outcome, labels)
            told(outcomes)
        return outcomes

    async def areview(self, exchange: Exchange, reply: Reply) -> tuple[Outcome, ...]:
        """As `review`, on the running event loop."""
        began, labels = monotonic(), _labels.current()
        with _observe.reviewing(self.setup.constitution) as told:
            found = await _drive.arun(together(self._steps(exchange, reply)), self.setup.budget.seconds)
            outcomes = self._finished(found, reply, began)
            for choice, outcome in zip(reply.choices, outcomes, strict=True):
                await in_thread(self.recorder.outcome, exchange.with_reply(choice.text), outcome, labels)
            told(outcomes)
        return outcomes

    def _steps(self, exchange: Exchange, reply: Reply) -> list[Step[Outcome]]:
        return [
            review(exchange.with_reply(choice.text), self.setup, uuid7(), choice.calls, silent=choice.is_silent)
            for choice in reply.choices
        ]

    def _finished(self, found: Sequence[Outcome], reply: Reply, began: float) -> tuple[Outcome, ...]:
        blocked = next((outcome for outcome in found if outcome.blocked), None)
        if not self.enforces:
            value = reply.value
        elif blocked:
            value = reply.fallback(blocked.text)
        else:
            value = reply.with_texts([outcome.text for outcome in found])
        told = {"reply": value, "elapsed": monotonic() - began, "enforced": self.enforces}
        texts = [outcome.text if self.enforces else outcome.original for outcome in found]
        return tuple(replace(outcome, text=text, **told) for outcome, text in zip(found, texts, strict=True))


def single(reply: Any) -> Reply:
    """A reply with one choice: that is what a review is of."""
    found = read(reply)
    _ = found.only
    return found
