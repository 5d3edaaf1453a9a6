"""A whole server on the test's own event loop: what it logs as an error, and what is left when it has stopped.

Categories: readers that leave, answers that are broken off, producers that break off. What clients see of all
this is tested over the network, elsewhere.
"""

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from livelog.config import Settings
from livelog.errors import LivelogError
from livelog.server import Addresses, serve
from tests.integration.certificates import Authority

from .live import on_loop, turns

TOKEN = "secret-puppy_42"
PUT = b"PUT /log HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True)
class Client:
    """One connection to the server."""

    sock: socket.socket

    async def send(self, data: bytes) -> None:
        """Send all of `data`."""
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def until(self, end: bytes) -> bytes:
        """Receive until the bytes `end`; if that is none, until the connection ends."""
        data = b""
        while not end or not data.endswith(end):
            more = await asyncio.get_running_loop().sock_recv(self.sock, 1 if end else 65536)
            if not more:
                break
            data += more
        return data

    def leave(self, *, reset: bool = False) -> None:
        """Close the connection; `reset`: as one does that was killed."""
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


@dataclass(frozen=True)
class Running:
    """A server, and its clients."""

    addresses: Addresses
    clients: list[Client]

    async def connect(self, address: tuple[str, int], data: bytes, *, small: bool = False) -> Client:
        """A new connection on which `data` was sent. `small`: that takes little in unasked."""
        sock = socket.socket()
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.setblocking(False)
        client = Client(sock)
        self.clients.append(client)
        await asyncio.get_running_loop().sock_connect(sock, address)
        await client.send(data)
        return client

    async def producer(self, content: bytes) -> Client:
        """A producer that has sent this much."""
        client = await self.connect(self.addresses.put[0], PUT)
        assert await client.until(CONTINUE) == CONTINUE
        await client.send(b"%x\r\n%b\r\n" % (len(content), content))
        return client

    async def reader(self, version: str = "1.1", *, small: bool = False) -> Client:
        """A reader that has got the head of its answer."""
        request = f"GET /log/{TOKEN} HTTP/{version}\r\nHost: localhost\r\n\r\n"
        client = await self.connect(self.addresses.get[0], request.encode(), small=small)
        assert b" 200 OK\r\n" in await client.until(b"\r\n\r\n")
        return client


@contextlib.asynccontextmanager
async def running(
    directory: Path | None = None, *, pair: tuple[Path, Path] | None = None, fails: str | None = None
) -> AsyncIterator[Running]:
    """Run a server that keeps logs in `directory`; it is asked to stop at the end, and has then stopped.

    `pair`: its certificate and key. `fails`: it stops by itself, with an error that says so.
    """
    ready: asyncio.Future[Addresses] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    local = ("127.0.0.1",)
    config = Settings(
        access_token=TOKEN, put_port=0, get_port=0, put_host=local, get_host=local, shutdown_timeout=0.1,
        temp_dir=None if directory is None else str(directory),
        server_crt_file=str(pair[0]) if pair else None, server_key_file=str(pair[1]) if pair else None,
    )  # fmt: skip
    serving = asyncio.ensure_future(serve(config, ready=ready.set_result, stop=stop, reload=asyncio.Event()))
    server = Running(await ready, [])
    try:
        yield server
        if fails is None:
            stop.set()
            await serving
        else:
            with pytest.raises(LivelogError, match=fails):
                await serving
    finally:
        serving.cancel()
        for client in server.clients:
            client.leave()


def opened(kind: str) -> int:
    """How many descriptors this process has whose description holds `kind`."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += kind in str(descriptor.readlink())
    return count


async def logged(caplog: pytest.LogCaptureFixture, text: str, times: int = 1) -> None:
    """Wait until the server has logged `text` so many times."""
    await turns(lambda: sum(text in record.getMessage() for record in caplog.records) >= times)


@pytest.fixture(autouse=True)
def log_everything(caplog: pytest.LogCaptureFixture) -> None:
    """Keep what the server logs, whatever its level."""
    caplog.set_level(logging.INFO, "livelog")


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


@on_loop
async def test_a_log_that_ends_well_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as server:
        producer = await server.producer(b"hello")
        reader = await server.reader()
        assert await reader.until(b"hello\r\n") == b"5\r\nhello\r\n"
        await producer.send(b"0\r\n\r\n")
        assert await reader.until(b"0\r\n\r\n") == b"0\r\n\r\n"
        assert b" 201 Created\r\n" in await producer.until(b"\r\n\r\n")
    assert errors(caplog) == []


@pytest.mark.parametrize("reset", [True, False])
@on_loop
async def test_a_reader_that_leaves_is_no_error_of_the_server(caplog: pytest.LogCaptureFixture, *, reset: bool) -> None:
    async with running() as server:
        producer = await server.producer(b"hello")
        reader = await server.reader()
        assert await reader.until(b"hello\r\n") == b"5\r\nhello\r\n"
        reader.leave(reset=reset)
        await logged(caplog, "connection ended")
        await producer.send(b"0\r\n\r\n")
        await producer.until(b"\r\n\r\n")
    assert errors(caplog) == []


@on_loop
async def test_a_producer_that_breaks_off_is_no_error_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as server:
        producer = await server.producer(b"hello")
        reader = await server.reader()
        assert await reader.until(b"hello\r\n") == b"5\r\nhello\r\n"
        producer.leave()
        assert await reader.until(b"") == b""
    assert errors(caplog) == []


@on_loop
async def test_a_reader_that_leaves_while_its_answer_is_broken_off_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    content = bytes(50_000)
    async with running() as server:
        producer = await server.producer(content)
        slow, fast = await server.reader("1.0", small=True), await server.reader()
        await fast.until(b"\x00\r\n")
        producer.leave()
        assert await fast.until(b"") == b""
        slow.leave(reset=True)
        await logged(caplog, "connection ended", 3)
    assert errors(caplog) == []


@on_loop
async def test_nothing_is_left_when_the_server_has_stopped(tmp_path: Path) -> None:
    sockets = opened("socket:")
    async with running(tmp_path) as server:
        broken = await server.producer(b"hello")
        reader = await server.reader()
        broken.leave()
        await reader.until(b"")
        await server.producer(b"world")
        await server.reader()
        await server.connect(server.addresses.get[0], b"")
        assert opened(str(tmp_path)) > 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert opened("socket:") == sockets
    await turns(lambda: not opened(str(tmp_path)))  # a thread closes the logs' files


@pytest.mark.needs("openssl")
@on_loop
async def test_tls_handshakes_that_never_end_are_ended_by_the_stop(tmp_path: Path) -> None:
    sockets = opened("socket:")
    async with running(pair=Authority(tmp_path).sign("server")) as server:
        for data in (b"", b"\x16\x03\x01\x02\x00\x01"):
            await server.connect(server.addresses.get[0], data)
        await turns(lambda: opened("socket:") >= sockets + 6)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert opened("socket:") == sockets


@pytest.mark.parametrize("port", ["put", "get"])
@on_loop
async def test_a_server_that_can_accept_nobody_any_more_ends_honestly(port: str) -> None:
    """Its readers are cut, and it says why it ends; all else that fails does not end it."""
    async with running(fails="no connection can be accepted any more") as server:
        producer = await server.producer(b"hello")
        reader = await server.reader()
        assert await reader.until(b"hello\r\n") == b"5\r\nhello\r\n"
        listening = listener(server.addresses.put[0] if port == "put" else server.addresses.get[0])
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        with pytest.raises(ConnectionResetError):
            await producer.until(b"")
        assert await reader.until(b"") == b""


def listener(address: tuple[str, int]) -> socket.socket:
    """A duplicate of this process's socket that listens there."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found = socket.socket(fileno=os.dup(int(descriptor.name)))
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and found.getsockname()[:2] == address:
                return found
            found.close()
    raise AssertionError("nobody listens there")
