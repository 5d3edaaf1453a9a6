"""The table of what only requests of producers are answered with. That documents show it is held by the tests of `wire.problem`."""

from livelog.produce import problems
from livelog.wire.problem import Problem

TABLE = [value for value in vars(problems).values() if isinstance(value, Problem)]


def test_these_problems_are_of_the_producers_port_only() -> None:
    assert len(TABLE) > 20
    assert not [each for each in TABLE if not each.producers or each.readers]


def test_a_problem_is_raised_with_its_facts() -> None:
    error = problems.WRONG_OFFSET.error(members={"expected-offset": 5}, offset=5, provided=7)
    assert (error.status, str(error)) == (409, "the upload has 5 bytes: resume from there, not from 7")
