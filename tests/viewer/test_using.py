"""What a user does with the viewer: reads hostile logs, searches, folds, copies, and does it by keyboard, ear or phone.

Categories: hostile logs (a log is text, whatever it holds) · long lines · copying · searching · folding · keys ·
accessibility (axe finds nothing in any state and theme; who listens is told little) · phones.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.harness import Server
from tests.integration import logs
from tests.integration.servers import wait_until
from tests.sample import one_of, sample

from .pages import ROWS, Viewer, end, holding, lines, path, viewing, violations, writing
from .wires import Wire

pytestmark = pytest.mark.needs("chromium")

PHONE: dict[str, Any] = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}

HOSTILE = (
    b"<script>alert(1)</script><img src=x onerror=alert(1)>\n"
    b"\x1b]8;;javascript:alert(1)\x1b\\here\x1b]8;;\x1b\\ \x1b]8;;https://logs.example/\x1b\\there\x1b]8;;\x1b\\\n"
    b"\x1b]0;title\x07\x1b]52;c;aGk=\x07\x1b[2J\x1b[1;1Hnot moved\n"
    b"NUL \0 BEL \x07 bidi \xe2\x80\xae turned \xe2\x81\xa6 around\n"
    b"bad \xff\xfe \xc3( \xe2\x82 UTF-8\n"
    b"${alert(1)} {{alert(1)}} \x1b[38;2;999;0;0m\x1b[999m colour\n"
)


# Hostile logs


def test_hostile_log_is_text_and_runs_nothing(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, HOSTILE, "Livelog-Title: <img src=x onerror=alert(1)>"):
        with viewing(browser, server.get, path(name)) as viewer:
            viewer.wait_last("${alert(1)} {{alert(1)}}  colour")
            assert viewer.texts()[:5] == [
                "<script>alert(1)</script><img src=x onerror=alert(1)>",
                "here there",
                "not moved",
                "NUL ␀ BEL  bidi <U+202E> turned <U+2066> around",
                "bad \ufffd\ufffd \ufffd( \ufffd UTF-8",
            ]
            assert viewer.js("[...document.querySelectorAll('[role=list] .text a')].map(a => a.href)") == [
                "https://logs.example/"
            ]
            expect(viewer.page.locator("h1")).to_have_text("<img src=x onerror=alert(1)>")


def test_addresses_are_links_without_what_stands_around_them(browser: Browser, server: Server, name: str) -> None:
    logs.send(
        server,
        name,
        b"see (https://ci.example/a?b=c&d), 'http://x.example/\x1b[31m', http:// and xhttps://no.example\n",
    )
    with viewing(browser, server.get, path(name)) as viewer:
        links = viewer.page.locator(f"{ROWS} > .text a")
        expect(links).to_have_text(["https://ci.example/a?b=c&d", "http://x.example/"])
        assert [link.get_attribute("href") for link in links.all()] == [
            "https://ci.example/a?b=c&d",
            "http://x.example/",
        ]
        expect(links.first).to_have_attribute("rel", "noopener noreferrer")


def test_page_may_ask_only_its_server_and_run_only_its_script(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name)
    with viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_state("Ended")
        assert all(request.url.startswith(f"http://{server.get.authority}/") for request in viewer.requests)
        for attack in (
            "fetch('http://elsewhere.example/')",
            "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))",
            "document.body.setAttribute('onclick', 'window.ran = 1'), document.body.click()",
            "document.body.innerHTML = '<b>x</b>'",
        ):
            viewer.js(f"(() => {{ try {{ Promise.resolve({attack}).catch(() => {{}}); }} catch {{}} }})()")
        assert viewer.js("window.ran") is None
        assert viewer.js("document.querySelector('b')") is None
        viewer.js("console.error('all was tried')")
        viewer.wait_faults("Fetch API cannot load", "TrustedScript", "TrustedHTML", "all was tried")
        viewer.faults.clear()


# Long lines


def test_giant_line_is_cut_and_shown_in_steps(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, b"before\n" + "ü漢".encode() * 2_000_000 + b"\nafter\n"):
        with viewing(browser, server.get, path(name)) as viewer:
            viewer.wait_last("after")
            cut = viewer.page.locator(f"{ROWS}:nth-child(2)")
            shown = []
            for _ in range(2):
                shown.append(len(cut.inner_text()))
                cut.get_by_role("button", name="show more").click()
                expect(cut).to_have_text(re.compile(f"^.{{{shown[-1] + 1000}}}"))
            assert shown[0] < 5000
            assert set(cut.locator(".text").inner_text().partition("show more")[0]) <= set("ü漢\ufffd")


def test_bar_that_goes_on_without_a_newline_is_shown_as_it_is_now(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, b"begin\n") as write, viewing(browser, server.get, path(name)) as viewer:
        for part in range(0, 101, 10):
            write(b"".join(b"\r%3d %% %s" % (part, b"#" * number) for number in range(200)))
            viewer.wait_last(f"{part:3} % " + "#" * 199)
        assert viewer.numbers() == [1, 2]


def test_last_line_that_is_longer_than_an_answer_begins_where_it_does(
    browser: Browser, server: Server, name: str
) -> None:
    logs.send(server, name, b"before\nbeginning " + b"x" * 5_000_000 + b"\n")
    with viewing(browser, server.get, path(name)) as viewer:
        expect(row(viewer, 2)).to_contain_text("beginning xxx")
        expect(row(viewer, 1)).to_have_text("before")
        assert viewer.numbers() == [1, 2]


@pytest.mark.long
def test_end_of_a_line_is_not_taken_for_a_line_if_those_before_it_come_before_lines_are_counted(
    browser: Browser, server: Server, name: str
) -> None:
    logs.send(server, name, b"before\nbeginning " + b"x" * 5_000_000 + b"\n")
    late: list[Route] = []

    def uncounted(route: Route) -> None:
        answer = route.fetch()
        numbers = ("livelog-first-line", "livelog-lines")
        route.fulfill(response=answer, headers={k: v for k, v in answer.headers.items() if k not in numbers})

    relays = {"/lines/.*tail=": uncounted, "/lines/.*count=1$": holding(late)}
    with viewing(browser, server.get, path(name), relays) as viewer:
        wait_until(
            lambda: viewer.js("true") and any("count=-500" in one.url and one.response() for one in viewer.requests),
            "an answer",
        )
        viewer.page.context.unroute_all()
        expect(row(viewer, 2)).to_contain_text("beginning xxx")
        expect(row(viewer, 1)).to_have_text("before")


# Copying


@pytest.fixture
def copying(browser: Browser, server: Server, name: str) -> Iterator[Viewer]:
    """A page on a log of 6000 coloured lines, in a browser that lets it use the clipboard."""
    logs.send(server, name, b"".join(b"\x1b[32mline\x1b[0m %d\n" % number for number in range(1, 6001)))
    with viewing(browser, server.get, path(name, "#L10"), permissions=["clipboard-read", "clipboard-write"]) as viewer:
        expect(viewer.page.locator(f"{ROWS}.marked")).to_be_visible()
        yield viewer


def clipboard(viewer: Viewer) -> str:
    """What is on the clipboard."""
    text: str = viewer.js("navigator.clipboard.readText()")
    return text


def go_to(viewer: Viewer, line: int) -> None:
    """Go to a line by its number."""
    viewer.press("Control+g")
    viewer.page.locator("#number").fill(str(line))
    viewer.press("Enter")
    expect(row(viewer, line)).to_be_visible()


def row(viewer: Viewer, line: int) -> Any:
    """The text of a line."""
    return viewer.page.locator(f'{ROWS}[data-line="{line}"]:not(.loading) > .text')


def test_selection_survives_scrolling_and_is_copied_whole(copying: Viewer) -> None:
    """Of lines 10 to 5000 a few are on the page; the clipboard gets them all, without escape sequences."""
    row(copying, 10).click(position={"x": 1, "y": 10})
    for _ in range(3):
        copying.press("PageDown")
    go_to(copying, 5000)
    width = row(copying, 5000).bounding_box()["width"]
    row(copying, 5000).click(position={"x": width - 8, "y": 10}, modifiers=["Shift"])
    copying.press("Control+c")
    copying.wait_told("Copied 4,991 lines")
    assert clipboard(copying).rstrip("\n") == "\n".join(f"line {number}" for number in range(10, 5001))


def test_whole_log_is_selected_and_copied_although_little_of_it_is_on_the_page(copying: Viewer) -> None:
    copying.press("Control+a", "Control+c")
    copying.wait_told("Copied 6,000 lines")
    assert clipboard(copying) == "".join(f"line {number}\n" for number in range(1, 6001))


def test_marked_lines_are_copied_as_text_or_as_they_are(copying: Viewer) -> None:
    copying.page.locator(f'{ROWS}[data-line="12"] > .number').click(modifiers=["Shift"])
    for button, text in (
        ("Copy", "line 10\nline 11\nline 12\n"),
        ("Raw", "".join(f"\x1b[32mline\x1b[0m {at}\n" for at in (10, 11, 12))),
    ):
        copying.page.get_by_role("button", name=button, exact=True).click()
        copying.wait("text => navigator.clipboard.readText().then(copied => copied === text)", text)
    copying.press("y")
    copying.wait_told("Link copied")
    assert clipboard(copying) == copying.page.url
    assert copying.page.url.endswith("#L10-L12")


# Searching


def search(viewer: Viewer, text: str) -> None:
    """Search for a text, which begins when no more is typed: Enter would then lead to the next hit."""
    viewer.press("/")
    viewer.page.get_by_label("Search the whole log").fill(text)


def summary(viewer: Viewer) -> Any:
    """What the search bar tells."""
    return viewer.page.locator("#search .count")


@pytest.fixture
def searching(browser: Browser, server: Server, name: str) -> Iterator[Viewer]:
    """A page on a log of 50,000 lines, a few of which have something to find."""
    text = b"".join(
        b"\x1b[3%dmline\x1b[0m %d%s\n" % (at % 8, at, b" Needle" * (at % 5000 == 7)) for at in range(1, 50_001)
    )
    with writing(server, name, text), viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 50000")
        yield viewer


def test_search_counts_every_line_and_leads_from_the_last_to_the_first(searching: Viewer) -> None:
    search(searching, "needle")
    expect(summary(searching)).to_have_text("10 of 10 lines")
    expect(row(searching, 45_007)).to_be_visible()
    searching.wait_state("Paused")
    for key, line, place in (
        ("Shift+Enter", 40_007, 9),
        ("Enter", 45_007, 10),
        ("Enter", 7, 1),
        ("Shift+Enter", 45_007, 10),
    ):
        searching.press(key)
        expect(summary(searching)).to_have_text(f"{place} of 10 lines")
        expect(searching.page.locator(f"{ROWS}.hit-row > .number")).to_have_text(str(line))
    searching.wait("() => [...CSS.highlights.get('hit-now')].join() === 'Needle'")
    assert searching.page.url.endswith("?q=needle")
    searching.page.reload()
    expect(summary(searching)).to_have_text("10 lines")
    expect(row(searching, 45_007)).to_be_visible()  # where it was left


def test_enter_begins_a_search_at_once(searching: Viewer) -> None:
    searching.press("/")
    # Not typed: a slow browser would have begun by itself.
    searching.page.get_by_label("Search the whole log").evaluate("(field, text) => { field.value = text; }", "needle")
    searching.press("Enter")
    expect(summary(searching)).to_have_text("10 of 10 lines")


@pytest.mark.parametrize(
    ("text", "button", "told"),
    one_of(
        3,
        [
            ("line 5000[0-9]?", "Regular expression", "2 of 2 lines"),
            ("needle", "Match case", "no line"),
            ("line 123", None, "111 of 111 lines"),
            ("(", "Regular expression", None),
        ],
    ),
)
def test_search_takes_case_and_patterns(searching: Viewer, text: str, button: str | None, told: str | None) -> None:
    """Colours in the middle of what is searched for do not matter."""
    search(searching, text)
    if button:
        searching.page.get_by_role("button", name=button).click()
    if told:
        expect(summary(searching)).to_have_text(told)
    else:
        expect(searching.page.locator("#search .count.bad")).not_to_be_empty()


def test_buttons_stay_where_they_are_while_results_come(searching: Viewer) -> None:
    searching.press("/")
    field = searching.page.get_by_label("Search the whole log")
    field.wait_for()
    searching.js("""() => {
        window.places = new Set();
        const left = (button) => button.getBoundingClientRect().left;
        const look = () => {
            places.add([...document.querySelectorAll("#search button")].map(left).join());
            requestAnimationFrame(look);
        };
        look();
    }""")
    field.fill("needle")
    expect(summary(searching)).to_have_text("10 of 10 lines")
    field.fill("(")
    searching.page.get_by_role("button", name="Regular expression").click()
    expect(searching.page.locator("#search .count.bad")).not_to_be_empty()
    assert len(searching.js("[...places]")) == 1


def test_lines_that_come_are_searched_too_and_each_counts_once(browser: Browser, server: Server, name: str) -> None:
    """A hit may begin before the search and be whole only afterwards, and a line may have several."""
    with writing(server, name, b"needle\nplain\nnee") as write, viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("nee")
        search(viewer, "needle")
        expect(summary(viewer)).to_have_text("1 of 1 line")
        for data, told in ((b"dle, needle\n", "1 of 2 lines"), (lines(1, 200) + b"Needle\n", "1 of 3 lines")):
            write(data)
            expect(summary(viewer)).to_have_text(told)
        viewer.press("Enter")
        expect(summary(viewer)).to_have_text("2 of 3 lines")
        expect(viewer.page.locator(f"{ROWS}.hit-row > .text")).to_have_text("needle, needle")


def test_search_that_is_closed_while_it_is_typed_does_not_begin(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, b"needle\n"), viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("needle")
        viewer.press("/", "n", "Escape")
        viewer.js("new Promise(done => setTimeout(done, 300))")  # behind what typing has begun
        assert "?" not in viewer.page.url
        viewer.wait_state("Live")


@pytest.mark.long
def test_pattern_that_takes_too_long_is_told_to_be_one(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, b"a" * 60 + b"b\n"), viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_state("Live")
        search(viewer, "(a+)+$")
        viewer.page.get_by_role("button", name="Regular expression").click()
        # It has seconds of the processor, which comes to it last.
        expect(summary(viewer)).to_have_text("this pattern takes too long: use a simpler one", timeout=500_000)


@pytest.mark.long
def test_errors_are_looked_for_from_what_is_in_the_window(browser: Browser, server: Server, name: str) -> None:
    """Also after one was found: whoever has gone elsewhere looks from there."""
    text = b"".join(b"%s %d\n" % (b"error" if at in (20, 300, 995) else b"fine", at) for at in range(1, 1001))
    with writing(server, name, text), viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("fine 1000")
        for keys, shown in (("E", "error 995"), ("E", "error 300"), ("Home e", "error 20"), ("e", "error 300")):
            viewer.press(*keys.split())
            expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text(shown)


@pytest.mark.long
def test_errors_are_a_key_away(browser: Browser, server: Server, name: str) -> None:
    text = b"".join(
        b"%s %d\n" % (b"\x1b[31mERROR\x1b[0m" if at in (300, 600) else b"fine", at) for at in range(1, 1001)
    )
    with writing(server, name, text), viewing(browser, server.get, path(name, "#L450")) as viewer:
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("fine 450")
        for key, shown in (("e", "ERROR 600"), ("E", "ERROR 300"), ("e", "ERROR 600")):
            viewer.press(key)
            expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text(shown)
        viewer.press("e")
        viewer.wait_told("No problem below")


# Folding

GROUPS = (
    b"before\n"
    b"section_start:1000:deps[collapsed=true]\r\x1b[0KInstall\nfetch needle\nunpack\nsection_end:1075:deps\r\x1b[0K\n"
    b"2026-11-25T12:00:00.1234567Z ##[group]Compile\ncc a.c\ncc b.c\n2026-11-25T12:00:01.1234567Z ##[endgroup]\n"
    b"after\n"
)


@pytest.fixture
def folding(browser: Browser, server: Server, name: str) -> Iterator[Viewer]:
    """A page on a log with two groups: one that its log has folded, and one that it has not."""
    logs.send(server, name, GROUPS)
    with viewing(browser, server.get, path(name)) as viewer:
        expect(viewer.page.locator(f"{ROWS} .fold")).to_have_count(2)
        yield viewer


def numbers(viewer: Viewer, *expected: int) -> None:
    """Wait until these lines are shown."""
    expect(viewer.page.locator(f"{ROWS} > .number")).to_have_text([str(number) for number in expected])


def test_groups_are_folded_as_the_log_says_and_as_the_user_likes(folding: Viewer) -> None:
    numbers(folding, 1, 2, 6, 7, 8, 10)
    expect(row(folding, 2)).to_have_text("Install")
    expect(row(folding, 6)).to_have_text("Compile")
    folding.press("r")
    expect(folding.page.locator(f"{ROWS}.muted > .text")).to_have_text("2026-11-25T12:00:01.1234567Z ##[endgroup]")
    numbers(folding, 1, 2, 6, 7, 8, 9, 10)
    folding.press("r")
    folding.page.get_by_role("button", name="Unfold Install").click()
    numbers(folding, *range(1, 9), 10)
    row(folding, 6).click()
    numbers(folding, 1, 2, 3, 4, 5, 6, 10)
    folding.press("Z")
    numbers(folding, 1, 2, 6, 10)
    folding.press("Z")
    numbers(folding, *range(1, 9), 10)


def test_group_of_one_line_has_nothing_to_fold(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, b"::group::None\n::group::Some\none\n::endgroup::\n")
    with viewing(browser, server.get, path(name)) as viewer:
        expect(viewer.page.locator(f"{ROWS} .fold")).to_have_count(1)
        for shown in ((1, 2), (1, 2, 3)):
            viewer.press("?")
            viewer.page.get_by_role("button", name="Fold all").click()
            numbers(viewer, *shown)


def test_hit_in_a_folded_group_opens_it(folding: Viewer) -> None:
    numbers(folding, 1, 2, 6, 7, 8, 10)
    search(folding, "needle")
    expect(row(folding, 3)).to_have_text("fetch needle")
    numbers(folding, *range(1, 9), 10)


# Accessibility


COLOURS = (
    b"".join(
        b"\x1b[%dm%d\x1b[0m \x1b[7;%dmi\x1b[0m \x1b[30;%dmb\x1b[0m \x1b[%dmg\x1b[0m "
        % (code, code, code, code + 10, code + 10)
        for code in [*range(30, 38), *range(90, 98)]
    )
    + b"\x1b[1mbold\x1b[0m \x1b[2mdim\x1b[0m \x1b[7minverse\x1b[0m \x1b[38;5;229mpale\x1b[0m \x1b[38;2;9;9;40mdark\x1b[0m\n"
)


@pytest.mark.parametrize("theme", sample(["light", "dark"], "light"))
def test_axe_finds_nothing_in_any_state(browser: Browser, server: Server, name: str, theme: Any, axe: str) -> None:
    options: Any = {"color_scheme": theme, "reduced_motion": "reduce"}
    with contextlib.ExitStack() as stack:
        write = stack.enter_context(writing(server, name, lines(1, 200) + COLOURS * 3))
        viewer = stack.enter_context(viewing(browser, server.get, path(name), **options))
        viewer.wait_state("Live")
        for keys, state in (("", "Live"), ("k", "Paused"), ("w", "Paused"), ("t", "Paused"), ("/", "Paused")):
            viewer.press(*keys)
            viewer.wait_state(state)
            assert violations(viewer, axe) == []
        viewer.press("Escape", "?")
        expect(viewer.page.locator("#help")).to_be_visible()
        assert violations(viewer, axe) == []
        viewer.press("Escape")
        viewer.page.locator(f"{ROWS}:nth-child(4) > .number").click()
        expect(viewer.page.locator(f"{ROWS}.marked")).to_be_visible()
        assert violations(viewer, axe) == []
        write(b"")
        viewer.wait_state("Ended")
        assert violations(viewer, axe) == []
        for target, state in (
            (path("never-begun"), "Waiting for the log"),
            (path(name, token=""), "Token needed"),
            (path("no//name"), "Not here"),
        ):
            other = stack.enter_context(viewing(browser, server.get, target, **options))
            other.wait_state(state)
            assert violations(other, axe) == []
        with viewing(browser, server.get, path(name), **options, **PHONE) as phone:
            phone.wait_state("Ended")
            assert violations(phone, axe) == []


@pytest.mark.long
@pytest.mark.parametrize("theme", sample(["light", "dark"], "dark"))
def test_axe_finds_nothing_where_a_log_or_its_writer_is_away(
    browser: Browser, server: Server, wire: Wire, name: str, theme: Any, axe: str
) -> None:
    options: Any = {"color_scheme": theme, "reduced_motion": "reduce"}
    upload = f"{name}/upload"
    logs.request(server.put, "PUT", f"/log/{upload}", "Upload-Complete: ?0", body=COLOURS)
    with viewing(browser, server.get, path(upload), **options) as viewer:
        viewer.wait_state("Writer disconnected")
        assert violations(viewer, axe) == []
    with contextlib.closing(logs.begin(server, f"{name}/aborted")) as producer:
        producer.send(b"7\r\nwhole\n.\r\n")
        with viewing(browser, server.get, path(f"{name}/aborted"), **options) as viewer:
            viewer.wait_last(".")
            producer.close()
            viewer.wait_state("Aborted at byte 7")
            assert violations(viewer, axe) == []
    with writing(server, name, lines(1, 10)) as write, viewing(browser, wire.address, path(name), **options) as viewer:
        viewer.wait_last("line 10")
        wire.refuse()
        viewer.wait_state("Reconnecting")
        assert violations(viewer, axe) == []
        end(server, name, write)
        logs.send(server, name, b"another log\n")
        wire.admit()
        viewer.wait_state("Replaced")
        assert violations(viewer, axe) == []
    with viewing(browser, wire.address, path(name), **options) as viewer:
        viewer.wait_state("Ended")
    with writing(server, f"{name}/gone", lines(1, 9)) as write:
        with viewing(browser, wire.address, path(f"{name}/gone"), **options) as viewer:
            viewer.wait_last("line 9")
            wire.refuse()
            end(server, f"{name}/gone", write)
            assert logs.request(server.put, "DELETE", f"/log/{name}/gone").status == 204
            wire.admit()
            viewer.wait_state("Removed")
            assert violations(viewer, axe) == []


SAID = """document.addEventListener("readystatechange", () => {
    if (document.readyState !== "interactive") return;
    const said = document.querySelector("#said");
    window.said = [];
    new MutationObserver(() => window.said.push(said.textContent)).observe(said, {childList: true, subtree: true});
})"""
"""Notes what is told to those who listen, from the beginning of a page."""


def test_new_lines_are_read_out_to_who_wants_it_while_there_are_few(
    browser: Browser, server: Server, name: str
) -> None:
    with writing(server, name, lines(1, 10)) as write, viewing(browser, server.get, path(name)) as viewer:
        viewer.press("?")
        viewer.page.get_by_label("new lines are read out").check()
        viewer.page.add_init_script(SAID)
        viewer.page.reload()
        viewer.press("?")
        expect(viewer.page.get_by_label("new lines are read out")).to_be_checked()
        viewer.press("Escape")
        viewer.wait("() => window.said.at(-1) === 'Live'")
        write(b"not \x1b[31mwhole")
        viewer.wait_last("not whole")
        write(b" before\n")
        viewer.wait("() => window.said.at(-1) === 'not whole before'")
        write(lines(12, 200))
        viewer.wait("() => window.said.at(-1) === '189 new lines'")
        write(b"one\ntwo\n")
        viewer.wait("() => window.said.at(-1) === 'one, two'")
        said = [text for text in viewer.js("window.said") if text != "Opening"]
        assert said == ["Live", "not whole before", "189 new lines", "one, two"]


@pytest.mark.long
def test_who_listens_is_told_little_however_much_comes(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, lines(1, 10)) as write, viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 10")
        viewer.page.add_init_script(SAID)
        viewer.page.reload()
        viewer.wait("() => window.said.at(-1) === 'Live'")
        for first in range(11, 1500, 100):
            write(lines(first, first + 99))
            viewer.wait_last(f"line {first + 99}")
        viewer.wait("() => /new lines/.test(window.said.at(-1))")
        assert viewer.js("window.said.length <= 1 + performance.now() / 5000")  # however long it took
        assert viewer.js("document.querySelector('#surface').getAttribute('aria-live')") == "off"


# Keys


def test_everything_is_done_by_keyboard(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, lines(1, 1000)), viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 1000")
        viewer.press("Home")
        viewer.wait_first(1)
        viewer.press("PageDown", "PageUp", "j")
        viewer.wait_first(2)
        viewer.press("?")
        expect(viewer.page.locator("#help")).to_be_visible()
        viewer.press("Escape")
        expect(viewer.page.locator("#help")).not_to_be_visible()
        go_to(viewer, 500)
        expect(viewer.page.locator(f"{ROWS}.marked > .number")).to_have_text("500")
        viewer.press("w")
        expect(viewer.page.locator("#surface.wrap")).to_be_visible()
        viewer.press("t")
        expect(viewer.page.locator(f"{ROWS} > .time").first).to_have_text(re.compile(r"\d\d:\d\d:\d\d\.\d\d"))
        viewer.press("/")
        expect(viewer.page.get_by_label("Search the whole log")).to_be_focused()
        viewer.page.keyboard.type("jkG?")
        expect(viewer.page.get_by_label("Search the whole log")).to_have_value("jkG?")
        viewer.press("Escape", "Escape", "G")
        viewer.wait_last("line 1000")
        viewer.wait_state("Live")


def test_tab_leads_to_every_button_and_never_into_the_lines(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, lines(1, 1000)), viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 1000")
        viewer.press("k")
        viewer.wait_state("Paused")
        names = set()
        for _ in range(14):
            viewer.press("Tab")
            names.add(
                viewer.js("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent")
            )
        assert {
            "Search",
            "Wrap lines",
            "Times: off",
            "Theme: auto",
            "Copy link",
            "Download",
            "Help",
            "Live",
        } <= names


def test_single_letters_can_be_switched_off(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, lines(1, 1000)), viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 1000")
        viewer.press("?")
        viewer.page.get_by_label("single letters are keys").click()
        viewer.press("Escape", "k", "w", "ArrowUp")
        viewer.wait_state("Paused")
        assert viewer.texts()[-1] == "line 999"
        assert viewer.js("document.querySelector('#surface').className") == ""


# Phones


def test_page_fits_a_narrow_phone_and_its_buttons_a_finger(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, b"a long line that needs more than one row on a phone\n" * 200):
        with viewing(browser, server.get, path(name, "#L100"), **PHONE) as viewer:
            expect(viewer.page.locator(f"{ROWS}.marked")).to_be_visible()
            assert viewer.js("document.documentElement.scrollWidth") == 320
            assert viewer.js("document.querySelector('#surface').classList.contains('wrap')")
            viewer.page.get_by_role("button", name="Menu").click()
            for place in ("#foot button", ".chip button", "#help button"):
                for button in viewer.page.locator(place).all():
                    box = button.bounding_box()
                    assert box and box["height"] >= 44 and box["width"] >= 44, button.inner_text()
            assert viewer.js("document.documentElement.scrollWidth") == 320


def test_finger_moves_the_log(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, lines(1, 1000)), viewing(browser, server.get, path(name), **PHONE) as viewer:
        viewer.wait_last("line 1000")
        touch = viewer.page.context.new_cdp_session(viewer.page)
        for kind, y in (("touchStart", 200), ("touchMove", 300), ("touchMove", 400), ("touchMove", 400)):
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": 100, "y": y}]})
        viewer.wait_last("line 990")
        viewer.wait_state("Paused")
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
