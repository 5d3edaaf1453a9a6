"""Lines of a log, found in its bytes. A line ends behind its newline; what follows the last one is a line, too.

Refuses to keep anything: offsets are found by reading, from the end.
"""

from .journal import Journal

BLOCK = 256 * 1024
"""Bytes read at a time, by a thread."""


async def tail_offset(journal: Journal, count: int) -> int:
    """The offset, in bytes, at which the last `count` lines of what `journal` has now begin. Raises: DiskError."""
    stop = journal.length
    if count == 0 or stop == 0:
        return stop
    wanted = count
    end = stop - 1  # a newline at the very end ends the last line; it does not begin another
    while end > 0:
        start = max(0, end - BLOCK)
        block = await journal.fetch(start, end)
        newlines = block.count(b"\n")
        if newlines < wanted:
            wanted -= newlines
            end = start
            continue
        position = len(block)
        for _ in range(wanted):
            position = block.rfind(b"\n", 0, position)
        return start + position + 1
    return 0
