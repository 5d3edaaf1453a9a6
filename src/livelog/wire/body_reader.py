"""The reader of one request's body: it moves the body's content from a connection into a sink.

It receives into a buffer that is reused, finds the content in the framing without copying it, and appends it to the sink. It does not
know what the content is, or what follows from its end. Invariants:

1. Each byte of content that arrived is appended once, in order, whatever happens later. Bytes beyond the limit are not appended.
2. `end` has a result only if the body ended as its framing says. In all other cases it has an exception.
3. At most `MAX_PENDING` bytes wait for the sink. The connection is not read while there are more.
"""

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from livelog.errors import LivelogError, RequestError

from .framing import MAX_PIECES, Decoder, Piece

BUFFER_SIZE = 1024 * 1024
"""Bytes received at a time, at most. It is large so that all that arrives during one write to the disk goes into the next write."""

SMALL = 16 * 1024
"""Content of at most this many bytes is copied, so that the buffer need not be lent to the sink."""

MANY_PIECES = 512
"""If there are more pieces than this, they are joined by a copy: one system call over more pieces costs more than the copy."""

MAX_PENDING = 4 * 1024 * 1024
"""Bytes of memory that one body may occupy while they wait for the sink."""

PIECE_COST = 1024
"""Bytes that a waiting piece counts for, at least: the memory of many tiny pieces is bounded by this."""

ACKNOWLEDGE_DISTANCE = 0.5
"""The smallest time in seconds between two acknowledgements."""


class Limit(NamedTuple):
    """The number of bytes that a body may append to its sink, and the error that is raised if it has more."""

    size: int
    error: RequestError


class Sink(Protocol):
    """The destination of a body's content, such as a journal."""

    @property
    def failure(self) -> LivelogError | None:
        """Why nothing can be appended any more; None: the sink works."""

    def append(self, pieces: Sequence[Piece], written: Callable[[], None]) -> None:
        """Append `pieces`. The caller does not change them until `written` is called: then they are on file, or `failure` is set."""


class Inflow(Protocol):
    """What a `BodyReader` needs from its connection."""

    def pause(self) -> None:
        """Stop reading from the socket until `resume`."""

    def resume(self) -> None:
        """Read from the socket again."""

    def note_received(self, size: int) -> None:
        """Count `size` bytes of content."""

    def body_ended(self, rest: bytes) -> None:
        """The body has ended. `rest`: the bytes that were received after it."""

    def body_failed(self) -> None:
        """The body was refused, or its handler has left: what still arrives of it is not needed."""


class Buffers:
    """The receive buffers of one port. All its connections receive into the current one; a buffer that a sink still reads is lent.

    The current buffer is filled and emptied within one callback, so one is enough for any number of connections.
    """

    def __init__(self, size: int = BUFFER_SIZE) -> None:
        self._size = size
        self.current = bytearray(size)
        self._free: list[bytearray] = []

    def lend(self) -> bytearray:
        """Lend the current buffer until `give_back`. Another one becomes the current buffer."""
        lent = self.current
        self.current = self._free.pop() if self._free else bytearray(self._size)
        return lent

    def give_back(self, buffer: bytearray) -> None:
        """Take a lent buffer back. A few are kept to be used again."""
        if len(self._free) < MAX_PENDING // BUFFER_SIZE:
            self._free.append(buffer)


class BodyReader:
    """Receives one body, framed as `decoder` says, into `sink`. `on_written`: called when more of the body is on file."""

    def __init__(
        self,
        connection: Inflow,
        decoder: Decoder,
        sink: Sink,
        buffers: Buffers,
        *,
        limit: Limit | None,
        on_written: Callable[[], None] | None,
    ) -> None:
        self._connection = connection
        self._decoder = decoder
        self._sink = sink
        self._buffers = buffers
        self._limit = limit
        self._on_written = on_written
        self.size = 0
        """Bytes of content received so far, including those beyond the limit."""
        self._carry = b""  # the beginning of framing whose rest has not arrived
        self._pending = 0
        self._paused = False
        self._going_on = False  # whether `_go_on` is scheduled for the loop's next turn
        self._broken: ConnectionError | None = None  # raised when all that was received has been decoded
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the body has ended. Its exceptions: ConnectionError, if the connection is lost before; RequestError, if the framing is
        wrong or the limit is exceeded; the sink's `failure`."""

    def feed(self, data: memoryview) -> memoryview:
        """Decode `data`, which was received together with the head. Returns the bytes behind the body."""
        while data and not self.end.done():
            room = self.get_buffer()
            count = min(len(data), len(room))
            room[:count] = data[:count]
            data = data[count:]
            self.buffer_updated(count)
        return data

    def get_buffer(self) -> memoryview:
        """The memory into which the connection receives next."""
        buffer, carried = self._buffers.current, len(self._carry)
        buffer[:carried] = self._carry
        return memoryview(buffer)[carried:]

    def buffer_updated(self, size: int) -> None:
        """`size` bytes were received into the memory that `get_buffer` returned."""
        buffer, stop = self._buffers.current, len(self._carry) + size
        pieces, consumed = self._decoder.decode(buffer, stop)
        is_more = len(pieces) >= MAX_PIECES and consumed < stop
        self._carry = bytes(memoryview(buffer)[consumed:stop])
        content = sum(map(len, pieces))
        self.size += content
        excess = 0 if self._limit is None else self.size - self._limit.size
        if excess > 0:
            content = max(0, content - excess)
            pieces = [b"".join(pieces)[:content]]
        if content:
            self._append(pieces, content)
        if excess > 0 and self._limit is not None:
            self._fail(self._limit.error)
        elif self._decoder.fault is not None:
            self._fail(self._decoder.fault)
        elif self._decoder.finished:
            self._connection.body_ended(self._carry)
            self.end.set_result(None)
        elif is_more and not self._going_on:
            self._going_on = True
            self._connection.pause()
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Decode more of what was received. A body of very many chunks is decoded in several turns of the loop, so that others are served between them."""
        self._going_on = False
        if self.end.done():
            return
        self.get_buffer()
        self.buffer_updated(0)
        if self._going_on or self.end.done():
            return
        if self._broken is not None:
            self.lost(self._broken)
        elif not self._paused:
            self._connection.resume()

    def lost(self, error: ConnectionError) -> None:
        """The connection is lost: `error`. What was received before is decoded first."""
        self._broken = error
        if not self._going_on:
            self._fail(error)

    def _append(self, pieces: list[Piece], size: int) -> None:
        lent, held = None, max(size, PIECE_COST)
        if size <= SMALL or len(pieces) > MANY_PIECES:
            pieces = [b"".join(pieces)]
        else:
            lent, held = self._buffers.lend(), BUFFER_SIZE
        self._connection.note_received(size)
        self._pending += held
        if self._pending > MAX_PENDING and not self._paused:
            self._paused = True
            self._connection.pause()
        self._sink.append(pieces, functools.partial(self._written, held, lent))

    def _written(self, held: int, lent: bytearray | None) -> None:
        if lent is not None:
            self._buffers.give_back(lent)
        self._pending -= held
        if self._sink.failure is not None:
            self._fail(self._sink.failure)
            return
        if self._paused and self._pending <= MAX_PENDING // 2:
            self._paused = False
            if not self._going_on and not self.end.done():
                self._connection.resume()
        if self._on_written is not None:
            self._on_written()

    def _fail(self, error: Exception) -> None:
        if not self.end.done():
            self._connection.body_failed()
            self.end.set_exception(error)
