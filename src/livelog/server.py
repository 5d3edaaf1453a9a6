"""The server: listening sockets, TLS, start and stop.

`Listener`, `Producers` and `Readers` handle requests. Invariants:

1. Both ports accept connections before `ready` is called.
2. When `serve` returns, all its sockets and files are closed, and all its tasks have ended.
"""

import asyncio
import asyncio.sslproto
import contextlib
import errno
import gc
import logging
import os
import resource
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from .config import EX_CONFIG, EX_UNAVAILABLE, Settings
from .errors import ConfigError, LivelogError
from .log.catalogue import Catalogue
from .operate.monitoring import PATHS, Monitoring
from .operate.supervision import keep_doing
from .produce.fields import PRODUCERS_HEADERS
from .produce.guard import refuse_foreign
from .produce.handlers import Producers
from .read.answers import READERS_HEADERS
from .read.handlers import Readers
from .tokens import Access
from .wire.exchange import Exchange
from .wire.listener import Listener
from .wire.response import Response

BACKLOG = 4096
"""The number of connections that may wait in the kernel to be accepted, if net.core.somaxconn allows so many."""

RESERVED_FILES = 256
"""File descriptors that readers cannot use: for logs, producers, and connections that get 503.
A reader needs one, and a second one while it catches up."""

TLS_BUFFER = 4096
"""Bytes that asyncio's TLS reads at a time, instead of 256 KiB that it would allocate for each connection. The readers' port
receives only requests, which are small."""

REQUEST_BUFFER = 64 * 1024
"""Bytes received at a time on the readers' port, which receives only requests."""

CERTIFICATE_CHECK = 5
"""Seconds between two checks whether the certificate's files have changed."""

MAX_FILES = 1 << 20
"""The largest limit of open files that is used to derive other limits: containers often have none."""

LAST_WORDS = 2.0
"""Seconds that readers have, at least, to be sent the end of their log after the last producer has ended."""

logger = logging.getLogger(__name__)


class Addresses(NamedTuple):
    """The addresses on which a server listens, as its sockets have them. The first one of each port is shown."""

    put: tuple[tuple[str, int], ...]
    get: tuple[tuple[str, int], ...]


Sockets = tuple[list[socket.socket], list[socket.socket]]
"""Listening sockets, of the producers' side and of the readers'."""


async def serve(
    settings: Settings,
    *,
    ready: Callable[[Addresses], None],
    stop: asyncio.Event,
    reload: asyncio.Event,
    listening: Sockets | None = None,
) -> None:
    """Serve until `stop` is set; then end connections and logs in an orderly way, and return.

    `ready`: called once both ports are open. `reload`: set to check the certificate's files now. `listening`: open sockets to use
    instead of those that `settings` describe; they are closed at the end.
    Raises: ConfigError, if the server cannot start; LivelogError, if it can accept no connections any more.
    """
    context = _tls_context(settings)
    file_limit = _raise_file_limit()
    async with contextlib.AsyncExitStack() as stack:
        if listening is None:
            put_sockets = _listen(settings.put_host, ("127.0.0.1", "::1"), settings.put_port, stack)
            get_sockets = _listen(settings.get_host, ("0.0.0.0", "::"), settings.get_port, stack)
        else:
            put_sockets, get_sockets = listening
            for sock in (*put_sockets, *get_sockets):
                stack.callback(sock.close)
        catalogue = _catalogue(settings, file_limit)
        stack.callback(catalogue.stop)
        stack.callback(catalogue.close)
        access = Access(settings.access_token, settings.write_token)
        producing = Producers(settings, access, catalogue, settings.readers_url(get_sockets[0].getsockname()[1]))
        stack.callback(producing.close)
        reading = Readers(settings, access, catalogue)
        sides: dict[str, Listener] = {}
        monitoring = Monitoring(catalogue, sides, reading.lags, reading.pass_seconds, PRODUCERS_HEADERS)

        async def answer_producers_port(exchange: Exchange) -> Response:
            refuse_foreign(exchange.request, private=settings.put_is_loopback)
            if exchange.request.path in PATHS:
                return await monitoring.answer(exchange.request)
            return await producing.answer(exchange)

        producers = sides["producers"] = Listener(
            "producers",
            answer_producers_port,
            headers=PRODUCERS_HEADERS,
            max_connections=file_limit // 2,
            idle_timeout=settings.idle_timeout,
            stall_timeout=settings.stall_timeout,
            tls=None,
        )
        readers = sides["readers"] = Listener(
            "readers",
            reading.answer,
            answer_now=reading.answer_now,
            headers=READERS_HEADERS,
            max_connections=settings.max_readers or max((file_limit - RESERVED_FILES) // 2, file_limit // 4),
            idle_timeout=settings.idle_timeout,
            stall_timeout=settings.stall_timeout,
            tls=context,
            buffer_size=REQUEST_BUFFER,
        )
        producers.listen(put_sockets)
        readers.listen(get_sockets)
        if settings.put_unguarded and not settings.put_is_loopback:
            logger.warning("the producers' port is reachable from other machines: whoever reaches it can write")
        gc.collect()
        gc.freeze()  # the garbage collector need not scan imported objects, which stay
        chores = [
            asyncio.create_task(keep_doing(name, chore))
            for name, chore in (
                ("cutting off producers that accept nothing", producers.reap),
                ("cutting off readers that accept nothing", readers.reap),
                ("closing idle connections of producers", producers.dismiss),
                ("closing idle connections of readers", readers.dismiss),
                ("removing old logs", catalogue.retire),
                ("dropping unused indexes", reading.queries.retire),
                ("measuring the event loop's delay", monitoring.watch_loop),
            )
        ]
        if context is not None:
            reloading = partial(_reload_certificate, settings, context, reload)
            chores.append(asyncio.create_task(keep_doing("reloading the certificate", reloading)))
        try:
            ready(Addresses(_addresses(put_sockets), _addresses(get_sockets)))
            stopped = asyncio.ensure_future(stop.wait())
            await asyncio.wait((stopped, producers.failed, readers.failed), return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            logger.info("stopping: producers and readers have %g s to end", settings.shutdown_timeout)
            await _stop(settings.shutdown_timeout, producers, producing, catalogue, readers)
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
        await reading.queries.close()
        for side in (producers, readers):
            if side.failed.done():
                raise LivelogError(f"no connection can be accepted any more: {side.failed.exception()}")
            side.failed.cancel()


async def _stop(
    timeout: float, producers: Listener, producing: Producers, catalogue: Catalogue, readers: Listener
) -> None:
    """End what is under way, within `timeout` seconds and a few more."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    producers.stop_listening()
    readers.stop_listening()
    await asyncio.sleep(0)  # requests that arrived before the stop begin now, and are not refused
    await producing.drain(timeout)
    await producers.close(LAST_WORDS)
    producing.close()
    catalogue.close()
    await readers.close(min(timeout, max(deadline - loop.time(), LAST_WORDS)))


def _catalogue(settings: Settings, file_limit: int) -> Catalogue:
    if settings.data_dir is None and settings.max_logs is None:
        settings = replace(settings, max_logs=max(1, file_limit // 8))  # unlinked: each log has an open file
    try:
        return Catalogue(settings)
    except OSError as error:
        variable = "LIVELOG_TEMP_DIR" if settings.data_dir is None else "LIVELOG_DATA_DIR"
        raise ConfigError(f"{variable}: logs cannot be kept there: {error}", EX_CONFIG) from error


def _raise_file_limit() -> int:
    """Raise this process's limit of open files to the hard limit. Returns the limit, `MAX_FILES` at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_FILES if limit == resource.RLIM_INFINITY else min(limit, MAX_FILES)


def _listen(
    hosts: tuple[str, ...], default: tuple[str, ...], port: int, stack: contextlib.AsyncExitStack
) -> list[socket.socket]:
    """Listening sockets on `port` of all `hosts`; if that is empty, of those addresses in `default` that this machine has.

    Raises: ConfigError.
    """
    for _ in range(16):  # port 0: a port that is free on one address may be taken on another
        sockets: list[socket.socket] = []
        chosen = port
        for host in hosts or default:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            try:
                sock = socket.create_server((host, chosen), family=family, backlog=BACKLOG)
            except OSError as error:
                every = not hosts or host == "::"  # every interface: IPv6 may be missing
                if every and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL) and sockets:
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
    """The TLS context with the certificate's files; None: the readers' port speaks http. Raises: ConfigError."""
    if settings.server_crt_file is None:
        return None
    # asyncio has no setting for this, and its default suits a client that receives much.
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
    """Load the certificate's files into `context`. Raises: OSError (SSLError is a subclass), ValueError."""
    assert settings.server_crt_file is not None

    def no_passphrase() -> str:
        raise ValueError("the key needs a passphrase")

    context.load_cert_chain(settings.server_crt_file, settings.server_key_file, no_passphrase)


async def _reload_certificate(settings: Settings, context: ssl.SSLContext, asked: asyncio.Event) -> None:
    """Run for ever: load the certificate again when its files have changed, or `asked` is set. New connections use it."""
    seen = _certificate_times(settings)
    while True:
        asked.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), CERTIFICATE_CHECK)
        times = _certificate_times(settings)
        if times == seen and not asked.is_set():
            continue
        try:
            _load_certificate(settings, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # a faulty pair must fail here
            _load_certificate(settings, context)
            logger.info("certificate reloaded")
        except (OSError, ValueError) as error:
            # The files are replaced one after the other: until they are a pair again, the former certificate is used.
            logger.warning("certificate not reloaded, the old one stays in use: %s", error)
            if not asked.is_set():
                continue
        seen = times


def _certificate_times(settings: Settings) -> tuple[int, ...] | None:
    try:
        return tuple(os.stat(path).st_mtime_ns for path in (settings.server_crt_file, settings.server_key_file) if path)
    except OSError:
        return None
