"""The lines of a log with their arrival times, from the server's events, which have text and times. No I/O.

The text of an event has U+FFFD for bytes that are not UTF-8. If its size in UTF-8 differs from that of the bytes, or it contains U+FFFD, the bytes
are read from the log.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from livelog.errors import ClientError, Refused

REPLACEMENT = "\ufffd"
"""The character that replaces bytes that are not UTF-8."""


class TimedLine(NamedTuple):
    """A line of a log, with its arrival time."""

    offset: int
    """The offset of its first byte in the log, counted from 0."""
    data: bytes
    """Its bytes, with the newline, if it has one."""
    time: datetime
    """When its first byte arrived, in UTC, to 10 ms."""
    line: int | None
    """Its number, counted from 1; None: unknown, because the reader did not begin at the beginning of the log."""

    @property
    def text(self) -> str:
        """Its text, without the newline and the carriage returns before it. Invalid UTF-8 becomes U+FFFD."""
        return self.data.removesuffix(b"\n").rstrip(b"\r").decode(errors="replace")


class Block(NamedTuple):
    """Bytes of a log from `offset` on. `times`: the offset and the arrival time of each part that arrived at another time, beginning with the first byte."""

    offset: int
    data: bytes
    times: Sequence[tuple[int, datetime]]

    def between(self, start: int, stop: int | None) -> "Block":
        """Its bytes in `[start, stop)` of the log. Raises: Refused, if the block begins behind `start`."""
        if self.offset > start:
            raise Refused(f"the server's events go on at byte {self.offset}, not at byte {start}")
        last = len(self.data) if stop is None else max(0, stop - self.offset)
        return Block(start, self.data[start - self.offset : last], self.times)


def block_of(event: dict[str, Any], stop: int, read: Callable[[int, int], bytes]) -> Block:
    """The block that an event describes, up to `stop`. `read`: returns the bytes `[start, stop)` of the log; it is called only if the text does not give them."""
    start, text = int(event["offset"]), str(event["text"])
    began = datetime.fromisoformat(event["time"]).astimezone(UTC)
    later = ((int(offset), began + timedelta(milliseconds=after)) for offset, after in event.get("times", ()))
    data = text.encode(errors="replace")
    if REPLACEMENT in text or start + len(data) != stop:
        data = read(start, stop)
    return Block(start, data, [(start, began), *later])


def timed_lines(blocks: Iterator[Block], number: int | None) -> Iterator[TimedLine]:
    """The lines of blocks that follow each other. `number`: that of the first line. A last line without a newline comes with the end.

    What `blocks` raises as a ClientError is raised behind the lines that came before.
    """
    rest: list[bytes] = []
    begun: tuple[int, datetime] | None = None  # where the line begins that has not ended, and when it came
    error: ClientError | None = None
    try:
        for offset, data, times in blocks:
            place, index = 0, 0
            while place < len(data):
                if begun is None:
                    while index + 1 < len(times) and times[index + 1][0] <= offset + place:
                        index += 1
                    begun = offset + place, times[index][1]
                end = data.find(b"\n", place) + 1
                rest.append(data[place : end or len(data)])
                place = end or len(data)
                if end:
                    yield TimedLine(begun[0], b"".join(rest), begun[1], number)
                    rest, begun, number = [], None, None if number is None else number + 1
    except ClientError as late:  # what has arrived comes first
        error = late
    if begun is not None:
        yield TimedLine(begun[0], b"".join(rest), begun[1], number)
    if error is not None:
        raise error
