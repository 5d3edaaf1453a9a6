"""The scripts that the page loads: when they are used, once, and none but those that it was built with.

One, `soon`, is used by every page, once it shows the log.
"""

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.harness import Server
from tests.integration import logs

from .pages import holding, lines, path, viewing

pytestmark = pytest.mark.needs("chromium")


def test_script_is_loaded_when_it_is_used_and_keys_wait_for_it(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, lines(1, 30))
    held: list[Route] = []
    with viewing(browser, server.get, path(name), {"/page/(?!soon|copying)": holding(held)}) as viewer:
        viewer.wait_last("line 30")
        viewer.wait_state("Ended")
        viewer.wait_numbered()
        assert held == []
        viewer.press("/", *"line 122", "Backspace", "Enter")
        viewer.wait_frame()
        assert len(held) == 1
        held.pop().continue_()
        expect(viewer.page.locator("#search input")).to_have_value("line 12")
        expect(viewer.page.locator(".count")).to_have_text("1 of 1 line")
        viewer.press("Escape", "?", "Escape", "Control+g", *"7", "Enter")
        viewer.wait_frame()
        held.pop().continue_()
        expect(viewer.page.locator(".marked > .number")).to_have_text("7")
        viewer.press("/")
        expect(viewer.page.locator("#search input")).to_be_focused()
        assert held == []


def outdated(route: Route) -> None:
    """Answers as a server that was upgraded since."""
    route.fulfill(status=404, body="there is nothing at this path")


def changed(route: Route) -> None:
    """Answers with another script, as somebody between the server and the page might."""
    route.fulfill(status=200, content_type="text/javascript", body="document.title = 'mine'; livelog.made = {}")


def test_page_that_is_older_than_its_server_says_so_and_offers_to_be_loaded_anew(
    browser: Browser, server: Server, name: str
) -> None:
    logs.send(server, name, lines(1, 3))
    for relay in (outdated, changed):
        with viewing(browser, server.get, path(name), {"/page/": relay}) as viewer:
            viewer.wait_last("line 3")
            viewer.press("/")
            chip = viewer.page.locator(".chip", has_text="The server has another version of this page by now")
            expect(chip).to_be_visible()
            assert viewer.page.title() != "mine"
            viewer.page.context.unroute_all()
            viewer.press("j", "k")  # the log can still be read
            with viewer.page.expect_navigation():
                chip.get_by_role("button", name="Reload").click()
            viewer.wait_last("line 3")
            viewer.press("/")
            expect(viewer.page.locator("#search input")).to_be_focused()
            viewer.faults[:] = [
                fault for fault in viewer.faults if relay is outdated or "Content Security Policy" not in fault
            ]


def test_script_that_does_not_come_is_asked_for_again(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, lines(1, 3))
    with viewing(browser, server.get, path(name), {"/page/": lambda route: route.abort()}) as viewer:
        viewer.wait_last("line 3")
        viewer.press("?")
        viewer.wait_told("The server does not answer")
        viewer.page.context.unroute_all()
        viewer.press("?")
        expect(viewer.page.locator("#help")).to_be_visible()
