"""What the commands share: parsing of their words, messages, and exit codes.

Stdout has only what the user asked for; messages for people go to stderr. Tokens are never printed. Links are secrets,
and printed only where the command is about links.
"""

import argparse
import contextlib
import logging
import os
import re
import select
import termios
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from livelog.client.api.links import parse
from livelog.client.api.writer import Writer, new_name
from livelog.client.settings import ClientSettings, expiry
from livelog.client.transport.sender import Sender
from livelog.config import EX_CONFIG, seconds
from livelog.errors import ConfigError, Refused
from livelog.log.attributes import MAX_LABELS, valid_label_name
from livelog.names import valid_name

EX_FAILED, EX_USAGE, EX_ABORTED, EX_NOT_FOUND, EX_UNAUTHORISED, EX_GAVE_UP, EX_REPLACED, EX_NOT_ENDED = range(1, 9)
EX_SETTING, EX_INTERRUPTED = EX_CONFIG, 130
MEANINGS = {
    EX_FAILED: "another failure",
    EX_USAGE: "usage",
    EX_ABORTED: "the log was aborted",
    EX_NOT_FOUND: "there is no such log",
    EX_UNAUTHORISED: "wrong token",
    EX_GAVE_UP: "the server cannot be reached",
    EX_REPLACED: "the log was replaced by another one",
    EX_NOT_ENDED: "the job has not ended (--exit-status)",
    EX_SETTING: "a wrong setting",
    EX_INTERRUPTED: "Ctrl-C",
}
"""The meanings of the exit codes of all commands but `run`."""

FOLLOWING = (EX_USAGE, EX_ABORTED, EX_NOT_FOUND, EX_UNAUTHORISED, EX_GAVE_UP, EX_REPLACED)
"""The exit codes of a command that follows a log to its end."""

EXIT_STATUS = "With --exit-status, the exit code of the job."
"""What the help of a command with `add_exit_status` says of its exit codes."""

EX_OWN_FAILURE = 125
"""The exit code of `livelog run` for failures of its own, not of the command."""


class Parser(argparse.ArgumentParser):
    """The parser of a command. It prints errors like all others. `usage_error`: the exit code for a wrong usage."""

    def __init__(self, name: str, description: str, epilog: str = "", usage_error: int = EX_USAGE) -> None:
        super().__init__(
            prog=f"livelog {name}",
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._usage_error = usage_error

    def error(self, message: str) -> NoReturn:
        """See `argparse.ArgumentParser`."""
        self.exit(self._usage_error, f"livelog: {message}\n{self.format_usage()}")


class MixedParser(Parser):
    """A parser that accepts options between the other words."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """See `argparse.ArgumentParser`."""
        return self.parse_intermixed_args(args, namespace)


def duration(name: str, text: str) -> float:
    """The seconds of a duration, which may be 0. `name`: for the error. Raises: ConfigError."""
    return 0.0 if text == "0" else seconds(name, text)


def exit_codes(*codes: int | str) -> str:
    """The sentence about exit codes in a command's help. `codes`: numbers of `MEANINGS`, or texts; a text that ends with a full stop is a sentence of its own."""
    known = [f"{code} {MEANINGS[code]}" if isinstance(code, int) else code for code in codes]
    sentences = [text for text in known if text.endswith(".")]
    listed = ", ".join(text for text in known if not text.endswith("."))
    return textwrap.fill(" ".join([f"Exit codes: {listed}.", *sentences]), 110)


def lasting(text: str) -> float:
    """Parse an option's duration, which may be 0, in seconds."""
    return 0.0 if text == "0" else period(text)


def period(text: str) -> float:
    """Parse an option's duration above 0, in seconds."""
    try:
        return seconds("", text)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration, such as 90, 1.5, 10m, 2h or 7d") from error


def printable(title: str) -> str:
    """`title` in a form that servers accept: one printable line of at most 256 bytes."""
    text = "".join(character if character.isprintable() else " " for character in title)
    return text.encode(errors="ignore")[:256].decode(errors="ignore").strip()


def add_description(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe a log: its name, title and labels."""
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="the log's name; a text that is not a valid name is turned into one (default: a new name)",
    )
    parser.add_argument("--title", metavar="TEXT", help="a title that readers see")
    parser.add_argument(
        "--label", metavar="NAME=VALUE", action="append", default=[], help="a label that readers see; may be repeated"
    )
    parser.add_argument(
        "--expires",
        metavar="TIME",
        type=_expiry,
        help="make the printed links expire after this time, e.g. 90 (seconds), 10m, 2h, 7d; never (the default; in CI: 7d)",
    )


def with_expiry(settings: ClientSettings, arguments: argparse.Namespace) -> ClientSettings:
    """`settings`, changed by the option --expires."""
    return settings if arguments.expires is None else replace(settings, link_expires=arguments.expires[0])


def _expiry(text: str) -> tuple[float | None]:
    try:
        return (expiry("", text),)
    except ConfigError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a duration, such as 90, 1.5, 10m, 2h or 7d, nor never"
        ) from error


def labels(arguments: argparse.Namespace) -> dict[str, str]:
    """The labels of the options. An invalid label is corrected or dropped, with a message: no job fails because of it."""
    found: dict[str, str] = {}
    for text in arguments.label:
        given, equals, value = text.partition("=")
        name = valid_label_name(given)
        if not name or not equals:
            note(f"the label {text!r} is left out: it is not NAME=VALUE")
        elif name not in found and len(found) == MAX_LABELS:
            note(f"the label {name} is left out: a log has at most {MAX_LABELS}")
        elif value := printable(value):
            found[name] = value
            if name != given:
                note(f"the label {given!r} is called {name}")
    return found


def log_name(arguments: argparse.Namespace, hint: str) -> str:
    """The name of the option, corrected with a message if it is not valid; else a new name, made of `hint`."""
    if arguments.name is None:
        return new_name(hint)
    name = valid_name(arguments.name) if arguments.name else ""
    if name != arguments.name:
        note(f"the log is called {name}, since {arguments.name!r} is not the name of a log")
    return name


def reference(text: str) -> str:
    """Parse a link of a log, the name of a log, or `-`."""
    if "://" in text:
        try:
            parse(text)
        except Refused as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    elif not text:
        raise argparse.ArgumentTypeError(
            "'' is neither a link nor the name of a log, such as builds/42; -: the log without a name"
        )
    return text


def add_give_up(parser: argparse.ArgumentParser) -> None:
    """Add the option that says for how long a server that cannot be reached is tried."""
    parser.add_argument(
        "--give-up",
        metavar="TIME",
        type=period,
        default="5m",
        help="keep trying this long to reach the server (default 5m)",
    )


def add_exit_status(parser: argparse.ArgumentParser) -> None:
    """Add the option that makes the command exit with the job's exit code; see `EXIT_STATUS`."""
    parser.add_argument(
        "--exit-status", action="store_true", help="exit with the exit code of the job, if the log is complete"
    )


def add_attempt(parser: "argparse._ActionsContainer") -> None:
    """Add the options that say which log of a name is meant."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--attempt",
        metavar="N",
        type=_attempt,
        help="of several logs of this name, the one before the newest (-1), the one before that (-2), and so on; 0: the newest (default)",
    )
    which.add_argument(
        "--generation",
        metavar="G",
        type=_generation,
        help="the log of this name with this generation, which livelog status prints",
    )


def _attempt(text: str) -> int:
    if not re.fullmatch("0|-[0-9]{1,9}", text, re.ASCII):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not 0 (the newest log of that name), -1 (the one before), -2 or so on"
        )
    return int(text)


def _generation(text: str) -> str:
    if not re.fullmatch("[A-Za-z0-9._~-]{1,100}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a generation; livelog status prints them")
    return text


def natural(text: str) -> int:
    """Parse an option's whole number, which may be 0."""
    if not re.fullmatch("[0-9]{1,15}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def interval(text: str) -> tuple[int, int | None]:
    """Parse an option's inclusive interval `A-B`, and return it as a half-open one."""
    match = re.fullmatch("([0-9]{1,15})-([0-9]{1,15})?", text, re.ASCII)
    if match is None or (match[2] and int(match[2]) < int(match[1])):
        raise argparse.ArgumentTypeError(f"{text!r} is not A-B or A-, such as 100-199")
    return int(match[1]), int(match[2]) + 1 if match[2] else None


def write(data: bytes, fd: int = 1) -> None:
    """Write to a descriptor, by default stdout, without buffering. Raises: BrokenPipeError."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(fd, select.POLLOUT)
            poll.poll()


def may_colour() -> bool:
    """Whether the client may colour what it adds to its output: it is a terminal's, and NO_COLOR is not set (no-color.org)."""
    return os.isatty(1) and not os.environ.get("NO_COLOR")


def note(text: str) -> None:
    """Print a line on stderr."""
    with contextlib.suppress(OSError):  # nobody listens
        shown = "".join(
            character if character.isprintable() else " " for character in text
        )  # a server may have said it
        os.write(2, f"livelog: {shown}{_line_end()}".encode(errors="replace"))


def _line_end() -> str:
    """The end of a line on stderr. On a terminal in raw mode, it also moves the cursor to the first column."""
    try:
        return "\n" if termios.tcgetattr(2)[1] & termios.OPOST else "\r\n"
    except termios.error:
        return "\n"


def note_links(log: Writer | Sender) -> None:
    """Print the links for readers."""
    if not log.link:
        later = "the output is kept, and sent later" if log.refused is None else "the output is kept on this machine"
        note(f"{reason(log.problem, log.refused, 'has not answered yet')}; {later}")
        return
    note(f"readers: {log.link}")
    if log.view:
        note(f"browser: {log.view}")


def note_rest(log: Writer) -> None:
    """Print which part of a log that has ended did not reach the server."""
    if log.failure is not None:
        note(f"the log lacks all after its first {log.size} bytes: {log.failure.strerror}")
    if log.spool is not None:
        note(f"{reason(log.problem, log.refused)}; {what_is_left(log.refused, log.spool, log.name)}")
    elif not log.delivered:
        note(f"{reason(log.problem, log.refused)}; nothing is kept")


def reason(
    problem: str, refused: Refused | None = None, otherwise: str = "has not taken all of the log in time"
) -> str:
    """Why the server does not have the whole log."""
    if refused is not None:
        return f"the server will not take the log ({problem})"
    return f"the server cannot take the log ({problem})" if problem else f"the server {otherwise}"


def what_is_left(refused: Refused | None, folder: Path, name: str) -> str:
    """The advice on what to do with the rest of a log in `folder`: only what can succeed."""
    kept = "what it has not got is kept"
    start = min((int(file.name) for file in folder.glob("[0-9]" * 20)), default=0)
    match 0 if refused is None else refused.status:
        case 0 if refused is None:
            return f"{kept}: livelog push {folder}"
        case 401:
            return f"{kept}; with the right LIVELOG_WRITE_TOKEN: livelog push {folder}"
        case 410 | 404 | 413 if start:
            rest = valid_name(f"{name or 'log'}-rest")
            return f"{kept}, from byte {start} on; to send it as another log: livelog push --name {rest} {folder}"
        case 413:
            return f"{kept}; when the server takes larger logs (LIVELOG_MAX_LOG_SIZE): livelog push {folder}"
        case 412:
            return f"{kept}; under another name: livelog push --name OTHER {folder}"
    return f"{kept}; when LIVELOG_SERVER names a server of logs: livelog push {folder}"


@contextlib.contextmanager
def own_warnings() -> Iterator[None]:
    """Silence a writer's warnings within the block: the command prints them itself."""
    logging.getLogger("livelog").disabled = True
    yield
