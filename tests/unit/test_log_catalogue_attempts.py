"""Names that keep several logs: which ones are there after one was begun, removed or evicted, after restarts and kills.

Categories: what is found · replacing · removing · limits · drafts · restarts and kills, drawn by a random number generator.
"""

import asyncio
import contextlib
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from livelog.config import Settings
from livelog.errors import LeaseLost, TooManyLogs
from livelog.log.attempts import Which
from livelog.log.catalogue import Catalogue
from livelog.log.info import SUPERSEDED, LogInfo, State, Upload
from livelog.log.journal import Journal
from tests.sample import one_of

from .live import append, file_of, on_loop, turns

kept_or_not = pytest.mark.parametrize("durable", [True, False], ids=["data directory", "temporary"])


def files(place: Path) -> list[Path]:
    """The logs that are in a data directory."""
    return [*place.glob("logs/*/*.log")]


def copy_unless_gone(source: str, target: str) -> None:
    """Copy a file. One that a thread removes at this moment, because its log is one too many, is gone at the kill."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)


@contextlib.contextmanager
def opened(place: Path | None, attempts: int, **settings: Any) -> Iterator[Catalogue]:
    """The logs of a data directory, or logs that end with the catalogue."""
    data_dir = None if place is None else str(place)
    catalogue = Catalogue(Settings(access_token="x", data_dir=data_dir, keep_attempts=attempts, **settings))
    try:
        yield catalogue
    finally:
        catalogue.close()
        catalogue.stop()


async def ended(catalogue: Catalogue, name: str, content: bytes = b"x", **known: Any) -> Journal:
    """A log that is complete, and that nobody writes or reads."""
    journal = await catalogue.begin(LogInfo(name, "", 0, **known))
    await append(journal, content)
    await catalogue.end(journal, State.COMPLETE, "the test wants it so", journal.info.fence)
    journal.release()
    return journal


async def contents(catalogue: Catalogue, name: str) -> list[bytes]:
    """The logs of that name, the newest in front."""
    found = []
    for log in catalogue.attempts(name):
        await log.open()
        found.append(await log.fetch(0, log.length) if log.length else b"")
        log.release()
    return found


# Replacing and finding.


@kept_or_not
@on_loop
async def test_a_name_keeps_its_last_logs_and_each_is_found(tmp_path: Path, durable: bool) -> None:
    with opened(tmp_path if durable else None, 3) as catalogue:
        logs = [await ended(catalogue, "a", b"%d" % number) for number in range(5)]
        assert await contents(catalogue, "a") == [b"4", b"3", b"2"]
        for place in range(3):
            log = logs[4 - place]
            assert catalogue.get("a", Which(-place)) is log is await catalogue.locate("a", Which(-place))
            opened_log = await catalogue.open("a", Which(generation=log.info.generation))
            assert opened_log is log
            opened_log.release()
        assert (
            await catalogue.open("a", Which(-3))
            is None
            is await catalogue.locate("a", Which(generation=logs[1].info.generation))
        )
        assert (catalogue.used, [log.info.name for log in catalogue.newest_first()], catalogue.count("a")) == (
            3,
            ["a"],
            3,
        )
        assert sorted(log.length for log in catalogue.all()) == [1, 1, 1]


@kept_or_not
@on_loop
async def test_a_log_that_has_not_ended_is_aborted_and_kept_when_another_begins(tmp_path: Path, durable: bool) -> None:
    with opened(tmp_path if durable else None, 2) as catalogue:
        for state in (State.LIVE, State.INTERRUPTED):
            older = await catalogue.begin(LogInfo("a", "", 0, upload=Upload(resumable=True)))
            await append(older, b"hello")
            if state is State.INTERRUPTED:
                older.interrupt()
            await ended(catalogue, "a", b"new")
            assert (older.state, older.info.reason) == (State.ABORTED, SUPERSEDED)
            assert await contents(catalogue, "a") == [b"new", b"hello"]
            older.release()


@on_loop
async def test_with_one_log_of_a_name_a_replaced_one_is_gone() -> None:
    with opened(None, 1) as catalogue:
        older = await ended(catalogue, "a")
        file = file_of(older)
        await ended(catalogue, "a", b"new")
        assert await contents(catalogue, "a") == [b"new"]
        await turns(lambda: file.closed)


# Removing.


@kept_or_not
@on_loop
async def test_a_removed_log_leaves_the_others_and_the_one_before_the_newest_takes_its_place(
    tmp_path: Path, durable: bool
) -> None:
    with opened(tmp_path if durable else None, 3) as catalogue:
        for number in range(3):
            await ended(catalogue, "a", b"%d" % number)
        await ended(catalogue, "b")
        await catalogue.remove(catalogue.attempts("a")[1])
        assert await contents(catalogue, "a") == [b"2", b"0"]
        assert [log.info.name for log in catalogue.newest_first()] == ["b", "a"]
        await catalogue.remove(catalogue.attempts("a")[0])
        assert await contents(catalogue, "a") == [b"0"]
        await ended(catalogue, "a", b"3")
        assert await contents(catalogue, "a") == [b"3", b"0"]
        await catalogue.remove_all(catalogue.attempts("a")[0])
        assert (await contents(catalogue, "a"), catalogue.used) == ([], 1)
    if durable:
        assert [path.name for path in (tmp_path / "logs").iterdir()] == ["b"]


@on_loop
async def test_a_stale_lease_begins_no_log_after_the_newest_was_removed() -> None:
    """The one that is the newest now was written under a smaller number than the stale one."""
    with opened(None, 2) as catalogue:
        await ended(catalogue, "a", fence=1)
        newest = await ended(catalogue, "a", fence=5)
        await catalogue.remove(newest, 6)
        with pytest.raises(LeaseLost):
            await ended(catalogue, "a", fence=4)
        older = catalogue.get("a")
        assert older is not None
        await catalogue.remove(older, older.info.fence)
        with pytest.raises(LeaseLost):
            await ended(catalogue, "a", fence=4)
        await ended(catalogue, "a", fence=7)


@kept_or_not
@on_loop
async def test_who_reads_a_log_that_goes_keeps_it(tmp_path: Path, durable: bool) -> None:
    with opened(tmp_path if durable else None, 2) as catalogue:
        await ended(catalogue, "a", b"old")
        await ended(catalogue, "a", b"newer")
        reader = await catalogue.open("a", Which(-1))
        assert reader is not None
        await ended(catalogue, "a", b"newest")
        assert reader not in catalogue.attempts("a")
        assert await reader.fetch(0, 3) == b"old"
        reader.release()


# Limits.


@kept_or_not
@on_loop
async def test_older_logs_make_room_before_any_newest_one(tmp_path: Path, durable: bool) -> None:
    """All of them count; no name loses its newest log because another one keeps older ones."""
    with opened(tmp_path if durable else None, 3, max_logs=4) as catalogue:
        await ended(catalogue, "first", b"first")
        for number in range(3):
            await ended(catalogue, "a", b"%d" % number)
        for left, name in ((2, "b"), (1, "c")):
            await ended(catalogue, name)
            assert len(await contents(catalogue, "a")) == left
        assert (await contents(catalogue, "a"), catalogue.count("first")) == ([b"2"], 1)
        await ended(catalogue, "d")
        assert (catalogue.count("first"), catalogue.count("a")) == (0, 1)
        await ended(catalogue, "a", b"3")  # the only older log that there is goes for it
        assert (await contents(catalogue, "a"), catalogue.retired_count) == ([b"3"], 4)
        assert sum(1 for _ in catalogue.all()) == 4


@on_loop
async def test_a_replacement_is_taken_where_each_log_is_used_and_the_older_one_goes() -> None:
    with opened(None, 2, max_logs=1) as catalogue:
        older = await ended(catalogue, "a", b"old")
        older.acquire()
        with pytest.raises(TooManyLogs):
            await ended(catalogue, "b")
        await ended(catalogue, "a", b"new")
        assert await contents(catalogue, "a") == [b"new"]
        assert await older.fetch(0, 3) == b"old"
        older.release()


@on_loop
async def test_bytes_of_older_logs_count_and_go_first() -> None:
    with opened(None, 3, max_total_size=100) as catalogue:
        await ended(catalogue, "first", bytes(20))
        for _ in range(2):
            await ended(catalogue, "a", bytes(30))
        used = catalogue.attempts("a")[1]
        used.acquire()  # which spares no older log
        await ended(catalogue, "a", bytes(50))
        assert (catalogue.used, [log.length for log in catalogue.attempts("a")], catalogue.count("first")) == (
            100,
            [50, 30],
            1,
        )
        used.release()


@on_loop
async def test_older_logs_go_for_their_age_before_the_newest_whatever_the_clock_says() -> None:
    with opened(None, 3, max_age=0.05) as catalogue:
        older, newest = await ended(catalogue, "a"), await ended(catalogue, "a")
        older.ended_at += 1e6
        older.acquire()
        retiring = asyncio.ensure_future(catalogue.retire())
        await turns(lambda: catalogue.get("a") is None)
        retiring.cancel()
        assert (catalogue.retired_count, newest.users) == (2, 0)
        older.release()


@on_loop
async def test_a_log_that_is_the_newest_again_goes_in_its_old_place() -> None:
    with opened(None, 2, max_logs=3) as catalogue:
        await ended(catalogue, "a", b"0")
        await ended(catalogue, "b")
        newest = await ended(catalogue, "a", b"1")
        await catalogue.remove(newest)
        await ended(catalogue, "c")
        await ended(catalogue, "d")
        assert [log.info.name for log in catalogue.newest_first()] == ["d", "c", "b"]


# Drafts.


@pytest.mark.parametrize("attempts", [1, 2])
@kept_or_not
@on_loop
async def test_a_draft_that_is_published_replaces_the_newest_and_one_that_is_not_changes_nothing(
    tmp_path: Path, durable: bool, attempts: int
) -> None:
    with opened(tmp_path if durable else None, attempts) as catalogue:
        for number in range(2):
            await ended(catalogue, "a", b"%d" % number)
        before = await contents(catalogue, "a")
        for published in (False, True):
            draft = await catalogue.draft(LogInfo("a", "", 0))
            await append(draft, b"new")
            assert await contents(catalogue, "a") == before
            if published:
                await catalogue.publish(draft)
                await catalogue.end(draft, State.COMPLETE, "")
                draft.release()
            else:
                await catalogue.discard(draft)
        assert await contents(catalogue, "a") == [b"new", *before][:attempts]


# Restarts and kills.


@on_loop
async def test_a_restart_with_a_smaller_number_removes_the_surplus(tmp_path: Path) -> None:
    with opened(tmp_path, 3) as catalogue:
        for number in range(3):
            await ended(catalogue, "a", b"%d" % number)
        generations = [log.info.generation for log in catalogue.attempts("a")]
    for attempts in (4, 2, 3, 1):
        with opened(tmp_path, attempts) as catalogue:
            left = min(attempts, 3 if attempts == 4 else 2)
            assert [log.info.generation for log in catalogue.attempts("a")] == generations[:left]
            assert len(files(tmp_path)) == left == catalogue.used


@on_loop
async def test_limits_know_after_a_restart_which_logs_are_older_ones(tmp_path: Path) -> None:
    with opened(tmp_path, 2) as catalogue:
        for name in ("first", "a", "a", "b"):
            await ended(catalogue, name)
    with opened(tmp_path, 2, max_logs=4) as catalogue:
        await ended(catalogue, "c")
        assert {log.info.name: catalogue.count(log.info.name) for log in catalogue.newest_first()} == dict.fromkeys(
            ["c", "b", "a", "first"], 1
        )


class Model:
    """What must be there: of each name the logs that were not removed or superseded, as (content, whether it is complete), the newest last."""

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts
        self.logs: dict[str, list[tuple[bytes, bool]]] = {}

    def begin(self, name: str, content: bytes, complete: bool) -> None:
        self.logs[name] = [*self.logs.get(name, []), (content, complete)][-self.attempts :]


async def told(catalogue: Catalogue) -> dict[str, list[tuple[bytes, bool]]]:
    """What is there, in the same form."""
    found = {}
    for newest in catalogue.newest_first():
        logs = catalogue.attempts(newest.info.name)
        assert all(log.state.ended for log in logs[1:])
        texts = await contents(catalogue, newest.info.name)
        found[newest.info.name] = [(text, log.state is State.COMPLETE) for text, log in zip(texts, logs, strict=True)][
            ::-1
        ]
    return found


@pytest.mark.parametrize("attempts", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
@on_loop
async def test_whatever_is_begun_removed_and_killed_the_right_logs_are_there(
    tmp_path: Path, attempts: int, seed: int
) -> None:
    """A kill is a copy of the directory as it is at that moment: nothing that was answered is missing there, nothing else is there."""
    chance, model, place = random.Random(seed), Model(attempts), tmp_path / "0"
    for round_ in range(1, 6):
        with opened(place, attempts) as catalogue:
            assert await told(catalogue) == {name: logs for name, logs in model.logs.items() if logs}
            for step in range(chance.randrange(8)):
                name = chance.choice("abc")
                logs = catalogue.attempts(name)
                if chance.random() < 0.6 or not logs:
                    content, complete = b"%d.%d" % (round_, step), chance.random() < 0.7
                    journal = await catalogue.begin(LogInfo(name, "", 0))
                    await append(journal, content)
                    if complete:
                        await catalogue.end(journal, State.COMPLETE, "")
                    journal.release()
                    model.begin(name, content, complete)
                    continue
                if not logs[0].state.ended:
                    await catalogue.end(logs[0], State.ABORTED, "the log was removed")
                if chance.random() < 0.5:
                    await catalogue.remove_all(logs[0])
                    model.logs[name] = []
                else:
                    number = chance.randrange(len(logs))
                    await catalogue.remove(logs[number])
                    del model.logs[name][-1 - number]
            shutil.copytree(place, tmp_path / str(round_), copy_function=copy_unless_gone)
        place = tmp_path / str(round_)


@pytest.mark.parametrize("attempts", [1, 2, 3])
@pytest.mark.parametrize("seed", one_of(2, range(4)))
@on_loop
async def test_whatever_is_evicted_no_newest_log_goes_before_an_older_one(attempts: int, seed: int) -> None:
    chance, last = random.Random(seed), dict[str, bytes]()
    with opened(None, attempts, max_logs=5) as catalogue:
        for step in range(60):
            name, content = chance.choice("abcdefg"), b"%d" % step
            await ended(catalogue, name, content)
            last[name] = content
            there = {log.info.name for log in catalogue.newest_first()}
            logs = list(catalogue.all())
            assert len(logs) <= 5
            for found in there:
                assert (await contents(catalogue, found))[0] == last[found]
                assert catalogue.count(found) <= attempts
            lost = set(last) - there
            if lost:  # then there was no older log that could have gone for it
                assert len(logs) == 5
                last = {name: content for name, content in last.items() if name in there}
                assert len(there) == 5
