"""What a guarded call may spend on judging and revising, and what it has spent. Used by the loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from guardrails.models import Ask, Done, Failure, ModelReply, Request, Result, Step, advance
from guardrails.outcome import Tokens, Usage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Budget:
    """What one guarded call may spend on judging and revising; None is no limit.

    `seconds` are wall-clock, for the whole review. `calls` are requests to models; `tokens` are input
    and output together, checked before each request. A review that runs out is blocked, with the cause
    `budget`.

    >>> Budget(seconds=10, calls=6).tokens is None
    True
    """

    seconds: float | None = 60.0
    calls: int | None = None
    tokens: int | None = None


class Spent:
    """Counts what a review spends, and refuses what goes beyond its budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.usage = Usage()
        self.out = False

    def metered(self, step: Step[T]) -> Step[T]:
        """Run a step, answering what the budget does not allow with a failure instead."""
        requests = advance(step)
        while not isinstance(requests, Done):
            allowed = list(self._allowed(requests))
            forwarded = [request for request, may in zip(requests, allowed, strict=True) if may]
            for request in forwarded:  # now: what is asked is paid for, whether or not anybody waits for the answer
                self._add(request, Tokens(1))
            answers = iter((yield forwarded) if forwarded else ())
            refused = Failure("budget", "the call's budget is used up")
            results: list[Result] = [next(answers) if may else refused for may in allowed]
            for request, result in zip(requests, results, strict=True):
                self._count(request, result)
            requests = advance(step, results)
        return requests.value

    def _allowed(self, requests: Sequence[Request]) -> Iterator[bool]:
        calls, tokens = self.usage.calls, self.usage.input + self.usage.output
        for request in requests:
            if not isinstance(request, Ask):
                yield True
                continue
            calls += 1
            too_many = self._budget.calls is not None and calls > self._budget.calls
            too_long = self._budget.tokens is not None and tokens >= self._budget.tokens
            yield not (too_many or too_long)

    def _count(self, request: Request, result: Result) -> None:
        if isinstance(result, Failure):
            self.out = self.out or result.kind in {"deadline", "budget"}
            self.usage = replace(self.usage, abandoned=self.usage.abandoned + result.abandoned)
        if isinstance(result, ModelReply):
            self._add(request, Tokens(0, result.input_tokens, result.output_tokens, result.cache_read_tokens))

    def _add(self, request: Request, cost: Tokens) -> None:
        if not isinstance(request, Ask):
            return
        if request.request.purpose == "judge":
            self.usage = replace(self.usage, judge=self.usage.judge + cost)
        else:
            self.usage = replace(self.usage, revise=self.usage.revise + cost)
