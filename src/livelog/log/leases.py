"""Leases: who may write the logs of a name, and since when. A lease is granted, released, revoked.

`Leases` is what the producers' side asks; `LocalLeases` grants within this process. One suite, `tests/seam`, runs over that and
over leases that another process grants. Refuses to know what is written under a lease: see `lifecycle`.

What an implementation owes its holders:

1. A name has at most one lease at a time.
2. Each lease has a **fencing number**. A later lease of the same name has a larger one, also when the granter was begun anew.
3. A lease lasts until it is released or revoked, or until its granter is lost. Its holder is told, but may hear of it late: it
   may have been stopped for a minute. So the lease alone keeps no log safe. Whoever keeps a log (`Journal`, `Catalogue`)
   remembers the largest number that it was used with, `LogInfo.fence`, and refuses what comes under a smaller one.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from typing import Protocol

from livelog.errors import LeaseTaken

from .info import now


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
        """Break it off, for that `reason`. It releases its lease once what it brought is settled."""


class Lease:
    """The right to write the logs of `name`, under the fencing number `number`.

    `holder`: whose it is; None: somebody's who only begins or ends a log, and is gone at once. `bounded`: the holder has said
    how many bytes it will bring.
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
        """Whether its holder is there, and may stay for long. One that has left is about to release it."""
        return self.holder is not None and not self.holder.is_lost

    def hold(self, holder: Holder, *, bounded: bool = False) -> None:
        """Have it held by `holder` from now on: the log has begun, and is received."""
        self.holder, self.bounded = holder, bounded
        self._tell()

    def end(self) -> None:
        """It is over. For whoever granted it."""
        self.is_over = True
        self._tell()

    async def changed(self) -> None:
        """Wait until it has another holder, or is over."""
        if not self.is_over:
            await self._event.wait()

    def _tell(self) -> None:
        self._event.set()
        self._event.clear()


class Leases(Protocol):
    """What grants leases. All methods are called on the event loop's thread."""

    async def grant(
        self, name: str, holder: Holder | None = None, *, bounded: bool = False, wait: bool = False
    ) -> Lease:
        """A new lease of that name, for the caller to release; see `Lease` for `holder` and `bounded`.

        Whoever has the lease and is about to be gone is waited for; `wait`: a holder that is there, too. Does not give others
        their turn if the name is free and the granter is in this process. Raises: LeaseTaken, if there is a holder; LeaseLost,
        if nobody grants leases any more.
        """

    def release(self, lease: Lease) -> None:
        """Give a lease back. Without effect on one that is over."""

    async def revoke(self, name: str, number: int, reason: str, *, patience: float | None = None) -> bool:
        """Have nobody write the logs of that name under `number` or a smaller one. Returns whether the name is free now.

        A holder is reset, for that `reason`, and waited for while it settles what it brought. One that has not released its lease
        after `patience` (seconds; None: for ever) has it taken away: it may not even know. A lease with a larger number
        stays: it is waited for if it has no holder; else the name is not free. Raises: LeaseLost, if nobody grants leases
        any more.
        """

    @property
    def held(self) -> Collection[Lease]:
        """The leases that this process has."""


class LocalLeases:
    """Grants leases within this process. `above`: what all fencing numbers are larger than."""

    def __init__(self, above: int = 0) -> None:
        self._last = above
        self._leases: dict[str, Lease] = {}

    async def grant(
        self, name: str, holder: Holder | None = None, *, bounded: bool = False, wait: bool = False
    ) -> Lease:
        """See `Leases.grant`."""
        while (lease := self._leases.get(name)) is not None:
            if lease.is_taken and not wait:
                raise LeaseTaken
            await lease.changed()
        # Near the time: so numbers grow over a restart, too, for a name of which no log is left that knew the last one.
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
    """Have the lease of that name in the block; see `Leases.grant`. Raises: LeaseTaken, LeaseLost."""
    lease = await leases.grant(name, holder, bounded=bounded, wait=wait)
    try:
        yield lease
    finally:
        leases.release(lease)
