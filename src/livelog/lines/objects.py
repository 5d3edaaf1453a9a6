"""Lines of a log, each by itself: as lines of JSON with number, offset, time and text, or as text. No I/O of its own.

A line's text is decoded, without its newline and the carriage returns in front of that; *plain*, it is what a terminal shows of it. Of a
line of more than `LONGEST` bytes only so much is told, and that it is cut: of its beginning, or, if it is plain and goes back to its first column
near its end, of its end, where a progress bar's last state is. Refuses to know where to begin and to end: whoever asks does.
"""

from collections.abc import Iterator
from json.encoder import encode_basestring_ascii
from typing import NamedTuple

from livelog.times import Times, timestamp

from .lines import Read

LONGEST = 1024 * 1024
"""Bytes of a line that are told."""

PIECE = 128 * 1024
"""Bytes that are read at a time, unless a line is longer."""

FAR = 256 * 1024 * 1024
"""Bytes in which the end of a line is looked for, after which somebody else may have the turn."""

ENOUGH = 1024 * 1024
"""Bytes of what is told after which somebody else may have the turn."""


class Lines(NamedTuple):
    """Which lines: those that begin in `[start, stop)`, of a log of `size` bytes; a line begins at `start`.

    `line`: the number of the first; None: numbers are not told, and the form is text. At most `most` of them; None: all. `passed`: the first line does
    not end in front of that byte, as far as is known.
    """

    start: int
    stop: int
    size: int
    line: int | None
    most: int | None
    plain: bool
    encoding: str
    passed: int = 0


def tell(asked: Lines, read: Read, times: Times, enough: int = ENOUGH) -> Iterator[tuple[bytes, Lines | None] | None]:
    """What is told of lines, about `enough` bytes, and which lines are left; None: none. Before that None, again and again, while it takes a while."""
    told: list[bytes] = []
    from livelog.plain import shown  # noqa: PLC0415  # the server, which only asks, starts without its patterns

    start, line, count, size = asked.start, asked.line, asked.most, 0
    end = min(asked.stop, asked.size)
    while start < end and count != 0 and size < enough:
        for length in (PIECE, LONGEST):
            window = read(start, min(asked.size, start + length))
            raws = window.split(b"\n")
            if start + len(window) < asked.size or not raws[-1]:
                raws.pop()  # it goes on, or is none
            if raws:
                break
        is_cut = not raws
        if is_cut:
            first = stop = max(asked.passed, start + len(window))
            while (
                stop < asked.size
                and (newline := (piece := read(stop, min(asked.size, stop + LONGEST))).find(b"\n")) < 0
            ):
                stop += len(piece)
                yield None
                if stop - first >= FAR:
                    yield b"".join(told), asked._replace(start=start, line=line, most=count, passed=stop)
                    return
            stop += newline if stop < asked.size else 0
            raws = [_part(window, asked.plain, stop, read)]
        for raw in raws:
            if start >= end or count == 0 or size >= enough:
                break
            text = raw.rstrip(b"\r").decode(asked.encoding, "replace")
            if asked.plain:
                text = shown(text)
            if line is None:
                told.append(text.encode("utf-8", "replace") + b"\n")
            else:
                cut = ', "cut": true' if is_cut else ""
                head = f'{{"line": {line}, "offset": {start}, "time": "{timestamp(times.time_at(start))}", "text": '
                told.append(f"{head}{encode_basestring_ascii(text)}{cut}}}\n".encode())
                line += 1
            size += len(told[-1])
            start = stop + 1 if is_cut else start + len(raw) + 1
            count = None if count is None else count - 1
        yield None
    is_left = start < end and count != 0
    yield b"".join(told), asked._replace(start=start, line=line, most=count, passed=0) if is_left else None


def _part(window: bytes, plain: bool, stop: int, read: Read) -> bytes:
    """What is told of a line that begins with `window`, and ends in front of byte `stop`."""
    if plain:
        end = read(stop - LONGEST, stop).rstrip(b"\r")
        if (column := end.find(b"\r")) >= 0:
            return end[column + 1 :]
    return window
