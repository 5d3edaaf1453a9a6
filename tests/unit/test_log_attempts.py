"""The logs of all names: which one is meant, which ones go for another one, and in which order they are."""

from hypothesis import given
from hypothesis import strategies as st

from livelog.log.attempts import NEWEST, Attempts, Which
from livelog.log.info import LogInfo


class Log:
    """A log, by its place in the order of all."""

    def __init__(self, name: str, order: int) -> None:
        self.info = LogInfo(name, f"generation {order}", 0, order=order)


def added(kept: int, *names: str) -> tuple[Attempts[Log], list[Log]]:
    """Logs of those names, in the order in which they began."""
    attempts, logs = Attempts[Log](kept), [Log(name, order) for order, name in enumerate(names)]
    for log in logs:
        for gone in attempts.surplus(log.info.name):
            attempts.remove(gone)
        attempts.add(log)
    return attempts, logs


def test_a_log_is_found_by_its_number_and_by_its_generation() -> None:
    attempts, logs = added(3, "a", "b", "a", "a", "a")
    assert attempts.of("a") == (logs[4], logs[3], logs[2])
    assert [attempts.find("a", Which(number)) for number in (1, 0, -1, -2, -3)] == [
        None,
        logs[4],
        logs[3],
        logs[2],
        None,
    ]
    assert attempts.find("a", NEWEST) is attempts.newest("a") is logs[4]
    assert [attempts.find("a", Which(generation=log.info.generation)) for log in logs] == [None, None, *logs[2:]]
    assert attempts.find("b", Which(-1)) is None
    assert (attempts.of("c"), attempts.newest("c"), attempts.find("c", NEWEST)) == ((), None, None)


def test_as_many_logs_of_a_name_stay_as_are_kept() -> None:
    for kept in range(1, 5):
        attempts, logs = added(kept, *"aaaa")
        assert attempts.of("a") == tuple(reversed(logs[-kept:]))
        assert attempts.surplus("a") == (logs[-kept],)
        assert (len(attempts), set(attempts)) == (kept, set(logs[-kept:]))
        assert attempts.surplus("b") == ()


def test_the_log_before_the_newest_is_the_newest_again_in_its_old_place() -> None:
    attempts, logs = added(2, "a", "b", "a")
    assert list(attempts.newest_first()) == [logs[2], logs[1]]
    attempts.remove(logs[2])
    assert list(attempts.newest_first()) == [logs[1], logs[0]]
    assert (logs[2] in attempts, logs[0] in attempts) == (False, True)
    attempts.remove(logs[0])
    assert (attempts.of("a"), list(attempts)) == ((), [logs[1]])


def test_an_older_log_that_goes_leaves_the_newest() -> None:
    attempts, logs = added(3, "a", "a", "a")
    attempts.remove(logs[1])
    assert attempts.of("a") == (logs[2], logs[0])
    attempts.remove(logs[0])
    assert attempts.of("a") == (logs[2],)
    attempts.clear()
    assert (len(attempts), list(attempts)) == (0, [])


def test_logs_are_in_their_order_also_if_one_was_quicker_than_an_earlier_one() -> None:
    attempts, (late, early) = Attempts[Log](1), (Log("late", 2), Log("early", 1))
    attempts.add(late)
    attempts.add(early)
    assert list(attempts.newest_first()) == [late, early]


@given(
    st.integers(1, 3), st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["begin", "remove", "remove older"])))
)
def test_whatever_begins_and_goes_the_logs_are_those_that_a_plain_list_has(
    kept: int, steps: list[tuple[str, str]]
) -> None:
    attempts, model = Attempts[Log](kept), dict[str, list[Log]]()
    for order, (name, step) in enumerate(steps):
        logs = model.setdefault(name, [])  # the newest in front
        if step == "begin":
            for gone in attempts.surplus(name):
                attempts.remove(gone)
            logs.insert(0, log := Log(name, order))
            del logs[kept:]
            attempts.add(log)
        elif logs:
            attempts.remove(logs.pop(0 if step == "remove" else -1))
        assert {name: attempts.of(name) for name in model} == {name: tuple(logs) for name, logs in model.items()}
        newest = [logs[0] for logs in model.values() if logs]
        assert list(attempts.newest_first()) == sorted(newest, key=lambda log: -log.info.order)
        assert len(attempts) == len(list(attempts)) == sum(map(len, model.values()))
