"""Questions about the lines of a log, and their answers over HTTP.

    /lines/{token}[/{name}]     some lines, and where they are: see `read.line_answers`
    /search/{token}[/{name}]    where a text is: see `read.search_answers`
    /groups/{token}[/{name}]    which lines belong together: see `read.collected_answers`
    /problems/{token}[/{name}]  errors and warnings: see there
    /compare/{token}[/{name}]   lines that an earlier log of the name does not have: see `read.comparing`

`Readers` has checked the token, found the log, and opened its file. Work that takes long is done by scanner processes, and by the threads that
read the disk, never on the event loop.
"""

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from livelog.errors import DiskError, ScanError
from livelog.lines.index import BLOCK
from livelog.lines.service import INDEX_PATIENCE, Indexes
from livelog.lines.workers import Scanners
from livelog.log.catalogue import Catalogue
from livelog.log.source import Source
from livelog.wire.exchange import Channel, Exchange
from livelog.wire.link import unless_lost
from livelog.wire.problem import RETRY_AFTER
from livelog.wire.response import Response

from . import problems
from .collected_answers import CollectedAnswers
from .comparing import Comparing
from .line_answers import LineAnswers, want
from .search_answers import SearchAnswers


class Queries:
    """Answers the questions; `answers` has the method for each resource."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._scanners = Scanners()
        self._indexes = Indexes(self._scanners)
        self.searches = SearchAnswers(self._indexes, self._scanners)
        """Answers searches of one log."""
        collected = CollectedAnswers(self._indexes)
        answers = {
            "lines": LineAnswers(self._indexes).answer, "search": self.searches.answer,
            "groups": collected.groups, "problems": collected.problems, "compare": Comparing(catalogue, self._scanners).answer,
        }  # fmt: skip
        self.answers: Mapping[str, Callable[[Exchange, Source], Awaitable[Response]]] = {
            resource: partial(_answer, answer) for resource, answer in answers.items()
        }

    async def retire(self) -> None:
        """Run for ever: drop the indexes that are not used any more."""
        await self._indexes.retire()

    async def close(self) -> None:
        """Write the indexes to their sidecar files, and end all processes."""
        await self._indexes.close()
        await self.searches.close()
        await self._scanners.close()

    def has_index(self, journal: Source) -> bool:
        """Whether somebody has asked for lines of a log lately."""
        return self._indexes.get(journal) is not None

    async def known_lines(self, journal: Source, length: int) -> int | None:
        """The number of lines in the first `length` bytes of a log; None: there is no index of them."""
        if self._indexes.get(journal) is None:
            return None
        with self._indexes.use(journal) as indexer, contextlib.suppress(DiskError, ScanError):
            if await indexer.soon(INDEX_PATIENCE):
                await journal.open()
                try:
                    start = min(indexer.index.blocks, length // BLOCK) * BLOCK
                    count = partial(indexer.index.lines, length, journal.read)
                    # Each viewer page asks this every few seconds, and a hand-off to a thread costs more than the work.
                    is_quick = length - start < BLOCK and (
                        not length or journal.is_cached(min(start, length - 1), length)
                    )
                    return count() if is_quick else await journal.run(count)
                finally:
                    journal.release()
        return None

    async def gaps(self, exchange: Exchange, journal: Source, most: int) -> object:
        """The `most` longest times without a byte of a log. Raises: RequestError, DiskError, ConnectionError."""
        length, ended = journal.length, journal.info.ended if journal.state.ended else None
        await journal.open()
        try:
            with self._indexes.use(journal) as indexer:
                async with unless_lost(exchange.connection):
                    return await indexer.find_gaps(length, most, None if ended is None else ended // 1000)
        except ScanError as error:
            raise problems.LINES_FAILED.error(RETRY_AFTER, reason=str(error)) from error
        finally:
            journal.release()

    def want_lines(self, connection: Channel, journal: Source) -> None:
        """Keep making the index of a log, if it is being made: a client was told that there is none yet, and may ask again."""
        if (indexer := self._indexes.get(journal)) is not None:
            want(connection, indexer)


async def _answer(
    answer: Callable[[Exchange, Source], Awaitable[Response]],
    exchange: Exchange,
    journal: Source,
) -> Response:
    """Return what `answer` does. Raises: as `answer`, but RequestError in place of ScanError."""
    try:
        return await answer(exchange, journal)
    except ScanError as error:
        text = f"looking at the lines of this log {error}" if error.excess else str(error)
        raise problems.LINES_FAILED.error(RETRY_AFTER, reason=text) from error
