"""The indexes of the logs that somebody asks about: made when they do, kept up while they do, dropped some time after.

An index is made by the threads that read the disk, in slices, so that readers who wait for the disk have their turns. With
a data directory it is kept beside its log. Refuses to know who asks, and what an index looks like inside.
"""

import asyncio
import logging
from functools import partial

from livelog.journal import BLOCK, Journal

from .groups import Groups, Mark, marks
from .index import Index, scan

SLICE = 64
"""Blocks indexed in one go, by one thread: some milliseconds."""

BUILDERS = 2
"""Indexes made at a time; as many threads are always left to readers who wait for the disk."""

SOON = 2 * 1024
"""Blocks that may be indexed while somebody waits a moment; if more are missing, the moment would be for nothing."""

GROUPS_SLICE = 1024 * 1024
"""Bytes in which groups are looked for in one go. Of a line that is longer, each piece is looked at by itself."""

IDLE = 60.0
"""Seconds without a question after which an index is dropped, or up to twice as many."""

CLOSING = 1.0
"""Seconds that the disk has to give the slice that is being read when the server stops."""

logger = logging.getLogger(__name__)


class Indexed:
    """The index of one log, which may not be there yet. `limit`: how many may be made at a time."""

    def __init__(self, journal: Journal, limit: asyncio.Semaphore) -> None:
        self.index = Index()
        self.groups = Groups()
        self._grouping = asyncio.Lock()
        self.used = asyncio.get_running_loop().time()
        self._journal = journal
        self._limit = limit
        self._loaded = False
        self._kept = 0  # blocks of the index that is kept beside the log
        self._making: asyncio.Task[None] | None = None
        self._closing = False

    async def ready(self, patience: float | None = None) -> bool:
        """Whether all whole blocks that the log has now are indexed, after `patience` seconds at most. Raises: DiskError."""
        self.used = asyncio.get_running_loop().time()
        length = self._journal.length
        await self._journal.load_times()
        await self._load()
        while self.index.blocks < length // BLOCK:
            if self._making is None or self._making.done():
                self._making = asyncio.create_task(self._make())
                self._making.add_done_callback(lambda making: making.cancelled() or making.exception())
            done, _ = await asyncio.wait((self._making,), timeout=patience)
            if not done or self._closing:
                return False
            self._making.result()
        return True

    async def soon(self, patience: float) -> bool:
        """As `ready`, but without any patience if that would be for nothing. Raises: DiskError."""
        await self._load()
        missing = self._journal.length // BLOCK - self.index.blocks
        return await self.ready(patience if missing <= SOON else 0.0)

    async def find_groups(self, patience: float) -> None:
        """Look for groups in what the log has now, for `patience` seconds. The log's file must be open. Raises: DiskError."""
        journal, groups, loop = self._journal, self.groups, asyncio.get_running_loop()
        self.used = loop.time()
        deadline, ended, length = self.used + patience, journal.state.ended, journal.length
        async with self._grouping:
            while groups.indexed < length and not groups.full and loop.time() < deadline:
                start, stop = groups.indexed, min(length, groups.indexed + GROUPS_SLICE)
                whole = ended and stop == length
                size, lines, found = await journal.run(
                    partial(_find_marks, journal, start, stop, groups.lines + 1, whole)
                )
                if not size:
                    break
                groups.add(size, lines, found)

    async def _make(self) -> None:
        """Index what the log has now. Raises: DiskError."""
        journal = self._journal
        async with self._limit:
            await journal.open()
            try:
                stop = journal.length // BLOCK
                while (first := self.index.blocks) < stop and not self._closing:
                    blocks = min(stop, first + SLICE)
                    self.index.add(await journal.run(partial(scan, journal.read, first, blocks, self.index.style)))
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
                logger.warning("the index of %s is made anew: %s", self._journal.about.name, error)
        self._kept, self._loaded = self.index.blocks, True

    async def close(self) -> None:
        """Keep what there is, and make no more."""
        self._closing = True
        if self._making is not None:
            await asyncio.wait((self._making,), timeout=CLOSING)
            self._making.cancel()
        if self.index.blocks > self._kept:
            await self._journal.keep("index", self.index.to_bytes())


def _find_marks(journal: Journal, start: int, stop: int, line: int, whole: bool) -> tuple[int, int, list[Mark]]:
    """How many bytes were looked at from `start` on, their lines, and the marks in them; `whole`: up to `stop`."""
    data = journal.read(start, stop)
    if not whole and (newline := data.rfind(b"\n")) >= 0:
        data = data[: newline + 1]
    elif not whole and len(data) < GROUPS_SLICE:
        return 0, 0, []  # a line that has not all come
    return len(data), data.count(b"\n"), marks(data, line)


class Indexes:
    """The indexes that there are."""

    def __init__(self) -> None:
        self._indexed: dict[Journal, Indexed] = {}
        self._limit = asyncio.Semaphore(BUILDERS)

    def get(self, journal: Journal) -> Indexed | None:
        """The index of a log, if there is one."""
        return self._indexed.get(journal)

    def of(self, journal: Journal) -> Indexed:
        """The index of a log; if there is none, there is one now, of nothing yet."""
        if (indexed := self._indexed.get(journal)) is None:
            indexed = self._indexed[journal] = Indexed(journal, self._limit)
        return indexed

    async def retire(self, idle: float = IDLE) -> None:
        """Drop, for ever, the indexes that nobody has used for `idle` seconds."""
        while True:
            await asyncio.sleep(idle)
            horizon = asyncio.get_running_loop().time() - idle
            for journal in [journal for journal, indexed in self._indexed.items() if indexed.used < horizon]:
                await self._indexed.pop(journal).close()

    async def close(self) -> None:
        """Drop all."""
        await asyncio.gather(*(indexed.close() for indexed in self._indexed.values()))
        self._indexed.clear()
