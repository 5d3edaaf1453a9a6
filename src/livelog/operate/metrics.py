"""Histograms. No I/O.

Simple counters are plain numbers of the objects that count them. `operate.monitoring` writes both in the formats of metrics.
"""

from bisect import bisect_left


class Histogram:
    """A histogram. `bounds`: the inclusive upper bounds of its buckets, ascending; one more bucket has all larger values."""

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        """The sum of all values."""

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """For each bucket its bound, as Prometheus writes it, and the number of values that are not above it."""
        counted, buckets = 0, []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            counted += count
            buckets.append((bound, float(counted)))
        return buckets
