"""The disk with the logs: threads that read and write, unlinked files, and the limits of space.

It does not know what is in a file. Invariants:

1. Nothing here waits for the disk on the event loop's thread, except the constructor, which runs before there are clients.
2. `used` counts every byte of every log, including bytes that are not written yet. It does not count the sidecar files.
3. If a write would exceed the limits, `evict` removes one log at a time. If the disk itself is full, only `evict_older` removes logs.
   While files are being removed, a write that finds no room waits for theirs before it fails.
4. Small writes of one moment are given to one thread together: a thousand logs do not cost a thousand hand-offs.
   A large write is given to a thread alone, and no small one waits for it.
"""

import asyncio
import contextlib
import errno
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, NamedTuple, cast

from livelog.errors import DiskError
from livelog.times import Note

from .times import TimesFile

Piece = bytes | memoryview
"""A part of a log's bytes that is written without a copy. `wire.framing` names the same type, since neither imports the other."""

IOV_MAX = 1024
"""The largest number of pieces in one system call (POSIX guarantees 16, Linux has 1024)."""

LARGE = 64 * 1024
"""A write of at least this many bytes is given to a thread alone."""

THREADS = 4
"""The number of threads that write, and of those that read. One of each is enough while the disk is fast."""

THREAD_NAME = "livelog-disk"
"""The prefix of these threads' names."""

ROOM_TIMEOUT = 10.0
"""Seconds that a write waits for the room of files that are being removed, at most."""

LOOK_DISTANCE = 1.0
"""Seconds between two calls of statvfs(3), at least."""

_IN_MEMORY = {"tmpfs", "ramfs"}


class Write(NamedTuple):
    """One write: `pieces`, `size` bytes in all, to `file` from `offset` on. The pieces must not change until `written` is called.

    `written` is called on the event loop with the number of bytes that the file took, and the error that stopped the write, or None: an
    error of the system, or of the limits of `Disk`. `notes`: the bytes' arrival times, written to `times` before the bytes.
    """

    file: BinaryIO
    offset: int
    pieces: list[Piece]
    size: int
    written: Callable[[int, OSError | None], None]
    times: TimesFile | None = None
    notes: list[Note] | None = None

    def close(self) -> None:
        """Close the files, of which this write is the last user."""
        self.file.close()
        if self.times is not None:
            self.times.close()


class Disk:
    """The disk that `directory` is on.

    `max_used`: bytes that all logs together may have; `reserve`: bytes of the disk that must stay free; None: no
    limit. `evict` removes one ended log; `evict_older` removes superseded logs only. Both return False if there is none to remove.
    Raises: OSError, if no file can be made in `directory`.
    """

    def __init__(
        self,
        directory: str,
        *,
        max_used: int | None = None,
        reserve: int | None = None,
        evict: Callable[[], bool] = lambda: False,
        evict_older: Callable[[], bool] = lambda: False,
    ) -> None:
        self._directory = directory
        self._max_used = max_used
        self._reserve = reserve
        self._evict = evict
        self._evict_older = evict_older
        self.used = 0
        self._free = 0
        self._given = self._gone = 0  # bytes of files that threads shall remove, and of those that they have removed
        self._returning = 0  # removals under way in threads, and removed logs that still have readers
        self.returns = 0
        """How many of these have ended. One that ended while a thread found the disk full has made room all the same."""
        self._returned: asyncio.Future[None] | None = None  # done when one of these has ended; None: nobody waits
        self._retrying: set[asyncio.Task[None]] = set()
        self._looked = float("-inf")
        self._small: list[Write] = []  # small writes that wait for a thread
        self._gathering = False  # whether a thread writes small ones, or is about to
        self._stopped = False
        self.writers = ThreadPoolExecutor(THREADS, THREAD_NAME)
        self.fetchers = ThreadPoolExecutor(THREADS, THREAD_NAME)
        self.nowait = _nowait_flag(directory)
        """The flag for an `os.preadv` that does not wait for the disk: `os.RWF_NOWAIT`; 0: no read of a file here ever
        waits; None: the file system does not tell."""
        if reserve is not None:
            self._look(time.monotonic(), self._measure(), 0)

    def admit(self, size: int) -> OSError | None:
        """Count `size` more bytes as used, and remove logs if a limit requires it. Returns an error if there is no room; None: there is."""
        if self._reserve is not None and (now := time.monotonic()) - self._looked > LOOK_DISTANCE:
            self._looked, gone, loop = now, self._gone, asyncio.get_running_loop()

            def looked(job: asyncio.Future[int]) -> None:
                if not job.cancelled() and job.exception() is None:
                    self._look(now, job.result(), gone)

            loop.run_in_executor(self.fetchers, self._measure).add_done_callback(looked)
        while (refusal := self._excess(size)) is not None:
            if not self._evict():
                return refusal
        self.used += size
        self._free -= size
        return None

    async def check(self, spare: int) -> OSError | None:
        """Why no log may begin now, if `spare` bytes can be freed for it; None: one may. Removes nothing."""
        await self._look_now()
        return self._excess(-spare)

    async def refusal(self, spare: int, *, older: bool) -> OSError | None:
        """Why no log could begin and grow now, if `spare` bytes can be freed for it; None: one could. Removes nothing.

        `older`: `evict_older` would find a log, so a disk that is full would have room again.
        """
        if (refusal := await self.check(spare - 1)) is not None:
            return refusal
        try:
            await asyncio.get_running_loop().run_in_executor(self.writers, self._try)
        except OSError as error:
            return None if older and DiskError("trying the disk", error).full else error
        return None

    def _try(self) -> None:
        with self.open_unlinked() as file:
            file.write(b"\0")

    async def _look_now(self) -> None:
        if self._reserve is not None:
            now, gone, loop = time.monotonic(), self._gone, asyncio.get_running_loop()
            self._look(now, await loop.run_in_executor(self.fetchers, self._measure), gone)

    def _excess(self, size: int) -> OSError | None:
        if self._max_used is not None and self.used + size > self._max_used:
            return OSError(
                errno.EDQUOT, f"the limit of {self._max_used} bytes for all logs is reached (LIVELOG_MAX_TOTAL_SIZE)"
            )
        if self._reserve is not None and self._free - size < self._reserve:
            return OSError(errno.ENOSPC, f"of the disk, {self._reserve} bytes must stay free")
        return None

    def _measure(self) -> int:
        status = os.statvfs(self._directory)
        return status.f_bavail * status.f_frsize

    def _look(self, moment: float, free: int, gone: int) -> None:
        """Keep the result of statvfs: `free` bytes at `moment`. `gone`: the bytes that threads had freed before the call; later ones may not be in `free`."""
        self._looked, self._free = moment, free + self._given - gone

    def give_back(self, size: int, job: Callable[[], None]) -> Future[None]:
        """Run `job`, which frees `size` bytes of the disk, in a thread. They count as free at once.

        Raises: RuntimeError, if the threads have ended.
        """
        loop = asyncio.get_running_loop()

        def gone(_: Future[None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._note_gone, size)

        future = self.writers.submit(job)
        self._free += size
        self._given += size
        self._returning += 1
        future.add_done_callback(gone)
        return future

    def _note_gone(self, size: int) -> None:
        self._gone += size
        self.note_returned()

    def note_returning(self) -> None:
        """A log was removed while it has readers: its room comes back when they have ended. See `note_returned`."""
        self._returning += 1

    def note_returned(self) -> None:
        """The last reader of such a log has ended. Its bytes are counted by `give_back`."""
        self._returning -= 1
        self.returns += 1
        if self._returned is not None:
            self._returned.set_result(None)
            self._returned = None

    async def room_returns(self, deadline: float, since: int) -> bool:
        """Wait until a removal has freed some room, until `deadline` at most (seconds on the event loop's clock).

        `since`: `returns` when the attempt began that found the disk full. Returns whether a removal has ended since then. Returns False at
        once if none has, none is under way, and `evict_older` finds no log.
        """
        loop = asyncio.get_running_loop()
        if loop.time() >= deadline or not self._may_return(since):
            return False
        if self.returns != since:
            return True
        if self._returned is None:
            self._returned = loop.create_future()
        done, _ = await asyncio.wait((self._returned,), timeout=deadline - loop.time())
        return bool(done)

    def _may_return(self, since: int) -> bool:
        """Whether a removal has freed some room, or will. See `room_returns`."""
        return not self._stopped and (self.returns != since or self._returning > 0 or self._evict_older())

    def write(self, write: Write) -> None:
        """Give a write to a thread: now if there is room, else when a removal that is under way has freed some."""
        loop = asyncio.get_running_loop()
        if self._stopped:
            loop.call_soon(write.written, 0, OSError("the server has stopped"))
        elif (refusal := self.admit(write.size)) is not None:
            loop.call_soon(self._settle, write, self.returns, 0, 0, refusal)
        elif write.size >= LARGE:
            self._submit([write], small=False)
        else:
            self._small.append(write)
            if not self._gathering:
                self._gathering = True
                loop.call_soon(self._submit_small)

    def _settle(self, write: Write, since: int, admitted: int, count: int, error: OSError | None) -> None:
        """A write has ended: `admitted` bytes of it count as used, and the file took `count`. If the disk was full, it may be tried again.

        `since`: `returns` when it began.
        """
        is_full = error is not None and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if error is not None and is_full and self._may_return(since):
            task = asyncio.get_running_loop().create_task(self._retry(write, since, admitted, count, error))
            self._retrying.add(task)
            task.add_done_callback(self._retrying.discard)
            return
        self.used -= admitted - count
        self._free += admitted - count
        write.written(count, error)

    async def _retry(self, write: Write, since: int, admitted: int, count: int, refusal: OSError) -> None:
        """Continue a write that found the disk full after `count` bytes, each time a removal has freed room."""
        loop = asyncio.get_running_loop()
        deadline, error = loop.time() + ROOM_TIMEOUT, cast(OSError | None, refusal)
        while error is not None and error.errno in (errno.ENOSPC, errno.EDQUOT):
            if not await self.room_returns(deadline, since):
                break
            since = self.returns
            if not admitted and (error := self.admit(write.size)) is not None:
                continue
            admitted = write.size
            try:
                more, error = await loop.run_in_executor(self.writers, _write_all, write, count)
            except RuntimeError:  # no threads any more: the server has stopped
                break
            except asyncio.CancelledError:
                write.close()
                raise
            count += more
        self.used -= admitted - count
        self._free += admitted - count
        write.written(count, error)

    def _submit_small(self) -> None:
        self._gathering = bool(self._small)
        if self._small:
            batch, self._small = self._small, []
            self._submit(batch, small=True)

    def _submit(self, batch: list[Write], *, small: bool) -> None:
        loop, since = asyncio.get_running_loop(), self.returns

        def work() -> None:
            results = [_write_all(write) for write in batch]
            if not self._stopped:
                with contextlib.suppress(RuntimeError):  # the event loop has ended without waiting for this write
                    loop.call_soon_threadsafe(done, results)
                    return
            for write in batch:
                write.close()

        def done(results: list[tuple[int, OSError | None]]) -> None:
            if small:
                self._submit_small()
            for write, result in zip(batch, results, strict=True):
                self._settle(write, since, write.size, *result)

        self.writers.submit(work)

    def open_unlinked(self) -> BinaryIO:
        """A new unlinked file on this disk: see the function `open_unlinked`."""
        return open_unlinked(self._directory)

    def stop(self) -> None:
        """Let the threads end after the jobs that they have. A write that still hangs closes its file itself."""
        self._stopped = True
        for task in self._retrying:
            task.cancel()
        self.writers.shutdown(wait=False)
        self.fetchers.shutdown(wait=False)


def _write_all(write: Write, skipped: int = 0) -> tuple[int, OSError | None]:
    """Write all but the first `skipped` bytes. Returns how many of the others the file took, and the error that stopped it, or None."""
    if write.times is not None and write.notes:
        write.times.append(write.notes, write.offset)
    fd, count = write.file.fileno(), 0
    pieces = _without(write.pieces, skipped)
    try:
        while pieces:
            written = os.pwritev(fd, pieces[:IOV_MAX], write.offset + skipped + count)
            count += written
            pieces = _without(pieces, written)
    except OSError as error:
        return count, error
    return count, None


def _without(pieces: list[Piece], count: int) -> list[Piece]:
    """`pieces` without their first `count` bytes."""
    done = 0
    while done < len(pieces) and count >= len(pieces[done]):
        count -= len(pieces[done])
        done += 1
    return [memoryview(pieces[done])[count:], *pieces[done + 1 :]] if count else pieces[done:]


def open_unlinked(directory: str) -> BinaryIO:
    """A new unlinked file in `directory`, open for reading and writing, unbuffered. Waits for the disk. Raises: OSError."""
    try:
        fd = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
        import tempfile  # noqa: PLC0415  # slow to load, and rarely needed

        # This system or file system has no O_TMPFILE: a kill between the next two lines leaves an empty file.
        fd, path = tempfile.mkstemp(prefix="livelog-", dir=directory)
        os.unlink(path)
    return cast(BinaryIO, open(fd, "r+b", buffering=0))


def _nowait_flag(directory: str) -> int | None:
    flag = getattr(os, "RWF_NOWAIT", None)
    with open_unlinked(directory) as file:
        if _file_system(directory) in _IN_MEMORY:
            return 0
        if flag is None:
            return None
        try:
            os.preadv(file.fileno(), [bytearray(1)], 0, flag)
        except OSError:
            return None
    return cast(int, flag)


def _file_system(directory: str) -> str:
    """The type of the file system that `directory` is on, such as `ext4`; empty if the system does not tell."""
    device = os.stat(directory).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                mount, _, source = line.partition(" - ")
                if mount.split()[2] == wanted:
                    return source.split()[0]
    except OSError:
        pass
    return ""
