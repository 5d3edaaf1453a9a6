"""What the viewer tells of a log besides its lines, and what of it can be had."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.harness import Server
from tests.integration import logs

from .pages import ROWS, lines, path, viewing, writing
from .wires import Wire

pytestmark = pytest.mark.needs("chromium")


def test_live_log_is_downloaded_as_far_as_it_is_and_its_labels_and_readers_are_told(
    browser: Browser, server: Server, name: str
) -> None:
    labels = ("Livelog-Label: branch=main, target=<b>x</b>",)
    with (
        writing(server, name, lines(1, 300), *labels) as write,
        viewing(browser, server.get, path(name)) as viewer,
        viewing(browser, server.get, path(name)) as other,
    ):
        other.wait_last("line 300")
        viewer.wait_last("line 300")
        facts = viewer.page.locator(".facts")
        expect(facts).to_contain_text("2 watch · branch: main · target: <b>x</b>")
        link = viewer.page.get_by_role("link", name="Download")
        with viewer.page.expect_download() as begun:
            link.click()
        assert Path(begun.value.path()).read_bytes() == lines(1, 300)  # though it goes on
        write(b"more\n")
        write(b"")
        viewer.wait_state("Ended")
        expect(facts).not_to_contain_text("watch")
        with viewer.page.expect_download() as begun:
            link.click()
        assert Path(begun.value.path()).read_bytes() == lines(1, 300) + b"more\n"


def test_rows_whose_lines_cannot_be_had_say_that_the_server_does_not_answer(
    browser: Browser, server: Server, wire: Wire, name: str
) -> None:
    logs.send(server, name, lines(1, 5000))
    with viewing(browser, wire.address, path(name)) as viewer:
        viewer.wait_last("line 5000")
        viewer.wait_numbered()
        wire.refuse()
        viewer.press("g")
        viewer.wait_first(1)
        said = f"getComputedStyle(document.querySelector('{ROWS}.loading > .text'), '::before').content"
        viewer.wait(f"() => {said}.includes('the server does not answer')")
        wire.admit()
        viewer.retry()
        viewer.wait_loaded()
        assert viewer.texts()[0] == "line 1"
