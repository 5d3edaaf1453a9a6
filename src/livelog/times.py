"""The arrival times of a log's bytes: how they are encoded as notes, and how a time or an offset is looked up. No I/O.

A *note* is a pair of an offset in the log and a time in milliseconds since the epoch. The bytes from this offset to the next note arrived at
this time, or less than `RESOLUTION` milliseconds later. Notes are encoded in blocks of `NOTES_BLOCK` bytes. A block starts with a header:
its first note and the CRC-32 of that. Each further note is two varints (LEB128): the milliseconds and the bytes since the previous note.
Zero bytes fill the rest of a block. This module does not know where notes are stored: the caller passes a function that reads them.

1. Offsets and times increase from note to note, even if the clock goes back. Bytes before the first note arrived when the log began.
2. Each block can be decoded by itself, so a lookup bisects the headers of the blocks.
3. A note that was cut off by a crash is ignored. A block with a damaged header has no notes: its bytes have the time of the previous note.
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
"""The size of a block of notes, in bytes."""

RESOLUTION = 10
"""The smallest time between two notes, in milliseconds: the precision of a time."""

FORMER_BLOCK = 64 * 1024
"""The bytes of a log for which the former format has one time."""

_FORMER_TICK = 10
"""The unit of time in the former format, in milliseconds."""

_HEADER = Struct(">QQI")

_EPOCH = datetime.fromtimestamp(0, UTC)

Note = tuple[int, int]
"""An offset in the log, in bytes, and the arrival time of the bytes from there on, in milliseconds since the epoch."""

Read = Callable[[int, int], bytes]
"""Returns the bytes `[start, stop)` of the encoded notes, or fewer at their end, like `os.pread`."""


class End(NamedTuple):
    """The position of the next note: the number of encoded bytes before it, and the offset and time of the previous note."""

    size: int
    offset: int
    moment: int


def encode(end: End, notes: Iterable[Note]) -> tuple[bytes, End]:
    """The encoded form of `notes`, to be appended at `end`, and the new end.

    A note is left out if its time or its offset is not larger than that of the previous note.
    """
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
    """The end of the valid notes in the first `size` encoded bytes. `began`: when the log began; `length`: the log's length in bytes.

    Notes about bytes beyond `length` are not valid: the server was killed before it wrote these bytes.
    """
    for block in reversed(range(-(-size // NOTES_BLOCK))):
        offsets, moments, ends = _decode(read(block * NOTES_BLOCK, (block + 1) * NOTES_BLOCK))
        count = bisect_left(offsets, length)
        if count:
            return End(block * NOTES_BLOCK + ends[count - 1], offsets[count - 1], moments[count - 1])
    return End(0, 0, began)


def is_notes(beginning: bytes) -> bool:
    """Whether encoded notes can start with these bytes; if not, they have the former format, or are damaged."""
    return _first(beginning) is not None


def former_notes(kept: bytes, began: int) -> Iterator[Note]:
    """The notes in the former format: a CRC-32 of 4 bytes, then for each 64 KiB of the log an arrival time, in units of 10 ms since `began`.

    No notes, if `kept` does not have this format.
    """
    ticks = memoryview(kept)[4:]
    if len(ticks) % 4 or kept[:4] != zlib.crc32(ticks).to_bytes(4, sys.byteorder):
        return
    for block, tick in enumerate(ticks.cast("I")):
        yield block * FORMER_BLOCK, began + _FORMER_TICK * tick


class Times:
    """The arrival times of one log. `began`: when the log began; `read`, `size`: its encoded notes, and their number of bytes.

    All times are in milliseconds since the epoch. The methods block if `read` does.
    """

    __slots__ = ("_began", "_block", "_blocks", "_moments", "_offsets", "_read", "_stop")

    def __init__(self, began: int, read: Read = lambda _start, _stop: b"", size: int = 0) -> None:
        self._began = began
        self._read = read
        self._blocks = -(-size // NOTES_BLOCK)
        self._block = -1
        """The block whose notes are in `_offsets` and `_moments`; -1: none."""
        self._offsets: list[int] = []
        self._moments: list[int] = []
        self._stop = 0
        """The offset in the log of the first note behind `_block`."""

    def time_at(self, offset: int) -> int:
        """The arrival time of the byte at `offset`."""
        if not (self._offsets and self._offsets[0] <= offset < self._stop):
            self._load(self._find(offset, 0))
        place = bisect_right(self._offsets, offset) - 1
        return self._moments[place] if place >= 0 else self._began

    def offset_at(self, moment: int) -> int | None:
        """The offset of the first byte whose `time_at` is `moment` or later; None: there is none yet."""
        if moment <= self._began:
            return 0
        self._load(block := self._find(moment - 1, 1))
        place = bisect_left(self._moments, moment)
        if place < len(self._moments):
            return self._offsets[place]
        following = self._next(block)
        return None if following is None else following[0]

    def notes(self, start: int, stop: int) -> Iterator[Note]:
        """The notes of the bytes `[start, stop)`. The first note is `start` with the time of that byte. No notes, if the range is empty."""
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
        """The first note of a block; None: the block is damaged, or does not exist."""
        return (
            _first(self._read(block * NOTES_BLOCK, block * NOTES_BLOCK + _HEADER.size))
            if block < self._blocks
            else None
        )

    def block_of(self, offset: int) -> int:
        """The last block whose first note is at `offset` or before it; -1: there is none."""
        return self._find(offset, 0)

    def _find(self, key: int, column: int) -> int:
        """The last block whose first note has an offset (`column` 0) or a time (1) of at most `key`; -1: there is none."""
        found = low = -1
        high = self._blocks
        while high - low > 1:
            probe = middle = (low + high) // 2
            while probe > low and (first := self.header(probe)) is None:
                probe -= 1  # this block is damaged
            if probe > low and first is not None and first[column] > key:
                high = probe
            else:
                found, low = (probe if probe > low else found), middle
        return found

    def _next(self, block: int) -> Note | None:
        """The first note of the blocks behind `block`; None: there is none."""
        return next(filter(None, map(self.header, range(block + 1, self._blocks))), None)

    def _load(self, block: int) -> None:
        """Decode the notes of a block into `_offsets` and `_moments`; -1: no notes."""
        if block == self._block:
            return
        self._offsets, self._moments, _ = _decode(
            self._read(block * NOTES_BLOCK, (block + 1) * NOTES_BLOCK) if block >= 0 else b""
        )
        following = self._next(block)
        self._block, self._stop = block, following[0] if following is not None else 1 << 64


class Gaps:
    """Finds the `most` longest gaps of a log: times in which no byte arrived. Notes are passed in order. `began`: when the log began (ms)."""

    def __init__(self, began: int, most: int) -> None:
        self.longest: list[tuple[int, int, int]] = []
        """A heap of gaps, the shortest first: their length (ms), their begin (ms since the epoch, negated), the offset of the byte behind."""
        self._last = began
        self._most = most

    def note(self, offset: int, moment: int) -> None:
        """Take the next note, or the end of the log: a gap ends at `moment`."""
        gap = (moment - self._last, -self._last, offset)  # of gaps of equal length, the earlier one is larger
        self._last = moment
        if len(self.longest) < self._most:
            if gap[0] > 0:
                heappush(self.longest, gap)
        elif self.longest and gap > self.longest[0]:
            heapreplace(self.longest, gap)

    def documents(self) -> list[dict[str, object]]:
        """The gaps as JSON, the longest first."""
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
    """Reads the notes of a growing log in order, from the byte at `start`; each note is decoded once. The other arguments are those of `Times`.

    The notes of a range must have been written before `take` is called for this range.
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
        """The notes of the bytes `[start, stop)`. The first note is `start` with the time of that byte. `start` must not decrease."""
        self._fill(stop)
        passed = bisect_right(self._ahead, start, key=_offset_of)
        if passed:
            self._moment = self._ahead[passed - 1][1]
            del self._ahead[:passed]
        return [(start, self._moment), *self._ahead[: bisect_left(self._ahead, stop, key=_offset_of)]]

    def _fill(self, stop: int) -> None:
        """Decode more notes, until one is at `stop` or behind it, or there are no more."""
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
    """The note in the header of a block that starts with these bytes; None: there is no valid header."""
    if len(block) < _HEADER.size:
        return None
    offset, moment, code = _HEADER.unpack_from(block)
    return (offset, moment) if code == zlib.crc32(block[:16]) else None


def _decode(block: bytes) -> tuple[list[int], list[int], list[int]]:
    """The notes of a block, as three lists: their offsets, their times, and the position in the block behind each of them."""
    first = _first(block)
    if first is None:
        return [], [], []
    offsets, moments, ends = _decode_rest(block, _HEADER.size, *first)
    return [first[0], *offsets], [first[1], *moments], [_HEADER.size, *ends]


def _decode_rest(data: bytes, place: int, offset: int, moment: int) -> tuple[list[int], list[int], list[int]]:
    """Like `_decode`, for the notes from `place` on. `offset`, `moment`: the previous note."""
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
    """The varint at `place`, and the position behind it. Raises: IndexError, if it is not complete."""
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
    """A time in milliseconds since the epoch in the format of RFC 3339, in UTC, such as `2026-11-28T02:03:04.120Z`."""
    seconds, milliseconds = divmod(moment, 1000)
    return f"{_second(seconds)}.{milliseconds:03d}Z"


def moment_of(text: str, *, down: bool = False) -> int:
    """The milliseconds since the epoch of a time in the format of RFC 3339, with any zone, or in seconds since the epoch, such as `1764295384.5`.

    It is rounded up to whole milliseconds, or down if `down` is set. Rounded up, it is a correct lower bound: a byte whose time is at least the
    result arrived at that time or later. Raises: ValueError, if `text` has neither format, or no zone.
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
