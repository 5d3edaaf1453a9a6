"""Which logs there are: beginning, waiting, replacing, ending, making room, and what is there again after a restart.

Categories: files without names, with and without the system's help; waiters that get a log, give up, are
cancelled or sent home; replaced logs that go on for their readers; directories that are missing or vanish; logs that
go for their number, bytes or age, and such that may not; restarts.
"""

import asyncio
import contextlib
import functools
import gc
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from livelog.config import Settings
from livelog.errors import ConfigError, DiskError, Stopping, TooManyLogs
from livelog.log.catalogue import UNNAMED, Catalogue
from livelog.log.disk import THREADS
from livelog.log.info import LogInfo, State, Upload, new_generation, now, timestamp
from livelog.log.journal import Journal
from livelog.log.status import describe
from livelog.read.queries import Queries

from .live import append, close, file_of, on_loop, turns


@contextlib.contextmanager
def opened(temp_dir: Path | None = None, **settings: Any) -> Iterator[Catalogue]:
    """A storage with those settings, by default one whose logs end with it."""
    catalogue = Catalogue(Settings(access_token="x", temp_dir=None if temp_dir is None else str(temp_dir), **settings))
    try:
        yield catalogue
    finally:
        catalogue.close()
        catalogue.stop()


async def begin(catalogue: Catalogue, name: str = UNNAMED, **known: Any) -> Journal:
    """A new log."""
    return await catalogue.begin(LogInfo(name, "", 0, **known))


async def ended(catalogue: Catalogue, name: str, content: bytes = b"x", state: State = State.COMPLETE) -> Journal:
    """A log that has ended, and that nobody writes or reads."""
    journal = await begin(catalogue, name)
    await append(journal, content)
    await catalogue.end(journal, state, "the test wants it so")
    journal.release()
    return journal


def names(catalogue: Catalogue) -> list[str]:
    """The logs that there are, the newest first."""
    return [journal.info.name for journal in catalogue.newest_first()]


def is_empty(directory: Path) -> bool:
    return not any(directory.iterdir())


@contextlib.contextmanager
def held(pool: ThreadPoolExecutor) -> Iterator[None]:
    """None of the disk's threads in `pool` takes another job: what is asked of them comes later than what happens here."""
    let_go = threading.Event()
    for _ in range(THREADS):
        pool.submit(let_go.wait)
    try:
        yield
    finally:
        let_go.set()


@pytest.fixture(params=["O_TMPFILE", "mkstemp"])
def directory(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, on a system that can make files without names, and on one that cannot."""
    if request.param == "mkstemp":
        monkeypatch.delattr(os, "O_TMPFILE")
    return tmp_path


# Logs that end with the process.


@on_loop
async def test_a_log_begins_empty_and_leaves_no_name_in_the_directory(directory: Path) -> None:
    with opened(directory) as catalogue:
        assert catalogue.get(UNNAMED) is None
        before = now()
        journal = await begin(catalogue, content_type="text/x")
        assert catalogue.get(UNNAMED) is journal
        assert (journal.length, journal.state, journal.info.content_type) == (0, State.LIVE, "text/x")
        assert before <= journal.info.began <= now()
        assert is_empty(directory)
        await append(journal, b"hello")
        assert await journal.fetch(0, 5) == b"hello"
        assert journal.read(0, 5) == b"hello"
        assert is_empty(directory)
        await close(journal)
        assert os.fstat(journal.fileno()).st_nlink == 0
        journal.release()
    assert is_empty(directory)


@on_loop
async def test_the_systems_directory_is_the_default() -> None:
    with opened() as catalogue:
        journal = await begin(catalogue, "name")
        await append(journal, b"hello")
        assert await journal.fetch(0, 5) == b"hello"
        await close(journal)
        journal.release()


@on_loop
async def test_a_file_is_not_inherited_and_not_shared(tmp_path: Path) -> None:
    with opened(tmp_path) as catalogue:
        first, second = [await begin(catalogue, name) for name in ("a", "b")]
        assert not os.get_inheritable(first.fileno())
        assert os.fstat(first.fileno()).st_mode & 0o077 == 0
        await append(first, b"one")
        await append(second, b"other")
        assert (await first.fetch(0, 3), await second.fetch(0, 5)) == (b"one", b"other")
        assert first.etag != second.etag
        first.release()
        second.release()


@on_loop
async def test_a_replaced_log_goes_on_for_those_who_have_it(tmp_path: Path) -> None:
    with opened(tmp_path) as catalogue:
        old = await begin(catalogue)
        file = file_of(old)
        await append(old, b"old")
        new = await begin(catalogue)
        assert catalogue.get(UNNAMED) is new is await catalogue.wait(UNNAMED, 1)
        assert (new.length, old.etag == new.etag) == (0, False)
        assert (old.state, old.info.reason) == (State.ABORTED, "another log of this name began")
        assert await old.fetch(0, 3) == b"old"
        assert names(catalogue) == [UNNAMED]
        old.release()
        await turns(lambda: file.closed)
        assert not file_of(new).closed
        new.release()


@on_loop
async def test_all_who_wait_get_the_log_when_it_begins(tmp_path: Path) -> None:
    with opened(tmp_path) as catalogue:
        waiting = [asyncio.ensure_future(catalogue.wait("name", 60)) for _ in range(3)]
        other = asyncio.ensure_future(catalogue.wait("other", 60))
        await asyncio.sleep(0)
        waiting[0].cancel()
        journal = await begin(catalogue, "name")
        assert await waiting[1] is journal is await waiting[2]
        journal.release()
        newer = await begin(catalogue, "name")
        assert newer is not journal
        newer.release()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        assert not other.done()
        other.cancel()


@pytest.mark.parametrize("timeout", [-1, 0, 0.001])
@on_loop
async def test_who_waits_too_long_gets_none_and_may_wait_again(tmp_path: Path, timeout: float) -> None:
    with opened(tmp_path) as catalogue:
        assert await catalogue.wait("name", timeout) is None
        waiting = asyncio.ensure_future(catalogue.wait("name", 60))
        await asyncio.sleep(0)
        journal = await begin(catalogue, "name")
        assert await waiting is journal is await catalogue.wait("name", timeout)
        journal.release()


@on_loop
async def test_a_log_that_nobody_waits_for_any_more_is_forgotten(tmp_path: Path) -> None:
    """However many names were asked for that no log ever had."""

    def futures() -> int:
        gc.collect()
        return sum(type(thing) is asyncio.Future for thing in gc.get_objects())

    with opened(tmp_path) as catalogue:
        before = futures()
        for number in range(100):
            assert await catalogue.wait(f"never/{number}", 1e-6) is None
        await turns(lambda: futures() == before)


@on_loop
async def test_closing_sends_home_who_waits_and_forgets_all_logs(tmp_path: Path) -> None:
    with opened(tmp_path) as catalogue:
        waiting = [asyncio.ensure_future(catalogue.wait("name", 60)) for _ in range(2)]
        journal = await begin(catalogue, "other")
        file = file_of(journal)
        await append(journal, b"still")
        woken: list[bool] = []
        journal.watchers.add(lambda: woken.append(journal.at_end))
        catalogue.close()
        assert woken == [True], "who follows it is told that nothing will come"
        assert [await waiter for waiter in waiting] == [None, None]
        assert catalogue.get("other") is None
        assert await catalogue.wait("other", 60) is None
        assert journal.read(0, 5) == await journal.fetch(0, 5) == b"still"
        journal.release()
        await turns(lambda: file.closed)


def test_a_missing_directory_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), opened(tmp_path / "missing"):
        pass


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError), opened(tmp_path / "file"):
        pass
    with pytest.raises(NotADirectoryError), opened(data_dir=str(tmp_path / "file" / "data")):
        pass


@on_loop
async def test_a_directory_that_vanished_is_a_disk_error_and_the_older_log_stays(directory: Path) -> None:
    inner = directory / "inner"
    inner.mkdir()
    with opened(inner) as catalogue:
        journal = await begin(catalogue)
        inner.rmdir()
        with pytest.raises(DiskError, match="creating the log's file failed: No such file or directory"):
            await begin(catalogue)
        assert catalogue.get(UNNAMED) is journal
        inner.mkdir()
        newer = await begin(catalogue)
        assert newer is catalogue.get(UNNAMED) is not journal
        newer.release()
        journal.release()


@on_loop
async def test_a_scratch_journal_is_no_log_and_its_bytes_are_given_back() -> None:
    with opened(max_total_size=100) as catalogue:
        scratch = await catalogue.scratch()
        file = file_of(scratch)
        await append(scratch, bytes(60))
        assert (names(catalogue), catalogue.used) == ([], 60)
        await catalogue.discard(scratch)
        assert catalogue.used == 0
        await turns(lambda: file.closed)


@on_loop
async def test_bytes_that_are_on_their_way_to_a_scratch_journal_are_given_back_too() -> None:
    """Its producer has left: nobody waits for them."""
    with opened(max_total_size=100) as catalogue:
        scratch = await catalogue.scratch()
        written: list[int] = []
        for number in range(3):  # the first one is written while the others wait
            scratch.append([bytes(20)], functools.partial(written.append, number))
        await catalogue.discard(scratch)
        assert (written, catalogue.used) == ([0, 1, 2], 0)


def kept_files(data_dir: Path, folder: str = "*") -> list[Path]:
    """The files of logs in a data directory."""
    return [*data_dir.glob(f"logs/{folder}/*")]


# Drafts.


@pytest.fixture(params=["with a data directory", "without"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Settings: where logs are."""
    return {"data_dir": str(tmp_path)} if request.param == "with a data directory" else {}


@on_loop
async def test_a_draft_is_no_log_before_it_is_published(place: dict[str, Any]) -> None:
    with opened(**place) as catalogue:
        old = await ended(catalogue, "a", b"old")
        draft = await catalogue.draft(LogInfo("a", "", 0))
        await append(draft, b"new one")
        assert (names(catalogue), catalogue.get("a"), catalogue.used) == (["a"], old, 10)
        await ended(catalogue, "b")
        await catalogue.publish(draft)
        assert (names(catalogue), catalogue.get("a"), catalogue.used) == (["a", "b"], draft, 8)
        await catalogue.end(draft, State.COMPLETE, "the test wants it so")
        draft.release()
    if place:
        with opened(**place) as catalogue:
            assert [(log.info.name, log.length, log.state) for log in catalogue.newest_first()] == [
                ("a", 7, State.COMPLETE), ("b", 1, State.COMPLETE),
            ]  # fmt: skip


@on_loop
async def test_a_draft_that_is_discarded_never_was(place: dict[str, Any]) -> None:
    with opened(**place) as catalogue:
        old = await ended(catalogue, "a", b"old")
        for name in ("a", "b"):
            draft = await catalogue.draft(LogInfo(name, "", 0))
            file = file_of(draft)
            await append(draft, b"new one")
            await catalogue.discard(draft)
            await turns(lambda file=file: file.closed)  # type: ignore[misc]
        assert (names(catalogue), catalogue.get("a"), catalogue.used) == (["a"], old, 3)
        await old.open()
        assert await old.fetch(0, 3) == b"old"
        old.release()
    if place:
        with opened(**place) as catalogue:
            assert names(catalogue) == ["a"]
            assert len({file.stem for file in kept_files(Path(place["data_dir"]))}) == 1


@on_loop
async def test_the_log_that_a_draft_will_replace_makes_no_room_for_it(place: dict[str, Any]) -> None:
    with opened(**place, max_total_size=100, max_logs=2, max_age=0.001) as catalogue:
        await ended(catalogue, "a", bytes(60))
        await ended(catalogue, "b", bytes(30))
        draft = await catalogue.draft(LogInfo("a", "", 0))
        retiring = asyncio.ensure_future(catalogue.retire())
        await append(draft, bytes(40))
        assert (names(catalogue), catalogue.used) == (["a"], 100)
        await append(draft, bytes(1))
        assert draft.failure is not None
        assert draft.failure.full
        retiring.cancel()
        await catalogue.discard(draft)
        assert (names(catalogue), catalogue.used) == (["a"], 60)


@on_loop
async def test_a_draft_counts_as_one_log_and_takes_the_place_of_one_that_may_go() -> None:
    with opened(max_logs=1) as catalogue:
        other = await ended(catalogue, "other")
        draft = await catalogue.draft(LogInfo("a", "", 0))
        assert names(catalogue) == ["other"]
        other.acquire()
        with pytest.raises(TooManyLogs, match="all of them are in use"):
            await catalogue.publish(draft)
        assert names(catalogue) == ["other"]
        other.release()
        await catalogue.publish(draft)
        assert names(catalogue) == ["a"]
        draft.release()


# Making room.


@on_loop
async def test_no_log_goes_for_one_that_cannot_be_made(tmp_path: Path) -> None:
    """Nor is one aborted that goes on, of that name."""
    with opened(data_dir=str(tmp_path), max_logs=2) as catalogue:
        await ended(catalogue, "a")
        live = await begin(catalogue, "b")
        (tmp_path / "logs" / "c").write_bytes(b"in the way")
        for name in ("c", "b"):
            if name == "b":
                (tmp_path / "logs" / "b").rename(tmp_path / "aside")
                (tmp_path / "logs" / "b").write_bytes(b"in the way")
            with pytest.raises(DiskError, match="creating the log's file"):
                await begin(catalogue, name)
            assert (names(catalogue), live.state) == (["b", "a"], State.LIVE)
        live.release()


@on_loop
async def test_a_log_that_was_removed_cannot_be_opened_again(place: dict[str, Any]) -> None:
    with opened(**place) as catalogue:
        journal = await ended(catalogue, "a")
        await catalogue.remove(journal)
        with pytest.raises(DiskError) as raised:
            await journal.open()
        assert isinstance(raised.value.cause, FileNotFoundError)
        assert journal.users == 0


@on_loop
async def test_logs_are_in_the_order_in_which_they_began() -> None:
    with opened() as catalogue:
        for name in ("a", "b", "c", "b"):
            await ended(catalogue, name)
        assert names(catalogue) == ["b", "c", "a"]
        generations = [journal.info.generation for journal in catalogue.newest_first()]
        assert generations == sorted(generations, reverse=True)


@on_loop
async def test_too_many_logs_remove_the_one_that_ended_first() -> None:
    with opened(max_logs=3) as catalogue:
        late = await begin(catalogue, "late")
        for name in ("a", "b"):
            await ended(catalogue, name)
        await catalogue.end(late, State.ABORTED, "")
        late.release()
        for name in ("c", "c", "d"):
            await ended(catalogue, name)
        assert names(catalogue) == ["d", "c", "late"]
        assert catalogue.retired_count == 2


@on_loop
async def test_logs_in_use_stay_and_new_ones_are_refused() -> None:
    with opened(max_logs=2) as catalogue:
        read = await ended(catalogue, "read")
        read.acquire()
        written = await begin(catalogue, "written")
        assert (
            await catalogue.refusal() == "the limit of 2 logs is reached (LIVELOG_MAX_LOGS), and all of them are in use"
        )
        with pytest.raises(TooManyLogs, match="the limit of 2 logs is reached") as raised:
            await begin(catalogue, "new")
        assert raised.value.count == 2
        read.release()
        assert await catalogue.refusal() is None
        (await begin(catalogue, "new")).release()
        assert names(catalogue) == ["new", "written"]
        written.release()


@on_loop
async def test_a_replacement_needs_no_room_and_spares_the_log_it_replaces_until_it_is_there() -> None:
    with opened(max_logs=1) as catalogue:
        await ended(catalogue, "a")
        await ended(catalogue, "a")
        assert (names(catalogue), catalogue.retired_count) == (["a"], 0)


@on_loop
async def test_two_logs_that_begin_at_once_do_not_both_take_the_last_place() -> None:
    with opened(max_logs=1) as catalogue:
        began = await asyncio.gather(begin(catalogue, "a"), begin(catalogue, "b"), return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in began) == ["Journal", "TooManyLogs"]
        assert len(names(catalogue)) == 1
        next(journal for journal in began if isinstance(journal, Journal)).release()


@on_loop
async def test_too_many_bytes_remove_ended_logs_and_then_end_the_log_that_brings_them() -> None:
    with opened(max_total_size=100) as catalogue:
        await ended(catalogue, "a", bytes(40))
        await ended(catalogue, "b", bytes(40))
        journal = await begin(catalogue, "c")
        await append(journal, bytes(30))
        assert (names(catalogue), catalogue.used) == (["c", "b"], 70)
        await append(journal, bytes(60))
        assert (names(catalogue), catalogue.used) == (["c"], 90)
        await append(journal, bytes(11))
        assert (journal.state, journal.length, catalogue.used) == (State.ABORTED, 90, 90)
        assert journal.failure is not None
        assert journal.failure.full
        assert (
            str(journal.failure)
            == "writing the log failed: the limit of 100 bytes for all logs is reached (LIVELOG_MAX_TOTAL_SIZE)"
        )
        with pytest.raises(DiskError):
            await catalogue.end(journal, State.COMPLETE, "")
        journal.release()
        assert catalogue.ended_count == {State.COMPLETE: 2, State.ABORTED: 1}


@on_loop
async def test_a_disk_reserve_that_nothing_can_keep_refuses_logs(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize
    with opened(tmp_path, disk_reserve=2 * free) as catalogue:
        with pytest.raises(DiskError, match="bytes must stay free") as raised:
            await begin(catalogue)
        assert raised.value.full
        assert "must stay free" in (await catalogue.refusal() or "")
    with opened(tmp_path, disk_reserve=1) as catalogue:
        journal = await begin(catalogue)
        await append(journal, bytes(1000))
        assert journal.failure is None
        journal.release()


@on_loop
async def test_logs_go_when_they_are_too_old_but_not_while_they_are_read() -> None:
    with opened(max_age=0.05) as catalogue:
        read, live = await ended(catalogue, "read"), await begin(catalogue, "live")
        read.acquire()
        await ended(catalogue, "unread")
        retiring = asyncio.ensure_future(catalogue.retire())
        await turns(lambda: names(catalogue) == ["live", "read"])
        read.release()
        await turns(lambda: names(catalogue) == ["live"])
        retiring.cancel()
        live.release()


@on_loop
async def test_logs_that_ended_while_the_clock_was_wrong_go_when_their_time_has_come() -> None:
    with opened(max_age=0.05) as catalogue:
        for name, hours in (("ahead", 1), ("behind", -1)):
            journal = await ended(catalogue, name)
            journal.info.ended = now() + hours * 3_600_000_000
        await ended(catalogue, "old")
        retiring = asyncio.ensure_future(catalogue.retire())
        await turns(lambda: names(catalogue) == [])
        retiring.cancel()


@on_loop
async def test_a_log_is_not_too_old_because_the_clock_was_behind_when_it_ended() -> None:
    with opened(max_age=3600) as catalogue:
        (await ended(catalogue, "behind")).info.ended = 0
        retiring = asyncio.ensure_future(catalogue.retire())
        await asyncio.sleep(0)
        assert names(catalogue) == ["behind"]
        retiring.cancel()


@on_loop
async def test_a_log_of_the_future_does_not_bend_the_time_of_those_that_begin_after_it(tmp_path: Path) -> None:
    future = 4_070_908_800_000_000
    with opened(data_dir=str(tmp_path)) as catalogue:
        for name in ("b", "a"):
            await ended(catalogue, name)
    for kept in kept_files(tmp_path, "a"):
        data = kept.read_bytes()
        generation = new_generation(future)
        if kept.suffix == ".json":
            known = {
                **json.loads(data),
                "generation": generation,
                "began": timestamp(future),
                "ended": timestamp(future),
            }
            data = json.dumps({**known, "order": future}).encode()
        kept.unlink()
        kept.with_name(generation + kept.suffix).write_bytes(data)
    for _ in range(2):
        with opened(data_dir=str(tmp_path)) as catalogue:
            assert names(catalogue) in (["a", "b"], ["b", "c", "a"])
            before = now()
            for name in ("c", "b"):
                journal = await ended(catalogue, name)
                assert before <= journal.info.began <= (journal.info.ended or 0) <= now()
                assert journal.info.generation < new_generation(now() + 1)
            orders = [journal.info.order for journal in catalogue.newest_first()]
            assert names(catalogue) == ["b", "c", "a"]
            assert orders == sorted(set(orders), reverse=True)


@on_loop
async def test_logs_are_listed_in_their_order_also_when_one_was_quicker_than_an_earlier_one(tmp_path: Path) -> None:
    """Several threads make their files: which one is first is chance."""
    with opened(data_dir=str(tmp_path)) as catalogue:
        for _ in range(5):
            begun = await asyncio.gather(*(begin(catalogue, name) for name in "abcdefgh"))
            assert names(catalogue) == list("hgfedcba")
            for journal in begun:
                journal.release()


@on_loop
async def test_without_an_age_nothing_is_done_about_it() -> None:
    with opened() as catalogue:
        await catalogue.retire()


@on_loop
async def test_a_removed_log_is_read_to_the_end_by_who_has_it() -> None:
    with opened() as catalogue:
        journal = await ended(catalogue, "a", b"hello")
        file = file_of(journal)
        journal.acquire()
        await catalogue.remove(journal)
        assert (catalogue.get("a"), catalogue.used) == (None, 0)
        assert await journal.fetch(0, 5) == b"hello"
        journal.release()
        await turns(lambda: file.closed)


# Restarts.


@on_loop
async def test_logs_are_there_again_after_a_restart(tmp_path: Path) -> None:
    with opened(data_dir=str(tmp_path)) as catalogue:
        complete, aborted = (
            await ended(catalogue, "a/b", b"one\n"),
            await ended(catalogue, UNNAMED, b"2", State.ABORTED),
        )
        upload = Upload(resumable=True, length=10)
        paused, plain = await begin(catalogue, "paused", upload=upload), await begin(catalogue, "plain")
        for journal in (paused, plain):
            await append(journal, b"12345")
            journal.release()
        was = {journal.info.name: journal for journal in catalogue.newest_first()}
    with opened(data_dir=str(tmp_path)) as catalogue:
        assert names(catalogue) == ["plain", "paused", UNNAMED, "a/b"]
        states = {journal.info.name: (journal.state, journal.length) for journal in catalogue.newest_first()}
        assert states == {
            "a/b": (State.COMPLETE, 4), UNNAMED: (State.ABORTED, 1), "paused": (State.INTERRUPTED, 5), "plain": (State.ABORTED, 5),
        }  # fmt: skip
        assert catalogue.used == 15
        for journal in catalogue.newest_first():
            assert journal.etag == was[journal.info.name].etag
            assert (journal.file, journal.users) == (None, 0), "it costs no descriptor"
        found = catalogue.get("a/b")
        assert found is not None
        assert found.info == complete.info
        await found.open()
        assert await found.fetch(0, 4) == b"one\n"
        found.release()
        again = catalogue.get("paused")
        assert again is not None
        assert again.info.upload == upload
        await again.open()
        again.resume()
        await append(again, b"67890")
        await catalogue.end(again, State.COMPLETE, "")
        again.release()
        assert aborted.info.name == UNNAMED
    with opened(data_dir=str(tmp_path)) as catalogue:
        last = catalogue.get("paused")
        assert last is not None
        assert (last.state, last.length) == (State.COMPLETE, 10)


@pytest.mark.parametrize("order", ["end first", "change first"])
@on_loop
async def test_a_change_of_what_is_known_never_takes_an_end_back(tmp_path: Path, order: str) -> None:
    with opened(data_dir=str(tmp_path)) as catalogue:
        journal = await begin(catalogue, "a")
        await append(journal, b"hello")
        acts = [catalogue.end(journal, State.COMPLETE, ""), journal.save()]
        running = []
        for act in acts if order == "end first" else reversed(acts):
            running.append(asyncio.ensure_future(act))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.gather(*running)
        journal.release()
    with opened(data_dir=str(tmp_path)) as catalogue:
        found = catalogue.get("a")
        assert found is not None
        assert found.state is State.COMPLETE


@on_loop
async def test_an_interrupted_log_is_aborted_when_another_begins_but_not_when_it_cannot(tmp_path: Path) -> None:
    with opened(data_dir=str(tmp_path), max_logs=2) as catalogue:
        first, second = await begin(catalogue, "a"), await begin(catalogue, "b")
        first.interrupt()
        with pytest.raises(TooManyLogs):
            await begin(catalogue, "c")
        assert first.state is State.INTERRUPTED
        third = await begin(catalogue, "a")
        assert (first.state, first.info.reason) == (State.ABORTED, "another log of this name began")
        assert catalogue.get("a") is third
        for journal in (first, second, third):
            journal.release()


@on_loop
async def test_the_files_of_a_log_that_is_removed_or_replaced_go(tmp_path: Path) -> None:
    with opened(data_dir=str(tmp_path)) as catalogue:
        await catalogue.remove(await ended(catalogue, "a/b"))
        assert is_empty(tmp_path / "logs"), "a kill now would bring it back"
        await ended(catalogue, "c")
        await ended(catalogue, "c")
        await turns(lambda: len({file.stem for file in kept_files(tmp_path, "c")}) == 1)


@on_loop
async def test_a_log_whose_end_cannot_be_kept_is_not_complete(tmp_path: Path) -> None:
    with opened(data_dir=str(tmp_path)) as catalogue:
        journal = await begin(catalogue, "a")
        await append(journal, b"hello")
        (folder,) = (tmp_path / "logs").iterdir()
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        with pytest.raises(DiskError, match="keeping the log's state failed: No such file or directory"):
            await catalogue.end(journal, State.COMPLETE, "")
        assert journal.state is State.ABORTED
        journal.release()


@on_loop
async def test_a_log_file_that_vanished_is_told_when_it_is_opened(tmp_path: Path) -> None:
    with opened(data_dir=str(tmp_path)) as catalogue:
        journal = await ended(catalogue, "a")
        await turns(lambda: journal.file is None)
        for file in (tmp_path / "logs" / "a").iterdir():
            file.unlink()
        with pytest.raises(DiskError, match="opening the log's file failed: No such file or directory"):
            await journal.open()
        assert journal.users == 0


@on_loop
async def test_who_opens_a_log_in_the_moment_in_which_it_was_opened_has_its_file(tmp_path: Path) -> None:
    with opened(data_dir=str(tmp_path)) as catalogue:
        journal = await ended(catalogue, "a", b"hello")
        first = asyncio.ensure_future(journal.open())
        await asyncio.sleep(0)
        opening = journal._opening
        assert opening is not None
        while not opening.done():  # noqa: ASYNC110  # the very turn of the loop counts
            await asyncio.sleep(0)
        await journal.open()
        assert journal.read(0, 5) == b"hello"
        await first
        assert journal.users == 2
        for _ in range(2):
            journal.release()


@on_loop
async def test_many_who_open_a_log_at_once_share_one_file(tmp_path: Path) -> None:
    with opened(data_dir=str(tmp_path)) as catalogue:
        journal = await ended(catalogue, "a", b"hello")
        opening = [asyncio.ensure_future(journal.open()) for _ in range(3)]
        await asyncio.sleep(0)
        opening[0].cancel()
        await asyncio.wait(opening)
        assert journal.users == 2
        file = file_of(journal)
        assert journal.read(0, 5) == b"hello"
        journal.release()
        assert not file.closed
        journal.release()
        await turns(lambda: file.closed)
        alone = asyncio.ensure_future(journal.open())
        await asyncio.sleep(0)
        alone.cancel()
        await asyncio.wait([alone])
        await journal.open()  # after which the one that nobody waited for is open, too
        file = file_of(journal)
        journal.release()
        await turns(lambda: file.closed)
        assert (journal.file, journal.users) == (None, 0)


def test_a_data_directory_has_one_user_at_a_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        with opened(data_dir=str(tmp_path)):
            with (
                pytest.raises(ConfigError, match=rf"in use by another livelog, process {os.getpid()}") as raised,
                opened(data_dir=str(tmp_path)),
            ):
                pass
            assert raised.value.exit_code == 69
        with opened(data_dir=str(tmp_path)):
            pass

    asyncio.run(scenario())


# Logs that are replaced, removed or about to end while somebody asks for them.


@on_loop
async def test_a_log_that_is_replaced_before_its_file_is_open_is_looked_up_again(tmp_path: Path) -> None:
    with opened(data_dir=str(tmp_path)) as catalogue:
        old = await ended(catalogue, "a")
        with held(catalogue._disk.fetchers):
            opening = asyncio.create_task(catalogue.open("a"))
            await turns(lambda: old.users == 1)
            new = await ended(catalogue, "a", b"new")
            await turns(lambda: not list(tmp_path.glob(f"logs/a/{old.info.generation}*")))
        assert await opening is new
        assert await new.fetch(0, 3) == b"new"
        new.release()
        assert (old.users, new.users) == (0, 0)


@on_loop
async def test_a_log_that_is_removed_before_its_file_is_open_is_none(tmp_path: Path) -> None:
    with opened(data_dir=str(tmp_path)) as catalogue:
        log = await ended(catalogue, "a")
        with held(catalogue._disk.fetchers):
            opening = asyncio.create_task(catalogue.open("a"))
            await turns(lambda: log.users == 1)
            await catalogue.remove(log)
        assert await opening is None
        assert log.users == 0


@on_loop
async def test_a_file_that_somebody_else_has_removed_is_a_disk_error(tmp_path: Path) -> None:
    with opened(data_dir=str(tmp_path)) as catalogue:
        log = await ended(catalogue, "a")
        (tmp_path / "logs" / "a" / f"{log.info.generation}.log").unlink()
        with pytest.raises(DiskError, match="No such file"):
            await catalogue.open("a")
        assert log.users == 0


@on_loop
async def test_a_log_without_a_directory_that_was_removed_can_no_longer_be_opened() -> None:
    with opened() as catalogue:
        log = await ended(catalogue, "a")
        await catalogue.remove(log)
        with pytest.raises(DiskError, match="No such file"):
            await log.open()
        assert log.users == 0


@on_loop
async def test_nothing_is_told_of_an_end_before_it_is_kept(tmp_path: Path) -> None:
    with opened(data_dir=str(tmp_path)) as catalogue:
        log = await begin(catalogue, "a")
        with held(catalogue._disk.writers):
            ending = asyncio.create_task(catalogue.end(log, State.COMPLETE, "the body ended"))
            await turns(lambda: log.ending)
            told = describe(log)
            assert (told["state"], told["ended"], told["reason"]) == ("live", None, "")
        await ending
        told = describe(log)
        assert (told["state"], told["reason"]) == ("complete", "the body ended")
        assert told["ended"] is not None
        log.release()


@on_loop
async def test_lines_are_counted_up_to_the_size_that_is_told_with_them() -> None:
    with opened() as catalogue:
        log, queries = await begin(catalogue, "a"), Queries(catalogue)
        assert await queries.known_lines(log, 0) is None
        with queries._indexes.use(log) as indexer:
            assert await indexer.ready()
        await append(log, b"one\ntwo\nthree")
        assert [await queries.known_lines(log, size) for size in (0, 3, 4, 5, 13)] == [0, 1, 1, 2, 3]
        await queries.close()
        log.release()


@on_loop
async def test_a_log_whose_file_is_made_while_the_server_stops_is_refused(tmp_path: Path) -> None:
    with opened(data_dir=str(tmp_path)) as catalogue:
        await ended(catalogue, "old")
        waiting = asyncio.create_task(catalogue.wait("new", 60))
        with held(catalogue._disk.writers):
            beginning = [asyncio.create_task(begin(catalogue, name)) for name in ("old", "new")]
            await turns(lambda: catalogue._beginning == len(beginning))
            catalogue.close()
        for task in beginning:
            with pytest.raises(Stopping, match="the server is stopping"):
                await task
        assert await waiting is None
