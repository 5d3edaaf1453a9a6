"""What `make dist` has built, as these tests find it in dist/. Refuses to build anything: they test what is released."""

import subprocess
from pathlib import Path

import livelog

ROOT = Path(__file__).parents[2]

VERSION = livelog.__version__

TIMEOUT = 60
"""Seconds that any program here may take."""


def built(pattern: str) -> Path:
    """The one file in dist/ with that name, in which VERSION stands for the version."""
    name = pattern.replace("VERSION", VERSION)
    found = sorted((ROOT / "dist").glob(name))
    assert len(found) == 1, f"dist/{name}: {len(found)} files; make dist builds it"
    return found[0]


def run(*words: str | Path, **options: object) -> str:
    """What a program writes to stdout; it must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{words}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return str(done.stdout)
