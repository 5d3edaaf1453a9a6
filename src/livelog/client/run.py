"""`livelog run`: a command, whose output goes to a log as well. See `process` for how it is run."""

import argparse
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

from . import process, signals
from .console import (
    EX_FAILED,
    EX_OWN_FAILURE,
    Parser,
    add_description,
    duration,
    labels,
    note,
    note_links,
    note_rest,
    own_warnings,
    told,
)
from .settings import ClientSettings, load
from .waiting import readable
from .writer import DRAIN, Writer, new_name

START = 3.0
"""Seconds that the server of a machine that has none may take to start."""

STREAMS = {1: "stdout", 2: "stderr"}

HELP = """\
Run a command, show its output as it would be anyway, and have others follow it in a log. The log server is never
waited for, and its failures are never the command's: what it does not take is kept on disk, and sent later.

  livelog run -- make -j8                      with a server of its own, if none is configured
  livelog run --keep 1h -- ./train.py          which stays for an hour after the end
  livelog run --name nightly/linux -- make     under a name that is known before

The command gets a terminal if stdout is one. Exit codes: the command's own, or its signal; 127 and 126 as in a shell
for a command that is not there or not executable; 125 if livelog itself fails before it starts.
"""


def parser() -> argparse.ArgumentParser:
    """What `livelog run` takes."""
    parser = Parser("run", HELP, usage_error=EX_OWN_FAILURE)
    add_description(parser)
    parser.add_argument("--quiet", "-q", action="store_true", help="print no link")
    parser.add_argument(
        "--keep",
        metavar="TIME",
        default="0",
        help="without a configured server: let readers in for so long after the end",
    )
    parser.add_argument(
        "--drain", metavar="TIME", default=str(DRAIN), help="wait so long for the server at the end (default 10)"
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--pty", action="store_true", default=None, help="give the command a terminal in any case")
    group.add_argument("--no-pty", dest="pty", action="store_false", help="give it pipes in any case")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run a command, and send its output. Returns the exit code, or ends by a signal. Raises: LivelogError."""
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser().error("which command is to be run? For instance: livelog run -- make")
    keep, drain = duration("--keep", arguments.keep), duration("--drain", arguments.drain)
    settings = load()
    terminal = _terminal(arguments)
    with contextlib.ExitStack() as stack:
        if not settings.chosen:
            settings = stack.enter_context(_own_server(settings, keep))
        mask = signals.block(terminal=terminal is not None)
        witness = signals.Witness()
        name = new_name(command[0]) if arguments.name is None else arguments.name
        title = os.path.basename(command[0]) if arguments.title is None else arguments.title
        log = Writer(name, title=told(title), labels=labels(arguments), drain=drain, settings=settings)
        if not arguments.quiet:
            note_links(log)
        child = process.Process(command, log.write, terminal=terminal, witness=witness, late=log.hurry)
        try:
            code = child.run(mask)
        except OSError as error:
            note(f"{command[0]}: {error.strerror}")
            code = process.exit_code(error)
        for stream, refusal in child.refusals.items():
            note(
                f"{STREAMS[stream]} takes nothing ({refusal.strerror}): what the command wrote there is not in the log"
            )
        if child.trouble is not None:
            note(f"the command's output could not be written: {child.trouble.strerror}; the log has it")
            code = code or EX_FAILED  # it may not have heard of it
        log.exit_code = code if code >= 0 else 128 - code
        with own_warnings():
            log.close()
        note_rest(log)
        if log.delivered and not arguments.quiet and log.link:
            note_links(log)
    return signals.end_as(code)


def _terminal(arguments: argparse.Namespace) -> process.PseudoTerminal | None:
    try:
        return process.open_terminal(arguments.pty)
    except OSError as error:
        note(f"there is no pseudo-terminal to be had here ({error.strerror}): the command gets pipes")
        return None


@contextlib.contextmanager
def _own_server(settings: ClientSettings, keep: float) -> Iterator[ClientSettings]:
    """A server for this log only, on this machine, which ends `keep` seconds after this block."""
    command = [sys.executable, "-P", "-m", "livelog.embedded", str(keep)]  # -P: modules of the folder are not ours
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            ready = readable([server.stdout], START)
            address = re.search(rb"PUT (http://\S+)/log", server.stdout.readline() if ready else b"")
            yield replace(settings, server=address[1].decode()) if address is not None else settings
        finally:
            server.stdin.close()
            server.returncode = 0  # it is on its own from here on: not waited for
