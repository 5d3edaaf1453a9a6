"""The workloads of `benchmarks.viewer`: a server, logs that are sent, pages in Chromium that show them, and what was seen.

A log is sent by a process of its own, which never waits for the browser. Lines carry when they were sent; a page notes when
it painted the frame that shows them. It refuses to give a figure (`RunFailed`) when a log is not taken or does not begin, when
a line does not come, or when the stand-in for pages (`benchmarks.viewer_readers`) asks other things than a page does.
"""

from __future__ import annotations

import bisect
import http.client
import itertools
import json
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from benchmarks.preparation import Bench
from benchmarks.servers import (
    READY_SECONDS,
    RunFailed,
    Server,
    Site,
    accepts,
    has_ready_line,
    new_site,
    running_livelog,
    wait_until,
)
from benchmarks.viewer_readers import read_all
from tests.chromium import chromium
from tests.viewer.huge import make_huge
from tests.viewer.pages import JUMP, heap

LINE = 100
"""Bytes of a line that is sent: the milliseconds since the epoch, and words."""

WORDS = b" some words of a log" * 5

PATIENCE = 600.0
"""Seconds for which a page may be behind the end of its log."""

WATCH = """(() => {
  const seen = (window.seen = { frames: [], longest: 0, gap: 0 });
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) seen.longest = Math.max(seen.longest, duration);
  }).observe({ type: "longtask", buffered: true });
  const { port1, port2 } = new MessageChannel();
  let before = "";
  port1.onmessage = () => {
    const rows = [...document.querySelectorAll("#surface > .rows:first-child > .row:not(.loading)")].slice(-2);
    if (!rows.length) return;
    const bottom = (element) => element.getBoundingClientRect().bottom;
    seen.gap = Math.max(seen.gap, Math.abs(bottom(rows.at(-1)) - bottom(document.querySelector("#surface"))));
    const texts = rows.map((row) => row.querySelector(".text").textContent);
    if (texts.join() !== before) seen.frames.push({ sinceStart: performance.now(), time: Date.now(), texts });
    before = texts.join();
  };
  const look = () => {
    port2.postMessage(0); // handled after this frame is painted
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""
"""Notes, for each frame, when it was painted and what its last rows were; the longest task; the gap below the last row."""

FIRST = """new Promise((resolve) => {
  const look = () => (seen.frames.length ? resolve(seen.frames[0]) : requestAnimationFrame(look));
  look();
})"""
"""The first frame that shows a line."""


# ---- the workloads ----


def tail(bench: Bench, server: Server) -> dict[str, float]:
    """Open a log of 10 GB at its end, again and again. Raises: RunFailed, if a page shows another line there."""
    times, requests, sizes = [], [], []
    with tempfile.TemporaryDirectory(prefix="livelog-bench-", dir=bench.log_folder) as folder:
        make_huge(Path(folder))
        with serving(bench, server, Path(folder)) as (site, _), chromium() as browser:
            for _ in range(2 if bench.quick else 20):
                with viewing(browser, site, "huge") as (page, asked):
                    first = page.evaluate(FIRST)
                    if first["texts"][-1] != "line 1 before the end":
                        raise RunFailed(f"the page shows {first['texts'][-1]!r} at the end")
                    times.append(first["sinceStart"])
                    entries = (
                        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
                    )
                    sizes.append(page.evaluate(f"{entries}.reduce((sum, entry) => sum + entry.transferSize, 0)"))
                    requests.append(asked.total() - asked["page"])  # less what the page loads once lines are shown
    return {
        "p50": percentile(times, 50),
        "p95": percentile(times, 95),
        "requests": max(requests),
        "kb": max(sizes) / 1000,
    }


def follow(rate: int, bench: Bench, server: Server) -> dict[str, float]:
    """Follow a log that grows by so many lines a second. Raises: RunFailed, if its last line is not shown."""
    peak = 0.0
    with (
        serving(bench, server) as (site, _),
        chromium() as browser,
        elsewhere() as pool,
        viewing(browser, site, "follow") as (page, _),
    ):
        page.get_by_text("This log has not begun").wait_for()
        sent = pool.submit(produce, site.put_port, "/log/follow", rate, 1 if bench.quick else 20)
        while not sent.done():
            page.wait_for_timeout(200)
            peak = max(peak, heap(page, collect=False) / 1e6)
        stamps = sent.result()
        wait_shown(page, stamps[-1])
        seen = page.evaluate("window.seen")
    frames = seen["frames"]
    newest = list(itertools.accumulate(map(stamp_of, frames), max))
    # Whatever is sent since the first frame is painted with the first frame that has it, or something newer.
    ages = [frames[bisect.bisect_left(newest, stamp)]["time"] - stamp for stamp in stamps if stamp >= newest[0]]
    return {
        "p50": percentile(ages, 50),
        "p95": percentile(ages, 95),
        "max": max(ages),
        "task": seen["longest"],
        "gap": seen["gap"],
        "peak": peak,
        "sent": 1000 * rate * max(1 / rate, 0.001) * (len(stamps) - 1) / (stamps[-1] - stamps[0]),
    }


def memory(bench: Bench, server: Server) -> dict[str, float]:
    """Have ten gigabytes go by, then look at a thousand places of them. Raises: RunFailed, if the last line is not shown."""
    size, jumps = (20_000_000, 20) if bench.quick else (10_000_000_000, 1000)
    heaps, peaks, elements = [], [], []
    with (
        serving(bench, server) as (site, _),
        chromium() as browser,
        elsewhere() as pool,
        viewing(browser, site, "memory") as (page, _),
    ):
        page.get_by_text("This log has not begun").wait_for()  # so that all of it goes by
        sent: Future[list[float]] = pool.submit(produce, site.put_port, "/log/memory", 0, 0, size)

        def look() -> None:
            peaks.append(heap(page, collect=False) / 1e6)
            elements.append(page.evaluate("document.querySelectorAll('*').length"))

        began = time.monotonic()
        while not sent.done():
            page.wait_for_timeout(50)
            look()
        wait_shown(page, sent.result()[-1], look)
        streamed = time.monotonic() - began
        heaps.append(heap(page) / 1e6)
        places = random.Random(1)  # noqa: S311
        for _ in range(jumps // 10):
            page.evaluate(JUMP, [places.randint(1, size // LINE) for _ in range(10)])
            look()
        heaps.append(heap(page) / 1e6)
    rate = size / 1e6 / streamed
    return {"heap": max(heaps), "peak": max(peaks), "elements": max(elements), "rate": rate}


def many(rate: int, bench: Bench, server: Server) -> dict[str, float]:
    """Two hundred readers of one live log: the log alone, then as pages read it, which one page confirms. Raises: RunFailed."""
    count, spread, seconds = (10, 0.1, 1.0) if bench.quick else (200, 5.0, 30.0)
    used = {}
    for is_page in (False, True):
        with serving(bench, server) as (site, pid), elsewhere() as sender, elsewhere() as pool:
            sent = sender.submit(produce, site.put_port, "/log/many", rate, spread + seconds + 10)
            wait_begun(site, "many", sent)
            used[is_page], stand_in = pool.submit(read_all, site, "many", pid, count, spread, seconds, is_page).result()
            sent.result()
    with serving(bench, server) as (site, _), chromium() as browser, elsewhere() as sender:
        sent = sender.submit(produce, site.put_port, "/log/many", rate, seconds + 5)
        wait_begun(site, "many", sent)
        with viewing(browser, site, "many") as (page, asked):
            page.wait_for_timeout(seconds * 1000)
        sent.result()
    if any(abs(stand_in.get(kind, 0) - asked[kind]) > 1 for kind in {*stand_in, *asked}):
        raise RunFailed(f"a page asks {dict(asked)}, its stand-in {stand_in}")
    raw, pages = (60 / seconds * used[is_page] for is_page in (False, True))
    return {"raw": raw, "pages": pages, "each": 1000 * (pages - raw) / count}


# ---- logs, and pages that show them ----


def produce(port: int, path: str, rate: int, seconds: float, size: int = 0) -> list[float]:
    """Send so many lines a second, or, at rate 0, so many bytes as fast as they are taken. Returns when it sent which.

    What is sent at once carries one time, in milliseconds since the epoch; these are returned. Each is a chunk, and the
    first one fills a window. Raises: RunFailed, if the log is not taken.
    """
    step = max(1 / rate, 0.001) if rate else 0
    count = max(1, round(rate * step)) if rate else (1 << 20) // LINE
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=READY_SECONDS * 3)
    stamps: list[float] = []

    def chunks() -> Iterator[bytes]:
        began = time.monotonic()
        for turn in itertools.count():
            if (turn * step >= seconds) if rate else (turn * count * LINE >= size):
                return
            time.sleep(max(0, began + turn * step - time.monotonic()))
            stamps.append(int(time.time() * 10_000) / 10)
            yield ((b"%.1f" % stamps[-1] + WORDS)[: LINE - 1] + b"\n") * (count if turn else max(count, 100))

    connection.request("PUT", path, body=chunks(), encode_chunked=True)
    with connection.getresponse() as answer:
        if answer.status not in (200, 201):
            raise RunFailed(f"the log was answered {answer.status}")
    return stamps


@contextmanager
def serving(bench: Bench, server: Server, data_folder: Path | None = None) -> Iterator[tuple[Site, int]]:
    """A server that is ready, and its process. Without a folder of its own its logs go when it does."""
    with new_site(bench) as site, running_livelog(server, site, data_folder or site.folder / "data") as process:
        wait_until(lambda: has_ready_line(site.folder), "no line with 'ready' on stdout", process, site.folder)
        wait_until(lambda: accepts(site.get_port), "the readers' port is closed", process, site.folder)
        yield site, process.pid


@contextmanager
def elsewhere() -> Iterator[ProcessPoolExecutor]:
    """A process of its own for whoever sends or reads, so that it does not wait for us."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(int).result()  # it is up
        yield pool


@contextmanager
def viewing(browser: Browser, site: Site, name: str) -> Iterator[tuple[Page, Counter[str]]]:
    """A page that has begun to open the viewer of a log, in a profile of its own, and is watched; what it asks for, by kind."""
    asked = Counter[str]()
    context = browser.new_context(viewport={"width": 1000, "height": 700})
    try:
        page = context.new_page()
        page.add_init_script(WATCH)
        page.on("request", lambda request: asked.update([request.url.split("/")[3]]))
        page.goto(f"http://127.0.0.1:{site.get_port}/view/{site.token}/{name}", wait_until="commit")
        yield page, asked
    finally:
        context.close()


def wait_begun(site: Site, name: str, sent: Future[list[float]]) -> None:
    """Wait until a log has begun and has lines. Raises: RunFailed, and what goes wrong with sending it."""
    connection = http.client.HTTPConnection("127.0.0.1", site.get_port, timeout=READY_SECONDS)
    for _ in range(1000):
        connection.request("GET", f"/status/{site.token}/{name}?wait=5")
        with connection.getresponse() as answer:
            if answer.status == 200 and json.load(answer)["size"]:
                return connection.close()
            answer.read()
        if sent.done():
            sent.result()
        time.sleep(0.01)
    raise RunFailed("the log did not begin")


def stamp_of(frame: dict[str, Any]) -> float:
    """When the newest line that a frame shows whole was sent."""
    return max((float(text.split()[0]) for text in frame["texts"] if len(text) == LINE - 1), default=0.0)


def wait_shown(page: Page, stamp: float, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Wait until a page shows the line that was sent at that time. Raises: RunFailed."""
    deadline = time.monotonic() + PATIENCE
    while stamp_of(page.evaluate("window.seen.frames.at(-1) ?? { texts: [] }")) < stamp:
        meanwhile()
        if time.monotonic() > deadline:
            raise RunFailed(f"the page was behind the log for {PATIENCE:.0f} s")
        page.wait_for_timeout(50)


def percentile(values: Sequence[float], part: int) -> float:
    """So many percent of the values are not above it."""
    return sorted(values)[max(0, -(-len(values) * part // 100) - 1)]
