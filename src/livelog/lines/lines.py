"""Lines of a log, found in its bytes. A line ends behind its newline; what follows the last one is a line, too. No I/O.

A `window` is a part of a log's bytes, in front of or behind an offset. Bytes outside of the window are read by a function of the caller,
which may wait for the disk.
"""

from collections.abc import Callable

MAX_LINES = 10_000
"""The largest number of lines in one answer of bytes."""

MAX_BYTES = 4 * 1024 * 1024
"""The largest answer, and so the largest window, in bytes."""

FIRST_WINDOW = 64 * 1024
"""The first window, in bytes; each further one is eight times as large."""

Read = Callable[[int, int], bytes]
"""Returns the bytes `[start, stop)` of a log."""


def end_of_first(start: int, count: int, length: int, read: Read) -> int:
    """The offset of the end of the `count` lines from `start`, the beginning of a line, in a log of `length` bytes.

    Fewer lines, if they have more than `MAX_BYTES`; if the first line alone has more, `MAX_BYTES` of it.
    """
    size = FIRST_WINDOW
    while True:
        stop = min(length, start + size)
        taken = first_lines(read(start, stop), count, last=stop == length)
        if taken is not None:
            return start + taken
        size = min(8 * size, MAX_BYTES)


def start_of_last(stop: int, count: int, read: Read) -> int:
    """The offset of the beginning of the `count` lines in front of `stop`, the end of a line or of the log.

    Fewer lines, if they have more than `MAX_BYTES`; if the last line alone has more, `MAX_BYTES` of it.
    """
    size = FIRST_WINDOW
    while True:
        start = max(0, stop - size)
        skipped = last_lines(read(start, stop), count, first=start == 0)
        if skipped is not None:
            return start + skipped
        size = min(8 * size, MAX_BYTES)


def nth_newline(data: bytes, number: int) -> int:
    """The index in `data` of its newline with that number, counted from 1. There must be so many."""
    low, high = 0, len(data)
    while high - low > 1:
        middle = (low + high) // 2
        count = data.count(b"\n", low, middle)
        if count >= number:
            high = middle
        else:
            low, number = middle, number - count
    return low


def first_lines(window: bytes, count: int, *, last: bool) -> int | None:
    """How many bytes the first `count` lines of `window` have, which begins a line; `last`: the log ends with it.

    Whole lines only, unless the first is longer than `MAX_BYTES`: then so much of it. None: a larger window is needed.
    """
    if count == 0:
        return 0
    if window.count(b"\n") >= count:
        return nth_newline(window, count) + 1
    if last:
        return len(window)
    if len(window) < MAX_BYTES:
        return None
    return window.rfind(b"\n") + 1 or len(window)


def last_lines(window: bytes, count: int, *, first: bool) -> int | None:
    """Where in `window` its last `count` lines begin; a line, or the log, ends with it. `first`: the log begins with it.

    Whole lines only, unless the last is longer than `MAX_BYTES`: then so much of it. None: a larger window is needed.
    """
    if count == 0 or not window:
        return len(window)
    newlines = window.count(b"\n", 0, len(window) - 1)
    if newlines >= count:
        return nth_newline(window, newlines - count + 1) + 1
    if first:
        return 0
    if len(window) < MAX_BYTES:
        return None
    return window.find(b"\n", 0, len(window) - 1) + 1
