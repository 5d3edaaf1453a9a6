"""What is searched for in a log, and what is left of a search that was broken off. No I/O.

A search is broken off by dropping it, and gone on with from the query that it has left: so one that waits costs nothing.
"""

import re
import struct
from typing import NamedTuple

from .encodings import UTF_8

PROGRESS = 0.1
"""Seconds from one word about progress to the next."""

PLACE = struct.Struct("!dBI")
"""The seconds of the processor that a search took until there, whether it has ended (1: all has been looked at; 2: it may tell no more), and the length of what it has left: a `Query` is
gone on with by replacing those members, which follow in JSON."""


class Query(NamedTuple):
    """What is searched for, in the first `size` bytes of a log, from `start` on.

    `text`: as it is, or a regular expression of Python's (`regex`); `errors`: in its place, what tells of one. `forward`: hits that begin at `start` or behind it;
    else in front of it, the nearest first; from the end, all. `limit`: hits, at most; None: all. `seconds`: the search may take so much of the
    processor; then it ends as one with `limit` hits does. `encoding`: of the log's text, see `encodings`.

    `newlines`: how many are in front of the byte at `counted`; None: that is not known, so that lines have no numbers.

    `since` and `until`: only lines that came at such times, `[since, until)`, in milliseconds since the epoch. `low` and `high`: nothing is looked at or told but lines that begin in `[low, high)`; `high` None: to the end. `whole`: what follows
    the last newline is not looked at. `live`: the search will be gone on with, once more has come: no end is told, nor progress.

    `by_line`: the answer has lines, each once: those with a match, or with `invert` those without, and with each so many lines `before` and
    `after` it. `grep`: the answer is text as `grep -n` writes it, else JSON. `numbered`: lines are told with their numbers. `groups`: groups of lines
    that are apart have a line of -- between them. `plain`: without terminal sequences.

    What a search has left that was broken off: `begin`: where it began; `told`: how many hits it has told. By line: `edge`: up to where, in the
    direction of the search, lines have been told; `apart`: whether any were; `left`: how many more lines follow the last hit as context; `part`:
    so many bytes of the next line have been told. `bound`: where the line begins that the search is in the middle of, or, backwards, where it ends;
    `found`: the offset and length of the match that it has.
    """

    text: str
    size: int
    start: int
    newlines: int | None
    case: bool = False
    regex: bool = False
    errors: bool = False
    forward: bool = False
    limit: int | None = 1000
    seconds: float = float("inf")
    encoding: str = UTF_8
    counted: int = 0
    since: int | None = None
    until: int | None = None
    low: int = 0
    high: int | None = None
    whole: bool = False
    live: bool = False
    by_line: bool = False
    invert: bool = False
    before: int = 0
    after: int = 0
    grep: bool = False
    numbered: bool = True
    groups: bool = False
    plain: bool = False
    begin: int | None = None
    told: int = 0
    edge: int | None = None
    apart: bool = False
    left: int = 0
    part: int = 0
    bound: int | None = None
    found: tuple[int, int] | None = None

    def pattern(self) -> re.Pattern[str]:
        """What matches. Raises: ValueError, with a message for who wrote it."""
        flags = re.NOFLAG if self.case else re.IGNORECASE
        if not self.regex and self.text.isascii():
            flags |= re.ASCII  # letters are their own small ones only, so that bytes can be compared
        try:
            return re.compile(self.text if self.regex else re.escape(self.text), flags)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(str(error)) from error
