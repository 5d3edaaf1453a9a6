"""The end of a connection whose peer still sends: the answer goes out first, and is not overtaken by a reset.

A socket that is closed with bytes unread sends a reset, which may throw away what the peer has not read yet. So the
server ends its own side, reads on and drops what comes, until the peer ends its side or the time is over (RFC 9112
section 9.6). Refuses to know what the answer is.
"""

import asyncio
import contextlib
from collections.abc import Callable

MAX_DROPPED = 4 * 1024 * 1024
"""Bytes that are dropped: a peer that goes on sending after these does not read."""


class Lingering(asyncio.Protocol):
    """Writes `answer` on a connection that nothing else uses any more, and closes it `seconds` later at the latest.

    `closed` is called once, when the connection is gone.
    """

    stuck = False
    """Never cut off as a peer that accepts nothing: it is over before that."""

    working = False

    def __init__(
        self, transport: asyncio.Transport, answer: bytes, seconds: float, closed: "Callable[[Lingering], None]"
    ) -> None:
        self.transport: asyncio.Transport | None = transport
        self._closed = closed
        self._dropped = 0
        self._timer = asyncio.get_running_loop().call_later(seconds, transport.close)
        transport.set_protocol(self)
        transport.write(answer)
        if transport.can_write_eof():
            with contextlib.suppress(OSError):  # the peer has gone: asyncio is about to tell
                transport.write_eof()
        transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`: nobody wants it."""
        self._dropped += len(data)
        if self._dropped > MAX_DROPPED and self.transport is not None:
            self.transport.close()

    def eof_received(self) -> None:
        """See `asyncio.Protocol`: the peer has read the answer, or never will; asyncio closes the connection."""

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self.transport = None
        self._timer.cancel()
        self._closed(self)
