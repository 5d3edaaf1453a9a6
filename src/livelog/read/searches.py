"""Searches: their turns at the processor, and their output to clients, however slowly these read.

A search has a process and a turn while it computes. If its client does not read, the search is suspended: it loses both, and continues from
the same place once the client has read. A search that has had its turn for `SEARCH_TURN` goes to the end of the queue, so that no
search waits long.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from livelog.errors import STOPPED, ScanError, ScanRefused
from livelog.lines.query import PLACE, PROGRESS, Query
from livelog.lines.scanner import PIECE_SECONDS
from livelog.lines.service import INDEX_PROCESSOR, Indexes
from livelog.lines.workers import Scan, Scanners, Turns
from livelog.log.info import State
from livelog.log.source import Source
from livelog.wire.body_writer import BodyWriter
from livelog.wire.problem import RETRY_AFTER

from . import problems
from .following import Followers

CHECKS = 2
"""The limit of patterns that are checked at a time while their searches wait for a turn."""

SEARCHES = 4
"""The limit of searches that have a turn at a time."""

WAITING = 16
"""The limit of searches that wait for a turn."""

SEARCH_TURN = 2.0
"""Seconds after which a search gives its turn to one that waits."""

READING = 1.0
"""Seconds that a client has to read the output, before its search is suspended."""

SEARCH_PROCESSOR = 120.0
"""The limit of processor time of one search, in seconds. A search that reaches it ends with a `next`, as at its limit of hits."""

LOOKS = 8
"""Turns of the event loop that a new search waits when there are too many. In the first one asyncio finds that clients have left; in a few more
the tasks of their searches end. So clients that have left never cause a refusal."""

FAR = 1024 * 1024
"""Bytes by which a search that follows may be behind its log. If it is further behind, it gets turns of its own."""

FOLLOWERS = 256
"""The limit of searches that follow logs at a time."""


UNNUMBERED = 2000
"""The limit of lines that are returned before their numbers are known; then a search waits for the index."""

_UNNUMBERED = re.compile(rb'"line": null, "offset": \d+, "length": \d+, "start": (\d+), ')
"""The beginning of a hit without its number. It is in no text of a line: quotes have a backslash in front of them there."""


class Searches:
    """The present searches. `indexes`: the numbers of lines; `scanners`: the processes that search."""

    def __init__(self, indexes: Indexes, scanners: Scanners) -> None:
        self.indexes = indexes
        self.scanners = scanners
        self.followers = Followers(scanners)
        self.turns = Turns(SEARCHES)
        self.checks = Turns(CHECKS)
        self.active = 0
        """The number of searches that have a turn, or wait for one."""

    async def admit(self, journal: Source, query: Query, *, waits: bool) -> "Search":
        """A new search, which the caller must close; see there. Raises: RequestError (503), if there are too many searches."""
        if query.live and self.followers.searches >= FOLLOWERS:
            raise problems.TOO_MANY_SEARCHES.error(RETRY_AFTER)
        await self._room()
        return Search(self, journal, query._replace(seconds=SEARCH_PROCESSOR), waits=waits)

    async def check(self, query: Query) -> None:
        """Check a pattern for which there is no log. Raises: ScanRefused, if it is invalid; ScanError; RequestError, as `admit`."""
        await self._room()
        self.active += 1
        try:
            await self.look_at(query)
        finally:
            self.active -= 1

    async def look_at(self, query: Query) -> None:
        """Compile the pattern of a search that waits, or that has no log. Raises: ScanRefused, if it is invalid; ScanError."""
        await self.checks.take()
        try:
            parameters = query._asdict()
            scan = await self.scanners.begin("pattern", [], parameters, seconds=PIECE_SECONDS + 1, reuse=False)
            try:
                await scan.part()
            finally:
                scan.close()
        finally:
            self.checks.give_back()

    async def _room(self) -> None:
        """Raises: RequestError (503), if there are too many searches whose clients are still connected."""
        looks = 0
        while self.active >= SEARCHES + WAITING and looks < LOOKS:
            looks += 1
            await asyncio.sleep(0)
        if self.active >= SEARCHES + WAITING:
            raise problems.TOO_MANY_SEARCHES.error(RETRY_AFTER)


class Search:
    """One search of a log, whose file must be open. `query`: what is searched for, or the state from which a search is continued.

    `waits`: hits are returned when the numbers of their lines are known. Otherwise, in a large log whose lines have not been counted, they are
    returned without, and their numbers later: see `_numbers`.
    """

    def __init__(self, searches: Searches, journal: Source, query: Query, *, waits: bool) -> None:
        self._searches = searches
        self._journal = journal
        self._query = query
        self._counted = False
        self._blocks = b""  # the number of newlines before each block
        self._scan: Scan | None = None
        self._has_turn = False
        self._since = 0.0  # when it got its turn
        self._spent = 0.0  # processor time in this turn, in seconds
        self._active = True
        self._ended = False  # all bytes that the log had were searched
        self._full = False  # the last line of output was returned
        self._waits = waits or query.grep or query.live
        self._counting: asyncio.Task[bytes] | None = None
        self._unnumbered: dict[int, None] = {}  # the offsets of lines that were returned without their numbers
        # A search for a text in the little that a log has is made together with those that follow the log: without a process of its own.
        is_counted = not query.start or not query.numbered
        self._joins = query.live and not query.regex and is_counted and query.size - query.start <= FAR
        searches.active += 1

    async def begin(self) -> None:
        """Begin to search. If the search has to wait for its turn, or for an index, only check the pattern.

        Raises: ScanRefused, if the pattern is not valid; ScanError; DiskError.
        """
        searches, query = self._searches, self._query
        if self._joins:
            return
        if await self._count() and searches.turns.free:
            await self._go_on()
        elif query.regex:
            await searches.look_at(query)

    async def output(self, writer: BodyWriter) -> AsyncGenerator[bytes, None]:
        """Yield the output of the search. `writer`: the client's answer; the search is suspended while the client does not read."""
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
            if not self._joins:
                async for text in self._found():
                    yield text
            if self._query.live and not self._full:
                async for text in self._follow(writer):
                    yield text
        except (ScanError, ScanRefused) as error:
            too_much = isinstance(error, ScanError) and error.excess
            reason = f"this pattern {error}: use a simpler one" if too_much else f"{error}: search again"
            if self._query.grep:  # text has no other way to say that it is not complete
                await writer.break_off(reset=not writer.chunked)
                raise ConnectionAbortedError(reason) from error
            yield _document({"done": True, "hits": None, "next": None, "error": reason})
        finally:
            writer.on_blocked = None
            if unread is not None:
                unread.cancel()
            self.close()

    def close(self) -> None:
        """End the search and its process."""
        if self._counting is not None:
            self._counting.cancel()
        self._pause()
        self._set_active(False)

    async def _found(self) -> AsyncIterator[bytes]:
        """Yield the output for the bytes that the log had when the query was made."""
        while not self._ended:
            if self._counting is not None and (self._counting.done() or len(self._unnumbered) > UNNUMBERED):
                self._pause()
                async for text in self._numbers():
                    yield text
            scan = self._scan or await self._go_on()
            text = await self._part(scan)
            if self._counting is not None:
                self._unnumbered |= dict.fromkeys(map(int, _UNNUMBERED.findall(text)))
                if self._scan is None:  # it has ended
                    place = text.rfind(b"\n", 0, -1) + 1
                    if place:
                        yield text[:place]
                    async for numbers in self._numbers():
                        yield numbers
                    text = text[place:]
            if text:
                yield text
            if self._searches.turns.waited_for and asyncio.get_running_loop().time() - self._since > SEARCH_TURN:
                self._pause()

    async def _follow(self, writer: BodyWriter) -> AsyncIterator[bytes]:
        """Yield the output for new bytes, until the log ends."""
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
            return  # the last line of output was yielded
        past = self._query.until is not None and not journal.state.ended
        if self._query.grep and not past and journal.state is not State.COMPLETE:
            await writer.break_off(reset=not writer.chunked)
            raise ConnectionAbortedError(f"the log is {journal.state.value}" if journal.state.ended else STOPPED)
        if not self._query.grep:
            end = {"done": True, "hits": self._query.returned, "next": None, "state": journal.state.value}
            if not journal.state.ended and not past:
                end |= {"next": self._query.start, "error": STOPPED}
            yield _document(end)

    async def _count(self) -> bool:
        """Wait `PROGRESS` seconds for the index, if the search needs line numbers. Returns whether the wait is over."""
        if not self._counted and self._query.start and self._query.numbered:
            with self._searches.indexes.use(self._journal) as indexer:
                await indexer.soon(0.0)
                if not self._waits and indexer.is_far:
                    if self._counting is None:
                        self._counting = asyncio.create_task(self._newlines())
                        self._counting.add_done_callback(lambda done: done.cancelled() or done.exception())
                    return True
                if not await indexer.ready(PROGRESS):
                    return False
                self._blocks = indexer.index.newlines.tobytes()
        self._counted = True
        return True

    async def _newlines(self) -> bytes:
        """The number of newlines before each block, once they have been counted. Raises: ScanError, DiskError."""
        with self._searches.indexes.use(self._journal) as indexer:
            await indexer.ready()
            return indexer.index.newlines.tobytes()

    async def _numbers(self) -> AsyncIterator[bytes]:
        """Wait until lines have been counted, and yield the numbers of those that were returned without. What follows has them."""
        counting = self._counting
        assert counting is not None
        while not (await asyncio.wait((counting,), timeout=PROGRESS))[0]:
            query = self._query
            begin = query.start if query.begin is None else query.begin
            scanned, of = (query.start - begin, query.size - begin) if query.forward else (begin - query.start, begin)
            yield b'{"scanned": %d, "of": %d, "hits": %d}\n' % (scanned, of, query.returned)
        self._blocks, self._counted, self._counting = counting.result(), True, None
        places = [*self._unnumbered]
        self._unnumbered.clear()
        if not places:
            return
        await self._searches.turns.take()
        try:
            scan = await self._searches.scanners.begin(
                "number", [self._journal], {"places": places}, self._blocks, seconds=INDEX_PROCESSOR, reuse=True
            )
            try:
                numbers = b""
                while (part := await scan.part()) is not None:
                    numbers = part
            finally:
                scan.close()
        finally:
            self._searches.turns.give_back()
        yield b'{%b"numbers": %b}\n' % (self._query.head.encode(), numbers)

    async def _go_on(self) -> Scan:
        """Wait for a turn, and start to search in a process."""
        self._set_active(True)
        await self._searches.turns.take()
        self._has_turn, self._since = True, asyncio.get_running_loop().time()
        try:
            self._scan = await self._begin()
        except BaseException:
            self._pause()
            raise
        return self._scan

    async def _begin(self) -> Scan:
        """Begin the job, and wait until its process has accepted the pattern."""
        query, limit = self._query, self._query.seconds + PIECE_SECONDS + 1
        # Without an index, the process would count all lines in front of the first hit.
        parameters = query._replace(numbered=query.numbered and self._counting is None)._asdict()
        begin = self._searches.scanners.begin
        scan = await begin("search", [self._journal], parameters, self._blocks, seconds=limit, reuse=False)
        try:
            await scan.part()
        except BaseException:
            scan.close()
            raise
        return scan

    async def _part(self, scan: Scan) -> bytes:
        """The next part of the output. The state of the query is updated to that behind it."""
        part = await scan.part()
        assert part is not None
        self._spent, ended, size = PLACE.unpack_from(part)
        if ended:
            await scan.part()  # the end of the job, after which the process ends
            self._pause()
            self._ended, self._full = True, ended > 1
        text = PLACE.size + size
        self._query = self._query._replace(**json.loads(part[PLACE.size : text]))
        return part[text:]

    def _pause(self) -> None:
        """Give the turn back, and end the process. The query keeps the state."""
        if self._scan is not None:
            self._scan.close()
            self._scan = None
            self._query = self._query._replace(seconds=max(0.0, self._query.seconds - self._spent))
            self._spent = 0.0
        if self._has_turn:
            self._has_turn = False
            self._searches.turns.give_back()

    def _suspend(self) -> None:
        """Give the turn back until the client has read. Meanwhile, the search does not count as active."""
        self._pause()
        self._set_active(False)

    def _set_active(self, active: bool) -> None:
        if self._active != active:
            self._active = active
            self._searches.active += 1 if active else -1


def _document(document: Mapping[str, object]) -> bytes:
    return json.dumps(document).encode() + b"\n"
