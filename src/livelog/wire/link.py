"""One connection's transport, from accept to close: writing, backpressure, and the ways to end.

It knows nothing of HTTP. `Connection` is a `Link` that reads, and has states.
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
        """Why the server reset the connection, in words; empty: it did not."""
        self.ended = False
        """Whether the peer has closed its sending side; it may still read."""
        self.waiting = False
        """Whether a handler waits for an event before it answers. Then a peer that closes its sending side is taken to have left."""
        self.on_lost: Callable[[], None] | None = None
        """Called when the connection is lost: see `unless_lost`."""
        self._is_plain = True
        self._lost = False
        self._writable: asyncio.Future[None] | None = None

    # Called by asyncio: see `asyncio.BaseProtocol`.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._is_plain = transport.get_extra_info("sslcontext") is None
        # `pause_writing` is called for the first byte that the socket does not take. (asyncio's TLS compares with >=, so not 0 there.)
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
        """Wait until the socket has taken everything that was written, or the connection is lost."""
        while self.blocked and not self._lost:
            self._writable = asyncio.get_running_loop().create_future()
            await self._writable

    # Called by handlers and bodies.

    @property
    def is_open(self) -> bool:
        """Whether the connection can be written to."""
        return not self._lost and not self.transport.is_closing()

    @property
    def is_lost(self) -> bool:
        """Whether the connection is lost."""
        return self._lost

    @property
    def received(self) -> int:
        """Bytes of logs received over this connection."""
        return self.stats.received

    def note_log(self, name: str) -> None:
        """Name the log of the present request in the connection's line of the access log."""
        self.stats.log = name

    def note_received(self, size: int) -> None:
        """Count `size` more bytes of a log as received."""
        self.stats.received += size

    def inform(self, head: bytes) -> None:
        """Send an interim response (RFC 9110 section 15.2). Without effect on a closed connection."""
        if self.is_open:
            self.transport.write(head)

    def pause(self) -> None:
        """Stop reading from the socket until `resume`."""
        self.transport.pause_reading()

    def resume(self) -> None:
        """Read from the socket again."""
        self.transport.resume_reading()

    def reset(self, reason: str) -> None:
        """End the connection by a TCP reset, so that what is not whole does not look whole. `reason`: why, in words, for the access log."""
        self.broken_by = reason
        if not self._lost:
            reset_connection(self.transport)


class Losable(Protocol):
    """A `Link` or a `BodyWriter`: it calls `on_lost` when its connection is lost."""

    on_lost: Callable[[], None] | None

    @property
    def is_lost(self) -> bool:
        """Whether the connection is lost."""


@contextlib.asynccontextmanager
async def unless_lost(connection: Losable) -> AsyncIterator[None]:
    """Cancel the block if the connection is lost while it runs. Raises: ConnectionResetError, in that case."""
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


class Endable(Protocol):
    """A connection whose peer may close its sending side."""

    ended: bool
    """Whether it has."""
    waiting: bool
    """Whether a handler waits for an event before it answers."""


@contextlib.contextmanager
def leaving(connection: Endable) -> Iterator[None]:
    """Within the block, a client that closes its sending side is taken to have left. Raises: ConnectionResetError, if it has already."""
    if connection.ended:
        raise ConnectionResetError("the peer has left")
    connection.waiting = True
    try:
        yield
    finally:
        connection.waiting = False
