"""Tells quickly that a literal is nowhere in a block of a log. No I/O.

A block is not searched for the literal, but for the one of its bytes that is rarest in this log (`memchr` in C), and only where that is
are its neighbours compared; a small and a capital letter are looked for one after the other, so that the block need not be copied in small
letters. Where each byte of the literal is frequent, the whole literal is looked for. What costs less is estimated from a sample.

The prefilter may say that the literal may be there when it is not, but not the other way round.
"""

import re
from typing import NamedTuple

SAMPLE = 16 * 1024
"""Bytes of a block in which the bytes of the literal are counted."""

SAMPLED = 16
"""Blocks after which another sample is taken: a log changes."""

SMALL = 64 * 1024
"""Bytes of a block for which no sample is worth it."""

FEW = 256
"""Occurrences of a byte in a block that are looked at one by one, each for a call from Python; then a pattern goes on, byte by byte."""

NEIGHBOURS = 16
"""Bytes of the literal that are compared on either side of its rarest one."""


class Probe(NamedTuple):
    """A byte, and the pattern of it and its neighbours, which begins with it."""

    byte: bytes
    pattern: re.Pattern[bytes]

    def is_in(self, data: bytes) -> bool:
        """Whether the pattern matches somewhere."""
        place = data.find(self.byte)
        for _ in range(FEW):
            if place < 0:
                return False
            if self.pattern.match(data, place):
                return True
            place = data.find(self.byte, place + 1)
        return place >= 0 and self.pattern.search(data, place) is not None


class Prefilter:
    """Looks for one literal, which is not empty. `case`: whether capital letters differ from small ones; if not, the literal has small ones only."""

    def __init__(self, literal: bytes, *, case: bool) -> None:
        self._literal = literal
        self._folds = not case and literal != literal.upper()
        self._probes: tuple[Probe, ...] = ()  # none: the whole literal is looked for
        self._left = 0  # blocks until the next sample

    def may_be_in(self, data: bytes) -> bool:
        """Whether the literal may be in a block; False: it is not."""
        if len(data) >= SMALL:
            if not self._left:
                self._probes, self._left = self._cheapest(data), SAMPLED
            self._left -= 1
            if self._probes:
                return any(probe.is_in(data) for probe in self._probes)
        return self._literal in (data.lower() if self._folds else data)

    def _cheapest(self, data: bytes) -> tuple[Probe, ...]:
        """How the literal is looked for at the least cost in blocks like this one."""
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
        """How a byte of the literal may be written."""
        byte = self._literal[place : place + 1]
        return (byte, byte.upper()) if self._folds and byte != byte.upper() else (byte,)

    def _pattern(self, place: int, byte: bytes) -> re.Pattern[bytes]:
        first, last = max(0, place - NEIGHBOURS), min(len(self._literal), place + 1 + NEIGHBOURS)
        before, behind = (b"".join(map(self._class, range(*ends))) for ends in ((first, place), (place + 1, last)))
        return re.compile(b"%b%b(?<=%b%b%b)" % (re.escape(byte), behind, before, re.escape(byte), behind))

    def _class(self, place: int) -> bytes:
        """What matches a byte of the literal."""
        forms = [re.escape(form) for form in self._forms(place)]
        return b"[%b]" % b"".join(forms) if len(forms) > 1 else forms[0]


def probe_cost(share: float) -> float:
    """What it costs to look for a byte that so large a share of the bytes are, in nanoseconds of a common processor per byte."""
    one_by_one = 0.03 + 400 * share
    return min(one_by_one, 0.5 + 22 * share)


def literal_cost(size: int, *, folds: bool) -> float:
    """What it costs to look for a whole literal of so many bytes, in the same unit. `folds`: the block is copied in small letters first."""
    return 0.5 * folds + (0.15 + 2.5 / size if size > 1 else 0.03)
