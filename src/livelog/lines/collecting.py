"""Collections of a log's lines (groups, problems): made piece by piece, answered page by page. No I/O.

A collection has scanned the log's first `indexed` bytes. Its state is returned with each page, and the caller passes it to the next call.
"""

import json
import time
from collections.abc import Callable, Iterator
from struct import Struct
from typing import NamedTuple, Protocol

from .lines import Read

ERROR, WARNING, NOTICE = LEVELS = "error", "warning", "notice"
"""The levels of problems. They are here because the server needs them, and must not import the modules that recognise problems."""

HEAD = Struct("!Q??q")
"""The header of a page: the bytes scanned, `Collection.done`, `Collection.running`, and the `skip` of the next page (-1: there is none)."""


class Clock(NamedTuple):
    """The arrival times of a log's bytes, and the present time, in milliseconds since the epoch."""

    time_at: Callable[[int], int]
    now: int


class Collection(Protocol):
    """A collection of a log's lines."""

    indexed: int
    """The number of bytes scanned."""

    @property
    def done(self) -> bool:
        """Whether further bytes would change nothing."""

    @property
    def running(self) -> bool:
        """Whether its pages change with the time."""

    def take(self, data: bytes) -> None:
        """Scan the next bytes: whole lines, or a part of a long one."""

    def page(
        self, first: int, last: int, *, skip: int, limit: int, level: str, settled: bool, clock: Clock
    ) -> tuple[list[bytes], int | None]:
        """The items in the lines `[first, last]`, as JSON, `limit` at most, and the `skip` of the next page or None.

        `skip`: the number of items on the pages before. `level`: levels of the items, joined with commas; empty: all. `settled`: only items that
        further bytes do not change.
        """

    def about(self) -> dict[str, object]:
        """The other members of a page."""


class Asked(NamedTuple):
    """A page that is asked for: see `Collection.page`. `stop`: the bytes to scan; `ended`: whether the log has ended there."""

    stop: int
    ended: bool
    first: int
    last: int
    skip: int
    limit: int
    level: str = ""
    settled: bool = False


def collect(
    kept: bytes,
    new: Callable[[], Collection],
    asked: Asked,
    *,
    piece: int,
    read: Read,
    time_at: Callable[[int], int],
    end: int,
    seconds: float,
) -> Iterator[bytes | None]:
    """Scan the log for `seconds`, but at least one piece, and then answer a page.

    `kept`: the state that an earlier call has returned; empty: there is none, and `new` makes a collection. `piece`: bytes scanned at a time; if a line is
    longer, each piece of it is scanned by itself. `time_at`: the arrival time of a byte; `end`: when the log ended, or 0, both in milliseconds since the epoch.
    Yields None after each piece; then `HEAD` with the items, one JSON in each line; the other members of the page, as JSON without its first brace; and the new state.
    """
    import pickle  # noqa: PLC0415  # the server has this module, too, and collects nothing itself

    known: Collection = pickle.loads(kept) if kept else new()  # noqa: S301  # a scanner has made it, and only the server had it
    deadline = time.monotonic() + seconds
    while known.indexed < asked.stop and not known.done:
        data = read(known.indexed, min(asked.stop, known.indexed + piece))
        if not (asked.ended and known.indexed + len(data) == asked.stop):
            if (newline := data.rfind(b"\n")) >= 0:
                data = data[: newline + 1]
            elif len(data) < piece:
                break  # the line is not complete yet
        known.take(data)
        yield None
        if time.monotonic() > deadline:
            break
    clock = Clock(time_at, end or time.time_ns() // 1_000_000)
    page, following = known.page(
        asked.first,
        asked.last,
        skip=asked.skip,
        limit=asked.limit,
        level=asked.level,
        settled=asked.settled,
        clock=clock,
    )
    running = known.running and not asked.ended
    yield HEAD.pack(known.indexed, known.done, running, -1 if following is None else following) + b"\n".join(page)
    about = {**known.about(), "next": following, "indexed": known.indexed}
    yield json.dumps(about | {"more": bool(about.get("more")) or known.indexed < asked.stop}).encode()[1:]
    yield pickle.dumps(known, pickle.HIGHEST_PROTOCOL)
