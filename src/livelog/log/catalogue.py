"""Which logs there are: they begin and end here, are found and listed here, and are removed here.

With a data directory, logs outlive the process; without one, a log's file has no name: it is created unlinked
(`O_TMPFILE`), so that its bytes go when the process goes, even by SIGKILL. Refuses to know who may read or write a log, and to
decide which log goes because of a limit: `Retention` does.

1. A name has at most one log: the newest. Readers of an older one keep it until they are done.
2. Nothing here waits for the disk on the event loop's thread, but for what the constructor does: it runs before there
   are clients.
3. Logs are in the order in which they began, by `LogInfo.order`, whatever the clock says and said.
"""

import asyncio
import contextlib
import gc
import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import TypeVar

from livelog.config import Settings
from livelog.errors import DiskError, LeaseLost, Stopping, TooManyLogs

from .adopted import Adopted, Elsewhere, nowhere
from .arrivals import Arrivals
from .directory import Directory
from .disk import ROOM_TIMEOUT, Disk
from .fences import Fences
from .info import LogInfo, State, new_generation, now
from .journal import Journal
from .retention import Retention
from .source import Source

UNNAMED = ""
"""The name of the log that has none."""

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Catalogue:
    """All logs of a server, as `settings` have them. `elsewhere`: finds those that other processes write.

    Raises: OSError, if no file can be made; ConfigError.
    """

    def __init__(self, settings: Settings, elsewhere: Elsewhere = nowhere) -> None:
        self._directory = Directory(settings.data_dir) if settings.data_dir is not None else None
        self._disk = Disk(
            self._directory.logs if self._directory is not None else settings.temp_dir or tempfile.gettempdir(),
            max_used=settings.max_total_size,
            reserve=settings.disk_reserve,
            evict=self._evict,
        )
        self._journals: dict[str, Journal] = {}
        self._retention = Retention(settings.max_logs, settings.max_age, self._is_used)
        self.ended_count: Counter[State] = Counter()
        """How many logs have ended since the start, by their last state."""
        self.retired_count = 0
        """How many logs were removed because of a limit."""
        self._beginning = 0
        self._drafts: dict[Journal, Journal | None] = {}  # with the logs that they will replace
        self._last_order = 0
        self._fences = Fences()
        self.arrivals = Arrivals()
        """Who is told of logs that begin and go, those included that are written elsewhere."""
        self._adopted = Adopted(elsewhere, self.arrivals.announce)
        self._closed = False
        self._last: tuple[Journal, ...] = ()  # the logs there were when the catalogue was closed
        if self._directory is not None:
            self._recover(self._directory)

    def _recover(self, directory: Directory) -> None:
        gc.disable()  # nothing here is garbage; looking for some takes a fifth of the time
        try:
            found = sorted(directory.recover(), key=lambda found: found.info.order)
        finally:
            gc.enable()
        for info, state, length, changed in found:
            info.order = self._last_order = max(self._last_order + 1, info.order)
            self._journals[info.name] = Journal(
                info, self._disk, file=None, directory=directory, length=length, state=state, changed=changed
            )
            self._disk.used += length
        ended = [journal for journal in self._journals.values() if journal.state.ended]
        # Who says that it ended in the future had a wrong clock: it has ended now, at the latest.
        moment = now()
        ended.sort(key=lambda journal: min(moment, journal.info.ended or 0))
        for journal in ended:
            self._retention.add(journal)
            journal.ended_at -= max(0, moment - (journal.info.ended or 0)) / 1e6

    def get(self, name: str) -> Journal | None:
        """The log of that name that is written here, if it ever began."""
        return self._journals.get(name)

    async def locate(self, name: str) -> Source | None:
        """The log of that name, wherever it is written; None: there is none."""
        return self._journals.get(name) or await self._adopted.find(name)

    def adopt(self, log: Source) -> None:
        """Have a log found here that is written elsewhere, for as long as it grows. Whoever waits for it gets it."""
        self._adopted.adopt(log)

    async def open(self, name: str) -> Source | None:
        """The log of that name, its file open until the caller's `release`; None: there is none.

        One that is replaced or removed before its file is open is looked up again. Raises: DiskError.
        """
        while (log := await self.locate(name)) is not None:
            try:
                await log.open()
            except DiskError as error:
                if not isinstance(error.cause, FileNotFoundError) or await self.locate(name) is log:
                    raise
            else:
                return log
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
            return "the server is stopping"
        try:
            self._retention.admit(len(self._journals), None)
        except TooManyLogs as error:
            return str(error)
        refusal = await self._disk.refusal(sum(log.length for log in self._retention.candidates()))
        return None if refusal is None else refusal.strerror

    def newest_first(self) -> Iterator[Journal]:
        """All logs, those that began last in front."""
        return reversed(self._journals.values())

    def known(self) -> list[Source]:
        """As `newest_first`, with those that are written elsewhere, as far as they are known here and still grow."""
        here: list[Source] = [*self.newest_first()]
        elsewhere = [*self._adopted]
        return sorted(here + elsewhere, key=lambda log: -log.info.order) if elsewhere else here

    async def wait(self, name: str, timeout: float) -> Source | None:
        """The log of that name, waiting at most `timeout` seconds for it to begin."""
        if (log := await self.locate(name)) is not None or timeout <= 0 or self._closed:
            return log
        return await self.arrivals.wait(name, timeout) or self._journals.get(name)

    async def begin(self, info: LogInfo) -> Journal:
        """A new, empty log, in place of an older one of that name. That one is aborted, unless it has ended.

        Its `generation`, its `order` and when it `began` are filled in. Its file is open for the caller, who must `release` it.
        Nothing is removed for it before its file is there. Raises: DiskError, TooManyLogs, Stopping, LeaseLost.
        """
        info, directory = await self._admitted(info), self._directory
        self._beginning += 1
        try:
            older = self._journals.get(info.name)
            replaced = 0 if older is None else older.length
            file = await self._make(
                partial(directory.create, info, replaced) if directory is not None else self._disk.open_unlinked
            )
            journal = Journal(info, self._disk, file=file, directory=directory)
            try:
                await self._list(journal)
            except (LeaseLost, Stopping, TooManyLogs):
                self._undo(journal)
                raise
        finally:
            self._beginning -= 1
        return journal

    async def draft(self, info: LogInfo) -> Journal:
        """As `begin`, but nobody finds the new log, and nothing makes room for it, before `publish`; or `discard`: it never was.

        An older log of that name goes neither for its age nor to make room meanwhile.
        """
        info, directory = await self._admitted(info), self._directory
        if (older := self._journals.get(info.name)) is not None:
            older.acquire()
        try:
            file = await self._make(
                partial(directory.draft, info) if directory is not None else self._disk.open_unlinked
            )
        except BaseException:
            if older is not None:
                older.release()
            raise
        journal = Journal(info, self._disk, file=file, directory=directory)
        self._drafts[journal] = older
        return journal

    async def publish(self, draft: Journal) -> None:
        """Have a draft, all of which is on file, in place of an older log of that name. Raises: as `begin`; then it is a draft still."""
        info, directory = draft.info, self._directory
        self._check(info)
        info.order = self._next_order()
        if directory is not None:
            await self._make(partial(directory.publish, info, draft.length))
        await self._list(draft)
        self._forget_draft(draft)

    async def _admitted(self, info: LogInfo) -> LogInfo:
        """What is known of a log that may begin. Raises: TooManyLogs, Stopping, LeaseLost; DiskError, if there is no room for it."""
        self._check(info)
        self._retention.admit(len(self._journals) + self._beginning, self._journals.get(info.name))
        if await self._disk.check(0) is not None:
            refusal = await self._disk.check(sum(log.length for log in self._retention.candidates()))
            if refusal is not None:
                raise DiskError("creating the log's file", refusal)
        began = now()
        return replace(info, began=began, generation=new_generation(began), order=self._next_order())

    def _check(self, info: LogInfo) -> None:
        """Raises: Stopping, LeaseLost, if no log can begin any more, or not under so small a fencing number."""
        if self._closed:
            raise Stopping
        self._fences.check(info, self._journals.get(info.name))

    def _next_order(self) -> int:
        """Larger than that of all logs. Near the time, so that logs of which it is not known have their places by it."""
        self._last_order = max(self._last_order + 1, now())
        return self._last_order

    async def _make(self, job: Callable[[], T]) -> T:
        """Have a thread make a log's file, as soon as there is room that is on its way back. Raises: DiskError."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + ROOM_TIMEOUT
        while True:
            try:
                return await loop.run_in_executor(self._disk.writers, job)
            except OSError as error:
                failure = DiskError("creating the log's file", error)
                if not failure.full or not await self._disk.room_returns(deadline):
                    raise failure from error

    async def _list(self, journal: Journal) -> None:
        """Have a new log, whose file is there, in place of an older one of that name. Raises: TooManyLogs, Stopping, LeaseLost."""
        name = journal.info.name
        if (older := self._journals.get(name)) is not None:
            with contextlib.suppress(DiskError):
                await self.end(older, State.ABORTED, "another log of this name began", journal.info.fence)
        self._check(journal.info)  # its file took so long that there is no list any more, or that another log has begun
        if older is not None:
            self._remove(older)
        while self._retention.is_full(len(self._journals)) and self._evict():
            pass
        if older is None:
            self._retention.check(len(self._journals))  # those that could go may be used by now
        if self._directory is None:
            journal.acquire()  # its file has no name: it must stay open while there is the log
        newest = next(self.newest_first(), journal)
        self._journals[name] = journal
        if newest.info.order > journal.info.order:  # it began later, and was quicker
            self._journals = dict(sorted(self._journals.items(), key=lambda item: item[1].info.order))
        self.arrivals.announce(journal)

    async def scratch(self) -> Journal:
        """A journal that is no log: it has no name, and vanishes when the caller has released it. Raises: DiskError."""
        return Journal(LogInfo("", "", now()), self._disk, file=await self._make(self._disk.open_unlinked))

    async def discard(self, journal: Journal) -> None:
        """Need a scratch journal, or a draft, no longer. What is still on its way to the file is waited for: it is used, too."""
        await journal.flush()
        if journal in self._drafts:
            self._forget_draft(journal)
            self._undo(journal)
        else:
            self._disk.used -= journal.length
            journal.release()

    def _undo(self, journal: Journal) -> None:
        """Have a new log, which was not listed, as if it had never been; the caller has released it thereby."""
        if self._directory is None:
            journal.acquire()
        self._erase(journal, None if self._directory is None else self._directory.discard)
        journal.release()

    def _forget_draft(self, draft: Journal) -> None:
        if (older := self._drafts.pop(draft)) is not None:
            older.release()

    async def end(self, journal: Journal, state: State, reason: str, number: int = 0) -> None:
        """End a log: see `Journal.close`, which this must be called instead of. Raises: DiskError, LeaseLost."""
        info = journal.info
        try:
            await journal.close(state, reason, number)
        finally:
            if self._journals.get(info.name) is journal and journal not in self._retention and journal.state.ended:
                self._retention.add(journal)
                self.ended_count[journal.state] += 1
                fields = {
                    "log": info.name, "generation": info.generation, "state": journal.state.value,
                    "bytes": journal.length, "seconds": max(0, (info.ended or now()) - info.began) / 1e6,
                    "exit_code": info.attributes.exit_code, "reason": info.reason,
                }  # fmt: skip
                logger.info("log ended", extra={"fields": fields})

    async def remove(self, journal: Journal, number: int = 0) -> None:
        """Remove a log, which must have ended: no kill brings it back. Whoever reads it keeps it until they are done.

        Raises: LeaseLost; DiskError, if its files are left; then it is there again after a restart.
        """
        journal.fence(number)
        removal = self._remove(journal)
        _log_event("removed", journal)
        if removal is not None:
            try:
                await asyncio.shield(asyncio.wrap_future(removal))
            except OSError as error:
                raise DiskError("removing the log's files", error) from error

    def _remove(self, journal: Journal) -> Future[None] | None:
        """Forget a log now. Returns the removal of its files by a thread, if it has any with names."""
        del self._journals[journal.info.name]
        self._fences.removed(journal.info)
        self._retention.discard(journal)
        self.arrivals.tell_removed(journal)
        return self._erase(journal, None if self._directory is None else self._directory.remove)

    def _erase(self, journal: Journal, remove: Callable[[LogInfo], None] | None) -> Future[None] | None:
        """Remove the files of a log, by `remove` those that have names; see `_remove`."""
        self._disk.used -= journal.length
        removal = journal.remove(None if remove is None else partial(remove, journal.info))
        if removal is not None:
            removal.add_done_callback(_removed)
        return removal

    def _evict(self) -> bool:
        """Remove the log that goes first to make room. Returns whether there was one."""
        if (journal := next(self._retention.candidates(), None)) is None:
            return False
        self._retire(journal, "removed to make room")
        return True

    def _is_used(self, journal: Journal) -> bool:
        """Whether somebody reads a log that has ended. Without a directory, the catalogue itself is a user."""
        return bool(journal.watchers) or journal.users > (self._directory is None)

    async def retire(self) -> None:
        """Remove, for ever, the logs that ended longer ago than the settings allow."""
        while (pause := self._retention.age_check) is not None:
            for journal in self._retention.too_old(asyncio.get_running_loop().time()):
                self._retire(journal, "removed for its age")
            await asyncio.sleep(pause)

    def _retire(self, journal: Journal, what: str) -> None:
        self._remove(journal)
        self.retired_count += 1
        _log_event(what, journal)

    def close(self) -> None:
        """Begin no more logs; tell those who wait for one, or for one to grow, that nothing will come any more."""
        self._closed = True
        self._last = tuple(self._journals.values())
        for journal in self._last:
            if not journal.state.ended:
                journal.suspend()
            if self._directory is None:
                journal.release()
        self._journals.clear()
        self._retention.clear()
        self.arrivals.close()

    def stop(self) -> None:
        """Let the threads end, once nobody reads or writes any more, and another process have the directory."""
        self._disk.stop()
        # While a write hangs, the process has not let go of its logs: then the lock goes with the process.
        if self._directory is not None and not any(journal.writing for journal in self._last):
            self._directory.close()


def _log_event(what: str, journal: Journal) -> None:
    logger.info("log %s", what, extra={"fields": {"log": journal.info.name, "bytes": journal.length}})


def _removed(job: Future[None]) -> None:
    if (error := job.exception()) is not None:
        logger.error("the files of a log that was removed are left: %s", error)
