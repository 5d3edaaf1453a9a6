"""One connection to a server: requests out, strictly read answers in, every wait under a deadline.

It never sleeps and never repairs: a wait ends with what was waited for, with the end of the answer, or
with `Late` when the deadline has passed.
1. Answers are read in the order of the requests; bytes that answer no request are a fault.
2. A reset, and under TLS an end without close_notify, is told from an orderly end.
"""

import contextlib
import select
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .wire import AnswerParser, Head, WireFault


class Late(Exception):
    """What was waited for did not come before the deadline."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where one side of a server listens; `tls` is set for https."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None

    @property
    def authority(self) -> str:
        """The value of the Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Connection:
    """A client's side of one connection."""

    def __init__(self, address: Address, timeout: float) -> None:
        self.address = address
        self.closed = False
        self.unfinished = False  # a request was begun and its body is not all sent
        self.must_answer = False  # a follow-up request has to be answered
        self.closing = False  # the last answer said that no other will come
        self.timeout = timeout  # seconds that any wait may last
        self._asked: deque[tuple[str, str]] = deque()
        self._answer: AnswerParser | None = None
        self._spare = b""  # bytes of the next answer that came with the last one
        self._socket = socket.create_connection((address.host, address.port), timeout)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if address.tls is not None:
                self._socket = address.tls.wrap_socket(
                    self._socket, server_hostname=address.host, suppress_ragged_eofs=False
                )
        except BaseException:
            self._socket.close()
            raise

    @property
    def waiting(self) -> bool:
        """Whether a request has not been answered to the end."""
        return self._answer is not None or bool(self._asked)

    def ask(self, method: str, version: str, data: bytes, *, byte_by_byte: bool = False) -> None:
        """Send a request (or its beginning) whose answer is to be read later."""
        self._asked.append((method, version))
        size = 1 if byte_by_byte else max(len(data), 1)
        for start in range(0, len(data), size):
            self.send(data[start : start + size])

    def send(self, data: bytes) -> None:
        """Send bytes. That the server has closed is no fault here: reading will show what it said.

        Raises: Late if the server does not take them.
        """
        self._socket.settimeout(self.timeout)
        try:
            self._socket.sendall(data)
        except TimeoutError as error:
            raise Late(f"the server did not take {len(data)} bytes in {self.timeout:g} s") from error
        except (ConnectionError, ssl.SSLError):
            pass

    def cork(self) -> None:
        """Send nothing small before the end of this side, with which it then goes."""
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)

    def answer(self) -> AnswerParser:
        """The answer to the oldest request that has not been settled."""
        if self._answer is None:
            method, version = self._asked.popleft()
            self._answer = AnswerParser(method, version)
            self._feed(self._spare)
            if self.closed:
                self._answer.close(orderly=True)
        return self._answer

    def settle(self) -> None:
        """Put the ended answer aside. Raises: WireFault if bytes came after it that answer no request."""
        if self._answer is not None:
            self._spare = self._answer.rest
            self.closing = self._answer.last
            self._answer = None
        if self._spare and not self._asked:
            raise WireFault(f"bytes after the end of the answer: {self._spare[:80]!r}")

    def wait(self, enough: Callable[[AnswerParser], bool], what: str) -> AnswerParser:
        """Read until `enough` of the answer has come, or all of it.

        Raises: Late, WireFault.
        """
        answer = self.answer()
        deadline = time.monotonic() + self.timeout
        while not enough(answer) and answer.ending is None:
            if not self._receive(deadline):
                raise Late(f"no {what} within {self.timeout:g} s (body so far: {len(answer.body)} bytes)")
        return answer

    def wait_head(self) -> Head:
        """Wait for a final status line and its fields.

        Raises: Late, WireFault.
        """
        head = self.wait(lambda answer: answer.head is not None, "answer").head
        if head is None:
            raise WireFault("no answer")
        return head

    def wait_end(self, who: str = "") -> AnswerParser:
        """Wait for the end of the answer, clean or cut.

        Raises: Late, WireFault.
        """
        return self.wait(lambda _: False, f"{who}end of the answer")

    def poll(self) -> AnswerParser:
        """The answer with whatever has come by now."""
        answer = self.answer()
        while answer.ending is None and not self.closed and select.select([self._socket], [], [], 0)[0]:
            self._receive(time.monotonic() + self.timeout)
        return answer

    def wait_closed(self) -> None:
        """Wait until the server has closed the connection, sending nothing more.

        Raises: Late, WireFault.
        """
        self.settle()
        deadline = time.monotonic() + self.timeout
        while not self.closed:
            if not self._receive(deadline):
                raise Late(f"the connection was not closed within {self.timeout:g} s")

    def close(self) -> None:
        """Leave in an orderly way."""
        self.closed = True
        with contextlib.suppress(OSError):
            self._socket.close()

    def finish_sending(self) -> None:
        """Say that nothing more will be sent (FIN), and go on reading. Under TLS, which cannot, do nothing."""
        if self.address.tls is not None:
            return
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Leave as a process that was killed with unread bytes does (RST)."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def _receive(self, deadline: float) -> bool:
        """Read once; False when the deadline has passed."""
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        self._socket.settimeout(left)
        try:
            data = self._socket.recv(1 << 18)
        except TimeoutError:
            return False
        except (ConnectionError, ssl.SSLError):
            self._ended(orderly=False)
            return True
        if data:
            self._feed(data)
        else:
            self._ended(orderly=True)
        return True

    def _feed(self, data: bytes) -> None:
        if self._answer is not None:
            self._answer.feed(data)
            self._spare = b""
        elif data:
            raise WireFault(f"bytes that answer no request: {data[:80]!r}")

    def _ended(self, *, orderly: bool) -> None:
        self.closed = True
        if self._answer is not None:
            self._answer.close(orderly=orderly)
