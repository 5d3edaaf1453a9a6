"""Whatever reads a stranger's bytes takes time in proportion to them: hostile inputs of n and of 4 n."""

from collections.abc import Callable
from typing import Any

import pytest

from livelog.client.terminal import Neutraliser
from livelog.lines.failures import find
from livelog.lines.groups import Groups, marks
from livelog.lines.sgr import plain, style_after

from .meter import is_linear


def test_a_quadratic_function_is_found_out() -> None:
    assert not is_linear(lambda data: [data[place:] for place in range(len(data))], lambda n: b"x" * n, 3000)


def groups(data: bytes) -> object:
    found = Groups()
    found.add(len(data), data.count(b"\n"), marks(data, 1))
    return found


def style(data: bytes) -> object:
    return style_after("", data, 0, len(data))


def errors(data: bytes) -> object:
    return list(find(data.decode()))


def shown(data: bytes) -> object:
    return Neutraliser()(data, last=True)


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
        *(
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
