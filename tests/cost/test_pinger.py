"""While a server gets whatever a stranger may send or have in a log, others wait for a quarter of a second at most.

Categories: requests · bodies · connections · questions about a log. Beside each, `pinger` asks both ports all the time. A
wait that is too long counts if the same input makes it long again, three times: what holds the server up does so each time.

Answers are not judged here, and those that take long are not waited for: their processes have the lowest priority.
"""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from livelog.tokens import Access
from tests.conformance.link import Connection
from tests.harness import TIMEOUT, TOKEN, Server, ask
from tests.integration.logs import send
from tests.integration.servers import elapse, running
from tests.sample import sample

LONGEST = 0.25
"""Seconds."""

TRIES = 3

AT_ONCE = 4
"""Hostile clients, each with a connection of its own."""

LOOKING = 1.0
"""Seconds for which questions about a log are waited for."""

MANY = 1100
"""Logs that there are."""

AS_USERS_HAVE_IT = ("sh", "-c", 'exec "$0" -m livelog')
"""What starts the server without Python's development mode, in which everything takes several times as long."""

MIB = 1 << 20


class Pinger:
    """A process that pings `server`; see `pinger`."""

    def __init__(self, server: Server) -> None:
        targets = (str(server.put.port), "/healthz", str(server.get.port), f"/status/{TOKEN}/log")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cost.pinger", str(server.pid), *targets],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def longest(self) -> float:
        """Seconds of the longest wait since the last call, or the beginning."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        waits = json.loads(self._process.stdout.readline())
        assert all(count for _, count in waits.values())
        return max(float(wait) for wait, _ in waits.values())

    def sleep(self) -> tuple[str, int]:
        """The state of the process, S while it waits for an event; and how many times it has had a processor so far."""
        of_process = Path(f"/proc/{self._process.pid}")
        state = (of_process / "stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        return state, int((of_process / "schedstat").read_text(encoding="ascii").split()[2])

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=TIMEOUT)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with many logs."""
    with running(wrapper=AS_USERS_HAVE_IT) as server:
        with contextlib.closing(server.connect(producer=True)) as producer:
            for first in range(0, MANY, 100):
                for number in range(first, first + 100):
                    ask(producer, "PUT", f"/log/many/{number}", "Content-Length: 2", "Livelog-Title: one of many")
                    producer.send(b"x\n")
                for _ in range(100):
                    assert producer.wait_end().head is not None
                    producer.settle()
        assert send(server, "log", b"a line\n" * 1000).status == 201
        yield server


@pytest.fixture(scope="module")
def pinger(server: Server) -> Iterator[Pinger]:
    """A process that pings it."""
    with contextlib.closing(Pinger(server)) as made:
        yield made


def assert_nobody_waits(pinger: Pinger, work: Callable[[], object]) -> None:
    """No wait beside `work` is too long, three times in a row."""
    waits: list[float] = []
    while len(waits) < TRIES:
        pinger.longest()
        work()
        waits.append(pinger.longest())
        if waits[-1] <= LONGEST:
            return
    raise AssertionError(f"the longest waits: {waits} s")


def test_wait_for_a_server_that_is_held_is_seen(server: Server, pinger: Pinger) -> None:
    """So the others can fail."""

    def hold() -> None:
        os.kill(server.pid, signal.SIGSTOP)
        slept = 0  # it may have to wait for a processor before it asks: only from then on does it wait for the server
        while slept < 24:  # all the time for which threads of the server wait for a processor afterwards is subtracted
            before = pinger.sleep()
            elapse(LONGEST / 4)
            slept = slept + 1 if pinger.sleep() == before == ("S", before[1]) else 0
        os.kill(server.pid, signal.SIGCONT)

    with pytest.raises(AssertionError, match="the longest waits"):
        assert_nobody_waits(pinger, hold)


# Requests.


def again(field: str, item: str, size: int = 60_000) -> tuple[str, ...]:
    """A field of that item again and again, in as many lines as a head may have bytes for."""
    return (f"{field}: {item * (8000 // len(item))}",) * (size // 8000)


READ, LINES, SEARCH = f"/log/{TOKEN}/log", f"/lines/{TOKEN}/log", f"/search/{TOKEN}/log"
EXPIRED = Access(TOKEN).read_token("log", 1)

REQUESTS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "ranges": ("GET", READ, ("Range: bytes=" + ",".join(f"{2 * i}-{2 * i}" for i in range(1400)),)),
    "ranges that overlap": ("GET", READ, ("Range: bytes=" + "0-,-5," * 1300 + "1-",)),
    "a range of many digits": ("GET", READ, (f"Range: bytes={'1' * 4000}-{'9' * 4000}",)),
    "entity-tags": ("GET", READ, again("If-None-Match", '"a",')),
    "entity-tags that do not end": ("GET", READ, again("If-Match", '"')),
    "preferences": ("GET", READ, again("Prefer", "wait , ")),
    "media types": ("GET", "/nothing", again("Accept", "a/b;q=0.1,")),
    "parameters": ("GET", LINES + "?tail=1&" + "a=&" * 2500, ()),
    "escapes in parameters": ("GET", LINES + "?tail=1&a=" + "%ff" * 2600, ()),
    "a number of many digits": ("GET", LINES + "?from=" + "9" * 7000, ()),
    "a time of many digits": ("GET", LINES + "?time=" + "9" * 7000, ()),
    "a name of escapes": ("GET", f"/log/{TOKEN}/" + "%2f" * 2600, ()),
    "a name of dots": ("PUT", "/log/" + "a./" * 2600, ()),
    "a token of dots": ("GET", "/log/" + "a." * 4000, ()),
    "a link that has expired": ("GET", f"/log/{EXPIRED}/log", ()),
    "a bearer": ("GET", "/log/x", ("Authorization: Bearer " + "a." * 4000,)),
    "the list": ("GET", f"/logs/{TOKEN}?limit=1000", ()),
    "the list of those in a state": ("GET", f"/logs/{TOKEN}?limit=1000&state=live", ()),
    "status that waits": ("GET", f"/status/{TOKEN}/log?wait=1&size=7000&" + "state=complete&" * 500, ()),
    "a log that does not begin": ("GET", f"/log/{TOKEN}/none?wait=1", ()),
    "preflight": ("OPTIONS", READ, ("Origin: http://a", "Access-Control-Request-Method: GET",
                                    *again("Access-Control-Request-Headers", "x-a,"))),
    "metrics": ("GET", "/metrics", again("Accept", "text/plain;version=0.0.4;q=0.1,")),
    "labels": ("PUT", "/log/hostile", again("Livelog-Label", "a=b,")),
    "a title of accents": ("PUT", "/log/hostile", ('Livelog-Title: %"' + "%cc%81" * 1300 + '"',)),
    "digests": ("PUT", "/log/hostile", again("Content-Digest", "sha-256=:AAAA:;a;b=1,")),
    "digests that are wanted": ("PUT", "/log/hostile", again("Want-Repr-Digest", "a=(1 2;b 3),")),
    "an inner list in a list": ("PUT", "/log/hostile", again("Repr-Digest", "((((")),
    "an upload's parameters": ("PUT", "/log/hostile", again("Upload-Complete", "?1;a;b;c;")),
    "an offset of many digits": ("PATCH", "/log/hostile", ("Upload-Offset: " + "9" * 7000,)),
    "a content type": ("PUT", "/log/hostile", ("Content-Type: text/plain" + " ;a=b" * 1500 + "!",)),
    "many fields": ("GET", READ, tuple(f"A{i}: b" for i in range(4000))),
    "options of the connection": ("GET", READ, again("Connection", "close, x,")),
    "languages of the page": ("GET", f"/view/{TOKEN}/log", again("Accept-Encoding", "gzip;q=0.1,")),
    "classes in a pattern": ("GET", SEARCH + "?regex=1&q=" + quote(r"[\0-\uffff]" * 80), ()),
    "a pattern that never ends": ("GET", SEARCH + "?regex=1&q=" + quote("(a| |l|.)+$") * 1, ()),
    "a pattern in itself": ("GET", SEARCH + "?regex=1&q=" + quote("(?:" * 100 + "x" + ")*" * 100), ()),
    "a pattern of repetitions": ("GET", SEARCH + "?regex=1&q=" + quote("(a?){30}" * 60), ()),
    "a text without letters' cases": ("GET", SEARCH + "?q=" + quote("ß" * 900), ()),
}  # fmt: skip


@pytest.mark.parametrize("hostile", sample(REQUESTS, "ranges that overlap", "digests", "the list"))
def test_hostile_request_keeps_nobody_waiting(server: Server, pinger: Pinger, hostile: str) -> None:
    method, target, fields = REQUESTS[hostile]
    producer = method in ("PUT", "PATCH") or target == "/metrics"

    def work() -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(AT_ONCE):
                client = stack.enter_context(contextlib.closing(server.connect(producer=producer)))
                ask(client, method, target, *fields, *(("Content-Length: 2",) if method == "PUT" else ()))
                client.send(b"x\n" if method == "PUT" else b"")
            elapse(0.1)

    assert_nobody_waits(pinger, work)


# Bodies.


def chunked(piece: bytes) -> tuple[tuple[str, ...], bytes]:
    return ("Transfer-Encoding: chunked",), piece * (MIB // len(piece)) + b"0\r\n\r\n"


BODIES: dict[str, tuple[tuple[str, ...], bytes]] = {
    "chunks of different sizes": chunked(b"1\r\na\r\n2\r\nab\r\n"),
    "chunks of a byte": chunked(b"1\r\na\r\n"),
    "chunks with long extensions": chunked(b"1;" + b"x" * 4000 + b"\r\na\r\n"),
    "a size of many digits": (("Transfer-Encoding: chunked",), b"0" * MIB),
    "trailers": (("Transfer-Encoding: chunked",), b"0\r\n" + b"a: b\r\n" * 100_000),
    "a body with a wrong digest": (
        (f"Content-Length: {16 * MIB}", f"Content-Digest: sha-512=:{'A' * 86}==:"), bytes(16 * MIB)),
    "no request at all": ((), b"\xff" * MIB),
}  # fmt: skip


@pytest.mark.parametrize("hostile", sample(BODIES, "chunks of a byte"))
def test_hostile_body_keeps_nobody_waiting(server: Server, pinger: Pinger, hostile: str) -> None:
    fields, body = BODIES[hostile]

    def work() -> None:
        with contextlib.ExitStack() as stack:
            producers = [stack.enter_context(contextlib.closing(server.connect(producer=True))) for _ in range(AT_ONCE)]
            for number, producer in enumerate(producers):
                if fields:
                    ask(producer, "PUT", f"/log/body/{number}", *fields)
                producer.send(body)
            elapse(0.1)

    assert_nobody_waits(pinger, work)


# Connections.


def test_request_that_comes_byte_by_byte_keeps_nobody_waiting(server: Server, pinger: Pinger) -> None:
    def work() -> None:
        with contextlib.closing(server.connect()) as client:
            client.ask("GET", "1.1", f"GET {READ} HTTP/1.1\r\n{'A: b' * 1000}\r\n".encode(), byte_by_byte=True)

    assert_nobody_waits(pinger, work)


def test_requests_in_one_piece_keep_nobody_waiting(server: Server, pinger: Pinger) -> None:
    """A thousand of them, whose answers nobody reads."""

    def work() -> None:
        with contextlib.closing(server.connect()) as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
            elapse(0.1)

    assert_nobody_waits(pinger, work)


def test_connections_that_come_and_go_keep_nobody_waiting(server: Server, pinger: Pinger) -> None:
    """Each in its way: without a word, with half a request, with an answer under way."""

    def work() -> None:
        for leave in (Connection.close, Connection.reset):
            clients = [server.connect() for _ in range(90)]
            for number, client in enumerate(clients):
                client.send((b"", b"GET /log", f"GET {READ} HTTP/1.1\r\nHost: a\r\n\r\n".encode())[number % 3])
            for client in clients:
                leave(client)

    assert_nobody_waits(pinger, work)


def test_followers_that_do_not_read_keep_nobody_waiting(server: Server, pinger: Pinger) -> None:
    """As bytes, as events, from the end, beside a producer that sends a byte at a time."""

    def work() -> None:
        with contextlib.ExitStack() as stack:
            producer = stack.enter_context(contextlib.closing(server.connect(producer=True)))
            ask(producer, "PUT", "/log/followed", "Transfer-Encoding: chunked")
            producer.send(b"40000\r\n" + b"line\x1b[31m\r" * 26214 + b"....\r\n")
            for number in range(60):
                follower = stack.enter_context(contextlib.closing(server.connect()))
                resource = ("log", "events", "log")[number % 3]
                ask(follower, "GET", f"/{resource}/{TOKEN}/followed" + ("", "", "?tail=5")[number % 3])
            for _ in range(2000):
                producer.send(b"1\r\n\n\r\n")
            elapse(0.1)

    assert_nobody_waits(pinger, work)


# Questions about a log.

LOGS: dict[str, Callable[[], bytes]] = {
    "sections whose options never end": lambda: b"section_start:1:a[" * 60_000,
    "ends of sections that are not open": lambda: (
        b"".join(b"section_start:1:a%d\r\x1b[0K\n" % i for i in range(10_000)) + b"section_end:1:b\r\x1b[0K\n" * 50_000
    ),
    "groups of one line": lambda: b"::group::" + b"\xcc\x81" * 100 + b"\n" * 20_000,
    "groups with long titles": lambda: (b"::group::" + b"\xf0\x9f\x98\x80" * 200 + b"\n") * 10_000,
    "colours without a reset": lambda: b"\x1b[32mok\x1b[39m " * 300_000,
    "colours that are all different": lambda: b"".join(
        b"\x1b[38;2;%d;%d;%dm" % (i % 256, i // 256 % 256, i // 65536) for i in range(200_000)
    ),
    "a colour with many parameters": lambda: b"\x1b[" + b"1;" * MIB + b"m",
    "strings that never end": lambda: b"\x1b]0;" * MIB,
    "escapes": lambda: b"\x1b" * (4 * MIB),
    "empty lines": lambda: b"\n" * (4 * MIB),
    "carriage returns": lambda: b"\r" * (4 * MIB),
    "one line": lambda: b"x" * (8 * MIB),
    "bytes that are no text": lambda: bytes(range(128, 256)) * (32 * 1024),
    "errors": lambda: b"Error: error: ERROR FAILED panic: fatal\n" * 100_000,
}

QUESTIONS = (
    "groups", "lines?from=1000000&count=10000", "lines?at=3000000", "lines?tail=10000", "search?q=x&case=1",
    "search?q=no+such+text&dir=forward&from=0", "search?q=k&regex=1", "search?errors=1", "search?q=(x%2B)%2By&regex=1",
    "search?q=%5E&regex=1&limit=10000", "events", "log?tail=1000000", "log?tail=1&follow=0", "status",
)  # fmt: skip


@pytest.mark.parametrize("hostile", sample(LOGS, "colours that are all different", "one line"))
def test_questions_about_a_hostile_log_keep_nobody_waiting(server: Server, pinger: Pinger, hostile: str) -> None:
    name, content = f"hostile/{hashlib.sha256(hostile.encode()).hexdigest()[:8]}", LOGS[hostile]()

    def work() -> None:
        assert send(server, name, content).status in (200, 201)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(contextlib.closing(server.connect())) for _ in QUESTIONS]
            for client, question in zip(clients, QUESTIONS, strict=True):
                resource, _, query = question.partition("?")
                ask(client, "GET", f"/{resource}/{TOKEN}/{name}" + (f"?{query}" if query else ""))
            elapse(LOOKING)
            for client in clients:
                client.poll()

    assert_nobody_waits(pinger, work)
