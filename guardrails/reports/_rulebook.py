"""`rulebook`: a constitution as a document for a regulator or a colleague, in HTML or Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from typing import TYPE_CHECKING, Literal

from guardrails._differences import Line, differences
from guardrails._visible import visible
from guardrails.constitution import (
    Approval,
    Authority,
    Constitution,
    Example,
    Principle,
    RequireCheck,
    approvals,
    text_in,
)
from guardrails.errors import ConfigurationError
from guardrails.exchange import language_of
from guardrails.reports import _rulebook_english, _rulebook_japanese
from guardrails.reports._page import environment
from guardrails.reports._rulebook_checks import Told, told
from guardrails.reports._rulebook_markdown import markdown
from guardrails.reports._words import LANGUAGES

if TYPE_CHECKING:
    from jinja2 import Template

Layout = Literal["html", "markdown"]
Localised = Mapping[str, str]

_WORDS = {"en": _rulebook_english.ENGLISH, "ja": _rulebook_japanese.JAPANESE}
# The characters of RFC 3986: a link ends where text in another script begins.
_URL = re.compile(r"https?://[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]+")
_ENDS = ".,;:!?'"


@dataclass(frozen=True, slots=True)
class Sample:
    """An example, the language of its reply, and its expected revision beside it, empty where none is given."""

    example: Example
    language: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """One principle: its texts in the book's language, and then in the others."""

    principle: Principle
    title: str
    rules: tuple[tuple[str, str], ...]
    checks: tuple[Told, ...]
    broken: tuple[Sample, ...]
    kept: tuple[Sample, ...]

    @property
    def how(self) -> str:
        """Who can tell: a `model` alone, `rules`, or `both`."""
        if not self.checks:
            return "model"
        return "rules" if any(check.decides for check in self.principle.checks) else "both"

    @property
    def mends(self) -> bool:
        """Whether its checks mend what they find."""
        checks = [one.check for one in self.checks]
        adds = any(isinstance(check, RequireCheck) and (check.append or check.prepend) for check in checks)
        return adds or any(wording.fix for one in self.checks for wording in one.wordings)

    @property
    def keeps_words(self) -> bool:
        """Whether a replacement stands for words that stay."""
        return any("…" in text for one in self.checks for wording in one.wordings for text in wording.texts)


def rulebook(
    constitution: Constitution,
    layout: Layout,
    *,
    language: str = "en",
    principle: str | None = None,
    jurisdiction: str | None = None,
    made: date | None = None,
) -> str:
    """A constitution's rule book: what it says, what it rests on, how it is checked, and who approved it.

    Args:
        constitution: The constitution; for one jurisdiction, if it was loaded for one.
        layout: `"html"`, one file that needs nothing else, or `"markdown"`.
        language: `"en"` or `"ja"`. What the constitution does not say in it is in English.
        principle: Only the principle with this id. Default: all.
        jurisdiction: The one that the constitution was loaded for, for the cover.
        made: The date on the cover, by which it is told what is in force. Default: no date.

    Raises:
        ConfigurationError: another layout or language.
        ConstitutionError: `approvals.yaml` has mistakes.

    >>> rulebook(Constitution.load("finance"), "markdown").splitlines()[0]
    '# Retail finance'
    """
    if language not in LANGUAGES:
        raise ConfigurationError(f"language={language!r} is not one of {', '.join(map(repr, LANGUAGES))}.")
    if layout not in {"html", "markdown"}:
        raise ConfigurationError(f"layout={layout!r} is not one of 'html', 'markdown'.")
    chosen = [one for one in constitution.principles if principle in {None, one.id}]
    return _template(layout, language).render(
        constitution=constitution,
        title=_title(constitution, language),
        chapters=[_chapter(one, language) for one in chosen],
        approvals=_newest_first(approvals(constitution)),
        jurisdiction=jurisdiction,
        jurisdictions=sorted({name for one in constitution.principles for name in one.jurisdictions}),
        made=made,
    )


@cache
def _template(layout: Layout, language: str) -> Template:
    make, name = (environment, "rulebook.html.j2") if layout == "html" else (markdown, "rulebook.md.j2")
    templates = make(language, _WORDS[language])
    templates.globals.update(
        told_in=partial(_told_in, language=language),
        linked=linked,
        verified=_verified,
        selection=_selection,
        scalar=_scalar,
    )
    return templates.get_template(name)


def linked(text: str) -> Iterator[tuple[str, bool]]:
    """A text in pieces, each with whether it is a web address. Nothing becomes a link that is none.

    >>> list(linked("See https://example.org/a (2026)."))
    [('See ', False), ('https://example.org/a', True), (' (2026).', False)]
    """
    end = 0
    for found in _URL.finditer(text):
        address = found[0].rstrip(_ENDS)
        while address.endswith(")") and address.count(")") > address.count("("):
            address = address[:-1].rstrip(_ENDS)
        if found.start() > end:
            yield text[end : found.start()], False
        yield address, True
        end = found.start() + len(address)
    if end < len(text):
        yield text[end:], False


def _title(constitution: Constitution, language: str) -> str:
    title = constitution.source.file.title
    return constitution.name if title is None else text_in(title, language)


def _chapter(principle: Principle, language: str) -> Chapter:
    samples = [_sample(example) for example in principle.examples]
    samples.sort(key=lambda sample: sample.language != language)
    return Chapter(
        principle,
        text_in(principle.title, language),
        _told_in(principle.rule, language),
        told(principle, language),
        tuple(sample for sample in samples if sample.example.violates),
        tuple(sample for sample in samples if sample.example.complies),
    )


def _told_in(text: Localised, language: str) -> tuple[tuple[str, str], ...]:
    """A text with its languages: the book's first, or English, and then the others."""
    first = text_in(dict(text), language)
    return tuple(sorted(text.items(), key=lambda item: item[1] != first))


def _sample(example: Example) -> Sample:
    lines = tuple(differences(example.reply, example.revised)) if example.revised else ()
    return Sample(example, example.lang or language_of(example.reply), lines)


def _newest_first(found: Sequence[Approval]) -> list[Approval]:
    return sorted(found, key=lambda approval: approval.at, reverse=True)


def _verified(authority: Authority) -> str:
    """The name of the words that say whether and how a provision was verified."""
    return f"book_verified_{authority.verified}" + ("_on" if authority.checked_on else "")


def _selection(approval: Approval) -> str:
    """What of the constitution somebody approved, empty where all of it as it stands."""
    chosen = [f"{name}={_scalar(value)}" for name, value in approval.variables.items()]
    return ", ".join([approval.jurisdiction, *chosen] if approval.jurisdiction else chosen)


def _scalar(value: object) -> str:
    """A variable's value as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else visible(str(value))
