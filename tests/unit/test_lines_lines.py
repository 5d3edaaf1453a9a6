"""The offset of the last lines, against `splitlines` of the same bytes.

Categories: the table of endings, counts beyond the number of lines, lines at and across the edges of what is
read at a time, any bytes; lines in a window, forwards and backwards; how much is read.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.lines.lines import (
    FIRST_WINDOW,
    MAX_BYTES,
    Read,
    end_of_first,
    first_lines,
    last_lines,
    nth_newline,
    start_of_last,
)


def reader(content: bytes) -> Read:
    return lambda start, stop: content[start:stop]


def tail(content: bytes, count: int) -> int:
    return start_of_last(len(content), count, reader(content))


def oracle(content: bytes, count: int) -> int:
    lines = content.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + [line for line in lines[-1:] if line]
    return len(content) - len(b"".join(lines[max(0, len(lines) - count) :]))


@pytest.mark.parametrize(
    ("content", "count", "offset"),
    [
        (b"", 0, 0),
        (b"", 5, 0),
        (b"a", 0, 1),
        (b"a", 1, 0),
        (b"\n", 1, 0),
        (b"\n", 2, 0),
        (b"\n\n", 1, 1),
        (b"\na", 1, 1),
        (b"a\n", 0, 2),
        (b"a\n", 1, 0),
        (b"a\nb", 1, 2),
        (b"a\nb\n", 1, 2),
        (b"a\nb\n", 2, 0),
        (b"a\nb\n\n", 1, 4),
        (b"a\nb\n\n", 2, 2),
        (b"a\rb\x0bc\x0cd\x85e\n", 1, 0),
        (b"a\r\nb\r\n", 1, 3),
        (b"a\nb\n", 10**18, 0),
    ],
)
def test_a_line_ends_behind_its_newline(content: bytes, count: int, offset: int) -> None:
    assert tail(content, count) == offset == oracle(content, count)


@given(
    st.lists(st.sampled_from([b"\n", b"\n\n", b"a", b"\r", b"long line " * 9]), max_size=40).map(b"".join),
    st.integers(0, 45),
)
def test_the_last_lines_of_any_bytes_are_those_of_a_plain_split(content: bytes, count: int) -> None:
    assert tail(content, count) == oracle(content, count)


EDGES = st.sampled_from([0, 1, *(FIRST_WINDOW + step for step in (-2, -1, 0, 1)), 2 * FIRST_WINDOW - 1])


@given(st.lists(EDGES, min_size=1, max_size=4), st.sampled_from([b"", b"\n"]), st.integers(1, 6))
def test_lines_across_the_edges_of_what_is_read_at_a_time_are_found(sizes: list[int], end: bytes, count: int) -> None:
    content = b"\n".join(b"x" * size for size in sizes) + end
    assert tail(content, count) == oracle(content, count)


def test_no_more_than_the_largest_answer_is_read_however_many_lines_are_asked_for() -> None:
    read: list[int] = []

    def ask(content: bytes, count: int) -> int:
        read.clear()

        def reading(start: int, stop: int) -> bytes:
            read.append(stop - start)
            return content[start:stop]

        return start_of_last(len(content), count, reading)

    short = b"a line\n" * MAX_BYTES
    assert ask(short, 10**18) == len(short) - MAX_BYTES // 7 * 7
    assert sum(read) < 2 * MAX_BYTES
    endless = bytes(3 * MAX_BYTES)
    assert ask(endless, 1) == 2 * MAX_BYTES
    assert sum(read) < 2 * MAX_BYTES
    assert end_of_first(0, 10**18, len(short), reader(short)) == MAX_BYTES // 7 * 7
    assert end_of_first(7, 2, len(short), reader(short)) == 21
    assert end_of_first(0, 1, len(endless), reader(endless)) == MAX_BYTES


CONTENT = st.lists(st.sampled_from([b"\n", b"\n\n", b"a", b"\r", b"long line " * 9]), max_size=40).map(b"".join)


@given(CONTENT.filter(lambda content: b"\n" in content), st.data())
def test_newlines_are_found_by_their_number(content: bytes, data: st.DataObject) -> None:
    number = data.draw(st.integers(1, content.count(b"\n")))
    place = nth_newline(content, number)
    assert (content[place : place + 1], content.count(b"\n", 0, place)) == (b"\n", number - 1)


@given(CONTENT, st.integers(0, 45))
def test_lines_of_a_whole_log_are_found_from_both_ends(content: bytes, count: int) -> None:
    assert last_lines(content, count, first=True) == oracle(content, count)
    lines = content.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + lines[-1:]
    assert first_lines(content, count, last=True) == len(b"".join(lines[:count]))


@given(CONTENT, st.integers(1, 45))
def test_a_window_that_may_end_in_the_middle_of_a_line_is_enough_only_if_it_has_the_lines(
    window: bytes, count: int
) -> None:
    forwards, backwards = first_lines(window, count, last=False), last_lines(window, count, first=False)
    assert (forwards is None) == (window.count(b"\n") < count)
    assert (backwards is None) == (window[:-1].count(b"\n") < count and window != b"")
    assert forwards is None or forwards == first_lines(window, count, last=True)
    assert backwards is None or backwards == last_lines(window, count, first=True)


def test_a_window_as_large_as_an_answer_gives_the_whole_lines_in_it_or_a_part_of_one() -> None:
    line = b"x" * (MAX_BYTES // 2 - 1)
    window = line + b"\n" + line + b"y"
    assert first_lines(window, 2, last=False) == MAX_BYTES // 2
    assert last_lines(window, 2, first=False) == MAX_BYTES // 2
    window = b"x" * MAX_BYTES
    assert first_lines(window, 2, last=False) == MAX_BYTES
    assert last_lines(window, 2, first=False) == 0
