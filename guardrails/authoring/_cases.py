"""A constitution's examples as test cases: a reply, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from guardrails.constitution import Constitution, Example, Placed, sources_of
from guardrails.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Label:
    """What is to be said of a reply for one principle: that it violates it, or that it complies.

    A near miss complies and looks as if it did not.
    """

    principle: str
    violates: bool
    near_miss: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One exchange with its labels. `name` tells it from others for people; `file` and `line` are where it stands.

    `revised` is what a violating reply is to become, empty where nobody said.
    """

    name: str
    exchange: Exchange
    labels: tuple[Label, ...]
    revised: str = ""
    note: str = ""
    file: str = ""
    line: int = 0

    @property
    def where(self) -> str:
        """The place, as editors and terminals open it."""
        return f"{self.file}:{self.line}" if self.line else self.file


def cases_of(constitution: Constitution) -> Iterator[Case]:
    """The examples of the principles in force, those of parents included, in the order in which they stand.

    >>> [case.name for case in cases_of(Constitution.load("finance"))][0]
    'fin-balanced-risk violates 1'
    """
    places = {placed.principle.id: placed for source in sources_of(constitution.source) for placed in source.principles}
    for principle in constitution.principles:
        placed = places[principle.id]
        count = {"violates": 0, "complies": 0}
        for index, example in enumerate(principle.examples):
            side = "violates" if example.violates else "complies"
            count[side] += 1
            yield _case(f"{principle.id} {side} {count[side]}", principle.id, example, placed, (index, side))


def _case(name: str, principle: str, example: Example, placed: Placed, at: tuple[int, str]) -> Case:
    document = placed.document
    line, _ = document.values.get((*placed.base, "examples", *at), (0, 0))
    return Case(
        name,
        Exchange(example.prompt or (), example.reply, example.context),
        (Label(principle, bool(example.violates), example.is_near_miss),),
        example.revised or "",
        example.note,
        document.file,
        line,
    )
