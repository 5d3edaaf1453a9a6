"""The catalogue of all logs: it begins, finds, lists, ends and removes them.

It does not know who may read or write a log. `Storage` makes and removes the files; `Retention` decides which log a limit removes.

1. A name has at most `keep_attempts` logs: the newest, which alone may grow, and older ones. Whoever reads a log that is removed can
   read it to its end.
2. Logs are ordered by `LogInfo.order`, in which they began, whatever the system's clock said.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace

from livelog.config import Settings
from livelog.errors import DiskError, LeaseLost, Stopping, TooManyLogs

from .adopted import Adopted, Elsewhere, nowhere
from .arrivals import Arrivals
from .attempts import NEWEST, Attempts, Which
from .fences import Fences
from .info import SUPERSEDED, LogInfo, State, new_generation, now
from .journal import Journal
from .retention import Retention
from .source import Source
from .storage import Storage

UNNAMED = ""
"""The name of the unnamed log."""

logger = logging.getLogger(__name__)


class Catalogue:
    """All logs of a server. `elsewhere`: finds logs that other processes write.

    Raises: OSError, if no file can be made; ConfigError.
    """

    def __init__(self, settings: Settings, elsewhere: Elsewhere = nowhere) -> None:
        self._storage = Storage(settings, self._evict, self._evict_older)
        self._disk = self._storage.disk
        self._logs = Attempts[Journal](settings.keep_attempts)
        self._retention = Retention(settings.max_logs, settings.max_age, self._storage.is_used)
        self.ended_count: Counter[State] = Counter()
        """The number of logs that have ended since the start, by their final state."""
        self.retired_count = 0
        """The number of logs that were removed because of a limit since the start."""
        self._beginning = 0
        self._drafts: dict[Journal, Journal | None] = {}  # drafts, each with the log that it will replace, or None
        self._last_order = 0
        self._fences = Fences()
        self.arrivals = Arrivals()
        """Those who wait for logs to begin, and the observers of all logs, including logs that are written elsewhere."""
        self._adopted = Adopted(elsewhere, self.arrivals.announce)
        self._closed = False
        self._last: tuple[Journal, ...] = ()  # the logs at the time of `close`
        self._recover(settings.keep_attempts)

    def _recover(self, kept: int) -> None:
        for journal in self._storage.recover(kept):
            journal.info.order = self._last_order = max(self._last_order + 1, journal.info.order)
            self._logs.add(journal)
        ended = [journal for journal in self._logs if journal.state.ended]
        # An end in the future was noted by a wrong clock: it counts as now.
        moment = now()
        ended.sort(key=lambda journal: min(moment, journal.info.ended or 0))
        for journal in ended:
            self._retention.add(journal)
            journal.ended_at -= max(0, moment - (journal.info.ended or 0)) / 1e6
            if self._logs.newest(journal.info.name) is not journal:
                self._retention.supersede(journal)

    def get(self, name: str, which: Which = NEWEST) -> Journal | None:
        """The log of that name that this process writes and `which` selects; None: it is not there."""
        return self._logs.newest(name) if which is NEWEST else self._logs.find(name, which)

    def attempts(self, name: str) -> tuple[Journal, ...]:
        """All logs of that name that this process writes, the newest first."""
        return self._logs.of(name)

    def count(self, name: str) -> int:
        """The number of logs of that name that this process writes."""
        return len(self._logs.of(name))

    async def locate(self, name: str, which: Which = NEWEST) -> Source | None:
        """The log of that name that `which` selects, whichever process writes it; None: it is not there."""
        if (here := self.get(name, which)) is not None or which.attempt:
            return here
        log = await self._adopted.find(
            name
        )  # another process tells of the newest log of a name only, so an older attempt of it is not found
        return log if log is not None and which.generation in (None, log.info.generation) else None

    def adopt(self, log: Source) -> None:
        """Add a log that another process writes, for as long as it grows. Whoever waits for its name gets it."""
        self._adopted.adopt(log)

    async def open(self, name: str, which: Which = NEWEST) -> Source | None:
        """The log that `locate` finds, with its file open until the caller's `release`; None: there is none.

        If the log is replaced or removed before its file is open, it is looked up again. Raises: DiskError.
        """
        while (log := await self.locate(name, which)) is not None:
            try:
                await log.open()
            except DiskError as error:
                if not isinstance(error.cause, FileNotFoundError) or await self.locate(name, which) is log:
                    raise
            else:
                return log
        return None

    @property
    def durable(self) -> bool:
        """Whether what is on file outlives this process."""
        return self._storage.durable

    @property
    def used(self) -> int:
        """Bytes of all logs together, including bytes that are not written yet; without sidecar files."""
        return self._disk.used

    async def refusal(self) -> str | None:
        """Why no log could begin and grow now, in words; None: one could. Removes nothing."""
        if self._closed:
            return "the server is stopping"
        try:
            self._retention.admit(len(self._logs), None)
        except TooManyLogs as error:
            return str(error)
        older = any(log.length for log in self._retention.superseded())
        spare = sum(log.length for log in self._retention.candidates())
        refusal = await self._disk.refusal(spare, older=older)
        return None if refusal is None else refusal.strerror

    def newest_first(self) -> Iterator[Journal]:
        """The newest log of each name, the one that began last first."""
        return self._logs.newest_first()

    def all(self) -> Iterator[Journal]:
        """All logs, in no particular order."""
        return iter(self._logs)

    def known(self) -> list[Source]:
        """As `newest_first`, with the growing logs that other processes write and this one has found."""
        here: list[Source] = [*self.newest_first()]
        elsewhere = [*self._adopted]
        return sorted(here + elsewhere, key=lambda log: -log.info.order) if elsewhere else here

    async def wait(self, name: str, timeout: float) -> Source | None:
        """The log of that name, which may begin within `timeout` seconds; None: it did not."""
        if (log := await self.locate(name)) is not None or timeout <= 0 or self._closed:
            return log
        return await self.arrivals.wait(name, timeout) or self._logs.newest(name)

    async def begin(self, info: LogInfo) -> Journal:
        """Begin a new, empty log, as the newest of its name. An older one that has not ended is aborted; logs beyond `keep_attempts` are removed.

        `generation`, `order` and `began` of `info` are set here. The file is open; the caller must `release` it.
        No log is removed before the new file exists. Raises: DiskError, TooManyLogs, Stopping, LeaseLost.
        """
        info = await self._admitted(info)
        self._beginning += 1
        try:
            older = self._logs.newest(info.name)
            journal = await self._storage.create(info, 0 if older is None else older.length)
            try:
                await self._list(journal)
            except (LeaseLost, Stopping, TooManyLogs):
                self._storage.undo(journal)
                raise
        finally:
            self._beginning -= 1
        return journal

    async def draft(self, info: LogInfo) -> Journal:
        """As `begin`, but the log is not found, and no log is removed for it, before `publish`. `discard` removes a draft.

        Until then, no limit removes the newest log of that name.
        """
        info = await self._admitted(info)
        if (older := self._logs.newest(info.name)) is not None:
            older.acquire()
        try:
            journal = await self._storage.draft(info)
        except BaseException:
            if older is not None:
                older.release()
            raise
        self._drafts[journal] = older
        return journal

    async def publish(self, draft: Journal) -> None:
        """Make a draft, whose bytes are all on file, the newest log of its name. Raises: as `begin`; then it is still a draft."""
        self._check(draft.info)
        draft.info.order = self._next_order()
        await self._storage.publish(draft)
        await self._list(draft)
        self._forget_draft(draft)

    async def _admitted(self, info: LogInfo) -> LogInfo:
        """Check that a log may begin. Returns `info` with `generation`, `order` and `began`. Raises: TooManyLogs, Stopping, LeaseLost; DiskError, if there is no room for it."""
        self._check(info)
        self._retention.admit(len(self._logs) + self._beginning, self._logs.newest(info.name))
        if await self._disk.check(0) is not None:
            refusal = await self._disk.check(sum(log.length for log in self._retention.candidates()))
            if refusal is not None:
                raise DiskError("creating the log's file", refusal)
        began = now()
        return replace(info, began=began, generation=new_generation(began), order=self._next_order())

    def _check(self, info: LogInfo) -> None:
        """Raises: Stopping, if no log can begin any more; LeaseLost, if the fencing number is too small."""
        if self._closed:
            raise Stopping
        self._fences.check(info, self._logs.newest(info.name))

    def _next_order(self) -> int:
        """An order that is larger than that of all logs: about the time in microseconds, so that it compares with logs that were kept without one."""
        self._last_order = max(self._last_order + 1, now())
        return self._last_order

    async def _list(self, journal: Journal) -> None:
        """Add a new log, whose file exists, as the newest of its name. Raises: TooManyLogs, Stopping, LeaseLost."""
        name = journal.info.name
        if (older := self._logs.newest(name)) is not None:
            with contextlib.suppress(DiskError):
                await self.end(older, State.ABORTED, SUPERSEDED, journal.info.fence)
        self._check(
            journal.info
        )  # while its file was made, the catalogue may have been closed, or another log have begun
        for surplus in self._logs.surplus(name):
            self._remove(surplus)
        if older is not None and older in self._logs:
            self._retention.supersede(older)
            self.arrivals.notify_removed(older)  # it is not in the list any more
        while self._retention.is_full(len(self._logs)) and self._evict():
            pass
        if older is None:
            self._retention.check(len(self._logs))  # logs that could have been removed may be read by now
        self._storage.keep(journal)
        self._logs.add(journal)
        self.arrivals.announce(journal)

    async def scratch(self) -> Journal:
        """A journal in an unlinked file, which is in no list. It vanishes with the caller's `release`. Raises: DiskError."""
        return await self._storage.scratch()

    async def discard(self, journal: Journal) -> None:
        """Remove a scratch journal or a draft, after waiting for its writes, whose bytes count as used."""
        await journal.flush()
        if journal in self._drafts:
            self._forget_draft(journal)
            self._storage.undo(journal)
        else:
            self._storage.drop(journal)

    def _forget_draft(self, draft: Journal) -> None:
        if (older := self._drafts.pop(draft)) is not None:
            older.release()

    async def end(self, journal: Journal, state: State, reason: str, number: int = 0) -> None:
        """End a log: see `Journal.close`. Call this instead of it. Raises: DiskError, LeaseLost."""
        info = journal.info
        try:
            await journal.close(state, reason, number)
        finally:
            if journal in self._logs and journal not in self._retention and journal.state.ended:
                self._retention.add(journal)
                self.ended_count[journal.state] += 1
                fields = {
                    "log": info.name, "generation": info.generation, "state": journal.state.value,
                    "bytes": journal.length, "seconds": max(0, (info.ended or now()) - info.began) / 1e6,
                    "exit_code": info.attributes.exit_code, "reason": info.reason,
                }  # fmt: skip
                logger.info("log ended", extra={"fields": fields})

    async def remove(self, journal: Journal, number: int = 0) -> None:
        """Remove a log, which must have ended. On return its files are gone. Whoever reads it can read it to its end.

        Raises: LeaseLost; DiskError, if files could not be removed: then the log is there again after a restart.
        """
        journal.fence(number)
        await self._removal_of([journal])

    async def remove_all(self, journal: Journal, number: int = 0) -> None:
        """Remove `journal`, the newest log of its name, and all older ones. See `remove`."""
        journal.fence(number)
        await self._removal_of(self._up_to(journal))

    async def _removal_of(self, journals: list[Journal]) -> None:
        removals = []
        for journal in journals:
            removals.append(self._remove(journal))
            _log_event("removed", journal)
        for removal in removals:
            if removal is not None:
                try:
                    await asyncio.shield(asyncio.wrap_future(removal))
                except OSError as error:
                    raise DiskError("removing the log's files", error) from error

    def _up_to(self, journal: Journal) -> list[Journal]:
        """`journal` and the older logs of its name, the oldest first."""
        logs = reversed(self._logs.of(journal.info.name))
        return [log for log in logs if log.info.order <= journal.info.order]

    def _remove(self, journal: Journal) -> Future[None] | None:
        """Take a log out of the catalogue. Returns the future of the removal of its files by a thread; None: it has no files with names."""
        name, was_newest = journal.info.name, self._logs.newest(journal.info.name) is journal
        self._logs.remove(journal)
        self._fences.removed(journal.info)
        self._retention.discard(journal)
        newest = self._logs.newest(name)
        if was_newest:
            self.arrivals.notify_removed(journal)
            if newest is not None:
                self._retention.restore(newest)
                self.arrivals.announce(newest)
        elif newest is not None:
            self.arrivals.notify_changed(newest)  # the number of logs of its name has changed
        return self._storage.remove(journal, {log.info.generation for log in self._logs.of(name)})

    def _evict(self) -> bool:
        """Remove the log that retention selects first to make room. Returns whether there was one."""
        if (journal := next(self._retention.candidates(), None)) is None:
            return False
        self._retire(journal, "removed to make room")
        return True

    def _evict_older(self) -> bool:
        """Remove superseded logs up to the first one that nobody reads, whose room is freed at once. Returns whether there was any."""
        superseded = tuple(self._retention.superseded())
        for journal in superseded:
            is_used = self._storage.is_used(journal)
            self._retire(journal, "removed to make room")
            if not is_used:
                break
        return bool(superseded)

    async def retire(self) -> None:
        """Run for ever: remove the logs that ended longer ago than the settings allow."""
        while (pause := self._retention.age_check) is not None:
            for journal in self._retention.too_old(asyncio.get_running_loop().time()):
                self._retire(journal, "removed for its age")
            await asyncio.sleep(pause)

    def _retire(self, journal: Journal, what: str) -> None:
        """Remove a log because of a limit, after the older ones of its name. Without effect if it was removed before."""
        if journal in self._logs:
            for log in self._up_to(journal):
                self._remove(log)
                self.retired_count += 1
                _log_event(what, log)

    def close(self) -> None:
        """Begin no more logs. Whoever waits for a log to begin is told; logs that have not ended are suspended."""
        self._closed = True
        self._last = tuple(self._logs)
        for journal in self._last:
            if not journal.state.ended:
                journal.suspend()
            self._storage.let_go(journal)
        self._logs.clear()
        self._retention.clear()
        self.arrivals.close()

    def stop(self) -> None:
        """Let the threads end after their present jobs, and release the data directory's lock."""
        self._storage.stop(self._last)


def _log_event(what: str, journal: Journal) -> None:
    logger.info("log %s", what, extra={"fields": {"log": journal.info.name, "bytes": journal.length}})
