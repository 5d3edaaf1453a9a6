"""The pieces in which a log is searched, and the places where its lines begin and end. No I/O: the caller passes a function that reads.

1. A piece consists of whole lines, `PIECE` bytes at most. A longer line is divided into pieces that overlap. The first pieces of a backward
   search are smaller, so that near hits are found at once.
2. Functions that may have to read much are generators. They yield None after each `PIECE` bytes, so that the caller can check limits of time,
   and not more often: the limit of processor time holds for a whole piece.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple, TypeVar

from .index import BLOCK
from .lines import Read
from .query import Query

PIECE = 1024 * 1024
"""The limit of a piece, in bytes."""

FIRST = 64 * 1024
"""The first piece of a backward search, in bytes; each further one is four times as large, up to `PIECE`."""

OVERLAP = 4096
"""Bytes by which the pieces of a long line overlap. A longer match may be missed at their borders."""

NEAR = 4096
"""The first read, in bytes, when the end of a line is looked for."""

T = TypeVar("T")

Looking = Generator[None, None, int]
"""A generator that yields None after each `PIECE` bytes, and returns an offset."""


class Stretch(NamedTuple):
    """A piece: whole lines, or a part of a long line, from the offset `start`. Only matches that begin in its first `own` bytes belong to it.

    `data`: its bytes, and further ones behind its own in the middle of a line; empty: nothing can match here. `begins`: whether a line begins at `start`.
    `ends`: whether a line ends where the own bytes end.
    """

    start: int
    data: bytes
    own: int
    begins: bool
    ends: bool

    @property
    def stop(self) -> int:
        """The offset behind its own bytes."""
        return self.start + self.own


def returned(looking: Generator[None, None, T]) -> T:
    """Run a generator to its end, and return its result."""
    while True:
        try:
            next(looking)
        except StopIteration as found:
            value: T = found.value
            return value


def next_line(place: int, stop: int, read: Read) -> Looking:
    """Return the offset of the first line that begins at `place` or behind it; `stop`, if none begins before that."""
    if place <= 0 or place >= stop or read(place - 1, place) == b"\n":
        return min(max(0, place), stop)
    return (yield from end_of_line(place, stop, read))


def end_of_line(place: int, stop: int, read: Read) -> Looking:
    """Return the offset behind the newline of the line that contains `place`; `stop`, if there is no newline before that."""
    size = NEAR
    while place < stop:
        data = read(place, min(stop, place + size))
        if (newline := data.find(b"\n")) >= 0:
            return place + newline + 1
        if size == PIECE:
            yield None
        place, size = place + len(data), PIECE
    return stop


def start_of_line(place: int, low: int, read: Read) -> Looking:
    """Return the offset at which the line begins that ends at `place`; at least `low`. The byte before `place` is its newline, if it has one."""
    size, end = NEAR, place - 1
    while end > low:
        start = max(low, end - size)
        if (newline := read(start, end).rfind(b"\n")) >= 0:
            return start + newline + 1
        if size == PIECE:
            yield None
        end, size = start, PIECE
    return low


def aligned(query: Query, read: Read) -> Generator[None, None, Query]:
    """Return the query with `low` and `size` moved to beginnings of lines; `size` replaces `high`. Of a search by line, `start` is moved, too."""
    size = query.size
    if query.whole and size and read(size - 1, size) != b"\n":
        size = yield from start_of_line(size + 1, min(query.low, size), read)
    if query.high is not None:
        size = yield from next_line(query.high, size, read)
    low = yield from next_line(query.low, size, read)
    start = max(low, min(query.start, size))
    if query.by_line and query.bound is None:
        start = yield from next_line(start, size, read)
    return query._replace(size=size, high=None, low=low, start=start)


def pieces(query: Query, read: Read, wanted: Callable[[bytes], bool]) -> Iterator[Stretch]:
    """The pieces of the log in the direction of the search. `wanted`: whether something can match in these bytes."""
    return _forwards(query, read, wanted) if query.forward else _backwards(query, read, wanted)


def _forwards(query: Query, read: Read, wanted: Callable[[bytes], bool]) -> Iterator[Stretch]:
    start, begins = query.start, True
    if query.low < start and (start < query.size or not query.by_line):
        before = read(max(query.low, start - PIECE // 2), start)
        start -= len(before) - before.rfind(b"\n") - 1  # back to the beginning of the line, if that is near
        begins = b"\n" in before or start == query.low
    while start < query.size:
        data = read(start, min(query.size, start + PIECE))
        own, ends = len(data), True
        if start + own < query.size:
            own = data.rfind(b"\n") + 1
            ends = own > 0
            own = own or len(data) - OVERLAP
        yield Stretch(start, (data[:own] if ends else data) if wanted(data) else b"", own, begins, ends)
        start, begins = start + own, ends


def _backwards(query: Query, read: Read, wanted: Callable[[bytes], bool]) -> Iterator[Stretch]:
    stop, ends, size = query.start, True, FIRST
    if query.low < stop < query.size and read(stop - 1, stop) != b"\n":
        behind = read(stop, min(query.size, stop + PIECE // 2))
        newline = behind.find(b"\n")
        stop += newline + 1 if newline >= 0 else len(behind)
        ends = newline >= 0 or stop == query.size
    while stop > query.low:
        start = max(query.low, stop - size + OVERLAP)
        data, begins = read(start, stop), start == query.low
        skipped, is_small, size = 0, size < PIECE, min(PIECE, 4 * size)
        if not begins and -1 < (newline := data.find(b"\n")) < len(data) - 1:
            skipped, begins = newline + 1, True
        if not begins and is_small:
            continue  # a larger piece may contain the whole line
        own = len(data) - skipped
        ends = ends or data.endswith(b"\n")
        more = b"" if ends else read(stop, min(query.size, stop + OVERLAP)).partition(b"\n")[0]
        yield Stretch(start + skipped, data[skipped:] + more if wanted(data + more) else b"", own, begins, ends)
        stop, ends = start + skipped, begins


class Newlines:
    """Counts the newlines before an offset of a log, starting from the nearest offset for which the number is known.

    `place`, `count`: an offset, and the number of newlines before it; None: unknown. `blocks[i]`: the number before block i, see `index`.
    """

    def __init__(self, read: Read, place: int, count: int | None, blocks: Sequence[int] = ()) -> None:
        self._read = read
        self._blocks = blocks
        self.place = place
        self.count = 0 if not place else count

    def before(self, place: int) -> Generator[None, None, int | None]:
        """Return the number of newlines before the offset `place`; None: unknown."""
        block = min(place // BLOCK, len(self._blocks) - 1)
        if self._blocks and (self.count is None or abs(place - self.place) > place - block * BLOCK):
            self.place, self.count = block * BLOCK, self._blocks[block]
        if self.count is None:
            return None
        while self.place != place:
            start, stop = min(place, self.place), max(place, self.place)
            if stop - start > PIECE:
                start, stop = (start, start + PIECE) if self.place < place else (stop - PIECE, stop)
                yield None
            count = self._read(start, stop).count(b"\n")
            self.place, self.count = (stop, self.count + count) if self.place < place else (start, self.count - count)
        return self.count
