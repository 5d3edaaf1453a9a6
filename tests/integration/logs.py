"""One log among many: whole requests and their answers, producers of a log by its name, and what a server tells of it.

Refuses to judge: tests say what must hold.
"""

import json
from dataclasses import dataclass
from typing import Any

from tests.conformance.link import Address, Connection
from tests.conformance.wire import Ending, Head
from tests.harness import TIMEOUT, TOKEN, Server, ask

CHUNKED = "Transfer-Encoding: chunked"
INTERIM = "Upload-Draft-Interop-Version: 8"
"""The header with which a producer asks for 104 (Upload Resumption Supported)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    head: Head
    body: bytes
    ending: Ending

    def __getitem__(self, field: str) -> str:
        """The value of a header field; empty if there is none."""
        return self.head.get(field) or ""

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)


def finish(connection: Connection) -> Answer:
    """What comes on a connection on which something was asked, all of it; then leave."""
    try:
        answer = connection.wait_end()
    finally:
        connection.close()
    assert answer.head is not None
    assert answer.ending is not None
    return Answer(answer.head.status, answer.head, bytes(answer.body), answer.ending)


def request(address: Address, method: str, target: str, *headers: str, body: bytes | None = None) -> Answer:
    """A request on a connection of its own, and its answer. `body` is sent with its length."""
    connection = Connection(address, TIMEOUT)
    length = () if body is None else (f"Content-Length: {len(body)}",)
    ask(connection, method, target, *headers, *length)
    connection.send(body or b"")
    return finish(connection)


def path_of(name: str, token: str = "", resource: str = "log") -> str:
    """Where a log is, on the producers' port or, with a `token`, on the readers'."""
    return "/" + "/".join(part for part in (resource, token, name) if part)


def send(server: Server, name: str, body: bytes = b"some bytes\n", *headers: str, method: str = "PUT") -> Answer:
    """Send a whole log."""
    return request(server.put, method, path_of(name), *headers, body=body)


def begin(server: Server, name: str, *headers: str) -> Connection:
    """A producer of a log that has begun; the body is chunked."""
    connection = server.connect(producer=True)
    ask(connection, "PUT", path_of(name), CHUNKED, "Expect: 100-continue", *headers)
    answer = connection.wait(lambda answer: 100 in [head.status for head in answer.interims], "100 Continue")
    assert answer.head is None
    return connection


def read(server: Server, name: str, *headers: str, query: str = "") -> Answer:
    """A log, read with ACCESS_TOKEN to the end of the answer."""
    return request(server.get, "GET", path_of(name, TOKEN) + query, *headers)


def follow(server: Server, name: str, token: str = TOKEN, query: str = "") -> Connection:
    """A reader whose answer has begun."""
    connection = server.connect()
    ask(connection, "GET", path_of(name, token) + query)
    assert connection.wait_head().status == 200
    return connection


def status_of(server: Server, name: str, query: str = "") -> Any:
    """What a log's readers are told of it."""
    answer = request(server.get, "GET", path_of(name, TOKEN, "status") + query)
    assert answer.status == 200, answer.body
    return answer.json


def names(server: Server, query: str = "") -> list[str]:
    """The names of the logs on a page of the list."""
    answer = request(server.get, "GET", f"/logs/{TOKEN}{query}")
    assert answer.status == 200, answer.body
    return [log["name"] for log in answer.json["logs"]]
