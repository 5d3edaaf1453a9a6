"""The problems in a log: errors and warnings with their lines, recognised by the log's text. No I/O.

A line belongs to at most one problem. It is recognised, in this order, as the beginning of a problem of several lines (`beginnings`, `traces`), by
the form of a message (`forms`), by its log level (`levels`), or by words that report an error (`failures`). If several services write
one log (`web-1  | `), the prefix of a line says which problem it can continue.

1. The result does not depend on how the log is divided into pieces, if these are whole lines.
2. At most `MAX_KEPT` problems, and `MAX_BYTES` of their JSON, are kept. All problems are counted.
3. The first `MAX_LINE` bytes of a line are examined; if it contains JSON, up to `MAX_JSON`.
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
"""The limit of problems that are kept of one log."""

PIECE = 64 * 1024
"""Bytes scanned at a time. If a line is longer, only its first piece is examined."""

MAX_BYTES = 4 * 1024 * 1024
"""The limit of the JSON of the kept problems, in bytes."""

MAX_PAGE = 4 * 1024 * 1024
"""The limit of the JSON on one page of problems, in bytes, unless a single problem is larger."""

MAX_LINE = 8192
"""Bytes of a line that are examined."""

MAX_SERVICES = 16
"""The limit of problems of several lines that are open at a time, one for each service."""

_SIGNS = (
    *failures.SIGNS, "warn", "wrn", "notice", "deprecat", "not ok", "***", "unstable", "aborted", "killed", "unexpected", "fault",
    "obsolete", "outdated", "abandoned", "will be removed in", "uninitialized value", "(!)", "[!]", "(ww)", "box (", "slf4j(w)", "^-", "(line ", "(style)", "(severity: ", "flag provided", "[-] ", "rake aborted", ".go:", "): ", "##vso[", " e ", " f ", " w ", "\ne: ", " e: ", "\nw: ", " w: ", "e   ", "** (", ":in ",
    "✖", "✗", "✘", "✕", "\u00d7", "❌", "●", "⚠",
)  # fmt: skip
_FEWEST = tuple(
    sign.encode() for sign in dict.fromkeys(_SIGNS) if not any(other in sign and other != sign for other in _SIGNS)
)
"""Each line that can report a problem contains one of these texts, in lower case, or matches one of `_SHAPES`."""

_SHAPES = (re.compile(rb":\d{1,7}: "), re.compile(rb"[ef](?:\d{4} \d\d:|/\w)|w(?:\d{4} \d\d:|/\w{1,60}\()"))

_SHOWN_SCRIPT = re.compile(rb"(?:\xef\xbb\xbf)?(?:[0-9-]{10}T[0-9:.]{8,18}Z )?\x1b\[36;1m.*\x1b\[0m\s*$", re.DOTALL)
"""A line of a step's script, which GitHub prints before the output of the script. It is not output."""


class Kept(NamedTuple):
    """A problem: the numbers of its first and its last line, the offset of its first byte, its level, and its other members as JSON."""

    line: int
    last: int
    offset: int
    level: str
    text: str


@dataclass(slots=True)
class _Open:
    """A problem that may have more lines. `line`, `offset`: its first line; `last`: the number of the last line that belongs to it.

    `maybe`: the lines behind that may belong to it: text, whether their level is harmless, number and offset.
    """

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
    """The problems in the first `indexed` bytes of a log, which contain `lines` newlines. It is a `collecting.Collection`."""

    encoding: str = UTF_8
    indexed: int = 0
    lines: int = 0
    found: list[Kept] = field(default_factory=list)
    """The problems that further bytes do not change, in the order in which they were completed."""
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0))
    full: bool = False
    """Whether the log has more problems than are kept."""
    _size: int = 0
    _open: dict[str, _Open] = field(default_factory=dict)
    _inside: bool = False  # whether the next bytes continue a line
    _above: bytes = b""  # the line before the next one
    _file: str | None = None  # the file that the present lines of a linter report on
    _file_line: int = 0

    def take(self, data: bytes) -> None:
        """Scan the next bytes: whole lines, or a part of a long one."""
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
        """Examine one line. `above`: the line before it; `line`, `offset`: its number, and the offset of its first byte."""
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
        """Remember the file of a linter's line: it is named in the line above the first of such lines."""
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
            if service in self._open:  # one of the lines in `maybe` has begun another problem
                self._go_on(service, text, line, offset, harmless=harmless)
                return
        trace = recognised(text, harmless=harmless)
        if trace is not None:
            if self._file_line == line and trace.problem.file is None:
                trace.problem.file = self._file
            self._open[service] = _Open(trace, line, line, offset)

    def _close(self, service: str) -> None:
        """End the open problem of a service. The lines that might have belonged to it are examined by themselves."""
        opened = self._open.pop(service)
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
        """The problems in the order of their lines, as if the log ended here, and the number of problems of each level."""
        rest = Problems(self.encoding, _open=copy.deepcopy(self._open))
        while rest._open:
            rest._close(next(iter(rest._open)))
        counts = {level: count + rest.counts[level] for level, count in self.counts.items()}
        return sorted([*self.found, *([] if self.full else rest.found)], key=attrgetter("line")), counts

    @property
    def done(self) -> bool:
        """Whether further bytes would change nothing. They always may: all problems are counted."""
        return False

    @property
    def running(self) -> bool:
        """Whether pages change with the time. They do not."""
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
        """The problems that have a line in `[first, last]`, in the order of their lines, as JSON, and the `skip` of the next page or None.

        `skip`: the number of the log's problems on the pages before. `limit`: the limit of problems on this page. `level`: only problems of
        these levels, separated by commas; empty: all. `clock`: the arrival times of the log's bytes. `settled`: only problems that further bytes
        do not change, in the order of `found`; the next `skip` is then never None, since more of them may follow.
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
        """The other members of a page."""
        return {"counts": self.all()[1], "more": self.full}


_LINTED = re.compile(r"\s{0,20}\d{1,7}:\d{1,6}\s{1,9}(?:(?:error|warning|✖|⚠)\s|(?:Error|Warning): )")
_LINT_STARTS = frozenset(" 0123456789")
_FILE_LINE = re.compile(r"(?:[A-Za-z]:)?[\w./\\@+\- ()\[\]]{0,300}[\w\])]\.\w{1,8}|[\w./\\@+\-]{0,200}/[\w.\-]{1,100}")


def _candidates(data: bytes) -> list[int]:
    """The positions in `data` of the lines that may report a problem, in order. The other lines report none."""
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
    """A new collection, for a log of which nothing has been scanned. `encoding`: Python's name of the log's encoding."""
    return Problems(encoding)
