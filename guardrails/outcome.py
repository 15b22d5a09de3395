"""What came of a guarded call, with everything that led there."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from guardrails.sentences import Edit
from guardrails.verdict import Verdict


class Status(StrEnum):
    """`passed`: released as it was; `revised`: released after edits; `blocked`: not released."""

    PASSED = "passed"
    REVISED = "revised"
    BLOCKED = "blocked"


class Cause(StrEnum):
    """Why an outcome is not `passed`."""

    VIOLATION = "violation"
    """A principle was broken."""
    UNDECIDED = "undecided"
    """A principle could not be decided, or nothing was judged at all."""
    INTERRUPTED = "interrupted"
    """A stream that was cut off, or that its consumer left, before its end."""
    BUDGET = "budget"
    """The time, the calls or the tokens of the call's budget were used up."""
    ERROR = "error"
    """A check broke."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One draft with its verdicts, and the edits that made it from the draft it revises.

    `draft` is the whole text; the first attempt holds the original. `base` is the index of the
    attempt whose draft was edited, None for the original. `reviser` names who edited. `problem` says
    why no revision of this draft followed, where one was wanted. The draft of a stream's window holds
    the sentences from number `first` on: those before it were out. `calls` marks an attempt whose text
    are the reply's tool calls.
    """

    draft: str
    verdicts: tuple[Verdict, ...] = ()
    edits: tuple[Edit, ...] = ()
    append: str | None = None
    reviser: str = ""
    base: int | None = None
    problem: str = ""
    first: int = 1
    calls: bool = False


@dataclass(frozen=True, slots=True)
class Tokens:
    """Requests made to models, and the tokens they cost. `input` includes what a cache answered."""

    calls: int = 0
    input: int = 0
    output: int = 0
    cache_read: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.calls + other.calls,
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """What a guarded call cost beyond the call itself, by role.

    >>> Usage(judge=Tokens(calls=2, input=900, output=12)).calls
    2
    """

    judge: Tokens = field(default_factory=Tokens)
    revise: Tokens = field(default_factory=Tokens)
    abandoned: int = 0
    """Plain callables that outlived their deadline: Python cannot end a thread."""

    @property
    def total(self) -> Tokens:
        """Judging and revising together."""
        return self.judge + self.revise

    @property
    def calls(self) -> int:
        """Requests made to models."""
        return self.total.calls

    @property
    def input(self) -> int:
        """Tokens read, cached ones included."""
        return self.total.input

    @property
    def output(self) -> int:
        """Tokens written."""
        return self.total.output

    @property
    def cache_read(self) -> int:
        """Tokens that the provider read from its cache."""
        return self.total.cache_read


@dataclass(frozen=True, slots=True)
class ConstitutionRef:
    """Which wording was in force: name, version and digest."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a guarded call.

    `text` is what may be released: the reply, its revision, or for a blocked one the
    constitution's fallback, never the draft. `reply` is the same in the type that the wrapped call
    returned. `original` is the reply as the model wrote it, `released` what a stream had already
    let out. `verdicts` are those of the last round, `attempts` holds every draft. `unjudged` are
    the principles that no judge covered, `flags` those broken whose violations are only flagged.
    `elapsed` is in seconds. `enforced` is False in monitor mode, where the original was released
    whatever stands here. `unsafe` names the opened defaults that let this outcome through.
    """

    status: Status
    text: str
    run_id: str
    constitution: ConstitutionRef
    original: str
    cause: Cause | None = None
    reply: Any = None
    released: str = ""
    verdicts: tuple[Verdict, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    unjudged: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    usage: Usage = field(default_factory=Usage)
    elapsed: float = 0.0
    enforced: bool = True
    unsafe: tuple[str, ...] = ()

    @property
    def blocked(self) -> bool:
        """Whether the reply may not be released."""
        return self.status is Status.BLOCKED

    @property
    def at_fault(self) -> tuple[str, ...]:
        """The ids of the principles that the last round found broken or could not decide."""
        found = (v.principle for v in self.verdicts if v.decision != "complies")
        return tuple(dict.fromkeys(found))
