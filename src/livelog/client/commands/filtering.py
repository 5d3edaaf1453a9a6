"""The selection of lines to be shown, as in grep: lines that match, or do not, and their context. No I/O.

Like the server's search, it matches lines without terminal sequences, without the newline, and without the carriage returns before
it.
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
    """A pattern and its options, as in grep. `text`: a regular expression of Python's `re`, or with `fixed` a literal text. `before`, `after`: lines of context."""

    text: str
    fixed: bool = False
    ignore_case: bool = False
    invert: bool = False
    before: int = 0
    after: int = 0

    def pattern(self) -> "re.Pattern[str]":
        """The compiled pattern. Raises: ValueError."""
        try:
            return re.compile(re.escape(self.text) if self.fixed else self.text, re.IGNORECASE * self.ignore_case)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{self.text!r} is not a pattern: {error}") from error


class Shown(NamedTuple):
    """How a line is shown: whether it is context, and whether lines before it were left out."""

    context: bool
    apart: bool


class LineFilter:
    """Selects lines, which must be passed in order. The constructor raises ValueError, if the pattern is not valid."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._search = wanted.pattern().search
        self._before: deque[object] = deque(maxlen=wanted.before)
        self._left = 0  # lines behind the last match that are still to be shown
        self._gap = self._any = False

    def matches(self, text: str) -> bool:
        """Whether a line with this text is a match (with `invert`: is none)."""
        return (self._search(plain(text)) is not None) is not self._wanted.invert

    def __call__(self, line: L) -> Iterator[tuple[L, Shown]]:
        """Yield the lines to be shown once `line` is known: it and the context before it, or nothing."""
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
