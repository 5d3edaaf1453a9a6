"""What is no request that the server knows is answered at once, each for its own reason, and no reset overtakes that.

Categories: HTTP/2, methods, versions, faults of heads · peers that go on sending · forms of the answer.
"""

import json
import socket

import pytest

from tests.conformance.wire import AnswerParser, Ending
from tests.harness import TIMEOUT, Server

from .servers import running

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000012040000000000") + bytes(18)

METHODS = "this method is not known here: the methods are DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"

REFUSED = [
    (PREFACE, 505, "this server speaks HTTP/1.1 and HTTP/1.0"),
    (b"GET /log HTTP/1.2\r\nHost: localhost\r\n\r\n", 505, "this server speaks HTTP/1.1 and HTTP/1.0"),
    (b"FOO /log HTTP/1.1\r\nHost: localhost\r\n\r\n", 501, METHODS),
    (b"PROPFIND /log HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n12345", 501, METHODS),
    (b"GET /log HTTP/1.1\r\n\r\n", 400, "a request has one Host field: this one has 0"),
    (b"GET /log HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 128 + b"\r\n", 431, "this request has more than 128 header fields"),
    (
        b"\x16\x03\x01\x00\xa5\x01\x00",
        400,
        "this is not an HTTP request: it does not begin with METHOD TARGET HTTP/1.1",
    ),
]  # fmt: skip


def answer_to(server: Server, data: bytes, more: bytes = b"", *, producer: bool = True) -> AnswerParser:
    """The answer to some bytes; `more` is sent before it is read, as long as the server takes it."""
    address = server.put if producer else server.get
    with socket.create_connection((address.host, address.port), TIMEOUT) as client:
        client.sendall(data)
        parser = AnswerParser("HEAD" if data.startswith(b"HEAD") else "GET")
        for start in range(0, len(more), 65536):
            client.sendall(more[start : start + 65536])
        while piece := client.recv(65536):
            parser.feed(piece)
        parser.close(orderly=True)
    return parser


@pytest.mark.parametrize("producer", [True, False])
@pytest.mark.parametrize(("data", "status", "text"), REFUSED)
def test_each_is_answered_with_its_own_status_and_reason(
    server: Server, data: bytes, status: int, text: str, *, producer: bool
) -> None:
    """In an orderly way, with the id that is in the server's log, too."""
    answer = answer_to(server, data, producer=producer)
    assert answer.head is not None
    assert (answer.head.status, bytes(answer.body).decode()) == (status, f"{text}\n")
    assert (answer.ending, answer.head.get("Connection")) == (Ending.CLEAN, "close")
    error_id = answer.head.get("Livelog-Error")
    [line] = [line for line in server.log().splitlines() if error_id is not None and error_id in line]
    assert (" WARNING " if status > 500 else " INFO ") in line
    assert answer.head.get("Access-Control-Allow-Origin") == (None if producer else "*")


@pytest.mark.parametrize(("data", "status", "text"), REFUSED)
def test_no_reset_overtakes_the_answer_of_a_peer_that_sends_on(
    server: Server, data: bytes, status: int, text: str
) -> None:
    """Two megabytes more, before it reads a word."""
    answer = answer_to(server, data, bytes(2_000_000))
    assert answer.head is not None
    assert (answer.head.status, bytes(answer.body).decode()) == (status, f"{text}\n")


def test_the_answer_is_a_problem_document_where_one_is_asked_for(server: Server) -> None:
    answer = answer_to(server, b"FOO / HTTP/1.1\r\nHost: a\r\nAccept: application/problem+json\r\n\r\n")
    assert answer.head is not None
    assert answer.head.get("Content-Type") == "application/problem+json; charset=utf-8"
    assert json.loads(bytes(answer.body)) == {
        "type": "about:blank", "title": "Not Implemented", "status": 501, "detail": METHODS,
    }  # fmt: skip


def test_a_head_of_head_is_refused_without_a_body(server: Server) -> None:
    answer = answer_to(server, b"HEAD /log HTTP/1.2\r\nHost: a\r\n\r\n")
    assert answer.head is not None
    assert (answer.head.status, bytes(answer.body)) == (505, b"")


def test_methods_that_http_knows_are_refused_by_what_they_are_asked_of(server: Server) -> None:
    """405 with Allow, not 501."""
    for method in (b"TRACE",):
        answer = answer_to(server, method + b" /log HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answer.head is not None
        assert answer.head.status == 405
        assert "PUT" in (answer.head.get("Allow") or "")


def test_a_refused_head_behind_an_answered_request_is_answered_in_order() -> None:
    with running() as server:
        good = b"HEAD /log/a HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with socket.create_connection((server.put.host, server.put.port), TIMEOUT) as client:
            client.sendall(good + b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n")
            data = b""
            while piece := client.recv(65536):
                data += piece
        assert data.startswith(b"HTTP/1.1 404 ")
        assert b" 501 Not Implemented\r\n" in data
