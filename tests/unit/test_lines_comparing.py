"""Lines that another log does not have: which, in what pieces, and within which limits."""

import json
from typing import Any

import pytest

from livelog.lines import comparing
from livelog.lines.comparing import Asked, compare


def compared(log: bytes, other: bytes, *, most_known: int = comparing.MOST_KNOWN, **asked: Any) -> dict[str, Any]:
    """The answer, with `compared`: the bytes of the other log that were looked at."""
    usual = Asked(len(log), True, len(other), True, 0, 1000, "utf-8", 60.0)
    *pieces, answer, looked = compare(
        usual._replace(**asked),
        lambda start, stop: log[start:stop],
        lambda start, stop: other[start:stop],
        lambda offset: 1000 * offset,
        most_known,
    )
    assert set(pieces) <= {None}
    assert answer is not None
    assert looked is not None
    return {**json.loads(answer + b"}"), "compared": int(looked)}


def texts(answer: dict[str, Any]) -> list[str]:
    """The texts of the lines that were told."""
    return [line["text"] for line in answer["lines"]]


def test_new_lines_are_told_once_with_how_often_they_are_there() -> None:
    log = b"12:00:01 start\nnew 1\nold 5\n\nother\nnew 2\nnew 3\n"
    assert compared(log, b"11:59:59 start\nold 7\nold 8\n") == {
        "lines": [
            {"line": 2, "offset": 15, "time": "1970-01-01T00:00:15.000Z", "text": "new 1", "count": 3},
            {"line": 5, "offset": 28, "time": "1970-01-01T00:00:28.000Z", "text": "other", "count": 1},
        ],
        "new": 2, "next": None, "indexed": len(log), "more": False, "compared": 27,
    }  # fmt: skip


def test_pages_have_each_line_once() -> None:
    log = b"".join(b"%c\nold\n" % letter for letter in b"abcdef")
    pages = [compared(log, b"old\n", skip=skip, limit=2) for skip in (0, 2, 4, 6)]
    assert [texts(page) for page in pages] == [["a", "b"], ["c", "d"], ["e", "f"], []]
    assert [page["next"] for page in pages] == [2, 4, None, None]
    assert [line["line"] for line in pages[1]["lines"]] == [5, 7]
    assert {page["new"] for page in pages} == {6}


def test_last_line_counts_once_it_is_whole() -> None:
    growing = compared(b"a\nb", b"", ended=False)
    assert (texts(growing), growing["indexed"], growing["more"]) == (["a"], 2, True)
    assert texts(compared(b"a\nb", b"")) == ["a", "b"]
    assert texts(compared(b"b", b"a\nb")) == []
    assert texts(compared(b"b", b"a\nb", known_ended=False)) == ["b"]
    assert texts(compared(b"", b"a\n")) == []


def test_logs_of_many_pieces_are_compared_wholly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "PIECE", 100)
    log = b"".join(b"line %d %c\n" % (number, 97 + number % 26) for number in range(200)) + b"new\nagain\n"
    answer = compared(log, log.replace(b"new\nagain\n", b""))
    assert [(line["line"], line["offset"], line["text"]) for line in answer["lines"]] == [
        (201, len(log) - 10, "new"),
        (202, len(log) - 6, "again"),
    ]
    assert (answer["indexed"], answer["more"]) == (len(log), False)


@pytest.mark.parametrize("end", [b"\n", b""])
def test_of_a_long_line_the_beginning_counts(monkeypatch: pytest.MonkeyPatch, end: bytes) -> None:
    monkeypatch.setattr(comparing, "PIECE", 100)
    long = b"a" + b"x" * 9000
    answer = compared(long + b"\nnew\n" + long + b"y" + end, long + b"z" + end)
    assert [(line["line"], line["offset"], line["text"]) for line in answer["lines"]] == [(2, 9002, "new")]
    assert (answer["more"], answer["compared"]) == (False, 9002 + len(end))
    growing = compared(b"new\n" + long, b"", ended=False)
    assert (texts(growing), growing["indexed"], growing["more"]) == (["new"], 4, True)


def test_text_is_what_a_terminal_shows_cut_and_decoded() -> None:
    log = b"\x1b[31mred\x1b[0m\r\n10%\r20%\rdone\r\n" + b"\xfcber\n" + b"y" * 1001 + b"\n" + b"\x1b[1m" * 3000 + b"z\n"
    answer = compared(log, b"", encoding="cp1252")
    assert texts(answer) == ["red", "done", "über", "y" * 1000, ""]
    assert [line.get("cut", False) for line in answer["lines"]] == [False, False, False, True, True]


def test_limits_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "PIECE", 2)
    log, other = b"a\nb\nc\nd\n", b"d\nc\nb\n"
    assert compared(log, other, most_known=1) | {"lines": []} == {
        "lines": [], "new": 3, "next": None, "indexed": 8, "more": False, "compared": 2,
    }  # fmt: skip
    spent = compared(log, other, seconds=-1.0)
    assert (texts(spent), spent["more"], spent["compared"]) == (["a"], True, 2)
    monkeypatch.setattr(comparing, "MOST_NEW", 2)
    full = compared(log, b"b\n")
    assert (texts(full), full["new"], full["indexed"], full["more"]) == (["a", "c"], 2, 6, True)
    monkeypatch.setattr(comparing, "MOST_TOLD", 1)
    monkeypatch.setattr(comparing, "PIECE", 100)
    monkeypatch.setattr(comparing, "MOST_NEW", 99)
    assert [(texts(page), page["next"]) for page in (compared(log, b""), compared(log, b"", skip=3))] == [
        (["a"], 1),
        (["d"], None),
    ]
    monkeypatch.setattr(comparing, "PIECE", 2)
    assert (texts(compared(log, b"")), compared(log, b"")["next"]) == (["a"], 1)
