"""The command: parses its arguments, calls what they ask for, turns errors into exit codes.

Refuses to do anything itself.
"""

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from . import __version__, config
from .access import Access, is_name
from .errors import ConfigError

SERVE = """\
Serve logs over HTTP while they are being written: a producer sends each, any number of readers follow it.

  ACCESS_TOKEN=secretpuppy livelog                                    start the server
  some-long-job 2>&1 | curl -T - http://localhost:60022/log/nightly   send a log
  curl http://localhost:60023/log/secretpuppy/nightly                 follow it

  livelog link --help    how to make a link that opens one log only
"""

LINK = """\
Print the link that opens one log, and no other: made from ACCESS_TOKEN and the log's name, without asking a server.
The log need not have begun.

  livelog link nightly                 for as long as ACCESS_TOKEN is the same
  livelog link nightly --expires 2h    until in two hours
  livelog link                         of the log that has no name
"""

LINK_SETTINGS = ("access_token", "get_port", "get_host", "public_url", "server_crt_file", "server_key_file")
"""What a link is made of."""

EXIT_CODES = (
    "A flag wins over its variable. Exit codes: 0 stopped, 2 usage, 64-67 a wrong port, "
    "69 a port or a data directory in use, 78 any other wrong setting."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default the process's own. Returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    commands: dict[str, Callable[[Sequence[str]], int]] = {"serve": _serve, "link": _link}
    run = commands[words.pop(0)] if words and words[0] in commands else _serve
    try:
        return run(words)
    except ConfigError as error:
        print(f"livelog: {error}", file=sys.stderr)  # noqa: T201  # what the command says to its user
        return error.exit_code


def _serve(words: Sequence[str]) -> int:
    parser = _parser("livelog", SERVE)
    parser.add_argument("--version", action="version", version=f"livelog {__version__}")
    parser.add_argument("--short-version", action="version", version=__version__, help="the version, without the name")
    config.add_flags(parser)
    settings = config.load(os.environ, vars(parser.parse_args(words)))
    from . import service  # noqa: PLC0415  # slow to load: only where it is needed

    return service.run(settings)


def _link(words: Sequence[str]) -> int:
    parser = _parser("livelog link", LINK)
    parser.add_argument("name", nargs="?", default="", help="the log's name; none: the log that has none")
    parser.add_argument("--expires", metavar="TIME", help="when the link ends to open the log: in 90, 10m, 2h, 7d")
    config.add_flags(parser, LINK_SETTINGS)
    flags: Mapping[str, str | None] = vars(parser.parse_args(words))
    name, lifetime = flags["name"] or "", flags["expires"]
    if name and not is_name(name):
        parser.error(f"{name!r} is not the name of a log, such as builds/42")
    settings = config.load({**os.environ, "LIVELOG_PUT_HOST": ""}, flags)  # how producers come is of no interest
    expires = None if lifetime is None else math.ceil(time.time() + config.seconds("--expires", lifetime))
    if not settings.get_port and settings.public_url is None:
        raise ConfigError(
            "which port the server has chosen is not known here: name it with --get-port, or set LIVELOG_PUBLIC_URL",
            config.EX_CONFIG,
        )
    url = settings.readers_url(settings.get_port)
    print(Access(settings.access_token).link(url, name, expires))  # noqa: T201  # what was asked for
    return 0


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=name,
        description=description,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
