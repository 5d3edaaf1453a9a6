"""A log of 10 GB: any place of it is there at once, and line numbers when the index is made.

Nearly all of it is a hole in a file. Refuses to measure, and to wait for the index of all of it: what must not wait for the
index is asked for before it can be there.
"""

import json
import time
from collections.abc import Iterator

import pytest

from tests import harness
from tests.conformance.link import Connection
from tests.harness import TOKEN, Server

from .holes import make_huge
from .logs import Answer, finish, path_of, request, status_of
from .servers import running

HUGE = 10_000_000_000

SIZES = {"huge": HUGE, "large": 200_000_000, "uncounted1": 200_000_000, "uncounted2": 200_000_000}
"""All but the first are indexed in a moment, but not in so short a one that it is waited for."""

PATIENCE = 300.0
"""Seconds to wait for a process of the lowest priority."""

MIDDLE, END = b"\nmiddle\n", b"\nlast\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has found the logs `huge`, `large` and so on: five lines each, two of which are very long."""
    folder = tmp_path_factory.mktemp("data")
    for name, size in SIZES.items():
        make_huge(folder, name, size, ((0, b"first\n"), (size // 2, MIDDLE), (size - len(END), END)))
    with running({"LIVELOG_DATA_DIR": str(folder)}) as server:
        yield server


def ask(server: Server, resource: str, query: str, name: str = "huge") -> Answer:
    """The answer to a question about the log."""
    return request(server.get, "GET", path_of(name, TOKEN, resource) + query)


def test_search_says_a_word_now_and_then_while_lines_are_counted(server: Server) -> None:
    """At most ten times a second."""
    since = time.monotonic()
    connection = Connection(server.get, PATIENCE)
    harness.ask(connection, "GET", path_of("large", TOKEN, "search") + "?q=middle&numbers=1")
    said = [json.loads(line) for line in finish(connection).body.splitlines()]
    assert [event["line"] for event in said if "line" in event] == [3]
    assert said[-1]["done"]
    assert sum(event.get("scanned") == 0 for event in said) <= 10 * (time.monotonic() - since) + 1


@pytest.mark.parametrize(
    ("path", "named"),
    [(f"/search/{TOKEN}/uncounted1?q=middle", {}), (f"/search/{TOKEN}?q=middle&prefix=uncounted2", {"name": "uncounted2"})],
)  # fmt: skip
def test_number_of_a_match_comes_with_it_or_thereafter(server: Server, path: str, named: dict[str, str]) -> None:
    """In a search of many logs, too, where numbers are no hits. The next search has the number at once."""
    told = []
    for _ in range(2):
        connection = Connection(server.get, PATIENCE)
        harness.ask(connection, "GET", path)
        told.append([json.loads(line) for line in finish(connection).body.splitlines()])
    for said in told:
        assert (said[-1]["done"], said[-1]["hits"]) == (True, 1)
        [hit] = [event for event in said if "start" in event]
        numbers = [event for event in said if "numbers" in event]
        assert all(named.items() <= event.items() for event in (hit, *numbers))
        later = {start: line for event in numbers for start, line in event["numbers"]}
        assert (hit["line"] or later[hit["start"]]) == 3
        assert (hit["line"] is None) is bool(numbers)
    assert hit["line"] == 3


def test_match_in_a_log_whose_lines_were_not_counted_is_sent_at_once(server: Server) -> None:
    """Its number is not known yet. Nobody waits for it."""
    connection = Connection(server.get, PATIENCE)
    harness.ask(connection, "GET", path_of("huge", TOKEN, "search") + "?q=last&limit=2")
    connection.wait(lambda answer: b'"text": "last"' in answer.body, "the match")
    hit = next(line for line in connection.answer().body.splitlines() if b'"start"' in line)
    assert json.loads(hit)["line"] is None
    connection.close()


def test_any_place_of_a_huge_log_is_there_at_once(server: Server) -> None:
    """Answers wait for no index, and say nothing that they do not know."""
    assert status_of(server, "huge")["lines"] is None
    for query, body in (
        ("?tail=1", b"last\n"),
        (f"?at={HUGE - 2}", b"last\n"),
        (f"?at={HUGE // 2 + 3}&count=1", b"middle\n"),
        ("?time=0&count=1", b"first\n"),
    ):
        answer = ask(server, "lines", query)
        assert (answer.body, answer["Livelog-Size"]) == (body, str(HUGE))
        assert not {"Livelog-First-Line", "Livelog-Lines", "Livelog-Style"} & {name for name, _ in answer.head.fields}
    assert status_of(server, "huge")["lines"] is None


def test_server_stops_in_the_middle_of_an_index(server: Server) -> None:
    """Nobody waits for what nobody needs any more."""
    ask(server, "lines", "?tail=1")
    assert server.stop() == 0
