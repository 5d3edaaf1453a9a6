"""The viewer on logs of 10 GB and of a hundred million lines.

They are opened at their end by a few requests, in little memory, and every line is one step from the next.

Refuses to measure time. That nothing waits for the whole of a log is seen by what is asked of the server, and of the page.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.harness import Server
from tests.sample import sample

from .huge import MANY, serving_huge, serving_many
from .pages import JUMP, ROWS, Viewer, heap, path, viewing, writing

pytestmark = pytest.mark.needs("chromium")

ELEMENTS = 800
"""So many elements a page may have, whatever the log."""

HEAP = 30_000_000
"""Bytes that the page's script may hold on to, buffers included, whatever the log."""


@pytest.fixture
def huge(tmp_path: Path) -> Iterator[Server]:
    """A server of 10 GB for one test, which begins to count lines when the test does."""
    with serving_huge(tmp_path) as server:
        yield server


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of a hundred million lines."""
    with serving_many(tmp_path_factory.mktemp("many")) as server:
        yield server


def test_end_of_ten_gigabytes_is_shown_after_a_few_small_answers(browser: Browser, huge: Server) -> None:
    with viewing(browser, huge.get, path("huge")) as viewer:
        viewer.wait_last("line 1 before the end")
        # A slow browser has also asked, more than once, whether lines are counted, and what there is to know of the log.
        # And it may have begun to load what is not needed for that.
        asked = [request.url for request in viewer.requests if not re.search("count=1|/status/|/page/", request.url)]
        assert len(asked) <= 3, asked
        answers = [request.response() for request in viewer.requests]
        assert sum(int(answer.headers.get("content-length", 0)) for answer in answers if answer) < 1_000_000
        assert viewer.elements() < ELEMENTS


def test_lines_above_the_end_are_there_before_all_lines_are_counted(browser: Browser, huge: Server) -> None:
    """What the server does not know yet is not shown as if it knew."""
    with viewing(browser, huge.get, path("huge")) as viewer:
        viewer.wait_last("line 1 before the end")
        expect(viewer.page.locator(".facts")).to_contain_text("counting lines")
        for _ in range(20):
            viewer.press("PageUp")
        expect(viewer.page.locator(f"{ROWS} > .text").first).to_have_text(
            re.compile("line [56][0-9]{2} before the end")
        )
        viewer.wait_loaded()
        shown = [int(text.split()[1]) for text in viewer.texts()]
        assert shown == list(range(shown[0], shown[0] - len(shown), -1))
        viewer.press("End")
        viewer.wait_last("line 1 before the end")


def test_first_line_is_gone_to_when_lines_are_counted_and_nothing_is_read_to_get_there(
    browser: Browser, huge: Server, many: Server
) -> None:
    with viewing(browser, huge.get, path("huge")) as viewer:
        viewer.wait_last("line 1 before the end")
        viewer.press("Home")
        expect(viewer.page.locator(".facts")).to_contain_text("then going there")
        assert viewer.texts()[-1] == "line 1 before the end"
        read = [request for request in viewer.requests if "/lines/" in request.url and "tail" not in request.url]
        assert {request.url.partition("?")[2].partition("&")[2] for request in read} <= {"count=1"}
    with viewing(browser, many.get, path("many")) as viewer:
        viewer.wait_state("Ended")
        viewer.press("Home")
        viewer.wait_first(1)


def test_a_step_is_one_line_in_the_middle_of_a_hundred_million(browser: Browser, many: Server) -> None:
    with viewing(browser, many.get, path("many", "#L50000000")) as viewer:
        expect(viewer.page.locator(f"{ROWS}.marked > .number")).to_have_text("50000000")
        first = viewer.numbers()[0]
        for key, step in (("j", 1), ("ArrowDown", 2), ("k", 1), ("ArrowUp", 0), ("j", 1)):
            viewer.press(key)
            viewer.wait_first(first + step)


@pytest.mark.parametrize(("part", "line"), sample([(0, 1), (0.5, MANY // 2), (1, MANY)], (0.5, MANY // 2)))
def test_thumb_leads_to_any_part_of_a_hundred_million_lines(
    browser: Browser, many: Server, part: float, line: int
) -> None:
    with viewing(browser, many.get, path("many", "#L70000000")) as viewer:
        expect(viewer.page.locator(f"{ROWS}.marked")).to_be_visible()
        bar, thumb = (viewer.page.locator(place).bounding_box() for place in ("#bar", "#thumb"))
        assert bar and thumb
        viewer.page.mouse.move(bar["x"] + 8, thumb["y"] + thumb["height"] / 2)
        viewer.page.mouse.down()
        viewer.page.mouse.move(bar["x"] + 8, bar["y"] + thumb["height"] / 2 + part * (bar["height"] - thumb["height"]))
        viewer.page.mouse.up()
        viewer.wait(
            "([line, most]) => Math.abs(document.querySelector('[role=list] .number').textContent - line) < most",
            [line, MANY / 100],
        )
        viewer.wait_loaded()
        shown = viewer.numbers()
        assert shown == list(range(shown[0], shown[0] + len(shown)))
        assert (shown[0] == 1) if part == 0 else (shown[-1] == MANY) is (part == 1)


def test_address_leads_to_lines_and_going_back_leads_back(browser: Browser, many: Server) -> None:
    with viewing(browser, many.get, path("many", "#L73000000-L73000004")) as viewer:
        expect(viewer.page.locator(f"{ROWS}.marked > .number")).to_have_text([str(73_000_000 + at) for at in range(5)])
        window, marked = (
            viewer.page.locator(place).bounding_box() for place in ("#surface", f"{ROWS}.marked >> nth=2")
        )
        assert window and marked
        assert abs(marked["y"] + 10 - window["y"] - window["height"] / 2) <= 20
        first = viewer.numbers()[0]
        viewer.press("PageDown")
        expect(viewer.page.locator(f"{ROWS}:first-child > .number")).not_to_have_text(str(first))
        page = viewer.numbers()[0] - first
        viewer.press("PageDown")
        viewer.wait_first(first + 2 * page)
        viewer.wait_loaded()
        viewer.page.locator(f"{ROWS}:nth-child(3) > .number").click()
        viewer.page.locator(f"{ROWS}:nth-child(5) > .number").click(modifiers=["Shift"])
        expect(viewer.page.locator(f"{ROWS}.marked")).to_have_count(3)
        assert viewer.page.url.endswith(f"#L{viewer.numbers()[2]}-L{viewer.numbers()[4]}")
        viewer.page.go_back()
        viewer.page.go_back()
        expect(viewer.page.locator(f"{ROWS}.marked")).to_have_count(0)
        viewer.press("PageUp", "PageUp")
        viewer.wait_first(first)


@pytest.mark.long
def test_memory_stays_small_over_two_hundred_jumps_in_a_hundred_million_lines(browser: Browser, many: Server) -> None:
    with viewing(browser, many.get, path("many", "#L1")) as viewer:
        viewer.wait_first(1)
        assert set(jump(viewer, places(200, MANY))) == {""}


@pytest.mark.parametrize("times", sample([2, 10]))
def test_memory_stays_small_while_many_times_as_much_goes_by_and_is_looked_at_everywhere(
    browser: Browser, server: Server, name: str, times: int
) -> None:
    texts = [f"{number:04} {'word ' * (number % 400)}" for number in range(10_000)]
    block = b"".join(b"\x1b[32m%b\x1b[0m%b\n" % (text[:4].encode(), text[4:].encode()) for text in texts) * 5
    with writing(server, name) as write, viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_state("Live")
        for sent in range(1, times * HEAP // len(block) + 2):
            write(block + b"block %d\n" % sent)
            viewer.wait_last(f"block {sent}")  # so that no machine is too slow for what is on its way
            assert heap(viewer.page) < HEAP
        lines = [line for line in places(100, 50_001 * sent) if line % 50_001]
        assert jump(viewer, lines) == [texts[(line % 50_001 - 1) % 10_000] for line in lines]


@pytest.mark.parametrize("height", sample([700, 2160], 700))
def test_page_has_few_elements_however_colourful_the_log(
    browser: Browser, server: Server, name: str, height: int
) -> None:
    colourful = b"".join(b"\x1b[3%dm%d" % (at % 8, at) for at in range(300)) + b"\n"
    with (
        writing(server, name, colourful * 500),
        viewing(browser, server.get, path(name), viewport={"width": 3840, "height": height}) as viewer,
    ):
        viewer.wait_state("Live")
        expect(viewer.page.locator(f"{ROWS}:last-child > .number")).to_have_text("500")
        viewer.wait_last("".join(map(str, range(300))))
        texts = viewer.texts()
        # As many as what is shown can have, one for each four of its columns, however many the lines have.
        assert viewer.elements() < ELEMENTS + len(texts) * (4 + 3840 / 7 / 4)
        assert len(texts) > 25
        assert set(texts) == {"".join(map(str, range(300)))}


def places(count: int, last: int) -> list[int]:
    """So many lines from all over a log."""
    return random.Random(1).sample(range(1, last + 1), count)


def jump(viewer: Viewer, lines: list[int]) -> list[str]:
    """Go to each of these lines. Returns their texts; the page stays small all the while."""
    texts: list[str] = []
    for start in range(0, len(lines), 50):
        texts += viewer.js(JUMP, lines[start : start + 50])
        assert heap(viewer.page) < HEAP
        assert viewer.elements() < ELEMENTS
    return texts
