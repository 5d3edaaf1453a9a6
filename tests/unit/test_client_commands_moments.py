"""Times as people write and read them.

Categories: understood · refused · shown.
"""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from livelog.client.api.search import rfc3339
from livelog.client.commands.moments import Stamps, iso, moment

EAST = timezone(timedelta(hours=2))
NOW = datetime(2026, 11, 28, 15, 30, 10, 250000, tzinfo=EAST)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", "2026-11-28T13:30:10.250Z"),
        ("5m", "2026-11-28T13:25:10.250Z"),
        ("1h30m ago", "2026-11-28T12:00:10.250Z"),
        ("1.5s", "2026-11-28T13:30:08.750Z"),
        ("250ms", "2026-11-28T13:30:10.000Z"),
        ("1w2d", "2026-11-19T13:30:10.250Z"),
        ("today", "2026-11-27T22:00:00.000Z"),
        ("Yesterday", "2026-11-26T22:00:00.000Z"),
        ("15:04", "2026-11-28T13:04:00.000Z"),
        (" 9:04:05.5 ", "2026-11-28T07:04:05.500Z"),
        ("2026-11-28", "2026-11-27T22:00:00.000Z"),
        ("2026-11-28 15:04", "2026-11-28T13:04:00.000Z"),
        ("2026-11-28_15:04:05", "2026-11-28T13:04:05.000Z"),
        ("2026-11-28t15:04:05.123456789z", "2026-11-28T15:04:05.123Z"),
        ("2026-11-28T15:04:05-0130", "2026-11-28T16:34:05.000Z"),
        ("1764295384.5", "2025-11-28T02:03:04.500Z"),
    ],
)
def test_time_is_understood(text: str, meant: str) -> None:
    assert iso(moment(text, NOW)) == meant


@pytest.mark.parametrize(
    "text",
    ["", "5", "300", "5x", "m", "25:00", "12:60", "2026-13-01", "tomorrow", "-5m", "٥m", "9" * 12, "9" * 400 + "w"],
)
def test_text_that_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time, such as 5m"):
        moment(text, NOW)


def test_time_is_told_to_servers_exactly() -> None:
    assert rfc3339(NOW) == "2026-11-28T13:30:10.250000Z"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("iso", ["2026-11-28T12:00:00.000Z ", "2026-11-28T12:00:01.250Z ", f"{'-':>24} ", "2026-11-27T12:00:00.000Z "]),
        ("short", ["14:00:00.000 ", "14:00:01.250 ", f"{'-':>12} ", "11-27 14:00:00.000 "]),
        ("relative", ["     +0.000 ", "     +1.250 ", f"{'-':>11} ", " -86400.000 "]),
        ("delta", ["   +0.000 ", "   +1.250 ", f"{'-':>9} ", "-86401.250 "]),
    ],
)
def test_times_are_shown_in_each_form(form: str, expected: list[str]) -> None:
    stamps = Stamps(form, EAST, NOW)
    first = datetime(2026, 11, 28, 12, tzinfo=UTC)
    times = [first, first + timedelta(seconds=1.25), None, first - timedelta(days=1)]
    assert [stamps(time) for time in times] == expected


def test_zone_that_is_asked_for_is_that_of_iso_too() -> None:
    when = datetime(2026, 11, 28, 2, 3, 4, 120_000, tzinfo=UTC)
    stamps = Stamps("iso", timezone(timedelta(hours=2)), when, zoned=True)
    assert stamps(when) == "2026-11-28T04:03:04.120+02:00 "
