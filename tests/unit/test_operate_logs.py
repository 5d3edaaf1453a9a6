"""The server's own log: one line for a record, in text and in JSON, and that no secret is ever in it.

Categories: fields and their quoting, redaction in messages, arguments, fields, tracebacks and stacks.
"""

import json
import logging
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.operate.logs import Formatter

TOKEN = "secret-puppy_42"
TEXT = Formatter("text", [TOKEN, "other"])
JSON = Formatter("json", [TOKEN, "other"])


def record(message: str, *arguments: object, stack: str | None = None, **facts: object) -> logging.LogRecord:
    info = sys.exc_info()
    made = logging.LogRecord("livelog", logging.INFO, "here.py", 1, message, arguments, info if info[0] else None)
    made.stack_info = stack
    if facts:
        made.fields = facts
    return made


def as_text(made: logging.LogRecord) -> str:
    """The line, without the time in front."""
    return re.sub(r"\A\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", "", TEXT.format(made))


def test_a_line_of_text_is_level_logger_message_and_fields() -> None:
    assert as_text(record("a %d", 1)) == "INFO livelog: a 1"
    assert (
        as_text(record("log ended", log="builds/42", bytes=7, seconds=1.23456, reason="the body ended", exit_code=None))
        == 'INFO livelog: log ended log=builds/42 bytes=7 seconds=1.235 reason="the body ended"'
    )
    assert as_text(record("x", log="", quote='a"b', equals="a=b", line="a\nb", back="a\\b")) == (
        r'INFO livelog: x log="" quote="a\"b" equals="a=b" line="a\nb" back="a\\b"'
    )


def test_a_line_of_json_has_the_fields_as_members() -> None:
    line = json.loads(JSON.format(record("log ended", log="builds/42", bytes=7, exit_code=None)))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    assert line == {
        "level": "INFO", "logger": "livelog", "message": "log ended", "log": "builds/42", "bytes": 7, "exit_code": None,
    }  # fmt: skip


def test_what_json_has_no_form_for_is_told_as_text() -> None:
    assert json.loads(JSON.format(record("x", cause=OSError("no"))))["cause"] == "no"


@pytest.mark.parametrize("formatter", [TEXT, JSON], ids=["text", "json"])
def test_secrets_are_blotted_out_wherever_they_are(formatter: Formatter) -> None:
    shown = formatter.format(record(f"/log/{TOKEN} {TOKEN}x other"))
    assert "/log/[secret] [secret]x [secret]" in shown
    for made in (
        record("got %s and %r", TOKEN, {"token": TOKEN}),
        record("see", stack=f"Stack:\n  call({TOKEN!r})"),
        record("see", path=f"/log/{TOKEN}/name"),
    ):
        shown = formatter.format(made)
        assert TOKEN not in shown
        assert "[secret]" in shown
    try:
        int(f"what is {TOKEN}?")
    except ValueError:
        shown = formatter.format(record("failed", answer=1))
    assert "ValueError: invalid literal for int() with base 10: 'what is [secret]?'" in shown
    assert TOKEN not in shown


def test_a_secret_that_is_part_of_another_leaves_nothing_of_it() -> None:
    shown = Formatter("text", ["puppy", "puppy-and-more"]).format(record("puppy-and-more puppy"))
    assert shown.endswith(" [secret] [secret]")


@given(st.text(), st.text())
def test_anything_is_one_line(message: str, value: str) -> None:
    line = JSON.format(record("%s", message, value=value))
    assert "\n" not in line
    if TOKEN not in message + value and "other" not in message + value:
        parsed = json.loads(line)
        assert (parsed["message"], parsed["value"]) == (message, value)
    assert "\n" not in TEXT.format(record("x", value=value))


HOSTILE = "a\x1b[2J\r\n2026-01-01 00:00:00,000 ERROR livelog: forged\u202e\x9b\x7f\u2028end"


def fail() -> None:
    raise ValueError(HOSTILE) from RuntimeError(HOSTILE)


def test_no_control_character_gets_into_a_line_wherever_it_is() -> None:
    made = [record("failed %s", HOSTILE), record(HOSTILE), record("x", value=HOSTILE), record("x", stack=HOSTILE)]
    try:
        fail()
    except ValueError:
        made.append(record("failed"))
    for each in made:
        for formatter in (TEXT, JSON):
            first, *others = formatter.format(each).split("\n")
            assert all(line.isprintable() for line in (first, *others)), each
            assert all(line.startswith("    ") for line in others), each
    assert as_text(record("failed %s", "\x1b")) == r"INFO livelog: failed \x1b"


def test_the_further_lines_of_another_librarys_message_are_indented() -> None:
    made = record("one\ntwo\x1b\n2026")
    made.name = "asyncio"
    assert as_text(made) == "INFO asyncio: one\n    two\\x1b\n    2026"


@given(st.text(), st.text())
def test_any_message_is_one_printable_line(message: str, argument: str) -> None:
    line = TEXT.format(record("%s: %s", message, argument))
    assert line.isprintable()
