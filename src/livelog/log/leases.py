"""Leases: the right to write the logs of a name. A lease is granted, and later released or revoked.

`Leases` is the interface that producers' requests use; `LocalLeases` grants leases within this process. One suite, `tests/seam`, runs over
it and over a granter in another process. What is written under a lease is in `lifecycle`.

Each implementation guarantees:

1. A name has at most one lease at a time.
2. Each lease has a **fencing number**. A later lease of the same name has a larger one, also after a restart of the granter.
3. A lease lasts until it is released or revoked, or its granter is lost. Its holder is told, perhaps late: its process may have been
   stopped for a minute. So a lease alone does not protect a log: `Journal` and `Catalogue` keep the largest number that was used,
   `LogInfo.fence`, and refuse smaller ones.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from typing import Protocol
from weakref import WeakValueDictionary

from livelog.errors import LeaseTaken

from .info import now


class Holder(Protocol):
    """The holder of a lease while a log is received: the connection of a request."""

    broken_by: str
    """Why it was broken off, in words; empty: it was not."""

    @property
    def receiving(self) -> bool:
        """Whether more bytes of the log may arrive."""

    @property
    def is_lost(self) -> bool:
        """Whether its connection is lost. Its bytes are being settled then."""

    @property
    def received(self) -> int:
        """Bytes received so far."""

    def reset(self, reason: str) -> None:
        """Break the connection off. The holder releases its lease when its bytes are settled. `reason`: why, in words."""


class Lease:
    """The right to write the logs of `name`, under the fencing number `number`.

    `holder`: the connection that receives the log; None: the lease is held only briefly, to begin or end a log. `bounded`: the request
    has announced its length.
    """

    __slots__ = ("_event", "bounded", "holder", "is_over", "name", "number")

    def __init__(self, name: str, number: int, holder: Holder | None = None, *, bounded: bool = False) -> None:
        self.name = name
        self.number = number
        self.holder = holder
        self.bounded = bounded
        self.is_over = False
        """Whether it was released or revoked, or its granter is lost."""
        self._event = asyncio.Event()

    @property
    def is_taken(self) -> bool:
        """Whether its holder may keep it for long. A holder whose connection is lost is about to release it."""
        return self.holder is not None and not self.holder.is_lost

    def hold(self, holder: Holder, *, bounded: bool = False) -> None:
        """Set the holder: the log has begun, and its bytes are received."""
        self.holder, self.bounded = holder, bounded
        self._notify()

    def end(self) -> None:
        """Mark it as over. Only its granter calls this."""
        self.is_over = True
        self._notify()

    async def changed(self) -> None:
        """Wait until it has another holder, or is over."""
        if not self.is_over:
            await self._event.wait()

    def _notify(self) -> None:
        self._event.set()
        self._event.clear()


class Leases(Protocol):
    """A granter of leases. All methods are called on the event loop's thread."""

    async def grant(
        self, name: str, holder: Holder | None = None, *, bounded: bool = False, wait: bool = False
    ) -> Lease:
        """Grant a new lease of that name, which the caller must release. See `Lease` for `holder` and `bounded`.

        If the name has a lease that is about to be released, it waits for that; with `wait`, for any other lease, too. A local granter
        does not suspend the caller if the name is free. Raises: LeaseTaken, if the name has a holder; LeaseLost,
        if the granter is lost.
        """

    def release(self, lease: Lease) -> None:
        """Give a lease back. Without effect on one that is over."""

    async def revoke(self, name: str, number: int, reason: str, *, patience: float | None = None) -> bool:
        """Revoke the lease of that name if its number is `number` or smaller. Returns whether the name is free afterwards.

        Its holder is reset with `reason`, and has `patience` seconds (None: no limit) to settle its bytes and release the lease; then
        the lease is taken away, even if the holder does not know. A lease with a larger number stays: if it has no holder, it
        is waited for; else the name is not free. Raises: LeaseLost, if the granter is lost.
        """

    @property
    def held(self) -> Collection[Lease]:
        """The leases that this process has."""


class LocalLeases:
    """Grants leases within this process. `above`: all its fencing numbers are larger than this.

    Requests that wait for the lease of one name are queued, and only the first of them is woken by a change: if all were, n producers
    that come and go at once would cost n² wake-ups.
    """

    def __init__(self, above: int = 0) -> None:
        self._last = above
        self._leases: dict[str, Lease] = {}
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By name: the lock that the first of the waiting requests has. It lasts while a request refers to it."""

    async def grant(
        self, name: str, holder: Holder | None = None, *, bounded: bool = False, wait: bool = False
    ) -> Lease:
        """See `Leases.grant`."""
        lease = self._leases.get(name)
        if wait:
            while lease is not None:
                await lease.changed()
                lease = self._leases.get(name)
        elif lease is not None:
            if lease.is_taken:
                raise LeaseTaken
            async with self._queues.setdefault(name, asyncio.Lock()):
                while (lease := self._leases.get(name)) is not None:
                    if lease.is_taken:
                        raise LeaseTaken
                    await lease.changed()
                return self._new(name, holder, bounded=bounded)
        return self._new(name, holder, bounded=bounded)

    def _new(self, name: str, holder: Holder | None, *, bounded: bool) -> Lease:
        """A lease of a name that has none."""
        # About the time in microseconds, so that numbers grow over a restart also for a name that has no log with the last number left.
        self._last = max(self._last + 1, now())
        lease = self._leases[name] = Lease(name, self._last, holder, bounded=bounded)
        return lease

    def release(self, lease: Lease) -> None:
        """See `Leases.release`."""
        if self._leases.get(lease.name) is lease:
            del self._leases[lease.name]
            lease.end()

    async def revoke(self, name: str, number: int, reason: str, *, patience: float | None = None) -> bool:
        """See `Leases.revoke`."""
        lease = None
        try:
            async with asyncio.timeout(patience):
                while (lease := self._leases.get(name)) is not None:
                    if lease.number > number and lease.is_taken:
                        return False
                    if lease.number <= number and lease.holder is not None:
                        lease.holder.reset(reason)
                    await lease.changed()
        except TimeoutError:
            assert lease is not None
            if lease.number > number:
                return False
            self.release(lease)
        return True

    @property
    def held(self) -> Collection[Lease]:
        """See `Leases.held`."""
        return self._leases.values()


@contextlib.asynccontextmanager
async def holding(
    leases: Leases, name: str, holder: Holder | None = None, *, bounded: bool = False, wait: bool = False
) -> AsyncIterator[Lease]:
    """Hold the lease of that name within the block; see `Leases.grant`. Raises: LeaseTaken, LeaseLost."""
    lease = await leases.grant(name, holder, bounded=bounded, wait=wait)
    try:
        yield lease
    finally:
        leases.release(lease)
