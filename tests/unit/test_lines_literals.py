"""Texts of which each match of a regular expression contains one, against the matches themselves.

Categories: which texts are found · that no match is without one, however the expression is made · that case is ignored only where it is.
"""

import re
import string
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.lines.literals import MAX_LITERALS, OTHER_FORMS, Literals, literals
from tests.sample import examples


@pytest.mark.parametrize(
    ("pattern", "flags", "texts", "folds"),
    [
        ("xylo[a-z]+ [0-9]+", 0, ("xylo",), False),
        ("Xylo[a-z]+ [0-9]+", re.IGNORECASE, ("xylo",), True),
        ("assertion failed", re.IGNORECASE, ("on fa",), True),  # other characters are s, i and k, too
        ("assertion failed", 0, ("assertion failed",), False),
        ("error|panic|fatal: x", 0, ("error", "panic", "fatal: x"), False),
        ("a(error|warning)b", 0, ("error", "warning"), False),
        ("error|ok", 0, (), False),  # one is too short
        ("(?:abc)+def?", 0, ("abc",), False),
        ("(?:abc)*def", 0, ("def",), False),
        ("(?:abc){0,3}", 0, (), False),
        ("(?:abc){2}x", 0, ("abc",), False),
        ("(?>abcd)efg", 0, ("abcd",), False),
        ("(?:abcd)++efg", 0, ("abcd",), False),
        (r"abc\ def", 0, ("abc def",), False),
        (r"abc\.def", 0, ("abc.def",), False),
        ("abc.def", 0, ("abc",), False),
        (r"\berror\b", 0, ("error",), False),
        ("(?=error)", 0, (), False),
        ("(?!error)abc", 0, ("abc",), False),
        ("(?<=error)abc", 0, ("abc",), False),
        ("(?i)ABC", 0, ("abc",), True),
        ("(?i:ABC)D", 0, ("abc",), True),
        ("(?i:A)BCDE", 0, ("bcde",), True),
        ("(?-i:KISS)", re.IGNORECASE, ("kiss",), True),
        ("(?x) a b c  # text", 0, ("abc",), False),
        ("äbcd", 0, ("bcd",), False),
        ("(a)(?(1)bcd|efg)", 0, (), False),
        (r"(abc)\1", 0, ("abc",), False),
        ("", 0, (), False),
        ("ab", 0, (), False),
        ("|".join(f"abc{letter}" for letter in "defghijkl"), 0, ("abc",), False),
        ("|".join(f"{letter}abc" for letter in "defghijkl"), 0, (), False),
    ],
)
def test_texts_that_each_match_contains(pattern: str, flags: int, texts: tuple[str, ...], folds: bool) -> None:
    assert literals(pattern, flags) == Literals(texts, folds)


def parts(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions made of others."""
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.lists(inner, min_size=2, max_size=4).map(lambda some: f"(?:{'|'.join(some)})"),
        st.tuples(st.sampled_from(["(?:{})*", "(?:{})+?", "(?:{}){{1,2}}", "(?:{})?", "({})", "(?i:{})", "(?={})", "(?!{})", "(?>{})", "(?:{})++"]), inner)
        .map(lambda both: both[0].format(both[1])),
    )  # fmt: skip


EXPRESSIONS = st.recursive(
    st.sampled_from(["abc", "Abd", "b", "[ab]", ".", r"\w", "^", "$", r"\b", "kis", "", "ab", "ca"]),
    parts,
    max_leaves=8,
)


@given(EXPRESSIONS, st.text("abcdkisABCDKIS\u212a\u017f\u0130\u0131 ", max_size=40), st.booleans())
@examples(200)
def test_no_match_is_without_one(pattern: str, text: str, folds: bool) -> None:
    flags = re.IGNORECASE if folds else 0
    found = literals(pattern, flags)
    assert len(found.texts) <= MAX_LITERALS
    for match in re.finditer(pattern, text, flags):
        inside = match[0].lower() if found.folds else match[0]
        assert not found.texts or any(one in inside for one in found.texts)


def test_letters_that_other_characters_match_are_in_no_text_where_case_is_ignored() -> None:
    everything = "".join(map(chr, range(128, sys.maxunicode + 1)))
    others = {letter for letter in string.ascii_lowercase if re.search(letter, everything, re.IGNORECASE)}
    assert others == OTHER_FORMS


def test_an_expression_that_is_nested_too_deep_has_none() -> None:
    def parse(depth: int) -> Any:
        return literals("(?:" * depth + "abc" + ")" * depth, 0)

    assert parse(20).texts == ("abc",)
    assert parse(10 * sys.getrecursionlimit()) == Literals()
