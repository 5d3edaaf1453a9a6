"""docs/commands.md, the reference of all commands and options, is made from their parsers.

`python -m tests.unit.test_commands` writes it anew. It is not the text of `--help`, whose form depends on Python's version.
"""

import argparse
import re
import sys
from pathlib import Path

import pytest

from livelog import cli

COMMANDS = Path(__file__).parents[2] / "docs/commands.md"

HEAD = """\
# Commands

All commands and their options, as `livelog COMMAND --help` shows them. [The client](client.md) explains how to use them, [settings](settings.md)
the options of the server. This page is generated: `python -m tests.unit.test_commands` writes it.

"""


def text(description: str) -> str:
    """A parser's description as Markdown: what is indented is code."""
    parts = []
    for paragraph in description.strip("\n").split("\n\n"):
        if paragraph.startswith("  "):
            lines = "\n".join(line.removeprefix("  ") for line in paragraph.split("\n"))
            parts.append(f"```text\n{lines}\n```")
        else:
            parts.append(paragraph)
    return "\n\n".join(parts)


def value(action: argparse.Action) -> str:
    """How the value of an option is written."""
    if action.nargs == 0:
        return ""
    name = "|".join(map(str, action.choices)) if action.choices else str(action.metavar or action.dest.upper())
    return f"[{name}]" if action.nargs == "?" else name


def row(action: argparse.Action) -> str:
    """An option, or an argument, as a row of a table."""
    shown = value(action)
    if action.option_strings:
        first = ", ".join(action.option_strings)
        shown = f"{first} {shown}".rstrip()
    meaning = (action.help or "").replace("|", "\\|")
    if isinstance(action, argparse._HelpAction):
        meaning = "print the help"
    return f"| `{shown}` | {meaning} |".replace("| `" + shown, "| `" + shown.replace("|", "\\|"))


def usage(parser: argparse.ArgumentParser) -> str:
    """A short form of the command: the options are in the table."""
    words = [str(action.metavar or action.dest) for action in parser._actions if not action.option_strings]
    optional = [action for action in parser._actions if not action.option_strings]
    shown = [
        f"[{word}]" if action.nargs == "?" else f"{word} ..." if action.nargs == "+" else word
        for word, action in zip(words, optional, strict=True)
    ]
    return " ".join([parser.prog, "[OPTIONS]", *shown])


def command(name: str, parser: argparse.ArgumentParser) -> str:
    """The section of one command."""
    rows = [row(action) for action in parser._actions]
    parts = [
        f"## {name}",
        f"```text\n{usage(parser)}\n```",
        text(parser.description or ""),
        "| option or argument | meaning |\n|---|---|\n" + "\n".join(rows),
    ]
    if parser.epilog:
        parts.append(re.sub(r"\s+", " ", parser.epilog).strip())
    return "\n\n".join(parts) + "\n"


def document() -> str:
    """The whole page."""
    parsers = cli.parsers()
    listed = "\n".join(
        f"| [`livelog {name}`](#{name}) | {match[1]} |"
        for name in parsers
        if (match := re.search(rf"^  {name} +(.+)$", cli.OVERVIEW, re.MULTILINE)) is not None
    )
    sections = "\n".join(command(name, parser) for name, parser in parsers.items())
    return f"{HEAD}| command | purpose |\n|---|---|\n{listed}\n\n{sections}"


def test_the_reference_of_commands_is_current() -> None:
    assert COMMANDS.read_text(encoding="utf-8") == document(), "python -m tests.unit.test_commands writes it anew"


@pytest.mark.parametrize("name", cli.parsers())
def test_every_command_is_listed_and_every_option_has_a_meaning(name: str) -> None:
    assert re.search(rf"^  {name} ", cli.OVERVIEW, re.MULTILINE)
    parser = cli.parsers()[name]
    assert parser.description
    assert "xit codes:" in f"{parser.description}{parser.epilog}"
    assert [action.dest for action in parser._actions if not action.help and action.nargs != argparse.REMAINDER] == []


if __name__ == "__main__":
    COMMANDS.write_text(document(), encoding="utf-8")
    sys.exit(0)
