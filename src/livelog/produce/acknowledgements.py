"""Acknowledgements: interim responses (104) that tell a producer how many bytes are on file (draft-ietf-httpbis-resumable-upload).

Invariant: acknowledged bytes are on file. A crash of this process does not lose them.
"""

import asyncio

from livelog.log.journal import Journal
from livelog.wire.exchange import Channel

DISTANCE = 0.5
"""Seconds between two acknowledgements, at least."""


class Acknowledgements:
    """Sends the acknowledgements of one request. There is a timer only while bytes are on file and not acknowledged."""

    def __init__(self, connection: Channel, journal: Journal, head: str) -> None:
        self._connection = connection
        self._journal = journal
        self._head = head
        self._acknowledged = journal.acknowledged
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._stopped = False

    def written(self) -> None:
        """More bytes are on file: acknowledge them, now or after `DISTANCE`."""
        if self._next is None and not self._stopped:
            self._next = self._loop.call_at(max(self._not_before, self._loop.time()), self._acknowledge)

    def stop(self) -> None:
        """Send no more acknowledgements: the final response is next."""
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
            self.written()  # the producer does not read its responses: try again later
            return
        self._acknowledged = offset
        self._connection.inform(f"{self._head}Upload-Offset: {offset}\r\n\r\n".encode())
