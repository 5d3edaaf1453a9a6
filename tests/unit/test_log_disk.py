"""The disk that logs are on: writes small and large, room and who makes it, and what happens when the server stops.

Categories: results of writes in order and out of it, limits with and without something to evict, stopping.
"""

import asyncio
import errno
import os
import tempfile
import threading
from concurrent.futures import Future

import pytest

from livelog.log.disk import IOV_MAX, LARGE, THREADS, Disk, Piece, Write

from .live import TIMEOUT, on_loop, open_disk, open_file, turns


def write(disk: Disk, offset: int, *pieces: Piece) -> asyncio.Future[tuple[int, OSError | None]]:
    """Write to a new file, which is closed thereafter. The future gets the outcome."""
    outcome: asyncio.Future[tuple[int, OSError | None]] = asyncio.get_running_loop().create_future()
    file = open_file()

    def written(count: int, error: OSError | None) -> None:
        outcome.set_result((count, error))
        file.close()

    disk.write(Write(file, offset, list(pieces), sum(map(len, pieces)), written))
    return outcome


@on_loop
async def test_each_write_gets_its_own_result() -> None:
    with open_disk() as disk:
        sizes = [1, LARGE - 1, LARGE, 3 * LARGE, 0, 7]
        outcomes = [write(disk, 0, bytes(size)) for size in sizes]
        assert [await outcome for outcome in outcomes] == [(size, None) for size in sizes]


@on_loop
async def test_one_write_that_fails_does_not_fail_the_others() -> None:
    with open_disk() as disk:
        good, bad, other = write(disk, 0, b"a"), write(disk, -5, b"b"), write(disk, 5, b"c", memoryview(b"d"))
        assert await good == (1, None)
        assert await other == (2, None)
        count, error = await bad
        assert count == 0
        assert error is not None
        assert error.errno == errno.EINVAL


@on_loop
async def test_many_pieces_are_written_in_order() -> None:
    with open_disk() as disk, open_file() as file:
        pieces: list[Piece] = [b"%d," % number for number in range(2 * IOV_MAX + 1)]
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        whole = b"".join(pieces)
        disk.write(Write(file, 3, pieces, len(whole), lambda count, _: done.set_result(count)))
        assert await done == len(whole)
        assert os.pread(file.fileno(), len(whole) + 3, 0) == b"\0\0\0" + whole


@on_loop
async def test_small_writes_of_one_turn_need_one_thread_and_a_large_one_has_its_own() -> None:
    blocked = threading.Event()
    with open_disk() as disk:
        for _ in range(THREADS - 1):
            disk.writers.submit(blocked.wait, TIMEOUT)  # one thread is left
        small = [write(disk, 0, b"x") for _ in range(50)]
        large = write(disk, 0, bytes(LARGE))
        assert [await outcome for outcome in small] == [(1, None)] * 50
        assert await large == (LARGE, None)
        disk.writers.submit(blocked.wait, TIMEOUT)  # none is left
        waiting = [write(disk, 0, b"x") for _ in range(50)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not any(outcome.done() for outcome in waiting)
        later = [write(disk, 0, b"y") for _ in range(50)]  # they are sent together when those before them are written
        blocked.set()
        assert [await outcome for outcome in (*waiting, *later)] == [(1, None)] * 100


@on_loop
async def test_a_disk_that_has_stopped_refuses_writes_and_closes_files_that_hang() -> None:
    blocked = threading.Event()
    file = open_file()
    with open_disk() as disk:
        for _ in range(THREADS):
            disk.writers.submit(blocked.wait, TIMEOUT)
        disk.write(Write(file, 0, [bytes(LARGE)], LARGE, lambda _count, _error: None))
        disk.stop()
        count, error = await write(disk, 0, b"x")
        assert (count, str(error)) == (0, "the server has stopped")
        blocked.set()
        await turns(lambda: file.closed)


@on_loop
async def test_room_is_made_as_long_as_there_is_something_to_evict() -> None:
    evictable = [30, 20]

    def evict() -> bool:
        if not evictable:
            return False
        disk.used -= evictable.pop(0)
        return True

    disk = Disk(tempfile.gettempdir(), max_used=100, evict=evict)
    assert disk.admit(90) is None
    assert disk.admit(10) is None
    assert evictable == [30, 20], "no more than is needed"
    assert disk.admit(40) is None
    assert (disk.used, evictable) == (90, [])
    refusal = disk.admit(11)
    assert refusal is not None
    assert (refusal.errno, disk.used) == (errno.EDQUOT, 90)
    disk.stop()


@on_loop
async def test_a_write_waits_for_room_that_is_on_its_way_back() -> None:
    slow = threading.Event()
    disk = Disk(tempfile.gettempdir(), max_used=100)
    assert disk.admit(90) is None
    disk.give_back(0, lambda: None)  # one that brings nothing
    disk.give_back(50, lambda: (slow.wait(TIMEOUT), None)[1])
    disk.note_returning()
    outcome = write(disk, 0, bytes(60))
    await asyncio.sleep(0)
    assert not outcome.done()
    slow.set()
    disk.used -= 50
    disk.note_returned()
    assert await outcome == (60, None)
    assert disk.used == 100
    count, error = await write(disk, 0, b"x")
    assert (count, error is not None and error.errno, disk.used) == (0, errno.EDQUOT, 100)
    disk.stop()


@on_loop
async def test_room_that_came_back_while_a_write_found_none_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The removal has ended when the result of the write arrives, so that none is under way any more."""
    results = iter([(0, OSError(errno.ENOSPC, "full")), (1, None)])
    begun, proceed = threading.Event(), threading.Event()

    def write_all(_write: Write, _skipped: int = 0) -> tuple[int, OSError | None]:
        begun.set()
        assert proceed.wait(TIMEOUT)
        return next(results)

    monkeypatch.setattr("livelog.log.disk._write_all", write_all)
    disk = Disk(tempfile.gettempdir())
    outcome = write(disk, 0, b"x")
    await turns(begun.is_set)
    disk.give_back(1, lambda: None)
    await turns(lambda: disk.returns == 1)
    proceed.set()
    assert await outcome == (1, None)
    disk.stop()


@on_loop
async def test_a_write_does_not_wait_for_ever_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livelog.log.disk.ROOM_TIMEOUT", 0.05)
    disk = Disk(tempfile.gettempdir(), max_used=100)
    disk.note_returning()
    count, error = await write(disk, 0, bytes(101))
    assert (count, error is not None and error.errno, disk.used) == (0, errno.EDQUOT, 0)
    disk.stop()
    assert not await disk.room_returns(float("inf"), 0)


@on_loop
async def test_the_reserve_counts_what_is_free_and_what_was_admitted_since() -> None:
    folder = tempfile.gettempdir()
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    disk = Disk(folder, reserve=free // 2)
    assert disk.admit(1000) is None
    refusal = disk.admit(free)
    assert refusal is not None
    assert refusal.errno == errno.ENOSPC
    assert await disk.check(0) is None
    disk.stop()


@on_loop
async def test_what_is_being_given_back_counts_as_free_until_a_look_can_have_seen_it() -> None:
    folder = tempfile.gettempdir()
    gigabyte, slow = 1 << 30, threading.Event()
    evicted: list[Future[None]] = []

    def remove() -> None:
        slow.wait(TIMEOUT)

    def evict() -> bool:
        if not evicted:
            evicted.append(disk.give_back(2 * gigabyte, remove))
            return True
        return False

    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    disk = Disk(folder, reserve=free + gigabyte, evict=evict)
    for _ in range(3):
        await disk.check(0)
        assert disk.admit(0) is None, "one that goes is enough"
    slow.set()
    await asyncio.wrap_future(evicted[0])
    await asyncio.sleep(0)
    assert await disk.check(0) is not None, "what was promised did not come"
    disk.stop()
