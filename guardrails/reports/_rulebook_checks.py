"""Checks told to people who read no expressions: by the wording that they find in the principle's own examples."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from guardrails import patterns
from guardrails.constitution import Check, GroundedCheck, PatternCheck, PersonalDataCheck, Principle, RequireCheck
from guardrails.exchange import language_of
from guardrails.sentences import split
from guardrails.views import View, view

_MOST = 3  # instances of one wording
_LONGEST = 120
_KEPT = re.compile(r"(?:\\\d|…)+")

Kind = Literal["pattern", "require", "grounded", "personal_data"]
_Text = tuple[View, ...]  # sentence by sentence
Expressions = tuple[tuple[str, tuple[str, ...]], ...]
"""Expressions as the YAML has them, under the names of its keys."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Wording that is objected to: instances of it from examples, and what becomes of it.

    `fix` is empty, `replace`, `delete`, `mask` or `mask_personal`, with `sentence_` before it where it is about the
    whole sentence; `texts` are the new wordings, with "…" for what stays.
    """

    instances: tuple[str, ...]
    fix: str = ""
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """One or several checks that are alike. What a kind does not have is empty.

    `wordings` is what patterns object to; `excused` are sentences of examples that look like it; `replies` and
    `prompts` are wording that calls for a statement, and `statements` instances of that. `check` is the first one.
    """

    kind: Kind
    check: Check
    expressions: Expressions
    wordings: tuple[Wording, ...] = ()
    excused: tuple[str, ...] = ()
    replies: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()


def told(principle: Principle, language: str) -> tuple[Told, ...]:
    """A principle's checks; patterns with the same excuses are one. Examples in the language go first."""
    examples = sorted(principle.examples, key=lambda one: (one.lang or language_of(one.reply)) != language)
    broken = [_seen(one.reply) for one in examples if one.violates]
    kept = [_seen(one.reply) for one in examples if one.complies]
    prompts = [_seen(one.prompt) for one in examples]
    groups: list[list[PatternCheck]] = []
    made: list[Told | list[PatternCheck]] = []
    for check in principle.checks:
        if isinstance(check, PatternCheck):
            alike = next((group for group in groups if group[0].unless == check.unless), None)
            if alike is None:
                groups.append([check])
                made.append(groups[-1])
            else:
                alike.append(check)
        elif isinstance(check, RequireCheck):
            made.append(_statement(check, broken, kept, prompts))
        else:
            made.append(_listed(check))
    every = [_objection(one, broken, kept) if isinstance(one, list) else one for one in made]
    return tuple(sorted(every, key=lambda one: not _is_in(language, one)))


def _is_in(language: str, one: Told) -> bool:
    """Whether a check finds something in a language, or in none of them."""
    instances = [text for wording in one.wordings for text in wording.instances]
    return not instances or any(language_of(text) == language for text in instances)


def _objection(checks: Sequence[PatternCheck], broken: Sequence[_Text], kept: Sequence[_Text]) -> Told:
    unless = checks[0].unless
    expressions = tuple(("pattern", check.pattern) for check in checks)
    every = [pattern for check in checks for pattern in check.pattern]
    wordings = dict.fromkeys(_wording(check, broken) for check in checks)
    excuses = (("unless: clause", unless.clause), ("unless: sentence", unless.sentence))
    return Told(
        "pattern",
        checks[0],
        (*expressions, *((name, forms) for name, forms in excuses if forms)),
        wordings=tuple(sorted(wordings, key=lambda one: not one.instances)),  # what examples show goes first
        excused=_first(_excused(every, _unless(checks[0]), kept)),
    )


def _statement(check: RequireCheck, broken: Sequence[_Text], kept: Sequence[_Text], prompts: Sequence[_Text]) -> Told:
    keys = (("require", check.require), ("when", check.when), ("when_prompt", check.when_prompt))
    excuses = (("unless: clause", check.unless.clause), ("unless: sentence", check.unless.sentence))
    unless = _unless(check)
    asked = [text for text in kept if not check.when or any(True for _ in _found(check.when, unless, [text]))]
    added = check.append or check.prepend  # its own wording tells it better than examples do
    return Told(
        "require",
        check,
        tuple((name, forms) for name, forms in (*keys, *excuses) if forms),
        replies=_first(_found(check.when, unless, (*broken, *kept), whole=True)),
        prompts=_first(_found(check.when_prompt, unless, prompts, whole=True)),
        statements=() if added else _first(_found(check.require, None, asked, whole=True)),
    )


def _listed(check: GroundedCheck | PersonalDataCheck) -> Told:
    if isinstance(check, GroundedCheck):
        return Told("grounded", check, ())
    fix, texts = _fix(check)
    return Told("personal_data", check, (), wordings=(Wording((), "mask_personal" if fix == "mask" else fix, texts),))


def _wording(check: PatternCheck, broken: Sequence[_Text]) -> Wording:
    return Wording(_first(_found(check.pattern, _unless(check), broken)), *_fix(check))


def _fix(check: PatternCheck | PersonalDataCheck) -> tuple[str, tuple[str, ...]]:
    fix = check.fix
    if fix is None:
        return "", ()
    done = "replace" if fix.replace else "delete" if fix.delete else "mask"
    texts = tuple(_KEPT.sub("…", text).strip() for text in (fix.replace or {}).values())
    return f"sentence_{done}" if fix.sentence else done, texts


def _unless(check: PatternCheck | RequireCheck) -> patterns.Unless:
    said = check.unless
    return patterns.Unless(frozenset(word.lower() for word in said.before), said.clause, said.sentence, said.quoted)


def _found(
    expressions: Sequence[str], unless: patterns.Unless | None, texts: Iterable[_Text], *, whole: bool = False
) -> Iterator[str]:
    """What the expressions match in texts, sentence by sentence: the match, or its whole sentence."""
    for shown in (shown for text in texts for shown in text):
        for expression in expressions:
            for match in patterns.spans(expression, shown.text, unless):
                start, end = shown.original(*match.span())
                yield shown.sentence if whole else shown.sentence[start:end]


def _excused(expressions: Sequence[str], unless: patterns.Unless, texts: Iterable[_Text]) -> Iterator[str]:
    """Sentences that would be objected to but for an excuse."""
    for shown in (shown for text in texts for shown in text):
        looks = any(True for _ in _found(expressions, None, [(shown,)]))
        if looks and not any(True for _ in _found(expressions, unless, [(shown,)])):
            yield shown.sentence


def _seen(text: str) -> _Text:
    return tuple(map(view, split(text)))


def _first(found: Iterable[str]) -> tuple[str, ...]:
    """The first few, each once and not too long."""
    short: dict[str, None] = {}
    for text in found:
        line = " ".join(text.split())
        short[line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"] = None
        if len(short) == _MOST:
            break
    return tuple(short)
