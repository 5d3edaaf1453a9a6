"""Text that is found in a log, against a plain search of each line.

Categories: literal texts, with and without case · regular expressions · terminal sequences and characters of several bytes ·
pieces, long lines and places to start from · what is told of a hit.
"""

import json
import random
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.lines import search_output
from livelog.lines.hits import Hit
from livelog.lines.matching import Matcher
from livelog.lines.pieces import FIRST, OVERLAP, PIECE
from livelog.lines.query import Query
from livelog.lines.search_output import parts
from livelog.times import Times
from tests.sample import examples

from .searching import backwards, documents, output, query, reader, search


def hits(asked: Query, content: bytes) -> list[Hit]:
    return search(asked, reader(content))


def places(asked: Query, content: bytes) -> list[tuple[int | None, int, int]]:
    """The line, offset and length of each hit."""
    return [(hit.line, hit.offset, hit.length) for hit in hits(asked, content)]


def plainly(text: str, content: bytes) -> list[tuple[int, int, int]]:
    """The same for a text without case and sequences, line by line."""
    found, start = [], 0
    for number, line in enumerate(content.split(b"\n"), 1):
        found += [
            (number, start + match.start(), len(match[0]))
            for match in re.finditer(re.escape(text.encode()), line.rstrip(b"\r"))
        ]
        start += len(line) + 1
    return found


CONTENT = st.lists(st.sampled_from([b"\n", b"\n\n", b"ab", b"aba", b"b", b"x" * 99, b"\r\n", b"\rb"]), max_size=40).map(
    b"".join
)


@given(CONTENT, st.sampled_from(["a", "ab", "aba", "bb", "x", "\r"]), st.integers(0, 400))
def test_a_search_finds_what_a_plain_one_finds_in_either_direction(content: bytes, text: str, start: int) -> None:
    start = min(start, len(content))
    asked, expected = query(text, content, case=True), plainly(text, content)
    assert places(asked, content) == expected
    assert places(backwards(asked, content), content) == expected[::-1]
    forward = asked._replace(start=start)
    assert places(forward, content) == [hit for hit in expected if hit[1] >= start]
    assert places(backwards(asked, content, start), content) == [hit for hit in expected[::-1] if hit[1] < start]


@pytest.mark.parametrize(
    ("options", "text", "content", "expected"),
    [
        ({}, "error", b"Error\nERROR error", [(1, 0, 5), (2, 6, 5), (2, 12, 5)]),
        ({"case": True}, "error", b"Error\nERROR error", [(2, 12, 5)]),
        ({}, "ÄRGER", "ärger\nÄrger".encode(), [(1, 0, 6), (2, 7, 6)]),
        ({"case": True}, "Ärger", "ärger\nÄrger".encode(), [(2, 7, 6)]),
        ({}, "k", "K\u212a".encode(), [(1, 0, 1)]),
        ({}, "a.c", b"abc a.c", [(1, 4, 3)]),
        ({"regex": True}, "a.c", b"abc a.c", [(1, 0, 3), (1, 4, 3)]),
        ({"regex": True}, "A.C", "aüc".encode(), [(1, 0, 4)]),
        ({"regex": True, "case": True}, "A.C", b"abc", []),
        ({"regex": True}, r"^b|c$", b"abc\nbcc", [(1, 2, 1), (2, 4, 1), (2, 6, 1)]),
        ({"regex": True}, r"a\s*b", b"a\nb a b", [(2, 2 + 2, 3)]),
        ({"regex": True}, "$", b"a\nbc\n", [(1, 1, 0), (2, 4, 0)]),
        ({"regex": True}, "$", b"a\nbc", [(1, 1, 0), (2, 4, 0)]),
        ({"regex": True}, "$", b"a\r\nbc\r\n", [(1, 1, 0), (2, 5, 0)]),
        ({"regex": True}, "^$", b"a\r\n\r\n\n", [(2, 3, 0), (3, 5, 0)]),
        ({"regex": True}, "c$", b"abc\r\r\nc\x1b[0m\r\nc\r", [(1, 2, 1), (2, 6, 1), (3, 13, 1)]),
        ({"regex": True}, "^.$", b"\x1b[1ma\r\x1b[0m\n", [(1, 4, 1)]),
        ({"regex": True}, "a.b$", b"a\rb\r\n", [(1, 0, 3)]),
        ({}, "\r", b"a\rb\r\n", [(1, 1, 1)]),
        ({}, "foobar", b"foo\x1b[31mbar\x1b[0m", [(1, 0, 11)]),
        ({}, "bar", b"foo\x1b[31mbar\x1b[0m", [(1, 8, 3)]),
        ({}, "foo", b"\x1b[1m\x1b[31mfoo\x1b[0m", [(1, 9, 3)]),
        ({}, "31", b"\x1b[31mred\x1b[0m", []),
        ({}, "link", b"\x1b]8;;https://link.example\x1b\\a link\x1b]8;;\x1b\\", [(1, 29, 4)]),
        ({"regex": True}, ".", b"\xff\xfe", [(1, 0, 1), (1, 1, 1)]),
        ({}, "€", b"\xe2\x82" + "€".encode(), [(1, 2, 3)]),
        ({}, "x", b"", []),
    ],
)
def test_what_matches(
    options: dict[str, bool], text: str, content: bytes, expected: list[tuple[int, int, int]]
) -> None:
    asked = query(text, content, **options)
    assert places(asked, content) == expected
    assert places(backwards(asked, content), content) == expected[::-1]


LINES = st.lists(
    st.sampled_from([b"\n", b"\n", b"abc", b"ABC", b"Abd", b"\x1b[31m", b"\x1b[0m", b"ab", b"c", "\u00fc".encode(), b"\xff", b"\xe2\x82", b"\r", b"\r\n", b"kiss", "\u212aI\u017fS".encode(), b" "]),
    max_size=30,
).map(b"".join)  # fmt: skip

EXPRESSIONS = [
    "abc",
    "ab[cd]",
    "(?:abc|kiss) ",
    "abc|kiss",
    "a.?c$",
    "^ab",
    "k.ss",
    "kiss",
    "(?i)abd",
    "[^a]bc",
    r"\w$",
    "",
    "^$",
    "abc(?= )",
    "(?i:AB)c|\xfcx",
    "\xdc",
    "..",
    r"\s",
]


@given(LINES, st.sampled_from(EXPRESSIONS), st.booleans(), st.sampled_from(["utf-8", "latin-1", "gbk"]))
@examples(200)
def test_lines_that_match_a_pattern_are_those_that_match_by_themselves(
    content: bytes, text: str, case: bool, encoding: str
) -> None:
    """With what a pattern needs at hand or not; those that do not match are the others."""
    pattern = re.compile(text, 0 if case else re.IGNORECASE)
    expected = []
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n") if content else [], 1):
        clean = re.sub(rb"\x1b\[\d+m", b"", line).rstrip(b"\r")
        if pattern.search(clean.decode(encoding, "surrogateescape")):
            expected.append(number)
    count = content.count(b"\n") + (not content.endswith(b"\n")) if content else 0
    asked = query(text, content, case=case, regex=True, encoding=encoding)
    for one in (asked, backwards(asked, content)):
        assert sorted({hit.line for hit in hits(one, content) if hit.line}) == expected
        for invert in (False, True):
            found, _ = documents(one._replace(by_line=True, invert=invert, limit=None), content)
            lines = sorted(line["line"] for line in found)
            assert lines == (sorted({*range(1, count + 1)} - {*expected}) if invert else expected)


@pytest.mark.parametrize("text", ["(", "*", "[z-a]", "(?P<x", "x" * 10 + "{99999999999}"])
def test_a_pattern_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        query(text, b"", regex=True).pattern()


def sample(seed: int) -> bytes:
    """Lines of all sizes, some longer than a piece, with `needle` in some places and across all edges of pieces."""
    chance = random.Random(seed)
    sizes = [chance.choice([0, 5, 100, 70_000, PIECE - 1, PIECE, 2 * PIECE + 5]) for _ in range(9)]
    content = bytearray(b"\n".join(bytes([chance.choice(b"abc")]) * size for size in sizes))
    marks = [chance.randrange(max(1, len(content))) for _ in range(60)]
    marks += [place + shift for place in range(0, len(content), PIECE - OVERLAP) for shift in (-6, -3, 0)]
    for place in marks:
        if 0 <= place <= len(content) - 6 and b"\n" not in content[place : place + 6]:
            content[place : place + 6] = b"needle"
    return bytes(content)


@pytest.mark.parametrize("seed", range(3))
def test_hits_at_the_edges_of_pieces_and_in_long_lines_are_found_once(seed: int) -> None:
    content = sample(seed)
    asked, expected = query("needle", content, case=True), plainly("needle", content)
    assert len(expected) > 20
    assert places(asked, content) == expected
    assert places(backwards(asked, content), content) == expected[::-1]
    for hit in hits(asked, content):
        assert hit.start == content.rfind(b"\n", 0, hit.offset) + 1
    for start in random.Random(seed).sample(range(len(content)), 8):
        forward = asked._replace(start=start)
        assert places(forward, content) == [hit for hit in expected if hit[1] >= start]
        assert places(backwards(asked, content, start), content) == [hit for hit in expected[::-1] if hit[1] < start]


def said(asked: Query, content: bytes) -> list[tuple[Query, list[dict[str, object]]]]:
    """What is told of a search, in the parts in which it is told; and for each what is left of the search."""
    return [(left, [json.loads(line) for line in text.splitlines()]) for left, text in output(asked, content)]


@pytest.mark.parametrize("text", ["e", "$", "line [0-9]", "nothing"])
@pytest.mark.parametrize("forward", [True, False])
def test_a_search_that_is_broken_off_anywhere_goes_on_where_it_was(text: str, forward: bool) -> None:
    content = b"".join(b"line %d ends here\n" % number + b"\n" * (number % 3) for number in range(6_000)) + b"the end"
    asked = query(text, content, regex=True, limit=1500)
    asked = asked if forward else backwards(asked, content)
    whole = said(asked, content)
    everything = [one for _, documents in whole for one in documents if "scanned" not in one]
    for number, (left, _) in [*enumerate(whole[:-1])][:: max(1, len(whole) // 4)]:
        before = [one for _, documents in whole[: number + 1] for one in documents if "scanned" not in one]
        rest = [one for _, documents in said(left, content) for one in documents if "scanned" not in one]
        assert before + rest == everything


def test_a_search_that_takes_longer_than_it_may_says_where_to_go_on() -> None:
    content = b"a line" + b" " * 200 + b"\n"
    content *= 20_000
    for asked in (query("e", content, limit=10**9), backwards(query("e", content, limit=10**9), content)):
        documents = [one for _, part in said(asked._replace(seconds=0.0), content) for one in part]
        last: Any = documents[-1]
        found = [one for one in documents if "line" in one]
        assert 0 < len(found) == last["hits"] < 20_000
        following = asked._replace(start=last["next"], limit=1)
        assert hits(following, content)[0].line == (len(found) + 1 if asked.forward else 20_000 - len(found))


def test_where_a_line_of_many_pieces_begins_is_looked_for_once() -> None:
    read: list[int] = []
    content = b"short\n" + (b"x" * (PIECE // 2) + b"needle") * 16
    for asked in (query("needle", content), backwards(query("needle", content), content)):
        read.clear()

        def reading(start: int, stop: int) -> bytes:
            read.append(stop - start)
            return content[start:stop]

        assert [hit.start for hit in search(asked, reading)] == [6] * 16
        assert sum(read) < 3 * len(content)


def test_progress_goes_from_nothing_to_all() -> None:
    content = b"line\n" * PIECE
    for asked in (query("x", content), backwards(query("x", content), content)):
        words = [one for _, documents in said(asked, content) for one in documents]
        scanned: list[Any] = [one["scanned"] for one in words if "scanned" in one]
        assert scanned == sorted(scanned)
        assert words[-1] == {"done": True, "hits": 0, "next": None}


@examples(50)
@given(st.integers(0, 3000), st.integers(0, 3000))
def test_the_text_of_a_hit_is_around_it_in_whole_characters(before: int, behind: int) -> None:
    line = "ü" * before + "needle" + "€" * behind
    [hit] = hits(query("needle", content := f"first\n\x1b[31m{line}\r\nlast".encode()), content)
    assert "needle" in hit.text
    assert hit.text in line
    assert "\ufffd" not in hit.text
    size, whole = len(hit.text.encode()), len(line.encode())
    assert size == whole if whole < 1000 else 990 <= size <= 1000
    assert content[hit.offset : hit.offset + hit.length] == b"needle"
    assert hit.start == 6


@pytest.mark.parametrize("content", [b"", b"a", b"a\n", b"ab\ncd\n", b"\n\n"])
@pytest.mark.parametrize("text", ["$", "x*", "a|$"])
@pytest.mark.parametrize("limit", [1, 2])
def test_pages_of_empty_matches_end(content: bytes, text: str, limit: int) -> None:
    whole, _ = documents(query(text, content, regex=True), content)
    paged, start = [], 0
    for _ in range(20):
        found, last = documents(query(text, content, regex=True, limit=limit, start=start), content)
        paged += found
        if last["next"] is None:
            break
        start = min(last["next"], len(content))  # as the server takes it
    assert (last["next"], [hit["offset"] for hit in paged]) == (None, [hit["offset"] for hit in whole])


@pytest.mark.parametrize("by_line", [False, True])
@pytest.mark.parametrize("regex", [False, True])
def test_the_last_match_of_a_text_that_is_in_each_line_is_found_near_the_end(by_line: bool, regex: bool) -> None:
    content, spans = b"a line of text\n" * 300_000, list[int]()

    def read(start: int, stop: int) -> bytes:
        spans.append(stop - start)
        return content[start:stop]

    asked = backwards(query("line", content, limit=3, regex=regex, by_line=by_line, numbered=False), content)
    (last,) = [part for part in parts(asked, read, Times(0)) if part is not None]
    assert last.count(b'"offset"') == 3
    assert sum(spans) <= 2 * FIRST


@pytest.mark.parametrize("size", [10, FIRST - 1, FIRST, 3 * FIRST, PIECE - OVERLAP - 7])
def test_a_line_that_is_longer_than_the_first_piece_is_not_divided(size: int) -> None:
    content = b"first\n" + b"x" * size + b" end\n"
    asked = query("^x+ end$", content, regex=True)
    assert places(backwards(asked, content), content) == [(2, 6, size + 4)]
    assert places(backwards(query("x end", content), content), content) == [(2, 5 + size, 5)]


def test_a_search_that_finds_nothing_tells_what_it_has_left_also_without_progress(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search_output, "PROGRESS", 0.0)  # how long a piece takes depends on the machine
    content = b"notin\n" * 200_000
    asked = query("(n|o)+thing$", content, regex=True, by_line=True, grep=True)
    parts = output(asked, content)
    assert not any(text for _, text in parts)
    assert [left.start for left, _ in parts][-1] == len(content)
    assert 0 < parts[0][0].start < len(content)


def test_a_line_with_the_text_as_it_is_and_in_colours_may_match_once() -> None:
    content = b"fatal and fa\x1b[1mtal\nfa\x1b[1mtal and fatal\n"
    asked = query("fatal", content)
    assert [place for place, _ in Matcher(asked).lines(content)] == [0, content.index(b"\n") + 1]
    assert len(hits(asked, content)) == 4


def test_errors_are_looked_for_in_each_line() -> None:
    content = b"all is well\nValueError: x\n0 failed\n"
    assert [hit.line for hit in hits(query("", content, errors=True), content)] == [2]
