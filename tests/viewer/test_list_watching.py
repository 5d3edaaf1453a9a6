"""The list of logs as it stays open: tokens that stop opening it, proxies that keep its events back, windows of all sizes, no mouse.

Categories: the token expires · another server's token · buffering proxies · keyboard alone · 320 pixels and 4K · ten thousand logs (long).
"""

import contextlib
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from livelog.tokens import Access
from tests.harness import TOKEN, Server
from tests.integration import logs
from tests.integration.servers import running

from .pages import SIZES, Viewer, viewing
from .wires import Wire

pytestmark = pytest.mark.needs("chromium")

ACCESS = Access(TOKEN)

ROWS = "#rows > .log"


def send(server: Server, name: str, *headers: str, body: bytes = b"some bytes\n") -> None:
    """Send a whole log."""
    assert logs.send(server, name, body, *headers).status in (200, 201)


@pytest.fixture(scope="module")
def builds(server: Server) -> str:
    """A prefix with three logs that have ended."""
    for number in range(3):
        send(server, f"watched/{number}", f"Livelog-Label: number={number}", f"Livelog-Exit-Code: {number}")
    return "watched/"


def test_link_that_expires_while_the_list_is_open_is_told_and_another_token_goes_on(
    browser: Browser, server: Server, builds: str
) -> None:
    """The stream that has begun would go on: what is shown would be more than the link opens."""
    token = ACCESS.prefix_token(builds, int(time.time()) + 2)
    with viewing(browser, server.get, f"/view/{token}/{builds}") as viewer:
        expect(viewer.page.locator(ROWS)).to_have_count(3)
        viewer.wait_state("Link expired")
        expect(viewer.page.locator(".banner")).to_contain_text("This link has expired. What you see is what was listed")
        expect(viewer.page.locator(ROWS)).to_have_count(3)
        viewer.page.get_by_label("Token").fill(TOKEN)
        viewer.press("Enter")
        viewer.wait_state("Live")


@pytest.mark.long
def test_token_that_the_server_takes_no_more_is_told_to_who_has_the_list_open(
    browser: Browser, wire: Wire, builds: str
) -> None:
    with (
        running({"ACCESS_TOKEN": "another-secret"}) as other,
        viewing(browser, wire.address, f"/view/{TOKEN}/{builds}") as viewer,
    ):
        viewer.wait_state("Live")
        wire.lead_to(other.get)
        wire.cut()
        viewer.wait_state("Token needed")
        expect(viewer.page.locator(".banner")).to_contain_text("does not take this token any more")
        expect(viewer.page.locator(ROWS).first).to_be_visible()


def test_list_is_asked_for_again_and_again_where_a_proxy_keeps_its_events_back(
    browser: Browser, server: Server, builds: str
) -> None:
    with (
        contextlib.closing(Wire(server.get, buffering=True)) as wire,
        viewing(browser, wire.address, f"/view/{TOKEN}/{builds}?state=live") as viewer,
    ):
        viewer.wait_state("Updated every few seconds")
        with contextlib.closing(logs.begin(server, f"{builds}late")):
            expect(viewer.page.locator(f"{ROWS} .title")).to_have_text([f"{builds}late"])
        assert logs.request(server.put, "DELETE", f"/log/{builds}late").status == 204


@pytest.mark.parametrize("size", ["phone", "desktop", "large"])
def test_list_is_used_in_any_window_without_a_mouse(browser: Browser, server: Server, builds: str, size: str) -> None:
    """Filter, sort, select, copy, open, go back and read the help: by keys alone, and by fingers on a phone."""
    options: Any = {"permissions": ["clipboard-read", "clipboard-write"], **SIZES[size]}
    with viewing(browser, server.get, f"/view/{TOKEN}/{builds}", **options) as viewer:
        page = viewer.page
        expect(page.locator(ROWS)).to_have_count(3)
        assert viewer.js("document.documentElement.scrollWidth <= innerWidth")
        assert viewer.js(
            "[...document.querySelectorAll('#rows > .log, #filter button, #filter input, #filter select, #head button')]"
            ".every(one => { const { left, right } = one.getBoundingClientRect();"
            " return left >= 0 && right <= innerWidth || one.closest('.kinds, .choices'); })"
        )
        if size == "phone":
            small = viewer.js(
                "[...document.querySelectorAll('#filter button, #filter input, #filter select, .log .pick')]"
                ".map(one => one.getBoundingClientRect()).filter(({ width, height }) => width < 44 || height < 44).length"
            )
            assert small == 0
            page.get_by_label("Filter by name").tap()
            page.keyboard.type("number:2")
            expect(page.locator(ROWS)).to_have_count(1)
            page.get_by_role("button", name="Show all").tap()
            page.get_by_label("Order").select_option("name")
            page.locator(f"{ROWS} .pick").first.tap()
            page.get_by_role("button", name="Copy link").tap()
            viewer.wait_told("Link copied")
            page.get_by_role("button", name="Help").tap()
            page.get_by_role("button", name="Close").tap()
            page.locator(f"{ROWS} .title").first.tap()
        else:
            viewer.press("/", *"number:2", "Enter")
            expect(page.locator(f"{ROWS}.active")).to_have_count(1)
            viewer.press("Escape")
            expect(page.locator(ROWS)).to_have_count(3)
            for _ in range(30):  # the headings are reached by Tab
                if viewer.js("document.activeElement.textContent").startswith("Log"):
                    break
                viewer.press("Tab")
            viewer.press("Enter")
            expect(page.locator(".columns .what")).to_have_attribute("aria-sort", "ascending")
            page.keyboard.press("Escape")
            viewer.js("document.getElementById('list').focus()")
            viewer.press("Home", "x", "y")
            viewer.wait_told("Link copied")
            viewer.press("Escape", "?", "Escape", "Enter")
        viewer.wait_state("Ended, exit 0")
        page.go_back()
        expect(page.locator(ROWS)).to_have_count(3)


MANY = 10_000


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with ten thousand logs, a quarter of them below `few/`, which another one has left behind."""
    folder = tmp_path_factory.mktemp("many")
    with running({"LIVELOG_DATA_DIR": str(folder)}) as server:  # which makes the directory
        send(server, "made", "Livelog-Label: branch=main")
    (made,) = (folder / "logs").iterdir()
    (facts,) = made.glob("*.json")
    known = json.loads(facts.read_text(encoding="utf-8"))
    for number in range(MANY):
        name = f"{'few' if number % 4 == 0 else 'more'}/{number % 97}/job{number}"
        generation = f"20261101T{number // 3600:02}{number // 60 % 60:02}{number % 60:02}.000000Z-{number:08x}"
        labels = {"branch": f"b{number % 7}"}
        path = folder / "logs" / name.replace("/", "+")
        path.mkdir()
        (path / f"{generation}.log").write_bytes(b"some bytes\n")
        told = {**known, "name": name, "generation": generation, "order": known["order"] - MANY + number}
        told |= {"labels": labels, "exit_code": number % 3, "began": f"2026-11-01T{generation[9:11]}:{generation[11:13]}:00.000000Z"}  # fmt: skip
        (path / f"{generation}.json").write_text(json.dumps(told), encoding="utf-8")
    with running({"LIVELOG_DATA_DIR": str(folder), "LIVELOG_MAX_LOGS": "20000"}) as server:
        yield server


WORK = """async ([kind, frames]) => {
  const list = document.getElementById("list"), words = document.getElementById("words");
  for (let frame = 0; frame < frames; frame++) {
    if (kind === "scroll") list.scrollTop = (frame * 997) % 100000;
    else { words.value = ["job", "job1", "b3", "job12", ""][frame % 5]; words.dispatchEvent(new Event("input")); }
    await new Promise(requestAnimationFrame);
    await new Promise(setTimeout);
  }
}"""


def cost(viewer: Viewer, kind: str, frames: int) -> float:
    """Seconds of the page's processor time for each of some frames."""
    session = viewer.page.context.new_cdp_session(viewer.page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        return sum(float(metrics[name]) for name in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration"))

    before = spent()
    viewer.js(WORK, [kind, frames])
    used = spent() - before
    session.detach()
    return used / frames


@pytest.mark.long
def test_ten_thousand_logs_scroll_filter_and_change_as_few_do(browser: Browser, many: Server) -> None:
    """What a frame costs does not depend on the number of logs when it scrolls; a filter looks at each log, and no more."""
    with (
        viewing(browser, many.get, f"/view/{TOKEN}/", **SIZES["desktop"]) as viewer,
        viewing(browser, many.get, f"/view/{TOKEN}/few/", **SIZES["desktop"]) as few,
    ):
        expect(viewer.page.locator(".facts")).to_have_text(re.compile("^10,00[01] logs$"))
        expect(few.page.locator(".facts")).to_have_text("2,500 logs")
        for kind, times, more in (("scroll", 1.5, 0.005), ("filter", 6.0, 0.02)):
            costs = [[cost(one, kind, 40) for one in (few, viewer)] for _ in range(2)]
            low, high = (min(pair) for pair in zip(*costs, strict=True))
            assert high <= times * low + more, (kind, costs)
        viewer.page.get_by_label("Filter by name").fill("")
        expect(viewer.page.locator(".facts")).to_have_text(re.compile("^10,00[01] logs$"))
        assert viewer.elements() < 1200
        viewer.js("document.getElementById('list').scrollTop = 260000")
        viewer.wait("() => document.querySelector('#rows > .log')?.ariaRowIndex > 4000")
        seen = "[...document.querySelectorAll('#rows > .log .title')][12].textContent"
        title = viewer.js(seen)
        for number in range(3):
            send(many, f"new/{number}")
        expect(viewer.page.locator(".facts")).to_have_text(re.compile("^10,00[34] logs$"))
        assert viewer.js(seen) == title
        viewer.press("Escape", "Home")
        expect(viewer.page.locator(f"{ROWS} .title").first).to_have_text("new/2")
