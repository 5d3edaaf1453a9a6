"""One request on a connection of its own, and its answer as it comes; for many at a time, on asyncio.

A client here reads from the kernel only what it asks for, so that one that does not read is really behind. Every wait is
bounded. Refuses to judge: `AnswerParser` reads strictly, and what the answer says is the caller's business.
"""

import asyncio
import contextlib
import socket
import struct
from typing import Self

from tests.conformance.wire import AnswerParser, Ending, Head, WireFault

TIMEOUT = 60.0
"""Seconds that any wait may last: reached only by a fault, on a machine however busy."""

SEGMENT = 536
"""Bytes of the segments that a slow client takes: the least that every host must (RFC 9293 section 3.7.1)."""

WINDOW = 8 * 1024
"""Bytes of a slow client's receive buffer: many segments, since one that does not hold a few stalls TCP itself."""


class Gone(Exception):
    """The connection could not be made, or was over before there was an answer."""


class Hanging(AssertionError):
    """Nothing came for as long as anybody waits."""


class Exchange:
    """A request and its answer. `slow`: small segments into a small buffer."""

    def __init__(self, method: str, target: str, version: str) -> None:
        self.answer = AnswerParser(method, version)
        self._what = f"{method} {target} HTTP/{version}"
        self._socket = socket.socket()
        self._socket.setblocking(False)

    @classmethod
    async def ask(
        cls,
        port: int,
        method: str,
        target: str,
        *headers: str,
        version: str = "1.1",
        slow: bool = False,
        body: bytes = b"",
    ) -> Self:
        """Connect, and send a request's head, and `body`. Raises: Gone."""
        exchange = cls(method, target, version)
        if slow:
            exchange._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
            exchange._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        exchange._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(TIMEOUT):
                await loop.sock_connect(exchange._socket, ("127.0.0.1", port))
        except TimeoutError as error:
            exchange.close()
            raise Hanging(f"no connection: {exchange._what}") from error
        except BaseException as error:
            exchange.close()
            if isinstance(error, OSError):
                raise Gone(str(error)) from error
            raise
        head = "\r\n".join((exchange._what, f"Host: localhost:{port}", *headers, "", "")).encode()
        try:
            await exchange.send(head + body)
        except BaseException:
            exchange.close()
            raise
        return exchange

    async def send(self, data: bytes) -> None:
        """Send bytes. Raises: Gone."""
        try:
            async with asyncio.timeout(TIMEOUT):
                await asyncio.get_running_loop().sock_sendall(self._socket, data)
        except TimeoutError as error:
            raise Hanging(f"the server takes no more of {self._what}") from error
        except OSError as error:
            self.close()
            raise Gone(str(error)) from error

    async def receive(self, most: int = 1 << 16) -> None:
        """Wait for bytes, or for the end of the connection. Raises: Gone, if that comes in a head."""
        try:
            async with asyncio.timeout(TIMEOUT):
                data = await asyncio.get_running_loop().sock_recv(self._socket, most)
        except TimeoutError as error:
            told = f"after {len(self.answer.heads)} heads, ending {self.answer.ending}"
            raise Hanging(f"nothing comes any more: {self._what}, {told}") from error
        except OSError:
            self._end(orderly=False)
            return
        if data:
            self.answer.feed(data)
        else:
            self._end(orderly=True)

    def _end(self, *, orderly: bool) -> None:
        try:
            self.answer.close(orderly=orderly)
        except WireFault as error:
            self.close()
            raise Gone(str(error)) from error

    def poll(self) -> None:
        """Read what has come by now. Raises: Gone."""
        while self.answer.ending is None:
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError:
                self._end(orderly=False)
                return
            if not data:
                self._end(orderly=True)
                return
            self.answer.feed(data)

    async def interim(self, status: int) -> Head | None:
        """Wait for an interim response with that status; None: a final one came instead. Raises: Gone."""
        while self.answer.head is None:
            for head in self.answer.interims:
                if head.status == status:
                    return head
            await self.receive()
        return None

    async def head(self) -> Head:
        """Wait for the head of the final answer. Raises: Gone."""
        while (head := self.answer.head) is None:
            await self.receive()
        return head

    async def body(self, most: int = 1 << 16) -> bytes:
        """Wait for some of the body; nothing: the answer has ended, `ending` tells how. Raises: Gone."""
        await self.head()
        while not self.answer.body and self.answer.ending is None:
            await self.receive(most)
        return self.take()

    def take(self) -> bytes:
        """What there is of the body by now. It is forgotten here."""
        data = bytes(self.answer.body)
        self.answer.body.clear()
        return data

    async def whole(self) -> bytes:
        """Wait for the end of the answer, however it comes. Returns the body. Raises: Gone."""
        parts = []
        while data := await self.body():
            parts.append(data)
        return b"".join(parts)

    @property
    def ending(self) -> Ending | None:
        """How the answer has ended."""
        return self.answer.ending

    def close(self, *, reset: bool = False) -> None:
        """Leave; `reset`: as a process does that is killed with bytes unread."""
        with contextlib.suppress(OSError):
            if reset:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._socket.close()

    def __del__(self) -> None:
        """Leave, if an error has kept whoever asked from doing so."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
