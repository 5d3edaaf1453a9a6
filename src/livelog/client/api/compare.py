"""Comparisons that the server makes: the lines of a log that another log of its name does not have.

The server sends them in pages. All pages are about the same two logs, also if others of the name begin meanwhile.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from livelog.client.transport.stream import Stream, document
from livelog.errors import LogReplaced, Refused

from .search import PAGE, moment

PATIENCE = 300.0
"""Seconds that a page may take beyond the usual ones: the server makes one comparison at a time."""


@dataclass(frozen=True, kw_only=True)
class NewLine:
    """A line that the other log does not have."""

    line: int
    """Its number, counted from 1."""
    offset: int
    """The offset of its first byte in the log."""
    text: str
    """Its text, without escape sequences."""
    time: datetime | None
    """When it arrived, in UTC; None: the server does not report it."""
    count: int
    """How many lines of the log are the same, apart from numbers, times and hashes. This is the first of them."""
    cut: bool
    """Whether `text` is truncated: the line is longer."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What is new in a log."""

    lines: list[NewLine]
    """The new lines, each once, in the order of the log."""
    new: int
    """How many there are; more than `lines` has, if there was a limit."""
    complete: bool
    """Whether all of both logs was compared. If not, there may be more new lines, or the other log may have some of these."""
    attempt: int | None
    """The log that this one was compared with: its place among those that are kept, counted backwards from 0, the newest; None: it is not kept any more."""
    generation: str
    """The generation of that log."""
    exit_code: int | None
    """The exit code of its job; None: unknown."""


class Comparing:
    """Asks for a comparison by `stream`, whose URL is that of a `/compare`.

    `which`: the part of the link's query that names an attempt or a generation. `generation`: of the log, if it is known, else empty. `wait`: seconds
    to wait for the log to begin.
    """

    def __init__(self, stream: Stream, which: str, generation: str, wait: float) -> None:
        self._stream, self._which, self._generation, self._wait = stream, which, generation, wait

    def asking(self, other: int | str | None, limit: int | None) -> Callable[[], Comparison]:
        """What asks for all pages, up to `limit` lines. `other`: see `Reader.compare`. Raises: ValueError."""
        if limit is not None and limit < 0:
            raise ValueError("limit is a number of lines: 0 or more")
        if isinstance(other, int) and other > 0:
            raise ValueError("an attempt is 0, the newest, or -1, the one before, and so on")
        return functools.partial(self._all, None if other is None else str(other), limit)

    def _all(self, other: str | None, limit: int | None) -> Comparison:
        lines, skip = list[NewLine](), 0
        while True:
            most = PAGE if limit is None else max(1, min(PAGE, limit - len(lines)))
            page = self._page({"with": other, "skip": skip, "limit": most})
            about = page["with"]
            lines += map(_line, page["lines"])
            skip, other = page["next"], about["generation"]
            if skip is None or (limit is not None and len(lines) >= limit):
                return Comparison(
                    lines=lines[:limit],
                    new=page["new"],
                    complete=not page["more"] and about["indexed"] >= about["size"],
                    attempt=about["attempt"],
                    generation=about["generation"],
                    exit_code=about["exit_code"],
                )

    def _page(self, asked: dict[str, object]) -> dict[str, Any]:
        """One page. Raises: Refused, GaveUp, LogReplaced."""
        known = {name: value for name, value in asked.items() if value is not None}
        which = urlencode({"generation": self._generation}) if self._generation else self._which
        query = "?" + "&".join(filter(None, [which, urlencode(known | {"wait": math.ceil(self._wait)})]))
        try:
            page = document(b"".join(self._stream.lines(lambda: query, "application/json", self._wait + PATIENCE)))
        except Refused as error:
            if error.status == 412 and self._generation and not self._which:
                raise LogReplaced("the log was replaced by another one") from error
            raise
        self._generation = (self._stream.headers.get("ETag") or "").strip('"')
        return page


def _line(found: dict[str, Any]) -> NewLine:
    return NewLine(
        line=found["line"],
        offset=found["offset"],
        text=found["text"],
        time=moment(found.get("time")),
        count=found["count"],
        cut=found.get("cut") is True,
    )
