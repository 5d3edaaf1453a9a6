"""One port of the server: it accepts connections, limits them, passes their requests to a handler, and closes them.

It decides neither what a request means nor a connection's state. Invariants:

1. Every exception of a handler becomes one answer. Every connection becomes one line of the access log when it has ended.
2. Connections are limited in number, in the time for a head, and in the time in which the peer accepts no byte. A connection beyond
   the number is answered with 503; only `SPARE_CONNECTIONS` of these are accepted at a time.
3. When `close` returns, all connections are closed and all tasks have ended.
"""

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial

from . import access_log
from .body_reader import BUFFER_SIZE, Buffers
from .connection import LINGER, Connection, State
from .exchange import Exchange
from .refusals import Refusals
from .response import Response
from .sockets import bytes_unacknowledged, set_options

SPARE_CONNECTIONS = 64
"""Connections beyond the limit that are open at a time, each to be answered with 503."""

ACCEPTED_AT_ONCE = 64
"""Connections accepted in one turn of the event loop, at most."""

ACCEPT_PAUSE = 0.5
"""Seconds until `accept` is tried again after it failed for want of descriptors or memory."""

HANDSHAKE_TIMEOUT = 15
"""Seconds for a TLS handshake."""

GOODBYE = 0.25
"""Seconds that `close` waits at last for peers to end their side of connections that are closed here."""

LISTENER_FAILED = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP})
"""Errors of `accept` that are permanent: the socket does not listen any more."""

logger = logging.getLogger(__name__)


class Listener:
    """The connections of one port, called `name`. `answer` is the handler of its requests.

    `answer_now`: returns an answer that needs no waiting, and so no task; None: `answer` has to be awaited.
    `headers`: fields of every error answer. `max_connections`: connections beyond this get 503. `idle_timeout`: seconds for a
    head to arrive, and between requests. `stall_timeout`: seconds for a peer to accept a byte. `tls`: the TLS context for https; None: http.
    `buffer_size`: bytes received at a time.
    """

    def __init__(
        self,
        name: str,
        answer: Callable[[Exchange], Awaitable[Response]],
        *,
        answer_now: Callable[[Exchange], Response | None] = lambda _: None,
        headers: Mapping[str, str],
        max_connections: int,
        idle_timeout: float,
        stall_timeout: float,
        tls: ssl.SSLContext | None,
        buffer_size: int = BUFFER_SIZE,
    ) -> None:
        self.buffers = Buffers(buffer_size)
        self.closing = False
        """Whether the port is closing: connections end after their present answer."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Its exception is set, an OSError, if no connection can be accepted any more."""
        self._name = name
        self._answer = answer
        self._answer_now = answer_now
        self._refusals = Refusals(headers)
        self._max_connections = max_connections
        self._idle_timeout = idle_timeout
        self._stall_timeout = stall_timeout
        self._tls = tls
        self._listening: list[socket.socket] = []
        self._crowded = False  # whether accepting is stopped until a connection ends
        self._shaking: dict[Connection, asyncio.Task[None]] = {}  # accepted, and still in the TLS handshake
        self._open: set[Connection] = set()
        self._working: set[asyncio.Task[None]] = set()
        self._empty: asyncio.Event = asyncio.Event()
        self._received = self._sent = 0  # bytes of connections that have ended

    # Figures.

    @property
    def refusals(self) -> Counter[str]:
        """The number of requests answered with an error, by reason."""
        return self._refusals.counts

    @property
    def open_connections(self) -> int:
        """The number of open connections."""
        return len(self._open)

    @property
    def sent(self) -> int:
        """Bytes of streamed bodies sent so far, framing included."""
        return self._sent + sum(connection.sent for connection in self._open)

    @property
    def received(self) -> int:
        """Bytes of logs received so far."""
        return self._received + sum(connection.received for connection in self._open)

    # Accepting.

    def listen(self, sockets: list[socket.socket]) -> None:
        """Accept connections on `sockets` until `close`."""
        for sock in sockets:
            sock.setblocking(False)
            set_options(sock)
            asyncio.get_running_loop().add_reader(sock, self._accept, sock)
            self._listening.append(sock)

    def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(ACCEPTED_AT_ONCE):
            present = len(self._open) + len(self._shaking)
            if present >= self._max_connections + SPARE_CONNECTIONS:
                # Further connections wait in the kernel's queue: if they were closed without an answer, clients would report a broken network.
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
                # No file descriptors or memory are left: open connections go on, new ones wait in the kernel's queue.
                logger.error("no connection can be accepted for %g s: %s", ACCEPT_PAUSE, error)
                loop.call_later(ACCEPT_PAUSE, self._accept_again, listening)
                return
            sock.setblocking(False)
            connection = Connection(self, refused=present >= self._max_connections)
            task = self._shaking[connection] = loop.create_task(self._connect(sock, connection))
            task.add_done_callback(partial(self._connected, sock, connection))

    def _accept_again(self, listening: socket.socket) -> None:
        if not self.closing and not self._crowded:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    async def _connect(self, sock: socket.socket, connection: Connection) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: connection,
            sock,
            ssl=self._tls,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT if self._tls else None,
            # asyncio aborts a TLS connection this long after `close`, even if bytes are still to be sent.
            ssl_shutdown_timeout=self._stall_timeout if self._tls else None,
        )
        logger.debug("a connection was made, %d are open", len(self._open))

    def _connected(self, sock: socket.socket, connection: Connection, task: asyncio.Task[None]) -> None:
        """A connection's handshake has ended: it is open, or it failed."""
        self._shaking.pop(connection, None)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            sock.close()
            self._left()
        if isinstance(error, OSError):
            logger.debug("a connection was not made: %s", error)
        elif error is not None:
            logger.error("a connection was not made", exc_info=error)

    def _left(self) -> None:
        """A connection has ended: accept again if that was stopped for want of room."""
        if not self._open:
            self._empty.set()
        if self._crowded and len(self._open) + len(self._shaking) < self._max_connections + SPARE_CONNECTIONS:
            self._crowded = False
            for listening in self._listening:
                self._accept_again(listening)

    # Called by connections: see `exchange.Owner`.

    def made(self, connection: Connection) -> None:
        """See `exchange.Owner`."""
        self._shaking.pop(connection, None)  # it is open now, and must not be counted twice
        self._open.add(connection)
        self._empty.clear()

    def lost(self, connection: Connection) -> None:
        """See `exchange.Owner`."""
        self._open.discard(connection)
        self._sent += connection.sent
        self._received += connection.received
        access_log.write_line(self._name, connection.stats)
        self._left()

    def respond_now(self, exchange: Exchange) -> Response | None:
        """See `exchange.Owner`."""
        try:
            return self._answer_now(exchange)
        except Exception as error:  # noqa: BLE001  # whatever it is, it becomes an answer and a log line
            return self.refusal(error, exchange.request.fields.get("Accept", ""))

    def begin(self, work: Coroutine[object, object, None]) -> None:
        """See `exchange.Owner`."""
        task = asyncio.get_running_loop().create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def respond(self, exchange: Exchange) -> Response:
        """See `exchange.Owner`."""
        try:
            return await self._answer(exchange)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it becomes an answer and a log line
            return self.refusal(error, exchange.request.fields.get("Accept", ""))

    def refusal(self, error: Exception, accept: str) -> Response:
        """See `exchange.Owner`."""
        return self._refusals.response(error, accept)

    # Ending.

    async def reap(self) -> None:
        """Run for ever: reset each connection whose peer has accepted no byte for the stall timeout while bytes wait for it."""
        loop, timeout = asyncio.get_running_loop(), self._stall_timeout
        stuck: dict[Connection, tuple[int, float]] = {}
        while True:
            await asyncio.sleep(timeout / 4)
            now, before, stuck = loop.time(), stuck, {}
            for connection in tuple(self._open):
                if connection.is_lost or not connection.stuck:
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

    async def dismiss(self) -> None:
        """Run for ever: close each connection on which no whole head has arrived within the idle timeout."""
        loop, timeout = asyncio.get_running_loop(), self._idle_timeout
        while True:
            await asyncio.sleep(timeout / 4)
            now = loop.time()
            for connection in tuple(self._open):
                if connection.state is State.HEAD and now - connection.since >= timeout:
                    connection.close()

    def stop_listening(self) -> None:
        """Stop accepting, drop connections that are in a TLS handshake, and close those that are idle."""
        self.closing = True
        for listening in self._listening:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self._listening.clear()
        for task in tuple(self._shaking.values()):
            task.cancel()
        for connection in tuple(self._open):
            if connection.state is State.HEAD:
                connection.close()

    async def close(self, timeout: float) -> None:
        """Stop accepting, wait `timeout` seconds at most for present answers, then reset the connections that are left."""
        self.stop_listening()
        if self._shaking:
            await asyncio.wait(self._shaking.values())
        if self._working and timeout > 0:
            await asyncio.wait(self._working, timeout=timeout)
        for connection in tuple(self._open):
            connection.close()
        if self._working:
            await asyncio.wait(self._working, timeout=LINGER)
        if self._working:
            for task in self._working:
                task.cancel()
            await asyncio.wait(self._working, timeout=LINGER)
        await self._emptied(GOODBYE)
        for connection in tuple(self._open):
            connection.transport.abort()
        await self._emptied(GOODBYE)

    async def _emptied(self, timeout: float) -> None:
        """Wait, at most `timeout` seconds, until no connection is open."""
        if self._open:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), timeout)
