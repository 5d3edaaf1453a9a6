"""When an index goes, and what is left of it. What it says is in the tests of `index`, and of the server's answers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from livelog.about import About
from livelog.config import Settings
from livelog.journal import BLOCK, Journal
from livelog.lines.service import SOON, Indexes
from livelog.storage import Storage

from .live import append, on_loop, turns


@contextlib.asynccontextmanager
async def log(folder: Path, *pieces: bytes) -> AsyncIterator[Journal]:
    """A log in a data directory."""
    storage = Storage(Settings(access_token="x", data_dir=str(folder)))
    with contextlib.closing(storage):
        journal = await storage.begin(About("indexed", "", 0))
        for piece in pieces:
            await append(journal, piece)
        yield journal
        journal.release()
    storage.stop()


@on_loop
async def test_index_that_nobody_uses_is_dropped_and_kept_beside_its_log(tmp_path: Path) -> None:
    indexes = Indexes()
    async with log(tmp_path, b"a line\n" * BLOCK) as journal:
        indexed = indexes.of(journal)
        assert await indexed.ready()
        assert indexed.index.blocks == 7
        retiring = asyncio.ensure_future(indexes.retire(0.01))
        await turns(lambda: indexes.get(journal) is None and list(tmp_path.glob("logs/*/*.index")))
        retiring.cancel()
        assert await indexes.of(journal).ready()
        assert indexes.of(journal).index.to_bytes() == indexed.index.to_bytes()


@on_loop
async def test_nobody_who_can_do_without_an_index_waits_for_one_that_takes_long(tmp_path: Path) -> None:
    indexes = Indexes()
    async with log(tmp_path, *[bytes(64 * BLOCK)] * (SOON // 64 + 1)) as journal:
        assert not await indexes.of(journal).soon(3600)
        assert await indexes.of(journal).ready()
        assert await indexes.of(journal).soon(3600)
