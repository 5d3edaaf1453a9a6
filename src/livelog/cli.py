"""The command: parses its arguments, calls what they ask for, turns errors into exit codes.

Refuses to do anything itself.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from . import __version__, config
from .errors import ConfigError

DESCRIPTION = """\
Serve a log over HTTP while it is being written: one producer sends it, any number of readers follow it.

  ACCESS_TOKEN=secretpuppy livelog                             start the server
  some-long-job 2>&1 | curl -T - http://localhost:60022/log    send a log
  curl http://localhost:60023/log/secretpuppy                  follow it
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default the process's own. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="livelog",
        description=DESCRIPTION,
        epilog="A flag wins over its variable. Exit codes: 0 stopped, 2 usage, 64-67 a wrong port, 69 a port in use, "
        "78 any other wrong setting.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("command", nargs="?", choices=["serve"], default="serve", help="serve: the default")
    parser.add_argument("--version", action="version", version=f"livelog {__version__}")
    parser.add_argument("--short-version", action="version", version=__version__, help="the version, without the name")
    config.add_flags(parser)
    flags = vars(parser.parse_args(arguments))
    from . import service  # noqa: PLC0415  # slow to load: only where it is needed

    try:
        return service.run(config.load(os.environ, flags))
    except ConfigError as error:
        print(f"livelog: {error}", file=sys.stderr)  # noqa: T201  # what the command says to its user
        return error.exit_code
