"""A log as server-sent events: text in order, whatever the cuts, and how it ends.

Categories: texts and offsets · going on · states and ends · requests that are refused. How bytes become text is shown in the
unit tests; here it is put together again from what came over real sockets.
"""

import contextlib
import itertools
import json
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.link import Connection
from tests.conformance.wire import Ending
from tests.harness import TOKEN, Server, ask, chunk

from .logs import begin, finish, follow, path_of, request, send, status_of
from .servers import running, wait_until

Event = tuple[str, int, Any]
"""A kind, an id and data."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server."""
    with running() as server:
        yield server


def listen(server: Server, name: str, query: str = "", *headers: str) -> Connection:
    """A client of events whose answer has begun."""
    connection = server.connect()
    ask(connection, "GET", path_of(name, TOKEN, "events") + query, *headers)
    head = connection.wait_head()
    assert (head.status, head.get("Content-Type")) == (200, "text/event-stream")
    assert (head.get("Access-Control-Allow-Origin"), head.get("Cache-Control")) == ("*", "no-store")
    return connection


def events(body: bytes) -> list[Event]:
    """The whole events in an answer's body, as the standard has them read."""
    found = []
    for block in body.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if fields:
            found.append((fields.get("event", ""), int(fields["id"]), json.loads(fields["data"])))
    return found


def text(found: list[Event]) -> str:
    """The texts, which must follow one another without a gap."""
    messages = [(number, data) for kind, number, data in found if not kind]
    for (number, _), (_, data) in itertools.pairwise(messages):
        assert data["offset"] == number
    return "".join(data["text"] for _, data in messages)


HOSTILE = "äöü€𝄞\r\n50%\r100%\r\n\u2028: no comment\ndata: no data\n\n".encode() + b"\xff\xfe\x80\xe2\x82"


@pytest.mark.parametrize("seed", range(3))
def test_texts_are_the_text_of_the_log_wherever_it_was_cut(server: Server, seed: int) -> None:
    """In the middle of characters and of bytes that are none; carriage returns survive."""
    chance, name = random.Random(seed), f"cut/{seed}"
    content = HOSTILE * 30
    producer = begin(server, name)
    client = listen(server, name)
    start = 0
    while start < len(content):
        stop = start + chance.choice([1, 2, 3, 50, 700])
        producer.send(chunk(content[start:stop]))
        start = min(stop, len(content))
        wait_until(lambda start=start: status_of(server, name)["size"] == start, "the bytes")  # type: ignore[misc]
    producer.send(chunk(b""))
    finish(producer)
    found = events(finish(client).body)
    assert text(found) == content.decode("utf-8", "replace")
    assert len([kind for kind, _, _ in found if not kind]) > 3
    assert found[0] == ("state", 0, {"state": "live", "size": 0})
    assert found[-1] == ("end", len(content), {"state": "complete", "size": len(content)})


def test_character_that_has_not_all_come_waits(server: Server) -> None:
    """And is not lost when the log ends without the rest."""
    producer = begin(server, "waits")
    client = listen(server, "waits")
    producer.send(chunk(b"a\xe2\x82"))
    client.wait(lambda answer: text(events(bytes(answer.body))) == "a", "text")
    producer.send(chunk(b"\xac\xe2"))
    client.wait(lambda answer: text(events(bytes(answer.body))) == "a€", "text")
    producer.send(chunk(b""))
    finish(producer)
    assert text(events(finish(client).body)) == "a€\ufffd"


def test_large_log_comes_in_many_events(server: Server) -> None:
    """And nothing of it is lost."""
    content = "größer\n".encode() * 100_000
    send(server, "large", content)
    answer = finish(listen(server, "large"))
    assert text(events(answer.body)).encode() == content
    assert answer.ending is Ending.CLEAN
    assert max(len(data.get("text", "")) for _, _, data in events(answer.body)) <= 65536


def test_client_goes_on_where_it_was(server: Server) -> None:
    """By the id that a browser sends, or by `from`; the id wins, since the browser asks for the same address."""
    send(server, "resumed", b"0123456789")
    for query, headers in (("?from=4", ()), ("", ("Last-Event-ID: 4",)), ("?from=2", ("Last-Event-ID: 4",))):
        found = events(finish(listen(server, "resumed", query, *headers)).body)
        time = found[0][2].pop("time")
        assert time[:4].isdigit()
        assert found == [("", 10, {"offset": 4, "text": "456789"}), ("end", 10, {"state": "complete", "size": 10})]


@pytest.mark.parametrize("content", [b"", b"0123456789"])
@pytest.mark.parametrize("state", ["complete", "aborted"])
def test_client_that_has_all_of_an_ended_log_is_told_how_it_ended_and_then_to_stop(
    server: Server, content: bytes, state: str
) -> None:
    """Also when it comes back: only one that was told of the end gets 204, which ends an EventSource."""
    name, size = f"over/{state}/{len(content)}", len(content)
    producer = begin(server, name)
    producer.send(chunk(content) if content else b"")
    wait_until(lambda: status_of(server, name)["size"] == size, "the bytes")
    producer.send(chunk(b"") if state == "complete" else b"no chunk\r\n")
    finish(producer)
    for query, header in ((f"?from={size}", "X: y"), ("", f"Last-Event-ID: {size}")):
        answer = finish(listen(server, name, query, header))
        assert events(answer.body) == [("end", size, {"state": state, "size": size})]
        assert answer.ending is Ending.CLEAN
    told = re.findall("^id: (.*)$", answer.body.decode(), re.MULTILINE)
    again = request(server.get, "GET", path_of(name, TOKEN, "events"), f"Last-Event-ID: {told[-1]}")
    assert again.status == 204


def test_client_that_is_told_of_the_end_of_a_replaced_log_goes_on_with_the_new_one(server: Server) -> None:
    """As one that only had all its bytes does: the end's id is the same number."""
    for generation in (None, status_of):
        send(server, "told", b"0123456789")
        old = status_of(server, "told")["generation"]
        send(server, "told", b"0123456789ab")
        query = "" if generation is None else f"?generation={old}"
        found = events(finish(listen(server, "told", query, "Last-Event-ID: 010")).body)
        assert [kind for kind, *_ in found] == (["", "end"] if generation is None else ["replaced"])


def test_client_that_is_behind_when_the_log_ends_is_told_how(server: Server) -> None:
    """It reads nothing while more is sent than the system takes for it, and the log ends."""
    content = b"0123456789abcde\n" * 350_000
    for state in ("complete", "aborted"):
        producer = begin(server, f"behind/{state}")
        client = listen(server, f"behind/{state}")
        producer.send(chunk(content))
        wait_until(lambda state=state: status_of(server, f"behind/{state}")["size"] == len(content), "the bytes")  # type: ignore[misc]
        producer.send(chunk(b"") if state == "complete" else b"no chunk\r\n")
        finish(producer)
        answer = finish(client)
        assert events(answer.body)[-1] == ("end", len(content), {"state": state, "size": len(content)})
        assert (text(events(answer.body)).encode(), answer.ending) == (content, Ending.CLEAN)


def test_state_changes_are_events(server: Server) -> None:
    """A break and a return of the producer, and an abort."""
    producer = begin(server, "states", "Upload-Complete: ?1", "Upload-Draft-Interop-Version: 8")
    location = next(head.get("Location") for head in producer.answer().interims if head.status == 104)
    client = listen(server, "states")
    producer.send(chunk(b"one\n"))
    client.wait(lambda answer: text(events(bytes(answer.body))) == "one\n", "text")
    producer.reset()
    client.wait(lambda answer: b"interrupted" in answer.body, "the break")
    headers = (
        "Content-Type: application/partial-upload",
        "Upload-Offset: 4",
        "Upload-Complete: ?0",
        "Content-Length: 4",
    )
    with contextlib.closing(server.connect(producer=True)) as again:
        ask(again, "PATCH", location or "", *headers)
        again.send(b"two")  # the states that are told are those of moments: it stays live until that is told
        client.wait(lambda answer: answer.body.count(b'{"state": "live"') == 2, "the return")
        again.send(b"\n")
        assert again.wait_head().status == 204
    assert request(server.put, "DELETE", location or "").status == 204
    answer = finish(client)
    states = [(kind, data["state"]) for kind, _, data in events(answer.body) if kind not in ("", "readers")]
    assert states[:3] == [("state", "live"), ("state", "interrupted"), ("state", "live")]
    assert states[-1] == ("end", "aborted")
    assert text(events(answer.body)) == "one\ntwo\n"


def test_client_hears_a_comment_when_nothing_has_happened_for_a_while(server: Server) -> None:
    """So nobody between us takes the connection for a dead one, and a client that is gone is noticed."""
    producer = begin(server, "quiet")
    with contextlib.closing(producer), contextlib.closing(Connection(server.get, 50)) as client:
        ask(client, "GET", path_of("quiet", TOKEN, "events"))
        client.wait(lambda answer: answer.body.endswith(b":\n\n"), "comment")
        assert [kind for kind, *_ in events(bytes(client.answer().body))] == ["state", "readers"]


def test_client_of_another_log_is_told_that_it_was_replaced(server: Server) -> None:
    """By its generation, or because it has more than there is."""
    send(server, "replaced", b"old and long")
    old = status_of(server, "replaced")["generation"]
    send(server, "replaced", b"new")
    new = status_of(server, "replaced")["generation"]
    for query in (f"?generation={old}&from=3", "?from=12"):
        assert events(finish(listen(server, "replaced", query)).body) == [("replaced", 0, {"generation": new})]
    assert text(events(finish(listen(server, "replaced", f"?generation={new}")).body)) == "new"


def readers_told(client: Connection) -> list[int]:
    """The numbers of readers that a client has been told, in order."""
    return [data["readers"] for kind, _, data in events(bytes(client.answer().body)) if kind == "readers"]


def test_those_who_follow_are_counted_and_told_how_many_they_are(server: Server) -> None:
    """Each once, in whichever form; those who do not follow are none of them, and a line brings no such event."""
    producer = begin(server, "watched")
    producer.send(chunk(b"one\n"))
    wait_until(lambda: status_of(server, "watched")["size"] == 4, "the line")
    assert status_of(server, "watched")["readers"] == 0
    client = listen(server, "watched", "?from=4")
    client.wait(lambda _: readers_told(client) == [1], "that it is alone")
    others = [follow(server, "watched") for _ in range(3)]
    for query in ("?follow=0", "?tail=1&follow=0"):
        assert request(server.get, "GET", path_of("watched", TOKEN) + query).status == 200
    client.wait(lambda _: readers_told(client) == [1, 4], "that it is one of four")
    [listed] = request(server.get, "GET", f"/logs/{TOKEN}?q=watched").json["logs"]
    assert listed["readers"] == status_of(server, "watched")["readers"] == 4
    second = listen(server, "watched", "?from=4")
    second.wait(lambda _: readers_told(second)[-1:] == [5], "that there is one more")
    for other in others[:2]:
        other.close()
    for number in range(50):
        producer.send(chunk(b"%d\n" % number))
    client.wait(lambda _: readers_told(client)[-1] == 3, "that two have left")
    assert readers_told(client) in ([1, 4, 5, 3], [1, 4, 3])
    producer.send(chunk(b""))
    assert finish(producer).status == 201
    assert finish(client).ending is finish(second).ending is finish(others[2]).ending is Ending.CLEAN
    assert status_of(server, "watched")["readers"] == 0


def test_client_that_leaves_is_forgotten(server: Server) -> None:
    """A log that nobody reads can go: its file is closed."""
    producer = begin(server, "left")
    for leave in (Connection.close, Connection.reset, Connection.finish_sending):
        with contextlib.closing(listen(server, "left")) as client:
            leave(client)
            client.close()
    wait_until(lambda: _open_readers(server) == 0, "they are gone")
    producer.send(chunk(b""))
    finish(producer)


def _open_readers(server: Server) -> int:
    [line] = [
        line
        for line in request(server.put, "GET", "/metrics").body.decode().splitlines()
        if line.startswith('livelog_connections{port="readers"}')
    ]
    return int(float(line.split()[1]))


def test_server_that_stops_breaks_off_events_of_a_live_log() -> None:
    """So that an EventSource asks again, and nobody takes it for the end."""
    with running() as server:
        begin(server, "a", "Upload-Complete: ?1").close()
        client = listen(server, "a")
        assert server.stop() == 0
        answer = finish(client)
        assert answer.ending is Ending.CUT
        assert "end" not in [kind for kind, _, _ in events(answer.body)]


@pytest.mark.parametrize(("query", "header"), [("?from=x", "X: y"), ("?from=-1", "X: y"), ("", "Last-Event-ID: x")])
def test_place_that_is_none_is_refused(server: Server, query: str, header: str) -> None:
    """With 400."""
    send(server, "refused")
    assert request(server.get, "GET", path_of("refused", TOKEN, "events") + query, header).status == 400
