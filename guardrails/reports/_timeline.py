"""Runs over time and their latencies, counted in a memory that does not grow with their number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, floor, log2

from guardrails.reports._result import Result


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of time: how many of them a report shows at most, and its periods as whole numbers and back.

    `pattern` is how a period of it is written.
    """

    name: str
    most: int | None
    index: Callable[[datetime], int]
    start: Callable[[int], datetime]
    pattern: str


def _hour(index: int) -> datetime:
    return datetime.fromordinal(index // 24).replace(tzinfo=UTC) + timedelta(hours=index % 24)


UNITS = (
    Unit("hour", 48, lambda time: time.toordinal() * 24 + time.hour, _hour, "%Y-%m-%d %H:00"),
    Unit("day", 124, datetime.toordinal, lambda index: datetime.fromordinal(index).replace(tzinfo=UTC), "%Y-%m-%d"),
    Unit(
        "month",
        120,
        lambda time: time.year * 12 + time.month - 1,
        lambda index: datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC),
        "%Y-%m",
    ),
    Unit("year", None, lambda time: time.year, lambda index: datetime(index, 1, 1, tzinfo=UTC), "%Y"),
)


@dataclass(frozen=True, slots=True)
class Period:
    """An hour, a day, a month or a year, and how many runs of each result it had."""

    start: datetime
    results: Mapping[Result, int]


class Timeline:
    """Runs by hour, or by the finest longer unit in which the whole time is not too many periods.

    >>> timeline = Timeline()
    >>> timeline.add(datetime(2026, 11, 1, 9, tzinfo=UTC), Result.PASSED)
    >>> timeline.add(datetime(2026, 11, 30, 9, tzinfo=UTC), Result.REVISED)
    >>> timeline.unit.name, len(list(timeline.periods()))
    ('day', 30)
    """

    def __init__(self) -> None:
        self._units = list(UNITS)
        self._counts: dict[int, Counter[Result]] = {}
        self.first: datetime | None = None
        self.last: datetime | None = None

    @property
    def unit(self) -> Unit:
        """The unit of the periods."""
        return self._units[0]

    def add(self, time: datetime, result: Result) -> None:
        """Count a run."""
        time = time.astimezone(UTC)
        self.first, self.last = min(self.first or time, time), max(self.last or time, time)
        while self.unit.most and self.unit.index(self.last) - self.unit.index(self.first) >= self.unit.most:
            self._coarsen()
        self._counts.setdefault(self.unit.index(time), Counter())[result] += 1

    def periods(self) -> Iterator[Period]:
        """Every period from the first run to the last one, those without runs too."""
        if self.first is None or self.last is None:
            return
        for index in range(self.unit.index(self.first), self.unit.index(self.last) + 1):
            yield Period(self.unit.start(index), self._counts.get(index, Counter()))

    def _coarsen(self) -> None:
        finer, unit = self._units.pop(0), self._units[0]
        merged: dict[int, Counter[Result]] = {}
        for index, counts in self._counts.items():
            merged.setdefault(unit.index(finer.start(index)), Counter()).update(counts)
        self._counts = merged


_STEPS = 16  # buckets for each doubling: one is 4.4 % wide
_SMALLEST = 1e-6


class Latencies:
    """Seconds, in buckets each 4.4 per cent wider than the one before: a quantile is that much too long at most.

    >>> latencies = Latencies()
    >>> for seconds in (0.1, 0.2, 4.0):
    ...     latencies.add(seconds)
    >>> latencies.count, latencies.longest, 0.2 <= latencies.quantile(0.5) < 0.2088
    (3, 4.0, True)
    """

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._buckets[floor(_STEPS * log2(max(seconds, _SMALLEST) / _SMALLEST))] += 1
        self.count += 1
        self.longest = max(self.longest, seconds)

    def quantile(self, share: float) -> float:
        """The shortest time that this share of all is within (nearest rank); 0 where there is none."""
        rank, seen = max(ceil(share * self.count), 1), 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= rank:
                return float(min(_SMALLEST * 2 ** ((bucket + 1) / _STEPS), self.longest))
        return 0.0
