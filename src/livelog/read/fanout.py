"""Fan-out: new bytes of one log are written to the sockets of all its readers that are caught up.

A reader that is caught up is a member of a fan-out, and costs nothing until bytes arrive. Then one pass makes one frame of the new
bytes, and a loop writes the same frame to every member. A member whose socket does not take a whole frame leaves, is sent the rest from
the file, and joins again. There is a fan-out for each form in which a log is followed: `ByteFanout`, and `EventFanout` in `event_fanout`.

It does not know requests and answers: the caller of `follow` has sent the head.

1. Of each reader there is only an offset, no queue: the bytes that it was not sent are in the file, however slow it is.
2. All members are at `offset`. A reader behind it is sent the file up to there, and then joins.
3. Bytes that arrive after a pause are sent at once. Under load there is a pause between passes, so that fan-out takes a third of a core
   at most. Bytes that arrive in a pause are sent together.
4. A reader that leaves, is slow or breaks off changes nothing for the others.
"""

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from typing import Generic, TypeVar

from livelog.errors import DiskError
from livelog.log.source import Source
from livelog.operate.metrics import Histogram
from livelog.wire.body_writer import BodyWriter

FRAME_LIMIT = 64 * 1024
"""Bytes of one shared frame, at most, and so of what a reader can hold in memory. More bytes are cheaper sent from the file."""

CHUNK_LIMIT = 4 * 1024 * 1024
"""Bytes of one chunk (RFC 9112 section 7.1) that is sent from the file, at most."""

SHARE = 3.0
"""A pass that took t seconds of the processor is followed by the next one SHARE * t seconds after its start, at the earliest.
Measured with 1000 readers: 3 delivers 99 of 100 lines within 46 ms, for 0.55 of what the yardstick costs; 2.5 within 34 ms,
for 0.86."""

MEMBERS_PER_TURN = 256
"""Members that are written to in one turn of the event loop, which takes one or two milliseconds."""


F = TypeVar("F", bound="Fanout")


class Fanout(ABC):
    """The members of one log's fan-out, and the passes that write to them.

    `pass_seconds`: the histogram that observes each pass's duration in seconds.
    """

    def __init__(self, journal: Source, pass_seconds: Histogram) -> None:
        self.journal = journal
        self.offset = journal.length
        """The offset up to which the members were sent the log, in bytes."""
        self._pass_seconds = pass_seconds
        self._behind: dict[BodyWriter, int] = {}  # the followers that are not members, with their offsets
        self._loop = asyncio.get_running_loop()
        self._members: dict[BodyWriter, _Member] = {}
        self._advanced: asyncio.Future[None] | None = None
        self._next: asyncio.Handle | None = None
        self._not_before = 0.0
        journal.watchers.add(self._changed)

    @property
    def followers(self) -> int:
        """The number of running calls of `follow`."""
        return len(self._members) + len(self._behind)

    def lags(self) -> Iterator[int]:
        """For each follower, the number of the log's bytes that it was not sent."""
        for offset in self._behind.values():
            yield max(0, self.journal.length - offset)
        yield from [self.journal.length - self.offset] * len(self._members)

    def close(self) -> None:
        """Stop watching the log."""
        self.journal.watchers.discard(self._changed)
        if self._next is not None:
            self._next.cancel()

    async def follow(self, writer: BodyWriter, offset: int, *, chunked: bool) -> None:
        """Send the log from `offset` (bytes) until its end. `chunked`: in chunks, without the last chunk.

        Raises: ConnectionError, if the reader leaves before; DiskError.
        """
        try:
            await self._follow(writer, offset, chunked=chunked)
        finally:
            self._behind.pop(writer, None)

    @abstractmethod
    async def _follow(self, writer: BodyWriter, offset: int, *, chunked: bool) -> None:
        """As `follow`: catch up from the file and `_join`, in turns, and keep the offset in `_behind` meanwhile."""

    @abstractmethod
    def _unwatched(self) -> None:
        """Called if the log has changed while there are no members."""

    @abstractmethod
    def _pass(self) -> None:
        """Make the frame of what has arrived since the last pass, and call `_serve`; or `_pass_done`, if there is nothing to send."""

    def _has_more(self) -> bool:
        """Whether the log has changed since the last pass."""
        return self.offset < self.journal.length

    async def _join(self, writer: BodyWriter, *, chunked: bool) -> int:
        """Be a member until the socket is full, the log ends, or the member has to read the file. Returns the offset up to which it was sent the log."""
        writer.check()
        del self._behind[writer]
        member = self._members[writer] = _Member(chunked, self._loop.create_future())
        writer.on_blocked = self._leave
        try:
            return await member.left
        finally:
            writer.on_blocked = None
            self._members.pop(writer, None)
            writer.check()

    def _leave(self, writer: BodyWriter) -> None:
        """Remove a member whose socket is full or closed. It was sent the log up to `offset`, unless it is closed."""
        self._release(writer, self.offset)

    def _release(self, writer: BodyWriter, offset: int) -> None:
        member = self._members.pop(writer, None)
        if member is not None and not member.left.done():
            self._behind[writer] = offset
            member.left.set_result(offset)

    def _changed(self) -> None:
        """The watcher of the log: it has more bytes, or another state."""
        if self._next is not None:
            return  # a pass is running or scheduled, and looks again at its end
        if not self._members:
            self._unwatched()
        elif self._loop.time() >= self._not_before:
            self._pass()
        else:
            self._next = self._loop.call_at(self._not_before, self._pass)

    def _wait_for_advance(self) -> asyncio.Future[None]:
        """Done once `offset` has been looked at anew: shared by all who wait for that, so it must be shielded."""
        if self._advanced is None:
            self._advanced = self._loop.create_future()
        return self._advanced

    def _report_advance(self) -> None:
        if self._advanced is not None:
            self._advanced.set_result(None)
            self._advanced = None

    def _due(self, plain: bytes, chunk: bytes) -> list[tuple[BodyWriter, bytes]]:
        """All members, each with the frame in its framing."""
        return [(writer, chunk if member.chunked else plain) for writer, member in self._members.items()]

    def _serve(self, due: list[tuple[BodyWriter, bytes]], started: float, seconds: float) -> None:
        """Write the frame to `MEMBERS_PER_TURN` of the members in `due`, and to the others in the event loop's next turns."""
        began = time.perf_counter()
        members = self._members
        for writer, frame in due[-MEMBERS_PER_TURN:]:
            if writer in members:  # it may have left meanwhile
                writer.write(frame)
        del due[-MEMBERS_PER_TURN:]
        seconds += time.perf_counter() - began
        if due:
            self._next = self._loop.call_soon(self._serve, due, started, seconds)
        else:
            self._pass_done(started, seconds, None)

    def _pass_done(self, started: float, seconds: float, release: int | None) -> None:
        """Schedule the next pass. `release`: end the membership of all, at this offset; None: only if the log is at its end."""
        self._next = None
        self._not_before = started + SHARE * seconds
        if seconds:
            self._pass_seconds.observe(seconds)
        if release is None and self.journal.at_end and not self._has_more():
            release = self.offset
        if release is not None:
            for writer in tuple(self._members):
                self._release(writer, release)
        if self._has_more():
            self._changed()


class ByteFanout(Fanout):
    """The readers of a log's bytes."""

    async def _follow(self, writer: BodyWriter, offset: int, *, chunked: bool) -> None:
        journal = self.journal
        while True:
            self._behind[writer] = offset
            if offset < self.offset:
                stop = min(self.offset, offset + CHUNK_LIMIT)
                if chunked:
                    writer.write(b"%x\r\n" % (stop - offset))
                await writer.send(journal, offset, stop)
                if chunked:
                    writer.write(b"\r\n")
                offset = stop
            elif writer.blocked:
                await writer.drained()
            elif journal.at_end and offset == journal.length:
                return
            elif offset > self.offset:
                # The offset is beyond that of the last pass.
                await asyncio.shield(self._wait_for_advance())
                writer.check()
            else:
                offset = await self._join(writer, chunked=chunked)

    def _unwatched(self) -> None:
        """See `Fanout._unwatched`: the next member begins where the log ends."""
        self.offset = self.journal.length
        self._report_advance()

    def _pass(self) -> None:
        """See `Fanout._pass`."""
        started, start = self._loop.time(), self.offset
        self._unwatched()
        size = self.offset - start
        data = None
        if 0 < size <= FRAME_LIMIT and self.journal.is_cached(start, self.offset):
            with contextlib.suppress(DiskError):
                data = self.journal.read(start, self.offset)
        if data is None:
            # Too many bytes for a frame, bytes that are not cached, or only the end: each member reads the file itself, and gets the error.
            self._pass_done(started, 0.0, start)
        else:
            self._serve(self._due(data, b"".join((b"%x\r\n" % size, data, b"\r\n"))), started, 0.0)


class Fanouts(Generic[F]):
    """All fan-outs of one form, one for each log that is followed in it. `make`: makes one.

    `counted`: called with a log when its `Source.readers` has changed.
    """

    def __init__(
        self, make: Callable[[Source, Histogram], F], pass_seconds: Histogram, counted: Callable[[Source], None]
    ) -> None:
        self._make = make
        self._pass_seconds = pass_seconds
        self._counted = counted
        self._fanouts: dict[Source, F] = {}

    @property
    def all(self) -> Collection[F]:
        """All present fan-outs."""
        return self._fanouts.values()

    def get(self, journal: Source) -> F | None:
        """The fan-out of a log; None: nobody follows it in this form."""
        return self._fanouts.get(journal)

    @contextlib.contextmanager
    def use(self, journal: Source) -> Iterator[F]:
        """The fan-out of a log, for one call of `follow`. It is closed after the last call."""
        fanout = self._fanouts.get(journal)
        if fanout is None:
            fanout = self._fanouts[journal] = self._make(journal, self._pass_seconds)
        journal.readers += 1
        self._counted(journal)
        try:
            yield fanout
        finally:
            journal.readers -= 1
            if not fanout.followers:
                fanout.close()
                del self._fanouts[journal]
            self._counted(journal)


class _Member:
    """A member. `left`: gets its offset when it ceases to be one."""

    __slots__ = ("chunked", "left")

    def __init__(self, chunked: bool, left: asyncio.Future[int]) -> None:
        self.chunked = chunked
        self.left = left
