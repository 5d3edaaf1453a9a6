"""Problems in a log: errors and warnings, each with its lines, as far as they can be told from the log's text. No I/O.

A line is told of once: as the beginning of a problem of several lines (`beginnings`, `traces`), by its form (`forms`), by its level (`levels`),
or by words that tell of an error (`failures`), in this order.
Lines of several services in one log (`web-1  | `) are told apart by what is in front of them.

1. What is found does not depend on the pieces in which a log comes, if these are whole lines.
2. `MAX_KEPT` problems are kept, and `MAX_BYTES` of JSON; all are counted.
3. Of a line `MAX_LINE` bytes are looked at, and of a line of JSON all of it, up to `MAX_JSON`.
"""

import copy
import json
import re
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from livelog.times import timestamp

from . import beginnings, failures, prefixes
from .collecting import LEVELS, Clock
from .encodings import UTF_8
from .forms import MAX_MESSAGE
from .levels import MAX_JSON
from .recognition import recognised
from .sgr import plain
from .traces import MAX_MAYBE, Part, Trace

MAX_KEPT = 10_000
"""Problems that are kept of one log."""

PIECE = 64 * 1024
"""Bytes in which problems are looked for in one go. Of a line that is longer, the beginning is looked at."""

MAX_BYTES = 4 * 1024 * 1024
"""Bytes of JSON of those."""

MAX_PAGE = 4 * 1024 * 1024
"""Bytes of JSON on a page of problems, unless one problem alone is more."""

MAX_LINE = 8192

MAX_SERVICES = 16
"""Problems of several lines that are open at a time, each of another service."""

_SIGNS = (
    *failures.SIGNS, "warn", "wrn", "notice", "deprecat", "not ok", "***", "unstable", "aborted", "killed", "unexpected", "fault",
    "obsolete", "outdated", "abandoned", "will be removed in", "uninitialized value", "(!)", "[!]", "(ww)", "box (", "slf4j(w)", "^-", "(line ", "(style)", ".go:", "): ", "##vso[", " e ", " f ", " w ", "\ne: ", " e: ", "\nw: ", " w: ", "e   ", "** (", ":in ",
    "✖", "✗", "✘", "✕", "\u00d7", "❌", "●", "⚠",
)  # fmt: skip
_FEWEST = tuple(
    sign.encode() for sign in dict.fromkeys(_SIGNS) if not any(other in sign and other != sign for other in _SIGNS)
)
"""What every line that may tell of a problem has one of, in small letters, or a match of one of `_SHAPES`."""

_SHAPES = (re.compile(rb":\d{1,7}: "), re.compile(rb"[ef](?:\d{4} \d\d:|/\w)|w(?:\d{4} \d\d:|/\w{1,60}\()"))

_SHOWN_SCRIPT = re.compile(rb"(?:\xef\xbb\xbf)?(?:[0-9-]{10}T[0-9:.]{8,18}Z )?\x1b\[36;1m.*\x1b\[0m\s*$", re.DOTALL)
"""A line of the script of a step, as GitHub shows it in front of what that prints."""


class Kept(NamedTuple):
    """A problem as it is kept: its first and its last line, where that begins, and the rest of it as JSON."""

    line: int
    last: int
    offset: int
    level: str
    text: str


@dataclass(slots=True)
class _Open:
    """A problem that may go on. `last`: the last line that belongs to it; `maybe`: what may, each with its number and offset."""

    trace: Trace
    line: int
    last: int
    offset: int
    maybe: list[tuple[str, bool, int, int]] = field(default_factory=list)

    def kept(self) -> Kept:
        problem = self.trace.problem
        about = {
            "level": problem.level, "message": problem.message.strip()[:MAX_MESSAGE], "kind": problem.kind,
            "file": problem.file and problem.file[:MAX_MESSAGE], "row": problem.row, "column": problem.column,
        }  # fmt: skip
        return Kept(self.line, self.last, self.offset, problem.level, json.dumps(about, ensure_ascii=False)[1:])


@dataclass(slots=True)
class Problems:
    """The problems in the first `indexed` bytes of a log, which have so many `lines`."""

    encoding: str = UTF_8
    indexed: int = 0
    lines: int = 0
    found: list[Kept] = field(default_factory=list)
    """Those that further bytes do not change, in the order in which that became known."""
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0))
    full: bool = False
    """Whether there are more than are kept."""
    _size: int = 0
    _open: dict[str, _Open] = field(default_factory=dict)
    _inside: bool = False  # whether the next bytes go on with a line
    _above: bytes = b""  # the line in front of the next one
    _file: str | None = None  # what the linter's lines are about
    _file_line: int = 0

    def take(self, data: bytes) -> None:
        """Look at so many more bytes: whole lines, or a part of one."""
        if not data:
            return
        starts = _candidates(data)
        line, place, following = self.lines + 1, 0, 0
        if self._inside:  # the rest of a line
            place, line = data.find(b"\n") + 1 or len(data), line + 1
        while place < len(data):
            if not self._open:
                while following < len(starts) and starts[following] < place:
                    following += 1
                if following == len(starts):
                    break
                line += data.count(b"\n", place, starts[following])
                place = starts[following]
            end = data.find(b"\n", place)
            end = len(data) if end < 0 else end
            above = data[data.rfind(b"\n", 0, place - 1) + 1 : place - 1] if place > 1 else self._above
            self._look(data[place:end], above[:MAX_LINE], line, self.indexed + place)
            place, line = end + 1, line + 1
        self._inside = not data.endswith(b"\n")
        if not self._inside:
            self._above = data[data.rfind(b"\n", 0, -1) + 1 : -1][:MAX_LINE]
        self.indexed += len(data)
        self.lines += data.count(b"\n")

    def _look(self, raw: bytes, above: bytes, line: int, offset: int) -> None:
        """Look at one line, in front of which there is another."""
        if b"\x1b[36;1m" in raw and _SHOWN_SCRIPT.match(raw[:MAX_LINE]):
            return
        text = plain(raw[: MAX_JSON if b"{" in raw[:100] else MAX_LINE]).decode(self.encoding, "replace").rstrip("\r")
        text = text[text.rfind("\r") + 1 :]
        stripped = prefixes.strip(text)
        if len(self._open) >= MAX_SERVICES and stripped.service not in self._open:
            self._close(next(iter(self._open)))
        if stripped.text[:1] in _LINT_STARTS and len(text) < MAX_MESSAGE and _LINTED.match(stripped.text):
            self._lint(above, line)
        self._go_on(stripped.service, stripped.text, line, offset, harmless=stripped.harmless)

    def _lint(self, above: bytes, line: int) -> None:
        """A line of a linter whose file stands above it, or above the line above."""
        if self._file is None or self._file_line != line - 1:
            name = plain(above).decode(self.encoding, "replace").strip()
            name = prefixes.strip(name).text
            self._file = name if _FILE_LINE.fullmatch(name) else None
        self._file_line = line

    def _go_on(self, service: str, text: str, line: int, offset: int, *, harmless: bool) -> None:
        opened = self._open.get(service)
        if opened is not None:
            part = opened.trace.part(text)
            if part is Part.MAYBE and (
                len(opened.maybe) >= MAX_MAYBE or (text.strip() and beginnings.begin(text) is not None)
            ):
                part = Part.NO
            if part is Part.MAYBE:
                opened.maybe.append((text, harmless, line, offset))
                return
            if part is not Part.NO:
                opened.last, opened.maybe = line, []
                if part is Part.LAST:
                    self._close(service)
                return
            self._close(service)
            if service in self._open:  # one of those that might have belonged to it has begun another
                self._go_on(service, text, line, offset, harmless=harmless)
                return
        trace = recognised(text, harmless=harmless)
        if trace is not None:
            if self._file_line == line and trace.problem.file is None:
                trace.problem.file = self._file
            self._open[service] = _Open(trace, line, line, offset)

    def _close(self, service: str) -> None:
        """A problem has ended: what came behind it, and does not belong to it, is looked at for itself."""
        opened = self._open.pop(service)
        if opened.trace.sure:
            self._keep(opened.kept())
        for text, harmless, line, offset in opened.maybe:
            if text.strip():
                self._go_on(service, text, line, offset, harmless=harmless)

    def _keep(self, kept: Kept) -> None:
        self.counts[kept.level] += 1
        self._size += len(kept.text)
        if len(self.found) >= MAX_KEPT or self._size > MAX_BYTES:
            self.full = True
            return
        self.found.append(kept)

    def all(self) -> tuple[list[Kept], dict[str, int]]:
        """The problems in the order of their lines, as if nothing more came, and how many there are of each level."""
        rest = Problems(self.encoding, _open=copy.deepcopy(self._open))
        while rest._open:
            rest._close(next(iter(rest._open)))
        counts = {level: count + rest.counts[level] for level, count in self.counts.items()}
        return sorted([*self.found, *([] if self.full else rest.found)], key=attrgetter("line")), counts

    @property
    def done(self) -> bool:
        """Whether nothing more would be found in further bytes: all are counted."""
        return False

    @property
    def running(self) -> bool:
        """Whether what is told changes with the time."""
        return False

    def page(
        self,
        first: int,
        last: int,
        *,
        skip: int = 0,
        limit: int = MAX_KEPT,
        level: str = "",
        settled: bool = False,
        clock: Clock,
    ) -> tuple[list[bytes], int | None]:
        """Problems of which a line is in `[first, last]`, in the order of their lines, each as JSON: `limit` at most.

        `level`: only of these, with commas between them. `settled`: only those that further bytes do not change, in the order of `found`. `clock`: when the log's bytes came. `skip`: the first so
        many of the log's problems are not among them. Returns besides what to give as `skip` to get the next ones; None: there are none,
        or, if only those that are settled are asked for, how many those are.
        """
        found: list[bytes] = []
        levels = level.split(",") if level else []
        size, problems = 0, self.found if settled else self.all()[0]
        for place in range(skip, len(problems)):
            kept = problems[place]
            if kept.line > last or kept.last < first or (levels and kept.level not in levels):
                continue
            about = {
                "line": kept.line,
                "last": kept.last,
                "offset": kept.offset,
                "time": timestamp(clock.time_at(kept.offset)),
            }
            text = f"{json.dumps(about)[:-1]}, {kept.text}".encode("utf-8", "replace")
            size += len(text) + len(", ")
            if len(found) == limit or (found and size > MAX_PAGE):
                return found, place
            found.append(text)
        return found, len(problems) if settled else None

    def about(self) -> dict[str, object]:
        """What else is told of them."""
        return {"counts": self.all()[1], "more": self.full}


_LINTED = re.compile(r"\s{0,20}\d{1,7}:\d{1,6}\s{1,9}(?:(?:error|warning|✖|⚠)\s|(?:Error|Warning): )")
_LINT_STARTS = frozenset(" 0123456789")
_FILE_LINE = re.compile(r"(?:[A-Za-z]:)?[\w./\\@+\- ()\[\]]{0,300}[\w\])]\.\w{1,8}|[\w./\\@+\-]{0,200}/[\w.\-]{1,100}")


def _candidates(data: bytes) -> list[int]:
    """Where the lines begin that may tell of a problem; the others do not."""
    small = data.lower()
    starts: set[int] = set()
    for sign in _FEWEST:
        hit = small.find(sign)
        while hit >= 0:
            starts.add(small.rfind(b"\n", 0, hit + 1) + 1)
            end = small.find(b"\n", hit + 1)
            hit = small.find(sign, end) if end >= 0 else -1
    for shape in _SHAPES:
        match = shape.search(small)
        while match is not None:
            starts.add(small.rfind(b"\n", 0, match.start()) + 1)
            end = small.find(b"\n", match.end())
            match = shape.search(small, end) if end >= 0 else None
    if small.startswith((b"e: ", b"w: ")):
        starts.add(0)
    return sorted(starts)


def collection(encoding: str) -> Problems:
    """The problems of a log of which nothing has been looked at yet, whose text has that encoding."""
    return Problems(encoding)
