"""Text of a log in events: any bytes, cut anywhere."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.read.sse import end_event, event, text_event, whole_characters


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (b"", 0),
        (b"abc", 3),
        ("aü".encode(), 3),
        ("aü".encode()[:-1], 1),
        ("a€".encode()[:-1], 1),
        ("a€".encode()[:-2], 1),
        ("a𝄞".encode()[:-1], 1),
        ("a𝄞".encode()[:-3], 1),
        ("𝄞".encode(), 4),
        (b"a\x80\x80\x80\x80", 5),
        (b"a\xff", 2),
        (b"a\xf5", 2),
        (b"\x80", 1),
    ],
)
def test_a_character_that_has_not_all_come_waits(data: bytes, count: int) -> None:
    assert whole_characters(data) == count


BYTES = st.lists(
    st.sampled_from(
        [b"a", b"\r", b"\n", "ü".encode(), "€".encode(), "𝄞".encode(), b"\x80", b"\xe2", b"\xff", b"\xf0\x9d"]
    )
)


@given(BYTES.map(b"".join), st.lists(st.integers(0, 30), max_size=6))
def test_texts_of_pieces_are_the_text_of_the_whole(content: bytes, cuts: list[int]) -> None:
    start, text = 0, ""
    for stop in [*sorted(min(cut, len(content)) for cut in cuts), len(content)]:
        data = content[start:stop]
        if stop < len(content):
            data = data[: whole_characters(data)]
        lines = text_event(start, data, [(start, 1000)]).decode().split("\n")
        document = json.loads(lines[1].removeprefix("data: "))
        assert document["offset"] == start
        text += document["text"]
        start += len(data)
        assert lines == [f"id: {start}", lines[1], "", ""]
    assert text == content.decode("utf-8", "replace")


def test_an_event_of_a_kind_says_so() -> None:
    assert event("state", "7", {"state": "live"}) == b'event: state\nid: 7\ndata: {"state": "live"}\n\n'


def test_an_event_without_an_id_leaves_the_one_before() -> None:
    assert event("grew", None, {}) == b"event: grew\ndata: {}\n\n"


@pytest.mark.parametrize("size", [0, 7, 10, 2**53])
def test_the_end_has_an_id_that_no_text_has_and_that_is_the_same_number(size: int) -> None:
    fields = dict(line.split(": ", 1) for line in end_event("aborted", size).decode().strip().split("\n"))
    assert (fields["event"], json.loads(fields["data"])) == ("end", {"state": "aborted", "size": size})
    assert int(fields["id"]) == size
    assert fields["id"] != str(size)


def test_an_event_tells_when_each_part_of_its_text_came() -> None:
    _, data, *_ = text_event(10, b"one\ntwo\n", [(10, 1000), (14, 2500)]).decode().split("\n")
    assert json.loads(data.removeprefix("data: ")) == {
        "offset": 10, "text": "one\ntwo\n", "time": "1970-01-01T00:00:01.000Z", "times": [[14, 1500]]
    }  # fmt: skip
