r"""Groups of lines that CI systems mark in a log, so that a viewer can fold them. No I/O.

    ::group::TITLE … ::endgroup::     GitHub Actions, also ##[group] … ##[endgroup]
    ##[section]Starting: TITLE … ##[section]Finishing: TITLE     Azure Pipelines; in its logs ##[group] is Azure's, too
    section_start:TIME:NAME[collapsed=true]\r\x1b[0KTITLE … section_end:TIME:NAME\r\x1b[0K     GitLab
    travis_fold:start:NAME\r\x1b[0KTITLE … travis_fold:end:NAME\r\x1b[0K     Travis
    --- TITLE, +++ TITLE, ~~~ TITLE     Buildkite, only if the log has shown that it comes from Buildkite

1. A group without an end mark stays open: no end is guessed.
2. Groups of GitHub and Buildkite do not nest: a new group ends the previous one. Sections of GitLab and Azure and folds of Travis nest: the end of a section
   ends all sections inside.
3. GitLab and Travis write no newline after an end mark, so the next title, or the last output of the job, may follow in the same line. Such a
   line does not belong to the section that ends in it.
4. A log counts as Buildkite's from the first line with Buildkite's time mark (`_bk;t=`), or with `~~~ ` and a title of Buildkite's agent.
5. If both marks of a group have times, in them or in front of them, these are the group's times: a log may be sent long after it was written.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from livelog.times import timestamp

from .collecting import Clock
from .sgr import plain

MAX_GROUPS = 10_000
"""The limit of groups that are kept of one log."""

MAX_TITLE = 200
"""The limit of a title, in characters. Longer titles are truncated."""

MAX_PAGE = 4 * 1024 * 1024
"""The limit of the JSON on one page of groups, in bytes, unless a single group is larger."""

PIECE = 1024 * 1024
"""Bytes scanned at a time. If a line is longer, each piece of it is scanned like a line."""

_WORDS = (
    b"group]",
    b"group::",
    b"##[section]",
    b"section_start:",
    b"section_end:",
    b"travis_",
    b"--- ",
    b"+++ ",
    b"~~~ ",
    b"^^^ +++",
)
"""Each mark contains at least one of these texts."""

# These patterns run over bytes that a stranger has chosen. Each part is possessive (`++`) and cannot match what the next part
# begins with, so there is no backtracking, and the time is linear.
_BEFORE = rb"(?:[^\t\n]{1,120}+\t[^\t\n]{1,120}+\t)?+(?:\xef\xbb\xbf)?+(?:(?P<time>[0-9-]{10}T[0-9:.]{8,18}+)Z )?+(?:\x1b\[[0-9;]*+m)*+"
"""What may be in front of a mark of GitHub or Azure: the names of the job and the step (`gh run view --log`), a time, colours."""

_GITHUB = re.compile(_BEFORE + rb"(?:##\[(?P<end>end)?group\]|::(?P<ends>end)?group::)(?P<title>.*+)", re.DOTALL)
_AZURE = re.compile(_BEFORE + rb"##\[section\](?:Starting|(?P<end>Finishing)): ?(?P<title>.*+)", re.DOTALL)
_BUILDKITE = re.compile(
    rb"(?:(?:\x1b_bk;t=([0-9]{1,15}+)\x07)++)?+(?:\x1b\[[0-9;?]{0,9}+[A-Za-z])*+(?:(---|\+\+\+|~~~) ([^\r\n]*+)|\^\^\^ \+\+\+\s{0,9}+$)",
    re.DOTALL,
)
_AGENT = re.compile(
    rb"(?:Running |Preparing |Setting up |Checking out |Cleaning up |Authenticating |Loading |Uploading artifacts|:)"
)
"""The first words of the titles that Buildkite's agent gives to its own groups."""

_GITLAB = re.compile(
    rb"section_(?:(start)|end):([0-9]{1,12}+):([A-Za-z0-9._-]{1,200}+)(?:\[([^\[\]\r]{0,200}+)\])?\r\x1b\[0K"
)
_TRAVIS = re.compile(
    rb"travis_(?:fold:(?:(?P<start>start)|end):(?P<name>[A-Za-z0-9._-]{1,200}+)|time:end:[0-9a-f]{1,20}+:start=(?P<from>[0-9]{1,19}+),finish=(?P<to>[0-9]{1,19}+)[^\r\n]{0,200}+)"
    rb"(?:\r\x1b\[0K|\r?+$)"
)
_TRAVIS_TIME = re.compile(rb"travis_time:start:[0-9a-f]{1,20}+(?:\r\x1b\[0K|$)")
_NAMED_TITLE_END = re.compile(rb"section_(?:start|end):[0-9]|travis_(?:fold|time):[se]")


@dataclass(slots=True)
class Group:
    """One group: the lines from `start` to `end`, both inclusive and counted from 1. `end` is None while the group is open.

    `level`: the number of groups around it. `collapsed`: whether a viewer shows it folded at first. `kind`: the CI system, in lower case.
    """

    start: int
    end: int | None
    title: str
    level: int
    collapsed: bool
    kind: str
    places: tuple[int, int | None]
    """The offsets of its start mark and its end mark, in bytes."""
    times: tuple[int, int] | None = None
    """When it began and ended, in milliseconds since the epoch, if both marks have times."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark of a start (`begins`) or an end. `line`: the number of the group's first or last line.

    `name`: the name that pairs starts and ends of GitLab, Azure and Travis; empty: groups of this kind do not nest. `time`: the time of the mark in
    the log, in milliseconds since the epoch; 0: it has none. `offset`: the offset of the mark, in bytes. `spent`: when a command of Travis began and
    ended, instead of a mark.
    """

    line: int
    begins: bool
    kind: str
    title: str = ""
    name: str = ""
    time: int = 0
    collapsed: bool = False
    offset: int = 0
    spent: tuple[int, int] | None = None
    shows: bool = False
    """Whether this mark proves which CI system has written the log."""


def marks(data: bytes, line: int, offset: int = 0) -> list[Mark]:
    """The marks in `data`, which are whole lines. `line`, `offset`: the number of the first line, and the offset of its first byte."""
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
        ends = match["end"] is not None or match["ends"] is not None
        return [
            Mark(line, not ends, "github", "" if ends else _title(match["title"]), time=_time(match), offset=offset)
        ]
    if (match := _AZURE.match(raw)) is not None:
        title, begins = _title(match["title"]), match["end"] is None
        return [Mark(line, begins, "azure", title, f"section {title}", time=_time(match), offset=offset, shows=True)]
    if (match := _BUILDKITE.match(raw)) is not None:
        title = _title(match[3] or b"")
        shows = match[1] is not None or (match[2] == b"~~~" and _AGENT.match(match[3]) is not None)
        return [
            Mark(
                line,
                bool(title),
                "buildkite",
                title,
                time=int(match[1] or 0),
                collapsed=match[2] in (b"---", b"~~~"),
                offset=offset,
                shows=shows,
            )
        ]
    return _travis(raw, line, offset) if b"travis_" in raw else _gitlab(raw, line, offset)


def _gitlab(raw: bytes, line: int, offset: int) -> list[Mark]:
    found: list[Mark] = []
    shown = False
    for match in reversed([*_GITLAB.finditer(raw)]):
        begins, title = match[1] is not None, _title_behind(raw, match.end())
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
                1000 * int(match[2]),
                collapsed,
                offset + match.start(),
            )
        )
        shown |= begins
    return found[::-1]


def _travis(raw: bytes, line: int, offset: int) -> list[Mark]:
    found: list[Mark] = []
    shown = False
    raw = raw.removesuffix(b"\n")
    for match in reversed([*_TRAVIS.finditer(raw)]):
        begins, behind = match["start"] is not None, _TRAVIS_TIME.match(raw, match.end())
        title = _title_behind(raw, behind.end() if behind else match.end())
        shown |= title != ""
        if match["to"] is not None:
            spent = int(match["from"]) // 1_000_000, int(match["to"]) // 1_000_000
            found.append(Mark(line, False, "travis", spent=spent))
            continue
        last = line if begins or not shown else line - 1
        name = match["name"].decode("ascii")
        found.append(Mark(last, begins, "travis", title, name, collapsed=begins, offset=offset + match.start()))
        shown |= begins
    return found[::-1]


def _title_behind(raw: bytes, place: int) -> str:
    """The text behind a mark, up to the next one."""
    behind = _NAMED_TITLE_END.search(raw, place)
    return _title(raw[place : behind.start() if behind else len(raw)])


def _time(match: re.Match[bytes]) -> int:
    """The time in front of a mark, in milliseconds since the epoch; 0: there is none."""
    try:
        return int(1000 * datetime.fromisoformat((match["time"] or b"").decode("ascii") + "+00:00").timestamp())
    except ValueError:
        return 0


def _title(raw: bytes) -> str:
    return plain(raw).decode("utf-8", "replace").replace("\r", "").strip()[:MAX_TITLE]


@dataclass(slots=True)
class Groups:
    """The groups in the first `indexed` bytes of a log, which contain `lines` newlines. It is a `collecting.Collection`."""

    indexed: int = 0
    lines: int = 0
    found: list[Group] = field(default_factory=list)
    """The groups in the order in which they begin."""
    full: bool = False
    """Whether the log has more than `MAX_GROUPS` groups."""
    _open: list[tuple[Group, Mark]] = field(default_factory=list)
    _levels: dict[str, list[int]] = field(default_factory=dict)
    """The positions in `_open` of the groups of each name, the innermost last."""
    _shown: set[str] = field(default_factory=set)
    """The kinds of CI systems whose marks have proved that they wrote the log."""

    @property
    def done(self) -> bool:
        """Whether further bytes would change nothing."""
        return self.full

    @property
    def running(self) -> bool:
        """Whether a group is open. The duration of an open group grows with time."""
        return bool(self._open)

    def take(self, data: bytes) -> None:
        """Scan the next bytes: whole lines, or a part of a long one."""
        found = marks(data, self.lines + 1, self.indexed)
        self.indexed += len(data)
        self.lines += data.count(b"\n")
        for mark in found:
            if mark.shows:
                self._shown.add(mark.kind)
            if mark.spent is not None:
                self._spend(mark.spent)
            else:
                self._add(mark)

    def _spend(self, spent: tuple[int, int]) -> None:
        """A command of Travis has ended: its time is part of that of the fold around it."""
        if self._open and self._open[-1][0].kind == "travis":
            group = self._open[-1][0]
            group.times = group.times[0] if group.times else spent[0], spent[1]

    def _add(self, mark: Mark) -> None:
        if mark.kind == "buildkite":
            if "buildkite" not in self._shown:
                return
            if not mark.begins:  # `^^^ +++` asks that the group around it be shown unfolded
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
        """End the open group at `level`, and all groups inside it. `line`: their last line."""
        while len(self._open) > level:
            group, opened = self._open.pop()
            self._levels[opened.name].pop()
            group.end = max(group.start, line)
            group.places = group.places[0], mark.offset
            if opened.time and mark.time and opened.name in ("", mark.name):
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
        """The groups that have a line in `[first, last]`, in the order in which they begin, as JSON, and the `skip` of the next page or None.

        `skip`: the number of the log's groups on the pages before. `limit`: the limit of groups on this page. `level` and `settled` are ignored.
        `clock`: the arrival times of the log's bytes, and the present time.
        """
        found: list[bytes] = []
        size = 0
        for place in range(skip, len(self.found)):
            group = self.found[place]
            if group.start > last:
                break  # they begin in the order of their lines
            if group.end is not None and group.end < first:
                continue
            text = json.dumps(_document(group, clock), ensure_ascii=False).encode()
            size += len(text) + len(", ")
            if len(found) == limit or (found and size > MAX_PAGE):
                return found, place
            found.append(text)
        return found, None

    def about(self) -> dict[str, object]:
        """The other members of a page."""
        return {"more": self.full}


def _document(group: Group, clock: Clock) -> dict[str, Any]:
    """A group as JSON. Its times are those of its marks in the log, or else the arrival times of the marks. An open group has taken until now."""
    began, ended = group.times if group.times is not None and group.end is not None else (None, None)
    if began is None:
        began = clock.time_at(group.places[0])
        ended = None if group.places[1] is None else clock.time_at(group.places[1])
    seconds = max(0, (clock.now if ended is None else ended) - began) / 1000
    return {
        "start": group.start, "end": group.end, "title": group.title, "level": group.level, "collapsed": group.collapsed,
        "kind": group.kind, "began": timestamp(began), "ended": None if ended is None else timestamp(ended), "seconds": seconds,
    }  # fmt: skip


def collection(_encoding: str) -> Groups:
    """A new collection, for a log of which nothing has been scanned. Marks are ASCII, so the encoding does not matter."""
    return Groups()
