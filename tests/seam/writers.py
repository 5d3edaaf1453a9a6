"""A log and whoever writes it: in this process, or in another one that can be killed."""

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import pytest

from livelog.log.disk import Disk
from livelog.log.follower import follow
from livelog.log.source import Source

from .writing import begun, do


class Writer(Protocol):
    """Whoever writes `source`."""

    @property
    def source(self) -> Source:
        """The log, for readers."""

    async def do(self, deed: str, argument: str = "") -> None:
        """Have something done: see `writing.do`. Readers may hear of it a little later."""

    async def be_lost(self) -> None:
        """Have the writer vanish without an end of its log."""


class Here:
    """A writer in this process: its log is a `Journal`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def __aenter__(self) -> "Here":
        self._catalogue, self.source = await begun(str(self._folder))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.source.flush()  # what is being written holds the file open
        self.source.release()
        self._catalogue.close()
        self._catalogue.stop()

    async def do(self, deed: str, argument: str = "") -> None:
        """See `Writer.do`."""
        await do(self._catalogue, self.source, deed, argument)

    async def be_lost(self) -> None:
        """A server that stops leaves its logs as they are."""
        self.source.suspend()


class Elsewhere:
    """A writer in another process: its log is a `Follower`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._disk = Disk(str(folder))

    async def __aenter__(self) -> "Elsewhere":
        feed, its_feed = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        control, its_control = socket.socketpair()
        with its_feed, its_control:
            descriptors = its_feed.fileno(), its_control.fileno()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-W", "error", "-m", "tests.seam.writing", str(self._folder / "data"), *map(str, descriptors),
                pass_fds=descriptors, cwd=Path(__file__).parents[2],
            )  # fmt: skip
        self._answers, self._control = await asyncio.open_connection(sock=control)
        assert await self._answers.readline() == b"begun\n"
        self.source = await follow(feed, self._disk)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.source.close()
        self._control.close()
        with contextlib.suppress(ProcessLookupError):
            if self._process.returncode is None:
                self._process.kill()
        await self._process.wait()
        self._disk.stop()

    async def do(self, deed: str, argument: str = "") -> None:
        """See `Writer.do`."""
        self._control.write(json.dumps([deed, argument]).encode() + b"\n")
        if deed != "flood":
            assert await self._answers.readline() == b"done\n"

    async def be_lost(self) -> None:
        """It is killed, with SIGKILL."""
        self._process.kill()
        await self._process.wait()


on_both = pytest.mark.parametrize("kind", [Here, Elsewhere], ids=["journal", "follower"])
"""A test runs over both implementations."""


@contextlib.asynccontextmanager
async def told(source: Source, reached: Callable[[], bool]) -> AsyncIterator[None]:
    """At the end, wait for the change of which watchers are told that makes `reached` true."""
    changed = asyncio.Event()
    source.watchers.add(changed.set)
    try:
        yield
        while not reached():
            changed.clear()
            await changed.wait()
    finally:
        source.watchers.discard(changed.set)
