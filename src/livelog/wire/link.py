"""One connection's transport, from accept to close: what goes out, backpressure, and how it ends.

Knows nothing of HTTP: what comes in is the business of a `Connection`, which is a `Link` that has states.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

from .access_log import ConnectionStats
from .sockets import reset_connection


class Link(asyncio.BufferedProtocol):
    """One transport."""

    __slots__ = (
        "_is_plain", "_lost", "_writable", "blocked", "broken_by", "ended", "on_lost", "stats", "transport", "waiting",
    )  # fmt: skip

    transport: asyncio.Transport
    stats: ConnectionStats

    def __init__(self) -> None:
        self.blocked = False
        """Whether bytes wait for the socket to take them."""
        self.broken_by = ""
        """Why the server broke the connection off, in words; empty if it did not."""
        self.ended = False
        """Whether the peer will send no more; it may still read."""
        self.waiting = False
        """Whether the answer waits for something to happen: then a peer that ends its side is taken to leave."""
        self.on_lost: Callable[[], None] | None = None
        """Called when the connection is lost: see `unless_lost`."""
        self._is_plain = True
        self._lost = False
        self._writable: asyncio.Future[None] | None = None

    # What asyncio tells: see `asyncio.BaseProtocol`.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._is_plain = transport.get_extra_info("sslcontext") is None
        # Tell of the first byte that the socket does not take. (asyncio's TLS compares with >=, so not 0 there.)
        transport.set_write_buffer_limits(high=0 if self._is_plain else 1, low=0)
        peer = (transport.get_extra_info("peername") or ("unknown",))[0]
        self.stats = ConnectionStats(peer, asyncio.get_running_loop().time())

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self._lost = True
        if self.stats.end is None and (self.broken_by or exc is not None):
            self.stats.end = self.broken_by or str(exc)
        self._wake()
        if self.on_lost is not None:
            self.on_lost()

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self.blocked = True

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self.blocked = False
        self._wake()

    def _wake(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    async def _drained(self) -> None:
        """Wait until the socket has taken everything that was written, or is gone."""
        while self.blocked and not self._lost:
            self._writable = asyncio.get_running_loop().create_future()
            await self._writable

    # What handlers and bodies ask for.

    @property
    def is_open(self) -> bool:
        """Whether something can be written."""
        return not self._lost and not self.transport.is_closing()

    @property
    def is_lost(self) -> bool:
        """Whether it is over."""
        return self._lost

    @property
    def received(self) -> int:
        """Bytes of logs that came by this connection."""
        return self.stats.received

    def note_log(self, name: str) -> None:
        """Tell, when the connection is over, that the log of that name was asked for."""
        self.stats.log = name

    def note_received(self, size: int) -> None:
        """Count `size` more bytes of a log that came."""
        self.stats.received += size

    def inform(self, head: bytes) -> None:
        """Send an interim response (RFC 9110 section 15.2), if the peer is there."""
        if self.is_open:
            self.transport.write(head)

    def pause(self) -> None:
        """Read nothing more for now."""
        self.transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        self.transport.resume_reading()

    def reset(self, reason: str) -> None:
        """Break the connection off by a reset, for that `reason`: what is not whole must not seem to be."""
        self.broken_by = reason
        if not self._lost:
            reset_connection(self.transport)


class Losable(Protocol):
    """What can be lost, and calls `on_lost` then: a `Link`, or a `BodyWriter`."""

    on_lost: Callable[[], None] | None

    @property
    def is_lost(self) -> bool:
        """Whether it is."""


@contextlib.asynccontextmanager
async def unless_lost(connection: Losable) -> AsyncIterator[None]:
    """Do what is in the block, unless the connection is lost first: then that is cancelled. Raises: ConnectionResetError."""
    task, lost = asyncio.current_task(), False
    assert task is not None
    if connection.is_lost:
        raise ConnectionResetError("the peer is gone")

    def cancel() -> None:
        nonlocal lost
        lost = True
        task.cancel()

    connection.on_lost = cancel
    try:
        yield
    except asyncio.CancelledError:
        if lost and not task.uncancel():
            raise ConnectionResetError("the peer is gone") from None
        raise
    finally:
        connection.on_lost = None


@contextlib.contextmanager
def leaving(connection: Link) -> Iterator[None]:
    """Within this, a client that ends its side of the connection is taken to leave. Raises: ConnectionResetError."""
    if connection.ended:
        raise ConnectionResetError("the peer has left")
    connection.waiting = True
    try:
        yield
    finally:
        connection.waiting = False
