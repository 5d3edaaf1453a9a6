"""Groups in a log that is still written: seen and folded while they run; none folds under who reads it when it ends."""

import pytest
from playwright.sync_api import Browser, expect

from tests.harness import Server
from tests.sample import one_of, sample

from .pages import ROWS, SIZES, lines, path, viewing, writing

pytestmark = pytest.mark.needs("chromium")

MARKS = {
    "github": (b"::group::Build\n", b"::endgroup::\n"),
    "azure": (b"##[group]Build\n", b"##[endgroup]\n"),
    "gitlab": (b"section_start:1000:b\r\x1b[0KBuild\n", b"section_end:1075:b\r\x1b[0K\n"),
    "collapsed": (b"section_start:1000:b[collapsed=true]\r\x1b[0KBuild\n", b"section_end:1075:b\r\x1b[0K\n"),
}


@pytest.mark.parametrize(("kind", "size"), one_of(2, [*((kind, "desktop") for kind in MARKS), ("github", "phone")]))
def test_group_that_runs_is_seen_and_folded_and_what_comes_with_it(
    browser: Browser, server: Server, name: str, size: str, kind: str
) -> None:
    begin, ending = MARKS[kind]
    with writing(server, name, b"before\n" + begin + b"one\n") as write:
        with viewing(browser, server.get, path(name), **SIZES[size]) as viewer:
            expect(viewer.page.locator(f"{ROWS}.group > .text")).to_have_text("Build")
            assert viewer.texts() == ["before", "Build", "one"]
            viewer.page.get_by_role("button", name="Fold Build").click()
            expect(viewer.page.locator(f"{ROWS} > .text")).to_have_text(["before", "Build"])
            write(lines(1, 500))
            expect(viewer.page.locator(".facts")).to_contain_text("503 lines")
            assert viewer.texts() == ["before", "Build"]
            write(ending + b"after\n")
            viewer.wait_last("after")
            assert viewer.texts()[:2] == ["before", "Build"]
            viewer.page.get_by_role("button", name="Unfold Build").click()
            expect(viewer.page.locator(f"{ROWS} > .text").nth(2)).to_have_text("one")


def test_group_that_begins_while_the_log_is_followed_is_seen_at_once(
    browser: Browser, server: Server, name: str
) -> None:
    """Also where there has been none before."""
    with writing(server, name, b"before\n") as write, viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("before")
        viewer.wait_state("Live")
        for number in range(3):
            write(b"::group::Step %d\nx\n" % number)
            expect(viewer.page.locator(f"{ROWS}.group > .text").last).to_have_text(f"Step {number}", timeout=9000)
        expect(viewer.page.locator(f"{ROWS} .fold")).to_have_count(3)
        viewer.wait_state("Live")


@pytest.mark.parametrize("size", sample(["phone", "desktop"], "desktop"))
@pytest.mark.parametrize("follow", [True, False], ids=["following", "paused"])
def test_group_that_ends_does_not_fold_under_who_reads_it(
    browser: Browser, server: Server, name: str, size: str, *, follow: bool
) -> None:
    """Though its log says that it shall be folded."""
    begin, ending = MARKS["collapsed"]
    with writing(server, name, b"before\n" + begin + lines(1, 400)) as write:
        with viewing(browser, server.get, path(name), **SIZES[size]) as viewer:
            viewer.wait_last("line 400")
            if not follow:
                viewer.press("PageUp")
                viewer.wait_state("Paused")
            viewer.wait_loaded()
            # What the page learns first of groups may fold some: it must have known this one while it was open.
            viewer.wait("() => performance.getEntriesByType('resource').some(one => one.name.includes('/groups/'))")
            top = viewer.top()
            write(ending + b"after\n" * follow)
            write(b"::group::Next\n")
            expect(viewer.page.locator(".facts")).to_contain_text(f"{404 + follow} lines")
            if follow:
                expect(viewer.page.locator(f"{ROWS}.group > .text").last).to_have_text("Next")
                assert [f"line {line}" for line in range(390, 401)] == [
                    text for text in viewer.texts() if text.startswith("line ")
                ][-11:]
            else:
                assert viewer.top() == top
                viewer.press("Home")
                expect(viewer.page.get_by_role("button", name="Fold Build")).to_be_visible()
                assert viewer.texts()[2] == "line 1"
