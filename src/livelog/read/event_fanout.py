"""The fan-out of a log as server-sent events: each event is made once for all members.

A pass sends one frame: a `state` event if the state has changed, and an event with the text that has arrived. The beginning of a
character waits for its other bytes. The `end` event is not sent here: the caller of `follow` sends it.

1. All members have the same position: an offset at the end of a character, and the state that they were sent last.
2. A reader with another position gets events of its own up to the members' position. If there are no members, its position becomes theirs.
3. An event is `FRAME_LIMIT` bytes or little more. That is what a member with a full socket holds in memory.
4. The number of readers is sent when it changes, at most once in `COUNT_PAUSE` seconds, with the next pass. It costs nothing for each line.
5. After `KEEP_ALIVE` seconds without an event, a comment is sent.
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
"""Seconds without an event after which a comment is sent."""

COUNT_PAUSE = 1.0
"""Seconds between two events with the number of readers, at least."""

COMMENT = b":\n\n"


class EventFanout(Fanout):
    """The fan-out of one log as an event stream."""

    def __init__(self, journal: Source, pass_seconds: Histogram) -> None:
        super().__init__(journal, pass_seconds)
        self._sent_state = journal.state
        """The state that the members were sent last."""
        self._seen = journal.length, journal.state
        """The length and state that the last pass, or the first member, has seen."""
        self._sent_readers: int | None = None
        """The number of readers that the members were sent last."""
        self._readers_due = False
        self._readers_timer: asyncio.TimerHandle | None = None
        self._left_with: dict[BodyWriter, tuple[State, int | None]] = {}  # of writers that have just left
        self._step = MAX_EVENT
        self._cursor: Cursor | None = None
        """The arrival times of the next bytes for the members."""
        self._heard = self._loop.time()
        self._silence: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """See `Fanout.close`."""
        super().close()
        for timer in (self._silence, self._readers_timer):
            if timer is not None:
                timer.cancel()

    def count_readers(self) -> None:
        """`Source.readers` has changed: send the number to the members soon."""
        if self._readers_timer is None:
            self._readers_timer = self._loop.call_later(COUNT_PAUSE, self._readers_changed)

    def _readers_changed(self) -> None:
        self._readers_timer = None
        if self.journal.readers != self._sent_readers:
            self._readers_due = True
            self._changed()

    async def _follow(self, writer: BodyWriter, offset: int, *, chunked: bool) -> None:
        """See `Fanout._follow`."""
        journal, sent_state, sent_readers = self.journal, None, None
        cursor: Cursor | None = None
        while True:
            self._behind[writer] = offset
            await writer.drained()
            # The state and the length are read together, so that text which arrived before a change of state is sent before it.
            state, length = journal.state, journal.length
            stop, ended = length, state.ended
            if self._members:
                stop = self.offset
            else:
                self._sent_state = state
            if sent_state is not self._sent_state and not ended:
                sent_state = self._sent_state
                _write(
                    writer, event("state", str(offset), {"state": sent_state.value, "size": length}), chunked=chunked
                )
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
                    await asyncio.sleep(0)  # a peer that always has room would keep the event loop from the others
                    continue
                if self._members or (journal.length, journal.state) != (length, state):
                    continue  # more has arrived meanwhile
            if journal.at_end and (not self._members or offset == journal.length):
                return
            if self._members and offset != self.offset:
                # The offset is beyond that of the last pass, or in the middle of a character.
                try:
                    async with asyncio.timeout(KEEP_ALIVE):
                        await asyncio.shield(self._wait_for_advance())
                except TimeoutError:
                    _write(writer, COMMENT, chunked=chunked)
                continue
            if sent_readers != self._sent_readers is not None:
                sent_readers = self._sent_readers
                _write(writer, event("readers", str(offset), {"readers": sent_readers}), chunked=chunked)
                continue
            if not self._members:
                self._settle_at(offset)
            cursor = None
            try:
                offset = await self._join(writer, chunked=chunked)
            finally:
                sent_state, sent_readers = self._left_with.pop(writer, (None, None))

    async def _read(self, start: int, stop: int) -> bytes:
        journal = self.journal
        return journal.read(start, stop) if journal.is_cached(start, stop) else await journal.fetch(start, stop)

    def _frame(self, start: int, data: bytes, notes: list[Note], *, is_last: bool) -> tuple[bytes, int]:
        """Make an event with the bytes of `data`, which is at `start` in the log, as many as have room. Returns the event, and how many.

        `notes`: the arrival times, see `Cursor.take`. `is_last`: no bytes follow that could complete a character at the end of `data`.
        """
        while True:
            count = len(data) if is_last else whole_characters(data)
            if not count:
                return b"", 0
            frame = text_event(start, data[:count], notes[: bisect_left(notes, (start + count,))])
            if len(frame) <= FRAME_LIMIT + 128 or len(data) <= FRAME_LIMIT // 8:
                break
            # Much of it is escaped, a byte by up to six characters: the next events begin with a smaller piece.
            self._step = max(FRAME_LIMIT // 8, len(data) // 2)
            data, is_last = data[: self._step], False
        if len(frame) < FRAME_LIMIT // 2:
            self._step = min(MAX_EVENT, max(self._step, 2 * len(data)))
        return frame, count

    def _settle_at(self, offset: int) -> None:
        """The first member joins at the end of the log: its position becomes that of the members."""
        self.offset, self._seen = offset, (self.journal.length, self.journal.state)
        self._cursor = None
        self._heard = self._loop.time()
        if self._silence is None:
            self._silence = self._loop.call_later(KEEP_ALIVE, self._break_silence)
        if self._readers_due:
            self._loop.call_soon(self._changed)

    def _release(self, writer: BodyWriter, offset: int) -> None:
        if writer in self._members:
            self._left_with[writer] = self._sent_state, self._sent_readers
        super()._release(writer, offset)

    def _unwatched(self) -> None:
        """See `Fanout._unwatched`: whoever waits to join looks again."""
        self._report_advance()

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
            self._pass_done(started, 0.0, start)  # each member reads the file itself, and gets the error
            return
        if data is not None:
            frame, count = self._frame(start, data, notes, is_last=state.ended and stop == length)
        if state is not self._sent_state and not state.ended:
            self._sent_state = state
            frame = event("state", str(start), {"state": state.value, "size": length}) + frame
        if self._readers_due:
            self._readers_due, self._sent_readers = False, journal.readers
            frame = event("readers", str(start), {"readers": journal.readers}) + frame
        self.offset = start + count
        # The rest is the beginning of a character, or is sent by the next pass.
        self._seen = (length if stop == length and length - self.offset < 4 else self.offset), state
        self._report_advance()
        if frame:
            self._heard = started
            self._serve(self._due(frame, _chunk(frame)), started, time.perf_counter() - began)
        else:
            self._pass_done(started, 0.0, None)

    def _break_silence(self) -> None:
        """Send a comment, if nothing was sent for `KEEP_ALIVE` seconds."""
        self._silence = None
        if not self._members:
            return  # the next first member starts the timer again
        wait = self._heard + KEEP_ALIVE - self._loop.time()
        if wait <= 0 and self._next is None:
            wait, self._heard = KEEP_ALIVE, self._loop.time()
            self._serve(self._due(COMMENT, _chunk(COMMENT)), self._heard, 0.0)
        self._silence = self._loop.call_later(max(wait, 1.0), self._break_silence)


def _notes(journal: Source, start: int, stop: int) -> list[Note]:
    """The arrival times of the bytes `[start, stop)`, as `Cursor.take` returns them. Waits for the disk."""
    return list(journal.times().notes(start, stop))


def _chunk(data: bytes) -> bytes:
    """A chunk (RFC 9112 section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _write(writer: BodyWriter, data: bytes, *, chunked: bool) -> None:
    writer.write(_chunk(data) if chunked else data)
