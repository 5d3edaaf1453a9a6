"""An answer, and its head as bytes (RFC 9112 section 4). No I/O.

The framing of the body is decided here: a length, chunks, or the end of the connection.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .body_writer import BodyWriter

PHRASES = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Content Too Large",
    416: "Range Not Satisfiable",
}
"""The reason phrases of RFC 9110 section 15. Before 3.13, Python has older ones of two, after which metrics would be named."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_NO_BODY = frozenset({204, 304})
"""Statuses whose answers never have a body (RFC 9110 section 6.4.1)."""


class Response:
    """An answer. Its body is `body`, or what `stream` writes: `length` bytes; None: the length is not known.

    `done` is called once, when the answer was sent or cannot be sent.
    """

    __slots__ = ("body", "done", "headers", "length", "status", "stream")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        stream: "Callable[[BodyWriter], Awaitable[None]] | None" = None,
        length: int | None = None,
        done: Callable[[], None] = lambda: None,
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.stream = stream
        self.length = len(body) if stream is None else length
        self.done = done

    @property
    def is_streamed(self) -> bool:
        """Whether `stream` has bytes to write."""
        return self.stream is not None and self.length != 0


def head(response: Response, *, method: str, version: tuple[int, int], keep: bool) -> bytes:
    """The head of the answer to a request with that method and version. `keep`: the connection will be used again."""
    fields = {"Date": _date(int(time.time())), **response.headers}
    bare = response.status in _NO_BODY
    if not bare and method != "HEAD":
        if response.length is None and version >= (1, 1):
            fields["Transfer-Encoding"] = "chunked"
        if response.length != 0:
            fields.setdefault("Content-Type", "application/octet-stream")
    if response.length is not None and not bare:
        fields["Content-Length"] = str(response.length)
    if keep and version < (1, 1):
        fields["Connection"] = "keep-alive"
    elif not keep and version >= (1, 1):
        fields["Connection"] = "close"
    lines = "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
    if lines.count("\n") != len(fields) or lines.count("\r") != len(fields):
        raise ValueError("a header field's value has a line end in it")
    status, minor = response.status, version[1]
    return f"HTTP/1.{minor} {status} {PHRASES[status]}\r\n{lines}\r\n".encode()


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    """A time in seconds since the epoch as an IMF-fixdate (RFC 9110 section 5.6.7); `email.utils` takes 0.5 MB for it."""
    year, month, day, hours, minutes, seconds, weekday, *_ = time.gmtime(second)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year} {hours:02}:{minutes:02}:{seconds:02} GMT"
