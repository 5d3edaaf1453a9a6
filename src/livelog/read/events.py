"""`/events/{token}[/{name}]`: a log as an event stream, which an `EventSource` follows.

Refuses to know who may read: `Readers` has found the log, and has its file open. How bytes become events is in `read.sse`;
those of a log that grows are made once for all who follow it, in `read.event_fanout`.

1. Whoever has all of an ended log's text is told how it ended, by `end`, also when coming back with only that missing.
2. 204, which ends an `EventSource` for good, is the answer to one that was told: `Last-Event-ID` is that of the end.
3. What is known of the log's end is read when its events are over: an answer that is broken off was not about an ended log.
"""

from collections.abc import AsyncGenerator
from functools import partial

from livelog.errors import STOPPED
from livelog.log.source import Source
from livelog.wire.body_writer import BodyWriter
from livelog.wire.exchange import Exchange
from livelog.wire.fields import whole_number
from livelog.wire.link import unless_lost
from livelog.wire.response import Response

from .answers import pieces_answer, stream_headers
from .event_fanout import EventFanout
from .fanout import Fanouts
from .sse import end_event, end_id, event


async def answer_events(fanouts: Fanouts[EventFanout], exchange: Exchange, journal: Source) -> Response:
    """Answer one request, out of one of `fanouts`. Raises: RequestError."""
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
    if is_another:
        return pieces_answer(journal, headers, partial(_replaced, journal))
    await journal.open_times()
    journal.acquire()
    stream = partial(_events_from, fanouts, journal, start)
    return Response(200, headers, stream=stream, done=journal.release)


async def _replaced(journal: Source, _: BodyWriter) -> AsyncGenerator[bytes, None]:
    """What a client gets that knows of another log than this one."""
    yield event("replaced", "0", {"generation": journal.info.generation})


async def _events_from(fanouts: Fanouts[EventFanout], journal: Source, start: int, writer: BodyWriter) -> None:
    """The events of a log from byte `start` on, to its end. Raises: ConnectionError, DiskError."""
    if writer.ended:
        raise ConnectionResetError("the peer has left")
    writer.endless = True
    async with unless_lost(writer):
        with fanouts.use(journal) as fanout:
            await fanout.follow(writer, start, chunked=writer.chunked)
        if not journal.state.ended:
            raise ConnectionAbortedError(STOPPED)
        last = end_event(journal.state.value, journal.length)
        writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(last), last) if writer.chunked else last)
        await writer.drained()
