r"""Groups of lines that a log's producer has marked, so that a viewer can fold them. No I/O.

    ::group::TITLE … ::endgroup::     GitHub Actions, also ##[group] … ##[endgroup], as Azure Pipelines has them
    section_start:TIME:NAME[collapsed=true]\r\x1b[0KTITLE … section_end:TIME:NAME\r\x1b[0K     GitLab

Refuses to guess: a group that nobody ends has no end. Groups of GitHub do not lie in one another: the next one ends the one
before. Sections of GitLab do; the end of one ends those in it. GitLab writes no newline behind an end: the title of the next
section, or the job's last words, stand in the same line, which is therefore none of the section that ends there.
"""

import json
import re
from dataclasses import asdict, dataclass, field

from .sgr import plain

MAX_GROUPS = 10_000
"""Groups that are kept of one log."""

MAX_TITLE = 200
"""Characters of a title."""

MAX_PAGE = 4 * 1024 * 1024
"""Bytes of JSON on a page of groups, unless one group alone is more."""

_WORDS = (b"group]", b"group::", b"section_start:", b"section_end:")
"""What each mark has one of."""

# Whoever writes a log chooses what these are held against. Each part ends in front of what the next one begins with, and
# keeps what it has taken (`++`), so that no byte is looked at more than a few times.
_GITHUB = re.compile(
    rb"(?:[0-9-]{10}T[0-9:.]{8,18}+Z )?+(?:\x1b\[[0-9;]*+m)*+(?:##\[(end)?group\]|::(end)?group::)(.*+)", re.DOTALL
)
_GITLAB = re.compile(
    rb"section_(?:(start)|end):([0-9]{1,12}+):([A-Za-z0-9._-]{1,200}+)(?:\[([^\[\]\r]{0,200}+)\])?\r\x1b\[0K"
)
_GITLAB_TITLE_END = re.compile(rb"section_(?:start|end):[0-9]")


@dataclass(slots=True)
class Group:
    """Lines `start` to `end` (both included), which is None while nobody has ended it; `level`: in how many others it is."""

    start: int
    end: int | None
    title: str
    level: int
    collapsed: bool
    kind: str
    seconds: int | None = None
    """What it took, if the marks tell times."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The beginning of a group, or an end; `line`: the group's first, or its last. `name` and `time` are GitLab's."""

    line: int
    begins: bool
    kind: str
    title: str = ""
    name: str = ""
    time: int = 0
    collapsed: bool = False


def marks(data: bytes, line: int) -> list[Mark]:
    """The marks in whole lines, of which the first has that number."""
    found: list[Mark] = []
    place, hits = 0, [data.find(word) for word in _WORDS]
    while (hit := min((hit for hit in hits if hit >= 0), default=-1)) >= 0:
        start = data.rfind(b"\n", 0, hit) + 1
        line += data.count(b"\n", place, start)
        end = data.find(b"\n", hit)
        place = len(data) if end < 0 else end
        found += _marks(data[start:place], line)
        hits = [data.find(word, place) if 0 <= hit < place else hit for word, hit in zip(_WORDS, hits, strict=True)]
    return found


def _marks(raw: bytes, line: int) -> list[Mark]:
    """The marks in one line."""
    if (match := _GITHUB.match(raw)) is not None:
        ends = match[1] is not None or match[2] is not None
        return [Mark(line, not ends, "github", "" if ends else _title(match[3]))]
    found: list[Mark] = []
    shown = False
    for match in reversed([*_GITLAB.finditer(raw)]):
        behind = _GITLAB_TITLE_END.search(raw, match.end())
        begins, title = match[1] is not None, _title(raw[match.end() : behind.start() if behind else len(raw)])
        shown |= title != ""
        collapsed = b"collapsed=true" in (match[4] or b"")
        last = line if begins or not shown else line - 1
        found.append(Mark(last, begins, "gitlab", title, match[3].decode("ascii"), int(match[2]), collapsed))
        shown |= begins
    return found[::-1]


def _title(raw: bytes) -> str:
    return plain(raw).decode("utf-8", "replace").replace("\r", "").strip()[:MAX_TITLE]


@dataclass(slots=True)
class Groups:
    """The groups in the first `indexed` bytes of a log, which have so many `lines`."""

    indexed: int = 0
    lines: int = 0
    found: list[Group] = field(default_factory=list)
    full: bool = False
    """Whether there are more than are kept."""
    _open: list[tuple[Group, Mark]] = field(default_factory=list)
    _levels: dict[str, list[int]] = field(default_factory=dict)
    """Where in `_open` the groups of a name are, the innermost last."""

    def add(self, size: int, lines: int, marks: list[Mark]) -> None:
        """So many more bytes have been looked at, which are so many lines, in which there are these marks."""
        self.indexed += size
        self.lines += lines
        for mark in marks:
            if mark.kind == "github":
                if self._open and self._open[-1][1].kind == "github":
                    self._close(len(self._open) - 1, mark, mark.line - mark.begins)
            elif not mark.begins and (levels := self._levels.get(mark.name)):
                self._close(levels[-1], mark, mark.line)
            if mark.begins:
                self._begin(mark)

    def _begin(self, mark: Mark) -> None:
        if len(self.found) == MAX_GROUPS:
            self.full = True
            return
        title = mark.title or mark.name
        group = Group(mark.line, None, title, len(self._open), mark.collapsed, mark.kind)
        self.found.append(group)
        self._levels.setdefault(mark.name, []).append(len(self._open))
        self._open.append((group, mark))

    def _close(self, level: int, mark: Mark, line: int) -> None:
        """End the open group of that level, and those in it."""
        while len(self._open) > level:
            group, opened = self._open.pop()
            self._levels[opened.name].pop()
            group.end = max(group.start, line)
            if opened.name and opened.name == mark.name:
                group.seconds = max(0, mark.time - opened.time)

    def page(self, first: int, last: int, *, skip: int = 0, limit: int = MAX_GROUPS) -> tuple[list[bytes], int | None]:
        """Groups of which a line is in `[first, last]`, in the order in which they begin, each as JSON: `limit` at most.

        `skip`: the first so many of the log's groups are not among them. Returns besides what to give as `skip` to get the
        next ones; None: there are none.
        """
        found: list[bytes] = []
        size = 0
        for place in range(skip, len(self.found)):
            group = self.found[place]
            if group.start > last:
                break  # they begin in the order of their lines
            if group.end is not None and group.end < first:
                continue
            text = json.dumps(asdict(group), ensure_ascii=False).encode()
            size += len(text) + len(", ")
            if len(found) == limit or (found and size > MAX_PAGE):
                return found, place
            found.append(text)
        return found, None
