"""Holds the processor time of a function of n bytes against that of 4 n.

The time of this thread is taken, not that of the clock: others on the machine do not count. The least of several runs
counts, since nothing makes code quicker than it is. Linear work takes 4 times as long, quadratic work 16 times.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

RATIO = 8.0
"""Times that four times the input may cost: half way, as factors go, from linear to quadratic."""

SLACK = 0.001
"""Seconds that do not count: what caches and allocations cost."""

ROUNDS = 3, 12
"""Runs that are made, at least and at most."""


def is_linear(work: Callable[[T], object], make: Callable[[int], T], n: int) -> bool:
    """Whether `work` on `make(4 * n)` costs at most `RATIO` times of what it costs on `make(n)`."""
    least = [float("inf"), float("inf")]
    for done in range(ROUNDS[1]):
        if done >= ROUNDS[0] and least[1] <= RATIO * least[0] + SLACK:
            return True
        for place, size in enumerate((n, 4 * n)):
            given = make(size)
            began = time.thread_time()
            work(given)
            least[place] = min(least[place], time.thread_time() - began)
    return least[1] <= RATIO * least[0] + SLACK
