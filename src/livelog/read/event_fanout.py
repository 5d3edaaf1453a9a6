"""A log's text, as server-sent events, from one log to many sockets: each event is made once for all who are caught up.

What a pass brings is one frame: a `state` event, if the log has another one, and an event with the text that has arrived. A
character of which bytes are missing waits for them. Refuses to know of the end of a log: whoever calls `follow` tells it.

1. All members have the same place: an offset at the end of a character, and the state that they were told.
2. Whoever comes from another place makes its own events, up to the members' place. If there are no members, its place is theirs.
3. An event has so much of the log that it takes `FRAME_LIMIT` bytes at most, or little more: that is what waits for a socket that is
   full.
4. How many follow the log is told when it changes, at most once in `COUNT_PAUSE` seconds; a pass takes it along, so it costs nothing for
   each line.
5. Without an event for `KEEP_ALIVE` seconds there is a comment.
"""

import asyncio
import contextlib
import time
from bisect import bisect_left
from functools import partial

from livelog.errors import DiskError
from livelog.log.info import State
from livelog.log.source import Source
from livelog.operate.metrics import Histogram
from livelog.times import Cursor, Note
from livelog.wire.body_writer import BodyWriter

from .fanout import FRAME_LIMIT, Fanout
from .sse import MAX_EVENT, event, text_event, whole_characters

KEEP_ALIVE = 15.0
"""Seconds without an event after which there is a comment."""

COUNT_PAUSE = 1.0
"""Seconds for which changes of the number of readers are gathered."""

COMMENT = b":\n\n"


class EventFanout(Fanout):
    """The readers of a log as an event stream."""

    def __init__(self, journal: Source, pass_seconds: Histogram) -> None:
        super().__init__(journal, pass_seconds)
        self._told = journal.state
        """The state that the members were told."""
        self._seen = journal.length, journal.state
        """What the last pass, or the first member, looked at."""
        self._readers_told: int | None = None
        """The number of readers that the members were told."""
        self._readers_due = False
        self._readers_timer: asyncio.TimerHandle | None = None
        self._left_told: dict[BodyWriter, tuple[State, int | None]] = {}  # of those who have just ceased to be members
        self._step = MAX_EVENT
        self._cursor: Cursor | None = None
        """When what comes for the members came."""
        self._heard = self._loop.time()
        self._silence: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """See `Fanout.close`."""
        super().close()
        for timer in (self._silence, self._readers_timer):
            if timer is not None:
                timer.cancel()

    def count_readers(self) -> None:
        """The number of those who follow the log, `Source.readers`, has changed: the members are told soon."""
        if self._readers_timer is None:
            self._readers_timer = self._loop.call_later(COUNT_PAUSE, self._tell_readers)

    def _tell_readers(self) -> None:
        self._readers_timer = None
        if self.journal.readers != self._readers_told:
            self._readers_due = True
            self._changed()

    async def _follow(self, writer: BodyWriter, offset: int, *, chunked: bool) -> None:
        """See `Fanout._follow`."""
        journal, told, readers_told = self.journal, None, None
        cursor: Cursor | None = None
        while True:
            self._behind[writer] = offset
            await writer.drained()
            # The state and the length are looked at together: text that came before a change is not behind it.
            state, length = journal.state, journal.length
            stop, ended = length, state.ended
            if self._members:
                stop = self.offset
            else:
                self._told = state
            if told is not self._told and not ended:
                told = self._told
                _write(writer, event("state", str(offset), {"state": told.value, "size": length}), chunked=chunked)
                continue
            if offset < stop:
                is_whole = ended or bool(self._members)
                data = await self._read(offset, min(stop, offset + self._step))
                try:
                    cursor = cursor or journal.times_from(offset)
                    notes = cursor.take(offset, offset + len(data))
                except BlockingIOError:
                    notes = await journal.run(partial(_notes, journal, offset, offset + len(data)))
                frame, count = self._frame(offset, data, notes, is_last=is_whole and offset + len(data) == stop)
                if count:
                    _write(writer, frame, chunked=chunked)
                    offset += count
                    await asyncio.sleep(0)  # a peer that is quick enough would keep all others waiting
                    continue
                if self._members or (journal.length, journal.state) != (length, state):
                    continue  # there is more since
            if journal.at_end and (not self._members or offset == journal.length):
                return
            if self._members and offset != self.offset:
                # Asked from an offset that no pass has reached yet, or in the middle of a character.
                try:
                    async with asyncio.timeout(KEEP_ALIVE):
                        await asyncio.shield(self._wait_for_advance())
                except TimeoutError:
                    _write(writer, COMMENT, chunked=chunked)
                continue
            if readers_told != self._readers_told is not None:
                readers_told = self._readers_told
                _write(writer, event("readers", str(offset), {"readers": readers_told}), chunked=chunked)
                continue
            if not self._members:
                self._settle_at(offset)
            cursor = None
            try:
                offset = await self._join(writer, chunked=chunked)
            finally:
                told, readers_told = self._left_told.pop(writer, (None, None))

    async def _read(self, start: int, stop: int) -> bytes:
        journal = self.journal
        return journal.read(start, stop) if journal.is_cached(start, stop) else await journal.fetch(start, stop)

    def _frame(self, start: int, data: bytes, notes: list[Note], *, is_last: bool) -> tuple[bytes, int]:
        """An event with text of the log's bytes from `start` on, and how many it has: as many of `data` as there is room for.

        `notes`: when these bytes came, see `Cursor.take`. `is_last`: nothing comes behind `data` that could complete a character.
        """
        while True:
            count = len(data) if is_last else whole_characters(data)
            if not count:
                return b"", 0
            frame = text_event(start, data[:count], notes[: bisect_left(notes, (start + count,))])
            if len(frame) <= FRAME_LIMIT + 128 or len(data) <= FRAME_LIMIT // 8:
                break
            # Much is escaped, a byte by up to six characters. The next events are not made in vain either.
            self._step = max(FRAME_LIMIT // 8, len(data) // 2)
            data, is_last = data[: self._step], False
        if len(frame) < FRAME_LIMIT // 2:
            self._step = min(MAX_EVENT, max(self._step, 2 * len(data)))
        return frame, count

    def _settle_at(self, offset: int) -> None:
        """The first member comes, with all there is: its place is that of the members."""
        self.offset, self._seen = offset, (self.journal.length, self.journal.state)
        self._cursor = None
        self._heard = self._loop.time()
        if self._silence is None:
            self._silence = self._loop.call_later(KEEP_ALIVE, self._break_silence)
        if self._readers_due:
            self._loop.call_soon(self._changed)

    def _release(self, writer: BodyWriter, offset: int) -> None:
        if writer in self._members:
            self._left_told[writer] = self._told, self._readers_told
        super()._release(writer, offset)

    def _unwatched(self) -> None:
        """See `Fanout._unwatched`: who waits for members looks for itself."""
        self._tell_advance()

    def _has_more(self) -> bool:
        """See `Fanout._has_more`."""
        return self._readers_due or self._seen != (self.journal.length, self.journal.state)

    def _pass(self) -> None:
        """See `Fanout._pass`."""
        if not self._members:
            self._next = None
            self._unwatched()
            return
        journal, started, began = self.journal, self._loop.time(), time.perf_counter()
        state, length, start = journal.state, journal.length, self.offset
        stop = min(length, start + self._step)
        data, notes, frame, count = None, list[Note](), b"", 0
        if start < stop and journal.is_cached(start, stop):
            with contextlib.suppress(DiskError, BlockingIOError):
                self._cursor = self._cursor or journal.times_from(start)
                notes = self._cursor.take(start, stop)
                data = journal.read(start, stop)
        if data is None and start < stop:
            self._pass_done(started, 0.0, start)  # each looks for itself, and meets the error
            return
        if data is not None:
            frame, count = self._frame(start, data, notes, is_last=state.ended and stop == length)
        if state is not self._told and not state.ended:
            self._told = state
            frame = event("state", str(start), {"state": state.value, "size": length}) + frame
        if self._readers_due:
            self._readers_due, self._readers_told = False, journal.readers
            frame = event("readers", str(start), {"readers": journal.readers}) + frame
        self.offset = start + count
        # What is left is the beginning of a character, or comes in the next pass.
        self._seen = (length if stop == length and length - self.offset < 4 else self.offset), state
        self._tell_advance()
        if frame:
            self._heard = started
            self._serve(self._due(frame, _chunk(frame)), started, time.perf_counter() - began)
        else:
            self._pass_done(started, 0.0, None)

    def _break_silence(self) -> None:
        """Send a comment, if nothing was sent for a while."""
        self._silence = None
        if not self._members:
            return  # the next one to be the first begins anew
        wait = self._heard + KEEP_ALIVE - self._loop.time()
        if wait <= 0 and self._next is None:
            wait, self._heard = KEEP_ALIVE, self._loop.time()
            self._serve(self._due(COMMENT, _chunk(COMMENT)), self._heard, 0.0)
        self._silence = self._loop.call_later(max(wait, 1.0), self._break_silence)


def _notes(journal: Source, start: int, stop: int) -> list[Note]:
    """When these bytes came, as `Cursor.take` tells it. Waits for the disk."""
    return list(journal.times().notes(start, stop))


def _chunk(data: bytes) -> bytes:
    """A chunk (RFC 9112 section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _write(writer: BodyWriter, data: bytes, *, chunked: bool) -> None:
    writer.write(_chunk(data) if chunked else data)
