"""What is copied is the log's text: all of what is selected, and none of the page's words.

Categories: all of a log (Ctrl-A, Ctrl-C) · drags (over groups, folded lines and long ones; in a log that grows; outside the
window). Every expected text is made from the log's bytes.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.harness import Server
from tests.integration import logs
from tests.sample import one_of, sample

from .pages import ROWS, SIZES, Viewer, lines, path, viewing, writing

pytestmark = pytest.mark.needs("chromium")

MICE: dict[str, dict[str, Any]] = {**SIZES, "phone": {"viewport": {"width": 320, "height": 640}}}

PERMITTED: dict[str, Any] = {"permissions": ["clipboard-read", "clipboard-write"]}

LONG = "long " * 2000
"""A line of which not all is shown, and all is in memory."""

LONGEST = "word " * 8000
"""A line of which not all is in memory."""

GROUPED = (
    "before\n::group::Preparing\none\ntwo\n::endgroup::\n"
    f"{LONG}\nsection_start:1000:deps[collapsed=true]\r\x1b[0KInstall\nfetch\nsection_end:1075:deps\r\x1b[0K\n{LONGEST}\nafter\n"
)
COPIED = f"before\nPreparing\none\ntwo\n{LONG}\nInstall\nfetch\n\n{LONGEST}\nafter\n"
"""Its text, as the page shows it."""


def clipboard(viewer: Viewer) -> str:
    """What is on the clipboard."""
    text: str = viewer.js("navigator.clipboard.readText()")
    return text


def copied(viewer: Viewer, text: str) -> None:
    """Copy, and wait until this is on the clipboard."""
    viewer.press("Control+c")
    viewer.wait("text => navigator.clipboard.readText().then(copied => copied === text)", text)


def spot(viewer: Viewer, line: int, place: float) -> tuple[float, float]:
    """Where on the page a line's text is, once it is there: at its beginning (0), at its end (1), or between."""
    expect(viewer.page.locator(f"{ROWS}[data-line='{line}']:not(.loading)")).to_be_visible()
    x, y = viewer.js(
        f"""([line, place]) => {{
        const text = document.querySelector(`{ROWS}[data-line="${{line}}"] > .text`);
        const range = document.createRange();
        range.selectNodeContents(text);
        const box = range.getBoundingClientRect();
        const row = text.getBoundingClientRect();
        const button = text.querySelector(".fold");
        const right = Math.min(box.right, document.querySelector("#surface").getBoundingClientRect().right - 4);
        const left = button ? button.getBoundingClientRect().right + 1 : box.left + 1;
        return [left + place * (right - left), place === 1 ? row.bottom - 10 : row.top + 10]; }}""",
        [line, place],
    )
    return x, y


def drag(viewer: Viewer, start: tuple[float, float], stop: tuple[float, float]) -> None:
    """Move the mouse from one place to another with its button down."""
    viewer.page.mouse.move(*start)
    viewer.page.mouse.down()
    viewer.page.mouse.move(*stop)
    viewer.page.mouse.up()


@pytest.fixture(scope="module")
def grouped_page(browser: Browser, server: Server) -> Iterator[Viewer]:
    """A page on a log with groups and long lines."""
    logs.send(server, "grouped", GROUPED.encode())
    with viewing(browser, server.get, path("grouped"), **PERMITTED) as viewer:
        expect(viewer.page.locator(f"{ROWS} .fold")).to_have_count(2)
        yield viewer


@pytest.fixture
def grouped(grouped_page: Viewer) -> Viewer:
    """That page as it was at first, with nothing selected or copied."""
    grouped_page.press("Escape")
    grouped_page.js(
        """() => { getSelection().removeAllRanges(); document.querySelector('#surface').scrollLeft = 0;
        return navigator.clipboard.writeText('nothing'); }"""
    )
    return grouped_page


# All of a log


@pytest.mark.parametrize("size", sample(SIZES.values(), SIZES["phone"]), ids=SIZES.keys())
def test_all_of_a_log_is_copied_as_a_terminal_shows_it(
    browser: Browser, server: Server, name: str, size: dict[str, Any]
) -> None:
    """Whatever is folded, cut, or not on the page."""
    logs.send(server, name, GROUPED.encode())
    with viewing(browser, server.get, path(name), **size, **PERMITTED) as viewer:
        viewer.wait_state("Ended")
        viewer.wait_numbered()
        viewer.press("Control+a")
        copied(viewer, COPIED)
        viewer.js("navigator.clipboard.writeText('')")
        viewer.press("Z", "Control+a")
        copied(viewer, COPIED)


def test_all_of_a_log_is_copied_where_a_page_may_not_write_to_the_clipboard(
    browser: Browser, server: Server, name: str
) -> None:
    """Without https there is no interface for it; the page answers to a copy that it begins itself."""
    logs.send(server, name, GROUPED.encode())
    with viewing(browser, server.get, path(name), **PERMITTED) as viewer:
        expect(viewer.page.locator(f"{ROWS} .fold")).to_have_count(2)
        viewer.js("""() => { window.kept = navigator.clipboard;
            Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true}); }""")
        viewer.press("Control+a", "Control+c")
        viewer.wait_told("Copied 10 lines")
        assert viewer.js("window.kept.readText()") == COPIED


def test_line_that_has_not_ended_is_copied_as_it_is(browser: Browser, server: Server, name: str) -> None:
    with writing(server, name, b"one\ntwo") as write, viewing(browser, server.get, path(name), **PERMITTED) as viewer:
        viewer.wait_last("two")
        viewer.press("Control+a")
        copied(viewer, "one\ntwo")
        write(b" more\n")
        viewer.press("Control+a")
        viewer.wait_last("two more")
        viewer.press("Control+a")
        copied(viewer, "one\ntwo more\n")


# Drags


def test_page_has_no_words_of_its_own_among_the_texts_of_rows(grouped: Viewer) -> None:
    """What it says there is shown, and has a name for those who listen."""
    texts = grouped.texts()
    assert texts[1] == "Preparing"
    assert "Install" in texts
    assert LONG[:4096] in texts
    expect(grouped.page.get_by_role("button", name="show more")).to_have_count(2)
    expect(grouped.page.get_by_role("button", name="Fold Preparing")).to_be_visible()
    assert grouped.js("getComputedStyle(document.querySelector('.fold'), '::before').content") == '"▾"'


@pytest.mark.parametrize("back", [False, True], ids=["down", "up"])
@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        ((1, 0), (3, 1), "before\nPreparing\none"),
        ((2, 0), (2, 1), "Preparing"),
        ((3, 0), (3, 1), "one"),
        ((6, 0), (11, 1), f"{LONG}\nInstall\nfetch\n\n{LONGEST}\nafter"),
        ((10, 0), (11, 1), f"{LONGEST}\nafter"),
    ],
)
def test_drag_copies_what_it_goes_over_whole_and_nothing_else(
    grouped: Viewer, first: tuple[int, float], last: tuple[int, float], text: str, *, back: bool
) -> None:
    """Also folded lines, and what of a line is not shown."""
    places = [spot(grouped, *first), spot(grouped, *last)]
    drag(grouped, *(reversed(places) if back else places))
    copied(grouped, text)


def test_drag_to_the_end_of_what_is_shown_of_a_line_copies_all_of_it(
    browser: Browser, server: Server, name: str
) -> None:
    logs.send(server, name, GROUPED.encode())
    with viewing(browser, server.get, path(name), **SIZES["large"], **PERMITTED) as viewer:
        expect(viewer.page.locator(f"{ROWS} .fold")).to_have_count(2)
        viewer.press("w")
        expect(viewer.page.locator("#surface.wrap")).to_be_visible()
        for line, text in ((6, LONG), (10, LONGEST)):
            drag(viewer, spot(viewer, line, 0), spot(viewer, line, 1))
            copied(viewer, text)


def test_double_click_selects_a_word_and_a_shifted_one_extends(grouped: Viewer) -> None:
    x, y = spot(grouped, 3, 0.5)
    grouped.page.mouse.dblclick(x, y)
    copied(grouped, "one")
    grouped.page.keyboard.down("Shift")
    grouped.page.mouse.click(*spot(grouped, 4, 1))
    grouped.page.keyboard.up("Shift")
    copied(grouped, "one\ntwo")
    grouped.page.mouse.click(x, y)
    grouped.js("navigator.clipboard.writeText('untouched')")
    grouped.press("Control+c")
    assert clipboard(grouped) == "untouched"


def test_drag_over_what_lies_above_the_log_selects_under_it(browser: Browser, server: Server, name: str) -> None:
    """Buttons that float there are not in the way."""
    logs.send(server, name, lines(1, 900))
    with viewing(browser, server.get, path(name, "#L400"), **PERMITTED) as viewer:
        button = viewer.page.locator("#float button.main")
        expect(button).to_be_visible()
        box = button.bounding_box()
        assert box
        top = viewer.numbers()[1]
        drag(viewer, spot(viewer, top, 0), (box["x"] + 10, box["y"] + 10))
        viewer.press("Control+c")
        viewer.wait("text => navigator.clipboard.readText().then(copied => copied.startsWith(text))", f"line {top}\n")
        shown = viewer.js(
            "y => document.elementsFromPoint(100, y).find(e => e.closest('.row')).closest('.row').dataset.line",
            box["y"] + 10,
        )
        assert clipboard(viewer).splitlines() == [f"line {line}" for line in range(top, int(shown) + 1)]


@pytest.mark.parametrize("size", sample(MICE.values(), MICE["desktop"]), ids=MICE.keys())
def test_no_drag_loses_its_last_move_in_a_log_that_grows(
    browser: Browser, server: Server, name: str, size: dict[str, Any]
) -> None:
    """The selection ends where the mouse was let go, in each of many drags."""
    with writing(server, name, lines(1, 500)) as write:
        with viewing(browser, server.get, path(name), **size, **PERMITTED) as viewer:
            viewer.wait_last("line 500")
            for number in range(501, 509):
                write(lines(number, number))
                rows = viewer.numbers()
                start = spot(viewer, rows[len(rows) // 2], 0.3)
                x, y = spot(viewer, rows[len(rows) // 2 + 4], 0.9)
                viewer.page.mouse.move(*start)
                viewer.page.mouse.down()
                viewer.page.mouse.move(x, y - 20)
                write(b"more\n")
                viewer.page.mouse.move(x + 30, y)
                viewer.page.mouse.up()
                line = viewer.js(
                    f"y => [...document.querySelectorAll('{ROWS}')].find(row => row.getBoundingClientRect().bottom > y).querySelector('.text').textContent",
                    y,
                )
                viewer.press("Control+c")
                text = clipboard(viewer)
                assert text.splitlines()[-1] == line, number
                assert len(text.splitlines()) >= 4
                viewer.press("End")
                viewer.wait_state("Live")


@pytest.mark.parametrize(
    ("size", "down", "live"),
    one_of(
        3,
        [(MICE["desktop"], down, live) for down in (True, False) for live in (True, False)]
        + [(MICE["phone"], True, True), (MICE["large"], True, False)],
    ),
    ids=["below, live", "below", "above, live", "above", "below, live, phone", "below, large"],
)
def test_mouse_that_is_held_still_outside_the_window_goes_on_selecting(
    browser: Browser, server: Server, name: str, size: dict[str, Any], *, down: bool, live: bool
) -> None:
    with contextlib.ExitStack() as stack:
        if live:
            stack.enter_context(writing(server, name, lines(1, 3000)))
        else:
            logs.send(server, name, lines(1, 3000))
        viewer = stack.enter_context(viewing(browser, server.get, path(name, "#L1500"), **size, **PERMITTED))
        expect(viewer.page.locator(".facts")).to_contain_text("3,000 lines")
        expect(viewer.page.locator(f"{ROWS}.marked")).to_be_visible()
        x, y = spot(viewer, 1500, 0)
        viewer.page.mouse.move(x, y)
        viewer.page.mouse.down()
        edge = viewer.js(
            "down => document.querySelector('#surface').getBoundingClientRect()[down ? 'bottom' : 'top']", down
        )
        viewer.page.mouse.move(x + 5, y + 5)  # a mouse does not jump out of the window
        viewer.page.mouse.move(x + 200 * down, edge + 60 if down else edge - 30)
        far = 1500 + (2 if down else -2) * len(viewer.numbers())
        viewer.wait(
            f"([far, down]) => [...document.querySelectorAll('{ROWS}')].some(row => down ? row.dataset.line > far : row.dataset.line < far)",
            [far, down],
        )
        viewer.page.mouse.up()
        shown = viewer.numbers()
        viewer.press("Control+c")
        viewer.wait_told("Copied")
        got = clipboard(viewer).splitlines()
        if down:
            assert got == [f"line {line}" for line in range(1500, 1500 + len(got))]
            assert shown[-7] <= 1500 + len(got) - 1 <= shown[-1]  # the window may have moved once more
        else:
            assert got[-1] == "line 1499"
            assert got == [f"line {line}" for line in range(1500 - len(got), 1500)]
            assert shown[0] <= 1500 - len(got) <= shown[6]
