"""Where journals live: beginning, waiting, replacing, and that nothing is left behind.

Categories: files without names, with and without the system's help; waiters that get a log, give up, are
cancelled or sent home; replaced logs that go on for their readers; directories that are missing or vanish.
"""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from livelog.errors import DiskError
from livelog.journal import State
from livelog.storage import UNNAMED, Storage

from .live import append, on_loop, turns


@contextlib.contextmanager
def opened(directory: Path | None) -> Iterator[Storage]:
    storage = Storage(None if directory is None else str(directory))
    try:
        yield storage
    finally:
        storage.close()


def is_empty(directory: Path) -> bool:
    return not any(directory.iterdir())


@pytest.fixture(params=["O_TMPFILE", "mkstemp"])
def directory(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, on a system that can make files without names, and on one that cannot."""
    if request.param == "mkstemp":
        monkeypatch.delattr(os, "O_TMPFILE")
    return tmp_path


@on_loop
async def test_a_log_begins_empty_and_leaves_no_name_in_the_directory(directory: Path) -> None:
    with opened(directory) as storage:
        assert storage.get(UNNAMED) is None
        journal = await storage.begin(UNNAMED, "text/x")
        assert storage.get(UNNAMED) is journal
        assert (journal.length, journal.state, journal.content_type) == (0, State.LIVE, "text/x")
        assert is_empty(directory)
        await append(journal, b"hello")
        assert await journal.fetch(0, 5) == b"hello"
        assert journal.read(0, 5) == b"hello"
        assert is_empty(directory)
        await journal.close(State.COMPLETE)
        assert os.fstat(journal.file.fileno()).st_nlink == 0
    assert is_empty(directory)


@on_loop
async def test_the_systems_directory_is_the_default() -> None:
    with opened(None) as storage:
        journal = await storage.begin("name", "text/plain")
        await append(journal, b"hello")
        assert await journal.fetch(0, 5) == b"hello"
        await journal.close(State.COMPLETE)


@on_loop
async def test_a_file_is_not_inherited_and_not_shared(tmp_path: Path) -> None:
    with opened(tmp_path) as storage:
        first, second = [await storage.begin(name, "text/plain") for name in ("a", "b")]
        assert not os.get_inheritable(first.file.fileno())
        assert os.fstat(first.file.fileno()).st_mode & 0o077 == 0
        await append(first, b"one")
        await append(second, b"other")
        assert (await first.fetch(0, 3), await second.fetch(0, 5)) == (b"one", b"other")
        assert first.etag != second.etag


@on_loop
async def test_a_replaced_log_goes_on_for_those_who_have_it(tmp_path: Path) -> None:
    with opened(tmp_path) as storage:
        old = await storage.begin(UNNAMED, "text/plain")
        old.acquire()
        await append(old, b"old")
        new = await storage.begin(UNNAMED, "text/plain")
        assert storage.get(UNNAMED) is new is await storage.wait(UNNAMED, 1)
        assert (new.length, old.etag == new.etag) == (0, False)
        await append(old, b"er")
        assert await old.fetch(0, 5) == b"older"
        await old.close(State.ABORTED)
        old.release()
        await turns(lambda: old.file.closed)
        assert not new.file.closed


@on_loop
async def test_all_who_wait_get_the_log_when_it_begins(tmp_path: Path) -> None:
    with opened(tmp_path) as storage:
        waiting = [asyncio.ensure_future(storage.wait("name", 60)) for _ in range(3)]
        other = asyncio.ensure_future(storage.wait("other", 60))
        await asyncio.sleep(0)
        waiting[0].cancel()
        journal = await storage.begin("name", "text/plain")
        assert await waiting[1] is journal is await waiting[2]
        assert await storage.begin("name", "text/plain") is not journal
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]
        assert not other.done()
        other.cancel()


@pytest.mark.parametrize("timeout", [-1, 0, 0.001])
@on_loop
async def test_who_waits_too_long_gets_none_and_may_wait_again(tmp_path: Path, timeout: float) -> None:
    with opened(tmp_path) as storage:
        assert await storage.wait("name", timeout) is None
        waiting = asyncio.ensure_future(storage.wait("name", 60))
        await asyncio.sleep(0)
        journal = await storage.begin("name", "text/plain")
        assert await waiting is journal is await storage.wait("name", timeout)


@on_loop
async def test_closing_sends_home_who_waits_and_forgets_all_logs(tmp_path: Path) -> None:
    with opened(tmp_path) as storage:
        waiting = [asyncio.ensure_future(storage.wait("name", 60)) for _ in range(2)]
        journal = await storage.begin("other", "text/plain")
        await append(journal, b"still")
        journal.acquire()
        storage.close()
        assert [await waiter for waiter in waiting] == [None, None]
        assert storage.get("other") is None
        assert journal.read(0, 5) == b"still"
        journal.release()
        while not journal.file.closed:  # noqa: ASYNC110  # by a thread, which tells nobody
            await asyncio.sleep(0)


@on_loop
async def test_a_reader_may_fetch_the_rest_of_a_log_after_closing(tmp_path: Path) -> None:
    with opened(tmp_path) as storage:
        journal = await storage.begin("name", "text/plain")
        await append(journal, b"still")
        journal.acquire()
        storage.close()
        try:
            assert await journal.fetch(0, 5) == b"still"
        finally:
            journal.file.close()


def test_a_missing_directory_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Storage(str(tmp_path / "missing"))


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        Storage(str(tmp_path / "file"))


@on_loop
async def test_a_directory_that_vanished_is_a_disk_error_and_the_older_log_stays(directory: Path) -> None:
    inner = directory / "inner"
    inner.mkdir()
    with opened(inner) as storage:
        journal = await storage.begin(UNNAMED, "text/plain")
        inner.rmdir()
        with pytest.raises(DiskError, match="creating the log's file failed: No such file or directory"):
            await storage.begin(UNNAMED, "text/plain")
        assert storage.get(UNNAMED) is journal
        inner.mkdir()
        assert await storage.begin(UNNAMED, "text/plain") is storage.get(UNNAMED) is not journal
