"""`/events/{token}[/{name}]`: a log as an event stream, which an `EventSource` follows.

`Readers` has checked the token, found the log, and opened its file. `read.sse` makes events of bytes; `read.event_fanout` makes those of
a growing log once for all its readers.

1. A client that has all text of an ended log gets the `end` event, also when it reconnects for that event only.
2. A client that has had `end` (its `Last-Event-ID` is that of the end) gets 204, after which an `EventSource` does not reconnect.
3. The log's final state is read after its last text event. If the log has not ended by then, the answer is broken off without `end`.
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
    """Answer one request, with one of `fanouts` if the log grows. Raises: RequestError."""
    request = exchange.request
    last = request.fields.get("Last-Event-ID")  # a browser that reconnects asks for the same URL with this field
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
    """The events for a client that has read another log of that name: it must begin again."""
    yield event("replaced", "0", {"generation": journal.info.generation})


async def _events_from(fanouts: Fanouts[EventFanout], journal: Source, start: int, writer: BodyWriter) -> None:
    """Send the events of a log from byte `start` to its end. Raises: ConnectionError, DiskError."""
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
