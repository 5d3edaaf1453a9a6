"""Lines of a log with the times at which they came, from the events of a server, which tell text and times. No I/O.

An event has text: what is no UTF-8 in the log is U+FFFD there. So its bytes are those of the text only if they are as many, and none of its
characters is U+FFFD; else they are read from the log.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from livelog.errors import ClientError, Refused

REPLACEMENT = "\ufffd"
"""What stands in a text for bytes that are no UTF-8."""


class TimedLine(NamedTuple):
    """A line of a log, and when it came."""

    offset: int
    """Where it begins, in bytes from the beginning of the log."""
    data: bytes
    """Its bytes, with the newline, if it has one."""
    time: datetime
    """When its first byte came, in UTC, exact to 10 ms."""
    line: int | None
    """Its number, from 1; None: it is not known, because this does not begin with the log."""

    @property
    def text(self) -> str:
        """What it says, without its newline and the carriage returns in front of that. What is no UTF-8 is U+FFFD."""
        return self.data.removesuffix(b"\n").rstrip(b"\r").decode(errors="replace")


class Block(NamedTuple):
    """Bytes of a log from `offset` on. `times`: for each part that came at another time, where it begins, and that time; the first is that of the first byte."""

    offset: int
    data: bytes
    times: Sequence[tuple[int, datetime]]

    def between(self, start: int, stop: int | None) -> "Block":
        """The bytes of it from `start` on and before `stop`. Raises: Refused, if bytes are missing in front."""
        if self.offset > start:
            raise Refused(f"the server's events go on at byte {self.offset}, not at byte {start}")
        last = len(self.data) if stop is None else max(0, stop - self.offset)
        return Block(start, self.data[start - self.offset : last], self.times)


def block_of(event: dict[str, Any], stop: int, read: Callable[[int, int], bytes]) -> Block:
    """What an event tells of the bytes before `stop`. `read` gives the bytes of a half-open interval, which it is asked for only if need be."""
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
