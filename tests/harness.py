"""A real server in a process of its own, for tests that speak to it over real sockets.

Refuses to reach into the server: what a test knows of it, any client could know, but for its process id and
what it wrote to stdout and stderr.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import urljoin, urlsplit

from tests.conformance.link import Address, Connection
from tests.conformance.wire import AnswerParser
from tests.starts import EXEC, forked

TOKEN = "secret-puppy_42"
TIMEOUT = 25.0
"""Seconds that any wait in a test may last: long enough for a busy machine, reached only by a fault.

Less than the 30 after which a server gives up an idle connection: no test may take that for what it waits for.
"""

PATIENCE = 300.0
"""Seconds for an answer for which a process of the lowest priority looks at lines. Beside load it gets next to nothing of the processor."""

_OPTIONS = ("-W", "error", "-X", "dev" if EXEC else "faulthandler")
"""A server's interpreter. What asyncio checks in development mode is an eighth of all that `make test` computes: `make long` has it."""

LINES = ("/lines/", "/groups/", "/search/", "/events/", "/problems/", "/compare/")
"""How paths begin that such a process may have to answer."""

_READY = re.compile(
    r"livelog \S+ ready: PUT http://[^ ]*:([0-9]+)/log GET (https?)://[^ ]*:([0-9]+)/log/ACCESS_TOKEN\n"
)


class Server:
    """A running server: `put` and `get` are its ports' addresses, `process` is its process."""

    def __init__(self, process: subprocess.Popen[str], log: IO[str], put: Address, get: Address) -> None:
        self.process = process
        self.put = put
        self.get = get
        self._log = log

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self.process.pid

    def log(self) -> str:
        """What the server has written to stderr so far."""
        return Path(self._log.name).read_text(encoding="utf-8")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end. Returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(TIMEOUT)

    def connect(self, *, producer: bool = False) -> Connection:
        """A new connection to the readers' port, or to the producers'."""
        return Connection(self.put if producer else self.get, TIMEOUT)

    def get_log(self, *headers: str, query: str = "", method: str = "GET", version: str = "1.1") -> Connection:
        """A new connection on which the log has been asked for."""
        connection = self.connect()
        ask(connection, method, f"/log/{TOKEN}{query}", *headers, version=version)
        return connection

    def read_log(self, *headers: str, query: str = "") -> AnswerParser:
        """The answer to a GET of the log, all of it."""
        with contextlib.closing(self.get_log(*headers, query=query)) as connection:
            return connection.wait_end()

    def begin_put(self, *headers: str) -> Connection:
        """A producer that has sent the head of a chunked PUT."""
        connection = self.connect(producer=True)
        ask(connection, "PUT", "/log", "Transfer-Encoding: chunked", *headers)
        return connection


@contextlib.contextmanager
def serving(
    environment: Mapping[str, str] | None = None, *, tls: Address | None = None, wrapper: Sequence[str] = ()
) -> Iterator[Server]:
    """Run a server with free ports and `environment` on top; it is killed at the end if it still runs.

    `tls`: give any address with a client's TLS context to have `get` use that context.
    `wrapper`: a command that makes itself the server, such as `prlimit --nofile=100`. A server with none is forked (`tests/starts.py`).
    """
    variables = {"ACCESS_TOKEN": TOKEN, "LIVELOG_PUT_PORT": "0", "LIVELOG_GET_PORT": "0", **(environment or {})}
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH", "TMPDIR") if name in os.environ}
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as log:
        process = forked(
            _OPTIONS,
            (),
            {**inherited, **variables},
            None,
            subprocess.PIPE,
            log,
            text=True,
            wrapper=wrapper,
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            match = _READY.fullmatch(line)
            assert match is not None, f"not ready: {line!r} {Path(log.name).read_text(encoding='utf-8')}"
            context = tls.tls if tls is not None else None
            put, get = Address("127.0.0.1", int(match[1])), Address("127.0.0.1", int(match[3]), context)
            yield Server(process, log, put, get)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def children(pid: int) -> list[int]:
    """The processes that a process has begun, and not yet waited for.

    `/proc/PID/task/TID/children` leaves some out while others end (proc(5)).
    """
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(stat.read_bytes().rpartition(b")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A port on which a server may listen, and which nobody else's connection gets while none does."""
    with socket.socket() as reserve:
        reserve.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserve.bind(("127.0.0.1", 0))
        yield int(reserve.getsockname()[1])


def ask(
    connection: Connection, method: str, target: str, *headers: str, version: str = "1.1", content: bytes = b""
) -> None:
    """Send a request's head, and `content` with it; the answer is to be read later.

    `target`: also a Location, all of which lead up to the root.
    """
    if target.startswith(("../", "upload/")):
        target = urlsplit(urljoin("http://host/", target)).path
    if target.startswith(LINES):
        connection.timeout = max(connection.timeout, PATIENCE)
    lines = (f"{method} {target} HTTP/{version}", f"Host: {connection.address.authority}", *headers, "", "")
    connection.ask(method, version, "\r\n".join(lines).encode() + content)


def chunk(data: bytes) -> bytes:
    """`data` as one chunk (RFC 9112 section 7.1); no data: the last chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)
