"""The viewer in a browser, and logs for it to show: what a user sees and does, and producers as any log has them.

Refuses to look into the page's script, which lets nobody: what tests know of it is what is on the page.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route, expect

from tests.conformance.link import Address, Connection
from tests.harness import TOKEN, Server, chunk
from tests.integration import logs
from tests.integration.servers import wait_until

REFUSALS = ("the server responded with a status of", "net::ERR_")
"""What a browser says of answers that are errors and of connections that break. The page tells the user."""

PATIENCE = 120.0
"""Seconds that a wait for the page may last: it pauses up to 19 s itself, and searches give way to all others."""

expect.set_options(timeout=PATIENCE * 1000)

SIZES: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True},
    "desktop": {"viewport": {"width": 1440, "height": 900}},
    "large": {"viewport": {"width": 2160, "height": 3840}},
}
"""Windows that people have."""

ROWS = "#surface > .rows:first-child > .row"

HINTED = "try { localStorage['livelog hints'] ??= 'mark search paused keys' } catch {}"
"""Makes a profile that of a user who has seen all hints."""

JUMP = f"""async lines => {{
  const texts = [];
  for (const line of lines) {{
    location.hash = `#L${{line}}`;
    const row = () => document.querySelector("{ROWS}.marked:not(.loading)");
    const deadline = Date.now() + {1000 * PATIENCE};
    while (row()?.querySelector(".number").textContent !== String(line)) {{
      if (Date.now() > deadline) throw new Error(`line ${{line}} is not shown`);
      await new Promise(requestAnimationFrame);
    }}
    texts.push(row().querySelector(".text").textContent);
  }}
  return texts;
}}"""
"""Goes to each of some lines by its address, one after the other. Returns their texts."""


class Viewer:
    """A tab with the viewer. `faults`: what went wrong in it that the page's script did not expect."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.faults: list[str] = []
        self.requests: list[Request] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._note)
        page.on("request", lambda request: self.requests.append(request))  # noqa: PLW0108  # Playwright marks what it calls

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(sign in message.text for sign in REFUSALS):
            self.faults.append(message.text)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def js(self, expression: str, argument: object = None) -> Any:
        """The value of an expression, or of a function of `argument`."""
        return self.page.evaluate(expression, argument)

    def wait(self, condition: str, argument: object = None) -> None:
        """Wait until a function of `argument` is true."""
        wait_until(lambda: bool(self.js(condition, argument)), f"{condition} ({argument!r})", PATIENCE)

    def wait_last(self, text: str) -> None:
        """Wait until the last row has this text."""
        expect(self.page.locator(f"{ROWS}:last-child > .text")).to_have_text(text)

    def wait_first(self, line: int) -> None:
        """Wait until this line is at the top."""
        expect(self.page.locator(f"{ROWS}:first-child > .number")).to_have_text(str(line))

    def wait_loaded(self) -> None:
        """Wait until there are rows, and none waits for its line."""
        expect(self.page.locator(ROWS).first).to_be_visible()
        expect(self.page.locator(f"{ROWS}.loading")).to_have_count(0)

    def wait_numbered(self) -> None:
        """Wait until there are rows, and the server has counted the lines."""
        expect(self.page.locator(ROWS).first).to_be_visible()
        expect(self.page.locator(f"{ROWS} > .number", has_text="·")).to_have_count(0)

    def wait_told(self, text: str) -> None:
        """Wait for a note, which is there for three seconds only: a browser is asked more often than `expect` does."""
        self.wait("text => [...document.querySelectorAll('.chip')].some(chip => chip.textContent.includes(text))", text)

    def wait_faults(self, *signs: str) -> None:
        """Wait until the browser has told of a fault with each of these words."""
        wait_until(
            lambda: self.js("true") and all(sign in "".join(self.faults) for sign in signs), f"{signs}", PATIENCE
        )

    def retry(self) -> None:
        """Let the page hear that there is a network: if it waits to try again, it does so now."""
        self.js("dispatchEvent(new Event('online'))")

    def wait_frame(self) -> None:
        """Wait until the browser has drawn one more frame."""
        self.js("new Promise(requestAnimationFrame)")

    def wait_state(self, text: str) -> None:
        """Wait until the header says so, beside a sign."""
        expect(self.page.locator(".state", has=self.page.locator("path[d^=M]"))).to_contain_text(text)

    def texts(self) -> list[str]:
        """The texts of all rows."""
        found: list[str] = self.js(f"[...document.querySelectorAll('{ROWS} > .text')].map(text => text.textContent)")
        return found

    def numbers(self) -> list[int]:
        """The numbers of all rows, once there are some."""
        self.wait_numbered()
        rows: list[str] = self.js(f"[...document.querySelectorAll('{ROWS} > .number')].map(row => row.textContent)")
        return [int(number) for number in rows]

    def elements(self) -> int:
        """How many elements the page has."""
        count: int = self.js("document.querySelectorAll('*').length")
        return count

    def top(self) -> tuple[str, float]:
        """The first row's text, and where it is, once all rows are there."""
        self.wait_numbered()
        self.wait_loaded()
        text, place = self.js(
            f"""() => {{ const row = document.querySelector('{ROWS}');
            return [row.textContent, row.getBoundingClientRect().top]; }}"""
        )
        return text, place


def path(name: str, fragment: str = "", token: str = TOKEN) -> str:
    """Where the viewer of a log is."""
    return logs.path_of(name, token, "view") + fragment


Relay = Callable[[Route], None]
"""Passes on a request of a page, and its answer: late, changed, or not at all."""


def holding(held: list[Route]) -> Relay:
    """Keeps requests back."""
    return lambda route: held.append(route)  # noqa: PLW0108  # Playwright marks what it calls


@contextlib.contextmanager
def viewing(
    browser: Browser,
    address: Address,
    target: str,
    relays: Mapping[str, Relay] | None = None,
    *,
    hints: bool = False,
    **options: Any,
) -> Iterator[Viewer]:
    """A tab in a profile of its own on an address of the readers' port. No script in it may fail, and no dialog open.

    `relays`: for requests of which the path and the query match a regular expression. `hints`: whether the profile is a new one, which
    is shown hints.
    """
    options = {"viewport": {"width": 1000, "height": 700}, **options}
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE * 1000)
    if not hints:
        context.add_init_script(HINTED)
    for pattern, relay in (relays or {}).items():
        context.route(re.compile(pattern), relay)
    try:
        viewer = Viewer(context.new_page())
        viewer.page.goto(f"http://{address.authority}{target}")
        yield viewer
        assert viewer.faults == []
    finally:
        context.close()


@contextlib.contextmanager
def writing(server: Server, name: str, data: bytes = b"", *headers: str) -> Iterator[Callable[[bytes], None]]:
    """A producer of a live log; call it with more bytes. With no bytes it ends the log."""
    with contextlib.closing(logs.begin(server, name, *headers)) as producer:
        if data:
            send(producer, data)
        yield lambda data: send(producer, data)


def send(producer: Connection, data: bytes) -> None:
    """Send some of a log, or its end."""
    for start in range(0, max(1, len(data)), 1 << 20):
        producer.send(chunk(data[start : start + (1 << 20)]))


def lines(first: int, last: int) -> bytes:
    """Numbered lines; the last one included."""
    return b"".join(b"line %d\n" % number for number in range(first, last + 1))


def end(server: Server, name: str, write: Callable[[bytes], None]) -> None:
    """End a log, and wait until it has ended."""
    write(b"")
    wait_until(lambda: logs.status_of(server, name)["state"] == "complete", "end")


def violations(viewer: Viewer, axe: str) -> list[str]:
    """What axe finds."""
    viewer.js(axe + ";0")
    found: list[dict[str, Any]] = viewer.js("axe.run().then(result => result.violations)")
    return [
        f"{one['id']}: {[node['html'][:200] + node['failureSummary'] for node in one['nodes'][:3]]}" for one in found
    ]


def heap(page: Page, *, collect: bool = True) -> int:
    """Bytes that a page's script holds in memory, buffers included. `collect`: without garbage."""
    session = page.context.new_cdp_session(page)
    if collect:
        session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    session.detach()
    return int(usage["usedSize"]) + int(usage["backingStorageSize"])
