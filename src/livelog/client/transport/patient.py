"""GET requests to a server that may be unreachable for a while: each on a new connection, repeated after a pause.

`Reader` and `Stream` use it. The caller repeats the request, from the place where the answer broke off.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse

from livelog.errors import GaveUp

from .connection import TIMEOUT, connect
from .origin import Origin
from .wire import Unavailable, explain, message_of

FIRST_PAUSE, LAST_PAUSE = 0.1, 5.0
"""Seconds before a request is repeated after its connection broke: the pause doubles from the first to the last value."""

LONGEST_WAIT = 300
"""The longest `wait` that a server accepts, in seconds."""


def has_waited(asked: float) -> bool:
    """Whether nearly `LONGEST_WAIT` seconds have passed since `asked`: the server has waited as long as it could, so it is worth asking again."""
    return time.monotonic() > asked + 0.9 * LONGEST_WAIT


class PatientConnection:
    """A connection to the server at `origin` that is made again after each failure.

    `fields`: header fields of each request, such as Authorization. `give_up`: seconds for which an unreachable server is tried. `ca_file`:
    certificates to trust for https (PEM). `notice`: called with a line of text for people when the server is being tried again.
    """

    def __init__(
        self,
        origin: Origin,
        fields: Mapping[str, str],
        *,
        give_up: float,
        ca_file: str | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        self._origin, self._fields = origin, fields
        self._give_up, self._ca_file, self._notice = give_up, ca_file, notice or (lambda _text: None)
        self._connection: HTTPConnection | None = None
        self._socket: socket.socket | None = None  # `HTTPConnection` forgets it when an answer ends with its connection
        self._timeout = TIMEOUT
        self._closed = threading.Event()
        self._pause, self._heard = FIRST_PAUSE, time.monotonic()
        self._noticed = ""  # the last message: it is not repeated before something has come

    def another(self) -> "PatientConnection":
        """One to the same server, of its own."""
        return PatientConnection(
            self._origin, self._fields, give_up=self._give_up, ca_file=self._ca_file, notice=self._notice
        )

    def is_closed(self) -> bool:
        """Whether it was closed for good, by `close`."""
        return self._closed.is_set()

    def begin(self) -> None:
        """Count the time from now on for which a server is tried: a question is asked for the first time."""
        self._pause, self._heard = FIRST_PAUSE, time.monotonic()

    def hear(self) -> None:
        """Note that the server has said something."""
        self._heard = time.monotonic()

    def progress(self) -> None:
        """Note that a part of what is asked for has come: what went wrong before it is forgotten."""
        self._pause, self._noticed = FIRST_PAUSE, ""

    def get(self, path: str, fields: Mapping[str, str], wait: float = 0, *, method: str = "GET") -> HTTPResponse:
        """The head of the answer to a request for `path`, query included, with more header `fields`. Its body is up to the caller, who then calls `disconnect`.

        `wait`: seconds that it may take beyond the usual ones. Raises: OSError, HTTPException: ask again, after `pause`; Refused.
        """
        self.disconnect()
        self._timeout = max(0.05, min(TIMEOUT, self._heard + self._give_up - time.monotonic()))
        self._connection = connect(self._origin, self._ca_file, self._timeout)
        self._socket = self._connection.sock
        self._socket.settimeout(self._timeout + wait)
        if self._closed.is_set():
            raise ConnectionAbortedError("this was closed")
        headers = {**self._origin.fields(), **self._fields, **fields}
        self._connection.request(method, self._origin.target(path), headers=headers)
        return self._connection.getresponse()

    def refusal(self, response: HTTPResponse, *, begun: bool) -> str:
        """Why an answer is none, in the server's words. `begun`: whether there was an answer before, so that a log that is not there may come back.

        Raises: HTTPException, if there may be one later.
        """
        text = message_of(response, response.read(1000))
        if response.status >= 500 or response.status in (408, 429) or (response.status == 404 and begun):
            raise Unavailable(f"{response.status} {text}")
        return text

    def settle(self, *, endless: bool) -> None:
        """Read the rest of this answer with the usual timeout, or, if it is `endless`, with none: a log may be silent for days."""
        if self._socket is not None:
            self._socket.settimeout(None if endless else self._timeout)

    def explain(self, error: OSError | HTTPException) -> str:
        """What went wrong, for people."""
        return explain(error, self._origin)

    def pause(self, error: OSError | HTTPException, going_on: str | None) -> None:
        """Wait before a question is asked again that `error` has broken off. Raises: GaveUp, if that is not to be.

        `going_on`: what a message says after the reason; None: nothing is.
        """
        reason = self.explain(error)
        if time.monotonic() - self._heard + self._pause > self._give_up:
            raise GaveUp(reason) from error
        if going_on is not None and reason != self._noticed:
            self._notice(f"{reason}: {going_on}")
            self._noticed = reason
        self._closed.wait(self._pause)
        self._pause = min(2 * self._pause, LAST_PAUSE)

    def disconnect(self) -> None:
        """Be done with an answer, whether it was read to its end or not."""
        if self._connection is not None:
            self._connection.close()
            self._connection = self._socket = None

    def close(self) -> None:
        """Have whoever waits for this, in whatever thread, wait no longer, and ask no more."""
        self._closed.set()
        connection = self._socket
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
