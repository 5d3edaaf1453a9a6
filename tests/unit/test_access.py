"""Tokens: which are URL-safe, which open, and that none is ever shown in a log.

Categories: the unreserved characters of RFC 3986 one by one, comparison of any text, redaction in messages,
arguments, tracebacks and stacks.
"""

import logging
import string
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.access import RedactingFormatter, is_url_safe, opens

UNRESERVED = set(string.ascii_letters + string.digits + "-._~")
TOKEN = "secret-puppy_42"


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


@given(st.text())
def test_only_the_token_itself_opens(presented: str) -> None:
    assert opens(presented, TOKEN) is (presented == TOKEN)
    assert opens(TOKEN, TOKEN)


@pytest.mark.parametrize(
    "presented",
    [
        "", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), TOKEN + "\x00", TOKEN + "\n", " " + TOKEN, "é", "\udcff",
        TOKEN + "\udc80",
    ],
)  # fmt: skip
def test_what_is_almost_the_token_does_not_open(presented: str) -> None:
    assert not opens(presented, TOKEN)


def record(message: str, *arguments: object, stack: str | None = None) -> logging.LogRecord:
    info = sys.exc_info()
    made = logging.LogRecord("livelog", logging.INFO, "here.py", 1, message, arguments, info if info[0] else None)
    made.stack_info = stack
    return made


def test_secrets_are_blotted_out_wherever_they_are() -> None:
    formatter = RedactingFormatter("%(name)s: %(message)s", [TOKEN, "other"])
    assert formatter.format(record("nothing to hide")) == "livelog: nothing to hide"
    assert formatter.format(record(f"/log/{TOKEN} {TOKEN}x other")) == "livelog: /log/[secret] [secret]x [secret]"
    assert (
        formatter.format(record("got %s and %r", TOKEN, {"token": TOKEN}))
        == "livelog: got [secret] and {'token': '[secret]'}"
    )
    assert TOKEN not in formatter.format(record("see", stack=f"Stack:\n  call({TOKEN!r})"))
    try:
        int(f"what is {TOKEN}?")
    except ValueError:
        text = formatter.format(record("failed"))
    assert "ValueError: invalid literal for int() with base 10: 'what is [secret]?'" in text
    assert TOKEN not in text


def test_without_secrets_a_record_stays_as_it_is() -> None:
    assert RedactingFormatter("%(message)s", []).format(record("a %d", 1)) == "a 1"
