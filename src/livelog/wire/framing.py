"""Decoders of a body's framing (RFC 9112 sections 6 and 7): they find the content in the bytes received. No I/O, no HTTP heads.

The project has its own decoders because every byte of a log passes here: an HTTP library copies each byte three times, and was
measured to take 2.5 times the processor time.

A decoder is given a buffer and returns views of the content in it. It keeps counters, never bytes.

1. The content does not depend on how the bytes were cut into buffers.
2. Framing is read strictly. The first byte that breaks a rule sets `fault`; the content in front of it counts.
3. After `finished` or a `fault` the decoder consumes nothing.
"""

import re
from functools import lru_cache
from typing import Protocol

from livelog.errors import FramingError

MAX_CHUNK_LINE = 4096
"""Bytes of one chunk-size line with its extensions, or of one trailer line, at most. Real ones are far shorter."""

MAX_TRAILERS = 16384
"""Bytes of all trailer fields of a body, at most. Trailer fields are dropped, as RFC 9110 section 6.5.1 allows."""

_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")

_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")

CACHED_LINE = 16
"""The longest chunk-size line, in bytes, whose parsed size is cached."""

SMALL_CHUNK = 1024
"""If the chunks are smaller than this on average, their content is copied together: a view of each costs more."""

MAX_PIECES = 1000
"""Pieces that one call of `decode` returns, at most, which takes a few milliseconds. A megabyte of one-byte chunks would take a second."""

Piece = bytes | memoryview
"""A part of a body's content, mostly a view of the receive buffer. `log.disk` names the same type, since neither imports the other."""


class Decoder(Protocol):
    """Finds the content in a framed body."""

    finished: bool
    """Whether the end of the body was consumed."""
    fault: FramingError | None
    """What is wrong with the framing; None: nothing so far. Nothing behind a fault is decoded."""

    def decode(self, buffer: bytearray, stop: int) -> tuple[list[Piece], int]:
        """Find the content in `buffer[:stop]`.

        Returns the content, in pieces that may be views of the buffer, and the offset up to which the buffer was
        consumed. The rest is the beginning of framing that has not all arrived: pass it again, with more bytes behind it.
        If `MAX_PIECES` pieces are returned, the rest may be anything: pass it again, with or without more.
        """


class LengthDecoder:
    """A body of a known length (RFC 9112 section 6.2)."""

    fault: FramingError | None = None

    def __init__(self, length: int) -> None:
        self._left = length
        self.finished = length == 0

    def decode(self, buffer: bytearray, stop: int) -> tuple[list[Piece], int]:
        """See `Decoder.decode`. Such a body has no `fault`."""
        end = min(stop, self._left)
        self._left -= end
        self.finished = self._left == 0
        return ([memoryview(buffer)[:end]] if end else []), end


class ChunkedDecoder:
    """A body in chunked transfer coding (RFC 9112 section 7.1)."""

    def __init__(self) -> None:
        self.finished = False
        self.fault: FramingError | None = None
        self._left = 0  # bytes of the present chunk that are still to come, including the CRLF behind them
        self._trailers: int | None = None  # bytes of trailer fields so far; None before the last chunk
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
                # Chunks of one size often come in runs: then the bytes between any two of them are the same.
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
        """Consume a line behind the last chunk. Returns whether it ends the body, or is a fault."""
        assert self._trailers is not None
        self._trailers += len(line) + 2
        if self._trailers > MAX_TRAILERS:
            self.fault = FramingError(f"the trailer fields are longer than {MAX_TRAILERS} bytes")
        elif line and not _TRAILER.fullmatch(line):
            self.fault = FramingError("behind the last chunk is a line that is no trailer field")
        self.finished = self.fault is None and not line
        return self.finished or self.fault is not None


def decoder_for(length: int | None) -> Decoder:
    """The decoder for a body of `length` bytes; None: for one in chunked transfer coding."""
    return ChunkedDecoder() if length is None else LengthDecoder(length)


def _parse_size(line: bytes) -> int | None:
    match = _CHUNK_LINE.fullmatch(line)
    return int(match[1], 16) if match else None


_remembered_size = lru_cache(maxsize=4096)(_parse_size)  # the chunks of a body have few sizes
