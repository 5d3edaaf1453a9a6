"""One log on a real file, with a name and without: what is appended, how it ends, what can be read.

Categories: order and batches, many pieces, watchers, endings, disks that are full from the start or halfway
(a file size limit, in a process of its own), bytes that are cached and such that are not, short files, and the
life of the file.
"""

import asyncio
import errno
import os
import random
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.errors import DiskError
from livelog.log import journal as journal_module
from livelog.log.disk import IOV_MAX, THREADS
from livelog.log.file import PROBE_STEP
from livelog.log.info import State
from livelog.log.journal import EAGER, WRITE_DISTANCE, Journal

from .live import (
    TIMEOUT,
    append,
    appended,
    close,
    file_of,
    info,
    on_loop,
    open_disk,
    open_file,
    open_journal,
    pass_time,
    turns,
    until,
)

MIB = 1024 * 1024

FULL = Path("/dev/full")
"""A device that never has space left."""


@pytest.fixture(params=["named", "unnamed"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BinaryIO]:
    """An empty file, open for reading and writing."""
    with open_file(tmp_path / "log" if request.param == "named" else None) as opened:
        yield opened


def content(file: BinaryIO) -> bytes:
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)


# Appending.


@on_loop
async def test_what_is_appended_is_on_file_once_it_is_written(file: BinaryIO) -> None:
    with open_journal(file) as journal:
        assert (journal.length, journal.state, journal.failure) == (0, State.LIVE, None)
        await append(journal, b"hello ")
        assert (journal.length, content(file)) == (6, b"hello ")
        await append(journal, memoryview(bytearray(b"-wor-"))[1:4], b"", b"ld")
        assert (journal.length, content(file)) == (11, b"hello world")
        await append(journal)
        await append(journal, b"")
        assert (journal.length, journal.state, content(file)) == (11, State.LIVE, b"hello world")


@on_loop
async def test_many_appends_at_once_are_written_in_order_each_once(file: BinaryIO) -> None:
    with open_journal(file) as journal:
        written: list[int] = []
        lengths: list[int] = []
        journal.watchers.add(lambda: lengths.append(journal.length))
        pieces = [b"%d," % number for number in range(5000)]
        for number, piece in enumerate(pieces):
            journal.append([piece], lambda number=number: written.append(number))  # type: ignore[misc]  # a default
            if number % 700 == 0:
                await asyncio.sleep(0)
        await close(journal)
        assert written == list(range(5000))
        assert content(file) == b"".join(pieces)
        assert lengths == sorted(lengths)
        assert journal.length == len(content(file)) == lengths[-1]


@pytest.mark.parametrize("count", [1, IOV_MAX - 1, IOV_MAX, IOV_MAX + 1, 3 * IOV_MAX + 7])
@on_loop
async def test_more_pieces_than_one_system_call_takes_are_written(file: BinaryIO, count: int) -> None:
    pieces = [b"%d;" % number for number in range(count)]
    pieces[count // 2] = b""
    with open_journal(file) as journal:
        await append(journal, *pieces)
        assert content(file) == b"".join(pieces)
        assert journal.length == len(content(file))


@on_loop
async def test_a_piece_may_be_large(file: BinaryIO) -> None:
    data = random.Random(1).randbytes(9 * MIB)
    with open_journal(file) as journal:
        await append(journal, b"x", memoryview(data)[1:], b"y")
        assert content(file) == b"x" + data[1:] + b"y"


@on_loop
async def test_a_write_that_is_cut_short_goes_on_where_it_was_cut() -> None:
    piece = memoryview(bytes(64 * MIB + 3))
    pieces = [piece] * 34  # Linux takes at most 2 GiB - 4 KiB in one call: this is more
    with open_journal(open_file(Path(os.devnull), "r+b")) as journal:
        await append(journal, *pieces)
        assert (journal.length, journal.failure) == (sum(map(len, pieces)), None)


@given(st.lists(st.lists(st.binary(max_size=20), max_size=5), max_size=20), st.data())
def test_any_appends_in_any_batches_give_the_same_bytes(appends: list[list[bytes]], data: st.DataObject) -> None:
    waits = data.draw(st.lists(st.booleans(), min_size=len(appends), max_size=len(appends)))

    async def scenario() -> None:
        with open_journal() as journal:
            for pieces, wait in zip(appends, waits, strict=True):
                future = appended(journal, *pieces)
                if wait:
                    await future
            await close(journal)
            wanted = b"".join(b"".join(pieces) for pieces in appends)
            assert (journal.length, content(file_of(journal))) == (len(wanted), wanted)
            assert journal.read(0, journal.length) == await journal.fetch(0, journal.length) == wanted

    asyncio.run(scenario())


@on_loop
async def test_who_is_told_of_a_write_may_append_more() -> None:
    with open_journal() as journal:
        later = [asyncio.get_running_loop().create_future() for _ in range(2)]

        def more(piece: bytes, at: int) -> None:
            journal.append([piece], lambda: later[at].set_result(None))

        journal.append([b"a"], lambda: None)  # the next ones are a batch
        journal.append([b"b"], lambda: more(b"ddd", 0))
        journal.append([b"c"], lambda: more(b"e", 1))
        await asyncio.gather(*later)  # they may be two writes
        assert content(file_of(journal)) == b"abcddde"


# Pacing.


def lengths_seen(journal: Journal) -> list[int]:
    """The lengths that watchers see: one for each write."""
    seen: list[int] = []
    journal.watchers.add(lambda: seen.append(journal.length))
    return seen


@on_loop
async def test_the_first_bytes_after_a_pause_are_written_at_once_and_the_next_few_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal_module, "WRITE_DISTANCE", TIMEOUT / 10)
    with open_journal() as journal:
        for _ in range(2):
            seen = lengths_seen(journal)
            before = journal.length
            first, *others = [appended(journal, b"x") for _ in range(10)]
            await first
            assert not any(one.done() for one in others)
            pass_time(TIMEOUT / 9)
            await asyncio.gather(*others)
            assert seen == [before + 1, before + 10]
            pass_time(TIMEOUT / 9)


@on_loop
async def test_much_is_written_without_keeping_a_distance() -> None:
    with open_journal() as journal:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(400):
            await append(journal, bytes(EAGER))
        assert loop.time() - began < 400 * WRITE_DISTANCE


@on_loop
async def test_the_end_does_not_keep_a_distance_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "WRITE_DISTANCE", 10 * TIMEOUT)
    with open_journal() as journal:
        await append(journal, b"a")
        journal.append([b"b"], lambda: None)
        await close(journal)
        assert content(file_of(journal)) == b"ab"


# Watchers.


@on_loop
async def test_watchers_are_woken_after_length_and_state_have_changed(file: BinaryIO) -> None:
    with open_journal(file) as journal:
        seen: list[tuple[int, State]] = []

        def watch() -> None:
            assert len(content(file)) == journal.length, "what counts can be read"
            seen.append((journal.length, journal.state))

        journal.watchers.add(watch)
        await append(journal, b"abc")
        await append(journal, b"de")
        await close(journal)
        assert seen == [(3, State.LIVE), (5, State.LIVE), (5, State.COMPLETE)]


@on_loop
async def test_a_watcher_may_leave_and_bring_another_while_it_is_woken() -> None:
    with open_journal() as journal:
        woken: list[str] = []

        def once() -> None:
            woken.append("once")
            journal.watchers.discard(once)
            journal.watchers.add(lambda: woken.append("later"))

        journal.watchers.add(once)
        await append(journal, b"a")
        assert woken == ["once"]
        await append(journal, b"b")
        assert woken == ["once", "later"]


# Endings.


@pytest.mark.parametrize("state", [State.COMPLETE, State.ABORTED])
@on_loop
async def test_a_log_ends_once_all_that_was_appended_is_written(file: BinaryIO, state: State) -> None:
    with open_journal(file) as journal:
        states: list[State] = []
        journal.watchers.add(lambda: states.append(journal.state))
        for _ in range(3):
            journal.append([bytes(MIB)], lambda: states.append(journal.state))
        closing = asyncio.ensure_future(close(journal, state))
        await asyncio.sleep(0)
        again = asyncio.ensure_future(close(journal))
        await asyncio.gather(closing, again)
        assert (journal.state, journal.length) == (state, 3 * MIB)
        assert set(states[:-1]) == {State.LIVE}
        assert states[-1] is state
        await close(journal, State.LIVE)
        assert journal.state is state, "it never comes back"


@on_loop
async def test_a_log_without_bytes_ends_at_once() -> None:
    with open_journal() as journal:
        await close(journal)
        assert (journal.state, journal.length, journal.read(0, 0)) == (State.COMPLETE, 0, b"")


@on_loop
async def test_who_gives_up_waiting_for_the_end_does_not_stop_it() -> None:
    with open_journal() as journal:
        journal.append([bytes(MIB)], lambda: None)
        closing = asyncio.ensure_future(close(journal))
        await asyncio.sleep(0)
        closing.cancel()
        await until(journal, lambda: journal.state is not State.LIVE)
        assert (journal.state, journal.length) == (State.COMPLETE, MIB)


# Disks that fail.


@on_loop
async def test_a_disk_that_takes_nothing_aborts_the_log() -> None:
    with open_journal(open_file(FULL, "r+b")) as journal:
        states: list[tuple[State, int]] = []
        journal.watchers.add(lambda: states.append((journal.state, journal.length)))
        written = [appended(journal, b"hello") for _ in range(3)]
        await asyncio.gather(*written)
        assert (journal.state, journal.length) == (State.ABORTED, 0)
        assert states == [(State.ABORTED, 0)]
        assert journal.failure is not None
        assert journal.failure.full
        assert str(journal.failure) == "writing the log failed: No space left on device"
        with pytest.raises(DiskError) as raised:
            await close(journal)
        assert raised.value is journal.failure
        assert (journal.state, journal.length) == (State.ABORTED, 0)


@on_loop
async def test_a_log_whose_end_is_waited_for_is_aborted_by_a_disk_that_fails() -> None:
    with open_journal(open_file(FULL, "r+b")) as journal:
        journal.append([b"hello"], lambda: None)
        with pytest.raises(DiskError):
            await close(journal)
        assert journal.state is State.ABORTED


@on_loop
async def test_a_file_that_cannot_be_written_is_told_apart_from_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    with open_journal(open_file(tmp_path / "log", "rb")) as journal:
        await append(journal, b"hello")
        assert journal.failure is not None
        assert (journal.failure.full, journal.failure.cause.errno) == (False, errno.EBADF)


LIMIT = 10_000


def limit_file_size(limit: int) -> None:
    """Let no file of this process grow beyond `limit` bytes; Python ignores the signal that comes with it."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def limited(*scenarios: Callable[[], None]) -> None:
    """Run scenarios in a process whose files are limited in size. `multiprocessing` would leave one of its own behind."""
    calls = "".join(f"; limit_file_size({LIMIT}); {scenario.__name__}()" for scenario in scenarios)
    program = f"from {__name__} import *{calls}"
    command = [sys.executable, "-W", "error", "-c", program]  # no -X dev: its asyncio tells of slowness on stderr
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.returncode, done.stderr) == (0, "")


@on_loop
async def disk_full_within_a_piece() -> None:
    with open_journal() as journal:
        await append(journal, b"x" * 9_990)
        data = random.Random(2).randbytes(100)
        ends = [appended(journal, b"12345", memoryview(data)), appended(journal, b"never")]
        await asyncio.gather(*ends, appended(journal, b"written"))
        assert (journal.state, journal.length) == (State.ABORTED, LIMIT)
        assert content(file_of(journal)) == b"x" * 9_990 + b"12345" + data[:5]
        assert journal.read(9_990, LIMIT) == await journal.fetch(9_990, LIMIT) == b"12345" + data[:5]
        assert journal.failure is not None
        assert journal.failure.full
        assert journal.failure.cause.errno == errno.EFBIG
        with pytest.raises(DiskError, match="writing the log failed: File too large"):
            await close(journal)
        assert (journal.state, journal.length) == (State.ABORTED, LIMIT)


@on_loop
async def disk_full_between_many_pieces() -> None:
    pieces = [b"%06d\n" % number for number in range(2 * IOV_MAX)]
    with open_journal() as journal:
        lengths: list[int] = []
        journal.watchers.add(lambda: lengths.append(journal.length))
        await append(journal, *pieces)
        assert (journal.state, journal.length, lengths) == (State.ABORTED, LIMIT, [LIMIT])
        assert content(file_of(journal)) == b"".join(pieces)[:LIMIT]


@on_loop
async def disk_full_and_then_not() -> None:
    with open_journal() as journal:
        await append(journal, bytes(LIMIT + 1))
        assert (journal.state, journal.length) == (State.ABORTED, LIMIT)
        limit_file_size(2 * LIMIT)
        await append(journal, b"too late")
        assert (journal.state, journal.length) == (State.ABORTED, LIMIT)


def test_a_disk_that_fills_up_cuts_the_log_where_it_did() -> None:
    limited(disk_full_within_a_piece, disk_full_between_many_pieces, disk_full_and_then_not)


# Reading.


@on_loop
async def test_any_bytes_that_count_can_be_read(file: BinaryIO) -> None:
    data = random.Random(3).randbytes(300_000)
    with open_journal(file, content=data) as journal:
        for start, stop in (
            (0, 0),
            (0, 1),
            (0, 300_000),
            (1, 2),
            (299_999, 300_000),
            (123_456, 234_567),
            (300_000, 300_000),
        ):
            assert journal.read(start, stop) == await journal.fetch(start, stop) == data[start:stop]


@on_loop
async def test_a_file_that_never_waits_is_always_cached(file: BinaryIO) -> None:
    with open_journal(file, content=bytes(MIB), nowait=0) as journal:
        assert journal.is_cached(0, MIB)
        assert journal.read(0, MIB) == bytes(MIB)


@on_loop
async def test_where_nobody_can_tell_only_what_is_fresh_is_cached(file: BinaryIO) -> None:
    with open_journal(file, content=b"hello", nowait=None) as journal:
        assert not journal.is_cached(0, 5)
        await append(journal, b" you")
        assert journal.is_cached(5, 9)
        assert not journal.is_cached(4, 9)
        assert journal.read(0, 5) == await journal.fetch(0, 5) == b"hello"


def without_waiting(file: BinaryIO) -> int:
    """The flag that reads only what is cached, where this file system has it."""
    try:
        os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            pytest.skip("this file system does not read without waiting")
    return os.RWF_NOWAIT


@on_loop
async def test_bytes_that_were_just_written_are_cached(file: BinaryIO) -> None:
    with open_journal(file, nowait=without_waiting(file)) as journal:
        await append(journal, bytes(3 * PROBE_STEP), b"end")
        assert journal.is_cached(0, journal.length)
        assert journal.is_cached(journal.length - 1, journal.length)
        assert journal.read(0, journal.length) == bytes(3 * PROBE_STEP) + b"end"


@on_loop
async def test_bytes_that_are_not_cached_are_fetched_and_then_are(file: BinaryIO) -> None:
    data = random.Random(4).randbytes(16 * PROBE_STEP)
    with open_journal(file, content=data, nowait=without_waiting(file)) as journal:
        for _ in range(100):  # the kernel passes over pages that another processor has just had in its hands
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            if not journal.is_cached(0, len(data)):
                break
        else:
            pytest.skip("this file system keeps everything in memory")
        assert await journal.fetch(0, len(data)) == data
        assert journal.is_cached(0, len(data))
        assert journal.read(0, len(data)) == data


@on_loop
async def test_a_hole_in_the_cache_costs_time_but_no_bytes(file: BinaryIO) -> None:
    data = random.Random(5).randbytes(16 * PROBE_STEP)
    with open_journal(file, content=data, nowait=without_waiting(file)) as journal:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 8 * PROBE_STEP, PROBE_STEP, os.POSIX_FADV_DONTNEED)
        assert journal.read(0, len(data)) == await journal.fetch(0, len(data)) == data


@on_loop
async def test_a_file_that_is_shorter_than_its_log_is_a_disk_error(file: BinaryIO) -> None:
    with open_journal(file, content=b"hello", nowait=without_waiting(file)) as journal:
        os.ftruncate(file.fileno(), 2)
        assert not journal.is_cached(0, 5)
        with pytest.raises(DiskError, match="reading the log failed: the file is shorter than the log"):
            journal.read(0, 5)
        with pytest.raises(DiskError, match="reading the log failed: the file is shorter than the log"):
            await journal.fetch(0, 5)


@on_loop
async def test_a_file_that_cannot_be_read_is_a_disk_error(tmp_path: Path) -> None:
    bad = pytest.raises(DiskError, match="reading the log failed: Bad file descriptor")
    with open_journal(open_file(tmp_path / "log", "wb"), content=b"hello") as journal, bad:
        await journal.fetch(0, 5)


# The file's life.


@on_loop
async def test_the_file_is_closed_when_the_last_user_releases_it(file: BinaryIO) -> None:
    with open_disk() as disk:
        journal = Journal(info(), disk, file=file)
        await append(journal, b"hello")
        journal.acquire()
        await close(journal)
        journal.release()
        assert await journal.fetch(0, 5) == b"hello"
        assert not file.closed
        journal.release()
    assert file.closed


@on_loop
async def test_the_file_stays_open_while_it_is_written(file: BinaryIO) -> None:
    with open_disk() as disk:
        journal = Journal(info(), disk, file=file)
        duplicate = os.dup(file.fileno())
        written = appended(journal, bytes(3 * MIB))
        journal.release()
        await written
        assert os.fstat(duplicate).st_size == journal.length == 3 * MIB
        os.close(duplicate)
    assert file.closed


@on_loop
async def test_the_file_stays_open_for_what_was_appended_while_it_was_written(file: BinaryIO) -> None:
    stalled = threading.Event()
    with open_disk() as disk:
        journal = Journal(info(), disk, file=file)
        duplicate = os.dup(file.fileno())
        for _ in range(THREADS):
            disk.writers.submit(stalled.wait, TIMEOUT)
        written = [appended(journal, b"one "), appended(journal, b"two")]
        journal.release()
        stalled.set()
        await asyncio.gather(*written)
        assert os.pread(duplicate, 10, 0) == b"one two"
        assert journal.failure is None
        os.close(duplicate)
    assert file.closed


@on_loop
async def test_the_file_stays_open_while_it_is_fetched_though_nobody_waits_for_that(file: BinaryIO) -> None:
    blocked = threading.Event()
    with open_disk() as disk:
        journal = Journal(info(), disk, file=file)
        await append(journal, b"hello")
        for _ in range(THREADS):
            disk.fetchers.submit(blocked.wait, TIMEOUT)
        fetching = asyncio.ensure_future(journal.fetch(0, 5))
        await asyncio.sleep(0)
        fetching.cancel()
        await asyncio.wait([fetching])
        journal.release()
        await asyncio.wrap_future(disk.writers.submit(int))
        assert not file.closed
        blocked.set()
        await turns(lambda: file.closed)


@on_loop
async def test_the_file_is_closed_even_if_there_are_no_threads_any_more(file: BinaryIO) -> None:
    with open_disk() as disk:
        journal = Journal(info(), disk, file=file)
    journal.release()
    assert file.closed


@on_loop
async def test_an_etag_is_one_logs_own_and_outlives_its_end() -> None:
    with open_journal() as first, open_journal() as second:
        etag = first.etag
        assert etag != second.etag
        assert etag[0] == etag[-1] == '"'
        await append(first, b"x")
        await close(first)
        assert first.etag == etag
