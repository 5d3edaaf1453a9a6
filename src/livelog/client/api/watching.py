"""The changes that a watcher of a list of logs gets, from the server's events. No I/O.

A server tells everything anew after a break, or when its watcher was too slow; here that becomes what has happened meanwhile. Of one log:
`log` (it was there at the beginning) or `begun` comes first and once, `ended` and `removed` once at most.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Status = Mapping[str, Any]
"""The status of a log: see `/status` in docs/protocol/readers.md."""

ENDED = ("complete", "aborted")

_TOLD = ("state", "title", "labels", "exit_code", "content_type", "reason", "attempts")
"""The members of a status whose change is reported as `changed`."""


class Watched:
    """The logs that a watcher knows, by which repeated events are recognised after a reconnection."""

    def __init__(self) -> None:
        self._known: dict[str, Status] = {}
        self._listed: set[str] | None = None  # those that were told anew; None: not now
        self._first = True

    def begin(self) -> None:
        """Begin a new answer, in which the server lists all present logs again."""
        self._listed = set()

    def take(self, kind: str, data: Status) -> Iterator[tuple[str, Status]]:
        """What another event of the server tells: kinds as the server's, and `listed` once, behind what there was at the beginning.

        `missing` stands for a log that was known, and is not told anew: it is not there any more, or is not selected any more.
        """
        if kind == "listed":
            yield from self._missing(data)
            if self._first:
                self._first = False
                yield kind, data
        elif kind == "reset":
            self.begin()
        elif "generation" in data:
            yield from self._take_log(kind, data)

    def _take_log(self, kind: str, log: Status) -> Iterator[tuple[str, Status]]:
        generation = log["generation"]
        known = self._known.get(generation)
        if kind == "removed":
            if self._known.pop(generation, None) is not None:
                yield kind, log
            return
        self._known[generation] = log
        if self._listed is not None:
            self._listed.add(generation)
        if known is not None:
            if (change := difference(known, log)) is not None:
                yield change, log
        elif kind != "log" or self._first:
            yield kind, log
        else:
            yield "begun", log
            if log["state"] in ENDED:
                yield "ended", log

    def _missing(self, data: Status) -> Iterator[tuple[str, Status]]:
        """The logs that were not told anew, of those that would have been: of a list that goes on, only its beginning is told."""
        listed, self._listed = self._listed or set(), None
        oldest = min((self._known[generation]["began"] for generation in listed), default="")
        for generation in set(self._known) - listed:
            if data.get("next") is None or self._known[generation]["began"] > oldest:
                yield "missing", self._known.pop(generation)


def difference(before: Status, after: Status) -> str | None:
    """The kind of change between two statuses of a log; None: nothing has changed."""
    if after["state"] in ENDED and before["state"] not in ENDED:
        return "ended"
    if any(before.get(name) != after.get(name) for name in _TOLD):
        return "changed"
    return "grew" if before["size"] != after["size"] else None
