"""Distributions that are counted while the server runs, and read when somebody asks. No I/O.

What is only a number, its owner counts by itself. Refuses to know how metrics are written down: `operate.monitoring` does.
"""

from bisect import bisect_left


class Histogram:
    """How often which values were seen. `bounds`: the buckets' upper bounds, inclusive, ascending; above is one more."""

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
        """For each bucket its bound, as Prometheus writes it, and how many values were not above that."""
        counted, buckets = 0, []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            counted += count
            buckets.append((bound, float(counted)))
        return buckets
