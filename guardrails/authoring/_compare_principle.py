"""How one principle changed, key by key. What each change does is in the table of `_compare`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from guardrails.authoring._compare_change import Change, Direction, members, named, ranked, same, value
from guardrails.authoring._compare_checks import check_changes
from guardrails.authoring._compare_examples import authority_changes, example_changes
from guardrails.constitution import Principle

WORDING = ("title", "rule", "critique", "revision")
"""The texts that people and models read: a change of theirs has no direction that could be computed."""

_Compared: TypeAlias = Callable[[str, Any, Any], Iterator[Change]]


def principle_changes(old: Principle, new: Principle) -> Iterator[Change]:
    """What changed from one principle to the other."""
    before, after = (one.model_dump(mode="json") for one in (old, new))
    for field in Principle.model_fields:
        found = list(_FIELDS.get(field, value)(field, before[field], after[field]))
        yield from found
        if not found and not same(before[field], after[field]):
            yield Change(f"{field}.order", "changed", before[field], after[field])


def _in_order(*values: Any) -> _Compared:
    return lambda key, before, after: ranked(key, before, after, values)


def _set(added: Direction) -> _Compared:
    return lambda key, before, after: members(key, before, after, added)


def _threshold(key: str, before: int, after: int) -> Iterator[Change]:
    yield from value(key, before, after, "stricter" if after < before else "looser")


def _jurisdictions(key: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Change]:
    """Each one more is stricter; but none at all is everywhere."""
    if bool(before) == bool(after):
        yield from members(key, before, after, "stricter")
    else:
        yield Change(key, "looser" if after else "stricter", before, after)


def _only_if(key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for change in named(key, before, after):
        if change.before is None or change.after is None:
            yield replace(change, direction="looser" if change.before is None else "stricter")
        else:
            yield change


_FIELDS: Mapping[str, _Compared] = {
    **dict.fromkeys((*WORDING, "expect"), named),
    "severity": _in_order("low", "medium", "high", "critical"),
    "on_violation": _in_order("flag", "revise", "block"),
    "on_undecided": _in_order("allow", "block"),
    "threshold": _threshold,
    "jurisdictions": _jurisdictions,
    "only_if": _only_if,
    "applies_to": _set("stricter"),
    "preserve": _set("stricter"),
    "authority": lambda _, before, after: authority_changes(before, after),
    "checks": lambda _, before, after: check_changes(before, after),
    "examples": lambda _, before, after: example_changes(before, after),
}
