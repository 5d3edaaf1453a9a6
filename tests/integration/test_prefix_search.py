"""A search of all logs of a prefix: the newest first, each hit with its log, and where it goes on."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from livelog.tokens import Access
from tests.conformance.wire import Ending
from tests.harness import TOKEN, Server
from tests.sample import one_of

from .logs import begin, request, send
from .servers import running

LOGS = {
    "builds/1/a": b"one\nerror: first\n",
    "builds/1/b": b"nothing\n",
    "builds/2/a": b"error: x\nerror: y\nerror: z\n",
    "builds/2": b"error: no log of builds/2/\n",
    "other": b"error: elsewhere\n",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        for name, content in LOGS.items():
            send(server, name, content, "Livelog-Label: kind=" + name[-1])
        producer = begin(server, "builds/3/live")
        yield server
        producer.reset()


def search(server: Server, query: str, path: str = f"/search/{TOKEN}/builds/") -> tuple[list[Any], Any]:
    """The hits and the last line of an answer, all of which came."""
    answer = request(server.get, "GET", f"{path}?{query}")
    assert (answer.status, answer.ending) == (200, Ending.CLEAN), answer.body
    assert answer["Content-Type"] == "application/x-ndjson"
    found = [json.loads(line) for line in answer.body.splitlines()]
    return [one for one in found if "line" in one or "name" in one], found[-1]


def places(hits: list[Any]) -> list[tuple[str, int]]:
    return [(hit["name"], hit["line"]) for hit in hits]


def test_all_logs_of_a_prefix_are_searched_the_newest_first(server: Server) -> None:
    """By the path and by the parameter; a log's hits from its end, or from its begin."""
    expected = [("builds/2", 1), ("builds/2/a", 3), ("builds/2/a", 2), ("builds/2/a", 1), ("builds/1/a", 2)]
    hits, end = search(server, "q=error")
    assert places(hits) == expected
    assert end == {"done": True, "hits": 5, "logs": 5, "next": None}
    assert hits[-1]["text"] == "error: first"
    assert search(server, "q=error&prefix=builds/", f"/search/{TOKEN}") == (hits, end)
    hits, _ = search(server, "q=error&dir=forward", f"/search/{TOKEN}/builds/2/")
    assert places(hits) == [("builds/2/a", 1), ("builds/2/a", 2), ("builds/2/a", 3)]
    assert places(search(server, "q=error&label=kind:a&state=complete")[0]) == expected[1:]
    hits, _ = search(server, "q=y&context=1", f"/search/{TOKEN}/builds/2/")
    assert [(hit["line"], hit.get("context", False)) for hit in hits] == [(3, True), (2, False), (1, True)]
    assert search(server, "q=x", f"/search/{TOKEN}/none/") == ([], {"done": True, "hits": 0, "logs": 0, "next": None})


def test_long_line_of_context_is_no_hit(server: Server) -> None:
    send(server, "long", b"needle\n" + b"x" * 70_000 + b"\n")
    hits, end = search(server, "q=needle&context=1&dir=forward", f"/search/{TOKEN}/")
    assert [(hit["line"], hit.get("context"), hit.get("cut")) for hit in hits] == [(1, None, None), (2, True, True)]
    assert end["hits"] == 1
    request(server.put, "DELETE", "/log/long")


def test_search_goes_on_behind_the_log_at_which_it_stopped(server: Server) -> None:
    """And in that log where its line says. No page has more hits than were asked for; no hit comes twice, and none is left out."""
    found, before = [], ""
    while True:
        told, end = search(server, f"q=error&limit=2{before}")
        hits = [one for one in told if "line" in one]
        assert len(hits) == end["hits"] <= 2
        found += places(hits)
        for rest in (one for one in told if "line" not in one):
            answer = request(server.get, "GET", f"/search/{TOKEN}/{rest['name']}?q=error&from={rest['next']}")
            lines = [one for one in map(json.loads, answer.body.splitlines()) if "line" in one]
            found += [(rest["name"], one["line"]) for one in lines]
        if end["next"] is None:
            break
        before = f"&older={end['next']}"
    assert found == places(search(server, "q=error")[0])
    assert len(before) > 10


def test_prefix_token_searches_its_logs_and_no_other(server: Server) -> None:
    token = Access(TOKEN).prefix_token("builds/2/")
    hits, _ = search(server, "q=error", f"/search/{token}/builds/2/")
    assert {name for name, _ in places(hits)} == {"builds/2/a"}
    for path in (f"/search/{token}/builds/", f"/search/{token}/other/", f"/search/{token}/builds/1/"):
        assert request(server.get, "GET", f"{path}?q=error").status == 401
    assert request(server.get, "GET", f"/search/{token}?q=error&prefix=builds/").status == 401


@pytest.mark.parametrize(
    "query",
    ["", "q=", "q=(&regex=1", "q=x&since=y", "q=x&context=y", "q=x&dir=y", "q=x&state=y", "q=x&label==", "q=x&follow=1", "q=x&from=3", "q=x&as=text", "q=x&limit=0", "q=x&older=y", "q=x&attempt=-1", "q=x&generation=y"],
)  # fmt: skip
def test_what_is_no_search_of_many_is_refused(server: Server, query: str) -> None:
    for prefix in ("builds", "none"):  # also if there is no log
        assert request(server.get, "GET", f"/search/{TOKEN}/{prefix}/?{query}").status == 400
    assert request(server.get, "PUT", f"/search/{TOKEN}/builds/?q=x").status == 405
    head = request(server.get, "HEAD", f"/search/{TOKEN}/builds/?q=x")
    assert (head.status, head.body) == (200, b"")


def test_path_that_ends_in_a_slash_is_a_prefix_wherever_the_token_is(server: Server) -> None:
    """Of one segment, too, with a token in a header; without any, it stands for all logs, which only ACCESS_TOKEN opens."""
    prefix, own = Access(TOKEN).prefix_token("builds/"), Access(TOKEN).read_token("")
    found = search(server, "q=error")
    for token in (TOKEN, prefix):
        answer = request(server.get, "GET", "/search/builds/?q=error", f"Authorization: Bearer {token}")
        told = [json.loads(line) for line in answer.body.splitlines()]
        assert [line for line in told if "searched" not in line] == [*found[0], found[1]]
    everywhere = places(search(server, "q=error", f"/search/{TOKEN}/")[0])
    assert everywhere == [("other", 1), *places(found[0])]
    assert request(server.get, "GET", "/search/?q=error", f"Authorization: Bearer {TOKEN}").status == 200
    for token in (prefix, own):
        assert request(server.get, "GET", f"/search/{token}/?q=error").status == 401
        assert request(server.get, "GET", "/search/?q=error", f"Authorization: Bearer {token}").status == 401


@pytest.mark.parametrize(
    ("query", "few"), one_of(4, [("context=2", 2), ("lines=1", 0), ("invert=1", 0), ("regex=1", 0)])
)
def test_answer_that_has_become_long_says_where_to_go_on(server: Server, query: str, few: int) -> None:
    """After 16 MiB no further hit is told, with its context: not of that log, and of no other."""
    for name in ("long/1", "long/2"):
        send(server, name, (b"x" * 65_000 + b"\n") * 300)
    send(server, "long/3", b"x\n")
    text = "y" if query == "invert=1" else "x"
    answer = request(server.get, "GET", f"/search/{TOKEN}/long/?q={text}&lines=1&{query}")
    *hits, rest, end = [
        one for one in map(json.loads, answer.body.splitlines()) if "scanned" not in one and "searched" not in one
    ]
    assert (end["logs"], end["hits"], [hits[0]["name"], hits[-1]["name"]]) == (2, len(hits), ["long/3", "long/2"])
    assert 2**24 <= len(answer.body) < 2**24 + (few + 1) * 66_000 + 2000
    # The search of that log goes on where this one stopped, and that of the others behind it.
    alone = request(server.get, "GET", f"/search/{TOKEN}/long/2?q={text}&lines=1&{query}&from={rest['next']}")
    more = [hit for hit in map(json.loads, alone.body.splitlines()) if "text" in hit]
    assert [hit["line"] for hit in [*hits[1:], *more]] == [*range(300, 0, -1)]
    older = end["next"]
    answer = request(server.get, "GET", f"/search/{TOKEN}/long/?q=x&lines=1&older={older}&limit=3")
    assert json.loads(answer.body.splitlines()[-1])["logs"] == 1
