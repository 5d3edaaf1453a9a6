"""Times in the viewer: of lines, of the silence between them, of groups and of the log.

The log `timed` has its times from a file of notes, as one that was written for two minutes; the others are live.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from livelog.times import End, encode
from tests.harness import Server
from tests.integration import logs
from tests.integration.servers import running, wait_until
from tests.sample import sample

from .pages import PATIENCE, ROWS, SIZES, Viewer, holding, path, viewing, writing

pytestmark = pytest.mark.needs("chromium")

BAR = b"working ..."
SECTIONS = (
    b"section_start:1764300000:a\r\x1b[0Kouter\n" b"section_start:1764300010:b\r\x1b[0Kinner\n" b"deep\n"
    b"section_end:1764300085:b\r\x1b[0Kbetween\n" b"section_end:1764300090:a\r\x1b[0Kbehind\n"
)  # fmt: skip
LINES = [*(b"line %d\n" % number for number in range(1, 300)), BAR + b" done\n", *SECTIONS.splitlines(keepends=True)]
PAUSES = {2: 120, 100: 12_340, 150: 5000, 151: 4990}
"""Milliseconds before lines."""


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of `timed`."""
    folder = tmp_path_factory.mktemp("timed")
    with running({"LIVELOG_DATA_DIR": str(folder)}) as server:
        assert logs.send(server, "timed", b"".join(LINES)).status == 201
    [log] = folder.glob("logs/timed/*.log")
    write_times(log)
    with running({"LIVELOG_DATA_DIR": str(folder)}) as server:
        yield server


def write_times(log: Path) -> None:
    """Give the lines of `timed` their times."""
    moment = began_of(log)
    offset, notes, start = 0, [], moment
    for number, line in enumerate(LINES, 1):
        moment += PAUSES.get(number, 0)
        notes.append((offset, moment))
        if line.startswith(BAR):
            moment += 61_000
            notes.append((offset + len(BAR), moment))
        offset += len(line)
    log.with_suffix(".times").write_bytes(encode(End(0, 0, start), notes)[0])
    ended = datetime.fromtimestamp(moment / 1000 + 1, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    about = log.with_suffix(".json")
    about.write_text(json.dumps({**json.loads(about.read_text()), "ended": ended}))


def began_of(log: Path) -> int:
    """When a log began, in milliseconds since the epoch, as its file says."""
    return round(datetime.fromisoformat(json.loads(log.with_suffix(".json").read_text())["began"]).timestamp() * 1000)


def times(viewer: Viewer, *rows: int) -> list[str]:
    """The times beside these lines, once they are there."""
    found = [viewer.page.locator(f"{ROWS}[data-line='{row}'] > .time") for row in rows]
    for time in found:
        expect(time).to_have_text(re.compile("."))
    return [time.inner_text() for time in found]


def test_column_of_times_is_that_of_the_clock_or_since_the_start_or_the_line_before(
    browser: Browser, timed: Server
) -> None:
    with viewing(browser, timed.get, path("timed", "#L100")) as viewer:
        expect(viewer.page.locator(f"{ROWS} > .time")).to_have_count(0)
        viewer.press("t")
        assert all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d\d", time) for time in times(viewer, 99, 100))
        title = viewer.page.locator(f"{ROWS}[data-line='100'] > .time").get_attribute("title")
        assert title and re.fullmatch(r"\w{3} \w{3} \d\d 2\d{3} [\d:]{8} GMT\S+ · 2[\d-]{9}T[\d:.]{12}Z", title)
        viewer.press("t")
        assert times(viewer, 99, 100) == ["0:00.12", "0:12.46"]
        viewer.press("t")
        assert times(viewer, 99, 100, 101) == ["+0:00.00", "+0:12.34", "+0:00.00"]
        viewer.press("G")
        assert times(viewer, 300, 301) == ["+0:00.00", "+1:01.00"]
        viewer.page.reload()  # it is kept, and loaded
        viewer.wait_state("Ended")
        viewer.press("G")
        viewer.wait_last("behind")
        assert times(viewer, 300, 301) == ["+0:00.00", "+1:01.00"]
        viewer.press("g")
        assert times(viewer, 1, 2) == ["+0:00.00", "+0:00.12"]
        viewer.press("t")
        expect(viewer.page.locator(f"{ROWS} > .time")).to_have_count(0)


def silences(viewer: Viewer) -> list[list[str | None]]:
    """The lines with marks of gaps that are shown, and the marks above and below them."""
    found: list[list[str | None]] = viewer.js(
        f"""[...document.querySelectorAll('{ROWS}')].filter(({{dataset}}) => dataset.above || dataset.below)
        .map(({{dataset, clientHeight}}) => [dataset.line, dataset.above ?? null, dataset.below ?? null, String(clientHeight)])"""
    )
    return found


@pytest.mark.parametrize("wrap", sample([False, True], True), ids=["cut", "wrapped"])
def test_gaps_are_marked_between_lines_and_every_step_is_still_a_line(
    browser: Browser, timed: Server, wrap: bool
) -> None:
    held: list[Route] = []
    with viewing(browser, timed.get, path("timed", "#L100"), {"gaps=": holding(held)}, **SIZES["desktop"]) as viewer:
        viewer.wait_state("Ended")
        viewer.wait_numbered()
        if wrap:
            viewer.press("w")
        while viewer.numbers()[0] < 100:
            viewer.press("j")
            viewer.wait_frame()
        while viewer.numbers()[0] > 100:
            viewer.press("k")
            viewer.wait_frame()
        viewer.wait_first(100)
        text = f"{ROWS}[data-line='100'] > .text"
        place = viewer.js("text => document.querySelector(text).getBoundingClientRect().top", text)
        wait_until(lambda: bool(viewer.js("true") and held), "the question", PATIENCE)
        held.pop().continue_()
        expect(viewer.page.locator(f"{ROWS}[data-line='100']")).to_have_attribute("data-above", "12s without output")
        # What is read does not move: the mark is above the window.
        assert viewer.js("text => document.querySelector(text).getBoundingClientRect().top", text) == place
        assert silences(viewer)[0] == ["100", "12s without output", None, "40"]
        viewer.press("k")
        viewer.wait_frame()
        shown = viewer.numbers()[0]
        viewer.press(*["j"] * 3)
        viewer.wait_first(shown + 3)
        viewer.press("G")
        viewer.wait_last("behind")
        assert ["300", None, "1m 1s without output", "40"] in silences(viewer)
        room = viewer.js("document.querySelector('#surface').getBoundingClientRect().bottom")
        rows = viewer.page.locator(ROWS).last.bounding_box()
        assert rows
        assert abs(rows["y"] + rows["height"] - room) < 2
        viewer.js("location.hash = '#L151'")
        expect(viewer.page.locator(f"{ROWS}[data-line='150']")).to_have_attribute("data-above", "5s without output")
        assert [mark[0] for mark in silences(viewer)] == ["150"]


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_gaps_are_walked_through_by_key_and_by_finger(browser: Browser, timed: Server, size: str) -> None:
    """To the line that came after each."""
    with viewing(browser, timed.get, path("timed", "#L1"), **SIZES[size]) as viewer:

        def walk(key: str, button: str) -> None:
            if size == "desktop":
                viewer.press(key)
            else:
                viewer.page.get_by_role("button", name="Menu").tap()
                viewer.page.get_by_role("button", name=button).tap()

        expect(viewer.page.locator(f"{ROWS}.marked > .number")).to_have_text("1")
        for line in (100, 150, 300):
            walk(">", "Next silence")
            expect(viewer.page.locator(f"{ROWS}.marked > .number")).to_have_text(str(line))
        walk(">", "Next silence")
        viewer.wait_told("No time without output below")
        for line in (150, 100):
            walk("<", "Silence before")
            expect(viewer.page.locator(f"{ROWS}.marked > .number")).to_have_text(str(line))
        viewer.wait_told("12s without output")
        walk("<", "Silence before")
        viewer.wait_told("No time without output above")


def test_groups_tell_how_long_they_took_and_are_indented_in_others(browser: Browser, timed: Server) -> None:
    with viewing(browser, timed.get, path("timed")) as viewer:
        viewer.wait_last("behind")
        for title, took in (("outer", "1m 30s"), ("inner", "1m 15s")):
            expect(viewer.page.locator(f"{ROWS}.group", has_text=title).locator(".took")).to_have_attribute(
                "data-said", took
            )
        left = viewer.js(
            f"""Object.fromEntries([...document.querySelectorAll('{ROWS} > .text')].slice(-5)
            .map(text => [text.textContent, parseFloat(getComputedStyle(text).paddingLeft)]))"""
        )
        assert list(left) == ["outer", "inner", "deep", "between", "behind"]
        assert left["outer"] == left["between"] == left["behind"] == 0
        assert left["inner"] == left["deep"] > 0


def test_live_log_tells_when_it_began_how_long_it_runs_and_how_long_its_group_does(
    browser: Browser, timed: Server, name: str
) -> None:
    with writing(timed, name, b"::group::build\nmore\n") as write, viewing(browser, timed.get, path(name)) as viewer:
        facts = viewer.page.locator(".facts")
        expect(facts).to_contain_text(re.compile(r"began \d\d:\d\d:\d\d · running (\d+m )?\d+s"))
        took = viewer.page.locator(".took")
        expect(took).to_have_attribute("data-said", re.compile(r"^(\d+m \d+|[2-9]|[1-9]\d+)s …$"))
        write(b"")
        viewer.wait_state("Ended")
        expect(facts).to_contain_text(re.compile(r"began .* · took (\d+m )?\d+s · ended .* ago"))
        expect(took).to_have_attribute("data-said", re.compile(r"^(\d+m )?\d+s$"))
        assert "Began" in (facts.get_attribute("title") or "")


def test_times_that_a_log_has_in_front_of_its_lines_are_in_the_column_and_not_in_the_text(
    browser: Browser, server: Server, name: str
) -> None:
    """As logs have that are downloaded from GitHub: they were written long before they came here."""
    texts = [
        "Set up",
        "##[group]Run make",
        "cc a.c",
        "##[endgroup]",
        "##[error]it broke",
        '{"level":"info","msg":"started"}',
    ]
    stamped = [f"2026-01-02T03:04:{5 * number:02}.1234567Z {text}\n" for number, text in enumerate(texts)]
    logs.send(server, name, "".join(stamped).encode())
    with viewing(browser, server.get, path(name), timezone_id="UTC") as viewer:
        rows = viewer.page.locator(f"{ROWS} > .text")
        shown = ["Set up", "Run make", "cc a.c", "Error: it broke", "INFO  started"]
        expect(rows).to_have_text(shown)
        expect(viewer.page.locator(f"{ROWS}.group .took")).to_have_attribute("data-said", "10s")
        viewer.press("t")
        assert times(viewer, 1, 2, 3, 5) == ["03:04:00.12", "03:04:05.12", "03:04:10.12", "03:04:20.12"]
        viewer.press("t")
        expect(viewer.page.locator(f"{ROWS}[data-line='5'] > .time")).to_have_text("0:20.00")
        viewer.press("t")
        expect(viewer.page.locator(f"{ROWS}[data-line='3'] > .time")).to_have_text("+0:05.00")
        viewer.press("r")
        expect(rows.first).to_have_text("2026-01-02T03:04:00.1234567Z Set up")
