"""Measure the viewer in Chromium: how soon it shows lines, what it holds in memory, and what its readers cost the server.

    python -m benchmarks.viewer [--quick] [--runs N] [--workload NAME ...] [--out FILE.md]

Every run starts a server and a browser fresh. Workloads take turns. Times are taken in the page, behind the paint of the
frame that shows a line; lines carry the time at which they were sent, by the clock that the page has, too.

A run in which a line does not come, or in which the stand-in for two hundred pages asks other things than a page does,
gives no figure: its row says FAILED and why, and the exit status is 1. A missed goal is told, and is no failure.
It leaves no process and no file behind. The logs lie in the system's temporary folder: 10 GB at most.
"""

from __future__ import annotations

import argparse
import asyncio
import bisect
import http.client
import itertools
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Error, Page

from benchmarks.run import (
    READY_SECONDS,
    Bench,
    Row,
    RunFailed,
    Server,
    Site,
    accepts,
    busy_since,
    command_line,
    find_servers,
    foreign_cpu,
    has_ready_line,
    heading,
    new_site,
    number,
    publish,
    running_livelog,
    say,
    wait_until,
)
from tests.chromium import chromium
from tests.viewer.huge import make_huge
from tests.viewer.pages import JUMP, heap

LINE = 100
"""Bytes of a line that is sent: the milliseconds since the epoch, and words."""

WORDS = b" some words of a log" * 5

ENDLESS = "9007199254740991"
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


@dataclass(frozen=True)
class Figure:
    """One figure of a workload; `goal`: what it should be at most."""

    key: str
    unit: str
    goal: float | None = None


@dataclass(frozen=True)
class Workload:
    """Some figures that are measured together."""

    name: str
    title: str
    figures: Sequence[Figure]
    measure: Callable[[Bench, Server], dict[str, float]]


# ---- logs, and pages that show them ----


def produce(port: int, path: str, rate: int, seconds: float, size: int = 0) -> list[float]:
    """Send so many lines a second, or, at rate 0, so many bytes as fast as they are taken. Returns when it sent which.

    What is sent at once carries one time, in milliseconds since the epoch; these are returned. Each is a chunk, and the
    first one fills a window.
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


# ---- the workloads ----


def tail(bench: Bench, server: Server) -> dict[str, float]:
    """Open a log of 10 GB at its end, again and again."""
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
                    requests.append(asked.total())
    return {
        "p50": percentile(times, 50),
        "p95": percentile(times, 95),
        "requests": max(requests),
        "kb": max(sizes) / 1000,
    }


def follow(rate: int, bench: Bench, server: Server) -> dict[str, float]:
    """Follow a log that grows by so many lines a second."""
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
    """Have ten gigabytes go by, then look at a thousand places of them."""
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


# ---- two hundred readers ----

HEADERS = """Host: 127.0.0.1:{port}\r
Connection: keep-alive\r
sec-ch-ua-platform: "Linux"\r
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r
sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"\r
sec-ch-ua-mobile: ?0\r
Accept: */*\r
Sec-Fetch-Site: same-origin\r
Sec-Fetch-Mode: cors\r
Sec-Fetch-Dest: empty\r
Accept-Encoding: gzip, deflate, br, zstd\r
Accept-Language: en-US,en;q=0.9\r
"""


class Follower(asyncio.Protocol):
    """Takes in the answer to one request, which does not end."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.heard = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask."""
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note when."""
        self.heard = time.monotonic()


class Reader:
    """What a reader asks of the server, by kind and when: a page of the viewer, or only the log itself."""

    def __init__(self, site: Site, name: str) -> None:
        self.asked: list[tuple[float, str]] = []
        self.follower: Follower | None = None
        self._site = site
        self._name = name
        self._began = 0.0

    def _request(self, kind: str, query: str = "", headers: str = "") -> bytes:
        self.asked.append((time.monotonic() - self._began, kind))
        path = f"/{kind}/{self._site.token}/{self._name}{query}"
        return f"GET {path} HTTP/1.1\r\n{HEADERS.format(port=self._site.get_port)}{headers}\r\n".encode()

    async def _follow(self, headers: str = "") -> None:
        follower = Follower(self._request("log", headers=headers))
        await asyncio.get_running_loop().create_connection(lambda: follower, "127.0.0.1", self._site.get_port)
        self.follower = follower

    async def read(self, delay: float, *, is_page: bool) -> None:
        """Come after a while, open the log and follow it, until cancelled."""
        await asyncio.sleep(delay)
        self._began = time.monotonic()
        if not is_page:
            await self._follow()
            return
        reader, writer = await asyncio.open_connection("127.0.0.1", self._site.get_port)

        async def ask(kind: str, query: str = "") -> dict[str, str]:
            writer.write(self._request(kind, query))
            status, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
            if " 200 " not in status:
                raise RunFailed(f"{kind} was answered {status}")
            answer = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
            await reader.readexactly(int(answer["content-length"]))
            return answer

        await ask("view")
        await ask("status")
        lines = await ask("lines", "?tail=200")
        await self._follow(f"Range: bytes={lines['livelog-size']}-{ENDLESS}\r\nIf-Range: {lines['etag']}\r\n")
        await ask("groups", "?from=1")
        for turn in itertools.count(1):
            await asyncio.sleep(self._began + 5 * turn - time.monotonic())
            await ask("status")
            if turn % 2 == 0:
                await ask("groups", "?from=1")


def cpu_seconds(pid: int) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_all(
    site: Site, name: str, pid: int, count: int, spread: float, seconds: float, is_page: bool
) -> tuple[float, dict[str, float]]:
    """So many readers, who come within `spread` seconds, and read for `seconds`.

    Returns the server's CPU seconds in that time, and what a reader asks in its first such time. Raises: RunFailed.
    """

    async def all_read() -> float:
        tasks = [
            asyncio.create_task(reader.read(spread * at / count, is_page=is_page)) for at, reader in enumerate(readers)
        ]
        await asyncio.sleep(spread + 0.5)
        before = cpu_seconds(pid)
        await asyncio.sleep(seconds)
        used = cpu_seconds(pid) - before
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        return used

    readers = [Reader(site, name) for _ in range(count)]
    used = asyncio.run(all_read())
    now = time.monotonic()
    left = sum(reader.follower is None or now - reader.follower.heard > 5 for reader in readers)
    if left:
        raise RunFailed(f"{left} of {count} readers heard nothing at the end")
    asked = Counter(kind for reader in readers for age, kind in reader.asked if age < seconds)
    return used, {kind: number / count for kind, number in asked.items()}


def many(rate: int, bench: Bench, server: Server) -> dict[str, float]:
    """Two hundred readers of one live log: the log alone, then as pages read it, which one page confirms."""
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


# ---- all runs, and the table ----

FOLLOWED = (
    Figure("max", "ms"),
    Figure("task", "ms", 200),
    Figure("gap", "px", 19),
    Figure("peak", "MB", 80),
    Figure("sent", "lines/s"),
)
COST = (Figure("raw", "CPU-s/min"), Figure("pages", "CPU-s/min"), Figure("each", "CPU-ms/min"))
WORKLOADS = [
    Workload(
        "view-tail",
        "open a log of 10 GB at its end",
        (Figure("p50", "ms"), Figure("p95", "ms", 500), Figure("requests", "", 4), Figure("kb", "KB", 1000)),
        tail,
    ),
    *(
        Workload(
            f"view-follow-{rate}",
            f"follow {rate:,} × 100 B lines/s",
            (Figure("p50", "ms"), Figure("p95", "ms", 250 if rate == 1000 else None), *FOLLOWED),
            partial(follow, rate),
        )
        for rate in (1000, 50_000, 1_000_000)
    ),
    Workload(
        "view-memory",
        "10 GB go by, then 1000 jumps",
        (Figure("heap", "MB", 30), Figure("peak", "MB", 80), Figure("elements", "", 800), Figure("rate", "MB/s")),
        memory,
    ),
    *(
        Workload(f"view-200-{rate}", f"200 readers, {rate} × 100 B lines/s", COST, partial(many, rate))
        for rate in (10, 1000)
    ),
]
MEANINGS = {
    "p50": "shown after, p50",
    "p95": "shown after, p95",
    "max": "shown after, at most",
    "requests": "requests",
    "kb": "bytes",
    "task": "longest task of the page",
    "gap": "gap below the last line, at most",
    "peak": "heap, at most",
    "heap": "heap without garbage",
    "elements": "elements, at most",
    "rate": "taken in",
    "sent": "sent",
    "raw": "the server, for followers of the log alone",
    "pages": "the server, for pages",
    "each": "what each page adds",
}


def table_lines(workload: Workload, row: Row) -> Iterator[str]:
    """The rows of one workload."""
    if row.failures:
        yield f"| {workload.title} | FAILED: {row.failures[0]} | – | – | – |".replace("\n", " ")
        return
    for at, figure in enumerate(workload.figures):
        every, middle = [run[figure.key] for run in row.values], row.middle(figure.key)
        assert middle is not None
        goal = "" if figure.goal is None else f"≤ {figure.goal:g} {figure.unit}".rstrip()
        missed = figure.goal is not None and middle > figure.goal
        cells = (
            "" if at else workload.title,
            MEANINGS[figure.key],
            f"**{number(middle)}** {figure.unit}".rstrip(),
            f"{number(min(every))}–{number(max(every))}",
            f"{goal}: missed" if missed else goal,
        )
        yield f"| {' | '.join(cells)} |"


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    names = [workload.name for workload in WORKLOADS]
    return command_line("Measure livelog's viewer in Chromium.", names, 3).parse_args()


def main() -> int:
    """Measure and print the table. Returns the exit status."""
    arguments = parse_arguments()
    runs: int = arguments.runs or (1 if arguments.quick else 3)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every `finally` runs
    folder = Path(tempfile.gettempdir())
    bench = Bench(loadgen=folder, log_folder=folder, quick=arguments.quick, data_folder=folder)
    server = next(server for server in find_servers([], folder) if server.name == "livelog")
    workloads = [workload for workload in WORKLOADS if not arguments.workload or workload.name in arguments.workload]
    rows = {workload.name: Row() for workload in workloads}
    began, foreign = time.monotonic(), foreign_cpu()
    for turn in range(1, runs + 1):
        for workload in workloads:
            row = rows[workload.name]
            try:
                row.values.append(workload.measure(bench, server))
                outcome = ", ".join(f"{key} {number(value)}" for key, value in row.values[-1].items())
            except (RunFailed, Error, OSError, EOFError, http.client.HTTPException) as failure:
                row.failures.append(str(failure))
                outcome = f"FAILED: {failure}"
            say(f"{workload.name} {turn}/{runs}: {outcome}")
    lines = [
        *heading(bench, runs),
        "",
        "| workload | figure | median | min–max | goal |",
        "|---|---|---|---|---|",
        *(line for workload in workloads for line in table_lines(workload, rows[workload.name])),
        "",
        f"Other work took {busy_since(began, foreign):.0%} of this machine's CPU meanwhile.",
    ]
    publish(lines, arguments.out)
    return 1 if any(row.failures for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
