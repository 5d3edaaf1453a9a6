"""Heads: each fault is told by its own name, as soon as it can be known, in however many pieces the head comes.

Categories: heads that are right · faults of the request line · faults of fields · pieces · cost.
"""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.errors import RequestError
from livelog.wire import problem
from livelog.wire.head import MAX_REMEMBERED, HeadReader, parse_head
from livelog.wire.problem import Problem

GOOD = [
    b"GET /log HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /log HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://a/log HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t z \t\r\n\r\n",
    b"PUT /log HTTP/1.1\r\nHost: a\r\nContent-Length:  12 \r\n\r\n",
    b"GET /" + b"x" * (problem.MAX_LINE - 1) + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * (problem.MAX_FIELDS - 1) + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
]

FAULTS: list[tuple[bytes, Problem]] = [
    (b"\x16\x03\x01\x00\xa5\x01", problem.NOT_HTTP),
    (b"SSH-2.0-OpenSSH_9.2\r\n", problem.NOT_HTTP),
    (bytes(100), problem.NOT_HTTP),
    (b" GET / HTTP/1.1\r\n", problem.NOT_HTTP),
    (b"GET /log\r\n", problem.NOT_HTTP),
    (b"GET  /log HTTP/1.1\r\n", problem.NOT_HTTP),
    (b"GET /a b HTTP/1.1\r\n", problem.NOT_HTTP),
    (b"GET /log HTTP/1.1 \r\n", problem.NOT_HTTP),
    (b"GET /log http/1.1\r\n", problem.NOT_HTTP),
    (b"GET /log HTTP/11\r\n", problem.NOT_HTTP),
    (b"G\xffT /log HTTP/1.1\r\n", problem.NOT_HTTP),
    (b"GET / HTTP/1.1\nHost: a\n\n", problem.CONTROL),
    (b"GET / HTTP/1.1\r\nX: \0\r\n", problem.CONTROL),
    (b"GET / HTTP/1.1\r\nX: a\rb\r\n", problem.CONTROL),
    (b"GET / HTTP/1.1\r\nX: a\x7f", problem.CONTROL),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", problem.VERSION),
    (b"GET /log HTTP/1.2\r\n", problem.VERSION),
    (b"GET /log HTTP/3.0\r\n", problem.VERSION),
    (b"GET /log HTTP/0.9\r\n", problem.VERSION),
    (b"FOO /log HTTP/1.1\r\n", problem.UNKNOWN_METHOD),
    (b"get /log HTTP/1.1\r\n", problem.UNKNOWN_METHOD),
    (b"PROPFIND /log HTTP/1.1\r\n", problem.UNKNOWN_METHOD),
    (b"CONNECT a:1 HTTP/1.1\r\n", problem.UNKNOWN_METHOD),
    (b"GET /" + b"x" * problem.MAX_LINE, problem.TARGET_TOO_LONG),
    (b"G" * 9000, problem.NOT_HTTP),
    (b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", problem.BAD_FIELD),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", problem.BAD_FIELD),
    (b"GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n", problem.BAD_FIELD),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n", problem.BAD_FIELD),
    (b"GET / HTTP/1.1\r\n\r\n", problem.NO_HOST),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", problem.NO_HOST),
    (b"GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", problem.NO_HOST),
    (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", problem.BAD_LENGTH),
    (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n", problem.BAD_LENGTH),
    (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 26 + b"\r\n\r\n", problem.BAD_LENGTH),
    (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", problem.BAD_LENGTH),
    (
        b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        problem.TWO_FRAMINGS,
    ),
    (b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", problem.MALFORMED),
    (b"PUT / HTTP/1.1\r\nHost: a\r\nServer: a\r\nserver: b\r\n\r\n", problem.MALFORMED),
    (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", problem.MALFORMED),
    (b"GET foo HTTP/1.1\r\nHost: a\r\n\r\n", problem.MALFORMED),
    (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", problem.MALFORMED),
    (b"GET http://a:65536/ HTTP/1.1\r\nHost: a\r\n\r\n", problem.MALFORMED),
    (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (problem.MAX_LINE + 1) + b"\r\n\r\n", problem.FIELD_TOO_LONG),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * problem.MAX_FIELDS + b"\r\n", problem.TOO_MANY_FIELDS),
    (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 12_000, problem.HEAD_TOO_LARGE),
]


def fault_of(pieces: list[bytes]) -> RequestError | None:
    """What is wrong with a head that comes in these pieces."""
    reader = HeadReader()
    try:
        for piece in pieces:
            if reader.feed(piece) is not None:
                parse_head(bytes(reader.data))
                return None
    except RequestError as error:
        return error
    raise AssertionError("the head has no end")


def is_of(error: RequestError | None, kind: Problem) -> bool:
    """Whether an error is of that kind."""
    return error is not None and error.status == kind.status and str(error) == kind.text.format(count=str(error)[-1])


@pytest.mark.parametrize("head", GOOD)
def test_a_head_that_is_right_is_taken_and_what_follows_is_given_back(head: bytes) -> None:
    reader = HeadReader()
    assert reader.feed(b"\r\n\n" + head + b"GET /next") == b"GET /next"
    assert bytes(reader.data) == head
    assert fault_of([head[place : place + 1] for place in range(len(head))]) is None


@pytest.mark.parametrize(("head", "kind"), FAULTS)
def test_each_fault_of_a_head_is_told_by_its_own_name(head: bytes, kind: Problem) -> None:
    assert is_of(fault_of([head]), kind), fault_of([head])


@pytest.mark.parametrize(("head", "kind"), [(head, kind) for head, kind in FAULTS if len(head) < 1000])
def test_a_fault_is_the_same_in_whatever_pieces_the_head_comes(head: bytes, kind: Problem) -> None:
    assert is_of(fault_of([head[place : place + 1] for place in range(len(head))]), kind)


def test_a_fault_of_the_request_line_is_told_before_the_head_ends() -> None:
    for head, kind in FAULTS:
        if kind in (problem.NOT_HTTP, problem.VERSION, problem.UNKNOWN_METHOD):
            line, end, _ = head.partition(b"\r\n")
            assert is_of(fault_of([line + end]), kind)


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_any_bytes_are_a_head_a_fault_or_not_enough_whatever_the_pieces(data: bytes, cuts: list[int]) -> None:
    def told(pieces: list[bytes]) -> str:
        try:
            return str(fault_of(pieces))
        except AssertionError as unfinished:
            return str(unfinished)

    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:stop] for start, stop in itertools.pairwise(places)]
    assert (told([data]) == "None") == (told(pieces) == "None")


def test_accept_is_found_in_a_head_that_was_refused() -> None:
    reader = HeadReader()
    with pytest.raises(RequestError):
        reader.feed(b"FOO / HTTP/1.1\r\nHost: a\r\nACCEPT: application/problem+json\r\n\r\n")
    assert reader.accept().strip() == "application/problem+json"
    assert HeadReader().accept() == ""


def test_the_cost_of_a_head_is_linear_in_its_bytes_and_pieces() -> None:
    def seconds(size: int) -> float:
        best = 1e9
        for _ in range(3):
            reader, began = HeadReader(), time.process_time()
            reader.feed(b"GET / HTTP/1.1\r\nHost: a\r\n")
            for _ in range(size):
                reader.feed(b"X: y\r\n")
            best = min(best, time.process_time() - began)
        return best

    assert seconds(8000) < 8 * max(seconds(2000), 0.002)


def test_a_client_that_asks_again_has_its_head_parsed_once() -> None:
    head = b"GET /status/t?a=1 HTTP/1.1\r\nHost: x\r\nX-Case: once\r\n\r\n"
    first = parse_head(head)
    assert dict(first.query) == {"a": "1"}
    assert parse_head(bytes(bytearray(head))) is first
    assert parse_head(head.replace(b"?a=1", b"?a=2")).query == {"a": "2"}


def test_a_head_with_a_fault_is_refused_each_time() -> None:
    for _ in range(3):
        with pytest.raises(RequestError):
            parse_head(b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n")


def test_a_large_head_is_not_kept() -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: %b\r\n\r\n" % (b"x" * MAX_REMEMBERED)
    assert parse_head(head) is not parse_head(head)
