"""The suite itself: that it refuses bad framing, wrong endings and misspelt cases.

1. wire: answers whole, byte by byte and with bytes behind them; every malformed answer is a fault.
2. multipart: exactly the parts that are announced.
3. casebook: what is not understood is an error; rows and repetitions.
4. runner: a scripted server that lies is found out.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import reserved_port

from .casebook import Append, Case, CaseError, Request, load
from .checks import Failure, events_in, mismatch
from .link import Address, Connection, Late
from .runner import TIMEOUT, Target, has_log, run_case, unmet_need
from .wire import AnswerParser, Ending, Framing, WireFault, multipart_parts

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;a=b\r\n\r\n!\r\n0\r\nX-Last: 1\r\n\r\n"


def parse(data: bytes, method: str = "GET", version: str = "1.1") -> AnswerParser:
    """The answer in `data`, whose parser must give the same in one piece and byte by byte."""
    whole, pieces = AnswerParser(method, version), AnswerParser(method, version)
    whole.feed(data)
    for number in range(len(data)):
        pieces.feed(data[number : number + 1])
    assert (whole.head, whole.body, whole.ending, whole.rest) == (
        pieces.head,
        pieces.body,
        pieces.ending,
        pieces.rest,
    )
    return whole


def feed(data: bytes, size: int) -> None:
    """Feed a new parser in pieces of `size`."""
    parser = AnswerParser("GET")
    for start in range(0, len(data), size):
        parser.feed(data[start : start + size])


# wire


@pytest.mark.parametrize(
    ("data", "framing", "body"),
    [
        (LENGTH, Framing.LENGTH, b"hello"),
        (b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", Framing.LENGTH, b""),
        (CHUNKED, Framing.CHUNKED, b"hello\r\n!"),
        (b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Framing.CHUNKED, b""),
        (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00A ; q="a;\\"b"\r\n0123456789\r\n0\r\n\r\n',
         Framing.CHUNKED, b"0123456789"),
        (b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 5\r\n\r\n', Framing.NONE, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Framing.NONE, b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH, Framing.LENGTH, b"hello"),
    ],
)  # fmt: skip
def test_a_well_formed_answer_is_read_to_its_end_and_no_further(data: bytes, framing: Framing, body: bytes) -> None:
    answer = parse(data + b"HTTP/1.1 next")
    assert (answer.framing, bytes(answer.body), answer.ending) == (framing, body, Ending.CLEAN)
    assert answer.rest == b"HTTP/1.1 next"


def test_the_answer_to_head_has_no_body_whatever_its_length() -> None:
    answer = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD")
    assert (answer.framing, answer.ending, answer.rest) == (Framing.NONE, Ending.CLEAN, b"")
    assert parse(LENGTH, "HEAD").rest == b"hello"


def test_fields_are_found_without_regard_to_case_and_joined() -> None:
    head = parse(b"HTTP/1.1 200 OK\r\nVARY: a \r\nvary:\tb\r\nX:\r\nContent-Length: 0\r\n\r\n").head
    assert head is not None
    assert (head.get("Vary"), head.get("x"), head.get("y")) == ("a, b", "", None)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"hello",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 600 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
        b"HTTP/1.1 200 OK\r\nX: 1\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: 1\rY: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n X: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: 1\r\n" + b"Y: 1\r\n" * 20000,
        b"HTTP/1.1 200 OK\r\nX: " + b"1" * 70000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nETag: "a"\r\nETag: "a"\r\n\r\n',
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/2\r\nContent-Range: bytes 0-1/2\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.0 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_a_malformed_head_is_a_fault(data: bytes) -> None:
    for size in (len(data) // 1000 + 1, len(data)):
        with pytest.raises(WireFault):
            feed(data, size)


@pytest.mark.parametrize(
    "body",
    [
        b"hello\r\n",
        b"\r\n",
        b"5\nhello\r\n",
        b"5 \r\nhello\r\n",
        b" 5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"5;\r\nhello\r\n",
        b"5;a=\r\nhello\r\n",
        b"00000000000000005\r\nhello\r\n",
        b"5\r\nhello0\r\n",
        b"5\r\nhell\r\n0\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nX : 1\r\n\r\n",
        b"5\r\nhello\r\n0\r\n5\r\nhello\r\n\r\n",
    ],
)
def test_a_malformed_chunk_is_a_fault(body: bytes) -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    for size in (1, len(data)):
        with pytest.raises(WireFault):
            feed(data, size)


@pytest.mark.parametrize("data", [LENGTH, CHUNKED])
def test_a_connection_closed_before_the_end_is_a_cut_wherever_it_happens(data: bytes) -> None:
    begin = data.index(b"\r\n\r\n") + 4
    for stop in range(len(data)):
        parser = AnswerParser("GET")
        parser.feed(data[:stop])
        if stop < begin:
            with pytest.raises(WireFault):
                parser.close(orderly=True)
        else:
            parser.close(orderly=True)
            assert parser.ending is Ending.CUT


@pytest.mark.parametrize(("orderly", "ending"), [(True, Ending.CLEAN), (False, Ending.CUT)])
def test_a_close_delimited_answer_ends_cleanly_only_by_an_orderly_close(*, orderly: bool, ending: Ending) -> None:
    parser = AnswerParser("GET", "1.0")
    parser.feed(b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert (parser.framing, parser.ending) == (Framing.CLOSE, None)
    parser.close(orderly=orderly)
    assert (bytes(parser.body), parser.ending) == (b"hello", ending)


def test_an_http_1_0_request_may_get_neither_chunks_nor_interim_answers() -> None:
    for data in (CHUNKED, b"HTTP/1.1 100 Continue\r\n\r\n"):
        with pytest.raises(WireFault):
            AnswerParser("GET", "1.0").feed(data)


@pytest.mark.parametrize(
    ("version", "head", "last"),
    [
        ("1.1", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", False),
        ("1.1", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n", True),
        ("1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n", True),
        ("1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n", False),
        ("1.1", b"HTTP/1.0 400 Bad Request\r\nContent-Length: 0\r\n", True),
    ],
)
def test_whether_an_answer_is_the_last_of_its_connection(version: str, head: bytes, *, last: bool) -> None:
    assert parse(head + b"\r\n", version=version).last is last


# multipart

PARTS = (
    b"--b\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n"
    b"--b\r\nContent-Range: bytes 5-6/10\r\n\r\n56\r\n--b--"
)


@pytest.mark.parametrize("body", [PARTS, b"\r\n" + PARTS, PARTS + b"\r\n"])
def test_the_parts_of_a_multipart_body(body: bytes) -> None:
    for kind in ("multipart/byteranges; boundary=b", 'Multipart/ByteRanges;boundary="b"'):
        parts = multipart_parts(kind, body)
        assert [(part.content_range, part.content_type, part.body) for part in parts] == [
            ("bytes 0-1/10", "text/plain", b"01"),
            ("bytes 5-6/10", None, b"56"),
        ]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/byteranges", PARTS),
        ("text/plain; boundary=b", PARTS),
        (f"multipart/byteranges; boundary={'b' * 71}", PARTS.replace(b"b", b"b" * 71)),
        ("multipart/byteranges; boundary=c", PARTS),
        ("multipart/byteranges; boundary=b", PARTS.removesuffix(b"--")),
        ("multipart/byteranges; boundary=b", PARTS + b"junk"),
        ("multipart/byteranges; boundary=b", b"junk" + PARTS),
        ("multipart/byteranges; boundary=b", PARTS.replace(b"\r\n01", b"\r\n012")),
        ("multipart/byteranges; boundary=b", PARTS.replace(b"\r\n01", b"\r\n0")),
        ("multipart/byteranges; boundary=b", PARTS.replace(b"Content-Range: bytes 5-6/10\r\n", b"")),
        ("multipart/byteranges; boundary=b", PARTS.replace(b"bytes 5-6/10", b"bytes=5-6/10")),
        ("multipart/byteranges; boundary=b", PARTS.replace(b"\r\n", b"\n")),
        ("multipart/byteranges; boundary=b", b"--b\r\nContent-Range: bytes 0-4/9\r\n\r\n\r\n--b\r\n--b--"),
    ],
)
def test_a_malformed_multipart_body_is_a_fault(kind: str, body: bytes) -> None:
    with pytest.raises(WireFault):
        multipart_parts(kind, body)


# casebook


def book(folder: Path, text: str) -> list[Case]:
    """The cases of a folder that holds one file."""
    (folder / "some.toml").write_text(text, "utf-8")
    return load(folder)


def test_a_case_becomes_steps(tmp_path: Path) -> None:
    (case,) = book(
        tmp_path,
        '[[case]]\nname = "n"\nlog = "live"\nheaders = ["Range: bytes=0-"]\nexpect = { status = 206 }\n'
        'then = [{ append = "x" }]',
    )
    request, append = case.steps
    assert isinstance(request, Request)
    assert request.line == "GET /log/{token} HTTP/1.1"
    assert request.expect is not None
    assert request.expect.status == (206,)
    assert append == Append("producer", b"x")
    assert (case.content, case.begins_log) == (b"0123456789", False)


def test_rows_and_repetitions_are_put_into_every_text(tmp_path: Path) -> None:
    one, two = book(
        tmp_path,
        '[[case]]\nname = "v {v}"\nlog = "complete"\ncontent = "{ab*3}{v}"\n'
        'vary = [{ v = "{9*3}", s = 200 }, { v = "x", s = [200, 206] }]\n'
        'request = "GET /{v} HTTP/1.0"\nexpect = { status = "{s}" }',
    )
    assert (one.name, one.content, two.name, two.content) == ("v {9*3}", b"ababab999", "v x", b"abababx")
    request = two.steps[0]
    assert isinstance(request, Request)
    assert (request.line, request.method, request.version) == ("GET /x HTTP/1.0", "GET", "1.0")
    assert request.expect is not None
    assert request.expect.status == (200, 206)


@pytest.mark.parametrize(
    "text",
    [
        'name = "n"',
        'name = "n"\nlog = "dead"',
        'name = "n"\nlog = "live"\nheader = []',
        'name = "n"\nlog = "live"\nexpect = { status = 200, staus = 1 }',
        'name = "n"\nlog = "live"\nexpect = { status = "200" }',
        'name = "n"\nlog = "live"\nexpect = { body = "x" }',
        'name = "n"\nlog = "live"\nexpect = { status = 200, ending = "clear" }',
        'name = "n"\nlog = "live"\nexpect = { status = 200, headers = { ETag = "{first}" } }',
        'name = "n"\nlog = "live"\nthen = [{ appendd = "x" }]',
        'name = "n"\nlog = "live"\nthen = [{ append = 5 }]',
        'name = "n"\nlog = "live"\nthen = { append = "x" }',
        'name = "n"\nlog = "live"\nheaders = "Range: bytes=0-"',
        'name = "n"\nlog = "live"\nhost = "no"',
        'name = "n"\nlog = "live"\n[[case]]\nname = "n"\nlog = "live"',
        'name = "n\\tm"\nlog = "live"',
        'name = "n',
    ],
)
def test_a_case_that_is_not_understood_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(CaseError):
        book(tmp_path, f"[[case]]\n{text}")


# runner

Script = Callable[[str], list[bytes]]

LATE = 3.0
"""Seconds that cases wait in tests of what never comes. What comes, comes before, also on a busy machine."""


@contextlib.contextmanager
def server(script: Script, timeout: float = TIMEOUT) -> Iterator[Target]:
    """A server that sends, for each request's first line, what the script says; an empty piece closes. `timeout`: seconds that the cases wait."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(ConnectionError), connection, connection.makefile("rb") as lines:
            while line := lines.readline():
                length = 0
                while (field := lines.readline()) not in (b"\r\n", b""):
                    if field.lower().startswith(b"content-length:"):
                        length = int(field[15:])
                lines.read(length)
                for piece in script(line.decode().strip()):
                    if not piece:
                        return
                    connection.sendall(piece)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=[connection], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    address = Address("127.0.0.1", listener.getsockname()[1])
    try:
        yield Target(address, address, "sesame", timeout)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def complete(*pieces: bytes) -> Script:
    """A server with a complete log whose GET is answered with `pieces`."""

    def script(line: str) -> list[bytes]:
        if line.startswith("PUT"):
            return [b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"]
        if line.startswith("OPTIONS"):
            return [b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", b""]
        return list(pieces)

    return script


def case_of(folder: Path, expect: str) -> Case:
    """A case about a complete log."""
    (case,) = book(folder, f'[[case]]\nname = "n"\nlog = "complete"\nexpect = {{ {expect} }}')
    return case


def test_a_good_answer_passes(tmp_path: Path) -> None:
    with server(complete(LENGTH)) as target:
        run_case(case_of(tmp_path, 'status = 200, body = "hello", reusable = true'), target)
        assert has_log(target)
        assert not target.unsettled


@pytest.mark.parametrize(
    ("expect", "pieces", "why"),
    [
        ("status = 206", [LENGTH], "status 200, expected 206; body b'hello'"),
        ('status = 200, body = "hullo"', [LENGTH], "first difference at 1"),
        ('status = 200, body = "hell"', [LENGTH], "body is 5 bytes, expected 4"),
        ('status = 200, body_match = "h.*x"', [LENGTH], "expected to match"),
        ('status = 200, framing = "chunked"', [LENGTH], "framing is content-length"),
        ('status = 200, headers = { ETag = "x" }', [LENGTH], "ETag is None, expected 'x'"),
        ('status = 200, match = { Content-Length = ["5", "6"] }', [LENGTH], "expected to match '6'"),
        ('status = 200, absent = ["content-length"]', [LENGTH], "content-length is '5', expected none"),
        ('status = 200, differ = { Content-Length = "5" }', [LENGTH], "expected another value"),
        ('status = 200, save = { x = "ETag" }', [LENGTH], "no ETag, and later steps need it"),
        ('status = 200, ending = "cut"', [LENGTH], "the answer is clean"),
        ("status = 200", [CHUNKED[:-4], b""], "the answer is cut"),
        ('status = 200, ending = "open"', [CHUNKED[:-4]], "no producer can go on"),
        ('status = 200, body = "hello", ending = "open"', [LENGTH], "the answer is clean after 5 bytes"),
        ("status = 200", [LENGTH + b"x"], "bytes after the end"),
        ("status = 200, reusable = true", [LENGTH, b""], "closed before a whole head"),
        ("status = 200, reusable = false", [LENGTH, b"x", b""], "bytes"),
        (
            "status = 200",
            [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: /log/sesame\r\n\r\n"],
            "contains the token",
        ),
        (
            "status = 404",
            [b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nsesame"],
            "contains the token",
        ),
        (
            'status = 200, parts = [{ range = "bytes 0-4/5", body = "hello" }]',
            [LENGTH],
            "Content-Range is None",
        ),
    ],
)
def test_a_server_that_does_not_keep_to_the_case_is_found_out(
    tmp_path: Path, expect: str, pieces: list[bytes], why: str
) -> None:
    with server(complete(*pieces)) as target:
        with pytest.raises(Failure) as caught:
            run_case(case_of(tmp_path, expect), target)
        assert why in str(caught.value)
        assert "sesame" not in str(caught.value)
        assert target.unsettled


@pytest.mark.long
@pytest.mark.parametrize(
    ("expect", "piece", "why"),
    [
        ("status = 200, reusable = false", LENGTH, "was not closed within"),
        ("status = 200", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", "no end of the answer"),
    ],
)
def test_a_server_that_does_not_end_is_late(tmp_path: Path, expect: str, piece: bytes, why: str) -> None:
    with server(complete(piece), LATE) as target, pytest.raises(Failure, match=why):
        run_case(case_of(tmp_path, expect), target)


def test_a_server_may_close_an_idle_connection_without_a_word(tmp_path: Path) -> None:
    with server(complete(LENGTH, b"")) as target:
        run_case(case_of(tmp_path, 'status = 200, body = "hello"'), target)


@pytest.mark.long
def test_a_producer_that_readers_never_see_is_late(tmp_path: Path) -> None:
    (case,) = book(tmp_path, '[[case]]\nname = "n"\nlog = "live"\nexpect = { status = 200 }')

    def script(line: str) -> list[bytes]:
        return [] if line.startswith("PUT") else [LENGTH]

    with server(script, LATE) as target, pytest.raises(Failure, match="readers do not see the log live"):
        run_case(case, target)


def test_a_producer_that_is_answered_too_early_is_a_failure(tmp_path: Path) -> None:
    (case,) = book(tmp_path, '[[case]]\nname = "n"\nlog = "live"\nexpect = { status = 200 }')

    def script(line: str) -> list[bytes]:
        return [b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n"] if line.startswith("PUT") else [LENGTH]

    with server(script) as target, pytest.raises(Failure, match="answered 409 Conflict when it began"):
        run_case(case, target)


def test_where_nobody_listens_there_is_no_log() -> None:
    with reserved_port() as port:
        address = Address("127.0.0.1", port)
        assert not has_log(Target(address, address, "sesame"))


def test_another_servers_token_is_told_at_once() -> None:
    denied = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
    with server(lambda _: [denied]) as target, pytest.raises(Failure, match="not the server's token"):
        has_log(target)


def test_cases_about_loopback_are_not_run_elsewhere(tmp_path: Path) -> None:
    (case,) = book(tmp_path, '[[case]]\nname = "n"\nlog = "none"\nneeds = "loopback"')
    here, there = Address("127.0.0.1", 1), Address("192.0.2.1", 1)
    assert unmet_need(case, Target(here, here, "sesame")) is None
    assert unmet_need(case, Target(there, here, "sesame")) is not None


def test_pipelined_answers_are_told_apart() -> None:
    with server(lambda line: [LENGTH.replace(b"hello", line[5:10].encode())]) as target:
        connection = Connection(target.get, target.timeout)
        for path in ("first", "other"):
            connection.ask("GET", "1.1", f"GET /{path} HTTP/1.1\r\n\r\n".encode())
        bodies = []
        while connection.waiting:
            bodies.append(bytes(connection.wait_end().body))
            connection.settle()
        connection.close()
        assert bodies == [b"first", b"other"]


def test_an_answer_that_does_not_come_is_late() -> None:
    with server(lambda _: []) as target:
        connection = Connection(target.get, 0.1)
        connection.ask("GET", "1.1", b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(Late, match="no answer within"):
            connection.wait_head()
        connection.close()


# JSON and events


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        ({"a": 1, "b": None}, {"a": 1}),
        ({"a": None}, {"a": None, "b": "!"}),
        ({"a": 1.5, "b": "x"}, {"a": "~[0-9.]+", "b": "~x|y"}),
        ({"a": None, "b": [1]}, {"a": "~null|2", "b": "~\\[.*\\]"}),
        ([{"a": 1}, {}], [{}, {}]),
    ],
)
def test_a_value_of_json_agrees_with_what_is_wanted_of_it(got: object, wanted: object) -> None:
    assert mismatch(got, wanted) is None


@pytest.mark.parametrize(
    ("got", "wanted", "where"),
    [
        ({"a": 1}, {"a": 2}, ".a is 1"),
        ({"a": 1}, {"a": True}, ".a is 1"),
        ({"a": 1}, {"a": "1"}, ".a is 1"),
        ({}, {"a": "~.*"}, ".a is missing"),
        ({"a": None}, {"a": "!"}, ".a is there"),
        ({"a": [{"b": "xy"}]}, {"a": [{"b": "~x"}]}, ".a[0].b is"),
        ([1, 2], [1], " is [1, 2]"),
        ([], {}, " is []"),
    ],
)
def test_where_a_value_of_json_differs_is_told(got: object, wanted: object, where: str) -> None:
    assert (mismatch(got, wanted) or "").startswith(where)


def test_events_are_read_whole_with_messages_joined_and_comments_left_out() -> None:
    stream = (
        b'event: state\ndata: {"state": "live"}\n\n'
        b': comment\n\nevent: readers\ndata: {"readers": 1}\n\n'
        b'id: 2\ndata: {"offset": 0, "text": "ab"}\n\nid: 3\ndata: {"offset": 2, "text": "c"}\n\n'
        b'id: 03\nevent: end\ndata: {}\n\ndata: {"half'
    )
    assert events_in(stream) == [
        ["state", {"state": "live"}], ["message", {"offset": 0, "text": "abc"}, "3"], ["end", {}, "03"],
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["{", "[]x", ""])
def test_a_case_whose_json_is_none_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.toml").write_text(
        f"[[case]]\nname = 'x'\nlog = 'live'\nexpect = {{ status = 200, ndjson = '{text}' }}\n"
    )
    with pytest.raises(CaseError, match="is not JSON"):
        load(tmp_path)
