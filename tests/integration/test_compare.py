"""Lines that an earlier log of the name does not have, over HTTP. What counts as the same line is shown in the unit tests."""

from collections.abc import Iterator

import pytest

from tests.harness import PATIENCE, TOKEN, Server, chunk

from .logs import Answer, begin, finish, path_of, request, send, status_of
from .servers import open_sockets, running, wait_until

GOOD = "Livelog-Exit-Code: 0"
BAD = "Livelog-Exit-Code: 1"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that keeps four logs of each name."""
    with running({"LIVELOG_KEEP_ATTEMPTS": "4"}) as server:
        yield server


def compare(server: Server, name: str, query: str = "", method: str = "GET") -> Answer:
    """The answer to a comparison."""
    return request(server.get, method, path_of(name, TOKEN, "compare") + query)


def texts(answer: Answer) -> list[str]:
    """The new lines."""
    assert answer.status == 200, answer.body
    return [line["text"] for line in answer.json["lines"]]


def test_log_is_compared_with_the_last_good_one_before_it(server: Server) -> None:
    send(server, "job", b"oldest\n", GOOD)
    send(server, "job", b"start 1\nstep\n", GOOD)
    send(server, "job", b"start 2\nbroken\n", BAD)
    send(server, "job", b"start 3\nstep\nbroken\nerror 7\nerror 8\n", BAD)
    answer, known = compare(server, "job"), status_of(server, "job")
    document = answer.json
    times = [line.pop("time") for line in document["lines"]]
    assert all(known["began"][:16] <= time for time in times)
    assert document == {
        "lines": [
            {"line": 3, "offset": 13, "text": "broken", "count": 1},
            {"line": 4, "offset": 20, "text": "error 7", "count": 2},
        ],
        "new": 2, "next": None, "indexed": 36, "more": False,
        "with": {"attempt": -2, "generation": known["attempts"][2]["generation"], "exit_code": 0, "size": 13, "indexed": 13},
    }  # fmt: skip
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("application/json; charset=utf-8", "no-store")
    assert (answer["Livelog-State"], answer["ETag"]) == ("complete", f'"{known["generation"]}"')
    # Any other log of the name, and any log of it as the one that is looked at.
    assert texts(compare(server, "job", "?with=-1")) == ["step", "error 7"]
    assert texts(compare(server, "job", f"?with={known['attempts'][3]['generation']}")) == [
        "start 3",
        "step",
        "broken",
        "error 7",
    ]
    assert texts(compare(server, "job", "?with=0")) == []
    assert texts(compare(server, "job", "?attempt=-1")) == ["broken"]
    older = compare(server, "job", "?attempt=-2").json
    assert ([line["text"] for line in older["lines"]], older["with"]["attempt"]) == (["start 1", "step"], -3)
    assert compare(server, "job", method="HEAD").body == b""
    page = compare(server, "job", "?limit=1").json
    assert ([line["text"] for line in page["lines"]], page["next"], page["new"]) == (["broken"], 1, 2)
    assert texts(compare(server, "job", "?limit=99999999999&skip=1")) == ["error 7"]


def test_log_without_a_good_one_before_it_says_how_to_keep_some(server: Server) -> None:
    send(server, "first", b"x\n", GOOD)
    answer = compare(server, "first")
    assert answer.status == 404
    assert b"LIVELOG_KEEP_ATTEMPTS" in answer.body
    send(server, "first", b"y\n", BAD)
    assert texts(compare(server, "first")) == ["y"]
    begin(server, "cut", GOOD).close()  # an exit code of 0 alone does not make a log good: bytes may be missing
    wait_until(lambda: bool(status_of(server, "cut")["state"] == "aborted"), "the log is not aborted")
    send(server, "cut", b"y\n")
    assert compare(server, "cut").status == 404
    for query, status in (
        ("?with=-9", 404), ("?with=20200101T000000.000000Z-00000000", 412), ("?with=1", 400), ("?with=", 400), ("?with=x", 400), ("?limit=0", 400),
        ("?skip=x", 400), ("?attempt=-9", 404),
    ):  # fmt: skip
        assert compare(server, "first", query).status == status, query


def test_of_a_live_log_the_lines_that_are_there_are_compared(server: Server) -> None:
    send(server, "live", b"a\nb\n", GOOD)
    producer = begin(server, "live")
    producer.send(chunk(b"a\nnew\nhal"))
    wait_until(lambda: bool(status_of(server, "live")["size"] == 9), "the bytes are not there")
    document = compare(server, "live").json
    assert [line["text"] for line in document["lines"]] == ["new"]
    assert (document["indexed"], document["more"]) == (6, True)
    producer.send(chunk(b"f\n") + chunk(b""))
    finish(producer)
    assert texts(compare(server, "live")) == ["new", "half"]
    assert texts(compare(server, "live", "?attempt=-1&with=0")) == ["b"]


def test_client_that_leaves_ends_its_comparison(server: Server) -> None:
    """One that waits for its turn does so, too, and the next one gets its turn."""
    lines = b"".join(b"a line of text with the word x%d in it\n" % number for number in range(40_000))
    send(server, "large", lines, GOOD)
    send(server, "large", lines + b"new\n", BAD)
    before = open_sockets(server.pid)
    for _ in range(3):
        leaver = server.connect()
        leaver.send(f"GET {path_of('large', TOKEN, 'compare')} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        leaver.close()
    assert texts(compare(server, "large")) == ["new"]
    wait_until(lambda: open_sockets(server.pid) <= before, "no process and no connection is left", PATIENCE)
