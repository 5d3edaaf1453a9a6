"""The lines of a log in which something is found, as the server finds them: the log itself is not transferred.

A search that breaks off is gone on with at the last line that was found; a line is told once. Refuses to search itself.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from livelog.client.transport.stream import Stream
from livelog.errors import LogReplaced, Refused

PAGE = 10_000
"""Lines that the server finds in one answer, at most."""


class Hit(NamedTuple):
    """A line in which something was found, or one near to it."""

    line: int | None
    """Its number, from 1; None: not known."""
    start: int
    """Where it begins, in bytes from the beginning of the log."""
    text: str
    """Its text, without its newline, with its escape sequences."""
    time: datetime | None
    """When it came, in UTC; None: the server does not tell."""
    offset: int
    """Where the first match in it begins, in bytes from the beginning of the log; `start`, if it has none."""
    length: int
    """The bytes of that match; 0: it has none."""
    context: bool
    """Whether it is only near to a match."""
    cut: bool
    """Whether the line is longer than `text`."""
    name: str
    """The log that it is of, if several are searched; else empty."""


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

    def encoded(self, start: int | None, limit: int | None) -> str:
        """The query of a request for at most `limit` lines from `start` on."""
        most = PAGE if limit is None else min(limit, PAGE)
        asked: dict[str, object] = {"q": self.text, "lines": 1, "dir": "back" if self.backwards else "forward"}
        asked |= {name: 1 for name in ("regex", "case", "invert", "follow") if getattr(self, name)}
        asked |= {
            name: value for name in ("before", "after", "since", "until", "wait") if (value := getattr(self, name))
        }
        asked |= {} if start is None else {"from": start}
        return "?" + urlencode(asked if self.follow and limit is None else asked | {"limit": most})


def search(stream: Stream, query: Query, generation: str = "") -> Iterator[Hit]:
    """The lines that `query` finds, by `stream`, whose URL is that of a `/search`. Raises: Refused, GaveUp, LogReplaced.

    `generation`: the log that is meant; empty: whichever there is.
    """
    return _Search(stream, query, generation).hits()


class _Search:
    """One search, over as many answers as it takes. `start`: where the next one is to begin; `found`: lines that match so far."""

    def __init__(self, stream: Stream, query: Query, generation: str) -> None:
        self._stream, self._query, self._generation = stream, query, generation
        self._start, self._found, self._last = query.start, 0, -1

    def hits(self) -> Iterator[Hit]:
        """See `search`."""
        more = True
        while more and self._left != 0:
            more = False
            for line in self._stream.lines(self._ask, "application/x-ndjson", self._query.wait):
                document = _document(line)
                self._generation = _same(self._generation, self._stream)
                if "start" in document:
                    hit = _hit(document)
                    if self._is_new(hit):
                        yield hit
                elif "error" in document:
                    raise Refused(str(document["error"]))
                elif document.get("done") and document.get("next") is not None:
                    self._start, more = int(document["next"]), True

    @property
    def _left(self) -> int | None:
        return None if self._query.limit is None else self._query.limit - self._found

    def _ask(self) -> str:
        return self._query.encoded(self._start, self._left)

    def _is_new(self, hit: Hit) -> bool:
        """Whether a line was not told before the connection broke; it then is the last that was."""
        if self._last >= 0 and (hit.start >= self._last if self._query.backwards else hit.start <= self._last):
            return False
        self._last = hit.start
        if not hit.context:
            self._found += 1
            self._start = hit.start + 1 if self._query.backwards else hit.start
        return True


def _document(line: bytes) -> dict[str, Any]:
    try:
        document = json.loads(line)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Refused("this is not an answer of livelog's: it is no line of JSON")
    return document


def _same(known: str, stream: Stream) -> str:
    tag = (stream.headers.get("ETag") or "").strip('"')
    if known and tag and tag != known:
        raise LogReplaced("the log was replaced by another one while it was searched")
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
