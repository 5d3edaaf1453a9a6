"""Patterns as a server takes them, and lines as grep writes them.

Categories: patterns · what a server tells · forms and colours.
"""

import re

import pytest

from livelog.client.commands.grepping import MATCH, MAX_TEXT, RESET, Asked, Form, Found, expression, found, marked


@pytest.mark.parametrize(
    ("patterns", "options", "asked"),
    [
        (["a.c"], {}, Asked("a.c", True)),
        (["a.c"], {"fixed": True}, Asked("a.c", False)),
        ([""], {}, Asked("^", True)),
        ([""], {"fixed": True}, Asked("^", True)),
        (["a", "b.c"], {}, Asked("(?:a)|(?:b.c)", True)),
        (["a\nb.c"], {"fixed": True}, Asked(r"a|b\.c", True)),
        (["a|b"], {"word": True}, Asked(r"(?<!\w)(?:a|b)(?!\w)", True)),
        (["a"], {"line": True}, Asked("^(?:a)$", True)),
        (["a"], {"line": True, "fixed": True, "word": True}, Asked(r"^(?:(?<!\w)(?:a)(?!\w))$", True)),
    ],
)
def test_patterns_are_one_for_the_server(patterns: list[str], options: dict[str, bool], asked: Asked) -> None:
    assert expression(patterns, **options) == asked
    re.compile(asked.text)


@pytest.mark.parametrize(("pattern", "reason"), [("(", "is not a pattern"), ("x" * (MAX_TEXT + 1), "longer than")])
def test_pattern_that_no_server_takes_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        expression([pattern])


def test_lines_of_the_server_are_understood() -> None:
    assert found(b"12:a:b") == Found(12, False, b"a:b")
    assert found(b"7-a") == Found(7, True, b"a")
    assert found(b"--") == Found(0, True, b"")
    for wrong in (b"", b"text", b'{"line": 1}', b"1"):
        with pytest.raises(ValueError, match="^"):
            found(wrong)


def test_lines_are_written_as_grep_does() -> None:
    match, near, gap = Found(3, False, b"an \xff error\r"), Found(4, True, b"near"), Found(0, True, b"")
    plain = Form()
    assert plain.line("", match) == b"an \xff error\r\n"
    assert plain.line("log", near) == b"log-near\n"
    assert plain.line("log", gap) == b"--\n"
    numbered = Form(numbered=True)
    assert (numbered.line("log", match), numbered.line("", near)) == (b"log:3:an \xff error\r\n", b"4-near\n")
    assert (numbered.count("log", 2), numbered.count("", 2), numbered.name("log")) == (b"log:2\n", b"2\n", b"log\n")


def test_only_what_matches_is_written_each_for_itself() -> None:
    form = Form(only=re.compile("e.|x*"))
    assert form.line("log", Found(1, False, b"\x1b[1me1\x1b[m e2\r")) == b"log:e1\nlog:e2\n"
    assert form.line("log", Found(1, True, b"e1")) == b""
    assert form.line("log", Found(0, True, b"")) == b""


def test_colours_mark_what_matches_and_no_others_are_left() -> None:
    form = Form(numbered=True, marked=re.compile("err|x*"))
    assert form.line("log", Found(2, False, b"\x1b[32man err\x1b[m\r")) == (
        b"\x1b[35mlog\x1b[0m\x1b[36m:\x1b[0m\x1b[32m2\x1b[0m\x1b[36m:\x1b[0man \x1b[1;31merr\x1b[0m\n"
    )
    assert form.line("", Found(2, True, b"err")) == b"\x1b[32m2\x1b[0m\x1b[36m-\x1b[0merr\n"
    assert form.count("a", 1) == b"\x1b[35ma\x1b[0m\x1b[36m:\x1b[0m1\n"


def test_what_matches_is_marked_once() -> None:
    patterns = [re.compile("b+c"), re.compile("cd"), re.compile("x?")]
    assert marked("abbcde", patterns) == f"a{MATCH}bbcd{RESET}e"
    assert marked("cd", patterns) == f"{MATCH}cd{RESET}"
    assert marked("", patterns) == ""
