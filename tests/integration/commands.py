"""The command as a person runs it: its arguments and environment, its exit code, what it prints.

Refuses to pass on any setting of the environment that the tests run in.
"""

import os
import subprocess
import sys
from collections.abc import Mapping

COMMAND = (sys.executable, "-W", "error", "-m", "livelog")  # no -X dev: its asyncio tells of slowness on stderr


def variables(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, without any setting of the server, and then `changes`."""
    ours = ("LIVELOG_", "SERVER_", "ACCESS_TOKEN", "DEBUG", "CI")  # in CI, links expire
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | dict(changes)


def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """The command, which is expected to end by itself."""
    return subprocess.run(
        (*COMMAND, *arguments), env=variables(changes), check=False, capture_output=True, text=True, timeout=30
    )
