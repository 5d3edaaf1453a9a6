"""One request's body, from a producer's socket to a journal.

The connection's protocol is exchanged for one that receives the body into a buffer that is used again and again,
takes the content out of its framing in place, and hands it to the journal. At the end of the body aiohttp has the
connection back. Refuses to know what the body is, and what its end means for the log. Invariants:

1. What arrived is appended, in order, once, whatever happens next; but for what exceeds the limit.
2. `receive` returns only if the body ended as its framing says; everything else raises.
3. At most `MAX_PENDING` bytes of a producer wait for the disk; then its socket is not read.
4. What is acknowledged is on file: a crash of this process cannot lose it.
"""

import asyncio
import functools
from dataclasses import dataclass

from .endpoint import Connection
from .errors import RequestError
from .framing import MAX_PIECES, Decoder
from .log.disk import Piece
from .log.journal import Journal

BUFFER_SIZE = 1024 * 1024
"""Bytes received at a time. Large: what arrives while the disk's thread writes is written together."""

SMALL = 16 * 1024
"""Content up to this many bytes is copied out of the buffer, which then need not be lent to the disk's thread."""

MANY_PIECES = 512
"""More pieces than this are copied together: a system call over so many costs more."""

MAX_PENDING = 4 * 1024 * 1024
"""Bytes of memory that one producer may have waiting for the disk."""

PIECE_COST = 1024
"""Bytes of memory that the smallest piece is taken to cost while it waits: so that many of them are bounded, too."""

ACKNOWLEDGE_DISTANCE = 0.5
"""Seconds from one acknowledgement to the next, at least."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The most bytes that a body may add to its journal, and the error of one that has more."""

    size: int
    error: RequestError


class Buffers:
    """The buffers that bodies are received into: one is current, the ones that the disk's threads read are lent."""

    def __init__(self) -> None:
        self.current = bytearray(BUFFER_SIZE)
        self.received = 0
        """Bytes of content so far, of all bodies."""
        self._free: list[bytearray] = []

    def lend(self) -> bytearray:
        """The current buffer, until it is given back; another one becomes current."""
        lent = self.current
        self.current = self._free.pop() if self._free else bytearray(BUFFER_SIZE)
        return lent

    def give_back(self, buffer: bytearray) -> None:
        """End a loan. A few buffers are kept for the next."""
        if len(self._free) < MAX_PENDING // BUFFER_SIZE:
            self._free.append(buffer)


class Body(asyncio.BufferedProtocol):
    """Receives one body. All producers share the current buffer: it is filled and emptied in one callback."""

    def __init__(
        self,
        connection: Connection,
        decoder: Decoder,
        journal: Journal,
        buffers: Buffers,
        *,
        limit: Limit | None,
        acknowledgements: "Acknowledgements | None",
    ) -> None:
        self._connection = connection
        self._decoder = decoder
        self._journal = journal
        self._buffers = buffers
        self._limit = limit
        self._acknowledgements = acknowledgements
        self.size = 0
        """Bytes of content that have come, what exceeds the limit included."""
        self._carry = b""  # framing that is not whole yet
        self._pending = 0
        self._paused = False
        self._going_on = False  # whether the carry will be looked at in the loop's next turn
        self._broken: ConnectionError | None = None  # what to raise when all that has come was looked at
        self._received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def receive(self, begin: bytes, *, ended: bool) -> bytes:
        """Receive the body, which begins with `begin`, which is all there is if it has `ended`.

        Returns what came behind its end. Raises: ConnectionError, if it breaks off; RequestError, if it is framed wrongly or
        exceeds the limit; DiskError.
        """
        view = memoryview(begin)
        while view and not self._received.done():
            room = self.get_buffer(-1)
            count = min(len(view), len(room))
            room[:count] = view[:count]
            view = view[count:]
            self.buffer_updated(count)
        if ended and not self._received.done():
            self._break_off(ConnectionResetError("the producer's connection ended before the body did"))
        return await self._received + bytes(view)

    def get_buffer(self, sizehint: int) -> memoryview:
        """See `asyncio.BufferedProtocol`."""
        buffer, carried = self._buffers.current, len(self._carry)
        buffer[:carried] = self._carry
        return memoryview(buffer)[carried:]

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        buffer, stop = self._buffers.current, len(self._carry) + nbytes
        pieces, consumed = self._decoder.decode(buffer, stop)
        is_more = len(pieces) >= MAX_PIECES and consumed < stop
        self._carry = bytes(memoryview(buffer)[consumed:stop])
        size = sum(map(len, pieces))
        self.size += size
        excess = 0 if self._limit is None else self.size - self._limit.size
        if excess > 0:
            size = max(0, size - excess)
            pieces = [b"".join(pieces)[:size]]
        if size:
            self._append(pieces, size)
        if excess > 0 and self._limit is not None:
            self._fail(self._limit.error)
        elif self._decoder.fault is not None:
            self._fail(self._decoder.fault)
        elif self._decoder.finished:
            if (transport := self._connection.transport) is not None:
                transport.set_protocol(self._connection)
            self._received.set_result(self._carry)
        elif is_more and not self._going_on:
            self._going_on = True
            if (transport := self._connection.transport) is not None:
                transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Look at more of what has come: the body is in so many pieces that others must have their turns between them."""
        self._going_on = False
        if self._received.done():
            return
        self.get_buffer(-1)
        self.buffer_updated(0)
        if self._going_on or self._received.done():
            return
        if self._broken is not None:
            self._break_off(self._broken)
        elif not self._paused and (transport := self._connection.transport) is not None:
            transport.resume_reading()

    def _break_off(self, error: ConnectionError) -> None:
        """No more will come. What has come counts first."""
        self._broken = error
        if not self._going_on:
            self._fail(error)

    def _append(self, pieces: list[Piece], size: int) -> None:
        lent, held = None, max(size, PIECE_COST)
        if size <= SMALL or len(pieces) > MANY_PIECES:
            pieces = [b"".join(pieces)]
        else:
            lent, held = self._buffers.lend(), BUFFER_SIZE
        self._buffers.received += size
        self._connection.note_received(size)
        self._pending += held
        if self._pending > MAX_PENDING and not self._paused and (transport := self._connection.transport) is not None:
            self._paused = True
            transport.pause_reading()
        self._journal.append(pieces, functools.partial(self._written, held, lent))

    def _written(self, held: int, lent: bytearray | None) -> None:
        if lent is not None:
            self._buffers.give_back(lent)
        self._pending -= held
        if self._journal.failure is not None:
            self._fail(self._journal.failure)
            return
        if self._paused and self._pending <= MAX_PENDING // 2 and (transport := self._connection.transport) is not None:
            self._paused = False
            if not self._going_on:
                transport.resume_reading()
        if self._acknowledgements is not None:
            self._acknowledgements.written()

    def _fail(self, error: Exception) -> None:
        if not self._received.done():
            self._received.set_exception(error)
            self._connection.discard()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        if not self._received.done():
            reason = self._connection.broken_by or "the producer's connection broke off"
            self._broken = ConnectionResetError(reason)
            if not self._going_on:
                self._received.set_exception(self._broken)
        self._connection.connection_lost(exc)

    def eof_received(self) -> None:
        """See `asyncio.BufferedProtocol`: the peer ends its side, in the middle of the body; asyncio closes the rest."""

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._connection.resume_writing()


class Acknowledgements:
    """Tells a producer, by interim responses with `head` lines, how much of its log is on file, while it sends.

    Costs a timer only while something is on file that was not told.
    """

    def __init__(self, connection: Connection, journal: Journal, head: str) -> None:
        self._connection = connection
        self._journal = journal
        self._head = head
        self._told = journal.length
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._stopped = False

    def written(self) -> None:
        """More is on file."""
        if self._next is None and not self._stopped:
            self._next = self._loop.call_at(max(self._not_before, self._loop.time()), self._tell)

    def stop(self) -> None:
        """Tell no more: the final response is next."""
        self._stopped = True
        if self._next is not None:
            self._next.cancel()

    def _tell(self) -> None:
        self._next = None
        transport, offset = self._connection.transport, self._journal.length
        if transport is None or transport.is_closing() or offset == self._told:
            return
        self._not_before = self._loop.time() + ACKNOWLEDGE_DISTANCE
        if transport.get_write_buffer_size():
            self.written()  # the producer does not read what it is told: once more, later
            return
        self._told = offset
        transport.write(f"{self._head}Upload-Offset: {offset}\r\n\r\n".encode())
