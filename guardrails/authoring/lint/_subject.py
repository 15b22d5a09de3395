"""A constitution under lint: what its own files say, and what its checks find in the examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from guardrails.constitution import Check, Constitution, Example, Hit, PersonalDataCheck, Placed, Principle
from guardrails.constitution._types import Scalar
from guardrails.errors import ConfigurationError, Problem
from guardrails.exchange import Exchange, language_of

NAMES = {"en": "English", "ja": "Japanese"}


@dataclass(frozen=True, slots=True)
class Trial:
    """What the checks of the principles that are in force together find in one example, and in its revision."""

    index: int
    example: Example
    hits: tuple[Hit, ...]
    revised: tuple[Hit, ...] = ()

    @property
    def side(self) -> str:
        """The key that the text stands under."""
        return "violates" if self.example.violates else "complies"

    @property
    def language(self) -> str:
        """The reply's language."""
        return self.example.lang or language_of(self.example.reply)


@dataclass(frozen=True)
class Own:
    """A principle that stands in the constitution's own files, in a constitution where it is in force."""

    placed: Placed
    principle: Principle
    constitution: Constitution

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Its examples, tried; every check of the constitution sees each text once."""
        return tuple(trials(self.principle, self.constitution))

    def problem(self, path: tuple[str | int, ...], message: str, advice: str = "", *, key: bool = False) -> Problem:
        """A mistake at a path in this principle."""
        return self.placed.document.problem((*self.placed.base, *path), message, advice, key=key)

    def of(self, trial: Trial, message: str, advice: str = "", *, at: str = "") -> Problem:
        """A mistake at one of its examples: at its text, or at another of its keys."""
        return self.problem(("examples", trial.index, at or trial.side), message, advice)


@dataclass(frozen=True)
class Subject:
    """What the rules look at. Of a constitution that extends others, only its own files are judged."""

    constitution: Constitution
    today: date

    @cached_property
    def own(self) -> tuple[Own, ...]:
        """The principles of its own files, those included that its variables switch off."""
        return tuple(self._own())

    @property
    def trials(self) -> Iterator[tuple[Own, Trial]]:
        """The examples of those principles, tried."""
        return ((own, trial) for own in self.own for trial in own.trials)

    @cached_property
    def inherited(self) -> tuple[Principle, ...]:
        """The principles in force that stand in other constitutions."""
        own = {one.principle.id for one in self.own}
        return tuple(principle for principle in self.constitution.principles if principle.id not in own)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The languages of the texts in its own files."""
        file = self.constitution.source.file
        texts: list[Mapping[str, str] | None] = [file.title, file.fallback, file.warning, *file.facts]
        for one in self.own:
            texts += [one.principle.title, one.principle.rule, one.principle.critique, one.principle.revision]
            texts += [text for check in one.principle.checks for _, text in wordings(check)]
        return tuple(sorted({language for text in texts if text for language in text}))

    def _own(self) -> Iterator[Own]:
        source, known = self.constitution.source, self.constitution.by_id
        others: dict[tuple[tuple[str, Scalar], ...], Constitution] = {}
        for placed in source.principles:
            name, only_if = placed.principle.id, placed.principle.only_if
            if name in source.file.disable:
                continue
            if name in known:
                yield Own(placed, known[name], self.constitution)
                continue
            key = tuple(sorted(only_if.items()))
            if key not in others:
                others[key] = self._with(only_if)
            where = others[key]
            if name not in where.by_id:  # its variables can have no such values: see IN01
                where = replace(where, principles=(*where.principles, placed.principle))
            yield Own(placed, where.by_id[name], where)

    def _with(self, variables: Mapping[str, Scalar]) -> Constitution:
        """The constitution with other variables, where they can have these values."""
        try:
            return self.constitution.select(variables=variables)
        except ConfigurationError:
            return self.constitution


def trials(principle: Principle, constitution: Constitution) -> Iterator[Trial]:
    """The examples of a principle, with what the checks of a constitution find in them."""
    beside = {p.id for p in constitution.principles if set(p.applies_to) & set(principle.applies_to)}
    for index, example in enumerate(principle.examples):
        exchange = Exchange(example.prompt or (), example.reply, example.context)
        hits = constitution.checks.run(exchange).hits
        revised = constitution.checks.run(exchange.with_reply(example.revised)).hits if example.revised else ()
        yield Trial(
            index,
            example,
            tuple(hit for hit in hits if hit.principle in beside),
            tuple(hit for hit in revised if hit.principle in beside),
        )


def kind_of(check: Check) -> str:
    """The key that says what kind of check it is."""
    return next(kind for kind in ("pattern", "require", "grounded", "personal_data") if hasattr(check, kind))


def wordings(check: Check) -> Iterator[tuple[tuple[str, ...], Mapping[str, str]]]:
    """What a check may put into a reply, with its path in the check."""
    fix = getattr(check, "fix", None)
    places: dict[tuple[str, ...], Mapping[str, str] | None] = {("fix", "replace"): fix and fix.replace}
    places |= {(key,): getattr(check, key, None) for key in ("append", "prepend")}
    for path, text in places.items():
        if text:
            yield path, text


def found(hit: Hit) -> str:
    """What a check found, in words."""
    if hit.match is not None:
        return f"finds “{hit.match.group().strip()}”"
    if hit.what:
        kind = hit.what.replace("_", " ")
        return (
            f"finds personal data ({kind})"
            if isinstance(hit.check, PersonalDataCheck)
            else f"finds {kind} of no source"
        )
    return "misses a required statement"


def number(check: Check, principle: Principle) -> int:
    """Which of a principle's checks it is, counted from 1."""
    return next(index for index, one in enumerate(principle.checks, 1) if one is check)
