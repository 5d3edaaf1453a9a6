"""Limits: what goes beyond them is refused clearly and in time, and everybody else goes on.

Categories: request heads that come slowly, never, or without end · idle connections · too many readers · no file
descriptors left · readers that accept nothing · logs that are too large · bytes that are not HTTP.
"""

import contextlib
import random
import resource
import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conformance.link import Address, Connection
from tests.conformance.wire import AnswerParser, Ending, WireFault
from tests.harness import TIMEOUT, TOKEN, Server, ask, chunk

from .pattern import Producer, Reader
from .servers import FOLLOW, assert_no_fault, begin, elapse, open_sockets, running, wait_until

pytestmark = pytest.mark.needs("prlimit")

PORTS: dict[str, Callable[[Server], Address]] = {"put": lambda server: server.put, "get": lambda server: server.get}

both_ports = pytest.mark.parametrize("port", PORTS)


@pytest.fixture(scope="module")
def hasty() -> Iterator[Server]:
    """A server that waits for heads one second only."""
    with running({"LIVELOG_IDLE_TIMEOUT": "1"}) as server:
        yield server


@contextlib.contextmanager
def live_stream(server: Server) -> Iterator[None]:
    """A log that is live and followed in the meantime, and comes to a clean end."""
    with contextlib.closing(begin(server)) as producer, contextlib.closing(server.get_log()) as reader:
        producer.send(chunk(b"before "))
        reader.wait(lambda answer: answer.body == b"before ", "the first bytes")
        yield
        producer.send(chunk(b"after") + chunk(b""))
        head = producer.wait_end().head
        assert head is not None
        assert head.status in (200, 201)
        answer = reader.wait_end()
        assert (bytes(answer.body), answer.ending) == (b"before after", Ending.CLEAN)


def read_to_close(client: socket.socket, timeout: float = TIMEOUT) -> bytes:
    """What comes before the server closes."""
    client.settimeout(timeout)
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := client.recv(65536):
            data += piece
    return data


def assert_refusal(data: bytes, *statuses: int) -> None:
    """`data` is nothing, or one well-formed answer with one of `statuses`."""
    if not data:
        return
    answer = AnswerParser("GET")
    answer.feed(data)
    answer.close(orderly=True)
    assert answer.head is not None
    assert answer.head.status in statuses, data


@both_ports
def test_head_that_comes_byte_by_byte_is_timed_out(hasty: Server, port: str) -> None:
    """Each byte is an event, and none of them buys more time."""
    head = b"GET /" + b"x" * 4000 + b" HTTP/1.1\r\n"
    with live_stream(hasty), socket.create_connection((hasty.put.host, PORTS[port](hasty).port)) as client:
        sent, deadline, closed = 0, time.monotonic() + TIMEOUT, False
        while not closed:
            assert time.monotonic() < deadline, f"still open after {sent} bytes"
            with contextlib.suppress(ConnectionError):
                client.send(head[sent : sent + 1])
            sent += 1
            # A byte every 20 ms, or at once what the server says.
            closed = bool(select.select([client], [], [], 0.02)[0])
        assert 3 < sent < 1000
        assert_refusal(read_to_close(client), 408)


@both_ports
def test_head_that_stops_in_the_middle_is_timed_out(hasty: Server, port: str) -> None:
    """Half a head, and then nothing."""
    with socket.create_connection((hasty.put.host, PORTS[port](hasty).port)) as client:
        client.sendall(b"GET /log/x HTTP/1.1\r\nHost: a\r\n")
        assert_refusal(read_to_close(client), 408)


@both_ports
def test_idle_connections_are_closed_and_a_quiet_stream_is_not(hasty: Server, port: str) -> None:
    """Two hundred connections that say nothing; a log on which nothing happens for longer than they may live."""
    with live_stream(hasty), contextlib.ExitStack() as stack:
        before = open_sockets(hasty.pid)
        address = PORTS[port](hasty)
        idle = [stack.enter_context(socket.create_connection((address.host, address.port))) for _ in range(200)]
        for client in idle:
            assert read_to_close(client) == b""
        elapse(1.5)
        wait_until(lambda: open_sockets(hasty.pid) <= before, "all idle connections are gone")


@both_ports
def test_connection_is_closed_when_idle_after_an_answer(hasty: Server, port: str) -> None:
    """Keep-alive is for those that use it."""
    with contextlib.closing(hasty.connect(producer=port == "put")) as connection:
        ask(connection, "GET", "/nothing")
        assert connection.wait_end().head is not None
        connection.wait_closed()


@both_ports
@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: x\r\n" * 100_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X" * 100_000 + b": x\r\n\r\n",
    ],
    ids=["long target", "long field", "many fields", "long name"],
)
def test_oversized_head_is_refused(hasty: Server, port: str, head: bytes) -> None:
    """With a status that says so, and the connection is closed."""
    with live_stream(hasty), socket.create_connection((hasty.put.host, PORTS[port](hasty).port)) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(head)
        assert_refusal(read_to_close(client), 400, 414, 431)


@both_ports
def test_head_without_an_end_is_cut_off(hasty: Server, port: str) -> None:
    """Sent as fast as the server takes it, without costing it memory for ever."""
    with live_stream(hasty), socket.create_connection((hasty.put.host, PORTS[port](hasty).port)) as client:
        client.settimeout(TIMEOUT)
        client.sendall(b"GET / HTTP/1.1\r\n")
        sent = 0
        try:
            while sent < 1 << 28:
                sent += client.send(b"X-Filler: " + b"y" * 1000 + b"\r\n")
        except ConnectionError:
            pass
        assert sent < 1 << 28


def test_one_reader_too_many_is_told_503_and_the_others_go_on() -> None:
    """LIVELOG_MAX_READERS connections; there is place again when one has left."""
    with running({"LIVELOG_MAX_READERS": "3"}) as server, contextlib.ExitStack() as stack:
        producer = stack.enter_context(contextlib.closing(begin(server)))
        readers = [stack.enter_context(contextlib.closing(server.get_log())) for _ in range(3)]
        for reader in readers:
            assert reader.wait_head().status == 200
        for _ in range(2):
            with contextlib.closing(server.get_log()) as beyond:
                head = beyond.wait_end().head
                assert head is not None
                assert head.status == 503
                assert head.get("Retry-After") == "1"
                assert head.get("Access-Control-Allow-Origin") == "*"
        readers.pop().close()
        newcomer = stack.enter_context(contextlib.closing(admitted(server)))
        producer.send(chunk(b"all") + chunk(b""))
        for reader in (*readers, newcomer):
            answer = reader.wait_end()
            assert (bytes(answer.body), answer.ending) == (b"all", Ending.CLEAN)


def admitted(server: Server) -> Connection:
    """A reader that is served, as soon as there is place for one."""
    found: list[Connection] = []

    def is_served() -> bool:
        reader = server.get_log()
        if reader.wait_head().status == 200:
            found.append(reader)
        else:
            reader.close()
        return bool(found)

    wait_until(is_served, "a place for a new reader")
    return found[0]


def can_read(server: Server) -> bool:
    """Whether a new connection is served, and not refused."""
    try:
        with contextlib.closing(server.get_log(method="HEAD")) as connection:
            return connection.wait_head().status == 200
    except (WireFault, ConnectionError):
        return False


def test_refused_reader_may_try_again_on_its_connection() -> None:
    """A client that does as Retry-After says, on the connection that it has, must not be refused for ever."""
    with running({"LIVELOG_MAX_READERS": "1"}) as server, contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.closing(begin(server)))
        reader = stack.enter_context(contextlib.closing(server.get_log()))
        assert reader.wait_head().status == 200
        refused = stack.enter_context(contextlib.closing(server.get_log()))
        head = refused.wait_end().head
        assert head is not None
        assert head.status == 503
        if head.get("Connection") == "close":
            refused.wait_closed()
            return
        reader.close()

        def served() -> bool:
            refused.settle()
            ask(refused, "HEAD", f"/log/{TOKEN}")
            return refused.wait_head().status == 200

        wait_until(served, "an answer on the connection that was refused once")


def test_live_stream_goes_on_when_all_file_descriptors_are_taken() -> None:
    """A flood of connections to a server that may open few files; new readers are served when it is over."""
    with running(wrapper=("prlimit", "--nofile=400:400")) as server:
        with live_stream(server), contextlib.ExitStack() as stack:
            flood = [stack.enter_context(socket.create_connection((server.get.host, server.get.port)))]
            for _ in range(500):
                flood.append(stack.enter_context(socket.create_connection((server.get.host, server.get.port))))
            refused = 0
            for client in reversed(flood):
                with contextlib.suppress(ConnectionError):
                    client.sendall(f"GET /log/{TOKEN}?follow=0 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                client.settimeout(TIMEOUT)
                with contextlib.suppress(ConnectionError):
                    refused += b"HTTP/1.1 503 " in client.recv(65536)
            assert refused > 0
            with contextlib.closing(server.connect(producer=True)) as second:
                ask(second, "PUT", "/log", "Content-Length: 0")
                assert second.wait_head().status == 409  # producers have file descriptors of their own
        wait_until(lambda: can_read(server), "a new reader is served")
        lines = server.log().count("\n")
        assert lines < 5000, f"the server's log was flooded with {lines} lines"


def test_slow_readers_leave_file_descriptors_for_producers() -> None:
    """As many as the server admits, all of them in the middle of a download: a new log can begin all the same."""
    with running(wrapper=("prlimit", "--nofile=600:600")) as server, contextlib.ExitStack() as stack:
        with Producer(server) as producer:
            producer.send(20_000_000)
            assert producer.finish() == 201
        for _ in range(344):
            stack.enter_context(Reader(server.get, receive_buffer=4096))
        with Producer(server) as producer:
            producer.send(1000)
            assert producer.finish() == 200


@both_ports
def test_live_stream_goes_on_when_no_connection_can_be_accepted(port: str) -> None:
    """The limit falls below what the server counts on: accept fails, and works again when others have left."""
    with running() as server, live_stream(server):
        files = open_sockets(server.pid) + 40
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (files, files))
        address = PORTS[port](server)
        with contextlib.ExitStack() as stack:
            for _ in range(100):
                stack.enter_context(socket.create_connection((address.host, address.port)))
            wait_until(lambda: "Too many open files" in server.log(), "the limit is reached")
            elapse(2.5)  # asyncio tries again each second
        wait_until(lambda: can_read(server), "a new reader is served")
        lines = server.log().count("\n")
        assert lines < 1000, f"the server's log was flooded with {lines} lines"


def test_reader_that_accepts_nothing_is_cut_off_and_slow_and_quiet_ones_are_not() -> None:
    """LIVELOG_STALL_TIMEOUT is about a socket that takes no byte, not about speed, nor about a log without news."""
    with running({"LIVELOG_STALL_TIMEOUT": "2"}) as server, contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        producer.send(20_000_000)
        quiet = stack.enter_context(Reader(server.get))
        quiet.read_to(producer.offset)
        before = open_sockets(server.pid)
        stalled = [
            stack.enter_context(Reader(server.get, *headers, receive_buffer=4096, version=version))
            for headers in ((), (FOLLOW,), ("Range: bytes=0-",))
            for version in ("1.1", "1.0")
        ]
        slow = stack.enter_context(Reader(server.get, receive_buffer=16_384))
        began, gone = time.monotonic(), False
        while not gone or time.monotonic() < began + 5:
            assert time.monotonic() < began + TIMEOUT, "readers that accept nothing are still served"
            slow.read(20_000)
            elapse(0.1)
            gone = gone or open_sockets(server.pid) <= before + 2  # the slow one may need two
        producer.send(1000)
        assert producer.finish() == 201
        slow.hurry()
        for reader in (slow, quiet):
            assert reader.read_to_end() is Ending.CLEAN
            assert reader.offset == producer.offset
        for reader in stalled:
            assert reader.read_to_end() is Ending.CUT
            assert reader.offset < 20_000_000


def test_connections_after_a_stalled_reader_was_cut_off_are_served() -> None:
    """Nothing of it stays behind: the next connections get its file descriptors, and are as good as any."""
    size = 20_000_000
    with running({"LIVELOG_STALL_TIMEOUT": "0.5"}) as server, contextlib.ExitStack() as stack:
        with Producer(server) as producer:
            producer.send(size)
            assert producer.finish() == 201
        before = open_sockets(server.pid)
        for _ in range(5):
            assert stack.enter_context(Reader(server.get, receive_buffer=4096)).head.status == 200
        wait_until(lambda: open_sockets(server.pid) <= before, "the stalled readers are cut off")
        for _ in range(10):
            with Reader(server.get) as reader:
                assert reader.read_to_end() is Ending.CLEAN
                assert reader.offset == size


def test_reader_of_an_aborted_log_that_accepts_nothing_is_cut_off() -> None:
    """HTTP/1.0, where the server must see that all was taken before it may reset."""
    with running({"LIVELOG_STALL_TIMEOUT": "1"}) as server, contextlib.ExitStack() as stack:
        with Producer(server) as producer:
            stalled = stack.enter_context(Reader(server.get, receive_buffer=4096, version="1.0"))
            assert stalled.head.status == 200
            # More than the window of the reader, less than what the server's own system takes: nothing is blocked.
            producer.send(40_000)
            before = open_sockets(server.pid)
        wait_until(lambda: open_sockets(server.pid) <= before - 2, "the reader's connection is closed")


@pytest.mark.parametrize("expects", [True, False])
def test_log_too_large_by_its_length_is_refused_before_its_body(*, expects: bool) -> None:
    """413, no 100 Continue, and the log that was there stays."""
    with running({"LIVELOG_MAX_LOG_SIZE": "1000"}) as server:
        with Producer(server, 1000) as producer:
            producer.send(1000)
            assert producer.finish() == 201
        with contextlib.closing(server.connect(producer=True)) as connection:
            expectation = ("Expect: 100-continue",) if expects else ()
            ask(connection, "PUT", "/log", "Content-Length: 1001", *expectation)
            answer = connection.wait_end()
            assert answer.head is not None
            assert (answer.head.status, answer.interims) == (413, [])
            assert b"1000 bytes" in answer.body
        answer = server.read_log()
        assert (len(answer.body), answer.ending) == (1000, Ending.CLEAN)


@pytest.mark.parametrize("piece", [1, 7, 150])
def test_log_too_large_has_all_bytes_up_to_the_limit(piece: int) -> None:
    """However they arrive."""
    with running({"LIVELOG_MAX_LOG_SIZE": "100"}) as server:
        with contextlib.closing(begin(server)) as producer:
            producer.send(b"".join(chunk(b"x" * piece) for _ in range(0, 150, piece)))
            answer = producer.wait_end()
            assert answer.head is not None
            assert answer.head.status == 413
        answer = server.read_log()
        assert (len(answer.body), answer.ending) == (100, Ending.CUT)


def test_log_that_grows_too_large_is_aborted_and_its_producer_told() -> None:
    """413 in the middle of a chunked body; readers keep what is within the limit, and see the cut."""
    limit = 1_000_000
    with running({"LIVELOG_MAX_LOG_SIZE": str(limit)}) as server, contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        readers = [
            stack.enter_context(Reader(server.get, *headers, version=version))
            for headers, version in (((), "1.1"), ((f"Range: bytes=0-{limit + 1}",), "1.1"), ((), "1.0"))
        ]
        producer.send(limit, 10_000)
        for reader in readers:
            reader.read_to(limit)
        producer.send(10 * limit)
        answer = producer.connection.wait_end()
        assert answer.head is not None
        assert answer.head.status == 413
        for reader in readers:
            assert reader.read_to_end() is Ending.CUT
            assert reader.offset == limit
        producer.connection.close()
        with Producer(server) as producer:
            producer.send(limit, 99_999)
            assert producer.finish() == 200


GARBAGE = {
    "TLS": bytes.fromhex("16030100a5010000a10303") + bytes(160),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\4\0\0\0\0\0",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "zeros": bytes(10_000),
    "line feeds": b"\n" * 10_000,
    "CRLFs": b"\r\n" * 10_000,
    "spaces": b" " * 10_000,
    "no version": b"GET /log\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: a\n\n",
    "HTTP/3": b"GET / HTTP/3.0\r\nHost: a\r\n\r\n",
    "not a method": b"G\xffT / HTTP/1.1\r\nHost: a\r\n\r\n",
    "not a target": b"GET \xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
    "absolute nonsense": b"GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "port nonsense": b"GET http://a:99999999/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "null in field": b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    "two lengths": b"PUT /log HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and coding": b"PUT /log HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\n",
    "huge length": b"PUT /log HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
    "negative length": b"PUT /log HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "CONNECT": b"CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "upgrade": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "random": random.Random(7).randbytes(20_000),
}


@both_ports
@pytest.mark.parametrize("kind", GARBAGE)
def test_bytes_that_are_not_http_disturb_nobody(hasty: Server, port: str, kind: str) -> None:
    """They are answered as an error or not at all, their connection is closed, and nothing failed in the server."""
    with live_stream(hasty):
        with socket.create_connection((hasty.put.host, PORTS[port](hasty).port)) as client:
            client.sendall(GARBAGE[kind])
            data = read_to_close(client)
        if data:
            answer = AnswerParser("GET")
            answer.feed(data)
            answer.close(orderly=True)
            assert answer.head is not None
            assert answer.head.status < 500 or answer.head.status in (501, 505), data
    assert_no_fault(hasty)


@both_ports
def test_random_garbage_on_many_connections_disturbs_nobody(hasty: Server, port: str) -> None:
    """Mutated requests, some cut off, on connections that are closed or reset at once."""
    source = random.Random(11)
    request = f"PUT /log HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nRange: bytes=0-\r\n\r\n{TOKEN}"
    with live_stream(hasty):
        before = open_sockets(hasty.pid)
        for _ in range(300):
            data = bytearray(request.encode())
            for _ in range(source.randrange(1, 8)):
                data[source.randrange(len(data))] = source.choice(b"\0\r\n :;\xff/Aa0")
            connection = Connection(PORTS[port](hasty), TIMEOUT)
            connection.send(bytes(data[: source.randrange(len(data))]))
            if source.random() < 0.5:
                connection.reset()
            connection.close()
        wait_until(lambda: open_sockets(hasty.pid) <= before, "the server has seen them all leave")
    assert_no_fault(hasty)
