"""`/lines/{token}[/{name}]`: some lines of a log: as their bytes, and where they are; as lines of JSON; or as text.

Bytes are one answer of known length, with header fields that say which lines they are. JSON and text are streams: a scanner process makes them
piece by piece, in turns, so that neither the event loop nor other requests wait for a large log or a slow client. `read.line_places` parses
which lines are asked for.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import NamedTuple

from livelog.errors import DiskError, ScanError
from livelog.lines.encodings import encoding_of
from livelog.lines.index import BLOCK, Index
from livelog.lines.lines import Read, end_of_first, start_of_last
from livelog.lines.objects import Lines
from livelog.lines.service import INDEX_PATIENCE, Indexes, LogIndexer
from livelog.log.source import Source
from livelog.times import Times, timestamp
from livelog.wire.body_writer import BodyWriter
from livelog.wire.exchange import Channel, Exchange
from livelog.wire.link import leaving, unless_lost
from livelog.wire.problem import RETRY_AFTER
from livelog.wire.ranges import Part
from livelog.wire.response import Response

from . import problems
from .answers import READERS_HEADERS, form, parts_answer, pieces_answer, stream_headers
from .line_places import Asked, Places, asked

NEW = 1024 * 1024
"""If at most this many bytes are not indexed yet, an answer includes them."""

LEAVING = 1.0
"""Seconds that an answer waits for an index if the client has closed its sending side, and may have left."""

FORMS: Mapping[str, str] = {
    "bytes": "application/octet-stream", "ndjson": "application/x-ndjson", "text": "text/plain; charset=utf-8"
}  # fmt: skip


class Found(NamedTuple):
    """The lines found. A member that needs an index is None if there is none yet."""

    part: Part
    first: int | None
    lines: int | None
    style: str | None
    time: int
    """The arrival time of the first byte, in milliseconds since the epoch."""


class LineAnswers:
    """Answers requests for lines. `indexes`: the line numbers, and the turns of the scanner."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes

    async def answer(self, exchange: Exchange, journal: Source) -> Response:
        """Answer one request. Raises: RequestError, ScanError, DiskError."""
        request = exchange.request
        plain = request.query.get("plain") == "1"
        wanted = form(request, FORMS)
        if plain and wanted == "bytes":
            wanted = "text"
        which = asked(request.query, whole=wanted != "bytes")
        await journal.open_times()
        with self._indexes.use(journal) as indexer:
            if wanted == "bytes":
                return await self._bytes(exchange, journal, indexer, which)
            return await self._stream(exchange, journal, indexer, which, plain=plain, is_text=wanted == "text")

    async def _bytes(self, exchange: Exchange, journal: Source, indexer: LogIndexer, which: Asked) -> Response:
        found, length, state = None, journal.length, journal.state
        if which.place.line is None and which.until.line is None:
            index = indexer.index if await indexer.soon(INDEX_PATIENCE) else None
            length, state = journal.length, journal.state
            found = await journal.run(partial(_find, which, length, journal.read, journal.times(), index))
            if index is None and found is not None:
                want(exchange.connection, indexer)
        if found is None:
            await _wait(exchange.connection, indexer)
            if journal.length < indexer.index.blocks * BLOCK + NEW:
                length, state = journal.length, journal.state
            found = await journal.run(partial(_find, which, length, journal.read, journal.times(), indexer.index))
        assert found is not None
        headers = {
            **READERS_HEADERS,
            "Cache-Control": "no-store",
            "Content-Type": FORMS["bytes"],
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

    async def _stream(
        self, exchange: Exchange, journal: Source, indexer: LogIndexer, which: Asked, *, plain: bool, is_text: bool
    ) -> Response:
        length, found = journal.length, None
        encoding = encoding_of(journal.info.content_type)
        if (
            is_text
            and which.place.line is None
            and which.until.line is None
            and (which.count is None or which.count >= 0)
        ):
            found = await journal.run(partial(_interval, which, length, journal.read, journal.times(), None))
        if found is None:
            await _wait(exchange.connection, indexer)
            if journal.length < indexer.index.blocks * BLOCK + NEW:
                length = journal.length
            found = await journal.run(partial(_interval, which, length, journal.read, journal.times(), indexer.index))
        assert found is not None
        start, stop, line, count = found
        lines = Lines(start, stop, length, None if is_text else line, count, plain, encoding)
        headers = stream_headers(journal, FORMS["text" if is_text else "ndjson"])
        headers |= {"Livelog-Offset": str(start), "Livelog-Size": str(length)}
        return pieces_answer(journal, headers, partial(self._pieces, journal, lines))

    async def _pieces(self, journal: Source, lines: Lines, _writer: BodyWriter) -> AsyncGenerator[bytes, None]:
        """Yields the text of the lines piece by piece, others have their turn in between. In JSON, a failure is the last line."""
        left: Lines | None = lines
        try:
            with self._indexes.use(journal) as indexer:
                while left is not None:
                    output, left = await indexer.render(left)
                    if output:
                        yield output
        except (ScanError, DiskError) as error:
            if lines.line is None:
                raise  # text cannot show an error: the answer is broken off
            yield json.dumps({"done": True, "error": f"{error}: ask again"}).encode() + b"\n"


def want(connection: Channel, indexer: LogIndexer) -> None:
    """Keep making an index, since a client is told that there is none yet; unless the client has left."""
    if connection.is_open and not connection.ended:
        indexer.want()


async def _wait(connection: Channel, indexer: LogIndexer) -> None:
    """Wait for an index of the log's present blocks, or until the client leaves. Raises: ScanError, RequestError."""
    if connection.ended:
        if not await indexer.ready(LEAVING):
            raise problems.COUNTING.error(RETRY_AFTER)
        return
    if await indexer.ready(0.0):
        return
    with leaving(connection):
        async with unless_lost(connection):
            await indexer.ready()


def _find(which: Asked, length: int, read: Read, times: Times, index: Index | None) -> Found | None:
    """Find the lines in a log of `length` bytes; None: that needs an index. Waits for the disk."""
    places = Places(length, read, times, index)
    place, until = places.find(which.place), places.find(which.until)
    if place is None or until is None:
        return None
    place, count = min(place, until), which.count
    assert count is not None
    if count >= 0:
        part = Part(place, min(until, end_of_first(place, count, length, read)))
    else:
        part = Part(start_of_last(place, -count, read), place)
    time = times.time_at(part.start)
    if index is None:
        return Found(part, None, None, None, time)
    lines = index.lines(length, read)
    first = index.newlines_before(part.start, read) + 1 if part.start < length else lines + 1
    return Found(part, first, lines, index.style_at(part.start, read), time)


def _interval(
    which: Asked, length: int, read: Read, times: Times, index: Index | None
) -> tuple[int, int, int | None, int | None] | None:
    """Returns the interval of the lines (start, stop), the number of the first, and the largest number of lines; None: that needs an index."""
    places = Places(length, read, times, index)
    start, stop = places.find(which.place), places.find(which.until)
    if start is None or stop is None:
        return None
    start, count = min(start, stop), which.count
    if index is None:
        return start, stop, None, count
    line = index.newlines_before(start, read) + 1 if start < length else index.lines(length, read) + 1
    if count is not None and count < 0:
        line, stop, count = max(1, line + count), start, None
        found = index.offset_of(line, length, read)
        start = stop if found is None else min(found, stop)
    return start, stop, line, count
