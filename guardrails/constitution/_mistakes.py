"""Turns what pydantic found into what an author can act on. Called by `_load`."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

    from guardrails.constitution._yaml import Document, Path
    from guardrails.errors import Problem

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
    "int_type": ("a whole number", "Write it without quotes."),
    "float_type": ("a number", "Write it without quotes."),
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Advice naming the nearest known word, or what there is where none is near."""
    known = sorted(known)
    near = get_close_matches(word, known, n=1, cutoff=0.7)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"There is: {', '.join(known[:30])}." if known else ""


def problems(error: ValidationError, model: type[BaseModel], document: Document, base: Path = ()) -> Iterator[Problem]:
    """The mistakes in one validation error, each at its place in the document."""
    every = error.errors(include_url=False)
    for found in every:
        location = found["loc"]
        if _follows(found, every):
            continue
        path = (*base, *_without_tags(location))
        kind, name = found["type"], str(location[-1]) if location else ""
        if kind == "extra_forbidden":
            advice = did_you_mean(name, _fields(model, location))
            yield document.problem(path, f"unknown key {name!r}.", advice, key=True)
        elif kind == "missing":
            yield document.problem(path[:-1], f"the key {name!r} is missing.", _WRITE.get(name, ""))
        else:
            message, advice = _message(found)
            if kind == "string_type" and path in document.written:
                advice = f'Put it in quotes: "{document.written[path]}".'
            yield document.problem(path, message, advice, key=name == "[key]")


def _follows(found: Mapping[str, Any], every: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a mistake is only what another one leads to: a list too short without its bad item, say."""
    location = found["loc"]
    if found["type"] == "too_short":
        return any(other["loc"][: len(location)] == location and other is not found for other in every)
    return found["type"] == "string_type" and any(other["loc"] == (*location, "[key]") for other in every)


def _message(found: Mapping[str, Any]) -> tuple[str, str]:
    kind, value, context = found["type"], found.get("input"), found.get("ctx", {})
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
        return f"this must be {wanted}, not {_kind_of(value)}.", advice
    text = found["msg"].replace("Input should", "this should")
    return f"{text[:1].lower()}{text[1:]}.", ""


def _malformed(found: Mapping[str, Any]) -> tuple[str, str]:
    value = found.get("input")
    if found["loc"][-1] != "[key]":
        form = found["ctx"]["pattern"]
        return f"{_shown(value)} is not of the form {form}.", "Use small letters, digits and hyphens."
    comma = "A comma in {…} ends a text: put the text in 'single quotes'."
    return f"{_shown(value)} is no language.", comma if " " in str(value) else "Write en, ja or another two letters."


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
