"""The producer of one name: log after log, plain and resumable, each to an end that is drawn beforehand.

It notes in the ledger what it sends before it sends it, and what it is told as soon as it is. Refuses to know of readers.
"""

import asyncio
import random
from dataclasses import dataclass, field
from urllib.parse import urljoin

from tests.conformance.wire import Head, WireFault
from tests.harness import chunk

from .content import content
from .ledger import Ledger, Log
from .place import Place
from .wire import TIMEOUT, Exchange, Gone

SIZES = (0, 1, 200, 5_000, 60_000, 70_000, 300_000, 1_500_000)

PLAIN_ENDS = ("whole", "whole", "whole", "reset", "leave", "malformed")
RESUMABLE_ENDS = ("whole", "whole", "whole", "give up", "abandon")

CHUNKED = "Transfer-Encoding: chunked"
INTERIM = "Upload-Draft-Interop-Version: 8"
PARTIAL = "Content-Type: application/partial-upload"


@dataclass(frozen=True)
class Job:
    """What shall become of one log. `break_at`: where its connection breaks, or is taken over."""

    size: int
    resumable: bool
    counted: bool
    end: str
    stop_at: int
    breaks: tuple[tuple[int, str], ...]
    pieces: tuple[int, ...] = field(repr=False)
    pause: float
    remove: bool


def draw(chance: random.Random, *, last: bool) -> Job:
    """A job. `last`: it has to end in some way, so that nobody waits for ever."""
    size, resumable = chance.choice(SIZES), chance.random() < 0.5
    ends = [end for end in (RESUMABLE_ENDS if resumable else PLAIN_ENDS) if not (last and end == "abandon")]
    breaks = [
        (chance.randint(0, size), chance.choice(("reset", "leave", "take over", "part")))
        for _ in range(chance.randint(0, 3))
    ]
    piece = max(1, chance.choice((size, size // 3, size // 20, 1000)))
    return Job(
        size, resumable, counted=chance.random() < 0.4, end=chance.choice(ends), stop_at=chance.randint(0, size),
        breaks=tuple(sorted(breaks)) if resumable else (),
        pieces=tuple(chance.randint(1, piece) for _ in range(50)),
        pause=chance.choice((0.0, 0.0, 0.001, 0.01)), remove=chance.random() < 0.15,
    )  # fmt: skip


class Producer:
    """Writes the logs of one name, one after the other."""

    def __init__(self, place: Place, ledger: Ledger, name: str, chance: random.Random, count: int) -> None:
        self._place = place
        self._ledger = ledger
        self._name = ledger.name(name)
        self._chance = chance
        self._jobs = [draw(chance, last=number == count - 1) for number in range(count)]
        self._who = f"producer of {name}"
        self._asked = 0  # when the request under way was begun

    async def run(self) -> None:
        """Write all logs. Raises: Broken, Hanging."""
        for job in self._jobs:
            await self._place.wait_until_up()
            log = self._ledger.new_log(self._name.name, job.size, resumable=job.resumable)
            self._ledger.note(self._who, f"{log} begins: {job}")
            await (self._upload(job, log) if job.resumable else self._plain(job, log))
            if job.remove and log.state:
                await self._remove(log)
            await asyncio.sleep(self._chance.choice((0.0, 0.005, 0.05)))

    # One request, from its head to its answer.

    async def _begin(self, log: Log, method: str, target: str, *headers: str) -> Exchange | None:
        """Ask until nobody is in the way any more; None: the server was killed or stopped."""
        for _ in range(3000):
            epoch = self._asked = self._ledger.epoch
            self._place.moment("replace" if len(self._name.logs) > 1 else "begin")
            try:
                exchange = await Exchange.ask(self._place.put, method, target, *headers)
                first = await exchange.interim(104 if INTERIM in headers else 100)
            except Gone as error:
                self._check_excused(log, epoch, f"{method} was not answered: {error}")
                return None
            if first is not None:
                return exchange
            status, text = (await exchange.head()).status, await exchange.whole()
            exchange.close()
            if status in (200, 201):
                raise self._ledger.broken(self._who, f"{method} of {log} was answered before its body was sent", log)
            if status not in (409, 503) or (status == 503 and not self._ledger.excused(epoch)):
                raise self._ledger.broken(self._who, f"{method} of {log} was answered by {status} {text!r}", log)
            if self._ledger.excused(epoch):
                return None
            await asyncio.sleep(0.02)  # the connection that broke off has not been noticed yet
        raise self._ledger.broken(self._who, f"{log} is held for ever", log)

    def _check_excused(self, log: Log, epoch: int, what: str) -> None:
        self._ledger.note(self._who, f"{log}: {what}")
        if not self._ledger.excused(epoch):
            raise self._ledger.broken(self._who, f"{log}: {what}, though the server went on", log)

    async def _learn(self, log: Log) -> None:
        """Ask which log it is that has begun. The name has a log from now on."""
        epoch = self._ledger.epoch
        try:
            with await Exchange.ask(self._place.put, "HEAD", f"/log/{self._name.name}") as exchange:
                head = await exchange.head()
        except Gone as error:
            self._check_excused(log, epoch, f"HEAD was not answered: {error}")
            return
        if self._ledger.excused(epoch):
            return
        if head.status != 200:
            raise self._ledger.broken(self._who, f"{log} has begun, but HEAD is answered by {head.status}", log)
        self._ledger.bind(log, (head.get("ETag") or "").strip('"'), self._who)
        self._name.appear()

    async def _send(self, exchange: Exchange, log: Log, stop: int, job: Job, *, framed: bool) -> int:
        """Send the log from `log.sent` up to `stop`. Returns the offset reached. Raises: Gone."""
        number = 0
        while log.sent < stop:
            start = log.sent
            log.sent = min(stop, start + job.pieces[number % len(job.pieces)])
            data = content(log.key, start, log.sent)
            self._place.moment("data")
            await exchange.send(chunk(data) if framed else data)
            exchange.poll()
            self._hear(exchange, log)
            number += 1
            if job.pause and number < 100:
                await asyncio.sleep(job.pause)
        return log.sent

    def _hear(self, exchange: Exchange, log: Log) -> None:
        """Note what interim responses acknowledge."""
        for head in exchange.answer.interims:
            if (text := head.get("Upload-Offset")) is not None:
                if not self._ledger.durable:
                    raise self._ledger.broken(self._who, f"{log} is acknowledged by a server that keeps nothing", log)
                self._acknowledge(log, int(text))

    def _acknowledge(self, log: Log, offset: int) -> None:
        if offset > log.sent:
            raise self._ledger.broken(self._who, f"{offset} bytes of {log} are acknowledged, {log.sent} were sent", log)
        log.kept = max(log.kept, offset)

    def _answered(self, log: Log, head: Head, epoch: int) -> None:
        """The log's last answer has come: it is complete, unless the server was stopped meanwhile."""
        if head.status >= 400 and self._ledger.excused(epoch):
            raise Gone(f"{head.status} while the server stops")
        if head.status not in (200, 201):
            raise self._ledger.broken(self._who, f"the end of {log} is answered by {head.status}", log)
        if log.state == "aborted":
            raise self._ledger.broken(self._who, f"{log} is complete, but others were told that it is aborted", log)
        log.state, log.kept = "complete", log.size
        self._ledger.note(self._who, f"{log} is complete")

    # Plain logs.

    async def _plain(self, job: Job, log: Log) -> None:
        """A log in one request, which nobody can go on with."""
        framing = f"Content-Length: {job.size}" if job.counted else CHUNKED
        if job.counted and not job.size:
            framing = CHUNKED
        framed = framing == CHUNKED
        exchange = await self._begin(log, "PUT", f"/log/{self._name.name}", framing, "Expect: 100-continue")
        if exchange is None:
            return
        epoch = self._asked
        with exchange:
            await self._learn(log)
            try:
                whole = job.end == "whole"
                if not whole:
                    log.doubtful = True
                elif not framed:
                    log.finished = True
                await self._send(
                    exchange, log, job.size if whole else min(job.stop_at, job.size - 1), job, framed=framed
                )
                if not whole:
                    await self._break(exchange, log, job, framed=framed)
                    return
                log.finished = True
                self._place.moment("end")
                if framed:
                    await exchange.send(chunk(b""))
                self._answered(log, await exchange.head(), epoch)
            except (Gone, WireFault) as error:
                self._check_excused(log, epoch, f"the connection broke off: {error}")
                log.doubtful = log.doubtful or log.state != "complete"

    async def _break(self, exchange: Exchange, log: Log, job: Job, *, framed: bool) -> None:
        self._ledger.note(self._who, f"{log} breaks off by {job.end} at {log.sent}")
        self._place.moment("end")
        if job.end == "malformed" and framed:
            await exchange.send(b"xyz\r\n")
            epoch = self._ledger.epoch
            if (status := (await exchange.head()).status) != 400 and not self._ledger.excused(epoch):
                raise self._ledger.broken(self._who, f"a malformed chunk of {log} is answered by {status}", log)
            log.state = log.state or "aborted"
        else:
            exchange.close(reset=job.end == "reset")

    # Resumable uploads.

    async def _upload(self, job: Job, log: Log) -> None:
        """A log by as many requests as it takes."""
        name = self._name.name
        whole = self._chance.random() < 0.7  # whether the end of this request's body is the end of the log
        complete = f"Upload-Complete: {'?1' if whole else '?0'}"
        exchange = await self._begin(log, "PUT", f"/log/{name}", CHUNKED, complete, INTERIM)
        if exchange is None:
            return
        location = urljoin(f"/log/{name}", exchange.answer.interims[0].get("Location") or "")
        await self._learn(log)
        breaks = list(job.breaks)
        final = job.size if job.end == "whole" else job.stop_at
        while exchange is not None:
            epoch = self._asked
            taken: Exchange | None = None
            try:
                while breaks and breaks[0][0] < log.sent:
                    breaks.pop(0)
                stop, how = breaks.pop(0) if breaks and breaks[0][0] <= final else (final, job.end)
                await self._send(exchange, log, stop, job, framed=True)
                if how == "whole" or (how == "part" and not whole):
                    if how == "whole" and whole:
                        log.finished = True
                        self._place.moment("end")
                    await exchange.send(chunk(b""))
                    head = await exchange.head()
                    self._hear(exchange, log)
                    if head.status in (404, 410) and log.doubtful:
                        return  # nobody came back in time
                    if whole:
                        self._answered(log, head, epoch)
                        return
                    self._check_part(log, head, epoch)
                elif how in ("reset", "leave", "abandon"):
                    self._ledger.note(self._who, f"{log}: {how} at {log.sent}")
                    self._place.moment("end")
                    exchange.close(reset=how == "reset")
                elif how == "give up":
                    await self._give_up(log, location)
                    return
                else:  # this connection stalls, and another one takes the upload over
                    taken = exchange
                if how == "abandon":
                    return
                whole = self._chance.random() < 0.7
            except (Gone, WireFault) as error:
                self._check_excused(log, epoch, f"the connection broke off: {error}")
            finally:
                if taken is None:
                    exchange.close()
            exchange = await self._go_on(log, location, taken, whole=whole)

    async def _go_on(self, log: Log, location: str, taken: Exchange | None, *, whole: bool) -> Exchange | None:
        """Ask how much has arrived, and continue; None: there is nothing to go on with."""
        while True:
            await self._place.wait_until_up()
            epoch, ended = self._ledger.epoch, log.state
            self._place.moment("resume")
            try:
                with await Exchange.ask(self._place.put, "HEAD", location) as exchange:
                    head = await exchange.head()
                if taken is not None:
                    await self._wait_until_broken_off(taken, log)
                    taken = None
            except Gone as error:
                self._check_excused(log, epoch, f"HEAD of the upload was not answered: {error}")
                continue
            if not self._ledger.excused(epoch):
                break
        offset = self._offset_of(log, head)
        if offset is None:
            return None
        if head.get("Upload-Complete") == "?1":
            if not log.finished or offset != log.size:
                raise self._ledger.broken(self._who, f"{log} is complete at {offset}", log)
            log.state = "complete"
            return None
        if ended:
            raise self._ledger.broken(self._who, f"{log} was {ended}, and is an upload again", log)
        # Before the next byte is sent, nobody can have more than this.
        log.sent, log.kept = offset, offset
        kind = "Upload-Complete: ?1" if whole else "Upload-Complete: ?0"
        epoch = self._asked = self._ledger.epoch
        try:
            return await Exchange.ask(
                self._place.put, "PATCH", location, CHUNKED, PARTIAL, f"Upload-Offset: {offset}", kind, INTERIM
            )
        except Gone as error:
            self._check_excused(log, epoch, f"PATCH was not answered: {error}")
            return await self._go_on(log, location, None, whole=whole)

    def _offset_of(self, log: Log, head: Head) -> int | None:
        """What the answer to HEAD says has arrived; None: the upload is over, for a good reason."""
        if head.status == 404 and (log.lost or log.removed):
            return None
        if head.status == 410 and log.doubtful:
            return None
        if head.status != 204:
            raise self._ledger.broken(self._who, f"HEAD of the upload of {log} is answered by {head.status}", log)
        offset = int(head.get("Upload-Offset") or -1)
        if not log.kept <= offset <= log.sent:
            text = f"{offset} bytes of {log} have arrived, between {log.kept} and {log.sent} were expected"
            raise self._ledger.broken(self._who, text, log)
        return offset

    async def _wait_until_broken_off(self, taken: Exchange, log: Log) -> None:
        """The connection that was taken over has to end."""
        with taken:
            try:
                while taken.ending is None:
                    async with asyncio.timeout(TIMEOUT):
                        await taken.receive()
            except (Gone, WireFault):
                return
            except TimeoutError as error:
                raise self._ledger.broken(
                    self._who, f"{log} was taken over, but the old connection lives", log
                ) from error

    def _check_part(self, log: Log, head: Head, epoch: int) -> None:
        if head.status >= 400 and self._ledger.excused(epoch):
            raise Gone(f"{head.status} while the server stops")
        if head.status not in (201, 204) or head.get("Upload-Offset") != str(log.sent):
            raise self._ledger.broken(self._who, f"a part of {log} up to {log.sent} is answered by {head}", log)
        log.kept = log.sent

    async def _give_up(self, log: Log, location: str) -> None:
        epoch = self._ledger.epoch
        log.doubtful = True
        self._ledger.note(self._who, f"{log} is given up at {log.sent}")
        self._place.moment("end")
        with await Exchange.ask(self._place.put, "DELETE", location) as exchange:
            head = await exchange.head()
        if not self._ledger.excused(epoch) and head.status != 204:
            raise self._ledger.broken(self._who, f"{log} is given up, and that is answered by {head.status}", log)
        if head.status == 204:
            log.state = log.state or "aborted"

    async def _remove(self, log: Log) -> None:
        epoch = self._ledger.epoch
        self._name.vanish()
        log.removed = True
        self._ledger.note(self._who, f"{log} is removed")
        self._place.moment("end")
        try:
            with await Exchange.ask(self._place.put, "DELETE", f"/log/{self._name.name}") as exchange:
                head = await exchange.head()
        except Gone as error:
            self._check_excused(log, epoch, f"DELETE was not answered: {error}")
            return
        if head.status != 204 and not (head.status == 404 and (log.lost or self._ledger.excused(epoch))):
            raise self._ledger.broken(self._who, f"DELETE of {log} is answered by {head.status}", log)
