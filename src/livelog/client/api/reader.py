"""A log as bytes or lines, from any byte, to its end, through any number of broken connections.

    with livelog.Reader("http://localhost:60023/log/secretpuppy/nightly") as log:
        for data in log:
            sys.stdout.buffer.write(data)

    async for line in livelog.Reader(...).alines():    # the same for asyncio
        ...

After a break the log is asked for from the byte that is next, and only if it is still the same log (RFC 9110
section 13.1.5, RFC 8673 section 2). Refuses to guess: a log that was replaced, or did not end as a complete one, is an error.
Invariants:

1. What is handed out is `[first byte asked for, offset)` of one log: in order, each byte once.
2. The iteration ends without an error only if all was read that was asked for, and the log is not an aborted one.
"""

import contextlib
import math
import re
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException, HTTPResponse
from typing import NamedTuple, Self, TypeVar
from urllib.parse import SplitResult, urlsplit

from livelog.client.transport.origin import Origin
from livelog.client.transport.patient import PatientConnection
from livelog.errors import ClientError, LogAborted, LogReplaced, Refused

READ_SIZE = 256 * 1024
"""Bytes handed out at once, at most."""

GIVE_UP = 300.0
"""Seconds without a word from the server until the reader gives up, by default."""

ENDLESS = 2**53 - 1
"""A last position that asks to follow (RFC 8673 section 2)."""

LONGEST_WAIT = 300
"""Seconds for which a server waits for a log at most."""

T = TypeVar("T")


class Line(NamedTuple):
    """A line of a log."""

    offset: int
    """Where it begins, in bytes from the beginning of the log."""
    data: bytes
    """Its bytes, with the newline, if it has one."""

    @property
    def text(self) -> str:
        """What it says, without its newline and the carriage returns in front of that. What is no UTF-8 is U+FFFD."""
        return self.data.removesuffix(b"\n").rstrip(b"\r").decode(errors="replace")


class Reader:
    """The bytes of the log at `url`: a reader's link, or a viewer's.

    `token`: what opens the log, if it is not in the link. `start` and `stop`: the half-open interval of bytes that is
    read. `tail`: begin with the last so many lines instead. `follow`: go on as the log grows, to its end; else only
    what there is by now. `wait`: seconds to wait for the log to begin. `give_up`: seconds for which a server that does
    not answer is tried. `direct`: ask the host itself, whatever proxy the environment names. `notice` is called with a line of text when something happens that a person may want to know.

    Iterating raises: Refused, if the server does (status 401: the token, 404: there is no such log); LogAborted, after all
    bytes; LogReplaced; GaveUp.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        start: int = 0,
        stop: int | None = None,
        tail: int | None = None,
        follow: bool = True,
        wait: float = 0,
        give_up: float = GIVE_UP,
        ca_file: str | None = None,
        direct: bool = False,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        parts = parse(url)
        self.offset = start
        """The byte that comes next, counted from the beginning of the log."""
        self.generation = ""
        """Which log of that name this is; empty: not known yet."""
        self.state = ""
        """`live`, `interrupted`, `complete` or `aborted`, when the server was last asked."""
        guard = {"Authorization": f"Bearer {token}"} if token else {}
        origin = Origin.of(parts, direct=direct)
        self._server = PatientConnection(origin, guard, give_up=give_up, ca_file=ca_file, notice=notice)
        self._path = re.sub("/(?:log|view)(?=/|$)", "/log", parts.path.rstrip("/"), count=1)
        self._stop, self._tail, self._follow, self._wait = stop, tail, follow, wait
        self._until = stop  # where this ends; without `follow` and `stop`, the first answer tells

    def __iter__(self) -> Iterator[bytes]:
        server = self._server
        server.begin()
        while not server.is_closed():
            before = self.offset
            try:
                if (response := self._ask()) is not None:
                    yield from self._body(response)
                return
            except (OSError, HTTPException) as error:
                if server.is_closed():
                    return
                if self.offset > before:
                    server.hear()
                    server.progress()
                # The answer about an aborted log always breaks off.
                server.pause(error, None if self.state == "aborted" else f"retrying, to resume at byte {self.offset}")
            finally:
                server.disconnect()

    def lines(self) -> Iterator[Line]:
        """The same, line by line; a last line without a newline comes when the log has ended, or the iteration has."""
        rest: list[bytes] = []
        offset, error = None, None
        try:
            for data in self:
                offset = self.offset - len(data) if offset is None else offset
                *whole, last = data.split(b"\n")
                for part in whole:
                    line = b"".join([*rest, part, b"\n"])
                    rest = []
                    yield Line(offset, line)
                    offset += len(line)
                if last:
                    rest.append(last)
        except ClientError as late:  # what has arrived comes first
            error = late
        if rest and offset is not None:
            yield Line(offset, b"".join(rest))
        if error is not None:
            raise error

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._each(iter(self))

    def alines(self) -> AsyncIterator[Line]:
        """The same as `lines`, for asyncio."""
        return self._each(self.lines())

    async def _each(self, iterator: Iterator[T]) -> AsyncIterator[T]:
        """What `iterator` gives, by a thread of its own, which ends when the iteration is left."""
        import asyncio  # noqa: PLC0415  # whoever gets here has it

        loop, thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, "livelog reader")
        try:
            while (item := await loop.run_in_executor(thread, next, iterator, None)) is not None:
                yield item
        finally:
            self.close()
            thread.shutdown(wait=False)

    def resume(self, generation: str, offset: int) -> None:
        """Begin at byte `offset` of the log that is that `generation`, of which all before it was read some other time."""
        self.generation, self.offset = generation, offset

    def close(self) -> None:
        """End the iteration, from whatever thread."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self) -> HTTPResponse | None:
        """Ask for what is missing. Returns None if that is nothing. Raises: OSError, HTTPException: ask again; ClientError."""
        if self._until is not None and self.offset >= self._until:
            self._finish()
            return None
        fields, query = dict[str, str](), []
        if self._wait and not self.generation:
            query.append(f"wait={math.ceil(min(self._wait, LONGEST_WAIT))}")
        if self._tail is not None and not self.generation:
            query += [f"tail={self._tail}", *([] if self._follow else ["follow=0"])]
        else:
            last = ENDLESS if self._follow else "" if self._until is None else self._until - 1
            fields["Range"] = f"bytes={self.offset}-{last}"
            if self.generation:
                fields["If-Range"] = f'"{self.generation}"'
        path = self._path + ("?" + "&".join(query) if query else "")
        response = self._server.get(path, fields, max(0, min(self._wait, LONGEST_WAIT)))
        self.state = response.headers.get("Livelog-State", self.state)
        generation = response.headers.get("ETag", "").strip('"')
        if self.generation and generation and generation != self.generation:
            raise LogReplaced(f"the log was replaced by another one after {self.offset} bytes were read")
        if response.status in (200, 206, 416):
            self.generation = generation
            self._server.hear()
            self._server.settle(endless=self._follow)
        if response.status == 416:
            size = response.headers.get("Content-Range", "").rpartition("/")[2]
            if size.isdigit() and int(size) < self.offset:
                raise Refused(f"the log has {size} bytes: there is none from {self.offset} on", 416)
            self._finish()
            return None
        if response.status == 206 and _first(response) != self.offset:
            raise HTTPException("its answer is not the range that was asked for")
        if response.status in (200, 206):
            return response
        text = self._server.refusal(response, begun=bool(self.generation))
        if response.status == 404 and self._wait:
            self._wait -= LONGEST_WAIT
            self._server.hear()
            if self._wait > 0:
                return self._ask()
        raise Refused(text, response.status)

    def _body(self, response: HTTPResponse) -> Iterator[bytes]:
        """Hand out the body of an answer. Raises: OSError, HTTPException, if it breaks off; LogAborted."""
        skip = 0
        if response.status == 200 and self._tail is None:
            skip = self.offset  # something on the way has dropped the range
        elif response.status == 200 and "Livelog-Offset" in response.headers:
            self.offset, self._tail = int(response.headers["Livelog-Offset"]), None
        bounded = response.length is not None
        if not bounded and not response.chunked:
            raise HTTPException("its answer does not tell its end from a broken connection")
        if not self._follow and self._until is None and response.length is not None:
            self._until = self.offset + response.length - skip
        while data := response.read1(READ_SIZE):
            self._server.hear()
            if skip:
                data, skip = data[skip:], max(0, skip - len(data))
            if self._until is not None:
                data = data[: self._until - self.offset]
            if data:
                self.offset += len(data)
                yield data
            if self._until is not None and self.offset >= self._until:
                break
        else:
            if response.length:
                raise ConnectionResetError("the connection broke off")
            if not bounded:
                self.state = "complete"  # the end of a chunked answer is the end of its log
        self._finish()

    def _finish(self) -> None:
        """All was read. Raises: LogAborted, unless only a part was asked for."""
        if self.state == "aborted" and (self._stop is None or self.offset < self._stop):
            raise LogAborted(f"the log was aborted after {self.offset} bytes")


def parse(url: str) -> SplitResult:
    """The parts of a log's link. Raises: Refused, if it is none."""
    with contextlib.suppress(ValueError):  # brackets, or a port, that are none
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and re.fullmatch("[!-~]+", url):
            return parts
    raise Refused("this is not the link of a log, such as http://logs.example.org/log/TOKEN/NAME")


def _first(response: HTTPResponse) -> int:
    """The first position in a Content-Range header; -1: there is none."""
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else -1
