"""What follows a connection's last answer: a peer that still sends could lose the answer to a TCP reset (RFC 9112 section 9.6)."""

import asyncio
import contextlib
from collections.abc import Callable

MAX_DROPPED = 64 * 1024 * 1024
"""Bytes that are dropped, at most: a peer that sends more is taken not to read."""


class Lingering:
    """Ends the server's side of `transport`, and drops what still arrives, until the peer ends its own side, which shows that it has read the answer.

    It calls `close` after `seconds`, or if too much arrives. `cancel` must be called when the connection is lost.
    """

    __slots__ = ("_close", "_dropped", "_timer")

    def __init__(self, transport: asyncio.Transport, seconds: float, close: Callable[[], None]) -> None:
        self._close = close
        self._dropped = 0
        self._timer = asyncio.get_running_loop().call_later(seconds, close)
        if transport.can_write_eof():
            with contextlib.suppress(OSError):  # the peer is gone: asyncio calls `connection_lost` next
                transport.write_eof()
        transport.resume_reading()

    def drop(self, nbytes: int) -> None:
        """Take note of `nbytes` that were received and dropped."""
        self._dropped += nbytes
        if self._dropped > MAX_DROPPED:
            self._close()

    def cancel(self) -> None:
        """Stop the timer."""
        self._timer.cancel()
