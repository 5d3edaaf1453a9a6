"""Answers that come as lines, for as long as the server goes on with them: lines of JSON, or an event stream.

After a break the question is asked again, as its asker then puts it. Refuses to know what the lines mean: whoever reads them
knows where to go on, and what was told twice.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPResponse
from urllib.parse import urlsplit

from livelog.errors import GaveUp, Refused

from .origin import Origin
from .wire import TIMEOUT, Unavailable, connect, explain, told

READ_SIZE = 64 * 1024
"""Bytes that are read at once, at most."""

MAX_LINE = 64 * 1024 * 1024
"""Bytes of a line, at most."""

FIRST_PAUSE, LAST_PAUSE = 0.1, 5.0
"""Seconds before a question is asked again after its connection broke: doubled each time."""


class Stream:
    """Answers of the server at `url`, to which each question adds its query.

    `token`: sent as `Authorization: Bearer`. `give_up`: seconds for which a server that does not answer is tried; `notice`: is called
    with a line of text when that begins. `breaks`: answers that may break off, one after the other, without a line. `direct`: ask the host itself, whatever proxy the environment names.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        give_up: float = 300.0,
        ca_file: str | None = None,
        direct: bool = False,
        notice: Callable[[str], None] | None = None,
        breaks: int | None = None,
    ) -> None:
        parts = urlsplit(url)
        self.headers = Message()
        """The header fields of the last answer."""
        self.away = False
        """Whether the server is being tried again."""
        self._origin, self._path = Origin.of(parts, direct=direct), parts.path
        self._fields = {"Authorization": f"Bearer {token}"} if token else {}
        self._give_up, self._ca_file, self._notice = give_up, ca_file, notice or (lambda _text: None)
        self._breaks = breaks
        self._begun = self._answered = False
        self._heard = time.monotonic()
        self._connection: HTTPConnection | None = None
        self._closed = threading.Event()

    def lines(self, query: Callable[[], str], accept: str, wait: float = 0) -> Iterator[bytes]:
        """The lines of the answer to `query()`, without their newlines; asked again after a break, to the end of an answer.

        `wait`: seconds that the first answer may take beyond the usual ones. Raises: Refused, GaveUp.
        """
        pause, noticed, broken, self._heard = FIRST_PAUSE, "", 0, time.monotonic()
        while not self._closed.is_set():
            try:
                for line in self._answer(query(), accept, wait):
                    pause, noticed, broken = FIRST_PAUSE, "", 0
                    yield line
                return
            except (OSError, HTTPException) as error:
                if self._closed.is_set():
                    return
                reason = explain(error, self._origin)
                broken += self._answered
                if broken == self._breaks:
                    raise Refused(
                        f"{reason}, {broken} times, before it had answered: a simpler question may help"
                    ) from error
                if time.monotonic() - self._heard + pause > self._give_up:
                    raise GaveUp(reason) from error
                if reason != noticed:
                    noticed = reason
                    self._notice(f"{reason}: trying again")
                self.away = True
                self._closed.wait(pause)
                pause = min(2 * pause, LAST_PAUSE)
            finally:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None

    def close(self) -> None:
        """End the iteration, from whatever thread."""
        self._closed.set()
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _answer(self, query: str, accept: str, wait: float) -> Iterator[bytes]:
        """The lines of one answer. Raises: OSError, HTTPException: ask again; Refused."""
        self._answered = False
        timeout = max(0.05, min(TIMEOUT, self._heard + self._give_up - time.monotonic()))
        self._connection = connect(self._origin, self._ca_file, timeout)
        connection = self._connection.sock
        connection.settimeout(timeout + wait)
        if self._closed.is_set():
            raise ConnectionAbortedError("this was closed")
        fields = {**self._origin.fields(), **self._fields, "Accept": accept}
        self._connection.request("GET", self._origin.target(self._path + query), headers=fields)
        response = self._connection.getresponse()
        if response.status not in (200, 204):
            text = told(response, response.read(1000))
            if response.status >= 500 or response.status in (408, 429) or (response.status == 404 and self._begun):
                raise Unavailable(f"{response.status} {text}")
            raise Refused(text, response.status)
        connection.settimeout(None)  # a log may be silent for days
        self._answered = True
        self.headers, self.away, self._begun, self._heard = response.headers, False, True, time.monotonic()
        yield from self._body(response)

    def _body(self, response: HTTPResponse) -> Iterator[bytes]:
        rest, size = [b""], 0
        while data := response.read1(READ_SIZE):
            self._heard = time.monotonic()
            first, newline, behind = data.partition(b"\n")
            rest.append(first)
            size += len(first)
            if newline:
                yield b"".join(rest)
                *whole, last = behind.split(b"\n")
                yield from whole
                rest, size = [last], len(last)
            if size > MAX_LINE:
                raise Refused(f"the server's answer has a line of more than {MAX_LINE} bytes")
        if response.length:
            raise ConnectionResetError("the connection broke off")
