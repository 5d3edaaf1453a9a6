"""Opens a link with a token in the browser, without the token on a command line, which all users of the machine can read.

The browser opens a page on this machine, which redirects it to the link. Only a process of the same user is redirected: the kernel
says to whom a connection belongs. A file with the link would not do: a sandboxed browser could not read it.
"""

import http.server
import os
import re
import secrets
import threading
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"

_HOST_IN_TABLE = "0100007F"
"""`HOST` in the form of the kernel's connection tables; a mapped IPv6 address ends with it."""


class Handover:
    """A local page at `address` that redirects the browser of this user to `link`, once. A context manager."""

    def __init__(self, link: str) -> None:
        self._path = f"/{secrets.token_urlsafe(24)}"
        self._fetched = threading.Event()
        path, fetched = self._path, self._fetched

        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Redirect a browser of this user; refuse all others."""
                known = self.path == path and owner_of(self.client_address[1], self.server.server_port) == os.getuid()  # type: ignore[attr-defined]
                self.send_response(302 if known else 403)
                if known:
                    self.send_header("Location", link)
                self.send_header("Cache-Control", "no-store")
                self.send_header("Referrer-Policy", "no-referrer")
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()
                if known:
                    fetched.set()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # as it is called there
                """Print nothing about requests. See `http.server.BaseHTTPRequestHandler`."""

        self._server = http.server.ThreadingHTTPServer((HOST, 0), Page)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self) -> str:
        """The address to open in the browser. It contains no secret of the server."""
        return f"http://{HOST}:{self._server.server_address[1]}{self._path}"

    def wait(self, seconds: float) -> bool:
        """Wait until the browser was redirected. Returns whether it was."""
        return self._fetched.wait(seconds)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def owner_of(port: int, server_port: int) -> int | None:
    """The user who owns the connection from this local port to `server_port`; None: the kernel does not say."""
    ends = (f"{_HOST_IN_TABLE}:{port:04X}", f"{_HOST_IN_TABLE}:{server_port:04X}")
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table, encoding="ascii") as file:
                for line in file:
                    words = line.split()
                    if len(words) > 7 and words[1].endswith(ends[0]) and words[2].endswith(ends[1]):
                        return int(words[7])
        except OSError:
            continue
    return None


def is_link(text: str) -> bool:
    """Whether `text` is a URL to which a browser may be redirected."""
    return re.fullmatch(r"https?://[\x21-\x7e]+", text, re.ASCII) is not None
