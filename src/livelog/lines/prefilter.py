"""A fast test whether a literal may occur in a block of a log. No I/O.

The test looks for the byte of the literal that is rarest in this log (`memchr` in C), and compares the neighbours of that byte only where
it occurs. Capital and small forms of a letter are looked for one after the other, so that the block need not be copied in lower case. If all bytes
of the literal are frequent, the whole literal is looked for. The cheaper way is estimated from a sample of the block.

A positive result may be wrong; a negative result is always right.
"""

import re
from typing import NamedTuple

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
        self._folds = not case and literal != literal.upper()
        self._probes: tuple[Probe, ...] = ()  # none: the whole literal is looked for
        self._left = 0  # blocks until the next sample

    def may_be_in(self, data: bytes) -> bool:
        """Whether the literal may occur in a block. False: it certainly does not."""
        if len(data) >= SMALL:
            if not self._left:
                self._probes, self._left = self._cheapest(data), SAMPLED
            self._left -= 1
            if self._probes:
                return any(probe.is_in(data) for probe in self._probes)
        return self._literal in (data.lower() if self._folds else data)

    def _cheapest(self, data: bytes) -> tuple[Probe, ...]:
        """The probes that are cheapest in blocks like this one; empty: it is cheaper to look for the whole literal."""
        start = (len(data) - SAMPLE) // 2
        sample = data[start : start + SAMPLE]
        costs = {
            place: sum(probe_cost(sample.count(byte) / SAMPLE) for byte in self._forms(place))
            for place in {byte: place for place, byte in enumerate(self._literal)}.values()
        }
        best = min(costs, key=costs.__getitem__)
        if costs[best] >= literal_cost(len(self._literal), folds=self._folds):
            return ()
        return tuple(Probe(byte, self._pattern(best, byte)) for byte in self._forms(best))

    def _forms(self, place: int) -> tuple[bytes, ...]:
        """The forms of the byte at `place` of the literal: one, or a small and a capital letter."""
        byte = self._literal[place : place + 1]
        return (byte, byte.upper()) if self._folds and byte != byte.upper() else (byte,)

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


def literal_cost(size: int, *, folds: bool) -> float:
    """The estimated cost of looking for a literal of `size` bytes, in the same unit. `folds`: the block is copied in lower case first."""
    return 0.5 * folds + (0.15 + 2.5 / size if size > 1 else 0.03)
