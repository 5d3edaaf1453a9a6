"""The matches of a query in the lines of a log. No I/O.

Terminal sequences, and carriage returns before a newline, are removed before matching. But the offsets and lengths of matches are
those in the log's bytes.
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
    """A match in a line: its `offset` and `length` in the bytes of the line, and its position `place` in `clean`, the line without sequences."""

    offset: int
    length: int
    place: int
    clean: bytes


class Matcher:
    """Finds the matches of one query. Raises: ValueError, if its pattern is not valid."""

    def __init__(self, query: Query) -> None:
        pattern = None if query.errors else query.pattern()
        self._find = _errors() if pattern is None else pattern.finditer
        self._search = None if pattern is None else pattern.search
        self._encoding = query.encoding
        needles, self._folds = _needles(query, pattern)
        self._needles = tuple(needle.lower() if self._folds else needle for needle in needles)
        """Each match contains one of these; none: nothing is known."""
        self._prefilters = [Prefilter(needle, case=not self._folds) for needle in self._needles]
        self._across = _across(needles, case=not self._folds)

    def lines(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the lines of `data` that may match, in order: the position of each, and its bytes without the newline."""
        if not self._needles:
            yield from self._searched(data)
            return
        last = -1
        for place in self._places(data):
            start = data.rfind(b"\n", 0, place) + 1
            if start > last:
                last = start
                yield start, data[start : end_in(data, place)]

    def may_match(self, data: bytes) -> bool:
        """Whether anything in `data` may match. It is fast, and false for most pieces without a match."""
        if not self._needles or any(prefilter.may_be_in(data) for prefilter in self._prefilters):
            return True
        return self._across is not None and Probe(b"\x1b", self._across).is_in(data)

    def _places(self, data: bytes) -> Iterator[int]:
        """Yield a position in each line that may match, in order; some lines may have two."""
        folded = data.lower() if self._folds else data
        places = [_places(folded, needle) for needle in self._needles]
        if self._across is not None and b"\x1b" in data:
            places.append(_places_across(data, self._across))
        return places[0] if len(places) == 1 else merge(*places)

    def _searched(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """As `lines`. The block is decoded in one go, if its lines have the same text then: most lines take a tenth of the time of `matches`."""
        search = self._search
        if search is None or not (self._encoding == UTF_8 or data.isascii()):
            yield from all_lines(data)
            return
        texts = data.removesuffix(b"\n").decode(UTF_8, "surrogateescape").split("\n")
        for (place, raw), text in zip(all_lines(data), texts, strict=True):
            if "\x1b" in text or search(text.rstrip("\r")):
                yield place, raw

    def matches(self, raw: bytes) -> Iterator[Match]:
        """Yield the matches in a line, in order. `raw`: its bytes, without the newline."""
        clean = plain(raw).rstrip(b"\r")  # a terminal ends a line with CR LF
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
    """The function that finds reports of errors. It is imported here because its patterns take as long to compile as a process to start."""
    from . import failures  # noqa: PLC0415

    return failures.find


def all_lines(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield all lines of `data`: the position of each, and its bytes without the newline."""
    place = 0
    for raw in data.removesuffix(b"\n").split(b"\n"):
        yield place, raw
        place += len(raw) + 1


def end_in(data: bytes, place: int) -> int:
    """The position of the next newline at `place` or behind it, or the length of `data`."""
    newline = data.find(b"\n", place)
    return newline if newline >= 0 else len(data)


def _places(data: bytes, needle: bytes) -> Iterator[int]:
    """Yield the first position of `needle` in each line that contains it."""
    place = data.find(needle)
    while place >= 0:
        yield place
        newline = data.find(b"\n", place)
        place = data.find(needle, newline) if newline >= 0 else -1


def _places_across(data: bytes, across: re.Pattern[bytes]) -> Iterator[int]:
    """Yield the position of the first match in each line that has one."""
    match = across.search(data)
    while match is not None:
        yield match.start()
        newline = data.find(b"\n", match.end())
        match = across.search(data, newline) if newline >= 0 else None


def _needles(query: Query, pattern: re.Pattern[str] | None) -> tuple[tuple[bytes, ...], bool]:
    """Texts of which each match contains one, in bytes, and whether capital and small letters are alike in them."""
    if pattern is None:
        return (), False
    if query.regex:
        from .literals import literals  # noqa: PLC0415  # other searches start faster without

        texts, folds = literals(query.text, pattern.flags)
        return tuple(text.encode() for text in texts), folds
    # In encodings other than UTF-8 one character may have several forms in bytes.
    if query.text.isascii() or (query.case and query.encoding == UTF_8):
        return (query.text.encode("utf-8", "surrogateescape"),), not query.case
    return (), False


def _across(needles: tuple[bytes, ...], *, case: bool) -> re.Pattern[bytes] | None:
    """A pattern for a terminal sequence inside an occurrence of a text: between two bytes of it. None: all are too short for that."""
    before, behind = b"".join(needle[:-1] for needle in needles), b"".join(needle[1:] for needle in needles)
    if not before:
        return None
    if not case:
        before, behind = before.lower() + before.upper(), behind.lower() + behind.upper()
    before, behind = (b"".join(re.escape(bytes((byte,))) for byte in {*side}) for side in (before, behind))
    sequence = SEQUENCE.pattern.removeprefix(rb"\x1b")
    return re.compile(rb"\x1b(?<=[%b]\x1b)%b(?=[%b\x1b])" % (before, sequence, behind))


class _Places:
    """Converts positions in the decoded text of a line to positions in its bytes. They must increase, so that many hits in a long line cost linear time."""

    def __init__(self, raw: bytes, text: str, encoding: str) -> None:
        self._text = text
        self._encoding = encoding
        self._sequences = SEQUENCE.finditer(raw)
        self._sequence = next(self._sequences, None)
        self._character = self._byte = self._removed = 0

    def clean(self, character: int) -> int:
        """The position of a character of the text in the bytes without terminal sequences."""
        self._byte += len(self._text[self._character : character].encode(self._encoding, "surrogateescape"))
        self._character = character
        return self._byte

    def raw(self, byte: int) -> int:
        """The position in all bytes of a byte of those without terminal sequences."""
        while self._sequence is not None and self._sequence.start() <= byte + self._removed:
            self._removed += len(self._sequence[0])
            self._sequence = next(self._sequences, None)
        return byte + self._removed
