"""Servers that have found a large log in their data directory.

It is `huge`, 10 GB of which most is a hole in a file, or `many`, a hundred million empty lines.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tests.harness import Server
from tests.integration import logs
from tests.integration.servers import running

HUGE = 10_000_000_000
MANY = 100_000_000
END = b"\n" + b"".join(b"line %d before the end\n" % number for number in range(5000, 0, -1))


@contextlib.contextmanager
def serving_huge(folder: Path) -> Iterator[Server]:
    """A server of `huge`, which has not counted its lines yet; `folder` is for its data."""
    make_huge(folder)
    with running({"LIVELOG_DATA_DIR": str(folder)}) as server:
        yield server


@contextlib.contextmanager
def serving_many(folder: Path) -> Iterator[Server]:
    """A server of `many`; `folder` is for its data."""

    def fill(file: BinaryIO) -> None:
        file.writelines(b"\n" * (MANY // 100) for _ in range(100))

    _make(folder, "many", MANY, fill)
    with running({"LIVELOG_DATA_DIR": str(folder)}) as server:
        yield server


def make_huge(folder: Path) -> None:
    """Put `huge` into a data directory, in which there is nothing yet."""

    def fill(file: BinaryIO) -> None:
        file.seek(HUGE - len(END))
        file.write(END)

    _make(folder, "huge", HUGE, fill)


def _make(folder: Path, name: str, size: int, fill: Callable[[BinaryIO], None]) -> None:
    with running({"LIVELOG_DATA_DIR": str(folder)}) as server:
        assert logs.send(server, name, b"\n").status == 201
    [log] = folder.glob(f"logs/{name}/*.log")
    with log.open("r+b") as file:
        fill(file)
        assert file.tell() == size
    about = log.with_suffix(".json")
    about.write_text(json.dumps({**json.loads(about.read_text()), "size": size}))
