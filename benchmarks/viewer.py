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
import http.client
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from playwright.sync_api import Error

from benchmarks.preparation import Bench, say
from benchmarks.report import Row, busy_since, command_line, foreign_cpu, heading, number, publish
from benchmarks.servers import RunFailed, Server, find_servers
from benchmarks.viewer_workloads import follow, many, memory, tail


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
