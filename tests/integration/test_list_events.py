"""The list of logs as events: what there is, then what begins, grows, changes, ends and goes.

Categories: the life of a log · filters and tokens · what there was before · watchers that leave, or are broken off · what watching does not change.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from livelog.tokens import Access
from tests.conformance.link import Connection
from tests.conformance.wire import Ending
from tests.harness import TOKEN, Server, ask, chunk

from .logs import begin, finish, request, send, status_of
from .servers import running, wait_until

Event = tuple[str, Any]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server."""
    with running() as server:
        yield server


def events(body: bytes) -> list[Event]:
    """The whole events in an answer's body: kinds and data."""
    found = []
    for block in body.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            assert set(fields) == {"event", "data"}
            found.append((fields["event"], json.loads(fields["data"])))
    return found


class Watcher:
    """A client that watches a list."""

    def __init__(self, server: Server, query: str, path: str = f"/logs/{TOKEN}", *headers: str) -> None:
        self.connection = server.connect()
        ask(self.connection, "GET", f"{path}{query}", *headers)
        head = self.connection.wait_head()
        assert (head.status, head.get("Content-Type")) == (200, "text/event-stream")
        self.wait("listed")

    @property
    def told(self) -> list[tuple[str, str]]:
        """The kinds of the events since the list, and the names of their logs."""
        found = [(kind, data.get("name", "")) for kind, data in events(bytes(self.connection.answer().body))]
        return found[[kind for kind, _ in found].index("listed") + 1 :]

    @property
    def all(self) -> list[Event]:
        """All events so far."""
        return events(bytes(self.connection.answer().body))

    def wait(self, kind: str, name: str = "", **facts: object) -> Any:
        """The data of an event of that kind about the log of that name, with these facts, once it has come."""
        found: list[Any] = []

        def has_come(_: object) -> bool:
            found[:] = [
                data
                for each, data in self.all
                if each == kind and data.get("name", "") == name and facts.items() <= data.items()
            ]
            return bool(found)

        self.connection.wait(has_come, f"{kind} of {name}")
        return found[-1]


@contextlib.contextmanager
def watching(server: Server, query: str = "?as=events", *path_and_headers: str) -> Iterator[Watcher]:
    """A watcher, who leaves at the end."""
    watcher = Watcher(server, query, *path_and_headers)
    with contextlib.closing(watcher.connection):
        yield watcher


def in_list(status: dict[str, Any]) -> dict[str, Any]:
    """What the list tells of a log that has this status by itself."""
    members = {member: status[member] for member in status if member not in ("elapsed", "idle")}
    return members | {"attempts": len(status["attempts"])}


def test_life_of_a_log_is_told_step_by_step(server: Server) -> None:
    """Each event has its status; bytes are told together, and no event has an id: who comes back gets a list anew."""
    with watching(server, "?prefix=life/", f"/logs/{TOKEN}", "Accept: text/event-stream") as watcher:
        producer = begin(server, "life/a", "Livelog-Title: first")
        begun = watcher.wait("begun", "life/a")
        assert (begun["state"], begun["size"], begun["title"]) == ("live", 0, "first")
        for _ in range(50):
            producer.send(chunk(b"line\n"))
        assert watcher.wait("grew", "life/a", size=250)["state"] == "live"
        request(server.put, "PATCH", "/log/life/a", "Livelog-Label: a=1", body=b"")
        assert watcher.wait("changed", "life/a")["labels"] == {"a": "1"}
        producer.send(chunk(b"end\n") + chunk(b""))
        assert finish(producer).status == 201
        ended = watcher.wait("ended", "life/a")
        status = status_of(server, "life/a")
        assert ended == in_list(status)
        assert (ended["state"], ended["size"]) == ("complete", 254)
        request(server.put, "DELETE", "/log/life/a")
        removed = watcher.wait("removed", "life/a")
        assert (removed["generation"], begun["attempts"], removed["attempts"]) == (begun["generation"], 1, 0)
        kinds = [kind for kind, _ in watcher.told]
        assert kinds.count("grew") < 10
        assert [kind for kind in kinds if kind != "grew"] == ["begun", "changed", "ended", "removed"]
        assert b"\nid:" not in watcher.connection.answer().body


def test_log_that_is_over_before_it_is_told_has_begun_and_ended(server: Server) -> None:
    """And one that replaces another: that one goes, and the new one begins."""
    with watching(server, "?as=events&prefix=short/") as watcher:
        send(server, "short/a")
        first = watcher.wait("ended", "short/a")["generation"]
        send(server, "short/a", b"other")
        second = status_of(server, "short/a")["generation"]
        watcher.wait("ended", "short/a", generation=second)
        found = [(kind, data["generation"]) for kind, data in watcher.all if kind != "listed"]
        assert found == [("begun", first), ("ended", first), ("removed", first), ("begun", second), ("ended", second)]


def test_interruption_and_what_is_told_of_an_aborted_log_are_changes(server: Server) -> None:
    """The exit code of a job comes late, if its log was aborted."""
    with watching(server, "?as=events&q=changing") as watcher:
        send(server, "changing", b"x", "Upload-Complete: ?0")
        watcher.connection.wait(lambda _: watcher.all[-1][1].get("state") == "interrupted", "the interruption")
        begin(server, "changing/aborted").reset()
        watcher.wait("ended", "changing/aborted", state="aborted")
        request(server.put, "PATCH", "/log/changing/aborted", "Livelog-Exit-Code: 3", body=b"")
        assert watcher.wait("changed", "changing/aborted")["exit_code"] == 3


def test_what_there_is_comes_first_as_much_as_is_asked_for(server: Server) -> None:
    """The newest first; `next` is where pages go on."""
    for number in range(5):
        send(server, f"there/{number}")
    for query, expected in (("", [4, 3, 2, 1, 0]), ("&limit=5", [4, 3, 2, 1, 0]), ("&limit=2", [4, 3])):
        with watching(server, f"?as=events&prefix=there/{query}") as watcher:
            *logs, (_, listed) = watcher.all
            assert [(kind, data["name"]) for kind, data in logs] == [("log", f"there/{number}") for number in expected]
            assert listed == {"logs": len(expected), "next": logs[-1][1]["generation"] if len(expected) < 5 else None}
            assert logs[0][1] == in_list(status_of(server, "there/4"))
    page = request(server.get, "GET", f"/logs/{TOKEN}?prefix=there/&before={listed['next']}").json
    assert [log["name"] for log in page["logs"]] == ["there/2", "there/1", "there/0"]


def test_filters_hold_for_events(server: Server) -> None:
    """Also of what changes: who watches live logs is told when one ends, and of one that comes to be selected."""
    with (
        watching(server, "?as=events&state=live&prefix=kept/") as live,
        watching(server, "?as=events&label=seen&prefix=kept/") as labelled,
        watching(server, "?as=events&q=NONE") as none,
        watching(server, "?as=events&until=2000-01-01T00:00:00Z") as old,
    ):
        producer = begin(server, "kept/a")
        other = begin(server, "other/a", "Livelog-Label: seen=1")
        live.wait("begun", "kept/a")
        request(server.put, "PATCH", "/log/kept/a", "Livelog-Label: seen=1", body=b"")
        labelled.wait("changed", "kept/a")
        request(server.put, "PATCH", "/log/kept/a", "Livelog-Label: seen=", body=b"")
        assert labelled.wait("changed", "kept/a", labels={})
        producer.send(chunk(b"x") + chunk(b""))
        finish(producer)
        live.wait("ended", "kept/a")
        with watching(server, "?as=events&state=live&prefix=kept/") as later:
            assert [kind for kind, _ in later.all] == ["listed"]
        assert labelled.told == [("changed", "kept/a")] * 2
        assert none.told == old.told == []
        assert {name for _, name in live.told} == {"kept/a"}
        other.reset()


def test_prefix_token_watches_its_logs_and_no_other(server: Server) -> None:
    """By the path, and by the parameter."""
    token = Access(TOKEN).prefix_token("tenant/1/")
    with (
        watching(server, "?as=events", f"/logs/{token}/tenant/1/") as mine,
        watching(server, "?as=events&prefix=tenant/1/", f"/logs/{token}") as too,
    ):
        for name in ("tenant/2/a", "tenant/1", "tenant/10/a", "tenant/1/a"):
            send(server, name)
        for watcher in (mine, too):
            watcher.wait("ended", "tenant/1/a")
            assert {name for _, name in watcher.told} == {"tenant/1/a"}
    assert request(server.get, "GET", f"/logs/{token}/tenant/?as=events").status == 401


def test_attempt_that_goes_is_told_with_how_many_there_are_then() -> None:
    """Whether it was removed by itself, or to make room."""
    with (
        running({"LIVELOG_KEEP_ATTEMPTS": "3", "LIVELOG_MAX_TOTAL_SIZE": "100"}) as server,
        watching(server) as watcher,
    ):
        for count in (1, 2, 3):
            send(server, "again", b"x" * 20)
            watcher.wait("ended", "again", attempts=count)
        generations = [one["generation"] for one in status_of(server, "again")["attempts"]]
        assert request(server.put, "DELETE", f"/log/again?generation={generations[1]}").status == 204
        changed = watcher.wait("changed", "again", attempts=2)
        assert (changed["generation"], changed["state"]) == (generations[0], "complete")
        send(server, "large", b"x" * 70)  # there is no room for the older one
        watcher.wait("changed", "again", attempts=1)


def test_watching_keeps_no_log_from_making_room() -> None:
    """It is told, and the log goes."""
    with running({"LIVELOG_MAX_LOGS": "3"}) as server, watching(server) as watcher:
        for number in range(5):
            assert send(server, f"job/{number}").status == 201
        watcher.wait("removed", "job/1")
        watcher.wait("ended", "job/4")
        assert [name for kind, name in watcher.told if kind == "removed"] == ["job/0", "job/1"]


def test_watcher_hears_a_comment_when_nothing_has_happened_for_a_while(server: Server) -> None:
    """So that nobody takes the connection for a dead one."""
    with contextlib.closing(Connection(server.get, 50)) as client:
        ask(client, "GET", f"/logs/{TOKEN}?as=events&prefix=quiet/")
        client.wait(lambda answer: answer.body.endswith(b":\n\n"), "comment")
        assert [kind for kind, _ in events(bytes(client.answer().body))] == ["listed"]


def test_server_that_stops_breaks_watchers_off_and_head_tells_what_get_does() -> None:
    """Nobody takes the list for whole."""
    with running() as server:
        head = request(server.get, "HEAD", f"/logs/{TOKEN}?as=events")
        assert (head.status, head["Content-Type"], head.body) == (200, "text/event-stream", b"")
        with watching(server) as watcher:
            producer = begin(server, "a")
            watcher.wait("begun", "a")
            assert server.stop() == 0
            assert watcher.connection.wait_end().ending is not Ending.CLEAN
            producer.close()
            assert "Traceback" not in server.log()


def test_watchers_that_leave_cost_nothing_more(server: Server) -> None:
    """Their connections end at once; the next one is served as the first."""
    for _ in range(3):
        with watching(server, "?as=events&prefix=again/"):
            pass
    wait_until(lambda: _connections(server) == 0, "all have left")
    with watching(server, "?as=events&prefix=again/") as watcher:
        send(server, "again/a")
        watcher.wait("ended", "again/a")


def _connections(server: Server) -> int:
    """How many connections the readers' port has, by the server's figures."""
    figures = request(server.put, "GET", "/metrics").body.decode()
    [count] = re.findall(r'^livelog_connections\{port="readers"\} ([0-9]+)', figures, re.MULTILINE)
    return int(count)
