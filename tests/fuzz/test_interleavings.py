"""Invariant: whatever order things happen in, every reader gets exactly the bytes it asked for, and the right ending.

A server in this process, real sockets, and a model that knows what was sent: appends whole and in halves, readers
that join with and without a range, read slowly, leave; logs that end well, break off, are framed wrongly, and are
replaced while readers of the old one still read.
"""

import asyncio
import contextlib
import gc
import logging
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from livelog.config import Settings
from livelog.server import Addresses, serve
from livelog.wire.ranges import VERY_LARGE
from tests.conformance.wire import AnswerParser, Ending
from tests.sample import sample

TOKEN = "secret-puppy_42"
TIMEOUT = 25.0
"""Seconds that any wait may last: reached only by a fault."""

PERIOD = 100_003
"""Bytes until the pattern repeats: a prime."""

_TABLE = bytes(byte if byte > 8 else 10 for byte in random.Random(7).randbytes(PERIOD)) * 2


def pattern(start: int, stop: int) -> bytes:
    """Bytes that tell their own offset, in lines of about 26 bytes."""
    data = b""
    while start < stop:
        size = min(stop - start, PERIOD)
        data += _TABLE[start % PERIOD : start % PERIOD + size]
        start += size
    return data


@dataclass(frozen=True)
class Serving:
    """Where the server under test listens."""

    put: tuple[str, int]
    get: tuple[str, int]


class Complaints(logging.Handler):
    """Keeps what the event loop and the HTTP library log as an error: nobody handled it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        if not record.name.startswith("livelog"):
            self.heard.append(self.format(record))


@contextlib.contextmanager
def serving() -> Iterator[Serving]:
    """Run a server on a thread of its own. It ends when asked to, and leaves no error unhandled."""
    began: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, Addresses]] = Future()
    ended: Future[None] = Future()
    local = ("127.0.0.1",)
    config = Settings(access_token=TOKEN, put_port=0, get_port=0, put_host=local, get_host=local, shutdown_timeout=5.0)

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def ready(addresses: Addresses) -> None:
            began.set_result((loop, stop, addresses))

        await serve(config, ready=ready, stop=stop, reload=asyncio.Event())

    def thread() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001  # the test's thread is told
            for future in (began, ended):
                with contextlib.suppress(InvalidStateError):
                    future.set_exception(error)
        else:
            ended.set_result(None)

    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    threading.Thread(target=thread, daemon=True).start()
    try:
        loop, stop, addresses = began.result(TIMEOUT)
        yield Serving(addresses.put[0], addresses.get[0])
        loop.call_soon_threadsafe(stop.set)
        ended.result(TIMEOUT)
        assert complaints.heard == []
    finally:
        logging.getLogger().removeHandler(complaints)
        gc.unfreeze()


class Peer:
    """One request on one connection, and the answer as far as it was read."""

    def __init__(self, address: tuple[str, int], request: str, *headers: str, small: bool = False) -> None:
        method, _, version = request.split(" ")
        self.answer = AnswerParser(method, version.removeprefix("HTTP/"))
        self._socket = socket.socket()
        if small:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self._socket.settimeout(TIMEOUT)
        self._socket.connect(address)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.send("\r\n".join((request, "Host: localhost", *headers, "", "")).encode())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, most: int) -> bool:
        """Wait for bytes and read at most so many. Returns whether there may be more."""
        if self.answer.ending is not None:
            return False
        try:
            data = self._socket.recv(most)
        except ConnectionResetError:
            self.answer.close(orderly=False)
            return False
        if data:
            self.answer.feed(data)
        else:
            self.answer.close(orderly=True)
        return self.answer.ending is None

    def read_what_is_there(self, most: int) -> None:
        """Read at most so many bytes, without waiting."""
        self._socket.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            self.read(most)
        self._socket.settimeout(TIMEOUT)

    def wait(self, reached: Callable[[AnswerParser], object], most: int = 1 << 18) -> AnswerParser:
        """Read until `reached`, or to the end."""
        while not reached(self.answer) and self.read(most):
            pass
        return self.answer

    def leave(self, *, reset: bool = False) -> None:
        """Close the connection; `reset`: as one does that was killed."""
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


@dataclass
class Log:
    """What the model knows of one log."""

    producer: Peer
    witness: Peer
    etag: str
    declared: int | None
    begin: int
    """Where in the pattern the log begins, so that two logs differ."""
    sent: int = 0
    """Bytes of content that were sent, at least in part."""
    owed: bytes = b""
    """The second half of the last append, as it goes on the wire."""
    owed_content: int = 0
    """Bytes of content in `owed`."""
    state: str = "live"
    length: int = 0
    """Bytes in the end."""
    readers: list["Reading"] = field(default_factory=list)

    @property
    def known(self) -> int:
        """Bytes that the server has taken, at least."""
        return len(self.witness.answer.body)

    @property
    def arrived(self) -> int:
        """Bytes that the server gets if nothing more is sent."""
        return self.sent - self.owed_content

    def bytes(self, start: int, stop: int) -> bytes:
        """What the log holds there."""
        return pattern(self.begin + start, self.begin + stop)


@dataclass(frozen=True)
class Reading:
    """A reader, and what it is to get: from `start` to `stop`, or to the end of the log."""

    peer: Peer
    start: int
    stop: int | None


class Interleavings(RuleBasedStateMachine):
    """Producers and readers of one server, one log after the other."""

    server: Serving

    def __init__(self) -> None:
        super().__init__()
        self.logs: list[Log] = []

    @property
    def log(self) -> Log:
        return self.logs[-1]

    def ask(self, target: str, *headers: str, method: str = "GET", version: str = "1.1", small: bool = False) -> Peer:
        peer = Peer(self.server.get, f"{method} /log/{TOKEN}{target} HTTP/{version}", *headers, small=small)
        head = peer.wait(lambda answer: answer.head, 1).head
        assert head is not None
        assert head.status == 416 or head.get("ETag") == self.log.etag
        return peer

    # The producer.

    @initialize(declared=st.one_of(st.none(), st.integers(0, 1_000_000)))
    def begin(self, declared: int | None) -> None:
        framing = "Transfer-Encoding: chunked" if declared is None else f"Content-Length: {declared}"
        producer = Peer(self.server.put, "PUT /log HTTP/1.1", framing, "Expect: 100-continue")
        if declared != 0:
            producer.wait(lambda answer: answer.interims)
        else:
            producer.wait(lambda answer: answer.ending)
        witness = Peer(self.server.get, f"GET /log/{TOKEN} HTTP/1.1")
        head = witness.wait(lambda answer: answer.head).head
        assert head is not None
        etag = head.get("ETag")
        assert etag is not None
        assert etag not in [log.etag for log in self.logs]
        self.logs.append(Log(producer, witness, etag, declared, begin=len(self.logs) * 1_000_001))
        if declared == 0:
            self._ended("complete")

    @precondition(lambda self: self.log.state != "live" and len(self.logs) < 4)
    @rule(declared=st.one_of(st.none(), st.integers(0, 1_000_000)))
    def replace(self, declared: int | None) -> None:
        self.begin(declared)

    @precondition(lambda self: self.log.state == "live")
    @rule(size=st.one_of(st.integers(1, 100), st.sampled_from([1_000, 20_000, 70_000, 300_000])), part=st.floats(0, 1))
    def append(self, size: int, part: float) -> None:
        log = self.log
        if log.declared is not None:
            size = min(size, log.declared - 1 - log.sent)  # the last byte is `_finish`'s
            if size <= 0:
                return
        data = log.bytes(log.sent, log.sent + size)
        front = b"" if log.declared is not None else b"%x\r\n" % size
        wire = front + data + (b"" if log.declared is not None else b"\r\n")
        half = round(part * len(wire))
        log.producer.send(log.owed + wire[:half])
        log.owed = wire[half:]
        log.sent += size
        log.owed_content = size - max(0, min(size, half - len(front)))

    @precondition(lambda self: self.log.state == "live")
    @rule(size=st.sampled_from([1, 100, 5_000, 30_000]), times=st.integers(2, 20))
    def trickle(self, size: int, times: int) -> None:
        for _ in range(times):
            self.append(size, 1.0)
            self.arrive()

    @precondition(lambda self: self.log.state == "live")
    @rule()
    def arrive(self) -> None:
        log = self.log
        body = log.witness.wait(lambda answer: len(answer.body) >= log.arrived).body
        assert body == log.bytes(0, log.arrived)

    @precondition(lambda self: self.log.state == "live")
    @rule()
    def second_producer(self) -> None:
        second = Peer(self.server.put, "PUT /log HTTP/1.1", "Transfer-Encoding: chunked", "Expect: 100-continue")
        head = second.wait(lambda answer: answer.ending).head
        assert head is not None
        assert head.status == 409
        second.leave()

    @precondition(lambda self: self.log.state == "live")
    @rule(how=st.sampled_from(["finish", "finish", "close", "reset", "x\r\n", "-1\r\n", "\r\n\r\n", "5 \r\n"]))
    def end(self, how: str) -> None:
        if how == "finish" or (how not in ("close", "reset") and self.log.declared is not None):
            self._finish()
        elif how in ("close", "reset"):
            self.log.producer.leave(reset=how == "reset")
            self._ended("aborted", lost=how == "reset")
        else:
            self.log.owed_content = 0
            self.log.producer.send(self.log.owed + how.encode())
            head = self.log.producer.wait(lambda answer: answer.ending).head
            assert head is not None
            assert head.status == 400
            self._ended("aborted")

    def _finish(self) -> None:
        log = self.log
        rest = b"0\r\n\r\n"
        if log.declared is not None:
            rest = log.bytes(log.sent, log.declared)
            log.sent = log.declared
        log.producer.send(log.owed + rest)
        log.owed_content = 0
        answer = log.producer.wait(lambda answer: answer.ending)
        assert answer.head is not None
        assert (answer.head.status in (200, 201), answer.ending) == (True, Ending.CLEAN)
        self._ended("complete")

    def _ended(self, state: str, *, lost: bool = False) -> None:
        """The log has ended: the witness has all of it. `lost`: a reset may have overtaken some bytes."""
        log = self.log
        log.state = state
        log.producer.leave()
        answer = log.witness.wait(lambda answer: answer.ending)
        log.length = len(answer.body)
        assert log.length == log.arrived or (lost and log.length < log.arrived)
        assert answer.body == log.bytes(0, log.length)
        assert answer.ending is (Ending.CLEAN if state == "complete" else Ending.CUT)

    # Readers.

    @rule(small=st.booleans(), version=st.sampled_from(["1.0", "1.1"]))
    def join(self, *, small: bool, version: str) -> None:
        self.log.readers.append(Reading(self.ask("", small=small, version=version), 0, None))

    @rule(part=st.floats(0, 1), small=st.booleans(), last=st.sampled_from([VERY_LARGE, 10**40]))
    def join_from(self, *, part: float, small: bool, last: int) -> None:
        log = self.log
        live = log.state == "live"
        start = round(part * (log.known if live else log.length))
        peer = self.ask("", f"Range: bytes={start}-{last}", small=small)
        head = peer.answer.head
        assert head is not None
        if not live and start == log.length:
            assert (head.status, head.get("Content-Range")) == (416, f"bytes */{log.length}")
            peer.leave()
            return
        ranged = f"bytes {start}-{last}/*" if live else f"bytes {start}-{log.length - 1}/{log.length}"
        assert (head.status, head.get("Content-Range")) == (206, ranged)
        log.readers.append(Reading(peer, start, None if live else log.length))

    @rule(count=st.sampled_from([0, 1, 2, 10, 1000]))
    def join_tail(self, count: int) -> None:
        log = self.log
        if log.state == "live":
            self.arrive()
        has = log.bytes(0, log.known)
        peer = self.ask(f"?tail={count}")
        head = peer.answer.head
        assert head is not None
        start = _tail(has, count)
        assert (head.status, head.get("Livelog-Offset")) == (200, str(start))
        log.readers.append(Reading(peer, start, None if log.state != "complete" else log.length))

    @rule(first=st.floats(0, 1), size=st.one_of(st.none(), st.integers(1, 100_000)), small=st.booleans())
    def take_a_range(self, *, first: float, size: int | None, small: bool) -> None:
        log = self.log
        has = log.known if log.state == "live" else log.length
        start = round(first * has)
        peer = self.ask("", f"Range: bytes={start}-{'' if size is None else start + size - 1}", small=small)
        head = peer.answer.head
        assert head is not None
        if head.status in (409, 416):
            assert start == has
            # Nothing is behind the last byte of a complete log; of another, one that asks for all the rest learns that it has not ended well.
            nothing_more = log.state != "complete" and size is None and start > 0
            so_far = None if nothing_more else f"bytes */{has}"
            assert (head.status, head.get("Content-Range")) == (409 if nothing_more else 416, so_far)
            peer.leave()
            return
        content_range = head.get("Content-Range")
        assert head.status == 206
        assert content_range is not None
        left, _, total = content_range.removeprefix("bytes ").partition("/")
        stop = int(left.rpartition("-")[2]) + 1
        assert int(left.partition("-")[0]) == start
        assert total == ("*" if log.state == "live" else str(log.length))
        least, most = (log.known, log.arrived) if log.state == "live" else (log.length, log.length)
        bound = most if size is None else start + size
        assert min(bound, least) <= stop <= min(bound, most)
        log.readers.append(Reading(peer, start, stop))

    @rule(small=st.booleans(), method=st.sampled_from(["GET", "HEAD"]))
    def take_what_is_there(self, *, small: bool, method: str) -> None:
        log = self.log
        peer = self.ask("?follow=0", method=method, small=small)
        head = peer.answer.head
        assert head is not None
        stop = int(head.get("Content-Length") or -1)
        least, most = (log.known, log.arrived) if log.state == "live" else (log.length, log.length)
        assert least <= stop <= most
        assert head.get("Livelog-State") == log.state
        if method == "GET":
            log.readers.append(Reading(peer, 0, stop))
        else:
            peer.leave()

    @rule(which=st.integers(0, 1000), most=st.sampled_from([1, 100, 10_000, 1_000_000]))
    def read_slowly(self, which: int, most: int) -> None:
        readings = [reading for log in self.logs for reading in log.readers]
        if readings:
            readings[which % len(readings)].peer.read_what_is_there(most)

    @rule(which=st.integers(0, 1000), reset=st.booleans())
    def leave(self, *, which: int, reset: bool) -> None:
        readers = [(log.readers, place) for log in self.logs for place in range(len(log.readers))]
        if readers:
            owners, place = readers[which % len(readers)]
            owners.pop(place).peer.leave(reset=reset)

    @invariant()
    def what_was_read_is_right_so_far(self) -> None:
        for log in self.logs:
            for reading in log.readers[-2:]:
                body = reading.peer.answer.body
                assert body == log.bytes(reading.start, reading.start + len(body))

    def teardown(self) -> None:
        try:
            if self.logs and self.log.state == "live":
                self._finish()
            for log in self.logs:
                for reading in log.readers:
                    stop = log.length if reading.stop is None else reading.stop
                    answer = reading.peer.wait(lambda answer: answer.ending)
                    assert answer.body == log.bytes(reading.start, stop)
                    cut = reading.stop is None and log.state == "aborted"
                    assert answer.ending is (Ending.CUT if cut else Ending.CLEAN)
        finally:
            for log in self.logs:
                for peer in (log.producer, log.witness, *(reading.peer for reading in log.readers)):
                    peer.leave()


def _tail(content: bytes, count: int) -> int:
    """The offset of the last `count` lines."""
    if count == 0:
        return len(content)
    end = len(content) - 1
    for _ in range(count):
        end = content.rfind(b"\n", 0, max(0, end))
        if end < 0:
            return 0
    return end + 1


@pytest.mark.parametrize("examples", sample([25, 100], 25))
def test_any_interleaving_delivers_exactly_the_bytes_and_the_right_ending(examples: int) -> None:
    bounds = settings(max_examples=examples, stateful_step_count=30)
    with serving() as server:
        Interleavings.server = server
        run_state_machine_as_test(Interleavings, settings=bounds)
