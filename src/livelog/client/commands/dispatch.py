"""The commands that talk to a server: their modules, and their exit codes for errors."""

import argparse
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module

from livelog.client.transport.streams import hold_closed_streams
from livelog.errors import ConfigError, GaveUp, LivelogError, LogAborted, LogReplaced, Refused

from .console import EX_ABORTED, EX_FAILED, EX_GAVE_UP, EX_NOT_FOUND, EX_OWN_FAILURE, EX_REPLACED, EX_UNAUTHORISED, note
from .output import ReaderLeft
from .signals import end_as

NOT_BEGUN = "this log has not begun"
"""The beginning of the server's error for a log that does not exist."""

COMMANDS: dict[str, tuple[str, str, str]] = {
    "run": ("run", "parser", "run"),
    "push": ("push", "parser", "push"),
    "tail": ("tail", "parser", "tail"),
    "wait": ("wait", "parser", "wait"),
    "grep": ("grep", "parser", "grep"),
    "show": ("show", "parser", "show"),
    "ls": ("look", "ls_parser", "ls"),
    "status": ("look", "status_parser", "status"),
    "open": ("look", "open_parser", "open_in_browser"),
    "rm": ("look", "rm_parser", "rm"),
    "spools": ("spools", "parser", "spools"),
}
"""The module of each command, and the names of its functions that make the parser and run the command. A command imports its own module only."""


def parser(command: str) -> argparse.ArgumentParser:
    """The parser of `command`."""
    module, make, _ = COMMANDS[command]
    made = getattr(import_module(f"{__package__}.{module}"), make)()
    assert isinstance(made, argparse.ArgumentParser)
    return made


def main(command: str, words: Sequence[str]) -> int:
    """Run `command` with the arguments `words`, and return the exit code, or exit with it. Errors are printed to stderr."""
    code = _run(command, words)
    if "ssl" in sys.modules and any(thread.daemon for thread in threading.enumerate()):
        # OpenSSL frees its memory when a process exits in the usual way: SIGSEGV, if a thread is within it.
        for stream in filter(None, (sys.stdout, sys.stderr)):  # a stream that was closed is None
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    return code


def _run(command: str, words: Sequence[str]) -> int:
    module, make, run = COMMANDS[command]
    hold_closed_streams()
    try:
        commands = import_module(f"{__package__}.{module}")
        return int(getattr(commands, run)(getattr(commands, make)().parse_args(words)))
    except (BrokenPipeError, ReaderLeft):
        return end_as(-signal.SIGPIPE)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except LivelogError as error:
        note(_said(error, command))
        return EX_OWN_FAILURE if command == "run" else exit_code_of(error)
    except (OSError, RuntimeError) as error:  # the other ones are told of where they come from
        note(f"{getattr(error, 'filename', None) or 'reading or writing'}: {getattr(error, 'strerror', None) or error}")
    return EX_OWN_FAILURE if command == "run" else EX_FAILED


def _said(error: LivelogError, command: str) -> str:
    """The text of `error` for people. For a log that has not begun, it names the option with which this command waits."""
    text = str(error)
    if isinstance(error, Refused) and error.status == 404 and text.startswith(NOT_BEGUN):
        return f"{NOT_BEGUN}; --wait 1m waits for it" if command == "tail" else NOT_BEGUN
    return text


def exit_code_of(error: LivelogError) -> int:
    """The exit code for `error`."""
    match error:
        case ConfigError():
            return error.exit_code
        case LogAborted():
            return EX_ABORTED
        case LogReplaced():
            return EX_REPLACED
        case GaveUp():
            return EX_GAVE_UP
        case Refused(status=404 | 412):  # 412: a link names a generation that is not kept
            return EX_NOT_FOUND
        case Refused(status=401):
            return EX_UNAUTHORISED
    return EX_FAILED
