"""A producer's connection ends in the middle of the body, by FIN or by RST, at every place where it can.

Categories: every offset of a framed body (chunk header, data, CRLF, last chunk, trailers) · bodies of a known length ·
large logs cut at random · readers of every kind, current and new · the log that comes next · connections
that lose their producer in other ways (half-closed, killed).
"""

import contextlib
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.conformance.link import Connection
from tests.conformance.wire import Ending, Framing
from tests.harness import TOKEN, Server, ask, chunk
from tests.sample import sample

from .pattern import Producer, Reader
from .servers import FOLLOW, begin, running, wait_until

SEGMENTS = [
    (b"6;name=value\r\n", b""),
    (b"alpha\n", b"alpha\n"),
    (b"\r\n", b""),
    (b"00A\r\n", b""),
    (b"\x00\xff\r\n0\r\n\r\n\n", b"\x00\xff\r\n0\r\n\r\n\n"),
    (b"\r\n", b""),
    (b"0;last\r\n", b""),
    (b"Trailer: one\r\n", b""),
    (b"\r\n", b""),
]
"""A chunked body with everything that the framing may have: each piece of it, and what of that is content."""

BODY = b"".join(framed for framed, _ in SEGMENTS)

ENDS: dict[str, Callable[[Connection], None]] = {"FIN": Connection.close, "RST": Connection.reset}


def content_before(offset: int) -> bytes:
    """The content in the first `offset` bytes of `BODY`."""
    content = b""
    for framed, inside in SEGMENTS:
        content += inside[: max(0, offset)]
        offset -= len(framed)
    return content


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server for all tests here: whatever a producer did, the next one finds it unharmed."""
    with running() as server:
        yield server


def follow_in_all_ways(server: Server, stack: contextlib.ExitStack) -> dict[str, Connection]:
    """Readers of the current log of every kind that follow it to its end."""
    readers = {
        "plain": server.get_log(),
        "ranged": server.get_log(FOLLOW),
        "HTTP/1.0": server.get_log(version="1.0"),
        "keep-alive 1.0": server.get_log("Connection: keep-alive", version="1.0"),
    }
    for reader in readers.values():
        stack.callback(reader.close)
        assert reader.wait_head().status in (200, 206)
    return readers


def assert_readers_are_cut(readers: dict[str, Connection], content: bytes) -> None:
    """Every reader got `content`, and an end that cannot be taken for a clean one."""
    for kind, reader in readers.items():
        answer = reader.wait_end(f"{kind}: ")
        assert bytes(answer.body) == content, kind
        assert answer.ending is Ending.CUT, kind


def assert_log_is_aborted(server: Server, content: bytes) -> None:
    """What arrived can be read, and new readers learn that it is not all."""
    bounded = server.read_log(query="?follow=0")
    assert bounded.head is not None
    assert bounded.head.get("Livelog-State") == "aborted"
    assert bytes(bounded.body) == content
    assert bounded.ending is Ending.CLEAN
    for version in ("1.1", "1.0"):
        with contextlib.closing(server.get_log(version=version)) as reader:
            answer = reader.wait_end()
            assert (bytes(answer.body), answer.ending) == (content, Ending.CUT)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("offset", range(len(BODY)))
def test_readers_are_cut_wherever_the_body_breaks_off(server: Server, offset: int, end: str) -> None:
    """At each byte of the framing and of the content."""
    content = content_before(offset)
    with contextlib.ExitStack() as stack:
        producer = begin(server)
        stack.callback(producer.close)
        readers = follow_in_all_ways(server, stack)
        producer.send(BODY[:offset])
        for reader in readers.values():
            reader.wait(lambda answer: len(answer.body) >= len(content), "content")
        ENDS[end](producer)
        assert_readers_are_cut(readers, content)
    answer = server.read_log(query="?follow=0")
    assert answer.head is not None
    assert answer.head.get("Livelog-State") == "aborted"
    assert bytes(answer.body) == content


@pytest.mark.parametrize("end", ENDS)
def test_aborted_log_stays_readable_and_is_replaced_by_the_next(server: Server, end: str) -> None:
    """New readers see the cut, too; the next PUT is told 200, and its readers see nothing of the old log."""
    producer = begin(server)
    with contextlib.closing(server.get_log()) as reader:
        producer.send(chunk(b"half"))
        reader.wait(lambda answer: answer.body == b"half", "half")
        ENDS[end](producer)
        assert reader.wait_end().ending is Ending.CUT
    assert_log_is_aborted(server, b"half")
    with contextlib.closing(begin(server)) as producer:
        with contextlib.closing(server.get_log()) as reader:
            producer.send(chunk(b"whole") + chunk(b""))
            head = producer.wait_end().head
            assert head is not None
            assert head.status == 200
            answer = reader.wait_end()
            assert (bytes(answer.body), answer.ending) == (b"whole", Ending.CLEAN)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("sent", [0, 1, 9])
def test_readers_are_cut_when_a_body_is_shorter_than_its_length(server: Server, sent: int, end: str) -> None:
    """Content-Length: 10, and fewer bytes."""
    with contextlib.ExitStack() as stack:
        producer = Producer(server, 10)
        stack.callback(producer.connection.close)
        readers = follow_in_all_ways(server, stack)
        producer.connection.send(b"0123456789"[:sent])
        for reader in readers.values():
            reader.wait(lambda answer: len(answer.body) >= sent, "content")
        ENDS[end](producer.connection)
        assert_readers_are_cut(readers, b"0123456789"[:sent])
    assert_log_is_aborted(server, b"0123456789"[:sent])


@pytest.mark.parametrize("length", [None, len(b"whole")])
def test_log_is_complete_when_fin_follows_its_last_byte_at_once(server: Server, length: int | None) -> None:
    """A producer that half-closes behind its body has sent a whole log, and is answered."""
    body = b"whole" if length is not None else chunk(b"whole") + chunk(b"")
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    with contextlib.closing(server.connect(producer=True)) as producer:
        head = f"PUT /log HTTP/1.1\r\nHost: {server.put.authority}\r\n{framing}\r\n\r\n".encode()
        producer.ask("PUT", "1.1", head + body)
        producer.finish_sending()
        answered = producer.wait_head()
        assert answered.status in (200, 201)
    answer = server.read_log()
    assert (bytes(answer.body), answer.ending) == (b"whole", Ending.CLEAN)


def test_first_bytes_of_a_producer_that_leaves_at_once_are_kept(server: Server) -> None:
    """Head, one line and FIN arrive together: a program's last words are read all the same."""
    for number in range(30):
        words = b"panic %d\n" % number
        with contextlib.closing(server.connect(producer=True)) as producer:
            head = b"PUT /log HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            producer.send(head + chunk(words))
        wait_until(lambda words=words: server.read_log(query="?follow=0").body == words, "the line")  # type: ignore[misc]
        with contextlib.closing(server.get_log()) as reader:
            answer = reader.wait_end()
            assert (bytes(answer.body), answer.ending) == (words, Ending.CUT)


def test_producer_that_leaves_behind_its_head_harms_nobody() -> None:
    """RST right behind a whole head, a hundred times, at whatever the server is doing then."""
    with running() as server:
        for _ in range(100):
            with contextlib.closing(server.connect(producer=True)) as producer:
                producer.send(b"PUT /log HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
                producer.reset()
        wait_until(lambda: can_write(server), "the next producer may write")


def can_write(server: Server) -> bool:
    """Whether a log is taken; 409 means that the server has not seen yet that the last producer left."""
    with contextlib.closing(server.connect(producer=True)) as producer:
        ask(producer, "PUT", "/log", "Content-Length: 0")
        status = producer.wait_head().status
        assert status in (200, 201, 409)
        return status != 409


def test_log_is_complete_when_the_producer_leaves_without_the_answer(server: Server) -> None:
    """The body was whole: that the producer did not wait for 201 changes nothing about the log."""
    with contextlib.closing(begin(server)) as producer, contextlib.closing(server.get_log()) as reader:
        producer.send(chunk(b"whole") + chunk(b""))
        producer.close()
        answer = reader.wait_end()
        assert (bytes(answer.body), answer.ending) == (b"whole", Ending.CLEAN)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("seed", sample(range(6), 0, 1))
def test_slow_readers_get_all_that_arrived_of_a_large_log_and_then_the_cut(server: Server, seed: int, end: str) -> None:
    """The cut comes at a random place; a slow reader has most of the log still to read."""
    place = random.Random(seed)
    size, piece = place.randrange(1, 12_000_000), place.randrange(1, 300_000)
    with Producer(server) as producer, contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(Reader(server.get, *headers, receive_buffer=4096, version=version))
            for headers in ((), (FOLLOW,))
            for version in ("1.1", "1.0")
        ]
        quick = stack.enter_context(Reader(server.get))
        for reader in (quick, *slow):
            assert reader.head.status in (200, 206)
        producer.send(size, piece)
        quick.read_to(size)
        ENDS[end](producer.connection)
        assert quick.read_to_end() is Ending.CUT
        late = stack.enter_context(Reader(server.get, f"Range: bytes={size // 2}-", start=size // 2))
        assert late.read_to_end() is Ending.CLEAN
        assert late.offset == size
        for reader in slow:
            assert reader.read_to_end() is Ending.CUT
            assert reader.offset == size


def test_nothing_of_a_broken_chunk_is_lost_when_framing_is_wrong(server: Server) -> None:
    """A producer that breaks the framing is told so; its log is cut at the last byte that was content."""
    with contextlib.ExitStack() as stack:
        producer = begin(server)
        stack.callback(producer.close)
        readers = follow_in_all_ways(server, stack)
        producer.send(b"4\r\ngood\r\n4\r\nbad!!\r\n")
        answer = producer.wait_end()
        assert answer.head is not None
        assert answer.head.status == 400
        assert_readers_are_cut(readers, b"goodbad!")
    assert_log_is_aborted(server, b"goodbad!")


def test_bounded_answers_of_an_aborted_log_end_cleanly_and_keep_the_connection(server: Server) -> None:
    """Only an answer that promises the log to its end is cut."""
    producer = begin(server)
    producer.send(chunk(b"0123456789"))
    with contextlib.closing(server.get_log()) as reader:
        reader.wait(lambda answer: len(answer.body) == 10, "content")
        producer.reset()
        reader.wait_end()
    with contextlib.closing(server.get_log("Range: bytes=2-4")) as reader:
        answer = reader.wait_end()
        assert (bytes(answer.body), answer.ending, answer.framing) == (b"234", Ending.CLEAN, Framing.LENGTH)
        reader.settle()
        reader.ask("GET", "1.1", f"GET /log/{TOKEN}?follow=0 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        answer = reader.wait_end()
        assert bytes(answer.body) == b"0123456789"


def test_readers_are_cut_when_the_producers_process_is_killed(server: Server) -> None:
    """SIGKILL on a real process that is writing its log."""
    program = (
        "import socket, sys, time\n"
        "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
        "s.sendall(b'PUT /log HTTP/1.1\\r\\nHost: localhost\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n')\n"
        "s.sendall(b'5\\r\\nfirst\\r\\n')\n"
        "print('sent', flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(server.put.port)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"sent\n"
            wait_until(lambda: server.read_log(query="?follow=0").body == b"first", "the log's first bytes")
            with contextlib.closing(server.get_log()) as reader:
                reader.wait(lambda answer: answer.body == b"first", "content")
                process.kill()
                answer = reader.wait_end()
                assert (bytes(answer.body), answer.ending) == (b"first", Ending.CUT)
        finally:
            process.kill()


def test_second_producer_may_begin_as_soon_as_readers_know_of_the_cut(server: Server) -> None:
    """No 409 from a producer that is gone: what told the readers has freed the place."""
    for end in ENDS.values():
        producer = begin(server)
        with contextlib.closing(server.get_log()) as reader:
            producer.send(chunk(b"x"))
            reader.wait(lambda answer: answer.body == b"x", "content")
            end(producer)
            assert reader.wait_end().ending is Ending.CUT
        with contextlib.closing(begin(server)) as producer:
            producer.send(chunk(b""))
            head = producer.wait_end().head
            assert head is not None
            assert head.status == 200


def test_producer_that_half_closes_in_the_middle_is_cut_off(server: Server) -> None:
    """FIN without the rest of the body: nothing more can come, even if the producer still listens."""
    producer = begin(server)
    with contextlib.closing(producer), contextlib.closing(server.get_log()) as reader:
        producer.send(b"5\r\nhal")
        reader.wait(lambda answer: answer.body == b"hal", "content")
        producer.finish_sending()
        assert reader.wait_end().ending is Ending.CUT


def test_urgent_data_of_a_producer_harms_nobody(server: Server) -> None:
    """TCP's out-of-band byte is not part of the body, and is not taken for a broken connection."""
    with socket.create_connection((server.put.host, server.put.port)) as producer:
        producer.sendall(b"PUT /log HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab")
        producer.send(b"!", socket.MSG_OOB)
        producer.sendall(b"cd")
        assert producer.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert server.read_log().body == b"abcd"
