"""Filters that follow a log while it is written.

Categories: what comes, and the end · times · many filters of one log · patterns that take for ever, and processes that are killed.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.conformance.link import Connection
from tests.conformance.wire import AnswerParser, Ending
from tests.harness import PATIENCE, TOKEN, Server, ask, children, chunk

from .logs import Answer, begin, finish, path_of, request, send, status_of
from .servers import running, wait_until


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        yield server


def following(server: Server, name: str, **query: object) -> Connection:
    """A filter that follows a log."""
    connection = Connection(server.get, 60.0)
    ask(connection, "GET", path_of(name, TOKEN, "search") + "?" + urlencode({"follow": 1, **query}))
    assert connection.wait_head().status == 200
    return connection


def documents(answer: Answer) -> list[dict[str, Any]]:
    """What is told, progress apart, which a slow machine tells of a small log, too."""
    return [document for document in map(json.loads, answer.body.splitlines()) if "scanned" not in document]


def told(answer: Answer | AnswerParser) -> int:
    """How many lines have come, progress apart."""
    lines = answer.body.splitlines(keepends=True)
    return sum(line.endswith(b"\n") and b'"scanned"' not in line for line in lines)


def workers(server: Server) -> list[int]:
    """The processes that search."""
    return children(server.pid)


@pytest.mark.parametrize("query", [{"q": "needle"}, {"q": "ne+dle", "regex": "1"}])
def test_filter_tells_lines_as_they_come_and_the_last_one_when_the_log_ends(
    server: Server, query: dict[str, str]
) -> None:
    producer = begin(server, "growing")
    producer.send(chunk(b"one\nneedle 2\nthree\n"))
    wait_until(
        lambda: request(server.get, "GET", path_of("growing", TOKEN) + "?follow=0").body.endswith(b"three\n"), "it"
    )
    text = following(server, "growing", **query, before="1", **{"as": "text"})
    lines = following(server, "growing", **query, lines="1")
    text.wait(lambda answer: answer.body == b"1-one\n2:needle 2\n", "what there is")
    producer.send(chunk(b"four\nnee"))
    producer.send(chunk(b"dle 5\n"))
    text.wait(lambda answer: answer.body.endswith(b"2:needle 2\n--\n4-four\n5:needle 5\n"), "what has come")
    producer.send(chunk(b"6 needle at the end"))
    reader = Connection(server.get, 60.0)
    ask(reader, "GET", path_of("growing", TOKEN) + "?follow=0")
    producer.send(chunk(b""))
    finish(producer)
    finish(reader)
    answer = finish(text)
    assert (answer.ending, answer.body[-30:]) == (Ending.CLEAN, b"needle 5\n6:6 needle at the end\n"[-30:])
    *found, last = documents(finish(lines))
    assert [(one["line"], one["text"]) for one in found] == [
        (2, "needle 2"),
        (5, "needle 5"),
        (6, "6 needle at the end"),
    ]
    assert last == {"done": True, "hits": 3, "next": None, "state": "complete"}


def test_filter_of_a_log_that_is_aborted_says_so(server: Server) -> None:
    producer = begin(server, "aborted")
    producer.send(chunk(b"needle 1\nneedle"))
    text = following(server, "aborted", q="needle", **{"as": "text"})
    lines = following(server, "aborted", q="needle")
    text.wait(lambda answer: answer.body == b"1:needle 1\n", "what there is")
    producer.reset()
    answer = finish(text)
    assert (answer.body, answer.ending is Ending.CLEAN) == (b"1:needle 1\n2:needle\n", False)
    last = documents(finish(lines))[-1]
    assert (last["done"], last["hits"], last["state"]) == (True, 2, "aborted")


def test_filter_ends_with_its_limit_and_counts_from_where_it_begins(server: Server) -> None:
    producer = begin(server, "limited")
    producer.send(chunk(b"a\n" * 10))
    wait_until(lambda: status_of(server, "limited")["size"] == 20, "all of it")
    lines = following(server, "limited", q="a", limit="12", lines="1", **{"from": 16})
    lines.wait(lambda answer: told(answer) == 2, "what there is")
    producer.send(chunk(b"a\n" * 20))
    *found, last = documents(finish(lines))
    assert [one["line"] for one in found] == [*range(9, 21)]
    assert last == {"done": True, "hits": 12, "next": 40}
    producer.send(chunk(b""))
    finish(producer)


def test_lines_can_be_chosen_by_the_time_at_which_they_came(server: Server) -> None:
    producer = begin(server, "timed")
    lines = following(server, "timed", q="line", lines="1")
    for number in range(4):
        began = time.monotonic()
        producer.send(chunk(b"line %d\n" % number))
        lines.wait(lambda answer, number=number: told(answer) > number, "the line")  # type: ignore[misc]
        # Times are told to 10 ms: lines that come within that have the same.
        wait_until(lambda began=began: time.monotonic() > began + 0.03, "the next line's own time")  # type: ignore[misc]
    producer.send(chunk(b""))
    finish(producer)
    *found, _ = documents(finish(lines))
    times = [one["time"] for one in found]
    assert times == sorted(set(times))
    for first, stop, follow in ((0, 2, 0), (1, 3, 1), (2, 2, 0), (3, 3, 1)):
        query = f"?q=line&dir=forward&since={times[first]}&until={times[stop]}&context=9&follow={follow}"
        *some, _ = documents(request(server.get, "GET", path_of("timed", TOKEN, "search") + query))
        assert [one["line"] for one in some if "line" in one] == [*range(first + 1, stop + 1)]


@pytest.mark.long
def test_filters_of_one_log_share_a_process_and_one_that_takes_for_ever_is_alone(server: Server) -> None:
    producer = begin(server, "shared")
    producer.send(chunk(b"begin\n"))
    with contextlib.ExitStack() as stack:
        filters = []
        for number in range(12):
            connection = following(server, "shared", q=f"needle ?{number} ", regex="1")
            stack.enter_context(contextlib.closing(connection))
            filters.append(connection)
        slow = stack.enter_context(contextlib.closing(following(server, "shared", q="(x+x+)+y", regex="1")))
        producer.send(chunk(b"x" * 40 + b"\n" + b"".join(b"needle %d \n" % number for number in range(12))))
        for number, connection in enumerate(filters):
            connection.wait(lambda answer: told(answer) == 1, "the line")
            assert documents(connection.answer())[0]["line"] == 3 + number  # type: ignore[arg-type]
        last = documents(finish(slow))[-1]
        assert "takes too long" in last["error"]
        assert len(workers(server)) <= 2
        producer.send(chunk(b"needle 3 again\n"))
        filters[3].wait(lambda answer: told(answer) == 2, "the next one")
    wait_until(
        lambda: len(workers(server)) <= 1, "the process has left with its clients", PATIENCE
    )  # one may be kept, for texts
    producer.send(chunk(b""))
    finish(producer)


def test_filter_that_breaks_off_goes_on_behind_its_last_line(server: Server) -> None:
    """No line twice, and none left out: `from` is where the last line ended."""
    producer, found, place = begin(server, "cut"), list[str](), 0
    for number in range(5):
        with contextlib.closing(
            following(server, "cut", q="needle", lines="1", numbers="0", **{"from": place})
        ) as lines:
            producer.send(chunk(b"".join(b"needle %d.%d\nhay\n" % (number, each) for each in range(8))))
            # It is cut before all has come, or behind it; the last one has the rest.
            wanted = 3 if number < 4 else 40 - len(found)
            lines.wait(lambda answer, wanted=wanted: told(answer) >= wanted, "some lines")  # type: ignore[misc]
            body = lines.answer().body
        for one in map(json.loads, body[: body.rindex(b"\n")].splitlines()):
            if "scanned" in one:
                continue
            found.append(one["text"])
            place = one["start"] + len(one["text"]) + 1
    assert found == [f"needle {number}.{each}" for number in range(5) for each in range(8)]
    producer.send(chunk(b""))
    finish(producer)


def test_filter_whose_process_is_killed_goes_on_or_says_that_it_does_not(server: Server) -> None:
    """Between two lines it needs none; while it is asked, its end is an error. Never does it end as if there were no more lines."""
    producer = begin(server, "killed")
    producer.send(chunk(b"needle 1\nhay\n"))
    lines = following(server, "killed", q="ne+dle", regex="1", lines="1")
    lines.wait(lambda answer: told(answer) == 1, "the first line")
    for process in workers(server):
        os.kill(process, signal.SIGKILL)
    producer.send(chunk(b"needle 3\n"))
    again = following(server, "killed", q="ne+dle", regex="1", lines="1", **{"from": 9})
    again.wait(lambda answer: told(answer) == 1, "the line that came meanwhile")
    assert documents(again.answer())[0]["line"] == 3  # type: ignore[arg-type]
    again.close()
    producer.send(chunk(b""))
    finish(producer)
    *some, last = documents(finish(lines))
    if "error" in last:
        assert ([one["line"] for one in some], last["hits"], "search again" in last["error"]) == ([1], None, True)
    else:
        assert ([one["line"] for one in some], last["hits"], last["state"]) == ([1, 3], 2, "complete")


@pytest.mark.parametrize("query", ["follow=1&dir=back", "since=yesterday", "until=2026-11-25T05:26:53"])
def test_what_cannot_be_followed_is_refused(server: Server, query: str) -> None:
    send(server, "any", b"x\n")
    answer = request(server.get, "GET", path_of("any", TOKEN, "search") + "?q=x&" + query)
    assert (answer.status, answer.body.count(b"\n")) == (400, 1)
