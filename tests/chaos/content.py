"""What the logs of the chaos suite contain: a function of the log's key and the offset, so that no log need be stored.

Pure. Each log has a key, a number that no other log of a run has. Its bytes are ASCII, in lines of about forty characters, so
that they survive the way through server-sent events unchanged.
"""

import random
from array import array
from functools import cache
from itertools import accumulate

PERIOD = 1_000_003
"""Bytes until the content repeats: a prime."""

_STRIDE = 389_171  # where in the period two logs with neighbouring keys begin differs by so much

_TABLE = random.Random(1).randbytes(PERIOD).translate(
    bytes(10 if byte < 6 else 33 + byte % 94 for byte in range(256))
)  # fmt: skip
_TWICE = _TABLE * 2


def content(key: int, start: int, stop: int) -> bytes:
    """The bytes `[start, stop)` of the log with that key."""
    parts, shift = [], key * _STRIDE
    while start < stop:
        size, place = min(stop - start, PERIOD), (shift + start) % PERIOD
        parts.append(_TWICE[place : place + size])
        start += size
    return parts[0] if len(parts) == 1 else b"".join(parts)


def newlines(key: int, size: int) -> int:
    """How many newlines the first `size` bytes of the log with that key have."""
    start = key * _STRIDE % PERIOD
    return _newlines_before(start + size) - _newlines_before(start)


def lines(key: int, size: int) -> int:
    """How many lines the first `size` bytes of that log are: what follows the last newline is a line, too."""
    return newlines(key, size) + (size > 0 and content(key, size - 1, size) != b"\n")


def _newlines_before(place: int) -> int:
    periods, rest = divmod(place, PERIOD)
    counts = _counts()
    return periods * counts[PERIOD] + counts[rest]


@cache
def _counts() -> "array[int]":
    """How many newlines the first n bytes of the table have, for each n."""
    return array("I", accumulate((byte == 10 for byte in _TABLE), initial=0))
