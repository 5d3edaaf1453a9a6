"""Answers with groups and problems, which the scanner process collects from a log's lines.

    /groups/{token}[/{name}]      which lines belong together
    /problems/{token}[/{name}]    errors and warnings

Both are answered in pages of JSON. Problems may also be streamed as lines of JSON, and followed. `lines` finds groups and problems.
"""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial

from livelog.errors import DiskError, ScanError
from livelog.lines.collecting import LEVELS
from livelog.lines.service import Found, Indexes, LogIndexer, Page
from livelog.log.source import Source
from livelog.wire.body_writer import BodyWriter
from livelog.wire.exchange import Exchange
from livelog.wire.fields import whole_number
from livelog.wire.link import unless_lost
from livelog.wire.request import Request
from livelog.wire.response import Response

from . import problems
from .answers import READERS_HEADERS, form, pieces_answer, stream_headers

MAX_ON_PAGE = 10_000

FORMS = {"json": "application/json", "ndjson": "application/x-ndjson"}
"""The forms of answers with problems."""

STEP = 0.1
"""Seconds between two checks whether the client has closed its sending side. One that has gets what was found by then."""

LOOKING = 1.0
"""Seconds for which an answer waits until the whole log was scanned."""

AT_ONCE = 1000
"""Problems in one page of a stream."""

REST = 0.25
"""Seconds between two scans of a growing log, and after which a problem is sent although more lines may belong to it."""


class CollectedAnswers:
    """The answers. `indexes`: what is known of the lines of logs."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes

    async def groups(self, exchange: Exchange, journal: Source) -> Response:
        """A page of groups. Raises: RequestError, ScanError, DiskError."""
        return await self._page("groups", b'{"groups": [', _page(exchange.request), exchange, journal)

    async def problems(self, exchange: Exchange, journal: Source) -> Response:
        """A page of problems, or all of them one by one. Raises: RequestError, ScanError, DiskError."""
        request = exchange.request
        page = _page(request)._replace(level=_level(request))
        follow = request.query.get("follow") == "1"
        if form(request, FORMS) == "json" and not follow:
            return await self._page("problems", b'{"problems": [', page, exchange, journal)
        limit = page.limit if "limit" in request.query else None
        headers = stream_headers(journal, "application/x-ndjson")
        return pieces_answer(journal, headers, partial(self._stream_problems, journal, page, limit, follow))

    async def _page(self, what: str, head: bytes, page: Page, exchange: Exchange, journal: Source) -> Response:
        connection, loop = exchange.connection, asyncio.get_running_loop()
        with self._indexes.use(journal) as indexer:
            async with unless_lost(connection):
                deadline, before = loop.time() + LOOKING, -1
                while True:
                    patience = 0.0 if connection.ended else min(STEP, deadline - loop.time())
                    found = await indexer.page(what, page, patience)
                    if connection.ended or loop.time() > deadline or not before < found.scanned < journal.length:
                        break
                    before = found.scanned
        headers = {
            **READERS_HEADERS, "Cache-Control": "no-store", "Content-Type": "application/json; charset=utf-8", "ETag": journal.etag,
            "Livelog-State": found.state.value,
        }  # fmt: skip
        return Response(200, headers, b"%b%b], %b\n" % (head, found.items.replace(b"\n", b", "), found.about))

    async def _stream_problems(
        self, journal: Source, page: Page, limit: int | None, follow: bool, _writer: BodyWriter
    ) -> AsyncGenerator[bytes, None]:
        """Stream problems, each as soon as it has all its lines, or the log was silent for `REST`."""
        with self._indexes.use(journal) as indexer:
            try:
                async for piece in _problems(indexer, journal, page, limit, follow=follow):
                    yield piece
            except (ScanError, DiskError):
                yield b'{"done": true, "counts": null, "next": null, "error": "the lines of this log cannot be looked at now: ask again"}\n'


async def _problems(
    indexer: LogIndexer, journal: Source, page: Page, limit: int | None, *, follow: bool
) -> AsyncGenerator[bytes, None]:
    """As `CollectedAnswers._stream_problems`. Raises: ScanError, DiskError.

    A problem that may get more lines is sent at the end, or after `REST` seconds of silence. If it gets more lines after that, it is sent again.
    """
    stop, changed, sent = journal.length, asyncio.Event(), set[bytes]()
    count, scanned = 0, -1
    journal.watchers.add(changed.set)
    try:
        while True:
            changed.clear()
            at_end = journal.at_end
            room = AT_ONCE if limit is None else min(AT_ONCE, limit - count)
            found = await indexer.page("problems", page._replace(settled=True, limit=room), STEP)
            page = page._replace(skip=found.following or 0)
            items, sent = _new(found, sent), sent.difference(found.items.split(b"\n"))
            count += len(items)
            if items:
                yield b"".join(items)
            if count == limit:
                yield b'{"done": true, ' + found.about + b"\n"
                return
            is_behind = found.scanned < (found.length if follow else min(stop, found.length))
            if len(items) == room or (is_behind and found.scanned > scanned):
                scanned = found.scanned
                continue
            if follow and not at_end:
                await asyncio.sleep(REST)
                if changed.is_set():
                    continue
            found = await indexer.page("problems", page, STEP)
            items = _new(found, sent)
            sent.update(item.removesuffix(b"\n") for item in items)
            if items:
                yield b"".join(items)
            if not follow or at_end:
                stopped = b"" if not follow or found.state.ended else b'"error": "the server is stopping: ask again", '
                yield b'{"done": true, ' + stopped + found.about + b"\n"
                return
            await changed.wait()
    finally:
        journal.watchers.discard(changed.set)


def _new(found: Found, sent: set[bytes]) -> list[bytes]:
    """The lines of a page that are not in `sent`."""
    return [item + b"\n" for item in found.items.split(b"\n") if item and item not in sent]


def _page(request: Request) -> Page:
    """The page that a request asks for. Raises: RequestError."""
    query, usual = request.query, {"from": "0", "to": "9" * 18, "skip": "0", "limit": str(MAX_ON_PAGE)}
    first, last, skip, limit = (whole_number(name, query.get(name, usual[name])) for name in usual)
    if not limit:
        raise problems.NOT_ABOVE_0.error(parameter="limit")
    return Page(first, last, skip, min(limit, MAX_ON_PAGE))


def _level(request: Request) -> str:
    """The levels of problems that a request asks for, joined with commas; empty: all. Raises: RequestError."""
    text = request.query.get("level", "")
    if any(level not in LEVELS for level in text.split(",")) and "level" in request.query:
        raise problems.NOT_A_LEVEL.error()
    return text
