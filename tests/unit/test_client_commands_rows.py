"""`client.commands.rows`: logs as lines of a list, and a list that fits on a terminal."""

from typing import Any

from livelog.client.commands.rows import HEADING, Table, fit, row


def log(name: str, **more: Any) -> dict[str, Any]:
    """What is told of a log, whose name says when it began."""
    known = {"state": "live", "size": 1500, "exit_code": None, "title": "", "attempts": 1}
    return {"name": name, "generation": name, "began": f"2026-11-28T02:03:0{len(name)}.120Z", **known, **more}


def test_row_tells_what_there_is_to_tell() -> None:
    assert row(log("a")) == "live          1.5 KB  2026-11-28T02:03:01Z       a"
    assert row(log("", state="complete", exit_code=3, title="a title", attempts=2)) == (
        "complete      1.5 KB  2026-11-28T02:03:00Z    3  -  (2 attempts)  a title"
    )
    assert row({**log("a"), "attempts": 0}) == row(log("a"))


def test_table_has_the_newest_logs_that_fit() -> None:
    table = Table(None, 3)
    for name in ("a", "aa", "aaa", "aaaa"):
        table.take("log", log(name))
    assert table.screen(80, 24) == [HEADING, row(log("aaaa")), row(log("aaa")), row(log("aa"))]
    assert table.screen(80, 4, "trying again") == [HEADING, row(log("aaaa")), "trying again"]
    assert table.screen(8, 1) == [HEADING[:8], row(log("aaaa"))[:8]]
    table.take("removed", log("aaaa"))
    table.take("grew", log("aaa", size=2))
    assert table.screen(80, 3) == [HEADING, row(log("aaa", size=2))]


def test_log_leaves_the_table_with_its_state() -> None:
    table = Table("live", 50)
    table.take("begun", log("a"))
    assert len(table.screen(80, 24)) == 2
    table.take("ended", log("a", state="complete"))
    table.take("removed", log("b"))
    assert table.screen(80, 24) == [HEADING]


def test_text_fits_and_is_harmless() -> None:
    assert fit("abc", 2) == "ab"
    assert fit("日本語", 5) == "日本"
    assert fit("e\u0301e\u0301", 2) == "e\u0301e\u0301"
    assert fit("a\x1b[2Jb", 80) == "a [2Jb"
