"""A user's place: a home of their own, a server that can be killed and started again, and the command as they type it.

Refuses to look into a client: what it did is what it wrote, what it left on disk, and what the server has.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from livelog.client.settings import ClientSettings
from tests.harness import TIMEOUT, TOKEN, reserved_port
from tests.starts import forked

OPTIONS = ("-W", "error")
COMMAND = (sys.executable, *OPTIONS, "-m", "livelog")

LINK = re.compile(r"^livelog: readers: (http://\S+)$", re.MULTILINE)


class Place:
    """A home at `home`, and a server that listens, while it runs, at `server` and `readers` (URLs)."""

    def __init__(self, home: Path, ports: tuple[int, int], *, durable: bool) -> None:
        self.home = home
        self.durable = durable
        self._ports = ports
        self.server = f"http://127.0.0.1:{self._ports[0]}"
        self.readers = f"http://127.0.0.1:{self._ports[1]}"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def spools(self) -> list[Path]:
        """What clients have left on disk."""
        folder = self.home / "spools"
        return sorted(folder.iterdir()) if folder.exists() else []

    def settings(self, server: str = "") -> ClientSettings:
        """For the Python API; `server`: another way to the server."""
        return ClientSettings(
            server=server or self.server,
            public_url=self.readers,
            spool_dir=self.home / "spools",
            access_token=TOKEN,
        )

    def environment(self, **changes: str) -> dict[str, str]:
        """What the command is started with."""
        inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "TMPDIR", "LANG") if name in os.environ}
        return {
            **inherited,
            "HOME": str(self.home),
            "LIVELOG_SERVER": self.server,
            "LIVELOG_PUBLIC_URL": self.readers,
            "LIVELOG_SPOOL_DIR": str(self.home / "spools"),
            "ACCESS_TOKEN": TOKEN,
            **changes,
        }

    def run(
        self, *words: str, data: bytes | None = None, variables: Mapping[str, str] | None = None, **changes: str
    ) -> subprocess.CompletedProcess[bytes]:
        """The command, which is expected to end by itself."""
        changes |= variables or {}
        streams = (None if data is None else subprocess.PIPE, subprocess.PIPE, subprocess.PIPE)
        with forked(OPTIONS, words, self.environment(**changes), *streams) as process:
            try:
                output, errors = process.communicate(data, 60)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess((*COMMAND, *words), process.returncode, output, errors)

    @contextlib.contextmanager
    def started(
        self, *words: str, stdin: Any = subprocess.DEVNULL, **changes: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """The command, which is ended with this block if it still runs."""
        with forked(OPTIONS, words, self.environment(**changes), stdin, subprocess.PIPE, subprocess.PIPE) as process:
            try:
                yield process
            finally:
                process.kill()

    def start(self, **changes: str) -> None:
        """Start the server, at the same address as before."""
        settings = {
            "ACCESS_TOKEN": TOKEN,
            "LIVELOG_PUT_PORT": str(self._ports[0]),
            "LIVELOG_GET_PORT": str(self._ports[1]),
            "LIVELOG_SHUTDOWN_TIMEOUT": "1",
            **({"LIVELOG_DATA_DIR": str(self.home / "data")} if self.durable else {}),
            **changes,
        }
        with (self.home / "server.log").open("ab") as log:
            environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), **settings}
            self.process = forked(OPTIONS, (), environment, None, subprocess.PIPE, log)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert b" ready: " in line, (self.home / "server.log").read_text()

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End the server."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(TIMEOUT)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def get(self, target: str) -> tuple[int, bytes]:
        """The status and body of an answer of the readers' port."""
        connection = HTTPConnection("127.0.0.1", self._ports[1], timeout=TIMEOUT)
        with contextlib.closing(connection):
            connection.request("GET", target, headers={"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def log(self, name: str) -> bytes:
        """The bytes of a log so far."""
        status, body = self.get(f"/log/{name}?follow=0")
        assert status == 200, body
        return body

    def status(self, name: str) -> dict[str, Any]:
        """What the server knows of a log."""
        status, body = self.get(f"/status/{name}")
        assert status == 200, body
        return dict(json.loads(body))

    def wait_for(self, name: str, size: int, state: str = "") -> dict[str, Any]:
        """Wait until a log has `size` bytes at least, and is in `state`. Returns its status."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            status, body = self.get(f"/status/{name}?wait=5")
            known: dict[str, Any] = json.loads(body) if status == 200 else {"size": -1, "state": ""}
            if known["size"] >= size and state in ("", known["state"]):
                return known
            assert time.monotonic() < deadline, known
            self.get(f"/status/{name}?wait=1&size={known['size']}&state={known['state'] or 'live'}")


@contextlib.contextmanager
def place(
    home: Path, *, durable: bool = True, running: bool = True, variables: Mapping[str, str] | None = None
) -> Iterator[Place]:
    """A place whose server runs, unless it shall not yet."""
    home.mkdir(exist_ok=True)
    with reserved_port() as put, reserved_port() as get:
        here = Place(home, (put, get), durable=durable)
        try:
            if running:
                here.start(**(variables or {}))
            yield here
            trouble = (home / "server.log").read_text() if running else ""
            assert "Traceback" not in trouble, trouble
        finally:
            here.kill()


class Proxy:
    """A way to `url` over TCP which breaks: each connection is cut, in both directions, after so many bytes.

    `cuts`: for each connection, in their order, the bytes that it lets through, both directions together; those beyond let
    everything through. A cut is a reset.
    """

    def __init__(self, url: str, cuts: Sequence[int]) -> None:
        host, _, port = url.rpartition("/")[2].partition(":")
        self._target = host, int(port)
        self._cuts = iter(cuts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cut = 0
        """How many connections were cut so far."""
        self._held = False
        self._open: set[socket.socket] = set()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(TIMEOUT)
        self._listener.close()
        self.cut_all()

    def hold(self) -> None:
        """Cut what is open, and whatever comes, until `let_go`."""
        self._held = True
        self.cut_all()

    def let_go(self) -> None:
        """Let connections through again."""
        self._held = False

    def cut_all(self) -> None:
        """Cut what is open."""
        for one in list(self._open):
            _reset(one)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self._target, TIMEOUT)
            except OSError:
                _reset(near)
                continue
            self._open |= {near, far}
            if self._held:  # looked at last: no connection slips through while `hold` cuts the others
                self.cut_all()
            left = _Left(next(self._cuts, 2**62))
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, target, left), daemon=True).start()

    def _send_on(self, data: bytes, target: socket.socket) -> None:
        target.sendall(data)

    def _pass_on(self, source: socket.socket, target: socket.socket, left: "_Left") -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                share, is_last = left.take(len(data))
                if is_last:
                    self.cut += 1
                self._send_on(data[:share], target)
                if is_last or share < len(data):
                    break
            else:
                target.shutdown(socket.SHUT_WR)
                return
        for one in (source, target):
            _reset(one)
            self._open.discard(one)


class _Left:
    """The bytes that a connection still lets through, of which both of its directions take."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()

    def take(self, size: int) -> tuple[int, bool]:
        """How many of `size` bytes may pass, and whether the last ones of the connection are among them."""
        with self._lock:
            share = min(size, self._size)
            self._size -= share
            return share, share > 0 and self._size == 0


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that is none of logs: it says `answer` after the end of every body in chunks, or every head, that it gets."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                with near:
                    received = b""
                    while data := near.recv(65536):
                        received += data
                        head, end, body = received.partition(b"\r\n\r\n")
                        if end and (b"chunked" not in head or (end + body).endswith(b"\r\n0\r\n\r\n")):
                            near.sendall(answer)
                            received = b""

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def unreachable() -> Iterator[str]:
    """A server whose queue is full: the system neither makes nor refuses a connection to it."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something of which no event tells, looking often."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, f"not within {TIMEOUT:g} s: {what}"
        threading.Event().wait(0.02)


def links(output: bytes) -> list[str]:
    """The links that a command has told."""
    return LINK.findall(output.decode())


def peak_memory(pid: int) -> int:
    """Bytes of memory that a process, which may have ended but was not waited for, has occupied at most."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def lines(count: int, *, start: int = 0) -> bytes:
    """Numbered lines."""
    return b"".join(b"line %d\n" % number for number in range(start, start + count))
