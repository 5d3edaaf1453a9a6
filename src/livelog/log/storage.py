"""The files of logs: made, found again after a restart, and removed; in a data directory, or unlinked.

With a data directory, logs outlive the process. Without one, a log's file is unlinked (`O_TMPFILE`): its bytes are freed when the process
ends, even by SIGKILL, and the file stays open for as long as the log is kept. The catalogue knows which logs there are.

Nothing here waits for the disk on the event loop's thread, except the constructor and `recover`, which run before there are clients.
"""

import asyncio
import gc
import logging
import os
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

from livelog.config import Settings
from livelog.errors import DiskError

from .directory import Directory
from .disk import ROOM_TIMEOUT, Disk
from .info import LogInfo, now
from .journal import Journal

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Storage:
    """The files of all logs, where `settings` say. `evict`, `evict_older`: see `Disk`.

    Raises: OSError, if no file can be made; ConfigError.
    """

    def __init__(self, settings: Settings, evict: Callable[[], bool], evict_older: Callable[[], bool]) -> None:
        self._directory = Directory(settings.data_dir) if settings.data_dir is not None else None
        self.disk = Disk(
            self._directory.logs if self._directory is not None else settings.temp_dir or _temporary_directory(),
            max_used=settings.max_total_size,
            reserve=settings.disk_reserve,
            evict=evict,
            evict_older=evict_older,
        )

    @property
    def durable(self) -> bool:
        """Whether what is on file outlives this process."""
        return self._directory is not None

    def recover(self, kept: int) -> list[Journal]:
        """The logs that were found, the newest `kept` ones of each name, in the order in which they began. Raises: OSError."""
        if (directory := self._directory) is None:
            return []
        gc.disable()  # there is no garbage here, and looking for it takes a fifth of the time
        try:
            found = sorted(directory.recover(kept), key=lambda found: found.info.order)
        finally:
            gc.enable()
        self.disk.used += sum(log.length for log in found)
        return [
            Journal(info, self.disk, file=None, directory=directory, length=length, state=state, changed=changed)
            for info, state, length, changed in found
        ]

    async def create(self, info: LogInfo, replaced: int) -> Journal:
        """Make a new log, whose file is open for the caller. `replaced`: bytes of the log that it replaces, which will be freed. Raises: DiskError."""
        directory = self._directory
        job = partial(directory.create, info, replaced) if directory is not None else self.disk.open_unlinked
        return Journal(info, self.disk, file=await self._make(job), directory=directory)

    async def draft(self, info: LogInfo) -> Journal:
        """As `create`, but until `publish` a restart removes the files. Raises: DiskError."""
        directory = self._directory
        job = partial(directory.draft, info) if directory is not None else self.disk.open_unlinked
        return Journal(info, self.disk, file=await self._make(job), directory=directory)

    async def publish(self, draft: Journal) -> None:
        """Make a draft a log that has just begun. Raises: DiskError; then it is still a draft."""
        if self._directory is not None:
            await self._make(partial(self._directory.publish, draft.info, draft.length))

    async def scratch(self) -> Journal:
        """A journal in an unlinked file, which is never found after a restart. It vanishes with the caller's `release`. Raises: DiskError."""
        return Journal(LogInfo("", "", now()), self.disk, file=await self._make(self.disk.open_unlinked))

    async def _make(self, job: Callable[[], T]) -> T:
        """Make a log's file by `job` in a thread. If the disk is full while files are being removed, it is tried again. Raises: DiskError."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ROOM_TIMEOUT
        while True:
            since = self.disk.returns
            try:
                return await loop.run_in_executor(self.disk.writers, job)
            except OSError as error:
                failure = DiskError("creating the log's file", error)
                if not failure.full or not await self.disk.room_returns(deadline, since):
                    raise failure from error

    def keep(self, journal: Journal) -> None:
        """The log is in the catalogue from now on: an unlinked file stays open until `remove` or `let_go`."""
        if self._directory is None:
            journal.acquire()

    def let_go(self, journal: Journal) -> None:
        """The server stops, and needs that log no more."""
        if self._directory is None:
            journal.release()

    def is_used(self, journal: Journal) -> bool:
        """Whether somebody reads a log that has ended; without a data directory, `keep` itself is one user of the file."""
        return bool(journal.watchers) or journal.users > (self._directory is None)

    def remove(self, journal: Journal, kept: Collection[str]) -> Future[None] | None:
        """Remove a log, and the older generations of its name except `kept`. Whoever reads it can read it to its end.

        Returns the future of the removal of its files by a thread; None: it has no files with names.
        """
        directory = self._directory
        return self._erase(journal, None if directory is None else partial(directory.remove, journal.info, kept))

    def undo(self, journal: Journal) -> None:
        """Remove a new log that was not added to the catalogue. This is the caller's `release`, too."""
        self.keep(journal)
        directory = self._directory
        self._erase(journal, None if directory is None else partial(directory.discard, journal.info))
        journal.release()

    def drop(self, scratch: Journal) -> None:
        """Remove a scratch journal. This is the caller's `release`, too."""
        self.disk.used -= scratch.length
        scratch.release()

    def _erase(self, journal: Journal, job: Callable[[], None] | None) -> Future[None] | None:
        """Remove the files of a log. `job` removes those that have names."""
        self.disk.used -= journal.length
        removal = journal.remove(job)
        if removal is not None:
            removal.add_done_callback(_removed)
        return removal

    def stop(self, logs: Iterable[Journal]) -> None:
        """Let the threads end after their present jobs, and release the data directory's lock. `logs`: all that were in the catalogue."""
        self.disk.stop()
        # While a write hangs, this process still uses its logs: then the lock is released with the end of the process.
        if self._directory is not None and not any(journal.writing for journal in logs):
            self._directory.close()


def _removed(job: Future[None]) -> None:
    if (error := job.exception()) is not None:
        logger.error("the files of a log that was removed are left: %s", error)


def _temporary_directory() -> str:
    """The system's directory for temporary files: that of `tempfile.gettempdir`, mostly without that import, which takes a tenth of the start."""
    for folder in (os.environ.get("TMPDIR"), os.environ.get("TEMP"), os.environ.get("TMP"), "/tmp"):  # noqa: S108
        if folder and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return os.path.abspath(folder)
    import tempfile  # noqa: PLC0415  # as above

    return tempfile.gettempdir()
