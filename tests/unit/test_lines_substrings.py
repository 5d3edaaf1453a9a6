"""Whether bytes contain other bytes, against Python's `in`. Categories: what is found · what a C string would end at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.lines.substrings import HAS_MEMMEM, fastest, is_gnu
from tests.sample import examples

TESTS = {memmem: fastest(memmem=memmem) for memmem in {False, HAS_MEMMEM}}
"""The test of this C library, if it can be used, and Python's."""


@pytest.mark.parametrize("memmem", TESTS)
@given(data=st.lists(st.sampled_from(b"ab\0\xff")).map(bytes), part=st.lists(st.sampled_from(b"ab\0\xff")).map(bytes))
@examples(200)
def test_it_is_what_python_finds(memmem: bool, data: bytes, part: bytes) -> None:
    assert TESTS[memmem](data, part) is (part in data)


@pytest.mark.parametrize("memmem", TESTS)
def test_a_null_byte_ends_nothing(memmem: bool) -> None:
    contains = TESTS[memmem]
    assert contains(b"a\0b" * 1000 + b"rest\0end", b"rest\0end")
    assert not contains(b"rest\0e", b"rest\0end")


def test_a_c_library_without_the_variable_of_the_gnu_one_is_another() -> None:
    assert not is_gnu("CS_THAT_NO_LIBRARY_HAS")
