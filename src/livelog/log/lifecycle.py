"""The life cycle of logs: begun, resumed, interrupted, given up, ended. Each transition needs a lease.

It knows neither requests nor how bytes get into a journal. Invariants:

1. Only the holder of a name's lease begins, appends to, and ends the log of that name.
2. An interrupted log has no lease, and a timer at whose end it is given up. It costs nothing else.
3. When a lease has ended, all bytes of its holder are on file, and the log's state says how that ended.
"""

import asyncio
import contextlib
import logging

from livelog.errors import STOPPED, DiskError, LeaseLost, LeaseTaken

from .catalogue import Catalogue
from .info import LogInfo, State
from .journal import Journal
from .leases import Lease, Leases, holding

LULL = 2.0
"""Seconds without a byte after which a producer of unknown length is broken off while the server stops."""

DRAIN_CHECK = 0.05
"""Seconds between two checks of the producers that are left, while the server stops."""

TAKEN_OVER = "another request for this upload took the producer's place"
"""The reason, in words, of a producer that is broken off because another request resumes its upload."""

logger = logging.getLogger(__name__)


class Lifecycle:
    """The life cycle of the logs of `catalogue`, under leases of `leases`.

    `grace`: seconds that a producer has to resume an interrupted log. They begin again when the server is started again.
    `patience`: seconds that a producer has to settle its bytes when its lease is revoked; None: no limit.
    """

    def __init__(self, catalogue: Catalogue, leases: Leases, grace: float, *, patience: float | None = None) -> None:
        self._catalogue = catalogue
        self._leases = leases
        self._grace = grace
        self._patience = patience
        self._waiting: dict[Journal, asyncio.TimerHandle] = {}
        self._giving_up: set[asyncio.Task[None]] = set()
        for journal in catalogue.newest_first():
            if journal.state is State.INTERRUPTED:
                self._await_return(journal)

    async def revoke(self, journal: Journal) -> bool:
        """Revoke the lease of a log: its producer is broken off, and its bytes are settled.

        A request that is about to begin another log of that name is not broken off; it is waited for. Returns whether the name is
        free. It is not free while a draft is received, which replaces this log only when it is checked.
        """
        name = journal.info.name
        while self._catalogue.get(name) is journal:
            # Not `info.fence`: that may be the number of another log that is replacing this one.
            number = journal.written_under
            if await self._leases.revoke(name, number, TAKEN_OVER, patience=self._patience):
                break
            if journal.written_under == number:
                return self._catalogue.get(name) is not journal
        if journal.state is State.LIVE and self._catalogue.get(name) is journal:
            await self._settle(journal)
        return True

    async def _settle(self, journal: Journal) -> None:
        """Interrupt a live log whose producer has lost its lease."""
        with contextlib.suppress(LeaseTaken):  # another request has resumed it already
            async with holding(self._leases, journal.info.name) as lease:
                journal.fence(lease.number)
                await journal.settled()
                if not journal.state.ended:
                    await self.interrupt(journal, TAKEN_OVER, lease)

    async def begin(self, info: LogInfo) -> Journal:
        """Begin a log under the lease with the number `info.fence`: see `Catalogue.begin`. The grace time of an older log of that name ends.

        Raises: DiskError, TooManyLogs, Stopping, LeaseLost.
        """
        older = self._catalogue.get(info.name)
        journal = await self._catalogue.begin(info)
        if older is not None:
            self._stop_waiting(older)
        return journal

    async def publish(self, draft: Journal) -> None:
        """Begin a log that was received as a draft: see `Catalogue.publish`, and `begin`."""
        older = self._catalogue.get(draft.info.name)
        await self._catalogue.publish(draft)
        if older is not None:
            self._stop_waiting(older)

    async def resume(self, journal: Journal, lease: Lease) -> None:
        """Resume an interrupted log: its state is written to its directory, and its file opened.

        Raises: LeaseLost; DiskError. Then the log is interrupted as before.
        """
        journal.resume(lease.number)
        self._stop_waiting(journal)
        try:
            await journal.save()
            await journal.open()
        except BaseException:
            journal.interrupt(lease.number)
            self._await_return(journal)
            raise

    def renew(self, journal: Journal) -> None:
        """Begin the grace time of an interrupted log again, since its producer has sent a request about it."""
        if journal in self._waiting:
            self._stop_waiting(journal)
            self._await_return(journal)

    async def interrupt(self, journal: Journal, reason: str, lease: Lease) -> None:
        """Interrupt a log, whose producer may resume it. If its disk has failed, it is aborted instead. Raises: LeaseLost."""
        await journal.flush()
        if journal.failure is not None:
            await self.end(journal, State.ABORTED, reason, lease)
            return
        journal.interrupt(lease.number)
        self._await_return(journal)
        # If that fails, the file says LIVE, which the next server corrects.
        with contextlib.suppress(DiskError):
            await journal.save()
        fields = {"log": journal.info.name, "bytes": journal.length, "reason": reason}
        logger.info("log interrupted", extra={"fields": fields})

    async def end(self, journal: Journal, state: State, reason: str, lease: Lease) -> None:
        """End a log with `state`. If the disk fails, it is aborted, and `Journal.failure` is set. Raises: LeaseLost."""
        journal.fence(lease.number)
        self._stop_waiting(journal)
        with contextlib.suppress(DiskError):
            await self._catalogue.end(journal, state, reason, lease.number)

    async def drain(self, timeout: float) -> None:
        """Wait `timeout` seconds at most for the present producers to end, then break off those that are left.

        A producer of unknown length is broken off after `LULL` seconds without a byte. An upload that can be resumed after a restart is
        broken off `LULL` seconds after the stop began.
        """
        loop = asyncio.get_running_loop()
        began = now = loop.time()
        heard: dict[Lease, tuple[int, float]] = {}
        while self._leases.held and now < began + timeout:
            for lease in tuple(self._leases.held):
                holder = lease.holder
                if holder is None or holder.broken_by or not holder.receiving:
                    continue  # its bytes are being settled
                received, since = heard.get(lease, (-1, now))
                if holder.received != received:
                    since = now
                heard[lease] = (holder.received, since)
                survives = self._survives(lease.name)
                if now >= (began if survives else since) + LULL and (survives or not lease.bounded):
                    holder.reset(STOPPED)
            await asyncio.sleep(DRAIN_CHECK)
            now = loop.time()
        for lease in tuple(self._leases.held):
            if lease.holder is not None and lease.holder.receiving:
                lease.holder.reset(STOPPED)

    def _survives(self, name: str) -> bool:
        """Whether the upload of that log can go on after a restart of the server."""
        journal = self._catalogue.get(name)
        return journal is not None and journal.info.upload.resumable and self._catalogue.durable

    def close(self) -> None:
        """Cancel all grace times: the server is about to end."""
        for timer in self._waiting.values():
            timer.cancel()
        for task in self._giving_up:
            task.cancel()

    def _await_return(self, journal: Journal) -> None:
        self._waiting[journal] = asyncio.get_running_loop().call_later(self._grace, self._begin_giving_up, journal)

    def _stop_waiting(self, journal: Journal) -> None:
        if (timer := self._waiting.pop(journal, None)) is not None:
            timer.cancel()

    def _begin_giving_up(self, journal: Journal) -> None:
        task = asyncio.get_running_loop().create_task(self._give_up(journal, self._waiting[journal]))
        self._giving_up.add(task)
        task.add_done_callback(self._giving_up.discard)

    async def _give_up(self, journal: Journal, timer: asyncio.TimerHandle) -> None:
        try:
            # A producer that came in time, or begins another log of that name, holds the lease: wait for it.
            async with holding(self._leases, journal.info.name, wait=True) as lease:
                if self._waiting.get(journal) is timer:
                    reason = f"no producer came back within {self._grace:g} s"
                    await self.end(journal, State.ABORTED, reason, lease)
        except LeaseLost:  # no lease can be granted just now: try again after the grace time
            if self._waiting.get(journal) is timer:
                self._await_return(journal)
