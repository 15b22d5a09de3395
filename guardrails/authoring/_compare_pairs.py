"""Which items of two lists are the same thing, be it changed or moved: checks, examples, authorities, facts.

Called by the comparison. Swapping the lists swaps the pairs, and nothing else.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias, TypeVar

Item = TypeVar("Item")
Pair: TypeAlias = tuple[int | None, int | None]

ALIKE = 0.5
"""Texts that share less of their letters are different texts, not one that was reworded."""
_MOST_COMPARED = 40_000


def paired(
    old: Sequence[Item],
    new: Sequence[Item],
    keys: Sequence[Callable[[Item], Hashable]],
    alike: Callable[[Item, Item], float],
) -> list[Pair]:
    """Indexes of what belongs together; None where an item has no other.

    Items are paired by the first of the `keys` that they share, then by how `alike` they are, from the most on; what
    is alike by 0 or less is not paired. Pairs and new items come in the new list's order, then what went.

    >>> paired(["a", "b"], ["B", "c"], [str, str.lower], lambda one, other: 0)
    [(1, 0), (None, 1), (0, None)]
    """
    left, right = dict.fromkeys(range(len(old))), dict.fromkeys(range(len(new)))
    matched: dict[int, int] = {}

    def take(i: int, j: int) -> None:
        matched[j] = i
        del left[i], right[j]

    for key in keys:
        for i, j in _by_key(old, new, list(left), list(right), key):
            take(i, j)
    if len(left) * len(right) <= _MOST_COMPARED:
        scores = ((alike(old[i], new[j]), i, j) for i in left for j in right)
        # Of pairs that are equally alike and equally far, no two have an item in common: the order is no matter.
        for _, _, _, i, j in sorted((-score, abs(i - j), i + j, i, j) for score, i, j in scores if score > 0):
            if i in left and j in right:
                take(i, j)
    return [*((matched.get(j), j) for j in range(len(new))), *((i, None) for i in left)]


def similarity(one: str, other: str) -> float:
    """How much of their letters two texts share, from 0 to 1: Dice's coefficient over pairs of letters.

    >>> similarity("no fees", "no fee"), similarity("fees", "risk")
    (0.9090909090909091, 0.0)
    """
    letters, others = (Counter(pairwise(text)) for text in (one, other))
    total = letters.total() + others.total()
    return 2 * (letters & others).total() / total if total else float(one == other)


def _by_key(
    old: Sequence[Item],
    new: Sequence[Item],
    left: Sequence[int],
    right: Sequence[int],
    key: Callable[[Item], Hashable],
) -> Iterator[tuple[int, int]]:
    """What has the same key on both sides: the first with the first, the second with the second."""
    waiting: defaultdict[Hashable, list[int]] = defaultdict(list)
    for i in left:
        waiting[key(old[i])].append(i)
    for found in waiting.values():
        found.reverse()
    for j in right:
        found = waiting.get(key(new[j]), [])
        if found:
            yield found.pop(), j
