"""The body of one answer on its way into a socket, past aiohttp: which has written the head, and is out of the way.

Knows `write`, `send` (a journal's bytes, by `sendfile` where there is no TLS) and backpressure that is told at
once. Refuses to know what is sent, and of HTTP. Invariants:

1. Little more than one `write`'s bytes wait in memory for the socket: `blocked` says so, `drained` waits for it.
2. What the peer sends meanwhile, the next request perhaps, is held, never lost.
3. Used on the event loop's thread only.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from .log.journal import Journal

SENDFILE_SLICE = 4 * 1024 * 1024
"""Bytes given to one `sendfile`, which takes less when the socket is full: what one reader may take of the event
loop before others get a turn."""

COPY_SLICE = 128 * 1024
"""Bytes read and written at a time where `sendfile` cannot be used: eight TLS records."""

MAX_HELD = 64 * 1024
"""Bytes of later requests that may arrive before the socket is not read any more."""


class Outlet(asyncio.Protocol):
    """What a connection's transport belongs to while a body is sent.

    `held`: what has come behind the request. `ended`: whether the peer has said that it sends no more.
    """

    __slots__ = (
        "_copies", "_flushing", "_writable", "blocked", "broken_by", "close_delimited", "ended", "endless", "held",
        "on_blocked", "on_lost", "sent", "transport",
    )  # fmt: skip

    def __init__(
        self, transport: asyncio.Transport, held: bytes, *, ended: bool, close_delimited: bool = False
    ) -> None:
        self.transport: asyncio.Transport | None = transport
        self.held = held
        self.ended = ended
        self.close_delimited = close_delimited
        """Whether the body ends with the connection (RFC 9112 section 6.3): then any other end must be a reset."""
        self.broken_by = ""
        """Why the server broke the connection off, in words; empty if it did not."""
        self.endless = False
        """Whether nobody knows when the body ends: then a peer that says that it sends no more is taken to leave."""
        self.sent = 0
        """Bytes sent so far, or on their way."""
        self.blocked = transport.get_write_buffer_size() > 0
        """Whether bytes wait for the socket to take them."""
        self.on_blocked: Callable[[Outlet], None] | None = None
        """Called when the socket did not take all of a `write`, and when the connection is lost."""
        self.on_lost: Callable[[], None] | None = None
        """Called when the connection is lost: see `unless_lost`."""
        self._copies = transport.get_extra_info("sslcontext") is not None
        self._flushing = False
        self._writable: asyncio.Future[None] | None = None
        transport.set_protocol(self)

    # What asyncio tells.

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self.held += data
        if len(self.held) > MAX_HELD and self.transport is not None:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`. A peer that has ended its side still gets an answer that ends by itself."""
        self.ended = True
        keeps = not self.endless and not self._copies
        if not keeps and self.close_delimited:
            self.reset("")  # asyncio would end its side in an orderly way
        return keeps

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self.transport = None
        self._wake()
        if self.on_blocked is not None:
            self.on_blocked(self)
        if self.on_lost is not None:
            self.on_lost()

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self.blocked = True
        if self.on_blocked is not None:
            self.on_blocked(self)

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self.blocked = False
        self._wake()

    def _wake(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    def reset(self, reason: str) -> None:
        """Break the connection off by a reset, for that `reason`: what is not whole must not seem to be."""
        self.broken_by = reason
        if self.transport is not None:
            reset_connection(self.transport)

    # What sends.

    @property
    def stuck(self) -> bool:
        """Whether bytes wait for the peer to make room."""
        return self.blocked or self._writable is not None or self._flushing

    def check(self) -> asyncio.Transport:
        """The transport. Raises: ConnectionError, if the connection is closed or closing."""
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError("the peer is gone")
        return self.transport

    def write(self, data: bytes) -> None:
        """Write `data`. Wait for `drained` before the next write if `blocked` thereafter.

        Without effect on a closed connection: `check` tells.
        """
        if self.transport is not None:
            self.sent += len(data)
            self.transport.write(data)

    async def drained(self) -> None:
        """Wait until the socket has taken everything that was written. Raises: ConnectionError."""
        while self.blocked and self.transport is not None:
            self._writable = asyncio.get_running_loop().create_future()
            try:
                await self._writable
            finally:
                self._writable = None
        self.check()

    async def send(self, journal: Journal, start: int, stop: int) -> None:
        """Send a journal's bytes `[start, stop)`, letting others have their turns.

        Raises: ConnectionError, if the peer goes first; DiskError.
        """
        while start < stop:
            await self.drained()
            end = min(stop, start + COPY_SLICE)
            if not journal.is_cached(start, end):
                self.write(await journal.fetch(start, end))
                start = end
            elif not self._copies:
                start = await self._sendfile(journal, start, stop)
            else:
                self.write(journal.read(start, end))
                start = end
                if not self.blocked:
                    await asyncio.sleep(0)

    async def _sendfile(self, journal: Journal, start: int, stop: int) -> int:
        """Send what is in the page cache. Returns the offset reached. Raises: ConnectionError."""
        loop, offset, file = asyncio.get_running_loop(), start, journal.fileno()
        fd = self.check().get_extra_info("socket").fileno()
        done = self._writable = loop.create_future()

        def fill() -> None:
            """Fill the socket. `done` when all is sent, the disk must be waited for, or the peer is gone."""
            nonlocal offset
            if done.done():
                return
            slices = (min(stop, offset + size) - offset for size in (SENDFILE_SLICE, COPY_SLICE))
            count = next((count for count in slices if journal.is_cached(offset, offset + count)), 0)
            try:
                sent = os.sendfile(fd, file, offset, count) if count else 0
            except BlockingIOError:
                return
            except OSError:
                # The peer is gone, which `check` will find, or this file system knows no sendfile.
                self._copies = True
                sent = 0
            offset += sent
            self.sent += sent
            if offset == stop or not sent:
                done.set_result(None)

        fill()
        try:
            if done.done():
                await asyncio.sleep(0)
            else:
                # asyncio lets nobody else wait for a transport's socket, but for a duplicate of its descriptor it does.
                fd = os.dup(fd)
                try:
                    loop.add_writer(fd, fill)
                    await done
                finally:
                    loop.remove_writer(fd)
                    os.close(fd)
        except OSError:
            self._copies = True  # there are no more descriptors
        finally:
            self._writable = None
        return offset

    async def break_off(self, *, reset: bool) -> None:
        """Close the connection in the middle of an answer, once everything written has been sent.

        `reset`: by a TCP reset instead of an orderly end. Raises: ConnectionError.
        """
        await self.drained()
        transport = self.check()
        if not reset:
            transport.close()
            return
        # A reset overtakes what is on its way, so the peer must have acknowledged all of it first: no event tells.
        sock = transport.get_extra_info("socket")
        self._flushing = True
        while not transport.is_closing() and any(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        if not transport.is_closing():
            reset_connection(transport)


class Losable(Protocol):
    """What can be lost: a connection. It calls `on_lost` then, and has no `transport` any more."""

    on_lost: Callable[[], None] | None

    @property
    def transport(self) -> object:
        """None: the connection is lost."""


@contextlib.asynccontextmanager
async def unless_lost(connection: Losable) -> AsyncIterator[None]:
    """Do what is in the block, unless the connection is lost first: then that is cancelled. Raises: ConnectionResetError."""
    task, lost = asyncio.current_task(), False
    assert task is not None
    if connection.transport is None:
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


def end_by_reset(transport: asyncio.Transport, wanted: bool) -> None:
    """Whether the connection, however it is closed, ends by a TCP reset, so that the peer can tell it from an end."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", wanted, 0))


def reset_connection(transport: asyncio.Transport) -> None:
    """Close a connection by a TCP reset: what the peer has not acknowledged is thrown away, here and in the kernel."""
    end_by_reset(transport, True)
    transport.abort()


def bytes_unacknowledged(transport: asyncio.Transport) -> int:
    """How many bytes wait in memory or were sent and are not acknowledged by the peer. Raises: OSError."""
    waiting = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    return transport.get_write_buffer_size() + int.from_bytes(waiting, sys.byteorder)
