"""Only the lines that match: which they are, where the view stays, what is linked, copied and downloaded, and what goes wrong.

Categories: lines that match · context and inversion · the place is kept · live logs · addresses · faults · size.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.harness import TOKEN, Server
from tests.integration import logs
from tests.integration.servers import wait_until
from tests.sample import one_of, sample

from .pages import PATIENCE, ROWS, SIZES, Viewer, end, path, viewing, violations, writing

pytestmark = pytest.mark.needs("chromium")

EVERY_TENTH = b"".join(b"line %d%s\n" % (number, b" needle" if number % 10 == 0 else b"") for number in range(1, 2001))


def wait_numbers(viewer: Viewer, *numbers: int) -> None:
    """Wait until these are the numbers of all rows."""
    expect(viewer.page.locator(f"{ROWS} > .number")).to_have_text([str(number) for number in numbers])


def wait_only(viewer: Viewer, text: str) -> None:
    """Wait until all rows are known, and have this text."""
    viewer.wait(
        f"""text => {{ const rows = [...document.querySelectorAll('{ROWS}')];
        return rows.length > 0 && rows.every(row => row.querySelector('.text').textContent.includes(text)); }}""",
        text,
    )


def search(viewer: Viewer, text: str) -> None:
    """Type a search."""
    viewer.press("/")
    viewer.page.keyboard.type(text)


def place_of(viewer: Viewer, line: int) -> float:
    """Where the row of a line is on the screen, once no row waits for its line."""
    viewer.wait_loaded()
    place: float = viewer.js(
        f"line => [...document.querySelectorAll('{ROWS}')].find(row => row.dataset.line === String(line))"
        "?.getBoundingClientRect().top ?? -1",
        line,
    )
    return place


@contextlib.contextmanager
def filtered(browser: Browser, server: Server, name: str, query: str, **options: Any) -> Iterator[Viewer]:
    """A tab with a filter that the address names."""
    with viewing(browser, server.get, path(name, f"?{query}&only=1"), **options) as viewer:
        yield viewer


# Lines that match


def test_box_switches_between_finding_and_only_lines_that_match(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, b"a needle\nhay\nhay\nneedle b\nhay\n")
    with viewing(browser, server.get, path(name)) as viewer:
        search(viewer, "needle")
        expect(viewer.page.locator("#search .count")).to_have_text("2 of 2 lines")
        wait_numbers(viewer, 1, 2, 3, 4, 5)
        viewer.page.get_by_role("button", name="Only").click()
        wait_numbers(viewer, 1, 4)
        assert viewer.texts() == ["a needle", "needle b"]
        viewer.page.get_by_role("button", name="Only").click()
        wait_numbers(viewer, 1, 2, 3, 4, 5)
        viewer.page.locator("#search input").press("Control+Enter")
        wait_numbers(viewer, 1, 4)
        viewer.page.get_by_role("button", name="Close search").click()
        wait_numbers(viewer, 1, 2, 3, 4, 5)
        viewer.press("&")
        wait_numbers(viewer, 1, 4)
        viewer.page.locator("#search input").fill("hay")
        wait_numbers(viewer, 2, 3, 5)


@pytest.mark.long
def test_filtered_log_scrolls_from_its_end_to_its_beginning(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, EVERY_TENTH)
    with filtered(browser, server, name, "q=needle") as viewer:
        wait_only(viewer, "needle")
        viewer.wait_last("line 2000 needle")
        seen = set(viewer.numbers())
        while 10 not in seen:
            viewer.press("PageUp")
            viewer.wait_frame()
            wait_only(viewer, "needle")
            seen |= set(viewer.numbers())
        assert seen == set(range(10, 2010, 10))
        viewer.press("End")
        viewer.wait_last("line 2000 needle")
        viewer.press("Home")
        viewer.wait_first(10)


@pytest.mark.parametrize(
    ("query", "numbers"),
    one_of(
        3,
        [
            ("q=needle&context=1", [1, 2, 6, 7, 8, 9]),
            ("q=needle&invert=1", [2, 3, 4, 5, 6, 9]),
            ("q=needle&invert=1&context=1", [1, 2, 3, 4, 5, 6, 7, 8, 9]),
            ("q=Needle&case=1", []),
            ("q=^n.*e$&regex=1", [1, 7, 8]),
        ],
    ),
)
def test_address_names_a_filter_and_its_lines_of_context(
    browser: Browser, server: Server, name: str, query: str, numbers: list[int]
) -> None:
    logs.send(server, name, b"needle\n" + b"hay\n" * 5 + b"needle\nneedle\n" + b"hay\n")
    with filtered(browser, server, name, query) as viewer:
        wait_numbers(viewer, *numbers)


def test_context_and_inversion_are_in_the_bar_and_in_the_address(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, EVERY_TENTH)
    with filtered(browser, server, name, "q=needle") as viewer:
        viewer.wait_last("line 2000 needle")
        viewer.press("Home")
        viewer.wait_first(10)
        page = viewer.page
        page.get_by_label("Lines around each").select_option("1")
        expect(page.locator(f"{ROWS} > .number", has_text=re.compile("^11$"))).to_have_count(1)
        viewer.press("Home")
        viewer.wait_first(9)
        assert viewer.numbers()[:6] == [9, 10, 11, 19, 20, 21]
        assert page.locator(f"{ROWS}.context > .number").all_text_contents()[:4] == ["9", "11", "19", "21"]
        assert page.locator(f"{ROWS}.apart > .number").all_text_contents()[:3] == ["9", "19", "29"]
        assert viewer.js("location.search") == "?q=needle&only=1&context=1"
        page.get_by_role("button", name="Lines that do not match").click()
        page.get_by_label("Lines around each").select_option("0")
        expect(page.locator("#search .count")).to_have_text("1,800 other lines")
        viewer.wait("() => location.search === '?q=needle&only=1&invert=1'")
        expect(page.locator(f"{ROWS} > .text", has_text="needle")).to_have_count(0)


# The place is kept


@pytest.mark.parametrize("wrap", sample([False, True], False))
def test_line_at_the_top_stays_where_it_is_both_ways(browser: Browser, server: Server, name: str, wrap: bool) -> None:
    logs.send(server, name, EVERY_TENTH.replace(b"hay", b"hay" * 100))
    with viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 2000 needle")
        if wrap:
            viewer.press("w")
        search(viewer, "needle")
        expect(viewer.page.locator("#search .count")).to_have_text("200 of 200 lines")
        viewer.page.get_by_role("button", name="Close search").click()
        viewer.press("Control+g", *"1000", "Enter")
        viewer.wait("() => document.querySelector('.row.marked')")
        before = place_of(viewer, 1000)
        viewer.press("&")
        wait_only(viewer, "needle")
        assert place_of(viewer, 1000) == pytest.approx(before, abs=45)  # the bar has come
        before = place_of(viewer, 1000)
        viewer.page.get_by_role("button", name="Only").click()
        expect(viewer.page.locator(f"{ROWS} > .number", has_text=re.compile("^1001$"))).to_have_count(1)
        assert place_of(viewer, 1000) == pytest.approx(before, abs=1)


@pytest.mark.long
def test_nearest_line_takes_the_place_of_one_that_does_not_match(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, EVERY_TENTH)
    with filtered(browser, server, name, "q=needle") as viewer:
        viewer.wait_last("line 2000 needle")
    with viewing(browser, server.get, path(name, "?q=needle&only=1#L1003")) as viewer:
        wait_only(viewer, "needle")
        assert {1000, 1010} <= set(viewer.numbers())


def test_line_that_does_not_match_is_gone_to_among_all_lines(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, EVERY_TENTH)
    with filtered(browser, server, name, "q=needle") as viewer:
        wait_only(viewer, "needle")
        viewer.page.locator("#surface").focus()
        viewer.press("Control+g", *"1503", "Enter")
        viewer.wait("() => document.querySelector('.row.marked')?.dataset.line === '1503'")
        viewer.wait_told("does not match")
        viewer.page.locator("#surface").focus()
        viewer.press("&")
        wait_only(viewer, "needle")
        viewer.press("N")
        wait_until(lambda: bool({1500, 1510} & set(viewer.numbers())), "the match before it is shown", PATIENCE)


# Live logs


def test_new_lines_that_match_are_shown_as_they_come(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, EVERY_TENTH) as write:
        with filtered(browser, server, name, "q=needle") as viewer:
            viewer.wait_last("line 2000 needle")
            write(b"hay\nlate needle\nhay\nhay needle that goes")
            viewer.wait_last("late needle")
            write(b" on\n")
            viewer.wait_last("hay needle that goes on")
            viewer.press("ArrowUp")
            write(b"hay\nnew needle\n")
            expect(viewer.page.locator(".state")).to_contain_text("1 new")
            viewer.press("End")
            viewer.wait_last("new needle")
            write(b"last needle")
            end(server, name, write)
            viewer.wait_last("last needle")
            viewer.wait_state("Ended")


@pytest.mark.long
def test_lines_of_context_come_in_front_of_a_new_line(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, b"needle\nhay 2\nhay 3\nhay 4\nhay 5\n") as write:
        with filtered(browser, server, name, "q=needle&context=1") as viewer:
            wait_numbers(viewer, 1, 2)
            write(b"needle\nhay 7\nhay 8\n")
            wait_numbers(viewer, 1, 2, 5, 6, 7)


def test_screen_readers_hear_only_of_lines_that_match(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, b"needle\nhay\n") as write:
        with filtered(browser, server, name, "q=needle") as viewer:
            viewer.press("?")
            viewer.page.get_by_label("new lines are read out").check()
            viewer.press("Escape")
            wait_numbers(viewer, 1)
            expect(viewer.page.locator("#said")).to_have_text(re.compile("Live"))
            write(b"hay hay\nfirst needle\n")
            expect(viewer.page.locator("#said")).to_have_text("first needle")


# Faults


def test_filter_goes_on_after_the_server_was_busy(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, EVERY_TENTH)
    refused: list[str] = []

    def busy(route: Any) -> None:
        if "lines=1" in route.request.url and not refused:
            refused.append(route.request.url)
            route.fulfill(status=503, headers={"Retry-After": "1"}, body="Too many searches\n")
        else:
            route.continue_()

    with filtered(browser, server, name, "q=needle", relays={"/search/": busy}) as viewer:
        wait_only(viewer, "needle")
        viewer.wait_last("line 2000 needle")
        assert len(refused) == 1


@pytest.mark.long
def test_hidden_page_holds_no_search_and_goes_on_when_it_is_seen(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, b"needle 1\nhay\n") as write:
        with filtered(browser, server, name, "q=needle") as viewer:
            wait_numbers(viewer, 1)
            viewer.js("""() => { Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true});
                window.away = true; document.dispatchEvent(new Event('visibilitychange')); }""")
            write(b"needle 2\n")
            viewer.js("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")
            viewer.wait_last("needle 2")
            wait_numbers(viewer, 1, 3)


@pytest.mark.long
def test_replaced_log_keeps_the_lines_that_were_read(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, b"needle\nhay\n") as write:
        with filtered(browser, server, name, "q=needle") as viewer:
            wait_numbers(viewer, 1)
            end(server, name, write)
            viewer.wait_state("Ended")
            logs.send(server, name, b"another needle\n")
            viewer.retry()
            viewer.wait_state("Replaced")
            wait_numbers(viewer, 1)


# Everything else that lines have


def test_open_record_leads_to_the_records_of_its_level(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, b'{"level":"info","msg":"up"}\n{"level":"error","msg":"broke","code":7}\nA=1 make\n' * 2)
    with viewing(browser, server.get, path(name)) as viewer:
        viewer.wait("() => document.querySelectorAll('.row .fold').length === 2")
        viewer.page.get_by_role("button", name="Show all fields of this line").first.click()
        viewer.page.get_by_role("link", name="Only records of level error").click()
        wait_numbers(viewer, 2, 5)


@pytest.mark.long
def test_lines_show_their_times_and_their_groups_titles(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, b"::group::needle group\nhay\nneedle in it\n::endgroup::\n")
    with filtered(browser, server, name, "q=needle") as viewer:
        wait_numbers(viewer, 1, 3)
        viewer.page.locator("#surface").focus()
        viewer.press("t")
        expect(viewer.page.locator(f"{ROWS} > .time")).to_have_text([re.compile(r"^\d\d:\d\d:\d\d\.\d\d")] * 2)
        expect(viewer.page.locator(f"{ROWS}.group > .text")).to_have_text("needle group")
        expect(viewer.page.locator(f"{ROWS} .fold")).to_have_count(0)


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1252"])
@pytest.mark.long
def test_long_lines_and_lines_of_any_encoding_are_shown_as_they_are(
    browser: Browser, server: Server, name: str, encoding: str
) -> None:
    data = "hay\nneedle äöü\nhay\n".encode(encoding) + b"needle " + b"x" * 70_000 + b"\n" + b"needle \xff bad\n"
    logs.send(server, name, data, f"Content-Type: text/plain; charset={encoding}")
    with filtered(browser, server, name, "q=needle") as viewer:
        wait_numbers(viewer, 2, 4, 5)
        viewer.wait_loaded()
        bad = "\ufffd" if encoding == "utf-8" else "ÿ"
        assert [viewer.texts()[at] for at in (0, 2)] == ["needle äöü", f"needle {bad} bad"]
        expect(viewer.page.locator(".row .more")).to_have_attribute("data-said", "show more (65.9 KB)")


@pytest.mark.parametrize("theme", sample(["light", "dark"], "dark"))
@pytest.mark.parametrize("size", sample(["desktop", "phone"], "phone"))
def test_axe_finds_nothing(browser: Browser, server: Server, name: str, theme: Any, size: str, axe: str) -> None:
    logs.send(server, name, EVERY_TENTH)
    options: Any = {**SIZES[size], "color_scheme": theme, "reduced_motion": "reduce"}
    with filtered(browser, server, name, "q=needle&context=3", **options) as viewer:
        expect(viewer.page.locator(f"{ROWS}.context").first).to_be_visible()
        viewer.wait_loaded()
        assert violations(viewer, axe) == []
        viewer.page.get_by_role("button", name="Lines that do not match").click()
        viewer.wait("() => location.search.includes('invert')")
        assert violations(viewer, axe) == []
        width: list[int] = viewer.js("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1]


# Copies, links and files


ALLOWED: dict[str, Any] = {"permissions": ["clipboard-read", "clipboard-write"]}


def test_copied_is_what_is_shown(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, EVERY_TENTH + b"\x1b[31mred needle\x1b[0m\n")
    with filtered(browser, server, name, "q=needle&context=1", **ALLOWED) as viewer:
        viewer.wait_last("red needle")
        expect(viewer.page.locator(f"{ROWS} > .number", has_text=re.compile("^1998$"))).to_have_count(0)
        viewer.page.locator("#surface").focus()
        every = [number for number in range(1, 2001) if number % 10 in (0, 1, 9) and number > 8]
        shown = [f"line {number}{' needle' if number % 10 == 0 else ''}" for number in every]
        viewer.press("Control+a", "Control+c")
        viewer.wait_told("Copied 600 lines")
        assert viewer.js("navigator.clipboard.readText()") == "\n".join([*shown, "red needle", ""])
        viewer.page.locator(f"{ROWS}[data-line='1989'] > .number").click()
        viewer.page.locator(f"{ROWS}[data-line='2001'] > .number").click(modifiers=["Shift"])
        viewer.page.get_by_role("button", name="Copy", exact=True).click()
        viewer.wait_told("Copied 6 lines")
        assert viewer.js("navigator.clipboard.readText()") == "\n".join([*shown[-5:], "red needle", ""])
        viewer.page.get_by_role("button", name="Raw").click()
        viewer.wait("async () => (await navigator.clipboard.readText()).endsWith('\x1b[31mred needle\x1b[0m\\n')")


@pytest.mark.long
def test_copied_lines_are_asked_for_that_are_not_in_memory(browser: Browser, server: Server, name: str) -> None:
    data = b"".join(b"%d needle\n" % number for number in range(12_000))
    logs.send(server, name, data)
    with filtered(browser, server, name, "q=needle", **ALLOWED) as viewer:
        viewer.wait_last("11999 needle")
        viewer.page.locator("#surface").focus()
        viewer.press("Control+a", "Control+c")
        viewer.wait_told("Copied 12,000 lines")
        assert viewer.js("navigator.clipboard.readText()") == data.decode()


def test_link_opens_what_is_shown_and_download_saves_it(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, b"hay\n\x1b[31mneedle\x1b[0m\nhay\nhay\nneedle\n") as write:
        with filtered(browser, server, name, "q=needle&context=1", **ALLOWED) as viewer:
            wait_numbers(viewer, 1, 2, 3, 4, 5)
            viewer.page.get_by_label("Lines around each").select_option("0")
            wait_numbers(viewer, 2, 5)
            viewer.page.locator(f"{ROWS}[data-line='5'] > .number").click()
            viewer.press("y")
            viewer.wait_told("Link copied")
            link: str = viewer.js("navigator.clipboard.readText()")
            assert link.endswith("?q=needle&only=1#L5")
            with viewer.page.expect_download() as saved:
                viewer.page.locator("header").get_by_role("link", name="Download").click()
            assert saved.value.suggested_filename == f"{name.replace('/', '-')}-filtered.log"
            assert saved.value.path().read_text() == "2:needle\n5:needle\n"
        with viewing(browser, server.get, link.partition(server.get.authority)[2]) as other:
            wait_numbers(other, 2, 5)
            expect(other.page.locator(f"{ROWS}.marked > .number")).to_have_text("5")
        end(server, name, write)


# Back to where one was


def test_escape_goes_back_to_where_one_was(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, EVERY_TENTH + b"end\n"), viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("end")
        search(viewer, "line 50 needle")
        viewer.wait("() => document.querySelector('.hit-row')?.dataset.line === '50'")
        viewer.press("Escape")
        viewer.wait_last("end")
        viewer.wait_state("Live")
        viewer.press("Control+g", *"1000", "Enter")
        viewer.wait("() => document.querySelector('.row.marked')?.dataset.line === '1000'")
        at = place_of(viewer, 1000)
        viewer.press("&")
        viewer.page.locator("#search input").fill("needle")
        wait_only(viewer, "needle")
        viewer.page.locator("#search input").press("Escape")
        expect(viewer.page.locator(f"{ROWS} > .number", has_text=re.compile("^1001$"))).to_have_count(1)
        assert place_of(viewer, 1000) == pytest.approx(at, abs=1)
        viewer.press("Escape")
        viewer.wait_last("end")
        viewer.wait_state("Live")
        expect(viewer.page.locator(f"{ROWS}.marked")).to_have_count(0)


def test_escape_goes_back_from_a_line_to_the_filter(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, EVERY_TENTH)
    with filtered(browser, server, name, "q=needle") as viewer:
        wait_only(viewer, "needle")
        viewer.wait_last("line 2000 needle")
        viewer.page.locator("#surface").focus()
        viewer.press("Control+g", *"1503", "Enter")
        viewer.wait("() => document.querySelector('.row.marked')?.dataset.line === '1503'")
        viewer.press("Escape")
        wait_only(viewer, "needle")
        viewer.wait_last("line 2000 needle")
        viewer.press("Escape")
        expect(viewer.page.locator("#search")).to_be_hidden()
        expect(viewer.page.locator(f"{ROWS} > .number", has_text=re.compile("^1999$"))).to_have_count(1)


@pytest.mark.long
def test_filter_goes_on_after_its_link_has_expired(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, b"".join(b"%d needle\n" % number for number in range(1, 12_001))) as write:
        told = logs.request(server.put, "HEAD", f"/log/{name}?expires=12")["Livelog-Link"]
        token = told.split("/log/")[1].removesuffix(f"/{name}")
        with viewing(browser, server.get, path(name, "?q=needle&only=1", token=token)) as viewer:
            viewer.wait_last("12000 needle")
            expect(viewer.page.locator(".banner")).to_contain_text("What comes is still shown")
            write(b"hay\nlate needle\n")
            viewer.wait_last("late needle")
            viewer.page.get_by_label("Token").fill(TOKEN)
            viewer.page.get_by_role("button", name="Open").click()
            expect(viewer.page.locator(".banner")).to_have_count(0)
            viewer.page.locator("#surface").focus()
            viewer.press("Home")
            viewer.wait_first(1)
            wait_only(viewer, "needle")
            write(b"")
            viewer.wait_state("Ended")


@pytest.mark.long
def test_filters_that_are_over_leave_nothing_in_the_page(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, EVERY_TENTH)
    with filtered(browser, server, name, "q=needle") as viewer:
        session = viewer.page.context.new_cdp_session(viewer.page)
        session.send("Performance.enable")

        def listeners() -> int:
            session.send("HeapProfiler.collectGarbage")
            metrics = session.send("Performance.getMetrics")["metrics"]
            return int(next(each["value"] for each in metrics if each["name"] == "JSEventListeners"))

        counts = []
        for _ in range(12):
            wait_only(viewer, "needle")
            counts.append(listeners())
            viewer.press("&")
            viewer.wait_last("line 2000 needle")
            viewer.wait(
                "() => document.querySelectorAll('.row').length && ![...document.querySelectorAll('.row')].every(row => row.textContent.includes('needle'))"
            )
            viewer.press("&")
        assert max(counts[6:]) <= max(counts[:6]), counts
