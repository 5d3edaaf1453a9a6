"""Measure livelog beside the cost floor (yardstick.c), nginx, and any other livelog-compatible server.

    python benchmarks/run.py [--quick] [--runs N] [--workload NAME ...] [--server NAME=COMMAND ...] [--out FILE.md]

Every run starts its server fresh on free loopback ports, with its log on tmpfs, lets loadgen.c drive it and check every
byte, and stops it. Servers take turns within each workload (A B A B ...). The result is one table of medians.

A run with a lost byte, a dropped reader or a failed request gives no figure: its row says FAILED and why, and the exit
status is 1. What a server cannot do (the yardstick: TLS) or this machine lacks (nginx, OpenSSL) is left out, and said.
It refuses to use any network but loopback, leaves no process and no file behind, and installs nothing.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a script's path has its own folder, not the one above

from benchmarks.measuring import measure
from benchmarks.preparation import Bench, build, choose_log_folder, make_certificate, say, warm_memory
from benchmarks.report import Row, busy_since, command_line, foreign_cpu, heading, number, publish
from benchmarks.servers import find_servers
from benchmarks.workloads import CPU, UNITS, WORKLOADS, Workload


def table_lines(workload: Workload, rows: dict[str, Row], runs: int) -> Iterator[str]:
    """The rows of one workload, one for each server that can do it."""
    for name, row in rows.items():
        cells = [workload.title, name]
        figure = row.middle(workload.figure)
        if figure is None:
            cells += [f"FAILED {len(row.failures)} of {runs}: {row.failures[0]}".replace("|", "/"), *["–"] * 6]
        else:
            every = [run[workload.figure] for run in row.values]
            cells += [f"**{number(figure)}** {UNITS[workload.figure]}", f"{number(min(every))}–{number(max(every))}"]
            for baseline in ("yardstick", "nginx"):
                floor = rows[baseline].middle(workload.figure) if baseline in rows and workload.figure == CPU else None
                cells.append(number(figure / floor) if floor else "–")
            latency = [row.middle("p50_ms"), row.middle("p99_ms"), max(run.get("max_ms", 0) for run in row.values)]
            cells.append(" / ".join(map(number, latency)) if workload.mode in ("fanout", "events") else "–")
            peak, generator = row.middle("peak_kb"), row.middle("generator_cpu_s")
            cells.append(number(peak / 1024 if peak else None))
            cells.append(number(generator / row.values[0]["gb"] if generator and workload.figure == CPU else None))
        cells.append(workload.goal if name == "livelog" else "")
        yield "| " + " | ".join(cells) + " |"


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    names = [workload.name for workload in WORKLOADS]
    parser = command_line("Measure livelog beside a cost floor, nginx, and other livelog-compatible servers.", names, 5)
    parser.add_argument(
        "--server",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="one more server, configured by livelog's environment",
    )
    return parser.parse_args()


def main() -> int:
    """Measure and print the table. Returns the exit status."""
    arguments = parse_arguments()
    runs: int = arguments.runs or (1 if arguments.quick else 5)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that every `finally` runs
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # the servers inherit it
    yardstick, loadgen, has_tls = build()
    servers = find_servers(arguments.server, yardstick)
    failed = False
    log_folder = choose_log_folder(arguments.quick)
    with (
        tempfile.TemporaryDirectory(prefix="livelog-bench-") as folder,
        tempfile.TemporaryDirectory(prefix="livelog-bench-", dir=log_folder) as data_folder,
    ):
        certificate, key = (has_tls and make_certificate(Path(folder))) or (None, None)
        bench = Bench(loadgen, log_folder, arguments.quick, Path(data_folder), certificate, key)
        if not arguments.quick and str(bench.log_folder) == "/dev/shm":
            warm_memory(bench.log_folder)
        columns = "median | min–max | × yardstick | × nginx | latency p50 / p99 / max, ms | peak MB | generator CPU-s/GB | goal"
        lines = [*heading(bench, runs), "", f"| workload | server | {columns} |", "|---" * 10 + "|"]
        began, foreign = time.monotonic(), foreign_cpu()
        for workload in WORKLOADS:
            if arguments.workload and workload.name not in arguments.workload:
                continue
            if workload.tls and not certificate:
                missing = "the openssl command" if has_tls else "OpenSSL's headers to compile loadgen.c with"
                say(f"WARNING: {workload.name} SKIPPED: this machine lacks {missing}")
                lines.append(f"| {workload.title} | – | SKIPPED: this machine lacks {missing} |" + " – |" * 6 + " |")
                continue
            rows = measure(bench, servers, workload, runs)
            failed |= any(row.failures for row in rows.values())
            lines += table_lines(workload, rows, runs)
        busy = busy_since(began, foreign)
        lines += [
            "",
            f"Other work took {busy:.0%} of this machine's CPU meanwhile{': too much to trust these figures.' if busy > 0.1 else '.'}",
        ]
    publish(lines, arguments.out)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
