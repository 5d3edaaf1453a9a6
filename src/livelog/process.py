"""The server as a process: logging to stderr, the ready line, signals.

SIGTERM and SIGINT stop it in an orderly way, a second one at once; SIGHUP reloads the certificate.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import threading
from typing import TYPE_CHECKING

from . import __version__
from .config import Settings
from .errors import LivelogError
from .log.disk import THREAD_NAME
from .operate.logs import Formatter

if TYPE_CHECKING:
    from .server import Addresses, Sockets


def run(settings: Settings, listening: "Sockets | None" = None) -> int:
    """Serve until a signal says stop, on the sockets `listening` if they are given. Returns the exit code. Raises: ConfigError."""
    handler = logging.StreamHandler()
    secrets = [token for token in (settings.access_token, settings.write_token) if token]
    handler.setFormatter(Formatter(settings.log_format, secrets))
    logging.basicConfig(level=logging.DEBUG if settings.debug == "*" else logging.INFO, handlers=[handler])
    logging.getLogger("asyncio").setLevel(logging.INFO)  # at DEBUG, asyncio logs every connection
    for number in (signal.SIGTERM, signal.SIGINT):
        # Until the event loop handles them: the first process of a container has no default action for signals, and would not stop.
        signal.signal(number, _stopped_before_the_start)
    _import_server()
    try:
        asyncio.run(_run(settings, listening))
    except LivelogError:
        raise
    except Exception:
        # Python would write the traceback without the formatter, and so with secrets.
        logging.getLogger(__name__).critical("the server failed", exc_info=True)
        return 1
    for thread in threading.enumerate():
        if thread.name.startswith(THREAD_NAME):
            thread.join(1)
            if thread.is_alive():
                # A thread waits for a disk that stalls. Python would wait for that thread at its end; the operator should not have to.
                logging.shutdown()
                os._exit(0)
    return 0


def _stopped_before_the_start(_number: int, _frame: object) -> None:
    os._exit(0)  # there is nothing to close yet


def _import_server() -> None:
    """Import the server. The garbage collector is off meanwhile, since all objects of modules stay."""
    gc.disable()
    try:
        from . import server  # noqa: F401, PLC0415
    finally:
        gc.enable()


async def _run(settings: Settings, listening: "Sockets | None") -> None:
    from .server import serve  # noqa: PLC0415  # imported by `_import_server`

    loop, stop, reload = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def stopping() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping)
    loop.add_signal_handler(signal.SIGHUP, reload.set)

    def ready(addresses: "Addresses") -> None:
        scheme = "https" if settings.server_crt_file else "http"
        put, get = _url("http", addresses.put[0]), _url(scheme, addresses.get[0])
        with contextlib.suppress(OSError):  # stdout may be closed: the server runs all the same
            os.write(1, f"livelog {__version__} ready: PUT {put} GET {get}/ACCESS_TOKEN\n".encode())

    await serve(settings, ready=ready, stop=stop, reload=reload, listening=listening)


def _url(scheme: str, address: tuple[str, int]) -> str:
    host, port = address
    if host in ("0.0.0.0", "::"):
        host = "localhost"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/log"
