"""Lines that match, or do not, with the lines around them: against a plain answer, and against grep.

Categories: what is returned, and in which order · pages · searches that are broken off · long lines · the two forms.
"""

import json
import random
import re
import shutil
import subprocess
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.lines import search_output
from livelog.lines.filtering import PART, Lines
from livelog.lines.pieces import OVERLAP, PIECE
from livelog.lines.query import Query
from livelog.lines.search_output import MAX_LINE_TEXT, MAX_PART
from tests.sample import examples, one_of

from .searching import answer, backwards, documents, output, query, reader

Wanted = tuple[int, bool]
"""The number of a line, and whether it is context."""


def lines_of(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True) if b"\r" not in content else re.findall(rb"[^\n]*\n|[^\n]+", content)


def plainly(asked: Query, content: bytes) -> list[Wanted]:
    """The same from start to end, line by line."""
    lines, pattern = lines_of(content), asked.pattern()
    texts = [line.removesuffix(b"\n").rstrip(b"\r").decode(errors="surrogateescape") for line in lines]
    hits = [number for number, text in enumerate(texts) if bool(pattern.search(text)) != asked.invert]
    near = {
        other for hit in hits for other in range(max(0, hit - asked.before), min(len(lines), hit + asked.after + 1))
    }
    return [(number + 1, number not in hits) for number in sorted(near)]


def numbers(asked: Query, content: bytes) -> list[Wanted]:
    return [(one["line"], one.get("context", False)) for one in documents(asked, content)[0]]


CONTENT = st.lists(
    st.sampled_from([b"\n", b"\n\n", b"a\n", b"ab\n", b"b\n", b"aab", b"x" * 99, b"c\r\n", b"\rb", b"\xff\n"]),
    max_size=40,
).map(b"".join)

AROUND = st.integers(0, 4)


@examples(300)
@given(CONTENT, st.sampled_from(["a", "ab", "x", "c", "^$", "b$", "zz"]), AROUND, AROUND, st.booleans())
def test_lines_are_those_that_a_plain_search_finds_and_backwards_is_the_reverse(
    content: bytes, text: str, before: int, after: int, invert: bool
) -> None:
    asked = query(
        text, content, regex=not text.isalpha(), by_line=True, before=before, after=after, invert=invert, limit=None
    )
    expected = plainly(asked, content)
    found, last = documents(asked, content)
    assert [(one["line"], one.get("context", False)) for one in found] == expected
    assert last == {"done": True, "hits": sum(not context for _, context in expected), "next": None}
    reverse, last_of_reverse = documents(backwards(asked, content), content)
    assert reverse == found[::-1]
    assert last_of_reverse == last
    lines = lines_of(content)
    for one in found:
        start = sum(map(len, lines[: one["line"] - 1]))
        raw = lines[one["line"] - 1].removesuffix(b"\n").rstrip(b"\r")
        assert (one["start"], one["text"]) == (start, raw.decode(errors="replace"))
        if "context" in one or invert:
            assert (one["offset"], one["length"]) == (start, 0)
        else:
            assert re.match(text, content[one["offset"] :].decode(errors="surrogateescape"), re.MULTILINE)


@examples(200)
@given(CONTENT, AROUND, AROUND, st.booleans(), st.integers(1, 5), st.booleans())
def test_pages_of_any_size_neither_repeat_nor_lose_a_line(
    content: bytes, before: int, after: int, invert: bool, limit: int, forward: bool
) -> None:
    asked = query("a", content, by_line=True, before=before, after=after, invert=invert, limit=None)
    asked = asked if forward else backwards(asked, content)
    whole = documents(asked, content)[0]
    pages: list[dict[str, Any]] = []
    page: Query | None = asked._replace(limit=limit)
    while page is not None:
        found, last = documents(page, content)
        assert last["hits"] == sum("context" not in one for one in found) <= limit
        pages += found
        page = None if last["next"] is None else page._replace(start=last["next"])
    assert pages == whole


@examples(100)
@given(CONTENT, st.integers(0, 400), st.integers(0, 400), st.booleans())
def test_a_search_between_two_places_is_one_of_the_lines_that_begin_there(
    content: bytes, low: int, size: int, by_line: bool
) -> None:
    """Context, too."""
    starts = [match.end() for match in re.finditer(rb"\n", b"\n" + content[:-1])] if content else []
    starts = [start - 1 for start in starts]
    inside = [start for start in starts if low <= start < low + size]
    lines = lines_of(content)
    part = b"".join(lines[starts.index(start)] for start in inside)
    asked = query("a", content, by_line=by_line, before=1, after=2, limit=None, low=low, high=low + size)
    expected = documents(query("a", part, by_line=by_line, before=1, after=2, limit=None), part)[0]
    shift = inside[0] if inside else 0
    for one in expected:
        one.update(
            {"line": one["line"] + starts.index(shift), "start": one["start"] + shift, "offset": one["offset"] + shift}
        )
    assert documents(asked, content)[0] == expected
    assert documents(backwards(asked, content)._replace(limit=999), content)[0] == expected[::-1]


def long_lines(seed: int) -> bytes:
    """Lines of all sizes, some longer than a piece or a part, with some `needle`."""
    chance = random.Random(seed)
    lines = []
    for _ in range(12):
        size = chance.choice([0, 5, 100, PART - 1, PART, PART + 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 5])
        line = bytearray(bytes([chance.choice(b"abc")]) * size)
        for _ in range(chance.choice([0, 0, 1, 3])):
            place = chance.randrange(max(1, size))
            line[place : place + 6] = b"needle"
        lines.append(bytes(line) + chance.choice([b"\n", b"\n", b"\r\n"]))
    return b"".join(lines) + chance.choice([b"", b"the end", b"needle"])


def grep(content: bytes, *options: str) -> bytes:
    """What grep says."""
    program = shutil.which("grep")
    assert program is not None
    done = subprocess.run(
        [program, "-a", "-n", *options], input=content, capture_output=True, check=False, env={"LC_ALL": "C.UTF-8"}
    )
    assert done.returncode < 2
    return done.stdout


OPTIONS = [
    (("-e", "needle"), {}),
    (("-v", "-e", "needle"), {"invert": True}),
    (("-C1", "-e", "needle"), {"before": 1, "after": 1, "groups": True}),
    (("-v", "-A1", "-e", "needle"), {"invert": True, "after": 1, "groups": True}),
    (("-i", "-B2", "-e", "NEEDLE"), {"text": "NEEDLE", "case": False, "before": 2, "groups": True}),
    (("-C0", "-E", "-e", "^n|b$|ec"), {"text": "^n|b$|ec", "regex": True, "groups": True}),
]


@pytest.mark.parametrize("seed", one_of(4, range(4)))
@pytest.mark.parametrize(("options", "asked"), OPTIONS)
def test_the_text_form_is_what_grep_says_of_lines_of_any_length(
    seed: int, options: tuple[str, ...], asked: dict[str, Any]
) -> None:
    content = long_lines(seed)
    if asked.get("regex"):
        content = content.replace(b"\r", b"")  # grep has it as a part of the line
        content = b"".join(line for line in lines_of(content) if len(line) < PIECE)
    search = query("needle", content, by_line=True, grep=True, limit=None, case=True)._replace(**asked)
    expected = grep(content, *options)
    assert answer(search, content) == expected
    parts = output(search, content)
    for number in range(0, len(parts) - 1, max(1, len(parts) // 5)):
        left = parts[number][0]
        assert b"".join(text for _, text in parts[: number + 1]) + answer(left, content) == expected
    reverse = backwards(search, content)
    parts = output(reverse, content)
    whole = b"".join(text for _, text in parts)
    pattern = rb"(?:--\n)|[^\n]*\n"
    assert re.findall(pattern, whole) == re.findall(pattern, expected)[::-1]
    for number in range(0, len(parts) - 1, max(1, len(parts) // 5)):
        left = parts[number][0]
        assert b"".join(text for _, text in parts[: number + 1]) + answer(left, content) == whole


def said(text: bytes) -> list[bytes]:
    """Lines of JSON, but for those about progress."""
    return [line for line in text.splitlines() if b'"scanned"' not in line]


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("text", ["9", "7.*7", "nothing"])
def test_a_search_by_line_that_is_broken_off_anywhere_goes_on_where_it_was(text: str, forward: bool) -> None:
    content = b"".join(b"line %d ends here\n" % number + b"\n" * (number % 3) for number in range(6_000)) + b"the end"
    for options in ({"before": 2, "after": 3, "limit": 700}, {"invert": True}):
        asked = query(text, content, regex=True, by_line=True)._replace(**options)
        asked = asked if forward else backwards(asked, content)
        parts = output(asked, content)
        whole = said(b"".join(part for _, part in parts))
        for number in range(0, len(parts) - 1, max(1, len(parts) // 5)):
            before = b"".join(part for _, part in parts[: number + 1])
            assert said(before + answer(parts[number][0], content)) == whole


def test_a_search_that_takes_longer_than_it_may_says_where_to_go_on_with_its_context() -> None:
    content = b"".join(b"%d%s\n" % (number, b" " * 300) for number in range(20_000))
    for direction in (True, False):
        asked = query("7777$|1[0-3]999 ", content, regex=True, by_line=True, before=3, after=2, limit=None)
        asked = asked if direction else backwards(asked, content)
        whole, found, page = documents(asked, content)[0], [], asked._replace(seconds=0.0)
        while True:
            more, last = documents(page, content)
            found += more
            if last["next"] is None:
                break
            page = page._replace(start=last["next"])
        assert found == whole


def test_a_long_line_is_cut_in_json_and_told_to_be() -> None:
    content = b"short\n" + b"y" * MAX_LINE_TEXT + b"needle\n"
    [first, second], _ = documents(query("needle", content, by_line=True, before=1), content)
    assert "cut" not in first
    assert (second["cut"], second["text"], second["offset"]) == (True, "y" * MAX_LINE_TEXT, 6 + MAX_LINE_TEXT)


def test_colours_are_in_the_text_of_a_line_unless_it_is_to_be_plain() -> None:
    content = b"one\n\x1b[31mre\x1b[0md\r\n"
    for plain, text in ((False, "\x1b[31mre\x1b[0md"), (True, "red")):
        [one], _ = documents(query("red", content, by_line=True, plain=plain), content)
        assert (one["text"], one["line"], one["offset"]) == (text, 2, 9)
        said = answer(query("red", content, by_line=True, plain=plain, grep=True), content)
        assert said == b"2:" + text.encode() + b"\r" * (not plain) + b"\n"


def test_of_a_progress_bar_the_plain_text_is_what_it_shows_in_the_end() -> None:
    content = b"begin\n 10 %\r 50 %\r100 % \x1b[32mdone\x1b[0m\r\n"
    asked = query("done", content, by_line=True, plain=True)
    assert documents(asked, content)[0][0]["text"] == "100 % done"
    assert answer(asked._replace(grep=True), content) == b"2:100 % done\n"


def test_what_comes_later_is_in_time_for_the_context_of_a_search_that_goes_on() -> None:
    content = b"a\nb\nc\nhit\nd\ne\nf\nhit\ng"
    asked = query("hit", content, by_line=True, before=2, after=1, limit=None, whole=True, live=True)
    expected = documents(asked._replace(live=False, whole=False), content)[0]
    for steps in ((3, 7), (9, 13), (5, 20), range(1, 22)):
        said, left = b"", asked
        for size in (*steps, len(content), None):
            left = left._replace(size=len(content) if size is None else size, whole=size is not None)
            parts = output(left, content)
            said, left = said + b"".join(text for _, text in parts), parts[-1][0]
        assert [json.loads(line) for line in said.splitlines()] == expected


def test_lines_of_another_encoding_are_utf_8_in_the_text_form() -> None:
    content = "один\nдва\n".encode("koi8-r")
    asked = query("два", content, by_line=True, grep=True, encoding="koi8-r")
    assert answer(asked, content).decode() == "2:два\n"


def test_without_numbers_lines_have_none() -> None:
    content = b"one\ntwo\nthree\n"
    asked = query("two", content, by_line=True, numbered=False, before=1)
    assert [one["line"] for one in documents(asked, content)[0]] == [None, None]
    assert answer(asked._replace(grep=True), content) == b"one\ntwo\n"
    assert documents(asked._replace(by_line=False), content)[0][0]["line"] is None


def test_a_line_that_is_not_whole_can_be_left_out() -> None:
    content = b"a one\na two"
    asked = query("a", content, by_line=True, limit=None)
    assert numbers(asked, content) == [(1, False), (2, False)]
    assert numbers(asked._replace(whole=True), content) == [(1, False)]
    assert numbers(asked._replace(whole=True, size=3), content) == []


def test_an_answer_without_room_ends_behind_its_hit_and_says_where_to_go_on() -> None:
    content = b"a1\nb\na2\na3\n"
    for by_line in (True, False):
        asked = query("a", content, limit=None, by_line=by_line)
        found, last = documents(asked._replace(room=1), content)
        assert ([one["offset"] for one in found], last["hits"]) == ([0], 1)
        rest, _ = documents(asked._replace(start=last["next"]), content)
        assert [one["offset"] for one in rest] == [5, 8]


def test_a_search_that_has_all_its_hits_tells_its_end_only() -> None:
    content = b"a\na\n"
    assert documents(query("a", content, limit=1, by_line=True, returned=1), content)[0] == []
    assert Lines(query("a", content, by_line=True, left=1), reader(content)).rest() is None


def test_a_line_longer_than_pieces_is_found_backwards_and_counted() -> None:
    content = b"hit" + b"x" * (3 * PIECE) + b"\nb\n" + b"y" * (2 * PIECE) + b"\nhit\n"
    asked = backwards(query("hit", content, by_line=True, limit=None, numbered=True, newlines=0), content)
    assert numbers(asked, content) == [(4, False), (1, False)]


def test_many_matches_are_told_in_parts() -> None:
    content = b"a word\n" * 2000
    asked = query("a", content, limit=None)
    parts = output(asked, content)
    assert b"".join(text for _, text in parts).count(b'{"line": ') == len(documents(asked, content)[0]) == 2000
    assert max(len(text) for _, text in parts) < 2 * MAX_PART


def test_progress_is_told_of_a_search_in_json_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_output, "PROGRESS", 0.0)
    content = b"x\n" * PIECE
    asked = query("nothing", content)
    assert b'{"scanned": ' in answer(asked, content)
    assert answer(asked._replace(by_line=True, grep=True), content) == b""


def test_a_line_that_begins_where_a_piece_does_is_found_backwards() -> None:
    content = b"a\nhit" + b"x" * (PIECE - OVERLAP - 4) + b"\n"
    asked = backwards(query("hit", content, by_line=True, limit=None, newlines=0), content)
    assert numbers(asked, content) == [(2, False)]
    assert numbers(asked._replace(invert=True), content) == [(1, False)]


def test_lines_are_counted_on_up_to_the_end_for_a_search_that_goes_on() -> None:
    content = b"x\n" * (2 * PIECE)
    for numbered, counted in ((True, (len(content), 2 * PIECE)), (False, (0, 0))):
        asked = query("nothing", content, limit=None, live=True, whole=True, newlines=0, numbered=numbered)
        left, _ = output(asked, content)[-1]
        assert (left.counted, left.newlines) == counted


@pytest.mark.parametrize(
    ("bounds", "found"),
    [({"since": 0}, 2), ({"since": 1}, 0), ({"until": 1}, 2), ({"until": 0}, 0), ({"until": 0, "high": 2}, 0)],
)
def test_only_lines_of_a_time_are_searched(bounds: dict[str, int], found: int) -> None:
    """The whole log came at 0."""
    assert len(documents(query("a", b"a\na\n", limit=None, **bounds), b"a\na\n")[0]) == found
