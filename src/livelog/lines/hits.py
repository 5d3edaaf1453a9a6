"""A search by match: each match is a hit, with the text of its line. No I/O: the caller passes a function that reads.

1. Hits are returned in the direction of the search, each once.
2. At most `limit` hits are in memory.
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
"""The limit of the text of a hit, in bytes."""


class Hit(NamedTuple):
    """A match of `length` bytes at `offset` in the log. `line`: the number of its line, None if unknown; `start`: the line's offset."""

    line: int | None
    offset: int
    length: int
    start: int
    text: str


class Hits:
    """One search by match. `read`: returns bytes of the log; `newlines`: counts newlines for the numbers of lines."""

    def __init__(self, query: Query, read: Read, newlines: Newlines) -> None:
        self.returned = query.returned
        """The number of hits that were returned so far."""
        self.full = False
        """Whether the search ends before the log does. A search by match leaves that to its caller."""
        self.start = query.start
        """The offset at which the search can be continued."""
        self._query = query
        self._limit = query.limit
        self._read = read
        self._newlines = newlines
        self._matcher = Matcher(query)
        self._beginning: int | None = None  # the start of the line in whose middle the piece begins; None: unknown

    def is_full(self) -> bool:
        """Whether the limit of hits is reached."""
        return self._limit is not None and self.returned >= self._limit

    def stop(self) -> None:
        """Return no further hit."""
        self._limit = self.returned

    def run(self) -> Iterator[Hit | None]:
        """Yield the hits, and None after each piece of the log."""
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
        """The members of the query that have to be replaced to continue the search."""
        return {"start": self.start, "returned": self.returned}

    @property
    def following(self) -> int | None:
        """The offset at which the next page begins; None: there is none."""
        return self.start

    def rest(self) -> int | None:
        """The offset at which a new page can continue after the last piece; None: it cannot."""
        return self.start

    def _hits(self, piece: Stretch) -> Iterator[Hit | None]:
        """Yield the hits in one piece, and None when more of the log was read to describe a hit."""
        query = self._query
        if query.forward:
            for place, raw in self._matcher.lines(piece.data):
                for hit in self._in_line(piece, place, raw):
                    if hit is not None:
                        if hit.offset < query.start:
                            continue
                        self.start = hit.offset + max(1, hit.length)
                        self.returned += 1
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
                self.returned += 1
                yield hit

    def _in_line(self, piece: Stretch, place: int, raw: bytes) -> Iterator[Hit | None]:
        """Yield the hits in the line at `place` in a piece, in the order of the log, and None as `_hits` does. `raw`: the line's bytes."""
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
    """The text of a line around `offset`: at most `MAX_HIT_TEXT` bytes of it, in whole characters."""
    start = max(0, min(offset - MAX_HIT_TEXT // 4, len(line) - MAX_HIT_TEXT))
    stop = min(len(line), start + MAX_HIT_TEXT)
    while encoding == UTF_8 and start < offset and line[start] & 0xC0 == 0x80:
        start += 1
    while encoding == UTF_8 and stop < len(line) and stop > offset and line[stop] & 0xC0 == 0x80:
        stop -= 1
    return line[start:stop].decode(encoding, "replace")
