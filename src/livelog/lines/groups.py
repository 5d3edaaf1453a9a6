r"""Groups of lines that a log's producer has marked, so that a viewer can fold them. No I/O.

    ::group::TITLE … ::endgroup::     GitHub Actions, also ##[group] … ##[endgroup]
    ##[section]Starting: TITLE … ##[section]Finishing: TITLE     Azure Pipelines; in its logs ##[group] is Azure's, too
    section_start:TIME:NAME[collapsed=true]\r\x1b[0KTITLE … section_end:TIME:NAME\r\x1b[0K     GitLab
    --- TITLE, +++ TITLE, ~~~ TITLE     Buildkite, in logs that have shown to be its

Refuses to guess: a group that nobody ends has no end. Groups of GitHub do not lie in one another: the next one ends the one
before; so it is with Buildkite's. Sections of GitLab and of Azure do; the end of one ends those in it. GitLab writes no newline behind an
end: the title of the next section, or the job's last words, stand in the same line, which is therefore none of the section that ends
there. A log is Buildkite's from the first line on that has its mark of the time (`_bk;t=`), or begins with `~~~ ` and what Buildkite's agent does.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from livelog.times import timestamp

from .collecting import Clock
from .sgr import plain

MAX_GROUPS = 10_000
"""Groups that are kept of one log."""

MAX_TITLE = 200
"""Characters of a title."""

MAX_PAGE = 4 * 1024 * 1024
"""Bytes of JSON on a page of groups, unless one group alone is more."""

PIECE = 1024 * 1024
"""Bytes in which groups are looked for in one go. Of a line that is longer, each piece is looked at by itself."""

_WORDS = (
    b"group]",
    b"group::",
    b"##[section]",
    b"section_start:",
    b"section_end:",
    b"--- ",
    b"+++ ",
    b"~~~ ",
    b"^^^ +++",
)
"""What each mark has one of."""

# Whoever writes a log chooses what these are held against. Each part ends in front of what the next one begins with, and
# keeps what it has taken (`++`), so that no byte is looked at more than a few times.
_GITHUB = re.compile(
    rb"(?:[0-9-]{10}T[0-9:.]{8,18}+Z )?+(?:\x1b\[[0-9;]*+m)*+(?:##\[(end)?group\]|::(end)?group::)(.*+)", re.DOTALL
)
_AZURE = re.compile(
    rb"(?:[0-9-]{10}T[0-9:.]{8,18}+Z )?+(?:\x1b\[[0-9;]*+m)*+##\[section\](?:Starting|(Finishing)): ?(.*+)", re.DOTALL
)
_BUILDKITE = re.compile(
    rb"((?:\x1b_bk;t=[0-9]{1,15}+\x07)++)?+(?:\x1b\[[0-9;]*+m)*+(?:(---|\+\+\+|~~~) ([^\r\n]*+)|\^\^\^ \+\+\+\s{0,9}+$)",
    re.DOTALL,
)
_AGENT = re.compile(
    rb"(?:Running |Preparing |Setting up |Checking out |Cleaning up |Authenticating |Loading |Uploading artifacts|:)"
)
"""What titles begin with that Buildkite's agent gives to its own groups."""

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
    places: tuple[int, int | None]
    """The offsets of the marks of its begin and its end."""
    times: tuple[int, int] | None = None
    """When it began and ended, in seconds since the epoch, if the marks tell that."""


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
    offset: int = 0
    shows: bool = False
    """Whether it shows whose log it is."""


def marks(data: bytes, line: int, offset: int = 0) -> list[Mark]:
    """The marks in whole lines, of which the first has that number, and its first byte that offset."""
    found: list[Mark] = []
    place, hits = 0, [data.find(word) for word in _WORDS]
    while (hit := min((hit for hit in hits if hit >= 0), default=-1)) >= 0:
        start = data.rfind(b"\n", 0, hit) + 1
        line += data.count(b"\n", place, start)
        end = data.find(b"\n", hit)
        place = len(data) if end < 0 else end
        found += _marks(data[start:place], line, offset + start)
        hits = [data.find(word, place) if 0 <= hit < place else hit for word, hit in zip(_WORDS, hits, strict=True)]
    return found


def _marks(raw: bytes, line: int, offset: int) -> list[Mark]:
    """The marks in one line."""
    if (match := _GITHUB.match(raw)) is not None:
        ends = match[1] is not None or match[2] is not None
        return [Mark(line, not ends, "github", "" if ends else _title(match[3]), offset=offset)]
    if (match := _AZURE.match(raw)) is not None:
        title = _title(match[2])
        return [Mark(line, match[1] is None, "azure", title, name=f"section {title}", offset=offset, shows=True)]
    if (match := _BUILDKITE.match(raw)) is not None:
        title = _title(match[3] or b"")
        shows = match[1] is not None or (match[2] == b"~~~" and _AGENT.match(match[3]) is not None)
        return [
            Mark(
                line,
                bool(title),
                "buildkite",
                title,
                collapsed=match[2] in (b"---", b"~~~"),
                offset=offset,
                shows=shows,
            )
        ]
    found: list[Mark] = []
    shown = False
    for match in reversed([*_GITLAB.finditer(raw)]):
        behind = _GITLAB_TITLE_END.search(raw, match.end())
        begins, title = match[1] is not None, _title(raw[match.end() : behind.start() if behind else len(raw)])
        shown |= title != ""
        collapsed = b"collapsed=true" in (match[4] or b"")
        last = line if begins or not shown else line - 1
        found.append(
            Mark(
                last,
                begins,
                "gitlab",
                title,
                match[3].decode("ascii"),
                int(match[2]),
                collapsed,
                offset + match.start(),
            )
        )
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
    _shown: set[str] = field(default_factory=set)
    """Whose log it is, as marks have shown."""

    @property
    def done(self) -> bool:
        """Whether nothing more would be found in further bytes."""
        return self.full

    @property
    def running(self) -> bool:
        """Whether a group is open, so that what is told of it changes with the time."""
        return bool(self._open)

    def take(self, data: bytes) -> None:
        """Look at so many more bytes: whole lines, or a part of one."""
        found = marks(data, self.lines + 1, self.indexed)
        self.indexed += len(data)
        self.lines += data.count(b"\n")
        for mark in found:
            if mark.shows:
                self._shown.add(mark.kind)
            self._add(mark)

    def _add(self, mark: Mark) -> None:
        if mark.kind == "buildkite":
            if "buildkite" not in self._shown:
                return
            if not mark.begins:  # `^^^ +++`: the group that it stands in shall not be folded
                if self._open and self._open[-1][0].kind == "buildkite":
                    self._open[-1][0].collapsed = False
                return
        if mark.name:
            if not mark.begins and (levels := self._levels.get(mark.name)):
                self._close(levels[-1], mark, mark.line)
        elif self._open and not self._open[-1][1].name:
            self._close(len(self._open) - 1, mark, mark.line - mark.begins)
        if mark.begins:
            self._begin(mark)

    def _begin(self, mark: Mark) -> None:
        if len(self.found) == MAX_GROUPS:
            self.full = True
            return
        kind = "azure" if mark.kind == "github" and "azure" in self._shown else mark.kind
        group = Group(
            mark.line, None, mark.title or mark.name, len(self._open), mark.collapsed, kind, (mark.offset, None)
        )
        self.found.append(group)
        self._levels.setdefault(mark.name, []).append(len(self._open))
        self._open.append((group, mark))

    def _close(self, level: int, mark: Mark, line: int) -> None:
        """End the open group of that level, and those in it."""
        while len(self._open) > level:
            group, opened = self._open.pop()
            self._levels[opened.name].pop()
            group.end = max(group.start, line)
            group.places = group.places[0], mark.offset
            if opened.time and opened.name == mark.name:
                group.times = opened.time, max(opened.time, mark.time)

    def page(
        self,
        first: int,
        last: int,
        *,
        skip: int = 0,
        limit: int = MAX_GROUPS,
        level: str = "",
        settled: bool = False,
        clock: Clock,
    ) -> tuple[list[bytes], int | None]:
        """Groups of which a line is in `[first, last]`, in the order in which they begin, each as JSON: `limit` at most.

        `clock`: when the log's bytes came. `skip`: the first so many of the log's groups are not among them. Returns besides what to give as `skip` to get the
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
            text = json.dumps(_told(group, clock), ensure_ascii=False).encode()
            size += len(text) + len(", ")
            if len(found) == limit or (found and size > MAX_PAGE):
                return found, place
            found.append(text)
        return found, None

    def about(self) -> dict[str, object]:
        """What else is told of them."""
        return {"more": self.full}


def _told(group: Group, clock: Clock) -> dict[str, Any]:
    """A group as it is told. What it took: by its marks, else by when these came; of one that is open: until now."""
    began, ended = (None, None) if group.times is None else (1000 * group.times[0], 1000 * group.times[1])
    if began is None:
        began = clock.time_at(group.places[0])
        ended = None if group.places[1] is None else clock.time_at(group.places[1])
    seconds = max(0, (clock.now if ended is None else ended) - began) / 1000
    return {
        "start": group.start, "end": group.end, "title": group.title, "level": group.level, "collapsed": group.collapsed,
        "kind": group.kind, "began": timestamp(began), "ended": None if ended is None else timestamp(ended), "seconds": seconds,
    }  # fmt: skip


def collection(_encoding: str) -> Groups:
    """The groups of a log of which nothing has been looked at yet, whose text has that encoding."""
    return Groups()
