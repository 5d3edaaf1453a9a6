"""The lives of logs, as their producers have them: begun, resumed, interrupted, given up, ended; each step under a lease.

Refuses to look into requests, and to know how bytes get into a journal. Invariants:

1. Only who has the lease of a name makes its log begin, grow and end.
2. An interrupted log has no lease, and a time at which it is given up. Such a time is all that it costs.
3. When a lease is over, all that its holder brought is on file, and the log's state says what became of it.
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
"""Seconds of silence after which, while the server stops, a producer of unknown length counts as one that goes on for long."""

DRAIN_CHECK = 0.05
"""Seconds between looks at who still produces, while the server stops."""

TAKEN_OVER = "another request for this upload took the producer's place"
"""Why a producer was broken off whose upload another request goes on with, in words."""

logger = logging.getLogger(__name__)


class Lifecycle:
    """The lives of the logs of `catalogue`, under leases that `leases` grants.

    `grace`: seconds that a producer has to come back to an interrupted log. The time starts anew with the server.
    `patience`: seconds that a producer has to settle what it brought when its lease is revoked; None: as long as it takes.
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
        """Have nobody produce that log: whoever does is broken off, and what it brought is settled.

        Who begins another log of that name is not broken off, but waited for until it has begun, or cannot. Returns
        whether the name is free: it is not while another log is received that leaves this one as it is until it is right.
        """
        name = journal.info.name
        while self._catalogue.get(name) is journal:
            # Not its fence: that is the other log's number while it takes this one's place.
            number = journal.written_under
            if await self._leases.revoke(name, number, TAKEN_OVER, patience=self._patience):
                break
            if journal.written_under == number:
                return self._catalogue.get(name) is not journal
        if journal.state is State.LIVE and self._catalogue.get(name) is journal:
            await self._settle(journal)
        return True

    async def _settle(self, journal: Journal) -> None:
        """Interrupt a log in the place of a producer whose lease was taken away."""
        with contextlib.suppress(LeaseTaken):  # somebody else goes on with it already
            async with holding(self._leases, journal.info.name) as lease:
                journal.fence(lease.number)
                await journal.settled()
                if not journal.state.ended:
                    await self.interrupt(journal, TAKEN_OVER, lease)

    async def begin(self, info: LogInfo) -> Journal:
        """Begin a log, under the lease of `info.fence`: see `Catalogue.begin`. If that succeeds, nobody waits for an older one any more.

        Raises: DiskError, TooManyLogs, Stopping, LeaseLost.
        """
        older = self._catalogue.get(info.name)
        journal = await self._catalogue.begin(info)
        if older is not None:
            self._stop_waiting(older)
        return journal

    async def publish(self, draft: Journal) -> None:
        """Begin a log of which all is there: see `Catalogue.publish`, and `begin`."""
        older = self._catalogue.get(draft.info.name)
        await self._catalogue.publish(draft)
        if older is not None:
            self._stop_waiting(older)

    async def resume(self, journal: Journal, lease: Lease) -> None:
        """Go on with an interrupted log. What is known of it is kept, and its file opened.

        Raises: LeaseLost; DiskError; then the log is interrupted as before.
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
        """The producer of a log shows that it is there: if the log is interrupted, the time to go on begins anew."""
        if journal in self._waiting:
            self._stop_waiting(journal)
            self._await_return(journal)

    async def interrupt(self, journal: Journal, reason: str, lease: Lease) -> None:
        """Leave a log to a producer that may come back; one whose disk failed is ended. Raises: LeaseLost."""
        await journal.flush()
        if journal.failure is not None:
            await self.end(journal, State.ABORTED, reason, lease)
            return
        journal.interrupt(lease.number)
        self._await_return(journal)
        # If that fails, what is kept says that the log is live, which the next server knows to be false.
        with contextlib.suppress(DiskError):
            await journal.save()
        fields = {"log": journal.info.name, "bytes": journal.length, "reason": reason}
        logger.info("log interrupted", extra={"fields": fields})

    async def end(self, journal: Journal, state: State, reason: str, lease: Lease) -> None:
        """End a log; `Journal.failure` tells if the disk had other plans. Raises: LeaseLost."""
        journal.fence(lease.number)
        self._stop_waiting(journal)
        with contextlib.suppress(DiskError):
            await self._catalogue.end(journal, state, reason, lease.number)

    async def drain(self, timeout: float) -> None:
        """Wait, `timeout` seconds at most, for the producers that are about to be done; then break off whoever is left.

        A producer of unknown length is broken off when it has been silent for a while: it is one that goes on for long.
        So is an upload that can go on after a restart, if it is not done in that while.
        """
        loop = asyncio.get_running_loop()
        began = now = loop.time()
        heard: dict[Lease, tuple[int, float]] = {}
        while self._leases.held and now < began + timeout:
            for lease in tuple(self._leases.held):
                holder = lease.holder
                if holder is None or holder.broken_by or not holder.receiving:
                    continue  # it is being settled
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
        """Give nothing up any more: the server is about to end."""
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
            # Who came in time, or begins another log of that name, is waited for.
            async with holding(self._leases, journal.info.name, wait=True) as lease:
                if self._waiting.get(journal) is timer:
                    reason = f"no producer came back within {self._grace:g} s"
                    await self.end(journal, State.ABORTED, reason, lease)
        except LeaseLost:  # nobody grants leases just now
            if self._waiting.get(journal) is timer:
                self._await_return(journal)
