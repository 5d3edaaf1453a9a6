"""One client's connection: aiohttp's HTTP protocol, plus what a stream needs of a socket.

aiohttp reads requests and writes heads. This adds the way for bytes that bypass it: `write`, `send` (a journal's
bytes, by `sendfile` where there is no TLS) and backpressure that is told at once, with nothing buffered.

Refuses to know what is sent. Invariants:

1. At most one `write`'s bytes wait in memory for the socket: `blocked` says so, `drained` waits for it.
2. What is idle or slow is bounded: heads by the keep-alive timeout, peers that accept nothing by `reap`.
3. Used on the event loop's thread only.
"""

import asyncio
import fcntl
import logging
import os
import socket
import struct
import termios
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web

from .journal import Journal

SENDFILE_SLICE = 4 * 1024 * 1024
"""Bytes given to one `sendfile`, which takes less when the socket is full: what one reader may take of the event
loop before others get a turn."""

COPY_SLICE = 262144
"""Bytes read and written at a time where `sendfile` cannot be used: fits the processor's cache, four TLS records."""

KEEPALIVE = ((getattr(socket, "TCP_KEEPIDLE", None), 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""A peer that vanished without a word is found after 60 + 4 * 15 seconds of silence."""

_TCP_INFO_BYTES_ACKED = struct.Struct("=120xQ")  # struct tcp_info in linux/tcp.h; since Linux 4.1

Malformed = Callable[[web.BaseRequest, int, str | None], web.StreamResponse]
"""Makes the answer to what is not an HTTP request: from aiohttp's stand-in for one, a status, and the reason."""

logger = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """A connection that can be written to past aiohttp."""

    __slots__ = (
        "_acked", "_acked_at", "_copies", "_malformed", "_sending", "_writable", "on_blocked", "refused", "sent",
    )  # fmt: skip

    on_blocked: Callable[["Connection"], None] | None
    """Called when the socket did not take all of a `write`, and when the connection is lost."""
    refused: bool
    """Whether there are too many connections for this one to be served."""
    sent: int
    """Bytes written past aiohttp so far."""

    def __init__(self, server: web.Server, malformed: Malformed, **options: Any) -> None:
        super().__init__(server, **options)
        self._malformed = malformed
        self.on_blocked = None
        self.refused = False
        self.sent = 0

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """See `aiohttp.web.RequestHandler`: the answer to what its parser refused."""
        return self._malformed(request, status, message)

    def answered(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Told once a handler is done with `request`, before the end of `response` is sent."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)
        self._writable: asyncio.Future[None] | None = None
        self._sending = False
        self._acked = -1
        self._acked_at = 0.0
        self._copies = transport.get_extra_info("sslcontext") is not None
        # Tell of the first byte that the socket does not take. (asyncio's TLS compares with >=, so not 0 there.)
        transport.set_write_buffer_limits(high=1 if self._copies else 0, low=0)
        sock = transport.get_extra_info("socket")
        for option, seconds in KEEPALIVE:
            if option is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, seconds)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.BaseProtocol`."""
        super().connection_lost(exc)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self.on_blocked is not None:
            self.on_blocked(self)

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        super().pause_writing()
        if self.on_blocked is not None:
            self.on_blocked(self)

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        super().resume_writing()
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    @property
    def blocked(self) -> bool:
        """Whether bytes wait for the socket to take them."""
        return self.writing_paused

    def check(self) -> None:
        """Raises: ConnectionError, if the connection is closed or closing."""
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError("the peer is gone")

    def write(self, data: bytes) -> None:
        """Write `data` past aiohttp. Wait for `drained` before the next write if `blocked` thereafter.

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
        self._sending = True
        try:
            while start < stop:
                if self.blocked:
                    await self.drained()
                self.check()
                if self._copies:
                    end = min(stop, start + COPY_SLICE)
                    await self._copy(journal, start, end)
                elif journal.is_cached(start, min(stop, start + SENDFILE_SLICE)):
                    end = await self._sendfile(journal, start, stop)
                else:
                    end = start
                    await journal.fetch(start, min(stop, start + SENDFILE_SLICE))
                self.sent += end - start
                start = end
        finally:
            self._sending = False

    async def _sendfile(self, journal: Journal, start: int, stop: int) -> int:
        """Send bytes from the page cache, as far as they are there. Returns the offset reached."""
        loop, file = asyncio.get_running_loop(), journal.file.fileno()
        self._writable = loop.create_future()
        done = self._writable
        offset = start

        def room() -> None:
            """Fill the socket. Done when all is sent, or the disk must be waited for, or the connection is broken."""
            nonlocal offset
            end = min(stop, offset + SENDFILE_SLICE)
            if done.done():
                return
            if not journal.is_cached(offset, end):
                done.set_result(None)
                return
            try:
                offset += os.sendfile(sock, file, offset, end - offset)
            except BlockingIOError:
                return
            except OSError as error:
                done.set_exception(error)
                return
            if offset == stop:
                done.set_result(None)

        sock = cast(asyncio.Transport, self.transport).get_extra_info("socket").fileno()
        room()
        if not done.done():
            # The event loop lets nobody but the transport wait for its socket: a duplicate of it is ours to wait for.
            sock = os.dup(sock)
            loop.add_writer(sock, room)
            try:
                await done
            finally:
                self._writable = None
                loop.remove_writer(sock)
                os.close(sock)
        self._writable = None
        done.result()
        return offset

    async def _copy(self, journal: Journal, start: int, stop: int) -> None:
        transport = cast(asyncio.Transport, self.transport)
        data = journal.read(start, stop)
        if data is None:
            data = await journal.fetch(start, stop)
            self.check()
        transport.write(data)
        if self.blocked:
            await self.drained()
        else:
            await asyncio.sleep(0)

    async def break_off(self, *, reset: bool) -> None:
        """Close the connection in the middle of an answer, after everything written has been sent.

        `reset`: by a TCP reset instead of an orderly end. Raises: ConnectionError, always.
        """
        await self.drained()
        transport = cast(asyncio.Transport, self.transport)
        if reset:
            # A reset overtakes what is still on its way, so the peer must have acknowledged all of it first.
            # The kernel has no event for that; `reap` bounds the wait.
            sock = transport.get_extra_info("socket")
            self._sending = True
            while not transport.is_closing() and any(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))):
                await asyncio.sleep(0.02)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()
        raise ConnectionResetError("the answer was broken off")

    def reap(self, now: float, timeout: float) -> None:
        """Break the connection off if bytes have waited for it, and its peer has accepted none, for `timeout` seconds.

        To be called several times per `timeout`; `now` is the event loop's time.
        """
        transport = self.transport
        if transport is None or not (self.blocked or self._sending):
            self._acked = -1
            return
        info = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        (acked,) = _TCP_INFO_BYTES_ACKED.unpack_from(info)
        if acked != self._acked:
            self._acked, self._acked_at = acked, now
        elif now - self._acked_at >= timeout:
            logger.info("connection broken off: its peer accepted no byte for %.0f s", timeout)
            transport.abort()
