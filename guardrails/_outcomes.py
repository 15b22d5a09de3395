"""Which outcome a reply came from: kept for as long as the reply lives, and no longer."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from guardrails.outcome import Outcome

_outcomes: dict[int, tuple[weakref.ref[Any], tuple[Outcome, ...]]] = {}


def outcome_of(reply: Any) -> Any:
    """The `Outcome` that a guarded call's reply came from; of a reply with several choices, a tuple of one for each.

    For SDK objects, and for streams and raw responses once they were read to the end; a `str` or a
    `dict` cannot carry one.

    Raises:
        TypeError: a `str` or a `dict`. Call the guarded function's `.outcome(…)` instead.
        LookupError: no guard returned this object.
    """
    if isinstance(reply, str | dict):
        raise TypeError(
            f"a {type(reply).__name__} cannot carry its outcome; call the guarded function as function.outcome(…)"
        )
    for held in (reply, *(getattr(reply, name, None) for name in ("response", "http_response", "_response"))):
        found = _outcomes.get(id(held))
        if found is not None and found[0]() is held:
            return one_or_all(tuple(replace(outcome, reply=held if held is reply else None) for outcome in found[1]))
    raise LookupError(
        f"this {type(reply).__name__} did not come from a guarded call, or is a stream under way. Of what a stream's "
        "helper puts together at its end, ask for the outcome of the stream."
    )


def one_or_all(outcomes: tuple[Outcome, ...]) -> Any:
    """The outcome of a reply with one choice; of several, all."""
    return outcomes[0] if len(outcomes) == 1 else outcomes


def remember(reply: Any, outcomes: Sequence[Outcome]) -> None:
    """Let `outcome_of` find the outcomes for as long as the reply lives, and no longer."""
    if isinstance(reply, str | dict) or not outcomes:  # monitor mode has none yet
        return
    key = id(reply)
    forget = _outcomes.pop  # bound now: at the end of the process the module's names are gone
    kept = tuple(replace(outcome, reply=None) for outcome in outcomes)
    with suppress(TypeError):  # an object of no weak references cannot carry one
        _outcomes[key] = (weakref.ref(reply, lambda _: forget(key, None)), kept)
