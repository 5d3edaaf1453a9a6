"""Which lines are meant: places by number, byte and time, with an index and without."""

import pytest

from livelog.errors import RequestError
from livelog.lines.index import Index, scan
from livelog.lines.lines import MAX_BYTES
from livelog.read.line_places import BEGINNING, END, Asked, Place, Places, asked
from livelog.times import End, Times, encode

LOG = b"one\ntwo\nthree\nfour"

NOTES, _ = encode(End(0, 0, 1000), [(4, 2000), (10, 3000), (14, 4000)])  # in front of two, in three, in front of four


def places(data: bytes = LOG, *, indexed: bool = True) -> Places:
    index = Index()
    index.add(scan(lambda start, stop: data[start:stop], 0, len(data) // 65536, ""))
    times = Times(1000, lambda start, stop: NOTES[start:stop], len(NOTES))
    return Places(len(data), lambda start, stop: data[start:stop], times, index if indexed else None)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("1", 0), ("2", 4), ("4", 14), ("5", 18), ("byte:0", 0), ("byte:3", 0), ("byte:5", 4), ("byte:17", 14), ("byte:18", 18), ("byte:99", 18),
        ("time:0", 0), ("time:1", 0), ("time:1.001", 4), ("time:2", 4), ("time:2.001", 14), ("time:3", 14), ("time:4", 14), ("time:4.001", 18),
        ("1970-01-01T00:00:02Z", 4), ("1970-01-01T01:00:02+01:00", 4), ("time:1970-01-01T00:00:04Z", 14),
    ],
)  # fmt: skip
def test_place_is_a_line_s_beginning(text: str, place: int) -> None:
    wanted = asked({"from": text}, whole=True)
    assert places().find(wanted.place) == place
    assert places(indexed=False).find(wanted.place) == (place if ":" in text else None)
    assert asked({"until": text}, whole=False).until == wanted.place


@pytest.mark.parametrize(
    ("text", "place"), [("1", 0), ("2", 4), ("2.005", 4), ("2.5", 8), ("3", 8), ("3.5", 14), ("5", 18)]
)
def test_time_is_the_line_in_which_it_was(text: str, place: int) -> None:
    assert places().find(asked({"time": text}, whole=False).place) == place


@pytest.mark.parametrize(
    ("query", "whole", "wanted"),
    [
        ({}, True, Asked(BEGINNING, END, None)), ({"count": "5"}, True, Asked(BEGINNING, END, 5)), ({"until": "7"}, False, Asked(BEGINNING, Place(line=7), 10_000)),
        ({"from": "3"}, False, Asked(Place(line=3), END, 1000)), ({"from": "3", "count": "-99999"}, False, Asked(Place(line=3), END, -10_000)),
        ({"tail": "3"}, False, Asked(END, END, -3)), ({"tail": "20000"}, True, Asked(END, END, -20_000)), ({"tail": "3", "until": "9"}, True, Asked(Place(line=9), END, -3)),
        ({"at": "3", "count": "2"}, False, Asked(Place(offset=3), END, 2)), ({"from": "1", "until": "byte:9"}, True, Asked(Place(line=1), Place(offset=9), None)),
    ],
)  # fmt: skip
def test_lines_are_asked_for(query: dict[str, str], whole: bool, wanted: Asked) -> None:
    assert asked(query, whole=whole) == wanted


@pytest.mark.parametrize(
    "query",
    [{}, {"count": "3"}, {"from": "1", "tail": "2"}, {"from": "0"}, {"until": "0"}, {"from": "byte:"}, {"from": "byte:-1"}, {"from": "time:x"}, {"from": "line:3"},
     {"until": "2026-11-28"}, {"from": "-3"}, {"from": "1", "count": "x"}],
)  # fmt: skip
def test_what_is_no_question_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(RequestError):
        asked(query, whole=False)


def test_place_in_a_long_line_takes_an_index() -> None:
    long = b"a\n" + b"x" * (2 * MAX_BYTES + 5) + b"\nlast\n"
    for place, wanted in ((Place(offset=MAX_BYTES + 9), 2), (Place(moment=1001), len(long) - 5)):
        assert (places(long, indexed=False).find(place), places(long).find(place)) == (None, wanted)
    end = b"a\n" + b"x" * (MAX_BYTES + 5)
    assert (places(end, indexed=False).find(Place(moment=1001)), places(end).find(Place(moment=1001))) == (
        None,
        len(end),
    )
