"""The lives of logs: what becomes of an interrupted one whose time is over as somebody comes, or whose producer loses its lease.

Categories: another log replaces it; it is gone on with; neither succeeds; who goes on with one is too late, or the later of two, or finds
a producer that is silent. Real files, no sockets.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from livelog.config import Settings
from livelog.errors import LeaseLost
from livelog.log.catalogue import Catalogue
from livelog.log.info import LogInfo, State, Upload
from livelog.log.journal import Appender, Journal
from livelog.log.leases import Holder, Lease, LocalLeases, holding
from livelog.log.lifecycle import TAKEN_OVER, Lifecycle

from .live import on_loop, turns

NAME = "build"


@contextlib.contextmanager
def producing(
    folder: Path, grace: float, patience: float | None = None, leases: LocalLeases | None = None
) -> Iterator[tuple[Lifecycle, LocalLeases, list[dict[str, Any]]]]:
    """The lives of the logs in a folder, their leases, and what the event loop is told that went wrong, which must be nothing."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
    catalogue, leases = Catalogue(Settings(access_token="x", temp_dir=str(folder))), leases or LocalLeases()
    lifecycle = Lifecycle(catalogue, leases, grace, patience=patience)
    try:
        yield lifecycle, leases, faults
    finally:
        lifecycle.close()
        catalogue.close()
        catalogue.stop()


class Producer:
    """A request that holds a lease."""

    broken_by = ""
    is_lost = False
    receiving = True
    received = 0

    def reset(self, reason: str) -> None:
        """It is settled by the test."""
        self.broken_by = reason


async def interrupted(lifecycle: Lifecycle, leases: LocalLeases) -> Journal:
    """An upload whose producer has just left."""
    async with holding(leases, NAME) as lease:
        journal = await lifecycle.begin(LogInfo(NAME, "", 0, upload=Upload(resumable=True), fence=lease.number))
        await lifecycle.interrupt(journal, "its producer left", lease)
        journal.release()
    return journal


@on_loop
async def test_log_that_begins_as_time_is_over_replaces_the_interrupted_one(tmp_path: Path) -> None:
    with producing(tmp_path, 0.0) as (lifecycle, leases, faults):
        older = await interrupted(lifecycle, leases)
        async with holding(leases, NAME) as lease:
            journal = await lifecycle.begin(LogInfo(NAME, "", 0, fence=lease.number))
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
    with producing(tmp_path, 0.0) as (lifecycle, leases, faults):
        journal = await interrupted(lifecycle, leases)
        async with holding(leases, NAME) as lease:
            await lifecycle.resume(journal, lease)
            await until_idle()
            assert journal.state is State.LIVE
        assert faults == []
        journal.release()


@on_loop
async def test_upload_whose_time_is_over_while_a_log_cannot_begin_is_given_up(tmp_path: Path) -> None:
    with producing(tmp_path, 0.0) as (lifecycle, leases, faults):
        journal = await interrupted(lifecycle, leases)
        async with holding(leases, NAME):
            await until_idle()
            assert not journal.state.ended
        await turns(lambda: journal.state.ended)
        await turns(lambda: not leases.held)
        assert journal.info.reason == "no producer came back within 0 s"
        assert faults == []


class Lost(LocalLeases):
    """Leases whose granter cannot be reached for a while."""

    is_lost, asked = False, 0

    async def grant(
        self, name: str, holder: Holder | None = None, *, bounded: bool = False, wait: bool = False
    ) -> Lease:
        self.asked += 1
        if self.is_lost:
            raise LeaseLost
        return await super().grant(name, holder, bounded=bounded, wait=wait)


@on_loop
async def test_upload_whose_time_is_over_while_nobody_grants_leases_is_given_up_later(tmp_path: Path) -> None:
    leases = Lost()
    with producing(tmp_path, 0.0, leases=leases) as (lifecycle, _, faults):
        journal = await interrupted(lifecycle, leases)
        leases.is_lost, asked = True, leases.asked
        await turns(lambda: leases.asked > asked + 2)
        assert not journal.state.ended
        leases.is_lost = False
        await turns(lambda: journal.state.ended)
        assert faults == []


@on_loop
async def test_who_goes_on_with_an_upload_does_not_revoke_the_log_that_replaces_it(tmp_path: Path) -> None:
    """It waits until that has begun, and no longer: there is nothing to go on with then."""
    with producing(tmp_path, 60.0) as (lifecycle, leases, faults):
        older = await interrupted(lifecycle, leases)
        async with holding(leases, NAME) as lease:
            asked = asyncio.ensure_future(lifecycle.revoke(older))
            await until_idle()
            assert not asked.done()
            journal = await lifecycle.begin(LogInfo(NAME, "", 0, fence=lease.number))
            lease.hold(Producer())
            assert await asked
            assert not lease.is_over
        assert faults == []
        journal.release()


@on_loop
async def test_who_goes_on_with_an_upload_leaves_the_log_that_is_received_before_it_begins(tmp_path: Path) -> None:
    """Its digest may be wrong: then the older one is still there."""
    with producing(tmp_path, 60.0) as (lifecycle, leases, faults):
        older = await interrupted(lifecycle, leases)
        async with holding(leases, NAME, Producer()) as lease:
            assert not await lifecycle.revoke(older)
            assert not lease.is_over
        assert await lifecycle.revoke(older)
        assert (older.state, faults) == (State.INTERRUPTED, [])


@on_loop
async def test_of_two_that_go_on_with_an_upload_the_later_one_does(tmp_path: Path) -> None:
    with producing(tmp_path, 60.0) as (lifecycle, leases, faults):
        journal = await interrupted(lifecycle, leases)
        number = journal.info.fence
        first = Producer()
        async with holding(leases, NAME, first) as lease:
            await lifecycle.resume(journal, lease)
            asked = asyncio.ensure_future(lifecycle.revoke(journal))
            await until_idle()
            assert first.broken_by == TAKEN_OVER
            assert not asked.done()
            await lifecycle.interrupt(journal, "it was broken off", lease)
        assert await asked
        assert (journal.state, faults) == (State.INTERRUPTED, [])
        assert journal.info.fence == lease.number > number
        journal.release()


@on_loop
async def test_producer_that_does_not_settle_in_time_loses_its_log_and_adds_nothing_any_more(tmp_path: Path) -> None:
    with producing(tmp_path, 60.0, patience=0.01) as (lifecycle, leases, faults):
        silent = await leases.grant(NAME, Producer())
        journal = await lifecycle.begin(LogInfo(NAME, "", 0, upload=Upload(resumable=True), fence=silent.number))
        sink = Appender(journal, silent.number)
        sink.append([b"in time"], lambda: None)
        assert await lifecycle.revoke(journal)
        assert (journal.state, journal.length, silent.is_over) == (State.INTERRUPTED, 7, True)
        written = asyncio.Event()
        sink.append([b"too late"], written.set)
        await written.wait()
        assert isinstance(sink.failure, LeaseLost)
        for late in (
            lifecycle.interrupt(journal, "late", silent),
            lifecycle.end(journal, State.COMPLETE, "late", silent),
            lifecycle.resume(journal, silent),
            lifecycle.begin(LogInfo(NAME, "", 0, fence=silent.number)),
        ):
            with pytest.raises(LeaseLost):
                await late
        leases.release(silent)
        async with holding(leases, NAME) as lease:
            await lifecycle.resume(journal, lease)
            await lifecycle.end(journal, State.COMPLETE, "in time", lease)
        assert (journal.state, journal.read(0, journal.length), faults) == (State.COMPLETE, b"in time", [])
        journal.release()
        journal.release()


async def until_idle() -> None:
    """Let everything happen that is due by now: what waits for no clock and no disk."""
    for _ in range(20):
        await asyncio.sleep(0)
