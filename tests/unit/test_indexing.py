"""When an index goes, and what is left of it. What it says is in the tests of `index`, and of the server's answers."""

import asyncio
import contextlib
from pathlib import Path

from livelog.about import About
from livelog.config import Settings
from livelog.indexing import SOON, Indexes
from livelog.journal import BLOCK
from livelog.storage import Storage

from .live import append, on_loop, turns


@on_loop
async def test_index_that_nobody_uses_is_dropped_and_kept_beside_its_log(tmp_path: Path) -> None:
    storage = Storage(Settings(access_token="x", data_dir=str(tmp_path)))
    indexes = Indexes()
    with contextlib.closing(storage):
        journal = await storage.begin(About("built", "", 0))
        await append(journal, b"a line\n" * BLOCK)
        indexed = indexes.of(journal)
        assert await indexed.ready()
        assert indexed.index.blocks == 7
        retiring = asyncio.ensure_future(indexes.retire(0.01))
        await turns(lambda: indexes.get(journal) is None and list(tmp_path.glob("logs/*/*.index")))
        retiring.cancel()
        assert await indexes.of(journal).ready()
        assert indexes.of(journal).index.to_bytes() == indexed.index.to_bytes()
        journal.release()
    storage.stop()


@on_loop
async def test_nobody_who_can_do_without_an_index_waits_for_one_that_takes_long(tmp_path: Path) -> None:
    storage = Storage(Settings(access_token="x", data_dir=str(tmp_path)))
    indexes = Indexes()
    with contextlib.closing(storage):
        journal = await storage.begin(About("long", "", 0))
        for _ in range(SOON // 64 + 1):
            await append(journal, bytes(64 * BLOCK))
        assert not await indexes.of(journal).soon(3600)
        assert await indexes.of(journal).ready()
        assert await indexes.of(journal).soon(3600)
        journal.release()
    storage.stop()
