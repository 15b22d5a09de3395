"""Facts in a text: amounts, percentages, dates, durations, doses, citations, in English and Japanese.

Facts are compared by value and unit, never by wording: "$1.2 billion", "1,200 million dollars" and
"12億ドル" are one fact; 5%, $5 and 5 mg are three. Values are exact: 5.2% does not state 5%, since a
guard cannot know which rounding its owner allows. Spellings of one unit are converted (g and mg, basis
points and percent, 令和6年 and 2024); what depends on context is not (12 months and a year).

A number without a unit is of kind `numbers`, and a bare year (1900 to 2099) of kind `dates`. A number in
words is a fact where it has a unit or a counter ("three years", 三百万円), and prose where it has none
("two reasons"). List markers and ordinals are no facts.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import re2

from guardrails.facts._names import FORMS, Key, headings
from guardrails.facts._names import read as names
from guardrails.facts._numerals import DIGITS, plain
from guardrails.facts._quantities import PATTERN as QUANTITY
from guardrails.facts._quantities import read as quantities

KINDS = ("amounts", "percentages", "dates", "durations", "doses", "citations", "urls", "emails", "numbers")

_BARE_YEAR = re.compile(r"(?:19|20)\d\d")
_INDENT = 9
_MEMORY = 64 << 20
_ISSUER = re.compile(r"^(?:finra|sec|nasd|msrb|cftc|nyse|frcp|gdpr) |^\D+(?=\d+条)")


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact as a text states it: its kind, its place, and the value that makes it the same elsewhere.

    Facts of equal kind and `key` are the same fact; `text` is `original[start:end]`.

    >>> [fact.key for fact in extract("It fell by 5% (５パーセント).")]
    [('5', '%'), ('5', '%')]
    """

    kind: str
    text: str
    key: tuple[str, ...]
    start: int
    end: int


def extract(text: str, kinds: Collection[str] | None = None) -> tuple[Fact, ...]:
    """The facts of a text, in order and without overlap; `kinds` (of `KINDS`) keeps only those.

    The most specific kind wins: the 5 of "5 mg" is a dose, and no number, whatever `kinds` says. Time is
    linear in the length of the text, whatever it holds.

    >>> [(fact.kind, fact.text) for fact in extract("Take 5-10 mg for three days from 令和6年3月1日.")]
    [('doses', '5'), ('doses', '10 mg'), ('durations', 'three days'), ('dates', '令和6年3月1日')]
    """
    wanted = frozenset(KINDS if kinds is None else kinds)
    if unknown := sorted(wanted.difference(KINDS)):
        raise ValueError(f"no such kind of fact: {', '.join(unknown)}; there are {', '.join(KINDS)}")
    folded = _fold(text)
    offsets = _offsets(text, folded)
    facts = (
        Fact(kind, text[offsets[start] : offsets[end]], key, offsets[start], offsets[end])
        for kind, key, start, end in _scan(folded)
        if kind in wanted
    )
    return tuple(fact for fact in facts if fact.text)


def missing(text: str, sources: Iterable[str], kinds: Collection[str] | None = None) -> tuple[Fact, ...]:
    """The facts of a text that no source states.

    A source states what it says and what that includes: "1 March 2024" states 2024, and 第5条第1項 states
    第5条. A fact with a unit needs the same unit; a bare number or year is stated by its digits anywhere.

    >>> [fact.text for fact in missing("It rose 5% to $12 million.", ["Up 5 percent, 12 million units."])]
    ['$12 million']
    """
    facts = extract(text, kinds)
    if not facts:
        return ()
    stated: set[tuple[str, Key]] = set()
    for source in sources:
        stated.update(_stated(_fold(source)))
    return tuple(fact for fact in facts if not _is_stated(fact, stated))


def _is_stated(fact: Fact, stated: Collection[tuple[str, Key]]) -> bool:
    bare = fact.kind == "numbers" or (fact.kind == "dates" and len(fact.key) == 1)
    return (fact.kind, fact.key) in stated or (bare and ("numbers", fact.key) in stated)


def _stated(folded: str) -> Iterator[tuple[str, Key]]:
    for kind, key, _, _ in _scan(folded):
        yield from ((kind, included) for included in _included(kind, key))
        yield from (("numbers", (part,)) for part in key)
    for key in headings(folded):
        yield from (("citations", included) for included in _included("citations", key))
    for pattern in (DIGITS, r"\d+"):
        yield from (("numbers", (plain(digits),)) for digits in re.findall(pattern, folded, re.ASCII))


def _included(kind: str, key: Key) -> Iterator[Key]:
    """The key itself and the coarser facts that it states."""
    yield key
    if kind == "dates":
        yield key[:1]
        yield key[:2]
        yield ("", *key[1:])
    elif kind == "citations":
        yield from (key[:size] for size in range(1, len(key)))
        bare = _ISSUER.sub("", key[0])  # FINRA Rule 2210 states Rule 2210, 民法第5条 states 第5条
        if bare != key[0]:
            yield from _included(kind, (bare, *key[1:]))


@functools.cache
def _pattern() -> Any:
    """One pattern for all forms, in their order of precedence; its one group tells names from quantities."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    names = "|".join(form.pattern for form in FORMS)
    return re2.compile(f"({_without_groups(names)})|{_without_groups(QUANTITY)}", options)


def _without_groups(pattern: str) -> str:
    return re.sub(r"\(\?P<\w+>", "(?:", pattern)


def _scan(folded: str) -> Iterator[tuple[str, Key, int, int]]:
    """Kind, key, start and end of everything that looks like a fact; also `words`, numbers in words."""
    for match in _pattern().finditer(folded):
        start, end = match.span()
        found = quantities(folded, start, end) if match.span(1)[0] < 0 else names(folded, start)
        for kind, key, start, end in found:
            if kind != "numbers":
                yield kind, key, start, end
            elif _BARE_YEAR.fullmatch(folded, start, end):
                yield "dates", key, start, end
            elif not _is_marker(folded, start, end):
                yield kind, key, start, end


def _is_marker(folded: str, start: int, end: int) -> bool:
    """Whether a number at the start of a line counts a list: 1. or (2) or 3)."""
    before = folded[max(0, start - _INDENT) : start]
    line = before.rpartition("\n")[2]
    at_start = line != before or start < _INDENT
    return at_start and not line.strip(" \t>#(") and folded[end : end + 1] in {".", ")", "、"}


class _Folds(dict[int, str]):
    """NFKC of one character, so that offsets can be kept."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if unicodedata.category(char) in {"No", "Cs"}:  # m² is not m2; RE2 refuses lone surrogates
            fold = "\ufffd"
        else:
            digit = unicodedata.decimal(char, None)
            fold = unicodedata.normalize("NFKC", char) if digit is None else str(digit)
        self[code] = fold
        return fold


_FOLDS = _Folds((code, chr(new)) for code, new in str.maketrans("−‐‑‒–〜∼△’", "-----~~▲'").items())


def _fold(text: str) -> str:
    return text if text.isascii() else text.translate(_FOLDS)


def _offsets(text: str, folded: str) -> Sequence[int]:
    """Where each folded character, and the end, stands in the text: ㎎ folds into two."""
    if len(folded) == len(text):  # no character folds into none, so each folded into one
        return range(len(text) + 1)
    return [*(index for index, char in enumerate(text) for _ in _FOLDS[ord(char)]), len(text)]
