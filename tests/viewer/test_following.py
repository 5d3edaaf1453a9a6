"""The viewer on a log that grows: at its end at once, every line in order, through whatever the network does.

Categories: the end (what follows it, what pauses it, and that a paused page stands still) · cut connections (what the
page shows is the log, byte for byte) · states (each is told in words). Every wait is for what a user can see.
"""

import contextlib
import random
import re
from functools import partial

import pytest
from playwright.sync_api import Browser, expect

from tests.harness import TOKEN, Server
from tests.integration import logs
from tests.integration.servers import running, wait_until
from tests.sample import one_of, sample

from .pages import ROWS, Viewer, end, lines, path, viewing, writing
from .wires import Wire

pytestmark = pytest.mark.needs("chromium")

GAPS = """() => { window.gaps = []; const look = () => {
    const last = document.querySelector('#surface > .rows:first-child > .row:last-child');
    if (last) window.gaps.push(last.getBoundingClientRect().bottom - document.querySelector('#surface').getBoundingClientRect().bottom);
    requestAnimationFrame(look); }; look(); }"""
"""Notes in each frame by how many pixels the last row ends below the window."""


# The end


def test_page_opens_at_the_end_and_shows_what_comes(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, lines(1, 5000), "Livelog-Title: a night's build") as write:
        with viewing(browser, server.get, path(name)) as viewer:
            viewer.wait_last("line 5000")
            expect(viewer.page.locator("h1")).to_have_text("a night's build")
            viewer.wait_state("Live")
            for number in range(5001, 5020):
                write(b"line %d\n" % number)
                viewer.wait_last(f"line {number}")
            write(b"an unfinished")
            viewer.wait_last("an unfinished")
            write(b" line\n")
            viewer.wait_last("an unfinished line")
            assert viewer.numbers()[-1] == 5020
            write(b"")
            viewer.wait_state("Ended")


def test_end_is_in_the_window_in_every_frame_while_lines_come(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, lines(1, 100)) as write, viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 100")
        viewer.js(GAPS)
        for first in range(101, 20_000, 199):
            write(lines(first, first + 198))
            viewer.wait_frame()
        viewer.wait_last(f"line {first + 198}")
        gaps = viewer.js("window.gaps")
        assert len(gaps) > 100
        assert max(map(abs, gaps)) < 1


def test_wrapped_lines_keep_the_end_in_the_window(browser: Browser, server: Server, name: str) -> None:
    text = b"".join(b"%d %s\n" % (number, b"word\t\xe6\xbc\xa2 " * (number % 90)) for number in range(1, 400))
    with writing(server, name, text) as write, viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_state("Live")
        viewer.press("w")
        expect(viewer.page.locator("#surface.wrap .row").first).to_be_visible()
        viewer.js(GAPS)
        for number in range(400, 430):
            write(b"%d %s\n" % (number, b"long " * number))
            viewer.wait_frame()
        viewer.wait(
            "text => document.querySelector('[role=list]').lastElementChild.textContent.startsWith(text)", "429429 long"
        )
        gaps = viewer.js("window.gaps")
        assert len(gaps) > 30
        assert max(map(abs, gaps)) < 1
        assert viewer.js(
            "document.querySelector('#surface').scrollWidth <= document.querySelector('#surface').clientWidth"
        )


def test_paused_page_does_not_move_by_a_pixel_while_a_hundred_thousand_lines_come(
    browser: Browser, server: Server, name: str
) -> None:
    with writing(server, name, lines(1, 3000)) as write, viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 3000")
        viewer.page.mouse.move(400, 400)
        viewer.page.mouse.wheel(0, -333)
        viewer.wait_state("Paused")
        before = viewer.top()
        write(lines(3001, 103_000))
        viewer.wait_state("Paused, 100,000 new")
        assert viewer.top() == before
        viewer.page.get_by_role("button", name="Live · 100,000 new").click()
        viewer.wait_last("line 103000")
        viewer.wait_state("Live")


@pytest.mark.parametrize("way", sample(["End", "G", "f"], "End"))
def test_keys_that_go_to_the_end_follow_it(browser: Browser, server: Server, name: str, way: str) -> None:
    with writing(server, name, lines(1, 1000)) as write, viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 1000")
        viewer.press("PageUp")
        viewer.wait_state("Paused")
        viewer.press(way)
        viewer.wait_state("Live")
        write(b"more\n")
        viewer.wait_last("more")


def test_reaching_the_bottom_follows_and_going_up_does_not(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, lines(1, 1000)) as write, viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 1000")
        viewer.press("k", "k", "k")
        viewer.wait_state("Paused")
        viewer.press("j", "j")
        write(b"more\n")
        viewer.wait_state("Paused, 1 new")
        viewer.press("PageDown")
        viewer.wait_state("Live")


# Cut connections


@pytest.mark.parametrize("count", sample([10, 30], 10))
def test_log_is_shown_byte_for_byte_through_any_number_of_cuts(
    browser: Browser, server: Server, wire: Wire, name: str, count: int
) -> None:
    """Cuts fall anywhere: in the middle of characters, of escape sequences, of lines, and every other one in an answer's head."""
    chance = random.Random(5)
    words = ["ü", "漢字", "😀", "\x1b[31m", "\x1b[38;5;200m", "\x1b[0m", "plain", " ", "x"]
    text = ["".join(chance.choices(words, k=12)) + f" {number}" for number in range(count)]
    data = "\n".join(text).encode()
    with writing(server, name) as write:
        with viewing(browser, wire.address, path(name), viewport={"width": 1000, "height": 1400}) as viewer:
            viewer.wait_state("Live")
            for number, start in enumerate(range(0, len(data), 16)):
                if number % 2:
                    wait_until(partial(is_live, viewer), "the stream")
                wire.cut_after(chance.randrange(16 if number % 2 else 40))
                write(data[start : start + 16])
                wait_until(partial(is_cut, wire, viewer), "cut")
            viewer.wait_last(plain(text[-1]))
            assert wire.cuts >= 3 * count
            assert viewer.texts() == [plain(line) for line in text]
            write(b"")
            viewer.wait_state("Ended")


def test_page_is_found_behind_any_prefix(browser: Browser, server: Server, name: str) -> None:
    with contextlib.closing(Wire(server.get, b"/ci/view-logs")) as wire, writing(server, name, lines(1, 500)) as write:
        with viewing(browser, wire.address, f"/ci/view-logs{path(name, '#L2')}") as viewer:
            expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("line 2")
            viewer.press("End")
            write(b"more\n")
            viewer.wait_last("more")
            viewer.press("/", *"mor")
            expect(viewer.page.locator(".count")).to_have_text("1 of 1 line")
            raw = viewer.page.get_by_role("link", name="Download").get_attribute("href")
            generation = logs.status_of(server, name)["generation"]
            assert raw == f"/ci/view-logs{logs.path_of(name, TOKEN)}?follow=0&generation={generation}"


def test_page_does_without_streams_where_a_proxy_keeps_them_back(browser: Browser, server: Server, name: str) -> None:
    with contextlib.closing(Wire(server.get, buffering=True)) as wire, writing(server, name, lines(1, 5)) as write:
        with viewing(browser, wire.address, path(name)) as viewer:
            viewer.wait_last("line 5")
            viewer.wait_state("Live")
            write(lines(6, 9))
            viewer.wait_last("line 9")
            for number in range(10, 13):
                write(b"line %d\n" % number)
                viewer.wait_last(f"line {number}")
            write(b"")
            viewer.wait_state("Ended")


def is_live(viewer: Viewer) -> bool:
    """Whether the page follows the log again. Until then it hears that there is a network, and need not wait to try."""
    viewer.js("dispatchEvent(new Event('online'))")
    return "Live" in viewer.page.locator(".state").inner_text()


def is_cut(wire: Wire, viewer: Viewer) -> bool:
    """Whether the cut has come. Until then the page need not wait to try again."""
    viewer.retry()
    return wire.budget is None


def plain(line: str) -> str:
    """A line without its escape sequences."""
    return "".join(part.partition("m")[2] if at else part for at, part in enumerate(line.split("\x1b[")))


def test_lost_connection_is_told_with_a_countdown_and_taken_up_again(
    browser: Browser, server: Server, wire: Wire, name: str
) -> None:
    with writing(server, name, lines(1, 10)) as write, viewing(browser, wire.address, path(name)) as viewer:
        viewer.wait_last("line 10")
        wire.refuse()
        # Pauses grow: this one is long enough for the click to come before the page tries again by itself.
        expect(viewer.page.locator(".state")).to_have_text(re.compile(r"Reconnecting in (9|1\d) s"))
        write(lines(11, 20))
        wire.admit()
        viewer.page.get_by_role("button", name="Retry now").click()
        viewer.wait_last("line 20")
        viewer.wait_state("Live")
        assert viewer.texts() == [f"line {number}" for number in range(1, 21)]


def test_page_goes_on_where_it_was_after_a_restart_of_the_server(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    """The log was aborted by the end of its server: the page has all that is there, and says so."""
    environment = {"LIVELOG_DATA_DIR": str(tmp_path_factory.mktemp("data"))}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running(environment))
        wire = stack.enter_context(contextlib.closing(Wire(server.get)))
        write = stack.enter_context(writing(server, name, lines(1, 10)))
        viewer = stack.enter_context(viewing(browser, wire.address, path(name)))
        viewer.wait_last("line 10")
        wire.refuse()
        write(lines(11, 30))
        wait_until(lambda: logs.status_of(server, name)["size"] == len(lines(1, 30)), "all lines")
        assert server.stop() == 0
        wire.lead_to(stack.enter_context(running(environment)).get)
        wire.admit()
        viewer.wait_state(f"Aborted at byte {len(lines(1, 30))}")
        viewer.wait_last("line 30")
        assert viewer.texts() == [f"line {number}" for number in range(1, 31)]


def test_hidden_page_holds_no_connection_and_catches_up_when_it_is_shown(
    browser: Browser, server: Server, name: str
) -> None:
    with writing(server, name, lines(1, 10)) as write, viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 10")
        hide(viewer, hidden=True)
        viewer.wait_state("Resting")
        write(lines(11, 15))
        hide(viewer, hidden=False)
        viewer.wait_last("line 15")


@pytest.mark.long
def test_seven_tabs_of_one_browser_are_up_to_date_when_they_are_shown(browser: Browser, server: Server) -> None:
    """A browser has six connections to a server at most: tabs in the background need none."""
    names = [f"tab-{number}" for number in range(7)]
    context = browser.new_context()
    with contextlib.ExitStack() as stack:
        stack.callback(context.close)
        writers = [stack.enter_context(writing(server, name, b"one\n")) for name in names]
        tabs = []
        for name in names:
            viewer = Viewer(context.new_page())
            viewer.page.goto(f"http://{server.get.authority}{path(name)}")
            viewer.wait_last("one")
            hide(viewer, hidden=True)
            viewer.wait_state("Resting")
            tabs.append(viewer)
        for write in writers:
            write(b"two\n")
        for viewer in tabs:
            hide(viewer, hidden=False)
            viewer.wait_last("two")
            hide(viewer, hidden=True)


def hide(viewer: Viewer, *, hidden: bool) -> None:
    """Tell the page that it is in the background, or not: a headless browser shows all its tabs."""
    viewer.js(
        """hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
        document.dispatchEvent(new Event('visibilitychange')); }""",
        hidden,
    )


# States


def test_page_waits_for_a_log_that_has_not_begun(browser: Browser, server: Server, name: str) -> None:
    with viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_state("Waiting for the log")
        expect(viewer.page.locator(".card")).to_contain_text("This log has not begun")
        with writing(server, name, b"first\n"):
            viewer.wait_last("first")
            expect(viewer.page.locator(".card")).to_have_count(0)


@pytest.mark.parametrize(("code", "text"), one_of(2, [(2, "Ended, exit 2"), (0, "Ended, exit 0")]))
def test_exit_code_is_told_when_the_log_has_ended(
    browser: Browser, server: Server, name: str, code: int, text: str
) -> None:
    logs.send(server, name, b"done\n", f"Livelog-Exit-Code: {code}")
    with viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_state(text)
        viewer.wait_last("done")


def test_log_that_breaks_off_is_told_to_be_aborted_with_all_of_its_bytes(
    browser: Browser, server: Server, name: str
) -> None:
    with contextlib.closing(logs.begin(server, name)) as producer:
        producer.send(b"7\r\nwhole\n.\r\n")
        with viewing(browser, server.get, path(name)) as viewer:
            viewer.wait_last(".")
            producer.send(b"100\r\nrest")
            viewer.wait_last(".rest")
            producer.close()
            viewer.wait_state("Aborted at byte 11")
            assert viewer.texts() == ["whole", ".rest"]


def test_writer_that_is_away_is_told(browser: Browser, server: Server, name: str) -> None:
    logs.request(server.put, "PUT", f"/log/{name}", "Upload-Complete: ?0", body=b"part\n")
    with viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("part")
        viewer.wait_state("Writer disconnected")


def test_log_that_takes_anothers_place_is_never_joined_to_it(
    browser: Browser, server: Server, wire: Wire, name: str
) -> None:
    with writing(server, name, lines(1, 10)) as write, viewing(browser, wire.address, path(name)) as viewer:
        viewer.wait_last("line 10")
        wire.refuse()
        viewer.wait_state("Reconnecting")
        end(server, name, write)
        logs.send(
            server,
            name,
            b"another log, and longer than the first one was by much, so that there is something to join\n" * 9,
        )
        wire.admit()
        viewer.wait_state("Replaced")
        assert viewer.texts() == [f"line {number}" for number in range(1, 11)]
        viewer.page.get_by_role("button", name="Show the new one").click()
        viewer.wait_last("another log, and longer than the first one was by much, so that there is something to join")


def test_log_that_was_removed_while_it_was_read_stays_on_the_page(
    browser: Browser, server: Server, wire: Wire, name: str
) -> None:
    with writing(server, name, lines(1, 10)) as write, viewing(browser, wire.address, path(name)) as viewer:
        viewer.wait_last("line 10")
        wire.refuse()
        end(server, name, write)
        assert logs.request(server.put, "DELETE", f"/log/{name}").status == 204
        wire.admit()
        viewer.wait_state("Removed")
        assert viewer.texts() == [f"line {number}" for number in range(1, 11)]


def test_token_is_asked_for_and_kept_out_of_the_address(browser: Browser, server: Server, name: str) -> None:
    """A typed one is for this tab; the place in the fragment is kept."""
    logs.send(server, name, lines(1, 500))
    with viewing(browser, server.get, path(name, "#L250", token="")) as viewer:
        viewer.wait_state("Token needed")
        for token in ("wrong", TOKEN):
            viewer.page.get_by_label("Token").fill(token)
            viewer.page.get_by_role("button", name="Open").click()
            if token == "wrong":
                expect(viewer.page.locator(".card")).to_contain_text("That token does not")
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("line 250")
        assert TOKEN not in viewer.page.url
        assert not any("?" in request.url and TOKEN in request.url.partition("?")[2] for request in viewer.requests)
        viewer.page.reload()
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("line 250")


def test_token_in_the_fragment_is_used_and_taken_away(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, lines(1, 500))
    with viewing(browser, server.get, path(name, f"#token={TOKEN}&L250", token="")) as viewer:
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("line 250")
        assert viewer.page.url.endswith(f"/view/{name}#L250")


def test_address_that_cannot_be_a_log_is_told_to_be_none(browser: Browser, server: Server) -> None:
    with viewing(browser, server.get, f"/view/{TOKEN}/no//name") as viewer:
        viewer.wait_state("Not here")
