"""`LogFile`: what all implementations of `Source` share, whose bytes are in a file of this machine.

It does not know how bytes get into the file: subclasses set `length`, `state` and `info`, and call `_wake`. `fetch`, `run` and `digest` wait
for the disk in a thread; `read` waits in the thread that calls it.
"""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, TypeVar, cast

from livelog.errors import DiskError
from livelog.times import Cursor, Times

from .disk import Disk
from .info import LogInfo, State
from .times import TimesFile, read_notes

PROBE_STEP = 65536
"""Bytes between two probes of the page cache. The kernel reads ahead and evicts in larger units, so a hole between two probes is rare,
and costs one short wait."""

DIGEST_STEP = 1024 * 1024
"""Bytes read at a time to compute a digest. Other threads run while they are hashed."""

FRESH = 5.0
"""Seconds, at least, for which written bytes are assumed to be cached if the file system does not tell; twice as many at most."""

T = TypeVar("T")


class LogFile:
    """A log in one file, whose first `length` bytes can be read. `file`: owned by this object; None: it is not open.

    All methods but `read` are called on the event loop's thread.
    """

    __slots__ = (
        "_disk", "_fresh_from", "_fresh_since", "_loop", "_suspended", "_times", "_users",
        "changed", "file", "info", "length", "readers", "state", "tag_confirms", "watchers",
    )  # fmt: skip

    def __init__(
        self, info: LogInfo, disk: Disk, *, file: BinaryIO | None, length: int, state: State, changed: int | None = None
    ) -> None:
        self.info = info
        self.file = file
        self.length = length
        self.state = state
        self.changed = info.began if changed is None else changed
        """See `Source.changed`."""
        self.watchers: set[Callable[[], None]] = set()
        """See `Source.watchers`."""
        self.tag_confirms = False
        """See `Source.tag_confirms`."""
        self.readers = 0
        """See `Source.readers`."""
        self._disk = disk
        self._loop = asyncio.get_running_loop()
        self._users = 0 if file is None else 1
        self._suspended = False
        self._times: TimesFile | None = None
        """The file of notes; None: it was not needed since the log's file was opened."""
        self._fresh_from, self._fresh_since = length, float("-inf")

    @property
    def etag(self) -> str:
        """See `Source.etag`."""
        return f'"{self.info.generation}"'

    @property
    def at_end(self) -> bool:
        """See `Source.at_end`."""
        return self.state.ended or self._suspended

    def suspend(self) -> None:
        """Set `at_end`: this process gets no more bytes, but the log may go on in the next server, or in the process that writes it."""
        self._suspended = True
        self._wake()

    def _wake(self) -> None:
        for watcher in tuple(self.watchers):
            watcher()

    def _grow(self, length: int, changed: int) -> None:
        """Set `length`, and when the last byte arrived (`changed`, microseconds since the epoch)."""
        self.length, self.changed = length, changed

    def _note_fresh(self) -> None:
        """Remember where the bytes begin that are written now: they are cached for `FRESH` seconds."""
        now = self._loop.time()
        if now - self._fresh_since > FRESH:
            self._fresh_since, self._fresh_from = now, self.length

    # The file's life.

    @property
    def users(self) -> int:
        """The number of users of the file."""
        return self._users

    def acquire(self) -> None:
        """See `Source.acquire`."""
        self._users += 1

    def release(self) -> None:
        """See `Source.release`. The file is closed when its last user releases it."""
        self._users -= 1
        if not self._users and self.file is not None:
            self._close_file()

    def _close_file(self, room: int = 0) -> None:
        """Close the file in a thread, since freeing a large file takes long. `room`: bytes that the disk gets back by that."""
        assert self.file is not None
        file, self.file = self.file, None
        times, self._times = self._times, None

        def close() -> None:
            file.close()
            if times is not None:
                times.close()

        try:
            self._disk.give_back(room, close)
        except RuntimeError:  # the threads have ended: the server has stopped
            close()

    def fileno(self) -> int:
        """See `Source.fileno`."""
        assert self.file is not None
        return self.file.fileno()

    # Its bytes.

    def is_cached(self, start: int, stop: int) -> bool:
        """See `Source.is_cached`. A few one-byte reads that do not wait find out."""
        nowait = self._disk.nowait
        if nowait is None:
            # This file system does not tell; what was written a moment ago is taken to be cached.
            return start >= self._fresh_from and self._loop.time() - self._fresh_since < 2 * FRESH
        if nowait == 0:
            return True
        fd, byte = self.fileno(), [bytearray(1)]
        try:
            return all(os.preadv(fd, byte, offset, nowait) for offset in (*range(start, stop, PROBE_STEP), stop - 1))
        except BlockingIOError:
            return False

    def read(self, start: int, stop: int) -> bytes:
        """See `Source.read`."""
        return _read_all(self.fileno(), start, stop)

    async def run(self, job: Callable[[], T]) -> T:
        """See `Source.run`."""
        running = self._loop.run_in_executor(self._disk.fetchers, job)
        self.acquire()
        running.add_done_callback(lambda _: self.release())
        return await asyncio.shield(running)

    async def fetch(self, start: int, stop: int) -> bytes:
        """See `Source.fetch`."""
        return await self.run(partial(_read_all, self.fileno(), start, stop))

    async def digest(self, hasher: Any) -> bytes:
        """The digest of the first `length` bytes, computed in a thread. `hasher`: a new object of `hashlib`. Raises: DiskError."""
        return await self.run(partial(_digest, self.fileno(), self.length, hasher))

    # Their arrival times.

    def times_fileno(self) -> int | None:
        """See `Source.times_fileno`."""
        file = None if self._times is None else self._times.file
        return None if file is None else file.fileno()

    def times_from(self, start: int) -> Cursor:
        """See `Source.times_from`."""
        fd = self.times_fileno()
        return Cursor(self.info.began // 1000, self._read_times, 0 if fd is None else os.fstat(fd).st_size, start)

    def _read_times(self, start: int, stop: int) -> bytes:
        if (fd := self.times_fileno()) is None:
            return b""
        if (
            not self._disk.nowait
        ):  # a read never waits; or nobody can tell, and what is asked for was written a moment ago
            return read_notes(fd, start, stop)
        data = bytearray(stop - start)
        return bytes(data[: os.preadv(fd, [data], start, self._disk.nowait)])

    def times(self) -> Times:
        """See `Source.times`."""
        began, fd = self.info.began // 1000, self.times_fileno()
        if fd is None:
            return Times(began)
        return Times(began, partial(read_notes, fd), os.fstat(fd).st_size)


def _digest(fd: int, length: int, hasher: Any) -> bytes:
    for start in range(0, length, DIGEST_STEP):
        hasher.update(_read_all(fd, start, min(length, start + DIGEST_STEP)))
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
