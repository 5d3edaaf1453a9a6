"""What stands in front of a line's text is taken away, and nothing of the text."""

import pytest

from livelog.lines.prefixes import MAX_PREFIXES, Prefixed, strip


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", Prefixed("", "", harmless=False)),
        ("ERROR x", Prefixed("ERROR x", "", harmless=False)),
        ("src/main.c:1:2: error: x", Prefixed("src/main.c:1:2: error: x", "", harmless=False)),
        ("2026-11-28T02:03:04Z ERROR x", Prefixed("ERROR x", "", harmless=False)),
        ("web-1  | 2026-11-28T02:03:04Z ERROR x", Prefixed("ERROR x", "web-1", harmless=False)),
        ("#12 0.345 ERROR x", Prefixed("ERROR x", "#12", harmless=False)),
        ("Nov 28 02:03:04 host sshd[12]: x", Prefixed("x", "", harmless=False)),
        ("[   12.345678] x", Prefixed("x", "", harmless=False)),
        ("INFO - x", Prefixed("x", "", harmless=True)),
    ],
)
def test_text_is_what_is_behind_the_prefixes(line: str, expected: Prefixed) -> None:
    assert strip(line) == expected


def test_so_many_prefixes_are_taken_away_and_no_more() -> None:
    time = "2026-11-28T02:03:04Z "
    assert strip(time * MAX_PREFIXES + "x").text == "x"
    assert strip(time * (MAX_PREFIXES + 1) + "x").text == f"{time}x"
