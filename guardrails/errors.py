"""Every error that this library raises.

::

    GuardrailsError
    ├── ConfigurationError      a guard, decorator or option that cannot work
    │   └── ConstitutionError   a constitution with mistakes, all of them listed
    ├── Blocked                 a reply that may not be released (`.outcome` says why)
    ├── UnsupportedReply        a reply of a type that cannot be judged
    ├── UnguardedCall           a wrapped client's call whose reply no guard would see
    ├── ModelError              a model that could not be reached or used
    └── AuditError              a trail that cannot be written, read or trusted

The messages carry ids, places and advice, never the text of an exchange.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.outcome import Outcome


class GuardrailsError(Exception):
    """The root: catch it to catch everything that this library raises."""


class ConfigurationError(GuardrailsError):
    """A guard, a decorator or an option that cannot work; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a constitution: where it is, what is wrong, what to write instead.

    `line` and `column` count from 1; 0 means that the problem is the file as a whole.
    """

    file: str
    line: int
    column: int
    message: str
    advice: str = ""

    def __post_init__(self) -> None:
        # Both may quote a file, line ends and all; a report has one line for each mistake.
        object.__setattr__(self, "message", " ".join(self.message.splitlines()))
        object.__setattr__(self, "advice", " ".join(self.advice.splitlines()))

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}" + (f" {self.advice}" if self.advice else "")


class ConstitutionError(ConfigurationError):
    """A constitution that cannot be used; `problems` lists every mistake found, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type[ConstitutionError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class Blocked(GuardrailsError):  # noqa: N818 - it is what happened, not a fault of the program
    """A reply that the constitution does not permit.

    `outcome` holds the drafts, verdicts and fallback text; the message itself carries only ids,
    so that it may be logged.
    """

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        cause = outcome.cause.value if outcome.cause else "unknown"
        at_fault = ", ".join(outcome.at_fault) or "none"
        super().__init__(f"reply blocked (cause: {cause}; principles: {at_fault}; run {outcome.run_id})")

    def __reduce__(self) -> tuple[type[Blocked], tuple[Outcome]]:
        return type(self), (self.outcome,)


class UnsupportedReply(GuardrailsError, TypeError):  # noqa: N818 - a public name
    """A guarded function returned something that is not a reply."""


class UnguardedCall(GuardrailsError):  # noqa: N818 - it is what happened, not a fault of the program
    """A call of a wrapped client that could return text which no guard has seen; it was not sent."""


class ModelError(GuardrailsError):
    """A model that could not be reached, or that answered with an error.

    `retryable` says whether asking again may help; `retry_after` is the wait in seconds that the
    server asked for, or None; `status` is the HTTP status, or None where there was no answer.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        self.retryable = retryable
        self.retry_after = retry_after
        self.status = status
        super().__init__(message)


class AuditError(GuardrailsError):
    """An audit trail that cannot be opened, written or read. Nothing was released."""
