"""When the bytes of a log came: notes beside the log, and how they are found. No I/O.

A *note* is an offset in the log and a time, in milliseconds since the epoch: the bytes from there up to the next note came at
that time, or less than `RESOLUTION` milliseconds later. Notes are kept in blocks of `NOTES_BLOCK` bytes. A block begins with a header, its
first note and a code of it (CRC-32); each further note is the milliseconds and the bytes since the one before, as two varints (LEB128);
zeros fill what is left. Refuses to know where notes are kept: whoever has them gives a function that reads.

1. Offsets and times grow from note to note, whatever the clock does. Bytes in front of the first note came when the log began.
2. Each block can be read by itself: a time or an offset is found by bisecting the headers.
3. What a kill cut off is no note. A block without a right header has none: its bytes have the time of the last note before.
"""

import re
import sys
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from heapq import heappush, heapreplace
from struct import Struct
from typing import NamedTuple

NOTES_BLOCK = 4096
"""Bytes of a block of notes."""

RESOLUTION = 10
"""Milliseconds between two notes, at least: how exact a time is."""

FORMER_BLOCK = 64 * 1024
"""Bytes of a log between two times of the former format, and so between those that are told of logs that have it."""

_FORMER_TICK = 10
"""Milliseconds: the unit of the former format."""

_HEADER = Struct(">QQI")

_EPOCH = datetime.fromtimestamp(0, UTC)

Note = tuple[int, int]
"""An offset in the log, in bytes, and when the bytes from there on came, in milliseconds since the epoch."""

Read = Callable[[int, int], bytes]
"""Gives the bytes `[start, stop)` of the notes, fewer at their end; as `os.pread` does."""


class End(NamedTuple):
    """Where the next note goes: the bytes of notes in front of it, and the note before."""

    size: int
    offset: int
    moment: int


def encode(end: End, notes: Iterable[Note]) -> tuple[bytes, End]:
    """Notes as they are put at `end`, and the end behind them. One that is not later, or not further, than the one before is left out."""
    data = bytearray()
    size, offset, moment = end
    for place, time in notes:
        if time <= moment or (place <= offset and size):
            continue
        note = _varint(time - moment) + _varint(place - offset)
        room = -size % NOTES_BLOCK
        if len(note) > room:
            data += bytes(room)
            first = place.to_bytes(8, "big") + time.to_bytes(8, "big")
            note = first + zlib.crc32(first).to_bytes(4, "big")
            size += room
        data += note
        size, offset, moment = size + len(note), place, time
    return bytes(data), End(size, offset, moment)


def end_of(read: Read, size: int, began: int, length: int) -> End:
    """The end of the whole notes in the first `size` bytes, for a log that began at that time and has `length` bytes.

    A note of bytes that never came, since the server was killed first, is behind it.
    """
    for block in reversed(range(-(-size // NOTES_BLOCK))):
        offsets, moments, ends = _decode(read(block * NOTES_BLOCK, (block + 1) * NOTES_BLOCK))
        count = bisect_left(offsets, length)
        if count:
            return End(block * NOTES_BLOCK + ends[count - 1], offsets[count - 1], moments[count - 1])
    return End(0, 0, began)


def is_notes(beginning: bytes) -> bool:
    """Whether notes begin with these bytes: else they are of the former format, or damaged."""
    return _first(beginning) is not None


def former_notes(kept: bytes, began: int) -> Iterator[Note]:
    """The notes of the former format: 4 bytes of CRC-32, then for each 64 KiB of the log when they came, in units of 10 ms since `began`.

    Nothing, if that is not what `kept` is.
    """
    ticks = memoryview(kept)[4:]
    if len(ticks) % 4 or kept[:4] != zlib.crc32(ticks).to_bytes(4, sys.byteorder):
        return
    for block, tick in enumerate(ticks.cast("I")):
        yield block * FORMER_BLOCK, began + _FORMER_TICK * tick


class Times:
    """When the bytes of a log came that began at `began`, of whose notes `read` gives the first `size` bytes.

    Its methods wait for the disk if `read` does. Times are in milliseconds since the epoch.
    """

    __slots__ = ("_began", "_block", "_blocks", "_moments", "_offsets", "_read", "_stop")

    def __init__(self, began: int, read: Read = lambda _start, _stop: b"", size: int = 0) -> None:
        self._began = began
        self._read = read
        self._blocks = -(-size // NOTES_BLOCK)
        self._block = -1
        """The block whose notes are in `_offsets` and `_moments`."""
        self._offsets: list[int] = []
        self._moments: list[int] = []
        self._stop = 0
        """Where in the log the next block begins."""

    def time_at(self, offset: int) -> int:
        """When the byte at `offset` came."""
        if not (self._offsets and self._offsets[0] <= offset < self._stop):
            self._load(self._find(offset, 0))
        place = bisect_right(self._offsets, offset) - 1
        return self._moments[place] if place >= 0 else self._began

    def offset_at(self, moment: int) -> int | None:
        """The offset of the first byte that came at `moment` or later, as `time_at` tells it; None: none did."""
        if moment <= self._began:
            return 0
        self._load(block := self._find(moment - 1, 1))
        place = bisect_left(self._moments, moment)
        if place < len(self._moments):
            return self._offsets[place]
        following = self._next(block)
        return None if following is None else following[0]

    def notes(self, start: int, stop: int) -> Iterator[Note]:
        """The notes of the bytes `[start, stop)`: the first has `start` and the time of that byte; none, if there are no such bytes."""
        if start >= stop:
            return
        last = start, self.time_at(start)
        yield last
        for block in range(max(0, self._find(start, 0)), self._blocks):
            offsets, moments, _ = _decode(self._read(block * NOTES_BLOCK, (block + 1) * NOTES_BLOCK))
            for note in zip(offsets, moments, strict=True):
                if note[0] >= stop:
                    return
                if note[0] > last[0] and note[1] > last[1]:
                    yield note
                    last = note

    def header(self, block: int) -> Note | None:
        """The first note of a block; None: it has none, or there is no such block."""
        return (
            _first(self._read(block * NOTES_BLOCK, block * NOTES_BLOCK + _HEADER.size))
            if block < self._blocks
            else None
        )

    def block_of(self, offset: int) -> int:
        """The last block that begins with a note of that byte or one before; -1: there is none."""
        return self._find(offset, 0)

    def _find(self, key: int, column: int) -> int:
        """The last block of which the first note's offset (column 0) or time (1) is at most `key`; -1: there is none."""
        found = low = -1
        high = self._blocks
        while high - low > 1:
            probe = middle = (low + high) // 2
            while probe > low and (first := self.header(probe)) is None:
                probe -= 1  # it is damaged
            if probe > low and first is not None and first[column] > key:
                high = probe
            else:
                found, low = (probe if probe > low else found), middle
        return found

    def _next(self, block: int) -> Note | None:
        """The first note behind a block; None: there is none."""
        return next(filter(None, map(self.header, range(block + 1, self._blocks))), None)

    def _load(self, block: int) -> None:
        """Have the notes of a block at hand; -1: none."""
        if block == self._block:
            return
        self._offsets, self._moments, _ = _decode(
            self._read(block * NOTES_BLOCK, (block + 1) * NOTES_BLOCK) if block >= 0 else b""
        )
        following = self._next(block)
        self._block, self._stop = block, following[0] if following is not None else 1 << 64


class Gaps:
    """The `most` longest times in which nothing came, in milliseconds: (length, minus begin, offset of what came then), of notes in order from `began` on."""

    def __init__(self, began: int, most: int) -> None:
        self.longest: list[tuple[int, int, int]] = []
        """A heap, the shortest in front."""
        self._last = began
        self._most = most

    def note(self, offset: int, moment: int) -> None:
        """Something came, or the log ended."""
        gap = (moment - self._last, -self._last, offset)  # of equal ones the first
        self._last = moment
        if len(self.longest) < self._most:
            if gap[0] > 0:
                heappush(self.longest, gap)
        elif self.longest and gap > self.longest[0]:
            heapreplace(self.longest, gap)

    def told(self) -> list[dict[str, object]]:
        """The longest first, as JSON has them."""
        return [
            {
                "seconds": length / 1000,
                "offset": offset,
                "began": timestamp(-before),
                "ended": timestamp(length - before),
            }
            for length, before, offset in sorted(self.longest, reverse=True)
        ]


class Cursor:
    """The notes of a log that grows, in order from byte `start` on: each is read once. `read`, `size` and `began` are those of `Times`.

    Notes of bytes that are told of must be there: `read` gives what there is when it is called.
    """

    __slots__ = ("_ahead", "_last", "_moment", "_place", "_read")

    def __init__(self, began: int, read: Read, size: int, start: int) -> None:
        self._read = read
        self._place = NOTES_BLOCK * max(0, Times(began, read, size).block_of(start))
        self._moment = began
        """The time of the byte `start` of the last call."""
        self._last = 0, began  # the last note that was read
        self._ahead: list[Note] = []

    def take(self, start: int, stop: int) -> list[Note]:
        """The notes of the bytes `[start, stop)`: the first has `start` and the time of that byte. `start` never goes back."""
        self._fill(stop)
        passed = bisect_right(self._ahead, start, key=_offset_of)
        if passed:
            self._moment = self._ahead[passed - 1][1]
            del self._ahead[:passed]
        return [(start, self._moment), *self._ahead[: bisect_left(self._ahead, stop, key=_offset_of)]]

    def _fill(self, stop: int) -> None:
        """Read on, up to a note of byte `stop` or later, or to the end."""
        while not self._ahead or self._ahead[-1][0] < stop:
            inside = self._place % NOTES_BLOCK
            following = self._place - inside + NOTES_BLOCK
            data = self._read(self._place, following)
            offsets, moments, ends = _decode_rest(data, 0, *self._last) if inside else _decode(data)
            if ends:
                self._ahead += zip(offsets, moments, strict=True)
                self._last = self._ahead[-1]
                self._place += ends[-1]
            if inside + len(data) < NOTES_BLOCK:
                return
            self._place = following


def _offset_of(note: Note) -> int:
    return note[0]


def _first(block: bytes) -> Note | None:
    """The first note of a block that begins with these bytes; None: it has none."""
    if len(block) < _HEADER.size:
        return None
    offset, moment, code = _HEADER.unpack_from(block)
    return (offset, moment) if code == zlib.crc32(block[:16]) else None


def _decode(block: bytes) -> tuple[list[int], list[int], list[int]]:
    """The notes of a block: their offsets, their times, and where in the block each of them ends."""
    first = _first(block)
    if first is None:
        return [], [], []
    offsets, moments, ends = _decode_rest(block, _HEADER.size, *first)
    return [first[0], *offsets], [first[1], *moments], [_HEADER.size, *ends]


def _decode_rest(data: bytes, place: int, offset: int, moment: int) -> tuple[list[int], list[int], list[int]]:
    """As `_decode`, of the notes from `place` on; `offset` and `moment` are those of the note before."""
    offsets, moments, ends = list[int](), list[int](), list[int]()
    try:
        while True:
            later, further = data[place], data[place + 1]
            place += 2
            if later >= 0x80 or further >= 0x80:
                later, place = _varint_at(data, place - 2)
                further, place = _varint_at(data, place)
            if not later or not further:
                break
            offset += further
            moment += later
            offsets.append(offset)
            moments.append(moment)
            ends.append(place)
    except IndexError:  # the last one is cut off
        pass
    return offsets, moments, ends


def _varint(value: int) -> bytes:
    data = bytearray()
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def _varint_at(data: bytes, place: int) -> tuple[int, int]:
    """The number at `place`, and where it ends. Raises: IndexError, if there is no whole one."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise IndexError


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


def timestamp(moment: int) -> str:
    """A time in milliseconds since the epoch as RFC 3339 has it, in UTC, such as `2026-11-28T02:03:04.120Z`."""
    seconds, milliseconds = divmod(moment, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


def moment_of(text: str, *, down: bool = False) -> int:
    """The reverse, in milliseconds, rounded up unless `down`: of RFC 3339, with any zone, or of seconds since the epoch, such as `1764295384.5`.

    So what came at that time or later is what has that time or a later one. Raises: ValueError, if it is neither.
    """
    if re.fullmatch(r"[0-9]{1,11}(?:\.[0-9]+)?", text, re.ASCII):
        seconds, _, fraction = text[:64].partition(".")
        exact = int(seconds) * 1000 + int(fraction[:3].ljust(3, "0"))
        return exact if down or not fraction[3:].strip("0") else exact + 1
    # The + of a zone is a space in a query string, unless it is escaped.
    time = datetime.fromisoformat(re.sub(r" (?=[0-9]{2}:?[0-9]{2}$)", "+", text) if "T" in text else text)
    if time.tzinfo is None:
        raise ValueError("a time without its zone is none")
    since = time - _EPOCH
    return since // timedelta(milliseconds=1) if down else -(since // timedelta(milliseconds=-1))
