"""Whatever reads a stranger's bytes takes time in proportion to them: hostile inputs of n and of 4 n."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from livelog.client.commands.terminal import Neutraliser
from livelog.errors import LivelogError
from livelog.lines import lines
from livelog.lines.failures import find
from livelog.lines.folding import fold
from livelog.lines.groups import Groups
from livelog.lines.index import BLOCK, Index, scan
from livelog.lines.objects import Lines, render
from livelog.lines.problems import Problems
from livelog.lines.query import Query
from livelog.lines.sgr import plain, style_after
from livelog.log.attributes import Attributes
from livelog.names import is_name
from livelog.plain import shown as plain_text
from livelog.produce.guard import is_loopback, passive_type
from livelog.produce.uploads import announced
from livelog.read.sse import text_event, whole_characters
from livelog.times import Times
from livelog.tokens import Access, bearer
from livelog.wire.fields import _ENTITY_TAG, _WAIT_PREFERENCE
from livelog.wire.framing import ChunkedDecoder
from livelog.wire.ranges import parse_range, resolve
from tests.sample import one_of, sample
from tests.unit.searching import search

from .meter import is_linear


def test_a_quadratic_function_is_found_out() -> None:
    assert not is_linear(lambda data: sum(1 for _ in data for _ in data), lambda n: b"x" * n, 400)


def groups(data: bytes) -> object:
    found = Groups()
    found.take(data)
    return found


def problems(data: bytes) -> object:
    found = Problems()
    for place in range(0, len(data), 64 * 1024):
        found.take(data[place : place + 64 * 1024])
    return found.all()


def style(data: bytes) -> object:
    return style_after("", data, 0, len(data))


def errors(data: bytes) -> object:
    return list(find(data.decode()))


def shown(data: bytes) -> object:
    return Neutraliser()(data, last=True)


def row(data: bytes) -> object:
    return plain_text(data.decode("utf-8", "replace") + "\r")


def objects(data: bytes) -> object:
    asked = Lines(0, len(data), len(data), 1, None, False, "utf-8")
    return list(render(asked, lambda start, stop: data[start:stop], Times(0), enough=1 << 40))


def shown_in_pieces(data: bytes) -> object:
    neutraliser = Neutraliser()
    return [neutraliser(data[place : place + 7]) for place in range(0, len(data), 7)]


def open_sections(n: int) -> bytes:
    return b"".join(b"section_start:1:a%d\r\x1b[0K\n" % number for number in range(n))


def colours(n: int) -> bytes:
    return b"".join(b"\x1b[38;2;%d;%dm" % (number // 256, number % 256) for number in range(10_000, 10_000 + n))


@pytest.mark.parametrize(
    ("work", "make", "n"),
    [
        *one_of(
            3,
            (
                pytest.param(errors, lambda n, part=part: part * n, 5000, id=f"errors: {part.decode()}")
                for part in (
                    b"0 error ",
                    b"error: ",
                    b"error 0-",
                    b"0 a b ",
                    b"if an error ",
                    b"Aa.Error",
                    b"[error",
                    b"level=",
                    b"FooError ",
                    b"INFO err ",
                )
            ),
        ),
        *one_of(
            6,
            (
                pytest.param(
                    problems, lambda n, part=part: part * n, 300, id=f"problems: many of {part.decode()[:30]!r}"
                )
                for part in (
                    b"error\n",
                    b"error: ",
                    b"error: x\n",
                    b"a:1:1: error: ",
                    b"a:1:1: error: x\n",
                    b"a(1,1): error A1: ",
                    b"::error file=",
                    b"##[error]",
                    b"##vso[task.logissue ",
                    b"Traceback (most recent call last):\n",
                    b"Traceback (most recent call last):\nx\n",
                    b"ValueError: x\n",
                    b"A.Error\n\n",
                    b"    at f (a:1:1)\n",
                    b"panic: x\n\n",
                    b"panicked at ",
                    b"==1==ERROR: AddressSanitizer: x\n",
                    b"--- FAIL: x\n    x_test.go:1: y\n",
                    b"not ok\n  ---\n",
                    b"npm ERR! x\n",
                    b"E   x\n",
                    b"2026-11-28T02:03:04Z ",
                    b"a-1 | error\n",
                    b"[error] ",
                    b"ERROR ",
                    b"level=error ",
                    b'level=error msg="\\',
                    b'{"level":"error"}\n',
                    b'{"level":',
                    b"  1:1  error  x\n",
                    b"a b:",
                    b"warning: ",
                    b"CMake Error at a:1:\n  x\n",
                    b"error[E1]: x\n --> a:1:1\n  |\n",
                    b"FAILURE: Build failed with an exception.\n",
                    b"\r error",
                    b"\x1b[1merror",
                    b"a" * 50 + b"-1 | ",
                    b"[a] ",
                    b"E/a(1): ",
                    b"Caused by: ",
                    b"(a) ",
                    b"x.y.",
                    b"+ ",
                    b"thread '",
                    b"in ",
                    b"The command ",
                    b".rb:1:in `",
                    b"npm WARN ERESOLVE x\nnpm WARN y\n",
                    b"[WARNING] a.b:1: x\n[WARNING] y\n",
                    b"INFO - WARNING: ",
                    b"warning: is deprecated ",
                    b"a.b : warning A1: ",
                    b"console.error:\n  x\n",
                    b"a.py:1: XWarning: x\n  y\n",
                )
            ),
        ),
        pytest.param(
            problems,
            lambda n: b"".join(b"a%d-1 | Traceback (most recent call last):\n" % number for number in range(n)),
            200,
            id="problems: of many services",
        ),
        pytest.param(groups, lambda n: b"--- a\n~~~ Running b\n" * n, 1000, id="groups of Buildkite"),
        pytest.param(groups, lambda n: b"##[section]Starting: a\n" * n, 300, id="sections of Azure that are open"),
        pytest.param(groups, lambda n: b"section_start:1:a[" * n, 1000, id="sections whose options never end"),
        pytest.param(groups, lambda n: b"section_start:1:" + b"a" * n, 50_000, id="a section whose name never ends"),
        pytest.param(groups, lambda n: b"section_start:" * n, 5000, id="sections without a time"),
        pytest.param(groups, lambda n: b"section_end:1:a\r\x1b[0K" * n, 1000, id="many marks in one line"),
        pytest.param(groups, lambda n: b"section_end:1:a\r\x1b[0Kx" * n, 1000, id="many titles in one line"),
        pytest.param(groups, lambda n: b"section_end:1:a\r\x1b[0K" + b"x" * n, 50_000, id="a title without an end"),
        pytest.param(groups, lambda n: b"::group::" + b"\x1b]" * n, 10_000, id="a title of strings that never end"),
        pytest.param(groups, lambda n: b"\x1b[1m" * n + b"group::", 10_000, id="colours in front of no group"),
        pytest.param(groups, lambda n: b"group::\n" * n, 3000, id="lines that might begin groups"),
        pytest.param(groups, lambda n: b"::group::\n" * n, 1000, id="groups of one line"),
        pytest.param(
            groups,
            lambda n: open_sections(n) + b"section_end:1:b\r\x1b[0K\n" * n,
            300,
            id="ends of sections that are not open",
        ),
        pytest.param(
            groups,
            lambda n: open_sections(n) + b"section_end:1:a0\r\x1b[0K\n" * n,
            300,
            id="sections that end all at once",
        ),
        *one_of(
            3,
            (
                pytest.param(row, lambda n, part=part: part * n, 2000, id=f"a row of {part!r}")
                for part in (
                    b"x\r",
                    b"\xcc\x81",
                    b"a\b\xcc\x81",
                    b"\x1b[P",
                    b"x\x1b[@",
                    b"\t\b",
                    b"x\x1b[1K\r",
                    b"\x1b[500Gx\x1b[2K",
                    b"xx\x1b7\r\x1b8\x1b[1K",
                    b"x\x1b[9b",
                    b"\r\x1b[P\x1b[500G\x1b]",
                )
            ),
        ),
        pytest.param(
            row,
            lambda n: b"x" * 20 * n + b"\r\x1b[P\x1b[@x\x1b[1K\x1b[9X" * n,
            2000,
            id="much that is drawn on a long row",
        ),
        *one_of(
            3,
            (
                pytest.param(fold, lambda n, part=part: part * n, 20_000, id=f"folded lines of {part!r}")
                for part in (
                    b"x\r",
                    b"\r",
                    b"\r\n",
                    b"/tmp/",
                    b"tmp",
                    b"tmp.a",
                    b"/var/folders/a/b/T/",
                    b"Temp\\",
                    b"Nov ",
                    b"Sat Nov ",
                    b"0",
                    b"01",
                    b"1.",
                    b"0x",
                    b"1 s",
                    b"1s1",
                    b"1 s 1 ",
                    b"0 ",
                    b"abcdefab-",
                    b"abcdef",
                    b" ",
                    b"\t",
                    b"[ ",
                    b"\xc2\xb5s1",
                    b"10:",
                )
            ),
        ),
        pytest.param(objects, lambda n: b"\n" * n, 5000, id="objects of empty lines"),
        pytest.param(style, lambda n: b"\x1b[32mok\x1b[39m " * n, 3000, id="colours without a reset"),
        pytest.param(style, colours, 5000, id="colours that are all different"),
        pytest.param(style, lambda n: b"\x1b[" + b"1;" * n + b"m", 50_000, id="a colour with many parameters"),
        pytest.param(style, lambda n: b"\x1b[1;" * n, 10_000, id="colours that never end"),
        pytest.param(plain, lambda n: b"\x1b[" + b"1;" * n, 50_000, id="a control sequence that never ends"),
        pytest.param(plain, lambda n: b"\x1b[1;" * n, 10_000, id="many control sequences that never end"),
        pytest.param(plain, lambda n: b"\x1b[" + b"!" * n, 50_000, id="a control sequence with many intermediates"),
        pytest.param(plain, lambda n: b"\x1b]0;" * n, 10_000, id="many strings that never end"),
        pytest.param(plain, lambda n: b"\x1b]0;" + b"x" * n, 50_000, id="a string that never ends"),
        pytest.param(plain, lambda n: b"\x1b" * n, 20_000, id="escapes only"),
        pytest.param(plain, lambda n: b"\x1b" + b" " * n, 50_000, id="an escape with many intermediates"),
        pytest.param(shown, lambda n: b"\x1b]" * n, 10_000, id="shown: many strings that never end"),
        pytest.param(shown, lambda n: b"\x1b[" + b"1;" * n, 50_000, id="shown: a control sequence that never ends"),
        pytest.param(shown, lambda n: b"\x1b[" + b"1;" * n + b"m", 50_000, id="shown: a colour with many parameters"),
        pytest.param(shown, lambda n: b"\x00\x9b" * n, 10_000, id="shown: controls only"),
        pytest.param(shown_in_pieces, lambda n: b"\x1b]" + b"x" * n, 20_000, id="shown: a string in many pieces"),
        pytest.param(shown_in_pieces, lambda n: b"\x1b[1;" * n, 5000, id="shown: sequences in many pieces"),
    ],
)
def test_it_costs_in_proportion(work: Callable[[Any], object], make: Callable[[int], Any], n: int) -> None:
    assert is_linear(work, make, n)


# Lines.


def newlines(data: bytes) -> object:
    count = data.count(b"\n")
    return (
        lines.nth_newline(data, max(1, count - 1)), lines.nth_newline(data, 1),
        lines.first_lines(data, count // 2, last=True), lines.last_lines(data, count // 2, first=True),
    )  # fmt: skip


def indexed(data: bytes) -> object:
    index, length = Index(), len(data)
    read: Callable[[int, int], bytes] = lambda start, stop: data[start:stop]  # noqa: E731
    index.add(scan(read, 0, length // BLOCK, ""))
    kept = Index.from_bytes(index.to_bytes(), length)
    last = kept.lines(length, read)
    return [
        (kept.offset_of(number, length, read), kept.style_at(length - 1, read)) for number in (1, last // 2 + 1, last)
    ]


@pytest.mark.parametrize(
    ("work", "make", "n"),
    [
        pytest.param(newlines, lambda n: b"\n" * n, 400_000, id="empty lines"),
        pytest.param(newlines, lambda n: b"\n" + b"x" * n + b"\n", 2_000_000, id="a long line"),
        pytest.param(indexed, lambda n: b"\n" * n, 1_000_000, id="an index of empty lines"),
        pytest.param(indexed, lambda n: b"x" * n, 1_000_000, id="an index of one line"),
        pytest.param(indexed, lambda n: b"\x1b[1m" * n, 200_000, id="an index of colours"),
        pytest.param(indexed, lambda n: b"".join(b"\x1b[%dm\n" % (30 + number % 60) for number in range(n)), 100_000,
                     id="an index of other colours in each line"),
    ],
)  # fmt: skip
def test_lines_cost_in_proportion(work: Callable[[Any], object], make: Callable[[int], Any], n: int) -> None:
    assert is_linear(work, make, n)


# Searches.


def found(text: str, *, forward: bool, regex: bool = False) -> Callable[[bytes], object]:
    """All hits in a log."""

    def work(data: bytes) -> object:
        start = 0 if forward else len(data)
        query = Query(text, len(data), start, None, forward=forward, regex=regex)
        return sum(1 for _ in search(query, lambda start, stop: data[start:stop]))

    return work


@pytest.mark.parametrize("forward", sample([True, False], False), ids=["forward", "back"])
@pytest.mark.parametrize(
    ("text", "make", "n"),
    [
        pytest.param("a", lambda n: b"a" * n, 5000, id="a hit at each byte"),
        pytest.param("a", lambda n: b"a\n" * n, 3000, id="a hit in each line"),
        pytest.param("a", lambda n: b"\x1b[1ma" * n, 5000, id="a colour in front of each hit"),
        pytest.param("a", lambda n: "\N{GRINNING FACE}a".encode() * n, 5000, id="hits between characters of many bytes"),
        pytest.param("a", lambda n: b"\xffa" * n, 5000, id="hits between bytes that are no text"),
        pytest.param("x" * 99 + "y", lambda n: b"x" * n + b"y", 50_000, id="a text that almost matches everywhere"),
        pytest.param("b", lambda n: b"\x1b]" * n + b"b", 20_000, id="strings that never end"),
    ],
)  # fmt: skip
def test_a_search_costs_in_proportion(text: str, make: Callable[[int], bytes], n: int, forward: bool) -> None:
    assert is_linear(found(text, forward=forward), make, n)


@pytest.mark.parametrize("forward", sample([True, False], False), ids=["forward", "back"])
def test_a_search_in_one_line_reads_it_a_few_times(forward: bool) -> None:
    """Where the line begins is found once, not for each piece of it that has a hit."""
    piece, counts = 1 << 20, []
    for size in (8 * piece, 32 * piece):
        bytes_read, content = 0, b"hit".ljust(piece // 2, b".") * (2 * size // piece)

        def read(start: int, stop: int, content: bytes = content) -> bytes:
            nonlocal bytes_read
            bytes_read += stop - start
            return content[start:stop]

        query = Query("hit", size, 0 if forward else size, 0, forward=forward)
        hits = list(search(query, read))
        assert {hit.start for hit in hits} == {0}
        assert len(hits) == 2 * size // piece
        counts.append(bytes_read)
    assert counts[1] <= 5 * counts[0]
    assert counts[0] <= 3 * 8 * piece


# Requests.


def decoded(data: bytes) -> object:
    """A body's framing, as it comes when the peer is quick."""
    decoder, buffer, pieces = ChunkedDecoder(), bytearray(data), 0
    place, stop = 0, len(buffer)
    while place < stop and decoder.fault is None and not decoder.finished:
        part = buffer[place : place + 65536]
        content, consumed = decoder.decode(part, len(part))
        pieces += len(content)
        if not consumed:
            break
        place += consumed
    return pieces


def decoded_by_bytes(data: bytes) -> object:
    decoder, carry = ChunkedDecoder(), b""
    for place in range(len(data)):
        buffer = bytearray(carry + data[place : place + 1])
        _, consumed = decoder.decode(buffer, len(buffer))
        carry = bytes(buffer[consumed:])
    return carry


def ranges_of(header: str) -> object:
    return [resolve(parse_range(header), length, live=live) for length in (0, 10**6) for live in (True, False)]


def fields(*names: str) -> Callable[[str], object]:
    """Structured fields, as a request has them."""

    def work(text: str) -> object:
        with contextlib.suppress(LivelogError):
            announced(lambda name: text.split("\n") if name in names else [])
        return None

    return work


DIGEST, COMPLETE, OFFSET = (
    fields("Repr-Digest", "Content-Digest", "Want-Repr-Digest"),
    fields("Upload-Complete"),
    fields("Upload-Offset"),
)


def known(name: str) -> Callable[[str], object]:
    def work(text: str) -> object:
        with contextlib.suppress(LivelogError):
            Attributes.NONE.updated({name: [text]})
        return None

    return work


def opened(path: str) -> object:
    access = Access("secret", "other")
    token, _, name = path.partition("/")
    return (
        is_name(name) or access.judge(token, name, 0),
        access.judge_write(bearer(path), path, 0),
        access.is_secret_in(path[:300]),
    )


def told(data: bytes) -> object:
    return text_event(0, data, [(0, 0)]), whole_characters(data)


@pytest.mark.parametrize(
    ("work", "make", "n"),
    [
        pytest.param(decoded, lambda n: b"1\r\na\r\n" * n, 20_000, id="chunks of a byte"),
        pytest.param(decoded, lambda n: b"1\r\na\r\n02\r\nab\r\n" * n, 5000, id="chunks of different sizes"),
        pytest.param(decoded, lambda n: (b"1;" + b"x" * 4000 + b"\r\na\r\n") * n, 100, id="chunks with long extensions"),
        pytest.param(decoded, lambda n: b"0\r\n" + b"a:b\r\n" * n, 700, id="trailer fields"),
        pytest.param(decoded_by_bytes, lambda n: (b"1;" + b"x" * 1000 + b"\r\na\r\n") * n, 4, id="long extensions byte by byte"),
        pytest.param(ranges_of, lambda n: "bytes=" + ",".join(f"{i}-{i}" for i in range(0, 2 * n, 2)), 1000, id="many ranges"),
        pytest.param(ranges_of, lambda n: "bytes=" + "0-,-5," * n, 1000, id="ranges that overlap"),
        pytest.param(ranges_of, lambda n: "bytes=" + "1" * n + "-" + "2" * n, 20_000, id="a range of large numbers"),
        pytest.param(ranges_of, lambda n: "bytes=" + " ," * n, 10_000, id="ranges that are none"),
        pytest.param(DIGEST, lambda n: ",".join(f"a{i}=1" for i in range(n)), 250, id="a dictionary of many members"),
        pytest.param(DIGEST, lambda n: "a=1" + ";b=1" * n, 500, id="many parameters"),
        pytest.param(DIGEST, lambda n: "a=(" + "1;a=1 " * n + ")", 300, id="an inner list"),
        pytest.param(DIGEST, lambda n: "a=:" + "A" * n, 2000, id="bytes that never end"),
        pytest.param(DIGEST, lambda n: 'a="' + "\\\\" * n, 1000, id="a string that never ends"),
        pytest.param(DIGEST, lambda n: "a=1" + " " * n, 2000, id="spaces behind a member"),
        pytest.param(DIGEST, lambda n: "\n".join(["a=1"] * n), 400, id="many lines of a field"),
        pytest.param(DIGEST, lambda n: "a=1," * n, 100_000, id="a field that is too long for anybody"),
        pytest.param(COMPLETE, lambda n: "?1" + ";a" * n, 1000, id="an item with many parameters"),
        pytest.param(OFFSET, lambda n: "1" * n, 2000, id="a number that never ends"),
        pytest.param(_WAIT_PREFERENCE.search, lambda n: "," + " " * n, 20_000, id="Prefer: spaces"),
        pytest.param(_WAIT_PREFERENCE.search, lambda n: ", wait" * n, 5000, id="Prefer: preferences without a value"),
        pytest.param(_ENTITY_TAG.findall, lambda n: '"' * n, 10_000, id="entity-tags: quotes"),
        pytest.param(_ENTITY_TAG.findall, lambda n: 'W/"a ' * n, 5000, id="entity-tags: many that never end"),
        pytest.param(_ENTITY_TAG.findall, lambda n: '"' + "a" * n, 20_000, id="entity-tags: one that never ends"),
        pytest.param(passive_type, lambda n: "text/" + "script" * n, 3000, id="Content-Type: a long subtype"),
        pytest.param(passive_type, lambda n: "text/plain" + " ;a=b" * n + "!", 3000, id="Content-Type: many parameters"),
        pytest.param(passive_type, lambda n: "text/plain;" + " " * n + "!", 20_000, id="Content-Type: spaces"),
        pytest.param(is_loopback, lambda n: ":" * n + "x", 20_000, id="Host: colons"),
        pytest.param(is_loopback, lambda n: ":" + "1" * n + "x", 20_000, id="Host: a port that is none"),
        pytest.param(is_loopback, lambda n: "1." * n, 20_000, id="Host: a long address"),
        pytest.param(known("livelog-label"), lambda n: ",".join(f"a{i}=b" for i in range(n)), 300, id="many labels"),
        pytest.param(known("livelog-label"), lambda n: "a=" + "b" * n, 20_000, id="a long label"),
        pytest.param(known("livelog-label"), lambda n: "," * n, 2000, id="labels that are none"),
        pytest.param(known("livelog-title"), lambda n: "\u0301\u202e\U0010ffff" * n, 20_000, id="a title of odd characters"),
        pytest.param(known("livelog-exit-code"), lambda n: "1" * n, 20_000, id="an exit code that never ends"),
        pytest.param(opened, lambda n: "a/" * n, 20_000, id="a name of many segments"),
        pytest.param(opened, lambda n: "." * n + "/" + "a" * n, 20_000, id="a token of dots"),
        pytest.param(opened, lambda n: "Bearer " + " " * n, 20_000, id="a token of spaces"),
        pytest.param(told, lambda n: b"\xff" * n, 20_000, id="events of bytes that are no text"),
        pytest.param(told, lambda n: b"\xf0\x90" * n, 20_000, id="events of characters that are not whole"),
        pytest.param(told, lambda n: b"\x00\x1b\x7f" * n, 20_000, id="events of controls"),
    ],
)  # fmt: skip
def test_a_request_costs_in_proportion(work: Callable[[Any], object], make: Callable[[int], Any], n: int) -> None:
    assert is_linear(work, make, n)
