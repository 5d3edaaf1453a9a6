"""What the page of a log can do, with nothing but a keyboard, and with nothing but fingers on a phone: no feature needs a mouse.

Refuses to look at what each feature does in full: that is in the file of the feature.
"""

from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.harness import Server
from tests.integration import logs

from .pages import ROWS, SIZES, Viewer, lines, path, viewing, violations

pytestmark = pytest.mark.needs("chromium")

GROUP, RECORD, LONG, OVER, BENEATH, ERROR = 51, 54, 55, 56, 58, 62
"""The numbers of the lines that have something to them."""

LOG = (
    lines(1, 50).decode()
    + "::group::tools\ninside\n::endgroup::\n"
    + '{"level":"info","msg":"up","port":80,"host":"a"}\n'
    + "x" * 9000
    + "\none: 1\ntwo: 1\n\x1b[2Aone: 2\x1b[K\ntwo: 2\x1b[K\n"
    + "between\n"
    + "see https://example.org/page\n"
    + "a.c:3:1: error: broken\n"
)

FOCUS = "[document.activeElement.getAttribute('aria-label'), document.activeElement.textContent, document.activeElement.href]"
"""What has the keyboard: its name, its text, and where it leads."""


def row(viewer: Viewer, line: int) -> Locator:
    """The row of a line."""
    return viewer.page.locator(f"{ROWS}[data-line='{line}']:not(.loading)")


def go_to(viewer: Viewer, first: int, last: int | None = None) -> None:
    """Go to lines by their numbers, with keys only."""
    viewer.press("Control+g")
    expect(viewer.page.locator("#number")).to_be_focused()
    viewer.press(*str(first))
    if last:
        viewer.press("Tab", *str(last))
    viewer.press("Enter")
    expect(viewer.page.locator(f"{ROWS}.marked > .number")).to_have_text(
        [str(number) for number in range(first, (last or first) + 1)]
    )


def tab_to(viewer: Viewer, name: str) -> None:
    """Press Tab until what has this name, text or address has the keyboard."""
    for _ in range(60):
        viewer.press("Tab")
        if name in viewer.js(FOCUS):
            return
    raise AssertionError(name)


def test_keyboard_reaches_everything(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, LOG.encode())
    permissions: dict[str, Any] = {"permissions": ["clipboard-read", "clipboard-write"]}
    copied = "text => navigator.clipboard.readText().then(copied => copied === text)"
    with viewing(browser, server.get, path(name), **permissions) as viewer:
        viewer.wait_numbered()
        go_to(viewer, 7, 9)
        assert viewer.page.url.endswith("#L7-L9")
        tab_to(viewer, "Copy")
        viewer.press("Enter")
        viewer.wait(copied, "line 7\nline 8\nline 9\n")
        go_to(viewer, LONG)
        viewer.press("o")
        expect(row(viewer, LONG).locator(".text")).to_have_text("x" * 9000)
        viewer.press("o")
        expect(row(viewer, LONG).locator(".text")).to_have_text("x" * 4096)
        go_to(viewer, BENEATH)
        expect(row(viewer, OVER)).to_have_count(0)
        viewer.press("o")
        expect(row(viewer, OVER)).to_have_count(1)
        viewer.press("o")
        expect(row(viewer, OVER)).to_have_count(0)
        go_to(viewer, RECORD)
        viewer.press("o")
        expect(row(viewer, RECORD).get_by_role("button", name="Fold this line")).to_be_visible()
        tab_to(viewer, "Hide port in folded lines")
        viewer.press("Enter")
        viewer.press("o")
        expect(row(viewer, RECORD).locator(".text")).to_have_text("INFO  up  host=a … 1 more")
        tab_to(viewer, "https://example.org/page")
        viewer.press("Shift+Tab")
        viewer.press("e")
        expect(viewer.page.locator(f"{ROWS}.marked > .number")).to_have_text(str(ERROR))
        go_to(viewer, GROUP)
        viewer.press("z")
        expect(row(viewer, GROUP + 1)).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_fingers_reach_everything(browser: Browser, server: Server, name: str, axe: str, theme: Any) -> None:
    logs.send(server, name, LOG.encode())
    options: dict[str, Any] = {"permissions": ["clipboard-read", "clipboard-write"], "color_scheme": theme}
    with viewing(browser, server.get, path(name), **SIZES["phone"], **options) as viewer:

        def tap(button: str, place: str = "body") -> None:
            viewer.page.locator(place).get_by_role("button", name=button).tap()

        viewer.wait_numbered()
        tap("Show 2 lines that were written over")
        expect(row(viewer, OVER)).to_have_count(1)
        assert violations(viewer, axe) == []
        tap("Hide 2 lines that were written over")
        expect(row(viewer, OVER)).to_have_count(0)
        tap("Menu")
        tap("Go to a line")
        viewer.page.locator("#number").fill("53")
        viewer.page.locator("#last").fill("54")
        assert violations(viewer, axe) == []
        assert viewer.js("document.querySelector('#line').scrollWidth <= document.querySelector('#line').clientWidth")
        tap("Go", "#line")
        expect(viewer.page.get_by_role("group", name="Marked lines")).to_contain_text("2 lines")
        tap("Show all fields of this line")
        tap("Hide port in folded lines")
        tap("Fold this line")
        expect(row(viewer, RECORD).locator(".text")).to_have_text("INFO  up  host=a … 1 more")
        tap("Unmark")
        tap("1 error")
        viewer.page.get_by_role("option").tap()
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("a.c:3:1: error: broken")
        tap("Close the problems")
        tap("Menu")
        tap("Next silence")
        viewer.wait_told("No time without output below")
