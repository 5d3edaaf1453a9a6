"""Problems in the viewer: counted in the header, listed in a panel, walked through by keys, while the log grows."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.harness import Server
from tests.integration import logs

from .pages import ROWS, SIZES, Viewer, lines, path, viewing, violations, writing

pytestmark = pytest.mark.needs("chromium")

LOG = (
    b"::group::Compile\n" + lines(1, 300) + b"main.c:3:5: error: 'x' undeclared\n" + b"::endgroup::\n"
    b"main.c:9:1: warning: unused variable 'y'\n" + lines(301, 600)
    + b'Traceback (most recent call last):\n  File "a.py", line 2, in <module>\nValueError: it broke\n' + lines(601, 700)
)  # fmt: skip
COMPILER, WARNING, TRACEBACK = 302, 304, 605


def counts(viewer: Viewer, words: str) -> None:
    """Wait until the header counts so many problems."""
    expect(viewer.page.locator("#head .problems")).to_have_attribute("title", f"{words}: list them")


def listed(viewer: Viewer, *messages: str) -> None:
    """Wait until the panel lists these problems."""
    expect(viewer.page.locator("#problems .message")).to_have_text(list(messages))


def marked(viewer: Viewer, first: int, last: int | None = None) -> None:
    """Wait until these lines are marked, and visible."""
    numbers = [str(line) for line in range(first, (last or first) + 1)]
    expect(viewer.page.locator(f"{ROWS}.marked > .number")).to_have_text(numbers)


def test_problems_are_counted_listed_and_walked_through_as_they_come(
    browser: Browser, server: Server, name: str
) -> None:
    with writing(server, name, LOG) as write, viewing(browser, server.get, path(name)) as viewer:
        counts(viewer, "2 errors, 1 warning")
        viewer.press("g", "e")
        marked(viewer, COMPILER)
        viewer.press("e")
        marked(viewer, WARNING)
        viewer.press("e")
        marked(viewer, TRACEBACK, TRACEBACK + 2)
        viewer.press("p")
        listed(viewer, "'x' undeclared", "unused variable 'y'", "ValueError: it broke")
        where = viewer.page.locator("#problems .where")
        expect(where).to_have_text(["Compile · main.c:3:5", "main.c:9:1", "a.py:2"])
        chosen = viewer.page.locator("#problems [aria-selected=true] .message")
        expect(chosen).to_have_text("ValueError: it broke")
        viewer.press("ArrowUp", "ArrowUp")
        expect(chosen).to_have_text("'x' undeclared")
        marked(viewer, COMPILER)
        write(b"fatal: not a git repository\n")
        counts(viewer, "3 errors, 1 warning")
        viewer.page.locator("#problems").get_by_role("button", name="1 warning").click()
        expect(viewer.page.locator("#problems .message")).to_have_count(3)
        viewer.page.locator("#problems .list").focus()
        viewer.press("Enter", "e")  # it walks through what is listed
        marked(viewer, TRACEBACK, TRACEBACK + 2)
        viewer.press("e", "e")
        viewer.wait_told("No problem below")
        viewer.press("Escape")
        expect(viewer.page.locator("#problems")).to_be_hidden()
        expect(viewer.page.locator("#surface")).to_be_focused()


def test_panel_on_a_phone_shows_some_of_many_problems_and_is_sound(
    browser: Browser, server: Server, name: str, axe: str
) -> None:
    logs.send(server, name, b"".join(b"main.c:%d:1: error: number %d\n" % (at, at) for at in range(1, 2001)))
    with viewing(browser, server.get, path(name), **SIZES["phone"]) as viewer:
        counts(viewer, "2,000 errors")
        viewer.page.locator("#head .problems").tap()
        panel = viewer.page.locator("#problems")
        panel.locator(".entry").first.tap()
        marked(viewer, 1)
        assert violations(viewer, axe) == []
        viewer.page.locator("#problems .list").focus()
        viewer.press("End")
        marked(viewer, 2000)
        expect(panel.locator("[aria-selected=true] .message")).to_have_text("number 2000")
        assert panel.locator(".entry").count() < 40
        panel.get_by_role("button", name=re.compile("Close")).tap()
        expect(panel).to_be_hidden()


@pytest.mark.long
def test_error_where_the_log_has_not_been_looked_through_is_searched_for(
    browser: Browser, server: Server, name: str
) -> None:
    """More than 100 MB are not looked through unasked."""
    logs.send(server, name, b"x" * 101_000_000 + b"\n" + lines(1, 300) + b"error: near\n" + lines(1, 300))
    with viewing(browser, server.get, path(name)) as viewer:
        expect(viewer.page.locator("#head .problems")).to_have_text("Problems")
        viewer.press("E")
        marked(viewer, 302)
