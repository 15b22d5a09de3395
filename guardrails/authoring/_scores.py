"""Shares, and how far a few examples can be trusted to tell them."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

_Z = 1.959963984540054
"""Standard deviations that hold 95 of 100 values of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, with its 95 % interval.

    >>> print(Share(9, 10))
    90% (60-98)
    >>> print(Share(0, 0))
    -
    """

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """From 0 to 1; None of nothing."""
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        return wilson(self.count, self.of)

    def __str__(self) -> str:
        if not self.of:
            return "-"
        low, high = self.interval
        return f"{self.count / self.of:.0%} ({low * 100:.0f}-{high * 100:.0f})"


def wilson(count: int, of: int) -> tuple[float, float]:
    """Wilson's score interval for a share, 95 %; of nothing, all is possible.

    It stays inside 0 to 1 and means something for small numbers and for shares of 0 and 1, where the usual
    interval does not. Wilson, Probable inference, the law of succession, and statistical inference (1927).

    >>> [round(bound, 3) for bound in wilson(8, 8)]
    [0.676, 1.0]
    """
    if not of:
        return 0.0, 1.0
    share, square = count / of, _Z * _Z / of
    middle = share + square / 2
    spread = sqrt(square * (share * (1 - share) + square / 4))
    return max(0.0, (middle - spread) / (1 + square)), min(1.0, (middle + spread) / (1 + square))
