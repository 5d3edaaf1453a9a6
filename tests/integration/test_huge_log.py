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

MIDDLE, END = b"\nmiddle\n", b"\nlast\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has found the log `huge`: five lines, two of which are very long."""
    folder = tmp_path_factory.mktemp("data")
    environment = {"LIVELOG_DATA_DIR": str(folder)}
    with running(environment) as server:
        send(server, "huge", b"first\n")
    [log], [about] = ([*Path(folder).glob(f"logs/*/*.{suffix}")] for suffix in ("log", "json"))
    with log.open("r+b") as file:
        file.truncate(HUGE - len(END))
        file.seek(HUGE // 2)
        file.write(MIDDLE)
        file.seek(HUGE - len(END))
        file.write(END)
    about.write_text(json.dumps({**json.loads(about.read_text()), "size": HUGE}))
    with running(environment) as server:
        yield server


def ask(server: Server, resource: str, query: str) -> Answer:
    """The answer to a question about the log."""
    return request(server.get, "GET", path_of("huge", TOKEN, resource) + query)


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
