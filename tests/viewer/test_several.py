"""Several logs on one page, in a browser: side by side, and merged by time; as they grow, end, and are replaced; through breaks; keys and ears.

Categories: what is shown, and of which log · the order of merged lines · growth, ends, removed and replaced logs, breaks · going through long logs ·
search across · the ways to the page and from it · accessibility (axe finds nothing). Pure parts are in `viewer/test/several.test.ts`.
"""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from livelog.tokens import Access
from tests.harness import TOKEN, Server
from tests.integration import logs
from tests.integration.servers import running
from tests.sample import sample

from .pages import SIZES, Viewer, heap, holding, lines, viewing, violations, writing
from .wires import Wire

pytestmark = pytest.mark.needs("chromium")

ROWS = ".surface .row"

PERMITTED: dict[str, Any] = {"permissions": ["clipboard-read", "clipboard-write"]}


def several(*names: str, form: str = "side", prefix: str = "", token: str = TOKEN) -> str:
    """The address of a page with these logs."""
    return f"/view/{token}/{prefix}?logs={','.join(names)}&as={form}"


def send(server: Server, name: str, body: bytes, *headers: str) -> None:
    """Send a whole log."""
    assert logs.send(server, name, body, *headers).status in (200, 201)


def pane(viewer: Viewer, at: int = 0) -> Locator:
    """A pane: the first one, or another."""
    return viewer.page.locator(".pane").nth(at)


def wait_texts(viewer: Viewer, *expected: str, at: int = 0) -> None:
    """Wait until the rows of a pane have these texts, and no others."""
    expect(pane(viewer, at).locator(".row .text")).to_have_text(list(expected))


def wait_last(viewer: Viewer, text: str, at: int = 0) -> None:
    """Wait until the last row of a pane has this text, and can be seen."""
    last = pane(viewer, at).locator(".row").last
    expect(last.locator(".text")).to_have_text(text)
    expect(last).to_be_in_viewport()


def wait_state(viewer: Viewer, text: str, at: int = 0) -> None:
    """Wait until the head of a pane says so of its log."""
    expect(pane(viewer, at).locator(".top .state")).to_have_text(text)


def shown(viewer: Viewer) -> list[tuple[str, str]]:
    """All merged rows: what the log is called, and the text."""
    rows: list[list[str]] = viewer.js(
        f"[...document.querySelectorAll('{ROWS}')].map(row => [row.querySelector('.who').textContent, row.querySelector('.text').textContent])"
    )
    return [(name, text) for name, text in rows]


def test_logs_are_shown_side_by_side_with_their_states_as_they_grow_and_end(
    browser: Browser, server: Server, name: str
) -> None:
    send(server, f"{name}/b", b"\x1b[31mred\x1b[0m and <b>\nsecond\n", "Livelog-Exit-Code: 3")
    with (
        writing(server, f"{name}/a", b"one\n") as write,
        viewing(browser, server.get, several(f"{name}/a", f"{name}/b", f"{name}/c")) as viewer,
    ):
        wait_texts(viewer, "one")
        wait_texts(viewer, "red and <b>", "second", at=1)
        expect(pane(viewer, 1).locator(".text span")).to_have_text("red")
        for at, (title, state) in enumerate((("a", "Live"), ("b", "Failed, exit 3"), ("c", "Waiting for the log"))):
            expect(pane(viewer, at).locator(".title")).to_have_text(title)
            wait_state(viewer, state, at)
        write(b"two\nhal")
        wait_texts(viewer, "one", "two", "hal")
        write(b"f\n")
        wait_texts(viewer, "one", "two", "half")
        send(server, f"{name}/c", b"begun\n")
        wait_texts(viewer, "begun", at=2)
        write(b"")
        wait_state(viewer, "Ended")
        wait_texts(viewer, "one", "two", "half")
        expect(pane(viewer).locator(".number").last).to_have_attribute("href", f"/view/{TOKEN}/{name}/a#L3")
        assert viewer.page.title() == "3 logs side by side – Live"


def test_merged_lines_are_in_the_order_of_their_times_and_named(browser: Browser, server: Server, name: str) -> None:
    """Lines that came within 10 ms are in the order of the logs: so each line waits until the one before it is older than that."""
    with writing(server, f"{name}/a") as one, writing(server, f"{name}/b") as other:
        expected = []
        with viewing(browser, server.get, several(f"{name}/a", f"{name}/b", form="merged")) as viewer:
            for number in range(8):
                write, log = ((one, "a"), (other, "b"))[number % 3 != 0]
                write(b"line %d\n" % number)
                expected.append((log, f"line {number}"))
                wait_last(viewer, f"line {number}")
            assert shown(viewer) == expected
        with viewing(browser, server.get, several(f"{name}/b", f"{name}/a", form="merged")) as viewer:
            wait_last(viewer, "line 7")
            assert shown(viewer) == expected
            colours = viewer.js(
                f"[...document.querySelectorAll('{ROWS} .who')].map(who => getComputedStyle(who).color)"
            )
            assert len(set(colours)) == 2
            assert len({(row[0], colour) for row, colour in zip(expected, colours, strict=True)}) == 2


@pytest.mark.long
@pytest.mark.parametrize("form", ["side", "merged"])
def test_long_logs_are_gone_through_from_the_end_to_the_beginning_and_back(
    browser: Browser, server: Server, name: str, form: str
) -> None:
    """No line is missing on the way, none is shown twice, and the page never holds many."""
    send(server, f"{name}/a", lines(1, 1500))
    send(server, f"{name}/b", lines(1501, 3000))
    with viewing(browser, server.get, several(f"{name}/a", f"{name}/b", form=form)) as viewer:
        at = 1 if form == "side" else 0
        first, last = (1501, 3000) if form == "side" else (1, 3000)
        wait_last(viewer, f"line {last}", at)
        surface = pane(viewer, at).locator(".surface")
        surface.focus()
        seen = surface.evaluate(
            """async (surface, [first, patience]) => {
              const numbers = () => [...surface.querySelectorAll('.row .text')].map(text => Number(text.textContent.slice(5)));
              const orders = [];
              const most = [];
              for (const [goal, step] of [[0, -1], [-1, 1]]) {
                const aim = numbers().at(-1);
                const all = new Set();
                const until = Date.now() + patience;
                while (Date.now() < until) {
                  const now = numbers();
                  most.push(now.length);
                  if (now.some((number, at) => at && number !== now[at - 1] + 1)) return `gap in ${now}`;
                  now.forEach(number => all.add(number));
                  if (now.at(goal) === (step < 0 ? first : Number(surface.dataset.last ?? aim))) break;
                  surface.scrollTop += step * 600;
                  await new Promise(requestAnimationFrame);
                }
                surface.dataset.last ??= aim;
                orders.push(all.size);
              }
              return [orders, Math.max(...most)];
            }""",
            [first, 100_000],
        )
        orders, most = seen
        assert orders == [last - first + 1] * 2
        assert most <= 1200


def test_growth_stays_at_the_end_unless_one_has_gone_away_from_it(browser: Browser, server: Server, name: str) -> None:
    with (
        writing(server, f"{name}/a", lines(1, 200)) as write,
        viewing(browser, server.get, several(f"{name}/a", form="merged")) as viewer,
    ):
        wait_last(viewer, "line 200")
        viewer.press("k", "k", "k")
        expect(viewer.page.get_by_role("button", name="Follow").first).to_have_attribute("aria-pressed", "false")
        write(lines(201, 203))
        expect(pane(viewer).locator(".facts")).to_contain_text("1.7 KB")
        first = viewer.js("document.querySelector('.surface').scrollTop")
        viewer.press("G")
        wait_last(viewer, "line 203")
        assert viewer.js("document.querySelector('.surface').scrollTop") > first
        viewer.press("g")
        expect(pane(viewer).locator(".row").first.locator(".text")).to_have_text("line 1")
        expect(pane(viewer).locator(".row").first).to_be_in_viewport()
        viewer.press("f")
        write(lines(204, 204))
        wait_last(viewer, "line 204")


@pytest.mark.long
def test_a_flood_is_passed_over_and_its_end_is_shown(browser: Browser, server: Server, name: str) -> None:
    with (
        writing(server, f"{name}/a", b"begin\n") as write,
        viewing(browser, server.get, several(f"{name}/a", f"{name}/b", form="merged")) as viewer,
    ):
        send(server, f"{name}/b", b"beside\n")
        for round_ in range(3):
            write(lines(1, 50_000) + b"round %d\n" % round_)
            wait_last(viewer, f"round {round_}")
        assert viewer.page.locator(ROWS).count() <= 1200


def test_no_line_is_lost_or_shown_twice_when_the_connection_breaks(
    browser: Browser, server: Server, wire: Wire, name: str
) -> None:
    with (
        writing(server, f"{name}/a", lines(1, 3)) as write,
        viewing(browser, wire.address, several(f"{name}/a", form="merged")) as viewer,
    ):
        wait_last(viewer, "line 3")
        wire.refuse()
        expect(viewer.page.locator("#head .state")).to_contain_text("Reconnecting")
        write(lines(4, 6))
        wire.admit()
        viewer.retry()
        wait_texts(viewer, *(f"line {number}" for number in range(1, 7)))


def test_each_log_tells_that_it_was_aborted_removed_or_replaced(browser: Browser, server: Server, name: str) -> None:
    names = [f"{name}/{each}" for each in "abc"]
    for each in names[1:]:
        send(server, each, b"old\n")
    with viewing(browser, server.get, several(*names)) as viewer:
        with writing(server, names[0], b"cut"):
            wait_texts(viewer, "cut")
        wait_state(viewer, "Aborted")
        for at in (1, 2):
            wait_texts(viewer, "old", at=at)
        assert logs.request(server.put, "DELETE", f"/log/{names[1]}").status == 204
        send(server, names[2], b"new\n")
        wait_state(viewer, "Removed", at=1)
        wait_state(viewer, "Replaced", at=2)
        wait_texts(viewer, "old", at=2)


@pytest.mark.parametrize("kept", sample([1, 2], 2))
def test_replaced_log_can_be_read_on_if_it_is_kept_and_says_that_it_cannot_if_not(
    browser: Browser, name: str, kept: int
) -> None:
    with running({"LIVELOG_KEEP_ATTEMPTS": str(kept)}) as server:
        send(server, name, lines(1, 2000))
        with viewing(browser, server.get, several(name)) as viewer:
            wait_last(viewer, "line 2000")
            send(server, name, b"new\n")
            wait_state(viewer, "Replaced")
            viewer.press("g")
            if kept > 1:
                expect(pane(viewer).locator(".row .text").first).to_have_text("line 1")
            else:
                expect(pane(viewer).locator(".facts")).to_contain_text("not read: ")


@pytest.mark.long
def test_twenty_logs_are_merged_each_in_a_colour_of_its_own(browser: Browser, server: Server, name: str) -> None:
    names = [f"{name}/{number:02}" for number in range(20)]
    for each in names[1:]:
        send(server, each, f"of {each}\n".encode())
    with (
        writing(server, names[0], b"first\n") as write,
        viewing(browser, server.get, several(*names, form="merged")) as viewer,
    ):
        expect(viewer.page.locator(ROWS)).to_have_count(20)
        assert sorted(shown(viewer)) == [("00", "first"), *((each[-2:], f"of {each}") for each in names[1:])]
        write(b"last\n")
        wait_last(viewer, "last")
        colours = viewer.js(f"[...document.querySelectorAll('{ROWS} .who')].map(who => getComputedStyle(who).color)")
        assert len(set(colours)) == 20
        expect(viewer.page.locator("#said")).to_contain_text("00: Live")


@pytest.mark.long
def test_log_that_does_not_answer_keeps_the_others_back_for_ten_seconds_and_is_put_in_its_place_then(
    browser: Browser, server: Server, name: str
) -> None:
    send(server, f"{name}/b", b"older\n")
    send(server, f"{name}/a", b"newer\n")
    held: list[Route] = []
    address = several(f"{name}/a", f"{name}/b", form="merged")
    with viewing(browser, server.get, address, {f"/lines/.*{name}/b": holding(held)}) as viewer:
        wait_texts(viewer, "newer")
        for route in held:
            route.continue_()
        wait_texts(viewer, "older", "newer")


@pytest.mark.long
def test_memory_stays_what_it_is_in_a_flood(browser: Browser, server: Server, name: str) -> None:
    with (
        writing(server, f"{name}/a", b"begin\n") as one,
        writing(server, f"{name}/b", b"begin\n") as other,
        viewing(browser, server.get, several(f"{name}/a", f"{name}/b", form="merged")) as viewer,
    ):
        sizes = []
        for round_ in range(8):
            one((b"x" * 90 + b"\n") * 50_000 + b"round %d\n" % round_)
            wait_last(viewer, f"round {round_}")  # or the server may read what the other one has sent before it
            other(b"y" * 3_000_000 + b"\n" + b"beside %d\n" % round_)
            wait_last(viewer, f"beside {round_}")
            sizes.append(heap(viewer.page))
        assert max(sizes[4:]) < max(sizes[:4]) + 10_000_000


def write_in_turns(
    viewer: Viewer, one: Callable[[bytes], None], other: Callable[[bytes], None], count: int, text: str
) -> list[str]:
    """Write `count` lines and another one to each of two logs, twice, and wait for that one. Returns their texts: `text`, with a number and the log."""
    texts = []
    for number in range(2):
        for log, write in (("a", one), ("b", other)):
            texts.append(text.format(number, log))
            write(lines(1, count) + texts[-1].encode() + b"\n")
            wait_last(viewer, texts[-1])
    return texts


@pytest.mark.parametrize("form", ["merged", pytest.param("side", marks=pytest.mark.long)])
def test_search_goes_from_match_to_match_through_all_logs_in_their_order(
    browser: Browser, server: Server, name: str, form: str
) -> None:
    """Also to lines that are not on the page, and round."""
    with writing(server, f"{name}/a") as one, writing(server, f"{name}/b") as other:
        with viewing(browser, server.get, several(f"{name}/a", f"{name}/b", form="merged")) as viewer:
            expected = write_in_turns(viewer, one, other, 1000, "needle {} in {}")
        with viewing(browser, server.get, several(f"{name}/a", f"{name}/b", form=form)) as viewer:
            wait_last(viewer, expected[-1], int(form == "side"))
            viewer.press("/", *"NEEDLE", "Enter")
            marked = viewer.page.locator(".row.marked")
            for text in expected[::-1]:
                expect(marked.locator(".text")).to_have_text(text)
                expect(marked).to_be_in_viewport()
                if text != expected[0]:
                    viewer.press("Shift+Enter")
            viewer.js("document.querySelector('.surface').focus()")
            for text in expected[1:] + expected[:1]:
                viewer.press("n")
                expect(marked.locator(".text")).to_have_text(text)
                expect(marked).to_be_in_viewport()
            expect(viewer.page.locator("#search .count")).to_contain_text("a, ")
            viewer.wait("() => CSS.highlights.get('hit').size > 0")
            viewer.wait("() => location.search.endsWith('&q=NEEDLE')")
            viewer.press("/", *"no such", "Enter")
            expect(viewer.page.locator("#search .count")).to_have_text("no line")
            viewer.press("Escape")
            expect(viewer.page.locator("#search")).to_be_hidden()
            viewer.wait("() => !location.search.includes('q=')")


@pytest.mark.parametrize("form", ["merged", pytest.param("side", marks=pytest.mark.long)])
def test_lines_are_marked_linked_and_copied_and_lead_to_the_page_of_their_log(
    browser: Browser, server: Server, name: str, form: str
) -> None:
    send(server, f"{name}/b", lines(1, 2000))
    send(server, f"{name}/a", b"".join(b"\x1b[31mred %d\x1b[0m\n" % number for number in range(1, 2001)))
    address = several(f"{name}/a", f"{name}/b", form=form)
    marked = ".row.marked .text"
    with viewing(browser, server.get, address, **PERMITTED) as viewer:
        copied = "text => navigator.clipboard.readText().then(copied => copied === text)"
        wait_last(viewer, "red 2000")
        rows = pane(viewer).locator(".row", has_text="red ")
        rows.filter(has_text="1993").locator(".number").click()
        expect(viewer.page.locator(marked)).to_have_text(["red 1993"])
        rows.filter(has_text="1995").locator(".number").click(modifiers=["Shift"])
        expect(viewer.page.locator(marked)).to_have_text([f"red {number}" for number in (1993, 1994, 1995)])
        assert viewer.page.url.endswith(f"{address}#1:L1993-L1995")
        chip = viewer.page.get_by_role("group", name="Marked lines")
        expect(chip).to_contain_text("3 lines of a")
        chip.get_by_role("button", name="Copy").click()
        viewer.wait(copied, "red 1993\nred 1994\nred 1995\n")
        chip.get_by_role("button", name="Raw").click()
        viewer.wait(copied, "".join(f"\x1b[31mred {number}\x1b[0m\n" for number in (1993, 1994, 1995)))
        viewer.press("y")
        viewer.wait(copied, viewer.page.url)
        viewer.page.go_back()
        expect(viewer.page.locator(marked)).to_have_text(["red 1993"])
        viewer.page.go_back()
        expect(viewer.page.locator(marked)).to_have_count(0)
        viewer.press("Control+g")
        viewer.page.get_by_label("Log", exact=True).select_option("b")
        viewer.page.get_by_label("Line", exact=True).press_sequentially("7")
        viewer.press("Enter")
        expect(viewer.page.locator(marked)).to_have_text(["line 7"])
        expect(viewer.page.locator(marked)).to_be_in_viewport()
        viewer.page.reload()
        expect(viewer.page.locator(marked)).to_have_text(["line 7"])
        expect(viewer.page.locator(marked)).to_be_in_viewport()
        viewer.press("Control+g")
        viewer.page.get_by_label("Line", exact=True).fill("2001")
        viewer.press("Enter")
        viewer.wait_told("There is no line 2,001 in a")
        viewer.press("Escape")
        expect(chip).to_have_count(0)
        viewer.page.goto(viewer.page.url + "#2:L1990-L1991")
        chip.get_by_role("link", name="Open").click()
        expect(viewer.page.locator(f"#surface {marked}")).to_have_text(["line 1990", "line 1991"])


@pytest.mark.parametrize("form", ["side", pytest.param("merged", marks=pytest.mark.long)])
def test_problems_of_all_logs_are_counted_listed_and_walked_through_in_their_order(
    browser: Browser, server: Server, name: str, form: str
) -> None:
    """Also of what comes; and those of levels that are switched on."""
    with writing(server, f"{name}/a") as one, writing(server, f"{name}/b") as other:
        with viewing(browser, server.get, several(f"{name}/a", f"{name}/b", form="merged")) as viewer:
            write_in_turns(viewer, one, other, 700, "::error::broke {} in {}")
            other(b"::warning file=x.c,line=7::odd\n")
            wait_last(viewer, "::warning file=x.c,line=7::odd")
        expected = ["broke 0 in a", "broke 0 in b", "broke 1 in a", "broke 1 in b", "odd"]
        with viewing(browser, server.get, several(f"{name}/a", f"{name}/b", form=form)) as viewer:
            counts = viewer.page.locator("button.problems")
            expect(counts).to_have_text(["2 errors", "2 errors1 warning"])
            marked = viewer.page.locator(".row.marked")
            for key, texts in (("E", expected[::-1]), ("e", expected[1:])):
                for text in texts:
                    viewer.press(key)
                    expect(marked.locator(".text")).to_contain_text([text])
                    expect(marked).to_be_in_viewport()
            viewer.press("e")
            viewer.wait_told("No problem below")
            assert viewer.page.url.endswith("#2:L1403")
            viewer.press("p")
            entries = viewer.page.locator(".entry")
            expect(entries.locator(".message")).to_have_text(expected)
            expect(entries.locator(".where")).to_have_text(["a", "b", "a", "b", "b · x.c:7"])
            expect(viewer.page.locator(".entry[aria-selected=true] .message")).to_have_text("odd")
            viewer.press("Home")
            expect(marked.locator(".text")).to_contain_text([expected[0]])
            expect(marked).to_be_in_viewport()
            viewer.page.get_by_role("button", name="4 errors").click()
            expect(entries.locator(".message")).to_have_text(["odd"])
            viewer.page.get_by_role("button", name="4 errors").click()
            one(b"::error::the last\n")
            expect(entries.locator(".message")).to_have_text([*expected, "the last"])
            viewer.press("Escape")
            expect(viewer.page.locator("#problems")).to_be_hidden()
            expect(counts.first).to_have_text("3 errors")


@pytest.mark.long
def test_logs_side_by_side_are_at_the_same_time_when_one_is_scrolled(
    browser: Browser, server: Server, name: str
) -> None:
    with writing(server, f"{name}/a") as one, writing(server, f"{name}/b") as other:
        with viewing(browser, server.get, several(f"{name}/a", f"{name}/b")) as viewer:
            for number in range(4):
                for at, write in enumerate((one, other)):
                    write(lines(1, 400) + b"part %d\n" % number)
                    wait_last(viewer, f"part {number}", at)
            surface = pane(viewer).locator(".surface")
            surface.focus()
            goal = pane(viewer).locator(".row .text", has_text="part 1")
            while not goal.count():
                viewer.press("PageUp")
            goal.evaluate(
                "text => { const surface = text.closest('.surface'); surface.scrollTop = text.parentElement.offsetTop; }"
            )
            top = "document.querySelectorAll('.surface')[%d]"
            first = f"""() => {{ const surface = {top % 1};
                const row = [...surface.querySelectorAll('.row')].find(row => row.offsetTop + row.offsetHeight > surface.scrollTop);
                return row?.querySelector('.number').textContent; }}"""
            # The last line of the other log that came before this one: the last one of its part before.
            viewer.wait(f"number => ({first})() === number", "401")
            viewer.press("s", "PageUp")
            viewer.wait_frame()
            assert viewer.js(first) == "401"
            viewer.press("G")
            for at in (0, 1):
                wait_last(viewer, "part 3", at)


def test_list_leads_to_the_page_and_the_page_back_to_the_list(browser: Browser, server: Server, name: str) -> None:
    for each in "abcd":
        send(server, f"{name}/{each}", b"of %s\n" % each.encode())
    with viewing(browser, server.get, f"/view/{TOKEN}/{name}/") as viewer:
        rows = viewer.page.locator("#rows > .log")
        expect(rows).to_have_count(4)
        rows.nth(0).locator(".pick").click()
        rows.nth(3).locator(".pick").click()
        viewer.page.get_by_role("button", name="Side by side").click()
        wait_texts(viewer, "of d")
        wait_texts(viewer, "of a", at=1)
        assert viewer.page.url.endswith(f"/view/{TOKEN}/{name}/?logs={name}/d,{name}/a&as=side")
        viewer.page.get_by_role("link", name="Merged by time").click()
        expect(viewer.page.locator(ROWS)).to_have_count(2)
        viewer.page.get_by_role("link", name="List of logs").click()
        expect(rows).to_have_count(4)


@pytest.mark.long
def test_page_takes_tokens_as_the_list_does(browser: Browser, server: Server, name: str) -> None:
    access = Access(TOKEN)
    send(server, f"{name}/deep/a", b"of a\n")
    address = several(f"{name}/deep/a", prefix=f"{name}/deep/", token=access.prefix_token(f"{name}/"))
    with viewing(browser, server.get, address) as viewer:
        wait_texts(viewer, "of a")
    with viewing(browser, server.get, f"/view/{name}/?logs={name}/deep/a#token={TOKEN}") as viewer:
        wait_texts(viewer, "of a")
        assert TOKEN not in viewer.page.url
    with viewing(browser, server.get, f"/view/{name}/?logs={name}/deep/a") as viewer:
        field = viewer.page.get_by_label("Token")
        field.fill(TOKEN)
        field.press("Enter")
        wait_texts(viewer, "of a")


@pytest.mark.long
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_page_is_for_everybody(browser: Browser, server: Server, axe: str, name: str, size: str, theme: Any) -> None:
    for each in ("a", "b"):
        text = b"".join(b"\x1b[3%dm%d\x1b[0m %d\n" % (n % 8, n, n) for n in range(100))
        send(server, f"{name}/{each}", b"a.c:3:1: error: x\na.c:4:1: warning: y\n" + text)
    for form in ("side", "merged"):
        address = several(f"{name}/a", f"{name}/b", f"{name}/no", form=form)
        with viewing(browser, server.get, address, color_scheme=theme, **SIZES[size]) as viewer:
            wait_last(viewer, "99 99")
            viewer.press("t")
            assert violations(viewer, axe) == []
            assert viewer.js("document.documentElement.scrollWidth <= innerWidth")
            viewer.press("/", *"99 99", "Enter")
            expect(viewer.page.locator(".row.marked")).to_be_in_viewport()
            assert violations(viewer, axe) == []
            assert viewer.js("document.documentElement.scrollWidth <= innerWidth")
            viewer.press("Escape", "?")
            expect(viewer.page.get_by_role("dialog")).to_be_visible()
            assert violations(viewer, axe) == []
            viewer.press("Escape", "Control+g")
            expect(viewer.page.get_by_role("dialog")).to_be_visible()
            assert violations(viewer, axe) == []
            viewer.press("Escape", "E")
            expect(viewer.page.locator(".row.marked .text")).to_have_text(["a.c:4:1: warning: y"])
            viewer.press("p")
            expect(viewer.page.locator(".entry[aria-selected=true]")).to_be_visible()
            assert violations(viewer, axe) == []
            assert viewer.js("document.documentElement.scrollWidth <= innerWidth")
    with viewing(browser, server.get, f"/view/{name}/?logs={name}/a", color_scheme=theme, **SIZES[size]) as viewer:
        expect(viewer.page.get_by_label("Token")).to_be_visible()
        assert violations(viewer, axe) == []
