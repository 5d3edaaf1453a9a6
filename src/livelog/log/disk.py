"""The disk that logs are on: threads that wait for it, files without a name, and how much room there is.

Refuses to know what is in a file. Invariants:

1. Nothing here waits for the disk on the event loop's thread, but for what the constructor does before there are clients.
2. `used` counts every byte of every log that is kept, those included that are on their way to the disk.
3. Room is made by `evict`, one log at a time, and only if that is what it takes to keep the limits. If the disk itself is full,
   `evict_older` alone makes room. Room that is on its way back, since files are being removed, is waited for before a write fails.
4. Small writes that come together go to a thread together, so that a thousand logs do not cost a thousand turns of one.
   A large one goes alone, and keeps no small one waiting.
"""

import asyncio
import contextlib
import errno
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, cast

from livelog.times import Note

from .times import TimesFile

Piece = bytes | memoryview

IOV_MAX = 1024
"""The most pieces that one system call writes (POSIX guarantees 16, Linux has 1024)."""

LARGE = 64 * 1024
"""Bytes of a write that goes to a thread alone."""

THREADS = 4
"""Threads that write, and as many that read. One is enough while the disk is quick."""

THREAD_NAME = "livelog-disk"
"""What the names of these threads begin with."""

ROOM_TIMEOUT = 10.0
"""Seconds, at most, that a write waits for room that is on its way back."""

LOOK_DISTANCE = 1.0
"""Seconds, at least, between two looks at how much of the disk is free."""

_IN_MEMORY = {"tmpfs", "ramfs"}


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes on their way to a file: `pieces`, which do not change meanwhile, from `offset` on, `size` bytes in all.

    `written` is called on the event loop with how many bytes the file took, and the error that stopped it: of the
    system, or of the limits of `Disk`. `notes`, of when the bytes came, are written to `times` before them.
    """

    file: BinaryIO
    offset: int
    pieces: list[Piece]
    size: int
    written: Callable[[int, OSError | None], None]
    times: TimesFile | None = None
    notes: list[Note] | None = None

    def close(self) -> None:
        """Close the files: nobody else will."""
        self.file.close()
        if self.times is not None:
            self.times.close()


class Disk:
    """The disk that `directory` is on.

    `max_used`: bytes that all logs together may have; `reserve`: bytes of the disk that must stay free; None: no
    limit. `evict` removes a log that may go; `evict_older` one that goes before all others, since another log has replaced it. False:
    there is no such log.
    Raises: OSError, if no file can be made there.
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
        self._given = self._gone = 0  # bytes that threads were told to give back, and those that they have
        self._returning = 0  # jobs of threads that give room back, and logs that are gone but for their last readers
        self._returned: asyncio.Future[None] | None = None  # is done when one of them has; None: nobody waits
        self._retrying: set[asyncio.Task[None]] = set()
        self._looked = float("-inf")
        self._small: list[Write] = []  # that wait for a thread
        self._gathering = False  # whether a thread writes small ones, or will before the loop's next turn
        self._stopped = False
        self.writers = ThreadPoolExecutor(THREADS, THREAD_NAME)
        self.fetchers = ThreadPoolExecutor(THREADS, THREAD_NAME)
        self.nowait = _nowait_flag(directory)
        """The flag with which `os.preadv` reads only what needs no wait: `os.RWF_NOWAIT`; 0 if no read of a file here
        ever waits; None if that cannot be told."""
        if reserve is not None:
            self._look(time.monotonic(), self._measure(), 0)

    def admit(self, size: int) -> OSError | None:
        """Count `size` more bytes as used, making room for them if need be. Returns why not, if there is none."""
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
        """Why no log may begin now, if `spare` bytes can be freed for it; None: one may. Frees nothing."""
        await self._look_now()
        return self._excess(-spare)

    async def refusal(self, spare: int) -> OSError | None:
        """Why no log could begin and grow now, if `spare` bytes can be freed for it; None: one could. Frees nothing."""
        if (refusal := await self.check(spare - 1)) is not None:
            return refusal
        try:
            await asyncio.get_running_loop().run_in_executor(self.writers, self._try)
        except OSError as error:
            return error
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
        """Take note of a look, before which `gone` bytes had been given back: it may have missed all later ones."""
        self._looked, self._free = moment, free + self._given - gone

    def give_back(self, size: int, job: Callable[[], None]) -> Future[None]:
        """Have a thread do `job`, which gives `size` bytes back to the disk: they count as free at once.

        Raises: RuntimeError, if there are no threads any more.
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
        """A log is gone that still has readers: when they are done, its room comes back, see `note_returned`."""
        self._returning += 1

    def note_returned(self) -> None:
        """Its readers are done; what `give_back` was told of it counts by itself."""
        self._returning -= 1
        if self._returned is not None:
            self._returned.set_result(None)
            self._returned = None

    async def room_returns(self, deadline: float) -> bool:
        """Wait until some room has come back to a disk that is full, at most until `deadline`, a time of the event loop.

        Returns whether some has. At once, if none is on its way, and none can be made by `evict_older`.
        """
        loop = asyncio.get_running_loop()
        if self._stopped or loop.time() >= deadline or not (self._returning or self._evict_older()):
            return False
        if self._returned is None:
            self._returned = loop.create_future()
        done, _ = await asyncio.wait((self._returned,), timeout=deadline - loop.time())
        return bool(done)

    def write(self, write: Write) -> None:
        """Have a thread write, if there is room, or as soon as there is some that is on its way back."""
        loop = asyncio.get_running_loop()
        if self._stopped:
            loop.call_soon(write.written, 0, OSError("the server has stopped"))
        elif (refusal := self.admit(write.size)) is not None:
            loop.call_soon(self._settle, write, 0, 0, refusal)
        elif write.size >= LARGE:
            self._submit([write], small=False)
        else:
            self._small.append(write)
            if not self._gathering:
                self._gathering = True
                loop.call_soon(self._submit_small)

    def _settle(self, write: Write, admitted: int, count: int, error: OSError | None) -> None:
        """A write is over, of which `admitted` bytes count as used, and the file took `count`; if it was full, it may go on."""
        is_full = error is not None and error.errno in (errno.ENOSPC, errno.EDQUOT)
        if error is not None and is_full and not self._stopped and (self._returning or self._evict_older()):
            task = asyncio.get_running_loop().create_task(self._retry(write, admitted, count, error))
            self._retrying.add(task)
            task.add_done_callback(self._retrying.discard)
            return
        self.used -= admitted - count
        self._free += admitted - count
        write.written(count, error)

    async def _retry(self, write: Write, admitted: int, count: int, refusal: OSError) -> None:
        """Go on with a write that found the disk full after `count` bytes, whenever room has come back."""
        loop = asyncio.get_running_loop()
        deadline, error = loop.time() + ROOM_TIMEOUT, cast(OSError | None, refusal)
        while error is not None and error.errno in (errno.ENOSPC, errno.EDQUOT) and await self.room_returns(deadline):
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
        loop = asyncio.get_running_loop()

        def work() -> None:
            results = [_write_all(write) for write in batch]
            if not self._stopped:
                with contextlib.suppress(RuntimeError):  # the loop has ended, without waiting for this disk
                    loop.call_soon_threadsafe(done, results)
                    return
            for write in batch:
                write.close()

        def done(results: list[tuple[int, OSError | None]]) -> None:
            if small:
                self._submit_small()
            for write, result in zip(batch, results, strict=True):
                self._settle(write, write.size, *result)

        self.writers.submit(work)

    def open_unlinked(self) -> BinaryIO:
        """A new file that no name leads to, open for reading and writing, unbuffered. Waits. Raises: OSError."""
        return open_unlinked(self._directory)

    def stop(self) -> None:
        """Let the threads end, once nobody reads or writes any more. A write that still hangs closes its file itself."""
        self._stopped = True
        for task in self._retrying:
            task.cancel()
        self.writers.shutdown(wait=False)
        self.fetchers.shutdown(wait=False)


def _write_all(write: Write, skipped: int = 0) -> tuple[int, OSError | None]:
    """Write, but for the first `skipped` bytes. Returns how many bytes the file took, and the error that stopped it."""
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
    """Those pieces without their first `count` bytes."""
    done = 0
    while done < len(pieces) and count >= len(pieces[done]):
        count -= len(pieces[done])
        done += 1
    return [memoryview(pieces[done])[count:], *pieces[done + 1 :]] if count else pieces[done:]


def open_unlinked(directory: str) -> BinaryIO:
    """A new file in `directory` that no name leads to, open for reading and writing, unbuffered. Waits. Raises: OSError."""
    try:
        fd = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except (AttributeError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
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
