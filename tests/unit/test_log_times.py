"""When blocks of a log came: what is noted, asked either way, and kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.log.times import BLOCK, TICK, BlockTimes

BEGAN = 1_700_000_000_000_000


def test_log_without_noted_times_came_when_it_began() -> None:
    times = BlockTimes(BEGAN)
    assert times.time_at(0) == times.time_at(10 * BLOCK) == BEGAN // 1000
    assert times.offset_at(BEGAN // 1000 - 1) == times.offset_at(2 * BEGAN // 1000) == 0


def test_each_block_has_the_time_of_its_first_byte() -> None:
    times = BlockTimes(BEGAN)
    times.note(0, BLOCK + 1, BEGAN + 5 * TICK)
    times.note(BLOCK + 1, 2 * BLOCK, BEGAN + 6 * TICK)  # of a block that had begun
    times.note(2 * BLOCK, 4 * BLOCK, BEGAN + 7 * TICK + 1)
    assert [times.time_at(block * BLOCK) - BEGAN // 1000 for block in range(5)] == [0, 50, 70, 70, 70]
    assert [times.offset_at(BEGAN // 1000 + after) // BLOCK for after in (0, 49, 50, 69, 70, 99)] == [0, 0, 1, 1, 3, 3]


def test_times_that_were_not_kept_are_those_of_the_block_before() -> None:
    times = BlockTimes(BEGAN)
    times.note(3 * BLOCK, 3 * BLOCK + 1, BEGAN + 9 * TICK)
    assert [times.time_at(block * BLOCK) - BEGAN // 1000 for block in range(4)] == [0, 0, 0, 90]


@pytest.mark.parametrize(("moment", "wanted"), [(BEGAN - 10**9, 50), (BEGAN + 2**40 * TICK, 0xFFFFFFFF * 10)])
def test_clock_that_is_set_breaks_no_order(moment: int, wanted: int) -> None:
    times = BlockTimes(BEGAN)
    times.note(0, 2 * BLOCK, BEGAN + 5 * TICK)
    times.note(2 * BLOCK, 3 * BLOCK, moment)
    assert times.time_at(2 * BLOCK) - BEGAN // 1000 == wanted


@given(st.lists(st.tuples(st.integers(1, 3 * BLOCK), st.integers(0, 100)), max_size=20), st.binary(max_size=3))
def test_any_times_are_what_was_kept_and_in_order(steps: list[tuple[int, int]], torn: bytes) -> None:
    times, length, moment = BlockTimes(BEGAN), 0, BEGAN
    for size, ticks in steps:
        moment += ticks * TICK
        times.note(length, length + size, moment)
        length += size
    again = BlockTimes(BEGAN, times.to_bytes() + torn)
    told = [times.time_at(offset) for offset in range(0, length + 1, BLOCK)]
    assert told == sorted(told) == [again.time_at(offset) for offset in range(0, length + 1, BLOCK)]
    for offset, moment in zip(range(0, length, BLOCK), told, strict=False):
        assert times.time_at(times.offset_at(moment)) == moment
        assert times.offset_at(moment) >= offset
