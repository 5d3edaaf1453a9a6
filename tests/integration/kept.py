"""Logs in a data directory: producers that go on with them through kills and restarts, and what must be true of them.

Refuses to look into a server. What a log must be is known from what was sent, and from what the server acknowledged, in
whatever way: by an answer, by an interim response, or by showing a byte to a reader.
"""

import contextlib
import json
import random
from collections.abc import Mapping
from typing import Any

from tests.conformance.link import Connection
from tests.conformance.wire import AnswerParser, Ending, WireFault
from tests.harness import TOKEN, Server, ask, chunk

from .logs import INTERIM
from .pattern import PERIOD, pattern
from .uploads import Answer, log_of, look, told

Status = Mapping[str, Any]
"""What is known of a log, as the server tells it."""


def stored(server: Server, name: str) -> bytes:
    """All bytes of a log that there are now."""
    return log_of(server, name)[1]


def all_logs(server: Server) -> dict[str, Status]:
    """The status of each log, by its name."""
    with contextlib.closing(server.connect()) as reader:
        ask(reader, "GET", f"/logs/{TOKEN}?limit=1000")
        found = json.loads(reader.wait_end().body)
    assert found["next"] is None
    return {status["name"]: status for status in found["logs"]}


def last_words(connection: Connection) -> AnswerParser:
    """What came on a connection until it ended, which it may do in the middle of anything."""
    answer = connection.answer()
    try:
        connection.wait_end()
    except WireFault:
        assert connection.closed, "this is no end, but a fault"
    return answer


class Job:
    """A log of random bytes that one producer sends, over as many servers as it takes.

    `resumable`: by an upload. `least`: bytes that it has at least.
    """

    def __init__(self, name: str, chance: random.Random, *, resumable: bool, least: int = 0) -> None:
        start, size = chance.randrange(PERIOD), chance.choice((0, 1, 3_000, 70_000, 200_000, 400_000))
        self.name = name
        self.resumable = resumable
        self.data = pattern(start, start + max(least, chance.randint(0, size)))
        self.location = ""
        """The upload's address, once it was told."""
        self.generation = ""
        """Which log this is, once a reader was told."""
        self.sent = 0
        """Bytes that were sent: no more can be there."""
        self.acknowledged = 0
        """Bytes that the server said, or showed, that it has: no less can be there."""
        self.finished = False
        """Whether the end of the body was sent: only then the log can be complete."""
        self.complete = False
        """Whether the server said, or showed, that the log is complete."""
        self.changes = 0
        """How often the label `change` was set to its own number."""
        self.changed = 0
        """The last change that was acknowledged."""
        self.producer: Connection | None = None
        self.reader: Connection | None = None
        self._teller: Connection | None = None
        self._offset = 0
        self._open = contextlib.ExitStack()

    def step(self, server: Server, chance: random.Random) -> None:
        """Do what comes next, or one of several things that could. Most of them do not wait for the server."""
        if self.producer is None:
            self._begin(server)
        elif self.reader is None:
            self.follow(server)
        elif chance.random() < 0.1:
            self._tell(server)
        elif self._offset < len(self.data):
            self.send(chance.randint(1, 60_000))
        elif not self.finished:
            self.finished = True
            self.producer.send(chunk(b""))
        elif not self.complete:
            self.producer.wait_end()
            self._hear(self.producer.answer())
            assert self.complete, self.producer.answer().head

    def send(self, size: int) -> None:
        """Send so many more bytes, if there are so many."""
        assert self.producer is not None
        data = self.data[self._offset : self._offset + size]
        if data:
            self.producer.send(chunk(data))
        self._offset += len(data)
        self.sent = max(self.sent, self._offset)

    def follow(self, server: Server) -> None:
        """Have a reader, as soon as the log has begun. It learns, or knows, which log this is."""
        assert self.producer is not None
        if not self.generation:
            self._hear(self.producer.wait(lambda answer: bool(answer.interims), "sign that the log has begun"))
        self.reader = self._connect(server, f"/log/{TOKEN}/{self.name}", "GET", producer=False)
        self._recognise(told(self.reader.wait_head(), "ETag").strip('"'))

    def wait_until_seen(self) -> None:
        """Wait until the reader has been given all that was sent of the log."""
        assert self.reader is not None
        self.reader.wait(lambda answer: len(answer.body) >= self._offset, "rest of what was sent")

    def wait_for_acknowledgement(self, server: Server) -> None:
        """Begin, send all in small pieces, and wait until a part of it, whichever, is said to be on file."""
        self._begin(server)
        assert self.producer is not None
        while self._offset < len(self.data):
            self.send(1000)
        self.producer.wait(lambda answer: any(head.get("Upload-Offset") for head in answer.interims), "Upload-Offset")

    def leave(self) -> None:
        """Learn what the server has said until the end of all connections, and close them."""
        for connection in (self.producer, self.reader, self._teller):
            if connection is not None and connection.waiting:
                self._hear(last_words(connection))
        self._open.close()
        self.producer = self.reader = self._teller = None

    def check(self, server: Server, logs: Mapping[str, Status]) -> None:
        """After a restart: nothing that was acknowledged is lost, and nothing is there that was not sent."""
        if self.name not in logs:
            assert not (self.generation or self.location or self.acknowledged or self.complete), f"{self.name} is lost"
            return
        status, content = logs[self.name], stored(server, self.name)
        assert self.acknowledged <= len(content) <= self.sent, self.name
        assert content == self.data[: len(content)], self.name
        self._recognise(status["generation"])
        assert (status["size"], status["title"]) == (len(content), f"job {self.name}")
        assert self.changed <= int(status["labels"]["change"]) <= self.changes, self.name
        if self.complete or (self.finished and status["state"] == "complete"):
            assert (status["state"], len(content)) == ("complete", len(self.data)), self.name
            self.complete = True
        else:
            assert status["state"] == ("interrupted" if self.resumable else "aborted"), self.name
        self.acknowledged = len(content)

    def resume(self, server: Server) -> None:
        """Ask how much has arrived, which must be what is stored, and go on from there."""
        assert look(server, self.location).progress == (204, "?0", str(self.acknowledged)), self.name
        self.producer = self._connect(
            server, self.location, "PATCH", "Transfer-Encoding: chunked", "Content-Type: application/partial-upload",
            f"Upload-Offset: {self.acknowledged}", "Upload-Complete: ?1", INTERIM,
        )  # fmt: skip
        self._offset, self.finished = self.acknowledged, False

    def _begin(self, server: Server) -> None:
        kind = ("Upload-Complete: ?1", INTERIM) if self.resumable else ("Expect: 100-continue",)
        known = (f"Livelog-Title: job {self.name}", "Livelog-Label: change=0")
        self.producer = self._connect(server, f"/log/{self.name}", "PUT", "Transfer-Encoding: chunked", *kind, *known)

    def _tell(self, server: Server) -> None:
        if self._teller is not None:
            assert Answer.of(self._teller.wait_end()).status in (204, 409)
            self._hear(self._teller.answer())
        self.changes += 1
        self._teller = self._connect(server, f"/log/{self.name}", "PATCH", f"Livelog-Label: change={self.changes}")

    def _connect(self, server: Server, target: str, method: str, *headers: str, producer: bool = True) -> Connection:
        connection = self._open.enter_context(contextlib.closing(server.connect(producer=producer)))
        ask(connection, method, target, *headers)
        return connection

    def _hear(self, answer: AnswerParser) -> None:
        """Note what an answer, or the beginning of one, acknowledges."""
        if answer.method == "GET":
            assert self.data.startswith(bytes(answer.body)), self.name
            self.acknowledged = max(self.acknowledged, len(answer.body))
            self.complete |= answer.ending is Ending.CLEAN
        for head in answer.heads:
            self.location = head.get("Location") or self.location
            self.acknowledged = max(self.acknowledged, int(head.get("Upload-Offset") or 0))
        status = answer.head.status if answer.head is not None else None
        if answer.method == "PATCH" and status == 204:
            self.changed = self.changes
        self.complete |= status in (200, 201) and answer.method != "GET"

    def _recognise(self, generation: str) -> None:
        assert self.generation in ("", generation), f"{self.name} is another log than before"
        self.generation = generation
