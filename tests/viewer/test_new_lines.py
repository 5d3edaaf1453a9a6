"""What is new since the last good run: listed in a panel of the page, and gone to."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.harness import Server, chunk
from tests.integration import logs
from tests.integration.servers import running

from .pages import ROWS, SIZES, Viewer, lines, path, viewing, violations

pytestmark = pytest.mark.needs("chromium")

GOOD = "Livelog-Exit-Code: 0"
BAD = "Livelog-Exit-Code: 1"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that keeps four logs of each name."""
    with running({"LIVELOG_KEEP_ATTEMPTS": "4"}) as server:
        yield server


def panel_of(viewer: Viewer) -> Locator:
    """The panel, which need not be there."""
    return viewer.page.locator("#new-lines")


def listed(viewer: Viewer, *texts: str) -> None:
    """Wait until the panel lists these lines."""
    expect(panel_of(viewer).locator(".message")).to_have_text(list(texts))


def test_new_lines_are_listed_and_lead_to_the_log(browser: Browser, server: Server, name: str) -> None:
    """Compared with the last good log of the name, or with another one that is chosen."""
    logs.send(server, name, lines(1, 400), GOOD)
    logs.send(server, name, lines(1, 300) + b"odd\n", BAD)
    logs.send(
        server, name, b"::group::Test\n" + lines(1, 300) + b"odd\nretry 1\n::endgroup::\n" + lines(1, 50) + b"retry 2\nend\n", BAD
    )  # fmt: skip
    with viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_numbered()
        viewer.press("d")
        panel = panel_of(viewer)
        listed(viewer, "::group::Test", "odd", "retry 1", "::endgroup::", "end")
        expect(panel.get_by_role("status")).to_have_text("5 lines")
        expect(panel.get_by_role("combobox")).to_have_value(logs.status_of(server, name)["attempts"][2]["generation"])
        expect(panel.locator(".quiet")).to_have_text(["", "", "× 2", "", ""])
        expect(panel.locator(".where").nth(1)).to_have_text("Test")
        viewer.press("ArrowDown", "ArrowDown")
        expect(panel.locator("[aria-selected=true] .message")).to_have_text("odd")
        expect(viewer.page.locator(f"{ROWS}.marked > .number")).to_have_text("302")
        assert viewer.page.url.endswith("#L302")
        panel.locator(".entry").nth(4).click()
        expect(viewer.page.locator(f"{ROWS}.marked > .number")).to_have_text("356")
        panel.get_by_role("combobox").select_option(index=0)  # its text has an age, which grows
        listed(viewer, "::group::Test", "retry 1", "::endgroup::", "end")
        panel.get_by_role("status").focus()
        viewer.page.locator("#surface").focus()
        viewer.press("p")  # one panel at a time
        expect(viewer.page.locator("#problems")).to_be_visible()
        expect(panel).to_be_hidden()
        viewer.page.locator("#surface").focus()
        viewer.press("d")
        expect(panel).to_be_visible()
        expect(viewer.page.locator("#problems")).to_be_hidden()
        viewer.press("Escape")
        expect(panel).to_be_hidden()
        expect(viewer.page.locator("#surface")).to_be_focused()
        viewer.press("d", "Tab")
        viewer.page.locator("#surface").focus()
        viewer.press("Escape")
        expect(panel).to_be_hidden()


def test_log_that_grows_is_compared_again(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, b"start\n", GOOD)
    producer = logs.begin(server, name)
    producer.send(chunk(b"start\nnew\n"))
    with viewing(browser, server.get, path(name)) as viewer:
        expect(viewer.page.locator(f"{ROWS} > .text")).to_have_text(["start", "new"])
        viewer.wait_numbered()
        viewer.press("d")
        listed(viewer, "new")
        producer.send(chunk(b"newer\n"))
        panel_of(viewer).get_by_role("button", name="Compare again").click()
        listed(viewer, "new", "newer")
        producer.send(chunk(b"newest\n"))
        expect(panel_of(viewer).get_by_role("button", name="Compare again")).to_be_visible()
        viewer.press("d", "d")  # so does whoever opens it again
        listed(viewer, "new", "newer", "newest")
    producer.close()


def test_panel_on_a_phone_is_sound_and_says_why_it_is_empty(
    browser: Browser, server: Server, name: str, axe: str
) -> None:
    logs.send(server, name, b"::error::first\n")
    logs.send(server, name, b"only here\n" * 3, BAD)
    with viewing(browser, server.get, path(name), **SIZES["phone"]) as viewer:
        viewer.wait_numbered()
        viewer.page.get_by_role("button", name="Menu").tap()
        viewer.page.get_by_role("button", name="New since the last good run").tap()
        panel = panel_of(viewer)
        expect(panel).to_contain_text("LIVELOG_KEEP_ATTEMPTS")
        assert violations(viewer, axe) == []
        choice = panel.get_by_role("combobox")
        choice.select_option(value=logs.status_of(server, name)["attempts"][1]["generation"])
        listed(viewer, "only here")
        panel.locator(".entry").tap()
        expect(viewer.page.locator(f"{ROWS}.marked > .number")).to_have_text("1")
        assert violations(viewer, axe) == []
        panel.get_by_role("button", name="Close").tap()
        expect(panel).to_be_hidden()
        viewer.press("d")
        expect(panel).to_be_visible()
        viewer.page.emulate_media(color_scheme="dark")
        assert violations(viewer, axe) == []
