"""Lines that belong to a problem of several lines, mode by mode: what `test_lines_problems` does not meet in the published examples."""

import pytest

from livelog.lines.collecting import ERROR
from livelog.lines.forms import Problem
from livelog.lines.traces import MAX_LINES, Part, Trace

YES, LAST, MAYBE, NO = Part.YES, Part.LAST, Part.MAYBE, Part.NO


def trace(mode: str, state: str = "", lead: str = "", *, kind: str = "exception", file: str | None = None) -> Trace:
    """A problem whose first line was seen."""
    return Trace(Problem(ERROR, "first", kind, file), mode, state, lead)


@pytest.mark.parametrize(
    ("begun", "lines"),
    [
        (trace("frames"), [("}", NO)]),
        (trace("frames"), [("    at f (a.js:1:2) {", YES), ("  code: 'X'", YES), ("}", YES)]),
        (trace("python", "frames", "app: "), [('app:   File "/a.py", line 3, in f', YES), ('  File "/b.py", line 4', YES), ("ValueError: x", YES)]),
        (trace("python", "frames"), [('  File "/a.py", line 3', YES), ('  File "/x/site-packages/b.py", line 4', YES), ("said by others", MAYBE)]),
        (trace("python", "frames", "| "), [('|   File "/a.py", line 3', YES), ("| ValueError: x", YES)]),
        (trace("go"), [("more of the message", MAYBE), ("goroutine 1 [running]:", YES), ("\t/usr/local/go/src/runtime/panic.go:2 +0x1", YES), ("fine", NO)]),
        (trace("indented"), [("", MAYBE), ("  what", YES), ("fine", NO)]),
        (trace("next"), [("", NO)]),
        (trace("next", file="a.js"), [("no x (3:5)", LAST)]),
        (trace("pytest"), [("E       more", YES), ("", MAYBE), ("other", NO)]),
        (trace("pytest"), [("a/test_b.py:7: AssertionError", LAST)]),
        (trace("gotest"), [("    some words", YES), ("    a_test.go:3: x", YES), ("--- FAIL: b", NO)]),
        (trace("tap"), [("  ---", YES), ("  severity: fail", YES), ("  at: a.js:3:4", YES), ("  ...", LAST)]),
        (trace("tap"), [("ok 2", NO)]),
        (trace("jest"), [("", MAYBE), ("    expect(x)", YES), ("PASS b.js", NO)]),
        (trace("vitest"), [("    expect(x)", YES), ("⎯⎯⎯⎯", LAST)]),
    ],
)  # fmt: skip
def test_each_line_belongs_to_the_problem_or_does_not(begun: Trace, lines: list[tuple[str, Part]]) -> None:
    assert [begun.part(text) for text, _ in lines] == [part for _, part in lines]


def test_place_in_the_sources_is_that_of_the_programs_own_frame() -> None:
    begun, places = trace("go"), []
    for frame in ("\t/usr/local/go/src/runtime/panic.go:2 +0x1", "\t/src/a.go:3 +0x1", "\t/src/b.go:4 +0x1"):
        begun.part(frame)
        places.append((begun.problem.file, begun.problem.row))
    assert places == [(None, None), ("/src/a.go", 3), ("/src/a.go", 3)]


def test_message_of_a_later_line_counts_unless_it_is_empty() -> None:
    begun = trace("next")
    begun.set_message("  ")
    assert begun.problem.message == "first"
    begun.set_message(" second ")
    assert begun.problem.message == "second"


def test_problem_has_a_bounded_number_of_lines() -> None:
    begun = trace("frames")
    begun.count = MAX_LINES
    assert begun.part("    at f (a.js:1:2)") is NO
