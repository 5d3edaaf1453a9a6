"""Whether a literal may be in a block of a log, against a plain search of it.

Categories: what is found, whatever is rare in the block · what is left out · what it costs.
"""

import random
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.lines.prefilter import (
    FEW,
    LOWER_COST,
    NEIGHBOURS,
    SAMPLED,
    SMALL,
    Prefilter,
    literal_cost,
    probe_cost,
    replace_cost,
)
from tests.sample import examples

LITERALS = ["e", "zq", "fatal", "n", "0x7f", "[k]", "a.b*c", "\\d+", "^x$", "été", "k" * 40, "-]", "E-1"]

BLOCK = SMALL + 17


@lru_cache
def block(seed: int, letters: str = "etaoin shrdlu ETAOIN 0123 .[]\\") -> bytes:
    """Bytes without most of the letters of the literals."""
    return "".join(random.Random(seed).choices(letters, k=BLOCK)).encode()


@given(
    seed=st.integers(0, 2), text=st.sampled_from(LITERALS), place=st.integers(0, BLOCK), case=st.booleans(),
    letters=st.sampled_from(["etaoin shrdlu ETAOIN 0123 .[]\\", "abcdefkxzq[]\\.*^$+-\n", "k", "Ee", "[", "z"]),
    swapped=st.booleans(),
)  # fmt: skip
@examples(100)
def test_what_is_there_is_never_missed(
    seed: int, text: str, place: int, case: bool, letters: str, swapped: bool
) -> None:
    filled = block(seed, letters)
    written = text.encode() if case or not swapped else text.encode().swapcase()
    data = filled[:place] + written + filled[place:]
    literal = text.encode() if case else text.encode().lower()
    assert Prefilter(literal, case=case).may_be_in(data)


@pytest.mark.parametrize("text", LITERALS)
def test_what_is_nowhere_is_not_found_in_blocks_of_any_size(text: str) -> None:
    for size in (0, 1, 100, SMALL - 1, SMALL, SMALL + 1):
        data = (b"*wW_" * SMALL)[:size]
        assert not Prefilter(text.encode().lower(), case=False).may_be_in(data), size
        assert not Prefilter(text.encode(), case=True).may_be_in(data), size


def test_capital_letters_differ_if_they_shall() -> None:
    data = block(1) + b"Quiz" + block(2)
    assert Prefilter(b"quiz", case=False).may_be_in(data)
    assert Prefilter(b"Quiz", case=True).may_be_in(data)
    assert not Prefilter(b"quiz", case=True).may_be_in(data)


def test_a_byte_that_is_frequent_after_all_is_looked_for_by_its_pattern() -> None:
    # The sample is of the middle: there is no q in it.
    frequent = b"qa" * (FEW + 10)
    for found, end in ((True, b"quiz"), (False, b"quip")):
        data = frequent + block(1) + frequent + end
        assert Prefilter(b"quiz", case=False).may_be_in(data) is found
    assert not Prefilter(b"quiz", case=False).may_be_in(
        frequent[: 2 * FEW] + block(1)
    )  # all of them looked at one by one


def test_a_log_that_changes_is_sampled_again() -> None:
    prefilter = Prefilter(b"quiz", case=False)
    for number in range(3 * SAMPLED):
        filled = block(0, "abc" if number < SAMPLED else "quQU ")
        assert not prefilter.may_be_in(filled)
        assert prefilter.may_be_in(filled + b"QuIz")


def test_only_neighbours_are_compared_so_a_pattern_stays_small() -> None:
    literal = b"#" + b"a" * 900
    prefilter = Prefilter(literal, case=False)
    assert not prefilter.may_be_in(block(1) + b"#" + b"a" * (NEIGHBOURS - 1))
    assert prefilter.may_be_in(block(1) + b"#" + b"a" * NEIGHBOURS)  # may be, for all it knows


@pytest.mark.parametrize(
    "letters", ["rest ", "REST ", "reRE STst", "rest" * 200 + "R"], ids=["small", "capital", "both", "few capitals"]
)
def test_a_word_of_frequent_letters_is_found_in_every_block_of_a_large_log(letters: str) -> None:
    filled = (
        block(5, letters)
        .replace(b"est", b"e.t")
        .replace(b"EST", b"E.T")
        .replace(b"esT", b"e.T")
        .replace(b"eST", b"e.T")
    )
    filled = filled.replace(b"Est", b"E.t").replace(b"ESt", b"E.t").replace(b"EsT", b"E.T").replace(b"eSt", b"e.t")
    one, both = Prefilter(b"rest", case=True), Prefilter(b"rest", case=False)
    for _ in range(2 * SAMPLED):  # of these the second half is searched by the faster test
        assert not one.may_be_in(filled)
        assert not both.may_be_in(filled)
        assert one.may_be_in(filled + b"rest")
        assert not one.may_be_in(filled + b"reST")
        assert both.may_be_in(filled + b"ReSt")


def test_what_is_rare_costs_less_than_the_whole_literal_and_what_is_frequent_more() -> None:
    assert 2 * probe_cost(0.0) < literal_cost(3)
    assert probe_cost(0.0) < probe_cost(0.0005) < probe_cost(0.02) < probe_cost(0.1)
    assert probe_cost(0.1) > literal_cost(4) + LOWER_COST
    assert literal_cost(40) < literal_cost(4)
    assert literal_cost(1) <= probe_cost(0.0)


def test_letters_are_replaced_one_by_one_where_that_is_cheaper_than_to_copy_all_in_lower_case() -> None:
    assert replace_cost(0.0) < replace_cost(0.001) < LOWER_COST < replace_cost(0.1)
