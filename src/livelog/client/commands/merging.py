"""Lines of several logs in one order, that of their times. No I/O.

Of each log the lines come in order, and may come late: a log that is still being caught up with holds the others back, so that what there
was already is merged exactly; a new line is held back for a moment, in which an older one of another log may come.

1. No line is lost or changes places with another one of its log.
2. A log that is silent holds the others back for `patience` at most, and one that has ended not at all.
"""

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")

HOLD = 0.15
"""Seconds for which a new line waits for older ones of other logs."""

PATIENCE = 10.0
"""Seconds for which a log that is not caught up with, and of which nothing comes, holds back the others."""


@dataclass(slots=True)
class _Queue(Generic[T]):
    """What waits of one log: times, arrivals and lines. `heard`: when something was last heard of it; `behind`: whether more is there already."""

    order: int
    heard: float
    behind: bool = True
    latest: float = float("-inf")
    waiting: "deque[tuple[float, float, T]]" = field(default_factory=deque)


class Merger(Generic[T]):
    """Lines that wait for their place. All times that are given as `now` are of one clock that does not go back, in seconds."""

    def __init__(self, hold: float = HOLD, patience: float = PATIENCE) -> None:
        self._hold, self._patience = hold, patience
        self._queues: dict[str, _Queue[T]] = {}
        self._heads: list[tuple[float, int, str]] = []
        self._joined = 0

    def __len__(self) -> int:
        return sum(len(queue.waiting) for queue in self._queues.values())

    def join(self, name: str, now: float) -> None:
        """Expect lines of another log."""
        self._joined += 1
        self._queues[name] = _Queue(self._joined, now)

    def put(self, name: str, time: float, line: T, now: float) -> None:
        """Another line of a log that has joined, which came to it at `time`."""
        queue = self._queues[name]
        queue.latest = max(queue.latest, time)
        queue.heard = now
        queue.waiting.append((queue.latest, now, line))
        if len(queue.waiting) == 1:
            heappush(self._heads, (queue.latest, queue.order, name))

    def caught_up(self, name: str) -> None:
        """All that was there of a log has been put."""
        if name in self._queues:
            self._queues[name].behind = False

    def leave(self, name: str) -> None:
        """No more lines of a log come; what waits of it still goes out."""
        queue = self._queues.get(name)
        if queue is not None:
            queue.behind = False
            if queue.waiting:
                queue.heard = float("-inf")
            else:
                del self._queues[name]

    def take(self, now: float, *, all_of_it: bool = False) -> list[T]:
        """The lines whose turn it is, in order. `all_of_it`: whatever waits."""
        taken: list[T] = []
        while self._heads:
            _time, _order, name = self._heads[0]
            queue = self._queues[name]
            if not all_of_it and not self._may_go(name, queue.waiting[0][1], now):
                break
            heappop(self._heads)
            taken.append(queue.waiting.popleft()[2])
            if queue.waiting:
                heappush(self._heads, (queue.waiting[0][0], queue.order, name))
            elif queue.heard == float("-inf"):
                del self._queues[name]
        return taken

    def _may_go(self, name: str, arrived: float, now: float) -> bool:
        held = False
        for other, queue in self._queues.items():
            if other == name or queue.waiting:
                continue
            if queue.behind and now - queue.heard < self._patience:
                return False
            held = True
        return not held or now - arrived >= self._hold
