"""Every relative link of the documents leads to a file that is there, and every anchor to a heading.

Anchors are those that GitHub gives to headings. Refuses to look at addresses of other sites: tests need no network.
"""

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]


def documents() -> list[Path]:
    """All Markdown files that belong to the repository, also those that are new."""
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
        capture_output=True, check=False,
    ).stdout  # fmt: skip
    found = [ROOT / name for name in listed.decode().split("\0") if name]
    return sorted(path for path in found or [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if path.exists())


LINK = re.compile(
    r"(?<!\\)\[(?:[^\[\]]|\[[^\[\]]*\])*\]\((?P<inline><[^>]*>|[^()\s]+)(?:\s+\"[^\"]*\")?\)"
    r"|^\[[^\]]+\]:\s*(?P<reference>\S+)",
    re.MULTILINE,
)

HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$", re.MULTILINE)


def prose(text: str) -> str:
    """A document without its code, in which brackets mean nothing."""
    text = re.sub(r"^ *(```+|~~~+)[^\n]*\n.*?^ *\1 *$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(`+)(?:(?!\1).)+?\1", lambda match: "x" * len(match[0]), text)


def links(text: str) -> list[str]:
    """The targets of all links of a document."""
    return [(match["inline"] or match["reference"]).strip("<>") for match in LINK.finditer(prose(text))]


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    code = re.sub(r"^ *(```+|~~~+)[^\n]*\n.*?^ *\1 *$", "", text, flags=re.MULTILINE | re.DOTALL)
    found: dict[str, int] = {}
    names = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", code))
    for heading in HEADING.findall(code):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        names.add(slug if slug not in found else f"{slug}-{found[slug]}")
        found[slug] = found.get(slug, 0) + 1
    return names


def faults(document: Path, text: str) -> list[str]:
    """The links of a document that lead nowhere."""
    found = []
    for target in links(text):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc or target.startswith("mailto:"):
            continue
        path = document if not parts.path else (document.parent / unquote(parts.path)).resolve()
        if not path.exists() or not path.is_relative_to(ROOT):
            found.append(f"{target}: there is no such file")
        elif parts.fragment and path.suffix == ".md" and parts.fragment not in anchors(path.read_text("utf-8")):
            found.append(f"{target}: there is no such heading")
    return found


@pytest.mark.parametrize("document", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    assert faults(document, document.read_text(encoding="utf-8")) == []


def test_links_and_anchors_are_found() -> None:
    text = "# One `two`\n\n## It's a/b\n## It's a/b\n\n[x](a.md#b) ![y](i.png) `[no](c.md)`\n\n[z]: d.md\n\n```sh\n[n](e.md)\n# no\n```\n"
    assert links(text) == ["a.md#b", "i.png", "d.md"]
    assert anchors(text) == {"one-two", "its-ab", "its-ab-1"}


def test_links_that_lead_nowhere_are_faults() -> None:
    text = "[a](no.md) [b](README.md#no) [c](#no) [d](https://example.org/no) [e](README.md) [f](../outside.md)\n"
    assert faults(ROOT / "CHANGELOG.md", text) == [
        "no.md: there is no such file",
        "README.md#no: there is no such heading",
        "#no: there is no such heading",
        "../outside.md: there is no such file",
    ]


def test_every_page_of_the_documents_can_be_reached_from_the_readme() -> None:
    """By following links: a page that nothing links to is found by nobody."""
    seen: set[Path] = set()
    left = [ROOT / "README.md"]
    while left:
        document = left.pop()
        if document in seen or document.suffix != ".md" or not document.exists():
            continue
        seen.add(document)
        left += [
            (document.parent / unquote(urlsplit(target).path)).resolve()
            for target in links(document.read_text(encoding="utf-8"))
            if not urlsplit(target).scheme and urlsplit(target).path
        ]
    assert set((ROOT / "docs").glob("**/*.md")) - seen == set()
