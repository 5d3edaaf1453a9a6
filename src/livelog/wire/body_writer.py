"""The body of one answer, on its way into a connection's transport.

Knows `write`, `send` (a file's bytes, by `sendfile` where there is no TLS) and backpressure that is told at once. Refuses to
know what is sent, and of HTTP but for what the framing is. Invariants:

1. Little more than one `write`'s bytes wait in memory for the socket: `blocked` says so, `drained` waits for it.
2. Used on the event loop's thread only.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Protocol

from .sockets import bytes_unsent, reset_connection

SENDFILE_SLICE = 4 * 1024 * 1024
"""Bytes given to one `sendfile`, which takes less when the socket is full: what one reader may take of the event
loop before others get a turn."""

COPY_SLICE = 128 * 1024
"""Bytes read and written at a time where `sendfile` cannot be used: eight TLS records."""


TLS_SLICE = 64 * 1024
"""Bytes of these that are encrypted at a time. OpenSSL and the transport keep room for as many, and more than half again, for
each peer that does not read."""


class Content(Protocol):
    """Bytes that can be sent: those of a file that is open."""

    def fileno(self) -> int:
        """The file's descriptor."""

    def is_cached(self, start: int, stop: int) -> bool:
        """Whether the bytes `[start, stop)` can be read without waiting for the disk."""

    def read(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`."""

    async def fetch(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`, read by a thread."""


class BodyWriter:
    """What writes a body into `transport`. The connection tells it what becomes of that: `pause`, `resume`, `lost`, `ended`.

    `chunked`: whoever writes has to write chunks (RFC 9112 section 7.1). `close_delimited`: the body ends with the connection
    (section 6.3), so that any other end must be a reset. `ended`: the peer has said that it sends no more.
    """

    __slots__ = (
        "_copies", "_flushing", "_writable", "blocked", "chunked", "close_delimited", "ended", "endless", "on_blocked", "on_lost",
        "sent", "transport",
    )  # fmt: skip

    def __init__(
        self, transport: asyncio.Transport, *, ended: bool, chunked: bool = False, close_delimited: bool = False
    ) -> None:
        self.transport: asyncio.Transport | None = transport
        self.ended = ended
        self.chunked = chunked
        self.close_delimited = close_delimited
        self.endless = False
        """Whether nobody knows when the body ends: then a peer that says that it sends no more is taken to leave."""
        self.sent = 0
        """Bytes sent so far, or on their way."""
        self.blocked = transport.get_write_buffer_size() > 0
        """Whether bytes wait for the socket to take them."""
        self.on_blocked: Callable[[BodyWriter], None] | None = None
        """Called when the socket did not take all of a `write`, and when the connection is lost."""
        self.on_lost: Callable[[], None] | None = None
        """Called when the connection is lost: see `connection.unless_lost`."""
        self._copies = transport.get_extra_info("sslcontext") is not None
        self._flushing = False
        self._writable: asyncio.Future[None] | None = None

    # What the connection tells.

    def pause(self) -> None:
        """The socket did not take all that was written."""
        self.blocked = True
        if self.on_blocked is not None:
            self.on_blocked(self)

    def resume(self) -> None:
        """The socket has taken all that was written."""
        self.blocked = False
        self._wake()

    def lost(self) -> None:
        """The connection is lost."""
        self.transport = None
        self._wake()
        if self.on_blocked is not None:
            self.on_blocked(self)
        if self.on_lost is not None:
            self.on_lost()

    def _wake(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # What sends.

    @property
    def is_lost(self) -> bool:
        """Whether the connection is."""
        return self.transport is None

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

    async def send(self, content: Content, start: int, stop: int) -> None:
        """Send bytes of the content `[start, stop)`, letting others have their turns.

        Raises: ConnectionError, if the peer goes first; DiskError.
        """
        while start < stop:
            await self.drained()
            end = min(stop, start + COPY_SLICE)
            if not content.is_cached(start, end):
                start += self._copy(await content.fetch(start, end))
            elif not self._copies:
                start = await self._sendfile(content, start, stop)
            else:
                start += self._copy(content.read(start, end))
                if not self.blocked:
                    await asyncio.sleep(0)

    def _copy(self, data: bytes) -> int:
        """Write as much of `data` as the socket takes, and a little more. Returns how much of it was written."""
        written = 0
        while written < len(data) and not (written and self.blocked):
            piece = data[written : written + TLS_SLICE]
            self.write(piece)
            written += len(piece)
        return written

    async def _sendfile(self, content: Content, start: int, stop: int) -> int:
        """Send what is in the page cache. Returns the offset reached. Raises: ConnectionError."""
        loop, offset, file = asyncio.get_running_loop(), start, content.fileno()
        fd = self.check().get_extra_info("socket").fileno()
        done = self._writable = loop.create_future()

        def fill() -> None:
            """Fill the socket. `done` when all is sent, the disk must be waited for, or the peer is gone."""
            nonlocal offset
            if done.done():
                return
            slices = (min(stop, offset + size) - offset for size in (SENDFILE_SLICE, COPY_SLICE))
            count = next((count for count in slices if content.is_cached(offset, offset + count)), 0)
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
        self._flushing = True
        while not transport.is_closing() and bytes_unsent(transport):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        if not transport.is_closing():
            reset_connection(transport)
