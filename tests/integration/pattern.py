"""Logs of any size whose bytes tell their own offset, and readers that compare each byte as it comes.

Nothing is kept: a reader of a gigabyte needs no more memory than one of a line. A reader reads only on command,
so that a test decides how slow it is.
"""

import random
import socket

from tests.conformance.link import Address
from tests.conformance.wire import AnswerParser, Ending, Head
from tests.harness import TIMEOUT, TOKEN, Server

PERIOD = 1_048_573
"""Bytes until the pattern repeats. A prime: no buffer, chunk or page is a multiple of it."""

_TABLE = random.Random(1).randbytes(PERIOD) * 2


def pattern(start: int, stop: int) -> bytes:
    """The bytes `[start, stop)` of the pattern."""
    pieces = []
    while start < stop:
        begin = start % PERIOD
        size = min(stop - start, PERIOD)
        pieces.append(_TABLE[begin : begin + size])
        start += size
    return b"".join(pieces)


class Reader:
    """A reader of a log of pattern, from `start` on. `receive_buffer`: bytes that the system takes in unasked."""

    def __init__(
        self,
        address: Address,
        *headers: str,
        start: int = 0,
        receive_buffer: int | None = None,
        version: str = "1.1",
        target: str = f"/log/{TOKEN}",
    ) -> None:
        self.offset = start
        self.answer = AnswerParser("GET", version)
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._socket = socket.socket(family)
        try:
            self._socket.settimeout(TIMEOUT)
            if receive_buffer is not None:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self._socket.connect((address.host, address.port))
            if address.tls is not None:
                self._socket = address.tls.wrap_socket(
                    self._socket, server_hostname=address.host, suppress_ragged_eofs=False
                )
            lines = (f"GET {target} HTTP/{version}", f"Host: {address.authority}", *headers, "", "")
            self._socket.sendall("\r\n".join(lines).encode())
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def head(self) -> Head:
        """The head of the answer; reads until it has come."""
        while self.answer.head is None:
            self._receive(1)
        return self.answer.head

    def read(self, size: int) -> None:
        """Read until at least `size` more bytes of the log have come, and hardly more. An end before is a fault."""
        stop = self.offset + size
        while self.offset < stop:
            assert self.answer.ending is None, f"{self.answer.ending} at {self.offset}, before {stop}"
            self._receive(max(1, stop - self.offset))

    def read_to(self, offset: int) -> None:
        """Read until the bytes below `offset` have come. An end before is a fault."""
        self.read(offset - self.offset)

    def read_to_end(self) -> Ending:
        """Read until the answer ends, or its connection. Returns how it ended."""
        while self.answer.ending is None:
            self._receive(1 << 18)
        return self.answer.ending

    def ask_again(self, target: str) -> None:
        """Send one more request behind the first, whose answer nobody will read."""
        self._socket.sendall(f"GET {target} HTTP/1.1\r\nHost: livelog\r\n\r\n".encode())

    def hurry(self) -> None:
        """Be slow no more: let the system take in as much as it likes to."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def reset(self) -> None:
        """Leave as a process that was killed with unread bytes does (RST)."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def close(self) -> None:
        """Leave."""
        self._socket.close()

    def _receive(self, size: int) -> None:
        try:
            data = self._socket.recv(min(size, 1 << 18))
        except TimeoutError as error:
            raise AssertionError(f"nothing came for {TIMEOUT:g} s at {self.offset}") from error
        except OSError:
            self.answer.close(orderly=False)
            return
        if not data:
            self.answer.close(orderly=True)
            return
        self.answer.feed(data)
        if self.answer.head is not None and self.answer.head.status not in (200, 206):
            raise AssertionError(f"{self.answer.head} {bytes(self.answer.body)!r}")
        stop = self.offset + len(self.answer.body)
        if self.answer.body != pattern(self.offset, stop):
            raise AssertionError(f"wrong bytes in {self.offset}-{stop}")
        self.offset = stop
        self.answer.body.clear()


class Producer:
    """A producer that sends pattern. `length`: the body's; None: chunked."""

    def __init__(self, server: Server, length: int | None = None, *headers: str) -> None:
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        self.offset = 0
        self._chunked = length is None
        self.connection = server.connect(producer=True)
        try:
            lines = ("PUT /log HTTP/1.1", f"Host: {server.put.authority}", framing, "Expect: 100-continue", *headers)
            self.connection.ask("PUT", "1.1", "\r\n".join((*lines, "", "")).encode())
            self.connection.wait(lambda answer: bool(answer.interims), "100 Continue")
        except BaseException:
            self.connection.close()
            raise

    def __enter__(self) -> "Producer":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, size: int, piece: int = 1 << 18) -> None:
        """Send `size` more bytes, `piece` at a time."""
        stop = self.offset + size
        while self.offset < stop:
            end = min(stop, self.offset + piece)
            data = pattern(self.offset, end)
            self.connection.send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
            self.offset = end

    def finish(self) -> int:
        """End the body. Returns the status of the answer."""
        if self._chunked:
            self.connection.send(b"0\r\n\r\n")
        answer = self.connection.wait_end()
        assert answer.head is not None
        return answer.head.status
