"""Hints for those who use the page for the first time: each is shown once, and goes away."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.harness import Server

from .pages import SIZES, Viewer, lines, path, viewing, writing

SEEN = "localStorage['livelog hints']"


def press(viewer: Viewer, text: str) -> None:
    """Press the button of the hint with this text as soon as it is there: it is for some seconds only, which a busy browser takes for two looks at it."""
    viewer.wait(
        """text => {
            const hint = [...document.querySelectorAll(".chip")].find((chip) => chip.textContent.includes(text));
            hint?.querySelector("button").click();
            return !!hint;
        }""",
        text,
    )


def test_hint_is_shown_once(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, lines(1, 300)), viewing(browser, server.get, path(name), hints=True) as viewer:
        viewer.wait_last("line 300")
        press(viewer, "There are keys for everything")
        expect(viewer.page.locator("#help .keys")).to_be_visible()
        viewer.press("Escape")
        expect(viewer.page.locator("#help")).to_be_hidden()
        viewer.press("Home")
        viewer.wait_state("Paused")
        press(viewer, "End follows them again")
        expect(viewer.page.locator(".chip")).to_have_count(0)
        assert viewer.js(SEEN).split() == ["keys", "paused"]
        viewer.press("End")
        viewer.page.reload()
        viewer.wait_last("line 300")
        viewer.page.get_by_text(re.compile("^290$")).click()
        press(viewer, "Shift-click another number")  # and no other before it
        assert viewer.js(SEEN).split() == ["keys", "paused", "mark"]


@pytest.mark.long
def test_hint_goes_away_by_itself(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, lines(1, 3)), viewing(browser, server.get, path(name), hints=True) as viewer:
        viewer.wait_told("keys for everything")
        expect(viewer.page.locator(".chip")).to_have_count(0)


@pytest.mark.long
def test_hint_on_a_phone_names_no_keys(browser: Browser, server: Server, name: str) -> None:
    with (
        writing(server, name, lines(1, 3)),
        viewing(browser, server.get, path(name), hints=True, **SIZES["phone"]) as viewer,
    ):
        viewer.wait_told("All else is in the menu")


@pytest.mark.long
def test_page_that_can_keep_nothing_shows_no_hint(browser: Browser, server: Server, name: str) -> None:
    """Or it would come each time."""
    full = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }; 0"
    with writing(server, name, lines(1, 3)), viewing(browser, server.get, path(name), hints=True) as viewer:
        viewer.js(full)
        viewer.wait("() => performance.now() > 7000")  # the first hint comes after five seconds
        expect(viewer.page.locator(".chip")).to_have_count(0)
        assert viewer.js(SEEN) is None
