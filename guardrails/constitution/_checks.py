"""Runs the deterministic checks of all principles over an exchange, in one sweep.

Called by the rule judge, which makes verdicts of what is found, and by the rule reviser, which mends it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from guardrails import facts, patterns, personal_data, structured
from guardrails.constitution._check_schema import (
    Check,
    Fix,
    GroundedCheck,
    PatternCheck,
    PersonalDataCheck,
    RequireCheck,
)
from guardrails.constitution._check_schema import Unless as UnlessText
from guardrails.constitution._schema import Principle
from guardrails.exchange import Exchange
from guardrails.sentences import split
from guardrails.views import view

# Every kind of personal data that is looked for holds a digit or an @: most sentences hold neither.
_MAY_BE_PERSONAL = re.compile(r"[\d@＠]")


@dataclass(frozen=True, slots=True)
class Hit:
    """What a check found: the principle, the sentence (from 1; 0 is the reply as a whole) and the span in it.

    `match` is the regular expression's match, for wording that repeats a part of it.
    """

    principle: str
    check: Check
    sentence: int = 0
    start: int = 0
    end: int = 0
    what: str = ""
    match: Any = None

    @property
    def fix(self) -> Fix | None:
        """What the check does about it, where it says so."""
        return getattr(self.check, "fix", None)


@dataclass(frozen=True, slots=True)
class Findings:
    """What the checks found, and the principles that a silent check decided."""

    hits: tuple[Hit, ...]
    complied: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Use:
    """One pattern of one check."""

    pattern: str
    principle: str
    check: PatternCheck | RequireCheck
    unless: patterns.Unless


class CheckSet:
    """The checks of a set of principles, compiled once.

    `stated` are texts whose facts count as grounded: the constitution's own.
    """

    def __init__(self, principles: Sequence[Principle], stated: Sequence[str] = ()) -> None:
        self._checks: list[tuple[str, Check]] = [(p.id, check) for p in principles for check in p.checks]
        self._stated = tuple(stated)
        self._reply_uses = [use for name, check in self._checks for use in _uses(name, check, prompt=False)]
        self._prompt_uses = [use for name, check in self._checks for use in _uses(name, check, prompt=True)]

    @cached_property
    def _reply_set(self) -> patterns.PatternSet:
        return patterns.PatternSet([use.pattern for use in self._reply_uses])

    @cached_property
    def _prompt_set(self) -> patterns.PatternSet:
        return patterns.PatternSet([use.pattern for use in self._prompt_uses])

    @cached_property
    def _personal_kinds(self) -> frozenset[str]:
        checks = (check for _, check in self._checks)
        return frozenset(kind for c in checks if isinstance(c, PersonalDataCheck) for kind in c.personal_data)

    def run(self, exchange: Exchange) -> Findings:
        """Run every check over the exchange."""
        hits: list[Hit] = []
        triggered: dict[int, tuple[RequireCheck, str]] = {}
        sentences = _numbered(exchange)
        for number, sentence in sentences:
            for hit in _pattern_hits(self._reply_set, self._reply_uses, number, sentence):
                if isinstance(hit.check, RequireCheck):
                    triggered[id(hit.check)] = (hit.check, hit.principle)
                else:
                    hits.append(hit)
            hits.extend(self._personal(number, sentence))
        if self._prompt_uses:
            for sentence in split(exchange.prompt):
                for hit in _pattern_hits(self._prompt_set, self._prompt_uses, 0, sentence):
                    if isinstance(hit.check, RequireCheck):
                        triggered[id(hit.check)] = (hit.check, hit.principle)
        hits.extend(self._disclosures(exchange, triggered))
        hits.extend(self._ungrounded(exchange, sentences))
        hit_ids = {hit.principle for hit in hits}
        deciding = {
            name
            for name, check in self._checks
            if check.decides and (exchange.has_sources or not isinstance(check, GroundedCheck))
        }
        return Findings(tuple(hits), frozenset(deciding - hit_ids))

    def _personal(self, number: int, sentence: str) -> Iterator[Hit]:
        if not self._personal_kinds or not _MAY_BE_PERSONAL.search(sentence):
            return
        found = personal_data.find(sentence, self._personal_kinds)
        for name, check in self._checks if found else ():
            if isinstance(check, PersonalDataCheck):
                for item in found:
                    if item.kind in check.personal_data:
                        yield Hit(name, check, number, item.start, item.end, item.kind)

    def _disclosures(self, exchange: Exchange, triggered: dict[int, tuple[RequireCheck, str]]) -> Iterator[Hit]:
        for name, check in self._checks:
            if isinstance(check, RequireCheck) and not (check.when or check.when_prompt):
                triggered[id(check)] = (check, name)
        reply = view(exchange.reply).text if triggered else ""
        for check, name in triggered.values():
            if not any(patterns.compiled(pattern).search(reply) for pattern in check.require):
                yield Hit(name, check)

    def _ungrounded(self, exchange: Exchange, sentences: Sequence[tuple[int, str]]) -> Iterator[Hit]:
        checks = [(name, check) for name, check in self._checks if isinstance(check, GroundedCheck)]
        if not checks or not exchange.has_sources:
            return
        sources = (*exchange.context, *(m.content for m in exchange.messages), *self._stated)
        kinds = {kind for _, check in checks for kind in check.grounded}
        known = {fact.key for source in sources for fact in facts.extract(source, kinds)}
        for number, sentence in sentences:
            for fact in facts.extract(sentence, kinds):
                for name, check in checks if fact.key not in known else ():
                    if fact.kind in check.grounded:
                        yield Hit(name, check, number, fact.start, fact.end, fact.kind)


def _numbered(exchange: Exchange) -> Sequence[tuple[int, str]]:
    """The reply's sentences with their numbers, but for those judged before; of data, they have none."""
    texts = structured.texts_of(exchange.reply)
    if texts is None:
        return list(enumerate(exchange.sentences[exchange.judged :], exchange.judged + 1))
    return [(0, sentence) for text in texts for sentence in split(text)]


def _uses(name: str, check: Check, *, prompt: bool) -> Iterator[_Use]:
    if isinstance(check, PatternCheck):
        expressions = () if prompt else check.pattern
    elif isinstance(check, RequireCheck):
        expressions = check.when_prompt if prompt else check.when
    else:
        return
    unless = _unless(check.unless)
    for pattern in expressions:
        yield _Use(pattern, name, check, unless)


def _unless(unless: UnlessText) -> patterns.Unless:
    before = frozenset(word.lower() for word in unless.before)
    return patterns.Unless(before, unless.clause, unless.sentence, unless.quoted)


def _pattern_hits(compiled: patterns.PatternSet, uses: Sequence[_Use], number: int, sentence: str) -> Iterator[Hit]:
    shown = view(sentence)
    for index in compiled.match(shown.text):
        use = uses[index]
        for match in patterns.spans(use.pattern, shown.text, use.unless):
            start, end = shown.original(*match.span())
            yield Hit(use.principle, use.check, number, start, end, match=match)


__all__ = ["CheckSet", "Findings", "Hit"]
