"""Searches that follow a log (`?follow=1`): one process searches the new lines of a log for all of its followers, in rounds.

Between rounds, a search that follows is only a query: it has no process, and costs nothing while the log does not grow. In a round, each
search of the log gets one part of its output. A search whose client does not read takes no part in rounds. If a pattern makes the process fail,
only the search with this pattern gets the error.
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
"""The smallest pause between two rounds of a log, in seconds."""

SHARE = 3
"""The pause after a round, in multiples of the time that the round took; 1 instead, if a search has more output."""

ROUNDS = 2
"""The limit of rounds at a time, each of another log."""

KEPT = 8
"""The limit of followed logs up to which a process with regular expressions is kept for the next round."""


class Word(NamedTuple):
    """The result of one round for one search: its output, and the members of its query to be replaced before the next round (`left`).

    `full`: the search has reached its limit of hits. `last`: there will be no more lines for it.
    """

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
        """Whether the search's `until` has passed, so that new lines cannot be hits."""
        return self.query.until is not None and 1000 * time.time() >= self.query.until


class Rounds:
    """The rounds of one log."""

    def __init__(self, followers: "Followers", journal: Source) -> None:
        self.users = 0
        self.scanners = Scanners()
        """The processes for regular expressions of this log's searches. They see no other log."""
        self._followers = followers
        self._journal = journal
        self._members: list[Member] = []
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._looked: int | None = None  # the offset up to which newlines were looked for
        self._lines = 0  # the offset behind the last whole line
        self._next = 0.0  # when the next round may begin, on the event loop's clock

    async def word(self, query: Query) -> Word:
        """Wait for the next round with output for a search. `query`: the state of the search. Raises: ScanError, ScanRefused, DiskError."""
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
        """The log may have grown or ended."""
        self._changed.set()

    def stop(self) -> None:
        """Cancel the rounds."""
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
        """Make a round, or wait until there is a reason for one."""
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
        """Look for the last newline in the new bytes."""
        journal, start, stop = self._journal, self._looked or 0, self._journal.length
        if start < stop:
            if stop - start <= PIECE and journal.is_cached(start, stop):
                end = _last_line(journal, start, stop)
            else:
                end = await journal.run(lambda: _last_line(journal, start, stop))
            self._looked, self._lines = stop, end or self._lines

    async def _round(self, members: list[Member], *, last: bool) -> None:
        """Search the new bytes for `members`. `last`: the log does not grow any more."""
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
                "follow", [journal], {"queries": queries}, seconds=PIECE_SECONDS * (len(members) + 3),
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
    """The searches that follow logs. `scanners`: the server's processes, which search for literal texts."""

    def __init__(self, scanners: Scanners) -> None:
        self.scanners = scanners
        self.turns = Turns(ROUNDS)
        self._rounds: dict[Source, Rounds] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def searches(self) -> int:
        """The number of searches that follow a log."""
        return sum(rounds.users for rounds in self._rounds.values())

    @property
    def logs(self) -> int:
        """The number of logs that searches follow."""
        return len(self._rounds)

    @contextlib.contextmanager
    def use(self, journal: Source) -> Iterator[Rounds]:
        """The rounds of a log within the block. Its file must be open."""
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
    """The offset behind the last newline in `[start, stop)`; None: there is none."""
    while start < stop:
        begin = max(start, stop - PIECE)
        if (newline := journal.read(begin, stop).rfind(b"\n")) >= 0:
            return begin + newline + 1
        stop = begin
    return None
