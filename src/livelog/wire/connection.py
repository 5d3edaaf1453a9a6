"""One HTTP/1.1 connection, from accept to close: its states, and what is received and sent in each of them.

    state    meaning                                  received bytes are           next state
    HEAD     a head is awaited, or is half there      the head                     ANSWER, LINGER, CLOSED
    ANSWER   a handler has the request                held                         BODY, STREAM, HEAD, LINGER, CLOSED
    BODY     its handler receives the body            the body                     ANSWER, CLOSED
    STREAM   the answer's body is being sent          held                         HEAD, LINGER, CLOSED
    LINGER   the last answer is out                   dropped, for a short time    CLOSED
    CLOSED   the transport is closed, or about to be  dropped                      -

The connection owns its transport until it is closed. Handlers and bodies use the connection, or the `BodyWriter` that it makes.
It knows neither what a request means nor other connections. Invariants:

1. `state` changes only as the table says.
2. Requests are answered one at a time, in order. Bytes behind a head are held until it is known whether they are its body or the next head.
3. A body that breaks off never ends as its framing says a whole one does.
4. No reset overtakes an answer: after the last answer, the connection reads and drops what a peer still sends (RFC 9112 section 9.6).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from enum import IntEnum

from livelog.errors import STOPPED, DiskError, RequestError

from . import problem, response
from .body_reader import BodyReader, Limit, Sink
from .body_writer import BodyWriter
from .exchange import Exchange, Owner
from .framing import decoder_for
from .head import HeadReader, parse_head
from .lingering import Lingering
from .link import Link
from .request import Request
from .response import Response
from .sockets import end_by_reset

REFUSAL_PATIENCE = 0.5
"""Seconds that a connection beyond the limit has to send a request before it gets its 503, and then to read it."""

LINGER = 2
"""Seconds that a peer which may still send has to read the last answer before the connection is closed."""

MAX_HELD = 256 * 1024
"""Bytes that are held in ANSWER; while there are more, the connection is not read."""

MAX_PIPELINED = 64 * 1024
"""Bytes of later requests that are held in STREAM; while there are more, the connection is not read."""

BROKE_OFF = "the producer's connection broke off"

logger = logging.getLogger(__name__)

State = IntEnum("State", "HEAD ANSWER BODY STREAM LINGER CLOSED")
"""The states of a connection: see the table above."""

TRANSITIONS = {
    State.HEAD: {State.ANSWER, State.LINGER, State.CLOSED},
    State.ANSWER: {State.BODY, State.STREAM, State.HEAD, State.LINGER, State.CLOSED},
    State.BODY: {State.ANSWER, State.CLOSED},
    State.STREAM: {State.HEAD, State.LINGER, State.CLOSED},
    State.LINGER: {State.CLOSED},
    State.CLOSED: set(),
}


class Connection(Link):
    """A connection. `refused`: it exceeds the limit of connections, so its only answer is 503."""

    __slots__ = (
        "_broken_body", "_head", "_held", "_lingering", "_owner", "_patience", "_reader", "_unread", "_writer", "refused", "since", "state",
    )  # fmt: skip

    def __init__(self, owner: "Owner[Connection]", *, refused: bool) -> None:
        super().__init__()
        self.state = State.HEAD
        self.since = 0.0
        """When the connection entered HEAD, in seconds on the event loop's clock."""
        self.refused = refused
        self._owner = owner
        self._head: HeadReader | None = None
        self._held = bytearray()
        self._unread = False  # whether bytes of the request's body may still arrive
        self._broken_body = False  # whether the body was refused, so that these bytes are dropped
        self._lingering: Lingering | None = None  # in LINGER
        self._patience: asyncio.TimerHandle | None = None  # of a connection that is refused, in HEAD
        self._reader: BodyReader | None = None
        self._writer: BodyWriter | None = None

    def _go(self, state: State) -> None:
        assert state in TRANSITIONS[self.state], (self.state, state)
        self.state = state

    # Its present state.

    @property
    def receiving(self) -> bool:
        """Whether a body is being received."""
        return self.state is State.BODY

    @property
    def stuck(self) -> bool:
        """Whether bytes wait for the peer to make room."""
        return self.blocked or (self._writer is not None and self._writer.stuck)

    @property
    def sent(self) -> int:
        """Bytes of streamed bodies that were sent by this connection, or are on their way, framing included."""
        return self.stats.sent + (self._writer.sent if self._writer is not None else 0)

    # Called by asyncio: see `asyncio.BufferedProtocol`.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        super().connection_made(transport)
        self.since = self.stats.began
        if self.refused:
            self._patience = asyncio.get_running_loop().call_later(
                REFUSAL_PATIENCE, self._refuse, problem.TOO_MANY_CONNECTIONS.error(problem.RETRY_AFTER)
            )
        self._owner.made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        for timed in (self._patience, self._lingering):
            if timed is not None:
                timed.cancel()
        if self.state is not State.CLOSED:
            self._go(State.CLOSED)
        super().connection_lost(exc)
        if self._reader is not None:
            self._reader.lost(ConnectionResetError(self.broken_by or BROKE_OFF))
        if self._writer is not None:
            self._writer.lost()  # the task that streams ends the connection
        else:
            self._owner.lost(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """See `asyncio.BufferedProtocol`: all connections of a port receive into one buffer."""
        return memoryview(self._owner.buffers.current) if self._reader is None else self._reader.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        if self._reader is not None:
            self._reader.buffer_updated(nbytes)
            return
        if self._lingering is not None:
            self._lingering.drop(nbytes)
            return
        data = bytes(memoryview(self._owner.buffers.current)[:nbytes])
        if self.state is State.HEAD:
            self._take(data)
        elif self.state is not State.CLOSED and not self._broken_body:
            self._held += data
            if len(self._held) > (MAX_PIPELINED if self.state is State.STREAM else MAX_HELD):
                self.pause()

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`: a request that is complete is answered even if its sender has ended its side."""
        self.ended = True
        if self._writer is None:
            return self.state is State.ANSWER and not self.waiting and self._is_plain
        self._writer.ended = True
        keeps = not self._writer.endless and self._is_plain
        if not keeps and self._writer.close_delimited:
            self.reset("")  # asyncio would close in an orderly way, which the peer could take for the end of the body
        return keeps

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        super().pause_writing()
        if self._writer is not None:
            self._writer.pause()

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        super().resume_writing()
        if self._writer is not None:
            self._writer.resume()

    # Bodies.

    async def receive(
        self, request: Request, sink: Sink, *, limit: Limit | None = None, on_written: Callable[[], None] | None = None
    ) -> None:
        """Receive the body of `request` into `sink`; see `BodyReader`.

        Raises: ConnectionError, if the connection is lost; RequestError, if the framing is wrong or the limit is exceeded; DiskError.
        """
        if not request.has_body:
            return
        decoder = decoder_for(request.content_length)
        reader = BodyReader(self, decoder, sink, self._owner.buffers, limit=limit, on_written=on_written)
        begin, self._held = self._held, bytearray()
        self._reader = reader
        if self.state is State.ANSWER:
            self._go(State.BODY)
            self.resume()
        if not begin and request.version >= (1, 1) and request.fields.get("Expect", "").lower() == "100-continue":
            self.inform(b"HTTP/1.1 100 Continue\r\n\r\n")
        rest = reader.feed(memoryview(begin))
        if self._unread and (self.ended or self.state is State.CLOSED):
            reader.lost(ConnectionResetError("the producer's connection ended before the body did"))
        elif not self._broken_body:
            self._held += rest
        await reader.end

    def body_ended(self, rest: bytes) -> None:
        """See `body_reader.Inflow`."""
        self._reader = None
        self._unread = False
        self._held = bytearray(rest)
        if self.state is State.BODY:
            self._go(State.ANSWER)

    def body_failed(self) -> None:
        """See `body_reader.Inflow`. What still arrives is read and dropped, so that the peer can read its answer."""
        self._reader = None
        self._broken_body = True
        if self.state is State.BODY:
            self._go(State.ANSWER)
            self.resume()

    # From one state to the next.

    def _take(self, data: bytes) -> None:
        """Process `data`, received in HEAD: a part of a head, or a head and bytes behind it."""
        reader = self._head = self._head or HeadReader()
        try:
            rest = reader.feed(data)
            if rest is None:
                return
            if self.refused:
                raise problem.TOO_MANY_CONNECTIONS.error(problem.RETRY_AFTER)
            request = parse_head(bytes(reader.data))
        except RequestError as error:
            self._refuse(error)
            return
        self._head = None
        self._held = bytearray(rest)
        self._unread = request.has_body
        self._go(State.ANSWER)
        self.stats.requests += 1
        exchange = Exchange(request, self)
        if rest or self._unread or self.blocked or (answer := self._owner.respond_now(exchange)) is None:
            self._owner.begin(self._answer(exchange))
            return
        keep = self._stays_open(request, answer)
        self._write_small(answer, request.method, request.version, keep=keep)
        self._finish(keep=keep)

    def _refuse(self, error: RequestError) -> None:
        """Answer a head that is no valid request with `error`, and close the connection after it."""
        reader = self._head or HeadReader()
        if self.is_open:
            self.stats.requests += 1
            answer = self._owner.refusal(error, reader.accept())
            self._write_small(answer, "HEAD" if reader.data.startswith(b"HEAD ") else "GET", (1, 1), keep=False)
            self._linger(REFUSAL_PATIENCE if self.refused else LINGER)

    async def _answer(self, exchange: Exchange) -> None:
        """Let the owner answer a request, and send the answer."""
        try:
            answer = await self._owner.respond(exchange)
        except ConnectionError:  # the peer is gone
            self._close()
            return
        except asyncio.CancelledError:
            self.stats.end = STOPPED
            self._close()
            raise
        done = answer.done
        try:
            request = exchange.request
            del exchange
            if self.state is not State.ANSWER:
                return
            keep = self._stays_open(request, answer)
            if answer.is_streamed and request.method != "HEAD":
                writer, stream = self._begin_stream(answer, request.version, keep=keep), answer.stream
                assert stream is not None
                del request, answer  # a stream may last for days: it should hold no memory but its own
                await self._stream(writer, stream, keep=keep)
                return
            self._write_small(answer, request.method, request.version, keep=keep)
        except Exception:
            logger.exception("an answer could not be sent")
            self.reset("an answer could not be sent")
            return
        finally:
            done()
        await self._drained()
        self._finish(keep=keep)

    def _stays_open(self, request: Request, answer: Response) -> bool:
        """Whether the connection stays open for another request after `answer`."""
        length = request.content_length
        if self._unread and not self._broken_body and answer.stream is None and length and length <= len(self._held):
            del self._held[:length]  # the whole unread body was received already
            self._unread = False
        framed = answer.length is not None or request.version >= (1, 1)
        return request.keep_alive and framed and not (self._unread or self.ended or self._owner.closing)

    def _write_small(self, answer: Response, method: str, version: tuple[int, int], *, keep: bool) -> None:
        """Send an answer whose body is in memory."""
        self.stats.answered(answer.status)
        data = response.head(answer, method=method, version=version, keep=keep)
        self.transport.write(data if method == "HEAD" else data + answer.body)

    def _begin_stream(self, answer: Response, version: tuple[int, int], *, keep: bool) -> BodyWriter:
        """Send the head of an answer whose body comes piece by piece."""
        data = response.head(answer, method="GET", version=version, keep=keep)
        close_delimited = answer.length is None and version < (1, 1)
        if close_delimited:
            # Set before the first byte is sent: should this process be killed, the kernel resets the connection, and the body does not look whole.
            end_by_reset(self.transport, True)
        self._go(State.STREAM)
        self.stats.answered(answer.status)
        self.transport.write(data)
        chunked = answer.length is None and not close_delimited
        self._writer = BodyWriter(self.transport, ended=self.ended, chunked=chunked, close_delimited=close_delimited)
        self.resume()  # so that the end of the peer's side is noticed
        return self._writer

    async def _stream(self, writer: BodyWriter, stream: Callable[[BodyWriter], Awaitable[None]], *, keep: bool) -> None:
        """Send the body of an answer whose head is out."""
        whole = False
        try:
            await stream(writer)
            await writer.drained()
            whole = True
        except ConnectionError as error:
            self.stats.end = self.broken_by or str(error)
        except asyncio.CancelledError:
            self.stats.end = STOPPED
            raise
        except Exception as error:  # a fault in a handler must break the body off, and be logged
            # The head is out. All that can be told is that this does not end well.
            logger.error("an answer was broken off: %s", error, exc_info=not isinstance(error, DiskError))
            self.stats.end = str(error)
            self.reset(str(error))
        finally:
            self.stats.sent += writer.sent
            self._writer = None
            if self._lost:
                self._owner.lost(self)
            elif whole:
                if writer.close_delimited:
                    end_by_reset(self.transport, False)
                self._finish(keep=keep)
            elif writer.close_delimited:
                self.reset(self.broken_by)
            else:
                self._close()

    def _finish(self, *, keep: bool) -> None:
        """An answer is out: go on with the next request, if there can be one."""
        if self.state is State.CLOSED:
            return
        if keep and not self.ended and not self._owner.closing:
            self._go(State.HEAD)
            self.since = asyncio.get_running_loop().time()
            self.resume()
            if held := bytes(self._held):
                self._held.clear()
                self._take(held)
        elif (self._unread or self._held) and not self.ended:
            self._linger(LINGER)
        else:
            self._close()

    def _linger(self, seconds: float) -> None:
        """Close this side, and read what the peer still sends; for `seconds` at most."""
        self._go(State.LINGER)
        self._held.clear()
        if self._patience is not None:
            self._patience.cancel()
        self._lingering = Lingering(self.transport, seconds, self._close)

    def _close(self) -> None:
        if self.state is not State.CLOSED:
            self._go(State.CLOSED)
        if not self.transport.is_closing():  # asyncio's TLS fails on a second call
            self.transport.close()

    def close(self) -> None:
        """Close the connection: in an orderly way if no request or answer is under way, else by a reset, so that none looks whole."""
        if self.state in (State.HEAD, State.LINGER):
            self._close()
        elif self.state is not State.CLOSED:
            self.reset(STOPPED)
