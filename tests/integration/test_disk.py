"""Disks that are full, that stall, or from which all must be read again: others go on, and nothing is made up.

Categories: no space (a full file system, a file size limit) · the log after that · a frozen file system under a
producer, with readers, new connections, errors and the server's stop · cold reads.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conformance.wire import Ending
from tests.harness import TIMEOUT, TOKEN, Server, ask, chunk

from .disks import Disk, image_disk, memory_disk
from .logs import request, send, status_of
from .pattern import Producer, Reader, pattern
from .servers import FOLLOW, begin, resident_memory, running, wait_until

pytestmark = pytest.mark.needs("prlimit")

MIB = 1 << 20

as_root = pytest.mark.needs("root", "mount", "losetup", "mkfs.ext4", "fsfreeze")


@contextlib.contextmanager
def full_at_one_mebibyte(kind: str, folder: Path) -> Iterator[Server]:
    """A server whose disk takes 1 MiB."""
    if kind == "file size limit":
        with running(wrapper=("prlimit", f"--fsize={MIB}")) as server:
            yield server
    else:
        with memory_disk(folder, "1m") as place, running({"LIVELOG_TEMP_DIR": str(place)}) as server:
            yield server


FULL = ["file size limit", pytest.param("full file system", marks=as_root)]


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("kind", FULL)
def test_full_disk_aborts_the_log_at_what_was_written(kind: str, tmp_path: Path, *, chunked: bool) -> None:
    """507 for the producer, all that was written for readers, and a cut; then the server goes on."""
    with full_at_one_mebibyte(kind, tmp_path) as server, contextlib.ExitStack() as stack:
        with Producer(server, None if chunked else 4 * MIB) as producer:
            readers = [
                stack.enter_context(Reader(server.get, *headers, version=version))
                for headers, version in (((), "1.1"), ((FOLLOW,), "1.1"), ((), "1.0"))
            ]
            for reader in readers:
                assert reader.head.status in (200, 206)
            producer.send(4 * MIB, 10_000)
            answer = producer.connection.wait_end()
            assert answer.head is not None
            assert answer.head.status == 507
            assert b"No space left" in answer.body or b"File too large" in answer.body
        ends = {reader.read_to_end() for reader in readers}
        assert ends == {Ending.CUT}
        aborted = server.read_log(query="?follow=0")
        assert aborted.head is not None
        assert aborted.head.get("Livelog-State") == "aborted"
        size = len(aborted.body)
        assert bytes(aborted.body) == pattern(0, size)
        assert {reader.offset for reader in readers} == {size}
        # What a disk of this size took, to the last page; the file system keeps some for itself.
        assert MIB - 64 * 1024 <= size <= MIB
        with Producer(server) as producer:
            producer.send(1000)
            assert producer.finish() == 200
        assert server.read_log().ending is Ending.CLEAN


@as_root
def test_log_that_fits_after_others_made_space_is_whole(tmp_path: Path) -> None:
    """Somebody else's file filled the disk; once it is gone, the next PUT works without a restart."""
    with memory_disk(tmp_path, "1m") as place, running({"LIVELOG_TEMP_DIR": str(place)}) as server:
        hog = place / "hog"
        hog.write_bytes(bytes(MIB))
        with contextlib.closing(begin(server)) as producer:
            producer.send(chunk(b"x"))
            answer = producer.wait_end()
            assert answer.head is not None
            assert answer.head.status == 507
        hog.unlink()
        with Producer(server) as whole:
            whole.send(500_000)
            assert whole.finish() == 200
        assert bytes(server.read_log().body) == pattern(0, 500_000)


@as_root
@pytest.mark.parametrize("variable", ["LIVELOG_TEMP_DIR", "LIVELOG_DATA_DIR"])
def test_log_has_the_room_of_the_one_that_it_replaces(tmp_path: Path, variable: str) -> None:
    """However soon it comes after the one that filled the disk, whose readers may not have left yet."""
    with memory_disk(tmp_path, "1m") as place, running({variable: str(place)}) as server:
        for _ in range(5):
            with Producer(server) as first, Reader(server.get) as reader:
                first.send(4 * MIB, 10_000)
                answer = first.connection.wait_end()
                assert answer.head is not None
                assert answer.head.status == 507
                assert status_of(server, "")["state"] == "aborted"
                with Producer(server) as second:
                    reader.read_to_end()
                    second.send(800_000)
                    assert second.finish() == 200
            assert bytes(server.read_log().body) == pattern(0, 800_000)


@as_root
def test_disk_without_room_for_a_new_file_is_told_to_the_producer(tmp_path: Path) -> None:
    """No inode is left: 507, the old log stays, and the server goes on."""
    with memory_disk(tmp_path, "1m,nr_inodes=20") as place, running({"LIVELOG_TEMP_DIR": str(place)}) as server:
        with Producer(server) as first:
            first.send(1000)
            assert first.finish() == 201
        taken: list[Path] = []
        with contextlib.suppress(OSError):
            while True:
                taken.append(place / str(len(taken)))
                taken[-1].touch()
        with contextlib.closing(server.begin_put()) as producer:
            answer = producer.wait_end()
            assert answer.head is not None
            assert answer.head.status == 507
        assert bytes(server.read_log().body) == pattern(0, 1000)
        taken[0].unlink()
        with Producer(server) as second:
            second.send(10)
            assert second.finish() == 200


def break_off(producer: Producer) -> None:
    """The producer's connection is gone in the middle."""
    producer.send(1000)
    producer.connection.reset()


def break_framing(producer: Producer) -> None:
    """The producer's chunks are not what they say."""
    producer.connection.send(b"nonsense\r\n")
    producer.connection.wait_end()


def send_too_much(producer: Producer) -> None:
    """The producer sends more than a log may have."""
    producer.send(2 * MIB)
    producer.connection.wait_end()


def end_cleanly(producer: Producer) -> None:
    """The producer sends a whole log."""
    producer.finish()


def log_files(server: Server) -> int:
    """How many files of logs, which have no name, the server has open."""
    count = 0
    for link in Path(f"/proc/{server.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since
            count += "(deleted)" in str(link.readlink()) and not link.readlink().name.endswith(".log (deleted)")
    return count


@pytest.mark.parametrize("end", [end_cleanly, break_off, break_framing, send_too_much])
def test_replaced_log_gives_its_space_back_as_soon_as_nobody_reads_it(end: Callable[[Producer], None]) -> None:
    """However the old one ended. Its readers keep it; without them, only the newest log occupies the disk."""
    with running({"LIVELOG_MAX_LOG_SIZE": str(MIB)}) as server:
        for _ in range(5):
            with Producer(server) as producer, Reader(server.get) as reader, Reader(server.get, version="1.0") as other:
                producer.send(100_000)
                for follower in (reader, other):
                    follower.read_to(100_000)
                end(producer)
                for follower in (reader, other):
                    follower.read_to_end()
        with Producer(server) as producer:
            producer.finish()
        wait_until(lambda: log_files(server) <= 1, "the old logs' files are closed")


@contextlib.contextmanager
def on_image_disk(folder: Path, size: int) -> Iterator[tuple[Disk, Server]]:
    """A server whose logs are on a disk that can be frozen; thawed before the server must end."""
    with image_disk(folder, size) as disk, running({"LIVELOG_TEMP_DIR": str(disk.place)}) as server:
        try:
            yield disk, server
        finally:
            disk.thaw()


@as_root
def test_stalled_disk_freezes_only_who_writes(tmp_path: Path) -> None:
    """While a producer's write hangs, what is written is served, errors are answered, and new connections, too."""
    written = 3 * MIB
    with on_image_disk(tmp_path, 64 * MIB) as (disk, server), contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        producer.send(written)
        follower = stack.enter_context(Reader(server.get))
        follower.read_to(written)
        disk.freeze()
        producer.send(2 * MIB)  # the kernel and the server take that much; none of it can be written
        late = stack.enter_context(Reader(server.get))
        late.read_to(written)
        part = server.read_log("Range: bytes=1000-1999")
        assert bytes(part.body) == pattern(1000, 2000)
        tail = server.read_log("Range: bytes=-10")
        assert bytes(tail.body) == pattern(written - 10, written)
        with contextlib.closing(server.connect()) as stranger:
            ask(stranger, "GET", "/log/wrong")
            assert stranger.wait_head().status == 401
        with contextlib.closing(server.connect(producer=True)) as second:
            ask(second, "PUT", "/log", "Transfer-Encoding: chunked")
            assert second.wait_head().status == 409
            assert second.wait_end().ending is Ending.CLEAN
        with contextlib.closing(server.connect(producer=True)) as lost:
            ask(lost, "GET", "/")
            assert lost.wait_head().status == 404
        assert follower.offset == late.offset == written
        disk.thaw()
        assert producer.finish() == 201
        for reader in (follower, late):
            assert reader.read_to_end() is Ending.CLEAN
            assert reader.offset == written + 2 * MIB


@as_root
def test_stalled_disk_bounds_what_a_producer_may_send(tmp_path: Path) -> None:
    """The bytes that wait for the disk are bounded: a producer is held back, then goes on, and nothing is lost."""
    size = 64 * MIB  # more than the system takes for a socket (tcp_rmem, tcp_wmem), and the server besides
    with (
        on_image_disk(tmp_path, 128 * MIB) as (disk, server),
        ThreadPoolExecutor(1) as threads,
        Producer(server) as producer,
        Reader(server.get) as reader,
    ):
        producer.send(MIB)
        reader.read_to(MIB)
        before = resident_memory(server.pid)
        disk.freeze()
        sent = threads.submit(producer.send, size)
        try:
            with pytest.raises(TimeoutError):
                sent.result(1.5)
            assert resident_memory(server.pid) - before < 24 * MIB
        finally:
            disk.thaw()
        sent.result()
        assert producer.finish() == 201
        assert reader.read_to_end() is Ending.CLEAN
        assert reader.offset == MIB + size


@as_root
def test_log_cannot_begin_on_a_stalled_disk_but_readers_of_the_last_one_go_on(tmp_path: Path) -> None:
    """The new log's file hangs; until it is there, the old log is served."""
    with on_image_disk(tmp_path, 64 * MIB) as (disk, server):
        with Producer(server) as first:
            first.send(MIB)
            assert first.finish() == 201
        disk.freeze()
        with contextlib.closing(server.begin_put()) as producer:
            producer.send(chunk(b"new") + chunk(b""))
            for _ in range(3):
                with Reader(server.get) as reader:
                    assert reader.read_to_end() is Ending.CLEAN
                    assert reader.offset == MIB
            disk.thaw()
            assert producer.wait_head().status == 200
        assert server.read_log().body == b"new"


@as_root
def test_producer_that_leaves_while_the_disk_stalls_harms_nobody(tmp_path: Path) -> None:
    """Its readers wait for the disk, then get all that arrived, and the cut; then comes the next log."""
    with on_image_disk(tmp_path, 64 * MIB) as (disk, server), contextlib.ExitStack() as stack:
        with Producer(server) as producer:
            reader = stack.enter_context(Reader(server.get))
            producer.send(MIB)
            reader.read_to(MIB)
            disk.freeze()
            producer.send(1000)
        assert bytes(server.read_log("Range: bytes=0-9").body) == pattern(0, 10)
        disk.thaw()
        assert reader.read_to_end() is Ending.CUT
        assert reader.offset == MIB + 1000
        with Producer(server) as producer:
            assert producer.finish() == 200


@as_root
def test_what_is_told_of_a_log_cannot_change_while_it_is_removed(tmp_path: Path) -> None:
    """409, however long its end takes: what is kept after that would be left when the log has gone."""
    with image_disk(tmp_path, 64 * MIB) as disk, running({"LIVELOG_DATA_DIR": str(disk.place)}) as server:
        assert send(server, "a", b"some", "Upload-Complete: ?0").status == 201
        with contextlib.closing(server.connect(producer=True)) as removing, contextlib.ExitStack() as stack:
            stack.callback(disk.thaw)
            disk.freeze()
            ask(removing, "DELETE", "/log/a")
            for _ in range(3):  # what was asked first is read first: by now the log is about to end
                assert request(server.put, "GET", "/healthz").status == 200
            assert request(server.put, "PATCH", "/log/a", "Livelog-Exit-Code: 0").status == 409
            disk.thaw()
            assert removing.wait_head().status == 204
        assert list((disk.place / "logs").iterdir()) == []


@as_root
@pytest.mark.parametrize("live", [True, False])
def test_server_stops_in_bounded_time_though_its_disk_stalls(tmp_path: Path, *, live: bool) -> None:
    """SIGTERM must not wait for ever for a disk that does not answer."""
    with on_image_disk(tmp_path, 64 * MIB) as (disk, server), contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        producer.send(MIB)
        reader = stack.enter_context(Reader(server.get))
        reader.read_to(MIB)
        disk.freeze()
        if live:
            producer.send(MIB)
        server.process.send_signal(signal.SIGTERM)
        assert reader.read_to_end() is Ending.CUT
        # The kernel keeps a process until its last write is done, so that only the listening sockets tell.
        wait_until(lambda: not accepts(server), "the server accepts nobody any more")
        disk.thaw()
        assert server.process.wait(TIMEOUT) == 0


def accepts(server: Server) -> bool:
    """Whether the readers' port takes connections."""
    try:
        server.connect().close()
    except ConnectionError:
        return False
    return True


def test_cold_log_is_read_whole(tmp_path: Path) -> None:
    """The kernel has dropped every page of the file: all readers wait for the disk, and all bytes are right."""
    size = 96 * MIB
    with running({"LIVELOG_TEMP_DIR": str(tmp_path)}) as server, contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        producer.send(size)
        assert producer.finish() == 201
        threads = stack.enter_context(ThreadPoolExecutor(4))
        drop_from_cache(server, size)
        readers = [
            stack.enter_context(Reader(server.get)),
            stack.enter_context(Reader(server.get, version="1.0")),
            stack.enter_context(Reader(server.get, f"Range: bytes={size // 2}-", start=size // 2)),
            stack.enter_context(Reader(server.get, f"Range: bytes={size - 5 * MIB}-", start=size - 5 * MIB)),
        ]
        ends = [threads.submit(reader.read_to_end) for reader in readers]
        assert [end.result() for end in ends] == [Ending.CLEAN] * len(ends)
        assert {reader.offset for reader in readers} == {size}


def test_cold_live_log_is_followed_from_its_beginning(tmp_path: Path) -> None:
    """A reader fetches what only the disk has, while new lines arrive for another."""
    size = 32 * MIB
    with running({"LIVELOG_TEMP_DIR": str(tmp_path)}) as server, contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        producer.send(size)
        threads = stack.enter_context(ThreadPoolExecutor(1))
        wait_until(lambda: length_so_far(server) == size, "all is written")
        current = stack.enter_context(Reader(server.get, f"Range: bytes={size}-9007199254740991", start=size))
        assert current.head.status == 206
        drop_from_cache(server, size)
        late = stack.enter_context(Reader(server.get))
        end = threads.submit(late.read_to_end)
        for _ in range(50):
            producer.send(100)
            current.read_to(producer.offset)
        assert producer.finish() == 201
        assert end.result() is Ending.CLEAN
        assert current.read_to_end() is Ending.CLEAN
        assert late.offset == current.offset == producer.offset


def length_so_far(server: Server) -> int:
    """How many bytes the log has."""
    with contextlib.closing(server.connect()) as connection:
        ask(connection, "HEAD", f"/log/{TOKEN}?follow=0")
        return int(connection.wait_head().get("Content-Length") or 0)


def drop_from_cache(server: Server, size: int) -> None:
    """Have the kernel forget the pages of the log's file, which no name leads to."""
    for link in Path(f"/proc/{server.pid}/fd").iterdir():
        if "(deleted)" in str(link.readlink()) and link.stat().st_size == size:
            fd = os.open(link, os.O_RDONLY)
            try:
                os.fsync(fd)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(fd)
            return
    raise AssertionError("the log's file was not found")
