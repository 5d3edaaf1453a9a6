"""A sparse index of one log: for each block, the number of newlines in front of it, and the style in force there.

The line of an offset, and the offset of a line, are found by one bisection and the scan of one block, however long the lines are. No I/O:
the caller passes a function that reads. Only whole blocks are indexed; the bytes behind the last one are scanned for each question.

1. `newlines[i]` is the number of newlines in front of block i, for every indexed block and the first one that is not.
2. The style of a block is that of all sequences that end in front of it. A sequence that lies across the edge is found from either
   side, since applying it twice changes nothing.
3. `from_bytes` refuses an index that is damaged or from a machine with another byte order. It is made again from the log then.
"""

import struct
from array import array
from bisect import bisect_left, bisect_right

from .lines import Read, nth_newline
from .sgr import MAX_SEQUENCE, style_after

BLOCK = 64 * 1024
"""Bytes of a block."""

SCANNED_AT_ONCE = 256 * 1024
"""Bytes read at a time."""

_HEAD = struct.Struct("=QQQ")
_MAGIC = int.from_bytes(b"livelog1", "big")


def scan(read: Read, first: int, stop: int, style: str) -> list[tuple[int, str]]:
    """For each of the blocks `[first, stop)`: the number of its newlines, and the style behind it. `style`: the one in force in front of the first."""
    found = []
    for start in range(first * BLOCK, stop * BLOCK, SCANNED_AT_ONCE):
        margin = min(start, MAX_SEQUENCE)
        data = read(start - margin, min(start + SCANNED_AT_ONCE, stop * BLOCK))
        for place in range(margin, len(data), BLOCK):
            style = style_after(style, data, max(0, place - MAX_SEQUENCE), place + BLOCK)
            found.append((data.count(b"\n", place, place + BLOCK), style))
    return found


class Index:
    """The index of the first `blocks` blocks of a log."""

    def __init__(self) -> None:
        self.newlines = array("Q", [0])
        self._changes = array("Q", [0])  # the blocks whose style differs from that of the block before
        self._styles = [""]

    @property
    def blocks(self) -> int:
        """The number of indexed blocks."""
        return len(self.newlines) - 1

    @property
    def style(self) -> str:
        """The style behind the last indexed block."""
        return self._styles[-1]

    def add(self, found: list[tuple[int, str]]) -> None:
        """Add the next blocks, as `scan` has returned them."""
        for count, style in found:
            self.newlines.append(self.newlines[-1] + count)
            if style != self._styles[-1]:
                self._changes.append(self.blocks)
                self._styles.append(style)

    def newlines_before(self, offset: int, read: Read) -> int:
        """The number of newlines in front of the byte at `offset`."""
        block = min(offset // BLOCK, self.blocks)
        return self.newlines[block] + read(block * BLOCK, offset).count(b"\n")

    def lines(self, length: int, read: Read) -> int:
        """The number of lines of a log of `length` bytes, including bytes behind its last newline."""
        return self.newlines_before(length, read) + (length > 0 and read(length - 1, length) != b"\n")

    def offset_of(self, line: int, length: int, read: Read) -> int | None:
        """The offset of the first byte of `line`, counted from 1, in a log of `length` bytes; None: the log has fewer lines."""
        number = line - 1
        if number == 0:
            return 0 if length else None
        block = bisect_left(self.newlines, number) - 1
        start = block * BLOCK
        data = read(start, min(start + BLOCK, length) if block < self.blocks else length)
        number -= self.newlines[block]
        if data.count(b"\n") < number:
            return None
        offset = start + nth_newline(data, number) + 1
        return offset if offset < length else None

    def style_at(self, offset: int, read: Read) -> str:
        """The style in force at the byte at `offset`."""
        block = min(offset // BLOCK, self.blocks)
        data = read(max(0, block * BLOCK - MAX_SEQUENCE), offset)
        return style_after(self._styles[bisect_right(self._changes, block) - 1], data, 0, len(data))

    def to_bytes(self) -> bytes:
        """The content of the sidecar file: see `from_bytes`."""
        head = _HEAD.pack(_MAGIC, len(self.newlines), len(self._changes))
        return b"".join((head, self.newlines.tobytes(), self._changes.tobytes(), "\n".join(self._styles).encode()))

    @classmethod
    def from_bytes(cls, kept: bytes, length: int) -> "Index":
        """The reverse of `to_bytes`, for a log of `length` bytes. Raises: ValueError, if `kept` is no index of it."""
        if len(kept) < _HEAD.size:
            raise ValueError("it is too short")
        magic, size, changes = _HEAD.unpack_from(kept)
        middle, end = _HEAD.size + 8 * size, _HEAD.size + 8 * (size + changes)
        if magic != _MAGIC or not 1 <= size <= length // BLOCK + 1 or end > len(kept):
            raise ValueError("it is not an index of this log")
        index = cls()
        index.newlines, index._changes = array("Q", kept[_HEAD.size : middle]), array("Q", kept[middle:end])
        index._styles = kept[end:].decode("ascii").split("\n")
        if len(index._styles) != changes:
            raise ValueError("it is not whole")
        return index
