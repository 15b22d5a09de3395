"""Rules about two principles: that repeat each other, or that cannot both be kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator

from guardrails.authoring.lint._breadth import expressions
from guardrails.authoring.lint._meaning import asked, same_words
from guardrails.authoring.lint._rule import rule
from guardrails.authoring.lint._subject import Subject
from guardrails.constitution import Principle
from guardrails.errors import Problem


@rule("WD03", "repeated")
def repeated(subject: Subject) -> Iterator[Problem]:
    """Two principles have the same rule, word for word in a language, or all the same patterns.

    Case, punctuation and white space make no difference. Principles that are never in force together, because of their
    `jurisdictions` or their `only_if`, may repeat each other. Those of extended constitutions count.

    ## Why

    Every breach is found, counted and revised twice, and one day somebody changes one of the two.

    ## Avoid

    ```yaml
    principles:
      - {id: one, rule: Never promise that a deposit is safe.}
      - {id: two, rule: "Never promise that a deposit is safe!"}
    ```

    ## Prefer

    ```yaml
    principles:
      - {id: one, rule: Never promise that a deposit is safe.}
      - {id: two, rule: Never state the balance of an account.}
    ```
    """
    earlier = _Earlier(subject, _texts)
    for own in subject.own:
        named: set[str] = set()
        for language, text in _texts(own.principle):
            other = earlier.than(own.principle, (language, text))
            if other is not None and other.id not in named:
                named.add(other.id)
                what, path = ("rule", ("rule", language)) if language else ("patterns", ("checks",))
                message = f"{own.principle.id} has the same {what} as {other.id}."
                yield own.problem(path, message, "Keep one of the two, or say how they differ.", key=not language)


@rule("WD04", "contradiction")
def contradiction(subject: Subject) -> Iterator[Problem]:
    """One principle asks for what another one forbids: the same sentence, with the negation turned round.

    Words are compared, not understood: "never", "must not", "do not", "may not" and してはならない, しない forbid;
    "always", "must", "should" and しなければならない, する ask. Principles that are never in force together are not
    compared. See also CK05.

    ## Why

    No reply can keep both. It would be revised until the revisions run out, and blocked.

    ## Avoid

    ```yaml
    principles:
      - {id: one, rule: Never state the interest rate of a loan.}
      - {id: two, rule: The reply must state the interest rate of a loan.}
    ```

    ## Prefer

    ```yaml
    principles:
      - {id: one, rule: Never state the interest rate of a loan that was not applied for.}
      - {id: two, rule: The reply must state the interest rate of a loan that was applied for.}
    ```
    """
    earlier = _Earlier(subject, _acts)
    for own in subject.own:
        named: set[str] = set()
        for language, act, forbidden in _acts(own.principle):
            other = earlier.than(own.principle, (language, act, not forbidden))
            if other is not None and other.id not in named:
                named.add(other.id)
                verb, opposite = ("forbids", "asks for") if forbidden else ("asks for", "forbids")
                message = f"{own.principle.id} {verb} what {other.id} {opposite}."
                yield own.problem(("rule", language), message, "Say when each of the two applies.")


def _texts(principle: Principle) -> Iterator[tuple[str, str]]:
    """What may be repeated, with its language: the rule; and without one, all patterns."""
    for language, text in principle.rule.items():
        yield language, same_words(text) or text
    patterns = sorted(f"{path[0]} {text}" for check in principle.checks for path, text in expressions(check))
    if patterns:
        yield "", "\n".join(patterns)


def _acts(principle: Principle) -> Iterator[tuple[str, str, bool]]:
    for language, text in principle.rule.items():
        for one in asked(text, language):
            yield language, one.act, one.forbidden


class _Earlier:
    """The principles by what they say, to find one that says it before another one does."""

    def __init__(self, subject: Subject, says: Callable[[Principle], Iterable[Hashable]]) -> None:
        self._order: dict[str, int] = {}
        self._by: dict[Hashable, list[Principle]] = {}
        for principle in [*subject.inherited, *(own.principle for own in subject.own)]:
            self._order[principle.id] = len(self._order)
            for key in says(principle):
                self._by.setdefault(key, []).append(principle)

    def than(self, principle: Principle, key: Hashable) -> Principle | None:
        """The first principle that says this, comes before that one and may be in force with it."""
        before = (one for one in self._by.get(key, ()) if self._order[one.id] < self._order[principle.id])
        return next((one for one in before if _together(one, principle)), None)


def _together(one: Principle, other: Principle) -> bool:
    """Whether two principles can be in force at once."""
    here = not one.jurisdictions or not other.jurisdictions or set(one.jurisdictions) & set(other.jurisdictions)
    return bool(here) and all(other.only_if.get(key, value) == value for key, value in one.only_if.items())
