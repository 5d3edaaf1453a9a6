"""Readers that are slow, late, paused, dead or many: each gets every byte, and nobody waits for them.

Categories: a flat-out producer with readers of every pace · a producer's pace with readers that read nothing · a
thousand such readers and the server's memory · readers that are killed · readers that come and go all the time ·
delivery to caught-up readers while others catch up.
"""

import contextlib
import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.conformance.wire import Ending
from tests.sample import sample

from .logs import status_of
from .pattern import Producer, Reader
from .servers import FOLLOW, begin, resident_memory, running, wait_until

MB = 1_000_000
SMALL_WINDOW = 4096
"""A receive buffer that the system makes as small as it can: what a reader has not read stays with the server."""


def read_slowly(reader: Reader, size: int, fraction: Callable[[], float]) -> Ending:
    """Read with pieces and pauses of a size that is never twice the same, up to the end of a log of `size`."""
    while reader.offset < size:
        reader.read(max(1, int(min(size - reader.offset, 3 * MB) * fraction())))
    return reader.read_to_end()


@pytest.mark.parametrize("place", sample(["memory", "disk"], "disk"))
def test_every_reader_gets_every_byte_of_a_flat_out_producer(place: str) -> None:
    """Plain, ranged, HTTP/1.0, small-windowed, late and paused readers: all bytes, in order, once, and a clean end."""
    size = 60 * MB
    environment = {"LIVELOG_TEMP_DIR": "/dev/shm"} if place == "memory" else {}
    with running(environment) as server, contextlib.ExitStack() as stack, ThreadPoolExecutor(8) as threads:
        producer = stack.enter_context(Producer(server))
        quick = [
            stack.enter_context(Reader(server.get, *headers, version=version))
            for headers, version in (((), "1.1"), ((FOLLOW,), "1.1"), ((), "1.0"))
        ]
        slow = stack.enter_context(Reader(server.get, receive_buffer=SMALL_WINDOW))
        paused = stack.enter_context(Reader(server.get))
        for reader in (*quick, slow, paused):
            assert reader.head.status in (200, 206)
        ends = [threads.submit(reader.read_to_end) for reader in quick]
        ends.append(threads.submit(read_slowly, slow, size, random.Random(1).random))
        producer.send(size // 3)
        paused.read_to(size // 9)  # and then nothing, for a while
        late = stack.enter_context(Reader(server.get))
        ends.append(threads.submit(late.read_to_end))
        producer.send(size // 3)
        start = size // 2
        wait_until(lambda: status_of(server, "")["size"] > start, "the byte from which one reads")
        resumed = stack.enter_context(Reader(server.get, f"Range: bytes={start}-9007199254740991", start=start))
        ends.append(threads.submit(resumed.read_to_end))
        producer.send(size - producer.offset)
        assert producer.finish() == 201
        ends.append(threads.submit(paused.read_to_end))
        assert [end.result() for end in ends] == [Ending.CLEAN] * len(ends)
        for reader in (*quick, slow, paused, late, resumed):
            assert reader.offset == size


def test_producer_finishes_while_a_reader_reads_nothing() -> None:
    """A hundred megabytes pass a reader that has not read its head; it then gets all of them."""
    size = 100 * MB
    with running({"LIVELOG_TEMP_DIR": "/dev/shm"}) as server, contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        stuck = [
            stack.enter_context(Reader(server.get, *headers, receive_buffer=SMALL_WINDOW))
            for headers in ((), (FOLLOW,))
        ]
        producer.send(size)
        assert producer.finish() == 201
        assert stuck[0].answer.head is None
        stuck[1].close()
        stuck[0].hurry()
        assert stuck[0].read_to_end() is Ending.CLEAN
        assert stuck[0].offset == size


def test_producer_of_small_lines_finishes_while_a_reader_reads_nothing() -> None:
    """The same for lines as programs write them, which go to readers in shared frames."""
    line, count = 100, 100_000
    with running() as server, contextlib.ExitStack() as stack, ThreadPoolExecutor(1) as threads:
        producer = stack.enter_context(Producer(server))
        stuck = stack.enter_context(Reader(server.get, receive_buffer=SMALL_WINDOW))
        quick = stack.enter_context(Reader(server.get))
        end: Future[Ending] = threads.submit(quick.read_to_end)
        producer.send(line * count, line)
        assert producer.finish() == 201
        assert end.result() is Ending.CLEAN
        stuck.hurry()
        assert stuck.read_to_end() is Ending.CLEAN
        assert quick.offset == stuck.offset == line * count


@pytest.mark.long
def test_thousand_readers_that_never_read_cost_little_memory_and_disturb_nobody() -> None:
    """What they have not read stays in the file: memory for each of them is bounded, whatever the log's size."""
    count, size = 1000, 32 * MB
    with running({"LIVELOG_TEMP_DIR": "/dev/shm"}) as server, contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        threads = stack.enter_context(ThreadPoolExecutor(3))
        before = resident_memory(server.pid)
        for number in range(count):
            headers = () if number % 2 else (FOLLOW,)
            stack.enter_context(Reader(server.get, *headers, receive_buffer=SMALL_WINDOW))
        few = [stack.enter_context(Reader(server.get)) for _ in range(3)]
        for reader in few:
            assert reader.head.status == 200
        ends = [threads.submit(reader.read_to_end) for reader in few]
        producer.send(MB, 2000)
        producer.send(size - MB)
        during = resident_memory(server.pid)
        assert producer.finish() == 201
        assert [end.result() for end in ends] == [Ending.CLEAN] * 3
        assert [reader.offset for reader in few] == [size] * 3
        assert max(during, resident_memory(server.pid)) - before < count * 100_000


def test_memory_does_not_grow_with_what_a_reader_has_not_read() -> None:
    """A hundred megabytes more, unread by fifty readers, are not held for them."""
    with running({"LIVELOG_TEMP_DIR": "/dev/shm"}) as server, contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        readers = [stack.enter_context(Reader(server.get, receive_buffer=SMALL_WINDOW)) for _ in range(50)]
        for reader in readers:
            assert reader.head.status == 200
        producer.send(20 * MB, 50_000)
        before = resident_memory(server.pid)
        producer.send(100 * MB, 50_000)
        assert resident_memory(server.pid) - before < 20 * MB
        assert producer.finish() == 201


@pytest.mark.parametrize("leave", [Reader.close, Reader.reset])
def test_readers_that_leave_in_the_middle_disturb_nobody(leave: Callable[[Reader], None]) -> None:
    """Caught up or far behind, by FIN or by RST, while the bytes flow."""
    size = 12 * MB
    with running() as server, contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        threads = stack.enter_context(ThreadPoolExecutor(1))
        steady = stack.enter_context(Reader(server.get))
        assert steady.head.status == 200
        end = threads.submit(steady.read_to_end)
        place = random.Random(5)
        while producer.offset < size:
            leaving = [Reader(server.get, *headers, receive_buffer=SMALL_WINDOW) for headers in ((), (FOLLOW,))]
            producer.send(MB, place.randrange(50, 100_000))
            for reader in leaving:
                reader.read(place.randrange(1, min(producer.offset, 500_000)))
            caught_up = Reader(server.get, f"Range: bytes={producer.offset}-9007199254740991", start=producer.offset)
            for reader in (*leaving, caught_up):
                leave(reader)
        assert producer.finish() == 201
        assert end.result() is Ending.CLEAN
        assert steady.offset == size


def test_caught_up_reader_gets_each_line_while_others_catch_up() -> None:
    """A line goes out to who follows the log, though twenty others fetch its megabytes."""
    backlog = 40 * MB
    with running() as server, contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        threads = stack.enter_context(ThreadPoolExecutor(20))
        producer.send(backlog)
        follower = stack.enter_context(Reader(server.get))
        follower.read_to(backlog)
        others = [stack.enter_context(Reader(server.get, receive_buffer=65536)) for _ in range(20)]
        ends = [threads.submit(reader.read_to_end) for reader in others]
        for _ in range(100):
            producer.send(30)
            follower.read_to(producer.offset)  # waits for this line, of which the next one is the sequel
        assert producer.finish() == 201
        assert follower.read_to_end() is Ending.CLEAN
        assert [end.result() for end in ends] == [Ending.CLEAN] * 20
        assert [reader.offset for reader in others] == [producer.offset] * 20


def test_reader_that_falls_behind_again_and_again_loses_nothing() -> None:
    """It reads all there is, then lets megabytes pass, and so on: from the shared frames to the file and back."""
    with running() as server, contextlib.ExitStack() as stack:
        producer = stack.enter_context(Producer(server))
        readers = [
            stack.enter_context(Reader(server.get, receive_buffer=SMALL_WINDOW)),
            stack.enter_context(Reader(server.get, receive_buffer=SMALL_WINDOW, version="1.0")),
            stack.enter_context(Reader(server.get, FOLLOW)),
        ]
        sizes = random.Random(3)
        for _ in range(40):
            producer.send(sizes.choice((1, 100, 70_000, 2 * MB)), sizes.choice((500, 65_536, 262_144)))
            for reader in readers:
                if sizes.random() < 0.7:
                    reader.read_to(producer.offset)
        assert producer.finish() == 201
        for reader in readers:
            assert reader.read_to_end() is Ending.CLEAN
            assert reader.offset == producer.offset


def test_log_that_was_replaced_is_still_read_to_its_end() -> None:
    """A reader in the middle of the old log gets the rest of that one, not a byte of the next."""
    size = 20 * MB
    with running() as server, contextlib.ExitStack() as stack:
        with Producer(server) as producer:
            slow = stack.enter_context(Reader(server.get, receive_buffer=SMALL_WINDOW))
            assert slow.head.status == 200
            producer.send(size)
            assert producer.finish() == 201
        with contextlib.closing(begin(server)) as other:
            other.send(b"5\r\nOTHER\r\n0\r\n\r\n")
            head = other.wait_end().head
            assert head is not None
            assert head.status == 200
        assert server.read_log().body == b"OTHER"
        slow.hurry()
        assert slow.read_to_end() is Ending.CLEAN
        assert slow.offset == size
