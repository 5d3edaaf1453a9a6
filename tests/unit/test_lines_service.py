"""When an index goes, and what is left of it. What it says is in the tests of `index`, and of the server's answers."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from livelog.config import Settings
from livelog.errors import ScanError
from livelog.lines.index import BLOCK
from livelog.lines.service import SOON, Indexes
from livelog.lines.workers import Scanners
from livelog.log.catalogue import Catalogue
from livelog.log.info import LogInfo
from livelog.log.journal import Journal
from tests.harness import children

from .live import append, on_loop, turns


@contextlib.asynccontextmanager
async def log(folder: Path, *pieces: bytes) -> AsyncIterator[Journal]:
    """A log in a data directory."""
    catalogue = Catalogue(Settings(access_token="x", data_dir=str(folder)))
    with contextlib.closing(catalogue):
        journal = await catalogue.begin(LogInfo("indexed", "", 0))
        for piece in pieces:
            await append(journal, piece)
        yield journal
        journal.release()
    catalogue.stop()


@contextlib.asynccontextmanager
async def indexes() -> AsyncIterator[Indexes]:
    """What is known of logs; no process is left at the end."""
    scanners = Scanners()
    known = Indexes(scanners)
    yield known
    await known.close()
    await scanners.close()


@on_loop
async def test_index_that_nobody_uses_is_dropped_and_kept_beside_its_log(tmp_path: Path) -> None:
    async with log(tmp_path, b"a line\n" * BLOCK) as journal, indexes() as known:
        with known.use(journal) as indexer:
            assert await indexer.ready()
        assert indexer.index.blocks == 7
        retiring = asyncio.ensure_future(known.retire(0.01))
        await turns(lambda: known.get(journal) is None and list(tmp_path.glob("logs/*/*.index")))
        retiring.cancel()
        with known.use(journal) as again:
            assert await again.ready()
        assert again is not indexer
        assert again.index.to_bytes() == indexer.index.to_bytes()


@on_loop
@pytest.mark.long
@pytest.mark.parametrize("stopped", [False, True], ids=["works", "hangs"])
async def test_process_that_is_silent_is_waited_for_while_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stopped: bool
) -> None:
    monkeypatch.setattr("livelog.lines.workers.SILENCE", 2.0)
    scanners = Scanners()
    async with log(tmp_path, b"a" * 60 + b"b\n") as journal:
        query = {"text": "(a+)+$", "regex": True, "size": journal.length, "start": journal.length, "newlines": None}
        scan = await scanners.begin("search", [journal], query, seconds=60.0, reuse=False)
        if stopped:
            for child in processes():
                os.kill(child, signal.SIGSTOP)
        with pytest.raises(ScanError, match="said and did nothing for 2 s" if stopped else "takes too long"):
            while await scan.part() is not None:
                pass
    await scanners.close()
    assert not processes()


@on_loop
async def test_nobody_who_can_do_without_an_index_waits_for_one_that_takes_long(tmp_path: Path) -> None:
    async with log(tmp_path, *[bytes(64 * BLOCK)] * (SOON // 64 + 1)) as journal, indexes() as known:
        with known.use(journal) as indexer:
            assert not await indexer.soon(3600)
            assert await indexer.ready()
            assert await indexer.soon(3600)


@on_loop
async def test_index_that_is_waited_for_is_not_dropped_however_long_it_takes(tmp_path: Path) -> None:
    coloured = b"\x1b[32mok\x1b[39m line\n" * 50_000
    async with log(tmp_path, *[coloured] * 6) as journal, indexes() as known:
        retiring = asyncio.ensure_future(known.retire(0.001))
        with known.use(journal) as indexer:
            assert await indexer.ready()
            assert known.get(journal) is indexer
            assert indexer.index.lines(journal.length, journal.read) == 300_000
        await turns(lambda: known.get(journal) is None)
        retiring.cancel()


@on_loop
async def test_whoever_waits_for_an_index_that_is_closed_is_told(tmp_path: Path) -> None:
    async with log(tmp_path, *[bytes(64 * BLOCK)] * 16) as journal, indexes() as known:
        with known.use(journal) as indexer:
            waiting = asyncio.ensure_future(indexer.ready())
            assert not await indexer.ready(0.0)
            await known.close()
            with pytest.raises(ScanError):
                await waiting
            with pytest.raises(ScanError):
                await indexer.ready(0.0)


@on_loop
async def test_dropping_what_nobody_uses_and_closing_all_do_not_meet(tmp_path: Path) -> None:
    async with log(tmp_path, bytes(64 * BLOCK)) as journal, indexes() as known:
        with known.use(journal) as indexer:
            assert await indexer.ready()
        retiring = asyncio.ensure_future(known.retire(0.0))
        for _ in range(20):
            with known.use(journal):
                await known.close()
            await asyncio.sleep(0)
        assert not retiring.done()
        retiring.cancel()


@on_loop
async def test_index_is_not_made_any_more_when_nobody_waits_for_it(tmp_path: Path) -> None:
    coloured = b"\x1b[32mok\x1b[39m line\n" * 50_000
    async with log(tmp_path, *[coloured] * 24) as journal, indexes() as known:
        with known.use(journal) as indexer:
            waiting = asyncio.ensure_future(indexer.ready())
            while not indexer.index.blocks:
                await indexer.ready(0.01)
            waiting.cancel()
            await turns(lambda: not indexer.making)
            assert indexer.index.blocks < journal.length // BLOCK


@on_loop
@pytest.mark.parametrize("new", [True, False], ids=["new", "kept"])
async def test_process_that_is_killed_makes_an_error_and_the_next_one_goes_on(tmp_path: Path, *, new: bool) -> None:
    async with log(tmp_path, b"a line\n" * BLOCK) as journal, indexes() as known:
        with known.use(journal) as indexer:
            if not new:
                assert await indexer.ready()
                await append(journal, b"a line\n" * BLOCK)
            waiting = asyncio.ensure_future(indexer.ready())
            await turns(lambda: bool(processes()))
            [child] = processes()
            os.kill(child, signal.SIGSTOP)  # so that it cannot be done before it is killed
            for _ in range(3):
                assert not await indexer.ready(0.01)
            os.kill(child, signal.SIGKILL)
            with pytest.raises(ScanError, match="exit code -9"):
                await waiting
            assert await indexer.ready()
            assert indexer.index.lines(journal.length, journal.read) == journal.length // len(b"a line\n")


@on_loop
async def test_process_that_was_killed_when_it_had_no_job_is_missed_by_nobody(tmp_path: Path) -> None:
    async with log(tmp_path, bytes(64 * BLOCK)) as journal, indexes() as known:
        with known.use(journal) as indexer:
            assert await indexer.ready()
            [child] = processes()
            os.kill(child, signal.SIGKILL)
            await turns(lambda: not Path(f"/proc/{child}").exists())  # asyncio has taken note of its end
            await append(journal, bytes(64 * BLOCK))
            assert await indexer.ready()
            assert indexer.index.blocks == 128


def processes() -> list[int]:
    """The processes that look at lines. Other tests may have left this one processes of other kinds."""
    found = []
    for child in children(os.getpid()):
        with contextlib.suppress(FileNotFoundError):
            if b"livelog.lines.scanner" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
    return found
