"""Searching a log: hits as they are found, on the wire, and what a search must not do to others.

Categories: hits, in order, with all they tell · progress and continuation · requests that are refused · clients that leave,
patterns that never end, too many searches · readers beside searches. What matches is shown in the unit tests.
"""

import contextlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.conformance.link import Connection
from tests.conformance.wire import Ending
from tests.harness import PATIENCE, TOKEN, Server, ask, children, chunk
from tests.sample import sample

from .logs import begin, finish, follow, path_of, request, send
from .servers import running, wait_until

LINES = [
    b"line %d \x1b[3%dmof\x1b[0m many%s\n" % (number, number % 8, b" with Error" * (number % 50 == 0))
    for number in range(1, 50_001)
]

SAMPLE = b"".join(LINES)

LARGE = 300_000_000
"""Bytes that take longer to search than to ask."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with the log `sample`, and one, `large`, in which nothing can be found soon."""
    with running() as server:
        send(server, "sample", SAMPLE)
        producer = begin(server, "large")
        block = (b"x" * 99 + b"\n") * 50_000
        for _ in range(LARGE // len(block)):
            producer.send(chunk(block))
        producer.send(chunk(b""))
        assert finish(producer).status == 201
        yield server


LONG = "?q=x*%5B0-9%5D&regex=1&dir=forward"
"""A search of `large` that takes a minute."""


def begin_search(server: Server, name: str, query: str) -> Connection:
    """A search that has been asked for."""
    connection = Connection(server.get, PATIENCE)
    ask(connection, "GET", path_of(name, TOKEN, "search") + query)
    return connection


def search(server: Server, name: str, query: str) -> tuple[list[Any], list[Any], Any]:
    """The hits, the words about progress, and the last word."""
    answer = finish(begin_search(server, name, query))
    assert (answer.status, answer["Content-Type"]) == (200, "application/x-ndjson"), answer.body
    assert (answer["Cache-Control"], answer["X-Accel-Buffering"], answer.ending) == ("no-store", "no", Ending.CLEAN)
    *documents, last = [json.loads(line) for line in answer.body.splitlines()]
    assert "done" in last
    return [one for one in documents if "line" in one], [one for one in documents if "scanned" in one], last


def workers(server: Server) -> set[int]:
    """The processes that search."""
    return {*children(server.pid)}


def test_hits_tell_line_place_and_text_the_last_first(server: Server) -> None:
    """And the last word tells that this was all."""
    hits, _, last = search(server, "sample", "?q=MANY%20with%20error")
    numbers = [*range(50_000, 0, -50)]
    assert [hit["line"] for hit in hits] == numbers
    assert last == {"done": True, "hits": 1000, "next": None} | {"next": last["next"]}
    for hit in hits[::100]:
        raw = LINES[hit["line"] - 1]
        assert hit == {
            "line": hit["line"],
            "start": (start := len(b"".join(LINES[: hit["line"] - 1]))),
            "offset": start + raw.index(b"many"),
            "length": len("many with Error"),
            "text": f"line {hit['line']} of many with Error",
            "time": hit["time"],
        }


@pytest.mark.parametrize("direction", sample(["back", "forward"], "back"))
def test_search_finds_as_many_lines_as_grep(server: Server, tmp_path: Path, direction: str) -> None:
    """In either direction, in pages of any size."""
    (tmp_path / "log").write_bytes(SAMPLE)
    for text, options in (("Error", ""), ("line 4", "&case=1"), ("9[0-4]+ ", "&regex=1&case=1")):
        counted = subprocess.run(
            ["grep", "-aicE" if not options else "-acE", text, tmp_path / "log"], capture_output=True, check=True
        )
        found: list[int] = []
        page, query = "", f"?q={quote(text)}{options}&dir={direction}&limit=3000"
        while True:
            hits, _, last = search(server, "sample", query + page)
            found += [hit["line"] for hit in hits]
            assert last["hits"] == len(hits)
            if last["next"] is None:
                break
            page = f"&from={last['next']}"
        assert found == sorted(found, reverse=direction == "back")
        assert len(set(found)) == int(counted.stdout)


def test_search_of_much_tells_how_far_it_is(server: Server) -> None:
    """Sooner than it ends, and never more than there is."""
    hits, words, last = search(server, "large", "?q=nowhere")
    assert (hits, last) == ([], {"done": True, "hits": 0, "next": None})
    assert words
    size = words[0]["of"]
    assert [word["scanned"] for word in words] == sorted(word["scanned"] for word in words)
    assert {word["of"] for word in words} == {size}
    assert words[-1]["scanned"] <= size


def test_search_looks_at_what_there_is_when_it_begins(server: Server) -> None:
    """A log that grows is searched, too."""
    producer = begin(server, "growing")
    reader = follow(server, "growing")
    producer.send(chunk(b"one needle\ntwo need"))
    reader.wait(lambda answer: len(answer.body) == 19, "what was sent")
    assert [hit["line"] for hit in search(server, "growing", "?q=needle")[0]] == [1]
    producer.send(chunk(b"le\n"))
    reader.wait(lambda answer: len(answer.body) == 22, "what was sent")
    assert [hit["line"] for hit in search(server, "growing", "?q=needle")[0]] == [2, 1]
    producer.send(chunk(b""))
    finish(producer)
    finish(reader)


def test_search_over_http_1_0_and_by_head(server: Server) -> None:
    """The one ends with its connection, the other has no body."""
    with contextlib.closing(server.connect()) as connection:
        ask(connection, "GET", path_of("sample", TOKEN, "search") + "?q=line%2049999", version="1.0")
        answer = connection.wait_end()
        assert json.loads(answer.body.splitlines()[-1])["done"]
    head = request(server.get, "HEAD", path_of("sample", TOKEN, "search") + "?q=x")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(
    "query",
    [
        "", "?q=", "?q=" + "x" * 1001, "?q=a%0Ab", "?q=x&dir=up", "?q=x&limit=0", "?q=x&limit=x", "?q=x&from=-1",
        "?q=(&regex=1", "?q=*&regex=1",
    ],
)  # fmt: skip
def test_search_for_nothing_that_can_be_found_is_refused(server: Server, query: str) -> None:
    """With 400 and a line that says why."""
    answer = request(server.get, "GET", path_of("sample", TOKEN, "search") + query)
    assert (answer.status, answer.body.count(b"\n")) == (400, 1)


def test_client_that_leaves_stops_its_search(server: Server) -> None:
    """The process is gone, and so it is when the client has only said that it sends no more."""
    for leave in (Connection.close, Connection.reset, Connection.finish_sending):
        connection = begin_search(server, "large", LONG)
        connection.wait(lambda answer: len(answer.body) > 0, "word about progress")
        leave(connection)
        wait_until(lambda: not workers(server), "the process is gone", PATIENCE)
        connection.close()


def test_hits_without_number_in_one_long_line_are_found(server: Server) -> None:
    """The text is simple, and so it is not told to take too long."""
    content = b"minified" * 250_000
    send(server, "minified", content)
    for direction, offsets in (("back", range(len(content) - 2, 0, -8)), ("forward", range(6, len(content), 8))):
        hits, _, last = search(server, "minified", f"?q=e&dir={direction}&limit=10000")
        assert [hit["offset"] for hit in hits] == list(offsets[:10_000])
        assert last == {"done": True, "hits": 10_000, "next": offsets[9_999] + (direction == "forward")}


def test_pattern_that_never_ends_is_told_to_be_one(server: Server) -> None:
    """And others are served meanwhile."""
    slow = begin_search(server, "large", "?q=(x%2Bx%2B)%2By&regex=1")
    wait_until(lambda: len(workers(server)) == 1, "the search has begun", PATIENCE)
    assert len(search(server, "sample", "?q=error")[0]) == 1000
    answer = finish(slow)
    last = json.loads(answer.body.splitlines()[-1])
    assert last == {"done": True, "hits": None, "next": None, "error": "this pattern takes too long: use a simpler one"}
    # One that has counted lines meanwhile is kept for some seconds.
    wait_until(lambda: not workers(server), "no process is left", PATIENCE)


def test_searches_beyond_some_wait_and_beyond_more_are_refused(server: Server) -> None:
    """Four at a time, sixteen that wait, and readers get their lines beside them."""
    producer = begin(server, "beside")
    reader = follow(server, "beside")
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(contextlib.closing(begin_search(server, "large", LONG)))
            assert connection.wait_head().status == 200
        wait_until(lambda: len(workers(server)) == 4, "as many as there may be", PATIENCE)
        answer = request(server.get, "GET", path_of("large", TOKEN, "search") + "?q=x")
        assert (answer.status, answer["Retry-After"]) == (503, "1")
        for number in range(1, 20):
            producer.send(chunk(b"%d\n" % number))
            reader.wait(lambda answer, number=number: answer.body.endswith(b"%d\n" % number), "the line")  # type: ignore[misc]
    wait_until(lambda: not workers(server), "all have left", PATIENCE)
    assert search(server, "sample", "?q=line%2049999")[2]["hits"] == 1
    producer.send(chunk(b""))
    finish(producer)
    finish(reader)


def told_by_processes(server: Server) -> bytes:
    """What everybody can see of the processes that search: their arguments and environment."""
    return b"".join(
        Path(f"/proc/{worker}/{what}").read_bytes() for worker in workers(server) for what in ("cmdline", "environ")
    )


def test_process_that_searches_has_no_secrets(server: Server) -> None:
    """Neither the tokens nor what is searched for can be seen by others."""
    with contextlib.closing(begin_search(server, "large", LONG.replace("%5B", "verysecret%7Cx*%5B"))):
        wait_until(lambda: b"livelog.lines.scanner" in told_by_processes(server), "it has begun", PATIENCE)
        seen = told_by_processes(server)
        assert TOKEN.encode() not in seen
        assert b"verysecret" not in seen
