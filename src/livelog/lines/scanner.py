"""The scanner process: it reads a log's bytes for the server, to index lines, to find groups and problems, and to search.

`main` runs in a process of its own, see `own_process`. Its stdin is a UNIX stream socket to the server. The server sends jobs, one after the
other, each with the descriptors of the log's file and of its file of notes, if there are such, or of two logs; results are sent back. The process ends when the
server closes the socket, or kills it.

Work over a stranger's bytes that may take long runs here, so that it never holds the server's interpreter, and can be killed. Limits: the low
priority `NICE`; `MAX_MEMORY`; `PIECE_SECONDS` of processor time for a piece; and for a whole job what its caller allows. A process that
exceeds a limit ends by a signal or exit code that says which one it was.

A frame is a letter, the length of its payload (4 bytes, big-endian), and the payload. The payload of a `JOB` frame is a line of JSON
(the job's name and parameters), and for some jobs bytes that an earlier job has returned.

This module imports little, and each job imports its own modules, so that a process starts fast.
"""

import json
import math
import os
import resource
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from livelog.times import Times

FRAME = struct.Struct("!cI")
"""A frame's letter, and the length of its payload in bytes."""

JOB, PART, DONE, REFUSED, FAILED = b"j", b"p", b"d", b"r", b"f"
"""The letters of frames: a job; a part of the result; the end of the result; the parameters are wrong; the log cannot be read. The last two have a message."""

COLLECTIONS = ("groups", "problems")
"""The modules that make a collection of a log's lines."""

MEMBER = struct.Struct("!I")
"""The prefix of a result that says which of several queries it belongs to."""

NICE = 15
"""The nice value of a process while it works. Readers that follow logs come first, but a search has to end on a busy machine, too.

Beside one process of normal priority on the same core, Linux gives 1.4 % of the core to a process at 19, 3.4 % at 15, and 9.7 % at 10. So a
second of work takes about a minute at 19, half a minute at 15, ten seconds at 10. At 10, an index and a search under way made the 99th
percentile of other requests 15 % slower; at 15, no difference could be measured. SCHED_BATCH would not change these shares, and
SCHED_IDLE gives less than 19. If the service has a cgroup or an autogroup of its own, the value counts within it only: other services do not starve its searches.
"""

MAX_MEMORY = 256 * 1024 * 1024
"""The limit of address space, in bytes."""

PIECE_SECONDS = 3.0
"""The limit of processor time for one piece of a log, or for compiling a pattern, in seconds."""

OUT_OF_MEMORY = 3
"""The exit code of a process that needs more than `MAX_MEMORY`."""

INDEX_PIECE = 16
"""The number of blocks in one piece of an index."""


class Log:
    """A log for a job: its bytes, and their arrival times from its notes. `began`: when it began, in milliseconds since the epoch."""

    def __init__(self, fd: int, times: int | None, began: int) -> None:
        self._fd = fd
        self._times = times
        self.began = began

    def times(self) -> "Times":
        """The arrival times of the bytes that the log has now."""
        from livelog.times import Times  # noqa: PLC0415

        if (fd := self._times) is None:
            return Times(self.began)
        return Times(self.began, lambda start, stop: os.pread(fd, stop - start, start), os.fstat(fd).st_size)

    def read(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`. Raises: OSError."""
        parts: list[bytes] = []
        while start < stop:
            data = os.pread(self._fd, stop - start, start)
            if not data:
                raise OSError("the file is shorter than the log")
            parts.append(data)
            start += len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def index(log: Log, _kept: bytes, *, first: int, stop: int, style: str, seconds: float) -> Iterator[bytes]:
    """Scan the blocks `[first, stop)` for an index, for `seconds` at most. Yields JSON: see `index.scan`."""
    from .index import scan  # noqa: PLC0415

    deadline = time.monotonic() + seconds
    while first < stop:
        found = scan(log.read, first, min(stop, first + INDEX_PIECE), style)
        first, style = first + len(found), found[-1][1]
        yield json.dumps(found).encode()
        if time.monotonic() > deadline:
            break


def collect(
    log: Log, kept: bytes, *, what: str, encoding: str, stop: int, ended: bool, end: int, seconds: float, **page: Any
) -> Iterator[bytes | None]:
    """Scan for a collection (`what`: groups or problems), and yield one page of it: see `collecting.collect`."""
    from .collecting import Asked, collect  # noqa: PLC0415

    module = import_module(f"{__package__}.{what}")
    yield from collect(
        kept, lambda: module.collection(encoding), Asked(stop, ended, **page),
        piece=module.PIECE, read=log.read, time_at=log.times().time_at, end=end, seconds=seconds,
    )  # fmt: skip


def pattern(_kept: bytes, **query: Any) -> Iterator[bytes]:
    """Check a query: yield an empty part if its pattern is valid. Raises: ValueError, if it is not."""
    from .query import Query  # noqa: PLC0415

    Query(**query).pattern()
    yield b""


def search(log: Log, kept: bytes, **query: Any) -> Iterator[bytes | None]:
    """Yield an empty part once the pattern is known to be valid; then the parts of `search_output.parts`. `kept`: the newlines before each block, from an index.

    Raises: ValueError, if the pattern is not valid.
    """
    from array import array  # noqa: PLC0415

    from .query import Query  # noqa: PLC0415
    from .search_output import parts  # noqa: PLC0415

    asked = Query(**query)
    asked.pattern()  # `re` keeps it
    yield b""
    yield from parts(asked, log.read, log.times(), array("Q", kept))


def follow(log: Log, _kept: bytes, *, queries: list[dict[str, Any]]) -> Iterator[bytes | None]:
    """For each of the queries in turn, yield a `MEMBER`, and then the next part of that search behind another `MEMBER`: see `search_output.parts`.

    Each search gets one part only, so that a search with many hits does not delay the others.
    """
    from .query import Query  # noqa: PLC0415
    from .search_output import parts  # noqa: PLC0415

    for number, query in enumerate(queries):
        yield MEMBER.pack(number)
        for part in parts(Query(**query), log.read, log.times()):
            if part is not None:
                yield MEMBER.pack(number) + part
                break
            yield None


def lines(log: Log, _kept: bytes, **asked: Any) -> Iterator[bytes | None]:
    """Yield one part of the text of lines, preceded by a line of JSON: the lines that are left, or null. See `objects.render`."""
    from .objects import Lines, render  # noqa: PLC0415

    for output in render(Lines(**asked), log.read, log.times()):
        yield None if output is None else json.dumps(output[1] and output[1]._asdict()).encode() + b"\n" + output[0]


def number(log: Log, kept: bytes, *, places: list[int]) -> Iterator[bytes | None]:
    """The numbers of the lines that begin at these offsets, as JSON: pairs of an offset and a number. `kept`: as for `search`."""
    from array import array  # noqa: PLC0415

    from .pieces import Newlines  # noqa: PLC0415

    newlines, numbers = Newlines(log.read, 0, 0, array("Q", kept)), []
    for place in places:
        count = yield from newlines.before(place)
        assert count is not None
        numbers.append([place, count + 1])
    yield json.dumps(numbers).encode()


def compare(log: Log, other: Log, _kept: bytes, **asked: Any) -> Iterator[bytes | None]:
    """The lines of `log` that `other` does not have: see `comparing.compare`."""
    from .comparing import Asked, compare  # noqa: PLC0415

    yield from compare(Asked(**asked), log.read, other.read, log.times().time_at)


def gaps(log: Log, _kept: bytes, *, size: int, most: int, ended: int | None) -> Iterator[bytes | None]:
    """Yield the `most` longest times without a byte, in the first `size` bytes, as JSON. `ended`: when the log ended, in milliseconds since the epoch."""
    from livelog.times import Gaps  # noqa: PLC0415

    found = Gaps(log.began, most)
    for number, (offset, moment) in enumerate(log.times().notes(0, size)):
        found.note(offset, moment)
        if number % 10_000 == 0:
            yield None
    if ended is not None:
        found.note(size, ended)
    yield json.dumps(found.documents()).encode()


JOBS: dict[str, Callable[..., Iterator[bytes | None]]] = {
    "collect": collect,
    "compare": compare,
    "follow": follow,
    "gaps": gaps,
    "index": index,
    "lines": lines,
    "number": number,
    "pattern": pattern,
    "search": search,
}
"""The jobs by name. Each is called with its log, or two, and what was kept; yields parts of its result, and None after each piece of work."""

NEEDED = {
    "collect": "", "compare": "comparing", "follow": "search_output", "gaps": "lines", "index": "index", "lines": "objects", "number": "pieces",
    "pattern": "query", "search": "search_output",
}  # fmt: skip
"""The module that each job imports; empty: the one that its parameter `what` names."""


class Link:
    """The socket to the server."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def receive(self) -> tuple[bytes, list[int]] | None:
        """Receive a job and its descriptors, which a job about no log has none of; None: the server has closed the socket."""
        head, fds, _, _ = socket.recv_fds(self._socket, FRAME.size, 4)
        if not head:
            return None
        head += self._rest(FRAME.size - len(head))
        return self._rest(FRAME.unpack(head)[1]), fds

    def _rest(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            received = self._socket.recv(min(size - len(data), 1 << 20))
            if not received:
                sys.exit(0)
            data += received
        return bytes(data)

    def send(self, letter: bytes, payload: bytes) -> None:
        """Send a frame. Waits while the socket is full."""
        self._socket.sendall(FRAME.pack(letter, len(payload)) + payload)


def main() -> None:
    """Do jobs until the server closes the socket."""
    link, restricted = Link(socket.socket(fileno=0)), False
    while (received := link.receive()) is not None:
        request, fds = received
        line, _, kept = request.partition(b"\n")
        asked = json.loads(line)
        needed = NEEDED[asked["job"]] or asked["parameters"]["what"]
        import_module(f"{__package__}.{needed}")
        if not restricted:
            _restrict()  # after the first job has arrived: the start itself has the server's priority
            restricted = True
        try:
            _work(link, asked, kept, _logs(asked["logs"], fds))
        finally:
            for fd in fds:
                os.close(fd)


def _logs(logs: list[tuple[int, bool]], fds: list[int]) -> list[Log]:
    """The logs of a job: of each when it began, and whether it has notes; and the descriptors of all of them."""
    left = iter(fds)
    return [Log(next(left), next(left) if has_notes else None, began) for began, has_notes in logs]


def _restrict() -> None:
    os.nice(NICE)
    for what, limit in (
        (resource.RLIMIT_AS, MAX_MEMORY),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)  # noqa: PLW2901
        resource.setrlimit(what, (limit, limit))


def _work(link: Link, asked: dict[str, Any], kept: bytes, logs: list[Log]) -> None:
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    limit = math.ceil(time.process_time() + asked["processor"])
    resource.setrlimit(resource.RLIMIT_CPU, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    signal.setitimer(signal.ITIMER_PROF, PIECE_SECONDS)
    try:
        for part in JOBS[asked["job"]](*logs, kept, **asked["parameters"]):
            if part is not None:
                link.send(PART, part)
            signal.setitimer(signal.ITIMER_PROF, PIECE_SECONDS)
        link.send(DONE, b"")
    except ValueError as error:
        link.send(REFUSED, str(error).encode(errors="replace"))
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)
    except OSError as error:
        link.send(FAILED, str(error.strerror or error).encode())
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
