"""Where journals live: which logs there are, and the files behind them.

A log's file has no name: it is created unlinked (`O_TMPFILE`), so that its bytes go when the process goes,
even by SIGKILL. Refuses to know who may read or write a log.

1. A name has at most one journal: the newest. Readers of an older one keep it until they are done.
2. Nothing here waits for the disk on the event loop's thread.
"""

import asyncio
import errno
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, cast

from .errors import DiskError
from .journal import Journal

UNNAMED = ""
"""The name of the log that has none."""

THREADS = 4
"""Threads that write, and as many that read. One is enough while the disk is quick."""

THREAD_NAME = "livelog-disk"
"""What the names of these threads begin with."""

_IN_MEMORY = {"tmpfs", "ramfs"}


class Storage:
    """All logs of a server.

    `directory` is where their bytes are kept while the server runs; None: the system's directory for such files.
    Raises: OSError, if no file can be made there.
    """

    def __init__(self, directory: str | None) -> None:
        self._directory = directory or tempfile.gettempdir()
        self._writers = ThreadPoolExecutor(THREADS, THREAD_NAME)
        self._fetchers = ThreadPoolExecutor(THREADS, THREAD_NAME)
        self._journals: dict[str, Journal] = {}
        self._awaited: dict[str, asyncio.Future[Journal]] = {}
        self._closed = False
        self._last: tuple[Journal, ...] = ()  # the logs there were when the storage was closed
        self._nowait = _nowait_flag(self._directory)

    def get(self, name: str) -> Journal | None:
        """The log of that name, if it ever began."""
        return self._journals.get(name)

    async def wait(self, name: str, timeout: float) -> Journal | None:
        """The log of that name, waiting at most `timeout` seconds for it to begin."""
        if (journal := self._journals.get(name)) is not None or timeout <= 0 or self._closed:
            return journal
        begun = self._awaited.get(name)
        if begun is None:
            begun = self._awaited[name] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.shield(begun)
        except TimeoutError:
            return None
        except asyncio.CancelledError:
            if begun.cancelled():
                return None  # the storage was closed
            raise

    async def begin(self, name: str, content_type: str) -> Journal:
        """A new, empty log of that name, in place of an older one.

        Raises: DiskError.
        """
        loop = asyncio.get_running_loop()
        try:
            file = await loop.run_in_executor(self._writers, _open_unlinked, self._directory)
        except OSError as error:
            raise DiskError("creating the log's file", error) from error
        journal = Journal(file, content_type, nowait=self._nowait, writers=self._writers, fetchers=self._fetchers)
        journal.acquire()
        if (replaced := self._journals.get(name)) is not None:
            replaced.release()
        self._journals[name] = journal
        if (begun := self._awaited.pop(name, None)) is not None:
            begun.set_result(journal)
        return journal

    def close(self) -> None:
        """Let go of all logs, whose files vanish with their last reader, and of everybody who waits for one."""
        self._closed = True
        self._last = tuple(self._journals.values())
        for journal in self._last:
            journal.release()
        self._journals.clear()
        for begun in self._awaited.values():
            begun.cancel()
        self._awaited.clear()

    def stop(self) -> None:
        """Let the threads end, once nobody reads or writes any more."""
        for journal in self._last:
            journal.abandon()
        self._writers.shutdown(wait=False)
        self._fetchers.shutdown(wait=False)


def _open_unlinked(directory: str) -> BinaryIO:
    """A new file that no name leads to, open for reading and writing, unbuffered."""
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
    """How `os.preadv` reads files in `directory` without waiting: see `Journal`."""
    flag = getattr(os, "RWF_NOWAIT", None)
    with _open_unlinked(directory) as file:
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
