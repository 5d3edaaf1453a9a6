"""The search of all logs below a prefix, `/search/{token}/{prefix}/?q=`: one log after another, the newest first.

Each log is searched by itself, by `Searches`; its hits have its name. `Readers` has checked the token. Invariants:

1. At most one search of a request is under way, so a request has one turn at a time.
2. A request searches at most `MOST_LOGS` logs. It begins no further log after `MOST_SECONDS` or `limit` hits. Its `next` is the value of `older`
   with which the search continues.
3. After `MOST_BYTES` of an answer no further hit is returned, of the same log neither. What belongs to the last hit, its context, is still sent.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from functools import partial

from livelog.errors import DiskError, RequestError, ScanError
from livelog.lines.query import PROGRESS
from livelog.log.catalogue import Catalogue
from livelog.log.source import Source
from livelog.wire.body_writer import BodyWriter
from livelog.wire.exchange import Exchange
from livelog.wire.fields import whole_number
from livelog.wire.link import leaving, unless_lost
from livelog.wire.problem import RETRY_AFTER
from livelog.wire.response import Response

from . import problems
from .answers import form, stream_fields
from .listing import generation_of, place_behind
from .search_answers import DEFAULT_HITS, FORMS, MAX_HITS, SearchAnswers
from .searches import Search
from .selection import Selection

MOST_LOGS = 1000
"""The limit of logs that one request searches."""

MOST_SECONDS = 60.0
"""Seconds after which no further log is searched."""

MOST_BYTES = 16 * 1024 * 1024
"""Bytes of an answer after which no further hit is returned."""

MOST_HITS_OF_ONE = 1000
"""The limit of hits of one log. A log with more gets a line that says where a search of this log alone continues."""


class PrefixSearch:
    """Answers searches below a prefix. `searches`: makes the search of each log."""

    def __init__(self, catalogue: Catalogue, searches: SearchAnswers) -> None:
        self._catalogue = catalogue
        self._searches = searches

    async def answer(self, exchange: Exchange, prefix: str) -> Response:
        """Answer a search of all logs below `prefix`. Raises: RequestError, ScanError, DiskError, ConnectionError."""
        request = exchange.request
        form(request, {"ndjson": FORMS["ndjson"]})
        for parameter in ("follow", "from", "attempt", "generation"):
            if parameter in request.query and (parameter != "follow" or request.query["follow"] == "1"):
                raise problems.NOT_OF_MANY.error(parameter=parameter)
        limit = whole_number("limit", request.query.get("limit", str(DEFAULT_HITS)))
        if not limit:
            raise problems.NOT_ABOVE_0.error(parameter="limit")
        limit = min(limit, MAX_HITS)
        self._searches.check(request)
        selection, older = Selection.below(request, prefix), generation_of("older", request.query.get("older"))
        known = self._catalogue.known()
        logs = [
            log
            for log in known[0 if older is None else place_behind(known, older) :]
            if selection.takes(log.info, log.state, log.info.attributes)
        ]
        try:
            with leaving(exchange.connection):
                async with unless_lost(exchange.connection):
                    first = await self._begin(exchange, logs[0], limit, MOST_BYTES) if logs else None
                    if first is None:
                        await self._searches.check_pattern(request)
        except ScanError as error:
            raise problems.LINES_FAILED.error(RETRY_AFTER, reason=error) from error

        def done() -> None:
            if first is not None:
                first.close()
                logs[0].release()

        stream = partial(self._stream, exchange, logs, first, limit)
        return Response(200, stream_fields(FORMS["ndjson"]), stream=stream, done=done)

    async def _begin(self, exchange: Exchange, log: Source, most: int, room: int) -> Search | None:
        """Open the file of a log, and begin to search it for at most `most` hits; None: the log was removed meanwhile. `room`: as in `SearchAnswers.begin`.

        Raises: RequestError, ScanError, DiskError.
        """
        try:
            await log.open()
        except DiskError as error:
            if isinstance(error.cause, FileNotFoundError):
                return None
            raise
        try:
            return await self._searches.begin(exchange.request, log, min(most, MOST_HITS_OF_ONE), room)
        except BaseException:
            log.release()
            raise

    async def _stream(
        self, exchange: Exchange, logs: list[Source], first: Search | None, limit: int, writer: BodyWriter
    ) -> None:
        if writer.ended:
            raise ConnectionResetError("the peer has left")
        writer.endless = True
        async with unless_lost(writer), contextlib.aclosing(self._found(exchange, logs, first, limit, writer)) as found:
            async for text in found:
                writer.write(b"%x\r\n%b\r\n" % (len(text), text) if writer.chunked else text)
                await writer.drained()
                await asyncio.sleep(0)
        if writer.chunked:
            writer.write(b"0\r\n\r\n")

    async def _found(
        self, exchange: Exchange, logs: list[Source], first: Search | None, limit: int, writer: BodyWriter
    ) -> AsyncGenerator[bytes, None]:
        """Yield the output for each of these logs, and the last line."""
        loop = asyncio.get_running_loop()
        began = spoken = loop.time()
        hits, looked, room = 0, 0, MOST_BYTES
        for log in logs:
            is_enough = looked == MOST_LOGS or hits >= limit or room <= 0
            if is_enough or (looked and loop.time() - began > MOST_SECONDS):
                break
            looked += 1
            try:
                search = first if looked == 1 else await self._begin(exchange, log, limit - hits, room)
            except (RequestError, ScanError, DiskError) as error:
                yield _line({"done": True, "hits": None, "next": None, "error": str(error)})
                return
            if search is None:
                continue
            try:
                async with contextlib.aclosing(search.output(writer)) as output:
                    async for text in output:
                        found, count, end = _divide(text)
                        hits += count
                        room -= len(found)
                        if found:
                            yield found
                        if end is not None and (end.get("error") or end.get("next") is not None):
                            about = {"name": log.info.name, "generation": log.info.generation, "next": end["next"]}
                            rest = _line(about | {key: end[key] for key in ("error",) if key in end})
                            room -= len(rest)
                            yield rest
            finally:
                if looked > 1:
                    log.release()
            if loop.time() - spoken > PROGRESS:
                spoken = loop.time()
                yield _line({"searched": looked, "of": len(logs), "hits": hits})
        more = looked < len(logs)
        yield _line(
            {"done": True, "hits": hits, "logs": looked, "next": logs[looked - 1].info.generation if more else None}
        )


def _divide(text: bytes) -> tuple[bytes, int, dict[str, object] | None]:
    """The hits and lines in the output of a log's search, the number of hits, and the last line of the search, if `text` contains it."""
    found, hits, end = [], 0, None
    for line in text.splitlines(keepends=True):
        if line.startswith(b'{"done"'):
            end = json.loads(line)
        elif not line.startswith(b'{"scanned"'):
            found.append(line)
            hits += not line.endswith(b'"context": true}\n') and b', "numbers": [[' not in line
    return b"".join(found), hits, end


def _line(document: dict[str, object]) -> bytes:
    return json.dumps(document).encode() + b"\n"
