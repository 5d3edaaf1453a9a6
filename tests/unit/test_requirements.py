"""The table in which docs/protocol.md shows how the server follows the draft of resumable uploads names tests that exist.

Refuses to judge whether they show it.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

HEADING = "## Requirements of the draft\n"

LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MUST, of clients", "–"}

TEST = re.compile(r"`(test_\w+)`")


def section() -> str:
    """What the document says of the requirements, up to the next section."""
    text = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    return text.partition(HEADING)[2].partition("\n## ")[0]


def rows() -> list[list[str]]:
    """The cells of each row of the table."""
    lines = [line for line in section().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def known_tests() -> set[str]:
    """The names of all tests that there are."""
    return {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_every_test_that_the_requirements_name_exists() -> None:
    named = set(TEST.findall(section()))
    assert named
    assert named - known_tests() == set()


def test_every_requirement_has_a_level_and_tests_or_a_reason() -> None:
    assert rows()
    for _section, requirement, level, shown in rows():
        assert requirement
        assert level in LEVELS, requirement
        assert TEST.search(shown) or " " in shown, requirement
