"""The lines of a log that another log does not have, once both are folded (see `folding`). No I/O: the caller passes functions that read.

1. The lines of the other log are a set: how often a line is there, and where, does not matter.
2. Lines that are equal when they are folded are returned once, as the first of them, and counted.
3. Memory is bounded: at most `MOST_KNOWN` different lines of the other log are remembered, and at most `MOST_NEW` new ones counted.
4. Of a line of more than `PIECE` bytes only the first `PIECE` bytes are looked at. Empty lines are never new.
"""

import json
import time
from collections.abc import Callable, Iterator
from json.encoder import encode_basestring_ascii
from typing import NamedTuple

from livelog.times import timestamp

from .folding import fold
from .lines import Read
from .pieces import end_of_line
from .sgr import plain

PIECE = 1024 * 1024
"""The limit of the lines that are folded at a time, in bytes."""

MOST_KNOWN = 2_000_000
"""The limit of different lines of the other log. Each takes 32 bytes, and up to 34 in the set."""

MOST_NEW = 100_000
"""The limit of different new lines."""

MOST_TOLD = 4 * 1024 * 1024
"""The output after which no more lines are returned, in bytes."""

MOST_TEXT = 1000
"""The limit of the text of a line, in characters."""

_HASH = 2**60 - 1
"""The bits of a hash that are kept: an integer that is larger takes 40 bytes. Python's hashes of bytes have a random key in each process, so nobody can make two lines collide."""


class Asked(NamedTuple):
    """What is asked: the new lines in the first `stop` bytes of a log, compared with the first `known` bytes of another log.

    `ended`, `known_ended`: whether the log has ended there, so that a last line without a newline is whole. `skip`, `limit`: the number of new lines on
    the pages before, and the limit on this one. `encoding`: Python's name of the log's encoding. `seconds`: the limit of processor time for each of both logs.
    """

    stop: int
    ended: bool
    known: int
    known_ended: bool
    skip: int
    limit: int
    encoding: str
    seconds: float


def compare(
    asked: Asked, read: Read, known_read: Read, time_at: Callable[[int], int], most_known: int = MOST_KNOWN
) -> Iterator[bytes | None]:
    """Yield None after each piece of work, and at last two parts: the answer, a JSON object without its last brace; and the bytes of the other log that were looked at.

    `read`, `known_read`: the bytes of both logs; `time_at`: the arrival time of a byte. Raises: OSError, if these do.
    """
    known, looked, clock = set[int](), 0, time.process_time
    deadline = clock() + asked.seconds
    for piece in _pieces(known_read, asked.known, ended=asked.known_ended):
        if piece is not None:
            known.update([hash(line) & _HASH for line in fold(piece.data)])
            looked = piece.stop
        yield None
        if clock() > deadline or len(known) >= most_known:
            break
    new, scanned = _New(asked, time_at), 0
    deadline = clock() + asked.seconds
    for piece in _pieces(read, asked.stop, ended=asked.ended):
        if piece is not None:
            new.take(piece, known)
            scanned = piece.stop
        yield None
        if clock() > deadline or len(new.counts) >= MOST_NEW:
            break
    about = {"new": len(new.counts), "next": new.following, "indexed": scanned, "more": scanned < asked.stop}
    yield f'{{"lines": [{", ".join(new.items())}], {json.dumps(about)[1:-1]}'.encode()
    yield b"%d" % looked


class _Piece(NamedTuple):
    """Whole lines from the offset `start`, or the first bytes of a long line. `stop`: the offset behind them, or behind that line."""

    start: int
    stop: int
    data: bytes


def _pieces(read: Read, size: int, *, ended: bool) -> Iterator[_Piece | None]:
    """The lines in the first `size` bytes of a log; None after each piece of a long line that is passed over. `ended`: the last line needs no newline."""
    start = 0
    while start < size:
        data = read(start, min(size, start + PIECE))
        stop = start + len(data)
        if newline := data.rfind(b"\n") + 1:
            if stop < size or not ended:
                data, stop = data[:newline], start + newline
        else:
            stop = yield from end_of_line(stop, size, read)
            if stop == size and not ended and read(size - 1, size) != b"\n":
                return  # the line is not complete yet
        yield _Piece(start, stop, data)
        start = stop


class _New:
    """The new lines of a log, from piece to piece."""

    def __init__(self, asked: Asked, time_at: Callable[[int], int]) -> None:
        self.counts: dict[int, int] = {}
        """How often each new line is there, by its hash, in the order of the log."""
        self._asked = asked
        self._time_at = time_at
        self._items: list[tuple[int, str]] = []
        self._size = 0
        self._line = 1  # the number of the first line of the next piece

    @property
    def following(self) -> int | None:
        """The number of new lines to skip for the next page; None: there is none."""
        end = self._asked.skip + len(self._items)
        return end if end < len(self.counts) else None

    def take(self, piece: _Piece, known: set[int]) -> None:
        """Find the lines of a piece that are not in `known`."""
        counts, first = self.counts, list[tuple[int, int]]()
        for at, folded in enumerate(fold(piece.data)):
            if (key := hash(folded) & _HASH) in known or not folded:
                continue
            if key in counts:
                counts[key] += 1
            else:
                counts[key] = 1
                if len(counts) > self._asked.skip and len(self._items) + len(first) < self._asked.limit:
                    first.append((at, key))
        if first and self._size < MOST_TOLD:
            self._tell(piece, first)
        self._line += piece.data.count(b"\n") or 1

    def _tell(self, piece: _Piece, first: list[tuple[int, int]]) -> None:
        lines, passed, place = piece.data.split(b"\n"), 0, piece.start
        for at, key in first:
            place += sum(map(len, lines[passed:at])) + at - passed
            passed = at
            last_state = lines[at].rstrip(b"\r").rpartition(b"\r")[2]
            text = plain(last_state[: 8 * MOST_TEXT]).decode(self._asked.encoding, "replace")
            cut = ', "cut": true' * (len(text) > MOST_TEXT or len(last_state) > 8 * MOST_TEXT)
            moment = timestamp(self._time_at(place))
            item = f'"line": {self._line + at}, "offset": {place}, "time": "{moment}", "text": {encode_basestring_ascii(text[:MOST_TEXT])}{cut}'
            self._items.append((key, item))
            self._size += len(item)
            if self._size >= MOST_TOLD:
                break

    def items(self) -> Iterator[str]:
        """The lines of the page, as JSON."""
        for key, text in self._items:
            yield f'{{{text}, "count": {self.counts[key]}}}'
