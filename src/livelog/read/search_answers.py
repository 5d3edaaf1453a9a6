"""The HTTP interface of a search: its parameters and its answer.

    /search/{token}[/{name}]    the matches of a text, or lines with or without a match, as JSON or as `grep -n` writes them

`Readers` has checked the token, found the log and opened its file. `Searches` gives searches their turns.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping

from livelog.errors import ScanError, ScanRefused
from livelog.lines.encodings import encoding_of
from livelog.lines.query import Query
from livelog.lines.service import Indexes
from livelog.lines.workers import Scanners
from livelog.log.source import Source
from livelog.times import moment_of
from livelog.wire.exchange import Exchange
from livelog.wire.fields import whole_number
from livelog.wire.link import leaving, unless_lost
from livelog.wire.request import Request
from livelog.wire.response import Response

from . import problems
from .answers import form, pieces_answer, stream_headers
from .searches import Search, Searches

FIRST_WORD = 30.0
"""Seconds after which a search that could not begin is refused."""

FORMS = {"ndjson": "application/x-ndjson", "text": "text/plain"}
"""The content types of an answer, by the value of `as`."""

DEFAULT_HITS = 1000
"""The limit of hits of one answer, unless the client asks for another one."""

MAX_HITS = 10_000
"""The largest limit of a search by match."""

MAX_CONTEXT = 1000
"""The limit of lines of context before or behind a hit."""

MAX_TEXT = 1000
"""The limit of the text or pattern, in characters."""


class SearchAnswers:
    """Answers requests for searches. `indexes`: the numbers of lines; `scanners`: the processes that search."""

    def __init__(self, indexes: Indexes, scanners: Scanners) -> None:
        self._searches = Searches(indexes, scanners)

    async def close(self) -> None:
        """End the processes of searches that follow logs."""
        await self._searches.followers.close()

    def check(self, request: Request) -> None:
        """Check the parameters of a search, but not the pattern. Raises: RequestError, if they are wrong."""
        _query(request.query, 0, grep=False)

    async def check_pattern(self, request: Request) -> None:
        """Check the pattern of a search for which there is no log. Raises: RequestError, if it is wrong; ScanError."""
        query = _query(request.query, 0, grep=False)
        if query.regex:
            async with _refused():
                await self._searches.check(query)

    async def begin(self, request: Request, journal: Source, most: int, room: int) -> Search:
        """Begin a search of one of several logs, with at most `most` hits, in JSON with the log's name. Raises: as `answer`.

        After `room` bytes of output no further hit is returned.
        """
        query, info = _query(request.query, journal.length, grep=False), journal.info
        head = f'"name": {json.dumps(info.name)}, "generation": {json.dumps(info.generation)}, '
        query = query._replace(encoding=encoding_of(info.content_type), limit=most, room=room, head=head)
        return await self._begun(request, journal, query)

    async def answer(self, exchange: Exchange, journal: Source) -> Response:
        """Answer a search of one log. Raises: RequestError, ScanError, DiskError, ConnectionError."""
        connection, request = exchange.connection, exchange.request
        grep = form(request, FORMS) == "text"
        query = _query(request.query, journal.length, grep=grep)._replace(
            encoding=encoding_of(journal.info.content_type)
        )
        headers = stream_headers(journal, "text/plain; charset=utf-8" if grep else FORMS["ndjson"])
        with leaving(connection):
            async with unless_lost(connection):
                search = await self._begun(request, journal, query)
        return pieces_answer(journal, headers, search.output, search.close)

    async def _begun(self, request: Request, journal: Source, query: Query) -> Search:
        """A search that has begun, or waits for its turn with a checked pattern. Raises: RequestError, ScanError, DiskError."""
        async with _refused():
            search = await self._searches.admit(journal, query, waits=request.query.get("numbers") == "1")
            try:
                await search.begin()
            except BaseException:
                search.close()
                raise
            return search


@contextlib.asynccontextmanager
async def _refused() -> AsyncIterator[None]:
    """Turn the errors of a search that begins within the block into those of a request, and limit its duration to `FIRST_WORD`. Raises: RequestError, ScanError."""
    try:
        async with asyncio.timeout(FIRST_WORD):
            yield
    except ScanRefused as error:
        raise problems.NOT_A_PATTERN.error(reason=error) from error
    except ScanError as error:
        if error.excess:
            raise problems.PATTERN_TOO_HEAVY.error(reason=error) from error
        raise
    except TimeoutError as error:
        raise ScanError(f"the search could not begin within {FIRST_WORD:g} s, since the server is busy") from error


def _query(query: Mapping[str, str], length: int, *, grep: bool) -> Query:
    """The query that the parameters of a request describe. `length`: the log's length in bytes; `grep`: for text. Raises: RequestError."""
    text, errors = query.get("q", ""), query.get("errors") == "1"
    if not errors and (not text or len(text) > MAX_TEXT or "\n" in text):
        raise problems.NO_TEXT.error(most=MAX_TEXT)
    direction = query.get("dir", "forward" if grep or query.get("follow") == "1" else "back")
    if direction not in ("back", "forward"):
        raise problems.NOT_A_DIRECTION.error()
    forward, invert, live = direction == "forward", query.get("invert") == "1", query.get("follow") == "1"
    if live and not forward:
        raise problems.FOLLOWS_BACKWARDS.error()
    named = [name for name in ("context", "before", "after") if name in query]
    around = {name: min(whole_number(name, query[name]), MAX_CONTEXT) for name in named}
    by_line = grep or invert or bool(around) or query.get("lines") == "1"
    limit = whole_number("limit", query["limit"]) if "limit" in query else None if grep or live else DEFAULT_HITS
    if limit == 0:
        raise problems.NOT_ABOVE_0.error(parameter="limit")
    start = whole_number("from", query.get("from", "0" if forward else str(length)))
    context = around.get("context", 0)
    return Query(
        text=text, size=length, start=min(start, length), newlines=None, case=query.get("case") == "1",
        regex=query.get("regex") == "1" and not errors, errors=errors, forward=forward,
        limit=limit if by_line or live else min(limit or MAX_HITS, MAX_HITS), by_line=by_line, invert=invert,
        before=around.get("before", context), after=around.get("after", context), groups=bool(around), grep=grep,
        since=_moment("since", query["since"]) if "since" in query else None,
        until=_moment("until", query["until"]) if "until" in query else None, live=live, whole=live,
        numbered=query.get("numbers") != "0", plain=query.get("plain") == "1",
    )  # fmt: skip


def _moment(parameter: str, text: str) -> int:
    """The milliseconds since the epoch of a time in a parameter: see `times.moment_of`. Raises: RequestError."""
    try:
        return moment_of(text)
    except ValueError as error:
        raise problems.NOT_A_BEGIN.error(parameter=parameter) from error
