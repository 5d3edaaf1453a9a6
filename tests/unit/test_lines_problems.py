"""Problems in a log: every example of the published table, pieces of any size, and bounds."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.lines import forms, problems
from livelog.lines.collecting import Clock
from livelog.lines.problems import MAX_KEPT, Kept, Problems

PAGE = Path(__file__).parents[2] / "docs" / "problems.md"

CLOCK = Clock(lambda offset: 1000 * offset, 0)


def looked_at(*pieces: bytes, encoding: str = "utf-8") -> Problems:
    """A log that came in these pieces."""
    found = problems.collection(encoding)
    for piece in pieces:
        found.take(piece)
    return found


def told(found: Problems) -> list[dict[str, Any]]:
    """What is told of the problems."""
    return [json.loads(text) for text in found.page(0, 10**9, clock=CLOCK)[0]]


def lines_of(text: str) -> list[tuple[int, int, str, str]]:
    """First and last line, level and message of each problem of a text."""
    return [(one["line"], one["last"], one["level"], one["message"]) for one in told(looked_at(text.encode()))]


def cells() -> list[list[str]]:
    """The rows of the page's tables that have an example."""
    rows = []
    for line in PAGE.read_text(encoding="utf-8").split("\n"):
        parts = [part.strip(" ") for part in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(parts) in (1, 5) and any(part.startswith("`") for part in parts):
            rows.append([_text(part) for part in parts])
    return rows


def _text(cell: str) -> str:
    if cell.startswith("``"):
        cell = cell.removeprefix("`` ").removesuffix(" ``")
    elif cell.startswith("`"):
        cell = cell[1:-1]
    return cell.replace("\\|", "|").replace("⏎", "\n").replace("⇥", "\t").replace("␛", "\x1b")


EXAMPLES = [row for row in cells() if len(row) == 5]

NONE = [row[0] for row in cells() if len(row) == 1]


def test_each_example_of_the_published_table_is_one_problem() -> None:
    for _, example, level_and_kind, message, place in EXAMPLES:
        problems = told(looked_at(b"before\n\n" + example.encode() + b"\nthe end\n"))
        assert len(problems) == 1, (example, problems)
        [problem] = problems
        assert f"{problem['level']}, {problem['kind']}" == level_and_kind, example
        assert problem["message"] == message, example
        parts = (problem["file"], problem["row"], problem["column"])
        assert ":".join(str(part) for part in parts if part is not None) == place, example
        assert problem["last"] == 3 + example.count("\n"), example


@pytest.mark.parametrize("front", [
    "2026-11-28T02:03:04.1234567Z ", "[task 2026-11-28T02:03:04.123Z] ", "[task 2026-11-28T02:03:04.123Z] 02:03:04     INFO - ", "web-1  | ",
    "web_1  | 2026-11-28T02:03:04Z ", "\x1b_bk;t=1764295384000\x07", "\x1b[31m", "02:03:04 ", "[2026-11-28 02:03:04] ", "#12 0.345 ",
    "2026-11-28T02:03:04.123456Z 00O ", "build\tRun make\t2026-11-28T02:03:04.1234567Z ", "Nov 28 02:03:04 host make[12]: ", "10%\r20%\r",
])  # fmt: skip
def test_what_is_in_front_of_a_line_does_not_matter(front: str) -> None:
    lines = [
        "Traceback (most recent call last):",
        '  File "/a.py", line 3, in f',
        "    g()",
        "ValueError: bad",
        "fine",
        "a.c:1:2: error: no",
    ]
    assert lines_of("".join(f"{front}{line}\r\n" for line in lines)) == [
        (1, 4, "error", "ValueError: bad"),
        (6, 6, "error", "no"),
    ]


def test_what_only_looks_like_a_problem_is_none() -> None:
    assert {line: told(looked_at(line.encode() + b"\n")) for line in NONE} == {line: [] for line in NONE}


def test_there_are_many_examples() -> None:
    assert len(EXAMPLES) > 100
    assert len(NONE) > 15


def test_lines_of_several_services_are_kept_apart() -> None:
    text = (
        'web-1  | Traceback (most recent call last):\ndb-1   | ERROR no disk\nweb-1  |   File "/a.py", line 3, in f\ndb-1   | fine\n'
        "web-1  |     g()\nweb-1  | ValueError: bad\n"
    )  # fmt: skip
    assert lines_of(text) == [(1, 6, "error", "ValueError: bad"), (2, 2, "error", "no disk")]


def test_what_is_between_an_exception_and_its_frames_belongs_to_it() -> None:
    text = "org.example.FooException: no\nstdout: \nstderr: fatal: gone\n\n\tat org.example.A.b(A.java:3)\nfine\n"
    assert lines_of(text) == [(1, 5, "error", "org.example.FooException: no")]
    assert lines_of(text.replace("\tat", "by")) == [
        (1, 1, "error", "org.example.FooException: no"), (3, 3, "error", "stderr: fatal: gone")
    ]  # fmt: skip


def test_messages_of_maven_right_behind_another_are_each_a_problem_of_its_own() -> None:
    text = "".join(f"[ERROR] /src/A.java:[{row},5] not {row}\n" for row in range(1, 8))
    assert lines_of(text) == [(row, row, "error", f"not {row}") for row in range(1, 8)]


def test_what_might_have_belonged_to_one_problem_begins_another_one_that_goes_on() -> None:
    text = "[warn] /src/A.scala:1:2: first\n[warn] second\n[warn] /src/A.scala:3:4: third\n[warn]   val x\n[warn]       ^\nend\n"
    assert lines_of(text) == [(1, 1, "warning", "first"), (2, 2, "warning", "second"), (3, 5, "warning", "third")]


@pytest.mark.parametrize("text", [
    "npm warn ERESOLVE overriding peer dependency\nnpm warn While resolving: a@1\nnpm warn Found: b@2\nnpm warn   b@2 from root",
    "npm WARN old lockfile\nnpm WARN old lockfile The package-lock.json file was created with an old version of npm,",
    "WARNING: A terminally deprecated method in java.lang.System has been called\nWARNING: System::setSecurityManager will be removed",
    "console.warn:\n  the cookie\n  has no SameSite",
    "WARNING\nthe disk is full",
    "/src/a.py:3: UserWarning: slow\n  f()",
])  # fmt: skip
def test_warning_of_several_lines_ends_where_something_else_begins(text: str) -> None:
    lines = text.count("\n") + 1
    assert [(first, last, level) for first, last, level, _ in lines_of(f"{text}\nnpm warn deprecated x@1: y\n")] == [
        (1, lines, "warning"),
        (lines + 1, lines + 1, "warning"),
    ]


@pytest.mark.parametrize("text", [
    "[2026-11-28T02:03:04Z SLOWLY app] x", "I x/y.cc:12] x", "2026-11-28 02:03:04.123456: I tensorflow/core/x.cc:12] warm",
    "[12:34:1128/020304.123:INFO:file.cc(12)] x", "[a.c:3]: (information) x", "   ^-- SC2034 (info): x", "  info • x • lib/a.dart:3:8 • y",
    "WARNING: 0", "[WARNING] ------",
])  # fmt: skip
def test_what_is_below_a_warning_is_none(text: str) -> None:
    assert lines_of(f"{text}\n") == []


@pytest.mark.parametrize(
    "text",
    [
        '{"level": "error", "msg": "0 failed"}',
        "##vso[task.complete result=Succeeded;]done",
        "a.c:3:5: note: error here",
    ],
)
def test_what_says_that_there_was_no_error_is_none(text: str) -> None:
    assert lines_of(text) == []


@pytest.mark.parametrize(
    "text",
    ["a.c:3:5: note: in the error path", "b.cpp(12): note: see declaration of 'error'", "a.ts(3,5): info: error codes"],
)
def test_note_of_a_compiler_is_none(text: str) -> None:
    assert forms.find(text) is None
    assert lines_of(text) == []


def test_message_of_kotlin_counts_in_the_first_line_of_a_log_too() -> None:
    assert lines_of("w: /a/b.kt:3:4 x\nw: /a/b.kt:5:6 y\n") == [(1, 1, "warning", "x"), (2, 2, "warning", "y")]


def test_line_that_may_belong_to_a_problem_ends_it_if_it_begins_another() -> None:
    text = (
        "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\nthread 'main' panicked at a.rs:1:2:\nboom\n"
    )
    assert [(first, last) for first, last, _, _ in lines_of(text)] == [(1, 2), (3, 4)]


def test_failed_test_of_jest_goes_on_behind_empty_lines() -> None:
    text = "  ● suite › test\n\n    expect(x)\n\n      at a.js:1:2\n\nfine\n"
    assert lines_of(text) == [(1, 5, "error", "suite › test: expect(x)")]


def test_crash_is_an_error_whatever_its_logger_calls_it() -> None:
    [(line, last, level, _)] = lines_of("12:15:01  WARNING -  PROCESS-CRASH | a.html | application crashed [@ f]\n")
    assert (line, last, level) == (1, 1, "error")


def test_lines_of_a_linter_have_the_file_above_them() -> None:
    text = "/src/a.js\n  1:2  error  x  no-x\n  3:4  warning  y  no-y\n\n/src/b.js\n  5:6  error  z  no-z\n\n  7:8  error  w\n"
    assert [(one["file"], one["row"]) for one in told(looked_at(text.encode()))] == [
        ("/src/a.js", 1), ("/src/a.js", 3), ("/src/b.js", 5), (None, 7)
    ]  # fmt: skip
    assert told(looked_at(*(line.encode() + b"\n" for line in text.split("\n")[:-1]))) == told(looked_at(text.encode()))


PARTS = st.lists(
    st.sampled_from([row[1] for row in EXAMPLES] + ["", "fine", "    at f (a.js:1:2)", "  indented", "web-1  | Traceback (most recent call last):"]),
    max_size=12,
)  # fmt: skip


@given(PARTS, st.lists(st.integers(0, 60), max_size=6))
def test_problems_are_the_same_in_pieces_of_whole_lines(parts: list[str], cuts: list[int]) -> None:
    lines = "\n".join(parts).split("\n")
    edges = [0, *sorted(cut for cut in cuts if cut < len(lines)), len(lines)]
    pieces = ["".join(f"{line}\n" for line in lines[a:b]).encode() for a, b in itertools.pairwise(edges)]
    assert told(looked_at(*pieces)) == told(looked_at(b"".join(pieces)))


def test_line_longer_than_a_piece_is_looked_at_once() -> None:
    found = looked_at(b"fine\nERROR " + b"error " * 20_000, b"error: no\nerror", b": " + b"x" * 100 + b"\nERROR last\n")
    assert [(one["line"], one["offset"]) for one in told(found)] == [(2, 5), (4, found.indexed - 11)]
    assert len(told(found)[0]["message"]) == 500


def test_not_more_problems_are_kept_than_may_be_and_all_are_counted() -> None:
    found = looked_at(b"error: a\nwarning: b\n" * (MAX_KEPT // 2 + 10) + b"::notice::c\n")
    assert (len(found.found), found.full) == (MAX_KEPT, True)
    half = MAX_KEPT // 2 + 10
    assert found.about() == {"counts": {"error": half, "warning": half, "notice": 1}, "more": True}


def test_pages_have_all_problems_once() -> None:
    found = looked_at(b"error: a\n\nwarning: b\n\nerror: c\nfine\n")
    clock = Clock(lambda _: 0, 0)

    def page(*lines: int, **asked: Any) -> tuple[str, int | None]:
        items, following = found.page(*lines, clock=clock, **asked)
        return "".join(json.loads(item)["message"] for item in items), following

    assert page(0, 99) == ("abc", None)
    assert page(0, 99, limit=2) == ("ab", 2)
    assert page(0, 99, skip=2) == ("c", None)
    assert page(0, 99, level="error") == ("ac", None)
    assert page(0, 99, level="error", limit=1) == ("a", 2)
    assert page(0, 99, level="warning,notice") == ("b", None)
    assert page(2, 4) == ("b", None)
    assert page(0, 99, skip=99) == ("", None)
    assert found.page(0, 99, clock=clock, settled=True)[1] == 3


def test_what_may_go_on_is_not_settled() -> None:
    found = looked_at(b"error: a\nTraceback (most recent call last):\n")
    assert [len(found.page(0, 99, clock=CLOCK, settled=settled)[0]) for settled in (False, True)] == [2, 1]
    assert found.about()["counts"] == {"error": 2, "warning": 0, "notice": 0}
    assert not found.done
    assert not found.running


def test_page_has_not_many_more_bytes_than_it_may_have() -> None:
    found = Problems()
    found.found = [Kept(line, line, line, "error", '"message": "' + "x" * 600 + '"}') for line in range(1, 9001)]
    skip, seen = 0, 0
    while True:
        items, following = found.page(0, 10**9, clock=CLOCK, skip=skip)
        assert sum(map(len, items)) <= problems.MAX_PAGE
        seen += len(items)
        if following is None:
            break
        skip = following
    assert seen == 9000


def test_times_and_offsets_are_those_of_the_first_line() -> None:
    [one] = told(looked_at(b"fine\nerror: a\n"))
    assert (one["offset"], one["time"]) == (5, "1970-01-01T00:00:05.000Z")


def test_text_of_another_encoding_is_read_as_it_is_meant() -> None:
    assert told(looked_at("error: grün\n".encode("cp1252"), encoding="cp1252"))[0]["message"] == "grün"


def test_many_problems_that_are_open_at_a_time_are_bounded() -> None:
    text = "".join(f"a{number}-1 | Traceback (most recent call last):\n" for number in range(100))
    found = looked_at(text.encode())
    assert len(told(found)) == 100
    assert found.about()["counts"] == {"error": 100, "warning": 0, "notice": 0}
