"""What is searched for, as a pattern."""

import pytest

from livelog.lines.query import Query


def query(text: str, *, case: bool = False, regex: bool = False) -> Query:
    return Query(text, 0, 0, None, case=case, regex=regex)


@pytest.mark.parametrize(
    ("text", "case", "regex", "found", "missed"),
    [
        ("a.b", False, False, "xA.Bx", "axb"),
        ("a.b", True, False, "xa.bx", "A.B"),
        ("a.b", False, True, "AxB", "ab"),
        ("a.b", True, True, "axb", "AxB"),
        ("k", False, False, "K", "\u212a"),  # the sign of Kelvin is no capital k: its bytes are others
        ("\u00e9", False, False, "\u00c9", "e"),
    ],
)
def test_a_text_is_itself_and_a_pattern_is_one(text: str, case: bool, regex: bool, found: str, missed: str) -> None:
    pattern = query(text, case=case, regex=regex).pattern()
    assert pattern.search(found)
    assert not pattern.search(missed)


@pytest.mark.parametrize("text", ["(", "a{2,1}", "(?<=a*)b", "a{99999999999999999999}"])
def test_what_is_no_pattern_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ValueError, match=".+"):
        query(text, regex=True).pattern()
    assert query(text).pattern().fullmatch(text)
