"""Searches that follow a log: what comes is looked at for all of them together, at a pace, by one process.

A search that follows is a query: it has no process of its own, and costs nothing while nothing comes. New lines of a log are looked at in a round, in
which each search of that log has its share; a search whose client does not read has none. Whoever makes the process fail is told so alone.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from typing import NamedTuple

from livelog.errors import DiskError, ScanError, ScanRefused
from livelog.lines.pieces import PIECE
from livelog.lines.query import PLACE, Query
from livelog.lines.scanner import MEMBER, PIECE_SECONDS
from livelog.lines.workers import Scanners, Turns
from livelog.log.source import Source

PACE = 0.2
"""Seconds from one round to the next, at least."""

SHARE = 3
"""So many times what a round took passes before the next one; once, if a search has more to tell."""

ROUNDS = 2
"""Rounds at a time, of different logs."""

KEPT = 8
"""Logs whose processes are kept from one round to the next, if patterns are looked for."""


class Word(NamedTuple):
    """What a round has told a search. `left`: members of its query, for the next round. `full`: it has told all that it may; `last`: nothing will come."""

    text: bytes
    left: dict[str, object]
    full: bool
    last: bool


class Member:
    """A search that waits for a round."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.word: asyncio.Future[Word] = asyncio.get_running_loop().create_future()

    @property
    def over(self) -> bool:
        """Whether nothing that comes from now on is asked for."""
        return self.query.until is not None and 1000 * time.time() >= self.query.until


class Rounds:
    """The rounds of one log."""

    def __init__(self, followers: "Followers", journal: Source) -> None:
        self.users = 0
        self.scanners = Scanners()
        """For patterns: their process sees no other log."""
        self._followers = followers
        self._journal = journal
        self._members: list[Member] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._looked: int | None = None  # newlines in front of that place have been looked for
        self._lines = 0  # whole lines end there
        self._next = 0.0  # when the next round may begin

    async def word(self, query: Query) -> Word:
        """What the next round tells of a search that has so much left. Raises: ScanError, ScanRefused, DiskError."""
        member = Member(query)
        self._members.append(member)
        if self._looked is None:
            self._looked = self._lines = query.start
        self.change()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            return await member.word
        finally:
            if member in self._members:
                self._members.remove(member)

    def change(self) -> None:
        """Something may have come."""
        self._changed.set()

    def stop(self) -> None:
        """Make no more rounds."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            while self._members:
                await self._step()
        except DiskError as error:
            _fail(self._members, error)
        finally:
            _fail(self._members, ScanError("the server is stopping"))

    async def _step(self) -> None:
        """Make a round, or wait until there is reason for one."""
        self._changed.clear()
        last = self._journal.at_end
        await self._look()
        due = [member for member in self._members if last or member.over or member.query.start < self._lines]
        if not due:
            ends = [
                member.query.until / 1000 - time.time() for member in self._members if member.query.until is not None
            ]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), max(0.0, min(ends)) if ends else None)
        elif (pause := self._next - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(pause)
        else:
            await self._round(due, last=last)

    async def _look(self) -> None:
        """Look for newlines in what has come."""
        journal, start, stop = self._journal, self._looked or 0, self._journal.length
        if start < stop:
            if stop - start <= PIECE and journal.is_cached(start, stop):
                end = _last_line(journal, start, stop)
            else:
                end = await journal.run(lambda: _last_line(journal, start, stop))
            self._looked, self._lines = stop, end or self._lines

    async def _round(self, members: list[Member], *, last: bool) -> None:
        """Look at what has come, for all of them."""
        journal, loop = self._journal, asyncio.get_running_loop()
        over = [last or member.over for member in members]
        size = journal.length
        queries = [member.query._replace(size=size, whole=not last)._asdict() for member in members]
        is_plain = not any(member.query.regex for member in members)
        scanners = self._followers.scanners if is_plain else self.scanners
        turns, current, behind = self._followers.turns, -1, False
        await turns.take()
        begun = loop.time()
        try:
            scan = await scanners.begin(
                "follow", journal, {"queries": queries}, seconds=PIECE_SECONDS * (len(members) + 3),
                reuse=is_plain or self._followers.logs <= KEPT,
            )  # fmt: skip
            try:
                while (part := await scan.part()) is not None:
                    (current,) = MEMBER.unpack_from(part)
                    if len(part) > MEMBER.size and not (word := members[current].word).done():
                        _, ended, length = PLACE.unpack_from(part, MEMBER.size)
                        behind = behind or not ended
                        text = MEMBER.size + PLACE.size + length
                        left = json.loads(part[MEMBER.size + PLACE.size : text])
                        word.set_result(Word(part[text:], left, ended > 1, ended > 0 and over[current]))
            finally:
                scan.close()
        except (ScanError, ScanRefused, DiskError) as error:
            _fail(members if current < 0 else members[current : current + 1], error)
        finally:
            turns.give_back()
        self._members = [member for member in self._members if not member.word.done()]
        took = loop.time() - begun
        self._next = loop.time() + (took if behind else max(PACE, SHARE * took))


class Followers:
    """The searches that follow logs. `scanners`: the server's, for texts."""

    def __init__(self, scanners: Scanners) -> None:
        self.scanners = scanners
        self.turns = Turns(ROUNDS)
        self._rounds: dict[Source, Rounds] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def searches(self) -> int:
        """How many searches follow."""
        return sum(rounds.users for rounds in self._rounds.values())

    @property
    def logs(self) -> int:
        """How many logs are followed."""
        return len(self._rounds)

    @contextlib.contextmanager
    def use(self, journal: Source) -> Iterator[Rounds]:
        """The rounds of a log, whose file is open."""
        rounds = self._rounds.get(journal)
        if rounds is None:
            rounds = self._rounds[journal] = Rounds(self, journal)
            journal.watchers.add(rounds.change)
        rounds.users += 1
        try:
            yield rounds
        finally:
            rounds.users -= 1
            if not rounds.users:
                del self._rounds[journal]
                journal.watchers.discard(rounds.change)
                rounds.stop()
                closing = asyncio.get_running_loop().create_task(rounds.scanners.close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """End all processes."""
        for rounds in self._rounds.values():
            rounds.stop()
            await rounds.scanners.close()
        if self._closing:
            await asyncio.wait(self._closing)


def _fail(members: list[Member], error: Exception) -> None:
    for member in members:
        if not member.word.done():
            member.word.set_exception(error)


def _last_line(journal: Source, start: int, stop: int) -> int | None:
    """Where the last line ends that ends in `[start, stop)`; None: none does."""
    while start < stop:
        begin = max(start, stop - PIECE)
        if (newline := journal.read(begin, stop).rfind(b"\n")) >= 0:
            return begin + newline + 1
        stop = begin
    return None
