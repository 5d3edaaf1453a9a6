"""What fields of a request and parameters of its query mean."""

import pytest

from livelog.errors import RequestError
from livelog.wire.fields import (
    MAX_WAIT,
    accepts_gzip,
    accepts_html,
    attempt_and_generation,
    media_type,
    precondition,
    wait_seconds,
    whole_number,
)
from livelog.wire.head import parse_head
from livelog.wire.request import Request

TAG = '"now"'


def request(*fields: str, query: str = "") -> Request:
    """A request with these fields and this query."""
    return parse_head("\r\n".join((f"GET /{query} HTTP/1.1", "Host: a", *fields, "", "")).encode())


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ((), None),
        (("If-Match: *",), None),
        (('If-Match: "now"',), None),
        (('If-Match: "old", "now"',), None),
        (('If-Match: "old"', 'If-Match: "now"'), None),
        (('If-Match: W/"now"',), 412),
        (('If-Match: "old"',), 412),
        (("If-None-Match: *",), 304),
        (('If-None-Match: W/"now"',), 304),
        (('If-None-Match: "old", "now"',), 304),
        (('If-None-Match: "old"',), None),
        (("If-None-Match: now",), None),
        (('If-Match: "old"', "If-None-Match: *"), 412),
        (('If-Match: "now"', "If-None-Match: *"), 304),
    ],
)
def test_preconditions_are_looked_at_in_their_order(fields: tuple[str, ...], status: int | None) -> None:
    """RFC 9110 section 13.2.2."""
    assert precondition(request(*fields), TAG) == status


def test_a_tag_that_confirms_nothing_gets_the_content() -> None:
    assert precondition(request('If-None-Match: "now"'), TAG, confirms=False) is None
    assert precondition(request("If-None-Match: *"), TAG, confirms=False) == 304


@pytest.mark.parametrize(
    ("fields", "query", "seconds"),
    [
        ((), "", 0),
        ((), "?wait=12", 12),
        ((), "?wait=9999", MAX_WAIT),
        (("Prefer: wait=7",), "", 7),
        (('Prefer: respond-async, Wait = "8"',), "", 8),
        (("Prefer: respond-async", "Prefer: wait=5"), "", 5),
        (("Prefer: wait=99999999999999",), "", MAX_WAIT),
        (("Prefer: await=7",), "", 0),
        (("Prefer: wait=7",), "?wait=3", 3),
    ],
)
def test_how_long_a_client_waits(fields: tuple[str, ...], query: str, seconds: int) -> None:
    """RFC 7240 section 4.3; the query, which links have, comes first."""
    assert wait_seconds(request(*fields, query=query)) == seconds


def test_a_number_is_digits_and_nothing_else() -> None:
    assert whole_number("from", "007") == 7
    assert whole_number("from", "9" * 30) == int("9" * 18)
    for text in ("", "-1", "+1", "1.0", " 1", "\u0661", "1_0"):
        with pytest.raises(RequestError, match="from is not a whole number"):
            whole_number("from", text)


@pytest.mark.parametrize(
    ("field", "accepted"),
    [
        ("gzip", True), ("br, gzip", True), ("x-gzip", True), ("gzip;q=0.5, br", True), ("gzip;q=0", False),
        ("gzip;q=0.000", False), ("br", False), ("", False), ("gzipped", False),
    ],
)  # fmt: skip
def test_whether_gzip_is_accepted(field: str, *, accepted: bool) -> None:
    assert accepts_gzip(request(f"Accept-Encoding: {field}")) is accepted
    assert not accepts_gzip(request())


def test_a_media_type_is_without_its_parameters() -> None:
    assert media_type(request("Content-Type: Text/Plain ; charset=x")) == "text/plain"
    assert media_type(request()) == ""


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ({}, (0, None)), ({"attempt": "0"}, (0, None)), ({"attempt": "-12"}, (-12, None)), ({"generation": "x"}, (0, "x")),
        ({"generation": ""}, (0, "")),
    ],
)  # fmt: skip
def test_a_query_names_a_log_by_its_number_or_its_generation(
    query: dict[str, str], meant: tuple[int, str | None]
) -> None:
    assert attempt_and_generation(query) == meant


@pytest.mark.parametrize("attempt", ["", "1", "-", "+0", " 0", "-1.0", "--1", "x", "\u0661", "-" + "9" * 10])
def test_what_is_no_number_of_an_attempt_is_refused(attempt: str) -> None:
    with pytest.raises(RequestError, match="the query parameter attempt is 0 for the newest log"):
        attempt_and_generation({"attempt": attempt})


def test_a_number_and_a_generation_do_not_go_together() -> None:
    with pytest.raises(RequestError):
        attempt_and_generation({"attempt": "0", "generation": "x"})


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True), ("application/json, Text/HTML ; q=0.1", True),
        ("text/html;level=1", True), ("text/html;q=0", False), ("text/html; q=0.00, */*", False), ("*/*", False), ("text/*", False),
        ("text/htmlx", False), ("xtext/html", False), ("", False),
    ],
)  # fmt: skip
def test_only_who_names_html_gets_it(accepted: str, expected: bool) -> None:
    """RFC 9110 section 12.5.1."""
    assert accepts_html(request(f"Accept: {accepted}")) is expected
