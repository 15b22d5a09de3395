"""Many exchanges, one after the other for rules and several at once for models."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from guardrails import _drive
from guardrails._assemble import judges_from, reviser_from
from guardrails._budget import Budget, Spent
from guardrails._review import Review
from guardrails._setup import Scope, Setup
from guardrails.constitution import Constitution
from guardrails.exchange import Exchange
from guardrails.models import Model, Step, model_from
from guardrails.outcome import Usage
from guardrails.verdict import Verdict

T = TypeVar("T")

AT_ONCE = 8
"""Requests to a model under way at the same time."""


def setup_for(
    constitution: Constitution,
    model: Model | str | Callable[..., Any] | None = None,
    *,
    language: str = "en",
    budget: Budget | None = None,
) -> Setup:
    """What a guard with these options reviews with; without a model, the rules alone."""
    made = None if model is None else model_from(model)
    return Setup(
        constitution,
        judges=judges_from(None, made, constitution, language),
        reviser=reviser_from(None, made, constitution, language),
        budget=budget or Budget(),
        max_revisions=constitution.settings.max_revisions,
        allow_unjudged=True,
    )


def judged(exchange: Exchange, setup: Setup, scope: Scope | None = None) -> Step[tuple[tuple[Verdict, ...], Usage]]:
    """The verdicts on a reply as it is, and what they cost. Nothing is revised.

    `scope` are the principles and their judges; the default is those of whole replies.
    """
    spent = Spent(setup.budget)
    verdicts = yield from Review(exchange, setup, "", spent=spent, scope=scope).judge()
    return verdicts, spent.usage


def in_order(steps: Iterable[Step[T]], at_once: int = AT_ONCE, seconds: float | None = None) -> Iterator[T]:
    """Drive the steps, at most so many at the same time, and give their results in the order of the steps.

    `seconds` is the time that each may take. Steps are begun as results are taken.

    >>> def doubled(number):
    ...     yield from ()
    ...     return number * 2
    >>> list(in_order(map(doubled, [1, 2, 3])))
    [2, 4, 6]
    """
    under_way: deque[Future[T]] = deque()
    try:
        for step in steps:
            under_way.append(_drive.start(step, seconds))
            while under_way and (len(under_way) >= at_once or under_way[0].done()):
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()
