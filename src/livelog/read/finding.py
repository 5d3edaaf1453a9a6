"""Finding the log of a request: the newest of a name, an older attempt, or one generation. A request may wait for a log to begin.

Tokens were checked before.
"""

import asyncio

from livelog.log.attempts import NEWEST, Which
from livelog.log.catalogue import Catalogue
from livelog.log.source import Source
from livelog.wire.exchange import Exchange
from livelog.wire.fields import attempt_and_generation, wait_seconds
from livelog.wire.link import unless_lost
from livelog.wire.problem import RETRY_AFTER

from . import problems


class Finder:
    """Finds logs in `catalogue` for requests."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def open(self, exchange: Exchange, name: str, *, replaced: bool = False) -> Source:
        """The log of that name that a request asks for, with its file open until `release`.

        If no log of that name has begun, it waits as long as the request says. `replaced`: if the generation that is asked for is not kept,
        the newest log is opened in its place. Raises: RequestError, DiskError.
        """
        loop, which = asyncio.get_running_loop(), Which(*attempt_and_generation(exchange.request.query))
        deadline = loop.time() + wait_seconds(exchange.request)
        while (log := await self._catalogue.open(name, which)) is None:
            if replaced and which.generation is not None:
                which = NEWEST
            else:
                await self.find(exchange, name, which, deadline - loop.time())
        exchange.connection.note_log(name)
        return log

    async def find(self, exchange: Exchange, name: str, which: Which, timeout: float) -> Source:
        """The log of that name that `which` selects. If no log of that name has begun, it waits `timeout` seconds at most.

        Raises: RequestError.
        """
        connection = exchange.connection
        log: Source | None = self._catalogue.get(name, which)
        if log is None:
            connection.waiting = True
            try:
                async with unless_lost(connection):
                    newest = await self._catalogue.wait(name, 0 if connection.ended else timeout)
            finally:
                connection.waiting = False
            if newest is None:
                raise problems.NOT_BEGUN.error(RETRY_AFTER)
            log = newest if which == NEWEST else await self._catalogue.locate(name, which)
        connection.note_log(name)
        if log is not None:
            return log
        if which.generation is not None:
            raise problems.ANOTHER_GENERATION.error()
        count = len(self._catalogue.attempts(name))
        kept = f"0, the newest, to {1 - count} are kept" if count > 1 else "only the newest one is kept, attempt 0"
        raise problems.NO_ATTEMPT.error(attempt=which.attempt, kept=kept)
