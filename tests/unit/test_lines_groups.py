"""Groups of lines: the marks of each kind, how they lie in one another, and pieces of any size."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.lines.collecting import Clock
from livelog.lines.groups import MAX_GROUPS, MAX_PAGE, Groups, collection

CLOCK = Clock(lambda offset: 10 * offset, 1_000_000)
"""The bytes came 10 ms apart."""


def groups(*pieces: bytes) -> Groups:
    """The groups of a log that was looked at in these pieces."""
    found = collection("utf-8")
    for piece in pieces:
        found.take(piece)
    return found


def told(content: bytes) -> list[tuple[int, int | None, str, int]]:
    """Start, end, title and level of each group."""
    return [(group.start, group.end, group.title, group.level) for group in groups(content).found]


def section(what: str, time: int, name: str, title: str = "", options: str = "") -> bytes:
    return f"\x1b[0Ksection_{what}:{time}:{name}{options}\r\x1b[0K{title}".encode()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a group of lines\n:: group\nsection_ of it\n", []),
        (b"x\n::group::Install\na\nb\n::endgroup::\n", [(2, 5, "Install", 0)]),
        (b"##[group]Run make\na\n##[endgroup]\n", [(1, 3, "Run make", 0)]),
        (b"2026-11-25T05:26:53.1234567Z ##[group]Run\r\n2026-11-25T05:26:54Z ##[endgroup]\r\n", [(1, 2, "Run", 0)]),
        (b"\x1b[32m::group::\x1b[1mgreen\x1b[0m\n", [(1, None, "green", 0)]),
        (b"::group::a\n1\n::group::b\n2\n::endgroup::\n", [(1, 2, "a", 0), (3, 5, "b", 0)]),
        (b"::group::a\n::group::b\n", [(1, 1, "a", 0), (2, None, "b", 0)]),
        (b"::endgroup::\n##[endgroup]\n", []),
        (b"say ::group::no\n", []),
        (section("start", 1, "a", "A") + b"\nx\n" + section("end", 3, "a") + b"\n", [(1, 3, "A", 0)]),
        (section("start", 1, "a") + b"\n", [(1, None, "a", 0)]),
        (section("end", 1, "a") + b"\n", []),
        (
            section("start", 1, "a", "A") + b"\n" + section("start", 2, "b", "B") + b"\n" + section("end", 3, "b")
            + section("start", 3, "c", "C") + b"\n" + section("end", 9, "a") + b"\n",
            [(1, 4, "A", 0), (2, 2, "B", 1), (3, 4, "C", 1)],
        ),
        # As GitLab's runner writes them: what ends, what begins and what the job says last are in one line.
        (
            section("start", 1, "a", "A") + b"\nx\n" + section("end", 2, "a") + section("start", 2, "b") + b"\ny\n"
            + section("end", 3, "b") + b"\x1b[31;1mERROR: Job failed\n\x1b[0;m",
            [(1, 2, "A", 0), (3, 4, "b", 0)],
        ),
        (
            section("start", 1, "a", "A") + b"\n" + section("start", 1, "b", "B") + b"\nx\n" + section("end", 2, "b")
            + section("end", 2, "a") + b"\x1b[0;m\n",
            [(1, 4, "A", 0), (2, 4, "B", 1)],
        ),
        (section("start", 1, "a", "A") + b"\n::group::b\n1\n" + section("end", 2, "a") + b"\n", [(1, 4, "A", 0), (2, 4, "b", 1)]),
    ],
)  # fmt: skip
def test_groups_are_what_the_marks_say(content: bytes, expected: list[tuple[int, int | None, str, int]]) -> None:
    assert told(content) == expected


def pages(found: Groups) -> list[dict[str, Any]]:
    """All groups, as they are told."""
    return [json.loads(text) for text in found.page(0, 10**9, clock=CLOCK)[0]]


def test_a_section_has_the_duration_of_its_marks_and_may_be_collapsed() -> None:
    content = (
        section("start", 100, "a", "\x1b[1mTitle", "[hide=x,collapsed=true]") + b"\n" + section("end", 107, "a") + b"\n"
    )
    assert pages(groups(content)) == [{
        "start": 1, "end": 2, "title": "Title", "level": 0, "collapsed": True, "kind": "gitlab",
        "began": "1970-01-01T00:01:40.000Z", "ended": "1970-01-01T00:01:47.000Z", "seconds": 7.0,
    }]  # fmt: skip


def test_a_group_has_the_times_of_the_lines_of_its_marks() -> None:
    found = groups(b"12345\n::group::a\n" + b"x" * 83 + b"\n::endgroup::\n::group::b\n")
    first, second = pages(found)
    assert (first["began"], first["ended"], first["seconds"]) == (
        "1970-01-01T00:00:00.060Z",
        "1970-01-01T00:00:01.010Z",
        0.95,
    )
    assert (second["began"], second["ended"], second["seconds"]) == ("1970-01-01T00:00:01.140Z", None, 998.86)
    assert found.running
    assert not found.done


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # Azure's sections lie in one another, and its groups in them.
        (
            b"##[section]Starting: Job\n##[section]Starting: Build\n##[group]make\nx\n##[endgroup]\n##[section]Finishing: Build\n##[section]Finishing: Job\n",
            [(1, 7, "Job", 0, "azure", False), (2, 6, "Build", 1, "azure", False), (3, 5, "make", 2, "azure", False)],
        ),
        (b"2026-11-25T05:26:53.1234567Z ##[section]Starting: A\r\n##[section]Finishing: B\n", [(1, None, "A", 0, "azure", False)]),
        # Buildkite's groups do not.
        (
            b"--- no\n~~~ Running agent environment hook\n--- :hammer: Build\nx\n+++ Test\ny\n",
            [(2, 2, "Running agent environment hook", 0, "buildkite", True), (3, 4, ":hammer: Build", 0, "buildkite", True), (5, None, "Test", 0, "buildkite", False)],
        ),
        (b"\x1b_bk;t=1764295384000\x07--- Build\r\n\x1b_bk;t=1764295384001\x07x\n^^^ +++\n", [(1, None, "Build", 0, "buildkite", False)]),
        (b"--- a/file\n+++ b/file\n~~~ of it\n^^^ +++\n", []),
        (b"~~~ Preparing plugins\n^^^ +++\n::group::a\n^^^ +++\n", [(1, 2, "Preparing plugins", 0, "buildkite", False), (3, None, "a", 0, "github", False)]),
        (b"~~~ Preparing plugins\n::group::a\n--- b\n", [(1, 1, "Preparing plugins", 0, "buildkite", True), (2, 2, "a", 0, "github", False), (3, None, "b", 0, "buildkite", True)]),
    ],
)  # fmt: skip
def test_groups_of_azure_and_of_buildkite(content: bytes, expected: list[tuple[object, ...]]) -> None:
    assert [
        tuple(one[name] for name in ("start", "end", "title", "level", "kind", "collapsed"))
        for one in pages(groups(content))
    ] == expected


def fold(what: str, name: str, rest: str = "") -> bytes:
    return f"travis_fold:{what}:{name}\r\x1b[0K{rest}".encode()


def spent(name: str, start: int, finish: int) -> bytes:
    return f"travis_time:end:{name}:start={start}000000,finish={finish}000000,duration={finish - start}000000\r\x1b[0K".encode()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # What ends, what begins and what comes next are in one line.
        (
            fold("start", "a", "\x1b[33;1mA\x1b[0m") + b"\nx\n" + fold("end", "a") + fold("start", "b.1", "B") + b"\r\ny\r\n" + fold("end", "b.1", "next\n"),
            [(1, 2, "A", 0, 0.39), (3, 4, "B", 0, 0.32)],
        ),
        # A fold is named by its first command, and takes as long as its commands.
        (
            fold("start", "a", "travis_time:start:0a1b\r\x1b[0K$ make") + b"\nx\n" + spent("0a1b", 1000, 3500)
            + b"travis_time:start:0a1c\r\x1b[0K$ make test\n" + spent("0a1c", 4000, 9000) + fold("end", "a") + b"\n",
            [(1, 4, "$ make", 0, 8.0)],
        ),
        (b"travis_fold:start:a\nA\ntravis_fold:start:b\ntravis_fold:end:a\nx\n", [(1, 4, "a", 0, 0.42), (3, 4, "b", 1, 0.2)]),
        (spent("0a1b", 1000, 3500) + b"\n::group::a\n" + spent("0a1c", 1000, 3500) + b"\n::endgroup::\n", [(2, 4, "a", 0, 0.92)]),
        (fold("end", "a") + b"\nsay travis_fold:start:a b\ntravis_time:start:0a\n", []),
    ],
)  # fmt: skip
def test_folds_of_travis(content: bytes, expected: list[tuple[object, ...]]) -> None:
    assert [
        tuple(one[name] for name in ("start", "end", "title", "level", "seconds")) for one in pages(groups(content))
    ] == expected


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (b"2026-11-25T05:26:53.1234567Z ##[group]a\n2026-11-25T05:26:55.6234567Z ##[endgroup]\n", 2.5),
        (b"\xef\xbb\xbf2026-11-25T05:26:53Z ##[section]Starting: a\n2026-11-25T05:28:53.5Z ##[section]Finishing: a\n", 120.5),
        (b"\x1b_bk;t=1764295384000\x07--- a\n\x1b_bk;t=1764295385500\x07x\n\x1b_bk;t=1764295386500\x07\x1b[?25h~~~ Running b\n", 2.5),
        (b"job\tA step\t2026-11-25T05:26:53.1234567Z ##[group]a\njob\tA step\t2026-11-25T05:26:55.6234567Z ##[endgroup]\n", 2.5),
        # Without a time of both marks, or with ones that are none, the bytes' times count.
        (b"2026-11-25T05:26:53Z ##[group]a\n" + b"x" * 67 + b"\n##[endgroup]\n", 1.0),
        (b"2026-99-25T05:26:53Z ##[group]a\n" + b"x" * 67 + b"\n2026-11-25T05:26:53Z ##[endgroup]\n", 1.0),
        (b"2026-11-25T05:26:59Z ##[group]a\n2026-11-25T05:26:53Z ##[endgroup]\n", 0.0),
    ],
)  # fmt: skip
def test_a_group_has_the_times_that_the_log_has_at_its_marks(content: bytes, seconds: float) -> None:
    assert pages(groups(content))[0]["seconds"] == seconds


LINES = st.lists(
    st.sampled_from([
        b"::group::a", b"::endgroup::", b"text", b"a group", b"", section("start", 5, "x", "X"), section("end", 9, "x"),
        section("end", 9, "x") + section("start", 9, "y"), b"##[section]Starting: z", b"##[section]Finishing: z", b"--- b", b"~~~ Running x",
        fold("start", "f", "F"), fold("end", "f"), spent("0a", 5, 6) + fold("end", "f"),
    ]),
    max_size=30,
)  # fmt: skip


@given(LINES, st.lists(st.integers(0, 30), max_size=4))
def test_groups_are_the_same_in_pieces_of_whole_lines(lines: list[bytes], cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(lines)]
    pieces = [b"".join(line + b"\n" for line in lines[a:b]) for a, b in itertools.pairwise(edges)]
    whole, cut = groups(b"".join(pieces)), groups(*pieces)
    assert (whole.found, whole.indexed, whole.lines) == (cut.found, cut.indexed, cut.lines)


def titles(page: tuple[list[bytes], int | None]) -> tuple[str, int | None]:
    """The titles on a page, and where the next one begins."""
    return "".join(json.loads(text)["title"] for text in page[0]), page[1]


def test_groups_of_some_lines_are_those_that_have_one_of_them() -> None:
    found = groups(b"::group::a\n\n::endgroup::\n\n::group::b\n\n")
    for lines, expected in (((3, 4), "a"), ((4, 4), ""), ((2, 5), "ab"), ((900, 999), "b")):
        assert titles(found.page(*lines, clock=CLOCK)) == (expected, None)


def test_pages_of_groups_are_all_of_them_once() -> None:
    found = groups(b"".join(b"::group::%c\n::endgroup::\n" % letter for letter in b"abcdef"))
    assert titles(found.page(1, 99, clock=CLOCK)) == ("abcdef", None)
    assert titles(found.page(1, 99, clock=CLOCK, limit=4)) == ("abcd", 4)
    assert titles(found.page(1, 99, clock=CLOCK, skip=4, limit=4)) == ("ef", None)
    assert titles(found.page(1, 99, clock=CLOCK, skip=5, limit=1)) == ("f", None)
    assert (
        titles(found.page(1, 99, clock=CLOCK, skip=6))
        == titles(found.page(1, 99, clock=CLOCK, skip=10**18))
        == ("", None)
    )
    # Of some lines only; that `skip` counts all groups makes it tell the same when one of those before has ended.
    assert titles(found.page(5, 10, clock=CLOCK, limit=2)) == ("cd", 4)
    assert titles(found.page(5, 10, clock=CLOCK, skip=4, limit=2)) == ("e", None)
    assert titles(found.page(11, 12, clock=CLOCK, skip=1, limit=2)) == ("f", None)


def test_page_of_groups_has_not_many_more_bytes_than_it_may_have() -> None:
    title = b"\xf0\x9f\x98\x80\x01" * 100
    found, skip, seen = groups((b"::group::" + title + b"\n") * 6000), 0, 0
    while True:
        page, following = found.page(1, 6000, clock=CLOCK, skip=skip)
        assert sum(map(len, page)) <= MAX_PAGE
        seen += len(page)
        if following is None:
            break
        assert following == seen
        skip = following
    assert seen == 6000
    assert skip > 0


def test_not_more_groups_are_kept_than_may_be() -> None:
    found = groups(b"::group::a\n::endgroup::\n" * MAX_GROUPS)
    assert (len(found.found), found.full) == (MAX_GROUPS, False)
    found = groups(b"::group::a\n::endgroup::\n" * MAX_GROUPS + b"::group::b\n")
    assert (len(found.found), found.full, found.done) == (MAX_GROUPS, True, True)
    assert found.about() == {"more": True}
