"""Holds the processor time of a function of n bytes against that of 4 n.

The time of this thread is taken, not that of the clock: others on the machine do not count. The least of several runs
counts, since nothing makes code quicker than it is. Linear work takes 4 times as long, quadratic work 16 times. Of the large
input, one run is enough that costs little enough: more of them could only cost less.
"""

import math
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

RATIO = 8.0
"""Times that four times the input may cost: half way, as factors go, from linear to quadratic."""

SLACK = 0.001
"""Seconds that do not count: what caches and allocations cost."""

FEW, ROUNDS = 3, 12
"""Runs with the small input before the first one with the large input, and runs with the large one, at most."""


def is_linear(work: Callable[[T], object], make: Callable[[int], T], n: int) -> bool:
    """Whether `work` on `make(4 * n)` costs at most `RATIO` times of what it costs on `make(n)`."""
    small, large = min(_seconds(work, make(n)) for _ in range(FEW)), math.inf
    for _ in range(ROUNDS):
        large = min(large, _seconds(work, make(4 * n)))
        if large <= RATIO * small + SLACK:
            return True
        small = min(small, _seconds(work, make(n)))
    return False


def _seconds(work: Callable[[T], object], given: T) -> float:
    began = time.thread_time()
    work(given)
    return time.thread_time() - began
