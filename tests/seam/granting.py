"""Leases that another process grants: that process, and the `Leases` of one that asks it.

    python -m tests.seam.granting ABOVE LISTENER

is the granter: it takes connections from the listening socket with the descriptor LISTENER, and grants leases, whose numbers are
larger than ABOVE, until it is killed. A message is a line of JSON: a list of what is said, a name, and numbers.

    to the granter    ["grant", NAME, ID, WAIT]  ["taken", NAME, NUMBER]  ["release", NAME, NUMBER]
                      ["revoke", NAME, ID, NUMBER, REASON, PATIENCE]
    from it           ["granted", NAME, ID, NUMBER]  ["refused", NAME, ID]  ["freed", NAME, ID, FREE]
                      ["wanted", NAME, NUMBER]  ["reset", NAME, NUMBER, REASON]  ["over", NAME, NUMBER]

"Wanted" asks a holder whether it is there for long: it says "taken", or releases its lease soon. A connection that ends gives back all
that it had.
"""

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Collection
from typing import Any

from livelog.errors import LeaseLost, LeaseTaken
from livelog.log.leases import Holder, Lease, LocalLeases


class Client:
    """A process that asks the granter: a holder of every lease that it has."""

    def __init__(self, granter: "Granter", writer: asyncio.StreamWriter) -> None:
        self._leases = granter.leases
        self._writer = writer
        self._had: dict[tuple[str, int], Lease] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def say(self, *message: object) -> None:
        """Tell it something."""
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Do what it asks for, until its connection ends."""
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                kind, name, *rest = json.loads(line)
                if kind == "release" and (lease := self._had.pop((name, rest[0]), None)) is not None:
                    self._leases.release(lease)
                elif kind == "taken" and (lease := self._had.get((name, rest[0]))) is not None:
                    assert isinstance(lease.holder, Remote)
                    lease.holder.is_there()
                elif kind in ("grant", "revoke"):
                    task = asyncio.create_task(getattr(self, f"_{kind}")(name, *rest))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
        for task in self._tasks:
            task.cancel()
        for lease in self._had.values():
            self._leases.release(lease)
        self._writer.close()

    async def _grant(self, name: str, identifier: int, wait: bool) -> None:
        try:
            lease = await self._asked(name, wait=wait)
        except LeaseTaken:
            self.say("refused", name, identifier)
            return
        lease.hold(Remote(self, lease))
        self._had[name, lease.number] = lease
        self.say("granted", name, identifier, lease.number)
        while not lease.is_over:
            await lease.changed()
        if self._had.pop((name, lease.number), None) is not None:
            self.say("over", name, lease.number)

    async def _asked(self, name: str, *, wait: bool) -> Lease:
        """A lease, once its holder has given it back; not, if that says that it is there for long. Raises: LeaseTaken."""
        while True:
            try:
                return await self._leases.grant(name, wait=wait)
            except LeaseTaken:
                lease = next(lease for lease in self._leases.held if lease.name == name)
                assert isinstance(lease.holder, Remote)
                if await lease.holder.stays():
                    raise

    async def _revoke(self, name: str, identifier: int, number: int, reason: str, patience: float | None) -> None:
        while not (free := await self._leases.revoke(name, number, reason, patience=patience)):
            holder = next((lease.holder for lease in self._leases.held if lease.name == name), None)
            if isinstance(holder, Remote) and await holder.stays():
                break
        self.say("freed", name, identifier, free)


class Remote:
    """Who holds a lease in another process."""

    broken_by = ""
    is_lost = False
    receiving = True
    received = 0

    def __init__(self, client: Client, lease: Lease) -> None:
        self._client = client
        self._lease = lease
        self._answer = asyncio.Event()

    async def stays(self) -> bool:
        """Whether it says that it is there for long; not, once its lease is over."""
        self._answer.clear()
        self._client.say("wanted", self._lease.name, self._lease.number)
        over = asyncio.create_task(self._lease.changed())
        there = asyncio.create_task(self._answer.wait())
        done, others = await asyncio.wait([over, there], return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        return over not in done

    def is_there(self) -> None:
        """It has said so."""
        self._answer.set()

    def reset(self, reason: str) -> None:
        """Tell it to give the lease back."""
        if not self.broken_by:
            self.broken_by = reason
            self._client.say("reset", self._lease.name, self._lease.number, reason)


class Granter:
    """The process that grants."""

    def __init__(self, above: int) -> None:
        self.leases = LocalLeases(above)

    async def serve(self, listener: socket.socket) -> None:
        """Take connections until the process ends."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await Client(self, writer).listen(reader)

        async with await asyncio.start_unix_server(connected, sock=listener) as server:
            await server.serve_forever()


class RemoteLeases:
    """Leases that the granter behind `sock` grants: see `livelog.log.leases.Leases`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self._leases: dict[int, Lease] = {}
        self._lost = False
        self._answers: set[asyncio.Task[None]] = set()
        self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Ask nothing more."""
        tasks = [self._listening, *self._answers]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self._writer.close()

    async def grant(
        self, name: str, holder: Holder | None = None, *, bounded: bool = False, wait: bool = False
    ) -> Lease:
        """See `Leases.grant`."""
        number = await self._ask("grant", name, wait)
        lease = self._leases[number]
        if holder is not None:
            lease.hold(holder, bounded=bounded)
        return lease

    def release(self, lease: Lease) -> None:
        """See `Leases.release`."""
        if not lease.is_over:
            del self._leases[lease.number]
            lease.end()
            self._say("release", lease.name, lease.number)

    async def revoke(self, name: str, number: int, reason: str, *, patience: float | None = None) -> bool:
        """See `Leases.revoke`."""
        return bool(await self._ask("revoke", name, number, reason, patience))

    @property
    def held(self) -> Collection[Lease]:
        """See `Leases.held`."""
        return self._leases.values()

    def _say(self, *message: object) -> None:
        if not self._lost:
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def _ask(self, kind: str, name: str, *rest: object) -> Any:
        if self._lost:
            raise LeaseLost
        self._last += 1
        answer = self._asked[self._last] = asyncio.get_running_loop().create_future()
        self._say(kind, name, self._last, *rest)
        return await answer

    async def _listen(self) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await self._reader.readline():
                self._take(*json.loads(line))
        self._lost = True
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(LeaseLost())
        for lease in tuple(self._leases.values()):
            self._end(lease, "nobody grants leases any more")

    def _end(self, lease: Lease, reason: str) -> None:
        """A lease is over, and was not released."""
        del self._leases[lease.number]
        lease.end()
        if lease.holder is not None:
            lease.holder.reset(reason)

    async def _answer(self, lease: Lease) -> None:
        """Say that a lease is taken, once it is: whoever wants it waits until then, or until it is over."""
        while not lease.is_over and not lease.is_taken:
            await lease.changed()
        if not lease.is_over:
            self._say("taken", lease.name, lease.number)

    def _take(self, kind: str, name: str, number: int, *rest: Any) -> None:
        lease = self._leases.get(number)
        match kind:
            case "granted":
                answer, number = self._asked.pop(number), rest[0]
                if answer.cancelled():
                    self._say("release", name, number)
                else:
                    self._leases[number] = Lease(name, number)
                    answer.set_result(number)
            case "freed" | "refused":
                answer = self._asked.pop(number)
                if not answer.cancelled() and kind == "freed":
                    answer.set_result(rest[0])
                elif not answer.cancelled():
                    answer.set_exception(LeaseTaken())
            case "wanted" if lease is not None:
                self._answers.add(task := asyncio.create_task(self._answer(lease)))
                task.add_done_callback(self._answers.discard)
            case "reset" if lease is not None and lease.holder is not None:
                lease.holder.reset(rest[0])
            case "over" if lease is not None:
                self._end(lease, "the lease was taken away")


async def main(above: int, listener: int) -> None:
    """Be the granter."""
    await Granter(above).serve(socket.socket(fileno=listener))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
