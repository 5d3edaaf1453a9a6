"""What a head says: path, query, fields, framing, and whether the client stays; and what llhttp alone would let through.

Categories: targets · queries · fields · bodies · keep-alive · what is refused besides.
"""

import pytest

from livelog.errors import RequestError
from livelog.wire import problem
from livelog.wire.head import parse_head
from livelog.wire.request import Fields, Request


def request(line: str = "GET / HTTP/1.1", *fields: str) -> Request:
    """What a head with that line and these fields says."""
    host = ["Host: a"] if line.endswith("1.1") else []
    return parse_head("\r\n".join((line, *host, *fields, "", "")).encode("latin-1"))


def fault(line: str, *fields: str) -> str:
    """Why such a head is refused."""
    with pytest.raises(RequestError) as caught:
        request(line, *fields)
    assert caught.value.status == 400
    return str(caught.value)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", {}),
        ("/log/a/b", "/log/a/b", {}),
        ("/log/%61%2Fb%2fc%25d", "/log/a%2Fb%2fc%25d", {}),
        ("/log/%C3%A4", "/log/ä", {}),
        ("/log/%zz%2", "/log/%zz%2", {}),
        ("//log//a/", "//log//a/", {}),
        ("/log?a=1&b=&c&a=2", "/log", {"a": "1", "b": "", "c": ""}),
        ("/log?q=a+b%20c%E2%82%AC;d=1", "/log", {"q": "a b c€;d=1"}),
        ("/log?a=b?c#d", "/log", {"a": "b?c"}),
        ("/log#a?b=c", "/log", {}),
        ("http://h/log?a=1", "/log", {"a": "1"}),
        ("HTTPS://user.example:8080/log", "/log", {}),
        ("http://[::1]:60023/log", "/log", {}),
        ("http://h", "/", {}),
        ("http://h?a=1", "/", {"a": "1"}),
        ('/<>"{}|^`\\', '/<>"{}|^`\\', {}),
    ],
)  # fmt: skip
def test_a_target_is_a_path_and_a_query(target: str, path: str, query: dict[str, str]) -> None:
    """RFC 9112 section 3.2. A slash that was encoded separates nothing."""
    asked = request(f"GET {target} HTTP/1.1")
    assert (asked.path, asked.query) == (path, query)
    assert asked.query is asked.query


def test_an_asterisk_is_for_options_only() -> None:
    assert request("OPTIONS * HTTP/1.1").path == "*"
    for method in ("GET", "PUT", "TRACE"):
        assert fault(f"{method} * HTTP/1.1") == problem.MALFORMED.text


@pytest.mark.parametrize(
    "target",
    [
        "foo", "a:1", "?x", "#x", "http://", "http:///x", "http://[::1/", "http://a:99999999/", "http://a:65536/", "http://a:x/",
        "http://u:p@a/", "ftp://a/", "http:/a", "/\xff", "\xff",
    ],
)  # fmt: skip
def test_a_target_that_is_none_is_refused(target: str) -> None:
    assert fault(f"GET {target} HTTP/1.1") == problem.MALFORMED.text


def test_fields_are_found_by_name_in_whatever_case() -> None:
    fields = request("GET / HTTP/1.1", "X-Y:  a \t", "x-y: b", "Z:").fields
    assert (fields.get("x-Y"), fields.getall("X-Y"), fields.joined("x-y")) == ("a", ["a", "b"], "a,b")
    assert (fields.get("z"), fields.get("none"), fields.get("none", "x"), fields.getall("none")) == ("", None, "x", [])
    assert "HOST" in fields
    assert "none" not in fields


def test_bytes_of_a_field_that_are_no_utf_8_are_kept() -> None:
    value = request("GET / HTTP/1.1", "X: \xff\xe4").fields.get("X", "")
    assert value.encode("utf-8", "surrogateescape") == b"\xff\xe4"


def test_a_field_that_may_come_once_is_refused_twice() -> None:
    for name in ("Content-Type", "content-range", "User-Agent", "Transfer-Encoding"):
        value = "chunked" if name == "Transfer-Encoding" else "x"
        assert fault("PUT / HTTP/1.1", f"{name}: {value}", f"{name.lower()}: {value}") == problem.MALFORMED.text
    assert request("GET / HTTP/1.1", "Range: a", "Range: b", "Content-Type: c").fields.getall("range") == ["a", "b"]
    assert not Fields([(b"a", b"1"), (b"b", b"2")]).repeated(("a", "b"))


@pytest.mark.parametrize(
    ("fields", "length", "has_body"),
    [
        ((), None, False),
        (("Content-Length: 0",), 0, False),
        (("Content-Length: 12",), 12, True),
        (("Transfer-Encoding: chunked",), None, True),
        (("Transfer-Encoding: gzip, chunked",), None, True),
        (("Transfer-Encoding: chunked", "Connection: Upgrade", "Upgrade: h2c"), None, True),
    ],
)
def test_a_body_is_framed_by_its_length_or_by_chunks(
    fields: tuple[str, ...], length: int | None, *, has_body: bool
) -> None:
    asked = request("PUT / HTTP/1.1", *fields)
    assert (asked.content_length, asked.has_body) == (length, has_body)


@pytest.mark.parametrize(
    "coding", ["gzip", "identity", "chunked, gzip", "chunked, chunked", "", "chunked;a=b", "xchunked"]
)
def test_a_body_whose_end_cannot_be_known_is_refused(coding: str) -> None:
    """RFC 9112 section 6.3: chunked must be the last coding, and once."""
    assert fault("PUT / HTTP/1.1", f"Transfer-Encoding: {coding}") == problem.MALFORMED.text


@pytest.mark.parametrize(
    ("version", "options", "kept"),
    [
        ("1.1", (), True),
        ("1.1", ("close",), False),
        ("1.1", ("keep-alive",), True),
        ("1.1", ("Keep-Alive, Close",), False),
        ("1.1", ("x", "close"), False),
        ("1.1", ("closed",), True),
        ("1.0", (), False),
        ("1.0", ("Keep-Alive",), True),
        ("1.0", ("keep-alive, close",), False),
    ],
)
def test_the_connection_is_used_again_as_its_options_say(version: str, options: tuple[str, ...], *, kept: bool) -> None:
    """RFC 9112 section 9.3."""
    asked = request(f"GET / HTTP/{version}", *(f"Connection: {option}" for option in options))
    assert asked.keep_alive is kept
    assert asked.version == (1, int(version[-1]))


def test_what_a_client_offers_to_upgrade_to_is_ignored() -> None:
    asked = request("GET /log HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket")
    assert (asked.method, asked.path, asked.has_body) == ("GET", "/log", False)


def test_a_parameter_has_all_its_values_in_their_order() -> None:
    asked = request("GET /logs?label=a&q=x&label=b%20c&label=&labels=d HTTP/1.1")
    assert asked.query_values("label") == ["a", "b c", ""]
    assert (asked.query["label"], asked.query_values("q"), asked.query_values("none")) == ("a", ["x"], [])
