"""Groups of lines that a viewer can fold, over HTTP. Which marks make which groups is shown in the unit tests."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.harness import PATIENCE, TOKEN, Server, chunk

from .logs import Answer, begin, finish, path_of, request, send, status_of
from .servers import running, wait_until


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server."""
    with running() as server:
        yield server


def groups(server: Server, name: str, query: str = "") -> Answer:
    """The answer to a question for groups."""
    return request(server.get, "GET", path_of(name, TOKEN, "groups") + query)


def group(start: int, end: int | None, title: str) -> dict[str, object]:
    """A group as it is told."""
    return {
        "start": start,
        "end": end,
        "title": title,
        "level": 0,
        "collapsed": False,
        "kind": "github",
    }


def untimed(answer: Answer) -> dict[str, Any]:
    """An answer without the times of its groups, which are there."""
    document: dict[str, Any] = answer.json
    for one in document["groups"]:
        began, ended, seconds = (one.pop(name) for name in ("began", "ended", "seconds"))
        assert (ended is None) == (one["end"] is None)
        assert seconds >= 0
        assert ended is None or ended >= began
    return document


def test_groups_grow_with_the_log(server: Server) -> None:
    """In pieces cut anywhere; a line that has not all come waits until the log has ended."""
    producer = begin(server, "growing")
    size = 0
    for piece, expected in (
        (b"x\n::group::one\n::gro", [group(2, None, "one")]),
        (b"up::two\n", [group(2, 2, "one"), group(3, None, "two")]),
        (b"::endgroup::", [group(2, 2, "one"), group(3, None, "two")]),
    ):
        producer.send(chunk(piece))
        size += len(piece)
        wait_until(lambda size=size: status_of(server, "growing")["size"] == size, "the bytes")  # type: ignore[misc]
        document = untimed(groups(server, "growing"))
        assert (document["groups"], document["more"]) == (expected, not piece.endswith(b"\n"))
    producer.send(chunk(b""))
    finish(producer)
    assert untimed(groups(server, "growing")) == {
        "groups": [group(2, 2, "one"), group(3, 4, "two")], "next": None, "indexed": size, "more": False
    }  # fmt: skip


def test_groups_have_the_durations_of_their_lines_and_the_running_one_goes_on(server: Server) -> None:
    producer = begin(server, "timed")
    producer.send(chunk(b"::group::one\n"))
    wait_until(lambda: len(groups(server, "timed").json["groups"]) == 1, "the first", PATIENCE)
    first = groups(server, "timed").json["groups"][0]["seconds"]
    wait_until(
        lambda: groups(server, "timed").json["groups"][0]["seconds"] > first + 0.05, "time that goes on", PATIENCE
    )
    producer.send(chunk(b"::endgroup::\n::group::two\n"))
    wait_until(lambda: len(groups(server, "timed").json["groups"]) == 2, "the second", PATIENCE)
    one, two = groups(server, "timed").json["groups"]
    lasted = datetime.fromisoformat(one["ended"]) - datetime.fromisoformat(one["began"])
    assert one["seconds"] == round(lasted.total_seconds(), 3) > 0.05
    assert (two["began"], two["ended"]) == (one["ended"], None)
    assert groups(server, "timed").json["groups"][0] == one
    producer.send(chunk(b""))
    finish(producer)
    wait_until(lambda: status_of(server, "timed")["ended"] is not None, "the end")
    two = groups(server, "timed").json["groups"][1]
    lasted = datetime.fromisoformat(status_of(server, "timed")["ended"]) - datetime.fromisoformat(two["began"])
    assert two["ended"] is None
    assert abs(two["seconds"] - lasted.total_seconds()) < 0.002


def test_groups_far_apart_have_the_right_lines(server: Server) -> None:
    """In a log of many pieces, with lines longer than a piece, and only those that are asked for."""
    block = b"line\n" * 300_000
    content = b"::group::a\n" + block + b"::endgroup::\n" + b"x" * 3_000_000 + b"\n" + b"##[group]b\n" + block
    send(server, "large", content)
    expected = [group(1, 300_002, "a"), group(300_004, None, "b")]
    wait_until(lambda: not groups(server, "large").json["more"], "all is looked at", PATIENCE)
    assert untimed(groups(server, "large")) == {
        "groups": expected, "next": None, "indexed": len(content), "more": False
    }  # fmt: skip
    assert untimed(groups(server, "large", "?from=300003"))["groups"] == expected[1:]
    assert untimed(groups(server, "large", "?from=5&to=300003"))["groups"] == expected[:1]


def test_not_more_than_ten_thousand_groups_are_told(server: Server) -> None:
    """And that there are more is told, too."""
    send(server, "many", b"::group::a\n::endgroup::\n" * 10_001)
    document = groups(server, "many").json
    assert (len(document["groups"]), document["next"], document["more"]) == (10_000, None, True)


def test_pages_of_groups_are_all_of_them_once_also_while_the_log_grows(server: Server) -> None:
    """`next` is where the next one begins, whatever has ended or begun since."""
    producer = begin(server, "paged")
    producer.send(chunk(b"".join(b"::group::%d\nx\n" % number for number in range(25))))
    wait_until(lambda: len(groups(server, "paged").json["groups"]) == 25, "the groups", PATIENCE)
    found, query = [], "?limit=10"
    for new in range(25, 28):
        document = groups(server, "paged", query).json
        found += [one["title"] for one in document["groups"]]
        assert document["next"] == (len(found) if len(found) < 25 else None)
        query = f"?limit=10&skip={document['next']}"
        producer.send(chunk(b"::endgroup::\n::group::%d\n" % new))
        wait_until(lambda new=new: len(groups(server, "paged").json["groups"]) == new + 1, "one more", PATIENCE)  # type: ignore[misc]
    assert found == [str(number) for number in range(27)]
    producer.send(chunk(b""))
    finish(producer)
    assert [one["title"] for one in groups(server, "paged", "?from=7&to=12&limit=2").json["groups"]] == ["3", "4"]
    assert groups(server, "paged", "?from=7&to=12&limit=2").json["next"] == 5
    assert groups(server, "paged", "?limit=99999999999999999999").json["next"] is None
    assert groups(server, "paged", "?skip=9999999").json["groups"] == []


def test_answer_has_a_bounded_number_of_bytes_whatever_the_titles(server: Server) -> None:
    """As lines have; what is left is on the next page. Ten thousand groups of a usual size are on one."""
    send(server, "wide", (b"::group::" + "\N{GRINNING FACE}".encode() * 200 + b"\n") * 9_000)
    wait_until(lambda: not groups(server, "wide", "?limit=1").json["more"], "all is looked at", PATIENCE)
    seen = 0
    following: int | None = 0
    while following is not None:
        answer = groups(server, "wide", f"?skip={following}")
        assert len(answer.body) <= 4 * 1024 * 1024 + 1000
        seen, following = seen + len(answer.json["groups"]), answer.json["next"]
    assert seen == 9_000


def test_question_is_as_for_the_status(server: Server) -> None:
    """For any page, for no cache; a number that is none is refused."""
    send(server, "plain", b"no group\n")
    answer = groups(server, "plain")
    assert (answer["Access-Control-Allow-Origin"], answer["Cache-Control"]) == ("*", "no-store")
    assert answer["ETag"] == f'"{status_of(server, "plain")["generation"]}"'
    assert answer.json["groups"] == []
    assert [groups(server, "plain", query).status for query in ("?from=x", "?to=-1", "?skip=x", "?limit=0")] == [
        400
    ] * 4
    assert request(server.get, "GET", path_of("plain", "wrong", "groups")).status == 401
