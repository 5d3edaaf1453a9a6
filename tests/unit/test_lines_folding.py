"""What two runs of a job have in common, by examples: each pair is one line; and what keeps lines apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livelog.lines.folding import fold


def folded(text: str) -> bytes:
    """The folded form of one line."""
    (line,) = fold(text.encode())
    return line


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2026-11-28T02:03:04.120Z a", "2026-11-29T23:59:59.1234567Z a"),
        ("2026-11-28 02:03:04,120 INFO a", "2026-12-01 02:03:04,7 INFO a"),
        ("2026-11-28T02:03:04 a", "2026-11-28T02:03:04.5 a"),
        ("Sat Nov 28 15:48:15 2026 a", "Sun Dec  6 05:08:05 2026 a"),
        ("Saturday, 28 Nov 2026 a", "Wednesday, 2 Dec 2026 a"),
        ("28/Nov/2026:15:48:15 +0100", "01/May/2026:05:08:05 +0100"),
        ("28-Nov-2026", "1-Jan-2027"),
        ("Mar 5, 2026", "June 15, 2026"),
        ("12:00:01 AM", "3:00:01 PM"),
        ("[00:01] a", "[12:34:56] a"),
        ("took 1m 30s", "took 45s"),
        ("took 1 h, 2 min", "took 3.5 seconds"),
        ("took 5 ms", "took 1.2 µs"),
        ("took 0 ms", "took 12 ms"),
        ("0.00s call", "12.01s call"),
        ("1,024 kB of 2 MB", "3 B of 1.5 GiB"),
        ("0%", "100%"),
        ("[  5%] a", "[100%] a"),
        ("a 7 b", "a 12345 b"),
        ("a.c:12:5: b", "a.c:7: b"),
        ("test_0 test_a0", "test_12 test_a3"),
        ("at 0x7ffd1234abcd", "at 0x0"),
        ("commit 1a2b3c4", "commit 1234567890abcdef1234567890abcdef12345678"),
        ("commit deadbee", "commit 1234567"),
        ("v1.2-5-g1a2b3c4d", "v1.10-12-gdeadbeef"),
        ("sha256:AB12CD34", "sha256:ff00ff00"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id abcdefab-cdef-abcd-efab-cdefabcdefab"),
        ("in /tmp/pip-req-x7_ab/src", "in /tmp/zzz/src"),
        ("/private/var/folders/zz/abc/T/foo/x", "/private/var/folders/q1/d/T/bar/x"),
        (r"C:\Users\me\AppData\Local\Temp\abc\x", r"C:\Users\me\AppData\Local\Temp\xyz\x"),
        ("tmpab12cd_x", "tmpzzzzzzzz"),
        ("tmp.AbCdEf1234", "tmp.QwErTyUiOp"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("10%\r50%\r100%\r", "7%"),
        ("a\tb   c ", "  a b c"),
        ("done\r", "done"),
    ],
)
def test_lines_that_differ_only_so_are_the_same(one: str, other: str) -> None:
    assert folded(one) == folded(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0 failed", "3 failed"),
        ("Failures: 0, Errors: 1", "Failures: 1, Errors: 1"),
        ("exit code 0.", "exit code 1."),
        ("a 1", "b 1"),
        ("facade", "decade"),
        ("March on", "April on"),
        ("Monday", "Sunday"),
        ("5 hello", "5 world"),
        ("/home/a/x", "/home/b/x"),
        ("ab", "a b"),
        ("1 apple", "1"),
    ],
)
def test_lines_that_say_something_else_stay_apart(one: str, other: str) -> None:
    assert folded(one) != folded(other)


PARTS = st.sampled_from(
    [b"\n", b"\r", b"\t", b" ", b"0", b"1", b"7", b"a", b"f", b"-", b":", b"\x1b[", b"m", b"\x1b]", b"/tmp/", b"tmp", b"Temp", b"Nov ", b"s", b"x", b"T", b".", b",", b"\xc2\xb5s"]
)  # fmt: skip


@given(st.lists(PARTS).map(b"".join))
def test_each_line_is_folded_by_itself(data: bytes) -> None:
    """Its neighbours change nothing; so pieces may be cut between any two lines."""
    assert fold(data) == [line for each in data.split(b"\n") for line in fold(each)]
