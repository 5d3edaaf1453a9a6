"""A client of `/events`, as an EventSource is one: it comes back with the last id until 204 says that there is no more."""

import json

from tests.conformance.wire import Ending

from .asking import Asker
from .ledger import Reading
from .wire import Gone


class Listener:
    """One client of events. `asker`: whose requests these are."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._ledger = asker.ledger
        self._id = ""
        self._etag = ""
        self._offset = 0
        self._ended = False

    async def run(self, *, named: bool) -> None:
        """Listen until there is no more. `named`: say which generation is meant."""
        for _ in range(1000):
            await self._asker.place.wait_until_up()
            epoch = self._ledger.epoch
            try:
                if await self._connect(named=named):
                    return
            except Gone as error:
                if not self._ledger.excused(epoch):
                    text = f"no events at {self._offset}, though the server went on"
                    raise self._ledger.broken(self._asker.who, text) from error
        raise self._ledger.broken(self._asker.who, "events come back for ever")

    async def _connect(self, *, named: bool) -> bool:
        """Listen once. Returns whether there is no more."""
        query = f"?generation={self._etag}" if named and self._etag else ""
        last = (f"Last-Event-ID: {self._id}",) if self._id else ()
        exchange, reading, head = await self._asker.ask(
            "events", f"events at {self._offset}", *last, query=query, offset=self._offset
        )
        if head is None:
            return True
        with exchange:
            self._ledger.identify(reading, (head.get("ETag") or "").strip('"'))
            if self._etag and reading.etag != self._etag and not named:
                return True  # it was replaced, and this client did not say which it meant
            another = bool(self._etag) and reading.etag != self._etag
            self._etag = self._etag or reading.etag
            if head.status == 204:
                if not self._ended and not another:
                    text = f"204 to one who has {self._offset} bytes and was not told how the log ended"
                    raise self._ledger.broken(reading.who, text, reading.log)
                return True
            if head.status != 200:
                raise self._ledger.broken(
                    reading.who, f"{head.status} to one who has {self._offset} bytes", reading.log
                )
            if self._ended and not another:
                raise self._ledger.broken(reading.who, "a client that was told of the end gets no 204", reading.log)
            rest, replaced = b"", False
            while data := await exchange.body(self._asker.chance.choice((700, 1 << 16))):
                *blocks, rest = (rest + data).split(b"\n\n")
                for block in blocks:
                    replaced |= self._event(reading, block.decode())
                await self._asker.pause()
        if replaced:
            return True
        if exchange.ending is Ending.CLEAN and not self._ended:
            raise self._ledger.broken(
                reading.who, f"events end at {self._offset} without telling how the log ended", reading.log
            )
        if exchange.ending is Ending.CUT and not self._ended and not self._ledger.excused(reading.epoch):
            raise self._ledger.broken(reading.who, "events were broken off, though the server went on", reading.log)
        return False

    def _event(self, reading: Reading, block: str) -> bool:
        """Take one event. Returns whether it says that the log was replaced."""
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if not fields:
            return False
        kind, data = fields.get("event", ""), json.loads(fields["data"])
        if kind == "replaced":
            return True
        self._id = fields["id"]
        if kind == "":
            if data["offset"] != self._offset:
                raise self._ledger.broken(
                    reading.who, f"text from {data['offset']} on, not from {self._offset}", reading.log
                )
            self._ledger.give(reading, data["text"].encode())
            self._offset = reading.offset
        elif kind == "end":
            self._ended = True
            if data["size"] != self._offset:
                raise self._ledger.broken(
                    reading.who, f"the end at {data['size']} comes at {self._offset}", reading.log
                )
            self._ledger.note(reading.who, f"{reading.log}: {data}")
            self._ledger.saw_state(reading, data["state"], data["size"])
        elif kind == "readers":
            if data["readers"] < 1:
                raise self._ledger.broken(reading.who, f"nobody follows, not even this one: {data}", reading.log)
        elif data["state"] not in ("live", "interrupted"):
            raise self._ledger.broken(reading.who, f"a state that is none: {data}", reading.log)
        if int(self._id) != self._offset:
            raise self._ledger.broken(reading.who, f"id {self._id} at {self._offset}", reading.log)
        return False
