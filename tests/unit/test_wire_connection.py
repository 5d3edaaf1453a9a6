"""One connection, from state to state: a real socket, and an owner and handlers that a test gives.

Categories: the ways through the table · requests in one packet · who leaves, and when · endings that must not look whole · stopping.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence

import pytest

from livelog.errors import DiskError
from livelog.produce import problems
from livelog.wire.body_reader import Buffers, Limit
from livelog.wire.body_writer import BodyWriter
from livelog.wire.connection import TRANSITIONS, Connection, State
from livelog.wire.exchange import Exchange
from livelog.wire.framing import Piece
from livelog.wire.link import unless_lost
from livelog.wire.refusals import Refusals
from livelog.wire.response import Response

from .live import on_loop, turns

HEAD, ANSWER, BODY, STREAM, LINGER, CLOSED = State
AT_ONCE = 40_000 * b"at once"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
LAST = b"PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nde"
PUT = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

Handler = Callable[[Exchange], Awaitable[Response]]


class Watched(Connection):
    """A connection that remembers its states."""

    def __init__(self, owner: "Place", *, refused: bool) -> None:
        super().__init__(owner, refused=refused)
        self.path = [self.state]

    def _go(self, state: State) -> None:
        super()._go(state)
        self.path.append(state)


class Memory:
    """A sink in memory."""

    failure: DiskError | None = None

    def __init__(self) -> None:
        self.content = b""

    def append(self, pieces: Sequence[Piece], written: Callable[[], None]) -> None:
        self.content += b"".join(pieces)
        written()


class Place:
    """An owner of one connection, and the peer's end of that."""

    def __init__(self, handler: Handler) -> None:
        self.buffers = Buffers(65536)
        self.closing = False
        self.gone = False
        self.tasks: set[asyncio.Task[None]] = set()
        self._handler = handler
        self._refusals = Refusals({})
        self.connection: Watched
        self.peer: socket.socket

    def begin(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def respond(self, exchange: Exchange) -> Response:
        try:
            return self.respond_now(exchange) or await self._handler(exchange)
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001
            return self.refusal(error, "")

    def respond_now(self, exchange: Exchange) -> Response | None:
        return Response(200, {}, AT_ONCE) if exchange.request.path == "/now" else None

    def refusal(self, error: Exception, accept: str) -> Response:
        return self._refusals.response(error, accept)

    def made(self, connection: Connection) -> None:
        """Told once."""

    def lost(self, connection: Connection) -> None:
        assert not self.gone, "told twice"
        self.gone = True

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.peer, data)

    async def receive(self, end: bytes = b"") -> bytes:
        """What comes until `end`; none: until the connection ends. Raises: ConnectionResetError."""
        data = b""
        while not end or not data.endswith(end):
            if not (more := await asyncio.get_running_loop().sock_recv(self.peer, 65536)):
                break
            data += more
        return data

    async def over(self) -> None:
        """Wait until nothing of the connection is left."""
        await turns(lambda: self.gone and not self.tasks)

    def leave(self, *, reset: bool = False) -> None:
        """Close the peer's end."""
        if reset:
            self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.peer.close()


@contextlib.asynccontextmanager
async def connected(handler: Handler, *, refused: bool = False) -> AsyncIterator[Place]:
    """A connection whose requests `handler` answers."""
    place = Place(handler)
    place.connection = Watched(place, refused=refused)
    place.peer = socket.socket()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place.peer.connect(listening.getsockname())
        accepted, _ = listening.accept()
    place.peer.setblocking(False)
    await asyncio.get_running_loop().connect_accepted_socket(lambda: place.connection, accepted)
    try:
        yield place
    finally:
        place.leave()
        if not place.gone:
            place.connection.transport.abort()
        await place.over()


async def hello(_: Exchange) -> Response:
    return Response(200, {}, b"hello")


async def refuse(_: Exchange) -> Response:
    raise problems.NO_LOG.error()


async def two(writer: BodyWriter) -> None:
    """A body of two chunks."""
    for piece in (b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"):
        writer.write(piece)
        await writer.drained()


async def stream(_: Exchange) -> Response:
    return Response(200, {}, stream=two)


async def upload(exchange: Exchange) -> Response:
    memory = Memory()
    limit = Limit(8, problems.TOO_LARGE.error(limit=8))
    await exchange.connection.receive(exchange.request, memory, limit=limit)
    return Response(201, {}, memory.content)


@pytest.mark.parametrize(
    ("data", "handler", "path"),
    [
        (GET + CLOSE, hello, [HEAD, ANSWER, HEAD, ANSWER, CLOSED]),
        (GET + b"BAD\r\n", hello, [HEAD, ANSWER, HEAD, LINGER, CLOSED]),
        (b"FOO / HTTP/1.1\r\n", hello, [HEAD, LINGER, CLOSED]),
        (GET + b"FOO / HTTP/1.1\r\n", hello, [HEAD, ANSWER, HEAD, LINGER, CLOSED]),
        (CLOSE, refuse, [HEAD, ANSWER, CLOSED]),
        (CLOSE[:-2] + b"Content-Length: 9\r\n\r\nmore", hello, [HEAD, ANSWER, LINGER, CLOSED]),
        (PUT, refuse, [HEAD, ANSWER, LINGER, CLOSED]),
        (PUT + b"3\r\nabc\r\n0\r\n\r\n" + LAST, upload, [HEAD, ANSWER, BODY, ANSWER, HEAD, ANSWER, BODY, ANSWER, CLOSED]),
        (PUT + b"9\r\n123456789\r\n", upload, [HEAD, ANSWER, BODY, ANSWER, LINGER, CLOSED]),
        (PUT + b"x\r\n", upload, [HEAD, ANSWER, BODY, ANSWER, LINGER, CLOSED]),
        (GET + CLOSE, stream, [HEAD, ANSWER, STREAM, HEAD, ANSWER, STREAM, CLOSED]),
        (PUT, stream, [HEAD, ANSWER, STREAM, LINGER, CLOSED]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cut", [False, True])
@on_loop
async def test_a_connection_goes_the_ways_of_the_table(
    data: bytes, handler: Handler, path: list[State], *, cut: bool
) -> None:
    """All in one packet, or byte by byte."""
    async with connected(handler) as place:
        for start in range(len(data)) if cut else ():
            await place.send(data[start : start + 1])
            await asyncio.sleep(0)
        if not cut:
            await place.send(data)
        answer = await place.receive()
        assert answer.startswith(b"HTTP/1.1 ")
        place.leave()
        await place.over()
        assert place.connection.path == path


def test_each_state_leads_to_the_end() -> None:
    assert TRANSITIONS.keys() == set(State)
    for state in set(State) - {CLOSED}:
        assert CLOSED in TRANSITIONS[state]


@on_loop
async def test_a_step_that_the_table_has_not_is_never_made() -> None:
    async with connected(hello) as place:
        for state in (HEAD, BODY, STREAM):
            with pytest.raises(AssertionError):
                place.connection._go(state)


@on_loop
async def test_bytes_of_a_body_are_taken_whatever_is_behind_them() -> None:
    async with connected(upload) as place:
        await place.send(PUT + b"3\r\nab\n\r\n0\r\n\r\n" + PUT + b"0\r\n\r\n" + LAST)
        answers = await place.receive()
        assert answers.count(b" 201 Created\r\n") == 3
        assert answers.endswith(b"\r\n\r\nde")
        assert place.connection.received == 5


@on_loop
async def test_a_body_that_nobody_wanted_is_no_request_if_it_has_come() -> None:
    body = b"Content-Length: 11\r\n\r\nGET / bad\r\n"
    async with connected(hello) as place:
        await place.send(GET[:-2] + body + CLOSE)
        assert (await place.receive()).count(b" 200 OK\r\n") == 2


@pytest.mark.parametrize("reset", [True, False])
@on_loop
async def test_who_leaves_while_its_answer_is_waited_for_is_noticed(*, reset: bool) -> None:
    """What the handler did for it ends."""
    ended: list[str] = []

    async def wait(exchange: Exchange) -> Response:
        exchange.connection.waiting = True
        try:
            async with unless_lost(exchange.connection):
                await asyncio.Event().wait()
        except ConnectionResetError as error:
            ended.append(str(error))
            raise
        raise AssertionError("the wait has ended")

    async with connected(wait) as place:
        await place.send(GET)
        await turns(lambda: place.connection.waiting)
        place.leave(reset=reset)
        await place.over()
        assert (ended, place.connection.path) == (["the peer is gone"], [HEAD, ANSWER, CLOSED])


@on_loop
async def test_who_ends_its_side_is_answered() -> None:
    go = asyncio.Event()

    async def later(_: Exchange) -> Response:
        await go.wait()
        return Response(200, {}, b"hello")

    async with connected(later) as place:
        await place.send(GET)
        place.peer.shutdown(socket.SHUT_WR)
        await turns(lambda: place.connection.ended)
        go.set()
        answer = await place.receive()
        assert answer.endswith(b"hello")
        assert b"\r\nConnection: close\r\n" in answer


@on_loop
async def test_who_ends_its_side_without_a_request_is_left_alone() -> None:
    async with connected(hello) as place:
        place.peer.shutdown(socket.SHUT_WR)
        assert await place.receive() == b""
        await place.over()
        assert place.connection.path == [HEAD, CLOSED]


@pytest.mark.parametrize("data", [b"", b"5\r\nhel"])
@on_loop
async def test_a_body_that_breaks_off_is_an_error_behind_what_has_come(data: bytes) -> None:
    memory, ended = Memory(), list[str]()

    async def take(exchange: Exchange) -> Response:
        try:
            await exchange.connection.receive(exchange.request, memory)
        except ConnectionError as error:
            ended.append(str(error))
            raise
        raise AssertionError("the body has ended")

    async with connected(take) as place:
        await place.send(PUT + data)
        await turns(lambda: place.connection.receiving and len(memory.content) == len(data[3:]))
        place.leave()
        await place.over()
        assert (memory.content, ended) == (data[3:], ["the producer's connection broke off"])
        assert place.connection.path == [HEAD, ANSWER, BODY, CLOSED] or place.connection.path[-2:] == [ANSWER, CLOSED]


@on_loop
async def test_a_body_that_has_come_counts_though_its_sender_has_left() -> None:
    go, done = asyncio.Event(), list[bytes]()

    async def later(exchange: Exchange) -> Response:
        await go.wait()
        memory = Memory()
        await exchange.connection.receive(exchange.request, memory)
        done.append(memory.content)
        return Response(201, {})

    async with connected(later) as place:
        await place.send(PUT + b"3\r\nabc\r\n0\r\n\r\n")
        place.leave(reset=True)
        await turns(lambda: place.gone)
        go.set()
        await place.over()
        assert done == [b"abc"]


async def half(writer: BodyWriter) -> None:
    """A body that fails in the middle."""
    writer.write(b"3\r\none\r\n" if writer.chunked else b"one")
    await writer.drained()
    raise OSError("no more")


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
@on_loop
async def test_an_answer_that_fails_in_the_middle_never_looks_whole(version: bytes) -> None:
    done: list[str] = []

    async def fail(_: Exchange) -> Response:
        return Response(200, {}, stream=half, done=lambda: done.append("done"))

    async with connected(fail) as place:
        await place.send(GET.replace(b"1.1", version))
        with pytest.raises(ConnectionResetError):
            await place.receive()
        await place.over()
        assert (place.connection.path, done) == ([HEAD, ANSWER, STREAM, CLOSED], ["done"])
        assert place.connection.stats.end == "no more"


@on_loop
async def test_an_answer_that_ends_with_its_connection_is_reset_but_for_its_end() -> None:
    """The socket is set to reset before the head's first byte: not even a kill looks like an end."""
    option: list[int] = []

    async def once(writer: BodyWriter) -> None:
        sock = place.connection.transport.get_extra_info("socket")
        option.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER))
        writer.write(b"whole")

    async def endless(_: Exchange) -> Response:
        return Response(200, {}, stream=once)

    async with connected(endless) as place:
        await place.send(GET.replace(b"1.1", b"1.0"))
        answer = await place.receive()
        assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nwhole")
        assert b"Content-Length" not in answer
        assert option == [1]


@on_loop
async def test_an_answer_whose_peer_left_is_done_all_the_same() -> None:
    done: list[str] = []
    go = asyncio.Event()

    async def later(_: Exchange) -> Response:
        await go.wait()
        return Response(200, {}, stream=two, done=lambda: done.append("done"))

    async with connected(later) as place:
        await place.send(GET)
        await turns(lambda: place.connection.state is ANSWER)
        place.leave(reset=True)
        await turns(lambda: place.gone)
        go.set()
        await place.over()
        assert done == ["done"]


@on_loop
async def test_an_answer_that_cannot_be_sent_ends_the_connection() -> None:
    async def wrong(_: Exchange) -> Response:
        return Response(200, {"A": "b\r\nc"})

    async with connected(wrong) as place:
        await place.send(GET)
        with pytest.raises(ConnectionResetError):
            await place.receive()


@on_loop
async def test_a_connection_too_many_is_told_so_whether_it_asks_or_not() -> None:
    for data in (GET, b""):
        async with connected(hello, refused=True) as place:
            await place.send(data)
            answer = await place.receive()
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nRetry-After: 1\r\n" in answer
            place.leave()
            await place.over()
            assert place.connection.path == [HEAD, LINGER, CLOSED]


@on_loop
async def test_what_is_under_way_is_reset_by_the_stop_and_nothing_else() -> None:
    async def forever(exchange: Exchange) -> Response:
        async with unless_lost(exchange.connection):
            await asyncio.Event().wait()
        raise AssertionError

    for data, handler, whole in ((b"", hello, True), (b"FOO / HTTP/1.1\r\n", hello, True), (GET, forever, False)):
        async with connected(handler) as place:
            await place.send(data)
            await turns(lambda place=place, data=data: not data or place.connection.state is not HEAD)  # type: ignore[misc]
            place.connection.close()
            with contextlib.nullcontext() if whole else pytest.raises(ConnectionResetError):
                await place.receive()
            await place.over()


@on_loop
async def test_no_more_requests_are_taken_once_the_owner_is_closing() -> None:
    async with connected(hello) as place:
        place.closing = True
        await place.send(GET + GET)
        answer = await place.receive()
        assert answer.count(b"HTTP/1.1 200 OK\r\n") == 1
        assert b"\r\nConnection: close\r\n" in answer


@pytest.mark.parametrize("cut", [False, True])
@on_loop
async def test_answers_that_take_no_waiting_keep_the_order_of_their_requests(*, cut: bool) -> None:
    at_once = GET.replace(b" / ", b" /now ")
    requests = [at_once, GET, *[at_once] * 50, GET, CLOSE]
    async with connected(hello) as place:
        for data in requests if cut else [b"".join(requests)]:
            await place.send(data)
            await asyncio.sleep(0)
        answers = (await place.receive()).replace(AT_ONCE, b"now").split(b"\r\n\r\n")[1:]
        assert [answer[:3] for answer in answers] == [b"now", b"hel", *[b"now"] * 50, b"hel", b"hel"]


@on_loop
async def test_answers_that_take_no_waiting_do_not_pile_up_for_a_peer_that_reads_none() -> None:
    async with connected(hello) as place:
        for _ in range(1000):
            await place.send(GET.replace(b" / ", b" /now "))
            await asyncio.sleep(0)
        assert place.connection.transport.get_write_buffer_size() < 3 * len(AT_ONCE)
