"""A fast test whether a literal may occur in a block of a log. No I/O.

The test looks for the byte of the literal that is rarest in this log (`memchr` in C), and compares the neighbours of that byte only where
it occurs. Capital and small forms of a letter are looked for one after the other, so that the block need not be copied in lower case. If all bytes
of the literal are frequent, the whole literal is looked for: in a copy in lower case, or, if its capital letters are rare, in a copy in which only these
are replaced. The cheapest way is estimated from a sample of the block.

A positive result may be wrong; a negative result is always right.
"""

import operator
import re
from typing import NamedTuple

from .substrings import Contains, fastest

SAMPLE = 16 * 1024
"""The size of a sample, in bytes."""

SAMPLED = 16
"""The number of blocks for which one sample is used, since logs change."""

SMALL = 64 * 1024
"""Bytes below which a block is not worth a sample."""

FEW = 256
"""Occurrences of the byte in a block that are checked one by one, each with a call from Python. After that the pattern searches by itself."""

NEIGHBOURS = 16
"""Bytes of the literal that are compared on each side of its rarest byte."""


class Probe(NamedTuple):
    """A byte of the literal, and a pattern that matches at this byte if its neighbours match, too."""

    byte: bytes
    pattern: re.Pattern[bytes]

    def is_in(self, data: bytes) -> bool:
        """Whether the pattern matches anywhere in `data`."""
        place = data.find(self.byte)
        for _ in range(FEW):
            if place < 0:
                return False
            if self.pattern.match(data, place):
                return True
            place = data.find(self.byte, place + 1)
        return place >= 0 and self.pattern.search(data, place) is not None


class Prefilter:
    """The test for one literal, which is not empty. `case`: whether capital and small letters differ; if not, the literal is in lower case."""

    def __init__(self, literal: bytes, *, case: bool) -> None:
        self._literal = literal
        letters = {*literal.upper()} - {*literal} if not case else ()
        self._capitals = {bytes((letter,)): bytes((letter,)).lower() for letter in letters}
        self._replaces = False  # capital letters one by one, instead of the block in lower case
        self._probes: tuple[Probe, ...] = ()  # none: the whole literal is looked for
        self._contains: Contains | None = None  # of the first blocks: `in`, which needs no import
        self._left = 0  # blocks until the next sample

    def may_be_in(self, data: bytes) -> bool:
        """Whether the literal may occur in a block. False: it certainly does not."""
        if len(data) < SMALL:
            return self._literal in (data.lower() if self._capitals else data)
        if not self._left:
            self._plan(data)
        self._left -= 1
        if self._probes:
            return any(probe.is_in(data) for probe in self._probes)
        assert self._contains is not None
        return self._contains(self._folded(data), self._literal)

    def _folded(self, data: bytes) -> bytes:
        """A block in which the letters of the literal are in lower case."""
        if not self._capitals:
            return data
        if not self._replaces:
            return data.lower()
        for capital, small in self._capitals.items():
            data = data.replace(capital, small)
        return data

    def _plan(self, data: bytes) -> None:
        """Choose what is cheapest in blocks like this one."""
        self._contains, self._left = operator.contains if self._contains is None else fastest(), SAMPLED
        start = (len(data) - SAMPLE) // 2
        sample = data[start : start + SAMPLE]

        def share(byte: bytes) -> float:
            return sample.count(byte) / SAMPLE

        replacing = sum(replace_cost(share(capital)) for capital in self._capitals)
        self._replaces = replacing < LOWER_COST
        folding = min(replacing, LOWER_COST)
        costs = {
            place: sum(probe_cost(share(byte)) for byte in self._forms(place))
            for place in {byte: place for place, byte in enumerate(self._literal)}.values()
        }
        best = min(costs, key=costs.__getitem__)
        self._probes = ()
        if costs[best] < folding + literal_cost(len(self._literal)):
            self._probes = tuple(Probe(byte, self._pattern(best, byte)) for byte in self._forms(best))

    def _forms(self, place: int) -> tuple[bytes, ...]:
        """The forms of the byte at `place` of the literal: one, or a small and a capital letter."""
        byte = self._literal[place : place + 1]
        return (byte, byte.upper()) if byte.upper() in self._capitals else (byte,)

    def _pattern(self, place: int, byte: bytes) -> re.Pattern[bytes]:
        first, last = max(0, place - NEIGHBOURS), min(len(self._literal), place + 1 + NEIGHBOURS)
        before, behind = (b"".join(map(self._class, range(*ends))) for ends in ((first, place), (place + 1, last)))
        return re.compile(b"%b%b(?<=%b%b%b)" % (re.escape(byte), behind, before, re.escape(byte), behind))

    def _class(self, place: int) -> bytes:
        """A pattern for the byte at `place` of the literal."""
        forms = [re.escape(form) for form in self._forms(place)]
        return b"[%b]" % b"".join(forms) if len(forms) > 1 else forms[0]


def probe_cost(share: float) -> float:
    """The estimated cost of looking for a byte, in nanoseconds per byte of a block. `share`: the part of the bytes that are this byte, 0 to 1."""
    one_by_one = 0.03 + 400 * share
    return min(one_by_one, 0.5 + 22 * share)


def literal_cost(size: int) -> float:
    """The estimated cost of looking for a literal of `size` bytes, in the same unit."""
    return 0.02 + 1.5 / size if size > 1 else 0.03


LOWER_COST = 0.4
"""The estimated cost of copying a block in lower case, in the same unit."""


def replace_cost(share: float) -> float:
    """The estimated cost of replacing a capital letter in a block, in the same unit. `share`: the part of the bytes that are this letter, 0 to 1."""
    return 0.12 + 8 * share if share else 0.03
