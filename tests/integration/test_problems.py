"""Errors and warnings of a log, over HTTP. Which lines are what is shown in the unit tests, and in `docs/problems.md`."""

import contextlib
import http.client
import json
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.harness import PATIENCE, TOKEN, Server, chunk

from .logs import Answer, begin, finish, path_of, request, send, status_of
from .servers import running, wait_until

TRACEBACK = b'Traceback (most recent call last):\n  File "/src/a.py", line 3, in f\n    g()\nValueError: bad\n'


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server."""
    with running() as server:
        yield server


def problems(server: Server, name: str, query: str = "") -> Answer:
    """The answer to a question for problems."""
    return request(server.get, "GET", path_of(name, TOKEN, "problems") + query)


def lines(answer: Answer) -> list[dict[str, Any]]:
    """Lines of JSON."""
    return [json.loads(line) for line in answer.body.splitlines()]


def test_problems_have_lines_places_times_and_counts(server: Server) -> None:
    content = b"start\n" + TRACEBACK + b"a.c:1:2: warning: unused\nfine\n::notice file=a.js,line=7::look\n"
    send(server, "some", content)
    document = problems(server, "some").json
    times = [one.pop("time") for one in document["problems"]]
    assert document == {
        "problems": [
            {"line": 2, "last": 5, "offset": 6, "level": "error", "message": "ValueError: bad", "kind": "exception", "file": "/src/a.py", "row": 3, "column": None},
            {"line": 6, "last": 6, "offset": 6 + len(TRACEBACK), "level": "warning", "message": "unused", "kind": "compiler", "file": "a.c", "row": 1, "column": 2},
            {"line": 8, "last": 8, "offset": len(content) - 32, "level": "notice", "message": "look", "kind": "annotation", "file": "a.js", "row": 7, "column": None},
        ],
        "counts": {"error": 1, "warning": 1, "notice": 1}, "next": None, "indexed": len(content), "more": False,
    }  # fmt: skip
    began = status_of(server, "some")["began"]
    assert all(time[:16] == began[:16] or time > began for time in times)


def test_problems_are_filtered_and_come_in_pages(server: Server) -> None:
    send(server, "paged", b"".join(b"error: e%d\n\nwarning: w%d\n\n" % (number, number) for number in range(20)))

    def messages(query: str) -> tuple[list[str], int | None]:
        document = problems(server, "paged", query).json
        return [one["message"] for one in document["problems"]], document["next"]

    assert messages("?limit=2") == (["e0", "w0"], 2)
    assert messages("?limit=2&skip=38") == (["e19", "w19"], None)
    assert messages("?level=warning&limit=2") == (["w0", "w1"], 5)
    assert messages("?level=error,notice&limit=1&skip=1") == (["e1"], 4)
    assert messages("?from=5&to=7") == (["e1", "w1"], None)
    assert messages("?level=notice") == ([], None)
    assert len(messages("?limit=99999999999999999999")[0]) == 40
    assert problems(server, "paged", "?level=notice").json["counts"] == {"error": 20, "warning": 20, "notice": 0}
    for query in ("?limit=0", "?skip=x", "?from=-1", "?level=fatal", "?level=", "?level=error,", "?limit=x&follow=1"):
        assert problems(server, "paged", query).status == 400, query


def test_problems_come_in_lines_of_json(server: Server) -> None:
    send(server, "lines", b"error: a\n\nwarning: b\n\n" + TRACEBACK)
    answer = problems(server, "lines", "?as=ndjson")
    assert answer["Content-Type"] == "application/x-ndjson"
    *found, end = lines(answer)
    assert [one["message"] for one in found] == ["a", "b", "ValueError: bad"]
    assert end == {
        "done": True,
        "counts": {"error": 2, "warning": 1, "notice": 0},
        "next": None,
        "indexed": 22 + len(TRACEBACK),
        "more": False,
    }
    asked = request(server.get, "GET", path_of("lines", TOKEN, "problems"), "Accept: application/x-ndjson")
    assert lines(asked) == lines(answer)
    *found, end = lines(problems(server, "lines", "?as=ndjson&limit=2"))
    assert ([one["message"] for one in found], end["next"]) == (["a", "b"], 2)
    *found, end = lines(problems(server, "lines", f"?as=ndjson&skip={end['next']}&level=error"))
    assert ([one["message"] for one in found], end["next"]) == (["ValueError: bad"], None)
    assert problems(server, "lines", "?as=json").json["next"] is None
    # A HEAD has the same fields, and is not held open.
    assert (
        request(server.get, "HEAD", path_of("lines", TOKEN, "problems") + "?follow=1")["Content-Type"]
        == "application/x-ndjson"
    )


def test_problems_are_told_as_they_come(server: Server) -> None:
    """Each once it is known where it ends, or nothing has come for a while; and the end."""
    producer = begin(server, "live")
    producer.send(chunk(b"error: a\n" + TRACEBACK[:40]))
    with contextlib.closing(following(server, "live")) as told:
        assert next(told)["message"] == "a"
        producer.send(chunk(TRACEBACK[40:]))
        one = next(told)
        while one["message"] != "ValueError: bad":  # told in the middle of it, on a slow machine
            assert (one["line"], one["last"] < 5) == (2, True)
            one = next(told)
        assert (one["line"], one["last"]) == (2, 5)
        producer.send(chunk(b"fine\nwarning: b"))
        producer.send(chunk(b"\n"))
        assert next(told)["message"] == "b"
        producer.send(chunk(b"last error: c"))
        producer.send(chunk(b""))
        finish(producer)
        assert next(told)["message"] == "last error: c"
        end = next(told)
        assert (end["done"], end["counts"], end["more"]) == (True, {"error": 3, "warning": 1, "notice": 0}, False)
        assert next(told, None) is None


def following(server: Server, name: str) -> Generator[dict[str, Any], None, None]:
    """What a client is told that follows the problems of a log."""
    connection = http.client.HTTPConnection("127.0.0.1", server.get.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", path_of(name, TOKEN, "problems") + "?follow=1")
        answer = connection.getresponse()
        while line := answer.readline():
            yield json.loads(line)


def test_problems_of_a_log_that_grows_are_found_in_what_is_new(server: Server) -> None:
    """A line that has not all come waits until the log has ended."""
    producer = begin(server, "growing")
    size = 0
    for piece, expected in ((b"error: a\nerr", ["a"]), (b"or: b\nfine\n", ["a", "b"]), (b"error: c", ["a", "b"])):
        producer.send(chunk(piece))
        size += len(piece)
        wait_until(lambda size=size: status_of(server, "growing")["size"] == size, "the bytes")  # type: ignore[misc]
        document = problems(server, "growing").json
        assert [one["message"] for one in document["problems"]] == expected
        assert document["more"] == (not piece.endswith(b"\n"))
    producer.send(chunk(b""))
    finish(producer)
    assert [one["message"] for one in problems(server, "growing").json["problems"]] == ["a", "b", "c"]


@pytest.mark.long
def test_all_of_a_large_log_are_counted_and_the_first_ones_are_kept(server: Server) -> None:
    """Also with lines longer than a piece, and in a log that says in which encoding it is."""
    send(
        server,
        "large",
        (b"x" * 200_000 + b"\n") + b"error: a\nfine\n" * 12_000,
        "Content-Type: text/plain; charset=windows-1252",
    )
    wait_until(
        lambda: problems(server, "large", "?limit=1").json["counts"]["error"] == 12_000, "all are counted", PATIENCE
    )
    document = problems(server, "large").json
    assert (len(document["problems"]), document["next"], document["more"]) == (10_000, None, True)
    assert [document["problems"][place]["line"] for place in (0, -1)] == [2, 20_000]
    assert len(lines(problems(server, "large", "?as=ndjson"))) == 10_001


def test_question_is_as_for_the_status(server: Server) -> None:
    send(server, "plain", b"no problem\n")
    answer = problems(server, "plain")
    assert (answer["Access-Control-Allow-Origin"], answer["Cache-Control"], answer["Livelog-State"]) == (
        "*",
        "no-store",
        "complete",
    )
    assert answer["ETag"] == f'"{status_of(server, "plain")["generation"]}"'
    assert answer.json["problems"] == []
    assert request(server.get, "GET", path_of("plain", "wrong", "problems")).status == 401
    assert problems(server, "nothing").status == 404
