"""What follows a request is the next request only if it is not that one's body, or a head that never ends.

Categories: bodies of requests that want none · a request hidden in a long body · heads without end · peers that left.
"""

import contextlib

import pytest

from tests.conformance.wire import Ending
from tests.harness import TIMEOUT, TOKEN, Server, ask, chunk

from .servers import begin, open_sockets, running, wait_until

HIDDEN = f"GET /log/{TOKEN}?follow=0 HTTP/1.1\r\nHost: a\r\n\r\n".encode()


@pytest.mark.parametrize("later", [False, True], ids=["with the head", "after the answer began"])
@pytest.mark.parametrize("query", ["", "?follow=0"])
@pytest.mark.parametrize("chunked", [False, True])
def test_body_of_a_get_is_not_its_next_request(*, chunked: bool, query: str, later: bool) -> None:
    """One answer, then the connection is closed."""
    body = chunk(HIDDEN) + chunk(b"") if chunked else HIDDEN
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(HIDDEN)}"
    with running() as server:
        with contextlib.closing(begin(server)) as producer:
            producer.send(chunk(b"a log") + chunk(b""))
            producer.wait_end()
        with contextlib.closing(server.connect()) as connection:
            ask(connection, "GET", f"/log/{TOKEN}{query}", framing)
            if later:
                connection.wait_head()
            connection.send(body)
            answer = connection.wait_end()
            assert (bytes(answer.body), answer.ending) == (b"a log", Ending.CLEAN)
            connection.wait_closed()


@pytest.mark.parametrize("length", [1000, 65536, 65537, 200_000])
def test_request_behind_a_body_is_never_taken_for_a_part_of_one(length: int) -> None:
    """Two PUTs in one go; the second one's body hides a third, which must never be run."""
    hidden = b"PUT /log HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nSMUGGLED"
    second = b"y" * length + hidden + b"z" * 1000
    head = b"PUT /log HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    with running() as server:
        for _ in range(10):
            with contextlib.closing(server.connect(producer=True)) as connection:
                connection.ask("PUT", "1.1", head % length + b"x" * length)
                connection.ask("PUT", "1.1", head % len(second) + second)
                first = connection.wait_end()
                assert first.head is not None
                assert first.head.status in (200, 201)
                closes = (first.head.get("connection") or "") == "close"
                connection.settle()
                if not closes:
                    answer = connection.wait_end()
                    assert answer.head is not None
                    assert answer.head.status == 200
            expected = b"x" * length if closes else second
            assert bytes(server.read_log().body) == expected


@pytest.mark.parametrize("producer", [False, True])
def test_head_without_end_is_refused(*, producer: bool) -> None:
    """Many fields, each within its limit: 431, and the connection is closed."""
    with running() as server, contextlib.closing(server.connect(producer=producer)) as connection:
        connection.ask("GET", "1.1", b"GET /log/x HTTP/1.1\r\nHost: a\r\n")
        for _ in range(40):
            connection.send(b"X: " + b"x" * 4000 + b"\r\n")
        head = connection.wait_head()
        assert head.status == 431
        connection.wait_end()
        connection.wait_closed()


def test_head_that_is_too_large_is_refused_even_if_it_comes_at_once(server: Server) -> None:
    """Whether all of it is there when it is looked at is chance."""
    filler = b"".join(b"X%d: %b\r\n" % (number, b"x" * 7000) for number in range(10))
    with contextlib.closing(server.connect(producer=True)) as connection:
        connection.ask("GET", "1.1", b"GET /log/x HTTP/1.1\r\nHost: localhost\r\n%b\r\n" % filler)
        assert connection.wait_head().status == 431
        connection.wait_end()
        connection.wait_closed()


def test_reader_that_left_while_it_waited_for_a_log_is_noticed() -> None:
    """Its end (FIN) frees its place, though nothing can be written to it yet."""
    with running() as server:
        before = open_sockets(server.pid)
        connections = [server.get_log(query="?wait=300") for _ in range(5)]
        wait_until(lambda: open_sockets(server.pid) == before + 5, "they are connected", TIMEOUT)
        for connection in connections:
            connection.close()
        wait_until(lambda: open_sockets(server.pid) <= before, "they have left", TIMEOUT)


def test_reader_that_ends_its_side_leaves_a_live_log() -> None:
    """At once or later: following needs both sides of a connection."""
    with running() as server, contextlib.closing(begin(server)) as producer:
        producer.send(chunk(b"live"))
        server.read_log("Range: bytes=0-3")
        before = open_sockets(server.pid)
        for _ in range(5):
            with contextlib.closing(server.get_log()) as connection:
                connection.finish_sending()
                assert connection.wait_end().ending is Ending.CUT
        wait_until(lambda: open_sockets(server.pid) <= before, "they have left", TIMEOUT)
