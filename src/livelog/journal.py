"""One log: bytes that are only ever appended, how many there are, and whether more will come.

The producer's side appends and closes; a thread writes, so that a disk that stalls stops nobody else.
Readers need four things of a journal: its `length`, its `state`, its bytes at an offset (a copy of them, or the
file to send them from), and a wake-up when the first two change. Who feeds it is none of their business.

Refuses to know of HTTP, of sockets, and of how many readers there are.

1. `length` only grows, and every byte below it can be read: it counts what the file has taken.
2. `state` leaves LIVE once, after the last byte was written, and never comes back.
3. All methods are called on the event loop's thread (`read` on any), and only `read`, `fetch` and `close` may wait for
   the disk.
4. A failed write makes the log ABORTED at the last byte that was written; `failure` says why.
"""

import asyncio
import enum
import os
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import BinaryIO

from .errors import DiskError

Piece = bytes | memoryview

IOV_MAX = 1024
"""The most pieces that one system call writes (POSIX guarantees 16, Linux has 1024)."""

PROBE_STEP = 65536
"""Bytes between the places that are asked whether they are cached: the kernel reads ahead and evicts in
larger units, so that a hole between two probes is rare, and costs one short wait."""


WRITE_DISTANCE = 0.005
"""Seconds from one write to the next, at least, while little arrives: each costs a turn of a thread, and wakes all
readers. A third of the 15 ms in which 99 of 100 lines shall arrive."""

EAGER = 64 * 1024
"""Bytes that do not wait for that distance."""


FRESH = 5.0
"""Seconds, or up to twice as many, for which what was written is taken to be cached where nobody can tell."""


class State(enum.Enum):
    """Whether a log grows, and how it ended. The values are those of the `Livelog-State` header."""

    LIVE = "live"
    COMPLETE = "complete"
    ABORTED = "aborted"


class Journal:
    """An append-only log in one file.

    `file` is open for reading and writing, empty, and this journal's own. It is closed, and its space on the disk
    free, once everybody who did `acquire` did `release`. `content_type` is a header value. `nowait` is the flag with which
    `os.preadv` reads only what needs no wait: `os.RWF_NOWAIT`; 0 if no read of this file ever waits;
    None if that cannot be told. `writers` and `fetchers` run what may wait.
    """

    def __init__(
        self, file: BinaryIO, content_type: str, *, nowait: int | None, writers: Executor, fetchers: Executor
    ) -> None:
        self.file = file
        self.content_type = content_type
        self.etag = f'"{secrets.token_urlsafe(12)}"'
        """Names this incarnation of the log: it outlives growth and end, and no other log ever has it."""
        self.length = 0
        self.state = State.LIVE
        self.failure: DiskError | None = None
        self.watchers: set[Callable[[], None]] = set()
        """Called on the event loop whenever `length` or `state` has changed."""
        self._nowait = nowait
        self._writers = writers
        self._fetchers = fetchers
        self._users = 0
        self._abandoned = False
        self._loop = asyncio.get_running_loop()
        self._pending: list[tuple[Sequence[Piece], Callable[[], None]]] = []
        self._pending_size = 0
        self._writing = False
        self._later: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._fresh_from, self._fresh_since = 0, float("-inf")
        self._closing: tuple[State, asyncio.Future[None]] | None = None

    def acquire(self) -> None:
        """Keep the file open until `release`."""
        self._users += 1

    def release(self) -> None:
        """Need the file no longer. The last one to say so has it closed, in a thread: freeing a large file takes long."""
        self._users -= 1
        if not self._users:
            try:
                self._writers.submit(self.file.close)
            except RuntimeError:  # no threads any more: the server has stopped
                self.file.close()

    def abandon(self) -> None:
        """The event loop is about to end: a write that still hangs closes the file, when it is done."""
        self._abandoned = True

    # The producer's side.

    def append(self, pieces: Sequence[Piece], written: Callable[[], None]) -> None:
        """Append `pieces`, which must not change until `written` is called: when they are on file, or never will be."""
        assert self._closing is None
        if self.failure is not None:
            self._loop.call_soon(written)
            return
        self._pending.append((pieces, written))
        self._pending_size += sum(map(len, pieces))
        self._schedule()

    async def close(self, state: State) -> None:
        """End the log, as soon as all that was appended is written, with `state`: COMPLETE or ABORTED.

        Raises: DiskError, if a write failed; the log is ABORTED then, whatever `state` says.
        """
        if self._closing is None:
            self._closing = (state, self._loop.create_future())
            if self._pending:
                self._schedule()
            elif not self._writing:
                self._settle()
        await asyncio.shield(self._closing[1])
        if self.failure is not None:
            raise self.failure

    def _schedule(self) -> None:
        """Write what is pending: now if there was a pause, it is much, or it is the last; else a little later."""
        if self._writing:
            return
        if self._pending_size >= EAGER or self._closing is not None or self._loop.time() >= self._not_before:
            self._write()
        elif self._later is None:
            self._later = self._loop.call_at(self._not_before, self._write)

    def _write(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        now = self._loop.time()
        self._not_before = now + WRITE_DISTANCE
        if now - self._fresh_since > FRESH:
            self._fresh_since, self._fresh_from = now, self.length
        batch, self._pending, self._pending_size = self._pending, [], 0
        self._writing = True
        pieces = [piece for appended, _ in batch for piece in appended]
        self.acquire()
        try:
            job = self._writers.submit(_write_all, self.file.fileno(), pieces, self.length)
        except RuntimeError:  # no threads any more: the server has stopped
            self._loop.call_soon(self._written, batch, 0, OSError("the server has stopped"))
            return

        def finished(job: Future[tuple[int, OSError | None]]) -> None:
            if self._abandoned:
                self.file.close()
                return
            try:
                self._loop.call_soon_threadsafe(self._written, batch, *job.result())
            except RuntimeError:  # the loop is closed: the server has stopped without waiting for this disk
                self.file.close()

        job.add_done_callback(finished)

    def _written(
        self, batch: list[tuple[Sequence[Piece], Callable[[], None]]], count: int, error: OSError | None
    ) -> None:
        self._writing = False
        self.release()
        self.length += count
        if self._abandoned and self._pending:
            error = error or OSError("the server has stopped")
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
        elif self._closing is not None:
            self._settle()
            return
        self._wake()

    def _settle(self) -> None:
        assert self._closing is not None
        state, closed = self._closing
        if self.failure is None:
            self.state = state
        closed.set_result(None)
        self._wake()

    def _wake(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()

    # The readers' side.

    def is_cached(self, start: int, stop: int) -> bool:
        """Whether `read` of `[start, stop)` need, as far as a few probes tell, not wait for the disk."""
        if self._nowait is None:
            # This file system does not tell. What was written a moment ago will be there.
            return start >= self._fresh_from and self._loop.time() - self._fresh_since < 2 * FRESH
        if self._nowait == 0:
            return True
        fd, byte = self.file.fileno(), [bytearray(1)]
        try:
            return all(
                os.preadv(fd, byte, offset, self._nowait) for offset in (*range(start, stop, PROBE_STEP), stop - 1)
            )
        except BlockingIOError:
            return False

    def read(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`, below `length`, waiting for the disk unless `is_cached`. Raises: DiskError."""
        return _read_all(self.file.fileno(), start, stop)

    async def fetch(self, start: int, stop: int) -> bytes:
        """The bytes `[start, stop)`, below `length`, read by a thread; then they are cached. Raises: DiskError."""
        job = self._loop.run_in_executor(self._fetchers, self.read, start, stop)
        self.acquire()
        job.add_done_callback(lambda _: self.release())
        return await asyncio.shield(job)


def _write_all(fd: int, pieces: list[Piece], offset: int) -> tuple[int, OSError | None]:
    """Write `pieces` at `offset`. Returns how many bytes the file took, and the error that stopped it."""
    count = 0
    try:
        while pieces:
            written = os.pwritev(fd, pieces[:IOV_MAX], offset + count)
            count += written
            done = 0
            while done < len(pieces) and written >= len(pieces[done]):
                written -= len(pieces[done])
                done += 1
            del pieces[:done]
            if written:
                pieces[0] = memoryview(pieces[0])[written:]
    except OSError as error:
        return count, error
    return count, None


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
