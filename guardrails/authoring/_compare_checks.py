"""How a principle's checks changed. What each change does is in the table of `_compare`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from guardrails.authoring._compare_change import Change, Direction, members, named, same, value, written
from guardrails.authoring._compare_pairs import paired

_KINDS = ("pattern", "require", "grounded", "personal_data")
_MORE: dict[str, Direction] = {
    "pattern": "stricter",
    "grounded": "stricter",
    "personal_data": "stricter",
    "require": "looser",  # one of them is enough
}


def check_changes(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    """What changed from one principle's checks to the other's, given as plain data."""
    for i, j in paired(old, new, [written], _texts, _shared):
        numbers = (None if i is None else i + 1, None if j is None else j + 1)
        if i is None or j is None:
            before, after = (None if n is None else _whole(checks[n]) for n, checks in ((i, old), (j, new)))
            yield Change("checks", "stricter" if before is None else "looser", before, after, numbers)
            continue
        for change in _of_one(old[i], new[j]):
            yield replace(change, key=f"checks.{change.key}", numbers=numbers)


def kind_of(check: Mapping[str, Any]) -> str:
    """`pattern`, `require`, `grounded` or `personal_data`."""
    return next(kind for kind in _KINDS if kind in check)


def _texts(check: Mapping[str, Any]) -> Mapping[str, str]:
    kind = kind_of(check)
    return {kind: "\n".join(check[kind])}


def _shared(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Checks of one kind that share what they look for are more alike than those that only look alike."""
    kind = kind_of(one)
    mine, others = set(one[kind]), set(other.get(kind, ()))
    return 1 + len(mine & others) / len(mine | others) if mine & others else 0


def _of_one(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    kind = kind_of(new)
    yield from _ordered(kind, old[kind], new[kind], list(members(kind, old[kind], new[kind], _MORE[kind])))
    if kind == "require":
        yield from _triggers(old, new)
        for place in ("append", "prepend"):
            yield from named(place, old[place], new[place])
    if "unless" in new:
        yield from _excuses(old["unless"], new["unless"])
    if "fix" in new:
        yield from _fix(old["fix"], new["fix"])
    yield from value("decides", old["decides"], new["decides"])


def _triggers(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """What calls for a statement: each pattern calls more often, but none at all calls always."""
    once, now = (bool(check["when"] or check["when_prompt"]) for check in (old, new))
    for key in ("when", "when_prompt"):
        found = list(members(key, old[key], new[key], "stricter"))
        if once != now:
            found = [replace(change, direction="looser" if now else "stricter") for change in found]
        yield from _ordered(key, old[key], new[key], found)


def _excuses(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for key in ("before", "clause", "sentence"):
        found = list(members(f"unless.{key}", old[key], new[key], "looser"))
        yield from _ordered(f"unless.{key}", old[key], new[key], found)
    yield from value("unless.quoted", old["quoted"], new["quoted"], "looser" if new["quoted"] else "stricter")


def _fix(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[Change]:
    if old is None or new is None:
        yield from value("fix", old and _said(old), new and _said(new))
        return
    yield from named("fix.replace", old["replace"], new["replace"])
    for key in ("delete", "mask", "sentence"):
        yield from value(f"fix.{key}", old[key], new[key])


def _ordered(key: str, old: Sequence[Any], new: Sequence[Any], found: Sequence[Change]) -> Iterator[Change]:
    """The changes of a list, or else that it is in another order."""
    yield from found
    if not found and not same(old, new):
        yield Change(f"{key}.order", "changed", old, new)


def _whole(check: Mapping[str, Any]) -> dict[str, Any]:
    """A check as its author would write it: what it looks for first."""
    kind = kind_of(check)
    return _said({kind: check[kind], **{key: check[key] for key in check if key != "decides"}, **check})


def _said(data: Mapping[str, Any]) -> dict[str, Any]:
    """A part without what it leaves at its default."""
    said = {key: _said(item) if isinstance(item, dict) else item for key, item in data.items()}
    return {key: item for key, item in said.items() if item not in (None, False, [], {})}
