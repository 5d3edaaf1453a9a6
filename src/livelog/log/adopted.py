"""Adopted logs: other processes write them, this one reads them. They are looked for when somebody asks, and kept while they grow.

Only the newest log of a name is known. The module does not know which processes there are, and closes no source: whoever made it does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from .source import Source

Elsewhere = Callable[[str], Awaitable[Source | None]]
"""Finds the log of a name that another process writes; None: it knows of none."""


async def nowhere(_: str) -> None:
    """The `Elsewhere` of a server that writes all logs itself: it finds none."""


class Adopted:
    """The logs that `elsewhere` has found, or `adopt` was called with. `announce` is called with each."""

    def __init__(self, elsewhere: Elsewhere, announce: Callable[[Source], None]) -> None:
        self._elsewhere = elsewhere
        self._announce = announce
        self._logs: dict[str, Source] = {}
        self._searches: dict[str, asyncio.Task[Source | None]] = {}

    def __iter__(self) -> Iterator[Source]:
        """The adopted logs, all of which grow."""
        return iter(self._logs.values())

    async def find(self, name: str) -> Source | None:
        """The log of that name; None: there is none. Concurrent calls for one name share one search and one source."""
        if (log := self._logs.get(name)) is not None or self._elsewhere is nowhere:
            return log
        search = self._searches.get(name)
        if search is None:
            search = self._searches[name] = asyncio.create_task(self._search(name))
        found = await asyncio.shield(search)
        return self._logs.get(name) or found  # `adopt` may have been called with it meanwhile

    async def _search(self, name: str) -> Source | None:
        try:
            log = await self._elsewhere(name)
        finally:
            del self._searches[name]
        if log is not None:
            self.adopt(log)
        return log

    def adopt(self, log: Source) -> None:
        """Add a log until it is at its end. After that, only the process that wrote it knows whether it is still the newest of its name."""
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
