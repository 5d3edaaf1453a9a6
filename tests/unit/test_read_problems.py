"""The table of what only requests of readers are answered with. That documents show it is held by the tests of `wire.problem`."""

from livelog.read import problems
from livelog.wire.problem import Problem

TABLE = [value for value in vars(problems).values() if isinstance(value, Problem)]


def test_these_problems_are_of_the_readers_port_only() -> None:
    assert len(TABLE) > 15
    assert not [each for each in TABLE if not each.readers or each.producers]


def test_a_problem_is_raised_with_its_facts() -> None:
    error = problems.NOT_IN_THE_LOG.error(length=5, so_far="in all")
    assert (error.status, str(error)) == (416, "the log has 5 bytes in all: none of them is in that range")
