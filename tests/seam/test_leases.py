"""Who may write a log, over both implementations of `Leases`, with a real catalogue.

Categories: one lease at a time, whoever asks; what is waited for; revoking holders that listen, that are silent, and that wake up later;
granters that are lost; fencing numbers over restarts.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from livelog.config import Settings
from livelog.errors import LeaseLost, LeaseTaken
from livelog.log.catalogue import Catalogue
from livelog.log.fences import MAX_FENCES, Fences
from livelog.log.info import LogInfo, State, Upload
from livelog.log.journal import Appender, Journal
from livelog.log.leases import Lease, holding
from livelog.log.lifecycle import Lifecycle
from tests.unit.live import on_loop, turns

from .granters import Elsewhere, Granter, Here, over_both

Kind = type[Here] | type[Elsewhere]

NAME = "seam/leased"

MOMENT = 0.05
"""Seconds that a silent holder is waited for."""


class Holder:
    """A producer. `listens`: it releases its lease once it is reset."""

    def __init__(self, *, listens: bool = False, is_lost: bool = False) -> None:
        self.broken_by = ""
        self.is_lost = is_lost
        self.receiving = True
        self.received = 0
        self.told = asyncio.Event()
        self._listens = listens

    def reset(self, reason: str) -> None:
        """It is told."""
        self.broken_by = reason
        self.is_lost = self._listens
        self.told.set()


@contextlib.asynccontextmanager
async def granting(kind: Kind, above: int = 0) -> AsyncIterator[Granter]:
    """A granter."""
    granter = kind()
    await granter.begin(above)
    try:
        yield granter
    finally:
        await granter.close()


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Catalogue]:
    """The catalogue of a data directory."""
    catalogue = Catalogue(Settings(access_token="x", data_dir=str(folder / "data")))
    try:
        yield catalogue
    finally:
        catalogue.close()
        catalogue.stop()


def info(lease: Lease) -> LogInfo:
    """Of an upload that begins under a lease."""
    return LogInfo(lease.name, "", 0, upload=Upload(resumable=True), fence=lease.number)


async def append(journal: Journal, lease: Lease, data: bytes) -> None:
    """Append, as a body does. Raises: LeaseLost."""
    sink, written = Appender(journal, lease.number), asyncio.Event()
    sink.append([data], written.set)
    await written.wait()
    if sink.failure is not None:
        raise sink.failure


async def assert_adds_nothing(catalogue: Catalogue, journal: Journal, lease: Lease) -> None:
    """Whoever had a lease that is over can do nothing to the logs of its name."""
    before = journal.state, journal.length, journal.info.fence, journal.info.reason
    with pytest.raises(LeaseLost):
        await append(journal, lease, b"late")
    for act in (journal.interrupt, journal.resume, journal.fence):
        with pytest.raises(LeaseLost):
            act(lease.number)
    for late in (
        catalogue.end(journal, State.COMPLETE, "late", lease.number),
        catalogue.remove(journal, lease.number),
        catalogue.begin(info(lease)),
        catalogue.draft(info(lease)),
    ):
        with pytest.raises(LeaseLost):
            await late
    assert (journal.state, journal.length, journal.info.fence, journal.info.reason) == before
    assert catalogue.get(lease.name) is journal


# One at a time.


@over_both
@on_loop
async def test_of_many_that_want_a_lease_at_once_one_gets_it_and_the_numbers_grow(kind: Kind) -> None:
    async with granting(kind) as granter:
        clients = [granter.leases, await granter.other()]
        numbers = []
        for _ in range(5):
            wanting = [clients[each % 2].grant(NAME, Holder()) for each in range(10)]
            found = await asyncio.gather(*wanting, return_exceptions=True)
            [(place, lease)] = [(place, each) for place, each in enumerate(found) if isinstance(each, Lease)]
            assert sum(isinstance(each, LeaseTaken) for each in found) == 9
            numbers.append(lease.number)
            clients[place % 2].release(lease)
            clients[place % 2].release(lease)  # it is over: nothing happens
        assert numbers == sorted(set(numbers))


@over_both
@on_loop
async def test_leases_of_other_names_are_nobodys_business(kind: Kind) -> None:
    async with granting(kind) as granter:
        one, two = await granter.leases.grant(NAME, Holder()), await granter.leases.grant(f"{NAME}/2", Holder())
        assert {one, two} == set(granter.leases.held)
        assert await granter.leases.revoke("another/name", one.number, "nobody has it")
        granter.leases.release(one)
        assert not two.is_over
        assert set(granter.leases.held) == {two}


# What is waited for.


@over_both
@on_loop
async def test_who_only_begins_or_ends_a_log_is_waited_for(kind: Kind) -> None:
    async with granting(kind) as granter:
        lease = await granter.leases.grant(NAME)
        waiting = asyncio.ensure_future((await granter.other()).grant(NAME, Holder()))
        refused = asyncio.ensure_future((await granter.other()).grant(NAME, Holder()))
        await until_idle(granter)
        assert not waiting.done()
        granter.leases.release(lease)
        done, _ = await asyncio.wait([waiting, refused])
        assert sorted(type(each.exception()).__name__ for each in done) == ["LeaseTaken", "NoneType"]


@over_both
@on_loop
async def test_who_waits_is_refused_once_the_log_has_begun_and_is_received(kind: Kind) -> None:
    async with granting(kind) as granter:
        lease = await granter.leases.grant(NAME)
        waiting = asyncio.ensure_future((await granter.other()).grant(NAME))
        patient = asyncio.ensure_future((await granter.other()).grant(NAME, wait=True))
        await until_idle(granter)
        lease.hold(Holder())
        with pytest.raises(LeaseTaken):
            await waiting
        assert not patient.done()
        granter.leases.release(lease)
        assert (await patient).number > lease.number


@over_both
@on_loop
async def test_a_producer_that_comes_back_at_once_is_not_in_its_own_way(kind: Kind) -> None:
    """What it left is settled first."""
    async with granting(kind) as granter:
        lease = await granter.leases.grant(NAME, Holder(is_lost=True))
        waiting = asyncio.ensure_future(granter.leases.grant(NAME, Holder()))
        await until_idle(granter)
        assert not waiting.done()
        granter.leases.release(lease)
        assert (await waiting).number > lease.number


# Revoking.


@over_both
@on_loop
async def test_a_holder_that_is_told_settles_first(kind: Kind) -> None:
    async with granting(kind) as granter:
        holder = Holder(listens=True)
        lease = await granter.leases.grant(NAME, holder)
        revoking = asyncio.ensure_future((await granter.other()).revoke(NAME, lease.number, "there is another"))
        await holder.told.wait()
        await until_idle(granter)
        assert (holder.broken_by, lease.is_over, revoking.done()) == ("there is another", False, False)
        granter.leases.release(lease)
        assert await revoking


@over_both
@on_loop
async def test_a_lease_that_is_newer_than_what_is_revoked_stays(kind: Kind) -> None:
    async with granting(kind) as granter:
        async with holding(granter.leases, NAME) as older:
            pass
        holder = Holder()
        async with holding(granter.leases, NAME, holder) as lease:
            assert not await granter.leases.revoke(NAME, older.number, "there is another")
            assert (holder.broken_by, lease.is_over) == ("", False)
        assert await granter.leases.revoke(NAME, older.number, "there is another")


@over_both
@on_loop
async def test_a_silent_holder_loses_its_lease_and_adds_nothing_when_it_wakes_up(kind: Kind, tmp_path: Path) -> None:
    async with granting(kind) as granter:
        with opened(tmp_path) as catalogue:
            silent = await granter.leases.grant(NAME, holder := Holder())
            journal = await catalogue.begin(info(silent))
            await append(journal, silent, b"in time ")
            # What it had handed over before counts, though it is not on file yet.
            Appender(journal, silent.number).append([b"just so "], lambda: None)
            lifecycle = Lifecycle(catalogue, await granter.other(), 60.0, patience=MOMENT)
            assert await lifecycle.revoke(journal)
            assert (journal.state, journal.length) == (State.INTERRUPTED, 16)
            await turns(lambda: silent.is_over)
            assert holder.broken_by
            await assert_adds_nothing(catalogue, journal, silent)
            async with holding(granter.leases, NAME, Holder()) as lease:
                await lifecycle.resume(journal, lease)
                await assert_adds_nothing(catalogue, journal, silent)
                await append(journal, lease, b"and on")
                await lifecycle.end(journal, State.COMPLETE, "the body ended", lease)
                journal.release()
            await assert_adds_nothing(catalogue, journal, silent)
            granter.leases.release(silent)
            assert journal.read(0, journal.length) == b"in time just so and on"
            journal.release()
            lifecycle.close()


@over_both
@on_loop
async def test_a_silent_holder_begins_no_log_where_its_own_was_replaced_or_removed(kind: Kind, tmp_path: Path) -> None:
    async with granting(kind) as granter:
        with opened(tmp_path) as catalogue:
            silent = await granter.leases.grant(NAME, Holder())
            draft = await catalogue.draft(info(silent))
            assert await granter.leases.revoke(NAME, silent.number, "it is silent", patience=MOMENT)
            async with holding(granter.leases, NAME) as lease:
                journal = await catalogue.begin(info(lease))
                with pytest.raises(LeaseLost):
                    await catalogue.publish(draft)
                await assert_adds_nothing(catalogue, journal, silent)
                await catalogue.end(journal, State.ABORTED, "the log was removed", lease.number)
                await catalogue.remove(journal, lease.number)
                journal.release()
            for late in (catalogue.begin(info(silent)), catalogue.publish(draft)):
                with pytest.raises(LeaseLost):
                    await late
            assert catalogue.get(NAME) is None
            await catalogue.discard(draft)


@over_both
@on_loop
async def test_an_end_that_was_under_way_when_a_lease_was_taken_away_comes_first(kind: Kind, tmp_path: Path) -> None:
    async with granting(kind) as granter:
        with opened(tmp_path) as catalogue:
            silent = await granter.leases.grant(NAME, Holder())
            journal = await catalogue.begin(info(silent))
            ending = asyncio.ensure_future(catalogue.end(journal, State.COMPLETE, "the body ended", silent.number))
            lifecycle = Lifecycle(catalogue, granter.leases, 60.0, patience=0.0)
            assert await lifecycle.revoke(journal)
            assert journal.state is State.COMPLETE
            await ending
            journal.release()


@over_both
@on_loop
async def test_who_takes_an_upload_over_lets_another_log_begin_in_its_place(kind: Kind, tmp_path: Path) -> None:
    """Also while the upload is ended already, under the lease of the log that replaces it."""
    async with granting(kind) as granter:
        with opened(tmp_path) as catalogue:
            lifecycle = Lifecycle(catalogue, await granter.other(), 60.0)
            async with holding(granter.leases, NAME) as older:
                journal = await lifecycle.begin(info(older))
                await lifecycle.interrupt(journal, "the producer left", older)
                journal.release()
            async with holding(granter.leases, NAME) as lease:
                beginning = asyncio.ensure_future(lifecycle.begin(info(lease)))
                await turns(lambda: journal.info.fence == lease.number)
                revoking = asyncio.ensure_future(lifecycle.revoke(journal))
                newer = await beginning
                await until_idle(granter)
                lease.hold(holder := Holder())
                assert await revoking
                assert (holder.broken_by, lease.is_over) == ("", False)
                await lifecycle.end(newer, State.COMPLETE, "the body ended", lease)
                newer.release()
            lifecycle.close()


# Granters that are lost.


@over_both
@on_loop
async def test_logs_go_on_under_a_new_granter_and_the_old_leases_are_void(kind: Kind, tmp_path: Path) -> None:
    async with granting(kind) as granter:
        with opened(tmp_path) as catalogue:
            before, holder = granter.leases, Holder()
            old = await before.grant(NAME, holder)
            journal = await catalogue.begin(info(old))
            await append(journal, old, b"before ")
            await granter.be_lost()
            await append(journal, old, b"nobody else writes yet ")
            await granter.begin(above=journal.info.fence)
            async with holding(granter.leases, NAME, Holder()) as lease:
                assert lease.number > old.number
                journal.fence(lease.number)
                await assert_adds_nothing(catalogue, journal, old)
                await append(journal, lease, b"after")
                await catalogue.end(journal, State.COMPLETE, "the body ended", lease.number)
            assert journal.read(0, journal.length) == b"before nobody else writes yet after"
            journal.release()


@on_loop
async def test_who_has_a_lease_or_wants_one_hears_that_the_granter_was_lost() -> None:
    async with granting(Elsewhere) as granter:
        holder = Holder()
        lease = await granter.leases.grant(NAME, holder)
        wanting = asyncio.ensure_future(granter.leases.grant(NAME, wait=True))
        revoking = asyncio.ensure_future(granter.leases.revoke(NAME, lease.number, "there is another"))
        await holder.told.wait()
        holder.told.clear()
        await granter.be_lost()
        await holder.told.wait()
        assert (holder.broken_by, lease.is_over) == ("nobody grants leases any more", True)
        for lost in (wanting, revoking, granter.leases.grant("another"), granter.leases.revoke("another", 1, "")):
            with pytest.raises(LeaseLost):
                await lost
        granter.leases.release(lease)


@on_loop
async def test_a_process_that_is_lost_gives_its_leases_back() -> None:
    async with granting(Elsewhere) as granter:
        client = await granter.other()
        assert not isinstance(client, Here)
        lease = await client.grant(NAME, Holder())
        waiting = asyncio.ensure_future(granter.leases.grant(NAME, wait=True))
        await client.close()  # type: ignore[attr-defined]  # it is a `RemoteLeases`
        assert (await waiting).number > lease.number


# Fencing numbers.


@over_both
@on_loop
async def test_fencing_numbers_grow_over_a_restart_from_what_is_kept_with_the_log(kind: Kind, tmp_path: Path) -> None:
    future = 2**60  # whatever the clock says
    async with granting(kind, above=future) as granter:
        with opened(tmp_path) as catalogue:
            async with holding(granter.leases, NAME) as lease:
                journal = await catalogue.begin(info(lease))
                journal.interrupt(lease.number)
                await journal.save()
                journal.release()
    with opened(tmp_path) as catalogue:
        kept = catalogue.get(NAME)
        assert kept is not None
        assert kept.info.fence == lease.number > future
        async with granting(kind, above=kept.info.fence) as granter, holding(granter.leases, NAME) as again:
            assert again.number > lease.number
            kept.fence(again.number)
            await assert_adds_nothing(catalogue, kept, lease)


def test_names_that_lost_their_logs_last_are_remembered() -> None:
    fences = Fences()
    for number in range(MAX_FENCES + 1):
        fences.removed(LogInfo(f"name/{number}", "", 0, fence=5))
    fences.check(LogInfo("name/0", "", 0, fence=4), None)
    for number in (1, MAX_FENCES):
        fences.check(LogInfo(f"name/{number}", "", 0, fence=5), None)
        with pytest.raises(LeaseLost):
            fences.check(LogInfo(f"name/{number}", "", 0, fence=4), None)


async def until_idle(granter: Granter) -> None:
    """Let everything happen that was asked for before: messages come in order, so an answer to a later question tells."""
    for client in (await granter.other(), granter.leases):
        async with holding(client, "nobody's"):
            await asyncio.sleep(0)
