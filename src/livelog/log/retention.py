"""Retention: which logs are removed because of a limit of their number, their age, or the room on the disk. No I/O and no clock.

It keeps the ended logs in the order of their ends. `Catalogue` removes the logs, and `Disk` measures the room. Invariants:

1. Superseded logs (another log of their name has begun) are selected before all others, even while they are read. So no name loses its
   newest log because older ones are kept.
2. Of the others, a log that is being written or read is never selected.
3. Within both groups, the log that ended first is selected first.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Generic, Protocol, TypeVar

from livelog.errors import TooManyLogs

AGE_CHECK = 60.0
"""Seconds between two searches for logs that are too old, at most."""


class Ended(Protocol):
    """What retention needs to know of a log."""

    ended_at: float
    """When it ended, in seconds of a monotonic clock."""


L = TypeVar("L", bound=Ended)


class Retention(Generic[L]):
    """The limits, and the ended logs, which they may remove.

    `max_logs`: the largest number of logs. `max_age`: seconds that a log is kept after its end. None: no limit. `is_used`: tells whether
    an ended log is being read.
    """

    def __init__(self, max_logs: int | None, max_age: float | None, is_used: Callable[[L], bool]) -> None:
        self._max_logs = max_logs
        self._max_age = max_age
        self._is_used = is_used
        self._ended: dict[L, None] = {}  # those that are not superseded, in the order of their ends
        self._superseded: dict[L, None] = {}  # in the same order

    def __contains__(self, log: L) -> bool:
        """Whether `log` was added and not discarded."""
        return log in self._ended or log in self._superseded

    def add(self, log: L) -> None:
        """Add `log`, which has ended after all those that were added before."""
        self._ended[log] = None

    def supersede(self, log: L) -> None:
        """Mark `log` as superseded, if it has ended: another log of its name has begun."""
        del self._ended[log]
        self._superseded[log] = None

    def restore(self, log: L) -> None:
        """Take back `supersede`: `log` is the newest of its name again."""
        del self._superseded[log]
        self._ended[log] = None
        self._ended = dict.fromkeys(sorted(self._ended, key=lambda log: log.ended_at))

    def discard(self, log: L) -> None:
        """Forget `log`, which was removed. Without effect if it was not added."""
        self._ended.pop(log, None)
        self._superseded.pop(log, None)

    def clear(self) -> None:
        """Forget all logs."""
        self._ended.clear()
        self._superseded.clear()

    def superseded(self) -> Iterator[L]:
        """The superseded logs, in the order in which they are removed."""
        return iter(self._superseded)

    def candidates(self, spared: L | None = None) -> Iterator[L]:
        """The logs that may be removed to make room, except `spared`, in the order in which they are removed."""
        yield from self._superseded
        yield from (log for log in self._ended if log is not spared and not self._is_used(log))

    def admit(self, count: int, replaced: L | None) -> None:
        """Check that a log may begin beside `count` logs, in place of `replaced` if that is not None.

        Raises: TooManyLogs, if not enough logs may be removed.
        """
        if self._max_logs is not None:
            missing = count - (replaced is not None) + 1 - self._max_logs
            if len(list(islice(self.candidates(replaced), max(0, missing)))) < missing:
                raise TooManyLogs(self._max_logs)

    def check(self, count: int) -> None:
        """Raises: TooManyLogs, if no log can be added to `count` logs, even if all that may be removed are."""
        if self.is_full(count):
            assert self._max_logs is not None
            raise TooManyLogs(self._max_logs)

    def is_full(self, count: int) -> bool:
        """Whether one of `count` logs must be removed before another can be added."""
        return self._max_logs is not None and count >= self._max_logs

    @property
    def age_check(self) -> float | None:
        """Seconds between two searches for logs that are too old; None: there is no limit of age."""
        return None if self._max_age is None else min(AGE_CHECK, self._max_age / 4)

    def too_old(self, now: float) -> list[L]:
        """The logs that are too old at the time `now` of the clock of `ended_at`."""
        if self._max_age is None:
            return []
        horizon = now - self._max_age
        return [log for log in (*self._superseded, *self._ended) if log.ended_at < horizon and self._may_go(log)]

    def _may_go(self, log: L) -> bool:
        return log in self._superseded or not self._is_used(log)
