"""Turns what pydantic found into what an author can act on. Called by `_load`."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from guardrails.constitution._check_schema import (
    Fix,
    GroundedCheck,
    PatternCheck,
    PersonalDataCheck,
    RequireCheck,
    Unless,
)
from guardrails.constitution._schema import Authority, Example, Expect, Principle, Settings
from guardrails.errors import ConstitutionError, Problem

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    from guardrails.constitution._yaml import Document, Path

MAX_MISTAKES = 500

_CHECKS: Mapping[str, type[BaseModel]] = {
    "pattern": PatternCheck,
    "require": RequireCheck,
    "grounded": GroundedCheck,
    "personal_data": PersonalDataCheck,
}
_PARTS: Mapping[str, type[BaseModel]] = {
    "principles": Principle,
    "authority": Authority,
    "examples": Example,
    "settings": Settings,
    "expect": Expect,
    "unless": Unless,
    "fix": Fix,
}
_COMMA = "A comma in {…} ends a text: put the text in 'single quotes'."
_MANY, _LONG = 100, 100
_WRITE = {
    "id": "Write `id:` and the file's name without .yaml.",
    "name": "Write `name: acme-bank`.",
    "version": 'Write `version: "1.0.0"`.',
    "title": "Write `title: {en: …}`.",
    "severity": "Write `severity:` and one of critical, high, medium, low.",
    "rule": "Write `rule: {en: …}`: what a reply may not do, or must.",
    "cite": "Write `cite:` and the provision, as a lawyer would.",
}
_MAPPING = ("a mapping", "Write `key: value` lines.")
_LIST = ("a list", "Begin each item with a hyphen.")
_DATE = ("a date", "Write it as 2026-11-23.")
_WANTED = {
    "string_type": ("text", "Write text here."),
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "bool_type": ("true or false", "Write true or false, without quotes."),
    "int_type": ("a whole number", "Write 50, say: without a point, a per cent sign or quotes."),
    "float_type": ("a number", "Write it without quotes."),
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
}


class Mistakes(list[Problem]):
    """Mistakes as they are found. After 500 no more are looked for: nobody reads them, and each takes time."""

    def append(self, problem: Problem) -> None:
        """Note a mistake.

        Raises:
            ConstitutionError: with all that were found, when there are 500.
        """
        super().append(problem)
        if len(self) >= MAX_MISTAKES:
            raise ConstitutionError(self)

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note several, as `append` does."""
        for problem in problems:
            self.append(problem)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Advice naming the nearest known word, or what there is where none is near."""
    known = sorted(known)
    # Comparing takes long: of many words only those that stand around it in the alphabet, and none that are long.
    at = bisect(known, word) if len(known) > _MANY else 0
    around = (one for one in known[max(0, at - _MANY // 2) :][:_MANY] if len(one) <= _LONG)
    near = get_close_matches(word, around, n=1, cutoff=0.7) if len(word) <= _LONG else []
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"There is: {', '.join(one[:_LONG] for one in known[:30])}." if known else ""


def problems(error: ValidationError, model: type[BaseModel], document: Document, base: Path = ()) -> Iterator[Problem]:
    """The mistakes in one validation error, each at its place in the document."""
    every = error.errors(include_url=False)
    consequences = _consequences(every)
    for found in every:
        location = found["loc"]
        if (found["type"], location) in consequences:
            continue
        path = (*base, *_without_tags(location))
        kind, name = found["type"], str(location[-1]) if location else ""
        if kind == "extra_forbidden":
            advice = _COMMA if " " in name else did_you_mean(name, _fields(model, location))
            yield document.problem(path, f"unknown key {_shown(name)}.", advice, key=True)
        elif kind == "missing":
            yield document.problem(path[:-1], f"the key {name!r} is missing.", _WRITE.get(name, ""))
        else:
            message, advice = _message(found)
            if kind == "string_type" and path in document.written:
                advice = f'Put it in quotes: "{document.written[path]}".'
            yield document.problem(path, message, advice, key=name == "[key]")


def _consequences(every: Sequence[Mapping[str, Any]]) -> set[tuple[str, tuple[str | int, ...]]]:
    """Mistakes that others lead to, by kind and place: a list too short without its bad item, say."""
    places = [found["loc"] for found in every]
    short = {("too_short", place[:length]) for place in places for length in range(len(place))}
    return short | {("string_type", place[:-1]) for place in places if place and place[-1] == "[key]"}


def _message(found: Mapping[str, Any]) -> tuple[str, str]:
    kind, value, context = found["type"], found.get("input"), found.get("ctx", {})
    if value is None:
        return f"{str(found['loc'][-1]) if found['loc'] else 'this'!r} is empty.", "Write its value, or remove it."
    if kind == "value_error":
        head, _, advice = str(context["error"]).partition(". ")
        return f"{head.rstrip('.')}.", advice
    if kind == "literal_error":
        allowed = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
        near = get_close_matches(str(value), allowed, n=1)
        return f"{_shown(value)} is not one of {', '.join(allowed)}.", f"Did you mean {near[0]!r}?" if near else ""
    if kind == "string_pattern_mismatch":
        return _malformed(found)
    if kind in _WANTED:
        wanted, advice = _WANTED[kind]
        return f"this must be {wanted}, not {_shown(value) if kind == 'int_type' else _kind_of(value)}.", advice
    text = found["msg"].replace("Input should", "this should")
    return f"{text[:1].lower()}{text[1:]}.", ""


def _malformed(found: Mapping[str, Any]) -> tuple[str, str]:
    value = found.get("input")
    if found["loc"][-1] != "[key]":
        form = found["ctx"]["pattern"]
        return f"{_shown(value)} is not of the form {form}.", "Use small letters, digits and hyphens."
    return f"{_shown(value)} is no language.", _COMMA if " " in str(value) else "Write en, ja or another two letters."


def _fields(model: type[BaseModel], location: Sequence[str | int]) -> Iterable[str]:
    for before, part in zip(("", *location), location[:-1], strict=False):
        kinds = _CHECKS if isinstance(before, int) and part in _CHECKS else _PARTS
        model = kinds.get(str(part), model)
    return model.model_fields


def _without_tags(location: Sequence[str | int]) -> Iterator[str | int]:
    """The place in the data: pydantic adds the name of the kind of check, and of the part of a union."""
    for index, part in enumerate(location):
        tagged = index >= 2 and location[index - 2] == "checks" and isinstance(location[index - 1], int)  # noqa: PLR2004 - checks, number, tag
        if not tagged and part != "[key]":
            yield part


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…'"  # noqa: PLR2004 - a line of a terminal


def _kind_of(value: Any) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return "nothing" if value is None else kinds.get(type(value), type(value).__name__)
