"""Who produces a log: what becomes of an interrupted one whose time is over at the moment that somebody comes.

Categories: another log replaces it; it is gone on with; neither succeeds; it is being ended; who goes on with one is too late. Real files, no sockets.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from livelog.about import About, State, Upload
from livelog.config import Settings
from livelog.journal import Journal
from livelog.production import Production
from livelog.storage import Storage

from .live import on_loop, turns

NAME = "build"


@contextlib.contextmanager
def producing(folder: Path, grace: float) -> Iterator[tuple[Production, list[dict[str, Any]]]]:
    """Claims on the logs in a folder, and what the event loop is told that went wrong, which must be nothing."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    storage = Storage(Settings(access_token="x", temp_dir=str(folder)))
    production = Production(storage, grace)
    try:
        yield production, faults
    finally:
        production.close()
        storage.close()
        storage.stop()


async def interrupted(production: Production) -> Journal:
    """An upload whose producer has just left."""
    with production.claim(NAME):
        journal = await production.begin(About(NAME, "", 0, upload=Upload(resumable=True)))
        await production.interrupt(journal, "its producer left")
        journal.release()
    return journal


@on_loop
async def test_log_that_begins_as_time_is_over_replaces_the_interrupted_one(tmp_path: Path) -> None:
    with producing(tmp_path, 0.0) as (production, faults):
        older = await interrupted(production)
        with production.claim(NAME):
            journal = await production.begin(About(NAME, "", 0))
            await until_idle()
            assert (older.state, journal.state) == (State.ABORTED, State.LIVE)
            assert older.about.reason == "another log of this name began"
        await until_idle()
        assert journal.state is State.LIVE
        assert faults == []
        journal.release()


@on_loop
async def test_upload_that_is_gone_on_with_as_time_is_over_goes_on(tmp_path: Path) -> None:
    """Before the end of that time is dealt with."""
    with producing(tmp_path, 0.0) as (production, faults):
        journal = await interrupted(production)
        with production.claim(NAME):
            await production.resume(journal)
            await until_idle()
            assert journal.state is State.LIVE
        assert faults == []
        journal.release()


@on_loop
async def test_upload_whose_time_is_over_while_a_log_cannot_begin_is_given_up(tmp_path: Path) -> None:
    with producing(tmp_path, 0.0) as (production, faults):
        journal = await interrupted(production)
        with production.claim(NAME):
            await until_idle()
            assert not journal.state.ended
        await turns(lambda: journal.state.ended)
        assert not await production.is_claimed(NAME)
        assert journal.about.reason == "no producer came back within 0 s"
        assert faults == []


@on_loop
async def test_who_comes_while_a_log_is_only_ended_waits_for_that(tmp_path: Path) -> None:
    """It is no producer, and will be gone at once."""
    with producing(tmp_path, 60.0) as (production, faults):
        with production.claim(NAME):
            asked = asyncio.ensure_future(production.is_claimed(NAME))
            await until_idle()
            assert not asked.done()
        assert not await asked
        assert faults == []


@on_loop
async def test_who_goes_on_with_an_upload_does_not_break_off_the_log_that_replaces_it(tmp_path: Path) -> None:
    """It waits until that has begun, and no longer: there is nothing to go on with then."""
    with producing(tmp_path, 60.0) as (production, faults):
        older = await interrupted(production)
        with production.claim(NAME):
            asked = asyncio.ensure_future(production.break_off(older))
            await until_idle()
            assert not asked.done()
            journal = await production.begin(About(NAME, "", 0))
        with production.claim(NAME):
            await asked
        assert faults == []
        journal.release()


async def until_idle() -> None:
    """Let everything happen that is due by now: what waits for no clock and no disk."""
    for _ in range(20):
        await asyncio.sleep(0)
