"""The index of a log, against a plain count of the same bytes.

Categories: lines of offsets and offsets of lines · styles · growth in any steps · what is kept, whole and damaged.
"""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.lines.index import BLOCK, Index, scan
from livelog.lines.lines import Read
from livelog.lines.sgr import style_after
from tests.sample import examples

SIZES = st.sampled_from([0, 1, 70, BLOCK - 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])

PIECES = st.sampled_from([b"\n", b"\n\n", b"\x1b[31m", b"\x1b[0m", b"\x1b[1;38;5;200m", b"\r\n", b"\n" * BLOCK, b""])

CONTENT = st.lists(st.tuples(SIZES, PIECES), max_size=6).map(
    lambda parts: b"".join(b"x" * size + piece for size, piece in parts)
)


def reader(content: bytes) -> Read:
    """What gives the bytes of `content`, and refuses to give others."""

    def read(start: int, stop: int) -> bytes:
        assert 0 <= start <= stop <= len(content)
        return content[start:stop]

    return read


def index_of(content: bytes, *steps: int) -> Index:
    """The index of all whole blocks, made up to each of the `steps` (in blocks) one after the other."""
    index = Index()
    for stop in (*steps, len(content) // BLOCK):
        last = min(stop, len(content) // BLOCK)
        if last > index.blocks:
            index.add(scan(reader(content), index.blocks, last, index.style))
    return index


def places(content: bytes) -> list[int]:
    """Offsets worth a look: the edges of blocks and lines, some of them."""
    edges = {0, len(content), *range(0, len(content), BLOCK)}
    place = -1
    while len(edges) < 40 and (place := content.find(b"\n", place + 1)) >= 0:
        edges |= {place, place + 1}
    return sorted(place for edge in edges for place in (edge - 1, edge, edge + 1) if 0 <= place <= len(content))


@examples(40)
@given(CONTENT, st.lists(st.integers(0, 9), max_size=3).map(sorted))
def test_an_index_says_what_a_plain_count_says(content: bytes, steps: list[int]) -> None:
    index, read = index_of(content, *steps), reader(content)
    assert index.blocks == len(content) // BLOCK
    assert index.lines(len(content), read) == content.count(b"\n") + (content != b"" and not content.endswith(b"\n"))
    for place in places(content):
        assert index.newlines_before(place, read) == content.count(b"\n", 0, place)
        assert index.style_at(place, read) == style_after("", content, 0, place)


@examples(40)
@given(CONTENT)
def test_the_line_of_an_offset_begins_at_the_offset_of_the_line(content: bytes) -> None:
    index, read = index_of(content), reader(content)
    for place in places(content):
        if place < len(content):
            line = index.newlines_before(place, read) + 1
            assert index.offset_of(line, len(content), read) == content.rfind(b"\n", 0, place) + 1
    assert index.offset_of(index.lines(len(content), read) + 1, len(content), read) is None
    assert index.offset_of(10**18, len(content), read) is None


@examples(20)
@given(CONTENT, st.integers(0, 5))
def test_an_index_that_is_behind_says_the_same(content: bytes, blocks: int) -> None:
    index, behind, read = index_of(content), Index(), reader(content)
    behind.add(scan(read, 0, min(blocks, index.blocks), ""))
    for place in places(content):
        assert behind.newlines_before(place, read) == index.newlines_before(place, read)
        assert behind.style_at(place, read) == index.style_at(place, read)
        line = index.newlines_before(place, read) + 1
        assert behind.offset_of(line, len(content), read) == index.offset_of(line, len(content), read)


SAMPLE = random.Random(1).randbytes(5 * BLOCK + 99).replace(b"\n\n", b"\x1b[31m") + b"\x1b[1m"


def test_what_is_kept_is_what_was_known() -> None:
    index, read = index_of(SAMPLE), reader(SAMPLE)
    found = Index.from_bytes(index.to_bytes(), len(SAMPLE))
    assert (found.blocks, found.style, found.newlines) == (index.blocks, index.style, index.newlines)
    for place in places(SAMPLE):
        assert found.newlines_before(place, read) == index.newlines_before(place, read)
        assert found.style_at(place, read) == index.style_at(place, read)
    longer = SAMPLE + SAMPLE
    found.add(scan(reader(longer), found.blocks, len(longer) // BLOCK, found.style))
    assert found.newlines == index_of(longer).newlines


@pytest.mark.parametrize(
    "harm",
    [
        lambda _: b"",
        lambda kept: kept[:20],
        lambda kept: kept[:60],
        lambda kept: b"another1" + kept[8:],
        lambda kept: kept + b"\nmore",
        lambda kept: kept[:-1] + b"\xff",
        lambda kept: kept[:8] + bytes(8) + kept[16:],
        lambda kept: kept[:8] + b"\xff" * 8 + kept[16:],
        lambda kept: kept[:16] + b"\xff" * 8 + kept[24:],
    ],
)
def test_what_is_not_an_index_is_refused(harm: Callable[[bytes], bytes]) -> None:
    kept = index_of(SAMPLE).to_bytes()
    with pytest.raises(ValueError):
        Index.from_bytes(harm(kept), len(SAMPLE))


def test_the_index_of_a_longer_log_is_refused() -> None:
    kept = index_of(SAMPLE).to_bytes()
    with pytest.raises(ValueError, match="not an index of this log"):
        Index.from_bytes(kept, 5 * BLOCK - 1)
    assert Index.from_bytes(kept, 5 * BLOCK).blocks == 5
