"""Levels of log records: in JSON, in logfmt, and as words."""

import json
from typing import Any

import pytest

from livelog.lines.collecting import ERROR, WARNING
from livelog.lines.levels import MAX_JSON, NONE, Levelled, from_json, from_logfmt, from_words, level_of


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("ERROR", ERROR), ("fatal", ERROR), (" Warn ", WARNING), ("info", NONE), ("notice", NONE), ("loud", None), ("", None), ("²", None),
        (50, ERROR), (60, ERROR), (40, WARNING), ("40", WARNING), (30, NONE), (20.0, NONE), (3, None), ("3", None),
        (True, None), (None, None), ([50], None),
    ],
)  # fmt: skip
def test_words_and_numbers_mean_levels(value: object, level: str | None) -> None:
    assert level_of(value) == level


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({"level": "error", "msg": "x failed"}, Levelled(ERROR, "x failed")),
        ({"level": 40, "msg": "slow"}, Levelled(WARNING, "slow")),
        ({"level": "info", "message": "hello"}, Levelled(NONE, "hello")),
        ({"severity": "CRITICAL", "message": "x"}, Levelled(ERROR, "x")),
        # systemd and GELF have the severities of syslog
        ({"PRIORITY": "3", "MESSAGE": "x"}, Levelled(ERROR, "x")),
        ({"PRIORITY": 4, "MESSAGE": "x"}, Levelled(WARNING, "x")),
        ({"PRIORITY": "6", "MESSAGE": "x"}, Levelled(NONE, "x")),
        ({"PRIORITY": "8", "MESSAGE": "x"}, None),
        ({"level": 3, "short_message": "x"}, Levelled(ERROR, "x")),
        # the first level that is one counts
        ({"level": "loud", "severity": "warning", "msg": "x"}, Levelled(WARNING, "x")),
        ({"level": "loud"}, None),
        ({"msg": "an error"}, None),
        # ECS
        ({"log": {"level": "error"}, "message": "x"}, Levelled(ERROR, "x")),
        # a cause is added, unless the message has it
        ({"level": "error", "msg": "it failed", "err": "disk full"}, Levelled(ERROR, "it failed: disk full")),
        ({"level": "error", "msg": "disk full, again", "err": "disk full"}, Levelled(ERROR, "disk full, again")),
        ({"level": "error", "error": {"message": "no route"}}, Levelled(ERROR, "no route")),
        ({"level": "error", "error": {"msg": "no route"}}, Levelled(ERROR, "no route")),
        ({"level": "error"}, Levelled(ERROR, "")),
        # the place in the sources
        ({"level": "error", "msg": "x", "caller": "a/b.go:12"}, Levelled(ERROR, "x", "a/b.go", 12)),
        ({"level": "error", "msg": "x", "source": {"file": "b.go", "line": 7}}, Levelled(ERROR, "x", "b.go", 7)),
        ({"level": "error", "msg": "x", "file": "b.py", "lineno": 9}, Levelled(ERROR, "x", "b.py", 9)),
        ({"level": "error", "msg": "x", "file": "a/b.py"}, Levelled(ERROR, "x", "a/b.py")),
        ({"level": "error", "msg": "x", "source": "worker"}, Levelled(ERROR, "x")),
        ({"level": "error", "msg": "x", "source": "", "line": True}, Levelled(ERROR, "x")),
        # go test -json
        ({"Action": "fail", "Package": "p", "Test": "TestX"}, Levelled(ERROR, "TestX failed")),
        ({"Action": "build-fail", "Package": "p", "FailedBuild": "p"}, Levelled(ERROR, "p failed")),
        ({"Action": "fail", "Package": "p"}, None),
        # cargo --message-format=json
        (
            {"message": {"level": "error", "message": "no x", "spans": [
                {"is_primary": False}, 1, {"is_primary": True, "file_name": "a.rs", "line_start": 2, "column_start": 3}]}},
            Levelled(ERROR, "no x", "a.rs", 2, 3),
        ),
        ({"message": {"level": "warning", "message": "y", "spans": [{"is_primary": False}]}}, Levelled(WARNING, "y")),
        ({"message": {"level": "warning", "message": "y"}}, Levelled(WARNING, "y")),
        ({"message": {"level": "warning", "message": "y", "spans": [{"is_primary": True}]}}, Levelled(WARNING, "y")),
        ({"message": {"level": "odd", "message": "y"}}, None),
    ],
)  # fmt: skip
def test_a_record_in_json_has_its_level_message_and_place(record: dict[str, Any], found: Levelled | None) -> None:
    assert from_json(json.dumps(record)) == found


@pytest.mark.parametrize(
    "text",
    ["level", '{"level": "error"', '{"level": error}', "[]", '{"a": "' + "x" * MAX_JSON + '"}', "{" * 9000 + "}"],
)
def test_what_is_no_json_object_is_no_record(text: str) -> None:
    assert from_json(text) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('level=error msg="it failed" caller=a/b.go:12', Levelled(ERROR, "it failed", "a/b.go", 12)),
        ('time=1 lvl=warn msg="a \\"b\\"" msg=second', Levelled(WARNING, 'a "b"')),
        ("level=info msg=x", Levelled(NONE, "x")),
        ("severity=error", Levelled(ERROR, "severity=error")),
        ("level=loud msg=x", None),
        ("loglevel=", None),
        ("msg=x", None),
    ],
)
def test_a_record_in_logfmt_has_its_level_message_and_place(text: str, found: Levelled | None) -> None:
    assert from_logfmt(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("E1128 02:03:04.123456   12 a.go:34] it failed", Levelled(ERROR, "it failed", "a.go", 34)),
        ("I20261128 02:03:04.123456   12 a.cc:34] hello", Levelled(NONE, "hello", "a.cc", 34)),
        ("11-28 02:03:04.123  12  34 W Tag: slow", Levelled(WARNING, "Tag: slow")),
        ("11-28 02:03:04.123 E/Tag: x", Levelled(ERROR, "Tag: x")),
        ("E/Tag ( 12): x", Levelled(ERROR, "Tag ( 12): x")),
        ("[12:34:1128/020304.123:ERROR:a.cc(56)] x", Levelled(ERROR, "x", "a.cc", 56)),
        ("[12:34:1128/020304.123:LOUD:a.cc(56)] x", None),
        ("W a.cc:56] x", Levelled(WARNING, "x", "a.cc", 56)),
        ("[2026-11-28T02:03:04Z WARN  a::b] slow", Levelled(WARNING, "slow")),
        ("[2026-11-28T02:03:04Z ERROR a::b]", Levelled(ERROR, "")),
        ("[ERROR] x", Levelled(ERROR, "x")),
        ("[E 12] x", Levelled(ERROR, "x")),
        ("[I 12] x", Levelled(NONE, "x")),
        ("name - ERROR - x", Levelled(ERROR, "x")),
        ("ERROR", Levelled(ERROR, "ERROR")),
        ("WARNING", Levelled(WARNING, "")),
        ("no level here", None),
    ],
)
def test_a_word_or_letter_at_its_place_is_the_level(text: str, found: Levelled | None) -> None:
    assert from_words(text) == found
