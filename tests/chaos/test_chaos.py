"""A server through kills, stops, cuts and replacements that are drawn from a seed; and faults that are planted, which it finds.

Categories: content (what is compared with) · episodes (the part of the suite that each test run has) · mutations (all can be
planted; two are, and are found: `python -m tests.chaos.mutations` plants all).
"""

import pytest

from tests.sample import sample

from .content import PERIOD, content, lines, newlines
from .episode import run
from .mutations import MUTATIONS, Mutation, find, planted

EPISODES = 12
"""Episodes of `make long`: about a minute. `make test` has the first."""


@pytest.mark.parametrize("key", [0, 1, 77])
def test_any_part_of_a_log_is_the_same_as_cut_from_the_whole(key: int) -> None:
    whole = content(key, 0, PERIOD + 1000)
    for start, stop in ((0, 1), (5, 5), (10, 4000), (PERIOD - 10, PERIOD + 10), (17, PERIOD + 1000)):
        assert content(key, start, stop) == whole[start:stop]
    for size in (0, 1, 2, 1000, PERIOD, PERIOD + 999):
        assert newlines(key, size) == whole.count(b"\n", 0, size)
        assert lines(key, size) == len(whole[:size].splitlines())


@pytest.mark.parametrize("seed", sample(range(EPISODES), 0))
def test_nothing_that_happens_to_it_makes_a_server_lose_a_byte_or_tell_an_untruth(seed: int) -> None:
    outcome = run(seed)
    assert outcome.answers
    assert outcome.checked


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_each_mutation_fits_the_source(mutation: Mutation) -> None:
    with planted(mutation):
        pass


@pytest.mark.parametrize(
    "name",
    sample(
        ["a byte at the border of two pieces is overwritten", "an aborted log ends as a complete one"],
        "a byte at the border of two pieces is overwritten",
    ),
)
def test_a_fault_that_is_planted_is_found(name: str) -> None:
    [mutation] = [mutation for mutation in MUTATIONS if mutation.name == name]
    assert find(mutation) is not None
