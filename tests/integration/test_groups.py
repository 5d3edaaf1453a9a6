"""Groups of lines that a viewer can fold, over HTTP. Which marks make which groups is shown in the unit tests."""

from collections.abc import Iterator

import pytest

from tests.harness import TOKEN, Server, chunk

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
        "seconds": None,
    }


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
        document = groups(server, "growing").json
        assert (document["groups"], document["more"]) == (expected, not piece.endswith(b"\n"))
    producer.send(chunk(b""))
    finish(producer)
    assert groups(server, "growing").json == {
        "groups": [group(2, 2, "one"), group(3, 4, "two")], "indexed": size, "more": False
    }  # fmt: skip


def test_groups_far_apart_have_the_right_lines(server: Server) -> None:
    """In a log of many pieces, with lines longer than a piece, and only those that are asked for."""
    block = b"line\n" * 300_000
    content = b"::group::a\n" + block + b"::endgroup::\n" + b"x" * 3_000_000 + b"\n" + b"##[group]b\n" + block
    send(server, "large", content)
    expected = [group(1, 300_002, "a"), group(300_004, None, "b")]
    wait_until(lambda: not groups(server, "large").json["more"], "all is looked at")
    assert groups(server, "large").json == {"groups": expected, "indexed": len(content), "more": False}
    assert groups(server, "large", "?from=300003").json["groups"] == expected[1:]
    assert groups(server, "large", "?from=5&to=300003").json["groups"] == expected[:1]


def test_not_more_than_ten_thousand_groups_are_told(server: Server) -> None:
    """And that there are more is told, too."""
    send(server, "many", b"::group::a\n::endgroup::\n" * 10_001)
    document = groups(server, "many").json
    assert (len(document["groups"]), document["more"]) == (10_000, True)


def test_question_is_as_for_the_status(server: Server) -> None:
    """For any page, for no cache; a number that is none is refused."""
    send(server, "plain", b"no group\n")
    answer = groups(server, "plain")
    assert (answer["Access-Control-Allow-Origin"], answer["Cache-Control"]) == ("*", "no-store")
    assert answer["ETag"] == f'"{status_of(server, "plain")["generation"]}"'
    assert answer.json["groups"] == []
    assert [groups(server, "plain", query).status for query in ("?from=x", "?to=-1")] == [400, 400]
    assert request(server.get, "GET", path_of("plain", "wrong", "groups")).status == 401
