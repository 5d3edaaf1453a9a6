"""One side of the server: accepts connections, bounds them, and turns what handlers raise into answers.

aiohttp has a connection while heads are read and written. A body is not its business: a producer's is received
by whatever protocol the handler lends the transport to (`Connection.lend`), a log's is sent by an `Outlet`
(`Connection.stream`), which is all that a reader costs while it follows; then aiohttp has the connection back.

Refuses to decide what a request means. Invariants:

1. Whatever a handler raises becomes one answer and one log line with the same id; neither holds a secret.
   Each connection becomes one line when it is over.
2. aiohttp is given one head at a time: what follows a head is held until it is known whose it is.
3. Every connection is bounded: in number, in the time for a head, in the time its peer may accept nothing. Whoever comes
   too many is answered with 503, and waits to be accepted until there is room for that.
"""

import asyncio
import errno
import logging
import secrets
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from aiohttp import web

from .errors import DiskError, RequestError
from .outlet import Outlet, bytes_unacknowledged, end_by_reset, reset_connection
from .wire import problem
from .wire.head import HeadReader, answer_head
from .wire.lingering import Lingering
from .wire.problem import RETRY_AFTER

SPARE_CONNECTIONS = 64
"""Connections beyond the limit that are accepted at a time, to be told that there are too many."""

REFUSAL_PATIENCE = 0.5
"""Seconds that such a connection has to ask before it is told so all the same, and then to read that."""

ACCEPTED_AT_ONCE = 64
"""Connections accepted in one turn of the event loop."""

ACCEPT_PAUSE = 0.5
"""Seconds until connections are accepted again, after the system had no room for one."""

HANDSHAKE_TIMEOUT = 15
"""Seconds for a TLS handshake."""

LINGER = 2
"""Seconds that a peer whose body is not wanted has to read the answer before its connection is closed; also what
requests that were broken off have to end."""

MAX_HELD = 256 * 1024
"""Bytes that may arrive behind a head before its request is decided on."""

KEEPALIVE = ((getattr(socket, "TCP_KEEPIDLE", None), 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""A peer that vanished without a word is found after 60 + 4 * 15 seconds of silence."""

STOPPED = "the server stopped"
"""Why the server breaks off whatever is under way when it stops."""

LISTENER_FAILED = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP})
"""Errors of `accept` that do not pass: the socket does not listen any more."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Record:
    """What is told of a connection when it is over."""

    peer: str
    began: float
    requests: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    """How often each status was answered."""
    log: str | None = None
    """The name of the log that was asked for last."""
    received: int = 0
    """Bytes of logs that came from the peer."""
    sent: int = 0
    """Bytes of streamed bodies that went to the peer, framing included."""
    end: str = "closed"
    """How it ended, in words."""

    def answered(self, status: int) -> None:
        """Count an answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1


class Endpoint(web.Server):
    """Makes the connections of one port, called `name`, and answers their requests with `answer`.

    `headers` are on every error answer. `max_connections`: those beyond are told 503. `idle_timeout`: seconds for a
    head to arrive, and between requests. `stall_timeout`: seconds for a peer to accept a byte. `tls`: what https needs; None for http.
    """

    def __init__(
        self,
        name: str,
        answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        *,
        headers: Mapping[str, str],
        max_connections: int,
        idle_timeout: float,
        stall_timeout: float,
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(self._handle)
        self.refusals: Counter[str] = Counter()
        """How many requests were refused, by reason: a problem type, or what HTTP calls the status."""
        self._name = name
        self._sent = 0  # by streams that are over
        self._answer = answer
        self._headers = headers
        self._max_connections = max_connections
        self._idle_timeout = idle_timeout
        self._stall_timeout = stall_timeout
        self._tls = tls
        self._listening: list[socket.socket] = []
        self._crowded = False  # whether nobody is accepted until somebody has left
        self._shaking: dict[Connection, asyncio.Task[None]] = {}  # those that were accepted and are not `_open` yet
        self._open: set[Connection | Outlet | Lingering] = set()
        self._working: set[asyncio.Task[None]] = set()
        self._closing = False
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets an OSError if no connection can be accepted any more."""

    @property
    def open_connections(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def sent(self) -> int:
        """Bytes of streamed bodies so far, framing included."""
        return self._sent + sum(stream.sent for stream in self._open if isinstance(stream, Outlet))

    def listen(self, sockets: list[socket.socket]) -> None:
        """Accept connections on `sockets` until `close`."""
        for sock in sockets:
            sock.setblocking(False)
            asyncio.get_running_loop().add_reader(sock, self._accept, sock)
            self._listening.append(sock)

    def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(ACCEPTED_AT_ONCE):
            present = len(self._open) + len(self._shaking)
            if present >= self._max_connections + SPARE_CONNECTIONS:
                # Who is in the system's queue waits there: to be closed unanswered would be told as a broken network.
                self._crowded = True
                for other in self._listening:
                    loop.remove_reader(other)
                return
            try:
                sock, _address = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                loop.remove_reader(listening)
                if error.errno in LISTENER_FAILED:
                    if not self.failed.done():
                        self.failed.set_exception(error)
                    return
                # No file descriptors or memory left: whoever is connected goes on, whoever comes waits.
                logger.error("no connection can be accepted for %g s: %s", ACCEPT_PAUSE, error)
                loop.call_later(ACCEPT_PAUSE, self._accept_again, listening)
                return
            sock.setblocking(False)
            connection = self._connection(refused=present >= self._max_connections)
            task = self._shaking[connection] = loop.create_task(self._connect(sock, connection))
            task.add_done_callback(partial(self._connected, sock, connection))

    def _accept_again(self, listening: socket.socket) -> None:
        if not self._closing and not self._crowded:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _left(self) -> None:
        """A connection is gone: if others wait for its place, accept them."""
        if self._crowded and len(self._open) + len(self._shaking) < self._max_connections + SPARE_CONNECTIONS:
            self._crowded = False
            for listening in self._listening:
                self._accept_again(listening)

    async def _connect(self, sock: socket.socket, connection: "Connection") -> None:
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: connection,
            sock,
            ssl=self._tls,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT if self._tls else None,
            # asyncio cuts a TLS connection off this long after `close`, whatever is still on its way.
            ssl_shutdown_timeout=self._stall_timeout if self._tls else None,
        )
        logger.debug("a connection was made, %d are open", len(self._open))

    def _connected(self, sock: socket.socket, connection: "Connection", task: asyncio.Task[None]) -> None:
        """A connection was made, or was not."""
        self._shaking.pop(connection, None)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            sock.close()
            self._left()
        if isinstance(error, OSError):
            logger.debug("a connection was not made: %s", error)
        elif error is not None:
            logger.error("a connection was not made", exc_info=error)

    def _connection(self, *, refused: bool = False) -> "Connection":
        """A protocol for a connection; `refused`: all that it will get is 503."""
        return Connection(
            self,
            refused=refused,
            loop=asyncio.get_running_loop(),
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=self._idle_timeout,
            lingering_time=LINGER,
        )

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """See `aiohttp.web.Server`."""
        super().connection_made(handler, transport)
        assert isinstance(handler, Connection)
        if handler.record is None:
            host = (transport.get_extra_info("peername") or ("unknown",))[0]
            handler.record = Record(host, asyncio.get_running_loop().time())
        self._shaking.pop(handler, None)  # it counts once
        self._open.add(handler)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """See `aiohttp.web.Server`."""
        super().connection_lost(handler, exc)
        assert isinstance(handler, Connection)
        self._open.discard(handler)
        if handler.record is not None:
            if exc is not None or handler.broken_by:
                handler.record.end = handler.broken_by or str(exc)
            self._tell(handler.record)
            self._left()

    def _tell(self, record: Record) -> None:
        """Write the line of a connection that is over."""
        if not record.requests:
            return  # a port that was tried, a connection that was kept in case: of no interest to anybody
        fields = {
            "port": self._name, "peer": record.peer, "requests": record.requests,
            "statuses": ",".join(f"{status}" if count == 1 else f"{status}*{count}" for status, count in record.statuses.items()),
            "log": record.log, "received": record.received, "sent": record.sent,
            "seconds": asyncio.get_running_loop().time() - record.began, "end": record.end,
        }  # fmt: skip
        logger.info("connection ended", extra={"fields": fields})

    async def reap(self) -> None:
        """Reset, for ever, the connections for which bytes wait and whose peers accept none for the stall timeout."""
        loop, timeout = asyncio.get_running_loop(), self._stall_timeout
        stuck: dict[Connection | Outlet, tuple[int, float]] = {}
        while True:
            await asyncio.sleep(timeout / 4)
            now, before, stuck = loop.time(), stuck, {}
            for connection in tuple(self._open):
                if isinstance(connection, Lingering) or connection.transport is None or not connection.stuck:
                    continue
                try:
                    accepted = connection.sent - bytes_unacknowledged(connection.transport)
                except OSError:
                    continue  # closed just now
                then = before.get(connection)
                stuck[connection] = then if then is not None and then[0] == accepted else (accepted, now)
                if now - stuck[connection][1] >= timeout:
                    logger.info("a connection is reset: its peer accepted no byte for %g s", timeout)
                    connection.reset(f"the peer accepted no byte for {timeout:g} s")

    def stop_listening(self) -> None:
        """Accept no more connections, not even those that are in a handshake, and end those that ask for nothing."""
        self._closing = True
        for listening in self._listening:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self._listening.clear()
        for task in tuple(self._shaking.values()):
            task.cancel()
        self.pre_shutdown()

    async def close(self, timeout: float) -> None:
        """Accept no more, let answers end for `timeout` seconds, then break them off."""
        self.stop_listening()
        if self._shaking:
            await asyncio.wait(self._shaking.values())
        if self._working and timeout > 0:
            await asyncio.wait(self._working, timeout=timeout)
        for connection in tuple(self._open):
            if connection.transport is None:
                continue
            if not isinstance(connection, Lingering) and (isinstance(connection, Outlet) or connection.working):
                connection.reset(STOPPED)  # what is not whole must not seem to be
            else:
                connection.transport.close()
        if self._working:
            await asyncio.wait(self._working, timeout=LINGER)
        await self.shutdown(LINGER)

    def stream(
        self, request: web.BaseRequest, body: Callable[[Outlet], Awaitable[None]], response: web.StreamResponse
    ) -> None:
        """Have `body` send the body of `response`, the answer to `request`, whose head is out.

        The connection is taken out of aiohttp's hands. Raises: ConnectionError.
        """
        connection = Connection.of(request)
        record = connection.record
        assert record is not None
        connection.record = None
        try:
            outlet = connection.detach()
        except ConnectionError:
            connection.record = record
            raise
        self._open.add(outlet)
        # What follows a request with a body is that body, not a request: such a connection is not used again.
        keep_alive = bool(response.keep_alive) and request.content.is_eof()
        outlet.close_delimited = not response.chunked and response.content_length is None
        task = asyncio.create_task(self._stream(outlet, body, record, keep_alive))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _stream(
        self, outlet: Outlet, body: Callable[[Outlet], Awaitable[None]], record: Record, keep_alive: bool
    ) -> None:
        whole = False
        try:
            await body(outlet)
            await outlet.drained()
            whole = True
        except ConnectionError as error:
            record.end = outlet.broken_by or str(error)
        except asyncio.CancelledError:
            record.end = STOPPED
            raise
        except Exception as error:  # whatever it is, it must not end silently
            # The head is out. All that can be told is that this does not end well.
            logger.error("an answer was broken off: %s", error, exc_info=not isinstance(error, DiskError))
            record.end = str(error)
            outlet.reset(str(error))
        finally:
            self._open.discard(outlet)
            self._sent += outlet.sent
            record.sent += outlet.sent
            transport = outlet.transport
            if whole and keep_alive and transport is not None and not (outlet.ended or self._closing):
                self._renew(transport, outlet.held, record)
            else:
                if transport is not None:
                    _end_answer(outlet, transport, whole=whole)
                self._tell(record)
                self._left()

    def _renew(self, transport: asyncio.Transport, held: bytes, record: Record) -> None:
        """Give a connection back to aiohttp, for the next request."""
        connection = self._connection()
        connection.record = record
        transport.set_protocol(connection)
        connection.connection_made(transport)
        transport.resume_reading()
        if held:
            connection.data_received(held)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection, task = request.protocol, asyncio.current_task()
        assert isinstance(connection, Connection) and connection.record is not None and task is not None
        record = connection.record
        record.requests += 1
        self._working.add(task)
        try:
            response = await self._respond(request, connection)
            record.answered(response.status)
            connection.answered(request, response)
            return response
        finally:
            self._working.discard(task)

    async def _respond(self, request: web.BaseRequest, connection: "Connection") -> web.StreamResponse:
        try:
            return await self._answer(request)
        except RequestError as error:
            return self.refusal(request, error)
        except DiskError as failure:
            return self.refusal(request, failure)
        except ConnectionError:
            raise
        except Exception as fault:  # noqa: BLE001  # whatever it is, it becomes an answer and a log line
            return self.refusal(request, fault)

    def refusal(self, request: web.BaseRequest, error: Exception) -> web.Response:
        """The answer that tells of `error`: one line of text, or a problem document (RFC 9457) where asked for."""
        answer, headers = self.report(error, request.headers.get("Accept", ""))
        response = web.Response(
            status=answer.status, text=answer.body, content_type=answer.content_type, headers=headers
        )
        if answer.status == 501:
            response.force_close()  # where the body of such a request ends is unknown
        return response

    def report(self, error: Exception, accept: str) -> tuple[problem.Answer, dict[str, str]]:
        """Count and log `error`. Returns what it is answered with, and the header fields of that. See `problem.answer`."""
        error_id, trace = secrets.token_hex(4), None
        if isinstance(error, DiskError):
            told = _told_of_disk(error)
        elif isinstance(error, RequestError):
            told = error
        else:
            told, trace = problem.FAILED.error(id=error_id), error
        level = _level(told.status)
        if trace is not None:
            logger.log(level, "error %s: %d a fault of the server", error_id, told.status, exc_info=trace)
        else:
            logger.log(level, "error %s: %d %s", error_id, told.status, told)
        answer = problem.answer(told, accept)
        self.refusals[answer.kind] += 1
        return answer, {**self._headers, **told.headers, "Livelog-Error": error_id}

    def refuse(self, connection: "Connection", error: RequestError, *, accept: str, head_only: bool) -> None:
        """Answer with `error` what is no request to be handled, and end that connection, without a reset if possible.

        `head_only`: the request's method is HEAD.
        """
        answer, fields = self.report(error, accept)
        content = answer.body.encode()
        fields |= {
            "Connection": "close", "Content-Length": str(len(content)), "Content-Type": f"{answer.content_type}; charset=utf-8",
        }  # fmt: skip
        record = connection.record
        assert record is not None
        connection.record = None
        record.requests += 1
        record.answered(answer.status)

        def closed(lingering: Lingering) -> None:
            self._open.discard(lingering)
            self._tell(record)
            self._left()

        try:
            transport = connection.release()
        except ConnectionError as gone:
            record.end = str(gone)
            self._tell(record)
            return
        head = answer_head(answer.status, fields)
        seconds = REFUSAL_PATIENCE if connection.refused else LINGER
        self._open.add(Lingering(transport, head if head_only else head + content, seconds, closed))


def _end_answer(outlet: Outlet, transport: asyncio.Transport, *, whole: bool) -> None:
    """End a connection behind an answer's body, which is `whole` or not."""
    if outlet.close_delimited and not whole:
        outlet.reset(outlet.broken_by)
        return
    if outlet.close_delimited:
        end_by_reset(transport, False)
    transport.close()


def _told_of_disk(error: DiskError) -> RequestError:
    """What a client is told of a disk that refused."""
    if error.passing:
        return problem.NO_DESCRIPTORS.error(RETRY_AFTER, operation=error.operation, cause=error.reason)
    kind = problem.DISK_FULL if error.full else problem.DISK_FAILED
    return kind.error(operation=error.operation, cause=error.reason)


def _too_many() -> RequestError:
    return problem.TOO_MANY_CONNECTIONS.error(RETRY_AFTER)


def _level(status: int) -> int:
    """How serious a refusal is to the operator: 500 and 507 are for him to mend, the other 5xx worth a look."""
    if status in (500, 507):
        return logging.ERROR
    return logging.WARNING if status >= 500 else logging.INFO


class Connection(web.RequestHandler):
    """aiohttp's part of a connection: heads, and small answers."""

    __slots__ = (
        "_fault", "_head", "_held", "_lent", "_patience", "_unwanted", "broken_by", "ended", "endpoint", "on_lost", "record",
        "refused", "waiting",
    )  # fmt: skip

    ended: bool
    """Whether the peer will send no more; it may still read."""
    waiting: bool
    """Whether the answer waits for something to happen: then a peer that ends its side is taken to leave."""
    refused: bool
    """Whether there are too many connections for this one to be served."""
    broken_by: str
    """Why the server broke the connection off, in words; empty if it did not."""
    on_lost: Callable[[], None] | None
    """Called when the connection is lost: see `unless_lost`."""
    record: Record | None
    """What will be told of it; None if that is somebody else's, before and after aiohttp has the connection."""

    sent = 0
    """Bytes that are on their way by other means than the transport's buffer: none."""

    def __init__(self, endpoint: Endpoint, *, refused: bool, **options: object) -> None:
        super().__init__(endpoint, **options)  # type: ignore[arg-type]  # passed through as aiohttp's server does
        self.endpoint = endpoint
        self._fault: RequestError | None = None  # of a head behind a request whose answer is not out yet
        self._head = HeadReader()
        self._held: bytearray | None = None  # what has come behind a head; None while a head is awaited
        self._lent = False  # a body was received past aiohttp, and aiohttp was not told of its end
        self._patience: asyncio.TimerHandle | None = None
        self._unwanted = False
        self.broken_by = ""
        self.ended = False
        self.on_lost = None
        self.record = None
        self.refused = refused
        self.waiting = False

    @property
    def working(self) -> bool:
        """Whether a request is being answered."""
        return self._held is not None

    @property
    def receiving(self) -> bool:
        """Whether a body is received past aiohttp."""
        return self._lent

    @property
    def received(self) -> int:
        """Bytes of logs that came by this connection."""
        return self.record.received if self.record is not None else 0

    @property
    def stuck(self) -> bool:
        """Whether bytes wait for the peer to make room."""
        return self.writing_paused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        assert isinstance(transport, asyncio.Transport)
        # Tell of the first byte that the socket does not take. (asyncio's TLS compares with >=, so not 0 there.)
        transport.set_write_buffer_limits(high=1 if transport.get_extra_info("sslcontext") else 0, low=0)
        sock = transport.get_extra_info("socket")
        for option, seconds in KEEPALIVE:
            if option is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, seconds)
        super().connection_made(transport)
        if self.refused:
            self._patience = asyncio.get_running_loop().call_later(REFUSAL_PATIENCE, self._refuse, _too_many())

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.BaseProtocol`."""
        if self._patience is not None:
            self._patience.cancel()
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._unwanted:
            return
        if self._held is not None:
            self._held += data
            if len(self._held) > MAX_HELD and self.transport is not None:
                self.transport.pause_reading()
            return
        try:
            rest = self._head.feed(data)
            if rest is None:
                return
            if self.refused:
                raise _too_many()
        except RequestError as error:
            self._refuse(error)
            return
        head, self._head = bytes(self._head.data), HeadReader()
        self._held = bytearray(rest)
        super().data_received(head)

    def _refuse(self, error: RequestError) -> None:
        """Answer what is no request to be handled, and end the connection."""
        self._unwanted = True
        if self._request_in_progress:  # the answer to the one before is not out yet
            self._fault = error
            super().data_received(b"\0")  # what no head may contain: aiohttp has it in order, see `handle_error`
            return
        head_only = self._head.data.startswith(b"HEAD ")
        self.endpoint.refuse(self, error, accept=self._head.accept(), head_only=head_only)

    def eof_received(self) -> bool:  # type: ignore[override]  # aiohttp's is declared to return nothing
        """See `asyncio.Protocol`: a request that is complete is answered even if its sender has ended its side."""
        self.ended = True
        return (
            self.working
            and not self.waiting
            and self.transport is not None
            and not self.transport.get_extra_info("sslcontext")
        )

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """See `aiohttp.web.RequestHandler`: the answer to what its parser refused."""
        if isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            raise ConnectionResetError("nobody can be answered") from exc
        # aiohttp's own message quotes the request, and so maybe a token.
        response = self.endpoint.refusal(request, self._fault or problem.MALFORMED.error())
        response.force_close()
        if self.record is not None:  # what is no request does not come by `Endpoint`
            self.record.requests += 1
            self.record.answered(response.status)
        return response

    def reset(self, reason: str) -> None:
        """Break the connection off by a reset, for that `reason`."""
        self.broken_by = reason
        if self.transport is not None:
            reset_connection(self.transport)

    def note_log(self, name: str) -> None:
        """Tell, when the connection is over, that the log of that name was asked for."""
        if self.record is not None:
            self.record.log = name

    def note_received(self, size: int) -> None:
        """Tell, when the connection is over, of `size` more bytes of a log that came by it."""
        if self.record is not None:
            self.record.received += size

    def answered(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """To be called when `request` has got its `response`: go on with the next one, if there can be one."""
        if self.transport is None:
            return
        held, length = bytes(self._held or b""), request.content_length
        if not self._lent and not request.content.is_eof() and length is not None and length <= len(held):
            super().data_received(held[:length])  # a body that nobody wanted is there already
            held = held[length:]
        if self.ended:
            response.force_close()
        elif request.content.is_eof() and not self._unwanted:
            self._held = None
            self.transport.resume_reading()
            if held:
                self.data_received(held)
        else:
            response.force_close()
            self.discard()

    def discard(self) -> None:
        """Read what still comes, so that the peer gets to read its answer, and drop it."""
        self._unwanted = True
        self._held = None
        if self.transport is not None:
            self.transport.set_protocol(self)
            self.transport.resume_reading()

    def lend(self, borrower: asyncio.BaseProtocol) -> bytes:
        """Let `borrower`, instead of aiohttp, receive what comes: the body of a request.

        It gives the transport back by `set_protocol` and then `resume`, and passes `connection_lost`, `pause_writing`
        and `resume_writing` on.

        Returns what has come already. That is all there will be if the peer has `ended` or the `transport` is None.
        """
        held, self._held, self._lent = bytes(self._held or b""), bytearray(), True
        if self.transport is not None:
            self.transport.set_protocol(borrower)
            self.transport.resume_reading()
        return held

    def resume(self, skeleton: bytes, rest: bytes) -> None:
        """Go on after a body that was received past aiohttp. `rest` came behind it.

        aiohttp is shown `skeleton` instead: a body of nothing in the same framing.
        """
        self._held, self._lent = bytearray(rest), False
        super().data_received(skeleton)

    def detach(self) -> Outlet:
        """Take the connection out of aiohttp's hands: to it, the peer has gone. Raises: ConnectionError."""
        held, ended = bytes(self._held or b""), self.ended
        transport = self.release()
        outlet = Outlet(transport, held, ended=ended)
        transport.resume_reading()
        return outlet

    def release(self) -> asyncio.Transport:
        """Take the transport out of aiohttp's hands: to it, the peer has gone. Raises: ConnectionError."""
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the peer is gone")
        self.transport = None
        self.connection_lost(None)
        return transport

    @classmethod
    def of(cls, request: web.BaseRequest) -> Self:
        """The connection that `request` came by."""
        connection = request.protocol
        assert isinstance(connection, cls)
        return connection
