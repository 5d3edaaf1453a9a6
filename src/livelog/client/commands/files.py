"""The files that `livelog push` reads: a regular file, as it is or as it grows, or a name that other files take over (log rotation).

The reported size of a file is not trusted: files in /proc report none, and a file that was truncated may have grown beyond the
offset at which it was. So the bytes before this offset are compared again before bytes behind it are used.
"""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from livelog.client.transport.streams import READ_SIZE

LOOK = 0.2
"""Seconds between two checks of a growing file."""

SEEN = 1024
"""Bytes before the offset that are compared again: they show whether the file was truncated and rewritten."""


class File:
    """A regular file as a `Source`: it can be read again, so nothing is kept. `follow`: it may grow."""

    def __init__(self, fd: int, *, follow: bool) -> None:
        self._fd = fd
        self._end = 0
        self._seen = b""  # what is in front of `_end`
        self._lock = threading.Lock()
        self.start = 0
        self.ended = not follow
        self.about: dict[str, Any] = {}
        self.failure: OSError | None = None
        self.look()

    @property
    def end(self) -> int:
        """The offset up to which the file is known."""
        return self._end

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def look(self) -> bool:
        """Ask the system for the file's size. Returns whether it has changed."""
        with self._lock:
            before, size = self._end, os.fstat(self._fd).st_size
            if self.failure is None and size < before:
                self._fail_truncated(size)
            elif self.failure is None and size != before and self._is_as_before():
                self._seen = os.pread(self._fd, min(SEEN, size), max(0, size - SEEN))
                self._end = size
            return size != before

    def read(self, offset: int, count: int, /) -> bytes:
        """See `Source`."""
        data = os.pread(self._fd, min(count, self._end - offset), offset)
        with self._lock:
            # Looked at after that: what was read before the file was truncated is right.
            if self.failure is None and not self._is_as_before():
                return b""
            if not data and offset < self._end:
                self._fail(f"the file gives none of its bytes from {offset} on")
        return b"" if self.failure is not None else data

    def release(self, offset: int, /) -> None:
        """Nothing to do: the file still has these bytes."""

    def _is_as_before(self) -> bool:
        size = len(self._seen)
        if os.pread(self._fd, size, self._end - size) == self._seen:
            return True
        self._fail_truncated(os.fstat(self._fd).st_size)
        return False

    def _fail_truncated(self, size: int) -> None:
        if size < self._end:
            self._fail(f"the file has become shorter: {size} bytes, of {self._end}")
        else:
            self._fail("the file was truncated, and has other bytes now")

    def _fail(self, reason: str) -> None:
        if self.failure is None:
            self.failure, self.ended = OSError(reason), True


def has_its_size(fd: int) -> bool:
    """Whether a regular file really has as many bytes as the system reports. Files in /proc, for example, report 0."""
    size = os.fstat(fd).st_size
    if len(os.pread(fd, READ_SIZE, 0)) < min(size, READ_SIZE):
        return False
    return not os.pread(fd, 1, size) or os.fstat(fd).st_size > size


def followed(path: Path, stop: threading.Event, note: Callable[[str], object]) -> Iterator[bytes]:
    """The bytes of whatever file has the name `path`, as tail -F(1) reads them, until `stop`: then to the end that there is.

    A file that is not there is waited for. One that was renamed is read to its end, also what is written to it before the next one of
    that name has a byte; then that one is read from its beginning, as is one that was truncated, and `note` is called with a message. Raises: OSError.
    """
    fd, waiting = -1, False
    try:
        while True:
            stopping = stop.is_set()
            if fd < 0:
                try:
                    fd, offset, seen = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), 0, b""
                except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
                    if not waiting:
                        note(f"{path}: {error.strerror}: it is waited for")
                    waiting = True
            if fd >= 0:
                data = os.pread(fd, READ_SIZE, offset)
                if os.fstat(fd).st_size < offset or os.pread(fd, len(seen), offset - len(seen)) != seen:
                    note(f"{path} was truncated: it is read from its beginning")
                    offset, seen = 0, b""
                    continue
                if data:
                    offset, seen = offset + len(data), (seen + data)[-SEEN:]
                    yield data
                    continue
                if _is_replaced(path, fd) and not os.pread(fd, 1, offset):
                    note(f"{path} is another file now: it is read from its beginning")
                    os.close(fd)
                    fd = -1
                    continue
            if stopping:
                return
            stop.wait(LOOK)
    finally:
        if fd >= 0:
            os.close(fd)


def _is_replaced(path: Path, fd: int) -> bool:
    """Whether another file now has this name, and is not empty."""
    try:
        there, here = path.stat(), os.fstat(fd)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino) and there.st_size > 0
