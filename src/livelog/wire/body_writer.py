"""The writer of one answer's body: it writes into a connection's transport.

`write` takes bytes; `send` takes a part of a file, and uses `sendfile` where there is no TLS. `blocked` and `on_blocked` report
backpressure at once. The module does not know what is sent. Of HTTP it knows only how the body is framed. Invariants:

1. Hardly more than the bytes of one `write` wait in memory for the socket. `blocked` is true while they do; `drained` waits until they are gone.
2. All methods are called on the event loop's thread.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Protocol

from .sockets import bytes_unsent, reset_connection

SENDFILE_SLICE = 4 * 1024 * 1024
"""Bytes passed to one `sendfile` call; the call sends fewer when the socket is full. It bounds the time that one reader keeps the
event loop from the others."""

COPY_SLICE = 128 * 1024
"""Bytes read and written at a time where `sendfile` cannot be used: eight TLS records."""


TLS_SLICE = 64 * 1024
"""Bytes of a copy that are encrypted at a time. For each peer that does not read, OpenSSL and the transport hold about 1.6 times as many."""


class Content(Protocol):
    """An open file whose bytes can be sent."""

    def fileno(self) -> int:
        """The file's descriptor."""

    def is_cached(self, start: int, stop: int) -> bool:
        """Whether the bytes `[start, stop)` are in the page cache, so that reading them does not wait for the disk."""

    def read(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`."""

    async def fetch(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`, read by a thread."""


class BodyWriter:
    """Writes one body into `transport`. The connection calls `pause`, `resume` and `lost`, and sets `ended`.

    `chunked`: the caller writes chunks (RFC 9112 section 7.1). `close_delimited`: the body ends with the connection (RFC 9112
    section 6.3), so a body that breaks off must end with a reset. `ended`: the peer has closed its sending side.
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
        """Whether the body follows a log without a known end. Then a peer that closes its sending side is taken to have left."""
        self.sent = 0
        """Bytes given to the transport so far."""
        self.blocked = transport.get_write_buffer_size() > 0
        """Whether bytes wait for the socket to take them."""
        self.on_blocked: Callable[[BodyWriter], None] | None = None
        """Called when the socket did not take all of a `write`, and when the connection is lost."""
        self.on_lost: Callable[[], None] | None = None
        """Called when the connection is lost; `connection.unless_lost` uses it."""
        self._copies = transport.get_extra_info("sslcontext") is not None
        self._flushing = False
        self._writable: asyncio.Future[None] | None = None

    # Called by the connection.

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

    # Called by whoever sends the body.

    @property
    def is_lost(self) -> bool:
        """Whether the connection is lost, or closing."""
        return self.transport is None

    @property
    def stuck(self) -> bool:
        """Whether bytes wait for the peer to make room."""
        return self.blocked or self._writable is not None or self._flushing

    def check(self) -> asyncio.Transport:
        """Return the transport. Raises: ConnectionError, if the connection is closed or closing."""
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError("the peer is gone")
        return self.transport

    def write(self, data: bytes) -> None:
        """Write `data`. If `blocked` is true afterwards, await `drained` before the next `write`.

        On a closed connection nothing happens; `check` raises then.
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
        """Send the bytes `[start, stop)` of `content`, and give the event loop to others between slices.

        Raises: ConnectionError, if the connection is lost before the last byte; DiskError.
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
        """Write slices of `data` until the socket is full. Returns the number of bytes written."""
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
            """Send until the socket is full. Completes `done` when all is sent, the next bytes are not cached, or the peer is gone."""
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
                # asyncio forbids `add_writer` on a transport's socket; a duplicate of its descriptor may be waited for.
                fd = os.dup(fd)
                try:
                    loop.add_writer(fd, fill)
                    await done
                finally:
                    loop.remove_writer(fd)
                    os.close(fd)
        except OSError:
            self._copies = True  # the process has no descriptor left
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
        # A reset discards what the peer has not acknowledged, so all of it must be acknowledged first. No event reports that: it is polled.
        self._flushing = True
        while not transport.is_closing() and bytes_unsent(transport):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        if not transport.is_closing():
            reset_connection(transport)
