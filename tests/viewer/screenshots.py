"""Makes the pictures of docs/viewer.md: the viewer in each of its states, in both themes and on a phone.

    python -m tests.viewer.screenshots

Needs Chromium, and pngquant, which makes them a third of the size. They are for people: no test compares them, since fonts differ from machine to machine.
"""

import contextlib
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect

from tests.chromium import chromium
from tests.harness import TOKEN, Server
from tests.integration import logs
from tests.integration.servers import running

from .conftest import ROOT
from .pages import ROWS, Viewer, path, viewing, writing
from .wires import Wire

FOLDER = ROOT / "docs/images"

WINDOW = {"width": 860, "height": 440}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}

TITLE = "Livelog-Title: nightly build of linux"


def build(steps: int) -> bytes:
    """A build's output: coloured, with a bar, groups, a warning now and then, an error."""
    text = [b"::group::Set up\n", b"Checking out main at 1a2b3c4\n", b"Using gcc 14.2 on 16 cores\n", b"::endgroup::\n"]
    for step in range(1, steps + 1):
        text.append(b"\x1b[2m[%3d/%d]\x1b[0m \x1b[32mCC\x1b[0m    src/module_%d.c\n" % (step, steps, step))
        if step % 7 == 0:
            text.append(
                b"src/module_%d.c:%d:9: \x1b[1;33mwarning:\x1b[0m unused variable \x1b[1m'count'\x1b[0m\n"
                % (step, 3 * step)
            )
        if step % 31 == 0:
            text.append(
                b"src/module_%d.c:%d:5: \x1b[1;31merror:\x1b[0m implicit declaration of \x1b[1m'connect'\x1b[0m\n"
                % (step, step)
            )
        if step % 11 == 0:
            text.append(b"\x1b[30;42m PASS \x1b[0m \x1b[36munit_%d\x1b[0m (%d ms)\n" % (step, 4 * step))
    return b"".join(text)


def pictures(browser: Browser, server: Server, wire: Wire) -> Iterator[tuple[str, Viewer]]:
    """Each picture's name, with a page that shows it."""
    with contextlib.ExitStack() as stack:

        def page(name: str, fragment: str = "", theme: Any = "light", *, token: bool = True, **options: Any) -> Viewer:
            return opened(path(name, fragment) if token else path(name, fragment, token=""), theme, **options)

        def opened(target: str, theme: Any = "light", **options: Any) -> Viewer:
            how: dict[str, Any] = {"viewport": WINDOW, "color_scheme": theme, "reduced_motion": "reduce", **options}
            return stack.enter_context(viewing(browser, wire.address, target, **how))

        def live(name: str) -> Callable[[bytes], None]:
            return stack.enter_context(writing(server, name, build(180), TITLE))

        write = live("linux")
        for theme in ("light", "dark"):
            viewer = page("linux", theme=theme)
            viewer.wait_state("Live")
            yield f"following-{theme}", viewer
            viewer.press(*["k"] * 30)
            write(build(40))
            viewer.wait_state("new")
            yield f"paused-{theme}", viewer
            viewer.press("/")
            viewer.page.get_by_label("Search the whole log").fill("warning")
            viewer.press("Enter")
            expect(viewer.page.locator("#search .count")).to_contain_text(" of ")
            yield f"search-{theme}", viewer
        viewer.press("Escape")
        viewer.page.get_by_label("Search the whole log").wait_for(state="hidden")
        viewer.press("p")
        expect(viewer.page.get_by_role("option").first).to_be_visible()
        yield "problems-dark", viewer
        viewer.press("Escape")
        filtered = page("linux", "?q=error:&only=1&context=1")
        expect(filtered.page.locator("#search .count")).to_have_text(re.compile(r"^\d+ lines$"))
        expect(filtered.page.locator(f"{ROWS} > .text", has_text="unit_33")).to_have_count(0)
        yield "filter-light", filtered
        viewer.page.locator("#surface").focus()
        viewer.press("?")
        expect(viewer.page.locator("#help")).to_be_visible()
        yield "help-dark", viewer
        viewer = page("linux", "#L120-L124")
        expect(viewer.page.locator(f"{ROWS}.marked").first).to_be_visible()
        yield "lines-light", viewer
        for theme in ("light", "dark"):
            viewer = page("linux", theme=theme, **PHONE)
            viewer.wait_state("Live")
            yield f"phone-{theme}", viewer
        viewer.page.get_by_role("button", name="Menu").click()
        yield "phone-menu-dark", viewer
        for theme in ("light", "dark"):
            viewer = page("not-yet", theme=theme)
            viewer.wait_state("Waiting")
            yield f"waiting-{theme}", viewer
        viewer = page("linux", token=False)
        viewer.wait_state("Token needed")
        yield "token-light", viewer
        viewer = page("no//name", theme="dark")
        viewer.wait_state("Not here")
        yield "nothing-dark", viewer
        logs.send(server, "ended", build(60), TITLE, "Livelog-Exit-Code: 0")
        viewer = page("ended")
        viewer.wait_state("Ended, exit 0")
        yield "ended-light", viewer
        viewer.press("Home")
        expect(viewer.page.locator(f"{ROWS} .fold").first).to_be_visible()
        yield "groups-light", viewer
        logs.send(server, "failed", build(62), TITLE, "Livelog-Exit-Code: 2")
        viewer = page("failed", theme="dark")
        viewer.wait_state("Ended, exit 2")
        yield "failed-dark", viewer
        with contextlib.closing(logs.begin(server, "aborted", TITLE)) as producer:
            producer.send(b"%x\r\n%b\r\n" % (len(build(60)), build(60)))
            viewer = page("aborted")
            viewer.wait_state("Live")
        viewer.wait_state("Aborted")
        yield "aborted-light", viewer
        logs.request(server.put, "PUT", "/log/interrupted", TITLE, "Upload-Complete: ?0", body=build(60))
        viewer = page("interrupted", theme="dark")
        viewer.wait_state("Writer disconnected")
        yield "interrupted-dark", viewer
        live("mac")
        viewer = opened(f"/view/{TOKEN}/", "light")
        expect(viewer.page.get_by_text("nightly build of linux").first).to_be_visible()
        yield "list-light", viewer
        viewer = opened(f"/view/{TOKEN}/?logs=linux,mac,failed&as=side", "dark")
        expect(viewer.page.locator(".pane .row")).not_to_have_count(0)
        yield "several-dark", viewer
        replaced = page("ended-soon", theme="dark")
        end = live("ended-soon")
        replaced.wait_state("Live")
        viewer = page("linux")
        viewer.wait_state("Live")
        wire.refuse()
        viewer.wait_state("Reconnecting in")
        yield "reconnecting-light", viewer
        end(b"")
        logs.request(server.get, "GET", path("ended-soon").replace("/view/", "/log/"))
        logs.send(server, "ended-soon", b"another\n")
        wire.admit()
        replaced.wait_state("Replaced")
        yield "replaced-dark", replaced


def main() -> None:
    """Make them all."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data, chromium() as browser, running({"LIVELOG_DATA_DIR": data}) as server:
        with contextlib.closing(Wire(server.get)) as wire:
            for name, viewer in pictures(browser, server, wire):
                file = Path(FOLDER, f"viewer-{name}.png")
                viewer.wait_loaded()
                viewer.page.screenshot(path=file, animations="disabled")
                subprocess.run(
                    ["pngquant", "--force", "--strip", "--speed", "1", "--output", file, "64", file], check=True
                )
                print(f"{file.stat().st_size:6} {file.name}")


if __name__ == "__main__":
    main()
