"""Leases: who may write each log. One request at a time, or nobody for a while, and what becomes of the log then.

Refuses to look into requests, and to know how bytes get into a journal. Invariants:

1. A name has at most one lease. Whoever has it, and nobody else, may make the log begin, grow and end.
2. An interrupted log has no lease, and a time at which it is given up. Such a time is all that it costs.
3. When a lease is gone, all that its request brought is on file, and the log's state says what became of it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Protocol

from livelog.errors import STOPPED, DiskError

from .catalogue import Catalogue
from .info import LogInfo, State
from .journal import Journal

LULL = 2.0
"""Seconds of silence after which, while the server stops, a producer of unknown length counts as one that goes on for long."""

DRAIN_CHECK = 0.05
"""Seconds between looks at who still produces, while the server stops."""

logger = logging.getLogger(__name__)


class Holder(Protocol):
    """Who has a lease for as long as a log is received: a request, by what leases need of its connection."""

    broken_by: str
    """Why it was broken off, in words; empty if it was not."""

    @property
    def receiving(self) -> bool:
        """Whether more of the log may come."""

    @property
    def is_lost(self) -> bool:
        """Whether its connection is over: what it brought is being settled."""

    @property
    def received(self) -> int:
        """Bytes that have come."""

    def reset(self, reason: str) -> None:
        """Break it off, for that `reason`. It gives its lease back once what it brought is settled."""


class Leases:
    """The leases of producers on the logs of `catalogue`.

    `grace`: seconds that a producer has to come back to an interrupted log. The time starts anew with the server.
    """

    def __init__(self, catalogue: Catalogue, grace: float) -> None:
        self._catalogue = catalogue
        self._grace = grace
        self._leases: dict[str, Lease] = {}
        self._waiting: dict[Journal, asyncio.TimerHandle] = {}
        self._giving_up: set[asyncio.Task[None]] = set()
        for journal in catalogue.newest_first():
            if journal.state is State.INTERRUPTED:
                self._await_return(journal)

    async def is_held(self, name: str) -> bool:
        """Whether a request produces the log of that name.

        Who only begins or ends it is waited for, and who has left is, too: a producer may come back at once, and must not be in
        its own way.
        """
        while (lease := self._leases.get(name)) is not None and (lease.holder is None or lease.holder.is_lost):
            await lease.gone.wait()
        return lease is not None

    @contextlib.contextmanager
    def hold(
        self, name: str, holder: Holder | None = None, *, bounded: bool = False, spared: Journal | None = None
    ) -> Iterator[None]:
        """Produce the log of that name, which nobody else does, by `holder`; None: only begin or end it.

        `bounded`: the request has said how many bytes it will bring. `spared`: what is received is for another log than
        this one, which stays as it is until that one is right.
        """
        assert name not in self._leases
        lease = self._leases[name] = Lease(holder, bounded=bounded, spared=spared)
        try:
            yield
        finally:
            del self._leases[name]
            lease.gone.set()

    async def revoke(self, journal: Journal) -> bool:
        """Have nobody produce that log: whoever does is broken off, and what it brought is settled.

        Who begins another log of that name is not broken off, but waited for until it has begun, or cannot. Returns
        whether the lease is free: it is not while another log is received that spares this one.
        """
        name = journal.info.name
        while self._catalogue.get(name) is journal and (lease := self._leases.get(name)) is not None:
            if lease.spared is journal:
                return False
            if lease.holder is not None:
                lease.holder.reset("another request for this upload took the producer's place")
            await lease.gone.wait()
        return True

    async def begin(self, info: LogInfo) -> Journal:
        """Begin a log, by whoever has the lease: see `Catalogue.begin`. An older one that is interrupted is aborted, if that succeeds.

        Raises: DiskError, TooManyLogs, Stopping.
        """
        older = self._catalogue.get(info.name)
        journal = await self._catalogue.begin(info)
        if older is not None:
            self._stop_waiting(older)
        return journal

    async def publish(self, draft: Journal) -> None:
        """Begin a log of which all is there, by whoever has the lease: see `Catalogue.publish`, and `begin`."""
        older = self._catalogue.get(draft.info.name)
        await self._catalogue.publish(draft)
        if older is not None:
            self._stop_waiting(older)

    async def resume(self, journal: Journal) -> None:
        """Go on with an interrupted log, by whoever has the lease. What is known of it is kept, and its file opened.

        Raises: DiskError; then the log is interrupted as before.
        """
        self._stop_waiting(journal)
        journal.resume()
        try:
            await journal.load_times()
            await journal.save()
            await journal.open()
        except BaseException:
            journal.interrupt()
            self._await_return(journal)
            raise

    def renew(self, journal: Journal) -> None:
        """The producer of a log shows that it is there: if the log is interrupted, the time to go on begins anew."""
        if journal in self._waiting:
            self._stop_waiting(journal)
            self._await_return(journal)

    async def interrupt(self, journal: Journal, reason: str) -> None:
        """Leave a log to a producer that may come back, by whoever has the lease; one whose disk failed is ended."""
        await journal.flush()
        if journal.failure is not None:
            await self.end(journal, State.ABORTED, reason)
            return
        journal.interrupt()
        self._await_return(journal)
        # If that fails, what is kept says that the log is live, which the next server knows to be false.
        with contextlib.suppress(DiskError):
            await journal.save()
        fields = {"log": journal.info.name, "bytes": journal.length, "reason": reason}
        logger.info("log interrupted", extra={"fields": fields})

    async def end(self, journal: Journal, state: State, reason: str) -> None:
        """End a log, by whoever has the lease; `Journal.failure` tells if the disk had other plans."""
        self._stop_waiting(journal)
        with contextlib.suppress(DiskError):
            await self._catalogue.end(journal, state, reason)

    async def drain(self, timeout: float) -> None:
        """Wait, `timeout` seconds at most, for the producers that are about to be done; then break off whoever is left.

        A producer of unknown length is broken off when it has been silent for a while: it is one that goes on for long.
        So is an upload that can go on after a restart, if it is not done in that while.
        """
        loop = asyncio.get_running_loop()
        began = now = loop.time()
        heard: dict[Lease, tuple[int, float]] = {}
        while self._leases and now < began + timeout:
            for name, lease in self._leases.items():
                holder = lease.holder
                if holder is None or holder.broken_by or not holder.receiving:
                    continue  # it is being settled
                received, since = heard.get(lease, (-1, now))
                if holder.received != received:
                    since = now
                heard[lease] = (holder.received, since)
                survives = self._survives(name)
                if now >= (began if survives else since) + LULL and (survives or not lease.bounded):
                    holder.reset(STOPPED)
            await asyncio.sleep(DRAIN_CHECK)
            now = loop.time()
        for lease in self._leases.values():
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
        name = journal.info.name
        while (lease := self._leases.get(name)) is not None:  # of somebody who came in time, or begins another log
            await lease.gone.wait()
        if self._waiting.get(journal) is timer:
            with self.hold(name):
                await self.end(journal, State.ABORTED, f"no producer came back within {self._grace:g} s")


class Lease:
    """One lease. `gone` is set when it is over."""

    __slots__ = ("bounded", "gone", "holder", "spared")

    def __init__(self, holder: Holder | None, *, bounded: bool, spared: Journal | None) -> None:
        self.bounded = bounded
        self.holder = holder
        self.spared = spared
        self.gone = asyncio.Event()
