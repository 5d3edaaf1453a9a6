"""Where a document of the repository is in the site, and what its links are there. Pure.

Most documents are in `docs/` and keep their names. `OUTSIDE` has those from elsewhere. Another file of the repository that a
document links to (a licence, a unit file) is copied below `files/`. Whatever a link names must exist.
"""

import posixpath
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Documents that are not in `docs/`: path in the repository, path in the site."""

_FENCE = re.compile(r" *(?P<fence>```+|~~~+)")
_NOTE = re.compile(r"^ *<!-- *(?:not-run|background|generated)\b.*--> *$")
_TARGETS = re.compile(
    r"(?P<code>(`+)(?!`).+?(?<!`)\2(?!`))"  # a link in code is none
    r"|(?P<before>\]\(|\b(?:src|href|srcset)=\")(?P<target>[^)\s\"]+)"
    r"|(?P<definition>^\[[^\]]+\]: +)(?P<defined>\S+)"
)
_SHIM = "https://unpkg.com/iframe-worker/shim"
"""Where the generator would have a page that is opened as a file fetch a worker; `file-worker.js` takes its place."""
_FROM_ELSEWHERE = re.compile(
    r"<(?:script|img|iframe|source|video)\b[^>]*\b(?:src|srcset)=\"?https?:[^>]*>|<link\b[^>]*\bhref=\"?https?:[^>]*>"
)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:|#|/")


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation. `section`: the titles above it, joined by `: `; empty at the top."""

    section: str
    title: str
    path: str


def navigation(nav: list[dict[str, Any]], section: str = "") -> Iterator[Entry]:
    """The pages in the order of `nav`: tables of one title each, whose value is a page or a list of such tables."""
    for item in nav:
        ((title, inside),) = item.items()
        if isinstance(inside, str):
            yield Entry(section, title, inside)
        else:
            yield from navigation(inside, f"{section}: {title}" if section else title)


def in_site(document: str) -> str:
    """The path in the site of a file of the repository, which may be a document or not."""
    if document in OUTSIDE:
        return OUTSIDE[document]
    if document.startswith("docs/"):
        return document.removeprefix("docs/")
    return f"files/{document}" + (".txt" if document.endswith(".md") else "")  # no page: it is not in the navigation


def for_site(document: str, text: str, exists: Callable[[str], bool]) -> tuple[str, list[str]]:
    """A document as it is in the site, and the files of the repository that it links to.

    Args:
        document: its path in the repository, such as `docs/client.md`.
        text: its Markdown.
        exists: whether the repository has a file of that path.

    Raises:
        ValueError: a link names no file; with document and line.
    """
    lines: list[str] = []
    linked: list[str] = []
    fence = ""

    def turned(match: re.Match[str]) -> str:
        if match["code"] is not None:
            return match["code"]
        before, target = match["before"] or match["definition"], match["target"] or match["defined"]
        if _ABSOLUTE.match(target):
            return f"{before}{target}"
        path, hash_, anchor = target.partition("#")
        file = posixpath.normpath(posixpath.join(posixpath.dirname(document), path))
        if not exists(file):
            raise ValueError(f"{document}:{len(lines) + 1}: no such file: {target}")
        linked.append(file)
        there = posixpath.relpath(in_site(file), posixpath.dirname(in_site(document)) or ".")
        return f"{before}{there}{hash_}{anchor}"

    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            lines.append(line)
            if mark is not None and line.strip() == fence:
                fence = ""
        elif mark is not None:
            fence = mark["fence"]
            lines.append(line)
        elif not _NOTE.match(line):
            lines.append(_TARGETS.sub(turned, line))
    return "\n".join(lines), linked


def for_browsers(path: str, page: str) -> str:
    """A page as the generator has made it, with nothing that another server would be asked for.

    Args:
        path: the Markdown of the page, in the site, of which the page's head tells programs.
        page: its HTML.

    Raises:
        ValueError: the generator has asked another server for something unknown.
    """
    here = posixpath.dirname(path) or "."
    page = page.replace(f'src="{_SHIM}"', f'src="{posixpath.relpath("file-worker.js", here)}"')
    if asked := _FROM_ELSEWHERE.search(page):
        raise ValueError(f"{path}: the page asks another server: {asked[0]}")
    twin = f'<link rel="alternate" type="text/markdown" href="{posixpath.basename(path)}">'
    return page.replace("</head>", f"{twin}</head>", 1)


def summary(markdown: str) -> str:
    """What a page says first: the first sentence of its first paragraph, without marks of Markdown; empty if it has none."""
    fence = ""
    paragraph: list[str] = []
    for line in markdown.split("\n"):
        mark = _FENCE.match(line)
        if fence or mark is not None:
            fence = "" if fence and line.strip() == fence else fence or (mark["fence"] if mark is not None else "")
        elif re.match(r"[A-Za-z0-9`*\[\"]", line) and not re.match(r"\* |\d+\. ", line):
            paragraph.append(line.strip())
            continue
        if paragraph:
            break
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(paragraph)).replace("**", "")
    return re.split(r"(?<=[.!?]) (?=[A-Z`])", plain, maxsplit=1)[0]


def llms_txt(name: str, about: str, entries: list[tuple[Entry, str]]) -> str:
    """The site's `llms.txt` (llmstxt.org): each page as Markdown, with what it says first."""
    lines = [f"# {name}", "", f"> {about}", ""]
    section = None
    for entry, says in entries:
        if (top := entry.section.partition(": ")[0]) != section:
            section = top
            lines += [*([""] if lines[-1] else []), *([f"## {section}", ""] if section else [])]
        lines.append(f"- [{entry.title}]({entry.path})" + (f": {says}" if says else ""))
    return "\n".join(lines) + "\n"
