"""What a search is asked for, and its answer over HTTP.

    /search/{token}[/{name}]    where a text is

Refuses to know who may ask: `Readers` has found the log, and has its file open; and how searches take turns: `Searches` does.
"""

import asyncio
from collections.abc import Mapping

from livelog.errors import ScanError, ScanRefused
from livelog.lines.encodings import encoding_of
from livelog.lines.matching import Query
from livelog.lines.service import Indexes
from livelog.lines.workers import Scanners
from livelog.log.source import Source
from livelog.wire.exchange import Exchange
from livelog.wire.fields import whole_number
from livelog.wire.link import leaving, unless_lost
from livelog.wire.problem import RETRY_AFTER
from livelog.wire.response import Response

from . import problems
from .answers import pieces_answer, stream_headers
from .searches import Search, Searches

FIRST_WORD = 30.0
"""Seconds that a client waits for its search to begin."""

DEFAULT_HITS = 1000

MAX_HITS = 10_000

MAX_TEXT = 1000
"""Characters to search for."""


class SearchAnswers:
    """Answers searches. `indexes` know the numbers of lines, `scanners` have the processes."""

    def __init__(self, indexes: Indexes, scanners: Scanners) -> None:
        self._searches = Searches(indexes, scanners)

    async def answer(self, exchange: Exchange, journal: Source) -> Response:
        """What a search finds. Raises: RequestError, ScanError, DiskError, ConnectionError."""
        connection, headers = exchange.connection, stream_headers(journal, "application/x-ndjson")
        query = _query(exchange.request.query, journal.length)._replace(encoding=encoding_of(journal.info.content_type))
        search: Search | None = None
        try:
            with leaving(connection):
                async with unless_lost(connection), asyncio.timeout(FIRST_WORD):
                    search = await self._searches.admit(journal, query)
                    await search.begin()
            return pieces_answer(journal, headers, search.tell, search.close)
        except BaseException as error:
            if search is not None:
                search.close()
            if isinstance(error, ScanRefused):
                raise problems.NOT_A_PATTERN.error(reason=error) from error
            if isinstance(error, ScanError) and error.excess:
                raise problems.PATTERN_TOO_HEAVY.error(reason=error) from error
            if isinstance(error, TimeoutError):
                raise problems.TOO_MANY_SEARCHES.error(RETRY_AFTER) from error
            raise


def _query(query: Mapping[str, str], length: int) -> Query:
    """What a request searches for. Raises: RequestError."""
    text, direction, errors = query.get("q", ""), query.get("dir", "back"), query.get("errors") == "1"
    if not errors and (not text or len(text) > MAX_TEXT or "\n" in text):
        raise problems.NO_TEXT.error(most=MAX_TEXT)
    if direction not in ("back", "forward"):
        raise problems.NOT_A_DIRECTION.error()
    limit = whole_number("limit", query.get("limit", str(DEFAULT_HITS)))
    if not limit:
        raise problems.NOT_ABOVE_0.error(parameter="limit")
    start = whole_number("from", query.get("from", "0" if direction == "forward" else str(length)))
    return Query(
        text=text, size=length, start=min(start, length), newlines=0, case=query.get("case") == "1",
        regex=query.get("regex") == "1" and not errors, errors=errors, forward=direction == "forward", limit=min(limit, MAX_HITS),
    )  # fmt: skip
