"""The process that looks at lines: hostile patterns, processes that die, clients that do not read and clients that have left.

Categories: patterns · processes that are killed · turns · work after its client has left · answers of a bounded size.
"""

import contextlib
import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.conformance.link import Connection
from tests.conformance.wire import Ending
from tests.harness import PATIENCE, TOKEN, Server, ask, children, chunk
from tests.sample import one_of

from .holes import make_huge
from .logs import Answer, begin, finish, path_of, request, send, status_of
from .servers import elapse, running, wait_until

COLOURED = b"\x1b[32mok\x1b[39m a line of a log\n" * 30_000
"""Bytes that take long to index."""

HUGE = 10**12
"""Bytes of a log that takes an hour to look at, on any machine."""


def store(server: Server, name: str, block: bytes, times: int) -> None:
    """A log of one block many times."""
    producer = begin(server, name)
    for _ in range(times):
        producer.send(chunk(block))
    producer.send(chunk(b""))
    assert finish(producer).status == 201


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with a small log, one that takes long to search, and one with a line that never ends."""
    with running() as server:
        send(server, "small", b"one\ntwo\nthree\n")
        send(server, "lines", (b"x" * 99 + b"\n") * 15_000)
        store(server, "large", (b"x" * 99 + b"\n") * 50_000, 40)
        store(server, "endless", b"x" * 5_000_000, 40)
        yield server


def patiently(server: Server, resource: str, name: str, query: str, method: str = "GET") -> Answer:
    """The answer to a question that may wait for a process."""
    connection = Connection(server.get, PATIENCE)
    ask(connection, method, path_of(name, TOKEN, resource) + query)
    return finish(connection)


def found(server: Server, name: str, query: str) -> list[Any]:
    """What is told of a search, progress apart, which a slow machine tells of a small log, too."""
    answer = patiently(server, "search", name, query)
    assert (answer.status, answer.ending) == (200, Ending.CLEAN), answer.body
    return [document for document in map(json.loads, answer.body.splitlines()) if "scanned" not in document]


def processes(server: Server) -> list[int]:
    """The processes that look at lines."""
    return children(server.pid)


def bytes_read(server: Server) -> int:
    """How many bytes the server and its processes have read so far, from files and sockets."""
    total = 0
    for pid in (server.pid, *processes(server)):
        with contextlib.suppress(OSError):
            total += int(re.findall(r"rchar: (\d+)", Path(f"/proc/{pid}/io").read_text())[0])
    return total


@contextlib.contextmanager
def pinged(server: Server, limit: float) -> Iterator[None]:
    """No question to the other port waits for longer than `limit` seconds meanwhile."""
    stop, waits = threading.Event(), []

    def ping() -> None:
        while not stop.is_set():
            since = time.monotonic()
            assert request(server.put, "GET", "/healthz").status == 200
            waits.append(time.monotonic() - since)
            stop.wait(0.02)

    thread = threading.Thread(target=ping)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert waits
    assert max(waits) < limit, f"{max(waits):.3f} s"


# Patterns.


@pytest.mark.parametrize(
    "pattern",
    one_of(
        5,
        [
            r"[\0-\uffff]" * 90,
            "(a?){30}" * 60,
            "(?:" * 120 + "x" + ")*" * 120,
            "x{1000}" * 100,
            "(?:x{1000}){1000}",
            "(?:(?:(?:x{60000}){60000}){60000}){60000}",
            "((((((x{0,9}){0,9}){0,9}){0,9}){0,9}){0,9}){0,9}y",
            "(x+x+)+y",
            "(" * 300,
            "x{99999999999}",
            "(?<%\x1b",
            "(?P<n>x)(?P<n>x)",
            r"(?i)\d(?i)",
            "[[a]",
            "\udcff(",
        ],
    ),
)
def test_pattern_of_any_kind_gets_an_answer_and_holds_nobody_up(server: Server, pattern: str) -> None:
    """A 400 of one line that can be shown, or a whole answer whose last line says how it ended."""
    query = "?regex=1&q=" + quote(pattern.encode("utf-8", "surrogateescape"))
    with pinged(server, 1.0):
        answer = patiently(server, "search", "lines", query + "&limit=3")
    if answer.status == 400:
        assert answer.body.endswith(b"\n")
        assert answer.body[:-1].decode().isprintable()
    elif answer.status == 503:  # beside load the process has the processor for a hundredth of the time, or less
        assert b"could not begin within 30 s" in answer.body
    else:
        assert (answer.status, answer.ending) == (200, Ending.CLEAN), answer.body[:300]
        last = json.loads(answer.body.splitlines()[-1])
        assert last["done"]
        assert ("error" in last) == (last["hits"] is None)
    assert [hit.get("line") for hit in found(server, "small", "?q=two")] == [2, None]


def test_pattern_that_needs_much_memory_is_told_to(server: Server) -> None:
    """The process has a limit, and the server grows by little."""
    documents = found(server, "endless", "?regex=1&limit=1&q=" + quote("(?:(x)|(y)|(z))*w"))
    assert documents[-1]["hits"] is None
    assert documents[-1]["error"].startswith("this pattern ")


def test_what_is_no_pattern_is_refused_in_words_that_can_be_shown(server: Server) -> None:
    """Also while all turns are taken; nothing of the client's reaches a terminal as it came."""
    with contextlib.ExitStack() as stack:
        for taken in range(5):
            for query in ("(?<%1b", "(?P%3Ca%0d%3E", "%5B%07"):
                answer = patiently(server, "search", "large", f"?regex=1&q={query}")
                assert answer.status == 400
                assert answer.body.decode().strip().isprintable()
                assert answer.body.startswith(b"this is not a valid regular expression: ")
            connection = stack.enter_context(contextlib.closing(server.connect()))
            ask(connection, "GET", path_of("large", TOKEN, "search") + "?q=x*%5B0-9%5D&regex=1&dir=forward")
            assert connection.wait_head().status == 200, taken
    assert "\x1b" not in server.log()


# Processes that are killed.


def test_search_whose_process_is_killed_says_so_and_the_next_one_works(server: Server) -> None:
    """In the last line of its answer."""
    connection = Connection(server.get, PATIENCE)
    ask(connection, "GET", path_of("large", TOKEN, "search") + "?q=x*%5B0-9%5D&regex=1&dir=forward")
    connection.wait(lambda answer: len(answer.body) > 0, "word about progress")
    for process in processes(server):
        os.kill(process, signal.SIGKILL)
    answer = finish(connection)
    last = json.loads(answer.body.splitlines()[-1])
    assert (last["done"], last["hits"], last["next"]) == (True, None, None)
    assert "exit code -9" in last["error"]
    assert found(server, "small", "?q=three")[0]["line"] == 3


def test_lines_whose_process_is_killed_are_an_error_and_then_they_are_right() -> None:
    """Never an empty answer at the end of the log."""
    with running() as server:
        store(server, "coloured", COLOURED, 12)
        for resource, query in (("lines", "?from=200000&count=1"), ("groups", "")):
            connection = Connection(server.get, PATIENCE)
            ask(connection, "GET", path_of("coloured", TOKEN, resource) + query)
            wait_until(lambda: bool(processes(server)), "a process", PATIENCE)
            for process in processes(server):
                os.kill(process, signal.SIGKILL)
            answer = finish(connection)
            assert (answer.status, answer["Retry-After"]) == (503, "1"), resource
        answer = patiently(server, "lines", "coloured", "?from=200000&count=1")
        assert (answer.status, answer["Livelog-First-Line"]) == (200, "200000")
        assert answer["Livelog-Offset"] == str(199_999 * len(COLOURED) // 30_000)


# Turns.


def test_clients_that_do_not_read_hold_no_turn_and_lose_nothing(server: Server) -> None:
    """Five of them, with more hits than their sockets take; others are served, and then they get all."""
    store(server, "hits", b"".join(b"%0900d\n" % number for number in range(10_000)), 1)
    query = path_of("hits", TOKEN, "search") + "?q=0&dir=forward&limit=10000&case=1&regex=1".replace("q=0", "q=%5E0")
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(contextlib.closing(Connection(server.get, PATIENCE))) for _ in range(5)]
        for connection in slow:
            ask(connection, "GET", query)
        assert [hit.get("line") for hit in found(server, "small", "?q=two")] == [2, None]
        wait_until(lambda: not processes(server), "nobody computes", PATIENCE)
        assert [hit.get("line") for hit in found(server, "small", "?q=three")] == [3, None]
        for connection in slow:
            answer = finish(connection)
            documents = [json.loads(line) for line in answer.body.splitlines()]
            assert [one["line"] for one in documents if "line" in one] == [*range(1, 10_001)]
            assert documents[-1]["hits"] == 10_000


def test_searches_that_were_left_give_nobody_an_error(server: Server) -> None:
    """However many, before, while and after they had a turn; and their processes are gone."""
    for wait in (False, True):
        connections = []
        for _ in range(40):
            connection = server.connect()
            ask(connection, "GET", path_of("large", TOKEN, "search") + "?q=x*%5B0-9%5D&regex=1&dir=forward")
            connections.append(connection)
            if wait and len(connections) <= 4:
                connection.wait_head()
            if not wait or len(connections) >= 20:
                connections.pop(0).close()
        for connection in connections:
            connection.close()
        assert [hit.get("line") for hit in found(server, "small", "?q=two")] == [2, None]
        wait_until(lambda: not processes(server), "their processes are gone", PATIENCE)


@pytest.mark.long
def test_search_that_lasts_lets_others_have_their_turn(server: Server) -> None:
    """Six searches that take minutes, and one that takes a moment."""
    with contextlib.ExitStack() as stack:
        for _ in range(6):
            connection = stack.enter_context(contextlib.closing(Connection(server.get, PATIENCE)))
            ask(connection, "GET", path_of("large", TOKEN, "search") + "?q=x*%5B0-9%5D&regex=1&dir=forward")
            assert connection.wait_head().status == 200
        assert [hit.get("line") for hit in found(server, "small", "?q=two")] == [2, None]


# Work after its client has left.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a log of one huge line."""
    folder = tmp_path_factory.mktemp("data")
    make_huge(folder, "huge", HUGE, [(HUGE - 1, b"\n")])
    return folder


def works(pid: int) -> bool:
    """Whether a process runs, waits for the processor, or waits for the disk."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "RD"
    except OSError:
        return False


def read_until_still(server: Server) -> int:
    """How many bytes the server and its processes have read once none of them works any more."""
    seen = [-1]

    def still() -> bool:
        elapse(0.3)
        seen.append(bytes_read(server))
        return seen[-1] == seen[-2] and not any(works(pid) for pid in (server.pid, *processes(server)))

    wait_until(still, "nobody works", PATIENCE)
    return seen[-1]


@pytest.mark.parametrize(
    ("resource", "query"),
    one_of(
        5,
        [
            ("log", "?tail=99999999999"),
            ("log", "?tail=1"),
            ("log", "?tail=99999999999&follow=0"),
            ("lines", "?tail=99999999999"),
            ("lines", "?from=99999999"),
            ("lines", f"?at={HUGE // 2}&count=1"),
            ("lines", "?time=0"),
            ("groups", ""),
            ("search", "?q=nothing"),
            ("search", "?q=nothing&from=1000000"),
            ("search", "?q=nothing&dir=forward"),
            ("search", "?q=n.*g&regex=1"),
            ("search", "?errors=1"),
            ("events", ""),
            ("status", f"?wait=60&size={HUGE}"),
        ],
    ),
)
def test_no_work_is_done_for_clients_that_have_left(folder: Path, resource: str, query: str) -> None:
    """Clients close at once, reset at once, and leave a moment later. What they asked for would take an hour."""
    with running({"LIVELOG_DATA_DIR": str(folder)}) as server:
        before = bytes_read(server)
        connections = [server.connect() for _ in range(8)]
        for connection, leave in zip(connections[:4], (Connection.close, Connection.reset) * 2, strict=True):
            ask(connection, "GET", path_of("huge", TOKEN, resource) + query)
            leave(connection)
        for connection in connections[4:]:
            ask(connection, "GET", path_of("huge", TOKEN, resource) + query)
        assert status_of(server, "huge")["size"] == HUGE
        for connection, leave in zip(connections[4:], (Connection.close, Connection.reset) * 2, strict=True):
            leave(connection)
        assert read_until_still(server) - before < HUGE // 10
        assert len(processes(server)) <= 1


def test_index_is_not_made_for_clients_that_may_have_left(folder: Path) -> None:
    """Who has ended its side gets what takes no index, and is not expected to ask again for what does."""
    with running({"LIVELOG_DATA_DIR": str(folder)}) as server:
        before = bytes_read(server)
        for resource in ("lines", "status") * 3:
            connection = server.connect()
            connection.cork()  # else a busy machine may answer before the end has come, as it then should
            ask(connection, "GET", path_of("huge", TOKEN, resource) + "?tail=1")
            connection.finish_sending()
            assert finish(connection).status == 200
        assert read_until_still(server) - before < 50_000_000


# Answers of a bounded size.


def test_tail_of_a_log_is_bounded_as_lines_are(server: Server) -> None:
    """Ten thousand lines, 4 MiB of whole lines, or the end of one that is longer."""
    send(server, "many", b"a line\n" * 30_000)
    answer = request(server.get, "GET", path_of("many", TOKEN) + "?tail=99999999999&follow=0")
    assert answer.body == b"a line\n" * 10_000
    assert answer["Livelog-Offset"] == str(7 * 20_000)
    answer = request(server.get, "GET", path_of("endless", TOKEN) + "?tail=1&follow=0")
    assert len(answer.body) == 4 * 1024 * 1024
    wide = b"y" * 999_999 + b"\n"
    store(server, "wide", wide, 9)
    assert request(server.get, "GET", path_of("wide", TOKEN) + "?tail=9&follow=0").body == 4 * wide
    for name in ("many", "endless", "wide"):
        tail, lines = (
            request(server.get, "GET", path_of(name, TOKEN, resource) + "?tail=9&follow=0")
            for resource in ("log", "lines")
        )
        assert (tail.body, tail["Livelog-Offset"]) == (lines.body, lines["Livelog-Offset"])


def test_state_and_size_are_told_of_one_moment() -> None:
    """A log that ends while it is asked about is complete with all its bytes, or live with fewer."""
    with running() as server:
        for number in range(20):
            producer = begin(server, "ending")
            producer.send(chunk(b"one\n"))
            wait_until(lambda: status_of(server, "ending")["size"] >= 4, "the bytes")
            readers = [server.connect() for _ in range(6)]
            for reader, resource in zip(readers, ("lines", "groups", "status") * 2, strict=True):
                query = "?tail=5" if resource == "lines" else ""
                ask(reader, "GET", path_of("ending", TOKEN, resource) + query)
            producer.send(chunk(b"two\n" * (number + 1)) + chunk(b""))
            for reader, resource in zip(readers, ("lines", "groups", "status") * 2, strict=True):
                answer = finish(reader)
                assert answer.status == 200, answer.body
                whole = 4 + 4 * (number + 1)
                if resource == "status":
                    state, size = answer.json["state"], answer.json["size"]
                    assert answer.json["lines"] in (None, size // 4)
                else:
                    state = answer["Livelog-State"]
                    size = int(answer["Livelog-Size"]) if resource == "lines" else answer.json["indexed"]
                assert state != "complete" or size == whole
            finish(producer)
