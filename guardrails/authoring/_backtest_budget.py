"""What a whole backtest may spend: one budget over many reviews."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic
from typing import TypeVar

from guardrails._budget import Budget
from guardrails.models import Ask, Done, ModelReply, Request, Result, Step, advance
from guardrails.outcome import Tokens

T = TypeVar("T")


class Allowance:
    """Counts what steps ask of models, and refuses what goes beyond a budget for all of them together.

    Calls are counted before they are made, and never exceeded. Tokens and seconds are looked at before each request:
    those under way are waited for. Safe to use from any thread.

    >>> Allowance(Budget(seconds=None, calls=0)).used_up
    'calls'
    """

    def __init__(self, budget: Budget, clock: Callable[[], float] = monotonic) -> None:
        self._budget = budget
        self._clock = clock
        self._began = clock()
        self._lock = Lock()
        self.usage = Tokens()

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return self._clock() - self._began

    @property
    def used_up(self) -> str:
        """What has run out: `calls`, `tokens` or `seconds`; empty while there is some of each."""
        budget, used = self._budget, self.usage
        if budget.calls is not None and used.calls >= budget.calls:
            return "calls"
        if budget.tokens is not None and used.input + used.output >= budget.tokens:
            return "tokens"
        return "seconds" if budget.seconds is not None and self.seconds >= budget.seconds else ""

    def metered(self, step: Step[T]) -> Step[T | None]:
        """Run a step; None where the budget ran out before it was done."""
        requests = advance(step)
        while not isinstance(requests, Done):
            if not all(map(self._takes, requests)):
                step.close()
                return None
            results = yield requests
            self._count(results)
            requests = advance(step, results)
        return requests.value

    def _takes(self, request: Request) -> bool:
        if not isinstance(request, Ask):
            return True
        with self._lock:
            if self.used_up:
                return False
            self.usage += Tokens(1)
        return True

    def _count(self, results: Sequence[Result]) -> None:
        for result in results:
            if isinstance(result, ModelReply):
                with self._lock:
                    cost = Tokens(0, result.input_tokens, result.output_tokens, result.cache_read_tokens)
                    self.usage += cost
