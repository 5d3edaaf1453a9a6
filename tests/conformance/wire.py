"""Answers of an HTTP/1.x server, read strictly: bytes in, one answer out. No sockets, no clock.

It refuses everything a lenient client would repair in silence: bare line feeds, folded or malformed
fields, repeated lengths, chunk sizes with spaces, bodies where none is allowed.
1. Every byte fed belongs to the answer or is left in `rest`; none is skipped.
2. An answer ends `clean` or `cut`; only the framing decides which.
3. Feeding byte by byte gives the same answer as feeding everything at once.
"""

import re
from dataclasses import dataclass
from enum import Enum, auto

MAX_HEAD = 65536  # no answer in the suite comes near it; more means the head never ends

_TEXT = r"\t \x21-\x7e\x80-\xff"
_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = rf'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[{_TEXT}])*"'
_STATUS_LINE = re.compile(rf"HTTP/(1\.[01]) ([1-5][0-9]{{2}}) ([{_TEXT}]*)")
_FIELD = re.compile(rf"({_NAME}):([{_TEXT}]*)")
_CHUNK_EXTENSION = rf"[ \t]*;[ \t]*{_NAME}(?:[ \t]*=[ \t]*(?:{_NAME}|{_QUOTED}))?"
_CHUNK_SIZE = re.compile(rf"([0-9A-Fa-f]{{1,16}})(?:{_CHUNK_EXTENSION})*")
_BOUNDARY = re.compile(rf"(?i:multipart/byteranges; *boundary)=(?:\"([^\"]+)\"|({_NAME}))")
_BOUNDARY_CHARACTERS = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]+)-([0-9]+)/([0-9]+|\*)")

# Fields that have one value: a second line is a fault even when both agree.
_SINGLE = frozenset({
    "accept-ranges", "access-control-allow-origin", "content-length", "content-location", "content-range",
    "content-type", "date", "etag", "incremental", "last-modified", "livelog-state", "location", "referrer-policy",
    "retry-after", "server", "transfer-encoding", "x-accel-buffering", "x-content-type-options",
})  # fmt: skip


class WireFault(Exception):
    """The server sent bytes that are not one well-formed HTTP answer."""


class Framing(Enum):
    """How the end of a body is found."""

    NONE = "none"
    LENGTH = "content-length"
    CHUNKED = "chunked"
    CLOSE = "close-delimited"


class Ending(Enum):
    """How an answer ended."""

    CLEAN = "clean"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Head:
    """A status line and its fields, in the order they came."""

    version: str
    status: int
    reason: str
    fields: tuple[tuple[str, str], ...]

    def values(self, name: str) -> list[str]:
        """Every value of the field `name`."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        """The value of the field `name`, several lines joined by commas; None when it is absent."""
        values = self.values(name)
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart/byteranges body."""

    content_range: str
    content_type: str | None
    body: bytes


class _State(Enum):
    HEAD = auto()
    LENGTH = auto()
    CHUNK_SIZE = auto()
    CHUNK_DATA = auto()
    CHUNK_END = auto()
    TRAILERS = auto()
    CLOSE = auto()
    ENDED = auto()


class AnswerParser:
    """One answer to one request of `method`, sent as HTTP/`version`."""

    def __init__(self, method: str, version: str = "1.1") -> None:
        self.method = method
        self.version = version
        self.interims: list[Head] = []
        self.head: Head | None = None
        self.framing: Framing | None = None
        self.body = bytearray()
        self.ending: Ending | None = None
        self._buffer = bytearray()
        self._state = _State.HEAD
        self._left = 0

    @property
    def rest(self) -> bytes:
        """What came after the end of this answer."""
        return bytes(self._buffer) if self._state is _State.ENDED else b""

    @property
    def heads(self) -> list[Head]:
        """Every head that has come: interim ones, then the final one."""
        return [*self.interims, self.head] if self.head is not None else [*self.interims]

    @property
    def begun(self) -> bool:
        """Whether any byte has come."""
        return bool(self._buffer or self.heads)

    @property
    def last(self) -> bool:
        """Whether the server has said that it will close the connection after this answer (RFC 9112 §9.3)."""
        if self.head is None:
            return False
        options = {option.strip().lower() for option in (self.head.get("connection") or "").split(",")}
        old = "1.0" in (self.version, self.head.version)
        return "close" in options or (old and "keep-alive" not in options)

    def feed(self, data: bytes) -> None:
        """Take bytes from the connection.

        Raises: WireFault at the first byte that cannot belong to a well-formed answer.
        """
        self._buffer += data
        while self._step():
            pass

    def close(self, *, orderly: bool) -> None:
        """The connection ended, by FIN (and close_notify under TLS) when `orderly`, else by a reset.

        Raises: WireFault if no whole head had come.
        """
        if self._state is _State.ENDED:
            return
        if self._state is _State.HEAD:
            raise WireFault(f"connection closed before a whole head, after {bytes(self._buffer[:80])!r}")
        # RFC 9112 §9.8: without close_notify nobody can tell the end from an attack.
        clean = self._state is _State.CLOSE and orderly
        self._end(Ending.CLEAN if clean else Ending.CUT)

    def _end(self, ending: Ending) -> bool:
        self.ending = ending
        self._state = _State.ENDED
        return False

    def _step(self) -> bool:
        """Use up some of the buffer; False when more bytes are needed or the answer has ended."""
        match self._state:
            case _State.HEAD:
                return self._read_head()
            case _State.LENGTH | _State.CHUNK_DATA:
                return self._read_counted()
            case _State.CHUNK_SIZE:
                return self._read_chunk_size()
            case _State.CHUNK_END:
                return self._read_chunk_end()
            case _State.TRAILERS:
                return self._read_trailers()
            case _State.CLOSE:
                self.body += self._buffer
                self._buffer.clear()
                return False
            case _State.ENDED:
                return False

    def _take_line(self) -> str | None:
        """The next line without its CRLF; None when it has not all come."""
        end = self._buffer.find(b"\n")
        line = bytes(self._buffer if end < 0 else self._buffer[: end + 1])
        if len(line) > MAX_HEAD:
            raise WireFault(f"line of more than {MAX_HEAD} bytes")
        if end < 0:
            return None
        if not line.endswith(b"\r\n") or line.count(b"\r") > 1:
            raise WireFault(f"line not ended by CRLF alone: {line[:80]!r}")
        del self._buffer[: end + 1]
        return line[:-2].decode("latin-1")

    def _take_block(self) -> list[str] | None:
        """The lines up to the next empty line; None when they have not all come."""
        end = 0 if self._buffer.startswith(b"\r\n") else self._buffer.find(b"\r\n\r\n")
        if end < 0:
            # A bare LF would hide the end for ever, so look at whole lines as they come.
            for whole in self._buffer.split(b"\n")[:-1]:
                if not whole.endswith(b"\r"):
                    raise WireFault(f"line not ended by CRLF: {bytes(whole[:80])!r}")
            if len(self._buffer) > MAX_HEAD:
                raise WireFault(f"head of more than {MAX_HEAD} bytes")
            return None
        lines = []
        while line := self._take_line():
            lines.append(line)
        return lines

    def _read_head(self) -> bool:
        if self._buffer and not b"HTTP/".startswith(self._buffer[:5]):
            raise WireFault(f"no status line where one must be: {bytes(self._buffer[:80])!r}")
        lines = self._take_block()
        if lines is None:
            return False
        match = _STATUS_LINE.fullmatch(lines[0]) if lines else None
        if match is None:
            raise WireFault(f"bad status line: {lines[:1]!r}")
        head = Head(match[1], int(match[2]), match[3], _fields(lines[1:]))
        # A server that could not read the request does not know its version either.
        if head.version == "1.0" and self.version == "1.1" and head.status < 400:
            raise WireFault("HTTP/1.0 answer to an HTTP/1.1 request")
        if head.status < 200:
            self._check_interim(head)
            self.interims.append(head)
            return True
        self.head = head
        return self._begin_body(head)

    def _check_interim(self, head: Head) -> None:
        if head.status == 101:
            raise WireFault("101 to a request that asked for no upgrade")
        if self.version == "1.0":
            raise WireFault(f"{head.status} to an HTTP/1.0 request (RFC 9110 §15.2)")
        if head.values("content-length") or head.values("transfer-encoding"):
            raise WireFault(f"{head.status} with a body length (RFC 9112 §6.1, §6.2)")

    def _begin_body(self, head: Head) -> bool:
        length, coding = head.get("content-length"), head.get("transfer-encoding")
        if length is not None and coding is not None:
            raise WireFault("both Content-Length and Transfer-Encoding")
        if length is not None and not re.fullmatch("[0-9]+", length):
            raise WireFault(f"bad Content-Length: {length!r}")
        if coding is not None and coding.lower() != "chunked":
            raise WireFault(f"bad Transfer-Encoding: {coding!r}")
        if coding is not None and "1.0" in (self.version, head.version):
            raise WireFault("Transfer-Encoding in or for HTTP/1.0 (RFC 9112 §6.1)")
        if head.status == 204 and (length is not None or coding is not None):
            raise WireFault("204 with a body length (RFC 9112 §6.1, §6.2)")
        if self.method == "HEAD" or head.status in (204, 304):
            self.framing = Framing.NONE
            return self._end(Ending.CLEAN)
        if coding is not None:
            self.framing, self._state = Framing.CHUNKED, _State.CHUNK_SIZE
        elif length is not None:
            self.framing, self._state, self._left = Framing.LENGTH, _State.LENGTH, int(length)
        else:
            self.framing, self._state = Framing.CLOSE, _State.CLOSE
        return True

    def _read_counted(self) -> bool:
        taken = self._buffer[: self._left]
        self.body += taken
        del self._buffer[: len(taken)]
        self._left -= len(taken)
        if self._left:
            return False
        if self._state is _State.LENGTH:
            return self._end(Ending.CLEAN)
        self._state = _State.CHUNK_END
        return True

    def _read_chunk_size(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise WireFault(f"bad chunk size: {line[:80]!r}")
        self._left = int(match[1], 16)
        self._state = _State.CHUNK_DATA if self._left else _State.TRAILERS
        return True

    def _read_chunk_end(self) -> bool:
        if not b"\r\n".startswith(self._buffer[:2]):
            raise WireFault(f"chunk data not followed by CRLF but by {bytes(self._buffer[:20])!r}")
        if len(self._buffer) < 2:
            return False
        del self._buffer[:2]
        self._state = _State.CHUNK_SIZE
        return True

    def _read_trailers(self) -> bool:
        lines = self._take_block()
        if lines is None:
            return False
        _fields(lines)
        return self._end(Ending.CLEAN)


def _fields(lines: list[str]) -> tuple[tuple[str, str], ...]:
    fields = []
    seen = set()
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise WireFault(f"bad header line: {line[:80]!r}")
        name = match[1].lower()
        if name in _SINGLE and name in seen:
            raise WireFault(f"{match[1]} twice")
        seen.add(name)
        fields.append((match[1], match[2].strip(" \t")))
    return tuple(fields)


def multipart_parts(content_type: str, body: bytes) -> list[Part]:
    """The parts of a multipart/byteranges body.

    Raises: WireFault unless the body is exactly parts, each as long as its Content-Range says.
    """
    match = _BOUNDARY.fullmatch(content_type)
    if match is None:
        raise WireFault(f"not multipart/byteranges with a boundary: {content_type!r}")
    boundary: str = match[1] or match[2]
    if not _BOUNDARY_CHARACTERS.fullmatch(boundary):
        raise WireFault(f"bad boundary: {boundary!r} (RFC 2046 §5.1.1)")
    delimiter = b"--" + boundary.encode()
    # An empty preamble makes the body begin with the delimiter's own CRLF.
    rest = body.removeprefix(b"\r\n")
    parts = []
    while not rest.startswith(delimiter + b"--"):
        part, rest = _take_part(rest, delimiter)
        if b"\r\n" + delimiter in part.body:
            raise WireFault("a part contains the boundary")
        parts.append(part)
    if rest not in (delimiter + b"--", delimiter + b"--\r\n"):
        raise WireFault(f"bytes after the closing boundary: {rest[:80]!r}")
    return parts


def _take_part(rest: bytes, delimiter: bytes) -> tuple[Part, bytes]:
    if not rest.startswith(delimiter + b"\r\n"):
        raise WireFault(f"no boundary where a part must begin: {rest[:80]!r}")
    head, found, rest = rest[len(delimiter) + 2 :].partition(b"\r\n\r\n")
    if not found:
        raise WireFault("a part's head does not end")
    fields = {name.lower(): value for name, value in _fields(head.decode("latin-1").split("\r\n"))}
    match = _CONTENT_RANGE.fullmatch(fields.get("content-range", ""))
    if match is None:
        raise WireFault(f"a part's Content-Range is {fields.get('content-range')!r}")
    size = int(match[2]) - int(match[1]) + 1
    data = rest[:size]
    if len(data) != size or rest[size : size + 2] != b"\r\n":
        raise WireFault(f"the part {match[0]!r} is not {size} bytes long")
    return Part(match[0], fields.get("content-type"), data), rest[size + 2 :]
