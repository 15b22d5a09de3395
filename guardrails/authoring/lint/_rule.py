"""What a lint rule is, and what one finds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from guardrails.authoring.lint._subject import Subject
from guardrails.errors import Problem

Level = Literal["error", "advice"]
Path = tuple[str | int, ...]
"""Where a value stands in a principle's or a constitution's data."""
Find = Callable[[Subject], Iterable[Problem]]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a constitution that somebody should change: by which rule, where, and what to do.

    An `error` should not go live. `advice` names what would make the constitution better.
    """

    code: str
    name: str
    problem: Problem
    level: Level = "error"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is looked for. `doc` is its page: what, why, avoid and prefer, in Markdown."""

    code: str
    name: str
    level: Level
    doc: str
    find: Find

    def at(self, problem: Problem) -> Finding:
        """What the rule found, as a finding."""
        return Finding(self.code, self.name, problem, self.level)


def rule(code: str, name: str, level: Level = "error") -> Callable[[Find], Rule]:
    """Make a rule of a function that finds problems; its docstring is the rule's page."""

    def made(find: Find) -> Rule:
        return Rule(code, name, level, inspect.getdoc(find) or "", find)

    return made
