"""How a principle's examples and authorities changed."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from guardrails.authoring._compare_change import Change, Direction, value, written
from guardrails.authoring._compare_pairs import Pair, paired

_SIDES = ("violates", "complies")


def example_changes(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    """What changed from one principle's examples to the other's, given as plain data.

    The same reply to the same question on the other side was moved. A reply that shares half of its letters with one
    of the same side was reworded; of more than can be compared so, one was removed and another added.
    """
    for pair in paired(old, new, [written, _exchange_and_side, _exchange, _reply_and_side], _reply):
        yield from _of_pair("examples", old, new, pair, _example)


def authority_changes(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> Iterator[Change]:
    """What changed from one principle's authorities to the other's: a citation, when and how it was verified."""
    for pair in paired(old, new, [written, lambda one: one["cite"]], _cite):
        yield from _of_pair("authority", old, new, pair, _authority)


def side_of(example: Mapping[str, Any]) -> str:
    """`violates` or `complies`."""
    return next(side for side in _SIDES if example.get(side))


def _of_pair(
    key: str, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], pair: Pair, compared: Any
) -> Iterator[Change]:
    i, j = pair
    numbers = (None if i is None else i + 1, None if j is None else j + 1)
    if i is None or j is None:
        before, after = (None if n is None else _said(items[n]) for n, items in ((i, old), (j, new)))
        yield Change(key, "changed", before, after, numbers)
        return
    for change in compared(old[i], new[j]):
        yield replace(change, key=f"{key}.{change.key}", numbers=numbers)


def _example(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    before, after = side_of(old), side_of(new)
    if before != after:
        direction: Direction = "stricter" if after == "violates" else "looser"
        yield Change("moved", direction, {before: old[before]}, {after: new[after]})
    elif old[before] != new[after]:
        yield Change(before, "changed", old[before], new[after])
    for key in new:
        if key not in _SIDES:
            yield from value(key, old[key], new[key])


def _authority(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for key in new:
        yield from value(key, old[key], new[key])


def _exchange(example: Mapping[str, Any]) -> Hashable:
    return example[side_of(example)], example["prompt"], tuple(example["context"])


def _exchange_and_side(example: Mapping[str, Any]) -> Hashable:
    return side_of(example), _exchange(example)


def _reply_and_side(example: Mapping[str, Any]) -> Hashable:
    return side_of(example), example[side_of(example)]


def _reply(example: Mapping[str, Any]) -> Mapping[str, str]:
    return {side_of(example): example[side_of(example)]}


def _cite(authority: Mapping[str, Any]) -> Mapping[str, str]:
    return {"cite": authority["cite"]}


def _said(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: given for key, given in item.items() if given not in (None, "", [])}
