"""The lines that a request asks for: places in a log, and intervals between them. No I/O of its own.

A *place* is a line's number, a byte (`byte:4096`: the line that has it), or a time (`2026-11-28T02:03:04Z`, `time:1764295384.5`: the first line
that began to arrive then or later). Both ends of an interval are places; it is half-open: the second is outside.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from livelog.errors import RequestError
from livelog.lines.index import BLOCK, Index
from livelog.lines.lines import MAX_BYTES, MAX_LINES, Read
from livelog.times import RESOLUTION, Times, moment_of
from livelog.wire.fields import whole_number

from . import problems

DEFAULT_LINES = 1000


class Place(NamedTuple):
    """A place: line `line`, or the line of the byte at `offset`, or the first line whose bytes all arrived at `moment` (milliseconds) or later.

    `inside`: with `moment`, the line of the first byte that arrived then. All None: the end of the log.
    """

    line: int | None = None
    offset: int | None = None
    moment: int | None = None
    inside: bool = False


BEGINNING, END = Place(offset=0), Place()


@dataclass(frozen=True, slots=True)
class Asked:
    """The lines that are asked for: `count` lines from a place on, or, if `count` is negative, in front of it; up to `until`, which is outside.

    `count` None: all.
    """

    place: Place
    until: Place
    count: int | None


def asked(query: Mapping[str, str], *, whole: bool) -> Asked:
    """Parse a request's query. `whole`: it may ask for any number of lines. Raises: RequestError."""
    named = [name for name in ("from", "tail", "at", "time") if name in query]
    until = _place("until", query["until"]) if "until" in query else END
    if len(named) > 1 or not (named or whole or "until" in query):
        raise problems.WHICH_LINES.error()
    most = None if whole else MAX_LINES
    count_text = query.get("count")
    count = None if whole else MAX_LINES if "until" in query else DEFAULT_LINES
    if count_text is not None:
        sign = -1 if count_text.startswith("-") else 1
        count = sign * _at_most(whole_number("count", count_text.removeprefix("-")), most)
    if not named:
        return Asked(BEGINNING, until, count)
    [name], text = named, query[named[0]]
    if name == "tail":
        return Asked(until, END, -_at_most(whole_number(name, text), most))
    if name == "time":  # the bytes of a moment may have a note that is up to 10 ms earlier
        return Asked(Place(moment=_moment(name, text, down=True) - RESOLUTION + 1, inside=True), until, count)
    if name == "at":
        return Asked(Place(offset=whole_number(name, text)), until, count)
    return Asked(_place(name, text), until, count)


def _at_most(number: int, most: int | None) -> int:
    return number if most is None else min(number, most)


def _place(name: str, text: str) -> Place:
    """Parse the place in a parameter. Raises: RequestError."""
    kind, colon, rest = text.partition(":")
    if colon and kind == "time":
        return Place(moment=_moment(name, rest))
    if "-" in text.lstrip("-"):
        return Place(moment=_moment(name, text))
    is_byte = bool(colon) and kind == "byte"
    try:
        number = whole_number(name, rest if is_byte else text)
    except RequestError as error:
        raise problems.NOT_A_PLACE.error(parameter=name) from error
    if is_byte:
        return Place(offset=number)
    if not number:
        raise problems.LINE_0.error()
    return Place(line=number)


def _moment(name: str, text: str, *, down: bool = False) -> int:
    """A time in milliseconds since the epoch, see `moment_of`. Raises: RequestError."""
    try:
        return moment_of(text, down=down)
    except ValueError as error:
        raise problems.NOT_A_TIME.error(parameter=name) from error


class Places:
    """Finds places in a log of `length` bytes. `index`: None if there is none yet. All methods wait for the disk, and return None if they need an index."""

    def __init__(self, length: int, read: Read, times: Times, index: Index | None) -> None:
        self._length = length
        self._read = read
        self._times = times
        self._index = index

    def find(self, place: Place) -> int | None:
        """The offset of a place: the beginning of a line, or the end of the log."""
        length, index = self._length, self._index
        offset = place.offset
        if place.line is not None:
            if index is None:
                return None
            found = index.offset_of(place.line, length, self._read)
            return length if found is None else found
        if place.moment is not None:
            offset = self._times.offset_at(place.moment)
        if offset is None or offset >= length:
            return length
        start = self._line_start(offset)
        if start is None or start == offset or place.moment is None or place.inside:
            return start
        return self._following(offset)

    def _line_start(self, offset: int) -> int | None:
        """The offset of the beginning of the line with the byte at `offset`."""
        read, index = self._read, self._index
        for size in (BLOCK, MAX_BYTES):
            start = max(0, offset - size)
            newline = read(start, offset).rfind(b"\n")
            if newline >= 0 or not start:
                return start + newline + 1
        return None if index is None else index.offset_of(index.newlines_before(offset, read) + 1, self._length, read)

    def _following(self, offset: int) -> int | None:
        """The offset of the beginning of the line after that with the byte at `offset`."""
        length, read, index = self._length, self._read, self._index
        for size in (BLOCK, MAX_BYTES):
            newline = read(offset, min(length, offset + size)).find(b"\n")
            if newline >= 0 or offset + size >= length:
                return offset + newline + 1 if newline >= 0 else length
        if index is None:
            return None
        found = index.offset_of(index.newlines_before(offset, read) + 2, length, read)
        return length if found is None else found
