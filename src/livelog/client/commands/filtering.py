"""Which lines of a log are shown, as grep does it: those that match, or do not, and those around them. No I/O.

As the server's search does, it matches what is read: without terminal sequences, and without the newline and the carriage returns
in front of it.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, Protocol, TypeVar

from livelog import ansi

_SEQUENCE = re.compile(ansi.SEQUENCE)


class _Line(Protocol):
    @property
    def text(self) -> str: ...


L = TypeVar("L", bound=_Line)


class Wanted(NamedTuple):
    """What is looked for. `text`: as Python's `re` has it, or as it is (`fixed`)."""

    text: str
    fixed: bool = False
    ignore_case: bool = False
    invert: bool = False
    before: int = 0
    after: int = 0

    def pattern(self) -> "re.Pattern[str]":
        """What matches. Raises: ValueError."""
        try:
            return re.compile(re.escape(self.text) if self.fixed else self.text, re.IGNORECASE * self.ignore_case)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{self.text!r} is not a pattern: {error}") from error


class Shown(NamedTuple):
    """Whether a line that is shown is one around a match, and whether lines before it were left out."""

    context: bool
    apart: bool


class LineFilter:
    """Chooses lines, which it is given in order. Raises at the beginning: ValueError, if the pattern is none."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._search = wanted.pattern().search
        self._before: deque[object] = deque(maxlen=wanted.before)
        self._left = 0  # lines behind the last match that are still to be shown
        self._gap = self._any = False

    def matches(self, text: str) -> bool:
        """Whether a line with that text is one of those that are looked for."""
        return (self._search(plain(text)) is not None) is not self._wanted.invert

    def __call__(self, line: L) -> Iterator[tuple[L, Shown]]:
        """What is shown because of another line: it, and those before it, or nothing."""
        if self.matches(line.text):
            apart = self._gap and self._any
            for earlier in self._before:
                yield earlier, Shown(True, apart)  # type: ignore[misc]  # they were of that type
                apart = False
            yield line, Shown(False, apart)
            self._before.clear()
            self._left, self._gap, self._any = self._wanted.after, False, True
        elif self._left:
            self._left -= 1
            yield line, Shown(True, False)
        else:
            self._gap |= len(self._before) == self._wanted.before
            self._before.append(line)


def plain(text: str) -> str:
    """`text` without terminal sequences."""
    return _SEQUENCE.sub("", text) if "\x1b" in text else text
