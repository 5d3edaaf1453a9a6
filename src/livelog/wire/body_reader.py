"""One request's body, from a connection into a sink.

Receives into a buffer that is used again and again, takes the content out of its framing in place, and hands it on. Refuses
to know what the body is, and what its end means. Invariants:

1. What arrived is appended, in order, once, whatever happens next; but for what exceeds the limit.
2. `end` gives a result only if the body ended as its framing says; everything else is an error.
3. At most `MAX_PENDING` bytes wait for the sink; then the connection is not read.
"""

import asyncio
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from livelog.errors import LivelogError, RequestError

from .framing import MAX_PIECES, Decoder, Piece

BUFFER_SIZE = 1024 * 1024
"""Bytes received at a time. Large: what arrives while the disk's thread writes is written together."""

SMALL = 16 * 1024
"""Content up to this many bytes is copied out of the buffer, which then need not be lent to the sink."""

MANY_PIECES = 512
"""More pieces than this are copied together: a system call over so many costs more."""

MAX_PENDING = 4 * 1024 * 1024
"""Bytes of memory that one producer may have waiting for the sink."""

PIECE_COST = 1024
"""Bytes of memory that the smallest piece is taken to cost while it waits: so that many of them are bounded, too."""

ACKNOWLEDGE_DISTANCE = 0.5
"""Seconds from one acknowledgement to the next, at least."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most bytes that a body may add to its sink, and the error of one that has more."""

    size: int
    error: RequestError


class Sink(Protocol):
    """What the content of a body is appended to."""

    @property
    def failure(self) -> LivelogError | None:
        """Why nothing can be appended any more."""

    def append(self, pieces: Sequence[Piece], written: Callable[[], None]) -> None:
        """Append `pieces`, which stay as they are until `written` is called: then they are on file, or there is a failure."""


class Inflow(Protocol):
    """What a body's reader needs of the connection by which the body comes."""

    def pause(self) -> None:
        """Read nothing more for now."""

    def resume(self) -> None:
        """Read again."""

    def note_received(self, size: int) -> None:
        """Count that many bytes of content."""

    def body_ended(self, rest: bytes) -> None:
        """The body has ended; `rest` came behind it."""

    def body_failed(self) -> None:
        """Nobody wants what is still to come of the body."""


class Buffers:
    """The buffers of one port: one is current, into which all its connections receive; those that a sink reads are lent.

    The current one is filled and emptied in one callback, so that one is enough for any number of connections.
    """

    def __init__(self, size: int = BUFFER_SIZE) -> None:
        self._size = size
        self.current = bytearray(size)
        self._free: list[bytearray] = []

    def lend(self) -> bytearray:
        """The current buffer, until it is given back; another one becomes current."""
        lent = self.current
        self.current = self._free.pop() if self._free else bytearray(self._size)
        return lent

    def give_back(self, buffer: bytearray) -> None:
        """End a loan. A few buffers are kept for the next."""
        if len(self._free) < MAX_PENDING // BUFFER_SIZE:
            self._free.append(buffer)


class BodyReader:
    """Receives one body, which is framed as `decoder` says, into `sink`. `on_written`: called when more of it is on file."""

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
        """Bytes of content that have come, what exceeds the limit included."""
        self._carry = b""  # framing that is not whole yet
        self._pending = 0
        self._paused = False
        self._going_on = False  # whether the carry will be looked at in the loop's next turn
        self._broken: ConnectionError | None = None  # what to raise when all that has come was looked at
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the body has ended. Raises: ConnectionError, if it breaks off; RequestError, if it is framed wrongly or
        exceeds the limit; what the sink fails with."""

    def feed(self, data: memoryview) -> memoryview:
        """Take in what had come before the connection was read for this. Returns what is not the body's."""
        while data and not self.end.done():
            room = self.get_buffer()
            count = min(len(data), len(room))
            room[:count] = data[:count]
            data = data[count:]
            self.buffer_updated(count)
        return data

    def get_buffer(self) -> memoryview:
        """Where to receive to."""
        buffer, carried = self._buffers.current, len(self._carry)
        buffer[:carried] = self._carry
        return memoryview(buffer)[carried:]

    def buffer_updated(self, size: int) -> None:
        """That many bytes were received."""
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
        """Look at more of what has come: the body is in so many pieces that others must have their turns between them."""
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
        """No more will come, for that reason. What has come counts first."""
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
