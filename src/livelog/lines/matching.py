"""Finds text in a log, line by line: in a process of its own, so that it can be killed at any moment and hurts nobody.

    python -m livelog.lines.matching FD

FD is the log's file; stdin has a `Query` as JSON; stdout gets lines of JSON: hits, how far it is, and what is left. A pattern
may take for ever on some lines: a process that computes for `STUCK` seconds over one piece of the log ends by SIGVTALRM.

Refuses to see terminal sequences, and the CRs in front of a newline: they are removed before matching, but offsets are
those of the log's bytes.

1. Whole lines are matched, in pieces of at most `PIECE` bytes: a longer line in pieces that overlap.
2. Hits come in the order of the search, each once.
"""

import json
import re
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from . import failures
from .encodings import UTF_8
from .sgr import SEQUENCE, plain

PIECE = 1024 * 1024
"""Bytes looked at in one go."""

OVERLAP = 4096
"""Bytes by which the pieces of a longer line overlap: a match that is longer may be missed there."""

MAX_HIT_TEXT = 1000
"""Bytes of the text of a hit."""

PLACE = struct.Struct("!QQQd?")
"""Where a search can be gone on with: its `start`, `newlines` and `told`, the seconds that it took of the processor until there, and
whether it has ended."""

MAX_TOLD = 64 * 1024
"""Bytes of hits that wait to be told."""

PROGRESS = 0.1
"""Seconds from one word about progress to the next."""

Read = Callable[[int, int], bytes]

Find = Callable[[str], Iterable[re.Match[str]]]
"""The matches in a line's text, in order."""


class Query(NamedTuple):
    """What is searched for, in the first `size` bytes of a log, from `start` on.

    `text`: as it is, or a regular expression of Python's (`regex`); `errors`: in its place, what tells of one. `forward`: hits that begin at `start` or behind it;
    else in front of it, the nearest first; from the end, all. `newlines`: how many are in front of `start`. `limit`: hits, at most.
    `seconds`: the search may take so much of the processor; then it ends as one with `limit` hits does.

    `encoding`: of the log's text, see `encodings`.

    `begin`: where the search began that this one goes on with, which has `told` of so many hits; None: it begins.
    """

    text: str
    size: int
    start: int
    newlines: int
    case: bool = False
    regex: bool = False
    errors: bool = False
    forward: bool = False
    limit: int = 1000
    seconds: float = float("inf")
    begin: int | None = None
    told: int = 0
    encoding: str = UTF_8

    def pattern(self) -> re.Pattern[str]:
        """What matches. Raises: ValueError, with a message for who wrote it."""
        flags = re.NOFLAG if self.case else re.IGNORECASE
        if not self.regex and self.text.isascii():
            flags |= re.ASCII  # letters are their own small ones only, so that bytes can be compared
        try:
            return re.compile(self.text if self.regex else re.escape(self.text), flags)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(str(error)) from error


class Hit(NamedTuple):
    """A match at `offset` in the log's bytes, in the line of that number that begins at `start`."""

    line: int
    offset: int
    length: int
    start: int
    text: str


class Stretch(NamedTuple):
    """Whole lines, or a part of one, from `start` on; matches count that begin in its first `own` bytes.

    `newlines`: how many are in front of it.
    """

    start: int
    data: bytes
    own: int
    newlines: int


def search(query: Query, read: Read, told: Callable[[int], None] = lambda _: None) -> Iterator[Hit]:
    """The hits, all of them. `told`: is called for each piece with how many bytes have been looked at."""
    for piece, hits in _searched(query, read):
        told(piece.start - query.start if query.forward else query.start - piece.start)
        yield from hits


def tell(query: Query, read: Read) -> Iterator[bytes | None]:
    """What is told of a search: a `PLACE`, and lines of JSON for the hits up to there, its progress, and its end.

    After a piece of which there is nothing to tell, None.
    """
    begin = query.start if query.begin is None else query.begin
    total = query.size - begin if query.forward else begin
    output: list[str] = []
    spoken, waiting, count = time.monotonic(), 0, query.told

    def words(start: int, newlines: int, *documents: object, ended: bool = False) -> bytes:
        nonlocal spoken, waiting
        lines = [*output, *(json.dumps(document) + "\n" for document in documents)]
        output.clear()
        spoken, waiting = time.monotonic(), 0
        return PLACE.pack(start, newlines, count, time.process_time(), ended) + "".join(lines).encode()

    def end(following: int | None) -> dict[str, object]:
        return {"done": True, "hits": count, "next": following}

    stop = time.process_time() + query.seconds
    for piece, hits in _searched(query, read):
        for hit in hits:
            count += 1
            output.append(json.dumps(hit._asdict()) + "\n")
            waiting += len(output[-1])
            start, newlines = hit.offset, hit.line - 1
            if query.forward:
                start += max(1, hit.length)
                newlines += not hit.length and read(hit.offset, min(query.size, start)) == b"\n"
            if count >= query.limit:
                yield words(start, newlines, end(start), ended=True)
                return
            if waiting >= MAX_TOLD:
                yield words(start, newlines)
        start, newlines = piece.start, piece.newlines
        if query.forward:
            start, newlines = start + piece.own, newlines + piece.data.count(b"\n", 0, piece.own)
        if time.process_time() > stop and 0 < start < query.size:
            yield words(start, newlines, end(start), ended=True)
            return
        scanned = max(0, min(total, start - begin if query.forward else begin - start))
        if time.monotonic() - spoken >= PROGRESS:
            yield words(start, newlines, {"scanned": scanned, "of": total, "hits": count})
        else:
            yield words(start, newlines) if output else None
    yield words(query.size if query.forward else 0, 0, end(None), ended=True)


def _searched(query: Query, read: Read) -> Iterator[tuple[Stretch, Iterator[Hit]]]:
    """The pieces in the order of the search, each with its hits."""
    ignored, beginnings = _ignored(query), _Beginnings(read)
    find = failures.find if query.errors else query.pattern().finditer
    for piece in pieces(query, read):
        if ignored(piece.data):
            yield piece, iter(())
            continue
        hits = (
            hit
            for hit in _hits(piece, find, beginnings, query.encoding)
            if (hit.offset >= query.start if query.forward else hit.offset < query.start or query.start == query.size)
        )
        yield piece, hits if query.forward else reversed(deque(hits, query.limit))


def _ignored(query: Query) -> Callable[[bytes], bool]:
    """Tells quickly of most pieces that have no hit that they have none."""
    ascii_only = query.text.isascii()
    # Of other encodings than UTF-8 one character may be written in several ways.
    if query.regex or query.errors or (not ascii_only and not (query.case and query.encoding == UTF_8)):
        return lambda _: False
    needle = query.text.encode("utf-8", "surrogateescape")
    if query.case:
        return lambda data: needle not in plain(data)
    needle = needle.lower()
    return lambda data: needle not in plain(data).lower()


def pieces(query: Query, read: Read) -> Iterator[Stretch]:
    """The log in the order of the search."""
    return _forwards(query, read) if query.forward else _backwards(query, read)


def _forwards(query: Query, read: Read) -> Iterator[Stretch]:
    start, newlines = query.start, query.newlines
    before = read(max(0, start - PIECE // 2), start)
    start -= len(before) - before.rfind(b"\n") - 1  # the line's beginning, if that is near
    while start < query.size:
        data = read(start, min(query.size, start + PIECE))
        own = len(data)
        if start + own < query.size:
            own = data.rfind(b"\n") + 1 or own - OVERLAP
        yield Stretch(start, data[:own] if data[own - 1 : own] == b"\n" else data, own, newlines)
        newlines += data.count(b"\n", 0, own)
        start += own


def _backwards(query: Query, read: Read) -> Iterator[Stretch]:
    behind = read(query.start, min(query.size, query.start + PIECE // 2))
    newline = behind.find(b"\n")
    stop, newlines = query.start + (newline + 1 if newline >= 0 else len(behind)), query.newlines + (newline >= 0)
    while stop > 0:
        start = max(0, stop - PIECE + OVERLAP)
        data = read(start, stop)
        if start:
            newline = data.find(b"\n")
            start, data = (start + newline + 1, data[newline + 1 :]) if -1 < newline < len(data) - 1 else (start, data)
        newlines -= data.count(b"\n")
        more = b"" if data.endswith(b"\n") else read(stop, min(query.size, stop + OVERLAP)).partition(b"\n")[0]
        yield Stretch(start, data + more, len(data), newlines)
        stop = start


def _hits(piece: Stretch, find: Find, beginnings: "_Beginnings", encoding: str) -> Iterator[Hit]:
    """The hits of one piece, in order."""
    place, line = 0, piece.newlines + 1
    for raw in piece.data.removesuffix(b"\n").split(b"\n"):
        clean = plain(raw).rstrip(b"\r")  # a terminal's line ends with CR LF, and its text in front of them
        text = clean.decode(encoding, "surrogateescape")
        start, places = -1, _Places(raw, text, encoding)
        for match in find(text):
            first, last = map(places.clean, match.span())
            offset = places.raw(first)
            if place + offset >= piece.own and len(piece.data) > piece.own:
                break
            length = places.raw(last - 1) + 1 - offset if last > first else 0
            if start < 0:
                start = piece.start + place if place else beginnings.of(line, piece.start)
            yield Hit(line, piece.start + place + offset, length, start, _excerpt(clean, first, encoding))
        place, line = place + len(raw) + 1, line + 1


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


class _Beginnings:
    """Where lines begin that began in front of a piece. Of a line of many pieces this is looked for once."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._line, self._start = 0, 0

    def of(self, line: int, place: int) -> int:
        """Where the line of that number begins, which the byte at `place` belongs to."""
        if line != self._line:
            self._line, self._start = line, self._find(place)
        return self._start

    def _find(self, place: int) -> int:
        while place > 0:
            start = max(0, place - PIECE)
            if (newline := self._read(start, place).rfind(b"\n")) >= 0:
                return start + newline + 1
            place = start
        return 0


def _excerpt(line: bytes, offset: int, encoding: str) -> str:
    """At most `MAX_HIT_TEXT` bytes of a line around `offset`, in whole characters."""
    start = max(0, min(offset - MAX_HIT_TEXT // 4, len(line) - MAX_HIT_TEXT))
    stop = min(len(line), start + MAX_HIT_TEXT)
    while encoding == UTF_8 and start < offset and line[start] & 0xC0 == 0x80:
        start += 1
    while encoding == UTF_8 and stop < len(line) and stop > offset and line[stop] & 0xC0 == 0x80:
        stop -= 1
    return line[start:stop].decode(encoding, "replace")
