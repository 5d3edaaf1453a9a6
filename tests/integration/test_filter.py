"""A log as a filter gives it: lines that match or do not, with the lines around them; grep is asked for the same.

Categories: the text form · JSON, in either direction and in pages · what is refused · processes that are killed · logs of which nobody has counted
the lines.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.conformance.link import Connection
from tests.conformance.wire import Ending
from tests.harness import PATIENCE, TOKEN, Server, ask, children, chunk

from .logs import Answer, begin, finish, path_of, request, send
from .servers import running, wait_until

SAMPLE = b"".join(
    b"%d %s\n" % (number, b"error: it failed" if number % 37 == 0 else b"Error in it" if number % 41 == 0 else b"a line")
    for number in range(1, 3001)
) + b"error at the end"  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with the log `sample`, and one in which nothing can be found soon."""
    with running() as server:
        send(server, "sample", SAMPLE)
        producer = begin(server, "large")
        producer.send(chunk(b"first 7\n"))
        block = (b"x" * 99 + b"\n") * 50_000
        for _ in range(40):
            producer.send(chunk(block))
        producer.send(chunk(b""))
        assert finish(producer).status == 201
        yield server


def filtered(server: Server, name: str, **query: object) -> Answer:
    """The answer to a search."""
    connection = Connection(server.get, 300.0)
    ask(connection, "GET", path_of(name, TOKEN, "search") + "?" + urlencode(query))
    return finish(connection)


def found(server: Server, **query: object) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What is told of a search of the sample but for its progress, and the last word."""
    answer = filtered(server, "sample", **query)
    assert (answer.status, answer["Content-Type"], answer.ending) == (200, "application/x-ndjson", Ending.CLEAN)
    *documents, last = [json.loads(line) for line in answer.body.splitlines()]
    return [one for one in documents if "scanned" not in one], last


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ({"q": "error"}, ["-i", "error"]),
        ({"q": "error", "case": "1", "context": "2"}, ["-C2", "error"]),
        ({"q": "error", "case": "1", "before": "3", "after": "0"}, ["-B3", "-A0", "error"]),
        ({"q": "error", "case": "1", "context": "1", "after": "4"}, ["-C1", "-A4", "error"]),
        ({"q": "a line", "invert": "1", "case": "1"}, ["-v", "a line"]),
        ({"q": "[0-8] a l.ne$", "regex": "1", "invert": "1", "context": "1"}, ["-v", "-C1", "-E", "[0-8] a l.ne$"]),
        ({"q": "nowhere"}, ["nowhere"]),
        ({"q": "99", "limit": "7"}, ["-m7", "99"]),
        ({"q": "^", "regex": "1", "context": "5000"}, ["-C1000", "^"]),
    ],
)
def test_text_is_what_grep_writes(server: Server, tmp_path: Path, query: dict[str, str], options: list[str]) -> None:
    (tmp_path / "log").write_bytes(SAMPLE)
    said = subprocess.run(
        ["grep", "-n", *options, tmp_path / "log"], env={"LC_ALL": "C.UTF-8"}, capture_output=True, check=False
    )
    answer = filtered(server, "sample", **query, **{"as": "text"})
    assert (answer.status, answer["Content-Type"], answer.ending) == (200, "text/plain; charset=utf-8", Ending.CLEAN)
    assert answer.body == said.stdout
    if "limit" not in query:
        backwards = filtered(server, "sample", **query, **{"as": "text", "dir": "back"})
        assert re.findall(rb"[^\n]*\n", backwards.body) == re.findall(rb"[^\n]*\n", said.stdout)[::-1]


def test_lines_are_told_once_with_all_that_is_known_of_them(server: Server) -> None:
    documents, last = found(server, q="r", lines="1", dir="forward", limit="2", before="1")
    start = SAMPLE.index(b"37 error")
    before = SAMPLE.rindex(b"\n", 0, start - 1) + 1
    times = [one.pop("time") for one in documents]
    assert times == sorted(times)
    assert documents[:2] == [
        {"line": 36, "offset": before, "length": 0, "start": before, "text": "36 a line", "context": True},
        {"line": 37, "offset": start + 4, "length": 1, "start": start, "text": "37 error: it failed"},
    ]
    assert [one["line"] for one in documents] == [36, 37, 40, 41]
    assert last == {"done": True, "hits": 2, "next": SAMPLE.index(b"\n42 ") + 1}


@pytest.mark.parametrize("direction", ["forward", "back"])
def test_pages_are_the_whole(server: Server, direction: str) -> None:
    asked = {"q": "error", "dir": direction, "context": 20}
    whole, _ = found(server, **asked)
    pages: list[dict[str, Any]] = []
    page: dict[str, object] = {}
    while True:
        documents, last = found(server, **asked, **page, limit=17)
        pages += documents
        if last["next"] is None:
            break
        page = {"from": last["next"]}
    assert pages == whole


@pytest.mark.parametrize(
    "query", ["q=x&as=html", "q=x&context=x", "q=x&before=-1", "q=x&after=1.5", "context=1", "q=x&as=text&limit=0"]
)
def test_what_cannot_be_meant_is_refused(server: Server, query: str) -> None:
    answer = request(server.get, "GET", path_of("sample", TOKEN, "search") + "?" + query)
    assert (answer.status, answer.body.count(b"\n")) == (400, 1)


def workers(server: Server) -> list[int]:
    """The processes that search."""
    return children(server.pid)


@pytest.mark.parametrize("form", ["ndjson", "text"])
def test_filter_whose_process_is_killed_says_so(server: Server, form: str) -> None:
    """A text is broken off."""
    with contextlib.closing(Connection(server.get, 300.0)) as connection:
        # The first line has a match, and no other: it does not end before it is killed, however fast it is.
        query = f"?q=x*%5B0-9%5D&regex=1&dir=forward&context=3&as={form}"
        ask(connection, "GET", path_of("large", TOKEN, "search") + query)
        connection.wait(lambda answer: len(answer.body) > 0, "lines")
        for process in workers(server):
            os.kill(process, signal.SIGKILL)
        answer = finish(connection)
    if form == "text":
        assert answer.ending is not Ending.CLEAN
    else:
        last = json.loads(answer.body.splitlines()[-1])
        assert (last["done"], last["next"]) == (True, None)
        assert "exit code -9" in last["error"]
    wait_until(lambda: not workers(server), "the process is gone", PATIENCE)


def test_filter_without_numbers_waits_for_no_index(server: Server) -> None:
    documents, _ = found(server, q="error at", lines="1", numbers="0")
    assert documents[0]["line"] is None
    answer = filtered(server, "sample", q="error at", numbers="0", before="1", **{"as": "text"})
    assert answer.body == b"3000 a line\nerror at the end\n"
