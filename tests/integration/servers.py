"""Servers that must come to no harm in a test, producers whose log has begun, and what the system says of a process.

Refuses to look into a server: `/proc` and its standard error tell any administrator as much.
"""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.conformance.link import Address, Connection
from tests.harness import TIMEOUT, Server, serving

FOLLOW = "Range: bytes=0-9007199254740991"
"""The header with which a reader follows a log by a range (RFC 8673)."""

GRACE = "0.5"
"""A short LIVELOG_SHUTDOWN_TIMEOUT, for tests whose subject is not the shutdown."""


HANDSHAKE = re.compile(
    r"^.* asyncio: Error on transport creation for incoming connection\n(?:(?!20\d\d-).*\n)*", re.MULTILINE
)


@contextlib.contextmanager
def running(
    environment: Mapping[str, str] | None = None, *, tls: Address | None = None, wrapper: Sequence[str] = ()
) -> Iterator[Server]:
    """A server that must not fail while a test uses it, and must stop with 0 when asked to."""
    variables = {"LIVELOG_SHUTDOWN_TIMEOUT": GRACE, **(environment or {})}
    with serving(variables, tls=tls, wrapper=wrapper) as server:
        yield server
        if server.process.poll() is None:
            assert server.stop() == 0, server.log()
        assert_no_fault(server)


def assert_no_fault(server: Server) -> None:
    """Nothing went wrong in the server that it did not expect."""
    # In its debug mode, asyncio tells of handshakes that failed. They are the client's affair.
    log = HANDSHAKE.sub("", server.log())
    for sign in ("Traceback", "Exception ignored", "never retrieved"):
        place = log.find(sign)
        if place >= 0:
            raise AssertionError(f"in the server's log: {log[max(0, place - 600) : place + 2500]}")


def begin(server: Server, *headers: str) -> Connection:
    """A producer whose chunked PUT has begun: readers who ask from now on get this log."""
    producer = server.begin_put("Expect: 100-continue", *headers)
    answer = producer.wait(lambda answer: bool(answer.interims), "100 Continue")
    assert [head.status for head in answer.interims] == [100], answer.head
    return producer


def wait_until(condition: Callable[[], bool], what: str, timeout: float = TIMEOUT) -> None:
    """Wait for something of which the system sends no event, looking often."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        elapse(0.01)


def elapse(seconds: float) -> None:
    """Let time go by, for tests of what time does: a timeout, or a reader that takes its time."""
    threading.Event().wait(seconds)


def open_sockets(pid: int) -> int:
    """How many sockets a process has open."""
    count = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since
            count += str(link.readlink()).startswith("socket:")
    return count


def resident_memory(pid: int) -> int:
    """Bytes of memory that a process occupies."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")
