"""The server stops, asked to or not: honest ends for readers, bounded time, nothing left behind.

Categories: SIGTERM and SIGINT with readers of every kind · a complete log that is being downloaded · the bound on
that · a second signal · SIGKILL · requests that wait for a log · connections without a request.
"""

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.wire import Ending
from tests.harness import TIMEOUT, TOKEN, Server, ask, reserved_port, serving
from tests.sample import sample

from .kept import last_words
from .pattern import Producer, Reader
from .servers import FOLLOW, assert_no_fault, running, wait_until

MB = 1_000_000

SIGNALS = [signal.SIGTERM, signal.SIGINT]


def accepts(server: Server) -> bool:
    """Whether either port takes connections."""
    for producer in (True, False):
        with contextlib.suppress(ConnectionError):
            server.connect(producer=producer).close()
            return True
    return False


@contextlib.contextmanager
def stopping(environment: dict[str, str]) -> Iterator[Server]:
    """A server that has been told to stop by the end of the block, and stops with 0 and without a fault."""
    with serving(environment) as server:
        yield server
        assert server.process.wait(TIMEOUT) == 0, server.log()
        assert_no_fault(server)


@pytest.mark.parametrize("number", sample(SIGNALS, signal.SIGTERM))
def test_live_log_is_aborted_and_its_readers_are_cut(number: int) -> None:
    """Readers with nothing to do, caught up, and catching up: none may believe that the log is whole."""
    with stopping({"LIVELOG_SHUTDOWN_TIMEOUT": "600"}) as server, contextlib.ExitStack() as stack:
        idle = [
            stack.enter_context(socket.create_connection((address.host, address.port)))
            for address in (server.get, server.put)
        ]
        kept = stack.enter_context(contextlib.closing(server.connect()))
        producer = stack.enter_context(Producer(server))
        ask(kept, "GET", f"/log/{TOKEN}?follow=0")
        assert kept.wait_end().ending is Ending.CLEAN
        producer.send(10 * MB)
        kinds: list[tuple[tuple[str, ...], str]] = [((), "1.1"), ((FOLLOW,), "1.1"), ((), "1.0")]
        current = [stack.enter_context(Reader(server.get, *headers, version=version)) for headers, version in kinds]
        behind = [
            stack.enter_context(Reader(server.get, *headers, version=version, receive_buffer=4096))
            for headers, version in kinds
        ]
        for reader in current:
            reader.read_to(producer.offset)
        for reader in behind:
            assert reader.head.status in (200, 206)
        server.process.send_signal(number)
        for reader in current:
            assert reader.read_to_end() is Ending.CUT
            assert reader.offset == producer.offset
        for reader in behind:
            reader.hurry()
            assert reader.read_to_end() is Ending.CUT
            assert reader.offset == producer.offset, "the time for the rest was not given"
        kept.wait_closed()
        for client in idle:
            client.settimeout(TIMEOUT)
            assert client.recv(100) == b""
        assert server.process.wait(TIMEOUT) == 0
        assert not accepts(server)


@pytest.mark.parametrize("number", sample(SIGNALS, signal.SIGTERM))
def test_complete_log_that_is_being_downloaded_is_sent_to_its_end(number: int) -> None:
    """Within LIVELOG_SHUTDOWN_TIMEOUT; and the server stops as soon as it is done, not later."""
    size = 40 * MB
    with stopping({"LIVELOG_SHUTDOWN_TIMEOUT": "600"}) as server, contextlib.ExitStack() as stack:
        with Producer(server) as producer:
            follower = stack.enter_context(Reader(server.get, receive_buffer=4096))
            assert follower.head.status == 200
            producer.send(size)
            assert producer.finish() == 201
        readers = [
            follower,
            stack.enter_context(Reader(server.get, receive_buffer=4096)),
            stack.enter_context(Reader(server.get, "Range: bytes=5-", start=5, receive_buffer=4096)),
            stack.enter_context(Reader(server.get, receive_buffer=4096, version="1.0")),
        ]
        for reader in readers:
            assert reader.head.status in (200, 206)
        server.process.send_signal(number)
        wait_until(lambda: not accepts(server), "nobody new is accepted")
        for reader in readers:
            reader.hurry()
            assert reader.read_to_end() is Ending.CLEAN
            assert reader.offset == size
        assert server.process.wait(TIMEOUT) == 0


def test_reader_that_takes_too_long_is_cut_when_the_time_is_over() -> None:
    """It reads nothing; the server does not wait for it longer than LIVELOG_SHUTDOWN_TIMEOUT."""
    size = 20 * MB
    with stopping({"LIVELOG_SHUTDOWN_TIMEOUT": "1"}) as server, contextlib.ExitStack() as stack:
        with Producer(server) as producer:
            producer.send(size)
            assert producer.finish() == 201
        stuck = [
            stack.enter_context(Reader(server.get, receive_buffer=4096, version=version)) for version in ("1.1", "1.0")
        ]
        for reader in stuck:
            assert reader.head.status == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(TIMEOUT) == 0
        for reader in stuck:
            assert reader.read_to_end() is Ending.CUT
            assert reader.offset < size


@pytest.mark.parametrize("version", sample(["1.1", "1.0"], "1.1"))
def test_follower_that_takes_too_long_is_cut_when_the_time_is_over(version: str) -> None:
    """The same for the live log: even over HTTP/1.0 what it has got does not look like all."""
    with stopping({"LIVELOG_SHUTDOWN_TIMEOUT": "1"}) as server, contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        stuck = stack.enter_context(Reader(server.get, receive_buffer=4096, version=version))
        assert stuck.head.status == 200
        producer.send(20 * MB)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(TIMEOUT) == 0
        assert stuck.read_to_end() is Ending.CUT


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_second_signal_exits_at_once(first: int, second: int) -> None:
    """Whoever does not want to wait for readers says so twice."""
    with serving({"LIVELOG_SHUTDOWN_TIMEOUT": "600"}) as server, contextlib.ExitStack() as stack:
        with Producer(server) as producer:
            producer.send(20 * MB)
            assert producer.finish() == 201
        reader = stack.enter_context(Reader(server.get, receive_buffer=4096))
        assert reader.head.status == 200
        server.process.send_signal(first)
        wait_until(lambda: "stopping" in server.log(), "the first signal is noticed")
        assert server.process.poll() is None
        server.process.send_signal(second)
        assert server.process.wait(TIMEOUT) != 0
        assert reader.read_to_end() is Ending.CUT


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_in_the_temporary_directory(tmp_path: Path, number: int) -> None:
    """Nor is there anything to see while logs are live."""
    with serving({"LIVELOG_TEMP_DIR": str(tmp_path), "LIVELOG_SHUTDOWN_TIMEOUT": "0.5"}) as server:
        with Producer(server) as producer, Reader(server.get) as reader:
            producer.send(5 * MB)
            reader.read_to(5 * MB)
            assert os.listdir(tmp_path) == []
            server.process.send_signal(number)
            assert reader.read_to_end() is Ending.CUT
            server.process.wait(TIMEOUT)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_killed_server_cuts_its_followers(version: str) -> None:
    """SIGKILL in the middle of a live log: no reader sees a clean end, whatever its HTTP version."""
    with serving() as server, Producer(server) as producer, Reader(server.get, version=version) as reader:
        producer.send(1000)
        reader.read_to(1000)
        server.process.kill()
        assert reader.read_to_end() is Ending.CUT


@pytest.mark.parametrize("resource", ["log", "events"])
def test_a_server_that_is_killed_at_the_first_byte_of_its_answers_cuts_them(resource: str) -> None:
    """HTTP/1.0, where the end of the connection is the end of the answer: what makes it honest comes before the head."""
    for _ in range(4):
        with serving() as server, Producer(server) as producer, contextlib.ExitStack() as stack:
            producer.send(1000)
            readers = [stack.enter_context(contextlib.closing(server.connect())) for _ in range(40)]
            for reader in readers:
                ask(reader, "GET", f"/{resource}/{TOKEN}", version="1.0")
            readers[0].wait_head()
            server.process.kill()
            for reader in readers:
                answer = last_words(reader)
                assert answer.head is None or answer.ending is Ending.CUT


@pytest.mark.parametrize("headers", [("Prefer: wait=300",), ()])
def test_requests_that_wait_for_a_log_end_at_once(headers: tuple[str, ...]) -> None:
    """They will not see one; they are told so, or cut off, and the server does not wait for them."""
    with stopping({"LIVELOG_SHUTDOWN_TIMEOUT": "600"}) as server, contextlib.ExitStack() as stack:
        query = "" if headers else "?wait=300"
        waiting = [stack.enter_context(contextlib.closing(server.get_log(*headers, query=query))) for _ in range(10)]
        with contextlib.closing(server.get_log()) as other:
            assert other.wait_head().status == 404  # behind the others, so those are waiting now
        server.process.send_signal(signal.SIGTERM)
        for connection in waiting:
            head = connection.wait_end().head
            assert head is not None
            assert head.status in (404, 503)


def test_request_that_arrives_while_the_server_stops_does_not_hold_it() -> None:
    """On a connection from before: it is answered or cut, and the server still stops."""
    size = 20 * MB
    with stopping({"LIVELOG_SHUTDOWN_TIMEOUT": "600"}) as server, contextlib.ExitStack() as stack:
        with Producer(server) as producer:
            producer.send(size)
            assert producer.finish() == 201
        downloading = stack.enter_context(Reader(server.get, receive_buffer=4096))
        assert downloading.head.status == 200
        pipelined = stack.enter_context(Reader(server.get, "Range: bytes=0-", receive_buffer=4096))
        assert pipelined.head.status == 206
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not accepts(server), "nobody new is accepted")
        pipelined.ask_again(f"/log/{TOKEN}?wait=300")
        for reader in (downloading, pipelined):
            reader.hurry()
        assert downloading.read_to_end() is Ending.CLEAN
        assert downloading.offset == size
        pipelined.read_to_end()  # closed with a request unread, its connection may be reset in front of the last bytes


def test_server_without_connections_stops_at_once() -> None:
    """SIGTERM right behind the ready line."""
    for number in SIGNALS:
        with stopping({"LIVELOG_SHUTDOWN_TIMEOUT": "600"}) as server:
            server.process.send_signal(number)


def test_ports_can_be_used_again_at_once() -> None:
    """A server that is started again on the same ports does not wait for connections that linger."""
    with reserved_port() as put, reserved_port() as get:
        ports = {"LIVELOG_PUT_PORT": str(put), "LIVELOG_GET_PORT": str(get)}
        for _ in range(2):
            with running(ports) as server, Producer(server) as producer, Reader(server.get) as reader:
                producer.send(1000)
                reader.read_to(1000)
                assert server.stop() == 0
                assert reader.read_to_end() is Ending.CUT
