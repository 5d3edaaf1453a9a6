"""What a terminal shows of a line, as text: the table that the page is held to, progress bars, hostile lines."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.plain import WIDE, Row, shown

VECTORS = json.loads((Path(__file__).parents[2] / "viewer" / "test" / "sequences.json").read_text(encoding="utf-8"))


def test_line_is_what_the_page_shows() -> None:
    for vector in VECTORS:
        assert shown(vector["log"]) == vector["screen"].rstrip(" "), vector["what"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("plain", "plain"), ("", ""), ("  blanks  ", "  blanks  "), ("a\tb", "a\tb"), ("text\r\r\n", "text"), ("\x1b[31mred\x1b[0m\r\n", "red"),
        ("a\x07b\x00c\x7fd\x9be", "abcde"), ("  0 %\r 50 %\r100 %", "100 %"), ("long text\rshort", "shorttext"), ("100 %   \rdone    \r", "done"),
        ("long text\r\x1b[Kshort", "short"), ("long text\rshort\x1b[K", "short"), ("\x1b[2K\rone\x1b[2K\rtwo", "two"), ("one\b\b\btwo", "two"),
        ("ab\x1b[5Gc", "ab  c"), ("abc\x1b[2D\x1b[1K!", " !c"), ("abcdef\x1b[1G\x1b[2P", "cdef"), ("abc\x1b[1G\x1b[2@x", "x abc"),
        ("abcdef\x1b[1G\x1b[2Xy", "y cdef"), ("abc\x1b[1G\x1b[9Xy", "y"), ("ab\x1b7cd\x1b8X", "abXd"), ("ab\x1b[scd\x1b[uX", "abXd"), ("abc\x1bcnew", "new"),
        ("ab\x1b[1K\x1b[1Kc", "  c"), ("-\x1b[4b", "-----"), ("\x1b[3bx\r", "x"), ("a\x1b[s\x1b[5;1Hother line\x1b[ub", "ab"), ("a\x1b[s\x1b[5;1Hx\x1b[3b", "a"),
        ("\u6f22\u5b57\rab", "ab\u5b57"), ("\u6f22\u5b57\rx", "x \u5b57"), ("e\u0301\b\bX", "X"), ("a\b\u0301", "\u0301"), ("ab\b\u0301", "a\u0301b"), ("\x1b[9G\u0301x", "        \u0301x"),
        ("e\u0301\u0302\r\x1b[1C!", "e\u0301\u0302!"), ("a\tb\r\tc", "a\tc"), ("a\tb\r\x1b[4Cx", "a   x   b"), ("\r\x1b[600Cx", " " * WIDE + "x"),
        ("\rab\x1b[2Ic\x1b[2Zd", "ab      d       c"), ("ab\x1b[Ex", "ab  x"), ("ab\x1b[A\x1b[3Jx", "  x  ab"), ("ab\x1b[Jc\rx", "xbc"), ("abc\x1b[1;2Hx", "axc"), ("ab\x1b[>5D\x1b[5 Dc\r", "abc"),
        ("\rab\x1b[7Kc", "abc"), ("\rab\x1b[999999999999999999Dc", "cb"), ("a\tb\x1b[1G\x1b[@x", "x" + "a" + " " * 7 + "b"),
        ("x" * 600 + "\x1b[1G\x1b[2P", "x" * 498 + "  " + "x" * 100), ("x" * 600 + "\x1b[1G\x1b[2@", "  " + "x" * 598), ("x" * 600 + "\x1b[P\r", "x" * 600),
        ("\rab\x1b[5G\x1b[P", "ab"), ("\x1b]0;title\x07text\r", "text"), ("\x1b[0;31", ""), ("wide\u6f22\x1b[6G\x1b[K", "wide"), ("ab\r\x1b[1Kc", "cb"), ("ab\x1b[9G\x1b[1Kc", "        c"),
    ],
)  # fmt: skip
def test_line_is_what_a_terminal_shows(line: str, text: str) -> None:
    assert shown(line) == text


@given(st.text(st.sampled_from("ab\u6f22\u0301\t\r\b\x1b[;0123456789KJABEFGCDPX@HZIbsu78c\x07 \U0001f600")))
def test_nothing_is_shown_that_is_no_character_and_what_is_shown_stays(line: str) -> None:
    text = shown(line)
    assert not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]", text)
    assert shown(text) == text
    assert all(character in line or character == " " for character in text)


def test_row_is_as_long_as_what_is_written() -> None:
    row = Row()
    row.to(10**9)
    assert (row.cursor, row.text()) == (WIDE, "")
    row.put("x" * 1000)
    row.to(10**9)
    assert row.cursor == WIDE + 1000
