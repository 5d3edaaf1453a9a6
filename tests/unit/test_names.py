"""What a log may be called.

Categories: the unreserved characters of RFC 3986 one by one, names from a hostile list, names made of any text.
"""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.names import is_name, is_prefix, is_url_safe, prefixes, valid_name

UNRESERVED = set(string.ascii_letters + string.digits + "-._~")


@given(st.characters())
def test_exactly_the_unreserved_characters_are_url_safe(character: str) -> None:
    assert is_url_safe(character) is (character in UNRESERVED)
    assert is_url_safe("a" + character + "b") is (character in UNRESERVED)


def test_all_unreserved_characters_together_are_url_safe() -> None:
    assert is_url_safe("".join(sorted(UNRESERVED)))


@pytest.mark.parametrize(
    "text", ["", "a\n", "\na", "a b", "a/b", "a%20b", "a?b", "a#b", "a+b", "a=", "é", "\u0661", "a\x00"]
)
def test_anything_else_is_not_url_safe(text: str) -> None:
    assert not is_url_safe(text)


@pytest.mark.parametrize(
    "name", ["a", "builds/42", "a/b/c/d/e/f/g/h", "...", "a..b", "..a", ".a", "~", "-", "-rf", "a" * 255, "LPT1", "a/a"]
)
def test_names(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "/", "/a", "a/", "a//b", ".", "..", "a/.", "a/../b", "../a", "./a", "a/b/c/d/e/f/g/h/i", "a" * 256,
        "a b", "a\n", "a\\b", "a%2Fb", "a%2e", "a+b", "a:b", "a;b", "a*", "a?b", "a#b", "a\x00", "é", "\u0661", "a\u202eb",
        "\udc80", "C:/a", "a|b", "$(a)", "`a`", "'a'", '"a"', "<a>", "a,b", "a@b", "a&b", "a=b", "a\tb", "a\r",
    ],
)  # fmt: skip
def test_what_is_no_name(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("builds/42", "builds/42"),
        ("feature/foo bar", "feature/foo-bar-cbd4521e"),
        ("Größe", "Gro-e-"),
        ("../../x", "x-"),
        ("/", "log-"),
        ("a//b", "a/b-"),
        ("1/2/3/4/5/6/7/8/9", "1/2/3/4/5/6/7/8-9-"),
    ],
)
def test_name_is_made_valid_by_a_rule(text: str, name: str) -> None:
    assert valid_name(text).startswith(name)


@given(st.text(min_size=1))
def test_name_that_is_made_of_any_text_is_one(text: str) -> None:
    assert is_name(valid_name(text))
    assert valid_name(valid_name(text)) == valid_name(text)


def test_texts_that_differ_stay_two_names() -> None:
    texts = ["a b", "a+b", "a@b", "a-b", "é", "e", "功能", "功", "x" * 256, "x" * 257]
    assert len({valid_name(text) for text in texts}) == len(texts)


@pytest.mark.parametrize("prefix", ["a/", "builds/42/", "a/b/c/d/e/f/g/", "~/", "a" * 253 + "/"])
def test_prefixes_are_what_names_can_begin_with(prefix: str) -> None:
    assert is_prefix(prefix)
    assert is_name(prefix + "x")


@pytest.mark.parametrize(
    "text",
    ["", "/", "a", "a/b", "a//", "//", "/a/", "../", "a/./", "a/b/c/d/e/f/g/h/", "a" * 254 + "/", "a b/", "a/\n", "é/"],
)
def test_what_is_no_prefix(text: str) -> None:
    assert not is_prefix(text)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", []), ("a", []), ("a/b", ["a/"]), ("a/b/", ["a/", "a/b/"]), ("a/b/c", ["a/", "a/b/"]), ("//", ["/", "//"]),
        ("/".join("abcdefgh"), ["a/", "a/b/", "a/b/c/", "a/b/c/d/", "a/b/c/d/e/", "a/b/c/d/e/f/", "a/b/c/d/e/f/g/"]),
    ],
)  # fmt: skip
def test_prefixes_of_a_path_are_few(path: str, expected: list[str]) -> None:
    assert prefixes(path) == expected
    assert len(prefixes(path + "/x" * 4000)) <= 7
