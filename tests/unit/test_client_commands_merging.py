"""Lines of several logs in the order of their times.

Categories: what is there already · what comes · logs that are silent, end or join.
"""

import random

import pytest

from livelog.client.commands.merging import Merger


@pytest.mark.parametrize("seed", range(10))
def test_what_is_there_is_merged_exactly_and_nothing_is_lost(seed: int) -> None:
    """However it arrives; each log's lines stay in their order, also if its times go back."""
    chance = random.Random(seed)
    merger: Merger[tuple[str, int]] = Merger()
    logs = {name: [float(chance.randrange(50)) for _ in range(chance.randrange(20))] for name in "abcd"}
    if seed % 2:
        logs = {name: sorted(times) for name, times in logs.items()}
    for name in logs:
        merger.join(name, 0)
    left = {name: list(enumerate(times)) for name, times in logs.items()}
    taken = []
    while left:
        name = chance.choice(sorted(left))
        if left[name]:
            number, time = left[name].pop(0)
            merger.put(name, time, (name, number), 0)
        else:
            merger.leave(name)
            del left[name]
        taken += merger.take(0)
    assert (merger.take(0), len(merger)) == ([], 0)
    for name, times in logs.items():
        assert [number for log, number in taken if log == name] == list(range(len(times)))
    if seed % 2:
        times_taken = [logs[name][number] for name, number in taken]
        assert times_taken == sorted(times_taken)


def test_new_line_waits_a_moment_for_older_ones() -> None:
    merger: Merger[str] = Merger(hold=1, patience=10)
    for name in "ab":
        merger.join(name, 0)
        merger.caught_up(name)
    merger.caught_up("none")
    merger.put("a", 5, "late", 100)
    assert merger.take(100.5) == []
    merger.put("b", 4, "early", 100.6)
    assert merger.take(100.7) == ["early"]
    assert merger.take(101) == ["late"]


def test_silent_log_holds_others_back_for_a_while_only() -> None:
    merger: Merger[str] = Merger(hold=0.1, patience=10)
    merger.join("a", 0)
    merger.join("b", 0)
    merger.put("a", 1, "line", 1)
    assert merger.take(9.9) == []
    assert merger.take(10) == ["line"]
    merger.put("a", 2, "more", 10)
    assert len(merger) == 1
    assert merger.take(10, all_of_it=True) == ["more"]


def test_log_that_ends_with_lines_waiting_still_has_them_shown() -> None:
    merger: Merger[str] = Merger(hold=1, patience=10)
    merger.join("a", 0)
    merger.join("b", 0)
    merger.put("a", 1, "line", 0)
    merger.put("a", 2, "last", 0)
    merger.leave("a")
    merger.leave("none")
    merger.put("b", 3, "other", 0)
    assert merger.take(0) == ["line", "last", "other"]
    merger.leave("b")
    assert merger.take(0) == []
