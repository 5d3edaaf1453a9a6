"""Readers of one name, of every kind, slow ones among them: each answer is held against the ledger as it comes.

Refuses to know of producers. A reader that is broken off goes on where it was, as its kind of client does.
"""

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable

from tests.conformance.wire import Ending, Head, WireFault, multipart_parts

from .asking import Asker
from .ledger import Ledger, Reading
from .listener import Listener
from .place import Place
from .wire import Exchange, Gone

FOREVER = "9007199254740991"
"""A last position that asks to follow (RFC 8673 section 2)."""

_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+|\*)")


class Reader(Asker):
    """Reads the logs of one name, a drawn number of times."""

    def __init__(self, place: Place, ledger: Ledger, name: str, chance: random.Random, count: int, number: int) -> None:
        super().__init__(place, ledger, name, chance, f"reader {number} of {name}")
        self._count = count

    KINDS = (
        "follow", "follow", "old", "old", "resume", "resume", "tail", "now", "part", "parts", "events", "events", "status",
        "status", "lines", "wait", "head",
    )  # fmt: skip

    async def run(self) -> None:
        """Read so often. Raises: Broken, Hanging."""
        for _ in range(self._count):
            await self.place.wait_until_up()
            await self.read(self.chance.choice(self.KINDS))
            await asyncio.sleep(self.chance.choice((0.0, 0.001, 0.01, 0.1)))

    async def read(self, kind: str) -> None:
        """Read once, in that way."""
        self.slow = self.chance.random() < 0.4
        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "follow": self._follow, "old": self._follow_old, "resume": self._resume, "tail": self._tail, "now": self._now,
            "part": self._part, "parts": self._part, "events": self._events, "status": self._status,
            "lines": self._lines, "wait": self._wait, "head": self._head,
        }  # fmt: skip
        reading = self.ledger.reading(self.name.name, f"{self.who}, {kind}")
        try:
            await ways[kind]()
        except Gone as error:
            self.check_excused(reading, f"there was no answer: {error}")
        except WireFault as error:
            raise self.ledger.broken(reading.who, f"this is no HTTP: {error}") from error

    async def _take_all(self, exchange: Exchange, reading: Reading) -> None:
        """Read the log's bytes to the end of the answer."""
        while data := await exchange.body(self.chance.choice((700, 8_000, 1 << 16))):
            self.ledger.give(reading, data)
            await self.pause()

    async def _to_the_end(self, exchange: Exchange, reading: Reading) -> None:
        """Read an answer that ends when the log does, and see how."""
        with exchange:
            await self._take_all(exchange, reading)
        if exchange.ending is Ending.CLEAN:
            self._settle(reading, "complete", reading.offset)
        elif not self.ledger.excused(reading.epoch):
            self._settle(reading, "aborted", reading.offset)

    def _settle(self, reading: Reading, state: str, size: int | None) -> None:
        self.ledger.note(reading.who, f"{reading.log} {reading.etag}: {state}, {size} bytes")
        self.ledger.saw_state(reading, state, size)

    def _begin(self, reading: Reading, head: Head) -> str:
        """Note which log an answer is about. Returns the state that it tells."""
        self.ledger.identify(reading, (head.get("ETag") or "").strip('"'))
        return head.get("Livelog-State") or ""

    # The kinds.

    async def _follow(self, version: str = "1.1") -> None:
        exchange, reading, head = await self.ask("log", f"follow {version}", version=version)
        if head is None:
            return
        state = self._begin(reading, head)
        self.ledger.saw_state(reading, state, _length(head) if state == "complete" else None)
        if self.chance.random() < 0.1:
            self.ledger.give(reading, await exchange.body())
            exchange.close(reset=self.chance.random() < 0.5)
            return
        await self._to_the_end(exchange, reading)

    async def _follow_old(self) -> None:
        await self._follow("1.0")

    async def _wait(self) -> None:
        """Wait for a log that may not have begun."""
        exchange, reading, head = await self.ask("log", "wait", query="?wait=3")
        if head is not None:
            self._begin(reading, head)
            await self._to_the_end(exchange, reading)

    async def _head(self) -> None:
        query = self.chance.choice(("", "?follow=0", "?tail=3"))
        exchange, reading, head = await self.ask("log", "head", query=query, method="HEAD")
        with exchange:
            if head is not None:
                state = self._begin(reading, head)
                self.ledger.saw_state(reading, state, _length(head) if not query.startswith("?tail") else None)

    async def _tail(self) -> None:
        count = self.chance.choice((0, 1, 10, 10_000))
        exchange, reading, head = await self.ask("log", f"tail {count}", query=f"?tail={count}")
        if head is not None:
            self._begin(reading, head)
            reading.offset = int(head.get("Livelog-Offset") or 0)
            await self._to_the_end(exchange, reading)

    async def _now(self) -> None:
        """What there is, and no more: a whole answer, whatever the log is."""
        exchange, reading, head = await self.ask("log", "now", query="?follow=0")
        if head is not None:
            state, size = self._begin(reading, head), _length(head)
            with exchange:
                await self._take_all(exchange, reading)
            if exchange.ending is Ending.CLEAN:
                self.ledger.saw_state(reading, state, size)
            else:
                self.check_excused(reading, "a bounded answer was broken off")

    async def _part(self) -> None:
        first = self.chance.choice((0, 10, 5_000, 100_000))
        last = first + self.chance.choice((0, 100, 100_000))
        several = self.chance.random() < 0.4
        spec = f"{first}-{last},{last + 1000}-{last + 1500}" if several else f"{first}-{last}"
        query = self.chance.choice(("", "?follow=0"))
        exchange, reading, head = await self.ask("log", f"range {spec}", f"Range: bytes={spec}", query=query)
        if head is None:
            return
        with exchange:
            state, told = self._begin(reading, head), head.get("Content-Range") or ""
            if head.status == 416:
                await exchange.whole()
                self.ledger.saw_state(reading, state, int(told.rpartition("/")[2]))
                return
            if head.status == 200:  # several ranges of a live log are ignored: it is followed
                await self._to_the_end(exchange, reading)
                return
            if (match := _RANGE.fullmatch(told)) is None:
                body = await exchange.whole()
                if exchange.ending is Ending.CUT:
                    self.check_excused(reading, "a bounded answer was broken off")
                    return
                for part in multipart_parts(head.get("Content-Type") or "", body):
                    self._take_part(reading, part.content_range, part.body)
                return
            body = await exchange.whole()
            if exchange.ending is Ending.CUT:
                self.check_excused(reading, "a bounded answer was broken off")
                return
            self._take_part(reading, match[0], body)
            self.ledger.saw_state(reading, state, int(match[3]) if match[3] != "*" else None)

    def _take_part(self, reading: Reading, told: str, body: bytes) -> None:
        match = _RANGE.fullmatch(told)
        if match is None or len(body) != int(match[2]) - int(match[1]) + 1:
            raise self.ledger.broken(reading.who, f"{len(body)} bytes are said to be {told!r}", reading.log)
        reading.pending.clear()
        reading.offset = int(match[1])
        self.ledger.give(reading, body)

    async def _resume(self) -> None:
        """Follow by ranges, through any number of broken connections, as long as it is the same log (RFC 8673)."""
        offset, etag = 0, ""
        while True:
            await self.place.wait_until_up()
            epoch = self.ledger.epoch
            condition = (f'If-Range: "{etag}"',) if etag else ()
            try:
                exchange, reading, head = await self.ask(
                    "log", f"resume at {offset}", f"Range: bytes={offset}-{FOREVER}", *condition, offset=offset
                )
                if head is None:
                    return
                with exchange:
                    state = self._begin(reading, head)
                    if etag and reading.etag != etag:
                        if head.status != 200:
                            text = f"{head.status} of {reading.etag}, though If-Range names {etag}"
                            raise self.ledger.broken(reading.who, text, reading.log)
                        return  # it was replaced
                    etag = reading.etag
                    if head.status == 416:
                        size = int((head.get("Content-Range") or "").rpartition("/")[2])
                        await exchange.whole()
                        if size != offset or state not in ("complete", "aborted"):
                            text = f"416 {head.get('Content-Range')} {state} to one who has {offset} bytes"
                            raise self.ledger.broken(reading.who, text, reading.log)
                        self._settle(reading, state, size)
                        return
                    if head.status == 200:  # it was replaced by no other, so the range applies
                        raise self.ledger.broken(reading.who, f"200 to one who resumes at {offset}", reading.log)
                    leave = self.chance.random() < 0.3
                    while data := await exchange.body(self.chance.choice((700, 8_000, 1 << 16))):
                        self.ledger.give(reading, data)
                        offset = reading.offset
                        if leave:
                            break
                        await self.pause()
                    if not leave and exchange.ending is Ending.CLEAN:
                        bounded = head.get("Content-Length") is not None
                        self._settle(reading, state if bounded else "complete", offset)
                        return
                    if not leave and exchange.ending is Ending.CUT and not self.ledger.excused(reading.epoch):
                        self._settle(reading, "aborted", offset)
                        return
            except Gone as error:
                if not self.ledger.excused(epoch):
                    raise self.ledger.broken(self.who, f"no answer at {offset}, though the server went on") from error

    async def _events(self) -> None:
        """As an EventSource does: to the end, coming back with the last id, until 204 says that there is no more."""
        await Listener(self).run(named=self.chance.random() < 0.5)

    async def _status(self) -> None:
        """Poll for changes, until the log has ended."""
        query = self.chance.choice(("", "?wait=2"))
        for _ in range(self.chance.randint(1, 6)):
            exchange, reading, head = await self.ask("status", f"status {query}", query=query)
            if head is None:
                return
            with exchange:
                document = await exchange.whole()
            if exchange.ending is Ending.CUT:
                self.check_excused(reading, "a status was broken off")
                return
            status = json.loads(document)
            self.ledger.identify(reading, status["generation"])
            state, size = status["state"], status["size"]
            self.ledger.saw_state(reading, state, size)
            if (status["ended"] is not None) != (state in ("complete", "aborted")):
                raise self.ledger.broken(reading.who, f"it is {state}, ended: {status['ended']}", reading.log)
            self.ledger.counted(reading, size, None, 0, status["lines"])
            if state in ("complete", "aborted"):
                return
            query = f"?wait=2&size={size}&state={state}"

    async def _lines(self) -> None:
        query = self.chance.choice(
            ("?tail=5", "?from=1&count=20", "?at=5000&count=3", "?at=100000&count=-10", "?tail=10000")
        )
        exchange, reading, head = await self.ask("lines", f"lines {query}", query=query)
        if head is None:
            return
        with exchange:
            state, body = self._begin(reading, head), await exchange.whole()
        if exchange.ending is Ending.CUT:
            self.check_excused(reading, "a bounded answer was broken off")
            return
        number = {name: head.get(f"Livelog-{name}") for name in ("Offset", "Size", "First-Line", "Lines")}
        offset, size = int(number["Offset"] or 0), int(number["Size"] or 0)
        reading.offset = offset
        self.ledger.give(reading, body)
        self.ledger.saw_state(reading, state, size)
        first, lines = (int(text) if (text := number[name]) is not None else None for name in ("First-Line", "Lines"))
        self.ledger.counted(reading, size, first, offset, lines)


def _length(head: Head) -> int | None:
    text = head.get("Content-Length")
    return None if text is None else int(text)
