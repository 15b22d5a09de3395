"""Which items of two lists are the same thing, be it changed or moved: checks, examples, authorities, facts.

Called by the comparison. Swapping the lists swaps the pairs, and nothing else. What is compared letter by letter is
bounded, so that a hostile file takes seconds at most: long lists of long texts, all of them reworded at once, are
told as removed and added.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias, TypeVar

Item = TypeVar("Item")
Pair: TypeAlias = tuple[int | None, int | None]

ALIKE = 0.5
"""Texts that share less of their letters are different texts, not one that was reworded."""
_MOST_COMPARED = 40_000
_MOST_LETTERS = 10_000_000
"""Of all texts that are compared, each counted as often as it is: as 30 examples of 10,000 characters on both sides."""


def paired(
    old: Sequence[Item],
    new: Sequence[Item],
    keys: Sequence[Callable[[Item], Hashable]],
    texts: Callable[[Item], Mapping[str, str]],
    share: Callable[[Item, Item], float] = lambda _one, _other: 0,
) -> list[Pair]:
    """Indexes of what belongs together; None where an item has no other.

    Items are paired by the first of the `keys` that they share, then by how much they `share`, or else by how alike
    their `texts` of one name are, from the most on. Beyond 40,000 pairs or 10 million letters to be compared, the keys
    alone decide. Pairs and new items come in the new list's order, then what went.

    >>> paired(["a", "b"], ["B", "c"], [str, str.lower], lambda one: {})
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
    before, after = {i: texts(old[i]) for i in left}, {j: texts(new[j]) for j in right}
    if _is_little([*before.values()], [*after.values()]):
        known: dict[str, int] = {}
        mine, others = (
            {n: {name: Letters(text, known) for name, text in told.items()} for n, told in side.items()}
            for side in (before, after)
        )
        scores = ((share(old[i], new[j]) or _alike(mine[i], others[j]), i, j) for i in left for j in right)
        # Of pairs that are equally alike and equally far, no two have an item in common: the order is no matter.
        for _, _, _, i, j in sorted((-score, abs(i - j), i + j, i, j) for score, i, j in scores if score > 0):
            if i in left and j in right:
                take(i, j)
    return [*((matched.get(j), j) for j in range(len(new))), *((i, None) for i in left)]


class Letters:
    """The pairs of letters of a text, each with how often it stood there before, as bits.

    `known` numbers the pairs, and is the same for all texts that are compared: what two texts share is then one
    operation on two integers.
    """

    def __init__(self, text: str, known: dict[str, int]) -> None:
        pairs = ["".join(pair) for pair in pairwise(text)] or [text]
        seen: Counter[str] = Counter()
        numbers = []
        for pair in pairs:
            numbers.append(known.setdefault(f"{pair}{seen[pair]}", len(known)))
            seen[pair] += 1
        bits = bytearray(max(numbers) // 8 + 1)
        for number in numbers:
            bits[number // 8] |= 1 << number % 8
        self.bits = int.from_bytes(bits, "little")
        self.count = len(numbers)


def similarity(one: Letters, other: Letters) -> float:
    """How much of their letters two texts share, from 0 to 1: Dice's coefficient over pairs of letters.

    >>> known = {}
    >>> similarity(Letters("no fees", known), Letters("no fee", known))
    0.9090909090909091
    """
    return 2 * (one.bits & other.bits).bit_count() / (one.count + other.count)


def _is_little(old: Sequence[Mapping[str, str]], new: Sequence[Mapping[str, str]]) -> bool:
    """Whether all of these can be compared with all of those."""
    before, after = (sum(len(text) for texts in side for text in texts.values()) for side in (old, new))
    return len(old) * len(new) <= _MOST_COMPARED and min(len(old) * after, len(new) * before) <= _MOST_LETTERS


def _alike(one: Mapping[str, Letters], other: Mapping[str, Letters]) -> float:
    """How alike the texts of one name are, those that are most; 0 for texts that are not."""
    shares = (similarity(text, other[name]) for name, text in one.items() if name in other)
    return max((share for share in shares if share >= ALIKE), default=0)


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
