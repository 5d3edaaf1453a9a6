"""The command `livelog`: it parses arguments, runs the command that they name, and turns errors into exit codes.

The commands of the client are in `client.commands`; the server is started by `process`. Modules that only some commands need are
imported when such a command runs, so that each command starts fast.
"""

import math
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import __version__, config, own_process
from .errors import ConfigError, LivelogError
from .names import is_prefix, valid_name
from .tokens import Access, is_of_prefix, write_token

if TYPE_CHECKING:
    import argparse

OVERVIEW = f"""\
livelog {__version__}: logs over HTTP while they are being written. A producer sends each log, any number of readers follow it.

  livelog run -- make -j8                 run a command, and show its output, and print a link to it
  livelog tail URL                        follow a log in the terminal
  ACCESS_TOKEN=secretpuppy livelog        start a server, to which these and curl can talk:
    some-job 2>&1 | curl -T - http://localhost:60022/log/nightly
    curl http://localhost:60023/log/secretpuppy/nightly

Commands; each explains itself with --help:

  serve       start the server (what livelog does without a command)
  run         run a command, and send its output to a log
  push        send standard input, or a file
  tail        show a log, then what comes
  grep        print the lines that match, of one log or several
  show        show a log in a few thousand bytes: its state, its problems, its end
  wait        wait until a log ends, or has a line that matches
  ls          list logs
  status      show the status of a log
  open        open a log in the browser
  link        print the link that opens one log
  rm          remove logs
  health      ask the server of this machine whether it is well
  spools      show, send or remove output that a server has not taken
  completion  print a completion script for bash, zsh or fish

  --version, --short-version

The client in one file, for a machine that has Python 3.11 and nothing else, from the readers' port of any server:

  curl -fsSO http://localhost:60023/livelog.pyz && python3 livelog.pyz run -- make -j8

Where the server is: LIVELOG_SERVER (default http://localhost:60022), LIVELOG_PUBLIC_URL (http://localhost:60023),
LIVELOG_CA_FILE. The tokens: LIVELOG_WRITE_TOKEN, ACCESS_TOKEN. The same in ~/.config/livelog.toml:

  server = "http://logs.example.org:60022"
  write_token = "..."
"""

SERVE = """\
Serve logs over HTTP while they are being written: a producer sends each, any number of readers follow it.

  ACCESS_TOKEN=secretpuppy livelog                                    start the server
  some-long-job 2>&1 | curl -T - http://localhost:60022/log/nightly   send a log
  curl http://localhost:60023/log/secretpuppy/nightly                 follow it
"""

LINK = """\
Print a link that opens one log and no other, or all logs of a prefix. It is made here if ACCESS_TOKEN is set and nothing says that the server is
elsewhere, or LIVELOG_PUBLIC_URL says where; otherwise the server at LIVELOG_SERVER makes it. The log need not have begun. The link never
expires, unless --expires or LIVELOG_LINK_EXPIRES says so; in CI (CI=true) it expires after a week.

  livelog link nightly
  livelog link nightly --expires 2h    expires in two hours
  livelog link nightly --view          for a browser
  livelog link -                       of the log without a name; so does livelog link alone
  livelog link --prefix builds/42/     to the list of all logs whose names begin so; its token opens each of them
  LIVELOG_WRITE_TOKEN=$(livelog link --prefix builds/42/ --write --expires 1d)    a token that writes those logs only
"""

COMPLETION = """\
Print a script that completes commands, options and names of logs in a shell. Names are asked of the server, where ACCESS_TOKEN is set.

  eval "$(livelog completion bash)"     in ~/.bashrc; zsh: in ~/.zshrc, after compinit
  livelog completion fish > ~/.config/fish/completions/livelog.fish
"""

HEALTH = """\
Ask the server of this machine whether it is well, on its producers' port: for the health check of a container. It finds the server by
the variables with which the server was started, and needs no token.

  livelog health            does it answer?
  livelog health --ready    could a log begin now? This also checks its disk and its limits
"""

HEALTH_SETTINGS = ("put_port", "put_host")
"""The settings that `livelog health` needs: the address of the producers' port."""

HEALTH_EXIT_CODES = (
    "Exit codes: 0 the server is well, 1 it is not, or it does not answer, 2 usage, 64, 65 and 78 a wrong setting."
)

LINK_SETTINGS = ("access_token", "get_port", "get_host", "public_url", "server_crt_file", "server_key_file")
"""The settings that `livelog link` needs to make a link without asking a server."""

EXIT_CODES = (
    "A flag takes precedence over its variable. Exit codes: 0 stopped by a signal, 2 usage, 64-67 a wrong port, 69 a port or the "
    "data directory is in use, 78 any other wrong setting, 130 stopped at once by a second signal."
)

LINK_EXIT_CODES = (
    "A flag takes precedence over its variable. Exit codes: 0 printed, 1 another failure, 2 usage, 5 wrong token, 6 the server cannot be "
    "reached, 64-67 a wrong port, 78 any other wrong setting."
)

CLIENT_COMMANDS = ("run", "push", "tail", "grep", "show", "wait", "ls", "status", "open", "rm", "spools")
"""The commands of `client.commands.dispatch`. They are listed here so that `livelog serve` starts without importing it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default those of the process. Returns the exit code. Errors are printed to stderr."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words[0] if words else ""
    try:
        if command in CLIENT_COMMANDS:
            from .client.commands import dispatch  # noqa: PLC0415

            return dispatch.main(command, words[1:])
        if command in ("-h", "--help", "help"):
            return _say(OVERVIEW)
        if command == own_process.STANDALONE and own_process.standalone():
            return own_process.main(words[1:])
        if command == "completion":
            return _completion(words[1:])
        if command == "link":
            return _link(words[1:])
        if command == "health":
            return _health(words[1:])
        if command and command != "serve" and not command.startswith("-"):
            return _unknown(command)
        return _serve(words[1:] if command == "serve" else words)
    except LivelogError as error:
        print(f"livelog: {error}", file=sys.stderr)  # noqa: T201  # what the command says to its user
        if isinstance(error, ConfigError):
            return error.exit_code
        from .client.commands import dispatch  # noqa: PLC0415

        return dispatch.exit_code_of(error)


def _unknown(command: str) -> int:
    import difflib  # noqa: PLC0415  # rarely needed

    close = difflib.get_close_matches(command, (*CLIENT_COMMANDS, "serve", "link", "health", "completion"), 1)
    meant = f"; is it {close[0]} that you mean?" if close else ":"
    raise ConfigError(f"there is no command {command!r}{meant} livelog --help lists them", 2)


def _serve(words: Sequence[str]) -> int:
    complete = own_process.exists("livelog.process")
    flags = _serve_flags(words, complete=complete) if words else {}
    if not complete:
        raise ConfigError("this is the client alone, without a server: install livelog-server", config.EX_CONFIG)
    settings = config.load(os.environ, flags)
    from . import process  # noqa: PLC0415  # slow to load: only where it is needed

    return process.run(settings)


def _serve_flags(words: Sequence[str], *, complete: bool) -> Mapping[str, Any]:
    parser = _serve_parser()
    if complete and {"-h", "--help"} & {*words}:
        from .page import archive  # noqa: PLC0415  # takes some tenths of a second

        parser.epilog = f"{parser.epilog}\n\nSHA-256 of {archive.NAME}: {archive.digest(archive.build())}"
    return vars(parser.parse_args(words))


def _serve_parser() -> "argparse.ArgumentParser":
    parser = _parser("livelog serve", SERVE, EXIT_CODES)
    parser.add_argument(
        "--version", action="version", version=f"livelog {__version__}{_commit()}", help="print the version and end"
    )
    parser.add_argument(
        "--short-version", action="version", version=__version__, help="print the version without the name, and end"
    )
    config.add_flags(parser)
    return parser


def _commit() -> str:
    """The commit from which the standalone program was built, in parentheses; empty in other forms of installation."""
    import pkgutil  # noqa: PLC0415  # rarely needed

    try:
        return f" (commit {(pkgutil.get_data('livelog', 'commit.txt') or b'').decode()})"
    except OSError:
        return ""


def _link_parser() -> "argparse.ArgumentParser":
    parser = _parser("livelog link", LINK, LINK_EXIT_CODES)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("name", nargs="?", default="", help="the name of the log; none, or -: the log without a name")
    what.add_argument(
        "--prefix", metavar="P", help="instead: all logs whose names begin with P and a slash, and their list"
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="with --prefix: print a token that writes these logs; needs LIVELOG_WRITE_TOKEN",
    )
    parser.add_argument(
        "--expires", metavar="TIME", help="make the link expire after this time, e.g. 90 (seconds), 10m, 2h, 7d; never"
    )
    parser.add_argument(
        "--view",
        action="store_true",
        help="the link for a browser: to the page of the log, or with --prefix to that of the list",
    )
    config.add_flags(parser, LINK_SETTINGS)
    return parser


def _link(words: Sequence[str]) -> int:
    parser = _link_parser()
    flags: Mapping[str, Any] = vars(parser.parse_args(words))
    if flags["prefix"] is None:
        name = "" if flags["name"] == "-" else flags["name"]
        name = valid_name(name) if name else ""
    elif not is_prefix(name := f"{flags['prefix'].removesuffix('/')}/"):
        parser.error(
            "--prefix: a prefix is 1 to 7 segments of A-Z, a-z, 0-9, '.', '_', '~' and '-', each followed by '/'"
        )
    if flags["write"] and (flags["prefix"] is None or flags["view"]):
        parser.error("--write needs --prefix" if flags["prefix"] is None else "--write does not go with --view")
    from .client import settings  # noqa: PLC0415
    from .client.api import lookup  # noqa: PLC0415
    from .client.transport.origin import shown  # noqa: PLC0415

    found = settings.load()
    try:
        expires = found.link_expires if flags["expires"] is None else settings.expiry("--expires", flags["expires"])
    except ConfigError as error:
        parser.error(str(error))
    moment = None if expires is None else math.ceil(time.time() + expires)
    if flags["write"]:
        if found.write_token is None or is_of_prefix(found.write_token):
            raise ConfigError(
                "LIVELOG_WRITE_TOKEN must be that of the server: tokens of prefixes are made from it", config.EX_CONFIG
            )
        return _say(f"{write_token(found.write_token, name, moment)}\n")
    configured = any(flags[setting] for setting in LINK_SETTINGS)
    if not configured and (found.access_token is None or found.chosen or found.public_chosen):
        return _say(f"{lookup.make_link(name, expires, found, view=flags['view'])}\n")
    # The environment is that of the server itself.
    variables = {**os.environ, "LIVELOG_PUT_HOST": ""}  # a link does not depend on the producers' port
    variables["LIVELOG_PUBLIC_URL"] = shown(found.public_url) if found.public_chosen else ""
    known = config.load(variables, flags)
    if not known.get_port and known.public_url is None:
        raise ConfigError(
            "which port the server has chosen is not known here: name it with --get-port, or set LIVELOG_PUBLIC_URL",
            config.EX_CONFIG,
        )
    url = known.readers_url(known.get_port)
    return _say(f"{Access(known.access_token).link(url, name, moment, 'view' if flags['view'] else 'log')}\n")


def _health_parser() -> "argparse.ArgumentParser":
    parser = _parser("livelog health", HEALTH, HEALTH_EXIT_CODES)
    parser.add_argument("--ready", action="store_true", help="ask whether a log could begin now")
    parser.add_argument("--timeout", metavar="TIME", default="4", help="how long to wait for the answer (default 4)")
    config.add_flags(parser, HEALTH_SETTINGS)
    return parser


def _health(words: Sequence[str]) -> int:
    flags: Mapping[str, Any] = vars(_health_parser().parse_args(words))
    known = config.given(os.environ, flags, HEALTH_SETTINGS)
    timeout = config.seconds("--timeout", flags["timeout"])
    from .operate import health  # noqa: PLC0415

    port = known.get("put_port", config.Settings.put_port)
    code, line = health.ask("/readyz" if flags["ready"] else "/healthz", known.get("put_host", ()), port, timeout)
    if code == health.HEALTHY:
        return _say(f"{line}\n")
    print(f"livelog: {line}", file=sys.stderr)  # noqa: T201  # what the command says to its user
    return code


def parsers() -> "dict[str, argparse.ArgumentParser]":
    """The parsers of all commands, by name. Shell completion and `docs/commands.md` are made from them."""
    from .client.commands import dispatch  # noqa: PLC0415

    return {
        "serve": _serve_parser(),
        **{name: dispatch.parser(name) for name in dispatch.COMMANDS},
        "link": _link_parser(),
        "health": _health_parser(),
        "completion": _completion_parser(),
    }


def _completion_parser() -> "argparse.ArgumentParser":
    from .client.commands import completion  # noqa: PLC0415

    parser = _parser("livelog completion", COMPLETION, "Exit codes: 0 printed, 2 usage.")
    parser.add_argument("shell", choices=completion.SHELLS, help="the shell that the script is for")
    return parser


def _completion(words: Sequence[str]) -> int:
    from .client.commands import completion  # noqa: PLC0415

    return _say(completion.script(_completion_parser().parse_args(words).shell, parsers()))


def _say(text: str) -> int:
    """Write `text` to stdout, and return the exit code. SIGPIPE ends the process, as it ends other programs."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    data = text.encode()
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError as error:
        print(f"livelog: writing: {error.strerror}", file=sys.stderr)  # noqa: T201  # what the command says to its user
        return 1
    return 0


def _parser(name: str, description: str, epilog: str) -> "argparse.ArgumentParser":
    import argparse  # noqa: PLC0415  # a server that is started without flags needs none

    return argparse.ArgumentParser(
        prog=name,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
