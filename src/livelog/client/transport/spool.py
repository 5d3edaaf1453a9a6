"""The spool: the bytes of a log that the server has not acknowledged, in memory, and beyond a limit on disk.

    write → [ segment file ][ segment file ][ memory ] → read, as often as needed
            ↑ start: acknowledged                    ↑ end: written

One thread writes, another one reads and releases. Only the disk can make a method wait. Invariants:

1. Every byte of `[start, end)` can be read; offsets count from the first byte of the log.
2. The memory is at most `MEMORY` and one write, however far the server is behind.
3. The bytes on disk can be read with `cat`: segments are named by their first offset, with leading zeros, so that they sort.
4. A segment is locked (flock) by the process that writes or sends it, so that no other process uses it.
5. If the disk fails, `failure` is set, and everything that is written later is dropped. The bytes before stay in order.
"""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import threading
from collections import deque
from pathlib import Path
from typing import Any, NamedTuple, Protocol

MEMORY = 4 * 1024 * 1024
"""The limit of bytes held in memory. Beyond it, all of them are written to disk."""

SEGMENT = 16 * 1024 * 1024
"""The size at which a new segment begins, in bytes. Disk space is freed in such steps."""

ABOUT = "upload.json"
"""The name of the file that says which log the bytes belong to."""


class _Segment(NamedTuple):
    start: int
    path: Path
    fd: int


class Source(Protocol):
    """The source of a log's bytes for a `Sender`: a `Spool`, or a file."""

    start: int
    ended: bool
    about: dict[str, Any]

    @property
    def end(self) -> int: ...  # noqa: D102
    @property
    def failure(self) -> OSError | None: ...  # noqa: D102
    def read(self, offset: int, size: int, /) -> bytes: ...  # noqa: D102
    def release(self, offset: int, /) -> None: ...  # noqa: D102


class Spool:
    """The bytes of one log that the server has not acknowledged. On disk they are in `folder`, which is made when needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start = 0
        """The offset up to which all bytes are acknowledged."""
        self.end = 0
        """The number of bytes that were written so far."""
        self.ended = False
        """Whether no more bytes will be written."""
        self.failure: OSError | None = None
        """Why bytes were dropped; None: none were."""
        self.about: dict[str, Any] = {}
        """The facts that are needed to send the rest later. They are stored beside the bytes."""
        self._lock = threading.RLock()
        self._spilling = False
        self._memory = bytearray()
        self._memory_start = 0
        self._segments: deque[_Segment] = deque()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data`. A signal handler may call this, even while the same thread is in this method."""
        size = len(data)
        with self._lock:
            if self.failure is None:
                self._memory += data
                self.end += size
                if len(self._memory) > MEMORY:
                    self._spill()

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes at `offset`, which must be in `[start, end]`; empty at the end. Raises: OSError."""
        with self._lock:
            if offset >= self._memory_start:
                index = offset - self._memory_start
                with memoryview(self._memory) as view:
                    return bytes(view[index : index + size])
            segment = next(segment for segment in reversed(self._segments) if segment.start <= offset)
            size = min(size, self._memory_start - offset)
            data = os.pread(segment.fd, size, offset - segment.start)
            if not data:
                raise OSError(f"{segment.path} was cut short by somebody else")
            return data

    def release(self, offset: int) -> None:
        """All bytes before `offset` are acknowledged and will not be read again."""
        with self._lock:
            self.start = max(self.start, min(offset, self.end))
            if self.start > self._memory_start:
                del self._memory[: self.start - self._memory_start]
                self._memory_start = self.start
            while self._segments and self._end_of_first() <= self.start:
                segment = self._segments.popleft()
                os.close(segment.fd)
                segment.path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    self._describe()  # what begins later needs the place at which it goes on

    def keep(self) -> bool:
        """Put all that is left on disk, and say there what it is; that may be no byte, but how the log ended.

        If the disk refuses, `failure` is set, and what was in memory is lost. Returns whether anything was kept.
        """
        with self._lock:
            self._spill()
            self.end = self._memory_start
            self._memory.clear()
            with contextlib.suppress(OSError):
                self._describe()
            for segment in self._segments:
                with contextlib.suppress(OSError):
                    fcntl.flock(segment.fd, fcntl.LOCK_UN)
            return bool(self._segments)

    def spill(self) -> None:
        """Write the bytes in memory to disk, where they survive if this process is killed."""
        with self._lock:
            self._spill()
            with contextlib.suppress(OSError):
                self._describe()

    def close(self) -> None:
        """Close the files, and leave them on disk."""
        with self._lock:
            while self._segments:
                os.close(self._segments.popleft().fd)

    def describe(self) -> None:
        """Write the present `about` to disk, beside the bytes."""
        with self._lock, contextlib.suppress(OSError):
            self._describe()

    def discard(self) -> None:
        """Delete all bytes that are left."""
        with self._lock:
            while self._segments:
                os.close(self._segments.popleft().fd)
            self._memory.clear()
            shutil.rmtree(self.folder, ignore_errors=True)

    @classmethod
    def reopen(cls, folder: Path) -> "Spool":
        """Open what `keep` left in `folder`. Raises: OSError; ValueError, if it is no spool, or another process uses it."""
        spool = cls(folder)
        spool.about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        for path in sorted(folder.glob("[0-9]" * 20)):
            segment = _Segment(int(path.name), path, os.open(path, os.O_RDWR | os.O_CLOEXEC))
            if not _hold(segment.fd):
                raise ValueError("another process writes or sends it")
            if spool._segments and segment.start != spool.end:
                raise ValueError(f"the bytes from {spool.end} to {segment.start} are missing")
            if not spool._segments:
                spool.start = segment.start
            spool._segments.append(segment)
            spool.end = spool._memory_start = segment.start + os.fstat(segment.fd).st_size
        if not spool._segments:
            raise ValueError("there are no bytes in it")
        spool.ended = True
        return spool

    def _end_of_first(self) -> int:
        return self._segments[1].start if len(self._segments) > 1 else self._memory_start

    def _spill(self) -> None:
        """Write the bytes in memory to disk: all of them or none."""
        if self._spilling:
            return
        self._spilling = True
        # What the handler of a signal writes meanwhile comes behind it.
        spilled, self._memory = self._memory, bytearray()
        try:
            self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            if not self._segments or self._memory_start - self._segments[-1].start >= SEGMENT:
                path = self.folder / f"{self._memory_start:020}"
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
                self._segments.append(_Segment(self._memory_start, path, fd))
                _hold(fd)
                self._describe()
            segment = self._segments[-1]
            _write_all(segment.fd, spilled, self._memory_start - segment.start)
            self._memory_start += len(spilled)
        except BaseException as error:
            self._memory = spilled + self._memory
            if not isinstance(error, OSError):  # a signal's handler has raised it
                raise
            self.failure = error
        finally:
            self._spilling = False

    def _describe(self) -> None:
        # Whoever finds this after a crash must know that there may have been more.
        about = {**self.about, "whole": self.ended and self.failure is None}
        (self.folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def _hold(fd: int) -> bool:
    """Lock a segment until it is closed. Returns False, if another process has locked it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # a file system may have no locks
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def _write_all(fd: int, data: bytearray, offset: int) -> None:
    with memoryview(data) as view:
        written = 0
        try:
            while written < len(view):
                written += os.pwrite(fd, view[written:], offset + written)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(fd, offset)
            raise


class Rest:
    """The bytes that a spool still has, as a log of its own, whose first byte is the spool's `start`."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._shift = spool.start
        self.start = 0
        self.ended = True
        self.about: dict[str, Any] = {}

    @property
    def end(self) -> int:
        """The number of bytes."""
        return self._spool.end - self._shift

    @property
    def failure(self) -> OSError | None:
        """See `Spool`."""
        return self._spool.failure

    def read(self, offset: int, size: int, /) -> bytes:
        """See `Spool`."""
        return self._spool.read(offset + self._shift, size)

    def release(self, offset: int, /) -> None:
        """See `Spool`."""
        self._spool.release(offset + self._shift)
        self.start = self._spool.start - self._shift
