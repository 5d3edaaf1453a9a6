"""The server as a process: logging to stderr, the ready line, signals.

SIGTERM and SIGINT stop it in an orderly way, a second one at once; SIGHUP reloads the certificate.
"""

import asyncio
import logging
import os
import signal
import sys

from . import __version__
from .access import RedactingFormatter
from .config import Settings
from .server import Addresses, serve

WILDCARDS = {"0.0.0.0": "localhost", "::": "localhost"}


def run(settings: Settings) -> int:
    """Serve until a signal says stop. Returns the exit code. Raises: ConfigError."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s", [settings.access_token])
    )
    logging.basicConfig(level=logging.DEBUG if settings.debug == "*" else logging.INFO, handlers=[handler])
    asyncio.run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    loop, stop, reload = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def stopping() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping)
    loop.add_signal_handler(signal.SIGHUP, reload.set)

    def ready(addresses: Addresses) -> None:
        scheme = "https" if settings.server_crt_file else "http"
        print(
            f"livelog {__version__} ready: PUT {_url('http', addresses.put[0])} "
            f"GET {_url(scheme, addresses.get[0])}/ACCESS_TOKEN",
            flush=True,
        )

    await serve(settings, ready=ready, stop=stop, reload=reload)


def _url(scheme: str, address: tuple[str, int]) -> str:
    host, port = WILDCARDS.get(address[0], address[0]), address[1]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/log"
