"""Lines of several logs in one order: that of their arrival times. No I/O.

The lines of one log come in order, but may come late. While the present lines of a log are still being read, the other logs wait, so that
all present lines are merged exactly. A new line waits for a moment, in which an older line of another log may come.

1. No line is lost, and the order of lines of one log never changes.
2. A silent log holds the others back for at most `patience` seconds, and one that has ended not at all.
"""

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")

HOLD = 0.15
"""Seconds for which a new line waits for older lines of other logs."""

PATIENCE = 10.0
"""Seconds for which a log whose present lines were not read yet, and which sends nothing, holds the others back."""


@dataclass(slots=True)
class _Queue(Generic[T]):
    """The waiting lines of one log. `heard`: when it was last heard of; `behind`: whether more present lines are still to be read."""

    order: int
    heard: float
    behind: bool = True
    latest: float = float("-inf")
    waiting: "deque[tuple[float, float, T]]" = field(default_factory=deque)


class Merger(Generic[T]):
    """Lines that wait for their place. All values of `now` are seconds on one monotonic clock."""

    def __init__(self, hold: float = HOLD, patience: float = PATIENCE) -> None:
        self._hold, self._patience = hold, patience
        self._queues: dict[str, _Queue[T]] = {}
        self._heads: list[tuple[float, int, str]] = []
        self._joined = 0

    def __len__(self) -> int:
        return sum(len(queue.waiting) for queue in self._queues.values())

    def join(self, name: str, now: float) -> None:
        """Add a log, whose lines will follow."""
        self._joined += 1
        self._queues[name] = _Queue(self._joined, now)

    def put(self, name: str, time: float, line: T, now: float) -> None:
        """Add a line of a log. `time`: its arrival time."""
        queue = self._queues[name]
        queue.latest = max(queue.latest, time)
        queue.heard = now
        queue.waiting.append((queue.latest, now, line))
        if len(queue.waiting) == 1:
            heappush(self._heads, (queue.latest, queue.order, name))

    def caught_up(self, name: str) -> None:
        """All lines that the log had when it joined were added."""
        if name in self._queues:
            self._queues[name].behind = False

    def leave(self, name: str) -> None:
        """The log has ended. Its waiting lines are still returned."""
        queue = self._queues.get(name)
        if queue is not None:
            queue.behind = False
            if queue.waiting:
                queue.heard = float("-inf")
            else:
                del self._queues[name]

    def take(self, now: float, *, all_of_it: bool = False) -> list[T]:
        """The lines whose turn has come, in order. `all_of_it`: all waiting lines."""
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
