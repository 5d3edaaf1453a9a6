"""Logs that are huge and take no room: nearly all of each is a hole in a file, put into a data directory between two servers.

Refuses to look into a server: what a data directory holds is documented.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from .logs import send
from .servers import running


def make_huge(folder: Path, name: str, size: int, content: Iterable[tuple[int, bytes]]) -> None:
    """Put a complete log of `size` bytes into a data directory: `content` at these offsets, and zeros everywhere else."""
    with running({"LIVELOG_DATA_DIR": str(folder)}) as server:
        assert send(server, name).status == 201
    [about] = [path for path in folder.glob("logs/*/*.json") if json.loads(path.read_text())["name"] == name]
    with about.with_suffix(".log").open("wb") as file:
        file.truncate(size)
        for offset, data in content:
            file.seek(offset)
            file.write(data)
    about.write_text(json.dumps({**json.loads(about.read_text()), "size": size}))
