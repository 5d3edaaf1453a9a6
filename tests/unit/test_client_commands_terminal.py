"""What may be shown on a terminal: no control sequence but colours, no printable character lost, however it is cut."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from livelog.client.commands.terminal import MAX_SEQUENCE, Neutraliser, size

PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "\x1b",
                "[",
                "31",
                "m",
                ";",
                "]",
                "0",
                "\x07",
                "\x1b\\",
                "P",
                "\n",
                "\r",
                "\t",
                "\b",
                "\x9b",
                "text",
                "é",
                "€",
                "?",
                "H",
                "8",
                "J",
                "b",
                "\x00",
            ]
        ),
        st.text(max_size=3),
    ),
    max_size=25,
).map(lambda pieces: "".join(pieces).encode(errors="ignore"))

ALLOWED = re.compile(
    r"(?:\x1b\[(?:[0-9:;]*m|\d{1,3}[@CDGIKPXZ`a])|\x1b[78]|[^\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f])*", re.DOTALL
)


def whole(data: bytes) -> bytes:
    """All of it at once."""
    return Neutraliser()(data, last=True)


@given(PIECES)
@example(b"\x1b[31")
@example(b"\x1b]0;a\x1b")
@example(b"\x1b\x1b[31m")
def test_nothing_but_text_and_colours_and_what_a_line_does_within_itself_comes_out(data: bytes) -> None:
    assert ALLOWED.fullmatch(whole(data).decode())


@given(PIECES, st.lists(st.integers(0, 80), max_size=5))
def test_where_it_is_cut_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    neutralise, places = Neutraliser(), sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    parts = [neutralise(data[start:stop]) for start, stop in pairwise(places)]
    assert b"".join([*parts, neutralise(b"", last=True)]) == whole(data)


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=200))
def test_text_stays_as_it_is(text: str) -> None:
    assert whole(text.encode()) == text.encode()


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"\x1b[1;38;5;200mx\x1b[m", b"\x1b[1;38;5;200mx\x1b[m"),
        (b"\x1b[38:2::1:2:3mx", b"\x1b[38:2::1:2:3mx"),
        (b"\x1b[2J\x1b[10;10Hx", b"\x1b[2K\x1b[10Gx"),
        (b"\x1b[3A\x1b[3B\x1b[3S\x1b[3T\x1b[3L\x1b[3M\x1b[5dx", b"x"),
        (b"a\x1b7b\n\x1b8c", b"a\x1b7b\n\rc"),
        (b"\n\x1b[9bx", b"\nx"),
        (b"\x1b7\x1b[9;1Haway\nhere", b"\x1b7\nhere"),
        (b"\x1b7\x1b[9;1Haway\x1b[mstill away\nhere", b"\x1b7\x1b[m\nhere"),
        (b"ab\x1b[3Ec\x1b[Fd", b"ab\rc\rd"),
        (b"x\x1b[" + b"9" * 4000 + b"X", b"x\x1b[500X"),
        (b"\x1b[>4;2mx\x1b[?25lx", b"xx"),
        (b"\x1b]0;title\x07x\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", b"xlink"),
        (b"\x1bP1$qm\x1b\\x\x1b_a\x1b\\y\x1b^b\x1b\\z\x1bXc\x1b\\", b"xyz"),
        (b"\x1b(0x\x1b=", b"x"),
        (b"\x1bcx", b"\x1b[m\r\x1b[2Kx"),
        (b"10%\r20%\r\n\tx\b", b"10%\r20%\r\n\tx\b"),
        (b"\x07\x0e\x0f\x00\x7fx", b"x"),
        (b"\xc2\x9b31mx", b"31mx"),
        (b"\x9b31mx", "\ufffd31mx".encode()),
        (b"\x1b]0;no end\nnext line", b"]0;no end\nnext line"),
    ],
)
def test_each_kind_of_sequence(data: bytes, shown: bytes) -> None:
    assert whole(data) == shown


def test_sequence_without_an_end_does_not_hold_the_log_back() -> None:
    neutralise = Neutraliser()
    data = b"\x1b]0;" + b"x" * 3 * MAX_SEQUENCE
    assert len(neutralise(data)) > 2 * MAX_SEQUENCE


def test_colours_are_noticed() -> None:
    for data, coloured in ((b"x\x1b[2J", False), (b"\x1b[31mx", True)):
        neutralise = Neutraliser()
        neutralise(data)
        assert neutralise.coloured is coloured


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 KB"), (12_345_678, "12.3 MB"), (9.99e12, "9.99 TB")]
)
def test_sizes_are_for_people(count: float, text: str) -> None:
    assert size(count) == text
