"""`TimesFile`: the file of a log's notes (`livelog.times`), which say when its bytes arrived.

All methods wait for the disk; `append` and `open` may be called in different threads. They raise nothing: notes that cannot be written are
tried again with the next ones, and notes that cannot be read are missing.

1. The file is made with the first note. A log that ends within `RESOLUTION` of its begin has none.
2. A file of the former format is replaced by one of the present format, with all its times, when it is first opened.
"""

import contextlib
import os
import threading
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, cast

from livelog.times import NOTES_BLOCK, End, Note, encode, end_of, former_notes, is_notes

MAX_KEPT = 1000
"""The largest number of notes that wait while the disk takes none; later ones are dropped."""


def memory_file(data: bytes) -> BinaryIO:
    """A file in memory with the content `data`. Raises: OSError."""
    fd = os.memfd_create("livelog-times", os.MFD_CLOEXEC)
    os.write(fd, data)
    return cast(BinaryIO, open(fd, "r+b", buffering=0))


class TimesFile:
    """The notes of a log that began at `began`, in milliseconds since the epoch.

    `find`: opens the file for reading and writing. If it is missing, `find` makes it if its argument is true, or else returns None.
    `replace`: replaces the file by one with the given content, and opens that. Both raise OSError.
    """

    __slots__ = ("_began", "_end", "_find", "_lock", "_replace", "_waiting", "file")

    def __init__(
        self, began: int, find: Callable[[bool], BinaryIO | None], replace: Callable[[bytes], BinaryIO] = memory_file
    ) -> None:
        self.file: BinaryIO | None = None
        """The open file; None: it was not opened yet, or there is none."""
        self._began = began
        self._find = find
        self._replace = replace
        self._end: End | None = None
        self._waiting: list[Note] = []
        self._lock = threading.Lock()

    def open(self) -> None:
        """Open the file if it exists and can be opened."""
        with self._lock, contextlib.suppress(OSError):
            if self.file is None:
                self.file = self._opened(make=False)

    def append(self, notes: list[Note], length: int) -> None:
        """Append `notes`, of bytes that are about to be written. `length`: the bytes of the log that are on file."""
        with self._lock:
            notes = [*self._waiting, *notes]
            try:
                if self.file is None:
                    self.file = self._opened(make=True)
                assert self.file is not None
                fd = self.file.fileno()
                if self._end is None:
                    size = os.fstat(fd).st_size
                    self._end = end_of(partial(read_notes, fd), size, self._began, length)
                    if self._end.size < size:
                        os.ftruncate(fd, self._end.size)
                data, end = encode(self._end, notes)
                if os.pwrite(fd, data, self._end.size) == len(data):
                    self._end, self._waiting = end, []
                    return
            except OSError:
                pass
            self._waiting = notes[:MAX_KEPT]  # the disk is full, or the process has no descriptor left

    def close(self) -> None:
        """Close the file. The object is not used afterwards."""
        if self.file is not None:
            self.file.close()

    def _opened(self, *, make: bool) -> BinaryIO | None:
        if (file := self._find(make)) is None:
            return None
        try:
            fd = file.fileno()
            if is_notes(read_notes(fd, 0, NOTES_BLOCK)) or not (size := os.fstat(fd).st_size):
                return file
            data, _ = encode(End(0, 0, self._began), former_notes(read_notes(fd, 0, size), self._began))
            if not data:
                return file  # it is damaged
            replaced, file = file, self._replaced(data)
            replaced.close()
        except BaseException:
            file.close()
            raise
        return file

    def _replaced(self, data: bytes) -> BinaryIO:
        try:
            return self._replace(data)
        except OSError:  # the disk is full, or takes nothing any more
            return memory_file(data)


def read_notes(fd: int, start: int, stop: int) -> bytes:
    """The bytes `[start, stop)` of a file of notes, fewer at its end: see `livelog.times.Read`. Empty if they cannot be read."""
    try:
        return os.pread(fd, stop - start, start)
    except OSError:
        return b""
