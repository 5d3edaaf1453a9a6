"""What a producer is told while it sends: how much of its log is on file (draft-ietf-httpbis-resumable-upload, section 104).

Invariant: what is acknowledged is on file. A crash of this process cannot lose it.
"""

import asyncio

from livelog.log.journal import Journal
from livelog.wire.connection import Connection

DISTANCE = 0.5
"""Seconds from one acknowledgement to the next, at least."""


class Acknowledgements:
    """Tells it by interim responses with `head` lines. Costs a timer only while something is on file that was not told."""

    def __init__(self, connection: Connection, journal: Journal, head: str) -> None:
        self._connection = connection
        self._journal = journal
        self._head = head
        self._acknowledged = journal.acknowledged
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._stopped = False

    def written(self) -> None:
        """More is on file."""
        if self._next is None and not self._stopped:
            self._next = self._loop.call_at(max(self._not_before, self._loop.time()), self._acknowledge)

    def stop(self) -> None:
        """Tell no more: the final response is next."""
        self._stopped = True
        if self._next is not None:
            self._next.cancel()

    def _acknowledge(self) -> None:
        self._next = None
        offset = self._journal.acknowledged
        if not self._connection.is_open or offset == self._acknowledged:
            return
        self._not_before = self._loop.time() + DISTANCE
        if self._connection.blocked:
            self.written()  # the producer does not read what it is told: once more, later
            return
        self._acknowledged = offset
        self._connection.inform(f"{self._head}Upload-Offset: {offset}\r\n\r\n".encode())
