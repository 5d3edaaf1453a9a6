"""Where documents are in the site, and what their links are there."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from website.__main__ import GENERATED, documents
from website.pages import Entry, for_browsers, for_site, in_site, llms_txt, navigation, summary

ROOT = Path(__file__).parents[2]


def everything_exists(path: str) -> bool:
    """A repository in which nothing is missing."""
    return bool(path)


def test_every_document_is_in_the_navigation_once_and_every_entry_is_a_document() -> None:
    """Who adds a document adds it to the list in `website/zensical.toml`."""
    settings = tomllib.loads((ROOT / "website/zensical.toml").read_text(encoding="utf-8"))
    listed = [entry.path for entry in navigation(settings["project"]["nav"])]
    assert sorted(listed) == sorted([*(in_site(document) for document in documents()), *GENERATED])


def test_the_navigation_has_the_four_kinds_of_page() -> None:
    """Lessons, recipes, facts, reasons: whoever looks for one of them is not shown another."""
    settings = tomllib.loads((ROOT / "website/zensical.toml").read_text(encoding="utf-8"))
    sections = [entry.section.partition(": ")[0] for entry in navigation(settings["project"]["nav"])]
    assert list(dict.fromkeys(sections)) == ["", "Tutorial", "How-to", "Reference", "Explanation"]


def test_a_navigation_is_read_with_the_titles_above_each_page() -> None:
    """As deep as it goes."""
    nav: list[dict[str, Any]] = [{"Start": "index.md"}, {"A": [{"One": "one.md"}, {"B": [{"Two": "b/two.md"}]}]}]
    assert list(navigation(nav)) == [
        Entry("", "Start", "index.md"),
        Entry("A", "One", "one.md"),
        Entry("A: B", "Two", "b/two.md"),
    ]


@pytest.mark.parametrize(
    ("document", "text", "expected"),
    [
        ("README.md", "[a](docs/client.md)", "[a](client.md)"),
        ("README.md", "[a](docs/client.md#from-python) [b](docs/viewer.md)", "[a](client.md#from-python) [b](viewer.md)"),
        ("README.md", "![a](docs/images/x.png)", "![a](images/x.png)"),
        ("README.md", '<img src="docs/images/x.svg" alt="">', '<img src="images/x.svg" alt="">'),
        ("README.md", "[![a](docs/x.png)](docs/client.md)", "[![a](x.png)](client.md)"),
        ("README.md", "[MPL](LICENSE)", "[MPL](files/LICENSE)"),
        ("README.md", '[a](docs/client.md "the client")', '[a](client.md "the client")'),
        ("docs/client.md", "[a](operations.md#settings)", "[a](operations.md#settings)"),
        ("docs/client.md", "[a](../README.md)", "[a](index.md)"),
        ("docs/client.md", "[a](../benchmarks/README.md)", "[a](benchmarks.md)"),
        ("docs/client.md", "[a](../packaging/livelog.service)", "[a](files/packaging/livelog.service)"),
        ("docs/client.md", "[a](../packaging/README.md#x)", "[a](files/packaging/README.md.txt#x)"),
        ("docs/how/nginx.md", "[a](../client.md) [b](../../LICENSE)", "[a](../client.md) [b](../files/LICENSE)"),
        ("docs/client.md", "[there]: ../README.md#x", "[there]: index.md#x"),
        ("docs/client.md", "[a](#here) [b](https://example.org/x.md)", "[a](#here) [b](https://example.org/x.md)"),
        ("docs/client.md", "`[a](gone.md)`", "`[a](gone.md)`"),
        ("docs/client.md", "a\n<!-- background: ready -->\nb", "a\nb"),
        ("docs/client.md", "```md\n[a](gone.md)\n<!-- not-run: x -->\n```", "```md\n[a](gone.md)\n<!-- not-run: x -->\n```"),
        ("docs/client.md", "- x\n\n  ~~~\n  [a](gone.md)\n  ~~~\n", "- x\n\n  ~~~\n  [a](gone.md)\n  ~~~\n"),
    ],
)  # fmt: skip
def test_links_are_those_of_the_site(document: str, text: str, expected: str) -> None:
    """And nothing else is changed, but for the notes to the tests, which go."""

    def exists(path: str) -> bool:
        return "gone" not in path

    assert for_site(document, text, exists)[0] == expected


def test_files_that_a_document_links_to_are_told() -> None:
    """They are copied into the site."""
    text = "[a](../LICENSE) ![b](images/b.png)\n[c](client.md)"
    assert for_site("docs/x.md", text, everything_exists)[1] == ["LICENSE", "docs/images/b.png", "docs/client.md"]


def test_a_link_to_no_file_is_told_with_document_and_line() -> None:
    """It is what a build fails for."""
    with pytest.raises(ValueError, match=r"^docs/x.md:4: no such file: gone.md#a$"):
        for_site(
            "docs/x.md",
            "a\n<!-- background -->\n```\n```\n[a](gone.md#a)".replace("<!-- background -->\n", ""),
            lambda _: False,
        )


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("# Title\n\nOne sentence. Another one.", "One sentence."),
        ("# Title\n\nTwo\nlines. More", "Two lines."),
        ("# T\n\n![a](b.png)\n\n**Bold**, a [link](x.md) and `code`.", "Bold, a link and `code`."),
        ("# T\n\n```sh\nnot this\n```\n\n- nor this\n\nThis, e.g. this.", "This, e.g. this."),
        ("# T\n\n| a |\n|---|\n", ""),
        ("# T\n\nWithout an end", "Without an end"),
    ],
)
def test_a_page_is_told_by_its_first_sentence(page: str, expected: str) -> None:
    """Without headings, code, lists, tables and pictures."""
    assert summary(page) == expected


def test_llms_txt_lists_the_pages_under_their_sections() -> None:
    """As llmstxt.org has it: a title, a summary as a quotation, lists of links."""
    entries = [
        (Entry("", "Start", "index.md"), "What it is."),
        (Entry("How-to", "Client", "client.md"), ""),
        (Entry("How-to: More", "CI", "ci.md"), "In CI."),
    ]
    assert llms_txt("livelog", "logs", entries) == (
        "# livelog\n\n> logs\n\n- [Start](index.md): What it is.\n\n## How-to\n\n- [Client](client.md)\n- [CI](ci.md): In CI.\n"
    )


def test_a_page_for_browsers_asks_no_other_server_and_names_its_markdown() -> None:
    """The generator's one script from elsewhere is replaced by ours, at any depth."""
    page = (
        '<head></head><script src="https://unpkg.com/iframe-worker/shim"></script><a href="https://example.org">x</a>'
    )
    twin = '<head><link rel="alternate" type="text/markdown" href="b.md"></head>'
    rest = '<script src="../file-worker.js"></script><a href="https://example.org">x</a>'
    assert for_browsers("a/b.md", page) == twin + rest


@pytest.mark.parametrize(
    "asks",
    [
        '<script async src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="https://fonts.example/css">',
        '<img alt="" src="http://badge.example/x.svg">',
        "<link rel=icon href=https://example.org/x.png>",
    ],
)
def test_whatever_else_a_page_would_ask_another_server_for_is_a_fault(asks: str) -> None:
    """A badge in a document, a font of a new release of the generator."""
    with pytest.raises(ValueError, match=r"a.md: the page asks another server: <"):
        for_browsers("a.md", f"<head></head>{asks}")
