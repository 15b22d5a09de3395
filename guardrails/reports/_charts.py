"""The geometry of the report's charts: bars, and a scale that people can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT = 1000, 100
_GAP = 0.22  # of a bar's place
_SMALLEST = 1.5  # what is there has to be seen


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a bar: its kind, what it counts, and where it stands in a drawing of 1000 by 100.

    The drawing's origin is at its top left.
    """

    kind: str
    count: int
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over a scale from 0 to `top`; `bars` has one tuple of parts for each place, from the lowest part on."""

    top: int
    bars: tuple[tuple[Bar, ...], ...]


def stacked(counts: Sequence[Sequence[int]], kinds: Sequence[str]) -> Chart:
    """Counts of several kinds at each place, one on top of the other.

    >>> chart = stacked([(1, 0), (2, 1)], ["revised", "blocked"])
    >>> chart.top, [[bar.kind for bar in bars] for bars in chart.bars]
    (4, [['revised'], ['revised', 'blocked']])
    """
    top = nice(max(map(sum, counts), default=0))
    place = _WIDTH / max(len(counts), 1)
    bars = []
    for number, parts in enumerate(counts):
        x, y, made = place * (number + _GAP / 2), float(_HEIGHT), []
        for kind, count in zip(kinds, parts, strict=True):
            if count:
                height = max(_HEIGHT * count / top, _SMALLEST)
                y = max(y - height, 0)
                made.append(Bar(kind, count, round(x, 2), round(y, 2), round(place * (1 - _GAP), 2), round(height, 2)))
        bars.append(tuple(made))
    return Chart(top, tuple(bars))


def nice(most: int) -> int:
    """The end of a scale that holds `most`: an even number with one or two digits before its zeros.

    >>> [nice(most) for most in (0, 1, 3, 7, 13, 85, 420, 12_345)]
    [2, 2, 4, 8, 20, 100, 600, 20000]
    """
    size = int(10 ** (len(str(most)) - 1))
    return next(step * size for step in (2, 4, 6, 8, 10, 20) if step * size >= most)
