"""Lines of a log, each by itself: what is told of each, in any number of turns, and of lines that are longer than what is told."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.lines.objects import FAR, LONGEST, PIECE, Lines, render
from livelog.times import End, Times, encode, timestamp


def told(
    data: bytes, times: Times | None = None, *, enough: int = 1 << 40, **asked: object
) -> tuple[list[object], int]:
    """The lines of JSON, or of text, and in how many turns they were told."""
    known = {
        "start": 0,
        "stop": len(data),
        "size": len(data),
        "line": 1,
        "most": None,
        "plain": False,
        "encoding": "utf-8",
    }
    left: Lines | None = Lines(**known | asked)  # type: ignore[arg-type]
    found, turns = b"", 0
    while left is not None:
        *waiting, last = render(left, lambda start, stop: data[start:stop], times or Times(0), enough)
        assert waiting == [None] * len(waiting)
        assert last is not None
        text, left = last
        found += text
        turns += 1
    is_text = asked.get("line", 1) is None
    return [line if is_text else json.loads(line) for line in found.decode().splitlines()], turns


@given(
    st.lists(st.sampled_from([b"\n", b"a", b"\r", "\u20ac".encode(), b"\xff", b"\x1b[1m", b'"'])), st.integers(1, 300)
)
def test_each_line_is_told_once_whatever_the_turns(parts: list[bytes], enough: int) -> None:
    data = b"".join(parts)
    pieces = data.split(b"\n")
    wanted, offset = [], 0
    for number, piece in enumerate(pieces, 1):
        if piece or number < len(pieces):
            text = piece.rstrip(b"\r").decode("utf-8", "replace")
            wanted.append({"line": number, "offset": offset, "time": timestamp(0), "text": text})
        offset += len(piece) + 1
    assert told(data, enough=enough)[0] == told(data)[0] == wanted
    some = [one for one in wanted if 3 <= one["offset"] < 7]  # type: ignore[operator]
    if some:
        assert told(data, start=some[0]["offset"], line=some[0]["line"], stop=7)[0] == some
        assert told(data, start=some[0]["offset"], line=some[0]["line"], most=1)[0] == some[:1]


def test_each_line_has_its_time() -> None:
    notes, _ = encode(End(0, 0, 1000), [(4, 2000), (8, 3500)])
    times = Times(1000, lambda start, stop: notes[start:stop], len(notes))
    moments = [line["time"] for line in told(b"one\ntwo\nthree\n", times)[0]]  # type: ignore[index]
    assert moments == ["1970-01-01T00:00:01.000Z", "1970-01-01T00:00:02.000Z", "1970-01-01T00:00:03.500Z"]


def test_text_is_in_utf_8_and_plain_if_it_is_asked_for() -> None:
    data = "\x1b[31mrot\x1b[0m \u00fc\r\n 5 %\r99 %\nfertig".encode("latin-1")
    assert told(data, line=None, encoding="latin-1")[0] == [
        "\x1b[31mrot\x1b[0m \u00fc",
        " 5 %",
        "99 %",
        "fertig",
    ]  # splitlines takes \r, too
    assert told(data, line=None, encoding="latin-1", plain=True)[0] == ["rot \u00fc", "99 %", "fertig"]
    assert [line["text"] for line in told(data, encoding="latin-1", plain=True)[0]] == ["rot \u00fc", "99 %", "fertig"]  # type: ignore[index]


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, LONGEST - 1, LONGEST, LONGEST + 1, 3 * LONGEST + 5])
@pytest.mark.parametrize("end", [b"", b"\nnext\n"])
def test_long_line_is_whole_or_cut(size: int, end: bytes) -> None:
    data = b"first\n" + b"x" * size + end
    found, _ = told(data)
    assert [line["line"] for line in found] == [1, 2, 3][: 3 if end else 2]  # type: ignore[index]
    long = found[1]
    assert isinstance(long, dict)
    assert long["text"] == "x" * min(size, LONGEST)
    assert ("cut" in long) == (size > LONGEST or (size == LONGEST and bool(end)))
    if end:
        assert found[2] == {"line": 3, "offset": len(data) - 5, "time": timestamp(0), "text": "next"}


def test_long_bar_is_plain_what_it_shows_at_last() -> None:
    data = b"".join(b"%7d of 300000\r" % number for number in range(300_000)) + b"\nnext\n" + b"y" * 2 * LONGEST
    found, _ = told(data, plain=True)
    assert [(line["text"][-16:], line.get("cut")) for line in found] == [  # type: ignore[index, attr-defined]
        (" 299999 of 300000"[-16:], True), ("next", None), ("y" * 16, True)
    ]  # fmt: skip


@pytest.mark.parametrize("plain", [False, True])
def test_end_of_a_very_long_line_is_looked_for_in_several_turns(plain: bool) -> None:
    before, size = b"one\n", 2 * FAR + 5 * LONGEST  # of a log that is nowhere: a line of x's, and one more behind it
    end = b"end\n"
    total = len(before) + size + 1 + len(end)

    def read(start: int, stop: int) -> bytes:
        data = before[start:stop] if start < len(before) else b""
        xs = min(stop, len(before) + size) - max(start, len(before))
        data += b"x" * max(0, xs)
        tail = (b"\n" + end)[max(0, start - len(before) - size) : max(0, stop - len(before) - size)]
        return data + tail

    left: Lines | None = Lines(0, total, total, 1, None, plain, "utf-8")
    found, turns = [], 0
    while left is not None:
        *_, last = render(left, read, Times(0))
        assert last is not None
        text, left = last
        found += [json.loads(line) for line in text.splitlines()]
        turns += 1
    assert [(line["line"], line["offset"], len(line["text"])) for line in found] == [
        (1, 0, 3),
        (2, 4, LONGEST),
        (3, 5 + size, 3),
    ]
    assert turns >= 3
