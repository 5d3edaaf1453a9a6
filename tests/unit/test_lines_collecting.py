"""What is collected piece by piece: as far as there is time, in whole lines, and gone on with."""

import json
from typing import Any

import pytest

from livelog.lines.collecting import HEAD, Asked, Clock, collect


class Lengths:
    """Collects the lengths of pieces; done after a piece of "stop"."""

    def __init__(self) -> None:
        self.indexed = 0
        self.pieces: list[int] = []
        self.done = False
        self.running = False

    def take(self, data: bytes) -> None:
        self.indexed += len(data)
        self.pieces.append(len(data))
        self.done = b"stop" in data
        self.running = b"run" in data

    def page(
        self, first: int, last: int, *, skip: int, limit: int, level: str, settled: bool, clock: Clock
    ) -> tuple[list[bytes], int | None]:
        told = [clock.time_at(skip), first, last, limit, level, settled, clock.now, self.pieces]
        return [json.dumps(told).encode(), b"{}"], 7 if limit == 1 else None

    def about(self) -> dict[str, object]:
        return {"pieces": len(self.pieces)}


def collected(
    content: bytes,
    kept: bytes = b"",
    *,
    ended: bool = False,
    limit: int = 5,
    seconds: float = 60.0,
    stop: int | None = None,
) -> tuple[tuple[Any, ...], list[int], dict[str, Any], bytes, int]:
    """The head, the pieces, what else is told, what is kept, and how many pieces were looked at now."""
    asked = Asked(len(content) if stop is None else stop, ended, 1, 2, 3, limit)
    *pieces, items, about, left = collect(
        kept, Lengths, asked, piece=10, read=lambda start, stop: content[start:stop], time_at=lambda offset: offset, end=99, seconds=seconds
    )  # fmt: skip
    assert set(pieces) <= {None}
    assert items is not None
    assert about is not None
    assert left is not None
    first, second = items[HEAD.size :].split(b"\n")
    told = json.loads(first)
    assert (told[:-1], second) == ([3, 1, 2, limit, "", False, 99], b"{}")
    return HEAD.unpack_from(items), told[-1], json.loads(b"{" + about), left, len(pieces)


def test_it_is_looked_at_in_pieces_of_whole_lines() -> None:
    head, pieces, about, _, looked = collected(b"one\ntwo\nthree\nfour")
    assert pieces == [8, 6]
    assert looked == 2
    assert head == (14, False, False, -1)
    assert about == {"pieces": 2, "next": None, "indexed": 14, "more": True}


def test_the_last_line_counts_when_the_log_has_ended() -> None:
    head, pieces, about, _, _ = collected(b"one\ntwo\nthree\nfour", ended=True)
    assert (pieces, head[0], about["more"]) == ([8, 10], 18, False)


def test_a_line_that_is_longer_than_a_piece_is_looked_at_in_pieces() -> None:
    assert collected(b"x" * 25 + b"\n")[1] == [10, 10, 6]


def test_it_goes_on_where_it_was() -> None:
    content = b"one\ntwo\nthree\nfour\n"
    head, pieces, _, kept, _ = collected(content, seconds=-1.0)
    assert (head[0], pieces) == (8, [8])
    head, pieces, _, kept, _ = collected(content, kept, seconds=-1.0)
    assert (head[0], pieces) == (14, [8, 6])
    head, pieces, about, kept, looked = collected(content, kept)
    assert (head[0], about["more"], looked) == (19, False, 1)
    assert collected(content, kept)[4] == 0


@pytest.mark.parametrize(("content", "flags"), [(b"stop\nmuch more\n", (True, False)), (b"run\n", (False, True))])
def test_it_tells_whether_more_would_change_anything(content: bytes, flags: tuple[bool, bool]) -> None:
    assert collected(content)[0][1:3] == flags
    assert not collected(content, ended=True)[0][2]


def test_it_tells_where_the_next_page_begins() -> None:
    head, _, about, _, _ = collected(b"x\n", limit=1)
    assert (head[3], about["next"]) == (7, 7)
