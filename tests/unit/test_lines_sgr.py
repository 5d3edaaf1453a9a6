"""Colours and other sequences of terminals: the table of attributes, text without sequences, and any cut.

What a terminal would show is told by a table; that no printable byte is lost, and that cuts change nothing, by properties.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.lines.sgr import MAX_SEQUENCE, plain, style_after


def style(data: bytes, before: str = "") -> str:
    return style_after(before, data, 0, len(data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ""),
        (b"no sequence", ""),
        (b"\x1b[1m", "1"),
        (b"\x1b[31mred", "31"),
        (b"\x1b[31m\x1b[92m", "92"),
        (b"\x1b[31m\x1b[44m\x1b[1m", "1;31;44"),
        (b"\x1b[1;31;44m", "1;31;44"),
        (b"\x1b[1;2m\x1b[22m", ""),
        (b"\x1b[3;4;5;7;8;9;53m", "3;4;5;7;8;9;53"),
        (b"\x1b[3;4;5;7;8;9;53m\x1b[23;24;25;27;28;29;55m", ""),
        (b"\x1b[38;5;200m", "38;5;200"),
        (b"\x1b[38;2;1;2;3;48;5;7m", "38;2;1;2;3;48;5;7"),
        (b"\x1b[38:2::1:2:3m", "38:2::1:2:3"),
        (b"\x1b[4:3m\x1b[58:5:9m", "4:3;58:5:9"),
        (b"\x1b[4:3m\x1b[4:0m", ""),
        (b"\x1b[31;42m\x1b[39m", "42"),
        (b"\x1b[31;42m\x1b[49m", "31"),
        (b"\x1b[58;5;9m\x1b[59m", ""),
        (b"\x1b[31mred\x1b[0m", ""),
        (b"\x1b[31mred\x1b[m", ""),
        (b"\x1b[31mred\x1b[0;1m", "1"),
        (b"\x1b[31mred\x1b[;1m", "1"),
        (b"\x1b[31m\x1b[0m\x1b[32m", "32"),
        (b"\x1b[38m\x1b[38;5m\x1b[38;2;1m\x1b[38;7;1m", ""),
        (b"\x1b[1;38;5;200;99;10m", "1;38;5;200"),
        (b"\x1b[31;44m\x1b[38;5;256m\x1b[48;2;1;2;256m\x1b[58:5mx", "31;44"),
        (b"\x1b[38:2:1:2:3m\x1b[48:2m", "38:2:1:2:3"),
        (b"\x1b[31m\x1bc\x1b[1m", "1"),
        (b"\x1b[31m\x1b[!p", ""),
        (b"\x1b[31", ""),
        (b"\x1b[31K\x1b[?25h\x1b]0;1m\x07", ""),
        (b"\x1b[" + b"1;" * MAX_SEQUENCE + b"31m", ""),
    ],
)
def test_a_style_is_what_the_sequences_before_it_have_made(data: bytes, expected: str) -> None:
    assert style(data) == expected


def test_only_the_part_that_is_named_counts() -> None:
    data = b"\x1b[31m\x1b[1m\x1b[0m"
    assert [style_after("4", data, 0, stop) for stop in (5, 9, 13)] == ["4;31", "1;4;31", ""]
    assert style_after("4", data, 5, 9) == "1;4"


LOGS = st.lists(
    st.sampled_from([
        b"\x1b[0m", b"\x1b[m", b"\x1b[1m", b"\x1b[22m", b"\x1b[31m", b"\x1b[39;44m", b"\x1b[38;5;9m", b"\x1b[4:3m", b"\x1bc", b"\x1b[!p",
        b"\x1b[" + b"0;" * 26 + b"1;31;44m", b"text", b"\n", b"\x1b[2K", b"\x1b]0;", b"\x1b", b"[", b"c", b"4", b";", b"m",
    ]),
    max_size=20,
).map(b"".join)  # fmt: skip


@given(LOGS, st.integers(0, 500))
def test_a_style_says_all_that_the_sequences_said_however_they_are_cut(data: bytes, cut: int) -> None:
    """Also in the middle of one, or behind a bare escape: who goes on looks at the last `MAX_SEQUENCE` bytes again."""
    cut = min(cut, len(data))
    before, again = style_after("", data, 0, cut), max(0, cut - MAX_SEQUENCE)
    assert style_after(before, data, again, len(data)) == style(data)


@given(LOGS, LOGS)
def test_a_style_stands_for_all_that_made_it(before: bytes, behind: bytes) -> None:
    made = style(before)
    assert style(b"\x1b[%bm" % made.encode() + behind) == style(behind, made)
    assert style(behind, style(behind, made)) == style(behind, made), "once more changes nothing"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain", b"plain"),
        (b"\x1b[1;31mred\x1b[0m\n", b"red\n"),
        (b"\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\.", b"link."),
        (b"\x1b]0;title\x07text", b"text"),
        (b"\x1b[2K\r50%\x1b[1G", b"\r50%"),
        (b"\x1b(Ba\x1bMb\x1b=c", b"abc"),
        (b"\x1bPq#0\x1b\\x", b"x"),
        (b"\x1b]never ends\nnext", b"]never ends\nnext"),
        (b"a\x1b", b"a"),
        (b"a\x1b[31\nb", b"a\nb"),
        ("\x1b[1mü€𝄞\x1b[m".encode(), "ü€𝄞".encode()),
    ],
)
def test_text_is_what_remains_without_the_sequences(data: bytes, text: bytes) -> None:
    assert plain(data) == text


@given(st.binary(max_size=60).map(lambda data: data.replace(b"\x1b", b"")))
def test_bytes_without_an_escape_stay_as_they_are(data: bytes) -> None:
    assert plain(data) == data


@given(
    st.lists(st.sampled_from([b"\x1b", b"[", b"]", b"\n", b"1", b";", b"m", b"\\", b"\x07", b"(", b"P", b" "])).map(
        b"".join
    )
)
def test_no_newline_is_ever_lost(data: bytes) -> None:
    assert plain(data).count(b"\n") == data.count(b"\n")
