"""Connections that carry more than one request, and requests that come in pieces or in heaps.

Categories: keep-alive behind every kind of answer · pipelined requests, in one packet and byte by byte · bodies in
the packet of their head, and what follows them there · 100-continue · heads cut everywhere · requests
behind an answer that is still live · who leaves in the middle.
"""

import contextlib
import itertools
from collections.abc import Iterator

import pytest

from tests.conformance.link import Connection
from tests.conformance.wire import AnswerParser, Ending, Head
from tests.harness import TOKEN, Server, ask, chunk

from .pattern import Producer
from .servers import FOLLOW, begin, open_sockets, running, wait_until

LOG = b"0123456789"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server for all tests here."""
    with running() as server:
        yield server


@pytest.fixture
def complete(server: Server) -> Server:
    """The server with a complete log."""
    put(server, LOG)
    return server


def put(server: Server, body: bytes) -> None:
    """Send a whole log."""
    with contextlib.closing(server.connect(producer=True)) as producer:
        ask(producer, "PUT", "/log", f"Content-Length: {len(body)}")
        producer.send(body)
        assert producer.wait_head().status in (200, 201)


def get_request(*headers: str, method: str = "GET", query: str = "") -> bytes:
    """A reader's request for the log."""
    return "\r\n".join((f"{method} /log/{TOKEN}{query} HTTP/1.1", "Host: localhost", *headers, "", "")).encode()


def put_request(*headers: str) -> bytes:
    """The head of a producer's request."""
    return "\r\n".join(("PUT /log HTTP/1.1", "Host: localhost", *headers, "", "")).encode()


def next_answer(connection: Connection) -> AnswerParser:
    """The next answer on a connection, whole and clean."""
    answer = connection.wait_end()
    assert answer.ending is Ending.CLEAN
    connection.settle()
    return answer


def status_of(answer: AnswerParser) -> int:
    """The status of an answer."""
    assert answer.head is not None
    return answer.head.status


REQUESTS = [
    ("GET", get_request(), 200, LOG),
    ("GET", get_request("Range: bytes=2-4"), 206, b"234"),
    ("HEAD", get_request(method="HEAD"), 200, b""),
    ("GET", get_request("Range: bytes=99-"), 416, None),
    ("GET", get_request("Range: bytes=0-0,9-"), 206, None),
    ("GET", get_request("If-None-Match: *"), 304, b""),
    ("GET", get_request('If-Match: "other"'), 412, None),
    ("OPTIONS", get_request(method="OPTIONS"), 204, b""),
    ("POST", get_request("Content-Length: 0", method="POST"), 405, None),
    ("GET", b"GET /elsewhere HTTP/1.1\r\nHost: a\r\n\r\n", 404, None),
    ("GET", b"GET /log/wrong HTTP/1.1\r\nHost: a\r\n\r\n", 401, b"Access denied"),
    ("GET", get_request(query="?tail=1"), 200, LOG),
]
"""Readers' requests whose answers are bounded, with their answers' status and body."""


def test_connection_is_kept_behind_every_bounded_answer(complete: Server) -> None:
    """All of them on one connection, in every order of two."""
    with contextlib.closing(complete.connect()) as connection:
        for first, second in itertools.product(REQUESTS, REQUESTS):
            for method, request, status, body in (first, second):
                connection.ask(method, "1.1", request)
                answer = next_answer(connection)
                assert status_of(answer) == status
                assert body is None or bytes(answer.body) == body


def test_request_with_a_body_nobody_wants_keeps_the_connection_or_says_that_it_does_not(complete: Server) -> None:
    """A client that reads the answer knows whether it may go on."""
    with contextlib.closing(complete.connect()) as connection:
        connection.ask("POST", "1.1", get_request("Content-Length: 3", method="POST") + b"abc")
        answer = next_answer(connection)
        assert answer.head is not None
        assert answer.head.status == 405
        if answer.head.get("Connection") == "close":
            connection.wait_closed()
        else:
            connection.ask("GET", "1.1", get_request())
            assert bytes(next_answer(connection).body) == LOG


def test_pipelined_requests_are_answered_in_order(complete: Server) -> None:
    """All in one packet."""
    with contextlib.closing(complete.connect()) as connection:
        for method, _, _, _ in REQUESTS:
            connection.ask(method, "1.1", b"")
        connection.send(b"".join(request for _, request, _, _ in REQUESTS))
        for _, _, status, body in REQUESTS:
            answer = next_answer(connection)
            assert status_of(answer) == status
            assert body is None or bytes(answer.body) == body


def test_pipelined_requests_are_answered_when_they_come_byte_by_byte(complete: Server) -> None:
    """Each byte in a packet of its own."""
    with contextlib.closing(complete.connect()) as connection:
        for method, _, _, _ in REQUESTS:
            connection.ask(method, "1.1", b"")
        for byte in b"".join(request for _, request, _, _ in REQUESTS):
            connection.send(bytes((byte,)))
        for _, _, status, body in REQUESTS:
            answer = next_answer(connection)
            assert status_of(answer) == status
            assert body is None or bytes(answer.body) == body


def test_head_may_be_cut_at_every_byte(complete: Server) -> None:
    """In two packets, on both ports, with the body behind a producer's head in the second one."""
    request = get_request("Range: bytes=2-4")
    with contextlib.closing(complete.connect()) as connection:
        for cut in range(1, len(request)):
            connection.ask("GET", "1.1", request[:cut])
            connection.send(request[cut:])
            assert bytes(next_answer(connection).body) == b"234"
    upload = put_request("Transfer-Encoding: chunked") + chunk(LOG) + chunk(b"")
    with contextlib.closing(complete.connect(producer=True)) as connection:
        for cut in range(1, len(upload)):
            connection.ask("PUT", "1.1", upload[:cut])
            connection.send(upload[cut:])
            assert status_of(next_answer(connection)) == 200
            assert complete.read_log().body == LOG


def test_upload_may_come_byte_by_byte(server: Server) -> None:
    """Head, chunk sizes, extensions, data, trailers, and the next request."""
    body = b"3;a=b\r\nabc\r\n" + b"01\r\n\n\r\n" + b"0;x\r\nT: v\r\n\r\n"
    with contextlib.closing(server.connect(producer=True)) as connection:
        for _ in range(2):
            connection.ask("PUT", "1.1", b"")
            for byte in put_request("Transfer-Encoding: chunked") + body:
                connection.send(bytes((byte,)))
            assert status_of(next_answer(connection)) in (200, 201)
            assert server.read_log().body == b"abc\n"


UPLOADS = {
    "chunked": put_request("Transfer-Encoding: chunked") + chunk(b"chunked") + chunk(b""),
    "chunked, empty": put_request("Transfer-Encoding: chunked") + chunk(b""),
    "length": put_request("Content-Length: 6") + b"length",
    "length 0": put_request("Content-Length: 0"),
    "no body": put_request(),
}

OTHERS = {
    "GET": ("GET", b"GET /log HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
    "GET elsewhere": ("GET", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    "HEAD": ("HEAD", b"HEAD /log HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
    "refused": ("PUT", put_request("Content-Length: 0", "Sec-Fetch-Site: cross-site"), 403),
}


@pytest.mark.parametrize("first", UPLOADS)
@pytest.mark.parametrize("second", UPLOADS)
@pytest.mark.parametrize("packets", ["one", "two"])
def test_producers_connection_may_be_used_again(server: Server, first: str, second: str, packets: str) -> None:
    """Any kind of upload behind any other, also in one packet; the log is the last one's."""
    with contextlib.closing(server.connect(producer=True)) as connection:
        for name in (first, second):
            connection.ask("PUT", "1.1", UPLOADS[name] if packets == "two" else b"")
            if packets == "two":
                assert status_of(next_answer(connection)) in (200, 201)
        if packets == "one":
            connection.send(UPLOADS[first] + UPLOADS[second])
            for _ in range(2):
                assert status_of(next_answer(connection)) in (200, 201)
    expected = UPLOADS[second].partition(b"\r\n\r\n")[2]
    if second.startswith("chunked"):
        expected = b"chunked" if second == "chunked" else b""
    assert server.read_log().body == expected


def test_connection_is_kept_or_closed_as_announced_behind_a_long_upload(server: Server) -> None:
    """A client that reads `Connection: close` knows that it needs another one."""
    body = b"L" * 300_000
    with contextlib.closing(server.connect(producer=True)) as connection:
        connection.ask("PUT", "1.1", put_request("Content-Length: 300000") + body)
        answer = connection.wait_end()
        assert status_of(answer) in (200, 201)
        assert answer.head is not None
        if answer.head.get("Connection") == "close":
            connection.wait_closed()
        else:
            connection.settle()
            connection.ask("PUT", "1.1", UPLOADS["length"])
            assert status_of(next_answer(connection)) == 200
            body = b"length"
    assert server.read_log().body == body


@pytest.mark.parametrize("kind", OTHERS)
def test_other_requests_may_follow_an_upload(server: Server, kind: str) -> None:
    """On the producers' connection, in one packet with it, and again an upload behind them."""
    method, request, status = OTHERS[kind]
    with contextlib.closing(server.connect(producer=True)) as connection:
        connection.ask("PUT", "1.1", b"")
        connection.ask(method, "1.1", b"")
        connection.ask("PUT", "1.1", b"")
        connection.send(UPLOADS["chunked"] + request + UPLOADS["length"])
        assert status_of(next_answer(connection)) in (200, 201)
        assert status_of(next_answer(connection)) == status
        assert status_of(next_answer(connection)) == 200
    assert server.read_log().body == b"length"


def test_many_pipelined_uploads_are_all_taken_in_order(server: Server) -> None:
    """Two hundred in one packet: each begins when the one before it was answered."""
    count = 200
    with contextlib.closing(server.connect(producer=True)) as connection:
        for _ in range(count):
            connection.ask("PUT", "1.1", b"")
        connection.send(
            b"".join(
                put_request("Transfer-Encoding: chunked") + chunk(b"log %d" % number) + chunk(b"")
                for number in range(count)
            )
        )
        for _ in range(count):
            assert status_of(next_answer(connection)) in (200, 201)
    assert server.read_log().body == b"log %d" % (count - 1)


def test_more_than_is_held_may_be_pipelined_behind_an_upload(server: Server) -> None:
    """Megabytes behind a head that is not decided on yet: nothing is lost, nothing is mixed up."""
    first, second = b"1" * 3_000_000, b"2" * 3_000_000
    with contextlib.closing(server.connect(producer=True)) as connection:
        connection.ask("PUT", "1.1", b"")
        connection.ask("PUT", "1.1", b"")
        connection.send(
            put_request("Transfer-Encoding: chunked")
            + chunk(first)
            + chunk(b"")
            + put_request("Transfer-Encoding: chunked")
            + chunk(second)
            + chunk(b"")
        )
        for _ in range(2):
            assert status_of(next_answer(connection)) in (200, 201)
    assert server.read_log().body == second


def test_bytes_in_the_packet_of_the_head_are_the_bodys_first(server: Server) -> None:
    """A part of the body comes with the head, the rest later; readers see each as it comes."""
    with contextlib.closing(server.connect(producer=True)) as producer:
        producer.ask("PUT", "1.1", put_request("Transfer-Encoding: chunked") + b"6\r\nfir")
        wait_until(lambda: server.read_log(query="?follow=0").body == b"fir", "the first bytes")
        with contextlib.closing(server.get_log()) as reader:
            reader.wait(lambda answer: answer.body == b"fir", "the first bytes")
            producer.send(b"st,\r\n")
            reader.wait(lambda answer: answer.body == b"first,", "the rest of the chunk")
            producer.send(chunk(b"second") + chunk(b""))
            assert bytes(next_answer(reader).body) == b"first,second"
        assert status_of(producer.wait_end()) == 200


@pytest.mark.parametrize("expectation", ["100-continue", "100-Continue"])
def test_continue_is_sent_before_the_body_and_not_after(server: Server, expectation: str) -> None:
    """Once, when the client waits for it; not when the body is there already."""
    with contextlib.closing(server.connect(producer=True)) as producer:
        producer.ask("PUT", "1.1", put_request("Content-Length: 2", f"Expect: {expectation}"))
        producer.wait(lambda answer: bool(answer.interims), "100 Continue")
        producer.send(b"ok")
        answer = next_answer(producer)
        assert ([head.status for head in answer.interims], status_of(answer)) == ([100], 200)
        producer.ask("PUT", "1.1", put_request("Content-Length: 2", f"Expect: {expectation}") + b"ok")
        answer = next_answer(producer)
        assert status_of(answer) == 200


def test_other_expectations_do_not_hang(server: Server) -> None:
    """417, or taken as if there were none."""
    with contextlib.closing(server.connect(producer=True)) as producer:
        producer.ask("PUT", "1.1", put_request("Content-Length: 2", "Expect: the-unexpected") + b"ok")
        assert producer.wait_head().status in (200, 417)


def test_second_producer_is_refused_without_being_told_to_continue(server: Server) -> None:
    """409 in place of 100, and the connection of one that sends its body all the same is drained."""
    with contextlib.closing(begin(server)) as first:
        with contextlib.closing(server.connect(producer=True)) as second:
            second.ask("PUT", "1.1", put_request("Content-Length: 5000000", "Expect: 100-continue"))
            answer = second.wait_end()
            assert (status_of(answer), answer.interims) == (409, [])
        with contextlib.closing(server.connect(producer=True)) as second:
            second.ask("PUT", "1.1", put_request("Content-Length: 5000000") + bytes(5_000_000))
            assert status_of(second.wait_end()) == 409
        first.send(chunk(b"first") + chunk(b""))
        assert status_of(first.wait_end()) == 200
    assert server.read_log().body == b"first"


def test_request_behind_a_live_answer_is_answered_when_that_has_ended(server: Server) -> None:
    """Several followers, each with another request in its pipeline."""
    with contextlib.closing(begin(server)) as producer, contextlib.ExitStack() as stack:
        followers = []
        for number in range(6):
            follower = stack.enter_context(contextlib.closing(server.connect()))
            follower.ask("GET", "1.1", b"")
            follower.ask("GET", "1.1", b"")
            first = get_request(FOLLOW) if number % 2 else get_request()
            follower.send(first + get_request("Range: bytes=0-1"))
            followers.append(follower)
        for follower in followers:
            assert follower.wait_head().status in (200, 206)
        for number in range(10):
            producer.send(chunk(b"%d" % number))
            expected = LOG[: number + 1]
            for follower in followers:
                follower.wait(lambda answer, expected=expected: answer.body == expected, "the next byte")  # type: ignore[misc]
        producer.send(chunk(b""))
        for follower in followers:
            assert bytes(next_answer(follower).body) == LOG
            second = next_answer(follower)
            assert (status_of(second), bytes(second.body)) == (206, b"01")


def test_request_behind_an_answer_that_is_cut_is_not_answered(server: Server) -> None:
    """A client that cannot tell where the first answer ends must not be sent a second."""
    producer = begin(server)
    with contextlib.closing(server.connect()) as follower:
        follower.ask("GET", "1.1", b"")
        follower.ask("GET", "1.1", b"")
        follower.send(get_request() + get_request("Range: bytes=0-1"))
        producer.send(chunk(LOG))
        follower.wait(lambda answer: answer.body == LOG, "the log so far")
        producer.reset()
        answer = follower.wait_end()
        assert (bytes(answer.body), answer.ending) == (LOG, Ending.CUT)


def test_log_may_be_written_and_followed_again_and_again_on_the_same_connections(server: Server) -> None:
    """One producer's connection, one reader's: ten logs."""
    with (
        contextlib.closing(server.connect(producer=True)) as producer,
        contextlib.closing(server.connect()) as reader,
    ):
        for number in range(10):
            producer.ask("PUT", "1.1", put_request("Transfer-Encoding: chunked", "Expect: 100-continue"))
            producer.wait(lambda answer: bool(answer.interims), "100 Continue")
            reader.ask("GET", "1.1", get_request())
            assert reader.wait_head().status == 200
            line = b"log %d\n" % number
            producer.send(chunk(line))
            reader.wait(lambda answer, line=line: answer.body == line, "the line")  # type: ignore[misc]
            producer.send(chunk(b""))
            assert status_of(next_answer(producer)) in (200, 201)
            assert bytes(next_answer(reader).body) == line


def test_empty_lines_before_a_request_are_ignored(complete: Server) -> None:
    """RFC 9112 section 2.2: one at least; some old clients send CRLF behind a body."""
    with contextlib.closing(complete.connect()) as connection:
        for _ in range(2):
            connection.ask("GET", "1.1", b"\r\n" + get_request())
            assert bytes(next_answer(connection).body) == LOG
    with contextlib.closing(complete.connect(producer=True)) as connection:
        for _ in range(2):
            connection.ask("PUT", "1.1", b"\r\n" + UPLOADS["length"] + b"\r\n")
            assert status_of(next_answer(connection)) == 200


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("option", ["close", "keep-alive"])
def test_connection_option_is_honoured(complete: Server, version: str, option: str) -> None:
    """What the client asks for is what happens, behind a bounded answer."""
    with contextlib.closing(complete.connect()) as connection:
        ask(connection, "GET", f"/log/{TOKEN}", f"Connection: {option}", version=version)
        answer = connection.wait_end()
        assert bytes(answer.body) == LOG
        if option == "close":
            connection.wait_closed()
            return
        connection.settle()
        ask(connection, "GET", f"/log/{TOKEN}", "Connection: keep-alive", version=version)
        assert bytes(connection.wait_end().body) == LOG


def test_reader_that_leaves_is_no_error_in_the_servers_log() -> None:
    """Leaving is what readers do."""
    with running() as server:
        with Producer(server) as producer:
            producer.send(1000)
            before = open_sockets(server.pid)
            for number in range(20):
                reader = server.get_log()
                head: Head = reader.wait_head()
                assert head.status == 200
                if number % 2:
                    reader.reset()
                reader.close()
            producer.send(1000)
            wait_until(lambda: open_sockets(server.pid) <= before, "the readers have left")
            assert producer.finish() == 201
        assert server.stop() == 0
        assert "ERROR" not in server.log()
