"""The page that lists logs, in a browser: what it shows, as it changes; filters, orders and what is opened; tokens; keys, ears and phones.

Categories: what is shown, live, through breaks · hostile names and titles · filters · the ways to one log and to several · tokens that open
the list, and that do not · accessibility (axe finds nothing) · many logs. Pure parts are in `viewer/test/list.test.ts`.
"""

import contextlib
import json
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from livelog.tokens import Access
from tests.harness import TOKEN, Server
from tests.integration import logs

from .pages import SIZES, Viewer, path, viewing, violations, writing
from .wires import Wire

pytestmark = pytest.mark.needs("chromium")

ACCESS = Access(TOKEN)

ROWS = "#rows > .log"

HOSTILE = "<img src=x onerror=alert(1)> \u202egnp.exe ${alert(1)}"


def listing(prefix: str = "", query: str = "") -> str:
    """The address of the list of a prefix's logs."""
    return f"/view/{ACCESS.prefix_token(prefix) if prefix else TOKEN}/{prefix}{query}"


def names(viewer: Viewer) -> list[str]:
    """The titles of all rows, from the first to the last."""
    return viewer.page.locator(f"{ROWS} .title").all_text_contents()


def wait_names(viewer: Viewer, *expected: str) -> None:
    """Wait until the rows have these titles, and no others."""
    expect(viewer.page.locator(f"{ROWS} .title")).to_have_text(list(expected))


def row(viewer: Viewer, title: str) -> Any:
    """The row with that title."""
    return viewer.page.locator(ROWS, has=viewer.page.locator(".title", has_text=title))


def send(server: Server, name: str, *headers: str, body: bytes = b"some bytes\n") -> None:
    """Send a whole log."""
    assert logs.send(server, name, body, *headers).status in (200, 201)


@pytest.fixture
def builds(server: Server, name: str) -> str:
    """A prefix with four logs that have ended."""
    for number, headers in enumerate(
        (["Livelog-Exit-Code: 0", "Livelog-Label: branch=main"], ["Livelog-Exit-Code: 2", "Livelog-Title: the second"],
         ["Livelog-Label: branch=topic", "Livelog-Label: os=linux"], [])
    ):  # fmt: skip
        send(server, f"{name}/{number}", *headers, body=b"x" * 10**number)
    return f"{name}/"


def test_logs_are_listed_with_what_is_known_of_them_and_as_they_change(
    browser: Browser, server: Server, name: str
) -> None:
    with viewing(browser, server.get, listing(f"{name}/")) as viewer:
        expect(viewer.page.get_by_role("heading", name="No logs yet")).to_be_visible()
        with writing(server, f"{name}/a", b"x" * 1500, "Livelog-Label: branch=main") as write:
            wait_names(viewer, f"{name}/a")
            cells = viewer.page.locator(ROWS)
            for cell, text in ((".kind", "Live"), (".size", "1.5 KB"), (".labels", "branch:main"), (".readers", "")):
                expect(cells.locator(cell)).to_have_text(text)
            with contextlib.closing(logs.follow(server, f"{name}/a")):
                write(b"x" * 500)
                expect(cells.locator(".size")).to_have_text("2.0 KB")
                write(b"x")
                expect(cells.locator(".readers")).to_have_text("1")
            logs.request(server.put, "PATCH", f"/log/{name}/a", "Livelog-Title: a title", "Livelog-Exit-Code: 3")
            expect(cells.locator(".title")).to_have_text("a title")
            write(b"")
            expect(cells.locator(".kind")).to_have_text("Failed, exit 3")
        send(server, f"{name}/b")
        wait_names(viewer, f"{name}/b", "a title")
        assert logs.request(server.put, "DELETE", f"/log/{name}/a").status == 204
        wait_names(viewer, f"{name}/b")
        send(server, f"{name}/b", "Livelog-Title: again")
        wait_names(viewer, "again")
        assert viewer.page.title() == f"Logs of {name}/ – Live"


def test_nothing_is_lost_of_what_happens_while_the_server_is_away(
    browser: Browser, server: Server, wire: Wire, builds: str
) -> None:
    with viewing(browser, wire.address, listing(builds)) as viewer:
        expect(viewer.page.locator(ROWS)).to_have_count(4)
        viewer.wait_state("Live")
        wire.refuse()
        viewer.wait_state("Reconnecting")
        expect(viewer.page.locator(ROWS)).to_have_count(4)
        send(server, f"{builds}new")
        logs.request(server.put, "DELETE", f"/log/{builds}0")
        wire.admit()
        # The page may have tried again by itself by now: then there is no button any more.
        viewer.js("[...document.querySelectorAll('button')].find(each => each.textContent === 'Retry now')?.click()")
        wait_names(viewer, f"{builds}new", f"{builds}3", f"{builds}2", "the second")
        viewer.wait_state("Live")


def test_names_titles_and_labels_are_text_whatever_they_hold(browser: Browser, server: Server, name: str) -> None:
    """Also what no livelog server tells, such as a title of 10 KB: who knows what stands between."""
    send(server, f"{name}/a", "Livelog-Title: <img src=x onerror=alert(1)>", "Livelog-Label: html=<b onclick=alert(1)>")
    send(server, f"{name}/b", "Livelog-Title: " + "W" * 256, *(f"Livelog-Label: key{n}={'V' * 200}" for n in range(16)))
    known = logs.status_of(server, f"{name}/a")
    odd = [HOSTILE, "W" * 10_000, "\x1b[2J\0\x08\r\n\u2028 \u2067\u202e", "\ud800", "عربي"]
    told = [
        {**known, "title": title, "generation": known["generation"][:-8] + f"{number:08x}", "labels": {title: title}}
        for number, title in enumerate(odd)
    ]
    events = "".join(f"event: log\ndata: {json.dumps(each)}\n\n" for each in told)
    listed = 'event: listed\ndata: {"logs": 5, "next": null}\n\nevent: grew\ndata: {}\n\nevent: new\ndata: null\n\n'

    def answer(route: Route) -> None:
        route.fulfill(headers={"Content-Type": "text/event-stream"}, body=events + listed)

    for relays, count in (({}, 2), ({"/logs/.*as=events": answer}, 5)):
        with viewing(browser, server.get, listing(f"{name}/"), relays, **SIZES["phone"]) as viewer:
            expect(viewer.page.locator(ROWS)).to_have_count(count)
            assert viewer.js("document.querySelectorAll('#rows :is(img, b)').length") == 0
            assert viewer.js("document.documentElement.scrollWidth <= innerWidth")
            heights = viewer.js(
                f"[...document.querySelectorAll('{ROWS}')].map(row => row.getBoundingClientRect().height)"
            )
            assert len(set(heights)) == 1


def test_filter_leaves_what_it_says_while_it_is_typed_and_is_in_the_address(
    browser: Browser, server: Server, builds: str
) -> None:
    with viewing(browser, server.get, listing(builds)) as viewer:
        expect(viewer.page.locator(ROWS)).to_have_count(4)
        viewer.press("/", *"SECOND")
        wait_names(viewer, "the second")
        expect(viewer.page.locator(".facts")).to_have_text("1 of 4 logs")
        viewer.wait("text => location.search === text", "?q=SECOND")
        viewer.press("Escape")
        expect(viewer.page.locator(ROWS)).to_have_count(4)
        viewer.page.get_by_role("button", name="Failed 1").click()
        wait_names(viewer, "the second")
        viewer.page.get_by_role("button", name="Ended 3").click()
        viewer.page.get_by_role("button", name="Failed 1").click()
        row(viewer, f"{builds}2").get_by_role("button", name="os:linux").click()
        wait_names(viewer, f"{builds}2")
        assert viewer.js("location.search") == "?state=complete&label=os:linux"
        viewer.page.reload()
        wait_names(viewer, f"{builds}2")
        viewer.page.get_by_role("button", name="Show all").click()
        viewer.page.get_by_label("Only logs with a label").select_option("branch:main")
        wait_names(viewer, f"{builds}0")
        viewer.page.get_by_label("Filter by name").fill("nothing")
        viewer.page.get_by_role("heading", name="No log is like that").wait_for()
        viewer.page.locator("#card").get_by_role("button", name="Show all").click()
        viewer.page.get_by_role("button", name="Size").click()
        wait_names(viewer, f"{builds}3", f"{builds}2", "the second", f"{builds}0")
        viewer.page.get_by_role("button", name="Size").click()
        wait_names(viewer, f"{builds}0", "the second", f"{builds}2", f"{builds}3")


def test_keys_lead_to_a_log_and_back_to_the_same_place(browser: Browser, server: Server, builds: str) -> None:
    with viewing(browser, server.get, listing(builds)) as viewer:
        expect(viewer.page.locator(ROWS)).to_have_count(4)
        viewer.press("j", "j", "ArrowDown")
        expect(viewer.page.locator(f"{ROWS}.active .title")).to_have_text("the second")
        viewer.press("Enter")
        viewer.wait_state("Ended, exit 2")
        assert viewer.page.url.endswith(path(f"{builds}1", token=ACCESS.prefix_token(builds)))
        viewer.page.get_by_role("link", name="List of logs").click()
        expect(viewer.page.locator(ROWS)).to_have_count(4)
        viewer.page.go_back()
        viewer.wait_state("Ended, exit 2")
        viewer.page.go_back()
        expect(viewer.page.locator(f"{ROWS}.active .title")).to_have_text("the second")
        viewer.press("k", "x", "k", "Space")
        expect(viewer.page.locator(".chip")).to_contain_text("2 logs selected")
        viewer.press("Escape")
        expect(viewer.page.locator(".chip")).to_have_count(0)
        viewer.press("?")
        expect(viewer.page.locator("#help")).to_contain_text("open in tabs")


def test_log_leads_to_those_beside_it_in_the_list(browser: Browser, server: Server, builds: str) -> None:
    """In the order in which the list showed them; for who has come from elsewhere, as they began; not by the link of one log."""
    with viewing(browser, server.get, listing(builds, "?sort=size")) as viewer:
        expect(viewer.page.locator(ROWS)).to_have_count(4)
        viewer.press("End", "k", "Enter")
        viewer.wait_state("Ended, exit 2")
        viewer.press("[")
        viewer.page.wait_for_url(f"**/{builds}2")
        viewer.wait_state("Ended")
        viewer.press("?")
        expect(viewer.page.locator(".beside a")).to_have_text([f"Log before: {builds}3", f"Next log: {builds}1"])
        viewer.page.get_by_role("link", name="Next log").click()
        viewer.wait_state("Ended, exit 2")
        viewer.press("]")
        viewer.wait_state("Ended, exit 0")
        viewer.press("]")
        viewer.wait_told("This is the last log of the list")
    token = ACCESS.prefix_token(builds)
    for target, key, told in (
        (path(f"{builds}3", token=token), "[", "This is the first log of the list"),
        (path(f"{builds}3", token=ACCESS.read_token(f"{builds}3")), "]", "This link opens no other log"),
    ):
        with viewing(browser, server.get, target) as viewer:
            viewer.wait_state("Ended")
            viewer.press(key)
            viewer.wait_told(told)
            if token in target:
                viewer.press("]")
                viewer.page.wait_for_url(f"**/{builds}2")


def test_selected_logs_are_opened_in_tabs_and_their_links_copied(browser: Browser, server: Server, builds: str) -> None:
    options: Any = {"permissions": ["clipboard-read", "clipboard-write"]}
    with viewing(browser, server.get, "/view/", **options) as viewer:
        viewer.page.get_by_label("Token").fill(TOKEN)
        viewer.press("Enter")
        viewer.wait_state("Live")
        viewer.page.get_by_label("Filter by name").fill(builds)
        expect(viewer.page.locator(ROWS)).to_have_count(4)
        row(viewer, f"{builds}3").get_by_role("checkbox").click()
        row(viewer, "the second").get_by_role("checkbox").click(modifiers=["Shift"])
        expect(viewer.page.locator(".chip")).to_contain_text("3 logs selected")
        viewer.page.get_by_role("button", name="Copy links").click()
        viewer.wait_told("3 links copied")
        copied = viewer.js("navigator.clipboard.readText()").split("\n")
        assert copied == [f"http://{server.get.authority}/view/{builds}{number}" for number in (3, 2, 1)]
        viewer.press("Escape")
        # A tab has the token that was typed in here.
        for open_it in (
            lambda: row(viewer, f"{builds}2").locator(".title").click(modifiers=["ControlOrMeta"]),
            lambda: viewer.press("o"),
        ):
            with viewer.page.context.expect_page() as tab:
                open_it()
            expect(tab.value.locator(".state")).to_contain_text("Ended")
            assert tab.value.url.endswith(f"/view/{builds}2")


def test_root_asks_for_a_token_and_says_what_it_does_not_open(browser: Browser, server: Server, builds: str) -> None:
    with viewing(browser, server.get, "/") as viewer:
        viewer.wait_state("Token needed")
        assert viewer.page.url.endswith("/view/")

        def unlock(label: str, text: str) -> None:
            viewer.page.get_by_label(label).fill(text)
            viewer.page.get_by_role("button", name="Open").click()

        unlock("Token", "wrong")
        expect(viewer.page.locator(".card")).to_contain_text("That token does not")
        unlock("Token", ACCESS.prefix_token(builds))
        unlock("Prefix", builds)
        expect(viewer.page.locator(ROWS)).to_have_count(4)
        assert viewer.page.url.endswith(f"/view/{builds}")


def test_token_that_opens_nothing_any_more_gives_way_to_another(browser: Browser, server: Server, builds: str) -> None:
    expired = ACCESS.prefix_token(builds, 7)
    for token, state in ((expired, "Link expired"), ("old-secret", "Token needed")):
        with viewing(browser, server.get, f"/view/{token}/{builds}") as viewer:
            viewer.wait_state(state)
            viewer.page.get_by_label("Token").fill(TOKEN)
            viewer.press("Enter")
            expect(viewer.page.locator(ROWS)).to_have_count(4)
            assert viewer.page.url.endswith(f"/view/{builds}")
    with viewing(browser, server.get, f"/view/{ACCESS.read_token(f'{builds}0')}/{builds}0/") as viewer:
        viewer.page.get_by_role("link", name="Open the log").click()
        viewer.wait_state("Ended, exit 0")


@pytest.mark.long
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state_of_the_list(
    browser: Browser, server: Server, builds: str, theme: Any, axe: str
) -> None:
    options: Any = {"color_scheme": theme, "reduced_motion": "reduce"}
    with (
        writing(server, f"{builds}live", b"x"),
        viewing(browser, server.get, listing(builds), **options) as viewer,
        viewing(browser, server.get, listing(builds), **options, **SIZES["phone"]) as phone,
        viewing(browser, server.get, "/view/", **options) as locked,
    ):
        for one in (viewer, phone):
            expect(one.page.locator(ROWS)).to_have_count(5)
            one.press("j", "x")
            assert violations(one, axe) == []
        viewer.press("/", *"zzz")
        viewer.page.get_by_role("heading", name="No log is like that").wait_for()
        assert violations(viewer, axe) == []
        viewer.press("Escape", "Escape", "?")
        assert violations(viewer, axe) == []
        locked.wait_state("Token needed")
        assert violations(locked, axe) == []
