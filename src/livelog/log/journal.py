"""One log: bytes that are only ever appended, how many there are, and whether more will come.

The producer's side appends and closes; a thread writes, so that a disk that stalls stops nobody else.
Readers need four things of a journal: its `length`, its `state`, its bytes at an offset (a copy of them, or the
file to send them from), and a wake-up when the first two change. Who feeds it is none of their business.

Besides, it notes when each 64 KiB block of the log began to come. Refuses to know of HTTP, of sockets, and of how many
readers there are.

1. `length` only grows, and every byte below it can be read: it counts what the file has taken.
2. `state` goes to and fro between LIVE and INTERRUPTED; the end, COMPLETE or ABORTED, comes once, after the last byte
   was written. A log in a data directory is COMPLETE there before it is so here.
3. All methods are called on the event loop's thread (`read` on any), and only `read`, `fetch`, `open`, `flush`, `save`
   and `close` may wait for the disk.
4. A failed write makes the log ABORTED at the last byte that was written; `failure` says why.
5. A log that nobody writes or reads has no open file (unless it has no name in any directory), no timer and no task.
"""

import asyncio
import contextlib
import errno
import os
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, BinaryIO, TypeVar, cast

from livelog.errors import DiskError

from .directory import Directory
from .disk import Disk, Piece, Write
from .info import LogInfo, State, now

PROBE_STEP = 65536
"""Bytes between the places that are asked whether they are cached: the kernel reads ahead and evicts in
larger units, so that a hole between two probes is rare, and costs one short wait."""


WRITE_DISTANCE = 0.005
"""Seconds from one write to the next, at least, while little arrives: each costs a turn of a thread, and wakes all
readers. A third of the 15 ms in which 99 of 100 lines shall arrive."""

EAGER = 64 * 1024
"""Bytes that do not wait for that distance."""

DIGEST_BLOCK = 1024 * 1024
"""Bytes read at a time to compute a digest: while they are hashed, others can run."""

BLOCK = 64 * 1024
"""Bytes of the log between two times that are noted."""

TICK = 10_000
"""Microseconds: the unit of these times, so that 32 bits last for more than a year."""

FRESH = 5.0
"""Seconds, or up to twice as many, for which what was written is taken to be cached where nobody can tell."""

T = TypeVar("T")


class Journal:
    """An append-only log in one file.

    `file`: open for reading and writing, with `length` bytes in it, and this journal's own; whoever gives it is its first
    user and must `release` it. `directory`: where the log is kept under a name, so that its file can be closed and
    opened again; None: it vanishes with its last user.
    """

    __slots__ = (
        "_closing", "_directory", "_disk", "_eager", "_flushed", "_fresh_from", "_fresh_since", "_later",
        "_loop", "_not_before", "_opening", "_pending", "_pending_size", "_removed", "_saving", "_suspended", "_users", "_writing",
        "changed", "ended_at", "failure", "file", "info", "length", "state", "tag_confirms", "times", "watchers",
    )  # fmt: skip

    def __init__(
        self,
        info: LogInfo,
        disk: Disk,
        *,
        file: BinaryIO | None,
        directory: Directory | None = None,
        length: int = 0,
        state: State = State.LIVE,
        changed: int | None = None,
    ) -> None:
        self.info = info
        self.file = file
        self.length = length
        self.state = state
        self.failure: DiskError | None = None
        self.changed = info.began if changed is None else changed
        """When the last byte was written, in microseconds since the epoch."""
        self.times: array[int] | None = None
        """When the first byte of each block was written, in ticks since the log began; what is not known is that of the
        block before. None: not loaded, or there is but one block."""
        self.ended_at = asyncio.get_running_loop().time()
        """When the log ended, if it has, in seconds of the event loop's clock, which nobody sets."""
        self.watchers: set[Callable[[], None]] = set()
        """Called on the event loop whenever `length`, `state` or `at_end` has changed."""
        self.tag_confirms = file is not None
        """Whether all who were told the `etag` got it with the whole log: then a 304 tells them the truth. False once an
        answer with less ended, and for a log of an earlier process, of which nobody knows what it answered."""
        self._disk = disk
        self._directory = directory
        self._users = 0 if file is None else 1
        self._opening: asyncio.Future[BinaryIO] | None = None
        self._suspended = False
        self._removed = False
        self._loop = asyncio.get_running_loop()
        self._pending: list[tuple[Sequence[Piece], Callable[[], None]]] = []
        self._pending_size = 0
        self._writing = False
        self._eager = False
        self._flushed: asyncio.Future[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._fresh_from, self._fresh_since = length, float("-inf")
        self._saving: asyncio.Lock | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def etag(self) -> str:
        """Names this incarnation of the log: it outlives growth and end, and no other log ever has it."""
        return f'"{self.info.generation}"'

    @property
    def at_end(self) -> bool:
        """Whether no more bytes will come: the log has ended, or the server is about to."""
        return self.state.ended or self._suspended

    @property
    def ending(self) -> bool:
        """Whether the log has ended, or is about to: what is known of it cannot change any more."""
        return self.state.ended or self.info.ended is not None

    @property
    def users(self) -> int:
        """How many need the file."""
        return self._users

    @property
    def writing(self) -> bool:
        """Whether a thread writes to the file just now."""
        return self._writing

    async def open(self) -> None:
        """Have the file open until `release`. Raises: DiskError."""
        self._users += 1
        if self.file is not None:
            return
        if self._directory is None:  # it was removed, and the last who needed its file has left
            self._users -= 1
            raise DiskError("opening the log's file", FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
        try:
            if self._opening is None:
                assert self._directory is not None
                self._opening = self._loop.run_in_executor(self._disk.fetchers, self._directory.open, self.info)
                self._opening.add_done_callback(self._opened)
            opening = self._opening
            await asyncio.shield(opening)
            self._opened(opening)  # it may have been done already, and its callback not have run
        except BaseException as error:
            self.release()
            if isinstance(error, OSError):
                raise DiskError("opening the log's file", error) from error
            raise

    def _opened(self, opening: asyncio.Future[BinaryIO]) -> None:
        if self._opening is not opening:
            return
        self._opening = None
        if not opening.cancelled() and opening.exception() is None:
            self.file = opening.result()
            if not self._users:
                self._close_file()

    def acquire(self) -> None:
        """Keep the file, which is open, open until `release`."""
        self._users += 1

    def release(self) -> None:
        """Need the file no longer. The last one to say so has it closed."""
        self._users -= 1
        if not self._users and self.file is not None:
            self._close_file()

    def _close_file(self) -> None:
        """Close the file, in a thread: freeing a large file takes long."""
        assert self.file is not None
        file, self.file = self.file, None
        try:
            # A file that has a name stays there; one that has none any more, or never had, makes room.
            self._disk.give_back(self.length if self._removed or self._directory is None else 0, file.close)
        except RuntimeError:  # no threads any more: the server has stopped
            file.close()
        if self._removed:
            self._disk.note_returned()

    def remove(self, job: Callable[[], None] | None) -> Future[None] | None:
        """The log is removed: those who use its file keep it. Its bytes come back to the disk with the last of them.

        `job` removes the files that have names, if there is a directory. Returns what becomes of it.
        """
        kept = self.file is not None
        if job is None:
            self.release()  # by the catalogue, which kept the file open
            kept = self.file is not None
        if kept:
            self._removed = True
            self._disk.note_returning()
        return None if job is None else self._disk.give_back(0 if kept else self.length, job)

    def fileno(self) -> int:
        """The descriptor of the file, which must be open."""
        assert self.file is not None
        return self.file.fileno()

    def suspend(self) -> None:
        """The server is about to end: nothing will come here any more, but the log may go on in the next server."""
        self._suspended = True
        self._wake()

    # The producer's side.

    def append(self, pieces: Sequence[Piece], written: Callable[[], None]) -> None:
        """Append `pieces`, which must not change until `written` is called: when they are on file, or never will be."""
        assert self._closing is None or self.failure is not None
        if self.failure is not None:
            self._loop.call_soon(written)
            return
        assert not self.state.ended
        self._pending.append((pieces, written))
        self._pending_size += sum(map(len, pieces))
        self._schedule()

    def interrupt(self) -> None:
        """No producer is connected. Without effect on a log that has ended."""
        if self.state is State.LIVE:
            self.state = State.INTERRUPTED
            self._wake()

    def resume(self) -> None:
        """A producer is connected again. Without effect on a log that has ended."""
        if self.state is State.INTERRUPTED:
            self.state = State.LIVE
            self._wake()

    async def flush(self) -> None:
        """Wait until all that was appended is on file, or never will be."""
        self._eager = True
        try:
            while self._pending or self._writing:
                if self._flushed is None:
                    self._flushed = self._loop.create_future()
                self._schedule()
                await asyncio.shield(self._flushed)
        finally:
            self._eager = False

    async def load_times(self) -> None:
        """Have `times`, if they were kept."""
        if self.times is None and self._directory is not None and self.length > BLOCK:
            kept = await self.kept("times")
            if self.times is None and kept:
                self.times = array("I", kept[: len(kept) // 4 * 4])

    async def keep(self, suffix: str, data: bytes) -> None:
        """Keep `data` beside the log, if there is a directory for it; what cannot be kept is not."""
        if self._directory is not None:
            with contextlib.suppress(OSError, RuntimeError):
                job = self._disk.writers.submit(self._directory.keep, self.info, suffix, data)
                await asyncio.wrap_future(job)

    async def kept(self, suffix: str) -> bytes:
        """What was kept; empty if that is nothing, or damaged."""
        if self._directory is None:
            return b""
        return await self._loop.run_in_executor(self._disk.fetchers, self._directory.kept, self.info, suffix)

    async def save(self) -> None:
        """Keep what is known of the log besides its bytes, if there is a directory for it. Raises: DiskError."""
        await self._save()

    async def _save(self, end: State | None = None) -> None:
        """As `save`; with `end`, the state that the log is about to have."""
        if self._directory is None:
            return
        if self._saving is None:
            self._saving = asyncio.Lock()
        async with self._saving:
            try:
                # The state as it is now, not as it was when this began to wait: an end must not be taken back.
                job = self._disk.writers.submit(self._directory.save, self.info, end or self.state, self.length)
                await asyncio.wrap_future(job)
            except OSError as error:
                raise DiskError("keeping the log's state", error) from error
            except RuntimeError as error:
                raise DiskError("keeping the log's state", OSError("the server has stopped")) from error
            if self.times is not None:
                await self.keep("times", self.times.tobytes())

    async def close(self, state: State, reason: str) -> None:
        """End the log, as soon as all that was appended is written, with `state`: COMPLETE or ABORTED, for that `reason`.

        Without effect on a log that has ended. Raises: DiskError, if a write failed, or if the end could not be kept; the
        log is ABORTED then, whatever `state` says.
        """
        if not self.state.ended or self.failure is not None:
            if self._closing is None:
                self._closing = self._loop.create_task(self._close(state, reason))
            await asyncio.shield(self._closing)
        if self.failure is not None:
            raise self.failure

    async def _close(self, state: State, reason: str) -> None:
        await self.flush()
        info = self.info
        info.ended, info.reason = now(), reason
        if self.failure is None:
            try:
                await self._save(state)
            except DiskError as error:
                self.failure = error
        if self.failure is not None:
            state, info.reason = State.ABORTED, str(self.failure)
            # If that fails, what is kept says that the log is live, which the next server knows to be false.
            with contextlib.suppress(DiskError):
                await self._save(state)
        self.state = state
        self.ended_at = self._loop.time()
        if self._directory is not None:
            self.times = None  # they were kept
        self._saving = None
        if self.failure is None:
            self._closing = None  # an ended log costs no more than it must
        self._wake()

    def _schedule(self) -> None:
        """Write what is pending: now if there was a pause, it is much, or somebody waits for it; else a little later."""
        if self._writing or not self._pending:
            return
        if self._pending_size >= EAGER or self._eager or self._loop.time() >= self._not_before:
            self._write()
        elif self._later is None:
            self._later = self._loop.call_at(self._not_before, self._write)

    def _write(self) -> None:
        assert self.file is not None
        if self._later is not None:
            self._later.cancel()
            self._later = None
        now = self._loop.time()
        self._not_before = now + WRITE_DISTANCE
        if now - self._fresh_since > FRESH:
            self._fresh_since, self._fresh_from = now, self.length
        batch, size = self._pending, self._pending_size
        self._pending, self._pending_size = [], 0
        self._writing = True
        self.acquire()
        pieces = [piece for appended, _ in batch for piece in appended]
        self._disk.write(Write(self.file, self.length, pieces, size, partial(self._written, batch)))

    def _written(
        self, batch: list[tuple[Sequence[Piece], Callable[[], None]]], count: int, error: OSError | None
    ) -> None:
        self._writing = False
        self.release()
        before = self.length
        self.length += count
        self.changed = now()
        if (before - 1) // BLOCK != (self.length - 1) // BLOCK:
            self._note_time(before)
        if error is not None and self.failure is None:
            self.failure = DiskError("writing the log", error)
            self.state = State.ABORTED
        if self.failure is not None:
            batch += self._pending
            self._pending, self._pending_size = [], 0
        for _, written in batch:
            written()
        if self._pending:
            self._schedule()
        elif not self._writing and self._flushed is not None:
            self._flushed.set_result(None)
            self._flushed = None
        self._wake()

    def _note_time(self, before: int) -> None:
        """Note when the blocks that began to come behind `before` did."""
        if self.length <= BLOCK:
            return  # that is when the log began
        if self.times is None:
            self.times = array("I", [0])
        tick = min((self.changed - self.info.began) // TICK, 0xFFFFFFFF)
        self.times.extend([self.times[-1]] * (-(-before // BLOCK) - len(self.times)))
        self.times.extend([max(tick, self.times[-1])] * (-(-self.length // BLOCK) - len(self.times)))

    def _wake(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()

    # The readers' side.

    def is_cached(self, start: int, stop: int) -> bool:
        """Whether `read` of `[start, stop)` need, as far as a few probes tell, not wait for the disk."""
        nowait = self._disk.nowait
        if nowait is None:
            # This file system does not tell. What was written a moment ago will be there.
            return start >= self._fresh_from and self._loop.time() - self._fresh_since < 2 * FRESH
        if nowait == 0:
            return True
        fd, byte = self.fileno(), [bytearray(1)]
        try:
            return all(os.preadv(fd, byte, offset, nowait) for offset in (*range(start, stop, PROBE_STEP), stop - 1))
        except BlockingIOError:
            return False

    def read(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`, below `length`, waiting for the disk unless `is_cached`. Raises: DiskError."""
        return _read_all(self.fileno(), start, stop)

    async def run(self, job: Callable[[], T]) -> T:
        """Have a thread do `job`, which may `read`: the file, which must be open, stays so for as long as that takes."""
        running = self._loop.run_in_executor(self._disk.fetchers, job)
        self.acquire()
        running.add_done_callback(lambda _: self.release())
        return await asyncio.shield(running)

    async def fetch(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`, below `length`, read by a thread; then they are cached. Raises: DiskError."""
        return await self.run(partial(_read_all, self.fileno(), start, stop))

    async def digest(self, hasher: Any) -> bytes:
        """The digest, by a new object of `hashlib`, of all that there is now; computed by a thread. Raises: DiskError."""
        return await self.run(partial(_digest, self.fileno(), self.length, hasher))

    def time_at(self, offset: int) -> int:
        """When the byte at `offset` came, in milliseconds since the epoch, rounded down to what is known."""
        ticks = self.times[min(offset // BLOCK, len(self.times) - 1)] if self.times else 0
        return (self.info.began + TICK * ticks) // 1000

    def offset_at(self, moment: int) -> int:
        """The offset of the last block that had begun to come by then, as `time_at` tells it; 0: none had."""
        tick = (1000 * (moment + 1) - 1 - self.info.began) // TICK
        return BLOCK * max(0, bisect_right(self.times, tick) - 1) if self.times else 0


def _digest(fd: int, length: int, hasher: Any) -> bytes:
    for start in range(0, length, DIGEST_BLOCK):
        hasher.update(_read_all(fd, start, min(length, start + DIGEST_BLOCK)))
    return cast(bytes, hasher.digest())


def _read_all(fd: int, start: int, stop: int) -> bytes:
    parts: list[bytes] = []
    while start < stop:
        try:
            data = os.pread(fd, stop - start, start)
        except OSError as error:
            raise DiskError("reading the log", error) from error
        if not data:
            raise DiskError("reading the log", OSError("the file is shorter than the log"))
        parts.append(data)
        start += len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)
