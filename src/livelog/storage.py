"""Which logs there are: they begin and end here, are found and listed here, and go when their time has come.

With a data directory, logs outlive the process; without one, a log's file has no name: it is created unlinked
(`O_TMPFILE`), so that its bytes go when the process goes, even by SIGKILL. Refuses to know who may read or write a log.

1. A name has at most one log: the newest. Readers of an older one keep it until they are done.
2. Nothing here waits for the disk on the event loop's thread, but for what the constructor does: it runs before there
   are clients.
3. Logs are in the order in which they began, and no two began in the same microsecond.
4. A log that is being written or read never goes to make room, and never for its age.
"""

import asyncio
import contextlib
import gc
import logging
import tempfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from weakref import WeakValueDictionary

from .about import About, State, new_generation, now
from .config import Settings
from .directory import Directory
from .disk import Disk
from .errors import DiskError, RequestError
from .journal import Journal

UNNAMED = ""
"""The name of the log that has none."""

AGE_CHECK = 60.0
"""Seconds, at most, between looks for logs that are too old."""

logger = logging.getLogger(__name__)


class Storage:
    """All logs of a server, as `settings` have them. Raises: OSError, if no file can be made; ConfigError."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._directory = Directory(settings.data_dir) if settings.data_dir is not None else None
        self._disk = Disk(
            self._directory.logs if self._directory is not None else settings.temp_dir or tempfile.gettempdir(),
            max_used=settings.max_total_size,
            reserve=settings.disk_reserve,
            evict=self._evict,
        )
        self._journals: dict[str, Journal] = {}
        self._ended: dict[str, Journal] = {}  # those of them that have ended, the one that ended first in front
        self.ended_count: Counter[State] = Counter()
        """How many logs have ended since the start, by their last state."""
        self.retired_count = 0
        """How many logs were removed because of a limit."""
        self._beginning = 0
        self._last_began = 0
        # Kept by those who wait, and gone with the last of them.
        self._awaited: WeakValueDictionary[str, asyncio.Future[Journal]] = WeakValueDictionary()
        self._closed = False
        self._last: tuple[Journal, ...] = ()  # the logs there were when the storage was closed
        if self._directory is not None:
            self._recover(self._directory)

    def _recover(self, directory: Directory) -> None:
        gc.disable()  # nothing here is garbage; looking for some takes a fifth of the time
        try:
            found = sorted(directory.recover(), key=lambda found: found.about.began)
        finally:
            gc.enable()
        for about, state, length, changed in found:
            about.began = self._last_began = max(self._last_began + 1, about.began)
            self._journals[about.name] = Journal(
                about, self._disk, file=None, directory=directory, length=length, state=state, changed=changed
            )
            self._disk.used += length
        ended = [journal for journal in self._journals.values() if journal.state.ended]
        ended.sort(key=lambda journal: journal.about.ended or 0)
        self._ended = {journal.about.name: journal for journal in ended}

    def get(self, name: str) -> Journal | None:
        """The log of that name, if it ever began."""
        return self._journals.get(name)

    async def open(self, name: str) -> Journal | None:
        """The log of that name, its file open until the caller's `release`; None: there is none.

        One that is replaced or removed before its file is open is looked up again. Raises: DiskError.
        """
        while (journal := self._journals.get(name)) is not None:
            try:
                await journal.open()
            except DiskError as error:
                if not isinstance(error.cause, FileNotFoundError) or self._journals.get(name) is journal:
                    raise
            else:
                return journal
        return None

    @property
    def durable(self) -> bool:
        """Whether what is on file outlives this process."""
        return self._directory is not None

    @property
    def used(self) -> int:
        """Bytes of all logs together, those included that are on their way to the disk."""
        return self._disk.used

    async def refusal(self) -> str | None:
        """Why no log could begin and grow now; None: one could. Removes nothing."""
        if self._closed:
            return "the server is about to stop"
        limit, unused = self._settings.max_logs, [log for log in self._ended.values() if not self._is_used(log)]
        if limit is not None and len(self._journals) >= limit and not unused:
            return f"there are {limit} logs, as many as there may be, all in use"
        refusal = await self._disk.refusal(sum(log.length for log in unused))
        return None if refusal is None else refusal.strerror

    def newest_first(self) -> Iterable[Journal]:
        """All logs, those that began last in front."""
        return reversed(self._journals.values())

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
            return self._journals.get(name)
        except asyncio.CancelledError:
            if begun.cancelled():
                return None  # the storage was closed
            raise

    async def begin(self, about: About) -> Journal:
        """A new, empty log, in place of an older one of that name. That one is aborted, unless it has ended.

        Its `generation` and when it `began` are filled in. Its file is open for the caller, who must `release` it.
        Raises: DiskError; RequestError, if there are too many logs.
        """
        if self._closed:
            raise RequestError(503, "the server is about to stop", {"Retry-After": "1"})
        limit, older = self._settings.max_logs, self._journals.get(about.name)
        self._beginning += 1
        try:
            while limit is not None and len(self._journals) - (older is not None) + self._beginning > limit:
                if not self._evict(spared=older):
                    raise RequestError(
                        429, f"there are {limit} logs, as many as there may be, all in use", {"Retry-After": "60"}
                    )
            if (refusal := await self._disk.check()) is not None:
                raise DiskError("creating the log's file", refusal)
            began = self._last_began = max(self._last_began + 1, now())
            journal = await self._create(replace(about, began=began, generation=new_generation(began)))
        finally:
            self._beginning -= 1
        if (older := self._journals.get(about.name)) is not None:
            with contextlib.suppress(DiskError):
                await self.end(older, State.ABORTED, "another log of this name began")
            self._remove(older)
        self._journals[about.name] = journal
        if (begun := self._awaited.pop(about.name, None)) is not None:
            begun.set_result(journal)
        return journal

    async def scratch(self) -> Journal:
        """A journal that is no log: it has no name, and vanishes when the caller has released it. Raises: DiskError."""
        try:
            file = await asyncio.get_running_loop().run_in_executor(self._disk.writers, self._disk.open_unlinked)
        except OSError as error:
            raise DiskError("creating a temporary file", error) from error
        return Journal(About("", "", now()), self._disk, file=file)

    async def discard(self, scratch: Journal) -> None:
        """Need a scratch journal no longer. What is still on its way to the file is waited for: it counts as used, too."""
        await scratch.flush()
        self._disk.used -= scratch.length
        scratch.release()

    async def _create(self, about: About) -> Journal:
        loop, directory, disk = asyncio.get_running_loop(), self._directory, self._disk
        try:
            if directory is not None:
                file = await loop.run_in_executor(disk.writers, directory.create, about)
            else:
                file = await loop.run_in_executor(disk.writers, disk.open_unlinked)
        except OSError as error:
            raise DiskError("creating the log's file", error) from error
        journal = Journal(about, disk, file=file, directory=directory)
        if directory is None:
            journal.acquire()  # its file has no name: it must stay open while there is the log
        return journal

    async def end(self, journal: Journal, state: State, reason: str) -> None:
        """End a log: see `Journal.close`, which this must be called instead of. Raises: DiskError."""
        about = journal.about
        try:
            await journal.close(state, reason)
        finally:
            if self._journals.get(about.name) is journal and about.name not in self._ended and journal.state.ended:
                self._ended[about.name] = journal
                self.ended_count[journal.state] += 1
                fields = {
                    "log": about.name, "generation": about.generation, "state": journal.state.value,
                    "bytes": journal.length, "seconds": ((about.ended or now()) - about.began) / 1e6,
                    "exit_code": about.metadata.exit_code, "reason": about.reason,
                }  # fmt: skip
                logger.info("log ended", extra={"fields": fields})

    async def remove(self, journal: Journal) -> None:
        """Remove a log, which must have ended: no kill brings it back. Whoever reads it keeps it until they are done.

        Raises: DiskError, if its files are left; then it is there again after a restart.
        """
        removal = self._remove(journal)
        self._tell("removed", journal)
        if removal is not None:
            try:
                await asyncio.shield(asyncio.wrap_future(removal))
            except OSError as error:
                raise DiskError("removing the log's files", error) from error

    def _remove(self, journal: Journal) -> Future[None] | None:
        """Forget a log now. Returns the removal of its files by a thread, if it has any with names."""
        del self._journals[journal.about.name]
        self._ended.pop(journal.about.name, None)
        self._disk.used -= journal.length
        if self._directory is None:
            journal.release()
            return None
        removal = self._disk.give_back(journal.length, partial(self._directory.remove, journal.about))
        removal.add_done_callback(_removed)
        return removal

    def _evict(self, spared: Journal | None = None) -> bool:
        """Remove the log that ended first of those that nobody uses. Returns whether there was one."""
        for journal in self._ended.values():
            if journal is not spared and not self._is_used(journal):
                self._retire(journal, "removed to make room")
                return True
        return False

    def _is_used(self, journal: Journal) -> bool:
        """Whether somebody reads a log that has ended. Without a directory, the storage itself is a user."""
        return bool(journal.watchers) or journal.users > (self._directory is None)

    async def retire(self) -> None:
        """Remove, for ever, the logs that ended longer ago than the settings allow."""
        limit = self._settings.max_age
        while limit is not None:
            horizon = now() - int(limit * 1e6)
            for journal in tuple(self._ended.values()):
                # All are looked at: one that ended while the clock was wrong must not keep the others.
                if (journal.about.ended or 0) < horizon and not self._is_used(journal):
                    self._retire(journal, "removed for its age")
            await asyncio.sleep(min(AGE_CHECK, limit / 4))

    def _retire(self, journal: Journal, what: str) -> None:
        self._remove(journal)
        self.retired_count += 1
        self._tell(what, journal)

    def _tell(self, what: str, journal: Journal) -> None:
        logger.info("log %s", what, extra={"fields": {"log": journal.about.name, "bytes": journal.length}})

    def close(self) -> None:
        """Begin no more logs; tell those who wait for one, or for one to grow, that nothing will come any more."""
        self._closed = True
        self._last = tuple(self._journals.values())
        for journal in self._last:
            if not journal.state.ended:
                journal.park()
            if self._directory is None:
                journal.release()
        self._journals.clear()
        self._ended.clear()
        for begun in tuple(self._awaited.values()):
            begun.cancel()

    def stop(self) -> None:
        """Let the threads end, once nobody reads or writes any more, and another process have the directory."""
        self._disk.stop()
        # While a write hangs, the process has not let go of its logs: then the lock goes with the process.
        if self._directory is not None and not any(journal.writing for journal in self._last):
            self._directory.close()


def _removed(job: Future[None]) -> None:
    if (error := job.exception()) is not None:
        logger.error("the files of a log that was removed are left: %s", error)
