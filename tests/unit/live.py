"""What tests of the asynchronous modules share: a loop to run on, journals on real files, and their events."""

import asyncio
import contextlib
import functools
import os
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, cast

from livelog.log.disk import Disk, Piece
from livelog.log.info import LogInfo, State, new_generation
from livelog.log.journal import Journal

TIMEOUT = 60.0
"""Seconds that one test may take: reached only by a fault."""

P = ParamSpec("P")


def on_loop(test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    """Run a test on an event loop of its own, for `TIMEOUT` seconds at most."""

    @functools.wraps(test)
    def run(*arguments: P.args, **keywords: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(TIMEOUT):
                await test(*arguments, **keywords)

        asyncio.run(bounded())

    return run


def open_file(path: Path | None = None, mode: str = "w+b") -> BinaryIO:
    """A file for one journal, unbuffered: the one at `path`, or one without a name."""
    if path is not None:
        return cast("BinaryIO", path.open(mode, buffering=0))
    fd = os.open(tempfile.gettempdir(), os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    return cast("BinaryIO", os.fdopen(fd, "r+b", buffering=0))


def info(name: str = "", **known: Any) -> LogInfo:
    """What is known of a log that began in 1970."""
    return LogInfo(name, new_generation(1), 1, **known)


@contextlib.contextmanager
def open_disk(directory: str | None = None, *, nowait: int | None = 0) -> Iterator[Disk]:
    """The disk of the system's temporary directory, of which `nowait` is believed; its threads have ended at the end."""
    disk = Disk(directory or tempfile.gettempdir())
    disk.nowait = nowait
    try:
        yield disk
    finally:
        disk.writers.shutdown()
        disk.fetchers.shutdown()


@contextlib.contextmanager
def open_journal(file: BinaryIO | None = None, *, content: bytes = b"", nowait: int | None = 0) -> Iterator[Journal]:
    """A journal on `file`, by default one without a name, which has `content` already."""
    file = file or open_file()
    with open_disk(nowait=nowait) as disk:
        if content:
            file.write(content)
        journal = Journal(info(), disk, file=file, length=len(content))
        try:
            yield journal
        finally:
            journal.release()


def file_of(journal: Journal) -> BinaryIO:
    """The journal's file, which is open."""
    assert journal.file is not None
    return journal.file


async def close(journal: Journal, state: State = State.COMPLETE) -> None:
    """End the log."""
    await journal.close(state, "the test is over")


async def append(journal: Journal, *pieces: Piece) -> None:
    """Append `pieces` and wait until they are written."""
    await appended(journal, *pieces)


def appended(journal: Journal, *pieces: Piece) -> asyncio.Future[None]:
    """Append `pieces`; the future is done once they are written."""
    written: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done() -> None:
        if not written.cancelled():
            written.set_result(None)

    journal.append(pieces, done)
    return written


async def until(journal: Journal, reached: Callable[[], bool]) -> None:
    """Wait for the change of `journal` that makes `reached` true."""
    changed = asyncio.Event()
    journal.watchers.add(changed.set)
    try:
        while not reached():
            changed.clear()
            await changed.wait()
    finally:
        journal.watchers.discard(changed.set)


def pass_time(seconds: float) -> None:
    """Have the running event loop's clock be so much later: nobody has to wait for what it does then."""
    loop = asyncio.get_running_loop()
    before = loop.time
    loop.time = lambda: before() + seconds  # type: ignore[method-assign]


async def turns(reached: Callable[[], object]) -> None:
    """Let the event loop go on until `reached`: for what no event tells a test."""
    while not reached():  # noqa: ASYNC110
        await asyncio.sleep(0)
