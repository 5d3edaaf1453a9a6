"""Measure what questions about logs cost: searches, filters, problems, the list, lines.

    python -m benchmarks.questions [--quick] [--runs N] [--size GB] [--workload NAME ...] [--out FILE.md]

Every workload starts a server fresh, with a data directory in the system's temporary folder. The baseline is measured in the same run: GNU
grep over the same file, or followers of the log alone. Answers are checked: the hits, the lines, the events; a run with a wrong one gives no
figure, its row says FAILED and why, and the exit status is 1. A missed goal is told, and is no failure. It refuses to begin without room for
the large log, and leaves no process and no file behind.
"""

from __future__ import annotations

import argparse
import http.client
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.preparation import Bench, build, say
from benchmarks.questions_workloads import (
    MARK,
    Run,
    beside,
    blocks,
    compare,
    first_hits,
    following,
    lines,
    listing,
    searching,
    send,
)
from benchmarks.report import Row, busy_since, command_line, foreign_cpu, heading, number, publish
from benchmarks.servers import RunFailed, Server, accepts, find_servers, new_site, running_livelog, wait_until


@dataclass(frozen=True)
class Workload:
    """Some rows. `figures`: what each is called, its unit, and its goal, which is a text. `needs_log`: the large one."""

    name: str
    title: str
    figures: dict[str, tuple[str, str]]
    measure: Callable[[Run], dict[str, float]]
    needs_log: bool = True


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
    Workload(
        "compare", "`/compare`, 100,000 lines of 155 bytes each", {"seconds": ("s", "≤ 2 s"), "cpu": ("CPU-s", "")}, compare, needs_log=False
    ),
    Workload("lines-ndjson", "`/lines?as=ndjson`, 200 MB", {"rate": ("GB/s", ""), "cpu": ("CPU-s/GB", "")}, lines("ndjson")),
    Workload("lines-text", "`/lines?as=text`, 200 MB", {"rate": ("GB/s", ""), "cpu": ("CPU-s/GB", "")}, lines("text")),
]  # fmt: skip


@contextmanager
def started(bench: Bench, server: Server, size: int, folder: Path) -> Iterator[Run]:
    """A server with a data directory."""
    with new_site(bench) as site, running_livelog(server, site, folder, attempts=2) as process:
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
