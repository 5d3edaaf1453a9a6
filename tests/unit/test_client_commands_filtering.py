"""Which lines a filter shows, with `grep` itself as the oracle.

Categories: matches · context and gaps · sequences and carriage returns · wrong patterns.
"""

import random
import shutil
import subprocess

import pytest

from livelog.client.api.reader import Line
from livelog.client.commands.filtering import LineFilter, Wanted, plain


def shown(text: str, wanted: Wanted) -> str:
    """What is shown of a text, as `grep` writes it."""
    chosen, output = LineFilter(wanted), []
    for offset, line in enumerate(text.splitlines()):
        for each, how in chosen(Line(offset, line.encode() + b"\n")):
            output += ["--"] if how.apart and (wanted.before or wanted.after) else []
            output.append(f"{each.offset + 1}{'-' if how.context else ':'}{each.text}")
    return "".join(f"{line}\n" for line in output)


@pytest.mark.parametrize("seed", range(12))
def test_lines_are_those_that_grep_shows(seed: int) -> None:
    chance = random.Random(seed)
    text = "".join(
        f"{chance.choice(['error', 'Error', 'fine', '', 'a error b'])}\n" for _ in range(chance.randrange(40))
    )
    before, after = chance.randrange(4), chance.randrange(4)
    wanted = Wanted("error", chance.random() < 0.5, chance.random() < 0.5, chance.random() < 0.5, before, after)
    options = ["-i"] * wanted.ignore_case + ["-v"] * wanted.invert
    options += [f"-B{before}"] * (before > 0) + [f"-A{after}"] * (after > 0)
    command = [shutil.which("grep") or "grep", "-n", *options, "-e", "error"]
    oracle = subprocess.run(command, input=text.encode(), capture_output=True)
    assert shown(text, wanted) == oracle.stdout.decode()


def test_sequences_and_carriage_returns_are_not_seen() -> None:
    chosen = LineFilter(Wanted("^red$"))
    assert [line.offset for line, _ in chosen(Line(7, b"\x1b[31mr\x1b[0med\r\n"))] == [7]
    assert plain("\x1b[31mr\x1b]8;;x\x07ed") == "red"


def test_text_is_taken_as_it_is_only_if_it_is_fixed() -> None:
    assert LineFilter(Wanted("a.c", fixed=True)).matches("xa.cx")
    assert not LineFilter(Wanted("a.c", fixed=True)).matches("abc")
    assert LineFilter(Wanted("a.c")).matches("abc")


def test_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a pattern"):
        LineFilter(Wanted("("))
