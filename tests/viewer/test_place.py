"""The place in a log: it is kept when the page is loaded anew or come back to, and when the window gets another size."""

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.harness import Server
from tests.integration import logs
from tests.integration.servers import wait_until
from tests.integration.uploads import new_name

from .pages import ROWS, Viewer, end, holding, lines, path, viewing, writing

pytestmark = pytest.mark.needs("chromium")

WORDS = b" ".join(b"%04d" % number for number in range(2000))
"""A line of many rows, when it is wrapped."""

AT_TOP = """() => {
  const { left, top } = document.querySelector("#surface > .rows .text").getBoundingClientRect();
  const { offsetNode, offset } = document.caretPositionFromPoint(left + 4, document.querySelector("#surface").getBoundingClientRect().top + 10);
  return Number(offsetNode.nodeValue.slice(0, offset).split(" ").length);
}"""
"""The number of the word at the top left."""


def wait_kept(viewer: Viewer) -> None:
    """Wait until the page keeps its place: what does that comes once lines are shown."""
    viewer.wait("() => history.state !== null")


def scroll(viewer: Viewer, pixels: int) -> None:
    """Scroll by the wheel."""
    viewer.page.mouse.move(400, 300)
    viewer.page.mouse.wheel(0, pixels)


def reload(viewer: Viewer) -> None:
    """Load the page anew."""
    wait_kept(viewer)
    viewer.page.reload()


def test_page_that_is_loaded_anew_or_come_back_to_is_where_it_was_left(
    browser: Browser, server: Server, name: str
) -> None:
    """The same part of the same line, although lines came meanwhile; whoever followed the log, follows it again."""
    with writing(server, name, lines(1, 3000)) as write, viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 3000")
        viewer.press("Home")
        viewer.wait_first(1)
        scroll(viewer, 1990)
        viewer.wait_first(100)
        place = viewer.top()
        write(lines(3001, 3400))
        reload(viewer)
        viewer.wait_first(100)
        assert viewer.top() == place
        wait_kept(viewer)
        viewer.page.goto(viewer.page.url.replace(name, "another"))
        viewer.wait_state("Waiting")
        viewer.page.go_back()
        viewer.wait_first(100)
        assert viewer.top() == place
        viewer.press("End")
        viewer.wait_last("line 3400")
        reload(viewer)
        viewer.wait_last("line 3400")
        write(lines(3401, 3450))
        viewer.wait_last("line 3450")


def test_window_of_another_size_shows_the_same_part_of_a_line_at_its_top(
    browser: Browser, server: Server, name: str
) -> None:
    """Also when a phone is turned, and when wrapping is switched off and on again."""
    logs.send(server, name, b"\n".join([WORDS] * 60))
    with viewing(browser, server.get, path(name, "#L10")) as viewer:
        viewer.wait_loaded()
        viewer.press("w")
        expect(viewer.page.locator("#surface.wrap")).to_be_visible()
        viewer.press("Home")
        viewer.wait_first(1)
        scroll(viewer, 500)
        viewer.wait(f"() => ({AT_TOP})() > 300")
        place, word = viewer.top(), viewer.js(AT_TOP)
        viewer.page.set_viewport_size({"width": 400, "height": 900})
        viewer.wait("() => document.querySelector('#surface > .rows .text').clientWidth < 400")
        viewer.wait(f"word => Math.abs(({AT_TOP})() - word) < 40", word)
        viewer.page.set_viewport_size({"width": 1000, "height": 700})
        viewer.wait(f"word => ({AT_TOP})() === word", word)
        assert viewer.top() == place
        viewer.press("w", "w")
        viewer.wait(f"word => ({AT_TOP})() === word", word)
        assert viewer.top() == place


@pytest.mark.parametrize(("key", "text"), [("Home", "line 1"), ("End", "line 1000")])
def test_key_that_is_pressed_before_the_log_is_there_counts_more_than_the_address(
    browser: Browser, server: Server, name: str, key: str, text: str
) -> None:
    logs.send(server, name, lines(1, 1000))
    late: list[Route] = []
    with viewing(browser, server.get, path(name, "#L500"), {"/lines/": holding(late)}) as viewer:
        wait_until(lambda: viewer.js("true") and late != [], "lines are asked for")
        viewer.press(key)
        viewer.wait_frame()
        viewer.page.context.unroute_all()  # which lets them go on
        row = viewer.page.locator(f"{ROWS}:{'first' if key == 'Home' else 'last'}-child > .text")
        expect(row).to_have_text(text)
        expect(viewer.page.locator(".number", has_text="500")).to_have_count(0)


@pytest.mark.long
def test_place_that_was_left_is_kept_although_the_address_names_another_one(
    browser: Browser, server: Server, name: str
) -> None:
    """The lines stay marked, and the search goes on; an address that is opened by a link means what it says."""
    logs.send(server, name, lines(1, 3000))
    with viewing(browser, server.get, path(name, "?q=line+2000#L2500")) as viewer:
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("line 2500")
        expect(viewer.page.locator("#search")).to_contain_text("1 line")
        viewer.press("Home")
        viewer.wait_first(1)
        scroll(viewer, 1000)
        viewer.wait_first(51)
        reload(viewer)
        viewer.wait_first(51)
        expect(viewer.page.locator("#search")).to_contain_text("1 line")
        viewer.wait_first(51)
        viewer.page.goto("about:blank")
        viewer.page.goto(f"http://{server.get.authority}{path(name, '#L2500')}")
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("line 2500")


@pytest.mark.long
def test_log_that_took_the_place_of_another_one_opens_at_its_end(browser: Browser, server: Server) -> None:
    name = new_name()
    logs.send(server, name, lines(1, 500))
    with viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 500")
        viewer.press("Home")
        viewer.wait_first(1)
        wait_kept(viewer)
        with writing(server, name, lines(1, 600)) as write:
            viewer.page.reload()
            viewer.wait_last("line 600")
            end(server, name, write)
