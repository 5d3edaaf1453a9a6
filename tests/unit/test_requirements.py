"""docs/protocol/conformance.md names tests and cases that exist, and every section that a case of the conformance suite checks.

Refuses to judge whether they show what the document says.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]

DOCUMENT = ROOT / "docs/protocol/conformance.md"

HTTP, UPLOADS = "## HTTP\n", "## Resumable uploads\n"

LEVELS = {"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MUST, of clients", "–"}

TEST = re.compile(r"`(test_\w+)`")

CASES = re.compile(r"`(\w+\.toml)`")


def section(heading: str) -> str:
    """What the document says under a heading, up to the next section."""
    return DOCUMENT.read_text(encoding="utf-8").partition(heading)[2].partition("\n## ")[0]


def rows(heading: str) -> list[list[str]]:
    """The cells of each row of the table under a heading."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def known_tests() -> set[str]:
    """The names of all tests that there are."""
    return {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def cited() -> set[tuple[str, str]]:
    """Each section that a case cites, as the document writes it, with the file of the case."""
    found = set()
    for path in (ROOT / "tests/conformance/cases").glob("*.toml"):
        for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]:
            texts = case.get("rfc", [])
            for text in [texts] if isinstance(texts, str) else texts:
                number, _, place = text.partition(" §")
                found.add((f"RFC {number}, {place}", path.name))
    return found


def test_every_test_that_the_document_names_exists() -> None:
    named = set(TEST.findall(DOCUMENT.read_text(encoding="utf-8")))
    assert named
    assert named - known_tests() == set()


def test_every_requirement_of_uploads_has_a_level_and_tests_or_a_reason() -> None:
    assert rows(UPLOADS)
    for _section, requirement, level, shown in rows(UPLOADS):
        assert requirement
        assert level in LEVELS, requirement
        assert TEST.search(shown) or " " in shown, requirement


def test_every_requirement_of_http_has_tests_or_cases() -> None:
    assert rows(HTTP)
    for _specification, requirement, shown in rows(HTTP):
        assert TEST.search(shown) or CASES.search(shown), requirement


def test_every_section_that_a_case_checks_has_a_row_that_names_its_file_and_no_other() -> None:
    listed = {
        (specification, file) for specification, _requirement, shown in rows(HTTP) for file in CASES.findall(shown)
    }
    assert listed == cited()
