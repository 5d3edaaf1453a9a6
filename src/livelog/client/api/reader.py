"""A log as bytes or lines, from any byte, to its end, through any number of broken connections.

    with livelog.Reader("http://localhost:60023/log/secretpuppy/nightly") as log:
        for data in log:
            sys.stdout.buffer.write(data)

    async for line in livelog.Reader(...).alines():    # the same for asyncio
        ...

After a broken connection, the reader asks for the log from the next byte, on condition that it is still the same log (RFC 9110
section 13.1.5, RFC 8673 section 2). It is an error if the log was replaced, or if it was aborted.
Invariants:

1. The bytes that were returned are `[first byte, offset)` of one log: in order, each byte once.
2. The iteration ends without an error only if all requested bytes were returned, and the log is not aborted.
"""

import copy
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Literal, NamedTuple, Self, Unpack, overload

from livelog.client.transport.origin import Origin
from livelog.client.transport.patient import LONGEST_WAIT, PatientConnection, has_waited
from livelog.errors import ClientError, LogAborted, LogReplaced, Refused

from .in_thread import each, once
from .links import parse, which

if TYPE_CHECKING:
    from .compare import Comparison
    from .search import Hit, SearchOptions
    from .timed import Block, TimedLine

READ_SIZE = 256 * 1024
"""The limit of bytes in one item of the iteration."""

GIVE_UP = 300.0
"""Default of `give_up`: seconds without an answer from the server after which the reader gives up."""

ENDLESS = 2**53 - 1
"""A last position that asks to follow (RFC 8673 section 2)."""


class Line(NamedTuple):
    """A line of a log."""

    offset: int
    """The offset of its first byte in the log, counted from 0."""
    data: bytes
    """Its bytes, with the newline, if it has one."""

    @property
    def text(self) -> str:
        """Its text, without the newline and the carriage returns before it. Invalid UTF-8 becomes U+FFFD."""
        return self.data.removesuffix(b"\n").rstrip(b"\r").decode(errors="replace")


class Reader:
    """Reads the bytes of the log at `url`, which is a link for readers or for the viewer.

    `token`: the token, if the link has none. `start`, `stop`: the half-open interval of bytes to read; `stop` None: no end. `tail`: instead, begin with
    the last `tail` lines. `follow`: continue while the log grows, to its end; else stop at the end of the present bytes. `wait`: seconds to wait for the
    log to begin. `give_up`: seconds for which an unreachable server is tried. `ca_file`: certificates to trust for https (PEM). `direct`: ignore the
    proxies that the environment names. `notice`: called with a line of text for people, such as that the connection broke.

    The constructor raises Refused, if `url` is no link. Iterating raises Refused (status 401: wrong token; 404: no such log), LogReplaced and GaveUp; and
    LogAborted, after all bytes of an aborted log.
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
        """The offset of the next byte, counted from the beginning of the log."""
        self.generation = ""
        """The generation of the log; empty: not known yet."""
        self.state = ""
        """The state of the log when the server answered last: `live`, `interrupted`, `complete` or `aborted`; empty: not known yet."""
        guard = {"Authorization": f"Bearer {token}"} if token else {}
        origin = Origin.of(parts, direct=direct)
        self._server = PatientConnection(origin, guard, give_up=give_up, ca_file=ca_file, notice=notice)
        self._path = re.sub("/(?:log|view)(?=/|$)", "/log", parts.path.rstrip("/"), count=1)
        self._which = which(parts.query)
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

    @overload
    def lines(self, *, times: Literal[False] = False) -> Iterator[Line]: ...
    @overload
    def lines(self, *, times: Literal[True]) -> Iterator["TimedLine"]: ...
    def lines(self, *, times: bool = False) -> "Iterator[Line] | Iterator[TimedLine]":
        """Iterate over the lines. A last line without a newline is returned at the end of the log or of the iteration.

        `times`: return `TimedLine`s, which have the arrival times of the lines.
        """
        return self._timed_lines() if times else self._lines()

    def _lines(self) -> Iterator[Line]:
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

    def _timed_lines(self) -> "Iterator[TimedLine]":
        from .timed import timed_lines  # noqa: PLC0415  # who reads bytes need not wait for it

        counted = self.offset == 0 and self._tail is None
        return timed_lines(self._timed_blocks(), 1 if counted else None)

    def _timed_blocks(self) -> "Iterator[Block]":
        """Yield the same bytes as the iteration, with their arrival times. Raises: ClientError."""
        from livelog.client.transport.stream import Stream, events  # noqa: PLC0415  # as above

        from .timed import block_of  # noqa: PLC0415

        if not self._settled():
            return
        stream = Stream(self._server, self._resource("events"), endless=True)
        asked = stream.lines(lambda: f"?from={self.offset}&generation={self.generation}", "text/event-stream")
        for kind, identifier, data in events(asked):
            if kind == "replaced":
                raise LogReplaced(f"the log was replaced by another one after {self.offset} bytes were read")
            self.state = str(data.get("state", self.state))
            if kind == "":
                block = block_of(data, int(identifier), self._part).between(self.offset, self._until)
                self.offset += len(block.data)
                yield block
            if kind == "end" or (self._until is not None and self.offset >= self._until):
                self._finish()
                return

    def _resource(self, name: str) -> str:
        """The path of something else that there is of this log."""
        return re.sub("/log(?=/|$)", f"/{name}", self._path, count=1)

    def _part(self, start: int, stop: int) -> bytes:
        """Some bytes of this log, read over another connection. Raises: ClientError."""
        return b"".join(self._another(start, stop))

    def _another(self, start: int, stop: int) -> "Reader":
        """A reader of some bytes of this log."""
        other = copy.copy(self)
        other._server = self._server.another()
        other.offset, other._stop, other._until = start, stop, stop
        other._tail, other._follow = None, False
        return other

    def _settled(self) -> bool:
        """Ask for the first and last offset and the generation, without reading a byte. Returns whether there is a byte to read. Raises: ClientError."""
        server = self._server
        server.begin()
        while not server.is_closed():
            try:
                try:
                    response = self._ask("HEAD")
                except Refused:
                    response = self._ask()  # whose answer says why
                if response is None:
                    return False
                length = response.headers.get("Content-Length", "")
                self._place(response, int(length) if length.isdigit() else None)
                return True
            except (OSError, HTTPException) as error:
                if not server.is_closed():
                    server.pause(error, "trying again")
            finally:
                server.disconnect()
        return False

    def search(self, pattern: str, **options: "Unpack[SearchOptions]") -> "Iterator[Hit]":
        """The lines of the log that have `pattern`, found by the server: the log is not transferred. For `options` see `SearchOptions`.

        Where this begins and ends does not matter: all of the log is searched. Raises: ValueError; while iterating, as the iteration;
        LogAborted only with `follow`.
        """
        return self._search(pattern, options)[0]

    def asearch(self, pattern: str, **options: "Unpack[SearchOptions]") -> "AsyncIterator[Hit]":
        """Like `search`, for asyncio."""
        return each(*self._search(pattern, options))

    def _search(self, pattern: str, options: "SearchOptions") -> "tuple[Iterator[Hit], Callable[[], None]]":
        """What a search finds, and what ends it."""
        from livelog.client.transport.stream import Stream  # noqa: PLC0415  # who only reads need not wait for it

        from .search import Search, query_of  # noqa: PLC0415

        query = query_of(pattern, **options)._replace(wait=math.ceil(min(self._wait, LONGEST_WAIT)))
        server = self._server.another()
        search = Search(Stream(server, self._resource("search")), query, self.generation)

        def hits() -> "Iterator[Hit]":
            if self._which:
                pinned = self._another(0, 0)
                pinned._until = None
                pinned._settled()
                search.pin(pinned.generation)
            yield from search.hits()
            if query.follow and search.state == "aborted":
                raise LogAborted("the log was aborted")

        return hits(), server.close

    def compare(self, other: int | str | None = None, *, limit: int | None = None) -> "Comparison":
        """The lines of the log that an earlier log of its name does not have, found by the server: the logs are not transferred.

        `other`: the attempt (-1: the one before the newest) or the generation to compare with; None: the newest one before this log that is complete
        with exit code 0. `limit`: at most this many lines; None: all. Raises: ValueError, Refused (status 404: there is none to compare with),
        LogReplaced, GaveUp.
        """
        return self._comparing(other, limit)[0]()

    async def acompare(self, other: int | str | None = None, *, limit: int | None = None) -> "Comparison":
        """Like `compare`, for asyncio."""
        return await once(*self._comparing(other, limit))

    def _comparing(
        self, other: int | str | None, limit: int | None
    ) -> "tuple[Callable[[], Comparison], Callable[[], None]]":
        """What compares, and what ends that."""
        from livelog.client.transport.stream import Stream  # noqa: PLC0415  # as for a search

        from .compare import Comparing  # noqa: PLC0415

        server = self._server.another()
        pages = Comparing(
            Stream(server, self._resource("compare")), self._which, self.generation, min(self._wait, LONGEST_WAIT)
        )
        return pages.asking(other, limit), server.close

    def __aiter__(self) -> AsyncIterator[bytes]:
        return each(iter(self), self.close)

    @overload
    def alines(self, *, times: Literal[False] = False) -> AsyncIterator[Line]: ...
    @overload
    def alines(self, *, times: Literal[True]) -> "AsyncIterator[TimedLine]": ...
    def alines(self, *, times: bool = False) -> "AsyncIterator[Line] | AsyncIterator[TimedLine]":
        """Like `lines`, for asyncio."""
        return each(self.lines(times=True), self.close) if times else each(self.lines(), self.close)

    def resume(self, generation: str, offset: int) -> None:
        """Begin at the byte `offset` of the log with this `generation`. The caller has read all bytes before it."""
        self.generation, self.offset = generation, offset

    def close(self) -> None:
        """End the iteration. May be called from any thread."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, method: str = "GET") -> HTTPResponse | None:
        """Send a request for the missing bytes. Returns None if there are none. Raises: OSError, HTTPException: try again; ClientError."""
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
        if self._which:
            query.append(f"generation={self.generation}" if self.generation else self._which)
        path = self._path + ("?" + "&".join(query) if query else "")
        asked = time.monotonic()
        response = self._server.get(path, fields, max(0, min(self._wait, LONGEST_WAIT)), method=method)
        self.state = response.headers.get("Livelog-State", self.state)
        generation = response.headers.get("ETag", "").strip('"')
        if self.generation and (response.status == 412 or (generation and generation != self.generation)):
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
        if response.status == 404 and self._wait > LONGEST_WAIT and has_waited(asked):
            self._wait -= LONGEST_WAIT
            self._server.hear()
            return self._ask(method)
        raise Refused(text, response.status)

    def _body(self, response: HTTPResponse) -> Iterator[bytes]:
        """Yield the body of an answer. Raises: OSError, HTTPException, if it breaks off; LogAborted."""
        skip = self._place(response, response.length)
        bounded = response.length is not None
        if not bounded and not response.chunked:
            raise HTTPException("its answer does not tell its end from a broken connection")
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

    def _place(self, response: HTTPResponse, length: int | None) -> int:
        """Take offsets, generation and state from the head of an answer whose body has `length` bytes. Returns the number of bytes to skip."""
        skip = 0
        if response.status == 200 and self._tail is None:
            skip = self.offset  # something on the way has dropped the range
        elif response.status == 200 and "Livelog-Offset" in response.headers:
            self.offset, self._tail = int(response.headers["Livelog-Offset"]), None
        if not self._follow and self._until is None and length is not None:
            self._until = self.offset + length - skip
        return skip

    def _finish(self) -> None:
        """All bytes were read. Raises: LogAborted, if the log is aborted and was to be read to its end."""
        if self.state == "aborted" and (self._stop is None or self.offset < self._stop):
            raise LogAborted(f"the log was aborted after {self.offset} bytes")


def _first(response: HTTPResponse) -> int:
    """The first position in a Content-Range header; -1: there is none."""
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdigit() else -1
