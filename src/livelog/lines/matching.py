"""What matches in the lines of a log. No I/O.

Refuses to see terminal sequences, and the CRs in front of a newline: they are removed before matching, but offsets are
those of the log's bytes.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from typing import NamedTuple

from .encodings import UTF_8
from .prefilter import Prefilter, Probe
from .query import Query
from .sgr import SEQUENCE, plain


class Match(NamedTuple):
    """A match in a line: where it begins and how long it is, in the line's bytes; and where in its `clean` bytes, which have no sequences, it begins."""

    offset: int
    length: int
    place: int
    clean: bytes


class Matcher:
    """Finds in lines what a query asks for."""

    def __init__(self, query: Query) -> None:
        self._find = _errors() if query.errors else query.pattern().finditer
        self._encoding = query.encoding
        self._case = query.case
        self._needle: bytes | None = None
        self._across: re.Pattern[bytes] | None = None
        is_literal = not query.regex and not query.errors
        # Of other encodings than UTF-8 one character may be written in several ways.
        if is_literal and (query.text.isascii() or (query.case and query.encoding == UTF_8)):
            needle = query.text.encode("utf-8", "surrogateescape")
            self._needle = needle if query.case else needle.lower()
            self._prefilter = Prefilter(self._needle, case=query.case)
            self._across = _across(needle, case=query.case)

    def lines(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Lines that may match, in order, each with where in `data` it begins, and without its newline."""
        if self._needle is None:
            yield from all_lines(data)
            return
        last = -1
        for place in self._places(data):
            start = data.rfind(b"\n", 0, place) + 1
            if start > last:
                last = start
                yield start, data[start : end_in(data, place)]

    def may_match(self, data: bytes) -> bool:
        """Tells quickly of most pieces of a log in which nothing matches that nothing does."""
        if self._needle is None or self._prefilter.may_be_in(data):
            return True
        return self._across is not None and Probe(b"\x1b", self._across).is_in(data)

    def _places(self, data: bytes) -> Iterator[int]:
        """A place in each line that may match, in order; some lines may have two."""
        assert self._needle is not None
        places = _places(data if self._case else data.lower(), self._needle)
        if self._across is None or b"\x1b" not in data:
            return places
        return merge(places, _places_across(data, self._across))

    def matches(self, raw: bytes) -> Iterator[Match]:
        """The matches in a line, in order."""
        clean = plain(raw).rstrip(b"\r")  # a terminal's line ends with CR LF, and its text in front of them
        text = clean.decode(self._encoding, "surrogateescape")
        if len(text) == len(clean) and b"\x1b" not in raw:  # each character is a byte, and none was left out
            for match in self._find(text):
                first, last = match.span()
                yield Match(first, last - first, first, clean)
            return
        places: _Places | None = None
        for match in self._find(text):
            places = places or _Places(raw, text, self._encoding)
            first, last = map(places.clean, match.span())
            offset = places.raw(first)
            yield Match(offset, places.raw(last - 1) + 1 - offset if last > first else 0, first, clean)


def _errors() -> Callable[[str], Iterable[re.Match[str]]]:
    """What finds lines that tell of an error. Its patterns take as long to compile as a process to start."""
    from . import failures  # noqa: PLC0415

    return failures.find


def all_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines of some bytes without their newlines, each with where it begins."""
    place = 0
    for raw in data.removesuffix(b"\n").split(b"\n"):
        yield place, raw
        place += len(raw) + 1


def end_in(data: bytes, place: int) -> int:
    """Where the newline is of the line that the byte at `place` belongs to, or the end."""
    newline = data.find(b"\n", place)
    return newline if newline >= 0 else len(data)


def _places(data: bytes, needle: bytes) -> Iterator[int]:
    """Where a text is, once in each line."""
    place = data.find(needle)
    while place >= 0:
        yield place
        newline = data.find(b"\n", place)
        place = data.find(needle, newline) if newline >= 0 else -1


def _places_across(data: bytes, across: re.Pattern[bytes]) -> Iterator[int]:
    """Where something matches, once in each line."""
    match = across.search(data)
    while match is not None:
        yield match.start()
        newline = data.find(b"\n", match.end())
        match = across.search(data, newline) if newline >= 0 else None


def _across(needle: bytes, *, case: bool) -> re.Pattern[bytes] | None:
    """What matches the first sequence in a text, if it has some in it: in front of it and behind it are bytes of the text."""
    if len(needle) < 2:
        return None
    before, behind = needle[:-1], needle[1:]
    if not case:
        before, behind = before.lower() + before.upper(), behind.lower() + behind.upper()
    before, behind = (b"".join(re.escape(bytes((byte,))) for byte in {*side}) for side in (before, behind))
    sequence = SEQUENCE.pattern.removeprefix(rb"\x1b")
    return re.compile(rb"\x1b(?<=[%b]\x1b)%b(?=[%b\x1b])" % (before, sequence, behind))


class _Places:
    """Where in a line things are that are asked for in the order of the line: a long one may have many hits."""

    def __init__(self, raw: bytes, text: str, encoding: str) -> None:
        self._text = text
        self._encoding = encoding
        self._sequences = SEQUENCE.finditer(raw)
        self._sequence = next(self._sequences, None)
        self._character = self._byte = self._removed = 0

    def clean(self, character: int) -> int:
        """Where in the bytes without terminal sequences a character of the text begins."""
        self._byte += len(self._text[self._character : character].encode(self._encoding, "surrogateescape"))
        self._character = character
        return self._byte

    def raw(self, byte: int) -> int:
        """Where in all bytes one is of those without terminal sequences."""
        while self._sequence is not None and self._sequence.start() <= byte + self._removed:
            self._removed += len(self._sequence[0])
            self._sequence = next(self._sequences, None)
        return byte + self._removed
