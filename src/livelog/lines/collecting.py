"""What is collected from a log's lines, a piece at a time, and told page by page: its groups, its problems. No I/O.

A collection has looked at the log's first `indexed` bytes; what it knows is kept from one question to the next, by whoever asks.
Refuses to know how long a piece may take: each is small enough.
"""

import json
import time
from collections.abc import Callable, Iterator
from struct import Struct
from typing import NamedTuple, Protocol

from .lines import Read

ERROR, WARNING, NOTICE = LEVELS = "error", "warning", "notice"
"""The levels of problems. They are here, because the server knows them, and must not load how problems are recognised."""

HEAD = Struct("!Q??q")
"""How many bytes have been looked at, whether more would change nothing, whether what is told changes with the time, and what to give as
`skip` to get the next page (-1: there is none)."""


class Clock(NamedTuple):
    """When the bytes of a log came, and what time it is, in milliseconds since the epoch."""

    time_at: Callable[[int], int]
    now: int


class Collection(Protocol):
    """What is collected."""

    indexed: int
    """Bytes that have been looked at."""

    @property
    def done(self) -> bool:
        """Whether further bytes would change nothing."""

    @property
    def running(self) -> bool:
        """Whether what is told of it changes with the time."""

    def take(self, data: bytes) -> None:
        """Look at more: whole lines, or a part of one."""

    def page(
        self, first: int, last: int, *, skip: int, limit: int, level: str, settled: bool, clock: Clock
    ) -> tuple[list[bytes], int | None]:
        """What is in the lines `[first, last]`, each as JSON: `limit` at most. Returns besides where the next page begins.

        `skip`: how many are on the pages before. `level`: only of these, with commas between them; empty: of all. `settled`: only what further bytes do not change.
        """

    def about(self) -> dict[str, object]:
        """What else is told."""


class Asked(NamedTuple):
    """Which page is asked for, of what is in the first `stop` bytes of a log, which `ended` there or did not."""

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
    """Look on for `seconds`, at a piece at least; then tell of a page.

    `kept`: what an earlier one has left; empty: none has, and `new` makes a collection. `piece`: bytes to look at in one go. Of a line that is
    longer, each piece is looked at by itself. `time_at`: when bytes came; `end`: when the log ended, in milliseconds since the epoch, 0 if it has not.
    Yields None after each piece; then `HEAD` and the page's JSON, one in each line; what else is told, as JSON without a brace in front; and what to keep.
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
                break  # a line that has not all come
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
