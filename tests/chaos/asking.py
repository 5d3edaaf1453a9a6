"""Requests of one reader, each noted in the ledger before it is asked; and what makes a reader slow.

Refuses to know what the answers mean, but for 404 and for what no server should answer.
"""

import asyncio
import random

from tests.conformance.wire import Head

from .ledger import Ledger, Reading
from .place import TOKEN, Place
from .wire import Exchange


class Asker:
    """One reader's side of the wire. `who`: what the ledger calls it."""

    def __init__(self, place: Place, ledger: Ledger, name: str, chance: random.Random, who: str) -> None:
        self.place = place
        self.ledger = ledger
        self.name = ledger.name(name)
        self.chance = chance
        self.who = who
        self.slow = False
        """Whether it takes small segments into a small buffer, and rests in between."""

    def check_excused(self, reading: Reading, what: str) -> None:
        if not self.ledger.excused(reading.epoch):
            raise self.ledger.broken(reading.who, f"{what}, though the server went on", reading.log)

    def _check_failure(self, reading: Reading, status: int, what: str) -> None:
        if status != 503 or not self.ledger.excused(reading.epoch):
            raise self.ledger.broken(reading.who, f"{status}: {what}")

    async def ask(
        self, resource: str, kind: str, *headers: str, query: str = "", method: str = "GET", version: str = "1.1",
        offset: int = 0, etag: str = "",
    ) -> tuple[Exchange, Reading, Head | None]:  # fmt: skip
        """Ask. No head: there is no log, which is so. Raises: Gone, Broken."""
        self.place.moment("ask")
        reading = self.ledger.reading(self.name.name, f"{self.who}, {kind}", offset, etag)
        changes = self.name.changes
        self.ledger.answers += 1
        target = f"/{resource}/{TOKEN}/{self.name.name}{query}"
        exchange = await Exchange.ask(self.place.get, method, target, *headers, version=version, slow=self.slow)
        try:
            head = await exchange.head()
            if head.status == 404:
                self.ledger.missing(reading, changes, retry=head.get("Retry-After") is not None)
                exchange.close()
                return exchange, reading, None
            if head.status >= 500:
                self._check_failure(reading, head.status, f"{target} is answered by {await exchange.whole()!r:.300}")
        except BaseException:
            exchange.close()
            raise
        return exchange, reading, head

    async def pause(self) -> None:
        """Do what makes a reader slow."""
        if self.slow and self.chance.random() < 0.2:
            await asyncio.sleep(self.chance.choice((0.0, 0.005, 0.05)))
