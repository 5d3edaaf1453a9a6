"""Those who watch the list of logs, over real sockets: who is slow, and what is shared and let go.

Categories: a watcher that does not read · one that misses too much · logs that are written elsewhere · many logs and many selections.
"""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from livelog.config import Settings
from livelog.log.catalogue import Catalogue
from livelog.log.info import LogInfo, State
from livelog.log.journal import Journal
from livelog.log.source import Source
from livelog.read.list_events import ListEvents
from livelog.read.selection import Selection
from livelog.wire.body_writer import BodyWriter

from .followers import Watched
from .live import on_loop, turns

ALL = Selection()


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Catalogue]:
    """A catalogue."""
    catalogue = Catalogue(Settings(access_token="x", temp_dir=str(folder)))
    try:
        yield catalogue
    finally:
        catalogue.close()
        catalogue.stop()


async def begin(catalogue: Catalogue, name: str) -> Journal:
    """A log that has begun."""
    journal = await catalogue.begin(LogInfo(name, "", 0))
    journal.release()
    return journal


async def nothing(_: list[Source]) -> AsyncGenerator[tuple[str, object], None]:
    """A list that tells of no log."""
    yield "listed", {}


class Watcher:
    """A watcher's end of a connection, and the server's `writer`."""

    def __init__(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, writer: Watched) -> None:
        self.client = client
        self.writer = writer
        self._reader = reader
        self.events: list[tuple[str, Any]] = []

    async def read(self) -> tuple[str, Any]:
        """The next event that is none of its comments."""
        while True:
            text = (await self._reader.readuntil(b"\n\n")).decode()
            if not text.startswith(":"):
                kind, data = text.removesuffix("\n\n").split("\n")
                found = kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))
                self.events.append(found)
                return found

    async def until(self, kind: str, name: str) -> Any:
        """Read up to an event of that kind about the log of that name, and return its data."""
        while True:
            found, data = await self.read()
            if (found, data.get("name")) == (kind, name):
                return data


@contextlib.asynccontextmanager
async def watching(listed: ListEvents, selection: Selection = ALL) -> AsyncIterator[Watcher]:
    """A watcher whose socket has little room."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reader, client = await asyncio.open_connection(*listener.getsockname(), limit=1 << 16)
        accepted, _ = listener.accept()
        transport, _ = await asyncio.get_running_loop().connect_accepted_socket(asyncio.Protocol, accepted)
        transport.set_write_buffer_limits(high=0, low=0)
        writer = Watched(transport)
        task = asyncio.create_task(listed.watch(writer, selection, nothing))
        watcher = Watcher(reader, client, writer)
        try:
            assert await watcher.read() == ("listed", {})
            yield watcher
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await task
            client.close()
            transport.abort()
            await turns(lambda: writer.transport is None)


async def is_full(writer: BodyWriter) -> None:
    """Have a socket full: what follows waits."""
    while not writer.blocked:
        writer.write(b":" + b"x" * 60_000 + b"\n\n")
        await asyncio.sleep(0)


@on_loop
async def test_a_watcher_whose_socket_is_full_misses_nothing_and_delays_nobody(tmp_path: Path) -> None:
    """What it missed is one event, or two, for each log, with what is so then."""
    with opened(tmp_path) as catalogue:
        listed = ListEvents(catalogue)
        async with watching(listed) as slow, watching(listed) as quick:
            await turns(lambda: slow.writer.on_blocked)
            await is_full(slow.writer)
            for number in range(5):
                journal = await begin(catalogue, f"job/{number}")
                await quick.until("begun", f"job/{number}")
                if number < 3:
                    await catalogue.end(journal, State.COMPLETE, "")
                    await quick.until("ended", f"job/{number}")
                if number < 1:
                    await catalogue.remove(journal)
                    await quick.until("removed", f"job/{number}")
            while slow.events[-1:] != [("begun", slow.events[-1][1])] or slow.events[-1][1]["name"] != "job/4":
                await slow.read()
            assert [(kind, data.get("name"), data.get("state")) for kind, data in slow.events[1:]] == [
                ("removed", "job/0", "complete"), ("begun", "job/1", "complete"), ("ended", "job/1", "complete"),
                ("begun", "job/2", "complete"), ("ended", "job/2", "complete"), ("begun", "job/3", "live"), ("begun", "job/4", "live"),
            ]  # fmt: skip


@on_loop
async def test_a_watcher_that_misses_too_much_begins_anew(tmp_path: Path) -> None:
    with opened(tmp_path) as catalogue:
        listed = ListEvents(catalogue, most_missed=3)
        async with watching(listed) as slow, watching(listed) as quick:
            await turns(lambda: slow.writer.on_blocked)
            await is_full(slow.writer)
            for number in range(5):
                await begin(catalogue, f"job/{number}")
                await quick.until("begun", f"job/{number}")
            assert [await slow.read() for _ in range(2)] == [("reset", {}), ("listed", {})]
            await turns(lambda: slow.writer.on_blocked)
            await begin(catalogue, "job/last")
            assert (await slow.until("begun", "job/last"))["state"] == "live"
            assert len(slow.events) == 4


@on_loop
async def test_a_log_that_is_written_elsewhere_is_listed_while_it_grows(tmp_path: Path) -> None:
    """It is one that another catalogue has."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with opened(tmp_path / "a") as here, opened(tmp_path / "b") as elsewhere:
        listed = ListEvents(here)
        first, second = await begin(elsewhere, "first"), await begin(elsewhere, "second")
        here.adopt(first)
        own = await begin(here, "own")
        assert here.known() == [own, first]
        async with watching(listed) as watcher:
            here.adopt(second)
            assert (await watcher.read())[1]["name"] == "second"
            await elsewhere.end(first, State.ABORTED, "")
            await watcher.until("ended", "first")
            second.suspend()
            await watcher.until("changed", "second")
            assert here.known() == [own]


@on_loop
async def test_nothing_is_watched_when_nobody_watches(tmp_path: Path) -> None:
    with opened(tmp_path) as catalogue:
        listed = ListEvents(catalogue)
        journal = await begin(catalogue, "a")
        async with watching(listed), watching(listed, Selection(prefixes=("b/",))):
            assert len(journal.watchers) == 1, "one for all"
            assert catalogue.arrivals.observers == {listed}
        assert not journal.watchers
        assert not catalogue.arrivals.observers
        await catalogue.end(journal, State.COMPLETE, "")
        async with watching(listed):
            assert not journal.watchers, "a log that has ended may go to make room"


@pytest.mark.long
@on_loop
async def test_many_logs_are_told_to_many_watchers_while_others_have_their_turns(tmp_path: Path) -> None:
    """400 logs, which all change at once, and 50 watchers of different logs, one of all."""
    with opened(tmp_path) as catalogue:
        listed = ListEvents(catalogue)
        journals = [await begin(catalogue, f"{number % 50}/{number}") for number in range(400)]
        async with contextlib.AsyncExitStack() as stack:
            every = await stack.enter_async_context(watching(listed))
            some = [
                await stack.enter_async_context(watching(listed, Selection(prefixes=(f"{number}/",))))
                for number in range(50)
            ]
            longest, ended = 0.0, False

            async def ping() -> None:
                nonlocal longest
                while not ended:
                    before = time.thread_time()  # what others on this machine take is nobody's fault here
                    await asyncio.sleep(0)
                    longest = max(longest, time.thread_time() - before)

            pinging = asyncio.create_task(ping())
            for journal in journals:
                journal.suspend()
            for number, watcher in enumerate(some):
                names = {(await watcher.read())[1]["name"] for _ in range(8)}
                assert names == {f"{number}/{each}" for each in range(number, 400, 50)}
            assert len({(await every.read())[1]["name"] for _ in range(400)}) == 400
            ended = True
            await pinging
            assert longest < 0.25
