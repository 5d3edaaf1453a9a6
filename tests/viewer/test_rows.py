"""Lines that write over each other, as progress of several lines does: the page shows what a terminal shows, and every line on demand.

Refuses to look at single sequences: the units of the viewer's source hold them, and recordings of programs, against a terminal.
"""

import itertools
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.harness import Server
from tests.integration import logs
from tests.integration.servers import wait_until

from .pages import PATIENCE, ROWS, Viewer, path, viewing, writing

pytestmark = pytest.mark.needs("chromium")

RECORDINGS = Path(__file__).parents[2] / "viewer" / "test" / "recordings"

E = "\x1b["
UP = f"{E}3A"
BELOW = "".join(f"below {at}\n" for at in range(3))


def frame(at: int, up: str = UP) -> str:
    """Three rows, drawn over those of the frame before."""
    return up + "".join(f"\r{E}2Krow {row}: {at}\n" for row in range(3))


def build(frames: int) -> str:
    """A log of as many frames, between other lines."""
    return "".join(f"above {at}\n" for at in range(5)) + frame(0, "") + "".join(map(frame, range(1, frames))) + BELOW


def numbers(viewer: Viewer) -> list[int]:
    """The numbers of the lines that are shown."""
    viewer.wait_loaded()
    return viewer.numbers()


def wait_texts(viewer: Viewer, *texts: str) -> None:
    """Wait until these are the last rows."""
    viewer.wait(
        f"""texts => {{ const rows = [...document.querySelectorAll('{ROWS}:not(.loading) > .text')].map(row => row.textContent.trimEnd());
        return JSON.stringify(rows.slice(-texts.length)) === JSON.stringify(texts); }}""",
        list(texts),
    )


def test_page_shows_the_rows_of_a_terminal_and_every_line_on_demand(
    browser: Browser, server: Server, name: str
) -> None:
    logs.send(server, name, build(4).encode())
    above = [f"above {at}" for at in range(5)]
    rows = [f"row {row}: 3" for row in range(3)]
    with viewing(browser, server.get, path(name)) as viewer:
        wait_texts(viewer, *above, *rows, "below 0", "below 1", "below 2")
        assert numbers(viewer) == [*range(1, 6), 15, 16, 17, 18, 19, 20]
        viewer.press("r")
        wait_texts(viewer, "row 0: 2", "row 1: 2", "row 2: 2", *rows, "below 0", "below 1", "below 2")
        assert numbers(viewer) == list(range(1, 21))
        viewer.press("r")
        wait_texts(viewer, *above, *rows, "below 0", "below 1", "below 2")
        viewer.page.get_by_role("button", name="Show 9 lines that were written over").click()
        viewer.wait(f"() => document.querySelectorAll('{ROWS}').length === 20")
        viewer.page.get_by_role("button", name="Hide 9 lines that were written over").click()
        wait_texts(viewer, *above, *rows, "below 0", "below 1", "below 2")


def test_what_is_copied_is_what_is_shown(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, build(4).encode())
    permissions: dict[str, Any] = {"permissions": ["clipboard-read", "clipboard-write"]}
    with viewing(browser, server.get, path(name), **permissions) as viewer:
        wait_texts(viewer, "row 2: 3", "below 0", "below 1", "below 2")
        viewer.press("Control+a", "Control+c")
        text = "".join(f"above {at}\n" for at in range(5)) + "".join(f"row {row}: 3\n" for row in range(3)) + BELOW
        viewer.wait("text => navigator.clipboard.readText().then(copied => copied === text)", text)


def test_link_to_a_line_that_was_written_over_shows_it(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, build(4).encode())
    with viewing(browser, server.get, path(name, "#L10")) as viewer:
        marked = viewer.page.locator(f"{ROWS}.marked > .text")
        expect(marked).to_have_text("row 1: 1")
        viewer.page.get_by_role("button", name="Hide 9 lines that were written over").wait_for()
        expect(marked).to_have_text("row 1: 1")
        viewer.press("/")
        viewer.page.get_by_role("searchbox").or_(viewer.page.locator("#search input[type=text]")).first.fill("row 0: 2")
        viewer.press("Enter")
        viewer.wait(
            f"() => [...document.querySelectorAll('{ROWS}.hit-row > .text')].some(row => row.textContent === 'row 0: 2')"
        )


def test_rows_move_while_the_log_is_live_and_stand_still_for_who_reads(
    browser: Browser, server: Server, name: str
) -> None:
    above = "".join(f"above {at}\n" for at in range(100))
    with (
        writing(server, name, (above + frame(0, "")).encode()) as write,
        viewing(browser, server.get, path(name)) as viewer,
    ):
        wait_texts(viewer, "above 99", "row 0: 0", "row 1: 0", "row 2: 0")
        for at in range(1, 4):
            write(frame(at).encode())
            wait_texts(viewer, "above 99", *(f"row {row}: {at}" for row in range(3)))
        write(f"{UP}\r{E}2Krow 0: half".encode())
        wait_texts(viewer, "above 99", "row 0: half", "row 1: 3", "row 2: 3")
        write(b" done\n\n\n")
        viewer.press("k")
        viewer.wait_state("Paused")
        top = viewer.top()
        for at in range(4, 30):
            write(frame(at).encode())
        viewer.wait(
            f"() => [...document.querySelectorAll('{ROWS} > .text')].some(row => row.textContent === 'row 0: 29')"
        )
        assert viewer.top() == top


def test_program_that_draws_for_long_leaves_its_last_rows(browser: Browser, server: Server, name: str) -> None:
    log = (RECORDINGS / "docker-build.log").read_bytes()
    count = 2000
    frames = "".join(map(frame, range(1, count)))
    logs.send(server, name, log + frame(0, "").encode() + frames.encode() + BELOW.encode())
    with viewing(browser, server.get, path(name)) as viewer:
        wait_texts(viewer, *(f"row {row}: {count - 1}" for row in range(3)), "below 0", "below 1", "below 2")

        def hides_frames() -> bool:
            steps = (after - before for before, after in itertools.pairwise(numbers(viewer)))
            return sum(step > 3 * (count - 10) for step in steps) == 1

        # The page goes through them from the end, some hundred lines at a time.
        wait_until(hides_frames, "all other frames are hidden between two rows", PATIENCE)
        assert viewer.page.locator(f"{ROWS}:first-child > .text").text_content()
