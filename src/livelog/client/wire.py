"""Connections to a server. A producer's sends a request whose body takes long, and hears what the server says meanwhile.

`http.client` reads an answer only once the request is out, and no interim responses; so the framing of requests is here
(RFC 9112), and the heads of answers are parsed by `http.client`. Refuses to send two requests at once, and to follow
redirects. Every wait has an end: a server that neither takes nor gives a byte for `TIMEOUT` is taken to be gone.
"""

import contextlib
import io
import os
import socket
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead, parse_headers
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import SplitResult, urlsplit

from livelog.errors import Refused

from .waiting import readable

if TYPE_CHECKING:
    import ssl

TIMEOUT = 30.0
"""Seconds for a connection to be made, for bytes to be taken, and for an answer to come once a request is out."""

MAX_HEAD = 65536
MAX_BODY = 65536
"""Bytes of an answer: more than a server of logs has to say to a producer."""


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
    """A connection to the server at `url`. Raises, in all methods: OSError; HTTPException, if that is no HTTP.

    Also raises at the beginning: Refused, if `ca_file` has no certificates.
    """

    def __init__(self, url: str, ca_file: str | None = None) -> None:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self.prefix = parts.path
        self._host = parts.netloc
        self._received = bytearray()
        self._bodiless = False  # whether the answer has no body, whatever its head says: it is one to HEAD
        context = _trusting(ca_file) if parts.scheme == "https" else None
        self._socket = socket.create_connection((parts.hostname or "", port), TIMEOUT)
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            keep_alive(self._socket)
            if context is not None:
                self._socket = context.wrap_socket(self._socket, server_hostname=parts.hostname)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def shut_down(self) -> None:
        """Have whatever waits for this connection, in whatever thread, wait no longer."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def let_go(self) -> None:
        """Close this process's descriptor, and leave the connection to the process of which this one is a fork."""
        if (fd := self._socket.detach()) >= 0:
            os.close(fd)

    def fileno(self) -> int:
        """The connection's file descriptor: see `select`."""
        return self._socket.fileno()

    def head(self, method: str, path: str, fields: Mapping[str, str]) -> None:
        """Send a request's head, with header `fields`. If one is Transfer-Encoding, a body follows in chunks."""
        self._bodiless = method == "HEAD"
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._host}"]
        lines += (f"{name}: {value}" for name, value in fields.items())
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())

    def chunk(self, data: bytes) -> None:
        """Send a part of the body; none: that was all."""
        self._socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def ready(self) -> bool:
        """Whether a byte of an answer is there."""
        return bool(self._received or self._pending() or readable([self._socket], 0))

    def receive(self) -> Answer | None:
        """The next response, or None if not all of it has arrived; then wait until there is more and call again."""
        answer = self._parse()
        if answer is None:
            data = self._socket.recv(MAX_HEAD)
            if not data:
                raise ConnectionResetError("the server closed the connection")
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
            raise HTTPException(f"this is no answer of an HTTP/1 server: {version[:40]!r}")
        status, headers = int(rest[:3]), parse_headers(file)
        length = 0 if status < 200 or status == 204 or self._bodiless else _length(headers)
        if length > MAX_BODY or "Transfer-Encoding" in headers:
            raise HTTPException("the answer is longer than any of livelog's")
        if len(self._received) < end + length:
            return None
        body = bytes(self._received[end : end + length])
        del self._received[: end + length]
        return Answer(status, headers, body)


def _length(headers: Message) -> int:
    text = headers.get("Content-Length", "0")
    if not text.isascii() or not text.isdigit():
        raise HTTPException(f"the length of the answer is none: {text[:40]!r}")
    return int(text)


class WholeHead(HTTPResponse):
    """An answer whose head is known to be whole: `http.client` takes one that breaks off for one that ends there."""

    def begin(self) -> None:
        """See `HTTPResponse`. Raises: IncompleteRead."""
        file = self.fp
        self.fp = _WholeLines(file)  # type: ignore[assignment]  # it is all that `begin` uses
        super().begin()
        self.fp = file


class _WholeLines:
    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self.close = file.close
        self.flush = file.flush

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(limit)
        if not line.endswith(b"\n") and len(line) < limit:
            raise IncompleteRead(line)
        return line


def connect(parts: SplitResult, ca_file: str | None) -> HTTPConnection:
    """A reader's connection to the host of a URL, which waits for bytes for `TIMEOUT`.

    Raises: OSError; Refused, if its certificate is not one to be trusted.
    """
    if parts.scheme == "https":
        import ssl  # noqa: PLC0415  # see `_trusting`

        context = _trusting(ca_file)
        connection: HTTPConnection = HTTPSConnection(parts.hostname or "", parts.port, timeout=TIMEOUT, context=context)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise Refused(f"the certificate cannot be trusted: {error.verify_message}; LIVELOG_CA_FILE?") from error
    else:
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
        connection.connect()
    connection.response_class = WholeHead
    keep_alive(connection.sock)
    return connection


def _trusting(ca_file: str | None) -> "ssl.SSLContext":
    import ssl  # noqa: PLC0415  # most are beside their server, and need not wait for it

    try:
        return ssl.create_default_context(cafile=ca_file)
    except (FileNotFoundError, PermissionError, IsADirectoryError, ssl.SSLError) as error:
        raise Refused(f"LIVELOG_CA_FILE has no certificates: {ca_file}: {error.strerror}") from error


def keep_alive(connection: socket.socket) -> None:
    """Have the kernel find out within a minute that a peer has vanished, also while nothing is sent."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Not every system has all of them.
    options = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": int(TIMEOUT * 1000)}
    for name, value in options.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
