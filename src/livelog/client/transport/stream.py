"""Answers that consist of lines and may go on for long: lines of JSON, or an event stream.

After a break the question is asked again, as its asker then puts it. Refuses to know what the lines mean: whoever reads them
knows where to go on, and what was told twice.
"""

import json
from collections.abc import Callable, Iterator
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from livelog.errors import Refused

from .origin import Origin
from .patient import PatientConnection

READ_SIZE = 64 * 1024
"""The limit of bytes read at once."""

MAX_LINE = 64 * 1024 * 1024
"""The limit of a line, in bytes."""


class Stream:
    """Answers of a `server` at one path, to which each question adds its query.

    `breaks`: answers that may break off, one after the other, without a line. `endless`: there is no end of an answer, but for that of its
    connection. `at`: by URL.
    """

    def __init__(
        self, server: PatientConnection, path: str, *, breaks: int | None = None, endless: bool = False
    ) -> None:
        self.headers = Message()
        """The header fields of the last answer."""
        self.away = False
        """Whether the server is being tried again."""
        self._server, self._path, self._breaks, self._endless = server, path, breaks, endless
        self._begun = self._answered = False

    @classmethod
    def at(
        cls,
        url: str,
        *,
        token: str | None = None,
        give_up: float = 300.0,
        ca_file: str | None = None,
        direct: bool = False,
        notice: Callable[[str], None] | None = None,
        breaks: int | None = None,
        endless: bool = False,
    ) -> "Stream":
        """Those of the server at `url`. What its query says is said in each question.

        `token`: sent as `Authorization: Bearer`. `give_up`: seconds for which a server that does not answer is tried; `notice`: is called
        with a line of text when that begins. `direct`: ask the host itself, whatever proxy the environment names.
        """
        parts = urlsplit(url)
        guard = {"Authorization": f"Bearer {token}"} if token else {}
        origin = Origin.of(parts, direct=direct)
        server = PatientConnection(origin, guard, give_up=give_up, ca_file=ca_file, notice=notice)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return cls(server, path, breaks=breaks, endless=endless)

    def lines(self, query: Callable[[], str], accept: str, wait: float = 0) -> Iterator[bytes]:
        """The lines of the answer to `query()`, without their newlines; asked again after a break, to the end of an answer.

        `wait`: seconds that the first answer may take beyond the usual ones. Raises: Refused, GaveUp.
        """
        server, broken = self._server, 0
        server.begin()
        while not server.is_closed():
            try:
                for line in self._answer(query(), accept, wait):
                    server.progress()
                    broken = 0
                    yield line
                if self._endless:
                    raise ConnectionResetError("the connection broke off")
                return
            except (OSError, HTTPException) as error:
                if server.is_closed():
                    return
                broken += self._answered
                if broken == self._breaks:
                    raise Refused(
                        f"{server.explain(error)}, {broken} times, before it had answered: a simpler question may help"
                    ) from error
                self.away = True
                server.pause(error, "trying again")
            finally:
                server.disconnect()

    def close(self) -> None:
        """End the iteration. May be called from any thread."""
        self._server.close()

    def _answer(self, query: str, accept: str, wait: float) -> Iterator[bytes]:
        """The lines of one answer. Raises: OSError, HTTPException: try again; Refused."""
        self._answered = False
        response = self._server.get(with_query(self._path, query), {"Accept": accept}, wait)
        if response.status not in (200, 204):
            raise Refused(self._server.refusal(response, begun=self._begun), response.status)
        self._server.settle(endless=True)
        self._server.hear()
        self._answered = self._begun = True
        self.headers, self.away = response.headers, False
        yield from self._body(response)

    def _body(self, response: HTTPResponse) -> Iterator[bytes]:
        rest, size = [b""], 0
        while data := response.read1(READ_SIZE):
            self._server.hear()
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


def with_query(path: str, query: str) -> str:
    """A path or URL with a further query added, which begins with `?` or is empty."""
    return path + (query.replace("?", "&", 1) if "?" in path else query)


def events(lines: Iterator[bytes]) -> "Iterator[Event]":
    """The server-sent events of a stream's lines, each with one line of data. The comments between them are left out. Raises: Refused."""
    kind = identifier = ""
    for line in lines:
        field, _, value = line.decode(errors="replace").partition(": ")
        if field == "event":
            kind = value
        elif field == "id":
            identifier = value
        elif field == "data":
            yield Event(kind, identifier, document(value))
        elif line == b"":
            kind = identifier = ""


class Event(NamedTuple):
    """A server-sent event. `kind`: its type, empty for a message. `identifier`: the `id` from which a client continues."""

    kind: str
    identifier: str
    data: dict[str, Any]


def document(line: bytes | str) -> dict[str, Any]:
    """The JSON object in a line. Raises: Refused, if it is none."""
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused("this is not an answer of livelog's: it is no line of JSON")
    return found
