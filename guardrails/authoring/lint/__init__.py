"""What is wrong with a constitution that can be used: rules about examples, wording, checks, authority, translation.

Each rule is one function with a code, and its docstring is its page. Used by `guardrails lint`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime

from guardrails.authoring.lint import (
    _amount,
    _approval,
    _authority,
    _breadth,
    _checks,
    _examples,
    _force,
    _load,
    _pairs,
    _translation,
    _unseen,
    _vague,
)
from guardrails.authoring.lint._allowed import Allowed
from guardrails.authoring.lint._page import page
from guardrails.authoring.lint._rule import Finding, Level, Rule
from guardrails.authoring.lint._subject import Subject
from guardrails.constitution import Constitution, did_you_mean
from guardrails.errors import ConfigurationError, ConstitutionError

RULES: tuple[Rule, ...] = (
    _load.invalid,
    _examples.one_sided,
    _examples.no_near_miss,
    _examples.both_sides,
    _examples.duplicate_example,
    _examples.flagged_revision,
    _amount.few_examples,
    _amount.near_miss_language,
    _amount.few_revisions,
    _unseen.not_observable,
    _vague.vague,
    _pairs.repeated,
    _pairs.contradiction,
    _checks.unexercised,
    _checks.flags_complying,
    _breadth.too_broad,
    _breadth.empty_match,
    _checks.flagged_wording,
    _authority.no_authority,
    _authority.no_check_date,
    _authority.stale_authority,
    _authority.unverified_critical,
    _force.expired,
    _force.not_yet_effective,
    _force.critical_flag,
    _translation.missing_translation,
    _approval.outdated_approval,
)
"""Every rule, in the order of the documentation."""


def lint(
    source: str | os.PathLike[str] | Constitution, *, rules: Iterable[Rule] = RULES, today: date | None = None
) -> list[Finding]:
    """What these rules find in a constitution, in the order of its files.

    `source` is a shipped name, a folder or a file, or what was loaded from one. A constitution that cannot be loaded
    gives its mistakes, as findings of IN01 and CK04, whatever the rules. Only what stands in its own files is judged,
    not what it extends.
    A comment `# lint: allow NAME` on a finding's own line hides it. `today` is what dates are compared with; the
    default is the current date in UTC.

    >>> lint("finance", rules=rules_of(["AU01"]))
    []
    """
    try:
        constitution = source if isinstance(source, Constitution) else Constitution.load(source)
    except ConstitutionError as error:
        return [_load.rule_for(problem).at(problem) for problem in error.problems]
    subject = Subject(constitution, today or datetime.now(UTC).date())
    found = (rule.at(problem) for rule in rules for problem in rule.find(subject))
    allowed = Allowed()
    return sorted((finding for finding in found if not allowed.hides(finding)), key=_place)


def rules_of(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules that these codes, beginnings of codes and names mean: those selected, or all, without those ignored.

    Raises:
        ConfigurationError: no rule has such a code or name.

    >>> [rule.code for rule in rules_of(["AU", "expired"], ["no-authority"])]
    ['AU02', 'AU03', 'AU04', 'FO01']
    """
    selected = {rule for wanted in select for rule in _named(wanted)} or set(RULES)
    ignored = {rule for unwanted in ignore for rule in _named(unwanted)}
    return tuple(rule for rule in RULES if rule in selected - ignored)


def page_of(text: str) -> str:
    """The page of the rule with this code or name, in Markdown; of several, one after the other.

    Raises:
        ConfigurationError: no rule has such a code or name.
    """
    return "\n".join(map(page, _named(text)))


def _named(text: str) -> Iterator[Rule]:
    rules = [rule for rule in RULES if text.lower() == rule.name or (text and rule.code.startswith(text.upper()))]
    if not rules:
        known = [rule.name if len(text) > len(rule.code) else rule.code for rule in RULES]
        raise ConfigurationError(f"no rule {text!r}. {did_you_mean(text, known)}")
    yield from rules


def _place(finding: Finding) -> tuple[str, int, int, str]:
    problem = finding.problem
    return problem.file, problem.line, problem.column, finding.code


__all__ = ["RULES", "Finding", "Level", "Rule", "lint", "page_of", "rules_of"]
