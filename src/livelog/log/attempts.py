"""The logs of all names: of each name the newest log, and the older ones that are kept. No I/O.

A log of a name is called an attempt. It is found by its number, which is 0 for the newest, -1 for the one before it, and so on; or by its
generation, which stays the same when another log begins. Invariants:

1. The logs of a name are in the order in which they began (`LogInfo.order`). So are the newest logs of all names.
2. Only the newest log of a name may grow. Whoever adds one has ended the one before it.
"""

from collections.abc import Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

from .info import LogInfo


class Which(NamedTuple):
    """Which log of a name is meant: that `generation`, or, if it is None, the attempt with that number."""

    attempt: int = 0
    generation: str | None = None


NEWEST = Which()


class Log(Protocol):
    """What this module needs to know of a log."""

    @property
    def info(self) -> LogInfo:
        """Its name, generation and order."""


L = TypeVar("L", bound=Log)


class Attempts(Generic[L]):
    """All logs. `kept`: the largest number of logs that a name may have."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._newest: dict[str, L] = {}  # in the order in which they began
        self._older: dict[str, list[L]] = {}  # of names that have older logs, in the order in which they began
        self._older_count = 0

    def __len__(self) -> int:
        """How many logs there are, older attempts included."""
        return len(self._newest) + self._older_count

    def __iter__(self) -> Iterator[L]:
        """All logs, older attempts included."""
        yield from self._newest.values()
        for older in self._older.values():
            yield from older

    def __contains__(self, log: L) -> bool:
        """Whether `log` was added and not removed."""
        return self.find(log.info.name, Which(generation=log.info.generation)) is log

    def newest(self, name: str) -> L | None:
        """The newest log of that name; None: there is none."""
        return self._newest.get(name)

    def newest_first(self) -> Iterator[L]:
        """The newest log of each name, the one that began last first."""
        return reversed(self._newest.values())

    def of(self, name: str) -> tuple[L, ...]:
        """All logs of that name, the newest first."""
        if (newest := self._newest.get(name)) is None:
            return ()
        return (newest, *reversed(self._older.get(name, ())))

    def find(self, name: str, which: Which) -> L | None:
        """The log of that name that `which` selects; None: it is not there."""
        logs = self.of(name)
        if which.generation is not None:
            return next((log for log in logs if log.info.generation == which.generation), None)
        return logs[-which.attempt] if -len(logs) < which.attempt <= 0 else None

    def surplus(self, name: str) -> tuple[L, ...]:
        """The logs of that name that must be removed before one more is added, the oldest first."""
        logs = self.of(name)
        return logs[self._kept - 1 :][::-1]

    def add(self, log: L) -> None:
        """Add `log` as the newest of its name."""
        name = log.info.name
        if (older := self._newest.pop(name, None)) is not None:
            self._older.setdefault(name, []).append(older)
            self._older_count += 1
        last = next(self.newest_first(), log)
        self._newest[name] = log
        if last.info.order > log.info.order:  # `last` began later, and was added before
            self._sort()

    def remove(self, log: L) -> None:
        """Remove `log`, which was added. If it was the newest of its name, the one before it is the newest again."""
        name = log.info.name
        older = self._older.get(name, [])
        self._older_count -= bool(older)
        if self._newest[name] is not log:
            older.remove(log)
        elif older:
            self._newest[name] = older.pop()
            self._sort()
        else:
            del self._newest[name]
        if not older:
            self._older.pop(name, None)

    def clear(self) -> None:
        """Remove all logs."""
        self._newest.clear()
        self._older.clear()
        self._older_count = 0

    def _sort(self) -> None:
        self._newest = dict(sorted(self._newest.items(), key=lambda item: item[1].info.order))
