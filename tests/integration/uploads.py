"""Resumable uploads by hand: requests over real sockets, answers with all their interim responses.

Refuses to know what the server should say: that is for tests.
"""

import base64
import contextlib
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.link import Connection
from tests.conformance.wire import AnswerParser, Ending, Head
from tests.harness import Server, ask, chunk

from . import logs
from .logs import CHUNKED, INTERIM

PARTIAL = "Content-Type: application/partial-upload"
WHOLE = "Upload-Complete: ?1"
MORE = "Upload-Complete: ?0"
LARGEST = 100
"""Bytes of the largest log that the server of the fixture `limited` takes."""

LIMIT = f"max-size={LARGEST}, max-age=60"
"""Its Upload-Limit."""

PROBLEMS = "https://iana.org/assignments/http-problem-types#"

framing = pytest.mark.parametrize("framing", [(), (CHUNKED,)], ids=["length", "chunked"])
"""Runs a test with content of a known length, and with chunked content."""

step = pytest.mark.parametrize("begun", [b"", b"begun"], ids=["creation", "append"])
"""Runs a test with a request that creates an upload, and with one that goes on with it: see `request_to_send`."""

_numbers = itertools.count(1)


def new_name() -> str:
    """The name of a log that no other test uses."""
    return f"upload/{next(_numbers)}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: interim heads, the final one, and its body."""

    interims: list[Head]
    head: Head
    body: bytes

    @classmethod
    def of(cls, parser: AnswerParser) -> "Answer":
        """The answer that was read to its end."""
        assert parser.head is not None
        return cls(parser.interims, parser.head, bytes(parser.body))

    @property
    def status(self) -> int:
        """The final status code."""
        return self.head.status

    @property
    def location(self) -> str:
        """The upload's address."""
        return told(self.head, "Location")

    @property
    def progress(self) -> tuple[int, str | None, str | None]:
        """Status, Upload-Complete and Upload-Offset."""
        return self.status, self.head.get("Upload-Complete"), self.head.get("Upload-Offset")

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document (RFC 9457) that is the body; its type without what all registered ones begin with."""
        assert told(self.head, "Content-Type").partition(";")[0] == "application/problem+json"
        members: dict[str, Any] = json.loads(self.body)
        assert members["status"] == self.status
        return members | {"type": members["type"].removeprefix(PROBLEMS)}


def told(head: Head, field: str) -> str:
    """The value of a field that must be there."""
    value = head.get(field)
    assert value is not None, f"no {field} in {head}"
    return value


def request(
    server: Server, method: str, target: str, *headers: str, content: bytes | None = None, version: str = "1.1"
) -> Answer:
    """The answer to a request of its own connection. `content` is sent with its length, unless `CHUNKED` is a header."""
    with contextlib.closing(server.connect(producer=True)) as connection:
        if content is not None and CHUNKED not in headers:
            headers += (f"Content-Length: {len(content)}",)
        ask(connection, method, target, *headers, version=version)
        if content is not None:
            connection.send(framed(content) if CHUNKED in headers else content)
        return Answer.of(connection.wait_end())


def framed(content: bytes) -> bytes:
    """A whole chunked body, in chunks of three bytes."""
    return b"".join(chunk(content[start : start + 3]) for start in range(0, len(content), 3)) + chunk(b"")


def create(server: Server, name: str, content: bytes | None = None, *headers: str) -> Answer:
    """Begin an upload that will have more, unless `headers` say otherwise."""
    complete = () if any(header.startswith("Upload-Complete") for header in headers) else (MORE,)
    return request(server, "PUT", f"/log/{name}", *complete, *headers, content=content)


def append(server: Server, location: str, offset: int, content: bytes | None, *headers: str) -> Answer:
    """Go on with an upload: it will have more, unless `headers` say otherwise."""
    complete = () if WHOLE in headers else (MORE,)
    return request(server, "PATCH", location, PARTIAL, f"Upload-Offset: {offset}", *complete, *headers, content=content)


def request_to_send(server: Server, name: str, begun: bytes) -> tuple[str, str, tuple[str, ...]]:
    """Method, target and fields of a request that creates an upload, or goes on with one that has `begun`."""
    if not begun:
        return "PUT", f"/log/{name}", ()
    return "PATCH", create(server, name, begun).location, (PARTIAL, f"Upload-Offset: {len(begun)}")


def look(server: Server, location: str, *headers: str, method: str = "HEAD") -> Answer:
    """Ask how much of an upload there is."""
    return request(server, method, location, *headers)


@contextlib.contextmanager
def sending(server: Server, method: str, target: str, *headers: str) -> Iterator[Connection]:
    """A producer in the middle of a chunked request that wants interim responses."""
    with contextlib.closing(server.connect(producer=True)) as connection:
        ask(connection, method, target, CHUNKED, INTERIM, *headers)
        yield connection


@contextlib.contextmanager
def creating(server: Server, name: str, content: bytes, *headers: str) -> Iterator[tuple[Connection, str]]:
    """A producer that has begun an upload, and been told its address and that `content` is on file."""
    with sending(server, "PUT", f"/log{name and '/'}{name}", *(headers or (WHOLE,))) as producer:
        producer.send(chunk(content))
        yield producer, told(wait_for_offset(producer, len(content)).interims[0], "Location")


def wait_for_offset(producer: Connection, offset: int) -> AnswerParser:
    """Wait until the producer was told that so many bytes are on file."""
    wanted: Callable[[AnswerParser], bool] = lambda answer: str(offset) in acknowledged(answer.interims)  # noqa: E731
    answer = producer.wait(wanted, f"104 with Upload-Offset: {offset}")
    assert answer.head is None, answer.head
    return answer


def acknowledged(interims: list[Head]) -> list[str]:
    """The offsets that interim responses told."""
    return [offset for head in interims if head.status == 104 and (offset := head.get("Upload-Offset")) is not None]


def log_of(server: Server, name: str) -> tuple[str, bytes]:
    """What a reader gets of a log by now: its state and its bytes."""
    answer = logs.read(server, name, query="?follow=0")
    return answer["Livelog-State"], answer.body


@contextlib.contextmanager
def following(server: Server, name: str) -> Iterator[Connection]:
    """A reader that follows a log to its end."""
    with contextlib.closing(logs.follow(server, name)) as connection:
        yield connection


def assert_reader_ends(reader: Connection, content: bytes, ending: Ending) -> None:
    """The reader got all of `content`, and its answer ended like that."""
    answer = reader.wait_end()
    assert (bytes(answer.body), answer.ending) == (content, ending)


def digest(field: str, content: bytes, algorithm: str = "sha-256") -> str:
    """A header with the digest of `content` (RFC 9530)."""
    value = base64.b64encode(hashlib.new(algorithm.replace("-", ""), content).digest()).decode()
    return f"{field}: {algorithm}=:{value}:"
