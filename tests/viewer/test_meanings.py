"""Lines that mean more than they say, in the viewer: commands to CI services, and what of them is not shown."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from tests.harness import Server
from tests.integration import logs

from .pages import ROWS, SIZES, Viewer, lines, path, viewing, violations, writing

pytestmark = pytest.mark.needs("chromium")

LOG = (
    b"::add-mask::hunter2\n::group::Build\n::error file=src/a.c,line=3,col=5,title=Lint::it broke\n"
    b"##[warning]\x1b[33mold\x1b[0m\n::endgroup::\n::notice::well\nplain\n"
)
SHOWN = [
    "::add-mask::***",
    "Build",
    "Error: Lint: it broke (src/a.c:3:5)",
    "Warning: old",
    "Notice: well",
    "plain",
]


def shown(viewer: Viewer, *texts: str) -> None:
    """Wait until these are the lines that are shown."""
    expect(viewer.page.locator(f"{ROWS} > .text")).to_have_text(list(texts))


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_commands_are_shown_as_what_they_mean_and_raw_on_demand(
    browser: Browser, server: Server, name: str, size: str, axe: str
) -> None:
    allowed: Any = {"permissions": ["clipboard-read", "clipboard-write"], "reduced_motion": "reduce"}
    with (
        writing(server, name, LOG) as write,
        viewing(browser, server.get, path(name), **SIZES[size], **allowed) as viewer,
    ):
        shown(viewer, *SHOWN)
        expect(viewer.page.locator(f"{ROWS}[data-means=error] > .number")).to_have_text("3")
        expect(viewer.page.locator(f"{ROWS}:last-child > .number")).to_have_text("7")
        assert violations(viewer, axe) == []
        viewer.press("Control+a", "Control+c")
        viewer.wait_told("Copied 6 lines")
        copied: str = viewer.js("navigator.clipboard.readText()")
        assert copied.splitlines() == SHOWN
        viewer.press("Escape")
        warning = viewer.page.locator(f"{ROWS}[data-line='4']")
        warning.hover()
        warning.locator(".one").click()
        expect(warning.locator(".text")).to_have_text("##[warning]old")
        warning.locator(".one").click()
        expect(warning.locator(".text")).to_have_text("Warning: old")
        viewer.press("r")
        texts = LOG.replace(b"\x1b[33m", b"").replace(b"\x1b[0m", b"").decode().splitlines()
        shown(viewer, *texts)
        viewer.press("r")
        write(b"::endgroup::\n")
        write(b"after\n")
        shown(viewer, *SHOWN, "after")


def test_hidden_lines_are_passed_over_wherever_one_goes(browser: Browser, server: Server, name: str) -> None:
    logs.send(server, name, lines(1, 50) + b"::endgroup::\n" * 200 + lines(51, 100) + b"::endgroup::\n")
    with viewing(browser, server.get, path(name)) as viewer:
        viewer.wait_last("line 100")
        expect(viewer.page.locator(f"{ROWS} > .text", has_text="endgroup")).to_have_count(0)
        viewer.press("g")
        viewer.wait_first(1)
        viewer.js("location.hash = '#L150'")
        viewer.wait(
            "rows => [...document.querySelectorAll(rows)].map(row => row.textContent).includes('line 51')",
            f"{ROWS} > .text",
        )
        assert "endgroup" not in "".join(viewer.texts())
        while "line 100" not in viewer.texts()[-1]:
            viewer.press("j")
            viewer.wait_frame()


RECORDS = (
    b'{"level":"info","ts":"2026-11-28T02:03:04.123Z","msg":"up","port":80,"host":"a"}\n'
    b'level=error msg="it broke" user=7 host=b\n'
    b"A=1 make\n"
)


def test_structured_lines_are_folded_opened_and_rid_of_keys(
    browser: Browser, server: Server, name: str, axe: str
) -> None:
    allowed: Any = {"permissions": ["clipboard-read", "clipboard-write"], "reduced_motion": "reduce"}
    with (
        writing(server, name, RECORDS) as write,
        viewing(browser, server.get, path(name), **SIZES["phone"], **allowed) as viewer,
    ):
        info, error = "INFO  02:03:04.123 up  port=80  host=a", "ERROR it broke  user=7  host=b"
        shown(viewer, info, error, "A=1 make")
        viewer.press("g", "o")
        opened = "INFO  02:03:04.123 up\n    port: 80\n    host: a"
        shown(viewer, opened, error, "A=1 make")
        expect(viewer.page.get_by_role("button", name="Fold this line")).to_be_visible()
        viewer.page.get_by_role("button", name="Hide host in folded lines").tap()
        shown(viewer, opened, "ERROR it broke  user=7 … 1 more", "A=1 make")
        assert violations(viewer, axe) == []
        viewer.press("w")
        viewer.wait(f"""() => {{
            const [first, second, third] = [...document.querySelectorAll('{ROWS}')].map(row => row.getBoundingClientRect().top);
            return second - first === 3 * (third - second);
        }}""")
        viewer.press("Control+a", "Control+c")
        viewer.wait_told("Copied 5 lines")
        copied: str = viewer.js("navigator.clipboard.readText()")
        assert copied == f"{opened}\nERROR it broke  user=7 … 1 more\nA=1 make\n"
        only = viewer.page.get_by_role("link", name="Only records of level info and above")
        query = parse_qs(urlsplit(only.get_attribute("href") or "").query)
        assert [query["regex"], query["only"]] == [["1"], ["1"]]
        assert re.search(query["q"][0], RECORDS.decode().splitlines()[1])
        assert not re.search(query["q"][0], "A=1 make")
        viewer.press("Escape", "o")
        shown(viewer, "INFO  02:03:04.123 up  port=80 … 1 more", "ERROR it broke  user=7 … 1 more", "A=1 make")
        viewer.press("r")
        shown(viewer, *RECORDS.decode().splitlines())
        viewer.press("r")
        write(b'{"level":"warn","msg":"late"}\n')
        viewer.wait_last("WARN  late")
