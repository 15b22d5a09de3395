"""The compiled constitution: what judges, revisers and the policy work from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from guardrails.constitution._checks import CheckSet
from guardrails.constitution._load import Placed, Source, load
from guardrails.constitution._mistakes import Mistakes, did_you_mean
from guardrails.constitution._schema import Expect, Principle, Settings
from guardrails.constitution._template import TemplateMistakeError, is_template, render
from guardrails.constitution._types import Scalar, text_in
from guardrails.errors import ConfigurationError, ConstitutionError, Problem
from guardrails.outcome import ConstitutionRef

_FALLBACK = {
    "en": "I can't give a reliable answer to this here. Please ask a qualified person.",
    "ja": "この件については、ここで確かなお答えができません。専門の担当者にご相談ください。",
}
_WARNING = {
    "en": "Please note: this answer did not meet all of our checks. Have a qualified person confirm it first.",
    "ja": "ご注意: この回答は当社の確認項目をすべて満たしてはいません。利用される前に専門の担当者にご確認ください。",
}
_NOTHING: tuple[object, ...] = ("", [], {})
_Part = TypeVar("_Part", bound=BaseModel)
_TEXTS = {"title", "rule", "critique", "revision", "replace", "append", "prepend", "fallback", "warning", "facts"}


@dataclass(frozen=True)
class Constitution:
    """A named, versioned set of principles.

    `digest` is the SHA-256 of the compiled content as 64 hexadecimal digits: it changes when anything
    that affects judging, revising or blocking does, and not with comments, layout or approvals.

    >>> finance = Constitution.load("finance")
    >>> finance.name, len(finance.principles)
    ('finance', 16)
    """

    name: str
    version: str
    principles: tuple[Principle, ...]
    settings: Settings
    variables: Mapping[str, Scalar]
    facts: tuple[Mapping[str, str], ...]
    fallback: Mapping[str, str]
    warning: Mapping[str, str]
    expect: Expect
    source: Source = field(repr=False, compare=False)
    """The files as they were written, with the place of every value."""

    @classmethod
    def load(
        cls,
        source: str | os.PathLike[str],
        *,
        jurisdiction: str | None = None,
        variables: Mapping[str, Scalar] | None = None,
    ) -> Constitution:
        """Load a shipped name (`finance`, `medical`, `legal`, `general`), a folder or a YAML file.

        A shipped name wins over a path of the same name: write `./finance` for the path.
        `jurisdiction` keeps the principles of one jurisdiction (default: all); `variables` override the
        constitution's own.

        Raises:
            ConstitutionError: with all mistakes, each with file, line and column.
            ConfigurationError: an unknown jurisdiction or variable.
        """
        found = Mistakes()
        return _compile(load(source, found), jurisdiction, variables or {}, found)

    def select(self, *, jurisdiction: str | None = None, variables: Mapping[str, Scalar] | None = None) -> Constitution:
        """This constitution for one jurisdiction, or with other variables."""
        return _compile(self.source, jurisdiction, variables or {}, [])

    @cached_property
    def content(self) -> bytes:
        """The compiled content, as canonical JSON: what the digest is taken over."""
        content = {
            "name": self.name,
            "version": self.version,
            "principles": [_said(p.model_dump(mode="json", exclude={"expect"})) for p in self.principles],
            "settings": self.settings.model_dump(mode="json"),
            "variables": self.variables,
            "facts": self.facts,
            "fallback": self.fallback,
            "warning": self.warning,
        }
        return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

    @cached_property
    def digest(self) -> str:
        """SHA-256 over `content`, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def ref(self) -> ConstitutionRef:
        """Name, version and digest: which wording was in force."""
        return ConstitutionRef(self.name, self.version, self.digest)

    @cached_property
    def by_id(self) -> Mapping[str, Principle]:
        """The principles by their ids."""
        return {p.id: p for p in self.principles}

    @cached_property
    def checks(self) -> CheckSet:
        """The deterministic checks of all principles, compiled."""
        return CheckSet(self.principles, self.stated_facts)

    @cached_property
    def stated_facts(self) -> tuple[str, ...]:
        """Texts whose facts replies and revisions may state: `facts`, and the wording of fixes and disclosures."""
        wording = [text for p in self.principles for check in p.checks for text in _wording(check)]
        return tuple(text for texts in [*self.facts, *wording] for text in texts.values())

    def fallback_in(self, language: str) -> str:
        """What a user reads instead of a blocked reply."""
        return text_in(dict(self.fallback), language)

    def warning_in(self, language: str) -> str:
        """What the `append` rung adds."""
        return text_in(dict(self.warning), language)


def _wording(check: Any) -> Iterator[Mapping[str, str]]:
    fix = getattr(check, "fix", None)
    for texts in (fix.replace if fix else None, getattr(check, "append", None), getattr(check, "prepend", None)):
        if texts:
            yield texts


def _compile(
    source: Source, jurisdiction: str | None, overrides: Mapping[str, Scalar], found: list[Problem]
) -> Constitution:
    lineage = sources_of(source)
    declared = {key: value for s in lineage for key, value in s.file.variables.items()}
    unknown = sorted(set(overrides) - set(declared))
    if unknown and not found:
        advice = did_you_mean(unknown[0], declared)
        raise ConfigurationError(f"{source.file.name} has no variable {unknown[0]!r}. {advice}")
    for name, value in overrides.items():
        if name in declared and not _alike(value, declared[name]):
            kind = type(declared[name]).__name__
            raise ConfigurationError(f"{source.file.name}: the variable {name!r} is a {kind}, not {value!r}.")
    variables = {**declared, **overrides}
    placed = _merged(lineage, found)
    _check_references(placed.values(), variables, found)
    principles = [_rendered(p, variables, found) for p in placed.values()]
    texts = {key: _inherited_text(lineage, key, variables, found) for key in ("fallback", "warning")}
    facts = tuple(_render(t, ("facts", i), s, variables, found) for s in lineage for i, t in enumerate(s.file.facts))
    if not placed and not found:
        advice = "Put principles in principles/*.yaml, write `principles:`, or extend a constitution."
        found.append(source.document.problem((), "the constitution has no principles.", advice))
    if found:
        raise ConstitutionError(found)
    return Constitution(
        name=source.file.name,
        version=source.file.version,
        principles=tuple(_selected(principles, jurisdiction, variables, source.file.name)),
        settings=_inherited(lineage, "settings", Settings),
        variables=variables,
        facts=facts,
        fallback=texts["fallback"] or _FALLBACK,
        warning=texts["warning"] or _WARNING,
        expect=_inherited(lineage, "expect", Expect),
        source=source,
    )


def _alike(value: object, declared: Scalar) -> bool:
    """Of the same kind: "false" from an environment is text, and would switch off what asks for false."""
    if isinstance(declared, bool) or isinstance(value, bool):
        return isinstance(declared, bool) and isinstance(value, bool)
    return isinstance(value, str) if isinstance(declared, str) else isinstance(value, int | float)


def sources_of(source: Source) -> list[Source]:
    """The sources a constitution is made of, parents first: what comes later overrides.

    Each stands there once: a shared grandparent does not undo what one of the parents changed.
    """
    return list(_lineage(source, set()))


def _lineage(source: Source, seen: set[Path]) -> Iterator[Source]:
    path = Path(source.document.file).resolve()
    if path in seen:
        return
    seen.add(path)
    for parent in source.parents:
        yield from _lineage(parent, seen)
    yield source


def _merged(lineage: Sequence[Source], found: list[Problem]) -> dict[str, Placed]:
    merged: dict[str, Placed] = {}
    broken = frozenset[str]().union(*(source.broken for source in lineage))
    for source in lineage:
        for placed in source.principles:
            merged[placed.principle.id] = placed
        for index, name in enumerate(source.file.disable):
            if merged.pop(name, None) is None and name not in broken:
                advice = did_you_mean(name, merged)
                found.append(source.document.problem(("disable", index), f"no principle {name!r} to disable.", advice))
    return merged


def _check_references(placed: Any, variables: Mapping[str, Scalar], found: list[Problem]) -> None:
    for one in placed:
        for name in one.principle.only_if:
            if name not in variables:
                path = (*one.base, "only_if", name)
                advice = did_you_mean(name, variables) or f"Declare it: `variables: {{{name}: …}}`."
                found.append(one.document.problem(path, f"no variable {name!r}.", advice, key=True))


def _rendered(placed: Placed, variables: Mapping[str, Scalar], found: list[Problem]) -> Principle:
    if not is_template(repr(placed.principle)):
        return placed.principle
    before = len(found)
    data = _render(placed.principle.model_dump(), placed.base, placed, variables, found)
    if len(found) > before:
        return placed.principle
    try:
        return Principle.model_validate(data)
    except ValidationError:  # a text that was rendered to nothing
        found.append(placed.document.problem(placed.base, "a text is empty once its variables are filled in."))
        return placed.principle


def _render(
    value: Any,
    path: tuple[str | int, ...],
    placed: Placed | Source,
    variables: Mapping[str, Scalar],
    found: list[Problem],
) -> Any:
    if isinstance(value, dict):
        return {key: _render(item, (*path, key), placed, variables, found) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_render(item, (*path, index), placed, variables, found) for index, item in enumerate(value)]
    if not isinstance(value, str) or not is_template(value) or not _TEXTS & set(path):
        return value
    try:
        return render(value, variables)
    except TemplateMistakeError as error:
        advice = f"The variables are: {', '.join(sorted(variables)) or 'none; declare them under `variables:`'}."
        found.append(placed.document.problem(path, str(error), advice))
        return value


def _inherited_text(lineage: Sequence[Source], key: str, variables: Mapping[str, Scalar], found: list[Problem]) -> Any:
    for source in reversed(lineage):
        text = getattr(source.file, key)
        if text:
            return _render(text, (key,), source, variables, found)
    return None


def _inherited(lineage: Sequence[Source], key: str, model: type[_Part]) -> _Part:
    """A part of the constitution, value by value from the nearest that says it."""
    parts = (getattr(source.file, key).model_dump(exclude_unset=True) for source in lineage)
    return model.model_validate({name: value for part in parts for name, value in part.items()})


def _said(value: Any) -> Any:
    """Without what says nothing: a key that a later version of the library knows must not change a digest."""
    if isinstance(value, dict):
        said = {key: item for key, item in value.items() if item is not None and item not in _NOTHING}
        return {key: item if key == "only_if" else _said(item) for key, item in said.items()}
    return [_said(item) for item in value] if isinstance(value, list) else value


def _selected(
    principles: Sequence[Principle], jurisdiction: str | None, variables: Mapping[str, Scalar], name: str
) -> Iterator[Principle]:
    known = {j for p in principles for j in p.jurisdictions}
    if jurisdiction is not None and jurisdiction not in known:
        advice = did_you_mean(jurisdiction, known) or "Leave it out: its principles apply everywhere."
        raise ConfigurationError(f"{name} names no jurisdiction {jurisdiction!r}. {advice}")
    for principle in principles:
        applies = all(variables[key] == value for key, value in principle.only_if.items())
        here = jurisdiction is None or not principle.jurisdictions or jurisdiction in principle.jurisdictions
        if applies and here:
            yield principle
