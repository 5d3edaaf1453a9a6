"""Searches that the server makes: only matching lines are transferred.

If the connection breaks, the search continues at the last line that was received. Each line is returned once.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypedDict
from urllib.parse import urlencode

from livelog.client.transport.stream import Stream, document
from livelog.errors import LogReplaced, Refused

PAGE = 10_000
"""The limit of lines in one answer of the server."""


REPLACED = "the log was replaced by another one while it was searched"


class SearchOptions(TypedDict, total=False):
    """Options of a search. By default it looks for a literal text, ignores case, and goes from the beginning of the log to its end."""

    regex: bool
    """The pattern is a regular expression of Python's `re`, instead of a literal text."""
    case: bool
    """Upper and lower case differ."""
    invert: bool
    """Return the lines that do not match."""
    context: int
    """Lines of context before and after each match, at most 1000."""
    before: int
    """Lines of context before each match, instead of `context`."""
    after: int
    """Lines of context after each match, instead of `context`."""
    since: datetime | None
    """Only lines that arrived at this time or later. A time without a zone is local."""
    until: datetime | None
    """Only lines that arrived before this time."""
    backwards: bool
    """Search from the end of the log to its beginning."""
    follow: bool
    """Continue with new lines until the log ends."""
    limit: int | None
    """The limit of matching lines; None: no limit."""


class Hit(NamedTuple):
    """A line with a match, or a line of context."""

    line: int | None
    """Its number, counted from 1; None: unknown."""
    start: int
    """The offset of its first byte in the log."""
    text: str
    """Its text, without the newline, with its escape sequences."""
    time: datetime | None
    """When it arrived, in UTC; None: the server does not report it."""
    offset: int
    """The offset in the log of the first match in this line; equal to `start`, if there is none."""
    length: int
    """The length of that match in bytes; 0: there is none."""
    context: bool
    """Whether this is a line of context."""
    cut: bool
    """Whether `text` is truncated: the line is longer."""
    name: str
    """The name of its log, if several logs are searched; else empty."""


class Query(NamedTuple):
    """What is searched for: the words of `/search` in docs/protocol/readers.md. `start`: `from`. `limit`: lines, at most; None: all."""

    text: str
    regex: bool = False
    case: bool = False
    invert: bool = False
    before: int = 0
    after: int = 0
    since: str = ""
    until: str = ""
    backwards: bool = False
    follow: bool = False
    start: int | None = None
    limit: int | None = None
    wait: int = 0
    generation: str = ""

    def encoded(self, start: int | None, limit: int | None) -> str:
        """The query of a request for at most `limit` lines from `start` on."""
        most = PAGE if limit is None else min(limit, PAGE)
        asked: dict[str, object] = {
            "q": self.text,
            "lines": 1,
            "dir": "back" if self.backwards else "forward",
            "numbers": 1,
        }
        asked |= {name: 1 for name in ("regex", "case", "invert", "follow") if getattr(self, name)}
        asked |= {
            name: value for name in ("before", "after", "since", "until", "wait") if (value := getattr(self, name))
        }
        asked |= {} if start is None else {"from": start}
        asked |= {"generation": self.generation} if self.generation else {}
        return "?" + urlencode(asked if self.follow and limit is None else asked | {"limit": most})


def query_of(
    pattern: str,
    *,
    regex: bool = False,
    case: bool = False,
    invert: bool = False,
    context: int = 0,
    before: int | None = None,
    after: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    backwards: bool = False,
    follow: bool = False,
    limit: int | None = None,
) -> Query:
    """The query of a search with these `SearchOptions`. Raises: ValueError."""
    if follow and backwards:
        raise ValueError("a search that follows a log goes forwards")
    if not pattern:
        raise ValueError("an empty pattern is in every line")
    if min(context, before or 0, after or 0, limit or 0) < 0:
        raise ValueError("context, before, after and limit are numbers of lines: 0 or more")
    return Query(
        pattern, regex=regex, case=case, invert=invert,
        before=context if before is None else before, after=context if after is None else after,
        since=rfc3339(since), until=rfc3339(until), backwards=backwards, follow=follow, limit=limit,
    )  # fmt: skip


def search(stream: Stream, query: Query, generation: str = "") -> Iterator[Hit]:
    """The lines that `query` finds, by `stream`, whose URL is that of a `/search`. Raises: Refused, GaveUp, LogReplaced.

    `generation`: the log that is meant; empty: whichever there is.
    """
    return Search(stream, query, generation).hits()


class Search:
    """One search, over as many answers as it takes; see `search`. `start`: where the next one is to begin; `found`: lines that match so far."""

    def __init__(self, stream: Stream, query: Query, generation: str) -> None:
        self._stream, self._query, self._generation = stream, query, generation
        self._start, self._found, self._last = query.start, 0, -1
        self.state = ""
        """Of the log, when a search that followed it has ended."""

    def pin(self, generation: str) -> None:
        """Search the log that is that generation, also when another one of its name has begun."""
        self._query, self._generation = self._query._replace(generation=generation), generation

    def hits(self) -> Iterator[Hit]:
        """See `search`."""
        more = True
        while more and self._left != 0:
            more = False
            for line in self._lines():
                found = document(line)
                self._generation = _same(self._generation, self._stream)
                if "start" in found:
                    hit = _hit(found)
                    if self._is_new(hit):
                        yield hit
                elif "error" in found:
                    raise Refused(str(found["error"]))
                elif found.get("done"):
                    self.state = found.get("state") or ""
                    if found.get("next") is not None:
                        self._start, more = int(found["next"]), True

    def _lines(self) -> Iterator[bytes]:
        try:
            yield from self._stream.lines(self._ask, "application/x-ndjson", self._query.wait)
        except Refused as error:
            if error.status == 412 and self._generation:
                raise LogReplaced(REPLACED) from error
            raise

    @property
    def _left(self) -> int | None:
        return None if self._query.limit is None else self._query.limit - self._found

    def _ask(self) -> str:
        return self._query.encoded(self._start, self._left)

    def _is_new(self, hit: Hit) -> bool:
        """Whether a line was not returned before the connection broke; it then is the last that was."""
        if self._last >= 0 and (hit.start >= self._last if self._query.backwards else hit.start <= self._last):
            return False
        self._last = hit.start
        if not hit.context:
            self._found += 1
            self._start = hit.start + 1 if self._query.backwards else hit.start
        return True


def _same(known: str, stream: Stream) -> str:
    tag = (stream.headers.get("ETag") or "").strip('"')
    if known and tag and tag != known:
        raise LogReplaced(REPLACED)
    return tag or known


def _hit(document: dict[str, Any]) -> Hit:
    return Hit(
        line=document.get("line"),
        start=document["start"],
        text=document["text"],
        time=moment(document.get("time")),
        offset=document["offset"],
        length=document["length"],
        context=document.get("context") is True,
        cut=document.get("cut") is True,
        name=document.get("name", ""),
    )


def moment(text: str | None) -> datetime | None:
    """The time that a server tells in a text of RFC 3339."""
    if not text:
        return None
    return datetime.fromisoformat(re.sub("Z$", "+00:00", text)).astimezone(UTC)


def rfc3339(when: datetime | None) -> str:
    """A time for a server: RFC 3339, in UTC, with microseconds; None: empty."""
    return "" if when is None else when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
