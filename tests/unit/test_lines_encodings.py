"""Encodings by the names that logs declare, and that a search finds what is written in them where it is."""

import itertools

import pytest

from livelog.lines.encodings import _KNOWN, encoding_of
from livelog.lines.query import Query
from tests.sample import sample

from .searching import search


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("text/plain", "utf-8"),
        ("text/plain; charset=utf-8", "utf-8"),
        ("text/plain; charset=UTF8", "utf-8"),
        ("text/plain; charset=windows-1252", "cp1252"),
        ('text/plain; charset="windows-1252"', "cp1252"),
        ("text/plain; format=flowed; Charset = latin1", "cp1252"),
        ("text/plain; charset=us-ascii", "cp1252"),
        ("text/plain; charset=iso-8859-2", "iso8859-2"),
        ("text/plain; charset=Shift_JIS", "cp932"),
        ("text/plain; charset=windows-31j", "cp932"),
        ("text/plain; charset=gb2312", "gbk"),
        ("text/plain; charset=euc-kr", "cp949"),
        ("text/plain; charset=macintosh", "mac-roman"),
        ("text/plain; charset=utf-16le", "utf-8"),
        ("text/plain; charset=utf-7", "utf-8"),
        ("text/plain; charset=rot13", "utf-8"),
        ("text/plain; charset=zlib", "utf-8"),
        ("text/plain; charset=nonsense", "utf-8"),
        ("text/plain; charset=größe", "utf-8"),
        ("text/plain; charset=", "utf-8"),
    ],
)
def test_encoding_is_the_one_that_is_declared_if_its_lines_end_as_all_do(declared: str, encoding: str) -> None:
    assert encoding_of(declared) == encoding


MULTIBYTE = ("big5hkscs", "cp932", "cp949", "euc_jp", "gb18030", "gbk", "utf-8")


@pytest.mark.parametrize("encoding", sample(sorted(_KNOWN), *MULTIBYTE, "cp1252"))
def test_any_bytes_have_a_text_that_takes_as_many_bytes(encoding: str) -> None:
    """So that a hit's place in the bytes follows from its place in the text."""
    for pair in itertools.product(range(256), repeat=2):
        data = bytes(pair)
        text = data.decode(encoding, "surrogateescape")
        assert len(text.encode(encoding, "surrogateescape")) == 2
    assert bytes(range(128)).decode(encoding) == bytes(range(128)).decode()


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Größe"),
        ("koi8-r", "журнал"),
        ("cp932", "ログ表示"),
        ("gb18030", "日志"),
        ("euc_jp", "ログ"),
        ("utf-8", "ログ"),
    ],
)
@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("regex", [True, False])
def test_text_is_found_in_its_encoding_where_it_is(encoding: str, text: str, forward: bool, regex: bool) -> None:
    before = f"{text[::-1]} \x1b[31mx "
    line = f"{before}{text}\x1b[0m {text[::-1]}\r\n"
    content = f"none\r\n{line}none\n".encode(encoding)
    start, newlines = (0, 0) if forward else (len(content), 3)
    query = Query(text, len(content), start, newlines, regex=regex, forward=forward, encoding=encoding)
    [hit] = search(query, lambda first, stop: content[first:stop])
    assert content[hit.offset : hit.offset + hit.length].decode(encoding) == text
    assert (hit.line, hit.offset) == (2, len(f"none\r\n{before}".encode(encoding)))
    assert hit.text == f"{text[::-1]} x {text} {text[::-1]}"


def test_letters_are_equal_to_their_small_ones_in_every_encoding() -> None:
    content = "ЖУРНАЛ\n".encode("koi8-r")
    hits = list(
        search(
            Query("журнал", len(content), 0, 0, forward=True, encoding="koi8-r"), lambda *place: content[slice(*place)]
        )
    )
    assert [(hit.offset, hit.length) for hit in hits] == [(0, 6)]
    assert not list(
        search(
            Query("журнал", len(content), 0, 0, case=True, forward=True, encoding="koi8-r"),
            lambda *place: content[slice(*place)],
        )
    )


def test_text_that_an_encoding_does_not_have_is_not_found() -> None:
    content = b"caf\xe9\n"
    query = Query("漢", len(content), 0, 0, forward=True, encoding="cp1252")
    assert list(search(query, lambda first, stop: content[first:stop])) == []
