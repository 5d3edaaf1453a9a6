"""When bytes of a log came: notes as they are written, found either way, read on, damaged; times as text."""

from datetime import UTC, datetime
from itertools import pairwise
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.times import (
    FORMER_BLOCK,
    NOTES_BLOCK,
    Cursor,
    End,
    Gaps,
    Note,
    Times,
    encode,
    end_of,
    former_notes,
    is_notes,
    moment_of,
    timestamp,
)  # fmt: skip
from tests.sample import examples

BEGAN = 1_700_000_000_000

START = End(0, 0, BEGAN)

STEPS = st.lists(st.tuples(st.integers(1, 1 << 34), st.integers(1, 1 << 34)), max_size=30)
"""Bytes and milliseconds from a note to the next one."""


def notes_of(steps: list[tuple[int, int]], first: int = 0) -> list[Note]:
    offset, moment, found = first, BEGAN, []
    for size, later in steps:
        moment += later
        found.append((offset, moment))
        offset += size
    return found


def many(count: int) -> list[Note]:
    """Notes of some blocks, most of which take three bytes and some nine."""
    return notes_of([(500 if number % 10 else 1 << 30, 20 if number % 7 else 1 << 20) for number in range(count)])


WHOLE = encode(START, many(1500))[0]


def times(data: bytes) -> Times:
    return Times(BEGAN, lambda start, stop: data[start:stop], len(data))


def cursor(data: bytes, start: int) -> Cursor:
    return Cursor(BEGAN, lambda start, stop: data[start:stop], len(data), start)


def test_log_without_notes_came_when_it_began() -> None:
    for none in (Times(BEGAN), times(b"")):
        assert none.time_at(0) == none.time_at(1 << 50) == BEGAN
        assert (none.offset_at(BEGAN - 1), none.offset_at(BEGAN), none.offset_at(BEGAN + 1)) == (0, 0, None)
        assert list(none.notes(3, 5)) == [(3, BEGAN)]
    assert cursor(b"", 7).take(7, 9) == [(7, BEGAN)]


def test_each_byte_has_the_time_of_the_last_note() -> None:
    data, end = encode(START, [(10, BEGAN + 20), (30, BEGAN + 1000), (31, BEGAN + 1010)])
    assert end == End(len(data), 31, BEGAN + 1010)
    found = times(data)
    assert [found.time_at(offset) - BEGAN for offset in (0, 9, 10, 29, 30, 31, 1000)] == [
        0,
        0,
        20,
        20,
        1000,
        1010,
        1010,
    ]
    asked = (0, 1, 20, 21, 1000, 1001, 1010, 1011)
    assert [found.offset_at(BEGAN + later) for later in asked] == [0, 10, 10, 30, 30, 31, 31, None]
    assert list(found.notes(5, 31)) == [(5, BEGAN), (10, BEGAN + 20), (30, BEGAN + 1000)]
    assert list(found.notes(30, 32)) == [(30, BEGAN + 1000), (31, BEGAN + 1010)]
    assert list(found.notes(5, 5)) == []


def test_six_lines_a_second_apart_take_a_few_bytes_each() -> None:
    data, _ = encode(START, [(80 * number, BEGAN + 1000 * number) for number in range(1, 1001)])
    assert len(data) < 3200


def test_clock_that_is_set_back_breaks_no_order() -> None:
    data, end = encode(
        START, [(0, BEGAN - 10**9), (10, BEGAN + 50), (20, BEGAN + 10), (30, BEGAN + 60), (30, BEGAN + 70)]
    )
    assert list(times(data).notes(0, 99)) == [(0, BEGAN), (10, BEGAN + 50), (30, BEGAN + 60)]
    assert encode(end, [(30, BEGAN + 80)]) == (b"", end)


@given(STEPS, st.integers(0, 30), st.integers(0, 1 << 40))
def test_what_is_noted_at_once_or_one_by_one_is_found(steps: list[tuple[int, int]], cut: int, place: int) -> None:
    notes = notes_of(steps, first=place % 3)
    first, end = encode(START, notes[:cut])
    second, last = encode(end, notes[cut:])
    data = first + second
    assert data == encode(START, notes)[0]
    assert end_of(lambda start, stop: data[start:stop], len(data), BEGAN, 1 << 60) == last
    found = times(data)
    for offset, moment in notes:
        assert (found.time_at(offset), found.offset_at(moment)) == (moment, offset)
        assert found.time_at(offset - 1) < moment or offset == 0
    told = found.time_at(place)
    assert told == max([BEGAN, *(moment for offset, moment in notes if offset <= place)])


def test_notes_of_many_blocks_are_found() -> None:
    notes = many(4000)
    data, _ = encode(START, notes)
    assert len(data) > 3 * NOTES_BLOCK
    found, stop = times(data), notes[-1][0] + 1
    assert list(found.notes(0, stop)) == notes
    for offset, moment in [*notes[::37], *notes[::-41]]:
        assert (found.time_at(offset), found.offset_at(moment), found.offset_at(moment - 1)) == (moment, offset, offset)
    assert found.offset_at(notes[-1][1] + 1) is None
    assert [found.header(block) in notes for block in range(-(-len(data) // NOTES_BLOCK))].count(False) == 0
    assert found.header(len(data) // NOTES_BLOCK + 1) is None
    assert encode(START, notes[:1900])[0] + encode(encode(START, notes[:1900])[1], notes[1900:])[0] == data


@pytest.mark.parametrize("start", [0, 1, 20_000, 10**10])
@pytest.mark.parametrize("step", [3, 1000, 10**10, 10**13])
def test_cursor_reads_each_note_once_as_it_comes(start: int, step: int) -> None:
    notes, data, end, reads = many(3000), bytearray(), START, [0]

    def read(first: int, last: int) -> bytes:
        reads[0] += len(data[first:last])
        return bytes(data[first:last])

    added, end = encode(end, notes[:1000])
    data += added
    following, noted = Cursor(BEGAN, read, len(data), start), dict(notes)
    place, taken = start, list[Note]()
    for number in range(1000, 3000, 500):
        added, end = encode(end, notes[number : number + 500])
        data += added
        stop, now = notes[number + 499][0] + 1, times(bytes(data))
        while place < stop:
            upto = min(stop, place + max(step, (stop - place) // 8))
            first, *rest = following.take(place, upto)
            assert first == (place, now.time_at(place))
            taken += ([first] if place in noted and place > start else []) + rest
            place = upto
    assert taken == [note for note in notes if note[0] > start]
    assert reads[0] < 2 * len(data) + NOTES_BLOCK


def test_log_that_goes_on_forgets_notes_of_bytes_that_never_came() -> None:
    """A kill came between the note and its bytes; and in a note."""
    notes = many(3000)
    data, _ = encode(START, notes)
    for length in (notes[-1][0], notes[-5][0], notes[1500][0], 1, 0):
        for cut in (0, 1, 2):
            torn = data[: len(data) - cut]
            end = end_of(lambda start, stop, torn=torn: torn[start:stop], len(torn), BEGAN, length)  # type: ignore[misc]
            kept = [note for note in notes[: len(notes) - (cut > 0)] if note[0] < length]
            assert (end.offset, end.moment) == (kept[-1] if kept else (0, BEGAN))
            assert data[: end.size] == encode(START, kept)[0]


@pytest.mark.parametrize("harm", [bytes(NOTES_BLOCK), b"\xff" * NOTES_BLOCK, b"\x80" * 30 + bytes(NOTES_BLOCK - 30)])
@pytest.mark.parametrize("where", [{0}, {1}, {2}, {1, 2}, {0, 1}, {0, 1, 2}, {0, 1, 2, 3}])
def test_damaged_blocks_have_the_time_of_the_last_note_before(harm: bytes, where: set[int]) -> None:
    notes = many(4000)
    data = bytearray(encode(START, notes)[0])
    blocks = -(-len(data) // NOTES_BLOCK)
    firsts = [times(bytes(data)).header(block) for block in range(blocks)]
    for block in where:
        data[block * NOTES_BLOCK : (block + 1) * NOTES_BLOCK] = harm
    found = times(bytes(data))
    left = []
    for block, first in enumerate(firsts):
        assert first is not None
        following = firsts[block + 1] if block + 1 < blocks else None
        if block not in where:
            left += [note for note in notes if first <= note and (following is None or note < following)]
    assert list(found.notes(0, notes[-1][0] + 1)) == ([] if left and left[0][0] == 0 else [(0, BEGAN)]) + left
    for offset, moment in notes[::29]:
        assert found.time_at(offset) == max((note[1] for note in left if note[0] <= offset), default=BEGAN)
        assert found.offset_at(moment) == next((note[0] for note in left if note[1] >= moment), None)
    assert cursor(bytes(data), 0).take(0, notes[-1][0] + 1)[1:] == [note for note in left if note[0]]


@examples(30)
@given(st.binary(max_size=2 * NOTES_BLOCK), st.integers(0, 1 << 40), st.integers(BEGAN - 10, BEGAN + (1 << 40)))
def test_no_damage_is_an_error_and_times_stay_in_order(junk: bytes, place: int, moment: int) -> None:
    whole = WHOLE
    for data in (junk, whole[:NOTES_BLOCK] + junk, whole[: NOTES_BLOCK + 500] + junk, whole[:30] + junk):
        found = times(data)
        assert found.time_at(place) >= BEGAN
        found.offset_at(moment)
        for told in (list(found.notes(0, 1 << 62)), cursor(data, 0).take(0, 1 << 62)):
            assert all(first[0] < second[0] for first, second in pairwise(told))
            assert all(first[1] <= second[1] for first, second in pairwise(told))
        encode(end_of(lambda start, stop, data=data: data[start:stop], len(data), BEGAN, place), [(place, moment)])  # type: ignore[misc]


def test_number_without_an_end_is_no_note() -> None:
    data, _ = encode(START, [(5, BEGAN + 20)])
    assert list(times(data + b"\x80" * 30).notes(0, 99)) == [(0, BEGAN), (5, BEGAN + 20)]


def test_longest_gaps_are_told_in_their_order() -> None:
    found = Gaps(BEGAN, 3)
    for offset, later in ((0, 0), (5, 30), (9, 40), (12, 70), (13, 170), (14, 190), (15, 205)):
        found.note(offset, BEGAN + later)
    gaps = found.documents()
    assert [(gap["offset"], gap["seconds"]) for gap in gaps] == [(13, 0.1), (5, 0.03), (12, 0.03)]
    assert (gaps[0]["began"], gaps[0]["ended"]) == (timestamp(BEGAN + 70), timestamp(BEGAN + 170))
    none = Gaps(BEGAN, 0)
    none.note(0, BEGAN + 5)
    assert none.documents() == []


# The former format.


def test_times_of_the_former_format_are_notes() -> None:
    ticks = b"".join(tick.to_bytes(4, "little") for tick in (0, 5, 5, 70))
    kept = crc32(ticks).to_bytes(4, "little") + ticks
    notes = list(former_notes(kept, BEGAN))
    assert notes == [(block * FORMER_BLOCK, BEGAN + later) for block, later in enumerate((0, 50, 50, 700))]
    assert not is_notes(kept)
    data, _ = encode(START, notes)
    assert is_notes(data)
    assert times(data).time_at(2 * FORMER_BLOCK + 7) == BEGAN + 50


@pytest.mark.parametrize("kept", [b"", b"abc", bytes(8), b"\0\0\0\0\1", encode(START, many(20))[0]])
def test_what_is_not_of_the_former_format_has_no_notes(kept: bytes) -> None:
    assert list(former_notes(kept, BEGAN)) == []


# Text.


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023-11-14T22:13:20Z", BEGAN), ("2023-11-14T22:13:20.120Z", BEGAN + 120), ("2023-11-14T22:13:20.1200001Z", BEGAN + 120),
        ("2023-11-14T22:13:20.120001Z", BEGAN + 121), ("2023-11-14T23:13:20+01:00", BEGAN), ("2023-11-14T23:13:20 01:00", BEGAN),
        ("2023-11-14T17:13:20.5-05:00", BEGAN + 500), ("2023-11-14 22:13:20+00:00", BEGAN), ("1700000000", BEGAN), ("1700000000.5", BEGAN + 500),
        ("1700000000.1201", BEGAN + 121), ("1700000000.12", BEGAN + 120), ("0", 0), ("1969-12-31T23:59:59Z", -1000),
        ("1700000000." + "0" * 6000 + "1", BEGAN),
    ],
)  # fmt: skip
def test_time_is_text_of_two_forms(text: str, moment: int) -> None:
    assert moment_of(text) == moment
    assert moment_of(text, down=True) == moment - text.endswith(("120001Z", ".1201"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "2023-11-14T22:13:20",
        "2023-11-14",
        "-1",
        "1e9",
        "nan",
        "1.",
        ".5",
        "170000000000",
        "12:00",
        "1 01:00",
        "T",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        moment_of(text)


@given(st.integers(0, 253_402_300_799_999))
def test_time_and_its_text_are_the_same(moment: int) -> None:
    text = timestamp(moment)
    assert moment_of(text) == moment
    assert datetime.fromisoformat(text) == datetime.fromtimestamp(moment // 1000, UTC).replace(
        microsecond=moment % 1000 * 1000
    )
