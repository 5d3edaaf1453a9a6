"""One side of the server: accepts connections, bounds them, and turns what handlers raise into answers.

aiohttp has a connection while heads are read and written. A body is not its business: a producer's is received
by whatever protocol the handler lends the transport to (`Connection.lend`), a log's is sent by an `Outlet`
(`Connection.stream`), which is all that a reader costs while it follows; then aiohttp has the connection back.

Refuses to decide what a request means. Invariants:

1. Whatever a handler raises becomes one answer and one log line with the same id; neither holds a secret.
   Each connection becomes one line when it is over.
2. aiohttp is given one head at a time: what follows a head is held until it is known whose it is.
3. Every connection is bounded: in number, in the time for a head, in the time its peer may accept nothing.
"""

import asyncio
import json
import logging
import secrets
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from .errors import DiskError, RequestError
from .outlet import Outlet, bytes_acknowledged, reset_connection

SPARE_CONNECTIONS = 64
"""Connections beyond the limit that are kept until they have asked, to be told that there are too many."""

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

MAX_HEAD = 64 * 1024
"""Bytes of a request's head. (aiohttp bounds lines and their number, which together would be a megabyte.)"""

WRONG_VERSION = b"HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

RETRY_AFTER = {"Retry-After": "1"}

PROBLEM_TYPES = "https://iana.org/assignments/http-problem-types#"
"""What the names of registered problem types begin with (RFC 9457 section 4.2)."""

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
        self._shaking: set[asyncio.Task[None]] = set()  # connections that are not `_open` yet
        self._open: set[Connection | Outlet] = set()
        self._working: set[asyncio.Task[None]] = set()
        self._closing = False

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
            try:
                sock, _address = listening.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                # No file descriptors or memory left: whoever is connected goes on, whoever comes waits.
                logger.error("no connection can be accepted for %g s: %s", ACCEPT_PAUSE, error)
                loop.remove_reader(listening)
                loop.call_later(ACCEPT_PAUSE, self._accept_again, listening)
                return
            sock.setblocking(False)
            if len(self._open) + len(self._shaking) >= self._max_connections + SPARE_CONNECTIONS:
                sock.close()
                continue
            task = loop.create_task(self._connect(sock))
            self._shaking.add(task)
            task.add_done_callback(self._shaking.discard)

    def _accept_again(self, listening: socket.socket) -> None:
        if not self._closing:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    async def _connect(self, sock: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self,
                sock,
                ssl=self._tls,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT if self._tls else None,
                # asyncio cuts a TLS connection off this long after `close`, whatever is still on its way.
                ssl_shutdown_timeout=self._stall_timeout if self._tls else None,
            )
            logger.debug("a connection was made, %d are open", len(self._open))
        except OSError as error:
            logger.debug("a connection was not made: %s", error)
            sock.close()

    def __call__(self) -> "Connection":
        """A protocol for a new connection; called by asyncio."""
        return Connection(
            self,
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
        self._open.add(handler)
        handler.refused = len(self._open) > self._max_connections

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """See `aiohttp.web.Server`."""
        super().connection_lost(handler, exc)
        assert isinstance(handler, Connection)
        self._open.discard(handler)
        if handler.record is not None:
            if exc is not None:
                handler.record.end = str(exc)
            self._tell(handler.record)

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
                transport = connection.transport
                if transport is None or not connection.stuck:
                    continue
                try:
                    accepted = bytes_acknowledged(transport)
                except OSError:
                    continue  # closed just now
                then = before.get(connection)
                stuck[connection] = then if then is not None and then[0] == accepted else (accepted, now)
                if now - stuck[connection][1] >= timeout:
                    logger.info("a connection is reset: its peer accepted no byte for %g s", timeout)
                    reset_connection(transport)

    async def close(self, timeout: float) -> None:
        """Accept no more, let answers end for `timeout` seconds, then break them off."""
        self._closing = True
        for listening in self._listening:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self.pre_shutdown()
        if self._working and timeout:
            await asyncio.wait(self._working, timeout=timeout)
        for connection in tuple(self._open):
            if connection.transport is None:
                continue
            if isinstance(connection, Outlet) or connection.working:
                reset_connection(connection.transport)  # what is not whole must not seem to be
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
        task = asyncio.create_task(self._stream(outlet, body, record, keep_alive))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _stream(
        self, outlet: Outlet, body: Callable[[Outlet], Awaitable[None]], record: Record, keep_alive: bool
    ) -> None:
        record.end = "the server stopped"
        try:
            await body(outlet)
            await outlet.drained()
            record.end = "closed"
        except ConnectionError as error:
            record.end = str(error)
        except Exception as error:  # whatever it is, it must not end silently
            # The head is out. All that can be told is that this does not end well.
            logger.error("an answer was broken off: %s", error, exc_info=not isinstance(error, DiskError))
            record.end = str(error)
            if outlet.transport is not None:
                reset_connection(outlet.transport)
        finally:
            self._open.discard(outlet)
            self._sent += outlet.sent
            record.sent += outlet.sent
            transport = outlet.transport
            if record.end == "closed" and keep_alive and transport is not None and not (outlet.ended or self._closing):
                self._renew(transport, outlet.held, record)
            else:
                if transport is not None and record.end != "the server stopped":  # then it is reset, not closed
                    transport.close()
                self._tell(record)

    def _renew(self, transport: asyncio.Transport, held: bytes, record: Record) -> None:
        """Give a connection back to aiohttp, for the next request."""
        connection = self()
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
        if request.version not in ((1, 0), (1, 1)) and connection.transport is not None:
            # aiohttp would answer in the version asked for, which nobody here speaks.
            connection.transport.write(WRONG_VERSION)
            connection.transport.close()
            if connection.record is not None:
                connection.record.answered(505)
            raise ConnectionAbortedError("the request's HTTP version is not supported")
        try:
            if connection.refused:
                response = self.refusal(
                    request, RequestError(503, "too many connections: try again later", RETRY_AFTER)
                )
                response.force_close()
                return response
            return await self._answer(request)
        except RequestError as refusal:
            return self.refusal(request, refusal)
        except DiskError as failure:
            if failure.passing:
                return self.refusal(request, RequestError(503, str(failure), RETRY_AFTER))
            return self.refusal(request, RequestError(507 if failure.full else 500, str(failure)))
        except ConnectionError:
            raise
        except Exception as fault:  # noqa: BLE001  # whatever it is, it becomes an answer and a log line
            return self.refusal(request, fault)

    def refusal(self, request: web.BaseRequest, error: Exception) -> web.Response:
        """The answer that tells of `error`: one line of text, or a problem document (RFC 9457) where asked for."""
        error_id = secrets.token_hex(4)
        headers: Mapping[str, str] = {}
        problem, members = "", {}
        if isinstance(error, RequestError):
            status, message, headers = error.status, str(error), error.headers
            problem, members = error.problem, error.members
            level = logging.ERROR if status in (500, 507) else logging.INFO  # ours to mend; the others are the client's
            logger.log(level, "error %s: %d %s", error_id, status, message)
        else:
            status, message = 500, f"the server failed; its log tells more under {error_id}"
            logger.error("error %s", error_id, exc_info=error)
        phrase = HTTPStatus(status).phrase
        self.refusals[problem or phrase.lower().replace(" ", "-")] += 1
        headers = {**self._headers, **headers, "Livelog-Error": error_id}
        if problem or "application/problem+json" in request.headers.get("Accept", ""):
            document = {
                "type": PROBLEM_TYPES + problem if problem else "about:blank",
                "title": problem.replace("-", " ").capitalize() or phrase,
                "status": status, "detail": message, **members,
            }  # fmt: skip
            text, content_type = json.dumps(document), "application/problem+json"
        else:
            text, content_type = message if status == 401 else message + "\n", "text/plain"
        response = web.Response(status=status, text=text, content_type=content_type, headers=headers)
        if status == 501:
            response.force_close()  # where the body of such a request ends is unknown
        return response


class Connection(web.RequestHandler):
    """aiohttp's part of a connection: heads, and small answers."""

    __slots__ = (
        "_edge", "_head_size", "_held", "_lent", "_unwanted", "ended", "endpoint", "record", "refused", "waiting",
    )  # fmt: skip

    ended: bool
    """Whether the peer will send no more; it may still read."""
    waiting: bool
    """Whether the answer waits for something to happen: then a peer that ends its side is taken to leave."""
    refused: bool
    """Whether there are too many connections for this one to be served."""
    record: Record | None
    """What will be told of it; None if that is somebody else's, before and after aiohttp has the connection."""

    def __init__(self, endpoint: Endpoint, **options: object) -> None:
        super().__init__(endpoint, **options)  # type: ignore[arg-type]  # passed through as aiohttp's server does
        self.endpoint = endpoint
        self._edge = b""  # the last three bytes of an unfinished head: its end may come in two pieces
        self._held: bytearray | None = None  # what has come behind a head; None while a head is awaited
        self._lent = False  # a body was received past aiohttp, and aiohttp was not told of its end
        self._head_size = 0  # bytes of a head so far
        self._unwanted = False
        self.ended = False
        self.record = None
        self.refused = False
        self.waiting = False

    @property
    def working(self) -> bool:
        """Whether a request is being answered."""
        return self._held is not None

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

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._unwanted:
            return
        if self._held is not None:
            self._held += data
            if len(self._held) > MAX_HELD and self.transport is not None:
                self.transport.pause_reading()
            return
        if not self._edge:
            data = data.lstrip(b"\r\n")  # RFC 9112 section 2.2: empty lines before a head are ignored
        edge_and_data = self._edge + data
        end = edge_and_data.find(b"\r\n\r\n")
        self._head_size += len(data) if end < 0 else end + 4 - len(self._edge)
        if self._head_size > MAX_HEAD:
            self._unwanted = True
            super().data_received(b"\0")  # what no head may contain: aiohttp refuses it, see `handle_error`
        elif end < 0:
            self._edge = edge_and_data[-3:]
            super().data_received(data)
        else:
            self._head_size = 0
            split = end + 4 - len(self._edge)
            self._edge = b""
            self._held = bytearray(data[split:])
            super().data_received(data[:split])

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
        if self._head_size > MAX_HEAD:
            status, detail = 431, f"its head is larger than {MAX_HEAD} bytes"
        elif isinstance(exc, LineTooLong):
            detail = "a line of its head is too long"
        else:
            detail = "its head is malformed"
        response = self.endpoint.refusal(request, RequestError(status, f"this is not an HTTP request: {detail}"))
        response.force_close()
        if self.record is not None:  # what is no request does not come by `Endpoint`
            self.record.requests += 1
            self.record.answered(status)
        return response

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
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the peer is gone")
        self.transport = None
        outlet = Outlet(transport, bytes(self._held or b""), ended=self.ended)
        transport.resume_reading()
        self.connection_lost(None)
        return outlet

    @classmethod
    def of(cls, request: web.BaseRequest) -> Self:
        """The connection that `request` came by."""
        connection = request.protocol
        assert isinstance(connection, cls)
        return connection
