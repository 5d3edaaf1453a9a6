"""The query and the output of `livelog grep`, in the form of grep. No I/O."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from .filtering import plain

NAME, LINE, MARK, MATCH, RESET = "\x1b[35m", "\x1b[32m", "\x1b[36m", "\x1b[1;31m", "\x1b[0m"
"""The colours of grep: of a log's name, of a line number, of separators, and of a match."""

MAX_TEXT = 1000
"""The limit of a pattern, in characters: see `/search`."""

_LINE = re.compile(rb"([0-9]+)([:-])")


class Asked(NamedTuple):
    """A pattern for the server: `text` is a regular expression of Python's `re` if `regex` is set, else a literal text."""

    text: str
    regex: bool


def expression(patterns: Sequence[str], *, fixed: bool = False, word: bool = False, line: bool = False) -> Asked:
    """One pattern for all of `patterns`, of which each line is one. `fixed`: they are texts. `word`, `line`: they match whole words, whole lines.

    Raises: ValueError, if it is none, or too long.
    """
    each = [one for pattern in patterns for one in pattern.split("\n")]
    if fixed and len(each) == 1 and each[0] and not word and not line:
        asked = Asked(each[0], regex=False)
    else:
        for one in each:
            try:
                re.compile(re.escape(one) if fixed else one)
            except (re.error, RecursionError, OverflowError) as error:
                raise ValueError(f"{one!r} is not a pattern of Python's re: {error}") from error
        text = "|".join(re.escape(one) if fixed else one if len(each) == 1 else f"(?:{one})" for one in each)
        text = rf"(?<!\w)(?:{text})(?!\w)" if word else text
        asked = Asked(f"^(?:{text})$" if line else text or "^", regex=True)
    if len(asked.text) > MAX_TEXT:
        raise ValueError(f"the pattern is longer than {MAX_TEXT} characters")
    return asked


class Found(NamedTuple):
    """A line of the server's answer in the form of `grep -n`. `number`: 0 for a separator between groups of lines."""

    number: int
    context: bool
    data: bytes


def found(line: bytes) -> Found:
    """Parse a line of the server's answer. Raises: ValueError."""
    if line == b"--":
        return Found(0, True, b"")
    match = _LINE.match(line)
    if match is None:
        raise ValueError(line)
    return Found(int(match[1]), match[2] == b"-", line[match.end() :])


class Form:
    """How lines are written. `marked`: a pattern, which is coloured where it matches; None: no colours. `numbered`: with their numbers.

    `only`: only what matches of a line, each match on a line of its own, by this pattern.
    """

    def __init__(
        self, *, numbered: bool = False, marked: "re.Pattern[str] | None" = None, only: "re.Pattern[str] | None" = None
    ) -> None:
        self._numbered, self._marked, self._only = numbered, marked, only

    def line(self, name: str, line: Found) -> bytes:
        """A line of the log `name` as it is printed. An empty name is not printed."""
        if not line.number:
            return b"" if self._only else f"{self._coloured(MARK, '--')}\n".encode()
        mark = self._coloured(MARK, "-" if line.context else ":")
        head = self._coloured(NAME, name) + mark if name else ""
        head += self._coloured(LINE, str(line.number)) + mark if self._numbered else ""
        if self._only is not None:
            text = plain(line.data.rstrip(b"\r").decode(errors="replace"))
            parts = [] if line.context else [match[0] for match in self._only.finditer(text) if match[0]]
            return "".join(f"{head}{self._coloured(MATCH, part)}\n" for part in parts).encode()
        if self._marked is None:
            return head.encode() + line.data + b"\n"
        text = plain(line.data.rstrip(b"\r").decode(errors="replace"))
        if not line.context:
            text = self._marked.sub(lambda match: f"{MATCH}{match[0]}{RESET}" if match[0] else "", text)
        return f"{head}{text}\n".encode()

    def count(self, name: str, count: int) -> bytes:
        """The number of lines that were found in a log, as it is printed."""
        head = self._coloured(NAME, name) + self._coloured(MARK, ":") if name else ""
        return f"{head}{count}\n".encode()

    def name(self, name: str) -> bytes:
        """The name of a log, as it is printed by -l."""
        return f"{self._coloured(NAME, name)}\n".encode()

    def _coloured(self, colour: str, text: str) -> str:
        return text if self._marked is None else f"{colour}{text}{RESET}"


def marked(text: str, patterns: "Sequence[re.Pattern[str]]") -> str:
    """`text` with colours where one of the patterns matches."""
    hit = [False] * len(text)
    for pattern in patterns:
        for match in pattern.finditer(text):
            hit[match.start() : match.end()] = [True] * (match.end() - match.start())
    parts: list[str] = []
    for place, character in enumerate(text):
        if hit[place] is not (place > 0 and hit[place - 1]):
            parts.append(MATCH if hit[place] else RESET)
        parts.append(character)
    return "".join(parts) + RESET * (bool(hit) and hit[-1])
