"""A log in pieces: each byte is in one, lines are whole in them, and where lines begin and end.

Categories: pieces in either direction · places of lines · bounds · newlines counted · the text around a match.
"""

import random

import pytest

from livelog.lines.encodings import UTF_8
from livelog.lines.hits import MAX_HIT_TEXT, excerpt
from livelog.lines.index import BLOCK
from livelog.lines.pieces import (
    FIRST,
    NEAR,
    OVERLAP,
    PIECE,
    Newlines,
    Stretch,
    aligned,
    end_of_line,
    next_line,
    pieces,
    returned,
    start_of_line,
)  # fmt: skip

from .searching import backwards, query, reader


def log(seed: int, size: int = 3 * PIECE) -> bytes:
    """Lines of any length: most are short, some longer than a piece."""
    chance = random.Random(seed)
    lines, length = [], 0
    while length < size:
        lines.append(
            b"x" * chance.choice([0, 1, 9, 90, 90, 90, 90, NEAR, FIRST, PIECE - 1, PIECE + OVERLAP, 2 * PIECE]) + b"\n"
        )
        length += len(lines[-1])
    return b"".join(lines)[: -1 if seed % 2 else None]


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_pieces_have_each_byte_once_and_lines_are_whole_unless_they_are_longer(seed: int, forward: bool) -> None:
    content = log(seed)
    asked = query("x", content)
    found = [*pieces(asked if forward else backwards(asked, content), reader(content), lambda _: True)]
    in_order = found if forward else found[::-1]
    assert [piece.start for piece in in_order] == [0, *(piece.stop for piece in in_order[:-1])]
    assert in_order[-1].stop == len(content)
    for piece in in_order:
        assert content.startswith(piece.data, piece.start)
        assert piece.own <= len(piece.data) <= PIECE + OVERLAP
        assert piece.begins == (piece.start == 0 or content[piece.start - 1 : piece.start] == b"\n")
        assert piece.ends == (piece.stop == len(content) or content[piece.stop - 1 : piece.stop] == b"\n")
    start = 0
    for line in content.splitlines(keepends=True):
        stop = start + len(line)
        if len(line) <= PIECE - OVERLAP:
            assert any(piece.start <= start and stop <= piece.start + len(piece.data) for piece in in_order)
        start = stop


@pytest.mark.parametrize("forward", [True, False])
def test_what_need_not_be_looked_at_has_no_data(forward: bool) -> None:
    content = log(1)
    asked = query("x", content) if forward else backwards(query("x", content), content)
    found = [*pieces(asked, reader(content), lambda _: False)]
    assert sum(piece.own for piece in found) == len(content)
    assert not any(piece.data for piece in found)


@pytest.mark.parametrize("place", [1, 5, 90, 101, 102])
def test_a_search_from_within_a_line_looks_at_all_of_it(place: int) -> None:
    content = b"y" * 100 + b"\n" + b"z" * 50 + b"\nlast"
    start = content.rfind(b"\n", 0, place) + 1
    (ahead,) = pieces(query("x", content, start=place), reader(content), lambda _: True)
    assert ahead == Stretch(start, content[start:], len(content) - start, begins=True, ends=True)
    (back,) = pieces(backwards(query("x", content), content, place), reader(content), lambda _: True)
    assert back.data == content[: content.find(b"\n", place - 1) + 1]


def test_a_search_from_within_a_line_that_is_too_long_begins_in_it() -> None:
    content = b"y" * 3 * PIECE
    middle = len(content) // 2
    ahead = next(pieces(query("x", content, start=middle), reader(content), lambda _: True))
    assert not ahead.begins
    back = next(pieces(backwards(query("x", content), content, middle), reader(content), lambda _: True))
    assert not back.ends


@pytest.mark.parametrize("length", [0, 3, NEAR, NEAR + 1, 3 * PIECE])
def test_a_line_begins_and_ends_where_its_newlines_are(length: int) -> None:
    content = b"a\n" + b"x" * length + b"\nb"
    read, end, size = reader(content), 2 + length + 1, 2 + length + 2
    assert returned(end_of_line(2, size, read)) == end
    assert returned(end_of_line(end, size, read)) == size
    assert returned(start_of_line(end, 0, read)) == 2
    assert returned(start_of_line(end, min(3, end - 1), read)) == min(3 if length else 2, end - 1)
    assert returned(start_of_line(2, 0, read)) == 0
    assert returned(next_line(0, size, read)) == 0
    assert returned(next_line(2, size, read)) == 2
    assert returned(next_line(size, size, read)) == size
    assert returned(next_line(1, size, read)) == 2


def test_bounds_are_moved_to_where_lines_begin() -> None:
    content = b"one\ntwo\nthree\nfour"
    asked = query("x", content, low=1, high=9, start=5, by_line=True)
    assert returned(aligned(asked, reader(content)))._replace(text="") == asked._replace(
        text="", low=4, high=None, size=14, start=8
    )
    whole = returned(aligned(query("x", content, whole=True), reader(content)))
    assert whole.size == 14
    assert returned(aligned(query("x", content[:14], whole=True), reader(content))).size == 14


def test_newlines_are_counted_from_the_nearest_place_of_which_their_number_is_known() -> None:
    content = (b"0123456\n" * (4 * PIECE // 8)) + b"end"
    blocks = [place // 8 for place in range(0, len(content), BLOCK)]
    for places in ([5, 80, 3 * PIECE + 1, 17, len(content)], [len(content), 0, PIECE]):
        newlines = Newlines(reader(content), 0, None)
        known = Newlines(reader(content), len(content), None, blocks)
        for place in places:
            assert returned(newlines.before(place)) == returned(known.before(place)) == content.count(b"\n", 0, place)
    assert returned(Newlines(reader(content), 5, None).before(9)) is None


@pytest.mark.parametrize("shift", range(3))
def test_a_text_around_a_match_is_cut_between_characters(shift: int) -> None:
    line = (b"x" * shift + "€".encode() * MAX_HIT_TEXT)[: 3 * MAX_HIT_TEXT]
    for offset in range(MAX_HIT_TEXT, MAX_HIT_TEXT + 3):
        text = excerpt(line, offset, UTF_8)
        assert set(text) == {"€"}
        assert MAX_HIT_TEXT - 4 <= len(text.encode()) <= MAX_HIT_TEXT
    assert excerpt(line[:100], 50, UTF_8) == line[:100].decode(errors="replace")
