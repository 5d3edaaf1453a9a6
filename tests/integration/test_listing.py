"""Which logs there are: /logs with its filters and in its forms.

Categories: filters one by one and together, over pages · lines of JSON · which form is answered · what is refused.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.conformance.wire import Ending
from tests.harness import TOKEN, Server, ask

from .logs import Answer, begin, finish, names, request, send, status_of
from .servers import running

NAMES = [f"builds/{number}/{system}" for number in range(40, 44) for system in ("linux", "macos")]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with logs that have labels and titles, the last of which is live."""
    with running() as server:
        for name in NAMES:
            _, number, system = name.split("/")
            send(
                server,
                name,
                b"x\n",
                f"Livelog-Label: system={system}, build={number}",
                f"Livelog-Title: Größe {number}",
            )
        producer = begin(server, "running", "Livelog-Label: system=linux")
        yield server
        producer.reset()


def get(server: Server, query: str, *headers: str) -> Answer:
    return request(server.get, "GET", f"/logs/{TOKEN}{query}", *headers)


def lines(answer: Answer) -> list[Any]:
    """The lines of an answer in lines of JSON, all of which came."""
    assert (answer.status, answer["Content-Type"], answer.ending) == (200, "application/x-ndjson", Ending.CLEAN)
    assert answer.body.endswith(b"\n") or not answer.body
    return [json.loads(line) for line in answer.body.splitlines()]


def newest_first(*chosen: str) -> list[str]:
    return [name for name in reversed([*NAMES, "running"]) if name in chosen]


FILTERS = {
    "?label=system:linux": [name for name in [*NAMES, "running"] if "linux" in name or name == "running"],
    "?label=build": NAMES,
    "?label=system:macos&label=build:42": ["builds/42/macos"],
    "?label=system%3Amacos&prefix=builds/4": [name for name in NAMES if "macos" in name],
    "?state=live": ["running"],
    "?state=complete&q=LINUX": [name for name in NAMES if "linux" in name],
    f"?q={quote('GRÖSSE 41')}": ["builds/41/linux", "builds/41/macos"],
    "?q=none": [],
    "?since=2000-01-01T00:00:00Z": [*NAMES, "running"],
    "?until=2000-01-01T00:00:00Z": [],
}


@pytest.mark.parametrize("query", FILTERS)
def test_list_has_the_logs_for_which_its_filters_hold(server: Server, query: str) -> None:
    """The newest first; the same on one page, on small ones, and as lines."""
    expected = newest_first(*FILTERS[query])
    assert names(server, query) == expected
    assert [log["name"] for log in lines(get(server, query + "&as=ndjson"))] == expected
    found, before = [], ""
    while True:
        page = get(server, f"{query}&limit=2{before}").json
        found += [log["name"] for log in page["logs"]]
        if page["next"] is None:
            break
        assert len(page["logs"]) == 2
        before = f"&before={page['next']}"
    assert found == expected


def test_interval_of_beginnings_has_its_begin_and_not_its_end(server: Server) -> None:
    """By the time that a log's status tells."""
    first, last = (status_of(server, f"builds/41/{system}")["began"] for system in ("linux", "macos"))
    assert names(server, f"?since={first}&until={last}") == ["builds/41/linux"]
    assert names(server, f"?since={last}&limit=1000")[-1] == "builds/41/macos"


def test_lines_have_all_logs_or_as_many_as_asked_for(server: Server) -> None:
    """Each as its status is; the last one's generation is where it goes on."""
    every = lines(get(server, "", "Accept: application/x-ndjson"))
    assert [log["name"] for log in every] == newest_first(*NAMES, "running")
    status = status_of(server, every[1]["name"])
    apart = ("attempts", "elapsed", "idle")  # of which the list tells less
    assert {member: every[1][member] for member in status if member not in apart} == {
        member: status[member] for member in status if member not in apart
    }
    some = lines(get(server, "?as=ndjson&limit=4"))
    assert some == every[:4]
    assert lines(get(server, f"?as=ndjson&before={some[-1]['generation']}")) == every[4:]
    assert lines(get(server, "?as=ndjson&q=none")) == []
    connection = server.connect()
    ask(connection, "GET", f"/logs/{TOKEN}?as=ndjson&limit=1", version="1.0")
    answer = finish(connection)
    assert answer.body == json.dumps(every[0]).encode() + b"\n"
    head = request(server.get, "HEAD", f"/logs/{TOKEN}?as=ndjson")
    assert (head.status, head["Content-Type"], head.body) == (200, "application/x-ndjson", b"")


@pytest.mark.parametrize(
    ("query", "accept", "expected"),
    [
        ("", "", "application/json; charset=utf-8"),
        ("", "*/*", "application/json; charset=utf-8"),
        ("", "text/html, application/json", "application/json; charset=utf-8"),
        ("", "text/html, Application/X-NDJSON;q=0.5, application/json", "application/x-ndjson"),
        ("?as=json", "application/x-ndjson", "application/json; charset=utf-8"),
        ("?as=ndjson", "application/json", "application/x-ndjson"),
    ],
)
def test_form_is_that_of_the_parameter_or_else_the_first_that_is_accepted(
    server: Server, query: str, accept: str, expected: str
) -> None:
    assert get(server, query, *([f"Accept: {accept}"] if accept else []))["Content-Type"] == expected


@pytest.mark.parametrize(
    "query",
    [
        "as=xml", "as=", "label=", "label=UPPER:x", "since=soon", "until=2026-11-28T12:00:00", "state=dead", "limit=0", "before=x",
    ],
)  # fmt: skip
def test_list_of_what_there_is_not_is_refused_in_every_form(server: Server, query: str) -> None:
    for form in ("application/json", "application/x-ndjson"):
        answer = get(server, f"?{query}", f"Accept: {form}")
        assert answer.status == 400
        assert b"the query parameter" in answer.body
