"""Questions that make no sense are answered with 400 and the reason, and never as if they did.

Categories: states · pages · times · names that are tokens · what is logged of them.
"""

import contextlib
import json
import time

import pytest

from tests.harness import TOKEN, Server, chunk

from .logs import begin, finish, path_of, read, request, send, status_of
from .servers import running

STATES = "the query parameter state is not one of live, interrupted, complete and aborted"

PLACE = (
    "the query parameter {} is not a place: the number of a line, such as 120, a byte, such as byte:4096, or a time with its zone, such as "
    "2026-11-25T05:26:53Z"
)

QUESTIONS = [
    ("/status/{token}/a?state=foo", STATES),
    ("/status/{token}/a?wait=1&size=4&state=foo", STATES),
    ("/status/{token}/a?state=", STATES),
    ("/status/{token}/a?state=LIVE", STATES),
    ("/status/{token}/a?size=x", "the query parameter size is not a whole number"),
    ("/logs/{token}?state=foo", STATES),
    ("/logs/{token}?before=foo", "the query parameter before is not the value of next in another page"),
    ("/logs/{token}?before=", "the query parameter before is not the value of next in another page"),
    ("/logs/{token}?before=20261127", "the query parameter before is not the value of next in another page"),
    ("/logs/{token}?limit=0", "the query parameter limit is not a whole number above 0"),
    ("/logs/{token}?limit=-1", "the query parameter limit is not a whole number"),
    ("/lines/{token}/a?until=x", PLACE.format("until")),
    ("/lines/{token}/a?from=byte:x", PLACE.format("from")),
    ("/lines/{token}/a?from=-1", PLACE.format("from")),
    ("/lines/{token}/a?from=1&until=", PLACE.format("until")),
    ("/lines/{token}/a?from=0", "lines are counted from 1"),
    ("/lines/{token}/a?at=byte:1", "the query parameter at is not a whole number"),
    ("/problems/{token}/a?as=xml", "the query parameter as is not one of json, ndjson"),
]


@pytest.mark.parametrize(("target", "text"), QUESTIONS)
def test_each_is_answered_with_its_reason(server: Server, target: str, text: str) -> None:
    if "a" not in _names(server):
        send(server, "a", b"four")
    answer = request(server.get, "GET", target.format(token=TOKEN))
    assert (answer.status, answer.body.decode()) == (400, f"{text}\n")


def _names(server: Server) -> list[str]:
    return [log["name"] for log in request(server.get, "GET", f"/logs/{TOKEN}?limit=1000").json["logs"]]


def test_a_page_is_as_long_as_the_limit_and_its_next_is_taken(server: Server) -> None:
    for name in ("a", "b"):
        send(server, name)
    page = request(server.get, "GET", f"/logs/{TOKEN}?limit=1").json
    assert len(page["logs"]) == 1
    assert request(server.get, "GET", f"/logs/{TOKEN}?limit=1000&before={page['next']}").status == 200


@pytest.mark.parametrize("live", [False, True])
def test_nothing_came_after_the_last_byte(*, live: bool) -> None:
    """A time in the future, or just after the last byte, is where the log ends; its own is not."""
    with running() as server, contextlib.ExitStack() as stack:
        text = b"line\n" * 30_000
        if live:
            producer = stack.enter_context(contextlib.closing(begin(server, "a")))
            reader = server.connect()
            stack.enter_context(contextlib.closing(reader))
            producer.send(chunk(text))
            while status_of(server, "a")["size"] < len(text):
                pass
        else:
            send(server, "a", text)
        later = time.time() + 3600
        for moment in (later, int(later * 1000) / 1000, "2099-01-01T00:00:00Z"):
            answer = request(server.get, "GET", path_of("a", TOKEN, "lines") + f"?time={moment}")
            assert (answer.status, answer.body) == (200, b"")
            assert answer["Livelog-Offset"] == str(len(text))
        before = request(server.get, "GET", path_of("a", TOKEN, "lines") + f"?time={later}&count=-2")
        assert before.body == b"line\nline\n"
        changed = status_of(server, "a")["changed"]
        last = request(server.get, "GET", path_of("a", TOKEN, "lines") + f"?time={changed}")
        assert (last.status, last.body != b"") == (200, True)


def test_the_own_token_of_a_log_is_no_name_nor_a_part_of_one() -> None:
    """Of any log that there is, for ever or until a time. It is in no line of the server's log."""
    with running() as server:
        send(server, "lp")
        link = request(server.put, "HEAD", "/log/lp")["Livelog-Link"]
        expiring = request(server.put, "HEAD", "/log/lp?expires=2h")["Livelog-Link"].split("/")[4]
        own = link.split("/")[4]
        for name in (own, f"lp/{own}", f"{own}/lp", f"a/{own}/b", expiring, f"x/{expiring}"):
            for method in ("PUT", "GET", "DELETE"):
                body = b"x" if method == "PUT" else None
                answer = request(server.put, method, f"/log/{name}", body=body)
                assert answer.status == 404, (method, name)
                assert b"there is nothing at this path" in answer.body
        assert own not in server.log()
        assert expiring not in server.log()
        for name in ("d41d8cd98f00b204e9800998ecf8427e", f"{own[:-1]}", "v1.2.3"):
            assert send(server, name).status == 201, name


def test_a_problem_document_says_the_same(server: Server) -> None:
    answer = request(server.get, "GET", f"/logs/{TOKEN}?state=foo", "Accept: application/problem+json")
    assert json.loads(answer.body)["detail"] == STATES


def test_what_is_the_servers_affair_is_a_warning_in_its_log() -> None:
    """503, as from a busy server, and 501; what is the client's is information."""
    with running({"LIVELOG_MAX_READERS": "1"}) as server:
        with contextlib.closing(begin(server, "a")), contextlib.closing(server.connect()) as first:
            first.ask("GET", "1.1", f"GET /log/{TOKEN}/a HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            first.wait_head()
            busy = read(server, "a")
            assert busy.status == 503
        odd = server.connect(producer=True)
        odd.ask("PUT", "1.1", b"PUT /log/b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")
        coding = finish(odd)
        assert coding.status == 501
        none = request(server.put, "DELETE", "/log/nothing")
        for answer, level in ((busy, "WARNING"), (coding, "WARNING"), (none, "INFO")):
            assert f" {level} livelog.wire.refusals: error {answer['Livelog-Error']}: {answer.status} " in server.log()
