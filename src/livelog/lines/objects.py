"""The lines of a log as JSON objects with number, offset, time and text, or as plain text. No I/O: the caller passes a function that reads.

The text of a line is decoded, without its newline and the carriage returns before that. Plain text is what a terminal shows of the line. A
line of more than `LONGEST` bytes is truncated, and marked as such. Its first bytes are kept, or, for plain text with a carriage return near its
end, its last bytes: they hold the last state of a progress bar.

The caller decides where the lines begin and end.
"""

from collections.abc import Iterator
from json.encoder import encode_basestring_ascii
from typing import NamedTuple

from livelog.times import Times, timestamp

from .lines import Read

LONGEST = 1024 * 1024
"""The limit of the text of one line, in bytes."""

PIECE = 128 * 1024
"""Bytes read at a time, unless a line is longer."""

FAR = 256 * 1024 * 1024
"""Bytes in which one call looks for the end of a long line, before another job has its turn."""

ENOUGH = 1024 * 1024
"""Bytes of output after which one call ends, so that another job has its turn."""


class Lines(NamedTuple):
    """The lines that a client asks for: those that begin in `[start, stop)`, in the first `size` bytes of a log. A line begins at `start`.

    `line`: the number of the first line, for JSON; None: the output is text. `most`: the limit of their number; None: no limit. `plain`: as a
    terminal shows them. `encoding`: Python's name of the log's encoding. `passed`: the first line is known not to end before this offset.
    """

    start: int
    stop: int
    size: int
    line: int | None
    most: int | None
    plain: bool
    encoding: str
    passed: int = 0


def render(asked: Lines, read: Read, times: Times, enough: int = ENOUGH) -> Iterator[tuple[bytes, Lines | None] | None]:
    """Yield None after each piece of work, and at last the output, about `enough` bytes of it, with the lines that are left (None: none).

    `read` and `times`: the bytes of the log, and their arrival times. Raises: OSError, if `read` does.
    """
    output: list[bytes] = []
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
                    yield b"".join(output), asked._replace(start=start, line=line, most=count, passed=stop)
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
                output.append(text.encode("utf-8", "replace") + b"\n")
            else:
                cut = ', "cut": true' if is_cut else ""
                head = f'{{"line": {line}, "offset": {start}, "time": "{timestamp(times.time_at(start))}", "text": '
                output.append(f"{head}{encode_basestring_ascii(text)}{cut}}}\n".encode())
                line += 1
            size += len(output[-1])
            start = stop + 1 if is_cut else start + len(raw) + 1
            count = None if count is None else count - 1
        yield None
    is_left = start < end and count != 0
    yield b"".join(output), asked._replace(start=start, line=line, most=count, passed=0) if is_left else None


def _part(window: bytes, plain: bool, stop: int, read: Read) -> bytes:
    """The part of a too long line that is kept. `window`: its first `LONGEST` bytes; `stop`: the offset of its newline, or of the end."""
    if plain:
        end = read(stop - LONGEST, stop).rstrip(b"\r")
        if (column := end.find(b"\r")) >= 0:
            return end[column + 1 :]
    return window
