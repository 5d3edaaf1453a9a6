"""An answer to a search by match: each match is told, with the line that it is in. No I/O.

1. Hits come in the order of the search, each once.
2. At most as many hits as the search may find are in memory.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from .encodings import UTF_8
from .lines import Read
from .matching import Matcher
from .pieces import Newlines, Stretch, pieces, start_of_line
from .query import Query

MAX_HIT_TEXT = 1000
"""Bytes of the text of a hit."""


class Hit(NamedTuple):
    """A match at `offset` in the log's bytes, in the line of that number (None: not known) that begins at `start`."""

    line: int | None
    offset: int
    length: int
    start: int
    text: str


class Hits:
    """One search by match."""

    def __init__(self, query: Query, read: Read, newlines: Newlines) -> None:
        self.told = query.told
        """Hits so far."""
        self.full = False
        """Whether it has told all that it may."""
        self.start = query.start
        """Where the search can be gone on with."""
        self._query = query
        self._read = read
        self._newlines = newlines
        self._matcher = Matcher(query)
        self._beginning: int | None = None  # of the line that the piece begins in; None: not known

    def run(self) -> Iterator[Hit | None]:
        """The hits; None: another piece has been looked at."""
        query = self._query
        for piece in pieces(query, self._read, self._matcher.may_match):
            if piece.begins:
                self._beginning = piece.start
            elif not query.forward and piece.ends:
                self._beginning = None
            if piece.data:
                yield from self._hits(piece)
            self.start = piece.stop if query.forward else piece.start
            yield None

    @property
    def left(self) -> dict[str, object]:
        """What of the query is another one for what has not been told yet."""
        return {"start": self.start, "told": self.told}

    @property
    def following(self) -> int | None:
        """Where the next page begins; None: there is none."""
        return self.start

    def rest(self) -> int | None:
        """Where a page can begin that goes on after the last piece; None: none can."""
        return self.start

    def _hits(self, piece: Stretch) -> Iterator[Hit | None]:
        """The hits of one piece; None: another piece was looked at for what is told of one."""
        query = self._query
        if query.forward:
            for place, raw in self._matcher.lines(piece.data):
                for hit in self._in_line(piece, place, raw):
                    if hit is not None:
                        if hit.offset < query.start:
                            continue
                        self.start = hit.offset + max(1, hit.length)
                        self.told += 1
                    yield hit
            return
        for place, raw in reversed([*self._matcher.lines(piece.data)]):
            last: deque[Hit] = deque(maxlen=query.limit)
            for hit in self._in_line(piece, place, raw):
                if hit is None:
                    yield None
                elif hit.offset < query.start or query.start == query.size:
                    last.append(hit)
            for hit in reversed(last):
                self.start = hit.offset
                self.told += 1
                yield hit

    def _in_line(self, piece: Stretch, place: int, raw: bytes) -> Iterator[Hit | None]:
        """The hits in the line that begins at `place` in a piece, in order of the log; None as in `_hits`."""
        start = -1
        line: int | None = None
        for match in self._matcher.matches(raw):
            offset = piece.start + place + match.offset
            if offset >= piece.stop and len(piece.data) > piece.own:
                break
            if start < 0:
                if place or piece.begins:
                    start = piece.start + place
                elif self._beginning is None:
                    start = self._beginning = yield from start_of_line(piece.start + 1, 0, self._read)
                else:
                    start = self._beginning
                count = (yield from self._newlines.before(start)) if self._query.numbered else None
                line = None if count is None else count + 1
            text = excerpt(match.clean, match.place, self._query.encoding)
            yield Hit(line, offset, match.length, start, text)


def excerpt(line: bytes, offset: int, encoding: str) -> str:
    """At most `MAX_HIT_TEXT` bytes of a line around `offset`, in whole characters."""
    start = max(0, min(offset - MAX_HIT_TEXT // 4, len(line) - MAX_HIT_TEXT))
    stop = min(len(line), start + MAX_HIT_TEXT)
    while encoding == UTF_8 and start < offset and line[start] & 0xC0 == 0x80:
        start += 1
    while encoding == UTF_8 and stop < len(line) and stop > offset and line[stop] & 0xC0 == 0x80:
        stop -= 1
    return line[start:stop].decode(encoding, "replace")
