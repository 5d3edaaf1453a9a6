"""`/events/{token}[/{name}]`: a log as an event stream, which an `EventSource` follows.

Refuses to know who may read: `Readers` has found the log, and has its file open. How bytes become events is in `read.sse`.

1. Whoever has all of an ended log's text is told how it ended, by `end`, also when coming back with only that missing.
2. 204, which ends an `EventSource` for good, is the answer to one that was told: `Last-Event-ID` is that of the end.
3. What is known of the log is read anew behind each `await`: an answer that is broken off was not about an ended log.
"""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial

from livelog.errors import STOPPED
from livelog.log.source import Source
from livelog.wire.body_writer import BodyWriter
from livelog.wire.exchange import Exchange
from livelog.wire.fields import whole_number
from livelog.wire.response import Response

from .answers import pieces_answer, stream_headers
from .sse import MAX_EVENT, end_event, end_id, event, text_event, whole_characters

KEEP_ALIVE = 15.0
"""Seconds without an event after which there is a comment."""


async def answer_events(exchange: Exchange, journal: Source) -> Response:
    """Answer one request. Raises: RequestError."""
    request = exchange.request
    last = request.fields.get("Last-Event-ID")  # of a browser that comes back: it asks for the same URL
    if last is None:
        start = whole_number("from", request.query.get("from", "0"))
    else:
        start = whole_number("Last-Event-ID", last)
    known = request.query.get("generation", journal.info.generation)
    is_another = known != journal.info.generation or start > journal.length
    headers = stream_headers(journal, "text/event-stream")
    if journal.state.ended and last == end_id(journal.length) and not is_another:
        return Response(204, headers)
    pieces = _replaced if is_another else partial(_events_from, start)
    return pieces_answer(journal, headers, partial(pieces, journal))


async def _replaced(journal: Source, _: BodyWriter) -> AsyncGenerator[bytes, None]:
    """What a client gets that knows of another log than this one."""
    yield event("replaced", "0", {"generation": journal.info.generation})


async def _events_from(start: int, journal: Source, writer: BodyWriter) -> AsyncGenerator[bytes, None]:
    """The events of a log from byte `start` on, to its end. Raises: ConnectionError, DiskError."""
    changed, state = asyncio.Event(), None
    journal.watchers.add(changed.set)
    writer.on_blocked = lambda _: changed.set()
    try:
        while True:
            changed.clear()
            writer.check()
            before, state, length = state, journal.state, journal.length
            if state is not before and not state.ended:
                yield event("state", str(start), {"state": state.value, "size": length})
            while start < length:
                stop = min(length, start + MAX_EVENT)
                data = journal.read(start, stop) if journal.is_cached(start, stop) else await journal.fetch(start, stop)
                count = len(data) if state.ended and stop == length else whole_characters(data)
                if not count:
                    break
                yield text_event(start, data[:count])
                start += count
            if state.ended:
                yield end_event(state.value, length)
                return
            if changed.is_set():
                continue  # there may be more bytes, or the end, since `state` and `length` were read
            if journal.at_end:
                raise ConnectionAbortedError(STOPPED)
            try:
                async with asyncio.timeout(KEEP_ALIVE):
                    await changed.wait()
            except TimeoutError:
                yield b":\n\n"
    finally:
        writer.on_blocked = None
        journal.watchers.discard(changed.set)
