"""Who produces a log: what becomes of an interrupted one whose time is over at the moment that somebody comes.

Categories: another log replaces it; it is gone on with; neither succeeds; it is being ended; who goes on with one is too late. Real files, no sockets.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from livelog.config import Settings
from livelog.log.catalogue import Catalogue
from livelog.log.info import LogInfo, State, Upload
from livelog.log.journal import Journal
from livelog.log.leases import Leases

from .live import on_loop, turns

NAME = "build"


@contextlib.contextmanager
def producing(folder: Path, grace: float) -> Iterator[tuple[Leases, list[dict[str, Any]]]]:
    """Leases of the logs in a folder, and what the event loop is told that went wrong, which must be nothing."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    catalogue = Catalogue(Settings(access_token="x", temp_dir=str(folder)))
    leases = Leases(catalogue, grace)
    try:
        yield leases, faults
    finally:
        leases.close()
        catalogue.close()
        catalogue.stop()


async def interrupted(leases: Leases) -> Journal:
    """An upload whose producer has just left."""
    with leases.hold(NAME):
        journal = await leases.begin(LogInfo(NAME, "", 0, upload=Upload(resumable=True)))
        await leases.interrupt(journal, "its producer left")
        journal.release()
    return journal


@on_loop
async def test_log_that_begins_as_time_is_over_replaces_the_interrupted_one(tmp_path: Path) -> None:
    with producing(tmp_path, 0.0) as (leases, faults):
        older = await interrupted(leases)
        with leases.hold(NAME):
            journal = await leases.begin(LogInfo(NAME, "", 0))
            await until_idle()
            assert (older.state, journal.state) == (State.ABORTED, State.LIVE)
            assert older.info.reason == "another log of this name began"
        await until_idle()
        assert journal.state is State.LIVE
        assert faults == []
        journal.release()


@on_loop
async def test_upload_that_is_gone_on_with_as_time_is_over_goes_on(tmp_path: Path) -> None:
    """Before the end of that time is dealt with."""
    with producing(tmp_path, 0.0) as (leases, faults):
        journal = await interrupted(leases)
        with leases.hold(NAME):
            await leases.resume(journal)
            await until_idle()
            assert journal.state is State.LIVE
        assert faults == []
        journal.release()


@on_loop
async def test_upload_whose_time_is_over_while_a_log_cannot_begin_is_given_up(tmp_path: Path) -> None:
    with producing(tmp_path, 0.0) as (leases, faults):
        journal = await interrupted(leases)
        with leases.hold(NAME):
            await until_idle()
            assert not journal.state.ended
        await turns(lambda: journal.state.ended)
        assert not await leases.is_held(NAME)
        assert journal.info.reason == "no producer came back within 0 s"
        assert faults == []


@on_loop
async def test_who_comes_while_a_log_is_only_ended_waits_for_that(tmp_path: Path) -> None:
    """It is no producer, and will be gone at once."""
    with producing(tmp_path, 60.0) as (leases, faults):
        with leases.hold(NAME):
            asked = asyncio.ensure_future(leases.is_held(NAME))
            await until_idle()
            assert not asked.done()
        assert not await asked
        assert faults == []


class Left:
    """A request whose connection is over, and which has something to settle."""

    broken_by = ""
    is_lost = True
    receiving = False
    received = 0

    def reset(self, reason: str) -> None:
        """There is nothing to break off."""


@on_loop
async def test_a_producer_that_comes_back_at_once_is_not_in_its_own_way(tmp_path: Path) -> None:
    """What it left is settled first. One that is still there is not waited for."""
    with producing(tmp_path, 60.0) as (leases, faults):
        there, left = Left(), Left()
        there.is_lost = False
        with leases.hold(NAME, there):
            assert await leases.is_held(NAME)
        with leases.hold(NAME, left):
            asked = asyncio.ensure_future(leases.is_held(NAME))
            await until_idle()
            assert not asked.done()
        assert not await asked
        assert faults == []


@on_loop
async def test_who_goes_on_with_an_upload_does_not_revoke_the_log_that_replaces_it(tmp_path: Path) -> None:
    """It waits until that has begun, and no longer: there is nothing to go on with then."""
    with producing(tmp_path, 60.0) as (leases, faults):
        older = await interrupted(leases)
        with leases.hold(NAME):
            asked = asyncio.ensure_future(leases.revoke(older))
            await until_idle()
            assert not asked.done()
            journal = await leases.begin(LogInfo(NAME, "", 0))
        with leases.hold(NAME):
            await asked
        assert faults == []
        journal.release()


async def until_idle() -> None:
    """Let everything happen that is due by now: what waits for no clock and no disk."""
    for _ in range(20):
        await asyncio.sleep(0)
