"""One port of the server: accepts connections, bounds them, has their requests answered, and ends them.

Refuses to decide what a request means, and in which state a connection is. Invariants:

1. Whatever a handler raises becomes one answer; each connection becomes one line of the log when it is over.
2. Every connection is bounded: in number, in the time for a head, in the time its peer may accept nothing. Whoever comes
   too many is answered with 503, and waits to be accepted until there is room for that.
3. When `close` returns, every connection and every task of it is gone.
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
"""Connections beyond the limit that are accepted at a time, to be told that there are too many."""

ACCEPTED_AT_ONCE = 64
"""Connections accepted in one turn of the event loop."""

ACCEPT_PAUSE = 0.5
"""Seconds until connections are accepted again, after the system had no room for one."""

HANDSHAKE_TIMEOUT = 15
"""Seconds for a TLS handshake."""

GOODBYE = 0.25
"""Seconds, when all is over, for peers to end their side of connections that were closed."""

LISTENER_FAILED = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EOPNOTSUPP})
"""Errors of `accept` that do not pass: the socket does not listen any more."""

logger = logging.getLogger(__name__)


class Listener:
    """Makes the connections of one port, called `name`, and answers their requests with `answer`.

    `answer_now`: gives the answers that take no waiting, and None for all others: these cost no task.
    `headers` are on every error answer. `max_connections`: those beyond are told 503. `idle_timeout`: seconds for a
    head to arrive, and between requests. `stall_timeout`: seconds for a peer to accept a byte. `tls`: what https needs; None for http.
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
        """Whether no further request will be answered."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets an OSError if no connection can be accepted any more."""
        self._name = name
        self._answer = answer
        self._answer_now = answer_now
        self._refusals = Refusals(headers)
        self._max_connections = max_connections
        self._idle_timeout = idle_timeout
        self._stall_timeout = stall_timeout
        self._tls = tls
        self._listening: list[socket.socket] = []
        self._crowded = False  # whether nobody is accepted until somebody has left
        self._shaking: dict[Connection, asyncio.Task[None]] = {}  # those that were accepted and are not `_open` yet
        self._open: set[Connection] = set()
        self._working: set[asyncio.Task[None]] = set()
        self._empty: asyncio.Event = asyncio.Event()
        self._received = self._sent = 0  # by connections that are over

    # Figures.

    @property
    def refusals(self) -> Counter[str]:
        """How many requests were refused, by reason."""
        return self._refusals.counts

    @property
    def open_connections(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def sent(self) -> int:
        """Bytes of streamed bodies so far, framing included."""
        return self._sent + sum(connection.sent for connection in self._open)

    @property
    def received(self) -> int:
        """Bytes of logs so far."""
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
            # asyncio cuts a TLS connection off this long after `close`, whatever is still on its way.
            ssl_shutdown_timeout=self._stall_timeout if self._tls else None,
        )
        logger.debug("a connection was made, %d are open", len(self._open))

    def _connected(self, sock: socket.socket, connection: Connection, task: asyncio.Task[None]) -> None:
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

    def _left(self) -> None:
        """A connection is gone: if others wait for its place, accept them."""
        if not self._open:
            self._empty.set()
        if self._crowded and len(self._open) + len(self._shaking) < self._max_connections + SPARE_CONNECTIONS:
            self._crowded = False
            for listening in self._listening:
                self._accept_again(listening)

    # What connections ask for: see `connection.Owner`.

    def made(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        self._shaking.pop(connection, None)  # it counts once
        self._open.add(connection)
        self._empty.clear()

    def lost(self, connection: Connection) -> None:
        """See `connection.Owner`."""
        self._open.discard(connection)
        self._sent += connection.sent
        self._received += connection.received
        access_log.write_line(self._name, connection.stats)
        self._left()

    def respond_now(self, exchange: Exchange) -> Response | None:
        """See `connection.Owner`."""
        try:
            return self._answer_now(exchange)
        except Exception as error:  # noqa: BLE001  # whatever it is, it becomes an answer and a log line
            return self.refusal(error, exchange.request.fields.get("Accept", ""))

    def begin(self, work: Coroutine[object, object, None]) -> None:
        """See `connection.Owner`."""
        task = asyncio.get_running_loop().create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def respond(self, exchange: Exchange) -> Response:
        """See `connection.Owner`."""
        try:
            return await self._answer(exchange)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, it becomes an answer and a log line
            return self.refusal(error, exchange.request.fields.get("Accept", ""))

    def refusal(self, error: Exception, accept: str) -> Response:
        """See `connection.Owner`."""
        return self._refusals.response(error, accept)

    # Ending.

    async def reap(self) -> None:
        """Reset, for ever, the connections for which bytes wait and whose peers accept none for the stall timeout."""
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
        """Close, for ever, the connections on which no head has come for the idle timeout, however much of one has."""
        loop, timeout = asyncio.get_running_loop(), self._idle_timeout
        while True:
            await asyncio.sleep(timeout / 4)
            now = loop.time()
            for connection in tuple(self._open):
                if connection.state is State.HEAD and now - connection.since >= timeout:
                    connection.close()

    def stop_listening(self) -> None:
        """Accept no more connections, not even those that are in a handshake, and end those that ask for nothing."""
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
        """Accept no more, let answers end for `timeout` seconds, then break them off."""
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
