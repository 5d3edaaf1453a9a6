"""A log in the pieces in which it is searched, and where lines begin and end in it. No I/O.

1. Whole lines are looked at, in pieces of at most `PIECE` bytes: a longer line in pieces that overlap. Backwards, the first pieces are smaller,
   so that what is near is found at once.
2. What looks for something in a log of any size is a generator that yields None after each piece, so that whoever runs it can look at the clock;
   but not after less: a pattern that takes too long for a piece must be found to do so.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple, TypeVar

from .index import BLOCK
from .lines import Read
from .query import Query

PIECE = 1024 * 1024
"""Bytes looked at in one go."""

FIRST = 64 * 1024
"""Bytes of the first piece backwards; each of the next ones has four times as many, up to `PIECE`."""

OVERLAP = 4096
"""Bytes by which the pieces of a longer line overlap: a match that is longer may be missed there."""

NEAR = 4096
"""Bytes in which the end of a line is looked for first."""

T = TypeVar("T")

Looking = Generator[None, None, int]
"""Looks for a place in a log, which it returns."""


class Stretch(NamedTuple):
    """Whole lines, or a part of one, from `start` on; matches count that begin in its first `own` bytes.

    `data` is empty if there is no need to look at it. `begins`, `ends`: whether a line begins where it does, and one ends where its own bytes end.
    """

    start: int
    data: bytes
    own: int
    begins: bool
    ends: bool

    @property
    def stop(self) -> int:
        """Where its own bytes end."""
        return self.start + self.own


def returned(looking: Generator[None, None, T]) -> T:
    """What is found, without a look at the clock."""
    while True:
        try:
            next(looking)
        except StopIteration as found:
            value: T = found.value
            return value


def next_line(place: int, stop: int, read: Read) -> Looking:
    """Where the first line begins at `place` or behind it; `stop`, if none does in front of that."""
    if place <= 0 or place >= stop or read(place - 1, place) == b"\n":
        return min(max(0, place), stop)
    return (yield from end_of_line(place, stop, read))


def end_of_line(place: int, stop: int, read: Read) -> Looking:
    """Where the line ends, with its newline, that the byte at `place` belongs to; `stop`, if it has none in front of that."""
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
    """Where the line begins that ends in front of `place` (its newline is the byte before that, or it has none); at least `low`."""
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
    """The query with bounds where lines begin: `low` and `size`, which `high` has become; and `start`, if the answer is by line."""
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
    """The log in the order of the search. `wanted` tells whether lines have to be looked at."""
    return _forwards(query, read, wanted) if query.forward else _backwards(query, read, wanted)


def _forwards(query: Query, read: Read, wanted: Callable[[bytes], bool]) -> Iterator[Stretch]:
    start, begins = query.start, True
    if query.low < start and (start < query.size or not query.by_line):
        before = read(max(query.low, start - PIECE // 2), start)
        start -= len(before) - before.rfind(b"\n") - 1  # the line's beginning, if that is near
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
            continue  # a line that is whole in a larger piece is not divided
        own = len(data) - skipped
        ends = ends or data.endswith(b"\n")
        more = b"" if ends else read(stop, min(query.size, stop + OVERLAP)).partition(b"\n")[0]
        yield Stretch(start + skipped, data[skipped:] + more if wanted(data + more) else b"", own, begins, ends)
        stop, ends = start + skipped, begins


class Newlines:
    """How many newlines are in front of a place in a log: counted from the nearest one of which it is known.

    `count` are in front of the byte at `place`; None: that is not known. `blocks[i]` are in front of block i: see `index`.
    """

    def __init__(self, read: Read, place: int, count: int | None, blocks: Sequence[int] = ()) -> None:
        self._read = read
        self._blocks = blocks
        self.place = place
        self.count = 0 if not place else count

    def before(self, place: int) -> Generator[None, None, int | None]:
        """How many are in front of the byte at `place`; None: that is not known."""
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
