"""Which logs go because of a limit: the order in which they go, and who is spared."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.errors import TooManyLogs
from livelog.log.retention import AGE_CHECK, Retention


@dataclass(eq=False)
class Log:
    """A log that has ended."""

    ended_at: float = 0.0
    used: bool = False


def retention(*logs: Log, max_logs: int | None = None, max_age: float | None = None) -> Retention[Log]:
    """The retention of logs that ended in that order."""
    kept = Retention[Log](max_logs, max_age, lambda log: log.used)
    for log in logs:
        kept.add(log)
    return kept


def test_the_log_that_ended_first_goes_first_unless_it_is_used_or_spared() -> None:
    logs = [Log(), Log(used=True), Log(), Log()]
    kept = retention(*logs)
    assert list(kept.candidates()) == [logs[0], logs[2], logs[3]]
    assert list(kept.candidates(logs[2])) == [logs[0], logs[3]]
    logs[1].used = False
    assert next(kept.candidates()) is logs[0]
    kept.discard(logs[0])
    kept.discard(logs[0])
    assert list(kept.candidates()) == logs[1:]
    assert [log in kept for log in logs] == [False, True, True, True]
    kept.clear()
    assert list(kept.candidates()) == []


@pytest.mark.parametrize(("count", "refused"), [(0, False), (1, False), (2, False), (3, False), (4, True)])
def test_a_log_may_begin_if_as_many_may_go_as_are_too_many(count: int, refused: bool) -> None:
    """Two of the logs may go, one is used; of two there may be, so that the fourth has no place."""
    logs = [Log(), Log(used=True), Log()]
    kept = retention(*logs, max_logs=2)
    assert kept.is_full(count) is (count >= 2)
    if refused:
        with pytest.raises(TooManyLogs) as raised:
            kept.admit(count, None)
        assert raised.value.count == 2
    else:
        kept.admit(count, None)


def test_a_log_in_place_of_another_needs_no_room_and_does_not_count_on_that_one() -> None:
    only = Log()
    kept = retention(only, max_logs=1)
    kept.admit(1, only)
    with pytest.raises(TooManyLogs):
        kept.admit(2, only)
    only.used = True
    kept.admit(1, only)
    with pytest.raises(TooManyLogs):
        kept.admit(1, None)


def test_no_log_is_added_where_there_are_as_many_as_there_may_be() -> None:
    kept = retention(max_logs=1)
    kept.check(0)
    with pytest.raises(TooManyLogs, match="the limit of 1 logs"):
        kept.check(1)


def test_superseded_logs_go_before_all_others_also_while_they_are_used() -> None:
    logs = [Log(), Log(), Log(used=True), Log()]
    kept = retention(*logs, max_logs=2)
    kept.supersede(logs[3])
    kept.supersede(logs[2])
    assert list(kept.superseded()) == [logs[3], logs[2]]
    assert list(kept.candidates(logs[0])) == [logs[3], logs[2], logs[1]]
    assert all(log in kept for log in logs)
    kept.admit(4, None)
    kept.discard(logs[3])
    assert list(kept.candidates()) == [logs[2], logs[0], logs[1]]
    kept.clear()
    assert list(kept.candidates()) == []


def test_a_log_that_is_the_newest_again_goes_in_the_order_of_ends() -> None:
    logs = [Log(ended_at=moment) for moment in (1, 2, 3)]
    kept = retention(*logs)
    kept.supersede(logs[1])
    kept.restore(logs[1])
    assert (list(kept.candidates()), list(kept.superseded())) == (logs, [])


def test_superseded_logs_go_for_their_age_also_while_they_are_used() -> None:
    logs = [Log(1.0, used=True), Log(1.0, used=True), Log(50.0)]
    kept = retention(*logs, max_age=10.0)
    kept.supersede(logs[1])
    kept.supersede(logs[2])
    assert kept.too_old(20.0) == [logs[1]]


def test_without_limits_no_log_goes() -> None:
    kept = retention(Log(ended_at=-1e9))
    kept.admit(10**9, None)
    kept.check(10**9)
    assert not kept.is_full(10**9)
    assert (kept.age_check, kept.too_old(1e9)) == (None, [])


@pytest.mark.parametrize(("max_age", "pause"), [(1.0, 0.25), (1e6, AGE_CHECK)])
def test_old_logs_are_looked_for_often_enough(max_age: float, pause: float) -> None:
    assert retention(max_age=max_age).age_check == pause


@given(st.lists(st.builds(Log, st.floats(0, 100), st.booleans())), st.floats(0, 200), st.floats(1, 50))
def test_exactly_the_logs_go_that_are_too_old_and_that_nobody_uses(logs: list[Log], now: float, max_age: float) -> None:
    old = retention(*logs, max_age=max_age).too_old(now)
    assert old == [log for log in logs if log.ended_at < now - max_age and not log.used]
