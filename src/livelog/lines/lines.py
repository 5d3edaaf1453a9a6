"""Lines of a log, found in its bytes. A line ends behind its newline; what follows the last one is a line, too.

`window` is always a part of a log's bytes beside a place in it. Refuses to keep anything, and, but for `tail_offset`, to
read: offsets are found in the bytes given.
"""

from livelog.journal import Journal

READ_SIZE = 256 * 1024
"""Bytes read at a time, by a thread."""

MAX_LINES = 10_000
"""Lines of one answer."""

MAX_BYTES = 4 * 1024 * 1024
"""Bytes of one answer, and so of the largest window."""


async def tail_offset(journal: Journal, count: int) -> int:
    """The offset, in bytes, at which the last `count` lines of what `journal` has now begin. Raises: DiskError."""
    stop = journal.length
    if count == 0 or stop == 0:
        return stop
    wanted = count
    end = stop - 1  # a newline at the very end ends the last line; it does not begin another
    while end > 0:
        start = max(0, end - READ_SIZE)
        block = await journal.fetch(start, end)
        newlines = block.count(b"\n")
        if newlines >= wanted:
            return start + nth_newline(block, newlines - wanted + 1) + 1
        wanted -= newlines
        end = start
    return 0


def nth_newline(data: bytes, number: int) -> int:
    """Where in `data` the newline of that number is, of at least so many; the first has number 1."""
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
