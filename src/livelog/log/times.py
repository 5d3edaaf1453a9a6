"""When each 64 KiB block of a log began to come. No I/O.

A time is kept for each block, not for each line: four bytes for 64 KiB. What is not known of a block is taken from the
block before it. Times never go back, whatever the clock does.
"""

from array import array
from bisect import bisect_right

BLOCK = 64 * 1024
"""Bytes of the log between two times that are noted."""

TICK = 10_000
"""Microseconds: the unit of these times, so that 32 bits last for more than a year."""


class BlockTimes:
    """The times of one log, which began at `began`, in microseconds since the epoch. `kept`: an earlier `to_bytes`."""

    __slots__ = ("_began", "_ticks")

    def __init__(self, began: int, kept: bytes = b"") -> None:
        self._began = began
        self._ticks = array("I", kept[: len(kept) // 4 * 4] or bytes(4))

    def note(self, before: int, length: int, moment: int) -> None:
        """The log has grown from `before` to `length` bytes, at `moment`, in microseconds since the epoch."""
        ticks = self._ticks
        tick = max(min((moment - self._began) // TICK, 0xFFFFFFFF), ticks[-1])
        ticks.extend([ticks[-1]] * (-(-before // BLOCK) - len(ticks)))
        ticks.extend([tick] * (-(-length // BLOCK) - len(ticks)))

    def time_at(self, offset: int) -> int:
        """When the byte at `offset` came, in milliseconds since the epoch, rounded down to what is known."""
        return (self._began + TICK * self._ticks[min(offset // BLOCK, len(self._ticks) - 1)]) // 1000

    def offset_at(self, moment: int) -> int:
        """The offset of the last block that had begun to come by `moment`, as `time_at` tells it; 0: none had."""
        tick = (1000 * (moment + 1) - 1 - self._began) // TICK
        return BLOCK * max(0, bisect_right(self._ticks, tick) - 1)

    def to_bytes(self) -> bytes:
        """What `kept` takes."""
        return self._ticks.tobytes()
