"""Questions about the lines of a log, and their answers over HTTP.

    /lines/{token}[/{name}]     some lines, and where they are
    /search/{token}[/{name}]    where a text is
    /groups/{token}[/{name}]    which lines belong together

Refuses to know who may ask: `Readers` has found the log, and has its file open. What takes long is done by the threads that
read the disk, and never on the event loop.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial

from aiohttp import web

from livelog.about import microseconds, timestamp
from livelog.answers import COMMON_HEADERS, json_answer, send_parts, send_pieces, stream_headers, whole_number
from livelog.errors import DiskError, RequestError
from livelog.journal import BLOCK, Journal
from livelog.outlet import Outlet
from livelog.ranges import Part
from livelog.wire.problem import RETRY_AFTER

from .index import Index
from .lines import MAX_BYTES, MAX_LINES, first_lines, last_lines
from .matching import Query
from .service import Indexes

PATIENCE = 0.1
"""Seconds that an answer that can do without line numbers waits for the index."""

DEFAULT_LINES = 1000

SEARCHES = 4
"""Searches at a time."""

WAITING = 16
"""Searches that may wait for their turn."""

MAX_HITS = 10_000

GROUPING = 1.0
"""Seconds for which an answer waits until groups have been looked for everywhere."""

MAX_TEXT = 1000
"""Characters to search for."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Which lines are asked for: `count` of them from a place on, or, if it is negative, so many in front of it.

    The place is where line `line` begins, or the line that the byte at `offset` belongs to; neither: the end.
    """

    count: int
    line: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Where the lines are. What only an index tells is None if there is none yet."""

    part: Part
    first: int | None
    lines: int | None
    style: str | None


class Queries:
    """Answers the questions; `answers` has the method for each resource."""

    def __init__(self) -> None:
        self._indexes = Indexes()
        self._searchers = asyncio.Semaphore(SEARCHES)
        self._searching = 0
        self.answers: Mapping[str, Callable[[web.BaseRequest, Journal], Awaitable[web.StreamResponse]]] = {
            "lines": self._lines,
            "search": self._search,
            "groups": self._groups,
        }

    async def retire(self) -> None:
        """Drop, for ever, what nobody asks for any more."""
        await self._indexes.retire()

    async def close(self) -> None:
        """Keep what shall be found again after a restart."""
        await self._indexes.close()

    async def known_lines(self, journal: Journal, length: int) -> int | None:
        """How many lines the first `length` bytes of a log are, if there is an index."""
        indexed = self._indexes.get(journal)
        with contextlib.suppress(DiskError):
            if indexed is not None and await indexed.soon(PATIENCE):
                await journal.open()
                try:
                    start = min(indexed.index.blocks, length // BLOCK) * BLOCK
                    count = partial(indexed.index.lines, length, journal.read)
                    # Every page asks this every few seconds, and handing it to a thread costs more than doing it.
                    is_quick = length - start < BLOCK and (
                        not length or journal.is_cached(min(start, length - 1), length)
                    )
                    return count() if is_quick else await journal.run(count)
                finally:
                    journal.release()
        return None

    async def _lines(self, request: web.BaseRequest, journal: Journal) -> web.StreamResponse:
        asked, indexed = _asked(request.query, journal), self._indexes.of(journal)
        numbered = await (indexed.ready() if asked.line is not None else indexed.soon(PATIENCE))
        length = journal.length
        find = partial(_find, asked, length, journal.read)
        if (found := await journal.run(partial(find, indexed.index if numbered else None))) is None:
            await indexed.ready()
            found = await journal.run(partial(find, indexed.index))
        assert found is not None
        headers = {
            **COMMON_HEADERS,
            "Cache-Control": "no-store",
            "Content-Type": "application/octet-stream",
            "ETag": journal.etag,
            "Livelog-Offset": str(found.part.start),
            "Livelog-Size": str(length),
            "Livelog-State": journal.state.value,
            "Livelog-Time": f"{timestamp(1000 * journal.time_at(found.part.start))[:-4]}Z",
        }
        if found.first is not None:
            headers |= {"Livelog-First-Line": str(found.first), "Livelog-Lines": str(found.lines)}
        if found.style is not None:
            headers["Livelog-Style"] = found.style
        return await send_parts(request, journal, 200, headers, [(b"", found.part)])

    async def _search(self, request: web.BaseRequest, journal: Journal) -> web.StreamResponse:
        query = _query(request.query, journal.length)
        if self._searching >= SEARCHES + WAITING:
            raise RequestError(503, "too many searches are under way: try again later", RETRY_AFTER)
        headers = stream_headers(journal, "application/x-ndjson")
        return await send_pieces(request, journal, headers, partial(self._hits, journal, query))

    async def _hits(self, journal: Journal, query: Query, outlet: Outlet) -> AsyncGenerator[bytes, None]:
        """What a process that searches writes, which ends when the peer leaves."""
        self._searching += 1
        try:
            if query.start:
                indexed = self._indexes.of(journal)
                while not await indexed.ready(PATIENCE):
                    yield b'{"scanned": 0, "of": %d, "hits": 0}\n' % query.size
                count = partial(indexed.index.newlines_before, query.start, journal.read)
                query = replace(query, newlines=await journal.run(count))
            async with self._searchers:
                outlet.check()
                process, ended = await _start_search(journal.fileno(), query), False
                try:
                    outlet.on_blocked = lambda outlet: _kill(process) if outlet.transport is None else None
                    assert process.stdout is not None
                    while piece := await process.stdout.read(1 << 16):
                        yield piece
                    ended = True
                finally:
                    outlet.on_blocked = None
                    if not ended:
                        _kill(process)
                    code = await process.wait()
            if code:
                slow = code == -signal.SIGVTALRM
                reason = "this pattern takes too long: use a simpler one" if slow else "the search failed"
                yield json.dumps({"done": True, "hits": None, "next": None, "error": reason}).encode() + b"\n"
        finally:
            self._searching -= 1

    async def _groups(self, request: web.BaseRequest, journal: Journal) -> web.Response:
        limits = (("from", "0"), ("to", "9" * 18))
        first, last = (whole_number(name, request.query.get(name, default)) for name, default in limits)
        indexed = self._indexes.of(journal)
        await indexed.find_groups(GROUPING)
        groups = indexed.groups
        document = {
            "groups": [asdict(group) for group in groups.between(first, last)],
            "indexed": groups.indexed,
            "more": groups.full or groups.indexed < journal.length,
        }
        return json_answer(document, {"ETag": journal.etag, "Livelog-State": journal.state.value})


async def _start_search(fd: int, query: Query) -> asyncio.subprocess.Process:
    """A process that searches the file `fd`. What it searches for is nothing for the list of processes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "livelog.lines.matching", str(fd),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, pass_fds=(fd,),
        env={"PYTHONPATH": os.pathsep.join(sys.path)},  # and none of the server's secrets
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(query)).encode())
    process.stdin.close()
    return process


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended
        process.kill()


def _query(query: Mapping[str, str], length: int) -> Query:
    """What a request searches for. Raises: RequestError."""
    text, direction = query.get("q", ""), query.get("dir", "back")
    if not text or len(text) > MAX_TEXT or "\n" in text:
        raise RequestError(400, f"say what to search for by q: 1 to {MAX_TEXT} characters of one line")
    if direction not in ("back", "forward"):
        raise RequestError(400, "the query parameter dir is neither back nor forward")
    limit = whole_number("limit", query.get("limit", str(DEFAULT_LINES)))
    if not limit:
        raise RequestError(400, "the query parameter limit is not a whole number above 0")
    start = whole_number("from", query.get("from", "0" if direction == "forward" else str(length)))
    asked = Query(
        text=text, size=length, start=min(start, length), newlines=0, case=query.get("case") == "1",
        regex=query.get("regex") == "1", forward=direction == "forward", limit=min(limit, MAX_HITS),
    )  # fmt: skip
    try:
        asked.pattern()
    except ValueError as error:
        raise RequestError(400, f"this is no regular expression: {error}") from error
    return asked


def _asked(query: Mapping[str, str], journal: Journal) -> Lines:
    """Which lines a request wants. Raises: RequestError."""
    named = [name for name in ("from", "tail", "at", "time") if name in query]
    if len(named) != 1:
        raise RequestError(400, "say which lines by one of the query parameters from, tail, at and time")
    [name], text = named, query[named[0]]
    count_text = query.get("count", str(DEFAULT_LINES))
    sign = -1 if count_text.startswith("-") else 1
    count = sign * min(whole_number("count", count_text.removeprefix("-")), MAX_LINES)
    if name == "tail":
        return Lines(-min(whole_number(name, text), MAX_LINES))
    if name == "time":
        return Lines(count, offset=journal.offset_at(_moment(text)))
    number = whole_number(name, text)
    if name == "at":
        return Lines(count, offset=number)
    if not number:
        raise RequestError(400, "lines are counted from 1")
    return Lines(count, line=number)


def _moment(text: str) -> int:
    """A time in milliseconds since the epoch. Raises: RequestError."""
    if re.fullmatch(r"[0-9]{1,11}(?:\.[0-9]+)?", text, re.ASCII):
        return int(float(text) * 1000)
    try:
        # Without its zone it is no moment: `microseconds` refuses it.
        return microseconds(text) // 1000
    except (ValueError, TypeError) as error:
        wanted = "a time such as 2026-11-25T05:26:53Z, nor seconds since the epoch"
        raise RequestError(400, f"the query parameter time is neither {wanted}") from error


def _find(asked: Lines, length: int, read: Callable[[int, int], bytes], index: Index | None) -> Found | None:
    """Where those lines of a log of so many bytes are; None: it takes an index to tell. Waits for the disk."""
    place: int | None = length
    if asked.line is not None:
        place = index.offset_of(asked.line, length, read) if index is not None else None
        place = length if place is None else place
    elif asked.offset is not None and asked.offset < length:
        place = _line_start(asked.offset, length, read, index)
    if place is None:
        return None
    part = _after(place, asked.count, length, read) if asked.count >= 0 else _before(place, -asked.count, read)
    if index is None:
        return Found(part, None, None, None)
    lines = index.lines(length, read)
    first = index.newlines_before(part.start, read) + 1 if part.start < length else lines + 1
    return Found(part, first, lines, index.style_at(part.start, read))


def _line_start(offset: int, length: int, read: Callable[[int, int], bytes], index: Index | None) -> int | None:
    """Where the line begins that the byte at `offset` belongs to."""
    for size in (BLOCK, MAX_BYTES):
        start = max(0, offset - size)
        newline = read(start, offset).rfind(b"\n")
        if newline >= 0 or not start:
            return start + newline + 1
    return None if index is None else index.offset_of(index.newlines_before(offset, read) + 1, length, read)


def _after(start: int, count: int, length: int, read: Callable[[int, int], bytes]) -> Part:
    size = BLOCK
    while True:
        stop = min(length, start + size)
        taken = first_lines(read(start, stop), count, last=stop == length)
        if taken is not None:
            return Part(start, start + taken)
        size = min(8 * size, MAX_BYTES)


def _before(stop: int, count: int, read: Callable[[int, int], bytes]) -> Part:
    size = BLOCK
    while True:
        start = max(0, stop - size)
        skipped = last_lines(read(start, stop), count, first=start == 0)
        if skipped is not None:
            return Part(start + skipped, stop)
        size = min(8 * size, MAX_BYTES)
