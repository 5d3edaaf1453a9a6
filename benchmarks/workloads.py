"""The workloads of `benchmarks.run`: each is one row of its table, with its sizes, in full and quick, and livelog's goal.

They are data. How each mode is measured is in `benchmarks.measuring`; which server can do which is in `benchmarks.servers`.
"""

from __future__ import annotations

from dataclasses import dataclass

CPU, MEMORY, STARTUP, KEPT = "cpu_s_per_gb", "kb_per_reader", "startup_ms", "kb_per_log"
REQUEST, CONNECTION, START_MEMORY = "cpu_us_per_request", "kb_per_connection", "start_mb"
TIMES_RAW = "times_raw"
"""Figures of a run, by their keys: loadgen.c's, and those that are measured without it."""

UNITS = {
    CPU: "CPU-s/GB",
    MEMORY: "KB/reader",
    STARTUP: "ms",
    KEPT: "KB/log",
    REQUEST: "CPU-µs/request",
    CONNECTION: "KB/connection",
    START_MEMORY: "MB",
    TIMES_RAW: "× raw",
}
"""The unit of each of these figures."""

SMALL = ("requests", "visits", "connections")
"""Modes that send small requests: over connections that are kept, over one each, over one each that stays open."""


@dataclass(frozen=True)
class Workload:
    """One row of the table. `figure`: which one is in its first column. `goal`: what it should be, as a text.

    `mode` is loadgen's, or `events` (its `fanout`, once with readers of the bytes and once with event streams, one after the other), or
    one of `startup`, `restart`, `command`, `requests`, `visits` and `connections`, which need none. `full` and
    `quick` are loadgen's options, the command's words, or a count, a port (`put` or `get`) and the path that is asked for.
    """

    name: str
    title: str
    mode: str
    figure: str
    full: str = ""
    quick: str = ""
    tls: bool = False
    goal: str = ""


WORKLOADS = [
    Workload(
        "ingest",
        "ingest, 32 KiB chunks",
        "ingest",
        CPU,
        "--bytes 1000000000",
        "--bytes 5000001",
        goal="≤ 1.25 × yardstick",
    ),
    Workload(
        "catchup-1",
        "catch-up, 1 reader",
        "catchup",
        CPU,
        "--bytes 500000000 --readers 1",
        "--bytes 5000001 --readers 1",
        goal="≤ 1.0 × nginx, ≤ 1.1 × yardstick",
    ),
    Workload(
        "catchup-8",
        "catch-up, 8 readers",
        "catchup",
        CPU,
        "--bytes 500000000 --readers 8",
        "--bytes 5000001 --readers 8",
        goal="≤ 1.0 × nginx, ≤ 1.1 × yardstick",
    ),
    Workload(
        "catchup-tls-1",
        "catch-up over TLS, 1 reader",
        "catchup",
        CPU,
        "--bytes 500000000 --readers 1",
        "--bytes 5000001 --readers 1",
        tls=True,
        goal="≤ 0.8 × nginx",
    ),
    Workload(
        "catchup-tls-8",
        "catch-up over TLS, 8 readers",
        "catchup",
        CPU,
        "--bytes 200000000 --readers 8",
        "--bytes 5000001 --readers 8",
        tls=True,
        goal="≤ 0.8 × nginx",
    ),
    Workload(
        "fanout-100",
        "100 readers, 1000 × 100 B lines/s",
        "fanout",
        CPU,
        "--readers 100 --rate 1000 --line 100 --seconds 5",
        "--readers 20 --rate 200 --line 100 --seconds 0.3",
        goal="≤ 0.6 × yardstick, p99 ≤ 15 ms",
    ),
    Workload(
        "fanout-1000",
        "1000 readers, 100 × 100 B lines/s",
        "fanout",
        CPU,
        "--readers 1000 --rate 100 --line 100 --seconds 5",
        "--readers 100 --rate 50 --line 100 --seconds 0.3",
        goal="≤ 0.7 × yardstick, p99 ≤ 60 ms",
    ),
    Workload(
        "fanout-8000",
        "8000 readers, 10 × 200 B lines/s",
        "fanout",
        CPU,
        "--readers 8000 --rate 10 --line 200 --seconds 5",
        "--readers 300 --rate 10 --line 200 --seconds 0.3",
        goal="≤ 1.0 × yardstick",
    ),
    Workload(
        "flatout-10",
        "flat-out producer, 10 readers",
        "fanout",
        CPU,
        "--readers 10 --rate 0 --bytes 500000000",
        "--readers 10 --rate 0 --bytes 5000001",
        goal="none lost, ≤ 1.3 × yardstick",
    ),
    Workload(
        "flatout-stalled",
        "flat-out producer, 5 readers + 5 stalled",
        "fanout",
        CPU,
        "--readers 5 --stalled 5 --rate 0 --bytes 500000000",
        "--readers 5 --stalled 5 --rate 0 --bytes 5000001",
        goal="none lost",
    ),
    Workload(
        "memory-tls-1000",
        "memory of 1000 TLS readers",
        "idle",
        MEMORY,
        "--readers 1000 --seconds 2",
        "--readers 50 --seconds 1",
        tls=True,
        goal="≤ 45 KB",
    ),
    Workload(
        "memory-8000",
        "memory of 8000 readers",
        "idle",
        MEMORY,
        "--readers 8000 --seconds 2",
        "--readers 300 --seconds 1",
        goal="≤ 8 KB",
    ),
    Workload(
        "many-1",
        "1000 logs, a reader each, 1 × 100 B line/s each",
        "fanout",
        CPU,
        "--logs 1000 --readers 1000 --rate 1 --line 100 --seconds 5",
        "--logs 20 --readers 20 --rate 5 --line 100 --seconds 0.4",
        goal="none lost",
    ),
    Workload(
        "many-10",
        "1000 logs, a reader each, 10 × 100 B lines/s each",
        "fanout",
        CPU,
        "--logs 1000 --readers 1000 --rate 10 --line 100 --seconds 5",
        "--logs 50 --readers 50 --rate 10 --line 100 --seconds 0.4",
        goal="none lost",
    ),
    Workload(
        "events-100",
        "an event stream beside a raw reader, each 100 times, 1000 × 100 B lines/s",
        "events",
        TIMES_RAW,
        "--readers 100 --rate 1000 --line 100 --seconds 10",
        "--readers 20 --rate 200 --line 100 --seconds 1",
        goal="≤ 1.5 × raw",
    ),
    Workload("startup", "exec to ready", "startup", STARTUP, goal="≤ 300 ms"),
    Workload("restart", "exec to ready, 10,000 logs in the data directory", "restart", STARTUP, goal="≤ 2000 ms"),
    Workload("help", "`livelog --help`", "command", STARTUP, "--help", "--help", goal="≤ 60 ms"),
    Workload(
        "run-true",
        "`livelog run -- true`, less `true`",
        "command",
        STARTUP,
        "run --quiet -- true",
        "run --quiet -- true",
        goal="≤ 150 ms",
    ),
    Workload(
        "request-status",
        "small request: `/status`, 16 connections",
        "requests",
        REQUEST,
        "16000 get /status/{token}",
        "160 get /status/{token}",
        goal="≤ 0.5 × version 0.1.0",
    ),
    Workload(
        "request-alone",
        "small request: `/status`, each over a connection of its own",
        "visits",
        REQUEST,
        "8000 get /status/{token}",
        "160 get /status/{token}",
    ),
    Workload(
        "request-health",
        "smallest request: `/healthz`, 16 connections",
        "requests",
        REQUEST,
        "16000 put /healthz",
        "160 put /healthz",
    ),
    Workload(
        "memory-connections",
        "memory of 2000 connections that have asked once",
        "connections",
        CONNECTION,
        "2000 get /status/{token}",
        "100 get /status/{token}",
        goal="≤ 2.5 KB",
    ),
    Workload("memory-start", "memory after the start", "startup", START_MEMORY, goal="≤ 28 MB"),
    Workload("memory-logs", "memory of 10,000 logs that nobody uses", "restart", KEPT, goal="≤ 2 KB"),
]
