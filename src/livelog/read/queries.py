"""Questions about the lines of a log, and their answers over HTTP.

    /lines/{token}[/{name}]     some lines, and where they are
    /search/{token}[/{name}]    where a text is: see `read.search_answers`
    /groups/{token}[/{name}]    which lines belong together

Refuses to know who may ask: `Readers` has found the log, and has its file open. What takes long is done by the threads that
read the disk, and never on the event loop.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from livelog.errors import DiskError, ScanError
from livelog.lines.groups import MAX_GROUPS
from livelog.lines.index import BLOCK, Index
from livelog.lines.lines import MAX_BYTES, MAX_LINES, Read, end_of_first, start_of_last
from livelog.lines.service import Indexes, LogIndexer
from livelog.lines.workers import Scanners
from livelog.log.source import Source
from livelog.times import RESOLUTION, Times, moment_of, timestamp
from livelog.wire.connection import Connection
from livelog.wire.exchange import Exchange
from livelog.wire.fields import whole_number
from livelog.wire.link import leaving, unless_lost
from livelog.wire.problem import RETRY_AFTER
from livelog.wire.ranges import Part
from livelog.wire.response import Response

from . import problems
from .answers import READERS_HEADERS, parts_answer
from .search_answers import SearchAnswers

PATIENCE = 0.1
"""Seconds that an answer that can do without line numbers waits for the index."""

DEFAULT_LINES = 1000

NEW = 1024 * 1024
"""Bytes that may have come behind what is indexed for an answer to be about them, too."""

LEAVING = 1.0
"""Seconds that a client which sends no more, and may have left, waits for an index."""

GROUPING_STEP = 0.1
"""Seconds after which it is looked whether the client still sends: one that may have left gets what is known by then."""

GROUPING = 1.0
"""Seconds for which an answer waits until groups have been looked for everywhere."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Which lines are asked for: `count` of them from a place on, or, if it is negative, so many in front of it.

    The place is where line `line` begins, or the line that the byte at `offset` belongs to, or the first that came at `moment`
    (milliseconds since the epoch); none of them: the end.
    """

    count: int
    line: int | None = None
    offset: int | None = None
    moment: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Where the lines are. What only an index tells is None if there is none yet."""

    part: Part
    first: int | None
    lines: int | None
    style: str | None
    time: int
    """When the first byte came, in milliseconds since the epoch."""


class Queries:
    """Answers the questions; `answers` has the method for each resource."""

    def __init__(self) -> None:
        self._scanners = Scanners()
        self._indexes = Indexes(self._scanners)
        self._searches = SearchAnswers(self._indexes, self._scanners)
        answers = {"lines": self._lines, "search": self._searches.answer, "groups": self._groups}
        self.answers: Mapping[str, Callable[[Exchange, Source], Awaitable[Response]]] = {
            resource: partial(_answer, answer) for resource, answer in answers.items()
        }

    async def retire(self) -> None:
        """Drop, for ever, what nobody asks for any more."""
        await self._indexes.retire()

    async def close(self) -> None:
        """Keep what shall be found again after a restart, and end all processes."""
        await self._indexes.close()
        await self._searches.close()
        await self._scanners.close()

    def has_index(self, journal: Source) -> bool:
        """Whether somebody has asked for lines of a log lately."""
        return self._indexes.get(journal) is not None

    async def known_lines(self, journal: Source, length: int) -> int | None:
        """How many lines the first `length` bytes of a log are, if there is an index."""
        if self._indexes.get(journal) is None:
            return None
        with self._indexes.use(journal) as indexer, contextlib.suppress(DiskError, ScanError):
            if await indexer.soon(PATIENCE):
                await journal.open()
                try:
                    start = min(indexer.index.blocks, length // BLOCK) * BLOCK
                    count = partial(indexer.index.lines, length, journal.read)
                    # Every page asks this every few seconds, and handing it to a thread costs more than doing it.
                    is_quick = length - start < BLOCK and (
                        not length or journal.is_cached(min(start, length - 1), length)
                    )
                    return count() if is_quick else await journal.run(count)
                finally:
                    journal.release()
        return None

    def want_lines(self, connection: Connection, journal: Source) -> None:
        """Go on with the index of a log, if it is being made: a client was told that it is not there yet."""
        if (indexer := self._indexes.get(journal)) is not None:
            _want(connection, indexer)

    async def _lines(self, exchange: Exchange, journal: Source) -> Response:
        asked = _asked(exchange.request.query)
        await journal.open_times()
        length, state = journal.length, journal.state
        with self._indexes.use(journal) as indexer:
            found = None
            if asked.line is None:
                index = indexer.index if await indexer.soon(PATIENCE) else None
                length, state = journal.length, journal.state
                found = await journal.run(partial(_find, asked, length, journal.read, journal.times(), index))
                if index is None and found is not None:
                    _want(exchange.connection, indexer)
            if found is None:
                await _wait(exchange.connection, indexer)
                if journal.length < indexer.index.blocks * BLOCK + NEW:
                    length, state = journal.length, journal.state
                found = await journal.run(partial(_find, asked, length, journal.read, journal.times(), indexer.index))
        assert found is not None
        headers = {
            **READERS_HEADERS,
            "Cache-Control": "no-store",
            "Content-Type": "application/octet-stream",
            "ETag": journal.etag,
            "Livelog-Offset": str(found.part.start),
            "Livelog-Size": str(length),
            "Livelog-State": state.value,
            "Livelog-Time": timestamp(found.time),
        }
        if found.first is not None:
            headers |= {"Livelog-First-Line": str(found.first), "Livelog-Lines": str(found.lines)}
        if found.style is not None:
            headers["Livelog-Style"] = found.style
        return parts_answer(journal, 200, headers, [(b"", found.part)])

    async def _groups(self, exchange: Exchange, journal: Source) -> Response:
        query, asked = exchange.request.query, {"from": "0", "to": "9" * 18, "skip": "0", "limit": str(MAX_GROUPS)}
        first, last, skip, limit = (whole_number(name, query.get(name, asked[name])) for name in asked)
        if not limit:
            raise problems.NOT_ABOVE_0.error(parameter="limit")
        connection, loop = exchange.connection, asyncio.get_running_loop()
        with self._indexes.use(journal) as indexer:
            async with unless_lost(connection):
                deadline, before = loop.time() + GROUPING, -1
                while before < indexer.grouped < journal.length or before < 0:
                    before, patience = indexer.grouped, min(GROUPING_STEP, deadline - loop.time())
                    document, state = await indexer.find_groups(
                        first, last, 0.0 if connection.ended else patience, skip=skip, limit=min(limit, MAX_GROUPS)
                    )
                    if connection.ended or loop.time() > deadline:
                        break
        headers = {
            **READERS_HEADERS, "Cache-Control": "no-store", "ETag": journal.etag, "Livelog-State": state.value,
        }  # fmt: skip
        return Response(200, {**headers, "Content-Type": "application/json; charset=utf-8"}, document)


async def _answer(
    answer: Callable[[Exchange, Source], Awaitable[Response]],
    exchange: Exchange,
    journal: Source,
) -> Response:
    """As `answer`, if the lines of the log can be looked at."""
    try:
        return await answer(exchange, journal)
    except ScanError as error:
        text = f"looking at the lines of this log {error}" if error.excess else str(error)
        raise problems.LINES_FAILED.error(RETRY_AFTER, reason=text) from error


def _want(connection: Connection, indexer: LogIndexer) -> None:
    """Go on with an index of which a client is told that there is none yet, unless it has left by now."""
    if connection.is_open and not connection.ended:
        indexer.want()


async def _wait(connection: Connection, indexer: LogIndexer) -> None:
    """Wait for an index of what the log has now, unless the client leaves. Raises: ScanError, RequestError."""
    if connection.ended:
        if not await indexer.ready(LEAVING):
            raise problems.COUNTING.error(RETRY_AFTER)
        return
    if await indexer.ready(0.0):
        return
    with leaving(connection):
        async with unless_lost(connection):
            await indexer.ready()


def _asked(query: Mapping[str, str]) -> Lines:
    """Which lines a request wants. Raises: RequestError."""
    named = [name for name in ("from", "tail", "at", "time") if name in query]
    if len(named) != 1:
        raise problems.WHICH_LINES.error()
    [name], text = named, query[named[0]]
    count_text = query.get("count", str(DEFAULT_LINES))
    sign = -1 if count_text.startswith("-") else 1
    count = sign * min(whole_number("count", count_text.removeprefix("-")), MAX_LINES)
    if name == "tail":
        return Lines(-min(whole_number(name, text), MAX_LINES))
    if name == "time":
        return Lines(
            count, moment=_moment(text) - RESOLUTION + 1
        )  # what came then may have the time of a note shortly before
    number = whole_number(name, text)
    if name == "at":
        return Lines(count, offset=number)
    if not number:
        raise problems.LINE_0.error()
    return Lines(count, line=number)


def _moment(text: str, *, down: bool = False) -> int:
    """A time in milliseconds since the epoch, see `moment_of`. Raises: RequestError."""
    try:
        return moment_of(text, down=down)
    except ValueError as error:
        raise problems.NOT_A_TIME.error() from error


def _line_start(offset: int, length: int, read: Read, index: Index | None) -> int | None:
    """Where the line begins that the byte at `offset` belongs to; None: it takes an index to tell."""
    for size in (BLOCK, MAX_BYTES):
        start = max(0, offset - size)
        newline = read(start, offset).rfind(b"\n")
        if newline >= 0 or not start:
            return start + newline + 1
    return None if index is None else index.offset_of(index.newlines_before(offset, read) + 1, length, read)


def _find(asked: Lines, length: int, read: Read, times: Times, index: Index | None) -> Found | None:
    """Where those lines of a log of so many bytes are; None: it takes an index to tell. Waits for the disk."""
    place, offset = length, asked.offset
    if asked.moment is not None:
        offset = times.offset_at(asked.moment)
    if asked.line is not None:
        if index is None:
            return None
        line_start = index.offset_of(asked.line, length, read)
        place = length if line_start is None else line_start  # None: it has not begun
    elif offset is not None and offset < length:
        start = _line_start(offset, length, read, index)
        if start is None:
            return None
        place = start
    if asked.count >= 0:
        part = Part(place, end_of_first(place, asked.count, length, read))
    else:
        part = Part(start_of_last(place, -asked.count, read), place)
    time = times.time_at(part.start)
    if index is None:
        return Found(part, None, None, None, time)
    lines = index.lines(length, read)
    first = index.newlines_before(part.start, read) + 1 if part.start < length else lines + 1
    return Found(part, first, lines, index.style_at(part.start, read), time)
