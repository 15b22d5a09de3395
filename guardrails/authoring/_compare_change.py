"""One change between two versions of a constitution, and how plain values, texts and sets change.

Called by the other parts of the comparison, which say what a change means for what is released.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Direction: TypeAlias = Literal["stricter", "looser", "changed"]

_OTHER: dict[Direction, Direction] = {"stricter": "looser", "looser": "stricter", "changed": "changed"}


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one thing.

    `key` is the place as the YAML names it, with dots: `severity`, `rule.ja`, `checks.pattern`. `before` and `after`
    are plain data as JSON has it; None is what was not there. In a list, `numbers` are its places on both sides,
    from 1.
    """

    key: str
    direction: Direction
    before: Any
    after: Any
    numbers: tuple[int | None, int | None] = (None, None)

    @property
    def field(self) -> str:
        """The first part of the key."""
        return self.key.partition(".")[0]


def opposite(direction: Direction) -> Direction:
    """The direction of the same change made the other way round."""
    return _OTHER[direction]


def same(before: Any, after: Any) -> bool:
    """Whether two values are one in JSON, where `true` is not 1 and 1 is not 1.0.

    >>> same({"a": 1, "b": 2}, {"b": 2, "a": 1}), same(True, 1)
    (True, False)
    """
    return type(before) is type(after) and written(before) == written(after)


def written(value: Any) -> str:
    """A value as canonical JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def value(key: str, before: Any, after: Any, direction: Direction = "changed") -> Iterator[Change]:
    """A plain value; nothing where it stayed."""
    if not same(before, after):
        yield Change(key, direction, before, after)


def ranked(key: str, before: Any, after: Any, order: Sequence[Any]) -> Iterator[Change]:
    """A value out of several, the strictest last."""
    yield from value(key, before, after, "stricter" if order.index(after) > order.index(before) else "looser")


def named(key: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Iterator[Change]:
    """Values by name: a text's languages, settings, variables."""
    before, after = before or {}, after or {}
    for name in dict.fromkeys([*before, *after]):
        yield from value(f"{key}.{name}", before.get(name), after.get(name))


def members(key: str, before: Sequence[Any], after: Sequence[Any], added: Direction) -> Iterator[Change]:
    """A set, member by member. `added` is what one more does; one fewer does the opposite."""
    for number, member in enumerate(before, 1):
        if member not in after and member not in before[: number - 1]:
            yield Change(key, opposite(added), member, None, (number, None))
    for number, member in enumerate(after, 1):
        if member not in before and member not in after[: number - 1]:
            yield Change(key, added, None, member, (None, number))
