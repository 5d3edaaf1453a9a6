"""A search by line, like that of grep: the lines with a match, or without one, and the lines of context around them. No I/O.

1. Each line is returned once, in the direction of the search. A backward search returns exactly the reverse of a forward search.
2. A line of context is returned as soon as it is known to be one. Other lines are returned once all of the line was searched.
3. Memory holds one piece of the log. Of the context before a hit it holds offsets, not bytes.
4. A search can be suspended after each part, and continued with the state `left`.
"""

from collections.abc import Generator, Iterator
from itertools import chain
from typing import NamedTuple

from .lines import Read
from .matching import Matcher, all_lines, end_in
from .pieces import PIECE, Stretch, end_of_line, pieces, returned, start_of_line
from .query import Query

PART = 64 * 1024
"""Bytes of a part of a long line, if the output is text."""


class Line(NamedTuple):
    """The line `[start, stop)`, its newline included. `match`: the offset and length of its first match; `context`: whether it is no hit itself."""

    start: int
    stop: int
    match: tuple[int, int] | None = None
    context: bool = False


class Part(NamedTuple):
    """The bytes `[start, stop)` of a `line`. `apart`: whether lines were left out between this line and the one that was returned before it."""

    line: Line
    start: int
    stop: int
    apart: bool


class Lines:
    """One search by line. `read`: returns bytes of the log."""

    def __init__(self, query: Query, read: Read) -> None:
        self.returned = query.returned
        """The number of hits that were returned so far."""
        self.full = False
        """Whether the limit of hits is reached, and the context of the last hit was returned."""
        self.start = query.start
        """The offset at which the search can be continued."""
        self._line: tuple[int | None, tuple[int, int] | None] = (
            query.bound,
            query.found,
        )  # `bound` and `found` of the line in whose middle `start` is
        self._query = query
        self._limit = query.limit
        self._may_match: set[int] = set()  # with `invert`: the positions of the lines of this piece that may match
        self._read = read
        self._matcher = Matcher(query)
        self._edge = max(query.low, query.start if query.edge is None else query.edge)
        self._apart = query.apart
        self._left = query.left
        self._part = query.part
        self._bound = max(query.low, query.start if query.bound is None else query.bound)
        self._found = query.found
        self._lead, self._trail = (query.before, query.after) if query.forward else (query.after, query.before)
        self._size = (PIECE if query.plain else PART) if query.grep else query.size + 1

    @property
    def left(self) -> dict[str, object]:
        """The members of the query that have to be replaced to continue the search."""
        return {
            "start": self.start, "returned": self.returned, "edge": self._edge, "apart": self._apart, "left": self._left, "part": self._part,
            "bound": self._line[0], "found": self._line[1],
        }  # fmt: skip

    @property
    def following(self) -> int | None:
        """The offset at which the next page begins; None: there is none."""
        return None if self._edge == (self._query.size if self._query.forward else self._query.low) else self._edge

    def rest(self) -> int | None:
        """The offset at which a new page can continue after the last piece, with the context before it; None: it cannot."""
        if self._left:
            return None
        place, count = self._bound, 0
        while count < self._lead and place != self._edge:
            looking = self._before(place) if self._query.forward else self._after(place, self._edge)
            line = returned(looking)
            place, count = line.start if self._query.forward else line.stop, count + 1
        return place

    def is_full(self) -> bool:
        """Whether the limit of hits is reached. Lines of context of the last hit may still follow."""
        return self._limit is not None and self.returned >= self._limit

    def stop(self) -> None:
        """Tell no further hit."""
        self._limit = self.returned

    def run(self) -> Iterator[Part | None]:
        """Yield the lines in parts, and None after each piece of the log."""
        query = self._query
        self.full = self.is_full() and not self._left
        if self.full:
            return
        selected = self._selected_forwards if query.forward else self._selected_backwards
        for piece in pieces(query, self._read, self._wanted):
            for line in selected(piece):
                if self.is_full():
                    yield from self._trailing(line.start if query.forward else line.stop)
                    self.full = True
                    return
                yield from self._selected(line)
                self.full = self.is_full() and not self._left
                if self.full:
                    return
            yield from self._trailing(self._bound)
            self.full = self.is_full() and not self._left
            if self.full:
                return
            self.start = piece.stop if query.forward else piece.start
            self._line = self._bound, self._found
            yield None
        if not query.live:  # lines that were left out may be the context of a later hit
            self._edge = self.start

    # Which lines.

    def _wanted(self, data: bytes) -> bool:
        return self._query.invert or self._found is not None or self._matcher.may_match(data)

    def _lines(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the lines of a piece that have to be searched; none, if it has no data."""
        if not self._query.invert or not data:
            return self._matcher.lines(data)
        self._may_match = {place for place, _ in self._matcher.lines(data)}
        return all_lines(data)

    def _match(self, piece: Stretch, place: int, raw: bytes) -> tuple[int, int] | None:
        """The offset and length of the first match in a line, or in the part of it that is in this piece; None: there is none."""
        if self._query.invert and place not in self._may_match:
            return None
        first = next(self._matcher.matches(raw), None)
        if first is None or (place + first.offset >= piece.own and len(piece.data) > piece.own):
            return None
        return piece.start + place + first.offset, first.length

    def _selected_forwards(self, piece: Stretch) -> Iterator[Line]:
        """Yield the hits that end in a piece."""
        if piece.begins:
            self._bound, self._found = piece.start, None
        bound, found, self._found = self._bound, self._found, None
        lines = self._lines(piece.data)
        if found is not None:
            end = end_in(piece.data, 0)
            lines = chain(((0, piece.data[:end]),), ((place, raw) for place, raw in lines if place > end))
        for place, raw in lines:
            match = found if found is not None and not place else self._match(piece, place, raw)
            stop = piece.start + place + len(raw) + 1
            if not piece.ends:  # the line continues in the next piece
                self._found = match
            elif (match is None) == self._query.invert:
                yield Line(piece.start + place if place else bound, min(stop, self._query.size), match)
        if piece.ends:
            self._bound = piece.stop

    def _selected_backwards(self, piece: Stretch) -> Iterator[Line]:
        """Yield the hits that begin in a piece, the last one first."""
        query = self._query
        if piece.ends and self._bound > piece.stop:
            line = Line(piece.stop, self._bound, self._found)
            self._bound, self._found = piece.stop, None
            if (line.match is None) == query.invert:
                yield line
        bound, found = self._bound, self._found
        self._found = None
        last = piece.data.rfind(b"\n", 0, max(0, len(piece.data) - 1)) + 1
        lines = [*self._lines(piece.data)]
        if found is not None and (not lines or lines[-1][0] != last):
            lines.append((last, piece.data[last : end_in(piece.data, last)]))
        for place, raw in reversed(lines):
            match, stop = self._match(piece, place, raw), piece.start + place + len(raw) + 1
            if place == last:  # this line may continue behind the piece
                match, stop = found if match is None else match, bound
            if not place and not piece.begins:
                self._found = match
            elif (match is None) == query.invert:
                yield Line(piece.start + place, stop, match)
        if piece.begins:
            self._bound = piece.start

    # Their context.

    def _selected(self, line: Line) -> Generator[Part | None, None, None]:
        """Yield the context before a hit, and the hit."""
        forward = self._query.forward
        near = line.start if forward else line.stop
        yield from self._trailing(near)
        leading: list[Line] = []
        place = near
        while len(leading) < self._lead and place != self._edge:
            other = yield from self._before(place) if forward else self._after(place, self._edge)
            leading.append(other)
            place = other.start if forward else other.stop
        while leading:
            yield from self._emit(leading.pop())
        yield from self._emit(line)

    def _trailing(self, limit: int) -> Generator[Part | None, None, None]:
        """Yield the context behind the last hit, up to the offset `limit`."""
        forward = self._query.forward
        while self._left and self._edge != limit:
            line = yield from self._after(self._edge, limit) if forward else self._before(self._edge)
            yield from self._emit(line)

    def _after(self, place: int, limit: int) -> Generator[None, None, Line]:
        """Return the line that begins at `place`; it ends at `limit` at the latest."""
        return Line(place, (yield from end_of_line(place, limit, self._read)), context=True)

    def _before(self, place: int) -> Generator[None, None, Line]:
        """Return the line that ends at `place`."""
        return Line((yield from start_of_line(place, self._query.low, self._read)), place, context=True)

    def _emit(self, line: Line) -> Iterator[Part]:
        """Yield a line in parts. Before each part, the state is set to that behind it, so that the search can be suspended there."""
        forward = self._query.forward
        apart = self._apart and (line.start if forward else line.stop) != self._edge
        start = line.start + self._part
        while line.stop - start > self._size:
            stop = start + self._size
            self.start, self._line = line.start if forward else line.stop, (None, None)
            self._part = stop - line.start
            yield Part(line, start, stop, apart)
            start = stop
        self.start = self._edge = line.stop if forward else line.start
        self._line = None, None
        self._part, self._apart = 0, True
        self._left = self._left - 1 if line.context else self._trail
        self.returned += not line.context
        yield Part(line, start, line.stop, apart)
