"""Makes connections to a server: TCP, through a proxy if one is configured, then TLS if the URL begins with https.

A connection is never made again implicitly, as `http.client` does, and the head of an answer that breaks off is an error.
"""

import io
import os
import socket
from collections.abc import Callable
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import TYPE_CHECKING

from livelog.errors import Refused

from .origin import Origin

if TYPE_CHECKING:
    import ssl

TIMEOUT = 30.0
"""Seconds for a connection to be made, for bytes to be taken, and for an answer to come once a request is out."""

STORES = (
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
)  # fmt: skip
"""The files of trusted certificates of Debian, Fedora, openSUSE, OpenELEC, RHEL and Alpine."""


def connect(
    origin: Origin,
    ca_file: str | None,
    timeout: float = TIMEOUT,
    *,
    before_step: Callable[[socket.socket | None], None] = lambda _: None,
) -> HTTPConnection:
    """A new connection to `origin`. `timeout`: seconds for it to be made, and later for each byte; `ca_file`: certificates to trust (PEM).

    `before_step` may stop this by an exception. It is called with None before the TCP connection is made, and with its socket before the TLS handshake.

    Raises: OSError; HTTPException, if the proxy does not speak HTTP; Refused, if the certificate is not trusted.
    """
    context = _trusting(origin, ca_file)
    before_step(None)
    connection = _reach(origin, context, timeout)
    try:
        before_step(connection.sock)
        _shake(connection, origin)
    except BaseException:
        connection.close()
        raise
    return connection


class _Secured(HTTPSConnection):
    """A connection for TLS whose handshake is a separate step."""

    trust: "ssl.SSLContext"

    def connect(self) -> None:
        """See `HTTPConnection`."""
        HTTPConnection.connect(self)
        host = self._tunnel_host or self.host  # type: ignore[attr-defined]
        self.sock = self.trust.wrap_socket(self.sock, server_hostname=host, do_handshake_on_connect=False)


def _reach(origin: Origin, context: "ssl.SSLContext | None", timeout: float) -> HTTPConnection:
    """A new TCP connection to `origin`; TLS is not begun. Raises: OSError; HTTPException, if the proxy does not speak HTTP."""
    host, port = origin.host, origin.port
    if origin.proxy is not None:
        host, port = origin.proxy.hostname or "", origin.proxy.port or 80
    if context is None:
        connection = HTTPConnection(host, port, timeout=timeout)
    else:
        connection = secured = _Secured(host, port, timeout=timeout, context=context)
        secured.trust = context
        if origin.proxy is not None:
            secured.set_tunnel(origin.host, origin.port, origin.proxy_fields())
    connection.connect()
    connection.auto_open = 0  # `http.client` would make another one, without the handshake
    connection.response_class = WholeHead
    keep_alive(connection.sock)
    return connection


def _shake(connection: HTTPConnection, origin: Origin) -> None:
    """Do the TLS handshake, if the connection is for TLS. Raises: OSError; Refused, if the certificate is not trusted."""
    if not isinstance(connection, _Secured):
        return
    import ssl  # noqa: PLC0415  # see `_trusting`

    try:
        connection.sock.do_handshake()
    except ssl.SSLCertVerificationError as error:
        raise Refused(
            f"{origin}: the certificate is not trusted ({error.verify_message}): set LIVELOG_CA_FILE to the certificate of its authority"
        ) from error


def _trusting(origin: Origin, ca_file: str | None) -> "ssl.SSLContext | None":
    """The context for TLS to `origin`; None: its URL is http. Raises: Refused, if `ca_file` holds no certificates."""
    if origin.scheme != "https":
        return None
    import ssl  # noqa: PLC0415  # most are beside their server, and need not wait for it

    try:
        return ssl.create_default_context(cafile=ca_file or _store())
    except (FileNotFoundError, PermissionError, IsADirectoryError, ssl.SSLError) as error:
        raise Refused(f"LIVELOG_CA_FILE has no certificates: {ca_file}: {error.strerror}") from error


def _store() -> str | None:
    """The file of the system's certificates, if this OpenSSL does not know it: it may have been built for another distribution. Else None."""
    import ssl  # noqa: PLC0415  # see `_trusting`

    known = ssl.get_default_verify_paths()
    return None if known.cafile or known.capath else next(filter(os.path.exists, STORES), None)


def keep_alive(connection: socket.socket) -> None:
    """Enable TCP keep-alive, so that a vanished peer is noticed within a minute, also while nothing is sent."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Not every system has all of them.
    options = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": int(TIMEOUT * 1000)}
    for name, value in options.items():
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class WholeHead(HTTPResponse):
    """An answer whose head is checked to be complete. `http.client` accepts a head that breaks off."""

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
            raise NoAnswer(line)
        return line


class NoAnswer(IncompleteRead):
    """The connection was closed before the head of an answer was whole."""
