"""A server that has found two large logs in its data directory.

They are `huge`, 10 GB of which most is a hole in a file, and `many`, a hundred million empty lines.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from tests.harness import Server
from tests.integration import logs
from tests.integration.servers import running

HUGE = 10_000_000_000
MANY = 100_000_000
END = b"\n" + b"".join(b"line %d before the end\n" % number for number in range(5000, 0, -1))


@contextlib.contextmanager
def serving_huge_logs(folder: Path) -> Iterator[Server]:
    """The server, with `folder` for its data."""
    environment = {"LIVELOG_DATA_DIR": str(folder)}
    with running(environment) as server:
        for name in ("huge", "many"):
            assert logs.send(server, name, b"\n").status == 201
    with _of(folder, "huge").open("r+b") as file:
        file.truncate(HUGE - len(END))
        file.seek(HUGE - len(END))
        file.write(END)
    with _of(folder, "many").open("wb") as file:
        for _ in range(100):
            file.write(b"\n" * (MANY // 100))
    for name, size in (("huge", HUGE), ("many", MANY)):
        about = _of(folder, name).with_suffix(".json")
        about.write_text(json.dumps({**json.loads(about.read_text()), "size": size}))
    with running(environment) as server:
        yield server


def _of(folder: Path, name: str) -> Path:
    [log] = folder.glob(f"logs/{name}/*.log")
    return log
