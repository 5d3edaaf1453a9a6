"""What the three benchmarks have in common at both ends: their options, and the report: outcomes, figures as text, heading.

It refuses a median to a workload of which one run failed. How the rows of a table look is each benchmark's own.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.preparation import Bench


@dataclass
class Row:
    """The outcome of one workload with one server."""

    values: list[dict[str, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def middle(self, key: str) -> float | None:
        """The median of a figure over the runs; None if a run failed."""
        found = [run[key] for run in self.values if key in run]
        return statistics.median(found) if found and not self.failures else None


def number(value: float | None) -> str:
    """A figure with about three digits."""
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def heading(bench: Bench, runs: int) -> Iterator[str]:
    """Two lines: what was measured where."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    place = "tmpfs" if str(bench.log_folder) == "/dev/shm" else "disk"
    yield f"{'Smoke test: these figures mean nothing. ' if bench.quick else ''}{time.strftime('%Y-%m-%d')}, {model}, {os.cpu_count()} cores,"
    yield f"Linux {platform.release()}, Python {platform.python_version()}; log on {place}; medians of {runs} interleaved runs."


def foreign_cpu() -> float:
    """CPU seconds that this machine has spent, or its host has withheld, for others than us and our finished children."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    ours = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK") - sum(
        usage.ru_utime + usage.ru_stime for usage in ours
    )


def busy_since(began: float, foreign: float) -> float:
    """The part of this machine's CPU that other work took since `began`, when that was `foreign` (`foreign_cpu`)."""
    return (foreign_cpu() - foreign) / (time.monotonic() - began) / (os.cpu_count() or 1)


def publish(lines: list[str], out: Path | None) -> None:
    """Print a table, and write it to a file, if one is named."""
    text = "\n".join(lines)
    print(text)
    if out:
        out.write_text(text + "\n", encoding="utf-8")


def command_line(description: str, workloads: Iterable[str], runs: int) -> argparse.ArgumentParser:
    """The options of each benchmark. `workloads`: the names of what it can measure; `runs`: how often it does so."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="tiny sizes, one run each: every byte checked, figures meaningless",
    )
    parser.add_argument("--runs", type=int, help=f"runs of each workload ({runs}; with --quick 1)")
    parser.add_argument(
        "--workload", nargs="+", metavar="NAME", choices=list(workloads), help="only these: %(choices)s"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write the table here too")
    return parser
