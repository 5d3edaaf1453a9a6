"""Measure what questions about logs cost: searches, filters, problems, the list, lines.

    python -m benchmarks.questions [--quick] [--runs N] [--size GB] [--workload NAME ...] [--out FILE.md]

Every workload starts a server fresh, with a data directory in the system's temporary folder. The baseline is measured in the same run: GNU
grep over the same file, or followers of the log alone. Answers are checked: the hits, the lines, the events; a run with a wrong one gives no
figure, its row says FAILED and why, and the exit status is 1. A missed goal is told, and is no failure. Leaves no process and no file behind.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from benchmarks.run import (
    READY_SECONDS,
    Bench,
    Row,
    RunFailed,
    Server,
    Site,
    accepts,
    build,
    busy_since,
    command_line,
    cpu_seconds,
    find_servers,
    foreign_cpu,
    generate,
    heading,
    new_site,
    number,
    process_tree,
    publish,
    resident_kb,
    running_livelog,
    say,
    wait_until,
)

MARK = "Xylophone 4711 was found by nobody"
"""What is once in the large log, in its middle."""

WORDS = (
    "connection established to server retrying request handler timeout build step compile src/main.c object file linking Downloaded package "
    "version from cache Running test passed in seconds [worker-3] GET /api/v1/items HTTP/1.1 200 user=alice id=83724 latency_ms=12"
)
"""What the other lines have."""

BLOCK = 8_000_000
"""Bytes of which the large log repeats; each line of it is like one of a service."""

IDLE = 16.0
"""Seconds after which no process is kept for the next question."""


@dataclass(frozen=True)
class Run:
    """What one run of a workload has."""

    bench: Bench
    site: Site
    pid: int
    size: int
    log: Path | None
    """The file of the large log."""

    def connect(self) -> socket.socket:
        """A connection to the readers' port."""
        return socket.create_connection(("127.0.0.1", self.site.get_port), 120)

    def ask(self, resource_: str, query: str = "", name: str = "large") -> tuple[float, float, bytes]:
        """Seconds until the first hit, and until the end; the last bytes of the answer, or all if it is small."""
        with self.connect() as sock:
            began, first = time.perf_counter(), None
            path = f"/{resource_}/{self.site.token}/{name}?{query}"
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            kept = b""
            while data := sock.recv(1 << 20):
                kept += data
                if first is None and (b'"offset"' in kept or b'"done"' in kept):
                    first = time.perf_counter() - began
                kept = kept if len(kept) < 1 << 16 else kept[-4096:]
            return first or 0.0, time.perf_counter() - began, kept

    def cpu(self) -> float:
        """Seconds of the processor that the server and its processes have had, ended ones too."""
        ticks = 0
        for pid in process_tree(self.pid):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15] if pid == self.pid else fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Workload:
    """Some rows. `figures`: what each is called, its unit, and its goal, which is a text. `needs_log`: the large one."""

    name: str
    title: str
    figures: dict[str, tuple[str, str]]
    measure: Callable[[Run], dict[str, float]]
    needs_log: bool = True


# ---- the large log ----


def blocks(size: int) -> Iterator[bytes]:
    """The large log, a block at a time."""
    chance, words, lines, length = random.Random(1), WORDS.split(), list[str](), 0  # noqa: S311
    while length < BLOCK:
        time_ = f"2026-11-28T05:{chance.randrange(60):02}:{chance.randrange(60):02}.{chance.randrange(1000):03}Z"
        lines.append(f"{time_} {chance.choice(['INFO', 'DEBUG', 'WARN'])} {' '.join(chance.choices(words, k=10))}\n")
        length += len(lines[-1])
    block, count = "".join(lines).encode(), max(2, size // BLOCK)
    for part in range(count):
        if part == count // 2:
            yield f"{MARK}\n".encode()
        yield block


def send(site: Site, name: str, body: Iterator[bytes]) -> None:
    """Send a log. Raises: RunFailed."""
    connection = http.client.HTTPConnection("127.0.0.1", site.put_port, timeout=600)
    connection.request("PUT", f"/log/{name}", body=body, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    with connection.getresponse() as answer:
        if answer.status != 201:
            raise RunFailed(f"a log was answered {answer.status}")
    connection.close()


# ---- workloads ----


def searching(
    text: str, *, case: bool = False, regex: bool = False, hits: int = 1
) -> Callable[[Run], dict[str, float]]:
    """Search the large log, and let grep do so."""

    def measure(run: Run) -> dict[str, float]:
        query = f"q={quote(text)}&case={case:d}&regex={regex:d}&numbers=0&limit=10000"
        before = run.cpu()
        _, seconds, answer = run.ask("search", query)
        cpu = run.cpu() - before
        if b'"done": true, "hits": %d,' % hits not in answer:
            raise RunFailed(f"the search ended with {answer[-100:]!r}")
        options = ["-c", *(["-E"] if regex else ["-F"]), *([] if case else ["-i"])]
        began = time.perf_counter()
        assert run.log is not None
        grep = subprocess.run(["grep", *options, "--", text, str(run.log)], capture_output=True, check=False)
        grepped = time.perf_counter() - began
        if int(grep.stdout) != hits:
            raise RunFailed(f"grep counted {grep.stdout!r}")
        size = run.log.stat().st_size / 1e9
        return {"rate": size / seconds, "cpu": cpu / size, "grep": size / grepped}

    return measure


def first_hits(run: Run) -> dict[str, float]:
    """The first hit from the end, of a text that is in each line and of one that is rare, with a process that must be started first."""
    _, counting, _ = run.ask("search", "q=user&limit=1")  # lines are counted for its numbers
    if not run.bench.quick:
        time.sleep(IDLE)
    found = {"first": run.ask("search", "q=user&limit=10")[0]}
    found["plain"] = statistics.median(run.ask("search", "q=user&limit=10&numbers=0")[0] for _ in range(5))
    found["regex"] = run.ask("search", "q=id%3D%5Cd%2B&regex=1&limit=10&numbers=0")[0]
    return {name: 1000 * seconds for name, seconds in found.items()} | {"counting": counting}


def beside(run: Run) -> dict[str, float]:
    """The latency of readers of another log: by themselves, and beside a search and an index of the large log."""
    options = (
        "--readers 10 --rate 100 --seconds 0.5" if run.bench.quick else "--readers 100 --rate 1000 --seconds 5"
    ).split()
    options += ["--line", "100"]
    alone = generate(run.bench, run.site, run.pid, "fanout", options, tls=False)
    with run.connect() as search, run.connect() as index, ExitStack() as drains:
        for sock, query in (
            (search, "search/{}/large?q=nowhere+to+be+found&case=1&numbers=0"),
            (index, "search/{}/large?q=user+nowhere"),
        ):
            sock.sendall(f"GET /{query.format(run.site.token)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            drain = threading.Thread(target=_drain, args=(sock,))
            drain.start()
            drains.callback(drain.join)
            drains.callback(sock.shutdown, socket.SHUT_RDWR)
        both = generate(run.bench, run.site, run.pid, "fanout", options, tls=False)
    return {"alone": alone["p99_ms"], "beside": both["p99_ms"], "times": both["p99_ms"] / alone["p99_ms"]}


def _drain(sock: socket.socket) -> None:
    try:
        while sock.recv(1 << 20):
            pass
    except OSError:
        pass


def following(path: str, needed: bytes) -> Callable[[Run], dict[str, float]]:
    """What it costs the server that some follow a log through a question, beside as many who follow the log alone."""

    def measure(run: Run) -> dict[str, float]:
        count, seconds = (2, 1.0) if run.bench.quick else (20, 10.0)
        costs = [_followed(run, f"{name}{number_}", path_, count, seconds, end)
                 for number_, (name, path_, end) in enumerate((("plain", "/log/{}/{}", b"the last line"), ("asked", path, needed)))]  # fmt: skip
        return {
            "raw": 1000 * costs[0] / count / seconds,
            "asked": 1000 * costs[1] / count / seconds,
            "times": costs[1] / costs[0],
        }

    return measure


def _followed(run: Run, name: str, path: str, count: int, seconds: float, needed: bytes) -> float:
    """CPU seconds of the server while a log of 1000 lines a second has so many followers, less what a log without them costs."""
    costs = []
    for followers in (0, count):
        before = run.cpu()
        with ExitStack() as stack:
            ends, drains = list[bytes](), []
            log = f"{name}-{followers}"
            started = threading.Event()

            def body(started: threading.Event = started) -> Iterator[bytes]:
                started.set()
                began = time.monotonic()
                for tick in range(int(100 * seconds)):
                    yield b"".join(
                        b"2026-11-28T05:00:00.%03dZ INFO a line of a log that is followed, with some words more, and more\n"
                        % n
                        for n in range(10)
                    )
                    if tick % 50 == 0:
                        yield b"src/main.c:12:5: error: something is wrong\n"
                    time.sleep(max(0.0, began + 0.01 * (tick + 1) - time.monotonic()))
                yield b"the last line\n"

            sender = threading.Thread(target=send, args=(run.site, log, body()))
            sender.start()
            started.wait(READY_SECONDS)
            for _ in range(followers):
                sock = stack.enter_context(run.connect())
                address = path.format(run.site.token, log)
                wait = "&wait=10" if "?" in address else "?wait=10"
                sock.sendall(f"GET {address}{wait} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                drains.append(threading.Thread(target=_last, args=(sock, ends)))
                drains[-1].start()
            sender.join()
            for drain in drains:
                drain.join()
            if followers and not all(needed in end for end in ends):
                raise RunFailed(f"a follower got {min(ends, key=lambda end: needed in end)[-100:]!r} at the end")
        costs.append(run.cpu() - before)
    return max(1e-3, costs[1] - costs[0])


def _last(sock: socket.socket, ends: list[bytes]) -> None:
    kept = b""
    while data := sock.recv(1 << 16):
        kept = (kept + data)[-4096:]
    ends.append(kept)


def listing(run: Run) -> dict[str, float]:
    """Many logs, and some who watch the list: memory for each of them, and what a log that begins and ends costs for each."""
    logs, watchers, changes = (50, 5, 10) if run.bench.quick else (10_000, 100, 200)
    connection = http.client.HTTPConnection("127.0.0.1", run.site.put_port, timeout=READY_SECONDS)

    def put(name: str) -> None:
        connection.request("PUT", f"/log/{name}", body=b"hello\n")
        with connection.getresponse() as answer:
            answer.read()

    for one in range(logs):
        put(f"builds/project-{one % 50}/{one}")
    time.sleep(1.0)  # what is done about the last of them is no part of what follows
    before = cpu_seconds(run.pid)
    for one in range(changes):
        put(f"alone/{one}")
    time.sleep(1.0)
    alone, memory = cpu_seconds(run.pid) - before, resident_kb(run.pid)
    with ExitStack() as stack:
        drains, ends = [], list[bytes]()
        for _ in range(watchers):
            sock = stack.enter_context(run.connect())
            sock.sendall(f"GET /logs/{run.site.token}?as=events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            while b"event: listed" not in (received := sock.recv(1 << 20)):
                if not received:
                    raise RunFailed("a watcher was left alone")
            seen = threading.Event()
            last = f'"name": "watched/{changes - 1}"'.encode()
            drains.append(threading.Thread(target=_watch, args=(sock, last, ends, seen)))
            drains[-1].start()
        kept = resident_kb(run.pid) - memory
        before = cpu_seconds(run.pid)
        for one in range(changes):
            put(f"watched/{one}")
        for drain in drains:
            drain.join(60)
        time.sleep(0.5)
        watched = cpu_seconds(run.pid) - before
        if len(ends) != watchers:
            raise RunFailed(f"{watchers - len(ends)} of {watchers} watchers did not hear of the last log")
    connection.close()
    return {"memory": kept / watchers, "change": max(0.0, 1e6 * (watched - alone) / changes / watchers)}


def _watch(sock: socket.socket, last: bytes, ends: list[bytes], seen: threading.Event) -> None:
    kept = b""
    while not seen.is_set() and (data := sock.recv(1 << 16)):
        kept = (kept + data)[-8192:]
        if last in kept:
            seen.set()
            ends.append(kept)


def lines(form: str) -> Callable[[Run], dict[str, float]]:
    """All lines of the first part of the large log."""

    def measure(run: Run) -> dict[str, float]:
        size = min(run.size, 200_000_000)
        query = f"until=byte:{size}&as={form}"
        run.ask("search", "q=user&limit=1")  # lines are counted
        before = run.cpu()
        _, seconds, answer = run.ask("lines", f"from=byte:0&{query}")
        if not answer.endswith(b"0\r\n\r\n"):
            raise RunFailed(f"the lines ended with {answer[-100:]!r}")
        return {"rate": size / 1e9 / seconds, "cpu": (run.cpu() - before) / size * 1e9}

    return measure


SEARCHED = {"rate": ("GB/s", ""), "cpu": ("CPU-s/GB", ""), "grep": ("GB/s by grep", "")}
GOAL = SEARCHED | {"rate": ("GB/s", "≥ 1 GB/s")}
FOLLOWED = {
    "raw": ("CPU-ms/s each, the log alone", ""),
    "asked": ("CPU-ms/s each", ""),
    "times": ("× the log alone", ""),
}

WORKLOADS = [
    Workload("search", "search for a text, small and capital letters alike", GOAL, searching(MARK.lower())),
    Workload("search-case", "search for a text, `case=1`", GOAL, searching(MARK, case=True)),
    Workload("search-letters", "search for a word of frequent letters only", SEARCHED, searching("needless", hits=0)),
    Workload("search-letters-case", "the same, `case=1`", SEARCHED, searching("needless", case=True, hits=0)),
    Workload("search-regex", "search for a pattern, `regex=1`", SEARCHED, searching("xylo[a-z]+ [0-9]+", regex=True)),
    Workload(
        "first-hit",
        "first hit from the end",
        {
            "first": ("ms, with numbers, counted before", "≤ 300 ms"), "plain": ("ms, `numbers=0`", "≤ 300 ms"), "regex": ("ms, `regex=1`", "≤ 300 ms"),
            "counting": ("s, with numbers, when none were counted", ""),
        },
        first_hits,
    ),
    Workload(
        "beside", "p99 of 100 readers of another log, 1000 × 100 B lines/s, beside a search and an index",
        {"alone": ("ms without", ""), "beside": ("ms beside", ""), "times": ("×", "")}, beside,
    ),
    Workload(
        "filter-follow", "20 filters that follow, `/search?follow=1`, 1000 lines/s", FOLLOWED,
        following("/search/{}/{}?q=error&follow=1&lines=1", b'"state": "complete"'), needs_log=False,
    ),
    Workload(
        "problems-follow", "20 who follow `/problems`, 1000 lines/s", FOLLOWED,
        following("/problems/{}/{}?follow=1&as=ndjson", b'"more": false'), needs_log=False,
    ),
    Workload(
        "list", "10,000 logs, the list watched by 100", {"memory": ("KB/watcher", ""), "change": ("CPU-µs per watcher for a log that begins and ends", "")},
        listing, needs_log=False,
    ),
    Workload("lines-ndjson", "`/lines?as=ndjson`, 200 MB", {"rate": ("GB/s", ""), "cpu": ("CPU-s/GB", "")}, lines("ndjson")),
    Workload("lines-text", "`/lines?as=text`, 200 MB", {"rate": ("GB/s", ""), "cpu": ("CPU-s/GB", "")}, lines("text")),
]  # fmt: skip


# ---- all runs, and the table ----


@contextmanager
def started(bench: Bench, server: Server, size: int, folder: Path) -> Iterator[Run]:
    """A server with a data directory."""
    with new_site(bench) as site, running_livelog(server, site, folder) as process:
        wait_until(lambda: accepts(site.put_port) and accepts(site.get_port), "a port is closed", process, site.folder)
        files = sorted(folder.rglob("*"), key=lambda file: file.stat().st_size) if folder.exists() else []
        yield Run(bench, site, process.pid, size, files[-1] if files and files[-1].is_file() else None)


def table_lines(workload: Workload, row: Row) -> Iterator[str]:
    """The rows of one workload."""
    if row.failures:
        yield f"| {workload.title} | FAILED: {row.failures[0]} | – | |".replace("\n", " ")
        return
    for at, (key, (unit, goal)) in enumerate(workload.figures.items()):
        every = [run[key] for run in row.values]
        middle = row.middle(key)
        yield f"| {'' if at else workload.title} | **{number(middle)}** {unit} | {number(min(every))}–{number(max(every))} | {goal} |"


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    names = [workload.name for workload in WORKLOADS]
    parser = command_line("Measure what questions about logs cost.", names, 3)
    parser.add_argument("--size", type=float, default=10.0, metavar="GB", help="of the large log (10)")
    return parser.parse_args()


def main() -> int:
    """Measure and print the table. Returns the exit status."""
    arguments = parse_arguments()
    runs: int = arguments.runs or (1 if arguments.quick else 3)
    size = 16_000_000 if arguments.quick else int(arguments.size * 1e9)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every `finally` runs
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    workloads = [workload for workload in WORKLOADS if not arguments.workload or workload.name in arguments.workload]
    rows = {workload.name: Row() for workload in workloads}
    yardstick, loadgen, _ = build()
    with tempfile.TemporaryDirectory(prefix="livelog-bench-") as folder_:
        folder = Path(folder_)
        if shutil.disk_usage(folder).free < 1.2 * size:
            raise SystemExit(f"{folder} has no room for {size / 1e9:.1f} GB: say --size, or another TMPDIR")
        bench = Bench(loadgen=loadgen, log_folder=folder, quick=arguments.quick, data_folder=folder)
        server = next(server for server in find_servers([], yardstick) if server.name == "livelog")
        if any(workload.needs_log for workload in workloads):
            say(f"sending {size / 1e9:.1f} GB ...")
            with started(bench, server, size, folder / "large") as run:
                send(run.site, "large", blocks(size))
        began, foreign = time.monotonic(), foreign_cpu()
        for turn in range(1, runs + 1):
            for workload in workloads:
                row = rows[workload.name]
                data = folder / ("large" if workload.needs_log else f"{workload.name}-{turn}")
                try:
                    if workload.name == "first-hit":  # of a log whose lines nobody has counted
                        for index in data.rglob("*.index"):
                            index.unlink()
                    with started(bench, server, size, data) as run:
                        row.values.append(workload.measure(run))
                    outcome = ", ".join(f"{key} {number(value)}" for key, value in row.values[-1].items())
                except (RunFailed, OSError, http.client.HTTPException) as failure:
                    row.failures.append(str(failure))
                    outcome = f"FAILED: {failure}"
                say(f"{workload.name} {turn}/{runs}: {outcome}")
                if not workload.needs_log:
                    shutil.rmtree(data, ignore_errors=True)
        first, second = heading(bench, runs)
        table = [
            first,
            f"{second} Large log: {size / 1e9:.1f} GB.",
            "",
            "| workload | median | min–max | goal |",
            "|---|---|---|---|",
        ]
        table += [line for workload in workloads for line in table_lines(workload, rows[workload.name])]
        table += ["", f"Other work took {busy_since(began, foreign):.0%} of this machine's CPU meanwhile."]
    publish(table, arguments.out)
    return int(any(row.failures for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
