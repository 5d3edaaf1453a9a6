"""Each pure module is covered wholly, lines and branches, by its own test file alone, or by the files that `TESTED_BY` names.

Run it as `python -m tests.unit.coverage_by_module`, with names of modules to check only those. Prints what is
missing; exits with 1 if anything is.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

PURE = (
    "ansi",
    "client.api.timed",
    "client.api.watching",
    "client.commands.filtering",
    "client.commands.grepping",
    "client.commands.merging",
    "client.commands.moments",
    "client.commands.rows",
    "client.commands.terminal",
    "config",
    "errors",
    "lines.beginnings",
    "lines.collecting",
    "lines.comparing",
    "lines.encodings",
    "lines.failures",
    "lines.filtering",
    "lines.folding",
    "lines.forms",
    "lines.groups",
    "lines.hits",
    "lines.index",
    "lines.levels",
    "lines.lines",
    "lines.matching",
    "lines.objects",
    "lines.pieces",
    "lines.literals",
    "lines.prefilter",
    "lines.prefixes",
    "lines.problems",
    "lines.query",
    "lines.recognition",
    "lines.sgr",
    "lines.substrings",
    "lines.search_output",
    "lines.traces",
    "log.attempts",
    "log.attributes",
    "log.info",
    "log.retention",
    "names",
    "operate.logs",
    "operate.metrics",
    "plain",
    "produce.guard",
    "produce.problems",
    "produce.uploads",
    "read.line_places",
    "read.problems",
    "read.selection",
    "read.sse",
    "times",
    "tokens",
    "wire.fields",
    "wire.framing",
    "wire.head",
    "wire.problem",
    "wire.ranges",
    "wire.request",
    "wire.response",
    "wire.routes",
)

TESTED_BY = {
    "lines.beginnings": ("lines.problems",),
    "lines.forms": ("lines.problems",),
    "lines.hits": ("lines.filtering", "lines.matching", "lines.pieces"),
    "lines.recognition": ("lines.problems",),
    "lines.search_output": ("lines.filtering", "lines.matching"),
    "lines.traces": ("lines.problems", "lines.traces"),
}
"""Modules that are parts of one subject, and the modules in whose test files they are tested: the recognition of problems, of which every
published example is in one file; and a search, whose answer is what its tests look at."""

TESTS = Path(__file__).parent


def mirrors(module: str) -> list[Path]:
    """The files whose tests cover a module."""
    return [TESTS / f"test_{name.replace('.', '_')}.py" for name in TESTED_BY.get(module, (module,))]


def missing(module: str, folder: Path) -> str:
    """What the tests of `module` do not reach: lines and branches; empty if nothing."""
    spec = importlib.util.find_spec(f"livelog.{module}")
    if spec is None or spec.origin is None:
        return "there is no such module"
    environment = {**os.environ, "COVERAGE_FILE": str(folder / f"{module}.data")}
    coverage = [sys.executable, "-m", "coverage"]
    pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, mirrors(module))]
    tests = subprocess.run(
        [*coverage, "run", "--branch", f"--include={spec.origin}", *pytest],
        env=environment, cwd=TESTS.parent.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if tests.returncode != 0:
        return f"its tests fail:\n{tests.stdout}{tests.stderr}"
    report = folder / f"{module}.json"
    subprocess.run([*coverage, "json", "-q", "-o", str(report)], env=environment, cwd=TESTS.parent.parent, check=True)
    (seen,) = json.loads(report.read_text(encoding="utf-8"))["files"].values()
    parts = [f"line {line}" for line in seen["missing_lines"]]
    parts += [f"branch {line} to {to if to > 0 else 'the end'}" for line, to in seen["missing_branches"]]
    return ", ".join(parts)


def main() -> int:
    """Check the modules that were named, or all pure ones. Returns the exit code."""
    failed = False
    modules = sys.argv[1:] or PURE
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as threads:
        for module, gaps in zip(modules, threads.map(partial(missing, folder=Path(folder)), modules), strict=True):
            failed = failed or bool(gaps)
            print(f"livelog.{module}: {gaps or 'covered'}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
