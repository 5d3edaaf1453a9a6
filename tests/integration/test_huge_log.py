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

SIZES = {"huge": HUGE, "large": 200_000_000}
"""`large` is indexed in a moment, but not in so short a one that it is waited for."""

PATIENCE = 300.0
"""Seconds to wait for a process of the lowest priority."""

MIDDLE, END = b"\nmiddle\n", b"\nlast\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has found the logs `huge` and `large`: five lines each, two of which are very long."""
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
    harness.ask(connection, "GET", path_of("large", TOKEN, "search") + "?q=middle")
    said = [json.loads(line) for line in finish(connection).body.splitlines()]
    assert [event["line"] for event in said if "line" in event] == [3]
    assert said[-1]["done"]
    assert sum(event.get("scanned") == 0 for event in said) <= 10 * (time.monotonic() - since) + 1


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
