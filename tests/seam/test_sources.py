"""What readers may ask of a log, over both implementations of `Source`."""

import asyncio
import contextlib
import os
import random
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from livelog.config import Settings
from livelog.errors import DiskError
from livelog.lines.index import BLOCK, Index, scan
from livelog.lines.service import Indexes, Page
from livelog.lines.workers import Scanners
from livelog.log.catalogue import Catalogue
from livelog.log.disk import Disk
from livelog.log.follower import Feeder, Follower, follow
from livelog.log.info import State
from livelog.log.journal import Journal
from tests.integration.servers import elapse
from tests.unit.live import on_loop

from .writers import Elsewhere, Here, on_both, told
from .writing import FIRST, NAME

Kind = type[Here] | type[Elsewhere]


@contextlib.asynccontextmanager
async def followed(journal: Journal) -> AsyncIterator[tuple[Feeder, Callable[[], Awaitable[Follower]]]]:
    """A feeder of a journal of this process, and who begins to listen to it when it is called."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    feeder, disk = Feeder(journal, theirs), Disk(tempfile.gettempdir())
    follower: Follower | None = None

    async def following() -> Follower:
        nonlocal follower
        follower = await follow(ours, disk)
        return follower

    yield feeder, following
    feeder.close()
    if follower is not None:
        follower.close()
    disk.stop()


@on_both
@on_loop
async def test_log_tells_what_it_is_and_has_what_was_there_before(kind: Kind, tmp_path: Path) -> None:
    async with kind(tmp_path) as writer:
        source = writer.source
        assert (source.info.name, source.state, source.at_end) == (NAME, State.LIVE, False)
        assert source.etag == f'"{source.info.generation}"'
        assert source.length == source.acknowledged == len(FIRST)
        assert source.read(0, source.length) == FIRST
        assert source.changed >= source.info.began


@on_both
@on_loop
async def test_bytes_are_told_of_once_they_can_be_read(kind: Kind, tmp_path: Path) -> None:
    async with kind(tmp_path) as writer:
        source, chance, content, seen = writer.source, random.Random(7), bytearray(FIRST), [0]

        def look() -> None:
            """At each change there is all that is counted, and not less than before."""
            assert seen[-1] <= source.acknowledged <= source.length
            assert len(source.read(0, source.length)) == source.length
            seen.append(source.length)

        source.watchers.add(look)
        for _ in range(60):
            piece = chance.randbytes(chance.choice([1, 30, 5000, BLOCK, 3 * BLOCK]))
            content += piece
            size = len(content)
            async with told(source, lambda size=size: source.length == size):  # type: ignore[misc]
                await writer.do("append", piece.decode("latin-1"))
        source.watchers.discard(look)
        assert source.read(0, source.length) == await source.fetch(0, source.length) == content
        start, stop = sorted(chance.sample(range(len(content)), 2))
        assert source.read(start, stop) == os.pread(source.fileno(), stop - start, start) == content[start:stop]
        assert await source.run(partial(source.read, start, stop)) == content[start:stop]
        assert source.is_cached(start, stop)


@on_both
@pytest.mark.parametrize("end", [State.COMPLETE, State.ABORTED])
@on_loop
async def test_end_is_told_with_all_that_is_known_of_it(kind: Kind, tmp_path: Path, end: State) -> None:
    async with kind(tmp_path) as writer:
        source, states = writer.source, [State.LIVE]
        source.watchers.add(lambda: states.append(source.state))
        async with told(source, lambda: source.state is State.INTERRUPTED):
            await writer.do("interrupt")
        async with told(source, lambda: source.state is State.LIVE):
            await writer.do("resume")
        async with told(source, lambda: source.info.attributes.title == "of the seam"):
            await writer.do("title", "of the seam")
        async with told(source, lambda: source.state.ended):
            await writer.do("append", "the last line\n")
            await writer.do("end", end.value)
        assert (source.state, source.at_end, source.info.reason) == (end, True, "the test ended it")
        assert source.info.ended is not None
        assert source.info.attributes.title == "of the seam"
        assert source.read(0, source.length) == FIRST + b"the last line\n"
        assert states[-1] is end
        assert not any(state.ended for state in states[: states.index(end)])


@on_both
@on_loop
async def test_writer_that_is_lost_ends_what_is_heard_and_never_completes_the_log(kind: Kind, tmp_path: Path) -> None:
    async with kind(tmp_path) as writer:
        source, line = writer.source, "a line of a flood\n"
        async with told(source, lambda: source.at_end):
            async with told(source, lambda: source.length > 20_000):
                flood = asyncio.ensure_future(writer.do("flood", line))
            await writer.be_lost()
        flood.cancel()
        length = source.length
        assert source.state is State.LIVE
        assert source.read(0, length) == (FIRST + line.encode() * length)[:length]
        assert source.info.ended is None


@on_loop
async def test_log_of_a_killed_writer_has_in_the_end_all_that_was_acknowledged(tmp_path: Path) -> None:
    """The owner is killed while it writes; whoever takes its data directory over finds no less than readers were told."""
    async with Elsewhere(tmp_path) as writer:
        source = writer.source
        async with told(source, lambda: source.at_end):
            async with told(source, lambda: source.length > 20_000):
                await writer.do("flood", "x" * 1000)
            await writer.be_lost()
        catalogue = Catalogue(Settings(access_token="x", data_dir=str(tmp_path / "data")))
        found = catalogue.get(NAME)
        assert found is not None
        assert source.acknowledged <= source.length <= found.length
        assert found.state is State.ABORTED
        catalogue.close()
        catalogue.stop()


@on_both
@on_loop
async def test_times_are_known_to_readers_as_soon_as_the_bytes(kind: Kind, tmp_path: Path) -> None:
    """In the loop's turn in which they are told of, from the descriptor alone."""
    async with kind(tmp_path) as writer:
        source, told_of = writer.source, dict[int, tuple[int, int]]()
        await source.open_times()

        def look() -> None:
            told_of[source.length] = source.times().time_at(source.length - 1), source.changed // 1000

        source.watchers.add(look)
        for number in range(1, 8):
            length = len(FIRST) + number * 10
            async with told(source, lambda length=length: source.length == length):  # type: ignore[misc]
                elapse(0.015)
                await writer.do("append", "x" * 10)
        source.watchers.discard(look)
        assert len(told_of) == 7
        moments = [moment for moment, _ in told_of.values()]
        assert all(later - earlier >= 10 for earlier, later in pairwise(moments))
        for length, (moment, changed) in told_of.items():
            assert 0 <= changed - moment < 10
            assert source.times().offset_at(moment) == length - 10
            assert source.times().time_at(length - 10) == moment
        descriptor = source.times_fileno()
        assert descriptor is not None
        assert os.fstat(descriptor).st_size < 60
        assert source.times().time_at(0) - source.info.began // 1000 < 5000
        assert source.times().offset_at(source.info.began // 1000 - 1) == 0


@on_loop
async def test_who_begins_to_follow_late_knows_the_times_of_what_was_there(tmp_path: Path) -> None:
    """And of a log that has got its first note since."""
    async with Here(tmp_path) as writer:
        for number in range(5):
            async with followed(writer.source) as (_, following):
                late = await following()
                elapse(0.015)
                async with told(late, lambda number=number, late=late: late.length == len(FIRST) + number + 1):  # type: ignore[misc]
                    await writer.do("append", "x")
                for offset in range(late.length):
                    assert late.times().time_at(offset) == writer.source.times().time_at(offset)
                assert late.times().time_at(late.length - 1) > late.info.began // 1000


@on_loop
async def test_follower_that_does_not_listen_keeps_nobody_waiting_and_hears_the_newest(tmp_path: Path) -> None:
    async with Here(tmp_path) as writer, followed(writer.source) as (feeder, following):
        for _ in range(5000):  # more than a socket holds
            writer.source.interrupt()
            writer.source.resume()
        await writer.do("title", "the newest")
        late = await following()
        async with told(late, lambda: late.state.ended):
            await writer.do("end", "complete")
        assert (late.state, late.info.attributes.title) == (State.COMPLETE, "the newest")
        assert feeder.closed


@on_loop
async def test_follower_that_leaves_is_told_nothing_more(tmp_path: Path) -> None:
    async with Here(tmp_path) as writer, followed(writer.source) as (feeder, following):
        late = await following()
        late.release()
        late.close()
        late.acquire()
        while not feeder.closed:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert late.at_end
        assert not writer.source.watchers
        with pytest.raises(DiskError, match="opening the log's file failed: it is not followed any more"):
            await late.open()


@on_loop
async def test_feeder_that_leaves_without_a_word_is_an_error(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    with pytest.raises(ConnectionResetError, match="the process that writes the log has left"):
        await follow(ours, Disk(str(tmp_path)))


@on_both
@on_loop
async def test_file_stays_open_for_whoever_holds_it(kind: Kind, tmp_path: Path) -> None:
    async with kind(tmp_path) as writer:
        source = writer.source
        await source.open()
        source.acquire()
        async with told(source, lambda: source.state.ended):
            await writer.do("end", "complete")
    source.release()
    assert source.read(0, source.length) == FIRST
    source.release()
    with pytest.raises(AssertionError):
        source.fileno()


@on_both
@on_loop
async def test_index_and_groups_are_those_of_the_bytes(kind: Kind, tmp_path: Path) -> None:
    async with kind(tmp_path) as writer:
        source, scanners = writer.source, Scanners()
        content = FIRST + b"##[group]one\na line\n##[endgroup]\n" * (3 * BLOCK // 33)
        async with told(source, lambda: source.length == len(content)):
            await writer.do("append", content[len(FIRST) :].decode())
        indexes = Indexes(scanners)
        with indexes.use(source) as indexer:
            assert await indexer.ready()
            wanted = Index()
            wanted.add(scan(source.read, 0, len(content) // BLOCK, ""))
            assert indexer.index.to_bytes() == wanted.to_bytes()
            found = await indexer.page("groups", Page(0, 5), 60.0)
            assert (b'"one"' in found.items, found.state) == (True, State.LIVE)
        await indexes.close()
        await scanners.close()
