"""The installed Chromium, with a profile that is new, as tests that need a browser start it. Nothing leaves this machine.

A page in its headless shell costs a third of what it costs in a browser that draws its own window around it. Debian has it as
a package of its own; where that is missing, the browser does.
"""

import asyncio
import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-software-rasterizer",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    # Sites of their own that are on this machine; any other name is on none.
    "--host-resolver-rules=MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that is gone afterwards."""
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    assert program is not None
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with sync_playwright() as playwright:
        asyncio.get_running_loop().set_debug(
            False
        )  # under `python -X dev`, Playwright's own tasks would cost most of the time
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=[*FLAGS, *sandbox])
        yield browser
        browser.close()
