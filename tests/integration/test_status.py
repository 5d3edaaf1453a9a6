"""What is told of logs: the status of one, the list of all, and what their producers say of them.

Categories: members and their order in time · long polling · before a log begins · the list, its pages and filters ·
title, exit code and labels: at the start, later, too late, wrong, too large.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conformance.link import Connection
from tests.harness import TIMEOUT, TOKEN, Server, ask, chunk

from .logs import CHUNKED, Answer, begin, finish, follow, names, path_of, read, request, send, status_of
from .servers import running, wait_until

MEMBERS = {
    "name", "generation", "state", "size", "content_type", "began", "changed", "ended", "reason", "title", "exit_code",
    "labels", "lines", "readers", "attempts",
}  # fmt: skip


def lasting(status: Any) -> dict[str, Any]:
    """What of a status does not change while time goes by."""
    return {member: value for member, value in status.items() if member not in ("elapsed", "idle")}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with few logs."""
    with running() as server:
        yield server


def patch(server: Server, name: str, *headers: str) -> Answer:
    """Tell something of a log."""
    return request(server.put, "PATCH", path_of(name), *headers)


def moment(text: str) -> datetime:
    """A time in a status, which must be in UTC."""
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


def poll(server: Server, name: str, query: str, *, method: str = "GET", others: int = 0) -> Connection:
    """A request for a status that the server is holding, beside so many `others` that read."""
    wait_until(lambda: open_connections(server) == others, "those that were closed are gone")
    connection = server.connect()
    ask(connection, method, path_of(name, TOKEN, "status") + query)
    wait_until(lambda: open_connections(server) == others + 1, "the server has the request")
    return connection


def open_connections(server: Server) -> int:
    """How many connections of readers the server has."""
    for line in request(server.put, "GET", "/metrics").body.decode().splitlines():
        if line.startswith('livelog_connections{port="readers"}'):
            return int(float(line.split()[1]))
    raise AssertionError("no such figure")


# One log.


def test_status_has_all_members_from_the_first_moment_to_the_end(server: Server) -> None:
    """They say the same as the headers of the log itself, and times are in the order in which things happened."""
    start = datetime.now(UTC)
    producer = begin(server, "all/members", "Content-Type: application/json", "Livelog-Title: all of them")
    told = [status_of(server, "all/members")]
    reader = follow(server, "all/members")
    producer.send(chunk(b'{"a": 1}'))
    reader.wait(lambda answer: answer.body == b'{"a": 1}', "what was sent")
    told.append(status_of(server, "all/members"))
    producer.send(chunk(b""))
    assert finish(producer).status == 201
    told.append(status_of(server, "all/members"))
    finish(reader)
    assert [set(one) for one in told] == [MEMBERS | {"elapsed", "idle"}] * 3
    assert [(one["state"], one["size"], one["reason"]) for one in told] == [
        ("live", 0, ""), ("live", 8, ""), ("complete", 8, "the body ended")
    ]  # fmt: skip
    assert [one["ended"] is None for one in told] == [True, True, False]
    for one in told:
        assert (one["name"], one["title"], one["exit_code"], one["labels"]) == ("all/members", "all of them", None, {})
        assert one["content_type"] == "application/json"
        assert (one["generation"], one["began"]) == (told[0]["generation"], told[0]["began"])
    last = told[-1]
    times = [start, moment(last["began"]), moment(last["changed"]), moment(last["ended"]), datetime.now(UTC)]
    assert times == sorted(times)
    answer = read(server, "all/members")
    assert (answer["ETag"], answer["Livelog-State"]) == (f'"{last["generation"]}"', "complete")
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_status_is_for_any_page_and_for_no_cache(server: Server, method: str) -> None:
    """CORS, no-store, JSON, an ETag, and nothing for a browser to run; the unnamed log has an empty name."""
    send(server, "")
    answer = request(server.get, method, path_of("", TOKEN, "status"))
    expected = {
        "Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'",
        "ETag": f'"{status_of(server, "")["generation"]}"',
    }  # fmt: skip
    assert {name: answer[name] for name in expected} == expected
    assert answer.body == b"" if method == "HEAD" else answer.json["name"] == ""


@pytest.mark.parametrize(
    ("breaks", "state", "reason"),
    [
        (lambda producer: producer.send(b"nonsense\r\n"), "aborted", "a chunk does not begin with its size"),
        (lambda producer: producer.reset(), "aborted", ""),
        (lambda producer: producer.close(), "aborted", ""),
    ],
    ids=["framing", "reset", "closed"],
)
def test_reason_of_an_end_is_told_in_words(server: Server, breaks: Any, state: str, reason: str) -> None:
    """Whatever it was."""
    producer = begin(server, "broken")
    breaks(producer)
    told = status_of(server, "broken", "?wait=15&size=0&state=live")
    producer.close()
    assert told["state"] == state
    assert told["reason"].startswith(reason)
    assert told["reason"]


def test_generations_are_in_the_order_of_time(server: Server) -> None:
    """Of one name and of several, however quickly they follow each other."""
    generations = []
    for name in ("order/a", "order/b", "order/a", "order/a", "order/b"):
        send(server, name)
        generations.append(status_of(server, name)["generation"])
    assert generations == sorted(set(generations))


# Long polling.


def test_poll_is_answered_when_the_log_grows(server: Server) -> None:
    """Not before, and at the first byte; a size that is not the log's is answered at once."""
    producer = begin(server, "grows")
    waiting = poll(server, "grows", "?wait=60&size=0")
    assert not waiting.poll().begun
    producer.send(chunk(b"news"))
    assert finish(waiting).json["size"] == 4
    for size in ("0", "3", "5", "999999999999999999999999"):
        assert status_of(server, "grows", f"?wait=60&size={size}")["size"] == 4
    producer.send(chunk(b""))
    finish(producer)


def test_poll_is_answered_when_the_log_ends(server: Server) -> None:
    """Without a further byte; one that has ended is told at once, whatever its size."""
    producer = begin(server, "ends")
    kinds = (("GET", ""), ("GET", "&state=live"), ("HEAD", ""))
    waiting = [
        poll(server, "ends", f"?wait=60&size=0{state}", method=method, others=number)
        for number, (method, state) in enumerate(kinds)
    ]
    producer.send(chunk(b""))
    finish(producer)
    answers = [finish(connection) for connection in waiting]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [answer.json["state"] for answer in answers[:2]] == ["complete", "complete"]
    assert status_of(server, "ends", "?wait=60&size=0")["state"] == "complete"
    assert status_of(server, "ends", "?wait=60&size=0&state=complete")["state"] == "complete"


def test_poll_is_answered_when_the_state_changes(server: Server) -> None:
    """A resumable upload breaks off, and goes on; whoever knows another state is told at once."""
    address = send(server, "states", b"one", "Upload-Complete: ?0")["Location"]
    assert status_of(server, "states", "?wait=60&size=3&state=live")["state"] == "interrupted"
    waiting = poll(server, "states", "?wait=60&size=3")
    resumed = server.connect(producer=True)
    ask(resumed, "PATCH", address, CHUNKED, "Content-Type: application/partial-upload", "Upload-Offset: 3",
        "Upload-Complete: ?1")  # fmt: skip
    assert finish(waiting).json["state"] == "live"
    waiting = poll(server, "states", "?wait=60&size=3&state=live")
    resumed.reset()
    assert finish(waiting).json["state"] == "interrupted"


def test_poll_for_another_state_is_not_answered_when_the_log_grows(server: Server) -> None:
    """Only at the end, in one answer; at once, if the state is another one already."""
    producer = begin(server, "waited")
    waiting = poll(server, "waited", "?wait=60&state=live")
    producer.send(chunk(b"news"))
    assert status_of(server, "waited", "?wait=60&size=0")["size"] == 4
    assert not waiting.poll().begun
    assert status_of(server, "waited", "?wait=60&state=interrupted")["state"] == "live"
    producer.send(chunk(b""))
    finish(producer)
    assert finish(waiting).json["state"] == "complete"
    assert status_of(server, "waited", "?wait=60&state=complete")["state"] == "complete"


def test_poll_is_answered_when_the_log_is_replaced_or_removed(server: Server) -> None:
    """The log that was asked for is told of, which was aborted; then there is another one, or none."""
    for ends, reason in (("PUT", "another log of this name began"), ("DELETE", "the log was removed")):
        send(server, "replaced", b"one", "Upload-Complete: ?0")
        before = status_of(server, "replaced")
        waiting = poll(server, "replaced", "?wait=60&size=3")
        assert request(server.put, ends, "/log/replaced", body=b"" if ends == "PUT" else None).status in (200, 204)
        told = finish(waiting).json
        assert (told["generation"], told["state"], told["reason"]) == (before["generation"], "aborted", reason)


@pytest.mark.parametrize("query", ["?wait=1&size=0", "?wait=0&size=0", "?size=0", "?size=0&wait=1&state=live"])
def test_poll_without_news_is_answered_in_the_end(server: Server, query: str) -> None:
    """With what is known, which is what was known."""
    producer = begin(server, "quiet")
    assert status_of(server, "quiet", query)["size"] == 0
    producer.reset()


def test_poll_ends_when_the_server_stops() -> None:
    """With what there is, and not with a broken connection."""
    with running({"LIVELOG_SHUTDOWN_TIMEOUT": "10"}) as server:
        send(server, "a", b"one", "Upload-Complete: ?0")
        waiting = poll(server, "a", "?wait=60&size=3")
        server.process.terminate()
        assert finish(waiting).json["size"] == 3
        assert server.process.wait(TIMEOUT) == 0


def test_client_that_leaves_while_it_polls_leaves_nothing_behind(server: Server) -> None:
    """Its connection is gone at once, and the log goes on."""
    producer = begin(server, "left")
    leavers = [poll(server, "left", "?wait=300&size=0", others=number) for number in range(3)]
    leavers[0].reset()
    leavers[1].close()
    leavers[2].finish_sending()
    wait_until(lambda: open_connections(server) == 0, "they are gone")
    leavers[2].close()
    producer.send(chunk(b"x") + chunk(b""))
    assert finish(producer).status == 201


def test_status_of_a_log_that_has_not_begun_is_waited_for(server: Server) -> None:
    """404 with Retry-After at once or after the wait; else the status, as soon as the log begins."""
    for query in ("", "?wait=0", "?wait=1", "?size=0&wait=1"):
        answer = request(server.get, "GET", path_of("not/begun", TOKEN, "status") + query)
        assert (answer.status, answer["Retry-After"]) == (404, "1")
    waiting = [
        poll(server, "not/begun", query, others=number) for number, query in enumerate(("?wait=60", "?wait=60&size=0"))
    ]
    producer = begin(server, "not/begun")
    for connection in waiting:
        told = finish(connection).json
        assert (told["state"], told["size"]) == ("live", 0)
    producer.reset()


@pytest.mark.parametrize("query", ["?size=x&wait=1", "?size=-1", "?wait=soon&size=0", "?size=", "?size=1.5"])
def test_poll_for_what_is_no_number_is_refused(server: Server, query: str) -> None:
    """400, which names the parameter."""
    producer = begin(server, "numbers")
    answer = request(server.get, "GET", path_of("numbers", TOKEN, "status") + query)
    producer.reset()
    assert answer.status == 400
    assert b"the query parameter " in answer.body


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize("resource", ["log", "status", "logs"])
def test_readers_port_changes_nothing(server: Server, method: str, resource: str) -> None:
    """405 with what there is, for whoever has a token."""
    send(server, "unchanged", b"x")
    before = status_of(server, "unchanged")
    path = path_of("unchanged" if resource != "logs" else "", TOKEN, resource)
    answer = request(server.get, method, path, "Livelog-Title: x", body=b"")
    assert (answer.status, answer["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert status_of(server, "unchanged") == before


# The list.


@pytest.fixture(scope="module")
def many() -> Iterator[Server]:
    """A server with 150 logs in every state: numbers ending in 0 live, in 5 aborted, in 7 interrupted, else complete."""
    with running() as server:
        producers = []
        for number in range(150):
            name = f"job/{number}"
            if number % 10 == 0:
                producers.append(begin(server, name))
            elif number % 10 == 5:
                begin(server, name).reset()
            else:
                send(server, name, b"x" * number, *(("Upload-Complete: ?0",) if number % 10 == 7 else ()))
        wait_until(lambda: len(names(server, "?state=aborted")) == 15, "all resets have been seen")
        yield server
        for producer in producers:
            producer.reset()


def jobs(*numbers: int) -> list[str]:
    return [f"job/{number}" for number in numbers]


def pages(server: Server, query: str) -> Iterator[Any]:
    """All pages of the list, as a client that does as it is told gets them."""
    before = ""
    while True:
        page = request(server.get, "GET", f"/logs/{TOKEN}?{query}{before}").json
        yield page
        if page["next"] is None:
            return
        before = f"&before={page['next']}"


@pytest.mark.parametrize("limit", [1, 7, 75, 149, 150, 151, 1000])
def test_pages_together_are_all_logs_once_the_newest_first(many: Server, limit: int) -> None:
    """Whatever is on a page; there is no empty one at the end."""
    found = list(pages(many, f"limit={limit}"))
    assert [log["name"] for page in found for log in page["logs"]] == jobs(*reversed(range(150)))
    assert {len(page["logs"]) for page in found[:-1]} <= {limit}
    assert 0 < len(found[-1]["logs"]) <= limit


def test_page_has_100_logs_if_nobody_says_otherwise(many: Server) -> None:
    """And at most 1000; each is told as by its status."""
    page = request(many.get, "GET", f"/logs/{TOKEN}").json
    assert set(page) == {"logs", "next"}
    assert [log["name"] for log in page["logs"]] == jobs(*reversed(range(50, 150)))
    assert page["next"] == page["logs"][-1]["generation"]
    for log in page["logs"][::9]:
        status = lasting(status_of(many, log["name"]))
        assert log == status | {"attempts": len(status["attempts"])}
    assert len(names(many, "?limit=99999999999999999999")) == 150


@pytest.mark.parametrize(
    ("state", "ends"), [("live", "0"), ("aborted", "5"), ("interrupted", "7"), ("complete", "1234689")]
)
def test_list_of_one_state_has_all_of_them_and_no_other(many: Server, state: str, ends: str) -> None:
    """On one page, and on small ones."""
    expected = [name for name in jobs(*reversed(range(150))) if name[-1] in ends]
    assert names(many, f"?state={state}&limit=1000") == expected
    assert [log["name"] for page in pages(many, f"state={state}&limit=4") for log in page["logs"]] == expected


def test_pages_are_steady_while_logs_begin_and_go() -> None:
    """Whoever goes through the list sees each log that was there all the while once, and none twice."""
    with running() as server:
        for number in range(6):
            send(server, f"job/{number}")
        listing = pages(server, "limit=2")
        seen = [log["name"] for log in next(listing)["logs"]]
        send(server, "job/new")
        assert request(server.put, "DELETE", "/log/job/4").status == 204  # what the next page begins behind
        send(server, "job/3")  # it is the newest now
        seen += [log["name"] for page in listing for log in page["logs"]]
        assert seen == jobs(5, 4, 2, 1, 0)
        assert names(server) == ["job/3", "job/new", *jobs(5, 2, 1, 0)]


def test_list_of_no_logs_is_empty() -> None:
    """And HEAD has the same headers as GET."""
    with running() as server:
        answer, head = (request(server.get, method, f"/logs/{TOKEN}") for method in ("GET", "HEAD"))
        assert answer.json == {"logs": [], "next": None}
        for name in ("Content-Type", "Cache-Control", "Access-Control-Allow-Origin", "Content-Length"):
            assert head[name] == answer[name] != ""
        assert head.body == b""


@pytest.mark.parametrize(
    "query", ["?state=dead", "?state=", "?state=Live", "?limit=x", "?limit=-1", "?limit=0", "?limit="]
)
def test_list_of_what_there_is_not_is_refused(server: Server, query: str) -> None:
    """400, with what would be right."""
    answer = request(server.get, "GET", f"/logs/{TOKEN}{query}")
    assert answer.status == 400
    assert (
        b"not one of live, interrupted, complete and aborted" if "state" in query else b"whole number"
    ) in answer.body


@pytest.mark.parametrize("resource", ["log", "status"])
@pytest.mark.parametrize("text", ["", "x", "-1", "1.5"])
def test_wait_that_is_no_number_is_refused_whether_or_not_there_is_a_log(
    server: Server, resource: str, text: str
) -> None:
    send(server, "there", b"x")
    for name in ("there", "not-there"):
        assert request(server.get, "GET", f"{path_of(name, TOKEN, resource)}?wait={text}").status == 400, name


# What producers tell.


def test_what_is_told_at_the_start_is_shown_at_once(server: Server) -> None:
    """Text in UTF-8, several lines of labels, and JSON that everybody can read."""
    producer = begin(
        server, "told", 'Livelog-Title: Nächtlich ✓ "quoted"', "Livelog-Label: branch=main,, commit=1a2b3c ,",
        "Livelog-Label: empty=, x.y_z-0=a=b; c", "Livelog-Exit-Code: -1",
    )  # fmt: skip
    told = status_of(server, "told")
    assert told["title"] == 'Nächtlich ✓ "quoted"'
    assert told["labels"] == {"branch": "main", "commit": "1a2b3c", "x.y_z-0": "a=b; c"}
    assert told["exit_code"] == -1
    producer.reset()


def test_what_is_told_later_is_added_until_the_log_ends(server: Server) -> None:
    """Field by field; what is not named stays, an empty label goes; 204, then 409."""
    producer = begin(server, "later", "Livelog-Title: first", "Livelog-Label: a=1, b=2")
    for headers, title, code, labels in (
        ((), "first", None, {"a": "1", "b": "2"}),
        (("Livelog-Label: b=3, c=4",), "first", None, {"a": "1", "b": "3", "c": "4"}),
        (("Livelog-Exit-Code: 7",), "first", 7, {"a": "1", "b": "3", "c": "4"}),
        (("Livelog-Title: second", "Livelog-Label: a="), "second", 7, {"b": "3", "c": "4"}),
        (("Livelog-Title:", "Livelog-Exit-Code: 4294967295"), "", 4294967295, {"b": "3", "c": "4"}),
    ):
        answer = patch(server, "later", *headers)
        assert (answer.status, bool(answer["Livelog-Link"]), answer.body) == (204, True, b"")
        told = status_of(server, "later")
        assert (told["title"], told["exit_code"], told["labels"]) == (title, code, labels)
    producer.send(chunk(b""))
    finish(producer)
    before = status_of(server, "later")
    assert patch(server, "later", "Livelog-Exit-Code: 0").status == 409
    assert status_of(server, "later") == before


def test_interrupted_log_can_be_told_of_and_each_part_of_an_upload_tells(server: Server) -> None:
    """PATCH of the log while nobody sends, and the fields of the request that goes on."""
    address = send(server, "parts", b"one", "Upload-Complete: ?0", "Livelog-Label: a=1")["Location"]
    assert patch(server, "parts", "Livelog-Label: b=2").status == 204
    goes_on = ("Content-Type: application/partial-upload", "Upload-Offset: 3", "Upload-Complete: ?1")
    answer = request(server.put, "PATCH", address, *goes_on, "Livelog-Exit-Code: 3", "Livelog-Label: c=3", body=b"two")
    assert answer.status == 201
    told = status_of(server, "parts")
    assert (told["exit_code"], told["labels"]) == (3, {"a": "1", "b": "2", "c": "3"})


WRONG = [
    "Livelog-Title: " + "x" * 257, "Livelog-Title: " + "é" * 129, "Livelog-Title: a\tb", "Livelog-Title: \u202etxt.exe",
    "Livelog-Exit-Code: one", "Livelog-Exit-Code: 1.0", "Livelog-Exit-Code:", "Livelog-Exit-Code: 4294967296",
    "Livelog-Exit-Code: -2147483649", "Livelog-Exit-Code: 1, 2",
    "Livelog-Label: noequals", "Livelog-Label: =x", "Livelog-Label: A=x", "Livelog-Label: a b=x", "Livelog-Label: -a=x",
    f"Livelog-Label: {'n' * 64}=x", "Livelog-Label: a=" + "x" * 257, "Livelog-Label: a=b\tc",
    "Livelog-Label: " + ",".join(f"n{number}=x" for number in range(17)),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_refused_and_changes_nothing(server: Server, wrong: str) -> None:
    """400 that names the field; of a request with one right field and one wrong one, nothing is kept."""
    producer = begin(server, "wrong", "Livelog-Title: right")
    before = status_of(server, "wrong")
    for answer in (
        patch(server, "wrong", "Livelog-Label: right=1", wrong),
        send(server, "never", b"x", "Livelog-Label: right=1", wrong),
        send(server, "never", b"x", "Upload-Complete: ?1", wrong),
    ):
        assert answer.status == 400
        assert (wrong.partition(":")[0] if wrong is not WRONG[-1] else "labels: at most 16").encode() in answer.body
    assert lasting(status_of(server, "wrong")) == lasting(before)
    assert "never" not in names(server)
    producer.reset()


def test_bytes_that_are_no_utf_8_are_refused(server: Server) -> None:
    """They could not be shown as JSON."""
    for field in (b"Livelog-Title: caf\xe9", b"Livelog-Label: a=\xff"):
        connection = server.connect(producer=True)
        head = b"PUT /log/bytes HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n" + field + b"\r\n\r\n"
        connection.ask("PUT", "1.1", head)
        assert finish(connection).status == 400
    assert "bytes" not in names(server)


def test_largest_of_all_fields_are_kept_whole(server: Server) -> None:
    """A title of 256 bytes, 16 labels with names of 63 and values of 256."""
    labels = {f"{number:02}" + "n" * 61: "é" * 128 for number in range(16)}
    lines = [f"Livelog-Label: {name}={value}" for name, value in labels.items()]
    assert send(server, "largest", b"x", "Livelog-Title: " + "é" * 128, *lines).status in (200, 201)
    told = status_of(server, "largest")
    assert (told["title"], told["labels"]) == ("é" * 128, labels)
    assert patch(server, "largest", "Livelog-Label: one.more=x").status == 400


def test_patch_of_a_log_has_no_body_and_there_must_be_one(server: Server) -> None:
    """415 for a body, which would be something else's; 404 if the log has not begun."""
    producer = begin(server, "bare")
    assert request(server.put, "PATCH", "/log/bare", "Livelog-Title: x", body=b"title").status == 415
    assert request(server.put, "PATCH", "/log/bare", "Livelog-Title: x", body=b"").status == 204
    assert patch(server, "none/such", "Livelog-Title: x").status == 404
    producer.reset()


def test_status_is_one_line_of_ascii(server: Server) -> None:
    """So that a terminal shows it as it is, whatever a producer has told."""
    send(server, "ascii", b"x", "Livelog-Title: é\u00a1✓")
    body = request(server.get, "GET", path_of("ascii", TOKEN, "status")).body
    assert body.isascii()
    assert body.count(b"\n") == 1
    assert body.endswith(b"\n")
    assert json.loads(body)["title"] == "é\u00a1✓"
