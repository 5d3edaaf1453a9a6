"""The server: listening sockets, TLS, connections and their limits, errors as answers, and the way down.

Refuses to parse or decide requests: `Producers` and `Readers` do. Invariants:

1. Both ports accept connections before `ready` is called.
2. Every error a handler raises becomes one answer and one log line with the same id; no answer holds a secret.
3. When `serve` returns, every socket, task and file of it is gone.
"""

import asyncio
import asyncio.sslproto
import contextlib
import errno
import gc
import json
import logging
import os
import resource
import secrets
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from . import ingest, reading
from .config import EX_CONFIG, Settings
from .connection import Connection
from .errors import ConfigError, DiskError, RequestError
from .ingest import ProducerConnection, Producers
from .reading import RETRY_AFTER, Readers
from .storage import Storage

EX_UNAVAILABLE = 69
"""Exit code when a port cannot be had (sysexits.h)."""

BACKLOG = 512
"""Connections that may wait to be accepted; also how many are accepted in one turn of the event loop."""

RESERVED_FILES = 256
"""File descriptors that are kept from readers: logs, producers, and connections about to be refused."""

HANDSHAKE_TIMEOUT = 15
"""Seconds for a TLS handshake."""

TLS_BUFFER = 4096
"""Bytes that asyncio's TLS reads at a time, instead of 256 KiB that it would allocate for each connection. Requests
are small, and only they are received on the readers' port."""

LINGER = 2
"""Seconds that a peer whose body is not wanted has to read the answer before its connection is closed."""

CERTIFICATE_CHECK = 5
"""Seconds between looks at whether the certificate's files have changed."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a server listens: sockets' own addresses, the first of each side being the one to show."""

    put: tuple[tuple[str, int], ...]
    get: tuple[tuple[str, int], ...]


async def serve(
    settings: Settings, *, ready: Callable[[Addresses], None], stop: asyncio.Event, reload: asyncio.Event
) -> None:
    """Serve until `stop` is set, then end what is under way honestly, and return.

    `ready` is called once both ports are open. `reload` asks for a look at the certificate's files now.
    Raises: ConfigError, if the server cannot start.
    """
    context = _tls_context(settings)
    storage = _storage(settings)
    file_limit = _raise_file_limit()
    max_readers = settings.max_readers or max(file_limit - RESERVED_FILES, file_limit // 2)
    producers = Endpoint(
        Producers(settings, storage).answer, ProducerConnection, settings, ingest.COMMON_HEADERS, file_limit
    )
    readers = Endpoint(Readers(settings, storage).answer, Connection, settings, reading.COMMON_HEADERS, max_readers)
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(storage.close)
        put_sockets = _listen(settings.put_host, ("127.0.0.1", "::1"), settings.put_port, stack)
        get_sockets = _listen(settings.get_host, ("0.0.0.0", "::"), settings.get_port, stack)
        listeners = [await loop.create_server(producers, sock=sock, backlog=BACKLOG) for sock in put_sockets]
        handshake = HANDSHAKE_TIMEOUT if context else None
        listeners += [
            await loop.create_server(readers, sock=sock, backlog=BACKLOG, ssl=context, ssl_handshake_timeout=handshake)
            for sock in get_sockets
        ]
        if not settings.put_is_loopback:
            logger.warning("the producers' port is reachable from other machines: whoever reaches it can write")
        gc.collect()
        gc.freeze()  # what was imported stays: the collector need not look at it again
        async with asyncio.TaskGroup() as tasks:
            chores = [tasks.create_task(side.reap(settings.stall_timeout)) for side in (producers, readers)]
            if context is not None:
                chores.append(tasks.create_task(_reload_certificate(settings, context, reload)))
            ready(Addresses(_addresses(put_sockets), _addresses(get_sockets)))
            await stop.wait()
            logger.info("stopping: readers have %g s to fetch the rest", settings.shutdown_timeout)
            for listener in listeners:
                listener.close()
            await producers.close(0)
            storage.close()
            await readers.close(settings.shutdown_timeout)
            for chore in chores:
                chore.cancel()


class Endpoint(web.Server):
    """One side of the server: makes its connections, and turns what handlers raise into answers.

    `answer` handles a request. `headers` are on every error answer. `max_connections`: those beyond are told 503.
    """

    def __init__(
        self,
        answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        connection_type: type[Connection],
        settings: Settings,
        headers: Mapping[str, str],
        max_connections: int,
    ) -> None:
        super().__init__(self._handle)
        self._answer = answer
        self._connection_type = connection_type
        self._idle_timeout = settings.idle_timeout
        self._headers = headers
        self._max_connections = max_connections
        self._open: set[Connection] = set()
        self._handling: set[asyncio.Task[None]] = set()

    def __call__(self) -> web.RequestHandler:
        """A protocol for a connection that was accepted; called by asyncio."""
        return self._connection_type(
            self,
            self._malformed,
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
        self._open.add(handler)
        beyond = len(self._open) - self._max_connections
        if beyond > RESERVED_FILES // 2:
            transport.abort()  # too many even to be told so
        handler.refused = beyond > 0

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """See `aiohttp.web.Server`."""
        super().connection_lost(handler, exc)
        assert isinstance(handler, Connection)
        self._open.discard(handler)

    async def reap(self, timeout: float) -> None:
        """Break off, for ever, the connections whose peers have accepted nothing for `timeout` seconds."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(timeout / 4)
            for connection in tuple(self._open):
                connection.reap(loop.time(), timeout)

    async def close(self, timeout: float) -> None:
        """Let requests end for `timeout` seconds, then break them off."""
        self.pre_shutdown()
        if self._handling and timeout:
            await asyncio.wait(self._handling, timeout=timeout)
        for connection in tuple(self._open):
            if connection.transport is not None:
                connection.transport.abort()
        if self._handling:
            await asyncio.wait(self._handling)
        await self.shutdown(LINGER)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        connection, task = request.protocol, asyncio.current_task()
        assert isinstance(connection, Connection) and task is not None
        loop = asyncio.get_running_loop()
        began, sent, status = loop.time(), connection.sent, 0
        self._handling.add(task)
        try:
            response = await self._respond(request, connection)
            status = response.status
            connection.answered(request, response)
            return response
        finally:
            self._handling.discard(task)
            logger.info(
                "%s %s: %s, %d bytes sent in %.3f s",
                request.remote,
                request.method,
                status or "broken off",
                connection.sent - sent,
                loop.time() - began,
            )

    async def _respond(self, request: web.BaseRequest, connection: Connection) -> web.StreamResponse:
        error: Exception
        if request.version not in ((1, 0), (1, 1)):
            # aiohttp would answer in the version asked for, which nobody here speaks.
            connection.write(b"HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            await connection.break_off(reset=False)
        try:
            if connection.refused:
                raise RequestError(503, "too many connections: try again later", RETRY_AFTER)
            return await self._answer(request)
        except RequestError as refusal:
            error = refusal
        except DiskError as failure:
            error = RequestError(507 if failure.full else 500, str(failure))
        except ConnectionError:
            raise
        except Exception as fault:
            error = fault
        if request.writer.output_size > 0:
            # The head of another answer is out. All that can be told is that it does not end well.
            logger.error("an answer was broken off: %s", error, exc_info=not isinstance(error, RequestError))
            await connection.break_off(reset=request.version < (1, 1))
        return self._refuse(request, error)

    def _malformed(self, request: web.BaseRequest, status: int, message: str | None) -> web.StreamResponse:
        """The answer to what is not an HTTP request."""
        detail = (message or "").partition("\n")[0].rstrip(":") or "it cannot be understood"
        response = self._refuse(request, RequestError(status, f"this is not a proper HTTP request: {detail}"))
        response.force_close()
        return response

    def _refuse(self, request: web.BaseRequest, error: Exception) -> web.Response:
        """The answer that tells of `error`: one line of text, or a problem document (RFC 9457) where asked for."""
        error_id = secrets.token_hex(4)
        if isinstance(error, RequestError):
            status, message, headers = error.status, str(error), error.headers
            logger.log(logging.ERROR if status >= 500 else logging.INFO, "error %s: %d %s", error_id, status, message)
        else:
            status, message, headers = 500, f"the server failed; its log tells more under {error_id}", {}
            logger.error("error %s", error_id, exc_info=error)
        headers = {**self._headers, **headers, "Livelog-Error": error_id}
        if "application/problem+json" in request.headers.get("Accept", ""):
            problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": message}
            text, content_type = json.dumps(problem), "application/problem+json"
        else:
            text, content_type = message if status == 401 else message + "\n", "text/plain"
        return web.Response(status=status, text=text, content_type=content_type, headers=headers)


def _storage(settings: Settings) -> Storage:
    try:
        return Storage(settings.temp_dir)
    except OSError as error:
        raise ConfigError(f"LIVELOG_TEMP_DIR: logs cannot be kept there: {error}", EX_CONFIG) from error


def _raise_file_limit() -> int:
    """Let this process open as many files as it may. Returns how many those are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, 1 << 20)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _listen(
    hosts: tuple[str, ...], default: tuple[str, ...], port: int, stack: contextlib.AsyncExitStack
) -> list[socket.socket]:
    """Listening sockets on one port of all `hosts`, or of those of `default` that this machine has.

    Raises: ConfigError.
    """
    for _ in range(16):  # port 0: what is free on one address may be taken on the next
        sockets: list[socket.socket] = []
        chosen = port
        for host in hosts or default:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                sock = socket.create_server((host, chosen), family=family, backlog=BACKLOG)
            except OSError as error:
                if not hosts and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL) and sockets:
                    continue  # a machine without IPv6
                for opened in sockets:
                    opened.close()
                if port == 0 and error.errno == errno.EADDRINUSE and sockets:
                    break
                reason = error.strerror or str(error)
                raise ConfigError(f"cannot listen on {host} port {chosen}: {reason}", EX_UNAVAILABLE) from error
            sockets.append(sock)
            chosen = sock.getsockname()[1]
        else:
            for sock in sockets:
                stack.callback(sock.close)
            return sockets
    raise ConfigError(f"no port is free on all of {', '.join(hosts or default)}", EX_UNAVAILABLE)


def _addresses(sockets: list[socket.socket]) -> tuple[tuple[str, int], ...]:
    return tuple(sock.getsockname()[:2] for sock in sockets)


def _tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What https needs, from the certificate's files; None for http. Raises: ConfigError."""
    if settings.server_crt_file is None:
        return None
    # asyncio has no setting for this; it only has the default of a client that receives a lot.
    asyncio.sslproto.SSLProtocol.max_size = TLS_BUFFER
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        _load_certificate(settings, context)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"SERVER_CRT_FILE {settings.server_crt_file} and SERVER_KEY_FILE {settings.server_key_file} "
            f"are not a certificate and its key that can be read, PEM, without passphrase: {error}",
            EX_CONFIG,
        ) from error
    return context


def _load_certificate(settings: Settings, context: ssl.SSLContext) -> None:
    """Load the certificate's files into `context`. Raises: OSError (of which SSLError is one), ValueError."""
    assert settings.server_crt_file is not None

    def no_passphrase() -> str:
        raise ValueError("the key needs a passphrase")

    context.load_cert_chain(settings.server_crt_file, settings.server_key_file, no_passphrase)


async def _reload_certificate(settings: Settings, context: ssl.SSLContext, asked: asyncio.Event) -> None:
    """Use a new certificate for new connections when its files change, or when `asked`. For ever."""
    seen = _certificate_times(settings)
    while True:
        asked.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), CERTIFICATE_CHECK)
        times = _certificate_times(settings)
        if times == seen and not asked.is_set():
            continue
        try:
            _load_certificate(settings, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # a faulty pair must not get halfway
            _load_certificate(settings, context)
            logger.info("certificate reloaded")
        except (OSError, ValueError) as error:
            # The files are replaced one after the other: until they are a pair again, the old one serves.
            logger.warning("certificate not reloaded, the old one stays in use: %s", error)
            if not asked.is_set():
                continue
        seen = times


def _certificate_times(settings: Settings) -> tuple[int, ...] | None:
    try:
        return tuple(os.stat(path).st_mtime_ns for path in (settings.server_crt_file, settings.server_key_file) if path)
    except OSError:
        return None
