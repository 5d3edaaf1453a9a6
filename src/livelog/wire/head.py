"""The head of a request: collected from bytes, checked, and parsed into a `Request` (RFC 9112). No I/O.

    reader = HeadReader()
    rest = reader.feed(data)                   # None until the head is whole
    request = parse_head(bytes(reader.data))

A fault is raised with the first byte that proves it, as an error of its own. Faults that have no error here are found by llhttp, which
is strict. The module does not know what a request asks for. Its work is linear in the bytes, however they are cut into pieces.
"""

import re
from functools import lru_cache

import httptools

from . import problem
from .request import Fields, Request

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
"""A character of a token (RFC 9110 section 5.6.2)."""

IMPLEMENTED = frozenset(method.encode() for method in (*problem.METHODS, "TRACE"))
"""Methods that pass here; others get 501. TRACE is known, so the resource answers it with 405 (RFC 9110 section 9.1)."""

_LINE = re.compile(rb"(?:%s) [^ ]{1,%d} HTTP/1\.[01]" % (b"|".join(sorted(IMPLEMENTED)), problem.MAX_LINE))
"""A request line without a fault, except perhaps in its target."""

MAX_REMEMBERED = 2048
"""The largest head, in bytes, whose request is kept for the next equal head."""

_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?=[^\n])")

_WHOLE = re.compile(_LINE.pattern + rb"\r\n(?:[^\x00-\x08\x0a-\x1f\x7f]++\r\n)*+\r\n")
"""A whole head in which `HeadReader` finds no fault, except perhaps its size."""

_METHOD_BEGINS = re.compile(TOKEN + rb"*(?: |\Z)")

_METHOD = re.compile(TOKEN + rb"+")

_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")

_FIELD_LINES = re.compile(rb"(?:" + TOKEN + rb"++:[^\r\n]*+\r\n)*+\r\n")

_SINGLE = (
    "content-location", "content-range", "content-type", "etag", "max-forwards", "server", "transfer-encoding", "user-agent",
)  # fmt: skip
"""Fields that a request must not repeat (RFC 9110 section 5.3), besides Host and Content-Length."""

_LENGTH = re.compile("[0-9]{1,18}", re.ASCII)

_TARGET = re.compile(
    r"(?:[Hh][Tt][Tt][Pp][Ss]?://(?:[A-Za-z0-9._~%!$&'()*+,;=-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{0,5}))?(?=[/?#]|\Z))?"
    r"(?P<path>/[\x21\x22\x24-\x3e\x40-\x7e]*|(?=[?#]|\Z))(?P<query>\?[\x21\x22\x24-\x7e]*)?(?:#[\x21-\x7e]*)?",
    re.ASCII,
)


class HeadReader:
    """Collects the bytes of one head. `data`: those received so far."""

    __slots__ = ("_line_ended", "data")

    def __init__(self) -> None:
        self.data = bytearray()
        self._line_ended = False

    def feed(self, data: bytes) -> bytes | None:
        """Add `data`. Returns the bytes behind the head when it is whole; None while it is not. Raises: RequestError."""
        if not self.data:
            data = data.lstrip(b"\r\n")  # RFC 9112 section 2.2: empty lines before a head are ignored
            if (
                whole := _WHOLE.match(data)
            ) is not None and whole.end() <= problem.MAX_HEAD:  # the usual case, in one match
                self.data += whole[0]
                return data[whole.end() :]
        known = len(self.data)
        self.data += data
        end = self.data.find(b"\r\n\r\n", max(0, known - 3))
        size = len(self.data) if end < 0 else end + 4
        fault = _FORBIDDEN.search(self.data, max(0, known - 1), size)
        if not self._line_ended:
            line_end = self.data.find(b"\r\n", max(0, known - 1), size)
            self._line_ended = line_end >= 0
            self._check_line(self.data[: line_end if line_end >= 0 else size], whole=line_end >= 0, control=bool(fault))
        if fault is not None:
            raise problem.CONTROL.error()
        if size > problem.MAX_HEAD:
            raise problem.HEAD_TOO_LARGE.error()
        if end < 0:
            return None
        rest = bytes(self.data[size:])
        del self.data[size:]
        return rest

    def _check_line(self, line: bytearray, *, whole: bool, control: bool) -> None:
        """Check the request line, or the part of it that was received (`whole` false). Raises: RequestError."""
        if whole and _LINE.fullmatch(line):
            return
        if not _METHOD_BEGINS.match(line) or (control and b"HTTP/" not in line):
            raise problem.NOT_HTTP.error()
        parts = line.split(b" ")
        if len(parts) > 1 and len(parts[1]) > problem.MAX_LINE:
            raise problem.TARGET_TOO_LONG.error()
        if not whole:
            if len(line) > problem.MAX_LINE + 256:
                raise problem.NOT_HTTP.error()
            return
        if len(parts) != 3 or not all(parts) or not _VERSION.fullmatch(parts[2]) or not _METHOD.fullmatch(parts[0]):
            raise problem.NOT_HTTP.error()
        if bytes(parts[2]) not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise problem.VERSION.error()
        raise problem.UNKNOWN_METHOD.error()

    def accept(self) -> str:
        """The value of the Accept field; empty if there is none. For a head that was refused, and may not be whole."""
        match = re.search(rb"\r\naccept:([^\r\n]*)", self.data, re.IGNORECASE)
        return match[1].decode("latin-1") if match else ""


class _Parsed:
    """What llhttp finds in a head."""

    __slots__ = ("fields", "target")

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []

    def on_url(self, target: bytes) -> None:
        self.target += target

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))


def parse_head(head: bytes) -> Request:
    """Parse a whole head, as `HeadReader` has collected it. Equal heads may give the same object. Raises: RequestError."""
    return _remembered_request(head) if len(head) <= MAX_REMEMBERED else _parse(head)


def _parse(head: bytes) -> Request:
    line, _, _ = head.partition(b"\r\n")
    if head.count(b"\r\n") - 2 > problem.MAX_FIELDS:
        raise problem.TOO_MANY_FIELDS.error()
    if not _FIELD_LINES.fullmatch(head, len(line) + 2):
        raise problem.BAD_FIELD.error()
    if len(head) > problem.MAX_LINE:
        _check_sizes(head[len(line) + 2 : -4])
    # llhttp refuses whatever else RFC 9112 does not allow. Each head gets a new parser, and the parser gets nothing but the head.
    parsed = _Parsed()
    try:
        httptools.HttpRequestParser(parsed).feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # RFC 9110 section 7.8: a server may ignore what it is offered
    except httptools.HttpParserError as error:
        _check_framing(Fields((name, value.strip()) for name, _, value in _split(head)), line)
        raise problem.MALFORMED.error() from error
    fields = Fields(parsed.fields)
    length = _check_framing(fields, line)
    method = line.partition(b" ")[0].decode()
    if fields.repeated(_SINGLE) or (parsed.target == b"*" and method != "OPTIONS"):
        raise problem.MALFORMED.error()
    return Request(method, _split_target(parsed.target), (1, int(line[-1:])), fields, length)


def _split(head: bytes) -> list[tuple[bytes, bytes, bytes]]:
    return [line.partition(b":") for line in head[:-4].split(b"\r\n")[1:]]


def _check_sizes(lines: bytes) -> None:
    for line in lines.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if max(len(name), len(value.strip())) > problem.MAX_LINE:
            raise problem.FIELD_TOO_LONG.error()


def _check_framing(fields: Fields, line: bytes) -> int | None:
    """The value of Content-Length; None: there is none. Raises: RequestError, if Host, Content-Length or Transfer-Encoding is wrong."""
    hosts = len(fields.getall("host"))
    if hosts > 1 or (not hosts and line.endswith(b"1.1")):
        raise problem.NO_HOST.error(count=hosts)
    lengths = fields.getall("content-length")
    if not lengths:
        return None
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        raise problem.BAD_LENGTH.error()
    if "transfer-encoding" in fields:
        raise problem.TWO_FRAMINGS.error()
    return int(lengths[0])


def _split_target(target: bytes) -> tuple[str, str]:
    """The path and the query of a request target (RFC 9112 section 3.2), not decoded. Raises: RequestError."""
    if target == b"*":
        return "*", ""
    match = _TARGET.fullmatch(target.decode("latin-1"))
    if match is None or int(match["port"] or 0) > 65535 or not target or target[:1] in b"?#":
        raise problem.MALFORMED.error()
    return match["path"] or "/", (match["query"] or "")[1:]


_remembered_request = lru_cache(maxsize=64)(_parse)  # a client that asks again and again sends the same head each time
