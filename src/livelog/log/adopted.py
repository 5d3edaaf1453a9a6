"""Logs that are written elsewhere, and read here: looked for when somebody asks, and kept for as long as they grow.

Refuses to know where "elsewhere" is, and to end what it is given: whoever made a source closes it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from .source import Source

Elsewhere = Callable[[str], Awaitable[Source | None]]
"""Finds the log of a name that another process writes; None: it knows of none."""


async def nowhere(_: str) -> None:
    """There is no elsewhere: all logs are written here."""


class Adopted:
    """The logs that were found by `elsewhere`, or brought by `adopt`: of each, `announce` is told."""

    def __init__(self, elsewhere: Elsewhere, announce: Callable[[Source], None]) -> None:
        self._elsewhere = elsewhere
        self._announce = announce
        self._logs: dict[str, Source] = {}
        self._searches: dict[str, asyncio.Task[Source | None]] = {}

    def __iter__(self) -> Iterator[Source]:
        """Those that grow."""
        return iter(self._logs.values())

    async def find(self, name: str) -> Source | None:
        """The log of that name. All who ask at the same time share one search, and one source."""
        if (log := self._logs.get(name)) is not None or self._elsewhere is nowhere:
            return log
        search = self._searches.get(name)
        if search is None:
            search = self._searches[name] = asyncio.create_task(self._search(name))
        found = await asyncio.shield(search)
        return self._logs.get(name) or found  # it may have been adopted meanwhile

    async def _search(self, name: str) -> Source | None:
        try:
            log = await self._elsewhere(name)
        finally:
            del self._searches[name]
        if log is not None:
            self.adopt(log)
        return log

    def adopt(self, log: Source) -> None:
        """Keep a log until it is at its end: from then on only its writer knows whether it is still the one of that name."""
        name = log.info.name

        def changed() -> None:
            if log.at_end:
                log.watchers.discard(changed)
                if self._logs.get(name) is log:
                    del self._logs[name]

        self._logs[name] = log
        log.watchers.add(changed)
        changed()
        self._announce(log)
