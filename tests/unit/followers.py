"""Those who follow a log in tests of fan-outs: real TCP connections, the server's own `BodyWriter` at one end of each."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable

from livelog.log.journal import Journal
from livelog.log.source import Source
from livelog.operate.metrics import Histogram
from livelog.read.fanout import Fanout
from livelog.wire.body_writer import BodyWriter

from .live import open_journal, turns


class Watched(BodyWriter, asyncio.Protocol):
    """A writer that remembers the objects that were written to it, and is told by asyncio itself what becomes of them."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport, ended=False)
        self.written: list[bytes] = []
        transport.set_protocol(self)

    def pause_writing(self) -> None:
        self.pause()

    def resume_writing(self) -> None:
        self.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost()

    def write(self, data: bytes) -> None:
        self.written.append(data)
        super().write(data)


class Reader:
    """A reader's end of a connection; `writer` is the server's, `following` the task that serves it."""

    def __init__(self, sock: socket.socket, writer: Watched, following: asyncio.Task[None], *, chunked: bool) -> None:
        self.sock = sock
        self.writer = writer
        self.following = following
        self._chunked = chunked
        self._buffer = bytearray()

    async def _fill(self, count: int) -> None:
        while len(self._buffer) < count:
            data = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
            assert data, "the connection was closed"
            self._buffer += data

    async def take(self, count: int) -> bytes:
        """The next `count` bytes, as they come."""
        await self._fill(count)
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def chunk(self) -> bytes:
        """The data of the next chunk."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            await self._fill(len(self._buffer) + 1)
        size = int((await self.take(end + 2))[:-2], 16)
        data = await self.take(size + 2)
        assert data.endswith(b"\r\n")
        return data[:-2]

    async def content(self, size: int) -> bytes:
        """The next `size` bytes of the log, in however many chunks they come."""
        if not self._chunked:
            return await self.take(size)
        data = b""
        while len(data) < size:
            data += await self.chunk()
        assert len(data) == size
        return data

    async def joined(self) -> None:
        """Wait until the reader is caught up: the fan-out wants to be told when its socket is full."""
        await turns(lambda: self.writer.on_blocked)

    async def gone(self) -> None:
        """Break off, and wait until the server knows."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        await turns(lambda: self.writer.transport is None)


class House:
    """A journal, its fan-out, and those who read it."""

    def __init__(self, journal: Journal, make: Callable[[Source, Histogram], Fanout]) -> None:
        self.journal = journal
        self.fanout = make(journal, Histogram((1.0,)))
        self.readers: list[Reader] = []

    async def reader(self, offset: int = 0, *, chunked: bool = True, small: bool = False) -> Reader:
        """A new reader from `offset` on. `small`: with little room in its socket."""
        sock, writer = await self.connect(small=small)
        return self.follow(sock, writer, offset, chunked=chunked)

    async def connect(self, *, small: bool = False) -> tuple[socket.socket, Watched]:
        """The two ends of a new connection."""
        sock = socket.socket()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            if small:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
            sock.connect(listener.getsockname())
            accepted, _ = listener.accept()
        sock.setblocking(False)
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, accepted)
        transport.set_write_buffer_limits(high=0, low=0)
        return sock, Watched(transport)

    def follow(self, sock: socket.socket, writer: Watched, offset: int, *, chunked: bool) -> Reader:
        """Begin to serve a connection."""
        following = asyncio.get_running_loop().create_task(self.fanout.follow(writer, offset, chunked=chunked))
        reader = Reader(sock, writer, following, chunked=chunked)
        self.readers.append(reader)
        return reader

    async def close(self) -> None:
        """Send everybody home."""
        self.fanout.close()
        for reader in self.readers:
            reader.following.cancel()
        await asyncio.gather(*(reader.following for reader in self.readers), return_exceptions=True)
        for reader in self.readers:
            reader.sock.close()
            if reader.writer.transport is not None:
                reader.writer.transport.abort()
        await turns(lambda: all(reader.writer.transport is None for reader in self.readers))


@contextlib.asynccontextmanager
async def house(
    make: Callable[[Source, Histogram], Fanout], content: bytes = b"", nowait: int | None = 0
) -> AsyncIterator[House]:
    """A house whose fan-out `make` makes, of a log that has `content`; see `live.open_disk` for `nowait`."""
    with open_journal(content=content, nowait=nowait) as journal:
        built = House(journal, make)
        try:
            yield built
        finally:
            await built.close()
