"""The output of a search in the scanner process: hits or lines, progress, the end, and the state from which it can be continued.

The search itself is in `hits` and `filtering`. Each part of the output is preceded by a `PLACE` and by the state, as JSON.
"""

import json
import time
from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring_ascii
from typing import TYPE_CHECKING

from livelog.times import Times, timestamp

from .encodings import UTF_8
from .hits import Hit, Hits
from .lines import Read
from .pieces import Newlines, aligned
from .query import PLACE, PROGRESS, Query

if TYPE_CHECKING:
    from .filtering import Lines, Part

MAX_LINE_TEXT = 64 * 1024
"""The limit of the text of a line in JSON, in bytes."""

MAX_PART = 64 * 1024
"""Bytes of output after which a part is sent."""

MIN_KEPT = 32 * 1024
"""The smallest read, in bytes, whose result is cached."""


def parts(query: Query, read: Read, times: Times, blocks: Sequence[int] = ()) -> Iterator[bytes | None]:
    """Yield the parts of the output of a search, or None after a piece of the log without output.

    `read`, `times`: the bytes of the log, and their arrival times. `blocks`: the number of newlines before each block (see `index`), if known.
    Raises: OSError, if `read` does.
    """
    read = _Near(read).read
    bounding = aligned(_timed(query, times), read)
    while True:
        try:
            yield next(bounding)
        except StopIteration as found:
            asked: Query = found.value
            break
    newlines = Newlines(read, asked.counted, asked.newlines, blocks)
    search = _lines(asked, read) if asked.by_line else Hits(asked, read, newlines)
    begin = asked.start if asked.begin is None else asked.begin
    total = asked.size - begin if asked.forward else begin - asked.low
    form = _Form(asked, read, newlines, times)
    stop = time.process_time() + asked.seconds
    output: list[bytes] = []
    sent_at, waiting, room = time.monotonic(), 0, asked.room

    def part(*documents: object, ended: int = 0) -> bytes:
        nonlocal sent_at, waiting
        data = b"".join((*output, *(json.dumps(one).encode() + b"\n" for one in documents if not asked.grep)))
        output.clear()
        sent_at, waiting = time.monotonic(), 0
        left = {**search.left, "begin": begin, "counted": newlines.place, "newlines": newlines.count, "room": room}
        kept = json.dumps(left).encode()
        return PLACE.pack(time.process_time(), ended, len(kept)) + kept + data

    def end(following: int | None) -> bytes:
        # Behind an empty match at the very end of the log there is no next page.
        following = None if following is not None and following > asked.size else following
        return part({"done": True, "hits": search.returned, "next": following}, ended=2)

    for one in search.run():
        if one is not None:
            for text in form.texts(one):
                if text is None:
                    yield None
                else:
                    output.append(text)
                    waiting += len(text)
                    room = None if room is None else room - len(text)
            if room is not None and room <= 0:
                search.stop()
            if isinstance(one, Hit) and search.is_full():
                yield end(search.following)
                return
            if waiting >= MAX_PART:
                yield part()
            continue
        if (
            time.process_time() > stop
            and not asked.grep
            and (following := search.rest()) not in (None, begin, asked.low, asked.size)
        ):
            yield end(following)
            return
        is_due = time.monotonic() - sent_at >= PROGRESS
        if is_due and not asked.grep and not asked.live:
            scanned = search.start - begin if asked.forward else begin - search.start
            yield part({"scanned": max(0, min(total, scanned)), "of": total, "hits": search.returned})
        else:  # a part without text updates the state, so that another search may have the turn
            yield part() if output or is_due else None
    if asked.live and not search.full:
        if asked.numbered:  # newlines of later rounds are counted from here
            counting = newlines.before(asked.size)
            for _ in counting:
                yield None
        yield part(ended=1)
        return
    yield end(search.following if search.is_full() else None)


def _lines(asked: Query, read: Read) -> "Lines":
    """A search by line. The import is here because most searches are by match: their processes start faster without it."""
    from .filtering import Lines  # noqa: PLC0415

    return Lines(asked, read)


def _timed(query: Query, times: Times) -> Query:
    """The query with `since` and `until` turned into bounds of offsets."""
    low, high = query.low, query.high
    if query.since is not None:
        first = times.offset_at(query.since)
        low = max(low, query.size if first is None else first)
    if query.until is not None and (stop := times.offset_at(query.until)) is not None:
        high = stop if high is None else min(high, stop)
    return query._replace(low=low, high=high)


class _Near:
    """Reads a log, and caches the last large read: the text of each hit, and the newlines before it, are read from the same piece again."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._start = self._stop = 0
        self._data = b""

    def read(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`. Raises: OSError."""
        if self._start <= start and stop <= self._stop:
            return self._data[start - self._start : stop - self._start]
        data = self._read(start, stop)
        if len(data) >= MIN_KEPT:
            self._start, self._stop, self._data = start, start + len(data), data
        return data


class _Form:
    """Writes hits and lines as JSON or as text."""

    def __init__(self, query: Query, read: Read, newlines: Newlines, times: Times) -> None:
        self._query = query
        self._read = read
        self._newlines = newlines
        self._times = times

    def texts(self, one: "Hit | Part") -> Iterator[bytes | None]:
        """Yield the text of a hit or of a part of a line, and None after each piece in which newlines were counted."""
        if isinstance(one, Hit):
            yield self._json(one)
            return
        line, number = one.line, None
        if self._query.numbered and one.start == line.start:
            count = yield from self._newlines.before(line.start)
            number = None if count is None else count + 1
        yield self._text(one, number) if self._query.grep else self._document(one, number)

    def _json(self, hit: Hit, more: str = "") -> bytes:
        """The JSON of a hit or a line. It is put together by hand, since there may be very many: `json.dumps` takes four times as long."""
        line = "null" if hit.line is None else hit.line
        time = timestamp(self._times.time_at(hit.start))
        head = f'{{{self._query.head}"line": {line}, "offset": {hit.offset}, "length": {hit.length}, "start": {hit.start}, "text": '
        return f'{head}{encode_basestring_ascii(hit.text)}, "time": "{time}"{more}}}\n'.encode("ascii")

    def _document(self, part: "Part", number: int | None) -> bytes:
        line, query = part.line, self._query
        offset, length = (line.start, 0) if line.match is None else line.match
        stop = min(line.stop, line.start + MAX_LINE_TEXT)
        data = self._read(line.start, stop).removesuffix(b"\n")
        if stop == line.stop:
            data = data.rstrip(b"\r")
        text = data.decode(query.encoding, "replace")
        text = _shown(text) if query.plain else text
        # In this order: the search of a prefix recognises a line of context by its end.
        more = ', "cut": true' * (stop < line.stop) + ', "context": true' * line.context
        return self._json(Hit(number, offset, length, line.start, text), more)

    def _text(self, part: "Part", number: int | None) -> bytes:
        line, query = part.line, self._query
        data = self._read(part.start, part.stop)
        ends = part.stop == line.stop
        if ends:
            data = data.removesuffix(b"\n")
        if query.plain:
            data = _shown(data.decode(query.encoding, "replace")).encode()
        elif query.encoding != UTF_8:
            data = data.decode(query.encoding, "replace").encode()
        if ends:
            data += b"\n"
        head = b""
        if part.start == line.start:
            head = b"--\n" * (query.groups and part.apart)
            if number is not None:
                head += b"%d%b" % (number, b"-" if line.context else b":")
        return head + data


def _shown(text: str) -> str:
    """The text that a terminal shows of a line. The import is here because the patterns of `plain` take long to compile."""
    from livelog.plain import shown  # noqa: PLC0415

    return shown(text)
