"""Range headers: parsed, and resolved against a log's length. No I/O, no knowledge of sockets, files or HTTP messages.

Two steps, since a log that is being written has no length when its header is parsed:
`parse_range` reads the header (RFC 9110 section 14.1.1), `resolve` applies it to the log as it is now
(RFC 9110 section 14.2; RFC 8673 for a log that still grows).

1. A header that is malformed, or in another unit, is ignored (`None`); it is never an error.
2. Inside, offsets are half-open `[start, stop)`; inclusive positions exist in header text only.
3. Numbers of any length are safe; a huge last position is echoed digit for digit.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

VERY_LARGE = 2**53 - 1
"""From this last position on, a range asks to follow a growing log: the largest integer that JavaScript
holds exactly, and the value that RFC 8673 section 2 uses in its examples."""

MAX_PARTS = 16
"""More parts than this are not worth a multipart answer (RFC 9110 section 17.15: denial of service)."""

_SPEC = re.compile(r"(?:([0-9]+)-([0-9]*)|-([0-9]+))", re.ASCII)
_BEYOND = 10**19  # larger than any file offset; stands for every longer number


class FromTo(NamedTuple):
    """`first-last` or `first-`. `first` and `last` are inclusive positions; `last` is None when left out."""

    first: int
    last: int | None
    last_text: str
    """`last` as it was written: RFC 8673 requires that it is echoed."""


class Suffix(NamedTuple):
    """`-length`: the last `length` bytes."""

    length: int


@dataclass(frozen=True, slots=True)
class Whole:
    """No range applies: 200 with everything."""


class Part(NamedTuple):
    """206 with the bytes `[start, stop)`, which ends now."""

    start: int
    stop: int


class Follow(NamedTuple):
    """206 from `start`, then live until the log ends (RFC 8673 section 2)."""

    start: int
    last_text: str
    """The last position asked for, echoed in Content-Range."""


class Parts(NamedTuple):
    """206 multipart/byteranges: two or more disjoint parts, in ascending order."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """416: none of the ranges has a byte in the log."""


@dataclass(frozen=True, slots=True)
class NothingMore:
    """409: the client asks for what follows all bytes of a log that is not complete, and there is nothing.

    Programs that resume downloads (wget, curl) take 416 there for "you have all of it", and succeed.
    """


Spec = FromTo | Suffix
Plan = Whole | Part | Follow | Parts | Unsatisfiable | NothingMore


def parse_range(header: str) -> tuple[Spec, ...] | None:
    """The ranges of a `Range` header, in its order; None if it is to be ignored.

    Ignored are another unit than bytes, anything malformed, and a last position before its first.
    """
    unit, equals, range_set = header.partition("=")
    if not equals or unit.lower() != "bytes":
        return None
    specs: list[Spec] = []
    for item in (element.strip(" \t") for element in range_set.split(",")):
        if not item:
            continue  # RFC 9110 section 5.6.1.2: a recipient accepts empty list elements
        match = _SPEC.fullmatch(item)
        if match is None:
            return None
        first, last, suffix = match.groups()
        if suffix is not None:
            specs.append(Suffix(_number(suffix)))
            continue
        if last and _magnitude(last) < _magnitude(first):
            return None
        specs.append(FromTo(_number(first), _number(last) if last else None, last))
    return tuple(specs) or None


def resolve(
    specs: Sequence[Spec] | None, length: int, *, live: bool, unfinished: bool = False, largest: int | None = None
) -> Plan:
    """What to answer for `specs` on a log of `length` bytes.

    `live`: the answer may follow the log. `unfinished`: the log is not complete: it grows, or it was aborted. `largest`: the largest log allowed, in bytes; a last position beyond it
    asks to follow, as one of `VERY_LARGE` does.
    """
    if specs is None:
        return Whole()
    if len(specs) == 1:
        spec = specs[0]
        if live and isinstance(spec, FromTo) and _follows(spec, largest) and spec.first <= length:
            return Follow(spec.first, spec.last_text)
        if unfinished and isinstance(spec, FromTo) and spec.last is None and spec.first == length > 0:
            return NothingMore()
        return _part(spec, length) or Unsatisfiable()
    if live:
        return Whole()  # a multipart answer cannot end with a part that is still growing
    parts = _coalesce([part for spec in specs if (part := _part(spec, length)) is not None])
    if len(parts) > MAX_PARTS:
        return Whole()
    if len(parts) > 1:
        return Parts(parts)
    return parts[0] if parts else Unsatisfiable()


def _follows(spec: FromTo, largest: int | None) -> bool:
    return spec.last is not None and (spec.last >= VERY_LARGE or (largest is not None and spec.last > largest))


def _part(spec: Spec, length: int) -> Part | None:
    """The bytes of `spec` that the log has; None: it has none of them."""
    if isinstance(spec, Suffix):
        start, stop = max(0, length - spec.length), length
    else:
        start, stop = spec.first, length if spec.last is None else min(spec.last + 1, length)
    return Part(start, stop) if start < stop else None


def _coalesce(parts: list[Part]) -> tuple[Part, ...]:
    """The same bytes as ascending, disjoint parts that do not touch (RFC 9110 section 15.3.7.2)."""
    merged: list[Part] = []
    for part in sorted(parts, key=lambda part: part.start):
        if merged and part.start <= merged[-1].stop:
            merged[-1] = Part(merged[-1].start, max(merged[-1].stop, part.stop))
        else:
            merged.append(part)
    return tuple(merged)


def _magnitude(digits: str) -> tuple[int, str]:
    """A key that orders decimal numbers of any length."""
    digits = digits.lstrip("0")
    return len(digits), digits


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) < 20 else _BEYOND
