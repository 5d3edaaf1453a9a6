"""The framing of a producer's body, from bytes to content. No I/O, no HTTP heads.

A log's body takes this way, since it is the one place where every byte of a log passes through: an HTTP library would copy it
three times (measured: 2.5 times the processor time).

A decoder is fed a buffer and says what of it is content. It holds counters, never bytes.

1. The same bytes give the same content, however they are cut.
2. Framing is read strictly (RFC 9112 sections 6 and 7): the first thing that is not exactly right is the `fault`,
   and content in front of it still counts.
3. After `finished` or a `fault` nothing more is consumed.
"""

import re
from functools import lru_cache
from typing import Protocol

from livelog.errors import FramingError

MAX_CHUNK_LINE = 4096
"""Bytes of one chunk-size line with its extensions, or of one trailer line; nothing real comes near."""

MAX_TRAILERS = 16384
"""Bytes of all trailer fields together; they are dropped (RFC 9110 section 6.5.1 allows it)."""

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")

_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")

CACHED_LINE = 16
"""Bytes of a chunk-size line that is worth remembering."""

SMALL_CHUNK = 1024
"""Chunks below this many bytes, on average, are copied: viewing them in place costs more."""

MAX_PIECES = 1000
"""Pieces that one call finds, at most: a few milliseconds. A megabyte of chunks of one byte would be a second."""

Piece = bytes | memoryview


class Decoder(Protocol):
    """Finds the content in a framed body."""

    finished: bool
    """Whether the whole body has been seen."""
    fault: FramingError | None
    """What is wrong with the framing; nothing behind it can be understood."""

    def decode(self, buffer: bytearray, stop: int) -> tuple[list[Piece], int]:
        """Find the content in `buffer[:stop]`.

        Returns the content, in pieces that may be views of the buffer, and the offset up to which the buffer is
        consumed. What is not consumed is framing that is not whole yet: feed it again, followed by more. If there are
        `MAX_PIECES` pieces, it may be anything: feed it again as it is.
        """


class LengthDecoder:
    """A body of a known length (RFC 9112 section 6.2)."""

    fault: FramingError | None = None

    def __init__(self, length: int) -> None:
        self._left = length
        self.finished = length == 0

    def decode(self, buffer: bytearray, stop: int) -> tuple[list[Piece], int]:
        """See `Decoder.decode`. There is no way to frame such a body wrongly."""
        end = min(stop, self._left)
        self._left -= end
        self.finished = self._left == 0
        return ([memoryview(buffer)[:end]] if end else []), end


class ChunkedDecoder:
    """A body in chunked transfer coding (RFC 9112 section 7.1)."""

    def __init__(self) -> None:
        self.finished = False
        self.fault: FramingError | None = None
        self._left = 0  # bytes of the open chunk that are still to come, the CRLF behind them included
        self._trailers: int | None = None  # bytes of trailer fields so far, once the last chunk was seen
        self._small = False  # whether the chunks are small

    def decode(self, buffer: bytearray, stop: int) -> tuple[list[Piece], int]:
        """See `Decoder.decode`."""
        if self.finished or self.fault is not None:
            return [], 0
        data: bytes | bytearray = buffer
        source: bytes | memoryview = memoryview(buffer)
        if self._small:
            data = source = bytes(source[:stop])
        pieces: list[Piece] = []
        left, position = self._left, 0
        while position < stop and len(pieces) < MAX_PIECES:
            if left > 2:
                end = min(stop, position + left - 2)
                pieces.append(source[position:end])
                left -= end - position
                position = end
            elif left:
                if stop - position < 2:
                    break
                if data[position : position + 2] != b"\r\n":
                    self.fault = FramingError("a chunk's data is not followed by CRLF where its size says it ends")
                    break
                left = 0
                position += 2
            else:
                line_end = data.find(b"\r\n", position, min(stop, position + MAX_CHUNK_LINE + 2))
                if line_end < 0:
                    if stop - position >= MAX_CHUNK_LINE + 2:
                        self.fault = FramingError(f"a chunk-size or trailer line is longer than {MAX_CHUNK_LINE} bytes")
                    break
                line = bytes(data[position:line_end])
                position = line_end + 2
                if self._trailers is not None:
                    if self._trailer(line):
                        break
                    continue
                size = _remembered_size(line) if len(line) <= CACHED_LINE else _parse_size(line)
                if size is None:
                    self.fault = FramingError("a chunk does not begin with its size in hexadecimal digits")
                    break
                if size == 0:
                    self._trailers = 0
                    continue
                left = size + 2
                # Chunks of one size come in runs: between two of them are always the same bytes.
                between = b"\r\n%b\r\n" % line
                step = len(between) + size
                while position + left <= stop and len(pieces) < MAX_PIECES:
                    end = position + size
                    pieces.append(source[position:end])
                    if not data.startswith(between, end, stop):
                        position, left = end, 2
                        break
                    position += step
        self._left = left
        self._small = sum(map(len, pieces)) < SMALL_CHUNK * len(pieces)
        return pieces, position

    def _trailer(self, line: bytes) -> bool:
        """Take a line behind the last chunk. Returns whether there is nothing more to take."""
        assert self._trailers is not None
        self._trailers += len(line) + 2
        if self._trailers > MAX_TRAILERS:
            self.fault = FramingError(f"the trailer fields are longer than {MAX_TRAILERS} bytes")
        elif line and not _TRAILER.fullmatch(line):
            self.fault = FramingError("behind the last chunk is a line that is no trailer field")
        self.finished = self.fault is None and not line
        return self.finished or self.fault is not None


def decoder_for(length: int | None) -> Decoder:
    """The decoder of a body of that length; None: of one in chunked coding."""
    return ChunkedDecoder() if length is None else LengthDecoder(length)


def _parse_size(line: bytes) -> int | None:
    match = _CHUNK_LINE.fullmatch(line)
    return int(match[1], 16) if match else None


_remembered_size = lru_cache(maxsize=4096)(_parse_size)  # chunks come in few sizes: looking one up is cheaper
