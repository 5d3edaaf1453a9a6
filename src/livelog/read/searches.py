"""Searches: their turns, and what is told of each to its client, however slowly that reads.

A search is a process that has a turn while it computes. A client that does not read loses the turn and the process; when it
has read, its search goes on where that was. Whoever waits for a turn gets one soon: a search that has had one for `SEARCH_TURN` goes to
the end of the queue.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from livelog.errors import STOPPED, ScanError, ScanRefused
from livelog.lines.query import PLACE, PROGRESS, Query
from livelog.lines.scanner import PIECE_SECONDS
from livelog.lines.service import Indexes
from livelog.lines.workers import Scan, Scanners, Turns
from livelog.log.info import State
from livelog.log.source import Source
from livelog.wire.body_writer import BodyWriter
from livelog.wire.problem import RETRY_AFTER

from . import problems
from .following import Followers

CHECKS = 2
"""Patterns that are looked at, at a time, while their searches wait for a turn."""

SEARCHES = 4
"""Searches at a time."""

WAITING = 16
"""Searches that may wait for their turn."""

SEARCH_TURN = 2.0
"""Seconds after which a search lets others have their turn."""

READING = 1.0
"""Seconds that a client has to read what its search has found, before others have the turn."""

SEARCH_PROCESSOR = 120.0
"""Seconds of the processor for one search: then it ends as one with many hits does, and can be gone on with."""

LOOKS = 8
"""Turns of the event loop within which it is noticed that clients have left: with one their connection is seen to have ended, and
with some more their tasks have."""

FAR = 1024 * 1024
"""Bytes by which a search that follows may be behind: with more it is one that has turns of its own."""

FOLLOWERS = 256
"""Searches that may follow logs at a time."""


class Searches:
    """The searches that are under way. `indexes` know the numbers of lines, `scanners` have the processes."""

    def __init__(self, indexes: Indexes, scanners: Scanners) -> None:
        self.indexes = indexes
        self.scanners = scanners
        self.followers = Followers(scanners)
        self.turns = Turns(SEARCHES)
        self.checks = Turns(CHECKS)
        self.active = 0
        """How many have a turn, or wait for one."""

    async def admit(self, journal: Source, query: Query) -> "Search":
        """A search, to be closed at the end. Raises: RequestError (503), if there are too many clients that are still there."""
        looks = 0
        if query.live and self.followers.searches >= FOLLOWERS:
            raise problems.TOO_MANY_SEARCHES.error(RETRY_AFTER)
        while self.active >= SEARCHES + WAITING and looks < LOOKS:
            looks += 1
            await asyncio.sleep(0)
        if self.active >= SEARCHES + WAITING:
            raise problems.TOO_MANY_SEARCHES.error(RETRY_AFTER)
        return Search(self, journal, query._replace(seconds=SEARCH_PROCESSOR))


class Search:
    """One search of a log, whose file is open. `query`: what is left of it; lines are counted when it begins."""

    def __init__(self, searches: Searches, journal: Source, query: Query) -> None:
        self._searches = searches
        self._journal = journal
        self._query = query
        self._counted = False
        self._blocks = b""  # the newlines in front of each block
        self._scan: Scan | None = None
        self._has_turn = False
        self._since = 0.0  # when it got its turn
        self._spent = 0.0  # seconds of the processor, in this turn
        self._active = True
        self._ended = False  # all has been found
        self._full = False  # all has been told that may be
        searches.active += 1

    async def begin(self) -> None:
        """Begin; if it has to wait for its turn, or for lines to be counted, look at the pattern at least.

        Raises: ScanRefused, if that is none; ScanError; DiskError.
        """
        searches, query = self._searches, self._query
        if await self._count() and searches.turns.free:
            await self._go_on()
        elif query.regex:
            await searches.checks.take()
            try:
                scan = await self._begin("pattern")
                scan.close()
            finally:
                searches.checks.give_back()

    async def tell(self, writer: BodyWriter) -> AsyncGenerator[bytes, None]:
        """What is found, and the end, for a client behind `writer`."""
        loop = asyncio.get_running_loop()
        unread: asyncio.TimerHandle | None = None

        def suspend() -> None:
            nonlocal unread
            unread = None
            if writer.blocked:
                self._suspend()

        def blocked(_: BodyWriter) -> None:
            nonlocal unread
            if unread is None:
                unread = loop.call_later(READING, suspend)

        writer.on_blocked = blocked
        try:
            with self._searches.indexes.use(self._journal):
                while not await self._count():
                    if not self._query.grep:
                        yield b'{"scanned": 0, "of": %d, "hits": 0}\n' % self._query.size
            async for text in self._found():
                yield text
            if self._query.live and not self._full:
                async for text in self._follow(writer):
                    yield text
        except (ScanError, ScanRefused) as error:
            too_much = isinstance(error, ScanError) and error.excess
            reason = f"this pattern {error}: use a simpler one" if too_much else f"{error}: search again"
            if self._query.grep:  # a text cannot tell that it is not all
                await writer.break_off(reset=not writer.chunked)
                raise ConnectionAbortedError(reason) from error
            yield _document({"done": True, "hits": None, "next": None, "error": reason})
        finally:
            writer.on_blocked = None
            if unread is not None:
                unread.cancel()
            self.close()

    def close(self) -> None:
        """End it."""
        self._pause()
        self._set_active(False)

    async def _found(self) -> AsyncIterator[bytes]:
        """What is found in what the log had when the query was made."""
        while not self._ended:
            scan = self._scan or await self._go_on()
            text = await self._part(scan)
            if text:
                yield text
            if self._searches.turns.waited_for and asyncio.get_running_loop().time() - self._since > SEARCH_TURN:
                self._pause()

    async def _follow(self, writer: BodyWriter) -> AsyncIterator[bytes]:
        """What is found in what comes, until the log ends."""
        journal, followers = self._journal, self._searches.followers
        self._set_active(False)
        last, searched = False, self._query.size
        with followers.use(journal) as rounds:
            while not last and not self._full:
                if journal.length - max(searched, self._query.start) > FAR:
                    searched = journal.length
                    self._query = self._query._replace(size=searched, seconds=SEARCH_PROCESSOR)
                    self._ended = False
                    async for text in self._found():
                        yield text
                    self._set_active(False)
                    continue
                word = await rounds.word(self._query)
                self._query = self._query._replace(**word.left)  # type: ignore[arg-type]
                self._full, last = word.full, word.last
                if word.text:
                    yield word.text
        if self._full:
            return  # its end has been told
        past = self._query.until is not None and not journal.state.ended
        if self._query.grep and not past and journal.state is not State.COMPLETE:
            await writer.break_off(reset=not writer.chunked)
            raise ConnectionAbortedError(f"the log is {journal.state.value}" if journal.state.ended else STOPPED)
        if not self._query.grep:
            end = {"done": True, "hits": self._query.told, "next": None, "state": journal.state.value}
            if not journal.state.ended and not past:
                end |= {"next": self._query.start, "error": STOPPED}
            yield _document(end)

    async def _count(self) -> bool:
        """Count the lines of the log, for a moment, if their numbers are asked for. Returns whether they are known."""
        if not self._counted and self._query.start and self._query.numbered:
            with self._searches.indexes.use(self._journal) as indexer:
                if not await indexer.ready(PROGRESS):
                    return False
                self._blocks = indexer.index.newlines.tobytes()
        self._counted = True
        return True

    async def _go_on(self) -> Scan:
        """Have a turn, and a process that searches."""
        self._set_active(True)
        await self._searches.turns.take()
        self._has_turn, self._since = True, asyncio.get_running_loop().time()
        try:
            self._scan = await self._begin("search")
        except BaseException:
            self._pause()
            raise
        return self._scan

    async def _begin(self, job: str) -> Scan:
        """A process that has understood the pattern."""
        parameters, limit = self._query._asdict(), self._query.seconds + PIECE_SECONDS + 1
        blocks, log = self._blocks if job == "search" else b"", self._journal
        scan = await self._searches.scanners.begin(job, log, parameters, blocks, seconds=limit, reuse=False)
        try:
            await scan.part()
        except BaseException:
            scan.close()
            raise
        return scan

    async def _part(self, scan: Scan) -> bytes:
        """The next words of the process."""
        part = await scan.part()
        assert part is not None
        self._spent, ended, size = PLACE.unpack_from(part)
        if ended:
            await scan.part()  # the process is gone
            self._pause()
            self._ended, self._full = True, ended > 1
        text = PLACE.size + size
        self._query = self._query._replace(**json.loads(part[PLACE.size : text]))
        return part[text:]

    def _pause(self) -> None:
        """Let others have the turn."""
        if self._scan is not None:
            self._scan.close()
            self._scan = None
            self._query = self._query._replace(seconds=max(0.0, self._query.seconds - self._spent))
            self._spent = 0.0
        if self._has_turn:
            self._has_turn = False
            self._searches.turns.give_back()

    def _suspend(self) -> None:
        """Let others have the turn, until the client has read what there is: it does not count meanwhile."""
        self._pause()
        self._set_active(False)

    def _set_active(self, active: bool) -> None:
        if self._active != active:
            self._active = active
            self._searches.active += 1 if active else -1


def _document(document: Mapping[str, object]) -> bytes:
    return json.dumps(document).encode() + b"\n"
