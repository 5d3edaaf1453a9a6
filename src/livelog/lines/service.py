"""What is known of the lines of the logs that somebody asks about: found when they ask, kept up while they do, dropped some time after.

Indexes, groups and problems are found by processes, see `scanner`, a piece at a time and in turn, so that a large log keeps nobody waiting for
long who asks about a small one. With a data directory, the index is kept beside its log. Refuses to know who asks.

1. What somebody uses (`Indexes.use`) is not dropped.
2. An index is made for as long as somebody waits for it, or has been told lately that there is none yet and is still there.
3. Whoever waits gets an index of what was asked for, or a `ScanError`: never less.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import NamedTuple

from livelog.errors import ScanError
from livelog.log.info import State
from livelog.log.source import Source

from .collecting import HEAD
from .encodings import encoding_of
from .index import BLOCK, Index
from .objects import Lines
from .scanner import COLLECTIONS
from .workers import Scan, Scanners, Turns

BUILDERS = 2
"""Logs that are indexed, or looked through for groups or problems, at a time."""

INDEX_TURN = 1.0
"""Seconds after which another log has its turn."""

INDEX_PROCESSOR = 20.0
"""Seconds of the processor that a process may take in such a turn."""

SOON = 2 * 1024
"""Blocks that may be indexed while somebody waits a moment; if more are missing, the moment would be for nothing."""

WANTED = 15.0
"""Seconds for which an index is made for somebody who has been told that there is none yet, and who may ask again."""

INDEX_PATIENCE = 0.1
"""Seconds that an answer that can do without line numbers waits for the index."""

FORGOTTEN_AFTER = 60.0
"""Seconds without a question after which what is known is dropped, or up to twice as many."""

CLOSING = 1.0
"""Seconds that the disk has to keep an index when the server stops."""

logger = logging.getLogger(__name__)


class Page(NamedTuple):
    """Which page of a collection is asked for: see `collecting.Asked`."""

    first: int = 0
    last: int = 10**18
    skip: int = 0
    limit: int = 10_000
    level: str = ""
    settled: bool = False


class Found(NamedTuple):
    """A page. `items`: as JSON, one in each line, without the last newline. `about`: what else is told, as JSON without the brace in front.

    `following`: what to give as `skip` for the next page, or None. `scanned`: bytes that have been looked at, of the `length` that the log had.
    """

    items: bytes
    about: bytes
    following: int | None
    scanned: int
    length: int
    state: State


class _Collected:
    """A collection as a process has left it for the next one, and the last page."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.kept = b""
        self.scanned = 0
        self.question: tuple[Page, int, bool] | None = None
        self.found: Found | None = None
        self.whole = False  # whether the same question has the same answer


class LogIndexer:
    """What is known of the lines of one log, which may be nothing yet."""

    def __init__(self, journal: Source, scanners: Scanners, turns: Turns) -> None:
        self.index = Index()
        self.users = 0
        """How many may ask just now."""
        self.used = asyncio.get_running_loop().time()
        self._journal = journal
        self._scanners = scanners
        self._turns = turns
        self._loaded = False
        self._kept = 0  # blocks of the index that is kept beside the log
        self._making: asyncio.Task[None] | None = None
        self._waiting = 0
        self._wanted = float("-inf")
        self._closed = False
        self._collected = {what: _Collected() for what in COLLECTIONS}

    @property
    def making(self) -> bool:
        """Whether an index is being made."""
        return self._making is not None and not self._making.done()

    async def ready(self, patience: float | None = None) -> bool:
        """Whether all whole blocks that the log has now are indexed, after `patience` seconds at most.

        Raises: ScanError, if they cannot be, or the server stops; DiskError.
        """
        length = self._journal.length
        await self._load()
        self._waiting += 1
        try:
            while self.index.blocks < length // BLOCK:
                if self._closed:
                    raise ScanError("the lines of this log are not counted any more: ask again")
                making = self._begin()  # whoever else waits may begin another one before this one goes on
                done, _ = await asyncio.wait((making,), timeout=patience)
                if not done:
                    return False
                if not making.cancelled():
                    making.result()
        finally:
            self._waiting -= 1
        return True

    async def soon(self, patience: float) -> bool:
        """As `ready`, but without any patience if that would be for nothing. Raises: ScanError, DiskError."""
        await self._load()
        missing = self._journal.length // BLOCK - self.index.blocks
        return await self.ready(patience if missing <= SOON else 0.0)

    def want(self) -> None:
        """Make the index for `WANTED` seconds more: a client that was told that there is none yet may ask again."""
        self._wanted = asyncio.get_running_loop().time() + WANTED
        if not self._closed and self.index.blocks < self._journal.length // BLOCK:
            self._begin()

    def scanned(self, what: str) -> int:
        """How many bytes were looked at for that collection (`scanner.COLLECTIONS`)."""
        return self._collected[what].scanned

    async def page(self, what: str, asked: Page, patience: float) -> Found:
        """A page of a collection, looked for in what the log has now for `patience` seconds.

        One piece more of the log is looked at in any case. The log's file must be open. Raises: ScanError, DiskError.
        """
        journal, collected = self._journal, self._collected[what]
        length, state = journal.length, journal.state
        question = (asked, length, state.ended)
        async with collected.lock:
            if collected.question == question and collected.found is not None and collected.whole:
                return collected.found
            parameters = {
                "what": what, "stop": length, "ended": state.ended, "encoding": encoding_of(journal.info.content_type),
                "end": (journal.info.ended or 0) // 1000 if state.ended else 0, "seconds": patience, **asked._asdict(),
            }  # fmt: skip
            parts: list[bytes] = []
            async with self._scan("collect", parameters, collected.kept) as scan:
                while (part := await scan.part()) is not None:
                    parts.append(part)
            items, about, collected.kept = parts
            collected.scanned, done, running, following = HEAD.unpack_from(items)
            found = Found(
                items[HEAD.size :], about, None if following < 0 else following, collected.scanned, length, state
            )
            collected.question, collected.found = question, found
            collected.whole = not running and (done or collected.scanned == length)
            return found

    async def find_gaps(self, size: int, most: int, ended: int | None) -> object:
        """The longest times in which nothing came: see `scanner.gaps`. The log's file must be open. Raises: ScanError, DiskError."""
        told = b"[]"
        async with self._scan("gaps", {"size": size, "most": most, "ended": ended}) as scan:
            while (part := await scan.part()) is not None:
                told = part
        return json.loads(told)

    async def tell(self, lines: Lines) -> tuple[bytes, Lines | None]:
        """What is told of some lines, and which are left then; None: none. The log's file must be open. Raises: ScanError, DiskError."""
        told = b""
        async with self._scan("lines", lines._asdict()) as scan:
            while (part := await scan.part()) is not None:
                told = part
        following, _, text = told.partition(b"\n")
        left = json.loads(following)
        return text, None if left is None else Lines(**left)

    @contextlib.asynccontextmanager
    async def _scan(self, job: str, parameters: Mapping[str, object], kept: bytes = b"") -> AsyncIterator[Scan]:
        """A job over the log, in turn. Raises: ScanError."""
        await self._turns.take()
        try:
            scan = await self._scanners.begin(job, self._journal, parameters, kept, seconds=INDEX_PROCESSOR, reuse=True)
            try:
                yield scan
            finally:
                scan.close()
        finally:
            self._turns.give_back()

    def _begin(self) -> asyncio.Task[None]:
        """The making of the index that is under way, or a new one."""
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._make())
            self._making.add_done_callback(lambda made: made.cancelled() or made.exception())
        return self._making

    async def _make(self) -> None:
        """Index what the log has now. Raises: ScanError, DiskError."""
        journal, loop = self._journal, asyncio.get_running_loop()
        stop = journal.length // BLOCK
        await journal.open()
        try:
            while (first := self.index.blocks) < stop and not self._closed:
                parameters = {"first": first, "stop": stop, "style": self.index.style, "seconds": INDEX_TURN}
                async with self._scan("index", parameters) as scan:
                    while (part := await scan.part()) is not None:
                        self.index.add(json.loads(part))
                        if not self._waiting and loop.time() > self._wanted:
                            return
        finally:
            journal.release()

    async def _load(self) -> None:
        """Take what is kept beside the log, once."""
        kept = b"" if self._loaded else await self._journal.kept("index")
        if self._loaded:  # by now: others may have asked meanwhile
            return
        if kept:
            try:
                self.index = Index.from_bytes(kept, self._journal.length)
            except ValueError as error:
                logger.warning("the index of %s is made anew: %s", self._journal.info.name, error)
        self._kept, self._loaded = self.index.blocks, True

    async def close(self) -> None:
        """Keep what there is, and make no more: who waits is told."""
        self._closed = True
        if self._making is not None:
            self._making.cancel()
            await asyncio.wait((self._making,), timeout=CLOSING)
        if self.index.blocks > self._kept:
            await self._journal.keep("index", self.index.to_bytes())


class Indexes:
    """What is known of logs. `scanners`: the processes that find it."""

    def __init__(self, scanners: Scanners) -> None:
        self._scanners = scanners
        self._indexers: dict[Source, LogIndexer] = {}
        self._turns = Turns(BUILDERS)

    def get(self, journal: Source) -> LogIndexer | None:
        """What is known of a log; None: nobody has asked."""
        return self._indexers.get(journal)

    @contextlib.contextmanager
    def use(self, journal: Source) -> Iterator[LogIndexer]:
        """What is known of a log, which is not dropped meanwhile; if that is nothing, it is found when it is asked for."""
        indexer = self._indexers.get(journal)
        if indexer is None:
            indexer = self._indexers[journal] = LogIndexer(journal, self._scanners, self._turns)
        indexer.users += 1
        try:
            yield indexer
        finally:
            indexer.users -= 1
            indexer.used = asyncio.get_running_loop().time()

    async def retire(self, idle: float = FORGOTTEN_AFTER) -> None:
        """Drop, for ever, what nobody has used for `idle` seconds."""
        while True:
            await asyncio.sleep(idle)
            horizon = asyncio.get_running_loop().time() - idle
            for journal, indexer in list(self._indexers.items()):
                if not indexer.users and indexer.used < horizon and self._indexers.pop(journal, None) is not None:
                    await indexer.close()

    async def close(self) -> None:
        """Drop all."""
        indexers = list(self._indexers.values())
        self._indexers.clear()
        await asyncio.gather(*(indexer.close() for indexer in indexers))
