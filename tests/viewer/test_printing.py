"""What is printed: the selection, or else the last 2,000 lines, in black on white, and nothing else of the page."""

from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.harness import Server
from tests.integration import logs

from .pages import Viewer, lines, path, viewing, writing

pytestmark = pytest.mark.needs("chromium")

NOTE = """() => {
  window.printed = [];
  addEventListener("beforeprint", () => {
    const sheet = document.querySelector("#sheet");
    const rows = [...sheet.querySelectorAll("div")].map(row => [row.children[0].textContent, row.children[1].textContent]);
    printed.push({ head: sheet.querySelector("p").textContent, rows });
  });
}"""
"""Notes what each sheet has, behind what the page itself does before it prints."""

LOOKS = """() => {
  const visible = [...document.querySelectorAll("body *")].filter(one => one.checkVisibility() && !one.closest("#sheet"));
  const { color, whiteSpace } = getComputedStyle(document.querySelector("#sheet code"));
  return [visible.length, color, getComputedStyle(document.body).backgroundColor, whiteSpace];
}"""


def ready(viewer: Viewer) -> None:
    """Wait until the page can print, and note what it prints."""
    viewer.wait("() => history.state !== null")
    viewer.js(NOTE)


def printed(viewer: Viewer) -> dict[str, Any]:
    """What the next sheet has, once it has been printed and is gone."""
    viewer.wait("() => printed.length === 1 && !document.querySelector('#sheet')")
    sheet: dict[str, Any] = viewer.js("printed.shift()")
    return sheet


@pytest.mark.parametrize(("selected", "first"), [(False, 3001), (True, 1)])
def test_last_two_thousand_lines_are_printed_or_what_is_selected(
    browser: Browser, server: Server, name: str, *, selected: bool, first: int
) -> None:
    """Lines that are not in memory are read first; afterwards the page is as before."""
    logs.send(server, name, lines(1, 5000))
    with viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 5000")
        viewer.wait_numbered()
        ready(viewer)
        viewer.press(*["Control+a"] * selected, "Control+p")
        sheet = printed(viewer)
        assert sheet["rows"] == [[str(number), f"line {number}"] for number in range(first, 5001)]
        assert sheet["head"].endswith(f"lines {first:,} to 5,000 of 5,000")
        viewer.wait_last("line 5000")


@pytest.mark.long
def test_button_prints_too_and_the_browser_prints_what_is_in_memory(
    browser: Browser, server: Server, name: str
) -> None:
    with (
        writing(server, name, b"\x1b[31mred\x1b[0m <b>\n" + lines(2, 20)),
        viewing(browser, server.get, path(name)) as viewer,
    ):
        viewer.wait_last("line 20")
        viewer.wait_numbered()
        ready(viewer)
        viewer.press("?")
        viewer.page.get_by_role("button", name="Print", exact=True).click()
        first = ["1", "red <b>"]
        assert printed(viewer)["rows"][0] == first
        viewer.page.pdf()
        assert printed(viewer)["rows"][0] == first


@pytest.mark.long
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_print_is_black_on_white_and_has_nothing_else(browser: Browser, server: Server, name: str, theme: Any) -> None:
    with (
        writing(server, name, lines(1, 20)),
        viewing(browser, server.get, path(name), color_scheme=theme) as viewer,
    ):
        viewer.wait_last("line 20")
        ready(viewer)
        viewer.page.emulate_media(media="print")
        viewer.js("dispatchEvent(new Event('beforeprint'))")
        assert viewer.js(LOOKS) == [0, "rgb(0, 0, 0)", "rgb(255, 255, 255)", "pre-wrap"]
        viewer.js("dispatchEvent(new Event('afterprint'))")
        viewer.page.emulate_media(media="screen")
        viewer.wait_last("line 20")
