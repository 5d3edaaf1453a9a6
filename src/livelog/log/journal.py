"""`Journal`: a log that this process writes. Bytes are appended, never changed; the state says whether more may come.

Producers append and close. A thread writes, so that a disk that stalls stops no other log. Readers use the journal as a `Source`:
its length, its state, its bytes at an offset, and a call of their watchers after each change.

The journal also notes when the bytes arrived, in a sidecar file (`times`). It does not know of HTTP and sockets.

1. `length` only grows, and every byte below it can be read: it counts the bytes that the file has taken.
2. `state` alternates between LIVE and INTERRUPTED. COMPLETE or ABORTED is final, and is set after the last byte was written. In a data
   directory the end is on file before `state` says it.
3. All methods are called on the event loop's thread (`read` in any thread). Only `read` and coroutines wait for the disk.
4. A failed write aborts the log after the last byte that was written; `failure` says why.
5. The log is not appended to, interrupted, resumed or ended under a smaller fencing number than one that was used before.
6. A log that nobody writes or reads has no timer, no task and no open file (except an unlinked one).
"""

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import BinaryIO

from livelog.errors import DiskError, LeaseLost, LivelogError
from livelog.times import RESOLUTION, Note

from .directory import Directory
from .disk import Disk, Piece, Write
from .file import LogFile
from .info import LogInfo, State, now
from .times import TimesFile

WRITE_DISTANCE = 0.005
"""Seconds between two small writes, at least: each write costs a hand-off to a thread, and wakes all readers. It is a third of the
15 ms within which 99 of 100 lines shall reach their readers."""

EAGER = 64 * 1024
"""This many pending bytes are written at once, without `WRITE_DISTANCE`."""

NEVER = 1 << 62
"""`_noted` of a scratch journal, which gets no notes: later than any time, in milliseconds."""


class Journal(LogFile):
    """An append-only log in one file.

    `file`: open for reading and writing, with `length` bytes in it, and owned by the journal; the caller is its first
    user and must `release` it. `directory`: the data directory that the log is in, so that its file can be closed and
    opened again; None: the file is unlinked, and vanishes with its last user.
    """

    __slots__ = (
        "_arrived", "_closing", "_directory", "_eager", "_flushed", "_holding", "_later", "_not_before", "_noted", "_notes", "_opening",
        "_pending", "_pending_size", "_removed", "_saving", "_writing", "_writing_size", "ended_at", "failure", "written_under",
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
        super().__init__(info, disk, file=file, length=length, state=state, changed=changed)
        self.tag_confirms = file is not None
        """See `Source.tag_confirms`. False for a log of an earlier process, whose answers are not known."""
        self.failure: DiskError | None = None
        self.ended_at = self._loop.time()
        """When the log ended, if it has, in seconds on the event loop's clock, which is monotonic."""
        self.written_under = info.fence
        """The fencing number of the lease under which the log began, or was last resumed. (The end and a removal change `LogInfo.fence` only.)"""
        self._directory = directory
        self._opening: asyncio.Future[BinaryIO] | None = None
        self._removed = False
        self._pending: list[tuple[Sequence[Piece], Callable[[], None]]] = []
        self._pending_size = 0
        self._writing = False
        self._writing_size = 0
        self._arrived = self.changed
        """When bytes were last appended, in microseconds since the epoch."""
        self._noted = 0 if length else info.began // 1000 if info.generation else NEVER
        """The time of the last note, in milliseconds since the epoch; 0: not known."""
        self._notes: list[Note] | None = None
        """The notes of pending bytes; None: there are none."""
        self._holding = False
        """Whether the journal itself is a user of the file, since bytes are pending or being written."""
        self._eager = False
        self._flushed: asyncio.Future[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._saving: asyncio.Lock | None = None
        self._closing: asyncio.Task[None] | None = None

    @property
    def acknowledged(self) -> int:
        """See `Source.acknowledged`: the kernel has all written bytes, and they survive this process."""
        return self.length

    @property
    def ending(self) -> bool:
        """Whether the log has ended, or is about to: its attributes cannot change any more."""
        return self.state.ended or self.info.ended is not None

    @property
    def writing(self) -> bool:
        """Whether a thread is writing to the file."""
        return self._writing

    async def open(self) -> None:
        """See `Source.open`."""
        self._users += 1
        if self.file is not None:
            return
        if self._directory is None:  # it was removed, and its last user has released the file
            self._users -= 1
            raise DiskError("opening the log's file", FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
        try:
            if self._opening is None:
                assert self._directory is not None
                self._opening = self._loop.run_in_executor(self._disk.fetchers, self._directory.open, self.info)
                self._opening.add_done_callback(self._opened)
            opening = self._opening
            await asyncio.shield(opening)
            self._opened(opening)  # the job may be done before its callback has run
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

    def _close_file(self, room: int = 0) -> None:
        # Closing frees the bytes of a file without a name, and none of one that has a name.
        super()._close_file(self.length if self._removed or self._directory is None else room)
        if self._removed:
            self._disk.note_returned()

    def remove(self, job: Callable[[], None] | None) -> Future[None] | None:
        """Remove the log's files. Users of the open file can still read it; the bytes are freed when the last of them releases it.

        `job`: removes the files that have names; None: there are none. Returns the future of `job`, or None.
        """
        kept = self.file is not None
        if job is None:
            self.release()  # the catalogue was a user of the unlinked file
            kept = self.file is not None
        if kept:
            self._removed = True
            self._disk.note_returning()
        return None if job is None else self._disk.give_back(0 if kept else self.length, job)

    # The producer's side.

    def fence(self, number: int) -> None:
        """Refuse smaller fencing numbers than `number` from now on. Raises: LeaseLost, if a larger one was used before."""
        if number < self.info.fence:
            raise LeaseLost
        self.info.fence = number

    def append(self, pieces: Sequence[Piece], written: Callable[[], None], number: int = 0) -> None:
        """Append `pieces`, which must not change until `written` is called: when they are on file, or their write has failed.

        `number`: the fencing number of the writer's lease. If it is too small, nothing is appended, and `written` is called.
        """
        if number < self.info.fence:
            self._loop.call_soon(written)
            return
        assert self._closing is None or self.failure is not None
        if self.failure is not None:
            self._loop.call_soon(written)
            return
        assert not self.state.ended
        self._arrived = now()
        if self._arrived // 1000 - self._noted >= RESOLUTION:
            self._noted = self._arrived // 1000
            if self._notes is None:
                self._notes = []
            self._notes.append((self.length + self._writing_size + self._pending_size, self._noted))
        self._pending.append((pieces, written))
        self._pending_size += sum(map(len, pieces))
        if not self._holding:
            self._holding = True
            self.acquire()
        self._schedule()

    def interrupt(self, number: int = 0) -> None:
        """Set INTERRUPTED: the producer with the lease `number` has left. Without effect on a log that has ended.

        Raises: LeaseLost.
        """
        self.fence(number)
        if self.state is State.LIVE:
            self.state = State.INTERRUPTED
            self._wake()

    def resume(self, number: int = 0) -> None:
        """Set LIVE: a producer with the lease `number` goes on. Without effect on a log that has ended.

        Raises: LeaseLost.
        """
        self.fence(number)
        self.written_under = number
        if self.state is State.INTERRUPTED:
            self.state = State.LIVE
            self._wake()

    async def flush(self) -> None:
        """Wait until all appended bytes are on file, or their write has failed."""
        self._eager = True
        try:
            while self._pending or self._writing:
                if self._flushed is None:
                    self._flushed = self._loop.create_future()
                self._schedule()
                await asyncio.shield(self._flushed)
        finally:
            self._eager = False

    async def open_times(self) -> None:
        """See `Source.open_times`."""
        times = self._times_file()
        if times.file is None:
            await self.run(times.open)
            if self._noted == 0 and self.times_fileno() is not None:
                # After a restart `changed` is the file's mtime, which is some milliseconds early.
                self._noted = await self.run(partial(self.times().time_at, self.length))
                self.changed = max(self.changed, 1000 * self._noted)

    def _times_file(self) -> TimesFile:
        if self._times is None:
            began, directory, disk = self.info.began // 1000, self._directory, self._disk
            if directory is None:
                self._times = TimesFile(began, lambda make: disk.open_unlinked() if make else None)
            else:
                self._times = TimesFile(
                    began, partial(directory.open_times, self.info), partial(directory.replace_times, self.info)
                )
        return self._times

    async def keep(self, suffix: str, data: bytes) -> None:
        """See `Source.keep`. Without effect if there is no directory."""
        if self._directory is not None:
            with contextlib.suppress(OSError, RuntimeError):
                job = self._disk.writers.submit(self._directory.keep, self.info, suffix, data)
                await asyncio.wrap_future(job)

    async def kept(self, suffix: str) -> bytes:
        """See `Source.kept`."""
        if self._directory is None:
            return b""
        return await self._loop.run_in_executor(self._disk.fetchers, self._directory.kept, self.info, suffix)

    async def save(self) -> None:
        """Write the log's facts and state to its directory, if it has one. Raises: DiskError."""
        await self._save()
        self._wake()

    async def _save(self, end: State | None = None) -> None:
        """As `save`. `end`: the state that is written in place of the present one, since the log is about to have it."""
        if self._directory is None:
            return
        if self._saving is None:
            self._saving = asyncio.Lock()
        async with self._saving:
            try:
                # The state now, after the wait for the lock: an end that was written meanwhile must not be overwritten.
                job = self._disk.writers.submit(self._directory.save, self.info, end or self.state, self.length)
                await asyncio.wrap_future(job)
            except OSError as error:
                raise DiskError("keeping the log's state", error) from error
            except RuntimeError as error:
                raise DiskError("keeping the log's state", OSError("the server has stopped")) from error

    async def settled(self) -> None:
        """As `flush`; also waits for a `close` that is under way."""
        await self.flush()
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def close(self, state: State, reason: str, number: int = 0) -> None:
        """End the log with `state`, COMPLETE or ABORTED, after all appended bytes are written. `reason`: why, in words.

        `number`: the fencing number of the lease under which it ends. Without effect on a log that has ended. Raises: LeaseLost;
        DiskError, if a write failed, or if the end could not be written: then the log is ABORTED, whatever `state` is.
        """
        self.fence(number)
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
            # If that fails, the file says LIVE, which the next server corrects.
            with contextlib.suppress(DiskError):
                await self._save(state)
        self.state = state
        self.ended_at = self._loop.time()
        self._saving = None
        if self.failure is None:
            self._closing = None  # an ended log should hold no memory that it does not need
        self._wake()

    def _schedule(self) -> None:
        """Write the pending bytes: now if `WRITE_DISTANCE` has passed, they are `EAGER` bytes or more, or `flush` waits for them; else when it has passed."""
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
        self._not_before = self._loop.time() + WRITE_DISTANCE
        self._note_fresh()
        batch, size = self._pending, self._pending_size
        self._pending, self._pending_size = [], 0
        self._writing, self._writing_size = True, size
        notes, self._notes = self._notes, None
        times = self._times_file() if notes else self._times
        pieces = [piece for appended, _ in batch for piece in appended]
        written = partial(self._written, batch, self._arrived)
        self._disk.write(Write(self.file, self.length, pieces, size, written, times, notes))

    def _written(
        self, batch: list[tuple[Sequence[Piece], Callable[[], None]]], arrived: int, count: int, error: OSError | None
    ) -> None:
        self._writing, self._writing_size = False, 0
        self._grow(self.length + count, arrived)
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
        elif not self._writing:
            self._holding = False
            self.release()
            if self._flushed is not None:
                self._flushed.set_result(None)
                self._flushed = None
        self._wake()


class Appender:
    """A `Sink` for a body: it appends to `journal` under the lease with that fencing `number`."""

    __slots__ = ("_journal", "_number")

    def __init__(self, journal: Journal, number: int) -> None:
        self._journal = journal
        self._number = number

    @property
    def failure(self) -> LivelogError | None:
        """Why nothing can be appended any more: a DiskError, or LeaseLost; None: it can."""
        return self._journal.failure or (LeaseLost() if self._number < self._journal.info.fence else None)

    def append(self, pieces: Sequence[Piece], written: Callable[[], None]) -> None:
        """See `Journal.append`."""
        self._journal.append(pieces, written, self._number)
