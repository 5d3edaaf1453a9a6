"""The query of a search, which also holds the state of a suspended search. No I/O.

To suspend a search, its process is ended. To continue it, another process is given the query that the last one has reported. So a
suspended search costs nothing.
"""

import re
import struct
from typing import NamedTuple

from .encodings import UTF_8

PROGRESS = 0.1
"""Seconds between two reports of progress."""

PLACE = struct.Struct("!dBI")
"""The header of each part of a search's output: the processor time so far, in seconds; whether the search has ended (0: no; 1: all bytes were searched; 2: with
its last line of output); and the length of the JSON that follows: the members of the `Query` that have to be replaced to continue behind this part."""


class Query(NamedTuple):
    """A search in the first `size` bytes of a log, from the offset `start`.

    What is searched for:
    `text`: a literal text, or with `regex` a regular expression of Python. `errors`: lines that report an error, instead of a text. `case`: whether
    capital and small letters differ. `encoding`: Python's name of the log's encoding.

    Where:
    `forward`: hits that begin at `start` or behind it, in the order of the log; else hits that begin before `start`, the nearest first. A backward search
    from the end of the log finds all. `since`, `until`: only lines that arrived in `[since, until)`, in milliseconds since the epoch. `low`, `high`: only
    lines that begin in `[low, high)`; `high` None: to the end. `whole`: bytes behind the last newline are ignored.

    How much:
    `limit`: the limit of hits; None: no limit. `seconds`: the limit of processor time; when it is reached, the search ends with a next page, as at the limit
    of hits. `live`: the search will be continued when the log has grown, so it reports no end and no progress.

    What is returned:
    `by_line`: lines instead of matches, each line once: those with a match, or with `invert` those without, and `before` and `after` lines of context.
    `grep`: text as `grep -n` writes it, instead of JSON. `numbered`: with the numbers of lines. `groups`: a line `--` between lines that are not adjacent.
    `plain`: text without terminal sequences. `newlines`: the number of newlines before the offset `counted`; None: unknown, so lines have no numbers.
    `head`: members in front of those of each hit, as JSON. `room`: the bytes of output after which no further hit is returned; None: no limit.

    The state of a suspended search:
    `begin`: the offset at which the search began. `returned`: the number of hits that were returned. Of a search by line also: `edge`: the offset up to which, in
    the direction of the search, lines were returned or passed over as no context; `apart`: whether any line was returned; `left`: the number of
    lines of context that still follow the last hit; `part`: the bytes of the next line that were returned already; `bound`: the start of the line in whose middle the
    search is (backwards: its end); `found`: the offset and length of the match that this line has.
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
    head: str = ""
    room: int | None = None
    begin: int | None = None
    returned: int = 0
    edge: int | None = None
    apart: bool = False
    left: int = 0
    part: int = 0
    bound: int | None = None
    found: tuple[int, int] | None = None

    def pattern(self) -> re.Pattern[str]:
        """The compiled pattern. Raises: ValueError, with a message for the user who wrote it."""
        flags = re.NOFLAG if self.case else re.IGNORECASE
        if not self.regex and self.text.isascii():
            flags |= re.ASCII  # no other character folds to an ASCII letter then, so that bytes can be compared
        try:
            return re.compile(self.text if self.regex else re.escape(self.text), flags)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(str(error)) from error
