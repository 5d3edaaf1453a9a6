"""`client.api.timed`: lines and their times, out of events."""

import itertools
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from livelog.client.api.timed import Block, TimedLine, block_of, timed_lines
from livelog.errors import LogAborted, Refused
from livelog.read.sse import text_event

BEGAN = datetime(2026, 11, 28, 2, 3, 4, 120_000, tzinfo=UTC)
MOMENT = int(BEGAN.timestamp() * 1000)


def at(milliseconds: int) -> datetime:
    return BEGAN + timedelta(milliseconds=milliseconds)


def never(start: int, stop: int) -> bytes:
    raise AssertionError((start, stop))


def event(start: int, text: str, times: list[tuple[int, int]] | None = None) -> dict[str, object]:
    return {"offset": start, "text": text, "time": "2026-11-28T02:03:04.120Z", **({"times": times} if times else {})}


def test_lines_have_the_time_of_their_first_byte_however_the_blocks_are_cut() -> None:
    data = b"one\ntwo\n\nthe last"
    came = [(0, 0), (2, 10), (4, 30), (9, 50)]
    wanted = [
        TimedLine(0, b"one\n", at(0), 1),
        TimedLine(4, b"two\n", at(30), 2),
        TimedLine(8, b"\n", at(30), 3),
        TimedLine(9, b"the last", at(50), 4),
    ]
    for seed in range(20):
        chance = random.Random(seed)
        cuts = [0, *sorted(chance.sample(range(1, len(data)), chance.randrange(5))), len(data)]
        blocks = []
        for start, stop in itertools.pairwise(cuts):
            first = max(note for note in came if note[0] <= start)
            later = [note for note in came if start < note[0] < stop]
            blocks.append(
                Block(start, data[start:stop], [(start, at(first[1])), *((place, at(after)) for place, after in later)])
            )
        assert list(timed_lines(iter(blocks), 1)) == wanted, cuts
    assert [line.line for line in timed_lines(iter([Block(7, b"a\nb\n", [(7, at(0))])]), None)] == [None, None]
    assert TimedLine(0, b"gr\xfc\xdf\r\n", at(0), 1).text == "gr\ufffd\ufffd"


def test_what_came_before_an_error_comes_first() -> None:
    def blocks() -> Iterator[Block]:
        yield Block(0, b"one\nrest", [(0, at(0))])
        raise LogAborted("the log was aborted")

    lines = timed_lines(blocks(), 1)
    assert [next(lines).data, next(lines).data] == [b"one\n", b"rest"]
    with pytest.raises(LogAborted):
        next(lines)


def test_bytes_of_an_event_are_those_of_its_text_or_are_read() -> None:
    block = block_of(event(5, "grüße\n", [(8, 20)]), 13, never)
    assert block == (5, "grüße\n".encode(), [(5, at(0)), (8, at(20))])
    for text, stop in (("a\ufffdb", 10), ("ab", 9)):
        assert block_of(event(5, text), stop, lambda start, stop: b"\xff" * (stop - start)).data == b"\xff" * (stop - 5)


def test_events_of_the_server_are_read() -> None:
    told = text_event(3, b"ab\ncd\n", [(3, MOMENT), (6, MOMENT + 250)])
    data = json.loads(told.decode().partition("data: ")[2])
    assert list(timed_lines(iter([block_of(data, 9, never)]), None)) == [
        TimedLine(3, b"ab\n", at(0), None),
        TimedLine(6, b"cd\n", at(250), None),
    ]


def test_block_is_cut_to_what_is_missing() -> None:
    block = Block(10, b"0123456789", [(10, at(0))])
    assert block.between(12, 15) == (12, b"234", [(10, at(0))])
    assert block.between(10, None) == block
    assert block.between(20, 5).data == b""
    with pytest.raises(Refused, match="go on at byte 10, not at byte 9"):
        block.between(9, None)
