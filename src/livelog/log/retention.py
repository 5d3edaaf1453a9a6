"""Which logs go because of a limit: of their number, of their age, or to make room. No I/O and no clock.

Keeps the logs that have ended in the order of their ends. Refuses to remove a log, and to measure the disk: `Catalogue` and
`Disk` do that, and ask here which log goes. Invariants:

1. Logs that are superseded, since another log of their name began, go before all others: no name loses its newest log because older
   ones are kept. They go also while they are read: as with any log that is removed, whoever reads it keeps it.
2. Of the others, one that is being written or read never goes because of a limit.
3. Among logs to which the same applies, the one that ended first goes first.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Generic, Protocol, TypeVar

from livelog.errors import TooManyLogs

AGE_CHECK = 60.0
"""Seconds, at most, between looks for logs that are too old."""


class Ended(Protocol):
    """A log, by what its retention needs of it."""

    ended_at: float
    """When it ended, in seconds of a clock that nobody sets."""


L = TypeVar("L", bound=Ended)


class Retention(Generic[L]):
    """The limits, and the logs that may go because of them.

    `max_logs`: how many logs there may be. `max_age`: seconds that a log is kept after its end. None: no limit. `is_used`: whether
    somebody reads a log that has ended.
    """

    def __init__(self, max_logs: int | None, max_age: float | None, is_used: Callable[[L], bool]) -> None:
        self._max_logs = max_logs
        self._max_age = max_age
        self._is_used = is_used
        self._ended: dict[L, None] = {}  # those that are not superseded, the one that ended first in front
        self._superseded: dict[L, None] = {}  # in the same order

    def __contains__(self, log: L) -> bool:
        """Whether it is known that `log` has ended, and that it is still there."""
        return log in self._ended or log in self._superseded

    def add(self, log: L) -> None:
        """`log` has ended: after all those that were added before."""
        self._ended[log] = None

    def supersede(self, log: L) -> None:
        """Another log of the name of `log`, which has ended, has begun."""
        del self._ended[log]
        self._superseded[log] = None

    def restore(self, log: L) -> None:
        """`log`, which was superseded, is the newest of its name again."""
        del self._superseded[log]
        self._ended[log] = None
        self._ended = dict.fromkeys(sorted(self._ended, key=lambda log: log.ended_at))

    def discard(self, log: L) -> None:
        """`log` is there no more, if it was."""
        self._ended.pop(log, None)
        self._superseded.pop(log, None)

    def clear(self) -> None:
        """No log is there any more."""
        self._ended.clear()
        self._superseded.clear()

    def superseded(self) -> Iterator[L]:
        """The logs that are superseded, the one that goes first in front."""
        return iter(self._superseded)

    def candidates(self, spared: L | None = None) -> Iterator[L]:
        """The logs that may go to make room, the one that goes first in front; never `spared`."""
        yield from self._superseded
        yield from (log for log in self._ended if log is not spared and not self._is_used(log))

    def admit(self, count: int, replaced: L | None) -> None:
        """One more log may begin where there are `count`, in place of `replaced`, if that is one.

        Raises: TooManyLogs, if too few of them may go.
        """
        if self._max_logs is not None:
            missing = count - (replaced is not None) + 1 - self._max_logs
            if len(list(islice(self.candidates(replaced), max(0, missing)))) < missing:
                raise TooManyLogs(self._max_logs)

    def check(self, count: int) -> None:
        """Raises: TooManyLogs, if no log can be added to `count`, whatever goes."""
        if self.is_full(count):
            assert self._max_logs is not None
            raise TooManyLogs(self._max_logs)

    def is_full(self, count: int) -> bool:
        """Whether one of `count` logs must go before another can be added."""
        return self._max_logs is not None and count >= self._max_logs

    @property
    def age_check(self) -> float | None:
        """Seconds between looks for logs that are too old; None: no log is ever too old."""
        return None if self._max_age is None else min(AGE_CHECK, self._max_age / 4)

    def too_old(self, now: float) -> list[L]:
        """The logs that go for their age at that time of the clock of `ended_at`."""
        if self._max_age is None:
            return []
        horizon = now - self._max_age
        return [log for log in (*self._superseded, *self._ended) if log.ended_at < horizon and self._may_go(log)]

    def _may_go(self, log: L) -> bool:
        return log in self._superseded or not self._is_used(log)
