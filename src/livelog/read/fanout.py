"""From one log to many sockets, live: shared frames, at a pace.

A reader that is caught up is a member of one of its log's fan-outs and costs nothing until bytes arrive. Then one
pass makes one frame of what has arrived, and a plain loop writes that same frame to every member.
A member whose socket does not take a whole frame leaves, catches up from the file by itself, and joins again.
There is a fan-out for each form in which a log is followed: `ByteFanout` here, `EventFanout` in `event_fanout`.

Refuses to know of requests and answers: whoever calls `follow` has sent the head.

1. A reader's offset is a number, not a queue: what it has not got is in the file, however slow it is.
2. All members are at `offset`; who is behind reads the file up to there, then joins.
3. Bytes that arrive after a pause go out at once. Under load, passes keep a distance, so that fan-out takes
   at most a third of a core: whatever arrives meanwhile goes out together.
4. A reader that leaves, lags or breaks off changes nothing for the others.
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
"""Bytes of one shared frame, and so of what a reader can hold in memory; more is cheaper sent from the file."""

CHUNK_LIMIT = 4 * 1024 * 1024
"""Bytes of one chunk (RFC 9112 section 7.1) that is sent from the file."""

SHARE = 3.0
"""A pass that took t seconds of the core is followed by the next one SHARE * t after its start, at the earliest.
Measured with 1000 readers: 3 delivers 99 of 100 lines within 46 ms, for 0.55 of what the yardstick costs; 2.5 within 34 ms,
for 0.86."""

MEMBERS_PER_TURN = 256
"""Members served before the event loop gets a turn: one or two milliseconds."""


F = TypeVar("F", bound="Fanout")


class Fanout(ABC):
    """The readers of one log that are caught up, and the passes that serve them.

    `pass_seconds`: counts the seconds that each pass takes.
    """

    def __init__(self, journal: Source, pass_seconds: Histogram) -> None:
        self.journal = journal
        self.offset = journal.length
        """What the members have been given: bytes from the start of the log."""
        self._pass_seconds = pass_seconds
        self._behind: dict[BodyWriter, int] = {}  # those who follow and are no members, and their offsets
        self._loop = asyncio.get_running_loop()
        self._members: dict[BodyWriter, _Member] = {}
        self._advanced: asyncio.Future[None] | None = None
        self._next: asyncio.Handle | None = None
        self._not_before = 0.0
        journal.watchers.add(self._changed)

    @property
    def followers(self) -> int:
        """How many calls of `follow` there are."""
        return len(self._members) + len(self._behind)

    def lags(self) -> Iterator[int]:
        """For each follower, how many bytes there are that it was not given."""
        for offset in self._behind.values():
            yield max(0, self.journal.length - offset)
        yield from [self.journal.length - self.offset] * len(self._members)

    def close(self) -> None:
        """Watch the log no longer."""
        self.journal.watchers.discard(self._changed)
        if self._next is not None:
            self._next.cancel()

    async def follow(self, writer: BodyWriter, offset: int, *, chunked: bool) -> None:
        """Send everything from `offset` (bytes) on, until the log ends. `chunked`: in chunks, but for the last one.

        Raises: ConnectionError, if the reader goes first; DiskError.
        """
        try:
            await self._follow(writer, offset, chunked=chunked)
        finally:
            self._behind.pop(writer, None)

    @abstractmethod
    async def _follow(self, writer: BodyWriter, offset: int, *, chunked: bool) -> None:
        """As `follow`: catch up, and `_join`, in turns. What was sent is told in `_behind`."""

    @abstractmethod
    def _unwatched(self) -> None:
        """The log has changed while there are no members."""

    @abstractmethod
    def _pass(self) -> None:
        """Give the members what has arrived since the last pass, by `_serve` or, if there is nothing for them, `_pass_done`."""

    def _has_more(self) -> bool:
        """Whether there is something that the last pass did not look at."""
        return self.offset < self.journal.length

    async def _join(self, writer: BodyWriter, *, chunked: bool) -> int:
        """Be a member until there is something else to do. Returns the offset reached."""
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
        """A member's socket is full, or gone: it has been given, or can no longer get, what is below `offset`."""
        self._release(writer, self.offset)

    def _release(self, writer: BodyWriter, offset: int) -> None:
        member = self._members.pop(writer, None)
        if member is not None and not member.left.done():
            self._behind[writer] = offset
            member.left.set_result(offset)

    def _changed(self) -> None:
        """The log has more bytes, or another state."""
        if self._next is not None:
            return  # a pass is on its way, and looks again when it is done
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

    def _tell_advance(self) -> None:
        if self._advanced is not None:
            self._advanced.set_result(None)
            self._advanced = None

    def _due(self, plain: bytes, chunk: bytes) -> list[tuple[BodyWriter, bytes]]:
        """All members, each with what it gets."""
        return [(writer, chunk if member.chunked else plain) for writer, member in self._members.items()]

    def _serve(self, due: list[tuple[BodyWriter, bytes]], started: float, seconds: float) -> None:
        """Write a pass's frame to some of the members that are due; the others follow in the loop's next turn."""
        began = time.perf_counter()
        members = self._members
        for writer, frame in due[-MEMBERS_PER_TURN:]:
            if writer in members:  # else it has left meanwhile
                writer.write(frame)
        del due[-MEMBERS_PER_TURN:]
        seconds += time.perf_counter() - began
        if due:
            self._next = self._loop.call_soon(self._serve, due, started, seconds)
        else:
            self._pass_done(started, seconds, None)

    def _pass_done(self, started: float, seconds: float, release: int | None) -> None:
        """Plan the next pass; `release` all members at that offset, or at the end of a log that grows no more."""
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
                # Asked from an offset that no pass has reached yet.
                await asyncio.shield(self._wait_for_advance())
                writer.check()
            else:
                offset = await self._join(writer, chunked=chunked)

    def _unwatched(self) -> None:
        """See `Fanout._unwatched`: the next member begins where the log ends."""
        self.offset = self.journal.length
        self._tell_advance()

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
            # Too much for memory, not in memory, or nothing but the end: each looks for itself, and meets the error.
            self._pass_done(started, 0.0, start)
        else:
            self._serve(self._due(data, b"".join((b"%x\r\n" % size, data, b"\r\n"))), started, 0.0)


class Fanouts(Generic[F]):
    """The fan-outs of one form, which `make` makes: one for each log that is followed in that form.

    `counted`: called with a log when `Source.readers` has changed.
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
        """Those that there are."""
        return self._fanouts.values()

    def get(self, journal: Source) -> F | None:
        """The fan-out of a log; None: nobody follows it in this form."""
        return self._fanouts.get(journal)

    @contextlib.contextmanager
    def use(self, journal: Source) -> Iterator[F]:
        """The fan-out of a log, for one call of `follow`; closed when nobody follows any more."""
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
    """A reader that is caught up; `left` gets its offset when it no longer is."""

    __slots__ = ("chunked", "left")

    def __init__(self, chunked: bool, left: asyncio.Future[int]) -> None:
        self.chunked = chunked
        self.left = left
