"""A log of 10 GB: any place of it is there at once, and line numbers when the index is made.

Nearly all of it is a hole in a file, put into a data directory. Refuses to measure, and to wait for the index of all of it:
what must not wait for the index is asked for before it can be there.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import TOKEN, Server

from .logs import Answer, path_of, request, send, status_of
from .servers import running

HUGE = 10_000_000_000

SIZES = {"huge": HUGE, "large": 600_000_000}
"""`large` is indexed in a moment, but not in so short a one that it is waited for."""

MIDDLE, END = b"\nmiddle\n", b"\nlast\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has found the logs `huge` and `large`: five lines each, two of which are very long."""
    folder = tmp_path_factory.mktemp("data")
    environment = {"LIVELOG_DATA_DIR": str(folder)}
    with running(environment) as server:
        for name in SIZES:
            send(server, name, b"first\n")
    for about in Path(folder).glob("logs/*/*.json"):
        known = json.loads(about.read_text())
        size = SIZES[known["name"]]
        with about.with_suffix(".log").open("r+b") as file:
            file.truncate(size - len(END))
            file.seek(size // 2)
            file.write(MIDDLE)
            file.seek(size - len(END))
            file.write(END)
        about.write_text(json.dumps({**known, "size": size}))
    with running(environment) as server:
        yield server


def ask(server: Server, resource: str, query: str, name: str = "huge") -> Answer:
    """The answer to a question about the log."""
    return request(server.get, "GET", path_of(name, TOKEN, resource) + query)


def test_search_says_a_word_now_and_then_while_lines_are_counted(server: Server) -> None:
    """About ten times a second, which is little even where that takes long."""
    said = [json.loads(line) for line in ask(server, "search", "?q=middle", "large").body.splitlines()]
    assert [event["line"] for event in said if "line" in event] == [3]
    assert said[-1]["done"]
    assert sum(event.get("scanned") == 0 for event in said) < 200


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
