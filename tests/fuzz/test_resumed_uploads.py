"""Invariant: however often an upload is cut off, and by whomever it is gone on with, every reader gets its bytes once, in order.

A server process, real sockets: requests that are cut at any byte of head or body, by FIN, by RST, or not at all: then
the connection hangs, the next request takes its place, and what the old one still sends must never be in the log.
Readers join at any time, with and without a range, quick and slow. Refuses to look at what an upload may not do: see
`tests/integration/test_resumable_uploads.py`.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urljoin

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.conformance.link import Connection
from tests.conformance.wire import Ending
from tests.harness import TOKEN, Server, chunk
from tests.integration.logs import CHUNKED, INTERIM
from tests.integration.pattern import Reader, pattern
from tests.integration.servers import running
from tests.integration.uploads import PARTIAL, WHOLE, acknowledged, log_of, look, new_name, told
from tests.sample import sample

POISON = b"this came too late: " * 50
"""What a connection sends whose place was taken: nobody's log."""


@dataclass(frozen=True)
class Attempt:
    """One request that goes on with the upload, and how it breaks off."""

    asks: bool
    """Whether the offset is asked for first; else a PATCH takes the place of whoever sends, at the offset that readers see."""
    piece: int | None
    """Bytes of a chunk; None: the body has a length."""
    cut: int
    """Bytes of the request that are sent."""
    end: str
    """FIN, RST, or hang."""
    readers: list[tuple[float, bool]]
    """Who joins before: at which share of the bytes that there are, and whether it is slow."""


ATTEMPTS = st.lists(
    st.builds(
        Attempt,
        asks=st.booleans(),
        piece=st.sampled_from((None, 7, 1_000, 70_000)),
        cut=st.integers(0, 400) | st.integers(0, 60_000),
        end=st.sampled_from(("FIN", "RST", "hang")),
        readers=st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=2),
    ),
    max_size=7,
)


class Upload:
    """An upload of pattern, whoever sends it, and its readers."""

    def __init__(self, server: Server, size: int, stack: contextlib.ExitStack) -> None:
        self.readers: list[Reader] = []
        self._server = server
        self._size = size
        self._stack = stack
        self._name = new_name()
        self._location = ""
        self._stale: Connection | None = None

    def begin(self, attempt: Attempt) -> None:
        """Create the upload. Its address is told before anything can break."""
        self._send(attempt, "PUT", f"/log/{self._name}", 0, wait=True)

    def go_on(self, attempt: Attempt) -> None:
        """Go on with it, unless it is complete."""
        state, content = log_of(self._server, self._name)
        if state == "complete":
            return  # that a connection broke off behind the end of the body changes nothing
        there = len(content)
        for share, slow in attempt.readers:
            self._join(int(there * share), receive_buffer=4096 if slow else None)
        if attempt.asks or there == self._size:
            status, complete, offset = look(self._server, self._location).progress
            assert (status, offset is not None) == (204, True)
            if complete == "?1":
                return
            there = int(offset or 0)
            self._poison()
        self._send(attempt, "PATCH", self._location, there, wait=not attempt.asks)

    def finish(self) -> None:
        """Go on to the end, and see what everybody got."""
        self.go_on(Attempt(asks=True, piece=50_000, cut=1 << 30, end="hang", readers=[(0, False), (1, False)]))
        for reader in self.readers:
            assert (reader.read_to_end(), reader.offset) == (Ending.CLEAN, self._size)
        assert log_of(self._server, self._name) == ("complete", pattern(0, self._size))

    def _send(self, attempt: Attempt, method: str, target: str, start: int, *, wait: bool) -> None:
        """Send a request up to where it breaks off. `wait`: send more than the head, and wait until that is noticed."""
        content = pattern(start, self._size)
        fields = [f"{method} {target} HTTP/1.1", f"Host: {self._server.put.authority}", WHOLE, INTERIM]
        if method == "PATCH":
            fields += [PARTIAL, f"Upload-Offset: {start}"]
        if attempt.piece is None:
            body, framing = content, f"Content-Length: {len(content)}"
        else:
            edges = (*range(0, len(content), attempt.piece), len(content))
            body, framing = b"".join(chunk(content[a:b]) for a, b in pairwise(edges)) + chunk(b""), CHUNKED
        head = "\r\n".join((*fields, framing, "", "")).encode()
        producer = self._stack.enter_context(contextlib.closing(self._server.connect(producer=True)))
        producer.ask(method, "1.1", (head + body)[: max(attempt.cut, len(head) + 20) if wait else attempt.cut])
        if method == "PUT":
            interims = producer.wait(lambda answer: bool(answer.interims), "104").interims
            self._location = urljoin(target, told(interims[0], "Location"))
        elif wait:
            answer = producer.wait(lambda answer: bool(acknowledged(answer.interims)), "104 with Upload-Offset")
            if acknowledged(answer.interims):
                self._poison()
        if attempt.end == "hang":
            self._stale = producer
        else:
            {"FIN": Connection.close, "RST": Connection.reset}[attempt.end](producer)

    def _poison(self) -> None:
        """Have the connection whose place was taken go on sending."""
        if self._stale is not None:
            self._stale.send(POISON)
            self._stale = None

    def _join(self, start: int, receive_buffer: int | None) -> None:
        start = max(
            0, min(start, self._size - 1)
        )  # behind the last byte there is nothing, should it be complete by then
        ranged = (f"Range: bytes={start}-9007199254740991",) if start else ()
        reader = Reader(
            self._server.get, *ranged, start=start, receive_buffer=receive_buffer, target=f"/log/{TOKEN}/{self._name}"
        )
        self.readers.append(self._stack.enter_context(reader))
        assert reader.head.status in (200, 206)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all uploads, which come to no harm by each other."""
    with running({"LIVELOG_DATA_DIR": str(tmp_path_factory.mktemp("data"))}) as server:
        yield server


@pytest.mark.parametrize("examples", sample([25, 80], 25))
def test_every_reader_gets_every_byte_once_and_in_order(server: Server, examples: int) -> None:
    """Whatever broke off, and whoever took over from whom."""

    @given(size=st.integers(0, 200) | st.integers(0, 300_000), attempts=ATTEMPTS)
    # A failure that hangs on chance is not shrunk: that takes minutes, and ends anywhere.
    @settings(max_examples=examples, phases=(Phase.reuse, Phase.generate))
    def any_upload(size: int, attempts: list[Attempt]) -> None:
        with contextlib.ExitStack() as stack:
            upload = Upload(server, size, stack)
            first = Attempt(asks=False, piece=7, cut=0, end="hang", readers=[])
            upload.begin(attempts[0] if attempts else first)
            for attempt in attempts[1:]:
                upload.go_on(attempt)
            upload.finish()

    any_upload()
