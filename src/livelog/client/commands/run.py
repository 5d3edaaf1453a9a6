"""`livelog run`: run a command, and send its output to a log. `process` runs the command."""

import argparse
import os
import shutil

from livelog.client.api.writer import DRAIN, Writer
from livelog.client.settings import load
from livelog.errors import ClientError

from . import process, signals
from .console import (
    EX_FAILED,
    EX_OWN_FAILURE,
    Parser,
    add_description,
    duration,
    labels,
    log_name,
    note,
    note_links,
    note_rest,
    own_warnings,
    printable,
    with_expiry,
)
from .own_server import OwnServer

NO_SERVER = "no log server could be started here: {}; the command runs without a log"

STREAMS = {1: "stdout", 2: "stderr"}

HELP = """\
Run a command, show its output as usual, and send a copy to a log that others can follow. The command never waits for the
log server and never fails because of it: output that the server has not taken is kept on disk, and can be sent later.

  livelog run -- make -j8                      on a temporary server, if no server is configured
  livelog run --keep 1h -- ./train.py          which runs for an hour after the end
  livelog run --share -- make -j8              which other machines can reach, too
  livelog run --name nightly/linux -- make     under a name of your choice

The command gets a terminal if stdout is one. Exit codes: that of the command, or death by the same signal; 127 the command
was not found; 126 it is not executable; 125 livelog failed before the command was started; 1 the command ended with 0, but its output
could not be written.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of `livelog run`."""
    parser = Parser("run", HELP, usage_error=EX_OWN_FAILURE)
    add_description(parser)
    parser.add_argument("--quiet", "-q", action="store_true", help="do not print the links")
    parser.add_argument(
        "--keep",
        metavar="TIME",
        default="0",
        help="without a configured server: keep the temporary server running this long after the end (default 0)",
    )
    parser.add_argument(
        "--share",
        action="store_true",
        help="without a configured server: let other machines open the link, over plain http",
    )
    parser.add_argument(
        "--drain",
        metavar="TIME",
        help="at the end, wait at most this long for the server (default 10; 1 if it was never reached)",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--pty", action="store_true", default=None, help="run the command on a terminal, whatever stdout is"
    )
    group.add_argument(
        "--no-pty", dest="pty", action="store_false", help="run the command with pipes, whatever stdout is"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run a command, and send its output. Returns the exit code, or ends by a signal. Raises: LivelogError."""
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser().error("no command was given, for instance: livelog run -- make")
    keep = duration("--keep", arguments.keep)
    drain = None if arguments.drain is None else duration("--drain", arguments.drain)
    settings = with_expiry(load(), arguments)
    terminal = _terminal(arguments)
    own = None if settings.chosen else _own_server(keep, share=arguments.share)
    mask = signals.block(terminal=terminal is not None)
    witness = signals.Witness()
    if own is not None:
        own = _wait(own)
    log = None
    if own is not None or settings.chosen:
        name = log_name(arguments, command[0])
        title = os.path.basename(command[0]) if arguments.title is None else arguments.title
        if own is not None:
            settings = own.settings(settings)
            drain = DRAIN if drain is None else drain  # it may still be starting
        log = Writer(name, title=printable(title), labels=labels(arguments), drain=drain, settings=settings)
        if not arguments.quiet:
            _note_links(log, own, settings.link_expires)

    def sink(data: bytes) -> None:
        if log is not None and not (own is not None and own.failed):
            log.write(data)

    child = process.Process(
        command, sink, terminal=terminal, witness=witness, late=(lambda: None) if log is None else log.hurry
    )
    try:
        code = child.run(mask)
    except OSError as error:
        note(f"{command[0]}: {error.strerror}")
        code = process.exit_code(error)
    for stream, refusal in child.refusals.items():
        note(f"{STREAMS[stream]} takes nothing ({refusal.strerror}): what the command wrote there is not in the log")
    if child.trouble is not None:
        note(
            f"the command's output could not be written: {child.trouble.strerror}{'; the log has it' * (log is not None)}"
        )
        code = code or EX_FAILED  # it may not have heard of it
    if log is not None:
        _end(log, own, code, settings.link_expires, quiet=arguments.quiet)
    return signals.end_as(code)


def _end(log: Writer, own: OwnServer | None, code: int, expires: float | None, *, quiet: bool) -> None:
    """End the log of a command that has ended with the exit code `code`."""
    log.exit_code = code if code >= 0 else 128 - code
    if own is not None and own.failed:
        log.hurry()
    with own_warnings():
        log.close()
    if own is not None and own.failed:
        if log.spool is not None:  # there is no server that would take it
            shutil.rmtree(log.spool, ignore_errors=True)
    else:
        note_rest(log)
        if log.delivered and not quiet and (own is not None or log.link):
            _note_links(log, own, expires)
    if own is not None:
        own.close()


def _own_server(keep: float, *, share: bool) -> OwnServer | None:
    """A temporary server for this log. None: it cannot start; a message says so, and the command runs without a log."""
    try:
        own = OwnServer(keep, share=share)
    except ClientError as error:
        note(NO_SERVER.format(error))
        return None
    if share and own.host == "127.0.0.1":
        note("this machine has no address that others could reach: the links open the log on this machine only")
    return own


def _wait(own: OwnServer) -> OwnServer | None:
    """The same, once it has started, or has had its time to."""
    try:
        own.wait(
            lambda reason: note(
                f"the log server of this command has failed: {reason}; the command goes on without a log"
            )
        )
    except ClientError as error:
        note(NO_SERVER.format(error))
        own.close()
        return None
    return own


def _note_links(log: Writer, own: OwnServer | None, expires: float | None) -> None:
    if own is None:
        note_links(log)
    else:
        note(f"readers: {own.link(log.name, expires)}")
        note(f"browser: {own.link(log.name, expires, 'view')}")


def _terminal(arguments: argparse.Namespace) -> process.PseudoTerminal | None:
    try:
        return process.open_terminal(arguments.pty)
    except OSError as error:
        note(f"this system has no pseudo-terminal ({error.strerror}): the command gets pipes")
        return None
