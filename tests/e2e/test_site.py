"""The site, built and opened in a browser from which nothing but this machine can be reached."""

import contextlib
import functools
import http.server
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Page

import livelog
from tests.chromium import chromium
from website.__main__ import build

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.long  # the whole site is built, and each page opened in a browser

PHONE = (360, 640)
DESKTOP = (1280, 800)

SHOWN = ("h1", "h2", "h3", "h4", "p", "li", "pre", "table", "tr", "img")
"""What GitHub and the site must agree about: how often each of them is on a page."""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, without a word."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name for it
        """Nothing is logged."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder."""
    folder = tmp_path_factory.mktemp("site") / "site"
    build(folder)
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The site behind a web server, below a prefix, as on a server of many projects."""
    (site.parent / "livelog").symlink_to(site)
    handler = functools.partial(Quiet, directory=str(site.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/livelog"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The installed one."""
    with chromium() as browser:
        yield browser


@contextlib.contextmanager
def watched(browser: Browser, scheme: str, own: str) -> Iterator[tuple[Page, list[str]]]:
    """A page, and what has gone wrong on it: requests that failed or went elsewhere, errors of scripts."""
    dark = scheme == "dark"
    context = browser.new_context(color_scheme="dark" if dark else "light", viewport={"width": 1280, "height": 800})
    wrong: list[str] = []

    def asked(url: str) -> None:
        if not url.startswith((own, "data:", "blob:", "about:")):
            wrong.append(f"asked for {url}")

    context.on("request", lambda request: asked(request.url))
    context.on("requestfailed", lambda request: wrong.append(f"failed: {request.url} {request.failure}"))
    context.on(
        "response",
        lambda response: wrong.append(f"{response.status}: {response.url}") if response.status >= 400 else None,
    )
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("console", lambda message: wrong.append(f"console: {message.text}") if message.type == "error" else None)
    yield page, wrong
    context.close()


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_asks_nobody_else_and_fits_a_phone_and_a_desktop(
    site: Path, address: str, browser: Browser, scheme: str
) -> None:
    """No request fails or leaves the site, no script has an error, and nothing is wider than the window."""
    pages = sorted(str(page.relative_to(site)) for page in site.glob("**/*.html"))
    assert pages
    with watched(browser, scheme, address) as (page, wrong):
        for path in pages:
            page.goto(f"{address}/{path}")
            assert page.evaluate("document.body.dataset.mdColorScheme") == ("slate" if scheme == "dark" else "default")
            for width, height in (PHONE, DESKTOP):
                page.set_viewport_size({"width": width, "height": height})
                page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
                wide = page.evaluate(
                    """(width) => document.documentElement.scrollWidth <= width ? [] :
                        [...document.querySelectorAll("article *")]
                            .filter((element) => element.getBoundingClientRect().right > width)
                            .map((element) => element.outerHTML.slice(0, 120)).slice(0, 5)
                            .concat(`${document.documentElement.scrollWidth} px`)""",
                    width,
                )
                assert not wide, f"{path} at {width}: {wide}"
            broken = page.evaluate(
                """async () => {
                    const images = [...document.images];
                    for (const image of images) image.loading = "eager";
                    await Promise.all(images.map((image) => image.complete || new Promise((done) => {
                        image.onload = image.onerror = done;
                    })));
                    return images.filter((image) => !image.naturalWidth).map((image) => image.src);
                }"""
            )
            assert not broken, f"{path}: {broken}"
        assert not wrong


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("place", ["a server", "a folder"])
def test_a_search_finds_a_page_without_any_network(site: Path, address: str, browser: Browser, place: str) -> None:
    """Also where the pages are opened as files, to which browsers give no workers."""
    start = address if place == "a server" else site.as_uri()
    with watched(browser, "light", start) as (page, wrong):
        page.goto(f"{start}/index.html")
        page.locator(".md-search__button").click()
        page.get_by_role("combobox").fill("LIVELOG_STALL_TIMEOUT")
        page.get_by_role("option").first.click()
        page.wait_for_url(re.compile(r"/\w+\.html\?h="))
        assert "LIVELOG_STALL_TIMEOUT" in page.locator("article").inner_text()
        assert not wrong


def test_pages_show_what_the_documents_show_elsewhere(site: Path) -> None:
    """Two dialects of Markdown could take a list for a paragraph: each page has as many of each element as CommonMark makes."""
    common = MarkdownIt("commonmark").enable("table")
    for source in sorted(site.glob("**/*.md")):
        html = source.with_suffix(".html").read_text(encoding="utf-8")
        article = html[html.index("<article") : html.index("</article>")]
        expected = common.render(source.read_text(encoding="utf-8"))
        for tag in SHOWN:
            counts = [len(re.findall(rf"<{tag}[ />]", text)) for text in (expected, article)]
            assert counts[0] == counts[1], f"{source.name}: <{tag}> {counts}"


def test_every_page_is_there_as_markdown_and_llms_txt_names_all_of_them(site: Path) -> None:
    """For programs: what is linked is there, and notes to the tests are not."""
    overview = (site / "llms.txt").read_text(encoding="utf-8")
    assert overview.startswith("# livelog\n\n> ")
    listed = re.findall(r"^- \[[^\]]+\]\(([^)]+)\)(?:: \S.*)?$", overview, re.MULTILINE)
    assert sorted(listed) == sorted(str(page.relative_to(site).with_suffix(".md")) for page in site.glob("**/*.html"))
    for path in listed:
        text = (site / path).read_text(encoding="utf-8")
        assert text.startswith("# ")
        assert "<!-- background" not in text
        assert f'type="text/markdown" href="{Path(path).name}"' in (site / path).with_suffix(".html").read_text("utf-8")


def test_the_python_page_has_every_public_name_with_its_docstring(site: Path) -> None:
    """What `import livelog` gives, and the methods of its classes."""
    text = (site / "python.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## livelog\.(\w+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    public = [name for name in dir(livelog) if name in livelog._HOMES]
    assert sorted(sections) == sorted(public)
    for name, section in sections.items():
        thing = getattr(livelog, name)
        first = (thing.__doc__ or "").strip().split("\n")[0]
        assert first and first in section, name
        for method in (value for key, value in vars(thing).items() if not key.startswith("_") and callable(value)):
            assert f"### {name}.{method.__name__}\n" in section


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ("[a](gone.md)", "docs/design.md:"),
        ("[a](client.md#no-such-section)", "anchor does not exist"),
    ],
)
def test_a_broken_link_fails_the_build_and_leaves_the_last_site(tmp_path: Path, added: str, told: str) -> None:
    """A file that is not there, a section that is not there."""
    root, target = tmp_path / "root", tmp_path / "site"
    root.mkdir()
    for entry in ROOT.iterdir():
        if entry.name == "docs":
            shutil.copytree(entry, root / "docs")
        else:
            (root / entry.name).symlink_to(entry)
    with (root / "docs/design.md").open("a", encoding="utf-8") as document:
        document.write(f"\n{added}\n")
    target.mkdir()
    (target / "index.html").touch()
    with pytest.raises(ValueError, match=told):
        build(target, root)
    assert [file.name for file in target.iterdir()] == ["index.html"]


def test_the_command_builds_the_site_and_says_where_it_is(tmp_path: Path) -> None:
    """`make site`."""
    command = [sys.executable, "-m", "website", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == f"{tmp_path}/out/index.html\n"
    assert (tmp_path / "out/index.html").is_file()
