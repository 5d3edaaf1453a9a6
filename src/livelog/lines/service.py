"""Indexes and collections of the logs that clients ask about. They are made on request, extended while they are used, and dropped later.

Scanner processes (`scanner`) make them, in turns, so that a question about a small log does not wait long for a large one. With a data
directory, the index is kept in a sidecar file.

1. A `LogIndexer` that is in use (`Indexes.use`) is not dropped.
2. An index is made while somebody waits for it, and for `WANTED` seconds after a client was told that there is none yet.
3. Whoever waits gets an index of all whole blocks that the log had, or a `ScanError`.
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
"""The number of logs that are indexed, or scanned for groups or problems, at a time."""

INDEX_TURN = 1.0
"""Seconds of one turn, after which another log has its turn."""

INDEX_PROCESSOR = 20.0
"""The limit of processor time of a process in one turn, in seconds."""

SOON = 2 * 1024
"""If more blocks than this are not indexed, `soon` does not wait: they would not be ready in time."""

WANTED = 15.0
"""Seconds for which an index is made after a client was told that there is none yet, since it may ask again."""

INDEX_PATIENCE = 0.1
"""Seconds that an answer that can do without line numbers waits for the index."""

FORGOTTEN_AFTER = 60.0
"""Seconds without a question after which a `LogIndexer` is dropped, at the earliest; twice as many at the latest."""

CLOSING = 1.0
"""Seconds that the server waits at its stop for an index to be written."""

logger = logging.getLogger(__name__)


class Page(NamedTuple):
    """The page of a collection that a client asks for: see `collecting.Asked`."""

    first: int = 0
    last: int = 10**18
    skip: int = 0
    limit: int = 10_000
    level: str = ""
    settled: bool = False


class Found(NamedTuple):
    """One page. `items`: JSON, one item in each line, without the last newline. `about`: the page's other members, as JSON without its first brace.

    `following`: the `skip` of the next page; None: there is none. `scanned`: bytes that were scanned, of the `length` that the log had.
    """

    items: bytes
    about: bytes
    following: int | None
    scanned: int
    length: int
    state: State


class _Collected:
    """A collection, as a process has returned it for the next one, and the last page."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.kept = b""
        self.scanned = 0
        self.question: tuple[Page, int, bool] | None = None
        self.found: Found | None = None
        self.whole = False  # whether the last page still answers the same question


class LogIndexer:
    """The index and the collections of one log, which may be empty still."""

    def __init__(self, journal: Source, scanners: Scanners, turns: Turns) -> None:
        self.index = Index()
        self.users = 0
        """The number of present users: see `Indexes.use`."""
        self.used = asyncio.get_running_loop().time()
        self._journal = journal
        self._scanners = scanners
        self._turns = turns
        self._loaded = False
        self._kept = 0  # blocks of the index in the sidecar file
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
                making = self._begin()  # another waiter may begin the next one before this one continues
                done, _ = await asyncio.wait((making,), timeout=patience)
                if not done:
                    return False
                if not making.cancelled():
                    making.result()
        finally:
            self._waiting -= 1
        return True

    async def soon(self, patience: float) -> bool:
        """As `ready`, but without waiting if more than `SOON` blocks are missing. Raises: ScanError, DiskError."""
        await self._load()
        missing = self._journal.length // BLOCK - self.index.blocks
        return await self.ready(patience if missing <= SOON else 0.0)

    @property
    def is_far(self) -> bool:
        """Whether `soon` would not wait."""
        return self._journal.length // BLOCK - self.index.blocks > SOON

    def want(self) -> None:
        """Make the index for `WANTED` more seconds: a client was told that there is none yet, and may ask again."""
        self._wanted = asyncio.get_running_loop().time() + WANTED
        if not self._closed and self.index.blocks < self._journal.length // BLOCK:
            self._begin()

    def scanned(self, what: str) -> int:
        """The number of bytes that were scanned for a collection, one of `scanner.COLLECTIONS`."""
        return self._collected[what].scanned

    async def page(self, what: str, asked: Page, patience: float) -> Found:
        """One page of a collection, after scanning the log for `patience` seconds, or to its present end.

        At least one more piece is scanned. The log's file must be open. Raises: ScanError, DiskError.
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
        """The longest times without a byte: see `scanner.gaps`. The log's file must be open. Raises: ScanError, DiskError."""
        answer = b"[]"
        async with self._scan("gaps", {"size": size, "most": most, "ended": ended}) as scan:
            while (part := await scan.part()) is not None:
                answer = part
        return json.loads(answer)

    async def render(self, lines: Lines) -> tuple[bytes, Lines | None]:
        """A part of the text of `lines`, and the lines that are left; None: none. The log's file must be open. Raises: ScanError, DiskError."""
        answer = b""
        async with self._scan("lines", lines._asdict()) as scan:
            while (part := await scan.part()) is not None:
                answer = part
        following, _, text = answer.partition(b"\n")
        left = json.loads(following)
        return text, None if left is None else Lines(**left)

    @contextlib.asynccontextmanager
    async def _scan(self, job: str, parameters: Mapping[str, object], kept: bytes = b"") -> AsyncIterator[Scan]:
        """Begin a job over the log when it has its turn, and end it with the block. Raises: ScanError."""
        await self._turns.take()
        try:
            scan = await self._scanners.begin(
                job, [self._journal], parameters, kept, seconds=INDEX_PROCESSOR, reuse=True
            )
            try:
                yield scan
            finally:
                scan.close()
        finally:
            self._turns.give_back()

    def _begin(self) -> asyncio.Task[None]:
        """The task that makes the index: the present one, or a new one."""
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._make())
            self._making.add_done_callback(lambda made: made.cancelled() or made.exception())
        return self._making

    async def _make(self) -> None:
        """Index the whole blocks that the log has now. Raises: ScanError, DiskError."""
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
        """Read the index from the sidecar file, once."""
        kept = b"" if self._loaded else await self._journal.kept("index")
        if self._loaded:  # checked again: another task may have done it meanwhile
            return
        if kept:
            try:
                self.index = Index.from_bytes(kept, self._journal.length)
            except ValueError as error:
                logger.warning("the index of %s is made anew: %s", self._journal.info.name, error)
        self._kept, self._loaded = self.index.blocks, True

    async def close(self) -> None:
        """Write the index to its sidecar file, and stop making it. Waiters get a `ScanError`."""
        self._closed = True
        if self._making is not None:
            self._making.cancel()
            await asyncio.wait((self._making,), timeout=CLOSING)
        if self.index.blocks > self._kept:
            await self._journal.keep("index", self.index.to_bytes())


class Indexes:
    """The `LogIndexer`s of all logs. `scanners`: the processes that do the work."""

    def __init__(self, scanners: Scanners) -> None:
        self._scanners = scanners
        self._indexers: dict[Source, LogIndexer] = {}
        self._turns = Turns(BUILDERS)

    def get(self, journal: Source) -> LogIndexer | None:
        """The `LogIndexer` of a log; None: nobody has asked about its lines lately."""
        return self._indexers.get(journal)

    @contextlib.contextmanager
    def use(self, journal: Source) -> Iterator[LogIndexer]:
        """The `LogIndexer` of a log, a new one if need be. It is not dropped within the block."""
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
        """Run for ever: drop each `LogIndexer` that was not used for `idle` seconds."""
        while True:
            await asyncio.sleep(idle)
            horizon = asyncio.get_running_loop().time() - idle
            for journal, indexer in list(self._indexers.items()):
                if not indexer.users and indexer.used < horizon and self._indexers.pop(journal, None) is not None:
                    await indexer.close()

    async def close(self) -> None:
        """Close all `LogIndexer`s."""
        indexers = list(self._indexers.values())
        self._indexers.clear()
        await asyncio.gather(*(indexer.close() for indexer in indexers))
