"""A producer's connection to a server: it sends a request whose body takes long, and hears what the server says meanwhile.

`http.client` reads an answer only after the whole request was sent, and ignores interim responses. So this module frames
requests itself (RFC 9112); `http.client` parses the heads of answers. It sends one request at a time, and follows no
redirects. Every wait is bounded: a server that neither accepts nor sends a byte for `TIMEOUT` seconds counts as gone.
"""

import contextlib
import io
import os
import socket
import threading
import weakref
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException, HTTPResponse, IncompleteRead, parse_headers
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from .connection import TIMEOUT, NoAnswer, connect
from .origin import Origin
from .waiting import readable

MAX_HEAD = 65536
"""The limit of the head of an answer, in bytes."""
MAX_BODY = 65536
"""The limit of the body of an answer, in bytes. A server's answers to producers are shorter."""


class Answer(NamedTuple):
    """A response, interim or final."""

    status: int
    headers: Message
    body: bytes

    def field(self, name: str) -> str:
        """The value of a header field; empty if there is none."""
        return self.headers.get(name, "").strip()

    def __str__(self) -> str:
        text = self.body.decode(errors="replace").strip().partition("\n")[0].rstrip()
        return f"{self.status} {text}" if text and text[0] not in "{<" else str(self.status)


class Wire:
    """A connection to the server at `url`. `direct`: without a proxy.

    `timeout`: seconds for a connection to be made, for bytes to be accepted, and for an answer to arrive. The `with` statement makes the
    connection. All methods raise OSError, and HTTPException if the answer is not HTTP; `with` also raises Refused: see `connect`.
    """

    def __init__(self, url: str, ca_file: str | None = None, *, direct: bool = False, timeout: float = TIMEOUT) -> None:
        self.origin = Origin.of(url, direct=direct)
        self.prefix = urlsplit(url).path
        self._ca_file, self._timeout = ca_file, timeout
        self.connecting = False
        """Whether a TCP connection is being made, which may take long. If this was shut down meanwhile, TLS is not begun on it."""
        self._shut_down = False
        self._reached: socket.socket | None = None

    def _connect(self) -> None:
        self._received = bytearray()
        self._answered = False
        self._bodiless = False  # whether the answer has no body, whatever its head says: it is one to HEAD
        self._closing = False  # whether the server ends the connection behind the answer that came last
        forks = _forks.ended
        try:
            self._socket = connect(self.origin, self._ca_file, self._timeout, before_step=self._step).sock
        finally:
            self.connecting = False
        _forks.wires.add(self)
        if _forks.since(forks):
            # Closed here only, it would stay open as long as the other process does, and the server would wait for both.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            raise ConnectionAbortedError("another process has this connection, too")
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _step(self, reached: socket.socket | None) -> None:
        self._reached = reached
        self.connecting = reached is None
        if self._shut_down:
            raise ConnectionAbortedError("this connection was shut down")

    def __enter__(self) -> Self:
        self._connect()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def shut_down(self) -> None:
        """End all waits for this connection, in all threads; but see `connecting`.

        It takes no lock, since a signal handler may call it. Instead, each thread sets its flag before it reads the other's.
        """
        self._shut_down = True
        if self._reached is not None:
            with contextlib.suppress(OSError):
                # Not the method of a TLS socket: that takes away what the other thread is using.
                socket.socket.shutdown(self._reached, socket.SHUT_RDWR)

    def let_go(self) -> None:
        """Close the descriptor of this forked process only. The connection stays open in the parent process."""
        if (fd := self._socket.detach()) >= 0:
            os.close(fd)

    def fileno(self) -> int:
        """The connection's file descriptor: see `select`."""
        return self._socket.fileno()

    def head(self, method: str, path: str, fields: Mapping[str, str]) -> None:
        """Send the head of a request with header `fields`. If one of them is Transfer-Encoding, a body in chunks must follow.

        If the server or a proxy has announced that it closes this connection, a new one is made first.
        """
        if self._closing:
            self._socket.close()
            self._connect()
        self._bodiless = method == "HEAD"
        lines = [f"{method} {self.origin.target(path)} HTTP/1.1", f"Host: {self.origin.authority}"]
        lines += (f"{name}: {value}" for name, value in {**fields, **self.origin.fields()}.items())
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def chunk(self, data: bytes) -> None:
        """Send a part of the body; an empty part ends the body."""
        self._socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def ready(self) -> bool:
        """Whether a byte of an answer has arrived."""
        return bool(self._received or self._pending() or readable([self._socket], 0))

    def receive(self) -> Answer | None:
        """The next response, interim or final; None: it is not complete yet. The caller waits for more bytes and calls again."""
        answer = self._parse()
        if answer is None:
            data = self._socket.recv(MAX_HEAD)
            if not data:
                raise (
                    ConnectionResetError("the connection was closed")
                    if self._answered
                    else NoAnswer(bytes(self._received))
                )
            self._received += data
            answer = self._parse()
        return answer

    def answer(self) -> Answer:
        """The final response, which must come within `TIMEOUT`."""
        while (answer := self.receive()) is None or answer.status < 200:
            pass
        return answer

    def buffered(self) -> bool:
        """Whether `receive` can go on without a byte from the socket."""
        return b"\r\n\r\n" in self._received or self._pending()

    def _pending(self) -> bool:
        return getattr(self._socket, "pending", int)() > 0

    def _parse(self) -> Answer | None:
        end = self._received.find(b"\r\n\r\n") + 4
        if end < 4:
            if len(self._received) > MAX_HEAD:
                raise HTTPException("the head of an answer does not end")
            return None
        file = io.BytesIO(self._received[:end])
        version, _, rest = file.readline().decode("latin-1").partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise HTTPException(_foreign(version))
        status, headers = int(rest[:3]), parse_headers(file)
        length = 0 if status < 200 or status == 204 or self._bodiless else _length(headers)
        if length > MAX_BODY or "Transfer-Encoding" in headers:
            raise HTTPException("its answer is longer than any of livelog's")
        if len(self._received) < end + length:
            return None
        if status >= 200:
            said = headers.get("Connection", "").lower()
            self._closing = "close" in said or (version == "HTTP/1.0" and "keep-alive" not in said)
        self._answered = True
        body = bytes(self._received[end : end + length])
        del self._received[: end + length]
        return Answer(status, headers, body)


class _Forks:
    """Closes connections in forked processes, where they would stay open after this process has ended.

    A forked process closes those in `wires`. A connection that was being made during the fork is not among them: see `since`.
    """

    def __init__(self) -> None:
        self.wires: weakref.WeakSet[Wire] = weakref.WeakSet()
        self.ended = 0
        """How many forks there were. One that is under way has begun, and not ended."""
        self._begun = 0
        self._lock = threading.Lock()
        os.register_at_fork(before=self._begin, after_in_parent=self._end, after_in_child=self._begin_anew)

    def since(self, ended: int) -> bool:
        """Whether a fork was under way when `ended` was so many, or has begun since."""
        return self._begun != ended

    def _begin(self) -> None:
        with self._lock:
            self._begun += 1

    def _end(self) -> None:
        with self._lock:
            self.ended += 1

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()  # a thread that is not in this process may have had it
        self.ended = self._begun
        for wire in list(self.wires):
            wire.let_go()


_forks = _Forks()


def _length(headers: Message) -> int:
    text = headers.get("Content-Length", "0")
    if not text.isascii() or not text.isdigit():
        raise HTTPException(f"the length of the answer is none: {text[:40]!r}")
    return int(text)


def explain(error: OSError | HTTPException, origin: Origin) -> str:
    """A line for people that says why a request to `origin` failed."""
    if getattr(error, "reason", "") in (
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "RECORD_LAYER_FAILURE",
    ):  # an SSLError's
        return f"{origin} speaks no TLS: its address begins with http://"
    match error:
        case Unavailable():
            return f"{origin} answers {error}"
        case TimeoutError():
            return f"{origin} does not answer"
        case NoAnswer() if error.partial:
            return f"{origin}: {_foreign(error.partial.decode('latin-1'))}"
        case NoAnswer() if origin.scheme == "http":
            return f"{origin} closed the connection without an answer: it is starting again, or speaks https"
        case IncompleteRead() | ConnectionResetError() | ConnectionAbortedError() | BrokenPipeError():
            return f"{origin} closed the connection"
        case OSError():
            return f"{origin} cannot be reached: {error.strerror or error}"
    return f"{origin}: {error}"


def message_of(response: HTTPResponse, content: bytes) -> str:
    """A line for people about an answer with an error or a redirect."""
    if 300 <= response.status < 400 and (location := response.headers.get("Location", "")):
        place = location.partition("://")[2].partition("/")[0].rpartition("@")[2]  # the rest may hold a token
        return (
            f"the server is elsewhere: {location.partition('://')[0]}://{place}" if place else "the server is elsewhere"
        )
    text = content.decode(errors="replace").strip().partition("\n")[0].rstrip()
    return text if text and text[0] not in "{<" else f"{response.status} {response.reason}"


class Unavailable(HTTPException):
    """An error that may pass: the request can be repeated later."""


def _foreign(beginning: str) -> str:
    if beginning.startswith("\x15\x03"):  # an alert: RFC 8446 section 5.1
        return "it speaks TLS: its address begins with https://"
    return f"this is not an answer of an HTTP/1 server: {beginning[:40]!r}"
