"""What the log says is what the page shows, in windows of every size: long lines, colours, encodings.

Refuses to look at single sequences, which the units of the viewer's source hold against a terminal.
"""

import itertools
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.harness import Server
from tests.integration import logs
from tests.integration.servers import wait_until
from tests.sample import sample

from .pages import ROWS, Viewer, holding, lines, path, viewing, writing

pytestmark = pytest.mark.needs("chromium")

SIZES = [(320, 640), (1440, 900), (2160, 3840)]
"""Windows of a phone, a desk and a tall screen, in pixels."""


@pytest.fixture(
    params=[SIZES[0], pytest.param(SIZES[1], marks=pytest.mark.long), SIZES[2]], ids=lambda size: "{}x{}".format(*size)
)
def window(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The options of a browser's window of some size."""
    width, height = request.param
    return {"viewport": {"width": width, "height": height}}


def row(viewer: Viewer, line: int) -> Any:
    """The text of a line."""
    return viewer.page.locator(f'{ROWS}[data-line="{line}"]:not(.loading) > .text')


def shown(viewer: Viewer, line: int) -> str:
    """The text of a line without the page's own words."""
    text: str = row(viewer, line).evaluate("text => [...text.childNodes].filter(node => node.nodeName !== 'BUTTON')"
    ".map(node => node.textContent).join('')")  # fmt: skip
    return text


@pytest.mark.long
def test_line_that_ends_in_cr_lf_is_shown_however_long_it_is(browser: Browser, server: Server, name: str) -> None:
    lengths = (16_383, 16_384, 16_385, 20_479, 20_480, 30_000)
    logs.send(server, name, b"".join(b"a\r\n" + b"x" * length + b"\r\n" for length in lengths) + b"last\r\n")
    with viewing(browser, server.get, path(name, "#L1")) as viewer:
        for line in range(1, 2 * len(lengths), 2):
            expect(row(viewer, line)).to_have_text("a")
            assert shown(viewer, line + 1) == "x" * 4096


def test_line_that_ends_in_cr_lf_is_shown_as_it_comes(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, b"a\r\n") as write, viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("a")
        for part in (b"x" * 16_000, b"x" * 384, b"\r", b"\n"):
            write(part)
        expect(row(viewer, 2).get_by_role("button", name="show more (12.3 KB)")).to_be_visible()
        assert shown(viewer, 2) == "x" * 4096


STRUCTLOG = (
    b"\x1b[2m2026-11-27T15:30:00Z\x1b[0m [\x1b[32m\x1b[1minfo     \x1b[0m] \x1b[1mrequest done        \x1b[0m "
    + b" ".join(b"\x1b[36mkey%d\x1b[0m=\x1b[35mvalue\x1b[0m" % at for at in range(12))
    + b"\n"
)
PYTEST = b"tests/test_a.py::test_%d \x1b[32mPASSED\x1b[0m\x1b[32m          [ 50%%]\x1b[0m\n"


def test_every_colour_of_a_window_is_shown(browser: Browser, server: Server, name: str, window: dict[str, Any]) -> None:
    text = b"".join(STRUCTLOG + PYTEST % number for number in range(200))
    with writing(server, name, text), viewing(browser, server.get, path(name), **window) as viewer:
        viewer.wait_last("tests/test_a.py::test_199 PASSED          [ 50%]")
        counts = viewer.js(
            f"[...document.querySelectorAll('{ROWS} > .text')].map(text => text.querySelectorAll('span').length)"
        )
        # One for two that follow each other in one style.
        assert set(counts[::2]) | set(counts[1::2]) <= {27, 2}
        assert abs(counts.count(27) - counts.count(2)) <= 1


def test_what_is_hidden_of_a_line_is_said_in_bytes_of_the_log(browser: Browser, server: Server, name: str) -> None:
    texts = ["x" * 6000, "ü" * 6000, "漢" * 6000, "x" * 4096, "\x1b[32mx\x1b[0m" * 1000]
    logs.send(server, name, "".join(f"{text}\r\n" for text in texts).encode())
    with viewing(browser, server.get, path(name, "#L1")) as viewer:
        for line, told in enumerate(("(1.9 KB)", "(3.8 KB)", "(5.7 KB)", None, None), 1):
            expect(row(viewer, line).locator("button")).to_have_count(1 if told else 0)
            if told:
                expect(row(viewer, line).get_by_role("button", name=f"show more {told}")).to_be_visible()


CHARSETS = (
    ("windows-1252", "Größe: 5 € – „gut“"),
    ("iso-8859-1", "Größe: ½ ± ×"),
    ("latin1", "Größe"),
    ("koi8-r", "журнал"),
    ("shift_jis", "ログ 日本"),
    ("utf-16le", "Größe 漢字 上下"),
    ("utf-16be", "Größe 漢字 下"),
    ("utf-16", "Größe 漢字"),
    ('"windows-1252"', "Größe"),
    ("utf-8", "Größe 漢字"),
)

KINDS_OF_CHARSETS = tuple(
    one for one in CHARSETS if one[0] in ("windows-1252", "shift_jis", "utf-16le", "utf-16", "utf-8")
)
"""Those with a byte for each letter, with one or two, with two, with a mark in front, and the one that all others are made."""


@pytest.mark.parametrize("every", sample([False, True], False), ids=["some", "all"])
def test_text_is_in_the_encoding_that_the_log_declares_and_found_in_it(
    browser: Browser, server: Server, name: str, every: bool
) -> None:
    with viewing(browser, server.get, path(name)) as viewer:
        for number, (charset, text) in enumerate(CHARSETS if every else KINDS_OF_CHARSETS):
            data = f"{text}\r\nplain\r\n{text}\n".encode(charset.strip('"'))
            with writing(server, f"{name}/{number}", data, f"Content-Type: text/plain; charset={charset}"):
                viewer.page.goto(f"http://{server.get.authority}{path(f'{name}/{number}')}")
                viewer.wait(
                    f"text => [...document.querySelectorAll('{ROWS} > .text')].map(row => row.textContent).join('')"
                    " === text",
                    f"{text}plain{text}",
                )
                if "utf-16" not in charset:
                    search(viewer, text)
                    expect(viewer.page.locator("#search .count")).to_have_text("2 of 2 lines")
                    viewer.wait(f"text => ({HIT})('hit-now') === text", text)


def search(viewer: Viewer, text: str, *, regex: bool = False) -> None:
    """Search for a text or a regular expression."""
    viewer.press("/")
    if regex:
        viewer.page.get_by_role("button", name="Regular expression").click()
    viewer.page.get_by_label("Search the whole log").fill(text)


HIT = """name => {
    const [range] = [...CSS.highlights.get(name) ?? []];
    if (!range) return null;
    const hit = range.getBoundingClientRect(), surface = document.querySelector("#surface").getBoundingClientRect();
    const number = range.startContainer.parentElement.closest(".row").querySelector(".number").getBoundingClientRect();
    const inside = hit.width > 0 && hit.left >= number.right && hit.right <= surface.right
        && hit.top >= surface.top && hit.bottom <= surface.bottom;
    return inside ? range.toString() : null;
}"""
"""The text of the first mark of a kind, if it is visible."""


PLACES = (10, 300, 3000, 5000, 15_000, 100_000, 3_000_000)
"""Bytes in front of a hit in its line: on the screen, beyond its edge, beyond what is shown of a line, and of what is in memory."""


@pytest.fixture(scope="module")
def haystack(server: Server) -> str:
    """A log with a long line for each of these places, a screen apart from each other."""
    text = b"first\n" * 300
    for place in PLACES:
        line = ("İx " * (place // 4)).encode() + b"\x1b[31mNee\x1b[0mdle %d!" % place + b" y" * 5000
        text += line + b"\n" + b"other\n" * 300
    logs.send(server, "haystack", text)
    return "haystack"


@pytest.mark.parametrize(
    ("window", "regex"),
    list(itertools.product(SIZES, [False, True])),
    indirect=["window"],
)
@pytest.mark.long
def test_hit_is_visible_wherever_in_its_line_it_is(
    browser: Browser, server: Server, haystack: str, window: dict[str, Any], regex: bool
) -> None:
    with viewing(browser, server.get, path(haystack), **window) as viewer:
        search(viewer, "nothing yet", regex=regex)
        for place in PLACES:
            viewer.page.get_by_label("Search the whole log").fill(f"n[e]+dle {place}!" if regex else f"needle {place}!")
            viewer.wait(f"text => ({HIT})('hit-now') === text", f"Needle {place}!")


DEEP = b"first\n" * 500 + b"x" * 100_000 + b" needle " + b"y" * 5000 + b"\n" + b"last\n" * 500


def test_hit_is_visible_also_if_lines_have_numbers_only_after_it_was_found(
    browser: Browser, server: Server, name: str
) -> None:
    """As on a busy server, which tells the search, and the page a moment later."""
    logs.send(server, name, DEEP)
    counted = False

    def lines_of(route: Route) -> None:
        answer = route.fetch()
        numbers = ("livelog-first-line", "livelog-lines")
        headers = {field: value for field, value in answer.headers.items() if counted or field not in numbers}
        route.fulfill(response=answer, headers=headers)

    with viewing(browser, server.get, path(name), {"/lines/": lines_of}) as viewer:
        expect(viewer.page.locator(".facts")).to_contain_text("counting lines")
        search(viewer, "needle")
        expect(viewer.page.locator("#search .count")).to_have_text("1 of 1 line")
        expect(viewer.page.locator(".facts")).to_contain_text("then going there")
        counted = True
        viewer.wait(f"() => ({HIT})('hit-now') === 'needle'")


@pytest.mark.long
def test_hit_is_visible_also_if_its_part_of_the_line_cannot_be_had_at_first(
    browser: Browser, server: Server, name: str
) -> None:
    logs.send(server, name, DEEP)
    lost: list[str] = []

    def bytes_of(route: Route) -> None:
        if lost:
            return route.continue_()
        lost.append(route.request.url)
        return route.abort()

    with viewing(browser, server.get, path(name), {"/log/.*follow=0": bytes_of}) as viewer:
        search(viewer, "needle")
        viewer.wait(f"() => ({HIT})('hit-now') === 'needle'")
        assert lost


def test_part_of_a_line_that_comes_late_does_not_lead_away_from_the_hit_that_is_looked_at(
    browser: Browser, server: Server, name: str
) -> None:
    logs.send(server, name, b"first\n" * 300 + b"another needle\n" + DEEP)
    late: list[Route] = []
    with viewing(browser, server.get, path(name), {"/log/.*follow=0": holding(late)}) as viewer:
        search(viewer, "needle")
        expect(viewer.page.locator(f"{ROWS}.hit-row[data-line='802']")).to_be_visible()
        wait_until(lambda: viewer.js("true") and late != [], "the part of the line is asked for")
        viewer.press("Shift+Enter")
        viewer.wait(f"() => ({HIT})('hit-now') === 'needle'")
        top = viewer.top()
        viewer.page.context.unroute_all()  # which lets it go on
        late[0].request.response()
        viewer.wait_frame()
        assert viewer.top() == top
        viewer.press("Enter")
        expect(viewer.page.locator(f"{ROWS}.hit-row[data-line='802']")).to_be_visible()
        viewer.wait(f"() => ({HIT})('hit-now') === 'needle'")


def test_lines_that_an_address_names_are_shown_though_it_names_a_search_too(
    browser: Browser, server: Server, name: str
) -> None:
    logs.send(server, name, lines(1, 9000))
    with viewing(browser, server.get, path(name, "?q=line#L250")) as viewer:
        expect(viewer.page.locator("#search .count")).to_have_text("9,000 lines")
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("line 250")


def test_line_that_was_gone_to_is_not_folded_away_by_a_group_that_is_found_later(
    browser: Browser, server: Server, name: str
) -> None:
    begin, end = b"section_start:1000:%d[collapsed=true]\r\x1b[0KStep %d\n", b"section_end:1075:%d\r\x1b[0K\n"
    logs.send(server, name, b"".join(begin % (at, at) + b"word\n" * 8 + b"needle\n" + end % at for at in range(50)))
    late: list[Route] = []
    for fragment, line in (("#L250", 250), ("?q=needle", 549)):
        late.clear()
        with viewing(browser, server.get, path(name, fragment), {"/groups/": holding(late)}) as viewer:
            expect(viewer.page.locator(f"{ROWS}[data-line='{line}']")).to_be_visible()
            wait_until(lambda: viewer.js("true") and late != [], "groups are asked for")
            viewer.wait_loaded()
            late[0].continue_()
            expect(viewer.page.get_by_role("button", name="Unfold").first).to_be_visible()
            expect(viewer.page.locator(f"{ROWS}[data-line='{line}']")).to_be_visible()


@pytest.mark.long
def test_each_hit_of_a_long_line_is_gone_to(browser: Browser, server: Server, name: str) -> None:
    text = b"needle 1" + b" x" * 1000 + b"needle 2" + b" x" * 5000 + b"needle 3 needle 4\nneedle 5\n"
    logs.send(server, name, text)
    with viewing(browser, server.get, path(name)) as viewer:
        search(viewer, "needle \\d", regex=True)
        visible = """wanted => [...CSS.highlights.get('hit-now') ?? []].some(range => {
            const hit = range.getBoundingClientRect();
            return range.toString() === wanted && hit.left >= 0 && hit.right <= innerWidth;
        })"""
        viewer.wait(visible, "needle 5")
        for key, wanted in (("Shift+Enter", 4), ("Shift+Enter", 2), ("Shift+Enter", 1), ("Shift+Enter", 5)):
            viewer.press(key)
            viewer.wait(visible, f"needle {wanted}")


def test_every_match_of_a_pattern_is_marked(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, "a1 b22 İ c333\r\n".encode() * 3 + b"none\n")
    with viewing(browser, server.get, path(name)) as viewer:
        search(viewer, "[0-9]+", regex=True)
        viewer.wait(
            "() => ['hit', 'hit-now'].flatMap(name => [...CSS.highlights.get(name) ?? []].map(String)).sort().join()"
            " === '1,1,1,22,22,22,333,333,333'"
        )


@pytest.mark.long
def test_progress_of_a_search_with_many_hits_moves_on(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, b"needle\n" * 30_000)
    with viewing(browser, server.get, path(name)) as viewer:
        viewer.js("""() => { window.told = new Set(); new MutationObserver(() => {
            const text = document.querySelector("#search .count")?.textContent ?? "";
            const [, part] = /(\\d+) % searched/.exec(text) ?? [];
            if (part) window.told.add(Number(part));
        }).observe(document.querySelector("#search"), {childList: true, subtree: true, characterData: true}); }""")
        search(viewer, "needle")
        expect(viewer.page.locator("#search .count")).to_contain_text("30,000 lines")
        told = viewer.js("[...window.told]")
        assert told == sorted(told)
        assert len(told) > 3


def test_key_leads_to_errors_and_not_to_what_only_looks_so(browser: Browser, server: Server, name: str) -> None:
    errors = (b"ValueError: x", b"npm ERR! code 1", b"Segmentation fault", b'{"level":50}', b"level=critical")
    logs.send(server, name, b"".join(b"0 failed, no error found\n" * 50 + line + b"\n" for line in errors))
    with viewing(browser, server.get, path(name, "#L1")) as viewer:
        expect(viewer.page.locator(f"{ROWS}.marked > .text")).to_have_text("0 failed, no error found")
        for number in range(51, 256, 51):
            viewer.press("e")
            expect(viewer.page.locator(f"{ROWS}.marked > .number")).to_have_text(str(number))
        viewer.press("e")
        viewer.wait_told("No problem below")


def test_address_of_a_line_that_is_not_there_says_so(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, b"line\n" * 1000)
    with viewing(browser, server.get, path(name, "#L5000000")) as viewer:
        viewer.wait_told("There is no line 5,000,000: the log has 1,000")
        viewer.press("Control+g")
        viewer.page.locator("#number").fill("2000")
        viewer.press("Enter")
        viewer.wait_told("There is no line 2,000: the log has 1,000")
