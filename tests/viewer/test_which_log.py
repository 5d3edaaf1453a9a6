"""Which log the page shows: the one that it has opened, and no answer of another one; and which one an address names.

Categories: ended logs that are replaced, removed, or whose link expires while their page is open (it says so by itself, shows
nothing of another log, and stops asking) · servers that are away · tokens in the address that open nothing.
"""

import contextlib
import re
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.harness import TOKEN, Server
from tests.integration import logs
from tests.integration.servers import wait_until
from tests.sample import one_of, sample

from .pages import PATIENCE, ROWS, SIZES, Viewer, end, lines, path, viewing, writing
from .wires import Wire

pytestmark = pytest.mark.needs("chromium")

narrow_and_wide = pytest.mark.parametrize(
    "size", sample([SIZES["phone"], SIZES["desktop"]], SIZES["phone"]), ids=["phone", "desktop"]
)


EXPIRES = 12
"""Seconds after which a link expires: on a busy machine, too, the page has shown its log by then."""


def banner(viewer: Viewer) -> str:
    """What stands above the log."""
    return viewer.page.locator(".banner").inner_text()


def ask_nothing_more(viewer: Viewer) -> None:
    """Do all that makes the page ask, for two of its seconds: it asks only once, whether the log that was replaced is kept."""
    asked = len(viewer.requests)
    viewer.press("Home", "PageDown")
    viewer.js("new Promise(done => setTimeout(done, 2100))")  # two of the ticks at which it looks what is missing
    urls = [request.url for request in viewer.requests[asked:]]
    assert [url for url in urls if "/status/" not in url or "?generation=" not in url] == []
    assert len(urls) <= 1


def link(server: Server, name: str, seconds: int) -> str:
    """The token of a link that expires."""
    told = logs.request(server.put, "HEAD", f"/log/{name}?expires={seconds}")["Livelog-Link"]
    return told.split("/log/")[1].removesuffix(f"/{name}")


# An ended log that is no more


@narrow_and_wide
def test_ended_log_that_is_replaced_is_told_to_be_by_itself(
    browser: Browser, server: Server, name: str, size: dict[str, Any]
) -> None:
    logs.send(server, name, lines(1, 9000))
    with viewing(browser, server.get, path(name), **size) as viewer:
        viewer.wait_state("Ended")
        viewer.wait_last("line 9000")
        logs.send(server, name, b"new\n" * 9000)
        viewer.wait_state("Replaced")
        assert "line 9000" in viewer.texts()
        ask_nothing_more(viewer)
        assert "new" not in viewer.texts()
        assert viewer.js("document.documentElement.scrollWidth") <= viewer.js("innerWidth")
        viewer.page.get_by_role("button", name="Show the new one").click()
        viewer.wait_last("new")


@pytest.mark.parametrize("what", one_of(3, ["lines", "search", "error", "download", "copy", "expand"]))
def test_nothing_of_a_newer_log_is_taken_for_the_one_that_is_shown(
    browser: Browser, server: Server, name: str, what: str
) -> None:
    """Whatever is asked first learns that the log was replaced, and gets nothing."""
    logs.send(server, name, lines(1, 8999) + b"old " * 2000 + b"\n")
    with viewing(browser, server.get, path(name), permissions=["clipboard-read", "clipboard-write"]) as viewer:
        viewer.wait_state("Ended")
        viewer.wait_numbered()
        href = viewer.page.get_by_role("link", name="Download").get_attribute("href")
        logs.send(server, name, b"error: new\n" * 20_000)
        if what == "lines":
            viewer.press("Home")
        elif what == "search":
            viewer.press("/")
            viewer.page.get_by_label("Search the whole log").fill("new")
        elif what == "error":
            viewer.press("E")
        elif what == "download":
            viewer.page.get_by_role("link", name="Download").click()
        elif what == "copy":
            viewer.press("Control+a", "Control+c")
        else:
            viewer.page.get_by_role("button", name="show more").click()
        viewer.wait_state("Replaced")
        assert not any("new" in text for text in viewer.texts())
        if what == "search":
            expect(viewer.page.locator("#search .count.bad")).to_contain_text("newer log")
        assert "new" not in viewer.js("navigator.clipboard.readText()")
        assert logs.request(server.get, "GET", str(href)).status == 412


def test_ended_log_that_is_removed_is_told_to_be_and_replaced_when_there_is_another(
    browser: Browser, server: Server, name: str
) -> None:
    logs.send(server, name, lines(1, 9000))
    with viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_state("Ended")
        viewer.wait_last("line 9000")
        viewer.wait_numbered()  # or the page goes on asking for numbers, less and less often
        assert logs.request(server.put, "DELETE", f"/log/{name}").status == 204
        viewer.wait_state("Removed")
        since, asked = time.monotonic(), len(viewer.requests)
        viewer.press("Home")
        viewer.js("new Promise(done => setTimeout(done, 2100))")
        slow = (time.monotonic() - since) // 4.2  # on a busy machine, these seconds are more
        assert len(viewer.requests) - asked <= 1 + slow  # for one that may take its place
        viewer.page.get_by_role("link", name="Download").click()
        viewer.wait_told("Removed")
        logs.send(server, name, b"new\n")
        viewer.retry()
        viewer.wait_state("Replaced")


def test_log_that_is_removed_before_its_lines_are_counted_is_not_asked_for_their_numbers_any_more(
    browser: Browser, server: Server, name: str
) -> None:
    logs.send(server, name, lines(1, 9000))

    def uncounted(route: Route) -> None:
        answer = route.fetch()
        numbers = ("livelog-first-line", "livelog-lines")
        route.fulfill(
            response=answer, headers={key: value for key, value in answer.headers.items() if key not in numbers}
        )

    def asked_in_a_minute() -> list[str]:
        before = len(viewer.requests)
        viewer.page.clock.run_for(60_000)
        # The page looks now and then whether the log is there again.
        wait_until(lambda: viewer.js("true") and any("/status/" in url for url in urls(before)), "a look", PATIENCE)
        return urls(before)

    def urls(since: int) -> list[str]:
        return [request.url for request in viewer.requests[since:]]

    with viewing(browser, server.get, path(name), {"/lines/": uncounted}) as viewer:
        viewer.page.clock.install()
        viewer.page.reload()
        viewer.wait_state("Ended")
        expect(viewer.page.locator(".facts")).to_contain_text("counting lines")
        assert logs.request(server.put, "DELETE", f"/log/{name}").status == 204
        viewer.wait_state("Removed")
        asked_in_a_minute()  # what was asked before is answered
        assert not any("/lines/" in url for url in asked_in_a_minute())


@pytest.mark.long
@pytest.mark.parametrize("size", [SIZES["phone"]], ids=["phone"])
def test_link_that_expires_while_its_ended_log_is_open_is_told_to_have(
    browser: Browser, server: Server, name: str, size: dict[str, Any]
) -> None:
    """Another token opens the rest, and the old one is gone from the address."""
    logs.send(server, name, lines(1, 9000))
    token = link(server, name, EXPIRES)
    with viewing(browser, server.get, path(name, token=token), **size) as viewer:
        viewer.wait_state("Ended")
        viewer.wait_last("line 9000")
        expect(viewer.page.locator(".state")).to_have_text(re.compile("Link expired|Token needed"))
        assert viewer.page.locator(".card").count() == 0
        assert "line 9000" in viewer.texts()
        asked = len(viewer.requests)
        viewer.press("Home")
        viewer.js("new Promise(done => setTimeout(done, 2100))")
        assert len(viewer.requests) == asked
        assert viewer.js("document.documentElement.scrollWidth") <= viewer.js("innerWidth")
        for tried in ("wrong", TOKEN):
            viewer.page.get_by_label("Token").fill(tried)
            viewer.page.get_by_role("button", name="Open").click()
        viewer.wait_state("Ended")
        expect(viewer.page.locator(".banner")).to_have_count(0)
        viewer.wait_first(1)
        viewer.wait_loaded()
        assert viewer.page.url.endswith(f"/view/{name}")


def test_link_that_expires_while_its_log_is_followed_is_told_and_what_comes_is_shown(
    browser: Browser, server: Server, name: str
) -> None:
    with writing(server, name, lines(1, 9000)) as write:
        with viewing(browser, server.get, path(name, token=link(server, name, EXPIRES))) as viewer:
            viewer.wait_last("line 9000")
            expect(viewer.page.locator(".banner")).to_contain_text("What comes is still shown")
            write(b"more\n")
            viewer.wait_last("more")
            viewer.wait_state("Live")
            viewer.page.get_by_label("Token").fill(TOKEN)
            viewer.page.get_by_role("button", name="Open").click()
            expect(viewer.page.locator(".banner")).to_have_count(0)
            viewer.press("Home")
            viewer.wait_first(1)
            viewer.wait_loaded()
            write(b"")
            viewer.wait_state("Ended")


@pytest.mark.long
def test_link_that_expires_in_a_tab_that_has_another_token_goes_on_with_that(
    browser: Browser, server: Server, name: str
) -> None:
    logs.send(server, name, lines(1, 9000))
    logs.send(server, f"{name}/other", b"other\n")
    with viewing(browser, server.get, path(f"{name}/other", f"#token={TOKEN}", token="")) as viewer:
        viewer.wait_last("other")
        token = link(server, name, 4)
        viewer.page.goto(f"http://{server.get.authority}{path(name, token=token)}")
        viewer.wait_last("line 9000")
        wait_until(lambda: logs.request(server.get, "HEAD", logs.path_of(name, token)).status == 401, "it has expired")
        viewer.press("Home")
        viewer.wait_first(1)
        viewer.wait_loaded()
        viewer.wait_state("Ended")


def test_server_that_is_away_is_told_when_the_log_has_ended_too(
    browser: Browser, server: Server, wire: Wire, name: str
) -> None:
    logs.send(server, name, lines(1, 9000))
    with viewing(browser, wire.address, path(name)) as viewer:
        viewer.wait_state("Ended")
        viewer.wait_numbered()
        wire.refuse()
        viewer.press("Home")
        # Pauses grow: this one is long enough for the click to come before the page tries again by itself.
        expect(viewer.page.locator(".state")).to_have_text(re.compile(r"Reconnecting in (9|1\d) s"))
        wire.admit()
        viewer.page.get_by_role("button", name="Retry now").click()
        viewer.wait_state("Ended")
        viewer.wait_loaded()
        assert viewer.numbers()[0] == 1
        wire.refuse()
        viewer.wait_state("Reconnecting")  # by itself


def test_page_on_a_server_that_was_away_shows_nothing_of_a_log_that_came_meanwhile(
    browser: Browser, server: Server, wire: Wire, name: str
) -> None:
    logs.send(server, name, lines(1, 9000))
    with viewing(browser, wire.address, path(name)) as viewer:
        viewer.wait_state("Ended")
        wire.refuse()
        logs.send(server, name, b"new\n" * 9000)
        viewer.wait_state("Reconnecting")
        wire.admit()
        viewer.wait_state("Replaced")
        ask_nothing_more(viewer)


# Tokens that open nothing


def read_token(server: Server, name: str) -> str:
    """A log's own token."""
    told = logs.request(server.put, "HEAD", f"/log/{name}")["Livelog-Link"]
    return told.split("/log/")[1].removesuffix(f"/{name}")


WRONG = ("wrong", "of another log", "expired")


@pytest.mark.parametrize(
    ("wrong", "typed", "size"),
    sample(
        [
            *((wrong, typed, "desktop") for wrong in WRONG for typed in ("ACCESS_TOKEN", "the log's own")),
            ("expired", "ACCESS_TOKEN", "phone"),
        ],
        ("wrong", "ACCESS_TOKEN", "desktop"),
        ("expired", "the log's own", "desktop"),
    ),
)
def test_wrong_token_in_the_path_is_no_part_of_the_name_once_the_right_one_is_typed_in(
    browser: Browser, server: Server, name: str, wrong: str, typed: str, size: str
) -> None:
    logs.send(server, name, lines(1, 500))
    logs.send(server, f"{name}-2", b"another\n")
    token = {"wrong": "wrong", "of another log": read_token(server, f"{name}-2"), "expired": link(server, name, 1)}[
        wrong
    ]
    wait_until(lambda: logs.request(server.get, "HEAD", logs.path_of(name, token)).status == 401, "it opens nothing")
    with viewing(browser, server.get, path(name, "#L250", token=token), **SIZES[size]) as viewer:
        expect(viewer.page.locator(".state")).to_have_text(re.compile("Link expired|Token needed"))
        viewer.page.get_by_label("Token").fill(TOKEN if typed == "ACCESS_TOKEN" else read_token(server, name))
        viewer.page.get_by_role("button", name="Open").click()
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("line 250")
        assert viewer.page.url.endswith(f"/view/{name}#L250")
        assert viewer.js("document.documentElement.scrollWidth") <= viewer.js("innerWidth")
        if size == "desktop":
            href = viewer.page.get_by_role("link", name="Download").first.get_attribute("href")
            assert logs.request(server.get, "GET", str(href)).body == lines(1, 500)
        viewer.page.reload()
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("line 250")


def test_log_that_has_not_begun_is_waited_for_by_its_name_also_behind_a_wrong_token(
    browser: Browser, server: Server, name: str
) -> None:
    with viewing(browser, server.get, path(name, token="wrong")) as viewer:
        viewer.wait_state("Token needed")
        viewer.page.get_by_label("Token").fill(TOKEN)
        viewer.page.get_by_role("button", name="Open").click()
        viewer.wait_state("Waiting for the log")
        with writing(server, name, b"first\n") as write:
            viewer.wait_last("first")
            end(server, name, write)


def test_wrong_token_for_the_log_without_a_name_is_no_name(browser: Browser, server: Server) -> None:
    logs.send(server, "", b"unnamed\n")
    with viewing(browser, server.get, "/view/wrong") as viewer:
        viewer.wait_state("Token needed")
        viewer.page.get_by_label("Token").fill(TOKEN)
        viewer.page.get_by_role("button", name="Open").click()
        viewer.wait_last("unnamed")
        assert viewer.page.url.endswith("/view")
    assert logs.request(server.put, "DELETE", "/log").status == 204


def test_beginning_of_a_name_that_was_taken_for_a_token_is_told_and_can_be_waited_for(
    browser: Browser, server: Server, name: str
) -> None:
    """Nobody can know: there is a log of the rest's name, and none of the whole one."""
    logs.send(server, name, b"the rest\n")
    with contextlib.ExitStack() as stack:
        viewer = stack.enter_context(viewing(browser, server.get, f"/view/nightly/{name}"))
        viewer.wait_state("Token needed")
        viewer.page.get_by_label("Token").fill(TOKEN)
        viewer.page.get_by_role("button", name="Open").click()
        viewer.wait_last("the rest")
        assert "“nightly” in the address opens nothing" in banner(viewer)
        viewer.page.get_by_role("link", name=f"Wait for “nightly/{name}”").click()
        viewer.wait_state("Waiting for the log")
        viewer.page.get_by_role("button", name="“nightly” was a token").click()
        viewer.wait_last("the rest")
        viewer.page.goto(f"http://{server.get.authority}/view/nightly/{name}")
        viewer.wait_state("Waiting for the log")
        stack.enter_context(writing(server, f"nightly/{name}", b"the whole\n"))
        viewer.wait_last("the whole")
        assert viewer.page.locator(".banner").count() == 0


def test_good_token_in_the_path_stays_there_while_its_log_has_not_begun(
    browser: Browser, server: Server, name: str
) -> None:
    """Also in a tab that has another token: who copies the link copies one that opens the log."""
    with viewing(browser, server.get, path(name, f"#token={TOKEN}", token=read_token(server, name))) as viewer:
        viewer.wait_state("Waiting for the log")
        with writing(server, name, b"first\n"):
            viewer.wait_last("first")
            assert viewer.page.url.endswith(path(name, token=read_token(server, name)))
