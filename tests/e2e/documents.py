"""Commands in documents: finds the fenced `sh`, `bash` and `console` blocks of a Markdown file.

A comment in front of a block says how it is run:

    <!-- not-run: NAME -->          not at all; NAME stands, with a reason, in the list of `test_readme.py`
    <!-- background: TEXT -->       it goes on while the next blocks run, which begin once TEXT was written by it or by
                                    any block that still runs; without TEXT, they begin at once

In a `console` block the lines that begin with `$ ` are commands, and the others are what they write; a line of
`...` stands for any lines.
"""

import re
from dataclasses import dataclass

_FENCE = re.compile(r"(?P<indent> *)(?P<fence>```+|~~~+) *(?P<language>[A-Za-z]*)[^\n]*")
_MARK = re.compile(r"<!-- *(?P<kind>not-run|background)(?:: *(?P<text>.*?))? *-->")

LANGUAGES = ("sh", "bash", "shell", "console")


@dataclass(frozen=True, slots=True)
class Block:
    """Commands that stand together, from `line` on. `expected`: what they write; None if that is not said."""

    line: int
    script: str
    expected: tuple[str, ...] | None
    not_run: str | None
    background: str | None
    """What to wait for; None for a block that must end by itself."""


def blocks(text: str) -> list[Block]:
    """All blocks of commands in a Markdown text, in order. Raises: ValueError, if a mark or a fence is misplaced."""
    found = []
    lines = text.split("\n")
    number = 0
    mark: re.Match[str] | None = None
    while number < len(lines):
        line = lines[number]
        number += 1
        fence = _FENCE.fullmatch(line)
        if fence is None:
            here = _MARK.fullmatch(line.strip())
            if mark is not None and (here is not None or line.strip()):
                raise ValueError(f"line {number}: no block follows {mark[0]}")
            mark = here or mark
            continue
        first, inside = number + 1, []
        while True:
            if number == len(lines):
                raise ValueError(f"line {first - 1}: this block has no end")
            inner = lines[number]
            number += 1
            if inner.strip() == fence["fence"]:
                break
            inside.append(inner.removeprefix(fence["indent"]))
        if fence["language"] in LANGUAGES:
            found.append(_block(first, fence["language"], inside, mark))
        elif mark is not None:
            raise ValueError(f"line {first - 1}: {mark[0]} in front of a block that is never run")
        mark = None
    if mark is not None:
        raise ValueError(f"no block follows {mark[0]}")
    return found


def _block(line: int, language: str, inside: list[str], mark: re.Match[str] | None) -> Block:
    script, expected = inside, None
    if language == "console":
        script, output, continued = [], [], False
        for text in inside:
            if text.startswith("$ ") or continued:
                command = text if continued else text[2:]
                script.append(command)
                continued = command.endswith("\\")
            else:
                output.append(text)
        expected = tuple(output) or None
    kind, text = (mark["kind"], mark["text"] or "") if mark is not None else ("", "")
    return Block(
        line=line,
        script="\n".join(script) + "\n",
        expected=expected,
        not_run=text if kind == "not-run" else None,
        background=text if kind == "background" else None,
    )


def shows(output: str, expected: tuple[str, ...]) -> bool:
    """Whether `output` is what a document says: line by line, `...` for any lines, and within a line for any text."""
    any_text = re.escape("...")
    pattern = "".join(
        "(?:.*\n)*?" if line.strip() == "..." else re.escape(line).replace(any_text, ".*?") + "\n" for line in expected
    )
    return re.fullmatch(pattern, output if output.endswith("\n") else output + "\n") is not None
