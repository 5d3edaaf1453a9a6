"""The head of a request, from its first byte to the empty line, and the head of an answer (RFC 9112). No I/O.

What is wrong with a head is told as soon as it can be known, and each fault by its own name. Refuses to know what a
request asks for. Work is linear in the bytes that come, in however many pieces they do.
"""

import re
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus

from . import problem

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
"""A character of a token (RFC 9110 section 5.6.2)."""

IMPLEMENTED = frozenset(method.encode() for method in (*problem.METHODS, "TRACE"))
"""Methods that a request may have: TRACE is refused by whatever is asked for, as RFC 9110 says of known methods."""

_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?=[^\n])")

_METHOD_BEGINS = re.compile(TOKEN + rb"*(?: |\Z)")

_METHOD = re.compile(TOKEN + rb"+")

_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")


class HeadReader:
    """Collects one head. `data`: what there is of it so far."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._line_ended = False

    def feed(self, data: bytes) -> bytes | None:
        """Take `data` in. Returns what follows the head, once that is whole; None before. Raises: RequestError."""
        if not self.data:
            data = data.lstrip(b"\r\n")  # RFC 9112 section 2.2: empty lines before a head are ignored
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
        _check_fields(bytes(self.data))
        return rest

    def _check_line(self, line: bytearray, *, whole: bool, control: bool) -> None:
        """Check the request line, as much of it as there is. Raises: RequestError."""
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
        if bytes(parts[0]) not in IMPLEMENTED:
            raise problem.UNKNOWN_METHOD.error()

    def accept(self) -> str:
        """The Accept field, or nothing: of a head that was refused, and so may be half a one."""
        match = re.search(rb"\r\naccept:([^\r\n]*)", self.data, re.IGNORECASE)
        return match[1].decode("latin-1") if match else ""


def _check_fields(head: bytes) -> None:
    """Check the header fields of a whole head. Raises: RequestError."""
    line, *fields = head[:-4].split(b"\r\n")
    if len(fields) > problem.MAX_FIELDS:
        raise problem.TOO_MANY_FIELDS.error()
    values: dict[bytes, list[bytes]] = {}
    for field in fields:
        name, colon, value = field.partition(b":")
        if not colon or not _METHOD.fullmatch(name):
            raise problem.BAD_FIELD.error()
        if max(len(name), len(value.strip())) > problem.MAX_LINE:
            raise problem.FIELD_TOO_LONG.error()
        values.setdefault(name.lower(), []).append(value.strip())
    hosts = len(values.get(b"host", ()))
    if hosts > 1 or (not hosts and line.endswith(b"1.1")):
        raise problem.NO_HOST.error(count=hosts)
    lengths = values.get(b"content-length", [])
    if len(lengths) > 1 or any(not re.fullmatch(rb"[0-9]{1,18}", length) for length in lengths):
        raise problem.BAD_LENGTH.error()
    if lengths and b"transfer-encoding" in values:
        raise problem.TWO_FRAMINGS.error()


def answer_head(status: int, fields: Mapping[str, str]) -> bytes:
    """The head of an answer (RFC 9112 section 4), with the time and `fields`."""
    lines = {"Date": formatdate(usegmt=True), **fields}
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{text}\r\n".encode("latin-1")
